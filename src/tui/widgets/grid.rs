//! A grid of braille dots, two by four per character, in which every character remembers whose dots it
//! shows: a terminal gives a character one colour, so the last line drawn through it has it.

use crate::tui::theme::Theme;

/// Dots of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    cols: usize,
    rows: usize,
    cells: Vec<(u8, u8)>,
}

impl Grid {
    /// An empty grid of `cols` by `rows` characters.
    pub(crate) fn new(cols: usize, rows: usize) -> Self {
        Self { cols, rows, cells: vec![(0, 0); cols * rows] }
    }

    /// Dots across.
    pub(crate) fn width(&self) -> usize {
        self.cols * 2
    }

    /// Dots up.
    pub(crate) fn height(&self) -> usize {
        self.rows * 4
    }

    /// Sets a dot of `owner`; `y` counts from the bottom.
    pub(crate) fn set(&mut self, x: usize, y: usize, owner: u8) {
        // Unicode numbers the dots 1 2 3 7 down the left column and 4 5 6 8 down the right one.
        const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let Some(y) = (self.rows * 4).checked_sub(y + 1) else { return };
        if x >= self.width() {
            return;
        }
        if let Some(cell) = self.cells.get_mut(y / 4 * self.cols + x / 2) {
            *cell = (cell.0 | DOTS[y % 4][x % 2], owner);
        }
    }

    /// Draws from `a` to `b`; `on` says which dots of the way are set, counted from `a`.
    pub(crate) fn line(&mut self, a: (usize, usize), b: (usize, usize), owner: u8, mut on: impl FnMut(usize) -> bool) {
        let steps = a.0.abs_diff(b.0).max(a.1.abs_diff(b.1)).max(1);
        let at = |from: usize, to: usize, i: usize| {
            (from as f64 + (to as f64 - from as f64) * i as f64 / steps as f64).round() as usize
        };
        for i in 0..=steps {
            if on(i) {
                self.set(at(a.0, b.0, i), at(a.1, b.1, i), owner);
            }
        }
    }

    /// The characters of a row from the left: dots and owner; no dots, no owner.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (u8, u8)> {
        self.cells.iter().skip(row * self.cols).take(self.cols).copied()
    }

    /// A row as text, whoever owns it.
    pub(crate) fn text(&self, row: usize, theme: &Theme) -> String {
        self.row(row).map(|(bits, _)| theme.dots(bits)).collect()
    }
}
