//! One row per user request: the raw material of every latency that is reported.

use crate::call::record::{Answer, Status};
use crate::ids::PopulationId;
use meshsim_core::{SimDuration, SimTime, growing_bytes};

/// A user request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Whose request it is.
    pub population: PopulationId,
    /// The k-th of its population.
    pub number: u32,
    /// When the user sent it.
    pub arrival: SimTime,
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

/// The requests of a cluster's users, in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub struct RequestLog {
    rows: Vec<RequestRow>,
}

impl RequestLog {
    /// A log with room for `capacity` rows.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { rows: Vec::with_capacity(capacity) }
    }

    /// Memory that it takes, with what it takes next if it is nearly full (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        growing_bytes(self.rows.len(), self.rows.capacity(), size_of::<RequestRow>())
    }

    /// Rows for which there is room.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.rows.capacity()
    }

    /// A user sends a request; tells its row.
    pub fn arrive(&mut self, population: PopulationId, number: u64, arrival: SimTime) -> u32 {
        self.rows.push(RequestRow { population, number: number as u32, arrival, end: None });
        (self.rows.len() - 1) as u32
    }

    /// The last byte of an answer reaches its user at `at`.
    pub fn complete(&mut self, row: u32, at: SimTime, answer: &Answer) {
        let row = &mut self.rows[row as usize];
        row.end = Some(RequestEnd { latency: at - row.arrival, status: answer.status });
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> &[RequestRow] {
        &self.rows
    }

    /// When a request arrived.
    #[must_use]
    pub fn arrival(&self, row: u32) -> SimTime {
        self.rows[row as usize].arrival
    }

    /// The number of a request in its population.
    #[must_use]
    pub fn number(&self, row: u32) -> u32 {
        self.rows[row as usize].number
    }
}
