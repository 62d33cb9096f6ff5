//! Files that stand alone: one that is written, and the hash of one that was read.

use super::files::write;
use crate::problem::{Checked, Problem, Problems};
use sha2::{Digest, Sha256};
use std::io::Read;
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

/// Makes sure before long work that a file can be written that an option names.
///
/// # Errors
/// If it is a directory, or its directory cannot be written in.
pub fn prepare_file(path: &Path, option: &str) -> Checked<()> {
    let directory = directory_of(path);
    let temporary = tempfile::NamedTempFile::new_in(directory);
    let reason = match (path.is_dir(), temporary) {
        (false, Ok(_)) => return Ok(()),
        (true, _) => "it is a directory".to_owned(),
        (false, Err(error)) => error.to_string(),
    };
    let problem = Problem::new(format!("cannot write `{}`: {reason}", path.display()));
    Err(problem.help(format!("{option} names a file in a directory that can be written in")).into())
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a text file, whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub fn write_text(path: &Path, text: &str) -> Checked<()> {
    let directory = directory_of(path);
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Err(Problem::new(format!("`{}` names no file", path.display())).into());
    };
    write(directory, name, |file| file.write_all(text.as_bytes()))
}
