//! Arrivals at a rate that never changes: Poisson, or at equal distances.

use crate::draws::{Purpose, draw};
use meshsim_core::SimDuration;
use meshsim_core::random::{Address, exponential};

/// Time before the request at `address` of a Poisson process.
pub(super) fn poisson_gap(per_second: f64, address: Address) -> SimDuration {
    let mean = 1e9 / per_second;
    SimDuration::from_nanos_f64(exponential(&mut draw(address, Purpose::Interarrival), mean))
}

/// Time before each request at equal distances.
pub(super) fn constant_gap(per_second: f64) -> SimDuration {
    SimDuration::from_nanos_f64(1e9 / per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_gaps_are_those_of_the_rate() {
        let gap = |k| poisson_gap(50.0, Address::root(1, 0).child(k)).as_secs_f64();
        let mean = (0..40_000).map(gap).sum::<f64>() / 40_000.0;
        // Standard error: 0.5 %.
        assert!((mean - 0.02).abs() < 0.0004, "{mean}");
        assert_eq!(constant_gap(50.0), SimDuration::from_millis(20));
    }
}
