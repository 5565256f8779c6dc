//! Durations that are computed from the query's own times.

use crate::promql::ast::{BinaryOp, Duration, DurationExpr};
use crate::promql::value::{EvalError, Times};

/// The times of the whole query, in milliseconds, which `start()`, `end()`, `step()` and `range()` mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Zero for a single step.
    pub(crate) step: i64,
}

impl Context {
    pub(crate) const fn new(at: Times) -> Self {
        match at {
            Times::Instant(t) => Self { start: t, end: t, step: 0 },
            Times::Range { start, end, step } => Self { start, end, step },
        }
    }

    /// Length of the whole query in milliseconds.
    pub(crate) const fn range(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }
}

/// Milliseconds of a duration; only an offset may be zero or negative.
///
/// # Errors
/// It is not, or it divides by zero, or it is too long.
pub(crate) fn resolve(duration: &Duration, cx: &Context, offset: bool) -> Result<i64, EvalError> {
    let expr = match duration {
        Duration::Millis(ms) => return Ok(*ms),
        Duration::Computed(expr) => expr,
    };
    let seconds = seconds(expr, cx)?;
    if seconds <= 0.0 && !offset {
        return Err(EvalError::Execution("duration must be greater than 0".to_owned()));
    }
    let ms = seconds * 1000.0;
    // Prometheus counts nanoseconds in 64 bits.
    if !(-9_223_372_036_854.0..=9_223_372_036_854.0).contains(&ms) {
        return Err(EvalError::Execution("duration is out of range".to_owned()));
    }
    Ok(ms as i64)
}

fn seconds(expr: &DurationExpr, cx: &Context) -> Result<f64, EvalError> {
    Ok(match expr {
        DurationExpr::Number(n) => n.value,
        DurationExpr::Step => cx.step as f64 / 1000.0,
        DurationExpr::Range => cx.range() as f64 / 1000.0,
        DurationExpr::Min(a, b) => seconds(a, cx)?.min(seconds(b, cx)?),
        DurationExpr::Max(a, b) => seconds(a, cx)?.max(seconds(b, cx)?),
        DurationExpr::Negative(a) => -seconds(a, cx)?,
        DurationExpr::Positive(a) | DurationExpr::Paren(a) => seconds(a, cx)?,
        DurationExpr::Binary(op, a, b) => {
            let (a, b) = (seconds(a, cx)?, seconds(b, cx)?);
            match op {
                BinaryOp::Add => a + b,
                BinaryOp::Sub => a - b,
                BinaryOp::Mul => a * b,
                BinaryOp::Div if b == 0.0 => return Err(EvalError::Execution("division by zero".to_owned())),
                BinaryOp::Div => a / b,
                BinaryOp::Mod if b == 0.0 => return Err(EvalError::Execution("modulo by zero".to_owned())),
                BinaryOp::Mod => a % b,
                BinaryOp::Pow => a.powf(b),
                BinaryOp::Atan2
                | BinaryOp::Equal
                | BinaryOp::NotEqual
                | BinaryOp::Greater
                | BinaryOp::Less
                | BinaryOp::GreaterEqual
                | BinaryOp::LessEqual
                | BinaryOp::And
                | BinaryOp::Or
                | BinaryOp::Unless
                | BinaryOp::TrimUpper
                | BinaryOp::TrimLower => {
                    let text = format!("unexpected duration expression operator \"{}\"", op.text());
                    return Err(EvalError::Execution(text));
                }
            }
        }
    })
}
