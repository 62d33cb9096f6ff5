//! A cluster as a logical process: its state, what can happen inside it and what may reach it.

pub mod event;
pub mod handle;
pub mod message;
pub mod state;
