//! What holds in every world, whatever happens in it.

use crate::cluster::handle::Shard;
use crate::cluster::state::Cluster;

impl Shard {
    /// Checks the state of every cluster at the end of a run.
    ///
    /// # Panics
    /// If something is counted that does not exist, or exists and is not counted.
    pub fn check_invariants(&self) {
        for cluster in self.clusters() {
            check_active_requests(cluster);
            check_requests(cluster);
        }
    }
}

/// Active requests, summed over all proxies, are at most the hops that live.
fn check_active_requests(cluster: &Cluster) {
    let active: u32 = cluster
        .proxies
        .iter()
        .flat_map(|proxy| proxy.upstreams.iter().flatten())
        .map(|upstream| upstream.total_active())
        .sum();
    assert!(
        active as usize <= cluster.hops.len(),
        "cluster {}: {active} requests are active, but only {} exist",
        cluster.id.0,
        cluster.hops.len()
    );
}

/// Offered = completed + failed + in flight: a request that has not ended has a hop.
fn check_requests(cluster: &Cluster) {
    let open = cluster.log.rows().iter().filter(|row| row.end.is_none()).count();
    assert_eq!(
        open as u64, cluster.open_requests,
        "cluster {}: requests without an end and requests in flight differ",
        cluster.id.0
    );
}
