//! The service mesh: Envoy as Istio configures it. Rooms decide; `call` acts on what they say.

pub mod circuit_breaker;
pub mod cluster_policy;
pub mod connection_pool;
pub mod distribute;
pub mod endpoint_view;
pub mod failover_priority;
pub mod fault_injection;
pub mod first_connection;
pub mod host_selection;
pub mod istio_version;
pub mod load_balancer;
pub mod locality_priority;
pub mod locality_setting;
pub mod locality_weights;
pub mod outlier_detection;
pub mod previous_hosts;
pub mod priority_load;
pub mod proxy;
pub mod proxy_cost;
pub mod retry;
pub mod retry_budget;
pub mod retry_policy;
pub mod route;
pub mod session_affinity;
pub mod timeout;
pub mod upstream;
