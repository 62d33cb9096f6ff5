//! What was asked, found and assumed, as Markdown.

use super::application::{Application, Law, Work};
use super::queries;
use super::scenario::{line, rounded};

/// The report; over which window metrics were asked, if they were.
pub(super) fn text(measured: &Application, window: Option<&str>, missing: &[String]) -> String {
    let mut text = "# Imported from what was measured\n\n## Latencies to calibrate against\n\n".to_owned();
    line(&mut text, format_args!("| users of | service | requests/s | mean (ms) | p90 (ms) | errors |"));
    line(&mut text, format_args!("| --- | --- | ---: | ---: | ---: | ---: |"));
    for ((cluster, service), it) in &measured.users {
        let known = |it: f64| if it.is_nan() { "not known".to_owned() } else { rounded(it) };
        let [rate, mean, p90, errors] = [it.rate, it.mean_ms, it.p90_ms, it.errors].map(known);
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
        let [rate, cpu, wait, errors] =
            [it.rate, it.work.cpu_ms, it.work.wait_ms, it.work.errors].map(rounded);
        let body = it.work.response_bytes.map_or_else(|| "not known".to_owned(), rounded);
        let calls = calls.join(", ");
        line(&mut text, format_args!("| {name} | {rate} | {cpu} | {wait} | {body} | {errors} | {calls} |"));
    }
    kinds(&mut text, measured);
    line(&mut text, format_args!("\n## Laws\n"));
    line(&mut text, format_args!("| service | of what | law | standard deviation / mean | why |"));
    line(&mut text, format_args!("| --- | --- | --- | ---: | --- |"));
    for (name, it) in &measured.services {
        let mut law = |what: &str, law: &Law| {
            let (family, cv) = (law.shape.name(), rounded(law.shape.cv()));
            line(&mut text, format_args!("| {name} | {what} | {family} | {cv} | {} |", law.why));
        };
        law("CPU time", &it.work.cpu_law);
        if it.work.wait_ms > 0.0 {
            law("wait", &it.work.law_of_wait());
        }
        if it.work.response_bytes.is_some() {
            law("body of an answer", &it.work.response_law);
        }
        for kind in it.kinds.iter().filter(|_| it.kinds.len() > 1) {
            law(&format!("CPU time of `{}`", kind.name), &kind.work.cpu_law);
            if kind.work.wait_ms > 0.0 {
                law(&format!("wait of `{}`", kind.name), &kind.work.law_of_wait());
            }
            if kind.work.response_bytes.is_some() {
                law(&format!("body of an answer of `{}`", kind.name), &kind.work.response_law);
            }
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
                "- Spans are of all requests; what a service takes itself is CPU time. Answers of which spans say no size have the default \
                 size of a scenario, and pods no CPU limit: metrics beside them say both."
            ),
        );
    }
    if measured.services.values().all(|it| it.kinds.is_empty()) {
        line(
            &mut text,
            format_args!(
                "- Each service has one kind of request, the mean of all: no standard metric tells paths or methods of gRPC apart. \
                 Spans (`--traces`) do; or write its `endpoints` where that matters."
            ),
        );
    }
    for it in missing {
        line(&mut text, format_args!("- {}{}.", it[..1].to_uppercase(), &it[1..]));
    }
    for (name, _) in measured.services.iter().filter(|(_, it)| it.is_grpc) {
        line(&mut text, format_args!("- `{name}` speaks gRPC: `request_protocol` says so."));
    }
    for (name, it) in measured.services.iter().filter(|(_, it)| it.calls.len() > 1) {
        calls_in_order(&mut text, &format!("`{name}`"), &it.work, it.kinds.len() < 2);
        for kind in it.kinds.iter().filter(|kind| it.kinds.len() > 1 && kind.calls.len() > 1) {
            calls_in_order(&mut text, &format!("`{}` of `{name}`", kind.name), &kind.work, true);
        }
    }
    for (name, it) in measured.services.iter().filter(|(_, it)| it.work.wait_ms > 0.0) {
        let wait = rounded(it.work.wait_ms);
        line(
            &mut text,
            format_args!(
                "- `{name}` waits {wait} ms: {}.",
                match window {
                    Some(_) => "its answers take so much longer than CPU time and calls",
                    None => "for calls that nobody in the mesh answers",
                }
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

/// Whether calls are made in turn, if something says it.
fn calls_in_order(text: &mut String, of: &str, work: &Work, is_to_be_said: bool) {
    if is_to_be_said && !work.why_parallel.is_empty() {
        let how = if work.in_parallel { "at the same time" } else { "in turn" };
        line(text, format_args!("- {of} calls others {how}: {}.", work.why_parallel));
    }
}

/// Services whose kinds of requests are told apart.
fn kinds(text: &mut String, measured: &Application) {
    let all = || measured.services.iter().filter(|(_, it)| it.kinds.len() > 1);
    if all().next().is_none() {
        return;
    }
    line(text, format_args!("\n## Kinds of requests\n"));
    line(
        text,
        format_args!(
            "| service | kind | asked for | share | CPU per answer (ms) | body (B) | own errors | calls per request |"
        ),
    );
    line(text, format_args!("| --- | --- | --- | ---: | ---: | ---: | ---: | --- |"));
    for (name, kind) in all().flat_map(|(name, it)| it.kinds.iter().map(move |kind| (name, kind))) {
        let call = |((to, of), count): &((String, Option<String>), f64)| {
            let of = of.as_ref().map(|it| format!(".{it}")).unwrap_or_default();
            format!("{to}{of} {}", rounded(*count))
        };
        let calls: Vec<String> = kind.calls.iter().map(call).collect();
        let [share, cpu, errors] = [kind.share, kind.work.cpu_ms, kind.work.errors].map(rounded);
        let body = kind.work.response_bytes.map_or_else(|| "not known".to_owned(), rounded);
        let asked = kind.operation.as_deref().unwrap_or("what is rare");
        let calls = calls.join(", ");
        line(
            text,
            format_args!(
                "| {name} | {} | {asked} | {share} | {cpu} | {body} | {errors} | {calls} |",
                kind.name
            ),
        );
    }
}
