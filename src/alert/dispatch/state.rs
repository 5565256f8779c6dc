//! The living counterparts of the stored rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::alert::ack::Ack;
use crate::alert::dispatch::event::{AlertUpdate, MutedBy, Origin};
use crate::alert::dispatch::record::{AlertRecord, Escalating, GroupRecord, GroupTold, SilenceRecord, Told};
use crate::alert::dispatch::timers::GroupId;
use crate::alert::flap::Flap;
use crate::alert::matchers::Matchers;
use crate::alert::route::Route;
use crate::alert::rule::Fingerprint;
use crate::alert::silence::Silence;
use crate::base::labels::Labels;
use crate::base::message::{Severity, Status};
use crate::base::notification::NotifiedAlert;
use crate::base::time::Timestamp;

/// One alert, firing or over.
#[derive(Clone, Debug)]
pub struct Alert {
    pub(super) fingerprint: Fingerprint,
    pub(super) origin: Origin,
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
    /// Its source says that it fires.
    pub(super) active: bool,
    pub(super) episode: u64,
    pub(super) starts_at: Timestamp,
    pub(super) fired_at: Timestamp,
    pub(super) ends_at: Option<Timestamp>,
    pub(super) changed_at: Timestamp,
    pub(super) value: Option<f64>,
    pub(super) generator_url: Option<String>,
    pub(super) told: BTreeMap<String, Told>,
    pub(super) ack: Option<Ack>,
    pub(super) escalations: BTreeMap<String, Escalating>,
    pub(super) flap: Flap,
    /// Groups it is in.
    pub(super) groups: BTreeSet<GroupId>,
    /// Silences whose matchers it matches, whatever their state.
    pub(super) silences: BTreeSet<String>,
    /// What mutes it, as last looked at.
    pub(super) muted: Option<MutedBy>,
    /// The silence that was last counted as holding this episode back.
    pub(super) counted: Option<(u64, String)>,
    /// Somebody heard of this episode.
    pub(super) heard: bool,
}

impl Alert {
    /// Identity.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Where it comes from.
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// Labels, `alertname` included.
    pub const fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Texts for people. Untrusted.
    pub const fn annotations(&self) -> &Labels {
        &self.annotations
    }

    /// Whether it counts as firing: its source says so, or it is held as flapping.
    pub const fn fires(&self) -> bool {
        self.active || self.flap.holds()
    }

    /// Since when it is held as flapping.
    pub const fn flapping_since(&self) -> Option<Timestamp> {
        self.flap.since()
    }

    /// Number of its episode.
    pub const fn episode(&self) -> u64 {
        self.episode
    }

    /// Start of the episode.
    pub const fn starts_at(&self) -> Timestamp {
        self.starts_at
    }

    /// When it fired.
    pub const fn fired_at(&self) -> Timestamp {
        self.fired_at
    }

    /// Its end; for one that fires, when it ends unless its source says otherwise.
    pub const fn ends_at(&self) -> Option<Timestamp> {
        self.ends_at
    }

    /// When the episode began or ended.
    pub const fn changed_at(&self) -> Timestamp {
        self.changed_at
    }

    /// What the rule's expression gave last.
    pub const fn value(&self) -> Option<f64> {
        self.value
    }

    /// Its page.
    pub fn generator_url(&self) -> Option<&str> {
        self.generator_url.as_deref()
    }

    /// Notifiers that believe that it fires.
    pub const fn told(&self) -> &BTreeMap<String, Told> {
        &self.told
    }

    /// Who has it.
    pub const fn ack(&self) -> Option<&Ack> {
        self.ack.as_ref()
    }

    /// What mutes it, as of the last look; see [`crate::alert::dispatch::Dispatcher::muted`] for now.
    pub const fn muted(&self) -> Option<&MutedBy> {
        self.muted.as_ref()
    }

    /// The monitor it is about.
    pub fn monitor(&self) -> Option<&str> {
        self.labels.get("monitor")
    }

    pub(super) fn acknowledged(&self, now: Timestamp) -> bool {
        self.ack.as_ref().is_some_and(|a| a.stands(now))
    }

    /// Its `severity` label; anything unknown counts as a warning.
    pub fn severity(&self) -> Severity {
        Severity::of(&self.labels)
    }

    pub(super) fn new(update: &AlertUpdate, now: Timestamp) -> Self {
        Self {
            fingerprint: update.fingerprint,
            origin: update.origin,
            labels: update.labels.clone(),
            annotations: update.annotations.clone(),
            active: false,
            episode: 0,
            starts_at: update.starts_at,
            fired_at: update.fired_at,
            ends_at: None,
            changed_at: now,
            value: update.value,
            generator_url: update.generator_url.clone(),
            told: BTreeMap::new(),
            ack: None,
            escalations: BTreeMap::new(),
            flap: Flap::default(),
            groups: BTreeSet::new(),
            silences: BTreeSet::new(),
            muted: None,
            counted: None,
            heard: false,
        }
    }

    pub(super) fn record(&self) -> AlertRecord {
        AlertRecord {
            fingerprint: self.fingerprint.to_string(),
            origin: self.origin,
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            active: self.active,
            episode: self.episode,
            starts_at: self.starts_at,
            fired_at: self.fired_at,
            ends_at: self.ends_at,
            changed_at: self.changed_at,
            value: self.value,
            generator_url: self.generator_url.clone(),
            told: self.told.clone(),
            ack: self.ack.clone(),
            escalations: self.escalations.clone(),
            flap: self.flap.clone(),
        }
    }

    pub(super) fn restored(r: AlertRecord) -> Option<Self> {
        Some(Self {
            fingerprint: Fingerprint::parse(&r.fingerprint)?,
            origin: r.origin,
            labels: r.labels,
            annotations: r.annotations,
            active: r.active,
            episode: r.episode,
            starts_at: r.starts_at,
            fired_at: r.fired_at,
            ends_at: r.ends_at,
            changed_at: r.changed_at,
            value: r.value,
            generator_url: r.generator_url,
            told: r.told,
            ack: r.ack,
            escalations: r.escalations,
            flap: r.flap,
            groups: BTreeSet::new(),
            silences: BTreeSet::new(),
            muted: None,
            counted: None,
            heard: true,
        })
    }

    /// As a notification tells of it.
    pub(super) fn notified(&self) -> NotifiedAlert {
        let fires = self.fires();
        let annotations = match (fires, self.flap.since()) {
            (true, Some(since)) => {
                let text = format!("it keeps changing since {since} and counts as firing until it is quiet");
                self.annotations.with(&Labels::new([("flapping", text)]))
            }
            _ => self.annotations.clone(),
        };
        NotifiedAlert {
            status: if fires { Status::Firing } else { Status::Resolved },
            fingerprint: self.fingerprint.to_string(),
            labels: self.labels.clone(),
            annotations,
            starts_at: self.starts_at,
            ends_at: self.ends_at.filter(|_| !fires),
            value: self.value,
            generator_url: self.generator_url.clone(),
        }
    }
}

/// A group of alerts that are told together.
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) route: Arc<Route>,
    pub(super) labels: Labels,
    pub(super) alerts: BTreeSet<Fingerprint>,
    pub(super) flushed: bool,
    /// The next flush.
    pub(super) due: Timestamp,
    pub(super) told: BTreeMap<String, GroupTold>,
    /// Its row is as it stands.
    pub(super) stored: bool,
}

impl Group {
    /// The route it belongs to.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// The labels it was formed by.
    pub const fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Alertmanager's group key.
    pub fn key(&self) -> String {
        format!("{}:{}", self.route.key, self.labels)
    }

    /// Its alerts.
    pub fn alerts(&self) -> impl Iterator<Item = Fingerprint> {
        self.alerts.iter().copied()
    }

    /// Whether its first flush is over.
    pub const fn flushed(&self) -> bool {
        self.flushed
    }

    /// Its next flush.
    pub const fn due(&self) -> Timestamp {
        self.due
    }

    pub(super) fn record(&self) -> GroupRecord {
        GroupRecord {
            route: self.route.id.clone(),
            labels: self.labels.clone(),
            flushed: self.flushed,
            due: self.due,
            told: self.told.clone(),
        }
    }
}

/// A silence and what it did.
#[derive(Clone, Debug)]
pub struct Silencing {
    pub(super) silence: Silence,
    /// Alerts that it matches, firing or not.
    pub(super) matches: BTreeSet<Fingerprint>,
    pub(super) muted: u64,
    pub(super) last_muted: Option<Timestamp>,
    pub(super) reminded: bool,
}

impl Silencing {
    /// The silence.
    pub const fn silence(&self) -> &Silence {
        &self.silence
    }

    /// Notifications that it held back.
    pub const fn muted(&self) -> u64 {
        self.muted
    }

    /// The last of them.
    pub const fn last_muted(&self) -> Option<Timestamp> {
        self.last_muted
    }

    /// Whether its end, or that it is forgotten, was mentioned.
    pub const fn reminded(&self) -> bool {
        self.reminded
    }

    pub(super) const fn new(silence: Silence) -> Self {
        Self { silence, matches: BTreeSet::new(), muted: 0, last_muted: None, reminded: false }
    }

    pub(super) fn record(&self) -> SilenceRecord {
        let s = &self.silence;
        SilenceRecord {
            id: s.id.clone(),
            matchers: s.matchers.to_string(),
            starts_at: s.starts_at,
            ends_at: s.ends_at,
            updated_at: s.updated_at,
            created_by: s.created_by.clone(),
            comment: s.comment.clone(),
            until_resolved: s.until_resolved,
            source: s.source.clone(),
            muted: self.muted,
            last_muted: self.last_muted,
            reminded: self.reminded,
        }
    }

    pub(super) fn restored(r: SilenceRecord) -> Option<Self> {
        let matchers = Matchers::parse(&r.matchers).ok()?;
        let silence = Silence {
            id: r.id,
            matchers,
            starts_at: r.starts_at,
            ends_at: r.ends_at,
            updated_at: r.updated_at,
            created_by: r.created_by,
            comment: r.comment,
            until_resolved: r.until_resolved,
            source: r.source,
        };
        Some(Self { muted: r.muted, last_muted: r.last_muted, reminded: r.reminded, ..Self::new(silence) })
    }
}
