use crate::calibrate::fit_law::candidates;
use crate::calibrate::match_laws::{Explanation, Family, Moving, STEPS, mean, ranked};
use meshsim_core::random::{Address, uniform};
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::application::service_time::empirical::Empirical;
use meshsim_models::application::service_time::exponential::Exponential;
use meshsim_models::application::service_time::gamma::Gamma;
use meshsim_models::application::service_time::log_normal::LogNormal;

/// A sample of a law (ms), to the microsecond as tracers have it, ascending.
fn sample(law: &ServiceTime, count: u64, seed: u64) -> Vec<f64> {
    let root = Address::root(seed, 0);
    let mut times: Vec<f64> = (0..count).map(|k| (law.draw_ms(root.child(k)) * 1e3).round() / 1e3).collect();
    times.sort_unstable_by(f64::total_cmp);
    times
}

/// Two peaks: no smooth law has them.
fn two_peaks() -> ServiceTime {
    let quantiles = [1.0, 1.1, 1.2, 1.3, 1.4, 8.0, 8.2, 8.4, 8.6, 8.8, 9.0];
    ServiceTime::Empirical(Empirical::new(quantiles.into()))
}

/// One of each family.
fn one_of_each() -> [ServiceTime; 5] {
    [
        ServiceTime::Deterministic(Deterministic::new(5.0)),
        ServiceTime::Exponential(Exponential::new(5.0)),
        ServiceTime::Gamma(Gamma::new(5.0, 0.5)),
        ServiceTime::LogNormal(LogNormal::new(5.0, 0.8)),
        two_peaks(),
    ]
}

#[test]
fn every_law_is_recovered_from_its_own_samples() {
    for law in &one_of_each() {
        let mut right = 0;
        for seed in 0..20 {
            let times = sample(law, 2_000, seed);
            let found = candidates(&times);
            right += u32::from(found[0].law.name() == law.name());
            let own = found.iter().find(|it| it.law.name() == law.name()).unwrap();
            let error = own.law.mean_ms() / law.mean_ms() - 1.0;
            assert!(error.abs() < 0.1, "{}: mean {:+.3}", law.name(), error);
            // The mean distance of the middle of a step of the sample to the law.
            let middle = |(rank, ms): (usize, &f64)| (rank as f64 + 0.5) / 2_000.0 - own.law.share_below(*ms);
            let away = times.iter().enumerate().map(middle).map(f64::abs).sum::<f64>() / 2_000.0;
            // The constant law has all of its share at its time.
            let distance = if law.name() == "deterministic" { 0.0 } else { away };
            assert!(distance < 0.05, "{}: {distance}", law.name());
        }
        // A gamma law, too, explains an exponential sample: Akaike's criterion takes it with 16 %.
        let least = if law.name() == "exponential" { 12 } else { 19 };
        assert!(right >= least, "{} {right} times in 20", law.name());
    }
}

#[test]
fn fitted_numbers_are_those_of_the_sample_s_law() {
    let times = sample(&ServiceTime::Gamma(Gamma::new(5.0, 0.4)), 50_000, 1);
    let found = candidates(&times);
    let ServiceTime::Gamma(law) = &found[0].law else { panic!("{found:?}") };
    assert!((law.cv() - 0.4).abs() < 0.005 && (law.mean_ms() - 5.0).abs() < 0.04, "{law:?}");
    let times = sample(&ServiceTime::LogNormal(LogNormal::new(5.0, 0.4)), 50_000, 1);
    let ServiceTime::LogNormal(law) = &candidates(&times)[0].law else { panic!("{found:?}") };
    assert!((law.cv() - 0.4).abs() < 0.005 && (law.mean_ms() - 5.0).abs() < 0.04, "{law:?}");
}

#[test]
fn small_and_odd_samples_have_a_law() {
    assert!(candidates(&[]).is_empty());
    assert_eq!(candidates(&[2.0])[0].law.name(), "deterministic");
    assert_eq!(candidates(&[2.0; 50])[0].law.name(), "deterministic");
    assert_eq!(candidates(&[1.0, 2.0, 4.0])[0].law.name(), "exponential");
    // Zeros and ties.
    let mut ties = vec![0.0; 20];
    ties.extend([1.0; 40]);
    ties.extend([3.0; 10]);
    let found = candidates(&ties);
    assert!(found.iter().all(|it| it.aic.is_finite() && it.law.mean_ms() > 0.0), "{found:?}");
}

/// Times of the law, to the microsecond, as if its load at a CPU time of 5 ms were this one, with 0.3 to 0.5 ms of a proxy.
fn shared(law: &ServiceTime, load: f64, seed: u64) -> Vec<f64> {
    let load = load * law.mean_ms() / 5.0;
    let root = Address::root(seed, 1);
    let proxy = |k: u64| 0.3 + 0.2 * uniform(&mut root.child(k).draw(0));
    let own = sample(law, 3_000, seed).into_iter().map(|ms| ms / (1.0 - load.min(0.95)));
    let mut times: Vec<f64> = own.zip(0..).map(|(ms, k)| ((ms + proxy(k)) * 1e3).round() / 1e3).collect();
    times.sort_unstable_by(f64::total_cmp);
    times
}

#[test]
fn laws_are_found_below_what_is_waited() {
    for law in &one_of_each() {
        for load in [0.0, 0.3, 0.6] {
            let measured = shared(law, load, 1);
            let explain = |family: Family| {
                let mut moving = Moving::new(family, &measured, mean(&measured).min(3.0));
                for _ in 0..STEPS {
                    let there = shared(&moving.law, load, 2);
                    moving.step(&measured, &there);
                }
                let there = shared(&moving.law, load, 2);
                Explanation::new(moving, &measured, &there)
            };
            let found = &ranked(Family::ALL.map(explain).into())[0].moving.law;
            assert_eq!(found.name(), law.name(), "load {load}");
            // Ten standard errors of two samples of 3,000 are 0.26 of the widest law's spread.
            let error = found.mean_ms() / law.mean_ms() - 1.0;
            assert!(error.abs() < 0.08, "{} at load {load}: mean {error:+.3}", law.name());
            let cv = |law: &ServiceTime| match law {
                ServiceTime::Gamma(it) => it.cv(),
                ServiceTime::LogNormal(it) => it.cv(),
                _ => 0.0,
            };
            assert!((cv(found) - cv(law)).abs() < 0.05, "{} at load {load}: {found:?}", law.name());
        }
    }
}

#[test]
fn a_law_moves_within_its_family_and_stays_where_it_is_right() {
    let law = two_peaks();
    let times = sample(&law, 500, 3);
    let mut moving = Moving::new(Family::Empirical, &times, mean(&times));
    moving.step(&times, &[]);
    let before = moving.law.mean_ms();
    moving.step(&times, &times);
    assert!((moving.law.mean_ms() - before).abs() < 1e-9, "{moving:?}");
    assert_eq!(moving.law.name(), "empirical");
}
