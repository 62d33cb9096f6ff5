//! Arrivals over time against closed forms: expected numbers, their variance, the change of clock,
//! the dispersion of bursts; and users who move.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::draws::Draws;
use meshsim_models::ids::{ClusterId, PopulationId};
use meshsim_models::users::arrivals::diurnal::Diurnal;
use meshsim_models::users::arrivals::flash_crowd::{DecayShape, FlashCrowd};
use meshsim_models::users::arrivals::mmpp::{Mmpp, State};
use meshsim_models::users::arrivals::piecewise::{self, Between, Point};
use meshsim_models::users::arrivals::rate_curve::RateCurve;
use meshsim_models::users::arrivals::replay::Replay;
use meshsim_models::users::arrivals::{Arrivals, Spacing};
use meshsim_models::users::population::Move;
use meshsim_models::users::population::Population;
use meshsim_models::users::stream::{Stream, StreamSource};
use meshsim_models::world::Record;
use meshsim_models::world::description::Description;
use std::sync::Arc;
use support::{CLOUD, EDGE, cloud_and_edge, free_world, run};

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

fn at(seconds: u64) -> SimTime {
    SimTime::ZERO + secs(seconds)
}

/// All arrivals of a replication before `end`.
fn sequence(arrivals: &Arrivals, replication: u32, end: SimTime) -> Vec<SimTime> {
    let world = cloud_and_edge(|_| 0.0, &[], 1.0);
    let population = Population { arrivals: arrivals.clone(), ..world.populations[0].clone() };
    let (id, draws) = (PopulationId(0), Draws::new(1, replication));
    let source = StreamSource { population: &population, id, draws, whereabouts: None, cluster: EDGE, end };
    let mut stream = Stream::new(&source);
    std::iter::from_fn(|| stream.advance(&source)).collect()
}

/// Curves of all kinds, each with 600 s worth looking at.
fn curves() -> [(&'static str, RateCurve); 5] {
    let points = [(0, 2.0), (100, 30.0), (250, 0.0), (300, 12.0), (450, 5.0)];
    let points = points.map(|(seconds, per_second)| Point { at: at(seconds), per_second });
    let crowd = FlashCrowd {
        base: 3.0,
        peak: 40.0,
        starts: secs(100),
        ramp_up: secs(60),
        hold: secs(100),
        decay: secs(80),
        decays: DecayShape::Exponential,
    };
    let day = Diurnal { mean: 12.0, amplitude: 1.0, period: secs(240), peak_at: secs(150) };
    [
        ("steps", piecewise::curve(&points, Between::Steps)),
        ("ramps", piecewise::curve(&points, Between::Ramps)),
        ("diurnal", day.curve()),
        ("flash crowd", crowd.curve()),
        ("linear flash crowd", FlashCrowd { decays: DecayShape::Linear, ..crowd }.curve()),
    ]
}

fn varying(curve: &RateCurve, spacing: Spacing) -> Arrivals {
    Arrivals::Varying { curve: Arc::new(curve.clone()), spacing }
}

/// Mean and variance of a sample.
fn moments(sample: &[f64]) -> (f64, f64) {
    let n = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / n;
    (mean, sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0))
}

/// Whatever the interval, its count is Poisson with the integral of the rate.
#[test]
fn counts_are_poisson_with_the_integral_of_the_rate() {
    const RUNS: u32 = 400;
    for (name, curve) in curves() {
        let arrivals = varying(&curve, Spacing::Random);
        let runs: Vec<_> = (0..RUNS).map(|number| sequence(&arrivals, number, at(600))).collect();
        for [from, to] in [[0, 60], [90, 130], [140, 310], [310, 600]] {
            let count = |run: &Vec<SimTime>| {
                run.iter().filter(|time| (at(from)..at(to)).contains(*time)).count() as f64
            };
            let (mean, variance) = moments(&runs.iter().map(count).collect::<Vec<_>>());
            let exact = curve.expected(to as f64) - curve.expected(from as f64);
            let runs = f64::from(RUNS);
            assert!((mean - exact).abs() < 5.0 * (exact / runs).sqrt(), "{name} {from}: {mean}, not {exact}");
            let error = exact * (2.0 / runs + 1.0 / (exact * runs)).sqrt();
            assert!(
                (variance - exact).abs() < 5.0 * error,
                "{name} {from}: variance {variance}, not {exact}"
            );
        }
        assert!((arrivals.expected(1, at(600)) - curve.expected(600.0)).abs() < 1e-9);
    }
}

/// Kolmogorov-Smirnov distance of a sample to the exponential law of mean 1, times the root of its size.
fn distance_to_exponential(mut gaps: Vec<f64>) -> f64 {
    gaps.sort_by(f64::total_cmp);
    let n = gaps.len() as f64;
    let steps = gaps.iter().enumerate().map(|(index, gap)| {
        let law = 1.0 - meshsim_core::elementary::exp(-gap);
        (law - index as f64 / n).abs().max((law - (index as f64 + 1.0) / n).abs())
    });
    steps.fold(0.0, f64::max) * n.sqrt()
}

/// On a clock that passes as fast as the rate says, gaps are independent and exponential.
#[test]
fn a_change_of_clock_makes_every_curve_a_poisson_process() {
    for (name, curve) in curves() {
        let arrivals = varying(&curve, Spacing::Random);
        let mut gaps = Vec::new();
        for number in 0..5 {
            let mut before = 0.0;
            for time in sequence(&arrivals, number, at(600)) {
                let passed = curve.expected(time.as_secs_f64());
                gaps.push(passed - before);
                before = passed;
            }
        }
        let lag_1: f64 = gaps.windows(2).map(|pair| (pair[0] - 1.0) * (pair[1] - 1.0)).sum();
        let count = gaps.len() as f64;
        assert!((lag_1 / count).abs() < 5.0 / count.sqrt(), "{name}: gaps depend on each other");
        // The 0.1 % quantile of Kolmogorov's law.
        let distance = distance_to_exponential(gaps);
        assert!(distance < 1.95, "{name}: {distance} over {count} gaps");
    }
}

#[test]
fn even_spacing_leaves_one_request_between_two_arrivals() {
    for (name, curve) in curves() {
        let times = sequence(&varying(&curve, Spacing::Even), 0, at(600));
        assert_eq!(times.len(), (curve.expected(600.0) - 1e-6) as usize, "{name}");
        for (index, time) in times.iter().enumerate() {
            let passed = curve.expected(time.as_secs_f64());
            assert!(
                (passed - (index as f64 + 1.0)).abs() < 1e-6,
                "{name}: request {index} comes at {passed}"
            );
        }
    }
}

/// Heffes and Lucantoni, 1986: variance over mean of the count in a window, for two states.
#[test]
fn bursts_have_the_mean_and_the_dispersion_of_their_states() {
    let [fast, slow] = [(60.0, 10.0), (5.0, 30.0)];
    let state = |(per_second, sojourn): (f64, f64)| State {
        per_second,
        sojourn: SimDuration::from_secs_f64(sojourn),
    };
    let arrivals = Arrivals::Mmpp(Mmpp::new(&[state(fast), state(slow)]));
    let mean_rate = (60.0 * 10.0 + 5.0 * 30.0) / 40.0;
    assert!((arrivals.offered_per_second(1, at(600)) - mean_rate).abs() < 1e-9);
    for window in [1.0, 20.0, 200.0] {
        let count = |number| {
            sequence(&arrivals, number, SimTime::ZERO + SimDuration::from_secs_f64(window)).len() as f64
        };
        let runs = 2_000;
        let (mean, variance) = moments(&(0..runs).map(count).collect::<Vec<_>>());
        let (leaves_fast, leaves_slow) = (1.0 / fast.1, 1.0 / slow.1);
        let both = leaves_fast + leaves_slow;
        let limit = 2.0 * leaves_fast * leaves_slow * (fast.0 - slow.0).powi(2)
            / (both.powi(2) * (fast.0 * leaves_slow + slow.0 * leaves_fast));
        let dispersion =
            1.0 + limit * (1.0 - (1.0 - meshsim_core::elementary::exp(-both * window)) / (both * window));
        let exact = mean_rate * window;
        let error = (exact * dispersion / f64::from(runs)).sqrt();
        assert!((mean - exact).abs() < 5.0 * error, "{window} s: {mean}, not {exact}");
        let got = variance / mean;
        assert!((got / dispersion - 1.0).abs() < 0.16, "{window} s: dispersion {got}, not {dispersion}");
    }
}

/// The course of the rate is the same, however many requests have come: states have draws of their own.
#[test]
fn a_burst_comes_at_the_same_time_at_another_rate() {
    let states = |factor: f64| {
        let state =
            |per_second: f64, sojourn| State { per_second: per_second * factor, sojourn: secs(sojourn) };
        Arrivals::Mmpp(Mmpp::new(&[state(50.0, 10), state(0.0, 20), state(0.0, 5)]))
    };
    let [few, many] = [1.0, 20.0].map(|factor| sequence(&states(factor), 0, at(600)));
    // Where many come, the state is the fast one; few come nowhere else.
    let near = |time: &SimTime| {
        let index = many.partition_point(|other| other < time);
        let distance = |other: &SimTime| time.saturating_since(*other).max(other.saturating_since(*time));
        many[index.saturating_sub(1)..(index + 1).min(many.len())].iter().map(distance).min().unwrap()
    };
    assert!(few.len() > 1_000 && few.iter().all(|time| near(time) < SimDuration::from_millis(50)));
}

fn world(arrivals: Arrivals, seconds: u64) -> Description {
    free_world(&[10, 5], &[(0, 1)], &[(0, CLOUD, 2), (1, CLOUD, 1), (0, EDGE, 1)], arrivals, seconds)
}

#[test]
fn a_replay_is_exact_and_the_same_in_every_replication() {
    let times: Vec<SimTime> = (0..500).map(|k: u64| SimTime::from_nanos(k * k * 123_457 + 5)).collect();
    let description = world(Arrivals::Replay(Replay::once(times.clone().into())), 60);
    for replication in 0..2 {
        let record = run(&description, replication);
        assert_eq!(record.requests.iter().map(|row| row.arrival).collect::<Vec<_>>(), times);
        assert!(record.requests.iter().all(|row| row.end.is_some()));
    }
}

/// Which request came when, in their order.
fn requests(record: &Record) -> Vec<(u32, SimTime)> {
    let mut all: Vec<_> = record.requests.iter().map(|row| (row.number, row.arrival)).collect();
    all.sort_unstable();
    all
}

fn moves() -> Vec<Move> {
    let go = |begins, over, from, to, share| Move { begins: at(begins), over: secs(over), from, to, share };
    vec![go(20, 30, EDGE, CLOUD, 0.6), go(80, 0, CLOUD, EDGE, 0.5)]
}

#[test]
fn moving_users_neither_lose_nor_gain_requests() {
    for arrivals in [
        Arrivals::Poisson { per_second: 40.0 },
        Arrivals::Constant { per_second: 40.0 },
        varying(&curves()[3].1, Spacing::Random),
        Arrivals::Mmpp(Mmpp::new(&[
            State { per_second: 90.0, sojourn: secs(5) },
            State { per_second: 10.0, sojourn: secs(5) },
        ])),
    ] {
        let stay = world(arrivals, 120);
        let mut go = stay.clone();
        go.populations[0].moves = moves();
        let [stay, go] = [&stay, &go].map(|description| run(description, 0));
        assert!(requests(&stay).len() > 400);
        assert_eq!(requests(&stay), requests(&go));
        assert_eq!(
            requests(&go),
            requests(&go).iter().enumerate().map(|(k, it)| (k as u32, it.1)).collect::<Vec<_>>()
        );
    }
}

/// Requests of each cluster's own users, by what its gateways sent: `s0` is in both clusters.
#[test]
fn the_rate_moves_with_the_users() {
    let mut description = world(Arrivals::Poisson { per_second: 400.0 }, 200);
    description.populations[0].moves = vec![moves()[0]];
    description.services = description.services.iter().map(|_| support::with_outlier_detection()).collect();
    let record = run(&description, 0);
    let calls = |cluster: ClusterId, from| record.metrics_from(cluster, at(from)).served[0] as f64;
    // After the move 40 % are left at the edge, whose users are served there.
    let share = calls(EDGE, 60) / (400.0 * 140.0);
    assert!((share - 0.4).abs() < 0.02, "{share} of the requests are served at the edge");
}

/// A user of the edge who moves connects anew: two more one-way trips, and a cold window.
#[test]
fn a_moved_user_connects_to_the_new_gateway() {
    let mut description = world(Arrivals::Constant { per_second: 10.0 }, 100);
    let users = &mut description.populations[0];
    (users.users, users.access.one_way, users.access.round_trip) =
        (1, SimDuration::from_millis(10), SimDuration::from_millis(20));
    users.moves = vec![
        Move { begins: at(30), over: SimDuration::ZERO, from: EDGE, to: CLOUD, share: 1.0 },
        Move { begins: at(60), over: SimDuration::ZERO, from: CLOUD, to: EDGE, share: 1.0 },
    ];
    description.links[0].round_trip = SimDuration::from_nanos(2);
    let record = run(&description, 0);
    let latency = |second: u64| {
        let row = record.requests.iter().find(|row| row.arrival >= at(second)).unwrap();
        row.end.unwrap().latency.as_millis_f64()
    };
    for moved in [30, 60] {
        let [first, later] = [latency(moved), latency(moved + 10)];
        assert!((first - later - 20.0).abs() < 1.0, "at {moved} s: {first} ms, later {later}");
    }
}

#[test]
fn the_same_seed_makes_the_same_moves() {
    let mut description = world(Arrivals::Poisson { per_second: 40.0 }, 120);
    description.populations[0].moves = moves();
    let [first, again] = [0, 0].map(|replication| run(&description, replication));
    assert_eq!((first.requests, first.events), (again.requests, again.events));
}
