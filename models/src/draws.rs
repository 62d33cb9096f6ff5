//! Every random number of the simulator; nothing else draws.
//!
//! # Models
//! *Request draws* live below (seed, replication, population, k-th request, path in the call
//! tree), where the path is chained over (group, slot in the listed order, attempt): request k is
//! the same request under every strategy. *Entity draws* live below (seed, replication, entity,
//! n-th draw of that entity); they count in the order of that entity's own events.
//!
//! # Assumptions
//! - Exactly common to all strategies: open-loop arrival times, call trees, demands, body sizes.
//! - Not common: closed-loop arrival times, and whatever depends on the set of hosts (a choice
//!   among three endpoints is another choice than one among two).

use crate::ids::{ClusterId, PopulationId, ProxyId};
use meshsim_core::random::{Address, Draw};

/// What a random number is for. The numbers are part of every address: a new purpose takes the next
/// free one, so that old results stay what they are.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Purpose {
    /// Time to a population's next request (`users/arrivals`). Request draw.
    Interarrival = 0,
    /// Which user of an open loop sends a request (`users/arrivals`). Request draw.
    User = 1,
    /// A closed-loop user's think time (`users/arrivals`). Request draw.
    ThinkTime = 2,
    /// Is this service called? (`application/call_graph`) Request draw.
    CallCoin = 3,
    /// Which services of a group are called, in which order (`application/call_graph`). Request draw.
    CallOrder = 4,
    /// Digits of pi that the CPU stress computes (`application/internal_service`). Request draw.
    CpuComplexity = 5,
    /// Speed of the core that runs a call (`call/serve`). Request draw.
    CpuSpeed = 6,
    /// Size of the response's body (`application/internal_service`). Request draw.
    BodySize = 7,
    /// The load balancer's choice (`envoy/load_balancer`). Request draw, one address per attempt.
    Balance = 8,
    /// Time that the client's proxy takes to pass a request on (`envoy/proxy_cost`). Request draw.
    ClientProxyRequest = 9,
    /// Time that the client's proxy takes to pass a response on (`envoy/proxy_cost`). Request draw.
    ClientProxyResponse = 10,
    /// Time that the server's proxy takes to pass a request on (`envoy/proxy_cost`). Request draw.
    ServerProxyRequest = 11,
    /// Time that the server's proxy takes to pass a response on (`envoy/proxy_cost`). Request draw.
    ServerProxyResponse = 12,
    /// Random part of a link's delay for a request (`network/link`). Request draw.
    LinkRequest = 13,
    /// Random part of a link's delay for a response (`network/link`). Request draw.
    LinkResponse = 14,
    /// Random part of a further link's delay for a request (`cluster/handle`). Request draw, by the
    /// cluster that forwards it.
    TransitRequest = 15,
    /// Random part of a further link's delay for a response (`cluster/handle`). Request draw, by the
    /// cluster that forwards it.
    TransitResponse = 16,
    /// Back-off before a retry (`envoy/retry`). Request draw.
    RetryBackoff = 17,
    /// Endpoint that kube-proxy chooses for a new connection (`cluster/outbound/kube_proxy`). Entity draw: cluster.
    KubeProxy = 18,
    /// Worker that accepts a new connection (`application/cell`, `envoy/proxy`, `users/population`).
    /// Entity draw: cluster or user.
    AcceptingWorker = 19,
    /// Phase of a container's CFS periods (`compute/container`). Entity draw: pod.
    CfsPhase = 20,
    /// Where a proxy's round robin starts (`envoy/load_balancer`). Entity draw: cluster.
    BalancerStart = 21,
    /// Is a request delayed by fault injection? (`envoy/fault_injection`) Request draw.
    FaultDelay = 22,
    /// Is a request answered by fault injection? (`envoy/fault_injection`) Request draw.
    FaultAbort = 23,
    /// Destination of a request among weighted ones (`envoy/route`). Request draw.
    TrafficSplit = 24,
    /// Is a copy of a request sent to a mirror? (`envoy/route`) Request draw.
    Mirror = 25,
    /// Does a failing service answer a call with an error? (`faults/pod`) Request draw, one address
    /// per attempt.
    ServiceFailure = 26,
    /// Where a proxy's interval of outlier detection begins (`envoy/outlier_detection`). Entity draw:
    /// proxy.
    OutlierInterval = 27,
    /// CPU time of a call where a law says it (`application/service_time`). Request draw.
    ServiceTime = 28,
    /// The state in which a rate that jumps begins (`users/arrivals/mmpp`). Entity draw: population.
    FirstState = 30,
    /// How long a rate stays before it jumps (`users/arrivals/mmpp`). Entity draw: population.
    Sojourn = 31,
    /// Where a rate jumps (`users/arrivals/mmpp`). Entity draw: population.
    NextState = 32,
    /// Which users move first (`users/mobility`). Entity draw: user, one address per move.
    Move = 33,
    /// How long the start of a pod takes (`kubernetes/pod`). Entity draw: pod.
    PodStart = 40,
    /// When metrics are scraped first (`cluster/autoscaling`). Entity draw: cluster.
    MetricsScrape = 41,
    /// When autoscalers are synced first (`cluster/autoscaling`). Entity draw: cluster.
    AutoscalerSync = 42,
    /// Random part of a link's delay for what control planes tell each other (`cluster/network`).
    /// Entity draw: cluster; of a fault that is told: pod and time.
    LinkControl = 43,
    /// Which segment of a request is lost on its links (`network/tcp`). Request draw.
    LossRequest = 44,
    /// Which segment of a response is lost on its links (`network/tcp`). Request draw.
    LossResponse = 45,
    /// How much longer than a second the rounds of a worker's loop take (`application/cell`). Request
    /// draw.
    LoopRound = 46,
    /// Back-off before a server's sidecar tries its application again (`cluster/inbound/sidecar`). Request draw.
    InboundBackOff = 50,
    /// When something that is sound fails (`faults/repeated`). Entity draw: fault, one address per failure.
    TimeToFailure = 55,
    /// How long it takes until it is repaired (`faults/repeated`). Entity draw: fault, one address per failure.
    TimeToRepair = 56,
    /// When the node lifecycle controller looks first (`world/timeline`). Entity draw: cluster.
    NodeMonitor = 57,
    /// When a kubelet renews its lease first (`world/timeline`). Entity draw: cluster, by the node.
    KubeletRenewal = 58,
    /// What is requested (`users/requests`). Request draw.
    RequestKind = 60,
    /// How long a call waits without using the CPU, where a law says it (`application/call_graph`). Request draw.
    Wait = 61,
    /// Does a cache have the answer? (`cluster/inbound/fan_out`) Request draw.
    CacheHit = 62,
    /// Does an endpoint answer with an error? (`cluster/inbound/cell`) Request draw, one address per attempt.
    EndpointError = 63,
    /// Which worker of a pod takes a datagram (`cluster/datagrams`). Request draw.
    DatagramWorker = 71,
    /// Which part of a user's pause before a further attempt is left out (`users/retries`). Request draw, one address per
    /// attempt.
    UserBackOff = 70,
    /// Pod to which an east-west gateway passes a connection on (`multi_network/gateway`). Entity draw: cluster.
    GatewayBalance = 80,
    /// Worker of an east-west gateway that accepts a connection (`cluster/outbound/handshake`). Entity draw: cluster.
    GatewayWorker = 81,
    /// Time that an east-west gateway takes to pass a request on (`envoy/proxy_cost`). Request draw.
    GatewayRequest = 82,
    /// Time that an east-west gateway takes to pass a response on (`envoy/proxy_cost`). Request draw.
    GatewayResponse = 83,
    /// When Prometheus scrapes a cluster first (`telemetry/central`). Entity draw: cluster.
    CentralScrape = 84,
    /// When each of the checks of a peer begins (`world/timeline`). Entity draw: cluster, by the peer and the check.
    PeerCheck = 85,
    /// Does a link lose a ping, or its answer? (`cluster/control/peer_checks`) Entity draw: cluster, by the peer, the ping and
    /// the direction.
    PingLoss = 86,
    /// How far the periods are after which another gateway takes over (`world/topology`). Entity draw: cluster, by the failure.
    GatewayTakeOver = 87,
    /// Which requests an offloading controller samples (`offloading/policy/sbmp`). Entity draw: cluster, by edge and
    /// decision.
    OffloadingTraces = 90,
    /// How old a proxy's connection to istiod gets (`cluster/control/istiod/connections`). Entity draw: cluster, by the connection.
    IstiodConnection = 91,
    /// How old a proxy's certificate is when the run begins (`world/certificates`). Entity draw: pod, or proxy.
    CertificateAge = 92,
}

/// The roots of all addresses of one replication.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    requests: Address,
    entities: Address,
}

/// Branches of a replication's root.
const REQUESTS: u64 = 0;
const ENTITIES: u64 = 1;
/// Branches of the entities.
const CLUSTERS: u64 = 0;
const PODS: u64 = 1;
const USERS: u64 = 2;
const PROXIES: u64 = 3;
const POPULATIONS: u64 = 4;
const FAULTS: u64 = 5;

impl Draws {
    /// The draws of replication `replication` under `seed`.
    #[must_use]
    pub const fn new(seed: u64, replication: u32) -> Self {
        let root = Address::root(seed, replication);
        Self { requests: root.child(REQUESTS), entities: root.child(ENTITIES) }
    }

    /// Request number `k` of a population.
    #[must_use]
    pub const fn request(self, population: PopulationId, k: u64) -> Address {
        self.requests.child(population.0 as u64).child(k)
    }

    /// A cluster's draw number `n`.
    #[must_use]
    pub const fn of_cluster(self, cluster: ClusterId, n: u64) -> Address {
        self.entities.child(CLUSTERS).child(cluster.0 as u64).child(n)
    }

    /// What belongs to a user of a population for the whole run.
    #[must_use]
    pub const fn of_user(self, population: PopulationId, user: u32) -> Address {
        self.entities.child(USERS).child(population.0 as u64).child(user as u64)
    }

    /// What belongs to a population for the whole run.
    #[must_use]
    pub const fn of_population(self, population: PopulationId) -> Address {
        self.entities.child(POPULATIONS).child(population.0 as u64)
    }

    /// What belongs to a proxy of a cluster for the whole run.
    #[must_use]
    pub const fn of_proxy(self, cluster: ClusterId, proxy: ProxyId) -> Address {
        self.entities.child(PROXIES).child(cluster.0 as u64).child(proxy.0 as u64)
    }

    /// What belongs to a fault that comes again and to one of those that it befalls, counted from 0, for the
    /// whole run.
    #[must_use]
    pub const fn of_fault(self, fault: u32, befallen: u32) -> Address {
        self.entities.child(FAULTS).child(fault as u64).child(befallen as u64)
    }

    /// Draw number `n` of the pods with this number among all addresses.
    #[must_use]
    pub const fn of_pod(self, number: u64, n: u64) -> Address {
        self.entities.child(PODS).child(number).child(n)
    }
}

/// The address of the call in position `slot` of group `group` below `parent`, at its n-th repetition
/// and attempt.
#[must_use]
pub const fn call_address(parent: Address, group: u16, slot: u16, attempt: u8) -> Address {
    parent.child(((group as u64) << 24) | ((slot as u64) << 8) | attempt as u64)
}

/// The group number of a further attempt of a user's: no call graph has so many groups.
const OF_USERS: u16 = u16::MAX;

/// The address of attempt number `attempt`, counted from 1, of the user's request at `request`: that of the first is the
/// request's own.
#[must_use]
pub const fn user_attempt_address(request: Address, attempt: u8) -> Address {
    match attempt {
        0 | 1 => request,
        further => call_address(request, OF_USERS, 1, further),
    }
}

/// The random numbers for `purpose` at `address`.
#[must_use]
pub const fn draw(address: Address, purpose: Purpose) -> Draw {
    address.draw(purpose as u32)
}
