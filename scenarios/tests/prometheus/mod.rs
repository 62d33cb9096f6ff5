//! What `run --openmetrics` writes, as the real Prometheus reads it: every expression of the demonstration's dashboard answers
//! what the run's own samples and its request log come to.

mod boards;
mod closed_loop;
mod control_planes;
mod names;
mod offloading;
mod open_loop;
pub(crate) mod server;
mod testbed;

use self::server::{answer, folder, is_installed, serve};
use meshsim_core::{SimTime, Table};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::pod_id::PodIds;
use meshsim_models::telemetry::exporters::cells::CellCounts;
use meshsim_models::telemetry::exporters::http::{HttpCounts, HttpSeries, Reporter};
use meshsim_models::telemetry::exporters::instance::{Instance, PodName};
use meshsim_models::telemetry::exporters::samples::{
    Container, ContainerMetric, Samples as Scraped, Series, WorkloadMetric,
};
use meshsim_models::telemetry::istio_buckets::{BOUNDS_MS, IstioHistogram};
use meshsim_models::telemetry::promql::{Samples, histogram_quantile};
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::resolve::Resolved;
use meshsim_scenarios::results::openmetrics::{Export, ScrapeInterval, scraped};
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::start_time::StartTime;
use std::collections::BTreeMap;
use std::path::PathBuf;

const CLOUD: ClusterId = ClusterId(0);
const EDGE: ClusterId = ClusterId(1);

/// By what a `sum by` keeps.
type Sums = BTreeMap<String, f64>;

/// A run, and what was scraped of it.
struct Run {
    resolved: Resolved,
    scraped: Table<ClusterId, Scraped>,
    rows: Vec<RequestRow>,
    /// When expressions are asked.
    now: SimTime,
}

impl Run {
    fn new(resolved: Resolved) -> Self {
        let mut rows = Vec::new();
        let interval = ScrapeInterval::DEFAULT;
        let scraped = scraped(&resolved, interval, &Watch::default(), |row| rows.push(*row)).unwrap();
        let now = resolved.description.end();
        Self { resolved, scraped, rows, now }
    }

    /// `sum by (key) (rate(value[seconds]))` over requests.
    fn requests(
        &self,
        seconds: u64,
        value: impl Fn(&HttpCounts) -> f64,
        key: impl Fn(&HttpSeries) -> Option<String>,
    ) -> Sums {
        let all = self.scraped.iter().flat_map(|it| &it.http);
        let each = all.filter_map(|(of, it)| Some((key(of)?, it.iter().map(|(at, it)| (*at, value(it))))));
        self.rates(seconds, each)
    }

    /// The same over what cells count, by their services; `increase` and not `rate`.
    fn cells(&self, seconds: u64, value: impl Fn(&CellCounts) -> f64) -> Sums {
        let all = self.scraped.iter().flat_map(|it| &it.cells);
        let each =
            all.map(|((pod, _), it)| (self.service_of(*pod), it.iter().map(|(at, it)| (*at, value(it)))));
        self.rates(seconds, each).into_iter().map(|(key, rate)| (key, rate * seconds as f64)).collect()
    }

    fn rates(
        &self,
        seconds: u64,
        each: impl Iterator<Item = (String, impl Iterator<Item = (SimTime, f64)>)>,
    ) -> Sums {
        let mut sums = Sums::new();
        for (key, values) in each {
            let mut samples = Samples::default();
            values.for_each(|(at, value)| samples.push(ms(at), value));
            if let Some(rate) = samples.rate(ms(self.now), seconds * 1_000) {
                *sums.entry(key).or_default() += rate;
            }
        }
        sums
    }

    /// `sum by (container)` of the last samples of applications' containers in a cluster, or of their rates.
    fn containers(&self, cluster: ClusterId, metric: ContainerMetric, rate: Option<u64>) -> Sums {
        let numbers = self.scraped[cluster].numbers.iter().filter_map(|(of, samples)| match of {
            Series::Container(pod, Container::Application, it) if *it == metric => {
                Some((self.service_of(*pod), samples.iter().copied()))
            }
            _ => None,
        });
        match rate {
            Some(seconds) => self.rates(seconds, numbers),
            None => sums(numbers.filter_map(|(key, mut samples)| Some((key, samples.next_back()?.1)))),
        }
    }

    fn replicas(&self, cluster: ClusterId) -> Sums {
        let names = &self.resolved.names[cluster];
        let last = self.scraped[cluster].numbers.iter().filter_map(|(of, samples)| match of {
            Series::Workload(service, WorkloadMetric::Replicas) => {
                Some((names.workload_of(&self.name(*service)), samples.last()?.1))
            }
            _ => None,
        });
        sums(last)
    }

    fn name(&self, service: ServiceId) -> String {
        self.resolved.description.application.services[service].name.clone()
    }

    fn service_of(&self, pod: PodName) -> String {
        let description = &self.resolved.description;
        let ids = PodIds::new(description.clusters.len(), description.application.services.len());
        self.name(ids.service_of(pod.pod))
    }

    /// Requests to a service, by its name, that a client's proxy counts, of those that ended well.
    fn called(&self, of: &HttpSeries) -> Option<String> {
        (of.reporter == Reporter::Source && of.code == 200).then(|| self.name(of.called))
    }

    /// Those that the servers of a cluster count.
    fn served(&self, of: &HttpSeries, cluster: ClusterId) -> Option<String> {
        let is_there = of.destination.is_some_and(|(_, it)| it == cluster);
        (of.reporter == Reporter::Destination && of.code == 200 && is_there).then(|| self.name(of.called))
    }

    /// What answers carry from the servers of a cluster to callers in another one, in Mbit/s.
    fn answers(&self, from: ClusterId, to: ClusterId) -> Sums {
        let key = |of: &HttpSeries| {
            self.served(of, from).filter(|_| of.source_cluster == to).map(|_| String::new())
        };
        scaled(&self.requests(60, |it| it.response.sum as f64, key), 8e-6)
    }

    /// What an expression of the dashboard comes to, by its number.
    fn expected(&self, number: usize) -> Sums {
        let requests = |it: &HttpCounts| it.requests as f64;
        let served = |cluster| self.requests(60, requests, |of| self.served(of, cluster));
        // The calls of s0, wherever it is.
        let of_users = || {
            let both = [CLOUD, EDGE].map(|cluster| served(cluster).get("s0").copied().unwrap_or(0.0));
            both[0] + both[1]
        };
        match number {
            0 => {
                let sum = self.requests(60, |it| it.duration.sum as f64, |of| self.called(of));
                over(&sum, &self.requests(60, requests, |of| self.called(of)))
            }
            1 => self.p90(),
            2 => served(CLOUD),
            3 => served(EDGE),
            4 => self.answers(CLOUD, EDGE),
            5 => self.answers(EDGE, CLOUD),
            6 => self.containers(CLOUD, ContainerMetric::Memory, None),
            7 => self.containers(EDGE, ContainerMetric::Memory, None),
            8 => self.containers(CLOUD, ContainerMetric::CpuSeconds, Some(120)),
            9 => self.containers(EDGE, ContainerMetric::CpuSeconds, Some(120)),
            10 => self.replicas(CLOUD),
            11 => self.replicas(EDGE),
            12 => scaled(&served(CLOUD), 1.0 / of_users()),
            13 => scaled(&served(EDGE), 1.0 / of_users()),
            14 => over(
                &self.cells(120, |it| it.internal.nanos as f64 / 1e6),
                &self.cells(120, |it| it.internal.count as f64),
            ),
            15 => over(
                &self.cells(120, |it| it.external.nanos as f64 / 1e6),
                &self.cells(120, |it| it.external.count as f64),
            ),
            _ => panic!("an expression that this test does not know"),
        }
    }

    fn p90(&self) -> Sums {
        let source = |of: &HttpSeries| (of.reporter == Reporter::Source).then(|| self.name(of.called));
        let buckets: Vec<Sums> = (0..=BOUNDS_MS.len())
            .map(|bucket| self.requests(60, |it| it.duration.buckets.counts()[bucket] as f64, source))
            .collect();
        let of = |service: &String| {
            let counts: Vec<f64> = buckets.iter().map(|it| it[service]).collect();
            histogram_quantile(0.9, &BOUNDS_MS, &counts).unwrap()
        };
        buckets[0].keys().map(|service| (service.clone(), of(service))).collect()
    }
}

/// What the dashboard asks for and nobody can answer, and why.
const UNANSWERED: [(&str, &str); 1] = [(
    "provider1-consumer network traffic",
    "no service of the cloud calls one of the edge, in this application with s0 to s3 there",
)];

fn ms(at: SimTime) -> u64 {
    at.as_nanos() / 1_000_000
}

fn sums(each: impl Iterator<Item = (String, f64)>) -> Sums {
    let mut sums = Sums::new();
    each.for_each(|(key, value)| *sums.entry(key).or_default() += value);
    sums
}

fn scaled(sums: &Sums, by: f64) -> Sums {
    sums.iter().map(|(key, value)| (key.clone(), value * by)).collect()
}

fn over(above: &Sums, below: &Sums) -> Sums {
    above.iter().map(|(key, value)| (key.clone(), value / below[key])).collect()
}

fn demonstration(settings: &[&str]) -> Resolved {
    let settings: Vec<Setting> = settings.iter().map(|it| Setting::parse(it).unwrap()).collect();
    let scenario = Scenario::open("fluidos-mesh", &settings).unwrap();
    scenario.resolve(scenario.strategy(Some("s0-s3")).unwrap()).unwrap()
}

/// The expressions of a Grafana dashboard with the names of their panels, with its variables put in.
fn expressions(dashboard: &serde_json::Value) -> Vec<(String, String)> {
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let mut all = Vec::new();
    let mut panels: Vec<&serde_json::Value> = dashboard["panels"].as_array().unwrap().iter().rev().collect();
    while let Some(panel) = panels.pop() {
        panels.extend(panel["panels"].as_array().into_iter().flatten().rev());
        for target in panel["targets"].as_array().into_iter().flatten() {
            let mut expression = target["expr"].as_str().unwrap_or_default().to_owned();
            for variable in variables {
                let name = format!("${}", variable["name"].as_str().unwrap());
                expression = expression.replace(&name, variable["current"]["value"].as_str().unwrap());
            }
            if !expression.is_empty() {
                all.push((panel["title"].as_str().unwrap().to_owned(), expression));
            }
        }
    }
    all
}

/// Writes the metrics of a run to a file, and has it read.
fn export(name: &str, resolved: &Resolved) -> (PathBuf, server::Server) {
    let folder = folder(name);
    let export = Export {
        file: folder.join("metrics.txt"),
        start: StartTime::DEFAULT,
        interval: ScrapeInterval::DEFAULT,
    };
    export.prepare(resolved, false).unwrap();
    assert!(export.run(resolved, &Watch::default()).unwrap());
    let server = serve(&folder, &export.file);
    (export.file, server)
}

fn time(at: SimTime) -> String {
    format!("{:.3}", (StartTime::DEFAULT.ms() + ms(at)) as f64 / 1e3)
}

#[test]
fn the_demonstrations_dashboard_shows_what_was_simulated() {
    let test = "the_demonstrations_dashboard_shows_what_was_simulated";
    let default = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("MESHSIM_SHARED").map_or(default, PathBuf::from);
    let path = shared.join("reference/istio-for-liqo/telemetry/fluidosmesh-dashboad.json");
    let Ok(dashboard) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {test} (no {})", path.display());
        return;
    };
    if !is_installed(test) {
        return;
    }
    let resolved = demonstration(&["run.duration=5min", "run.warm_up=0s"]);
    let run = Run::new(resolved);
    let (_, server) = export("dashboard", &run.resolved);
    let all = expressions(&serde_json::from_str(&dashboard).unwrap());
    assert_eq!(all.len(), 16, "{all:?}");
    for (number, (panel, expression)) in all.iter().enumerate() {
        let told: Sums = answer(&server.url, &time(run.now), expression)
            .into_iter()
            .map(|(labels, value)| (labels.into_values().collect(), value))
            .collect();
        let expected = run.expected(number);
        if let Some((_, why)) = UNANSWERED.iter().find(|(title, _)| title == panel) {
            assert!(told.is_empty() && expected.is_empty(), "{panel}: {why}, and there is an answer");
            continue;
        }
        assert!(!told.is_empty(), "{panel}: no answer to {expression}");
        let keys = |sums: &Sums| sums.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&told), keys(&expected), "{panel}: {expression}");
        for (key, told) in told {
            let right = expected[&key];
            let is_close = (told - right).abs() <= 1e-6 * right.abs() || (told.is_nan() && right.is_nan());
            assert!(is_close, "{panel}, {key}: Prometheus says {told}, the run {right}");
        }
    }
}

/// What the gateway counts is what the users' log says, request by request.
#[test]
fn the_gateways_counters_are_the_request_log() {
    // Nothing stands between a user and the gateway.
    let resolved = demonstration(&[
        "run.duration=3min",
        "run.warm_up=0s",
        "users.edge1.access.rtt=0ms",
        "users.edge1.access.bandwidth=1000Tbit/s",
    ]);
    let run = Run::new(resolved);
    let gateways =
        run.scraped[EDGE].http.iter().filter(|(of, _)| matches!(of.instance, Instance::Gateway(_)));
    let mut counted = 0;
    for (of, samples) in gateways {
        let (at, last) = samples.last().unwrap();
        let ended = |it: &&RequestRow| {
            it.end.is_some_and(|end| it.arrival + end.latency <= *at && end.status.code() == of.code)
        };
        let rows: Vec<&RequestRow> = run.rows.iter().filter(ended).collect();
        let mut histogram = IstioHistogram::default();
        let latencies = rows.iter().map(|it| it.end.unwrap().latency.as_nanos() / 1_000_000);
        let sum: u64 = latencies.inspect(|ms| histogram.record(*ms as f64)).sum();
        assert_eq!(last.requests, rows.len() as u64, "{of:?}");
        // The last byte of an answer takes some nanoseconds to its user.
        assert!(sum.abs_diff(last.duration.sum) <= 2, "{sum} and {}", last.duration.sum);
        let apart = histogram.counts().iter().zip(last.duration.buckets.counts());
        assert!(apart.map(|(a, b)| a.abs_diff(*b)).sum::<u64>() <= 2, "{histogram:?}");
        counted += last.requests;
    }
    assert!(counted > 8_000, "{counted}");
}

/// Scrapes change nothing of a run, and two files of one run are the same bytes.
#[test]
fn scrapes_change_nothing() {
    let resolved = demonstration(&["run.duration=20s", "run.warm_up=0s"]);
    let run = Run::new(resolved.clone());
    let outcome = meshsim_scenarios::experiment::replication::run(
        std::slice::from_ref(&resolved),
        0,
        meshsim_scenarios::experiment::replication::Keep {
            rows: meshsim_scenarios::experiment::replication::Rows::Kept,
            ..Default::default()
        },
        &Watch::default(),
    );
    let mut rows = run.rows.clone();
    rows.sort_unstable_by_key(RequestRow::order);
    let unscraped: Vec<RequestRow> = outcome.unwrap()[0].rows.iter().map(|(row, _)| *row).collect();
    assert!(rows == unscraped && rows.len() > 900);
    let folder = folder("scrapes-change-nothing");
    let files = ["a", "b"].map(|name| {
        let export =
            Export { file: folder.join(name), start: StartTime::DEFAULT, interval: ScrapeInterval::DEFAULT };
        assert!(export.run(&resolved, &Watch::default()).unwrap());
        std::fs::read(&export.file).unwrap()
    });
    assert!(files[0] == files[1] && files[0].ends_with(b"# EOF\n"));
}
