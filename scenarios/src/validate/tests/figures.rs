use crate::validate::arrivals::{ArrivalsFrom, rate_per_second, take_arrivals};
use crate::validate::figures::{Key, Row};
use crate::{experiment::compare, scenario::Scenario, traces};
use meshsim_core::stats::{Estimate, Interval};

fn estimate(value: f64, low: f64, high: f64) -> Estimate {
    Estimate { value, interval: Some(Interval { low, high }), samples: 100 }
}

fn exact(value: f64) -> Option<Estimate> {
    Some(Estimate { value, interval: None, samples: 1 })
}

#[test]
fn the_error_of_a_time_is_a_share_and_begins_at_the_interval_s_end() {
    let row = Row::new(Key::Mean, &estimate(200.0, 190.0, 210.0), exact(230.0));
    assert!((row.difference - 0.15).abs() < 1e-12 && (row.error - 0.10).abs() < 1e-12);
    assert!((row.half_width() - 0.05).abs() < 1e-12);
    assert_eq!(Row::new(Key::Mean, &estimate(200.0, 190.0, 210.0), exact(191.0)).error, 0.0);
    assert!(Row::new(Key::Mean, &estimate(200.0, 190.0, 210.0), None).error.is_nan());
}

#[test]
fn the_error_of_a_share_is_in_points_also_of_a_measured_zero() {
    let row = Row::new(Key::Failed, &estimate(0.0, 0.0, 0.002), exact(0.005));
    assert!((row.error - 0.003).abs() < 1e-12 && (row.difference - 0.005).abs() < 1e-12);
    let row = Row::new(Key::Failed, &estimate(0.10, 0.08, 0.12), exact(0.05));
    assert!((row.error - 0.03).abs() < 1e-12 && (row.half_width() - 0.02).abs() < 1e-12);
}

#[test]
fn of_a_distance_noise_is_taken_away() {
    let row = Row::of_distance(Key::Ks, 0.07, Some(0.03), 100);
    assert!((row.error - 0.04).abs() < 1e-12 && (row.half_width() - 0.03).abs() < 1e-12);
    assert_eq!(Row::of_distance(Key::Ks, 0.02, Some(0.03), 100).error, 0.0);
    assert_eq!(Row::of_distance(Key::Ks, 0.02, None, 100).error, 0.02);
}

#[test]
fn the_rate_of_an_open_loop_is_the_trace_s() {
    let request = |k: u64| traces::TraceRequest { start_us: 250_000 * k, ..traces::TraceRequest::default() };
    let trace = traces::Trace::of_requests((0..101).map(request).collect());
    assert_eq!(rate_per_second(&trace), Some(4.0));
    let resolved = |settings: &[&str]| {
        let settings: Vec<_> =
            settings.iter().map(|it| crate::document::Setting::parse(it).unwrap()).collect();
        let scenario = Scenario::open("fluidos-testbed", &settings).unwrap();
        compare::Plan::new(&scenario, &compare::Choice::default()).unwrap().strategies.remove(0)
    };
    let rate = |resolved: &crate::resolve::Resolved| {
        let population = &resolved.description.populations[0];
        population.arrivals.offered_per_second(population.users, resolved.description.end())
    };
    let mut open = resolved(&[]);
    assert_eq!(take_arrivals(&mut open, &trace, ArrivalsFrom::Scenario), ArrivalsFrom::Scenario);
    assert_eq!(rate(&open), 8.0);
    assert_eq!(take_arrivals(&mut open, &trace, ArrivalsFrom::Trace), ArrivalsFrom::Trace);
    assert_eq!(rate(&open), 4.0);
    // One request has no rate.
    let one = traces::Trace::of_requests(vec![request(1)]);
    assert_eq!(take_arrivals(&mut open, &one, ArrivalsFrom::Trace), ArrivalsFrom::Scenario);
}
