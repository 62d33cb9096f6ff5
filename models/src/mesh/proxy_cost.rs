//! What passing through a proxy takes.
//!
//! # Models
//! Per direction a log-normal time on the proxy's worker, and for responses a part per kB. CPU is
//! accounted for apart from it, because much of it (logging, timers, wake-ups) is off the path.
//!
//! # Assumptions
//! - The time per kB is added to the response's pass, though a real proxy streams: it begins to
//!   send before it has received everything. Effect: the same at light load; under load, a worker
//!   is blocked for longer stretches.
//!
//! # Source
//! Istio's performance page; measured on Envoy 1.40 (access logs and CPU accounting).

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

/// The same, ready to be drawn from.
#[derive(Clone, Debug)]
pub struct ProxyPass {
    request: LogNormal,
    response: LogNormal,
    cost: ProxyCost,
    side: Side,
}

/// On whose side of a call a proxy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A gateway, or the sidecar of the calling pod.
    Client,
    /// The sidecar of the called pod.
    Server,
}

impl ProxyPass {
    /// Prepares the laws.
    #[must_use]
    pub fn new(cost: ProxyCost, side: Side) -> Self {
        let law = |mean: SimDuration| LogNormal::new(mean.as_nanos() as f64, cost.spread);
        Self { request: law(cost.request), response: law(cost.response), cost, side }
    }

    /// How long the request at `address` takes.
    #[must_use]
    pub fn request(&self, address: Address) -> SimDuration {
        let purpose = match self.side {
            Side::Client => Purpose::ClientProxyRequest,
            Side::Server => Purpose::ServerProxyRequest,
        };
        SimDuration::from_nanos_f64(self.request.sample(&mut draw(address, purpose)))
    }

    /// How long the response at `address` takes.
    #[must_use]
    pub fn response(&self, address: Address, body: u32) -> SimDuration {
        let purpose = match self.side {
            Side::Client => Purpose::ClientProxyResponse,
            Side::Server => Purpose::ServerProxyResponse,
        };
        let fixed = self.response.sample(&mut draw(address, purpose));
        let size = f64::from(body) / 1000.0 * self.cost.response_per_kb.as_nanos() as f64;
        SimDuration::from_nanos_f64(fixed + size)
    }

    /// CPU time of a request with its response (ns).
    #[must_use]
    pub fn cpu(&self, body: u32) -> f64 {
        let per_kb = self.cost.cpu_per_kb.as_nanos() as f64;
        self.cost.cpu.as_nanos() as f64 + f64::from(body) / 1000.0 * per_kb
    }
}
