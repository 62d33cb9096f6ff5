//! Where a request has been.
//!
//! # Assumptions
//! At most six different clusters are remembered per path. Effect: a return into a seventh is
//! counted as a crossing only.

use crate::ids::ClusterId;

const REMEMBERED: usize = 6;

/// The clusters on the way from the user to a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterPath {
    clusters: [u16; REMEMBERED],
    len: u8,
}

impl ClusterPath {
    /// Whether a cluster is on it.
    #[must_use]
    pub fn contains(&self, cluster: ClusterId) -> bool {
        self.clusters[..usize::from(self.len)].iter().any(|&seen| u32::from(seen) == cluster.0)
    }

    /// The path that goes on to `cluster`.
    #[must_use]
    pub fn then(mut self, cluster: ClusterId) -> Self {
        let place = usize::from(self.len);
        if place < REMEMBERED && !self.contains(cluster) {
            self.clusters[place] = cluster.0 as u16;
            self.len += 1;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_remembers_each_cluster_once() {
        let path = [0, 1, 0, 2].into_iter().fold(ClusterPath::default(), |path, c| path.then(ClusterId(c)));
        assert_eq!(path.len, 3);
        assert!(path.contains(ClusterId(2)) && !path.contains(ClusterId(3)));
    }
}
