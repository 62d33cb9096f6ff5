use crate::experiment::compare::{Choice, ComparisonPlan};
use crate::resolve::Resolved;
use crate::scenario::Scenario;
use crate::traces::{Trace, TraceRequest};
use crate::validate::arrivals::{ArrivalsFrom, take_arrivals};
use crate::validate::figures::{FigureKey, Row};
use meshsim_core::stats::{Estimate, Interval};
use meshsim_models::users::arrivals::Arrivals;

fn estimate(value: f64, low: f64, high: f64) -> Estimate {
    Estimate { value, interval: Some(Interval { low, high }), samples: 100 }
}

fn exact(value: f64) -> Option<Estimate> {
    Some(Estimate { value, interval: None, samples: 1 })
}

#[test]
fn the_error_of_a_time_is_a_share_and_begins_at_the_interval_s_end() {
    let row = Row::new(FigureKey::Mean, &estimate(200.0, 190.0, 210.0), exact(230.0));
    assert!((row.difference - 0.15).abs() < 1e-12 && (row.error - 0.10).abs() < 1e-12);
    assert!((row.half_width() - 0.05).abs() < 1e-12);
    assert_eq!(Row::new(FigureKey::Mean, &estimate(200.0, 190.0, 210.0), exact(191.0)).error, 0.0);
    assert!(Row::new(FigureKey::Mean, &estimate(200.0, 190.0, 210.0), None).error.is_nan());
}

#[test]
fn the_error_of_a_share_is_in_points_also_of_a_measured_zero() {
    let row = Row::new(FigureKey::Failed, &estimate(0.0, 0.0, 0.002), exact(0.005));
    assert!((row.error - 0.003).abs() < 1e-12 && (row.difference - 0.005).abs() < 1e-12);
    let row = Row::new(FigureKey::Failed, &estimate(0.10, 0.08, 0.12), exact(0.05));
    assert!((row.error - 0.03).abs() < 1e-12 && (row.half_width() - 0.02).abs() < 1e-12);
}

#[test]
fn of_a_distance_noise_is_taken_away() {
    let row = Row::of_distance(FigureKey::Ks, 0.07, Some(0.03), 100);
    assert!((row.error - 0.04).abs() < 1e-12 && (row.half_width() - 0.03).abs() < 1e-12);
    assert_eq!(Row::of_distance(FigureKey::Ks, 0.02, Some(0.03), 100).error, 0.0);
    assert_eq!(Row::of_distance(FigureKey::Ks, 0.02, None, 100).error, 0.02);
}

fn resolved() -> Resolved {
    let scenario = Scenario::open("fluidos-testbed", &[]).unwrap();
    ComparisonPlan::new(&scenario, &Choice::default()).unwrap().strategies.remove(0)
}

fn rate(resolved: &Resolved) -> f64 {
    let population = &resolved.description.populations[0];
    population.arrivals.offered_per_second(population.users, resolved.description.end())
}

/// 101 requests, a quarter of a second apart.
fn trace() -> Trace {
    let request = |k: u64| TraceRequest { start_us: 5_000 + 250_000 * k, ..TraceRequest::default() };
    Trace::of_requests((0..101).map(request).collect())
}

#[test]
fn the_rate_of_an_open_loop_is_the_trace_s() {
    let (mut resolved, trace) = (resolved(), trace());
    let take = |resolved: &mut _, from| take_arrivals(resolved, &trace, 5.0, Some(from)).unwrap();
    assert_eq!(take(&mut resolved, ArrivalsFrom::Scenario), ArrivalsFrom::Scenario);
    assert_eq!(rate(&resolved), 8.0);
    assert_eq!(take(&mut resolved, ArrivalsFrom::Rate), ArrivalsFrom::Rate);
    assert_eq!(rate(&resolved), 4.0);
    // One request has no rate.
    let one = Trace::of_requests(vec![trace.requests[0]]);
    assert_eq!(take_arrivals(&mut resolved, &one, 0.0, None).unwrap(), ArrivalsFrom::Scenario);
    let said = take_arrivals(&mut resolved, &one, 0.0, Some(ArrivalsFrom::Rate)).unwrap_err().to_string();
    assert!(said.contains("cannot be a rate of the trace"), "{said}");
}

#[test]
fn a_replay_that_cannot_be_is_refused() {
    let replay = |starts: Vec<u64>| {
        let request = |start_us| TraceRequest { start_us, ..TraceRequest::default() };
        let trace = Trace::of_requests(starts.into_iter().map(request).collect());
        take_arrivals(&mut resolved(), &trace, 0.0, Some(ArrivalsFrom::Replay)).unwrap_err().to_string()
    };
    assert!(replay(vec![7]).contains("cannot be a replay"), "{}", replay(vec![7]));
    let wrong = replay(vec![0, 1_700_000_000_000_000]);
    assert!(wrong.contains("span 19676 days") && wrong.contains("is a moment in it wrong?"), "{wrong}");
}

#[test]
fn a_replay_is_as_long_as_the_trace_and_keeps_its_moments() {
    let mut resolved = resolved();
    let taken = take_arrivals(&mut resolved, &trace(), 5.0, Some(ArrivalsFrom::Replay)).unwrap();
    assert_eq!(taken, ArrivalsFrom::Replay);
    let description = &resolved.description;
    assert_eq!((description.warm_up.as_secs_f64(), description.duration.as_secs_f64()), (5.0, 20.0));
    let Arrivals::Replay(replay) = &description.populations[0].arrivals else { panic!("no replay") };
    assert_eq!(replay.time_of(3).unwrap().as_secs_f64(), 0.75);
    assert_eq!(replay.time_of(101), None);
}
