//! Where istiod stands, and what its work takes.
//!
//! # Assumptions
//! What it takes to prepare a push and to make it for a proxy is nowhere published by release: the defaults are of the
//! order that Istio's performance page gives for a control plane of one core (some 1,000 services, 2,000 proxies), and
//! are to be measured where they matter.
//!
//! # Source
//! istio/istio `pilot/pkg/features/tuning.go`; istio.io, "Performance and Scalability".

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
    /// Its cores.
    pub cores: u32,
    /// Pushes at a time; absent: by the cores.
    pub push_throttle: Option<u32>,
    /// What preparing a push takes.
    pub prepare: SimDuration,
    /// CPU time of making and sending a proxy's endpoints.
    pub push: SimDuration,
    /// The same of all that a proxy sees.
    pub full_push: SimDuration,
}

impl Default for IstiodSettings {
    fn default() -> Self {
        Self {
            cluster: None,
            debounce: DebounceSettings::default(),
            cores: 2,
            push_throttle: None,
            prepare: SimDuration::from_millis(10),
            push: SimDuration::from_millis(1),
            full_push: SimDuration::from_millis(10),
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
