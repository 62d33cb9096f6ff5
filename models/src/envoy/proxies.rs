//! The proxies of a cluster: ingress gateways, east-west gateways, then the sidecars of its pods, or the ztunnels of its nodes and the
//! waypoints.
//!
//! # Models
//! What stands where, with how many workers and at what cost, is resolved once, into a row per proxy. A proxy
//! has worker threads; a connection belongs to one of them, and what passes through a worker queues first in
//! first out for its time.
//!
//! # Source
//! Envoy, "Life of a request" (threading model); ztunnel, `ARCHITECTURE.md`.

use super::proxy_cost::{ProxyCost, ProxyPass, Side};
use crate::ids::{ClusterId, ConfigurationId, PodId, ProxyId, ServiceId};
use crate::istiod::endpoints::SiteId;
use crate::world::description::{DataPlane, Description, MeshSettings};
use meshsim_core::{Id, SimDuration, SimTime, Table};
use serde::{Deserialize, Serialize};

/// What a proxy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProxyKind {
    /// An ingress gateway.
    Gateway,
    /// By which other networks reach the pods here.
    EastWest,
    /// The Envoy beside the application of a pod.
    Sidecar(PodId),
    /// The ztunnel of a node, counted within the cluster.
    Ztunnel(u32),
    /// The Envoy that the requests to a service pass.
    Waypoint(ServiceId),
}

/// A proxy: where it stands, and what passing it takes as a client's.
#[derive(Clone, Copy, Debug)]
pub struct Proxy {
    /// What it is.
    pub kind: ProxyKind,
    /// Where it is, as istiod sees it.
    pub site: SiteId,
    /// Which of the calibrated costs are its own towards those that it calls.
    pub pass: ClientPass,
    /// The way to whoever calls through it.
    pub to_caller: SimDuration,
    /// The configuration that it has.
    pub configuration: ConfigurationId,
    /// It has what istiod has sent up to this number.
    pub pushed: u32,
    /// CPU time used so far (ns).
    pub cpu_used: f64,
    /// Its worker threads among those of all.
    first_worker: u32,
    workers: u16,
}

/// Whose costs a proxy has towards those that it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPass {
    /// An ingress gateway's.
    Gateway,
    /// A sidecar's.
    Sidecar,
    /// A waypoint's.
    Waypoint,
    /// An east-west gateway's.
    EastWest,
}

/// What passing a proxy takes, for each that there is.
#[derive(Clone, Debug)]
pub struct ProxyPasses {
    gateway: ProxyPass,
    sidecar_out: ProxyPass,
    waypoint: ProxyPass,
    east_west: ProxyPass,
    sidecar_in: ProxyPass,
    /// Of what is plain text: a gateway, a sidecar on the client's side, one on the server's.
    plain: [ProxyPass; 3],
    /// The ztunnel of the client's node.
    pub ztunnel_out: ProxyPass,
    /// The ztunnel of the server's node.
    pub ztunnel_in: ProxyPass,
}

impl ProxyPasses {
    /// As a mesh is described.
    #[must_use]
    pub fn new(description: &Description) -> Self {
        let pass = |cost, side| ProxyPass::new(with_features(description, cost, true), side);
        let plain = |cost, side| ProxyPass::new(with_features(description, cost, false), side);
        let (gateway, mesh) = (&description.gateway, &description.mesh);
        Self {
            gateway: pass(gateway.cost, Side::Client),
            sidecar_out: pass(mesh.outbound, Side::Client),
            waypoint: pass(mesh.waypoint, Side::Client),
            // It neither encrypts nor sees requests.
            east_west: ProxyPass::new(
                description.east_west().copied().unwrap_or_default().cost,
                Side::Between,
            ),
            sidecar_in: pass(mesh.inbound, Side::Server),
            plain: [
                plain(gateway.cost, Side::Client),
                plain(mesh.outbound, Side::Client),
                plain(mesh.inbound, Side::Server),
            ],
            // What it costs includes encryption and its own telemetry: there is no ztunnel without.
            ztunnel_out: ProxyPass::new(mesh.ztunnel, Side::Client),
            ztunnel_in: ProxyPass::new(mesh.ztunnel, Side::Server),
        }
    }

    /// What passing an east-west gateway takes.
    #[must_use]
    pub const fn east_west(&self) -> &ProxyPass {
        &self.east_west
    }

    /// What passing a proxy as a client's takes for plain text, in a mesh of sidecars.
    #[must_use]
    #[cold]
    pub fn plain_client(&self, pass: ClientPass) -> &ProxyPass {
        match pass {
            ClientPass::Gateway => &self.plain[0],
            ClientPass::Sidecar => &self.plain[1],
            ClientPass::Waypoint | ClientPass::EastWest => self.client(pass),
        }
    }

    /// What passing a sidecar on the server's side takes, for plain text or not.
    #[must_use]
    #[inline]
    pub const fn server(&self, is_plain: bool) -> &ProxyPass {
        if is_plain { &self.plain[2] } else { &self.sidecar_in }
    }

    /// What passing a proxy takes as a client's.
    #[must_use]
    #[inline]
    pub fn client(&self, pass: ClientPass) -> &ProxyPass {
        match pass {
            ClientPass::Gateway => &self.gateway,
            ClientPass::Sidecar => &self.sidecar_out,
            ClientPass::Waypoint => &self.waypoint,
            ClientPass::EastWest => &self.east_west,
        }
    }
}

/// The proxies of a cluster.
#[derive(Clone, Debug)]
pub struct Proxies {
    rows: Table<ProxyId, Proxy>,
    /// When each worker is done with what it has.
    free_at: Vec<SimTime>,
    gateways: u16,
    /// Those that stand before the first sidecar or ztunnel.
    at_entrance: u16,
    /// What istiod gives to those that ask, and the number up to which that has come.
    configuration: ConfigurationId,
    newest: u32,
    /// Whether they are pushed to one after the other.
    one_by_one: bool,
    /// By service.
    waypoints: Table<ServiceId, Option<ProxyId>>,
}

impl Proxies {
    /// Those of a cluster, before anything has happened: its pods with their nodes, and the site of each node.
    #[must_use]
    pub fn new(
        cluster: ClusterId,
        description: &Description,
        pods: impl Iterator<Item = (PodId, u32)>,
        site: impl Fn(u32) -> SiteId,
    ) -> Self {
        let (gateway, mesh) = (&description.gateway, &description.mesh);
        let spec = &description.clusters[cluster];
        let mut proxies = Self {
            rows: Table::new(),
            free_at: Vec::new(),
            gateways: gateway.replicas,
            at_entrance: gateway.replicas,
            configuration: ConfigurationId(0),
            newest: 0,
            one_by_one: description.istiod_pace().is_some(),
            waypoints: description.application.services.iter().map(|_| None).collect(),
        };
        let first = site(0);
        for _ in 0..gateway.replicas {
            let pass = (ClientPass::Gateway, SimDuration::ZERO);
            proxies.add(ProxyKind::Gateway, first, pass, gateway.concurrency);
        }
        if let Some(settings) = description.east_west() {
            for _ in 0..settings.replicas {
                let pass = (ClientPass::EastWest, SimDuration::ZERO);
                proxies.add(ProxyKind::EastWest, first, pass, settings.concurrency);
            }
            proxies.at_entrance += settings.replicas;
        }
        match mesh.data_plane {
            DataPlane::None => {}
            DataPlane::Sidecar => {
                for (pod, node) in pods {
                    proxies.add_sidecar(mesh, pod, site(node));
                }
            }
            DataPlane::Ambient => {
                let pass = (ClientPass::Waypoint, spec.local_delay);
                for node in 0..spec.nodes.len() as u32 {
                    proxies.add(ProxyKind::Ztunnel(node), site(node), pass, mesh.concurrency);
                }
                // Waypoints stand on the first node.
                for service in description.waypoints() {
                    let id = proxies.add(ProxyKind::Waypoint(service), first, pass, mesh.concurrency);
                    proxies.waypoints[service] = Some(id);
                }
            }
        }
        proxies
    }

    /// A pod with the next slot has a sidecar.
    pub fn add_sidecar(&mut self, mesh: &MeshSettings, pod: PodId, site: SiteId) {
        self.add(ProxyKind::Sidecar(pod), site, (ClientPass::Sidecar, mesh.loopback), mesh.concurrency);
    }

    fn add(
        &mut self,
        kind: ProxyKind,
        site: SiteId,
        (pass, to_caller): (ClientPass, SimDuration),
        workers: u16,
    ) -> ProxyId {
        let first_worker = self.free_at.len() as u32;
        self.free_at.resize(self.free_at.len() + usize::from(workers), SimTime::ZERO);
        let configuration = self.configuration;
        let pushed = if self.one_by_one { self.newest } else { u32::MAX };
        self.rows.push(Proxy {
            kind,
            site,
            pass,
            to_caller,
            configuration,
            pushed,
            cpu_used: 0.0,
            first_worker,
            workers,
        })
    }

    /// All of them.
    pub fn ids(&self) -> impl Iterator<Item = ProxyId> + use<> {
        self.rows.ids()
    }

    /// Ingress gateways: they come first.
    #[must_use]
    pub const fn gateways(&self) -> u16 {
        self.gateways
    }

    /// The east-west gateway that has a worker, counted over all of them, and the worker's number there.
    #[must_use]
    pub fn east_west(&self, worker: u16) -> (ProxyId, u16) {
        let each = self.rows[ProxyId::from_index(usize::from(self.gateways))].workers;
        (ProxyId::from_index(usize::from(self.gateways + worker / each)), worker % each)
    }

    /// The sidecar of the pod in this slot of the cluster.
    #[must_use]
    #[inline]
    pub fn sidecar(&self, slot: usize) -> ProxyId {
        ProxyId(u32::from(self.at_entrance) + slot as u32)
    }

    /// The ztunnel of a node.
    #[must_use]
    pub fn ztunnel(&self, node: u32) -> ProxyId {
        ProxyId::from_index(usize::from(self.at_entrance) + node as usize)
    }

    /// The waypoint of a service, if it has one.
    #[must_use]
    pub fn waypoint(&self, service: ServiceId) -> Option<ProxyId> {
        self.waypoints[service]
    }

    /// The sidecar of a new pod stands on this site, and has asked istiod for all that there is.
    pub fn stands_on(&mut self, proxy: ProxyId, site: SiteId) {
        self.rows[proxy].site = site;
        self.connects(proxy);
    }

    /// istiod has something new, under this number: all proxies have it, or each as it is pushed to. Tells whether they
    /// have another configuration now.
    pub fn comes(&mut self, number: u32, configuration: Option<ConfigurationId>) -> bool {
        self.newest = self.newest.max(number);
        let Some(configuration) = configuration else { return false };
        self.configuration = self.configuration.max(configuration);
        if self.one_by_one {
            return false;
        }
        for id in self.rows.ids() {
            self.rows[id].configuration = configuration;
        }
        true
    }

    /// A proxy has what has come up to a number, and a configuration.
    pub fn is_pushed_to(&mut self, proxy: ProxyId, number: u32, configuration: ConfigurationId) {
        let row = &mut self.rows[proxy];
        row.pushed = row.pushed.max(number);
        row.configuration = row.configuration.max(configuration);
    }

    /// The number up to which all proxies have what has come, but for the sidecars of pods that are not there.
    #[must_use]
    pub fn least_pushed(&self, is_there: impl Fn(PodId) -> bool) -> u32 {
        if !self.one_by_one {
            return u32::MAX;
        }
        let counts = |it: &&Proxy| !matches!(it.kind, ProxyKind::Sidecar(pod) if !is_there(pod));
        self.rows.iter().filter(counts).map(|it| it.pushed).min().unwrap_or(u32::MAX)
    }

    /// A proxy asks istiod for all that there is.
    pub fn connects(&mut self, proxy: ProxyId) {
        if self.one_by_one {
            self.is_pushed_to(proxy, self.newest, self.configuration);
        }
    }

    /// The configuration that the proxies were given last.
    #[must_use]
    pub const fn configuration(&self) -> ConfigurationId {
        self.configuration
    }

    /// A proxy starts anew, with nothing to do; the CPU time that was used stays counted.
    pub fn restart(&mut self, proxy: ProxyId) {
        let Proxy { first_worker, workers, .. } = self.rows[proxy];
        self.free_at[first_worker as usize..][..usize::from(workers)].fill(SimTime::ZERO);
        self.connects(proxy);
    }

    /// Something passes through a worker, which needs `service` for it: when it comes out.
    #[inline]
    pub fn pass(&mut self, proxy: ProxyId, worker: u16, now: SimTime, service: SimDuration) -> SimTime {
        let state = &self.rows[proxy];
        debug_assert!(worker < state.workers, "a worker of this proxy");
        let free_at = &mut self.free_at[state.first_worker as usize + usize::from(worker)];
        *free_at = now.max(*free_at).saturating_add(service);
        *free_at
    }

    /// The same, for which the proxy uses CPU time (ns).
    #[inline]
    pub fn pass_using(
        &mut self,
        proxy: ProxyId,
        worker: u16,
        now: SimTime,
        service: SimDuration,
        nanos: f64,
    ) -> SimTime {
        self.use_cpu(proxy, nanos);
        self.pass(proxy, worker, now, service)
    }

    /// A proxy has used CPU time (ns).
    #[inline]
    pub fn use_cpu(&mut self, proxy: ProxyId, nanos: f64) {
        self.rows[proxy].cpu_used += nanos;
    }
}

/// From where, and up to which push, a proxy sees endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// Where it is.
    pub site: SiteId,
    /// The number up to which it has what istiod has sent.
    pub pushed: u32,
}

impl Proxy {
    /// As what it sees endpoints.
    #[must_use]
    #[inline]
    pub const fn viewer(&self) -> Viewer {
        Viewer { site: self.site, pushed: self.pushed }
    }

    /// Whether it is an ingress gateway.
    #[must_use]
    pub const fn is_gateway(&self) -> bool {
        matches!(self.kind, ProxyKind::Gateway)
    }

    /// Whether it is a waypoint.
    #[must_use]
    pub const fn is_waypoint(&self) -> bool {
        matches!(self.kind, ProxyKind::Waypoint(_))
    }

    /// Worker threads.
    #[must_use]
    pub const fn workers(&self) -> u16 {
        self.workers
    }
}

impl std::ops::Index<ProxyId> for Proxies {
    type Output = Proxy;

    #[inline]
    fn index(&self, proxy: ProxyId) -> &Proxy {
        &self.rows[proxy]
    }
}

/// What a pass costs with the features that are on. Without a mesh the gateway has none, and plain text is not encrypted.
fn with_features(description: &Description, cost: ProxyCost, is_encrypted: bool) -> ProxyCost {
    let mesh = &description.mesh;
    let in_mesh = mesh.data_plane != DataPlane::None;
    let cost = if in_mesh && mesh.mtls && is_encrypted { cost.with(mesh.mtls_cost) } else { cost };
    if in_mesh && mesh.telemetry { cost.with(mesh.telemetry_cost) } else { cost }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_passes_one_thing_after_the_other() {
        let mut proxies = Proxies {
            rows: Table::new(),
            free_at: Vec::new(),
            gateways: 0,
            at_entrance: 0,
            configuration: ConfigurationId(0),
            newest: 0,
            one_by_one: false,
            waypoints: Table::new(),
        };
        let pass = (ClientPass::Sidecar, SimDuration::ZERO);
        let [one, other] = [0, 1].map(|pod| proxies.add(ProxyKind::Sidecar(PodId(pod)), SiteId(0), pass, 2));
        let (at, us) = (|us: u64| SimTime::from_nanos(us * 1_000), SimDuration::from_micros);
        assert_eq!(proxies.pass(one, 0, at(0), us(100)), at(100));
        assert_eq!(proxies.pass(one, 0, at(50), us(100)), at(200));
        assert_eq!(proxies.pass(one, 1, at(50), us(100)), at(150));
        assert_eq!(proxies.pass(other, 0, at(50), us(100)), at(150));
        proxies.restart(one);
        assert_eq!(proxies.pass(one, 0, at(60), us(100)), at(160));
    }
}
