//! `meshsim why`: the life of one request.

use super::common::{Running, ScenarioArgs, interrupted, print};
use crate::exit_code::Code;
use crate::failure::Outcome;
use crate::story;
use meshsim_scenarios::lives::choice::Single;
use meshsim_scenarios::lives::story::find_and_tell;
use meshsim_scenarios::results::json::to_json;
use meshsim_scenarios::warnings;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    source: ScenarioArgs,
    /// The strategy (default: the scenario's first)
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    #[command(flatten)]
    which: Which,
    /// In which replication, counted from 0
    #[arg(long, value_name = "R", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..100_000))]
    replication: u32,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    /// Seed of all random numbers
    #[arg(long, value_parser = super::common::seed)]
    seed: Option<u64>,
    /// Worker threads in all (default: the cores of the machine)
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4096))]
    threads: Option<u16>,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
}

const EXAMPLES: &str = "Examples:
  meshsim why fluidos-mesh --strategy s0 --slowest
  meshsim why edge-outage --failed
  meshsim why shop --request web:1234 --json";

/// Which request.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The one of this number, as in `number` of requests.csv: K, or USERS:K where there are several groups of users
    #[arg(long, value_name = "K")]
    request: Option<String>,
    /// The slowest that succeeds after the warm-up
    #[arg(long)]
    slowest: bool,
    /// The first that fails after the warm-up
    #[arg(long)]
    failed: bool,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let running = Running::of_one(args.seed, args.threads, args.quiet);
    let scenario = args.source.open()?;
    let plan = running.plan_of_one(&scenario, args.strategy.as_deref())?;
    let resolved = &plan.strategies[0];
    let which = match &args.which.request {
        Some(text) => Single::named(text, &resolved.description)?,
        None if args.which.slowest => Single::Slowest,
        None => Single::Failed,
    };
    warnings::before_runs(&plan.strategies).iter().for_each(crate::diagnostics::warn);
    // Once to find the request, if it has no name, once more to follow it.
    let runs = if args.which.request.is_some() { 1.0 } else { 2.0 };
    let seconds = runs * resolved.description.end().as_secs_f64();
    let story = running.watch(seconds, |watch| find_and_tell(resolved, args.replication, which, watch))??;
    let Some(story) = story else { return interrupted("nothing is told") };
    if args.json {
        print(&to_json(&story)?)?;
    } else {
        print(&story::text(&story))?;
    }
    Ok(Code::Ok)
}
