//! istiod pushes: what the proxies of the cluster know changes.
//!
//! # Assumptions
//! Connections to an endpoint that leaves are closed when the first proxy of the cluster may learn of it: a proxy that
//! is pushed to later and sends something there until then makes a new one.
//!
//! # Source
//! Envoy `cluster_manager_impl.cc` (`drainConnections` of removed hosts).

use super::Outbound;
use crate::cluster::around::Around;
use crate::cluster::news::{EndpointNews, News, Push};
use crate::ids::ConfigurationId;
use crate::kubernetes::pod::PodStage;

impl Outbound {
    /// The proxies of this cluster take a push over. Tells whether any may have another configuration now.
    pub(crate) fn take_push(&mut self, at: &mut Around<'_>, push: Push) -> bool {
        match push {
            Push::Content { number, news: News::Endpoint { pod, what } } => {
                at.proxies.comes(number, None);
                let configuration = at.proxies.configuration();
                let is_there = |pod| {
                    let life = &at.pods[at.pods.slot_of(pod)];
                    life.stage != PodStage::Absent && !life.offloaded && at.topology.has_sidecar(pod)
                };
                let numbers = (number, at.proxies.least_pushed(is_there));
                self.endpoints.change(at.topology, at.here, (pod, what), configuration, numbers, at.now);
                // Whoever is in another network knows the gateway alone.
                if what == EndpointNews::Leaves && !at.topology.is_behind_gateway(at.here, pod) {
                    self.pools.retire(pod);
                }
                false
            }
            Push::Content { number, news: News::Configuration(configuration) } => {
                self.configurations.push((number, configuration));
                at.proxies.comes(number, Some(configuration))
            }
            Push::To { proxy, up_to } => {
                let has = |&&(number, _): &&(u32, ConfigurationId)| number <= up_to;
                let configuration =
                    self.configurations.iter().rfind(has).map_or(ConfigurationId(0), |it| it.1);
                at.proxies.is_pushed_to(at.proxy_of(proxy), up_to, configuration);
                true
            }
        }
    }
}
