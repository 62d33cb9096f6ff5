//! Moments and the time between them, as CPU time is counted: in nanoseconds and parts of them.

use meshsim_core::SimTime;

/// Time from one moment to another (ns).
pub(super) fn nanos(from: SimTime, to: SimTime) -> f64 {
    (to - from).as_nanos_f64()
}

/// The first whole nanosecond at which so much time has passed (ns).
pub(super) fn after(now: SimTime, span: f64) -> SimTime {
    // Signed, because that takes fewer instructions there and back.
    let whole = span as i64;
    if whole == i64::MAX {
        return SimTime::MAX;
    }
    let up = whole as u64 + u64::from((whole as f64) < span);
    SimTime::from_nanos(now.as_nanos().saturating_add(up))
}
