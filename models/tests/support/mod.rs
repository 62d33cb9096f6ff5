//! Worlds that several tests share: the ten services of the testbed over a cloud and an edge.
#![allow(dead_code)] // Each test uses a part of it.

use meshsim_core::{RunControl, SimDuration, SimTime};
use meshsim_models::application::internal_service::{BodyKind, CellCosts, InternalService};
use meshsim_models::envoy::load_balancer::Policy;
use meshsim_models::envoy::proxy_cost::{ExtraCost, ProxyCost};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::cluster_policy::{OutlierDetectionSettings, TrafficPolicy};
use meshsim_models::request::answer::Status;
use meshsim_models::telemetry::metrics::Counter;
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::telemetry::work::Work;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::description::{DataPlane, Description, MeshSettings, ServiceSettings};
use meshsim_models::world::{Record, World};
use std::panic::{AssertUnwindSafe, catch_unwind};

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
    memory_ms_per_kb: 0.0,
    memory_ms_per_operation: 0.0,
    disk_ms_per_block: 0.0,
    disk_ms_per_kb: 0.0,
    disk_sync_ms: 0.0,
    disk_sync_ms_per_kb: 0.0,
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

/// A cloud, an edge and a link between them, where neither cells nor proxies take CPU time. There is no service yet.
pub(crate) fn without_costs(seconds: u64) -> Description {
    let mut description = Description::new(SimDuration::from_secs(seconds));
    let [cloud, edge] = ["cloud", "edge"].map(|name| description.add_cluster(name, 1e6));
    let link = description.add_link([edge, cloud], SimDuration::from_millis(160), 1e9);
    (link.mtu, link.tunnel_overhead) = (1340, 60);
    description.cell.costs = NO_COSTS;
    description.gateway.cost = NO_PROXY_COST;
    description.mesh = MeshSettings {
        outbound: NO_PROXY_COST,
        inbound: NO_PROXY_COST,
        mtls_cost: NO_EXTRA_COST,
        telemetry_cost: NO_EXTRA_COST,
        handshake: SimDuration::ZERO,
        ..MeshSettings::default()
    };
    description
}

/// A cloud with the ten services of the testbed, whose bodies have these means [kB], and an edge with `offloaded`, one
/// pod each, users at the edge.
pub(crate) fn cloud_and_edge(
    body_kb: impl Fn(u32) -> f64,
    offloaded: &[u32],
    per_second: f64,
) -> Description {
    let mut description = without_costs(1_000);
    description.warm_up = SimDuration::from_secs(20);
    for i in 0..10 {
        let internal =
            InternalService { mean_body_kb: body_kb(i), body: BodyKind::Random, ..InternalService::idle() };
        let service = description.add_service(&format!("s{i}"), internal);
        description.services[service] = with_outlier_detection();
        description.add_pods(service, CLOUD, 1);
    }
    for (from, to) in CALLS {
        description.add_call(ServiceId(from), ServiceId(to), 0.3);
    }
    for &service in offloaded {
        description.add_pods(ServiceId(service), EDGE, 1);
    }
    let users = description.add_users(EDGE, ServiceId(0), Arrivals::Poisson { per_second });
    users.access.bits_per_second = 1e12;
    description
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

/// Runs a world that keeps what it does for each request.
pub(crate) fn run(description: &Description, replication: u32) -> Record {
    let mut world = World::keeping_work(description, replication);
    let end = world.end();
    world.run(&mut RunControl::until(end));
    world.finish()
}

/// A request that has ended, with all that was done for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) latency: SimDuration,
    pub(crate) status: Status,
    pub(crate) totals: Work,
}

/// All requests that have ended.
pub(crate) fn all_ended(record: &Record) -> Vec<(&RequestRow, Ended)> {
    let ended = |(row, &totals): (_, &Work)| {
        let row: &RequestRow = row;
        row.end.map(|end| (row, Ended { latency: end.latency, status: end.status, totals }))
    };
    record.requests.iter().zip(&record.work).filter_map(ended).collect()
}

/// Requests that arrived after the warm-up and have ended.
pub(crate) fn ended<'a>(description: &Description, record: &'a Record) -> Vec<(&'a RequestRow, Ended)> {
    let warm = SimTime::ZERO + description.warm_up;
    all_ended(record).into_iter().filter(|(row, _)| row.arrival >= warm).collect()
}

/// Round trip inside a cluster of [`free_world`].
pub(crate) const LOCAL_ROUND_TRIP_MS: f64 = 0.2;

/// A world in which only delays of the network and sleeps take time: service `s{i}` sleeps
/// `sleep_ms[i]` and makes those of `calls` (from, to) that are its own, one after the other. `pods`
/// are services with their cluster and number of pods. Users at the edge call `s0`, without a
/// warm-up. Proxies have one worker, cells one with any number of threads.
pub(crate) fn free_world(
    sleep_ms: &[u64],
    calls: &[(u32, u32)],
    pods: &[(u32, ClusterId, u32)],
    arrivals: Arrivals,
    seconds: u64,
) -> Description {
    let mut description = without_costs(seconds);
    for (number, &ms) in sleep_ms.iter().enumerate() {
        let internal = InternalService { sleep: SimDuration::from_millis(ms), ..InternalService::idle() };
        let service = description.add_service(&format!("s{number}"), internal);
        let service = &mut description.application.services[service];
        (service.workers, service.threads) = (1, 10_000);
    }
    for &(from, to) in calls {
        description.add_call(ServiceId(from), ServiceId(to), 1.0);
    }
    for &(service, cluster, replicas) in pods {
        description.add_pods(ServiceId(service), cluster, replicas);
    }
    description.add_users(EDGE, ServiceId(0), arrivals);
    // A bit takes no nanosecond, and a cell never closes a connection.
    for cluster in description.clusters.ids().collect::<Vec<_>>() {
        description.clusters[cluster].local_bits_per_second = 1e18;
    }
    description.links[0].bits_per_second = 1e18;
    description.populations[0].access.bits_per_second = 1e18;
    description.cell.keep_alive = SimDuration::from_secs(1_000_000);
    description.mesh.loopback = SimDuration::ZERO;
    description.mesh.concurrency = 1;
    description.gateway.concurrency = 1;
    description.mesh.ztunnel = NO_PROXY_COST;
    description.mesh.waypoint = NO_PROXY_COST;
    description
}

/// How often something was counted, over all clusters and services.
pub(crate) fn counted(record: &Record, counter: Counter) -> u64 {
    let clusters = record.metrics.ids();
    clusters.map(|it| counted_of(record, it, counter).iter().sum::<u64>()).sum()
}

/// How often the proxies of a cluster counted something, by service.
pub(crate) fn counted_of(record: &Record, cluster: ClusterId, counter: Counter) -> Vec<u64> {
    record.metrics_from(cluster, SimTime::ZERO).counters[counter as usize].clone()
}

/// Calls that the pods of a cluster served, in the order of its deployments.
pub(crate) fn served(record: &Record, cluster: ClusterId) -> Vec<u64> {
    record.metrics_from(cluster, SimTime::ZERO).served
}

/// Whether two times are the same but for rounding to nanoseconds.
pub(crate) fn same_ms(latency: SimDuration, ms: f64) -> bool {
    (latency.as_millis_f64() - ms).abs() < 1e-4
}

/// Whether `count` of `n` independent trials of probability `p` is within five standard deviations.
pub(crate) fn is_binomial(count: u64, n: u64, p: f64) -> bool {
    let (count, n) = (count as f64, n as f64);
    (count - n * p).abs() <= 5.0 * (n * p * (1.0 - p)).sqrt()
}

/// A moment of a run.
pub(crate) fn at_ms(ms: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_millis(ms)
}

/// Runs a check of a test file with each of so many seeds, or with the one that `MESHSIM_SEED` names; tells which one failed.
pub(crate) fn for_each_seed(test: &str, seeds: u64, check: impl Fn(u64)) {
    let named =
        std::env::var("MESHSIM_SEED").ok().map(|seed| seed.parse().expect("MESHSIM_SEED is a number"));
    for seed in named.map_or(0..seeds, |seed: u64| seed..seed + 1) {
        let outcome = catch_unwind(AssertUnwindSafe(|| check(seed)));
        assert!(
            outcome.is_ok(),
            "repeat with MESHSIM_SEED={seed} cargo test -p meshsim-models --test {test}"
        );
    }
}
