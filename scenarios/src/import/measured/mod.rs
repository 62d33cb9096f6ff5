//! What was measured of an application, as a scenario: its call graph, how often, how much, how long.
//!
//! # Models
//! A few queries (`queries`) over the standard metrics of Istio, cAdvisor and kube-state-metrics, at a moment over a window
//! before it; their answers (`answers`, from a server or a file) come to services and users (`metrics`), as do spans, beside them or alone
//! (`spans`). These are written as a scenario of their own (`scenario`), for which options say what no metric does (machines, links), or go over what manifests come
//! to; a report shows every query and every law with what speaks for it.
//!
//! # Assumptions
//! - A law is known as well as buckets or self times tell it (`shape`); where nothing tells it, it is exponential, which the report says.
//! - Metrics do not tell kinds of requests apart; spans beside them, or alone, do (`kinds`).
//! - A proxy costs what it costs by default.
//! - Latencies are seen by ingress gateways: the way from users to them is none of the mesh's. Effect: it is missing unless an overlay says
//!   `users.NAME.access`.
//!
//! # Source
//! mSvcBench/muPlacer, `GMA.py` (its telemetry); the names are cited in `queries`.

mod answers;
mod application;
mod kinds;
mod metrics;
mod missing;
mod queries;
mod report;
mod scenario;
mod seen;
mod server;
mod shape;
mod sharing;
mod spans;
#[cfg(test)]
mod tests;

pub use answers::Answers;
pub(crate) use application::{Application, Entry, Service, Work};
pub use server::Server;

use crate::import::manifests::{self, Link, Nodes, Overlay};
use crate::problem::{Checked, Problem, clip};
use crate::traces::Trace;
use meshsim_core::SimDuration;
use spans::Traced;
use std::collections::{BTreeMap, BTreeSet};

/// What was measured.
#[derive(Clone, Debug)]
pub struct Measured {
    application: Application,
    /// Over which window metrics were asked, if they were.
    window: Option<String>,
    /// What Prometheus did not have or warned of, in sentences.
    missing: Vec<String>,
}

/// What is asked of Prometheus over a window.
pub fn queries(window: &str) -> impl Iterator<Item = String> {
    queries::ALL.into_iter().map(move |it| it.over(window))
}

/// What is said beside it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the scenario is called.
    pub name: String,
    /// `--nodes`: machines of clusters.
    pub nodes: Vec<Nodes>,
    /// `--link`: links between clusters.
    pub links: Vec<Link>,
    /// `--overlay`: what no metric can say.
    pub overlay: Option<Overlay>,
}

/// What it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The scenario, as TOML.
    pub scenario: String,
    /// What was asked, found and assumed, as Markdown.
    pub report: String,
    /// Recorded arrivals beside it, by their names.
    pub files: Vec<(String, String)>,
}

impl Measured {
    /// Of answers over a window, as Prometheus writes durations, of spans, or of both.
    ///
    /// # Errors
    /// If an answer is of no use, or there are no calls.
    pub fn new(answers: Option<(&Answers, &str)>, trace: Option<&Trace>) -> Checked<Self> {
        match (answers, trace) {
            (Some((answers, window)), _) => {
                let mut measured = Self::of_block(answers, window)?;
                let application = &mut measured.application;
                if application.services.is_empty() {
                    let problem = Problem::new("there are no calls in the window");
                    return Err(problem
                        .help("is --at within what Prometheus has, and is there a mesh?")
                        .into());
                }
                // What is outside the mesh has no users, but callers.
                application.users.retain(|(_, to), _| application.services.contains_key(to));
                if let Some(trace) = trace {
                    Traced::new(trace, |it| application.services.contains_key(it))?.refine(application);
                }
                Ok(measured)
            }
            (None, Some(trace)) => {
                let application = Traced::new(trace, |_| true)?.application();
                Ok(Self { application, window: None, missing: Vec::new() })
            }
            (None, None) => Err(Problem::new("nothing was measured").into()),
        }
    }

    /// Of answers over a window in which there may be no calls, or none that anybody served.
    ///
    /// # Errors
    /// If an answer is of no use.
    pub fn of_block(answers: &Answers, window: &str) -> Checked<Self> {
        let seconds = Self::window_seconds("--window", window)?;
        let application = Application::of_answers(answers, (window, seconds))?;
        let missing = missing::missing(answers, window, &application)?;
        Ok(Self { application, window: Some(window.to_owned()), missing })
    }

    /// What Prometheus did not have or warned of, in sentences.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Clusters by the names of a scenario; what spans say no cluster of is in the only one of which nodes are said.
    fn in_named(&self, nodes: &[Nodes], mut names: BTreeMap<String, String>) -> Application {
        let clusters: BTreeSet<&String> = nodes.iter().map(|it| &it.cluster).collect();
        if let (1, Some(only)) = (clusters.len(), clusters.first()) {
            names.insert(String::new(), (*only).clone());
        }
        self.application.clone().renamed(&names)
    }

    /// What it says.
    pub(crate) const fn application(&self) -> &Application {
        &self.application
    }

    /// What is known without a measurement, as a test.
    #[cfg(test)]
    pub(crate) const fn of_application(application: Application) -> Self {
        Self { application, window: None, missing: Vec::new() }
    }

    /// The scenario that it comes to by itself.
    ///
    /// # Errors
    /// If an option is missing that says what no metric does, or the overlay does not fit.
    pub fn import(&self, options: &Options) -> Checked<Imported> {
        let application = self.in_named(&options.nodes, BTreeMap::new());
        let scenario = scenario::write(&application, options)?;
        let files = options.overlay.iter().flat_map(|it| it.recordings.clone()).collect();
        Ok(Imported { scenario, report: self.report(&application), files })
    }

    /// The scenario that manifests come to, with what was measured over it.
    ///
    /// # Errors
    /// As [`manifests::import`]; and if something was measured of which manifests know nothing.
    pub fn import_beside(&self, mut options: manifests::Options) -> Checked<manifests::Imported> {
        let none = Overlay::default();
        let names = options.overlay.as_ref().unwrap_or(&none).clusters_by_name();
        let application = self.in_named(&options.nodes, names);
        let with_users = !options.overlay.as_ref().is_some_and(Overlay::says_users);
        let text = scenario::behaviour(&application, with_users, true);
        options.measured = Some(manifests::Measured {
            overlay: Overlay::from_text("what was measured", &text)?,
            services: application.services.keys().cloned().collect(),
            called: application
                .services
                .values()
                .flat_map(|it| &it.calls)
                .map(|(to, _)| to.clone())
                .collect(),
            clusters: application.users.keys().map(|(cluster, _)| cluster.clone()).collect(),
        });
        let mut imported = manifests::import(&options)?;
        imported.report += "\n";
        imported.report += &self.report(&application);
        Ok(imported)
    }

    /// A window in seconds: a whole number of one unit, which both Prometheus and scenarios know.
    ///
    /// # Errors
    /// If the text, of this option, is none, or is shorter than a minute.
    pub fn window_seconds(option: &str, text: &str) -> Checked<f64> {
        let number = text.strip_suffix(['s', 'm', 'h', 'd']);
        let is_whole =
            number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()));
        let parsed = text.parse::<SimDuration>().ok().filter(|_| is_whole);
        parsed.filter(|it| *it >= SimDuration::from_secs(60)).map(SimDuration::as_secs_f64).ok_or_else(|| {
            let problem = Problem::new(format!("{option} `{}` is no window", clip(text)));
            problem.help("write a whole number with s, m, h or d, a minute or more, as in 30m").into()
        })
    }

    fn report(&self, application: &Application) -> String {
        report::text(application, self.window.as_deref(), &self.missing)
    }
}
