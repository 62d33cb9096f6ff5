//! Istio's failover priorities: how near an endpoint is to the proxy that chooses.
//!
//! # Models
//! The more of region, zone and subzone (in that order) an endpoint shares with the proxy, the
//! lower its priority's number; a proxy uses the lowest level that has healthy endpoints. With
//! `failover: [{from, to}]` for the proxy's region (the first such entry counts), foreign regions
//! other than `to` come last. Levels without endpoints are closed up, so that priorities are
//! consecutive from 0.
//!
//! # Source
//! Istio `pilot/pkg/networking/util/util.go`, `LbPriority`; `loadbalancer.go`,
//! `applyLocalityFailover`.

/// Where a cluster is, in names or in numbers of them. Two empty parts are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locality<N = String> {
    /// Label `topology.kubernetes.io/region`.
    pub region: N,
    /// Label `topology.kubernetes.io/zone`.
    pub zone: N,
    /// Label `topology.istio.io/subzone`.
    pub subzone: N,
}

/// The priority of an endpoint at `endpoint` for a proxy at `proxy`: 0 (same region, zone and
/// subzone) to 3 (another region).
#[must_use]
pub fn locality_priority<N: PartialEq>(proxy: &Locality<N>, endpoint: &Locality<N>) -> u32 {
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

/// Where the traffic of a region goes when the region fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover<N = String> {
    /// The region of the proxy.
    pub from: N,
    /// The region that is preferred to all other foreign ones.
    pub to: N,
}

/// How many levels [`failover_level`] knows.
pub const FAILOVER_LEVELS: u32 = 5;

/// The level of an endpoint under `failover` rules: [`locality_priority`], and 4 for a foreign
/// region that is not the one to fail over to.
#[must_use]
pub fn failover_level<N: PartialEq>(
    proxy: &Locality<N>,
    endpoint: &Locality<N>,
    failover: &[Failover<N>],
) -> u32 {
    let priority = locality_priority(proxy, endpoint);
    let rule = failover.iter().find(|rule| rule.from == proxy.region);
    if priority == 3 && rule.is_some_and(|rule| rule.to != endpoint.region) { 4 } else { priority }
}

/// The priorities of groups of endpoints for a proxy, consecutive from 0.
#[must_use]
pub fn priorities<N: PartialEq>(
    proxy: &Locality<N>,
    groups: &[Locality<N>],
    failover: &[Failover<N>],
) -> Vec<u32> {
    let mut levels: Vec<_> = groups.iter().map(|group| failover_level(proxy, group, failover)).collect();
    close_gaps(&mut levels);
    levels
}

/// Renumbers levels so that they are consecutive from 0, in the same order.
pub fn close_gaps(levels: &mut [u32]) {
    let mut present = levels.to_vec();
    present.sort_unstable();
    present.dedup();
    for level in levels {
        *level = present.partition_point(|other| *other < *level) as u32;
    }
}

impl From<&str> for Locality {
    /// `region/zone/subzone`; parts may be missing or empty.
    fn from(text: &str) -> Self {
        let mut parts = text.split('/').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Self { region: next(), zone: next(), subzone: next() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(region: &str, zone: &str, subzone: &str) -> Locality {
        Locality { region: region.into(), zone: zone.into(), subzone: subzone.into() }
    }

    #[test]
    fn a_locality_is_written_with_slashes() {
        assert_eq!(Locality::from("r1/z1/s1"), at("r1", "z1", "s1"));
        assert_eq!(Locality::from("r1"), at("r1", "", ""));
        assert_eq!(Locality::from(""), Locality::default());
    }

    #[test]
    fn the_region_to_fail_over_to_comes_before_other_foreign_ones() {
        let proxy = at("r1", "z1", "s1");
        let failover = [("r2", "r1"), ("r1", "r3"), ("r1", "r2")]
            .map(|(from, to)| Failover { from: from.into(), to: to.into() });
        let levels = |groups: &[&str]| {
            priorities(&proxy, &groups.iter().map(|&text| text.into()).collect::<Vec<_>>(), &failover)
        };
        assert_eq!(levels(&["r1/z1/s1", "r1/z1/s2", "r1/z2", "r2", "r3"]), [0, 1, 2, 4, 3]);
        assert_eq!(levels(&["r2", "r1/z2", ""]), [1, 0, 1]);
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
