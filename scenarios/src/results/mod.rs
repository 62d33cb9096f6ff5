//! Result files. No wall time, path or host name is in any of them.

pub mod break_even;
pub mod calibration;
pub(crate) mod csv;
mod draws;
pub mod drill;
pub mod files;
pub mod folder;
pub mod json;
pub mod offloading;
pub mod openmetrics;
mod over_time;
mod regret;
pub mod request_log;
pub mod single_file;
pub mod sweep;
pub mod timeline;
mod traffic;

use crate::experiment::compare::{ComparisonOutcome, ComparisonPlan};

/// A comparison, and what came of it.
#[derive(Clone, Copy)]
struct Compared<'a> {
    plan: &'a ComparisonPlan,
    outcome: &'a ComparisonOutcome,
}

/// Every file of results, with what it holds.
pub const FILES: &[(&str, &str)] = &[
    ("summary.json", "Everything that is reported of a comparison, for programs."),
    (
        "metrics.csv",
        "Every figure of every strategy, a row per value: what tells values of a figure apart stands in columns.",
    ),
    (
        "paired.csv",
        "Each strategy against the baseline, over the same requests, and how much that the requests are the same gains.",
    ),
    ("served.csv", "Calls per second of each pod."),
    (
        "proxy_counters.csv",
        "What the proxies of a cluster counted about each service that they called, by Envoy's names; zeros are left out.",
    ),
    (
        "traffic.csv",
        "Who calls whom, by cluster and service at both ends, from the end of the warm-up on: requests, answers, their bodies, their bytes on the wire.",
    ),
    (
        "links.csv",
        "What each link carried in each direction: calls, what only passed through, control planes, handshakes.",
    ),
    ("latency_histogram.csv", "Latencies of the requests that succeeded, over all replications."),
    ("user_histogram.csv", "The same of each group of users, where there are several."),
    ("request_histogram.csv", "The same of each kind of request, where there are several."),
    ("application_histogram.csv", "The same of each application, where there are several."),
    ("requests.csv", "Every user request and what was done for it (`--request-log`)."),
    (
        "critical_path.csv",
        "Where the time of the requests around the median and the p99 went, by part, hop and cluster (`--critical-path`).",
    ),
    ("spans.json", "Spans of chosen requests as OTLP, for Jaeger and others (`run --spans`)."),
    ("chrome_trace.json", "The same requests for Chrome and Perfetto (`run --spans --chrome-trace`)."),
    (
        "access_log.txt",
        "What the proxies that they passed write into their logs, as Istio's text (`run --spans --access-logs`).",
    ),
    ("access_log.json", "The same, an object a line."),
    (
        "time_series.csv",
        "Pods, CPU, requests, latency and endpoints of each service in each cluster over time (`run.time_series`).",
    ),
    ("link_series.csv", "What links carried over time, at the same moments."),
    ("traffic_series.csv", "Who calls whom over time, as a scrape of Istio's telemetry has it."),
    ("user_series.csv", "What users waited over time."),
    ("pod_events.csv", "Pods that were made, became ready, ended."),
    ("decisions.csv", "Every sync of every autoscaler, with what it was decided from."),
    (
        "pushes.csv",
        "Pushes of istiod: cause, kind, proxies, and how long until the last proxy had it (`[istiod]`).",
    ),
    (
        "timeline.csv",
        "Every decision in order: who made it, by which rule, when it was noticed and when acted (`run --timeline`).",
    ),
    (
        "offloading.csv",
        "Every decision of an offloading controller: what it saw and believed, what it ordered, what came of it (`[offloading]`).",
    ),
    (
        "offloading_inputs.csv",
        "What each of these decisions was made from: every answer of Prometheus that is not 0.",
    ),
    ("offloading_edges.csv", "What these controllers came to, by edge."),
    (
        "offloading_regret.csv",
        "What every alternative to each of their decisions came to, against the choice (`offloading.regret_horizon`).",
    ),
    (
        "calibration_draws.csv",
        "The mean of each strategy under each draw of a calibration (`--calibration-draws`).",
    ),
    (
        "sweep.csv",
        "The columns of metrics.csv behind those of the swept parameters, as they are written and in base units.",
    ),
    ("break_even.json", "The values at which two strategies are equally fast (`sweep --break-even`)."),
    ("break_even.csv", "The same as a table, and the points that were tried."),
    ("drill.json", "Every failure under every strategy (`drill`)."),
    ("drill.csv", "The same as a table."),
    ("drill_users.csv", "The same of each group of users."),
    ("validation.json", "Everything that a validation or a suite came to, for programs (`validate`)."),
    (
        "figures.csv",
        "Measured and simulated figures side by side, with the tolerances that they were held against.",
    ),
    ("cdf.csv", "Distribution functions of measured and simulated latencies."),
    ("qq.csv", "Quantiles of measured and simulated latencies, in pairs."),
    (
        "services.csv",
        "What each service served in each cluster, measured and simulated, and how long it took.",
    ),
    ("served_over_time.csv", "The same over time."),
    ("ranking.csv", "Pairs of a suite's configurations whose measured means differ (`validate --suite`)."),
    ("calibration.json", "Everything that a calibration came to, for programs (`calibrate --results`)."),
    ("calibrated.toml", "The calibrated scenario; the files that it names lie beside it."),
    ("scenario.toml", "The scenario or suite as it was given."),
    (
        "scenario.expanded.toml",
        "What it comes to, without templates and with its settings. The files that it names, and measurements, lie beside it as `input-1.NAME` and so on.",
    ),
    (
        "manifest.json",
        "Written last: the command in normal form, settings, version, seed, hashes, and the list of all files. `meshsim rerun DIR` goes by it.",
    ),
    ("report.html", "The page that `meshsim report DIR` makes of the others; no manifest lists it."),
];
