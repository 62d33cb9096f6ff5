//! Whether the certificates with which proxies prove who they are hold.
//!
//! # Models
//! istiod signs each workload's certificate for a day. When half of that is over its agent asks for the next one; while
//! istiod is down or cannot be reached it asks again and again. If that takes until the certificate has ended, no
//! connection with mTLS can be made any more, neither from the proxy nor to it, until there is a new one; connections that
//! are there go on.
//!
//! # Assumptions
//! - When the run begins certificates are as old as they may be, evenly up to half of their lifetime.
//! - A new certificate is there as soon as istiod can be reached, and asking for one costs nothing.
//! - The certificate of a pod that came during the run is as old as what its client knows of it.
//! - Certificates of ztunnels do not end.
//!
//! # Source
//! istio.io, "Security" (24 h); istio/istio `security/pkg/nodeagent/cache/secretcache.go` (`rotateTime`),
//! `pkg/security/security.go` (`SECRET_TTL`, `SECRET_GRACE_PERIOD_RATIO` 0.5).

use super::topology::Topology;
use crate::draws::{Purpose, draw};
use crate::envoy::proxies::{Proxies, ProxyKind};
use crate::ids::{ClusterId, PodId, ProxyId};
use meshsim_core::SimTime;
use meshsim_core::random::{Address, uniform};

/// Since when a proxy has a certificate, and whose istiod it asks.
#[derive(Clone, Copy, Debug)]
pub struct Certified {
    cluster: ClusterId,
    /// When its first certificate of the run was signed (ns), which may have been before it.
    signed: i128,
}

/// A time in which a certificate has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// Since when a new one was asked for.
    pub asked: SimTime,
    /// When it ended.
    pub begins: SimTime,
    /// When there is a new one; never is [`SimTime::MAX`].
    pub ends: SimTime,
}

impl Topology {
    /// The certificate of a pod's sidecar, which it has since a moment, or since before the run.
    #[must_use]
    pub fn certificate_of_pod(&self, pod: PodId, since: Option<SimTime>) -> Certified {
        self.certificate(self.pod_ids.cluster_of(pod), self.draws_of_pod(pod, 0), since)
    }

    /// The certificate of a proxy of a cluster; `since` is asked for a sidecar.
    #[must_use]
    pub fn certificate_of_proxy(
        &self,
        cluster: ClusterId,
        (proxies, proxy): (&Proxies, ProxyId),
        since: impl FnOnce(PodId) -> Option<SimTime>,
    ) -> Certified {
        match proxies[proxy].kind {
            ProxyKind::Sidecar(pod) => self.certificate_of_pod(pod, since(pod)),
            _ => self.certificate(cluster, self.draws.of_proxy(cluster, proxy), None),
        }
    }

    fn certificate(&self, cluster: ClusterId, address: Address, since: Option<SimTime>) -> Certified {
        let signed = since.map_or_else(
            || {
                let oldest = self.description.certificate_lifetime().as_nanos_f64() / 2.0;
                -((uniform(&mut draw(address, Purpose::CertificateAge)) * oldest) as i128)
            },
            |since| i128::from(since.as_nanos()),
        );
        Certified { cluster, signed }
    }

    /// The times in which a certificate has ended, of those that begin until `until`.
    pub fn lapses(&self, of: Certified, until: SimTime) -> impl Iterator<Item = Lapse> + '_ {
        let lifetime = i128::from(self.description.certificate_lifetime().as_nanos());
        let moment = |nanos: i128| SimTime::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX));
        let mut signed = of.signed;
        std::iter::from_fn(move || {
            loop {
                let (asked, ends) = (moment(signed + lifetime / 2), moment(signed + lifetime));
                if ends > until {
                    return None;
                }
                let renewed = self.istiod_is_reached_from(of.cluster, asked);
                if renewed == SimTime::MAX {
                    signed = i128::MAX / 2;
                } else {
                    signed = i128::from(renewed.as_nanos());
                }
                if renewed > ends {
                    return Some(Lapse { asked, begins: ends, ends: renewed });
                }
            }
        })
    }

    /// Whether a certificate holds.
    #[must_use]
    pub fn holds(&self, of: Certified, now: SimTime) -> bool {
        self.lapses(of, now).all(|it| it.ends <= now)
    }
}
