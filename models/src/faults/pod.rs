//! Pods that fail for a while: they crash, are cut off, are not ready, answer with errors or become slow.
//!
//! # Models
//! - *Crash*: the application and its sidecar die. What they had under way is lost, its clients'
//!   connections are reset, and new ones are refused until the pod is back, empty. Proxies keep the
//!   endpoint until they are told.
//! - *Blackhole*: whatever is sent to the pod or by it is swallowed, as by a firewall that drops, or on a node
//!   that is cut off. Nothing is refused: who calls it waits (`cluster/outbound/blackhole`). The pod itself goes on.
//! - *Unready*: the pod serves what reaches it, but proxies are told to leave it.
//! - *Errors*: a share of the calls is answered with a status at once; their further calls are not
//!   made.
//! - *Slow*: CPU work and sleeps take longer by a factor.
//!
//! A fault may come again by chance, and a crash whenever the pod has run for a while (`faults/repeated`).
//!
//! Crashed, cut-off and unready pods leave the endpoint set, or are sent as unhealthy, some time after the
//! fault begins (`seen_after`); and come back as much after its end.
//!
//! # Assumptions
//! - The whole time line is known from the start. A connection that is idle when its pod crashes is
//!   found closed at its next use.
//! - The control planes of other clusters learn of a change over the links (`cluster/control/istiod`).
//! - A refused connection is refused at once (RST), as by a node whose pod is gone.
//!
//! # Source
//! Envoy and Istio treat these by the rules cited in `envoy/`; Kubernetes, pod readiness; Linux, a
//! closed port answers RST (RFC 9293, section 3.5.2).

use crate::ids::{ClusterId, PodId, ServiceId};
use crate::kubernetes::hpa::pod_groups::ReadyCondition;
use crate::pod_id::PodIds;
use meshsim_core::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};

/// A fault of pods, in plain values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PodFault {
    /// Whose pods.
    pub service: ServiceId,
    /// Where.
    pub cluster: ClusterId,
    /// Which of the service's pods there, counted from 0, and whoever takes its address later; absent: all.
    pub pod: Option<u32>,
    /// When it begins, from the start of the run, warm-up included.
    pub begins: SimTime,
    /// When it ends; absent: never.
    pub ends: Option<SimTime>,
    /// What it is.
    pub kind: FaultKind,
    /// How long it takes until proxies are told; absent: they never are.
    pub seen_after: Option<SimDuration>,
}

/// What is wrong with a pod.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum FaultKind {
    /// It is dead.
    Crash,
    /// What is sent to it and what it sends is swallowed.
    Blackhole,
    /// It is not ready.
    Unready,
    /// It answers a share of the calls (0 to 1) with this status.
    Errors {
        /// Share.
        share: f64,
        /// Status.
        status: u16,
    },
    /// Everything takes so many times as long.
    Slow {
        /// How many.
        factor: f64,
    },
}

/// The faults of all pods.
#[derive(Clone, Debug)]
pub struct PodFaults {
    /// By cluster and service, then by their beginning.
    faults: Vec<PodFault>,
    /// When the last of a service's faults in a cluster up to each is over: a question of a moment need not look at
    /// all.
    over_by: Vec<SimTime>,
    ids: PodIds,
    /// Whether a pod swallows anything at any time.
    swallows: bool,
}

impl PodFaults {
    /// These faults.
    #[must_use]
    pub fn new(mut faults: Vec<PodFault>, ids: PodIds) -> Self {
        faults.sort_by_key(|it| (it.cluster, it.service, it.begins));
        let swallows = faults.iter().any(|fault| fault.kind == FaultKind::Blackhole);
        let mut over_by: Vec<SimTime> = Vec::with_capacity(faults.len());
        for (index, fault) in faults.iter().enumerate() {
            let ends = fault.ends.unwrap_or(SimTime::MAX);
            let before = index.checked_sub(1).filter(|&before| befallen(&faults[before]) == befallen(fault));
            over_by.push(before.map_or(ends, |before| ends.max(over_by[before])));
        }
        Self { faults, over_by, ids, swallows }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// The faults of a pod, by their beginning.
    pub fn of(&self, pod: PodId) -> impl Iterator<Item = &PodFault> {
        let (cluster, service) = (self.ids.cluster_of(pod), self.ids.service_of(pod));
        let start = self.faults.partition_point(|it| befallen(it) < (cluster, service));
        self.from(start, pod)
    }

    /// Those of a pod from a number on.
    fn from(&self, start: usize, pod: PodId) -> impl Iterator<Item = &PodFault> {
        let (cluster, service) = (self.ids.cluster_of(pod), self.ids.service_of(pod));
        let of_service = self.faults[start..].iter().take_while(move |it| befallen(it) == (cluster, service));
        let ordinal = self.ids.ordinal_of(pod);
        of_service.filter(move |it| it.pod.is_none_or(|only| only == ordinal))
    }

    /// The faults of a pod that hold at `now`, by their beginning.
    pub(crate) fn on(&self, pod: PodId, now: SimTime) -> impl Iterator<Item = &PodFault> {
        let (cluster, service) = (self.ids.cluster_of(pod), self.ids.service_of(pod));
        let key = (cluster, service, now);
        let begun = self.faults.partition_point(|it| (it.cluster, it.service, it.begins) <= key);
        let mut first = begun;
        while first > 0
            && befallen(&self.faults[first - 1]) == (cluster, service)
            && now < self.over_by[first - 1]
        {
            first -= 1;
        }
        let ordinal = self.ids.ordinal_of(pod);
        let of_pod = move |it: &&PodFault| it.pod.is_none_or(|only| only == ordinal) && it.is_on(now);
        self.faults[first..begun].iter().filter(of_pod)
    }

    /// Whether a pod is dead.
    #[must_use]
    pub fn is_dead(&self, pod: PodId, now: SimTime) -> bool {
        self.on(pod, now).any(|fault| fault.kind == FaultKind::Crash)
    }

    /// Whether any pod swallows what is sent to it, at any time.
    #[must_use]
    #[inline]
    pub const fn swallows(&self) -> bool {
        self.swallows
    }

    /// Whether a pod swallows what is sent to it and what it sends.
    #[must_use]
    pub fn is_swallowing(&self, pod: PodId, now: SimTime) -> bool {
        self.on(pod, now).any(|fault| fault.kind == FaultKind::Blackhole)
    }

    /// Whether a fault keeps a pod from being ready.
    #[must_use]
    pub fn is_unready(&self, pod: PodId, now: SimTime) -> bool {
        self.on(pod, now).any(PodFault::removes_endpoint)
    }

    /// What the control plane saw last of a pod's faults; absent if it has seen none.
    #[must_use]
    pub fn last_seen(&self, pod: PodId, now: SimTime) -> Option<ReadyCondition> {
        let spans = || {
            // What has not begun was not seen.
            let begun = self.of(pod).take_while(|it| it.begins <= now);
            let seen = begun.filter(|it| it.removes_endpoint());
            seen.filter_map(|it| {
                let after = it.seen_after?;
                let ends = it.ends.map_or(SimTime::MAX, |ends| ends.saturating_add(after));
                Some((it.begins.saturating_add(after), ends))
            })
        };
        let broken = spans().filter(|&(begins, ends)| begins <= now && now < ends);
        let sound = || spans().map(|(_, ends)| ends).filter(|&ends| ends <= now).max();
        let condition = |ready, last_transition| ReadyCondition { ready, last_transition };
        let broken = broken.map(|(begins, _)| begins).min().map(|begins| condition(false, begins));
        broken.or_else(|| Some(condition(true, sound()?)))
    }

    /// When a pod crashes next, at or after `from`; never is [`SimTime::MAX`].
    #[must_use]
    pub fn next_crash(&self, pod: PodId, from: SimTime) -> SimTime {
        let key = (self.ids.cluster_of(pod), self.ids.service_of(pod), from);
        let start = self.faults.partition_point(|it| (it.cluster, it.service, it.begins) < key);
        let crash = self.from(start, pod).find(|fault| fault.kind == FaultKind::Crash);
        crash.map_or(SimTime::MAX, |fault| fault.begins)
    }

    /// The share of calls that a pod answers with an error, and with which.
    #[must_use]
    pub fn errors(&self, pod: PodId, now: SimTime) -> Option<(f64, u16)> {
        self.on(pod, now).find_map(|fault| match fault.kind {
            FaultKind::Errors { share, status } => Some((share, status)),
            _ => None,
        })
    }

    /// How many times as long everything takes.
    #[must_use]
    pub fn slowness(&self, pod: PodId, now: SimTime) -> f64 {
        self.on(pod, now)
            .map(|fault| if let FaultKind::Slow { factor } = fault.kind { factor } else { 1.0 })
            .product()
    }
}

impl PodFault {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn is_on(&self, now: SimTime) -> bool {
        self.begins <= now && self.ends.is_none_or(|ends| now < ends)
    }

    /// Whether proxies leave its pods once they are told.
    #[must_use]
    pub const fn removes_endpoint(&self) -> bool {
        matches!(self.kind, FaultKind::Crash | FaultKind::Blackhole | FaultKind::Unready)
    }
}

/// Where a fault is.
fn befallen(fault: &PodFault) -> (ClusterId, ServiceId) {
    (fault.cluster, fault.service)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(pod: u32, begins: u64, ends: u64, kind: FaultKind) -> PodFault {
        let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
        PodFault {
            service: ServiceId(0),
            cluster: ClusterId(0),
            pod: Some(pod),
            begins: at(begins),
            ends: Some(at(ends)),
            kind,
            seen_after: None,
        }
    }

    #[test]
    fn faults_hold_from_their_beginning_to_their_end() {
        let all = [
            fault(2, 10, 20, FaultKind::Crash),
            fault(1, 5, 15, FaultKind::Slow { factor: 3.0 }),
            fault(1, 10, 30, FaultKind::Slow { factor: 2.0 }),
            fault(1, 30, 40, FaultKind::Errors { share: 0.5, status: 503 }),
            PodFault { service: ServiceId(1), pod: None, ..fault(0, 10, 20, FaultKind::Crash) },
        ];
        let ids = PodIds::new(1, 2);
        let faults = PodFaults::new(all.to_vec(), ids);
        let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
        assert_eq!([9, 10, 19, 20].map(|s| faults.is_dead(PodId(2), at(s))), [false, true, true, false]);
        assert_eq!(faults.next_crash(PodId(2), at(10)), at(10));
        assert_eq!(faults.next_crash(PodId(2), at(11)), SimTime::MAX);
        assert_eq!([0, 5, 10, 15, 30].map(|s| faults.slowness(PodId(1), at(s))), [1.0, 3.0, 6.0, 2.0, 1.0]);
        assert_eq!(faults.errors(PodId(1), at(30)), Some((0.5, 503)));
        assert_eq!(faults.errors(PodId(2), at(30)), None);
        // Whichever pod of the other service it is.
        let of_other = |ordinal| ids.pod(ClusterId(0), ServiceId(1), ordinal);
        assert!(faults.is_dead(of_other(0), at(10)) && faults.is_dead(of_other(99), at(10)));
    }

    /// A slow twin looks at all faults.
    #[test]
    fn what_holds_at_a_time_is_found_among_many() {
        let mut all = Vec::new();
        for n in 0..60_u64 {
            let lasts = if n % 7 == 0 { 200 } else { n % 5 };
            let kind = if n % 3 == 0 { FaultKind::Crash } else { FaultKind::Slow { factor: 2.0 } };
            let of_one = fault((n % 4) as u32, n * 11 % 97, n * 11 % 97 + lasts, kind);
            // Some befall all pods of their service.
            all.push(PodFault { pod: of_one.pod.filter(|_| n % 9 != 0), ..of_one });
        }
        let ids = PodIds::new(1, 1);
        let faults = PodFaults::new(all.clone(), ids);
        for (ordinal, second) in (0..5).flat_map(|ordinal| (0..320).map(move |second| (ordinal, second))) {
            let pod = ids.pod(ClusterId(0), ServiceId(0), ordinal);
            let now = SimTime::ZERO + SimDuration::from_secs(second);
            let of = || all.iter().filter(|it| it.pod.is_none_or(|only| only == ordinal));
            let crashes = || of().filter(|fault| fault.kind == FaultKind::Crash);
            assert_eq!(faults.is_dead(pod, now), crashes().any(|fault| fault.is_on(now)));
            let next = crashes().map(|fault| fault.begins).filter(|&begins| begins >= now).min();
            assert_eq!(faults.next_crash(pod, now), next.unwrap_or(SimTime::MAX));
            let slow = of().filter(|fault| fault.kind != FaultKind::Crash && fault.is_on(now)).count();
            assert_eq!(faults.slowness(pod, now), 2.0_f64.powi(slow as i32));
        }
    }

    #[test]
    fn the_control_plane_sees_faults_late_and_only_those_that_it_is_told_of() {
        let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
        let seen = |it: PodFault| PodFault { seen_after: Some(SimDuration::from_secs(2)), ..it };
        let all = [
            seen(fault(0, 10, 20, FaultKind::Crash)),
            fault(1, 10, 20, FaultKind::Crash),
            seen(fault(2, 10, 20, FaultKind::Slow { factor: 2.0 })),
        ];
        let faults = PodFaults::new(all.to_vec(), PodIds::new(1, 1));
        let last = |second| faults.last_seen(PodId(0), at(second));
        let since = |ready, second| Some(ReadyCondition { ready, last_transition: at(second) });
        assert_eq!([last(11), last(12), last(21)], [None, since(false, 12), since(false, 12)]);
        assert_eq!([last(22), last(99)], [since(true, 22); 2]);
        assert_eq!([1, 2].map(|pod| faults.last_seen(PodId(pod), at(15))), [None, None]);
    }
}
