//! What Liqo's webhook makes of a pod that is created in an offloaded namespace.
//!
//! # Models
//! - Local: nothing.
//! - Remote: the pod tolerates virtual nodes, and must go to one that the cluster selector chooses.
//! - LocalAndRemote: it tolerates them; with a cluster selector it must go to one that this chooses, or to any node of
//!   the consumer's own, which the selector never restricts.
//!
//! Imposed terms multiply with the pod's own required terms. A pod with Liqo's runtime class is left as it is. The
//! webhook acts at creation: another strategy moves no pod that runs.
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/webhooks/pod/mutations.go` (`mutatePod`, `createNodeSelectorFromNamespaceOffloading`,
//! `fillPodWithTheNewNodeSelector`), `pkg/utils/nodeUtils.go` (`MergeNodeSelector`).

use super::namespace_offloading::PodOffloadingStrategy;
use super::virtual_node::{NOT_ALLOWED, TYPE_LABEL, VIRTUAL_NODE};
use crate::kubernetes::scheduler::node::{Effect, Toleration};
use crate::kubernetes::scheduler::node_affinity::{NodeSelector, Operator, Requirement, Term};

/// What the webhook looks at of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffloadedPod {
    /// Taints that it does not mind.
    pub tolerations: Vec<Toleration>,
    /// Its required node affinity; absent: none.
    pub node_selector: Option<NodeSelector>,
    /// Whether it has Liqo's runtime class.
    pub has_liqo_runtime_class: bool,
}

/// The pod as the webhook leaves it.
pub fn mutate(strategy: PodOffloadingStrategy, cluster_selector: &NodeSelector, pod: &mut OffloadedPod) {
    if pod.has_liqo_runtime_class || strategy == PodOffloadingStrategy::Local {
        return;
    }
    pod.tolerations.push(Toleration {
        key: Some(NOT_ALLOWED.to_owned()),
        value: None,
        effect: Some(Effect::NoExecute),
        lasts: None,
    });
    let Some(imposed) = imposed(strategy, cluster_selector) else { return };
    pod.node_selector = Some(match pod.node_selector.take().filter(|own| !own.is_empty()) {
        Some(own) => own.iter().flat_map(|own| imposed.iter().map(|it| together(own, it))).collect(),
        None => imposed,
    });
}

/// The terms that a namespace imposes on its pods.
fn imposed(strategy: PodOffloadingStrategy, cluster_selector: &NodeSelector) -> Option<NodeSelector> {
    let kind = |operator| Requirement {
        key: TYPE_LABEL.to_owned(),
        operator,
        values: vec![VIRTUAL_NODE.to_owned()],
    };
    let mut terms = cluster_selector.clone();
    match strategy {
        PodOffloadingStrategy::Local => return None,
        PodOffloadingStrategy::Remote => {
            if terms.is_empty() {
                terms.push(Term::new());
            }
            terms.iter_mut().for_each(|term| term.push(kind(Operator::In)));
        }
        PodOffloadingStrategy::LocalAndRemote => {
            if terms.is_empty() {
                return None;
            }
            terms.push(vec![kind(Operator::NotIn)]);
        }
    }
    Some(terms)
}

fn together(own: &Term, imposed: &Term) -> Term {
    own.iter().chain(imposed).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::super::namespace_offloading::twins;
    use super::*;
    use crate::kubernetes::scheduler::node_affinity::matches;
    use crate::kubernetes::scheduler::topology_spread::Labels;
    use proptest::prelude::*;

    fn has(key: &str) -> Requirement {
        Requirement { key: key.to_owned(), operator: Operator::Exists, values: Vec::new() }
    }

    #[test]
    fn a_pod_is_left_as_it_is_if_it_is_local_or_has_the_runtime_class() {
        let pod = OffloadedPod { node_selector: Some(vec![vec![has("a")]]), ..OffloadedPod::default() };
        let mut local = pod.clone();
        mutate(PodOffloadingStrategy::Local, &vec![vec![has("b")]], &mut local);
        assert_eq!(local, pod);
        let own = OffloadedPod { has_liqo_runtime_class: true, ..pod };
        let mut left = own.clone();
        mutate(PodOffloadingStrategy::Remote, &vec![vec![has("b")]], &mut left);
        assert_eq!(left, own);
    }

    /// Terms of the labels a to d.
    fn selector() -> impl Strategy<Value = NodeSelector> {
        let requirement = prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(has);
        prop::collection::vec(prop::collection::vec(requirement, 1..3), 0..3)
    }

    proptest! {
        /// The terms say what the strategy says, for every selector, pod and node.
        #[test]
        fn a_pod_may_go_where_its_strategy_lets_it(
            cluster in selector(),
            own in prop::option::of(selector()),
            labels in prop::collection::btree_set(prop::sample::select(vec!["a", "b", "c", "d"]), 0..4),
            is_virtual in any::<bool>(),
        ) {
            let mut labels: Labels = labels.into_iter().map(|it| (it.to_owned(), String::new())).collect();
            if is_virtual {
                labels.insert(TYPE_LABEL.to_owned(), VIRTUAL_NODE.to_owned());
            }
            let own = own.filter(|own| !own.is_empty());
            let holds = |selector: &NodeSelector| matches(selector, &labels) == Ok(true);
            let wanted = own.as_ref().is_none_or(holds);
            let chosen = cluster.is_empty() || holds(&cluster);
            let has_twin = !twins(&cluster, &[&labels]).0.is_empty();
            for (strategy, permitted) in [
                (PodOffloadingStrategy::Local, true),
                (PodOffloadingStrategy::Remote, is_virtual && chosen),
                (PodOffloadingStrategy::LocalAndRemote, chosen || !is_virtual),
            ] {
                let mut pod = OffloadedPod { node_selector: own.clone(), ..OffloadedPod::default() };
                mutate(strategy, &cluster, &mut pod);
                prop_assert_eq!(pod.node_selector.as_ref().is_none_or(holds), wanted && permitted);
                prop_assert_eq!(pod.tolerations.len(), usize::from(strategy != PodOffloadingStrategy::Local));
                // No pod comes to a cluster that has no twin of its namespace.
                let is_tolerated = !is_virtual || !pod.tolerations.is_empty();
                prop_assert!(!is_virtual || !is_tolerated || !permitted || has_twin);
            }
        }
    }
}
