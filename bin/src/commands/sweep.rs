//! `meshsim sweep`: strategies over a grid of parameter values.

use super::common::{interrupted, print};
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table::fitted;
use meshsim_scenarios::analysis::objectives::Judged;
use meshsim_scenarios::analysis::summary::Summary;
use meshsim_scenarios::analysis::verdict::best_of_points;
use meshsim_scenarios::experiment::sweep::{Axis, Point, Sweep};
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::results::sweep::{SweepFiles, point_reports};
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::warnings;
use std::fmt::Write;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A library scenario's name, or the path of a TOML file
    scenario: String,
    /// A parameter and its values, as in links.edge1-cloud.rtt=20ms,40ms (may be given several times)
    #[arg(long, value_name = "PATH=VALUE,...", required = true)]
    set: Vec<String>,
    #[command(flatten)]
    running: super::common::Running,
    #[command(flatten)]
    output: super::common::Output,
    /// These strategies alone (may be given several times)
    #[arg(long, value_name = "NAME")]
    strategy: Vec<String>,
    /// The strategy that the others are compared with (default: the scenario's, or the first)
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    #[command(flatten)]
    enforcement: super::common::Enforcement,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let axes: Vec<Axis> = args.set.iter().map(|text| Axis::parse(text)).collect::<Checked<_>>()?;
    args.running.leaves(&axes)?;
    let choice = args.running.choice(args.strategy.clone(), args.baseline.clone());
    let scenario = Scenario::open(&args.scenario, &[])?;
    let sweep = Sweep::new(&scenario, axes, &choice)?;
    args.enforcement.has_objectives(sweep.points.iter().flat_map(|(_, plan)| &plan.strategies))?;
    let sha256 = scenario.sha256()?;
    let files = args.output.prepare()?.map(|folder| SweepFiles::new(folder, &sweep));
    warn_of_points(&sweep);
    let keep = |point: &Point| files.iter().for_each(|files| files.keep(point));
    let (points, stopped) = args.running.watch(sweep.simulated_seconds(), |watch| sweep.run(watch, &keep))?;
    if stopped && points.is_empty() {
        return interrupted("no point was finished, nothing is kept");
    }
    let written = files.map_or(Ok(()), |files| files.finish(&points, &sha256));
    if args.output.json {
        print(&to_json(&point_reports(&sweep, &points))?)?;
    } else {
        let best = best_of_points(&named(&sweep, &points));
        print(&fitted(&format!("{}\n{best}\n", table(&sweep, &points))))?;
    }
    // What was simulated is shown even if it cannot be kept.
    written.map_err(Failure::machine)?;
    if stopped {
        return interrupted(&format!("{} of {} points are finished", points.len(), sweep.points.len()));
    }
    let completed = |point: &Point| point.summary.strategies.iter().all(|it| it.requests.completed > 0);
    if points.is_empty() {
        return Err(Problem::new("the sweep has no point").into());
    }
    let code = if points.iter().all(completed) { Code::Ok } else { Code::Failed };
    Ok(args.enforcement.code(code, points.iter().map(|it| &it.summary)))
}

/// Each warning once, with the first point that it is for: the others differ in numbers only.
fn warn_of_points(sweep: &Sweep) {
    let mut said: Vec<(String, usize, String)> = Vec::new();
    for (values, plan) in &sweep.points {
        for warning in warnings::before_runs(&plan.strategies).iter().map(ToString::to_string) {
            let kind: String = warning.chars().filter(|c| !c.is_ascii_digit() && *c != '.').collect();
            match said.iter_mut().find(|(known, ..)| *known == kind) {
                Some((_, points, _)) => *points += 1,
                None => said.push((kind, 1, format!("at {}: {warning}", values.join(", ")))),
            }
        }
    }
    for (_, points, first) in said {
        match points {
            1 => warn(&first),
            _ => warn(&format!("{first} (and the like at {} more points)", points - 1)),
        }
    }
}

/// The points with their settings as names.
fn named<'a>(sweep: &Sweep, points: &'a [Point]) -> Vec<(String, &'a Summary)> {
    let name = |point: &Point| {
        let settings = sweep.axes.iter().zip(&point.values);
        settings.map(|(axis, value)| format!("{}={value}", axis.path)).collect::<Vec<_>>().join(" ")
    };
    points.iter().map(|point| (name(point), &point.summary)).collect()
}

/// A line per point and strategy: the mean, and the difference to the baseline.
fn table(sweep: &Sweep, points: &[Point]) -> String {
    let mut text = String::new();
    for (point, summary) in named(sweep, points) {
        let _ = writeln!(text, "{point}");
        for it in &summary.strategies {
            let against = summary.against_baseline(&it.name).map_or(String::new(), |paired| {
                let difference = &paired.mean_difference_ms;
                let interval = difference
                    .interval()
                    .map_or(String::new(), |[low, high]| format!(" (95 % {low:+.1} to {high:+.1})"));
                format!("  {:+8.1} against {}{interval}", difference.value, paired.baseline)
            });
            let replications = f64::from(summary.run.replications);
            let of_missed = |it: &Judged| {
                format!("{} (holds in {:.0} of {replications})", it.name(), it.probability * replications)
            };
            let missed: Vec<String> = it.objectives.iter().filter(|it| !it.holds).map(of_missed).collect();
            let missed =
                if missed.is_empty() { String::new() } else { format!("  misses {}", missed.join(", ")) };
            let _ = writeln!(text, "  {:<16} {:9.1} ms{against}{missed}", it.name, it.latency_ms.mean.value);
        }
    }
    text
}
