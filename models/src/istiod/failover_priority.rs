//! Istio's `failoverPriority`: priorities by labels that a proxy and an endpoint share.
//!
//! # Models
//! Labels are compared in the listed order up to the first that differs; the more of the n labels
//! match before it, the lower the level: 0 if all do, n if not even the first does. A label that is
//! missing on both sides matches. `key=value` compares with this value instead of the proxy's own.
//! From Istio 1.31 on, `topology.istio.io/network` in first place is preferred but not required: if
//! it differs the level is n more, and the other labels are still compared. Combined with
//! `failover`, the level by locality refines each level by labels. A proxy without labels has no
//! levels by labels.
//!
//! # Source
//! Istio `pilot/pkg/networking/core/loadbalancer/loadbalancer.go`, `applyFailoverPriorities`,
//! `priorityLabelOverrides`; network preferred: istio/istio#60829.

use super::locality_priority::{FAILOVER_LEVELS, Failover, Locality, close_gaps, failover_level};
use std::collections::BTreeMap;

/// Labels of a pod or a proxy.
pub type Labels = BTreeMap<String, String>;

/// The label of a network.
pub const NETWORK_LABEL: &str = "topology.istio.io/network";

/// A list of labels in falling importance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailoverPriority {
    labels: Vec<String>,
    overrides: Labels,
    network_preferred: bool,
}

/// A proxy, as far as priorities depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Where it is.
    pub locality: &'a Locality,
    /// Its labels.
    pub labels: &'a Labels,
}

/// Endpoints that stand together in one locality.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalityEndpoints {
    /// Where they are.
    pub locality: Locality,
    /// Labels and load balancing weight of each.
    pub endpoints: Vec<(Labels, u32)>,
}

/// What comes of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its priority level.
    pub priority: u32,
    /// The weight of its locality at that level: the sum over its endpoints there.
    pub group_weight: u32,
}

impl FailoverPriority {
    /// As listed, each label perhaps with a value.
    #[must_use]
    pub fn new<S: AsRef<str>>(listed: &[S], network_preferred: bool) -> Self {
        let mut overrides = Labels::new();
        let labels = listed.iter().map(|text| {
            let mut parts = text.as_ref().split('=');
            let label = parts.next().unwrap_or_default().to_owned();
            // A value with a further `=` in it is no override, in Istio.
            if let (Some(value), None) = (parts.next(), parts.next()) {
                overrides.insert(label.clone(), value.to_owned());
            }
            label
        });
        Self { labels: labels.collect(), overrides, network_preferred }
    }

    /// The level of an endpoint, gaps not closed.
    #[must_use]
    pub fn level(&self, proxy: &Labels, endpoint: &Labels) -> u32 {
        let n = self.labels.len() as u32;
        let network_first = self.labels.first().is_some_and(|label| label == NETWORK_LABEL);
        let skipped = usize::from(self.network_preferred && network_first);
        let farther = if self.labels[..skipped].iter().all(|label| self.matches(label, proxy, endpoint)) {
            0
        } else {
            n
        };
        let differs = self.labels[skipped..].iter().position(|label| !self.matches(label, proxy, endpoint));
        farther + differs.map_or(0, |index| n - (skipped + index) as u32)
    }

    fn matches(&self, label: &str, proxy: &Labels, endpoint: &Labels) -> bool {
        let value = |labels: &Labels| labels.get(label).cloned().unwrap_or_default();
        self.overrides.get(label).cloned().unwrap_or_else(|| value(proxy)) == value(endpoint)
    }
}

/// Where every endpoint stands, group by group; priorities are consecutive from 0.
#[must_use]
pub fn prioritize(
    caller: Caller<'_>,
    by_labels: &FailoverPriority,
    failover: &[Failover],
    groups: &[LocalityEndpoints],
) -> Vec<Vec<Placed>> {
    let level_of = |group: &LocalityEndpoints, labels: &Labels| {
        let listed = !by_labels.labels.is_empty();
        let by_label =
            if listed && !caller.labels.is_empty() { by_labels.level(caller.labels, labels) } else { 0 };
        // Without labels the default failover holds.
        let refined = !failover.is_empty() || !listed;
        let by_locality =
            if refined { failover_level(caller.locality, &group.locality, failover) } else { 0 };
        by_label * FAILOVER_LEVELS + by_locality
    };
    let mut levels: Vec<u32> = groups
        .iter()
        .flat_map(|group| group.endpoints.iter().map(|(labels, _)| level_of(group, labels)))
        .collect();
    close_gaps(&mut levels);
    let mut rest = levels.as_slice();
    groups
        .iter()
        .map(|group| {
            let (levels, after) = rest.split_at(group.endpoints.len());
            rest = after;
            with_weights(group, levels)
        })
        .collect()
}

fn with_weights(group: &LocalityEndpoints, levels: &[u32]) -> Vec<Placed> {
    let weight_at = |priority| {
        let same = group.endpoints.iter().zip(levels).filter(|(_, level)| **level == priority);
        same.map(|((_, weight), _)| *weight).sum()
    };
    levels.iter().map(|&priority| Placed { priority, group_weight: weight_at(priority) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn leading_matches_count() {
        let order = FailoverPriority::new(&["a", "b", "c"], true);
        let proxy = labels(&[("a", "1"), ("b", "1")]);
        let level = |pairs: &[(&str, &str)]| order.level(&proxy, &labels(pairs));
        // `c` is missing on both sides.
        assert_eq!(level(&[("a", "1"), ("b", "1")]), 0);
        assert_eq!(level(&[("a", "1"), ("b", "1"), ("c", "2")]), 1);
        assert_eq!(level(&[("a", "1"), ("b", "2")]), 2);
        assert_eq!(level(&[("b", "1")]), 3);
    }

    #[test]
    fn a_value_overrides_the_proxys_own() {
        let order = FailoverPriority::new(&["a=2"], true);
        let proxy = labels(&[("a", "1")]);
        assert_eq!(order.level(&proxy, &labels(&[("a", "2")])), 0);
        assert_eq!(order.level(&proxy, &labels(&[("a", "1")])), 1);
    }

    #[test]
    fn the_network_is_required_up_to_1_30_and_preferred_from_1_31_on() {
        let proxy = labels(&[(NETWORK_LABEL, "n1"), ("zone", "z1")]);
        let level = |preferred, network, zone| {
            let order = FailoverPriority::new(&[NETWORK_LABEL, "zone"], preferred);
            order.level(&proxy, &labels(&[(NETWORK_LABEL, network), ("zone", zone)]))
        };
        let all = |preferred| {
            [("n1", "z1"), ("n1", "z2"), ("n2", "z1"), ("n2", "z2")]
                .map(|(network, zone)| level(preferred, network, zone))
        };
        assert_eq!(all(false), [0, 1, 2, 2]);
        assert_eq!(all(true), [0, 1, 2, 3]);
    }

    #[test]
    fn failover_refines_and_gaps_are_closed() {
        let proxy = labels(&[("a", "1")]);
        let caller = Caller { locality: &"r1".into(), labels: &proxy };
        let group = |locality: &str, values: &[(&str, u32)]| LocalityEndpoints {
            locality: locality.into(),
            endpoints: values.iter().map(|&(value, weight)| (labels(&[("a", value)]), weight)).collect(),
        };
        let groups = [group("r3", &[("1", 1), ("2", 5)]), group("r2", &[("1", 2), ("1", 3)])];
        let failover = [Failover { from: "r1".into(), to: "r2".into() }];
        let placed = prioritize(caller, &FailoverPriority::new(&["a"], true), &failover, &groups);
        let at = |priority, group_weight| Placed { priority, group_weight };
        assert_eq!(placed, [[at(1, 1), at(2, 5)], [at(0, 5), at(0, 5)]]);
        // No labels at the proxy: locality alone.
        let bare = Caller { labels: &Labels::new(), ..caller };
        let placed = prioritize(bare, &FailoverPriority::new(&["a"], true), &failover, &groups);
        assert_eq!(placed, [[at(1, 6), at(1, 6)], [at(0, 5), at(0, 5)]]);
    }
}
