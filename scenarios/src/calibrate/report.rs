//! What a calibration came to, as it is printed and written.

use serde::Serialize;

/// What a calibration came to.
#[derive(Clone, Debug, Serialize)]
pub struct Calibration {
    /// Version of meshsim.
    pub version: &'static str,
    /// The strategy.
    pub strategy: String,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Replications at each point.
    pub replications: u32,
    /// What it was fitted to.
    pub trace: TraceSource,
    /// Where self times come from, if not from the trace.
    pub spans: Option<TraceSource>,
    /// The law of each service that has spans.
    pub services: Vec<ServiceFit>,
    /// What was searched.
    pub parameters: Vec<ParameterFit>,
    /// Distance at the calibrated values: Wasserstein distance over the measured mean.
    pub objective: Objective,
    /// The fitted part of the trace against the calibrated scenario.
    pub fitted: Residuals,
    /// The same for the part that was held out, if there is one.
    pub held_out: Option<Residuals>,
    /// What a reader should know, in sentences.
    pub notes: Vec<String>,
    /// Whether it was told to stop before the end: values are the best so far.
    pub interrupted: bool,
    /// The paths that were calibrated.
    pub keys: Vec<String>,
    /// The calibrated values, as they are written.
    pub values: Vec<String>,
    /// Bootstrap draws of them.
    pub draws: Vec<Vec<String>>,
}

/// A file that was fitted to.
#[derive(Clone, Debug, Serialize)]
pub struct TraceSource {
    /// Its name, without the directories.
    pub file: String,
    /// Hash of its content.
    pub sha256: String,
    /// Requests that were used.
    pub requests: usize,
    /// The time that they span (s).
    pub seconds: f64,
    /// Of these requests, so many were fitted, the others held out.
    pub fitted: usize,
}

/// The law of a service.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceFit {
    /// The service.
    pub service: String,
    /// Self times that were fitted.
    pub observations: usize,
    /// Self times that were held out.
    pub held_out: usize,
    /// Mean of those that were fitted (ms).
    pub self_time_ms: f64,
    /// The law of its CPU time.
    pub law: &'static str,
    /// As a scenario writes it.
    pub parameters: String,
    /// Its mean (ms).
    pub mean_ms: f64,
    /// The middle 95 % of fits to bootstrap series, of the measurement and of the simulation; nothing of a short trace.
    pub mean_ms_ci95: Option<Interval>,
    /// Its coefficient of variation, of a law that has one to be fitted.
    pub cv: Option<f64>,
    /// The middle 95 % likewise.
    pub cv_ci95: Option<Interval>,
    /// All laws, this one first, then the best first.
    pub candidates: Vec<Candidate>,
    /// Largest distance of the distribution functions of measured and simulated self times, on what was fitted.
    pub kolmogorov_smirnov_fitted: f64,
    /// The same, on what was held out.
    pub kolmogorov_smirnov_held_out: Option<f64>,
}

/// Its ends.
pub type Interval = [f64; 2];

/// A law that was considered.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// Its name.
    pub law: &'static str,
    /// Logarithm of the likelihood.
    pub ln_likelihood: f64,
    /// Akaike's criterion.
    pub aic: f64,
}

/// A value that was searched.
#[derive(Clone, Debug, Serialize)]
pub struct ParameterFit {
    /// Its path.
    pub path: String,
    /// The range, as it was given.
    pub range: [String; 2],
    /// What the scenario said, if it said something.
    pub before: Option<String>,
    /// What was found.
    pub value: String,
    /// Between these lie 95 % of the refits to bootstrap series; nothing of a short trace.
    pub ci95: Option<[String; 2]>,
    /// Between these the distance, with the others fitted anew, rises by less than its noise.
    pub within_noise: Option<[String; 2]>,
    /// Whether the value is at an end of its range.
    pub at_bound: bool,
    /// Whether it can be told: not if most of the range is within the noise.
    pub identifiable: bool,
    /// If not, what makes up for it.
    pub confounded_with: Vec<String>,
}

/// The least distance.
#[derive(Clone, Debug, Serialize)]
pub struct Objective {
    /// At the calibrated values.
    pub value: f64,
    /// Its standard error: for want of replications, and of measurements.
    pub noise: f64,
    /// Points that were simulated.
    pub evaluations: usize,
}

/// Measured against simulated.
#[derive(Clone, Debug, Serialize)]
pub struct Residuals {
    /// Measured requests that succeeded.
    pub requests: usize,
    /// Mean and quantiles.
    pub figures: Vec<Residual>,
    /// Largest distance between the distribution functions.
    pub kolmogorov_smirnov: f64,
    /// Wasserstein distance over the measured mean.
    pub wasserstein: f64,
}

/// A figure, measured and simulated.
#[derive(Clone, Debug, Serialize)]
pub struct Residual {
    /// Its name.
    pub figure: &'static str,
    /// Measured (ms).
    pub measured_ms: f64,
    /// Simulated (ms).
    pub simulated_ms: f64,
    /// (simulated - measured) / measured.
    pub relative_error: f64,
}
