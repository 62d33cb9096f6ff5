//! In the order of Kahn's sort: callers come before those that they call, and go after them.
//!
//! # Source
//! mSvcBench/muPlacer `strategies/Kahn.py`; A. B. Kahn, Topological sorting of large networks, Communications of the ACM 5
//! (1962).

use super::situation::{Request, Situation, Unanswered, first_largest, first_smallest, services_of};
use crate::offloading::analytic_model::{AnalyticModel, EdgeSet};

pub(super) fn decide(situation: &Situation<'_>, request: Request) -> Result<EdgeSet, Unanswered> {
    let ranks = ranks(situation.model);
    let back = |target| {
        if services_of(&situation.edge).next().is_none() {
            return Err(Unanswered::NotReachable);
        }
        Ok(situation.remove_while(target, |edge| {
            first_largest(services_of(edge).map(|it| (it, ranks[it]))).map(|(service, _)| service)
        }))
    };
    match request {
        Request::Decrease { target, .. } if target > 0.0 => situation.add_until(target, |edge| {
            let free = (0..edge.len()).filter(|&it| !edge[it]);
            first_smallest(free.map(|it| (it, ranks[it]))).map(|(service, _)| vec![service])
        }),
        // It tells the direction by the sign, and is then allowed nothing.
        Request::Decrease { .. } => back(0.0),
        Request::Increase { target, .. } => back(target),
    }
}

/// By service and gateway: when Kahn's sort takes it; 0 for what is on a circle or behind one.
fn ranks(model: &AnalyticModel) -> Vec<f64> {
    let indices = model.indices();
    let calls = |from: usize, to: usize| model.calls[from][to] != 0.0;
    let mut callers: Vec<usize> =
        (0..indices).map(|to| (0..indices).filter(|&from| calls(from, to)).count()).collect();
    let mut order: Vec<usize> = (0..indices).filter(|&it| callers[it] == 0).collect();
    let mut ranks = vec![0.0; indices];
    let mut next = 0;
    while let Some(&from) = order.get(next) {
        ranks[from] = next as f64;
        next += 1;
        for to in (0..indices).filter(|&to| model.is_called(from, to)) {
            callers[to] -= 1;
            if callers[to] == 0 {
                order.push(to);
            }
        }
    }
    ranks
}
