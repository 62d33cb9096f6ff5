//! One direction of a link between two clusters.
//!
//! # Models
//! A transmitter that sends at the link's rate (`link_state`), first in first out, then a delay: a floor and a
//! random part. Nobody schedules an event for the transmitter: messages enter in the order of
//! events, so each leaves at max(now, when the last one left) + its size over the rate.
//!
//! # Assumptions
//! - The random part is exponential and drawn per message; it may let a message overtake another
//!   one of another connection, as packets of different connections do.
//! - The queue has no bound and drops nothing. Effect: an overloaded link delays where a real one
//!   would drop and make TCP slow down. What a link loses at random is `tcp`'s business: segments that
//!   are sent again take no room on it.

use crate::draws::Purpose;
use crate::draws::draw;
use meshsim_core::random::{Address, exponential};
use meshsim_core::{SimDuration, SimTime};

/// The transmitter of one direction.
#[derive(Clone, Debug, Default)]
pub struct Link {
    free_at: SimTime,
    busy: SimDuration,
    bytes: u64,
}

/// What became of a message that entered a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmission {
    /// When its first bit left.
    pub begins: SimTime,
    /// When its last bit left.
    pub ends: SimTime,
}

impl Link {
    /// `wire_bytes` enter the queue now, for a link of this rate (bit/s).
    pub fn transmit(&mut self, now: SimTime, wire_bytes: u32, bits_per_second: f64) -> Transmission {
        let begins = now.max(self.free_at);
        let duration = serialization(f64::from(wire_bytes), bits_per_second);
        self.free_at = begins.saturating_add(duration);
        self.busy = self.busy.saturating_add(duration);
        self.bytes += u64::from(wire_bytes);
        Transmission { begins, ends: self.free_at }
    }

    /// For how long it has sent until `now`, if nothing more enters before.
    #[must_use]
    pub fn busy_until(&self, now: SimTime) -> SimDuration {
        // What waits is sent without a break.
        self.busy.saturating_sub(self.free_at.saturating_since(now))
    }

    /// What has entered its queue so far (bytes).
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// How long it takes to put `wire_bytes` on a wire of this rate.
#[must_use]
pub fn serialization(wire_bytes: f64, bits_per_second: f64) -> SimDuration {
    SimDuration::from_secs_f64(wire_bytes * 8.0 / bits_per_second)
}

/// The random part of the delay of the message at `address`; `purpose` tells its direction.
#[must_use]
pub fn jitter(mean: SimDuration, address: Address, purpose: Purpose) -> SimDuration {
    if mean == SimDuration::ZERO {
        return SimDuration::ZERO;
    }
    SimDuration::from_nanos_f64(exponential(&mut draw(address, purpose), mean.as_nanos() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_queue_first_in_first_out() {
        let (mut link, byte_per_ns) = (Link::default(), 8e9);
        let at = SimTime::from_nanos;
        assert_eq!(link.transmit(at(0), 100, byte_per_ns), Transmission { begins: at(0), ends: at(100) });
        assert_eq!(link.transmit(at(40), 100, byte_per_ns), Transmission { begins: at(100), ends: at(200) });
        // It never counts what is still to be sent.
        assert_eq!([150, 300].map(|now| link.busy_until(at(now)).as_nanos()), [150, 200]);
        assert_eq!(link.transmit(at(500), 10, byte_per_ns), Transmission { begins: at(500), ends: at(510) });
        assert_eq!([505, 900].map(|now| link.busy_until(at(now)).as_nanos()), [205, 210]);
        assert_eq!(link.bytes(), 210);
    }
}
