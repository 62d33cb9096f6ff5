//! Result files. No wall time, path or host name is in any of them.

pub mod files;
mod over_time;
mod served;
pub mod summary;
pub mod workloads;
