//! Sets of services that may come to the edge together.
//!
//! # Source
//! mSvcBench/muPlacer `strategies/SBMP_offload.py` (`sgs_builder_traces`, `sgs_builder_COPAMP`).

use crate::offloading::analytic_model::{AnalyticModel, EdgeSet};
use crate::offloading::policy::situation::Situation;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Which sets of services are candidates.
#[derive(Clone, Debug, PartialEq)]
pub enum Candidates {
    /// What sampled requests visit: the distinct sets, each with the gateway, and how many requests visit it.
    Traces(Vec<(EdgeSet, u32)>),
    /// Ways from the gateway to each service (CO-PAMP).
    Paths,
}

/// What `count` requests visit, drawn from the users: each service that is called comes with the probability of its
/// calls, and what it calls likewise, as often as it is reached. Each distinct set once, with the gateway; the set of
/// everything is a candidate anyway.
#[must_use]
pub fn sample_traces(
    model: &AnalyticModel,
    count: usize,
    draw: &mut impl FnMut() -> f64,
) -> Vec<(EdgeSet, u32)> {
    let mut distinct: BTreeMap<EdgeSet, u32> = BTreeMap::new();
    for _ in 0..count {
        let mut row = vec![false; model.indices()];
        row[model.gateway()] = true;
        visit(model, model.gateway(), draw, &mut row);
        *distinct.entry(row).or_default() += 1;
    }
    distinct.into_iter().collect()
}

fn visit(model: &AnalyticModel, from: usize, draw: &mut impl FnMut() -> f64, row: &mut EdgeSet) {
    for to in (0..model.gateway()).filter(|&to| to != from && model.is_called(from, to)) {
        if draw() < model.calls[from][to].min(1.0) {
            row[to] = true;
            visit(model, to, draw, row);
        }
    }
}

/// Makes the candidates of every round of a search.
pub(super) struct Builder<'a> {
    candidates: &'a Candidates,
    /// How many calls from the edge a candidate may reach.
    depth: usize,
    /// Candidates of a round, at most.
    most: usize,
    situation: &'a Situation<'a>,
    /// With how many requests visit them.
    rows: Vec<(EdgeSet, u32)>,
    /// From each index: how many calls away the others are.
    hops: Vec<Vec<Option<usize>>>,
}

impl<'a> Builder<'a> {
    /// A search begins.
    pub(super) fn new(
        candidates: &'a Candidates,
        [depth, most]: [usize; 2],
        situation: &'a Situation<'a>,
    ) -> Self {
        let model = situation.model;
        let rows = match candidates {
            Candidates::Traces(rows) => {
                rows.iter().cloned().chain([(vec![true; model.indices()], 1)]).collect()
            }
            Candidates::Paths => {
                let paths = paths(model).into_iter().filter(|row| adds(row, &situation.edge) > 0);
                paths.map(|row| (row, 1)).collect()
            }
        };
        let hops = (0..model.indices()).map(|from| hops_from(model, from)).collect();
        Self { candidates, depth, most, situation, rows, hops }
    }

    /// The candidates of a round, in the order in which they are weighed.
    pub(super) fn of(&mut self, edge: &[bool]) -> Vec<EdgeSet> {
        match self.candidates {
            Candidates::Traces(_) => self.of_traces(edge),
            Candidates::Paths => self.of_paths(edge),
        }
    }

    /// What the sampled requests visit within reach of the edge: largest bit strings first, as the original has lost how
    /// often each is visited; else what is visited most first.
    fn of_traces(&mut self, edge: &[bool]) -> Vec<EdgeSet> {
        self.rows.retain(|(row, _)| adds(row, edge) > 0);
        let model = self.situation.model;
        let leaves = |from: usize| (0..edge.len()).any(|to| !edge[to] && model.is_called(from, to));
        let gateways: Vec<usize> = (0..edge.len()).filter(|&it| edge[it] && leaves(it)).collect();
        let is_near = |to: usize| {
            gateways.iter().any(|&from| self.hops[from][to].is_some_and(|hops| hops <= self.depth))
        };
        let near: Vec<bool> = (0..edge.len()).map(is_near).collect();
        let within = |row: &EdgeSet| -> EdgeSet { row.iter().zip(&near).map(|(a, b)| *a && *b).collect() };
        let mut unlocked: BTreeMap<EdgeSet, u32> = BTreeMap::new();
        for (row, count) in &self.rows {
            *unlocked.entry(self.without_locked(within(row), edge)).or_default() += count;
        }
        let mut rows: Vec<(EdgeSet, u32)> =
            unlocked.into_iter().rev().filter(|(row, _)| adds(row, edge) > 0).collect();
        if !self.situation.compat {
            rows.sort_by_key(|(_, count)| Reverse(*count));
        }
        rows.into_iter().take(self.most).map(|(row, _)| row).collect()
    }

    /// Ways that add no more services than may come at a time, smallest bit strings first.
    fn of_paths(&self, edge: &[bool]) -> Vec<EdgeSet> {
        let unlocked: BTreeSet<EdgeSet> =
            self.rows.iter().map(|(row, _)| self.without_locked(row.clone(), edge)).collect();
        let depth = self.depth;
        unlocked.into_iter().filter(|row| (1..=depth).contains(&adds(row, edge))).collect()
    }

    /// A row without what is locked, and what is still reached from its highest number, meant to be the gateway; or, as
    /// it is meant, from the edge as it is.
    fn without_locked(&self, mut row: EdgeSet, edge: &[bool]) -> EdgeSet {
        let locked = &self.situation.locked;
        if !row.iter().zip(locked).any(|(there, locked)| *there && *locked) {
            return row;
        }
        row.iter_mut().zip(locked).for_each(|(there, locked)| *there &= !locked);
        if adds(&row, edge) == 0 {
            return row;
        }
        let mut reached = vec![false; row.len()];
        let mut open: Vec<usize> = match self.situation.compat {
            true => row.iter().rposition(|&there| there).into_iter().collect(),
            false => (0..edge.len()).filter(|&it| edge[it]).collect(),
        };
        open.iter().for_each(|&root| reached[root] = true);
        while let Some(from) = open.pop() {
            for to in 0..row.len() {
                if row[to] && !reached[to] && self.situation.model.is_called(from, to) {
                    reached[to] = true;
                    open.push(to);
                }
            }
        }
        reached
    }
}

/// How many services of a row are not at the edge.
fn adds(row: &[bool], edge: &[bool]) -> usize {
    row.iter().zip(edge).filter(|(there, at_edge)| **there && !**at_edge).count()
}

/// The services of every way without a circle from the gateway to a service.
fn paths(model: &AnalyticModel) -> BTreeSet<EdgeSet> {
    let mut found = BTreeSet::new();
    let mut row = vec![false; model.indices()];
    row[model.gateway()] = true;
    extend(model, model.gateway(), &mut row, &mut found);
    found
}

fn extend(model: &AnalyticModel, from: usize, row: &mut EdgeSet, found: &mut BTreeSet<EdgeSet>) {
    for to in 0..model.gateway() {
        if !row[to] && model.is_called(from, to) {
            row[to] = true;
            found.insert(row.clone());
            extend(model, to, row, found);
            row[to] = false;
        }
    }
}

/// How many calls away from an index the others are.
fn hops_from(model: &AnalyticModel, from: usize) -> Vec<Option<usize>> {
    let mut hops = vec![None; model.indices()];
    hops[from] = Some(0);
    let mut open = VecDeque::from([from]);
    while let Some(near) = open.pop_front() {
        for to in 0..model.indices() {
            if hops[to].is_none() && model.is_called(near, to) {
                hops[to] = hops[near].map(|hops| hops + 1);
                open.push_back(to);
            }
        }
    }
    hops
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{Purpose, draw};
    use crate::offloading::analytic_model::Prices;
    use meshsim_core::random::{Address, uniform};

    /// The gateway calls 0, which calls 1 half of the time and 2 at every second of those that call 1.
    #[test]
    fn sampled_requests_visit_what_may_be_called_together() {
        let mut calls = vec![vec![0.0; 4]; 4];
        calls[3][0] = 1.0;
        calls[0][1] = 0.5;
        calls[1][2] = 0.5;
        let free = Prices { cpu: 0.0, memory: 0.0 };
        let model = AnalyticModel {
            calls,
            response_bytes: vec![0.0; 4],
            internal_delay: vec![0.0; 8],
            round_trip: 0.1,
            bandwidth: 1e9,
            rate: 1.0,
            cpu_request: vec![1.0; 8],
            memory_request: vec![0.0; 8],
            cpu_target: vec![0.6; 8],
            cloud_prices: free,
            edge_prices: free,
            network_price: 0.0,
            floors_pods: false,
        };
        let mut numbers = draw(Address::root(1, 0), Purpose::Balance);
        let traces = sample_traces(&model, 200, &mut || uniform(&mut numbers));
        let row = |services: &[usize]| {
            let mut row = model.void_edge();
            services.iter().for_each(|&service| row[service] = true);
            row
        };
        let sets: Vec<EdgeSet> = traces.iter().map(|(row, _)| row.clone()).collect();
        assert_eq!(sets, [row(&[0]), row(&[0, 1]), row(&[0, 1, 2])]);
        assert_eq!(traces.iter().map(|(_, count)| count).sum::<u32>(), 200);
        assert_eq!(hops_from(&model, 3), [Some(1), Some(2), Some(3), Some(0)]);
        assert_eq!(paths(&model).len(), 3);
    }
}
