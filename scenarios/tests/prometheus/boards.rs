//! The expressions of Istio's own service and workload boards, over a service and a workload of the demonstration.
//!
//! # Source
//! istio/istio, `manifests/addons/dashboards/{istio-service-dashboard,istio-workload-dashboard}.json` (which metrics, labels and
//! functions each panel asks for).

use super::server::{answer, is_installed};
use super::{EDGE, Run, Sums, demonstration, export, ms, scaled, time};
use meshsim_models::telemetry::exporters::http::{Distribution, HttpCounts, HttpSeries, Reporter};
use meshsim_models::telemetry::istio_buckets::BOUNDS_MS;
use meshsim_models::telemetry::promql::histogram_quantile;

const SERVICE: &str = "destination_service=~\"s1.fluidosmesh.svc.cluster.local\"";
const WORKLOAD: &str =
    "destination_workload=~\"s1-provider1\",destination_workload_namespace=~\"fluidosmesh\"";

impl Run {
    /// `sum by (key) (irate(value))`: what the last two scrapes of each series differ by.
    fn last_rates(
        &self,
        value: impl Fn(&HttpCounts) -> f64,
        key: impl Fn(&HttpSeries) -> Option<String>,
    ) -> Sums {
        let mut sums = Sums::new();
        for (of, samples) in self.scraped.iter().flat_map(|it| &it.http) {
            if let (Some(key), [.., (before, old), (at, new)]) = (key(of), &samples[..]) {
                let seconds = (ms(*at) - ms(*before)) as f64 / 1e3;
                *sums.entry(key).or_default() += (value(new) - value(old)) / seconds;
            }
        }
        sums
    }

    fn last_quantile(
        &self,
        q: f64,
        of: fn(&HttpCounts) -> &Distribution,
        key: impl Fn(&HttpSeries) -> Option<String> + Copy,
    ) -> Sums {
        let buckets: Vec<Sums> = (0..=BOUNDS_MS.len())
            .map(|bucket| self.last_rates(|it| of(it).buckets.counts()[bucket] as f64, key))
            .collect();
        let quantile = |key: &String| {
            let counts: Vec<f64> = buckets.iter().map(|it| it[key]).collect();
            histogram_quantile(q, &BOUNDS_MS, &counts).unwrap_or(f64::NAN)
        };
        buckets[0].keys().map(|key| (key.clone(), quantile(key))).collect()
    }

    /// Calls of s1, wherever it is, or those of the edge's workload, that a reporter counts: by the caller's workload.
    fn of_s1(&self, of: &HttpSeries, reporter: Reporter, at_edge: bool) -> Option<String> {
        let is_there = !at_edge || of.destination.is_some_and(|(_, cluster)| cluster == EDGE);
        if of.reporter != reporter || self.name(of.called) != "s1" || !is_there {
            return None;
        }
        let names = &self.resolved.names[of.source_cluster];
        Some(of.source.map_or_else(|| names.ingress.clone(), |it| names.workload_of(&self.name(it))))
    }
}

/// Without what a `by` keeps.
fn whole(sums: &Sums) -> Sums {
    Sums::from([(String::new(), sums.values().sum())])
}

#[test]
fn istios_own_boards_show_what_was_simulated() {
    if !is_installed("istios_own_boards_show_what_was_simulated") {
        return;
    }
    let resolved = demonstration(&["run.duration=3min", "run.warm_up=0s"]);
    let run = Run::new(resolved);
    let (_, server) = export("boards", &run.resolved);
    let requests = |it: &HttpCounts| it.requests as f64;
    let [source, destination] = [Reporter::Source, Reporter::Destination];
    let by_caller = |reporter, at_edge| move |of: &HttpSeries, run: &Run| run.of_s1(of, reporter, at_edge);
    let mut cases: Vec<(String, Sums)> = Vec::new();
    let mut case = |expression: String, expected: Sums| cases.push((expression, expected));
    for (reporter, selector, at_edge) in
        [(source, SERVICE, false), (destination, SERVICE, false), (destination, WORKLOAD, true)]
    {
        let key = by_caller(reporter, at_edge);
        let key = |of: &HttpSeries| key(of, &run);
        let of = format!("reporter=~\"{}\",{selector}", reporter.name());
        let rates = run.last_rates(requests, key);
        case(
            format!("round(sum(irate(istio_requests_total{{{of}}}[1m])), 0.001)"),
            whole(&rates).into_iter().map(|(key, it)| (key, (it * 1e3).round() / 1e3)).collect(),
        );
        let good = run.last_rates(requests, |of| key(of).filter(|_| of.code < 500));
        let success = whole(&good)[""] / whole(&rates)[""];
        case(
            format!(
                "sum(irate(istio_requests_total{{{of},response_code!~\"5.*\"}}[1m])) / \
                 (sum(irate(istio_requests_total{{{of}}}[1m])) or on () vector(1))"
            ),
            Sums::from([(String::new(), success)]),
        );
        for q in [0.5, 0.9, 0.99] {
            let all = run.last_quantile(q, |it| &it.duration, |of| key(of).map(|_| String::new()));
            case(
                format!(
                    "(histogram_quantile({q}, sum(irate(istio_request_duration_milliseconds_bucket{{{of}}}[1m])) by (le)) / \
                     1000) or histogram_quantile({q}, sum(irate(istio_request_duration_seconds_bucket{{{of}}}[1m])) by (le))"
                ),
                scaled(&all, 1e-3),
            );
            for (metric, distribution) in [
                ("istio_request_bytes", (|it| &it.request) as fn(&HttpCounts) -> &Distribution),
                ("istio_response_bytes", |it| &it.response),
            ] {
                case(
                    format!(
                        "histogram_quantile({q}, sum(irate({metric}_bucket{{{of}}}[1m])) by (source_workload, le))"
                    ),
                    run.last_quantile(q, distribution, key),
                );
            }
        }
        case(
            format!("sum(irate(istio_requests_total{{{of}}}[1m])) by (source_workload)"),
            run.last_rates(requests, key),
        );
    }
    // A client's proxy does not say whether it had mutual TLS; a server's does.
    let key = |of: &HttpSeries| run.of_s1(of, destination, false);
    let mutual = "connection_security_policy=\"mutual_tls\"";
    case(
        format!(
            "sum(irate(istio_requests_total{{{mutual},{SERVICE},reporter=~\"source|destination\"}}[1m])) by (source_workload)"
        ),
        run.last_rates(requests, key),
    );
    for (expression, expected) in &cases {
        let told: Sums = answer(&server.url, &time(run.now), expression)
            .into_iter()
            .map(|(labels, value)| (labels.into_values().collect(), value))
            .collect();
        assert!(!told.is_empty(), "no answer to {expression}");
        assert_eq!(told.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{expression}");
        for (key, told) in &told {
            let right = expected[key];
            assert!((told - right).abs() <= 1e-6 * right.abs(), "{key}: {told}, not {right}: {expression}");
        }
    }
    // What the boards ask for beside, and why there is no answer.
    for (expression, why) in [
        (format!("sum(irate(istio_tcp_received_bytes_total{{{SERVICE}}}[1m]))"), "no service speaks TCP"),
        (format!("sum(irate(istio_tcp_sent_bytes_total{{{SERVICE}}}[1m]))"), "no service speaks TCP"),
        (
            format!("sum(irate(istio_requests_total{{{SERVICE},connection_security_policy=\"none\"}}[1m]))"),
            "all is mutual TLS",
        ),
    ] {
        assert!(answer(&server.url, &time(run.now), &expression).is_empty(), "{why}: {expression}");
    }
}
