//! Liqo: pods of a consumer that run on providers. Rooms decide; none of them schedules anything.
//!
//! # Models
//! What a provider grants (`resource_slice`) and lets in (`quota`); the node that stands for it at the consumer
//! (`virtual_node`); which pods may go there (`namespace_offloading`, `pod_mutation`); which endpoints a provider
//! sees of the consumer (`endpoint_reflection`); and how a peer's failure is noticed: by the tunnel
//! (`connection_check`), by its API server (`api_server_check`), by the node that no longer answers
//! (`virtual_kubelet`, and then `kubernetes/node_lifecycle`). How packets get from one cluster to another is in `settings`
//! and `gateway`; how long it takes when a gateway has died in `gateway_replicas`.
//!
//! # Assumptions
//! In runs nobody asks who decides about a slice (`resource_slice::decide`: all are granted), which clusters get a namespace's twin and
//! how it is called (`namespace_offloading`: all, by one name, as Istio needs), nor for addresses (`endpoint_reflection`: networks
//! do not overlap). Vectors run these.

pub mod api_server_check;
pub mod connection_check;
pub mod endpoint_reflection;
pub mod gateway;
pub mod gateway_replicas;
pub mod namespace_offloading;
pub mod pod_mutation;
pub mod quota;
pub mod resource_slice;
pub mod settings;
pub mod virtual_kubelet;
pub mod virtual_node;
