//! A suite: many measured configurations, held against their scenarios in one run.

mod paths;
pub mod ranking;
pub mod read;
pub mod run;
pub mod schema;

#[cfg(test)]
mod tests;
