//! A small linear congruential generator, the random source of the tests here.
//!
//! Multiplier and increment: Knuth, "MMIX" (TAOCP vol. 2, 3rd ed., 3.3.4); only
//! the high 53 bits of the state are used.

use super::normal_quantile;

/// The generator; equal seeds give equal sequences.
pub(super) struct Lcg(u64);

impl Lcg {
    /// Starts the sequence of `seed`.
    pub(super) fn new(seed: u64) -> Self {
        let mut lcg = Self(seed);
        lcg.next_u64();
        lcg
    }

    /// The next 64-bit state; its low bits are poor.
    pub(super) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0
    }

    /// Uniform in the open interval (0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Standard normal.
    pub(super) fn normal(&mut self) -> f64 {
        normal_quantile(self.uniform())
    }

    /// `n` values of the stationary AR(1) process `x' = phi x + normal`, mean 0.
    pub(super) fn autoregressive(&mut self, phi: f64, n: usize) -> Vec<f64> {
        let mut x = self.normal() / (1.0 - phi * phi).sqrt();
        (0..n)
            .map(|_| {
                x = phi * x + self.normal();
                x
            })
            .collect()
    }
}
