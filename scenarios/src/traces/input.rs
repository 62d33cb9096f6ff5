//! The bytes of a file: unpacked, counted, and never more of them at once than is bearable.
//!
//! # Models
//! A file is read once, from its start to its end. It may be gzip, whatever its name. How much of it
//! has been read is told now and then. Who takes bytes says when a record is complete; a record that
//! does not end within a limit ends the reading.

use crate::problem::Problem;
use flate2::bufread::GzDecoder;
use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

/// The longest line, give or take a buffer (bytes).
pub(super) const MAX_LINE: usize = 1 << 20;

/// The longest element of an XML or JSON document, give or take a buffer (bytes).
pub(super) const MAX_ELEMENT: usize = 16 << 20;

/// Size of each buffer (bytes); as much is looked at to tell a format.
pub(super) const BUFFER: usize = 64 << 10;

/// How far reading a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Read so far (bytes of the file as it is, packed or not).
    pub read: u64,
    /// In all (bytes); 0 if the file has no length, as a pipe.
    pub total: u64,
}

/// Opens a file for reading; a directory, which could be opened too, is refused.
pub(crate) fn open(path: &Path) -> Result<File, Problem> {
    let name = path.display();
    let unreadable = |error| Problem::new(format!("{name}: cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(Problem::new(format!("{name}: is a directory")).help("name a file in it"));
    }
    Ok(file)
}

/// What of a stream has been handed out.
pub(super) struct Meter {
    /// The line of the next byte, from 1.
    line: Cell<u64>,
    /// Handed out since the last record was complete (bytes).
    since: Cell<usize>,
    /// The longest record (bytes).
    most: Cell<usize>,
}

impl Meter {
    /// The line of the next byte, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line.get()
    }

    /// A record is complete.
    pub(super) fn complete(&self) {
        self.since.set(0);
    }

    /// Sets how long a record may be (bytes).
    pub(super) fn limit(&self, most: usize) {
        self.most.set(most);
    }
}

/// The content of a file. It has a buffer of its own, because JSON is taken byte by byte.
pub(super) struct Content<'a> {
    inner: Box<dyn Read + 'a>,
    buffer: Box<[u8]>,
    /// What of the buffer has been filled, and not been taken.
    filled: Range<usize>,
    meter: Rc<Meter>,
    /// What follows gzip data and is none (bytes).
    trailing: Rc<Cell<u64>>,
}

impl<'a> Content<'a> {
    /// Opens a file, unpacks it if it is gzip, and tells `progress` how much has been read.
    pub(super) fn open(path: &Path, progress: &'a dyn Fn(Progress)) -> Result<Self, Problem> {
        let file = open(path)?;
        let total = file.metadata().map_or(0, |data| data.len());
        let counted = Counted { inner: file, read: 0, told: 0, total, progress };
        Self::new(counted).map_err(|error| unreadable(path, &error))
    }

    fn new(file: impl Read + 'a) -> io::Result<Self> {
        let trailing = Rc::new(Cell::new(0));
        let mut file = BufReader::with_capacity(BUFFER, file);
        let is_gzip = file.fill_buf()?.starts_with(&GZIP_MAGIC);
        let inner: Box<dyn Read + 'a> =
            if is_gzip { Box::new(Gzip::new(file, Rc::clone(&trailing))) } else { Box::new(file) };
        let meter = Meter { line: Cell::new(1), since: Cell::new(0), most: Cell::new(MAX_LINE) };
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Ok(Self { inner, buffer, filled: 0..0, meter: Rc::new(meter), trailing })
    }

    /// How many bytes after its gzip data are left out, as far as it has been read.
    pub(super) fn trailing(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.trailing)
    }

    pub(super) fn meter(&self) -> Rc<Meter> {
        Rc::clone(&self.meter)
    }

    /// Its beginning, up to a buffer, before anything is taken; the bytes stay.
    pub(super) fn beginning(&mut self) -> io::Result<&[u8]> {
        while self.filled.end < self.buffer.len() {
            let count = read_some(&mut self.inner, &mut self.buffer[self.filled.end..])?;
            if count == 0 {
                break;
            }
            self.filled.end += count;
        }
        Ok(&self.buffer[self.filled.clone()])
    }

    /// Reads the next line into `line`, without its end; false if there is none.
    pub(super) fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        self.meter.complete();
        loop {
            let part = self.fill_buf()?;
            if part.is_empty() {
                return Ok(!line.is_empty());
            }
            let end = part.iter().position(|&byte| byte == b'\n');
            line.extend_from_slice(&part[..end.unwrap_or(part.len())]);
            let count = end.map_or(part.len(), |at| at + 1);
            self.consume(count);
            if end.is_some() {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(true);
            }
        }
    }
}

impl BufRead for Content<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let most = self.meter.most.get();
        if self.meter.since.get() > most {
            return Err(io::Error::other(TooLong(most)));
        }
        if self.filled.is_empty() {
            self.filled = 0..read_some(&mut self.inner, &mut self.buffer)?;
        }
        Ok(&self.buffer[self.filled.clone()])
    }

    fn consume(&mut self, count: usize) {
        let end = self.filled.end.min(self.filled.start + count);
        let taken = &self.buffer[self.filled.start..end];
        let lines = taken.iter().filter(|&&byte| byte == b'\n').count();
        self.meter.line.set(self.meter.line.get() + lines as u64);
        self.meter.since.set(self.meter.since.get() + taken.len());
        self.filled.start = end;
    }
}

/// Reads into a buffer, whatever interrupts it; 0 at the end.
fn read_some(inner: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match inner.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let part = self.fill_buf()?;
        let count = part.len().min(buffer.len());
        buffer[..count].copy_from_slice(&part[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// A record does not end.
#[derive(Debug)]
struct TooLong(usize);

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is longer than {} bytes", self.0)
    }
}

impl std::error::Error for TooLong {}

/// The limit that a record exceeded, if that is the error.
pub(super) fn too_long(error: &io::Error) -> Option<usize> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<TooLong>()).map(|error| error.0)
}

/// A problem of a file, without a line.
pub(super) fn problem_of(path: &Path, what: impl fmt::Display) -> Problem {
    Problem::new(format!("{}: {what}", path.display()))
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(format!("{}: cannot be read: {error}", path.display()))
}

/// An error of reading at a line: one that is too long, or a file that cannot be read.
pub(super) fn unreadable_at(path: &Path, line: u64, error: &io::Error) -> Problem {
    match too_long(error) {
        Some(most) => Problem::new(format!("{}: line {line} is longer than {most} bytes", path.display()))
            .help("is it of the format that it is read as?"),
        None => unreadable(path, error),
    }
}

/// A file that tells how much of it has been read.
struct Counted<'a> {
    inner: File,
    read: u64,
    told: u64,
    total: u64,
    progress: &'a dyn Fn(Progress),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const STEP: u64 = 1 << 20;
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        if self.read - self.told >= STEP {
            self.told = self.read;
            (self.progress)(Progress { read: self.read, total: self.total });
        }
        Ok(count)
    }
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What a part of a gzip file is read from: its first bytes, if they have been looked at, and the file.
type Part<R> = Chain<Cursor<Vec<u8>>, R>;

/// A decompressor of one or more parts of gzip data after each other. What follows them and is no gzip is counted,
/// unless it is zeros, with which tapes and blocks are filled; so does `gzip -d`.
struct Gzip<R> {
    /// None after the last part.
    part: Option<GzDecoder<Part<R>>>,
    trailing: Rc<Cell<u64>>,
}

impl<R: BufRead> Gzip<R> {
    fn new(file: R, trailing: Rc<Cell<u64>>) -> Self {
        Self { part: Some(GzDecoder::new(Cursor::new(Vec::new()).chain(file))), trailing }
    }

    /// Goes on with what follows a part.
    fn next_part(&mut self, mut file: R) -> io::Result<()> {
        let mut beginning = Vec::new();
        file.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut beginning)?;
        if beginning == GZIP_MAGIC {
            self.part = Some(GzDecoder::new(Cursor::new(beginning).chain(file)));
            return Ok(());
        }
        let mut zeros = beginning.iter().all(|&byte| byte == 0);
        let mut count = beginning.len() as u64;
        loop {
            let bytes = file.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            zeros &= bytes.iter().all(|&byte| byte == 0);
            let length = bytes.len();
            count += length as u64;
            file.consume(length);
        }
        self.trailing.set(if zeros { 0 } else { count });
        Ok(())
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = &mut self.part {
            let count = part.read(buffer).map_err(in_words)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if let Some(part) = self.part.take() {
                self.next_part(part.into_inner().into_inner().1)?;
            }
        }
        Ok(0)
    }
}

/// What an error of the decompressor means.
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "its gzip data is cut short"),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            io::Error::new(error.kind(), format!("its gzip data is damaged ({error})"))
        }
        _ => error,
    }
}
