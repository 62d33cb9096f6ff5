//! Where a request has been.
//!
//! # Assumptions
//! At most six different clusters are remembered per path. Effect: a return into a seventh is
//! counted as a crossing only.

use crate::ids::ClusterId;

const REMEMBERED: usize = 6;

/// The clusters on the way from the user to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterPath {
    /// Ends before the first entry that holds no cluster.
    clusters: [u16; REMEMBERED],
}

/// No cluster.
const NOWHERE: u16 = u16::MAX;

impl ClusterPath {
    /// Whether a cluster is on it.
    #[must_use]
    #[inline]
    pub fn contains(&self, cluster: ClusterId) -> bool {
        self.clusters.iter().any(|&seen| u32::from(seen) == cluster.0)
    }

    /// The path that goes on to `cluster`.
    ///
    /// # Panics
    /// If the cluster's number does not fit into 16 bits.
    #[must_use]
    #[inline]
    pub fn then(self, cluster: ClusterId) -> Self {
        assert!(cluster.0 < u32::from(NOWHERE), "a path tells at most 65535 clusters apart");
        // Most calls go to where the path began, or on within the cluster that it reached then.
        if u32::from(self.clusters[0]) == cluster.0 || u32::from(self.clusters[1]) == cluster.0 {
            return self;
        }
        self.reaches(cluster)
    }

    #[inline(never)]
    fn reaches(mut self, cluster: ClusterId) -> Self {
        if !self.contains(cluster)
            && let Some(entry) = self.clusters.iter_mut().find(|entry| **entry == NOWHERE)
        {
            *entry = cluster.0 as u16;
        }
        self
    }
}

impl Default for ClusterPath {
    fn default() -> Self {
        Self { clusters: [NOWHERE; REMEMBERED] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_remembers_each_cluster_once() {
        let path = [0, 1, 0, 2].into_iter().fold(ClusterPath::default(), |path, c| path.then(ClusterId(c)));
        assert_eq!(path.clusters, [0, 1, 2, NOWHERE, NOWHERE, NOWHERE]);
        assert!(path.contains(ClusterId(2)) && !path.contains(ClusterId(3)));
    }
}
