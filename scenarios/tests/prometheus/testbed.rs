//! Envoy's counters of simulated runs against those that real proxies had after the same runs on the testbed.

use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::pod_id::PodIds;
use meshsim_models::telemetry::exporters::envoy::EnvoyCounts;
use meshsim_models::telemetry::exporters::instance::Instance;
use meshsim_models::telemetry::metrics::Counter;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::resolve::Resolved;
use meshsim_scenarios::results::openmetrics::scraped;
use meshsim_scenarios::scenario::Scenario;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

/// By proxy (`edge1-s0`, `edge1-gw`), the service that it calls, or `inbound`, and counter.
type Counts = BTreeMap<(String, String, &'static str), f64>;

/// A counter's name in Envoy, and where ours is.
type Counted = (&'static str, fn(&EnvoyCounts) -> u64);

/// What both have.
const COUNTERS: [Counted; 7] = [
    ("upstream_rq_total", |it| it.requests),
    ("upstream_rq_5xx", |it| it.classes[4]),
    ("upstream_cx_total", |it| it.counters[Counter::Connections as usize]),
    ("upstream_cx_connect_fail", |it| it.counters[Counter::ConnectFailures as usize]),
    ("upstream_rq_retry", |it| it.counters[Counter::Retries as usize]),
    ("outlier_detection.ejections_enforced_total", |it| it.counters[Counter::Ejections as usize]),
    ("outlier_detection.ejections_overflow", |it| it.counters[Counter::EjectionOverflows as usize]),
];

fn recorded(run: &str) -> Option<Counts> {
    let default = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("MESHSIM_SHARED").map_or(default, PathBuf::from);
    let path = shared.join("testbed").join(run).join("envoy_stats.json.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        eprintln!("skipped: counters of {run} (no {})", path.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let all: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(&text).unwrap();
    let mut counts = Counts::new();
    for (proxy, stats) in &all {
        for (name, value) in stats {
            let (upstream, rest) = match name.strip_prefix("cluster.outbound|80||") {
                Some(rest) => rest.split_once('.').unwrap(),
                None => ("inbound", name.strip_prefix("cluster.inbound|8080||.").unwrap()),
            };
            if let Some((counter, _)) = COUNTERS.iter().find(|(counter, _)| *counter == rest) {
                counts.insert((proxy.clone(), upstream.to_owned(), counter), value.parse().unwrap());
            }
        }
    }
    Some(counts)
}

fn simulated(resolved: &Resolved) -> Counts {
    let description = &resolved.description;
    let services = &description.application.services;
    let ids = PodIds::new(description.clusters.len(), services.len());
    let name = |service: ServiceId| services[service].name.clone();
    let cluster = |cluster: ClusterId| description.clusters[cluster].name.clone();
    let all = scraped(resolved, "1s".parse().unwrap(), &Watch::default(), |_| {}).unwrap();
    let mut counts = Counts::new();
    for (here, scraped) in all.enumerate() {
        for ((instance, called), samples) in &scraped.envoy {
            let proxy = match instance {
                Instance::Gateway(_) => format!("{}-gw", cluster(here)),
                Instance::Pod(pod) => format!("{}-{}", cluster(here), name(ids.service_of(pod.pod))),
                Instance::Waypoint(_) | Instance::Ztunnel(_) => panic!("there are sidecars"),
            };
            let (_, last) = samples.last().unwrap();
            let upstream = called.map_or_else(|| "inbound".to_owned(), name);
            for (counter, of) in COUNTERS {
                *counts.entry((proxy.clone(), upstream.clone(), counter)).or_default() += of(last) as f64;
            }
        }
    }
    counts
}

/// What differs by more than chance and the model allow: `share` of the larger number, and five standard errors.
fn apart(recorded: &Counts, simulated: &Counts) -> Vec<String> {
    let keys = recorded.keys().chain(simulated.keys().filter(|key| simulated[*key] > 0.0));
    let mut all = Vec::new();
    for key in keys.collect::<std::collections::BTreeSet<_>>() {
        let [was, is] = [recorded, simulated].map(|it| it.get(key).copied().unwrap_or(0.0));
        let share = if key.2 == "upstream_cx_total" { 0.3 } else { 0.05 };
        if (was - is).abs() > share * was.max(is) + 5.0 * (was + is).sqrt().max(1.0) {
            all.push(format!("{key:?}: {was} on the testbed, {is} simulated"));
        }
    }
    all
}

#[test]
fn envoys_counters_are_those_of_the_testbed() {
    let crash = |seconds: &str| {
        format!(
            "faults=[{{at=\"60s\",for=\"{seconds}s\",service=\"s1\",cluster=\"edge1\",kind=\"crash\",seen_after=\"never\"}}]"
        )
    };
    let eject = "mesh.traffic_policy.outlier_detection.max_ejection_percent=100".to_owned();
    for (run, duration, rate, more) in [
        ("mesh-s0123-rtt160-8-long", "800s", "8/s", vec![]),
        ("mesh-s0123-rtt160-6-kill-s1", "220s", "6/s", vec![crash("90.66")]),
        ("mesh-s0123-rtt160-6-kill-s1-eject100", "200s", "6/s", vec![crash("90.86"), eject]),
    ] {
        let Some(recorded) = recorded(run) else { return };
        let settings =
            [format!("run.duration={duration}"), "run.warm_up=0s".into(), format!("users.edge1.rate={rate}")];
        let settings: Vec<Setting> =
            settings.iter().chain(&more).map(|it| Setting::parse(it).unwrap()).collect();
        let scenario = Scenario::open("fluidos-testbed", &settings).unwrap();
        let resolved = scenario.resolve(scenario.strategy(Some("s0-s3")).unwrap()).unwrap();
        let simulated = simulated(&resolved);
        assert!(recorded.len() > 40 && simulated.len() > 40);
        let apart = apart(&recorded, &simulated);
        assert!(apart.is_empty(), "{run}: {}", apart.join("\n"));
    }
}
