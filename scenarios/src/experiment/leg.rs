//! A run under way, from its start or from a fork on: stretch by stretch, with what has ended taken at the end of each.

use super::application_cpu;
use super::memory::Share;
use super::threads::UnderWay;
use super::user_requests::RequestSink;
use super::{Watch, stretch_of};
use crate::resolve::Resolved;
use meshsim_core::{RunControl, RunEnd, SimDuration, SimTime, Table};
use meshsim_models::ids::ClusterId;
use meshsim_models::telemetry::pod_cpu::PodCpu;
use meshsim_models::telemetry::work::Work;
use meshsim_models::world::description::Description;
use meshsim_models::world::{Record, World};

/// A run under way.
pub(super) struct Leg {
    world: World,
    stride: Stride,
    /// Requests were taken up to here.
    now: SimTime,
    keeps_work: bool,
    /// When the reported time begins, where it is asked what pods had used until then, and what they had.
    cut: Option<SimTime>,
    used_before: Table<ClusterId, Vec<PodCpu>>,
    /// How far progress was told (s).
    told: f64,
    share: Share,
    run: UnderWay,
}

/// A run that is over.
pub(super) struct Ran {
    pub(super) record: Record,
    /// What pods had used when the reported time began, where that is asked for.
    pub(super) used_before: Table<ClusterId, Vec<PodCpu>>,
    pub(super) share: Share,
}

impl Leg {
    /// A replication of a strategy begins; with `keeps_work` what is done for each request is kept.
    pub(super) fn begins(resolved: &Resolved, replication: u32, keeps_work: bool) -> Self {
        let description = &resolved.description;
        let make = if keeps_work { World::keeping_work } else { World::new };
        let world = make(description, replication);
        let tells_pods = application_cpu::has_several(description) || description.costs.is_some();
        let cut = tells_pods.then(|| stretch_of(description).0);
        let used_before = if cut.is_some() { world.pod_cpu(SimTime::ZERO) } else { Table::new() };
        Self {
            stride: Stride::new(world.end()),
            world,
            now: SimTime::ZERO,
            keeps_work,
            cut,
            used_before,
            told: 0.0,
            share: Share::default(),
            run: UnderWay::begin(),
        }
    }

    /// From `at` on another goes on as this one is, but for what the controllers are told. What it has not taken at the end of
    /// a stretch is taken with what follows.
    pub(super) fn forks(&self, description: &Description, at: SimTime) -> Self {
        Self {
            world: self.world(description),
            stride: self.stride,
            now: self.now,
            keeps_work: self.keeps_work,
            cut: self.cut,
            used_before: self.used_before.clone(),
            told: at.as_secs_f64(),
            share: Share::default(),
            run: UnderWay::begin(),
        }
    }

    /// The world, as it is, whose controllers are told what a description says.
    pub(super) fn world(&self, description: &Description) -> World {
        self.world.fork(description)
    }

    /// Runs to its end, and tells `sink` of every user request, as it ends or as it is at the end of the run; where it keeps
    /// work once nothing is done for it any more, and of what was. Nothing if it was told to stop.
    pub(super) fn finishes(mut self, watch: &Watch<'_>, sink: &mut impl RequestSink) -> Option<Ran> {
        if watch.is_cancelled() {
            return None;
        }
        let end = self.world.end();
        while self.now < end {
            self.goes_on(watch, sink)?;
        }
        (watch.progress)(end.as_secs_f64() - self.told);
        let record = self.world.finish();
        let nothing = Work::default();
        for (index, row) in record.requests.iter().enumerate() {
            let work = record.work.get(index).unwrap_or(&nothing);
            sink.add(row, self.keeps_work.then_some(work));
        }
        Some(Ran { record, used_before: self.used_before, share: self.share })
    }

    /// Runs to a moment, which may lie within a stretch.
    pub(super) fn reaches(
        &mut self,
        moment: SimTime,
        watch: &Watch<'_>,
        sink: &mut impl RequestSink,
    ) -> Option<()> {
        while self.next() < moment {
            self.goes_on(watch, sink)?;
        }
        self.runs_to(moment, watch)?;
        (watch.progress)(moment.as_secs_f64() - self.told);
        Some(())
    }

    /// Where the next stretch ends.
    fn next(&self) -> SimTime {
        let stop = self.cut.filter(|cut| self.now < *cut).unwrap_or(self.world.end());
        stop.min(self.now + self.stride.length)
    }

    /// A stretch further.
    fn goes_on(&mut self, watch: &Watch<'_>, sink: &mut impl RequestSink) -> Option<()> {
        let next = self.next();
        self.runs_to(next, watch)?;
        self.now = next;
        let (open, all) = self.world.open_and_all_requests();
        if !self.share.hold(self.world.bytes() + sink.bytes(), open, all) {
            return None;
        }
        if self.cut == Some(next) {
            self.used_before = self.world.pod_cpu(next);
        }
        let mut taken = 0;
        if self.keeps_work {
            self.world.take_finished(|row, work| {
                taken += 1;
                sink.add(row, Some(work));
            });
        } else {
            self.world.take_requests(|row| {
                taken += 1;
                sink.add(row, None);
            });
        }
        self.stride.adapt(taken);
        Some(())
    }

    fn runs_to(&mut self, moment: SimTime, watch: &Watch<'_>) -> Option<()> {
        let (end, told) = (self.world.end(), &mut self.told);
        let mut hear = |now: SimTime| {
            let now = now.as_secs_f64();
            // Not every round is worth the lock of a progress bar.
            if now - *told >= end.as_secs_f64() / 50.0 {
                (watch.progress)(now - *told);
                *told = now;
            }
        };
        let mut control = RunControl::until(moment)
            .cancelled_by(watch.cancel)
            .reporting_to(&mut hear)
            .on_threads(self.run.threads());
        let outcome = self.world.run(&mut control);
        (outcome != RunEnd::Cancelled && !watch.is_cancelled()).then_some(())
    }
}

/// How far a run goes until its memory is looked at and the requests that have ended are taken.
#[derive(Clone, Copy)]
struct Stride {
    length: SimDuration,
    longest: SimDuration,
}

impl Stride {
    /// About so many requests end in one.
    const REQUESTS: u64 = 20_000;

    fn new(end: SimTime) -> Self {
        let longest = SimDuration::from_nanos(end.as_nanos().div_ceil(200).max(1));
        Self { length: longest, longest }
    }

    /// So many requests have ended in the last one.
    fn adapt(&mut self, requests: u64) {
        if requests > Self::REQUESTS {
            self.length = SimDuration::from_nanos((self.length.as_nanos() / 2).max(1));
        } else if requests < Self::REQUESTS / 4 {
            self.length = (self.length * 2).min(self.longest);
        }
    }
}
