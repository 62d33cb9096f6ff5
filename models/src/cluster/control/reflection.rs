//! The endpoints of other clusters as the API server of this one has them under Liqo, where peers are watched.
//!
//! # Models
//! An endpoint elsewhere is ready here if it is there, and if nothing that this cluster has noticed of its peers says
//! otherwise: the node that stands for its provider is not ready, or the consumer that reflects it is not there
//! (`peer_checks`). What its own cluster says meanwhile is kept, and counts again afterwards. A consumer passes on what it has
//! noticed of a provider to its other providers, which reach that one through it (`api_server`).
//!
//! # Assumptions
//! - An istiod in another cluster than this one, and the kube-proxies that have the same view as the proxies which it serves,
//!   hear nothing of what this cluster notices of a consumer: as sidecars fed by the consumer's istiod do not.
//!
//! # Source
//! `liqo/endpoint_reflection`.

use crate::cluster::news::EndpointNews;
use crate::ids::{ClusterId, PodId};
use crate::world::topology::Topology;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of endpoints elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Reflection {
    /// Those of which there was news: whether their own clusters say that they are ready; absent: they are gone.
    changed: BTreeMap<PodId, Option<bool>>,
    /// The clusters whose endpoints do not count.
    discounted: BTreeSet<ClusterId>,
}

impl Reflection {
    /// News of an endpoint of a cluster: what is to be passed on.
    pub(super) fn learns(
        &mut self,
        cluster: ClusterId,
        pod: PodId,
        what: EndpointNews,
    ) -> impl Iterator<Item = EndpointNews> + use<> {
        self.changed.insert(
            pod,
            match what {
                EndpointNews::Leaves => None,
                EndpointNews::Appears(_) | EndpointNews::Ready => Some(true),
                EndpointNews::Unready => Some(false),
            },
        );
        let counts = self.counts(cluster);
        let passed = match what {
            EndpointNews::Ready | EndpointNews::Unready => counts.then_some(what),
            EndpointNews::Appears(_) | EndpointNews::Leaves => Some(what),
        };
        let comes = matches!(what, EndpointNews::Appears(_));
        passed.into_iter().chain((comes && !counts).then_some(EndpointNews::Unready))
    }

    /// Whether the endpoints of a cluster count.
    pub(super) fn counts(&self, cluster: ClusterId) -> bool {
        !self.discounted.contains(&cluster)
    }

    /// The endpoints of a cluster count from now on, or no longer: tells whether that is news.
    pub(super) fn count(&mut self, cluster: ClusterId, counts: bool) -> bool {
        if counts { self.discounted.remove(&cluster) } else { self.discounted.insert(cluster) }
    }

    /// The endpoints of a cluster that it says are ready.
    pub(super) fn ready_in(&self, topology: &Topology, cluster: ClusterId) -> Vec<PodId> {
        let unchanged = |pod: &PodId| !self.changed.contains_key(pod) && !topology.is_outside(*pod);
        let at_start = topology.pods_at_start(cluster).iter().map(|it| it.pod).filter(unchanged);
        let ready = |(&pod, &state): (&PodId, &Option<bool>)| {
            (state == Some(true) && topology.pod_ids.cluster_of(pod) == cluster).then_some(pod)
        };
        at_start.chain(self.changed.iter().filter_map(ready)).collect()
    }
}
