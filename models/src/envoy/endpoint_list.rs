//! The endpoints of an upstream in one list that all who see them share.
//!
//! # Models
//! A view's level is what is in one part of the world and not in a smaller one around the viewer: in its region, but
//! not in its zone. The list has all endpoints in ascending order of their pods, and for each region, each zone and each
//! subzone where they are. A [`Part`] names a level in so many bytes, however many endpoints it has; [`Edits`] say in
//! what a list differs from the shared one. So what 10,000 clusters see costs what there is and what changed.

use crate::ids::{NameId, PodId};
use crate::istiod::locality_priority::Locality;
use std::collections::BTreeMap;
use std::iter;

/// All endpoints, and where they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointList {
    /// Ascending.
    pods: Vec<PodId>,
    /// Load balancing weights beside the pods; empty where all are 1.
    weights: Vec<u32>,
    /// The world first; then regions, zones and subzones as they were found.
    areas: Vec<Area>,
    /// The area within another one that has a name.
    within: BTreeMap<(u32, NameId), u32>,
}

/// The endpoints that are somewhere.
#[derive(Clone, Debug, Default, PartialEq)]
struct Area {
    /// Their positions in the list.
    positions: Runs,
    /// Their ranks among those of the area around.
    ranks: Runs,
}

/// The endpoints of an area, less those of an area within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    area: u32,
    without: Option<u32>,
}

impl EndpointList {
    /// A list of these endpoints, in ascending order of their pods, with weight and position.
    #[must_use]
    pub fn new(endpoints: impl IntoIterator<Item = (PodId, u32, Locality<NameId>)>) -> Self {
        let mut list = Self { areas: vec![Area::default()], ..Self::default() };
        for (pod, weight, locality) in endpoints {
            let position = list.pods.len() as u32;
            list.pods.push(pod);
            list.weights.push(weight);
            let mut area = 0;
            list.areas[0].positions.push(position);
            for name in [locality.region, locality.zone, locality.subzone] {
                let inner = *list.within.entry((area, name)).or_insert(list.areas.len() as u32);
                if inner as usize == list.areas.len() {
                    list.areas.push(Area::default());
                }
                let rank = list.areas[area as usize].positions.len - 1;
                list.areas[inner as usize].positions.push(position);
                list.areas[inner as usize].ranks.push(rank);
                area = inner;
            }
        }
        if list.weights.iter().all(|&weight| weight == 1) {
            list.weights = Vec::new();
        }
        list
    }

    /// All endpoints.
    #[must_use]
    pub const fn world(&self) -> Part {
        Part { area: 0, without: None }
    }

    /// The endpoints by how near they are to someone at `viewer`, as [`locality_priority`] says; nothing where there
    /// are none.
    ///
    /// [`locality_priority`]: crate::istiod::locality_priority::locality_priority
    #[must_use]
    pub fn by_distance(&self, viewer: &Locality<NameId>) -> [Option<Part>; 4] {
        let mut areas = [Some(0), None, None, None];
        for (depth, name) in [viewer.region, viewer.zone, viewer.subzone].into_iter().enumerate() {
            areas[depth + 1] = areas[depth].and_then(|area| self.within.get(&(area, name)).copied());
        }
        let [world, region, zone, subzone] = areas;
        let ring = |area: Option<u32>, without| area.map(|area| Part { area, without });
        let rings = [ring(subzone, None), ring(zone, subzone), ring(region, zone), ring(world, region)];
        rings.map(|part| part.filter(|&part| self.len(part) > 0))
    }

    /// How many endpoints a part has.
    #[must_use]
    pub fn len(&self, part: Part) -> u32 {
        let of = |area: u32| self.areas[area as usize].positions.len;
        of(part.area) - part.without.map_or(0, of)
    }

    /// Whether there are none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// The position in the list of the endpoint of this rank in a part.
    #[must_use]
    pub fn position(&self, part: Part, rank: u32) -> usize {
        let rank = part.without.map_or(rank, |area| self.areas[area as usize].ranks.skip(rank));
        self.areas[part.area as usize].positions.at(rank) as usize
    }

    /// The positions in the list of a part's endpoints, in ascending order.
    pub fn positions(&self, part: Part) -> impl Iterator<Item = u32> {
        let without = part.without.map(|area| self.areas[area as usize].positions.iter());
        let mut without = without.into_iter().flatten().peekable();
        let all = self.areas[part.area as usize].positions.iter();
        all.filter(move |position| without.next_if_eq(position).is_none())
    }

    /// How many endpoints of a part stand before a position of the list.
    #[must_use]
    pub fn rank(&self, part: Part, position: usize) -> u32 {
        let of = |area: u32| self.areas[area as usize].positions.count_before(position as u32);
        of(part.area) - part.without.map_or(0, of)
    }

    /// The position of a pod, or where it would stand.
    ///
    /// # Errors
    /// If it is not in the list.
    pub fn find(&self, pod: PodId) -> Result<usize, usize> {
        self.pods.binary_search(&pod)
    }

    /// The pod at a position.
    #[must_use]
    pub fn pod(&self, position: usize) -> PodId {
        self.pods[position]
    }

    /// The load balancing weight of the endpoint at a position.
    #[must_use]
    pub fn weight(&self, position: usize) -> u32 {
        self.weights.get(position).copied().unwrap_or(1)
    }

    /// Whether all endpoints weigh 1.
    #[must_use]
    pub fn weigh_alike(&self) -> bool {
        self.weights.is_empty()
    }
}

/// Ascending numbers, mostly in a row.
#[derive(Clone, Debug, Default, PartialEq)]
struct Runs {
    /// The first run.
    start: u32,
    /// Numbers in all runs.
    len: u32,
    /// The others: where each starts, and how many numbers come before.
    others: Vec<(u32, u32)>,
}

impl Runs {
    /// Appends a number that is larger than all before.
    fn push(&mut self, number: u32) {
        let (start, before) = self.others.last().copied().unwrap_or((self.start, 0));
        if self.len == 0 {
            self.start = number;
        } else if start + (self.len - before) != number {
            self.others.push((number, self.len));
        }
        self.len += 1;
    }

    /// The numbers.
    fn iter(&self) -> impl Iterator<Item = u32> {
        let runs = iter::once((self.start, 0)).chain(self.others.iter().copied());
        let ends = self.others.iter().map(|&(_, before)| before).chain(iter::once(self.len));
        runs.zip(ends).flat_map(|((start, before), end)| start..start + (end - before))
    }

    /// The number of this rank.
    #[inline]
    fn at(&self, rank: u32) -> u32 {
        match self.others.partition_point(|&(_, before)| before <= rank) {
            0 => self.start + rank,
            after => self.others[after - 1].0 + (rank - self.others[after - 1].1),
        }
    }

    /// How many of the numbers are less than this one.
    fn count_before(&self, number: u32) -> u32 {
        let (start, before, end) = match self.others.partition_point(|&(start, _)| start < number) {
            0 => (self.start, 0, self.others.first().map_or(self.len, |&(_, before)| before)),
            after => {
                let (start, before) = self.others[after - 1];
                (start, before, self.others.get(after).map_or(self.len, |&(_, before)| before))
            }
        };
        before + number.saturating_sub(start).min(end - before)
    }

    /// The number of this rank among all that are not here.
    fn skip(&self, rank: u32) -> u32 {
        if self.len == 0 || rank < self.start {
            return rank;
        }
        let after = self.others.partition_point(|&(start, before)| start - before <= rank);
        rank + self.others.get(after).map_or(self.len, |&(_, before)| before)
    }
}

/// What is taken out of a shared list and put into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Edits<T> {
    /// Of each row that is taken out, how many rows that stay come before it.
    taken: Vec<u32>,
    /// What is put in, by its position in the result.
    added: Vec<(u32, T)>,
}

/// Where a row of an edited list comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row<'a, T> {
    /// It is the row of this rank in the shared list.
    Shared(u32),
    /// It was put in.
    Added(&'a T),
}

impl<T> Edits<T> {
    /// Takes out the rows of these ranks, and puts others in, each before the row of a rank; both ascending.
    #[must_use]
    pub fn new(taken: &[u32], added: Vec<(u32, T)>) -> Self {
        let stay_before = |rank: u32| rank - taken.partition_point(|&it| it < rank) as u32;
        let put = |(position, (rank, row)): (usize, (u32, T))| (stay_before(rank) + position as u32, row);
        Self {
            taken: taken.iter().enumerate().map(|(position, rank)| rank - position as u32).collect(),
            added: added.into_iter().enumerate().map(put).collect(),
        }
    }

    /// How many rows there are, of so many shared ones.
    #[must_use]
    pub const fn len(&self, shared: u32) -> u32 {
        shared - self.taken.len() as u32 + self.added.len() as u32
    }

    /// Whether nothing is taken out and nothing put in.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.taken.is_empty() && self.added.is_empty()
    }

    /// The row at a position of the result.
    #[must_use]
    pub fn row(&self, position: u32) -> Row<'_, T> {
        if self.is_empty() {
            return Row::Shared(position);
        }
        let before = self.added.partition_point(|(at, _)| *at < position);
        match self.added.get(before) {
            Some((at, row)) if *at == position => Row::Added(row),
            _ => {
                let rank = position - before as u32;
                Row::Shared(rank + self.taken.partition_point(|&stay| stay <= rank) as u32)
            }
        }
    }

    /// What was put in.
    pub fn added(&self) -> impl Iterator<Item = &T> {
        self.added.iter().map(|(_, row)| row)
    }
}

impl<T> Default for Edits<T> {
    fn default() -> Self {
        Self { taken: Vec::new(), added: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::istiod::locality_priority::locality_priority;
    use meshsim_core::random::{Address, Draw, bernoulli, uniform_index};

    fn random_locality(rng: &mut Draw, few: usize) -> Locality<NameId> {
        let [region, zone, subzone] = [(); 3].map(|()| NameId(uniform_index(rng, few) as u32));
        Locality { region, zone, subzone }
    }

    #[test]
    fn parts_are_what_a_filter_finds() {
        for seed in 0..300 {
            let mut rng = Address::root(seed, 0).draw(0);
            let few = 1 + uniform_index(&mut rng, 4);
            let endpoints: Vec<(PodId, u32, Locality<NameId>)> = (0..uniform_index(&mut rng, 40))
                .map(|pod| (PodId(3 * pod as u32), 1 + pod as u32 % 2, random_locality(&mut rng, few)))
                .collect();
            let list = EndpointList::new(endpoints.iter().copied());
            let viewer = random_locality(&mut rng, few + 1);
            for (priority, part) in list.by_distance(&viewer).into_iter().enumerate() {
                let expected: Vec<usize> = (0..endpoints.len())
                    .filter(|&position| locality_priority(&viewer, &endpoints[position].2) == priority as u32)
                    .collect();
                let Some(part) = part else {
                    assert!(expected.is_empty(), "seed {seed}");
                    continue;
                };
                let positions: Vec<usize> =
                    (0..list.len(part)).map(|rank| list.position(part, rank)).collect();
                assert_eq!(positions, expected, "seed {seed}");
                let in_turn: Vec<usize> = list.positions(part).map(|it| it as usize).collect();
                assert_eq!(in_turn, expected, "seed {seed}");
                for position in 0..endpoints.len() {
                    let before = expected.iter().filter(|&&it| it < position).count();
                    assert_eq!(list.rank(part, position) as usize, before, "seed {seed}");
                }
            }
            for (position, (pod, weight, _)) in endpoints.iter().enumerate() {
                assert_eq!(
                    (list.find(*pod), list.pod(position), list.weight(position)),
                    (Ok(position), *pod, *weight)
                );
                assert_eq!(list.find(PodId(pod.0 + 1)), Err(position + 1));
            }
        }
    }

    #[test]
    fn an_edited_list_is_the_one_that_was_written_out() {
        for seed in 0..300 {
            let mut rng = Address::root(seed, 1).draw(0);
            let shared: Vec<u32> = (0..uniform_index(&mut rng, 12) as u32).map(|it| it * 10).collect();
            let taken: Vec<u32> = (0..shared.len() as u32).filter(|_| bernoulli(&mut rng, 0.3)).collect();
            let mut added: Vec<u32> = (0..uniform_index(&mut rng, 5))
                .map(|_| 10 * uniform_index(&mut rng, 13) as u32 + 5)
                .collect();
            added.sort_unstable();
            added.dedup();
            let mut expected: Vec<u32> = shared.clone();
            taken.iter().rev().for_each(|&rank| {
                expected.remove(rank as usize);
            });
            expected.extend(&added);
            expected.sort_unstable();
            let at = |row: &u32| shared.partition_point(|it| it < row) as u32;
            let edits = Edits::new(&taken, added.iter().map(|row| (at(row), *row)).collect());
            let row = |position| match edits.row(position) {
                Row::Shared(rank) => shared[rank as usize],
                Row::Added(row) => *row,
            };
            assert_eq!(edits.len(shared.len() as u32) as usize, expected.len(), "seed {seed}");
            let rows: Vec<u32> = (0..expected.len() as u32).map(row).collect();
            assert_eq!(rows, expected, "seed {seed}");
        }
    }
}
