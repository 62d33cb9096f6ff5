//! Where istiod stands, and what its work takes.
//!
//! # Assumptions
//! What it takes to prepare a push and to make it for a proxy is nowhere published by release: the defaults are of the
//! order that Istio's performance page gives for a control plane of one core (some 1,000 services, 2,000 proxies), and
//! are to be measured where they matter. What a proxy that is connected takes at rest is an upper bound: AKS serves 25,000
//! sidecars with the 15 cores that its largest istiod has.
//!
//! # Source
//! istio/istio `pilot/pkg/features/tuning.go`; istio.io, "Performance and Scalability"; Microsoft, "Istio service mesh add-on
//! performance and scaling" (Istio 1.19, one istiod, 16 cores). Certificates: istio.io, "Security" (24 h, `SECRET_TTL`);
//! `pkg/security/security.go` (`SECRET_GRACE_PERIOD_RATIO`, 0.5).

use super::debounce::DebounceSettings;
use super::istio_version::IstioVersion;
use super::push_kind::PushKind;
use super::push_queue::concurrent_pushes;
use crate::ids::ClusterId;
use meshsim_core::SimDuration;

/// An istiod that is simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IstiodSettings {
    /// The cluster in which the only one stands; absent: every cluster has one of its own.
    pub cluster: Option<ClusterId>,
    /// How changes are merged.
    pub debounce: DebounceSettings,
    /// Its replicas, from 1 to [`ISTIOD_REPLICAS_MAX`].
    pub replicas: u32,
    /// The cores of each.
    pub cores: u32,
    /// Pushes at a time of each; absent: by the cores.
    pub push_throttle: Option<u32>,
    /// What preparing a push takes.
    pub prepare: SimDuration,
    /// CPU time of making and sending a proxy's endpoints.
    pub push: SimDuration,
    /// The same of all that a proxy sees.
    pub full_push: SimDuration,
    /// Cores that it takes to serve a proxy at rest.
    pub cpu_per_proxy: f64,
    /// How old a proxy's connection gets.
    pub max_connection_age: SimDuration,
    /// How long a proxy's certificate holds.
    pub certificate_lifetime: SimDuration,
}

/// So many replicas an istiod has at most.
pub const ISTIOD_REPLICAS_MAX: u32 = 100;

impl Default for IstiodSettings {
    fn default() -> Self {
        Self {
            cluster: None,
            debounce: DebounceSettings::default(),
            replicas: 1,
            cores: 2,
            push_throttle: None,
            prepare: SimDuration::from_millis(10),
            push: SimDuration::from_millis(1),
            full_push: SimDuration::from_millis(10),
            cpu_per_proxy: 15.0 / 25_000.0,
            max_connection_age: SimDuration::from_secs(30 * 60),
            certificate_lifetime: SimDuration::from_secs(24 * 3_600),
        }
    }
}

impl IstiodSettings {
    /// Pushes at a time.
    #[must_use]
    pub fn most_pushes(&self, version: IstioVersion) -> u32 {
        concurrent_pushes(version, self.cores, self.push_throttle.map_or(0, i64::from))
    }

    /// How long a push to a proxy takes while so many are made at once, this one among them: they share the cores.
    #[must_use]
    pub fn takes(&self, kind: PushKind, at_once: u32) -> SimDuration {
        let alone = match kind {
            PushKind::Incremental => self.push,
            PushKind::Full => self.full_push,
        };
        let each = f64::from(at_once) / f64::from(self.cores.max(1));
        SimDuration::from_nanos((alone.as_nanos() as f64 * each.max(1.0)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::istiod::istio_version::NEWEST;

    #[test]
    fn pushes_at_once_share_the_cores() {
        let settings = IstiodSettings::default();
        assert_eq!(settings.most_pushes(NEWEST), 25);
        assert_eq!(
            [1, 2, 4].map(|n| settings.takes(PushKind::Full, n).as_nanos()),
            [10_000_000, 10_000_000, 20_000_000]
        );
    }
}
