//! A node as the scheduler sees it, and which pods may go there whatever it has left.
//!
//! # Models
//! A pod goes only to a node whose labels match its required node affinity, and that has no taint
//! which the pod does not tolerate.
//!
//! # Assumptions
//! Only the effects `NoSchedule` and `NoExecute` at scheduling, and only the operator `In` of node
//! affinity. Effect: none for pods that use nothing else.
//!
//! # Source
//! kubernetes/kubernetes `pkg/scheduler/framework/plugins/nodeaffinity`, `tainttoleration`;
//! `staging/src/k8s.io/api/core/v1/toleration.go`, `ToleratesTaint`.

use super::resources::NodeResources;
use super::topology_spread::Labels;
use std::collections::BTreeMap;

/// Labels that a node must have, with the values that will do (`In`).
pub type NodeSelector = BTreeMap<String, Vec<String>>;

/// Keeps pods away that do not tolerate it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, which may be empty.
    pub value: String,
    /// What it does.
    pub effect: Effect,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// None is scheduled there.
    NoSchedule,
    /// None may be there.
    NoExecute,
}

/// A taint that a pod does not mind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toleration {
    /// Of this key; absent: of any.
    pub key: Option<String>,
    /// Of this value; absent: of any (`Exists`).
    pub value: Option<String>,
    /// With this effect; absent: with any.
    pub effect: Option<Effect>,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its labels.
    pub labels: Labels,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// What it has and what its pods request.
    pub resources: NodeResources,
}

impl Toleration {
    fn tolerates(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect)
            && self.key.as_ref().is_none_or(|key| *key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
    }
}

impl Node {
    /// Whether its labels are as a pod wants them.
    #[must_use]
    pub fn matches(&self, selector: &NodeSelector) -> bool {
        let has = |(key, values): (&String, &Vec<String>)| {
            self.labels.get(key).is_some_and(|value| values.contains(value))
        };
        selector.iter().all(has)
    }

    /// Whether a pod tolerates all its taints.
    #[must_use]
    pub fn is_tolerated(&self, tolerations: &[Toleration]) -> bool {
        self.taints.iter().all(|taint| tolerations.iter().any(|it| it.tolerates(taint)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(labels: &[(&str, &str)], taints: Vec<Taint>) -> Node {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Node { labels, taints, resources: NodeResources::default() }
    }

    #[test]
    fn every_label_that_is_wanted_must_have_one_of_the_values() {
        let selector = NodeSelector::from([("zone".to_owned(), vec!["a".to_owned(), "b".to_owned()])]);
        assert!(node(&[("zone", "b")], Vec::new()).matches(&selector));
        assert!(!node(&[("zone", "c")], Vec::new()).matches(&selector));
        assert!(!node(&[], Vec::new()).matches(&selector));
        assert!(node(&[], Vec::new()).matches(&NodeSelector::new()));
    }

    #[test]
    fn every_taint_must_be_tolerated() {
        let taint = |effect| Taint { key: "edge".into(), value: "yes".into(), effect };
        let tolerates = |key: Option<&str>, value: Option<&str>, effect| Toleration {
            key: key.map(str::to_owned),
            value: value.map(str::to_owned),
            effect,
        };
        let tainted = node(&[], vec![taint(Effect::NoSchedule), taint(Effect::NoExecute)]);
        assert!(node(&[], Vec::new()).is_tolerated(&[]));
        assert!(!tainted.is_tolerated(&[]));
        assert!(tainted.is_tolerated(&[tolerates(None, None, None)]));
        assert!(tainted.is_tolerated(&[tolerates(Some("edge"), Some("yes"), None)]));
        assert!(!tainted.is_tolerated(&[tolerates(Some("edge"), Some("no"), None)]));
        assert!(!tainted.is_tolerated(&[tolerates(Some("edge"), None, Some(Effect::NoSchedule))]));
    }
}
