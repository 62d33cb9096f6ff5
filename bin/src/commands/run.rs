//! `meshsim run`: one strategy.

use super::common::{Detail, Enforcement, Output, Running, ScenarioArgs};
use super::compare;
use crate::exit_code::Code;
use crate::failure::Outcome;

#[derive(clap::Args)]
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
    #[command(flatten)]
    detail: Detail,
    #[command(flatten)]
    enforcement: Enforcement,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let plan = args.running.plan_of_one(&args.source.open()?, args.strategy.as_deref())?;
    args.enforcement.has_objectives(&plan.strategies)?;
    compare::run(&plan, None, &args.running, &args.output, (&args.detail, &args.enforcement))
}
