//! `udp` against a real unbound, and against peers that flood.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::UdpSocket;
use tokio::time::Instant;
use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::probe;
use crate::kinds::dns::unbound;

const LIMIT: Duration = Duration::from_secs(5);
/// Asks for the address of `www.example`.
const QUESTION: &str = "12 34 01 00 00 01 00 00 00 00 00 00 03 77 77 77 07 65 78 61 6d 70 6c 65 00 00 01 00 01";

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_name_server_is_judged_by_what_it_answers() {
    let Some(server) = unbound(1) else { return };
    let ask =
        |expect: &str| format!("{{host: \"127.0.0.1:{}\", send_hex: \"{QUESTION}\", expect: {expect}}}", server.port);
    let good = probe("udp", &ask("{contains: example}"), LIMIT).await;
    assert_eq!(good.verdict, Verdict::Up, "{good:?}");
    // More datagrams might come: it is judged at the deadline.
    let wrong = probe("udp", &ask("{contains: elsewhere}"), Duration::from_millis(500)).await;
    assert_eq!((wrong.verdict, class(&wrong)), (Verdict::Down, "answer"), "{wrong:?}");
    let text = ask("{contains: example}");
    server.daemon.stop();
    let slow = probe("udp", &text, Duration::from_millis(300)).await;
    assert_eq!((slow.verdict, class(&slow)), (Verdict::Down, "timeout"), "{slow:?}");
    kill(Pid::from_raw(server.daemon.pid()), Signal::SIGCONT).unwrap();
    drop(server);
    let gone = probe("udp", &text, LIMIT).await;
    assert_eq!((gone.verdict, class(&gone)), (Verdict::Down, "connection_refused"), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_end_at_the_deadline_or_before() {
    for (size, want) in [(60_000, ["too_much", "answer"]), (0, ["timeout", "timeout"])] {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let Ok((_, from)) = socket.recv_from(&mut [0; 16]).await else { return };
            loop {
                let _ = socket.send_to(&vec![b'x'; size], from).await;
                tokio::task::yield_now().await;
            }
        });
        let text = format!("{{host: \"{at}\", send: x, expect: {{matches: 'never'}}}}");
        let start = Instant::now();
        let got = probe("udp", &text, Duration::from_millis(500)).await;
        assert!(start.elapsed() < Duration::from_millis(1_500), "{size}: {:?}", start.elapsed());
        assert!(got.verdict == Verdict::Down && want.contains(&class(&got)), "{size}: {got:?}");
    }
}
