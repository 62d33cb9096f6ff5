//! Bursts: a Poisson process whose rate jumps between states at random.
//!
//! # Models
//! Markov-modulated Poisson process. The time in a state is exponential, the next state is any of
//! the others, the first one is drawn as the process has it in the long run: so it is stationary.
//! States are drawn by their own number, not by what requests see: the course of the rate is the
//! same whatever else happens.
//!
//! # Source
//! Fischer and Meier-Hellstern, The Markov-modulated Poisson process (MMPP) cookbook, Performance
//! Evaluation 18, 1993.

use crate::draws::{Purpose, draw};
use meshsim_core::random::{Address, exponential, uniform, uniform_index};
use meshsim_core::{SimDuration, SimTime};
use std::sync::Arc;

/// A rate that jumps.
#[derive(Clone, Debug, PartialEq)]
pub struct Mmpp {
    /// At least two.
    states: Arc<[State]>,
}

/// A state of the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Requests per second in it.
    pub per_second: f64,
    /// Mean time in it.
    pub sojourn: SimDuration,
}

/// Where a process is.
#[derive(Clone, Copy, Debug)]
pub struct Sojourn {
    /// Sojourns so far, the present one included.
    count: u64,
    state: u32,
    /// When the present one ends (s).
    ends: f64,
    /// Requests expected until then.
    expected: f64,
}

impl Sojourn {
    /// Before the first sojourn.
    pub const BEFORE: Self = Self { count: 0, state: 0, ends: 0.0, expected: 0.0 };
}

impl Mmpp {
    /// A process of these states.
    #[must_use]
    pub fn new(states: &[State]) -> Self {
        Self { states: states.into() }
    }

    /// Mean rate in the long run (1/s).
    #[must_use]
    pub fn mean(&self) -> f64 {
        let time = |state: &State| state.sojourn.as_secs_f64();
        let requests: f64 = self.states.iter().map(|state| state.per_second * time(state)).sum();
        requests / self.states.iter().map(time).sum::<f64>()
    }

    /// The highest rate (1/s).
    #[must_use]
    pub fn most(&self) -> f64 {
        self.states.iter().map(|state| state.per_second).fold(0.0, f64::max)
    }

    /// When so many requests have been expected (s), for a number that never falls. `own` is where the
    /// population's random numbers live. Nothing if it is after `until`.
    pub(super) fn when(
        &self,
        expected: f64,
        phase: &mut Sojourn,
        own: Address,
        until: SimTime,
    ) -> Option<f64> {
        let until = until.as_secs_f64();
        while phase.expected <= expected {
            if phase.ends > until {
                return None;
            }
            self.jump(phase, own);
        }
        // In a state in which no requests come, the expected number does not grow.
        let rate = self.states[phase.state as usize].per_second;
        Some(phase.ends - (phase.expected - expected) / rate)
    }

    /// Goes on to the next sojourn.
    fn jump(&self, phase: &mut Sojourn, own: Address) {
        let address = own.child(phase.count);
        phase.state = if phase.count == 0 {
            self.first(uniform(&mut draw(address, Purpose::FirstState)))
        } else {
            let other = uniform_index(&mut draw(address, Purpose::NextState), self.states.len() - 1) as u32;
            other + u32::from(other >= phase.state)
        };
        let state = &self.states[phase.state as usize];
        let stays = exponential(&mut draw(address, Purpose::Sojourn), state.sojourn.as_secs_f64());
        phase.count += 1;
        phase.ends += stays;
        phase.expected += stays * state.per_second;
    }

    /// The state in which the process is at a random moment. Each state is visited equally often.
    fn first(&self, uniform: f64) -> u32 {
        let all: f64 = self.states.iter().map(|state| state.sojourn.as_secs_f64()).sum();
        let mut left = uniform * all;
        for (index, state) in self.states.iter().enumerate() {
            left -= state.sojourn.as_secs_f64();
            if left < 0.0 {
                return index as u32;
            }
        }
        self.states.len() as u32 - 1
    }
}
