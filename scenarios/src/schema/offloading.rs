//! Controllers that move services between clusters, as they are typed.

use super::Duration;
use super::quantity::Quantity;
use super::spanned::Spanned;
use meshsim_models::units::BitsPerSecond;
use schemars::JsonSchema;
use serde::Deserialize;

/// One controller per edge, all told the same.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offloading {
    /// Where they stand, and take services from.
    pub cluster: Spanned<String>,
    /// Their edges.
    pub edges: Spanned<Vec<Spanned<String>>>,
    /// Whether they are the original with its quirks.
    pub compat: Option<Spanned<bool>>,
    /// Whom they ask.
    pub policy: Option<Spanned<Policy>>,
    /// What the edge is to have, whatever is asked (policy "fixed").
    pub services: Option<Spanned<Vec<Spanned<String>>>>,
    /// What never comes to the edge.
    pub locked: Option<Spanned<Vec<Spanned<String>>>>,
    /// Between looks while nothing is wrong.
    pub sync_period: Option<Duration>,
    /// How long an alarm lasts, and how long they wait after an action.
    pub stabilization_window: Option<Duration>,
    /// The window of their queries.
    pub query_period: Option<Duration>,
    /// Above this mean delay services come.
    pub offload_delay: Option<Duration>,
    /// Below this one they go back.
    pub unoffload_delay: Option<Duration>,
    /// Likewise of the quantile.
    pub offload_quantile_delay: Option<Duration>,
    /// Likewise of the quantile.
    pub unoffload_quantile_delay: Option<Duration>,
    /// Which quantile.
    pub delay_quantile: Option<Spanned<f64>>,
    /// An action asks for no more.
    pub max_delay_reduction: Option<Duration>,
    /// An action asks for no more.
    pub max_delay_increase: Option<Duration>,
    /// Share of the cloud's load that an edge causes, until it is measured.
    pub resource_scaling: Option<Spanned<f64>>,
    /// The round trip that they are told, if not the link's.
    pub rtt: Option<Duration>,
    /// The bandwidth that they are told, if not the link's.
    pub bandwidth: Option<Spanned<Quantity<BitsPerSecond>>>,
    /// What the round trip is multiplied with.
    pub rtt_multiplier: Option<Spanned<f64>>,
    /// And once more for the strategy, in the original.
    pub policy_rtt_multiplier: Option<Spanned<f64>>,
    /// How many calls from the edge a candidate may reach (sbmp).
    pub expanding_depth: Option<Spanned<u32>>,
    /// Candidates of a round, at most (sbmp).
    pub max_sets: Option<Spanned<u32>>,
    /// Requests that are sampled (sbmp).
    pub max_traces: Option<Spanned<u32>>,
    /// The search stops at so much of what is asked (sbmp).
    pub overshooting_avoidance: Option<Spanned<f64>>,
    /// Prices of the cloud.
    #[serde(default)]
    pub cloud_prices: Prices,
    /// Prices of the edges.
    #[serde(default)]
    pub edge_prices: Prices,
    /// Of a GB between them.
    pub network_price: Option<Spanned<f64>>,
    /// Time between two scrapes, where `[observability]` does not say it.
    pub scrape_interval: Option<Duration>,
}

/// What an hour costs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Of a core.
    pub cpu: Option<Spanned<f64>>,
    /// Of a GB of memory.
    pub memory: Option<Spanned<f64>>,
}

/// Which strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Sets of services, by sampled requests.
    Sbmp,
    /// Sets of services, by ways from the gateway.
    CoPamp,
    /// Most frequently used first.
    Mfu,
    /// Interaction-aware.
    Ia,
    /// Callers first.
    Kahn,
    /// Traffic-aware.
    Ta,
    /// These services.
    Fixed,
}
