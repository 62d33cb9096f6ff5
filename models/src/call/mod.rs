//! A call on its way: out through the client's proxy, into the server's, through the cell and its
//! further calls, and back.

mod ambient;
mod at_server;
mod blackhole;
mod choice;
mod connection;
mod fan_out;
mod give_up;
mod hop;
mod pod_death;
mod pooling;
pub mod position;
pub mod record;
mod serve;
mod user;

pub use fan_out::MAX_SAMPLED;
