//! Envoy's own counters of upstream clusters.
//!
//! # Assumptions
//! Istio exposes these only where `proxyStatsMatcher` includes them; here they are always there.
//!
//! # Source
//! Envoy, `prometheus_stats.cc` (names: a counter has no ending of its own, so most are of OpenMetrics' type `unknown`) and
//! `well_known_names.cc` (what becomes a label); Istio, `pilot/pkg/model/context.go` (`BuildSubsetKey`).

use super::identity::Identities;
use super::text::{Labels, Text};
use meshsim_core::Table;
use meshsim_models::ids::ClusterId;
use meshsim_models::telemetry::exporters::envoy::EnvoyCounts;
use meshsim_models::telemetry::exporters::samples::{Samples, SamplesOf, Target};
use meshsim_models::telemetry::metrics::Counter;
use std::io::Result;

/// The port of a service, and of an application.
const PORTS: [u32; 2] = [80, 8080];

/// Where each counter of an upstream cluster stands in Envoy's tree; absent: it is none of an upstream cluster.
const fn prefix(counter: Counter) -> Option<&'static str> {
    match counter {
        Counter::Ejections | Counter::EjectionOverflows => Some("envoy_cluster_outlier_detection_"),
        Counter::SessionMoves | Counter::CallersGone | Counter::Denied | Counter::PlainTextRefused => None,
        _ => Some("envoy_cluster_"),
    }
}

/// Writes all that proxies count of upstream clusters.
pub(super) fn write(
    text: &mut Text<'_>,
    all: &Table<ClusterId, Samples>,
    identities: &Identities<'_>,
) -> Result<()> {
    let mut rows: Vec<(Labels, &SamplesOf<EnvoyCounts>)> = Vec::new();
    for (cluster, samples) in all.enumerate() {
        for (&(instance, called), samples) in &samples.envoy {
            let upstream = match called {
                Some(service) => format!("outbound|{}||{}", PORTS[0], identities.host(service)),
                None => format!("inbound|{}||", PORTS[1]),
            };
            let labels = identities.target(Target::Proxy(instance), cluster);
            rows.push((labels.with("cluster_name", &upstream), samples));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    counter(text, "envoy_cluster_upstream_rq_total", &rows, |it| it.requests)?;
    text.family("envoy_cluster_upstream_rq_xx", "unknown", "Answers by the class of their status.")?;
    for (labels, samples) in &rows {
        for class in 0..5 {
            let digit = (class + 1).to_string();
            let of_class = |(_, counts): &&(_, EnvoyCounts)| counts.classes[class] > 0;
            for (at, counts) in samples.iter().filter(of_class) {
                let more = Some(("response_code_class", &*digit));
                text.sample("envoy_cluster_upstream_rq_xx", (labels, more), counts.classes[class], *at)?;
            }
        }
    }
    for (index, of) in Counter::ALL.into_iter().enumerate() {
        if let Some(prefix) = prefix(of) {
            counter(text, &format!("{prefix}{}", of.name()), &rows, |it| it.counters[index])?;
        }
    }
    Ok(())
}

/// A counter, with the type that its name allows.
fn counter(
    text: &mut Text<'_>,
    name: &str,
    rows: &[(Labels, &SamplesOf<EnvoyCounts>)],
    value: impl Fn(&EnvoyCounts) -> u64,
) -> Result<()> {
    match name.strip_suffix("_total") {
        Some(family) => text.family(family, "counter", "Envoy's counter of an upstream cluster.")?,
        None => text.family(name, "unknown", "Envoy's counter of an upstream cluster.")?,
    }
    for (labels, samples) in rows {
        for (at, counts) in *samples {
            text.sample(name, (labels, None), value(counts), *at)?;
        }
    }
    Ok(())
}
