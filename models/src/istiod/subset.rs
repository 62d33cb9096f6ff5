//! Versions of a service: subsets of its endpoints by the labels of their pods.
//!
//! # Models
//! A version is a Deployment of its own whose pods stand behind the Service of another one (`ServiceSettings::version_of`),
//! as Bookinfo's three Deployments of `reviews` do. All of them are endpoints of the Service. A subset of a DestinationRule
//! selects those whose pods have all of its labels, and is an upstream of its own, with connections, limits and ejections
//! of its own; what its policy says stands in place of what the rule says, by whole parts (`connectionPool`,
//! `loadBalancer`, `outlierDetection`, `retryBudget`), and nothing within a part is inherited.
//! A subset that selects nothing is an upstream without hosts: its requests are answered 503 (flag UH). One that no rule
//! defines is no upstream at all: 503, too, with flag NC, and a copy for it is dropped.
//! A subset of the endpoints of one cluster goes by the label `topology.istio.io/cluster`, which all pods have.
//!
//! # Assumptions
//! Labels of Deployments are for subsets alone: `failoverPriority` compares those of clusters and nodes. Effect: none
//! unless it lists such a label, where all endpoints count as without it.
//!
//! # Source
//! Istio, DestinationRule (`Subset`); `util.MergeSubsetTrafficPolicy` (`pilot/pkg/networking/util/util.go`: "override with
//! subset values"); `endpoint_builder.go`, `populateFailoverPriorityLabels` and the filter by `subsetLabels`. Envoy,
//! `config.route.v3.RouteAction` (`cluster_not_found_response_code`, default 503), response flag NC; `router.cc`.

use super::cluster_policy::TrafficPolicy;
use super::failover_priority::Labels;
use super::locality_setting::LocalitySetting;
use crate::envoy::session_affinity::ConsistentHash;
use crate::ids::{ClusterId, SubsetId};

/// A part of the endpoints of a service, as routes name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subset {
    /// Those in a cluster.
    Cluster(ClusterId),
    /// Those that the service's DestinationRule gives this name, if it does.
    Named(SubsetId),
}

/// A subset of a DestinationRule. What its policy is made of stands here as it comes out, inherited parts included.
#[derive(Clone, Debug, PartialEq)]
pub struct SubsetSettings {
    /// Its name.
    pub name: SubsetId,
    /// The labels that its pods have; none: all pods.
    pub labels: Labels,
    /// `trafficPolicy`.
    pub traffic_policy: TrafficPolicy,
    /// `localityLbSetting`.
    pub locality: Option<LocalitySetting>,
    /// What requests are hashed by, under `consistentHash`.
    pub hash: Option<ConsistentHash>,
}

/// What the endpoints of a subset have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The cluster.
    Cluster(ClusterId),
    /// Labels.
    Labels(Labels),
}

impl Selector {
    /// Whether it selects a pod in this cluster whose Deployment has labels, and whose cluster and node give it others.
    #[must_use]
    pub fn selects(&self, cluster: ClusterId, own: &Labels, around: &Labels) -> bool {
        match self {
            Self::Cluster(only) => *only == cluster,
            Self::Labels(labels) => {
                labels.iter().all(|(key, value)| own.get(key).or_else(|| around.get(key)) == Some(value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn all_labels_of_a_subset_must_be_there() {
        let selects = |wanted: &[(&str, &str)], own: &[(&str, &str)]| {
            let around = labels(&[("zone", "a"), ("version", "none")]);
            Selector::Labels(labels(wanted)).selects(ClusterId(0), &labels(own), &around)
        };
        assert!(selects(&[("version", "v2")], &[("version", "v2"), ("track", "canary")]));
        assert!(!selects(&[("version", "v2"), ("track", "canary")], &[("version", "v2")]));
        // A pod's own label wins over what surrounds it, and what surrounds it counts.
        assert!(!selects(&[("version", "none")], &[("version", "v2")]));
        assert!(selects(&[("zone", "a")], &[]) && !selects(&[("zone", "b")], &[]));
        assert!(selects(&[], &[]));
        assert!(Selector::Cluster(ClusterId(1)).selects(ClusterId(1), &Labels::new(), &Labels::new()));
    }
}
