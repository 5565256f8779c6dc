//! Where scripts run: something that takes samples and answers queries.

use watchdog::base::labels::Labels;
use watchdog::promql::value::{Notes, Times, Value};

/// Samples of one series: times in milliseconds, and values.
pub type Samples = (Labels, Vec<(i64, f64)>);

/// Takes samples and answers queries.
pub trait Backend {
    /// Forgets all samples.
    fn clear(&mut self);

    /// Adds samples. Series come once per call; those of earlier calls may come again.
    fn load(&mut self, series: &[Samples]);

    /// Evaluates a query; an error is the text that a user sees.
    fn query(&mut self, query: &str, at: Times) -> Result<(Value, Notes), String>;
}
