//! Istio over several networks: pods of another network are reached through the gateways of theirs.

pub mod endpoints;
