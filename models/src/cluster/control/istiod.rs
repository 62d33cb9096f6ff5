//! The istiod of a cluster: what it learns of the API servers that it watches, and what it sends to the proxies.
//!
//! # Models
//! What changes in a cluster is known to its API server, which tells those who watch it: every istiod there is, over the
//! links. An istiod pushes what it has learned to the proxies that it serves (an EDS push, where it is
//! endpoints). This is the only way for faults, autoscalers and changes.
//!
//! Where the scenario says nothing of istiod, every cluster has one, which serves the proxies there and takes no time.
//! Otherwise there is one in each cluster or in one cluster for all. It merges changes until it is quiet
//! (`istiod/debounce`), prepares a push, and pushes to the proxies that it knows one after the other, so many at a time
//! (`istiod/push_queue`). A push crosses the link to its proxy; while that is cut, the proxy keeps what it has.
//!
//! The configuration of the mesh is written to every cluster that has an istiod.
//!
//! # Assumptions
//! - Where nothing is said of istiod, what it needs between a change and its push is part of the delay after which the
//!   API server tells (`pods.endpoint_delay`, or `seen_after` of a fault), the same in every cluster.
//! - A cluster to which there is no way learns nothing, and its proxies are not pushed to.
//! - A new pod's sidecar, and one that starts anew, has at once all that its cluster has been sent.
//! - All proxies watch all services: there are no Sidecar resources.
//! - How large a push is follows from the number of services, not from what it says. What is pushed reaches a cluster
//!   once, as soon as istiod knows it, and each proxy's push says up to where it counts: no bytes are counted twice.
//! - A new pod is told of when it is ready: whether endpoints that are not ready are sent decides nothing here.
//! - A push takes longer by as many others as are made at once when it begins, whatever begins or ends meanwhile.
//!
//! # Source
//! Istio `pilot/pkg/xds/discovery.go` (`ConfigUpdate`, `Push`, `doSendPushes`), `pilot/pkg/serviceregistry/kube/controller`;
//! a multi-primary mesh, in which each istiod reads the API servers of all clusters by remote secrets, or a primary with
//! remote clusters.

use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::news::{Addressee, EndpointNews, IstiodStep, News, Push};
use crate::envoy::proxies::ProxyKind;
use crate::ids::{ClusterId, PodId, ServiceId};
use crate::istiod::debounce::{Debounce, Push as Begun};
use crate::istiod::endpoint_health::Health;
use crate::istiod::endpoints::SiteId;
use crate::istiod::push_kind::{EndpointShards, PushKind, ShardEndpoint};
use crate::istiod::push_queue::{PushQueue, Request};
use crate::istiod::settings::IstiodSettings;
use crate::world::topology::Topology;
use meshsim_core::{Id, SimTime, Table, id_type};
use std::collections::{BTreeMap, BTreeSet};

/// The istiod of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Istiod {
    /// How much it has learned.
    number: u32,
    /// How it paces its pushes; absent: it takes no time.
    pacing: Option<Box<Pacing>>,
}

/// How an istiod paces its pushes.
#[derive(Clone, Debug)]
struct Pacing {
    settings: IstiodSettings,
    /// The clusters whose proxies it serves.
    serves: BTreeSet<ClusterId>,
    targets: Table<TargetId, Target>,
    /// The sidecars among these, by their pods: a pod that is made is a new one.
    sidecars: BTreeMap<PodId, TargetId>,
    /// The services of whose endpoints it has learned something.
    services: BTreeMap<ServiceId, Service>,
    debounce: Debounce,
    /// When the timer of that is due.
    timer: Option<SimTime>,
    queue: PushQueue<TargetId, Sent>,
    under_way: u32,
    most: u32,
}

id_type!(
    /// A proxy that an istiod serves.
    TargetId
);

/// A proxy that an istiod serves.
#[derive(Clone, Copy, Debug)]
struct Target {
    cluster: ClusterId,
    proxy: Addressee,
    is_connected: bool,
}

/// The endpoints of a service, by cluster.
type Service = EndpointShards<ClusterId, PodId, (), SiteId>;

type Listed = ShardEndpoint<PodId, (), SiteId>;

/// What is to be sent to a proxy.
#[derive(Clone, Copy, Debug)]
struct Sent {
    up_to: u32,
    kind: PushKind,
}

impl Request for Sent {
    fn merge(&mut self, other: Self) {
        self.up_to = self.up_to.max(other.up_to);
        self.kind = self.kind.max(other.kind);
    }
}

impl Istiod {
    /// The istiod of a cluster, which has learned nothing yet.
    pub(super) fn new(here: ClusterId, topology: &Topology) -> Self {
        let settings = topology.description.istiod_pace();
        let here = settings.filter(|it| it.cluster.is_none_or(|only| only == here)).map(|it| (it, here));
        Self {
            number: 0,
            pacing: here.map(|(settings, here)| Box::new(Pacing::new(settings, here, topology))),
        }
    }

    /// It learns what an API server tells.
    pub(super) fn learns(&mut self, at: &mut Around<'_>, news: News) {
        self.number += 1;
        let push = Push::Content { number: self.number, news };
        let number = self.number;
        let Some(pacing) = &mut self.pacing else {
            return at.hand(Handed::Push { to: at.here, push, wire_bytes: 0 });
        };
        for &to in &pacing.serves {
            at.hand(Handed::Push { to, push, wire_bytes: 0 });
        }
        if let Some(kind) = pacing.kind_of(at, news) {
            let alone = pacing.debounce.changes(kind, at.now);
            pacing.begins(at, alone, number, true);
        }
    }

    /// It goes on with its pushes.
    pub(super) fn steps(&mut self, at: &mut Around<'_>, step: IstiodStep) {
        let number = self.number;
        let Some(pacing) = &mut self.pacing else { return };
        match step {
            IstiodStep::DebounceEnds => {
                // Another timer may have taken over.
                if pacing.debounce.timer() == Some(at.now) {
                    let begun = pacing.debounce.timer_fires(at.now);
                    pacing.begins(at, begun, number, false);
                }
            }
            IstiodStep::IsPrepared { up_to, kind, is_alone } => {
                let Pacing { targets, queue, .. } = &mut **pacing;
                for (target, _) in targets.enumerate().filter(|(_, it)| it.is_connected) {
                    queue.enqueue(target, Sent { up_to, kind });
                }
                if !is_alone {
                    let begun = pacing.debounce.is_prepared(at.now);
                    pacing.begins(at, begun, number, false);
                }
                pacing.push_next(at);
            }
            IstiodStep::IsSent { target, up_to, kind } => {
                let target = TargetId(target);
                pacing.under_way -= 1;
                pacing.queue.is_done(target);
                let Target { cluster, proxy, .. } = pacing.targets[target];
                let wire_bytes = bytes_of(at.topology, kind);
                at.hand(Handed::Push { to: cluster, push: Push::To { proxy, up_to }, wire_bytes });
                pacing.push_next(at);
            }
        }
    }
}

impl Pacing {
    fn new(settings: IstiodSettings, here: ClusterId, topology: &Topology) -> Self {
        let (mut targets, mut serves, mut sidecars) = (Table::new(), BTreeSet::new(), BTreeMap::new());
        let clusters = topology.description.clusters.ids();
        let is_served = |&id: &ClusterId| {
            id == here || (settings.cluster.is_some() && topology.route(here, id).is_some())
        };
        for cluster in clusters.filter(is_served) {
            serves.insert(cluster);
            let proxies = topology.proxies_of(cluster);
            for proxy in proxies.ids() {
                let addressee = match proxies[proxy].kind {
                    ProxyKind::Sidecar(pod) => {
                        sidecars.insert(pod, TargetId::from_index(targets.len()));
                        Addressee::SidecarOf(pod)
                    }
                    ProxyKind::Gateway | ProxyKind::Ztunnel(_) | ProxyKind::Waypoint(_) => {
                        Addressee::Standing(proxy)
                    }
                };
                targets.push(Target { cluster, proxy: addressee, is_connected: true });
            }
        }
        Self {
            settings,
            serves,
            sidecars,
            services: BTreeMap::new(),
            debounce: Debounce::new(settings.debounce),
            timer: None,
            queue: PushQueue::new(targets.len()),
            targets,
            under_way: 0,
            most: settings.most_pushes(topology.description.mesh.istio_version),
        }
    }

    /// What news make istiod send, if anything.
    fn kind_of(&mut self, at: &Around<'_>, news: News) -> Option<PushKind> {
        let News::Endpoint { pod, what } = news else { return Some(PushKind::Full) };
        let (cluster, service) = (at.topology.pod_ids.cluster_of(pod), at.topology.front_of(pod));
        self.connect(at, pod, what);
        let service = self.services.entry(service).or_insert_with(|| at_start(at.topology, service));
        let mut list = service.shard(&cluster).to_vec();
        let index = list.iter().position(|it| it.address == pod);
        match (what, index) {
            (EndpointNews::Appears(site), None) => list.push(listed(pod, site)),
            (EndpointNews::Leaves, Some(index)) => drop(list.remove(index)),
            (EndpointNews::Ready | EndpointNews::Appears(_), Some(index)) => {
                list[index].health = Health::Healthy;
            }
            (EndpointNews::Unready, Some(index)) => {
                list[index].health = Health::Unhealthy;
            }
            (EndpointNews::Leaves | EndpointNews::Ready | EndpointNews::Unready, None) => {}
        }
        service.update(cluster, list)
    }

    /// The sidecar of a pod that comes connects, that of a pod that goes is gone.
    fn connect(&mut self, at: &Around<'_>, pod: PodId, what: EndpointNews) {
        let is_connected = match what {
            EndpointNews::Appears(_) => true,
            EndpointNews::Leaves => false,
            EndpointNews::Ready | EndpointNews::Unready => return,
        };
        let cluster = at.topology.pod_ids.cluster_of(pod);
        if !at.topology.has_sidecars() || !self.serves.contains(&cluster) {
            return;
        }
        let Self { targets, sidecars, queue, .. } = self;
        let target = *sidecars.entry(pod).or_insert_with(|| {
            queue.add();
            targets.push(Target { cluster, proxy: Addressee::SidecarOf(pod), is_connected })
        });
        targets[target].is_connected = is_connected;
    }

    /// A push begins, if one does, of all that has been learned; the debounce's timer is set.
    fn begins(&mut self, at: &mut Around<'_>, begun: Option<Begun>, up_to: u32, is_alone: bool) {
        if let Some(begun) = begun {
            let step = IstiodStep::IsPrepared { up_to, kind: begun.kind, is_alone };
            at.schedule(at.now.saturating_add(self.settings.prepare), Event::IstiodSteps(step));
        }
        let timer = self.debounce.timer();
        if let Some(due) = timer.filter(|_| timer != self.timer) {
            at.schedule(due, Event::IstiodSteps(IstiodStep::DebounceEnds));
        }
        self.timer = timer;
    }

    /// As many pushes are made at once as may be.
    fn push_next(&mut self, at: &mut Around<'_>) {
        while self.under_way < self.most {
            let Some((target, Sent { up_to, kind })) = self.queue.dequeue() else { return };
            self.under_way += 1;
            let takes = self.settings.takes(kind, self.under_way);
            let step = IstiodStep::IsSent { target: target.0, up_to, kind };
            at.schedule(at.now.saturating_add(takes), Event::IstiodSteps(step));
        }
    }
}

/// What istiod knows of a service before the run.
fn at_start(topology: &Topology, service: ServiceId) -> Service {
    let mut lists: BTreeMap<ClusterId, Vec<Listed>> = BTreeMap::new();
    for it in topology.known(service) {
        lists.entry(topology.pod_ids.cluster_of(it.pod)).or_default().push(listed(it.pod, it.site));
    }
    EndpointShards::new(lists)
}

fn listed(pod: PodId, site: SiteId) -> Listed {
    let health = Health::Healthy;
    ShardEndpoint { address: pod, health, send_unhealthy: false, service_account: None, details: site }
}

/// A push on the wire (bytes): a service's endpoints, or as much for each service.
fn bytes_of(topology: &Topology, kind: PushKind) -> u32 {
    const EACH: u32 = 1_500;
    match kind {
        PushKind::Incremental => EACH,
        PushKind::Full => EACH.saturating_mul(topology.application().services.len() as u32),
    }
}
