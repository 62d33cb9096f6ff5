//! Who sends requests, when, and over which access link.

pub mod arrivals;
pub mod population;
pub mod session;
