//! Bytes that pass an interface: a pod's (cAdvisor's `container_network_*`), or the tunnel of a gateway (Liqo's `liqo_peer_*`).
//!
//! # Models
//! Requests, answers and datagrams with their TCP or UDP and IP headers. A pod's interface counts those of a call that it answers
//! when its answer is ready, those of a call that it makes when that is over, with the requests of all attempts.
//! A tunnel also has what control planes tell each other, and the headers of the tunnel itself.
//!
//! # Assumptions
//! - Counters of pods lag by the calls under way; answers that are errors count nothing at their clients.
//! - Handshakes, acknowledgements, resets and what is sent a second time are not counted, nor Ethernet's headers. Effect: a small
//!   call has some 200 bytes more each way, a new connection with mTLS 5 kB.
//! - Gateways and control planes are no pods of which cAdvisor tells here.

/// In which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Received.
    In,
    /// Transmitted.
    Out,
}

/// What has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Received (bytes).
    pub received: u64,
    /// Transmitted (bytes).
    pub transmitted: u64,
}

impl Carried {
    pub(super) fn count(&mut self, way: Way, bytes: u32) {
        let sum = match way {
            Way::In => &mut self.received,
            Way::Out => &mut self.transmitted,
        };
        *sum += u64::from(bytes);
    }
}
