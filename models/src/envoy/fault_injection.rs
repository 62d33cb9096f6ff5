//! Faults that a client's proxy injects, to see what becomes of them.
//!
//! # Models
//! A delay before the request goes on, then perhaps an answer instead of it (flag FI). Each befalls
//! its own share of the requests, drawn independently. The filter stands before the router: a
//! route's time-out begins after the delay.
//!
//! # Source
//! Envoy, HTTP filter `fault` (`fault_filter.cc`, `decodeHeaders`); Istio, `HTTPFaultInjection`.

use crate::draws::{Purpose, draw};
use meshsim_core::SimDuration;
use meshsim_core::random::{Address, bernoulli};

/// What is injected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultInjection {
    /// A delay, and of how many requests (percent).
    pub delay: Option<(SimDuration, f64)>,
    /// A status in place of an answer, and of how many requests (percent).
    pub abort: Option<(u16, f64)>,
}

impl FaultInjection {
    /// Whether nothing is injected.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.delay.is_none() && self.abort.is_none()
    }

    /// The delay of the request at `address`.
    #[must_use]
    pub fn delay_of(&self, address: Address) -> Option<SimDuration> {
        let (delay, percent) = self.delay?;
        bernoulli(&mut draw(address, Purpose::FaultDelay), percent / 100.0).then_some(delay)
    }

    /// The status in place of an answer to the request at `address`.
    #[must_use]
    pub fn abort_of(&self, address: Address) -> Option<u16> {
        let (status, percent) = self.abort?;
        bernoulli(&mut draw(address, Purpose::FaultAbort), percent / 100.0).then_some(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_befalls_its_share() {
        let fault =
            FaultInjection { delay: Some((SimDuration::from_secs(1), 30.0)), abort: Some((503, 10.0)) };
        let (mut delays, mut aborts, mut both) = (0, 0, 0);
        for k in 0..100_000 {
            let address = Address::root(1, 0).child(k);
            let (delay, abort) = (fault.delay_of(address).is_some(), fault.abort_of(address).is_some());
            delays += u32::from(delay);
            aborts += u32::from(abort);
            both += u32::from(delay && abort);
        }
        // Standard deviations: 145, 95 and 54.
        assert!((29_400..30_600).contains(&delays), "{delays}");
        assert!((9_600..10_400).contains(&aborts), "{aborts}");
        assert!((2_780..3_220).contains(&both), "{both}");
    }
}
