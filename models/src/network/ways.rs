//! The way that messages take from a cluster to another over the links that there are.
//!
//! # Models
//! Messages take the way with the least round trip. Of ways that are equally long a direct link comes first, then
//! the way whose highest-numbered cluster between the ends has the lowest number; its two parts are chosen alike.
//!
//! Nothing is kept per pair of clusters. Clusters that hang on a single other one are taken off the graph again and
//! again, as leaves are plucked from a tree: between these there is one way only, and it is put together when it is
//! asked for. What is left, the *core*, is a single cluster where links form a star or a tree. Within it the ways to a
//! cluster are searched when the first message goes there.
//!
//! # Assumptions
//! On a way of several links each link's queue is passed by whole messages, and only the first one by each TCP round.
//! Effect: none with direct links.
//!
//! # Source
//! Dijkstra, A note on two problems in connexion with graphs, 1959. The order among equals is that of Floyd,
//! Algorithm 97, 1962, over clusters in ascending order, which the tests hold it against.

use super::path::Path;
use crate::ids::ClusterId;
use crate::world::description::LinkSpec;
use meshsim_core::{Id, SimDuration, Table};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::OnceLock;

/// The way from a cluster to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NextHop {
    /// As TCP sees it.
    pub path: Path,
    /// Probability that a segment is lost on it.
    pub loss: f64,
    /// The link that leaves the cluster (index into the description's links).
    pub link: u32,
    /// The number of that link among those that leave the cluster.
    pub port: u32,
    /// Where that link leads.
    pub next: ClusterId,
}

/// All ways between the clusters of a world.
#[derive(Debug)]
pub struct Ways {
    positions: Table<ClusterId, Position>,
    /// The links of all clusters, those of a cluster together, in ascending order.
    ports: Vec<u32>,
    /// Where those of a cluster begin; one more at the end.
    port_starts: Vec<u32>,
    core: Vec<CorePlace>,
}

/// Where a cluster stands.
#[derive(Clone, Copy, Debug)]
enum Position {
    /// In the core.
    Core(u32),
    /// On another cluster, the farther out the deeper.
    Leaf { depth: u32, up: Step, down: Step },
}

/// A link as it is taken by who leaves a cluster.
#[derive(Clone, Copy, Debug)]
struct Step {
    next: ClusterId,
    link: u32,
    port: u32,
    way: Way,
}

/// A part of a way.
#[derive(Clone, Copy, Debug)]
struct Way {
    path: Path,
    loss: f64,
}

/// A cluster of the core.
#[derive(Debug)]
struct CorePlace {
    /// The shortest link to each neighbour, by the neighbour's number in the core.
    steps: Vec<(u32, Step)>,
    /// From all others to here, from the first message on.
    ways_here: OnceLock<Vec<WayHere>>,
}

/// From a cluster of the core to another.
#[derive(Debug)]
struct WayHere {
    over: Over,
    /// Put together when it is first asked for.
    route: OnceLock<NextHop>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    /// There is none.
    Nothing,
    /// A link.
    Link,
    /// Another cluster of the core, the highest-numbered between the two.
    Core(u32),
}

impl Ways {
    /// The ways between so many clusters over these links.
    #[must_use]
    pub fn new(clusters: usize, links: &[LinkSpec]) -> Self {
        Self::over(clusters, links, |_| true)
    }

    /// The same over those of the links that are used, by their numbers.
    #[must_use]
    pub fn over(clusters: usize, links: &[LinkSpec], is_used: impl Fn(u32) -> bool) -> Self {
        let (ports, port_starts) = ports(clusters, links);
        let mut ways = Self { positions: Table::new(), ports, port_starts, core: Vec::new() };
        let neighbours: Vec<Vec<Step>> =
            (0..clusters).map(|from| ways.neighbours(ClusterId::from_index(from), links, &is_used)).collect();
        ways.pluck(&neighbours);
        ways
    }

    /// The links that leave a cluster, in ascending order.
    #[must_use]
    pub fn ports(&self, cluster: ClusterId) -> &[u32] {
        let [begins, ends] = [0, 1].map(|next| self.port_starts[cluster.index() + next] as usize);
        &self.ports[begins..ends]
    }

    /// The way from a cluster to another, if there is one.
    #[must_use]
    #[inline]
    pub fn route(&self, from: ClusterId, to: ClusterId) -> Option<NextHop> {
        // Most messages take one link.
        match (&self.positions[from], &self.positions[to]) {
            (Position::Leaf { up, .. }, _) if up.next == to => Some(up.route()),
            (_, Position::Leaf { up, down, .. }) if up.next == from => Some(down.route()),
            // Of a star, most others take two.
            (Position::Leaf { up, .. }, Position::Leaf { up: theirs, down, .. })
                if up.next == theirs.next && from != to =>
            {
                Some(Step { way: down.way.after(Some(up.way)), ..*up }.route())
            }
            _ => self.longer_route(from, to),
        }
    }

    fn longer_route(&self, from: ClusterId, to: ClusterId) -> Option<NextHop> {
        // The way grows from both ends, from the deeper one first, until these meet or both are in the core.
        let (mut here, mut there) = (from, to);
        let (mut head, mut tail): (Option<Way>, Option<Way>) = (None, None);
        let (mut first, mut last): (Option<&Step>, Option<&Step>) = (None, None);
        let through;
        while here != there {
            match (&self.positions[here], &self.positions[there]) {
                (Position::Core(a), Position::Core(b)) => {
                    through = Step::from(self.core_route(*a, *b)?);
                    head = Some(through.way.after(head));
                    first = first.or(Some(&through));
                    break;
                }
                (Position::Leaf { depth, up, .. }, other) if *depth >= other.depth() => {
                    head = Some(up.way.after(head));
                    first = first.or(Some(up));
                    here = up.next;
                }
                (_, Position::Leaf { up, down, .. }) => {
                    tail = Some(tail.map_or(down.way, |tail| tail.after(Some(down.way))));
                    last = Some(down);
                    there = up.next;
                }
                (Position::Leaf { .. }, Position::Core(_)) => unreachable!("a leaf is deeper than the core"),
            }
        }
        let way = match tail {
            Some(tail) => tail.after(head),
            None => head?,
        };
        Some(Step { way, ..*first.or(last)? }.route())
    }

    /// From each cluster the nearest of some, of equals the lowest-numbered, and the round trip to it; nothing where
    /// no way leads to any. Over the links that the ways were made of.
    #[must_use]
    pub fn nearest(
        &self,
        links: &[LinkSpec],
        some: impl IntoIterator<Item = ClusterId>,
    ) -> Table<ClusterId, Option<(SimDuration, ClusterId)>> {
        let mut nearest: Table<ClusterId, Option<(SimDuration, ClusterId)>> =
            self.positions.iter().map(|_| None).collect();
        let mut queue: BinaryHeap<_> =
            some.into_iter().map(|it| Reverse((SimDuration::ZERO, it, it))).collect();
        while let Some(Reverse((round_trip, found, here))) = queue.pop() {
            if nearest[here].is_some() {
                continue;
            }
            nearest[here] = Some((round_trip, found));
            for &link in self.ports(here) {
                let link = &links[link as usize];
                let next = link.between[usize::from(link.between[0] == here)];
                if nearest[next].is_none() {
                    queue.push(Reverse((round_trip.saturating_add(link.round_trip), found, next)));
                }
            }
        }
        nearest
    }

    /// The shortest link from a cluster to each of its neighbours, in ascending order of these; of equals the first.
    fn neighbours(&self, from: ClusterId, links: &[LinkSpec], is_used: impl Fn(u32) -> bool) -> Vec<Step> {
        let step = |(port, &link): (usize, &u32)| {
            let spec = &links[link as usize];
            let [a, b] = spec.between;
            let next = if a == from { b } else { a };
            Step { next, link, port: port as u32, way: Way::of(spec) }
        };
        let mut steps: Vec<Step> = self.ports(from).iter().enumerate().map(step).collect();
        steps.retain(|it| it.next != from && is_used(it.link));
        steps.sort_by_key(|it| (it.next, it.way.path.round_trip, it.link));
        steps.dedup_by_key(|it| it.next);
        steps
    }

    /// Takes leaves off until none is left.
    fn pluck(&mut self, neighbours: &[Vec<Step>]) {
        let mut degrees: Vec<usize> = neighbours.iter().map(Vec::len).collect();
        let mut leaves: VecDeque<usize> = (0..degrees.len()).filter(|&it| degrees[it] == 1).collect();
        let mut order = Vec::new();
        let mut up: Vec<Option<Step>> = vec![None; degrees.len()];
        while let Some(leaf) = leaves.pop_front() {
            // The other one of the last two may have been taken first.
            let Some(step) = neighbours[leaf].iter().find(|it| up[it.next.index()].is_none()) else {
                continue;
            };
            up[leaf] = Some(*step);
            order.push((leaf, *step));
            let parent = step.next.index();
            degrees[parent] -= 1;
            if degrees[parent] == 1 {
                leaves.push_back(parent);
            }
        }
        let core: Vec<usize> = (0..degrees.len()).filter(|&it| up[it].is_none()).collect();
        let mut positions: Vec<Position> = vec![Position::Core(0); degrees.len()];
        for (number, &cluster) in core.iter().enumerate() {
            positions[cluster] = Position::Core(number as u32);
        }
        let back = |from: usize, to: usize| {
            let found = neighbours[from].binary_search_by_key(&to, |it| it.next.index());
            neighbours[from][found.expect("links lead both ways")]
        };
        // Who was plucked last is nearest to the core.
        for &(leaf, up) in order.iter().rev() {
            let parent = up.next.index();
            positions[leaf] =
                Position::Leaf { depth: positions[parent].depth() + 1, up, down: back(parent, leaf) };
        }
        let in_core = |step: &Step| match positions[step.next.index()] {
            Position::Core(number) => Some((number, *step)),
            Position::Leaf { .. } => None,
        };
        let core_place = |&cluster: &usize| CorePlace {
            steps: neighbours[cluster].iter().filter_map(in_core).collect(),
            ways_here: OnceLock::new(),
        };
        self.core = core.iter().map(core_place).collect();
        self.positions = positions.into_iter().collect();
    }

    /// The way between two clusters of the core.
    fn core_route(&self, from: u32, to: u32) -> Option<NextHop> {
        let way = &self.core[to as usize].ways_here.get_or_init(|| self.search(to))[from as usize];
        let route = |over| match over {
            Over::Nothing => unreachable!("there is a way"),
            Over::Link => {
                let steps = &self.core[from as usize].steps;
                let found = steps.binary_search_by_key(&to, |(next, _)| *next);
                steps[found.expect("a link leads there")].1.route()
            }
            Over::Core(middle) => {
                let way = "a part of a way is a way";
                let (first, second) = (self.core_route(from, middle), self.core_route(middle, to));
                let (first, second) = (first.expect(way), second.expect(way));
                let of = |route: NextHop| Way { path: route.path, loss: route.loss };
                let Way { path, loss } = of(second).after(Some(of(first)));
                NextHop { path, loss, ..first }
            }
        };
        match way.over {
            Over::Nothing => None,
            over => Some(*way.route.get_or_init(|| route(over))),
        }
    }

    /// From every cluster of the core to one: over which other cluster.
    fn search(&self, to: u32) -> Vec<WayHere> {
        const FAR: SimDuration = SimDuration::from_nanos(u64::MAX);
        let mut distance = vec![FAR; self.core.len()];
        // The highest-numbered cluster between; of ways that are equally long the lowest such number counts.
        let mut highest: Vec<Option<u32>> = vec![None; self.core.len()];
        let mut is_settled = vec![false; self.core.len()];
        distance[to as usize] = SimDuration::ZERO;
        let mut queue = BinaryHeap::from([Reverse((SimDuration::ZERO, to))]);
        while let Some(Reverse((at, here))) = queue.pop() {
            if std::mem::replace(&mut is_settled[here as usize], true) {
                continue;
            }
            let over =
                |next: u32| (next != to).then(|| highest[next as usize].map_or(next, |it| it.max(next)));
            let on_the_way = self.core[here as usize].steps.iter().filter(|(next, step)| {
                is_settled[*next as usize]
                    && distance[*next as usize].saturating_add(step.way.path.round_trip) == at
            });
            let least = on_the_way.map(|(next, _)| over(*next)).min();
            if here != to {
                highest[here as usize] = least.flatten();
            }
            for (next, step) in &self.core[here as usize].steps {
                let reached = at.saturating_add(step.way.path.round_trip);
                if reached < distance[*next as usize] {
                    distance[*next as usize] = reached;
                    queue.push(Reverse((reached, *next)));
                }
            }
        }
        let way = |(number, distance): (usize, SimDuration)| {
            let over = match highest[number] {
                _ if distance == FAR || number == to as usize => Over::Nothing,
                None => Over::Link,
                Some(middle) => Over::Core(middle),
            };
            WayHere { over, route: OnceLock::new() }
        };
        distance.into_iter().enumerate().map(way).collect()
    }
}

impl Position {
    const fn depth(&self) -> u32 {
        match self {
            Self::Core(_) => 0,
            Self::Leaf { depth, .. } => *depth,
        }
    }
}

impl Step {
    #[inline]
    const fn route(&self) -> NextHop {
        let Way { path, loss } = self.way;
        NextHop { path, loss, link: self.link, port: self.port, next: self.next }
    }
}

impl From<NextHop> for Step {
    fn from(route: NextHop) -> Self {
        let NextHop { path, loss, link, port, next } = route;
        Self { next, link, port, way: Way { path, loss } }
    }
}

impl Way {
    fn of(link: &LinkSpec) -> Self {
        let path = Path {
            round_trip: link.round_trip,
            one_way: link.round_trip / 2,
            bits_per_second: link.bits_per_second,
            mtu: link.mtu,
            tunnel_overhead: link.tunnel_overhead,
        };
        Self { path, loss: link.loss }
    }

    /// This part after another one.
    fn after(self, first: Option<Self>) -> Self {
        let Some(first) = first else { return self };
        let (a, b) = (first.path, self.path);
        let path = Path {
            round_trip: a.round_trip + b.round_trip,
            one_way: a.one_way + b.one_way,
            bits_per_second: a.bits_per_second.min(b.bits_per_second),
            mtu: a.mtu.min(b.mtu),
            tunnel_overhead: a.tunnel_overhead.max(b.tunnel_overhead),
        };
        Self { path, loss: 1.0 - (1.0 - first.loss) * (1.0 - self.loss) }
    }
}

/// The links of each cluster, one after the other, and where those of each begin.
fn ports(clusters: usize, links: &[LinkSpec]) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; clusters + 1];
    for end in links.iter().flat_map(|link| link.between) {
        starts[end.index() + 1] += 1;
    }
    for cluster in 0..clusters {
        starts[cluster + 1] += starts[cluster];
    }
    let mut next = starts.clone();
    let mut ports = vec![0; links.len() * 2];
    for (number, link) in links.iter().enumerate() {
        for end in link.between {
            ports[next[end.index()] as usize] = number as u32;
            next[end.index()] += 1;
        }
    }
    (ports, starts)
}

#[cfg(test)]
mod tests;
