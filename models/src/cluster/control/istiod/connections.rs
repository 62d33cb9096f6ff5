//! Which proxies are connected to which replica of an istiod, and how they come to be.
//!
//! # Models
//! Each replica serves the proxies that are connected to it, with a queue and cores of its own. A replica that dies takes
//! its connections with it: its proxies connect to the others, or, if there is none, when one is back; one after the other,
//! as many per second as the replicas that are up push at a time (`PILOT_MAX_REQUESTS_PER_SECOND`), and each gets all there
//! is. A replica that is back has no proxies at first. istiod closes every connection after half an hour, give or take a
//! tenth, and its proxy connects anew: so proxies spread over the replicas again.
//!
//! # Assumptions
//! - A proxy connects to the replicas that are up in turn, where kube-proxy picks one at random: so many proxies spread
//!   alike.
//! - A proxy whose connection is gone connects at once if it may; its back-off is part of what waiting takes.
//! - When the run begins connections are as old as they may be, evenly.
//! - A proxy behind a cut link is pushed to when TCP's next try gets through, where a connection that says nothing for 40 s
//!   is closed on both sides (gRPC's keepalive, 30 s and 10 s) and made anew: it has the same then.
//! - A new pod's sidecar, and one that starts anew, has at once all that its cluster has been sent.
//!
//! # Source
//! Istio `manifests/charts/istio-control/istio-discovery` (`--keepaliveMaxServerConnectionAge 30m`),
//! `pilot/pkg/features/tuning.go`; gRPC-Go `keepalive.ServerParameters` (`MaxConnectionAge`: "a random jitter of +/-10%").

use super::state::{Connection, Pacing, Sent, Target, TargetId};
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::news::{Addressee, EndpointNews, IstiodStep};
use crate::draws::{Purpose, draw};
use crate::ids::{ClusterId, PodId};
use crate::istiod::debounce::Push as Begun;
use crate::istiod::push_kind::PushKind;
use crate::telemetry::control_log::PushCause;
use crate::telemetry::decision::What;
use crate::telemetry::exporters::istiod::IstiodCounts;
use crate::world::topology::Topology;
use meshsim_core::random::uniform;
use meshsim_core::{SimDuration, SimTime};

/// How much older or younger than it is meant to a connection gets, at most.
const JITTER: f64 = 0.1;

impl Pacing {
    /// A proxy is there, and connected, when the run begins.
    pub(super) fn is_there(&mut self, topology: &Topology, here: ClusterId, target: Target) {
        let id = self.targets.push(target);
        if let Addressee::SidecarOf(pod) = target.proxy {
            self.sidecars.insert(pod, id);
        }
        let mut age = draw(topology.draws.of_cluster(here, self.made), Purpose::IstiodConnection);
        let left = uniform(&mut age) * self.settings.max_connection_age.as_nanos_f64();
        self.is_connected(id, SimTime::from_nanos(left as u64));
    }

    /// A proxy is connected to the next replica that is up, until its connection is too old.
    fn is_connected(&mut self, id: TargetId, ages: SimTime) {
        let up = (0..self.replicas.len()).map(|it| (self.turn + it) % self.replicas.len());
        let replica = up.into_iter().find(|&it| self.replicas[it].is_up);
        let Some(replica) = replica else { return };
        self.turn = (replica + 1) % self.replicas.len();
        self.made += 1;
        self.ages.insert((ages, id));
        let state = &mut self.targets[id];
        (state.connection, state.ages) = (Connection::To(replica as u8), ages);
    }

    /// A proxy connects.
    fn connect(&mut self, at: &mut Around<'_>, id: TargetId) {
        self.rests_until(at.recorder, at.now);
        let mut age = draw(at.topology.draws.of_cluster(at.here, self.made), Purpose::IstiodConnection);
        let factor = 1.0 + JITTER * (2.0 * uniform(&mut age) - 1.0);
        let lasts = SimDuration::from_nanos_f64(self.settings.max_connection_age.as_nanos_f64() * factor);
        self.is_connected(id, at.now.saturating_add(lasts));
        self.watch_ages(at);
    }

    /// The connection of a proxy is closed.
    fn disconnect(&mut self, at: &mut Around<'_>, id: TargetId, after: Connection) {
        self.nothing_waits_for(at, id);
        if self.targets[id].is_connected() {
            self.rests_until(at.recorder, at.now);
            self.ages.remove(&(self.targets[id].ages, id));
        }
        self.targets[id].connection = after;
    }

    /// The sidecar of a pod that comes connects, that of a pod that goes is gone.
    pub(super) fn sidecar_comes_or_goes(
        &mut self,
        at: &mut Around<'_>,
        pod: PodId,
        what: EndpointNews,
        number: u32,
    ) {
        let comes = match what {
            EndpointNews::Appears(_) => true,
            EndpointNews::Leaves => false,
            EndpointNews::Ready | EndpointNews::Unready => return,
        };
        let cluster = at.topology.pod_ids.cluster_of(pod);
        if !at.topology.has_sidecar(pod) || !self.serves.contains(&cluster) {
            return;
        }
        let Self { targets, sidecars, replicas, .. } = self;
        let target = *sidecars.entry(pod).or_insert_with(|| {
            replicas.iter_mut().for_each(|it| it.queue.add());
            targets.push(Target::new(cluster, Addressee::SidecarOf(pod)))
        });
        self.disconnect(at, target, Connection::Gone);
        // One that comes has all that was before it.
        self.targets[target].has = number - 1;
        if comes {
            self.targets[target].connection = Connection::Lost;
            self.connect(at, target);
        }
    }

    /// Replicas die that are down now, with what they were about to send.
    pub(super) fn replicas_die(&mut self, at: &mut Around<'_>, number: u32) {
        let (outages, here, now) = (&at.topology.outages, at.here, at.now);
        let proxies = self.targets.len();
        let mut died = None;
        for (index, replica) in (0..).zip(&mut self.replicas) {
            if replica.is_up && outages.is_istiod_down(here, u32::from(index), now) {
                replica.dies(proxies);
                if let Some(exporters) = at.recorder.exporters() {
                    *exporters.istiod_mut(index as usize) = IstiodCounts::default();
                }
                died = Some(index);
            }
        }
        let Some(died) = died else { return };
        let is_orphan = |it: &Target| matches!(it.connection, Connection::To(of) if !self.replicas[usize::from(of)].is_up);
        let orphans: Vec<TargetId> =
            self.targets.enumerate().filter(|(_, it)| is_orphan(it)).map(|(id, _)| id).collect();
        if self.replicas.iter().any(|it| it.is_up) {
            self.connect_again(at, &orphans, PushCause::ReplicaIsGone(died), number);
        } else {
            self.forgets();
            for id in orphans {
                self.disconnect(at, id, Connection::Lost);
            }
        }
    }

    /// Replicas that were down are up again: if none was, all proxies connect.
    pub(super) fn replicas_are_back(&mut self, at: &mut Around<'_>, number: u32) {
        let is_first = self.replicas.iter().all(|it| !it.is_up);
        let (outages, here, now) = (&at.topology.outages, at.here, at.now);
        for (index, replica) in (0..).zip(&mut self.replicas) {
            replica.is_up = !outages.is_istiod_down(here, index, now);
        }
        if is_first {
            // Those that came meanwhile connect like the others.
            let is_there = |(_, it): &(TargetId, &Target)| it.connection != Connection::Gone;
            let all: Vec<TargetId> = self.targets.enumerate().filter(is_there).map(|(id, _)| id).collect();
            self.connect_again(at, &all, PushCause::IstiodIsBack, number);
        }
    }

    /// Proxies lose their connections and connect again, one after the other.
    fn connect_again(&mut self, at: &mut Around<'_>, who: &[TargetId], cause: PushCause, number: u32) {
        for &id in who {
            self.disconnect(at, id, Connection::Lost);
        }
        if !matches!(cause, PushCause::ConnectionIsOld) {
            at.recorder.decided(at.now, What::ProxiesConnect(who.len() as u32));
        }
        let begun = Begun { kind: PushKind::Full, changes: 0, since: at.now };
        let record = self.opens(at, (cause, begun, number), who.len() as u32);
        for &id in who {
            self.targets[id].connects_for = Some(record);
            self.connecting.push_back(id);
        }
        if !self.connecting.is_empty() && !std::mem::replace(&mut self.connects, true) {
            at.schedule(at.now, Event::IstiodSteps(IstiodStep::Connects { life: self.life }));
        }
    }

    /// The next proxy connects that is to, and gets all there is.
    pub(super) fn next_connects(&mut self, at: &mut Around<'_>, life: u8, number: u32) {
        // What an istiod was at when it died.
        if life != self.life {
            return;
        }
        let Self { connecting, targets, .. } = self;
        let next = std::iter::from_fn(|| connecting.pop_front())
            .find(|&id| targets[id].connection == Connection::Lost);
        if let Some(id) = next {
            self.connect(at, id);
            self.targets[id].has = number;
            if let Connection::To(replica) = self.targets[id].connection {
                let sent = Sent { up_to: number, kind: PushKind::Full, since: None };
                self.replicas[usize::from(replica)].queue.enqueue(id, sent);
                self.push_next(at, usize::from(replica));
            }
        }
        self.connects = !self.connecting.is_empty();
        if self.connects {
            let up = self.replicas.iter().filter(|it| it.is_up).count() as u64;
            let per_second = u64::from(self.most.max(1)) * up.max(1);
            let due = at.now.saturating_add(SimDuration::from_nanos(1_000_000_000 / per_second));
            at.schedule(due, Event::IstiodSteps(IstiodStep::Connects { life: self.life }));
        }
    }

    /// Connections are closed that are as old as they may be.
    pub(super) fn connections_age(&mut self, at: &mut Around<'_>, number: u32) {
        // Another timer may have taken over.
        if self.age_timer == Some(at.now) {
            self.age_timer = None;
            while let Some(&(_, id)) = self.ages.first().filter(|(due, _)| *due <= at.now) {
                self.connect_again(at, &[id], PushCause::ConnectionIsOld, number);
            }
        }
        self.watch_ages(at);
    }

    /// The timer for the first connection that will be too old is set.
    fn watch_ages(&mut self, at: &mut Around<'_>) {
        let first = self.ages.first().map(|(due, _)| *due);
        if let Some(due) = first.filter(|&due| self.age_timer.is_none_or(|timer| due < timer)) {
            self.age_timer = Some(due);
            at.schedule(due, Event::IstiodSteps(IstiodStep::ConnectionsAge));
        }
    }
}
