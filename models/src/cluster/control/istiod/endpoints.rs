//! What kind of push news of endpoints make, by what istiod knows of their services.

use super::state::{Pacing, Service};
use crate::cluster::around::Around;
use crate::cluster::news::{EndpointNews, News};
use crate::ids::{ClusterId, PodId, ServiceId};
use crate::istiod::endpoint_health::Health;
use crate::istiod::endpoints::SiteId;
use crate::istiod::push_kind::{EndpointShards, PushKind, ShardEndpoint};
use crate::world::topology::Topology;
use std::collections::BTreeMap;

type Listed = ShardEndpoint<PodId, (), SiteId>;

impl Pacing {
    /// What news make istiod send, if anything.
    pub(super) fn kind_of(&mut self, at: &mut Around<'_>, news: News, number: u32) -> Option<PushKind> {
        let News::Endpoint { pod, what } = news else { return Some(PushKind::Full) };
        let (cluster, service) = (at.topology.pod_ids.cluster_of(pod), at.topology.front_of(pod));
        self.sidecar_comes_or_goes(at, pod, what, number);
        let service = self.services.entry(service).or_insert_with(|| at_start(at.topology, service));
        let mut list = service.shard(&cluster).to_vec();
        let index = list.iter().position(|it| it.address == pod);
        match (what, index) {
            (EndpointNews::Appears(node), None) => {
                list.push(listed(pod, at.topology.site_of_node(cluster, node)));
            }
            (EndpointNews::Leaves, Some(index)) => drop(list.remove(index)),
            (EndpointNews::Ready | EndpointNews::Appears(_), Some(index)) => {
                list[index].health = Health::Healthy;
            }
            (EndpointNews::Unready, Some(index)) => {
                list[index].health = Health::Unhealthy;
            }
            (EndpointNews::Leaves | EndpointNews::Ready | EndpointNews::Unready, None) => {}
        }
        service.update(cluster, list)
    }
}

/// What istiod knows of a service before the run.
fn at_start(topology: &Topology, service: ServiceId) -> Service {
    let mut lists: BTreeMap<ClusterId, Vec<Listed>> = BTreeMap::new();
    for it in topology.known(service) {
        lists.entry(topology.pod_ids.cluster_of(it.pod)).or_default().push(listed(it.pod, it.site));
    }
    EndpointShards::new(lists)
}

fn listed(pod: PodId, site: SiteId) -> Listed {
    let health = Health::Healthy;
    ShardEndpoint { address: pod, health, send_unhealthy: false, service_account: None, details: site }
}
