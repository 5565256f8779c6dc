//! `query` and `tsdb delete` against a server with canned answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tempfile::TempDir;

use super::{Ran, run_at, shown};

type Asked = Arc<Mutex<Vec<(String, HashMap<String, String>)>>>;

/// Answers what was put up, and remembers what was asked.
struct Prom {
    dir: TempDir,
    asked: Asked,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Canned {
    asked: Asked,
    status: u16,
    body: &'static str,
    /// The answer to `timestamp(…)`.
    ages: &'static str,
}

impl Prom {
    async fn start(status: u16, body: &'static str, ages: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let asked = Asked::default();
        let canned = Canned { asked: Arc::clone(&asked), status, body, ages };
        let answer = |path: &'static str| {
            post(move |State(canned): State<Canned>, body: String| async move {
                let form = form(&body);
                let aged = form.get("query").is_some_and(|q| q.starts_with("timestamp("));
                canned.asked.lock().unwrap().push((path.to_owned(), form));
                let status = StatusCode::from_u16(canned.status).unwrap();
                let body = if aged { canned.ages } else { canned.body };
                (status, [(CONTENT_TYPE, "application/json")], body)
            })
        };
        let app = Router::new()
            .route("/api/v1/query", answer("query"))
            .route("/api/v1/query_range", answer("query_range"))
            .route("/api/v1/series", answer("series"))
            .route("/api/v1/admin/tsdb/delete_series", answer("delete_series"))
            .with_state(canned);
        let listener = tokio::net::UnixListener::bind(dir.path().join("w.sock")).unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { dir, asked, task }
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[("COLUMNS", "80")]).await
    }

    async fn run_with(&self, arguments: &[&str], vars: &[(&str, &str)]) -> Ran {
        let arguments = arguments.iter().map(|a| (*a).into()).collect();
        run_at(self.dir.path(), arguments, vars).await
    }

    /// The forms so far, as they were sent.
    fn asked(&self) -> Vec<(String, HashMap<String, String>)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Prom {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn form(body: &str) -> HashMap<String, String> {
    let decoded = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8().unwrap().into_owned();
    body.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (decoded(k), decoded(v))).collect()
}

const VECTOR: &str = r#"{"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"__name__":"up","instance":"shop:80","job":"web"},"value":[1763900000,"1"]},
    {"metric":{"__name__":"up","instance":"db \u001b[2J","job":"sql"},"value":[1763900000,"-0.25"]}]},
    "warnings":["PromQL warning: first"],"infos":["PromQL info: second"]}"#;
const AGES: &str = r#"{"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"instance":"shop:80","job":"web"},"value":[1763900000,"1763899996.5"]},
    {"metric":{"instance":"db \u001b[2J","job":"sql"},"value":[1763900000,"1763899880"]}]}}"#;
const MATRIX: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{"job":"a"},"values":[[1763896400,"1"],[1763897300,"4"],[1763898200,"9"],[1763899100,"16"],[1763900000,"25"]]},
    {"metric":{"job":"b,\"c\""},"values":[[1763896400,"12"],[1763900000,"NaN"]]}],"resolution":"5m"}}"#;

/// The time of the last points.
const END: &str = "2025-11-23T12:13:20Z";

macro_rules! pictures {
    ($($name:ident: $answer:expr, $arguments:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let prom = Prom::start(200, $answer, AGES).await;
                let ran = prom.run(&$arguments).await;
                // The time axis is that of the machine's zone.
                let axis = regex::Regex::new(r"(?m)^ +\d\d:\d\d .*$").unwrap();
                let time = regex::Regex::new(r"\d\d:\d\d").unwrap();
                let letters = |line: &regex::Captures| time.replace_all(&line[0], "hh:mm").into_owned();
                insta::assert_snapshot!(axis.replace_all(&shown(&ran), letters).into_owned());
            }
        )*
    };
}

pictures! {
    labels_stand_in_columns_and_samples_have_an_age: VECTOR, ["query", "up"];
    an_expression_has_no_age: VECTOR, ["query", "up * 1"];
    a_range_is_told_in_numbers: MATRIX, ["query", "x", "--range", "1h"];
    a_range_is_drawn: MATRIX, ["query", "x", "--chart", "--end", END, "--step", "15m", "--glyphs", "ascii"];
    a_range_as_csv: MATRIX, ["query", "x", "--range", "1h", "--csv"];
    samples_are_listed: MATRIX, ["query", "x[1h]"];
    a_vector_as_json: VECTOR, ["query", "up", "--json"];
    a_number: r#"{"status":"success","data":{"resultType":"scalar","result":[1763900000,"0.1"]}}"#, ["query", "scalar(x)"];
    a_text: r#"{"status":"success","data":{"resultType":"string","result":[1763900000,"a\nb"]}}"#, ["query", "\"a\\nb\""];
    nothing: r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#, ["query", "nope"];
    a_mistake_is_pointed_at: VECTOR, ["query", "sum by (job) (rate(up[5m])"];
    a_wrong_type_is_pointed_at: VECTOR, ["query", "rate(up)"];
    a_preview_of_a_deletion: r#"{"status":"success","data":[{"__name__":"up","job":"a"},{"job":"b"}]}"#, ["tsdb", "delete", "up", "{job=\"b\"}", "--end", END];
    a_selector_that_is_none: VECTOR, ["tsdb", "delete", "sum(up)"];
}

#[tokio::test(flavor = "multi_thread")]
async fn narrow_terminals_get_series_instead_of_columns() {
    let prom = Prom::start(200, VECTOR, AGES).await;
    let ran = prom.run_with(&["query", "up"], &[("COLUMNS", "32")]).await;
    assert!(ran.out.starts_with("SERIES"), "{}", ran.out);
    assert!(ran.out.lines().all(|l| l.chars().count() <= 32), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_sent_as_they_were_meant() {
    let prom = Prom::start(200, MATRIX, AGES).await;
    // To the second: a command takes some milliseconds.
    let at = |i: usize, field: &str| {
        let text = prom.asked()[i].1.get(field).cloned().unwrap_or_default();
        text.split('.').next().unwrap().to_owned()
    };
    assert_eq!(prom.run(&["query", "x + 0", "--at", "-1h"]).await.code, 0);
    assert_eq!((prom.asked()[0].0.as_str(), at(0, "time")), ("query", "1763896400".to_owned()));
    let ran = prom.run(&["query", "x", "--start", "2025-11-23T11:13:20Z", "--end", "now-30m", "--step", "30"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let form = |field| at(1, field);
    assert_eq!(prom.asked()[1].0, "query_range");
    assert_eq!((form("start"), form("end"), form("step")), ("1763896400".into(), "1763898200".into(), "30".into()));
    prom.run(&["query", "x", "--chart", "--timeout", "5s", "--limit", "7"]).await;
    let form = |field| at(2, field);
    assert_eq!((form("start"), form("end"), form("step")), ("1763896400".into(), "1763900000".into(), "30".into()));
    assert_eq!((form("timeout"), form("limit")), ("5000ms".into(), "7".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_never_reaches_the_server() {
    let prom = Prom::start(200, VECTOR, AGES).await;
    for arguments in [
        &["query", "up +"][..],
        &["query", ""],
        &["query", "up", "--step", "5s"],
        &["query", "up", "--start", "now", "--end", "-1h"],
        &["query", "up", "--at", "yesterday"],
        &["query", "up", "--chart", "--csv"],
        &["query", "up", "--range", "0"],
        &["tsdb", "delete", "up[5m]", "--yes"],
        &["tsdb", "delete"],
    ] {
        assert_eq!(prom.run(arguments).await.code, 2, "{arguments:?}");
    }
    assert_eq!(prom.asked(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_refusal_is_told() {
    let body = r#"{"status":"error","errorType":"execution","error":"multiple matches for labels"}"#;
    let prom = Prom::start(422, body, AGES).await;
    let ran = prom.run(&["query", "a * b"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("multiple matches for labels"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_deleted_only_with_consent() {
    let prom = Prom::start(200, r#"{"status":"success","data":[{"__name__":"up"}]}"#, AGES).await;
    prom.run(&["tsdb", "delete", "up"]).await;
    let paths = || prom.asked().into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(paths(), ["series"]);
    let ran = prom.run(&["tsdb", "delete", "up", "--yes", "--start", "-1d"]).await;
    assert!(ran.err.contains("deleted samples from"), "{}", ran.err);
    assert_eq!(paths()[1..], ["series", "delete_series"]);
    let (_, form) = prom.asked().pop().unwrap();
    assert_eq!((form["match[]"].as_str(), &form["start"][..10]), ("up", "1763813600"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_is_as_wide_as_the_terminal_and_coloured_when_wanted() {
    use unicode_width::UnicodeWidthStr;
    let prom = Prom::start(200, MATRIX, AGES).await;
    for columns in ["40", "80", "200"] {
        let vars = [("COLUMNS", columns)];
        let ran = prom.run_with(&["query", "x", "--chart", "--step", "15m"], &vars).await;
        let widest = ran.out.lines().map(UnicodeWidthStr::width).max().unwrap();
        assert!(widest <= columns.parse().unwrap(), "{columns}: {widest}\n{}", ran.out);
        assert!(!ran.out.contains('\x1b'));
    }
    let vars = [("COLUMNS", "80"), ("TERM", "xterm-256color")];
    let ran = prom.run_with(&["query", "x", "--chart", "--step", "15m", "--color", "always"], &vars).await;
    assert!(ran.out.contains("\x1b[38;5;74m"), "{:?}", ran.out);
}
