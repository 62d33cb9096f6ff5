//! What the number of a pod says: where it runs, what it runs, and which of these it is.
//!
//! # Models
//! Pods are made during a run, in any cluster and of any service, and other clusters hear of them by their number
//! alone. So the number holds it all: 31 bits are divided between the cluster, the service and the *ordinal*, which
//! counts the pods of the service there. Numbers are in the order of clusters, services, ordinals. A pod that is
//! made takes the ordinal, the number and the address of one that ended long ago, or the next ordinal
//! (`cluster/pods`); those that have a number one after the other are told apart by their generation.
//!
//! An *address* is a pod's IP, which hashing load balancers hash, and what its random numbers are addressed by.
//!
//! # Assumptions
//! Addresses of a Deployment's pods follow each other, those of all Deployments too. Effect: which keys a hash
//! gives to a pod is arbitrary, as it is in reality.

use crate::ids::{ClusterId, PodId, ServiceId};
use meshsim_core::Table;
use std::ops::Range;

/// How the bits of a pod's number are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodIds {
    ordinal_bits: u32,
    service_bits: u32,
}

/// One bit is left for numbers that are no pod's.
const BITS: u32 = 31;

impl PodIds {
    /// For so many clusters and services.
    ///
    /// # Panics
    /// If there are so many that no bit is left.
    #[must_use]
    pub fn new(clusters: usize, services: usize) -> Self {
        let bits = |count: usize| count.next_power_of_two().trailing_zeros();
        let service_bits = bits(services);
        let ordinal_bits = BITS.checked_sub(bits(clusters) + service_bits).filter(|bits| *bits > 0);
        Self { ordinal_bits: ordinal_bits.expect("fewer clusters times services than 2^30"), service_bits }
    }

    /// How many pods of a service there may be in a cluster.
    #[must_use]
    pub const fn most_pods(self) -> u32 {
        1 << self.ordinal_bits
    }

    /// The pod of a service in a cluster that has this ordinal.
    ///
    /// # Panics
    /// If there can be no so many pods.
    #[must_use]
    pub fn pod(self, cluster: ClusterId, service: ServiceId, ordinal: u32) -> PodId {
        assert!(ordinal >> self.ordinal_bits == 0, "{ordinal} pods of a service in a cluster are too many");
        PodId((((cluster.0 << self.service_bits) | service.0) << self.ordinal_bits) | ordinal)
    }

    /// The number by which whoever is in another network knows the pods of a service in a cluster: that of the gateway
    /// before them, which no pod has.
    #[must_use]
    pub fn behind_gateway(self, cluster: ClusterId, service: ServiceId) -> PodId {
        self.pod(cluster, service, self.most_pods() - 1)
    }

    /// Whether a number stands for the pods behind a gateway.
    #[must_use]
    #[inline]
    pub const fn is_behind_gateway(self, pod: PodId) -> bool {
        self.ordinal_of(pod) == self.most_pods() - 1
    }

    /// Where a pod runs.
    #[must_use]
    #[inline]
    pub const fn cluster_of(self, pod: PodId) -> ClusterId {
        ClusterId(pod.0 >> (self.ordinal_bits + self.service_bits))
    }

    /// What a pod runs.
    #[must_use]
    #[inline]
    pub const fn service_of(self, pod: PodId) -> ServiceId {
        ServiceId((pod.0 >> self.ordinal_bits) & ((1 << self.service_bits) - 1))
    }

    /// Which of its service's pods in its cluster a pod is, counted from 0.
    #[must_use]
    #[inline]
    pub const fn ordinal_of(self, pod: PodId) -> u32 {
        pod.0 & ((1 << self.ordinal_bits) - 1)
    }
}

/// The addresses of pods.
#[derive(Clone, Debug)]
pub struct PodAddresses {
    ids: PodIds,
    /// By cluster: each service with a block of addresses for its pods there, in their order.
    blocks: Table<ClusterId, Vec<(ServiceId, Range<u32>)>>,
}

impl PodAddresses {
    /// Blocks of so many addresses for services, by cluster; one follows the other.
    #[must_use]
    pub fn new<B: IntoIterator<Item = (ServiceId, u32)>>(
        ids: PodIds,
        clusters: impl Iterator<Item = B>,
    ) -> Self {
        let mut next = 0;
        let mut block = |(service, count): (ServiceId, u32)| {
            next += count;
            (service, next - count..next)
        };
        let blocks = clusters.map(|it| {
            let mut blocks: Vec<_> = it.into_iter().map(&mut block).collect();
            blocks.sort_by_key(|(service, _)| *service);
            blocks
        });
        Self { ids, blocks: blocks.collect() }
    }

    /// A number that no other pod has: from its block as long as there is one, or beyond 32 bits.
    #[must_use]
    pub fn number_of(&self, pod: PodId) -> u64 {
        let (service, mut ordinal) = (self.ids.service_of(pod), self.ids.ordinal_of(pod));
        let blocks = &self.blocks[self.ids.cluster_of(pod)];
        let first = blocks.partition_point(|(of, _)| *of < service);
        for (_, block) in blocks[first..].iter().take_while(|(of, _)| *of == service) {
            let count = block.end - block.start;
            if ordinal < count {
                return u64::from(block.start + ordinal);
            }
            ordinal -= count;
        }
        (1 << 32) | u64::from(pod.0)
    }

    /// The IP of a pod.
    #[must_use]
    pub fn ip_of(&self, pod: PodId) -> String {
        let [.., beyond, _, a, b, c] = self.number_of(pod).to_be_bytes();
        if beyond > 0 { format!("fd00::{:x}", pod.0) } else { format!("10.{a}.{b}.{c}") }
    }

    /// The address of a pod's endpoint: its IP, with the port.
    #[must_use]
    pub fn address_of(&self, pod: PodId) -> String {
        let ip = self.ip_of(pod);
        if ip.contains(':') { format!("[{ip}]:8080") } else { format!("{ip}:8080") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_says_where_what_and_which() {
        for (clusters, services) in [(1, 1), (2, 3), (10_000, 12), (7, 4_096)] {
            let ids = PodIds::new(clusters, services);
            let last = (ClusterId(clusters as u32 - 1), ServiceId(services as u32 - 1), 4_000);
            for (cluster, service, ordinal) in [(ClusterId(0), ServiceId(0), 0), last] {
                let pod = ids.pod(cluster, service, ordinal);
                let read = (ids.cluster_of(pod), ids.service_of(pod), ids.ordinal_of(pod));
                assert_eq!(read, (cluster, service, ordinal));
                assert!(pod.0 <= u32::MAX / 2);
            }
        }
    }

    #[test]
    #[should_panic(expected = "too many")]
    fn ordinals_do_not_run_into_the_service() {
        let _ = PodIds::new(1 << 20, 1 << 8).pod(ClusterId(0), ServiceId(0), 8);
    }

    #[test]
    fn addresses_are_everyones_own() {
        let ids = PodIds::new(2, 2);
        let [a, b] = [ServiceId(0), ServiceId(1)];
        let addresses = PodAddresses::new(ids, [vec![(b, 2), (a, 1)], vec![(a, 3)]].into_iter());
        let number =
            |cluster, service, ordinal| addresses.number_of(ids.pod(ClusterId(cluster), service, ordinal));
        assert_eq!([number(0, b, 0), number(0, b, 1), number(0, a, 0), number(1, a, 2)], [0, 1, 2, 5]);
        // Beyond the block, and of a service that has none.
        let more = [number(0, b, 2), number(0, a, 1), number(1, b, 0)];
        assert!(more.iter().all(|it| *it > u64::from(u32::MAX)) && more[0] != more[1]);
        assert_eq!(addresses.address_of(ids.pod(ClusterId(1), a, 0)), "10.0.0.3:8080");
        assert!(addresses.address_of(ids.pod(ClusterId(1), b, 0)).starts_with("[fd00::"));
    }
}
