//! Quantiles at equal steps, so that drawing costs a look-up.

/// Cells of a table.
const CELLS: usize = 1024;
/// So many cells at either end are not interpolated: the quantile is too curved there.
const EXACT_CELLS: usize = 8;

/// The quantiles of i / [`CELLS`] but for the ends.
#[derive(Clone, Debug)]
pub(super) struct QuantileTable(Box<[f64]>);

impl QuantileTable {
    /// Of this quantile function.
    pub(super) fn new(quantile: impl Fn(f64) -> f64) -> Self {
        let used = EXACT_CELLS..=CELLS - EXACT_CELLS;
        Self(used.map(|cell| quantile(cell as f64 / CELLS as f64)).collect())
    }

    /// The quantile of `p`; nothing near the ends.
    pub(super) fn get(&self, p: f64) -> Option<f64> {
        let position = p * CELLS as f64 - EXACT_CELLS as f64;
        // Saturates: what is below the first cell is the first cell.
        let cell = position as usize;
        if position < 0.0 || cell + 1 >= self.0.len() {
            return None;
        }
        let (low, high) = (self.0[cell], self.0[cell + 1]);
        Some(low + (high - low) * (position - cell as f64))
    }
}
