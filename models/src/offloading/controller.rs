//! When the offloading controller acts.
//!
//! # Models
//! It looks at the mean delay of an edge's users and at a quantile of it, and at the autoscalers. While nothing is wrong
//! it looks every `sync_period`. A delay outside the thresholds raises an alarm; an alarm that lasts for about the
//! `stabilization_window` ends in an action, after which it waits for as long. While an autoscaler changes a size it waits.
//!
//! # Assumptions
//! - It asks and acts in no time: only its sleeps last.
//!
//! # Source
//! mSvcBench/muPlacer `GMA.py` (`Camping`, `HPA_Running`, `Offload_Alarm`, `Unoffload_Alarm`, `Offloading`,
//! `Unoffloading`, `update_and_check_HPA`).

#[cfg(test)]
mod tests;

use meshsim_core::SimDuration;
use serde::{Deserialize, Serialize};

/// An alarm looks so often, whatever else is configured.
const ALARM_PERIOD: SimDuration = SimDuration::from_secs(30);

/// What is configured. Defaults are those of the file that is shipped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControllerSettings {
    /// Between looks while nothing is wrong.
    pub sync_period: SimDuration,
    /// How long an alarm lasts, and how long it waits after an action.
    pub stabilization_window: SimDuration,
    /// Above this mean delay services come to the edge (ms).
    pub offload_mean_ms: f64,
    /// Below this one they go back (ms).
    pub unoffload_mean_ms: f64,
    /// Likewise of the quantile (ms).
    pub offload_quantile_ms: f64,
    /// Likewise of the quantile (ms).
    pub unoffload_quantile_ms: f64,
    /// An action asks for no more (ms).
    pub most_decrease_ms: f64,
    /// An action asks for no more (ms).
    pub most_increase_ms: f64,
    /// Whether it is the original: it acts though the alarm has cleared just before, and takes what nobody can tell
    /// (no traffic, no API server) for calm. Else it does not act then, and waits.
    pub compat: bool,
}

impl Default for ControllerSettings {
    fn default() -> Self {
        Self {
            sync_period: SimDuration::from_secs(30),
            stabilization_window: SimDuration::from_secs(120),
            offload_mean_ms: 250.0,
            unoffload_mean_ms: 150.0,
            offload_quantile_ms: 1e6,
            unoffload_quantile_ms: 1e6,
            most_decrease_ms: 1000.0,
            most_increase_ms: 1000.0,
            compat: true,
        }
    }
}

/// What it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControllerState {
    /// Nothing is wrong.
    Camping,
    /// An autoscaler changes a size.
    HpaRunning,
    /// The delay is too long.
    OffloadAlarm,
    /// The delay is short enough to save.
    UnoffloadAlarm,
    /// It takes services to the edge.
    Offloading,
    /// It takes services back.
    Unoffloading,
}

impl ControllerState {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Camping => "camping",
            Self::HpaRunning => "HPA running",
            Self::OffloadAlarm => "offload alarm",
            Self::UnoffloadAlarm => "unoffload alarm",
            Self::Offloading => "offloading",
            Self::Unoffloading => "unoffloading",
        }
    }
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The edge that it steers.
    Edge,
    /// The cloud.
    Cloud,
}

/// What the status of an autoscaler says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaled {
    /// Of which service.
    pub service: usize,
    /// Pods that there are.
    pub current: u32,
    /// Pods that it wants.
    pub desired: u32,
}

/// The delays of an edge's users (ms).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delays {
    /// Their mean.
    pub mean: f64,
    /// The quantile that is looked at.
    pub quantile: f64,
}

/// An action: the mean delay that was measured and the one that is wanted (ms).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Action {
    /// Whether services come to the edge, or go back.
    pub offloads: bool,
    /// What was measured.
    pub measured: f64,
    /// What is wanted.
    pub target: f64,
}

/// What the controller sees and does.
pub trait Surroundings {
    /// The autoscalers of an area, if the API server answers.
    fn autoscalers(&mut self, area: Area) -> Option<Vec<Scaled>>;
    /// The delays as they are measured now, if anybody can tell.
    fn delays(&mut self) -> Option<Delays>;
    /// It enters a state.
    fn enters(&mut self, state: ControllerState);
    /// It acts: asks its strategy and applies the answer.
    fn acts(&mut self, action: Action);
}

/// The controller of an edge.
#[derive(Clone, Debug)]
pub struct Controller {
    settings: ControllerSettings,
    state: ControllerState,
    /// Looks of this alarm so far.
    looks: u64,
    /// Sizes that an autoscaler may choose, by area and service.
    bounds: [Vec<(u32, u32)>; 2],
    /// By area and service: pods that its autoscaler has told last; 0 if it tells none.
    current: [Vec<u32>; 2],
    /// Likewise, of the last autoscaler that there was.
    previous: [Vec<u32>; 2],
}

impl Controller {
    /// It has seen nothing yet. `bounds` are the least and most pods of each service at the edge and in the cloud.
    #[must_use]
    pub fn new(settings: ControllerSettings, bounds: [Vec<(u32, u32)>; 2]) -> Self {
        let none = [vec![0; bounds[0].len()], vec![0; bounds[1].len()]];
        let state = ControllerState::Camping;
        Self { settings, state, looks: 0, bounds, current: none.clone(), previous: none }
    }

    /// It is told something else; what it is doing goes on.
    pub const fn adopt(&mut self, settings: ControllerSettings) {
        self.settings = settings;
    }

    /// What it is doing.
    #[must_use]
    pub const fn state(&self) -> ControllerState {
        self.state
    }

    /// Pods of each service in an area, as its autoscalers said last.
    #[must_use]
    pub fn replicas(&self, area: Area) -> &[u32] {
        &self.current[area as usize]
    }

    /// It wakes up, looks and acts, until it sleeps: for how long.
    pub fn wake(&mut self, around: &mut impl Surroundings) -> SimDuration {
        loop {
            let sleeps = match self.state {
                ControllerState::Camping => self.camp(around),
                ControllerState::HpaRunning => self.wait_for_autoscalers(around),
                ControllerState::OffloadAlarm | ControllerState::UnoffloadAlarm => self.alarm(around),
                ControllerState::Offloading | ControllerState::Unoffloading => Some(self.act(around)),
            };
            if let Some(sleeps) = sleeps {
                return sleeps;
            }
        }
    }

    fn enter(&mut self, state: ControllerState) -> Option<SimDuration> {
        self.state = state;
        self.looks = 0;
        None
    }

    fn camp(&mut self, around: &mut impl Surroundings) -> Option<SimDuration> {
        around.enters(ControllerState::Camping);
        if let Some(waits) = self.waits_for_autoscalers(around) {
            return Some(waits);
        }
        let at_edge = &self.current[Area::Edge as usize];
        let stays = Some(self.settings.sync_period);
        let Some(delays) = around.delays() else { return stays };
        if self.is_long(delays) {
            let is_full = at_edge.iter().all(|&pods| pods > 0);
            return if is_full { stays } else { self.enter(ControllerState::OffloadAlarm) };
        }
        let is_empty = at_edge.iter().all(|&pods| pods == 0);
        if self.is_short(delays) && !is_empty { self.enter(ControllerState::UnoffloadAlarm) } else { stays }
    }

    /// It has slept because of the autoscalers.
    fn wait_for_autoscalers(&mut self, around: &mut impl Surroundings) -> Option<SimDuration> {
        self.waits_for_autoscalers(around).or_else(|| self.enter(ControllerState::Camping))
    }

    /// While an autoscaler changes a size it waits: for how long.
    fn waits_for_autoscalers(&mut self, around: &mut impl Surroundings) -> Option<SimDuration> {
        if !self.autoscalers_run(around) {
            return None;
        }
        around.enters(ControllerState::HpaRunning);
        self.enter(ControllerState::HpaRunning);
        Some(self.settings.stabilization_window)
    }

    fn is_long(&self, delays: Delays) -> bool {
        delays.mean > self.settings.offload_mean_ms || delays.quantile > self.settings.offload_quantile_ms
    }

    fn is_short(&self, delays: Delays) -> bool {
        delays.mean < self.settings.unoffload_mean_ms && delays.quantile < self.settings.unoffload_quantile_ms
    }

    /// Whether what has raised an alarm is still so.
    fn lasts(&self, offloads: bool, delays: Delays) -> bool {
        if offloads { self.is_long(delays) } else { self.is_short(delays) }
    }

    fn alarm(&mut self, around: &mut impl Surroundings) -> Option<SimDuration> {
        let settings = self.settings;
        let offloads = self.state == ControllerState::OffloadAlarm;
        if self.looks == 0 {
            around.enters(self.state);
        }
        let most = settings.stabilization_window.as_nanos().div_ceil(ALARM_PERIOD.as_nanos());
        if self.looks == most {
            let acts = if offloads { ControllerState::Offloading } else { ControllerState::Unoffloading };
            return self.enter(acts);
        }
        if let Some(waits) = self.waits_for_autoscalers(around) {
            return Some(waits);
        }
        if !around.delays().is_some_and(|delays| self.lasts(offloads, delays)) {
            return self.enter(ControllerState::Camping);
        }
        self.looks += 1;
        Some(ALARM_PERIOD)
    }

    fn act(&mut self, around: &mut impl Surroundings) -> SimDuration {
        let offloads = self.state == ControllerState::Offloading;
        around.enters(self.state);
        let delays = around.delays();
        // The original does not look again.
        let cancels = |delays: &Delays| !self.settings.compat && !self.lasts(offloads, *delays);
        let Some(delays) = delays.filter(|it| !cancels(it)) else {
            self.enter(ControllerState::Camping);
            return self.settings.sync_period;
        };
        let target = if offloads { self.target_of_offload(delays) } else { self.target_of_return(delays) };
        around.acts(Action { offloads, measured: delays.mean, target });
        self.enter(ControllerState::Camping);
        self.settings.stabilization_window
    }

    /// The middle between the thresholds; by the quantile, the mean is to move as much as that must.
    fn target_of_offload(&self, Delays { mean, quantile }: Delays) -> f64 {
        let settings = &self.settings;
        let wanted = if mean > settings.offload_mean_ms {
            middle(settings.unoffload_mean_ms, settings.offload_mean_ms)
        } else {
            let wanted = middle(settings.unoffload_quantile_ms, settings.offload_quantile_ms);
            (mean - (quantile - wanted)).max(0.0)
        };
        wanted.max(mean - settings.most_decrease_ms)
    }

    fn target_of_return(&self, Delays { mean, quantile }: Delays) -> f64 {
        let settings = &self.settings;
        let wanted = if mean < settings.unoffload_mean_ms {
            middle(settings.unoffload_mean_ms, settings.offload_mean_ms)
        } else {
            let wanted = middle(settings.unoffload_quantile_ms, settings.offload_quantile_ms);
            mean + (wanted - quantile).max(0.0)
        };
        wanted.min(mean + settings.most_increase_ms)
    }

    /// Whether an autoscaler changes a size, or has. If the API server does not answer, the original knows of none.
    fn autoscalers_run(&mut self, around: &mut impl Surroundings) -> bool {
        let mut run = false;
        for area in [Area::Edge, Area::Cloud] {
            let Some(listed) = around.autoscalers(area) else { return !self.settings.compat };
            let (current, previous) = (&mut self.current[area as usize], &mut self.previous[area as usize]);
            current.fill(0);
            for it in listed {
                current[it.service] = it.current;
                let (least, most) = self.bounds[area as usize][it.service];
                let wants = it.desired != it.current && (least..=most).contains(&it.desired);
                let before = std::mem::replace(&mut previous[it.service], it.current);
                run |= wants || (before != it.current && before > 0);
            }
        }
        run
    }
}

fn middle(low: f64, high: f64) -> f64 {
    low + (high - low) / 2.0
}
