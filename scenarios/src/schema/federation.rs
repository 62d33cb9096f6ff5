//! What joins clusters, as it is typed.

use super::kubernetes::{Allocatable, NodeSelector};
use super::quantity::OneOrMore;
use super::{Duration, ProxyCost};
use serde::Deserialize;
use toml::Spanned;

/// What joins clusters over their links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Federation {
    /// Liqo.
    Liqo,
    /// Istio over a network per cluster.
    MultiNetwork,
    /// One network.
    Flat,
}

/// What Liqo is told.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Liqo {
    /// The consumer of whoever has a link to it and no peering of its own with it.
    pub consumer: Option<Spanned<String>>,
    /// What passing a gateway takes.
    #[serde(default)]
    pub gateway: LiqoGateway,
    /// What each provider grants, where its peering does not say it.
    #[serde(default)]
    pub slice: Allocatable,
    /// What providers ask of pods, where no peering says it.
    pub enforcement: Option<Enforcement>,
    /// The services whose pods may run at providers.
    pub offloading: Option<Spanned<Offloading>>,
}

/// What a provider asks of offloaded pods (`defaultLimitsEnforcement`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Enforcement {
    /// Nothing.
    None,
    /// Requests.
    Soft,
    /// Requests, and limits that equal them.
    Hard,
}

/// A NamespaceOffloading.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offloading {
    /// `"all"` that run at a consumer, or a list.
    pub services: Spanned<OneOrMore>,
    /// Where their pods may run.
    pub pod_offloading_strategy: Option<PodOffloadingStrategy>,
    /// Labels of the providers that are meant.
    #[serde(default)]
    pub cluster_selector: NodeSelector,
}

/// Where pods may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum PodOffloadingStrategy {
    /// On the consumer's own nodes.
    Local,
    /// On virtual nodes.
    Remote,
    /// On both.
    LocalAndRemote,
}

/// What passing a gateway of Liqo takes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiqoGateway {
    /// Pods of it, of which one works.
    pub replicas: Option<Spanned<u16>>,
    /// Cores that share soft interrupts.
    pub cores: Option<Spanned<u32>>,
    /// Time of the tunnel's core per packet.
    pub per_packet: Option<Duration>,
    /// Soft-interrupt time per request with its answer.
    pub per_request: Option<Duration>,
}

/// The east-west gateways.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EastWestGateway {
    /// Pods per cluster.
    pub replicas: Option<Spanned<u16>>,
    /// Worker threads of each.
    pub concurrency: Option<Spanned<u16>>,
    /// What passing takes.
    #[serde(default)]
    pub cost: ProxyCost,
}

/// A provider runs pods of a consumer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peering {
    /// Whose pods they are.
    pub consumer: Spanned<String>,
    /// Who runs them.
    pub provider: Spanned<String>,
    /// What the provider grants.
    #[serde(default)]
    pub slice: Allocatable,
    /// What the provider asks of pods.
    pub enforcement: Option<Enforcement>,
}
