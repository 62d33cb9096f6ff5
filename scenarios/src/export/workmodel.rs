//! An application as µBench's work model.
//!
//! # Assumptions
//! µBench's cell has one operation per service, whose own work is one of its functions. What a scenario says beyond that
//! cannot be written, and is refused unless it is allowed: then of several endpoints the first is written, stages run one
//! after the other only where each has one group, and laws become means or are left out. Effect: the application that is
//! deployed is not the one that was simulated, in what was allowed.
//!
//! # Source
//! µBench, `Docs/Manual.md`, `CustomFunctions/Loader.py`.

use crate::problem::{Checked, Problem, Problems};
use meshsim_models::application::call_graph::{Endpoint, Group, Protocol, Service};
use meshsim_models::application::internal_service::{BodyKind, InternalService};
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::ids::ServiceId;
use meshsim_models::kubernetes::scheduler::resources::Resource;
use meshsim_models::units::Cores;
use meshsim_models::world::description::Description;
use serde_json::{Map, Value as Json, json};

/// Writes the work model; `allow` names what may be left out, as errors name it.
///
/// # Errors
/// If the application has what no work model can say and that is not allowed, or something is allowed that it has not.
pub fn work_model(description: &Description, allow: &[String]) -> Checked<String> {
    let mut writer = Writer { description, allow, met: vec![false; allow.len()], problems: Vec::new() };
    let mut all = Map::new();
    let application = &description.application;
    for (id, service) in application.services.enumerate() {
        let settings = &description.services[id];
        if settings.external || settings.version_of.is_some() {
            let what = if settings.external { "external" } else { "version_of" };
            writer.refuse(what, &service.name, "it has no cells of its own: it is left out");
            continue;
        }
        all.insert(service.name.clone(), writer.service(id, service, settings.protocol));
    }
    let unmet = allow.iter().zip(&writer.met).filter(|(_, met)| !**met);
    let unmet = unmet.map(|(it, _)| {
        Problem::new(format!("--allow {it} allows nothing"))
            .help("take it out: the work model says all of that")
    });
    writer.problems.extend(unmet);
    if !writer.problems.is_empty() {
        return Err(Problems(writer.problems));
    }
    let text =
        serde_json::to_string_pretty(&Json::Object(all)).map_err(|error| Problem::new(error.to_string()))?;
    Ok(text + "\n")
}

/// The services of a group, their probabilities, and how many are drawn, if not all are called.
type Dealt<'a> = (Vec<&'a str>, Map<String, Json>, Option<usize>);

struct Writer<'a> {
    description: &'a Description,
    allow: &'a [String],
    met: Vec<bool>,
    problems: Vec<Problem>,
}

impl Writer<'_> {
    /// Something that no work model can say.
    fn refuse(&mut self, what: &str, service: &str, why: &str) {
        let mut is_allowed = false;
        for (_, met) in self.allow.iter().zip(&mut self.met).filter(|(it, _)| *it == what) {
            (is_allowed, *met) = (true, true);
        }
        if !is_allowed {
            let message = format!("`{what}` of `{service}` is in no work model: {why}");
            self.problems.push(Problem::new(message).help(format!("--allow {what} writes it without")));
        }
    }

    fn service(&mut self, id: ServiceId, service: &Service, protocol: Protocol) -> Json {
        let name = service.name.as_str();
        let endpoint = &self.description.application.endpoints[service.endpoint];
        if !service.others.is_empty() {
            self.refuse("endpoints", name, "a cell has one operation: the first is written");
        }
        if endpoint.errors > 0.0 {
            self.refuse("errors", name, "cells answer");
        }
        if endpoint.hit_ratio > 0.0 {
            self.refuse("hit_ratio", name, "cells have no cache");
        }
        let method = match protocol {
            Protocol::Http1 => "rest",
            Protocol::Grpc => "grpc",
            Protocol::Http2 | Protocol::Tcp | Protocol::Udp => {
                self.refuse("protocol", name, "cells speak HTTP/1.1 or gRPC");
                "rest"
            }
        };
        let mut all = Map::from_iter([
            ("external_services".to_owned(), self.groups(name, endpoint)),
            ("internal_service".to_owned(), self.internal(name, endpoint)),
            ("request_method".to_owned(), json!(method)),
            ("workers".to_owned(), json!(service.workers)),
            ("threads".to_owned(), json!(service.threads)),
            ("replicas".to_owned(), json!(service.replicas)),
            ("namespace".to_owned(), json!(self.description.namespace_of(id))),
            (
                "url".to_owned(),
                json!(format!("{name}.{}.svc.cluster.local", self.description.namespace_of(id))),
            ),
            ("path".to_owned(), json!(endpoint.path)),
        ]);
        for (key, amount) in [("cpu-requests", service.cpu_request), ("cpu-limits", service.cpu_limit)] {
            all.extend(amount.map(|amount| (key.to_owned(), json!(cores(amount)))));
        }
        let memory = self.description.kubernetes.workload(id).application.amount(Resource::MEMORY);
        all.extend((memory > 0).then(|| ("memory-requests".to_owned(), json!(bytes(memory)))));
        Json::Object(all)
    }

    /// Groups that run side by side; stages one after the other are one group if each has one.
    fn groups(&mut self, name: &str, endpoint: &Endpoint) -> Json {
        let application = &self.description.application;
        let has_stages = endpoint.groups.windows(2).any(|it| it[0].stage != it[1].stage);
        let is_in_turn = endpoint.groups.windows(2).all(|it| it[0].stage != it[1].stage)
            && !endpoint.groups.iter().any(Group::is_sampled);
        let mut groups: Vec<Dealt<'_>> = Vec::new();
        if has_stages && !is_in_turn {
            self.refuse("stages", name, "the groups of a cell run side by side");
        }
        for group in &endpoint.groups {
            if !(has_stages && is_in_turn && !groups.is_empty()) {
                let length = group.is_sampled().then_some(group.sequence_length);
                groups.push((Vec::new(), Map::new(), length));
            }
            let Some((services, probabilities, _)) = groups.last_mut() else { continue };
            let mut refused = None;
            for call in &group.calls {
                let callee = &application.endpoints[call.endpoint];
                if self.description.services[callee.service].external {
                    // Who is left out is not called.
                    continue;
                }
                let called = application.services[callee.service].name.as_str();
                let probability = json!(call.probability);
                if probabilities.get(called).is_some_and(|known| *known != probability) {
                    refused = Some("a group has one probability per service");
                }
                if usize::from(call.coin) < group.calls.len()
                    && group.calls[usize::from(call.coin)].endpoint != call.endpoint
                {
                    refused = Some("every call of a cell has a coin of its own");
                }
                services.push(called);
                probabilities.insert(called.to_owned(), probability);
            }
            if let Some(why) = refused {
                self.refuse("probability", name, why);
            }
        }
        groups.retain(|(services, ..)| !services.is_empty());
        let each = groups.into_iter().map(|(services, probabilities, length)| {
            let length = length.unwrap_or(services.len()).min(services.len());
            json!({ "seq_len": length, "services": services, "probabilities": probabilities })
        });
        each.collect()
    }

    fn internal(&mut self, name: &str, endpoint: &Endpoint) -> Json {
        let mut internal = endpoint.internal;
        if endpoint.service_time.is_some() {
            self.refuse("service_time", name, "cells compute digits of pi, and no law of CPU time");
        }
        if let Some(law) = &endpoint.wait {
            if !matches!(law, ServiceTime::Deterministic(_)) {
                self.refuse("wait", name, "cells sleep a constant time: the mean is written");
            }
            internal.sleep = meshsim_core::SimDuration::from_nanos_f64(law.mean_ms() * 1e6);
        }
        if let Some(law) = &endpoint.response_size {
            if !matches!(law, ServiceTime::Exponential(_)) {
                self.refuse(
                    "response_size",
                    name,
                    "cells answer with exponential sizes: the mean is written",
                );
            }
            internal.mean_body_kb = law.mean_ms() / 1e3;
        }
        function(&internal)
    }
}

/// As Kubernetes writes an amount of CPU.
fn cores(cores: Cores) -> String {
    format!("{}m", (cores.0 * 1e3).round())
}

/// As Kubernetes writes an amount of memory.
fn bytes(amount: u64) -> String {
    const MEBI: u64 = 1 << 20;
    match amount % MEBI {
        0 => format!("{}Mi", amount / MEBI),
        _ => amount.to_string(),
    }
}

fn function(internal: &InternalService) -> Json {
    if let (BodyKind::Constant, Some(stress)) = (internal.body, internal.cpu_stress) {
        let parameters =
            json!({ "range_complexity": stress.complexity, "mean_response_size": internal.mean_body_kb });
        return json!({ "compute_pi": parameters });
    }
    let cpu = match internal.cpu_stress {
        None => json!({ "run": false }),
        Some(it) => json!({
            "run": true,
            "range_complexity": it.complexity,
            "thread_pool_size": it.thread_pool_size,
            "trials": it.trials,
        }),
    };
    let memory = match internal.memory_stress {
        None => json!({ "run": false }),
        Some(it) => json!({ "run": true, "memory_size": it.size_kb, "memory_io": it.operations }),
    };
    let disk = match internal.disk_stress {
        None => json!({ "run": false }),
        Some(it) => {
            json!({ "run": true, "disk_write_block_count": it.blocks, "disk_write_block_size": it.block_bytes })
        }
    };
    let seconds = internal.sleep.as_secs_f64();
    let sleep =
        if seconds > 0.0 { json!({ "run": true, "sleep_time": seconds }) } else { json!({ "run": false }) };
    json!({ "loader": {
        "cpu_stress": cpu,
        "memory_stress": memory,
        "disk_stress": disk,
        "sleep_stress": sleep,
        "mean_response_size": internal.mean_body_kb,
    } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Setting;
    use crate::import::mubench;
    use crate::problem::SourceText;
    use crate::scenario::Scenario;
    use std::sync::Arc;

    fn description(scenario: &str) -> Description {
        let scenario = Scenario::open(scenario, &[]).unwrap();
        scenario.resolve(scenario.strategy(None).unwrap()).unwrap().description
    }

    #[test]
    fn what_is_written_of_a_work_model_is_read_as_the_same() {
        for name in ["fluidos-mesh", "multi-edge"] {
            let description = description(name);
            let mut own = description.application.clone();
            let source = SourceText { name: name.to_owned(), text: work_model(&description, &[]).unwrap() };
            let mut read = mubench::read(&Arc::new(source)).unwrap().application;
            // A seq_len of all is no other than none.
            for endpoint in read.endpoints.iter_mut().chain(own.endpoints.iter_mut()) {
                for group in &mut endpoint.groups {
                    group.sequence_length = group.sequence_length.min(group.calls.len());
                }
            }
            let order: Vec<&str> = read.services.iter().map(|it| it.name.as_str()).collect();
            let known: Vec<&str> = own.services.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(order, known, "{name}");
            assert_eq!(format!("{own:?}"), format!("{read:?}"), "{name}");
        }
    }

    #[test]
    fn what_pods_request_of_memory_is_written() {
        let memory = Setting::parse("application.memory_request=256Mi").unwrap();
        let scenario = Scenario::open("fluidos-mesh", &[memory]).unwrap();
        let description = scenario.resolve(scenario.strategy(None).unwrap()).unwrap().description;
        let written: Json = serde_json::from_str(&work_model(&description, &[]).unwrap()).unwrap();
        assert_eq!(written["s9"]["memory-requests"], "256Mi");
    }

    #[test]
    fn what_no_work_model_says_is_refused_by_name_and_may_be_allowed() {
        let shop = description("shop");
        let refused = work_model(&shop, &[]).unwrap_err().to_string();
        for what in ["endpoints", "service_time", "response_size", "hit_ratio", "external", "protocol"] {
            assert!(refused.contains(&format!("--allow {what} writes it without")), "{what}: {refused}");
        }
        let allow: Vec<String> = refused
            .split("--allow ")
            .skip(1)
            .filter_map(|it| it.split_whitespace().next())
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        let written: Json = serde_json::from_str(&work_model(&shop, &allow).unwrap()).unwrap();
        // What is called side by side is a group each, and who is left out is called by nobody.
        assert_eq!(written["front"]["external_services"].as_array().map(Vec::len), Some(3));
        for (name, cell) in written.as_object().unwrap() {
            for group in cell["external_services"].as_array().unwrap() {
                let called = group["services"].as_array().unwrap();
                assert!(
                    called.iter().all(|it| written.get(it.as_str().unwrap()).is_some()),
                    "{name}: {group}"
                );
                assert!(!called.is_empty(), "{name}");
            }
        }
        let idle = work_model(&description("fluidos-mesh"), &["errors".to_owned()]).unwrap_err().to_string();
        assert!(idle.contains("--allow errors allows nothing"), "{idle}");
    }
}
