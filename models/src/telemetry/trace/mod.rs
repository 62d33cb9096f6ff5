//! The lives of chosen requests: everything that befell them, hop by hop, in the clusters where it did.
//!
//! # Models
//! Whoever acts for a chosen request says what its time is spent on from a moment on ([`Part`]), which rule was applied,
//! with its inputs ([`Rule`]), and what belongs to what. An entry belongs to a *lane*: the client's side of an attempt, its
//! server's, a group of calls of that server, the way back of the answer, or the user. Calls and attempts are told apart by
//! the addresses of their draws, which are the same wherever they are seen, so clusters keep their entries apart and
//! nothing crosses a link for it. Who speaks last of a lane is right about all time from the moment on that it speaks of:
//! so what was foreseen and did not come (a time-out, a pod that dies) is overruled by what did.
//!
//! [`life`] puts the entries of a request together, [`critical_path`] says what its latency was spent on.
//!
//! # Assumptions
//! - What passes a gateway between clusters, or is passed on by a cluster on its way, is on its way ([`Part::Way`]) from
//!   the last link's transmitter that the sender knows on.
//! - A message's rounds and lost segments are counted before its last way, whichever came first.
//!
//! # Source
//! Envoy's and Linux' rules are cited where they are kept; [`Rule::source`] names the page of each.

pub mod critical_path;
pub mod life;
mod part;
mod rule;

pub use part::{Kind, Part};
pub use rule::{LEVELS, Refused, Rule};

use super::work::RequestId;
use crate::envoy::proxies::ProxyKind;
use crate::ids::{ClusterId, EndpointId, PodId};
use crate::request::answer::Status;
use meshsim_core::random::Address;
use meshsim_core::{SimDuration, SimTime};

/// Whose time an entry speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The user's, by the address of the request.
    User,
    /// The client's side of an attempt, the request's way to its server included.
    Client,
    /// Its server's side.
    Server,
    /// A group of calls of that server's.
    Group(u16),
    /// The way of the answer.
    Back,
}

/// Something that is known of a lane from a moment on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// For which request.
    pub request: RequestId,
    /// The address of the attempt, or of the user's request.
    pub of: Address,
    /// Whose time it is.
    pub lane: Lane,
    /// From when on.
    pub from: SimTime,
    /// What.
    pub what: What,
}

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// The lane's time is spent on this from then on.
    Spends(Part),
    /// CPU work begins, which takes so much CPU time (ns), in a container that its quota had stopped for so long so far
    /// (ns). The lane's time is spent on it.
    Works {
        /// CPU time (ns).
        demand: f64,
        /// Time that the container was stopped so far (ns).
        throttled: u64,
    },
    /// It is over: so long was the container stopped by then (ns).
    HasWorked {
        /// Time that the container was stopped so far (ns).
        throttled: u64,
    },
    /// A rule was applied.
    Applies(Rule),
    /// A client has a request to send.
    Begins(CallHead),
    /// An attempt of the call at this address is sent to a pod.
    Attempts {
        /// The address of its first attempt.
        call: Address,
        /// Counted from 1.
        number: u8,
        /// Where it goes.
        pod: PodId,
    },
    /// The request leaves its client.
    IsSent,
    /// The request is at its pod.
    Arrives(PodId),
    /// The answer leaves the pod.
    Leaves(Status, u32),
    /// A call is made, of the lane's group or, to a mirror, of the client's.
    Calls(Address),
    /// The lane is over, with an answer where it is a client's.
    Ends(Option<(Status, u32)>),
}

/// What is known of a call when it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallHead {
    /// The pod that makes it, unless a user does.
    pub caller: Option<PodId>,
    /// What is called.
    pub endpoint: EndpointId,
    /// The proxy that sends it; the calling cell itself where there is none.
    pub proxy: Option<ProxyKind>,
    /// Whether it is a copy for a mirror, whose answer nobody waits for.
    pub is_copy: bool,
}

/// The entries of a cluster, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct TraceLog {
    entries: Vec<Entry>,
}

impl TraceLog {
    /// Adds one.
    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// All of them.
    #[must_use]
    pub(super) fn take(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// Memory that they take (bytes).
    #[must_use]
    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }
}

/// The lane of a request of which entries are made.
pub(crate) struct Tracer<'a> {
    log: &'a mut TraceLog,
    request: RequestId,
    of: Address,
    lane: Lane,
}

impl<'a> Tracer<'a> {
    pub(super) const fn new(log: &'a mut TraceLog, request: RequestId, of: Address, lane: Lane) -> Self {
        Self { log, request, of, lane }
    }

    /// Something is known from a moment on.
    pub(crate) fn say(&mut self, from: SimTime, what: What) -> &mut Self {
        self.log.push(Entry { request: self.request, of: self.of, lane: self.lane, from, what });
        self
    }

    /// The lane's time is spent on this from a moment on.
    pub(crate) fn spends(&mut self, from: SimTime, part: Part) -> &mut Self {
        self.say(from, What::Spends(part))
    }

    /// A rule is applied.
    pub(crate) fn applies(&mut self, at: SimTime, rule: Rule) -> &mut Self {
        self.say(at, What::Applies(rule))
    }
}

/// The moment that was so long before another one.
pub(crate) const fn earlier(moment: SimTime, by: SimDuration) -> SimTime {
    SimTime::from_nanos(moment.as_nanos().saturating_sub(by.as_nanos()))
}

/// What the clusters of a world have kept of the lives of its requests.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    /// By cluster.
    pub entries: Vec<(ClusterId, Vec<Entry>)>,
}
