//! Quantiles of Student's t distribution.
//!
//! A tail of the distribution is half a regularised incomplete beta function (Abramowitz & Stegun
//! 26.7.1, 26.5.27), whose inverse the crate `special` has (algorithms AS 63, 64 and 109). With many
//! degrees of freedom that inverse loses digits (1e-8 of t from some thousand on, 3e-6 from
//! hundred thousand on); there the expansion around the normal distribution, A&S 26.7.5, is exact.

use super::normal::normal_quantile;
use crate::elementary::{beta_below, beta_quantile, sqrt};

/// Degrees of freedom above which the expansion around the normal distribution is used: the first term
/// that it leaves out is about `z^9 / (1000 degrees^4)` of t.
const NEARLY_NORMAL: f64 = 500.0;

/// The `t` with P(T ≤ t) = `p` for Student's distribution with `degrees` of
/// freedom.
///
/// `p` is strictly between 0 and 1, `degrees` at least 1 and not necessarily whole; infinity gives the
/// normal quantile. The relative error is below 2e-11 for the usual confidence (95 % and less) and below
/// 1e-9 for tails down to 0.05 %.
pub fn student_t_quantile(p: f64, degrees: f64) -> f64 {
    debug_assert!(p > 0.0 && p < 1.0, "a probability between 0 and 1");
    debug_assert!(degrees >= 1.0, "at least one degree of freedom");
    if p == 0.5 {
        return 0.0;
    }
    if degrees > NEARLY_NORMAL {
        return nearly_normal_quantile(p, degrees);
    }
    let tail = if p < 0.5 { p } else { 1.0 - p };
    let x = beta_quantile(2.0 * tail, 0.5 * degrees, 0.5);
    let magnitude = sqrt(degrees * (1.0 - x) / x);
    if p < 0.5 { -magnitude } else { magnitude }
}

/// The probability that Student's T with `degrees` (at least 1) of freedom is further from 0 than `t`, to either side.
pub fn student_t_beyond(t: f64, degrees: f64) -> f64 {
    if t.is_infinite() { 0.0 } else { beta_below(degrees / (degrees + t * t), 0.5 * degrees, 0.5) }
}

/// Expansion in 1/degrees, A&S 26.7.5.
fn nearly_normal_quantile(p: f64, degrees: f64) -> f64 {
    let z = normal_quantile(p);
    let z2 = z * z;
    let first = z * (z2 + 1.0) / 4.0;
    let second = z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    let third = z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    z + (first + (second + third / degrees) / degrees) / degrees
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elementary::sin;

    #[test]
    fn what_is_beyond_a_quantile_is_its_probability() {
        for (p, degrees) in [(0.975, 1.0), (0.975, 9.0), (0.9, 4.0), (0.9995, 30.0)] {
            let beyond = student_t_beyond(student_t_quantile(p, degrees), degrees);
            assert!((beyond - 2.0 * (1.0 - p)).abs() < 1e-9, "{p} {degrees}: {beyond}");
        }
        assert_eq!([student_t_beyond(0.0, 5.0), student_t_beyond(f64::INFINITY, 5.0)], [1.0, 0.0]);
    }

    /// (p, degrees, t): 60-digit evaluation (mpmath) at the binary values of
    /// `p`.
    const TABLE: [(f64, f64, f64); 24] = [
        (0.6, 1.0, 0.324919696232906),
        (0.75, 1.0, 1.0),
        (0.975, 1.0, 12.7062047361747),
        (0.6, 1.5, 0.300745392569795),
        (0.975, 1.5, 6.01666310442793),
        (0.6, 2.0, 0.288675134594813),
        (0.975, 2.0, 4.30265272974946),
        (0.75, 3.0, 0.764892328404345),
        (0.95, 3.0, 2.35336343480182),
        (0.975, 3.0, 3.18244630528371),
        (0.995, 3.0, 5.84090930973336),
        (0.95, 9.0, 1.83311293265624),
        (0.975, 9.0, 2.2621571627982),
        (0.995, 9.0, 3.24983554159213),
        (0.75, 30.0, 0.682755693321293),
        (0.975, 30.0, 2.04227245630124),
        (0.995, 30.0, 2.74999565356722),
        (0.975, 31.0, 2.03951344639641),
        (0.975, 33.0, 2.03451529744934),
        (0.6, 100.0, 0.254022182458228),
        (0.975, 100.0, 1.98397151852355),
        (0.75, 2500.0, 0.674587896884621),
        (0.975, 2500.0, 1.96091334479557),
        (0.975, 1e6, 1.95996635681411),
    ];

    fn relative_error(value: f64, expected: f64) -> f64 {
        (value / expected - 1.0).abs()
    }

    #[test]
    fn agrees_with_high_precision_values() {
        for (p, degrees, expected) in TABLE {
            let t = student_t_quantile(p, degrees);
            let error = relative_error(t, expected);
            assert!(error < 2e-12, "p {p} degrees {degrees}: {t}, error {error}");
        }
    }

    /// P(|T| ≤ t) for whole degrees of freedom: a finite sum, A&S 26.7.3 and 26.7.4.
    fn central_probability(t: f64, degrees: u32) -> f64 {
        let square = 1.0 / (1.0 + t * t / f64::from(degrees));
        let (cosine, sine) = (square.sqrt(), (1.0 - square).sqrt());
        let is_odd = degrees % 2 == 1;
        let (mut term, mut sum) = if is_odd { (cosine, 0.0) } else { (1.0, 0.0) };
        let mut power = if is_odd { 2 } else { 1 };
        for _ in 0..degrees / 2 {
            sum += term;
            term *= f64::from(power) / f64::from(power + 1) * square;
            power += 2;
        }
        if !is_odd {
            return sine * sum;
        }
        let angle = (t / f64::from(degrees).sqrt()).atan();
        std::f64::consts::FRAC_2_PI * (angle + sine * sum)
    }

    /// All that replications and batches come to, at every confidence that is asked for.
    #[test]
    fn the_distribution_of_a_quantile_is_its_probability_up_to_10_000_degrees() {
        for confidence in [0.8, 0.9, 0.95, 0.99] {
            for degrees in 1..=10_000 {
                let t = student_t_quantile(0.5 + 0.5 * confidence, f64::from(degrees));
                let error = (central_probability(t, degrees) - confidence).abs();
                assert!(error < 1e-11, "confidence {confidence}, degrees {degrees}: {t}, error {error}");
            }
        }
    }

    #[test]
    fn one_two_and_four_degrees_have_closed_forms() {
        for step in 1..1000 {
            let p = f64::from(step) / 1000.0;
            let centred = p - 0.5;
            let spread = 4.0 * p * (1.0 - p);
            let one = (std::f64::consts::PI * centred).tan();
            let two = 2.0 * centred * (2.0 / spread).sqrt();
            let cosine = sin(spread.sqrt().acos() / 3.0 + std::f64::consts::FRAC_PI_2);
            let four = 2.0 * (cosine / spread.sqrt() - 1.0).max(0.0).sqrt();
            let four = if centred < 0.0 { -four } else { four };
            for (degrees, expected) in [(1.0, one), (2.0, two), (4.0, four)] {
                let t = student_t_quantile(p, degrees);
                // Near the median the closed forms themselves lose digits.
                let near =
                    (t - expected).abs() <= 1e-10 * expected.abs() + 1e-7 * f64::from(centred.abs() < 0.02);
                assert!(near, "p {p}, degrees {degrees}: {t}, not {expected}");
            }
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
    fn the_normal_expansion_joins_smoothly() {
        for p in [0.0005, 0.025, 0.1, 0.4, 0.6, 0.975, 0.999] {
            let joined = student_t_quantile(p, NEARLY_NORMAL);
            let error = relative_error(nearly_normal_quantile(p, NEARLY_NORMAL), joined);
            assert!(error < 1e-9, "p {p}: error {error}");
        }
        assert_eq!(student_t_quantile(0.975, f64::INFINITY), normal_quantile(0.975));
    }
}
