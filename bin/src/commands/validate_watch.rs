//! `meshsim validate --prometheus`: a scenario against a running Prometheus, once or block by block.

use super::common::print;
use super::validate_arguments::Args;
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::Outcome;
use crate::interrupt;
use meshsim_scenarios::import::measured::{Measured, Server};
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::start_time::StartTime;
use meshsim_scenarios::validate::watch::{Predicted, Residual, cause};
use meshsim_scenarios::warnings;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

/// How often it is looked whether it is to stop.
const GLANCE: Duration = Duration::from_millis(100);

/// A scrape of the block's end is there so much later (s): the usual interval.
const SCRAPED_SECONDS: f64 = 15.0;

pub(super) fn exec(args: &Args, url: &str) -> Outcome<Code> {
    let watching = &args.watching;
    let every = watching.every.as_deref().unwrap_or("5m");
    let length = Measured::window_seconds("--every", every)?;
    let settings = args.settings()?;
    let scenario = Scenario::open(args.scenario.as_deref().unwrap_or_default(), &settings)?;
    let plan = args.running.plan_of_one(&scenario, args.strategy.as_deref())?;
    let resolved = &plan.strategies[0];
    warnings::before_run(resolved).iter().for_each(warn);
    let mut end = watching.at.map_or_else(now, |it| it.ms() as f64 / 1e3);
    // Asked before it is simulated: a wrong address is said at once.
    let server = Server::new(url, &watching.header)?;
    server.answers(end, every)?;
    let seconds = resolved.description.end().as_secs_f64();
    let Some(predicted) = args.running.watch(seconds, |watch| Predicted::new(resolved, watch))? else {
        return Ok(Code::Interrupted);
    };
    let band = f64::from(watching.band.unwrap_or(10)) / 100.0;
    let (mut is_good, mut count) = (true, 0);
    loop {
        match server.answers(end, every).and_then(|it| Measured::of_block(&it, every)) {
            Ok(measured) => {
                measured.missing().iter().for_each(|it| warn(&format!("{}: {it}", moment(end))));
                is_good &= say(end, &predicted.against(Some(&measured), length, band), band)?;
            }
            // Whoever watches waits for a Prometheus that is started again.
            Err(problems) if watching.watch => {
                is_good = false;
                warn(&format!("{}: {problems}", moment(end)));
            }
            Err(problems) => return Err(problems.into()),
        }
        count += 1;
        if !watching.watch || watching.blocks.is_some_and(|blocks| count >= blocks) {
            return Ok(if is_good { Code::Ok } else { Code::Failed });
        }
        end += length;
        if !wait_until(end + SCRAPED_SECONDS) {
            return Ok(Code::Interrupted);
        }
    }
}

/// Says what a block has, and whether it is within its band.
fn say(end: f64, residuals: &[Residual], band: f64) -> Outcome<bool> {
    let at = moment(end);
    let Some((first, outside)) = cause(residuals) else {
        let worst = residuals.iter().filter(|it| it.predicted > 0.0).max_by(|a, b| {
            let share = |it: &Residual| (it.measured - it.predicted).abs() / it.allowed;
            share(a).total_cmp(&share(b))
        });
        let worst = worst.map_or_else(String::new, |it| format!("; nearest to its end: {it}"));
        let count = residuals.len();
        print(&format!("{at}: {count} figures within {:.0} % and chance{worst}\n", band * 100.0))?;
        return Ok(true);
    };
    let of_cause: Vec<String> =
        outside.iter().filter(|it| it.cause == first).map(ToString::to_string).collect();
    let others: Vec<String> =
        outside.iter().filter(|it| it.cause != first).map(ToString::to_string).collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!(". With it: {}", others.join("; ")),
    };
    warn(&format!("{at}: {first}: {}{others}", of_cause.join("; ")));
    let count = residuals.len();
    print(&format!("{at}: {} of {count} figures left their band\n", outside.len()))?;
    Ok(false)
}

/// A moment as it is written.
fn moment(seconds: f64) -> String {
    StartTime::of_ms((seconds * 1e3) as u64).to_string()
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |it| it.as_secs_f64())
}

/// Waits for a moment; false if it is told to stop before.
fn wait_until(seconds: f64) -> bool {
    while now() < seconds {
        if interrupt::flag().load(Ordering::Relaxed) {
            return false;
        }
        std::thread::sleep(GLANCE);
    }
    !interrupt::flag().load(Ordering::Relaxed)
}
