//! How many bytes each link carries, each way, and for what.
//!
//! # Models
//! Everything that enters a link counts at that moment, from the end of the warm-up on: what the cluster at its
//! beginning sends for calls, what it passes on for others, and what control planes tell each other and push to proxies. A handshake counts
//! at its client when it begins, with the bytes of both sides, on every link of the way there and back.
//!
//! # Assumptions
//! Handshakes are bytes that take no time on the link: nobody waits behind them. Effect: a link is busier than its
//! queue knows by their part of its bytes, which is shown; a new mTLS connection's 5 kB are 40 us at 1 Gbit/s.
//! Handshakes that are refused or swallowed count nothing; one that outlasts its client's patience counts as a whole.

use crate::ids::ClusterId;
use crate::sparse_table::SparseTable;
use crate::world::topology::Topology;
use meshsim_core::{Id, SimTime};
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// What a message is on a link for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkUse {
    /// A call that begins or is answered at the beginning of the link.
    Call,
    /// A call of others that is passed on.
    Passing,
    /// Control planes.
    Control,
}

/// What a cluster has put on the links that leave it.
#[derive(Clone, Debug)]
pub struct LinkTraffic {
    reported_from: SimTime,
    /// Bytes by port and [`LinkUse`].
    ports: Vec<[u64; 3]>,
    /// With other clusters, as the client.
    handshakes: SparseTable<ClusterId, Handshakes>,
}

/// Connections that were made.
#[derive(Clone, Copy, Debug, Default)]
struct Handshakes {
    connections: u64,
    /// To the server, and to the client (bytes).
    bytes: [u64; 2],
}

/// What a link carried from one of its ends (bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkBytes {
    /// Its number among the links of the description.
    pub link: u32,
    /// From where.
    pub from: ClusterId,
    /// Requests and answers of clients and servers at this end, and what resets them.
    pub calls: u64,
    /// The same of others, on its way through.
    pub passing: u64,
    /// What API servers tell, pushes of istiods, and ends of pods; passed on too.
    pub control: u64,
    /// Handshakes of connections whose client is on either side.
    pub handshakes: u64,
    /// Connections whose client is on this side.
    pub connections: u64,
}

impl LinkBytes {
    /// Of all kinds.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.calls + self.passing + self.control + self.handshakes
    }
}

impl AddAssign for LinkBytes {
    /// Adds what the same direction of the same link carried in another run.
    fn add_assign(&mut self, other: Self) {
        debug_assert_eq!((self.link, self.from), (other.link, other.from));
        self.calls += other.calls;
        self.passing += other.passing;
        self.control += other.control;
        self.handshakes += other.handshakes;
        self.connections += other.connections;
    }
}

impl LinkTraffic {
    /// Of a cluster with so many links.
    #[must_use]
    pub fn new(reported_from: SimTime, ports: usize) -> Self {
        Self { reported_from, ports: vec![[0; 3]; ports], handshakes: SparseTable::new() }
    }

    /// A message enters the link of a port.
    #[inline]
    pub(super) fn enters(&mut self, now: SimTime, port: u32, what: LinkUse, wire_bytes: u32) {
        if now >= self.reported_from {
            self.ports[port as usize][what as usize] += u64::from(wire_bytes);
        }
    }

    /// A handshake with a server in another cluster begins, of so many bytes to it and back.
    pub(super) fn connects(&mut self, now: SimTime, server: ClusterId, bytes: [u32; 2]) {
        // Its row is made in the warm-up, too: a warm run allocates nothing.
        let all = self.handshakes.or_default(server);
        if now >= self.reported_from {
            all.connections += 1;
            all.bytes.iter_mut().zip(bytes).for_each(|(sum, it)| *sum += u64::from(it));
        }
    }

    /// What entered its links for one thing (bytes).
    #[must_use]
    pub fn entered(&self, what: LinkUse) -> u64 {
        self.ports.iter().map(|port| port[what as usize]).sum()
    }

    /// What every link carried, each way, by cluster and port.
    #[must_use]
    pub fn per_link<'a>(
        all: impl Iterator<Item = (ClusterId, &'a Self)> + Clone,
        topology: &Topology,
    ) -> Vec<LinkBytes> {
        let mut starts = Vec::new();
        let mut links = Vec::new();
        for (from, it) in all.clone() {
            starts.push(links.len());
            let ports = topology.ways.ports(from).iter().zip(&it.ports);
            links.extend(ports.map(|(&link, &[calls, passing, control])| LinkBytes {
                link,
                from,
                calls,
                passing,
                control,
                handshakes: 0,
                connections: 0,
            }));
        }
        let mut add = |from: ClusterId, to: ClusterId, connections: u64, bytes: u64| {
            for (here, route) in topology.way(from, to) {
                let link: &mut LinkBytes = &mut links[starts[here.index()] + route.port as usize];
                link.connections += connections;
                link.handshakes += bytes;
            }
        };
        for (client, it) in all {
            for (server, made) in it.handshakes.iter() {
                let [to_server, to_client] = made.bytes;
                add(client, server, made.connections, to_server);
                add(server, client, 0, to_client);
            }
        }
        links
    }
}
