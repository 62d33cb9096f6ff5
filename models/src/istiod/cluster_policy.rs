//! What a DestinationRule's `trafficPolicy` becomes in Envoy's cluster.
//!
//! # Models
//! - Connection pool: 0 or absent means unset; Istio's defaults have no limits. The TCP idle
//!   time-out is only a fall-back for the HTTP one, and that from 1.21 on; before, Istio knew none.
//! - Outlier detection: Istio sets only the fields that are given, switches the success rate off,
//!   and turns a threshold of 0 into a detection that is not enforced.
//! - Pods that are not ready are part of the endpoint set, as unhealthy, with a Service's
//!   `trafficDistribution`, and from 1.31 on unless `minHealthPercent` is set. Then the panic
//!   threshold is 0; otherwise it is `minHealthPercent`, or Envoy's own without outlier detection.
//! - Warm-up is for LEAST_REQUEST and ROUND_ROBIN.
//!
//! # Source
//! Istio `pilot/pkg/networking/core/cluster_traffic_policy.go`; istio/istio#60690.

use super::locality_setting::TrafficDistribution;
use crate::envoy::circuit_breaker::Thresholds;
use crate::envoy::load_balancer::slow_start::SlowStart;
use crate::envoy::outlier_detection::OutlierDetection;
use crate::envoy::retry_budget::RetryBudget;
use meshsim_core::SimDuration;

/// `connectionPool`, `tcp` and `http` together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionPoolSettings {
    /// `tcp.maxConnections`.
    pub max_connections: Option<u32>,
    /// `tcp.connectTimeout`.
    pub connect_timeout: Option<SimDuration>,
    /// `tcp.idleTimeout`.
    pub tcp_idle_timeout: Option<SimDuration>,
    /// `tcp.maxConnectionDuration`.
    pub max_connection_duration: Option<SimDuration>,
    /// `http.http1MaxPendingRequests`.
    pub http1_max_pending_requests: Option<u32>,
    /// `http.http2MaxRequests`.
    pub http2_max_requests: Option<u32>,
    /// `http.maxRetries`.
    pub max_retries: Option<u32>,
    /// `http.maxRequestsPerConnection`.
    pub max_requests_per_connection: Option<u32>,
    /// `http.idleTimeout`.
    pub http_idle_timeout: Option<SimDuration>,
}

/// `outlierDetection`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutlierDetectionSettings {
    /// `consecutive5xxErrors`.
    pub consecutive_5xx_errors: Option<u32>,
    /// `consecutiveGatewayErrors`.
    pub consecutive_gateway_errors: Option<u32>,
    /// `consecutiveLocalOriginFailures`.
    pub consecutive_local_origin_failures: Option<u32>,
    /// `splitExternalLocalOriginErrors`.
    pub split_external_local_origin_errors: bool,
    /// `interval`.
    pub interval: Option<SimDuration>,
    /// `baseEjectionTime`.
    pub base_ejection_time: Option<SimDuration>,
    /// `maxEjectionPercent` (percent).
    pub max_ejection_percent: Option<u32>,
    /// `minHealthPercent` (percent).
    pub min_health_percent: u32,
}

/// `loadBalancer.simple`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SimpleBalancer {
    /// Istio's default.
    #[default]
    Unspecified,
    /// `LEAST_REQUEST`, or its older name `LEAST_CONN`.
    LeastRequest,
    /// `ROUND_ROBIN`.
    RoundRobin,
    /// `RANDOM`.
    Random,
    /// `PASSTHROUGH`.
    Passthrough,
}

/// `loadBalancer.consistentHash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsistentHash {
    /// A ring, also where no algorithm is named.
    RingHash,
    /// Maglev.
    Maglev,
}

/// A DestinationRule's `trafficPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrafficPolicy {
    /// `connectionPool`.
    pub connection_pool: ConnectionPoolSettings,
    /// `outlierDetection`.
    pub outlier_detection: Option<OutlierDetectionSettings>,
    /// `loadBalancer.simple`.
    pub simple: SimpleBalancer,
    /// `loadBalancer.consistentHash`.
    pub consistent_hash: Option<ConsistentHash>,
    /// `loadBalancer.warmup`.
    pub warmup: Option<SlowStart>,
    /// `retryBudget`; a minimum of 0 means unset.
    pub retry_budget: Option<RetryBudget>,
}

/// What the rest of the mesh says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The Service's `trafficDistribution`, where the release knows it.
    pub traffic_distribution: Option<TrafficDistribution>,
    /// `meshConfig.connectTimeout`.
    pub mesh_connect_timeout: SimDuration,
    /// Whether the release sends pods that are not ready by default.
    pub sends_unready_endpoints: bool,
    /// Whether the release knows `tcp.idleTimeout`.
    pub knows_tcp_idle_timeout: bool,
}

/// Envoy's `lb_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LbPolicy {
    /// `LEAST_REQUEST`.
    LeastRequest,
    /// `ROUND_ROBIN`.
    RoundRobin,
    /// `RANDOM`.
    Random,
    /// `RING_HASH`.
    RingHash,
    /// `MAGLEV`.
    Maglev,
    /// `CLUSTER_PROVIDED`: the address that the client asked for.
    ClusterProvided,
}

/// The fields of Envoy's outlier detection that Istio sets; the others have Envoy's defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutlierFields {
    /// Errors in a row, and whether they eject.
    pub consecutive_5xx: Option<(u32, bool)>,
    /// Gateway errors in a row, and whether they eject.
    pub consecutive_gateway_failure: Option<(u32, bool)>,
    /// Local-origin failures in a row; they eject.
    pub consecutive_local_origin_failure: Option<u32>,
    /// Whether local-origin errors are split off; then their success rate is not enforced.
    pub split_external_local_origin_errors: bool,
    /// Time between ticks.
    pub interval: Option<SimDuration>,
    /// The first ejection's time.
    pub base_ejection_time: Option<SimDuration>,
    /// The largest part that may be ejected (percent).
    pub max_ejection_percent: Option<u32>,
}

/// What Envoy's cluster is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusterPolicy {
    /// Limits.
    pub thresholds: Thresholds,
    /// How long a connection may take to be made.
    pub connect_timeout: SimDuration,
    /// How long an idle connection is kept; absent: Envoy's 1 h.
    pub idle_timeout: Option<SimDuration>,
    /// Requests after which a connection is closed; absent: never.
    pub max_requests_per_connection: Option<u32>,
    /// Age at which a connection is closed; absent: never.
    pub max_connection_duration: Option<SimDuration>,
    /// Ejections.
    pub outlier_detection: Option<OutlierFields>,
    /// Panic threshold (percent); absent: Envoy's 50.
    pub panic_threshold: Option<u32>,
    /// Whether pods that are not ready are part of the endpoint set.
    pub unready_endpoints_sent: bool,
    /// How hosts are chosen.
    pub lb_policy: LbPolicy,
    /// How hosts warm up.
    pub slow_start: Option<SlowStart>,
}

impl ClusterPolicy {
    /// What a policy becomes.
    #[must_use]
    pub fn new(policy: &TrafficPolicy, around: Surroundings) -> Self {
        let pool = &policy.connection_pool;
        let min_health = policy.outlier_detection.map(|outlier| outlier.min_health_percent);
        let unready_endpoints_sent = around.traffic_distribution.is_some()
            || (around.sends_unready_endpoints && min_health.unwrap_or(0) == 0);
        let lb_policy = lb_policy(policy);
        let warms_up = matches!(lb_policy, LbPolicy::LeastRequest | LbPolicy::RoundRobin);
        Self {
            thresholds: thresholds(pool, policy.retry_budget),
            connect_timeout: set_time(pool.connect_timeout).unwrap_or(around.mesh_connect_timeout),
            idle_timeout: set_time(pool.http_idle_timeout)
                .or(set_time(pool.tcp_idle_timeout).filter(|_| around.knows_tcp_idle_timeout)),
            max_requests_per_connection: set(pool.max_requests_per_connection),
            max_connection_duration: set_time(pool.max_connection_duration),
            outlier_detection: policy.outlier_detection.as_ref().map(outlier_fields),
            panic_threshold: if unready_endpoints_sent { Some(0) } else { min_health },
            unready_endpoints_sent,
            lb_policy,
            slow_start: policy.warmup.filter(|_| warms_up),
        }
    }
}

impl OutlierFields {
    /// The whole configuration; `always_eject_one_host` is the release's.
    #[must_use]
    pub fn over_defaults(&self, always_eject_one_host: bool) -> OutlierDetection {
        let mut config = OutlierDetection {
            always_eject_one_host,
            split_external_local_origin_errors: self.split_external_local_origin_errors,
            enforcing_success_rate: false,
            ..OutlierDetection::default()
        };
        if let Some((errors, enforced)) = self.consecutive_5xx {
            (config.consecutive_5xx, config.enforcing_consecutive_5xx) = (errors, enforced);
        }
        if let Some((errors, enforced)) = self.consecutive_gateway_failure {
            config.consecutive_gateway_failure = errors;
            config.enforcing_consecutive_gateway_failure = enforced;
        }
        if let Some(failures) = self.consecutive_local_origin_failure {
            config.consecutive_local_origin_failure = failures;
        }
        config.enforcing_local_origin_success_rate = !self.split_external_local_origin_errors;
        config.interval = self.interval.unwrap_or(config.interval);
        config.base_ejection_time = self.base_ejection_time.unwrap_or(config.base_ejection_time);
        config.max_ejection_percent = self.max_ejection_percent.unwrap_or(config.max_ejection_percent);
        config
    }
}

/// 0 means unset.
fn set(value: Option<u32>) -> Option<u32> {
    value.filter(|&value| value > 0)
}

fn set_time(value: Option<SimDuration>) -> Option<SimDuration> {
    value.filter(|&value| value > SimDuration::ZERO)
}

fn thresholds(pool: &ConnectionPoolSettings, budget: Option<RetryBudget>) -> Thresholds {
    let default = Thresholds::ISTIO;
    let least = |set| if set == 0 { RetryBudget::default().min_retry_concurrency } else { set };
    Thresholds {
        max_connections: set(pool.max_connections).unwrap_or(default.max_connections),
        max_pending_requests: set(pool.http1_max_pending_requests).unwrap_or(default.max_pending_requests),
        max_requests: set(pool.http2_max_requests).unwrap_or(default.max_requests),
        max_retries: set(pool.max_retries).unwrap_or(default.max_retries),
        retry_budget: budget.map(|budget| RetryBudget {
            min_retry_concurrency: least(budget.min_retry_concurrency),
            ..budget
        }),
    }
}

fn outlier_fields(outlier: &OutlierDetectionSettings) -> OutlierFields {
    let enforced = |errors: u32| (errors, errors > 0);
    let split = outlier.split_external_local_origin_errors;
    OutlierFields {
        consecutive_5xx: outlier.consecutive_5xx_errors.map(enforced),
        consecutive_gateway_failure: outlier.consecutive_gateway_errors.map(enforced),
        consecutive_local_origin_failure: set(outlier.consecutive_local_origin_failures).filter(|_| split),
        split_external_local_origin_errors: split,
        interval: outlier.interval,
        base_ejection_time: outlier.base_ejection_time,
        max_ejection_percent: set(outlier.max_ejection_percent),
    }
}

fn lb_policy(policy: &TrafficPolicy) -> LbPolicy {
    match (policy.consistent_hash, policy.simple) {
        (Some(ConsistentHash::RingHash), _) => LbPolicy::RingHash,
        (Some(ConsistentHash::Maglev), _) => LbPolicy::Maglev,
        (None, SimpleBalancer::Unspecified | SimpleBalancer::LeastRequest) => LbPolicy::LeastRequest,
        (None, SimpleBalancer::RoundRobin) => LbPolicy::RoundRobin,
        (None, SimpleBalancer::Random) => LbPolicy::Random,
        (None, SimpleBalancer::Passthrough) => LbPolicy::ClusterProvided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Surroundings = Surroundings {
        traffic_distribution: None,
        mesh_connect_timeout: SimDuration::from_secs(10),
        sends_unready_endpoints: false,
        knows_tcp_idle_timeout: true,
    };
    const NEW: Surroundings = Surroundings { sends_unready_endpoints: true, ..OLD };

    fn with_outliers(min_health_percent: u32) -> TrafficPolicy {
        let outlier = OutlierDetectionSettings { min_health_percent, ..OutlierDetectionSettings::default() };
        TrafficPolicy { outlier_detection: Some(outlier), ..TrafficPolicy::default() }
    }

    #[test]
    fn without_settings_istio_sets_no_limits() {
        let policy = ClusterPolicy::new(&TrafficPolicy::default(), OLD);
        assert_eq!(policy.thresholds, Thresholds::ISTIO);
        assert_eq!(policy.connect_timeout, SimDuration::from_secs(10));
        assert_eq!((policy.idle_timeout, policy.panic_threshold), (None, None));
        assert_eq!(policy.lb_policy, LbPolicy::LeastRequest);
    }

    #[test]
    fn the_tcp_idle_timeout_is_a_fall_back_from_1_21_on() {
        let idle = |http, tcp, knows_tcp_idle_timeout| {
            let seconds = |set: Option<u64>| set.map(SimDuration::from_secs);
            let connection_pool = ConnectionPoolSettings {
                http_idle_timeout: seconds(http),
                tcp_idle_timeout: seconds(tcp),
                ..ConnectionPoolSettings::default()
            };
            let policy = TrafficPolicy { connection_pool, ..TrafficPolicy::default() };
            ClusterPolicy::new(&policy, Surroundings { knows_tcp_idle_timeout, ..OLD })
                .idle_timeout
                .map(|it| it.as_nanos() / 1_000_000_000)
        };
        assert_eq!([idle(None, Some(9), true), idle(Some(5), Some(9), true)], [Some(9), Some(5)]);
        assert_eq!([idle(None, Some(9), false), idle(Some(5), Some(9), false)], [None, Some(5)]);
    }

    #[test]
    fn panic_and_unready_endpoints_exclude_each_other() {
        let close = Some(TrafficDistribution::PreferClose);
        let of = |policy: &TrafficPolicy, around| {
            let policy = ClusterPolicy::new(policy, around);
            (policy.panic_threshold, policy.unready_endpoints_sent)
        };
        assert_eq!(of(&with_outliers(0), OLD), (Some(0), false));
        assert_eq!(of(&with_outliers(30), OLD), (Some(30), false));
        assert_eq!(of(&with_outliers(30), NEW), (Some(30), false));
        assert_eq!(of(&with_outliers(0), NEW), (Some(0), true));
        assert_eq!(of(&TrafficPolicy::default(), NEW), (Some(0), true));
        let closely = Surroundings { traffic_distribution: close, ..OLD };
        assert_eq!(of(&with_outliers(30), closely), (Some(0), true));
    }

    #[test]
    fn istio_ejects_by_errors_in_a_row_only() {
        let config = outlier_fields(&OutlierDetectionSettings {
            consecutive_5xx_errors: Some(7),
            consecutive_gateway_errors: Some(0),
            ..OutlierDetectionSettings::default()
        })
        .over_defaults(true);
        assert_eq!((config.consecutive_5xx, config.enforcing_consecutive_5xx), (7, true));
        assert!(!config.enforcing_consecutive_gateway_failure && !config.enforcing_success_rate);
        assert!(config.always_eject_one_host);
        assert_eq!(config.max_ejection_percent, 10);
    }

    #[test]
    fn only_some_balancers_warm_up() {
        let warmup = Some(SlowStart::new(SimDuration::from_secs(60)));
        let of = |simple, consistent_hash| {
            let policy = TrafficPolicy { simple, consistent_hash, warmup, ..TrafficPolicy::default() };
            ClusterPolicy::new(&policy, OLD).slow_start.is_some()
        };
        assert!(of(SimpleBalancer::Unspecified, None) && of(SimpleBalancer::RoundRobin, None));
        assert!(!of(SimpleBalancer::Random, None));
        assert!(!of(SimpleBalancer::RoundRobin, Some(ConsistentHash::Maglev)));
    }
}
