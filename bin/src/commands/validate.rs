//! `meshsim validate`: a scenario against a measured trace.

use super::common::{Running, Source, interrupted, print};
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::Outcome;
use crate::table;
use clap::builder::PossibleValuesParser;
use meshsim_scenarios::experiment::compare::Plan;
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::results::files::to_json;
use meshsim_scenarios::traces::detect::Format;
use meshsim_scenarios::traces::{Options, Trace, read};
use meshsim_scenarios::validate::cpu_accounting::CpuAccounting;
use meshsim_scenarios::validate::run::{Validation, differences, run, scale_cpu};
use meshsim_scenarios::warnings;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    running: Running,
    /// The strategy under which the trace was taken (default: the scenario's first)
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// The trace, plain or gzip: results of JMeter, k6, Locust, Fortio or µBench, traces of Jaeger or in OTLP JSON,
    /// an access log of Envoy, or histogram buckets from Prometheus
    #[arg(long, value_name = "FILE")]
    trace: PathBuf,
    /// The format of the trace (default: found out from its content)
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(Format::ALL.map(Format::name)))]
    trace_format: Option<String>,
    /// Refuse the trace at its first bad record, instead of leaving bad records out
    #[arg(long)]
    strict: bool,
    /// Scale the cells' CPU costs to the CPU accounting of the traced run (the testbed's config.json)
    #[arg(long, value_name = "FILE")]
    cpu_from: Option<PathBuf>,
    /// Seconds at the start of the trace to leave out (default: that of the CPU accounting, or the scenario's)
    #[arg(long, value_name = "SECONDS")]
    trace_warm_up: Option<f64>,
    /// Print the result as JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let mut plan = args.running.plan_of_one(&args.source.open()?, args.strategy.as_deref())?;
    let accounting = args.cpu_from.as_deref().map(CpuAccounting::read).transpose()?;
    let warm_up = trace_warm_up(args, &plan, accounting.as_ref())?;
    let trace = read_trace(args)?.after(warm_up);
    let mut cpu_scale = 1.0;
    if let Some(accounting) = &accounting {
        differences(&plan.strategies[0], accounting).iter().for_each(warn);
        cpu_scale = scale_cpu(&mut plan.strategies[0], &trace, accounting)?;
    }
    warnings::before_run(&plan.strategies[0]).iter().for_each(warn);
    let result =
        args.running.watch(plan.simulated_seconds(), |watch| run(&plan, &trace, cpu_scale, watch))??;
    let Some(validation) = result else { return Ok(interrupted("nothing is kept")) };
    print(&if args.json { to_json(&validation)? } else { show(&validation) })?;
    Ok(Code::Ok)
}

/// Reads the trace, and says what of it was not read.
fn read_trace(args: &Args) -> Checked<Trace> {
    let reading = args.running.reading();
    let options = Options {
        format: args.trace_format.as_deref().and_then(Format::of_name),
        strict: args.strict,
        progress: &|progress| reading.advance(progress),
        ..Options::default()
    };
    let trace = read(&args.trace, &options);
    reading.finish();
    let trace = trace?;
    let (file, found) = (args.trace.display(), &trace.reading);
    found.first_bad.iter().for_each(warn);
    if found.bad > 0 {
        let all = found.good + found.bad;
        warn(&format!("{file}: {} of {all} records are bad and left out (--strict refuses them)", found.bad));
    }
    found.notes.iter().for_each(|note| warn(&format!("{file}: {note}")));
    Ok(trace)
}

/// How much of the trace's start is left out (s). CPU accounting covers what comes after the traced
/// run's own warm-up, and so must the requests.
fn trace_warm_up(args: &Args, plan: &Plan, accounting: Option<&CpuAccounting>) -> Checked<f64> {
    let accounted = accounting.map(|accounting| accounting.warm_up_seconds);
    let scenario = plan.strategies[0].description.warm_up.as_secs_f64();
    let Some(asked) = args.trace_warm_up else { return Ok(accounted.unwrap_or(scenario)) };
    if !asked.is_finite() || asked < 0.0 {
        let problem = Problem::new(format!("--trace-warm-up {asked} is not a number of seconds"));
        return Err(problem.help("it is zero or more").into());
    }
    match accounted {
        Some(accounted) if (accounted - asked).abs() > 0.5 => {
            let message =
                format!("--trace-warm-up {asked} is not the warm-up of the CPU accounting, {accounted} s");
            Err(Problem::new(message).help("leave it out: the accounting decides").into())
        }
        _ => Ok(asked),
    }
}

/// The figures side by side.
fn rows(validation: &Validation) -> Vec<Vec<String>> {
    let mut rows = vec![
        ["", "measured ms", "95 %", "simulated ms", "95 %", "error", "outside the interval"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in &validation.figures {
        let interval = |value: &meshsim_scenarios::results::summary::Value| {
            value.interval().map_or("-".to_owned(), |[low, high]| format!("{low:.1} to {high:.1}"))
        };
        rows.push(vec![
            row.figure.to_owned(),
            format!("{:.1}", row.measured_ms.value),
            interval(&row.measured_ms),
            format!("{:.1}", row.simulated_ms.value),
            interval(&row.simulated_ms),
            format!("{:+.1} %", row.relative_error * 100.0),
            format!("{:.1} %", row.error_outside_interval * 100.0),
        ]);
    }
    rows
}

fn show(validation: &Validation) -> String {
    let mut text = format!(
        "strategy {}, {} measured requests, CPU cost x {:.3}\n\n{}\n",
        validation.strategy,
        validation.trace_requests,
        validation.cpu_scale,
        table::align(&rows(validation))
    );
    if validation.measured_from == "buckets" {
        text.push_str("interval: none, the file has only buckets\n");
    }
    let failures = &validation.measured_failure_share;
    let interval = failures
        .interval()
        .map_or(String::new(), |[low, high]| format!(" ({:.2} to {:.2} %)", low * 100.0, high * 100.0));
    let _ = writeln!(
        text,
        "Kolmogorov-Smirnov distance {:.3}, Wasserstein distance {:.1} ms\nfailed: measured {:.2} %{interval}, \
         simulated {:.2} %",
        validation.kolmogorov_smirnov,
        validation.wasserstein_ms,
        failures.value * 100.0,
        validation.simulated_failure_share * 100.0
    );
    text
}
