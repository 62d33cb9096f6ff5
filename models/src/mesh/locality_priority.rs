//! Istio's failover priorities: how near an endpoint is to the proxy that chooses.
//!
//! # Models
//! The more of region, zone and subzone (in that order) an endpoint shares with the proxy, the
//! lower its priority's number; a proxy uses the lowest level that has healthy endpoints.
//!
//! # Source
//! Istio `pilot/pkg/networking/util/util.go`, `LbPriority`; `loadbalancer.go`,
//! `applyLocalityFailover`.

/// Where a cluster is. Two empty parts are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locality {
    /// Label `topology.kubernetes.io/region`.
    pub region: String,
    /// Label `topology.kubernetes.io/zone`.
    pub zone: String,
    /// Label `topology.istio.io/subzone`.
    pub subzone: String,
}

/// The priority of an endpoint at `endpoint` for a proxy at `proxy`: 0 (same region, zone and
/// subzone) to 3 (another region).
#[must_use]
pub fn locality_priority(proxy: &Locality, endpoint: &Locality) -> u32 {
    if proxy.region != endpoint.region {
        3
    } else if proxy.zone != endpoint.zone {
        2
    } else if proxy.subzone != endpoint.subzone {
        1
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(region: &str, zone: &str, subzone: &str) -> Locality {
        Locality { region: region.into(), zone: zone.into(), subzone: subzone.into() }
    }

    #[test]
    fn what_is_shared_counts_in_order() {
        let proxy = at("r1", "z1", "s1");
        let priorities =
            [at("r1", "z1", "s1"), at("r1", "z1", "s2"), at("r1", "z2", "s1"), at("r2", "z1", "s1")]
                .map(|endpoint| locality_priority(&proxy, &endpoint));
        assert_eq!(priorities, [0, 1, 2, 3]);
    }
}
