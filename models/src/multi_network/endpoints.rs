//! Endpoints of other networks are replaced by the gateways there.
//!
//! # Models
//! - An endpoint is used directly if it is in the proxy's network, or in none, or in one without gateways. A proxy without
//!   a network goes through gateways wherever there are any.
//! - Else it is replaced by the gateways of its network and cluster, or, if that cluster has none, by all of its network;
//!   of those the proxy can only use the ones of its IP family. If none is left, or the endpoint speaks no mTLS, which
//!   gateways need to tell services apart, it is left out.
//! - All weights are multiplied by the least common multiple of the numbers of gateways of each network and of each
//!   network and cluster, and an endpoint's weight is split among its gateways, cut: so the share of traffic is the share
//!   of endpoints, whatever the number of gateways.
//! - Each locality has gateways of its own.
//!
//! Without any gateway all endpoints are used directly, and nothing is multiplied.
//!
//! # Assumptions
//! Sidecars, not waypoints. Gateways have addresses: names are resolved before.
//!
//! # Source
//! istio/istio (August 2026; 1.30 and later for IP families and proxies without a network, else the same since 1.26)
//! `pilot/pkg/xds/endpoints/ep_filters.go` (`EndpointsByNetworkFilter`), `pilot/pkg/model/network.go`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A gateway into a network. `N` names networks, `C` clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkGateway<N, C> {
    /// Where it leads.
    pub network: N,
    /// Its cluster.
    pub cluster: C,
    /// Its address.
    pub address: IpAddr,
    /// Its port for sidecars; 0: it has none.
    pub port: u16,
}

/// The gateways of a mesh.
#[derive(Clone, Debug)]
pub struct NetworkGateways<N, C> {
    gateways: Vec<NetworkGateway<N, C>>,
    scale: u32,
}

/// A proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkProxy<N> {
    /// Absent: none.
    pub network: Option<N>,
    /// Whether it speaks IPv4; if neither, nobody knows.
    pub ipv4: bool,
    /// Whether it speaks IPv6.
    pub ipv6: bool,
}

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkEndpoint<N, C> {
    /// Absent: none.
    pub network: Option<N>,
    /// Its cluster.
    pub cluster: C,
    /// Whether its own address is known.
    pub has_address: bool,
    /// Its weight; 0 counts as 1.
    pub weight: u32,
    /// Whether mTLS is spoken with it.
    pub mtls: bool,
}

/// What a proxy connects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkDestination {
    /// The endpoint at this index.
    Endpoint(usize),
    /// A gateway.
    Gateway(IpAddr, u16),
}

impl<N: Ord + Copy, C: Ord + Copy> NetworkGateways<N, C> {
    /// These.
    #[must_use]
    pub fn new(gateways: impl IntoIterator<Item = NetworkGateway<N, C>>) -> Self {
        let unique: BTreeSet<_> = gateways.into_iter().collect();
        let (mut of_networks, mut of_clusters) = (BTreeMap::new(), BTreeMap::new());
        for it in &unique {
            *of_networks.entry(it.network).or_insert(0_u32) += 1;
            *of_clusters.entry((it.network, it.cluster)).or_insert(0_u32) += 1;
        }
        let counts = of_networks.values().chain(of_clusters.values());
        let scale = counts.fold(1, |scale, &count| least_common_multiple(scale, count));
        Self { gateways: unique.into_iter().collect(), scale }
    }

    /// What all weights are multiplied by.
    #[must_use]
    pub const fn scale(&self) -> u32 {
        self.scale
    }

    /// What a proxy uses in place of the endpoints of a locality, with the weights.
    #[must_use]
    pub fn seen_by(
        &self,
        proxy: &NetworkProxy<N>,
        endpoints: &[NetworkEndpoint<N, C>],
    ) -> Vec<(NetworkDestination, u32)> {
        let mut direct = Vec::new();
        let mut through: BTreeMap<(IpAddr, u16), u32> = BTreeMap::new();
        for (index, endpoint) in endpoints.iter().enumerate() {
            let weight = self.scaled(endpoint.weight.max(1));
            let gateways = self.of(endpoint);
            if self.is_direct(proxy, endpoint, &gateways) {
                if endpoint.has_address {
                    direct.push((NetworkDestination::Endpoint(index), weight));
                }
                continue;
            }
            let reachable: Vec<_> = gateways.iter().filter(|it| proxy.reaches(it.address)).collect();
            if !endpoint.mtls {
                continue;
            }
            for gateway in &reachable {
                let sum = through.entry((gateway.address, gateway.port)).or_insert(0);
                *sum = sum.wrapping_add(weight / reachable.len() as u32);
            }
        }
        let gateway = |((address, port), weight): ((IpAddr, u16), u32)| {
            (NetworkDestination::Gateway(address, port), weight.max(1))
        };
        direct.extend(through.into_iter().map(gateway));
        direct
    }

    fn is_direct(
        &self,
        proxy: &NetworkProxy<N>,
        endpoint: &NetworkEndpoint<N, C>,
        gateways: &[&NetworkGateway<N, C>],
    ) -> bool {
        gateways.is_empty() || endpoint.network.is_none() || proxy.network == endpoint.network
    }

    /// The gateways that an endpoint is behind.
    fn of(&self, endpoint: &NetworkEndpoint<N, C>) -> Vec<&NetworkGateway<N, C>> {
        let of_network = || self.gateways.iter().filter(|it| Some(it.network) == endpoint.network);
        let of_cluster: Vec<_> = of_network().filter(|it| it.cluster == endpoint.cluster).collect();
        let mut found = if of_cluster.is_empty() { of_network().collect() } else { of_cluster };
        found.retain(|gateway| gateway.port != 0);
        found
    }

    /// No more than fits.
    const fn scaled(&self, weight: u32) -> u32 {
        if weight < u32::MAX / self.scale { weight * self.scale } else { u32::MAX }
    }
}

impl<N> NetworkProxy<N> {
    fn reaches(&self, address: IpAddr) -> bool {
        let is_ipv4 = address.to_canonical().is_ipv4();
        self.ipv4 == self.ipv6 || (self.ipv4 && is_ipv4) || (self.ipv6 && !is_ipv4)
    }
}

const fn least_common_multiple(a: u32, b: u32) -> u32 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gateway(network: u8, cluster: u8, address: &str) -> NetworkGateway<u8, u8> {
        NetworkGateway { network, cluster, address: address.parse().unwrap(), port: 15_443 }
    }

    const fn endpoint(network: Option<u8>, cluster: u8) -> NetworkEndpoint<u8, u8> {
        NetworkEndpoint { network, cluster, has_address: true, weight: 1, mtls: true }
    }

    const PROXY: NetworkProxy<u8> = NetworkProxy { network: Some(0), ipv4: true, ipv6: false };

    #[test]
    fn who_has_no_network_is_reached_directly_but_goes_through_gateways() {
        let gateways = NetworkGateways::new([gateway(1, 1, "1.1.1.1")]);
        let endpoints = [endpoint(None, 1), endpoint(Some(1), 1)];
        let behind = (NetworkDestination::Gateway("1.1.1.1".parse().unwrap(), 15_443), 1);
        let without = NetworkProxy { network: None, ..PROXY };
        for proxy in [PROXY, without] {
            assert_eq!(gateways.seen_by(&proxy, &endpoints), [(NetworkDestination::Endpoint(0), 1), behind]);
        }
        let there = NetworkProxy { network: Some(1), ..PROXY };
        assert_eq!(gateways.seen_by(&there, &endpoints[1..]), [(NetworkDestination::Endpoint(0), 1)]);
    }

    #[test]
    fn what_cannot_be_reached_is_left_out() {
        let gateways = NetworkGateways::new([gateway(1, 1, "fd00::1")]);
        assert!(gateways.seen_by(&PROXY, &[endpoint(Some(1), 1)]).is_empty());
        let unknown = NetworkProxy { ipv4: false, ..PROXY };
        assert_eq!(gateways.seen_by(&unknown, &[endpoint(Some(1), 1)]).len(), 1);
        let plain = NetworkEndpoint { mtls: false, ..endpoint(Some(1), 1) };
        assert!(gateways.seen_by(&unknown, &[plain]).is_empty());
        // A gateway without a port for sidecars does not count, though the numbers do.
        let for_ztunnels = NetworkGateways::new([NetworkGateway { port: 0, ..gateway(1, 1, "1.1.1.1") }]);
        let direct = for_ztunnels.seen_by(&PROXY, &[endpoint(Some(1), 1)]);
        assert_eq!(direct, [(NetworkDestination::Endpoint(0), 1)]);
    }

    #[test]
    fn weights_stay_within_their_bounds() {
        let gateways = NetworkGateways::new(["1.1.1.1", "1.1.1.2"].map(|address| gateway(1, 1, address)));
        let heavy = NetworkEndpoint { weight: u32::MAX, ..endpoint(Some(0), 0) };
        assert_eq!(gateways.seen_by(&PROXY, &[heavy]), [(NetworkDestination::Endpoint(0), u32::MAX)]);
        let none: NetworkGateways<u8, u8> = NetworkGateways::new([]);
        assert_eq!((none.scale(), none.seen_by(&PROXY, &[heavy])[0].1), (1, u32::MAX));
    }

    proptest! {
        /// The share of traffic is the share of endpoints, whatever the number of gateways of a network is.
        #[test]
        fn gateways_do_not_change_shares(
            gateways in prop::collection::vec(1_usize..5, 3),
            pods in prop::collection::vec(0_usize..6, 4),
        ) {
            let all = gateways.iter().enumerate().flat_map(|(index, &count)| {
                (0..count).map(move |n| gateway(index as u8 + 1, index as u8, &format!("10.0.{index}.{n}")))
            });
            let gateways = NetworkGateways::new(all);
            let endpoints: Vec<_> = pods
                .iter()
                .enumerate()
                .flat_map(|(network, &count)| vec![endpoint(Some(network as u8), network as u8 - u8::from(network > 0)); count])
                .collect();
            let seen = gateways.seen_by(&PROXY, &endpoints);
            for (network, &count) in pods.iter().enumerate() {
                let weight: u32 = seen
                    .iter()
                    .filter(|(destination, _)| match destination {
                        NetworkDestination::Endpoint(_) => network == 0,
                        NetworkDestination::Gateway(IpAddr::V4(address), _) => network == address.octets()[2] as usize + 1,
                        NetworkDestination::Gateway(..) => false,
                    })
                    .map(|(_, weight)| weight)
                    .sum();
                prop_assert_eq!(weight, count as u32 * gateways.scale());
            }
        }
    }
}
