#![allow(clippy::unwrap_used)] // A test may panic.

mod laws;
mod parameters;
mod searches;
mod spans;
mod texts;
