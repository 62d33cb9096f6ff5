//! Traffic-aware: the service with most traffic to what is at the edge comes first, that with least goes first.
//!
//! # Source
//! mSvcBench/muPlacer `strategies/TA.py`.

use super::situation::{Request, Situation, Unanswered, first_largest, first_smallest, services_of};
use crate::offloading::analytic_model::EdgeSet;

pub(super) fn decide(situation: &Situation<'_>, request: Request) -> Result<EdgeSet, Unanswered> {
    let model = situation.model;
    let visits = model.visits_in_one_cluster();
    let traffic = |edge: &EdgeSet, service: usize| -> f64 {
        let others = || (0..model.indices()).filter(|&it| edge[it]);
        let received: f64 =
            others().map(|it| visits[service] * model.calls[service][it] * model.response_bytes[it]).sum();
        let sent: f64 =
            others().map(|it| visits[it] * model.calls[it][service] * model.response_bytes[service]).sum();
        received + sent
    };
    match request {
        Request::Decrease { target, .. } if target > 0.0 => situation.add_until(target, |edge| {
            let free = (0..edge.len()).filter(|&it| !edge[it]);
            let best = first_largest(free.map(|it| (it, traffic(edge, it))));
            best.filter(|(_, traffic)| *traffic > 0.0).map(|(service, _)| vec![service])
        }),
        // It tells the direction by the sign, and is then allowed nothing.
        Request::Decrease { .. } => take_back(situation, 0.0, traffic),
        Request::Increase { target, .. } => take_back(situation, target, traffic),
    }
}

fn take_back(
    situation: &Situation<'_>,
    target: f64,
    traffic: impl Fn(&EdgeSet, usize) -> f64,
) -> Result<EdgeSet, Unanswered> {
    if services_of(&situation.edge).next().is_none() {
        return Err(Unanswered::NotReachable);
    }
    Ok(situation.remove_while(target, |edge| {
        first_smallest(services_of(edge).map(|it| (it, traffic(edge, it)))).map(|(service, _)| service)
    }))
}
