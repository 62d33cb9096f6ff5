//! Conformance of the readers with real measurements: the testbed's files against the figures that
//! were computed of them elsewhere (`summary.json`).
//!
//! Their folder lies beside the workspace (or where `MESHSIM_SHARED` says) and is no part of the
//! product; without it each test says that it is skipped.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test may panic, and says what it skips.

use meshsim_scenarios::traces::format::Format;
use meshsim_scenarios::traces::model::Side;
use meshsim_scenarios::traces::{Options, Span, Trace, read};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The configurations of the testbed, or nothing where they are missing.
fn configurations(test: &str) -> Vec<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root = std::env::var_os("MESHSIM_SHARED").map_or(default, PathBuf::from).join("testbed");
    if !root.is_dir() {
        println!("skipped: {test}, for want of {}", root.display());
        return Vec::new();
    }
    let entries = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.join("summary.json").is_file()).collect();
    found.sort();
    assert!(found.len() >= 10, "{found:?}");
    found
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn strictly(path: &Path) -> Trace {
    read(path, &Options { strict: true, ..Options::default() }).unwrap()
}

fn mean(values: impl Iterator<Item = f64>) -> (u64, f64) {
    let (count, sum) = values.fold((0, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count, sum / count as f64)
}

/// When the warm-up ended (us since 1970).
fn warm_up_end(folder: &Path) -> u64 {
    json(&folder.join("config.json"))["t_warmup_end_us"].as_u64().unwrap()
}

/// The users' requests: their number and mean latency.
#[test]
fn the_users_requests_are_those_of_the_summary() {
    for folder in configurations("the_users_requests_are_those_of_the_summary") {
        let summary = json(&folder.join("summary.json"));
        let trace = strictly(&folder.join("requests.csv.gz"));
        assert_eq!(trace.reading.format, Some(Format::JtlCsv));
        assert_eq!(trace.count(), summary["count_all"].as_u64().unwrap(), "{}", folder.display());
        let end = warm_up_end(&folder);
        let kept: Vec<_> = trace.requests.iter().filter(|request| request.start_us >= end).collect();
        let (count, mean_ms) = mean(kept.iter().filter(|r| r.ok).map(|r| r.latency_ms));
        let ok = &summary["latency_ms_ok"];
        // The summary cuts by intended, the trace by actual start: some 100 us apart.
        assert!(count.abs_diff(ok["n"].as_u64().unwrap()) <= 1, "{}: {count}", folder.display());
        let expected = ok["mean"].as_f64().unwrap();
        assert!((mean_ms / expected - 1.0).abs() < 1e-3, "{}: {mean_ms} {expected}", folder.display());
    }
}

/// The hops of requests that entered after the warm-up.
fn kept_spans(trace: &Trace, end: u64) -> Vec<&Span> {
    // Those of one request stand together, the outermost first.
    let requests = trace.spans.chunk_by(|a, b| a.request == b.request);
    requests.filter(|hops| hops[0].start_us >= end).flatten().collect()
}

/// Every service's requests as its sidecars logged them.
#[test]
fn the_sidecars_logs_are_those_of_the_summary() {
    let mut services = 0;
    for folder in configurations("the_sidecars_logs_are_those_of_the_summary") {
        let summary = json(&folder.join("summary.json"));
        let trace = strictly(&folder.join("access.jsonl.gz"));
        let end = warm_up_end(&folder);
        let spans = kept_spans(&trace, end);
        for (service, clusters) in summary["per_service"].as_object().unwrap() {
            for (cluster, figures) in clusters.as_object().unwrap() {
                let Some(expected) = figures["mean_server_ms"].as_f64() else { continue };
                let pod = (trace.names.find(service), trace.names.find(cluster), Side::Server);
                let of_pod = spans.iter().filter(|span| (span.service, span.cluster, span.side) == pod);
                let (count, mean_ms) = mean(of_pod.map(|span| span.duration_ms));
                let requests = figures["requests"].as_u64().unwrap();
                let whose = format!("{}, {service} in {cluster}", folder.display());
                assert!(count.abs_diff(requests) <= 1, "{whose}: {count} {requests}");
                let tolerance = if count == requests { 1e-3 } else { 0.05 };
                assert!((mean_ms / expected - 1.0).abs() < tolerance, "{whose}: {mean_ms} {expected}");
                services += 1;
            }
        }
        let entered = trace.requests.iter().filter(|request| request.start_us >= end).count() as u64;
        let sent = summary["count"].as_u64().unwrap();
        assert!(entered.abs_diff(sent) <= 2, "{}: {entered} of {sent} at the gateway", folder.display());
    }
    println!("{services} services compared");
}

/// The Jaeger export was made from the access log: the same hops, with their causes.
#[test]
fn the_jaeger_export_is_that_of_the_log() {
    for folder in configurations("the_jaeger_export_is_that_of_the_log") {
        let file = folder.join("jaeger.json");
        if !file.is_file() {
            continue;
        }
        let (traced, logged) = (strictly(&file), strictly(&folder.join("access.jsonl.gz")));
        assert_eq!(traced.reading.format, Some(Format::Jaeger));
        assert_eq!((traced.requests.len(), traced.spans.len()), (200, 996));
        for request in &traced.requests {
            let same = |r: &&meshsim_scenarios::traces::TraceRequest| {
                r.start_us == request.start_us && (r.latency_ms - request.latency_ms).abs() < 0.002
            };
            assert!(logged.requests.iter().any(|r| same(&r)), "{request:?}");
        }
        let roots = traced.spans.iter().filter(|span| span.parent.is_none()).count();
        assert_eq!(roots, 200, "every other span has its cause");
    }
}
