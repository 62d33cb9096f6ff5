//! Comparison of simulated with measured latencies: what was measured, how far it is to be trusted,
//! and how far a simulation is from it.

pub mod cpu_accounting;
pub mod distance;
pub mod measured;
pub mod run;
pub mod trace;

#[cfg(test)]
mod tests;

use crate::problem::Problem;
use std::fs::File;
use std::path::Path;

/// Opens a file for reading; a directory, which could be opened too, is refused.
fn open(path: &Path) -> Result<File, Problem> {
    let name = path.display();
    let unreadable = |error| Problem::new(format!("{name}: cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(Problem::new(format!("{name}: is a directory")).help("name a file in it"));
    }
    Ok(file)
}
