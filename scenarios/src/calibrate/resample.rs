//! Series that might have been measured instead: blocks of time, drawn with replacement.
//!
//! # Models
//! Circular moving-block bootstrap: stretches of time of [`BLOCK_SECONDS`] begin anywhere, one that
//! reaches the end goes on at the start, and as many are put together as the measurement is long.
//!
//! # Assumptions
//! What queueing correlates is over after a block. Effect: else draws vary too little.
//!
//! # Source
//! Politis and Romano, A circular block-resampling procedure for stationary data, in Exploring the
//! limits of bootstrap, 1992.

use meshsim_core::random::{Address, uniform};

/// Length of a block (s).
pub const BLOCK_SECONDS: f64 = 30.0;

/// Fewer blocks say nothing about their spread.
const BLOCKS_MIN: f64 = 4.0;

/// The purpose of the draws below the addresses that are given here: no model draws from them.
const BLOCK_START: u32 = 0;

/// Something that was measured: when (us), and what (ms).
pub type Observation = (u64, f64);

/// Whether so long a measurement has enough blocks.
#[must_use]
pub fn is_long_enough(observations: &[Observation]) -> bool {
    length_us(observations) as f64 >= BLOCKS_MIN * BLOCK_SECONDS * 1e6
}

/// The values of a drawn series, ascending; of observations in the order of their times.
#[must_use]
pub fn resample_sorted(observations: &[Observation], address: Address) -> Vec<f64> {
    let Some(first) = observations.first().map(|(at, _)| *at) else { return Vec::new() };
    let circle = length_us(observations).max(1);
    let block = ((BLOCK_SECONDS * 1e6) as u64).min(circle);
    let index = |time: u64| observations.partition_point(|(at, _)| at - first < time);
    let mut drawn = Vec::with_capacity(observations.len() * 2);
    let mut left = circle;
    for number in 0.. {
        if left == 0 {
            break;
        }
        let from = (uniform(&mut address.child(number).draw(BLOCK_START)) * circle as f64) as u64;
        let to = from + block.min(left);
        drawn.extend(&observations[index(from)..index(to)]);
        drawn.extend(&observations[..index(to.saturating_sub(circle))]);
        left -= block.min(left);
    }
    let mut values: Vec<f64> = drawn.into_iter().map(|(_, value)| value).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// From the first to the last observation, and from there back to the first: a mean distance more.
fn length_us(observations: &[Observation]) -> u64 {
    let (Some((first, _)), Some((last, _))) = (observations.first(), observations.last()) else { return 0 };
    let length = last - first;
    length + length.div_ceil((observations.len() as u64 - 1).max(1))
}
