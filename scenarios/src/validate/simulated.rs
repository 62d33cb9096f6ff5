//! What the replications of one strategy come to, in the terms of a measurement.
//!
//! # Models
//! Each replication is a cell of its own, told apart by everything that is run: what a measurement says of load and machine is
//! in the description then.

use super::figures::FigureKey;
use super::hops::ServiceInCluster;
use crate::analysis::estimates::over_replications;
use crate::analysis::figure;
use crate::analysis::figures;
use crate::experiment::Watch;
use crate::experiment::cell::CellId;
use crate::experiment::compare::{ComparisonPlan, run_if_missing};
use crate::experiment::replication::{self, Figures, Keep};
use crate::experiment::store::CellStore;
use crate::origin::sha256;
use crate::problem::{Checked, Problem};
use meshsim_core::stats::Estimate;
use meshsim_models::telemetry::metrics::Times;
use meshsim_models::world::description::Description;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// Length of a stretch of time in which served requests are counted (s).
pub const WINDOW_SECONDS: f64 = 20.0;

/// The replications of the only strategy of a plan, cut where its warm-up ends.
pub struct Simulated<'a> {
    description: &'a Description,
    figures: Vec<Figures>,
}

/// The cells of the only strategy of a plan, one per replication.
pub(super) struct Cells<'a> {
    plan: &'a ComparisonPlan,
    /// Of everything that is run.
    pub(super) sha256: String,
}

impl<'a> Cells<'a> {
    pub(super) fn of(plan: &'a ComparisonPlan) -> Self {
        let resolved = &plan.strategies[0];
        let keep = keep(plan);
        let run = (&resolved.description, resolved.control_variates, keep.batches, keep.window_seconds);
        Self { plan, sha256: sha256(format!("{run:?}").as_bytes()) }
    }

    fn id(&self, replication: u32) -> CellId {
        CellId::of(&["validate", &self.sha256, &replication.to_string()])
    }

    /// Runs these replications on the threads of the current rayon pool, without those that are in the store, and keeps them
    /// there. False if not all are there then.
    pub(super) fn run(&self, store: &CellStore, which: Range<usize>, watch: &Watch<'_>) -> bool {
        let strategies = &self.plan.strategies[..1];
        let seconds = strategies[0].description.end().as_secs_f64();
        let numbers = which.start as u32..which.end as u32;
        numbers.clone().into_par_iter().for_each(|number| {
            let run = || {
                let mut figures = replication::run(strategies, number, keep(self.plan), watch)?.pop()?;
                let latencies_ms = std::mem::take(&mut figures.latencies_ms);
                Some((figures, latencies_ms))
            };
            let broken = |why| self.plan.broken(0, number, why);
            run_if_missing(store, self.id(number), (watch, seconds), run, broken);
        });
        numbers.into_iter().all(|number| store.holds(self.id(number)))
    }

    fn figures_in(&self, store: &CellStore, replication: u32) -> Option<Figures> {
        let (figures, latencies_ms): (Figures, Vec<f64>) = store.get(self.id(replication))?;
        Some(Figures { latencies_ms, ..figures })
    }
}

/// What of a replication is kept.
fn keep(plan: &ComparisonPlan) -> Keep<'static> {
    Keep { latencies: true, window_seconds: WINDOW_SECONDS, ..Keep::for_replications(plan.replications) }
}

impl<'a> Simulated<'a> {
    /// What the cells of the only strategy of `plan` come to. Nothing if not all are in the store.
    ///
    /// # Errors
    /// If no simulated request succeeded.
    pub(super) fn from(plan: &'a ComparisonPlan, store: &CellStore) -> Checked<Option<Self>> {
        let cells = Cells::of(plan);
        let figures: Option<Vec<Figures>> =
            (0..plan.replications).map(|number| cells.figures_in(store, number)).collect();
        let Some(figures) = figures else { return Ok(None) };
        if figures.iter().all(|figures| figures.latencies_ms.is_empty()) {
            return Err(Problem::new("no simulated request succeeded").help("make the run longer").into());
        }
        Ok(Some(Self { description: &plan.strategies[0].description, figures }))
    }

    /// The latencies of all successful requests (ms), ascending.
    #[must_use]
    pub fn sorted_latencies_ms(&self) -> Vec<f64> {
        let mut all: Vec<f64> =
            self.figures.iter().flat_map(|figures| figures.latencies_ms.iter().copied()).collect();
        all.sort_unstable_by(f64::total_cmp);
        all
    }

    /// A figure that is the simulation's alone; none of those that need a trace.
    #[must_use]
    pub fn figure(&self, key: FigureKey) -> Option<Estimate> {
        self.estimate(key, None)
    }

    fn estimate(&self, key: FigureKey, group: Option<usize>) -> Option<Estimate> {
        let figures: Vec<&Figures> = self.figures.iter().collect();
        let settles = self.description.what_varies().is_empty();
        let cells = figure::Cells { description: self.description, figures: &figures, settles };
        figures::named(key.catalogued()?)?.estimate(&cells, group)
    }

    /// What was simulated.
    #[must_use]
    pub const fn description(&self) -> &'a Description {
        self.description
    }

    /// A figure of the latencies, or the share that failed, of the requests of a group, by its index.
    #[must_use]
    pub fn figure_of_group(&self, index: usize, key: FigureKey) -> Option<Estimate> {
        self.estimate(key, Some(index))
    }

    /// How the requests ended, by status and Envoy's flag: shares of those that did.
    #[must_use]
    pub fn statuses(&self) -> BTreeMap<String, f64> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for f in &self.figures {
            *counts.entry("200".to_owned()).or_default() += f.counts.completed;
            for (status, count) in &f.counts.failed {
                *counts.entry(status.clone()).or_default() += count;
            }
        }
        let all = counts.values().sum::<u64>() as f64;
        counts.into_iter().map(|(status, count)| (status, count as f64 / all)).collect()
    }

    /// The clusters of which one served calls of `service`, and whether it is known at all.
    #[must_use]
    pub fn clusters_of(&self, service: &str) -> Option<Vec<String>> {
        self.service(service)?;
        let names = self.description.clusters.iter().map(|cluster| cluster.name.clone());
        Some(names.filter(|name| self.served(&(service.to_owned(), Some(name.clone()))) > 0).collect())
    }

    /// The share of a service's calls that a cluster served.
    #[must_use]
    pub fn served_share(&self, of: &ServiceInCluster) -> f64 {
        self.served(of) as f64 / self.served(&(of.0.clone(), None)) as f64
    }

    /// Mean time that a service took to answer in a cluster (ms).
    #[must_use]
    pub fn server_ms(&self, of: &ServiceInCluster) -> Option<Estimate> {
        let service = self.service(&of.0)?;
        let clusters = self.clusters(of);
        let figures: Vec<&Figures> = self.figures.iter().collect();
        over_replications(&figures, |f| {
            let mut sum = Times::default();
            clusters.iter().for_each(|&cluster| sum.add(f.answered[cluster][service]));
            sum.nanos / sum.count as f64 / 1e6
        })
    }

    /// Calls of a service that a cluster served, by stretch of [`WINDOW_SECONDS`]: mean over the
    /// replications.
    #[must_use]
    pub fn served_over_time(&self, of: &ServiceInCluster) -> Vec<f64> {
        let Some(service) = self.service(&of.0) else { return Vec::new() };
        let clusters = self.clusters(of);
        let stretches = self.figures.iter().map(|f| f.served_over_time.len()).min().unwrap_or(0);
        let count = |stretch: usize, f: &Figures| -> u64 {
            clusters.iter().map(|&cluster| f.served_over_time[stretch][cluster][service]).sum()
        };
        let mean = |stretch| {
            self.figures.iter().map(|f| count(stretch, f)).sum::<u64>() as f64 / self.figures.len() as f64
        };
        (0..stretches).map(mean).collect()
    }

    /// Calls served in all replications.
    fn served(&self, of: &ServiceInCluster) -> u64 {
        let Some(service) = self.service(&of.0) else { return 0 };
        let clusters = self.clusters(of);
        let count = |f: &Figures| -> u64 {
            clusters.iter().flat_map(|&cluster| &f.served[cluster][service]).sum::<u64>()
        };
        self.figures.iter().map(count).sum()
    }

    fn service(&self, name: &str) -> Option<usize> {
        self.description.application.services.iter().position(|service| service.name == name)
    }

    /// The cluster, or all of them where none is named.
    fn clusters(&self, of: &ServiceInCluster) -> Vec<usize> {
        let is_meant = |name: &str| of.1.as_deref().is_none_or(|meant| meant == name);
        let all = self.description.clusters.iter().enumerate();
        all.filter(|(_, cluster)| is_meant(&cluster.name)).map(|(index, _)| index).collect()
    }
}
