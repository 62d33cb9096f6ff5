//! What a DestinationRule's `trafficPolicy` and the mesh-wide locality setting are typed as.

use super::{BTreeMap, Duration};
use serde::Deserialize;
use toml::Spanned;

/// A DestinationRule's `trafficPolicy`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrafficPolicy {
    /// How a host is chosen.
    pub load_balancer: Option<LoadBalancer>,
    /// Limits.
    pub connection_pool: Option<ConnectionPool>,
    /// When a host is left out.
    pub outlier_detection: Option<OutlierDetection>,
    /// How many retries may run at once.
    pub retry_budget: Option<Spanned<RetryBudget>>,
}

/// How a host is chosen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// By a simple policy.
    pub simple: Option<Spanned<Simple>>,
    /// By a hash of the request.
    pub consistent_hash: Option<Spanned<ConsistentHash>>,
    /// By locality.
    pub locality_lb_setting: Option<Spanned<LocalityLbSetting>>,
    /// New hosts get less.
    pub warmup: Option<Warmup>,
}

/// A simple policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Debug, Deserialize)]
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
    pub minimum_ring_size: Option<u64>,
}

/// A cookie that is hashed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// How long a client keeps it.
    pub ttl: Option<Duration>,
    /// For which paths a client sends it.
    pub path: Option<String>,
}

/// A ring.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingHash {
    /// Points that it has at least.
    pub minimum_ring_size: Option<u64>,
}

/// A table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maglev {
    /// Its entries.
    pub table_size: Option<u64>,
}

/// What depends on localities.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalityLbSetting {
    /// Whether it holds.
    pub enabled: Option<bool>,
    /// Regions to fail over to.
    #[serde(default)]
    pub failover: Vec<Spanned<Failover>>,
    /// Labels in falling importance.
    #[serde(default)]
    pub failover_priority: Vec<Spanned<String>>,
    /// Explicit weights.
    #[serde(default)]
    pub distribute: Vec<Spanned<Distribute>>,
}

/// Where the requests of a region go when it fails.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// The region of the proxy.
    pub from: String,
    /// The region to fail over to.
    pub to: String,
}

/// Where the requests of a locality go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribute {
    /// Which proxies it is for.
    pub from: Spanned<String>,
    /// Localities and their parts (percent).
    pub to: BTreeMap<String, Spanned<u32>>,
}

/// How new hosts warm up.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warmup {
    /// For how long.
    pub duration: Duration,
    /// The least part of its weight (percent).
    pub minimum_percent: Option<Spanned<f64>>,
    /// How fast at first.
    pub aggression: Option<Spanned<f64>>,
}

/// Limits.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionPool {
    /// Of connections.
    #[serde(default)]
    pub tcp: TcpPool,
    /// Of requests.
    pub http: Option<Spanned<HttpPool>>,
}

/// Limits of connections.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpPool {
    /// Connections to all hosts.
    pub max_connections: Option<u32>,
    /// How long a connection may take to be made.
    pub connect_timeout: Option<Duration>,
    /// How long an idle connection is kept.
    pub idle_timeout: Option<Duration>,
    /// How old a connection grows.
    pub max_connection_duration: Option<Duration>,
}

/// Limits of requests.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpPool {
    /// Requests that wait for a connection.
    pub http1_max_pending_requests: Option<u32>,
    /// Requests under way.
    pub http2_max_requests: Option<u32>,
    /// Requests over one connection.
    pub max_requests_per_connection: Option<u32>,
    /// Retries under way.
    pub max_retries: Option<u32>,
    /// How long an idle connection is kept.
    pub idle_timeout: Option<Duration>,
}

/// When a host is left out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutlierDetection {
    /// 5xx in a row.
    pub consecutive_5xx_errors: Option<u32>,
    /// 502, 503 or 504 in a row.
    pub consecutive_gateway_errors: Option<u32>,
    /// Failures of this side in a row.
    pub consecutive_local_origin_failures: Option<Spanned<u32>>,
    /// Whether failures of this side are counted apart.
    pub split_external_local_origin_errors: Option<bool>,
    /// Time between two looks.
    pub interval: Option<Duration>,
    /// How long the first ejection lasts.
    pub base_ejection_time: Option<Duration>,
    /// The largest part that may be left out (percent).
    pub max_ejection_percent: Option<Spanned<u32>>,
    /// The least healthy part at which it holds (percent).
    pub min_health_percent: Option<Spanned<u32>>,
}

/// How many retries may run at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryBudget {
    /// Part of the requests under way (percent).
    pub percent: Option<Spanned<f64>>,
    /// What is always allowed.
    pub min_retry_concurrency: Option<u32>,
}
