//! Users who wait for their answers: the time that they think.

use crate::draws::{Purpose, draw};
use meshsim_core::SimDuration;
use meshsim_core::random::{Address, exponential, uniform};

/// Think time before the request at `address`, of this mean. The first one is a random part of it.
pub(super) fn think(mean: SimDuration, is_exponential: bool, address: Address, first: bool) -> SimDuration {
    let mut rng = draw(address, Purpose::ThinkTime);
    let nanos = mean.as_nanos() as f64;
    let time = match (is_exponential, first) {
        (true, _) => exponential(&mut rng, nanos),
        (false, true) => uniform(&mut rng) * nanos,
        (false, false) => nanos,
    };
    SimDuration::from_nanos_f64(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_think_times_begin_at_random() {
        let (mean, address) = (SimDuration::from_secs(2), Address::root(1, 0));
        assert_eq!(think(mean, false, address, false), mean);
        assert!(think(mean, false, address, true) < mean);
    }
}
