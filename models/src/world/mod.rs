//! A world: a description made to run, and what it reports.

pub mod access;
mod build;
mod builder;
pub mod certificates;
pub mod containers;
mod decisions;
pub mod description;
pub mod federation;
pub mod flows;
pub mod foreseen;
mod invariants;
pub mod placement;
pub mod timeline;
pub mod topology;

pub use build::{Record, World};
