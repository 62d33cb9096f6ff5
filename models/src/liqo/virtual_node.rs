//! The node that stands for a provider at its consumer.
//!
//! # Models
//! A virtual node has the label of its kind and a taint that keeps away all pods that do not tolerate it. Its
//! allocatable is what was granted, whatever the provider has left. It is Ready if it has CPU and memory and the tunnel
//! is up; without either resource it is under pressure of all kinds. The tunnel does not matter where nobody checks
//! it or where the peer has no networking; as long as the peer was not observed it counts as having one.
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/virtualKubelet/liqoNodeProvider` (`utils.go`, `recomputeNodeState`,
//! `desiredVirtualNodeMetadata`; `reconciler.go`, `areResourcesReady`).

use crate::kubernetes::scheduler::node::{Effect, Taint};
use crate::kubernetes::scheduler::resources::{Resource, ResourceList};

/// The label of its kind.
pub const TYPE_LABEL: &str = "liqo.io/type";
/// The value of that label.
pub const VIRTUAL_NODE: &str = "virtual-node";
/// The key of its taint.
pub const NOT_ALLOWED: &str = "virtual-node.liqo.io/not-allowed";

/// What a virtual node is told of its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// What was granted; absent: nothing yet.
    pub granted: Option<ResourceList>,
    /// Whether the peer has networking; absent: it was not observed yet.
    pub has_networking: Option<bool>,
    /// Whether the tunnel is up.
    pub is_connected: bool,
    /// Whether the tunnel is checked.
    pub checks_network: bool,
}

/// Conditions of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeConditions {
    /// Pods may run there.
    pub ready: bool,
    /// Memory, disk and process numbers are short.
    pub pressure: bool,
    /// There is no way to it; absent: nobody says.
    pub network_unavailable: Option<bool>,
}

/// Its own taint.
#[must_use]
pub fn taint() -> Taint {
    Taint { key: NOT_ALLOWED.to_owned(), value: "true".to_owned(), effect: Effect::NoExecute }
}

impl Provider {
    /// The conditions of the node.
    #[must_use]
    pub fn conditions(&self) -> NodeConditions {
        let says = self.checks_network && self.has_networking.unwrap_or(true);
        let is_reachable = self.is_connected || !says;
        let has = |resource| self.granted.as_ref().is_some_and(|it| it.amount(resource) > 0);
        let has_resources = has(Resource::CPU) && has(Resource::MEMORY);
        NodeConditions {
            ready: has_resources && is_reachable,
            pressure: !has_resources,
            network_unavailable: says.then_some(!is_reachable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_with_resources_and_a_tunnel_or_none_that_matters() {
        let resources = Some(ResourceList::new(1, 1));
        let of = |granted: Option<ResourceList>, has_networking, is_connected, checks_network| {
            Provider { granted, has_networking, is_connected, checks_network }.conditions()
        };
        assert!(of(resources.clone(), Some(true), true, true).ready);
        assert!(!of(resources.clone(), None, false, true).ready);
        assert!(of(resources.clone(), Some(false), false, true).ready);
        assert!(of(resources, Some(true), false, false).ready);
        let bare = of(Some(ResourceList::new(1, 0)), Some(true), true, true);
        assert_eq!(bare, NodeConditions { ready: false, pressure: true, network_unavailable: Some(false) });
        assert!(of(None, Some(true), true, true).pressure);
    }
}
