//! What the owners of a cluster's state hand to each other.
//!
//! # Models
//! An owner that has something for another puts it here; `handle` passes it on when the owner has returned, in
//! the order in which it was put. So no owner ever sees another. What is large is handed over by its handle: the
//! owner tells the rest when it is passed on, which is before anything else happens.

use super::inbound::call::Call;
use super::message::{GivenUp, Reset};
use super::news::{News, Push, ShadowNews};
use super::outbound::hop::{Hop, Origin};
use crate::ids::{ClusterId, PodId};
use crate::request::answer::Answer;
use meshsim_core::Handle;

/// Something for another owner.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handed {
    /// A cell makes a call, in this step of this group of its own: from `inbound` to `outbound`.
    Call {
        /// The calling call.
        call: Handle<Call>,
        /// Its group.
        group: u16,
        /// The step of the group.
        step: u16,
    },
    /// An attempt is sent to its pod: from `outbound` over `network` to `inbound`.
    Request(Handle<Hop>),
    /// A client has given up an attempt that it has sent: likewise.
    GivenUp(GivenUp),
    /// The answer to an attempt: from `inbound` over `network` to `outbound`.
    Response(Handle<Call>),
    /// The connection of an attempt was lost: likewise.
    Reset(Reset),
    /// The control planes of the other clusters learn what the API server here tells: from `control` over `network`.
    News {
        /// What it tells.
        news: News,
        /// Whose; absent: all others.
        to: Option<ClusterId>,
    },
    /// istiod sends the proxies of a cluster what it has learned: from `control`, over `network` if they are elsewhere,
    /// to `outbound` and `inbound`.
    Push {
        /// To those of this cluster.
        to: ClusterId,
        /// What it sends.
        push: Push,
        /// Its size on the wire (bytes).
        wire_bytes: u32,
    },
    /// The other side of a peering is told of an offloaded pod: from `control` over `network`.
    Shadow {
        /// Who is told.
        to: ClusterId,
        /// What.
        news: ShadowNews,
    },
    /// Scrapes and spans go to the cluster in which observability stands: from `control` over `network`.
    Telemetry {
        /// Which.
        to: ClusterId,
        /// Their size on the wire (bytes).
        wire_bytes: u32,
    },
    /// An offloading controller, or what it steers, tells another cluster something: from `control` over `network`.
    Offloading {
        /// Whom.
        to: ClusterId,
        /// Its number among what `control` has for others.
        number: u32,
    },
    /// A pod of the cluster was made in a new slot: from `control` to `inbound` and `outbound`.
    PodMade(PodId),
    /// A request is over: from `outbound` to whoever made it.
    Answered(Answered),
}

/// The end of a request for whoever made it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    /// Who made it.
    pub(crate) origin: Origin,
    /// What came of it.
    pub(crate) answer: Answer,
}

const _: () = assert!(size_of::<Handed>() <= 40);
