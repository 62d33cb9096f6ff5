//! istiod pushes: what the proxies of the cluster know changes.
//!
//! # Source
//! Envoy `cluster_manager_impl.cc` (`drainConnections` of removed hosts).

use super::Outbound;
use crate::cluster::around::Around;
use crate::cluster::news::{EndpointNews, News};

impl Outbound {
    /// The proxies of this cluster take a push over.
    pub(crate) fn take_push(&mut self, at: &mut Around<'_>, news: News) {
        match news {
            News::Endpoint { pod, what } => {
                let configuration = at.proxies.configuration();
                self.endpoints.change(at.topology, at.here, (pod, what), configuration, at.now);
                if what == EndpointNews::Leaves {
                    self.pools.retire(pod);
                }
            }
            News::Configuration(configuration) => at.proxies.configure(configuration),
        }
    }
}
