//! `watchdog tsdb verify`.

use clap::Args;
use serde::Serialize;

use crate::cli::commands::tsdb::{Place, size};
use crate::cli::ui::{Role, Ui};
use crate::cli::{Answer, Context, Done};
use crate::tsdb::inspect;

/// Arguments of `tsdb verify`.
#[derive(Args, Debug)]
pub struct VerifyArgs {}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    files: usize,
    bytes: u64,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Problem {
    file: String,
    problem: String,
}

/// Runs the command.
///
/// # Errors
/// There is no store, or it cannot be read.
pub fn run(_: &VerifyArgs, ui: &mut Ui, cx: &Context) -> Done {
    let place = Place::find(ui, cx)?;
    let verdict = inspect::verify(&place.dir).map_err(|e| place.failure(&e))?;
    let of = |p: inspect::Problem| Problem { file: p.path.display().to_string(), problem: p.what };
    let report =
        Report { files: verdict.files, bytes: verdict.bytes, problems: verdict.problems.into_iter().map(of).collect() };
    let answer = if report.problems.is_empty() { Answer::Good } else { Answer::Bad };
    if ui.is_json() {
        ui.value(&report)?;
        return Ok(answer);
    }
    for p in &report.problems {
        let (file, problem) = (ui.paint(Role::Strong, &p.file), ui.paint(Role::Bad, &p.problem));
        ui.line(format_args!("{file}: {problem}"));
    }
    if place.in_use && !report.problems.is_empty() {
        ui.note("what the server was writing at that moment looks unfinished; check again before worrying");
    }
    let size = size(report.bytes);
    ui.line(match report.problems.len() {
        0 => ui.paint(Role::Good, format!("ok: {} files, {size}", report.files)),
        1 => ui.paint(Role::Bad, format!("1 problem in {} files, {size}", report.files)),
        n => ui.paint(Role::Bad, format!("{n} problems in {} files, {size}", report.files)),
    });
    Ok(answer)
}
