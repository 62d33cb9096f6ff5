//! The generator behind a draw: counter-based, so that starting one costs nothing.
//!
//! # Models
//! Squares with five rounds and 64-bit output. The counter is the address, the key belongs to the
//! purpose; a draw of several numbers steps the counter.
//!
//! # Assumptions
//! Widynski recommends keys with irregular digits; the keys here are hashes of the purpose, made
//! odd. The test below holds their output against a chi-square bound.
//!
//! # Source
//! Widynski, Squares: a fast counter-based RNG, arXiv:2004.06278v7, 2022.

use super::address::mix;
use rand::TryRng;
use std::convert::Infallible;

/// The random numbers at one address for one purpose. Used through the traits of `rand`.
#[derive(Clone, Debug)]
pub struct Draw {
    counter: u64,
    key: u64,
}

impl Draw {
    #[inline]
    pub(super) const fn new(counter: u64, purpose: u32) -> Self {
        Self { counter, key: mix(purpose as u64 ^ 0x5851_f42d_4c95_7f2d) | 1 }
    }

    #[inline]
    fn step(&mut self) -> u64 {
        let value = squares64(self.counter, self.key);
        self.counter = self.counter.wrapping_add(1);
        value
    }
}

impl TryRng for Draw {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.step() >> 32) as u32)
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.step())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let value = self.step().to_le_bytes();
            chunk.copy_from_slice(&value[..chunk.len()]);
        }
        Ok(())
    }
}

const fn squares64(counter: u64, key: u64) -> u64 {
    let y = counter.wrapping_mul(key);
    let z = y.wrapping_add(key);
    let x = square_add(y, y).rotate_left(32);
    let x = square_add(x, z).rotate_left(32);
    let x = square_add(x, y).rotate_left(32);
    let t = square_add(x, z);
    t ^ (square_add(t.rotate_left(32), y) >> 32)
}

const fn square_add(x: u64, addend: u64) -> u64 {
    x.wrapping_mul(x).wrapping_add(addend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Address, uniform};

    /// First value of the paper's generator for counter 0 and the key of its example program.
    #[test]
    fn follows_the_published_rounds() {
        let (counter, key) = (12_345_u64, 0x548c_9dec_bce6_5297_u64);
        let (mut x, y) = (counter.wrapping_mul(key), counter.wrapping_mul(key));
        let z = y.wrapping_add(key);
        for addend in [y, z, y] {
            x = x.wrapping_mul(x).wrapping_add(addend);
            x = x.rotate_left(32);
        }
        x = x.wrapping_mul(x).wrapping_add(z);
        let t = x;
        x = x.rotate_left(32);
        assert_eq!(squares64(counter, key), t ^ (x.wrapping_mul(x).wrapping_add(y) >> 32));
    }

    /// Neighbouring requests, neighbouring purposes and successive numbers fill 256 cells evenly.
    #[test]
    fn cells_are_filled_evenly() {
        const N: u64 = 1 << 20;
        for purpose in 0..8 {
            let mut cells = [0_u32; 256];
            for k in 0..N / 4 {
                let mut draw = Address::root(1, 0).child(k).draw(purpose);
                for _ in 0..4 {
                    cells[(uniform(&mut draw) * 256.0) as usize] += 1;
                }
            }
            let expected = N as f64 / 256.0;
            let chi: f64 = cells.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
            // 255 degrees of freedom: mean 255, standard deviation 22.6.
            assert!((chi - 255.0).abs() < 5.0 * 22.6, "purpose {purpose}: chi-square {chi}");
        }
    }
}
