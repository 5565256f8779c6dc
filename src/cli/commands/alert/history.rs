//! `watchdog alert history`.

use std::time::Duration;

use clap::Args;

use crate::alert::rule::{Fingerprint, MONITOR_DOWN};
use crate::base::failure::{Failure, Kind};
use crate::base::name::MonitorName;
use crate::base::time::Timestamp;
use crate::cli::commands::alert::show;
use crate::cli::times::{Time, past};
use crate::cli::ui::Ui;
use crate::cli::{Answer, Context, Done, connect};
use crate::client::{Client, path_segment};
use crate::wire::alerting::AlertDetail;
use crate::wire::api::{Events, MonitorDetail};
use crate::wire::board::Event;

/// How often it is looked for new events.
const LOOK: Duration = Duration::from_secs(1);
/// Kinds of events that speak of alerts.
const KINDS: [&str; 2] = ["alert", "delivery"];

/// Arguments of `alert history`.
#[derive(Args, Debug)]
pub struct HistoryArgs {
    /// Only this one: id or its beginning, name, or the monitor it is about
    #[arg(value_name = "ALERT")]
    pub alert: Option<String>,
    /// Only since then: `2h`, `-2h`, RFC 3339
    #[arg(long, value_name = "TIME", value_parser = past, allow_hyphen_values = true)]
    pub since: Option<Time>,
    /// At most so many, the newest
    #[arg(short, long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub limit: u16,
    /// Go on and print what happens
    #[arg(short, long)]
    pub follow: bool,
}

/// Runs the command.
///
/// # Errors
/// Nobody answers, or there is no such alert.
pub fn run(args: &HistoryArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let now = cx.clock.now();
    let mut since = args.since.map(|t| t.resolve(now));
    connect::block_on(async {
        let alert = match &args.alert {
            Some(named) => Some(fingerprint(&client, named).await?),
            None => None,
        };
        let mut shown = events(&client, alert.as_deref(), since, usize::from(args.limit)).await?;
        if !args.follow {
            if ui.is_json() {
                ui.value(&shown)?;
            } else if shown.is_empty() {
                ui.note("nothing happened");
            } else {
                show::events(ui, &shown, now, args.alert.is_none());
            }
            return Ok(Answer::Good);
        }
        let mut newest = 0;
        loop {
            for event in shown.iter().filter(|e| e.id > newest) {
                line(ui, event)?;
            }
            ui.flush();
            if ui.is_closed() {
                return Ok(Answer::Good);
            }
            newest = shown.iter().map(|e| e.id).fold(newest, i64::max);
            // Those of the same moment once more, which are left out by their ids.
            since = shown.last().map(|e| e.at).or(since);
            tokio::time::sleep(LOOK).await;
            shown = events(&client, alert.as_deref(), since, 1_000).await?;
        }
    })
}

fn line(ui: &mut Ui, event: &Event) -> Result<(), Failure> {
    if ui.is_json() {
        return ui.value_line(event);
    }
    let Event { at, subject, what, detail, .. } = event;
    let text = format!("{}  {subject}  {what}  {detail}", at.local("%F %T"));
    let text = ui.paint(crate::cli::ui::Role::Plain, text);
    ui.line(text);
    Ok(())
}

/// The fingerprint of the alert that is meant. One that was over long ago is known to the history alone.
pub async fn fingerprint(client: &Client, named: &str) -> Result<String, Failure> {
    if Fingerprint::parse(named).is_some() {
        return Ok(named.to_owned());
    }
    match client.get::<AlertDetail>(&show::path(named)).await.map_err(connect::failure) {
        Ok(detail) => Ok(detail.alert.fingerprint),
        Err(failure) if failure.kind() == Kind::NotFound => {
            let Ok(monitor) = MonitorName::new(named) else { return Err(failure) };
            let alert = Fingerprint::of(MONITOR_DOWN, &monitor).to_string();
            // It may be gone by now, or have been well ever since.
            let known = !events(client, Some(&alert), None, 1).await?.is_empty()
                || client.get::<MonitorDetail>(&format!("/api/v1/monitors/{}", path_segment(named))).await.is_ok();
            if known { Ok(alert) } else { Err(failure) }
        }
        Err(failure) => Err(failure),
    }
}

/// The newest events, oldest first.
async fn events(
    client: &Client,
    alert: Option<&str>,
    since: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<Event>, Failure> {
    let since = since.map_or_else(String::new, |t| format!("&since={}", path_segment(&t.to_string())));
    let queries = match alert {
        Some(alert) => vec![format!("alert={}", path_segment(alert))],
        None => KINDS.map(|kind| format!("kind={kind}")).into(),
    };
    let mut all = Vec::new();
    for query in queries {
        let path = format!("/api/v1/events?{query}&limit={limit}{since}");
        all.extend(client.get::<Events>(&path).await.map_err(connect::failure)?.events);
    }
    all.sort_by_key(|e| e.id);
    all.drain(..all.len().saturating_sub(limit));
    Ok(all)
}
