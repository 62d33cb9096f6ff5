//! What `meshsim validate` is told.

use super::common::{Continuing, Running, each};
use super::page::{self, Page};
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::origin::{Origin, SCENARIO, measurement_called, scenario_called};
use meshsim_scenarios::problem::Checked;
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::start_time::StartTime;
use meshsim_scenarios::traces::format::Format;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(
    after_help = "Example: meshsim validate fluidos-testbed --strategy none --trace requests.csv.gz --cpu-from config.json"
)]
pub(crate) struct Args {
    /// A library scenario's name, or the path of a TOML file
    #[arg(required_unless_present = "suite", conflicts_with = "suite")]
    pub(super) scenario: Option<String>,
    /// Change a value of the scenario, as in links.edge1-cloud.rtt=20ms (may be given several times)
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "suite")]
    pub(super) set: Vec<String>,
    #[command(flatten)]
    pub(super) running: Running,
    /// The strategy under which the trace was taken (default: the scenario's first)
    #[arg(long, value_name = "NAME", conflicts_with = "suite")]
    pub(super) strategy: Option<String>,
    /// The trace, plain or gzip: results of JMeter, k6, Locust, Fortio or µBench, traces of Jaeger or in OTLP JSON,
    /// a table of spans in CSV, an access log of Envoy, or histogram buckets from Prometheus
    #[arg(long, value_name = "FILE", required_unless_present_any = ["suite", "prometheus"], conflicts_with = "suite")]
    pub(super) trace: Option<PathBuf>,
    /// The format of the trace (default: found out from its content)
    #[arg(long, value_name = "FORMAT", conflicts_with = "suite",
        value_parser = PossibleValuesParser::new(Format::ALL.map(Format::name)))]
    pub(super) trace_format: Option<String>,
    /// Spans or access logs of the servers, if they are not in the trace itself
    #[arg(long, value_name = "FILE", conflicts_with = "suite")]
    pub(super) spans: Option<PathBuf>,
    /// Refuse a file at its first bad record, instead of leaving bad records out
    #[arg(long, conflicts_with = "suite")]
    pub(super) strict: bool,
    /// Scale the cells' CPU costs to the CPU accounting of the traced run (the testbed's config.json)
    #[arg(long, value_name = "FILE", conflicts_with = "suite")]
    pub(super) cpu_from: Option<PathBuf>,
    /// Seconds at the start of the trace to leave out (default: that of the CPU accounting, or the scenario's)
    #[arg(long, value_name = "SECONDS", conflicts_with = "suite")]
    pub(super) trace_warm_up: Option<f64>,
    /// When the simulated requests come (default: at the trace's rate, if it and the scenario have one)
    #[arg(long, value_enum, conflicts_with = "suite")]
    pub(super) arrivals: Option<ArrivalsArgument>,
    /// Make it a check: the error of KEY beyond the trace's own interval is at most this, as in mean=3%, ks=0.05 or
    /// failed=1% (may be given several times; KEY is mean, p50, p90, p95, p99, ks, wasserstein, failed, cpu_split,
    /// served or rounds)
    #[arg(long, value_name = "KEY=TOLERANCE", conflicts_with = "suite")]
    pub(super) tolerance: Vec<String>,
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
    /// Write result files into this directory
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Write one page of HTML about the results into this file; it loads nothing from elsewhere
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Write the suite's results as a page of Markdown, and its figures into a folder of the same name beside it
    #[arg(long, value_name = "FILE", conflicts_with = "partition")]
    pub(super) markdown: Option<PathBuf>,
    /// Replace a page that meshsim has not written, and write into directories that hold other files too; those of
    /// the same names are replaced
    #[arg(long)]
    pub(super) force: bool,
    /// Print the result as JSON instead of a table
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) continuing: Continuing,
    #[command(flatten)]
    pub(super) watching: Watching,
}

/// What only traces and suites have a use for.
const OF_TRACES: [&str; 15] = [
    "suite",
    "trace",
    "trace_format",
    "spans",
    "strict",
    "cpu_from",
    "trace_warm_up",
    "arrivals",
    "tolerance",
    "out",
    "report",
    "markdown",
    "force",
    "json",
    "replications",
];

/// What is asked of Prometheus, and when.
#[derive(clap::Args)]
pub(super) struct Watching {
    /// Hold the scenario against what this Prometheus has, as in http://localhost:9090: load, call graph, errors, CPU times, latencies
    #[arg(long, value_name = "URL", conflicts_with_all = OF_TRACES)]
    pub(super) prometheus: Option<String>,
    /// What Prometheus wants to be told with each question, as in "Authorization: Bearer TOKEN"; @FILE: a file with such lines (may be
    /// given several times)
    #[arg(long, value_name = "NAME: VALUE", requires = "prometheus")]
    pub(super) header: Vec<String>,
    /// Go on, block after block of --every, until Ctrl-C, and warn with the cause when a figure leaves its band
    #[arg(long, requires = "prometheus")]
    pub(super) watch: bool,
    /// Length of a block: a whole number of s, m or h, a minute or more (default: 5m)
    #[arg(long, value_name = "TIME", requires = "prometheus")]
    pub(super) every: Option<String>,
    /// When the first block ends, as in 2026-11-24T09:00:00Z (default: now)
    #[arg(long, value_name = "TIME", requires = "prometheus")]
    pub(super) at: Option<StartTime>,
    /// End after so many blocks
    #[arg(long, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) blocks: Option<u32>,
    /// Share of a prediction by which it may be wrong, beside chance, in percent (default: 10)
    #[arg(long, value_name = "PERCENT", requires = "prometheus", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(super) band: Option<u8>,
}

/// Where arrivals come from.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ArrivalsArgument {
    /// At the trace's rate: its requests after the warm-up over their span
    Rate,
    /// At the trace's own moments, for as long as the trace
    Replay,
    /// As the scenario says
    Scenario,
}

impl Args {
    /// Takes the folder for the results before the run, if they are to be written.
    pub(super) fn prepare(&self) -> Checked<(Option<Folder>, Option<Page>)> {
        let force = self.force && (self.out.is_some() || self.report.is_some() || self.markdown.is_none());
        page::claim(self.out.as_deref(), self.report.as_deref(), (force, false))
    }

    /// The changes to the scenario.
    pub(super) fn settings(&self) -> Checked<Vec<Setting>> {
        self.set.iter().map(|text| Setting::parse(text)).collect()
    }

    /// Where results without a suite come from; nothing if a measurement is no plain file.
    pub(super) fn origin(&self, scenario: &Scenario) -> Checked<Option<Origin>> {
        let settings = self.settings()?;
        let mut origin = scenario.origin(Vec::new(), &settings, &[])?;
        origin.about.scenario = self.scenario.as_deref().map(scenario_called);
        let mut command = vec!["validate".to_owned(), SCENARIO.to_owned()];
        command.extend(each("--set", &origin.about.settings));
        command.extend(self.running.normal_form());
        command.extend(each("--strategy", self.strategy.as_slice()));
        let measurements =
            [("--trace", &self.trace), ("--spans", &self.spans), ("--cpu-from", &self.cpu_from)];
        for (name, path) in measurements {
            let Some(path) = path else { continue };
            let Some(file) = origin.with_measurement(path, measurement_called(path))? else {
                return Ok(None);
            };
            command.extend([name.to_owned(), file]);
        }
        command.extend(each("--trace-format", self.trace_format.as_slice()));
        command.extend(self.strict.then(|| "--strict".to_owned()));
        command.extend(each("--trace-warm-up", self.trace_warm_up.map(|it| it.to_string()).as_slice()));
        let arrivals = self.arrivals.and_then(|it| it.to_possible_value());
        command.extend(each("--arrivals", arrivals.map(|it| it.get_name().to_owned()).as_slice()));
        command.extend(each("--tolerance", &self.tolerance));
        origin.about.command = command;
        Ok(Some(origin))
    }
}
