//! What istiod decides: what proxies are told of endpoints, policies and routes, by release.

pub mod authorization_policy;
pub mod cluster_policy;
pub mod debounce;
pub mod distribute;
pub mod endpoint_health;
pub mod endpoints;
pub mod failover_priority;
pub mod istio_version;
pub mod locality_priority;
pub mod locality_setting;
pub mod peer_authentication;
pub mod push_kind;
pub mod push_queue;
pub mod retry_policy;
pub mod selector;
pub mod settings;
pub mod subset;
pub mod upstreams;
