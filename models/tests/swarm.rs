//! Random small worlds: whatever is described, the invariants hold and everything ends.
//!
//! Each world follows from its seed alone. A failure names the seed; `MESHSIM_SEED` repeats it.

mod support;

use meshsim_core::random::{Address, Draw, uniform, uniform_index};
use meshsim_core::{Id, RunControl, SimDuration, SimTime, Table};
use meshsim_models::application::call_graph::{Application, Endpoint, Group, Protocol, Service};
use meshsim_models::application::internal_service::{BodyKind, CellCosts, CpuStress, InternalService};
use meshsim_models::draws::Draws;
use meshsim_models::envoy::fault_injection::FaultInjection;
use meshsim_models::envoy::load_balancer::Policy;
use meshsim_models::envoy::load_balancer::slow_start::SlowStart;
use meshsim_models::envoy::proxy_cost::ProxyCost;
use meshsim_models::envoy::retry_budget::RetryBudget;
use meshsim_models::envoy::route::{
    Conditions, Destination, Mirror, RouteSettings, ValueMatch, WeightedDestination,
};
use meshsim_models::envoy::session_affinity::{ConsistentHash, HashAlgorithm, HashPolicy};
use meshsim_models::faults::link::{Degradation, LinkFault, LinkFaultKind};
use meshsim_models::faults::outage::{Component, Outage};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::faults::repeated::{Renewal, RepeatedFault, Repeats};
use meshsim_models::ids::{ClusterId, EndpointId, HostId, ServiceId, SubsetId};
use meshsim_models::istiod::authorization_policy::{
    Action, AuthorizationPolicy, Field, Operation, Pattern, Rule, Source,
};
use meshsim_models::istiod::cluster_policy::{
    ConnectionPoolSettings, OutlierDetectionSettings, SimpleBalancer, TrafficPolicy,
};
use meshsim_models::istiod::debounce::DebounceSettings;
use meshsim_models::istiod::distribute::Distribute;
use meshsim_models::istiod::failover_priority::Labels;
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::istiod::locality_priority::{Failover, Locality};
use meshsim_models::istiod::locality_setting::{LocalitySetting, TrafficDistribution};
use meshsim_models::istiod::peer_authentication::{MutualTls, PeerAuthentication};
use meshsim_models::istiod::retry_policy::{RetryPolicy, RetrySettings};
use meshsim_models::istiod::settings::IstiodSettings;
use meshsim_models::istiod::subset::{Subset, SubsetSettings};
use meshsim_models::kubernetes::deployment::{PodCount, Rollout};
use meshsim_models::kubernetes::hpa::{HpaSpec, MetricResource, MetricSource, MetricSpec};
use meshsim_models::kubernetes::metrics_server::Reads;
use meshsim_models::kubernetes::scheduler::resources::{Resource, ResourceList};
use meshsim_models::kubernetes::settings::{
    AutoscalerSettings, Change, ChangeKind, KubernetesSettings, PodTimes, ReadinessProbe, StartWhen,
    StartWork, WorkloadSettings,
};
use meshsim_models::kubernetes::version::KubernetesVersion;
use meshsim_models::liqo::gateway::GatewayCost;
use meshsim_models::liqo::namespace_offloading::PodOffloadingStrategy;
use meshsim_models::liqo::quota::LimitsEnforcement;
use meshsim_models::liqo::settings::{LiqoSettings, Offloading, Peering};
use meshsim_models::multi_network::gateway::EastWestSettings;
use meshsim_models::network::path::Path;
use meshsim_models::network::tcp::{CongestionControl, TcpSettings};
use meshsim_models::offloading::analytic_model::Prices;
use meshsim_models::offloading::controller::ControllerSettings;
use meshsim_models::offloading::settings::{
    ManagedDeployment, ManagedService, OffloadingSettings, PlacerSettings, PolicySettings,
};
use meshsim_models::telemetry::central::CentralObservability;
use meshsim_models::telemetry::control_log::OffloadingDecision;
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::telemetry::trace::life::{self, Attempt, Life};
use meshsim_models::telemetry::trace::{self, Part};
use meshsim_models::telemetry::work::Work;
use meshsim_models::units::Cores;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::users::population::{OnIngressLoss, Population};
use meshsim_models::users::requests::Requests;
use meshsim_models::users::retries::{Retried, Retries};
use meshsim_models::world::description::{
    CellSettings, ClusterSpec, ConfigurationChange, DataPlane, Deployment, Description, Federation,
    GatewaySettings, HostSpec, LinkSpec, MeshSettings, NodeSpec, ServiceSettings,
};
use meshsim_models::world::{Record, World};
use std::cell::Cell;
use std::collections::BTreeSet;
use support::{Ended, all_ended, for_each_seed, run};

/// Worlds per test.
const WORLDS: u64 = 800;

/// Calls per second that a world's users cause together, about: what keeps it small.
const CALLS_PER_SECOND: f64 = 150.0;

/// What a world is drawn from.
struct Dice(Draw);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Address::root(seed, 0).draw(0))
    }

    /// A whole number in `low..=high`.
    fn count(&mut self, low: u32, high: u32) -> u32 {
        low + uniform_index(&mut self.0, (high - low + 1) as usize) as u32
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * uniform(&mut self.0)
    }

    /// Every order of magnitude alike.
    fn magnitude(&mut self, low: f64, high: f64) -> f64 {
        let (low, high) = (meshsim_core::elementary::ln(low), meshsim_core::elementary::ln(high));
        meshsim_core::elementary::exp(self.between(low, high))
    }

    fn chance(&mut self, probability: f64) -> bool {
        uniform(&mut self.0) < probability
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[uniform_index(&mut self.0, of.len())]
    }

    /// Zero or something up to `most` microseconds.
    fn micros(&mut self, most: f64) -> SimDuration {
        if self.chance(0.3) {
            SimDuration::ZERO
        } else {
            SimDuration::from_secs_f64(self.between(0.0, most) / 1e6)
        }
    }
}

/// Endpoints call only those of later services, so that the graph has no cycle and a service
/// never waits for itself.
fn application(dice: &mut Dice) -> Application {
    let services = dice.count(1, 5);
    let owners: Vec<u32> =
        (0..services).flat_map(|service| vec![service; dice.count(1, 2) as usize]).collect();
    let mut application = Application::default();
    for &owner in &owners {
        let later: Vec<u32> =
            (0..owners.len() as u32).filter(|&endpoint| owners[endpoint as usize] > owner).collect();
        let groups = if later.is_empty() { Vec::new() } else { groups(dice, &later) };
        let endpoint = Endpoint::new(ServiceId(owner), internal_service(dice));
        let request_bytes = dice.pick(&[0, 0, 2_000, 200_000]);
        application.endpoints.push(Endpoint { request_bytes, groups, ..endpoint });
    }
    for number in 0..services {
        let mut own =
            owners.iter().zip(0..).filter(|(owner, _)| **owner == number).map(|(_, id)| EndpointId(id));
        let service = service(dice, number, own.next().expect("each has one"));
        application.services.push(Service { others: own.collect(), ..service });
    }
    application
}

fn groups(dice: &mut Dice, later: &[u32]) -> Vec<Group> {
    let mut groups: Vec<Group> = (0..dice.count(0, 3))
        .map(|_| {
            let call = |dice: &mut Dice| (EndpointId(dice.pick(later)), dice.pick(&[0.0, 0.3, 0.7, 1.0]));
            let calls: Vec<(EndpointId, f64)> = (0..dice.count(1, 3)).map(|_| call(dice)).collect();
            let mut group = Group::in_turn(calls);
            // Some are made together or not at all.
            if dice.chance(0.3) {
                group.calls.iter_mut().for_each(|call| call.coin = 0);
            }
            Group { stage: dice.count(0, 2) as u16, sequence_length: dice.pick(&[1, 2, 100]), ..group }
        })
        .collect();
    groups.sort_by_key(|group| group.stage);
    groups
}

fn internal_service(dice: &mut Dice) -> InternalService {
    let stress =
        CpuStress { complexity: [1, dice.count(1, 100)], thread_pool_size: dice.count(1, 2), trials: 2 };
    InternalService {
        cpu_stress: dice.chance(0.3).then_some(stress),
        memory_stress: None,
        disk_stress: None,
        sleep: if dice.chance(0.3) {
            SimDuration::from_millis(u64::from(dice.count(1, 50)))
        } else {
            SimDuration::ZERO
        },
        mean_body_kb: dice.magnitude(0.001, 300.0),
        body: dice.pick(&[BodyKind::Random, BodyKind::Constant]),
    }
}

fn service(dice: &mut Dice, number: u32, endpoint: EndpointId) -> Service {
    Service {
        name: format!("s{number}"),
        workers: dice.count(1, 3) as u16,
        threads: dice.count(1, 3) as u16,
        cpu_request: Some(Cores(dice.between(0.0, 2.0))),
        pool_size: dice.chance(0.2).then(|| dice.count(1, 3)),
        ..Service::new("", endpoint)
    }
}

fn cell(dice: &mut Dice) -> CellSettings {
    let costs = CellCosts {
        cpu_scale: dice.between(0.2, 2.0),
        request_ms: dice.pick(&[0.0, 1.8]),
        response_ms: dice.pick(&[0.0, 0.8]),
        body_ms_per_kb: dice.pick(&[0.0, 0.05, 0.5]),
        pi_ms_per_digit: 0.005,
        pi_ms_per_digit_squared: 0.000_05,
        memory_ms_per_kb: 0.000_03,
        memory_ms_per_operation: 0.000_4,
        disk_ms_per_block: 0.004,
        disk_ms_per_kb: 0.004,
        disk_sync_ms: 0.5,
        disk_sync_ms_per_kb: 0.000_6,
        call_ms: dice.pick(&[0.0, 2.4]),
        group_ms: dice.pick(&[0.0, 0.4]),
    };
    let keep_alive = SimDuration::from_millis(dice.pick(&[1, 100, 2_000, 100_000]));
    CellSettings { costs, speed_spread: dice.pick(&[0.0, 0.25]), keep_alive, ..CellSettings::default() }
}

fn hosts(dice: &mut Dice) -> Table<HostId, HostSpec> {
    let count = dice.count(1, 6);
    let host = |number| HostSpec { name: format!("host{number}"), cores: dice.magnitude(0.5, 16.0) };
    (0..count).map(host).collect()
}

fn nodes(dice: &mut Dice, cluster: u32, hosts: u32) -> Vec<NodeSpec> {
    let locality = Locality {
        region: format!("r{}", dice.count(0, 1)),
        zone: format!("z{}", dice.count(0, 1)),
        subzone: format!("c{cluster}"),
    };
    let host = |dice: &mut Dice| HostId(dice.count(0, hosts - 1));
    (0..dice.count(1, 2)).map(|_| NodeSpec::new(host(dice), locality.clone())).collect()
}

fn clusters(dice: &mut Dice, hosts: u32) -> Table<ClusterId, ClusterSpec> {
    (0..dice.count(1, 5))
        .map(|number| ClusterSpec {
            name: format!("c{number}"),
            nodes: nodes(dice, number, hosts),
            labels: Labels::new(),
            local_delay: dice.micros(500.0),
            local_bits_per_second: dice.magnitude(1e8, 1e11),
            mtu: dice.pick(&[1_340, 1_500, 9_000]),
            tcp: TcpSettings {
                slow_start_after_idle: dice.chance(0.5),
                congestion_control: dice.pick(&[CongestionControl::Cubic, CongestionControl::Bbr]),
                initial_window: dice.pick(&[1, 10, 30]),
            },
        })
        .collect()
}

/// A tree over all clusters and some more links.
fn links(dice: &mut Dice, clusters: u32) -> Vec<LinkSpec> {
    let tree: Vec<[u32; 2]> = (1..clusters).map(|to| [dice.count(0, to - 1), to]).collect();
    let further: Vec<[u32; 2]> = (1..clusters)
        .flat_map(|to| (0..to).map(move |from| [from, to]))
        .filter(|_| dice.chance(0.2))
        .collect();
    tree.into_iter().chain(further).map(|between| link(dice, between)).collect()
}

fn link(dice: &mut Dice, between: [u32; 2]) -> LinkSpec {
    LinkSpec {
        name: format!("{}-{}", between[0], between[1]),
        between: between.map(ClusterId),
        round_trip: SimDuration::from_secs_f64(dice.magnitude(0.0002, 0.3)),
        jitter: dice.micros(20_000.0),
        bits_per_second: dice.magnitude(2e6, 1e10),
        mtu: dice.pick(&[600, 1_340, 1_500]),
        tunnel_overhead: dice.pick(&[0, 60]),
        loss: dice.pick(&[0.0, 0.0, 0.001, 0.1]),
    }
}

/// Every service somewhere, in some clusters more than once.
fn deployments(dice: &mut Dice, services: u32, clusters: u32) -> Vec<Deployment> {
    let mut deployments = Vec::new();
    for service in (0..services).map(ServiceId) {
        let first = dice.count(0, clusters - 1);
        for cluster in 0..clusters {
            if cluster == first || dice.chance(0.4) {
                let cpu_limit = dice.chance(0.6).then(|| Cores(dice.magnitude(0.1, 4.0)));
                let replicas = dice.count(1, 3);
                let cluster = ClusterId(cluster);
                deployments.push(Deployment { service, cluster, replicas, cpu_limit, weight: 1 });
            }
        }
    }
    deployments
}

fn policy(dice: &mut Dice) -> Policy {
    let choice_count = dice.count(1, 3);
    dice.pick(&[Policy::RoundRobin, Policy::LeastRequest { choice_count }, Policy::Random])
}

fn proxy_cost(dice: &mut Dice) -> ProxyCost {
    ProxyCost {
        request: dice.micros(1_000.0),
        response: dice.micros(1_000.0),
        response_per_kb: dice.micros(5.0),
        spread: dice.pick(&[0.0, 0.5]),
        cpu: dice.micros(300.0),
        cpu_per_kb: dice.micros(5.0),
    }
}

fn mesh(dice: &mut Dice) -> MeshSettings {
    MeshSettings {
        data_plane: dice.pick(&[DataPlane::Sidecar, DataPlane::Sidecar, DataPlane::None]),
        istio_version: dice.pick(&[IstioVersion::new(1, 23), IstioVersion::new(1, 26)]),
        mtls: dice.chance(0.5),
        concurrency: dice.count(1, 3) as u16,
        loopback: dice.micros(100.0),
        outbound: proxy_cost(dice),
        inbound: proxy_cost(dice),
        ..MeshSettings::default()
    }
}

fn gateway(dice: &mut Dice) -> GatewaySettings {
    GatewaySettings {
        load_balancer: dice.chance(0.5).then(|| policy(dice)),
        replicas: dice.count(1, 3) as u16,
        concurrency: dice.count(1, 3) as u16,
        cost: proxy_cost(dice),
    }
}

fn access(dice: &mut Dice) -> Path {
    let one_way = dice.micros(30_000.0);
    Path {
        round_trip: one_way * 2,
        one_way,
        bits_per_second: dice.magnitude(1e6, 1e12),
        mtu: 1_500,
        tunnel_overhead: 0,
    }
}

/// A population whose requests cause about so many calls per second.
fn population(
    dice: &mut Dice,
    application: &Application,
    clusters: u32,
    calls_per_second: f64,
) -> Population {
    let kind = |dice: &mut Dice| EndpointId(dice.count(0, application.endpoints.len() as u32 - 1));
    let kinds: Vec<(EndpointId, f64)> =
        (0..dice.count(1, 3)).map(|_| (kind(dice), dice.pick(&[1.0, 3.0]))).collect();
    let requests = Requests::weighted(&kinds);
    let visits = application.expected_visits(requests.shares()).expect("the graph has no cycle");
    let per_second = (dice.between(0.1, 1.0) * calls_per_second / visits.iter().sum::<f64>()).min(50.0);
    let users = dice.count(1, 20);
    let think_time = SimDuration::from_secs_f64(f64::from(users) / per_second);
    Population {
        name: "users".into(),
        cluster: ClusterId(dice.count(0, clusters - 1)),
        requests,
        users,
        arrivals: match dice.count(0, 2) {
            0 => Arrivals::Poisson { per_second },
            1 => Arrivals::Constant { per_second },
            _ => Arrivals::ClosedLoop { think_time, exponential: dice.chance(0.5) },
        },
        access: access(dice),
        headers: Vec::new(),
        personal: Vec::new(),
        reconnects_after: None,
        counts_session_moves: false,
        moves: Vec::new(),
        timeout: None,
        retries: None,
        requests_each: None,
        on_ingress_loss: OnIngressLoss::Fail,
    }
}

/// What users do after failures of servers.
fn retries(dice: &mut Dice) -> Retries {
    Retries {
        attempts: dice.count(1, 4) as u8,
        backoff: SimDuration::from_millis(u64::from(dice.count(0, 200))),
        backoff_max: SimDuration::from_millis(300),
        jitter: dice.pick(&[0.0, 0.5, 1.0]),
        on: Retried { timeout: true, no_ingress: true, statuses: vec![[500, 599]] },
    }
}

/// Balancers, and whether near endpoints come first.
fn services_of(dice: &mut Dice, services: u32) -> Table<ServiceId, ServiceSettings> {
    let near = dice.chance(0.5);
    let settings = |dice: &mut Dice| ServiceSettings {
        traffic_policy: TrafficPolicy {
            simple: dice.pick(&[
                SimpleBalancer::LeastRequest,
                SimpleBalancer::RoundRobin,
                SimpleBalancer::Random,
            ]),
            outlier_detection: near.then(OutlierDetectionSettings::default),
            ..TrafficPolicy::default()
        },
        ..ServiceSettings::default()
    };
    (0..services).map(|_| settings(dice)).collect()
}

fn world(seed: u64) -> Description {
    let dice = &mut Dice::new(seed);
    let application = application(dice);
    let hosts = hosts(dice);
    let clusters = clusters(dice, hosts.len() as u32);
    let (services, count) = (application.services.len() as u32, clusters.len() as u32);
    let groups = dice.count(1, 3);
    let share = CALLS_PER_SECOND / f64::from(groups);
    Description {
        federation: None,
        observability: None,
        seed,
        warm_up: SimDuration::from_secs(2),
        duration: SimDuration::from_secs(18),
        cell: cell(dice),
        links: links(dice, count),
        deployments: deployments(dice, services, count),
        mesh: mesh(dice),
        gateway: gateway(dice),
        populations: (0..groups).map(|_| population(dice, &application, count, share)).collect(),
        services: services_of(dice, services),
        subsets: Table::new(),
        authorization_policies: Vec::new(),
        peer_authentications: Vec::new(),
        configuration_changes: Vec::new(),
        faults: Vec::new(),
        link_faults: Vec::new(),
        outages: Vec::new(),
        offloading: None,
        keeps_decisions: false,
        scraped_every: None,
        repeated_faults: Vec::new(),
        kubernetes: KubernetesSettings::default(),
        istiod: None,
        time_series: None,
        costs: None,
        application,
        hosts,
        clusters,
    }
}

/// The same world with everything that a mesh may be told, and with pods that fail.
fn world_with_rules(seed: u64) -> Description {
    let mut description = world(seed);
    let dice = &mut Dice::new(seed ^ 0xFA17);
    description.mesh.data_plane = dice.pick(&[DataPlane::Sidecar, DataPlane::Sidecar, DataPlane::Ambient]);
    let versions = [22, 23, 26, 30, 31].map(|minor| IstioVersion::new(1, minor));
    description.mesh.istio_version = dice.pick(&versions);
    description.mesh.always_eject_one_host = dice.pick(&[None, Some(true), Some(false)]);
    description.mesh.enforcing_success_rate = dice.chance(0.2);
    description.mesh.enforcing_failure_percentage = dice.chance(0.2);
    for deployment in &mut description.deployments {
        deployment.weight = dice.pick(&[1, 1, 3]);
    }
    let version = description.mesh.istio_version;
    let (services, clusters) = (description.services.len() as u32, description.clusters.len() as u32);
    description.services = (0..services).map(|_| rules(dice, version, services, clusters)).collect();
    // Connections are not routed: neither from a `tcp` service nor to one.
    for settings in description.services.iter_mut().filter(|it| it.protocol == Protocol::Tcp) {
        settings.routes = Vec::new();
        settings.hash = None;
    }
    description.services[ServiceId(services - 1)].protocol = Protocol::Http1;
    // Users enter by HTTP.
    for population in &mut description.populations {
        for entry in population.requests.endpoints() {
            let entry = description.application.endpoints[entry].service;
            description.services[entry].protocol = dice.pick(&[Protocol::Http1, Protocol::Http2]);
        }
        population.personal = vec!["x-user".into()];
        population.counts_session_moves = true;
        population.reconnects_after = dice.chance(0.3).then(|| SimDuration::from_secs(3));
    }
    description.faults = (0..dice.count(0, 5)).map(|_| fault(dice, &description)).collect();
    description.federation = federation(&mut Dice::new(seed ^ 0xFEDE), &description);
    let description = with_impatient_callers(dice, description);
    let description = with_datagrams(&mut Dice::new(seed ^ 0xDA7A), description);
    let description = with_versions(&mut Dice::new(seed ^ 0x5B5E7), description);
    with_policies(&mut Dice::new(seed ^ 0xACCE55), description)
}

/// In some worlds services speak UDP, whose callers wait for so long and no longer.
fn with_datagrams(dice: &mut Dice, mut description: Description) -> Description {
    if dice.chance(0.5) || matches!(description.federation, Some(Federation::MultiNetwork(_))) {
        return description;
    }
    let application = &mut description.application;
    // Users enter by HTTP, and routes lead to the last.
    let entries = description.populations.iter().flat_map(|it| it.requests.endpoints());
    let mut others: BTreeSet<ServiceId> = entries.map(|it| application.endpoints[it].service).collect();
    others.insert(ServiceId(application.services.len() as u32 - 1));
    for id in application.services.ids().collect::<Vec<_>>() {
        if !others.contains(&id) && dice.chance(0.4) {
            description.services[id] =
                ServiceSettings { protocol: Protocol::Udp, ..ServiceSettings::default() };
            application.services[id].pool_size = None;
            description.cell.client_timeout.get_or_insert(SimDuration::from_millis(400));
        }
    }
    description
}

/// Some worlds have policies that deny, servers that take mTLS alone, and pods without a sidecar.
fn with_policies(dice: &mut Dice, mut description: Description) -> Description {
    if dice.chance(0.6) {
        return description;
    }
    let services = description.services.len() as u32;
    for settings in description.services.iter_mut() {
        settings.without_sidecar = dice.chance(0.2);
    }
    let modes = [None, Some(MutualTls::Strict), Some(MutualTls::Disable), Some(MutualTls::Permissive)];
    for _ in 0..dice.count(0, 2) {
        let some = dice.chance(0.7).then(|| ServiceId(dice.count(0, services - 1)));
        description.peer_authentications.push(PeerAuthentication {
            namespace: some.map(|_| "default".into()),
            services: some.into_iter().collect(),
            mode: dice.pick(&modes),
            mode_of_port: None,
        });
    }
    for _ in 0..dice.count(0, 2) {
        let principals = Field {
            one_of: vec![Pattern::new(dice.pick(&["*", "*/sa/s0", "*gateway*"]))],
            none_of: Vec::new(),
        };
        let methods = Field { one_of: vec![Pattern::new(dice.pick(&["GET", "POST"]))], none_of: Vec::new() };
        description.authorization_policies.push(AuthorizationPolicy {
            namespace: None,
            services: vec![ServiceId(dice.count(0, services - 1))],
            action: dice.pick(&[Action::Allow, Action::Deny]),
            rules: vec![Rule {
                from: if dice.chance(0.6) {
                    vec![Source { principals, ..Source::default() }]
                } else {
                    Vec::new()
                },
                to: if dice.chance(0.3) {
                    vec![Operation { methods, ..Operation::default() }]
                } else {
                    Vec::new()
                },
            }],
        });
    }
    description
}

/// Some worlds have a version of the service that routes lead to, and rules that tell the two apart, one that selects
/// nothing, and routes to subsets of which some are not defined.
fn with_versions(dice: &mut Dice, mut description: Description) -> Description {
    if dice.chance(0.5) {
        return description;
    }
    let last = ServiceId(description.services.len() as u32 - 1);
    let labels = |version: &str| -> Labels { [("version".to_owned(), version.to_owned())].into() };
    let version = description.add_version(last, "canary", labels("v1"));
    for cluster in description.clusters.ids().collect::<Vec<_>>() {
        if dice.chance(0.6) {
            description.add_pods(version, cluster, dice.count(1, 2));
        }
    }
    for name in ["v0", "v1", "v2"] {
        let name = description.subsets.push(name.to_owned());
        if dice.chance(0.8) {
            let labels = labels(&description.subsets[name]);
            let traffic_policy = traffic_policy(dice);
            let rule = SubsetSettings { name, labels, traffic_policy, locality: None, hash: None };
            description.services[last].subsets.push(rule);
        }
    }
    description.services[last].labels = labels("v0");
    for settings in description.services.iter_mut() {
        for to in settings.routes.iter_mut().flat_map(|route| &mut route.destinations) {
            if to.destination.service == last && dice.chance(0.7) {
                to.destination.subset = Some(Subset::Named(SubsetId(dice.count(0, 2))));
            }
        }
    }
    description
}

/// Every link is a tunnel, or leads to an east-west gateway, or neither.
fn federation(dice: &mut Dice, description: &Description) -> Option<Federation> {
    let peering = |link: &LinkSpec| Peering::new(&link.name, link.between[0], link.between[1]);
    let cost = |dice: &mut Dice| GatewayCost {
        replicas: 1,
        cores: dice.count(1, 4),
        per_packet: dice.micros(200.0),
        per_request: dice.micros(2_000.0),
    };
    match dice.count(0, 3) {
        0 => Some(Federation::Flat),
        1 => Some(Federation::Liqo(LiqoSettings {
            peerings: description.links.iter().map(peering).collect(),
            gateways: description.clusters.iter().map(|_| cost(dice)).collect(),
            offloading: None,
        })),
        2 if description.mesh.data_plane == DataPlane::Sidecar => {
            Some(Federation::MultiNetwork(EastWestSettings {
                replicas: dice.count(1, 3) as u16,
                concurrency: dice.count(1, 3) as u16,
                cost: proxy_cost(dice),
            }))
        }
        _ => None,
    }
}

/// Callers give up, users stop, pods and links swallow packets.
fn with_impatient_callers(dice: &mut Dice, mut description: Description) -> Description {
    let patience =
        |dice: &mut Dice| dice.chance(0.4).then(|| SimDuration::from_millis(dice.pick(&[5, 50, 400])));
    description.cell.client_timeout = patience(dice);
    for population in &mut description.populations {
        population.timeout = patience(dice);
        population.retries = dice.chance(0.3).then(|| retries(dice));
        let stops = !population.arrivals.is_open() && dice.chance(0.3);
        population.requests_each = stops.then(|| dice.count(1, 20));
    }
    for _ in 0..dice.count(0, 2) {
        description.faults.push(PodFault { kind: FaultKind::Blackhole, ..fault(dice, &description) });
    }
    if !description.links.is_empty() && dice.chance(0.3) {
        let PodFault { begins, ends, .. } = fault(dice, &description);
        description.link_faults.push(link_fault(dice, &description, begins, ends));
    }
    with_repeated_faults(dice, description)
}

/// A link is cut or worse than it should be, perhaps one way only.
fn link_fault(
    dice: &mut Dice,
    description: &Description,
    begins: SimTime,
    ends: Option<SimTime>,
) -> LinkFault {
    let link = dice.count(0, description.links.len() as u32 - 1);
    let [a, b] = description.links[link as usize].between;
    let worse = Degradation {
        delay: SimDuration::from_millis(dice.pick(&[0, 5, 200])),
        loss: dice.pick(&[0.0, 0.1, 1.0]),
        bits_per_second: dice.pick(&[None, Some(1e6)]),
    };
    let kind = dice.pick(&[
        LinkFaultKind::Blackhole,
        LinkFaultKind::Down,
        LinkFaultKind::Degraded(worse),
        LinkFaultKind::Degraded(worse),
    ]);
    LinkFault { link, toward: dice.pick(&[None, None, Some(a), Some(b)]), kind, begins, ends }
}

/// Pods and links fail again and again.
fn with_repeated_faults(dice: &mut Dice, mut description: Description) -> Description {
    let mean = |dice: &mut Dice| SimDuration::from_millis(dice.pick(&[300, 1_000, 5_000]));
    for _ in 0..dice.count(0, 2) {
        let renewal = Renewal { between_failures: mean(dice), to_repair: mean(dice) };
        let fault = fault(dice, &description);
        // What never ends would go on for as long as a world drains.
        let fault = PodFault { ends: fault.ends.or(Some(fault.begins + SimDuration::from_secs(8))), ..fault };
        let repeats = match fault.kind {
            FaultKind::Crash if dice.chance(0.5) => Repeats::CrashLoop(mean(dice)),
            _ => Repeats::Renewal(renewal),
        };
        description.repeated_faults.push(RepeatedFault::Pod { fault, repeats });
        if !description.links.is_empty() && dice.chance(0.3) {
            let fault = link_fault(dice, &description, fault.begins, fault.ends);
            description.repeated_faults.push(RepeatedFault::Link { fault, renewal });
        }
    }
    description
}

/// The same world, in which pods come and go and autoscalers decide, until the last burst.
fn world_of_changing_pods(seed: u64) -> Description {
    let mut description = world_with_rules(seed);
    let dice = &mut Dice::new(seed ^ 0xE1A5);
    let millis = |dice: &mut Dice, most| SimDuration::from_millis(u64::from(dice.count(0, most)));
    description.mesh.data_plane = dice.pick(&[DataPlane::Sidecar, DataPlane::Ambient, DataPlane::None]);
    if description.mesh.data_plane != DataPlane::Sidecar {
        description.federation =
            description.federation.filter(|it| !matches!(it, Federation::MultiNetwork(_)));
    }
    description.kubernetes.controller.version = KubernetesVersion::new(dice.pick(&[22, 32, 35]));
    description.kubernetes.pods = PodTimes {
        start_spread: dice.pick(&[0.0, 0.5]),
        readiness: dice.chance(0.7).then(ReadinessProbe::default),
        endpoint_delay: millis(dice, 500),
        pre_stop: millis(dice, 2_000),
        sidecar_drain: millis(dice, 2_000),
        grace: millis(dice, 4_000),
        ..PodTimes::default()
    };
    let workload = |dice: &mut Dice| WorkloadSettings {
        application: ResourceList::new(u64::from(dice.count(0, 2_000)), 0),
        sidecar: ResourceList::new(100, 0),
        image_bytes: dice.magnitude(1e6, 1e9),
        rollout: Rollout {
            max_surge: dice.pick(&[PodCount::Pods(0), PodCount::Pods(2), PodCount::Percent(25)]),
            max_unavailable: dice.pick(&[PodCount::Pods(0), PodCount::Pods(1), PodCount::Percent(50)]),
        },
        start: dice.chance(0.3).then(|| StartWork {
            cores: dice.between(0.1, 3.0),
            lasts: SimDuration::from_secs_f64(dice.between(0.0, 5.0)),
            when: dice.pick(&[StartWhen::UntilReady, StartWhen::AfterReady]),
        }),
        ..WorkloadSettings::default()
    };
    let services = description.application.services.len();
    description.kubernetes.workloads = (0..services).map(|_| workload(dice)).collect();
    let deployments = description.deployments.clone();
    for it in &deployments {
        let (service, cluster) = (it.service, it.cluster);
        for _ in 0..dice.count(0, 4) {
            let at = SimTime::ZERO + SimDuration::from_secs_f64(dice.between(0.0, 18.0));
            let kind =
                if dice.chance(0.3) { ChangeKind::Rollout } else { ChangeKind::Scale(dice.count(0, 3)) };
            description.kubernetes.changes.push(Change { at, service, cluster, kind });
        }
        if dice.chance(0.5) {
            let source = MetricSource::Utilization(MetricResource::Cpu);
            let metrics = vec![MetricSpec { source, target: i64::from(dice.count(5, 90)) }];
            let hpa = HpaSpec { min_replicas: 1, max_replicas: 4, metrics, behavior: None };
            let reads = vec![Reads::PodCpu];
            let autoscaler = AutoscalerSettings { hpa, reads };
            description.kubernetes.autoscalers.insert((cluster, service), autoscaler);
        }
    }
    description.kubernetes.metrics.resolution = SimDuration::from_secs(1);
    description.kubernetes.metrics.sync_period = SimDuration::from_secs(1);
    description.kubernetes.changes.sort_by_key(|it| it.at);
    description.time_series = Some(SimDuration::from_secs(1));
    description.configuration_changes =
        (0..dice.count(0, 3)).map(|_| configuration_change(dice, &description)).collect();
    description.configuration_changes.sort_by_key(|it| it.at);
    description.istiod = dice.chance(0.6).then(|| istiod(dice, description.clusters.len() as u32));
    offload(&mut Dice::new(seed ^ 0x0FF1), &mut description);
    description
}

/// The same world, in which clusters, nodes, gateways and control planes fail, once or again and again, and users are
/// led to other gateways.
fn with_outages(seed: u64, mut description: Description) -> Description {
    let dice = &mut Dice::new(seed ^ 0x0A7A6E);
    let clusters = description.clusters.len() as u32;
    for _ in 0..dice.count(1, 4) {
        let cluster = ClusterId(dice.count(0, clusters - 1));
        let node = dice.count(0, description.clusters[cluster].nodes.len() as u32 - 1);
        let of = dice.pick(&[
            Component::Cluster(cluster),
            Component::Isolation(cluster),
            Component::Node { cluster, node },
            Component::Node { cluster, node },
            Component::Drain { cluster, node },
            Component::Gateway(cluster),
            Component::Istiod(cluster),
            Component::ApiServer(cluster),
        ]);
        let PodFault { begins, ends, .. } = fault(dice, &description);
        let outage = Outage { of, begins, ends };
        if dice.chance(0.2) {
            let mean = |dice: &mut Dice| SimDuration::from_millis(dice.pick(&[300, 1_000, 5_000]));
            let renewal = Renewal { between_failures: mean(dice), to_repair: mean(dice) };
            let ends = ends.or(Some(begins + SimDuration::from_secs(8)));
            let outage = Outage { ends, ..outage };
            description.repeated_faults.push(RepeatedFault::Outage { outage, renewal });
        } else {
            description.outages.push(outage);
        }
    }
    for population in description.populations.iter_mut().filter(|it| it.arrivals.is_open()) {
        let cluster = ClusterId(dice.count(0, clusters - 1));
        if cluster != population.cluster && dice.chance(0.5) {
            let (after, farther) = (dice.micros(2e6), dice.micros(2e5));
            population.on_ingress_loss = OnIngressLoss::To { cluster, after, farther };
        }
    }
    description.keeps_decisions = dice.chance(0.5);
    description
}

/// Where Liqo joins all clusters to the first one, that may run some of its services at the others, within small slices.
fn offload(dice: &mut Dice, description: &mut Description) {
    let home = ClusterId(0);
    let observability = CentralObservability {
        scrape_interval: SimDuration::from_secs(1),
        ..CentralObservability::new(home)
    };
    description.observability = dice.chance(0.4).then_some(observability);
    let is_star = description.links.iter().all(|it| it.between.contains(&home));
    let Some(Federation::Liqo(liqo)) = &mut description.federation else { return };
    if !is_star || description.links.is_empty() {
        return;
    }
    let services: BTreeSet<ServiceId> =
        description.deployments.iter().map(|it| it.service).filter(|_| dice.chance(0.6)).collect();
    let provider = |link: &LinkSpec| link.between.into_iter().find(|&it| it != home).expect("another end");
    liqo.peerings = description.links.iter().map(|it| Peering::new(&it.name, home, provider(it))).collect();
    for it in &mut liqo.peerings {
        it.granted = ResourceList::new(u64::from(dice.count(0, 5_000)), 1 << 40);
        it.granted.set(Resource::PODS, u64::from(dice.count(1, 6)));
        it.enforcement =
            dice.pick(&[LimitsEnforcement::None, LimitsEnforcement::None, LimitsEnforcement::Soft]);
    }
    let strategies =
        [PodOffloadingStrategy::Local, PodOffloadingStrategy::Remote, PodOffloadingStrategy::LocalAndRemote];
    let strategy = dice.pick(&strategies);
    let providers: Vec<ClusterId> = liqo.peerings.iter().map(|it| it.provider).collect();
    for &service in &services {
        let of_service = |it: &Deployment| it.service == service;
        let template = *description.deployments.iter().find(|it| of_service(it)).expect("it is deployed");
        description.deployments.retain(|it| !of_service(it));
        description.deployments.push(Deployment { cluster: home, ..template });
        let there = |&cluster: &ClusterId| Deployment { cluster, replicas: 0, ..template };
        description.deployments.extend(providers.iter().map(there));
        description.kubernetes.autoscalers.retain(|key, _| key.1 != service || key.0 == home);
        description.kubernetes.changes.retain(|it| it.service != service || it.cluster == home);
    }
    liqo.offloading = Some(Offloading { services, strategy, cluster_selector: Vec::new() });
}

/// One in each cluster or one for all, which may have too little time for its pushes.
fn istiod(dice: &mut Dice, clusters: u32) -> IstiodSettings {
    let debounce = DebounceSettings {
        after: SimDuration::from_millis(dice.pick(&[0, 100, 700])),
        max: SimDuration::from_millis(dice.pick(&[100, 3_000])),
        endpoints: dice.chance(0.8),
    };
    IstiodSettings {
        cluster: dice.chance(0.5).then(|| ClusterId(dice.count(0, clusters - 1))),
        debounce,
        replicas: dice.count(1, 3),
        cores: dice.count(1, 4),
        push_throttle: dice.chance(0.3).then(|| dice.count(1, 3)),
        prepare: dice.micros(50_000.0),
        push: dice.micros(5_000.0),
        full_push: dice.micros(300_000.0),
        cpu_per_proxy: 0.001,
        max_connection_age: SimDuration::from_secs(dice.pick(&[10, 60])),
        certificate_lifetime: SimDuration::from_secs(dice.pick(&[10, 60, 86_400])),
    }
}

/// Other rules for a service, which speaks what it did.
fn configuration_change(dice: &mut Dice, description: &Description) -> ConfigurationChange {
    let own = description.services.iter().filter(|it| it.version_of.is_none()).count();
    let (services, clusters) = (own as u32, description.clusters.len() as u32);
    let service = ServiceId(dice.count(0, services - 1));
    let ServiceSettings { protocol, waypoint, traffic_distribution, .. } = description.services[service];
    let rules = rules(dice, description.mesh.istio_version, services, clusters);
    let mut settings = ServiceSettings { protocol, waypoint, traffic_distribution, ..rules };
    match protocol {
        Protocol::Tcp => (settings.routes, settings.hash) = (Vec::new(), None),
        Protocol::Udp => settings = ServiceSettings { protocol, ..ServiceSettings::default() },
        Protocol::Http1 | Protocol::Http2 | Protocol::Grpc => {}
    }
    let at = SimTime::ZERO + SimDuration::from_secs_f64(dice.between(0.0, 18.0));
    ConfigurationChange { at, service, settings }
}

fn rules(dice: &mut Dice, version: IstioVersion, services: u32, clusters: u32) -> ServiceSettings {
    let hash = dice.chance(0.2).then(|| consistent_hash(dice));
    let routes = (0..dice.count(0, 1)).map(|_| route(dice, version, services, clusters)).collect();
    let values = [
        TrafficDistribution::PreferClose,
        TrafficDistribution::PreferSameZone,
        TrafficDistribution::PreferSameNode,
    ];
    ServiceSettings {
        protocol: dice.pick(&[Protocol::Http1, Protocol::Http1, Protocol::Http2, Protocol::Tcp]),
        traffic_distribution: dice.chance(0.2).then(|| dice.pick(&values)),
        traffic_policy: traffic_policy(dice),
        locality: dice.chance(0.3).then(|| locality_setting(dice)),
        hash,
        routes,
        waypoint: dice.chance(0.5),
        ..ServiceSettings::default()
    }
}

fn consistent_hash(dice: &mut Dice) -> ConsistentHash {
    let policy = match dice.count(0, 2) {
        0 => HashPolicy::SourceIp,
        1 => HashPolicy::Header("x-user".into()),
        _ => HashPolicy::Cookie {
            name: "id".into(),
            ttl: Some(SimDuration::from_secs(dice.pick(&[0, 2]))),
            path: String::new(),
        },
    };
    let algorithm = dice.pick(&[
        None,
        Some(HashAlgorithm::RingHash { minimum_ring_size: 64 }),
        Some(HashAlgorithm::Maglev { table_size: 101 }),
    ]);
    ConsistentHash { policy, algorithm, minimum_ring_size: 0 }
}

fn traffic_policy(dice: &mut Dice) -> TrafficPolicy {
    let small = |dice: &mut Dice| dice.chance(0.2).then(|| dice.count(1, 6));
    let outlier_detection = dice.chance(0.7).then(|| OutlierDetectionSettings {
        consecutive_5xx_errors: Some(dice.count(1, 5)),
        consecutive_gateway_errors: small(dice),
        consecutive_local_origin_failures: small(dice),
        split_external_local_origin_errors: dice.chance(0.3),
        interval: Some(SimDuration::from_millis(dice.pick(&[300, 2_000]))),
        base_ejection_time: Some(SimDuration::from_millis(dice.pick(&[500, 3_000]))),
        max_ejection_percent: dice.pick(&[None, Some(50), Some(100)]),
        min_health_percent: dice.pick(&[0, 0, 60]),
    });
    TrafficPolicy {
        connection_pool: ConnectionPoolSettings {
            max_connections: small(dice),
            http1_max_pending_requests: small(dice),
            http2_max_requests: small(dice),
            max_retries: small(dice),
            max_requests_per_connection: small(dice),
            http_idle_timeout: dice.chance(0.3).then(|| SimDuration::from_millis(200)),
            max_connection_duration: dice.chance(0.3).then(|| SimDuration::from_secs(1)),
            ..ConnectionPoolSettings::default()
        },
        outlier_detection,
        simple: dice.pick(&[
            SimpleBalancer::LeastRequest,
            SimpleBalancer::RoundRobin,
            SimpleBalancer::Random,
        ]),
        warmup: dice.chance(0.3).then(|| SlowStart::new(SimDuration::from_secs(5))),
        retry_budget: dice.chance(0.3).then(RetryBudget::default),
        ..TrafficPolicy::default()
    }
}

fn locality_setting(dice: &mut Dice) -> LocalitySetting {
    let mut setting =
        LocalitySetting { enabled: dice.pick(&[None, Some(false)]), ..LocalitySetting::default() };
    match dice.count(0, 2) {
        0 => setting.failover = vec![Failover { from: "r0".into(), to: "r1".into() }],
        1 => setting.failover_priority = vec!["topology.kubernetes.io/zone".into()],
        _ => {
            let to = vec![("r0/*".into(), 60), ("r1/*".into(), 40)];
            setting.distribute = vec![Distribute { from: "*".into(), to }];
        }
    }
    setting
}

fn route(dice: &mut Dice, version: IstioVersion, services: u32, clusters: u32) -> RouteSettings {
    let millis = |dice: &mut Dice| SimDuration::from_millis(dice.pick(&[5, 50, 400]));
    let destination = |dice: &mut Dice, service| Destination {
        service,
        subset: dice.chance(0.3).then(|| Subset::Cluster(ClusterId(dice.count(0, clusters - 1)))),
    };
    // Later services only, so that the graph keeps no cycle: the last calls nobody.
    let last = ServiceId(services - 1);
    let retry = RetrySettings {
        attempts: dice.count(1, 12) as i32,
        retry_on: dice.pick(&["5xx", "connect-failure,reset", "gateway-error", ""]).into(),
        per_try_timeout: dice.chance(0.4).then(|| millis(dice)),
        ..RetrySettings::default()
    };
    let weighted = |dice: &mut Dice| WeightedDestination {
        destination: destination(dice, last),
        weight: dice.count(1, 3),
    };
    let method = Some(ValueMatch::Exact(dice.pick(&["GET", "GET", "POST"]).into()));
    let asks = Conditions { method, ..Conditions::default() };
    RouteSettings {
        conditions: if dice.chance(0.2) { asks } else { Conditions::default() },
        rewrites: Vec::new(),
        redirect: dice.chance(0.1).then_some(302),
        destinations: if dice.chance(0.3) { vec![weighted(dice), weighted(dice)] } else { Vec::new() },
        timeout: dice.chance(0.4).then(|| millis(dice)),
        retry: if dice.chance(0.8) { RetryPolicy::new(version, Some(&retry), false) } else { None },
        fault: FaultInjection {
            delay: dice.chance(0.2).then(|| (millis(dice), 30.0)),
            abort: dice.chance(0.2).then_some((503, 20.0)),
        },
        mirror: dice.chance(0.2).then(|| Mirror { destination: destination(dice, last), percent: 50.0 }),
    }
}

fn fault(dice: &mut Dice, description: &Description) -> PodFault {
    let at = |seconds: f64| SimTime::ZERO + SimDuration::from_secs_f64(seconds);
    let deployment =
        description.deployments[dice.count(0, description.deployments.len() as u32 - 1) as usize];
    let begins = dice.between(0.0, 15.0);
    PodFault {
        service: deployment.service,
        cluster: deployment.cluster,
        pod: dice.chance(0.5).then_some(0),
        begins: at(begins),
        ends: dice.chance(0.8).then(|| at(begins + dice.between(0.1, 8.0))),
        kind: match dice.count(0, 4) {
            0 | 1 => FaultKind::Crash,
            2 => FaultKind::Unready,
            3 => FaultKind::Errors { share: dice.pick(&[0.3, 1.0]), status: dice.pick(&[500, 503]) },
            _ => FaultKind::Slow { factor: 5.0 },
        },
        seen_after: dice.pick(&[None, Some(SimDuration::ZERO), Some(SimDuration::from_secs(1))]),
    }
}

/// Runs a check on every world, or on the one that `MESHSIM_SEED` names; tells which one failed.
fn for_each_world(check: impl Fn(u64)) {
    for_each_seed("swarm", WORLDS, check);
}

/// Whether no request of these users has a reason to leave their cluster.
fn stays_home(description: &Description, home: ClusterId) -> bool {
    let is_home =
        |service| description.deployments.iter().any(|it| it.service == service && it.cluster == home);
    let all_home = description.application.services.ids().all(is_home);
    let detects = |it: &ServiceSettings| it.traffic_policy.outlier_detection.is_some();
    let nearest =
        description.mesh.data_plane == DataPlane::Sidecar && description.services.iter().all(detects);
    description.clusters.len() == 1 || (nearest && all_home)
}

fn check_end(description: &Description, home: ClusterId, end: &Ended) {
    let totals = end.totals;
    assert!(totals.calls >= 1 || !end.status.is_ok(), "an answer without a call: {end:?}");
    assert!(totals.returns <= totals.crossings, "{end:?}");
    assert!(totals.body >= totals.calls, "each call makes a byte at least: {end:?}");
    assert!(totals.cross_wire >= totals.cross_payload, "{end:?}");
    assert!((totals.crossings > 0) == (totals.cross_wire > 0) || !end.status.is_ok(), "{end:?}");
    assert!(!stays_home(description, home) || totals.crossings == 0, "{end:?}");
    let with_mesh = description.mesh.data_plane == DataPlane::Sidecar;
    // What a closing cell resets is a real 503 to its callers, which releases up to 1.23 retry.
    let retried = !description.mesh.istio_version.retries_503() || totals.retries > 0;
    assert!(!with_mesh || end.status.is_ok() || retried, "fails without a retry: {end:?}");
}

/// What was done for the requests is what pods, proxies and links have done, whoever waits for it. Beside it,
/// each cluster holds its sum against what its pods, proxies and links say (`world/invariants`).
fn check_work(record: &Record, cpu_seconds_left: f64) {
    let mut done = Work::default();
    record.metrics.ids().for_each(|it| done += record.metrics_from(it, SimTime::ZERO).work);
    let mut told = Work::default();
    record.work.iter().for_each(|&it| told += it);
    let given = told.cpu_nanos / 1e9;
    assert!((done.cpu_nanos / 1e9 - given).abs() <= 1e-9 * (1.0 + given), "{done:?}, {told:?}");
    assert_eq!(Work { cpu_nanos: 0.0, ..done }, Work { cpu_nanos: 0.0, ..told });
    let start: f64 =
        record.metrics.ids().map(|it| record.metrics_from(it, SimTime::ZERO).start_cpu_seconds).sum();
    let used: f64 = record.pod_cpu.iter().flatten().map(|it| it.application).sum();
    // A job that ends within a nanosecond ends at its end.
    let rounding = 3e-9 * record.events as f64;
    assert!(
        (used + cpu_seconds_left - start - given).abs() <= rounding,
        "{used} + {cpu_seconds_left} s, not {given}"
    );
}

/// Runs a world and checks what it has done.
fn run_and_check_work(description: &Description) -> Record {
    let mut world = World::keeping_work(description, 0);
    let end = world.end();
    world.run(&mut RunControl::until(end));
    let left = world.cpu_seconds_left();
    let record = world.finish();
    check_work(&record, left);
    record
}

fn check_record(description: &Description, record: &Record) {
    for (row, end) in all_ended(record) {
        assert!(row.arrival + end.latency < record.end, "{row:?} ends after the end");
        check_end(description, description.populations[row.population.index()].cluster, &end);
    }
    assert!(record.requests.is_sorted_by_key(|row| row.arrival));
    check_numbers(description, record);
}

/// An open loop numbers its requests in the order of arrival; a closed one has one request of a
/// user at a time.
fn check_numbers(description: &Description, record: &Record) {
    for (index, population) in description.populations.iter().enumerate() {
        let rows: Vec<_> = record.requests.iter().filter(|row| row.population.index() == index).collect();
        if !matches!(population.arrivals, Arrivals::ClosedLoop { .. }) {
            assert!(rows.iter().enumerate().all(|(index, row)| row.number as usize == index));
            continue;
        }
        for user in 0..population.users {
            let mine: Vec<_> = rows.iter().filter(|row| row.number % population.users == user).collect();
            let answered = |row: &RequestRow| row.end.map(|end| row.arrival + end.latency);
            assert!(mine.windows(2).all(|pair| answered(pair[0]).is_some_and(|at| at <= pair[1].arrival)));
        }
    }
}

#[test]
fn the_invariants_hold_in_every_world() {
    for_each_world(|seed| {
        let description = world(seed);
        check_record(&description, &run_and_check_work(&description));
    });
}

#[test]
fn the_invariants_hold_whatever_the_mesh_is_told() {
    for_each_world(|seed| {
        let description = world_with_rules(seed);
        let record = run_and_check_work(&description);
        for (row, end) in all_ended(&record) {
            assert!(end.totals.returns <= end.totals.crossings, "{end:?}");
            assert!(row.arrival + end.latency < record.end, "{row:?} ends after the end");
        }
        check_numbers(&description, &record);
    });
}

/// Time between two bursts of the draining worlds: any queue is gone by then.
const PAUSE: SimDuration = SimDuration::from_secs(50_000);

/// The same world, whose users send a burst of requests at the same moment every now and then.
fn in_bursts(mut description: Description) -> Description {
    let per_second = 1.0 / PAUSE.as_secs_f64();
    for population in &mut description.populations {
        population.arrivals = Arrivals::Constant { per_second };
    }
    let once = description.populations.clone();
    description.populations = (0..12).flat_map(|_| once.clone()).collect();
    description.warm_up = SimDuration::ZERO;
    description.duration = PAUSE * 3;
    description
}

/// Requests that are taken while a run goes on, with those that are left at its end, are those of a run that is left
/// alone; and so is what was done for each, whoever waited for it.
#[test]
fn requests_that_are_taken_on_the_way_are_all_that_there_are() {
    for_each_world(|seed| {
        for description in [world(seed), world_with_rules(seed)] {
            let whole = run_and_check_work(&description);
            let mut world = World::keeping_work(&description, 0);
            let mut rows: Vec<(RequestRow, Work)> = Vec::new();
            for step in 1..=7 {
                let until = SimTime::from_nanos(world.end().as_nanos() / 7 * step);
                world.run(&mut RunControl::until(until));
                world.take_finished(|row, work| rows.push((*row, *work)));
                assert!(rows.iter().all(|(row, _)| row.end.is_some()), "what has not ended is not taken");
            }
            let end = world.end();
            world.run(&mut RunControl::until(end));
            let rest = world.finish();
            rows.extend(rest.requests.iter().copied().zip(rest.work.iter().copied()));
            rows.sort_unstable_by_key(|(row, _)| row.order());
            assert_eq!(rows.len(), whole.requests.len());
            for ((row, work), (alone, whole)) in rows.iter().zip(whole.requests.iter().zip(&whole.work)) {
                assert_eq!(row, alone);
                assert!((work.cpu_nanos - whole.cpu_nanos).abs() <= 1e-6 * whole.cpu_nanos.max(1.0));
                assert_eq!(Work { cpu_nanos: whole.cpu_nanos, ..*work }, *whole, "{row:?}");
            }
        }
    });
}

/// Everything that a run on so many threads reports.
fn report(description: &Description, threads: usize) -> String {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads can be started");
    let mut world = World::keeping_work(description, 0);
    // In two parts: between them nothing is on its way.
    for end in [world.end().as_nanos() / 2, world.end().as_nanos()] {
        let control = || RunControl::until(SimTime::from_nanos(end)).on_threads(threads);
        pool.install(|| world.run(&mut control().from_events_per_round(0)));
    }
    format!("{:?}", world.finish())
}

/// On several threads a run reports what it reports on one, to the last bit.
#[test]
fn threads_do_not_matter() {
    for_each_world(|seed| {
        let failing = with_outages(seed, world_of_changing_pods(seed));
        for description in [world(seed), world_with_rules(seed), world_of_changing_pods(seed), failing] {
            let several = report(&description, 2 + seed as usize % 2);
            assert!(report(&description, 1) == several, "on several threads it is another run");
        }
    });
}

/// Worlds with controllers: each is long, for an alarm lasts half a minute.
const STEERED_WORLDS: u64 = 40;

/// The same world, longer, in which controllers move services of the first cluster to all others and back; nothing if there is
/// none to be moved.
fn with_controllers(seed: u64, mut description: Description) -> Option<Description> {
    let dice = &mut Dice::new(seed ^ 0x6AA0);
    let cloud = ClusterId(0);
    if let Some(Federation::Liqo(liqo)) = &mut description.federation {
        liqo.offloading = None;
    }
    let stands = |it: &&Deployment| it.cluster == cloud && it.replicas > 0;
    let managed: Vec<Deployment> = description.deployments.iter().filter(stands).copied().collect();
    let edges: Vec<ClusterId> = description.clusters.ids().filter(|it| *it != cloud).collect();
    let last = managed.last()?.service;
    for (&edge, it) in edges.iter().flat_map(|edge| managed.iter().map(move |it| (edge, it))) {
        if !description.deployments.iter().any(|of| (of.service, of.cluster) == (it.service, edge)) {
            description.deployments.push(Deployment { cluster: edge, replicas: 0, ..*it });
        }
    }
    let deployments = description.deployments.clone();
    let side = |service, cluster| {
        let own = deployments.iter().find(|it| (it.service, it.cluster) == (service, cluster));
        ManagedDeployment { bounds: (1, 3), at_start: own.map_or(0, |it| it.replicas), cpu_target: 0.6 }
    };
    let controllers = edges.iter().map(|&edge| {
        let offload_mean_ms = dice.magnitude(2.0, 100.0);
        let policies = [
            PolicySettings::sbmp(false),
            PolicySettings::sbmp(true),
            PolicySettings::Mfu,
            PolicySettings::Ia,
            PolicySettings::Kahn,
            PolicySettings::Ta,
            PolicySettings::Fixed(vec![last]),
        ];
        let policy = policies[dice.count(0, 6) as usize].clone();
        let second = SimDuration::from_secs(1);
        PlacerSettings {
            edge,
            cluster: cloud,
            controller: ControllerSettings {
                sync_period: second,
                stabilization_window: second,
                offload_mean_ms,
                unoffload_mean_ms: offload_mean_ms * dice.between(0.3, 0.9),
                compat: dice.chance(0.6),
                ..ControllerSettings::default()
            },
            query_period: second * 8,
            delay_quantile: 0.9,
            policy,
            asks_others: dice.chance(0.3),
            overshooting_avoidance: 0.3,
            locked: Vec::new(),
            round_trip: 0.05,
            bandwidth: 1e8,
            round_trip_multipliers: [2.0, 2.0],
            default_resource_scaling: 1.0,
            cloud_prices: Prices { cpu: 0.02, memory: 0.01 },
            edge_prices: Prices { cpu: 0.03, memory: 0.015 },
            network_price: 0.02,
            services: managed
                .iter()
                .map(|it| ManagedService {
                    service: it.service,
                    cpu_request: 1.0,
                    memory_request: 0.1,
                    sides: [side(it.service, cloud), side(it.service, edge)],
                })
                .collect(),
        }
    });
    let controllers: Vec<PlacerSettings> = controllers.collect();
    let steered = controllers.iter().flat_map(|of| {
        of.services.iter().flat_map(move |it| [((cloud, it.service), 3), ((of.edge, it.service), 3)])
    });
    description.kubernetes.steered = steered.collect();
    let scrape_interval =
        description.observability.map_or(SimDuration::from_secs(1), |it| it.scrape_interval);
    description.offloading =
        (!controllers.is_empty()).then_some(OffloadingSettings { scrape_interval, controllers });
    description.duration = SimDuration::from_secs(78);
    description.offloading.is_some().then_some(description)
}

/// With controllers that decide, and others that change and fail things beside them, requests, work and pods are conserved
/// at every moment that is looked at; threads do not matter, and neither does a clone in the middle.
#[test]
fn the_invariants_hold_while_controllers_move_services() {
    let decided = Cell::new([0, 0]);
    for_each_seed("swarm", STEERED_WORLDS, |seed| {
        let of = with_outages(seed, world_of_changing_pods(seed));
        let Some(description) = with_controllers(seed, of) else { return };
        let mut world = World::keeping_work(&description, 0);
        let mut fork = None;
        for second in (4..=80).step_by(4) {
            world.run(&mut RunControl::until(SimTime::ZERO + SimDuration::from_secs(second)));
            world.check_invariants();
            if second == 40 {
                fork = Some(world.fork(&description));
            }
        }
        let end = world.end();
        let mut fork = fork.expect("the run is long enough");
        for it in [&mut world, &mut fork] {
            it.run(&mut RunControl::until(end));
        }
        let left = world.cpu_seconds_left();
        let record = world.finish();
        check_work(&record, left);
        check_numbers(&description, &record);
        check_lives(&record);
        let all = record.control.iter().flat_map(|it| &it.offloading);
        let moved = |it: &&OffloadingDecision| it.after.as_ref().is_ok_and(|after| *after != it.before);
        let [decisions, moves] = decided.get();
        decided.set([decisions + all.clone().count(), moves + all.filter(moved).count()]);
        let text = format!("{record:?}");
        assert!(text == format!("{:?}", fork.finish()), "a clone is another run");
        assert!(text == report(&description, 2 + seed as usize % 2), "on several threads it is another run");
    });
    let [decisions, moves] = decided.get();
    assert!(std::env::var("MESHSIM_SEED").is_ok() || (decisions > 20 && moves > 5), "{decisions}, {moves}");
}

/// Once nobody sends anything, everything is answered, and nothing is left behind.
#[test]
fn every_world_drains() {
    for_each_world(|seed| {
        let description = in_bursts(world(seed));
        let mut world = World::keeping_work(&description, 0);
        for burst in 1..=3 {
            world.run(&mut RunControl::until(SimTime::ZERO + PAUSE * burst));
            assert_eq!(world.in_flight(), (0, 0), "calls and hops in flight before burst {burst}");
        }
        let left = world.cpu_seconds_left();
        assert_eq!(left, 0.0);
        let record = world.finish();
        check_work(&record, left);
        assert_eq!(record.requests.len(), 2 * description.populations.len());
        assert!(record.requests.iter().all(|row| row.end.is_some()), "some have no answer");
        check_record(&description, &record);
    });
}

/// Limits, time-outs and failures leave nothing behind either.
#[test]
fn every_world_with_rules_drains() {
    for_each_world(|seed| {
        let description = in_bursts(world_with_rules(seed));
        let mut world = World::keeping_work(&description, 0);
        for burst in 1..=3 {
            world.run(&mut RunControl::until(SimTime::ZERO + PAUSE * burst));
            assert_eq!(world.in_flight(), (0, 0), "calls and hops in flight before burst {burst}");
        }
        let record = world.finish();
        check_work(&record, 0.0);
        assert!(record.requests.iter().all(|row| row.end.is_some()), "some have no answer");
    });
}

/// Whatever pods do, requests are counted and every Deployment ends with as many as it wants, or waits.
#[test]
fn the_invariants_hold_while_pods_come_and_go() {
    for_each_world(|seed| {
        let description = world_of_changing_pods(seed);
        let record = run_and_check_work(&description);
        assert!(record.work.iter().all(|it| it.returns <= it.crossings));
        check_numbers(&description, &record);
        for log in &record.control {
            assert!(log.pods.is_sorted_by_key(|it| it.at));
            let count = |name| log.pods.iter().filter(|it| it.step.name() == name).count();
            assert!(count("ready") <= count("scheduled") && count("scheduled") <= count("created"));
            assert!(count("ended") <= count("deleted"));
        }
    });
}

/// Whatever fails, what is under way is somebody's at every second of the run, and a pod that has ended does nothing
/// more.
#[test]
fn the_invariants_hold_every_second_under_random_fault_plans() {
    for_each_world(|seed| {
        for plan in 0..2 {
            let of = if plan % 2 == 0 { world_with_rules(seed) } else { world_of_changing_pods(seed) };
            let description = with_outages(seed * 2 + plan, of);
            let mut world = World::keeping_work(&description, 0);
            for second in 1..=20 {
                world.run(&mut RunControl::until(SimTime::ZERO + SimDuration::from_secs(second)));
                world.check_invariants();
            }
            let left = world.cpu_seconds_left();
            let record = world.finish();
            check_work(&record, left);
            check_numbers(&description, &record);
            check_lives(&record);
            assert!(record.decisions.is_sorted_by_key(|it| it.at));
        }
    });
}

/// Worlds per test of lives: each runs twice.
const TRACED_WORLDS: u64 = 100;

/// The lives of all requests of a world, which changes nothing in it.
fn lives_of(description: &Description) -> Vec<Life> {
    let plain = run(description, 0);
    let chosen = plain.requests.iter().map(RequestRow::id).collect();
    let mut world = World::tracing(description, 0, chosen);
    world.run(&mut RunControl::until(description.end()));
    let traces = world.take_traces();
    let record = world.finish();
    assert_eq!((record.events, &record.requests), (plain.events, &plain.requests), "being traced is free");
    let draws = Draws::new(description.seed, 0);
    life::lives(&traces, &record.requests, |id| draws.request(id.population, id.number.into()))
}

/// Every nanosecond of a latency is spent on one thing, one after the other. Of what was answered well there is nothing
/// that nobody accounts for, but in attempts that were made again.
fn check_paths(lives: &[Life]) {
    for life in lives {
        let Some(end) = life.request.end else { continue };
        let mut reached = life.request.arrival;
        for stretch in life.critical_path() {
            assert_eq!(stretch.piece.from, reached, "{:?}: a gap before {stretch:?}", life.request);
            reached = stretch.piece.until;
            let is_known = stretch.is_retried || stretch.piece.part != Part::Calls;
            assert!(is_known || !end.status.is_ok(), "{:?}: {stretch:?} of {life:#?}", life.request);
        }
        assert_eq!(reached, life.request.arrival + end.latency, "{:?}", life.request);
    }
}

#[test]
fn what_a_latency_is_spent_on_sums_up_to_it_in_every_world() {
    for_each_seed("swarm", TRACED_WORLDS, |seed| {
        let lives = lives_of(&world(seed));
        check_paths(&lives);
        // What met a close has not come.
        let met_close = |it: &Attempt| it.client.rules.iter().any(|it| it.rule == trace::Rule::MetClose);
        let ended = lives.iter().filter(|it| it.request.end.is_some());
        let mut attempts = ended.flat_map(|it| &it.calls).flat_map(|it| &it.attempts);
        assert!(attempts.all(|it| it.served.is_some() != met_close(it)), "all else came");
    });
}

#[test]
fn what_a_latency_is_spent_on_sums_up_to_it_whatever_the_mesh_is_told() {
    for_each_seed("swarm", TRACED_WORLDS, |seed| check_paths(&lives_of(&world_with_rules(seed))));
}

#[test]
fn what_a_latency_is_spent_on_sums_up_to_it_whatever_fails() {
    for_each_seed("swarm", TRACED_WORLDS, |seed| {
        check_paths(&lives_of(&with_outages(seed, world_of_changing_pods(seed))));
    });
}

/// Every pod goes through its life once, and does nothing after its end.
fn check_lives(record: &Record) {
    for log in &record.control {
        let mut ended = BTreeSet::new();
        for it in &log.pods {
            let pod = (it.service, it.ordinal, it.generation);
            assert!(!ended.contains(&pod), "{it:?} after its end");
            if it.step.name() == "ended" {
                ended.insert(pod);
            }
        }
    }
}

/// Nothing is left behind by what has failed.
#[test]
fn every_world_with_outages_drains() {
    for_each_world(|seed| {
        let mut description = in_bursts(with_outages(seed, world_with_rules(seed)));
        // Whoever watches a link that loses something watches for ever.
        if let Some(Federation::Liqo(_)) = description.federation {
            description.links.iter_mut().for_each(|it| it.loss = 0.0);
            description.link_faults.retain(|it| it.ends.is_some());
        }
        let mut world = World::keeping_work(&description, 0);
        for burst in 1..=3 {
            world.run(&mut RunControl::until(SimTime::ZERO + PAUSE * burst));
            assert_eq!(world.in_flight(), (0, 0), "calls and hops in flight before burst {burst}");
        }
        let record = world.finish();
        check_work(&record, 0.0);
        assert!(record.requests.iter().all(|row| row.end.is_some()), "some have no answer");
    });
}

/// Nothing is left behind by pods that are gone.
#[test]
fn every_world_of_changing_pods_drains() {
    for_each_world(|seed| {
        let mut description = world_of_changing_pods(seed);
        // What is changed and scaled ends soon after the first burst: an autoscaler never rests.
        description.kubernetes.autoscalers.clear();
        description.time_series = None;
        for change in &mut description.kubernetes.changes {
            change.at += PAUSE.saturating_sub(SimDuration::from_secs(2));
        }
        for change in &mut description.configuration_changes {
            change.at += PAUSE.saturating_sub(SimDuration::from_secs(2));
        }
        let description = in_bursts(description);
        let mut world = World::keeping_work(&description, 0);
        for burst in 1..=3 {
            world.run(&mut RunControl::until(SimTime::ZERO + PAUSE * burst));
            assert_eq!(world.in_flight(), (0, 0), "calls and hops in flight before burst {burst}");
        }
        let record = world.finish();
        check_work(&record, 0.0);
        let answered = record.requests.iter().filter(|row| row.arrival < SimTime::ZERO + PAUSE * 2);
        assert!(answered.into_iter().all(|row| row.end.is_some()), "some have no answer");
    });
}

/// The same world on hosts without bounds: as they are, or none of them shared by two clusters.
fn on_large_hosts(mut description: Description, shared: bool) -> Description {
    let large = |name: String| HostSpec { name, cores: 1e6 };
    if shared {
        description.hosts = description.hosts.iter().map(|host| large(host.name.clone())).collect();
        return description;
    }
    description.hosts = description.clusters.iter().map(|cluster| large(cluster.name.clone())).collect();
    let alone = |(id, spec): (ClusterId, &ClusterSpec)| {
        let host = HostId::from_index(id.index());
        let nodes = spec.nodes.iter().map(|node| NodeSpec { host, ..node.clone() }).collect();
        ClusterSpec { nodes, ..spec.clone() }
    };
    let clusters = description.clusters.enumerate().map(alone).collect();
    Description { clusters, ..description }
}

/// Clusters that share a host are one process of the kernel: that alone changes nothing.
#[test]
fn sharing_a_host_without_bounds_does_not_show() {
    for_each_world(|seed| {
        let [together, apart] = [true, false].map(|shared| run(&on_large_hosts(world(seed), shared), 0));
        assert_eq!(together.requests, apart.requests);
        assert_eq!(together.events, apart.events);
        let rules = |shared| run(&on_large_hosts(world_with_rules(seed), shared), 0);
        assert_eq!(rules(true).requests, rules(false).requests);
    });
}

/// The requests of the open loops that were answered with success: which it is, when it came, and
/// what it took wherever it went.
fn identities(description: &Description, record: &Record) -> Vec<[u64; 7]> {
    let is_open = |(row, _): &(&RequestRow, &Work)| {
        !matches!(description.populations[row.population.index()].arrivals, Arrivals::ClosedLoop { .. })
    };
    let identity = |(row, totals): (&RequestRow, &Work)| {
        // A further attempt is another call, with a luck of its own.
        row.end.filter(|end| end.status.is_ok() && totals.retries == 0)?;
        let us = (totals.cpu_nanos / 1e3).round() as u64;
        let what = [totals.calls, totals.tree.into(), totals.body, us];
        let who = [row.population.0.into(), row.number.into(), row.arrival.as_nanos()];
        Some([who[0], who[1], who[2], what[0], what[1], what[2], what[3]])
    };
    let mut identities: Vec<_> =
        record.requests.iter().zip(&record.work).filter(is_open).filter_map(identity).collect();
    identities.sort_unstable();
    identities
}

/// Common random numbers: the mesh decides where a request goes, not what it is.
#[test]
fn requests_are_the_same_under_another_mesh() {
    for_each_world(|seed| {
        let description = world(seed);
        let mesh = mesh(&mut Dice::new(!seed));
        let other = Description { mesh, ..description.clone() };
        let [one, two] = [description, other].map(|it| identities(&it, &run(&it, 0)));
        for mine in &one {
            let index = two.partition_point(|theirs| theirs[..2] < mine[..2]);
            let Some(theirs) = two.get(index).filter(|theirs| theirs[..2] == mine[..2]) else { continue };
            assert_eq!(mine, theirs);
        }
    });
}

/// The worlds are as varied as they are meant to be.
#[test]
fn the_worlds_differ() {
    let (mut limited, mut queued, mut far, mut failed, mut open) = (0, 0, 0, 0, 0);
    for seed in 0..WORLDS {
        let description = world(seed);
        let record = run(&description, 0);
        let ends: Vec<Ended> = all_ended(&record).into_iter().map(|(_, end)| end).collect();
        limited += u32::from(
            description.deployments.iter().any(|it| it.cpu_limit.is_some_and(|limit| limit.0 < 0.5)),
        );
        queued += u32::from(ends.iter().any(|end| end.latency > SimDuration::from_secs(2)));
        far += u32::from(ends.iter().any(|end| end.totals.returns > 0));
        failed += u32::from(ends.iter().any(|end| !end.status.is_ok()));
        open += u32::from(ends.len() < record.requests.len());
    }
    let speaks_udp =
        |seed: &u64| world_with_rules(*seed).services.iter().any(|it| it.protocol == Protocol::Udp);
    let datagrams = (0..WORLDS).filter(speaks_udp).count() as u32;
    let counts = [limited, queued, far, failed, open, datagrams / 4];
    assert!(counts.iter().all(|&count| count > 10), "{counts:?}");
}
