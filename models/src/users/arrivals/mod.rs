//! When users send requests.
//!
//! # Models
//! Open loop: arrivals come whatever the answers take, at a constant rate or at one that changes
//! over time, or when a recording says so. Closed loop: each user waits for its answer, thinks for
//! an exponential or constant time, and sends the next one.
//!
//! An open loop is a sequence that is known from the seed alone: request k comes when it comes,
//! under every strategy. A rate that changes is a change of clock: requests are those of a process
//! of rate 1 in a time that passes faster while the rate is high (inversion of the expected number
//! of requests), so each takes one random number.
//!
//! # Assumptions
//! Users of a closed loop begin at random moments of their first think time.
//!
//! # Source
//! Çinlar, Introduction to stochastic processes, 1975, section 4.7 (change of clock).

pub mod closed_loop;
pub mod diurnal;
pub mod flash_crowd;
pub mod mmpp;
pub mod piecewise;
pub mod rate_curve;
pub mod replay;
pub mod steady;

use crate::draws::{Purpose, draw};
use meshsim_core::random::{Address, exponential, uniform_index};
use meshsim_core::{SimDuration, SimTime};
use mmpp::{Mmpp, Sojourn};
use rate_curve::RateCurve;
use replay::Replay;
use std::sync::Arc;

/// How a population's requests come.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// Independent of each other.
    Poisson {
        /// Requests per second of the whole population.
        per_second: f64,
    },
    /// At equal distances.
    Constant {
        /// Requests per second of the whole population.
        per_second: f64,
    },
    /// Each user sends the next request after an answer and a think time.
    ClosedLoop {
        /// Mean think time.
        think_time: SimDuration,
        /// Whether think times are exponential or all alike.
        exponential: bool,
    },
    /// At a rate that is a function of time.
    Varying {
        /// The rate of the whole population.
        curve: Arc<RateCurve>,
        /// How requests lie around it.
        spacing: Spacing,
    },
    /// In bursts: at a rate that jumps at random.
    Mmpp(Mmpp),
    /// As recorded.
    Replay(Replay),
}

/// How the requests of a rate that varies lie around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Independent of each other: a Poisson process.
    Random,
    /// As far apart as the rate says.
    Even,
}

/// How far a sequence of arrivals has been followed.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Requests that were expected until the last one came: time of the process of rate 1.
    passed: f64,
    /// Of a rate that jumps: where it is.
    phase: Sojourn,
    /// Where the population's own random numbers live.
    own: Address,
    /// Nobody asks for what comes later.
    until: SimTime,
}

impl Clock {
    /// Before the first request of a population whose own draws live at `own`; `until` is the end of
    /// the run.
    #[must_use]
    pub const fn new(own: Address, until: SimTime) -> Self {
        Self { passed: 0.0, phase: Sojourn::BEFORE, own, until }
    }
}

impl Arrivals {
    /// When request `number` of an open loop comes, whose address is `address`, after the one at
    /// `before`, up to which `clock` has been moved. Nothing if none comes any more, or in a closed
    /// loop.
    #[must_use]
    pub fn next(&self, clock: &mut Clock, before: SimTime, number: u64, address: Address) -> Option<SimTime> {
        match self {
            Self::Poisson { per_second } => Some(before + steady::poisson_gap(*per_second, address)),
            Self::Constant { per_second } => Some(before + steady::constant_gap(*per_second)),
            Self::Varying { curve, spacing } => {
                clock.passed += match spacing {
                    Spacing::Random => unit_gap(address),
                    Spacing::Even => 1.0,
                };
                let at = curve.when(clock.passed)?;
                // Rounding never makes time go back.
                Some(SimTime::from_nanos(SimDuration::from_secs_f64(at).as_nanos()).max(before))
            }
            Self::Mmpp(mmpp) => {
                clock.passed += unit_gap(address);
                let at = mmpp.when(clock.passed, &mut clock.phase, clock.own, clock.until)?;
                Some(SimTime::from_nanos(SimDuration::from_secs_f64(at).as_nanos()).max(before))
            }
            Self::Replay(replay) => replay.time_of(number),
            Self::ClosedLoop { .. } => None,
        }
    }

    /// Who of `users` users sends request `number`, whose address is `address`: Poisson arrivals are
    /// those of independent users, so it is any of them, and nobody knows whose recorded ones are;
    /// the others take turns.
    #[must_use]
    pub fn user(&self, number: u64, address: Address, users: u32) -> u32 {
        match self {
            Self::Constant { .. }
            | Self::ClosedLoop { .. }
            | Self::Varying { spacing: Spacing::Even, .. } => (number % u64::from(users)) as u32,
            Self::Poisson { .. } | Self::Varying { .. } | Self::Mmpp(_) | Self::Replay(_) => {
                uniform_index(&mut draw(address, Purpose::User), users as usize) as u32
            }
        }
    }

    /// Think time before the request at `address` of a closed loop, of its own mean if it has one; zero in an open loop.
    /// The first one is a random part of it.
    #[must_use]
    pub fn think(&self, own: Option<SimDuration>, address: Address, first: bool) -> SimDuration {
        let &Self::ClosedLoop { think_time, exponential } = self else { return SimDuration::ZERO };
        closed_loop::think(own.unwrap_or(think_time), exponential, address, first)
    }

    /// Whether requests come whatever the answers take.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self, Self::ClosedLoop { .. })
    }

    /// Whether the load is meant to differ between one part of a run and another.
    #[must_use]
    pub const fn varies(&self) -> bool {
        matches!(self, Self::Varying { .. } | Self::Replay(_))
    }

    /// Expected requests before `end`, if nothing slows the users down.
    #[must_use]
    pub fn expected(&self, users: u32, end: SimTime) -> f64 {
        match self {
            Self::Varying { curve, .. } => curve.expected(end.as_secs_f64()),
            Self::Replay(replay) => replay.count_before(end) as f64,
            steady => steady.rate_at(users, SimTime::ZERO, Extreme::Mean) * end.as_secs_f64(),
        }
    }

    /// Requests per second on average over a run that ends at `end`, if nothing slows the users
    /// down.
    #[must_use]
    pub fn offered_per_second(&self, users: u32, end: SimTime) -> f64 {
        if self.varies() {
            return self.expected(users, end) / end.as_secs_f64().max(1e-9);
        }
        self.rate_at(users, SimTime::ZERO, Extreme::Mean)
    }

    /// Requests per second at a moment; where chance decides, the mean or the most there can be.
    #[must_use]
    pub fn rate_at(&self, users: u32, at: SimTime, of: Extreme) -> f64 {
        match self {
            Self::Poisson { per_second } | Self::Constant { per_second } => *per_second,
            Self::ClosedLoop { think_time, .. } => f64::from(users) / think_time.as_secs_f64().max(1e-3),
            Self::Varying { curve, .. } => curve.rate(at.as_secs_f64()),
            Self::Mmpp(mmpp) if of == Extreme::Most => mmpp.most(),
            Self::Mmpp(mmpp) => mmpp.mean(),
            Self::Replay(replay) => replay.rate_around(at),
        }
    }

    /// Moments before `end` among which is the one at which the rate is highest.
    #[must_use]
    pub fn turning_points(&self, end: SimTime) -> Vec<SimTime> {
        match self {
            Self::Varying { curve, .. } => curve.turning_points(end.as_secs_f64()),
            Self::Replay(replay) => replay.turning_points(end),
            _ => Vec::new(),
        }
    }
}

/// What is asked of a rate where chance decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extreme {
    /// The mean.
    Mean,
    /// The most.
    Most,
}

/// The gap before the request at `address` in a process of rate 1.
fn unit_gap(address: Address) -> f64 {
    exponential(&mut draw(address, Purpose::Interarrival), 1.0)
}
