//! What the proxies of a cluster count of their calls, as a scraper finds it.
//!
//! # Models
//! The counters of Istio's telemetry at the client's side (`reporter="source"`): requests by success, the sum of their
//! durations and the bytes of their bodies, by calling service, called service and the cluster of the pod that was chosen
//! last. They only ever grow; who scrapes them takes differences. They are kept where somebody scrapes; otherwise each
//! costs a branch.
//!
//! # Assumptions
//! - A duration runs from the choice of the last attempt's endpoint on, where Istio's begins with the request: retries
//!   and their back-off are left out, as in all samples.
//! - A request for which no endpoint was ever chosen is not counted here.
//!
//! # Source
//! Istio, standard metrics: `istio_requests_total`, `istio_request_duration_milliseconds`, `istio_response_bytes`.

use crate::ids::{ClusterId, FlowId};
use crate::sparse_table::SparseTable;
use meshsim_core::{Id, SimDuration};
use serde::{Deserialize, Serialize};
use std::ops::Sub;

/// Of one calling service, one called service and one cluster of the latter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCounts {
    /// Requests that were answered well.
    pub ok: u64,
    /// Requests that were not, or that the caller gave up.
    pub failed: u64,
    /// Sum of the durations of the good ones (ns).
    pub nanos: u64,
    /// Sum of their bodies (bytes).
    pub body: u64,
}

impl Sub for CallCounts {
    type Output = Self;

    /// What came after an earlier scrape.
    fn sub(self, earlier: Self) -> Self {
        Self {
            ok: self.ok - earlier.ok,
            failed: self.failed - earlier.failed,
            nanos: self.nanos - earlier.nanos,
            body: self.body - earlier.body,
        }
    }
}

/// The counters of a cluster's proxies.
#[derive(Clone, Debug, Default)]
pub struct CallCounters {
    /// None if nobody scrapes.
    flows: usize,
    /// By the cluster of the server, and flow.
    rows: SparseTable<ClusterId, Vec<CallCounts>>,
}

impl CallCounters {
    /// Counters of so many flows, which somebody scrapes.
    #[must_use]
    pub fn scraped(flows: usize) -> Self {
        Self { flows, rows: SparseTable::new() }
    }

    /// Whether anybody scrapes them.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.flows > 0
    }

    /// A call is over for its client: its body if it was answered well.
    pub(super) fn count(&mut self, server: ClusterId, flow: FlowId, body: Option<u32>, took: SimDuration) {
        let rows = self.rows.or_default(server);
        if rows.is_empty() {
            rows.resize(self.flows, CallCounts::default());
        }
        let counters = &mut rows[flow.index()];
        match body {
            Some(body) => {
                counters.ok += 1;
                counters.nanos += took.as_nanos();
                counters.body += u64::from(body);
            }
            None => counters.failed += 1,
        }
    }

    /// A scrape: all counters that are not zero, by the cluster of the server and the flow.
    pub fn scrape(&self) -> impl Iterator<Item = ((ClusterId, FlowId), CallCounts)> {
        let all = self.rows.iter().flat_map(|(server, rows)| {
            rows.iter().enumerate().map(move |(flow, &counts)| ((server, FlowId::from_index(flow)), counts))
        });
        all.filter(|(_, counts)| *counts != CallCounts::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_has_what_was_counted_so_far() {
        let mut counters = CallCounters::scraped(3);
        let ms = SimDuration::from_millis;
        counters.count(ClusterId(7), FlowId(2), Some(100), ms(3));
        let first: Vec<_> = counters.scrape().collect();
        counters.count(ClusterId(7), FlowId(2), Some(200), ms(5));
        counters.count(ClusterId(7), FlowId(2), None, ms(9));
        counters.count(ClusterId(1), FlowId(0), Some(1), ms(1));
        let second: Vec<_> = counters.scrape().collect();
        let counts = |ok, failed, ms: u64, body| CallCounts { ok, failed, nanos: ms * 1_000_000, body };
        assert_eq!(first, [((ClusterId(7), FlowId(2)), counts(1, 0, 3, 100))]);
        let of_7 = counts(2, 1, 8, 300);
        assert_eq!(
            second,
            [((ClusterId(1), FlowId(0)), counts(1, 0, 1, 1)), ((ClusterId(7), FlowId(2)), of_7)]
        );
        assert_eq!(second[1].1 - first[0].1, counts(1, 1, 5, 200));
        assert!(counters.is_on() && !CallCounters::default().is_on());
    }
}
