//! What joins clusters, as it is typed.

use super::kubernetes::{Allocatable, NodeSelector};
use super::quantity::OneOrMore;
use super::spanned::Spanned;
use super::{Duration, ProxyCost};
use schemars::JsonSchema;
use serde::Deserialize;

/// What joins clusters over their links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
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
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Liqo {
    /// The consumer of whoever has a link to it and no peering of its own with it.
    ///
    /// Default: as peerings say.
    pub consumer: Option<Spanned<String>>,
    /// What passing a gateway takes.
    #[serde(default)]
    pub gateway: LiqoGateway,
    /// What each provider grants, where its peering does not say it.
    #[serde(default)]
    pub slice: Allocatable,
    /// What providers ask of pods, where no peering says it.
    ///
    /// Default: none. Source: Liqo's defaultLimitsEnforcement.
    pub enforcement: Option<Enforcement>,
    /// The services whose pods may run at providers.
    ///
    /// Default: nothing is offloaded. Source: Liqo's NamespaceOffloading.
    pub offloading: Option<Spanned<Offloading>>,
}

/// What a provider asks of offloaded pods (`defaultLimitsEnforcement`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Enforcement {
    /// Nothing.
    None,
    /// Requests.
    Soft,
    /// Requests, and limits that equal them.
    Hard,
}

/// What a provider thinks of a consumer (`tenantCondition`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tenant {
    /// It may have what it asks for.
    Active,
    /// It gets nothing new.
    Cordoned,
    /// It gets nothing.
    Drained,
}

/// A NamespaceOffloading.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offloading {
    /// `"all"` that run at a consumer, or a list.
    pub services: Spanned<OneOrMore>,
    /// Where their pods may run.
    ///
    /// Default: LocalAndRemote. Source: Liqo's NamespaceOffloading.
    pub pod_offloading_strategy: Option<PodOffloadingStrategy>,
    /// Labels of the providers that are meant.
    ///
    /// Default: any provider. Source: Liqo's NamespaceOffloading.
    #[serde(default)]
    pub cluster_selector: NodeSelector,
}

/// Where pods may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PodOffloadingStrategy {
    /// On the consumer's own nodes.
    Local,
    /// On virtual nodes.
    Remote,
    /// On both.
    LocalAndRemote,
}

/// What passing a gateway of Liqo takes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LiqoGateway {
    /// Pods of it, of which one works.
    ///
    /// Default: 1. Range: 1 to 100.
    pub replicas: Option<Spanned<u16>>,
    /// Cores that share soft interrupts.
    ///
    /// Default: 4. Range: 1 to 1000. Source: measured on Liqo's gateways.
    pub cores: Option<Spanned<u32>>,
    /// Time of the tunnel's core per packet.
    ///
    /// Default: 5.5us. Range: 0s to 1h. Source: measured on WireGuard.
    pub per_packet: Option<Duration>,
    /// Soft-interrupt time per request with its answer.
    ///
    /// Default: 71us. Range: 0s to 1h. Source: measured on Liqo's gateways.
    pub per_request: Option<Duration>,
}

/// The east-west gateways.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EastWestGateway {
    /// Pods per cluster.
    ///
    /// Default: 1. Range: 1 to 250.
    pub replicas: Option<Spanned<u16>>,
    /// Worker threads of each.
    ///
    /// Default: 2. Range: 1 to 256. Source: the CPU limit of Istio's gateway.
    pub concurrency: Option<Spanned<u16>>,
    /// What passing takes.
    #[serde(default)]
    pub cost: ProxyCost,
}

/// A provider runs pods of a consumer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peering {
    /// Whose pods they are.
    pub consumer: Spanned<String>,
    /// Who runs them.
    pub provider: Spanned<String>,
    /// What the provider grants.
    #[serde(default)]
    pub slice: Allocatable,
    /// What the provider thinks of the consumer: who is cordoned or drained is granted nothing.
    ///
    /// Default: active. Source: Liqo's Tenant.
    pub tenant: Option<Tenant>,
    /// What the provider asks of pods.
    ///
    /// Default: none. Source: Liqo's defaultLimitsEnforcement.
    pub enforcement: Option<Enforcement>,
}
