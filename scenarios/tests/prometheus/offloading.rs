//! What an offloading controller measures is what the real Prometheus answers to the original's queries over the run's exported
//! metrics: by other scrapes, each target's at its own phase, of both ends' counters.

use super::server::{Server, answer, is_installed};
use super::{export, time};
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::ids::ServiceId;
use meshsim_models::offloading::queries::{Input, Quantity};
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::replication::{Keep, run};
use meshsim_scenarios::library;
use meshsim_scenarios::scenario::Scenario;

/// Users in the cloud have a third of the load; s0 is at the edge from the first decision on, and the alarm goes on.
const STEERED: &str = r#"
policy = "fixed"
services = ["s0", "s3"]
query_period = "18min"
offload_delay = "40ms"
unoffload_delay = "10ms"
[users.cloud]
cluster = "cloud"
service = "s0"
rate = "50/s"
"#;

/// Those of a decision that are not zero, and how many there are of each kind at least.
const LEAST: [(Quantity, usize); 9] = [
    (Quantity::MeanDelay, 1),
    (Quantity::QuantileDelay, 1),
    (Quantity::UserRate, 1),
    (Quantity::ResourceScaling, 1),
    (Quantity::ServiceRate, 10),
    (Quantity::Calls, 10),
    (Quantity::ResponseBytes, 10),
    (Quantity::CloudCpu, 10),
    (Quantity::EdgeCpu, 2),
];

/// The original's query for an input.
fn query(input: &Input, name: impl Fn(ServiceId) -> String) -> String {
    let gateway = "source_app=\"istio-ingressgateway\",source_workload_namespace=\"istio-system\"";
    let users = format!(
        "reporter=\"source\",{gateway},cluster=\"edge1\",destination_app=~\"s[0-9]\",response_code=\"200\""
    );
    let all_users = users.replace("cluster=\"edge1\",", "");
    let rate = |metric: &str, labels: &str| format!("rate({metric}{{{labels}}}[18m])");
    let requests = |labels: &str| format!("sum({})", rate("istio_requests_total", labels));
    let (duration, bytes) = ("istio_request_duration_milliseconds", "istio_response_bytes");
    let called = input.service.map_or_else(String::new, &name);
    let served = |service: &str| {
        format!("reporter=\"destination\",destination_app=\"{service}\",response_code=\"200\"")
    };
    let cpu = |cluster: &str| {
        let labels = format!("cluster=\"{cluster}\",pod=~\"{called}-.*\",container!=\"istio-proxy\"");
        format!("sum({})", rate("container_cpu_usage_seconds_total", &labels))
    };
    let mean = |metric: &str, labels: &str| {
        let [sum, count] = ["sum", "count"].map(|it| rate(&format!("{metric}_{it}"), labels));
        format!("sum({sum}) / sum({count})")
    };
    match input.quantity {
        Quantity::MeanDelay => mean(duration, &users),
        Quantity::QuantileDelay => {
            let buckets = rate(&format!("{duration}_bucket"), &users);
            let weights = format!("sum by (destination_app) ({})", rate("istio_requests_total", &users));
            let quantiles = format!("histogram_quantile(0.9, sum by (destination_app, le) ({buckets}))");
            format!("sum({quantiles} * {weights}) / sum({weights})")
        }
        Quantity::UserRate => requests(&users),
        Quantity::ResourceScaling => format!("{} / {}", requests(&users), requests(&all_users)),
        Quantity::ServiceRate => requests(&served(&called)),
        Quantity::Calls => {
            // The gateways of all clusters have one name.
            let (source, all) = match input.caller.map(&name) {
                Some(caller) => (format!("source_app=\"{caller}\""), requests(&served(&caller))),
                None => (gateway.to_owned(), requests(&users)),
            };
            format!("{} / {all}", requests(&format!("{},{source}", served(&called))))
        }
        Quantity::ResponseBytes => mean(bytes, &served(&called)),
        Quantity::CloudCpu => cpu("cloud"),
        Quantity::EdgeCpu => cpu("edge1"),
    }
}

fn ask(server: &Server, at: SimTime, expression: &str) -> f64 {
    let answers = answer(&server.url, &time(at), expression);
    assert_eq!(answers.len(), 1, "{expression}");
    answers.into_values().next().unwrap()
}

#[test]
fn the_controller_measures_what_prometheus_answers() {
    if !is_installed("the_controller_measures_what_prometheus_answers") {
        return;
    }
    let text = library::scenario("offloading-loop").unwrap().replace("\"ten-s", "\"library:ten-s");
    let text = text.split("[[strategy]]").next().unwrap().replace("rate = \"50/s\"", "rate = \"100/s\"");
    let text = text.replace("\"8min\"", "\"24min\"").replace("baseline = \"nothing\"\n", "") + STEERED;
    let scenario = Scenario::from_text("steered.toml", &text, &[], &[]).unwrap();
    let resolved = scenario.resolve(None).unwrap();
    let ran = run(std::slice::from_ref(&resolved), 0, Keep::default(), &Watch::default()).unwrap();
    let decisions: Vec<_> = ran[0].control.iter().flat_map(|it| &it.offloading).collect();
    // What the last one asks for has been there for longer than the window. Where a counter begins within it, Prometheus
    // extrapolates by up to 1.1 intervals or else by half of one, so that scrapes at other moments say another rate.
    let [first, .., last] = &decisions[..] else { panic!("{decisions:?}") };
    assert!(first.before.is_empty() && last.before.len() == 2, "{decisions:?}");
    let window = SimDuration::from_secs(18 * 60);
    assert!(last.at > first.at + window + SimDuration::from_secs(60), "{decisions:?}");
    let (file, server) = export("controller", &resolved);
    // It has some 300 MB, and the server has its blocks.
    std::fs::remove_file(file).unwrap();
    let name = |it: ServiceId| resolved.description.application.services[it].name.clone();
    let mut apart: Vec<String> = Vec::new();
    for it in &last.inputs {
        let expression = query(it, name);
        let right = ask(&server, last.at, &expression);
        if (it.value - right).abs() > 0.01 * right.abs() {
            apart.push(format!("{it:?}, and Prometheus says {right}: {expression}"));
        }
    }
    assert!(apart.is_empty(), "{}", apart.join("\n"));
    for (quantity, least) in LEAST {
        let count = last.inputs.iter().filter(|it| it.quantity == quantity).count();
        assert!(count >= least, "{quantity:?}: {count}");
    }
}
