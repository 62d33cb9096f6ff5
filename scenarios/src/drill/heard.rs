//! What users get in a run of a drill, in windows of a second by the requests' arrivals.

use super::times::DrillTimes;
use meshsim_core::stats::{Histogram, Resolution};
use meshsim_core::{Id, SimDuration, SimTime};
use meshsim_models::telemetry::request_log::RequestRow;
use serde::{Deserialize, Serialize};

/// Length of the windows in which disturbances are looked for.
pub(super) const WINDOW: SimDuration = SimDuration::from_secs(1);

/// A share of failures that is a disturbance.
const DISTURBED: f64 = 0.01;

/// How much longer the mean latency may be where all is as before.
const AS_BEFORE: f64 = 1.1;

/// What users got in a run, reduced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Heard {
    /// By population and window.
    windows: Vec<Vec<Window>>,
    /// Latencies of good answers to requests that arrived during the failure (ns).
    latencies: Histogram,
}

/// What became of the requests that arrived in a second.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Window {
    offered: u32,
    failed: u32,
    /// Of good answers (ns).
    latency: u64,
}

/// The window in which a moment is.
pub(super) const fn window_of(at: SimTime) -> usize {
    (at.as_nanos() / WINDOW.as_nanos()) as usize
}

impl Heard {
    pub(super) fn new(populations: usize) -> Self {
        Self { windows: vec![Vec::new(); populations], latencies: Histogram::new(Resolution::PerMille) }
    }

    /// A request has ended, or was in flight at the end.
    pub(super) fn add(&mut self, row: &RequestRow, times: &DrillTimes) {
        let number = window_of(row.arrival);
        let windows = &mut self.windows[row.population.index()];
        if windows.len() <= number {
            windows.resize(number + 1, Window::default());
        }
        let window = &mut windows[number];
        window.offered += 1;
        match row.end.filter(|end| end.status.is_ok() && end.latency <= times.patience) {
            Some(end) => {
                window.latency += end.latency.as_nanos();
                if times.holds(row.arrival) {
                    self.latencies.record(end.latency.as_nanos());
                }
            }
            None => window.failed += 1,
        }
    }

    /// The share of the requests of a population, or of all, that arrived in a span and failed.
    pub(super) fn failing(&self, population: Option<usize>, from: SimTime, to: SimTime) -> f64 {
        let of = self.windows.iter().enumerate();
        let of = of.filter(|(number, _)| population.is_none_or(|it| it == *number));
        let span = window_of(from)..window_of(to);
        of.flat_map(|(_, windows)| windows.iter().take(span.end).skip(span.start))
            .copied()
            .sum::<Window>()
            .share()
    }

    /// All populations' window of a number.
    pub(super) fn window(&self, number: usize) -> Window {
        self.windows.iter().filter_map(|it| it.get(number)).copied().sum()
    }

    /// 95 % of the good answers to requests that arrived during the failure took no longer (ms).
    pub(super) fn p95_ms(&self) -> f64 {
        self.latencies.quantile(0.95).map_or(f64::NAN, |nanos| nanos as f64 / 1e6)
    }
}

impl std::iter::Sum for Window {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, it| Self {
            offered: sum.offered + it.offered,
            failed: sum.failed + it.failed,
            latency: sum.latency + it.latency,
        })
    }
}

impl Window {
    fn share(self) -> f64 {
        f64::from(self.failed) / f64::from(self.offered.max(1))
    }

    fn mean(self) -> f64 {
        self.latency as f64 / f64::from((self.offered - self.failed).max(1))
    }

    /// Whether more fail than undisturbed.
    pub(super) fn fails(self, undisturbed: Self) -> bool {
        // Users who wait send nothing.
        if self.offered == 0 && undisturbed.offered > 0 {
            return true;
        }
        self.share() >= undisturbed.share() + DISTURBED
    }

    /// Whether users get less than they get undisturbed.
    pub(super) fn is_worse(self, undisturbed: Self) -> bool {
        // The mean of a window of few requests is rough.
        self.fails(undisturbed) || self.mean() > undisturbed.mean() * AS_BEFORE + 5e6
    }
}
