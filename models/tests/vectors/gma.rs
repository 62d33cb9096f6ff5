//! The offloading controller of the authors: its model, its strategies, and when it acts. One case per file.

use crate::read::{list, real_at, required, set, text, whole};
use meshsim_core::SimDuration;
use meshsim_models::offloading::analytic_model::{AnalyticModel, Cost, Delay, EdgeSet, Prices, Usage};
use meshsim_models::offloading::controller::{
    Action, Area, Controller, ControllerSettings, ControllerState, Delays, Scaled, Surroundings,
};
use meshsim_models::offloading::policy::Policy;
use meshsim_models::offloading::policy::sbmp::Sbmp;
use meshsim_models::offloading::policy::sbmp::candidates::Candidates;
use meshsim_models::offloading::policy::situation::{Request, Situation};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// What differs from what a file expects.
pub(crate) type Differences = Vec<String>;

/// A list of numbers, of which `null` is none.
fn reals(object: &Value, key: &str) -> Vec<f64> {
    list(object, key).iter().map(|it| it.as_f64().unwrap_or(f64::NAN)).collect()
}

fn real(object: &Value, key: &str) -> f64 {
    real_at(object, key).unwrap_or_else(|| panic!("`{key}` is a number"))
}

fn indices(object: &Value, key: &str) -> Vec<usize> {
    list(object, key).iter().map(|it| whole(it) as usize).collect()
}

fn same(a: f64, b: f64, within: f64) -> bool {
    a == b
        || (a.is_nan() && b.is_nan())
        || (a - b).abs() <= within * a.abs().max(b.abs())
        || (a - b).abs() < 1e-15
}

fn model(inputs: &Value) -> AnalyticModel {
    let count = whole(required(inputs, "index_count")) as usize;
    let mut calls = vec![vec![0.0; count]; count];
    for it in list(inputs, "call_frequency") {
        calls[whole(&it[0]) as usize][whole(&it[1]) as usize] = it[2].as_f64().expect("a number");
    }
    let prices = |of: &str| Prices {
        cpu: real(inputs, &format!("cost_cpu_{of}_per_core_hour")),
        memory: real(inputs, &format!("cost_memory_{of}_per_gb_hour")),
    };
    let target = set(inputs, "hpa_cpu_threshold").map(|_| reals(inputs, "hpa_cpu_threshold"));
    AnalyticModel {
        calls,
        response_bytes: reals(inputs, "response_bytes"),
        internal_delay: reals(inputs, "internal_delay_s"),
        round_trip: real(inputs, "rtt_s"),
        bandwidth: real(inputs, "bandwidth_bit_per_s"),
        rate: real(inputs, "request_rate_per_s"),
        cpu_request: reals(inputs, "cpu_request_cores"),
        memory_request: reals(inputs, "memory_request_gb"),
        cpu_target: target.unwrap_or_else(|| vec![0.6; 2 * count]),
        cloud_prices: prices("cloud"),
        edge_prices: prices("edge"),
        network_price: real(inputs, "cost_network_per_gb"),
        floors_pods: false,
    }
}

fn usage(inputs: &Value) -> Usage {
    Usage { cpu: reals(inputs, "cpu_used_cores"), memory: reals(inputs, "memory_used_gb") }
}

/// These services, and the gateway.
fn edge_of(model: &AnalyticModel, services: &[usize]) -> EdgeSet {
    let mut edge = model.void_edge();
    services.iter().for_each(|&service| edge[service] = true);
    edge
}

fn services(edge: &[bool]) -> Vec<usize> {
    (0..edge.len() - 1).filter(|&service| edge[service]).collect()
}

pub(crate) fn analytic(case: &Value, _: &Path) -> Differences {
    let inputs = &case["inputs"];
    let model = model(inputs);
    let [before, after] = ["edge_services_before", "edge_services_after"]
        .map(|key| model.delay(&edge_of(&model, &indices(inputs, key))));
    let used = usage(inputs);
    let shifted = model.shift(&used, &before.visits, &after.visits);
    let mut differences = Vec::new();
    for (name, delay, used) in [("before", &before, &used), ("after", &after, &shifted)] {
        let expected = &case["expected"][name];
        let cost = model.cost(used, delay);
        let mut number = |key: &str, got: f64| {
            let wanted = real(expected, key);
            if !same(got, wanted, 1e-9) {
                differences.push(format!("{name}.{key}: {got}, not {wanted}"));
            }
        };
        number("delay_total_s", delay.total);
        number("internal_delay_total_s", delay.internal);
        number("network_delay_total_s", delay.network);
        number("rho", delay.utilisation);
        number("cross_traffic_offered_bit_per_s", delay.offered);
        number("cross_traffic_charged_bit_per_s", delay.utilisation * model.bandwidth);
        number("cost_per_hour", cost.total());
        number("cost_edge_per_hour", cost.edge);
        number("cost_cloud_per_hour", cost.cloud);
        number("cost_network_per_hour", cost.network);
        let mut numbers = |key: &str, got: &[f64]| {
            let wanted = reals(expected, key);
            let all = wanted.len() == got.len() && wanted.iter().zip(got).all(|(a, b)| same(*a, *b, 1e-9));
            if !all {
                differences.push(format!("{name}.{key}: {got:?}, not {wanted:?}"));
            }
        };
        let half = model.indices();
        numbers("calls_per_request", &delay.visits);
        numbers("cpu_used_cores", &used.cpu);
        numbers("memory_used_gb", &used.memory);
        numbers("replicas_cloud", &cost.replicas[..half]);
        numbers("replicas_edge", &cost.replicas[half..]);
        let edge = edge_of(&model, &indices(inputs, &format!("edge_services_{name}")));
        let calls = model.instance_calls(&edge);
        let mut wanted = vec![vec![0.0; 2 * half]; 2 * half];
        for it in list(expected, "instance_call_frequency") {
            wanted[whole(&it[0]) as usize][whole(&it[1]) as usize] = it[2].as_f64().expect("a number");
        }
        if calls != wanted {
            differences.push(format!("{name}.instance_call_frequency: {calls:?}"));
        }
    }
    differences
}

/// What is believed of an edge set that is reached from the state of a case.
fn believed(model: &AnalyticModel, used: &Usage, before: &Delay, edge: &[bool]) -> (Delay, Cost) {
    let delay = model.delay(edge);
    let shifted = model.shift(used, &before.visits, &delay.visits);
    let cost = model.cost(&shifted, &delay);
    (delay, cost)
}

pub(crate) fn strategies(case: &Value, _: &Path) -> Differences {
    let inputs = &case["inputs"];
    let model = model(inputs);
    let used = usage(inputs);
    let edge = edge_of(&model, &indices(inputs, "edge_services"));
    let before = model.delay(&edge);
    let mut differences = Vec::new();
    for run in list(case, "runs") {
        let name = text(&run["strategy"]);
        let options = &run["options"];
        let mut locked = vec![false; model.indices()];
        indices(options, "locked_b").into_iter().for_each(|service| locked[service] = true);
        let situation = Situation { model: &model, edge: edge.clone(), usage: &used, locked, compat: true };
        let decided = policy(&model, case, name, options).decide(&situation, request(inputs, name, options));
        if text(&run["original_outcome"]) != "ok" {
            continue;
        }
        let expected = set(run, "expected_with_stable_order").unwrap_or(&run["expected"]);
        let Ok(decided) = decided else {
            differences.push(format!("{name}: {decided:?}, not {}", expected["edge_services"]));
            continue;
        };
        let (delay, cost) = believed(&model, &used, &before, &decided);
        let accepted = list(run, "accepted_edge_sets").iter().chain([&expected["edge_services"]]);
        let is_accepted = accepted.clone().any(|it| *it == json!(services(&decided)));
        let is_as_good = same(delay.total, real(expected, "delay_s"), 1e-6)
            && same(cost.total(), real(expected, "cost_per_hour"), 1e-6);
        if !(is_accepted || is_as_good) {
            differences.push(format!("{name}: {:?}, not {}", services(&decided), expected["edge_services"]));
        }
    }
    differences
}

fn request(inputs: &Value, name: &str, options: &Value) -> Request {
    match real_at(inputs, "delay_increase_target_s") {
        Some(target) if name.contains("unoffload") => {
            let stop = real_at(options, "delay_increase_stop_condition").unwrap_or(target);
            Request::Increase { target, stop }
        }
        _ => {
            let target = real(inputs, "delay_decrease_target_s");
            let stop = real_at(options, "delay_decrease_stop_condition").unwrap_or(target);
            Request::Decrease { target, stop }
        }
    }
}

fn policy(model: &AnalyticModel, case: &Value, name: &str, options: &Value) -> Policy {
    match name.split('_').next() {
        Some("mfu") => Policy::Mfu,
        Some("ia") => Policy::Ia,
        Some("ta") => Policy::Ta,
        Some("kahn") => Policy::Kahn,
        _ => {
            let rows = list(&case["traces"], "distinct_rows_without_user");
            let row = |row: &Value| {
                let services: Vec<usize> =
                    row.as_array().expect("a row").iter().map(|it| whole(it) as usize).collect();
                edge_of(model, &services)
            };
            let traces = || Candidates::Traces(rows.iter().map(|it| (row(it), 1)).collect());
            let whole_at = |key| set(options, key).map(|it| whole(it) as usize);
            Policy::Sbmp(Sbmp {
                candidates: if name.ends_with("copamp") { Candidates::Paths } else { traces() },
                expanding_depth: whole_at("expanding_depth").unwrap_or(model.indices()),
                max_sets: whole_at("max_sgs").unwrap_or(1_000_000),
            })
        }
    }
}

/// Edge sets with the delay and the cost that the model has for them, by the name of the case.
pub(crate) fn listed_sets(content: &Value, file: &Path) -> Differences {
    let mut differences = Vec::new();
    for (name, listed) in content.as_object().into_iter().flatten() {
        let Ok(text) = std::fs::read_to_string(file.with_file_name(format!("{name}.json"))) else { continue };
        let case: Value = serde_json::from_str(&text).expect("a case");
        let model = model(&case["inputs"]);
        let before = model.delay(&edge_of(&model, &indices(&case["inputs"], "edge_services")));
        let front = list(listed, "front");
        let sets = if front.is_empty() { std::slice::from_ref(listed) } else { front };
        for it in sets.iter().filter(|it| it.get("feasible") != Some(&json!(false))) {
            let edge = edge_of(&model, &indices(it, "edge_services"));
            let (delay, cost) = believed(&model, &usage(&case["inputs"]), &before, &edge);
            let wanted = [real(it, "delay_s"), real(it, "cost_per_hour")];
            if !(same(delay.total, wanted[0], 1e-6) && same(cost.total(), wanted[1], 1e-6)) {
                differences.push(format!("{name}: {:?}: {wanted:?}, not {delay:?}", services(&edge)));
            }
        }
    }
    differences
}

/// What a case of the state machine lets the controller see, and what it did.
struct Script<'a> {
    inputs: &'a Value,
    now: f64,
    calls: usize,
    replicas: [Vec<u32>; 2],
    timeline: Vec<Value>,
}

impl Script<'_> {
    /// The value of the step that holds now.
    fn step(&self, key: &str) -> Option<&Value> {
        list(self.inputs, key).iter().rfind(|it| real(it, "from_s") <= self.now)
    }
}

impl Surroundings for Script<'_> {
    fn autoscalers(&mut self, area: Area) -> Option<Vec<Scaled>> {
        let overrides = self.step("hpa_override_steps");
        if overrides.is_some_and(|it| it["api_error"] == json!(true)) {
            return None;
        }
        let name = if area == Area::Edge { "edge" } else { "cloud" };
        let mut listed: BTreeMap<usize, Scaled> = BTreeMap::new();
        for (service, &pods) in self.replicas[area as usize].iter().enumerate() {
            if area == Area::Cloud || pods > 0 {
                listed.insert(service, Scaled { service, current: pods, desired: pods });
            }
        }
        for it in overrides.into_iter().flat_map(|it| list(it, "overrides")) {
            if text(&it["cluster"]) == name {
                let service = whole(&it["service"]) as usize;
                let [current, desired] =
                    ["current_replicas", "desired_replicas"].map(|key| whole(&it[key]) as u32);
                listed.insert(service, Scaled { service, current, desired });
            }
        }
        Some(listed.into_values().collect())
    }

    fn delays(&mut self) -> Option<Delays> {
        let of = |key| self.step(key).map_or(0.0, |it| real(it, "value_ms"));
        Some(Delays { mean: of("mean_delay_ms_steps"), quantile: of("quantile_delay_ms_steps") })
    }

    fn enters(&mut self, state: ControllerState) {
        self.timeline.push(json!({"t_s": self.now, "enters_state": name_of(state)}));
    }

    fn acts(&mut self, action: Action) {
        let name = if action.offloads { "offloading" } else { "unoffloading" };
        self.timeline.push(json!({
            "t_s": self.now, "placement_call": name, "target_delay_ms": action.target,
            "measured_delay_ms": action.measured,
        }));
        if let Some(answer) = list(self.inputs, "placement_answers").get(self.calls) {
            for (key, pods) in [("remove_from_edge", 0), ("add_to_edge", 1)] {
                for service in indices(answer, key) {
                    self.replicas[Area::Edge as usize][service] = pods;
                }
            }
        }
        self.calls += 1;
    }
}

const fn name_of(state: ControllerState) -> &'static str {
    match state {
        ControllerState::Camping => "camping",
        ControllerState::HpaRunning => "hpa_running",
        ControllerState::OffloadAlarm => "offload_alarm",
        ControllerState::UnoffloadAlarm => "unoffload_alarm",
        ControllerState::Offloading => "offloading",
        ControllerState::Unoffloading => "unoffloading",
    }
}

pub(crate) fn controller(case: &Value, _: &Path) -> Differences {
    let inputs = &case["inputs"];
    let seconds = |key| SimDuration::from_secs_f64(real(inputs, key));
    let settings = ControllerSettings {
        sync_period: seconds("sync_period_s"),
        stabilization_window: seconds("stabilization_window_s"),
        offload_mean_ms: real(inputs, "offload_delay_threshold_ms"),
        unoffload_mean_ms: real(inputs, "unoffload_delay_threshold_ms"),
        offload_quantile_ms: real(inputs, "offload_quantile_threshold_ms"),
        unoffload_quantile_ms: real(inputs, "unoffload_quantile_threshold_ms"),
        most_decrease_ms: real(inputs, "max_delay_reduction_ms"),
        most_increase_ms: real(inputs, "max_delay_increase_ms"),
        compat: true,
    };
    let pods = |key: &str| -> Vec<u32> { indices(inputs, key).into_iter().map(|it| it as u32).collect() };
    let replicas = [pods("edge_replicas_at_start"), pods("cloud_replicas_at_start")];
    let bounds = ["hpa_min_replicas", "hpa_max_replicas"].map(|key| whole(&inputs[key]) as u32);
    let bounds = vec![(bounds[0], bounds[1]); replicas[0].len()];
    let mut controller = Controller::new(settings, [bounds.clone(), bounds]);
    let mut script = Script { inputs, now: 0.0, calls: 0, replicas, timeline: Vec::new() };
    while script.now < real(inputs, "run_until_s") {
        script.now += controller.wake(&mut script).as_secs_f64();
    }
    let wanted = list(&case["expected"], "timeline");
    let is_same = |(got, wanted): (&Value, &Value)| {
        let keys = wanted.as_object().expect("an entry");
        keys.iter().all(|(key, value)| match (value.as_f64(), got[key].as_f64()) {
            (Some(a), Some(b)) => same(a, b, 1e-9),
            _ => *value == got[key],
        })
    };
    let all = wanted.len() == script.timeline.len() && script.timeline.iter().zip(wanted).all(is_same);
    if all { Vec::new() } else { vec![format!("{}, not {}", json!(script.timeline), json!(wanted))] }
}
