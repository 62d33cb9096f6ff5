//! Istio's standard metrics of TCP, as each proxy counts them.
//!
//! # Models
//! Bytes that a proxy has received from its client and sent to it, and connections that it has opened upstream: of sidecars for
//! services that speak TCP, and in ambient mode of ztunnels for all calls that have no waypoint.
//!
//! # Assumptions
//! - Bytes are counted when a call is over, where Istio counts them every five seconds.
//! - `istio_tcp_connections_closed_total` is not counted, and connections opened by the client's proxy alone.
//!
//! # Source
//! istio/proxy, `istio_stats.cc` (`reportHelper`); istio/ztunnel, `src/proxy/metrics.rs` (the same names, by its own connections).

/// What a proxy has counted of streams that it does not tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounts {
    /// Connections that it has opened.
    pub opened: u64,
    /// Bytes from its clients.
    pub received: u64,
    /// Bytes to its clients.
    pub sent: u64,
}

impl StreamCounts {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        self.received += other.received;
        self.sent += other.sent;
    }
}
