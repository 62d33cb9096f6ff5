//! A folder of results: made by meshsim, of one run at a time, and whole once its manifest is there.
//!
//! # Models
//! A *marker* is written first and says that the folder is meshsim's; before each file its name goes into the
//! marker. `manifest.json` is written last and lists all files: where it is, the folder is whole; a marker without
//! one is what an interrupted run left. Only files that the marker or the manifest names are ever removed. A folder
//! that holds anything else is refused, unless that is forced; then files of names that are written are replaced,
//! and no other is touched.
//!
//! While a run goes on, what it has finished is in a file of cells, of which no marker speaks: it is meshsim's wherever a
//! marker is. It goes when the run is whole; one that is there is what `--resume` goes on with.
//!
//! # Assumptions
//! The marker is locked (`flock`) as long as a run has its folder. Effect: on a file system without locks, and on
//! other systems than Unix, two runs in one folder at the same time are not told apart.

use super::csv::Csv;
use super::json::to_json;
use crate::experiment::plan::Part;
use crate::experiment::store::{CellStore, Owner};
use crate::origin::{About, EXPANDED, MANIFEST, Origin, SCENARIO};
use crate::problem::{Checked, Problem, Problems, clip};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::{Component, Path, PathBuf};

/// The name of the marker.
pub const MARKER: &str = ".meshsim";

/// The name of the file of finished cells.
pub const CELLS: &str = "cells";

/// The page that is made of the results and lies among them (`meshsim report`): of no run, so no manifest lists it.
pub const PAGE: &str = "report.html";

/// The first line of a marker; the names of the files follow, a line each.
const FIRST_LINE: &str = "A folder of meshsim. Its files, which the next run in it replaces:\n";

/// What a file is called while it is written.
const UNFINISHED: &str = ".part";

/// A marker or manifest is at most so long (bytes): a million names fit.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// A folder that results are written into.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Locked while it is open.
    marker: File,
    /// Whether marker and folder are this run's own: they go again if nothing is written.
    made: [bool; 2],
    /// What an earlier run has written.
    earlier: BTreeSet<String>,
    /// What this run has written; nothing before it begins.
    written: Option<Vec<String>>,
    /// Whether the file of cells is this run's.
    has_cells: bool,
    /// Where its results come from, if they can be made again.
    origin: Option<Origin>,
}

/// What is done with the cells that an earlier run has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// The run goes on with them.
    pub resume: bool,
    /// They are discarded, where the run does not go on with them.
    pub fresh: bool,
}

/// What a manifest is read for.
#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    files: Vec<String>,
}

/// What the manifest of a part says.
#[derive(Serialize)]
struct PartOf<'a> {
    scenario_sha256: &'a str,
    part: Part,
    cells: usize,
}

/// A manifest with the list of files.
#[derive(Serialize)]
struct Whole<'a, T> {
    version: &'static str,
    #[serde(flatten)]
    origin: Option<&'a About>,
    #[serde(flatten)]
    about: &'a T,
    files: &'a [String],
}

impl Folder {
    /// Makes a folder or takes one that is empty or meshsim's own, before any work is done for it. With
    /// `force`, whatever else is in it stays, save files of names that are written.
    ///
    /// # Errors
    /// If it cannot be made or be written in, is no folder, holds something that meshsim has not written, or
    /// is another run's.
    pub fn claim(path: &Path, force: bool) -> Checked<Self> {
        let is_new = std::fs::symlink_metadata(path).is_err();
        std::fs::create_dir_all(path).map_err(|error| {
            Problem::new(format!("cannot make the directory `{}`: {error}", path.display()))
                .help("name a directory that exists or can be made")
        })?;
        let earlier = Self::look(path, force)?;
        let unable = |error| {
            Problem::new(format!("cannot write in the directory `{}`: {error}", path.display()))
                .help("name a directory that can be written in")
        };
        let has_marker = earlier.is_some();
        let marker = open_marker(path, has_marker).map_err(unable)?;
        let mut folder = Self {
            path: path.to_owned(),
            marker,
            made: [false; 2],
            earlier: earlier.unwrap_or_default(),
            written: None,
            has_cells: false,
            origin: None,
        };
        if !lock(&folder.marker) {
            let problem = Problem::new(format!("another run is writing into `{}`", path.display()));
            return Err(problem.help("wait for it, or name another directory").into());
        }
        folder.made = [!has_marker, is_new];
        if has_marker {
            // Only whether it can be written matters. Without a name nothing is left of it by a kill.
            tempfile::tempfile_in(path).map(drop).map_err(unable)?;
        } else {
            folder.marker.write_all(FIRST_LINE.as_bytes()).map_err(unable)?;
        }
        Ok(folder)
    }

    /// The files that an earlier run has written, none if there is no marker; refuses what else is there.
    fn look(path: &Path, force: bool) -> Checked<Option<BTreeSet<String>>> {
        let unreadable = |error| Problem::new(format!("cannot read `{}`: {error}", path.display()));
        let marker = read_marker(&path.join(MARKER)).map_err(unreadable)?;
        let mut known = marker.clone().unwrap_or_default();
        if marker.is_some() {
            known.extend(read_manifest(&path.join(MANIFEST)));
            known.extend([MARKER, MANIFEST, CELLS, PAGE].map(str::to_owned));
        }
        let is_known = |name: &OsString| {
            let Some(name) = name.to_str() else { return false };
            known.contains(name) || name.strip_suffix(UNFINISHED).is_some_and(|name| known.contains(name))
        };
        let mut others = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder || !is_known(&entry.file_name()) {
                others.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        others.sort();
        if !others.is_empty() && !force {
            return Err(refusal(path, &others, marker.is_some()).into());
        }
        known.remove(MARKER);
        Ok(marker.map(|_| known))
    }

    /// Removes what an earlier run has written, its manifest first: what is there from now on is this run's.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn begin(&mut self) -> Checked<()> {
        if self.written.is_some() {
            return Ok(());
        }
        self.written = Some(Vec::new());
        // Without it the folder is no longer whole.
        remove(&self.path, MANIFEST)?;
        for name in self.earlier.iter().filter(|name| !(self.has_cells && *name == CELLS)) {
            remove(&self.path, name)?;
            remove(&self.path, &format!("{name}{UNFINISHED}"))?;
        }
        self.earlier.clear();
        self.marker.set_len(FIRST_LINE.len() as u64).map_err(|error| self.unwritable(MARKER, &error))
    }

    /// The cells of this run, on the disk: none yet, or those that an earlier run of the same owner has left. Earlier
    /// results stay until this run has some.
    ///
    /// # Errors
    /// If an earlier run has left cells that this one neither may discard nor go on with, or the file cannot be written.
    pub fn cells(&mut self, owner: &Owner, leftover: Leftover) -> Checked<CellStore> {
        let file = self.path.join(CELLS);
        let unable = |error| Problem::new(format!("cannot write `{}`: {error}", file.display()));
        let is_file = std::fs::symlink_metadata(&file).is_ok_and(|data| data.is_file());
        let earlier = (is_file && self.earlier.contains(CELLS))
            .then(|| OpenOptions::new().read(true).write(true).open(&file).and_then(CellStore::open))
            .transpose()
            .map_err(unable)?
            .flatten()
            .filter(|(_, store)| store.count() > 0);
        if let Some((then, store)) = earlier {
            let difference = then.difference(owner);
            if leftover.resume && difference.is_none() {
                self.has_cells = true;
                return Ok(store);
            }
            if !leftover.fresh {
                return Err(self.refuse_cells(store.count(), difference.filter(|_| leftover.resume)).into());
            }
        }
        remove(&self.path, CELLS)?;
        self.has_cells = true;
        let create = OpenOptions::new().read(true).write(true).create_new(true).open(&file);
        Ok(create.and_then(|file| CellStore::create(file, owner)).map_err(unable)?)
    }

    /// Refuses a folder that holds finished cells, of a run that was stopped or of a part, for results of a run that keeps none:
    /// they would be gone.
    ///
    /// # Errors
    /// If there are some.
    pub fn holds_no_cells(&self) -> Checked<()> {
        if self.earlier.contains(CELLS) && self.has_finished_cells() {
            let path = self.path.display();
            let problem = Problem::new(format!("`{path}` holds finished cells of an earlier run"));
            return Err(problem.help("finish it with --resume, or name another directory").into());
        }
        Ok(())
    }

    fn refuse_cells(&self, count: usize, difference: Option<String>) -> Problem {
        let path = self.path.display();
        match difference {
            Some(difference) => {
                Problem::new(format!("the {count} finished cells in `{path}` are {difference}"))
                    .help("--fresh discards them and begins anew; or name another directory")
            }
            None => Problem::new(format!("`{path}` holds {count} finished cells of an earlier run"))
                .help("--resume goes on with them, --fresh discards them and begins anew"),
        }
    }

    /// Removes the cells: the results are whole, and have everything that is of use.
    ///
    /// # Errors
    /// If they cannot be removed.
    pub fn discard_cells(&mut self) -> Checked<()> {
        self.has_cells = false;
        remove(&self.path, CELLS)
    }

    /// Whether a cell is kept in it.
    fn keeps_cells(&self) -> bool {
        self.has_cells && self.has_finished_cells()
    }

    /// Whether a file of cells lies in it that has some, whose ever they are.
    fn has_finished_cells(&self) -> bool {
        let is_used = || CellStore::is_used(&File::open(self.path.join(CELLS))?);
        is_used().unwrap_or(false)
    }

    /// A file without a name on the folder's disk, which is gone when it is closed.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn scratch(&self) -> Checked<File> {
        tempfile::tempfile_in(&self.path).map_err(|error| {
            let message = format!("cannot write in the directory `{}`: {error}", self.path.display());
            Problem::new(message).into()
        })
    }

    /// Writes a file, whole or not at all: under another name, then renamed.
    pub(crate) fn write(
        &mut self,
        name: &str,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Checked<()> {
        self.announce(name)?;
        let unfinished = self.path.join(format!("{name}{UNFINISHED}"));
        let finished = self.path.join(name);
        let write = || -> io::Result<()> {
            let mut file = BufWriter::new(OpenOptions::new().write(true).create_new(true).open(&unfinished)?);
            content(&mut file)?;
            file.flush()?;
            std::fs::rename(&unfinished, &finished)
        };
        write().map_err(|error| {
            if error.kind() != ErrorKind::AlreadyExists {
                // What is half written is of no use; if it cannot be removed either, the first error says why.
                let _ = std::fs::remove_file(&unfinished);
            }
            self.unwritable(name, &error)
        })
    }

    pub(crate) fn write_json(&mut self, name: &str, value: &impl Serialize) -> Checked<()> {
        let text = to_json(value)?;
        self.write(name, |file| file.write_all(text.as_bytes()))
    }

    pub(crate) fn write_csv(
        &mut self,
        name: &str,
        rows: impl FnOnce(&mut Csv<'_>) -> csv::Result<()>,
    ) -> Checked<()> {
        self.write(name, |file| {
            let mut writer = Csv::new(file);
            rows(&mut writer).map_err(io::Error::other)?;
            writer.flush()
        })
    }

    /// Opens a file that grows while the run goes on, in whole rows.
    pub(crate) fn grow(&mut self, name: &str) -> Checked<File> {
        self.announce(name)?;
        remove(&self.path, name)?;
        let file = OpenOptions::new().append(true).create_new(true).open(self.path.join(name));
        file.map_err(|error| self.unwritable(name, &error))
    }

    /// Writes the manifest, which says of the run what `about` says and lists the files: now the folder is whole.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn finish(&mut self, about: &impl Serialize) -> Checked<()> {
        self.begin()?;
        let origin = self.origin.take();
        if let Some(origin) = &origin {
            self.write(SCENARIO, |file| file.write_all(origin.text.as_bytes()))?;
            if let Some(expanded) = &origin.expanded {
                self.write(EXPANDED, |file| file.write_all(expanded.as_bytes()))?;
            }
            for (input, bytes) in origin.about.inputs.iter().zip(&origin.inputs) {
                self.write(&input.file, |file| file.write_all(bytes))?;
            }
            for (input, measurement) in origin.about.measurements.iter().zip(&origin.measurements) {
                let mut measurement: &File = measurement;
                self.write(&input.file, |file| {
                    measurement.rewind()?;
                    io::copy(&mut measurement, file).map(drop)
                })?;
            }
        }
        let files = self.written.clone().unwrap_or_default();
        let origin = origin.as_ref().map(|it| &it.about);
        self.write_json(MANIFEST, &Whole { version: env!("CARGO_PKG_VERSION"), origin, about, files: &files })
    }

    /// Its results come from there, and can be made again.
    pub fn describe(&mut self, origin: Origin) {
        self.origin = Some(origin);
    }

    /// The folder has a part of the cells of an experiment, all that it was to have: they are written in the order of
    /// their ids, and then the manifest.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn finish_part(&mut self, store: &CellStore, part: Part, scenario_sha256: &str) -> Checked<()> {
        self.begin()?;
        self.write(CELLS, |file| store.write_sorted(file))?;
        self.finish(&PartOf { scenario_sha256, part, cells: store.count() })
    }

    /// Makes sure that the marker names a file before it is there.
    fn announce(&mut self, name: &str) -> Checked<()> {
        self.begin()?;
        let written = self.written.get_or_insert_default();
        if written.iter().any(|known| known == name) {
            return Ok(());
        }
        written.push(name.to_owned());
        self.marker.write_all(format!("{name}\n").as_bytes()).map_err(|error| self.unwritable(MARKER, &error))
    }

    fn unwritable(&self, name: &str, error: &io::Error) -> Problems {
        Problem::new(format!("cannot write `{}`: {error}", self.path.join(name).display())).into()
    }
}

/// A folder into which nothing was written is left as it was found.
impl Drop for Folder {
    fn drop(&mut self) {
        let [marker, folder] = self.made;
        if self.written.is_none() && self.has_cells && !self.keeps_cells() {
            let _ = std::fs::remove_file(self.path.join(CELLS));
            self.has_cells = false;
        }
        if self.written.is_none() && !self.has_cells && marker {
            // If it cannot be removed, the next run finds an interrupted one, which is so.
            let _ = std::fs::remove_file(self.path.join(MARKER));
            if folder {
                let _ = std::fs::remove_dir(&self.path);
            }
        }
    }
}

/// Why a folder is not taken.
fn refusal(path: &Path, others: &[String], has_marker: bool) -> Problem {
    const MOST_NAMED: usize = 5;
    let mut names: Vec<String> =
        others.iter().take(MOST_NAMED).map(|name| format!("`{}`", clip(name))).collect();
    if others.len() > MOST_NAMED {
        names.push(format!("{} more", others.len() - MOST_NAMED));
    }
    let message = format!("`{}` holds what meshsim has not written: {}", path.display(), names.join(", "));
    let is_old = !has_marker && others.iter().any(|name| name == MANIFEST);
    let seen =
        if is_old { "an older meshsim marked no folder: if this is one of its, remove it; or " } else { "" };
    Problem::new(message).help(format!(
        "{seen}name a directory that is new or empty; --force writes into this one, replaces files of the same names \
         and leaves all others"
    ))
}

/// Opens the marker that is there, or makes one. What is there and is none was not refused: it is replaced.
fn open_marker(path: &Path, is_there: bool) -> io::Result<File> {
    let file = path.join(MARKER);
    if !is_there {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    OpenOptions::new().append(true).create_new(!is_there).open(file)
}

/// The names that a marker lists; none if there is no marker, or something else of its name.
fn read_marker(file: &Path) -> io::Result<Option<BTreeSet<String>>> {
    match std::fs::symlink_metadata(file) {
        Ok(data) if data.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(LIST_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // A run that was killed at its very start leaves an empty one.
    let names = text.strip_prefix(FIRST_LINE).or(text.is_empty().then_some(""));
    Ok(names.map(|names| names.lines().filter(|name| is_plain(name)).map(str::to_owned).collect()))
}

/// The names that a manifest lists: none if it is no manifest.
fn read_manifest(file: &Path) -> Vec<String> {
    let is_file = std::fs::symlink_metadata(file).is_ok_and(|data| data.is_file());
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(LIST_BYTES_MAX).read_to_end(&mut bytes));
    let listed = (is_file && read.is_ok()).then(|| serde_json::from_slice::<Listed>(&bytes).ok()).flatten();
    let names = listed.map_or_else(Vec::new, |listed| listed.files);
    names.into_iter().filter(|name| is_plain(name)).collect()
}

/// Whether it is the name of a file in the folder itself.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}

/// Removes a file, where there is one.
fn remove(folder: &Path, name: &str) -> Checked<()> {
    let file = folder.join(name);
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Problem::new(format!("cannot replace `{}`: {error}", file.display())).into())
        }
        _ => Ok(()),
    }
}

/// Whether nobody else holds the lock of a file; so it is where there are no locks.
#[cfg(unix)]
fn lock(file: &File) -> bool {
    use rustix::fs::{FlockOperation, flock};
    flock(file, FlockOperation::NonBlockingLockExclusive) != Err(rustix::io::Errno::WOULDBLOCK)
}

#[cfg(not(unix))]
fn lock(_: &File) -> bool {
    true
}
