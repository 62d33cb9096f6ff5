//! Result files. No wall time, path or host name is in any of them.

mod draws;
pub mod files;
mod over_time;
mod served;
pub mod single_file;
pub mod summary;
pub mod workloads;
