//! Each owner by itself, without an engine: what it schedules and what it hands to others.

use super::event::Event;
use super::handed::{Answered, Handed};
use super::handle::Dispatcher;
use super::job::Job;
use super::message::{Body, GivenUp, Message, Request, Reset, Response};
use super::news::{Addressee, EndpointNews, IstiodStep, News, Push};
use super::outbound::hop::{Hop, Origin};
use super::state::Cluster;
use crate::application::internal_service::InternalService;
use crate::compute::Compute;
use crate::faults::pod::{FaultKind, PodFault};
use crate::ids::{ClusterId, ConfigurationId, FlowId, PodId, PopulationId, ProxyId, ServiceId};
use crate::istiod::push_kind::PushKind;
use crate::istiod::settings::IstiodSettings;
use crate::network::tcp::Window;
use crate::request::answer::{Answer, Status};
use crate::request::cluster_path::ClusterPath;
use crate::telemetry::slices::Slices;
use crate::telemetry::work::{RequestId, WorkId};
use crate::users::arrivals::Arrivals;
use crate::world::containers::place_containers;
use crate::world::description::{ConfigurationChange, DataPlane, Description};
use crate::world::topology::Topology;
use meshsim_core::random::Address;
use meshsim_core::{Handle, Scheduler, SimDuration, SimTime, Slab};

const EDGE: ClusterId = ClusterId(0);
const CLOUD: ClusterId = ClusterId(1);
const RTT: SimDuration = SimDuration::from_millis(40);

/// The state of an edge whose shop calls a stock in the cloud, and what surrounds it.
struct Bench {
    topology: Topology,
    cluster: Cluster,
    compute: Compute<Job>,
    scheduler: Scheduler<Event, Message>,
    handed: Vec<Handed>,
    now: SimTime,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Description)) -> Self {
        let mut description = Description::new(SimDuration::from_secs(60));
        description.mesh.data_plane = DataPlane::Sidecar;
        let [edge, cloud] = ["edge", "cloud"].map(|name| description.add_cluster(name, 4.0));
        description.add_link([edge, cloud], RTT, 1e9);
        let [shop, stock] =
            ["shop", "stock"].map(|name| description.add_service(name, InternalService::idle()));
        description.add_call(shop, stock, 1.0);
        description.add_pods(shop, edge, 1);
        description.add_pods(stock, cloud, 1);
        description.add_users(edge, shop, Arrivals::Constant { per_second: 1.0 });
        change(&mut description);
        let slices = Slices::new(description.end(), SimTime::ZERO);
        let mut topology = Topology::new(description, 0);
        let (compute, mut containers) = place_containers(&mut topology, &[EDGE]);
        let cluster = Cluster::new(EDGE, &topology, containers.remove(0), slices);
        let scheduler = Scheduler::alone(2);
        Self { topology, cluster, compute, scheduler, handed: Vec::new(), now: SimTime::ZERO }
    }

    /// Acts on a cluster's owner with what surrounds it; tells what it has handed over.
    fn act<T>(&mut self, act: impl FnOnce(&mut Dispatcher<'_>) -> T) -> (T, Vec<Handed>) {
        let Self { topology, cluster, compute, scheduler, handed, .. } = self;
        let mut dispatcher = Dispatcher::new(cluster, topology, compute, scheduler, handed);
        dispatcher.at.now = self.now;
        let told = act(&mut dispatcher);
        (told, std::mem::take(&mut self.handed))
    }

    /// The request of the only user, as `users` hands it over.
    fn new_request(&mut self) -> super::outbound::hop::NewRequest {
        self.act(|it| it.owners.users.user_sends(&mut it.at, PopulationId(0))).0
    }
}

/// A hop that somebody else owns.
fn hop() -> Handle<Hop> {
    // An empty slab gives out its first handle only for a value; any other slab's will do.
    Slab::<Hop>::with_capacity(1).insert(Hop::new(
        &super::outbound::hop::NewRequest {
            origin: Origin::Mirror,
            work: WorkId::default(),
            caller: None,
            address: Address::root(1, 0),
            endpoint: crate::ids::EndpointId(0),
            path: ClusterPath::default(),
            reaches_proxy: SimTime::ZERO,
        },
        super::outbound::hop::Client::Cell,
        SimTime::ZERO,
    ))
}

fn request(bench: &Bench, pod: PodId) -> Request {
    let endpoint = bench.topology.application().services[bench.topology.pod_ids.service_of(pod)].endpoint;
    Request {
        client: EDGE,
        hop: hop(),
        flow: FlowId(0),
        request: RequestId { population: PopulationId(0), number: 0 },
        work: WorkId::default(),
        address: Address::root(1, 0),
        endpoint,
        pod,
        path: ClusterPath::default().then(EDGE),
        server_worker: 0,
        window: Window::new(SimTime::ZERO, &bench.topology.description.clusters[EDGE].tcp),
    }
}

fn pod_of(bench: &Bench, service: u32) -> PodId {
    bench.topology.at_start(ServiceId(service))[0]
}

#[test]
fn users_send_and_learn_what_their_requests_came_to() {
    let mut bench = Bench::new(|_| {});
    let new = bench.new_request();
    let Origin::User { request, population, .. } = new.origin else { panic!("a user's") };
    assert_eq!((population, bench.cluster.owners.users.open_requests().count()), (PopulationId(0), 1));
    // The next arrival, a second later.
    let scheduled = bench.scheduler.take_scheduled();
    assert!(matches!(scheduled[..], [(_, Event::UserSends(PopulationId(0)))]), "{scheduled:?}");
    bench.now = SimTime::from_nanos(5_000_000);
    let answer = Answer { status: Status::Ok, body: 10 };
    let ((), handed) = bench.act(|it| it.owners.users.answered(&mut it.at, request, &answer));
    assert!(handed.is_empty());
    assert_eq!(bench.cluster.owners.users.open_requests().count(), 0);
}

#[test]
fn outbound_takes_a_request_through_its_proxy_to_a_pod() {
    let mut bench = Bench::new(|_| {});
    let new = bench.new_request();
    bench.scheduler.take_scheduled();
    bench.now = new.reaches_proxy;
    let ((), handed) = bench.act(|it| it.owners.outbound.begins(&mut it.at, &new));
    assert!(handed.is_empty());
    let [(at, Event::Routes(hop))] = bench.scheduler.take_scheduled()[..] else { panic!("it is routed") };
    bench.now = at;
    bench.act(|it| it.owners.outbound.route(&mut it.at, hop));
    let [(at, Event::ConnectionReady(connection))] = bench.scheduler.take_scheduled()[..] else {
        panic!("it connects first")
    };
    bench.now = at;
    let ((), handed) = bench.act(|it| it.owners.outbound.connection_ready(&mut it.at, connection));
    let [Handed::Request(hop)] = handed[..] else { panic!("{handed:?}") };
    let (request, _) = bench.act(|it| it.owners.outbound.request_of(&it.at, hop));
    let attempts: Vec<u8> = bench.cluster.owners.outbound.hops().map(|hop| hop.attempts).collect();
    assert_eq!((request.pod, attempts), (pod_of(&bench, 0), vec![1]));
    // Its answer passes the proxy and ends it.
    let response = Response {
        client: EDGE,
        hop,
        flow: request.flow,
        work: request.work,
        address: request.address,
        pod: request.pod,
        answer: Answer { status: Status::Ok, body: 10 },
        took: SimDuration::ZERO,
        window: request.window,
        closes_at: SimTime::MAX,
    };
    bench.act(|it| it.owners.outbound.response_arrives(&mut it.at, &response));
    let [(at, Event::HopCompletes(hop))] = bench.scheduler.take_scheduled()[..] else { panic!("it ends") };
    bench.now = at;
    let ((), handed) = bench.act(|it| it.owners.outbound.hop_completes(&mut it.at, hop));
    let [Handed::Answered(Answered { answer, .. })] = handed[..] else { panic!("{handed:?}") };
    assert_eq!((answer.status, bench.cluster.owners.outbound.hops().count()), (Status::Ok, 0));
}

#[test]
fn network_carries_within_the_cluster_and_over_the_link() {
    let mut bench = Bench::new(|_| {});
    let [here, there] = [0, 1].map(|service| request(&bench, pod_of(&bench, service)));
    bench.act(|it| it.owners.network.carry_request(&mut it.at, &here));
    let scheduled = bench.scheduler.take_scheduled();
    assert!(matches!(scheduled[..], [(_, Event::Arrives(_))]), "{scheduled:?}");
    assert!(scheduled[0].0 < SimTime::ZERO + RTT / 2);
    bench.act(|it| it.owners.network.carry_request(&mut it.at, &there));
    let [(target, arrives, message)] = bench.scheduler.take_messages()[..] else { panic!("one message") };
    assert_eq!((target, message.to), (CLOUD.entity(), CLOUD));
    assert!(arrives > SimTime::ZERO + RTT / 2 && matches!(message.body, Body::Request(_)));
    assert_eq!(bench.cluster.owners.network.links()[0].bytes(), u64::from(message.wire_bytes));
}

#[test]
fn network_tells_a_server_of_this_cluster_at_once_that_its_client_is_gone() {
    let mut bench = Bench::new(|_| {});
    let [here, there] = [0, 1].map(|service| {
        let Request { client, hop, flow, address, pod, work, .. } = request(&bench, pod_of(&bench, service));
        GivenUp { client, hop, flow, address, pod, work }
    });
    assert!(bench.act(|it| it.owners.network.carry_given_up(&mut it.at, &here)).0.is_some());
    assert!(bench.act(|it| it.owners.network.carry_given_up(&mut it.at, &there)).0.is_none());
    assert!(matches!(bench.scheduler.take_messages()[..], [(_, _, Message { body: Body::GivenUp(_), .. })]));
}

#[test]
fn inbound_serves_and_makes_further_calls_and_answers() {
    let mut bench = Bench::new(|_| {});
    let request = request(&bench, pod_of(&bench, 0));
    bench.act(|it| it.owners.inbound.request_arrives(&mut it.at, &request));
    let [(at, Event::CellReceives(call))] = bench.scheduler.take_scheduled()[..] else { panic!("sidecar") };
    bench.now = at;
    let ((), handed) = bench.act(|it| it.owners.inbound.cell_receives(&mut it.at, call));
    assert!(handed.is_empty() && bench.cluster.owners.inbound.calls().count() == 1);
    let scheduled = bench.scheduler.take_scheduled();
    assert!(matches!(scheduled[..], [(_, Event::Compute(_))]), "{scheduled:?}");
    // Its CPU work is done: it calls the stock, whose failure makes its own answer one.
    let stage = super::job::Stage::Calling { group: 0, step: 0 };
    let ((), handed) = bench.act(|it| it.owners.inbound.job_done(&mut it.at, call, stage));
    let [Handed::Call { call, group, step }] = handed[..] else { panic!("{handed:?}") };
    let (new, _) = bench.act(|it| it.owners.inbound.new_request(&it.at, call, group, step));
    assert_eq!(new.caller.map(|caller| caller.pod), Some(request.pod));
    bench.act(|it| it.owners.inbound.fan_out(&mut it.at, call));
    let failed = Answer { status: Status::NoHealthyUpstream, body: 95 };
    bench.act(|it| it.owners.inbound.call_answered(&mut it.at, call, 0, 0, &failed));
    let ((), handed) =
        bench.act(|it| it.owners.inbound.job_done(&mut it.at, call, super::job::Stage::Response));
    assert!(handed.is_empty());
    let mut scheduled = bench.scheduler.take_scheduled();
    scheduled.retain(|(_, event)| !matches!(event, Event::Compute(_)));
    let [(at, Event::ResponseLeaves(call))] = scheduled[..] else { panic!("it answers: {scheduled:?}") };
    bench.now = at;
    let ((), handed) = bench.act(|it| it.owners.inbound.response_leaves(&mut it.at, call));
    let [Handed::Response(call)] = handed[..] else { panic!("{handed:?}") };
    let (response, _) = bench.act(|it| it.owners.inbound.take_response(&it.at, call));
    assert_eq!(response.answer.status, Status::ServiceError);
    assert_eq!(bench.cluster.owners.inbound.calls().count(), 0);
}

#[test]
fn inbound_resets_whoever_calls_a_dead_pod() {
    let mut bench = Bench::new(|description| {
        description.faults.push(PodFault {
            service: ServiceId(0),
            cluster: EDGE,
            pod: None,
            begins: SimTime::ZERO,
            ends: None,
            seen_after: None,
            kind: FaultKind::Crash,
        });
    });
    let request = request(&bench, pod_of(&bench, 0));
    let ((), handed) = bench.act(|it| it.owners.inbound.request_arrives(&mut it.at, &request));
    assert!(matches!(handed[..], [Handed::Reset(Reset { client: EDGE, .. })]), "{handed:?}");
}

#[test]
fn control_announces_what_the_proxies_are_told() {
    let mut bench = Bench::new(|_| {});
    let pod = pod_of(&bench, 0);
    let gone = News::Endpoint { pod, what: EndpointNews::Leaves };
    let ((), handed) = bench.act(|it| it.owners.control.api_server_tells(&mut it.at, gone));
    let [Handed::Push { to: EDGE, push, .. }, Handed::News { news, to: None }] = handed[..] else {
        panic!("{handed:?}")
    };
    assert_eq!((push, news), (Push::Content { number: 1, news: gone }, gone));
    bench.act(|it| it.owners.outbound.take_push(&mut it.at, push));
    assert_eq!(bench.cluster.owners.outbound.ready_pods(&bench.topology, ServiceId(0)).len(), 0);
}

#[test]
fn istiod_gives_the_proxies_a_configuration_that_the_other_clusters_have_of_their_own() {
    let mut bench = Bench::new(|description| {
        let settings = description.services[ServiceId(0)].clone();
        let change = ConfigurationChange { at: SimTime::ZERO, service: ServiceId(0), settings };
        description.configuration_changes.push(change);
    });
    let changed = News::Configuration(ConfigurationId(1));
    let ((), handed) = bench.act(|it| it.owners.control.api_server_tells(&mut it.at, changed));
    let [Handed::Push { to: EDGE, push, .. }] = handed[..] else { panic!("{handed:?}") };
    assert_eq!(push, Push::Content { number: 1, news: changed });
    bench.act(|it| it.owners.outbound.take_push(&mut it.at, push));
    let proxies = &bench.cluster.proxies;
    assert!(proxies.ids().all(|proxy| proxies[proxy].configuration == ConfigurationId(1)));
}

#[test]
fn an_istiod_for_all_paces_its_pushes_and_one_elsewhere_is_told() {
    let with = |cluster| {
        Bench::new(|description| {
            let push = SimDuration::from_millis(1);
            let settings =
                IstiodSettings { cluster: Some(cluster), cores: 1, push, ..IstiodSettings::default() };
            description.istiod = Some(settings);
        })
    };
    let gone = |bench: &Bench| News::Endpoint { pod: pod_of(bench, 0), what: EndpointNews::Leaves };
    // It is told, and nothing is pushed here.
    let mut bench = with(CLOUD);
    let news = gone(&bench);
    let ((), handed) = bench.act(|it| it.owners.control.api_server_tells(&mut it.at, news));
    assert!(matches!(handed[..], [Handed::News { to: Some(CLOUD), .. }]), "{handed:?}");
    // It sends what is new to both clusters, and then pushes to each proxy: two gateways and the sidecar that is left.
    let mut bench = with(EDGE);
    let ((), handed) = bench.act(|it| it.owners.control.api_server_tells(&mut it.at, news));
    assert!(
        matches!(handed[..], [Handed::Push { to: EDGE, .. }, Handed::Push { to: CLOUD, .. }, _]),
        "{handed:?}"
    );
    let prepared = IstiodStep::IsPrepared { up_to: 1, kind: PushKind::Incremental, is_alone: false };
    bench.act(|it| it.owners.control.istiod_steps(&mut it.at, prepared));
    let mut pushed = Vec::new();
    for target in [0, 2, 3] {
        let sent = IstiodStep::IsSent { target, up_to: 1, kind: PushKind::Incremental };
        let ((), handed) = bench.act(|it| it.owners.control.istiod_steps(&mut it.at, sent));
        let [Handed::Push { to, push: Push::To { proxy, up_to: 1 }, .. }] = handed[..] else {
            panic!("{handed:?}")
        };
        pushed.push((to, proxy));
    }
    let (gateway, stock) = (Addressee::Standing(ProxyId(0)), pod_of(&bench, 1));
    assert_eq!(pushed, [(EDGE, gateway), (CLOUD, gateway), (CLOUD, Addressee::SidecarOf(stock))]);
}
