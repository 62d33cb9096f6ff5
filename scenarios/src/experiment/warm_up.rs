//! Where the warm-up of each strategy ends.
//!
//! # Models
//! What is written as `run.warm_up` is what is cut. With `"auto"`, or where nothing is written, a few pilot
//! replications say where a strategy settles: MSER-5 over the slices of the run, each averaged over the pilots,
//! of three series: the mean latency of the requests that arrive in a slice, the share of them that fails, and
//! the requests in flight. The latest of the three cuts holds. A series of too few requests cuts nothing, and
//! one that goes on moving until its second half neither: that it has not settled is warned of.
//! The pilots are not among the replications that are reported: what these happen to show never
//! decides what is left of them (a rule that looks at the data it then averages cuts runs that begin high, and
//! keeps those that begin low).
//! Where faults, changes, autoscalers, moves or the load make one part of the run differ from another, under any
//! of the strategies that are run together, `"auto"` cuts nothing under any of them.
//!
//! # Source
//! Welch, The statistical analysis of simulation results, 1983 (averages over replications);
//! `meshsim_core::stats::mser5`.

use super::Watch;
use super::replication::{Keep, run_cell};
use crate::resolve::Resolved;
use meshsim_core::stats::mser5;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::world::Record;
use rayon::prelude::*;
use serde::Serialize;

/// Pilot replications: enough for an average that is smooth, few enough to cost little.
const PILOTS: u32 = 5;

/// The number of the first pilot: no reported replication has one as high.
const FIRST_PILOT: u32 = 100_000;

/// Slices of a series.
const SLICES: usize = 200;

/// A slice needs so many requests, over all replications, to say something.
const REQUESTS_MIN: u32 = 10;

/// A run needs so many failures, and successes, over all replications, for their shares to say something.
const FAILURES_MIN: u32 = 50;

/// What is cut from each replication of a strategy, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WarmUp {
    /// How much (s).
    pub seconds: f64,
    /// Why so much.
    pub rule: Rule,
    /// What makes one part of the run differ from another, where nothing is cut because of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<&'static str>,
}

/// Why a warm-up is as long as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It is written in the scenario.
    Written,
    /// The pilots settled there.
    Settled,
    /// Nothing is cut: the run is not meant to settle.
    Varies,
}

/// Strategies whose warm-ups are known, with what is to be said of these. Nothing if it was told to stop.
#[must_use]
pub fn settle(strategies: &[Resolved], watch: &Watch<'_>) -> Option<Vec<(Resolved, WarmUp)>> {
    let because = what_varies(strategies);
    let one = |resolved: &Resolved| {
        if !resolved.auto_warm_up {
            let seconds = resolved.description.warm_up.as_secs_f64();
            let written = WarmUp { seconds, rule: Rule::Written, because: Vec::new() };
            return Some((resolved.clone(), written));
        }
        if !because.is_empty() {
            let nothing = WarmUp { seconds: 0.0, rule: Rule::Varies, because: because.clone() };
            return Some((resolved.clone(), nothing));
        }
        let cut = cut_of_pilots(resolved, watch)?;
        let mut resolved = resolved.clone();
        resolved.description.warm_up = cut;
        resolved.description.duration = resolved.description.duration.saturating_sub(cut);
        let seconds = cut.as_secs_f64();
        Some((resolved, WarmUp { seconds, rule: Rule::Settled, because: Vec::new() }))
    };
    strategies.par_iter().map(one).collect()
}

/// Simulated time of the pilots that these strategies need (s).
#[must_use]
pub fn pilot_seconds(strategies: &[Resolved]) -> f64 {
    if !what_varies(strategies).is_empty() {
        return 0.0;
    }
    let auto = strategies.iter().filter(|it| it.auto_warm_up);
    auto.map(|it| it.description.end().as_secs_f64()).sum::<f64>() * f64::from(PILOTS)
}

/// What makes one part of the run differ from another, under any of the strategies.
fn what_varies(strategies: &[Resolved]) -> Vec<&'static str> {
    let mut all: Vec<&'static str> = Vec::new();
    for what in strategies.iter().flat_map(|it| it.description.what_varies()) {
        if !all.contains(&what) {
            all.push(what);
        }
    }
    all
}

fn cut_of_pilots(resolved: &Resolved, watch: &Watch<'_>) -> Option<SimDuration> {
    let pilots: Vec<Option<Series>> = (FIRST_PILOT..FIRST_PILOT + PILOTS)
        .into_par_iter()
        .map(|number| {
            run_cell(resolved, number, Keep::default(), watch)
                .map(|(record, _share)| Series::new(&record, SimTime::ZERO))
        })
        .collect();
    let pilots: Vec<Series> = pilots.into_iter().collect::<Option<_>>()?;
    let slice = resolved.description.end().as_nanos() / SLICES as u64;
    Some(SimDuration::from_nanos(slice * settles_at(pilots.iter()).slice as u64))
}

/// Where an average of several replications settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settling {
    /// The first slice after the warm-up.
    slice: usize,
    /// Whether no series went on moving until its second half.
    pub is_settled: bool,
}

/// Where the average of some replications, all of the same strategy, settles.
#[must_use]
pub fn settles_at<'a>(replications: impl Iterator<Item = &'a Series>) -> Settling {
    let mut all = vec![Slice::default(); SLICES];
    for series in replications {
        all.iter_mut().zip(&series.slices).for_each(|(sum, slice)| sum.add(slice));
    }
    let ended = |it: &Slice| it.completed + it.failed;
    let mut series: Vec<Vec<f64>> = Vec::new();
    if all.iter().all(|it| it.completed >= REQUESTS_MIN) {
        series.push(all.iter().map(|it| it.latency_ms / f64::from(it.completed)).collect());
    }
    let enough = |of: fn(&Slice) -> u32| all.iter().map(of).sum::<u32>() >= FAILURES_MIN;
    if enough(|it| it.failed) && enough(|it| it.completed) {
        series.push(all.iter().map(|it| f64::from(it.failed) / f64::from(ended(it).max(1))).collect());
    }
    if all.iter().all(|it| it.arrived >= REQUESTS_MIN) {
        series.push(all.iter().map(|it| it.in_flight).collect());
    }
    let cuts = series.iter().map(|it| mser5(it));
    cuts.fold(Settling { slice: 0, is_settled: true }, |so_far, it| Settling {
        slice: if it.reliable { so_far.slice.max(it.cut) } else { so_far.slice },
        is_settled: so_far.is_settled && it.reliable,
    })
}

/// How a replication went over time.
#[derive(Clone, Debug)]
pub struct Series {
    slices: Vec<Slice>,
}

/// Requests in a slice of a run.
#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    arrived: u32,
    /// Of those that arrived here.
    completed: u32,
    failed: u32,
    /// Sum over the completed.
    latency_ms: f64,
    /// In the mean over the slice's time.
    in_flight: f64,
}

impl Slice {
    fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.completed += other.completed;
        self.failed += other.failed;
        self.latency_ms += other.latency_ms;
        self.in_flight += other.in_flight;
    }
}

impl Series {
    /// Of what came after `from`.
    #[must_use]
    pub fn new(record: &Record, from: SimTime) -> Self {
        let width = ((record.end - from).as_nanos() / SLICES as u64).max(1);
        let mut slices = vec![Slice::default(); SLICES];
        let mut flight = vec![Flight::default(); SLICES + 1];
        let place = |at: SimTime| (((at - from).as_nanos() / width) as usize).min(SLICES - 1);
        for row in &record.requests {
            let end = row.end.map_or(record.end, |end| row.arrival + end.latency);
            if end < from {
                continue;
            }
            for (at, sign) in [(row.arrival.max(from), 1.0), (end.min(record.end), -1.0)] {
                let (place, since) = (place(at), (at - from).as_nanos());
                let rest = ((place as u64 + 1) * width).saturating_sub(since) as f64;
                flight[place].within += sign * rest / width as f64;
                flight[place + 1].entered += sign;
            }
            if row.arrival >= from {
                count(&mut slices[place(row.arrival)], row);
            }
        }
        let mut inside = 0.0;
        for (slice, flight) in slices.iter_mut().zip(&flight) {
            inside += flight.entered;
            slice.in_flight = inside + flight.within;
        }
        Self { slices }
    }
}

/// What makes the mean number in flight of a slice: those that were there at its start, and the parts of the
/// slice for which others were.
#[derive(Clone, Copy, Debug, Default)]
struct Flight {
    entered: f64,
    within: f64,
}

fn count(slice: &mut Slice, row: &RequestRow) {
    slice.arrived += 1;
    match row.end {
        Some(end) if end.status.is_ok() => {
            slice.completed += 1;
            slice.latency_ms += end.latency.as_millis_f64();
        }
        Some(_) => slice.failed += 1,
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(of: impl Fn(usize) -> Slice) -> Series {
        Series { slices: (0..SLICES).map(of).collect() }
    }

    /// A hundred requests of 10 ms that all succeed, one in flight.
    fn usual() -> Slice {
        Slice { arrived: 100, completed: 100, failed: 0, latency_ms: 1_000.0, in_flight: 1.0 }
    }

    fn settling(of: impl Fn(usize) -> Slice) -> Settling {
        settles_at([series(of)].iter())
    }

    #[test]
    fn each_of_the_three_series_cuts() {
        assert_eq!(settling(|_| usual()), Settling { slice: 0, is_settled: true });
        let slow = |at| Slice { latency_ms: if at < 20 { 5_000.0 } else { 1_000.0 }, ..usual() };
        assert_eq!(settling(slow), Settling { slice: 20, is_settled: true });
        let down = |at| match at < 30 {
            true => Slice { completed: 50, failed: 50, latency_ms: 500.0, ..usual() },
            false => usual(),
        };
        assert_eq!(settling(down), Settling { slice: 30, is_settled: true });
        let queue = |at| Slice { in_flight: if at < 40 { 0.1 } else { 1.0 }, ..usual() };
        assert_eq!(settling(queue), Settling { slice: 40, is_settled: true });
    }

    /// A strategy under which nearly nothing succeeds: what little there is cuts nothing.
    #[test]
    fn a_series_of_few_requests_cuts_nothing() {
        let failing = |at: usize| Slice {
            completed: u32::from(at == 90),
            failed: 100 - u32::from(at == 90),
            latency_ms: if at == 90 { 10.0 } else { 0.0 },
            ..usual()
        };
        assert_eq!(settling(failing), Settling { slice: 0, is_settled: true });
        let none = |_| Slice { completed: 0, failed: 100, latency_ms: 0.0, ..usual() };
        assert_eq!(settling(none), Settling { slice: 0, is_settled: true });
        let rare = |at| Slice { failed: u32::from(at % 50 == 3), ..usual() };
        assert_eq!(settling(rare), Settling { slice: 0, is_settled: true });
    }

    #[test]
    fn what_never_settles_is_said() {
        let growing = |at| Slice { in_flight: at as f64, ..usual() };
        assert_eq!(settling(growing), Settling { slice: 0, is_settled: false });
    }

    /// What one replication does is averaged out: here by one that does the opposite.
    #[test]
    fn replications_are_averaged() {
        let early = |factor: f64| {
            move |at| Slice { latency_ms: 1_000.0 + if at < 20 { factor } else { 0.0 }, ..usual() }
        };
        let [high, low] = [early(500.0), early(-500.0)];
        assert_eq!(settling(high).slice, 20);
        assert_eq!(settles_at([series(high), series(low)].iter()), Settling { slice: 0, is_settled: true });
    }
}
