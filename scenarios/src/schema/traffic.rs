//! What a DestinationRule's `trafficPolicy` and the mesh-wide locality setting are typed as.

use super::Duration;
use super::spanned::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A DestinationRule's `trafficPolicy`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrafficPolicy {
    /// How a host is chosen.
    pub load_balancer: Option<LoadBalancer>,
    /// Limits.
    pub connection_pool: Option<ConnectionPool>,
    /// When a host is left out.
    ///
    /// Default: none: no host is ejected. Source: Istio's DestinationRule.
    pub outlier_detection: Option<OutlierDetection>,
    /// How many retries may run at once.
    ///
    /// Default: none. Source: Istio's DestinationRule.
    pub retry_budget: Option<Spanned<RetryBudget>>,
    /// How proxies encrypt what they send the service.
    ///
    /// Default: as mesh.mtls says. Source: Istio's ClientTLSSettings.
    pub tls: Option<Spanned<Tls>>,
}

/// How proxies encrypt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// By mTLS, or not at all.
    ///
    /// Source: Istio's ClientTLSSettings.
    pub mode: TlsMode,
}

/// By mTLS, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TlsMode {
    /// Not at all: plain text, even to a sidecar.
    Disable,
    /// As proxies of the mesh do among each other.
    IstioMutual,
}

/// How a host is chosen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// By a simple policy.
    ///
    /// Default: LEAST_REQUEST. Source: Istio's LoadBalancerSettings.
    pub simple: Option<Spanned<Simple>>,
    /// By a hash of the request.
    ///
    /// Default: none. Source: Istio's ConsistentHashLB.
    pub consistent_hash: Option<Spanned<ConsistentHash>>,
    /// By locality.
    ///
    /// Default: the mesh's. Source: Istio's LocalityLoadBalancerSetting.
    pub locality_lb_setting: Option<Spanned<LocalityLbSetting>>,
    /// New hosts get less.
    ///
    /// Default: none. Source: Istio's WarmupConfiguration.
    pub warmup: Option<Warmup>,
}

/// A simple policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Simple {
    /// The less busy of two.
    LeastRequest,
    /// In turn.
    RoundRobin,
    /// Any.
    Random,
    /// An older name of the first.
    LeastConn,
    /// The address that the client asked for.
    Passthrough,
}

/// What is hashed, and how hashes are mapped to hosts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsistentHash {
    /// A header.
    pub http_header_name: Option<Spanned<String>>,
    /// A cookie.
    pub http_cookie: Option<Cookie>,
    /// The address of the client.
    pub use_source_ip: Option<Spanned<bool>>,
    /// A parameter of the query.
    pub http_query_parameter_name: Option<Spanned<String>>,
    /// A ring.
    pub ring_hash: Option<RingHash>,
    /// A table.
    pub maglev: Option<Maglev>,
    /// Of a ring, where no algorithm is named.
    ///
    /// Default: 1024. Range: 1 to 8388608. Source: Envoy's ring hash.
    pub minimum_ring_size: Option<u64>,
}

/// A cookie that is hashed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// How long a client keeps it.
    ///
    /// Default: a session. Source: Istio's HTTPCookie.
    pub ttl: Option<Duration>,
    /// For which paths a client sends it.
    ///
    /// Default: any.
    pub path: Option<String>,
}

/// A ring.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RingHash {
    /// Points that it has at least.
    ///
    /// Default: 1024. Range: 1 to 8388608. Source: Envoy's ring hash.
    pub minimum_ring_size: Option<u64>,
}

/// A table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Maglev {
    /// Its entries.
    ///
    /// Default: 65537. Range: a prime below 5000011. Source: Envoy's Maglev.
    pub table_size: Option<u64>,
}

/// What depends on localities.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalityLbSetting {
    /// Whether it holds.
    ///
    /// Default: true. Source: Istio.
    pub enabled: Option<bool>,
    /// Regions to fail over to.
    ///
    /// Default: none. Source: Istio.
    #[serde(default)]
    pub failover: Vec<Spanned<Failover>>,
    /// Labels in falling importance.
    ///
    /// Default: none. Source: Istio.
    #[serde(default)]
    pub failover_priority: Vec<Spanned<String>>,
    /// Explicit weights.
    ///
    /// Default: none. Range: parts that make 100. Source: Istio.
    #[serde(default)]
    pub distribute: Vec<Spanned<Distribute>>,
}

/// Where the requests of a region go when it fails.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// The region of the proxy.
    pub from: String,
    /// The region to fail over to.
    pub to: String,
}

/// Where the requests of a locality go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Distribute {
    /// Which proxies it is for.
    pub from: Spanned<String>,
    /// Localities and their parts (percent).
    pub to: BTreeMap<String, Spanned<u32>>,
}

/// How new hosts warm up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Warmup {
    /// For how long.
    ///
    /// Range: 1ms to 10 years. Source: Istio.
    pub duration: Duration,
    /// The least part of its weight (percent).
    ///
    /// Default: 10. Range: 0 to 100. Source: Istio.
    pub minimum_percent: Option<Spanned<f64>>,
    /// How fast at first.
    ///
    /// Default: 1. Range: 1 to 1000. Source: Istio.
    pub aggression: Option<Spanned<f64>>,
}

/// Limits.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionPool {
    /// Of connections.
    #[serde(default)]
    pub tcp: TcpPool,
    /// Of requests.
    pub http: Option<Spanned<HttpPool>>,
}

/// Limits of connections.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TcpPool {
    /// Connections to all hosts.
    ///
    /// Default: 4294967295. Range: 1 or more. Source: Istio's ConnectionPoolSettings.
    pub max_connections: Option<u32>,
    /// How long a connection may take to be made.
    ///
    /// Default: mesh.connect_timeout. Range: 1ms to 10 years. Source: Istio's ConnectionPoolSettings.
    pub connect_timeout: Option<Duration>,
    /// How long an idle connection is kept.
    ///
    /// Default: 1h. Range: 1ms to 10 years. Source: Istio's ConnectionPoolSettings.
    pub idle_timeout: Option<Duration>,
    /// How old a connection grows.
    ///
    /// Default: none. Range: 1ms to 10 years. Source: Istio's ConnectionPoolSettings.
    pub max_connection_duration: Option<Duration>,
}

/// Limits of requests.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpPool {
    /// Requests that wait for a connection.
    ///
    /// Default: 4294967295. Range: 0 or more. Source: Istio's ConnectionPoolSettings.
    pub http1_max_pending_requests: Option<u32>,
    /// Requests under way.
    ///
    /// Default: 4294967295. Range: 0 or more. Source: Istio's ConnectionPoolSettings.
    pub http2_max_requests: Option<u32>,
    /// Requests over one connection.
    ///
    /// Default: no limit. Range: 0 (no limit) or more. Source: Istio's ConnectionPoolSettings.
    pub max_requests_per_connection: Option<u32>,
    /// Retries under way.
    ///
    /// Default: 4294967295. Range: 0 or more. Source: Istio's ConnectionPoolSettings.
    pub max_retries: Option<u32>,
    /// How long an idle connection is kept.
    ///
    /// Default: 1h. Range: 1ms to 10 years. Source: Istio's ConnectionPoolSettings.
    pub idle_timeout: Option<Duration>,
}

/// When a host is left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutlierDetection {
    /// 5xx in a row.
    ///
    /// Default: 5. Range: 0 (never) or more. Source: Istio's OutlierDetection.
    pub consecutive_5xx_errors: Option<u32>,
    /// 502, 503 or 504 in a row.
    ///
    /// Default: 0. Range: 0 (never) or more. Source: Istio's OutlierDetection.
    pub consecutive_gateway_errors: Option<u32>,
    /// Failures of this side in a row.
    ///
    /// Default: 5. Range: 0 (never) or more. Source: Istio's OutlierDetection.
    pub consecutive_local_origin_failures: Option<Spanned<u32>>,
    /// Whether failures of this side are counted apart.
    ///
    /// Default: false. Source: Istio's OutlierDetection.
    pub split_external_local_origin_errors: Option<bool>,
    /// Time between two looks.
    ///
    /// Default: 10s. Range: 1ms to 10 years. Source: Istio's OutlierDetection.
    pub interval: Option<Duration>,
    /// How long the first ejection lasts.
    ///
    /// Default: 30s. Range: 1ms to 10 years. Source: Istio's OutlierDetection.
    pub base_ejection_time: Option<Duration>,
    /// The largest part that may be left out (percent).
    ///
    /// Default: 10. Range: 0 to 100. Source: Istio's OutlierDetection.
    pub max_ejection_percent: Option<Spanned<u32>>,
    /// The least healthy part at which it holds (percent).
    ///
    /// Default: 0. Range: 0 to 100. Source: Istio's OutlierDetection.
    pub min_health_percent: Option<Spanned<u32>>,
}

/// How many retries may run at once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryBudget {
    /// Part of the requests under way (percent).
    ///
    /// Default: 20. Range: 0 to 100. Source: Envoy.
    pub percent: Option<Spanned<f64>>,
    /// What is always allowed.
    ///
    /// Default: 3. Range: 0 or more. Source: Envoy.
    pub min_retry_concurrency: Option<u32>,
}
