//! How an istiod paces its pushes: from a change, over the debounce and the preparation, to each proxy.

use super::state::{Connection, OpenPush, Pacing, Sent, Target, TargetId};
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::news::{IstiodStep, News, Push};
use crate::ids::ClusterId;
use crate::istiod::debounce::{Debounce, Push as Begun};
use crate::istiod::push_kind::PushKind;
use crate::istiod::settings::IstiodSettings;
use crate::telemetry::control_log::{PushCause, PushRecord};
use crate::telemetry::decision::What;
use crate::telemetry::exporters::istiod::IstiodCounts;
use crate::telemetry::recorder::Recorder;
use crate::world::topology::Topology;
use meshsim_core::SimTime;

impl Pacing {
    /// The clusters whose proxies it serves.
    pub(super) fn serves(&self) -> impl Iterator<Item = ClusterId> + use<'_> {
        self.serves.iter().copied()
    }

    /// It has learned of something that is to be sent.
    pub(super) fn has_changed(&mut self, at: &mut Around<'_>, news: News, kind: PushKind, number: u32) {
        let alone = self.debounce.changes(kind, at.now);
        // Of a change that is pushed alone the others still wait.
        let cause = if alone.is_some() { news } else { *self.cause.get_or_insert(news) };
        self.begins(at, (alone, Some(cause)), number, true);
    }

    /// It may have been quiet for long enough.
    pub(super) fn debounce_ends(&mut self, at: &mut Around<'_>, number: u32) {
        // Another timer may have taken over.
        if self.debounce.timer() == Some(at.now) {
            let begun = self.debounce.timer_fires(at.now);
            let cause = begun.and_then(|_| self.cause.take());
            self.begins(at, (begun, cause), number, false);
        }
    }

    /// A push begins, if one does, of all that has been learned; the debounce's timer is set.
    fn begins(
        &mut self,
        at: &mut Around<'_>,
        (begun, cause): (Option<Begun>, Option<News>),
        up_to: u32,
        is_alone: bool,
    ) {
        if let Some(begun) = begun {
            let cause = cause.expect("a push has a first change");
            at.recorder.decided_since(
                at.now,
                begun.since,
                What::PushBegins(begun.kind, begun.changes, cause),
            );
            self.preparing.push((cause, begun, up_to));
            let step = IstiodStep::IsPrepared { up_to, kind: begun.kind, is_alone, life: self.life };
            at.schedule(at.now.saturating_add(self.settings.prepare), Event::IstiodSteps(step));
            let replicas = self.replicas.iter().filter(|it| it.is_up).count();
            at.recorder.istiod_used_cpu(at.now, self.settings.prepare.as_nanos_f64() * replicas as f64);
        }
        let timer = self.debounce.timer();
        if let Some(due) = timer.filter(|_| timer != self.timer) {
            at.schedule(due, Event::IstiodSteps(IstiodStep::DebounceEnds));
        }
        self.timer = timer;
    }

    /// A push is prepared: it waits for its turn to each proxy.
    pub(super) fn is_prepared(
        &mut self,
        at: &mut Around<'_>,
        (up_to, kind, is_alone): (u32, PushKind, bool),
        life: u8,
        number: u32,
    ) {
        // What an istiod was at when it died.
        if life != self.life {
            return;
        }
        let mut proxies = 0;
        for (target, state) in self.targets.enumerate() {
            if let Connection::To(replica) = state.connection {
                self.replicas[usize::from(replica)]
                    .queue
                    .enqueue(target, Sent { up_to, kind, since: Some(at.now) });
                proxies += u32::from(state.has < up_to);
            }
        }
        if let Some(index) = self.preparing.iter().position(|it| it.2 == up_to) {
            let (cause, begun, up_to) = self.preparing.remove(index);
            self.each_counts(at, |it, now, settings| {
                it.prepares(settings.prepare, (!is_alone).then(|| now - begun.since));
            });
            self.opens(at, (PushCause::News(cause), begun, up_to), proxies);
        }
        if !is_alone {
            let begun = self.debounce.is_prepared(at.now);
            let cause = begun.and_then(|_| self.cause.take());
            self.begins(at, (begun, cause), number, false);
        }
        (0..self.replicas.len()).for_each(|replica| self.push_next(at, replica));
    }

    /// A replica makes as many pushes at once as may be.
    pub(super) fn push_next(&mut self, at: &mut Around<'_>, number: usize) {
        let Self { replicas, targets, settings, most, .. } = self;
        let replica = &mut replicas[number];
        while replica.under_way < *most {
            let Some((target, Sent { up_to, kind, since })) = replica.queue.dequeue() else { return };
            // One that has gone or connected to another replica meanwhile.
            if targets[target].connection != Connection::To(number as u8) {
                replica.queue.is_done(target);
                continue;
            }
            replica.under_way += 1;
            targets[target].pushed_since = since;
            if let (Some(exporters), Some(since)) = (at.recorder.exporters(), since) {
                exporters.istiod_mut(number).dequeues(at.now - since);
            }
            let takes = settings.takes(kind, replica.under_way);
            let step = IstiodStep::IsSent {
                replica: number as u8,
                target: target.0,
                up_to,
                kind,
                life: replica.life,
            };
            at.schedule(at.now.saturating_add(takes), Event::IstiodSteps(step));
            at.recorder.istiod_used_cpu(at.now, settings.takes(kind, 1).as_nanos_f64());
        }
    }

    /// A push is made for a proxy and sent.
    pub(super) fn is_sent(
        &mut self,
        at: &mut Around<'_>,
        (replica, life): (u8, u8),
        target: u32,
        (up_to, kind): (u32, PushKind),
    ) {
        let target = TargetId(target);
        let from = &mut self.replicas[usize::from(replica)];
        if life != from.life {
            return;
        }
        from.under_way -= 1;
        from.queue.is_done(target);
        if self.targets[target].connection == Connection::To(replica) {
            if let Some(exporters) = at.recorder.exporters() {
                let took = self.targets[target].pushed_since.map(|it| at.now - it);
                exporters.istiod_mut(usize::from(replica)).sends(kind, took);
            }
            self.reaches(at, target, up_to);
            let Target { cluster, proxy, .. } = self.targets[target];
            let wire_bytes = bytes_of(at.topology, kind);
            at.hand(Handed::Push { to: cluster, push: Push::To { proxy, up_to }, wire_bytes });
        }
        self.push_next(at, usize::from(replica));
    }

    /// Each replica that is up counts what all of them do, where somebody scrapes.
    pub(super) fn each_counts(
        &self,
        at: &mut Around<'_>,
        count: impl Fn(&mut IstiodCounts, SimTime, &IstiodSettings),
    ) {
        let now = at.now;
        let Some(exporters) = at.recorder.exporters() else { return };
        for (index, _) in self.replicas.iter().enumerate().filter(|(_, it)| it.is_up) {
            count(exporters.istiod_mut(index), now, &self.settings);
        }
    }

    /// A push is prepared, or proxies begin to connect: it is recorded, under the number that is told, until it has reached
    /// so many.
    pub(super) fn opens(
        &mut self,
        at: &mut Around<'_>,
        (cause, begun, up_to): (PushCause, Begun, u32),
        proxies: u32,
    ) -> usize {
        let record = at.recorder.push_is_prepared(PushRecord {
            cause,
            changes: begun.changes,
            changed: begun.since,
            kind: begun.kind,
            proxies,
            prepared: at.now,
            reached: None,
        });
        if proxies > 0 {
            let connects = !matches!(cause, PushCause::News(_));
            self.open.push(OpenPush { connects, up_to, record, proxies, reached: at.now });
        }
        record
    }

    /// A proxy is sent what has come up to a number.
    fn reaches(&mut self, at: &mut Around<'_>, target: TargetId, up_to: u32) {
        let before = self.targets[target];
        let way = at.topology.path(at.here, before.cluster, at.now).one_way;
        let arrives = at.now.saturating_add(way);
        self.comes_to(at, |push| push.up_to <= up_to && push.waits_for(&before), arrives);
        // What was under way when it connected is older than what it connected for.
        let still_connects =
            self.open.iter().any(|push| before.connects_for == Some(push.record) && push.up_to > up_to);
        let state = &mut self.targets[target];
        state.has = state.has.max(up_to);
        if !still_connects {
            state.connects_for = None;
        }
    }

    /// A proxy is not connected any more: nothing that is under way waits for it.
    pub(super) fn nothing_waits_for(&mut self, at: &mut Around<'_>, target: TargetId) {
        let before = self.targets[target];
        self.comes_to(at, |push| push.waits_for(&before), SimTime::ZERO);
        self.targets[target].connects_for = None;
    }

    /// These pushes have one proxy less to reach; what has reached all is recorded.
    fn comes_to(&mut self, at: &mut Around<'_>, which: impl Fn(&OpenPush) -> bool, arrives: SimTime) {
        self.open.retain_mut(|push| {
            if !which(push) {
                return true;
            }
            push.proxies = push.proxies.saturating_sub(1);
            push.reached = push.reached.max(arrives);
            if push.proxies == 0 {
                at.recorder.push_has_reached(push.record, push.reached);
            }
            push.proxies > 0
        });
    }

    /// All replicas are dead: what they were about to send is forgotten.
    pub(super) fn forgets(&mut self) {
        self.life = self.life.wrapping_add(1);
        self.debounce = Debounce::new(self.settings.debounce);
        self.preparing.clear();
        self.open.clear();
        self.connecting.clear();
        (self.timer, self.cause, self.connects) = (None, None, false);
    }

    /// What serving the proxies at rest has taken until now is counted.
    pub(super) fn rests_until(&mut self, recorder: &mut Recorder, now: SimTime) {
        let proxies = self.ages.len() as f64 * self.settings.cpu_per_proxy;
        recorder.istiod_rested(self.counted, now, proxies);
        self.counted = now;
    }
}

/// A push on the wire (bytes): a service's endpoints, or as much for each service.
fn bytes_of(topology: &Topology, kind: PushKind) -> u32 {
    const EACH: u32 = 1_500;
    match kind {
        PushKind::Incremental => EACH,
        PushKind::Full => EACH.saturating_mul(topology.application().services.len() as u32),
    }
}
