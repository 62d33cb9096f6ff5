//! What a run reports.

pub mod call_counters;
pub mod central;
pub mod control_log;
pub mod decision;
pub mod exporters;
pub mod istio_buckets;
pub mod link_traffic;
pub mod metrics;
pub mod pod_cpu;
pub mod promql;
pub mod quarters;
pub mod recorder;
pub mod request_log;
pub mod scrapes;
pub mod slices;
pub mod time_series;
pub mod trace;
pub mod traffic_matrix;
pub mod work;
