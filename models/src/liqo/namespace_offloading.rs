//! A namespace that is offloaded: where its pods may run, and which clusters get its twin.
//!
//! # Models
//! The cluster selector chooses the clusters that get a namespace for the pods, Services and EndpointSlices of this one,
//! for every strategy, by the labels of their virtual nodes; an empty one chooses all. At the first node for which the
//! selector is not valid (`kubernetes/scheduler/node_affinity`) Liqo stops: none after it is chosen.
//!
//! # Assumptions
//! A cluster has one virtual node. Where it has more, the last one that Liqo looks at decides, by chance.
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/liqo-controller-manager/offloading/namespaceoffloading-controller`
//! (`clusterselector.go`, `enforceClusterSelector`; `status.go`, `remoteNamespaceName`).

use crate::kubernetes::scheduler::node_affinity::{Invalid, NodeSelector, matches};
use crate::kubernetes::scheduler::topology_spread::Labels;
use std::str::FromStr;

/// Where pods may run (`podOffloadingStrategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodOffloadingStrategy {
    /// On the consumer's own nodes.
    Local,
    /// On virtual nodes.
    Remote,
    /// On both.
    #[default]
    LocalAndRemote,
}

/// How the twin is called (`namespaceMappingStrategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamespaceMapping<'a> {
    /// Like the namespace, and the consumer's cluster behind it.
    #[default]
    DefaultName,
    /// Like the namespace; Istio needs this.
    EnforceSameName,
    /// Like this.
    SelectedName(&'a str),
}

impl FromStr for PodOffloadingStrategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "Local" => Ok(Self::Local),
            "Remote" => Ok(Self::Remote),
            "LocalAndRemote" => Ok(Self::LocalAndRemote),
            _ => Err(format!("`{text}` is no strategy: it is Local, Remote or LocalAndRemote")),
        }
    }
}

impl NamespaceMapping<'_> {
    /// The name of the twin.
    #[must_use]
    pub fn remote_name(self, namespace: &str, consumer: &str) -> String {
        match self {
            Self::DefaultName => format!("{namespace}-{consumer}"),
            Self::EnforceSameName => namespace.to_owned(),
            Self::SelectedName(name) => name.to_owned(),
        }
    }
}

/// Which clusters get the twin: indices among `virtual_nodes`, of which each has the labels of its cluster, and whether
/// the selector is valid.
pub fn twins(selector: &NodeSelector, virtual_nodes: &[&Labels]) -> (Vec<usize>, Result<(), Invalid>) {
    let mut chosen = Vec::new();
    for (index, labels) in virtual_nodes.iter().enumerate() {
        match matches(selector, labels) {
            _ if selector.is_empty() => chosen.push(index),
            Ok(true) => chosen.push(index),
            Ok(false) => {}
            Err(invalid) => return (chosen, Err(invalid)),
        }
    }
    (chosen, Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::scheduler::node_affinity::{Operator, Requirement};

    #[test]
    fn a_twin_is_called_as_the_mapping_says() {
        let name = |mapping: NamespaceMapping<'_>| mapping.remote_name("shop", "cloud");
        assert_eq!(name(NamespaceMapping::default()), "shop-cloud");
        assert_eq!(name(NamespaceMapping::EnforceSameName), "shop");
        assert_eq!(name(NamespaceMapping::SelectedName("other")), "other");
    }

    #[test]
    fn the_selector_chooses_and_an_empty_one_chooses_all() {
        let [a, b] = ["A", "B"].map(|region| Labels::from([("region".to_owned(), region.to_owned())]));
        let only = |operator, values: &[&str]| {
            let values = values.iter().map(|&it| it.to_owned()).collect();
            vec![vec![Requirement { key: "region".to_owned(), operator, values }]]
        };
        assert_eq!(twins(&Vec::new(), &[&a, &b]), (vec![0, 1], Ok(())));
        assert_eq!(twins(&only(Operator::In, &["B"]), &[&a, &b]), (vec![1], Ok(())));
        assert_eq!(twins(&only(Operator::Exists, &["B"]), &[&a, &b]), (vec![], Err(Invalid)));
        // A term that is not valid is not looked at where another one holds.
        let mut mixed = only(Operator::In, &["A"]);
        mixed.extend(only(Operator::Exists, &["B"]));
        assert_eq!(twins(&mixed, &[&a, &b]), (vec![0], Err(Invalid)));
    }
}
