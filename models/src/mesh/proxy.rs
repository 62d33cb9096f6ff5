//! An Envoy: an ingress gateway or a sidecar.
//!
//! # Models
//! A proxy has worker threads; a connection belongs to one of them, and what passes through a
//! worker queues first in first out for its time. The proxy keeps, per service that it has called,
//! the active requests and the connection pools of each endpoint; nothing for the others.

use super::load_balancer::LoadBalancer;
use crate::ids::{PodId, PoolId};
use meshsim_core::random::Draw;
use meshsim_core::{SimDuration, SimTime};

/// A proxy's state.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// When each worker is done with what it has.
    free_at: Vec<SimTime>,
    /// By service; made at the first call.
    pub upstreams: Vec<Option<Box<Upstream>>>,
}

/// What a proxy keeps of a service that it calls.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// By priority level, then by worker.
    balancers: Vec<Vec<LoadBalancer>>,
    /// Endpoints that were called, sorted by pod.
    hosts: Vec<Host>,
}

/// What a proxy keeps of an endpoint that it calls.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The endpoint.
    pub pod: PodId,
    /// Requests on their way, over all workers.
    pub active: u32,
    /// The pool of worker 0; those of the other workers follow.
    pub pools: PoolId,
}

impl Proxy {
    /// A proxy with `workers` threads that may call `services` services.
    #[must_use]
    pub fn new(workers: u16, services: usize) -> Self {
        Self { free_at: vec![SimTime::ZERO; usize::from(workers)], upstreams: vec![None; services] }
    }

    /// Worker threads.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.free_at.len()
    }

    /// Something passes through `worker`, which needs `service` for it: when it comes out.
    pub fn pass(&mut self, worker: u16, now: SimTime, service: SimDuration) -> SimTime {
        let free_at = &mut self.free_at[usize::from(worker)];
        *free_at = now.max(*free_at).saturating_add(service);
        *free_at
    }
}

impl Upstream {
    /// Nothing called yet; per priority level, a balancer for each worker.
    #[must_use]
    pub const fn new(balancers: Vec<Vec<LoadBalancer>>) -> Self {
        Self { balancers, hosts: Vec::new() }
    }

    /// A worker picks one of the pods of a priority level (at least one).
    pub fn pick(&mut self, worker: u16, level: usize, pods: &[PodId], draw: &mut Draw) -> PodId {
        let Self { balancers, hosts } = self;
        let active = |place: usize| active(hosts, pods[place]);
        // All endpoints have a load balancing weight of 1.
        pods[balancers[level][usize::from(worker)].pick(pods.len(), |_| 1.0, active, draw)]
    }

    /// This proxy's active requests to a pod.
    #[must_use]
    pub fn active(&self, pod: PodId) -> u32 {
        active(&self.hosts, pod)
    }

    /// The state of an endpoint, made by `pools` at its first call.
    pub fn host_or_insert(&mut self, pod: PodId, pools: impl FnOnce() -> PoolId) -> &mut Host {
        match self.hosts.binary_search_by_key(&pod, |host| host.pod) {
            Ok(at) => &mut self.hosts[at],
            Err(at) => {
                self.hosts.insert(at, Host { pod, active: 0, pools: pools() });
                &mut self.hosts[at]
            }
        }
    }

    /// A request to the pod has ended.
    ///
    /// # Panics
    /// If none was active.
    pub fn ended(&mut self, pod: PodId) {
        let at = self.hosts.binary_search_by_key(&pod, |host| host.pod).expect("it was called");
        let active = &mut self.hosts[at].active;
        *active = active.checked_sub(1).expect("active requests never go below zero");
    }

    /// Active requests to all endpoints.
    #[must_use]
    pub fn total_active(&self) -> u32 {
        self.hosts.iter().map(|host| host.active).sum()
    }
}

fn active(hosts: &[Host], pod: PodId) -> u32 {
    hosts.binary_search_by_key(&pod, |host| host.pod).map_or(0, |at| hosts[at].active)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_passes_one_thing_after_the_other() {
        let mut proxy = Proxy::new(2, 1);
        let (at, us) = (|us: u64| SimTime::from_nanos(us * 1_000), SimDuration::from_micros);
        assert_eq!(proxy.pass(0, at(0), us(100)), at(100));
        assert_eq!(proxy.pass(0, at(50), us(100)), at(200));
        assert_eq!(proxy.pass(1, at(50), us(100)), at(150));
    }

    #[test]
    fn active_requests_are_counted_per_endpoint() {
        let mut upstream = Upstream::new(Vec::new());
        upstream.host_or_insert(PodId(7), || PoolId(0)).active += 2;
        upstream.host_or_insert(PodId(3), || PoolId(2)).active += 1;
        upstream.ended(PodId(7));
        assert_eq!([3, 5, 7].map(|pod| upstream.active(PodId(pod))), [1, 0, 1]);
        assert_eq!(upstream.total_active(), 2);
    }
}
