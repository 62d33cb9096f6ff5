//! How much CPU time a request takes in a service, where a law says it instead of the work model.
//!
//! # Models
//! One law per service. It stands for everything that the cell does for a request of its own: parsing
//! it, the internal service, preparing calls, writing the answer. It is drawn once per call and done
//! before the calls to other services; the size of the body is still that of the work model, and so is
//! the time for which the thread sleeps. In CPU time of one core at the reference speed: the cells' CPU
//! scale multiplies it, their spread of speed does not, for a law has its own.
//!
//! # Assumptions
//! - Independent of the body's size. Effect: large answers are not the slow ones, so the tail of the
//!   latency is a little thinner than with costs per kB.
//! - All work comes before the calls. Effect: none on the latency of a request alone; under load the
//!   work of two requests overlaps at other moments.
//!
//! # Source
//! Each law's file here names its own. Drawing by inversion: Devroye, Non-uniform random variate
//! generation, 1986, chapter II.2.

pub mod deterministic;
pub mod empirical;
pub mod exponential;
pub mod gamma;
pub mod log_normal;
mod quantile_table;

use crate::draws::{Purpose, draw};
use deterministic::Deterministic;
use empirical::Empirical;
use exponential::Exponential;
use gamma::Gamma;
use log_normal::LogNormal;
use meshsim_core::random::{Address, uniform};

/// A law of service times (ms of CPU at the reference speed).
#[derive(Clone, Debug)]
pub enum ServiceTime {
    /// Always the same.
    Deterministic(Deterministic),
    /// Without memory.
    Exponential(Exponential),
    /// A sum of exponential stages, of any number.
    Gamma(Gamma),
    /// A product of many small factors.
    LogNormal(LogNormal),
    /// As it was measured.
    Empirical(Empirical),
}

impl ServiceTime {
    /// Its name in scenarios.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Deterministic(_) => "deterministic",
            Self::Exponential(_) => "exponential",
            Self::Gamma(_) => "gamma",
            Self::LogNormal(_) => "log-normal",
            Self::Empirical(_) => "empirical",
        }
    }

    /// Its mean (ms).
    #[must_use]
    pub fn mean_ms(&self) -> f64 {
        match self {
            Self::Deterministic(law) => law.mean_ms(),
            Self::Exponential(law) => law.mean_ms(),
            Self::Gamma(law) => law.mean_ms(),
            Self::LogNormal(law) => law.mean_ms(),
            Self::Empirical(law) => law.mean_ms(),
        }
    }

    /// The time below which a share `p` (0 to 1) of the requests is (ms). At 1 it may be infinite.
    #[must_use]
    pub fn quantile_ms(&self, p: f64) -> f64 {
        match self {
            Self::Deterministic(law) => law.quantile_ms(p),
            Self::Exponential(law) => law.quantile_ms(p),
            Self::Gamma(law) => law.quantile_ms(p),
            Self::LogNormal(law) => law.quantile_ms(p),
            Self::Empirical(law) => law.quantile_ms(p),
        }
    }

    /// The share of requests that take at most `ms`.
    #[must_use]
    pub fn share_below(&self, ms: f64) -> f64 {
        match self {
            Self::Deterministic(law) => law.share_below(ms),
            Self::Exponential(law) => law.share_below(ms),
            Self::Gamma(law) => law.share_below(ms),
            Self::LogNormal(law) => law.share_below(ms),
            Self::Empirical(law) => law.share_below(ms),
        }
    }

    /// The natural logarithm of the density at `ms` (1/ms). Infinite where the law has an atom, minus
    /// infinity where nothing is.
    #[must_use]
    pub fn ln_density(&self, ms: f64) -> f64 {
        match self {
            Self::Deterministic(law) => law.ln_density(ms),
            Self::Exponential(law) => law.ln_density(ms),
            Self::Gamma(law) => law.ln_density(ms),
            Self::LogNormal(law) => law.ln_density(ms),
            Self::Empirical(law) => law.ln_density(ms),
        }
    }

    /// What the request at `address` takes (ms).
    #[must_use]
    pub fn draw_ms(&self, address: Address) -> f64 {
        self.draw_for(address, Purpose::ServiceTime)
    }

    /// The number for `purpose` of the request at `address`, in the unit of the law's mean: laws of sizes and of waits
    /// are the same.
    #[must_use]
    pub fn draw_for(&self, address: Address, purpose: Purpose) -> f64 {
        let p = uniform(&mut draw(address, purpose));
        match self {
            Self::Gamma(law) => law.fast_quantile_ms(p),
            Self::LogNormal(law) => law.fast_quantile_ms(p),
            _ => self.quantile_ms(p),
        }
    }
}

#[cfg(test)]
mod tests;
