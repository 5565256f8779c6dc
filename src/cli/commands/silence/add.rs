//! `watchdog silence add|preview`.

use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;

use crate::base::failure::{Failure, Kind};
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::commands::alert::{self, short_id};
use crate::cli::matching::matchers;
use crate::cli::times::{Ahead, ahead, length, when};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::Client;
use crate::wire::alerting::{SilencePreview, SilenceRequest, SilenceRow};
use crate::wire::board::AlertRow;

/// Alerts that are named before it is asked.
const NAMED: usize = 10;

/// The silence that is wished for.
#[derive(Args, Debug)]
pub struct WishArgs {
    /// Which alerts: `severity=warning`, `team=~web|db`; all must match, and a first word alone is an alert's name
    #[arg(value_name = "MATCHER", required = true)]
    pub matchers: Vec<String>,
    /// How long [default: 1h]
    #[arg(long = "for", value_name = "DURATION", value_parser = length, conflicts_with = "until")]
    pub length: Option<Duration>,
    /// Until then: `18:30`, `2026-12-24 18:30`, RFC 3339 or `now+2h`
    #[arg(long, value_name = "TIME", value_parser = ahead)]
    pub until: Option<Ahead>,
    /// Until nothing that it matches fires any more, for 7 days at most
    #[arg(long)]
    pub until_resolved: bool,
    /// From then on [default: now]
    #[arg(long, value_name = "TIME", value_parser = ahead)]
    pub start: Option<Ahead>,
    /// Why
    #[arg(short = 'm', long, value_name = "TEXT", default_value = "")]
    pub comment: String,
    /// Who wants it [default: you]
    #[arg(long, value_name = "NAME", default_value = "")]
    pub by: String,
}

/// Arguments of `silence add`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct AddArgs {
    /// The silence.
    #[command(flatten)]
    pub wish: WishArgs,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

const EXAMPLES: &str = "\
Examples:
  watchdog silence add monitor=shop --for 2h -m 'new release'
  watchdog silence add DiskFull instance=~db-.* --until 08:00 -m 'cleaning up tomorrow'
  watchdog silence add monitor=printer --until-resolved -m 'out of paper'
  id=$(watchdog silence add team=web --for 30m -m deploy --yes)";

impl WishArgs {
    fn request(&self, now: Timestamp) -> Result<SilenceRequest, Failure> {
        let matchers = matchers(&self.matchers)?;
        let here = TimeZone::system();
        let (start, end) = (self.start.map(|t| t.resolve(now, &here)), self.until.map(|t| t.resolve(now, &here)));
        if let Some(end) = end
            && end <= start.unwrap_or(now).max(now)
        {
            return Err(Failure::text(Kind::Usage, format!("it would end before it begins: {}", when(end, now))));
        }
        Ok(SilenceRequest {
            id: None,
            matchers: matchers.iter().map(ToString::to_string).collect(),
            starts_at: start,
            ends_at: end,
            length: self.length,
            until_resolved: self.until_resolved,
            created_by: self.by.clone(),
            comment: self.comment.clone(),
        })
    }
}

fn ask(client: &Client, request: &SilenceRequest) -> Result<SilencePreview, Failure> {
    connect::block_on(async { client.post("/api/v1/silences/preview", request).await.map_err(connect::failure) })
}

/// Shows what a silence would do.
///
/// # Errors
/// It is not one, or nobody answers.
pub fn preview(args: &WishArgs, ui: &mut Ui, cx: &Context) -> Done {
    let now = cx.clock.now();
    let request = args.request(now)?;
    let client = connect::client(&cx.settings)?;
    let preview = ask(&client, &request)?;
    if ui.is_json() {
        ui.value(&preview)?;
        return Ok(Answer::Good);
    }
    for line in told(&request, &preview, now) {
        let line = ui.paint(line.0, line.1);
        ui.line(line);
    }
    if !preview.matches.is_empty() {
        ui.line("");
        alert::table(ui, &preview.matches.iter().collect::<Vec<&AlertRow>>(), now);
    }
    Ok(Answer::Good)
}

/// Makes a silence.
///
/// # Errors
/// It is not one, or nobody answers.
pub fn run(args: &AddArgs, ui: &mut Ui, cx: &Context) -> Done {
    let now = cx.clock.now();
    let request = args.wish.request(now)?;
    let client = connect::client(&cx.settings)?;
    if !ui.is_json() {
        let preview = ask(&client, &request)?;
        for (_, line) in told(&request, &preview, now) {
            ui.note(line);
        }
        for a in preview.matches.iter().take(NAMED) {
            let since = Short(now.since(a.since));
            ui.note(format!(
                "  {} {} {}, {} for {since}",
                short_id(&a.fingerprint),
                a.name,
                a.subject(),
                alert::state(a).0
            ));
        }
        if preview.matches.len() > NAMED {
            ui.note(format!("  and {} more", preview.matches.len() - NAMED));
        }
        if !args.yes && ui.can_ask() && !ui.confirm("Silence them?") {
            ui.note("nothing was changed");
            return Ok(Answer::Bad);
        }
    }
    let made: SilenceRow =
        connect::block_on(async { client.post("/api/v1/silences", &request).await.map_err(connect::failure) })?;
    if ui.is_json() {
        ui.value(&made)?;
        return Ok(Answer::Good);
    }
    let id = ui.paint(Role::Strong, &made.id);
    ui.line(id);
    ui.flush();
    ui.note(format!("`watchdog silence expire {}` ends it before", short_id(&made.id)));
    Ok(Answer::Good)
}

/// What it would do, in lines.
fn told(request: &SilenceRequest, preview: &SilencePreview, now: Timestamp) -> Vec<(Role, String)> {
    let from = request.starts_at.map_or_else(|| "from now".to_owned(), |start| format!("from {}", when(start, now)));
    let resolved = if request.until_resolved { "until resolved, and at most " } else { "" };
    let count = |n: usize, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    let mut lines = vec![
        (
            Role::Strong,
            format!("{}  {from} {resolved}until {}", request.matchers.join(", "), when(preview.ends_at, now)),
        ),
        (Role::Plain, format!("hides {} now", count(preview.matches.len(), "alert", "alerts"))),
        (
            Role::Plain,
            format!(
                "would have hidden {} in the last 7 days",
                count(preview.would_have_muted, "notification", "notifications"),
            ),
        ),
        (
            Role::Plain,
            format!("can hide the alerts of {}", count(preview.rules, "monitor or rule", "monitors and rules")),
        ),
    ];
    lines.extend(preview.warnings.iter().map(|w| (Role::Warn, format!("mind: {w}"))));
    lines
}
