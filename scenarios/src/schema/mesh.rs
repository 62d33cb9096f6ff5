//! How services reach each other, and how users come in.

use super::quantity::{Duration, Quantity};
use super::spanned::Spanned;
use super::{kubernetes, traffic};
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::units::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;

/// How services reach each other.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mesh {
    /// With sidecars or without.
    ///
    /// Default: sidecar.
    pub data_plane: Option<DataPlane>,
    /// The release whose rules hold.
    ///
    /// Default: 1.31. Range: 1.14 to 1.31.
    pub istio_version: Option<Spanned<Quantity<IstioVersion>>>,
    /// How long a connection may take to be made.
    ///
    /// Default: 10s. Range: 1ms to 10 years. Source: Istio's meshConfig.
    pub connect_timeout: Option<Duration>,
    /// What depends on localities, where no DestinationRule says it.
    ///
    /// Default: on, with priorities by locality. Source: Istio's meshConfig.localityLbSetting.
    pub locality_lb_setting: Option<Spanned<traffic::LocalityLbSetting>>,
    /// What no DestinationRule can say of outlier detection.
    #[serde(default)]
    pub outlier_detection: MeshOutlierDetection,
    /// The DestinationRule of services without one of their own.
    ///
    /// Default: none. Source: Istio's DestinationRule.
    pub traffic_policy: Option<traffic::TrafficPolicy>,
    /// Whether proxies encrypt.
    ///
    /// Default: true. Source: Istio's auto mTLS.
    pub mtls: Option<bool>,
    /// CPU time of a handshake with certificates, each side.
    ///
    /// Default: 1ms. Range: 0s to 1h. Source: OpenSSL 3.0, RSA 2048, TLS 1.3: 0.9 to 1.6 ms measured.
    pub handshake: Option<Duration>,
    /// What encryption adds to a pass.
    #[serde(default)]
    pub mtls_cost: ExtraCost,
    /// Whether proxies count and log what passes.
    ///
    /// Default: true. Source: Istio's metrics.
    pub telemetry: Option<bool>,
    /// What that adds to a pass.
    #[serde(default)]
    pub telemetry_cost: ExtraCost,
    /// Memory of a proxy.
    #[serde(default)]
    pub proxy_memory: ProxyMemory,
    /// The sidecars.
    #[serde(default)]
    pub sidecar: Sidecar,
    /// Passing a ztunnel, in ambient mode.
    #[serde(default)]
    pub ztunnel: ProxyCost,
    /// Passing a waypoint, in ambient mode.
    #[serde(default)]
    pub waypoint: ProxyCost,
}

/// What a feature adds to every pass.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtraCost {
    /// Time per direction.
    ///
    /// Default: 20us of mTLS, 15us of telemetry. Range: 0s to 1h. Source: measured on Envoy 1.40; Istio's
    /// benchmarks of 2020.
    pub time: Option<Duration>,
    /// CPU time per request, both ways.
    ///
    /// Default: 35us of mTLS, 70us of telemetry. Range: 0s to 1h. Source: measured on Envoy 1.40; Istio's
    /// benchmarks of 2020.
    pub cpu: Option<Duration>,
    /// CPU time per kB.
    ///
    /// Default: 1us of mTLS, 0s of telemetry. Range: 0s to 1h. Source: measured on Envoy 1.40.
    pub cpu_per_kb: Option<Duration>,
}

/// Memory of a proxy.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyMemory {
    /// Without any configuration.
    ///
    /// Default: 15MB. Source: Istio's 60 MB for 1,000 services.
    pub base: Option<Spanned<Quantity<Bytes>>>,
    /// Per service that it is told of.
    ///
    /// Default: 44kB. Source: Istio's 60 MB for 1,000 services.
    pub per_service: Option<Spanned<Quantity<Bytes>>>,
    /// Per endpoint of those.
    ///
    /// Default: 1kB. Source: Istio's 60 MB for 1,000 services.
    pub per_endpoint: Option<Spanned<Quantity<Bytes>>>,
}

/// What no DestinationRule can say of outlier detection.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeshOutlierDetection {
    /// Whether one host may be ejected whatever the percentage.
    ///
    /// Default: false; of few hosts by the release. Source: Envoy.
    pub always_eject_one_host: Option<bool>,
    /// Whether a low success rate ejects.
    ///
    /// Default: false. Source: Envoy, as Istio sets it.
    pub enforcing_success_rate: Option<bool>,
    /// Whether too many failures eject.
    ///
    /// Default: false. Source: Envoy, as Istio sets it.
    pub enforcing_failure_percentage: Option<bool>,
}

/// The sidecars.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    /// Worker threads.
    ///
    /// Default: 2. Range: 1 to 256. Source: Istio.
    pub concurrency: Option<Spanned<u16>>,
    /// One way between a cell and its sidecar.
    ///
    /// Default: 50us. Range: 0s to 1h. Source: measured: 27 us warm, 68 us with cold threads.
    pub loopback: Option<Duration>,
    /// What its container requests.
    ///
    /// Default: nothing. Source: Istio's sidecar.istio.io/proxyCPU.
    pub requests: Option<kubernetes::Requests>,
    /// On the client's side.
    #[serde(default)]
    pub outbound: ProxyCost,
    /// On the server's side.
    #[serde(default)]
    pub inbound: ProxyCost,
}

/// What passing a proxy takes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyCost {
    /// Mean time of a request.
    ///
    /// Default: 65us; of a ztunnel 30us. Range: 0s to 1h. Source: Istio's performance page.
    pub request: Option<Duration>,
    /// Mean time of a response.
    ///
    /// Default: 65us; of a ztunnel 30us. Range: 0s to 1h. Source: Istio's performance page.
    pub response: Option<Duration>,
    /// Time per kB of a response.
    ///
    /// Default: 2.7us; of a ztunnel 0.5us. Range: 0s to 1h. Source: Istio's performance page.
    pub response_per_kb: Option<Duration>,
    /// Coefficient of variation.
    ///
    /// Default: 0.5. Range: 0 to 10.
    pub spread: Option<Spanned<f64>>,
    /// CPU time per request, both ways.
    ///
    /// Default: 95us; of a ztunnel 60us, of a waypoint 145us. Range: 0s to 1h. Source: Istio's performance
    /// page.
    pub cpu: Option<Duration>,
    /// CPU time per kB.
    ///
    /// Default: 2us; of a ztunnel 1us. Range: 0s to 1h. Source: Istio's performance page.
    pub cpu_per_kb: Option<Duration>,
}

/// The ingress gateways.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// How it chooses, if not as the services' DestinationRules say.
    ///
    /// Default: as the services' rules say.
    pub load_balancer: Option<LoadBalancer>,
    /// Pods per cluster.
    ///
    /// Default: 1. Range: 1 to 1024.
    pub replicas: Option<Spanned<u16>>,
    /// Worker threads of each.
    ///
    /// Default: 2. Range: 1 to 256. Source: the CPU limit of Istio's gateway.
    pub concurrency: Option<Spanned<u16>>,
    /// What passing takes.
    #[serde(default)]
    pub cost: ProxyCost,
}

/// With sidecars or without.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataPlane {
    /// A sidecar beside every pod.
    Sidecar,
    /// A ztunnel on every node, waypoints for some services.
    Ambient,
    /// kube-proxy alone.
    None,
}

/// How a proxy chooses.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LoadBalancer {
    /// In turn.
    RoundRobin,
    /// The less busy of two.
    LeastRequest,
    /// Any.
    Random,
}
