//! µBench's metrics.
//!
//! # Assumptions
//! Behind a sidecar a cell sees all requests come from the same address; without one, those of all clients are one series
//! without a label `from`.
//!
//! # Source
//! mSvcBench/muBench, `ServiceCell/CellController-mp.py`: a Summary and a Histogram of each, whose name ends with `_bucket`.

use super::identity::Identities;
use super::text::{Labels, Text};
use meshsim_core::{SimTime, Table};
use meshsim_models::ids::ClusterId;
use meshsim_models::telemetry::exporters::cells::{BOUNDS_MS, CellCounts, Latencies};
use meshsim_models::telemetry::exporters::samples::{Samples, SamplesOf, Target};
use std::io::Result;

/// Where a sidecar's requests come from (Istio's `InboundPassthroughBindIpv4`).
const SIDECAR_ADDRESS: &str = "127.0.0.6";

/// A summary: its name, what it is, whether it tells who asks, and how it is found in the counts of a cell.
type Family = (&'static str, &'static str, bool, fn(&CellCounts) -> &Latencies);

const LATENCIES: [Family; 3] = [
    ("mub_internal_processing_latency_milliseconds", "Latency of internal service", false, |it| &it.internal),
    ("mub_external_processing_latency_milliseconds", "Latency of external services", false, |it| {
        &it.external
    }),
    (
        "mub_request_processing_latency_milliseconds",
        "Request latency including external and internal service",
        true,
        |it| &it.request,
    ),
];

struct Row<'a> {
    plain: Labels,
    /// With those of who asks.
    asked: Labels,
    samples: &'a SamplesOf<CellCounts>,
}

/// Writes all that cells count.
pub(super) fn write(
    text: &mut Text<'_>,
    all: &Table<ClusterId, Samples>,
    identities: &Identities<'_>,
) -> Result<()> {
    let rows: Vec<Row<'_>> = all.enumerate().flat_map(|it| rows_of(identities, it)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    text.family("mub_response_size", "summary", "Response size")?;
    for Row { asked, samples, .. } in &rows {
        for (at, counts) in *samples {
            text.sample("mub_response_size_count", (asked, None), counts.internal.count, *at)?;
            text.sample("mub_response_size_sum", (asked, None), counts.body, *at)?;
        }
    }
    for (name, help, tells_who, of) in LATENCIES {
        let labels = |row: &Row<'_>| if tells_who { row.asked.clone() } else { row.plain.clone() };
        text.family(name, "summary", help)?;
        for row in &rows {
            let labels = labels(row);
            for (at, counts) in row.samples {
                sums(text, name, &labels, of(counts), *at)?;
            }
        }
        let name = format!("{name}_bucket");
        text.family(&name, "histogram", help)?;
        for row in &rows {
            let labels = labels(row);
            for (at, counts) in row.samples {
                buckets(text, &format!("{name}_bucket"), &labels, of(counts), *at)?;
                sums(text, &name, &labels, of(counts), *at)?;
            }
        }
    }
    Ok(())
}

fn rows_of<'a>(
    identities: &'a Identities<'_>,
    (cluster, samples): (ClusterId, &'a Samples),
) -> impl Iterator<Item = Row<'a>> {
    samples.cells.iter().map(move |(&(pod, endpoint), samples)| {
        let (application, service) = (&identities.description.application, identities.service_of(pod));
        let endpoint = &application.endpoints[endpoint];
        let spec = &identities.description.clusters[cluster];
        let zone = spec.nodes.first().map_or("", |node| &node.locality.zone);
        let path = endpoint.path.split('?').next().unwrap_or_default();
        let plain = identities.target(Target::Cell(pod), cluster).and([
            ("zone", zone),
            ("app_name", identities.service(service)),
            ("method", &endpoint.method),
            ("endpoint", path),
        ]);
        let from = if identities.description.is_injected(service) { SIDECAR_ADDRESS } else { "" };
        let asked = plain.clone().and([("from", from), ("kubernetes_service", identities.service(service))]);
        Row { plain, asked, samples }
    })
}

fn sums(text: &mut Text<'_>, name: &str, labels: &Labels, of: &Latencies, at: SimTime) -> Result<()> {
    text.sample(&format!("{name}_count"), (labels, None), of.count, at)?;
    text.sample(&format!("{name}_sum"), (labels, None), of.nanos as f64 / 1e6, at)
}

fn buckets(text: &mut Text<'_>, name: &str, labels: &Labels, of: &Latencies, at: SimTime) -> Result<()> {
    let mut below = 0;
    for (index, count) in of.buckets.iter().enumerate() {
        below += count;
        // As Python writes numbers.
        let bound = BOUNDS_MS.get(index).map_or("+Inf".to_owned(), |bound| format!("{bound:?}"));
        text.sample(name, (labels, Some(("le", &bound))), below, at)?;
    }
    Ok(())
}
