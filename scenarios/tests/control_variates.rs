//! What is foreseen of requests is what is simulated, its means are exact, and means are freed of its luck.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::Id;
use meshsim_core::stats::Tally;
use meshsim_models::ids::PopulationId;
use meshsim_models::world::foreseen::{FIGURES, Foresight};
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::scenario::Scenario;
use support::summary;

fn plan(scenario: &str, settings: &[&str], strategies: &[&str], replications: u32) -> ComparisonPlan {
    let settings: Vec<Setting> = settings.iter().map(|it| Setting::parse(it).unwrap()).collect();
    let strategies = strategies.iter().map(|it| (*it).to_owned()).collect();
    let choice = Choice { strategies, replications: Some(replications), ..Choice::default() };
    ComparisonPlan::new(&Scenario::open(scenario, &settings).unwrap(), &choice).unwrap()
}

/// Request by request, where nothing fails: calls and CPU time, and crossings where each service is in one cluster or near.
#[test]
fn what_is_foreseen_is_what_is_simulated() {
    let short = ["run.duration=10s", "run.warm_up=0s", "cell.speed_spread=0.0"];
    let all = [
        (plan("fluidos-mesh", &short, &["cloud-only", "s0", "s0-s3", "all"], 1), true),
        // Laws have a spread of their own, which is foreseen.
        (plan("shop", &short[..2], &[], 1), false),
        (plan("online-boutique", &short[..2], &[], 1), false),
    ];
    let (mut seen, mut crossed) = (0, 0);
    for (plan, stays_near) in all {
        let outcome = plan.run(Rows::Kept, &Watch::default());
        for (resolved, figures) in plan.strategies.iter().zip(&outcome.replications[0].1) {
            let mut foresight = Foresight::new(&resolved.description, 0);
            let whole = figures.rows.iter().filter(|(row, work)| row.end.is_some() && work.retries == 0);
            for (row, work) in whole.filter(|(row, _)| row.end.unwrap().status.is_ok()) {
                let ([calls, crossings, rounds, cpu], _) =
                    foresight.of(row.population, row.number, row.endpoint).unwrap();
                let name = &resolved.strategy;
                assert_eq!(calls as u64, work.calls, "{name}: request {}", row.number);
                // Bodies have whole bytes.
                let simulated = work.cpu_nanos / 1e6;
                assert!((simulated - cpu).abs() < 0.01 * calls + 1e-6 * cpu, "{name}: {simulated} {cpu}");
                if stays_near {
                    assert_eq!(crossings as u64, work.crossings, "{name}: request {}", row.number);
                    // Most connections are warm, and headers are sent too.
                    assert!(work.rounds as f64 <= rounds + crossings, "{name}: {} {rounds}", work.rounds);
                }
                (seen, crossed) = (seen + 1, crossed + work.crossings);
            }
        }
    }
    assert!(seen > 3_000 && crossed > 3_000, "{seen} {crossed}");
}

/// Of every scenario of the library, kind by kind.
#[test]
fn means_are_exact() {
    for name in meshsim_scenarios::library::names().filter(|it| !it.starts_with("metro")) {
        let plan = plan(name, &[], &[], 2);
        for resolved in plan.strategies.iter().take(3) {
            let description = &resolved.description;
            let mut foresight = Foresight::new(description, 1);
            for (index, population) in description.populations.iter().enumerate().take(2) {
                for endpoint in population.requests.endpoints().take(3) {
                    let (mut sums, mut means) = ([Tally::default(); FIGURES.len()], [0.0; FIGURES.len()]);
                    for number in 0..20_000 {
                        let of = PopulationId::from_index(index);
                        let (figures, [mean, _]) = foresight.of(of, number, endpoint).unwrap();
                        means = mean;
                        sums.iter_mut().zip(figures).for_each(|(sum, figure)| sum.record(figure));
                    }
                    for ((sum, mean), figure) in sums.iter().zip(means).zip(FIGURES) {
                        // Of what hardly ever happens the sample tells little.
                        let rare = if mean < 0.01 { mean } else { 0.0 };
                        let error = (sum.variance().unwrap().max(rare) / 20_000.0).sqrt();
                        let found = sum.mean().unwrap();
                        // Several hundred figures: five standard errors.
                        let close = (found - mean).abs() <= 5.0 * error + 1e-9 * mean;
                        assert!(close, "{name}, {}: {figure} {found}, {mean}", resolved.strategy);
                    }
                }
            }
        }
    }
}

#[test]
fn controls_take_variance_off_means_and_differences() {
    let short = ["run.duration=60s", "run.warm_up=5s"];
    let on = summary(&plan("fluidos-mesh", &short, &["cloud-only", "s0", "s0-s3"], 40));
    for it in &on.strategies {
        let (ratio, of) = (it.control_variance_ratio, &it.control_coefficients_ms);
        eprintln!("{}: means {ratio:?}, {of:?}", it.name);
        // Without crossings that differ it is the windows of connections that make requests fast or slow.
        assert!(it.name == "cloud-only" || ratio.unwrap() > 2.0, "{}: {ratio:?}", it.name);
    }
    for it in &on.paired {
        eprintln!("{}: pairs {:?}, controls {:?}", it.strategy, it.variance_ratio, it.control_variance_ratio);
        assert!(it.control_variance_ratio.unwrap() > 1.3, "{}", it.strategy);
    }
    let off_settings = [&short[..], &["run.control_variates=false"]].concat();
    let off = summary(&plan("fluidos-mesh", &off_settings, &["cloud-only", "s0", "s0-s3"], 40));
    for (with, without) in on.strategies.iter().zip(&off.strategies).skip(1) {
        assert!(without.control_variance_ratio.is_none() && without.control_coefficients_ms.is_empty());
        let [narrow, wide] = [with, without].map(|it| it.latency_ms.mean.ci95.unwrap());
        assert!(narrow[1] - narrow[0] < wide[1] - wide[0], "{narrow:?} {wide:?}");
        assert!(wide[0] < with.latency_ms.mean.value && with.latency_ms.mean.value < wide[1]);
        assert_eq!(with.latency_ms.p95.value.to_bits(), without.latency_ms.p95.value.to_bits());
    }
}
