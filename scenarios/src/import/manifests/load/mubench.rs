//! µBench's RunnerParameters, TrafficParameters and workloads.
//!
//! # Models
//! Its runner opens a connection for every request. `greedy`: so many threads request `s0` (or `ingress_service`) without a
//! pause, until all events are done; `periodic`: at a constant rate; `file`: as a workload says. Its traffic generator draws
//! exponential times between requests.
//!
//! # Assumptions
//! Every thread of a greedy runner has its equal part of the events. The two seconds before a workload are left out.
//!
//! # Source
//! µBench, `Benchmarks/Runner/Runner.py`, `Benchmarks/TrafficGenerator/TrafficGenerator.py`.

use super::super::node::Node;
use super::super::object::Object;
use super::{Group, Load, Shape};
use crate::scenario::read_text;
use meshsim_core::SimDuration;
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

/// Whom the runner requests if nothing else is said.
const ENTRY: &str = "s0";

/// `requests.get` keeps no connection.
fn new_connections() -> Table {
    Table::from_iter([("reconnects_after".to_owned(), Value::String("1ms".to_owned()))])
}

/// Reads RunnerParameters.
pub(super) fn runner(object: &Object, root: &Node, load: &mut Load) {
    for key in ["OutputPath", "AfterWorkloadFunction", "_AfterWorkloadFunction"] {
        root.child(key).into_iter().for_each(|it| it.harmless("it is about what is done afterwards"));
    }
    let Some(parameters) = root.child("RunnerParameters") else { return };
    for (key, why) in [
        ("ms_access_gateway", "users come in by the gateway of their cluster"),
        ("result_file", "it is about what is written"),
        ("ingress_path", "users request what their service has"),
    ] {
        parameters.child(key).into_iter().for_each(|it| it.harmless(why));
    }
    let whole = |key: &str| parameters.child(key).and_then(Node::whole);
    let service = parameters.child("ingress_service").and_then(Node::text).unwrap_or(ENTRY);
    let threads = whole("thread_pool_size").unwrap_or(1).max(1);
    let files = parameters.child("workload_files_path_list");
    let rounds = parameters.child("workload_rounds");
    let mut group =
        Group { services: vec![service.to_owned()], table: new_connections(), ..Group::default() };
    let kind = parameters.child("workload_type").and_then(Node::text).unwrap_or("file");
    match kind {
        "greedy" | "periodic" => {
            files.into_iter().for_each(|it| it.harmless("a runner of this type reads none"));
            rounds.into_iter().for_each(|it| it.harmless("a runner of this type has one round"));
        }
        _ => {}
    }
    match kind {
        "greedy" => {
            let events = whole("workload_events").unwrap_or(threads);
            load.assume("every thread of µBench's runner has an equal part of the events");
            group.users = Some(threads);
            group.shape = Shape::Closed(SimDuration::ZERO, Some(events.div_ceil(threads).max(1)));
        }
        "periodic" => {
            let Some(rate) = parameters.child("rate").and_then(Node::number).filter(|it| *it > 0.0) else {
                parameters.wrong("a periodic runner without a rate", "write rate, in requests per second");
                return;
            };
            group.users = Some(threads);
            group.shape = Shape::Steps(vec![(SimDuration::ZERO, rate)]);
            group.end = whole("workload_events").map(|it| SimDuration::from_secs_f64(f64::from(it) / rate));
        }
        "file" | "workload" => {
            let Some(files) = files else {
                parameters.wrong("a runner without workloads", "write workload_files_path_list");
                return;
            };
            if let Some(node) = rounds.filter(|it| it.whole() != Some(1)) {
                node.matters("a workload is run once");
            }
            for further in files.items().iter().skip(1) {
                further.matters("of several workloads the first is taken over: import them one by one");
            }
            parameters
                .child("workload_events")
                .into_iter()
                .for_each(|it| it.harmless("a workload has its own"));
            if let Some(first) = files.items().first() {
                of_file(object, first, load);
            }
            for it in &mut load.groups {
                it.users = Some(threads);
            }
            return;
        }
        _ => {
            if let Some(node) = parameters.child("workload_type") {
                node.wrong("a runner is greedy, periodic or of a file", "write greedy");
            }
            return;
        }
    }
    load.groups.push(group);
}

/// A workload beside the parameters.
fn of_file(object: &Object, named: &Node, load: &mut Load) {
    let Some(text) = named.text() else { return };
    let home = Path::new(object.source_name()).parent().unwrap_or(Path::new("."));
    let candidates = [home.join(text), home.join(Path::new(text).file_name().unwrap_or_default())];
    match candidates.iter().find(|it| it.is_file()).map(|path| read_text(path)) {
        Some(Ok(events)) => by_service(events, named, load),
        _ => named.wrong(
            format!("the workload `{}` is not beside the parameters", crate::problem::clip(text)),
            "put it there, or import the workload itself",
        ),
    }
}

/// Reads TrafficParameters: exponential times between requests.
pub(super) fn traffic(root: &Node, load: &mut Load) {
    for key in ["OutputPath", "OutputFile"] {
        root.child(key).into_iter().for_each(|it| it.harmless("it is about what is written"));
    }
    let Some(parameters) = root.child("TrafficParameters") else { return };
    let service = parameters.child("ingress_service").and_then(Node::text).unwrap_or(ENTRY);
    let mean = parameters.get("request_parameters.mean_interarrival_time");
    let Some(mean) = mean.and_then(Node::number).filter(|it| *it > 0.0) else {
        parameters.wrong("no mean_interarrival_time", "write it in milliseconds, more than 0");
        return;
    };
    let events = parameters.get("request_parameters.stop_event").and_then(Node::whole);
    load.groups.push(Group {
        services: vec![service.to_owned()],
        table: new_connections(),
        shape: Shape::Poisson(1e3 / mean),
        end: events.map(|it| SimDuration::from_secs_f64(f64::from(it) * mean / 1e3)),
        ..Group::default()
    });
}

/// Reads a workload.
pub(super) fn workload(object: &Object, root: &Node, load: &mut Load) {
    root.used();
    by_service(object.text().to_owned(), root, load);
}

/// An event of a workload.
#[derive(serde::Deserialize)]
struct Event {
    time: f64,
    service: String,
}

fn by_service(text: String, node: &Node, load: &mut Load) {
    let events: Vec<Event> = match serde_json::from_str(&text) {
        Ok(events) => events,
        Err(error) => {
            node.wrong(
                format!("this is no workload: {error}"),
                "a workload is a list of { \"time\": MS, \"service\": \"NAME\" }",
            );
            return;
        }
    };
    if events.is_empty() {
        node.wrong(
            "a workload without events",
            "a workload is a list of { \"time\": MS, \"service\": \"NAME\" }",
        );
    }
    let mut last: BTreeMap<&str, f64> = BTreeMap::new();
    for it in &events {
        let known = last.entry(&it.service).or_default();
        *known = known.max(it.time);
    }
    let is_one = last.len() == 1;
    for (service, millis) in &last {
        load.groups.push(Group {
            name: if is_one { String::new() } else { (*service).to_owned() },
            services: vec![(*service).to_owned()],
            table: new_connections(),
            shape: Shape::Replay("workload.json".to_owned()),
            end: Some(SimDuration::from_nanos_f64(millis.max(1.0) * 1e6)),
            ..Group::default()
        });
    }
    load.files.push(("workload.json".to_owned(), text));
}
