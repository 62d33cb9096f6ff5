//! A world: a description made to run, and what it reports.

mod build;
pub mod description;
mod invariants;
pub mod topology;

pub use build::{Record, World, slice_of};
