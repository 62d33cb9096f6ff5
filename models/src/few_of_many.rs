//! Values by number, of which few are ever other than nothing: what each proxy knows of each service, say. Where all
//! numbers together are few they are a flat list, else only what is there is kept and searched for.

use std::collections::BTreeMap;
use std::ops::Range;

/// Most numbers that are listed one by one: beyond that a world of thousands of services would pay for all their pairs.
const LISTED_MAX: usize = 1 << 20;

/// Values of the numbers below some length, nothing but for those that were written.
#[derive(Clone, Debug)]
pub struct FewOfMany<T> {
    values: Values<T>,
    nothing: T,
}

#[derive(Clone, Debug)]
enum Values<T> {
    Listed(Vec<T>),
    Searched(BTreeMap<usize, T>),
}

impl<T: Clone> FewOfMany<T> {
    /// Nothing at the numbers below `len`.
    #[must_use]
    pub fn new(len: usize, nothing: T) -> Self {
        Self::listing(LISTED_MAX, len, nothing)
    }

    fn listing(most: usize, len: usize, nothing: T) -> Self {
        let values = match len <= most {
            true => Values::Listed(vec![nothing.clone(); len]),
            false => Values::Searched(BTreeMap::new()),
        };
        Self { values, nothing }
    }

    /// The value of a number.
    #[must_use]
    #[inline]
    pub fn get(&self, number: usize) -> &T {
        match &self.values {
            Values::Listed(values) => &values[number],
            Values::Searched(values) => values.get(&number).unwrap_or(&self.nothing),
        }
    }

    /// The same, to be written.
    #[inline]
    pub fn get_mut(&mut self, number: usize) -> &mut T {
        match &mut self.values {
            Values::Listed(values) => &mut values[number],
            Values::Searched(values) => values.entry(number).or_insert_with(|| self.nothing.clone()),
        }
    }

    /// Takes the values of some numbers, in ascending order, and leaves nothing where they are taken.
    pub fn take(&mut self, numbers: Range<usize>) -> impl Iterator<Item = T> {
        let Self { values, nothing } = self;
        let mut left = numbers;
        std::iter::from_fn(move || match values {
            Values::Listed(values) => {
                left.next().map(|number| std::mem::replace(&mut values[number], nothing.clone()))
            }
            Values::Searched(values) => {
                let number = *values.range(left.clone()).next()?.0;
                left.start = number + 1;
                values.remove(&number)
            }
        })
    }

    /// There are `len` numbers from now on, no fewer than before.
    pub fn grow(&mut self, len: usize) {
        if let Values::Listed(values) = &mut self.values {
            values.resize(len.max(values.len()), self.nothing.clone());
        }
    }

    /// All values that may be other than nothing, with their numbers, in ascending order of these.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let (listed, searched) = match &self.values {
            Values::Listed(values) => (Some(values), None),
            Values::Searched(values) => (None, Some(values)),
        };
        let searched = searched.into_iter().flatten().map(|(number, it)| (*number, it));
        listed.into_iter().flatten().enumerate().chain(searched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_says_what_a_list_says() {
        let mut both = [10, 1_000].map(|most| FewOfMany::listing(most, 100, None::<u32>));
        for step in 0..200_usize {
            let number = step * 37 % 100;
            let said = both.each_mut().map(|it| match step % 3 {
                0 => it.get_mut(number).replace(step as u32),
                1 => *it.get(number),
                _ => it.take(number..number + 1).flatten().next(),
            });
            assert_eq!(said[0], said[1], "step {step}");
        }
        let there = both
            .each_ref()
            .map(|it| it.iter().filter_map(|(number, it)| Some((number, (*it)?))).collect::<Vec<_>>());
        assert!(there[0].len() > 10);
        assert_eq!(there[0], there[1]);
        for it in &mut both {
            it.grow(120);
            *it.get_mut(119) = Some(7);
            assert_eq!(it.take(0..120).flatten().count(), there[0].len() + 1);
            assert!(it.iter().all(|(_, it)| it.is_none()));
        }
    }
}
