//! `meshsim validate`: a scenario against a measured trace, or a suite of them.

use super::common::{Running, interrupted, print, trace_warm_up};
use super::validate_suite;
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table::fitted;
use crate::validation_table;
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::compare::Plan;
use meshsim_scenarios::problem::{Checked, Problem, Problems};
use meshsim_scenarios::results::files::to_json;
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::traces::detect::Format;
use meshsim_scenarios::validate::arrivals::ArrivalsFrom;
use meshsim_scenarios::validate::cpu_accounting::CpuAccounting;
use meshsim_scenarios::validate::cpu_scale::differences;
use meshsim_scenarios::validate::figures::Key;
use meshsim_scenarios::validate::report;
use meshsim_scenarios::validate::run::Measurement;
use meshsim_scenarios::validate::suite::run::warm_up_of;
use meshsim_scenarios::validate::tolerance::{Tolerances, did_not_hold};
use meshsim_scenarios::warnings;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A library scenario's name, or the path of a TOML file
    #[arg(required_unless_present = "suite", conflicts_with = "suite")]
    scenario: Option<String>,
    /// Change a value of the scenario, as in links.edge1-cloud.rtt=20ms (may be given several times)
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "suite")]
    set: Vec<String>,
    #[command(flatten)]
    pub(super) running: Running,
    /// The strategy under which the trace was taken (default: the scenario's first)
    #[arg(long, value_name = "NAME", conflicts_with = "suite")]
    strategy: Option<String>,
    /// The trace, plain or gzip: results of JMeter, k6, Locust, Fortio or µBench, traces of Jaeger or in OTLP JSON,
    /// a table of spans in CSV, an access log of Envoy, or histogram buckets from Prometheus
    #[arg(long, value_name = "FILE", required_unless_present = "suite", conflicts_with = "suite")]
    trace: Option<PathBuf>,
    /// The format of the trace (default: found out from its content)
    #[arg(long, value_name = "FORMAT", conflicts_with = "suite",
        value_parser = PossibleValuesParser::new(Format::ALL.map(Format::name)))]
    trace_format: Option<String>,
    /// Spans or access logs of the servers, if they are not in the trace itself
    #[arg(long, value_name = "FILE", conflicts_with = "suite")]
    spans: Option<PathBuf>,
    /// Refuse a file at its first bad record, instead of leaving bad records out
    #[arg(long, conflicts_with = "suite")]
    strict: bool,
    /// Scale the cells' CPU costs to the CPU accounting of the traced run (the testbed's config.json)
    #[arg(long, value_name = "FILE", conflicts_with = "suite")]
    cpu_from: Option<PathBuf>,
    /// Seconds at the start of the trace to leave out (default: that of the CPU accounting, or the scenario's)
    #[arg(long, value_name = "SECONDS", conflicts_with = "suite")]
    trace_warm_up: Option<f64>,
    /// When the simulated requests come (default: at the trace's rate, if it and the scenario have one)
    #[arg(long, value_enum, conflicts_with = "suite")]
    arrivals: Option<ArrivalsArgument>,
    /// Make it a check: the error of KEY beyond the trace's own interval is at most this, as in mean=3%, ks=0.05 or
    /// failed=1% (may be given several times; KEY is mean, p50, p90, p95, p99, ks, wasserstein, failed, cpu_split,
    /// served or rounds)
    #[arg(long, value_name = "KEY=TOLERANCE", conflicts_with = "suite")]
    tolerance: Vec<String>,
    /// Hold every configuration of a suite against its trace: a library suite's name, or the path of a TOML file
    #[arg(long, value_name = "FILE")]
    pub(super) suite: Option<String>,
    /// The folder that the suite's traces are in (default: the suite's own; of a suite of the
    /// library, the one that you are in)
    #[arg(long, value_name = "DIR")]
    pub(super) traces: Option<PathBuf>,
    /// Only this configuration of the suite (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub(super) only: Vec<String>,
    /// Write result files and a page with figures into this directory
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Write the suite's results as a page of Markdown, and its figures into a folder of the same name beside it
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,
    /// Replace a page that meshsim has not written, and write into directories that hold other files too; those of
    /// the same names are replaced
    #[arg(long)]
    pub(super) force: bool,
    /// Print the result as JSON instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

/// Where arrivals come from.
#[derive(Clone, Copy, ValueEnum)]
enum ArrivalsArgument {
    /// At the trace's rate: its requests after the warm-up over their span
    Rate,
    /// At the trace's own moments, for as long as the trace
    Replay,
    /// As the scenario says
    Scenario,
}

impl Args {
    /// Takes the folder for the results before the run, if they are to be written.
    pub(super) fn prepare(&self) -> Checked<Option<Folder>> {
        if self.force && self.out.is_none() && self.markdown.is_none() {
            let problem = Problem::new("--force says how to write, and nothing is to be written");
            return Err(problem.help("give --out or, with a suite, --markdown, or leave it out").into());
        }
        self.out.as_deref().map(|path| Folder::claim(path, self.force)).transpose()
    }
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    if let Some(suite) = &args.suite {
        return validate_suite::exec(args, suite);
    }
    of_no_suite(args)?;
    let tolerances = tolerances(&args.tolerance)?;
    let mut plan = args.running.plan_of_one(&scenario(args)?, args.strategy.as_deref())?;
    let mut folder = args.prepare()?;
    let measurement = measurement(args, &mut plan)?;
    has_all(&measurement.keys(), &tolerances)?;
    warnings::before_run(&plan.strategies[0]).iter().for_each(warn);
    let seconds = plan.simulated_seconds();
    let result = args.running.watch(seconds, |watch| measurement.validate(&plan, &tolerances, watch))??;
    let Some(validation) = result else { return Ok(interrupted("nothing is kept")) };
    let trace = args.trace.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
    let validation = validation.of(args.scenario.as_deref().unwrap_or_default(), &trace.unwrap_or_default());
    let written = folder.as_mut().map_or(Ok(()), |folder| report::write_one(folder, &validation));
    let text = if args.json { to_json(&validation)? } else { fitted(&validation_table::one(&validation)) };
    print(&text)?;
    // What was simulated is shown even if it cannot be kept.
    written.map_err(Failure::machine)?;
    Ok(if did_not_hold(&validation.checks) { Code::Failed } else { Code::Ok })
}

fn scenario(args: &Args) -> Checked<Scenario> {
    let settings: Vec<Setting> = args.set.iter().map(|text| Setting::parse(text)).collect::<Checked<_>>()?;
    Scenario::open(args.scenario.as_deref().unwrap_or_default(), &settings)
}

/// Refuses what belongs to a suite. (clap's `requires` is silent where the suite conflicts with what is given.)
fn of_no_suite(args: &Args) -> Checked<()> {
    let given = [
        ("--traces", args.traces.is_some()),
        ("--only", !args.only.is_empty()),
        ("--markdown", args.markdown.is_some()),
    ];
    let problem =
        |(name, _): &(&str, bool)| Problem::new(format!("{name} belongs to a suite, and there is none"));
    let wrong = given.iter().find(|(_, given)| *given).map(problem);
    wrong.map_or(Ok(()), |it| Err(it.help("give --suite in place of a scenario, or leave it out").into()))
}

/// All tolerances, or everything that is wrong with them.
fn tolerances(texts: &[String]) -> Checked<Tolerances> {
    let (mut found, mut problems) = (Tolerances::default(), Vec::new());
    for text in texts {
        match Tolerances::parse_setting(text) {
            Ok((key, tolerance)) => {
                if found.0.insert(key, tolerance).is_some() {
                    let problem = Problem::new(format!("--tolerance {} is given twice", key.name()));
                    problems.push(problem.help("give one for each figure"));
                }
            }
            Err(Problems(more)) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(Problems(problems)) }
}

/// Refuses a tolerance of a figure that was not measured.
fn has_all(measured: &[Key], tolerances: &Tolerances) -> Checked<()> {
    let missing = tolerances.0.keys().filter(|key| !measured.contains(key));
    let problems: Vec<Problem> = missing
        .map(|key| {
            let help = match key {
                Key::CpuSplit => "give the CPU accounting of the traced run with --cpu-from".to_owned(),
                Key::Served | Key::Rounds => {
                    "give spans or access logs of clients and servers in both clusters with --spans"
                        .to_owned()
                }
                _ => {
                    let names: Vec<&str> = measured.iter().map(|key| key.name()).collect();
                    format!("the trace has {}", names.join(", "))
                }
            };
            let message = format!("--tolerance {}: nothing measured it", key.name());
            Problem::new(message).help(help)
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// Reads all files of the measurement, and fits the plan to what they say of its load and machine.
fn measurement(args: &Args, plan: &mut Plan) -> Checked<Measurement> {
    let accounting = args.cpu_from.as_deref().map(CpuAccounting::read).transpose()?;
    let from = args.arrivals.map(|it| match it {
        ArrivalsArgument::Rate => ArrivalsFrom::Rate,
        ArrivalsArgument::Replay => ArrivalsFrom::Replay,
        ArrivalsArgument::Scenario => ArrivalsFrom::Scenario,
    });
    if let Some(accounting) = &accounting {
        let own_rate = from == Some(ArrivalsFrom::Scenario);
        differences(&plan.strategies[0], accounting, own_rate).iter().for_each(warn);
    }
    let asked = trace_warm_up(args.trace_warm_up)?;
    let accounted = accounting.as_ref().map(|accounting| accounting.warm_up_seconds);
    let configured = plan.strategies[0].description.warm_up.as_secs_f64();
    let warm_up = warm_up_of(asked, accounted, configured)?;
    let format = args.trace_format.as_deref().and_then(Format::of_name);
    let trace =
        args.running.read_trace(args.trace.as_deref().unwrap_or(Path::new("")), format, args.strict)?;
    let spans =
        args.spans.as_deref().map(|path| args.running.read_trace(path, None, args.strict)).transpose()?;
    Measurement::new(plan, trace, spans.as_ref(), accounting.as_ref(), warm_up, from)
}
