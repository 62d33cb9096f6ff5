//! A cluster as a logical process: its state, what can happen inside it and what may reach it.

mod autoscaling;
pub mod changed_views;
mod elastic;
pub mod event;
pub mod handle;
pub mod message;
mod sampling;
mod start_work;
pub mod state;
pub mod workloads;
