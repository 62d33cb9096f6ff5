//! What users' requests take: counted where it is done, whoever still waits for the answer.
//!
//! # Models
//! Every cluster counts what is done in it: calls that its cells answered, CPU time that they were given, and
//! what its clients' attempts and its servers' responses took on their way. It is counted at the moment at
//! which it is done, so work whose answer nobody waits for (after a time-out, for a mirror, for a caller that
//! has died) counts as any other, and sums over requests are sums over pods and links.
//! If it is asked for, every piece is also put down to the user request that it is done for: a cluster that a
//! request reaches opens an entry for it, which all that follows there is added to. Entries of requests for which nothing
//! is done any more are taken, and their slots used again.
//!
//! # Assumptions
//! CPU time counts when a cell is given it, before it is used; what a dying pod had not used yet is taken back.

use crate::ids::PopulationId;
use meshsim_core::growing_bytes;
use std::ops::AddAssign;
use std::sync::Arc;

/// What was done for one user request or many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Calls that a cell has answered.
    pub calls: u64,
    /// Attempts whose endpoint was in another cluster than the client.
    pub crossings: u64,
    /// Crossings into a cluster that was already on the path.
    pub returns: u64,
    /// Further attempts of clients.
    pub retries: u64,
    /// TCP rounds beyond the first that responses between clusters took, each a round trip.
    pub rounds: u64,
    /// Time that attempts waited for a connection, those that got none included (ns).
    pub connect_nanos: u64,
    /// Bodies made (bytes).
    pub body: u64,
    /// CPU time of the cells (ns).
    pub cpu_nanos: f64,
    /// Bodies that crossed between clusters (bytes).
    pub cross_payload: u64,
    /// Everything that crossed between clusters, headers and tunnel included (bytes).
    pub cross_wire: u64,
    /// Combines the addresses of all calls answered, in any order: equal for equal trees.
    pub tree: u32,
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.crossings += other.crossings;
        self.returns += other.returns;
        self.retries += other.retries;
        self.rounds += other.rounds;
        self.connect_nanos += other.connect_nanos;
        self.body += other.body;
        self.cpu_nanos += other.cpu_nanos;
        self.cross_payload += other.cross_payload;
        self.cross_wire += other.cross_wire;
        self.tree ^= other.tree;
    }
}

/// A user request, wherever it is worked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId {
    /// Whose request it is.
    pub population: PopulationId,
    /// The k-th of its population.
    pub number: u32,
}

impl RequestId {
    /// Where nobody asks whose work it is.
    const UNKNOWN: Self = Self { population: PopulationId(u32::MAX), number: 0 };
}

/// What a hop or a call is put down to: an entry of its cluster's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkId(u32);

impl WorkId {
    /// Of a request whose work is not kept, where that of others is.
    const NONE: Self = Self(u32::MAX);
}

/// What a cluster did for each request. Empty if nobody asks for that.
#[derive(Clone, Debug, Default)]
pub struct WorkLog {
    keeps: Keeps,
    entries: Vec<(RequestId, Work)>,
    /// Slots of entries that were taken.
    free: Vec<u32>,
}

/// Whose work is kept.
#[derive(Clone, Debug, Default)]
enum Keeps {
    #[default]
    Nothing,
    Everything,
    /// That of these requests, in ascending order.
    These(Arc<[RequestId]>),
}

impl WorkLog {
    /// A log that is kept.
    #[must_use]
    pub fn kept() -> Self {
        Self { keeps: Keeps::Everything, ..Self::default() }
    }

    /// A log that is kept of these requests alone, which are in ascending order.
    #[must_use]
    pub fn kept_of(chosen: Arc<[RequestId]>) -> Self {
        Self { keeps: Keeps::These(chosen), ..Self::default() }
    }

    /// Work for a request begins in this cluster.
    ///
    /// # Panics
    /// If there are more than 2^32 entries at a time.
    pub fn begin(&mut self, request: RequestId) -> WorkId {
        if !self.keeps(request) {
            return WorkId::NONE;
        }
        if let Some(slot) = self.free.pop() {
            self.entries[slot as usize] = (request, Work::default());
            return WorkId(slot);
        }
        self.entries.push((request, Work::default()));
        WorkId(u32::try_from(self.entries.len() - 1).expect("at most 2^32 entries"))
    }

    /// The request of an entry, if the log is kept.
    #[must_use]
    pub fn request(&self, id: WorkId) -> RequestId {
        self.entries.get(id.0 as usize).map_or(RequestId::UNKNOWN, |(request, _)| *request)
    }

    /// Whether the work of a request is kept.
    #[must_use]
    pub fn keeps(&self, request: RequestId) -> bool {
        match &self.keeps {
            Keeps::Nothing => false,
            Keeps::Everything => true,
            Keeps::These(chosen) => chosen.binary_search(&request).is_ok(),
        }
    }

    /// The request of an entry, if its work is kept.
    #[must_use]
    pub fn kept_request(&self, id: WorkId) -> Option<RequestId> {
        Some(self.request(id)).filter(|request| *request != RequestId::UNKNOWN)
    }

    /// What was done so far, if the log is kept.
    pub fn get_mut(&mut self, id: WorkId) -> Option<&mut Work> {
        self.entries.get_mut(id.0 as usize).map(|(_, work)| work)
    }

    /// Memory that it takes, with what it takes next if it is nearly full (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        growing_bytes(self.entries.len(), self.entries.capacity(), size_of::<(RequestId, Work)>())
    }

    /// All entries that were not taken; a request may have several.
    pub fn entries(&self) -> impl Iterator<Item = &(RequestId, Work)> {
        self.entries.iter().filter(|(request, _)| *request != RequestId::UNKNOWN)
    }

    /// Takes the entries that `each` accepts. Nobody may add to them any more.
    pub fn take(&mut self, mut each: impl FnMut(RequestId, &Work) -> bool) {
        for (slot, (request, work)) in (0_u32..).zip(&mut self.entries) {
            if *request != RequestId::UNKNOWN && each(*request, work) {
                *request = RequestId::UNKNOWN;
                self.free.push(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIRD: RequestId = RequestId { population: PopulationId(1), number: 3 };

    #[test]
    fn work_is_put_down_to_its_request() {
        let mut log = WorkLog::kept();
        log.begin(RequestId { number: 0, ..THIRD });
        let third = log.begin(THIRD);
        log.get_mut(third).unwrap().calls += 2;
        assert_eq!(log.request(third), THIRD);
        let calls: Vec<_> = log.entries().map(|(request, work)| (request.number, work.calls)).collect();
        assert_eq!(calls, [(0, 0), (3, 2)]);
    }

    #[test]
    fn the_place_of_an_entry_that_was_taken_is_used_again() {
        let mut log = WorkLog::kept();
        let first = log.begin(RequestId { number: 0, ..THIRD });
        log.begin(THIRD);
        log.take(|request, _| request != THIRD);
        assert_eq!(log.entries().map(|(request, _)| *request).collect::<Vec<_>>(), [THIRD]);
        let again = log.begin(RequestId { number: 7, ..THIRD });
        assert_eq!((again, log.request(again).number, log.entries().count()), (first, 7, 2));
    }

    #[test]
    fn a_log_of_some_requests_keeps_those_alone() {
        let mut log = WorkLog::kept_of(Arc::new([THIRD]));
        let other = log.begin(RequestId { number: 0, ..THIRD });
        let third = log.begin(THIRD);
        assert!(log.get_mut(other).is_none() && log.kept_request(other).is_none());
        assert!(log.get_mut(third).is_some() && log.kept_request(third) == Some(THIRD));
        assert_eq!(log.entries().count(), 1);
    }

    #[test]
    fn a_log_that_nobody_asks_for_keeps_nothing() {
        let mut log = WorkLog::default();
        let id = log.begin(THIRD);
        assert!(log.get_mut(id).is_none() && log.entries().next().is_none());
    }
}
