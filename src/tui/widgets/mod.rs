//! Parts of screens. Each takes data, a theme and a size, and accepts any size.

pub(crate) mod chart;
pub(crate) mod grid;
pub(crate) mod legend;
pub(crate) mod plot;
pub(crate) mod strip;
pub(crate) mod text;
