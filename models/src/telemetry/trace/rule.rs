//! Rules that were applied to a request, each with its name, its inputs and the page that says it.

use crate::envoy::circuit_breaker::Resource;
use crate::envoy::load_balancer::Policy;
use crate::envoy::retry::AttemptOutcome;
use crate::ids::{EndpointId, PodId, RouteId, UpstreamId};
use crate::request::answer::Status;
use meshsim_core::{SimDuration, SimTime};

/// Levels whose loads are kept.
pub const LEVELS: usize = 4;

/// A rule that was applied, with its inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// A route says more than where to.
    Route(RouteId),
    /// The route's destination, one of several by weight or a subset.
    Destination(UpstreamId),
    /// Fault injection delays the request for so long.
    FaultDelay(SimDuration),
    /// The path is rewritten: what is executed.
    Rewrite(EndpointId),
    /// The request must end within so long.
    Timeout(SimDuration),
    /// An attempt must end within so long.
    PerTryTimeout(SimDuration),
    /// A copy goes to a mirror.
    Mirror(UpstreamId),
    /// A level of priorities takes the request: the loads of the first levels (percent), and which it is.
    PriorityLoad {
        /// Loads of the first levels (percent).
        loads: [u8; LEVELS],
        /// How many levels there are.
        levels: u8,
        /// Which one was chosen.
        level: u8,
    },
    /// The level panics: all its hosts take part.
    Panic {
        /// Hosts of the level that may be used otherwise.
        healthy: u32,
        /// All of them.
        hosts: u32,
        /// The threshold (percent).
        threshold: u32,
    },
    /// A load balancer chooses among so many hosts.
    Balancer {
        /// The balancer.
        policy: Policy,
        /// Hosts that it chose among.
        hosts: u32,
        /// Active requests of this proxy to the chosen host.
        active: u32,
    },
    /// A host is left out because it is ejected, until then at least.
    Ejected(PodId, SimTime),
    /// kube-proxy, or a ztunnel, chooses for a new connection.
    ConnectionTo(PodId),
    /// The connection that was used last takes the request.
    KeptConnection,
    /// A connection was made for the request, which took so long.
    NewConnection(SimDuration),
    /// A connection was to be made for the request, and after so long it was not.
    NoConnection(SimDuration),
    /// The connection had been closed by its server, which the client could not know yet.
    MetClose,
    /// A limit of the circuit breaker is reached: which, and how many it allows.
    CircuitBreaker(Resource, u64),
    /// Attempt `number` failed so, and further ones follow: `number` of `most`, after a back-off below a bound (ms).
    Retry {
        /// The further attempt, counted from 1.
        number: u8,
        /// As many as there may be.
        most: u8,
        /// What came of the one before.
        outcome: AttemptOutcome,
        /// The bound of the back-off (ms).
        bound_ms: u64,
        /// How long it is.
        wait: SimDuration,
    },
    /// No further attempt is made.
    NoRetry(Refused, AttemptOutcome),
    /// The client's proxy answers itself.
    LocalReply(Status),
    /// The caller has waited for as long as it does.
    CallerGivesUp,
    /// The server's sidecar tries to reach its application again.
    InboundRetry(u8),
    /// An answer begins to leave over a window.
    Window {
        /// Segments of the window.
        window: u32,
        /// Segments of the answer.
        segments: u32,
        /// Whether the window was larger before the connection fell idle.
        decayed: bool,
    },
    /// A further round of an answer leaves, of so many segments, of which so many remain.
    Round {
        /// Segments in it.
        segments: u32,
        /// Segments after it.
        remaining: u32,
    },
    /// The message arrives so much later, by rounds that its window needs, or because it has lost a segment.
    Late(SimDuration),
    /// What is sent is swallowed; it passes, or is lost, then.
    Swallowed(SimTime),
    /// A cache has the answer.
    CacheHit,
    /// The endpoint, or a failing pod, answers with this status.
    Fails(u16),
    /// The user sends the request again, after so long.
    UserRetry(u8, SimDuration),
    /// Nobody takes the user in.
    NoIngress,
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The route's policy does not cover what came of the attempt.
    NotCovered,
    /// As many were made as it allows.
    Exhausted,
    /// The upstream's limit of retries.
    Limit,
}

impl Rule {
    /// Its name, as the real system calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Route(_) => "VirtualService route",
            Self::Destination(_) => "weighted destination, subset",
            Self::FaultDelay(_) => "fault injection, delay",
            Self::Rewrite(_) => "rewrite",
            Self::Timeout(_) => "timeout",
            Self::PerTryTimeout(_) => "perTryTimeout",
            Self::Mirror(_) => "mirror",
            Self::PriorityLoad { .. } => "priority load",
            Self::Panic { .. } => "panic threshold",
            Self::Balancer { policy, .. } => match policy {
                Policy::RoundRobin => "ROUND_ROBIN",
                Policy::LeastRequest { .. } => "LEAST_REQUEST",
                Policy::Random => "RANDOM",
                Policy::RingHash { .. } => "RING_HASH",
                Policy::Maglev { .. } => "MAGLEV",
            },
            Self::Ejected(..) => "base_ejection_time",
            Self::ConnectionTo(_) => "kube-proxy, ztunnel",
            Self::KeptConnection | Self::NewConnection(_) | Self::NoConnection(_) => "connection pool",
            Self::MetClose => "keep-alive of the server",
            Self::CircuitBreaker(..) => "circuit breaker",
            Self::Retry { .. } | Self::NoRetry(..) => "retryOn",
            Self::LocalReply(_) => "local reply",
            Self::CallerGivesUp => "client's time-out",
            Self::InboundRetry(_) => "inbound retry",
            Self::Window { decayed: true, .. } => "slow start after idle",
            Self::Window { .. } => "congestion window",
            Self::Round { .. } => "slow start",
            Self::Late(_) => "slow start, retransmission",
            Self::Swallowed(_) => "tcp_retries2, tcp_syn_retries",
            Self::CacheHit => "hit_ratio",
            Self::Fails(_) => "errors",
            Self::UserRetry(..) => "users' retries",
            Self::NoIngress => "ingress",
        }
    }

    /// The page, or the file, that says it.
    #[must_use]
    pub const fn source(&self) -> &'static str {
        match self {
            Self::Route(_) | Self::Destination(_) | Self::Rewrite(_) | Self::Mirror(_) => {
                "istio.io/latest/docs/reference/config/networking/virtual-service"
            }
            Self::FaultDelay(_) => {
                "envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/fault_filter"
            }
            Self::Timeout(_) | Self::PerTryTimeout(_) => {
                "envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts"
            }
            Self::PriorityLoad { .. } => {
                "envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority"
            }
            Self::Panic { .. } => {
                "envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/panic_threshold"
            }
            Self::Balancer { .. } => {
                "envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers"
            }
            Self::Ejected(..) => "envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier",
            Self::ConnectionTo(_) => "kubernetes.io/docs/reference/networking/virtual-ips",
            Self::KeptConnection | Self::NewConnection(_) | Self::NoConnection(_) => {
                "envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/connection_pooling"
            }
            Self::MetClose => "docs.gunicorn.org/en/stable/settings.html#keepalive",
            Self::CircuitBreaker(..) => {
                "envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/circuit_breaking"
            }
            Self::Retry { .. } | Self::NoRetry(..) => {
                "envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter"
            }
            Self::LocalReply(_) | Self::CallerGivesUp => {
                "envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage"
            }
            Self::InboundRetry(_) => "github.com/istio/istio/issues/52055",
            Self::Window { .. } | Self::Round { .. } | Self::Late(_) => "rfc-editor.org/rfc/rfc5681",
            Self::Swallowed(_) => "docs.kernel.org/networking/ip-sysctl.html",
            Self::CacheHit | Self::Fails(_) | Self::UserRetry(..) | Self::NoIngress => "the scenario",
        }
    }
}
