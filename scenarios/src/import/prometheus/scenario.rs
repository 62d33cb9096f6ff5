//! What was measured, as a scenario that people read and a report.

use super::measured::Measured;
use super::queries;
use super::{Imported, Options};
use crate::import::manifests::BEGIN;
use crate::problem::{Checked, Problem, Problems};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use toml::Value;

/// A call that is made less often than this per request is chance.
const LEAST_PROBABILITY: f64 = 1e-4;

/// Writes both.
///
/// # Errors
/// If an option is missing that says what no metric does.
pub(super) fn write(measured: &Measured, options: &Options) -> Checked<Imported> {
    let of_services = measured.services.values().flat_map(|it| it.clusters.keys());
    let of_users = measured.users.keys().map(|(cluster, _)| cluster);
    let clusters: BTreeSet<&String> = of_services.chain(of_users).collect();
    let problems = missing(measured, options, &clusters);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let mut text = format!(
        "{BEGIN} {} from Prometheus. What was asked, found and assumed is in report.md.\n\n",
        env!("CARGO_PKG_VERSION")
    );
    line(&mut text, format_args!("name = {}", quoted(&options.name)));
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
    for name in measured.services.keys() {
        service(&mut text, name, measured);
    }
    for ((cluster, service), it) in &measured.users {
        line(&mut text, format_args!("\n[users.{}]", key(&format!("{cluster}-{service}"))));
        line(&mut text, format_args!("cluster = {}", quoted(cluster)));
        line(&mut text, format_args!("service = {}", quoted(service)));
        line(&mut text, format_args!("rate = \"{}/s\"", rounded(it.rate)));
    }
    line(&mut text, format_args!("\n[[strategy]]\nname = \"as-measured\"\nset = {{}}"));
    Ok(Imported { scenario: text, report: report(measured, options) })
}

/// What options have to say and do not.
fn missing(measured: &Measured, options: &Options, clusters: &BTreeSet<&String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for name in clusters.iter().filter(|name| !options.nodes.iter().any(|it| it.cluster == ***name)) {
        let help = format!("--nodes {name}=2x16 says two nodes of 16 cores");
        problems.push(Problem::new(format!("no metric says what nodes cluster `{name}` has")).help(help));
    }
    let first = clusters.iter().next();
    for name in
        clusters.iter().skip(1).filter(|name| !options.links.iter().any(|it| it.between.contains(name)))
    {
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

fn cluster(text: &mut String, name: &str, measured: &Measured, options: &Options) {
    let here =
        || measured.services.iter().filter_map(|(service, it)| Some((service, it.clusters.get(name)?)));
    line(text, format_args!("\n[clusters.{}]", key(name)));
    line(text, format_args!("zone = {}", quoted(name)));
    let machines = options.nodes.iter().filter(|it| it.cluster == *name);
    let nodes: Vec<String> =
        machines.flat_map(|it| vec![format!("{{ cores = {} }}", quoted(&it.cores)); it.count]).collect();
    line(text, format_args!("nodes = [{}]", nodes.join(", ")));
    let services: Vec<String> = here().map(|(service, _)| quoted(service)).collect();
    line(text, format_args!("services = [{}]", services.join(", ")));
    let replicas: Vec<String> =
        here().map(|(service, (pods, _))| format!("{} = {}", key(service), pods.round().max(1.0))).collect();
    if !replicas.is_empty() {
        line(text, format_args!("replicas = {{ {} }}", replicas.join(", ")));
    }
}

fn service(text: &mut String, name: &str, measured: &Measured) {
    let service = &measured.services[name];
    line(text, format_args!("\n[services.{}]", key(name)));
    if !service.namespace.is_empty() && service.namespace != "default" {
        line(text, format_args!("namespace = {}", quoted(&service.namespace)));
    }
    if let Some(limit) = service.clusters.values().find_map(|(_, limit)| *limit) {
        line(text, format_args!("resources.limits.cpu = \"{}\"", rounded(limit)));
    }
    line(text, format_args!("[services.{}.endpoints.default]", key(name)));
    if service.cpu_ms > 0.0 {
        line(
            text,
            format_args!(
                "service_time = {{ law = \"exponential\", mean = \"{}ms\" }}",
                rounded(service.cpu_ms)
            ),
        );
    } else {
        line(text, format_args!("service_time = \"0ms\""));
    }
    if service.request_bytes >= 1.0 {
        line(text, format_args!("request_size = \"{}B\"", service.request_bytes.round()));
    }
    line(
        text,
        format_args!(
            "response_size = {{ law = \"exponential\", mean = \"{}B\" }}",
            service.response_bytes.round().max(1.0)
        ),
    );
    if service.errors > 0.0 {
        line(text, format_args!("errors = {}", rounded(service.errors)));
    }
    let calls: Vec<String> = service
        .calls
        .iter()
        .filter(|(to, per_request)| **per_request >= LEAST_PROBABILITY && measured.services.contains_key(*to))
        .flat_map(|(to, per_request)| calls_of(to, *per_request))
        .collect();
    match (calls.is_empty(), service.in_parallel) {
        (true, _) => {}
        (false, true) => line(text, format_args!("calls = [{{ in_parallel = [{}] }}]", calls.join(", "))),
        (false, false) => line(text, format_args!("calls = [{}]", calls.join(", "))),
    }
}

/// So many calls per request: whole ones always, and one more with what is left.
fn calls_of(to: &str, per_request: f64) -> Vec<String> {
    // What is as good as always is always: a count over a window is not exact.
    let whole = (per_request + 0.005).floor();
    let left = per_request - whole;
    let mut calls = Vec::new();
    if whole >= 2.0 {
        calls.push(format!("{{ service = {}, count = {whole} }}", quoted(to)));
    } else if whole >= 1.0 {
        calls.push(quoted(to));
    }
    if left > 0.005 || (whole < 1.0 && left > 0.0) {
        calls.push(format!("{{ service = {}, probability = {} }}", quoted(to), rounded(left)));
    }
    calls
}

fn report(measured: &Measured, options: &Options) -> String {
    let mut text = "# Imported from Prometheus\n\n## Latencies to calibrate against\n\n".to_owned();
    line(
        &mut text,
        format_args!("| users of | service | requests/s | mean (ms) | p90 by Istio's buckets (ms) |"),
    );
    line(&mut text, format_args!("| --- | --- | ---: | ---: | ---: |"));
    for ((cluster, service), it) in &measured.users {
        let [rate, mean, p90] = [it.rate, it.mean_ms, it.p90_ms].map(rounded);
        line(&mut text, format_args!("| {cluster} | {service} | {rate} | {mean} | {p90} |"));
    }
    line(&mut text, format_args!("\n## Services\n"));
    line(
        &mut text,
        format_args!(
            "| service | answers/s | CPU per answer (ms) | body (B) | own errors | calls per request |"
        ),
    );
    line(&mut text, format_args!("| --- | ---: | ---: | ---: | ---: | --- |"));
    for (name, it) in &measured.services {
        let calls: Vec<String> = it.calls.iter().map(|(to, n)| format!("{to} {}", rounded(*n))).collect();
        let [rate, cpu, body, errors] = [it.rate, it.cpu_ms, it.response_bytes, it.errors].map(rounded);
        let calls = calls.join(", ");
        line(&mut text, format_args!("| {name} | {rate} | {cpu} | {body} | {errors} | {calls} |"));
    }
    line(&mut text, format_args!("\n## Assumed\n"));
    line(
        &mut text,
        format_args!(
            "- CPU times and sizes of answers are exponential: metrics have their means alone. Spans say more \
             (`meshsim calibrate`).\n- Machines and links are those of the options; a link has 1 Gbit/s unless its option \
             says another.\n- Headers of requests are 400 bytes, of answers 250.\n- Users come at random moments, at the mean \
             rate of the window."
        ),
    );
    for (name, it) in &measured.services {
        if it.in_parallel {
            line(
                &mut text,
                format_args!("- `{name}` calls others at the same time: together they take longer than it."),
            );
        } else if it.calls.len() > 1 {
            line(
                &mut text,
                format_args!("- `{name}` calls others in turn: together they take no longer than it."),
            );
        }
    }
    for name in &measured.idle {
        line(&mut text, format_args!("- Deployment `{name}` had no calls: it is left out."));
    }
    line(&mut text, format_args!("\n## Queries\n"));
    for query in queries::ALL {
        line(&mut text, format_args!("- {}: `{}`", query.name, query.over(&options.window)));
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a text does not fail.
    writeln!(text, "{line}").ok();
}

/// A number with five digits that mean something.
fn rounded(value: f64) -> String {
    format!("{value:.4e}").parse::<f64>().map_or_else(|_| value.to_string(), |it| it.to_string())
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// A key, in quotes if it needs them.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}
