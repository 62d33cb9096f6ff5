//! The lives of chosen requests of a replication: a run that finds them, and one in which they are followed.
//!
//! # Models
//! A run is the same however often it is made. So requests are chosen by what became of them in a first run, in which
//! nothing is kept but their rows, and followed in a second one, which ends when the last of them has. No other run pays for it.

use super::Watch;
use super::leg::Leg;
use super::memory::Share;
use super::threads::UnderWay;
use super::user_requests::RequestSink;
use crate::resolve::Resolved;
use meshsim_core::{RunControl, RunEnd, SimDuration, SimTime};
use meshsim_models::draws::Draws;
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::telemetry::trace::life::{Life, lives};
use meshsim_models::telemetry::work::{RequestId, Work};
use meshsim_models::world::World;

/// Stretches of a run, after each of which it is looked whether all that is followed has ended.
const STRETCHES: u64 = 200;

/// All user requests of a replication, in the order of arrival. Nothing if it was told to stop before the end.
#[must_use]
pub fn requests(resolved: &Resolved, replication: u32, watch: &Watch<'_>) -> Option<Vec<RequestRow>> {
    let mut rows = Rows(Vec::new());
    Leg::begins(resolved, replication, false).finishes(watch, &mut rows)?;
    rows.0.sort_unstable_by_key(RequestRow::order);
    Some(rows.0)
}

/// The lives of these requests of a replication, in the order of arrival. Nothing if it was told to stop before the end.
#[must_use]
pub fn follow(
    resolved: &Resolved,
    replication: u32,
    mut chosen: Vec<RequestId>,
    watch: &Watch<'_>,
) -> Option<Vec<Life>> {
    chosen.sort_unstable();
    chosen.dedup();
    let description = &resolved.description;
    let mut world = World::tracing(description, replication, chosen.clone());
    let (end, run, mut share) = (world.end(), UnderWay::begin(), Share::default());
    let stretch = SimDuration::from_nanos(end.as_nanos().div_ceil(STRETCHES).max(1));
    let is_chosen = |row: &RequestRow| chosen.binary_search(&row.id()).is_ok();
    let mut rows: Vec<RequestRow> = Vec::new();
    let mut now = SimTime::ZERO;
    while now < end && rows.len() < chosen.len() {
        let before = now;
        now = end.min(now.saturating_add(stretch));
        let mut control = RunControl::until(now).cancelled_by(watch.cancel).on_threads(run.threads());
        let outcome = world.run(&mut control);
        let (open, all) = world.open_and_all_requests();
        if outcome == RunEnd::Cancelled || watch.is_cancelled() || !share.hold(world.bytes(), open, all) {
            return None;
        }
        world.take_requests(|row| rows.extend(is_chosen(row).then_some(*row)));
        (watch.progress)((now - before).as_secs_f64());
    }
    (watch.progress)((end - now).as_secs_f64());
    let traces = world.take_traces();
    if rows.len() < chosen.len() {
        rows.extend(world.finish().requests.into_iter().filter(is_chosen));
    }
    rows.sort_unstable_by_key(RequestRow::order);
    let draws = Draws::new(description.seed, replication);
    Some(lives(&traces, &rows, |id| draws.request(id.population, u64::from(id.number))))
}

/// Rows that are kept.
struct Rows(Vec<RequestRow>);

impl RequestSink for Rows {
    fn add(&mut self, row: &RequestRow, _: Option<&Work>) {
        self.0.push(*row);
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<RequestRow>()
    }
}
