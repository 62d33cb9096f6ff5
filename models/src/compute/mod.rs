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
mod processor_sharing;

pub use cfs_quota::{CfsQuota, PERIOD as CFS_PERIOD};
pub use container::{Compute, ComputeEvent, ContainerSpec, NextEvent};
pub use max_min_share::max_min_share;
pub use processor_sharing::ProcessorSharing;

use meshsim_core::SimTime;

/// Time from one moment to another (ns).
fn nanos(from: SimTime, to: SimTime) -> f64 {
    (to - from).as_nanos_f64()
}

/// The first whole nanosecond at which so much time has passed (ns).
fn after(now: SimTime, span: f64) -> SimTime {
    // Signed, because that takes fewer instructions there and back.
    let whole = span as i64;
    if whole == i64::MAX {
        return SimTime::MAX;
    }
    let up = whole as u64 + u64::from((whole as f64) < span);
    SimTime::from_nanos(now.as_nanos().saturating_add(up))
}
