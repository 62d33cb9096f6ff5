//! CPU: processor sharing inside a container, under its limit, on a host that others use too.
//!
//! # Models
//! A job runs in a thread of a worker process. The threads of a worker share at most one core
//! (one interpreter lock), the workers of a container share its CFS quota, and the containers of a
//! host share its cores. [`Compute`] keeps all three levels and tells when the next job is done; it
//! schedules nothing itself.

mod cfs_quota;
mod container;
mod due;
mod max_min_share;
mod moments;
mod processor_sharing;

pub use cfs_quota::{CfsQuota, PERIOD as CFS_PERIOD};
pub use container::{Compute, ComputeEvent, ContainerSpec, NextEvent};
pub use max_min_share::max_min_share;
pub use processor_sharing::ProcessorSharing;
