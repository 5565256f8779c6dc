//! `watchdog reload`.

use clap::Args;

use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done, connect};
use crate::wire::api::{Level, Problem, Reloaded};

/// Arguments of `reload`.
#[derive(Args, Debug)]
pub struct ReloadArgs {}

/// Has the server load its configuration, and tells what changed. Errors in it give exit code 1.
///
/// # Errors
/// Nobody answers, or the server refuses.
pub fn run(_args: &ReloadArgs, ui: &mut Ui, cx: &Context) -> Done {
    let client = connect::client(&cx.settings)?;
    let reloaded =
        connect::block_on(async { client.post::<_, Reloaded>("/api/v1/reload", &()).await.map_err(connect::failure) })?;
    let answer = match reloaded.problems.iter().any(|p| p.level == Level::Error) {
        true => Answer::Bad,
        false => Answer::Good,
    };
    if ui.is_json() {
        ui.value(&reloaded)?;
        return Ok(answer);
    }
    let Reloaded { added, changed, removed, unchanged, problems } = reloaded;
    ui.line(format_args!(
        "reloaded: {} added, {} changed, {} removed, {unchanged} unchanged",
        added.len(),
        changed.len(),
        removed.len()
    ));
    for (sign, role, names) in [("+", Role::Good, added), ("~", Role::Warn, changed), ("-", Role::Bad, removed)] {
        for name in names {
            let (sign, name) = (ui.paint(role, sign), ui.paint(Role::Plain, name));
            ui.line(format_args!("  {sign} {name}"));
        }
    }
    self::problems(ui, &problems);
    Ok(answer)
}

/// Prints configuration problems: position, code, message, hint.
pub fn problems(ui: &mut Ui, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    let heading = ui.paint(Role::Strong, "configuration problems");
    ui.line(format_args!("\n{heading}"));
    for p in problems {
        let (role, word) = match p.level {
            Level::Error => (Role::Bad, "error"),
            Level::Warning => (Role::Warn, "warning"),
        };
        let place = match p.line {
            0 => p.file.clone(),
            line => format!("{}:{line}:{}", p.file, p.column),
        };
        let head = ui.paint(role, format!("{word}[{}]", p.code));
        let (place, message) = (ui.paint(Role::Strong, place), ui.paint(Role::Plain, &p.message));
        ui.line(format_args!("  {place}  {head}  {message}"));
        if !p.hint.is_empty() {
            let hint = ui.paint(Role::Dim, format!("hint: {}", p.hint));
            ui.line(format_args!("    {hint}"));
        }
    }
}
