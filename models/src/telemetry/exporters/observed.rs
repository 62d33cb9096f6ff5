//! How long something took, as a histogram of Prometheus' has it.

use meshsim_core::SimDuration;

/// How many, their sum, and how many in each bucket, of which there is one more than there are bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed<const BUCKETS: usize> {
    /// How many.
    pub count: u64,
    /// Their sum (ns).
    pub nanos: u64,
    /// In each bucket, not in those below it.
    pub buckets: [u64; BUCKETS],
}

impl<const BUCKETS: usize> Default for Observed<BUCKETS> {
    fn default() -> Self {
        Self { count: 0, nanos: 0, buckets: [0; BUCKETS] }
    }
}

impl<const BUCKETS: usize> Observed<BUCKETS> {
    /// It takes so long, among buckets with these upper bounds (ms).
    pub(super) fn observe(&mut self, took: SimDuration, bounds_ms: &[f64]) {
        let ms = took.as_nanos_f64() / 1e6;
        self.count += 1;
        self.nanos += took.as_nanos();
        self.buckets[bounds_ms.partition_point(|bound| *bound < ms)] += 1;
    }
}
