//! Where the calls of a request go that is walked without a clock.
//!
//! # Models
//! A call stays in its caller's cluster where the service has pods there, else it goes to the nearest cluster that has some: over
//! the link with the shortest round trip, and of equal ones to the first.

use crate::ids::{ClusterId, EndpointId, ServiceId};
use crate::network::path::SEGMENT_HEADERS;
use crate::world::description::Description;
use meshsim_core::{Id, SimDuration, Table};
use std::collections::BTreeMap;

/// A call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// The endpoint where it is executed, among those that were found.
    pub(super) node: usize,
    /// Whether it goes to another cluster.
    pub(super) crosses: bool,
}

/// Where calls go.
pub(super) struct Sites<'a> {
    description: &'a Description,
    /// By service, the clusters that have pods of it.
    of: Vec<Vec<ClusterId>>,
    /// Round trips of links, both ways.
    links: BTreeMap<(ClusterId, ClusterId), SimDuration>,
    /// By cluster, the largest packet of its narrowest link (bytes).
    mtu: Table<ClusterId, u32>,
    /// Endpoints where they are executed, in the order in which they were found, and their positions in it.
    pub(super) found: Vec<(EndpointId, ClusterId)>,
    positions: BTreeMap<(EndpointId, ClusterId), usize>,
}

impl<'a> Sites<'a> {
    pub(super) fn new(description: &'a Description) -> Self {
        let mut of = vec![Vec::new(); description.application.services.len()];
        for it in description.deployments.iter().filter(|it| it.replicas > 0) {
            of[it.service.index()].push(it.cluster);
        }
        of.iter_mut().for_each(|clusters| clusters.sort_unstable());
        let both = |[a, b]: [ClusterId; 2]| [(a, b), (b, a)];
        let links =
            description.links.iter().flat_map(|it| both(it.between).map(|ends| (ends, it.round_trip)));
        let mut mtu: Table<ClusterId, u32> = description.clusters.iter().map(|it| it.mtu).collect();
        for link in &description.links {
            link.between.into_iter().for_each(|end| mtu[end] = mtu[end].min(link.mtu));
        }
        let (links, found) = (links.collect(), Vec::new());
        Self { description, of, links, mtu, found, positions: BTreeMap::new() }
    }

    /// The cluster to which a call of a service goes.
    fn of_call(&self, from: ClusterId, service: ServiceId) -> ClusterId {
        let clusters = &self.of[service.index()];
        if clusters.binary_search(&from).is_ok() {
            return from;
        }
        let far = |to: &&ClusterId| self.links.get(&(from, **to)).copied().unwrap_or(SimDuration::MAX);
        // An external service is everywhere.
        clusters.iter().min_by_key(far).copied().unwrap_or(from)
    }

    /// A call of an endpoint from a cluster.
    pub(super) fn target(&mut self, from: ClusterId, endpoint: EndpointId) -> Target {
        let to = self.of_call(from, self.description.application.endpoints[endpoint].service);
        let Self { found, positions, .. } = self;
        let node = *positions.entry((endpoint, to)).or_insert_with(|| {
            found.push((endpoint, to));
            found.len() - 1
        });
        Target { node, crosses: to != from }
    }

    /// What a new connection from a cluster carries at once (bytes), in packets of its narrowest link.
    pub(super) fn window(&self, cluster: ClusterId) -> f64 {
        let packet = self.mtu[cluster].saturating_sub(SEGMENT_HEADERS).max(1);
        f64::from(self.description.clusters[cluster].tcp.initial_window) * f64::from(packet)
    }
}
