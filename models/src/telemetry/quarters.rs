//! How full the cells of a cluster were in each quarter of a run: whether requests pile up.

use crate::application::cell::Cell;
use meshsim_core::SimTime;

/// Readings at the ends of the quarters.
#[derive(Clone, Debug, Default)]
pub struct Quarters {
    /// By slot: time that requests were inside (ns), so far at each reading.
    read: Vec<[f64; 3]>,
    /// Ends so far.
    ended: usize,
}

impl Quarters {
    /// Of a cluster with so many pods.
    #[must_use]
    pub fn new(pods: usize) -> Self {
        Self { read: vec![[0.0; 3]; pods], ended: 0 }
    }

    /// A pod has the next slot from now on: nothing was inside before.
    pub(super) fn add_pod(&mut self) {
        self.read.push([0.0; 3]);
    }

    /// A quarter ends, but not the last: tells how many have.
    pub fn read(&mut self, cells: &[Cell], now: SimTime) -> u64 {
        for (read, cell) in self.read.iter_mut().zip(cells) {
            read[self.ended] = cell.occupancy.time_inside(now);
        }
        self.ended += 1;
        self.ended as u64
    }

    /// Requests in each cell, in the mean over each quarter of a run that is over.
    #[must_use]
    pub fn means(&self, cells: &[Cell], end: SimTime) -> Vec<[f64; 4]> {
        let quarter = end.as_nanos() as f64 / 4.0;
        let of_pod = |(&[first, second, third], cell): (&[f64; 3], &Cell)| {
            let last = cell.occupancy.time_inside(end);
            [first, second - first, third - second, last - third].map(|it| it / quarter)
        };
        self.read.iter().zip(cells).map(of_pod).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_over_the_time_that_they_were_inside() {
        let (mut cells, mut quarters) = ([Cell::new(1)], Quarters::new(1));
        let at = |seconds: u64| SimTime::from_nanos(seconds * 1_000_000_000);
        cells[0].occupancy.enter(at(5));
        quarters.read(&cells, at(10));
        cells[0].occupancy.enter(at(10));
        cells[0].occupancy.leave(at(15));
        quarters.read(&cells, at(20));
        // Its pod starts anew.
        cells[0].restart(at(25), 1);
        cells[0].occupancy.enter(at(29));
        quarters.read(&cells, at(30));
        assert_eq!(quarters.means(&cells, at(40)), [[0.5, 1.5, 0.6, 1.0]]);
    }
}
