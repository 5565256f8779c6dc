//! `watchdog silence expire|extend`.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::base::failure::{Failure, Kind};
use crate::cli::commands::alert::short_id;
use crate::cli::commands::silence::all;
use crate::cli::times::{length, when};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::client::path_segment;
use crate::wire::alerting::{SilenceRequest, SilenceRow, SilenceState};

/// Arguments of `silence expire`.
#[derive(Args, Debug)]
pub struct ExpireArgs {
    /// Ids of the silences, or their beginnings
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
}

/// Arguments of `silence extend`.
#[derive(Args, Debug)]
pub struct ExtendArgs {
    /// Id of the silence, or its beginning
    #[arg(value_name = "ID")]
    pub id: String,
    /// By how much its end moves
    #[arg(long = "for", value_name = "DURATION", value_parser = length)]
    pub length: Duration,
}

/// What `--json` prints of `silence expire`.
#[derive(Serialize)]
struct Expired<'a> {
    expired: Vec<&'a str>,
}

/// Ends silences, and goes on behind one that cannot be ended.
///
/// # Errors
/// Nobody answers; or, of a single one, that it is over, a file's, or not known.
pub fn expire(args: &ExpireArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let mut answer = Answer::Good;
    let mut expired = Vec::new();
    for id in &args.ids {
        let path = format!("/api/v1/silences/{}", path_segment(id));
        match connect::block_on(async { client.delete::<Value>(&path).await.map_err(connect::failure) }) {
            Ok(_) => expired.push(id.as_str()),
            Err(failure) if failure.kind() == Kind::NoServer || args.ids.len() == 1 => return Err(failure),
            Err(failure) => {
                ui.failure(&failure);
                answer = Answer::Bad;
            }
        }
    }
    if ui.is_json() {
        ui.value(&Expired { expired })?;
    } else {
        for id in expired {
            let id = ui.paint(Role::Plain, id);
            ui.line(format_args!("{id}: over; what it hid is told from now on"));
        }
    }
    Ok(answer)
}

/// Moves the end of a silence.
///
/// # Errors
/// Nobody answers, it is over, a file's, or not known.
pub fn extend(args: &ExtendArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let changed: SilenceRow = connect::block_on(async {
        let silence = named(all(&client).await?, &args.id)?;
        let request = SilenceRequest {
            ends_at: Some(silence.ends_at.plus(args.length)),
            id: Some(silence.id),
            matchers: silence.matchers,
            starts_at: Some(silence.starts_at),
            length: None,
            until_resolved: silence.until_resolved,
            created_by: silence.created_by,
            comment: silence.comment,
        };
        client.post("/api/v1/silences", &request).await.map_err(connect::failure)
    })?;
    if ui.is_json() {
        ui.value(&changed)?;
    } else {
        let ends = when(changed.ends_at, cx.clock.now());
        ui.line(format_args!("{}: until {ends}", short_id(&changed.id)));
    }
    Ok(Answer::Good)
}

/// The one that `text` is, or begins, of those that are not over.
fn named(silences: Vec<SilenceRow>, text: &str) -> Result<SilenceRow, Failure> {
    let mut found: Vec<SilenceRow> =
        silences.into_iter().filter(|s| s.id == text || (text.len() >= 4 && s.id.starts_with(text))).collect();
    if let Some(exact) = found.iter().position(|s| s.id == text) {
        found = vec![found.swap_remove(exact)];
    }
    match (found.pop(), found.pop()) {
        (None, _) => Err(Failure::text(Kind::NotFound, format!("there is no silence `{text}`"))
            .hint("`watchdog silence list` shows all")),
        (Some(a), Some(b)) => Err(Failure::text(Kind::Usage, format!("`{text}` begins several silences"))
            .hint(format!("`{}`", a.id))
            .hint(format!("`{}`", b.id))),
        (Some(one), None) => match (&one.source, one.state) {
            (Some(source), _) => {
                Err(Failure::text(Kind::Usage, format!("that silence stands in {source}")).hint("change its end there"))
            }
            (None, SilenceState::Expired) => Err(Failure::text(Kind::Usage, format!("silence {} is over", one.id))
                .hint("make another with `watchdog silence add`")),
            (None, SilenceState::Active | SilenceState::Pending) => Ok(one),
        },
    }
}
