//! A world in plain values: what a scenario comes to. All defaults live here, each with its source.
//!
//! [`Description::new`] and what adds to it make one step by step, with these defaults.

use crate::application::call_graph::{Application, Protocol};
use crate::application::internal_service::CellCosts;
use crate::cost::CostSettings;
use crate::envoy::load_balancer::Policy;
use crate::envoy::proxy_cost::{ExtraCost, ProxyCost, ProxyMemory};
use crate::envoy::route::RouteSettings;
use crate::envoy::session_affinity::ConsistentHash;
use crate::faults::link::LinkFault;
use crate::faults::outage::Outage;
use crate::faults::pod::PodFault;
use crate::faults::repeated::RepeatedFault;
use crate::ids::{ClusterId, HostId, ServiceId, SubsetId};
use crate::istiod::authorization_policy::AuthorizationPolicy;
use crate::istiod::cluster_policy::TrafficPolicy;
use crate::istiod::failover_priority::Labels;
use crate::istiod::istio_version::{IstioVersion, NEWEST};
use crate::istiod::locality_priority::Locality;
use crate::istiod::locality_setting::{LocalitySetting, TrafficDistribution};
use crate::istiod::peer_authentication::PeerAuthentication;
use crate::istiod::settings::IstiodSettings;
use crate::istiod::subset::SubsetSettings;
use crate::kubernetes::scheduler::node::Taint;
use crate::kubernetes::settings::KubernetesSettings;
use crate::liqo::settings::LiqoSettings;
use crate::multi_network::gateway::EastWestSettings;
use crate::network::tcp::TcpSettings;
use crate::offloading::settings::OffloadingSettings;
use crate::telemetry::central::CentralObservability;
use crate::units::{BitsPerSecond, Cores};
use crate::users::population::Population;
use meshsim_core::{SimDuration, SimTime, Table};

/// Kubernetes' namespace of what names none.
pub const DEFAULT_NAMESPACE: &str = "default";

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
    /// What joins the clusters over these; absent: nothing is said, and pods reach each other directly.
    pub federation: Option<Federation>,
    /// Which pods there are.
    pub deployments: Vec<Deployment>,
    /// How services reach each other.
    pub mesh: MeshSettings,
    /// What the mesh is told of each service.
    pub services: Table<ServiceId, ServiceSettings>,
    /// The names of subsets that rules define or routes name.
    pub subsets: Table<SubsetId, String>,
    /// Who may ask whom for what.
    pub authorization_policies: Vec<AuthorizationPolicy>,
    /// Which servers take plain text.
    pub peer_authentications: Vec<PeerAuthentication>,
    /// What it is told instead during the run, in the order of time.
    pub configuration_changes: Vec<ConfigurationChange>,
    /// How users come in.
    pub gateway: GatewaySettings,
    /// The users, in the order of their ids.
    pub populations: Vec<Population>,
    /// What goes wrong with pods.
    pub faults: Vec<PodFault>,
    /// What goes wrong with links.
    pub link_faults: Vec<LinkFault>,
    /// What goes wrong with clusters, nodes and control planes.
    pub outages: Vec<Outage>,
    /// What goes wrong again and again.
    pub repeated_faults: Vec<RepeatedFault>,
    /// What Kubernetes is told.
    pub kubernetes: KubernetesSettings,
    /// How istiod paces its pushes; absent: it takes no time of its own.
    pub istiod: Option<IstiodSettings>,
    /// Where observability stands, if it asks all clusters from one; absent: it is everywhere, and takes nothing.
    pub observability: Option<CentralObservability>,
    /// Controllers that move services between clusters; absent: there are none.
    pub offloading: Option<OffloadingSettings>,
    /// Time between the samples of a time series; absent: none are taken.
    pub time_series: Option<SimDuration>,
    /// Time between two scrapes of each target, if what Prometheus would have is kept.
    pub scraped_every: Option<SimDuration>,
    /// Whether every decision is kept.
    pub keeps_decisions: bool,
    /// What is said of costs; absent: nothing.
    pub costs: Option<CostSettings>,
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
    /// For how long a server of HTTP/2 does.
    pub http2_keep_alive: SimDuration,
    /// How long it waits for the answer to a call; absent: for ever.
    pub client_timeout: Option<SimDuration>,
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
    /// Its nodes; gateways stand on the first.
    pub nodes: Vec<NodeSpec>,
    /// Labels of its pods and proxies, beside those of their nodes' topology.
    pub labels: Labels,
    /// One-way delay between two pods.
    pub local_delay: SimDuration,
    /// Rate of a node's network interface (bit/s).
    pub local_bits_per_second: f64,
    /// The largest IP packet inside (bytes).
    pub mtu: u32,
    /// How its nodes send.
    pub tcp: TcpSettings,
}

/// A node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// The machine whose cores it has.
    pub host: HostId,
    /// Where it is.
    pub locality: Locality,
    /// Labels beside those of its name and locality.
    pub labels: Labels,
    /// What keeps pods away from it.
    pub taints: Vec<Taint>,
    /// What its pods may request together.
    pub capacity: NodeCapacity,
}

impl NodeSpec {
    /// A node of a machine, with nothing said of its pods.
    #[must_use]
    pub fn new(host: HostId, locality: Locality) -> Self {
        let capacity = NodeCapacity::default();
        Self { host, locality, labels: Labels::new(), taints: Vec::new(), capacity }
    }
}

/// What the pods of a node may request together (its allocatable resources).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeCapacity {
    /// CPU (thousandths of a core); absent: the cores of its machine.
    pub milli_cpu: Option<u64>,
    /// Memory (bytes); absent: 4 GiB per core.
    pub memory: Option<u64>,
    /// Pods.
    pub pods: u64,
}

impl Default for NodeCapacity {
    fn default() -> Self {
        // The kubelet's maxPods.
        Self { milli_cpu: None, memory: None, pods: 110 }
    }
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
    /// Probability that a segment is lost, each by itself.
    pub loss: f64,
}

/// What joins clusters.
#[derive(Clone, Debug)]
pub enum Federation {
    /// Liqo: tunnels between a consumer and its providers.
    Liqo(LiqoSettings),
    /// Istio over a network per cluster: east-west gateways.
    MultiNetwork(EastWestSettings),
    /// One network, in which pods reach each other directly.
    Flat,
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
    /// Load balancing weight of its endpoints (a WorkloadEntry's; pods have 1).
    pub weight: u32,
}

/// What the mesh is told of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceSettings {
    /// What it speaks.
    pub protocol: Protocol,
    /// `trafficDistribution` of its Service.
    pub traffic_distribution: Option<TrafficDistribution>,
    /// `trafficPolicy` of its DestinationRule.
    pub traffic_policy: TrafficPolicy,
    /// `localityLbSetting` of its DestinationRule.
    pub locality: Option<LocalitySetting>,
    /// What requests are hashed by, where its DestinationRule has `consistentHash`.
    pub hash: Option<ConsistentHash>,
    /// Whether proxies send it plain text: `tls.mode: DISABLE` of its DestinationRule.
    pub plain_text: bool,
    /// The routes of its VirtualService; empty: none is written.
    pub routes: Vec<RouteSettings>,
    /// Whether it has a waypoint, in ambient mode.
    pub waypoint: bool,
    /// `subsets` of its DestinationRule.
    pub subsets: Vec<SubsetSettings>,
    /// Labels of its Deployment's pods, by which subsets tell versions apart.
    pub labels: Labels,
    /// Whose Service its pods stand behind, if it has none of its own: it is a version of that service.
    pub version_of: Option<ServiceId>,
    /// Its namespace; absent: [`DEFAULT_NAMESPACE`].
    pub namespace: Option<String>,
    /// Whether its pods have no sidecar where those of others have one: they are left out of the injection, and speak
    /// plain text.
    pub without_sidecar: bool,
    /// Whether it is outside the clusters (a ServiceEntry): every cluster reaches an endpoint of its own, which stands on
    /// no node, has no sidecar, and waits as its endpoints say.
    pub external: bool,
}

/// Somebody changes what the mesh is told of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigurationChange {
    /// When.
    pub at: SimTime,
    /// The service.
    pub service: ServiceId,
    /// What is told of it from then on; its protocol, its waypoint, its labels and what it is a version of stay.
    pub settings: ServiceSettings,
}

impl Description {
    /// When the run ends.
    #[must_use]
    pub fn end(&self) -> SimTime {
        SimTime::ZERO + self.warm_up + self.duration
    }

    /// How long the certificate of a proxy holds.
    #[must_use]
    pub fn certificate_lifetime(&self) -> SimDuration {
        self.istiod.unwrap_or_default().certificate_lifetime
    }

    /// Whether the certificate of a proxy may end in a run, in which istiod may be reached at all times or not.
    #[must_use]
    pub fn certificates_may_end(&self, is_always_reached: bool) -> bool {
        let is_long = self.end().as_nanos() > self.certificate_lifetime().as_nanos() / 2;
        self.mesh.data_plane == DataPlane::Sidecar && self.mesh.mtls && is_long && !is_always_reached
    }

    /// How istiod paces its pushes, if it does: without a mesh kube-proxy is told by its API server.
    #[must_use]
    pub fn istiod_pace(&self) -> Option<IstiodSettings> {
        self.istiod.filter(|_| self.mesh.data_plane != DataPlane::None)
    }

    /// Whether the load is meant to differ between one part of the run and another.
    #[must_use]
    pub fn load_varies(&self) -> bool {
        let varies =
            |it: &Population| it.arrivals.varies() || !it.moves.is_empty() || it.requests_each.is_some();
        self.populations.iter().any(varies)
    }

    /// What makes one part of the run differ from another, as people call it; nothing where a run settles.
    #[must_use]
    pub fn what_varies(&self) -> Vec<&'static str> {
        let kubernetes = &self.kubernetes;
        let all = [
            (
                "faults",
                !self.faults.is_empty()
                    || !self.link_faults.is_empty()
                    || !self.outages.is_empty()
                    || !self.repeated_faults.is_empty(),
            ),
            ("changes", !kubernetes.changes.is_empty() || !self.configuration_changes.is_empty()),
            ("autoscalers", !kubernetes.autoscalers.is_empty()),
            ("an offloading controller", self.offloading.is_some()),
            ("users who move", self.populations.iter().any(|it| !it.moves.is_empty())),
            ("a load that varies", self.populations.iter().any(|it| it.arrivals.varies())),
        ];
        all.into_iter().filter(|(_, is_so)| *is_so).map(|(name, _)| name).collect()
    }

    /// Whether proxies count for Istio's telemetry.
    #[must_use]
    pub fn has_telemetry(&self) -> bool {
        self.mesh.data_plane != DataPlane::None && self.mesh.telemetry
    }

    /// The service whose Service the pods of this one stand behind: itself, unless it is a version of another.
    #[must_use]
    pub fn front_of(&self, service: ServiceId) -> ServiceId {
        self.services[service].version_of.unwrap_or(service)
    }

    /// The namespace of a service.
    #[must_use]
    pub fn namespace_of(&self, service: ServiceId) -> &str {
        self.services[service].namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// A service and its versions, in the order of their numbers.
    pub fn versions_of(&self, service: ServiceId) -> impl Iterator<Item = ServiceId> {
        self.services.ids().filter(move |&it| self.front_of(it) == service)
    }

    /// Whether a service has a waypoint in every cluster: in ambient mode, if it is asked to and speaks HTTP.
    #[must_use]
    pub fn has_waypoint(&self, service: ServiceId) -> bool {
        let settings = &self.services[service];
        let speaks_http = settings.protocol.without_requests().is_none();
        self.mesh.data_plane == DataPlane::Ambient && settings.waypoint && speaks_http
    }

    /// The services that have a waypoint.
    pub fn waypoints(&self) -> impl Iterator<Item = ServiceId> {
        self.services.ids().filter(|&service| self.has_waypoint(service))
    }

    /// Whether the pods of a service have sidecars.
    #[must_use]
    pub fn is_injected(&self, service: ServiceId) -> bool {
        let settings = &self.services[service];
        let is_outside = settings.external || settings.without_sidecar;
        self.mesh.data_plane == DataPlane::Sidecar && !is_outside
    }
}

/// How services reach each other.
#[derive(Clone, Debug)]
pub struct MeshSettings {
    /// With sidecars, or through kube-proxy.
    pub data_plane: DataPlane,
    /// The release whose rules hold.
    pub istio_version: IstioVersion,
    /// Mesh-wide `localityLbSetting`.
    pub locality: LocalitySetting,
    /// Mesh-wide `connectTimeout`.
    pub connect_timeout: SimDuration,
    /// Whether outlier detection may always eject one host; absent: as the release does.
    pub always_eject_one_host: Option<bool>,
    /// Whether outlier detection ejects by success rate (an EnvoyFilter; Istio never does).
    pub enforcing_success_rate: bool,
    /// Whether outlier detection ejects by failure percentage (an EnvoyFilter; Istio never does).
    pub enforcing_failure_percentage: bool,
    /// Whether proxies encrypt what they send each other.
    pub mtls: bool,
    /// What a handshake with certificates costs each side (CPU time).
    pub handshake: SimDuration,
    /// What encryption adds to a proxy's pass.
    pub mtls_cost: ExtraCost,
    /// Whether proxies count and log what passes.
    pub telemetry: bool,
    /// What that adds to a proxy's pass.
    pub telemetry_cost: ExtraCost,
    /// Memory of a proxy.
    pub memory: ProxyMemory,
    /// Worker threads of a sidecar.
    pub concurrency: u16,
    /// One way between a cell and its sidecar.
    pub loopback: SimDuration,
    /// A sidecar on the client's side.
    pub outbound: ProxyCost,
    /// A sidecar on the server's side.
    pub inbound: ProxyCost,
    /// A ztunnel.
    pub ztunnel: ProxyCost,
    /// A waypoint.
    pub waypoint: ProxyCost,
}

/// Who carries requests between services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPlane {
    /// A sidecar beside every pod.
    Sidecar,
    /// A ztunnel on every node, waypoints for some services.
    Ambient,
    /// Nobody: kube-proxy chooses once per connection.
    None,
}

/// The ingress gateways: one kind, in every cluster.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// How it chooses, if not as the services' DestinationRules say.
    pub load_balancer: Option<Policy>,
    /// Pods per cluster.
    pub replicas: u16,
    /// Worker threads of each.
    pub concurrency: u16,
    /// What passing costs.
    pub cost: ProxyCost,
}

/// One way between two pods of a cluster: a switch, two network stacks and the wake-up of a thread.
pub const DEFAULT_LOCAL_DELAY: SimDuration = SimDuration::from_micros(100);

/// A node's network interface.
pub const DEFAULT_LOCAL_BANDWIDTH: BitsPerSecond = BitsPerSecond(10e9);

/// The largest IP packet of Ethernet (bytes).
pub const DEFAULT_MTU: u32 = 1500;

/// Worker processes of a pod whose scenario says no other number, each on at most one core at a time.
pub const DEFAULT_WORKERS: u16 = 4;

/// Requests that each of them serves at a time: today's servers wait for others without a thread of the system.
pub const DEFAULT_THREADS: u16 = 1_000;

/// Body of an answer (bytes).
pub const DEFAULT_RESPONSE_BYTES: f64 = 1_000.0;

/// For how long a server keeps an idle connection that is none of µBench's: nginx's `keepalive_timeout`.
pub const DEFAULT_KEEP_ALIVE: SimDuration = SimDuration::from_secs(75);

/// The threads of a load generator.
pub const DEFAULT_USERS: u32 = 100;

/// What lies between a user and the gateway.
pub const DEFAULT_ACCESS_BANDWIDTH: BitsPerSecond = BitsPerSecond(1e9);

/// What a proxy without encryption and telemetry takes: with both, Istio's published figures at light
/// load, 0.10 ms per direction and 0.20 ms of CPU per request.
pub const DEFAULT_PROXY_COST: ProxyCost = ProxyCost {
    request: SimDuration::from_micros(65),
    response: SimDuration::from_micros(65),
    response_per_kb: SimDuration::from_nanos(2_700),
    spread: 0.5,
    cpu: SimDuration::from_micros(95),
    cpu_per_kb: SimDuration::from_nanos(2_000),
};

/// Istio's performance page: two ztunnels add 0.16 to 0.17 ms at p90, each uses 0.06 CPU at 1,000
/// requests/s; encryption is part of it.
pub const DEFAULT_ZTUNNEL_COST: ProxyCost = ProxyCost {
    request: SimDuration::from_micros(30),
    response: SimDuration::from_micros(30),
    response_per_kb: SimDuration::from_nanos(500),
    spread: 0.5,
    cpu: SimDuration::from_micros(60),
    cpu_per_kb: SimDuration::from_nanos(1_000),
};

/// Istio's performance page: 0.25 CPU at 1,000 requests/s, with encryption and telemetry.
pub const DEFAULT_WAYPOINT_COST: ProxyCost =
    ProxyCost { cpu: SimDuration::from_micros(145), ..DEFAULT_PROXY_COST };

/// Measured on Envoy 1.40 with kept connections: 80 us over two proxies and both directions, 30 to
/// 39 us of CPU per proxy, 81 to 129 us at 100 kB.
pub const DEFAULT_MTLS_COST: ExtraCost = ExtraCost {
    time: SimDuration::from_micros(20),
    cpu: SimDuration::from_micros(35),
    cpu_per_kb: SimDuration::from_nanos(1_000),
};

/// The stats filter in Istio's benchmarks of 2020: 66 to 78 us of CPU per proxy and request. Its
/// latency then (0.5 ms per proxy at p50) was that of loaded workers, which queueing makes here.
pub const DEFAULT_TELEMETRY_COST: ExtraCost = ExtraCost {
    time: SimDuration::from_micros(15),
    cpu: SimDuration::from_micros(70),
    cpu_per_kb: SimDuration::ZERO,
};

/// Fits 44 kB per cluster, 0.25 to 1.3 kB per host, and Istio's 60 MB for 1,000 services.
pub const DEFAULT_PROXY_MEMORY: ProxyMemory =
    ProxyMemory { base: 15e6, per_service: 44e3, per_endpoint: 1e3 };

/// Costs of µBench's cell (Python 3.8, gunicorn 20.1) on an AMD EPYC core, measured over open load:
/// 0.5 ms per kB of random body; 2.65 ms per request, of which 70 % before the response; 2.4 ms per
/// external call; 0.4 ms per group; digits of pi with trials of 50 to 1000.
///
/// Those of memory and disk are derived: the loader's own steps took, on another machine (Python 3.11, a local disk),
/// 16 ns per kB of the list, 0.19 us per replacement, 2.0 us per block and 2.65 us per kB written and read; times 2.0 where
/// Python works, the ratio of 100 digits of pi there and here (0.48 and 0.96 ms), and times 1.4 where C does, that of
/// 1000 digits (36 and 51 ms). Its `fsync` took 0.5 ms and 0.6 us per kB, which a networked disk takes many times.
pub const DEFAULT_CELL_COSTS: CellCosts = CellCosts {
    cpu_scale: 1.0,
    request_ms: 1.80,
    response_ms: 0.80,
    body_ms_per_kb: 0.50,
    pi_ms_per_digit: 0.0050,
    pi_ms_per_digit_squared: 0.000_046,
    memory_ms_per_kb: 0.000_033,
    memory_ms_per_operation: 0.000_37,
    disk_ms_per_block: 0.004,
    disk_ms_per_kb: 0.003_7,
    disk_sync_ms: 0.5,
    disk_sync_ms_per_kb: 0.000_6,
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
            // gRPC's MAX_CONNECTION_IDLE: none.
            http2_keep_alive: SimDuration::from_nanos(u64::MAX),
            // µBench passes none to `requests`.
            client_timeout: None,
        }
    }
}

impl Default for MeshSettings {
    fn default() -> Self {
        Self {
            data_plane: DataPlane::Sidecar,
            istio_version: NEWEST,
            // On, with the priorities by locality.
            locality: LocalitySetting::default(),
            // Istio's meshConfig.
            connect_timeout: SimDuration::from_secs(10),
            always_eject_one_host: None,
            enforcing_success_rate: false,
            enforcing_failure_percentage: false,
            // Istio's auto mTLS.
            mtls: true,
            // RSA 2048, Istio's default, TLS 1.3: 0.4 ms of bare operations, 0.9 to 1.6 ms measured
            // with OpenSSL 3.0.
            handshake: SimDuration::from_micros(1_000),
            mtls_cost: DEFAULT_MTLS_COST,
            // Istio's metrics are on by default.
            telemetry: true,
            telemetry_cost: DEFAULT_TELEMETRY_COST,
            memory: DEFAULT_PROXY_MEMORY,
            // Istio's default.
            concurrency: 2,
            // Measured: 27 us warm, 68 us with cold threads.
            loopback: SimDuration::from_micros(50),
            outbound: DEFAULT_PROXY_COST,
            inbound: DEFAULT_PROXY_COST,
            ztunnel: DEFAULT_ZTUNNEL_COST,
            waypoint: DEFAULT_WAYPOINT_COST,
        }
    }
}

impl Default for EastWestSettings {
    fn default() -> Self {
        // As the ingress gateway's container: a limit of 2 CPUs.
        Self { replicas: 1, concurrency: 2, cost: DEFAULT_ZTUNNEL_COST }
    }
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            load_balancer: None,
            replicas: 1,
            // A gateway's container has a limit of 2 CPUs.
            concurrency: 2,
            cost: DEFAULT_PROXY_COST,
        }
    }
}
