//! `meshsim run`: one strategy.

use super::common::{Continuing, Detail, Enforcement, Output, Precise, Running, ScenarioArgs, each};
use super::compare;
use crate::exit_code::Code;
use crate::failure::Outcome;
use meshsim_scenarios::origin::SCENARIO;

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
    #[arg(long, conflicts_with_all = ["json", "precision"])]
    timeline: bool,
    #[command(flatten)]
    precise: Precise,
    #[command(flatten)]
    detail: Detail,
    #[command(flatten)]
    continuing: Continuing,
    #[command(flatten)]
    enforcement: Enforcement,
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
    let mut command = vec!["run".to_owned(), SCENARIO.to_owned()];
    command.extend(each("--set", &args.source.normal_form()?));
    command.extend(running.normal_form());
    command.extend(each("--strategy", args.strategy.as_slice()));
    command.extend(args.precise.normal_form());
    command.extend(args.timeline.then(|| "--timeline".to_owned()));
    command.extend(detail.normal_form());
    let origin = scenario.origin(command, &args.source.settings()?, &[])?;
    compare::run(
        &plan,
        None,
        &origin,
        &compare::Asked { decide: None, precision, running, output, detail, continuing, enforcement },
    )
}
