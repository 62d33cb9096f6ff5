//! What a run reports.

pub mod istio_buckets;
pub mod metrics;
pub mod request_log;
