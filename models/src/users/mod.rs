//! Who sends requests, when, from where, and over which access link.

pub mod arrivals;
pub mod mobility;
pub mod open_request;
pub mod population;
pub mod requests;
pub mod retries;
pub mod session;
pub mod stream;
