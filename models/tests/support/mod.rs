//! Worlds that several tests share: the ten services of the testbed over a cloud and an edge.
#![allow(dead_code)] // Each test uses a part of it.

use meshsim_core::{RunControl, SimDuration, Table};
use meshsim_models::application::call_graph::{Application, Call, Endpoint, Group, Service};
use meshsim_models::application::internal_service::{BodyKind, CellCosts, InternalService};
use meshsim_models::ids::{ClusterId, EndpointId, HostId, ServiceId};
use meshsim_models::mesh::cluster_policy::{OutlierDetectionSettings, TrafficPolicy};
use meshsim_models::mesh::failover_priority::Labels;
use meshsim_models::mesh::load_balancer::Policy;
use meshsim_models::mesh::locality_priority::Locality;
use meshsim_models::mesh::proxy_cost::{ExtraCost, ProxyCost};
use meshsim_models::network::path::Path;
use meshsim_models::telemetry::request_log::{RequestEnd, RequestRow};
use meshsim_models::units::Cores;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::users::population::Population;
use meshsim_models::world::description::{
    CellSettings, ClusterSpec, DataPlane, Deployment, Description, GatewaySettings, HostSpec, LinkSpec,
    MeshSettings, NodeSpec, ServiceSettings,
};
use meshsim_models::world::{Record, World};

pub(crate) const CLOUD: ClusterId = ClusterId(0);
pub(crate) const EDGE: ClusterId = ClusterId(1);

/// Round trip between cloud and edge.
pub(crate) const ROUND_TRIP_MS: f64 = 160.0;

/// Calls of the testbed's application, each with probability 0.3.
pub(crate) const CALLS: [(u32, u32); 9] =
    [(0, 1), (0, 2), (0, 3), (0, 9), (1, 5), (3, 4), (3, 8), (5, 6), (5, 7)];

pub(crate) const NO_COSTS: CellCosts = CellCosts {
    cpu_scale: 1.0,
    request_ms: 0.0,
    response_ms: 0.0,
    body_ms_per_kb: 0.0,
    pi_ms_per_digit: 0.0,
    pi_ms_per_digit_squared: 0.0,
    call_ms: 0.0,
    group_ms: 0.0,
};

pub(crate) const NO_PROXY_COST: ProxyCost = ProxyCost {
    request: SimDuration::ZERO,
    response: SimDuration::ZERO,
    response_per_kb: SimDuration::ZERO,
    spread: 0.0,
    cpu: SimDuration::ZERO,
    cpu_per_kb: SimDuration::ZERO,
};

pub(crate) const NO_EXTRA_COST: ExtraCost =
    ExtraCost { time: SimDuration::ZERO, cpu: SimDuration::ZERO, cpu_per_kb: SimDuration::ZERO };

/// Ten services whose bodies have these means [kB].
pub(crate) fn ten_services(body_kb: impl Fn(u32) -> f64) -> Application {
    let mut application = Application::default();
    for i in 0..10 {
        let calls: Vec<Call> = CALLS
            .iter()
            .filter(|(from, _)| *from == i)
            .map(|&(_, to)| Call { endpoint: EndpointId(to), probability: 0.3 })
            .collect();
        let groups = if calls.is_empty() { vec![] } else { vec![Group { sequence_length: 100, calls }] };
        let internal =
            InternalService { mean_body_kb: body_kb(i), body: BodyKind::Random, ..InternalService::idle() };
        let endpoint = application.endpoints.push(Endpoint { service: ServiceId(i), internal, groups });
        application.services.push(Service {
            name: format!("s{i}"),
            workers: 4,
            threads: 16,
            replicas: 1,
            cpu_limit: None,
            cpu_request: Cores(1.0),
            endpoint,
        });
    }
    application
}

fn cluster(name: &str, node: HostId) -> ClusterSpec {
    ClusterSpec {
        name: name.into(),
        nodes: vec![NodeSpec { host: node, locality: Locality { zone: name.into(), ..Locality::default() } }],
        labels: Labels::new(),
        local_delay: SimDuration::from_micros(100),
        local_bits_per_second: 10e9,
        mtu: 1500,
    }
}

/// A cloud with every service and an edge with `offloaded`, one pod each, users at the edge.
pub(crate) fn cloud_and_edge(application: Application, offloaded: &[u32], per_second: f64) -> Description {
    let mut hosts = Table::new();
    let nodes = ["cloud", "edge"].map(|name| hosts.push(HostSpec { name: name.into(), cores: 1e6 }));
    let pod = |service, cluster| Deployment {
        service: ServiceId(service),
        cluster,
        replicas: 1,
        cpu_limit: None,
        weight: 1,
    };
    let in_cloud = (0..10).map(|service| pod(service, CLOUD));
    Description {
        seed: 1,
        warm_up: SimDuration::from_secs(20),
        duration: SimDuration::from_secs(1_000),
        application,
        cell: CellSettings { costs: NO_COSTS, ..CellSettings::default() },
        hosts,
        clusters: [cluster("cloud", nodes[0]), cluster("edge", nodes[1])].into_iter().collect(),
        links: vec![LinkSpec {
            name: "edge-cloud".into(),
            between: [EDGE, CLOUD],
            round_trip: SimDuration::from_millis(160),
            jitter: SimDuration::ZERO,
            bits_per_second: 1e9,
            mtu: 1340,
            tunnel_overhead: 60,
        }],
        deployments: in_cloud.chain(offloaded.iter().map(|&service| pod(service, EDGE))).collect(),
        mesh: MeshSettings {
            outbound: NO_PROXY_COST,
            inbound: NO_PROXY_COST,
            mtls_cost: NO_EXTRA_COST,
            telemetry_cost: NO_EXTRA_COST,
            handshake: SimDuration::ZERO,
            ..MeshSettings::default()
        },
        gateway: GatewaySettings { cost: NO_PROXY_COST, ..GatewaySettings::default() },
        populations: vec![Population {
            name: "users".into(),
            cluster: EDGE,
            entry: EndpointId(0),
            users: 100,
            arrivals: Arrivals::Poisson { per_second },
            access: Path {
                round_trip: SimDuration::ZERO,
                one_way: SimDuration::ZERO,
                bits_per_second: 1e12,
                mtu: 1500,
                tunnel_overhead: 0,
            },
            headers: Vec::new(),
            personal: Vec::new(),
            reconnects_after: None,
            counts_session_moves: false,
        }],
        services: (0..10).map(|_| with_outlier_detection()).collect(),
        faults: Vec::new(),
    }
}

/// What makes endpoints near a proxy come first.
pub(crate) fn with_outlier_detection() -> ServiceSettings {
    let outlier_detection = Some(OutlierDetectionSettings::default());
    let traffic_policy = TrafficPolicy { outlier_detection, ..TrafficPolicy::default() };
    ServiceSettings { traffic_policy, ..ServiceSettings::default() }
}

/// The same without sidecars; the gateway takes all endpoints in turn.
pub(crate) fn without_mesh(mut description: Description) -> Description {
    description.mesh.data_plane = DataPlane::None;
    description.gateway.load_balancer = Some(Policy::RoundRobin);
    description
}

pub(crate) fn run(description: &Description, replication: u32) -> Record {
    let mut world = World::new(description, replication);
    let end = world.end();
    world.run(&mut RunControl::until(end));
    world.finish()
}

/// Requests that arrived after the warm-up and have ended.
pub(crate) fn ended<'a>(
    description: &Description,
    record: &'a Record,
) -> Vec<(&'a RequestRow, &'a RequestEnd)> {
    let warm = meshsim_core::SimTime::ZERO + description.warm_up;
    record
        .requests
        .iter()
        .filter(|row| row.arrival >= warm)
        .filter_map(|row| row.end.as_ref().map(|end| (row, end)))
        .collect()
}
