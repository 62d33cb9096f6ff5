//! What istiod decides: what proxies are told of endpoints, policies and routes, by release.

pub mod cluster_policy;
pub mod distribute;
pub mod endpoints;
pub mod failover_priority;
pub mod istio_version;
pub mod locality_priority;
pub mod locality_setting;
pub mod retry_policy;
pub mod upstreams;
