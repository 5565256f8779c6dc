//! When monitors that others report to have listened.

use super::*;
use crate::base::probe::PushTarget;

/// A kind that others report to, in one form.
#[derive(Debug)]
struct Told(u64);

impl Collector for Told {
    fn probe<'a>(&'a self, _: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::ready(Outcome::up("")))
    }

    fn push(&self) -> Option<&dyn PushTarget> {
        Some(self)
    }
}

impl PushTarget for Told {
    fn accepts(&self, _: &str) -> bool {
        true
    }

    fn per_minute(&self) -> u32 {
        1
    }

    fn mask(&self, _: &mut String) {}

    fn form(&self) -> u64 {
        self.0
    }
}

fn told(form: u64, hash: u64) -> Arc<Monitor> {
    let probe = Probe::new("test", "told".to_owned(), Told(form));
    Arc::new(Monitor { probe, hash, ..Arc::unwrap_or_clone(monitor("told", 10, 1, Script::Fails)) })
}

/// A scheduler that runs one monitor which others report to, and has listened for 25 s.
async fn listening(clock: Clock, saves: mpsc::Sender<Save>) -> Scheduler {
    let known = Known { saves, ..unknown() };
    let mut scheduler = Scheduler::new(clock, Arc::new(runner(clock).0), known);
    apply(&mut scheduler, told(1, 1));
    for _ in 0..25 {
        pass(&mut scheduler, 1).await;
    }
    scheduler
}

fn apply(scheduler: &mut Scheduler, monitor: Arc<Monitor>) {
    scheduler.apply(&Config { monitors: [(monitor.name.clone(), monitor)].into(), ..Config::default() }, true);
}

/// What the loop does at a wake that comes after so many seconds.
async fn pass(scheduler: &mut Scheduler, seconds: u64) {
    let next = scheduler.due.next();
    scheduler.attention.awaits(next);
    time::advance(Duration::from_secs(seconds)).await;
    tokio::task::yield_now().await;
    scheduler.look_at_clocks();
    scheduler.reap();
    scheduler.start_due();
    scheduler.save();
}

#[tokio::test(start_paused = true)]
async fn while_nothing_ran_or_the_clock_leapt_nobody_could_report() {
    let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let began = clock.now();
    let name = MonitorName::new("told").unwrap();
    let unheard =
        |s: &Scheduler| s.known.heard[&name].unheard(Timestamp::EPOCH, s.clock.now().plus(SAVE_EVERY)).as_secs();
    // Stopped for a minute.
    let mut scheduler = listening(clock, mpsc::channel(64).0).await;
    assert_eq!(unheard(&scheduler), 0);
    pass(&mut scheduler, 60).await;
    assert_eq!(unheard(&scheduler), 60);
    pass(&mut scheduler, 1).await;
    assert_eq!(unheard(&scheduler), 60);
    // The wall clock is set forward by an hour.
    scheduler.clock = Clock::starting_at(scheduler.clock.now().plus(Duration::from_secs(3_600)));
    pass(&mut scheduler, 1).await;
    assert_eq!(unheard(&scheduler), 60 + 3_601);
    assert_eq!(scheduler.known.heard[&name].since(), began);
    // And back, behind the beginning: it was ahead all the time.
    let mut beat = Beat::default();
    beat.take(Report::Started, scheduler.clock.now());
    scheduler.known.beats.insert(name.clone(), beat);
    scheduler.clock = Clock::starting_at(began.minus(Duration::from_secs(3_600)));
    pass(&mut scheduler, 1).await;
    let now = scheduler.clock.now();
    assert_eq!((scheduler.known.heard[&name].since(), unheard(&scheduler)), (now, 0));
    assert_eq!(scheduler.known.beats[&name].started, Some(now));
}

#[tokio::test(start_paused = true)]
async fn only_what_says_when_a_report_is_due_begins_anew() {
    let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let began = clock.now();
    let mut scheduler = listening(clock, mpsc::channel(64).0).await;
    let name = MonitorName::new("told").unwrap();
    // Another label.
    apply(&mut scheduler, told(1, 2));
    assert_eq!(scheduler.known.heard[&name].since(), began);
    // Another interval.
    apply(&mut scheduler, told(2, 3));
    assert_eq!(scheduler.known.heard[&name].since(), clock.now());
    assert_eq!(scheduler.known.heard[&name].unheard(Timestamp::EPOCH, clock.now()), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn when_a_thousand_monitors_have_listened_is_saved_now_and_then_and_waited_for_at_the_end() {
    let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let (saves, mut saved) = mpsc::channel(10);
    let (known, others) = (Known { saves: saves.clone(), ..unknown() }, saves);
    let scheduler = Scheduler::new(clock, Arc::new(runner(clock).0), known);
    let (commands, inbox) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let drive = async {
        let monitors = (0..1_000).map(|i| {
            let name = MonitorName::new(&format!("m{i}")).unwrap();
            (name.clone(), Arc::new(Monitor { name, ..Arc::unwrap_or_clone(told(1, 1)) }))
        });
        let config = Config { monitors: monitors.collect(), ..Config::default() };
        commands.send(Command::Apply { config: Arc::new(config), complete: true }).await.unwrap();
        time::sleep(Duration::from_secs(60)).await;
        let mut count = 0;
        while saved.try_recv().is_ok() {
            count += 1;
        }
        assert!((6..=7).contains(&count), "{count}");
        // Others have taken all places when it stops.
        while others.try_send(Save::Heard(Vec::new())).is_ok() {}
        stop.cancel();
        time::sleep(Duration::from_secs(1)).await;
        drop(others);
        let mut last = 0;
        while let Some(Save::Heard(heard)) = saved.recv().await {
            last = heard.len();
        }
        assert_eq!(last, 1_000);
    };
    tokio::join!(scheduler.run(inbox, stop.clone()), drive);
}

#[tokio::test(start_paused = true)]
async fn when_a_monitor_has_listened_is_saved_and_goes_on_after_a_restart() {
    let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let began = clock.now();
    let told = told(1, 1);
    let paused = Arc::new(Monitor { paused: true, hash: 2, ..Arc::unwrap_or_clone(Arc::clone(&told)) });
    let mut heard = HashMap::new();
    for (forms, away) in [(vec![&told], 0), (vec![&told], 60), (vec![&told, &paused, &told], 60 + 60 + 25)] {
        let (saves, mut saved) = mpsc::channel(64);
        let known = Known { beats: HashMap::new(), heard: std::mem::take(&mut heard), saves };
        let scheduler = Scheduler::new(clock, Arc::new(runner(clock).0), known);
        let (commands, inbox) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let drive = async {
            for form in forms {
                let monitors = [(form.name.clone(), Arc::clone(form))].into();
                let config = Config { monitors, ..Config::default() };
                commands.send(Command::Apply { config: Arc::new(config), complete: true }).await.unwrap();
                time::sleep(Duration::from_secs(25)).await;
            }
            stop.cancel();
        };
        tokio::join!(scheduler.run(inbox, stop.clone()), drive);
        while let Ok(save) = saved.try_recv() {
            let Save::Heard(all) = save else { panic!("{save:?}") };
            heard.extend(all);
        }
        let heard = &heard[&told.name];
        let missed = heard.unheard(began, clock.now()).as_secs();
        assert_eq!((missed, heard.since()), (away, began));
        time::sleep(Duration::from_secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn between_slots_that_are_far_apart_a_stall_of_a_moment_loses_no_report_and_a_long_one_may() {
    for (stall, lost) in [(4, false), (12, true)] {
        let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
        let schedule = Schedule::Every(Duration::from_secs(300));
        let told = Arc::new(Monitor { schedule, ..Arc::unwrap_or_clone(told(1, 1)) });
        let (saves, mut saved) = mpsc::channel(64);
        let scheduler = Scheduler::new(clock, Arc::new(runner(clock).0), Known { saves, ..unknown() });
        let (commands, inbox) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let drive = async {
            let config = Config { monitors: [(told.name.clone(), Arc::clone(&told))].into(), ..Config::default() };
            commands.send(Command::Apply { config: Arc::new(config), complete: true }).await.unwrap();
            time::sleep(Duration::from_secs(99)).await;
            time::advance(Duration::from_secs(stall)).await;
            time::sleep(Duration::from_secs(30)).await;
            stop.cancel();
        };
        let began = clock.now();
        tokio::join!(scheduler.run(inbox, stop.clone()), drive);
        let mut heard = HashMap::new();
        while let Ok(Save::Heard(all)) = saved.try_recv() {
            heard.extend(all);
        }
        let (from, to) = (began.plus(Duration::from_secs(95)), began.plus(Duration::from_secs(115)));
        let heard = &heard[&told.name];
        assert!(!heard.unheard(from, to).is_zero(), "{stall} {heard:?}");
        assert_eq!(heard.may_have_lost(from, from, to), lost, "{stall} {heard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_monitor_was_told_outlives_a_file_that_is_broken() {
    let clock = Clock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let mut scheduler = listening(clock, mpsc::channel(64).0).await;
    let name = MonitorName::new("told").unwrap();
    for (complete, known) in [(false, true), (true, false)] {
        scheduler.apply(&Config::default(), complete);
        assert_eq!(scheduler.known.heard.contains_key(&name), known);
    }
}
