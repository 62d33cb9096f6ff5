//! What a container's CPU works on.

use super::inbound::call::Call;
use meshsim_core::Handle;

/// A piece of CPU work.
#[derive(Clone, Copy, Debug)]
pub enum Job {
    /// A part of a call.
    Call {
        /// Which call.
        call: Handle<Call>,
        /// Which part.
        stage: Stage,
    },
    /// The start of the application (`kubernetes/settings`, `StartWork`), by the slot of its pod.
    Start(u32),
}

/// The parts of a call's CPU work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the request to the external services; up to the sleep if there is one.
    Internal,
    /// The body, after a sleep.
    Body,
    /// The client's side of an external call.
    Calling {
        /// The group.
        group: u16,
        /// The step.
        step: u16,
    },
    /// Writing the response.
    Response,
}
