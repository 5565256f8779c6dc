//! Federation: the newest values of selected series as exposition text.

use std::io::Write as _;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::api::App;
use crate::api::body::{packed, reply, takes_gzip};
use crate::api::problem::ApiError;
use crate::api::prometheus::json::float;
use crate::api::prometheus::params::Form;
use crate::base::failure::{Failure, Kind};
use crate::base::labels::{Labels, METRIC_NAME};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn federate(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<Response, ApiError> {
    // Without any there is nothing to tell, which is no mistake for Prometheus either.
    let sets = form.selectors(app.engine.queries()).await?;
    let now = app.clock.now().millis();
    let found = app.engine.queries().newest(sets, now).await?;
    let gzip = takes_gzip(&headers);
    let write = move || packed(exposition(found), gzip);
    let failed = |_| ApiError::new(Failure::text(Kind::Internal, "the answer could not be written"));
    let body = tokio::task::spawn_blocking(write).await.map_err(failed)?;
    Ok(reply(body, TEXT))
}

/// Series by metric, each of which is declared once; those without a name cannot be told.
fn exposition(mut found: Vec<(Labels, i64, f64)>) -> Vec<u8> {
    // In order of labels, names that come before `__name__` would tear metrics apart.
    found.retain(|(labels, ..)| !labels.metric_name().is_empty());
    found.sort_by(|(a, ..), (b, ..)| a.metric_name().cmp(b.metric_name()));
    let mut out = Vec::with_capacity(found.len() * 96);
    let mut last = "";
    for (labels, t, v) in &found {
        let name = labels.metric_name();
        if name != last {
            // Writing to a vector cannot fail.
            let _ = writeln!(out, "# TYPE {} untyped", quoted_name(name));
            last = name;
        }
        line(&mut out, labels, *t, *v);
    }
    out
}

fn is_plain(name: &str, colon: bool) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || (colon && b == b':');
    name.bytes().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty()
}

fn quoted_name(name: &str) -> String {
    if is_plain(name, true) { name.to_owned() } else { format!("\"{}\"", escaped(name)) }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Writing to a vector cannot fail.
fn line(out: &mut Vec<u8>, labels: &Labels, t: i64, v: f64) {
    let name = labels.metric_name();
    let outside = is_plain(name, true);
    if outside {
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b'{');
    let mut comma = false;
    if !outside {
        let _ = write!(out, "\"{}\"", escaped(name));
        comma = true;
    }
    for (name, value) in labels.iter().filter(|(k, _)| *k != METRIC_NAME) {
        if std::mem::replace(&mut comma, true) {
            out.push(b',');
        }
        let name = if is_plain(name, false) { name.to_owned() } else { format!("\"{}\"", escaped(name)) };
        let _ = write!(out, "{name}=\"{}\"", escaped(value));
    }
    // Prometheus writes an empty `instance`, so that the federating server does not put its own.
    if labels.get("instance").is_none() {
        let _ = write!(out, "{}instance=\"\"", if comma { "," } else { "" });
    }
    out.extend_from_slice(b"} ");
    float(out, v);
    let _ = writeln!(out, " {t}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_declared_once() {
        let series = [
            &[("A", "1"), ("__name__", "b")][..],
            &[("A", "2"), ("__name__", "a")],
            &[("__name__", "b")],
            &[("x", "nameless")],
        ];
        let found = series.map(|pairs| (Labels::new(pairs.iter().copied()), 0, 1.0));
        let want = "# TYPE a untyped\na{A=\"2\",instance=\"\"} 1 0\n\
                    # TYPE b untyped\nb{A=\"1\",instance=\"\"} 1 0\nb{instance=\"\"} 1 0\n";
        assert_eq!(String::from_utf8(exposition(found.to_vec())).unwrap(), want);
    }

    #[test]
    fn lines_are_exposition_text() {
        #[track_caller]
        fn check(pairs: &[(&str, &str)], want: &str) {
            let mut out = Vec::new();
            line(&mut out, &Labels::new(pairs.iter().copied()), 1_500, 0.5);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
        check(&[("__name__", "up"), ("instance", "x")], "up{instance=\"x\"} 0.5 1500\n");
        check(
            &[("__name__", "my.name"), ("my label", "q\"\\\n")],
            "{\"my.name\",\"my label\"=\"q\\\"\\\\\\n\",instance=\"\"} 0.5 1500\n",
        );
        check(&[("__name__", "a")], "a{instance=\"\"} 0.5 1500\n");
    }
}
