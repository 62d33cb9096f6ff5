//! Ejection by statistics: a success rate below the others', or too many failures.
//!
//! # Models
//! At a tick, over the requests of the interval that ends there and the hosts in service with
//! enough of them: success rates below mean - factor x standard deviation (of the population) are
//! outliers; so are failure percentages at or above a fixed threshold.
//!
//! # Source
//! Envoy `outlier_detection_impl.cc`, `processSuccessRateEjections`, `successRateEjectionThreshold`.

use super::{AtTick, Detector, EjectionType, Host, OutlierDetection};
use meshsim_core::SimTime;
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

/// One of the two origins: where its counts are, and what its ejections are called.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    of: fn(&Host) -> &SuccessRate,
    success_rate: EjectionType,
    failure_percentage: EjectionType,
}

/// What hosts answer.
pub(super) const EXTERNAL: Origin = Origin {
    of: |host| &host.external_origin,
    success_rate: EjectionType::SuccessRate,
    failure_percentage: EjectionType::FailurePercentage,
};

/// What this side sees of the way to them.
pub(super) const LOCAL: Origin = Origin {
    of: |host| &host.local_origin,
    success_rate: EjectionType::SuccessRateLocalOrigin,
    failure_percentage: EjectionType::FailurePercentageLocalOrigin,
};

impl SuccessRate {
    pub(super) fn count(&mut self, success: bool) {
        self.current.success += u32::from(success);
        self.current.total += 1;
    }

    pub(super) fn next_interval(&mut self) {
        self.before = std::mem::take(&mut self.current);
    }

    /// The success rate of the interval before (percent), if it had requests and at least `volume`.
    fn rate(&self, volume: u32) -> Option<f64> {
        let Interval { success, total } = self.before;
        (total > 0 && total >= volume).then(|| f64::from(success) * 100.0 / f64::from(total))
    }
}

impl Detector {
    /// Ejects the outliers of one origin.
    pub(super) fn judge(
        &mut self,
        config: &OutlierDetection,
        origin: Origin,
        now: SimTime,
        report: &mut impl FnMut(AtTick),
    ) {
        let least = config.success_rate_minimum_hosts.min(config.failure_percentage_minimum_hosts);
        if self.present < least {
            return;
        }
        // Both judge the hosts that are in service now, before either ejects.
        for host in &mut self.hosts {
            host.judged = host.present && host.ejected_at.is_none();
        }
        let statistics = self.statistics(config, origin);
        let judged_by_failures = self.judged(origin, config.failure_percentage_request_volume).count();
        if let Some(found) = statistics {
            report(AtTick::Threshold(origin.success_rate, found));
            let volume = config.success_rate_request_volume;
            let low = |rate| rate < found.threshold;
            self.eject_where(config, origin, (volume, origin.success_rate), low, now, report);
        }
        if judged_by_failures >= config.failure_percentage_minimum_hosts as usize {
            let volume = config.failure_percentage_request_volume;
            let threshold = f64::from(config.failure_percentage_threshold);
            let high = |rate| 100.0 - rate >= threshold;
            self.eject_where(config, origin, (volume, origin.failure_percentage), high, now, report);
        }
    }

    fn eject_where(
        &mut self,
        config: &OutlierDetection,
        origin: Origin,
        (volume, kind): (u32, EjectionType),
        outlier: impl Fn(f64) -> bool,
        now: SimTime,
        report: &mut impl FnMut(AtTick),
    ) {
        for host in 0..self.hosts.len() {
            let it = &self.hosts[host];
            let rate = if it.judged { (origin.of)(it).rate(volume) } else { None };
            if rate.is_some_and(&outlier) && self.eject(config, host, kind, now) {
                report(AtTick::Ejected(host, kind));
            }
        }
    }

    /// The success rates of the judged hosts with at least `volume` requests.
    fn judged(&self, origin: Origin, volume: u32) -> impl Iterator<Item = f64> + '_ {
        let hosts = self.hosts.iter().filter(|host| host.judged);
        hosts.filter_map(move |host| (origin.of)(host).rate(volume))
    }

    fn statistics(&self, config: &OutlierDetection, origin: Origin) -> Option<Statistics> {
        let rates = || self.judged(origin, config.success_rate_request_volume);
        let hosts = rates().count();
        if hosts == 0 || hosts < config.success_rate_minimum_hosts as usize {
            return None;
        }
        let average = rates().sum::<f64>() / hosts as f64;
        let variance = rates().map(|rate| (rate - average) * (rate - average)).sum::<f64>() / hosts as f64;
        let factor = f64::from(config.success_rate_stdev_factor) / 1000.0;
        Some(Statistics { average, threshold: average - factor * sqrt(variance) })
    }
}
