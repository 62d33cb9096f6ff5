//! Files that stand alone: one that is written, and the hash of one that was read.

use crate::problem::{Checked, Problem, Problems};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::path::Path;

/// SHA-256 of a file's content, in hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn file_sha256(path: &Path) -> Checked<String> {
    let unreadable =
        |error| Problems::from(Problem::new(format!("cannot read `{}`: {error}", path.display())));
    let mut hash = Sha256::new();
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(unreadable)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Makes sure before long work that a file can be written that an option names. With `force`, it may be any
/// file; otherwise one that is there begins as those that meshsim writes.
///
/// # Errors
/// If it is something else, no plain file, or its directory cannot be written in.
pub fn prepare_file(path: &Path, option: &str, beginning: &str, force: bool) -> Checked<()> {
    let cannot = |reason: String| {
        let problem = Problem::new(format!("cannot write `{}`: {reason}", path.display()));
        problem.help(format!("{option} names a file in a directory that can be written in"))
    };
    let is_own = match std::fs::metadata(path) {
        Ok(data) if data.is_dir() => return Err(cannot("it is a directory".to_owned()).into()),
        Ok(data) if !data.is_file() => return Err(cannot("it is no plain file".to_owned()).into()),
        Ok(_) => begins_with(path, beginning).map_err(|error| cannot(error.to_string()))?,
        // Nothing is there, or what hinders is found by the next line.
        Err(_) => true,
    };
    tempfile::tempfile_in(directory_of(path)).map_err(|error| cannot(error.to_string()))?;
    if is_own || force {
        return Ok(());
    }
    let problem = Problem::new(format!("`{}` is there, and meshsim has not written it", path.display()));
    Err(problem.help(format!("{option} names a new file; --force replaces this one")).into())
}

/// Whether a file begins with a text.
fn begins_with(path: &Path, beginning: &str) -> std::io::Result<bool> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(beginning.len() as u64).read_to_end(&mut bytes)?;
    Ok(bytes == beginning.as_bytes())
}

/// The directory that a file lies in.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a text file, whole or not at all: under another name, then renamed.
///
/// # Errors
/// If it cannot be written.
pub fn write_text(path: &Path, text: &str) -> Checked<()> {
    write_by(path, |out| out.write_all(text.as_bytes()))
}

/// The same of a file that `write` writes bit by bit.
///
/// # Errors
/// If it cannot be written.
pub fn write_by(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Checked<()> {
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(directory_of(path))?;
        let mut out = std::io::BufWriter::new(file.as_file_mut());
        write(&mut out)?;
        out.flush()?;
        drop(out);
        set_readable(&file)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| Problem::new(format!("cannot write `{}`: {error}", path.display())).into())
}

/// A temporary file is private; a result file is as others are.
#[cfg(unix)]
fn set_readable(file: &tempfile::NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_readable(_: &tempfile::NamedTempFile) -> std::io::Result<()> {
    Ok(())
}
