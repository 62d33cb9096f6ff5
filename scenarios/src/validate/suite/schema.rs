//! What a suite's file says, as it was typed: no defaults, no references followed.

use crate::schema::quantity::Quantity;
use meshsim_core::SimDuration;
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// A file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteText {
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub description: String,
    /// What holds for every configuration that does not say otherwise.
    #[serde(default)]
    pub defaults: Settings,
}

/// A configuration without its settings and changes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Its name.
    pub name: Spanned<String>,
    /// Whether it was used to fit the scenario.
    pub mark: Mark,
    /// What a reader of its results should know.
    #[serde(default)]
    pub note: String,
    /// What was measured, where there is no trace.
    pub measured: Option<Spanned<Stated>>,
}

/// Whether a measurement was used to fit the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It was.
    Train,
    /// It was not: the scenario predicts it.
    Test,
}

/// What a configuration may leave to the defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A library scenario or a path.
    pub scenario: Option<Spanned<String>>,
    /// The strategy.
    pub strategy: Option<Spanned<String>>,
    /// The file of requests.
    pub trace: Option<Spanned<String>>,
    /// The file of hops.
    pub spans: Option<Spanned<String>>,
    /// The CPU accounting.
    pub cpu: Option<Spanned<String>>,
    /// How much of the trace's start is left out.
    pub warm_up: Option<Quantity<SimDuration>>,
    /// Where arrivals come from.
    pub arrivals: Option<ArrivalsText>,
    /// Where values of the CPU accounting go in the scenario.
    pub from_cpu: Option<FromCpu>,
    /// The allowed errors.
    #[serde(default)]
    pub tolerance: ToleranceText,
}

/// Where arrivals come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalsText {
    /// The trace's rate.
    Trace,
    /// The scenario's.
    Scenario,
}

/// The path in the scenario that a value of the CPU accounting's file is put at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromCpu {
    /// Of the arrival rate.
    pub rate: Option<String>,
    /// Of the link's round trip.
    pub rtt: Option<String>,
    /// What a round trip takes beyond what was set.
    pub rtt_added: Option<Quantity<SimDuration>>,
    /// Of the offloaded services.
    pub services: Option<String>,
    /// Of whether proxies authenticate each other.
    pub mtls: Option<String>,
    /// Of the data plane: `sidecar`, or `none` in a run without a mesh.
    pub data_plane: Option<String>,
}

/// Allowed errors by figure; `none` takes a default away.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToleranceText {
    /// Mean latency.
    pub mean: Option<Spanned<String>>,
    /// Median latency.
    pub p50: Option<Spanned<String>>,
    /// 90 % quantile.
    pub p90: Option<Spanned<String>>,
    /// 95 % quantile.
    pub p95: Option<Spanned<String>>,
    /// 99 % quantile.
    pub p99: Option<Spanned<String>>,
    /// 90 % quantile on a dashboard.
    pub dashboard_p90: Option<Spanned<String>>,
    /// Kolmogorov-Smirnov distance.
    pub ks: Option<Spanned<String>>,
    /// Wasserstein distance.
    pub wasserstein: Option<Spanned<String>>,
    /// Share of failed requests.
    pub failed: Option<Spanned<String>>,
    /// The proxies' share of CPU time.
    pub cpu_split: Option<Spanned<String>>,
    /// Served shares.
    pub served: Option<Spanned<String>>,
    /// Time per crossing.
    pub rounds: Option<Spanned<String>>,
}

/// Figures that were published: a time, or a time and the ends of its interval.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    /// Mean latency.
    pub mean: Option<Spanned<Vec<Quantity<SimDuration>>>>,
    /// Median latency.
    pub p50: Option<Spanned<Vec<Quantity<SimDuration>>>>,
    /// 90 % quantile.
    pub p90: Option<Spanned<Vec<Quantity<SimDuration>>>>,
    /// 95 % quantile.
    pub p95: Option<Spanned<Vec<Quantity<SimDuration>>>>,
    /// 99 % quantile.
    pub p99: Option<Spanned<Vec<Quantity<SimDuration>>>>,
    /// 90 % quantile on a dashboard.
    pub dashboard_p90: Option<Spanned<Vec<Quantity<SimDuration>>>>,
}
