//! Istio over several networks: pods of another network are reached through the gateways of theirs. Nothing in `cluster` asks this
//! room yet; vectors run it.

pub mod endpoints;
