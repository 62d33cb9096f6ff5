//! Scenarios of meshsim: files in, experiments, result files out. Knows nothing of arguments or
//! terminals.

pub mod analysis;
pub mod calibrate;
pub mod document;
pub mod expanded;
pub mod experiment;
pub mod import;
pub mod library;
mod merge;
pub mod problem;
pub mod resolve;
pub mod results;
pub mod scenario;
pub mod schema;
mod templates;
pub mod traces;
pub mod validate;
pub mod warnings;
