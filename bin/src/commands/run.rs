//! `meshsim run`: one strategy.

use super::common::{Output, Running, Source};
use super::compare;
use crate::exit_code::Code;
use meshsim_scenarios::experiment::compare::{Choice, Plan};
use meshsim_scenarios::problem::Checked;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    output: Output,
    /// The strategy (default: the scenario's first)
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// Also write every user request to requests.csv
    #[arg(long, requires = "out")]
    request_log: bool,
}

pub(crate) fn exec(args: &Args) -> Checked<Code> {
    let scenario = args.source.open()?;
    let place = scenario.strategy(args.strategy.as_deref())?;
    let choice = Choice {
        strategies: place.map(|place| scenario.strategies()[place].clone()).into_iter().collect(),
        baseline: None,
        replications: args.running.replications,
        seed: args.running.seed,
    };
    compare::run(&Plan::new(&scenario, &choice)?, &args.running, &args.output, args.request_log)
}
