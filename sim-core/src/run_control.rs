//! When a run stops, who is told how far it is, and on how many threads it runs.

use crate::time::SimTime;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Everything before the end was handled.
    ReachedEnd,
    /// It was told to stop before.
    Cancelled,
}

/// The end of a run, a flag that stops it earlier, a hook that hears of progress, and how many threads may run it.
pub struct RunControl<'a> {
    end: SimTime,
    cancel: Option<&'a AtomicBool>,
    progress: Option<&'a mut dyn FnMut(SimTime)>,
    threads: usize,
    least_events_per_round: u64,
}

/// Where fewer events make a round, handing it over to other threads takes longer than it saves.
const LEAST_EVENTS_PER_ROUND: u64 = 1_000;

impl<'a> RunControl<'a> {
    /// Runs until just before `end`.
    #[must_use]
    pub const fn until(end: SimTime) -> Self {
        Self { end, cancel: None, progress: None, threads: 1, least_events_per_round: LEAST_EVENTS_PER_ROUND }
    }

    /// Stops early once `cancel` is set. It is looked at every few thousand events.
    #[must_use]
    pub const fn cancelled_by(mut self, cancel: &'a AtomicBool) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// Calls `progress` with the simulated time reached, now and then and at the end.
    #[must_use]
    pub fn reporting_to(mut self, progress: &'a mut dyn FnMut(SimTime)) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Runs the processes on up to so many threads of the current rayon pool, of which this is one, while rounds are
    /// worth it. No result depends on it.
    #[must_use]
    pub const fn on_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// A round is worth several threads from so many events in the mean on (1,000 unless it is
    /// said); of 0 every round is.
    #[must_use]
    pub const fn from_events_per_round(mut self, least: u64) -> Self {
        self.least_events_per_round = least;
        self
    }

    pub(crate) const fn threads(&self) -> usize {
        self.threads
    }

    pub(crate) const fn least_events_per_round(&self) -> u64 {
        self.least_events_per_round
    }

    pub(crate) const fn end(&self) -> SimTime {
        self.end
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    pub(crate) fn report(&mut self, now: SimTime) {
        if let Some(progress) = &mut self.progress {
            progress(now);
        }
    }
}
