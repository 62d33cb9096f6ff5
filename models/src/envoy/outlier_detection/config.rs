//! What outlier detection is told.
//!
//! # Models
//! Envoy's settings with Envoy's defaults. What Istio sets of them is in `istiod/cluster_policy`.
//!
//! # Assumptions
//! The `enforcing_*` settings are percentages in Envoy; here 100 (true) or 0 (false).
//!
//! # Source
//! Envoy, API `config.cluster.v3.OutlierDetection`.

use super::ejection_type::EjectionType;
use meshsim_core::SimDuration;

/// The settings, by Envoy's names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlierDetection {
    /// Time between ticks.
    pub interval: SimDuration,
    /// How long the first ejection lasts at least.
    pub base_ejection_time: SimDuration,
    /// The longest ejection; absent: 300 s, or the base if that is longer.
    pub max_ejection_time: Option<SimDuration>,
    /// 5xx in a row; 0 never fires.
    pub consecutive_5xx: u32,
    /// Gateway errors in a row; 0 never fires.
    pub consecutive_gateway_failure: u32,
    /// Local-origin failures in a row; 0 never fires.
    pub consecutive_local_origin_failure: u32,
    /// The largest part of the hosts that may be ejected at once (percent).
    pub max_ejection_percent: u32,
    /// Whether one host may be ejected whatever the percentage.
    pub always_eject_one_host: bool,
    /// Whether errors of this side are counted apart from those of the hosts.
    pub split_external_local_origin_errors: bool,
    /// Hosts with enough requests that a success rate needs.
    pub success_rate_minimum_hosts: u32,
    /// Requests per interval that make a host count for it.
    pub success_rate_request_volume: u32,
    /// Standard deviations below the mean that are too low (thousandths).
    pub success_rate_stdev_factor: u32,
    /// Failures that are too many (percent).
    pub failure_percentage_threshold: u32,
    /// Hosts with enough requests that a failure percentage needs.
    pub failure_percentage_minimum_hosts: u32,
    /// Requests per interval that make a host count for it.
    pub failure_percentage_request_volume: u32,
    /// Whether 5xx in a row eject.
    pub enforcing_consecutive_5xx: bool,
    /// Whether gateway errors in a row eject.
    pub enforcing_consecutive_gateway_failure: bool,
    /// Whether local-origin failures in a row eject.
    pub enforcing_consecutive_local_origin_failure: bool,
    /// Whether a low success rate ejects.
    pub enforcing_success_rate: bool,
    /// Whether a low success rate of local origin ejects.
    pub enforcing_local_origin_success_rate: bool,
    /// Whether too many failures eject.
    pub enforcing_failure_percentage: bool,
    /// Whether too many failures of local origin eject.
    pub enforcing_failure_percentage_local_origin: bool,
}

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            interval: SimDuration::from_secs(10),
            base_ejection_time: SimDuration::from_secs(30),
            max_ejection_time: None,
            consecutive_5xx: 5,
            consecutive_gateway_failure: 5,
            consecutive_local_origin_failure: 5,
            max_ejection_percent: 10,
            always_eject_one_host: false,
            split_external_local_origin_errors: false,
            success_rate_minimum_hosts: 5,
            success_rate_request_volume: 100,
            success_rate_stdev_factor: 1900,
            failure_percentage_threshold: 85,
            failure_percentage_minimum_hosts: 5,
            failure_percentage_request_volume: 50,
            enforcing_consecutive_5xx: true,
            enforcing_consecutive_gateway_failure: false,
            enforcing_consecutive_local_origin_failure: true,
            enforcing_success_rate: true,
            enforcing_local_origin_success_rate: true,
            enforcing_failure_percentage: false,
            enforcing_failure_percentage_local_origin: false,
        }
    }
}

impl OutlierDetection {
    /// The longest ejection.
    #[must_use]
    pub fn max_ejection_time(&self) -> SimDuration {
        self.max_ejection_time.unwrap_or(SimDuration::from_secs(300).max(self.base_ejection_time))
    }

    /// Whether a detection of this kind ejects.
    #[must_use]
    pub const fn enforces(&self, kind: EjectionType) -> bool {
        match kind {
            EjectionType::Consecutive5xx => self.enforcing_consecutive_5xx,
            EjectionType::ConsecutiveGatewayFailure => self.enforcing_consecutive_gateway_failure,
            EjectionType::ConsecutiveLocalOriginFailure => self.enforcing_consecutive_local_origin_failure,
            EjectionType::SuccessRate => self.enforcing_success_rate,
            EjectionType::SuccessRateLocalOrigin => self.enforcing_local_origin_success_rate,
            EjectionType::FailurePercentage => self.enforcing_failure_percentage,
            EjectionType::FailurePercentageLocalOrigin => self.enforcing_failure_percentage_local_origin,
        }
    }

    /// Whether statistics of an interval eject.
    #[must_use]
    pub const fn judges_statistics(&self) -> bool {
        self.enforcing_success_rate
            || self.enforcing_failure_percentage
            || (self.split_external_local_origin_errors
                && (self.enforcing_local_origin_success_rate
                    || self.enforcing_failure_percentage_local_origin))
    }
}
