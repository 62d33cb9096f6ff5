//! Who sends how much to whom: requests, bodies and bytes on the wire, by cluster and service at both ends.
//!
//! # Models
//! What is put on the way of a call counts at the moment and in the cluster in which it is, from the end of the warm-up
//! on: a request and what resets it at the client's, an answer, each of its TCP rounds and what resets the client at
//! the server's. Every attempt is a request, a retry and a copy for a mirror too. A call begins at the proxy that chooses
//! its pod: a gateway's, a caller's sidecar or a waypoint, which stands for the caller. Merged over all clusters, a row has
//! both directions.
//!
//! # Assumptions
//! - The way between users and gateways and that between a pod and its own proxy are left out, and within a cluster the
//!   bytes of resets are.
//! - Handshakes are no part of any call (`link_traffic`).
//!
//! # Source
//! Istio, standard metrics: `istio_requests_total`, `istio_{request,response}_bytes`, by source and destination workload.

use crate::ids::{ClusterId, FlowId};
use crate::sparse_table::SparseTable;
use crate::world::flows::Flow;
use meshsim_core::{Id, SimTime, Table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// What was put on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests or answers, by their last byte.
    pub messages: u64,
    /// Their bodies (bytes).
    pub payload: u64,
    /// Everything: headers of HTTP, TLS, TCP and IP, and a tunnel's (bytes).
    pub wire: u64,
}

impl Traffic {
    /// A whole request or answer, or the last part of one.
    #[must_use]
    pub fn of_message(payload: u32, wire: u32) -> Self {
        Self { messages: 1, payload: u64::from(payload), wire: u64::from(wire) }
    }

    /// What is no message by itself.
    #[must_use]
    pub fn of_part(wire: u32) -> Self {
        Self { messages: 0, payload: 0, wire: u64::from(wire) }
    }
}

impl AddAssign for Traffic {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.payload += other.payload;
        self.wire += other.wire;
    }
}

/// Which way something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// Back.
    ToClient,
}

/// By [`Direction`].
type BothWays = [Traffic; 2];

/// What a cluster has put on the wire.
#[derive(Clone, Debug)]
pub struct TrafficMatrix {
    reported_from: SimTime,
    here: Table<FlowId, BothWays>,
    /// By the cluster at the other end.
    others: SparseTable<ClusterId, Vec<BothWays>>,
}

/// All calls of a service, or of users, in a cluster to a service in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficRow {
    /// The client's cluster.
    pub from: ClusterId,
    /// The server's cluster.
    pub to: ClusterId,
    /// Who calls whom.
    pub flow: Flow,
    /// To the server.
    pub requests: Traffic,
    /// Back to the client.
    pub answers: Traffic,
}

impl TrafficMatrix {
    /// Of a cluster that has sent nothing, in a world of so many flows.
    #[must_use]
    pub fn new(reported_from: SimTime, flows: usize) -> Self {
        let here = (0..flows).map(|_| BothWays::default()).collect();
        Self { reported_from, here, others: SparseTable::new() }
    }

    /// Something of a call within the cluster is on its way.
    #[inline]
    pub(super) fn sent_here(&mut self, now: SimTime, flow: FlowId, direction: Direction, sent: Traffic) {
        if now >= self.reported_from {
            self.here[flow][direction as usize] += sent;
        }
    }

    /// Something of a call whose other end is in another cluster is on its way there.
    #[inline]
    pub(super) fn sent_to(
        &mut self,
        now: SimTime,
        other: ClusterId,
        flow: FlowId,
        direction: Direction,
        sent: Traffic,
    ) {
        let is_reported = now >= self.reported_from;
        let rows = match self.others.get_mut(other) {
            Some(rows) => rows,
            None => self.meets(other),
        };
        if is_reported {
            rows[flow.index()][direction as usize] += sent;
        }
    }

    /// The rows for another cluster are made, in the warm-up too: a warm run allocates nothing.
    #[cold]
    fn meets(&mut self, other: ClusterId) -> &mut Vec<BothWays> {
        let rows = self.others.or_default(other);
        rows.resize(self.here.len(), BothWays::default());
        rows
    }

    /// What left for other clusters.
    #[must_use]
    pub fn crossed(&self) -> Traffic {
        let mut sum = Traffic::default();
        self.others.iter().flat_map(|(_, rows)| rows.iter().flatten()).for_each(|&it| sum += it);
        sum
    }

    /// The rows of all clusters together that are not empty, by the client's cluster, the flow and the server's cluster.
    #[must_use]
    pub fn merged<'a>(
        all: impl Iterator<Item = (ClusterId, &'a Self)>,
        flows: &Table<FlowId, Flow>,
    ) -> Vec<TrafficRow> {
        let mut merged: BTreeMap<(ClusterId, FlowId, ClusterId), BothWays> = BTreeMap::new();
        let mut add = |key, direction, sent: Traffic| {
            if sent != Traffic::default() {
                merged.entry(key).or_default()[direction as usize] += sent;
            }
        };
        for (here, matrix) in all {
            for (flow, [to_server, to_client]) in matrix.here.enumerate() {
                add((here, flow, here), Direction::ToServer, *to_server);
                add((here, flow, here), Direction::ToClient, *to_client);
            }
            for (other, rows) in matrix.others.iter() {
                for (index, [to_server, to_client]) in rows.iter().enumerate() {
                    let flow = FlowId::from_index(index);
                    add((here, flow, other), Direction::ToServer, *to_server);
                    add((other, flow, here), Direction::ToClient, *to_client);
                }
            }
        }
        let row = |((from, flow, to), [requests, answers]): ((_, FlowId, _), BothWays)| TrafficRow {
            from,
            to,
            flow: flows[flow],
            requests,
            answers,
        };
        merged.into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ServiceId;
    use meshsim_core::SimDuration;

    #[test]
    fn a_row_has_what_its_client_and_its_server_have_sent_from_the_end_of_the_warm_up_on() {
        let [edge, cloud, a, b] = [ClusterId(0), ClusterId(1), ClusterId(0), ClusterId(1)];
        let flows: Table<FlowId, Flow> = [None, Some(ServiceId(0))]
            .into_iter()
            .map(|caller| Flow { caller, called: ServiceId(1) })
            .collect();
        let at = |s| SimTime::ZERO + SimDuration::from_secs(s);
        let [mut of_edge, mut of_cloud] = [0, 1].map(|_| TrafficMatrix::new(at(10), 2));
        for s in [3, 10, 17] {
            of_edge.sent_here(at(s), FlowId(0), Direction::ToServer, Traffic::of_message(0, 400));
            of_edge.sent_to(at(s), cloud, FlowId(1), Direction::ToServer, Traffic::of_message(0, 500));
            of_cloud.sent_to(at(s), edge, FlowId(1), Direction::ToClient, Traffic::of_part(1_500));
        }
        of_cloud.sent_to(at(18), edge, FlowId(1), Direction::ToClient, Traffic::of_message(1_900, 700));
        let rows = TrafficMatrix::merged([(a, &of_edge), (b, &of_cloud)].into_iter(), &flows);
        let traffic = |messages, payload, wire| Traffic { messages, payload, wire };
        let row =
            |to, flow, requests, answers| TrafficRow { from: edge, to, flow: flows[flow], requests, answers };
        let expected = [
            row(edge, FlowId(0), traffic(2, 0, 800), Traffic::default()),
            row(cloud, FlowId(1), traffic(2, 0, 1_000), traffic(1, 1_900, 3_700)),
        ];
        assert_eq!(rows, expected);
        assert_eq!((of_edge.crossed(), of_cloud.crossed()), (traffic(2, 0, 1_000), traffic(1, 1_900, 3_700)));
    }
}
