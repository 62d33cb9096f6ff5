//! `--report FILE`: the page of results, made from their folder, or from one that is forgotten where none is kept.

use crate::failure::{Failure, Outcome};
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::report;
use meshsim_scenarios::results::folder::{Folder, PAGE};
use meshsim_scenarios::results::single_file::{directory_of, prepare_file};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A page that is to be written.
pub(crate) struct Page {
    file: PathBuf,
    folder: PathBuf,
    /// The folder, where nobody keeps it.
    _scratch: Option<TempDir>,
}

/// Takes the folder for the results before the run, if they or a page of them are to be written, and makes sure that the
/// page can be. `--force` is for what is written, which may be more than these.
pub(crate) fn claim(
    out: Option<&Path>,
    report: Option<&Path>,
    (force, writes_more): (bool, bool),
) -> Checked<(Option<Folder>, Option<Page>)> {
    if force && out.is_none() && report.is_none() && !writes_more {
        let problem = Problem::new("--force says how to write, and nothing is to be written");
        return Err(problem.help("give --out or --report, or leave it out").into());
    }
    let unable = |error| Problem::new(format!("cannot make a directory for the page's numbers: {error}"));
    let scratch = match (out, report) {
        (None, Some(_)) => Some(tempfile::tempdir().map_err(unable)?),
        _ => None,
    };
    let path = out.or(scratch.as_ref().map(TempDir::path)).map(Path::to_owned);
    let folder = path.as_deref().map(|path| Folder::claim(path, force)).transpose()?;
    let (Some(file), Some(path)) = (report, path) else { return Ok((folder, None)) };
    prepare(file, &path, force)?;
    Ok((folder, Some(Page { file: file.to_owned(), folder: path, _scratch: scratch })))
}

/// Makes sure that the page of the results in a folder can be written: anywhere, but among them only under its own name, by
/// which the next run there knows it.
pub(crate) fn prepare(file: &Path, folder: &Path, force: bool) -> Checked<()> {
    let lies_there =
        directory_of(file).canonicalize().is_ok_and(|it| folder.canonicalize().is_ok_and(|of| it == of));
    if lies_there && file.file_name().is_none_or(|name| name != PAGE) {
        let problem = Problem::new(format!(
            "`{}` would lie among the results of `{}`",
            file.display(),
            folder.display()
        ));
        return Err(problem.help(format!("there the page is called {PAGE}; or write it elsewhere")).into());
    }
    prepare_file(file, "--report", report::FIRST_LINE, force)
}

/// Writes the page, if there is to be one.
pub(crate) fn write(page: Option<&Page>) -> Outcome<()> {
    page.map_or(Ok(()), |it| report::write(&it.folder, &it.file).map_err(Failure::machine))
}
