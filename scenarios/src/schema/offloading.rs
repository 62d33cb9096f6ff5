//! Controllers that move services between clusters, as they are typed.

use super::Duration;
use super::quantity::Quantity;
use super::spanned::Spanned;
use meshsim_models::units::BitsPerSecond;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One controller per edge, all told the same but for what their own tables say.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offloading {
    /// Where they stand, and take services from.
    pub cluster: Spanned<String>,
    /// Their edges.
    pub edges: Spanned<Vec<Spanned<String>>>,
    /// Whether they are the original with its quirks.
    ///
    /// Default: true.
    pub compat: Option<Spanned<bool>>,
    /// Whom they ask.
    ///
    /// Default: sbmp.
    pub policy: Option<Spanned<Policy>>,
    /// What the edge is to have, whatever is asked (policy "fixed").
    ///
    /// Default: none.
    pub services: Option<Spanned<Vec<Spanned<String>>>>,
    /// What never comes to the edge.
    ///
    /// Default: none.
    pub locked: Option<Spanned<Vec<Spanned<String>>>>,
    /// Between looks while nothing is wrong.
    ///
    /// Default: 30s. Range: 1s to 10 years. Source: muPlacer's GMAConfig.yaml.
    pub sync_period: Option<Duration>,
    /// How long an alarm lasts, and how long they wait after an action.
    ///
    /// Default: 2min. Range: 1s to 10 years. Source: muPlacer's GMAConfig.yaml.
    pub stabilization_window: Option<Duration>,
    /// The window of their queries.
    ///
    /// Default: 2min. Range: two scrapes to 10 years. Source: muPlacer's GMAConfig.yaml.
    pub query_period: Option<Duration>,
    /// Above this mean delay services come.
    ///
    /// Default: 250ms. Range: 0s to 10 years. Source: muPlacer's GMAConfig.yaml.
    pub offload_delay: Option<Duration>,
    /// Below this one they go back.
    ///
    /// Default: 150ms. Range: 0s to offload_delay. Source: muPlacer's GMAConfig.yaml.
    pub unoffload_delay: Option<Duration>,
    /// Likewise of the quantile.
    ///
    /// Default: 1000s. Range: 0s to 10 years. Source: muPlacer's GMAConfig.yaml.
    pub offload_quantile_delay: Option<Duration>,
    /// Likewise of the quantile.
    ///
    /// Default: 1000s. Range: 0s to 10 years. Source: muPlacer's GMAConfig.yaml.
    pub unoffload_quantile_delay: Option<Duration>,
    /// Which quantile.
    ///
    /// Default: 0.9. Range: 0 to 1. Source: muPlacer's GMAConfig.yaml.
    pub delay_quantile: Option<Spanned<f64>>,
    /// An action asks for no more.
    ///
    /// Default: 1s. Range: 0s to 10 years. Source: muPlacer's GMAConfig.yaml.
    pub max_delay_reduction: Option<Duration>,
    /// An action asks for no more.
    ///
    /// Default: 1s. Range: 0s to 10 years. Source: muPlacer's GMAConfig.yaml.
    pub max_delay_increase: Option<Duration>,
    /// Share of the cloud's load that an edge causes, until it is measured.
    ///
    /// Default: 1. Range: 0 to 1.
    pub resource_scaling: Option<Spanned<f64>>,
    /// The round trip that they are told, if not the link's.
    ///
    /// Default: the link's. Range: 0s to 10 years.
    pub rtt: Option<Duration>,
    /// The bandwidth that they are told, if not the link's.
    ///
    /// Default: the link's. Range: 1bit/s to 1000Tbit/s.
    pub bandwidth: Option<Spanned<Quantity<BitsPerSecond>>>,
    /// What the round trip is multiplied with.
    ///
    /// Default: 2. Range: 0 to 100.
    pub rtt_multiplier: Option<Spanned<f64>>,
    /// And once more for the strategy, in the original.
    ///
    /// Default: 2. Range: 0 to 100.
    pub policy_rtt_multiplier: Option<Spanned<f64>>,
    /// How many calls from the edge a candidate may reach (sbmp).
    ///
    /// Default: 2. Range: 1 to 1000.
    pub expanding_depth: Option<Spanned<u32>>,
    /// Candidates of a round, at most (sbmp).
    ///
    /// Default: 256. Range: 1 to 1000000.
    pub max_sets: Option<Spanned<u32>>,
    /// Requests that are sampled (sbmp).
    ///
    /// Default: 2048. Range: 1 to 1000000.
    pub max_traces: Option<Spanned<u32>>,
    /// The search stops at so much of what is asked (sbmp).
    ///
    /// Default: 0.3. Range: 0 to 1.
    pub overshooting_avoidance: Option<Spanned<f64>>,
    /// Prices of the cloud.
    #[serde(default)]
    pub cloud_prices: Prices,
    /// Prices of the edges.
    #[serde(default)]
    pub edge_prices: Prices,
    /// Of a GB between them.
    ///
    /// Default: 0.02. Range: 0 to 1000000000.
    pub network_price: Option<Spanned<f64>>,
    /// What the controller of an edge is told instead, by the name of its cluster.
    #[serde(default)]
    pub clusters: BTreeMap<String, Spanned<OfEdge>>,
    /// For how long after each decision its alternatives run, to tell what it cost not to take them (regret). Each decision takes
    /// as many such runs as there are different alternatives: nothing, each single service, what each other strategy would have
    /// answered; and the whole run is made once more.
    ///
    /// Default: none run. Range: two scrapes to 10 years.
    pub regret_horizon: Option<Duration>,
    /// Time between two scrapes, where `[observability]` does not say it.
    ///
    /// Default: 15s. Range: 100ms to 10 years. Source: Prometheus as Istio's samples ship it.
    pub scrape_interval: Option<Duration>,
}

/// What the controller of one edge is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfEdge {
    /// Whom it asks.
    ///
    /// Default: as all.
    pub policy: Option<Spanned<Policy>>,
    /// What the edge is to have, whatever is asked (policy "fixed").
    ///
    /// Default: as all, unless it has a policy of its own.
    pub services: Option<Spanned<Vec<Spanned<String>>>>,
    /// Above this mean delay services come.
    ///
    /// Default: as all. Range: 0s to 10 years.
    pub offload_delay: Option<Duration>,
    /// Below this one they go back.
    ///
    /// Default: as all. Range: 0s to offload_delay.
    pub unoffload_delay: Option<Duration>,
}

/// What an hour costs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Of a core.
    ///
    /// Default: 0.0208 in the cloud, 0.028 at edges. Range: 0 to 1000000000.
    pub cpu: Option<Spanned<f64>>,
    /// Of a GB of memory.
    ///
    /// Default: 0.0104 in the cloud, 0.014 at edges. Range: 0 to 1000000000.
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
