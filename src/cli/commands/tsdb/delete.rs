//! `watchdog tsdb delete`.

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::base::failure::{Failure, Kind};
use crate::base::labels::Labels;
use crate::cli::commands::query::pointed;
use crate::cli::times::{Time, time};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::{Client, ClientError};
use crate::promql::parser::parse_selector;
use crate::wire::query::{seconds, series_name};

/// Series named in the preview.
const SHOWN: usize = 10;

/// Arguments of `tsdb delete`.
#[derive(Args, Debug)]
pub struct DeleteArgs {
    /// Which series, as in a query: `up{job="old"}`; several select what any of them selects
    #[arg(value_name = "SELECTOR", required = true)]
    pub selectors: Vec<String>,
    /// Only samples from this time on: RFC 3339, Unix seconds, `now-1h` or `-1h`
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub start: Option<Time>,
    /// Only samples up to this time
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub end: Option<Time>,
    /// Delete, instead of telling what would be deleted
    #[arg(long)]
    pub yes: bool,
}

#[derive(Deserialize)]
struct SeriesReply {
    data: Vec<Labels>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Deleted<'a> {
    /// Series that have samples in the range.
    series: &'a [Labels],
    /// Whether they were deleted.
    deleted: bool,
}

/// Runs the command.
///
/// # Errors
/// A selector is not understood, nobody answers, or the server refuses.
pub fn run(args: &DeleteArgs, ui: &mut Ui, cx: &Context) -> Done {
    let now = cx.clock.now();
    let mut form: Vec<(&str, String)> = Vec::new();
    for selector in &args.selectors {
        understood(selector, ui.look().width)?;
        form.push(("match[]", selector.clone()));
    }
    let (start, end) = (args.start.map(|t| t.resolve(now)), args.end.map(|t| t.resolve(now)));
    if let (Some(start), Some(end)) = (start, end)
        && start > end
    {
        return Err(Failure::text(Kind::Usage, format!("the range starts at {start} and ends before, at {end}")));
    }
    form.extend(start.map(|t| ("start", seconds(t))));
    form.extend(end.map(|t| ("end", seconds(t))));
    let client = connect::client(&cx.settings)?;
    let series = connect::block_on(async {
        let series = series(&client, &form).await?;
        if args.yes && !series.is_empty() {
            client.post_form("/api/v1/admin/tsdb/delete_series", &form).await.map_err(connect::failure)?;
        }
        Ok(series)
    })?;
    let deleted = args.yes && !series.is_empty();
    if ui.is_json() {
        ui.value(&Deleted { series: &series, deleted })?;
        return Ok(Answer::Good);
    }
    for metric in series.iter().take(SHOWN) {
        let line = ui.paint(Role::Plain, series_name(metric));
        ui.line(line);
    }
    if series.len() > SHOWN {
        ui.note(format!("and {} more", series.len() - SHOWN));
    }
    let count = if series.len() == 1 { "1 series".to_owned() } else { format!("{} series", series.len()) };
    let range = match (start, end) {
        (None, None) => "all samples".to_owned(),
        (Some(start), None) => format!("samples from {start} on"),
        (None, Some(end)) => format!("samples up to {end}"),
        (Some(start), Some(end)) => format!("samples from {start} to {end}"),
    };
    ui.note(match (series.is_empty(), deleted) {
        (true, _) => "no series has such samples".to_owned(),
        (false, true) => format!("deleted {range} of {count}; their space is freed when blocks are next written"),
        (false, false) => format!("nothing deleted yet: `--yes` deletes {range} of {count}"),
    });
    Ok(Answer::Good)
}

/// The series that would lose samples.
async fn series(client: &Client, form: &[(&str, String)]) -> Result<Vec<Labels>, Failure> {
    let text = client.post_form("/api/v1/series", form).await.map_err(connect::failure)?;
    let reply: SeriesReply =
        serde_json::from_str(&text).map_err(|e| connect::failure(ClientError::Reply(e.to_string())))?;
    Ok(reply.data)
}

fn understood(selector: &str, columns: usize) -> Result<(), Failure> {
    let Err(e) = parse_selector(selector) else { return Ok(()) };
    Err(match e.problems().first() {
        Some(problem) => pointed(selector, problem, columns),
        None => Failure::new(Kind::Usage, &e),
    })
}
