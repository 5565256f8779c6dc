//! The part that a server plays in a replication, and how far a replica is behind.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::base::units::{Exact, Short};
use crate::collect::judge::Judge;
use crate::collect::kind::{Flag, Form};
use crate::config::fields::Fields;

/// `expect: {role: …}`.
pub const ROLE: &[Flag] = &[Flag::new("role", "expect.role", Form::One("ROLE"), "`primary` or `replica`.")];

/// `expect: {lag_below: …}`.
pub const LAG: &[Flag] =
    &[Flag::new("lag-below", "expect.lag_below", Form::One("DURATION"), "How far a replica may be behind.")];

/// Longest lag that may be allowed.
const MAX_LAG: Duration = Duration::from_secs(30 * 86_400);

/// The part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Others follow it.
    Primary,
    /// It follows another.
    Replica,
}

impl Role {
    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }
}

/// What a server says of its part.
#[derive(Debug, Default)]
pub struct Standing {
    /// Nothing when it does not say.
    pub role: Option<Role>,
    /// Why a replica gets nothing from its primary, if that is so.
    pub detached: Option<String>,
    /// How far it is behind, if it says so.
    pub lag: Option<Duration>,
}

/// What is expected of it.
#[derive(Debug, Default)]
pub struct Replication {
    role: Option<(Role, &'static str)>,
    lag: Option<(Duration, String)>,
}

impl Replication {
    /// Reads `role`.
    pub fn read(expect: &mut Fields<'_>) -> Self {
        let role = expect.parse("role", "write `role: primary` or `role: replica`", |text| match text {
            "primary" => Ok((Role::Primary, "role is primary")),
            "replica" => Ok((Role::Replica, "role is replica, in touch with its primary")),
            other => Err(format!("`{other}` is no role")),
        });
        Self { role, lag: None }
    }

    /// Reads `role` and `lag_below`, which servers tell no finer than `unit`.
    pub fn read_with_lag(expect: &mut Fields<'_>, unit: Duration) -> Self {
        let limits: RangeInclusive<Duration> = unit..=MAX_LAG;
        let lag = expect.duration("lag_below", limits).map(|d| (d, format!("replication lag below {}", Exact(d))));
        Self { lag, ..Self::read(expect) }
    }

    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.role.is_none() && self.lag.is_none()
    }

    /// Names of the checks.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.role.iter().map(|(_, name)| *name).chain(self.lag.iter().map(|(_, name)| name.as_str()))
    }

    /// Judges what a server says. A replica that gets nothing is none, and what it says of its lag means nothing: of
    /// what it has, it may have replayed all.
    pub fn judge(&self, seen: &Standing, judge: &mut Judge) {
        let unsaid = || "the server does not say".to_owned();
        let role = seen.role.map(Role::word);
        if let Some((wanted, name)) = &self.role {
            let told = match (role, &seen.detached) {
                (Some(role), Some(why)) => format!("{role}, {why}"),
                (Some(role), None) => role.to_owned(),
                (None, _) => unsaid(),
            };
            judge.hold("role", name, seen.role == Some(*wanted) && seen.detached.is_none(), told);
        }
        if let Some((limit, name)) = &self.lag {
            let ok = seen.detached.is_none() && seen.lag.is_some_and(|lag| lag < *limit);
            let told = || seen.lag.map_or_else(unsaid, |lag| Short(lag).to_string());
            judge.hold("replication_lag", name, ok, seen.detached.clone().unwrap_or_else(told));
        }
    }
}
