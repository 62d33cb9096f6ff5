//! Kubernetes: how many pods there are, where they stand, when they serve. Rooms decide;
//! `cluster/control/{pods_come_and_go, autoscaling, nodes}` act on what they say.

pub mod backoff;
pub mod crash_loop;
pub mod deployment;
pub mod endpoint_slice;
pub mod hpa;
pub mod metrics_server;
pub mod node_lifecycle;
pub mod pod;
pub mod scheduler;
pub mod settings;
pub mod taint_eviction;
pub mod version;
pub mod zone_state;
