//! A DestinationRule's `trafficPolicy`.

use super::check::{Check, MILLISECOND};
use super::ranges::{bounded, bounded_u32};
use super::{consistent_hash, locality};
use crate::schema::spanned::Spanned;
use crate::schema::{self, traffic};
use meshsim_core::SimDuration;
use meshsim_models::envoy::load_balancer::slow_start::SlowStart;
use meshsim_models::envoy::retry_budget::RetryBudget;
use meshsim_models::envoy::session_affinity::{ConsistentHash, HashAlgorithm};
use meshsim_models::istiod::cluster_policy::{
    self, ConnectionPoolSettings, OutlierDetectionSettings, SimpleBalancer, TrafficPolicy,
};
use meshsim_models::istiod::locality_setting::LocalitySetting;

/// What a policy says, by who asks for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    pub(super) traffic_policy: TrafficPolicy,
    pub(super) locality: Option<LocalitySetting>,
    pub(super) hash: Option<ConsistentHash>,
    /// Whether proxies send plain text.
    pub(super) plain_text: bool,
}

pub(super) fn resolve(check: &mut Check<'_>, policy: &traffic::TrafficPolicy) -> Rule {
    resolve_over(check, Rule::default(), policy)
}

/// What a policy says in place of another one's, by whole parts: `load_balancer`, `connection_pool`, `outlier_detection`,
/// `retry_budget`, `tls` (Istio, `MergeSubsetTrafficPolicy`).
pub(super) fn resolve_over(check: &mut Check<'_>, mut rule: Rule, policy: &traffic::TrafficPolicy) -> Rule {
    if let Some(balancer) = &policy.load_balancer {
        load_balancer(check, balancer, &mut rule);
    }
    let traffic = &mut rule.traffic_policy;
    if let Some(pool) = &policy.connection_pool {
        traffic.connection_pool = connection_pool(check, pool);
    }
    if let Some(outliers) = &policy.outlier_detection {
        traffic.outlier_detection = Some(outlier_detection(check, outliers));
    }
    if let Some(budget) = &policy.retry_budget {
        traffic.retry_budget = retry_budget(check, budget);
    }
    if let Some(tls) = &policy.tls {
        rule.plain_text = tls.get_ref().mode == traffic::TlsMode::Disable;
    }
    rule
}

fn load_balancer(check: &mut Check<'_>, balancer: &traffic::LoadBalancer, rule: &mut Rule) {
    let policy = &mut rule.traffic_policy;
    policy.simple = balancer.simple.as_ref().map_or_else(SimpleBalancer::default, |it| simple(check, it));
    rule.hash = balancer.consistent_hash.as_ref().and_then(|it| consistent_hash::resolve(check, it));
    policy.consistent_hash = rule.hash.as_ref().map(|hash| match hash.algorithm {
        Some(HashAlgorithm::Maglev { .. }) => cluster_policy::ConsistentHash::Maglev,
        Some(HashAlgorithm::RingHash { .. }) | None => cluster_policy::ConsistentHash::RingHash,
    });
    if let (Some(simple), Some(_)) = (&balancer.simple, &balancer.consistent_hash) {
        let message = "load_balancer has simple and consistent_hash";
        check.problem(message, simple.span(), "take one out: only one can choose");
    }
    rule.locality = balancer.locality_lb_setting.as_ref().map(|it| locality::resolve(check, it));
    policy.warmup = balancer.warmup.as_ref().map(|it| warmup(check, it));
}

fn simple(check: &mut Check<'_>, simple: &Spanned<traffic::Simple>) -> SimpleBalancer {
    match simple.get_ref() {
        traffic::Simple::LeastRequest | traffic::Simple::LeastConn => SimpleBalancer::LeastRequest,
        traffic::Simple::RoundRobin => SimpleBalancer::RoundRobin,
        traffic::Simple::Random => SimpleBalancer::Random,
        traffic::Simple::Passthrough => {
            let message = "PASSTHROUGH sends a request where its client wanted it: a simulated client calls a \
                           service, and has no endpoint in mind";
            check.problem(message, simple.span(), "write LEAST_REQUEST, ROUND_ROBIN or RANDOM");
            SimpleBalancer::Unspecified
        }
    }
}

fn warmup(check: &mut Check<'_>, warmup: &traffic::Warmup) -> SlowStart {
    let default =
        SlowStart::new(check.duration(Some(&warmup.duration), "duration", SimDuration::ZERO, MILLISECOND));
    let (percent, aggression) = (warmup.minimum_percent.as_ref(), warmup.aggression.as_ref());
    SlowStart {
        min_weight_percent: bounded(
            check,
            percent,
            "a minimum_percent",
            default.min_weight_percent,
            0.0,
            100.0,
        ),
        aggression: bounded(check, aggression, "an aggression", default.aggression, 1.0, 1_000.0),
        ..default
    }
}

fn connection_pool(check: &mut Check<'_>, pool: &traffic::ConnectionPool) -> ConnectionPoolSettings {
    let default = traffic::HttpPool::default();
    let (tcp, http) = (&pool.tcp, pool.http.as_ref().map_or(&default, Spanned::get_ref));
    ConnectionPoolSettings {
        max_connections: tcp.max_connections,
        connect_timeout: time(check, tcp.connect_timeout.as_ref(), "connect_timeout"),
        tcp_idle_timeout: time(check, tcp.idle_timeout.as_ref(), "idle_timeout"),
        max_connection_duration: time(check, tcp.max_connection_duration.as_ref(), "max_connection_duration"),
        http1_max_pending_requests: http.http1_max_pending_requests,
        http2_max_requests: http.http2_max_requests,
        max_retries: http.max_retries,
        max_requests_per_connection: http.max_requests_per_connection,
        http_idle_timeout: time(check, http.idle_timeout.as_ref(), "idle_timeout"),
    }
}

/// A duration of at least a millisecond, as Istio's validation asks.
pub(super) fn time(
    check: &mut Check<'_>,
    value: Option<&schema::Duration>,
    key: &str,
) -> Option<SimDuration> {
    value.map(|value| check.duration(Some(value), key, SimDuration::ZERO, MILLISECOND))
}

fn outlier_detection(check: &mut Check<'_>, it: &traffic::OutlierDetection) -> OutlierDetectionSettings {
    let split = it.split_external_local_origin_errors.unwrap_or(false);
    if let Some(failures) = it.consecutive_local_origin_failures.as_ref().filter(|_| !split) {
        let message = "consecutive_local_origin_failures has no effect";
        check.problem(message, failures.span(), "write split_external_local_origin_errors = true");
    }
    let mut percent = |value: Option<&Spanned<u32>>, key: &str| bounded_u32(check, value, key, 0, 100);
    let max_ejection_percent = percent(it.max_ejection_percent.as_ref(), "max_ejection_percent");
    let min_health_percent = percent(it.min_health_percent.as_ref(), "min_health_percent");
    OutlierDetectionSettings {
        consecutive_5xx_errors: it.consecutive_5xx_errors,
        consecutive_gateway_errors: it.consecutive_gateway_errors,
        consecutive_local_origin_failures: it
            .consecutive_local_origin_failures
            .as_ref()
            .map(|n| *n.get_ref()),
        split_external_local_origin_errors: split,
        interval: time(check, it.interval.as_ref(), "interval"),
        base_ejection_time: time(check, it.base_ejection_time.as_ref(), "base_ejection_time"),
        max_ejection_percent,
        min_health_percent: min_health_percent.unwrap_or(0),
    }
}

fn retry_budget(check: &mut Check<'_>, budget: &Spanned<traffic::RetryBudget>) -> Option<RetryBudget> {
    let fields = budget.get_ref();
    let percent =
        fields.percent.as_ref().map(|value| bounded(check, Some(value), "a percent", 0.0, 0.0, 100.0));
    let resolved = RetryBudget::of(percent, fields.min_retry_concurrency);
    if resolved.is_none() {
        let help = "write { percent = 20, min_retry_concurrency = 3 }, or either";
        check.problem("retry_budget is empty", budget.span(), help);
    }
    resolved
}
