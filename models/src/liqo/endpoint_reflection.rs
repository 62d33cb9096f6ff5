//! The endpoints of a consumer's Service as they appear in a provider.
//!
//! # Models
//! Those that run in the provider are there by Kubernetes' own doing. Reflected are the rest: on the consumer's nodes, in
//! third clusters (which are reached through the consumer), and outside; one of a node that nobody knows is left out.
//! Each keeps its zone, has its addresses remapped where networks overlap, and stands on a node that is called like the
//! consumer. Of its conditions only *ready* is kept: it is ready if it is at the consumer, or nobody says, and
//! the tunnel is up and the consumer's API server answers. Without networking the tunnel does not count and nothing is
//! remapped; without a check of the API server that does not count.
//!
//! # Assumptions
//! No direct connections between providers (Liqo's annotation of the same name).
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/virtualKubelet/forge/endpointslices.go` (`EndpointToBeReflected`,
//! `RemoteEndpointSliceEndpoints`), `pkg/liqo-controller-manager/offloading/shadowendpointslice-controller`,
//! `pkg/utils/foreigncluster/status.go`, `pkg/utils/ipam/mapping/ips.go` (`RemapMask`).

use crate::kubernetes::endpoint_slice::Conditions;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an endpoint of the consumer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointHost<C> {
    /// Outside of all clusters.
    External,
    /// On a node that nobody knows.
    Unknown,
    /// On a node of the consumer's own.
    Local,
    /// In the cluster behind a virtual node.
    Behind(C),
}

/// The state of something that Liqo watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerStatus {
    /// It works.
    Established,
    /// It does not.
    Error,
    /// Not yet.
    Pending,
    /// It is not watched.
    None,
}

/// What a provider sees of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Whether Liqo connects their networks.
    pub has_networking: bool,
    /// The tunnel.
    pub network: PeerStatus,
    /// Its API server.
    pub api_server: PeerStatus,
}

/// A network whose addresses are those of another one here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remap {
    /// What they are at the consumer.
    pub original: Cidr,
    /// What they are here.
    pub remapped: Cidr,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// An address of it.
    pub address: IpAddr,
    /// How many of its first bits all have in common.
    pub prefix: u32,
}

/// Whether an endpoint is reflected into a provider.
#[must_use]
pub fn is_reflected<C: PartialEq>(host: &EndpointHost<C>, provider: &C) -> bool {
    match host {
        EndpointHost::External | EndpointHost::Local => true,
        EndpointHost::Unknown => false,
        EndpointHost::Behind(cluster) => cluster != provider,
    }
}

impl Consumer {
    /// The conditions of an endpoint that is reflected.
    #[must_use]
    pub fn conditions(&self, ready: Option<bool>) -> Conditions {
        let is_connected = self.network == PeerStatus::Established || !self.has_networking;
        let answers = matches!(self.api_server, PeerStatus::Established | PeerStatus::None);
        let ready = Some(ready.unwrap_or(true) && is_connected && answers);
        Conditions { ready, serving: None, terminating: None }
    }

    /// The address of an endpoint that is reflected: in the first network that has it.
    #[must_use]
    pub fn address(&self, address: IpAddr, remaps: &[Remap]) -> IpAddr {
        let mut of = remaps.iter().filter(|remap| self.has_networking && remap.original.has(address));
        of.next().map_or(address, |remap| remap.remapped.with_host_of(address))
    }
}

impl Cidr {
    /// Whether an address is of this range.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && self.with_host_of(address) == address
    }

    /// The address of this range whose last bits are those of another one.
    fn with_host_of(&self, address: IpAddr) -> IpAddr {
        let host = |bits: u32| u128::MAX.checked_shr(128 - bits + self.prefix.min(bits)).unwrap_or(0);
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let host = host(32) as u32;
                IpAddr::V4(Ipv4Addr::from_bits((own.to_bits() & !host) | (other.to_bits() & host)))
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let host = host(128);
                IpAddr::V6(Ipv6Addr::from_bits((own.to_bits() & !host) | (other.to_bits() & host)))
            }
            _ => address,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONSUMER: Consumer = Consumer {
        has_networking: true,
        network: PeerStatus::Established,
        api_server: PeerStatus::Established,
    };

    fn cidr(text: &str) -> Cidr {
        let (address, prefix) = text.split_once('/').unwrap();
        Cidr { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
    }

    #[test]
    fn a_provider_is_not_told_of_its_own_pods() {
        let hosts = [
            EndpointHost::External,
            EndpointHost::Unknown,
            EndpointHost::Local,
            EndpointHost::Behind(1),
            EndpointHost::Behind(2),
        ];
        assert_eq!(hosts.map(|host| is_reflected(&host, &1)), [true, false, true, false, true]);
    }

    #[test]
    fn an_endpoint_is_ready_if_it_is_and_the_consumer_is_there() {
        let ready = |consumer: Consumer, ready| consumer.conditions(ready).ready.unwrap();
        assert!(ready(CONSUMER, None) && ready(CONSUMER, Some(true)) && !ready(CONSUMER, Some(false)));
        for (status, counts_for_network, counts_for_api_server) in [
            (PeerStatus::Error, true, true),
            (PeerStatus::Pending, true, true),
            (PeerStatus::None, true, false),
        ] {
            assert_eq!(ready(Consumer { network: status, ..CONSUMER }, None), !counts_for_network);
            assert_eq!(ready(Consumer { api_server: status, ..CONSUMER }, None), !counts_for_api_server);
            assert!(ready(Consumer { network: status, has_networking: false, ..CONSUMER }, None));
        }
    }

    #[test]
    fn an_address_keeps_its_host_in_the_first_network_that_has_it() {
        let remap = |original, remapped| Remap { original: cidr(original), remapped: cidr(remapped) };
        let remaps = [remap("10.10.0.0/16", "10.30.0.0/16"), remap("fd00::/8", "fc00::/8")];
        let address = |text: &str| CONSUMER.address(text.parse().unwrap(), &remaps).to_string();
        assert_eq!(["10.10.7.9", "10.11.0.1", "fd00::5"].map(address), ["10.30.7.9", "10.11.0.1", "fc00::5"]);
        let without = Consumer { has_networking: false, ..CONSUMER };
        let same: IpAddr = "10.10.7.9".parse().unwrap();
        assert_eq!(without.address(same, &remaps), same);
    }

    proptest! {
        #[test]
        fn remapping_there_and_back_changes_nothing(bits in any::<u32>(), prefix in 0_u32..=32) {
            let here = IpAddr::V4(Ipv4Addr::from_bits(bits));
            let [a, b] = [here, IpAddr::V4(Ipv4Addr::from_bits(!bits))].map(|address| Cidr { address, prefix });
            prop_assert!(a.has(here));
            let there = CONSUMER.address(here, &[Remap { original: a, remapped: b }]);
            prop_assert!(b.has(there));
            prop_assert_eq!(CONSUMER.address(there, &[Remap { original: b, remapped: a }]), here);
        }
    }
}
