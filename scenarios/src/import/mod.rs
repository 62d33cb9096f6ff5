//! Readers of other people's formats.

pub mod mubench;
