//! One round of a job: every target once, each at its own moment, in whatever time the round has.
//!
//! No target waits for another, but for a turn: so many scrapes are under way at once. Who gets none until the round
//! ends is `up 0`, and so is who has not answered by then; what the others gave is handed over in any case.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::base::probe::ProbeCx;
use crate::collect::fault::Fault;
use crate::collect::prometheus::job::Job;
use crate::collect::prometheus::target::{Scrape, Target};

/// Scrapes of one job that are under way at once: each is a connection. More targets than that would have to hang
/// before one that is well misses its turn.
const AT_ONCE: usize = 2_048;
/// Of one host: an exporter that asks in our name is one host for many targets.
const AT_HOST: usize = 128;
/// Up to so many targets are scraped at once; more begin at distances of their own.
const TOGETHER: usize = 8;
/// The part of the timeout over which beginnings are spread, and how much each target adds to it.
const SPREAD: (u32, Duration) = (4, Duration::from_millis(10));
/// How long after the deadline answers that were there by then are still read.
const LATE: Duration = Duration::from_millis(100);

/// Scrapes all `targets` of a round that `began`; one scrape for each, in their order.
pub async fn run(job: &Arc<Job>, targets: &[Arc<Target>], cx: &ProbeCx, began: Instant) -> Vec<Scrape> {
    let over = (job.target_limit > 0 && targets.len() > job.target_limit).then(|| {
        let (found, most) = (targets.len(), job.target_limit);
        Fault::target("target_limit", format!("target_limit exceeded (targets: {found}, limit: {most})"))
    });
    let (forced, start) = (over.as_ref(), Instant::now());
    let spread = match targets.len() {
        0..=TOGETHER => Duration::ZERO,
        n => (cx.remaining() / SPREAD.0).min(SPREAD.1 * u32::try_from(n).unwrap_or(u32::MAX)),
    };
    let begins = |target: &Target| start + spread.mul_f64(place(&target.place.url));
    let turns = Semaphore::new(AT_ONCE);
    let mut hosts: HashMap<&str, Semaphore> = HashMap::new();
    for target in targets {
        hosts.entry(&target.place.host).or_insert_with(|| Semaphore::new(AT_HOST));
    }
    let scrape = async |index: usize, target: &Arc<Target>| {
        sleep_until(begins(target)).await;
        // Neither is ever closed.
        let _host = match hosts.get(&*target.place.host) {
            Some(host) => host.acquire().await.ok(),
            None => None,
        };
        let _turn = turns.acquire().await.ok();
        if Instant::now() >= cx.deadline {
            return (index, target.missed(job, cx, began, begins(target)));
        }
        // In a box, so that those who wait are small.
        (index, Box::pin(target.scrape(job, cx, began, forced)).await)
    };
    let mut work: FuturesUnordered<_> = targets.iter().enumerate().map(|(n, target)| scrape(n, target)).collect();
    let mut done: Vec<Option<Scrape>> = targets.iter().map(|_| None).collect();
    let end = cx.deadline + LATE;
    // A task that is always ready must not outrun the clock.
    while Instant::now() < end
        && let Ok(Some((n, scrape))) = timeout_at(end, work.next()).await
    {
        if let Some(slot) = done.get_mut(n) {
            *slot = Some(scrape);
        }
    }
    drop(work);
    let scraped = |(target, scrape): (&Arc<Target>, Option<Scrape>)| {
        scrape.unwrap_or_else(|| target.missed(job, cx, began, begins(target)))
    };
    targets.iter().zip(done).map(scraped).collect()
}

/// Where in a round a target stands, from 0 to 1: always the same.
fn place(url: &str) -> f64 {
    let mut hash = std::hash::DefaultHasher::new();
    url.hash(&mut hash);
    (hash.finish() >> 32) as f64 / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::watch;
    use tokio::task::JoinSet;

    use super::*;
    use crate::base::batch::Batch;
    use crate::base::labels::Labels;
    use crate::base::outcome::{Outcome, Verdict};
    use crate::collect::kinds::testing::{build, context};

    /// An exporter at every address of this machine's, which counts whom it has let in and answered.
    struct Everywhere {
        port: u16,
        let_in: watch::Receiver<usize>,
        _task: JoinSet<()>,
    }

    impl Everywhere {
        /// `waits` says for how many answers to others a connection to this address waits; `None` for ever.
        async fn start(waits: fn(IpAddr) -> Option<usize>) -> Self {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let (opened, let_in) = watch::channel(0);
            let answered = watch::Sender::new(0);
            let mut tasks = JoinSet::new();
            tasks.spawn(async move {
                let mut open = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    opened.send_modify(|n| *n += 1);
                    open.spawn(answer(stream, waits, answered.clone()));
                }
            });
            Self { port, let_in, _task: tasks }
        }

        async fn round(&self, hosts: impl Iterator<Item = String>, limit: Duration) -> Outcome {
            let list: Vec<String> = hosts.map(|host| format!("'{host}:{}'", self.port)).collect();
            let (probe, problems) =
                build("prometheus", &format!("{{name: n, static_configs: [{{targets: [{}]}}]}}", list.join(", ")));
            assert!(problems.is_empty(), "{problems:?}");
            probe.unwrap().collector.probe(&context(limit)).await
        }
    }

    async fn answer(mut stream: TcpStream, waits: fn(IpAddr) -> Option<usize>, answered: watch::Sender<usize>) {
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await;
        let Some(others) = waits(stream.local_addr().unwrap().ip()) else { return std::future::pending().await };
        answered.subscribe().wait_for(|n| *n >= others).await.unwrap();
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na 1\n").await;
        answered.send_modify(|n| *n += 1);
    }

    /// The values of `up`.
    fn ups(outcome: &Outcome) -> Vec<f64> {
        let series = outcome.series.as_ref().unwrap().batches.iter().flat_map(Batch::iter);
        series.filter(|(key, _)| Labels::from_key(key).metric_name() == "up").map(|(_, samples)| samples[0].1).collect()
    }

    const FIRST: &str = "127.1.0.0";

    #[tokio::test]
    async fn a_target_that_hangs_keeps_no_other_from_its_turn() {
        let of_first = |ip: IpAddr| Some(if ip.to_string() == FIRST { 1_499 } else { 0 });
        let exporter = Everywhere::start(of_first).await;
        let hosts = (0..1_500).map(|n| format!("127.1.{}.{}", n / 250, n % 250));
        // The first answers when all others have.
        let got = exporter.round(hosts, Duration::from_secs(12)).await;
        assert_eq!((got.verdict, got.summary.as_str()), (Verdict::Up, "1,500 of 1,500 targets up, 1,500 series"));
        assert_eq!(ups(&got), vec![1.0; 1_500]);
    }

    #[tokio::test]
    async fn one_host_is_asked_within_a_bound_and_who_gets_no_turn_is_not_up() {
        let exporter = Everywhere::start(|_| None).await;
        // Targets of one machine that differ by a parameter.
        let list = (0..AT_HOST + 2)
            .map(|n| format!("{{targets: ['127.0.0.1:{}'], labels: {{__param_n: '{n}'}}}}", exporter.port));
        let text = format!(
            "{{name: n, static_configs: [{}], relabel_configs: [{{source_labels: [__param_n], target_label: n}}]}}",
            list.collect::<Vec<_>>().join(", ")
        );
        let (probe, problems) = build("prometheus", &text);
        assert!(problems.is_empty(), "{problems:?}");
        let got = probe.unwrap().collector.probe(&context(Duration::from_secs(2))).await;
        assert_eq!(ups(&got), vec![0.0; AT_HOST + 2]);
        assert!(*exporter.let_in.borrow() <= AT_HOST, "{:?}", exporter.let_in);
    }

    #[tokio::test]
    async fn a_round_that_has_no_time_says_so_of_every_target() {
        let exporter = Everywhere::start(|_| None).await;
        let got = exporter.round((0..20).map(|n| format!("127.1.0.{n}")), Duration::ZERO).await;
        assert_eq!(ups(&got), vec![0.0; 20]);
    }
}
