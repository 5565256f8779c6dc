//! `watchdog alert ack|unack`.

use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use crate::base::failure::{Failure, Kind};
use crate::cli::commands::alert::show::path;
use crate::cli::times::{Ahead, ahead, length, when};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::Client;
use crate::wire::alerting::{Ack, AckRequest};

/// Arguments of `alert ack`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct AckArgs {
    /// Ids of the alerts or their beginnings, their names, or the monitors they are about
    #[arg(value_name = "ALERT", required = true)]
    pub alerts: Vec<String>,
    /// What you want others to know
    #[arg(short = 'm', long, value_name = "TEXT", default_value = "")]
    pub comment: String,
    /// Let it lapse after this time, if it still fires then [default: it ends with the alert]
    #[arg(long = "for", value_name = "DURATION", value_parser = length, conflicts_with = "until")]
    pub length: Option<Duration>,
    /// Let it lapse then: `18:30`, `2026-12-24 18:30`, RFC 3339 or `now+2h`
    #[arg(long, value_name = "TIME", value_parser = ahead)]
    pub until: Option<Ahead>,
    /// Who has it [default: you]
    #[arg(long, value_name = "NAME", default_value = "")]
    pub by: String,
}

const EXAMPLES: &str = "\
Examples:
  watchdog alert ack shop -m 'restarting the database'
  watchdog alert ack 1a2b3c4d --for 2h --by ann";

/// Arguments of `alert unack`.
#[derive(Args, Debug)]
pub struct UnackArgs {
    /// Ids of the alerts or their beginnings, their names, or the monitors they are about
    #[arg(value_name = "ALERT", required = true)]
    pub alerts: Vec<String>,
}

/// What `--json` prints for each alert.
#[derive(Serialize)]
struct Acked<'a> {
    /// As it was named.
    alert: &'a str,
    /// `None` when it was taken back.
    ack: Option<&'a Ack>,
}

/// Acknowledges.
///
/// # Errors
/// Nobody answers; or, of a single alert, that it does not fire or is not known.
pub fn run(args: &AckArgs, ui: &mut Ui, cx: &Context) -> Done {
    let now = cx.clock.now();
    let until = args.until.map(|t| t.resolve(now, &TimeZone::system()));
    let until = until.or(args.length.map(|length| now.plus(length)));
    if let Some(past) = until.filter(|until| *until <= now) {
        return Err(Failure::text(Kind::Usage, format!("{past} has passed: it would lapse at once")));
    }
    let request = AckRequest { by: args.by.clone(), comment: args.comment.clone(), until };
    let client = connect::client(&cx.settings)?;
    let send = |client: &Client, alert: &str| {
        let ack: Ack = connect::block_on(async {
            client.post(&format!("{}/ack", path(alert)), &request).await.map_err(connect::failure)
        })?;
        Ok(Some(ack))
    };
    let meaning = "nothing is repeated and nothing escalates while somebody has it";
    each(&client, &args.alerts, ui, meaning, send, |ui, alert, ack| {
        let until = match ack.and_then(|a| a.until) {
            Some(until) => format!("until {}", when(until, now)),
            None => "until it is over".to_owned(),
        };
        let by = ui.paint(Role::Strong, ack.map_or("", |a| a.by.as_str()));
        ui.line(format_args!("{alert}: {by} has it {until}"));
    })
}

/// Takes acknowledgements back.
///
/// # Errors
/// Nobody answers; or, of a single alert, that nobody has it or it is not known.
pub fn run_unack(args: &UnackArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let send = |client: &Client, alert: &str| {
        let path = format!("{}/ack", path(alert));
        connect::block_on(async { client.delete::<Value>(&path).await.map_err(connect::failure) })?;
        Ok(None)
    };
    each(&client, &args.alerts, ui, "it is repeated and escalates again", send, |ui, alert, _| {
        ui.line(format_args!("{alert}: nobody has it any more"));
    })
}

/// Does it for each, and goes on behind one that fails: the others must not stay unattended for it.
fn each(
    client: &Client,
    alerts: &[String],
    ui: &mut Ui,
    meaning: &str,
    send: impl Fn(&Client, &str) -> Result<Option<Ack>, Failure>,
    tell: impl Fn(&mut Ui, &str, Option<&Ack>),
) -> Done {
    let mut done = Vec::new();
    let mut failed = None;
    for alert in alerts {
        match send(client, alert) {
            Ok(ack) => done.push((alert.as_str(), ack)),
            Err(failure) if failure.kind() == Kind::NoServer || alerts.len() == 1 => return Err(failure),
            Err(failure) => {
                ui.failure(&failure);
                failed = Some(failure);
            }
        }
    }
    if ui.is_json() {
        let rows: Vec<Acked<'_>> = done.iter().map(|(alert, ack)| Acked { alert, ack: ack.as_ref() }).collect();
        ui.value(&rows)?;
    } else {
        for (alert, ack) in &done {
            let alert = ui.paint(Role::Plain, alert);
            tell(ui, &alert, ack.as_ref());
        }
        if !done.is_empty() {
            ui.flush();
            ui.note(meaning);
        }
    }
    Ok(if failed.is_some() { Answer::Bad } else { Answer::Good })
}
