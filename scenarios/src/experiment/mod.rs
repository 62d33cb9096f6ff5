//! Experiments: lists of independent cells (strategy, parameters, replication) that run in parallel
//! and are combined in their order, so that the number of threads never changes a byte.

pub mod application_cpu;
pub mod axes;
pub mod break_even;
pub mod cell;
pub mod compare;
pub mod controls;
pub mod costs;
pub mod decide;
pub mod estimate;
pub mod fork;
pub mod groups;
mod leg;
pub mod lives;
pub mod memory;
pub mod objective;
pub mod offloaded;
pub mod over_draws;
pub mod plan;
pub mod precision;
pub mod regret;
pub mod replication;
pub mod settling;
pub mod store;
pub mod sweep;
mod threads;
mod trunk;
pub mod user_requests;
pub mod user_series;
pub mod warm_up;
pub mod workloads;

use meshsim_core::SimTime;
use meshsim_models::world::description::Description;
use std::sync::atomic::{AtomicBool, Ordering};

/// A stretch of a run: its first moment, and the first after it.
pub type Stretch = (SimTime, SimTime);

/// What is reported of a description.
fn stretch_of(description: &Description) -> Stretch {
    (SimTime::ZERO + description.warm_up, description.end())
}

/// How an experiment is watched and stopped.
pub struct Watch<'a> {
    /// Set to stop: what is finished is kept.
    pub cancel: &'a AtomicBool,
    /// Hears of every stretch of simulated time that is done (s).
    pub progress: &'a (dyn Fn(f64) + Sync),
}

/// What is never set.
static NEVER: AtomicBool = AtomicBool::new(false);

impl Default for Watch<'_> {
    /// Nobody watches, and nobody stops it.
    fn default() -> Self {
        Self { cancel: &NEVER, progress: &|_| {} }
    }
}

impl Watch<'_> {
    /// Whether the experiment was told to stop, or is short of memory.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed) || memory::is_short()
    }
}
