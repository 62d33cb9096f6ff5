//! Faults that come again: renewal processes, and containers that crash whenever they have run for a while.
//!
//! # Models
//! - *Renewal*: what is sound fails after an exponential time with the mean `between_failures` (MTBF), and is repaired after
//!   an exponential time with the mean `to_repair` (MTTR), and so on. In the long run it is sound for MTBF / (MTBF + MTTR)
//!   of the time. Every pod, and every link, has a process of its own.
//! - *Crash loop*: a container exits, is started by its kubelet after the wait of `kubernetes/crash_loop`, answers when it
//!   has started, and exits again after so long. Its pod stays, and so does its count.
//!
//! Either begins with the time of the fault and ends with it: a fault that is under way at the end is over then, and a
//! container that has exited before starts once more.
//!
//! # Assumptions
//! - MTBF is the mean of the time *between* a repair and the next failure, as most people mean it (strictly, MTTF).
//! - A container takes the same time to start each time.
//! - The whole time line is known from the start of a run. It is the same under every strategy: pods are told apart by
//!   their number among those of their service and cluster.
//!
//! # Source
//! Alternating renewal processes: Ross, *Introduction to Probability Models*, section 7.5.1.

use super::link::LinkFault;
use super::outage::Outage;
use super::pod::PodFault;
use crate::draws::{Purpose, draw};
use crate::kubernetes::crash_loop::{CrashLoop, CrashLoopSettings};
use meshsim_core::random::{Address, exponential};
use meshsim_core::{SimDuration, SimTime};

/// A fault that comes again between its beginning and its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RepeatedFault {
    /// Of pods.
    Pod {
        /// What it is, whose, and from when to when.
        fault: PodFault,
        /// How it comes again.
        repeats: Repeats,
    },
    /// Of a link.
    Link {
        /// Of which, and from when to when.
        fault: LinkFault,
        /// How it comes again.
        renewal: Renewal,
    },
    /// Of another component.
    Outage {
        /// Of which, and from when to when.
        outage: Outage,
        /// How it comes again.
        renewal: Renewal,
    },
}

/// How a fault of a pod comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// By chance.
    Renewal(Renewal),
    /// Whenever the pod has answered for so long.
    CrashLoop(SimDuration),
}

/// By chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Mean time from a repair to the next failure.
    pub between_failures: SimDuration,
    /// Mean time from a failure to its repair.
    pub to_repair: SimDuration,
}

/// From when to when.
pub type Span = (SimTime, SimTime);

impl Repeats {
    /// When a fault holds within a span, of a container that takes `starting` to start.
    #[must_use]
    pub fn within(self, span: Span, starting: SimDuration, address: Address) -> Vec<Span> {
        match self {
            Self::Renewal(renewal) => renewal.within(span, address),
            Self::CrashLoop(runs) => crash_loop(runs, span, starting),
        }
    }
}

impl Renewal {
    /// When a fault holds within a span.
    #[must_use]
    pub fn within(self, (begins, ends): Span, address: Address) -> Vec<Span> {
        let time = |mean: SimDuration, n: u64, purpose| {
            let nanos = exponential(&mut draw(address.child(n), purpose), mean.as_nanos() as f64);
            SimDuration::from_nanos_f64(nanos.max(1.0))
        };
        let (mut broken, mut now) = (Vec::new(), begins);
        for n in 0.. {
            let fails = now.saturating_add(time(self.between_failures, n, Purpose::TimeToFailure));
            if fails >= ends {
                break;
            }
            now = fails.saturating_add(time(self.to_repair, n, Purpose::TimeToRepair));
            broken.push((fails, now.min(ends)));
        }
        broken
    }
}

fn crash_loop(runs: SimDuration, (begins, ends): Span, starting: SimDuration) -> Vec<Span> {
    let mut container = CrashLoop::new(CrashLoopSettings::default());
    let (mut dead, mut exits) = (Vec::new(), begins);
    while exits < ends {
        let answers = container.exits(exits).saturating_add(starting);
        dead.push((exits, answers));
        exits = answers.saturating_add(runs);
    }
    dead
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::random::Address;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    fn secs(of: Span) -> (f64, f64) {
        (of.0.as_secs_f64(), of.1.as_secs_f64())
    }

    /// Closed form: MTBF / (MTBF + MTTR). The variance of the time broken in a long time t is
    /// 2 MTBF^2 MTTR^2 / (MTBF + MTTR)^3 x t (Ross, section 7.5.1).
    #[test]
    fn the_time_broken_is_that_of_the_renewal_theorem() {
        let [up, down] = [90.0_f64, 10.0];
        let renewal = Renewal {
            between_failures: SimDuration::from_secs_f64(up),
            to_repair: SimDuration::from_secs_f64(down),
        };
        let long = 1_000_000_u64;
        for seed in 0..5 {
            let spans = renewal.within((at(0), at(long)), Address::root(seed, 0));
            let broken: f64 = spans.iter().map(|&span| secs(span)).map(|(from, to)| to - from).sum();
            let expected = long as f64 * down / (up + down);
            let deviation = (2.0 * up.powi(2) * down.powi(2) / (up + down).powi(3) * long as f64).sqrt();
            assert!(deviation < 0.02 * expected);
            assert!((broken - expected).abs() < 4.0 * deviation, "{broken} instead of {expected}");
            assert!(spans.windows(2).all(|two| two[0].0 < two[0].1 && two[0].1 < two[1].0));
        }
    }

    #[test]
    fn nothing_is_broken_outside_of_the_span() {
        let short = SimDuration::from_secs(1);
        let renewal = Renewal { between_failures: short, to_repair: short };
        let spans = renewal.within((at(10), at(20)), Address::root(1, 0));
        assert!(spans.len() > 2 && spans.iter().all(|span| span.0 >= at(10) && span.1 <= at(20)));
    }

    #[test]
    fn a_container_waits_twice_as_long_each_time() {
        let spans = crash_loop(SimDuration::from_secs(5), (at(100), at(250)), SimDuration::from_secs(2));
        let spans: Vec<_> = spans.into_iter().map(secs).collect();
        assert_eq!(spans, [(100.0, 102.0), (107.0, 119.0), (124.0, 146.0), (151.0, 193.0), (198.0, 280.0)]);
    }
}
