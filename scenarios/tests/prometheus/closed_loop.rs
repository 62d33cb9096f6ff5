//! Simulated, exported, loaded into the real Prometheus, imported, and simulated again.

use super::server::{Server, folder, is_installed};
use super::{demonstration, export, time};
use meshsim_models::telemetry::istio_buckets::{BOUNDS_MS, IstioHistogram};
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::export::export as manifests_of;
use meshsim_scenarios::import::manifests::{self, Link, Nodes, Overlay};
use meshsim_scenarios::import::measured::{Answers, Imported, Measured, Options};
use meshsim_scenarios::lives::choice::Several;
use meshsim_scenarios::lives::{Following, Forms};
use meshsim_scenarios::resolve::Resolved;
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::results::openmetrics::{ScrapeInterval, scraped};
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::start_time::StartTime;
use meshsim_scenarios::traces::{self, Trace};
use meshsim_scenarios::validate::watch::{Cause, Predicted, cause};

/// How long everything is run, and the last part of it that is looked at.
const RUN: [&str; 2] = ["run.duration=12min", "run.warm_up=0s"];
const WINDOW: &str = "10m";

/// A page with stock and tax, whose laws are put in.
fn shop(page: &str, stock: &str, tax: &str, body: &str) -> Resolved {
    let text = format!(
        r#"
[mesh.traffic_policy]
outlier_detection = {{}}
[clusters.cloud]
zone = "cloud"
nodes = [{{ cores = "16" }}]
services = ["stock", "tax"]
[clusters.edge]
zone = "edge"
nodes = [{{ cores = "8" }}]
services = ["page"]
[links.wan]
between = ["cloud", "edge"]
rtt = "20ms"
bandwidth = "1Gbit/s"
[services.page.endpoints.default]
service_time = {page}
response_size = {body}
calls = ["stock", {{ service = "tax", probability = 0.4 }}]
[services.stock.endpoints.default]
service_time = {stock}
response_size = "4kB"
errors = 0.01
[services.tax.endpoints.default]
service_time = {tax}
[users.edge]
cluster = "edge"
service = "page"
rate = "20/s"
"#
    );
    Scenario::from_text("shop.toml", &text, &[], &settings()).unwrap().resolve(None).unwrap()
}

fn settings() -> Vec<Setting> {
    RUN.iter().map(|it| Setting::parse(it).unwrap()).collect()
}

/// What says of a shop where it runs.
fn around_shop() -> Options {
    options(&["cloud=1x16", "edge=1x8"], "cloud:edge=20ms,1Gbit/s", "")
}

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

/// What Prometheus has of a run.
fn asked(name: &str, resolved: &Resolved) -> (Answers, Server) {
    let (_, server) = export(name, resolved);
    let at: f64 = time(resolved.description.end()).parse().unwrap();
    let answers = Answers::ask(&server.url, at, WINDOW).unwrap();
    // As saved and read again.
    let saved: Answers = serde_json::from_str(&answers.to_json()).unwrap();
    (saved, server)
}

/// Spans of so many requests of a run.
fn spans(name: &str, resolved: &Resolved, count: usize, which: Several) -> Trace {
    let following = Following { which, count, forms: Forms::default(), start: StartTime::DEFAULT };
    let told = following.follow(resolved, 0.0, &Watch::default()).unwrap();
    let folder = folder(name);
    told.write(&mut Folder::claim(&folder, true).unwrap()).unwrap();
    traces::read(&folder.join("spans.json"), &traces::Options::default()).unwrap()
}

fn options(nodes: &[&str], link: &str, overlay: &str) -> Options {
    Options {
        name: "again".to_owned(),
        nodes: nodes.iter().map(|it| Nodes::parse(it).unwrap()).collect(),
        links: vec![Link::parse(link).unwrap()],
        overlay: Some(Overlay::from_text("overlay.toml", overlay).unwrap()),
    }
}

fn again(imported: &Imported) -> Resolved {
    Scenario::from_text("again.toml", &imported.scenario, &[], &settings()).unwrap().resolve(Some(0)).unwrap()
}

/// Calls per request by who calls whom.
fn arcs(resolved: &Resolved) -> Vec<(String, String, f64)> {
    let application = &resolved.description.application;
    let mut arcs = Vec::new();
    for endpoint in &application.endpoints {
        for call in endpoint.groups.iter().flat_map(|it| &it.calls) {
            let to = application.endpoints[call.endpoint].service;
            let [from, to] = [endpoint.service, to].map(|it| application.services[it].name.clone());
            arcs.push((from, to, call.probability));
        }
    }
    arcs.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    arcs
}

/// The graph within 2 %, mean within 3 %, p90 within a share, and in the same bucket of Istio.
fn holds(name: &str, [was, is]: [&Resolved; 2], p90: f64, imported: &Imported) {
    let [before, after] = [was, is].map(arcs);
    assert_eq!(before.len(), after.len(), "{name}: {}", imported.scenario);
    for (was, is) in before.iter().zip(&after) {
        assert_eq!((&was.0, &was.1), (&is.0, &is.1), "{name}");
        assert!((was.2 - is.2).abs() <= 0.02, "{name}: {was:?} {is:?}");
    }
    let [was, is] = [was, is].map(latencies);
    eprintln!("{name}: mean, p90, p90 of a dashboard were {was:.2?} ms, are {is:.2?} ms");
    let (text, report) = (&imported.scenario, &imported.report);
    assert!((is[0] - was[0]).abs() <= 0.03 * was[0], "{name}, mean: {is:?} was {was:?}\n{text}");
    assert!((is[1] - was[1]).abs() <= p90 * was[1], "{name}, p90: {is:?} was {was:?}\n{text}\n{report}");
    let bucket = |ms: f64| BOUNDS_MS.partition_point(|bound| *bound < ms);
    assert_eq!(bucket(is[2]), bucket(was[2]), "{name}, p90 of a dashboard: {is:?} was {was:?}");
}

fn imported(answers: &Answers, trace: Option<&Trace>, options: &Options) -> Imported {
    Measured::new(Some((answers, WINDOW)), trace).unwrap().import(options).unwrap()
}

/// A library scenario in a strategy.
fn library(name: &str, strategy: &str) -> Resolved {
    let scenario = Scenario::open(name, &settings()).unwrap();
    scenario.resolve(scenario.strategy(Some(strategy)).unwrap()).unwrap()
}

/// A frontend whose time is always the same, a catalogue of exponential times and a cart of constant ones.
#[test]
fn the_starter_comes_back_from_metrics_and_spans() {
    if !is_installed("the_starter_comes_back_from_metrics_and_spans") {
        return;
    }
    let was = library(concat!(env!("CARGO_MANIFEST_DIR"), "/library/starter.toml"), "entry");
    let (answers, _server) = asked("starter", &was);
    let options = options(&["cloud=1x16", "edge1=1x8"], "cloud:edge1=40ms,1Gbit/s", "");
    let of_metrics = imported(&answers, None, &options);
    holds("starter", [&was, &again(&of_metrics)], 0.1, &of_metrics);
    let trace = spans("starter-spans", &was, 4_000, Several::Sampled);
    let with_spans = imported(&answers, Some(&trace), &options);
    holds("starter, with spans", [&was, &again(&with_spans)], 0.03, &with_spans);
}

/// Six kinds of requests with gamma times, gRPC, and limits of a fifth of a core: spans tell them apart.
#[test]
fn online_boutique_comes_back_from_spans() {
    if !is_installed("online_boutique_comes_back_from_spans") {
        return;
    }
    let was = library("online-boutique", "cloud-only");
    let (answers, _server) = asked("boutique", &was);
    let options = options(&["cloud=1x16", "edge1=1x16"], "cloud:edge1=20ms,1Gbit/s", "");
    let trace = spans("boutique-spans", &was, 8_000, Several::Sampled);
    let with_spans = imported(&answers, Some(&trace), &options);
    let of_metrics = again(&imported(&answers, None, &options));
    let [was, of_metrics, is] = [&was, &of_metrics, &again(&with_spans)].map(latencies);
    eprintln!(
        "online boutique: mean, p90, p90 of a dashboard were {was:.2?} ms, are {of_metrics:.2?} ms by metrics alone, {is:.2?} ms \
         with spans"
    );
    assert!((is[0] - was[0]).abs() < (of_metrics[0] - was[0]).abs(), "one kind of request stands for six");
    assert!((is[0] - was[0]).abs() <= 0.03 * was[0], "{is:?} was {was:?}\n{}", with_spans.scenario);
    assert!((is[1] - was[1]).abs() <= 0.1 * was[1], "{is:?} was {was:?}\n{}", with_spans.report);
}

/// The demonstration's bodies are exponential; who comes to the gateway how is none of its metrics.
#[test]
fn what_prometheus_has_of_a_run_imports_to_the_same_run() {
    if !is_installed("what_prometheus_has_of_a_run_imports_to_the_same_run") {
        return;
    }
    let was = demonstration(&RUN);
    let (answers, server) = asked("closed-loop", &was);
    let overlay = "[users.provider1-s0]\naccess = { rtt = \"1ms\", bandwidth = \"1Gbit/s\" }\n\
                   [links.consumer-provider1]\nmtu = \"1340B\"\ntunnel_overhead = \"110B\"\n";
    let options = options(&["consumer=2x16", "provider1=1x16"], "consumer:provider1=160ms,1Gbit/s", overlay);
    let of_metrics = imported(&answers, None, &options);
    let is = again(&of_metrics);
    holds("exponential", [&was, &is], 0.1, &of_metrics);
    assert!(of_metrics.report.contains("| s0 | body of an answer | exponential |"), "{}", of_metrics.report);
    // Spans of the same run beside them.
    let trace = spans("closed-loop-spans", &was, 4_000, Several::Sampled);
    let with_spans = imported(&answers, Some(&trace), &options);
    holds("exponential, with spans", [&was, &again(&with_spans)], 0.03, &with_spans);
    assert!(with_spans.report.contains("by the self times of its spans"), "{}", with_spans.report);
    // The prediction of what was imported is what Prometheus has, but for what is changed.
    let predicted = Predicted::new(&is, &Watch::default()).unwrap();
    let measured = Measured::new(Some((&answers, WINDOW)), None).unwrap();
    let residuals = predicted.against(Some(&measured), 600.0, 0.1);
    assert!(residuals.len() > 20 && cause(&residuals).is_none(), "{residuals:#?}");
    let slower = demonstration(&[RUN[0], RUN[1], "cell.cpu_scale=0.7"]);
    let residuals = Predicted::new(&slower, &Watch::default()).unwrap().against(Some(&measured), 600.0, 0.1);
    assert_eq!(cause(&residuals).unwrap().0, Cause::Cpu, "{residuals:#?}");
    drop(server);
}

#[test]
fn times_that_are_always_the_same_are_known_by_buckets_and_spans() {
    if !is_installed("times_that_are_always_the_same_are_known_by_buckets_and_spans") {
        return;
    }
    let was = shop("\"6ms\"", "\"12ms\"", "\"18ms\"", "\"30kB\"");
    let (answers, _server) = asked("deterministic", &was);
    let of_metrics = imported(&answers, None, &around_shop());
    holds("deterministic", [&was, &again(&of_metrics)], 0.1, &of_metrics);
    for of in ["stock | CPU time", "tax | CPU time", "page | body of an answer"] {
        let line = format!("| {of} | deterministic | 0 |");
        assert!(of_metrics.report.contains(&line), "{line}: {}", of_metrics.report);
    }
    let spans = spans("deterministic-spans", &was, 4_000, Several::Sampled);
    let with_spans = imported(&answers, Some(&spans), &around_shop());
    holds("deterministic, with spans", [&was, &again(&with_spans)], 0.03, &with_spans);
}

#[test]
fn times_that_are_a_product_of_factors_are_known_by_buckets_and_spans() {
    if !is_installed("times_that_are_a_product_of_factors_are_known_by_buckets_and_spans") {
        return;
    }
    let law = |mean: &str, cv: f64| format!("{{ law = \"log-normal\", mean = \"{mean}\", cv = {cv} }}");
    let was = shop(&law("12ms", 0.6), &law("30ms", 1.2), &law("60ms", 0.4), &law("30kB", 0.8));
    let (answers, _server) = asked("log-normal", &was);
    let of_metrics = imported(&answers, None, &around_shop());
    holds("log-normal", [&was, &again(&of_metrics)], 0.1, &of_metrics);
    assert!(of_metrics.report.contains("| stock | CPU time | log-normal |"), "{}", of_metrics.report);
    let sampled = spans("log-normal-spans", &was, 12_000, Several::Sampled);
    let with_spans = imported(&answers, Some(&sampled), &around_shop());
    holds("log-normal, with spans", [&was, &again(&with_spans)], 0.03, &with_spans);
    // Spans alone, of all requests for as long as there are any: sizes of bodies are not known then.
    let all = spans("log-normal-spans-alone", &was, 8_000, Several::First);
    let of_spans = Measured::new(None, Some(&all)).unwrap().import(&around_shop()).unwrap();
    holds("log-normal, spans alone", [&was, &again(&of_spans)], 0.1, &of_spans);
    assert!(of_spans.report.contains("their spans follow each other, in this order"), "{}", of_spans.report);
}

/// Manifests say where what runs, Prometheus what it does: one scenario, which fits what was measured.
#[test]
fn manifests_and_prometheus_come_to_one_scenario() {
    if !is_installed("manifests_and_prometheus_come_to_one_scenario") {
        return;
    }
    let scenario = Scenario::open("fluidos-mesh", &settings()).unwrap();
    let strategy = scenario.strategy(Some("s0-s3")).unwrap();
    let was = scenario.resolve(strategy).unwrap();
    let (answers, _server) = asked("manifests", &was);
    let exported = manifests_of(&scenario, strategy).unwrap();
    let folder = folder("manifests-of");
    for (name, text) in exported.files() {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let input = |name: &str, cluster: Option<&str>| manifests::Input {
        path: folder.join(name),
        cluster: cluster.map(ToOwned::to_owned),
    };
    let overlay = "[clusters.cloud]\nnames.cluster = \"consumer\"\n[clusters.edge1]\nnames.cluster = \"provider1\"\n\
                   [users.edge1-s0]\naccess = { rtt = \"1ms\", bandwidth = \"1Gbit/s\" }\n\
                   [links.cloud-edge1]\nmtu = \"1340B\"\ntunnel_overhead = \"110B\"\n";
    let options = manifests::Options {
        name: "both".to_owned(),
        inputs: vec![input("shared", None), input("cloud", Some("cloud")), input("edge1", Some("edge1"))],
        nodes: ["cloud=2x16", "edge1=1x16"].iter().map(|it| Nodes::parse(it).unwrap()).collect(),
        links: vec![Link::parse("cloud:edge1=160ms,1Gbit/s").unwrap()],
        overlay: Some(Overlay::from_text("overlay.toml", overlay).unwrap()),
        ..manifests::Options::default()
    };
    let measured = Measured::new(Some((&answers, WINDOW)), None).unwrap();
    let both = measured.import_beside(options.clone()).unwrap();
    assert!(both.workmodel.is_none() && both.scenario.contains("cpu_limit"), "{}", both.scenario);
    assert!(both.report.contains("as it was measured, not as the work model says"), "{}", both.report);
    let both = Imported { scenario: both.scenario, report: both.report, files: Vec::new() };
    holds("manifests and Prometheus", [&was, &again(&both)], 0.1, &both);
    // What metrics call a cluster is said by the overlay.
    let unnamed = manifests::Options { overlay: None, ..options };
    let wrong = measured.import_beside(unnamed).unwrap_err().to_string();
    assert!(wrong.contains("users were measured in cluster `provider1`"), "{wrong}");
}
