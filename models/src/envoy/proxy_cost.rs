//! What passing through a proxy takes.
//!
//! # Models
//! Per direction a log-normal time on the proxy's worker, and for responses a part per kB. CPU is
//! accounted for apart from it, because much of it (logging, timers, wake-ups) is off the path.
//! Encryption and telemetry add to both while they are on. Memory grows with what a proxy is told:
//! services and endpoints.
//!
//! # Assumptions
//! - The time per kB is added to the response's pass, though a real proxy streams: it begins to
//!   send before it has received everything. Effect: the same at light load; under load, a worker
//!   is blocked for longer stretches.
//!
//! # Source
//! Istio's performance page; measured on Envoy 1.40 (access logs and CPU accounting). Telemetry: Istio's
//! benchmarks of 2020 (istio/tools, `benchmark.csv`: the stats filter adds 66 to 78 us of CPU per
//! request). Memory: envoyproxy/envoy#15231 (44 kB per cluster, 250 B per further host), #7525 (1.3
//! kB per host), and 60 MB for Istio's 1,000 services and 2,000 pods.

use crate::draws::{Purpose, draw};
use meshsim_core::SimDuration;
use meshsim_core::random::{Address, LogNormal};

/// The calibration of one kind of pass (gateway, outbound or inbound sidecar).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProxyCost {
    /// Mean time that a request takes.
    pub request: SimDuration,
    /// Mean time that a response takes, beside its size.
    pub response: SimDuration,
    /// Time per kB of a response's body.
    pub response_per_kb: SimDuration,
    /// Coefficient of variation of both times.
    pub spread: f64,
    /// CPU time per request, both directions.
    pub cpu: SimDuration,
    /// CPU time per kB of body.
    pub cpu_per_kb: SimDuration,
}

/// What a feature adds to every pass while it is on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExtraCost {
    /// Time per direction.
    pub time: SimDuration,
    /// CPU time per request, both directions.
    pub cpu: SimDuration,
    /// CPU time per kB of body.
    pub cpu_per_kb: SimDuration,
}

/// What a proxy keeps in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProxyMemory {
    /// Without any configuration (bytes).
    pub base: f64,
    /// Per service that it is told of (bytes).
    pub per_service: f64,
    /// Per endpoint of those (bytes).
    pub per_endpoint: f64,
}

impl ProxyCost {
    /// With a feature on.
    #[must_use]
    pub fn with(self, extra: ExtraCost) -> Self {
        // Nothing is changed in place: rustc 1.95 takes the changed value for the one before, where that is used again.
        Self {
            request: self.request + extra.time,
            response: self.response + extra.time,
            cpu: self.cpu + extra.cpu,
            cpu_per_kb: self.cpu_per_kb + extra.cpu_per_kb,
            ..self
        }
    }
}

impl ProxyMemory {
    /// Of a proxy that is told of so much (bytes).
    #[must_use]
    pub fn of(&self, services: usize, endpoints: usize) -> f64 {
        self.base + services as f64 * self.per_service + endpoints as f64 * self.per_endpoint
    }
}

/// The same, ready to be drawn from.
#[derive(Clone, Debug)]
pub struct ProxyPass {
    request: LogNormal,
    response: LogNormal,
    /// Per kB of a response's body (ns).
    response_per_kb: f64,
    /// CPU time, and that per kB of body (ns).
    cpu: f64,
    cpu_per_kb: f64,
    side: Side,
}

/// On whose side of a call a proxy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A gateway, or the sidecar of the calling pod.
    Client,
    /// The sidecar of the called pod.
    Server,
    /// A gateway between their networks.
    Between,
}

impl ProxyPass {
    /// Prepares the laws.
    #[must_use]
    pub fn new(cost: ProxyCost, side: Side) -> Self {
        let law = |mean: SimDuration| LogNormal::new(mean.as_nanos() as f64, cost.spread);
        Self {
            request: law(cost.request),
            response: law(cost.response),
            response_per_kb: cost.response_per_kb.as_nanos() as f64,
            cpu: cost.cpu.as_nanos() as f64,
            cpu_per_kb: cost.cpu_per_kb.as_nanos() as f64,
            side,
        }
    }

    /// How long the request at `address` takes.
    #[must_use]
    pub fn request(&self, address: Address) -> SimDuration {
        let mut draw = match self.side {
            Side::Client => draw(address, Purpose::ClientProxyRequest),
            Side::Server => draw(address, Purpose::ServerProxyRequest),
            Side::Between => draw(address, Purpose::GatewayRequest),
        };
        SimDuration::from_nanos_f64(self.request.sample(&mut draw))
    }

    /// How long the response at `address` takes.
    #[must_use]
    pub fn response(&self, address: Address, body: u32) -> SimDuration {
        let mut draw = match self.side {
            Side::Client => draw(address, Purpose::ClientProxyResponse),
            Side::Server => draw(address, Purpose::ServerProxyResponse),
            Side::Between => draw(address, Purpose::GatewayResponse),
        };
        let fixed = self.response.sample(&mut draw);
        SimDuration::from_nanos_f64(fixed + f64::from(body) / 1000.0 * self.response_per_kb)
    }

    /// CPU time of a request with its response (ns).
    #[must_use]
    pub fn cpu(&self, body: u32) -> f64 {
        self.cpu + f64::from(body) / 1000.0 * self.cpu_per_kb
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_add_up() {
        let us = SimDuration::from_micros;
        let plain = ProxyCost {
            request: us(60),
            response: us(60),
            response_per_kb: us(1),
            spread: 0.0,
            cpu: us(100),
            cpu_per_kb: us(2),
        };
        let extra = ExtraCost { time: us(20), cpu: us(35), cpu_per_kb: us(1) };
        let pass = ProxyPass::new(plain.with(extra), Side::Client);
        let address = Address::root(1, 0);
        assert_eq!(pass.request(address), us(80));
        assert_eq!(pass.response(address, 10_000), us(90));
        assert!((pass.cpu(10_000) - 165_000.0).abs() < 1e-6);
    }

    #[test]
    fn a_thousand_services_take_istios_sixty_megabytes() {
        let memory = ProxyMemory { base: 15e6, per_service: 44e3, per_endpoint: 1e3 };
        assert!((memory.of(1_000, 2_000) / 1e6 - 61.0).abs() < 1e-9);
    }
}
