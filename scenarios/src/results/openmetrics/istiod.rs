//! What istiods say of themselves.
//!
//! # Source
//! istio/istio, `pilot/pkg/xds/monitoring.go`: names (its exporter adds no ending to a counter's, so they are of OpenMetrics' type
//! `unknown`), labels and buckets of 1.24 and later.

use super::identity::Identities;
use super::text::{Labels, Text};
use meshsim_core::Table;
use meshsim_models::ids::ClusterId;
use meshsim_models::telemetry::exporters::istiod::{
    CONTEXT_BOUNDS_MS, DEBOUNCE_BOUNDS_MS, IstiodCounts, PROXY_BOUNDS_MS, TYPES, UPDATES,
};
use meshsim_models::telemetry::exporters::observed::Observed;
use meshsim_models::telemetry::exporters::samples::{Samples, SamplesOf, Target};
use std::io::Result;

type Row<'a> = (Labels, &'a SamplesOf<IstiodCounts>);

/// Writes all that istiods count.
pub(super) fn write(
    text: &mut Text<'_>,
    all: &Table<ClusterId, Samples>,
    identities: &Identities<'_>,
) -> Result<()> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (cluster, samples) in all.enumerate() {
        for (&replica, samples) in &samples.istiod {
            rows.push((identities.target(Target::Istiod(replica), cluster), samples));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let (version, services) =
        (identities.description.mesh.istio_version.to_string(), identities.services_in_all() as u64);
    text.family("pilot_xds", "gauge", "Proxies that are connected.")?;
    each(text, "pilot_xds", &rows, Some(("version", &version)), |it| it.connected.into())?;
    text.family("pilot_services", "gauge", "Services that it knows.")?;
    each(text, "pilot_services", &rows, None, |_| services)?;
    text.family("pilot_xds_pushes", "unknown", "Pushes to proxies.")?;
    for (index, name) in TYPES.into_iter().enumerate() {
        each(text, "pilot_xds_pushes", &rows, Some(("type", name)), |it| it.pushes[index])?;
    }
    text.family("pilot_inbound_updates", "unknown", "What it has learned.")?;
    for (index, name) in UPDATES.into_iter().enumerate() {
        each(text, "pilot_inbound_updates", &rows, Some(("type", name)), |it| it.updates[index])?;
    }
    let mut all = Histograms { text, rows: &rows };
    all.write("pilot_debounce_time", "From a change to its push.", &DEBOUNCE_BOUNDS_MS, |it| &it.debounce)?;
    all.write("pilot_pushcontext_init_seconds", "Preparation of a push.", &CONTEXT_BOUNDS_MS, |it| {
        &it.context
    })?;
    all.write("pilot_proxy_queue_time", "A proxy in the queue.", &PROXY_BOUNDS_MS, |it| &it.queue)?;
    all.write("pilot_proxy_convergence_time", "A proxy's push.", &PROXY_BOUNDS_MS, |it| &it.convergence)
}

/// Samples of one name, with a label more if there is one.
fn each(
    text: &mut Text<'_>,
    name: &str,
    rows: &[Row<'_>],
    more: Option<(&str, &str)>,
    value: impl Fn(&IstiodCounts) -> u64,
) -> Result<()> {
    for (labels, samples) in rows {
        for (at, counts) in *samples {
            text.sample(name, (labels, more), value(counts), *at)?;
        }
    }
    Ok(())
}

struct Histograms<'a, 'b> {
    text: &'a mut Text<'b>,
    rows: &'a [Row<'a>],
}

impl Histograms<'_, '_> {
    fn write<const BUCKETS: usize>(
        &mut self,
        name: &str,
        help: &str,
        bounds_ms: &[f64],
        of: impl Fn(&IstiodCounts) -> &Observed<BUCKETS>,
    ) -> Result<()> {
        self.text.family(name, "histogram", &format!("{help} In seconds."))?;
        let bucket = format!("{name}_bucket");
        for (labels, samples) in self.rows {
            for (at, counts) in *samples {
                let (observed, mut below) = (of(counts), 0);
                for (index, count) in observed.buckets.iter().enumerate() {
                    below += count;
                    let bound = bounds_ms.get(index).map_or("+Inf".to_owned(), |ms| (ms / 1e3).to_string());
                    self.text.sample(&bucket, (labels, Some(("le", &bound))), below, *at)?;
                }
                self.text.sample(&format!("{name}_sum"), (labels, None), observed.nanos as f64 / 1e9, *at)?;
                self.text.sample(&format!("{name}_count"), (labels, None), observed.count, *at)?;
            }
        }
        Ok(())
    }
}
