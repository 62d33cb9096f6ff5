//! Istio over several networks: pods of another network are reached through the gateways of theirs. How endpoints are
//! replaced is in `endpoints`, what a gateway does in `gateway`.

pub mod endpoints;
pub mod gateway;
