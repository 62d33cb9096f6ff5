//! A node as the scheduler sees it, and which pods may go there whatever it has left.
//!
//! # Models
//! A pod goes only to a node whose labels match its required node affinity, and that has no taint
//! which the pod does not tolerate. `PreferNoSchedule` keeps nobody away.
//!
//! # Assumptions
//! Nodes with fewer taints `PreferNoSchedule` are not preferred. Effect: none for nodes without such taints.
//!
//! # Source
//! kubernetes/kubernetes `pkg/scheduler/framework/plugins/nodeaffinity`, `tainttoleration`;
//! `staging/src/k8s.io/api/core/v1/toleration.go`, `ToleratesTaint`.

use super::node_affinity::{NodeSelector, matches};
use super::resources::NodeResources;
use super::topology_spread::Labels;
use meshsim_core::SimDuration;

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
    /// None is scheduled there if there is another node.
    PreferNoSchedule,
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
    /// How long it may be there once a taint `NoExecute` is set (`tolerationSeconds`); absent: for ever.
    pub lasts: Option<SimDuration>,
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
    /// Whether it is of this taint.
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect)
            && self.key.as_ref().is_none_or(|key| *key == taint.key)
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
    }
}

impl Node {
    /// Whether its labels are as a pod wants them; absent: it does not mind.
    #[must_use]
    pub fn matches(&self, selector: Option<&NodeSelector>) -> bool {
        selector.is_none_or(|selector| matches(selector, &self.labels) == Ok(true))
    }

    /// Whether a pod tolerates all its taints that keep it away.
    #[must_use]
    pub fn is_tolerated(&self, tolerations: &[Toleration]) -> bool {
        let mut keep_away = self.taints.iter().filter(|taint| taint.effect != Effect::PreferNoSchedule);
        keep_away.all(|taint| tolerations.iter().any(|it| it.tolerates(taint)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::scheduler::node_affinity::labels_in;
    use std::collections::BTreeMap;

    fn node(labels: &[(&str, &str)], taints: Vec<Taint>) -> Node {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Node { labels, taints, resources: NodeResources::default() }
    }

    #[test]
    fn every_label_that_is_wanted_must_have_one_of_the_values() {
        let selector =
            vec![labels_in(&BTreeMap::from([("zone".to_owned(), vec!["a".to_owned(), "b".to_owned()])]))];
        let matches = |labels: &[(&str, &str)]| node(labels, Vec::new()).matches(Some(&selector));
        assert_eq!(
            [("zone", "b"), ("zone", "c"), ("node", "b")].map(|it| matches(&[it])),
            [true, false, false]
        );
        assert!(!matches(&[]));
        assert!(node(&[], Vec::new()).matches(None));
    }

    #[test]
    fn every_taint_must_be_tolerated() {
        let taint = |effect| Taint { key: "edge".into(), value: "yes".into(), effect };
        let tolerates = |key: Option<&str>, value: Option<&str>, effect| Toleration {
            key: key.map(str::to_owned),
            value: value.map(str::to_owned),
            effect,
            lasts: None,
        };
        let tainted = node(&[], vec![taint(Effect::NoSchedule), taint(Effect::NoExecute)]);
        assert!(node(&[], Vec::new()).is_tolerated(&[]));
        assert!(!tainted.is_tolerated(&[]));
        assert!(node(&[], vec![taint(Effect::PreferNoSchedule)]).is_tolerated(&[]));
        assert!(tainted.is_tolerated(&[tolerates(None, None, None)]));
        assert!(tainted.is_tolerated(&[tolerates(Some("edge"), Some("yes"), None)]));
        assert!(!tainted.is_tolerated(&[tolerates(Some("edge"), Some("no"), None)]));
        assert!(!tainted.is_tolerated(&[tolerates(Some("edge"), None, Some(Effect::NoSchedule))]));
    }
}
