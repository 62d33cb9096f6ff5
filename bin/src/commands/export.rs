//! `meshsim export`: a scenario as manifests, what a change of strategy changes, and the application as a work model.

use super::common::{ScenarioArgs, print};
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use meshsim_scenarios::export::difference::difference;
use meshsim_scenarios::export::workmodel::work_model;
use meshsim_scenarios::export::{BEGIN, OVERLAY, export};
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::results::single_file::{prepare_file, write_text};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Write manifests of Kubernetes, Istio and Liqo, and what they cannot say as overlay.toml
    Kubernetes(Kubernetes),
    /// Say which objects and fields another strategy changes
    Diff(Diff),
    /// Write the application as µBench's work model
    Workmodel(Workmodel),
}

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim export kubernetes fluidos-mesh --strategy s0-s3 --out manifests")]
struct Kubernetes {
    #[command(flatten)]
    source: ScenarioArgs,
    /// Of this strategy (default: the first)
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// Write into this directory
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write into a directory that holds other files too; those of the same names are replaced
    #[arg(long)]
    force: bool,
}

#[derive(clap::Args)]
#[command(after_help = "Example: meshsim export diff fluidos-mesh --from cloud-only --to s0-s3")]
struct Diff {
    #[command(flatten)]
    source: ScenarioArgs,
    /// The strategy that runs
    #[arg(long, value_name = "NAME")]
    from: String,
    /// The strategy that is to run
    #[arg(long, value_name = "NAME")]
    to: String,
}

#[derive(clap::Args)]
struct Workmodel {
    #[command(flatten)]
    source: ScenarioArgs,
    /// Of this strategy (default: the first)
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// Leave this out although no work model says it, as an error names it (may be given several times)
    #[arg(long, value_name = "WHAT")]
    allow: Vec<String>,
    /// Write into this file (default: standard output)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    match &args.what {
        What::Kubernetes(args) => kubernetes(args),
        What::Diff(args) => {
            let scenario = args.source.open()?;
            print(&difference(&scenario, &args.from, &args.to)?.to_string())?;
            Ok(Code::Ok)
        }
        What::Workmodel(args) => {
            let scenario = args.source.open()?;
            let resolved = scenario.resolve(scenario.strategy(args.strategy.as_deref())?)?;
            let text = work_model(&resolved.description, &args.allow)?;
            match &args.out {
                None => print(&text)?,
                Some(path) => {
                    prepare_file(path, "--out", "{", args.force)?;
                    write_text(path, &text).map_err(Failure::machine)?;
                }
            }
            Ok(Code::Ok)
        }
    }
}

fn kubernetes(args: &Kubernetes) -> Outcome<Code> {
    let scenario = args.source.open()?;
    refuse_foreign(&args.out, args.force)?;
    let exported = export(&scenario, scenario.strategy(args.strategy.as_deref())?)?;
    remove_own(&args.out).map_err(|error| Failure::machine(Problem::new(error)))?;
    let files = exported.files();
    for (path, text) in &files {
        let path = args.out.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| {
                Problem::new(format!("cannot make the directory `{}`: {error}", folder.display()))
                    .help("name a directory that exists or can be made")
            })?;
        }
        // The overlay last: where it is, the export is whole.
        write_text(&path, text).map_err(Failure::machine)?;
    }
    let out = args.out.display();
    let clusters = exported.clusters.iter().map(|it| format!(" --cluster {it}={out}/{it}"));
    print(&format!(
        "{out}: objects {}, files {}; back with meshsim import {out}/shared{} --overlay {out}/{OVERLAY} --out DIR\n",
        exported.manifests.len(),
        files.len(),
        clusters.collect::<String>(),
    ))?;
    Ok(Code::Ok)
}

/// Refuses a directory that holds something other than an earlier export.
fn refuse_foreign(path: &Path, force: bool) -> Checked<()> {
    let is_empty = match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if force || is_empty || path.join(OVERLAY).is_file() {
        return Ok(());
    }
    let problem = Problem::new(format!("`{}` is no directory of an earlier export", path.display()));
    Err(problem.help("--out names a new or empty directory; --force writes beside what is there").into())
}

/// Removes the manifests of an earlier export: those of clusters and services that are gone would be applied, too.
fn remove_own(path: &Path) -> Result<(), String> {
    if !path.join(OVERLAY).is_file() {
        return Ok(());
    }
    let failed =
        |error: std::io::Error| format!("cannot remove the earlier export in `{}`: {error}", path.display());
    std::fs::remove_file(path.join(OVERLAY)).map_err(failed)?;
    for folder in std::fs::read_dir(path).map_err(failed)? {
        let folder = folder.map_err(failed)?.path();
        if !folder.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&folder).map_err(failed)? {
            let file = file.map_err(failed)?.path();
            let is_own = std::fs::read_to_string(&file).is_ok_and(|text| text.starts_with(BEGIN));
            if is_own {
                std::fs::remove_file(file).map_err(failed)?;
            }
        }
    }
    Ok(())
}
