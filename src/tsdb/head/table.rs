//! A hash table from label sets to slots, eight bytes an entry.
//!
//! The label sets themselves are elsewhere; the table keeps 32 bits of each hash, so that growing reads
//! none of them and a lookup almost never compares in vain.

/// Open addressing, linear probing, at most three quarters full.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Upper half: hash. Lower half: slot + 1; zero for a free entry.
    entries: Vec<u64>,
    used: usize,
}

const SMALLEST: usize = 64;

fn entry(hash: u32, slot: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(slot + 1)
}

impl Table {
    /// The slot with this hash that `is` accepts.
    pub(crate) fn find(&self, hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.entries.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let entry = self.entries[at];
            if entry == 0 {
                return None;
            }
            let slot = (entry as u32).wrapping_sub(1);
            if (entry >> 32) as u32 == hash && is(slot) {
                return Some(slot);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a slot that is not in the table.
    pub(crate) fn insert(&mut self, hash: u32, slot: u32) {
        if (self.used + 1) * 4 > self.entries.len() * 3 {
            let larger = (self.entries.len() * 2).max(SMALLEST);
            self.rebuild(larger, Some);
        }
        Self::place(&mut self.entries, entry(hash, slot));
        self.used += 1;
    }

    /// Gives slots other numbers, removes those that have none, and gives memory back. `left` have one.
    pub(crate) fn renumber(&mut self, left: usize, number: impl FnMut(u32) -> Option<u32>) {
        let size = (left * 2).next_power_of_two().max(SMALLEST);
        self.rebuild(size, number);
    }

    fn rebuild(&mut self, size: usize, mut number: impl FnMut(u32) -> Option<u32>) {
        let mut entries = vec![0; size];
        self.used = 0;
        for &old in self.entries.iter().filter(|e| **e != 0) {
            if let Some(slot) = number(old as u32 - 1) {
                Self::place(&mut entries, entry((old >> 32) as u32, slot));
                self.used += 1;
            }
        }
        self.entries = entries;
    }

    fn place(entries: &mut [u64], entry: u64) {
        let mask = entries.len() - 1;
        let mut at = (entry >> 32) as usize & mask;
        while entries[at] != 0 {
            at = (at + 1) & mask;
        }
        entries[at] = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_until_removed() {
        let mut table = Table::default();
        // Few hashes, so that they collide.
        let hash = |slot: u32| slot % 97;
        assert_eq!(table.find(0, |_| true), None);
        for slot in 0..5_000 {
            table.insert(hash(slot), slot);
        }
        let number = |slot: u32| (!slot.is_multiple_of(3)).then(|| slot - slot / 3 - 1);
        table.renumber(3_333, number);
        for slot in 0..5_000 {
            assert_eq!(number(slot).and_then(|n| table.find(hash(slot), |s| s == n)), number(slot));
        }
        assert_eq!(table.used, 3_333);
    }
}
