//! Escalation policies: who is told next when nobody acknowledges.

use std::time::Duration;

/// A policy. Times count from when the group was first told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Unique name.
    pub name: String,
    /// In order of `after`, at least one.
    pub steps: Vec<Step>,
    /// After the last step the steps begin anew, their times counted from that step.
    pub repeat: bool,
    /// `watchdog.yaml:12:5`.
    pub source: String,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Without acknowledgement for this long.
    pub after: Duration,
    /// Who is told.
    pub to: Target,
}

/// Whom a step tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A receiver.
    Receiver(String),
    /// Whoever is on call then, by the rota's name.
    OnCall(String),
}

impl Escalation {
    /// The n-th escalation, counted from 0, and how long after the first message it is due.
    pub fn due(&self, n: usize) -> Option<(Duration, &Step)> {
        let (round, at) = (n.checked_div(self.steps.len())?, n.checked_rem(self.steps.len())?);
        if round > 0 && !self.repeat {
            return None;
        }
        let step = self.steps.get(at)?;
        let length = self.steps.last().map_or(Duration::ZERO, |s| s.after);
        // A policy whose only step is due at once would repeat without end.
        if round > 0 && length.is_zero() {
            return None;
        }
        Some((length.saturating_mul(u32::try_from(round).unwrap_or(u32::MAX)).saturating_add(step.after), step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_repeats_begins_anew_after_its_last_step() {
        let minutes = |m: u64| Duration::from_secs(60 * m);
        let step = |m, to: &str| Step { after: minutes(m), to: Target::Receiver(to.to_owned()) };
        let mut policy = Escalation {
            name: "p".to_owned(),
            steps: vec![step(5, "a"), step(15, "b")],
            repeat: true,
            source: String::new(),
        };
        let due = |p: &Escalation| (0..5).map_while(|n| Some(p.due(n)?.0.as_secs() / 60)).collect::<Vec<_>>();
        assert_eq!(due(&policy), [5, 15, 20, 30, 35]);
        policy.repeat = false;
        assert_eq!(due(&policy), [5, 15]);
        policy = Escalation { steps: vec![step(0, "a")], repeat: true, ..policy };
        assert_eq!(due(&policy), [0]);
        policy.steps.clear();
        assert!(due(&policy).is_empty());
    }
}
