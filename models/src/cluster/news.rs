//! What the API server of a cluster tells those who watch it, and what an istiod makes of it for proxies.
//!
//! # Models
//! One kind of news for whatever changes: it is told, sent to other clusters and pushed to proxies as it is
//! (`control/istiod`).

use crate::ids::{ConfigurationId, PodId};
use crate::istiod::endpoints::SiteId;

/// Something that an API server tells, and that an istiod pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// An endpoint of an EndpointSlice.
    Endpoint {
        /// The endpoint.
        pod: PodId,
        /// What is new of it.
        what: EndpointNews,
    },
    /// Routes or policies: the mesh has this configuration.
    Configuration(ConfigurationId),
}

/// What is new of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointNews {
    /// There is a new one, on this site.
    Appears(SiteId),
    /// It is gone.
    Leaves,
    /// It is ready again.
    Ready,
    /// It is no longer ready.
    Unready,
}
