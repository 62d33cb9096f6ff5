//! `meshsim sweep`: strategies over a grid of parameter values.

use super::break_even;
use super::common::{Begun, begin, each, kept_cells, not_whole, part_is_over, print};
use super::page::{self, Page};
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::table::{align, fitted};
use meshsim_scenarios::analysis::best_of_points::BestOfPoints;
use meshsim_scenarios::analysis::objectives::Judged;
use meshsim_scenarios::analysis::summary::{Strategy, Summary};
use meshsim_scenarios::experiment::axes::{Axis, Combine};
use meshsim_scenarios::experiment::compare::ComparisonPlan;
use meshsim_scenarios::experiment::estimate::{estimate, time_in_words};
use meshsim_scenarios::experiment::store::CellStore;
use meshsim_scenarios::experiment::sweep::{Point, Sweep};
use meshsim_scenarios::origin::SCENARIO;
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::results::sweep::{SweepFiles, point_report};
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::warnings;
use std::fmt::{self, Write};
use std::str::FromStr;

#[derive(clap::Args)]
#[command(
    after_help = "Example: meshsim sweep fluidos-mesh --set links.edge1-cloud.rtt=20ms,80ms,160ms --out results"
)]
pub(crate) struct Args {
    /// A library scenario's name, or the path of a TOML file
    scenario: String,
    /// A parameter and its values, as in links.edge1-cloud.rtt=20ms,40ms or =5ms..300ms:10, ten values at equal distances,
    /// or ='5ms..300ms:10 log', at equal ratios (may be given several times; `[sweep]` in the scenario does the same)
    #[arg(long, value_name = "PATH=VALUE,...")]
    set: Vec<String>,
    /// Which values are taken together: cross (all with all), zip (the first ones, the second ones, ...) or latin_hypercube
    #[arg(long, value_name = "HOW")]
    combine: Option<Combine>,
    /// Points of a Latin hypercube
    #[arg(long, value_name = "N", requires = "combine")]
    points: Option<usize>,
    /// Say how many runs there are and about how long they take, from a sample, and run none
    #[arg(long, conflicts_with_all = ["out", "report", "json", "break_even"])]
    dry_run: bool,
    /// Look for the value of one parameter, a range as in =5ms..300ms, at which two strategies are equally fast
    #[arg(long, value_name = "NAME,NAME", conflicts_with_all = ["strategy", "baseline", "combine", "points", "partition", "enforce"])]
    break_even: Option<Pair>,
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
    continuing: super::common::Continuing,
    #[command(flatten)]
    enforcement: super::common::Enforcement,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let scenario = Scenario::open(&args.scenario, &[])?;
    let given: Vec<Axis> = args.set.iter().map(|text| Axis::parse(text)).collect::<Checked<_>>()?;
    let (axes, combine) = scenario.sweep(given)?;
    args.running.leaves(&axes)?;
    if axes.is_empty() {
        let problem = Problem::new("the sweep varies nothing");
        return Err(problem
            .help("give --set PATH=VALUE,VALUE,..., or write [[sweep.axis]] into the scenario")
            .into());
    }
    if let Some(pair) = &args.break_even {
        let Args { running, output, continuing, .. } = args;
        let (command, strategies) = (args.normal_form(&axes, None), pair.0.to_vec());
        let asked = break_even::Asked { running, output, continuing, command, strategies };
        return break_even::exec(asked, &scenario, axes);
    }
    let combine = match args.combine {
        Some(word) => word.with_points(args.points)?,
        None => combine.unwrap_or_default(),
    };
    let choice = args.running.choice(args.strategy.clone(), args.baseline.clone());
    let (mut warned, mut has_objectives) = (Warned::default(), false);
    let sweep = Sweep::new(&scenario, (axes, combine), &choice, |values, plan| {
        has_objectives |= plan.has_objectives();
        warned.add(values, plan);
    })?;
    args.enforcement.needs_objectives(has_objectives)?;
    if args.dry_run {
        warned.say();
        return dry_run(args, &sweep);
    }
    let sha256 = scenario.sha256()?;
    let origin = scenario.origin(args.normal_form(&sweep.axes, Some(combine)), &[], &sweep.variants()?)?;
    let begun = begin(args.output.claim()?, &args.continuing, &sha256, Some(&origin))?;
    if let Some(part) = args.continuing.part() {
        warned.say();
        let seconds = sweep.simulated_seconds() * part.fraction(sweep.cell_counts());
        let is_whole = args.running.watch(seconds, |watch| sweep.run_part(&begun.store, part, watch))?;
        return part_is_over(begun, part, is_whole);
    }
    let Begun { folder, store, page, .. } = begun;
    let files = folder.map(|folder| SweepFiles::new(folder, &sweep));
    warned.say();
    let keep = |point: &Point| files.iter().for_each(|files| files.keep(point));
    args.running.watch(sweep.simulated_seconds(), |watch| sweep.run(&store, watch, &keep))?;
    if let Some(problems) = store.failure() {
        return Err(Failure::machine(problems));
    }
    report(args, &sweep, &store, (files, page.as_ref()), &sha256)
}

impl Args {
    /// What of it changes results.
    fn normal_form(&self, axes: &[Axis], combine: Option<Combine>) -> Vec<String> {
        let mut command = vec!["sweep".to_owned(), SCENARIO.to_owned()];
        command.extend(each("--set", &axes.iter().map(ToString::to_string).collect::<Vec<_>>()));
        if let Some(combine) = combine {
            command.extend(["--combine".to_owned(), combine.to_string()]);
            command.extend(each("--points", combine.own_points().map(|it| it.to_string()).as_slice()));
        }
        command.extend(self.running.normal_form());
        command.extend(each("--strategy", &self.strategy));
        command.extend(each("--baseline", self.baseline.as_slice()));
        command.extend(each("--break-even", self.break_even.as_ref().map(ToString::to_string).as_slice()));
        command
    }
}

/// Two names with a comma between.
#[derive(Clone, Debug)]
struct Pair([String; 2]);

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split(',').map(str::trim).collect::<Vec<_>>()[..] {
            [one, other] if !one.is_empty() && !other.is_empty() => Ok(Self([one.into(), other.into()])),
            _ => Err("write two strategies with a comma between, as in cloud-only,s0-s3".into()),
        }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{},{}", self.0[0], self.0[1])
    }
}

/// Points that are sampled for how long all take.
const SAMPLED: usize = 3;

/// Says what a sweep would run.
fn dry_run(args: &Args, sweep: &Sweep) -> Outcome<Code> {
    let count = sweep.points.len();
    let mut sampled: Vec<usize> = (0..SAMPLED).map(|it| it * (count - 1) / (SAMPLED - 1)).collect();
    sampled.dedup();
    let threads = args.running.thread_count();
    let of = |&index: &usize| Ok(estimate(&sweep.plan_at(index)?, threads).cpu_seconds);
    let seconds: Vec<f64> = sampled.iter().map(of).collect::<Checked<_>>()?;
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    let own = args.continuing.part().map_or(1.0, |part| part.fraction(sweep.cell_counts()));
    let cells: usize = sweep.cell_counts().iter().sum();
    let part = args
        .continuing
        .part()
        .map_or(String::new(), |part| format!("; part {part} has {:.0} of them", own * cells as f64));
    let cpu = mean * count as f64 * own;
    print(&format!(
        "{count} points ({}), {cells} runs of a strategy{part}; about {} of CPU time, {} on {threads} threads, by samples of {} points\n",
        sweep.combine,
        time_in_words(cpu),
        time_in_words(cpu / threads as f64),
        sampled.len()
    ))?;
    Ok(Code::Ok)
}

/// Shows and writes the points that are finished, one after the other.
fn report(
    args: &Args,
    sweep: &Sweep,
    store: &CellStore,
    (files, page): (Option<SweepFiles<'_>>, Option<&Page>),
    sha256: &str,
) -> Outcome<Code> {
    let mut shown = Shown { json: args.output.json, ..Shown::default() };
    let mut said: Outcome<()> = Ok(());
    let mut points = sweep.finished(store).inspect(|point| {
        let text = shown.add(sweep, point);
        if said.is_ok() {
            said = text.and_then(|text| print(&text));
        }
    });
    let first = points.next();
    let Some(first) = first else {
        let kept = kept_cells(args.output.has_folder(), store);
        return not_whole(&store.broken(), &format!("no point was finished{kept}"));
    };
    let mut points = std::iter::once(first).chain(points);
    let written = files.map_or(Ok(()), |files| files.finish(&mut points, sha256));
    // What was simulated is shown even if it cannot be kept.
    points.for_each(drop);
    said?;
    print(&shown.end(sweep))?;
    written.map_err(Failure::machine)?;
    page::write(page)?;
    if shown.count < sweep.points.len() {
        let all = sweep.points.len();
        let kept = kept_cells(args.output.has_folder(), store);
        return not_whole(&store.broken(), &format!("{} of {all} points are finished{kept}", shown.count));
    }
    let code = if shown.fails { Code::Failed } else { Code::Ok };
    Ok(args.enforcement.code(code, !shown.misses))
}

/// What is shown of the points so far.
#[derive(Default)]
struct Shown {
    json: bool,
    count: usize,
    best: BestOfPoints,
    /// Of each point its values, and of each strategy the mean, if they are shown as grids.
    means: Vec<PointMeans>,
    /// Whether somewhere no request was completed.
    fails: bool,
    /// Whether an objective does not hold somewhere.
    misses: bool,
}

impl Shown {
    /// The text of a point.
    fn add(&mut self, sweep: &Sweep, point: &Point) -> Outcome<String> {
        let summary = &point.summary;
        self.fails |= summary.strategies.iter().any(|it| it.requests.completed == 0);
        self.misses |= !summary.objectives_hold();
        self.count += 1;
        if !self.json {
            if (1..=GRID_AXES).contains(&varied(sweep).count()) {
                let means = summary.strategies.iter().map(Mean::of).collect();
                self.means.push(PointMeans { values: point.values.clone(), means });
            }
            let name = sweep.name_of(point);
            self.best.add(&name, summary);
            return Ok(fitted(&lines(&name, summary)));
        }
        // One element of a list that is never in memory as a whole.
        let before = if self.count == 1 { "[" } else { "," };
        let element = to_json(&point_report(sweep, point))?;
        let indented = element.lines().map(|line| format!("\n  {line}"));
        Ok(before.to_owned() + &indented.collect::<String>())
    }

    /// What comes after all of them.
    fn end(&self, sweep: &Sweep) -> String {
        if self.json {
            return "\n]\n".to_owned();
        }
        let mut grids = if self.means.is_empty() { String::new() } else { grids(sweep, &self.means) };
        if !grids.is_empty() && self.misses {
            grids += "! misses an objective\n\n";
        }
        fitted(&format!("\n{grids}{}\n", self.best.sentence()))
    }
}

/// A sweep of so many axes is shown as grids too.
const GRID_AXES: usize = 2;

/// The axes that have more than one value, by index.
fn varied(sweep: &Sweep) -> impl Iterator<Item = usize> {
    sweep.axes.iter().enumerate().filter(|(_, axis)| axis.is_varied()).map(|(index, _)| index)
}

/// Mean latencies at a point, by strategy.
struct PointMeans {
    values: Vec<String>,
    means: Vec<Mean>,
}

/// The mean latency of a strategy.
struct Mean {
    strategy: String,
    ms: f64,
    /// Whether an objective does not hold.
    misses: bool,
}

impl Mean {
    fn of(strategy: &Strategy) -> Self {
        let misses = strategy.objectives.iter().any(|it| !it.holds);
        Self { strategy: strategy.name.clone(), ms: strategy.latency_ms.mean.value, misses }
    }

    fn cell(&self) -> String {
        let number = if self.ms.is_finite() { format!("{:.1}", self.ms) } else { "-".to_owned() };
        number + if self.misses { " !" } else { "" }
    }
}

/// Mean latencies: of two axes that cross a grid per strategy, else a row per point and a column per strategy.
fn grids(sweep: &Sweep, points: &[PointMeans]) -> String {
    let axes: Vec<usize> = varied(sweep).collect();
    let ([first, second], Combine::Cross) = (&axes[..], sweep.combine) else {
        let paths = axes.iter().map(|&index| sweep.axes[index].path.clone());
        let head = paths.chain(points[0].means.iter().map(|it| format!("{} [ms]", it.strategy))).collect();
        let row = |it: &PointMeans| {
            let values = axes.iter().map(|&index| it.values[index].clone());
            values.chain(it.means.iter().map(Mean::cell)).collect()
        };
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(points.iter().map(row)).collect();
        return align(&rows) + "\n";
    };
    let [rows, columns] = [first, second].map(|index| &sweep.axes[*index]);
    let mut text = String::new();
    for (index, Mean { strategy, .. }) in points[0].means.iter().enumerate() {
        let at = |row: &String, column: &String| {
            let found = points.iter().find(|it| it.values[*first] == *row && it.values[*second] == *column);
            found.map_or_else(|| "-".to_owned(), |it| it.means[index].cell())
        };
        let head = std::iter::once(rows.path.clone()).chain(columns.values.iter().cloned()).collect();
        let row = |value: &String| {
            let cells = columns.values.iter().map(|column| at(value, column));
            std::iter::once(value.clone()).chain(cells).collect()
        };
        let table: Vec<Vec<String>> = std::iter::once(head).chain(rows.values.iter().map(row)).collect();
        text += &format!("mean of {strategy} [ms] by {} (across)\n{}\n", columns.path, align(&table));
    }
    text
}

/// Each warning once, with the first point that it is for: the others differ in numbers only.
#[derive(Default)]
struct Warned {
    /// Its kind, at how many points it is, and its words at the first.
    kinds: Vec<(String, usize, String)>,
}

impl Warned {
    fn add(&mut self, values: &[String], plan: &ComparisonPlan) {
        for warning in warnings::before_runs(&plan.strategies).iter().map(ToString::to_string) {
            let kind: String = warning.chars().filter(|c| !c.is_ascii_digit() && *c != '.').collect();
            match self.kinds.iter_mut().find(|(known, ..)| *known == kind) {
                Some((_, points, _)) => *points += 1,
                None => self.kinds.push((kind, 1, format!("at {}: {warning}", values.join(", ")))),
            }
        }
    }

    fn say(self) {
        for (_, points, first) in self.kinds {
            match points {
                1 => warn(&first),
                _ => warn(&format!("{first} (and the like at {} more points)", points - 1)),
            }
        }
    }
}

/// A point's name, and a line per strategy: the mean, and the difference to the baseline.
fn lines(point: &str, summary: &Summary) -> String {
    let mut text = format!("{point}\n");
    for it in &summary.strategies {
        let against = summary.against_baseline(&it.name).map_or(String::new(), |paired| {
            let difference = &paired.mean_difference_ms;
            let interval = difference
                .interval()
                .map_or(String::new(), |[low, high]| format!(" (95 % {low:+.1} to {high:+.1})"));
            format!("  {:+8.1} against {}{interval}", difference.value, paired.baseline)
        });
        let replications = f64::from(summary.run.replications);
        let said = |it: &Judged| {
            format!("{} (holds in {:.0} of {replications})", it.name(), it.probability * replications)
        };
        let listed = |what: &str, is_so: fn(&Judged) -> bool| {
            let all: Vec<String> = it.objectives.iter().filter(|it| is_so(it)).map(said).collect();
            if all.is_empty() { String::new() } else { format!("  {what} {}", all.join(", ")) }
        };
        let missed = listed("misses", |it| !it.holds);
        let doubtful = listed("hardly keeps", |it| it.holds && it.probability < 1.0);
        let mean = it.latency_ms.mean.value;
        let _ = writeln!(text, "  {:<16} {mean:9.1} ms{against}{missed}{doubtful}", it.name);
    }
    text
}
