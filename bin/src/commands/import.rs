//! `meshsim import`: manifests of Kubernetes, Istio and Liqo to a scenario.

use super::common::print;
use super::import_measured::Measurements;
use crate::diagnostics::warn;
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::import::manifests::{BEGIN, Input, Link, Nodes, Options, Overlay, Users, import};
use meshsim_scenarios::import::measured;
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::results::single_file::write_text;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::warnings;
use std::path::{Path, PathBuf};

const SCENARIO: &str = "scenario.toml";
const WORK_MODEL: &str = "workmodel.json";
const REPORT: &str = "report.md";
const ANSWERS: &str = "answers.json";

/// Turn manifests of Kubernetes, Istio and Liqo, what Prometheus and traces have, or both into a scenario.
///
/// Writes scenario.toml, workmodel.json where a ConfigMap has one, and report.md: what became of every object and every
/// field, what was measured and what was assumed. What nothing says (machines, links, users) comes from options.
#[derive(clap::Args)]
#[command(
    after_help = "Example: meshsim import --cluster cloud=manifests --nodes cloud=2x16 --users cloud=50/s --out imported"
)]
pub(crate) struct Args {
    /// Files or directories of YAML, or - for standard input, as `helm template` and `kustomize build` print it
    #[arg(required_unless_present_any = ["cluster", "prometheus", "metrics", "traces", "queries"])]
    path: Vec<PathBuf>,
    /// Files of one cluster's objects, as in cloud=manifests/cloud (may be given several times)
    #[arg(long, value_name = "NAME=PATH")]
    cluster: Vec<String>,
    /// Machines of a cluster, as in cloud=2x16: two nodes of 16 cores (may be given several times)
    #[arg(long, value_name = "CLUSTER=COUNTxCORES")]
    nodes: Vec<String>,
    /// A link between clusters and its round trip, as in cloud:edge1=160ms or cloud:edge1=160ms,1Gbit/s (may be given
    /// several times)
    #[arg(long, value_name = "A:B=ROUND_TRIP")]
    link: Vec<String>,
    /// Users at the gateway of a cluster, as in edge1=50/s or edge1:s0=50/s; or the file of a load generator: a plan of JMeter,
    /// options of k6 as JSON, parameters or a workload of µBench, as in edge1=plan.jmx (may be given several times)
    #[arg(long, value_name = "CLUSTER=RATE|FILE")]
    users: Vec<String>,
    /// A property that a plan of JMeter asks for, as in throughput=50 (may be given several times)
    #[arg(long, value_name = "NAME=VALUE")]
    property: Vec<String>,
    /// Seed of what µBench's generators draw (default: 1)
    #[arg(long, value_parser = super::common::seed)]
    seed: Option<u64>,
    /// What no manifest can say, as tables of a scenario: overlay.toml of `meshsim export kubernetes`
    #[arg(long, value_name = "FILE")]
    overlay: Option<PathBuf>,
    /// Leave this field out although results hang on it, as an error names it (may be given several times)
    #[arg(long, value_name = "FIELD")]
    allow: Vec<String>,
    #[command(flatten)]
    measured: Measurements,
    /// Write into this directory
    #[arg(long, value_name = "DIR", required_unless_present = "queries")]
    out: Option<PathBuf>,
    /// Write into a directory that holds other files too; those of the same names are replaced
    #[arg(long)]
    force: bool,
}

impl Args {
    /// Where to write; nothing is written without.
    fn out(&self) -> &Path {
        self.out.as_deref().unwrap_or_else(|| Path::new(""))
    }
}

pub(crate) fn exec(args: &Args) -> Outcome<Code> {
    let has_manifests = !args.path.is_empty() || !args.cluster.is_empty();
    if let Some(asked) = args.measured.asked()? {
        print(&asked)?;
        return Ok(Code::Ok);
    }
    if args.measured.has_idle_window() {
        let problem = Problem::new("--window cannot be used with manifests or spans alone");
        return Err(problem.help("it is of --prometheus and --metrics").into());
    }
    if let Some(source) = args.measured.name().filter(|_| !has_manifests) {
        return of_measured(args, source);
    }
    let options = options(args)?;
    let is_own = refuse_foreign(args.out(), args.force)?;
    let (imported, answers) = match args.measured.name() {
        Some(_) => {
            let (measured, answers) = args.measured.read()?;
            (measured.import_beside(options)?, answers)
        }
        None => (import(&options)?, None),
    };
    let answers = answers.map(|it| it.to_json());
    let beside = imported.files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let files: Vec<(&str, &str)> =
        imported.workmodel.as_deref().map(|text| (WORK_MODEL, text)).into_iter().chain(beside).collect();
    // Not yet a file: who reads an error looks for what it shows in the manifests.
    let plan = checked("the scenario of these manifests", &imported.scenario, &files)?;
    if is_own && imported.workmodel.is_none() {
        remove_old(&args.out().join(WORK_MODEL))?;
    }
    let answers = answers.as_deref().map(|text| (ANSWERS, text));
    let all = [(REPORT, imported.report.as_str())].into_iter().chain(answers).chain(files);
    write_all(args.out(), all, &imported.scenario)?;
    said(args, &plan, "what was assumed and what became of every field")
}

/// The same of what was measured alone.
fn of_measured(args: &Args, source: &str) -> Outcome<Code> {
    let of_manifests = [("--seed", args.seed.is_some()), ("--allow", !args.allow.is_empty())];
    if let Some((option, _)) = of_manifests.iter().find(|(_, is_given)| *is_given) {
        let problem = Problem::new(format!("{option} cannot be used with {source} alone"));
        return Err(problem.help("it is of manifests: name them, too").into());
    }
    refuse_foreign(args.out(), args.force)?;
    let options = measured::Options {
        name: name(args),
        nodes: args.nodes.iter().map(|it| Nodes::parse(it)).collect::<Checked<_>>()?,
        links: args.link.iter().map(|it| Link::parse(it)).collect::<Checked<_>>()?,
        overlay: args.overlay.as_deref().map(Overlay::read).transpose()?,
    };
    let (measured, answers) = args.measured.read()?;
    let imported = measured.import(&options)?;
    let files: Vec<(&str, &str)> =
        imported.files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let plan = checked("the scenario of what was measured", &imported.scenario, &files)?;
    let answers = answers.map(|it| it.to_json());
    let answers = answers.as_deref().map(|text| (ANSWERS, text));
    let all = answers.into_iter().chain([(REPORT, imported.report.as_str())]).chain(files);
    write_all(args.out(), all, &imported.scenario)?;
    said(args, &plan, "what was asked, found and assumed")
}

/// Says what was written.
fn said(args: &Args, plan: &ComparisonPlan, what: &str) -> Outcome<Code> {
    let first = &plan.strategies[0].description;
    print(&format!(
        "{}: services {}, clusters {}, links {}; {} has {what}\n",
        args.out().join(SCENARIO).display(),
        first.application.services.len(),
        first.clusters.len(),
        first.links.len(),
        args.out().join(REPORT).display(),
    ))?;
    Ok(Code::Ok)
}

/// What the scenario is called: as its directory.
fn name(args: &Args) -> String {
    args.out().file_name().and_then(|it| it.to_str()).unwrap_or("imported").to_owned()
}

/// Reads a scenario as `check` does, under a name for errors, and says what it warns of.
fn checked(name: &str, scenario: &str, files: &[(&str, &str)]) -> Checked<ComparisonPlan> {
    let plan = ComparisonPlan::new(&Scenario::from_text(name, scenario, files, &[])?, &Choice::default())?;
    warnings::before_runs(&plan.strategies).iter().for_each(warn);
    Ok(plan)
}

/// Writes files, by their names, and the scenario last: where it is, the import is whole.
fn write_all<'a>(
    out: &Path,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
    scenario: &'a str,
) -> Outcome<()> {
    for (name, text) in files.into_iter().chain([(SCENARIO, scenario)]) {
        // A recording may be in a folder of its own.
        let path = out.join(name);
        let folder = path.parent().unwrap_or(out);
        std::fs::create_dir_all(folder).map_err(|error| {
            Problem::new(format!("cannot make the directory `{}`: {error}", folder.display()))
                .help("name a directory that exists or can be made")
        })?;
        write_text(&out.join(name), text).map_err(Failure::machine)?;
    }
    Ok(())
}

fn options(args: &Args) -> Checked<Options> {
    let mut inputs: Vec<Input> =
        args.path.iter().map(|path| Input { path: path.clone(), cluster: None }).collect();
    for text in &args.cluster {
        let Some((name, path)) =
            text.split_once('=').filter(|(name, path)| !name.is_empty() && !path.is_empty())
        else {
            let problem = Problem::new(format!("--cluster `{text}` is not understood"));
            return Err(problem.help("write NAME=PATH, as in cloud=manifests/cloud").into());
        };
        inputs.push(Input { path: PathBuf::from(path), cluster: Some(name.to_owned()) });
    }
    Ok(Options {
        name: name(args),
        inputs,
        nodes: args.nodes.iter().map(|it| Nodes::parse(it)).collect::<Checked<_>>()?,
        links: args.link.iter().map(|it| Link::parse(it)).collect::<Checked<_>>()?,
        texts: Vec::new(),
        overlay: args.overlay.as_deref().map(Overlay::read).transpose()?,
        seed: args.seed.unwrap_or(1),
        properties: args.property.iter().map(|it| property(it)).collect::<Checked<_>>()?,
        users: args.users.iter().map(|it| Users::parse(it)).collect::<Checked<_>>()?,
        allow: args.allow.clone(),
        measured: None,
    })
}

/// A property of JMeter.
fn property(text: &str) -> Checked<(String, String)> {
    let parsed = text.split_once('=').filter(|(name, _)| !name.is_empty());
    parsed.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| {
        let problem = Problem::new(format!("--property `{text}` is not understood"));
        problem.help("write NAME=VALUE, as in throughput=50").into()
    })
}

/// Refuses a directory that holds something other than an earlier import, and says whether it holds one.
fn refuse_foreign(path: &Path, force: bool) -> Checked<bool> {
    let is_own = std::fs::read_to_string(path.join(SCENARIO)).is_ok_and(|text| text.starts_with(BEGIN));
    let is_empty = match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if force || is_own || is_empty {
        return Ok(is_own);
    }
    let problem = Problem::new(format!("`{}` is no directory of an earlier import", path.display()));
    Err(problem.help("--out names a new or empty directory; --force writes beside what is there").into())
}

/// The work model of an earlier import, whose scenario is replaced.
fn remove_old(path: &Path) -> Outcome<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let problem = Problem::new(format!("cannot remove `{}`: {error}", path.display()));
            Err(Failure::machine(problem.help("it is of an earlier import, and the new one has none")))
        }
        _ => Ok(()),
    }
}
