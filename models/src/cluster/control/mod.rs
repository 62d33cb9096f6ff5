//! What controls a cluster: its Deployments, nodes and autoscalers, and what was done about them.

mod api_server;
mod autoscaling;
mod central;
mod istiod;
mod liqo;
mod nodes;
mod nodes_watch;
mod offloading;
mod offloading_desk;
mod offloading_scrapes;
mod peer_checks;
mod peers;
mod pods_come_and_go;
mod reflection;
mod shadow_pods;
mod shadows;
mod start_work;
mod state;
mod steered_pods;

pub(super) use autoscaling::counters_of;
pub use state::Control;
