//! What an istiod that paces its pushes keeps: its replicas, the proxies that it serves, and pushes under way.

use crate::cluster::news::{Addressee, News};
use crate::envoy::proxies::ProxyKind;
use crate::ids::{ClusterId, PodId, ServiceId};
use crate::istiod::debounce::{Debounce, Push as Begun};
use crate::istiod::endpoints::SiteId;
use crate::istiod::push_kind::{EndpointShards, PushKind};
use crate::istiod::push_queue::{PushQueue, Request};
use crate::istiod::settings::IstiodSettings;
use crate::world::topology::Topology;
use meshsim_core::{SimTime, Table, id_type};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How an istiod paces its pushes.
#[derive(Clone, Debug)]
pub(super) struct Pacing {
    pub(super) settings: IstiodSettings,
    /// The clusters whose proxies it serves.
    pub(super) serves: BTreeSet<ClusterId>,
    pub(super) targets: Table<TargetId, Target>,
    /// The sidecars among these, by their pods: a pod that is made is a new one.
    pub(super) sidecars: BTreeMap<PodId, TargetId>,
    /// The services of whose endpoints it has learned something.
    pub(super) services: BTreeMap<ServiceId, Service>,
    pub(super) replicas: Vec<Replica>,
    /// The replica to which a proxy connects next, if it is up.
    pub(super) turn: usize,
    /// Who is to connect, in order, and whether somebody is about to.
    pub(super) connecting: VecDeque<TargetId>,
    pub(super) connects: bool,
    /// When connections are closed for their age, of all proxies that are connected, and the timer for the first.
    pub(super) ages: BTreeSet<(SimTime, TargetId)>,
    pub(super) age_timer: Option<SimTime>,
    /// Connections that were made so far.
    pub(super) made: u64,
    /// Until when what serving those that are connected takes is counted.
    pub(super) counted: SimTime,
    /// Pushes at a time, of each replica.
    pub(super) most: u32,
    /// How often all replicas had died.
    pub(super) life: u8,
    pub(super) debounce: Debounce,
    /// When the timer of that is due.
    pub(super) timer: Option<SimTime>,
    /// The first change that waits.
    pub(super) cause: Option<News>,
    /// Pushes that are being prepared: why, of what, and up to which number.
    pub(super) preparing: Vec<(News, Begun, u32)>,
    /// Pushes that have not reached all their proxies.
    pub(super) open: Vec<OpenPush>,
}

/// A push that has not reached all its proxies.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenPush {
    /// Whether it is for proxies that connect, which say so.
    pub(super) connects: bool,
    pub(super) up_to: u32,
    /// Its number among those that are recorded.
    pub(super) record: usize,
    /// The proxies that it has not reached.
    pub(super) proxies: u32,
    /// When it reached the last of those that it has.
    pub(super) reached: SimTime,
}

/// What is to be sent to a proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) up_to: u32,
    pub(super) kind: PushKind,
    /// When it was put in the queue; absent: its proxy connects.
    pub(super) since: Option<SimTime>,
}

impl Request for Sent {
    fn merge(&mut self, other: Self) {
        self.since = self.since.or(other.since);
        self.up_to = self.up_to.max(other.up_to);
        self.kind = self.kind.max(other.kind);
    }
}

impl OpenPush {
    /// Whether a proxy is among those that it has not reached.
    pub(super) fn waits_for(&self, target: &Target) -> bool {
        match self.connects {
            true => target.connects_for == Some(self.record),
            false => target.is_connected() && self.up_to > target.has,
        }
    }
}

id_type!(
    /// A proxy that an istiod serves.
    TargetId
);

/// A proxy that an istiod serves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) cluster: ClusterId,
    pub(super) proxy: Addressee,
    pub(super) connection: Connection,
    /// The push, by its record, that is for those that connect and waits for it.
    pub(super) connects_for: Option<usize>,
    /// Up to which number it has been sent what there is, or need not be.
    pub(super) has: u32,
    /// When its connection is closed for its age.
    pub(super) ages: SimTime,
    /// When what is being pushed to it was put in the queue.
    pub(super) pushed_since: Option<SimTime>,
}

/// To whom a proxy is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// It is there no more.
    Gone,
    /// To this replica.
    To(u8),
    /// To none: it is to connect.
    Lost,
}

/// A replica.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) is_up: bool,
    pub(super) queue: PushQueue<TargetId, Sent>,
    pub(super) under_way: u32,
    /// How often it has died.
    pub(super) life: u8,
}

/// The endpoints of a service, by cluster.
pub(super) type Service = EndpointShards<ClusterId, PodId, (), SiteId>;

impl Target {
    pub(super) const fn new(cluster: ClusterId, proxy: Addressee) -> Self {
        Self {
            cluster,
            proxy,
            connection: Connection::Gone,
            connects_for: None,
            has: 0,
            ages: SimTime::MAX,
            pushed_since: None,
        }
    }

    pub(super) const fn is_connected(&self) -> bool {
        matches!(self.connection, Connection::To(_))
    }
}

impl Replica {
    pub(super) fn new(proxies: usize) -> Self {
        Self { is_up: true, queue: PushQueue::new(proxies), under_way: 0, life: 0 }
    }

    pub(super) fn dies(&mut self, proxies: usize) {
        *self = Self { is_up: false, life: self.life.wrapping_add(1), ..Self::new(proxies) };
    }
}

/// The proxies of a cluster before the run.
fn targets_of(topology: &Topology, cluster: ClusterId) -> Vec<Target> {
    let proxies = topology.proxies_of(cluster);
    let of = |proxy| match proxies[proxy].kind {
        ProxyKind::Sidecar(pod) if !topology.has_sidecar(pod) => None,
        ProxyKind::Sidecar(pod) => Some(Addressee::SidecarOf(pod)),
        ProxyKind::Gateway | ProxyKind::EastWest | ProxyKind::Ztunnel(_) | ProxyKind::Waypoint(_) => {
            Some(Addressee::Standing(proxy))
        }
    };
    proxies.ids().filter_map(of).map(|proxy| Target::new(cluster, proxy)).collect()
}

impl Pacing {
    /// So many proxies are connected to a replica.
    pub(super) fn connected_to(&self, replica: u32) -> u32 {
        let is_its = |it: &&Target| matches!(it.connection, Connection::To(of) if u32::from(of) == replica);
        self.targets.iter().filter(is_its).count() as u32
    }

    pub(super) fn new(settings: IstiodSettings, here: ClusterId, topology: &Topology) -> Self {
        let clusters = topology.description.clusters.ids();
        let is_served = |&id: &ClusterId| {
            id == here || (settings.cluster.is_some() && topology.route(here, id).is_some())
        };
        let serves: BTreeSet<ClusterId> = clusters.filter(is_served).collect();
        let mut pacing = Self {
            settings,
            targets: Table::new(),
            sidecars: BTreeMap::new(),
            services: BTreeMap::new(),
            replicas: Vec::new(),
            turn: 0,
            connecting: VecDeque::new(),
            connects: false,
            ages: BTreeSet::new(),
            age_timer: None,
            made: 0,
            counted: SimTime::ZERO,
            most: settings.most_pushes(topology.description.mesh.istio_version),
            life: 0,
            debounce: Debounce::new(settings.debounce),
            timer: None,
            cause: None,
            preparing: Vec::new(),
            open: Vec::new(),
            serves,
        };
        let all: Vec<Target> =
            pacing.serves.iter().flat_map(|&cluster| targets_of(topology, cluster)).collect();
        pacing.replicas = (0..settings.replicas.max(1)).map(|_| Replica::new(all.len())).collect();
        all.into_iter().for_each(|target| pacing.is_there(topology, here, target));
        pacing
    }
}
