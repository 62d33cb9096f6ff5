//! What waiting for the CPU does to the times that are measured, taken off again.
//!
//! # Models
//! Requests of a pod share its CPU: M/G/1 with processor sharing. The mean time is the mean CPU time over 1 - load, whatever the law is. Its
//! squared coefficient of variation is that of the CPU time and a part that queueing adds, which has a closed form for times that are always the same
//! and for exponential ones; between them, and beyond, it is a line in the squared coefficient of variation.
//!
//! # Assumptions
//! A pod uses so many cores as a scenario's default of worker processes, or its limit if that is less. Effect: a pod that uses more is
//! taken for more loaded than it is, here and in the scenario alike.
//!
//! # Source
//! Yashkov, Processor-sharing queues: some progress in analysis, Queueing Systems 2, 1987, (the variance of the time that a request of known length
//! takes); Coffman, Muntz and Trotter, Waiting time distributions for processor-sharing systems, JACM 17, 1970 (exponential times).

use meshsim_core::elementary::exp;
use meshsim_models::world::description::DEFAULT_WORKERS;

/// A load above this one is no load by which waiting can be told.
const MOST_LOAD: f64 = 0.9;

/// Below this load the closed forms lose their digits, and there is nothing to be taken off.
const LEAST_LOAD: f64 = 1e-3;

/// A load: how much of what its pods can use a service uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load(f64);

/// What pods can use (cores): their number, and the CPU limit of each.
pub(super) fn capacity(pods: f64, limit: Option<f64>) -> f64 {
    let workers = f64::from(DEFAULT_WORKERS);
    pods.max(1.0) * limit.map_or(workers, |limit| limit.min(workers))
}

impl Load {
    /// Of cores in use.
    pub(super) fn new(cores: f64, capacity: f64) -> Self {
        Self(if capacity > 0.0 { (cores / capacity).clamp(0.0, MOST_LOAD) } else { 0.0 })
    }

    /// Of so many requests per second that take so long (ms), waiting for the CPU and all.
    pub(super) fn of_times(rate: f64, time_ms: f64, capacity: f64) -> Self {
        // The CPU time is the time less its part in which others were served.
        let cores = rate * time_ms / 1e3;
        Self::new(cores / (1.0 + cores / capacity.max(LEAST_LOAD)), capacity)
    }

    /// The same, or that of requests of this CPU time that take so long, if it is less: pods with more room than is known, or with cores of their own,
    /// let others wait less.
    pub(super) fn seen_in(self, cpu: f64, time: f64) -> Self {
        Self(if time > 0.0 { self.0.min((1.0 - cpu / time).max(0.0)) } else { self.0 })
    }

    /// How long a request of this CPU time takes in the mean.
    pub(super) fn time(self, cpu: f64) -> f64 {
        cpu / (1.0 - self.0)
    }

    /// The CPU time of requests that take so long in the mean.
    pub(super) fn cpu(self, time: f64) -> f64 {
        time * (1.0 - self.0)
    }

    /// The coefficient of variation of the CPU times of requests whose times have this one.
    pub(super) fn cv(self, of_times: f64) -> f64 {
        if self.0 < LEAST_LOAD {
            return of_times;
        }
        let (constant, exponential) = self.added();
        let squared = (of_times * of_times - constant) / (1.0 + exponential - constant);
        squared.max(0.0).sqrt()
    }

    /// What queueing adds to a squared coefficient of variation: for times that are always the same, and for exponential ones.
    fn added(self) -> (f64, f64) {
        let load = self.0;
        let constant = 1.0 - 2.0 * (1.0 - load) * (exp(load) - 1.0 - load) / (load * load);
        (constant, 2.0 * load / (2.0 - load))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::elementary::ln;
    use meshsim_core::random::{Address, uniform};

    /// A coefficient of variation, and a law of mean 1 that has it, by its quantiles.
    type Known = (f64, fn(f64) -> f64);

    /// Mean and coefficient of variation of the times of an M/G/1 queue with processor sharing, of whose CPU times the mean is 1.
    fn simulated(load: f64, cpu: impl Fn(f64) -> f64) -> (f64, f64) {
        let draw = |kind, number| 1.0 - uniform(&mut Address::root(1, 0).child(kind).child(number).draw(0));
        let (mut now, mut next, mut number) = (0.0, 0.0, 0);
        let mut there: Vec<(f64, f64)> = Vec::new();
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        while count < 400_000.0 {
            let first = there.iter().map(|(left, _)| *left).fold(f64::INFINITY, f64::min);
            let ends = now + first * there.len() as f64;
            if ends <= next {
                there.iter_mut().for_each(|(left, _)| *left -= first);
                now = ends;
                let index = there.iter().position(|(left, _)| *left <= 1e-12).unwrap();
                let took = now - there.swap_remove(index).1;
                (count, sum, squares) = (count + 1.0, sum + took, squares + took * took);
            } else {
                if !there.is_empty() {
                    let share = (next - now) / there.len() as f64;
                    there.iter_mut().for_each(|(left, _)| *left -= share);
                }
                now = next;
                there.push((cpu(draw(0, number)), now));
                next = now - ln(draw(1, number)) / load;
                number += 1;
            }
        }
        let mean = sum / count;
        (mean, (squares / count - mean * mean).sqrt() / mean)
    }

    #[test]
    fn what_queueing_adds_is_taken_off() {
        for load in [0.3, 0.5, 0.7] {
            let known = Load::new(load, 1.0);
            let laws: [Known; 3] = [(0.0, |_| 1.0), (1.0, |p| -ln(p)), (1.0 / 3.0_f64.sqrt(), |p| 2.0 * p)];
            for (cv, law) in laws {
                let (time, of_times) = simulated(load, law);
                assert!((known.cpu(time) - 1.0).abs() < 0.02, "{load}: {time}");
                let found = known.cv(of_times);
                assert!(
                    (found * found - cv * cv).abs() < 0.03,
                    "{load}: {of_times} came to {found}, it is {cv}"
                );
            }
        }
    }

    #[test]
    fn loads_are_those_of_pods() {
        assert_eq!(capacity(2.0, Some(1.0)), 2.0);
        assert_eq!(capacity(0.0, None), f64::from(DEFAULT_WORKERS));
        // 20 requests a second of 100 ms use 2 cores of 4, and take 200 ms.
        let load = Load::of_times(20.0, 200.0, 4.0);
        assert!((load.0 - 0.5).abs() < 1e-12 && (load.time(100.0) - 200.0).abs() < 1e-9);
        assert!((load.seen_in(100.0, 125.0).0 - 0.2).abs() < 1e-12);
        assert_eq!((load.seen_in(100.0, 500.0), load.seen_in(100.0, 90.0)), (load, Load::default()));
        assert_eq!(Load::default().cv(0.7), 0.7);
        assert_eq!(Load::new(9.0, 1.0).0, MOST_LOAD);
    }
}
