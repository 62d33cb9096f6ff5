//! Elementary functions whose bits are the same on every machine.
//!
//! # Models
//! `f64::ln` and its kin call the platform's libm, whose last bit differs between systems and
//! releases; one differing bit in a drawn service time reorders events and every number after it.
//! These functions are the `libm` crate's (a port of musl's), compiled with the simulator.
//! Addition, multiplication, division and square root are exact by IEEE 754 and need no wrapper.
//!
//! # Source
//! musl libc, `src/math`, through the crate `libm`; the functions around gamma and beta through the crate
//! `special`, which is built on the same.

use special::{Beta, Gamma};

pub use libm::{erfc, exp, lgamma, log as ln, log1p as ln_1p, pow, sin, sqrt};

/// The derivative of the logarithm of the gamma function at `x` > 0.
#[must_use]
pub fn digamma(x: f64) -> f64 {
    x.digamma()
}

/// The derivative of [`digamma`] at `x` > 0.
#[must_use]
pub fn trigamma(x: f64) -> f64 {
    x.trigamma()
}

/// The share of a gamma law of this shape (above 0) and scale 1 that is below `x`: the regularized
/// lower incomplete gamma function.
#[must_use]
pub fn gamma_below(shape: f64, x: f64) -> f64 {
    if x <= 0.0 { 0.0 } else { x.inc_gamma(shape) }
}

/// The value that a beta law of these shapes (above 0) is below with probability `p` (0 to 1): the inverse of
/// the regularized incomplete beta function.
#[must_use]
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    p.inv_inc_beta(a, b, a.ln_beta(b))
}

/// The share of a beta law of these shapes (above 0) that is below `x` (0 to 1): the regularized incomplete beta function.
#[must_use]
pub fn beta_below(x: f64, a: f64, b: f64) -> f64 {
    x.inc_beta(a, b, a.ln_beta(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Abramowitz and Stegun, 6.3.2, 6.4.2 and 6.5.29.
    #[test]
    fn functions_around_gamma_have_their_known_values() {
        const EULER: f64 = 0.577_215_664_901_532_9;
        assert!((digamma(1.0) + EULER).abs() < 1e-12);
        assert!((trigamma(1.0) - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-12);
        assert!((gamma_below(1.0, 2.0) - (1.0 - exp(-2.0))).abs() < 1e-12);
        assert!((gamma_below(2.0, 3.0) - (1.0 - 4.0 * exp(-3.0))).abs() < 1e-12);
        assert!(gamma_below(0.5, -1.0) == 0.0);
        // The median of a symmetric law, and the square root for B(2, 1).
        assert!((beta_quantile(0.5, 3.0, 3.0) - 0.5).abs() < 1e-12);
        assert!((beta_quantile(0.3, 2.0, 1.0) - sqrt(0.3)).abs() < 1e-12);
        assert!((beta_below(sqrt(0.3), 2.0, 1.0) - 0.3).abs() < 1e-12);
    }
}
