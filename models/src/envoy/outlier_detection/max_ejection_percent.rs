//! How many hosts may be ejected at once.
//!
//! # Models
//! Of so many hosts at most `max_ejection_percent` may be ejected, and always one if the policy says so. A share that
//! is no whole number of hosts is rounded down.
//!
//! # Source
//! Envoy `outlier_detection_impl.cc`, `DetectorImpl::ejectHost` ("Note this is not currently checked per-priority
//! level"; `ejected_percent <= max_ejection_percent`, of the host to be ejected too).

use super::config::OutlierDetection;

impl OutlierDetection {
    /// Whether so many of so many hosts may be ejected.
    #[must_use]
    pub fn allows(&self, ejected: u32, hosts: u32) -> bool {
        let share = u64::from(self.max_ejection_percent.min(100)) * u64::from(hosts);
        100 * u64::from(ejected) <= share || (self.always_eject_one_host && ejected <= 1)
    }

    /// Whether this policy can eject one of so many hosts at all.
    #[must_use]
    pub fn can_eject(&self, hosts: u32) -> bool {
        hosts > 0 && self.allows(1, hosts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_after_the_ejection() {
        let most = |max_ejection_percent, always_eject_one_host, hosts| {
            let config = OutlierDetection {
                max_ejection_percent,
                always_eject_one_host,
                ..OutlierDetection::default()
            };
            (0..=hosts).rev().find(|&ejected| config.allows(ejected, hosts)).unwrap()
        };
        assert_eq!([9, 10, 19, 20].map(|hosts| most(10, false, hosts)), [0, 1, 1, 2]);
        assert_eq!([1, 9, 20].map(|hosts| most(10, true, hosts)), [1, 1, 2]);
        assert_eq!([0, 3].map(|hosts| most(200, false, hosts)), [0, 3]);
    }

    #[test]
    fn whole_numbers_say_what_envoys_division_says() {
        for (percent, hosts) in (0..=100).flat_map(|percent| (1..60).map(move |hosts| (percent, hosts))) {
            let config = OutlierDetection { max_ejection_percent: percent, ..OutlierDetection::default() };
            for ejected in 1..=hosts {
                let share = 100.0 * f64::from(ejected) / f64::from(hosts);
                assert_eq!(
                    config.allows(ejected, hosts),
                    share <= f64::from(percent),
                    "{ejected} of {hosts}"
                );
            }
        }
    }
}
