//! Quantiles of the standard normal distribution.
//!
//! Rational approximations of M. J. Wichura, Algorithm AS 241: The Percentage
//! Points of the Normal Distribution, Applied Statistics 37(3), 1988, routine
//! PPND16: about 16 digits for `p` down to 1e-316.

#![expect(clippy::excessive_precision, reason = "coefficients as published")]

use crate::elementary::{ln, sqrt};

/// The `x` with P(N(0, 1) ≤ x) = `p`, for `p` strictly between 0 and 1.
pub fn normal_quantile(p: f64) -> f64 {
    debug_assert!(p > 0.0 && p < 1.0, "a probability between 0 and 1");
    let centred = p - 0.5;
    if centred.abs() <= 0.425 {
        let r = 0.180625 - centred * centred;
        return centred * ratio(&CENTRE, r);
    }
    let tail = if centred < 0.0 { p } else { 1.0 - p };
    let r = sqrt(-ln(tail));
    let magnitude = if r <= 5.0 { ratio(&MIDDLE, r - 1.6) } else { ratio(&FAR, r - 5.0) };
    if centred < 0.0 { -magnitude } else { magnitude }
}

/// Numerator and denominator coefficients, constant term first.
type Rational = [[f64; 8]; 2];

fn ratio([numerator, denominator]: &Rational, x: f64) -> f64 {
    polynomial(numerator, x) / polynomial(denominator, x)
}

fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// For |p − 0.5| ≤ 0.425.
const CENTRE: Rational = [
    [
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ],
    [
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ],
];

/// For tails down to exp(−25).
const MIDDLE: Rational = [
    [
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ],
    [
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ],
];

/// For tails below exp(−25).
const FAR: Rational = [
    [
        6.65790464350110377720e0,
        5.46378491116411436990e0,
        1.78482653991729133580e0,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ],
    [
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elementary::erfc;

    /// 50-digit evaluation (mpmath) at the binary values of `p`.
    const TABLE: [(f64, f64); 15] = [
        (1e-300, -37.047096299361199),
        (1e-20, -9.2623400897984076),
        (1e-15, -7.9413453261709968),
        (1e-12, -7.0344838253011319),
        (1e-10, -6.3613409024040562),
        (0.001, -3.0902323061678135),
        (0.02425, -1.9729610513118848),
        (0.075, -1.4395314709384559),
        (0.25, -0.67448975019608174),
        (0.4, -0.25334710313579974),
        (0.5000001, 2.5066282733116483e-7),
        (0.8, 0.84162123357291436),
        (0.925, 1.4395314709384562),
        (0.975, 1.9599639845400539),
        (0.999999, 4.7534243088170878),
    ];

    #[test]
    fn agrees_with_high_precision_values() {
        for (p, expected) in TABLE {
            let error = (normal_quantile(p) / expected - 1.0).abs();
            assert!(error < 2e-15, "p {p}: relative error {error}");
        }
        assert_eq!(normal_quantile(0.5), 0.0);
    }

    #[test]
    fn inverts_the_distribution_function() {
        for step in 1..2000 {
            let p = f64::from(step) / 2000.0;
            let x = normal_quantile(p);
            let back = 0.5 * erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
            assert!((back / p - 1.0).abs() < 1e-13, "p {p} comes back as {back}");
        }
    }
}
