//! A calibration that is ready to run: everything that can be wrong with it has been found.

use super::own_times::{Simulator, Spans};
use super::parameter::Parameter;
use super::report::TraceSource;
use super::resample::Observation;
use super::search::{DIMENSIONS_MAX, evaluations_expected};
use super::service_laws::{Laws, RUNS};
use super::split::split_at;
use crate::experiment::Watch;
use crate::problem::{Checked, Problem, Problems};
use crate::resolve::Resolved;
use crate::scenario::Scenario;
use crate::traces::Trace;

/// What a calibration is asked for.
pub struct Inputs<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The strategy under which the trace was taken; the scenario's first without a name.
    pub strategy: Option<&'a str>,
    /// The seed, if not the scenario's.
    pub seed: Option<u64>,
    /// Replications at each point, if not the scenario's.
    pub replications: Option<u32>,
    /// The trace after its warm-up, with the name and the hash of its file.
    pub trace: (&'a Trace, &'a str, &'a str),
    /// Spans of another file, the same way.
    pub spans: Option<(&'a Trace, &'a str, &'a str)>,
    /// What is searched.
    pub parameters: Vec<Parameter>,
    /// The share of the time that is held out, from 0 to below 1.
    pub holdout: f64,
    /// Bootstrap draws that are written.
    pub draws: usize,
}

/// A calibration that is ready to run.
pub struct CalibrationPlan {
    /// The scenario with the fitted laws.
    pub(super) scenario: Scenario,
    pub(super) strategy: Option<usize>,
    pub(super) seed: Option<u64>,
    pub(super) parameters: Vec<Parameter>,
    /// What the scenario says of each parameter.
    pub(super) before: Vec<Option<f64>>,
    pub(super) laws: Laws,
    /// The scenario as it is before the search.
    pub(super) resolved: Resolved,
    pub(super) replications: u32,
    /// Latencies of the fitted part.
    pub(super) fitted: Vec<Observation>,
    /// Latencies of the rest.
    pub(super) held_out: Vec<Observation>,
    pub(super) trace: TraceSource,
    pub(super) spans: Option<TraceSource>,
    pub(super) notes: Vec<String>,
    pub(super) draws: usize,
}

/// Fewer requests say nothing of a distribution.
const REQUESTS_MIN: usize = 20;

impl Inputs<'_> {
    /// Simulated time of the runs by which laws are fitted, about (s).
    ///
    /// # Errors
    /// Everything that is wrong with the scenario.
    pub fn simulated_seconds(&self) -> Checked<f64> {
        let resolved = self.scenario.resolve(self.scenario.strategy(self.strategy)?)?;
        let has_spans = !self.spans.unwrap_or(self.trace).0.spans.is_empty();
        Ok(if has_spans { RUNS as f64 * resolved.description.end().as_secs_f64() } else { 0.0 })
    }
}

impl CalibrationPlan {
    /// Fits the laws and checks that the scenario can be simulated at the ends of all ranges. Nothing if it was told to stop.
    ///
    /// # Errors
    /// Everything that is wrong with the scenario or a range; if there is nothing to fit, or the trace
    /// has too few requests or only buckets.
    pub fn new(inputs: Inputs<'_>, watch: &Watch<'_>) -> Checked<Option<Self>> {
        let (trace, name, sha256) = inputs.trace;
        let strategy = inputs.scenario.strategy(inputs.strategy)?;
        let spans_of = inputs.spans.unwrap_or(inputs.trace);
        check_inputs(&inputs, spans_of.0)?;
        let base = inputs.scenario.resolve(strategy)?;
        check_population(&base)?;
        let mut notes = Vec::new();
        // The warm-up has been taken from the requests alone.
        let first_us = trace.requests.first().map_or(0, |request| request.start_us);
        let from_us = if inputs.spans.is_none() { first_us } else { 0 };
        let spans = Spans { trace: spans_of.0, name: spans_of.1, from_us, holdout: inputs.holdout };
        let simulator = Simulator { scenario: inputs.scenario, strategy, seed: inputs.seed, watch };
        let holds_demand = inputs.parameters.iter().any(|parameter| parameter.path == "cell.cpu_scale");
        let Some(laws) = Laws::fit(&simulator, &base, &spans, holds_demand, &mut notes)? else {
            return Ok(None);
        };
        let scenario = inputs.scenario.with_for("the law fitted to", &laws.settings())?;
        let mut parameters = inputs.parameters;
        let before = bind(&scenario, strategy, &mut parameters)?;
        let mut resolved = scenario.resolve(strategy)?;
        if let Some(seed) = inputs.seed {
            resolved.description.seed = seed;
        }
        let (fitted, held_out) = latencies(trace, inputs.holdout);
        check_count(name, fitted.len(), trace.requests.len())?;
        note_rates(&resolved, trace, &mut notes);
        let spans = inputs.spans.map(|(spans, name, sha256)| source(spans, name, sha256, inputs.holdout));
        Ok(Some(Self {
            replications: inputs.replications.unwrap_or(resolved.replications),
            trace: source(trace, name, sha256, inputs.holdout),
            scenario,
            strategy,
            seed: inputs.seed,
            parameters,
            before,
            laws,
            resolved,
            fitted,
            held_out,
            spans,
            notes,
            draws: inputs.draws,
        }))
    }

    /// Simulated time of the whole calibration, about (s).
    #[must_use]
    pub fn simulated_seconds(&self) -> f64 {
        let description = &self.resolved.description;
        let once = description.end().as_secs_f64() * f64::from(self.replications);
        let dimensions = self.parameters.len();
        let points = if dimensions == 0 { 2 } else { evaluations_expected(dimensions) + 2 * dimensions + 2 };
        once * points as f64
    }

    /// The scenario under the strategy, before the search.
    #[must_use]
    pub const fn resolved(&self) -> &Resolved {
        &self.resolved
    }
}

fn check_inputs(inputs: &Inputs<'_>, spans: &Trace) -> Checked<()> {
    let mut problems = Vec::new();
    if !(0.0..0.9).contains(&inputs.holdout) {
        let message = format!("--holdout {} is no share of the time to hold out", inputs.holdout);
        problems.push(Problem::new(message).help("it is 0 to below 0.9"));
    }
    if inputs.trace.0.histogram.is_some() {
        let message = format!("{}: has only buckets", inputs.trace.1);
        problems.push(Problem::new(message).help("give a trace with a record per request"));
    }
    if spans.spans.is_empty() && inputs.spans.is_some() {
        let message = format!("{}: has no spans", inputs.spans.map_or("", |spans| spans.1));
        problems.push(Problem::new(message).help("give traces of Jaeger or OTLP, or access logs of Envoy"));
    } else if spans.spans.is_empty() && inputs.parameters.is_empty() {
        let help = "name what to search, --fit PATH=LOW..HIGH, or give spans, --spans FILE";
        problems.push(Problem::new("the trace has no spans, and there is nothing to search").help(help));
    }
    if inputs.parameters.len() > DIMENSIONS_MAX {
        let message = format!("{} parameters are searched", inputs.parameters.len());
        problems.push(Problem::new(message).help(format!("at most {DIMENSIONS_MAX}")));
    }
    for (index, parameter) in inputs.parameters.iter().enumerate() {
        if inputs.parameters[..index].iter().any(|earlier| earlier.path == parameter.path) {
            let message = format!("`{}` is searched twice", parameter.path);
            problems.push(Problem::new(message).help("give it one range"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

fn check_count(name: &str, count: usize, all: usize) -> Checked<()> {
    if count == 0 && all > 0 {
        let message = format!("{name}: none of its {all} requests succeeded in the part to fit");
        return Err(Problem::new(message).help("see its statuses").into());
    }
    if count < REQUESTS_MIN {
        let message = format!("{name}: {count} requests succeeded in the part to fit");
        return Err(Problem::new(message).help(format!("at least {REQUESTS_MIN} are needed")).into());
    }
    Ok(())
}

/// A trace is of one population.
fn check_population(resolved: &Resolved) -> Checked<()> {
    if resolved.description.populations.len() > 1 {
        let help = "keep the population that the trace was taken of";
        return Err(Problem::new("the scenario has more than one population of users").help(help).into());
    }
    Ok(())
}

/// Binds all parameters and resolves the scenario at the ends of their ranges and between.
fn bind(
    scenario: &Scenario,
    strategy: Option<usize>,
    parameters: &mut [Parameter],
) -> Checked<Vec<Option<f64>>> {
    let mut problems = Vec::new();
    let mut before = Vec::new();
    for parameter in parameters.iter_mut() {
        match parameter.bind(scenario, strategy) {
            Ok(value) => before.push(value),
            Err(found) => problems.extend(found.0),
        }
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    for parameter in parameters.iter() {
        if let Err(found) = check_range(scenario, strategy, parameter) {
            problems.extend(found.0);
        }
    }
    if problems.is_empty() { Ok(before) } else { Err(Problems(problems)) }
}

/// Refuses a range that the scenario does not take, and a value that the strategy sets itself.
fn check_range(scenario: &Scenario, strategy: Option<usize>, parameter: &Parameter) -> Checked<()> {
    // Not a whole number and not one of the ends.
    const BETWEEN: f64 = 0.381_966;
    let mut overridden = Vec::new();
    for position in [0.0, 1.0, BETWEEN] {
        let there = scenario.with_for("--fit", &[parameter.setting(position)])?.resolve(strategy)?;
        overridden = there.overridden;
    }
    if overridden.iter().any(|path| path.replace('"', "") == parameter.path.replace('"', "")) {
        let name = strategy.map_or("base", |index| scenario.strategies()[index].as_str());
        let message = format!("the strategy `{name}` sets `{}` itself", parameter.path);
        let help = "fit a value that all strategies share, or choose another strategy";
        return Err(Problem::new(message).help(help).into());
    }
    Ok(())
}

/// The load decides how much of a latency is queueing.
fn note_rates(resolved: &Resolved, trace: &Trace, notes: &mut Vec<String>) {
    let Some(population) = resolved.description.populations.first() else { return };
    let offered = population.arrivals.offered_per_second(population.users, resolved.description.end());
    let (count, seconds) = (trace.requests.len() as f64, seconds_of(trace));
    let traced = count / seconds;
    let error = 3.0 * traced / meshsim_core::elementary::sqrt(count);
    if population.arrivals.is_open() && seconds > 0.0 && (traced - offered).abs() > error.max(0.05 * offered)
    {
        notes.push(format!(
            "the trace has {traced:.2} requests/s and the scenario {offered:.2}: set users.{}.rate",
            population.name
        ));
    }
}

/// The latencies of successful requests, of the fitted part and of the rest.
fn latencies(trace: &Trace, holdout: f64) -> (Vec<Observation>, Vec<Observation>) {
    let (fitted, rest) = trace.requests.split_at(split_at(&trace.requests, |it| it.start_us, holdout));
    let of = |requests: &[crate::traces::TraceRequest]| {
        requests.iter().filter(|it| it.ok).map(|it| (it.start_us, it.latency_ms)).collect()
    };
    (of(fitted), of(rest))
}

fn source(trace: &Trace, name: &str, sha256: &str, holdout: f64) -> TraceSource {
    TraceSource {
        file: name.to_owned(),
        sha256: sha256.to_owned(),
        requests: trace.requests.len(),
        seconds: seconds_of(trace),
        fitted: split_at(&trace.requests, |it| it.start_us, holdout),
    }
}

/// From the first to the last request (s).
fn seconds_of(trace: &Trace) -> f64 {
    let ends = trace.requests.first().zip(trace.requests.last());
    ends.map_or(0.0, |(first, last)| (last.start_us - first.start_us) as f64 / 1e6)
}
