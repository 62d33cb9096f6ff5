//! What was seen of answers, of all of a service or of one kind.
//!
//! # Models
//! Calls of one answer whose spans overlap are made at the same time. Self times, less what waiting for the CPU and a sidecar add, give the law of the CPU
//! time by Akaike's criterion, bodies that of their sizes. Calls that nobody answers with a span are of somebody outside of the mesh, for whom it waits.
//!
//! A limit below one core stops a pod for the rest of a period when its quota is used up, which makes some answers much longer: there, kinds are compared by
//! their medians, and the law is that for which the shorter [`RUNNING`] of the self times speak.
//!
//! # Assumptions
//! Of a pod with such a limit fewer than two in five answers are stopped. Effect: else its law spreads too much.

use super::application::{Law, Work};
use super::kinds::LEAST_ANSWERS;
use super::shape::{Buckets, Shape};
use super::sharing::Load;
use crate::calibrate::fit_law::candidates;
use crate::traces::Span;
use meshsim_core::stats::quantile_of_sorted;
use std::collections::BTreeMap;

/// What waiting for the CPU makes of a mean time of one, from where on it is taken off the law.
const MORE_BY_LOAD: f64 = 1.05;

/// Share of the self times, the shorter ones, in which no quota stopped a pod.
const RUNNING: f64 = 0.6;

/// Parts of these that are counted.
const PARTS: u32 = 12;

/// So large a share of the answers waits for somebody outside, if the law of a wait is to be theirs.
const NEARLY_ALL: f64 = 0.95;

/// Who is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Callee {
    pub(super) service: String,
    /// Which of its kinds of requests, if it has several.
    pub(super) kind: Option<String>,
}

/// Calls of one callee.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    pub(super) count: f64,
    failed: f64,
    /// Sum of the positions among the calls of an answer, from 0 to 1.
    positions: f64,
}

/// What was seen of answers.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) answers: f64,
    failed: f64,
    /// Self times (ms) of good answers; ascending once [`Seen::sort`] was called.
    pub(super) own_ms: Vec<f64>,
    pub(super) calls: BTreeMap<Callee, Calls>,
    /// Neighbouring calls of an answer, and those of them that overlap.
    pairs: f64,
    overlapping: f64,
    /// Bytes of requests, summed, and of the answers that were good and are not empty.
    request_bytes: f64,
    response_bytes: Vec<f64>,
    /// For how long each answer waited for somebody outside of the mesh (ms), if it did.
    outside_ms: Vec<f64>,
}

/// What self times are beside CPU time and waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unfolded {
    load: Load,
    /// The same for all answers (ms).
    beside_ms: f64,
    /// Whether a quota may stop them.
    has_quota: bool,
}

impl Seen {
    /// An answer.
    pub(super) fn answer(&mut self, span: &Span) {
        self.answers += 1.0;
        self.failed += f64::from(u8::from(!span.ok));
        let [request, response] = span.bodies.map(f64::from);
        self.request_bytes += request;
        self.response_bytes.extend(Some(response).filter(|it| span.ok && *it > 0.0));
    }

    /// The calls of one answer, in the order of their starts: of whom, whether they succeeded, and the span of who calls.
    pub(super) fn calls_of_answer(&mut self, calls: &[(Callee, bool, &Span)]) {
        let mut reached = 0.0_f64;
        for (position, (to, ok, span)) in calls.iter().enumerate() {
            let start = span.start_us as f64;
            if position > 0 {
                self.pairs += 1.0;
                self.overlapping += f64::from(u8::from(start < reached));
            }
            reached = reached.max(start + span.duration_ms * 1e3);
            let of = self.calls.entry(to.clone()).or_default();
            of.count += 1.0;
            of.failed += f64::from(u8::from(!ok));
            of.positions += position as f64 / calls.len() as f64;
        }
    }

    /// For so long an answer waited for somebody outside of the mesh (ms).
    pub(super) fn outside(&mut self, ms: f64) {
        self.outside_ms.push(ms);
    }

    /// Puts in order what was taken.
    pub(super) fn sort(&mut self) {
        self.own_ms.sort_by(f64::total_cmp);
        self.response_bytes.sort_by(f64::total_cmp);
        self.outside_ms.sort_by(f64::total_cmp);
    }

    /// Calls of a service.
    pub(super) fn count_to(&self, service: &str) -> f64 {
        self.calls.iter().filter(|(to, _)| to.service == service).map(|(_, it)| it.count).sum()
    }

    /// Share of the answers that fail by themselves.
    pub(super) fn errors(&self) -> f64 {
        let in_vain: f64 = self.calls.values().map(|it| it.failed).sum();
        ((self.failed - in_vain) / self.answers).max(0.0)
    }

    /// Whether calls are made at the same time, and, where they are not, in which order; `is` tells whether a call is one that was seen.
    pub(super) fn order<T>(&self, work: &mut Work, calls: &mut [(T, f64)], is: impl Fn(&T, &Callee) -> bool) {
        if self.pairs == 0.0 {
            return;
        }
        work.in_parallel = self.overlapping > 0.5 * self.pairs;
        work.why_parallel = match work.in_parallel {
            true => "their spans overlap",
            false => "their spans follow each other, in this order",
        };
        let position = |to: &T| {
            let of = self.calls.iter().filter(|(seen, _)| is(to, seen)).map(|(_, it)| it);
            let (count, positions) = of.fold((0.0, 0.0), |sum, it| (sum.0 + it.count, sum.1 + it.positions));
            if count > 0.0 { positions / count } else { f64::INFINITY }
        };
        calls.sort_by(|a, b| position(&a.0).total_cmp(&position(&b.0)));
    }

    /// Bodies, if spans say them.
    pub(super) fn bodies(&self, work: &mut Work) {
        if self.request_bytes > 0.0 {
            work.request_bytes = self.request_bytes / self.answers;
        }
        let count = self.response_bytes.len() as f64;
        if count == 0.0 {
            return;
        }
        work.response_bytes = Some(self.response_bytes.iter().sum::<f64>() / count);
        let smooth =
            candidates(&self.response_bytes).into_iter().map(|it| Shape::of(&it.law)).find(is_smooth);
        work.response_law = Law { shape: smooth.unwrap_or_default(), why: "by the sizes that its spans say" };
    }

    /// For how long an answer waits for somebody outside of the mesh (ms).
    pub(super) fn wait_ms(&self) -> f64 {
        self.outside_ms.iter().fold(0.0, |sum, it| sum + it) / self.answers.max(1.0)
    }

    /// The law of its waits, if nearly all answers wait for somebody outside.
    pub(super) fn wait_law(&self) -> Option<Law> {
        let is_known = self.outside_ms.len() >= LEAST_ANSWERS
            && self.outside_ms.len() as f64 >= NEARLY_ALL * self.answers;
        let all = if is_known { candidates(&self.outside_ms) } else { Vec::new() };
        let shape = all.iter().map(|it| Shape::of(&it.law)).find(is_smooth)?;
        Some(Law { shape, why: "by its spans of calls that nobody in the mesh answers" })
    }

    /// What self times are beside this work, under this load, where a quota may stop them or not.
    pub(super) fn unfolded(&self, work: &Work, load: Load, has_quota: bool) -> Unfolded {
        let none = Unfolded { load, beside_ms: 0.0, has_quota };
        let Some(own) = self.own(none).filter(|_| !has_quota) else { return none };
        // What is waited for outside is in no self time.
        let wait_ms = (work.wait_ms - self.wait_ms()).max(0.0);
        let load = load.seen_in(work.cpu_ms, own - wait_ms);
        Unfolded { load, beside_ms: (own - load.time(work.cpu_ms) - wait_ms).max(0.0), has_quota }
    }

    /// What self times are without what is beside them, in the mean (ms), or, where a quota may stop them, in their middle; none if there are none.
    pub(super) fn own(&self, unfolded: Unfolded) -> Option<f64> {
        if unfolded.has_quota {
            return quantile_of_sorted(&self.own_ms, 0.5);
        }
        let all = self.without(unfolded);
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }

    fn without(&self, unfolded: Unfolded) -> Vec<f64> {
        self.own_ms.iter().map(|ms| (ms - unfolded.beside_ms).max(0.0)).collect()
    }

    /// The shape for which the shorter self times speak.
    fn running(&self) -> Option<Shape> {
        let all = self.own_ms.len() as f64;
        let at = |share: f64| Some((quantile_of_sorted(&self.own_ms, share)?, share * all));
        let up_to = (1..=PARTS).filter_map(|part| at(RUNNING * f64::from(part) / f64::from(PARTS)));
        let buckets = Buckets::new(up_to.chain([(f64::INFINITY, all)]).collect(), false);
        buckets.shape_by_median(quantile_of_sorted(&self.own_ms, 0.5)?)
    }

    /// The law of CPU time and wait, whose means are known.
    pub(super) fn law(&self, work: &Work, unfolded: Unfolded) -> Option<Law> {
        if self.own_ms.len() < LEAST_ANSWERS || work.cpu_ms <= 0.0 {
            return None;
        }
        if unfolded.has_quota {
            let shape = self.running()?;
            return Some(Law {
                shape,
                why: "by the shorter self times of its spans: its limit stops pods in others",
            });
        }
        let load = unfolded.load;
        let all = candidates(&self.without(unfolded));
        let best = Shape::of(&all.first()?.law);
        let smooth = all.iter().map(|it| Shape::of(&it.law)).find(is_smooth)?;
        let shape = if work.wait_ms > self.wait_ms() {
            // Both vary by themselves.
            smooth.with_cv(smooth.cv() * (work.cpu_ms + work.wait_ms) / work.cpu_ms.hypot(work.wait_ms))
        } else if load.time(1.0) > MORE_BY_LOAD {
            smooth.with_cv(load.cv(smooth.cv()))
        } else {
            best
        };
        Some(Law { shape, why: "by the self times of its spans" })
    }
}

fn is_smooth(shape: &Shape) -> bool {
    !matches!(shape, Shape::Empirical(_))
}
