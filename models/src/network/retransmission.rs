//! TCP that is answered by nothing: when it sends again, and when it gives up.
//!
//! # Models
//! A segment without an acknowledgement is sent again after a retransmission time-out (on a steady path the
//! round trip and 200 ms), then after twice as long, and so on, at most 120 s apart. The first time-out at
//! which 924.6 s have passed (15 retransmissions from 200 ms) ends the connection. A SYN is sent again after
//! 1, 3, 7, 15, 31 and 63 s; after 127 s there is no connection. So whoever is cut off and comes back is
//! reached at the next of these moments, which may be as long after as the cut has lasted, or two minutes.
//!
//! # Assumptions
//! - Time-outs are not jittered by earlier round trips, and a tail loss probe, which asks once more after two
//!   round trips, changes nothing but the first of many moments: it is left out.
//! - Kernels from 6.5 on send the first SYNs a second apart (`tcp_syn_linear_timeouts`, 131 s in all).
//!
//! # Source
//! RFC 6298; Linux `Documentation/networking/ip-sysctl.rst` (`tcp_retries2` 15, `tcp_syn_retries` 6),
//! `net/ipv4/tcp_timer.c` (`tcp_model_timeout`: `TCP_RTO_MIN` 200 ms, `TCP_RTO_MAX` 120 s).

use super::path::Path;
use super::tcp::RTO_MARGIN;
use meshsim_core::{SimDuration, SimTime};

/// Linux never waits longer than this before it sends again.
const RTO_MAX: SimDuration = SimDuration::from_secs(120);

/// From when on a time-out ends a connection: 15 retransmissions, the first after 200 ms.
pub const CONNECTION_LIMIT: SimDuration = SimDuration::from_millis(924_600);

/// A SYN's first time-out (RFC 6298).
const SYN_TIMEOUT: SimDuration = SimDuration::from_secs(1);

/// When a connection that nothing answers is given up: six further SYNs.
pub const SYN_LIMIT: SimDuration = SimDuration::from_secs(127);

/// What becomes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// What is sent at this moment gets through.
    Passes(SimTime),
    /// Nothing does; TCP gives up at this moment.
    Lost(SimTime),
}

impl Fate {
    /// When what is sent gets through.
    ///
    /// # Errors
    /// When TCP gives up.
    pub const fn passes(self) -> Result<SimTime, SimTime> {
        match self {
            Self::Passes(at) => Ok(at),
            Self::Lost(at) => Err(at),
        }
    }

    /// When it is decided.
    #[must_use]
    pub const fn at(self) -> SimTime {
        match self {
            Self::Passes(at) | Self::Lost(at) => at,
        }
    }
}

/// A segment of an established connection is sent at `first`; `is_lost` tells of a moment whether what is sent
/// then is lost.
#[must_use]
pub fn of_segment(first: SimTime, path: &Path, is_lost: impl Fn(SimTime) -> bool) -> Fate {
    until_it_passes(first, path.round_trip + RTO_MARGIN, CONNECTION_LIMIT, is_lost)
}

/// A connection is asked for at `first`.
#[must_use]
pub fn of_syn(first: SimTime, is_lost: impl Fn(SimTime) -> bool) -> Fate {
    until_it_passes(first, SYN_TIMEOUT, SYN_LIMIT, is_lost)
}

fn until_it_passes(
    first: SimTime,
    mut timeout: SimDuration,
    limit: SimDuration,
    is_lost: impl Fn(SimTime) -> bool,
) -> Fate {
    let mut at = first;
    while is_lost(at) {
        at = at.saturating_add(timeout);
        timeout = (timeout * 2).min(RTO_MAX);
        if at.saturating_since(first) >= limit {
            return Fate::Lost(at);
        }
    }
    Fate::Passes(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: fn(SimTime, u64, u64) -> Fate = |first, round_trip_ms, until_ms| {
        let round_trip = SimDuration::from_millis(round_trip_ms);
        let path =
            Path { round_trip, one_way: round_trip / 2, bits_per_second: 1e9, mtu: 1500, tunnel_overhead: 0 };
        of_segment(first, &path, |at| at < after(until_ms))
    };

    fn after(ms: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_millis(ms)
    }

    #[test]
    fn linux_gives_up_after_15_retransmissions() {
        let moments: Vec<u64> = (0..16)
            .scan((0, 200), |(at, timeout), _| {
                let now = *at;
                *at += *timeout;
                *timeout = (*timeout * 2).min(120_000);
                Some(now)
            })
            .collect();
        assert_eq!(moments[1..4], [200, 600, 1_400]);
        for (earlier, later) in moments.iter().zip(&moments[1..]) {
            assert_eq!(SEGMENT(SimTime::ZERO, 0, earlier + 1), Fate::Passes(after(*later)));
        }
        assert_eq!(SEGMENT(SimTime::ZERO, 0, u64::MAX / 2_000_000), Fate::Lost(after(924_600)));
        // From a longer round trip on fewer times, and for longer: 11 from 360 ms end at 1023.96 s.
        assert_eq!(SEGMENT(SimTime::ZERO, 160, u64::MAX / 2_000_000), Fate::Lost(after(1_023_960)));
    }

    #[test]
    fn a_syn_is_sent_seven_times() {
        let of = |until: u64| of_syn(after(500), |at| at < after(500 + until * 1_000));
        let passes = [0, 1, 2, 8, 32, 63].map(|until| of(until).at());
        assert_eq!(passes, [0, 1, 3, 15, 63, 63].map(|seconds| after(500 + seconds * 1_000)));
        assert_eq!(of(64), Fate::Lost(after(127_500)));
    }
}
