//! `watchdog notify log`.

use clap::{Args, ValueEnum};

use crate::base::message::Status;
use crate::base::time::Timestamp;
use crate::base::units::Short;
use crate::cli::commands::alert::history::fingerprint;
use crate::cli::commands::alert::show::delivery;
use crate::cli::table::{Cell, Table};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::path_segment;
use crate::wire::alerting::{Deliveries, DeliveryItem};
use crate::wire::board::DeliveryState;

/// Arguments of `notify log`.
#[derive(Args, Debug)]
pub struct LogArgs {
    /// Only to this notifier
    #[arg(long, value_name = "NOTIFIER")]
    pub receiver: Option<String>,
    /// Only those that got this far
    #[arg(long, value_enum)]
    pub state: Option<StateFilter>,
    /// Only about this alert: id or its beginning, name, or the monitor it is about
    #[arg(long, value_name = "ALERT")]
    pub alert: Option<String>,
    /// At most so many, the newest
    #[arg(short, long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub limit: u16,
    /// Only those before this number, to see what is older
    #[arg(long, value_name = "ID")]
    pub before: Option<i64>,
}

/// How far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateFilter {
    /// Not yet delivered.
    Owed,
    /// Taken by the receiver.
    Delivered,
    /// Given up.
    Dead,
}

/// Runs the command.
///
/// # Errors
/// Nobody answers, or there is no such alert.
pub fn run(args: &LogArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let page = connect::block_on(async {
        let mut path = format!("/api/v1/notifications?limit={}", args.limit);
        if let Some(before) = args.before {
            path.push_str(&format!("&before={before}"));
        }
        if let Some(receiver) = &args.receiver {
            path.push_str(&format!("&receiver={}", path_segment(receiver)));
        }
        if let Some(state) = args.state {
            path.push_str(match state {
                StateFilter::Owed => "&state=owed",
                StateFilter::Delivered => "&state=delivered",
                StateFilter::Dead => "&state=dead",
            });
        }
        if let Some(alert) = &args.alert {
            path.push_str(&format!("&alert={}", fingerprint(&client, alert).await?));
        }
        client.get::<Deliveries>(&path).await.map_err(connect::failure)
    })?;
    if ui.is_json() {
        ui.value(&page)?;
        return Ok(Answer::Good);
    }
    if page.deliveries.is_empty() {
        ui.note("nothing was sent");
        return Ok(Answer::Good);
    }
    if let Some(next) = page.next {
        ui.note(format!("there is more: `--before {next}`"));
    }
    table(ui, &page.deliveries, cx.clock.now());
    Ok(Answer::Good)
}

/// Prints them, the newest last. Columns that would say the same of all are left out.
fn table(ui: &mut Ui, newest_first: &[DeliveryItem], now: Timestamp) {
    let several = newest_first.iter().any(|item| item.alerts != 1);
    let again = newest_first.iter().any(|item| item.attempts.len() > 1);
    let mut header = vec!["ID", "AGO", "STATE", "NOTIFIER", "SAID", "ABOUT"];
    header.extend(several.then_some("ALERTS"));
    header.extend(again.then_some("TRIES"));
    header.push("WHY");
    let mut table = Table::new(&header, &[3, 5, header.len() - 1]);
    for item in newest_first.iter().rev() {
        let (word, role) = delivery(item.state);
        let error = item.attempts.last().filter(|a| !a.ok).and_then(|a| a.detail.as_deref());
        let next = item.next_attempt.filter(|at| *at > now && item.state == DeliveryState::Owed);
        let next = next.map_or_else(String::new, |at| format!("again in {}: ", Short(at.since(now))));
        let said = match item.status {
            Status::Firing => Cell::plain("firing"),
            Status::Resolved => Cell::new(Role::Good, "resolved"),
        };
        let mut row = vec![
            Cell::new(Role::Strong, item.id.to_string()),
            Cell::new(Role::Dim, Short(now.since(item.at)).to_string()),
            Cell::new(role, word),
            Cell::plain(&item.notifier),
            said,
            Cell::plain(&item.subject),
        ];
        row.extend(several.then(|| Cell::plain(item.alerts.to_string())));
        row.extend(again.then(|| Cell::plain(item.attempts.len().to_string())));
        row.push(Cell::plain(format!("{next}{}", error.unwrap_or(&item.reason))));
        table.row(row);
    }
    table.print(ui);
}
