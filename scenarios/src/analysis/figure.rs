//! What a figure is, and how its values come from cells.
//!
//! # Models
//! A cell is one strategy in one replication. A figure has a value of all, or values of clusters, services, groups of requests
//! and the like, which labels tell apart. [`super::figures`] lists them.
//!
//! # Assumptions
//! A figure of all requests is the mean over replications of what each comes to, but for quantiles and counts, which are those
//! of all requests together.

pub use super::dimension::{Dimension, Labels};
use super::estimates::{Latencies, over_replications};
use super::value::Value;
use crate::experiment::groups::{Groups, Which, kind_name};
use crate::experiment::replication::{Figures, QUANTILES};
use crate::experiment::user_requests::Counts;
use meshsim_core::Id;
use meshsim_core::stats::Estimate;
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

/// Before the names of latencies.
pub(super) const LATENCY: &str = "latency_ms.";

pub(super) type Rows = Vec<(Labels, Value)>;
pub(super) type Applies = fn(&Description) -> bool;

/// A figure of requests that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistic {
    /// Mean latency of the successful ones.
    Mean,
    /// A quantile of their latency, by its index in [`QUANTILES`].
    Quantile(usize),
    /// Share of those that failed.
    Failures,
    /// Share of those that succeeded.
    Availability,
}

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
    /// The same without those whose value is zero.
    Sparse(fn(&Cells<'_>) -> Rows),
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

    /// Its name in tables and sentences: that of a latency alone.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        self.name.strip_prefix(LATENCY).unwrap_or(self.name)
    }

    /// Whether it has values of groups of requests beside that of all.
    #[must_use]
    pub const fn is_of_requests(&self) -> bool {
        matches!(self.of, Of::Statistic(_))
    }

    /// Why no objective can bound it, if none can.
    #[must_use]
    pub const fn why_unbounded(&self) -> Option<&'static str> {
        match self.of {
            Of::Count(..) | Of::Outcomes(_) => {
                Some("it grows with the length of a run: bound `failures` or `availability`")
            }
            Of::Added => Some("it comes from more than the runs of a strategy"),
            _ => None,
        }
    }

    /// Whether runs of this may have its value with these labels.
    #[must_use]
    pub fn may_have(&self, description: &Description, labels: &Labels) -> bool {
        match self.of {
            Of::Each(names, _) => labels.values().all(|it| names(description).contains(it)),
            _ => true,
        }
    }

    /// Its only value for requests of a group, by its index, or of all, and with these labels; not a number where it has none.
    #[must_use]
    pub fn value(&self, cells: &Cells<'_>, group: Option<usize>, labels: &Labels) -> Value {
        if matches!(self.of, Of::Cell(_) | Of::Statistic(_)) {
            return self.estimate(cells, group).into();
        }
        let found = self.rows(cells, &[]).into_iter().find(|(own, _)| own == labels).map(|(_, value)| value);
        let nothing = if matches!(self.of, Of::Sparse(_)) { 0.0 } else { f64::NAN };
        found.unwrap_or(plain(nothing))
    }

    /// Its estimate over the replications, of all requests or of those of a group, by its index; nothing if it has no such
    /// value.
    #[must_use]
    pub fn estimate(&self, cells: &Cells<'_>, group: Option<usize>) -> Option<Estimate> {
        match (&self.of, group) {
            (Of::Cell(of), None) => over_replications(cells.figures, of),
            (Of::Statistic(statistic), _) => Whose::of(cells, group, Labels::new()).estimate(*statistic),
            _ => None,
        }
    }

    /// What a single replication comes to, likewise.
    pub(super) fn of_cell(
        &self,
        cells: &Cells<'_>,
        figures: &Figures,
        group: Option<usize>,
        labels: &Labels,
    ) -> f64 {
        match &self.of {
            Of::Cell(of) => of(figures),
            Of::Statistic(statistic) => statistic_of(*statistic, figures, group),
            _ => self.value(&Cells { figures: &[figures], ..*cells }, group, labels).value,
        }
    }

    /// Whether `summary.json` has its numbers alone, and their intervals in `ci95`.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self.of, Of::Cell(_) | Of::Each(..))
    }

    pub(super) fn rows(&self, cells: &Cells<'_>, whose: &[Whose<'_>]) -> Rows {
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
            Of::Statistic(statistic) => {
                whose.iter().map(|it| (it.labels.clone(), it.estimate(*statistic).into())).collect()
            }
            Of::Count(of, _) => whose
                .iter()
                .map(|Whose { group, labels, .. }| {
                    let sum: u64 = figures.iter().map(|it| of(counts(it, *group))).sum();
                    (labels.clone(), plain(sum as f64))
                })
                .collect(),
            Of::Outcomes(of) => whose
                .iter()
                .flat_map(|Whose { group, labels, .. }| {
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
            Of::Rows(rows) | Of::Sparse(rows) => rows(cells),
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

/// Requests that are reported together, or all of them: what figures of theirs come from.
pub(super) struct Whose<'a> {
    /// The index of their group; nothing for all.
    group: Option<usize>,
    labels: Labels,
    figures: &'a [&'a Figures],
    latencies: Latencies<'a>,
}

impl<'a> Whose<'a> {
    fn of(cells: &Cells<'a>, group: Option<usize>, labels: Labels) -> Self {
        let Cells { figures, settles, .. } = *cells;
        let latencies = match group {
            Some(index) => Latencies::of_group(figures, index, settles),
            None => Latencies::new(figures, settles),
        };
        Self { group, labels, figures, latencies }
    }

    fn estimate(&self, statistic: Statistic) -> Option<Estimate> {
        match statistic {
            Statistic::Mean => self.latencies.mean(),
            Statistic::Quantile(index) => self.latencies.quantile(index),
            _ => over_replications(self.figures, |it| statistic_of(statistic, it, self.group)),
        }
    }
}

/// All requests, and every group of them, with its labels.
pub(super) fn whose<'a>(cells: &Cells<'a>) -> Vec<Whose<'a>> {
    let groups = Groups::new(cells.description);
    let of_groups = groups.which().iter().enumerate();
    let of_groups =
        of_groups.map(|(index, it)| Whose::of(cells, Some(index), labels(cells.description, *it)));
    std::iter::once(Whose::of(cells, None, Labels::new())).chain(of_groups).collect()
}

/// What tells values of a group of requests apart from others.
pub(super) fn labels(description: &Description, which: Which) -> Labels {
    let users = which.users.map(|it| description.populations[it.index()].name.clone());
    let kind = which.request.map(|it| kind_name(description, it));
    let tenant = which.tenant.map(|it| description.application.tenants[usize::from(it)].clone());
    let all =
        [(Dimension::Application, tenant), (Dimension::UserGroup, users), (Dimension::RequestKind, kind)];
    all.into_iter().filter_map(|(dimension, name)| Some((dimension, name?))).collect()
}

/// A figure of the requests of a replication, of all or of those of a group, by its index; ms, or a share.
fn statistic_of(statistic: Statistic, figures: &Figures, group: Option<usize>) -> f64 {
    let histogram = group.map_or(&figures.histogram, |index| &figures.groups[index].histogram);
    let counts = counts(figures, group);
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
