//! The service mesh: Envoy as Istio configures it. Rooms decide; `call` acts on what they say.

pub mod connection_pool;
pub mod endpoint_view;
pub mod istio_version;
pub mod load_balancer;
pub mod locality_priority;
pub mod proxy;
pub mod proxy_cost;
pub mod retry;
