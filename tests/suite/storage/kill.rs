//! `kill -9` at random moments while samples are pushed: what was acknowledged is there after the
//! restart, once and unchanged.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::clock::Clock;
use super::numbered::{Faults, Numbered};
use super::{Link, now_ms};
use crate::server::Place;

const ROUNDS: u32 = 25;
/// Rounds with a block each.
const FLUSHES: u32 = 10;
/// Overrides [`ROUNDS`], for a night's worth.
const ROUNDS_VARIABLE: &str = "KILL_ROUNDS";
const SEED: u64 = 0x5a3b1e5;
const DAY: i64 = 86_400_000;

/// Pushes one request after the other until the server is gone; gives the first that was not answered.
fn push(socket: &Path, samples: &Numbered, mut next: i64) -> i64 {
    let Ok(mut link) = Link::open(socket) else { return next };
    loop {
        let reply = if next % 2 == 0 { link.import(&samples.text(next)) } else { link.write(&samples.protobuf(next)) };
        match reply {
            Ok(reply) if (200..300).contains(&reply.status) => next += 1,
            Ok(reply) => panic!("request {next} was answered {} {}", reply.status, reply.body),
            Err(_) => return next,
        }
    }
}

#[test]
fn kill_9_loses_repeats_and_changes_no_acknowledged_sample() {
    let rounds: u32 = std::env::var(ROUNDS_VARIABLE).map_or(ROUNDS, |n| n.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(SEED);
    let place = Place::new();
    let samples = Arc::new(Numbered::new(now_ms() - 30 * DAY));
    // The request under way at a kill is sent again, as every sender does: it must not count twice.
    let (mut acked, mut before) = (0, 0);
    for round in 0..rounds {
        if random.u8(0..3) == 0 {
            // In the middle of starting, whatever it does then.
            let mut child = place.begin();
            thread::sleep(Duration::from_millis(random.u64(0..100)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let server = place.serve();
        assert_eq!(samples.check(&place.socket(), before, acked), Faults::default(), "round {round}");
        before = acked;
        let pusher = {
            let (socket, samples) = (place.socket(), Arc::clone(&samples));
            thread::spawn(move || push(&socket, &samples, acked))
        };
        thread::sleep(Duration::from_millis(random.u64(0..300)));
        server.kill();
        acked = pusher.join().unwrap();
    }
    assert!(acked >= i64::from(rounds), "only {acked} requests acknowledged: the test proves too little");
    let server = place.serve();
    assert_eq!(samples.check(&place.socket(), 0, acked), Faults::default(), "all, after {acked} requests");
    assert_eq!(server.stop(), 0);
    let server = place.serve();
    assert_eq!(samples.check(&place.socket(), 0, acked), Faults::default(), "all, after an ordered stop");
    server.kill();
}

#[test]
fn kill_9_while_memory_goes_into_blocks_loses_nothing_either() {
    let mut random = fastrand::Rng::with_seed(SEED);
    let place = Place::new();
    let Some(clock) = Clock::new(&place) else { return };
    let samples = Numbered::new(now_ms() - 30 * DAY);
    let (mut acked, mut hours) = (0, 0);
    for round in 0..FLUSHES {
        let server = place.serve_with(|c| clock.apply(c));
        assert_eq!(samples.check(&place.socket(), 0, acked), Faults::default(), "round {round}");
        let mut link = Link::open(&place.socket()).unwrap();
        for _ in 0..20 {
            assert!(link.write(&samples.protobuf(acked)).unwrap().status < 300);
            acked += 1;
        }
        // Old enough for a block, which is looked for once a second.
        hours += 2;
        clock.jump(hours);
        thread::sleep(Duration::from_millis(random.u64(0..1_500)));
        server.kill();
    }
    let blocks = std::fs::read_dir(place.data().join("metrics/blocks")).unwrap().count();
    assert!(blocks > 0, "no block was written: the test proves nothing");
    let server = place.serve();
    assert_eq!(samples.check(&place.socket(), 0, acked), Faults::default(), "at the end");
    assert_eq!(server.stop(), 0);
}
