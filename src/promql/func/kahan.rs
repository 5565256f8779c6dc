//! Sums with little error: Neumaier's variant of Kahan's summation, step for step as Prometheus adds, so that
//! results have the same last bits.

/// A running sum and what rounding lost from it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// The rounded sum.
    pub sum: f64,
    /// To be added to it.
    pub lost: f64,
}

impl Sum {
    /// Adds a value. An overflowing sum has lost nothing that counts.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        if sum.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - sum) + value;
        } else {
            self.lost += (value - sum) + self.sum;
        }
        self.sum = sum;
    }

    /// The sum, with what was lost.
    #[inline]
    pub fn value(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }

    /// The sum of both, of which neither may overflow.
    #[inline]
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.add(other.sum);
        self.lost += other.lost;
        self
    }
}
