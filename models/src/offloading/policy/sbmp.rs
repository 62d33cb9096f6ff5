//! SBMP: sets of services that requests visit together, by what they cost per millisecond gained; then those that are
//! not needed go again.
//!
//! # Models
//! Round by round the candidates (`candidates`) are weighed, and the cheapest comes to the edge, until the delay is
//! shorter by what may stop the search or there is no candidate left. Then leaves of the edge go, the dearest per
//! millisecond first, as long as the target holds without them.
//!
//! Taking back is the same search from an empty edge among the services that it has, to a delay that is longer by what
//! is allowed.
//!
//! Without `compat` ([`Situation::compat`]) a candidate that saves money and time is preferred by the money, the search
//! back has the configured depth, and what was found becomes cheaper, service by service, as long as the delay allows.
//!
//! # Source
//! mSvcBench/muPlacer `strategies/SBMP_offload.py` and `SBMP_unoffload.py`.

pub mod candidates;

use super::situation::{Request, Situation, Unanswered};
use crate::offloading::analytic_model::{AnalyticModel, EdgeSet, Usage};
use candidates::{Builder, Candidates};

/// Less is counted as so much: ms gained, and s lost without a leaf.
const LEAST_GAIN: f64 = 1e-3;
/// The weight of what gains nothing.
const NO_GAIN: f64 = 1e6;

/// How the search goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Sbmp {
    /// Which sets are candidates.
    pub candidates: Candidates,
    /// How many calls from the edge a candidate may reach.
    pub expanding_depth: usize,
    /// Candidates of a round, at most.
    pub max_sets: usize,
}

impl Sbmp {
    pub(super) fn decide(&self, situation: &Situation<'_>, request: Request) -> Result<EdgeSet, Unanswered> {
        match request {
            Request::Decrease { target, stop } => {
                let found = self.offload(situation, target, stop)?;
                let may_come = situation.locked.iter().map(|locked| !locked).collect();
                Ok(if situation.compat { found } else { cheapest(situation, -target, &may_come, &found) })
            }
            Request::Increase { target, stop } => {
                let found = self.take_back(situation, target, stop)?;
                let may_come = situation.edge.clone();
                Ok(if situation.compat { found } else { cheapest(situation, target, &may_come, &found) })
            }
        }
    }

    fn offload(&self, situation: &Situation<'_>, target: f64, stop: f64) -> Result<EdgeSet, Unanswered> {
        if situation.model.is_cyclic() {
            return Err(Unanswered::Cyclic);
        }
        let mut edge = situation.edge.clone();
        self.add(situation, stop, &mut edge);
        prune(situation, target, &mut edge);
        Ok(edge)
    }

    /// The original ignores the configured depth here, and which candidates are configured.
    fn take_back(&self, situation: &Situation<'_>, target: f64, stop: f64) -> Result<EdgeSet, Unanswered> {
        let model = situation.model;
        let indices = model.indices();
        let (now, void) = (situation.now().total, model.delay(&model.void_edge()).total);
        let decrease = |increase: f64| (void - (now + increase)).max(0.0);
        let in_cloud = |used: &[f64]| -> Vec<f64> {
            let both = (0..indices).map(|index| used[index] + used[indices + index]);
            both.chain(std::iter::repeat_n(0.0, indices)).collect()
        };
        let usage = Usage { cpu: in_cloud(&situation.usage.cpu), memory: in_cloud(&situation.usage.memory) };
        let locked = situation.edge.iter().map(|there| !there).collect();
        let compat = situation.compat;
        let from_void = Situation { model, edge: model.void_edge(), usage: &usage, locked, compat };
        let expanding_depth = if compat { indices } else { self.expanding_depth };
        let sbmp = Self { expanding_depth, ..self.clone() };
        sbmp.offload(&from_void, decrease(target), decrease(stop))
    }

    /// The cheapest candidate comes, round by round.
    fn add(&self, situation: &Situation<'_>, stop: f64, edge: &mut EdgeSet) {
        let model = situation.model;
        let before = situation.now();
        let (mut delay, mut usage) = (before.clone(), situation.usage.clone());
        let mut builder = Builder::new(&self.candidates, [self.expanding_depth, self.max_sets], situation);
        while before.total - delay.total < stop {
            let cost = model.cost(&usage, &delay).total();
            let mut best = None;
            let (mut least, mut gains) = ((true, f64::INFINITY, 0.0), false);
            for candidate in builder.of(edge) {
                let with: EdgeSet = edge.iter().zip(&candidate).map(|(a, b)| *a || *b).collect();
                let new_delay = model.delay(&with);
                let gained = delay.total - new_delay.total;
                gains |= gained > 0.0;
                if gains && gained < 0.0 {
                    continue;
                }
                let new_usage = model.shift(&usage, &delay.visits, &new_delay.visits);
                let dearer = model.cost(&new_usage, &new_delay).total() - cost;
                let weight = weight(gained, dearer, situation.compat);
                if weight < least {
                    least = weight;
                    best = Some((with, new_delay, new_usage));
                }
            }
            let Some(best) = best else { break };
            (*edge, delay, usage) = best;
        }
    }
}

/// What decides among candidates, the least first: the cost of a millisecond. Of what saves money too the original so
/// prefers what saves least time; else it is the money that decides.
fn weight(gained: f64, dearer: f64, compat: bool) -> (bool, f64, f64) {
    if gained <= 0.0 {
        (true, NO_GAIN + 1000.0 * dearer * gained.abs(), 0.0)
    } else if dearer < 0.0 && !compat {
        (false, dearer, -gained)
    } else {
        (true, dearer / (1000.0 * gained).clamp(LEAST_GAIN, 1e9), 0.0)
    }
}

/// What a set of services at the edge takes (s) and costs, from the state of a situation.
fn delay_and_cost<'a>(situation: &'a Situation<'_>) -> impl Fn(&EdgeSet) -> (f64, f64) + 'a {
    let model: &AnalyticModel = situation.model;
    let before = situation.now();
    move |edge| {
        let delay = model.delay(edge);
        let usage = model.shift(situation.usage, &before.visits, &delay.visits);
        (delay.total, model.cost(&usage, &delay).total())
    }
}

/// From what was found, or from the edge as it is if that is cheaper and fast enough, to what no single service makes
/// cheaper within the same bound: the delay may change by `allowed` (s).
fn cheapest(situation: &Situation<'_>, allowed: f64, may_come: &EdgeSet, found: &EdgeSet) -> EdgeSet {
    let of = delay_and_cost(situation);
    let now = of(&situation.edge);
    let bound = now.0 + allowed;
    let (mut best, mut cost) = (found.clone(), of(found));
    if cost.0 > bound {
        return best;
    }
    if now.0 <= bound && now.1 <= cost.1 {
        (best, cost) = (situation.edge.clone(), now);
    }
    loop {
        let other = |service: usize| {
            let mut edge = best.clone();
            edge[service] = !edge[service];
            let allowed = best[service] || may_come[service];
            allowed.then(|| (of(&edge), edge)).filter(|(it, _)| it.0 <= bound && it.1 < cost.1)
        };
        let others = (0..best.len() - 1).filter_map(other);
        let Some(better) = others.reduce(|a, b| if b.0.1 < a.0.1 { b } else { a }) else { return best };
        (cost, best) = better;
    }
}

/// Leaves of the edge go as long as the target holds without them.
fn prune(situation: &Situation<'_>, target: f64, edge: &mut EdgeSet) {
    let model = situation.model;
    let before = situation.now();
    let cost_of = delay_and_cost(situation);
    loop {
        let (delay, cost) = cost_of(edge);
        let mut dearest = -1.0;
        let mut goes = None;
        let calls_none =
            |service: usize| (0..edge.len()).all(|to| !(edge[to] && model.is_called(service, to)));
        for leaf in super::situation::services_of(edge).filter(|&service| calls_none(service)) {
            let mut without = edge.clone();
            without[leaf] = false;
            let (delay_without, cost_without) = cost_of(&without);
            let weight = (cost - cost_without) / (delay_without - delay).max(LEAST_GAIN);
            if before.total - delay_without > target && weight > dearest {
                dearest = weight;
                goes = Some(leaf);
            }
        }
        let Some(leaf) = goes else { return };
        edge[leaf] = false;
    }
}
