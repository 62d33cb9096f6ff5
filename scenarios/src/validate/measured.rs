//! What a trace says about its latencies, and how far to trust it.
//!
//! # Models
//! Moving-block bootstrap over time. Queueing correlates neighbouring requests, so not requests but
//! stretches of time of a given length are drawn with replacement, from random starts anywhere in
//! the trace; a stretch that reaches the end goes on at the start (circular), so that every request
//! is equally likely. Stretches are put together until they are as long as the trace, the last one
//! cut short; the figure is computed of each such series, and the interval is between its 2.5 % and
//! 97.5 % quantiles over all of them (percentile interval).
//!
//! The same series say how far the trace's distribution function may be from the true one: the 95 %
//! quantile of their own distances to the trace, Kolmogorov-Smirnov's and Wasserstein's. By the
//! triangle inequality a simulation's distance to the true distribution is at least its distance to
//! the trace less that, and at most its distance to the trace and that.
//!
//! Of a trace that has only buckets there are the same figures, without intervals of latencies:
//! which latency followed which is not known.
//!
//! # Assumptions
//! The trace is stationary and correlation is gone after one block. Effect: intervals are too
//! narrow if blocks are shorter than a few correlation times, and also if the trace has few blocks.
//! On AR(1) series with blocks of 6 to 20 correlation times, 95 % intervals of the mean, the median
//! and the 90 % quantile cover the true value 92 times in 100 with 30 blocks, 87 to 91 with 13, 86
//! to 89 with 8 and 83 with 4; those of the 99 % quantile 89, 71 to 83, 78 and 69 times. Below
//! [`MIN_BLOCKS`] there is no interval. What changes between runs (the speed of the machine) is not
//! in the interval.
//!
//! # Source
//! Kuensch, The jackknife and the bootstrap for general stationary observations, Annals of
//! Statistics 17(3), 1989 (moving blocks). Politis and Romano, A circular block-resampling
//! procedure for stationary data, in Exploring the limits of bootstrap, 1992. Wilson, Probable
//! inference, Journal of the American Statistical Association 22, 1927; in the form of Brown, Cai
//! and DasGupta, Statistical Science 16(2), 2001, (4).

use crate::traces::Trace;
use crate::traces::histogram::Histogram;
use meshsim_core::elementary::sqrt;
use meshsim_core::random::{Address, uniform};
use meshsim_core::stats::{Estimate, Interval, Tally, normal_quantile, quantile_of_sorted};
use rayon::prelude::*;

/// Confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// A trace of less than so many blocks of time gives no interval: drawing from so few says nothing
/// about their spread.
pub const MIN_BLOCKS: f64 = 4.0;

/// With fewer drawn series there is no interval: a 2.5 % quantile needs 40.
pub const MIN_RESAMPLES: usize = 40;

/// The quantiles of a [`Measured`], after the mean.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// The mean and the [`QUANTILES`] of one series (ms).
type Figures = [f64; 1 + QUANTILES.len()];

/// Statistics of the latencies in a trace, of successful requests only; of one that has only buckets,
/// of what is in these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Successful requests.
    pub count: u64,
    /// Failed requests.
    pub failed: u64,
    /// Mean latency (ms) with its bootstrap interval.
    pub mean: Estimate,
    /// Median latency (ms) with its bootstrap interval.
    pub p50: Estimate,
    /// 90 % quantile of the latency (ms) with its bootstrap interval.
    pub p90: Estimate,
    /// 95 % quantile of the latency (ms) with its bootstrap interval.
    pub p95: Estimate,
    /// 99 % quantile of the latency (ms) with its bootstrap interval.
    pub p99: Estimate,
    /// Failed requests as a share of all, with its Wilson interval. That takes failures as
    /// independent: it is too narrow if they come in bursts.
    pub failure_share: Estimate,
    /// How far the trace may be from the true distribution; `None` where there are no intervals.
    pub noise: Option<Noise>,
}

/// Distances between a trace and the distribution that it was drawn from which are exceeded 5 times in 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Kolmogorov-Smirnov distance, from 0 to 1.
    pub kolmogorov_smirnov: f64,
    /// Wasserstein distance (ms).
    pub wasserstein_ms: f64,
}

/// Statistics of a trace whose warm-up has been taken away.
///
/// Blocks are `block_seconds` long, or as long as the mean distance of two successful requests if
/// that is more. `resamples` series are drawn (1000 are enough for two digits of an interval's
/// ends); the same `seed` gives the same bits on every machine.
///
/// `None` if no request was successful or `block_seconds` is not a positive number. The intervals of
/// latencies are `None` with less than [`MIN_BLOCKS`] blocks or [`MIN_RESAMPLES`], and of buckets.
#[must_use]
pub fn measure(trace: &Trace, block_seconds: f64, resamples: usize, seed: u64) -> Option<Measured> {
    if let Some(histogram) = &trace.histogram {
        return of_buckets(histogram);
    }
    let usable = block_seconds > 0.0 && block_seconds.is_finite();
    let series = Series::new(trace).filter(|_| usable)?;
    let values = figures(&series.sorted_ms)?;
    let drawn = series.draw(block_seconds, resamples, seed);
    let intervals = drawn.as_ref().map(|drawn| drawn.intervals);
    let count = series.sorted_ms.len() as u64;
    let failed = trace.requests.len() as u64 - count;
    let estimate = |index: usize| Estimate {
        value: values[index],
        interval: intervals.map(|of| of[index]),
        samples: count,
    };
    Some(Measured {
        count,
        failed,
        mean: estimate(0),
        p50: estimate(1),
        p90: estimate(2),
        p95: estimate(3),
        p99: estimate(4),
        failure_share: wilson(failed, count + failed),
        noise: drawn.map(|drawn| drawn.noise),
    })
}

/// `None` of no bucket, and if all requests failed.
fn of_buckets(histogram: &Histogram) -> Option<Measured> {
    let estimate =
        |value: Option<f64>| Some(Estimate { value: value?, interval: None, samples: histogram.count() });
    let [p50, p90, p95, p99] = QUANTILES.map(|q| estimate(histogram.quantile_ms(q)));
    let failed = histogram.failed.min(histogram.requests);
    if failed > 0 && failed == histogram.requests {
        return None;
    }
    Some(Measured {
        count: histogram.requests - failed,
        failed,
        mean: estimate(histogram.mean_ms())?,
        p50: p50?,
        p90: p90?,
        p95: p95?,
        p99: p99?,
        failure_share: wilson(failed, histogram.requests.max(1)),
        noise: None,
    })
}

/// A share with its Wilson interval; `all` is not 0.
pub(super) fn wilson(part: u64, all: u64) -> Estimate {
    let (n, share) = (all as f64, part as f64 / all as f64);
    let z = normal_quantile(0.5 + 0.5 * CONFIDENCE);
    let weight = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / weight;
    let reach = z / weight * sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n));
    // At the ends of 0..=1 the bound is exact but for rounding.
    let low = if part == 0 { 0.0 } else { centre - reach };
    let high = if part == all { 1.0 } else { centre + reach };
    Estimate { value: share, interval: Some(Interval { low, high }), samples: all }
}

/// `None` of an empty series.
fn figures(sorted_ms: &[f64]) -> Option<Figures> {
    let mean = sorted_ms.iter().copied().collect::<Tally>().mean()?;
    let mut figures = [mean; 1 + QUANTILES.len()];
    for (figure, q) in figures[1..].iter_mut().zip(QUANTILES) {
        *figure = quantile_of_sorted(sorted_ms, q)?;
    }
    Some(figures)
}

/// The successful requests on their circle of time.
struct Series {
    /// When each was sent (us after the first request), ascending.
    starts: Vec<u64>,
    /// The index of each one's latency in `steps`.
    ranks: Vec<u32>,
    /// Their latencies (ms), ascending.
    sorted_ms: Vec<f64>,
    /// The distribution function: each different latency once, ascending.
    steps: Vec<Step>,
    /// Length of the circle (us), more than the last start: the way from the last request back to
    /// the first is as long as the mean distance of two.
    circle: u64,
}

/// A latency at which the distribution function rises.
#[derive(Clone, Copy)]
struct Step {
    /// The latency (ms).
    value: f64,
    /// The share of requests that are as fast or faster.
    share: f64,
    /// To the next latency (ms); 0 for the last one.
    width: f64,
}

impl Series {
    /// `None` without a successful request, or with more than 2^32 of them.
    fn new(trace: &Trace) -> Option<Self> {
        let (first, last) = (trace.requests.first()?.start_us, trace.requests.last()?.start_us);
        let successful: Vec<_> = trace.requests.iter().filter(|request| request.ok).collect();
        let count = u32::try_from(successful.len()).ok().filter(|&count| count > 0)?;
        let latency_ms = |index: &u32| successful[*index as usize].latency_ms;
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_by(|a, b| latency_ms(a).total_cmp(&latency_ms(b)));
        let sorted_ms: Vec<f64> = order.iter().map(latency_ms).collect();
        let mut ranks = vec![0; successful.len()];
        let mut steps: Vec<Step> = Vec::new();
        for (rank, (&index, &value)) in order.iter().zip(&sorted_ms).enumerate() {
            let share = (rank + 1) as f64 / f64::from(count);
            match steps.last_mut() {
                Some(last) if value <= last.value => last.share = share,
                last => {
                    last.into_iter().for_each(|last| last.width = value - last.value);
                    steps.push(Step { value, share, width: 0.0 });
                }
            }
            ranks[index as usize] = (steps.len() - 1) as u32;
        }
        let gaps = (trace.requests.len() as u64 - 1).max(1);
        let length = last.saturating_sub(first);
        Some(Self {
            starts: successful.iter().map(|request| request.start_us.saturating_sub(first)).collect(),
            ranks,
            sorted_ms,
            steps,
            circle: length + length.div_ceil(gaps).max(1),
        })
    }

    /// Draws series; `None` if the trace is too short for that or almost nothing in it succeeded.
    fn draw(&self, block_seconds: f64, resamples: usize, seed: u64) -> Option<Drawn> {
        // Shorter blocks hold one request or none: nothing is gained but work.
        let mean_gap = self.circle.div_ceil(self.starts.len() as u64);
        // Saturates: a block of centuries is longer than the circle as well.
        let block = ((block_seconds * 1e6) as u64).max(mean_gap);
        if (self.circle as f64) < MIN_BLOCKS * block as f64 {
            return None;
        }
        let root = Address::root(seed, 0);
        let one = |times_drawn: &mut Vec<u32>, resample: u64| {
            let drawn = self.resample(block, root.child(resample), times_drawn);
            // A series may hold nothing if successful requests are rare.
            (drawn > 0).then(|| self.of_series(times_drawn, drawn))
        };
        let series: Vec<Option<(Figures, [f64; 2])>> =
            (0..resamples as u64).into_par_iter().map_init(Vec::new, one).collect();
        let mut drawn: [Vec<f64>; 1 + QUANTILES.len()] = Default::default();
        let mut distances: [Vec<f64>; 2] = Default::default();
        for (figures, noise) in series.into_iter().flatten() {
            drawn.iter_mut().zip(figures).for_each(|(values, figure)| values.push(figure));
            distances.iter_mut().zip(noise).for_each(|(values, distance)| values.push(distance));
        }
        let [mean, p50, p90, p95, p99] = drawn.map(percentile_interval);
        let [kolmogorov_smirnov, wasserstein_ms] = distances.map(|mut values| {
            values.sort_unstable_by(f64::total_cmp);
            quantile_of_sorted(&values, CONFIDENCE)
        });
        Some(Drawn {
            intervals: [mean?, p50?, p90?, p95?, p99?],
            noise: Noise { kolmogorov_smirnov: kolmogorov_smirnov?, wasserstein_ms: wasserstein_ms? },
        })
    }

    /// How often each latency, by its rank, is in one drawn series; also how many there are in all.
    fn resample(&self, block: u64, address: Address, times_drawn: &mut Vec<u32>) -> u64 {
        times_drawn.clear();
        times_drawn.resize(self.steps.len(), 0);
        let (mut left, mut drawn) = (self.circle, 0);
        for index in 0.. {
            if left == 0 {
                break;
            }
            let from = (uniform(&mut address.child(index).draw(0)) * self.circle as f64) as u64;
            let length = block.min(left);
            for part in self.block(from, length) {
                drawn += part.len() as u64;
                for &rank in part {
                    times_drawn[rank as usize] += 1;
                }
            }
            left -= length;
        }
        drawn
    }

    /// The figures of a drawn series of `drawn` latencies, and its Kolmogorov-Smirnov and Wasserstein (ms)
    /// distances to all of them, in one pass over the latencies.
    fn of_series(&self, times_drawn: &[u32], drawn: u64) -> (Figures, [f64; 2]) {
        let mut quantiles = QUANTILES.map(|q| Quantile::of(q, drawn));
        let (mut largest, mut area, mut passed, mut sum) = (0.0_f64, 0.0, 0_u64, 0.0);
        // No quantile begins before this.
        let mut next = quantiles[0].below;
        for (step, &times) in self.steps.iter().zip(times_drawn) {
            passed += u64::from(times);
            sum += step.value * f64::from(times);
            if passed > next {
                quantiles.iter_mut().for_each(|it| it.pass(passed, step.value));
                next = quantiles.iter().filter_map(Quantile::waits_for).min().unwrap_or(u64::MAX);
            }
            // Beyond the last latency both functions are 1.
            let difference = (passed as f64 / drawn as f64 - step.share).abs();
            largest = largest.max(difference);
            area += difference * step.width;
        }
        let [p50, p90, p95, p99] = quantiles.map(|it| it.value());
        ([sum / drawn as f64, p50, p90, p95, p99], [largest, area])
    }

    /// The ranks of the requests sent in a stretch of the circle, before its end and from its
    /// start on; `from` is on the circle and `length` (us) not longer than it.
    fn block(&self, from: u64, length: u64) -> [&[u32]; 2] {
        let index = |time: u64| self.starts.partition_point(|&start| start < time);
        let to = from + length;
        [&self.ranks[index(from)..index(to)], &self.ranks[..index(to.saturating_sub(self.circle))]]
    }
}

/// A quantile of a sorted series that is passed once: as [`quantile_of_sorted`] has it.
struct Quantile {
    /// The two indices that it is between.
    below: u64,
    above: u64,
    fraction: f64,
    /// What stands there, as far as it is passed.
    found: [Option<f64>; 2],
}

impl Quantile {
    /// The `q` quantile of so many values, of one at least.
    fn of(q: f64, count: u64) -> Self {
        let last = count - 1;
        let position = q * last as f64;
        let below = (position.floor() as u64).min(last);
        Self { below, above: (below + 1).min(last), fraction: position - below as f64, found: [None; 2] }
    }

    /// `passed` values are `value` or less.
    fn pass(&mut self, passed: u64, value: f64) {
        for (index, found) in [self.below, self.above].into_iter().zip(&mut self.found) {
            if passed > index {
                found.get_or_insert(value);
            }
        }
    }

    /// The index of the next value that it needs; none if it has both.
    fn waits_for(&self) -> Option<u64> {
        match self.found {
            [None, _] => Some(self.below),
            [_, None] => Some(self.above),
            _ => None,
        }
    }

    fn value(&self) -> f64 {
        let [below, above] = self.found.map(|found| found.unwrap_or(f64::NAN));
        below + self.fraction * (above - below)
    }
}

/// What drawn series tell.
struct Drawn {
    /// The interval of each figure.
    intervals: [Interval; 1 + QUANTILES.len()],
    noise: Noise,
}

fn percentile_interval(mut values: Vec<f64>) -> Option<Interval> {
    if values.len() < MIN_RESAMPLES {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let tail = 0.5 * (1.0 - CONFIDENCE);
    Some(Interval { low: quantile_of_sorted(&values, tail)?, high: quantile_of_sorted(&values, 1.0 - tail)? })
}
