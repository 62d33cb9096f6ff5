//! What an Envoy decides by itself. Rooms decide; `cluster` acts on what they say.

pub mod circuit_breaker;
pub mod connection_pool;
pub mod endpoint_list;
pub mod endpoint_view;
pub mod fault_injection;
pub mod first_connection;
pub mod host_selection;
pub mod idle_timeout;
pub mod load_balancer;
pub mod locality_weights;
pub mod mtls;
pub mod outlier_detection;
pub mod per_try_timeout;
pub mod previous_hosts;
pub mod priority_load;
pub mod proxies;
pub mod proxy_cost;
pub mod retry;
pub mod retry_budget;
pub mod route;
pub mod session_affinity;
pub mod timeout;
pub mod upstream;
