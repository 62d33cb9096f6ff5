//! Which locality setting is in force: the DestinationRule's, the Service's or the mesh's.
//!
//! # Models
//! A `localityLbSetting` of the DestinationRule holds before the Service's `trafficDistribution`,
//! and that before the mesh-wide setting; `enabled: false` in the one that holds switches all of it
//! off. `trafficDistribution` sets labels of `failoverPriority` and forces failover without outlier
//! detection. Endpoints get priorities only with outlier detection or when forced, and never beside
//! `distribute`. From 1.24 on Envoy weighs localities only for `distribute` and for explicit failover
//! rules that are in effect; up to 1.23 wherever a setting is in force, and the mesh-wide one is by
//! default: the localities of a level share its load by the weights of their endpoints, whatever the
//! balancer sees of them.
//!
//! # Source
//! Istio `loadbalancer.go`, `GetLocalityLbSetting`; `cluster_traffic_policy.go`,
//! `applyLocalityLoadBalancer` (up to tag 1.23.6 `applyLoadBalancer`; changed by istio/istio#52898);
//! Kubernetes, Service `spec.trafficDistribution`.

use super::distribute::Distribute;
use super::failover_priority::NETWORK_LABEL;
use super::istio_version::IstioVersion;
use super::locality_priority::Failover;

/// The label of a region.
pub const REGION_LABEL: &str = "topology.kubernetes.io/region";
/// The label of a zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// The label of a subzone.
pub const SUBZONE_LABEL: &str = "topology.istio.io/subzone";
/// The label of a node.
pub const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";

/// A `localityLbSetting`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalitySetting {
    /// On unless it is false.
    pub enabled: Option<bool>,
    /// Regions to fail over to.
    pub failover: Vec<Failover>,
    /// Labels in falling importance.
    pub failover_priority: Vec<String>,
    /// Explicit weights.
    pub distribute: Vec<Distribute>,
}

/// `trafficDistribution` of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficDistribution {
    /// The same zone first (an older name).
    PreferClose,
    /// The same zone first.
    PreferSameZone,
    /// The same node first.
    PreferSameNode,
}

/// Where a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingSource {
    /// The DestinationRule.
    DestinationRule,
    /// The Service.
    Service,
    /// The mesh-wide configuration.
    Mesh,
}

/// The setting that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Where it comes from.
    pub source: SettingSource,
    /// What it says.
    pub setting: LocalitySetting,
    /// Whether failover needs no outlier detection.
    pub force_failover: bool,
    /// Whether the release weighs localities whatever the setting says.
    pub weighs_always: bool,
}

/// The setting in force, if there is one.
#[must_use]
pub fn in_force(
    version: IstioVersion,
    mesh: Option<&LocalitySetting>,
    destination_rule: Option<&LocalitySetting>,
    traffic_distribution: Option<TrafficDistribution>,
) -> Option<InForce> {
    let weighs_always = version.always_weighs_localities();
    let of = |source, setting: &LocalitySetting| {
        let on = setting.enabled != Some(false);
        on.then(|| InForce { source, setting: setting.clone(), force_failover: false, weighs_always })
    };
    if let Some(setting) = destination_rule {
        return of(SettingSource::DestinationRule, setting);
    }
    if let Some(labels) = traffic_distribution.and_then(|value| value.labels(version)) {
        let failover_priority = labels.iter().map(|&label| label.to_owned()).collect();
        let setting =
            LocalitySetting { enabled: Some(true), failover_priority, ..LocalitySetting::default() };
        return Some(InForce {
            source: SettingSource::Service,
            setting,
            force_failover: true,
            weighs_always,
        });
    }
    of(SettingSource::Mesh, mesh?)
}

impl TrafficDistribution {
    /// The labels of `failoverPriority` that it stands for (empty: region, zone and subzone as by
    /// default); none where the release does not know the value.
    #[must_use]
    pub const fn labels(self, version: IstioVersion) -> Option<&'static [&'static str]> {
        const ALL: [&str; 5] = [NETWORK_LABEL, REGION_LABEL, ZONE_LABEL, SUBZONE_LABEL, HOSTNAME_LABEL];
        if !version.honours_traffic_distribution() {
            return None;
        }
        match self {
            Self::PreferClose if version.prefer_close_by_locality() => Some(&[]),
            Self::PreferClose if version.prefer_close_compares_subzones() => Some(ALL.split_at(4).0),
            Self::PreferClose => Some(ALL.split_at(3).0),
            _ if !version.knows_same_zone_and_same_node() => None,
            Self::PreferSameZone => Some(ALL.split_at(3).0),
            Self::PreferSameNode => Some(&ALL),
        }
    }
}

impl InForce {
    /// Whether endpoints get priorities, by locality or by labels.
    #[must_use]
    pub fn priorities_applied(&self, outlier_detection: bool) -> bool {
        self.setting.distribute.is_empty() && self.fails_over(outlier_detection)
    }

    /// Whether Envoy picks a locality by weight inside a priority.
    #[must_use]
    pub fn locality_weighted(&self, outlier_detection: bool) -> bool {
        let explicit = !self.setting.failover.is_empty() || !self.setting.failover_priority.is_empty();
        self.weighs_always
            || !self.setting.distribute.is_empty()
            || (explicit && self.fails_over(outlier_detection))
    }

    const fn fails_over(&self, outlier_detection: bool) -> bool {
        outlier_detection || self.force_failover
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::istiod::istio_version::NEWEST;

    #[test]
    fn the_destination_rule_comes_first_then_the_service_then_the_mesh() {
        let (on, off) = (
            LocalitySetting::default(),
            LocalitySetting { enabled: Some(false), ..LocalitySetting::default() },
        );
        let source = |mesh, rule, service| in_force(NEWEST, mesh, rule, service).map(|it| it.source);
        let close = Some(TrafficDistribution::PreferClose);
        assert_eq!(source(Some(&on), Some(&on), close), Some(SettingSource::DestinationRule));
        assert_eq!(source(Some(&on), Some(&off), close), None);
        assert_eq!(source(Some(&off), None, close), Some(SettingSource::Service));
        assert_eq!(source(Some(&on), None, None), Some(SettingSource::Mesh));
        assert_eq!(source(Some(&off), None, None), None);
        let old = in_force(IstioVersion::new(1, 24), Some(&on), None, close);
        assert_eq!(old.map(|it| it.source), Some(SettingSource::Mesh));
    }

    #[test]
    fn the_labels_of_a_traffic_distribution_depend_on_the_release() {
        let labels =
            |value: TrafficDistribution, minor| value.labels(IstioVersion::new(1, minor)).map(<[&str]>::len);
        let close = [24, 25, 26, 27, 31].map(|minor| labels(TrafficDistribution::PreferClose, minor));
        assert_eq!(close, [None, Some(0), Some(4), Some(3), Some(3)]);
        assert_eq!(labels(TrafficDistribution::PreferSameNode, 27), Some(5));
        assert_eq!(labels(TrafficDistribution::PreferSameZone, 26), None);
    }

    #[test]
    fn priorities_need_outlier_detection_and_weights_a_rule() {
        let mesh = in_force(NEWEST, Some(&LocalitySetting::default()), None, None).unwrap();
        assert!(!mesh.priorities_applied(false) && mesh.priorities_applied(true));
        assert!(!mesh.locality_weighted(true));
        let close = in_force(NEWEST, None, None, Some(TrafficDistribution::PreferClose)).unwrap();
        assert!(close.priorities_applied(false) && close.locality_weighted(false));
        let weights = Distribute { from: "*".into(), to: vec![("*".into(), 100)] };
        let rule = LocalitySetting { distribute: vec![weights], ..LocalitySetting::default() };
        let rule = in_force(NEWEST, None, Some(&rule), None).unwrap();
        assert!(!rule.priorities_applied(true) && rule.locality_weighted(false));
    }

    #[test]
    fn up_to_1_23_localities_are_weighted_unless_the_setting_is_off() {
        let weighted = |minor, enabled, outliers| {
            let setting = LocalitySetting { enabled, ..LocalitySetting::default() };
            let rule = in_force(IstioVersion::new(1, minor), Some(&setting), None, None);
            rule.is_some_and(|rule| rule.locality_weighted(outliers))
        };
        for minor in [14, 23] {
            assert!(weighted(minor, None, false) && weighted(minor, None, true), "1.{minor}");
            assert!(!weighted(minor, Some(false), true), "1.{minor}");
        }
        assert!(!weighted(24, None, false) && !weighted(24, None, true));
    }
}
