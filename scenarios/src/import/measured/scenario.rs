//! What was measured, as tables that people read: of a scenario, or to go over one.

use super::Options;
use super::application::{Application, Kind, Work};
use crate::import::manifests::{BEGIN, Overlay, toml_key as key};
use crate::problem::{Checked, Problem, Problems};
use crate::resolve::METHODS;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use toml::Value;

/// A call that is made less often than this per request is chance.
const LEAST_PROBABILITY: f64 = 1e-4;

/// A larger body is taken for as large (bytes): a scenario has no larger one.
const LARGEST_BODY: f64 = 1e9;

/// Writes a scenario.
///
/// # Errors
/// If an option is missing that says what no metric does, or the overlay does not fit.
pub(super) fn write(measured: &Application, options: &Options) -> Checked<String> {
    let none = Overlay::default();
    let overlay = options.overlay.as_ref().unwrap_or(&none);
    // What only options or the overlay name is there, too, and runs nothing yet.
    let named = options.nodes.iter().map(|it| &it.cluster).chain(overlay.names("clusters"));
    let clusters: BTreeSet<&String> = measured.clusters().into_iter().chain(named).collect();
    let problems = missing(measured, (options, overlay), &clusters);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let mut text = String::new();
    line(&mut text, format_args!("name = {}", quoted(&options.name)));
    let mut namespaces: BTreeSet<&String> = measured.services.values().map(|it| &it.namespace).collect();
    namespaces.retain(|it| !it.is_empty());
    let only = namespaces.first().filter(|it| namespaces.len() == 1 && **it != "default");
    if let Some(namespace) = only {
        line(&mut text, format_args!("\n[application]\nnamespace = {}", quoted(namespace)));
    }
    for name in &clusters {
        cluster(&mut text, name, measured, options);
    }
    for link in &options.links {
        let [a, b] = &link.between;
        line(&mut text, format_args!("\n[links.{}]", key(&format!("{a}-{b}"))));
        line(&mut text, format_args!("between = [{}, {}]", quoted(a), quoted(b)));
        line(&mut text, format_args!("rtt = {}", quoted(&link.rtt)));
        let bandwidth = link.bandwidth.as_deref().unwrap_or("1Gbit/s");
        line(&mut text, format_args!("bandwidth = {}", quoted(bandwidth)));
    }
    if measured.services.values().any(|it| it.near_first == Some(true)) {
        line(
            &mut text,
            format_args!("\n# Callers were served by their own cluster: a rule looks for failures."),
        );
        line(&mut text, format_args!("[mesh.traffic_policy]\noutlier_detection = {{}}"));
    }
    for (name, service) in &measured.services {
        let limit = service.clusters.values().find_map(|(_, limit)| *limit);
        let own = |it: &&String| namespaces.len() > 1 && !it.is_empty() && *it != "default";
        let own_namespace = Some(&service.namespace).filter(own);
        if limit.is_some() || own_namespace.is_some() || service.is_grpc {
            line(&mut text, format_args!("\n[services.{}]", key(name)));
        }
        if service.is_grpc {
            line(&mut text, format_args!("protocol = \"grpc\""));
        }
        if let Some(namespace) = own_namespace {
            line(&mut text, format_args!("namespace = {}", quoted(namespace)));
        }
        if let Some(limit) = limit {
            line(&mut text, format_args!("resources.limits.cpu = \"{}\"", rounded(limit)));
        }
    }
    text += &behaviour(measured, !overlay.says_users(), false);
    let head = format!(
        "{BEGIN} {} from what was measured. What was asked, found and assumed is in report.md.\n\n",
        env!("CARGO_PKG_VERSION")
    );
    let strategy = "\n[[strategy]]\nname = \"as-measured\"\nset = {}\n";
    Ok(head + &overlay.over_text(&text)? + strategy)
}

/// What services do, and what users request if that is to be said; with paths and methods of requests if there may be rules that look at them.
pub(super) fn behaviour(measured: &Application, with_users: bool, has_rules: bool) -> String {
    let mut text = String::new();
    for name in measured.services.keys() {
        service(&mut text, name, measured, has_rules);
    }
    let mut named = BTreeSet::new();
    for ((cluster, service), it) in measured.users.iter().filter(|_| with_users) {
        let name = format!("{cluster}-{service}");
        let mut all = std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}-{number}")));
        let name = all.find(|it| named.insert(it.clone())).unwrap_or_default();
        line(&mut text, format_args!("\n[users.{}]", key(&name)));
        line(&mut text, format_args!("cluster = {}", quoted(cluster)));
        line(&mut text, format_args!("service = {}", quoted(service)));
        line(&mut text, format_args!("rate = \"{}/s\"", rounded(it.rate)));
        let kinds = measured.services.get(service).map_or(&[][..], |it| &it.kinds);
        if kinds.len() > 1 {
            let requests =
                measured.requests.get(&(cluster.clone(), service.clone())).filter(|it| !it.is_empty());
            let weights: Vec<String> = match requests {
                Some(requests) => requests.iter().map(|(kind, it)| format!("{} = {it}", key(kind))).collect(),
                // There are no spans of them.
                None => kinds.iter().map(|it| format!("{} = {}", key(&it.name), rounded(it.share))).collect(),
            };
            line(&mut text, format_args!("requests = {{ {} }}", weights.join(", ")));
        }
    }
    text
}

/// What options have to say and do not.
fn missing(
    measured: &Application,
    (options, overlay): (&Options, &Overlay),
    clusters: &BTreeSet<&String>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let has_nodes =
        |name: &String| options.nodes.iter().any(|it| it.cluster == *name) || overlay.says_nodes(name);
    for name in clusters.iter().filter(|name| !has_nodes(name)) {
        if name.is_empty() {
            let problem = Problem::new("spans have no attribute k8s.cluster.name that says where they were");
            problems.push(problem.help("if all were in one cluster, name it: --nodes NAME=2x16"));
            continue;
        }
        let help = format!("--nodes {name}=2x16 says two nodes of 16 cores");
        problems.push(Problem::new(format!("no metric says what nodes cluster `{name}` has")).help(help));
    }
    let first = clusters.iter().next();
    let is_joined = |name: &String| {
        options.links.iter().any(|it| it.between.contains(name))
            || overlay.joined().any(|it| it.contains(&name.as_str()))
    };
    for name in clusters.iter().skip(1).filter(|name| !is_joined(name)) {
        let first = first.map_or("", |it| it.as_str());
        let help = format!("--link {first}:{name}=160ms says a round trip of 160 ms");
        problems.push(
            Problem::new(format!("no metric says how cluster `{name}` is joined to others")).help(help),
        );
    }
    if measured.users.is_empty() {
        let help = "an ingress gateway with Istio's telemetry counts what users request";
        problems.push(Problem::new("every service is called by another one: there are no users").help(help));
    }
    problems
}

fn cluster(text: &mut String, name: &str, measured: &Application, options: &Options) {
    let here =
        || measured.services.iter().filter_map(|(service, it)| Some((service, it.clusters.get(name)?)));
    line(text, format_args!("\n[clusters.{}]", key(name)));
    line(text, format_args!("zone = {}", quoted(name)));
    let machines = options.nodes.iter().filter(|it| it.cluster == *name);
    let nodes: Vec<String> =
        machines.flat_map(|it| vec![format!("{{ cores = {} }}", quoted(&it.cores)); it.count]).collect();
    if !nodes.is_empty() {
        line(text, format_args!("nodes = [{}]", nodes.join(", ")));
    }
    let services: Vec<String> = here().map(|(service, _)| quoted(service)).collect();
    line(text, format_args!("services = [{}]", services.join(", ")));
    let replicas: Vec<String> =
        here().map(|(service, (pods, _))| format!("{} = {}", key(service), pods.round().max(1.0))).collect();
    if !replicas.is_empty() {
        line(text, format_args!("replicas = {{ {} }}", replicas.join(", ")));
    }
}

fn service(text: &mut String, name: &str, measured: &Application, has_rules: bool) {
    let service = &measured.services[name];
    let several = service.kinds.len() > 1;
    let begin = |text: &mut String, kind: &str| {
        line(text, format_args!("\n[services.{}.endpoints.{}]", key(name), key(kind)));
    };
    if service.kinds.is_empty() {
        begin(text, "default");
        work(text, &service.work);
        let calls = service.calls.iter().map(|(to, per_request)| (to, None, *per_request));
        calls_of(text, calls, service.work.in_parallel, measured);
    }
    for kind in &service.kinds {
        begin(text, if several { &kind.name } else { "default" });
        if several && has_rules {
            asked_for(text, kind, service.is_grpc);
        }
        work(text, &kind.work);
        let calls = kind.calls.iter().map(|((to, of), per_request)| (to, of.as_ref(), *per_request));
        calls_of(text, calls, kind.work.in_parallel, measured);
    }
}

/// Path and method of a kind of request, where they are not what its name says.
fn asked_for(text: &mut String, kind: &Kind, is_grpc: bool) {
    let Some((method, path)) = kind.operation.as_deref().and_then(|it| it.split_once(' ')) else { return };
    let by_name = if kind.name == "default" { "/".to_owned() } else { format!("/{}", kind.name) };
    if path != by_name {
        line(text, format_args!("path = {}", quoted(path)));
    }
    if method != "GET" && METHODS.contains(&method) && !is_grpc {
        line(text, format_args!("method = {}", quoted(method)));
    }
}

fn work(text: &mut String, work: &Work) {
    let law = if work.cpu_ms > 0.0 {
        work.cpu_law.shape.written(work.cpu_ms, "ms", rounded)
    } else {
        "\"0ms\"".to_owned()
    };
    line(text, format_args!("service_time = {law}"));
    if work.wait_ms > 0.0 {
        let law = work.law_of_wait().shape.written(work.wait_ms, "ms", rounded);
        line(text, format_args!("wait = {law}"));
    }
    if work.request_bytes >= 1.0 {
        let bytes = work.request_bytes.round().min(LARGEST_BODY);
        line(text, format_args!("request_size = \"{bytes}B\""));
    }
    if let Some(bytes) = work.response_bytes {
        // Bytes are whole.
        let whole = |value: f64| if value < 10.0 { rounded(value) } else { value.round().to_string() };
        let law = work.response_law.shape.written(bytes.round().clamp(1.0, LARGEST_BODY), "B", whole);
        line(text, format_args!("response_size = {law}"));
    }
    if work.errors > 0.0 {
        line(text, format_args!("errors = {}", rounded(work.errors)));
    }
}

/// Calls per request of services, and of one of their kinds if that is known.
fn calls_of<'a>(
    text: &mut String,
    calls: impl Iterator<Item = (&'a String, Option<&'a String>, f64)>,
    in_parallel: bool,
    measured: &'a Application,
) {
    let mut all = Vec::new();
    for (to, kind, per_request) in calls {
        let Some(service) = measured.services.get(to) else { continue };
        let several = service.kinds.len() > 1;
        let kinds: Vec<(Option<&String>, f64)> = match kind {
            // Who calls it has no spans: as everybody does.
            None if several => service.kinds.iter().map(|it| (Some(&it.name), it.share)).collect(),
            _ => vec![(kind.filter(|_| several), 1.0)],
        };
        let each = kinds.into_iter().map(|(kind, share)| (kind, per_request * share));
        let often = each.filter(|(_, per_request)| *per_request >= LEAST_PROBABILITY);
        all.extend(often.flat_map(|(kind, per_request)| calls_to(to, kind, per_request)));
    }
    match (all.is_empty(), in_parallel) {
        (true, _) => {}
        (false, true) => line(text, format_args!("calls = [{{ in_parallel = [{}] }}]", all.join(", "))),
        (false, false) => line(text, format_args!("calls = [{}]", all.join(", "))),
    }
}

/// So many calls per request: whole ones always, and one more with what is left.
fn calls_to(to: &str, kind: Option<&String>, per_request: f64) -> Vec<String> {
    // What is as good as always is always: a count over a window is not exact.
    let whole = (per_request + 0.005).floor();
    let left = per_request - whole;
    let service = match kind {
        Some(kind) => format!("service = {}, endpoint = {}", quoted(to), quoted(kind)),
        None => format!("service = {}", quoted(to)),
    };
    let mut calls = Vec::new();
    if whole >= 2.0 {
        calls.push(format!("{{ {service}, count = {whole} }}"));
    } else if whole >= 1.0 {
        calls.push(if kind.is_some() { format!("{{ {service} }}") } else { quoted(to) });
    }
    if left > 0.005 || (whole < 1.0 && left > 0.0) {
        calls.push(format!("{{ {service}, probability = {} }}", rounded(left)));
    }
    calls
}

pub(super) fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a text does not fail.
    writeln!(text, "{line}").ok();
}

/// A number with five digits that mean something.
pub(super) fn rounded(value: f64) -> String {
    format!("{value:.4e}").parse::<f64>().map_or_else(|_| value.to_string(), |it| it.to_string())
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}
