//! Runs a suite: every configuration against its measurement.

use super::paths;
use super::ranking::{Means, Pair, rank};
use super::read::{Configuration, Measured, Suite};
use super::schema::Mark;
use crate::document::Setting;
use crate::experiment::Watch;
use crate::experiment::compare::{Choice, ComparisonPlan};
use crate::experiment::store::CellStore;
use crate::library;
use crate::origin::{Origin, sha256};
use crate::problem::{Checked, Problem, Problems};
use crate::scenario::Scenario;
use crate::traces::{Options, read};
use crate::validate::arrivals::ArrivalsFrom;
use crate::validate::cpu_accounting::CpuAccounting;
use crate::validate::cpu_scale::differences;
use crate::validate::figures::FigureKey;
use crate::validate::run::{self, Measurement, Validation, run_cells, validate_stated};
use crate::validate::tolerance::{Verdict, did_not_hold};
use meshsim_core::stats::Estimate;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What a suite came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the suite.
    pub suite: String,
    /// What it is.
    pub description: String,
    /// What its page says before the table and after what came of it, in Markdown.
    #[serde(skip)]
    pub texts: [String; 2],
    /// Version of meshsim.
    pub version: &'static str,
    /// The configurations that finished, in the order of the file.
    pub configurations: Vec<Finished>,
    /// Pairs of configurations whose measured means differ significantly.
    pub ranking: Vec<Pair>,
    /// How many checks came to what.
    pub checks: Counts,
    /// Whether it was stopped before all configurations had finished.
    pub interrupted: bool,
}

/// A configuration that finished.
#[derive(Clone, Debug, Serialize)]
pub struct Finished {
    /// Its name.
    pub name: String,
    /// Whether it was used to fit the scenario.
    pub mark: Mark,
    /// What a reader should know.
    pub note: String,
    /// What came of it.
    pub validation: Validation,
}

/// Checks by what they came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The error is within the tolerance.
    pub hold: u32,
    /// It is above it.
    pub fail: u32,
    /// The measurement is too short to tell.
    pub too_short: u32,
}

impl Report {
    /// Whether every check held that could be told, and one could at least, as far as there are any;
    /// and the ranking with them.
    #[must_use]
    pub fn holds(&self) -> bool {
        let checks = self.configurations.iter().flat_map(|it| &it.validation.checks);
        !did_not_hold(checks) && self.ranking.iter().all(|pair| pair.holds)
    }
}

/// A suite whose files were read and whose scenarios were resolved.
pub struct Prepared {
    suite: Suite,
    cells: Vec<Cell>,
    /// What a user should know before the run, by configuration.
    pub warnings: Vec<String>,
}

struct Cell {
    plan: ComparisonPlan,
    measured: Against,
}

enum Against {
    Trace(Box<Measurement>),
    Stated(BTreeMap<FigureKey, Estimate>),
}

impl Suite {
    /// Reads the files of all configurations below `folder` and resolves their scenarios, so that a
    /// mistake is found before anything runs. `replications` and `seed` are those of the scenarios
    /// where `choice` has none.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn prepare(self, folder: &Path, choice: &Choice) -> Checked<Prepared> {
        let all: Vec<Checked<(Cell, Vec<String>)>> =
            self.configurations.par_iter().map(|it| self.cell(it, folder, choice)).collect();
        let (mut cells, mut warnings, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for one in all {
            match one {
                Ok((cell, more)) => {
                    cells.push(cell);
                    warnings.extend(more);
                }
                Err(Problems(more)) => problems.extend(more),
            }
        }
        if problems.is_empty() {
            Ok(Prepared { suite: self, cells, warnings })
        } else {
            Err(Problems(problems))
        }
    }

    /// Where a file of a configuration is, by its path in the suite.
    fn file(&self, folder: &Path, path: &str) -> PathBuf {
        self.kept.get(path).map_or_else(|| folder.join(path), |kept| self.folder.join(kept))
    }

    /// Where the results of a command in normal form come from, whose measurements are below `folder`. Nothing where scenarios
    /// are not all of the library or name files of the suite's, or a measurement is no plain file: these do not lie beside results.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn origin(&self, command: Vec<String>, folder: &Path) -> Checked<Option<Origin>> {
        let is_of_library = |it: &Configuration| {
            let names_file = |(setting, _): &(Setting, Range<usize>)| paths::names_file(&setting.path);
            library::scenario(&it.scenario).is_some() && !it.changes.iter().any(names_file)
        };
        if !self.configurations.iter().all(is_of_library) {
            return Ok(None);
        }
        let text = self.document.source().text.clone();
        let mut origin = Origin::new(command, Vec::new(), (text, None), Vec::new());
        let mut named: Vec<&String> = Vec::new();
        for it in &self.configurations {
            let Measured::Files { trace, spans, cpu, .. } = &it.source else { continue };
            for path in [Some(trace), spans.as_ref(), cpu.as_ref()].into_iter().flatten() {
                if !named.contains(&path) {
                    named.push(path);
                    let kept = origin.with_measurement(&self.file(folder, path), path.clone())?;
                    if kept.is_none() {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(origin))
    }

    fn cell(&self, it: &Configuration, folder: &Path, choice: &Choice) -> Checked<(Cell, Vec<String>)> {
        // A problem without a location is the configuration's.
        let named = |Problems(list): Problems| {
            let name = |problem: Problem| match problem.location {
                Some(_) => problem,
                None => Problem {
                    message: format!("configuration `{}`: {}", it.name, problem.message),
                    location: self.document.location(it.span.clone()),
                    ..problem
                },
            };
            Problems(list.into_iter().map(name).collect())
        };
        let Measured::Files { trace, spans, cpu, warm_up } = &it.source else {
            let plan = self.plan(it, &[], choice).map_err(named)?;
            let Measured::Stated(figures) = &it.source else { unreachable!("there are two kinds") };
            return Ok((Cell { plan, measured: Against::Stated(figures.clone()) }, Vec::new()));
        };
        let read_trace = |path: &String| read(&self.file(folder, path), &Options::default());
        let accounting = cpu.as_ref().map(|path| CpuAccounting::read(&self.file(folder, path))).transpose();
        let accounting = accounting.map_err(named)?;
        let mut plan = self.plan(it, &taken(it, accounting.as_ref()), choice).map_err(named)?;
        let own_rate = it.arrivals == Some(ArrivalsFrom::Scenario);
        let mut warnings: Vec<String> = Vec::new();
        if let Some(accounting) = &accounting {
            let found = differences(&plan.strategies[0], accounting, own_rate);
            warnings.extend(found.iter().map(ToString::to_string));
        }
        let requests = read_trace(trace).map_err(named)?;
        let hops = spans.as_ref().map(read_trace).transpose().map_err(named)?;
        for found in [Some(&requests), hops.as_ref()].into_iter().flatten().map(|it| &it.reading) {
            if found.bad > 0 {
                warnings.push(format!(
                    "{} of {} records are bad and left out",
                    found.bad,
                    found.good + found.bad
                ));
            }
        }
        let configured = plan.strategies[0].description.warm_up.as_secs_f64();
        let accounted = accounting.as_ref().map(|accounting| accounting.warm_up_seconds);
        let warm_up = warm_up_of(*warm_up, accounted, configured).map_err(|problem| named(problem.into()))?;
        let measurement =
            Measurement::new(&mut plan, requests, hops.as_ref(), accounting.as_ref(), warm_up, it.arrivals)
                .map_err(named)?;
        let keys: Vec<&str> = it.tolerances.0.keys().map(|key| key.name()).collect();
        if !keys.is_empty() && !measurement.keys().iter().any(|key| it.tolerances.0.contains_key(key)) {
            let problem =
                Problem::new(format!("nothing measured what its tolerances name: {}", keys.join(", ")));
            let help = "give the spans or the accounting that have it, or other tolerances";
            return Err(named(problem.help(help).into()));
        }
        let warnings = warnings.into_iter().map(|warning| format!("{}: {warning}", it.name)).collect();
        Ok((Cell { plan, measured: Against::Trace(Box::new(measurement)) }, warnings))
    }

    /// The scenario of a configuration with its changes, of which the suite's own win. What is wrong
    /// with one of these is said at its location in the suite.
    fn plan(&self, it: &Configuration, taken: &[Setting], choice: &Choice) -> Checked<ComparisonPlan> {
        let path = paths::scenario(&self.folder, &it.scenario);
        let own = it.changes.iter().map(|(setting, _)| paths::setting(&self.folder, &path, setting));
        let settings: Vec<Setting> = taken.iter().cloned().chain(own).collect();
        let strategies = it.strategy.clone().into_iter().collect();
        let choice = Choice { strategies, ..choice.clone() };
        let made = Scenario::open(&path, &settings).and_then(|scenario| {
            let mut plan = ComparisonPlan::new(&scenario, &choice)?;
            plan.strategies.truncate(1);
            plan.of.clone_from(&it.name);
            Ok(plan)
        });
        made.map_err(|Problems(list)| {
            Problems(list.into_iter().map(|problem| self.placed(it, problem)).collect())
        })
    }

    fn placed(&self, it: &Configuration, problem: Problem) -> Problem {
        let Some(location) = &problem.location else {
            let placed = self.problem(problem.message, it.span.clone());
            return Problem { help: problem.help, ..placed };
        };
        let of_setting = |(setting, _): &&(Setting, Range<usize>)| {
            location.source.name.strip_prefix("--set ") == Some(setting.path.as_str())
        };
        // The last of equal paths wins.
        let Some((_, span)) = it.changes.iter().rfind(of_setting) else { return problem };
        let placed = self.problem(problem.message, span.clone());
        Problem { help: problem.help, ..placed }
    }
}

/// How much of a trace's start is left out (s). CPU accounting covers what comes after the traced
/// run's own warm-up, and so must the requests.
///
/// # Errors
/// If the asked for is not that of the accounting.
pub fn warm_up_of(asked: Option<f64>, accounted: Option<f64>, configured: f64) -> Result<f64, Problem> {
    let Some(asked) = asked else { return Ok(accounted.unwrap_or(configured)) };
    match accounted {
        Some(accounted) if (accounted - asked).abs() > 0.5 => {
            let message =
                format!("the trace's warm-up of {asked} s is not that of the CPU accounting, {accounted} s");
            Err(Problem::new(message).help("leave it out: the accounting decides"))
        }
        _ => Ok(asked),
    }
}

/// The values of the CPU accounting's file, where the scenario is to have them.
fn taken(it: &Configuration, accounting: Option<&CpuAccounting>) -> Vec<Setting> {
    let Some(accounting) = accounting else { return Vec::new() };
    let from = &it.from_cpu;
    let added = from.rtt_added.map_or(0.0, |added| added.0.as_millis_f64());
    let services: Vec<String> = accounting.offload.iter().map(|service| format!("\"{service}\"")).collect();
    let plane = |sidecars: bool| if sidecars { "sidecar" } else { "none" };
    let values = [
        (&from.rate, accounting.rate_per_s.map(|rate| format!("\"{rate}/s\""))),
        (&from.rtt, accounting.rtt_ms.map(|rtt| format!("\"{}ms\"", rtt + added))),
        (&from.services, Some(format!("[{}]", services.join(", ")))),
        (&from.mtls, accounting.mtls.map(|mtls| mtls.to_string())),
        (&from.data_plane, accounting.sidecars.map(|sidecars| plane(sidecars).to_owned())),
    ];
    let setting = |(path, value): (&Option<String>, Option<String>)| {
        Some(Setting { path: path.clone()?, value: value? })
    };
    values.into_iter().filter_map(setting).collect()
}

impl Prepared {
    /// Simulated time of all configurations (s).
    #[must_use]
    pub fn simulated_seconds(&self) -> f64 {
        self.cells.iter().map(|cell| cell.plan.simulated_seconds()).sum()
    }

    /// Hash of everything that its cells depend on.
    #[must_use]
    pub fn sha256(&self) -> String {
        let all: String = self.cells.iter().map(|cell| run::sha256(&cell.plan)).collect();
        sha256(all.as_bytes())
    }

    /// How many cells each configuration has: one per replication.
    #[must_use]
    pub fn cell_counts(&self) -> Vec<usize> {
        self.cells.iter().map(|cell| cell.plan.replications as usize).collect()
    }

    /// Runs those cells that are not in the store, of each configuration, by its index, which `which` says, on the threads of
    /// the current rayon pool, and keeps each there as it finishes. False if not all are there then.
    ///
    /// What cannot be kept interrupts it: see [`CellStore::failure`].
    pub fn run_cells(
        &self,
        store: &CellStore,
        which: impl Fn(usize) -> Range<usize> + Sync,
        watch: &Watch<'_>,
    ) -> bool {
        let of = |(index, cell): (usize, &Cell)| run_cells(&cell.plan, store, which(index), watch);
        self.cells.par_iter().enumerate().map(of).reduce(|| true, |a, b| a && b)
    }

    /// What the cells of a store come to; configurations of which not all are there are left out.
    ///
    /// # Errors
    /// If in one of them no simulated request succeeded.
    pub fn report(&self, store: &CellStore) -> Checked<Report> {
        let all: Vec<Checked<Option<Finished>>> = self
            .suite
            .configurations
            .par_iter()
            .zip(&self.cells)
            .map(|(it, cell)| cell.finished(it, store))
            .collect();
        let all: Vec<Option<Finished>> = all.into_iter().collect::<Checked<_>>()?;
        let interrupted = all.iter().any(Option::is_none);
        let configurations: Vec<Finished> = all.into_iter().flatten().collect();
        let means: Vec<Means> = configurations.iter().filter_map(means_of).collect();
        Ok(Report {
            suite: self.suite.name.clone(),
            description: self.suite.description.clone(),
            texts: self.suite.texts.clone(),
            version: env!("CARGO_PKG_VERSION"),
            ranking: rank(&means),
            checks: count(&configurations),
            configurations,
            interrupted,
        })
    }
}

impl Cell {
    fn finished(&self, it: &Configuration, store: &CellStore) -> Checked<Option<Finished>> {
        let validation = match &self.measured {
            Against::Trace(measurement) => measurement.validate(&self.plan, &it.tolerances, store)?,
            Against::Stated(figures) => validate_stated(&self.plan, figures, &it.tolerances, store)?,
        };
        let trace = match &it.source {
            Measured::Files { trace, .. } => trace.as_str(),
            Measured::Stated(_) => "",
        };
        Ok(validation.map(|validation| Finished {
            name: it.name.clone(),
            mark: it.mark,
            note: it.note.clone(),
            validation: validation.of(&it.scenario, trace),
        }))
    }
}

/// Means of a configuration that has a trace: published ones are of other machines.
fn means_of(it: &Finished) -> Option<Means> {
    let mean = it.validation.figures.iter().find(|row| row.figure == FigureKey::Mean)?;
    let has_trace = it.validation.trace_requests > 0;
    has_trace.then(|| Means {
        name: it.name.clone(),
        measured: mean.measured,
        simulated: mean.simulated.value,
    })
}

fn count(configurations: &[Finished]) -> Counts {
    let mut counts = Counts::default();
    for check in configurations.iter().flat_map(|it| &it.validation.checks) {
        *match check.verdict {
            Verdict::Holds => &mut counts.hold,
            Verdict::Fails => &mut counts.fail,
            Verdict::TooShort => &mut counts.too_short,
        } += 1;
    }
    counts
}
