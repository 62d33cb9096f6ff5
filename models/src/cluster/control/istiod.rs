//! The istiod of a cluster: what it learns of the API servers that it watches, and what it sends to the proxies.
//!
//! # Models
//! Every cluster has one. What changes in a cluster is known to its API server, which tells those who watch it: the
//! istiod there, and those of the other clusters, over the links. An istiod pushes what it has learned to the proxies
//! of its own cluster (an EDS push, where it is endpoints). This is the only way for faults, autoscalers and changes.
//!
//! The configuration of a multi-primary mesh is written to every cluster.
//!
//! # Assumptions
//! - What an istiod needs between a change and its push is part of the delay after which the API server tells
//!   (`pods.endpoint_delay`, or `seen_after` of a fault), the same in every cluster: the push itself takes no time.
//! - A cluster to which there is no way learns nothing.
//!
//! # Source
//! Istio `pilot/pkg/xds/discovery.go` (`ConfigUpdate`, `Push`), `pilot/pkg/serviceregistry/kube/controller`; a
//! multi-primary mesh, in which each istiod reads the API servers of all clusters by remote secrets.

use super::state::Control;
use crate::cluster::around::Around;
use crate::cluster::handed::Handed;
use crate::cluster::news::{EndpointNews, News};

impl Control {
    /// The API server of this cluster tells those who watch it of a change here.
    pub(in crate::cluster) fn api_server_tells(&mut self, at: &mut Around<'_>, news: News) {
        self.istiod_learns(at, news);
        // The others have it from their own API servers.
        let News::Endpoint { pod, what } = news else { return };
        at.hand(Handed::News(news));
        if matches!(what, EndpointNews::Ready | EndpointNews::Unready) {
            self.controller_sees_fault(at, pod);
        }
    }

    /// The istiod of this cluster learns what an API server tells.
    pub(in crate::cluster) fn istiod_learns(&mut self, at: &mut Around<'_>, news: News) {
        at.hand(Handed::Push(news));
    }
}
