//! What is known of a request wherever it is.

pub mod answer;
pub mod cluster_path;
