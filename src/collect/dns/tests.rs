//! `dns` against servers that lie, guess, stammer and hang up.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use crate::base::outcome::{Outcome, Verdict};
use crate::collect::dial::Route;
use crate::collect::dns::ask::Answered;
use crate::collect::dns::server::Server;
use crate::collect::dns::{Heard, agree};
use crate::collect::fault::Fault;
use crate::collect::judge::Judge;
use crate::collect::kinds::testing::{build, context, outcome, problems};
use crate::collect::tls::{TlsSpec, alpn};
use crate::collect::trace::Trace;

fn answer(query: &Message) -> Message {
    let mut answer = query.clone().into_response();
    let name = query.queries[0].name().clone();
    answer.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 0, 2, 1))));
    answer
}

/// A server over UDP that says these things to each question.
async fn over_udp(says: impl Fn(Message) -> Vec<Vec<u8>> + Send + 'static) -> (SocketAddr, JoinSet<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut bytes = [0; 2048];
        while let Ok((n, from)) = socket.recv_from(&mut bytes).await {
            for message in says(Message::from_vec(&bytes[..n]).unwrap()) {
                let _ = socket.send_to(&message, from).await;
            }
        }
    });
    (at, tasks)
}

/// A server over TCP that says these bytes to whoever connects, and hangs up.
async fn over_tcp(says: Vec<u8>) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut question = [0; 64];
            let _ = stream.read(&mut question).await;
            let _ = stream.write_all(&says).await;
        }
    });
    (at, tasks)
}

async fn ask(server: &str, limit: Duration) -> Outcome {
    let (probe, problems) = build("dns", &format!("{{query_name: a.example, servers: \"{server}\"}}"));
    assert!(problems.is_empty(), "{problems:?}");
    probe.unwrap().collector.probe(&context(limit)).await
}

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

#[tokio::test]
async fn guesses_are_left_unread_until_the_answer_comes() {
    let (at, _tasks) = over_udp(|query| {
        let mut guess = answer(&query);
        guess.metadata.id = guess.metadata.id.wrapping_add(1);
        guess.metadata.response_code = ResponseCode::NXDomain;
        vec![b"x".to_vec(), guess.to_vec().unwrap(), query.to_vec().unwrap(), answer(&query).to_vec().unwrap()]
    })
    .await;
    let got = ask(&at.to_string(), Duration::from_secs(5)).await;
    assert_eq!((got.verdict, got.summary.as_str()), (Verdict::Up, "NOERROR, 192.0.2.1"), "{got:?}");
}

#[tokio::test]
async fn an_answer_to_another_question_is_none() {
    let other = |query: &Message| {
        let mut other = answer(query);
        other.queries[0].set_name(Name::from_ascii("b.example.").unwrap());
        other.to_vec().unwrap()
    };
    let (at, _tasks) = over_udp(move |query| vec![other(&query), answer(&query).to_vec().unwrap()]).await;
    let got = ask(&at.to_string(), Duration::from_secs(5)).await;
    assert_eq!((got.verdict, got.summary.as_str()), (Verdict::Up, "NOERROR, 192.0.2.1"), "{got:?}");
    let (at, _tasks) = over_udp(move |query| vec![other(&query)]).await;
    let got = ask(&at.to_string(), Duration::from_millis(300)).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "timeout"), "{got:?}");
    let evidence = &got.evidence.unwrap().items[1].1;
    assert!(evidence.contains("ignored    1 datagrams"), "{evidence}");
    let (at, _tasks) = over_udp(|query| {
        let mut cut = answer(&query).to_vec().unwrap();
        cut.truncate(20);
        vec![cut]
    })
    .await;
    assert_eq!(class(&ask(&at.to_string(), Duration::from_secs(5)).await), "protocol_error");
}

#[tokio::test]
async fn a_stream_that_ends_early_or_lies_about_its_length_is_told() {
    for (says, want) in [
        (Vec::new(), "connection_closed"),
        (vec![0], "connection_closed"),
        (vec![0xff, 0xff, 1, 2, 3], "connection_closed"),
        (vec![0, 0], "protocol_error"),
        (vec![0, 3, 1, 2, 3], "protocol_error"),
        ([&[0, 40][..], &[0xc0; 40]].concat(), "protocol_error"),
    ] {
        let (at, _tasks) = over_tcp(says.clone()).await;
        let got = ask(&format!("tcp://{at}"), Duration::from_secs(5)).await;
        let reset = class(&got) == "connection_reset";
        assert!(got.verdict == Verdict::Down && (reset || class(&got) == want), "{says:?}: {got:?}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_has_the_class_of_its_code() {
    let (at, _tasks) = over_udp(|query| {
        let mut refusal = query.into_response();
        refusal.metadata.response_code = ResponseCode::Refused;
        vec![refusal.to_vec().unwrap()]
    })
    .await;
    let got = ask(&at.to_string(), Duration::from_secs(5)).await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "rcode"), "{got:?}");
    assert_eq!(got.headline(), "expected: rcode is NOERROR; found: REFUSED");
}

#[tokio::test]
async fn of_several_servers_each_has_a_latency_of_its_own() {
    let quick = |query: Message| vec![answer(&query).to_vec().unwrap()];
    let (one, _first) = over_udp(quick).await;
    let (two, _second) = over_udp(quick).await;
    let text =
        format!("{{query_name: a.example, servers: [\"{one}\", \"{two}\"], expect: {{latency: {{below: 4s}}}}}}");
    let got = outcome("dns", &text).await;
    let names: Vec<&str> = got.checks.iter().map(|c| c.name.as_str()).filter(|n| n.contains("latency")).collect();
    assert_eq!(names, [format!("{one}: latency below 4s"), format!("{two}: latency below 4s")]);
}

#[tokio::test]
async fn a_name_server_of_the_zone_is_asked_by_its_name() {
    let got = outcome("dns", "{query_name: a.example, servers: \"tcp://localhost:1\"}").await;
    assert_eq!((got.verdict, class(&got)), (Verdict::Down, "connection_refused"), "{got:?}");
}

#[test]
fn a_server_that_this_machine_cannot_ask_leaves_the_agreement_open() {
    let tls = TlsSpec::system(alpn::NONE);
    let server = |at: &str| Server::parse(at, at, &tls, &tls, &Route::default()).unwrap();
    let servers = [server("192.0.2.1"), server("192.0.2.2")];
    let heard = |server, fault| Heard { server, trace: Trace::start(), answered: Answered::default(), fault };
    #[track_caller]
    fn check(heard: &[Heard<'_>], verdict: Verdict, ok: Option<bool>) {
        let mut judge = Judge::default();
        agree(heard, &mut judge);
        let got = judge.outcome("");
        assert_eq!((got.verdict, got.checks[0].ok), (verdict, ok), "{got:?}");
    }
    let local = Fault::local("local_network", "no way");
    check(&[heard(&servers[0], None), heard(&servers[1], Some(local))], Verdict::Up, None);
    let target = Fault::timeout("no answer");
    check(&[heard(&servers[0], None), heard(&servers[1], Some(target))], Verdict::Down, Some(false));
}

#[test]
fn mistakes_are_told_where_they_stand() {
    #[track_caller]
    fn check(yaml: &str, want: &str) {
        let got = problems("dns", yaml);
        assert!(got.iter().any(|p| p.contains(want)), "{yaml}: {got:?}");
    }
    check("{}", "`query_name` is missing");
    check("{query_name: a..b}", "not a name");
    check("{query_name: a, query_type: AXFR}", "zone transfers");
    check("{query_name: a, query_type: Q}", "no type of records");
    check("{query_name: a, query_class: XX}", "no class");
    check("{query_name: a, servers: \"quic://x\"}", "no transport of DNS");
    check("{query_name: a, expect: {rcode: MAYBE}}", "no response code");
    check("{query_name: a, expect: {answer: {matches: \"(\"}}}", "not a regular expression");
    check("{query_name: a, servers: [x, y], connect_to: 192.0.2.1}", "one address instead of several");
    check("{query_name: a, query_type: SOA, servers: x, soa_agree: true}", "serial numbers of several servers");
}
