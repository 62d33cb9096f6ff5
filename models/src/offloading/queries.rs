//! What the controller asks Prometheus, and what it makes of the answers.
//!
//! # Models
//! Every quantity is a query over the query period. What nobody can tell is 0 for the original, so no traffic reads as no
//! delay. Without `compat` requests count whatever their answer, and a delay that nobody can tell is none.
//!
//! # Assumptions
//! - Memory in use is not looked at: it is never part of a cost.
//!
//! # Source
//! mSvcBench/muPlacer `GMA.py` (`get_delay`, `get_delay_quantile`, `get_lambda`, `get_Fcm`, `get_Rs`, `get_CPU`,
//! `get_resource_scaling`).

use super::controller::Delays;
use super::settings::PlacerSettings;
use crate::ids::{ClusterId, ServiceId};
use crate::pod_id::PodIds;
use crate::telemetry::istio_buckets::BOUNDS_MS;
use crate::telemetry::promql::histogram_quantile;
use crate::telemetry::scrapes::{Metric, Scrapes, SeriesId};
use meshsim_core::SimTime;
use std::collections::BTreeSet;

/// What was measured last; what cannot be measured stays as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Requests of the edge's users (1/s).
    pub rate: f64,
    /// Their share of those of all users.
    pub scaling: f64,
    /// Requests of each service (1/s).
    pub rates: Vec<f64>,
    /// By caller, the gateway last, and called service: calls per request.
    pub calls: Vec<Vec<f64>>,
    /// Mean size of an answer (bytes).
    pub response_bytes: Vec<f64>,
    /// By cluster, the cloud first, and service: cores in use.
    pub cpu: [Vec<f64>; 2],
}

/// Prometheus, asked at a moment for a controller.
#[derive(Clone, Copy, Debug)]
pub struct Queries<'a> {
    /// What it has.
    pub scrapes: &'a Scrapes,
    /// Whose questions they are.
    pub settings: &'a PlacerSettings,
    /// Names of pods.
    pub ids: PodIds,
    /// When.
    pub now: SimTime,
}

impl Queries<'_> {
    /// The mean delay of the edge's users and the quantile, if anybody can tell them (ms).
    #[must_use]
    pub fn delays(&self) -> Option<Delays> {
        let of_edge = |metric: Metric| self.rate(|id| self.is_users(id, true) && id.metric == metric);
        let count = of_edge(Metric::Requests { ok: true }).filter(|it| *it > 0.0);
        let mean = count.and_then(|count| Some(of_edge(Metric::DurationSum)? / count));
        match (mean, self.settings.compat()) {
            (Some(mean), _) => Some(Delays { mean, quantile: self.quantile() }),
            (None, true) => Some(Delays { mean: 0.0, quantile: 0.0 }),
            (None, false) => None,
        }
    }

    /// The mean of the quantiles of each called service, weighted by its requests.
    fn quantile(&self) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for called in self.settings.services.iter().map(|it| it.service) {
            let of = |metric: Metric| {
                let is = |id: &SeriesId| {
                    self.is_users(id, true) && id.client.called == called && id.metric == metric
                };
                self.rate(is).unwrap_or(0.0)
            };
            let weight = of(Metric::Requests { ok: true });
            if weight > 0.0 {
                let up_to: Vec<f64> =
                    (0..=BOUNDS_MS.len() as u8).map(|le| of(Metric::Bucket { le })).collect();
                let below = std::iter::once(&0.0).chain(&up_to);
                let counts: Vec<f64> = up_to.iter().zip(below).map(|(a, b)| (a - b).max(0.0)).collect();
                let quantile = histogram_quantile(self.settings.delay_quantile, &BOUNDS_MS, &counts);
                sum += weight * quantile.unwrap_or(0.0);
                weights += weight;
            }
        }
        if weights > 0.0 { sum / weights } else { 0.0 }
    }

    /// Everything is measured anew.
    pub fn refresh(&self, measured: &mut Measured) {
        let services = &self.settings.services;
        let gateway = services.len();
        measured.rate = self.rate(|id| self.is_users(id, true) && self.counts(id)).unwrap_or(0.0);
        let all = self.rate(|id| self.is_users(id, false) && self.counts(id)).unwrap_or(0.0);
        if all > 0.0 {
            measured.scaling = measured.rate / all;
        }
        measured.cpu = [self.settings.cluster, self.settings.edge].map(|cluster| self.cpu_of(cluster));
        if measured.rate <= 0.0 {
            return;
        }
        let to = |id: &SeriesId, called: usize| id.client.called == services[called].service;
        let called = |called| self.rate(|id| to(id, called) && self.counts(id)).unwrap_or(0.0);
        measured.rates = (0..gateway).map(called).collect();
        // Most never call each other.
        let counted = self.scrapes.series().map(|(id, _)| id).filter(|id| self.counts(id));
        let met: BTreeSet<(Option<ServiceId>, ServiceId)> =
            counted.map(|id| (self.caller(id), id.client.called)).collect();
        let calls = |from: usize, called: usize| {
            let caller = services.get(from);
            if !met.contains(&(caller.map(|it| it.service), services[called].service)) {
                return 0.0;
            }
            let is_from = |id: &SeriesId| match caller {
                Some(caller) => self.caller(id) == Some(caller.service),
                None => self.is_users(id, true),
            };
            let served = caller.map_or(measured.rate, |_| measured.rates[from]);
            let rate = self.rate(|id| to(id, called) && is_from(id) && self.counts(id)).unwrap_or(0.0);
            if served > 0.0 { rate / served } else { 0.0 }
        };
        let row = |from| (0..gateway).map(|called| calls(from, called)).chain([0.0]).collect();
        measured.calls = (0..=gateway).map(row).collect();
        let bytes = |called| {
            let sum = self.rate(|id| to(id, called) && id.metric == Metric::ResponseBytes);
            let count = self.rate(|id| to(id, called) && id.metric == Metric::Requests { ok: true });
            sum.zip(count).filter(|(_, count)| *count > 0.0).map_or(0.0, |(sum, count)| sum / count)
        };
        measured.response_bytes = (0..gateway).map(bytes).chain([0.0]).collect();
    }

    fn cpu_of(&self, cluster: ClusterId) -> Vec<f64> {
        let used = |service| {
            let is = |id: &SeriesId| {
                id.cluster == cluster && id.metric == Metric::Cpu && self.caller(id) == Some(service)
            };
            self.rate(is).unwrap_or(0.0)
        };
        self.settings.services.iter().map(|it| used(it.service)).collect()
    }

    fn rate(&self, of: impl Fn(&SeriesId) -> bool) -> Option<f64> {
        self.scrapes.rate(self.now, self.settings.query_period, of)
    }

    /// Whether a series is of users, of this edge or of any.
    fn is_users(&self, id: &SeriesId, of_this_edge: bool) -> bool {
        id.client.pod.is_none() && (!of_this_edge || id.cluster == self.settings.edge)
    }

    /// Whether a series counts requests: the original has no eyes for others than good ones.
    fn counts(&self, id: &SeriesId) -> bool {
        match id.metric {
            Metric::Requests { ok } => ok || !self.settings.compat(),
            _ => false,
        }
    }

    fn caller(&self, id: &SeriesId) -> Option<ServiceId> {
        id.client.pod.map(|pod| self.ids.service_of(pod))
    }
}
