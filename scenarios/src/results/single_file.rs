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

/// Writes a text file, whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub fn write_text(path: &Path, text: &str) -> Checked<()> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Err(Problem::new(format!("`{}` names no file", path.display())).into());
    };
    write(directory, name, |file| file.write_all(text.as_bytes()))
}
