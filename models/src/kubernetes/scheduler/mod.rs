//! The scheduler: which node a pod goes to.
//!
//! # Models
//! What a pod requests and a node has left (`resources`), the filters by labels (`node_affinity`), by taints (`node`)
//! and by requests (`fit`), the choice (`choice`), and the score plugins that spread pods: `least_allocated`,
//! `balanced_allocation`, `topology_spread`. Every plugin gives 0 to 100; the node with the largest weighted sum is taken.
//!
//! # Source
//! kubernetes/kubernetes `pkg/scheduler/framework/plugins/`; default weights in
//! `pkg/scheduler/apis/config/v1/default_plugins.go`.

pub mod balanced_allocation;
pub mod choice;
pub mod fit;
pub mod least_allocated;
pub mod node;
pub mod node_affinity;
pub mod resources;
pub mod topology_spread;

/// The best score of a plugin.
pub const MAX_NODE_SCORE: u64 = 100;
/// Default weight of `NodeResourcesFit`, whose default strategy is `LeastAllocated`.
pub const FIT_WEIGHT: u64 = 1;
/// Default weight of `NodeResourcesBalancedAllocation`.
pub const BALANCED_ALLOCATION_WEIGHT: u64 = 1;
/// Default weight of `PodTopologySpread`.
pub const TOPOLOGY_SPREAD_WEIGHT: u64 = 2;
