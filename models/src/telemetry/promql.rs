//! What Prometheus computes of a counter's samples: `rate`, `increase` and `histogram_quantile`.
//!
//! # Models
//! A series is what was scraped of one counter of one instance, each sample with the time of its scrape (ms). A rate over
//! a window is that of the samples in it, both ends included, of which there are at least two. A counter that has fallen
//! began anew at zero. The increase between the first and the last sample is extrapolated to the ends of the window where
//! these are nearer than 1.1 times the mean distance of samples, and else by half of that distance; never to before the
//! time at which the counter would have been zero.
//!
//! # Source
//! Prometheus 2.42, `promql/functions.go` (`extrapolatedRate`), `promql/engine.go` (`matrixIterSlice`: windows are closed at
//! both ends; from 3.0 on they are open at the left), `promql/quantile.go` (`bucketQuantile`).

use std::collections::VecDeque;

/// The samples of a counter: when (ms), and what it had counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(VecDeque<(u64, f64)>);

impl Samples {
    /// A scrape has found this. One that is not newer than the last is refused, as Prometheus does.
    pub fn push(&mut self, at: u64, value: f64) {
        if self.0.back().is_none_or(|(last, _)| *last < at) {
            self.0.push_back((at, value));
        }
    }

    /// What was found before `from` (ms) is not needed any more: tells whether anything is left.
    pub fn forget_before(&mut self, from: u64) -> bool {
        while self.0.front().is_some_and(|(at, _)| *at < from) {
            self.0.pop_front();
        }
        !self.0.is_empty()
    }

    /// All of them, in the order of time.
    pub fn iter(&self) -> impl Iterator<Item = (u64, f64)> {
        self.0.iter().copied()
    }

    /// `increase` over the last `window` (ms) before `now` (ms); absent if there are fewer than two samples.
    #[must_use]
    pub fn increase(&self, now: u64, window: u64) -> Option<f64> {
        let start = now.saturating_sub(window);
        let within = || self.0.iter().filter(|(at, _)| (start..=now).contains(at));
        let (&(first_at, first), &(last_at, last)) = (within().next()?, within().next_back()?);
        let count = within().count();
        if count < 2 {
            return None;
        }
        let mut increase = last - first;
        let mut before = 0.0;
        for (_, value) in within() {
            if *value < before {
                increase += before;
            }
            before = *value;
        }
        let seconds = |ms: u64| ms as f64 / 1e3;
        let (mut to_start, to_end) =
            (seconds(first_at) - (seconds(now) - seconds(window)), seconds(now - last_at));
        let sampled = seconds(last_at - first_at);
        let between = sampled / (count - 1) as f64;
        if increase > 0.0 && first >= 0.0 {
            to_start = to_start.min(sampled * (first / increase));
        }
        let reach = |to_end: f64| if to_end < between * 1.1 { to_end } else { between / 2.0 };
        Some(increase * ((sampled + reach(to_start) + reach(to_end)) / sampled))
    }

    /// `rate` over the last `window` (ms) before `now` (ms), per second; absent if there are fewer than two samples.
    #[must_use]
    pub fn rate(&self, now: u64, window: u64) -> Option<f64> {
        Some(self.increase(now, window)? / (window as f64 / 1e3))
    }
}

/// `histogram_quantile` over the rates of buckets: how much is in each, not in those below it, with their upper bounds, of
/// which the last bucket has none. Absent if there is nothing in any.
#[must_use]
pub fn histogram_quantile(q: f64, bounds: &[f64], counts: &[f64]) -> Option<f64> {
    let total: f64 = counts.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let rank = q * total;
    let mut below = 0.0;
    for (index, &count) in counts.iter().enumerate() {
        if count > 0.0 && below + count >= rank {
            // In the bucket without a bound, Prometheus gives the bound below it.
            let Some(&upper) = bounds.get(index) else { break };
            let lower = if index == 0 { 0.0 } else { bounds[index - 1] };
            return Some(lower + (upper - lower) * (rank - below) / count);
        }
        below += count;
    }
    bounds.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: &[(u64, f64)]) -> Samples {
        let mut samples = Samples::default();
        of.iter().for_each(|&(seconds, value)| samples.push(seconds * 1_000, value));
        samples
    }

    fn increase(of: &[(u64, f64)], now: u64, window: u64) -> Option<f64> {
        samples(of).increase(now * 1_000, window * 1_000)
    }

    fn close(told: Option<f64>, right: f64) {
        assert!(told.is_some_and(|told| (told - right).abs() <= 1e-12 * right), "{told:?}, not {right}");
    }

    /// Worked by hand from `extrapolatedRate`.
    #[test]
    fn an_increase_is_extrapolated_to_ends_that_are_near() {
        // Samples every 15 s at 10/s, window 60 s that ends 5 s after the last: 45 s seen, 10 and 5 s to the ends.
        let steady: Vec<(u64, f64)> = (0..9).map(|k| (15 * k, 150.0 * k as f64)).collect();
        close(increase(&steady, 125, 60), 450.0 * (45.0 + 10.0 + 5.0) / 45.0);
        // An end that lies on a sample counts it.
        close(increase(&steady, 120, 60), 600.0);
    }

    #[test]
    fn ends_that_are_far_are_reached_by_half_a_distance() {
        // Seen from 30 to 45 s only, window 0 to 90 s: 7.5 s more at each end.
        let few = [(30, 100.0), (45, 130.0)];
        close(increase(&few, 90, 90), 30.0 * (15.0 + 7.5 + 7.5) / 15.0);
    }

    #[test]
    fn a_counter_was_never_below_zero() {
        // 3 of 33 before the first sample: it began 1.5 s before.
        let young = [(60, 3.0), (75, 33.0), (90, 63.0)];
        let expected = 60.0 * (30.0 + 30.0 * 3.0 / 60.0 + 5.0) / 30.0;
        close(increase(&young, 95, 45), expected);
        // One that was at zero then is not extrapolated to before at all.
        close(increase(&[(60, 0.0), (75, 30.0)], 75, 60), 30.0);
    }

    #[test]
    fn a_counter_that_falls_began_anew() {
        let restarted = [(0, 100.0), (15, 110.0), (30, 5.0), (45, 20.0)];
        // 20 - 100 + 110 = 30 in 45 s.
        close(increase(&restarted, 45, 45), 30.0);
        close(samples(&restarted).rate(45_000, 45_000), 30.0 / 45.0);
    }

    #[test]
    fn one_sample_is_no_rate() {
        assert_eq!(increase(&[(15, 3.0)], 20, 60), None);
        assert_eq!(increase(&[], 20, 60), None);
        let mut late = samples(&[(15, 3.0), (30, 4.0)]);
        late.push(20_000, 9.0);
        assert!(late.iter().count() == 2 && late.forget_before(16_000) && !late.forget_before(31_000));
    }

    #[test]
    fn a_quantile_is_interpolated_in_its_bucket() {
        let bounds = [1.0, 5.0];
        assert_eq!(histogram_quantile(0.5, &bounds, &[2.0, 2.0, 0.0]), Some(1.0));
        assert_eq!(histogram_quantile(0.75, &bounds, &[2.0, 2.0, 0.0]), Some(3.0));
        assert_eq!(histogram_quantile(0.9, &bounds, &[1.0, 1.0, 8.0]), Some(5.0));
        assert_eq!(histogram_quantile(0.9, &bounds, &[0.0; 3]), None);
    }
}
