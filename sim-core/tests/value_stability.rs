//! Pinned bits of every kind of draw: whoever changes an algorithm, a constant or a library below
//! them changes the results of all simulations, and finds out here.
//!
//! Only pins, no closed form. The hashes mix as SplitMix64 (Steele, Lea and Flood, 2014), the
//! generator is Squares (Widynski, 2022), the normal quantile AS 241 (Wichura, 1988), the
//! logarithm and the exponential function are musl's (crate `libm`), and Gamma is the method of
//! Marsaglia and Tsang (2000) of crate `rand_distr`. If a change is wanted, say so in the change
//! log and pin the printed values.

use meshsim_core::random::{
    Address, Draw, LogNormal, bernoulli, exponential, normal, uniform, uniform_index,
};
use rand::{Rng, TryRng};
use rand_distr::{Distribution, Gamma};
use std::convert::Infallible;
use std::fmt::LowerHex;

fn draw(number: u64) -> Draw {
    Address::root(42, 7).child(number).draw(3)
}

fn hexadecimal<T: LowerHex>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values
        .into_iter()
        .map(|value| format!("{value:016x}"))
        .collect()
}

fn bits_of(sample: impl Fn(&mut Draw) -> f64) -> Vec<String> {
    hexadecimal((0..4).map(|number| sample(&mut draw(number)).to_bits()))
}

#[test]
fn addresses() {
    let root = Address::root(42, 7);
    let far = Address::root(u64::MAX, u32::MAX).child(u64::MAX);
    let hashes = [
        Address::root(0, 0),
        root,
        root.child(0),
        root.child(1).child(2),
        far,
    ];
    let expected = ["A", "A", "A", "A", "A"];
    assert_eq!(hexadecimal(hashes.map(Address::hash)), expected);
}

#[test]
fn words() {
    let mut several = draw(0);
    let words = [
        several.next_u64(),
        several.next_u64(),
        u64::from(several.next_u32()),
    ];
    assert_eq!(hexadecimal(words), ["B", "B", "B"]);
    let mut bytes = [0; 11];
    draw(1).fill_bytes(&mut bytes);
    assert_eq!(hexadecimal(bytes).concat(), "B");
}

#[test]
fn uniforms() {
    assert_eq!(bits_of(uniform), ["C", "C", "C", "C"]);
}

#[test]
fn bernoullis() {
    let happened: u64 = (0..64)
        .map(|number| u64::from(bernoulli(&mut draw(number), 0.3)) << number)
        .sum();
    assert_eq!(format!("{happened:016x}"), "D");
}

#[test]
fn uniform_indices() {
    let indices: Vec<usize> = (0..12)
        .map(|number| uniform_index(&mut draw(number), 1000))
        .collect();
    assert_eq!(indices, [0]);
}

#[test]
fn exponentials() {
    assert_eq!(bits_of(|draw| exponential(draw, 2.5)), ["F", "F", "F", "F"]);
}

#[test]
fn normals() {
    assert_eq!(bits_of(normal), ["G", "G", "G", "G"]);
}

#[test]
fn gammas() {
    let law = Gamma::new(2.5, 0.4).unwrap();
    assert_eq!(bits_of(|draw| law.sample(draw)), ["H", "H", "H", "H"]);
}

/// A generator whose next uniform number is the given cell of 2^53.
struct Fixed(u64);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0 >> 21) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0 << 11)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0);
        Ok(())
    }
}

/// Both ends, both tails, the borders of the table, its inside and the median.
const CELLS_OF_2_53: [u64; 10] = [
    0,
    1,
    (1 << 53) / 1000,
    (1 << 46) - 1,
    1 << 46,
    (1 << 53) / 3,
    1 << 52,
    (1 << 53) - (1 << 46) - 1,
    (1 << 53) - (1 << 43),
    (1 << 53) - 1,
];

#[test]
fn log_normal_quantiles() {
    let law = LogNormal::new(2.0, 0.6);
    let quantiles = CELLS_OF_2_53.map(|cell| law.sample(&mut Fixed(cell)).to_bits());
    assert_eq!(hexadecimal(quantiles), ["I"; 10]);
}

#[test]
fn the_ends_of_the_other_laws() {
    let ends = [0, 1, (1 << 53) - 1];
    let exponentials = ends.map(|cell| exponential(&mut Fixed(cell), 1.0).to_bits());
    assert_eq!(hexadecimal(exponentials), ["J", "J", "J"]);
    let normals = ends.map(|cell| normal(&mut Fixed(cell)).to_bits());
    assert_eq!(hexadecimal(normals), ["J", "J", "J"]);
}
