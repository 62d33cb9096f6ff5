//! Reads a µBench work model (`workmodel.json`).
//!
//! # Models
//! One service per key, with one endpoint each. Keys that only tell how to deploy it (`url`,
//! `image`, `namespace`, memory ...) are accepted and change nothing. Keys that µBench does not know, which
//! it ignores, are told once; one that is an edit away from a known key is an error. So are probabilities for services
//! that are not in the list of their group told: the cell looks them up by that list. What is not
//! simulated yet is refused rather than half simulated: `request_method: grpc`, `alternative_behaviors`, further
//! containers (`sidecar`).
//!
//! A function of the user's own is not simulated, but a law of the service's time may take its place.
//!
//! # Assumptions
//! The response of a function of the user's own is as large as its parameter `mean_response_size` says, if it has one,
//! else a character. Effect: without it the transfer of a large response is missing.
//!
//! # Source
//! µBench, `WorkModelGenerator`, `ServiceCell/InternalServiceExecutor.py`, `CustomFunctions/Loader.py`
//! (defaults), `Docs/Manual.md`.

mod entries;
pub(crate) mod generator;
mod loader;

use crate::problem::{Checked, Problem, Problems, SourceText, clip, nearest, not_plain};
use entries::{Entries, Reader};
use loader::{BODY_KB_MAX, read_compute_pi, read_loader};
use meshsim_models::application::call_graph::MAX_SAMPLED;
use meshsim_models::application::call_graph::{Application, Endpoint, Group, Service};
use meshsim_models::application::internal_service::InternalService;
use meshsim_models::ids::{EndpointId, ServiceId};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Keys of a service that say how to deploy it and change nothing here.
const DEPLOYMENT_KEYS: [&str; 8] =
    ["url", "image", "namespace", "function_id", "memory-requests", "memory-limits", "database_id", "cogs"];

/// Where µBench's cells listen.
const DEFAULT_PATH: &str = "/api/v1";

/// Keys of a service that mean something here.
const KEYS: [&str; 11] = [
    "external_services",
    "internal_service",
    "alternative_behaviors",
    "request_method",
    "path",
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

/// Smallest CPU limit: less than a thousandth of a core cannot be written in Kubernetes.
const CPU_LIMIT_MIN: f64 = 0.001;

/// What a work model says.
#[derive(Debug, Default)]
pub struct WorkModel {
    /// Its services and their calls.
    pub application: Application,
    /// What of it has no effect.
    pub warnings: Vec<Problem>,
    /// Services whose internal function is not known or not there, and how that is said: an error unless
    /// a law says what they do.
    pub without_function: Vec<(String, Problem)>,
}

/// Reads a work model.
///
/// # Errors
/// If it is not JSON (with line and column), has a key that is nearly a known one, a value out of range, a call to a
/// service that it does not have, or a feature that is not simulated.
pub fn read(source: &Arc<SourceText>) -> Checked<WorkModel> {
    let mut reader = Reader::new(source);
    let services = reader.root();
    let application = match services {
        Some(services) => read_services(&mut reader, &services),
        None => Application::default(),
    };
    let warnings = reader.warnings();
    let Reader { problems, without_function, .. } = reader;
    if problems.is_empty() {
        Ok(WorkModel { application, warnings, without_function })
    } else {
        Err(Problems(problems))
    }
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
        if let Some(character) = not_plain(name) {
            let shown: String = clip(name).chars().flat_map(char::escape_default).collect();
            let message = format!("the name `{shown}` has the control character {character}");
            reader.problem(raw, message, "take it out");
        }
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
    let mut service = Service::new(name, EndpointId(index));
    let mut endpoint = Endpoint::new(ServiceId(index), InternalService::idle());
    endpoint.path = DEFAULT_PATH.to_owned();
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
            "request_method" => read_method(reader, name, value),
            // Whatever else stands there was never looked at.
            "path" => match serde_json::from_str::<String>(value.get()) {
                Ok(path) if path.starts_with('/') => endpoint.path = path,
                _ => {}
            },
            "alternative_behaviors" => refuse_unless_empty(reader, value, "alternative_behaviors"),
            "sidecar" => refuse_unless_empty(reader, value, "sidecar (a further container)"),
            other if DEPLOYMENT_KEYS.contains(&other) => {}
            other => reader.unknown_key(other, value, KEYS.iter().chain(&DEPLOYMENT_KEYS).copied()),
        }
    }
    if !has_internal_service {
        let message = format!("service `{name}` has no internal_service");
        let help = format!("write \"internal_service\": {{\"loader\": {{}}}}; or {}", law_instead(name));
        reader.without_function(name, raw, message, &help);
    }
    (service, endpoint)
}

/// How the scenario says what a service's function is not known to do.
fn law_instead(service: &str) -> String {
    format!(
        "a law can take its place, in the scenario: services.{service}.service_time = {{ law = \"exponential\", mean = \
         \"5ms\" }}"
    )
}

fn read_method(reader: &mut Reader<'_>, name: &str, value: &RawValue) {
    match reader.parse::<String>(value).as_deref() {
        Some("rest") | None => {}
        Some("grpc") => {
            let help = format!(
                "write \"rest\", \"workers\": 1 (a cell of gRPC is one process), and services.{name}.protocol = \"grpc\" in the \
                 scenario"
            );
            reader.problem(value, "request_method `grpc` is said by the scenario", &help);
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
        calls.push((EndpointId(callee), probability));
        listed.insert(name);
    }
    for (name, value) in &probabilities.0 {
        if !listed.contains(name) {
            reader.probability_without_effect(name, value);
        }
    }
    let group = Group { sequence_length, ..Group::in_turn(calls) };
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
    let Some(((function, parameters), others)) = functions.0.split_first() else {
        let message = format!("service `{service}` has no internal function");
        let help = format!("it has one, loader or compute_pi; or {}", law_instead(service));
        reader.without_function(service, raw, message, &help);
        return InternalService::idle();
    };
    for (other, value) in others {
        // The cell takes the first.
        reader.unknown_key(other, value, []);
    }
    match function.as_str() {
        "loader" => read_loader(reader, parameters),
        "compute_pi" => read_compute_pi(reader, parameters),
        other => {
            let near = nearest(other, ["loader", "compute_pi"]);
            let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
            let help = format!("{near}loader and compute_pi are simulated; {}", law_instead(service));
            let message = format!("unknown internal function `{}`", clip(other));
            reader.without_function(service, parameters, message, &help);
            InternalService { mean_body_kb: size_of_response(parameters), ..InternalService::idle() }
        }
    }
}

/// The mean size of a response (kB) by the parameters of an unknown function, which may be anything.
fn size_of_response(parameters: &RawValue) -> f64 {
    let parameters: Entries<'_> = serde_json::from_str(parameters.get()).unwrap_or_default();
    let size = parameters.0.iter().find(|(name, _)| name == "mean_response_size");
    let size = size.and_then(|(_, value)| value.get().parse::<f64>().ok());
    size.filter(|size| (0.0..=BODY_KB_MAX).contains(size)).unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
