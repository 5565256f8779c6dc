//! One round of a job: every target once, each at its own moment and with the whole of its timeout.
//!
//! A round has the time until the next slot, of which scrapes need the timeout; over the rest their beginnings are
//! spread. No target waits for another while this process may open files. Who gets no turn then, or is cut short because
//! it came too late, was not scraped: that is this machine's fault, and nothing is written about it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::base::probe::ProbeCx;
use crate::collect::fault::Fault;
use crate::collect::prometheus::job::Job;
use crate::collect::prometheus::target::{Scrape, Target};

/// Scrapes of one job take no more of the files that this process may open.
const SHARE_OF_FILES: u64 = 4;
/// Up to so many targets are scraped at once; more begin at distances of their own.
const TOGETHER: usize = 8;
/// How much each target adds to the time over which beginnings are spread.
const APART: Duration = Duration::from_millis(10);
/// What is left of the interval beside the spread and the timeout: rounds begin late, and take a while to judge.
const SPARE: Duration = Duration::from_secs(1);
/// How long after the deadline answers that were there by then are still read.
const LATE: Duration = Duration::from_millis(100);

/// When a round began, and until when it may go on.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its first moment.
    pub began: Instant,
    /// Its last.
    pub ends: Instant,
}

/// The time of one scrape.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Its last moment.
    pub at: Instant,
    /// How far away that was.
    pub time: Duration,
    /// It is less than the target has a right to: whether it would have answered is not known.
    pub is_short: bool,
}

impl Span {
    /// What a scrape has that begins now and may take `timeout`; nothing when that is too little to begin.
    pub fn limit(self, timeout: Duration) -> Option<Limit> {
        let now = Instant::now();
        let whole = timeout.min(self.ends.saturating_duration_since(self.began));
        let time = timeout.min(self.ends.saturating_duration_since(now));
        // Every round has looked at its list of targets before.
        (time > whole / 2).then_some(Limit { at: now + time, time, is_short: time < whole * 9 / 10 })
    }
}

/// Over how long the beginnings of `n` scrapes are spread: as much as the interval has room for, and always the same.
fn spread(n: usize, interval: Duration, timeout: Duration, remaining: Duration) -> Duration {
    if n <= TOGETHER {
        return Duration::ZERO;
    }
    let planned = APART * u32::try_from(n).unwrap_or(u32::MAX);
    let room = interval.saturating_sub(timeout + SPARE);
    // The first round, and one that somebody asks for, may have less.
    planned.min(if interval.is_zero() { planned } else { room }).min(remaining.saturating_sub(timeout))
}

/// How many scrapes are under way at once where so many files may be open: each is a connection.
fn turns(files: u64) -> usize {
    let most = u64::try_from(Semaphore::MAX_PERMITS).unwrap_or(u64::MAX);
    usize::try_from((files / SHARE_OF_FILES).clamp(16, most)).unwrap_or(Semaphore::MAX_PERMITS)
}

/// Scrapes all `targets` of a round that `began`; one scrape for each, in their order.
pub async fn run(job: &Arc<Job>, targets: &[Arc<Target>], cx: &ProbeCx, began: Instant) -> Vec<Scrape> {
    let over = (job.target_limit > 0 && targets.len() > job.target_limit).then(|| {
        let (found, most) = (targets.len(), job.target_limit);
        Fault::target("target_limit", format!("target_limit exceeded (targets: {found}, limit: {most})"))
    });
    let (forced, start, span) = (over.as_ref(), Instant::now(), Span { began, ends: cx.deadline });
    let spread = spread(targets.len(), job.interval, job.timeout, cx.remaining());
    let turns = Semaphore::new(turns(getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft)));
    let scrape = async |index: usize, target: &Arc<Target>| {
        sleep_until(start + spread.mul_f64(place(&target.place.url))).await;
        // Never closed.
        let _turn = turns.acquire().await.ok();
        match span.limit(target.place.timeout) {
            // In a box, so that those who wait are small.
            Some(limit) => (index, Box::pin(target.scrape(job, cx, (span, limit), forced)).await),
            None => (index, Scrape::missed()),
        }
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
    done.into_iter().map(|scrape| scrape.unwrap_or_else(Scrape::missed)).collect()
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
        /// `waits` says for how many answers to others a request to this address waits; `None` for ever.
        async fn start(waits: fn(IpAddr, &str) -> Option<usize>) -> Self {
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

    async fn answer(mut stream: TcpStream, waits: fn(IpAddr, &str) -> Option<usize>, answered: watch::Sender<usize>) {
        let mut head = [0; 4096];
        let n = stream.read(&mut head).await.unwrap_or(0);
        let head = String::from_utf8_lossy(&head[..n]);
        let Some(others) = waits(stream.local_addr().unwrap().ip(), &head) else {
            return std::future::pending().await;
        };
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
        let of_first = |ip: IpAddr, _: &str| Some(if ip.to_string() == FIRST { 1_499 } else { 0 });
        let exporter = Everywhere::start(of_first).await;
        let hosts = (0..1_500).map(|n| format!("127.1.{}.{}", n / 250, n % 250));
        // The first answers when all others have.
        let got = exporter.round(hosts, Duration::from_secs(12)).await;
        assert_eq!((got.verdict, got.summary.as_str()), (Verdict::Up, "1,500 of 1,500 targets up, 1,500 series"));
        assert_eq!(ups(&got), vec![1.0; 1_500]);
    }

    #[tokio::test]
    async fn targets_that_hang_behind_one_host_keep_no_other_of_it_from_its_turn() {
        const HANG: usize = 150;
        let exporter = Everywhere::start(|_, head| (!head.contains("n=hangs")).then_some(0)).await;
        // Targets of one machine that differ by a parameter; those that hang come first.
        let list = (0..HANG + 20).map(|n| {
            let of = if n < HANG { "hangs" } else { "well" };
            format!("{{targets: ['127.0.0.1:{}'], labels: {{__param_n: '{of}-{n}'}}}}", exporter.port)
        });
        let text = format!(
            "{{name: n, static_configs: [{}], relabel_configs: [{{source_labels: [__param_n], target_label: n}}]}}",
            list.collect::<Vec<_>>().join(", ")
        );
        let (probe, problems) = build("prometheus", &text);
        assert!(problems.is_empty(), "{problems:?}");
        let got = probe.unwrap().collector.probe(&context(Duration::from_secs(2))).await;
        assert_eq!(ups(&got).iter().sum::<f64>(), 20.0);
        assert_eq!(*exporter.let_in.borrow(), HANG + 20);
    }

    /// Prometheus scrapes all, and so do we, where this process may have so many connections.
    #[tokio::test]
    async fn however_many_targets_hang_the_others_get_their_turn() {
        const HANG: usize = 2_300;
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        if turns(hard) < 2 * HANG {
            eprintln!("skipped: this machine lets a process open {hard} files");
            return;
        }
        nix::sys::resource::setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        let mut exporter = Everywhere::start(|_, _| Some(0)).await;
        // Accepts nobody, so that there is no file for it.
        let deaf = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
        let hang = deaf.local_addr().unwrap().port();
        let hosts = (0..HANG).map(|n| format!("127.2.{}.{}:{hang}", n / 250, n % 250));
        let all: Vec<String> = hosts.chain((0..20).map(|n| format!("127.1.0.{n}:{}", exporter.port))).collect();
        // As much time as the round has: all begin at once.
        let (probe, problems) = build(
            "prometheus",
            &format!("{{name: n, interval: 60s, timeout: 30s, static_configs: [{{targets: {all:?}}}]}}"),
        );
        assert!(problems.is_empty(), "{problems:?}");
        let probe = probe.unwrap();
        let others = async {
            exporter.let_in.wait_for(|n| *n == 20).await.unwrap();
            // Whoever hangs is let go.
            drop(deaf);
        };
        let cx = context(Duration::from_secs(30));
        let (got, ()) = tokio::join!(probe.collector.probe(&cx), others);
        assert_eq!(got.summary, "20 of 2,320 targets up, 20 series");
        let ups = ups(&got);
        assert_eq!((ups.len(), ups.iter().sum::<f64>()), (HANG + 20, 20.0));
    }

    #[test]
    fn turns_are_a_share_of_the_files_that_may_be_open() {
        for (files, want) in [(0, 16), (1_024, 256), (524_288, 131_072), (u64::MAX, Semaphore::MAX_PERMITS)] {
            assert_eq!(turns(files), want);
        }
    }

    #[tokio::test]
    async fn a_round_that_has_no_time_writes_nothing_and_blames_no_target() {
        let exporter = Everywhere::start(|_, _| None).await;
        let got = exporter.round((0..20).map(|n| format!("127.1.0.{n}")), Duration::ZERO).await;
        assert_eq!(ups(&got), Vec::<f64>::new());
        assert_eq!((got.verdict, got.reason.unwrap().class.as_ref()), (Verdict::Unknown, "local_busy"));
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn beginnings_are_spread_over_what_the_interval_has_beside_the_timeout() {
        for (n, interval, timeout, remaining, want) in [
            (100, s(15), s(5), s(14), s(1)),
            (100_000, s(15), s(5), s(15), s(9)),
            // None: all at once.
            (100, s(5), s(5), s(5), s(0)),
            (TOGETHER, s(15), s(5), s(14), s(0)),
            // The first round has less, one by times of day has until the next.
            (1_000, s(15), s(5), s(7), s(2)),
            (1_000, s(0), s(5), s(3_600), s(10)),
        ] {
            assert_eq!(spread(n, interval, timeout, remaining), want, "{n} {interval:?} {timeout:?} {remaining:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_scrape_has_its_whole_timeout_or_is_known_to_have_less_or_does_not_begin() {
        let began = Instant::now();
        for (ends, late, want) in [
            (s(14), s(0), Some((s(5), false))),
            (s(14), s(9), Some((s(5), false))),
            (s(14), s(10), Some((s(4), true))),
            (s(14), s(12), None),
            // What a round has in all is enough.
            (s(3), s(0), Some((s(3), false))),
            (s(0), s(0), None),
        ] {
            let span = Span { began: Instant::now(), ends: Instant::now() + ends };
            tokio::time::advance(late).await;
            let limit = span.limit(s(5));
            assert_eq!(limit.map(|l| (l.time, l.is_short)), want, "{ends:?} {late:?}");
            assert!(limit.is_none_or(|l| l.at == Instant::now() + l.time && l.at >= began));
        }
    }
}
