//! Links that swallow packets, are down, or are worse than they should be, for a while.
//!
//! # Models
//! - *Blackhole*: nothing comes over the link, and nothing is refused: what crosses it waits, as at a pod that
//!   swallows packets (`cluster/outbound/blackhole`). No other way is taken instead. What control planes tell each
//!   other waits too, so proxies keep what they knew; it comes when TCP's next try passes, or at the end of the fault
//!   if TCP has given up before.
//! - *Down*: the same, but routers say so (ICMP, network unreachable): whoever asks for a new connection knows at
//!   once that there is none. Connections that are there wait as at a blackhole, for TCP takes such news for passing.
//! - *Degraded*: the delay is longer, segments are lost, or the rate is less (as by `tc netem delay, loss, rate`).
//!
//! Each may hold one way only. Of several at a time delays add up, each loses its share of the segments, and the
//! least rate counts.
//!
//! # Assumptions
//! - A way over several links is cut as a whole from the moment at which one of them is: what is on its way on the
//!   others arrives.
//! - Where one way only is cut, what comes over the other is not answered for: a request that arrives is served, and
//!   its answer waits.
//! - What is on the wire when a link's delay or rate changes keeps those with which it left.
//!
//! # Source
//! RFC 1122, section 4.2.3.9 (an ICMP destination unreachable is a soft error for an established connection, and ends
//! the attempt to make one).

use crate::ids::ClusterId;
use meshsim_core::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};

/// Something wrong with a link, in plain values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkFault {
    /// The link, by its number in the description.
    pub link: u32,
    /// Only what goes to this end of it; absent: both ways.
    pub toward: Option<ClusterId>,
    /// What is wrong.
    pub kind: LinkFaultKind,
    /// When it begins, from the start of the run, warm-up included.
    pub begins: SimTime,
    /// When it ends; absent: never.
    pub ends: Option<SimTime>,
}

/// What is wrong with a link.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum LinkFaultKind {
    /// It swallows packets.
    Blackhole,
    /// It swallows packets, and new connections are refused at once.
    Down,
    /// It is worse than it should be.
    Degraded(Degradation),
}

/// How much worse a link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Degradation {
    /// One way, in addition to its own.
    pub delay: SimDuration,
    /// Probability that a segment is lost, beside its own (0 to 1).
    pub loss: f64,
    /// Its rate, if its own is not less (bit/s); absent: its own.
    pub bits_per_second: Option<f64>,
}

impl LinkFault {
    /// When it ends; never is [`SimTime::MAX`].
    #[must_use]
    pub fn ends_at(&self) -> SimTime {
        self.ends.unwrap_or(SimTime::MAX)
    }

    /// Whether it stops packets.
    #[must_use]
    pub const fn cuts(&self) -> bool {
        matches!(self.kind, LinkFaultKind::Blackhole | LinkFaultKind::Down)
    }
}
