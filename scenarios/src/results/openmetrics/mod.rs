//! What Prometheus would have of a run, as OpenMetrics text with time stamps: `promtool tsdb create-blocks-from openmetrics`
//! makes blocks of it, and every dashboard of a real mesh shows them.
//!
//! # Models
//! The names and labels are those of Istio's telemetry (both reporters), Envoy, istiod, µBench's cells, cAdvisor,
//! kube-state-metrics and Liqo's gateways; each target is scraped at its own phase of the interval from the start of the run on, its warm-up included. Without a mesh, or
//! without telemetry, there is nothing of Istio's. All clusters are in one file, told apart by the label `cluster`, as
//! behind a Prometheus that federates them.
//!
//! # Assumptions
//! - What a target no longer exposes has no stale marker, which the format does not know. Effect: an instant query shows a pod
//!   that is gone for five minutes more.
//! - Where no scrape has seen a series at zero, `rate` and `increase` miss what was counted before the first: as in reality.
//!
//! # Source
//! OpenMetrics 1.0; Prometheus 2.42, `cmd/promtool/backfill.go`.

mod cells;
mod envoy;
mod identity;
mod istio;
mod istiod;
mod kubernetes;
mod scrape_interval;
mod text;

pub(crate) use self::istio::http_code;
pub use self::scrape_interval::ScrapeInterval;

use self::identity::Identities;
use self::text::{Labels, Text};
use super::single_file::{prepare_file, write_by};
use crate::experiment::Watch;
use crate::experiment::replication::scrape;
use crate::problem::{Checked, Problem};
use crate::resolve::Resolved;
use crate::start_time::StartTime;
use meshsim_core::{SimTime, Table};
use meshsim_models::ids::ClusterId;
use meshsim_models::telemetry::exporters::samples::Samples;
use meshsim_models::telemetry::request_log::RequestRow;
use std::path::PathBuf;

/// How the text of every file begins.
const BEGINNING: &str = "# HELP meshsim_run ";

/// Where a run's metrics go, and how they are made.
#[derive(Clone, Debug)]
pub struct Export {
    /// The file.
    pub file: PathBuf,
    /// When the run begins.
    pub start: StartTime,
    /// Time between two scrapes of each target.
    pub interval: ScrapeInterval,
}

impl Export {
    /// Makes sure before the run that the file can be written, and that there is something to be scraped in it.
    ///
    /// # Errors
    /// If not.
    pub fn prepare(&self, resolved: &Resolved, force: bool) -> Checked<()> {
        let (interval, run) = (self.interval.get(), resolved.description.end() - SimTime::ZERO);
        if interval > run {
            let message = format!("--scrape-interval {interval} is longer than the run of {run}");
            return Err(Problem::new(message).help("15s is usual").into());
        }
        prepare_file(&self.file, "--openmetrics", BEGINNING, force)
    }

    /// Runs the first replication of a strategy once more and writes what Prometheus would have of it: scrapes change
    /// nothing of a run. False if it was told to stop.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn run(&self, resolved: &Resolved, watch: &Watch<'_>) -> Checked<bool> {
        let Some(scraped) = scraped(resolved, self.interval, watch, |_| {}) else { return Ok(false) };
        write_by(&self.file, |out| write(&mut Text { out, start_ms: self.start.ms() }, resolved, &scraped))?;
        Ok(true)
    }
}

/// What Prometheus has of the first replication of a strategy, which is told of every user request, in no order that means
/// anything; nothing if it was told to stop.
pub fn scraped(
    resolved: &Resolved,
    interval: ScrapeInterval,
    watch: &Watch<'_>,
    also: impl FnMut(&RequestRow),
) -> Option<Table<ClusterId, Samples>> {
    let mut resolved = resolved.clone();
    resolved.description.scraped_every = Some(interval.get());
    scrape(&resolved, watch, also)
}

fn write(
    text: &mut Text<'_>,
    resolved: &Resolved,
    scraped: &Table<ClusterId, Samples>,
) -> std::io::Result<()> {
    let identities = Identities::new(resolved);
    text.family("meshsim_run", "info", "What was simulated.")?;
    let labels = Labels::default().and([
        ("strategy", &*resolved.strategy),
        ("seed", &resolved.description.seed.to_string()),
        ("version", env!("CARGO_PKG_VERSION")),
    ]);
    text.sample("meshsim_run_info", (&labels, None), 1, SimTime::ZERO)?;
    istio::write(text, scraped, &identities)?;
    envoy::write(text, scraped, &identities)?;
    istiod::write(text, scraped, &identities)?;
    cells::write(text, scraped, &identities)?;
    kubernetes::write(text, scraped, &identities)?;
    text.end()
}
