//! Quantiles of Student's t distribution.
//!
//! The tail is half a regularised incomplete beta function (Abramowitz &
//! Stegun 26.7.1, 26.5.27), evaluated by its continued fraction (A&S 26.5.8)
//! with the modified Lentz method (Thompson & Barnett 1986; Numerical Recipes,
//! 3rd ed., 6.4). It is inverted by bracketed Newton steps on log-log scale,
//! where both ends of the distribution are nearly straight lines.

use super::normal::normal_quantile;
use crate::elementary::{exp, lgamma, ln, ln_1p, sqrt};
use std::f64::consts::PI;

/// The `t` with P(T ≤ t) = `p` for Student's distribution with `degrees` of
/// freedom.
///
/// `p` is strictly between 0 and 1, `degrees` at least 1 and not necessarily
/// whole; infinity gives the normal quantile. The relative error is below 1e-9
/// (in the tests, 1e-12) for tails down to 1e-100.
pub fn student_t_quantile(p: f64, degrees: f64) -> f64 {
    debug_assert!(p > 0.0 && p < 1.0, "a probability between 0 and 1");
    debug_assert!(degrees >= 1.0, "at least one degree of freedom");
    if p == 0.5 {
        0.0
    } else if degrees > NEARLY_NORMAL {
        nearly_normal_quantile(p, degrees)
    } else {
        exact_quantile(p, degrees)
    }
}

/// Degrees of freedom above which the expansion around the normal distribution
/// is used: its first omitted term, about `z^9 / (1000 degrees^4)`, is below
/// 1e-12 of z for every tail down to 1e-100, while the continued fraction,
/// whose argument approaches 1, starts to lose digits.
const NEARLY_NORMAL: f64 = 1e5;

/// Expansion in 1/degrees, A&S 26.7.5.
fn nearly_normal_quantile(p: f64, degrees: f64) -> f64 {
    let z = normal_quantile(p);
    let z2 = z * z;
    let first = z * (z2 + 1.0) / 4.0;
    let second = z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    let third = z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    z + (first + (second + third / degrees) / degrees) / degrees
}

/// Inverts the distribution function for `p` other than 0.5.
fn exact_quantile(p: f64, degrees: f64) -> f64 {
    let distribution = StudentT::new(degrees);
    let start = normal_quantile(p).abs();
    let tail = if p < 0.5 { p } else { 1.0 - p };
    // Near the median the tail carries too few digits of the distance from it.
    let magnitude = if tail < 0.25 {
        solve_log_log(start, tail, |t| {
            let half = distribution.halves(t);
            (half.tail, -distribution.density(t))
        })
    } else {
        solve_log_log(start, 0.5 - tail, |t| {
            let half = distribution.halves(t);
            (half.central, distribution.density(t))
        })
    };
    if p < 0.5 { -magnitude } else { magnitude }
}

/// The positive `t` at which a monotone positive function equals `target`.
///
/// `function` returns value and derivative. Newton steps in (ln t, ln value),
/// replaced by bisection of ln t whenever they leave the bracket.
fn solve_log_log(start: f64, target: f64, function: impl Fn(f64) -> (f64, f64)) -> f64 {
    let (mut low, mut high) = (1e-150, 1e150);
    let mut t = start;
    for _ in 0..500 {
        let (value, derivative) = function(t);
        let step = ln(value / target) * value / (derivative * t);
        let newton = t * exp(-step);
        if (newton - t).abs() <= 1e-11 * t {
            return newton;
        }
        if (value > target) == (derivative > 0.0) {
            high = t;
        } else {
            low = t;
        }
        t = if low < newton && newton < high { newton } else { sqrt(low) * sqrt(high) };
    }
    t
}

/// Student's distribution with its normalising constant.
struct StudentT {
    degrees: f64,
    /// −ln B(degrees/2, 1/2).
    ln_inverse_beta: f64,
}

/// How a positive `t` divides the probability ½ of the positive half line.
struct Halves {
    /// P(0 ≤ T ≤ t).
    central: f64,
    /// P(T > t).
    tail: f64,
}

impl StudentT {
    fn new(degrees: f64) -> Self {
        Self { degrees, ln_inverse_beta: ln_gamma_half_step(0.5 * degrees) - 0.5 * ln(PI) }
    }

    fn density(&self, t: f64) -> f64 {
        let ln_kernel = -0.5 * (self.degrees + 1.0) * ln_1p(t * t / self.degrees);
        exp(self.ln_inverse_beta + ln_kernel) / sqrt(self.degrees)
    }

    /// Whichever side the continued fraction converges fast for is computed,
    /// the other is its complement.
    fn halves(&self, t: f64) -> Halves {
        let a = 0.5 * self.degrees;
        let ratio = t * t / self.degrees;
        let x = 1.0 / (1.0 + ratio);
        let ln_x = -ln_1p(ratio);
        let ln_y = ln(ratio) + ln_x;
        let front = exp(a * ln_x + 0.5 * ln_y + self.ln_inverse_beta);
        if x < (a + 1.0) / (a + 2.5) {
            let tail = 0.5 * front * beta_continued_fraction(a, 0.5, x) / a;
            Halves { central: 0.5 - tail, tail }
        } else {
            let y = ratio / (1.0 + ratio);
            let central = front * beta_continued_fraction(0.5, a, y);
            Halves { central, tail: 0.5 - central }
        }
    }
}

/// ln Γ(a + ½) − ln Γ(a), without cancellation for large `a`.
///
/// The series is the difference of two Stirling series (Tricomi & Erdélyi
/// 1951); its first omitted term is below 1e-14 at the threshold.
fn ln_gamma_half_step(a: f64) -> f64 {
    if a < 16.0 {
        return lgamma(a + 0.5) - lgamma(a);
    }
    let inverse = 1.0 / a;
    let square = inverse * inverse;
    let series = [-1.0 / 8.0, 1.0 / 192.0, -1.0 / 640.0, 17.0 / 14336.0, -31.0 / 18432.0];
    let correction = series.iter().rev().fold(0.0, |sum, c| sum * square + c);
    0.5 * ln(a) + correction * inverse
}

/// The continued fraction of the incomplete beta function, for
/// `x < (a + 1) / (a + b + 2)`, where it converges in O(sqrt(max(a, b))) steps.
fn beta_continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    let mut m = 1.0;
    while m < 100_000.0 {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut factor = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + coefficient * d);
            c = away_from_zero(1.0 + coefficient / c);
            factor = c * d;
            fraction *= factor;
        }
        if (factor - 1.0).abs() < 1e-15 {
            break;
        }
        m += 1.0;
    }
    fraction
}

/// Lentz's guard against division by zero.
fn away_from_zero(x: f64) -> f64 {
    if x.abs() < 1e-300 { 1e-300 } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (p, degrees, t): 60-digit evaluation (mpmath) at the binary values of
    /// `p`.
    const TABLE: [(f64, f64, f64); 44] = [
        (0.5000001, 1.0, 0.00000031415926519363),
        (0.6, 1.0, 0.324919696232906),
        (0.75, 1.0, 1.0),
        (0.975, 1.0, 12.7062047361747),
        (0.9999995, 1.0, 636619.77241943),
        (1e-12, 1.0, -318309886183.791),
        (0.6, 1.5, 0.300745392569795),
        (0.975, 1.5, 6.01666310442793),
        (1e-12, 1.5, -52194694.2734464),
        (0.5000001, 2.0, 0.000000282842712325749),
        (0.6, 2.0, 0.288675134594813),
        (0.975, 2.0, 4.30265272974946),
        (0.9999995, 2.0, 999.999250040977),
        (1e-12, 2.0, -707106.781185487),
        (0.75, 3.0, 0.764892328404345),
        (0.95, 3.0, 2.35336343480182),
        (0.975, 3.0, 3.18244630528371),
        (0.995, 3.0, 5.84090930973336),
        (0.9999995, 3.0, 130.154589561928),
        (0.5000001, 9.0, 0.000000257708772229144),
        (0.95, 9.0, 1.83311293265624),
        (0.975, 9.0, 2.2621571627982),
        (0.995, 9.0, 3.24983554159213),
        (1e-12, 9.0, -51.4149160232822),
        (0.75, 30.0, 0.682755693321293),
        (0.975, 30.0, 2.04227245630124),
        (0.995, 30.0, 2.74999565356722),
        (1e-12, 30.0, -11.3972175233114),
        (0.975, 31.0, 2.03951344639641),
        (0.975, 32.0, 2.0369333434601),
        (0.9999995, 32.0, 6.02833278044198),
        (0.975, 33.0, 2.03451529744934),
        (0.5000001, 100.0, 0.000000251290257904833),
        (0.6, 100.0, 0.254022182458228),
        (0.975, 100.0, 1.98397151852355),
        (1e-12, 100.0, -8.02582559449325),
        (0.75, 2500.0, 0.674587896884621),
        (0.975, 2500.0, 1.96091334479557),
        (1e-12, 2500.0, -7.07015003000617),
        (0.5000001, 1e6, 0.000000250662889996879),
        (0.6, 1e6, 0.253347170537842),
        (0.975, 1e6, 1.95996635681411),
        (0.9999995, 1e6, 4.89166896072657),
        (1e-12, 1e6, -7.03457260841126),
    ];

    fn relative_error(value: f64, expected: f64) -> f64 {
        (value / expected - 1.0).abs()
    }

    #[test]
    fn agrees_with_high_precision_values() {
        for (p, degrees, expected) in TABLE {
            let t = student_t_quantile(p, degrees);
            let error = relative_error(t, expected);
            assert!(error < 1e-12, "p {p} degrees {degrees}: {t}, error {error}");
        }
    }

    /// Two-sided 95 % points as printed in tables.
    #[test]
    fn agrees_with_printed_tables() {
        for (degrees, printed) in [
            (1.0, 12.7062047364),
            (2.0, 4.30265272991),
            (3.0, 3.18244630528),
            (9.0, 2.26215716280),
            (30.0, 2.04227245630),
        ] {
            let error = relative_error(student_t_quantile(0.975, degrees), printed);
            assert!(error < 1e-10, "degrees {degrees}: error {error}");
        }
    }

    #[test]
    fn two_degrees_have_a_closed_form() {
        for step in 1..1000 {
            let p = f64::from(step) / 1000.0;
            let centred = p - 0.5;
            let expected = centred * (2.0 / (p * (1.0 - p))).sqrt();
            let t = student_t_quantile(p, 2.0);
            assert!((t - expected).abs() <= 1e-12 * expected.abs(), "p {p}: {t}");
        }
    }

    #[test]
    fn is_odd_around_the_median() {
        assert_eq!(student_t_quantile(0.5, 7.0), 0.0);
        for p in [0.125, 0.25, 0.375, 0.4375] {
            assert_eq!(student_t_quantile(p, 7.0), -student_t_quantile(1.0 - p, 7.0));
        }
    }

    #[test]
    fn extreme_tails_converge() {
        // For one degree, t = cot(pi p), which is 1/(pi p) at this depth.
        let t = student_t_quantile(1e-100, 1.0);
        assert!(relative_error(t, -1e100 / PI) < 1e-12);
        // P(T > t) = 1/2 - t/(2 sqrt(2 + t^2)) ~ 1/(2 t^2) for two degrees.
        let t = student_t_quantile(1e-100, 2.0);
        assert!(relative_error(t, -(0.5_f64.sqrt()) * 1e50) < 1e-12);
    }

    #[test]
    fn the_normal_expansion_joins_smoothly() {
        for p in [1e-100, 1e-12, 0.025, 0.4, 0.6, 0.999] {
            let exact = exact_quantile(p, NEARLY_NORMAL);
            let error = relative_error(nearly_normal_quantile(p, NEARLY_NORMAL), exact);
            assert!(error < 5e-12, "p {p}: error {error}");
        }
        let limit = student_t_quantile(0.975, f64::INFINITY);
        assert_eq!(limit, normal_quantile(0.975));
    }

    #[test]
    fn gamma_ratio_series_joins_smoothly() {
        let series = ln_gamma_half_step(16.0);
        assert!((series - (lgamma(16.5) - lgamma(16.0))).abs() < 2e-14);
    }
}
