//! What a figure is, and how its values come from cells.
//!
//! # Models
//! A cell is one strategy in one replication. A figure has a value of all, or values of clusters, services, groups of requests
//! and the like, which labels tell apart. [`super::figures`] lists them.
//!
//! # Assumptions
//! A figure of all requests is the mean over replications of what each comes to, but for quantiles and counts, which are those
//! of all requests together.

use super::estimates::{Latencies, over_replications};
use super::value::Value;
use crate::experiment::groups::{Groups, Which, kind_name};
use crate::experiment::objective::Figure as Statistic;
use crate::experiment::replication::{Figures, QUANTILES};
use crate::experiment::user_requests::Counts;
use meshsim_core::Id;
use meshsim_core::stats::{Estimate, Histogram};
use meshsim_models::world::description::Description;
use std::collections::BTreeMap;
use std::fmt;

/// A figure.
pub struct Figure {
    /// Its name in results.
    pub name: &'static str,
    /// Its unit; a share and a number per request have `1`.
    pub unit: &'static str,
    /// What tells its values apart.
    pub by: &'static [Dimension],
    /// What it says.
    pub sentence: &'static str,
    /// Its column in the terminal's table of traffic, if it has one.
    pub column: Option<Column>,
    pub(super) of: Of,
}

/// A column of the terminal's table of traffic.
pub struct Column {
    /// Its head.
    pub head: &'static str,
    /// Digits after the point.
    pub digits: usize,
    /// Its unit, in that of the figure.
    pub per: f64,
}

/// What tells values of a figure apart: a column of tidy tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// A cluster; of what is sent, that of the client.
    Cluster,
    /// The cluster of the pod that was chosen.
    ToCluster,
    /// A service.
    Service,
    /// An application, where there are several.
    Application,
    /// A group of users, where there are several.
    UserGroup,
    /// A kind of request, where there are several.
    RequestKind,
    /// How requests ended: by status and Envoy's flag.
    Outcome,
    /// An objective, by its number in the scenario.
    Objective,
}

impl Dimension {
    /// All, in the order of the columns.
    pub const ALL: [Self; 8] = [
        Self::Cluster,
        Self::ToCluster,
        Self::Service,
        Self::Application,
        Self::UserGroup,
        Self::RequestKind,
        Self::Outcome,
        Self::Objective,
    ];

    /// The name of its column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::ToCluster => "to_cluster",
            Self::Service => "service",
            Self::Application => "application",
            Self::UserGroup => "user_group",
            Self::RequestKind => "request_kind",
            Self::Outcome => "outcome",
            Self::Objective => "objective",
        }
    }
}

/// Which value of a figure: empty for all there is.
pub type Labels = BTreeMap<Dimension, String>;

/// A value of a figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which figure.
    pub figure: &'static Figure,
    /// Which of its values.
    pub labels: Labels,
    /// The value.
    pub value: Value,
}

/// The cells of a strategy.
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    /// What was run.
    pub description: &'a Description,
    /// What each replication came to.
    pub figures: &'a [&'a Figures],
    /// Whether no part of a run is meant to differ from another.
    pub settles: bool,
}

pub(super) type Rows = Vec<(Labels, Value)>;
pub(super) type Applies = fn(&Description) -> bool;

/// How it comes from cells.
pub(super) enum Of {
    /// A number of each replication.
    Cell(fn(&Figures) -> f64),
    /// A number of everything of a kind in each replication: the names, and the number of each by its index.
    Each(fn(&Description) -> Vec<String>, fn(&Figures, usize) -> f64),
    /// Of the requests of all, and of every group.
    Statistic(Statistic),
    /// How many requests, likewise; where it means something.
    Count(fn(&Counts) -> u64, Applies),
    /// How many requests by outcome, likewise.
    Outcomes(fn(&Counts) -> &BTreeMap<String, u64>),
    /// Rows of its own.
    Rows(fn(&Cells<'_>) -> Rows),
    /// Of more than the cells of a strategy: what makes a summary adds its rows.
    Added,
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Figure {
    pub(super) const fn shown(mut self, head: &'static str, digits: usize, per: f64) -> Self {
        self.column = Some(Column { head, digits, per });
        self
    }

    /// Its estimate over the replications, of all requests or of those of a group, by its index; nothing if it has no such
    /// value.
    #[must_use]
    pub fn estimate(&self, cells: &Cells<'_>, group: Option<usize>) -> Option<Estimate> {
        let figures = cells.figures;
        match (&self.of, group) {
            (Of::Cell(of), None) => over_replications(figures, of),
            (Of::Statistic(statistic), _) => {
                let latencies = || match group {
                    Some(index) => Latencies::of_group(figures, index, cells.settles),
                    None => Latencies::new(figures, cells.settles),
                };
                match *statistic {
                    Statistic::Mean => latencies().mean(),
                    Statistic::Quantile(index) => latencies().quantile(index),
                    _ => over_replications(figures, |it| self.of_cell(it, group)),
                }
            }
            _ => None,
        }
    }

    /// What a single replication comes to, likewise; not a number where it has no such value.
    pub(super) fn of_cell(&self, figures: &Figures, group: Option<usize>) -> f64 {
        match &self.of {
            Of::Cell(of) => of(figures),
            Of::Statistic(statistic) => {
                let (counts, histogram) = match group {
                    Some(index) => (&figures.groups[index].counts, &figures.groups[index].histogram),
                    None => (&figures.counts, &figures.histogram),
                };
                statistic_of(*statistic, counts, histogram)
            }
            _ => f64::NAN,
        }
    }

    /// Whether `summary.json` has its numbers alone, and their intervals in `ci95`.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self.of, Of::Cell(_) | Of::Each(..))
    }

    pub(super) fn rows(&self, cells: &Cells<'_>, whose: &[(Option<usize>, Labels)]) -> Rows {
        let Cells { description, figures, .. } = *cells;
        match &self.of {
            Of::Cell(_) => vec![(Labels::new(), self.estimate(cells, None).into())],
            Of::Count(_, applies) if !applies(description) => Vec::new(),
            Of::Each(names, of) => names(description)
                .into_iter()
                .enumerate()
                .map(|(index, name)| {
                    let labels = self.by.iter().map(|dimension| (*dimension, name.clone())).collect();
                    (labels, over_replications(figures, |it| of(it, index)).into())
                })
                .collect(),
            Of::Statistic(_) => whose
                .iter()
                .map(|(group, labels)| (labels.clone(), self.estimate(cells, *group).into()))
                .collect(),
            Of::Count(of, _) => whose
                .iter()
                .map(|(group, labels)| {
                    let sum: u64 = figures.iter().map(|it| of(counts(it, *group))).sum();
                    (labels.clone(), plain(sum as f64))
                })
                .collect(),
            Of::Outcomes(of) => whose
                .iter()
                .flat_map(|(group, labels)| {
                    let mut sums: BTreeMap<&String, u64> = BTreeMap::new();
                    for (outcome, count) in figures.iter().flat_map(|it| of(counts(it, *group))) {
                        *sums.entry(outcome).or_default() += count;
                    }
                    sums.into_iter().map(move |(outcome, sum)| {
                        let mut labels = labels.clone();
                        labels.insert(Dimension::Outcome, outcome.clone());
                        (labels, plain(sum as f64))
                    })
                })
                .collect(),
            Of::Rows(rows) => rows(cells),
            Of::Added => Vec::new(),
        }
    }
}

pub(super) const fn plain(value: f64) -> Value {
    Value { value, ci95: None }
}

fn counts(figures: &Figures, group: Option<usize>) -> &Counts {
    group.map_or(&figures.counts, |index| &figures.groups[index].counts)
}

/// Labels of those dimensions that have a name.
pub(super) fn labelled<const N: usize>(all: [(Dimension, Option<String>); N]) -> Labels {
    all.into_iter().filter_map(|(dimension, name)| Some((dimension, name?))).collect()
}

/// All requests, and every group of them by its index, with its labels.
pub(super) fn whose(description: &Description) -> Vec<(Option<usize>, Labels)> {
    let labels = |which: &Which| {
        let users = which.users.map(|it| description.populations[it.index()].name.clone());
        let kind = which.request.map(|it| kind_name(description, it));
        let tenant = which.tenant.map(|it| description.application.tenants[usize::from(it)].clone());
        labelled([
            (Dimension::Application, tenant),
            (Dimension::UserGroup, users),
            (Dimension::RequestKind, kind),
        ])
    };
    let groups = Groups::new(description);
    let of_groups = groups.which().iter().enumerate().map(|(index, it)| (Some(index), labels(it)));
    std::iter::once((None, Labels::new())).chain(of_groups).collect()
}

/// A figure of requests that ended so, and of these latencies (ns): ms, or a share.
fn statistic_of(statistic: Statistic, counts: &Counts, histogram: &Histogram) -> f64 {
    let failed = counts.failed.values().sum::<u64>() as f64;
    let ended = failed + counts.completed as f64;
    let nanos = match statistic {
        Statistic::Mean => histogram.sum() as f64 / histogram.count() as f64,
        Statistic::Quantile(index) => histogram.quantile(QUANTILES[index]).map_or(f64::NAN, |it| it as f64),
        Statistic::Failures => return failed / ended,
        Statistic::Availability => return counts.completed as f64 / ended,
    };
    nanos / 1e6
}
