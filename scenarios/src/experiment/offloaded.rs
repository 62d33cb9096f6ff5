//! What the edges of offloading controllers came to.
//!
//! # Models
//! From scrape to scrape a cluster samples what its users have seen and what there is to be paid (`control/offloading_scrapes`):
//! the truth, whatever a controller sees of it. A threshold is exceeded while the mean delay of a scrape is above it.

use meshsim_core::{SimTime, Table};
use meshsim_models::ids::ClusterId;
use meshsim_models::offloading::settings::PlacerSettings;
use meshsim_models::telemetry::control_log::{ControlLog, OffloadingDecision, OffloadingSample};
use meshsim_models::world::description::Description;
use serde::{Deserialize, Serialize};

/// What an edge came to over some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EdgeFigures {
    /// Simulated time (s).
    pub seconds: f64,
    /// Mean delay of what was answered well (ms); no number if nothing was.
    pub mean_ms: f64,
    /// Share of the requests that failed.
    pub failed: f64,
    /// Cost of an hour.
    pub cost_per_hour: f64,
    /// Share of the time in which the mean delay of a scrape was above the threshold.
    pub above: f64,
    /// Decisions to take services to the edge, to take some back, and those without an answer.
    pub decisions: [u32; 3],
    /// Of those with an answer: so many changed what the edge has.
    pub moves: u32,
}

/// The reported time of every steered edge, in the order of the description.
pub(super) fn steered_edges(
    description: &Description,
    control: &Table<ClusterId, ControlLog>,
) -> Vec<EdgeFigures> {
    let (from, to) = (SimTime::ZERO + description.warm_up, description.end());
    let edges = description.offloading.iter().flat_map(|it| &it.controllers);
    let logs: Vec<&ControlLog> = control.iter().collect();
    edges.map(|edge| edge_figures(&logs, edge, from, to)).collect()
}

/// What an edge came to from one moment to another, by what all clusters have logged.
#[must_use]
pub fn edge_figures(logs: &[&ControlLog], edge: &PlacerSettings, from: SimTime, to: SimTime) -> EdgeFigures {
    let within = |it: &&OffloadingSample| it.edge == edge.edge && it.at > from && it.at <= to;
    let samples = || logs.iter().flat_map(|log| &log.offloading_samples).filter(within);
    let sum = |of: fn(&OffloadingSample) -> f64| samples().map(of).sum::<f64>();
    let (seconds, ok, failed) = (sum(|it| it.seconds), sum(|it| it.ok), sum(|it| it.failed));
    let is_above =
        |it: &&OffloadingSample| it.ok > 0.0 && it.delays_ms / it.ok > edge.controller.offload_mean_ms;
    let above: f64 = samples().filter(is_above).map(|it| it.seconds).sum();
    let count = |is: fn(&OffloadingDecision) -> bool| {
        let of_edge = decisions(logs.iter().copied(), edge.edge).filter(|it| it.at >= from && it.at <= to);
        of_edge.filter(|it| is(it)).count() as u32
    };
    EdgeFigures {
        seconds,
        mean_ms: sum(|it| it.delays_ms) / ok,
        failed: failed / (ok + failed),
        cost_per_hour: sum(|it| it.cost) / seconds * 3_600.0,
        above: above / seconds,
        decisions: [
            count(|it| it.after.is_ok() && it.offloads),
            count(|it| it.after.is_ok() && !it.offloads),
            count(|it| it.after.is_err()),
        ],
        moves: count(|it| it.after.as_ref().is_ok_and(|after| *after != it.before)),
    }
}

/// The decisions of an edge's controller, in the order of time.
pub fn decisions<'a>(
    logs: impl Iterator<Item = &'a ControlLog>,
    edge: ClusterId,
) -> impl Iterator<Item = &'a OffloadingDecision> {
    logs.flat_map(|log| &log.offloading).filter(move |it| it.edge == edge)
}
