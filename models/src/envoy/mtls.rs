//! The mTLS handshake of a connection, and that without certificates.
//!
//! # Models
//! TCP takes a round trip; TLS 1.3, where proxies prove who they are to each other, one more and work on both
//! sides. ztunnels carry connections as streams of a tunnel (HBONE), which itself is a connection with a
//! handshake: a stream of a tunnel that is there costs one round trip and no handshake.
//! On the wire it is what RFC 9293 and RFC 8446 send: SYN, SYN-ACK and ACK; a hello, then a chain of certificates, a
//! proof and a Finished from both sides; a CONNECT and its answer for a stream.
//!
//! # Assumptions
//! - Every connection is a full handshake; Envoy resumes sessions. Effect: new connections cost more CPU and bytes.
//! - Certificates are such as istiod signs by default: RSA of 2,048 bits with a SPIFFE name, and the root with them.
//!   With elliptic curves each side sends about 1 kB less; session tickets, which nobody uses here, would be 2.3 kB more.
//! - A CONNECT is as long as a request's header, its answer as long as an answer's.
//!
//! # Source
//! RFC 8446, section 2; ztunnel `src/proxy/pool.rs`. Bytes of TLS: counted by OpenSSL 3.0 (`s_client`, which prints them)
//! in a mutual handshake with such certificates over X25519, with Istio's SNI and ALPN. SYN: Linux, `tcp_output.c`.

use crate::network::path::{Path, REQUEST_HEADER, RESPONSE_HEADER, stream_bytes};
use meshsim_core::SimDuration;

/// TCP options of a SYN beyond the time stamps of every segment (bytes): MSS, SACK permitted, window scale.
const SYN_OPTIONS: u32 = 8;

/// TLS records of a client's hello, of the rest of what it sends, and of all that its server does (bytes).
const CLIENT_HELLO: u32 = 300;
const CLIENT_CERTIFIES: u32 = 2_066;
const SERVER_CERTIFIES: u32 = 2_343;

/// What a connection costs until it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Round trips.
    pub round_trips: u64,
    /// Whether certificates are checked.
    pub checks: bool,
    /// Whether a TCP connection is made.
    connects: bool,
    /// Whether a stream of a tunnel is opened.
    opens_stream: bool,
}

impl Handshake {
    /// Of a connection between two proxies, or two cells.
    #[must_use]
    pub const fn of_connection(encrypts: bool) -> Self {
        Self { round_trips: 1 + encrypts as u64, checks: encrypts, connects: true, opens_stream: false }
    }

    /// Of a stream in a tunnel that is there, or that has to be made first.
    #[must_use]
    pub const fn of_stream(tunnel_is_there: bool, encrypts: bool) -> Self {
        if tunnel_is_there {
            return Self { round_trips: 1, checks: false, connects: false, opens_stream: true };
        }
        let tunnel = Self::of_connection(encrypts);
        Self { round_trips: 1 + tunnel.round_trips, opens_stream: true, ..tunnel }
    }

    /// What it puts on the wire, to the server and back (bytes).
    #[must_use]
    pub fn wire_bytes(self, path: &Path) -> [u32; 2] {
        let sent = |stream| path.wire_bytes(stream, path.segments(stream));
        let parts = [
            (self.connects, [sent(SYN_OPTIONS) + sent(0), sent(SYN_OPTIONS)]),
            (self.checks, [sent(CLIENT_HELLO) + sent(CLIENT_CERTIFIES), sent(SERVER_CERTIFIES)]),
            (self.opens_stream, [REQUEST_HEADER, RESPONSE_HEADER].map(|it| sent(stream_bytes(it, 0, true)))),
        ];
        let made = parts.into_iter().filter(|(is_made, _)| *is_made).map(|(_, bytes)| bytes);
        made.fold([0; 2], |sum, it| [sum[0] + it[0], sum[1] + it[1]])
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

    #[test]
    fn a_handshake_is_bytes_in_segments() {
        let path = Path {
            round_trip: SimDuration::from_millis(160),
            one_way: SimDuration::from_millis(80),
            bits_per_second: 1e9,
            mtu: 1340,
            tunnel_overhead: 60,
        };
        // 112 bytes of headers a segment; SYN and ACK, then 300 bytes in one and 2066 in two; SYN, then 2343 in two.
        let tcp = [120 + 112, 120];
        let tls = [300 + 112 + 2_066 + 224, 2_343 + 224];
        let stream = [400 + 22 + 112, 250 + 22 + 112];
        let sum = |parts: &[[u32; 2]]| [0, 1].map(|side: usize| parts.iter().map(|it| it[side]).sum::<u32>());
        assert_eq!(Handshake::of_connection(false).wire_bytes(&path), tcp);
        assert_eq!(Handshake::of_connection(true).wire_bytes(&path), sum(&[tcp, tls]));
        assert_eq!(Handshake::of_stream(true, true).wire_bytes(&path), stream);
        assert_eq!(Handshake::of_stream(false, true).wire_bytes(&path), sum(&[tcp, tls, stream]));
    }
}
