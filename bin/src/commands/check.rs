//! `meshsim check`: everything that can be told without running.

use super::common::{ScenarioArgs, print};
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::Outcome;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::warnings;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: ScenarioArgs,
    /// Print the scenario with its templates written out and its settings made, as TOML
    #[arg(long)]
    expand: bool,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let scenario = args.source.open()?;
    let plan = ComparisonPlan::new(&scenario, &Choice::default())?;
    warnings::before_runs(&plan.strategies).iter().for_each(warn);
    if args.expand {
        print(&scenario.expanded()?)?;
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
    Ok(Code::Ok)
}
