//! Output analysis: what a simulation run measured, and how far to trust it.
//!
//! Collectors, fed while the simulation runs and constant in memory:
//! [`Tally`] (moments of a sample), [`TimeAverage`] (a quantity held over
//! simulated time), [`Histogram`] (quantiles of integer values) and
//! [`SparseHistogram`] (the same of few values).
//!
//! Estimators, applied to recorded samples afterwards: [`mser5`] finds the end
//! of the warm-up, [`Repeated`] gives means and quantiles of replications or of
//! one long run, [`control_coefficients`] frees means of luck that is known, and [`mean_estimate`] and [`paired_difference`] those of any
//! other figure over independent replications.
//!
//! Results are the same bits on every machine: only IEEE 754 basic operations
//! and the functions of [`crate::elementary`] are used. A NaN sample is the
//! caller's error; debug builds panic on it.

pub mod control_variates;
pub mod histogram;
pub mod interval;
pub mod normal;
pub mod precision;
pub mod quantile;
pub mod repeated;
pub mod selection;
pub mod sparse_histogram;
pub mod student_t;
pub mod tally;
pub mod time_average;
pub mod warm_up;

#[cfg(test)]
mod test_random;

pub use control_variates::{Batch, control_coefficients};
pub use histogram::{Histogram, Resolution};
pub use interval::{Estimate, Interval, Paired, mean_estimate, paired_difference};
pub use normal::normal_quantile;
pub use quantile::quantile_of_sorted;
pub use repeated::Repeated;
pub use sparse_histogram::SparseHistogram;
pub use student_t::{student_t_beyond, student_t_quantile};
pub use tally::Tally;
pub use time_average::TimeAverage;
pub use warm_up::{Truncation, mser5};
