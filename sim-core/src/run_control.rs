//! When a run stops, and who is told how far it is.

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

/// The end of a run, a flag that stops it earlier, and a hook that hears of progress.
pub struct RunControl<'a> {
    end: SimTime,
    cancel: Option<&'a AtomicBool>,
    progress: Option<&'a mut dyn FnMut(SimTime)>,
}

impl<'a> RunControl<'a> {
    /// Runs until just before `end`.
    #[must_use]
    pub const fn until(end: SimTime) -> Self {
        Self { end, cancel: None, progress: None }
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
