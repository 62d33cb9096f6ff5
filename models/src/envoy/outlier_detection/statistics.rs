//! Ejection by statistics: a success rate below the others', or too many failures.
//!
//! # Models
//! At a tick, over the requests of the interval that ends there and the hosts in service with
//! enough of them: success rates below mean - factor x standard deviation (of the population) are
//! outliers; so are failure percentages at or above a fixed threshold.
//!
//! # Source
//! Envoy `outlier_detection_impl.cc`, `processSuccessRateEjections`, `successRateEjectionThreshold`.

use super::config::OutlierDetection;
use meshsim_core::elementary::sqrt;

/// The success rates of all hosts (percent).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Their mean.
    pub average: f64,
    /// Below it a host is an outlier.
    pub threshold: f64,
}

/// Requests of a host: in this interval, and in the one before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SuccessRate {
    current: Interval,
    before: Interval,
}

#[derive(Clone, Copy, Debug, Default)]
struct Interval {
    success: u32,
    total: u32,
}

impl SuccessRate {
    pub(super) fn count(&mut self, success: bool) {
        self.current.success += u32::from(success);
        self.current.total += 1;
    }

    pub(super) fn next_interval(&mut self) {
        self.before = std::mem::take(&mut self.current);
    }

    /// The success rate of the interval before (percent), if it had requests and at least `volume`.
    pub(super) fn rate(&self, volume: u32) -> Option<f64> {
        let Interval { success, total } = self.before;
        (total > 0 && total >= volume).then(|| f64::from(success) * 100.0 / f64::from(total))
    }
}

impl Statistics {
    /// Of the success rates of hosts with enough requests, if there are enough hosts.
    pub(super) fn of<I: Iterator<Item = f64>>(
        config: &OutlierDetection,
        rates: impl Fn() -> I,
    ) -> Option<Self> {
        let hosts = rates().count();
        if hosts == 0 || hosts < config.success_rate_minimum_hosts as usize {
            return None;
        }
        let average = rates().sum::<f64>() / hosts as f64;
        let variance = rates().map(|rate| (rate - average) * (rate - average)).sum::<f64>() / hosts as f64;
        let factor = f64::from(config.success_rate_stdev_factor) / 1000.0;
        Some(Self { average, threshold: average - factor * sqrt(variance) })
    }
}
