//! `meshsim rerun`: makes results again and holds them against those that are there.

use super::common::print;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use meshsim_scenarios::origin::{About, MANIFEST, manifest};
use meshsim_scenarios::problem::{Checked, Problem};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim rerun results --threads 1")]
pub(crate) struct Args {
    /// The directory of the results
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write the new results into this directory (default: they are compared and forgotten)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Worker threads in all (default: the cores of the machine)
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4096))]
    threads: Option<u16>,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
}

/// What is asked of the manifest.
#[derive(Deserialize)]
struct Whole {
    version: String,
    #[serde(default)]
    interrupted: bool,
    #[serde(default)]
    part: Option<String>,
    /// Of a sweep.
    points: Option<u64>,
    finished_points: Option<u64>,
    #[serde(flatten)]
    about: About,
    files: BTreeSet<String>,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let then: Whole = manifest(&args.folder)?;
    check(&args.folder, &then)?;
    let unable = |error| Failure::machine(Problem::new(format!("cannot make a directory: {error}")));
    let scratch = if args.out.is_none() { Some(tempfile::tempdir().map_err(unable)?) } else { None };
    let kept = args.out.clone().unwrap_or_default();
    let out = scratch.as_ref().map_or(kept.as_path(), tempfile::TempDir::path);
    // A calibration's --out is a file.
    let is_calibration = then.about.command.first().is_some_and(|it| it == "calibrate");
    let option = if is_calibration { "--results" } else { "--out" };
    let mut more = vec![option.to_owned(), out.display().to_string()];
    more.extend(args.threads.iter().flat_map(|it| ["--threads".to_owned(), it.to_string()]));
    more.extend(args.quiet.then(|| "--quiet".to_owned()));
    let code = crate::repeat(&then.about, &args.folder, &more)?;
    if code == Code::Interrupted {
        return Ok(code);
    }
    let now: Whole = manifest(out)?;
    let mut names: BTreeSet<&str> = then.files.union(&now.files).map(String::as_str).collect();
    names.insert(MANIFEST);
    let count = names.len();
    let different = names.into_iter().filter(|name| !are_same(&args.folder.join(name), &out.join(name)));
    let different: Vec<&str> = different.collect();
    if different.is_empty() {
        print(&format!("\nthe same bytes in all {count} files\n"))?;
        return Ok(Code::Ok);
    }
    let message = format!("{} of {count} files are not the same: {}", different.len(), different.join(", "));
    let help = "they were changed, or made by a build of this version whose models differ";
    Err(Failure::machine(Problem::new(message).help(help)))
}

/// Refuses what this program cannot make again.
fn check(folder: &Path, results: &Whole) -> Checked<()> {
    let path = folder.display();
    let this = env!("CARGO_PKG_VERSION");
    if results.version != this {
        let problem = Problem::new(format!(
            "the results in `{path}` are of version {}, and this is {this}",
            results.version
        ));
        return Err(problem
            .help("another version may come to other results: take the one that made them")
            .into());
    }
    if results.interrupted || results.finished_points < results.points {
        let problem = Problem::new(format!("the results in `{path}` are those of a run that was stopped"));
        return Err(problem.help("finish it with --resume first").into());
    }
    if let Some(part) = &results.part {
        let problem = Problem::new(format!("`{path}` has part {part} of an experiment, and no results"));
        return Err(problem.help("`meshsim merge` puts all parts together").into());
    }
    Ok(())
}

/// Whether two files are there and have the same bytes.
fn are_same(one: &Path, other: &Path) -> bool {
    std::fs::read(one).is_ok_and(|one| std::fs::read(other).is_ok_and(|other| one == other))
}
