//! Reads a µBench work model (`workmodel.json`).
//!
//! # Models
//! One service per key, with one endpoint each. Keys that only tell how to deploy it (`url`,
//! `path`, `image`, `namespace`, memory ...) are accepted and change nothing. What is not
//! simulated yet is refused rather than half simulated: memory and disk stress,
//! `request_method: grpc`, `alternative_behaviors`, further containers (`sidecar`).
//!
//! # Source
//! µBench, `WorkModelGenerator`, `ServiceCell/InternalServiceExecutor.py`, `CustomFunctions/Loader.py`
//! (defaults), `Docs/Manual.md`.

mod entries;

use crate::problem::{Checked, Problem, Problems, Source, clip, nearest};
use entries::{Entries, Reader};
use meshsim_core::SimDuration;
use meshsim_models::application::call_graph::{Application, Call, Endpoint, Group, Service};
use meshsim_models::application::internal_service::{BodyKind, CpuStress, InternalService};
use meshsim_models::call::MAX_SAMPLED;
use meshsim_models::ids::{EndpointId, ServiceId};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Keys of a service that say how to deploy it and change nothing here.
const DEPLOYMENT_KEYS: [&str; 9] = [
    "url",
    "path",
    "image",
    "namespace",
    "function_id",
    "memory-requests",
    "memory-limits",
    "database_id",
    "cogs",
];

/// Keys of a service that mean something here.
const KEYS: [&str; 10] = [
    "external_services",
    "internal_service",
    "alternative_behaviors",
    "request_method",
    "workers",
    "threads",
    "replicas",
    "cpu-requests",
    "cpu-limits",
    "sidecar",
];

/// Most services: the expected calls between them are a dense matrix.
const SERVICES_MAX: usize = 2_000;

/// Most groups of a service, and most calls of a group: cells count them in 16 bits.
const LIST_MAX: usize = u16::MAX as usize;

/// Largest mean body (kB).
const BODY_KB_MAX: f64 = 100_000.0;

/// Longest mean sleep (s).
const SLEEP_SECONDS_MAX: f64 = 1e9;

/// Smallest CPU limit: less than a thousandth of a core cannot be written in Kubernetes.
const CPU_LIMIT_MIN: f64 = 0.001;

/// Reads a work model.
///
/// # Errors
/// If it is not JSON (with line and column), has an unknown key, a value out of range, a call to a
/// service that it does not have, or a feature that is not simulated.
pub fn read(source: &Arc<Source>) -> Checked<Application> {
    let mut reader = Reader::new(source);
    let services = reader.root();
    let application = match services {
        Some(services) => read_services(&mut reader, &services),
        None => Application::default(),
    };
    if reader.problems.is_empty() { Ok(application) } else { Err(Problems(reader.problems)) }
}

fn read_services(reader: &mut Reader<'_>, services: &Entries<'_>) -> Application {
    let mut application = Application::default();
    let names: Vec<&str> = services.0.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        reader.push(Problem::new("the work model has no service").at(reader.source, 0..1));
    }
    if let Some((_, first_too_many)) = services.0.get(SERVICES_MAX) {
        let message = format!("the work model has {} services", names.len());
        reader.problem(first_too_many, message, &format!("at most {SERVICES_MAX} are simulated"));
        return application;
    }
    for (index, (name, raw)) in services.0.iter().enumerate() {
        let (service, endpoint) = read_service(reader, index as u32, name, raw, &names);
        application.endpoints.push(endpoint);
        application.services.push(service);
    }
    application
}

fn read_service(
    reader: &mut Reader<'_>,
    index: u32,
    name: &str,
    raw: &RawValue,
    names: &[&str],
) -> (Service, Endpoint) {
    let mut service = Service {
        name: name.to_owned(),
        workers: 4,
        threads: 16,
        replicas: 1,
        cpu_limit: None,
        cpu_request: None,
        endpoint: EndpointId(index),
        service_time: None,
    };
    let mut endpoint =
        Endpoint { service: ServiceId(index), internal: InternalService::idle(), groups: Vec::new() };
    let mut has_internal_service = false;
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "external_services" => endpoint.groups = read_groups(reader, value, names),
            "internal_service" => {
                has_internal_service = true;
                endpoint.internal = read_internal(reader, name, value);
            }
            "workers" => service.workers = reader.positive(value, "workers", 1_000) as u16,
            "threads" => service.threads = reader.positive(value, "threads", 10_000) as u16,
            "replicas" => service.replicas = reader.positive(value, "replicas", 100_000) as u32,
            "cpu-limits" => service.cpu_limit = reader.cores(value, CPU_LIMIT_MIN),
            "cpu-requests" => {
                service.cpu_request = reader.cores(value, 0.0);
            }
            "request_method" => read_method(reader, value),
            "alternative_behaviors" => refuse_unless_empty(reader, value, "alternative_behaviors"),
            "sidecar" => refuse_unless_empty(reader, value, "sidecar (a further container)"),
            other if DEPLOYMENT_KEYS.contains(&other) => {}
            other => reader.unknown_key(other, value, KEYS.iter().chain(&DEPLOYMENT_KEYS).copied()),
        }
    }
    if !has_internal_service {
        reader.problem(
            raw,
            format!("service `{name}` has no internal_service"),
            "write \"internal_service\": {\"loader\": {}}",
        );
    }
    (service, endpoint)
}

fn read_method(reader: &mut Reader<'_>, value: &RawValue) {
    match reader.parse::<String>(value).as_deref() {
        Some("rest") | None => {}
        Some("grpc") => {
            reader.problem(value, "request_method `grpc` is not simulated yet", "use \"rest\"");
        }
        Some(other) => {
            reader.problem(value, format!("unknown request_method `{}`", clip(other)), "it is \"rest\"");
        }
    }
}

fn refuse_unless_empty(reader: &mut Reader<'_>, value: &RawValue, what: &str) {
    if !matches!(value.get().trim(), "{}" | "[]" | "null" | "\"\"") {
        reader.problem(value, format!("{what} is not simulated yet"), "take it out of the work model");
    }
}

fn read_groups(reader: &mut Reader<'_>, raw: &RawValue, names: &[&str]) -> Vec<Group> {
    let groups = reader.list(raw, LIST_MAX, "groups of a service");
    let read: Vec<Group> = groups.into_iter().map(|group| read_group(reader, group, names)).collect();
    // A group without services does nothing, not even a thread's worth.
    read.into_iter().filter(|group| !group.calls.is_empty()).collect()
}

fn read_group(reader: &mut Reader<'_>, raw: &RawValue, names: &[&str]) -> Group {
    let mut services: Vec<&RawValue> = Vec::new();
    let mut probabilities = Entries::default();
    let mut sequence_length = usize::MAX;
    let mut length_at = raw;
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "services" => services = reader.list(value, LIST_MAX, "calls of a group"),
            "probabilities" => probabilities = reader.entries(value),
            "seq_len" => {
                sequence_length = reader.positive(value, "seq_len", 1_000_000_000) as usize;
                length_at = value;
            }
            other => reader.unknown_key(other, value, ["services", "probabilities", "seq_len"]),
        }
    }
    let mut calls = Vec::new();
    let mut listed = BTreeSet::new();
    for service in services {
        let Some(name) = reader.parse::<String>(service) else { continue };
        let Some(callee) = reader.reference(service, &name, names) else { continue };
        let probability = probability_of(reader, &probabilities, &name);
        calls.push(Call { endpoint: EndpointId(callee), probability });
        listed.insert(name);
    }
    for (name, value) in &probabilities.0 {
        if !listed.contains(name) {
            reader.problem(
                value,
                format!("a probability for `{}`, which is not in the group's services", clip(name)),
                "list it there",
            );
        }
    }
    let group = Group { sequence_length, calls };
    if group.is_sampled() && sequence_length > MAX_SAMPLED {
        let message = format!("seq_len {sequence_length} of a longer list is not simulated");
        reader.problem(length_at, message, &format!("at most {MAX_SAMPLED} calls are drawn from a list"));
    }
    group
}

fn probability_of(reader: &mut Reader<'_>, probabilities: &Entries<'_>, name: &str) -> f64 {
    let Some((_, value)) = probabilities.0.iter().find(|(key, _)| key == name) else { return 1.0 };
    match reader.parse::<f64>(value) {
        Some(p) if (0.0..=1.0).contains(&p) => p,
        Some(p) => {
            reader.problem(value, format!("{p} is not a probability"), "it is between 0 and 1");
            1.0
        }
        None => 1.0,
    }
}

fn read_internal(reader: &mut Reader<'_>, service: &str, raw: &RawValue) -> InternalService {
    let functions = reader.entries(raw);
    let [(function, parameters)] = functions.0.as_slice() else {
        let message = format!("service `{service}` has {} internal functions", functions.0.len());
        reader.problem(raw, message, "it has one: loader or compute_pi");
        return InternalService::idle();
    };
    match function.as_str() {
        "loader" => read_loader(reader, parameters),
        "compute_pi" => read_compute_pi(reader, parameters),
        other => {
            let near = nearest(other, ["loader", "compute_pi"]).unwrap_or("loader");
            let help = format!("did you mean `{near}`? loader and compute_pi are simulated");
            reader.problem(parameters, format!("unknown internal function `{}`", clip(other)), &help);
            InternalService::idle()
        }
    }
}

/// `loader`, with the defaults of `Loader.py`, merged key by key.
fn read_loader(reader: &mut Reader<'_>, raw: &RawValue) -> InternalService {
    let mut internal = InternalService {
        cpu_stress: None,
        sleep: SimDuration::from_millis(10),
        mean_body_kb: 11.0,
        body: BodyKind::Random,
    };
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "cpu_stress" => internal.cpu_stress = read_cpu_stress(reader, value),
            "sleep_stress" => internal.sleep = read_sleep(reader, value),
            "memory_stress" | "disk_stress" => refuse_if_it_runs(reader, key, value),
            "mean_response_size" | "mean_bandwidth" => {
                internal.mean_body_kb = reader.not_negative(value, key, BODY_KB_MAX);
            }
            "function_id" => {}
            other => reader.unknown_key(
                other,
                value,
                ["cpu_stress", "memory_stress", "disk_stress", "sleep_stress", "mean_response_size"],
            ),
        }
    }
    internal
}

fn read_cpu_stress(reader: &mut Reader<'_>, raw: &RawValue) -> Option<CpuStress> {
    let mut stress = CpuStress { complexity: [100, 100], thread_pool_size: 1, trials: 1 };
    let mut run = false;
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "run" => run = reader.parse(value).unwrap_or(false),
            "range_complexity" => stress.complexity = read_range(reader, value),
            "thread_pool_size" => stress.thread_pool_size = reader.positive(value, key, 1_000) as u32,
            "trials" => stress.trials = reader.positive(value, key, 1_000_000) as u32,
            other => {
                reader.unknown_key(other, value, ["run", "range_complexity", "thread_pool_size", "trials"]);
            }
        }
    }
    run.then_some(stress)
}

fn read_range(reader: &mut Reader<'_>, raw: &RawValue) -> [u32; 2] {
    match reader.parse::<[u32; 2]>(raw) {
        Some([low, high]) if low <= high && high <= 1_000_000 => [low, high],
        Some([low, high]) => {
            let message = format!("[{low}, {high}] is not a range of digits");
            reader.problem(raw, message, "write [least, greatest], at most 1000000");
            [1, 1]
        }
        None => [1, 1],
    }
}

fn read_sleep(reader: &mut Reader<'_>, raw: &RawValue) -> SimDuration {
    let (mut run, mut seconds) = (true, 0.01);
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "run" => run = reader.parse(value).unwrap_or(true),
            "sleep_time" => seconds = reader.not_negative(value, key, SLEEP_SECONDS_MAX),
            other => reader.unknown_key(other, value, ["run", "sleep_time"]),
        }
    }
    if run { SimDuration::from_secs_f64(seconds) } else { SimDuration::ZERO }
}

fn refuse_if_it_runs(reader: &mut Reader<'_>, key: &str, raw: &RawValue) {
    let entries = reader.entries(raw);
    let run = entries.0.iter().find(|(name, _)| name == "run").and_then(|(_, value)| reader.parse(value));
    if run == Some(true) {
        reader.problem(raw, format!("{key} is not simulated yet"), "set its \"run\" to false");
    }
}

/// `compute_pi`: `range_complexity` [50, 100] digits, and a body of one repeated character.
fn read_compute_pi(reader: &mut Reader<'_>, raw: &RawValue) -> InternalService {
    let mut stress = CpuStress { complexity: [50, 100], thread_pool_size: 1, trials: 1 };
    let mut mean_body_kb = 10.0;
    for (key, value) in &reader.entries(raw).0 {
        match key.as_str() {
            "range_complexity" => stress.complexity = read_range(reader, value),
            "mean_response_size" | "mean_bandwidth" => {
                mean_body_kb = reader.not_negative(value, key, BODY_KB_MAX);
            }
            "function_id" => {}
            other => reader.unknown_key(other, value, ["range_complexity", "mean_response_size"]),
        }
    }
    InternalService {
        cpu_stress: Some(stress),
        sleep: SimDuration::ZERO,
        mean_body_kb,
        body: BodyKind::Constant,
    }
}

#[cfg(test)]
mod tests;
