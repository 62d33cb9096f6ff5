//! What goes wrong, and when.

pub mod link;
pub mod outage;
pub mod pod;
pub mod repeated;
pub mod spans;
