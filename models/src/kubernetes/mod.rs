//! Kubernetes: how many pods there are, where they stand, when they serve. Rooms decide;
//! `cluster/elastic` and `cluster/autoscaling` act on what they say.

pub mod deployment;
pub mod hpa;
pub mod metrics_server;
pub mod pod;
pub mod scheduler;
pub mod settings;
pub mod version;
