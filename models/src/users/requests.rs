//! What users request: always the same, one of several kinds by their shares, or the steps of a journey.
//!
//! # Models
//! Which kind request k of a population is follows from its address alone, or, in a journey, from those of its user's
//! requests up to it: so it is the same under every strategy. Kinds are drawn independently; a journey is a Markov chain
//! over its steps, of which each user begins with the first. A step that leads to a single other one draws nothing.
//!
//! # Source
//! Kemeny and Snell, Finite Markov chains, 1960, chapters 4 and 5: shares of steps in the long run. Journeys as in Locust
//! (`SequentialTaskSet`, `MarkovTaskSet`) and in scripts of k6.

use crate::draws::{Purpose, draw};
use crate::ids::EndpointId;
use meshsim_core::SimDuration;
use meshsim_core::random::{Address, uniform};

/// What the users of a population request.
#[derive(Clone, Debug, PartialEq)]
pub struct Requests {
    /// Kinds by their shares; those of a journey in the long run.
    kinds: Vec<Kind>,
    /// The steps of a journey; empty without one.
    steps: Vec<Step>,
}

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Kind {
    endpoint: EndpointId,
    share: f64,
    /// The shares so far, its own included.
    up_to: f64,
}

/// A step of a journey.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is requested.
    pub endpoint: EndpointId,
    /// Mean think time after its answer, in a closed loop, if it is not that of all.
    pub think_time: Option<SimDuration>,
    /// The numbers of the steps that may follow, by their weights, of which one is above zero.
    pub next: Vec<(u16, f64)>,
}

/// The step of a user who has requested nothing yet.
pub const BEFORE_THE_FIRST: u16 = u16::MAX;

impl Requests {
    /// Nothing but this.
    #[must_use]
    pub fn only(endpoint: EndpointId) -> Self {
        Self::weighted(&[(endpoint, 1.0)])
    }

    /// These, in proportion to their weights.
    ///
    /// # Panics
    /// If no weight is above zero.
    #[must_use]
    pub fn weighted(kinds: &[(EndpointId, f64)]) -> Self {
        let sum: f64 = kinds.iter().map(|(_, weight)| weight).sum();
        assert!(sum > 0.0, "users request something");
        let mut up_to = 0.0;
        let kind = |&(endpoint, weight): &(EndpointId, f64)| {
            let share = weight / sum;
            up_to += share;
            Kind { endpoint, share, up_to }
        };
        let kinds = kinds.iter().filter(|(_, weight)| *weight > 0.0).map(kind).collect();
        Self { kinds, steps: Vec::new() }
    }

    /// A journey of these steps, which begins with the first.
    ///
    /// # Panics
    /// If there is none, or none may follow one.
    #[must_use]
    pub fn journey(steps: Vec<Step>) -> Self {
        let shares = shares_of_steps(&steps);
        let mut kinds: Vec<(EndpointId, f64)> = Vec::new();
        for (step, share) in steps.iter().zip(shares) {
            match kinds.iter_mut().find(|(endpoint, _)| *endpoint == step.endpoint) {
                Some((_, sum)) => *sum += share,
                None => kinds.push((step.endpoint, share)),
            }
        }
        Self { steps, ..Self::weighted(&kinds) }
    }

    /// Whether users go through the steps of a journey.
    #[must_use]
    #[inline]
    pub fn is_journey(&self) -> bool {
        !self.steps.is_empty()
    }

    /// What the request at `address` is for, where users make no journey.
    #[must_use]
    #[inline]
    pub fn of(&self, address: Address) -> EndpointId {
        let (last, others) = self.kinds.split_last().expect("users request something");
        if others.is_empty() {
            return last.endpoint;
        }
        let drawn = uniform(&mut draw(address, Purpose::RequestKind));
        others.iter().find(|it| drawn < it.up_to).unwrap_or(last).endpoint
    }

    /// The step of the request at `address`, of a user whose last one was in step `before`.
    #[must_use]
    pub fn step_after(&self, before: u16, address: Address) -> u16 {
        let Some(step) = self.steps.get(usize::from(before)) else { return 0 };
        let [(only, _)] = step.next[..] else {
            let sum: f64 = step.next.iter().map(|(_, weight)| weight).sum();
            let mut left = uniform(&mut draw(address, Purpose::RequestKind)) * sum;
            for &(next, weight) in &step.next {
                if left < weight {
                    return next;
                }
                left -= weight;
            }
            let mut possible = step.next.iter().rev().filter(|(_, weight)| *weight > 0.0);
            return possible.next().expect("a step leads somewhere").0;
        };
        only
    }

    /// What is requested in a step.
    #[must_use]
    pub fn of_step(&self, step: u16) -> EndpointId {
        self.steps[usize::from(step)].endpoint
    }

    /// The mean think time after a step, if it is its own.
    #[must_use]
    pub fn think_time(&self, step: u16) -> Option<SimDuration> {
        self.steps.get(usize::from(step))?.think_time
    }

    /// The mean think time of users in the long run, where `other` is that of steps without one of their own.
    #[must_use]
    pub fn mean_think_time(&self, other: SimDuration) -> SimDuration {
        if !self.is_journey() {
            return other;
        }
        let nanos = |step: &Step| step.think_time.unwrap_or(other).as_nanos() as f64;
        let shares = shares_of_steps(&self.steps);
        SimDuration::from_nanos_f64(
            self.steps.iter().zip(shares).map(|(step, share)| nanos(step) * share).sum(),
        )
    }

    /// The kinds, each with its share of the requests; in a journey that in the long run.
    pub fn shares(&self) -> impl Iterator<Item = (EndpointId, f64)> {
        self.kinds.iter().map(|it| (it.endpoint, it.share))
    }

    /// The kinds.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointId> {
        self.kinds.iter().map(|it| it.endpoint)
    }

    /// Whatever may be requested, also by steps that nobody takes in the long run; some more than once.
    pub fn ever_requested(&self) -> impl Iterator<Item = EndpointId> {
        self.endpoints().chain(self.steps.iter().map(|it| it.endpoint))
    }
}

/// The shares of steps in the long run, of users who begin with the first: the limit of a chain that stays where it is
/// with probability 1/2, so that one that goes round and round has a limit too.
#[must_use]
pub fn shares_of_steps(steps: &[Step]) -> Vec<f64> {
    const ROUNDS: usize = 100_000;
    let mut shares = vec![0.0; steps.len()];
    shares[0] = 1.0;
    for _ in 0..ROUNDS {
        let mut next: Vec<f64> = shares.iter().map(|share| share / 2.0).collect();
        for (step, share) in steps.iter().zip(&shares) {
            let sum: f64 = step.next.iter().map(|(_, weight)| weight).sum();
            for &(to, weight) in &step.next {
                next[usize::from(to)] += share / 2.0 * weight / sum;
            }
        }
        let moved: f64 = shares.iter().zip(&next).map(|(before, after)| (before - after).abs()).sum();
        shares = next;
        if moved < 1e-13 {
            break;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_their_shares_and_what_has_no_weight_never_comes() {
        let weights =
            [(EndpointId(4), 60.0), (EndpointId(2), 0.0), (EndpointId(7), 30.0), (EndpointId(1), 10.0)];
        let requests = Requests::weighted(&weights);
        assert!((requests.shares().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-15);
        let mut counts = [0; 8];
        (0..100_000).for_each(|k| counts[requests.of(Address::root(1, 0).child(k)).0 as usize] += 1);
        // Standard deviations: 155, 145, 95.
        assert_eq!(counts.iter().sum::<i32>(), counts[4] + counts[7] + counts[1]);
        assert!((59_400..60_600).contains(&counts[4]) && (29_400..30_600).contains(&counts[7]), "{counts:?}");
    }

    #[test]
    fn a_single_kind_draws_nothing() {
        assert_eq!(Requests::only(EndpointId(3)), Requests::weighted(&[(EndpointId(3), 7.0)]));
    }

    fn step(endpoint: u32, next: &[(u16, f64)]) -> Step {
        Step { endpoint: EndpointId(endpoint), think_time: None, next: next.to_vec() }
    }

    /// From home to a product in 3 of 4 cases, from a product to the cart in 1 of 2, from the cart home: with a share x at
    /// home, products have 3/4 x + 1/2 p = p, so p = 3/2 x, and carts 1/4 x + 1/2 p = x.
    #[test]
    fn the_steps_of_a_chain_have_its_stationary_shares() {
        let steps =
            vec![step(0, &[(1, 3.0), (2, 1.0)]), step(1, &[(1, 0.5), (2, 0.5)]), step(2, &[(0, 1.0)])];
        let expected = [1.0, 1.5, 1.0].map(|part| part / 3.5);
        let requests = Requests::journey(steps);
        for ((_, share), expected) in requests.shares().zip(expected) {
            assert!((share - expected).abs() < 1e-10, "{share}, expected {expected}");
        }
        let (mut at, mut counts) = (BEFORE_THE_FIRST, [0_i32; 3]);
        for k in 0..350_000 {
            at = requests.step_after(at, Address::root(1, 0).child(k));
            counts[usize::from(at)] += 1;
        }
        // The length of a round varies little: well within one part in a hundred.
        assert!(
            counts.iter().zip([100_000, 150_000, 100_000]).all(|(n, m)| (n - m).abs() < m / 100),
            "{counts:?}"
        );
    }

    #[test]
    fn a_journey_goes_round_and_what_is_never_reached_again_has_no_share() {
        let steps = vec![step(5, &[(1, 1.0)]), step(6, &[(2, 1.0)]), step(6, &[(1, 1.0)])];
        let requests = Requests::journey(steps);
        let mut at = BEFORE_THE_FIRST;
        let path: Vec<u16> = (0..5)
            .map(|k| {
                at = requests.step_after(at, Address::root(1, 0).child(k));
                at
            })
            .collect();
        assert_eq!(path, [0, 1, 2, 1, 2]);
        let shares: Vec<(EndpointId, f64)> = requests.shares().collect();
        assert!(shares.iter().all(|(id, share)| id.0 == 6 || *share < 1e-9), "{shares:?}");
    }
}
