//! What was asked, found and assumed, as Markdown.

use super::application::{Application, Law};
use super::queries;
use super::scenario::{line, rounded};

/// The report; over which window metrics were asked, if they were.
pub(super) fn text(measured: &Application, window: Option<&str>) -> String {
    let mut text = "# Imported from what was measured\n\n## Latencies to calibrate against\n\n".to_owned();
    line(&mut text, format_args!("| users of | service | requests/s | mean (ms) | p90 (ms) | errors |"));
    line(&mut text, format_args!("| --- | --- | ---: | ---: | ---: | ---: |"));
    for ((cluster, service), it) in &measured.users {
        let [rate, mean, p90, errors] = [it.rate, it.mean_ms, it.p90_ms, it.errors].map(rounded);
        line(&mut text, format_args!("| {cluster} | {service} | {rate} | {mean} | {p90} | {errors} |"));
    }
    let seen = match window {
        Some(_) => "p90 is what a dashboard shows, by Istio's buckets. ",
        None => "",
    };
    line(
        &mut text,
        format_args!(
            "\n{seen}Latencies are those of ingress gateways: the way from users to them is not in them, and comes from \
             `users.NAME.access` of an overlay."
        ),
    );
    line(&mut text, format_args!("\n## Services\n"));
    line(
        &mut text,
        format_args!(
            "| service | answers/s | CPU per answer (ms) | waits (ms) | body (B) | own errors | calls per request |"
        ),
    );
    line(&mut text, format_args!("| --- | ---: | ---: | ---: | ---: | ---: | --- |"));
    for (name, it) in &measured.services {
        let calls: Vec<String> = it.calls.iter().map(|(to, n)| format!("{to} {}", rounded(*n))).collect();
        let [rate, cpu, wait, errors] = [it.rate, it.cpu_ms, it.wait_ms, it.errors].map(rounded);
        let body = it.response_bytes.map_or_else(|| "not known".to_owned(), rounded);
        let calls = calls.join(", ");
        line(&mut text, format_args!("| {name} | {rate} | {cpu} | {wait} | {body} | {errors} | {calls} |"));
    }
    line(&mut text, format_args!("\n## Laws\n"));
    line(&mut text, format_args!("| service | of what | law | standard deviation / mean | why |"));
    line(&mut text, format_args!("| --- | --- | --- | ---: | --- |"));
    for (name, it) in &measured.services {
        let mut law = |what: &str, law: &Law| {
            let (family, cv) = (law.shape.name(), rounded(law.shape.cv()));
            line(&mut text, format_args!("| {name} | {what} | {family} | {cv} | {} |", law.why));
        };
        law("CPU time", &it.cpu_law);
        if it.response_bytes.is_some() {
            law("body of an answer", &it.response_law);
        }
    }
    line(&mut text, format_args!("\n## Assumed\n"));
    line(
        &mut text,
        format_args!(
            "- Machines and links are those of the options; a link has 1 Gbit/s unless its option says another.\n- Headers of \
             requests are 400 bytes, of answers 250.\n- Users come at random moments, at the mean rate of the window."
        ),
    );
    if window.is_none() {
        line(
            &mut text,
            format_args!(
                "- Spans are of all requests; what a service takes itself is CPU time. Answers have the default size of a \
                 scenario, and pods no CPU limit: metrics beside them say both."
            ),
        );
    }
    if window.is_some() {
        line(
            &mut text,
            format_args!(
                "- Each service has one kind of request, the mean of all: no standard metric tells paths or methods of gRPC apart. \
                 Write its `endpoints` where that matters."
            ),
        );
    }
    for (name, _) in measured.services.iter().filter(|(_, it)| it.is_grpc) {
        line(&mut text, format_args!("- `{name}` speaks gRPC: `request_protocol` says so."));
    }
    for (name, it) in measured.services.iter().filter(|(_, it)| it.calls.len() > 1) {
        let how = if it.in_parallel { "at the same time" } else { "in turn" };
        line(&mut text, format_args!("- `{name}` calls others {how}: {}.", it.why_parallel));
    }
    for (name, it) in measured.services.iter().filter(|(_, it)| it.wait_ms > 0.0) {
        let wait = rounded(it.wait_ms);
        line(
            &mut text,
            format_args!(
                "- `{name}` waits {wait} ms: its answers take so much longer than CPU time and calls."
            ),
        );
    }
    for name in &measured.idle {
        line(&mut text, format_args!("- Deployment `{name}` had no calls: it is left out."));
    }
    let Some(window) = window else { return text };
    line(&mut text, format_args!("\n## Queries\n"));
    for query in queries::ALL {
        line(&mut text, format_args!("- {}: `{}`", query.name, query.over(window)));
    }
    text
}
