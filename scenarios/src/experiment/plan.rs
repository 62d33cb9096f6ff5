//! Parts of an experiment, for several machines.
//!
//! # Models
//! An experiment is a list of comparisons (one, the points of a sweep, the draws of a calibration), each a list of cells:
//! its strategies, replication by replication. Part 3 of 16 has every sixteenth comparison, from the third on, where there
//! are at least as many comparisons as parts; else the third of sixteen stretches of equal length of all cells. Pilots are
//! run by every part that has a cell of their comparison, for they say where all of its cells are cut.
//!
//! # Assumptions
//! Cells take about equally long. Effect: one part may be done before another; the results are the same.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// One of several parts, as in `3/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Part {
    /// From 1.
    number: u32,
    /// How many there are.
    of: u32,
}

/// Most parts.
const PARTS_MAX: u32 = 100_000;

impl Part {
    /// From 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// How many parts there are.
    #[must_use]
    pub const fn of(self) -> u32 {
        self.of
    }

    /// Which cells of a comparison, by its index, are in this part; `counts` has how many each comparison has.
    #[must_use]
    pub fn share(self, counts: &[usize], index: usize) -> Range<usize> {
        let (number, of) = (self.number as usize - 1, self.of as usize);
        let count = counts[index];
        if counts.len() >= of {
            return 0..if index % of == number { count } else { 0 };
        }
        let all: usize = counts.iter().sum();
        let before: usize = counts[..index].iter().sum();
        let bound = |number: usize| (all * number / of).clamp(before, before + count) - before;
        bound(number)..bound(number + 1)
    }

    /// What part of all cells that is, from 0 to 1.
    #[must_use]
    pub fn fraction(self, counts: &[usize]) -> f64 {
        let own: usize = (0..counts.len()).map(|index| self.share(counts, index).len()).sum();
        own as f64 / counts.iter().sum::<usize>().max(1) as f64
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let help = || format!("`{text}` is no part: write the third of sixteen as 3/16");
        let (number, of) = text.split_once('/').ok_or_else(help)?;
        let (number, of) = (number.parse().map_err(|_| help())?, of.parse().map_err(|_| help())?);
        match number {
            1.. if number <= of && of <= PARTS_MAX => Ok(Self { number, of }),
            _ => Err(format!(
                "`{text}` is no part: the first number is 1 to the second, which is at most {PARTS_MAX}"
            )),
        }
    }
}

impl TryFrom<String> for Part {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Part> for String {
    fn from(part: Part) -> Self {
        part.to_string()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_cell_is_in_one_part(counts in prop::collection::vec(0..30_usize, 1..20), of in 1..40_u32) {
            let parts = || (1..=of).map(|number| Part { number, of });
            for index in 0..counts.len() {
                let shares: Vec<usize> = parts().flat_map(|part| part.share(&counts, index)).collect();
                prop_assert_eq!(shares, (0..counts[index]).collect::<Vec<_>>());
            }
            let fractions: f64 = parts().map(|part| part.fraction(&counts)).sum();
            prop_assert!((fractions - 1.0).abs() < 1e-9 || counts.iter().all(|it| *it == 0));
        }
    }

    #[test]
    fn parts_are_about_equal() {
        let cells = |number, counts: &[usize]| {
            (0..counts.len()).map(|it| Part { number, of: 3 }.share(counts, it).len()).sum::<usize>()
        };
        assert_eq!([1, 2, 3].map(|number| cells(number, &[70])), [23, 23, 24]);
        assert_eq!([1, 2, 3].map(|number| cells(number, &[7; 8])), [21, 21, 14]);
    }

    #[test]
    fn a_part_is_written_with_a_slash() {
        assert_eq!("3/16".parse::<Part>().unwrap().to_string(), "3/16");
        assert_eq!("1/1".parse(), Ok(Part { number: 1, of: 1 }));
        for bad in ["0/3", "4/3", "3", "a/3", "1/100001", "/", "-1/2"] {
            assert!(bad.parse::<Part>().is_err(), "{bad}");
        }
    }
}
