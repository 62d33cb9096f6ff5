//! Result files. No wall time, path or host name is in any of them.

pub mod break_even;
pub(crate) mod csv;
mod draws;
pub mod drill;
pub mod files;
pub mod folder;
pub mod json;
pub mod offloading;
mod over_time;
pub mod request_log;
pub mod single_file;
pub mod sweep;
pub mod timeline;
mod traffic;
