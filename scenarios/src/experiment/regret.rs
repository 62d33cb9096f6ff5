//! What else could have been decided: from the state at each decision of an offloading controller each alternative runs on.
//!
//! # Models
//! The world is run once more and cloned at the moment of each decision. In a clone the controller of that edge is told an
//! alternative from there on: nothing, a single service more (or less, where services are to go back), or what another
//! strategy would have answered. What it comes to is measured from the decision to a horizon after it, the transient
//! included, over the same requests. All other controllers go on by themselves.
//!
//! # Assumptions
//! - The choice itself is an alternative too, held to the horizon: what its controller would decide next is no part of it.
//! - It costs the run once more, and for each decision as many horizons as there are different alternatives.

use super::Watch;
use super::offloaded::{EdgeFigures, decisions, edge_figures};
use crate::resolve::Resolved;
use meshsim_core::{RunControl, RunEnd, SimDuration, SimTime};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::offloading::settings::{PlacerSettings, PolicySettings};
use meshsim_models::telemetry::control_log::{ControlLog, OffloadingDecision};
use meshsim_models::world::World;
use meshsim_models::world::description::Description;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// A decision and what else there was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Regret {
    /// Whose decision.
    pub edge: ClusterId,
    /// The number of that edge among those that are steered.
    pub controller: u32,
    /// Its number among those of the edge, from 0.
    pub decision: u32,
    /// When.
    pub at: SimTime,
    /// What was chosen, and then each other set of services.
    pub alternatives: Vec<Alternative>,
}

/// A set of services at the edge, and what it comes to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Alternative {
    /// Who or what would have it: `none`, `+s1`, `-s1`, or a strategy.
    pub names: Vec<String>,
    /// The services that the edge is to have.
    pub services: Vec<ServiceId>,
    /// From the decision to the horizon.
    pub came_to: EdgeFigures,
}

impl Regret {
    /// What was chosen.
    #[must_use]
    pub fn chosen(&self) -> &Alternative {
        &self.alternatives[0]
    }

    /// The one with the shortest mean delay; the first of several.
    #[must_use]
    pub fn fastest(&self) -> &Alternative {
        self.least(|it| it.mean_ms, |_| true).unwrap_or_else(|| self.chosen())
    }

    /// The one that costs least of those whose mean delay is at most the threshold (ms), if there is any.
    #[must_use]
    pub fn cheapest(&self, threshold: f64) -> Option<&Alternative> {
        self.least(|it| it.cost_per_hour, |it| it.mean_ms <= threshold)
    }

    /// How much longer the mean delay is than with the fastest (ms).
    #[must_use]
    pub fn delay_ms(&self) -> f64 {
        self.chosen().came_to.mean_ms - self.fastest().came_to.mean_ms
    }

    fn least(
        &self,
        of: impl Fn(&EdgeFigures) -> f64,
        may: impl Fn(&EdgeFigures) -> bool,
    ) -> Option<&Alternative> {
        let all = self.alternatives.iter().filter(|it| of(&it.came_to).is_finite() && may(&it.came_to));
        all.reduce(|best, it| if of(&it.came_to) < of(&best.came_to) { it } else { best })
    }
}

/// Everything that could have been decided instead in a run from a moment on, which `world` is at that moment and whose
/// controllers have logged `logs`. Nothing if it was told to stop.
pub(super) fn of_run(
    resolved: &Resolved,
    (mut world, from): (World, SimTime),
    logs: &[&ControlLog],
    horizon: SimDuration,
    watch: &Watch<'_>,
) -> Option<Vec<Regret>> {
    let description = &resolved.description;
    let controllers = description.offloading.iter().flat_map(|it| &it.controllers).enumerate();
    let mut all: Vec<(usize, u32, &OffloadingDecision)> = controllers
        .flat_map(|(controller, it)| {
            let numbered = (0..).zip(decisions(logs.iter().copied(), it.edge));
            numbered.map(move |(number, decision)| (controller, number, decision))
        })
        .filter(|(.., it)| it.at >= from)
        .collect();
    all.sort_by_key(|(controller, _, it)| (it.at, *controller));
    let mut found = Vec::new();
    for (controller, number, decision) in all {
        runs_to(&mut world, decision.at, watch)?;
        world.take_requests(|_| {});
        let until = decision.at.saturating_add(horizon).min(description.end());
        let of = |(names, services): (Vec<String>, Vec<ServiceId>)| {
            let mut told = description.clone();
            let edge = told.offloading.as_mut().map(|it| &mut it.controllers[controller])?;
            edge.policy = PolicySettings::Fixed(services.clone());
            let edge: PlacerSettings = edge.clone();
            let mut fork = world.fork(&told);
            runs_to(&mut fork, until, watch)?;
            let logs: Vec<&ControlLog> = fork.control_logs().collect();
            let came_to = edge_figures(&logs, &edge, decision.at, until);
            Some(Alternative { names, services, came_to })
        };
        let sets = alternatives(description, controller, decision);
        let ran: Vec<Option<Alternative>> = sets.into_par_iter().map(of).collect();
        let alternatives: Vec<Alternative> = ran.into_iter().collect::<Option<_>>()?;
        let (edge, at) = (decision.edge, decision.at);
        found.push(Regret { edge, controller: controller as u32, decision: number, at, alternatives });
    }
    Some(found)
}

/// Runs until just before a moment.
fn runs_to(world: &mut World, moment: SimTime, watch: &Watch<'_>) -> Option<()> {
    let outcome = world.run(&mut RunControl::until(moment).cancelled_by(watch.cancel));
    (outcome != RunEnd::Cancelled && !watch.is_cancelled()).then_some(())
}

/// All different sets of services, first what was chosen, with who or what would have each.
fn alternatives(
    description: &Description,
    controller: usize,
    decision: &OffloadingDecision,
) -> Vec<(Vec<String>, Vec<ServiceId>)> {
    let mut all: Vec<(Vec<String>, Vec<ServiceId>)> = Vec::new();
    let mut add = |name: String, mut services: Vec<ServiceId>| {
        services.sort_unstable();
        match all.iter_mut().find(|(_, known)| *known == services) {
            Some((names, _)) => names.push(name),
            None => all.push((vec![name], services)),
        }
    };
    let before = &decision.before;
    // Without an answer nothing is done.
    add(decision.policy.clone(), decision.after.as_ref().unwrap_or(before).clone());
    add("none".into(), before.clone());
    let managed = description.offloading.iter().flat_map(|it| &it.controllers[controller].services);
    for service in managed.map(|it| it.service).filter(|it| before.contains(it) != decision.offloads) {
        let name = &description.application.services[service].name;
        match decision.offloads {
            true => add(format!("+{name}"), before.iter().copied().chain([service]).collect()),
            false => add(format!("-{name}"), before.iter().copied().filter(|it| *it != service).collect()),
        }
    }
    for (name, answer) in &decision.others {
        if let Ok(services) = answer {
            add(name.clone(), services.clone());
        }
    }
    all
}
