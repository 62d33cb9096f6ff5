//! What the proxies of a cluster see of a service: its endpoints, the nearest ones first.
//!
//! # Models
//! One view per (cluster, service), shared by all proxies of the cluster. With locality failover
//! it holds the endpoints of the best priority level; without, all endpoints of all clusters.
//!
//! # Assumptions
//! All endpoints are healthy (pods are fixed and nothing ejects), so the best level that has
//! endpoints takes all the load and the others are not stored.

use super::locality_priority::{Locality, locality_priority};
use crate::ids::{ClusterId, PodId};

/// The endpoints that a cluster's proxies choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointView {
    /// In the order of the clusters, then of the pods.
    pub pods: Vec<PodId>,
}

impl EndpointView {
    /// The view of a proxy at `proxy`, over all endpoints of a service (`(pod, cluster)`).
    #[must_use]
    pub fn new(
        proxy: &Locality,
        endpoints: &[(PodId, ClusterId)],
        locality_of: impl Fn(ClusterId) -> Locality,
        failover: bool,
    ) -> Self {
        let priority = |cluster| locality_priority(proxy, &locality_of(cluster));
        let best = endpoints.iter().map(|&(_, cluster)| priority(cluster)).min();
        let seen = |cluster| !failover || Some(priority(cluster)) == best;
        let pods = endpoints.iter().filter(|(_, cluster)| seen(*cluster)).map(|&(pod, _)| pod);
        Self { pods: pods.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_cluster_comes_first_and_others_only_if_it_has_none() {
        let zones = ["cloud", "edge1"].map(|zone| Locality { zone: zone.into(), ..Locality::default() });
        let view = |endpoints: &[(u32, u32)], failover| {
            let endpoints: Vec<_> = endpoints.iter().map(|&(p, c)| (PodId(p), ClusterId(c))).collect();
            EndpointView::new(&zones[1], &endpoints, |c| zones[c.0 as usize].clone(), failover).pods
        };
        assert_eq!(view(&[(0, 0), (1, 0), (2, 1)], true), [PodId(2)]);
        assert_eq!(view(&[(0, 0), (1, 0)], true), [PodId(0), PodId(1)]);
        assert_eq!(view(&[(0, 0), (1, 0), (2, 1)], false).len(), 3);
    }
}
