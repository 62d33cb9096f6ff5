//! istiod pushes: what the proxies of the cluster know changes.
//!
//! # Source
//! Envoy `cluster_manager_impl.cc` (`drainConnections` of removed hosts).

use super::Outbound;
use crate::cluster::around::Around;
use crate::cluster::news::{EndpointNews, News};

impl Outbound {
    /// The proxies of this cluster take a push over.
    pub(crate) fn take_push(&mut self, at: &Around<'_>, news: News) {
        match news {
            News::Endpoint { pod, what } => {
                self.endpoints.change(at.topology, at.here, pod, what, at.now);
                if what == EndpointNews::Leaves {
                    self.pools.retire(pod);
                }
            }
        }
    }
}
