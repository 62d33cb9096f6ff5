//! What the owners of a cluster's state hand to each other.
//!
//! # Models
//! An owner that has something for another puts it here; `handle` passes it on when the owner has returned, in
//! the order in which it was put. So no owner ever sees another.

use super::changed_views::EndpointNews;
use super::message::{GivenUp, Request, Reset, Response};
use super::outbound::hop::{NewRequest, Origin};
use crate::ids::PodId;
use crate::request::answer::Answer;

/// Something for another owner.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handed {
    /// A user or a cell makes a request: from `users` or `inbound` to `outbound`.
    NewRequest(NewRequest),
    /// An attempt is sent to its pod: from `outbound` over `network` to `inbound`.
    Request(Request),
    /// A client has given up an attempt that it has sent: likewise.
    GivenUp(GivenUp),
    /// The answer to an attempt: from `inbound` over `network` to `outbound`.
    Response(Response),
    /// The connection of an attempt was lost: likewise.
    Reset(Reset),
    /// The proxies of all clusters are to be told of an endpoint: from `control` to `outbound`, and over
    /// `network` to the others.
    EndpointNews {
        /// The endpoint.
        pod: PodId,
        /// What is new.
        news: EndpointNews,
    },
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
