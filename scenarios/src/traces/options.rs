//! How a file of measurements is read.

use super::format::Format;
use super::input::Progress;

/// How to read a file.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Its format; told by its content if none is given.
    pub format: Option<Format>,
    /// Whether the first bad record is an error.
    pub strict: bool,
    /// Called for each MiB or so that was read.
    pub progress: &'a dyn Fn(Progress),
    /// So many requests are kept at most, of which a span counts as two; a file with more is refused.
    pub most_records: usize,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { format: None, strict: false, progress: &|_| {}, most_records: 32_000_000 }
    }
}
