//! `meshsim check`: everything that can be told without running.

use super::common::{ScenarioArgs, print, thread_count};
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::Outcome;
use crate::table;
use meshsim_scenarios::experiment::axes::Axis;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::estimate::{Estimate, cpu_seconds, estimate, time_in_words};
use meshsim_scenarios::experiment::memory::in_words;
use meshsim_scenarios::experiment::sweep::Sweep;
use meshsim_scenarios::warnings;

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim check my.toml --estimate")]
pub(crate) struct Args {
    #[command(flatten)]
    source: ScenarioArgs,
    /// Print the scenario with its templates written out and its settings made, as TOML
    #[arg(long)]
    expand: bool,
    /// Print every value that holds and where it comes from: FILE:LINE, --set, a template, a strategy, or its default
    #[arg(long, conflicts_with_all = ["expand", "estimate"])]
    resolved: bool,
    /// Under this strategy (default: the base, which strategies change)
    #[arg(long, requires = "resolved", value_name = "NAME")]
    strategy: Option<String>,
    /// Also say about how much CPU time and memory a comparison of it takes on this machine: runs a second or two of it
    #[arg(long, conflicts_with = "expand")]
    estimate: bool,
    /// Of so many worker threads (default: the cores of the machine)
    #[arg(long, requires = "estimate", value_parser = clap::value_parser!(u16).range(1..=4096))]
    threads: Option<u16>,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let scenario = args.source.open()?;
    let plan = ComparisonPlan::new(&scenario, &Choice::default())?;
    warnings::before_runs(&plan.strategies).iter().for_each(warn);
    if args.expand {
        print(&scenario.expanded()?)?;
        return Ok(Code::Ok);
    }
    if args.resolved {
        let strategy = match &args.strategy {
            Some(name) => scenario.strategy(Some(name))?,
            None => None,
        };
        let values = scenario.values(strategy)?.into_iter();
        let rows: Vec<Vec<String>> = values.map(|it| vec![it.path, it.value, it.origin]).collect();
        print(&table::text(&rows))?;
        return Ok(Code::Ok);
    }
    let first = &plan.strategies[0].description;
    print(&format!(
        "{}: services {}, clusters {}, links {}, strategies {}; replications {}, each {} {}\n",
        args.source.scenario,
        first.application.services.len(),
        first.clusters.len(),
        first.links.len(),
        plan.strategies.len(),
        plan.replications,
        first.duration,
        match plan.strategies[0].auto_warm_up {
            true => "with its warm-up (auto)".to_owned(),
            false => format!("after {} of warm-up", first.warm_up),
        },
    ))?;
    let (axes, combine) = scenario.sweep(Vec::new())?;
    if !axes.is_empty() {
        // A range without a number of values is for options of `sweep`.
        let is_whole = combine.is_some() || !axes.iter().any(Axis::is_range);
        let count = match is_whole {
            true => {
                let sweep = Sweep::new(
                    &scenario,
                    (axes, combine.unwrap_or_default()),
                    &Choice::default(),
                    |_, _| {},
                )?;
                format!("{} points", sweep.points.len())
            }
            false => "a range".to_owned(),
        };
        print(&format!("[sweep]: {count}\n"))?;
    }
    if args.estimate {
        // A run begins as this did: with reading the scenario.
        let read = cpu_seconds();
        let estimate = estimate(&plan, thread_count(args.threads));
        print(&sentence(&Estimate { cpu_seconds: read + estimate.cpu_seconds, ..estimate }))?;
    }
    Ok(Code::Ok)
}

fn sentence(estimate: &Estimate) -> String {
    let Estimate { cpu_seconds, memory_bytes, sample_seconds } = *estimate;
    let time = time_in_words(cpu_seconds);
    let memory = memory_bytes.map_or(String::new(), |it| format!(" and {} of memory", in_words(it as u64)));
    format!("about {time} of CPU time{memory} on this machine, by a sample of {sample_seconds:.1} s\n")
}
