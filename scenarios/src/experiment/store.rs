//! Cells that are finished, in a file.
//!
//! # Models
//! The file begins with a line that says whose cells they are. Each cell is appended as it finishes, in one piece with
//! its length and a checksum: whatever ends the program, cells are there as a whole. A file that is opened again is read
//! up to the first record that is not whole and cut there. In memory are ids and offsets alone, forty bytes a cell.
//!
//! # Assumptions
//! What was handed to the operating system reaches the disk. Effect: a machine that loses power may lose cells that were
//! finished in the last seconds, never more than that.

use super::cell::CellId;
use crate::problem::{Problem, Problems};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh64::xxh64;

/// Whose cells they are: what must be the same for a run to go on with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Owner {
    /// Of meshsim.
    pub version: String,
    /// Of the scenario with its settings and files, before axes of a sweep change it.
    pub scenario_sha256: String,
}

/// Finished cells.
#[derive(Debug)]
pub struct CellStore {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// The file's length.
    end: u64,
    /// Offsets and lengths of the results.
    index: BTreeMap<CellId, (u64, u32)>,
    /// Why there will be no others.
    failed: Option<String>,
    /// Cells whose runs have failed.
    broken: BTreeMap<CellId, Broken>,
}

/// A run that has failed, and why: a model that breaks an invariant of its own panics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// Which of an experiment's comparisons it is of, as in `at 20ms`; empty if there is one.
    pub of: String,
    /// The strategy.
    pub strategy: String,
    /// Of which replication or pilot, as in `replication 3`.
    pub run: String,
    /// In words of the model.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, strategy, run, why } = self;
        let colon = if of.is_empty() { "" } else { ": " };
        write!(out, "{of}{colon}{run} of `{strategy}` failed: {why}")
    }
}

/// Before each result: the cell's id, the result's length and a checksum of both and of the result.
const HEAD: usize = CellId::BYTES + 4 + 8;

/// The first line is at most so long (bytes).
const OWNER_BYTES_MAX: u64 = 4096;

impl Owner {
    /// This version with a scenario of this hash.
    #[must_use]
    pub fn of(scenario_sha256: &str) -> Self {
        Self { version: env!("CARGO_PKG_VERSION").into(), scenario_sha256: scenario_sha256.into() }
    }

    /// What of them is another one's than this run's, in words.
    #[must_use]
    pub fn difference(&self, now: &Self) -> Option<String> {
        if self.version != now.version {
            return Some(format!("of version {}, and this is {}", self.version, now.version));
        }
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        let (then, now) = (&self.scenario_sha256, &now.scenario_sha256);
        (then != now).then(|| {
            format!(
                "of another scenario or other settings (SHA-256 {}..., now {}...)",
                short(then),
                short(now)
            )
        })
    }
}

impl CellStore {
    /// No cells yet, in an empty file that can be read and written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(mut file: File, owner: &Owner) -> io::Result<Self> {
        let line = serde_json::to_string(owner)? + "\n";
        file.write_all(line.as_bytes())?;
        Ok(Self::new(file, line.len() as u64, BTreeMap::new()))
    }

    /// No cells yet, in a file without a name that is gone when the program ends.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn temporary() -> io::Result<Self> {
        Self::create(tempfile::tempfile()?, &Owner::of(""))
    }

    /// Whether a file of cells has anything behind its first line: no cell is checked.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn is_used(file: &File) -> io::Result<bool> {
        let mut line = Vec::new();
        BufReader::new(file).take(OWNER_BYTES_MAX).read_until(b'\n', &mut line)?;
        Ok(file.metadata()?.len() > line.len() as u64)
    }

    /// The cells of a file that an earlier run has left, which can be read and written, and whose they are; nothing if it
    /// is no such file. What is not whole at its end is cut off.
    ///
    /// # Errors
    /// If it cannot be read or cut.
    pub fn open(mut file: File) -> io::Result<Option<(Owner, Self)>> {
        let length = file.metadata()?.len();
        let mut reader = BufReader::new(&mut file);
        let mut line = Vec::new();
        reader.by_ref().take(OWNER_BYTES_MAX).read_until(b'\n', &mut line)?;
        let Some(owner) = line.strip_suffix(b"\n").and_then(|it| serde_json::from_slice(it).ok()) else {
            return Ok(None);
        };
        let (mut index, mut end) = (BTreeMap::new(), line.len() as u64);
        let mut head = [0; HEAD];
        while end + HEAD as u64 <= length {
            reader.read_exact(&mut head)?;
            let record = RecordHead::of(&head);
            let begin = end + HEAD as u64;
            if begin + u64::from(record.length) > length {
                break;
            }
            let mut result = vec![0; record.length as usize];
            reader.read_exact(&mut result)?;
            if record.checksum != checksum(&head, &result) {
                break;
            }
            index.insert(record.id, (begin, record.length));
            end = begin + u64::from(record.length);
        }
        drop(reader);
        if end < length {
            file.set_len(end)?;
        }
        Ok(Some((owner, Self::new(file, end, index))))
    }

    fn new(file: File, end: u64, index: BTreeMap<CellId, (u64, u32)>) -> Self {
        Self { state: Mutex::new(State { file, end, index, failed: None, broken: BTreeMap::new() }) }
    }

    /// Writes all cells as a file of them, in the order of their ids.
    ///
    /// # Errors
    /// If one cannot be read or written.
    pub(crate) fn write_sorted(&self, to: &mut dyn Write) -> io::Result<()> {
        let mut state = self.state();
        let first = state.index.values().map(|(begin, _)| begin - HEAD as u64).min().unwrap_or(state.end);
        to.write_all(&state.read(0, first as usize)?)?;
        let records: Vec<(u64, u32)> = state.index.values().copied().collect();
        for (begin, length) in records {
            to.write_all(&state.read(begin - HEAD as u64, HEAD + length as usize)?)?;
        }
        Ok(())
    }

    /// Takes over the cells of another one.
    ///
    /// # Errors
    /// If one cannot be read or written.
    pub fn take_over(&self, other: &Self) -> io::Result<()> {
        let (mut state, mut other) = (self.state(), other.state());
        let records: Vec<(CellId, (u64, u32))> = other.index.iter().map(|(id, at)| (*id, *at)).collect();
        for (id, (begin, length)) in records {
            let record = other.read(begin - HEAD as u64, HEAD + length as usize)?;
            if !state.index.contains_key(&id) {
                state.append(id, length, &record)?;
            }
        }
        Ok(())
    }

    /// So many cells are there.
    #[must_use]
    pub fn count(&self) -> usize {
        self.state().index.len()
    }

    /// Why cells could not be written or read, if they could not: then none is finished any more.
    #[must_use]
    pub fn failure(&self) -> Option<Problems> {
        let failed = self.state().failed.clone();
        failed.map(|why| Problem::new(format!("cannot keep finished cells: {why}")).into())
    }

    /// The run of a cell has failed; the next program tries it again, this one does not.
    pub(super) fn breaks(&self, id: CellId, broken: Broken) {
        self.state().broken.insert(id, broken);
    }

    /// Whether the run of a cell has failed.
    pub(super) fn is_broken(&self, id: CellId) -> bool {
        self.state().broken.contains_key(&id)
    }

    /// The runs that have failed, in the order of their words.
    #[must_use]
    pub fn broken(&self) -> Vec<Broken> {
        let mut all: Vec<Broken> = self.state().broken.values().cloned().collect();
        all.sort_unstable();
        all
    }

    /// Whether a cell is there.
    pub(crate) fn holds(&self, id: CellId) -> bool {
        self.state().index.contains_key(&id)
    }

    /// The result of a cell that is there.
    pub(crate) fn get<T: DeserializeOwned>(&self, id: CellId) -> Option<T> {
        let mut state = self.state();
        let (begin, length) = *state.index.get(&id)?;
        let read = state.read(begin, length as usize).and_then(|result| {
            drop(state);
            postcard::from_bytes(&result).map_err(io::Error::other)
        });
        read.map_err(|error| self.fails(&error.to_string())).ok()
    }

    /// Keeps the result of a cell. False if it cannot be kept.
    pub(super) fn put<T: Serialize>(&self, id: CellId, result: &T) -> bool {
        let written = postcard::to_extend(result, vec![0; HEAD]).map_err(io::Error::other);
        let appended = written.and_then(|mut bytes| {
            let length = u32::try_from(bytes.len() - HEAD).map_err(io::Error::other)?;
            RecordHead::write(id, length, &mut bytes);
            self.state().append(id, length, &bytes)
        });
        appended.map_err(|error| self.fails(&error.to_string())).is_ok()
    }

    fn fails(&self, why: &str) {
        self.state().failed.get_or_insert_with(|| why.to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Who panicked has put down a whole record or none: the index is told of it last.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, id: CellId, length: u32, record: &[u8]) -> io::Result<()> {
        if let Some(why) = &self.failed {
            return Err(io::Error::other(why.clone()));
        }
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(record)?;
        self.index.insert(id, (self.end + HEAD as u64, length));
        self.end += record.len() as u64;
        Ok(())
    }

    fn read(&mut self, begin: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut result = vec![0; length];
        self.file.seek(SeekFrom::Start(begin))?;
        self.file.read_exact(&mut result)?;
        Ok(result)
    }
}

/// What stands before a result.
struct RecordHead {
    id: CellId,
    length: u32,
    checksum: u64,
}

impl RecordHead {
    fn of(bytes: &[u8; HEAD]) -> Self {
        let mut id = [0; CellId::BYTES];
        let (mut length, mut checksum) = ([0; 4], [0; 8]);
        id.copy_from_slice(&bytes[..CellId::BYTES]);
        length.copy_from_slice(&bytes[CellId::BYTES..][..4]);
        checksum.copy_from_slice(&bytes[CellId::BYTES + 4..]);
        Self {
            id: CellId::from_bytes(id),
            length: u32::from_le_bytes(length),
            checksum: u64::from_le_bytes(checksum),
        }
    }

    /// Fills the head of a record whose result is already there.
    fn write(id: CellId, length: u32, record: &mut [u8]) {
        record[..CellId::BYTES].copy_from_slice(&id.to_bytes());
        record[CellId::BYTES..][..4].copy_from_slice(&length.to_le_bytes());
        let sum = checksum(&record[..HEAD], &record[HEAD..]);
        record[CellId::BYTES + 4..HEAD].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Of a cell's id, the length of its result, and the result.
fn checksum(head: &[u8], result: &[u8]) -> u64 {
    xxh64(result, xxh64(&head[..CellId::BYTES + 4], 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> CellId {
        CellId::from_bytes([number; CellId::BYTES])
    }

    fn written() -> (tempfile::NamedTempFile, Vec<u64>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = CellStore::create(file.reopen().unwrap(), &Owner::of("abc")).unwrap();
        let mut ends = vec![store.state().end];
        for number in 1..=3 {
            assert!(store.put(id(number), &vec![f64::from(number), f64::NAN, -0.0]));
            ends.push(store.state().end);
        }
        (file, ends)
    }

    fn reopened(file: &tempfile::NamedTempFile) -> CellStore {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(file.path()).unwrap();
        let (owner, store) = CellStore::open(file).unwrap().unwrap();
        assert_eq!(owner, Owner::of("abc"));
        store
    }

    #[test]
    fn what_was_kept_is_there_to_the_bit() {
        let (file, _) = written();
        let store = reopened(&file);
        let bits = |it: Vec<f64>| it.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(store.get(id(2)).unwrap()), bits(vec![2.0, f64::NAN, -0.0]));
        assert!(store.holds(id(3)) && !store.holds(id(4)) && store.get::<Vec<f64>>(id(4)).is_none());
        assert!(store.put(id(4), &vec![4.0]));
        assert_eq!(reopened(&file).get::<Vec<f64>>(id(4)), Some(vec![4.0]));
    }

    /// As a program leaves it that is killed while it writes: at every byte.
    #[test]
    fn a_file_that_was_cut_anywhere_has_its_whole_cells() {
        let (file, ends) = written();
        let bytes = std::fs::read(file.path()).unwrap();
        for cut in ends[0]..=ends[3] {
            std::fs::write(file.path(), &bytes[..cut as usize]).unwrap();
            let store = reopened(&file);
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!(store.count(), whole, "{cut}");
            // The next one takes the room of what was not whole.
            assert!(store.put(id(9), &vec![9.0]));
            assert_eq!(reopened(&file).count(), whole + 1, "{cut}");
        }
    }

    #[test]
    fn a_cell_of_which_a_bit_is_another_one_is_none() {
        let (file, ends) = written();
        let good = std::fs::read(file.path()).unwrap();
        for at in ends[1]..ends[2] {
            let mut bytes = good.clone();
            bytes[at as usize] ^= 4;
            std::fs::write(file.path(), &bytes).unwrap();
            assert_eq!(reopened(&file).count(), 1, "{at}");
        }
        std::fs::write(file.path(), "no cells\n").unwrap();
        assert!(CellStore::open(file.reopen().unwrap()).unwrap().is_none());
    }

    #[test]
    fn cells_are_taken_over_and_written_in_one_order() {
        let (file, _) = written();
        let sorted = |store: &CellStore| {
            let mut bytes = Vec::new();
            store.write_sorted(&mut bytes).unwrap();
            bytes
        };
        let all = CellStore::create(tempfile::tempfile().unwrap(), &Owner::of("abc")).unwrap();
        for number in [3, 1] {
            assert!(all.put(id(number), &vec![f64::from(number), f64::NAN, -0.0]));
        }
        all.take_over(&reopened(&file)).unwrap();
        assert_eq!((all.count(), sorted(&all)), (3, sorted(&reopened(&file))));
        assert_eq!(all.get::<Vec<f64>>(id(2)).unwrap()[0], 2.0);
    }

    #[test]
    fn owners_differ_in_words() {
        let now = Owner::of("abc");
        assert_eq!(now.difference(&now), None);
        let older = Owner { version: "0.0.1".into(), ..now.clone() };
        assert!(older.difference(&now).unwrap().starts_with("of version 0.0.1, and this is "));
        assert!(Owner::of("xyz").difference(&now).unwrap().contains("another scenario"));
    }
}
