//! Kubernetes: its controllers. Rooms decide; who asks them acts on what they say.

pub mod hpa;
pub mod scheduler;
