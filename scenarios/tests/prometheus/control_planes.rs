//! What istiod, Liqo's gateways and pods' interfaces say, against closed forms, and as the real Prometheus answers the expressions of
//! Istio's board of its control plane and of Liqo's board of its network.
//!
//! # Source
//! istio/istio, `manifests/addons/dashboards/pilot-dashboard.gen.json`; liqotech/liqo, `docs/_downloads/grafana/liqonetwork.json`.

use super::names::labels_of;
use super::server::{answer, folder, is_installed};
use super::{CLOUD, EDGE, Run, export, time};
use meshsim_core::SimTime;
use meshsim_models::ids::ClusterId;
use meshsim_models::telemetry::exporters::istiod::IstiodCounts;
use meshsim_models::telemetry::exporters::samples::{InterfaceMetric, Series, TunnelMetric};
use meshsim_scenarios::scenario::Scenario;

/// The servers of `back` are offloaded; a route changes after a minute, and after two the link is cut for one.
const SCENARIO: &str = r#"
name = "control-planes"
federation = "liqo"
[run]
duration = "4min"
warm_up = "0s"
replications = 1
[liqo]
consumer = "cloud"
[liqo.slice]
cpu = "8"
memory = "32Gi"
[liqo.offloading]
services = ["back"]
pod_offloading_strategy = "Remote"
[istiod]
cluster = "cloud"
cores = 1
push_throttle = 1
prepare = "10ms"
full_push = "200ms"
[clusters.cloud]
nodes = [{ cores = "16" }]
services = "all"
replicas = { front = 3, back = 2 }
[clusters.edge]
nodes = [{ cores = "16" }]
services = []
[links.wan]
between = ["cloud", "edge"]
rtt = "20ms"
bandwidth = "1Gbit/s"
[services.front]
service_time = "1ms"
endpoints.page = { calls = ["back"] }
[services.back]
service_time = "1ms"
endpoints.get = { response_size = "10kB" }
[users.cloud]
cluster = "cloud"
service = "front"
rate = "20/s"
timeout = "2s"
[[changes]]
at = "60s"
service = "back"
kind = "configure"
routes = [{ timeout = "1s" }]
[[faults]]
at = "2min"
for = "1min"
link = "wan"
kind = "blackhole"
"#;

/// A request without a body and an answer of 10 kB on the wire: headers, 22 bytes of TLS, and 52 bytes for each segment of 1288.
const REQUEST: u64 = 400 + 22 + 52;
const ANSWER: u64 = 250 + 10_000 + 22 + 8 * 52;

fn run() -> Run {
    let path = folder("control-planes-scenario").join("scenario.toml");
    std::fs::write(&path, SCENARIO).unwrap();
    let scenario = Scenario::open(path.to_str().unwrap(), &[]).unwrap();
    Run::new(scenario.resolve(scenario.strategy(None).unwrap()).unwrap())
}

fn until(seconds: f64) -> impl Fn(&&(SimTime, f64)) -> bool {
    move |(at, _)| at.as_secs_f64() <= seconds
}

impl Run {
    fn tunnel(&self, from: ClusterId, to: ClusterId, metric: TunnelMetric) -> &[(SimTime, f64)] {
        &self.scraped[from].numbers[&Series::Tunnel(to, metric)]
    }
}

/// One push at a time, 200 ms each: the proxy that is the k-th in the queue waits for those before it.
#[test]
fn istiod_counts_what_it_pushes() {
    let run = run();
    let [(0, samples)] = run.scraped[CLOUD].istiod.iter().map(|(it, all)| (*it, all)).collect::<Vec<_>>()[..]
    else {
        panic!("there is one replica")
    };
    assert!(run.scraped[EDGE].istiod.is_empty());
    // When the offloaded pods are there, and when the route has changed.
    let at = |second: f64| samples.iter().rfind(|(at, _)| at.as_secs_f64() < second).unwrap().1;
    let (before, counts) = (at(59.0), at(80.0));
    // A gateway in each cluster, and five sidecars.
    let proxies = 7;
    assert_eq!(counts.connected, proxies);
    let (proxies, ms) = (u64::from(proxies), 1_000_000);
    let more = |of: fn(&IstiodCounts) -> u64| of(&counts) - of(&before);
    assert_eq!([more(|it| it.updates[0]), more(|it| it.updates[1])], [1, 0]);
    assert_eq!([more(|it| it.context.nanos), more(|it| it.debounce.nanos)], [10 * ms, 110 * ms]);
    assert_eq!([more(|it| it.queue.count), more(|it| it.convergence.count)], [proxies; 2]);
    assert_eq!(more(|it| it.queue.nanos), 200 * ms * proxies * (proxies - 1) / 2);
    assert_eq!(more(|it| it.convergence.nanos), 200 * ms * proxies * (proxies + 1) / 2);
    // Up to 0.1 and 0.5 s, 1 s, and more.
    let buckets = |of: fn(&IstiodCounts) -> &[u64]| -> Vec<u64> {
        of(&counts).iter().zip(of(&before)).map(|(more, fewer)| more - fewer).collect()
    };
    assert_eq!(buckets(|it| &it.queue.buckets)[..4], [1, 2, 3, 1]);
    assert_eq!(buckets(|it| &it.convergence.buckets)[..4], [0, 2, 3, 2]);
    // A proxy whose connection was too old would get all there is beside.
    for pushes in [more(|it| it.pushes[0]), more(|it| it.pushes[1]), more(|it| it.pushes[3])] {
        assert_eq!(pushes, proxies);
    }
    // The cut takes the endpoints behind it away, which is a push of endpoints.
    let (_, last) = samples.last().unwrap();
    assert!(last.updates[1] > counts.updates[1], "{last:?}");
    assert!(last.pushes[1] - counts.pushes[1] >= proxies && last.pushes[0] < counts.pushes[0] + proxies);
}

#[test]
fn liqos_gateways_say_what_passes_their_tunnel() {
    let run = run();
    let connected = run.tunnel(CLOUD, EDGE, TunnelMetric::IsConnected);
    let at = |second: f64| connected.iter().rfind(until(second)).unwrap().1;
    // A cut is noticed 8 to 11 s later.
    assert_eq!([at(119.0), at(127.0), at(150.0), at(235.0)], [1.0, 1.0, 0.0, 1.0], "{connected:?}");
    let latency = run.tunnel(CLOUD, EDGE, TunnelMetric::Latency);
    assert!(
        latency.len() < connected.len() && latency.iter().all(|(_, us)| (20_000.0..21_000.0).contains(us))
    );
    let last = |from, to, metric| run.tunnel(from, to, metric).iter().rfind(until(119.0)).unwrap().1;
    for (from, to) in [(CLOUD, EDGE), (EDGE, CLOUD)] {
        let sent = last(from, to, TunnelMetric::Transmitted);
        let received = last(to, from, TunnelMetric::Received);
        // Each gateway is scraped at a moment of its own.
        assert!(sent > 1e5 && (sent - received).abs() < 0.15 * sent, "{sent} and {received}");
    }
}

#[test]
fn interfaces_carry_requests_and_answers_with_their_headers() {
    let run = run();
    let before = |metric| {
        let of = |(of, samples): (&Series, &Vec<(SimTime, f64)>)| match of {
            Series::Interface(_, it) if *it == metric => samples.iter().rfind(until(119.0)).map(|it| it.1),
            _ => None,
        };
        run.scraped[EDGE].numbers.iter().filter_map(of).map(|it| it as u64).collect::<Vec<_>>()
    };
    let (received, sent) = (before(InterfaceMetric::Received), before(InterfaceMetric::Transmitted));
    assert_eq!((received.len(), sent.len()), (2, 2));
    for (received, sent) in received.into_iter().zip(sent) {
        assert!(received % REQUEST == 0 && sent % ANSWER == 0, "{received} and {sent}");
        let (requests, answers) = (received / REQUEST, sent / ANSWER);
        assert!(requests > 500 && requests == answers, "{requests} and {answers}");
    }
}

#[test]
fn the_boards_of_istiod_and_liqo_show_what_was_simulated() {
    if !is_installed("the_boards_of_istiod_and_liqo_show_what_was_simulated") {
        return;
    }
    let run = run();
    let (file, server) = export("control-planes", &run.resolved);
    let ask = |expression: &str| -> Vec<f64> {
        answer(&server.url, &time(run.now), expression).into_values().collect()
    };
    let counts = run.scraped[CLOUD].istiod[&0].last().unwrap().1;
    let last = |from, to, metric| run.tunnel(from, to, metric).last().unwrap().1;
    let [sent, received] =
        [TunnelMetric::Transmitted, TunnelMetric::Received].map(|it| last(CLOUD, EDGE, it));
    for (expression, expected) in [
        ("sum(pilot_xds{app=\"istiod\"})", vec![f64::from(counts.connected)]),
        ("sum by (type) (pilot_xds_pushes)", counts.pushes.map(|it| it as f64).to_vec()),
        ("sum by (type) (pilot_inbound_updates)", counts.updates.map(|it| it as f64).to_vec()),
        ("pilot_services", vec![2.0]),
        ("pilot_proxy_convergence_time_sum", vec![counts.convergence.nanos as f64 / 1e9]),
        ("pilot_proxy_queue_time_count", vec![counts.queue.count as f64]),
        ("pilot_pushcontext_init_seconds_bucket{le=\"0.01\"}", vec![counts.context.buckets[0] as f64]),
        ("pilot_debounce_time_bucket{le=\"+Inf\"}", vec![counts.debounce.count as f64]),
        ("liqo_peer_is_connected{cluster_id=\"edge\"}", vec![1.0]),
        ("sum by (cluster_id) (liqo_peer_latency_us{cluster_id=\"edge\"})", vec![20_400.0]),
        ("sum by (cluster_id) (liqo_peer_transmit_bytes_total{cluster_id=\"edge\"}) * 8", vec![8.0 * sent]),
        (
            "sum by (cluster_id) (liqo_peer_receive_bytes_total{cluster_id=\"edge\"}) * 8",
            vec![8.0 * received],
        ),
        ("count(liqo_peer_is_connected) - sum(liqo_peer_is_connected)", vec![0.0]),
        ("count(container_network_transmit_bytes_total{interface=\"eth0\",pod=~\"back.*\"})", vec![2.0]),
    ] {
        assert_eq!(ask(expression), expected, "{expression}");
    }
    // Half of the proxies had theirs within half a second to a second.
    let median = "histogram_quantile(0.5, sum(rate(pilot_proxy_convergence_time_bucket[4m])) by (le))";
    assert!(ask(median).iter().all(|it| *it <= 1.0) && ask(median).len() == 1, "{:?}", ask(median));
    // What the boards ask for beside, and why there is no answer.
    for (expression, why) in [
        ("pilot_total_xds_rejects", "no proxy rejects what it is sent"),
        ("pilot_push_triggers", "why a push was made is kept per push, not per proxy"),
        ("pilot_xds_push_time_bucket", "what a push takes is not told apart by type"),
        ("pilot_xds_config_size_bytes_bucket", "what is pushed has a size as a whole, not by type"),
        ("pilot_virt_services", "routes are the scenario's, not objects"),
        ("pilot_k8s_reg_events", "an API server tells of endpoints alone"),
        ("liqo_peer_latency_histogram_us_bucket", "Liqo 1.2 has none"),
        ("liqo_virtual_kubelet_reflection_item_counter", "what passes Liqo's work queues is not simulated"),
        ("liqo_wireguard_implementation", "a tunnel has costs, and no implementation"),
    ] {
        assert!(ask(expression).is_empty(), "{expression}: {why}");
    }
    let text = std::fs::read_to_string(file).unwrap();
    for (name, labels) in [
        ("pilot_xds", &["version", "pod", "namespace", "container", "job", "instance", "app"][..]),
        ("pilot_xds_pushes", &["type", "pod"]),
        ("pilot_inbound_updates", &["type", "pod"]),
        ("pilot_proxy_queue_time_bucket", &["le", "pod"]),
        ("liqo_peer_receive_bytes_total", &["driver", "cluster_id", "pod", "namespace", "container"]),
        ("liqo_peer_latency_us", &["driver", "cluster_id"]),
        ("container_network_receive_bytes_total", &["interface", "pod", "namespace", "id", "name", "image"]),
    ] {
        let of = format!("{name}{{");
        let line =
            text.lines().find(|it| it.starts_with(&of)).unwrap_or_else(|| panic!("there is no {name}"));
        let found = labels_of(line);
        assert!(labels.iter().all(|it| found.get(it).is_some_and(|it| !it.is_empty())), "{line}");
    }
}
