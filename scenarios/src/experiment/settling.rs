//! How a replication went over time, and where an average of some settles.
//!
//! # Models
//! MSER-5 over the slices of a run, each averaged over the replications, of three series: the mean latency of the
//! requests that arrive in a slice, the share of them that fails, and the requests in flight. The latest of the three
//! cuts holds. A series of too few requests cuts nothing, and one that goes on moving until its second half neither.
//!
//! # Source
//! Welch, The statistical analysis of simulation results, 1983 (averages over replications);
//! `meshsim_core::stats::mser5`.

use super::Stretch;
use meshsim_core::SimTime;
use meshsim_core::stats::mser5;
use meshsim_models::telemetry::request_log::RequestRow;
use serde::{Deserialize, Serialize};

/// Slices of a series.
pub(super) const SLICES: usize = 200;

/// A slice needs so many requests, over all replications, to say something.
const REQUESTS_MIN: u32 = 10;

/// A run needs so many failures, and successes, over all replications, for their shares to say something.
const FAILURES_MIN: u32 = 50;

/// Where an average of several replications settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settling {
    /// The first slice after the warm-up.
    pub(super) slice: usize,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    slices: Vec<Slice>,
}

/// Requests in a slice of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// What is known so far of how a replication goes over time.
pub(super) struct OverTime {
    from: SimTime,
    end: SimTime,
    /// Length of a slice (ns).
    width: u64,
    slices: Vec<Arrived>,
    flight: Vec<Flight>,
}

/// Requests that arrived in a slice, so far.
#[derive(Clone, Copy, Debug, Default)]
struct Arrived {
    all: u32,
    completed: u32,
    failed: u32,
    /// Sum over the completed (ns).
    latency: u128,
}

/// What makes the mean number in flight of a slice: those that were there at its start, and the time within the slice
/// for which others were (ns).
#[derive(Clone, Copy, Debug, Default)]
struct Flight {
    entered: i64,
    within: i128,
}

impl OverTime {
    /// Of what comes in a stretch that ends with the run.
    pub(super) fn new((from, end): Stretch) -> Self {
        let width = ((end - from).as_nanos() / SLICES as u64).max(1);
        let (slices, flight) = (vec![Arrived::default(); SLICES], vec![Flight::default(); SLICES + 1]);
        Self { from, end, width, slices, flight }
    }

    fn index(&self, at: SimTime) -> usize {
        (((at - self.from).as_nanos() / self.width) as usize).min(SLICES - 1)
    }

    /// How it went.
    pub(super) fn series(&self) -> Series {
        let mut inside = 0;
        let slice = |(arrived, flight): (&Arrived, &Flight)| {
            inside += flight.entered;
            Slice {
                arrived: arrived.all,
                completed: arrived.completed,
                failed: arrived.failed,
                latency_ms: arrived.latency as f64 / 1e6,
                in_flight: inside as f64 + flight.within as f64 / self.width as f64,
            }
        };
        Series { slices: self.slices.iter().zip(&self.flight).map(slice).collect() }
    }

    /// A request has ended, or was in flight at the end of the run.
    pub(super) fn add(&mut self, row: &RequestRow) {
        let end = row.end.map_or(self.end, |end| row.arrival + end.latency);
        if end < self.from {
            return;
        }
        for (at, sign) in [(row.arrival.max(self.from), 1), (end.min(self.end), -1)] {
            let (index, since) = (self.index(at), (at - self.from).as_nanos());
            let rest = ((index as u64 + 1) * self.width).saturating_sub(since);
            self.flight[index].within += i128::from(sign) * i128::from(rest);
            self.flight[index + 1].entered += sign;
        }
        if row.arrival < self.from {
            return;
        }
        let index = self.index(row.arrival);
        let slice = &mut self.slices[index];
        slice.all += 1;
        match row.end {
            Some(end) if end.status.is_ok() => {
                slice.completed += 1;
                slice.latency += u128::from(end.latency.as_nanos());
            }
            Some(_) => slice.failed += 1,
            None => {}
        }
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
