//! `meshsim calibrate`: a scenario fitted to a measured trace.

use super::common::{Running, ScenarioArgs, each, interrupted, print, trace_warm_up};
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table;
use clap::builder::PossibleValuesParser;
use meshsim_scenarios::calibrate::parameter::Parameter;
use meshsim_scenarios::calibrate::report::{Calibration, ParameterFit, Residuals, ServiceFit};
use meshsim_scenarios::calibrate::write::{BEGIN, write};
use meshsim_scenarios::calibrate::{CalibrationPlan, Inputs};
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::origin::{Origin, SCENARIO, measurement_called};
use meshsim_scenarios::problem::{Checked, Problem, Problems};
use meshsim_scenarios::results::calibration::write_calibration;
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::results::single_file::{file_sha256, prepare_file};
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::traces::Trace;
use meshsim_scenarios::traces::format::Format;
use meshsim_scenarios::warnings;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Fit a scenario to a measured trace.
///
/// Where spans are given, each service gets the law of service times that explains its self times best.
/// Values named by --fit are searched until the simulated latencies of users are nearest to the measured
/// ones. The last part of the trace is held out and compared with the result.
#[derive(clap::Args)]
#[command(
    after_help = "Example: meshsim calibrate fluidos-testbed --strategy none --trace requests.csv.gz --fit cell.cpu_scale=0.5..2 --out calibrated.toml"
)]
pub(crate) struct Args {
    #[command(flatten)]
    source: ScenarioArgs,
    #[command(flatten)]
    running: Running,
    /// The strategy under which the trace was taken (default: the scenario's first)
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// The trace, plain or gzip, in one of the formats of `validate` that have a record per request
    #[arg(long, value_name = "FILE")]
    trace: PathBuf,
    /// The format of the trace (default: found out from its content)
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(Format::ALL.map(Format::name)))]
    trace_format: Option<String>,
    /// Refuse files at their first bad record, instead of leaving bad records out
    #[arg(long)]
    strict: bool,
    /// Seconds at the start of the trace to leave out (default: the scenario's warm-up)
    #[arg(long, value_name = "SECONDS")]
    trace_warm_up: Option<f64>,
    /// Spans for service times, if the trace has none: traces of Jaeger or in OTLP JSON, a table of spans in CSV, an access
    /// log of Envoy
    #[arg(long, value_name = "FILE")]
    spans: Option<PathBuf>,
    /// Search this value in this range, as in cell.cpu_scale=0.5..2 or links.edge1-cloud.rtt=100ms..200ms (may be given
    /// several times)
    #[arg(long, value_name = "PATH=LOW..HIGH")]
    fit: Vec<String>,
    /// Share of the trace's time, at its end, that is held out
    #[arg(long, value_name = "SHARE", default_value_t = 1.0 / 3.0, hide_default_value = true)]
    holdout: f64,
    /// Bootstrap draws of the fit to write, for `compare --calibration-draws`
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1000))]
    draws: u32,
    /// Write the calibrated scenario into this file
    #[arg(long, value_name = "FILE.toml")]
    out: Option<PathBuf>,
    /// Write the result, the calibrated scenario and all that it takes to make them again into this directory
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Replace a file that no calibration has written, and write into a directory that holds other files too
    #[arg(long)]
    force: bool,
    /// Print the result as JSON instead of tables
    #[arg(long)]
    json: bool,
}

/// A trace with the name and the hash of its file.
struct Measured {
    trace: Trace,
    name: String,
    sha256: String,
}

impl Measured {
    fn as_input(&self) -> (&Trace, &str, &str) {
        (&self.trace, &self.name, &self.sha256)
    }
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    if args.force && args.out.is_none() && args.results.is_none() {
        let problem = Problem::new("--force says how to write, and nothing is to be written");
        return Err(problem.help("give --out or --results, or leave it out").into());
    }
    let scenario = args.source.open()?;
    let folder = args.results.as_deref().map(|path| Folder::claim(path, args.force)).transpose()?;
    folder.iter().try_for_each(Folder::holds_no_cells)?;
    args.out.as_deref().map_or(Ok(()), |file| prepare_file(file, "--out", BEGIN, args.force))?;
    let parameters = parameters(&args.fit)?;
    let strategy = scenario.strategy(args.strategy.as_deref())?;
    let configured = scenario.resolve(strategy)?.description.warm_up.as_secs_f64();
    let warm_up = trace_warm_up(args.trace_warm_up)?.unwrap_or(configured);
    let format = args.trace_format.as_deref().and_then(Format::of_name);
    let mut trace = measured(args, &args.trace, format)?;
    trace.trace = trace.trace.after(warm_up);
    let spans = args.spans.as_deref().map(|path| measured(args, path, None)).transpose()?;
    let choice = args.running.choice(Vec::new(), None);
    let inputs = Inputs {
        scenario: &scenario,
        strategy: args.strategy.as_deref(),
        seed: choice.seed,
        replications: choice.replications,
        trace: trace.as_input(),
        spans: spans.as_ref().map(Measured::as_input),
        parameters,
        holdout: args.holdout,
        draws: args.draws as usize,
    };
    let seconds = inputs.simulated_seconds()?;
    let plan = args.running.watch(seconds, |watch| CalibrationPlan::new(inputs, watch))??;
    let Some(plan) = plan else { return interrupted("nothing is kept") };
    warnings::before_run(plan.resolved()).iter().for_each(warn);
    let result = args.running.watch(plan.simulated_seconds(), |watch| plan.run(watch))??;
    let Some(calibration) = result else { return interrupted("nothing is kept") };
    let settings = args.source.settings()?;
    let keep = |path: &PathBuf| write(path, &scenario, &settings, &calibration);
    let results = |mut folder: Folder| {
        let (origin, is_complete) = args.origin(&scenario, &settings)?;
        let inputs = origin.about.inputs.clone();
        if is_complete {
            folder.describe(origin);
        }
        write_calibration(&mut folder, (&scenario, &settings, &inputs), &calibration)
    };
    let written = args.out.as_ref().map_or(Ok(()), keep).and_then(|()| folder.map_or(Ok(()), results));
    print(&if args.json { to_json(&calibration)? } else { table::fitted(&show(&calibration)) })?;
    // What was found is shown even if it cannot be kept.
    written.map_err(Failure::machine)?;
    if calibration.interrupted {
        return interrupted("the values are the best so far");
    }
    Ok(Code::Ok)
}

impl Args {
    /// Where results come from, and whether that is all: of measurements that are no plain files it is not.
    fn origin(&self, scenario: &Scenario, settings: &[Setting]) -> Checked<(Origin, bool)> {
        let mut origin = scenario.origin(Vec::new(), settings, &[])?;
        let mut command = vec!["calibrate".to_owned(), SCENARIO.to_owned()];
        command.extend(each("--set", &origin.about.settings));
        command.extend(self.running.normal_form());
        command.extend(each("--strategy", self.strategy.as_slice()));
        for (name, path) in [("--trace", Some(&self.trace)), ("--spans", self.spans.as_ref())] {
            let Some(path) = path else { continue };
            let Some(file) = origin.with_measurement(path, measurement_called(path))? else {
                return Ok((origin, false));
            };
            command.extend([name.to_owned(), file]);
        }
        command.extend(each("--trace-format", self.trace_format.as_slice()));
        command.extend(self.strict.then(|| "--strict".to_owned()));
        command.extend(each("--trace-warm-up", self.trace_warm_up.map(|it| it.to_string()).as_slice()));
        command.extend(each("--fit", &self.fit));
        command.extend(["--holdout".to_owned(), self.holdout.to_string()]);
        command.extend(["--draws".to_owned(), self.draws.to_string()]);
        origin.about.command = command;
        Ok((origin, true))
    }
}

/// What is searched; all mistakes at once.
fn parameters(texts: &[String]) -> Checked<Vec<Parameter>> {
    let (good, bad): (Vec<_>, Vec<_>) =
        texts.iter().map(|text| Parameter::parse(text)).partition(Result::is_ok);
    let problems: Vec<Problem> = bad.into_iter().filter_map(Result::err).flat_map(|it| it.0).collect();
    if problems.is_empty() { Ok(good.into_iter().flatten().collect()) } else { Err(Problems(problems)) }
}

/// Reads a file of measurements.
fn measured(args: &Args, path: &Path, format: Option<Format>) -> Checked<Measured> {
    let trace = args.running.read_trace(path, format, args.strict)?;
    Ok(Measured { trace, name: measurement_called(path), sha256: file_sha256(path)? })
}

fn show(it: &Calibration) -> String {
    let trace = &it.trace;
    let mut text = format!(
        "{} under {}: {} requests over {:.0} s, the first {} fitted\n",
        trace.file, it.strategy, trace.requests, trace.seconds, trace.fitted
    );
    if !it.services.is_empty() {
        let _ = write!(text, "\n{}", table::align(&services(&it.services)));
    }
    if !it.parameters.is_empty() {
        let _ = write!(text, "\n{}", table::align(&searched(&it.parameters)));
    }
    let objective = &it.objective;
    let _ = writeln!(
        text,
        "\ndistance (Wasserstein over mean) {:.4} ± {:.4}, {} points of {} replications\n\n{}",
        objective.value,
        objective.noise,
        objective.evaluations,
        it.replications,
        table::align(&residuals(&it.fitted, it.held_out.as_ref()))
    );
    for fit in &it.parameters {
        text += &doubts(fit);
    }
    for note in &it.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn services(fits: &[ServiceFit]) -> Vec<Vec<String>> {
    let head = [
        "service",
        "self times",
        "self ms",
        "law",
        "mean ms",
        "95 %",
        "cv",
        "95 %",
        "next law",
        "KS fitted",
        "KS held out",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let interval =
        |ends: Option<[f64; 2]>| ends.map_or("-".to_owned(), |[low, high]| format!("{low:.3} to {high:.3}"));
    for fit in fits {
        // How much worse by Akaike's criterion.
        let next =
            fit.candidates.get(1).map(|it| format!("{} {:+.1}", it.law, it.aic - fit.candidates[0].aic));
        rows.push(vec![
            fit.service.clone(),
            fit.observations.to_string(),
            format!("{:.3}", fit.self_time_ms),
            fit.law.to_owned(),
            format!("{:.3}", fit.mean_ms),
            interval(fit.mean_ms_ci95),
            fit.cv.map_or("-".to_owned(), |cv| format!("{cv:.3}")),
            interval(fit.cv_ci95),
            next.unwrap_or_else(|| "-".to_owned()),
            format!("{:.3}", fit.kolmogorov_smirnov_fitted),
            fit.kolmogorov_smirnov_held_out.map_or("-".to_owned(), |ks| format!("{ks:.3}")),
        ]);
    }
    rows
}

fn searched(fits: &[ParameterFit]) -> Vec<Vec<String>> {
    let head = ["parameter", "before", "fitted", "95 %", "searched"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let interval = |ends: &Option<[String; 2]>| {
        ends.as_ref().map_or("-".to_owned(), |[low, high]| format!("{low} to {high}"))
    };
    for fit in fits {
        rows.push(vec![
            fit.path.clone(),
            fit.before.clone().unwrap_or_else(|| "-".to_owned()),
            fit.value.clone(),
            interval(&fit.ci95),
            fit.range.join(".."),
        ]);
    }
    rows
}

/// What of a parameter cannot be told.
fn doubts(fit: &ParameterFit) -> String {
    let mut text = String::new();
    if fit.at_bound {
        let _ = writeln!(text, "{} is at an end of its range: widen it", fit.path);
    }
    if let Some([low, high]) = fit.within_noise.as_ref().filter(|_| !fit.identifiable) {
        let why = match fit.confounded_with.as_slice() {
            [] => "it makes no difference".to_owned(),
            others => format!("{} makes up for it", others.join(" and ")),
        };
        let _ = writeln!(text, "{} cannot be told: {low} to {high} fit alike, {why}", fit.path);
    }
    text
}

fn residuals(fitted: &Residuals, held_out: Option<&Residuals>) -> Vec<Vec<String>> {
    let mut head = vec!["", "fitted: measured ms", "simulated", "error"];
    head.extend(held_out.iter().flat_map(|_| ["held out: measured ms", "simulated", "error"]));
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for (index, figure) in fitted.figures.iter().enumerate() {
        let mut row = vec![figure.figure.to_owned()];
        for figure in std::iter::once(figure).chain(held_out.map(|it| &it.figures[index])) {
            row.push(format!("{:.1}", figure.measured_ms));
            row.push(format!("{:.1}", figure.simulated_ms));
            row.push(format!("{:+.1} %", figure.relative_error * 100.0));
        }
        rows.push(row);
    }
    let mut row = vec!["KS".to_owned()];
    for part in std::iter::once(fitted).chain(held_out) {
        row.extend([String::new(), String::new(), format!("{:.3}", part.kolmogorov_smirnov)]);
    }
    rows.push(row);
    rows
}
