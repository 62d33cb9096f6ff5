//! From what was measured to what a strategy is asked, and what it believes of its answer.
//!
//! # Models
//! The original multiplies the round trip twice, sends the price of memory for that of the network, and never tells its
//! cost model at what the autoscalers aim; without `compat` each is what it says.
//!
//! # Source
//! mSvcBench/muPlacer `GMA.py` (`Offloading`, `Unoffloading`), `GMAConnector.py`.

use super::analytic_model::{AnalyticModel, EdgeSet, Usage};
use super::controller::Action;
use super::policy::Policy;
use super::policy::sbmp::Sbmp;
use super::policy::sbmp::candidates::{Candidates, sample_traces};
use super::policy::situation::{Request, Situation, Unanswered};
use super::queries::Measured;
use super::settings::{COMPAT_CPU_TARGET, ManagedDeployment, ManagedService, PlacerSettings, PolicySettings};

use serde::{Deserialize, Serialize};

/// What an edge is believed to take and to cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Believed {
    /// The mean delay of the network (ms).
    pub delay_ms: f64,
    /// Cost of an hour.
    pub cost: f64,
}

/// What a strategy answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The services that the edge is to have, with the gateway.
    pub edge: Result<EdgeSet, Unanswered>,
    /// What is believed of the edge as it was, and as it is to be.
    pub believed: [Option<Believed>; 2],
}

/// Asks the strategy of a controller, with the services that are at the edge now.
#[must_use]
pub fn ask(
    settings: &PlacerSettings,
    measured: &Measured,
    at_edge: &[bool],
    action: Action,
    draw: &mut impl FnMut() -> f64,
) -> Answer {
    let (model, usage) = (model(settings, measured), usage(settings, measured));
    let mut edge = model.void_edge();
    edge[..at_edge.len()].copy_from_slice(at_edge);
    let compat = settings.compat();
    let mut locked = vec![false; model.indices()];
    settings.locked.iter().filter_map(|it| settings.number_of(*it)).for_each(|number| locked[number] = true);
    let situation = Situation { model: &model, edge: edge.clone(), usage: &usage, locked, compat };
    // The avoidance of overshooting is SBMP's.
    let share = match settings.policy {
        PolicySettings::Sbmp { .. } => settings.overshooting_avoidance,
        _ => 1.0,
    };
    let request = |target: f64| match action.offloads {
        true => Request::Decrease { target, stop: share * target },
        false => Request::Increase { target, stop: share * target },
    };
    let wanted =
        if action.offloads { action.measured - action.target } else { action.target - action.measured };
    let policy = policy(settings, &model, action.offloads, draw);
    let answer = policy.decide(&situation, request(wanted / 1e3));
    let before = model.delay(&edge);
    let believed = |set: &[bool]| {
        let delay = model.delay(set);
        let cost = model.cost(&model.shift(&usage, &before.visits, &delay.visits), &delay).total();
        Believed { delay_ms: 1e3 * delay.total, cost }
    };
    let believed = [Some(believed(&edge)), answer.as_ref().ok().map(|set| believed(set))];
    Answer { edge: answer, believed }
}

/// What is believed of an edge.
fn model(settings: &PlacerSettings, measured: &Measured) -> AnalyticModel {
    let compat = settings.compat();
    let count = settings.services.len() + 1;
    let or_zero = |of: &[f64]| if of.len() == count { of.to_vec() } else { vec![0.0; count] };
    let calls =
        if measured.calls.len() == count { measured.calls.clone() } else { vec![vec![0.0; count]; count] };
    let services = &settings.services;
    let [network, of_strategy] = settings.round_trip_multipliers;
    let target = |it: &ManagedDeployment| if compat { COMPAT_CPU_TARGET } else { it.cpu_target };
    AnalyticModel {
        calls,
        response_bytes: or_zero(&measured.response_bytes),
        internal_delay: vec![0.0; 2 * count],
        round_trip: settings.round_trip * network * if compat { of_strategy } else { 1.0 },
        bandwidth: settings.bandwidth,
        rate: measured.rate,
        cpu_request: by_set(services, |it| [it.cpu_request; 2], 0.0),
        memory_request: by_set(services, |it| [it.memory_request; 2], 0.0),
        cpu_target: by_set(services, |it| [target(&it.sides[0]), target(&it.sides[1])], COMPAT_CPU_TARGET),
        cloud_prices: settings.cloud_prices,
        edge_prices: settings.edge_prices,
        network_price: if compat { settings.cloud_prices.memory } else { settings.network_price },
        floors_pods: !compat,
    }
}

/// By instance set, the cloud's first, of each service and of the gateway.
fn by_set(
    services: &[ManagedService],
    of: impl Fn(&ManagedService) -> [f64; 2],
    of_gateway: f64,
) -> Vec<f64> {
    let side = |side: usize| services.iter().map(&of).map(move |it| it[side]).chain([of_gateway]);
    side(0).chain(side(1)).collect()
}

/// What is in use for the users of this edge.
fn usage(settings: &PlacerSettings, measured: &Measured) -> Usage {
    let services = settings.services.len();
    let of = |side: usize, scaling: f64| {
        let cpu = &measured.cpu[side];
        (0..services).map(move |it| cpu.get(it).copied().unwrap_or(0.0) * scaling).chain([0.0])
    };
    let cpu: Vec<f64> = of(0, measured.scaling).chain(of(1, 1.0)).collect();
    Usage { memory: vec![0.0; cpu.len()], cpu }
}

fn policy(
    settings: &PlacerSettings,
    model: &AnalyticModel,
    offloads: bool,
    draw: &mut impl FnMut() -> f64,
) -> Policy {
    match &settings.policy {
        &PolicySettings::Sbmp { paths, expanding_depth, max_sets, max_traces } => {
            // The original takes back by sampled requests, whatever is configured.
            let takes_paths = paths && (offloads || !settings.compat());
            // Where calls go in circles no request is sampled: the answer is that.
            let candidates = match takes_paths || model.is_cyclic() {
                true => Candidates::Paths,
                false => Candidates::Traces(sample_traces(model, max_traces, draw)),
            };
            Policy::Sbmp(Sbmp { candidates, expanding_depth, max_sets })
        }
        PolicySettings::Mfu => Policy::Mfu,
        PolicySettings::Ia => Policy::Ia,
        PolicySettings::Kahn => Policy::Kahn,
        PolicySettings::Ta => Policy::Ta,
        PolicySettings::Fixed(services) => {
            Policy::Fixed(services.iter().filter_map(|it| settings.number_of(*it)).collect())
        }
    }
}
