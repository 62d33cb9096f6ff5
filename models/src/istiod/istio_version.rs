//! What changes with Istio's release, resolved here and nowhere else.
//!
//! # Models
//! One method per rule that differs between releases.
//!
//! # Source
//! Istio's release notes; the code of `retry.go`, `loadbalancer.go` and `cluster_traffic_policy.go`
//! in each release; istio/istio#60690 (unready endpoints), #60829 (network). Envoy 1.31 release
//! notes (outlier detection).

use std::fmt;
use std::str::FromStr;

/// A release of Istio, such as 1.26.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IstioVersion {
    major: u16,
    minor: u16,
}

/// The newest release that the rules here know of.
pub const NEWEST: IstioVersion = IstioVersion::new(1, 31);

impl IstioVersion {
    /// Release `major.minor`.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Whether outlier detection may always eject one host: up to 1.22. From 1.23 on (Envoy 1.31)
    /// the maximum ejection percentage is strict.
    #[must_use]
    pub const fn always_ejects_one_host(self) -> bool {
        !self.at_least(23)
    }

    /// Whether default retries cover an answer of 503: up to 1.23.
    #[must_use]
    pub const fn retries_503(self) -> bool {
        !self.at_least(24)
    }

    /// Whether Envoy weighs localities wherever `localityLbSetting` is not off, whatever it says, with
    /// outlier detection or without: up to 1.23 (istio/istio#52898 ended it).
    #[must_use]
    pub const fn always_weighs_localities(self) -> bool {
        !self.at_least(24)
    }

    /// How often a server's sidecar tries again to send its application a request that was reset before it
    /// was sent (`reset-before-request`): twice from 1.23 on.
    #[must_use]
    pub const fn inbound_retries(self) -> u8 {
        if self.at_least(23) { 2 } else { 0 }
    }

    /// Whether `tcp.idleTimeout` is known; it is the idle time-out of HTTP connections too, where they
    /// have none of their own: from 1.21 on.
    #[must_use]
    pub const fn knows_tcp_idle_timeout(self) -> bool {
        self.at_least(21)
    }

    /// Whether istiod pushes to more proxies at a time the more cores it has: from 1.21 on. Before, to 100.
    #[must_use]
    pub const fn throttles_pushes_by_cores(self) -> bool {
        self.at_least(21)
    }

    /// Whether sidecars honour a Service's `trafficDistribution`: from 1.25 on.
    #[must_use]
    pub const fn honours_traffic_distribution(self) -> bool {
        self.at_least(25)
    }

    /// Whether `PreferClose` means failover by region, zone and subzone: in 1.25.
    #[must_use]
    pub const fn prefer_close_by_locality(self) -> bool {
        self.at_least(25) && !self.at_least(26)
    }

    /// Whether `PreferClose` compares subzones too: in 1.25 and 1.26.
    #[must_use]
    pub const fn prefer_close_compares_subzones(self) -> bool {
        self.at_least(25) && !self.at_least(27)
    }

    /// Whether `PreferSameZone` and `PreferSameNode` are known: from 1.27 on.
    #[must_use]
    pub const fn knows_same_zone_and_same_node(self) -> bool {
        self.at_least(27)
    }

    /// Whether sidecars are containers of Kubernetes' own kind (`ENABLE_NATIVE_SIDECARS`), which start
    /// before the application and end after it: from 1.27 on, where Kubernetes has them
    /// (`kubernetes/version`).
    #[must_use]
    pub const fn has_native_sidecars(self) -> bool {
        self.at_least(27)
    }

    /// The panic threshold without outlier detection (percent): Envoy's 50 up to 1.30, then 0.
    #[must_use]
    pub const fn default_panic_threshold(self) -> u32 {
        if self.sends_unready_endpoints() { 0 } else { 50 }
    }

    /// Whether pods that are not ready are sent as unhealthy endpoints, instead of not at all: from
    /// 1.31 on.
    #[must_use]
    pub const fn sends_unready_endpoints(self) -> bool {
        self.at_least(31)
    }

    /// Whether the network in first place of a `failoverPriority` is preferred, not required: from
    /// 1.31 on.
    #[must_use]
    pub const fn prefers_network(self) -> bool {
        self.at_least(31)
    }

    const fn at_least(self, minor: u16) -> bool {
        self.major > 1 || (self.major == 1 && self.minor >= minor)
    }
}

impl fmt::Display for IstioVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for IstioVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("`{text}` is not a release of Istio: write it as in `1.26`");
        let (major, minor) = text.split_once('.').ok_or_else(error)?;
        let number = |part: &str| part.parse().map_err(|_| error());
        let version = Self::new(number(major)?, number(minor)?);
        if version < Self::new(1, 14) || version > NEWEST {
            return Err(format!("`{text}` is not a release that meshsim knows: 1.14 to {NEWEST}"));
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_changes_at_its_release() {
        type Rule = fn(IstioVersion) -> bool;
        let rules: [(Rule, [bool; 6]); 7] = [
            (IstioVersion::always_ejects_one_host, [true, false, false, false, false, false]),
            (IstioVersion::retries_503, [true, true, false, false, false, false]),
            (IstioVersion::always_weighs_localities, [true, true, false, false, false, false]),
            (IstioVersion::honours_traffic_distribution, [false, false, false, true, true, true]),
            (IstioVersion::prefer_close_compares_subzones, [false, false, false, true, false, false]),
            (IstioVersion::sends_unready_endpoints, [false, false, false, false, false, true]),
            (IstioVersion::prefers_network, [false, false, false, false, false, true]),
        ];
        for (rule, expected) in rules {
            let got = [22, 23, 24, 26, 30, 31].map(|minor| rule(IstioVersion::new(1, minor)));
            assert_eq!(got, expected);
        }
        let inbound = |minor| IstioVersion::new(1, minor).inbound_retries();
        assert_eq!([14, 22, 23, 31].map(inbound), [0, 0, 2, 2]);
        let falls_back = |minor| IstioVersion::new(1, minor).knows_tcp_idle_timeout();
        assert_eq!([14, 20, 21, 31].map(falls_back), [false, false, true, true]);
        assert_eq!(IstioVersion::new(1, 30).default_panic_threshold(), 50);
        assert_eq!(NEWEST.default_panic_threshold(), 0);
    }
}
