//! µBench's own metrics, as each cell counts them.
//!
//! # Models
//! A cell observes how long its internal service took, how long its external services took, the whole request, and the size
//! of its body. A request whose external services failed is counted for the internal service alone; one that failed by
//! itself is not counted.
//!
//! # Assumptions
//! All is observed when the cell answers, where µBench's observes the internal service before it calls others. Effect: the
//! counters lag by the requests under way.
//!
//! # Source
//! mSvcBench/muBench, `ServiceCell/CellController-mp.py` (`start_worker`).

use super::observed::Observed;
use meshsim_core::SimTime;

/// Bounds of the buckets of µBench's histograms (ms); one without a bound follows.
pub const BOUNDS_MS: [f64; 6] = [0.5, 1.0, 10.0, 100.0, 1_000.0, 10_000.0];

/// How far a call is in its cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// When a thread took it.
    pub started: SimTime,
    /// When its internal service was done; absent: not yet, or it has failed by itself.
    pub worked: Option<SimTime>,
    /// When its external services were done; absent: it has none.
    pub called: Option<SimTime>,
    /// Whether it fails by itself.
    pub fails: bool,
}

/// Observations of one kind.
pub type Latencies = Observed<{ BOUNDS_MS.len() + 1 }>;

/// What a cell has counted of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellCounts {
    /// Internal services.
    pub internal: Latencies,
    /// External services.
    pub external: Latencies,
    /// Whole requests.
    pub request: Latencies,
    /// Sum of the bodies (bytes), of as many as there were internal services.
    pub body: u64,
}

impl CellCounts {
    /// A call is answered, with such a body if all went well.
    pub(super) fn count(&mut self, moments: &Moments, now: SimTime, body: Option<u32>) {
        if moments.fails {
            return;
        }
        let worked = moments.worked.unwrap_or(now);
        self.internal.observe(worked - moments.started, &BOUNDS_MS);
        if let Some(body) = body {
            self.external.observe(moments.called.unwrap_or(worked) - worked, &BOUNDS_MS);
            self.request.observe(now - moments.started, &BOUNDS_MS);
            self.body += u64::from(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::SimDuration;

    #[test]
    fn a_failed_call_is_an_internal_service_and_no_more() {
        let at = |ms| SimTime::ZERO + SimDuration::from_millis(ms);
        let mut counts = CellCounts::default();
        let moments = Moments { started: at(1), worked: Some(at(5)), called: Some(at(25)), fails: false };
        counts.count(&moments, at(26), Some(100));
        counts.count(&moments, at(26), None);
        counts.count(&Moments { fails: true, ..moments }, at(26), None);
        let ms = |it: Latencies| (it.count, it.nanos / 1_000_000);
        assert_eq!([counts.internal, counts.external, counts.request].map(ms), [(2, 8), (1, 20), (1, 25)]);
        assert_eq!((counts.body, counts.external.buckets), (100, [0, 0, 0, 1, 0, 0, 0]));
    }
}
