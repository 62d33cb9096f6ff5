//! A run to a moment, from which others go on: the world is cloned there.
//!
//! # Models
//! Until the fork all strategies are the baseline's world, with the same requests before and after it. A strategy that says the
//! same as the baseline is the run without a fork, to the byte.

use super::Watch;
use super::leg::Leg;
use super::user_requests::RequestSink;
use crate::resolve::Resolved;
use meshsim_core::SimTime;
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::telemetry::work::Work;
use meshsim_models::world::World;

/// A run at the moment of a fork, and what had ended before.
pub(super) struct Trunk {
    leg: Leg,
    at: SimTime,
    rows: Rows,
}

impl Trunk {
    /// Runs a replication of a strategy to a moment. Nothing if it was told to stop.
    pub(super) fn grows(
        resolved: &Resolved,
        (replication, at): (u32, SimTime),
        keeps_work: bool,
        watch: &Watch<'_>,
    ) -> Option<Self> {
        let (mut leg, mut rows) = (Leg::begins(resolved, replication, keeps_work), Rows::default());
        leg.reaches(at, watch, &mut rows)?;
        Some(Self { leg, at, rows })
    }

    /// Goes on as a strategy says; `sink` hears of what had ended before.
    pub(super) fn branch(&self, resolved: &Resolved, sink: &mut impl RequestSink) -> Leg {
        self.rows.0.iter().for_each(|(row, work)| sink.add(row, work.as_ref()));
        self.leg.forks(&resolved.description, self.at)
    }

    /// The world of a strategy as it is at the fork, and when that is.
    pub(super) fn world(&self, resolved: &Resolved) -> (World, SimTime) {
        (self.leg.world(&resolved.description), self.at)
    }
}

/// Keeps what has ended.
#[derive(Default)]
struct Rows(Vec<(RequestRow, Option<Work>)>);

impl RequestSink for Rows {
    fn add(&mut self, row: &RequestRow, work: Option<&Work>) {
        self.0.push((*row, work.copied()));
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(RequestRow, Option<Work>)>()
    }
}
