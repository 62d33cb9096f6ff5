//! The testbed's access logs, counted as Istio's proxies count, in the real Prometheus: what is imported of them is simulated and held
//! against the latencies that were measured.

use super::server::{folder, is_installed, serve};
use meshsim_models::network::path::{REQUEST_HEADER, RESPONSE_HEADER};
use meshsim_models::telemetry::istio_buckets::BOUNDS_MS;
use meshsim_models::telemetry::istio_buckets::IstioHistogram;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::store::CellStore;
use meshsim_scenarios::import::manifests::Overlay;
use meshsim_scenarios::import::measured::{Answers, Measured, Options};
use meshsim_scenarios::library;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::traces;
use meshsim_scenarios::validate::run::{Measurement, run_cells};
use meshsim_scenarios::validate::tolerance::{Tolerances, Verdict};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::Table;

/// Between two scrapes (us).
const SCRAPE_US: u64 = 15_000_000;

/// Every placement that was recorded, without failures and in plain text.
const EVERY: [&str; 6] = [
    "mesh-s0123-rtt160-8-long",
    "mesh-all-rtt160-8",
    "mesh-none-rtt160-8-long",
    "mesh-none-rtt160-8",
    "mesh-s0-rtt160-8",
    "mesh-s0123-rtt160-8",
];

/// A metric, and the labels of a service in a cluster.
type Gauge = (&'static str, fn(&str, &str) -> String);

/// What a proxy has counted of requests of one kind.
#[derive(Clone, Default)]
struct Counted {
    requests: u64,
    /// Durations (ms), requests, answers (bytes).
    histograms: [IstioHistogram; 3],
    sums: [u64; 3],
}

/// A line of a log: when it is counted, under which labels, and its numbers.
struct Line {
    at_us: u64,
    labels: String,
    values: [u64; 3],
}

fn testbed(name: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let path = std::env::var_os("MESHSIM_SHARED").map_or(default, PathBuf::from).join("testbed").join(name);
    if !path.is_dir() {
        eprintln!("skipped: the open loop over {name} (no {})", path.display());
        return None;
    }
    Some(path)
}

/// Who is called through an Envoy's cluster, or has this address.
struct Pods(BTreeMap<String, (String, String)>);

impl Pods {
    fn new(config: &Value) -> Self {
        let pods = config["pods"].as_array().unwrap().iter().map(|it| {
            let text = |key: &str| it[key].as_str().unwrap().to_owned();
            (text("ip"), (text("service"), text("cluster")))
        });
        Self(pods.collect())
    }

    /// Service and cluster of an address with a port; anybody else is the gateway of the users' cluster.
    fn at(&self, address: &str) -> (String, String) {
        let gateway = || ("istio-ingressgateway".to_owned(), "edge1".to_owned());
        self.0.get(address.split(':').next().unwrap()).cloned().unwrap_or_else(gateway)
    }
}

fn lines(folder: &Path, pods: &Pods) -> Vec<Line> {
    let mut text = String::new();
    let file = std::fs::File::open(folder.join("access.jsonl.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut lines: Vec<Line> = text
        .lines()
        .map(|line| {
            let it: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| it[key].as_str().unwrap_or_default();
            let number = |key: &str| it[key].as_u64().unwrap_or(0);
            let (cluster, name) = text("p").split_once('/').unwrap();
            let (reporter, source, destination) = match text("o") {
                "in" => ("destination", pods.at(text("dr")), (name.to_owned(), cluster.to_owned())),
                "gw" => ("source", pods.at("gateway"), pods.at(text("up"))),
                _ => ("source", (name.to_owned(), cluster.to_owned()), pods.at(text("up"))),
            };
            let labels = format!(
                "reporter=\"{reporter}\",source_app=\"{}\",source_cluster=\"{}\",destination_app=\"{}\",\
                 destination_workload=\"{}-{}\",destination_workload_namespace=\"default\",destination_cluster=\"{}\",\
                 response_code=\"{}\"",
                source.0, source.1, destination.0, destination.0, destination.1, destination.1, number("rc"),
            );
            let header = [REQUEST_HEADER, RESPONSE_HEADER].map(u64::from);
            let values = [number("du") / 1_000, number("bi") + header[0], number("bo") + header[1]];
            Line { at_us: number("us") + number("du"), labels, values }
        })
        .collect();
    lines.sort_by_key(|it| it.at_us);
    lines
}

/// What a Prometheus has scraped, as OpenMetrics: every line of the logs counted by then, and CPU times between the readings of the run.
fn metrics(config: &Value, lines: &[Line]) -> String {
    let [start, end] = ["t_start_us", "t_end_us"].map(|key| config[key].as_u64().unwrap());
    let scrapes: Vec<u64> =
        (0..).map(|number| start + number * SCRAPE_US).take_while(|at| *at <= end).collect();
    let mut series: BTreeMap<&str, (Counted, Vec<Counted>)> = BTreeMap::new();
    // A counter is there from the first scrape on.
    for it in lines {
        series.entry(&it.labels).or_default();
    }
    let mut next = 0;
    for at in &scrapes {
        while let Some(line) = lines.get(next).filter(|it| it.at_us <= *at) {
            let counted = &mut series.get_mut(line.labels.as_str()).unwrap().0;
            counted.requests += 1;
            for (index, value) in line.values.into_iter().enumerate() {
                counted.histograms[index].record(value as f64);
                counted.sums[index] += value;
            }
            next += 1;
        }
        series.values_mut().for_each(|(now, all)| all.push(now.clone()));
    }
    let mut text = String::from("# TYPE istio_requests counter\n");
    let seconds = |at: &u64| *at as f64 / 1e6;
    for (labels, (_, all)) in &series {
        for (at, counted) in scrapes.iter().zip(all) {
            let _ =
                writeln!(text, "istio_requests_total{{{labels}}} {} {:.3}", counted.requests, seconds(at));
        }
    }
    let names = ["istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"];
    for (index, name) in names.into_iter().enumerate() {
        let _ = writeln!(text, "# TYPE {name} histogram");
        for (labels, (_, all)) in &series {
            for (at, counted) in scrapes.iter().zip(all) {
                let at = seconds(at);
                let mut below = 0;
                let bounds = BOUNDS_MS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
                for (bound, count) in bounds.zip(counted.histograms[index].counts()) {
                    below += count;
                    let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {below} {at:.3}");
                }
                let _ = writeln!(text, "{name}_sum{{{labels}}} {} {at:.3}", counted.sums[index]);
                let _ = writeln!(text, "{name}_count{{{labels}}} {below} {at:.3}");
            }
        }
    }
    let pods: Vec<(&str, &str)> = config["pods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["service"].as_str().unwrap(), it["cluster"].as_str().unwrap()))
        .collect();
    let readings = config["cpu_snapshots"].as_array().unwrap();
    text += "# TYPE container_cpu_usage_seconds counter\n";
    for (service, cluster) in &pods {
        let value = |reading: &Value| reading[format!("{cluster}-{service}-app")].as_f64().unwrap();
        for at in &scrapes {
            let now = seconds(at);
            let after =
                readings.partition_point(|it| it["t"].as_f64().unwrap() < now).clamp(1, readings.len() - 1);
            let [a, b] = [&readings[after - 1], &readings[after]];
            let [from, to] = [a, b].map(|it| it["t"].as_f64().unwrap());
            let used = value(a) + (value(b) - value(a)) * (now - from) / (to - from);
            let _ = writeln!(
                text,
                "container_cpu_usage_seconds_total{{namespace=\"default\",pod=\"{service}-{cluster}-0\",container=\"app\"}} {used} {now:.3}"
            );
        }
    }
    let gauges: [Gauge; 2] = [
        ("kube_pod_container_resource_limits", |service, cluster| {
            format!("namespace=\"default\",pod=\"{service}-{cluster}-0\",container=\"app\",resource=\"cpu\"")
        }),
        ("kube_deployment_status_replicas", |service, cluster| {
            format!("namespace=\"default\",deployment=\"{service}-{cluster}\"")
        }),
    ];
    for (name, labels) in gauges {
        let _ = writeln!(text, "# TYPE {name} gauge");
        for (service, cluster) in &pods {
            for at in &scrapes {
                let _ = writeln!(text, "{name}{{{}}} 1 {:.3}", labels(service, cluster), seconds(at));
            }
        }
    }
    text + "# EOF\n"
}

/// What no metric says: the machine, the link, what proxies cost there, the way from the users.
fn overlay() -> String {
    let whole: Table = library::scenario("fluidos-testbed").unwrap().parse().unwrap();
    let mut overlay = Table::new();
    for key in ["hosts", "mesh", "gateway", "links", "clusters"] {
        overlay.insert(key.to_owned(), whole[key].clone());
    }
    for cluster in overlay["clusters"].as_table_mut().unwrap().iter_mut().map(|(_, it)| it) {
        cluster.as_table_mut().unwrap().remove("services");
    }
    let access = whole["users"]["edge1"]["access"].clone();
    let users = Table::from_iter([("access".to_owned(), access)]);
    let users = Table::from_iter([("edge1-s0".to_owned(), toml::Value::Table(users))]);
    overlay.insert("users".to_owned(), toml::Value::Table(users));
    toml::to_string(&overlay).unwrap()
}

#[test]
fn what_prometheus_has_of_the_testbed_imports_to_its_latencies() {
    if !is_installed("what_prometheus_has_of_the_testbed_imports_to_its_latencies") {
        return;
    }
    for name in EVERY {
        let Some(testbed) = testbed(name) else { return };
        let config = std::fs::read_to_string(testbed.join("config.json")).unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        let folder = folder(&format!("open-loop-{name}"));
        let file = folder.join("metrics.txt");
        std::fs::write(&file, metrics(&config, &lines(&testbed, &Pods::new(&config)))).unwrap();
        let server = serve(&folder, &file);
        let [begin, end] = ["t_warmup_end_us", "t_end_us"].map(|key| config[key].as_u64().unwrap());
        // Whole minutes after the warm-up.
        let window = format!("{}m", (end - begin) / 60_000_000);
        let answers = Answers::ask(&server.url, end as f64 / 1e6, &window).unwrap();
        let options = Options {
            name: name.to_owned(),
            overlay: Some(Overlay::from_text("overlay.toml", &overlay()).unwrap()),
            ..Options::default()
        };
        let imported = Measured::new(Some((&answers, &window)), None).unwrap().import(&options).unwrap();
        let settings = ["run.duration=10min", "run.warm_up=20s"].map(|it| Setting::parse(it).unwrap());
        let scenario = Scenario::from_text("open.toml", &imported.scenario, &[], &settings).unwrap();
        let choice = Choice { replications: Some(4), ..Choice::default() };
        let mut plan = ComparisonPlan::new(&scenario, &choice).unwrap();
        let trace = traces::read(&testbed.join("requests.csv.gz"), &traces::Options::default()).unwrap();
        let measurement = Measurement::new(&mut plan, trace, None, None, 20.0, None).unwrap();
        // Those of the suite.
        let mut tolerances = Tolerances::default();
        for text in ["mean=3%", "p50=5%", "p90=5%", "p95=7%", "p99=10%", "ks=0.05", "failed=1%"] {
            let (key, tolerance) = Tolerances::parse_setting(text).unwrap();
            tolerances.0.insert(key, tolerance);
        }
        let store = CellStore::temporary().unwrap();
        assert!(run_cells(&plan, &store, 0..4, &Watch::default()));
        let validation = measurement.validate(&plan, &tolerances, &store).unwrap().unwrap();
        for (row, check) in validation.figures.iter().zip(&validation.checks) {
            eprintln!("{name}: {row:?} {:?}", check.verdict);
        }
        // The short run is too short to tell most.
        let held = validation.checks.iter().filter(|it| it.verdict == Verdict::Holds).count();
        assert!(held >= if name.ends_with("-long") { 3 } else { 1 }, "{name}: {held} checks can be told");
        for check in &validation.checks {
            assert_ne!(
                check.verdict,
                Verdict::Fails,
                "{name}: {check:?}\n{}\n{}",
                imported.scenario,
                imported.report
            );
        }
    }
}
