//! The mTLS handshake of a connection, and that without certificates.
//!
//! # Models
//! TCP takes a round trip; TLS 1.3, where proxies prove who they are to each other, one more and work on both
//! sides. ztunnels carry connections as streams of a tunnel (HBONE), which itself is a connection with a
//! handshake: a stream of a tunnel that is there costs one round trip and no handshake.
//!
//! # Assumptions
//! Every connection is a full handshake; Envoy resumes sessions. Effect: new connections cost more CPU.
//!
//! # Source
//! RFC 8446, section 2; ztunnel `src/proxy/pool.rs`.

use meshsim_core::SimDuration;

/// What a connection costs until it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Round trips.
    pub round_trips: u64,
    /// Whether certificates are checked.
    pub checks: bool,
}

impl Handshake {
    /// Of a connection between two proxies, or two cells.
    #[must_use]
    pub const fn of_connection(encrypts: bool) -> Self {
        Self { round_trips: 1 + encrypts as u64, checks: encrypts }
    }

    /// Of a stream in a tunnel that is there, or that has to be made first.
    #[must_use]
    pub const fn of_stream(tunnel_is_there: bool, encrypts: bool) -> Self {
        if tunnel_is_there {
            return Self { round_trips: 1, checks: false };
        }
        let tunnel = Self::of_connection(encrypts);
        Self { round_trips: 1 + tunnel.round_trips, ..tunnel }
    }

    /// The time that both sides work, one after the other, where one side works for `each`. As CPU it is the
    /// same.
    #[must_use]
    pub fn work(self, each: SimDuration) -> SimDuration {
        if self.checks { each * 2 } else { SimDuration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_cost_a_round_trip_and_work_on_both_sides() {
        let each = SimDuration::from_micros(300);
        let costs = |it: Handshake| (it.round_trips, it.work(each).as_nanos() / 1_000);
        assert_eq!(costs(Handshake::of_connection(false)), (1, 0));
        assert_eq!(costs(Handshake::of_connection(true)), (2, 600));
        assert_eq!(costs(Handshake::of_stream(true, true)), (1, 0));
        assert_eq!(costs(Handshake::of_stream(false, true)), (3, 600));
        assert_eq!(costs(Handshake::of_stream(false, false)), (2, 0));
    }
}
