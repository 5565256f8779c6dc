//! The messages owed to one notifier: which may be tried now. Pure; the caller owns the clock.
//!
//! Invariants: messages of one line (one group of alerts) leave strictly in the order in which they were
//! decided, one at a time; messages of different lines may overtake each other, but none overtakes a
//! digest or is overtaken by one, since that tells of many groups; no more than `width` are under way.

use std::collections::{BTreeSet, HashMap, VecDeque};

use tokio::time::Instant;

use crate::base::message::Status;
use crate::base::notification::Reason;
use crate::state::Owed;

/// A message that waits.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) owed: Owed,
    /// Not to be tried before.
    pub(crate) due: Instant,
    /// A failure after this is the last one.
    pub(crate) expires: Instant,
}

impl Item {
    fn line(&self) -> u64 {
        self.owed.notification.line()
    }

    fn is_digest(&self) -> bool {
        matches!(self.owed.notification.reason, Reason::Digest(_))
    }

    /// The last word of this thread.
    fn ends(&self, thread: &str) -> bool {
        self.owed.notification.thread == thread && self.owed.notification.status() == Status::Resolved
    }
}

/// What becomes of the message at the head of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    Done,
    Dead,
    Retry(Instant),
}

#[derive(Debug)]
pub(crate) struct Queue {
    width: usize,
    lines: HashMap<u64, Line>,
    /// Heads of the lines that are not under way: when due, order of arrival, which.
    ready: BTreeSet<(Instant, u64, u64)>,
    /// What waits for a digest, and digests that wait for what was before them, in order.
    behind: VecDeque<Item>,
    arrivals: u64,
    under_way: usize,
    len: usize,
    /// Threads whose first message was given up, by line: their end is not told either.
    untold: HashMap<u64, String>,
}

#[derive(Debug)]
struct Line {
    items: VecDeque<Item>,
    /// `None` while the head is under way.
    place: Option<(Instant, u64)>,
}

impl Queue {
    pub(crate) fn new(width: usize) -> Self {
        Self {
            width,
            lines: HashMap::new(),
            ready: BTreeSet::new(),
            behind: VecDeque::new(),
            arrivals: 0,
            under_way: 0,
            len: 0,
            untold: HashMap::new(),
        }
    }

    /// Messages that wait or are under way.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn under_way(&self) -> usize {
        self.under_way
    }

    /// Adds a message; one that is here already is left alone. Returns it when it must not be sent.
    pub(crate) fn push(&mut self, item: Item) -> Option<Item> {
        let (line, said) = (item.line(), &item.owed.notification);
        match said.status() {
            Status::Firing => {
                self.untold.remove(&line);
            }
            Status::Resolved if self.untold.get(&line) == Some(&said.thread) => return Some(item),
            Status::Resolved => {}
        }
        let is_here = |i: &Item| i.owed.notification.key == said.key;
        if self.lines.get(&line).is_some_and(|l| l.items.iter().any(is_here)) || self.behind.iter().any(is_here) {
            return None;
        }
        self.len += 1;
        if !self.behind.is_empty() || (item.is_digest() && !self.lines.is_empty()) {
            self.behind.push_back(item);
        } else {
            self.join(item);
        }
        None
    }

    fn join(&mut self, item: Item) {
        let line = item.line();
        let entry = self.lines.entry(line).or_insert_with(|| Line { items: VecDeque::new(), place: None });
        let first = entry.items.is_empty();
        entry.items.push_back(item);
        if first {
            self.place(line);
        }
    }

    /// Lets those join whom nothing is before any more.
    fn advance(&mut self) {
        while let Some(next) = self.behind.front() {
            let digest_runs = self.lines.values().any(|l| l.items.iter().any(Item::is_digest));
            if digest_runs || (next.is_digest() && !self.lines.is_empty()) {
                return;
            }
            if let Some(next) = self.behind.pop_front() {
                self.join(next);
            }
        }
    }

    /// The next message to try now, which is then under way.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Item> {
        let &(due, _, line) = self.ready.first()?;
        if due > now || self.under_way >= self.width {
            return None;
        }
        self.ready.pop_first();
        let line = self.lines.get_mut(&line)?;
        line.place = None;
        self.under_way += 1;
        line.items.front().cloned()
    }

    /// When [`take`](Self::take) will have something, if nothing else happens.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.ready.first().filter(|_| self.under_way < self.width).map(|r| r.0)
    }

    /// Takes back a line whose head was under way. Returns messages that are now pointless: the end of a
    /// thread whose first message was given up.
    pub(crate) fn finish(&mut self, line: u64, attempts: u32, next: Next) -> Vec<Item> {
        let mut pointless = Vec::new();
        let Some(entry) = self.lines.get_mut(&line).filter(|l| l.place.is_none()) else { return pointless };
        self.under_way -= 1;
        match next {
            Next::Retry(due) => {
                if let Some(head) = entry.items.front_mut() {
                    head.due = due;
                    head.owed.attempts = attempts;
                }
            }
            Next::Done => {
                entry.items.pop_front();
                self.len -= 1;
            }
            Next::Dead => {
                let head = entry.items.pop_front();
                self.len -= 1;
                let begun = |i: &Item| {
                    let said = &i.owed.notification;
                    said.status() == Status::Firing && said.reason == Reason::FirstTime
                };
                if let Some(head) = head.filter(begun) {
                    let thread = &head.owed.notification.thread;
                    while let Some(end) = entry.items.pop_front_if(|i| i.ends(thread)) {
                        self.len -= 1;
                        pointless.push(end);
                    }
                    self.untold.insert(line, thread.clone());
                }
            }
        }
        self.place(line);
        self.advance();
        pointless
    }

    /// Lets everything that waits be tried at once: the receiver was replaced by one that may work.
    pub(crate) fn hurry(&mut self, now: Instant) {
        let waiting: Vec<_> = std::mem::take(&mut self.ready).into_iter().map(|r| r.2).collect();
        for line in waiting {
            if let Some(head) = self.lines.get_mut(&line).and_then(|l| l.items.front_mut()) {
                head.due = head.due.min(now);
            }
            self.place(line);
        }
    }

    /// Removes everything that is not under way.
    pub(crate) fn clear(&mut self) -> Vec<Item> {
        let mut out = Vec::new();
        self.ready.clear();
        for line in self.lines.values_mut() {
            let keep = usize::from(line.place.is_none());
            out.extend(line.items.drain(keep.min(line.items.len())..));
        }
        out.extend(self.behind.drain(..));
        self.lines.retain(|_, l| !l.items.is_empty());
        self.len -= out.len();
        out
    }

    fn place(&mut self, line: u64) {
        let Some(entry) = self.lines.get_mut(&line) else { return };
        let Some(head) = entry.items.front() else {
            self.lines.remove(&line);
            return;
        };
        self.arrivals += 1;
        entry.place = Some((head.due, self.arrivals));
        self.ready.insert((head.due, self.arrivals, line));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::alert::rule::Fingerprint;
    use crate::base::labels::Labels;
    use crate::base::notification::{Notification, NotifiedAlert};
    use crate::base::time::Timestamp;

    const S: Duration = Duration::from_secs(1);

    fn item(alert: u64, status: Status, episode: i64, due: Instant) -> Item {
        let starts_at = Timestamp::from_millis(episode);
        let told = NotifiedAlert {
            status,
            fingerprint: Fingerprint(alert).to_string(),
            labels: Labels::new([("n", alert.to_string())]),
            annotations: Labels::default(),
            starts_at,
            ends_at: None,
            value: None,
            generator_url: None,
        };
        let key = format!("{alert}-{episode}-{}", status.as_str());
        let owed = Owed {
            notification: Arc::new(Notification::single(key, format!("{alert}-{episode}"), "ops", told)),
            created: starts_at,
            attempts: 0,
            next_attempt: starts_at,
        };
        Item { owed, due, expires: due + 100 * S }
    }

    fn line(alert: u64) -> u64 {
        item(alert, Status::Firing, 0, Instant::now()).line()
    }

    /// A digest that stands in a line of its own.
    fn digest(n: u64, due: Instant) -> Item {
        let mut item = item(1_000 + n, Status::Firing, 0, due);
        std::sync::Arc::make_mut(&mut item.owed.notification).reason = Reason::Digest(3);
        item
    }

    fn key(item: Option<Item>) -> String {
        item.map(|i| i.owed.notification.key.clone()).unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn an_alert_is_told_in_order_and_others_may_overtake() {
        let now = Instant::now();
        let mut q = Queue::new(4);
        q.push(item(1, Status::Firing, 0, now));
        q.push(item(1, Status::Resolved, 0, now));
        q.push(item(2, Status::Firing, 0, now));
        assert_eq!(key(q.take(now)), "1-0-firing");
        assert_eq!(key(q.take(now)), "2-0-firing");
        assert_eq!(key(q.take(now)), "");
        q.finish(line(1), 1, Next::Retry(now + 5 * S));
        assert_eq!(q.next_due(), Some(now + 5 * S));
        assert_eq!(key(q.take(now + 4 * S)), "");
        assert_eq!(key(q.take(now + 5 * S)), "1-0-firing");
        q.finish(line(1), 2, Next::Done);
        assert_eq!(key(q.take(now + 5 * S)), "1-0-resolved");
        q.finish(line(1), 1, Next::Done);
        q.finish(line(2), 1, Next::Done);
        assert_eq!((q.len(), q.under_way(), q.next_due()), (0, 0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_width_are_under_way() {
        let now = Instant::now();
        let mut q = Queue::new(2);
        for alert in 0..5 {
            q.push(item(alert, Status::Firing, 0, now));
        }
        assert!(q.take(now).is_some() && q.take(now).is_some());
        assert!(q.take(now).is_none());
        assert_eq!(q.next_due(), None);
        q.finish(line(0), 1, Next::Done);
        assert_eq!(q.next_due(), Some(now));
        assert!(q.take(now).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_an_untold_episode_is_pointless_whenever_it_comes() {
        let now = Instant::now();
        let mut q = Queue::new(4);
        q.push(item(1, Status::Firing, 0, now));
        q.push(item(1, Status::Resolved, 0, now));
        q.push(item(1, Status::Firing, 9, now));
        q.take(now);
        let pointless = q.finish(line(1), 1, Next::Dead);
        assert_eq!(pointless.len(), 1);
        assert_eq!(key(q.take(now)), "1-9-firing");
        q.finish(line(1), 1, Next::Dead);
        assert_eq!(key(q.push(item(1, Status::Resolved, 9, now))), "1-9-resolved");
        assert_eq!(q.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_queued_once() {
        let now = Instant::now();
        let mut q = Queue::new(4);
        q.push(item(1, Status::Firing, 0, now));
        q.push(item(1, Status::Firing, 0, now));
        assert_eq!(q.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn clearing_leaves_what_is_under_way() {
        let now = Instant::now();
        let mut q = Queue::new(4);
        q.push(item(1, Status::Firing, 0, now));
        q.push(item(1, Status::Resolved, 0, now));
        q.push(item(2, Status::Firing, 0, now + S));
        q.take(now);
        assert_eq!(q.clear().len(), 2);
        assert_eq!((q.len(), q.under_way()), (1, 1));
        q.finish(line(1), 1, Next::Done);
        assert_eq!((q.len(), q.under_way(), q.next_due()), (0, 0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_replaced_receiver_is_tried_at_once() {
        let now = Instant::now();
        let mut q = Queue::new(4);
        q.push(item(1, Status::Firing, 0, now + 60 * S));
        q.push(item(2, Status::Firing, 0, now + 90 * S));
        q.hurry(now);
        assert!(q.take(now).is_some() && q.take(now).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_overtakes_a_digest_nor_is_overtaken_by_one() {
        let now = Instant::now();
        let mut q = Queue::new(4);
        q.push(item(1, Status::Firing, 0, now));
        q.push(digest(0, now));
        q.push(item(2, Status::Firing, 0, now));
        assert_eq!(key(q.take(now)), "1-0-firing");
        assert_eq!(key(q.take(now)), "");
        q.finish(line(1), 1, Next::Done);
        assert_eq!(key(q.take(now)), "1000-0-firing");
        assert_eq!(key(q.take(now)), "");
        q.finish(line(1_000), 1, Next::Retry(now + S));
        assert_eq!(key(q.take(now)), "");
        assert_eq!(key(q.take(now + S)), "1000-0-firing");
        q.finish(line(1_000), 2, Next::Done);
        assert_eq!(key(q.take(now)), "2-0-firing");
        q.finish(line(2), 1, Next::Done);
        assert_eq!(q.len(), 0);
    }
}
