//! Prometheus' dialect over real sockets: samples in, answers out.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use watchdog::base::protobuf::{put_bytes, put_double, put_int};
use watchdog::engine::query::metrics::Kind;

use crate::fake::{House, NOW};
use crate::server::PATIENCE;

/// A reply in full.
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|l| l.split_once(": ").filter(|(k, _)| k.eq_ignore_ascii_case(name))).map(|(_, v)| v)
    }
}

async fn send(house: &House, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(house.tcp).await.unwrap();
    let extra: String = headers.iter().map(|(k, v)| format!("{k}: {v}\r\n")).collect();
    let length = body.len();
    let head = format!("{line} HTTP/1.0\r\nhost: localhost\r\n{extra}content-length: {length}\r\n\r\n");
    let mut request = head.into_bytes();
    request.extend_from_slice(body);
    // The server may refuse and close while we are still sending.
    let _ = stream.write_all(&request).await;
    let mut reply = Vec::new();
    let _ = timeout(Duration::from_secs(30), stream.read_to_end(&mut reply)).await.expect("the server did not close");
    let split = reply.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(reply.len());
    let head = String::from_utf8_lossy(&reply[..split]).into_owned();
    let status = head.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
    Reply { status, head, body: reply.get(split + 4..).unwrap_or_default().to_vec() }
}

async fn get(house: &House, path: &str) -> Value {
    send(house, &format!("GET {path}"), &[], b"").await.json()
}

async fn import(house: &House, text: &str) -> Reply {
    send(house, "POST /api/v1/import/prometheus", &[], text.as_bytes()).await
}

/// The data of a successful answer.
async fn data(house: &House, path: &str) -> Value {
    let answer = get(house, path).await;
    assert_eq!(answer["status"], "success", "{path}: {answer}");
    answer["data"].clone()
}

const T: i64 = NOW.millis();

fn sample(t: i64, v: f64) -> Vec<u8> {
    let mut out = Vec::new();
    put_double(&mut out, 1, v);
    put_int(&mut out, 2, t.cast_unsigned());
    out
}

fn series_1(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        put_bytes(&mut label, 1, name.as_bytes());
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(&mut out, 1, &label);
    }
    for (t, v) in samples {
        put_bytes(&mut out, 2, &sample(*t, *v));
    }
    out
}

fn snappy(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

async fn write_1(house: &House, series: &[Vec<u8>]) -> Reply {
    let mut message = Vec::new();
    series.iter().for_each(|s| put_bytes(&mut message, 1, s));
    write_raw(house, "application/x-protobuf", &snappy(&message)).await
}

async fn write_raw(house: &House, kind: &str, body: &[u8]) -> Reply {
    send(house, "POST /api/v1/write", &[("content-type", kind), ("content-encoding", "snappy")], body).await
}

#[tokio::test]
async fn remote_write_1_is_stored_and_answered() {
    let house = House::start().await;
    let up = series_1(&[("__name__", "up"), ("job", "node")], &[(T - 15_000, 0.0), (T, 1.0)]);
    // Labels out of order are put in order.
    let other = series_1(&[("zone", "b"), ("__name__", "up"), ("job", "other")], &[(T, 0.5)]);
    let reply = write_1(&house, &[up.clone(), other]).await;
    assert_eq!((reply.status, reply.body.len()), (204, 0), "{}", reply.head);
    assert_eq!(write_1(&house, &[up]).await.status, 204, "sent again, nothing changes");
    let want = json!({"resultType": "vector", "result": [
        {"metric": {"__name__": "up", "job": "node"}, "value": [1_763_900_000, "1"]},
        {"metric": {"__name__": "up", "job": "other", "zone": "b"}, "value": [1_763_900_000, "0.5"]},
    ]});
    assert_eq!(data(&house, "/api/v1/query?query=up&time=1763900000").await, want);
    let want = json!({"resultType": "matrix", "result": [{"metric": {"job": "node"}, "values": [
        [1_763_899_985, "0"], [1_763_899_992.5, "0"], [1_763_900_000, "1"],
    ]}]});
    let path = "/api/v1/query_range?query=sum+by+(job)(up{job=\"node\"})&start=1763899985&end=1763900000&step=7.5";
    let path = path.replace('"', "%22");
    assert_eq!(data(&house, &path).await, want);
    house.stop().await;
}

#[tokio::test]
async fn remote_write_keeps_what_stands_and_says_what_does_not() {
    let house = House::start().await;
    let good = series_1(&[("__name__", "good")], &[(T, 1.0)]);
    #[track_caller]
    fn refused(reply: &Reply, why: &str) {
        let body = reply.json();
        assert_eq!((reply.status, &body["errorType"]), (400, &json!("bad_data")), "{body}");
        assert!(body["error"].as_str().unwrap().contains(why), "{body}");
    }
    let bad = [
        (series_1(&[("job", "x")], &[(T, 1.0)]), "have no metric name"),
        (series_1(&[("__name__", "a"), ("", "x")], &[(T, 1.0)]), "have a label without a name"),
        (series_1(&[("__name__", "a"), ("b", "1"), ("b", "2")], &[(T, 1.0)]), "the same label twice"),
        (series_1(&[("__name__", "a")], &[(T + 8 * 86_400_000, 1.0)]), "ahead of this server's clock"),
        (series_1(&[("__name__", "h")], &[(T - 91 * 86_400_000, 1.0)]), "out of bounds"),
        (series_1(&[("__name__", "good")], &[(T, 2.0)]), "duplicate sample for timestamp"),
    ];
    for (series, why) in bad {
        refused(&write_1(&house, &[good.clone(), series]).await, why);
    }
    let mut bytes = series_1(&[("__name__", "a")], &[(T, 1.0)]);
    // The name's `a` becomes a byte that UTF-8 does not have.
    let at = bytes.iter().position(|b| *b == b'a').unwrap();
    bytes[at] = 0xff;
    refused(&write_1(&house, &[good.clone(), bytes]).await, "not UTF-8");
    let mut native = series_1(&[("__name__", "h")], &[(T, 3.0)]);
    put_bytes(&mut native, 4, b"");
    refused(&write_1(&house, &[native]).await, "1 samples stored; 1 native histograms were refused");
    let values = data(&house, "/api/v1/label/__name__/values").await;
    assert_eq!(values, json!(["good", "h"]));
    house.stop().await;
}

#[tokio::test]
async fn remote_write_2_is_stored_and_counted() {
    let house = House::start().await;
    let mut message = Vec::new();
    for symbol in ["", "__name__", "http_requests_total", "job", "web", "Requests.", "requests"] {
        put_bytes(&mut message, 4, symbol.as_bytes());
    }
    let series = |refs: &[u8]| {
        let mut series = Vec::new();
        put_bytes(&mut series, 1, refs);
        put_bytes(&mut series, 2, &sample(T, 17.0));
        let mut meta = Vec::new();
        put_int(&mut meta, 1, 1);
        put_int(&mut meta, 3, 5);
        put_int(&mut meta, 4, 6);
        put_bytes(&mut series, 5, &meta);
        series
    };
    put_bytes(&mut message, 5, &series(&[1, 2, 3, 4]));
    let kind = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let reply = write_raw(&house, kind, &snappy(&message)).await;
    assert_eq!(reply.status, 204, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("x-prometheus-remote-write-samples-written"), Some("1"));
    assert_eq!(reply.header("x-prometheus-remote-write-histograms-written"), Some("0"));
    assert_eq!(reply.header("x-prometheus-remote-write-exemplars-written"), Some("0"));
    let result = data(&house, "/api/v1/query?query=http_requests_total").await;
    assert_eq!(result["result"][0]["metric"], json!({"__name__": "http_requests_total", "job": "web"}));
    let want = json!({"http_requests_total": [{"type": "counter", "help": "Requests.", "unit": "requests"}]});
    assert_eq!(data(&house, "/api/v1/metadata").await, want);
    // References that lead nowhere, and a name without a value.
    for refs in [&[1, 99][..], &[1]] {
        let mut broken = message.clone();
        put_bytes(&mut broken, 5, &series(refs));
        let reply = write_raw(&house, kind, &snappy(&broken)).await;
        assert_eq!((reply.status, reply.header("x-prometheus-remote-write-samples-written")), (400, Some("1")));
    }
    house.stop().await;
}

#[tokio::test]
async fn bodies_that_are_not_remote_write_are_refused() {
    let house = House::start().await;
    let protobuf = "application/x-protobuf";
    let check = async |kind: &str, body: &[u8], status: u16| {
        let reply = write_raw(&house, kind, body).await;
        assert_eq!(
            reply.status,
            status,
            "{kind} {:x?}: {}",
            &body[..body.len().min(20)],
            String::from_utf8_lossy(&reply.body)
        );
        assert_eq!(reply.json()["status"], "error");
    };
    check("application/json", b"{}", 415).await;
    check("application/x-protobuf;proto=other.Message", b"", 415).await;
    check(protobuf, b"", 400).await;
    check(protobuf, b"not snappy at all", 400).await;
    // A claim of 4 GiB, and of 100 MiB in four bytes.
    check(protobuf, &[0xff, 0xff, 0xff, 0xff, 0x0f], 413).await;
    check(protobuf, &[0x80, 0x80, 0x80, 0x32], 413).await;
    // Well packed, but no message: a varint without end, a length of 10^9, a group.
    check(protobuf, &snappy(&[0xff; 11]), 400).await;
    check(protobuf, &snappy(&[0x0a, 0x80, 0x94, 0xeb, 0xdc, 0x03]), 400).await;
    check(protobuf, &snappy(&[0x0b]), 400).await;
    // A bomb that is honest about its size: 200 MiB of zeros.
    check(protobuf, &snappy(&vec![0; 200 << 20]), 413).await;
    let zstd = [("content-type", protobuf), ("content-encoding", "zstd")];
    assert_eq!(send(&house, "POST /api/v1/write", &zstd, b"x").await.status, 415);
    let huge = format!(
        "POST /api/v1/write HTTP/1.1\r\nhost: localhost\r\ncontent-type: {protobuf}\r\ncontent-length: {}\r\n\r\n",
        (32 << 20) + 1
    );
    let mut stream = TcpStream::connect(house.tcp).await.unwrap();
    stream.write_all(huge.as_bytes()).await.unwrap();
    let mut reply = [0; 12];
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply[9..], b"413");
    assert_eq!(data(&house, "/api/v1/label/__name__/values").await, json!([]));
    house.stop().await;
}

#[tokio::test]
async fn text_is_imported_with_its_mistakes_named() {
    let house = House::start().await;
    let text = format!(
        "# HELP a Things.\n# TYPE a counter\na{{x=\"1\"}} 1 {T}\na{{x=\"2\"}} 2\nbroken\n{{\"my.name\",\"my label\"=\"ü\"}} 3\n"
    );
    let reply = import(&house, &text).await;
    let body = reply.json();
    assert_eq!((reply.status, &body["data"]["samples"]), (400, &json!(3)), "{body}");
    assert_eq!(body["data"]["lines"], json!([{"line": 5, "error": "the value is missing"}]));
    assert_eq!(data(&house, "/api/v1/metadata?metric=a").await["a"][0]["help"], "Things.");
    assert_eq!(data(&house, "/api/v1/metadata?metric=a&limit=-1").await["a"][0]["help"], "Things.");
    assert_eq!(data(&house, "/api/v1/metadata?limit=0").await, json!({}));
    assert_eq!(get(&house, "/api/v1/metadata?limit=few").await["error"], "limit must be a number");
    let nothing = send(&house, "GET /federate", &[], b"").await;
    assert_eq!((nothing.status, nothing.body.len()), (200, 0));
    let names = data(&house, "/api/v1/label/__name__/values").await;
    assert_eq!(names, json!(["a", "my.name"]));
    assert_eq!(data(&house, "/api/v1/label/U__my_20_label/values").await, json!(["ü"]));
    let open = format!("b_total 5 {}.5\n# EOF\n", T / 1_000 - 60);
    let kind = [("content-type", "application/openmetrics-text; version=1.0.0"), ("content-encoding", "gzip")];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, open.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let reply = send(&house, "POST /api/v1/import/prometheus?ack=fsync", &kind, &gzip).await;
    assert_eq!(
        (reply.status, reply.json()),
        (
            200,
            json!({"status": "success", "data": {
                "samples": 1, "refused": {}, "badLines": 0, "lines": [],
            }})
        )
    );
    let at = data(&house, "/api/v1/query?query=timestamp(b_total)").await;
    assert_eq!(at["result"][0]["value"][1], "1763899940.5");
    assert_eq!(send(&house, "POST /api/v1/import/prometheus?ack=maybe", &[], b"a 1").await.status, 400);
    assert_eq!(send(&house, "POST /api/v1/import/prometheus", &kind, b"not gzip").await.status, 400);
    house.stop().await;
}

#[tokio::test]
async fn names_are_listed_within_their_limit() {
    let house = House::start().await;
    assert_eq!(import(&house, "a{x=\"1\"} 1\na{x=\"2\",y=\"1\"} 1\nb{x=\"3\"} 1\n").await.status, 200);
    assert_eq!(data(&house, "/api/v1/labels").await, json!(["__name__", "x", "y"]));
    assert_eq!(data(&house, "/api/v1/labels?match[]=b").await, json!(["__name__", "x"]));
    assert_eq!(data(&house, "/api/v1/label/x/values?match[]=a&match[]=b").await, json!(["1", "2", "3"]));
    let series = data(&house, "/api/v1/series?match[]=a").await;
    assert_eq!(series, json!([{"__name__": "a", "x": "1"}, {"__name__": "a", "x": "2", "y": "1"}]));
    let cut = get(&house, "/api/v1/series?match[]=a&limit=1").await;
    assert_eq!(
        cut,
        json!({"status": "success", "data": [{"__name__": "a", "x": "1"}], "warnings": ["results truncated due to limit"]})
    );
    assert_eq!(data(&house, "/api/v1/series?match[]=a&end=1000").await, json!([]), "not in that time");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let posted = send(&house, "POST /api/v1/series", &form, b"match[]=b&limit=0").await.json();
    assert_eq!(posted["data"], json!([{"__name__": "b", "x": "3"}]));
    let tsdb = data(&house, "/api/v1/status/tsdb").await;
    assert_eq!(tsdb["headStats"]["numSeries"], 3);
    assert_eq!(tsdb["seriesCountByMetricName"], json!([{"name": "a", "value": 2}, {"name": "b", "value": 1}]));
    house.stop().await;
}

#[tokio::test]
async fn queries_are_refused_in_prometheus_words() {
    let house = House::start().await;
    let check = async |path: &str, status: u16, kind: &str, error: &str| {
        let reply = send(&house, &format!("GET {path}"), &[], b"").await;
        let body = reply.json();
        assert_eq!((reply.status, body["errorType"].as_str().unwrap_or_default()), (status, kind), "{path}: {body}");
        assert!(body["error"].as_str().unwrap().contains(error), "{path}: {body}");
    };
    let bad = async |path: &str, error: &str| check(path, 400, "bad_data", error).await;
    bad(
        "/api/v1/query?query=",
        "invalid parameter \"query\": unknown position: parse error: no expression found in input",
    )
    .await;
    bad("/api/v1/query?query=up{", "invalid parameter \"query\": 1:4: parse error").await;
    bad("/api/v1/query?query=up&time=soon", "invalid parameter \"time\": cannot parse \"soon\" to a valid timestamp")
        .await;
    bad("/api/v1/query?query=up&timeout=x", "invalid parameter \"timeout\": cannot parse \"x\" to a valid duration")
        .await;
    bad("/api/v1/query?query=up&limit=-1", "limit must be non-negative").await;
    bad("/api/v1/query?query=up&resolution=2m", "write one of: raw, 5m, 1h").await;
    bad("/api/v1/query_range?query=up", "invalid parameter \"start\"").await;
    bad("/api/v1/query_range?query=up&start=2&end=1&step=1", "end timestamp must not be before start time").await;
    bad("/api/v1/query_range?query=up&start=1&end=2&step=0", "zero or negative query resolution step widths").await;
    bad("/api/v1/query_range?query=up&start=0&end=11001&step=1", "exceeded maximum resolution of 11,000 points").await;
    bad(
        "/api/v1/query_range?query=up[5m]&start=1&end=2&step=1",
        "invalid expression type \"range vector\" for range query",
    )
    .await;
    bad("/api/v1/series", "no match[] parameter provided").await;
    bad("/api/v1/series?match[]={}", "match[] must contain at least one non-empty matcher").await;
    bad("/api/v1/series?match[]=a&start=2&end=1", "end timestamp must not be before start").await;
    assert_eq!(import(&house, "a{x=\"1\",y=\"1\"} 1\na{x=\"1\",y=\"2\"} 1\n").await.status, 200);
    check("/api/v1/query?query=a*on(x)a", 422, "execution", "many-to-many matching not allowed").await;
    house.stop().await;
}

#[tokio::test]
async fn long_texts_are_read_up_to_a_limit() {
    let house = House::start().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let post =
        async |path: &str, body: String| send(&house, &format!("POST /api/v1/{path}"), &form, body.as_bytes()).await;
    for (length, status) in [(64 << 10, 200), ((64 << 10) + 1, 400)] {
        for path in ["query", "format_query", "parse_query", "query_exemplars"] {
            let text = format!("start=0&end=1&query=up{}", "+".repeat(length - 2));
            let reply = post(path, text).await;
            assert_eq!(reply.status, status, "{path}: {}", reply.json());
        }
        for path in ["series", "labels", "admin/tsdb/delete_series"] {
            let text = format!("match[]=up&match[]=up{}", "+".repeat(length - 4));
            let reply = post(path, text).await;
            assert_eq!(reply.status / 100, status / 100, "{path}: {}", reply.head);
        }
    }
    let error = post("query", format!("query={}", "x".repeat(70_000))).await.json();
    assert_eq!(error["errorType"], "bad_data");
    assert_eq!(error["error"], "invalid parameter \"query\": the text has 70000 bytes, more than 65536");
    house.stop().await;
}

#[tokio::test]
async fn forms_formats_and_small_answers() {
    let house = House::start().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let reply = send(&house, "POST /api/v1/query", &form, b"query=1%2B1&time=1.5").await;
    assert_eq!(reply.body, br#"{"status":"success","data":{"resultType":"scalar","result":[1.500,"2"]}}"#);
    let reply = send(&house, "GET /api/v1/query?query=%22text%22&time=0", &[], b"").await;
    assert_eq!(reply.body, br#"{"status":"success","data":{"resultType":"string","result":[0,"text"]}}"#);
    assert_eq!(send(&house, "POST /api/v1/query", &[("content-type", "text/plain")], b"query=1").await.status, 415);
    let stats = data(&house, "/api/v1/query?query=1&stats=all").await;
    assert!(stats["stats"]["timings"]["evalTotalTime"].is_f64(), "{stats}");
    assert_eq!(data(&house, "/api/v1/format_query?query=sum(a)by(x)").await, "sum by (x) (a)");
    let tree = data(&house, "/api/v1/parse_query?query=a%2B1").await;
    assert_eq!((&tree["type"], &tree["op"]), (&json!("binaryExpr"), &json!("+")), "{tree}");
    assert_eq!(data(&house, "/api/v1/query_exemplars?query=a&start=1&end=2").await, json!([]));
    house.stop().await;
}

#[tokio::test]
async fn long_answers_are_compressed_for_who_takes_it() {
    let house = House::start().await;
    let text: String = (0..2_000).map(|i| format!("many{{i=\"{i:04}\"}} {i}\n")).collect();
    assert_eq!(import(&house, &text).await.status, 200);
    let reply = send(&house, "GET /api/v1/query?query=many&time=1763900001", &[("accept-encoding", "gzip")], b"").await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*reply.body), &mut plain).unwrap();
    let plain: Value = serde_json::from_str(&plain).unwrap();
    assert_eq!(plain, get(&house, "/api/v1/query?query=many&time=1763900001").await);
    assert_eq!(plain["data"]["result"].as_array().unwrap().len(), 2_000);
    let cut = get(&house, "/api/v1/query?query=many&limit=2").await;
    assert_eq!(
        (cut["data"]["result"].as_array().unwrap().len(), &cut["warnings"][0]),
        (2, &json!("results truncated due to limit"))
    );
    house.stop().await;
}

#[tokio::test]
async fn remote_read_gives_samples() {
    let house = House::start().await;
    assert_eq!(
        import(&house, &format!("a{{x=\"1\"}} 1 {}\na{{x=\"1\"}} 2 {T}\na{{x=\"2\"}} 3 {T}\n", T - 1_000)).await.status,
        200
    );
    let (mut matcher, mut query, mut request) = (Vec::new(), Vec::new(), Vec::new());
    put_bytes(&mut matcher, 2, b"__name__");
    put_bytes(&mut matcher, 3, b"a");
    put_int(&mut query, 1, (T - 5_000).cast_unsigned());
    put_int(&mut query, 2, T.cast_unsigned());
    put_bytes(&mut query, 3, &matcher);
    put_bytes(&mut request, 1, &query);
    let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "snappy")];
    let reply = send(&house, "POST /api/v1/read", &headers, &snappy(&request)).await;
    assert_eq!((reply.status, reply.header("content-encoding")), (200, Some("snappy")));
    let mut want = Vec::new();
    put_bytes(&mut want, 1, &series_1(&[("__name__", "a"), ("x", "1")], &[(T - 1_000, 1.0), (T, 2.0)]));
    put_bytes(&mut want, 1, &series_1(&[("__name__", "a"), ("x", "2")], &[(T, 3.0)]));
    let mut response = Vec::new();
    put_bytes(&mut response, 1, &want);
    assert_eq!(snap::raw::Decoder::new().decompress_vec(&reply.body).unwrap(), response);
    assert_eq!(send(&house, "POST /api/v1/read", &headers, b"junk").await.status, 400);
    house.stop().await;
}

#[tokio::test]
async fn deleted_series_are_gone_and_federation_shows_the_newest() {
    let house = House::start().await;
    assert_eq!(import(&house, &format!("a{{x=\"1\"}} 1 {T}\nb{{instance=\"i\"}} 0.5 {T}\n")).await.status, 200);
    let text = send(&house, "GET /federate?match[]=a&match[]=b", &[], b"").await;
    let want =
        format!("# TYPE a untyped\na{{x=\"1\",instance=\"\"}} 1 {T}\n# TYPE b untyped\nb{{instance=\"i\"}} 0.5 {T}\n");
    assert_eq!(String::from_utf8(text.body).unwrap(), want);
    assert_eq!(send(&house, "POST /api/v1/admin/tsdb/delete_series?match[]=a", &[], b"").await.status, 204);
    assert_eq!(send(&house, "POST /api/v1/admin/tsdb/clean_tombstones", &[], b"").await.status, 204);
    assert_eq!(data(&house, "/api/v1/query?query=a").await["result"], json!([]));
    assert_eq!(data(&house, "/api/v1/query?query=b").await["result"].as_array().unwrap().len(), 1);
    assert_eq!(send(&house, "POST /api/v1/admin/tsdb/delete_series", &[], b"").await.status, 400);
    house.stop().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_query() {
    let house = House::start().await;
    assert_eq!(import(&house, "a 1\n").await.status, 200);
    let mut stream = TcpStream::connect(house.tcp).await.unwrap();
    // Hours of work in any build: 2.6 million windows of 86,400 samples, each of which is sorted.
    let query = "/api/v1/query?query=sum_over_time(quantile_over_time(0.5,vector(1)[1d:1s])[30d:1s])";
    stream.write_all(format!("GET {query} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let metrics = &house.engine.query_metrics;
    let until = async |done: &dyn Fn() -> bool| {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, until(&|| metrics.active(Kind::Instant) == 1)).await.expect("it did not begin");
    drop(stream);
    timeout(PATIENCE, until(&|| metrics.failed("cancelled") == 1)).await.expect("it was not cancelled");
    timeout(PATIENCE, until(&|| metrics.active(Kind::Instant) == 0)).await.expect("it did not end");
    house.stop().await;
}

#[tokio::test]
async fn status_pages_have_prometheus_shapes() {
    let house = House::start().await;
    assert_eq!(data(&house, "/api/v1/status/buildinfo").await["version"], "3.5.0");
    assert_eq!(data(&house, "/api/v1/status/flags").await["query.timeout"], "2m");
    assert_eq!(
        data(&house, "/api/v1/status/config").await["yaml"],
        "storage:\n  retention: 90d\nquery:\n  timeout: 2m\n"
    );
    assert_eq!(data(&house, "/api/v1/status/runtimeinfo").await["storageRetention"], "90d");
    assert_eq!(data(&house, "/api/v1/rules").await, json!({"groups": []}));
    let targets = data(&house, "/api/v1/targets").await;
    let db = &targets["activeTargets"][0];
    assert_eq!(
        (&db["labels"]["monitor"], &db["health"], &db["scrapePool"]),
        (&json!("db"), &json!("down"), &json!("http"))
    );
    assert_eq!(targets["droppedTargets"].as_array().unwrap().len(), 1, "the paused one");
    house.stop().await;
}
