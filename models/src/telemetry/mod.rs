//! What a run reports.

pub mod control_log;
pub mod istio_buckets;
pub mod metrics;
pub mod quarters;
pub mod recorder;
pub mod request_log;
pub mod slices;
pub mod time_series;
pub mod work;
