//! `meshsim import --prometheus`, `--metrics`, `--traces`: what was measured of an application.

use crate::diagnostics::warn;
use meshsim_scenarios::import::measured::{Answers, Measured, Server, queries};
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::start_time::StartTime;
use meshsim_scenarios::traces::{self, Options};
use std::path::PathBuf;

/// Over which window, if nothing else is said.
const WINDOW: &str = "30m";

/// What was measured, and when.
#[derive(clap::Args)]
pub(super) struct Measurements {
    /// Ask this Prometheus, as in http://localhost:9090: call graph, rates, sizes, CPU, latencies. Beside manifests it says what services do
    /// and what users request
    #[arg(long, value_name = "URL", requires = "at", conflicts_with_all = ["metrics", "users", "property"])]
    prometheus: Option<String>,
    /// The same from the answers that an earlier import has saved (answers.json)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["at", "users", "property"])]
    metrics: Option<PathBuf>,
    /// Spans, in OTLP JSON, of Jaeger or as a table in CSV: calls in turn or at the same time, and the laws of what services take. Beside
    /// metrics or alone
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "property"])]
    traces: Option<PathBuf>,
    /// The end of the window that is looked at, as in 2026-11-24T09:00:00Z
    #[arg(long, value_name = "TIME", requires = "prometheus")]
    at: Option<StartTime>,
    /// How long before that is looked at (default: 30m)
    #[arg(long, value_name = "TIME")]
    window: Option<String>,
    /// What Prometheus wants to be told with each question, as in "Authorization: Bearer TOKEN" or "X-Scope-OrgID: TENANT"; @FILE: a file
    /// with such lines (may be given several times)
    #[arg(long, value_name = "NAME: VALUE", requires = "prometheus", conflicts_with = "metrics")]
    header: Vec<String>,
    /// Print what is asked of Prometheus over --window, one a line, to ask it by other means: --metrics takes {"QUERY": ANSWER, ...}
    #[arg(long, conflicts_with_all = ["prometheus", "metrics", "traces", "path", "cluster", "out"])]
    queries: bool,
}

impl Measurements {
    /// What it is, by its options; none if nothing was measured.
    pub(super) const fn name(&self) -> Option<&'static str> {
        match (&self.prometheus, &self.metrics, &self.traces) {
            (Some(_), ..) => Some("--prometheus"),
            (_, Some(_), _) => Some("--metrics"),
            (.., Some(_)) => Some("--traces"),
            _ => None,
        }
    }

    /// Whether a window of metrics was named and there are none.
    pub(super) const fn has_idle_window(&self) -> bool {
        self.window.is_some() && self.prometheus.is_none() && self.metrics.is_none() && !self.queries
    }

    /// What is asked, one a line, if that is all that is wanted.
    pub(super) fn asked(&self) -> Checked<Option<String>> {
        let window = self.window.as_deref().unwrap_or(WINDOW);
        Measured::window_seconds("--window", window)?;
        Ok(self.queries.then(|| queries(window).map(|it| it + "\n").collect()))
    }

    /// Asks and reads; with the answers of Prometheus, to be saved. What it did not have is warned of.
    pub(super) fn read(&self) -> Checked<(Measured, Option<Answers>)> {
        let window = self.window.as_deref().unwrap_or(WINDOW);
        let answers = match (&self.prometheus, &self.metrics, self.at) {
            (Some(url), _, Some(at)) => {
                Some(Server::new(url, &self.header)?.answers(at.ms() as f64 / 1e3, window)?)
            }
            (_, Some(file), _) => Some(Answers::read(file)?),
            (Some(_), _, None) => return Err(Problem::new("--prometheus needs --at").into()),
            (None, None, _) => None,
        };
        let trace = self.traces.as_deref().map(|path| traces::read(path, &Options::default())).transpose()?;
        let measured = Measured::new(answers.as_ref().map(|it| (it, window)), trace.as_ref())?;
        measured.missing().iter().for_each(warn);
        Ok((measured, answers))
    }
}
