//! Parts of the infrastructure that fail for a while: clusters, nodes, gateways, control planes.
//!
//! # Models
//! - *Cluster, lost*: all its machines are off. Its pods die and are back, empty, at the end; nothing comes over its
//!   links, its gateway takes no packet, its API server and its istiod do not answer.
//! - *Cluster, isolated*: nothing comes over its links. It goes on by itself, and so do the others: both sides are
//!   simulated.
//! - *Node, lost*: its network is gone, so what is sent to its pods and by them is swallowed, and its kubelet is
//!   silent. When the node lifecycle controller has not heard of it for the grace period it marks the pods not ready,
//!   and they are evicted in the end (`cluster/control/nodes`). The gateway of a cluster stands on its first node and
//!   is lost with it.
//! - *Node, drained*: somebody drains it, and takes pods there again at the end.
//! - *Gateway, down*: it has died, and who connects is refused.
//! - *Gateway of tunnels, down* (Liqo): the pod that carries the tunnels of a cluster has died: nothing comes over them until it is
//!   back, or another one takes over (`liqo/gateway_replicas`). The same happens with the first node.
//! - *istiod, down*, or one of its replicas: proxies keep what they have and learn nothing new. A pod whose sidecar has had no configuration
//!   yet is not ready before it has. When istiod is back, proxies connect one after the other and get all there is.
//! - *API server, down*: nobody is told of anything that changes in its cluster; controllers and the scheduler do
//!   nothing. Pods go on.
//!
//! # Assumptions
//! - The whole time line is known from the start of a run.
//! - The pods of a node that is lost go on, unheard: as if its network had failed. Effect: when it is back they
//!   answer what they were asked before, where those of a machine that was off know of nothing.
//! - The gateway is where its node is: it is not made anew on another one, as its Deployment would after 345 s and
//!   more. A node that is drained takes its gateway nowhere either.
//! - How long a component takes to start is part of the time for which it fails.
//!
//! # Source
//! kubernetes.io, "Nodes", "Taints and Tolerations", "Safely Drain a Node"; Istio, "Deployment models", "Control plane
//! failure".

use super::link::{LinkFault, LinkFaultKind};
use super::pod::{FaultKind, PodFault};
use super::spans::Spans;
use crate::ids::{ClusterId, ServiceId};
use crate::istiod::settings::ISTIOD_REPLICAS_MAX;
use meshsim_core::{Id, SimTime, Table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A component that fails, in plain values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Which, and how.
    pub of: Component,
    /// When it begins, from the start of the run, warm-up included.
    pub begins: SimTime,
    /// When it ends; absent: never.
    pub ends: Option<SimTime>,
}

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Component {
    /// A cluster is lost.
    Cluster(ClusterId),
    /// A cluster is cut off from all others.
    Isolation(ClusterId),
    /// A node is lost.
    Node {
        /// Of this cluster.
        cluster: ClusterId,
        /// Counted from 0.
        node: u32,
    },
    /// A node is drained.
    Drain {
        /// Of this cluster.
        cluster: ClusterId,
        /// Counted from 0.
        node: u32,
    },
    /// The ingress gateway of a cluster is down.
    Gateway(ClusterId),
    /// The gateway of a cluster's tunnels is down.
    TunnelGateway(ClusterId),
    /// The istiod of a cluster is down.
    Istiod(ClusterId),
    /// One of the replicas of the istiod of a cluster is down.
    IstiodReplica {
        /// Of this cluster.
        cluster: ClusterId,
        /// Counted from 0.
        replica: u32,
    },
    /// The API server of a cluster is down.
    ApiServer(ClusterId),
}

/// How the ingress gateway of a cluster meets those who come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// It takes them in.
    Up,
    /// They are refused.
    Refuses,
    /// It says nothing.
    Silent,
}

/// The outages of all components.
#[derive(Clone, Debug, Default)]
pub struct Outages {
    all: Vec<Outage>,
    /// The number of the first node of each cluster.
    first_nodes: Table<ClusterId, u32>,
    /// By cluster: gateways that refuse, and that are silent.
    gateways: Spans,
    silent_gateways: Spans,
    istiods: Spans,
    /// By cluster and replica.
    istiod_replicas: Spans,
    api_servers: Spans,
    /// By node, counted over all clusters.
    nodes: Spans,
    drains: Spans,
}

impl Outage {
    fn ends_at(&self) -> SimTime {
        self.ends.unwrap_or(SimTime::MAX)
    }

    /// What it does to the links of its cluster, which join these.
    pub fn of_links<'a>(
        &'a self,
        links: impl Iterator<Item = [ClusterId; 2]> + 'a,
    ) -> impl Iterator<Item = LinkFault> + 'a {
        let cut_off = match self.of {
            Component::Cluster(cluster) | Component::Isolation(cluster) => Some(cluster),
            _ => None,
        };
        let its = move |(_, ends): &(u32, [ClusterId; 2])| cut_off.is_some_and(|it| ends.contains(&it));
        (0..).zip(links).filter(its).map(|(link, _)| LinkFault {
            link,
            toward: None,
            kind: LinkFaultKind::Blackhole,
            begins: self.begins,
            ends: self.ends,
        })
    }

    /// The cluster without a gateway for its tunnels, and whether that is so because a node is lost.
    #[must_use]
    pub const fn of_tunnels(&self) -> Option<(ClusterId, bool)> {
        match self.of {
            Component::TunnelGateway(cluster) => Some((cluster, false)),
            Component::Node { cluster, node: 0 } => Some((cluster, true)),
            _ => None,
        }
    }

    /// What it does to the pods of its cluster.
    pub fn of_pods(&self, services: usize) -> impl Iterator<Item = PodFault> + use<> {
        let lost = match self.of {
            Component::Cluster(cluster) => Some(cluster),
            _ => None,
        };
        let Self { begins, ends, .. } = *self;
        let of = move |cluster| {
            (0..services).map(move |service| PodFault {
                service: ServiceId::from_index(service),
                cluster,
                pod: None,
                begins,
                ends,
                kind: FaultKind::Crash,
                seen_after: None,
            })
        };
        lost.into_iter().flat_map(of)
    }
}

impl Component {
    /// The cluster that it is part of.
    #[must_use]
    pub const fn cluster(self) -> ClusterId {
        match self {
            Self::Cluster(cluster)
            | Self::Isolation(cluster)
            | Self::Node { cluster, .. }
            | Self::Drain { cluster, .. }
            | Self::IstiodReplica { cluster, .. }
            | Self::Gateway(cluster)
            | Self::TunnelGateway(cluster)
            | Self::Istiod(cluster)
            | Self::ApiServer(cluster) => cluster,
        }
    }
}

/// The number of a replica among those of all clusters.
const fn replica_number(cluster: ClusterId, replica: u32) -> u32 {
    cluster.0 * ISTIOD_REPLICAS_MAX + replica
}

impl Outages {
    /// These outages, of clusters with so many nodes, where each istiod has so many replicas.
    #[must_use]
    pub fn new(all: Vec<Outage>, clusters: impl Iterator<Item = usize>, istiod_replicas: u32) -> Self {
        if all.is_empty() {
            return Self::default();
        }
        let mut nodes = 0;
        let first = |count: usize| {
            nodes += count as u32;
            nodes - count as u32
        };
        let first_nodes: Table<ClusterId, u32> = clusters.map(first).collect();
        let spans = |number: &dyn Fn(Component) -> Option<u32>| {
            Spans::new(all.iter().filter_map(|it| Some((number(it.of)?, it.begins, it.ends_at()))))
        };
        let replicas = spans(&|of| match of {
            Component::IstiodReplica { cluster, replica } => Some(replica_number(cluster, replica)),
            _ => None,
        });
        // An istiod is down as well if each of its replicas is, for whatever reason.
        let of_replicas = |cluster: ClusterId| {
            let mut down = vec![(SimTime::ZERO, SimTime::MAX)];
            for replica in 0..istiod_replicas {
                let own: Vec<_> = replicas.of(replica_number(cluster, replica)).collect();
                let both = |(begins, ends): (SimTime, SimTime)| {
                    own.iter().map(move |it| (begins.max(it.0), ends.min(it.1))).collect::<Vec<_>>()
                };
                down = down.into_iter().flat_map(both).collect();
            }
            down.into_iter().map(move |(begins, ends)| (cluster.0, begins, ends))
        };
        let named = all.iter().filter_map(|it| match it.of {
            Component::IstiodReplica { cluster, .. } => Some(cluster),
            _ => None,
        });
        let of_replicas = named.collect::<BTreeSet<_>>().into_iter().flat_map(of_replicas);
        let whole = all.iter().filter_map(|it| match it.of {
            Component::Istiod(cluster) | Component::Cluster(cluster) => {
                Some((cluster.0, it.begins, it.ends_at()))
            }
            _ => None,
        });
        let istiods = Spans::new(whole.chain(of_replicas));
        Self {
            istiods,
            gateways: spans(&|of| match of {
                Component::Gateway(cluster) => Some(cluster.0),
                _ => None,
            }),
            silent_gateways: spans(&|of| match of {
                Component::Cluster(cluster) | Component::Node { cluster, node: 0 } => Some(cluster.0),
                _ => None,
            }),
            api_servers: spans(&|of| match of {
                Component::ApiServer(cluster) | Component::Cluster(cluster) => Some(cluster.0),
                _ => None,
            }),
            nodes: spans(&|of| match of {
                Component::Node { cluster, node } => Some(first_nodes[cluster] + node),
                _ => None,
            }),
            drains: spans(&|of| match of {
                Component::Drain { cluster, node } => Some(first_nodes[cluster] + node),
                _ => None,
            }),
            istiod_replicas: replicas,
            first_nodes,
            all,
        }
    }

    /// Whether there are none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them, in the order in which they were named.
    #[must_use]
    pub fn all(&self) -> &[Outage] {
        &self.all
    }

    /// Whether any node is ever lost.
    #[must_use]
    #[inline]
    pub fn lose_nodes(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// Whether nodes of a cluster are ever lost.
    #[must_use]
    pub fn lose_nodes_of(&self, cluster: ClusterId) -> bool {
        self.all.iter().any(|it| matches!(it.of, Component::Node { cluster: of, .. } if of == cluster))
    }

    /// Whether a node of a cluster is lost at `now`.
    #[must_use]
    #[inline]
    pub fn is_node_lost(&self, cluster: ClusterId, node: u32, now: SimTime) -> bool {
        self.lose_nodes() && self.nodes.hold(self.first_nodes[cluster] + node, now)
    }

    /// From when on a node of a cluster is there, at `now` or later; never is [`SimTime::MAX`].
    #[must_use]
    pub fn node_back_from(&self, cluster: ClusterId, node: u32, now: SimTime) -> SimTime {
        if !self.lose_nodes() {
            return now;
        }
        self.nodes.over_from(self.first_nodes[cluster] + node, now)
    }

    /// When a node of a cluster is lost, in the order of time.
    pub fn losses_of_node(&self, cluster: ClusterId, node: u32) -> impl Iterator<Item = (SimTime, SimTime)> {
        self.nodes.of(self.first_nodes[cluster] + node)
    }

    /// When a node of a cluster is drained, in the order of time.
    pub fn drains_of_node(&self, cluster: ClusterId, node: u32) -> impl Iterator<Item = (SimTime, SimTime)> {
        self.drains.of(self.first_nodes[cluster] + node)
    }

    /// How the gateway of a cluster meets who comes at `now`.
    #[must_use]
    #[inline]
    pub fn ingress(&self, cluster: ClusterId, now: SimTime) -> Ingress {
        if self.is_empty() {
            Ingress::Up
        } else if self.silent_gateways.hold(cluster.0, now) {
            Ingress::Silent
        } else if self.gateways.hold(cluster.0, now) {
            Ingress::Refuses
        } else {
            Ingress::Up
        }
    }

    /// When the gateway of a cluster takes nobody in, in the order of time.
    #[must_use]
    pub fn ingress_losses(&self, cluster: ClusterId) -> Vec<(SimTime, SimTime)> {
        let both = self.gateways.of(cluster.0).chain(self.silent_gateways.of(cluster.0));
        Spans::new(both.map(|(begins, ends)| (0, begins, ends))).of(0).collect()
    }

    /// From when on the istiod of a cluster works, at `now` or later; never is [`SimTime::MAX`].
    #[must_use]
    #[inline]
    pub fn istiod_works_from(&self, cluster: ClusterId, now: SimTime) -> SimTime {
        if self.istiods.is_empty() { now } else { self.istiods.over_from(cluster.0, now) }
    }

    /// Whether a replica of the istiod of a cluster is down at `now`.
    #[must_use]
    pub fn is_istiod_down(&self, cluster: ClusterId, replica: u32, now: SimTime) -> bool {
        self.istiods.hold(cluster.0, now) || self.istiod_replicas.hold(replica_number(cluster, replica), now)
    }

    /// When the istiod of a cluster, or a replica of it, dies or is back, in the order of time.
    #[must_use]
    pub fn changes_of_istiod(&self, cluster: ClusterId) -> BTreeSet<SimTime> {
        let replicas = replica_number(cluster, 0)..replica_number(cluster, ISTIOD_REPLICAS_MAX);
        let of_replicas = replicas.flat_map(|number| self.istiod_replicas.of(number));
        self.istiods.of(cluster.0).chain(of_replicas).flat_map(|(dies, back)| [dies, back]).collect()
    }

    /// Whether any API server is ever down.
    #[must_use]
    pub fn stop_api_servers(&self) -> bool {
        !self.api_servers.is_empty()
    }

    /// From when on the API server of a cluster answers, at `now` or later; never is [`SimTime::MAX`].
    #[must_use]
    #[inline]
    pub fn api_server_answers_from(&self, cluster: ClusterId, now: SimTime) -> SimTime {
        if self.api_servers.is_empty() { now } else { self.api_servers.over_from(cluster.0, now) }
    }

    /// When the API server of a cluster is down, in the order of time.
    pub fn losses_of_api_server(&self, cluster: ClusterId) -> impl Iterator<Item = (SimTime, SimTime)> {
        self.api_servers.of(cluster.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::SimDuration;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    #[test]
    fn what_is_lost_with_what() {
        let [a, b] = [0, 1].map(ClusterId);
        let outage = |of, begins, ends: Option<u64>| Outage { of, begins: at(begins), ends: ends.map(at) };
        let outages = Outages::new(
            vec![
                outage(Component::Cluster(a), 10, Some(20)),
                outage(Component::Gateway(a), 15, Some(30)),
                outage(Component::Node { cluster: a, node: 1 }, 40, Some(50)),
                outage(Component::Node { cluster: b, node: 0 }, 60, None),
                outage(Component::Istiod(b), 5, Some(6)),
                outage(Component::IstiodReplica { cluster: b, replica: 0 }, 70, Some(80)),
                outage(Component::IstiodReplica { cluster: b, replica: 1 }, 75, Some(90)),
                outage(Component::ApiServer(b), 7, None),
            ],
            [2, 1].into_iter(),
            2,
        );
        let ingress = |cluster, second| outages.ingress(cluster, at(second));
        assert_eq!([9, 12, 16, 25, 30, 45].map(|second| ingress(a, second)), {
            use Ingress::{Refuses, Silent, Up};
            [Up, Silent, Silent, Refuses, Up, Up]
        });
        assert_eq!([59, 60].map(|second| ingress(b, second)), [Ingress::Up, Ingress::Silent]);
        assert_eq!(outages.ingress_losses(a), [(at(10), at(30))]);
        assert_eq!(outages.istiod_works_from(a, at(12)), at(20));
        assert_eq!(outages.istiod_works_from(b, at(12)), at(12));
        let down = |second| [0, 1].map(|replica| outages.is_istiod_down(b, replica, at(second)));
        assert_eq!([5, 72, 77, 85].map(down), [[true, true], [true, false], [true, true], [false, true]]);
        assert_eq!([72, 77, 85].map(|it| outages.istiod_works_from(b, at(it))), [72, 80, 85].map(at));
        assert_eq!(outages.changes_of_istiod(b), BTreeSet::from([5, 6, 70, 75, 80, 90].map(at)));
        assert_eq!(outages.api_server_answers_from(b, at(8)), SimTime::MAX);
        assert_eq!(
            [(a, 0), (a, 1), (b, 0)].map(|(of, node)| outages.is_node_lost(of, node, at(45))),
            [false, true, false]
        );
        assert_eq!(outages.node_back_from(a, 1, at(45)), at(50));
        assert!(outages.lose_nodes_of(a) && outages.lose_nodes_of(b));
    }
}
