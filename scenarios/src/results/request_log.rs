//! `requests.csv`: a row per user request, kept on the disk while the runs go on.
//!
//! # Models
//! Requests are over in another order than they are written in, and runs go on beside each other. Each run sorts what
//! is over by arrival, some thousands at a time, and appends them as a *stretch* to one file without a name; at the
//! end the stretches of a run are merged. So memory holds what is open, one stretch per run, and, while it is
//! merged, a little of each stretch that overlaps another.

use super::csv::Csv;
use crate::experiment::groups::{Groups, kind_name};
use crate::resolve::Resolved;
use meshsim_core::{Id, SimTime};
use meshsim_models::ids::{EndpointId, PopulationId};
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::telemetry::work::Work;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A stretch has so many requests.
const STRETCH: usize = 20_000;

/// So many requests of a stretch are read at a time.
const READ: usize = 256;

/// All requests of an experiment.
#[derive(Debug)]
pub struct RequestLog {
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    file: File,
    /// Requests in the file.
    count: u64,
    /// By replication and index of the strategy.
    stretches: BTreeMap<(u32, usize), Vec<Stretch>>,
    /// Why it is not whole.
    failed: Option<io::Error>,
}

/// Requests of a run that are sorted, by their indices in the file.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: Order,
    begins: u64,
    ends: u64,
}

/// The index of a request among those of its run.
type Order = (SimTime, PopulationId, u32);

impl RequestLog {
    /// A log in an empty file.
    #[must_use]
    pub fn new(file: File) -> Self {
        let written = Written { file, count: 0, stretches: BTreeMap::new(), failed: None };
        Self { written: Mutex::new(written) }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        // Who panicked has left a whole stretch or none: the list is told of it last.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all rows of these replications, in their order, and among these of the strategies.
    pub(super) fn write(
        &self,
        csv: &mut Csv<'_>,
        strategies: &[Resolved],
        replications: impl Iterator<Item = u32>,
    ) -> csv::Result<()> {
        // A column for what is requested, where that is not always the same.
        // One for how often users sent it, where they try again.
        let tries_again = |it: &Resolved| it.description.populations.iter().any(|it| it.retries.is_some());
        let has_attempts = strategies.iter().any(tries_again);
        let has_kinds = strategies.iter().any(|it| Groups::new(&it.description).kinds().next().is_some());
        let (who, what) = HEAD.split_at(OF_WHOM);
        let names = who.iter().chain(has_kinds.then_some(&"request")).chain(what);
        csv.write_record(names.chain(has_attempts.then_some(&"attempts")))?;
        let mut written = self.written();
        if let Some(error) = written.failed.take() {
            return Err(error.into());
        }
        for replication in replications {
            for (index, strategy) in strategies.iter().enumerate() {
                let stretches = written.stretches.remove(&(replication, index)).unwrap_or_default();
                let mut merge = Merge::new(stretches);
                while let Some(it) = merge.next(&mut written.file)? {
                    let population = &strategy.description.populations[it.population as usize].name;
                    let head = [strategy.strategy.clone(), replication.to_string(), population.clone()];
                    let kind = || kind_name(&strategy.description, EndpointId(it.endpoint));
                    let cells = head.into_iter().chain(has_kinds.then(kind)).chain(it.cells());
                    csv.write_record(cells.chain(has_attempts.then(|| it.attempts.to_string())))?;
                }
            }
        }
        Ok(())
    }
}

/// The requests of one run.
pub(crate) struct CellLog<'a> {
    log: &'a RequestLog,
    cell: (u32, usize),
    /// Not written yet.
    rows: Vec<Request>,
}

impl<'a> CellLog<'a> {
    /// Of a strategy, by its index, in a replication.
    pub(crate) fn new(log: &'a RequestLog, replication: u32, strategy: usize) -> Self {
        Self { log, cell: (replication, strategy), rows: Vec::new() }
    }

    /// A request is over, or was open at the end of the run.
    pub(crate) fn add(&mut self, row: &RequestRow, work: &Work) {
        self.rows.push(Request::new(row, work));
        if self.rows.len() >= STRETCH {
            self.write();
        }
    }

    /// There are no others. Whether all could be written is said when they are read.
    pub(crate) fn finish(mut self) {
        self.write();
    }

    /// Memory that it takes (bytes).
    pub(crate) fn bytes(&self) -> usize {
        self.rows.capacity() * (size_of::<Request>() + Request::BYTES)
    }

    fn write(&mut self) {
        self.rows.sort_unstable_by_key(Request::order);
        let Some(first) = self.rows.first().map(Request::order) else { return };
        let bytes: Vec<u8> = self.rows.iter().copied().flat_map(Request::to_bytes).collect();
        let count = self.rows.len() as u64;
        self.rows.clear();
        let mut written = self.log.written();
        if written.failed.is_some() {
            return;
        }
        match written.file.write_all(&bytes) {
            Err(error) => written.failed = Some(error),
            Ok(()) => {
                let stretch = Stretch { first, begins: written.count, ends: written.count + count };
                written.count += count;
                written.stretches.entry(self.cell).or_default().push(stretch);
            }
        }
    }
}

/// The stretches of a run, of which those that overlap are read side by side.
struct Merge {
    /// Those that are not begun, the first one last.
    later: Vec<Stretch>,
    begun: BinaryHeap<Reverse<(Order, usize)>>,
    /// Rows that are read, and what is left in the file.
    readers: Vec<(VecDeque<Request>, Stretch)>,
}

impl Merge {
    fn new(mut stretches: Vec<Stretch>) -> Self {
        stretches.sort_unstable_by_key(|it| Reverse(it.first));
        Self { later: stretches, begun: BinaryHeap::new(), readers: Vec::new() }
    }

    fn next(&mut self, file: &mut File) -> io::Result<Option<Request>> {
        while let Some(next) = self.later.last()
            && self.begun.peek().is_none_or(|Reverse((order, _))| next.first <= *order)
        {
            let stretch = *next;
            self.later.pop();
            self.begun.push(Reverse((stretch.first, self.readers.len())));
            self.readers.push((VecDeque::new(), stretch));
        }
        let Some(Reverse((_, index))) = self.begun.pop() else { return Ok(None) };
        let (rows, stretch) = &mut self.readers[index];
        if rows.is_empty() {
            stretch.read(file, rows)?;
        }
        let row = rows.pop_front();
        if rows.is_empty() {
            stretch.read(file, rows)?;
        }
        match rows.front() {
            Some(next) => self.begun.push(Reverse((next.order(), index))),
            // It is done: its room is given back.
            None => *rows = VecDeque::new(),
        }
        Ok(row)
    }
}

impl Stretch {
    /// Reads the next rows, if there are any.
    fn read(&mut self, file: &mut File, rows: &mut VecDeque<Request>) -> io::Result<()> {
        let count = (self.ends - self.begins).min(READ as u64);
        let mut bytes = vec![0; count as usize * Request::BYTES];
        file.seek(SeekFrom::Start(self.begins * Request::BYTES as u64))?;
        file.read_exact(&mut bytes)?;
        self.begins += count;
        rows.extend(bytes.chunks_exact(Request::BYTES).map(Request::from_bytes));
        Ok(())
    }
}

/// What is written of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Request {
    arrival: u64,
    population: u32,
    number: u32,
    endpoint: u32,
    /// Latency (ns), status and flag; without an end the request was in flight.
    end: Option<(u64, u16, [u8; 2])>,
    calls: u64,
    crossings: u64,
    returns: u64,
    retries: u64,
    body: u64,
    demand_us: u64,
    tree: u32,
    /// How often its user has sent it.
    attempts: u8,
}

/// So many columns say whose request it is.
const OF_WHOM: usize = 3;

/// The names of the columns.
const HEAD: [&str; 15] = [
    "strategy",
    "replication",
    "population",
    "number",
    "arrival_s",
    "latency_ms",
    "status",
    "flag",
    "calls",
    "crossings",
    "returns",
    "retries",
    "body_bytes",
    "demand_us",
    "call_tree",
];

impl Request {
    /// In the file.
    const BYTES: usize = 86;

    fn new(row: &RequestRow, work: &Work) -> Self {
        let end = row.end.map(|end| {
            let flag = end.status.flag().as_bytes();
            // A flag has two letters or none.
            let flag = [flag.first(), flag.get(1)].map(|letter| letter.copied().unwrap_or(0));
            (end.latency.as_nanos(), end.status.code(), flag)
        });
        Self {
            arrival: row.arrival.as_nanos(),
            population: row.population.0,
            number: row.number,
            endpoint: row.endpoint.0,
            end,
            calls: work.calls,
            crossings: work.crossings,
            returns: work.returns,
            retries: work.retries,
            body: work.body,
            demand_us: (work.cpu_nanos / 1e3).round() as u64,
            tree: work.tree,
            attempts: row.attempts,
        }
    }

    fn order(&self) -> Order {
        (SimTime::from_nanos(self.arrival), PopulationId::from_index(self.population as usize), self.number)
    }

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let (latency, code, flag) = self.end.unwrap_or_default();
        let parts: [&[u8]; 16] = [
            &self.arrival.to_le_bytes(),
            &self.population.to_le_bytes(),
            &self.number.to_le_bytes(),
            &self.endpoint.to_le_bytes(),
            &[u8::from(self.end.is_some())],
            &latency.to_le_bytes(),
            &code.to_le_bytes(),
            &flag,
            &self.calls.to_le_bytes(),
            &self.crossings.to_le_bytes(),
            &self.returns.to_le_bytes(),
            &self.retries.to_le_bytes(),
            &self.body.to_le_bytes(),
            &self.demand_us.to_le_bytes(),
            &self.tree.to_le_bytes(),
            &[self.attempts],
        ];
        let mut bytes = [0; Self::BYTES];
        let mut rest = &mut bytes[..];
        for part in parts {
            let (index, after) = rest.split_at_mut(part.len());
            index.copy_from_slice(part);
            rest = after;
        }
        bytes
    }

    /// Of as many bytes as [`Self::to_bytes`] gives.
    fn from_bytes(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let arrival = u64::from_le_bytes(take(&mut rest));
        let population = u32::from_le_bytes(take(&mut rest));
        let number = u32::from_le_bytes(take(&mut rest));
        let endpoint = u32::from_le_bytes(take(&mut rest));
        let [has_ended] = take(&mut rest);
        let latency = u64::from_le_bytes(take(&mut rest));
        let (code, flag) = (u16::from_le_bytes(take(&mut rest)), take(&mut rest));
        let [calls, crossings, returns, retries, body, demand_us] =
            [(); 6].map(|()| u64::from_le_bytes(take(&mut rest)));
        let tree = u32::from_le_bytes(take(&mut rest));
        let [attempts] = take(&mut rest);
        let end = (has_ended == 1).then_some((latency, code, flag));
        Self {
            arrival,
            population,
            number,
            endpoint,
            end,
            calls,
            crossings,
            returns,
            retries,
            body,
            demand_us,
            tree,
            attempts,
        }
    }

    /// From its number on. The counts are all that was done for it until the end of the run, whoever waited for that:
    /// tries that were given up, copies for mirrors and what a dead caller had asked for too.
    fn cells(&self) -> impl Iterator<Item = String> {
        let sent = [self.number.to_string(), SimTime::from_nanos(self.arrival).as_secs_f64().to_string()];
        let end = self.end.map_or([const { String::new() }; 3], |(latency, code, flag)| {
            let flag = flag.into_iter().filter(|&letter| letter != 0).map(char::from).collect();
            [(latency as f64 / 1e6).to_string(), code.to_string(), flag]
        });
        let counts = [self.calls, self.crossings, self.returns, self.retries, self.body, self.demand_us];
        let done = counts.map(|count| count.to_string()).into_iter().chain([format!("{:08x}", self.tree)]);
        sent.into_iter().chain(end).chain(done)
    }
}

/// The first bytes of what is left.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (first, after) = rest.split_first_chunk().expect("a request has so many bytes");
    *rest = after;
    *first
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::SimDuration;
    use meshsim_models::request::answer::Status;
    use meshsim_models::telemetry::request_log::RequestEnd;
    use proptest::prelude::*;

    fn row(arrival: u64, number: u32) -> RequestRow {
        RequestRow {
            population: PopulationId(number % 3),
            number,
            endpoint: EndpointId(number % 4),
            arrival: SimTime::from_nanos(arrival),
            attempts: 1 + number as u8 % 3,
            end: (!number.is_multiple_of(5)).then(|| RequestEnd {
                latency: SimDuration::from_nanos(arrival / 2),
                status: if number.is_multiple_of(2) { Status::Ok } else { Status::Timeout },
            }),
        }
    }

    fn merged(log: &RequestLog, cell: (u32, usize)) -> Vec<Request> {
        let mut written = log.written();
        let mut merge = Merge::new(written.stretches.remove(&cell).unwrap());
        std::iter::from_fn(|| merge.next(&mut written.file).unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// Two runs whose stretches lie between each other, of arrivals in any order.
        #[test]
        fn requests_come_back_in_the_order_of_their_arrival(
            arrivals in prop::collection::vec(0..1_000_000_u64, 0..STRETCH * 2 + 100),
        ) {
            let log = RequestLog::new(tempfile::tempfile().unwrap());
            let work = Work { calls: 3, cpu_nanos: 1_499.0, tree: 0xabc, ..Work::default() };
            let mut cells = [CellLog::new(&log, 1, 0), CellLog::new(&log, 0, 1)];
            let mut expected = [Vec::new(), Vec::new()];
            for (number, &arrival) in (0_u32..).zip(&arrivals) {
                let (which, row) = (usize::from(number.is_multiple_of(7)), row(arrival, number));
                cells[which].add(&row, &work);
                expected[which].push(Request::new(&row, &work));
            }
            let ids = cells.each_ref().map(|it| it.cell);
            cells.into_iter().for_each(CellLog::finish);
            for (cell, mut rows) in ids.into_iter().zip(expected).filter(|(_, rows)| !rows.is_empty()) {
                rows.sort_unstable_by_key(Request::order);
                prop_assert_eq!(merged(&log, cell), rows);
            }
        }
    }

    #[test]
    fn a_row_reads_as_people_write_it() {
        let row = RequestRow {
            population: PopulationId(0),
            number: 7,
            endpoint: EndpointId(0),
            arrival: SimTime::from_nanos(1_500_000_000),
            attempts: 2,
            end: Some(RequestEnd { latency: SimDuration::from_micros(30_250), status: Status::Overflow }),
        };
        let work =
            Work { calls: 3, crossings: 2, body: 900, cpu_nanos: 1_500.0, tree: 0xabc, ..Work::default() };
        let cells: Vec<String> = Request::new(&row, &work).cells().collect();
        assert_eq!(cells.join(","), "7,1.5,30.25,503,UO,3,2,0,0,900,2,00000abc");
        let open = Request::new(&RequestRow { end: None, ..row }, &Work::default());
        assert_eq!(open.cells().collect::<Vec<_>>().join(","), "7,1.5,,,,0,0,0,0,0,0,00000000");
        assert_eq!(Request::from_bytes(&open.to_bytes()), open);
    }
}
