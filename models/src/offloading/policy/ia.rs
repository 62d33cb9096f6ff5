//! Interaction-aware: the two that call each other most come together, near the edge or not.
//!
//! # Source
//! mSvcBench/muPlacer `strategies/IA.py`.

use super::situation::{Request, Situation, Unanswered, first_largest};
use crate::offloading::analytic_model::EdgeSet;

pub(super) fn decide(situation: &Situation<'_>, request: Request) -> Result<EdgeSet, Unanswered> {
    let Request::Decrease { target, .. } = request else { return Err(Unanswered::TakesNothingBack) };
    let model = situation.model;
    let visits = model.visits_in_one_cluster();
    let indices = model.indices();
    let found = situation.add_until(target, |edge| {
        let pairs = (0..indices * indices).map(|number| (number / indices, number % indices));
        let open = pairs.filter(|&(a, b)| a != b && !(edge[a] && edge[b]));
        let calls = |(a, b): (usize, usize)| visits[a] * model.calls[a][b] + visits[b] * model.calls[b][a];
        let best = first_largest(open.map(|pair| (pair.0 * indices + pair.1, calls(pair))));
        best.map(|(number, _)| vec![number / indices, number % indices])
    })?;
    // The original means to warn, and crashes.
    let gained = situation.now().total - model.delay(&found).total;
    if gained < target { Err(Unanswered::NotReachable) } else { Ok(found) }
}
