//! Arguments that mean the same everywhere.

use super::page::{self, Page};
use crate::diagnostics::{self, visible};
use crate::exit_code::Code;
use crate::failure::{Failure, Outcome};
use crate::interrupt;
use crate::progress::{Progress, Reading};
use clap::Args;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::axes::Axis;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::plan::Part;
use meshsim_scenarios::experiment::precision::Precision;
use meshsim_scenarios::experiment::store::{Broken, CellStore, Owner};
use meshsim_scenarios::experiment::{Watch, memory};
use meshsim_scenarios::origin::Origin;
use meshsim_scenarios::problem::{Checked, Problem};
use meshsim_scenarios::results::folder::{Folder, Leftover};
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::traces::format::Format;
use meshsim_scenarios::traces::{Options, Trace, read};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Which scenario, and changes to it.
#[derive(Args)]
pub(crate) struct ScenarioArgs {
    /// A library scenario's name, or the path of a TOML file
    pub(crate) scenario: String,
    /// Change a value of the scenario, as in links.edge1-cloud.rtt=20ms (may be given several times)
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
}

/// A seed as it is typed.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

/// How to run.
#[derive(Args)]
pub(crate) struct Running {
    /// Seed of all random numbers
    #[arg(long, value_parser = seed)]
    seed: Option<u64>,
    /// Independent repetitions
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    replications: Option<u32>,
    /// Worker threads in all (default: the cores of the machine)
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4096))]
    threads: Option<u16>,
    /// Stop when the program takes more memory than this, as in 2Gi, and keep what is finished
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<memory::Limit>,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
}

/// Where results go.
#[derive(Args)]
pub(crate) struct Output {
    /// Write result files into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write into a directory that holds other files too; those of the same names are replaced
    #[arg(long)]
    force: bool,
    /// Write one page of HTML about the results into this file; it loads nothing from elsewhere
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print the summary as JSON instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is done with what a run that was stopped has finished.
#[derive(Args)]
pub(crate) struct Continuing {
    /// Go on with the cells that a run which was stopped has finished in the directory of --out, if there are any
    #[arg(long, requires = "out")]
    resume: bool,
    /// Discard them and begin anew; with --resume only if they are of another scenario or version
    #[arg(long, requires = "out")]
    fresh: bool,
    /// Run one of several parts alone, as in 3/16: `meshsim merge` puts them together
    #[arg(long, requires = "out", value_name = "N/OF", conflicts_with_all = ["json", "report"])]
    partition: Option<Part>,
}

impl Continuing {
    /// The part that this run is, if it is one.
    pub(crate) const fn part(&self) -> Option<Part> {
        self.partition
    }

    /// Where this run keeps its cells: in its folder, or until it ends.
    fn store(&self, folder: Option<&mut Folder>, owner: &Owner) -> Outcome<CellStore> {
        let leftover = Leftover { resume: self.resume, fresh: self.fresh };
        match folder {
            Some(folder) => Ok(folder.cells(owner, leftover)?),
            None => CellStore::temporary().map_err(|error| {
                Failure::machine(Problem::new(format!("cannot keep finished cells: {error}")))
            }),
        }
    }
}

/// Whether objectives decide about the exit code.
#[derive(Args)]
pub(crate) struct Enforcement {
    /// Exit with code 1 if an objective of the scenario does not hold under some strategy
    #[arg(long, conflicts_with = "partition")]
    enforce: bool,
}

impl Enforcement {
    /// Refuses to enforce objectives where there are none.
    pub(crate) fn needs_objectives(&self, are_some: bool) -> Checked<()> {
        if self.enforce && !are_some {
            let help = "write [[objective]] with a figure and a bound, or leave --enforce out";
            return Err(Problem::new("--enforce: the scenario has no objective").help(help).into());
        }
        Ok(())
    }

    /// How a command ends that otherwise would so, by whether all objectives hold.
    pub(crate) fn code(&self, code: Code, all_hold: bool) -> Code {
        let misses = self.enforce && !all_hold;
        if code == Code::Ok && misses { Code::Failed } else { code }
    }
}

/// How well a latency is to be known.
#[derive(Args)]
pub(crate) struct Precise {
    /// Go on with replications, ten at least, until a latency under every strategy is known to this share of it, as in 2%
    #[arg(long, value_name = "PERCENT", conflicts_with_all = ["partition", "request_log"])]
    precision: Option<String>,
    /// Which one: mean, p50, p90, p95 or p99 (default: mean)
    #[arg(long, value_name = "NAME", requires = "precision")]
    figure: Option<String>,
}

impl Precise {
    /// What is asked for about a plan.
    pub(crate) fn of(&self, plan: &ComparisonPlan) -> Checked<Option<Precision>> {
        let figure = self.figure.as_deref().unwrap_or("mean");
        self.precision.as_deref().map(|share| Precision::parse(share, figure, plan)).transpose()
    }

    /// What of it changes results.
    pub(crate) fn normal_form(&self) -> Vec<String> {
        let mut command = each("--precision", self.precision.as_slice());
        command.extend(each("--figure", self.figure.as_slice()));
        command
    }
}

/// How much is shown and kept of a comparison.
#[derive(Args)]
pub(crate) struct Detail {
    /// Also write every user request to requests.csv
    #[arg(long, requires = "out", conflicts_with_all = ["resume", "partition"])]
    pub(crate) request_log: bool,
    /// Also say where the time of the requests around the median and the p99 went: two further runs of the first replication
    #[arg(long, conflicts_with = "partition")]
    pub(crate) critical_path: bool,
    /// Also show what services and pods did
    #[arg(long, short, conflicts_with = "json")]
    pub(crate) verbose: bool,
}

impl ScenarioArgs {
    /// Opens the scenario; `extra` are settings of the command's own.
    pub(crate) fn open(&self) -> Checked<Scenario> {
        Scenario::open(&self.scenario, &self.settings()?)
    }

    /// The changes in normal form.
    pub(crate) fn normal_form(&self) -> Checked<Vec<String>> {
        Ok(self.settings()?.iter().map(|it| format!("{}={}", it.path, it.value)).collect())
    }

    /// The changes to the scenario.
    pub(crate) fn settings(&self) -> Checked<Vec<Setting>> {
        self.set.iter().map(|text| Setting::parse(text)).collect()
    }
}

impl Detail {
    /// What of it changes results.
    pub(crate) fn normal_form(&self) -> Vec<String> {
        let named = [("--request-log", self.request_log), ("--critical-path", self.critical_path)];
        named.into_iter().filter(|(_, is_asked)| *is_asked).map(|(name, _)| name.to_owned()).collect()
    }
}

impl Output {
    /// Whether results are to be written.
    pub(crate) const fn has_folder(&self) -> bool {
        self.out.is_some()
    }

    /// Whether files that others have written are replaced.
    pub(crate) const fn is_forced(&self) -> bool {
        self.force
    }

    /// Takes the folder for the results before the run, if they or a page of them are to be written.
    pub(crate) fn claim(&self) -> Checked<(Option<Folder>, Option<Page>)> {
        self.claim_beside(false)
    }

    /// The same where another file may be written, too.
    pub(crate) fn claim_beside(&self, another: bool) -> Checked<(Option<Folder>, Option<Page>)> {
        page::claim(self.out.as_deref(), self.report.as_deref(), (self.force, another))
    }
}

impl Running {
    /// Those of a command that runs a single replication.
    pub(crate) const fn of_one(seed: Option<u64>, threads: Option<u16>, quiet: bool) -> Self {
        Self { seed, replications: None, threads, max_memory: None, quiet }
    }

    /// Those of them that change results, in normal form.
    pub(crate) fn normal_form(&self) -> Vec<String> {
        let named = |name: &str, value: Option<String>| value.map(|value| [name.to_owned(), value]);
        let seed = named("--seed", self.seed.map(|it| it.to_string()));
        let replications = named("--replications", self.replications.map(|it| it.to_string()));
        seed.into_iter().chain(replications).flatten().collect()
    }

    /// What these arguments choose.
    pub(crate) fn choice(&self, strategies: Vec<String>, baseline: Option<String>) -> Choice {
        Choice { strategies, baseline, replications: self.replications, seed: self.seed }
    }

    /// Refuses to fix what a sweep varies.
    pub(crate) fn leaves(&self, axes: &[Axis]) -> Checked<()> {
        let fixed = [
            ("--seed", self.seed.is_some(), "run.seed"),
            ("--replications", self.replications.is_some(), "run.replications"),
        ];
        let both =
            fixed.into_iter().find(|(_, given, path)| *given && axes.iter().any(|axis| axis.path == *path));
        both.map_or(Ok(()), |(option, _, path)| {
            let problem = Problem::new(format!("{option} fixes {path}, and --set {path} varies it"));
            Err(problem.help("give one of them").into())
        })
    }

    /// A plan of one strategy: the named one, or the scenario's first.
    pub(crate) fn plan_of_one(&self, scenario: &Scenario, strategy: Option<&str>) -> Checked<ComparisonPlan> {
        let index = scenario.strategy(strategy)?;
        let chosen = index.map(|index| scenario.strategies()[index].clone()).into_iter().collect();
        ComparisonPlan::new(scenario, &self.choice(chosen, None))
    }

    /// Reads a file of measurements, and says what of it was not read.
    pub(crate) fn read_trace(&self, path: &Path, format: Option<Format>, strict: bool) -> Checked<Trace> {
        let reading = Reading::new(self.quiet);
        let progress = |progress| reading.advance(progress);
        let trace = read(path, &Options { format, strict, progress: &progress, ..Options::default() });
        reading.finish();
        let trace = trace?;
        let (file, found) = (path.display(), &trace.reading);
        found.first_bad.iter().for_each(diagnostics::warn);
        if found.bad > 0 {
            let all = found.good + found.bad;
            let bad = found.bad;
            diagnostics::warn(&format!(
                "{file}: {bad} of {all} records are bad and left out (--strict refuses them)"
            ));
        }
        found.notes.iter().for_each(|note| diagnostics::warn(&format!("{file}: {note}")));
        Ok(trace)
    }

    /// Runs `work` on its threads, with progress towards `total` seconds of simulated time.
    pub(crate) fn watch<T: Send>(&self, total: f64, work: impl FnOnce(&Watch<'_>) -> T + Send) -> Outcome<T> {
        self.max_memory.into_iter().for_each(memory::limit_to);
        let progress = Progress::new(total, self.quiet);
        let watch = Watch { cancel: interrupt::flag(), progress: &|seconds| progress.advance(seconds) };
        let result = self.on_threads(|| work(&watch));
        progress.finish();
        result
    }

    /// So many threads.
    pub(crate) fn thread_count(&self) -> usize {
        thread_count(self.threads)
    }

    /// Runs `work` on its threads.
    pub(crate) fn on_threads<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Outcome<T> {
        let threads = self.threads.map_or(0, usize::from);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let unable = |error| Failure::machine(Problem::new(format!("cannot start threads: {error}")));
        Ok(pool.map_err(unable)?.install(work))
    }
}

/// So many threads as are asked for, or as the machine has cores.
pub(crate) fn thread_count(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// A run that has begun.
pub(crate) struct Begun {
    /// Where its results go.
    pub(crate) folder: Option<Folder>,
    /// Where its cells are kept.
    pub(crate) store: CellStore,
    /// The page that is to be made of its results.
    pub(crate) page: Option<Page>,
    /// Whose they are.
    owner: Owner,
}

/// A run begins in its folder, of a scenario with this hash: takes the cells that it goes on with. Without an origin its
/// results cannot be made again.
pub(crate) fn begin(
    (mut folder, page): (Option<Folder>, Option<Page>),
    continuing: &Continuing,
    scenario_sha256: &str,
    origin: Option<&Origin>,
) -> Outcome<Begun> {
    let owner = Owner::of(scenario_sha256);
    let store = continuing.store(folder.as_mut(), &owner)?;
    if let (Some(folder), Some(origin)) = (&mut folder, origin) {
        folder.describe(origin.clone());
    }
    Ok(Begun { folder, store, page, owner })
}

/// Writes to standard output. Control characters other than ends of lines are shown as JSON writes them: what stands
/// in a file does nothing to a terminal.
///
/// # Errors
/// If not all could be written, also where its reader has gone away (`| head`): who asked for a result has not got it.
pub(crate) fn print(text: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(visible(text).as_bytes()).and_then(|()| out.flush());
    written
        .map_err(|error| Failure::machine(Problem::new(format!("cannot write to standard output: {error}"))))
}

/// Seconds at the start of a trace to leave out, if they are asked for.
pub(crate) fn trace_warm_up(asked: Option<f64>) -> Checked<Option<f64>> {
    if let Some(asked) = asked.filter(|asked| !asked.is_finite() || *asked < 0.0) {
        let problem = Problem::new(format!("--trace-warm-up {asked} is not a number of seconds"));
        return Err(problem.help("it is zero or more").into());
    }
    Ok(asked)
}

/// What is said of the cells that a run which was stopped has finished.
pub(crate) fn kept_cells(has_folder: bool, store: &CellStore) -> String {
    match store.count() {
        count @ 1.. if has_folder => {
            format!("; {count} finished cells are kept, with which --resume goes on")
        }
        _ => "; no cell is kept".to_owned(),
    }
}

/// An argument that may be given several times, in normal form.
pub(crate) fn each(name: &str, values: &[String]) -> Vec<String> {
    values.iter().flat_map(|value| [name.to_owned(), value.clone()]).collect()
}

/// How the run of a part ends: with a folder for `merge`, or not whole.
pub(crate) fn part_is_over(begun: Begun, part: Part, is_whole: bool) -> Outcome<Code> {
    let Begun { folder, store, owner, .. } = begun;
    if let Some(problems) = store.failure() {
        return Err(Failure::machine(problems));
    }
    let count = store.count();
    if !is_whole {
        let kept = format!("{count} finished cells are kept, with which --resume goes on");
        return not_whole(&store.broken(), &kept);
    }
    folder
        .map_or(Ok(()), |mut folder| folder.finish_part(&store, part, &owner.scenario_sha256))
        .map_err(Failure::machine)?;
    print(&format!("part {part} is finished: {count} cells; `meshsim merge` puts all parts together\n"))?;
    Ok(Code::Ok)
}

/// How a command ends of whose runs not all are finished: it was stopped, or some have failed; what is kept.
pub(crate) fn not_whole(broken: &[Broken], kept: &str) -> Outcome<Code> {
    const MOST_NAMED: usize = 10;
    broken.iter().take(MOST_NAMED).for_each(diagnostics::warn);
    let was_stopped = Watch { cancel: interrupt::flag(), progress: &|_| {} }.is_cancelled();
    if broken.is_empty() || was_stopped {
        return interrupted(kept);
    }
    let runs = if broken.len() == 1 { "a run has".to_owned() } else { format!("{} runs have", broken.len()) };
    diagnostics::warn(&format!("{runs} failed; {kept}"));
    Ok(Code::Failed)
}

/// Says that a signal stopped the command, and what is kept.
///
/// # Errors
/// If it was no signal but want of memory.
pub(crate) fn interrupted(kept: &str) -> Outcome<Code> {
    if let Some(problem) = memory::shortage(kept) {
        return Err(Failure::machine(problem));
    }
    diagnostics::warn(&format!("interrupted; {kept}"));
    Ok(Code::Interrupted)
}
