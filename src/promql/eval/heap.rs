//! A heap that keeps the k best of the values offered to it, with its worst on top.
//!
//! Which of equal values stays depends on how a heap moves its entries; these moves are those of Go's
//! `container/heap`, so that the same series stay as in Prometheus. NaN is the worst value.

/// Which values are best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Largest,
    Smallest,
}

impl Order {
    /// Whether `a` must lie above `b`: it is worse.
    fn above(self, a: f64, b: f64) -> bool {
        a.is_nan() || self.worse(a, b)
    }

    fn worse(self, a: f64, b: f64) -> bool {
        match self {
            Self::Largest => a < b,
            Self::Smallest => a > b,
        }
    }
}

/// Values with the number of their series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heap(Vec<(f64, usize)>);

impl Heap {
    /// Room for so many entries is made at once.
    pub(crate) const FIRST: usize = 4;
    /// Bytes of an entry.
    pub(crate) const ENTRY: usize = size_of::<(f64, usize)>();

    fn push(&mut self, k: usize, entry: (f64, usize)) {
        if self.0.capacity() == 0 {
            self.0.reserve_exact(k.min(Self::FIRST));
        }
        self.0.push(entry);
    }

    /// The entries, in no order that means anything.
    pub(crate) fn entries(&self) -> &[(f64, usize)] {
        &self.0
    }

    /// The entries in the order in which they came, if only [`append`](Self::append) was used.
    pub(crate) fn into_entries(self) -> Vec<(f64, usize)> {
        self.0
    }

    /// The entries, best first.
    pub(crate) fn into_ranked(mut self, order: Order) -> Vec<(f64, usize)> {
        // Equal values keep the places that they have in the heap.
        self.0.sort_by(|(a, _), (b, _)| match (order.above(*a, *b), order.above(*b, *a)) {
            (true, false) => std::cmp::Ordering::Greater,
            (false, true) => std::cmp::Ordering::Less,
            (true, true) | (false, false) => std::cmp::Ordering::Equal,
        });
        self.0
    }

    /// Adds an entry as long as there are fewer than `k`. Gives whether there is one more.
    pub(crate) fn append(&mut self, k: usize, value: f64, series: usize) -> bool {
        let room = self.0.len() < k;
        if room {
            self.push(k, (value, series));
        }
        room
    }

    /// Keeps an entry if it is among the best `k` so far. Gives whether there is one more.
    pub(crate) fn offer(&mut self, order: Order, k: usize, value: f64, series: usize) -> bool {
        if self.0.len() < k {
            self.push(k, (value, series));
            self.up(order);
            return true;
        }
        if let Some(worst) = self.0.first_mut()
            && (order.worse(worst.0, value) || (worst.0.is_nan() && !value.is_nan()))
        {
            *worst = (value, series);
            self.down(order);
        }
        false
    }

    fn up(&mut self, order: Order) {
        let mut i = self.0.len() - 1;
        while i > 0 {
            let parent = (i - 1) / 2;
            if !order.above(self.0[i].0, self.0[parent].0) {
                break;
            }
            self.0.swap(i, parent);
            i = parent;
        }
    }

    fn down(&mut self, order: Order) {
        let mut i = 0;
        loop {
            let left = 2 * i + 1;
            if left >= self.0.len() {
                break;
            }
            let right = left + 1;
            let child = if right < self.0.len() && order.above(self.0[right].0, self.0[left].0) { right } else { left };
            if !order.above(self.0[child].0, self.0[i].0) {
                break;
            }
            self.0.swap(i, child);
            i = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(order: Order, k: usize, values: &[f64]) -> Vec<f64> {
        let mut heap = Heap::default();
        for (i, v) in values.iter().enumerate() {
            heap.offer(order, k, *v, i);
        }
        heap.into_ranked(order).into_iter().map(|(v, _)| v).collect()
    }

    #[test]
    fn the_best_stay_and_come_best_first() {
        let values = [3.0, 9.0, 1.0, 7.0, 5.0, 9.5];
        assert_eq!(keep(Order::Largest, 3, &values), [9.5, 9.0, 7.0]);
        assert_eq!(keep(Order::Smallest, 3, &values), [1.0, 3.0, 5.0]);
        assert_eq!(keep(Order::Largest, 9, &values).len(), 6);
        assert!(keep(Order::Largest, 0, &values).is_empty());
    }

    #[test]
    fn nan_stays_only_where_there_is_room() {
        assert_eq!(keep(Order::Largest, 2, &[f64::NAN, 1.0, 2.0]), [2.0, 1.0]);
        assert_eq!(keep(Order::Smallest, 2, &[f64::NAN, 1.0, 2.0]), [1.0, 2.0]);
        assert!(keep(Order::Smallest, 3, &[1.0, f64::NAN])[1].is_nan());
    }
}
