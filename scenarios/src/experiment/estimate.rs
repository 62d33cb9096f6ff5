//! What a comparison will take on this machine: CPU time and memory, from a short sample of it.
//!
//! # Models
//! The first replication of each strategy is built and runs for its share of the sample, or to its end. Requests that are
//! still to come cost what those of the second half of the sample did, whose connections are made; how many are to
//! come is what the arrivals expect. A comparison is as many of these as it has replications and pilots. At a time as
//! many worlds are in memory as there are threads, each as large as the largest one of the sample; what is kept of a
//! finished cell comes on top.
//!
//! # Assumptions
//! - A world is never larger than in the sample. Effect: where requests pile up, or where proxies come
//!   to know more and more of each other, it takes more; `--max-memory` is for that.
//! - Writing results takes nothing.

use super::compare::ComparisonPlan;
use super::groups::Groups;
use super::memory::resident;
use crate::resolve::Resolved;
use meshsim_core::{RunControl, SimDuration, SimTime};
use meshsim_models::telemetry::time_series::{CallSample, ServiceSample};
use meshsim_models::world::World;
use meshsim_models::world::description::Description;

/// CPU time of all samples together (s).
const SAMPLE_SECONDS: f64 = 1.5;

/// Histograms of a finished cell, of all its users and of each group that is told apart (bytes).
const HISTOGRAM_BYTES: f64 = 110_000.0;

/// What a comparison will take.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// CPU time of all threads together (s).
    pub cpu_seconds: f64,
    /// Memory of the program, where the system tells (bytes).
    pub memory_bytes: Option<f64>,
    /// CPU time of the sample (s).
    pub sample_seconds: f64,
}

/// A time (s) in the unit in which people say it.
#[must_use]
pub fn time_in_words(seconds: f64) -> String {
    match seconds {
        ..1.0 => format!("{seconds:.2} s"),
        1.0..100.0 => format!("{seconds:.1} s"),
        100.0..6_000.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// What a plan will take on so many threads.
#[must_use]
pub fn estimate(plan: &ComparisonPlan, threads: usize) -> Estimate {
    let before = resident();
    let begin = cpu_seconds();
    let share = SAMPLE_SECONDS / plan.strategies.len() as f64;
    let mut most = before;
    let of_all: f64 = plan.strategies.iter().map(|it| seconds_of(it, share, &mut most)).sum();
    let cells = plan.strategies.len() as f64 * f64::from(plan.replications);
    let worlds = (threads as f64).min(cells);
    let kept: f64 = plan.strategies.iter().map(|it| cell_bytes(&it.description)).sum();
    let kept = kept * f64::from(plan.replications);
    let memory =
        |(before, now): (u64, u64)| before as f64 + now.saturating_sub(before) as f64 * worlds + kept;
    Estimate {
        cpu_seconds: of_all * runs(plan),
        memory_bytes: before.zip(most).map(memory),
        sample_seconds: cpu_seconds() - begin,
    }
}

/// How many times a plan runs all of its strategies.
fn runs(plan: &ComparisonPlan) -> f64 {
    let ends: f64 = plan.strategies.iter().map(|it| it.description.end().as_secs_f64()).sum();
    plan.simulated_seconds() / ends
}

/// CPU time of one replication, from about so much of it (s); the `most` that the program occupies meanwhile (bytes).
fn seconds_of(resolved: &Resolved, share: f64, most: &mut Option<u64>) -> f64 {
    let description = &resolved.description;
    let begin = cpu_seconds();
    let mut world = World::new(description, 0);
    let built = cpu_seconds() - begin;
    let (end, all) = (world.end(), expected(description, world.end()));
    // A fifty-thousandth of the requests first, then so many that a look at the clock costs nothing.
    let mut stride = SimDuration::from_nanos((end.as_nanos() / 50_000).max(1));
    let mut now = SimTime::ZERO;
    // Requests that were expected, and CPU time.
    let mut seen = vec![(0.0, 0.0)];
    while now < end {
        now = end.min(now + stride);
        world.run(&mut RunControl::until(now));
        world.take_requests(|_| ());
        *most = resident().max(*most);
        let (_, before) = seen[seen.len() - 1];
        let took = cpu_seconds() - begin - built;
        seen.push((expected(description, now), took));
        if took > share {
            break;
        }
        if took - before < share / 50.0 {
            stride = stride * 2;
        }
    }
    let (done, took) = seen[seen.len() - 1];
    let half = seen.partition_point(|(_, at)| *at < took / 2.0).min(seen.len() - 2);
    let (requests, seconds) = (done - seen[half].0, took - seen[half].1);
    let to_come = if now < end { (all - done).max(0.0) } else { 0.0 };
    let rest = if requests > 0.0 { seconds / requests * to_come } else { 0.0 };
    built + took + rest
}

/// What is kept of a finished cell until all are summed up (bytes).
fn cell_bytes(description: &Description) -> f64 {
    let groups = Groups::new(description).which().len();
    let samples = description.time_series.map_or(0, |it| description.end().as_nanos() / it.as_nanos().max(1));
    let services = description.application.services.len();
    let of_sample = services * (size_of::<ServiceSample>() + size_of::<CallSample>());
    (1 + groups) as f64 * HISTOGRAM_BYTES + (samples as usize * description.clusters.len() * of_sample) as f64
}

/// Requests of all users that are expected until a moment.
fn expected(description: &Description, until: SimTime) -> f64 {
    description.populations.iter().map(|it| it.arrivals.expected(it.users, until)).sum()
}

/// CPU time of this thread so far (s).
#[cfg(unix)]
#[must_use]
pub fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Where the system does not tell, the time that passes (s).
#[cfg(not(unix))]
#[must_use]
pub fn cpu_seconds() -> f64 {
    static BEGAN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    BEGAN.get_or_init(std::time::Instant::now).elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Setting;
    use crate::experiment::compare::Choice;
    use crate::scenario::Scenario;

    fn plan(name: &str, settings: &[&str]) -> ComparisonPlan {
        let settings: Vec<Setting> = settings.iter().map(|it| Setting::parse(it).unwrap()).collect();
        ComparisonPlan::new(&Scenario::open(name, &settings).unwrap(), &Choice::default()).unwrap()
    }

    #[test]
    fn ten_times_the_replications_are_ten_times_the_runs() {
        let [one, ten] = [1, 10]
            .map(|n| runs(&plan("moving-users", &["run.warm_up=0s", &format!("run.replications={n}")])));
        assert!((one - 1.0).abs() < 1e-12 && (ten - 10.0).abs() < 1e-12, "{one}, {ten}");
    }

    #[test]
    fn a_cell_keeps_a_histogram_of_each_group_that_is_told_apart() {
        // Three groups of users, two kinds of requests, and six of both.
        let shop = plan("shop", &[]);
        let cells = shop.strategies.iter().map(|it| cell_bytes(&it.description) / HISTOGRAM_BYTES);
        assert!(cells.clone().all(|it| (it - 12.0).abs() < 1e-9), "{:?}", cells.collect::<Vec<_>>());
    }
}
