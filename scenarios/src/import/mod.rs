//! Readers of other people's formats.

pub(crate) mod arrival_times;
pub mod manifests;
pub mod measured;
pub mod mubench;
