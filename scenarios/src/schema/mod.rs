//! A scenario file as it is typed: texts and locations, no defaults.
//!
//! What the keys mean, their ranges and references are `resolve`'s business, their defaults
//! `meshsim_models::world::description`'s.

pub mod access;
mod application;
pub mod arrivals;
pub mod calibration;
pub mod changes;
pub mod costs;
pub mod endpoints;
pub mod faults;
pub mod federation;
pub mod istiod;
pub mod kubernetes;
pub mod law;
mod mesh;
pub mod names;
pub mod objective;
pub mod observability;
pub mod offloading;
pub mod quantity;
pub mod services;
pub mod spanned;
pub mod sweep;
pub mod time_of_day;
pub mod traffic;
pub mod users;

pub use application::{Application, Cell, Tenant};
pub use mesh::{
    DataPlane, ExtraCost, Gateway, LoadBalancer, Mesh, MeshOutlierDetection, ProxyCost, ProxyMemory, Sidecar,
};
use meshsim_core::SimDuration;
use meshsim_models::units::{BitsPerSecond, Bytes, Cores};
pub use quantity::Duration;
use quantity::{NumberOrText, OneOrMore, Quantity, Unit};
use schemars::JsonSchema;
use serde::Deserialize;
use spanned::Spanned;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The time before anything is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmUp {
    /// As much as the run needs to settle.
    Auto,
    /// So much.
    Time(SimDuration),
}

impl Unit for WarmUp {
    const UNIT: &'static str = "a time with its unit, as in \"30s\", or \"auto\"";
}

impl FromStr for WarmUp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            time => time.parse().map(Self::Time).map_err(|error| format!("{error}; or \"auto\"")),
        }
    }
}

/// A whole scenario, or what is left of it once the strategies are taken out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What people call it.
    pub name: Option<String>,
    /// What it shows.
    #[serde(rename = "description")]
    pub _description: Option<String>,
    /// What joins the clusters.
    ///
    /// Default: flat.
    pub federation: Option<Spanned<federation::Federation>>,
    /// What Liqo is told.
    pub liqo: Option<Spanned<federation::Liqo>>,
    /// The gateways between networks.
    pub east_west_gateway: Option<Spanned<federation::EastWestGateway>>,
    /// Who runs whose pods under Liqo, by name.
    #[serde(default)]
    pub peerings: BTreeMap<String, Spanned<federation::Peering>>,
    /// How long and how often.
    #[serde(default)]
    pub run: Run,
    /// The services.
    #[serde(default)]
    pub application: Application,
    /// Several applications by name, each a tenant's.
    #[serde(default)]
    pub applications: BTreeMap<String, Spanned<Tenant>>,
    /// The server that runs them.
    #[serde(default)]
    pub cell: Cell,
    /// Machines that nodes of several clusters share.
    #[serde(default)]
    pub hosts: BTreeMap<String, Host>,
    /// The clusters by name.
    pub clusters: BTreeMap<String, Spanned<Cluster>>,
    /// The links by name.
    #[serde(default)]
    pub links: BTreeMap<String, Spanned<Link>>,
    /// How services reach each other.
    #[serde(default)]
    pub mesh: Mesh,
    /// What the mesh is told of services, by name.
    #[serde(default)]
    pub services: BTreeMap<String, Spanned<services::Service>>,
    /// Namespaces of which something is said, by name.
    #[serde(default)]
    pub namespaces: BTreeMap<String, Spanned<access::Namespace>>,
    /// Who may ask whom for what, by name.
    #[serde(default)]
    pub authorization_policies: BTreeMap<String, Spanned<access::AuthorizationPolicy>>,
    /// Which servers take plain text, by name.
    #[serde(default)]
    pub peer_authentications: BTreeMap<String, Spanned<access::PeerAuthentication>>,
    /// How users come in.
    #[serde(default)]
    pub gateway: Gateway,
    /// Populations of users by name.
    pub users: BTreeMap<String, Spanned<users::Users>>,
    /// What goes wrong with pods.
    #[serde(default)]
    pub faults: Vec<Spanned<faults::Fault>>,
    /// How istiod paces its pushes.
    pub istiod: Option<Spanned<istiod::Istiod>>,
    /// Where observability stands.
    pub observability: Option<Spanned<observability::Observability>>,
    /// Who moves services between clusters.
    pub offloading: Option<Spanned<offloading::Offloading>>,
    /// Kubernetes itself.
    #[serde(default)]
    pub kubernetes: kubernetes::Kubernetes,
    /// How pods come and go.
    #[serde(default)]
    pub pods: kubernetes::Pods,
    /// The autoscaler of every service in every cluster.
    pub hpa: Option<Spanned<kubernetes::Hpa>>,
    /// Flags of the kube-controller-manager.
    #[serde(default)]
    pub controller_manager: kubernetes::ControllerManager,
    /// How metrics are collected.
    #[serde(default)]
    pub metrics_server: kubernetes::MetricsServer,
    /// What users are to get.
    #[serde(default, rename = "objective")]
    pub objectives: Vec<Spanned<objective::Objective>>,
    /// What somebody changes.
    #[serde(default)]
    pub changes: Vec<Spanned<changes::Change>>,
    /// What a calibration left open: used by comparisons over its draws alone.
    pub calibration: Option<Spanned<calibration::Calibration>>,
    /// What a sweep varies: used by sweeps alone.
    pub sweep: Option<Spanned<sweep::Sweep>>,
}

/// How long and how often.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Simulated time that is reported.
    ///
    /// Default: 20min. Range: 1ms to 10 years.
    pub duration: Option<Duration>,
    /// Simulated time before it, or `"auto"`: as much of `duration` as the run needs to settle.
    ///
    /// Default: auto. Range: 0s to 10 years, or auto.
    pub warm_up: Option<Spanned<Quantity<WarmUp>>>,
    /// Independent repetitions.
    ///
    /// Default: 10. Range: 1 to 100000.
    pub replications: Option<Spanned<u32>>,
    /// Seed of all random numbers.
    ///
    /// Default: 1. Range: a whole number.
    pub seed: Option<u64>,
    /// Whether mean latencies are freed of the luck that the draws of their requests tell.
    ///
    /// Default: true.
    pub control_variates: Option<bool>,
    /// The strategy that the others are compared with.
    ///
    /// Default: the first strategy. Range: a strategy's name.
    pub baseline: Option<Spanned<String>>,
    /// The time of day at which it begins, for loads that follow the day.
    ///
    /// Default: no time of day. Range: 00:00 to 23:59:59.
    pub begin_at: Option<Spanned<Quantity<time_of_day::TimeOfDay>>>,
    /// Time between the samples of a time series.
    ///
    /// Default: no samples. Range: 1ms to 10 years.
    pub time_series: Option<Duration>,
}

impl Scenario {
    /// The paths of its work models, each with the name of its application; of the only one that is empty.
    pub fn workmodels(&self) -> impl Iterator<Item = (&str, &Spanned<String>)> {
        let only = self.application.workmodel.as_ref().map(|path| ("", path));
        let tenants = self.applications.iter();
        only.into_iter()
            .chain(tenants.filter_map(|(name, it)| Some((name.as_str(), it.get_ref().workmodel.as_ref()?))))
    }

    /// The application of a tenant, by its number.
    #[must_use]
    pub fn tenant(&self, number: u16) -> Option<&Tenant> {
        self.applications.values().nth(usize::from(number)).map(Spanned::get_ref)
    }
}

/// A machine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its cores.
    ///
    /// Range: 1 or more.
    pub cores: Spanned<Quantity<Cores>>,
}

/// A cluster.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Label `topology.kubernetes.io/region`.
    ///
    /// Default: none. Source: Kubernetes' well-known labels and Istio's locality.
    pub region: Option<String>,
    /// Label `topology.kubernetes.io/zone`; the cluster's name if absent.
    ///
    /// Default: the cluster's name.
    pub zone: Option<String>,
    /// Label `topology.istio.io/subzone`.
    ///
    /// Default: none. Source: Kubernetes' well-known labels and Istio's locality.
    pub subzone: Option<String>,
    /// Its nodes.
    pub nodes: Spanned<Vec<Node>>,
    /// The services that run there: `"all"`, or a list.
    pub services: Spanned<OneOrMore>,
    /// Pods per service, where it is not the work model's number.
    ///
    /// Default: the work model's number, or 1. Range: 0 to 100000.
    #[serde(default)]
    pub replicas: BTreeMap<String, Spanned<u32>>,
    /// Load balancing weight of a service's endpoints, where it is not 1.
    ///
    /// Default: 1. Range: 1 to 128. Source: WorkloadEntry.weight.
    #[serde(default)]
    pub weights: BTreeMap<String, Spanned<u32>>,
    /// Labels of its pods and proxies.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What its objects are called in the metrics that are exported.
    #[serde(default)]
    pub names: names::Names,
    /// What passing Liqo's gateways here takes, where it differs.
    #[serde(default)]
    pub liqo_gateway: federation::LiqoGateway,
    /// The autoscalers of services here, where they differ.
    #[serde(default)]
    pub hpa: BTreeMap<String, Spanned<kubernetes::Hpa>>,
    /// One-way delay between two pods.
    ///
    /// Default: 100us. Range: 0s to 10 years.
    pub local_delay: Option<Duration>,
    /// Rate of a node's network interface.
    ///
    /// Default: 10Gbit/s. Range: 1bit/s to 1000Tbit/s.
    pub local_bandwidth: Option<Spanned<Quantity<BitsPerSecond>>>,
    /// The largest IP packet inside.
    ///
    /// Default: 1500B. Range: 576B to 65535B. Source: Ethernet.
    pub mtu: Option<Spanned<Quantity<Bytes>>>,
    /// How its nodes send.
    #[serde(default)]
    pub tcp: Tcp,
    /// What it takes for CPU, memory and traffic.
    pub prices: Option<costs::ClusterPrices>,
    /// Carbon of its electricity (g of CO2 equivalents per kWh): a number, or 24, one for each hour from midnight on.
    ///
    /// Default: no carbon is counted. Range: 0 to 1000000.
    pub carbon_intensity: Option<Spanned<costs::Hourly>>,
}

/// How the nodes of a cluster send.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    /// `net.ipv4.tcp_slow_start_after_idle`.
    ///
    /// Default: true. Source: Linux.
    pub slow_start_after_idle: Option<Spanned<bool>>,
    /// `net.ipv4.tcp_congestion_control`.
    ///
    /// Default: cubic. Source: Linux.
    pub congestion_control: Option<CongestionControl>,
    /// Segments that a new connection may send at once.
    ///
    /// Default: 10. Range: 1 to 1000. Source: RFC 6928.
    pub initial_window: Option<Spanned<u32>>,
}

/// What a sender does after a loss and after idle times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CongestionControl {
    /// Linux' default.
    Cubic,
    /// BBR.
    Bbr,
}

/// A node.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its cores, if it is a machine of its own.
    ///
    /// Range: 1 or more.
    pub cores: Option<Spanned<Quantity<Cores>>>,
    /// The machine whose cores it shares.
    pub host: Option<Spanned<String>>,
    /// Its region, if not the cluster's.
    ///
    /// Default: the cluster's.
    pub region: Option<String>,
    /// Its zone, if not the cluster's.
    ///
    /// Default: the cluster's.
    pub zone: Option<String>,
    /// Its subzone, if not the cluster's.
    ///
    /// Default: the cluster's.
    pub subzone: Option<String>,
    /// What its pods may request together, if not all that its machine has.
    #[serde(default)]
    pub allocatable: kubernetes::Allocatable,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What it takes from the grid, idle and at full load.
    ///
    /// Default: no energy is counted.
    pub power: Option<Spanned<costs::Power>>,
    /// What keeps pods away, as `key=value:NoSchedule`.
    ///
    /// Default: none. Source: Kubernetes.
    #[serde(default)]
    pub taints: Vec<Spanned<String>>,
}

/// A link.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The two clusters.
    pub between: Spanned<Vec<Spanned<String>>>,
    /// Round trip.
    ///
    /// Range: 2ns to 10 years.
    pub rtt: Duration,
    /// Mean of a random part, one way.
    ///
    /// Default: 0s. Range: 0s to 10 years.
    pub jitter: Option<Duration>,
    /// Rate of each direction.
    ///
    /// Range: 1bit/s to 1000Tbit/s.
    pub bandwidth: Spanned<Quantity<BitsPerSecond>>,
    /// The largest IP packet.
    ///
    /// Default: 1500B. Range: 576B to 65535B. Source: Ethernet.
    pub mtu: Option<Spanned<Quantity<Bytes>>>,
    /// What a tunnel adds to each packet.
    ///
    /// Default: 0B, and 110B in Liqo's tunnels. Range: 0B to 1kB.
    pub tunnel_overhead: Option<Spanned<Quantity<Bytes>>>,
    /// Share of the segments that are lost.
    ///
    /// Default: 0. Range: 0 to below 1.
    pub loss: Option<Spanned<NumberOrText>>,
    /// Energy per GB that it carries, either way (Wh).
    ///
    /// Default: no energy is counted. Range: 0 to 1000000.
    pub energy_per_gb: Option<Spanned<f64>>,
    /// Carbon of its electricity, as of a cluster.
    ///
    /// Default: that of its ends, half and half. Range: 0 to 1000000.
    pub carbon_intensity: Option<Spanned<costs::Hourly>>,
}

/// A named set of changes to the base.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StrategyHead {
    /// Its name.
    pub name: Spanned<String>,
    /// What it is.
    pub description: Option<String>,
}
