//! What the controller asks Prometheus, and what it makes of the answers.
//!
//! # Models
//! Every quantity is a query over the query period. What nobody can tell is 0 for the original, so no traffic reads as no
//! delay; and with several edges the calls of this one's gateway are those of all gateways over the requests of this one.
//! Without `compat` requests count whatever their answer, a delay that nobody can tell is none, and a gateway is itself.
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
use serde::{Deserialize, Serialize};
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

/// Something that was measured for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// What.
    pub quantity: Quantity,
    /// Of which service.
    pub service: Option<ServiceId>,
    /// Of calls: who makes them; absent: the gateway.
    pub caller: Option<ServiceId>,
    /// How much.
    pub value: f64,
}

/// What the controller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quantity {
    /// The mean delay of the edge's users (ms).
    MeanDelay,
    /// The quantile of it that is looked at (ms).
    QuantileDelay,
    /// Their requests (1/s).
    UserRate,
    /// Their share of those of all users.
    ResourceScaling,
    /// Requests of a service (1/s).
    ServiceRate,
    /// Calls of a service per request that the caller serves.
    Calls,
    /// Mean size of a service's answers (bytes).
    ResponseBytes,
    /// What a service's pods use in the cloud (cores).
    CloudCpu,
    /// Likewise at the edge.
    EdgeCpu,
}

impl Quantity {
    /// Its name in files, with its unit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MeanDelay => "mean_delay_ms",
            Self::QuantileDelay => "quantile_delay_ms",
            Self::UserRate => "user_rate_per_s",
            Self::ResourceScaling => "resource_scaling",
            Self::ServiceRate => "service_rate_per_s",
            Self::Calls => "calls_per_request",
            Self::ResponseBytes => "response_bytes",
            Self::CloudCpu => "cloud_cpu_cores",
            Self::EdgeCpu => "edge_cpu_cores",
        }
    }
}

impl Measured {
    /// All of it and the delays, but for what is zero of services and calls.
    #[must_use]
    pub fn inputs(&self, settings: &PlacerSettings, delays: Delays) -> Vec<Input> {
        let of_edge = [
            (Quantity::MeanDelay, delays.mean),
            (Quantity::QuantileDelay, delays.quantile),
            (Quantity::UserRate, self.rate),
            (Quantity::ResourceScaling, self.scaling),
        ];
        let of_edge = of_edge.map(|(quantity, value)| Input { quantity, service: None, caller: None, value });
        let services = &settings.services;
        let row = |quantity, caller: Option<ServiceId>, values: &[f64]| -> Vec<Input> {
            let all = services.iter().zip(values).filter(|(_, value)| **value != 0.0);
            all.map(|(it, &value)| Input { quantity, service: Some(it.service), caller, value }).collect()
        };
        let mut inputs = of_edge.to_vec();
        inputs.extend(row(Quantity::ServiceRate, None, &self.rates));
        for (caller, values) in self.calls.iter().enumerate() {
            inputs.extend(row(Quantity::Calls, services.get(caller).map(|it| it.service), values));
        }
        inputs.extend(row(Quantity::ResponseBytes, None, &self.response_bytes));
        inputs.extend(row(Quantity::CloudCpu, None, &self.cpu[0]));
        inputs.extend(row(Quantity::EdgeCpu, None, &self.cpu[1]));
        inputs
    }
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
        // The original asks the servers of its two clusters, and takes the gateways of all edges for one: with many edges
        // it counts requests of the others as calls of this one's.
        let compat = self.settings.compat();
        let both = [self.settings.cluster, self.settings.edge];
        let to = |id: &SeriesId, called: usize| {
            id.client.called == services[called].service && (!compat || both.contains(&id.client.server))
        };
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
                None => self.is_users(id, !compat),
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
