//! Where a random number lives.
//!
//! # Models
//! An address is a 64-bit hash chained over what the number is for: seed, replication, then
//! whatever tells one user's k-th request, one call in its tree, or one link's n-th packet from
//! all others. The draw at an address does not depend on what else was drawn before, between or
//! after: so the same request meets the same luck under every strategy, whatever order the events
//! run in.
//!
//! # Assumptions
//! Two different chains may share a hash with a probability of about n^2 / 2^65 over n addresses:
//! 3 % for one such pair among a thousand million. Effect: those two draws are equal, no more.
//!
//! # Source
//! The mixing step is the finalizer of SplitMix64: Steele, Lea and Flood, Fast splittable
//! pseudorandom number generators, OOPSLA 2014 (constants: Stafford's variant 13).

use super::generator::Draw;

/// The address of a random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(u64);

impl Address {
    /// The address under which everything of one replication lives.
    #[must_use]
    pub const fn root(seed: u64, replication: u32) -> Self {
        Self(mix(seed)).child(replication as u64)
    }

    /// The address number `index` below this one.
    #[must_use]
    #[inline]
    pub const fn child(self, index: u64) -> Self {
        Self(mix(self.0.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(mix_index(index))))
    }

    /// The random numbers for `purpose` at this address.
    #[must_use]
    #[inline]
    pub const fn draw(self, purpose: u32) -> Draw {
        Draw::new(self.0, purpose)
    }

    /// The hash itself: equal for equal chains.
    #[must_use]
    #[inline]
    pub const fn hash(self) -> u64 {
        self.0
    }
}

const fn mix_index(index: u64) -> u64 {
    (index ^ 0x2545_f491_4f6c_dd1d).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub(super) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::uniform;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn neighbours_are_strangers() {
        let mut seen = BTreeSet::new();
        for seed in 0..10 {
            for replication in 0..10 {
                for k in 0..100 {
                    for path in 0..10 {
                        let address = Address::root(seed, replication).child(k).child(path);
                        assert!(seen.insert(address.hash()));
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_draw_is_the_same_whatever_was_drawn_in_between(
            seed: u64, k: u64, purpose in 0..100_u32, others in prop::collection::vec(any::<u64>(), 0..20)
        ) {
            let address = Address::root(seed, 3).child(k);
            let before = uniform(&mut address.draw(purpose));
            for other in others {
                let _ = uniform(&mut address.child(other).draw(purpose));
            }
            prop_assert_eq!(before.to_bits(), uniform(&mut address.draw(purpose)).to_bits());
        }
    }
}
