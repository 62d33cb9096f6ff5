//! The proxies of a cluster: gateways, then the sidecars of its pods, or the ztunnels of its nodes and the
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
use crate::world::description::{DataPlane, Description};
use meshsim_core::{Id, SimDuration, SimTime, Table};

/// What a proxy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// An ingress gateway.
    Gateway,
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
}

/// What passing a proxy takes, for each that there is.
#[derive(Clone, Debug)]
pub struct ProxyPasses {
    gateway: ProxyPass,
    sidecar_out: ProxyPass,
    waypoint: ProxyPass,
    /// A sidecar on the server's side.
    pub sidecar_in: ProxyPass,
    /// The ztunnel of the client's node.
    pub ztunnel_out: ProxyPass,
    /// The ztunnel of the server's node.
    pub ztunnel_in: ProxyPass,
}

impl ProxyPasses {
    /// As a mesh is described.
    #[must_use]
    pub fn new(description: &Description) -> Self {
        let pass = |cost, side| ProxyPass::new(with_features(description, cost), side);
        let (gateway, mesh) = (&description.gateway, &description.mesh);
        Self {
            gateway: pass(gateway.cost, Side::Client),
            sidecar_out: pass(mesh.outbound, Side::Client),
            waypoint: pass(mesh.waypoint, Side::Client),
            sidecar_in: pass(mesh.inbound, Side::Server),
            // What it costs includes encryption and its own telemetry: there is no ztunnel without.
            ztunnel_out: ProxyPass::new(mesh.ztunnel, Side::Client),
            ztunnel_in: ProxyPass::new(mesh.ztunnel, Side::Server),
        }
    }

    /// What passing a proxy takes as a client's.
    #[must_use]
    #[inline]
    pub fn client(&self, pass: ClientPass) -> &ProxyPass {
        match pass {
            ClientPass::Gateway => &self.gateway,
            ClientPass::Sidecar => &self.sidecar_out,
            ClientPass::Waypoint => &self.waypoint,
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
    /// What istiod gives to those that ask.
    configuration: ConfigurationId,
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
            configuration: ConfigurationId(0),
            waypoints: description.application.services.iter().map(|_| None).collect(),
        };
        let first = site(0);
        for _ in 0..gateway.replicas {
            let pass = (ClientPass::Gateway, SimDuration::ZERO);
            proxies.add(ProxyKind::Gateway, first, pass, gateway.concurrency);
        }
        match mesh.data_plane {
            DataPlane::None => {}
            DataPlane::Sidecar => {
                let pass = (ClientPass::Sidecar, mesh.loopback);
                for (pod, node) in pods {
                    proxies.add(ProxyKind::Sidecar(pod), site(node), pass, mesh.concurrency);
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
        self.rows.push(Proxy {
            kind,
            site,
            pass,
            to_caller,
            configuration,
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

    /// The sidecar of the pod in this place of the cluster.
    #[must_use]
    pub fn sidecar(&self, place: usize) -> ProxyId {
        ProxyId::from_index(usize::from(self.gateways) + place)
    }

    /// The ztunnel of a node.
    #[must_use]
    pub fn ztunnel(&self, node: u32) -> ProxyId {
        ProxyId::from_index(usize::from(self.gateways) + node as usize)
    }

    /// The waypoint of a service, if it has one.
    #[must_use]
    pub fn waypoint(&self, service: ServiceId) -> Option<ProxyId> {
        self.waypoints[service]
    }

    /// A pod's sidecar stands on another site from now on.
    pub fn stands_on(&mut self, proxy: ProxyId, site: SiteId) {
        self.rows[proxy].site = site;
    }

    /// All proxies have this configuration from now on.
    pub fn configure(&mut self, configuration: ConfigurationId) {
        self.configuration = configuration;
        for id in self.rows.ids() {
            self.rows[id].configuration = configuration;
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
    }

    /// Something passes through a worker, which needs `service` for it: when it comes out.
    #[inline]
    pub fn pass(&mut self, proxy: ProxyId, worker: u16, now: SimTime, service: SimDuration) -> SimTime {
        let it = &self.rows[proxy];
        debug_assert!(worker < it.workers, "a worker of this proxy");
        let free_at = &mut self.free_at[it.first_worker as usize + usize::from(worker)];
        *free_at = now.max(*free_at).saturating_add(service);
        *free_at
    }

    /// A proxy has used CPU time (ns).
    #[inline]
    pub fn use_cpu(&mut self, proxy: ProxyId, nanos: f64) {
        self.rows[proxy].cpu_used += nanos;
    }
}

impl Proxy {
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

/// What a pass costs with the features that are on. Without a mesh the gateway has none.
fn with_features(description: &Description, cost: ProxyCost) -> ProxyCost {
    let mesh = &description.mesh;
    let in_mesh = mesh.data_plane != DataPlane::None;
    let cost = if in_mesh && mesh.mtls { cost.with(mesh.mtls_cost) } else { cost };
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
            configuration: ConfigurationId(0),
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
