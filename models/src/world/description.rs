//! A world in plain values: what a scenario comes to. All defaults live here, each with its source.

use crate::application::call_graph::Application;
use crate::application::internal_service::CellCosts;
use crate::ids::{ClusterId, HostId, ServiceId};
use crate::mesh::istio_version::{IstioVersion, NEWEST};
use crate::mesh::load_balancer::Policy;
use crate::mesh::locality_priority::Locality;
use crate::mesh::proxy_cost::ProxyCost;
use crate::units::Cores;
use crate::users::population::Population;
use meshsim_core::{SimDuration, Table};

/// The seed of a run that names none.
pub const DEFAULT_SEED: u64 = 1;

/// Everything that a run needs to know.
#[derive(Clone, Debug)]
pub struct Description {
    /// Seed of every random number.
    pub seed: u64,
    /// Simulated time before anything is reported.
    pub warm_up: SimDuration,
    /// Simulated time that is reported.
    pub duration: SimDuration,
    /// The services and their call graph.
    pub application: Application,
    /// The server that runs each service.
    pub cell: CellSettings,
    /// Hosts whose cores are shared.
    pub hosts: Table<HostId, HostSpec>,
    /// The clusters.
    pub clusters: Table<ClusterId, ClusterSpec>,
    /// The links between them.
    pub links: Vec<LinkSpec>,
    /// Which pods there are.
    pub deployments: Vec<Deployment>,
    /// How services reach each other.
    pub mesh: MeshSettings,
    /// How users come in.
    pub gateway: GatewaySettings,
    /// The users, in the order of their ids.
    pub populations: Vec<Population>,
}

/// The server that runs a service, the same for all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellSettings {
    /// What its work costs.
    pub costs: CellCosts,
    /// Coefficient of variation of the CPU time per request at equal work: the speed of a real
    /// core is not constant.
    pub speed_spread: f64,
    /// For how long it keeps an idle connection.
    pub keep_alive: SimDuration,
}

/// A physical or virtual machine.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// Its name.
    pub name: String,
    /// Its cores.
    pub cores: f64,
}

/// A cluster.
#[derive(Clone, Debug)]
pub struct ClusterSpec {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub locality: Locality,
    /// The host of each of its nodes.
    pub nodes: Vec<HostId>,
    /// One-way delay between two pods.
    pub local_delay: SimDuration,
    /// Rate of a node's network interface (bit/s).
    pub local_bits_per_second: f64,
    /// The largest IP packet inside (bytes).
    pub mtu: u32,
}

/// A link between two clusters, the same in both directions.
#[derive(Clone, Debug)]
pub struct LinkSpec {
    /// Its name.
    pub name: String,
    /// The clusters that it joins.
    pub between: [ClusterId; 2],
    /// Round trip without queueing.
    pub round_trip: SimDuration,
    /// Mean of a random part of the delay, one way.
    pub jitter: SimDuration,
    /// Rate of each direction (bit/s).
    pub bits_per_second: f64,
    /// The largest IP packet (bytes).
    pub mtu: u32,
    /// What a tunnel adds to each packet (bytes).
    pub tunnel_overhead: u32,
}

/// The pods of a service in a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Deployment {
    /// The service.
    pub service: ServiceId,
    /// The cluster.
    pub cluster: ClusterId,
    /// Pods.
    pub replicas: u32,
    /// CPU limit of a pod, none if absent.
    pub cpu_limit: Option<Cores>,
}

/// How services reach each other.
#[derive(Clone, Debug)]
pub struct MeshSettings {
    /// With sidecars, or through kube-proxy.
    pub data_plane: DataPlane,
    /// The release whose rules hold.
    pub istio_version: IstioVersion,
    /// How a sidecar chooses among the endpoints that it sees.
    pub load_balancer: Policy,
    /// Whether a proxy prefers the endpoints near it.
    pub locality_failover: bool,
    /// Whether proxies encrypt what they send each other.
    pub mtls: bool,
    /// Worker threads of a sidecar.
    pub concurrency: u16,
    /// One way between a cell and its sidecar.
    pub loopback: SimDuration,
    /// A sidecar on the client's side.
    pub outbound: ProxyCost,
    /// A sidecar on the server's side.
    pub inbound: ProxyCost,
}

/// Who carries requests between services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPlane {
    /// A sidecar beside every pod.
    Sidecar,
    /// Nobody: kube-proxy chooses once per connection.
    None,
}

/// The ingress gateways: one kind, in every cluster.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// How it chooses among the endpoints that it sees.
    pub load_balancer: Policy,
    /// Pods per cluster.
    pub replicas: u16,
    /// Worker threads of each.
    pub concurrency: u16,
    /// What passing costs.
    pub cost: ProxyCost,
}

/// Istio's published figures at light load: 0.10 ms of CPU per request and direction.
pub const DEFAULT_PROXY_COST: ProxyCost = ProxyCost {
    request: SimDuration::from_micros(100),
    response: SimDuration::from_micros(100),
    response_per_kb: SimDuration::from_nanos(2_700),
    spread: 0.5,
    cpu: SimDuration::from_micros(200),
    cpu_per_kb: SimDuration::from_nanos(3_000),
};

/// Costs of µBench's cell (Python 3.8, gunicorn 20.1) on an AMD EPYC core, measured over open load:
/// 0.5 ms per kB of random body; 2.65 ms per request, of which 70 % before the response; 2.4 ms per
/// external call; 0.4 ms per group; digits of pi with trials of 50 to 1000.
pub const DEFAULT_CELL_COSTS: CellCosts = CellCosts {
    cpu_scale: 1.0,
    request_ms: 1.80,
    response_ms: 0.80,
    body_ms_per_kb: 0.50,
    pi_ms_per_digit: 0.0050,
    pi_ms_per_digit_squared: 0.000_046,
    call_ms: 2.4,
    group_ms: 0.40,
};

impl Default for CellSettings {
    fn default() -> Self {
        Self {
            costs: DEFAULT_CELL_COSTS,
            speed_spread: 0.0,
            // gunicorn's default.
            keep_alive: SimDuration::from_secs(2),
        }
    }
}

impl Default for MeshSettings {
    fn default() -> Self {
        Self {
            data_plane: DataPlane::Sidecar,
            istio_version: NEWEST,
            // Istio's default since 1.14, with Envoy's number of choices.
            load_balancer: Policy::LeastRequest { choices: 2 },
            locality_failover: true,
            // Istio's auto mTLS.
            mtls: true,
            // Istio's default.
            concurrency: 2,
            // Measured: 27 us warm, 68 us with cold threads.
            loopback: SimDuration::from_micros(50),
            outbound: DEFAULT_PROXY_COST,
            inbound: DEFAULT_PROXY_COST,
        }
    }
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            load_balancer: Policy::LeastRequest { choices: 2 },
            replicas: 1,
            // A gateway's container has a limit of 2 CPUs.
            concurrency: 2,
            cost: DEFAULT_PROXY_COST,
        }
    }
}
