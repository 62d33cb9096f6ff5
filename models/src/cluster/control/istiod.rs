//! The istiod of a cluster: what it learns of the API servers that it watches, and what it sends to the proxies.
//!
//! # Models
//! What changes in a cluster is known to its API server, which tells those who watch it: every istiod there is, over
//! the links. An istiod pushes what it has learned to the proxies that it serves (an EDS push, where it is
//! endpoints). This is the only way for faults, autoscalers and changes.
//!
//! Where the scenario says nothing of istiod, every cluster has one, which serves the proxies there and takes no time.
//! Otherwise there is one in each cluster or in one cluster for all. It merges changes until it is quiet
//! (`istiod/debounce`), prepares a push, and pushes to the proxies that it knows one after the other, so many at a time
//! (`istiod/push_queue`). A push crosses the link to its proxy; while that is cut, the proxy keeps what it has.
//!
//! The configuration of the mesh is written to every cluster that has an istiod.
//!
//! An istiod that is down learns nothing and sends nothing. When it is back it knows what its API servers know then,
//! and its proxies connect one after the other, as many per second as it pushes at a time; each gets all there is.
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
//! Istio `pilot/pkg/xds/discovery.go` (`ConfigUpdate`, `Push`, `doSendPushes`),
//! `pilot/pkg/serviceregistry/kube/controller`; a multi-primary mesh, in which each istiod reads the API servers of
//! all clusters by remote secrets, or a primary with remote clusters.

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
use crate::telemetry::control_log::PushRecord;
use crate::telemetry::decision::What;
use crate::world::topology::Topology;
use meshsim_core::{Id, SimDuration, SimTime, Table, id_type};
use std::collections::{BTreeMap, BTreeSet};

/// The istiod of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Istiod {
    /// How much it has learned.
    number: u32,
    /// How it paces its pushes; absent: it takes no time.
    pacing: Option<Box<Pacing>>,
    /// What it was not told while it was down.
    missed: Vec<News>,
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
    /// The first change that waits.
    cause: Option<News>,
    /// Pushes that are being prepared: why, of what, and up to which number.
    preparing: Vec<(Option<News>, Begun, u32)>,
    /// Pushes that have not reached all their proxies.
    open: Vec<OpenPush>,
    /// How often it has died.
    life: u8,
}

/// A push that has not reached all its proxies.
#[derive(Clone, Copy, Debug)]
struct OpenPush {
    cause: Option<News>,
    up_to: u32,
    /// Its number among those that are recorded.
    record: usize,
    /// The proxies that it has not reached.
    proxies: u32,
    /// When it reached the last of those that it has.
    reached: SimTime,
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
    /// Whether it connects again when an istiod that has died is back.
    reconnects: bool,
    /// Whether it has, and waits for all there is.
    is_back: bool,
    /// Up to which number it has been sent what there is, or need not be.
    has: u32,
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

impl Target {
    const fn new(cluster: ClusterId, proxy: Addressee) -> Self {
        Self { cluster, proxy, is_connected: true, reconnects: false, is_back: false, has: 0 }
    }
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
            missed: Vec::new(),
            pacing: here.map(|(settings, here)| Box::new(Pacing::new(settings, here, topology))),
        }
    }

    /// It learns what an API server tells.
    pub(super) fn learns(&mut self, at: &mut Around<'_>, news: News) {
        if at.topology.outages.istiod_works_from(at.here, at.now) > at.now {
            return self.missed.push(news);
        }
        let Some(kind) = self.hears(at, news) else { return };
        let number = self.number;
        let Some(pacing) = &mut self.pacing else { return };
        pacing.cause.get_or_insert(news);
        let alone = pacing.debounce.changes(kind, at.now);
        pacing.begins(at, alone, number, true);
    }

    /// It hears of something, and so do the clusters that it serves: tells what it has to send, if it paces its pushes.
    fn hears(&mut self, at: &mut Around<'_>, news: News) -> Option<PushKind> {
        self.number += 1;
        let push = Push::Content { number: self.number, news };
        let Some(pacing) = &mut self.pacing else {
            at.hand(Handed::Push { to: at.here, push, wire_bytes: 0 });
            return None;
        };
        for &to in &pacing.serves {
            at.hand(Handed::Push { to, push, wire_bytes: 0 });
        }
        pacing.kind_of(at, news, self.number)
    }

    /// It dies, with what it was about to send.
    pub(super) fn dies(&mut self) {
        let Some(pacing) = &mut self.pacing else { return };
        pacing.life = pacing.life.wrapping_add(1);
        pacing.debounce = Debounce::new(pacing.settings.debounce);
        pacing.queue = PushQueue::new(pacing.targets.len());
        pacing.preparing.clear();
        pacing.open.clear();
        (pacing.timer, pacing.cause, pacing.under_way) = (None, None, 0);
        for target in pacing.targets.iter_mut() {
            target.reconnects |= std::mem::take(&mut target.is_connected);
        }
    }

    /// It is back, and reads what there is.
    pub(super) fn is_back(&mut self, at: &mut Around<'_>) {
        for news in std::mem::take(&mut self.missed) {
            self.hears(at, news);
        }
        let number = self.number;
        let Some(pacing) = &mut self.pacing else { return };
        // Those that came meanwhile connect like the others.
        for target in pacing.targets.iter_mut() {
            target.reconnects |= std::mem::take(&mut target.is_connected);
        }
        let proxies = pacing.targets.iter().filter(|it| it.reconnects).count() as u32;
        at.recorder.decided(at.now, What::ProxiesConnect(proxies));
        let begun = Begun { kind: PushKind::Full, changes: 0, since: at.now };
        pacing.opens(at, (None, begun, number), proxies);
        pacing.next_connects(at, 0, at.now);
    }

    /// It goes on with its pushes.
    pub(super) fn steps(&mut self, at: &mut Around<'_>, step: IstiodStep) {
        let number = self.number;
        let Some(pacing) = &mut self.pacing else { return };
        match step {
            // What an istiod was at when it died.
            IstiodStep::IsPrepared { life, .. }
            | IstiodStep::IsSent { life, .. }
            | IstiodStep::Connects { life, .. }
                if life != pacing.life => {}
            IstiodStep::Connects { target, .. } => {
                let id = TargetId(target);
                if std::mem::take(&mut pacing.targets[id].reconnects) {
                    let state = &mut pacing.targets[id];
                    (state.is_connected, state.is_back, state.has) = (true, true, number);
                    pacing.queue.enqueue(id, Sent { up_to: number, kind: PushKind::Full });
                    pacing.push_next(at);
                }
                let gap = SimDuration::from_nanos(1_000_000_000 / u64::from(pacing.most.max(1)));
                pacing.next_connects(at, target + 1, at.now.saturating_add(gap));
            }
            IstiodStep::DebounceEnds => {
                // Another timer may have taken over.
                if pacing.debounce.timer() == Some(at.now) {
                    let begun = pacing.debounce.timer_fires(at.now);
                    pacing.begins(at, begun, number, false);
                }
            }
            IstiodStep::IsPrepared { up_to, kind, is_alone, .. } => {
                let Pacing { targets, queue, preparing, .. } = &mut **pacing;
                let mut proxies = 0;
                for (target, state) in targets.enumerate().filter(|(_, it)| it.is_connected) {
                    queue.enqueue(target, Sent { up_to, kind });
                    proxies += u32::from(state.has < up_to);
                }
                if let Some(index) = preparing.iter().position(|it| it.2 == up_to) {
                    let push = preparing.remove(index);
                    pacing.opens(at, push, proxies);
                }
                if !is_alone {
                    let begun = pacing.debounce.is_prepared(at.now);
                    pacing.begins(at, begun, number, false);
                }
                pacing.push_next(at);
            }
            IstiodStep::IsSent { target, up_to, kind, .. } => {
                let target = TargetId(target);
                pacing.under_way -= 1;
                pacing.queue.is_done(target);
                pacing.reaches(at, target, up_to);
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
                    ProxyKind::Sidecar(pod) if !topology.has_sidecar(pod) => continue,
                    ProxyKind::Sidecar(pod) => {
                        sidecars.insert(pod, TargetId::from_index(targets.len()));
                        Addressee::SidecarOf(pod)
                    }
                    ProxyKind::Gateway
                    | ProxyKind::EastWest
                    | ProxyKind::Ztunnel(_)
                    | ProxyKind::Waypoint(_) => Addressee::Standing(proxy),
                };
                targets.push(Target::new(cluster, addressee));
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
            cause: None,
            preparing: Vec::new(),
            open: Vec::new(),
            life: 0,
            most: settings.most_pushes(topology.description.mesh.istio_version),
        }
    }

    /// What news make istiod send, if anything.
    fn kind_of(&mut self, at: &Around<'_>, news: News, number: u32) -> Option<PushKind> {
        let News::Endpoint { pod, what } = news else { return Some(PushKind::Full) };
        let (cluster, service) = (at.topology.pod_ids.cluster_of(pod), at.topology.front_of(pod));
        self.connect(at, pod, what, number);
        let service = self.services.entry(service).or_insert_with(|| at_start(at.topology, service));
        let mut list = service.shard(&cluster).to_vec();
        let index = list.iter().position(|it| it.address == pod);
        match (what, index) {
            (EndpointNews::Appears(node), None) => {
                list.push(listed(pod, at.topology.site_of_node(cluster, node)));
            }
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
    fn connect(&mut self, at: &Around<'_>, pod: PodId, what: EndpointNews, number: u32) {
        let is_connected = match what {
            EndpointNews::Appears(_) => true,
            EndpointNews::Leaves => false,
            EndpointNews::Ready | EndpointNews::Unready => return,
        };
        let cluster = at.topology.pod_ids.cluster_of(pod);
        if !at.topology.has_sidecar(pod) || !self.serves.contains(&cluster) {
            return;
        }
        let Self { targets, sidecars, queue, open, .. } = self;
        let target = *sidecars.entry(pod).or_insert_with(|| {
            queue.add();
            targets.push(Target::new(cluster, Addressee::SidecarOf(pod)))
        });
        let of = &mut targets[target];
        of.is_connected = is_connected;
        // One that comes has all that was before it.
        of.has = number - 1;
        if std::mem::take(&mut of.reconnects) {
            for push in open.iter_mut().filter(|it| it.cause.is_none()) {
                push.proxies = push.proxies.saturating_sub(1);
            }
        }
    }

    /// A push begins, if one does, of all that has been learned; the debounce's timer is set.
    fn begins(&mut self, at: &mut Around<'_>, begun: Option<Begun>, up_to: u32, is_alone: bool) {
        if let Some(begun) = begun {
            at.recorder.decided_since(at.now, begun.since, What::PushBegins(begun.kind, begun.changes));
            // Of a change that is pushed alone the others still wait.
            let cause = if is_alone { self.cause } else { self.cause.take() };
            self.preparing.push((cause, begun, up_to));
            let step = IstiodStep::IsPrepared { up_to, kind: begun.kind, is_alone, life: self.life };
            at.schedule(at.now.saturating_add(self.settings.prepare), Event::IstiodSteps(step));
        }
        let timer = self.debounce.timer();
        if let Some(due) = timer.filter(|_| timer != self.timer) {
            at.schedule(due, Event::IstiodSteps(IstiodStep::DebounceEnds));
        }
        self.timer = timer;
    }

    /// A push is prepared, or proxies begin to connect: it is recorded until it has reached so many.
    fn opens(
        &mut self,
        at: &mut Around<'_>,
        (cause, begun, up_to): (Option<News>, Begun, u32),
        proxies: u32,
    ) {
        let record = at.recorder.push_is_prepared(PushRecord {
            cause,
            changes: begun.changes,
            changed: begun.since,
            kind: begun.kind,
            proxies,
            prepared: at.now,
            reached: None,
        });
        if proxies > 0 {
            self.open.push(OpenPush { cause, up_to, record, proxies, reached: at.now });
        }
    }

    /// A proxy is sent what has come up to a number.
    fn reaches(&mut self, at: &mut Around<'_>, target: TargetId, up_to: u32) {
        let state = &mut self.targets[target];
        let Target { cluster, has, is_back, .. } = *state;
        (state.has, state.is_back) = (has.max(up_to), false);
        let way = at.topology.path(at.here, cluster, at.now).one_way;
        let arrives = at.now.saturating_add(way);
        self.open.retain_mut(|push| {
            let is_news = if push.cause.is_some() { push.up_to > has } else { is_back };
            if push.up_to > up_to || !is_news {
                return true;
            }
            push.proxies = push.proxies.saturating_sub(1);
            push.reached = push.reached.max(arrives);
            if push.proxies == 0 {
                at.recorder.push_has_reached(push.record, push.reached);
            }
            push.proxies > 0
        });
    }

    /// The next proxy connects that is to, from this one on.
    fn next_connects(&self, at: &mut Around<'_>, from: u32, due: SimTime) {
        let mut left = (from..self.targets.len() as u32).filter(|&it| self.targets[TargetId(it)].reconnects);
        if let Some(target) = left.next() {
            at.schedule(due, Event::IstiodSteps(IstiodStep::Connects { target, life: self.life }));
        }
    }

    /// As many pushes are made at once as may be.
    fn push_next(&mut self, at: &mut Around<'_>) {
        while self.under_way < self.most {
            let Some((target, Sent { up_to, kind })) = self.queue.dequeue() else { return };
            self.under_way += 1;
            let takes = self.settings.takes(kind, self.under_way);
            let step = IstiodStep::IsSent { target: target.0, up_to, kind, life: self.life };
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
