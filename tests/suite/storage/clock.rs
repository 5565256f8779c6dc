//! The wall clock jumps by a day in either direction: nothing is deleted, and samples go on coming.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Link, now_ms, query};
use crate::needs;
use crate::server::{Place, wait_for};

const HOUR: i64 = 3_600_000;

/// The library of Debian's package `libfaketime`, below the directory of some architecture.
fn library() -> Option<PathBuf> {
    let mut files = fs::read_dir("/usr/lib").ok()?.flatten().map(|e| e.path().join("faketime/libfaketimeMT.so.1"));
    files.find(|f| f.exists())
}

/// The server's clock, moved from outside.
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// The true time for now, if there is a way to change it.
    pub fn new(place: &Place) -> Option<Self> {
        let library = library();
        if !needs::met(library.is_some(), "libfaketime, to move the server's clock") {
            return None;
        }
        let clock = Self { library: library?, file: place.config().with_file_name("clock") };
        clock.jump(0);
        Some(clock)
    }

    /// Away from the true time by this many hours.
    pub fn jump(&self, hours: i64) {
        // Renamed into place: the server reads the file at every look at the clock.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{hours:+}h\n")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    pub fn apply(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

#[test]
fn a_clock_that_jumps_by_a_day_deletes_nothing_and_stops_nothing() {
    let place = Place::new();
    let Some(clock) = Clock::new(&place) else { return };
    let begun = now_ms();
    let server = place.serve_with(|c| clock.apply(c));
    let socket = place.socket();
    let mut link = Link::open(&socket).unwrap();
    // A day of history, as another server would backfill it.
    let history: String = (1..=24).map(|h| format!("history {h} {}\n", begun - h * HOUR)).collect();
    assert!(link.import(&history).unwrap().status < 300);

    let mut said = 0;
    for hours in [0, 24, 0, -24, 0, 24, -24, 0] {
        clock.jump(hours);
        // Without a time of its own a sample gets the server's; its clock is seen to have moved.
        wait_for("a sample stamped by the new clock", || {
            said += 1;
            let reply = link.import(&format!("jumped {said}\n")).unwrap();
            assert!(reply.status < 300, "{hours} h: {} {}", reply.status, reply.body);
            let moved = now_ms() + hours * HOUR;
            let got = query(&socket, "jumped", moved + 1_000);
            let (_, samples) = got.first()?;
            (samples[0].1 == f64::from(said)).then_some(())
        });
        let got = query(&socket, "history[2d]", begun);
        assert_eq!(got.first().map_or(0, |(_, s)| s.len()), 24, "at {hours} h");
    }
    assert_eq!(server.stop(), 0);

    // Started a day early and a day late.
    for hours in [-24, 24, 0] {
        clock.jump(hours);
        let server = place.serve_with(|c| clock.apply(c));
        let got = query(&socket, "history[2d]", begun);
        assert_eq!(got.first().map_or(0, |(_, s)| s.len()), 24, "started at {hours} h");
        let mut link = Link::open(&socket).unwrap();
        said += 1;
        assert!(link.import(&format!("jumped {said}\n")).unwrap().status < 300);
        let got = query(&socket, "jumped", now_ms() + hours * HOUR + 1_000);
        assert_eq!(got[0].1[0].1, f64::from(said), "started at {hours} h");
        assert_eq!(server.stop(), 0);
    }
}
