//! Each owner by itself, without an engine: what it schedules and what it hands to others.

mod control;
mod inbound;
mod network;
mod outbound;
mod users;

use crate::application::internal_service::InternalService;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::handle::Dispatcher;
use crate::cluster::job::Job;
use crate::cluster::message::{Message, Request};
use crate::cluster::outbound::hop::{Hop, Origin};
use crate::cluster::state::Cluster;
use crate::compute::Compute;
use crate::ids::{ClusterId, FlowId, PodId, PopulationId, ServiceId};
use crate::network::tcp::Window;
use crate::request::cluster_path::ClusterPath;
use crate::telemetry::slices::Slices;
use crate::telemetry::work::{RequestId, WorkId};
use crate::users::arrivals::Arrivals;
use crate::world::containers::place_containers;
use crate::world::description::{DataPlane, Description};
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
    fn new_request(&mut self) -> crate::cluster::outbound::hop::NewRequest {
        self.act(|it| it.owners.users.user_sends(&mut it.at, PopulationId(0)))
            .0
            .expect("a gateway that is up")
    }
}

/// A hop that somebody else owns.
fn hop() -> Handle<Hop> {
    // An empty slab gives out its first handle only for a value; any other slab's will do.
    Slab::<Hop>::with_capacity(1).insert(Hop::new(
        &crate::cluster::outbound::hop::NewRequest {
            origin: Origin::Mirror,
            work: WorkId::default(),
            caller: None,
            address: Address::root(1, 0),
            endpoint: crate::ids::EndpointId(0),
            path: ClusterPath::default(),
            reaches_proxy: SimTime::ZERO,
        },
        crate::cluster::outbound::hop::Client::Cell,
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
        gateway_worker: 0,
        window: Window::new(SimTime::ZERO, &bench.topology.description.clusters[EDGE].tcp),
    }
}

fn pod_of(bench: &Bench, service: u32) -> PodId {
    bench.topology.at_start(ServiceId(service))[0]
}
