//! A container's CPU limit as Linux enforces it: a quota per period.
//!
//! # Models
//! A limit of L cores is L x 100 ms of CPU time in every 100 ms. When the quota is used up all
//! threads of the container wait for the next period, however idle the host is; what is left over
//! is lost.
//!
//! # Assumptions
//! - The quota is handed out continuously, not in slices of 5 ms per core. Effect: a container on
//!   several cores is stopped up to a slice earlier or later.
//! - Periods lie on a fixed grid with a random phase per container.
//!
//! # Source
//! Linux, Documentation/scheduler/sched-bwc.rst; Kubernetes `cpuCFSQuotaPeriod` (100 ms).

use super::moments::{after, nanos};
use meshsim_core::{SimDuration, SimTime};

/// The length of a period.
pub const PERIOD: SimDuration = SimDuration::from_nanos(100_000_000);

/// The state of one container's quota. Work is in nanoseconds of CPU time.
#[derive(Clone, Debug)]
pub struct CfsQuota {
    quota: f64,
    used: f64,
    period_end: SimTime,
    throttled: bool,
    throttled_periods: u64,
    /// For how long it was stopped (ns).
    throttled_nanos: u64,
}

impl CfsQuota {
    /// A limit of `cores`, whose first period ends at `phase` (a fraction 0 to 1 of a period).
    #[must_use]
    pub fn new(cores: f64, phase: f64) -> Self {
        let first_end = ((PERIOD.as_nanos_f64() * phase) as u64).clamp(1, PERIOD.as_nanos());
        Self {
            quota: cores * PERIOD.as_nanos_f64(),
            used: 0.0,
            period_end: SimTime::from_nanos(first_end),
            throttled: false,
            throttled_periods: 0,
            throttled_nanos: 0,
        }
    }

    /// Whether the container's threads wait for the next period.
    #[must_use]
    pub const fn is_throttled(&self) -> bool {
        self.throttled
    }

    /// In how many periods the container was stopped so far.
    #[must_use]
    pub const fn throttled_periods(&self) -> u64 {
        self.throttled_periods
    }

    /// For how long the container was stopped until `now`, where its account was brought up to date at `from` (ns).
    #[must_use]
    pub fn throttled_nanos(&self, from: SimTime, now: SimTime) -> u64 {
        let now = if self.throttled { self.period_end.min(now) } else { from };
        self.throttled_nanos + now.saturating_since(from).as_nanos()
    }

    /// Accounts for the time from `from` to `now`, in which the container used `rate` cores.
    /// Begins the period in which `now` lies; stops the container when its quota is used up.
    #[inline]
    pub fn advance(&mut self, from: SimTime, now: SimTime, rate: f64) {
        if self.throttled {
            self.throttled_nanos = self.throttled_nanos(from, now);
        }
        if now >= self.period_end {
            let begun = self.begin_period(now);
            self.used = rate * nanos(from.max(begun), now);
        } else {
            self.used += rate * nanos(from, now);
        }
        // Half a nanosecond: times are whole ones.
        if rate > 0.0 && self.used >= self.quota - 0.5 {
            self.throttled = true;
            self.throttled_periods += 1;
        }
    }

    /// Begins the period in which `now` lies: tells when it has begun.
    fn begin_period(&mut self, now: SimTime) -> SimTime {
        let behind = (now - self.period_end).as_nanos() % PERIOD.as_nanos();
        let begun = SimTime::from_nanos(now.as_nanos() - behind);
        self.period_end = begun + PERIOD;
        self.throttled = false;
        begun
    }

    /// When the state will change by itself if the container uses `rate` cores from `now` on: the
    /// quota runs out, or a stopped container goes on. At `now` the account is up to date.
    #[must_use]
    #[inline]
    pub fn next_change(&self, now: SimTime, rate: f64) -> Option<SimTime> {
        if self.throttled {
            return Some(self.period_end);
        }
        if rate <= 0.0 {
            return None;
        }
        let to_exhaust = (self.quota - self.used) / rate;
        if to_exhaust < nanos(now, self.period_end) {
            return Some(after(now, to_exhaust));
        }
        // A fresh quota lasts a whole period unless more than the limit is used.
        let whole = self.quota / rate;
        (whole < PERIOD.as_nanos_f64()).then(|| after(self.period_end, whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> SimTime {
        SimTime::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn two_busy_threads_under_one_core_are_stopped_halfway_through_each_period() {
        let mut quota = CfsQuota::new(1.0, 1.0);
        assert_eq!(quota.next_change(ms(0), 2.0), Some(ms(50)));
        quota.advance(ms(0), ms(50), 2.0);
        assert!(quota.is_throttled());
        assert_eq!(quota.next_change(ms(50), 0.0), Some(ms(100)));
        assert_eq!(
            [60, 100, 120].map(|now| quota.throttled_nanos(ms(50), ms(now)) / 1_000_000),
            [10, 50, 50]
        );
        quota.advance(ms(50), ms(100), 0.0);
        assert!(!quota.is_throttled());
        assert_eq!(quota.throttled_nanos(ms(100), ms(120)), 50_000_000);
        assert_eq!(quota.next_change(ms(100), 2.0), Some(ms(150)));
    }

    #[test]
    fn one_busy_thread_under_one_core_is_stopped_only_by_what_was_used_before() {
        let mut quota = CfsQuota::new(1.0, 1.0);
        assert_eq!(quota.next_change(ms(0), 1.0), None);
        quota.advance(ms(0), ms(40), 2.0);
        assert_eq!(quota.next_change(ms(40), 1.0), Some(ms(60)));
    }

    #[test]
    fn a_quota_is_not_saved_up() {
        let mut quota = CfsQuota::new(1.0, 1.0);
        quota.advance(ms(0), ms(950), 0.0);
        assert_eq!(quota.next_change(ms(950), 3.0), Some(SimTime::from_nanos(983_333_334)));
    }

    #[test]
    fn a_period_that_began_in_the_middle_of_a_stretch_counts_only_its_own_part() {
        let mut quota = CfsQuota::new(1.0, 1.0);
        quota.advance(ms(80), ms(130), 1.0);
        assert_eq!(quota.next_change(ms(130), 2.0), Some(ms(165)));
    }
}
