//! Simulated, exported, loaded into the real Prometheus, imported, and simulated again.

use super::server::is_installed;
use super::{demonstration, export, time};
use meshsim_models::telemetry::istio_buckets::{BOUNDS_MS, IstioHistogram};
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::import::manifests::{Link, Nodes};
use meshsim_scenarios::import::prometheus::{Answers, Options, import};
use meshsim_scenarios::resolve::Resolved;
use meshsim_scenarios::results::openmetrics::{ScrapeInterval, scraped};
use meshsim_scenarios::scenario::Scenario;

/// Mean, p90, and p90 as a dashboard shows it, of users' requests (ms).
fn latencies(resolved: &Resolved) -> [f64; 3] {
    let (mut all, mut histogram) = (Vec::new(), IstioHistogram::default());
    scraped(resolved, ScrapeInterval::DEFAULT, &Watch::default(), |row| {
        if let Some(end) = row.end.filter(|it| it.status.is_ok()) {
            let ms = end.latency.as_nanos() as f64 / 1e6;
            histogram.record(ms);
            all.push(ms);
        }
    })
    .unwrap();
    all.sort_by(f64::total_cmp);
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    [mean, all[all.len() * 9 / 10], histogram.quantile(0.9).unwrap()]
}

#[test]
fn what_prometheus_has_of_a_run_imports_to_the_same_run() {
    if !is_installed("what_prometheus_has_of_a_run_imports_to_the_same_run") {
        return;
    }
    let resolved = demonstration(&["run.duration=12min", "run.warm_up=0s"]);
    let (_, server) = export("closed-loop", &resolved);
    let at: f64 = time(resolved.description.end()).parse().unwrap();
    let answers = Answers::ask(&server.url, at, "10m").unwrap();
    let options = Options {
        name: "again".to_owned(),
        window: "10m".to_owned(),
        nodes: ["consumer=2x16", "provider1=1x16"].iter().map(|it| Nodes::parse(it).unwrap()).collect(),
        links: vec![Link::parse("consumer:provider1=160ms,1Gbit/s").unwrap()],
    };
    // As saved and read again.
    let saved: Answers = serde_json::from_str(&answers.to_json()).unwrap();
    let imported = import(&saved, &options).unwrap();
    assert_eq!(imported, import(&answers, &options).unwrap());
    let settings = ["run.duration=12min", "run.warm_up=0s"];
    let settings: Vec<_> =
        settings.iter().map(|it| meshsim_scenarios::document::Setting::parse(it).unwrap()).collect();
    let again = Scenario::from_text("again.toml", &imported.scenario, &[], &settings).unwrap();
    let again = again.resolve(Some(0)).unwrap();
    // The graph: s0 is called once a request, each other call is made with probability 0.3.
    let application = &again.description.application;
    let mut arcs = 0;
    let groups = application.endpoints.iter().flat_map(|it| &it.groups);
    for call in groups.flat_map(|it| &it.calls) {
        assert!((call.probability - 0.3).abs() <= 0.02, "{}", call.probability);
        arcs += 1;
    }
    assert_eq!(arcs, 9, "{}", imported.scenario);
    let [was, is] = [&resolved, &again].map(latencies);
    let bucket = |ms: f64| BOUNDS_MS.partition_point(|bound| *bound < ms);
    // It was 3.5 % when it was measured: laws are assumed to be exponential.
    assert!((is[0] - was[0]).abs() <= 0.05 * was[0], "mean: {} was {}\n{}", is[0], was[0], imported.scenario);
    assert!((is[1] - was[1]).abs() <= 0.1 * was[1], "p90: {} was {}", is[1], was[1]);
    assert_eq!(bucket(is[2]), bucket(was[2]), "p90 of a dashboard: {} was {}", is[2], was[2]);
}
