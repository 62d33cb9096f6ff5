//! A scenario of what a running Prometheus has of an application: its call graph, how often, how much, how long.
//!
//! # Models
//! A few queries (`queries`) over the standard metrics of Istio, cAdvisor and kube-state-metrics, at a moment over a window
//! before it; their answers (`answers`, from a server or a file) come to services and users (`measured`), and these to a
//! scenario and a report (`scenario`), which shows every query. What no metric says (machines, links) comes from options.
//!
//! # Assumptions
//! - CPU times and sizes of answers are exponential: metrics have their means alone. Effect: high quantiles are those of that
//!   law.
//! - A service calls others in turn, unless its calls take longer together than it does; which kind of request calls what is
//!   not told apart.
//! - A proxy costs what it costs by default.
//!
//! # Source
//! mSvcBench/muPlacer, `GMA.py` (its telemetry); the names are cited in `queries`.

mod answers;
mod measured;
mod queries;
mod scenario;
#[cfg(test)]
mod tests;

pub use answers::Answers;

use crate::import::manifests::{Link, Nodes};
use crate::problem::{Checked, Problem, clip};
use measured::Measured;
use meshsim_core::SimDuration;

/// What is imported, and what is said beside it.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the scenario is called.
    pub name: String,
    /// How long before the moment is looked at, as Prometheus writes durations.
    pub window: String,
    /// `--nodes`: machines of clusters.
    pub nodes: Vec<Nodes>,
    /// `--link`: links between clusters.
    pub links: Vec<Link>,
}

/// What metrics come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The scenario, as TOML.
    pub scenario: String,
    /// What was asked, found and assumed, as Markdown.
    pub report: String,
}

/// Turns answers into a scenario.
///
/// # Errors
/// If an answer is of no use, or an option is missing that says what no metric does.
pub fn import(answers: &Answers, options: &Options) -> Checked<Imported> {
    let seconds = window_seconds(&options.window)?;
    let measured = Measured::new(answers, (&options.window, seconds))?;
    scenario::write(&measured, options)
}

/// A window in seconds: a whole number of one unit, which both Prometheus and scenarios know.
fn window_seconds(text: &str) -> Checked<f64> {
    let number = text.strip_suffix(['s', 'm', 'h', 'd']);
    let is_whole = number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()));
    let parsed = text.parse::<SimDuration>().ok().filter(|_| is_whole);
    parsed.filter(|it| *it >= SimDuration::from_secs(60)).map(SimDuration::as_secs_f64).ok_or_else(|| {
        let problem = Problem::new(format!("--window `{}` is no window", clip(text)));
        problem.help("write a whole number with s, m, h or d, a minute or more, as in 30m").into()
    })
}
