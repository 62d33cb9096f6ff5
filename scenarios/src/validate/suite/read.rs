//! Reads a suite's file: every configuration with the defaults filled in, or all that is wrong.

use super::schema::{FromCpu, Head, Mark, Settings, Stated, SuiteText, ToleranceText};
use crate::document::{Document, Setting};
use crate::library;
use crate::origin::{self, Origin};
use crate::problem::{Checked, Problem, Problems, nearest};
use crate::scenario::read_text;
use crate::schema::quantity::Quantity;
use crate::validate::arrivals::ArrivalsFrom;
use crate::validate::figures::FigureKey;
use crate::validate::tolerance::{Tolerances, parse};
use meshsim_core::SimDuration;
use meshsim_core::stats::{Estimate, Interval};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// A suite, ready to be given its traces.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// What its page says before the table and after what came of it, in Markdown.
    pub texts: [String; 2],
    /// Its configurations, in the order of the file.
    pub configurations: Vec<Configuration>,
    /// The folder that its relative paths begin at: its file's; of a suite of the library, the one that the program
    /// was started in.
    pub folder: PathBuf,
    /// Of results that are made again: the files beside them, by their paths in the suite.
    pub(super) kept: BTreeMap<String, String>,
    pub(super) document: Document,
}

/// One measured configuration, and how it is simulated.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Its name.
    pub name: String,
    /// Whether it was used to fit the scenario.
    pub mark: Mark,
    /// What a reader of its results should know.
    pub note: String,
    /// A library scenario or a path.
    pub scenario: String,
    /// The strategy; the scenario's first without one.
    pub strategy: Option<String>,
    /// What was measured.
    pub source: Measured,
    /// Where arrivals come from: the trace's rate if nothing is asked for, as far as there is one.
    pub arrivals: Option<ArrivalsFrom>,
    /// Where values of the CPU accounting go in the scenario.
    pub from_cpu: FromCpu,
    /// Changes of the scenario, each with its location in the file.
    pub changes: Vec<(Setting, Range<usize>)>,
    /// The allowed errors.
    pub tolerances: Tolerances,
    /// The location of its name in the file.
    pub span: Range<usize>,
}

/// What was measured of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// Files, by their paths below the folder of traces.
    Files {
        /// Requests.
        trace: String,
        /// Hops, if they are in a file of their own.
        spans: Option<String>,
        /// CPU accounting.
        cpu: Option<String>,
        /// How much of the trace's start is left out (s); that of the accounting, or else of the
        /// scenario, without it.
        warm_up: Option<f64>,
    },
    /// Published figures.
    Stated(BTreeMap<FigureKey, Estimate>),
}

impl Suite {
    /// Opens a suite by the name of a library suite or by a path. The path of a folder of results is that of the suite that they
    /// come from.
    ///
    /// # Errors
    /// If there is none, it cannot be read, is not TOML, has a key that is unknown, missing or of the
    /// wrong kind, no configuration, two of one name, or a tolerance or figure that is none.
    pub fn open(name_or_path: &str) -> Checked<Self> {
        let path = Path::new(name_or_path);
        if library::suite(name_or_path).is_none() && origin::is_of_results(path) {
            let Origin { about, text, .. } = Origin::read(path)?;
            let document = Document::new(&path.join(origin::SCENARIO).display().to_string(), &text);
            let kept = about.measurements.into_iter().map(|it| (it.path, it.file)).collect();
            return Ok(Self { kept, ..Self::read(document, path)? });
        }
        let (document, folder) = match library::suite(name_or_path) {
            Some(text) => (Document::new(&format!("{name_or_path}.suite.toml"), text), Path::new("")),
            None => {
                let text = read_text(path).map_err(|problem| suggest(name_or_path, problem))?;
                (Document::new(name_or_path, &text), path.parent().unwrap_or(Path::new("")))
            }
        };
        Self::read(document, folder)
    }

    fn read(document: Document, folder: &Path) -> Checked<Self> {
        let mut tree = document.parse()?;
        let configurations = tree.get_mut().remove("configuration");
        let span = tree.span();
        let default_changes = match tree.get_mut().get_mut("defaults").map(Spanned::get_mut) {
            Some(DeValue::Table(defaults)) => take_changes(&document, defaults)?,
            _ => Vec::new(),
        };
        let text = SuiteText::deserialize(Deserializer::from(tree))
            .map_err(|error| Problems::from(document.explain(&error)))?;
        let Some(DeValue::Array(entries)) = configurations.map(Spanned::into_inner) else {
            let problem = document.problem("the suite has no list of configurations", span.start..span.start);
            return Err(problem.help("write [[configuration]]").into());
        };
        let mut problems = Vec::new();
        let mut found: Vec<Configuration> = Vec::new();
        for entry in entries {
            match configuration(&document, entry, &text.defaults, &default_changes) {
                Ok(it) => match found.iter().find(|known| known.name == it.name) {
                    Some(_) => problems.push(
                        document
                            .problem(format!("two configurations are named `{}`", it.name), it.span)
                            .help("give each a name of its own"),
                    ),
                    None => found.push(it),
                },
                Err(Problems(more)) => problems.extend(more),
            }
        }
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let SuiteText { name, description, introduction, remarks, .. } = text;
        let texts = [introduction, remarks].map(|text| text.trim().to_owned());
        let (folder, kept) = (folder.to_owned(), BTreeMap::new());
        Ok(Self { name, description, texts, configurations: found, folder, kept, document })
    }

    /// Keeps the configurations of these names alone; all of them if there are none.
    ///
    /// # Errors
    /// If there is no configuration of a name.
    pub fn only(mut self, names: &[String]) -> Checked<Self> {
        let known = |name: &&String| !self.configurations.iter().any(|it| it.name == **name);
        let unknown: Vec<Problem> = names
            .iter()
            .filter(known)
            .map(|name| {
                let all = self.configurations.iter().map(|it| it.name.as_str());
                let help = match nearest(name, all.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it has `{}`", all.collect::<Vec<_>>().join("`, `")),
                };
                Problem::new(format!("the suite has no configuration `{name}`")).help(help)
            })
            .collect();
        if !unknown.is_empty() {
            return Err(Problems(unknown));
        }
        self.configurations.retain(|it| names.is_empty() || names.contains(&it.name));
        Ok(self)
    }

    /// A problem at a location of its file.
    pub(super) fn problem(&self, message: impl Into<String>, span: Range<usize>) -> Problem {
        self.document.problem(message, span)
    }
}

fn suggest(name: &str, problem: Problem) -> Problem {
    if name.contains(['/', '.']) {
        return problem;
    }
    let names: Vec<&str> = library::suite_names().collect();
    problem.help(format!("give a path, or one of the library's suites: {}", names.join(", ")))
}

/// Takes `set` out of a table: its values with their paths and locations.
fn take_changes(document: &Document, table: &mut DeTable<'_>) -> Checked<Vec<(Setting, Range<usize>)>> {
    let Some(set) = table.remove("set") else { return Ok(Vec::new()) };
    let span = set.span();
    let DeValue::Table(changes) = set.into_inner() else {
        let problem = document.problem("`set` is not a table of changes", span);
        return Err(problem.help("write set.PATH = VALUE, as in set.users.edge1.rate = \"6/s\"").into());
    };
    let mut found = Vec::new();
    flatten(&changes, &mut Vec::new(), &mut found);
    Ok(found)
}

fn flatten(table: &DeTable<'_>, path: &mut Vec<String>, found: &mut Vec<(Setting, Range<usize>)>) {
    for (key, value) in table {
        path.push(key.get_ref().clone().into_owned());
        match value.get_ref() {
            DeValue::Table(inner) => flatten(inner, path, found),
            plain => found.push((Setting::of_value(path, plain), value.span())),
        }
        path.pop();
    }
}

fn configuration(
    document: &Document,
    entry: Spanned<DeValue<'_>>,
    defaults: &Settings,
    default_changes: &[(Setting, Range<usize>)],
) -> Checked<Configuration> {
    let span = entry.span();
    let DeValue::Table(mut table) = entry.into_inner() else {
        return Err(document
            .problem("a configuration is not a table", span)
            .help("write [[configuration]]")
            .into());
    };
    let mut changes = default_changes.to_vec();
    changes.extend(take_changes(document, &mut table)?);
    let mut head = DeTable::new();
    for key in ["name", "mark", "note", "measured"] {
        if let Some((key, value)) = table.remove_entry(key) {
            head.insert(key, value);
        }
    }
    let wrong = |error: toml::de::Error| Problems::from(document.explain(&error));
    let head = Head::deserialize(Deserializer::from(Spanned::new(span.clone(), head))).map_err(wrong)?;
    let own = Settings::deserialize(Deserializer::from(Spanned::new(span, table))).map_err(wrong)?;
    combine(document, head, own, defaults, changes)
}

/// A configuration with the defaults where it says nothing itself.
fn combine(
    document: &Document,
    head: Head,
    own: Settings,
    defaults: &Settings,
    changes: Vec<(Setting, Range<usize>)>,
) -> Checked<Configuration> {
    let mut problems = Vec::new();
    let (span, name) = (head.name.span(), head.name.into_inner());
    let text = |own: &Option<Spanned<String>>, default: &Option<Spanned<String>>| {
        own.as_ref().or(default.as_ref()).map(|text| text.get_ref().replace("{name}", &name))
    };
    // An empty text takes a default away.
    let path = |own, default| text(own, default).filter(|path| !path.is_empty());
    let source = match &head.measured {
        Some(stated) => {
            if let Some(trace) = &own.trace {
                let message = format!("`{name}` has both a trace and measured figures");
                problems.push(document.problem(message, trace.span()).help("keep one of them"));
            }
            Measured::Stated(stated_figures(document, stated, &mut problems))
        }
        None => Measured::Files {
            trace: path(&own.trace, &defaults.trace).unwrap_or_else(|| {
                let problem = document.problem(format!("`{name}` has no trace"), span.clone());
                problems.push(problem.help("give `trace`, or `measured` figures"));
                String::new()
            }),
            spans: path(&own.spans, &defaults.spans),
            cpu: path(&own.cpu, &defaults.cpu),
            warm_up: own.warm_up.or(defaults.warm_up).map(|it| it.0.as_secs_f64()),
        },
    };
    let scenario = text(&own.scenario, &defaults.scenario).unwrap_or_else(|| {
        let problem = document.problem(format!("`{name}` has no scenario"), span.clone());
        problems.push(problem.help("give `scenario`, the name of a library scenario or a path"));
        String::new()
    });
    // What is published has tolerances of its own only.
    let nothing = ToleranceText::default();
    let shared = if head.measured.is_some() { &nothing } else { &defaults.tolerance };
    let tolerances = tolerances(document, &own.tolerance, shared, &mut problems);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let arrivals = own.arrivals.or(defaults.arrivals);
    Ok(Configuration {
        mark: head.mark,
        note: head.note,
        scenario,
        strategy: text(&own.strategy, &defaults.strategy),
        source,
        arrivals,
        from_cpu: own.from_cpu.or_else(|| defaults.from_cpu.clone()).unwrap_or_default(),
        changes,
        tolerances,
        span,
        name,
    })
}

impl ToleranceText {
    fn all(&self) -> [(FigureKey, &Option<Spanned<String>>); 12] {
        [
            (FigureKey::Mean, &self.mean),
            (FigureKey::P50, &self.p50),
            (FigureKey::P90, &self.p90),
            (FigureKey::P95, &self.p95),
            (FigureKey::P99, &self.p99),
            (FigureKey::DashboardP90, &self.dashboard_p90),
            (FigureKey::Ks, &self.ks),
            (FigureKey::Wasserstein, &self.wasserstein),
            (FigureKey::Failed, &self.failed),
            (FigureKey::CpuSplit, &self.cpu_split),
            (FigureKey::Served, &self.served),
            (FigureKey::Rounds, &self.rounds),
        ]
    }
}

fn tolerances(
    document: &Document,
    own: &ToleranceText,
    defaults: &ToleranceText,
    problems: &mut Vec<Problem>,
) -> Tolerances {
    let mut found = Tolerances::default();
    for ((key, own), (_, default)) in own.all().into_iter().zip(defaults.all()) {
        let Some(text) = own.as_ref().or(default.as_ref()) else { continue };
        if text.get_ref() == "none" {
            continue;
        }
        match parse(key, text.get_ref()) {
            Ok(tolerance) => {
                found.0.insert(key, tolerance);
            }
            Err(problem) => {
                let placed = document.problem(problem.message, text.span());
                problems.push(Problem { help: problem.help, ..placed });
            }
        }
    }
    found
}

fn stated_figures(
    document: &Document,
    stated: &Spanned<Stated>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<FigureKey, Estimate> {
    let written = stated.get_ref();
    let all = [
        (FigureKey::Mean, &written.mean),
        (FigureKey::P50, &written.p50),
        (FigureKey::P90, &written.p90),
        (FigureKey::P95, &written.p95),
        (FigureKey::P99, &written.p99),
        (FigureKey::DashboardP90, &written.dashboard_p90),
    ];
    let ms = |time: &Quantity<SimDuration>| time.0.as_millis_f64();
    let mut found = BTreeMap::new();
    for (key, values) in all {
        let Some(values) = values else { continue };
        let estimate = match values.get_ref().as_slice() {
            [value] => Estimate { value: ms(value), interval: None, samples: 1 },
            [value, low, high] if low.0 <= value.0 && value.0 <= high.0 => {
                let interval = Some(Interval { low: ms(low), high: ms(high) });
                Estimate { value: ms(value), interval, samples: 1 }
            }
            _ => {
                let problem =
                    document.problem(format!("`{}` is no measured figure", key.name()), values.span());
                problems.push(problem.help("write [VALUE], or [VALUE, LOW, HIGH] with LOW <= VALUE <= HIGH"));
                continue;
            }
        };
        found.insert(key, estimate);
    }
    if found.is_empty() && problems.is_empty() {
        let problem = document.problem("`measured` has no figure", stated.span());
        problems.push(problem.help("give one or more of mean, p50, p90, p95, p99, dashboard_p90"));
    }
    found
}
