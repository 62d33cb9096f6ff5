//! The same services at the edge, whatever is asked.

use super::situation::Situation;
use crate::offloading::analytic_model::EdgeSet;

pub(super) fn decide(situation: &Situation<'_>, services: &[usize]) -> EdgeSet {
    let mut edge = situation.model.void_edge();
    services.iter().for_each(|&service| edge[service] = true);
    edge
}
