//! The laws that the models draw from, by inversion: one uniform number each, monotone in it.
//!
//! # Models
//! Inversion makes a draw the same bits on every machine (`elementary`) and lets two strategies
//! that draw at the same address from different laws stay as alike as they can be.
//!
//! # Source
//! Devroye, Non-uniform random variate generation, 1986, chapter II.2. Normal quantile: Wichura,
//! algorithm AS 241, Applied Statistics 37, 1988.

use crate::elementary::{exp, ln, sqrt};
use crate::stats::normal_quantile;
use rand::{Rng, RngExt};
use std::f64::consts::LN_2;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Uniform on [0, 1).
pub fn uniform(rng: &mut impl Rng) -> f64 {
    rng.random()
}

/// 64 random bits.
pub fn bits(rng: &mut impl Rng) -> u64 {
    rng.random()
}

/// Whether an event of this probability happens.
pub fn bernoulli(rng: &mut impl Rng, probability: f64) -> bool {
    uniform(rng) < probability
}

/// A whole number, each of `0..count` alike.
///
/// # Assumptions
/// The bias is below count / 2^53.
pub fn uniform_index(rng: &mut impl Rng, count: usize) -> usize {
    debug_assert!(count > 0, "a choice has at least one option");
    // Signed, because that takes fewer instructions.
    (uniform(rng) * count as i64 as f64) as i64 as usize
}

/// Exponential with this mean.
pub fn exponential(rng: &mut impl Rng, mean: f64) -> f64 {
    mean * standard_exponential(bits(rng))
}

/// Normal with mean 0 and standard deviation 1.
pub fn normal(rng: &mut impl Rng) -> f64 {
    // The midpoints of the 2^53 cells, so that it is never 0. The last one rounds to 1: both have
    // infinite quantiles.
    let midpoint = uniform(rng) + f64::EPSILON / 4.0;
    normal_quantile(midpoint.min(1.0 - f64::EPSILON / 2.0))
}

/// The logarithm is that of a table's entry near its argument and a polynomial of the rest.
const LOGARITHMS: usize = 128;

/// By cell of [1, 2): the inverse of its middle, and the middle's logarithm.
static MIDDLES: [(f64, f64); LOGARITHMS] = {
    let mut middles = [(0.0, 0.0); LOGARITHMS];
    let mut cell = 0;
    while cell < LOGARITHMS {
        let middle = 1.0 + (cell as f64 + 0.5) / LOGARITHMS as f64;
        // ln x = 2 artanh((x - 1) / (x + 1)).
        let ratio = (middle - 1.0) / (middle + 1.0);
        let (mut series, mut degree) = (0.0, 41);
        while degree > 0 {
            series = series * ratio * ratio + 1.0 / degree as f64;
            degree -= 2;
        }
        middles[cell] = (1.0 / middle, 2.0 * ratio * series);
        cell += 1;
    }
    middles
};

/// -ln(1 - u), where u is the upper 53 of the bits as a fraction: to 1e-15, in half the time of `ln`.
#[inline]
fn standard_exponential(bits: u64) -> f64 {
    const FRACTION_BITS: u32 = 52;
    const FRACTION: u64 = (1 << FRACTION_BITS) - 1;
    const CELL_BITS: u32 = LOGARITHMS.ilog2();
    const REST: u64 = FRACTION >> CELL_BITS;
    // 1 - u, of 2^-53, is 2^exponent times something in [1, 2), exactly.
    let complement = (((1 << 53) - (bits >> 11)) as i64 as f64).to_bits();
    let exponent = (complement >> FRACTION_BITS) as i64 - 1023;
    let (inverse, logarithm) = MIDDLES[((complement & FRACTION) >> (FRACTION_BITS - CELL_BITS)) as usize];
    let scaled = complement & FRACTION | 1.0_f64.to_bits();
    let middle = scaled & !REST | (REST + 1) >> 1;
    let rest = (f64::from_bits(scaled) - f64::from_bits(middle)) * inverse;
    let square = rest * rest;
    // ln(1 + rest), where the rest is at most 1/256.
    let low = -0.5 + rest * (1.0 / 3.0);
    let polynomial = rest + square * (low + square * (-0.25 + rest * 0.2));
    ((53 - exponent) as f64 * LN_2 - logarithm - polynomial).max(0.0)
}

/// Bits of what `uniform` draws.
const UNIFORM_BITS: u32 = 53;

/// Cells of the table of a [`LogNormal`].
const CELLS: usize = 1 << CELL_BITS;
const CELL_BITS: u32 = 10;
/// So many cells at either end are not interpolated: the quantile is too curved there.
const EXACT_CELLS: usize = 8;

/// Log-normal with a given mean and coefficient of variation, made once and drawn often.
///
/// # Assumptions
/// Between the 1/128 and the 127/128 quantile the inverse is interpolated linearly over a table of
/// 1024 cells, outside it is exact. Effect: below 0.1 % of the mean.
#[derive(Clone, Debug)]
pub struct LogNormal {
    mean: f64,
    /// All laws with one coefficient of variation share it: a table of 8 kB is near, six are not.
    shape: Arc<Shape>,
}

/// The law with a mean of 1.
#[derive(Debug)]
struct Shape {
    mu: f64,
    sigma: f64,
    /// Quantiles of i / [`CELLS`]; those that are not used are 0.
    table: [f64; CELLS + 1],
}

/// The shapes that are in use, by the bits of their coefficient of variation.
static SHAPES: Mutex<Vec<(u64, Weak<Shape>)>> = Mutex::new(Vec::new());

impl LogNormal {
    /// The law with mean `mean` and standard deviation `mean * cv`.
    #[must_use]
    pub fn new(mean: f64, cv: f64) -> Self {
        Self { mean, shape: Shape::shared(cv) }
    }

    /// Draws from it.
    #[inline]
    pub fn sample(&self, rng: &mut impl Rng) -> f64 {
        const REST_BITS: u32 = UNIFORM_BITS - CELL_BITS;
        const WIDTH: f64 = 1.0 / (1_u64 << REST_BITS) as f64;
        // What `uniform` makes a fraction of: the first bits are the cell, the rest is where in it.
        let fraction = bits(rng) >> (u64::BITS - UNIFORM_BITS);
        let cell = (fraction >> REST_BITS) as usize;
        if !(EXACT_CELLS..CELLS - EXACT_CELLS).contains(&cell) {
            return self.mean * self.shape.quantile_at(fraction);
        }
        let (low, high) = (self.shape.table[cell], self.shape.table[cell + 1]);
        let rest = (fraction & ((1 << REST_BITS) - 1)) as i64 as f64 * WIDTH;
        self.mean * (low + (high - low) * rest)
    }
}

impl Shape {
    fn shared(cv: f64) -> Arc<Self> {
        // A thread that panicked while it held the list has left it whole.
        let mut shapes = SHAPES.lock().unwrap_or_else(PoisonError::into_inner);
        let known = shapes.iter().find(|(bits, _)| *bits == cv.to_bits());
        if let Some(shape) = known.and_then(|(_, shape)| shape.upgrade()) {
            return shape;
        }
        shapes.retain(|(_, shape)| shape.strong_count() > 0);
        let shape = Arc::new(Self::new(cv));
        shapes.push((cv.to_bits(), Arc::downgrade(&shape)));
        shape
    }

    fn new(cv: f64) -> Self {
        let variance = ln(1.0 + cv * cv);
        let mut shape = Self { mu: -variance / 2.0, sigma: sqrt(variance), table: [0.0; CELLS + 1] };
        for cell in EXACT_CELLS..=CELLS - EXACT_CELLS {
            shape.table[cell] = shape.quantile(cell as f64 / CELLS as f64);
        }
        shape
    }

    /// The quantile of a fraction of so many 2^-53.
    #[cold]
    fn quantile_at(&self, fraction: u64) -> f64 {
        let p = fraction as f64 / (1_u64 << UNIFORM_BITS) as f64;
        self.quantile(p.max(f64::EPSILON / 4.0))
    }

    fn quantile(&self, p: f64) -> f64 {
        exp(self.mu + self.sigma * normal_quantile(p))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elementary::ln_1p;
    use crate::random::Address;
    use crate::stats::Tally;

    fn tally(mut sample: impl FnMut(u64) -> f64) -> Tally {
        let mut tally = Tally::new();
        for k in 0..400_000 {
            tally.record(sample(k));
        }
        tally
    }

    fn assert_near(name: &str, got: f64, exact: f64, standard_error: f64) {
        assert!((got - exact).abs() < 4.0 * standard_error, "{name}: {got}, not {exact}");
    }

    #[test]
    fn moments_are_those_of_the_laws() {
        let root = Address::root(7, 0);
        let n = 400_000_f64;
        let e = tally(|k| exponential(&mut root.child(k).draw(0), 3.0));
        assert_near("exponential mean", e.mean().unwrap(), 3.0, 3.0 / n.sqrt());
        assert_near("exponential variance", e.variance().unwrap(), 9.0, 9.0 * (8.0 / n).sqrt());
        let z = tally(|k| normal(&mut root.child(k).draw(1)));
        assert_near("normal mean", z.mean().unwrap(), 0.0, 1.0 / n.sqrt());
        assert_near("normal variance", z.variance().unwrap(), 1.0, (2.0 / n).sqrt());
        let law = LogNormal::new(2.0, 0.5);
        let l = tally(|k| law.sample(&mut root.child(k).draw(2)));
        assert_near("log-normal mean", l.mean().unwrap(), 2.0, 1.0 / n.sqrt());
        assert_near("log-normal variance", l.variance().unwrap(), 1.0, 2.5 / n.sqrt());
    }

    #[test]
    fn a_standard_exponential_is_the_logarithm() {
        let check = |bits: u64| {
            let u = (bits >> 11) as f64 / (1_u64 << 53) as f64;
            let (drawn, exact) = (standard_exponential(bits), -ln_1p(-u));
            assert!((drawn - exact).abs() < 1e-15 * exact.max(1.0), "{drawn} at {u}, not {exact}");
        };
        for k in 0..200_000 {
            // All over, and close to both ends.
            for bits in [0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(k), k << 11, !(k << 11), k << 46] {
                check(bits);
            }
        }
        assert_eq!(standard_exponential(0), 0.0);
        assert!((standard_exponential(u64::MAX) - 53.0 * LN_2).abs() < 1e-14);
    }

    #[test]
    fn laws_of_one_spread_share_their_table() {
        let (one, two, other) =
            (LogNormal::new(1.0, 0.37), LogNormal::new(2.0, 0.37), LogNormal::new(1.0, 0.38));
        assert!(Arc::ptr_eq(&one.shape, &two.shape) && !Arc::ptr_eq(&one.shape, &other.shape));
        let draw = || Address::root(3, 0).draw(0);
        assert_eq!(2.0 * one.sample(&mut draw()), two.sample(&mut draw()));
        // What nobody uses any more is forgotten.
        let gone = Arc::downgrade(&other.shape);
        drop(other);
        let _ = LogNormal::new(1.0, 0.39);
        assert!(gone.upgrade().is_none());
        assert!(SHAPES.lock().unwrap().iter().all(|(bits, _)| *bits != 0.38_f64.to_bits()));
    }

    #[test]
    fn a_log_normal_without_spread_is_its_mean() {
        let law = LogNormal::new(2.0, 0.0);
        let none = LogNormal::new(0.0, 0.5);
        for k in 0..5_000 {
            let address = Address::root(7, 0).child(k);
            assert!((law.sample(&mut address.draw(0)) - 2.0).abs() < 1e-12);
            assert!(none.sample(&mut address.draw(0)).abs() < 1e-300);
        }
    }

    #[test]
    fn the_table_of_a_log_normal_follows_the_exact_inverse() {
        let law = LogNormal::new(1.0, 0.6);
        for k in 0..20_000 {
            let address = Address::root(9, 0).child(k);
            let exact = exp(law.shape.mu + law.shape.sigma * normal(&mut address.draw(0)));
            let drawn = law.sample(&mut address.draw(0));
            assert!((drawn - exact).abs() < 1e-3 + 1e-3 * exact, "{drawn} against {exact}");
        }
    }
}
