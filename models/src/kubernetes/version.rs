//! What changes with Kubernetes' release, resolved here and nowhere else.
//!
//! # Models
//! One method per rule that differs between releases. The control plane and all nodes have the same.
//!
//! | rule | changes with | source in kubernetes/kubernetes, unless said otherwise |
//! | --- | --- | --- |
//! | how long a node may be silent | 1.32 | release notes (`--node-monitor-grace-period` 40 s, then 50 s) |
//! | what a scaling policy's period began with | 1.26 | #109058 (issue 108354), `horizontal.go` |
//! | a pod that a kubelet has ended is Failed or Succeeded before it is gone | 1.27 | #115331, `kubelet_pods.go` (`getPhase`), `status_manager.go` (`TerminatePod`) |
//! | a ratio at the very border of the tolerance | 1.33 | KEP 4951, #130797, `replica_calculator.go` |
//! | `behavior.scaleUp.tolerance`, `scaleDown.tolerance` | 1.33 | KEP 4951 (behind a gate, on from 1.35) |
//! | `BalancedAllocation` of a pod that requests nothing | 1.33 | #130260 (issue 129138) |
//! | Istio's sidecars of Kubernetes' own kind | 1.33 | istio/istio#56428, `detectNativeSidecar` |
//!
//! Sidecar containers exist, on by default, since 1.29, but Istio's own default waits until they are
//! stable.
//!
//! # Assumptions
//! What else is simulated has been the same since 1.22, the oldest release known here: the arithmetic
//! of a rolling update (`rolling.go`), the logarithmic order of deletion (on by default since 1.22),
//! `selectPolicy: Min` upwards (#95647, 1.20), the standard deviation of `BalancedAllocation`
//! (#101946), containers as a source of metrics. 1.36 compares a node's balance with and without the
//! pod (#135573): that rule is not here, so 1.35 is the newest.

use meshsim_core::SimDuration;
use std::fmt;
use std::str::FromStr;

/// A release of Kubernetes, such as 1.31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubernetesVersion {
    minor: u16,
}

/// The oldest release that the rules here know of.
pub const OLDEST: KubernetesVersion = KubernetesVersion::new(22);

/// The newest release that the rules here know of.
pub const NEWEST: KubernetesVersion = KubernetesVersion::new(35);

impl KubernetesVersion {
    /// Release `1.minor`.
    #[must_use]
    pub const fn new(minor: u16) -> Self {
        Self { minor }
    }

    /// Whether a scaling policy counts changes of both directions when it looks for the replicas that its
    /// period began with: from 1.26 on. Before, one for scaling up saw only what was added, and one
    /// for scaling down only what was removed.
    #[must_use]
    pub const fn counts_both_directions(self) -> bool {
        self.at_least(26)
    }

    /// Whether a pod that is deleted is Failed or Succeeded when its containers have ended, before it is gone: from 1.27 on.
    #[must_use]
    pub const fn deleted_pods_end_in_a_phase(self) -> bool {
        self.at_least(27)
    }

    /// How long a node may be silent before it is not ready: 40 s, from 1.32 on 50 s.
    #[must_use]
    pub const fn node_monitor_grace(self) -> SimDuration {
        SimDuration::from_secs(if self.at_least(32) { 50 } else { 40 })
    }

    /// Whether a ratio at the very border of the tolerance, such as 1.1, is within it: from 1.33 on.
    /// Before, what the ratio is away from 1 was compared, which for 1.1 is 0.10000000000000009.
    #[must_use]
    pub const fn border_is_within_tolerance(self) -> bool {
        self.at_least(33)
    }

    /// Whether a behavior may have a tolerance of its own: from 1.33 on.
    #[must_use]
    pub const fn knows_tolerance_of_behavior(self) -> bool {
        self.at_least(33)
    }

    /// Whether the balance of a node's resources does not matter to a pod that requests nothing: from
    /// 1.33 on.
    #[must_use]
    pub const fn skips_balance_without_requests(self) -> bool {
        self.at_least(33)
    }

    /// Whether sidecar containers are stable, so that Istio uses them if it knows them: from 1.33 on.
    #[must_use]
    pub const fn has_stable_sidecars(self) -> bool {
        self.at_least(33)
    }

    const fn at_least(self, minor: u16) -> bool {
        self.minor >= minor
    }
}

impl Default for KubernetesVersion {
    fn default() -> Self {
        NEWEST
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.minor)
    }
}

impl FromStr for KubernetesVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("`{text}` is not a release of Kubernetes: write it as in `1.31`");
        let (major, minor) = text.split_once('.').ok_or_else(error)?;
        let number = |part: &str| part.parse::<u16>().map_err(|_| error());
        let (major, version) = (number(major)?, Self::new(number(minor)?));
        if major != 1 || version < OLDEST || version > NEWEST {
            return Err(format!("`{text}` is not a release that meshsim knows: {OLDEST} to {NEWEST}"));
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_changes_at_its_release() {
        type Rule = fn(KubernetesVersion) -> bool;
        let rules: [(Rule, [bool; 5]); 5] = [
            (KubernetesVersion::counts_both_directions, [false, true, true, true, true]),
            (KubernetesVersion::border_is_within_tolerance, [false, false, false, true, true]),
            (KubernetesVersion::knows_tolerance_of_behavior, [false, false, false, true, true]),
            (KubernetesVersion::skips_balance_without_requests, [false, false, false, true, true]),
            (KubernetesVersion::has_stable_sidecars, [false, false, false, true, true]),
        ];
        for (rule, expected) in rules {
            assert_eq!([25, 26, 32, 33, 35].map(|minor| rule(KubernetesVersion::new(minor))), expected);
        }
    }

    #[test]
    fn nodes_may_be_silent_for_longer_from_1_32_on() {
        let grace = |minor| KubernetesVersion::new(minor).node_monitor_grace();
        assert_eq!([31, 32].map(grace), [40, 50].map(SimDuration::from_secs));
    }

    #[test]
    fn releases_are_read_as_they_are_written() {
        assert_eq!("1.31".parse(), Ok(KubernetesVersion::new(31)));
        assert_eq!(KubernetesVersion::default().to_string(), "1.35");
        let said = |text: &str| text.parse::<KubernetesVersion>().unwrap_err();
        for text in ["1.21", "1.36", "2.30"] {
            assert_eq!(said(text), format!("`{text}` is not a release that meshsim knows: 1.22 to 1.35"));
        }
        for text in ["1", "1.x", "v1.30", "1.30.2"] {
            assert_eq!(said(text), format!("`{text}` is not a release of Kubernetes: write it as in `1.31`"));
        }
    }
}
