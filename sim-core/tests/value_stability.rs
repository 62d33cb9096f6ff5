//! Pinned bits of every kind of draw: whoever changes an algorithm, a constant or a library below
//! them changes the results of all simulations, and finds out here.
//!
//! Only pins, no closed form. The hashes mix as SplitMix64 (Steele, Lea and Flood, 2014), the
//! generator is Squares (Widynski, 2022), the normal quantile AS 241 (Wichura, 1988), the exponential
//! function is musl's (crate `libm`), and Gamma is the method of Marsaglia and Tsang (2000) of crate
//! `rand_distr`. The logarithm of exponentials is the kernel's own. If a change is wanted, say so in the change
//! log and pin the printed values.

use meshsim_core::random::{
    Address, Draw, LogNormal, bernoulli, exponential, normal, uniform, uniform_index,
};
use rand::{Rng, TryRng};
use rand_distr::{Distribution, Gamma};
use std::convert::Infallible;

fn draw(number: u64) -> Draw {
    Address::root(1, 2).child(number).draw(3)
}

fn hexadecimal(values: impl IntoIterator<Item = u64>) -> Vec<String> {
    values.into_iter().map(|value| format!("{value:016x}")).collect()
}

fn bits_of(sample: impl Fn(&mut Draw) -> f64) -> Vec<String> {
    hexadecimal((0..4).map(|number| sample(&mut draw(number)).to_bits()))
}

#[test]
fn addresses() {
    let root = Address::root(1, 2);
    let far = Address::root(u64::MAX, u32::MAX).child(u64::MAX);
    let hashes = [Address::root(0, 0), root, root.child(0), root.child(1).child(2), far];
    let expected =
        ["6675d366e2d6574f", "f80f49597f0e2141", "0cb75f4a8fa6a475", "6aabc289e302683e", "b8990f14004fcaf8"];
    assert_eq!(hexadecimal(hashes.map(Address::hash)), expected);
}

#[test]
fn words() {
    let mut several = draw(0);
    let words = [several.next_u64(), several.next_u64(), u64::from(several.next_u32())];
    assert_eq!(hexadecimal(words), ["b40fdbed8f5c2fba", "951ee1be6e332e1e", "0000000048088021"]);
    let mut bytes = [0; 11];
    draw(1).fill_bytes(&mut bytes);
    let bytes = bytes.map(|byte| format!("{byte:02x}"));
    assert_eq!(bytes.concat(), "0623f64abe4c72a16fa672");
}

#[test]
fn uniforms() {
    assert_eq!(
        bits_of(uniform),
        ["3fe681fb7db1eb85", "3fe42e4997c95ec4", "3fb412b68cf1dab8", "3fd777c9f90f9d1e"]
    );
}

#[test]
fn bernoullis() {
    let happened: u64 = (0..64).map(|number| u64::from(bernoulli(&mut draw(number), 0.3)) << number).sum();
    assert_eq!(format!("{happened:016x}"), "c4d8800084609304");
}

#[test]
fn uniform_indices() {
    let indices: Vec<usize> = (0..12).map(|number| uniform_index(&mut draw(number), 1000)).collect();
    assert_eq!(indices, [703, 630, 78, 366, 568, 432, 546, 930, 106, 285, 689, 560]);
}

#[test]
fn exponentials() {
    assert_eq!(
        bits_of(|draw| exponential(draw, 2.5)),
        ["40084e2103970605", "4003eb9423756317", "3fca21365f686b62", "3ff245862b2448c6"]
    );
}

#[test]
fn normals() {
    assert_eq!(
        bits_of(normal),
        ["3fe1176c1303fd99", "3fd559502bce75ed", "bff6a74c6aab664a", "bfd5cd1681fb5067"]
    );
}

#[test]
fn gammas() {
    let law = Gamma::new(2.5, 0.4).unwrap();
    assert_eq!(
        bits_of(|draw| law.sample(draw)),
        ["3ff2b5d21b0a47bd", "3ff6ed1e536e1e55", "3fde88329fb8d1ed", "3fe3f0ec61d82f48"]
    );
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
    assert_eq!(
        hexadecimal(quantiles),
        [
            "3f91af13c9231f5d",
            "3f9283d7d77af150",
            "3fd3c7e52ff561be",
            "3fdcb93f75e1c2e1",
            "3fdcb93f75e1c2f8",
            "3ff59c1fceed55d3",
            "3ffb7095010f9355",
            "401a369b42235434",
            "40231b42ee97246e",
            "40645550a2b9c9c8"
        ]
    );
}

#[test]
fn the_ends_of_the_other_laws() {
    let ends = [0, 1, (1 << 53) - 1];
    let exponentials = ends.map(|cell| exponential(&mut Fixed(cell), 1.0).to_bits());
    assert_eq!(hexadecimal(exponentials), ["0000000000000000", "3c83400000000000", "40425e4f7b2737fa"]);
    let normals = ends.map(|cell| normal(&mut Fixed(cell)).to_bits());
    assert_eq!(hexadecimal(normals), ["c02095b059d67c4c", "c02052484c516593", "40206b48528cea51"]);
}
