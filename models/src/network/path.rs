//! The way between two endpoints of a connection: inside a cluster, over links, or from a user.

use meshsim_core::SimDuration;

/// What TCP and HTTP see of the network between two ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// Round trip without queueing and without the random part.
    pub round_trip: SimDuration,
    /// One way, the same.
    pub one_way: SimDuration,
    /// Rate of the slowest link.
    pub bits_per_second: f64,
    /// The largest IP packet (bytes).
    pub mtu: u32,
    /// What a tunnel adds to each packet (bytes).
    pub tunnel_overhead: u32,
}

/// IPv4 and TCP headers, and the TCP time stamps that Linux always sends (bytes).
const IP_AND_TCP_HEADERS: u32 = 20 + 20;
const TCP_TIME_STAMPS: u32 = 12;

/// Both, of each segment (bytes).
pub(crate) const SEGMENT_HEADERS: u32 = IP_AND_TCP_HEADERS + TCP_TIME_STAMPS;

/// HTTP header of a request through Envoy (bytes): request line, host, `x-request-id`, trace and
/// forwarding headers. Measured on the testbed.
pub const REQUEST_HEADER: u32 = 400;

/// HTTP header of a response through Envoy (bytes). Measured on the testbed: 200 to 250.
pub const RESPONSE_HEADER: u32 = 250;

/// A TLS 1.3 record carries up to 16 kB and costs this much more (bytes): 5 of header, 16 of tag,
/// 1 of content type.
const TLS_RECORD: u32 = 16_384;
const TLS_RECORD_OVERHEAD: u32 = 22;

impl Path {
    /// Payload of a full segment (bytes): 1448 at an MTU of 1500, 1288 at Liqo's 1340.
    #[must_use]
    pub const fn segment_bytes(&self) -> u32 {
        self.mtu - SEGMENT_HEADERS
    }

    /// Segments of a message, at least one.
    #[must_use]
    pub fn segments(&self, stream_bytes: u32) -> u32 {
        stream_bytes.div_ceil(self.segment_bytes()).max(1)
    }

    /// Bytes on the wire of a message of this many segments.
    #[must_use]
    pub fn wire_bytes(&self, stream_bytes: u32, segments: u32) -> u32 {
        let per_segment = SEGMENT_HEADERS + self.tunnel_overhead;
        stream_bytes.saturating_add(segments.saturating_mul(per_segment))
    }
}

/// An IPv4 and a UDP header (bytes).
const IP_AND_UDP_HEADERS: u32 = 20 + 8;

impl Path {
    /// Packets of a message in datagrams, at least one.
    #[must_use]
    pub const fn packets(&self, bytes: u32) -> u32 {
        let packets = bytes.div_ceil(self.mtu - IP_AND_UDP_HEADERS);
        if packets == 0 { 1 } else { packets }
    }

    /// Bytes on the wire of a message of this many packets.
    #[must_use]
    pub const fn packet_bytes(&self, bytes: u32, packets: u32) -> u32 {
        let per_packet = IP_AND_UDP_HEADERS + self.tunnel_overhead;
        bytes.saturating_add(packets.saturating_mul(per_packet))
    }
}

/// Bytes that TCP carries for a message of `header` and `body` bytes.
#[must_use]
pub fn stream_bytes(header: u32, body: u32, tls: bool) -> u32 {
    let plain = header.saturating_add(body);
    let records = if tls { plain.div_ceil(TLS_RECORD) } else { 0 };
    plain.saturating_add(records * TLS_RECORD_OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn liqo_s_segments_carry_1288_bytes() {
        let path = Path {
            round_trip: SimDuration::from_millis(160),
            one_way: SimDuration::from_millis(80),
            bits_per_second: 1e9,
            mtu: 1340,
            tunnel_overhead: 60,
        };
        assert_eq!(path.segment_bytes(), 1288);
        assert_eq!((path.segments(0), path.segments(1288), path.segments(1289)), (1, 1, 2));
        assert_eq!(path.wire_bytes(2000, 2), 2000 + 2 * 112);
        assert_eq!(stream_bytes(250, 20_000, true), 20_250 + 44);
    }
}
