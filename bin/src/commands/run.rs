//! `meshsim run`: one strategy.

use super::common::{Continuing, Detail, Enforcement, Output, Precise, Running, ScenarioArgs, each};
use super::compare;
use crate::exit_code::Code;
use crate::failure::Outcome;
use meshsim_scenarios::lives::choice::Several;
use meshsim_scenarios::lives::{Following, Forms};
use meshsim_scenarios::origin::SCENARIO;
use meshsim_scenarios::results::openmetrics::{Export, ScrapeInterval};
use meshsim_scenarios::start_time::StartTime;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim run shop --spans 500 --chrome-trace --access-logs --out results")]
#[command(group = clap::ArgGroup::new("dated").multiple(true).args(["openmetrics", "spans"]))]
pub(crate) struct Args {
    #[command(flatten)]
    source: ScenarioArgs,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    output: Output,
    /// The strategy (default: the scenario's first)
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// Print every decision of the first replication in order, and write those of all to timeline.csv
    #[arg(long, conflicts_with_all = ["json", "precision"])]
    timeline: bool,
    #[command(flatten)]
    spans: Spans,
    #[command(flatten)]
    exporting: Exporting,
    /// When the run, its warm-up included, begins on everybody else's clock: that of metrics, spans and access logs (default:
    /// 2026-01-01T00:00:00Z)
    #[arg(long, value_name = "TIME", requires = "dated")]
    start_time: Option<StartTime>,
    #[command(flatten)]
    precise: Precise,
    #[command(flatten)]
    detail: Detail,
    #[command(flatten)]
    continuing: Continuing,
    #[command(flatten)]
    enforcement: Enforcement,
}

/// Requests that are followed from hop to hop.
#[derive(clap::Args)]
struct Spans {
    /// Follow so many requests of the first replication and write their spans to spans.json: OTLP, as Jaeger takes it
    #[arg(long, value_name = "N", requires = "out", conflicts_with = "partition",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    spans: Option<u32>,
    /// Which ones: first, sampled, slowest or failed (default: first)
    #[arg(long, value_name = "WHICH", requires = "spans")]
    spans_of: Option<Several>,
    /// Also write them to chrome_trace.json, for chrome://tracing and Perfetto
    #[arg(long, requires = "spans")]
    chrome_trace: bool,
    /// Also write what the proxies that they passed log, to access_log.txt and access_log.json
    #[arg(long, requires = "spans")]
    access_logs: bool,
}

impl Spans {
    /// What is asked for, of a run that begins then.
    fn following(&self, start: StartTime) -> Option<Following> {
        let forms = Forms { chrome_trace: self.chrome_trace, access_logs: self.access_logs };
        let which = self.spans_of.unwrap_or_default();
        Some(Following { which, count: self.spans? as usize, forms, start })
    }

    /// It in normal form.
    fn normal_form(&self) -> Vec<String> {
        let mut command = each("--spans", self.spans.map(|it| it.to_string()).as_slice());
        command.extend(each("--spans-of", self.spans_of.map(|it| it.name().to_owned()).as_slice()));
        command.extend(self.chrome_trace.then(|| "--chrome-trace".to_owned()));
        command.extend(self.access_logs.then(|| "--access-logs".to_owned()));
        command
    }
}

/// What Prometheus would have of the run.
#[derive(clap::Args)]
struct Exporting {
    /// Write what Prometheus would have of the first replication to this file: OpenMetrics text with time stamps, for
    /// `promtool tsdb create-blocks-from openmetrics`
    #[arg(long, value_name = "FILE", conflicts_with = "partition")]
    openmetrics: Option<PathBuf>,
    /// Time between two scrapes of a target (default: 15s)
    #[arg(long, value_name = "TIME", requires = "openmetrics")]
    scrape_interval: Option<ScrapeInterval>,
}

impl Exporting {
    fn export(&self, start: StartTime) -> Option<Export> {
        let file = self.openmetrics.clone()?;
        Some(Export { file, start, interval: self.scrape_interval.unwrap_or(ScrapeInterval::DEFAULT) })
    }
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let scenario = args.source.open()?;
    let mut plan = args.running.plan_of_one(&scenario, args.strategy.as_deref())?;
    args.enforcement.needs_objectives(plan.has_objectives())?;
    for resolved in &mut plan.strategies {
        resolved.description.keeps_decisions = args.timeline;
    }
    let precision = args.precise.of(&plan)?;
    let Args { running, output, detail, continuing, enforcement, .. } = args;
    let start = args.start_time.unwrap_or(StartTime::DEFAULT);
    let export = args.exporting.export(start);
    export.iter().try_for_each(|it| it.prepare(&plan.strategies[0], output.is_forced()))?;
    let mut command = vec!["run".to_owned(), SCENARIO.to_owned()];
    command.extend(each("--set", &args.source.normal_form()?));
    command.extend(running.normal_form());
    command.extend(each("--strategy", args.strategy.as_slice()));
    command.extend(args.precise.normal_form());
    command.extend(args.timeline.then(|| "--timeline".to_owned()));
    command.extend(args.spans.normal_form());
    // Metrics are no file of the results.
    let written = args.start_time.filter(|_| args.spans.spans.is_some());
    command.extend(each("--start-time", written.map(|it| it.to_string()).as_slice()));
    command.extend(detail.normal_form());
    let origin = scenario.origin(command, &args.source.settings()?, &[])?;
    compare::run(
        &plan,
        None,
        &origin,
        &compare::Asked {
            decide: None,
            precision,
            spans: args.spans.following(start),
            metrics: export.as_ref(),
            running,
            output,
            detail,
            continuing,
            enforcement,
        },
    )
}
