//! What goes wrong, and when.

pub mod link;
pub mod pod;
pub mod repeated;
