//! Most frequently used: the services that are visited most come first and go last.
//!
//! # Source
//! mSvcBench/muPlacer `strategies/MFU.py`.

use super::situation::{Request, Situation, Unanswered, first_largest, first_smallest, services_of};
use crate::offloading::analytic_model::EdgeSet;

pub(super) fn decide(situation: &Situation<'_>, request: Request) -> Result<EdgeSet, Unanswered> {
    let visits = situation.model.visits_in_one_cluster();
    match request {
        // Where all are there already the original takes the gateway for one more, and is done.
        Request::Decrease { .. } if situation.compat && !situation.edge.contains(&false) => {
            Ok(situation.edge.clone())
        }
        Request::Decrease { target, .. } => situation.add_until(target, |edge| {
            let free = (0..edge.len() - 1).filter(|&it| !edge[it] && !situation.locked[it]);
            first_largest(free.map(|it| (it, visits[it]))).map(|(service, _)| vec![service])
        }),
        Request::Increase { target, .. } => {
            let left = situation.remove_while(target, |edge| {
                first_smallest(services_of(edge).map(|it| (it, visits[it]))).map(|(service, _)| service)
            });
            // The original looks for one more to take back, and never ends.
            let hangs = situation.compat && services_of(&left).next().is_none();
            if hangs { Err(Unanswered::NotReachable) } else { Ok(left) }
        }
    }
}
