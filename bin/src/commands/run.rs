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
    /// Print every decision of the first replication in order, and write those of all to timeline.csv
    #[arg(long, conflicts_with = "json")]
    timeline: bool,
    #[command(flatten)]
    detail: Detail,
    #[command(flatten)]
    enforcement: Enforcement,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let mut plan = args.running.plan_of_one(&args.source.open()?, args.strategy.as_deref())?;
    args.enforcement.has_objectives(&plan.strategies)?;
    for resolved in &mut plan.strategies {
        resolved.description.keeps_decisions = args.timeline;
    }
    compare::run(&plan, None, &args.running, &args.output, (&args.detail, &args.enforcement))
}
