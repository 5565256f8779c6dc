//! What could not be read: counted and told, never guessed.

/// Notes kept; further ones are only counted.
const NOTES: usize = 16;

/// Parts of files that were skipped because they are damaged or could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// How many.
    pub count: u64,
    /// The first of them in words.
    pub notes: Vec<String>,
}

impl Damage {
    /// Notes one.
    pub fn add(&mut self, note: impl FnOnce() -> String) {
        self.count += 1;
        if self.notes.len() < NOTES {
            let note = note();
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Takes over what another part of the work found.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        for note in other.notes {
            if self.notes.len() < NOTES && !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Whether all could be read.
    pub const fn is_none(&self) -> bool {
        self.count == 0
    }
}
