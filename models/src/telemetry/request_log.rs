//! One row per user request that has ended: the raw material of every latency that is reported.
//!
//! # Models
//! Rows wait here until they are taken (`World::take_requests`): whoever takes them while a run goes on needs no
//! memory for those that are over.

use super::work::RequestId;
use crate::ids::{EndpointId, PopulationId};
use crate::request::answer::Status;
use crate::users::open_request::OpenRequest;
use meshsim_core::{SimDuration, SimTime, growing_bytes};

/// A user request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Whose request it is.
    pub population: PopulationId,
    /// The k-th of its population.
    pub number: u32,
    /// What it is a request for.
    pub endpoint: EndpointId,
    /// When the user sent it.
    pub arrival: SimTime,
    /// How often the user has sent it.
    pub attempts: u8,
    /// What became of it; nothing while it is in flight.
    pub end: Option<RequestEnd>,
}

/// How a user request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestEnd {
    /// From sending to the last byte of the answer.
    pub latency: SimDuration,
    /// 200 or why not.
    pub status: Status,
}

impl RequestRow {
    /// A request in flight.
    #[must_use]
    pub const fn open(request: &OpenRequest) -> Self {
        let OpenRequest { population, number, endpoint, sent, attempts, .. } = *request;
        Self { population, number, endpoint, arrival: sent, attempts, end: None }
    }

    /// Which request it is.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        RequestId { population: self.population, number: self.number }
    }

    /// Its rank among all requests: by arrival, then by population and number.
    #[must_use]
    pub const fn order(&self) -> (SimTime, PopulationId, u32) {
        (self.arrival, self.population, self.number)
    }
}

/// The requests of a cluster's users that have ended and were not taken, in the order in which that was known.
#[derive(Clone, Debug, Default)]
pub struct RequestLog {
    sent: u64,
    ended: u64,
    rows: Vec<RequestRow>,
}

impl RequestLog {
    /// Memory that it takes, with what it takes next if it is nearly full (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        growing_bytes(self.rows.len(), self.rows.capacity(), size_of::<RequestRow>())
    }

    /// A user sends a request.
    pub fn send(&mut self) {
        self.sent += 1;
    }

    /// A request ends: the last byte of an answer reaches its user, or the user gives up, at `at`.
    pub fn end(&mut self, request: &OpenRequest, at: SimTime, status: Status) {
        self.ended += 1;
        let end = Some(RequestEnd { latency: at - request.sent, status });
        self.rows.push(RequestRow { end, ..RequestRow::open(request) });
    }

    /// Requests sent so far.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Requests that have ended so far.
    #[must_use]
    pub const fn ended(&self) -> u64 {
        self.ended
    }

    /// Those that have ended and were not taken.
    #[must_use]
    pub fn rows(&self) -> &[RequestRow] {
        &self.rows
    }

    /// Takes them; the room for them stays.
    pub fn take(&mut self) -> impl Iterator<Item = RequestRow> {
        self.rows.drain(..)
    }
}
