//! A proxy judges the hosts that it calls, and ejects some.
//!
//! # Models
//! What comes of an attempt goes to outlier detection (`envoy/outlier_detection`), whose interval's timer runs while
//! there is something to give back.
//!
//! # Assumptions
//! - A proxy's interval begins at a random moment: its proxies were not all started at once.
//!
//! # Source
//! Envoy `outlier_detection_impl.cc` (`armIntervalTimer`).

use super::Outbound;
use crate::cluster::around::Around;
use crate::cluster::changed_views::view_of;
use crate::cluster::event::Event;
use crate::draws::{Purpose, draw};
use crate::envoy::outlier_detection::AtTick;
use crate::envoy::upstream::{AttemptResult, Picking};
use crate::ids::{PodId, ProxyId, UpstreamId};
use crate::telemetry::decision::What;
use crate::telemetry::exporters::envoy::Happens;
use crate::telemetry::metrics::Counter;
use meshsim_core::SimDuration;
use meshsim_core::random::uniform;

impl Outbound {
    /// Outlier detection learns what came of an attempt.
    #[cold]
    pub(super) fn detect_outlier(
        &mut self,
        at: &mut Around<'_>,
        proxy: ProxyId,
        id: UpstreamId,
        pod: PodId,
        result: AttemptResult,
    ) {
        let spec = at.spec(proxy, id);
        let view = view_of(&self.endpoints, at.topology, at.here, at.proxies[proxy].viewer(), id);
        let picking = Picking { spec, view, addresses: &at.topology.addresses, now: at.now };
        let upstream = self.upstreams.known_mut(proxy, id);
        let overflow = upstream.overflow();
        let ejection = upstream.result(&picking, pod, result);
        let stopped = upstream.overflow() - overflow;
        if stopped > 0 {
            at.counted_by(proxy, spec.service, Counter::EjectionOverflows);
        }
        if let Some(why) = ejection {
            at.counted_by(proxy, spec.service, Counter::Ejections);
            at.recorder.decided(at.now, What::Ejected(at.proxies[proxy].kind, pod, why));
            self.schedule_tick(at, proxy, id);
            self.health_changes(at, proxy, id);
        }
    }

    /// A proxy has ejected a host or given one back.
    fn health_changes(&mut self, at: &mut Around<'_>, proxy: ProxyId, upstream: UpstreamId) {
        if let Some(merged) = self.upstreams.known_mut(proxy, upstream).health_changes(at.now) {
            at.schedule(merged, Event::TakesOverHealth { proxy, upstream });
        }
    }

    /// A proxy takes over what has changed within a second.
    pub(crate) fn take_over_health(&mut self, at: &mut Around<'_>, proxy: ProxyId, upstream: UpstreamId) {
        // The proxy may have died, and its state with it.
        if let Some(upstream) = self.upstreams.get_mut(proxy, upstream) {
            upstream.take_over_health(at.now);
        }
    }

    /// A proxy's interval of outlier detection is over.
    pub(crate) fn outlier_tick(&mut self, at: &mut Around<'_>, proxy: ProxyId, id: UpstreamId) {
        let spec = at.spec(proxy, id);
        let Some(config) = &spec.outlier_detection else { return };
        let now = at.now;
        // The proxy may have died, and its state with it.
        let Some(upstream) = self.upstreams.get_mut(proxy, id) else { return };
        upstream.ticks = false;
        let (mut changes, mut ejected) = (false, 0);
        let (recorder, kind) = (&mut *at.recorder, at.proxies[proxy].kind);
        let again = upstream.tick(config, now, |pod, what| match (what, pod) {
            (AtTick::Ejected(_, why), Some(pod)) => {
                changes = true;
                ejected += 1;
                recorder.counted(now, spec.service, Counter::Ejections);
                recorder.decided(now, What::Ejected(kind, pod, why));
            }
            (AtTick::Returned(_), Some(pod)) => {
                changes = true;
                recorder.decided(now, What::Returned(kind, pod));
            }
            _ => {}
        });
        for _ in 0..ejected {
            at.proxy_counts(proxy, Some(spec.service), Happens::Counted(Counter::Ejections));
        }
        if changes {
            self.health_changes(at, proxy, id);
        }
        if again {
            self.schedule_tick(at, proxy, id);
        }
    }

    pub(super) fn schedule_tick(&mut self, at: &mut Around<'_>, proxy: ProxyId, id: UpstreamId) {
        let spec = at.spec(proxy, id);
        let Some(config) = &spec.outlier_detection else { return };
        let interval = config.interval.as_nanos().max(1);
        if std::mem::replace(&mut self.upstreams.known_mut(proxy, id).ticks, true) {
            return;
        }
        let of_proxy = at.topology.draws.of_proxy(at.here, proxy);
        let begins = uniform(&mut draw(of_proxy, Purpose::OutlierInterval)) * interval as f64;
        // The first end of an interval after now.
        let passed = (at.now.as_nanos() + interval - begins as u64) % interval;
        let ends = at.now.saturating_add(SimDuration::from_nanos(interval - passed));
        at.schedule(ends, Event::OutlierTick { proxy, upstream: id });
    }
}
