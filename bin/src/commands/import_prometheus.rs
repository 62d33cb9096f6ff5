//! `meshsim import --prometheus`: what a running Prometheus has of an application to a scenario.

use meshsim_scenarios::import::manifests::{Link, Nodes};
use meshsim_scenarios::import::prometheus::{Answers, Imported, Options, import};
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::results::openmetrics::StartTime;
use std::path::PathBuf;

/// What only manifests, and who adds to them, have a use for.
const OF_MANIFESTS: [&str; 7] = ["path", "cluster", "users", "property", "seed", "overlay", "allow"];

/// Which Prometheus, and when.
#[derive(clap::Args)]
pub(super) struct Metrics {
    /// Ask this Prometheus instead of manifests, as in http://localhost:9090: call graph, rates, sizes, CPU, latencies
    #[arg(long, value_name = "URL", requires = "at", conflicts_with_all = OF_MANIFESTS, conflicts_with = "metrics")]
    prometheus: Option<String>,
    /// The same from the answers that an earlier import has saved (answers.json)
    #[arg(long, value_name = "FILE", conflicts_with_all = OF_MANIFESTS, conflicts_with = "at")]
    metrics: Option<PathBuf>,
    /// The end of the window that is looked at, as in 2026-11-24T09:00:00Z
    #[arg(long, value_name = "TIME", requires = "prometheus")]
    at: Option<StartTime>,
    /// How long before that is looked at (default: 30m)
    #[arg(long, value_name = "TIME", conflicts_with_all = ["path", "cluster"])]
    window: Option<String>,
}

impl Metrics {
    /// Whether metrics are imported, and no manifests.
    pub(super) const fn is_asked(&self) -> bool {
        self.prometheus.is_some() || self.metrics.is_some()
    }

    /// Asks, and turns the answers into a scenario of this name.
    pub(super) fn import(
        &self,
        name: &str,
        (nodes, links): (Vec<Nodes>, Vec<Link>),
    ) -> Checked<(Answers, Imported)> {
        let window = self.window.clone().unwrap_or_else(|| "30m".to_owned());
        let options = Options { name: name.to_owned(), window, nodes, links };
        let answers = match (&self.prometheus, &self.metrics, self.at) {
            (Some(url), _, Some(at)) => Answers::ask(url, at.ms() as f64 / 1e3, &options.window)?,
            (_, Some(file), _) => Answers::read(file)?,
            _ => return Err(Problem::new("--prometheus needs --at").into()),
        };
        let imported = import(&answers, &options)?;
        Ok((answers, imported))
    }
}
