//! An Envoy: an ingress gateway or a sidecar.
//!
//! # Models
//! A proxy has worker threads; a connection belongs to one of them, and what passes through a
//! worker queues first in first out for its time. What it keeps of an upstream is made at its first
//! call (`upstream`); nothing is kept of the others.

use super::upstream::Upstream;
use crate::world::endpoints::SiteId;
use meshsim_core::{SimDuration, SimTime};

/// A proxy's state.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// When each worker is done with what it has.
    free_at: Vec<SimTime>,
    /// Where it is.
    pub site: SiteId,
    /// CPU time used so far (ns).
    pub cpu_used: f64,
    /// By upstream; made at the first call.
    pub upstreams: Vec<Option<Box<Upstream>>>,
}

impl Proxy {
    /// A proxy with `workers` threads that may call `upstreams` upstreams.
    #[must_use]
    pub fn new(site: SiteId, workers: u16, upstreams: usize) -> Self {
        let free_at = vec![SimTime::ZERO; usize::from(workers)];
        Self { free_at, site, cpu_used: 0.0, upstreams: vec![None; upstreams] }
    }

    /// It starts anew and knows no upstream; the CPU time that was used stays counted.
    pub fn restart(&mut self, workers: u16, upstreams: usize) {
        *self = Self { cpu_used: self.cpu_used, ..Self::new(self.site, workers, upstreams) };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_passes_one_thing_after_the_other() {
        let mut proxy = Proxy::new(SiteId(0), 2, 1);
        let (at, us) = (|us: u64| SimTime::from_nanos(us * 1_000), SimDuration::from_micros);
        assert_eq!(proxy.pass(0, at(0), us(100)), at(100));
        assert_eq!(proxy.pass(0, at(50), us(100)), at(200));
        assert_eq!(proxy.pass(1, at(50), us(100)), at(150));
    }
}
