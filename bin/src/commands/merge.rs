//! `meshsim merge`: the parts of an experiment that several machines have run.

use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use meshsim_scenarios::experiment::plan::Part;
use meshsim_scenarios::experiment::store::{CellStore, Owner};
use meshsim_scenarios::origin::{About, manifest};
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::results::folder::{CELLS, Folder, Leftover};
use serde::Deserialize;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim merge part-1 part-2 --out results")]
pub(crate) struct Args {
    /// The directories that the parts were written into, all of them, in any order
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Write result files into this directory
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write into a directory that holds other files too; those of the same names are replaced
    #[arg(long)]
    force: bool,
    /// Write one page of HTML about the results into this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print the summary as JSON instead of tables
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
}

/// What is asked of the manifest of a part.
#[derive(Deserialize)]
struct PartOf {
    version: String,
    scenario_sha256: String,
    part: Part,
    #[serde(flatten)]
    about: About,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let parts: Vec<PartOf> = args.folders.iter().map(|folder| part_of(folder)).collect::<Checked<_>>()?;
    check(&args.folders, &parts)?;
    refuse_own_part(args)?;
    let owner = Owner::of(&parts[0].scenario_sha256);
    let mut folder = Folder::claim(&args.out, args.force)?;
    let store = folder.cells(&owner, Leftover { resume: false, fresh: true })?;
    for path in &args.folders {
        store.take_over(&cells_of(path, &owner)?).map_err(|error| {
            Failure::machine(Problem::new(format!(
                "cannot take over the cells of `{}`: {error}",
                path.display()
            )))
        })?;
    }
    // The command takes the folder again, and goes on with the cells.
    drop((store, folder));
    let out = args.out.display().to_string();
    let given = [("--force", args.force), ("--json", args.json), ("--quiet", args.quiet)];
    let given = given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name.to_owned());
    let report = args.report.iter().flat_map(|it| ["--report".to_owned(), it.display().to_string()]);
    let more: Vec<String> =
        ["--resume".to_owned(), "--out".to_owned(), out].into_iter().chain(given).chain(report).collect();
    crate::repeat(&parts[0].about, &args.folders[0], &more)
}

/// Results that lie where a part does would take its cells away.
fn refuse_own_part(args: &Args) -> Checked<()> {
    let Ok(out) = args.out.canonicalize() else { return Ok(()) };
    match args.folders.iter().find(|it| it.canonicalize().is_ok_and(|it| it == out)) {
        Some(part) => Err(Problem::new(format!("`{}` is one of the parts", part.display()))
            .help("name another directory")
            .into()),
        None => Ok(()),
    }
}

/// What a folder is a part of.
fn part_of(folder: &Path) -> Checked<PartOf> {
    manifest(folder).map_err(|problems| {
        let first = problems.0.into_iter().next();
        let why = first.map_or(String::new(), |it| it.message);
        let problem = Problem::new(format!("`{}` is no finished part: {why}", folder.display()));
        problem.help("--partition writes parts; one that was stopped goes on with --resume").into()
    })
}

/// Refuses what is not all parts of one experiment.
fn check(folders: &[PathBuf], parts: &[PartOf]) -> Checked<()> {
    let (first, of) = (&parts[0], parts[0].part.of());
    for (folder, it) in folders.iter().zip(parts) {
        let path = folder.display();
        let differs = if it.version != env!("CARGO_PKG_VERSION") {
            Some(format!("`{path}` is of version {}, and this is {}", it.version, env!("CARGO_PKG_VERSION")))
        } else if it.about.command != first.about.command || it.scenario_sha256 != first.scenario_sha256 {
            Some(format!("`{path}` is a part of another experiment than `{}`", folders[0].display()))
        } else if it.part.of() != of {
            Some(format!(
                "`{path}` is part {}, and `{}` is part {}",
                it.part,
                folders[0].display(),
                first.part
            ))
        } else {
            None
        };
        if let Some(differs) = differs {
            return Err(Problem::new(differs).help("merge parts of one experiment").into());
        }
    }
    let mut numbers: Vec<u32> = parts.iter().map(|it| it.part.number()).collect();
    numbers.sort_unstable();
    let missing: Vec<String> = (1..=of)
        .filter(|it| numbers.binary_search(it).is_err())
        .take(10)
        .map(|it| format!("{it}/{of}"))
        .collect();
    if !missing.is_empty() {
        let problem = Problem::new(format!("not all parts are there: {} is missing", missing.join(", ")));
        return Err(problem.help("name the directories of all of them").into());
    }
    Ok(())
}

/// The cells of a part.
fn cells_of(folder: &Path, owner: &Owner) -> Checked<CellStore> {
    let path = folder.join(CELLS);
    let open = OpenOptions::new().read(true).open(&path).and_then(CellStore::open);
    let unreadable = |error| Problem::new(format!("cannot read `{}`: {error}", path.display()));
    match open.map_err(unreadable)? {
        Some((of, store)) if of == *owner => Ok(store),
        _ => Err(Problem::new(format!("`{}` has not the cells that its manifest speaks of", path.display()))
            .into()),
    }
}
