//! A cluster as a logical process: six owners of its state, what can happen inside it and what may reach it.

pub(crate) mod around;
pub mod changed_views;
pub mod control;
pub mod crossing;
mod datagrams;
pub mod event;
mod gateways;
mod handed;
pub mod handle;
pub mod inbound;
pub mod job;
pub mod message;
pub mod network;
pub mod news;
pub mod outbound;
pub mod pods;
mod pooling;
mod sampling;
mod scraping;
pub mod state;
pub mod users;

#[cfg(test)]
mod owner_tests;
