//! The requests that a population's open loop brings to one cluster.
//!
//! # Models
//! A population's requests are one sequence, whoever asks. Where its users move, every cluster that
//! they visit follows the whole sequence and takes the requests of the users that are there: so
//! clusters need not tell each other, and request k comes to exactly one of them.

use super::arrivals::Clock;
use super::mobility::Whereabouts;
use super::population::Population;
use crate::draws::Draws;
use crate::ids::{ClusterId, PopulationId};
use meshsim_core::SimTime;

/// How far a cluster has followed a population.
#[derive(Clone, Debug)]
pub struct Stream {
    clock: Clock,
    /// Requests so far, those of other clusters included.
    count: u64,
    /// When the last one comes.
    at: SimTime,
}

/// What a stream follows.
#[derive(Clone, Copy, Debug)]
pub struct StreamSource<'a> {
    /// The population.
    pub population: &'a Population,
    /// Its id.
    pub id: PopulationId,
    /// The random numbers of the replication.
    pub draws: Draws,
    /// Where its users are, if they move.
    pub whereabouts: Option<&'a Whereabouts>,
    /// For which cluster.
    pub cluster: ClusterId,
    /// The end of the run.
    pub end: SimTime,
}

impl Stream {
    /// A stream before its first request.
    #[must_use]
    pub fn new(source: &StreamSource<'_>) -> Self {
        let own = source.draws.of_population(source.id);
        Self { clock: Clock::new(own, source.end), count: 0, at: SimTime::ZERO }
    }

    /// The number of the request that comes when [`Stream::advance`] last said.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.count - 1
    }

    /// Goes on to the next request of the cluster: when it comes. Nothing if none does before the end of
    /// the run, or in a closed loop.
    pub fn advance(&mut self, source: &StreamSource<'_>) -> Option<SimTime> {
        let users = source.population;
        loop {
            let address = source.draws.request(source.id, self.count);
            let at = users.arrivals.next(&mut self.clock, self.at, self.count, address)?;
            if at >= source.end {
                return None;
            }
            self.at = at;
            self.count += 1;
            let Some(whereabouts) = source.whereabouts else { return Some(at) };
            let user = users.arrivals.user(self.count - 1, address, users.users);
            if whereabouts.of(user, at) == source.cluster {
                return Some(at);
            }
        }
    }
}
