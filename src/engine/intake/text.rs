//! A body of exposition text → samples and descriptions, in portions.

use std::collections::BTreeMap;

use crate::base::exposition::{Format, Line, LineError, Parser};
use crate::base::labels::LabelsBuf;
use crate::base::metadata::Meta;
use crate::base::time::Timestamp;
use crate::engine::intake::series::Admission;
use crate::engine::intake::write::Decoded;
use crate::engine::intake::{IntakeError, PORTION, Taken};
use crate::tsdb::Batch;

/// Most lines whose mistakes are named one by one.
const NAMED_LINES: usize = 100;

/// Reads `text`; `append` stores a portion. Samples without a time are of `now`.
pub(super) fn take(
    text: &[u8],
    format: Format,
    now: Timestamp,
    admit: &mut Admission<'_>,
    batch: &mut Batch,
    mut append: impl FnMut(&Batch, &mut Taken) -> Result<(), IntakeError>,
) -> Result<(Taken, BTreeMap<String, Meta>), IntakeError> {
    let mut taken = Taken::default();
    let mut decoded = Decoded::default();
    let mut described: BTreeMap<String, Meta> = BTreeMap::new();
    let mut labels = LabelsBuf::default();
    let mut parser = Parser::new(format);
    batch.clear();
    // `split` would give an empty line after the last end, which says nothing.
    for (n, line) in text.split(|b| *b == b'\n').enumerate() {
        let line = match std::str::from_utf8(line) {
            Ok(line) => parser.line(line, &mut labels),
            Err(_) => Err(LineError::NotUtf8),
        };
        match line {
            Ok(Line::Sample(v, t)) => {
                let sample = [(t.unwrap_or(now.millis()), v)];
                admit.add(Ok(()), &labels, &sample, batch, &mut decoded);
                if batch.len() >= PORTION {
                    append(batch, &mut taken)?;
                    batch.clear();
                }
            }
            Ok(Line::Type(name, kind)) => described.entry(name.to_owned()).or_default().kind = kind,
            Ok(Line::Help(name, help)) => described.entry(name.to_owned()).or_default().help = help.into_owned(),
            Ok(Line::Unit(name, unit)) => unit.clone_into(&mut described.entry(name.to_owned()).or_default().unit),
            Ok(Line::End | Line::Nothing) => {}
            Err(e) => {
                taken.bad_line_count += 1;
                if taken.bad_lines.len() < NAMED_LINES {
                    taken.bad_lines.push((n + 1, e.to_string()));
                }
            }
        }
    }
    if !batch.is_empty() {
        append(batch, &mut taken)?;
    }
    taken.merge(&decoded);
    Ok((taken, described))
}
