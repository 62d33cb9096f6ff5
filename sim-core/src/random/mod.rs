//! Addressed random numbers: what a number is for decides its value, not when it is drawn.
mod address;
mod generator;
mod variates;

pub use address::Address;
pub use generator::Draw;
pub use variates::{LogNormal, bernoulli, bits, exponential, normal, uniform, uniform_index};
