//! Envoy's own counters of the clusters that a proxy calls, as each proxy counts them.
//!
//! # Models
//! By upstream cluster, `outbound` to a service or `inbound` to the application beside: requests that were given a
//! connection, connections, statuses of the answers, and what limits, retries and outlier detection came to.
//!
//! # Assumptions
//! Subsets of a service are counted with it.
//!
//! # Source
//! Envoy, configuration/upstream/cluster_manager/cluster_stats.

use crate::telemetry::metrics::Counter;

/// What a proxy counts of an upstream cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnvoyCounts {
    /// `upstream_rq_total`: attempts that were given a connection.
    pub requests: u64,
    /// `upstream_rq_xx`: statuses of answers, by their first digit from 1 on.
    pub classes: [u64; 5],
    /// By [`Counter`].
    pub counters: [u64; Counter::ALL.len()],
}

/// Something that is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happens {
    /// A request is given a connection.
    Request,
    /// An answer of this status comes.
    Answer(u16),
    /// Something that is counted without exporters, too.
    Counted(Counter),
}

impl EnvoyCounts {
    pub(super) fn count(&mut self, what: Happens) {
        match what {
            Happens::Request => self.requests += 1,
            Happens::Answer(status @ 100..=599) => self.classes[usize::from(status / 100) - 1] += 1,
            Happens::Answer(_) => {}
            Happens::Counted(counter) => self.counters[counter as usize] += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_their_class() {
        let mut counts = EnvoyCounts::default();
        for what in [Happens::Request, Happens::Answer(200), Happens::Answer(503), Happens::Answer(0)] {
            counts.count(what);
        }
        counts.count(Happens::Counted(Counter::Retries));
        assert_eq!((counts.requests, counts.classes), (1, [0, 1, 0, 0, 1]));
        assert_eq!(counts.counters.iter().sum::<u64>(), 1);
    }
}
