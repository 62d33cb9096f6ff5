//! A log-linear histogram of nanoseconds with 32-bit counters: 64 cells for each power of two, within 1.6 %.

const LINEAR_BITS: u32 = 6;
const CELLS: usize = (64 - LINEAR_BITS as usize) << LINEAR_BITS;

pub(crate) struct Histogram {
    cells: Box<[u32]>,
    sum: u64,
    count: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { cells: vec![0; CELLS].into(), sum: 0, count: 0 }
    }

    pub(crate) fn record(&mut self, nanos: u64) {
        self.cells[cell(nanos)] += 1;
        self.sum += nanos;
        self.count += 1;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn mean_ns(&self) -> f64 {
        self.sum as f64 / self.count as f64
    }

    /// The lower end of the cell in which the quantile is.
    pub(crate) fn quantile_ns(&self, p: f64) -> u64 {
        let mut left = (p * self.count as f64) as u64;
        for (index, &count) in self.cells.iter().enumerate() {
            if left < u64::from(count) {
                return lower_end(index);
            }
            left -= u64::from(count);
        }
        u64::MAX
    }
}

fn cell(nanos: u64) -> usize {
    let shift = (63 - (nanos | (1 << LINEAR_BITS)).leading_zeros()) - LINEAR_BITS;
    ((shift as usize) << LINEAR_BITS) + (nanos >> shift) as usize
}

fn lower_end(index: usize) -> u64 {
    let shift = (index >> LINEAR_BITS).saturating_sub(1);
    ((index - (shift << LINEAR_BITS)) as u64) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_within_its_cell() {
        for nanos in [0, 1, 63, 64, 127, 128, 129, 5_000, 80_000_000, u64::MAX / 4] {
            let (low, high) = (lower_end(cell(nanos)), lower_end(cell(nanos) + 1));
            assert!(low <= nanos && nanos < high, "{nanos} is in {low}..{high}");
        }
    }
}
