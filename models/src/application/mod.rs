//! What the application is and what it does: services, their call graph, and the cell that runs
//! them.

pub mod call_graph;
pub mod cell;
pub mod client_pool;
pub mod internal_service;
pub mod service_time;
