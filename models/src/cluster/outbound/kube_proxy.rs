//! A Service's cluster IP without a mesh.
//!
//! # Models
//! kube-proxy rewrites the first packet of a connection to an endpoint drawn at random, all
//! endpoints of all clusters alike, however far away; the choice lasts as long as the connection.
//! Only the client's keep-alive decides how often it is made.
//!
//! # Assumptions
//! A Service's `trafficDistribution` is not followed, as before Kubernetes 1.30; `check` says so.
//!
//! # Source
//! Kubernetes, `pkg/proxy/iptables/proxier.go` (`statistic --mode random`).

use meshsim_core::random::{Draw, uniform_index};

/// Which of so many endpoints a new connection goes to; none if there is none.
#[must_use]
pub(super) fn pick(endpoints: usize, draw: &mut Draw) -> Option<usize> {
    (endpoints > 0).then(|| uniform_index(draw, endpoints))
}
