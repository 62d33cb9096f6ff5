//! When what happens in the runs of a drill.

use meshsim_core::{SimDuration, SimTime};

/// When what happens in the runs of a drill.
#[derive(Clone, Copy, Debug)]
pub struct DrillTimes {
    /// The failure begins.
    pub begins: SimTime,
    /// It ends.
    pub ends: SimTime,
    /// The run is over.
    pub over: SimTime,
    /// A request that takes longer has failed.
    pub patience: SimDuration,
}

impl DrillTimes {
    /// Whether the failure holds.
    #[must_use]
    pub fn holds(&self, now: SimTime) -> bool {
        self.begins <= now && now < self.ends
    }
}
