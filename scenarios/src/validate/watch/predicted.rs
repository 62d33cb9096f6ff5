//! What Prometheus is to find, if the scenario is right.
//!
//! # Models
//! The first replication of the scenario is run and scraped as `run --openmetrics` does it; from the end of the warm-up on its counters come to
//! the same figures as those of a real Prometheus, under the same names.

use crate::experiment::Watch;
use crate::import::measured::{Application, Entry, Service, Work};
use crate::resolve::Resolved;
use crate::results::openmetrics::{ScrapeInterval, scraped};
use meshsim_core::{SimDuration, SimTime, Table};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::authorization_policy::plain_name;
use meshsim_models::pod_id::PodIds;
use meshsim_models::telemetry::exporters::http::{HttpCounts, HttpSeries, Reporter};
use meshsim_models::telemetry::exporters::samples::{Container, ContainerMetric, Samples, Series};
use meshsim_models::telemetry::istio_buckets::BOUNDS_MS;
use meshsim_models::telemetry::promql::histogram_quantile;
use std::collections::BTreeMap;

/// Istio rounds durations down to whole milliseconds: half of one is missing in the mean (ms).
const ROUNDED_MS: f64 = 0.5;

/// So many scrapes there are at least.
const LEAST_SCRAPES: u64 = 20;

/// What is to be found; nothing if it was told to stop.
pub(super) fn application(resolved: &Resolved, watch: &Watch<'_>) -> Option<Application> {
    let from = SimTime::ZERO + resolved.description.warm_up;
    // A short run has as many scrapes as a rate needs to be one.
    let longest = SimDuration::from_nanos((resolved.description.end() - from).as_nanos() / LEAST_SCRAPES);
    let all = scraped(resolved, ScrapeInterval::DEFAULT.at_most(longest), watch, |_| {})?;
    Some(Reader { resolved, all: &all, from }.application())
}

struct Reader<'a> {
    resolved: &'a Resolved,
    all: &'a Table<ClusterId, Samples>,
    from: SimTime,
}

#[derive(Default)]
struct OfUsers {
    rate: f64,
    failed: f64,
    good: f64,
    good_ms: f64,
    buckets: [f64; BOUNDS_MS.len() + 1],
}

impl Reader<'_> {
    fn application(&self) -> Application {
        let mut rates: BTreeMap<String, f64> = BTreeMap::new();
        let mut calls: BTreeMap<(String, String), f64> = BTreeMap::new();
        let [mut failed, mut failed_sent] = [BTreeMap::<String, f64>::new(), BTreeMap::new()];
        let mut clusters: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        let mut users: BTreeMap<(String, String), OfUsers> = BTreeMap::new();
        for (of, samples) in self.all.iter().flat_map(|it| &it.http) {
            let called = self.name(of.called);
            match (of.reporter, of.source) {
                (Reporter::Destination, source) => {
                    let rate = self.rate(samples, |it| it.requests as f64);
                    *rates.entry(called.clone()).or_default() += rate;
                    if of.code >= 500 {
                        *failed.entry(called.clone()).or_default() += rate;
                    }
                    if let Some((_, cluster)) = of.destination {
                        let cluster = self.resolved.names[cluster].cluster.clone();
                        *clusters.entry(called.clone()).or_default().entry(cluster).or_default() += rate;
                    }
                    if let Some(source) = source {
                        *calls.entry((self.name(source), called)).or_default() += rate;
                    }
                }
                (Reporter::Source, None) => {
                    let cluster = self.resolved.names[of.source_cluster].cluster.clone();
                    self.count(users.entry((cluster, called)).or_default(), of, samples);
                }
                (Reporter::Source, Some(source)) if of.code >= 500 => {
                    *failed_sent.entry(self.name(source)).or_default() +=
                        self.rate(samples, |it| it.requests as f64);
                }
                _ => {}
            }
        }
        let mut all = Application::default();
        for (name, rate) in rates.iter().filter(|(_, rate)| **rate > 0.0) {
            let its = calls.iter().filter(|((from, _), _)| from == name);
            let calls: Vec<(String, f64)> = its.map(|((_, to), count)| (to.clone(), count / rate)).collect();
            // As it is read of Prometheus: a caller fails with those whom it calls.
            let [own, of_others] = [&failed, &failed_sent].map(|it| it.get(name).copied().unwrap_or(0.0));
            let errors = ((own - of_others) / rate).clamp(0.0, 1.0);
            let work = Work { cpu_ms: self.cores(name) / rate * 1e3, errors, ..Work::default() };
            let mut answers_in = clusters.remove(name).unwrap_or_default();
            answers_in.values_mut().for_each(|it| *it /= rate);
            let service = Service { rate: *rate, work, calls, answers_in, ..Service::default() };
            all.services.insert(name.clone(), service);
        }
        for (key, it) in users {
            let entry = Entry {
                rate: it.rate,
                mean_ms: it.good_ms / it.good + ROUNDED_MS,
                p90_ms: histogram_quantile(0.9, &BOUNDS_MS, &it.buckets).unwrap_or(f64::NAN),
                errors: it.failed / it.rate,
            };
            all.users.insert(key, entry);
        }
        all
    }

    fn count(&self, to: &mut OfUsers, of: &HttpSeries, samples: &[(SimTime, HttpCounts)]) {
        let rate = self.rate(samples, |it| it.requests as f64);
        to.rate += rate;
        to.failed += if of.code >= 500 { rate } else { 0.0 };
        if of.code == 200 {
            to.good += rate;
            to.good_ms += self.rate(samples, |it| it.duration.sum as f64);
            for (bucket, sum) in to.buckets.iter_mut().enumerate() {
                *sum += self.rate(samples, |it| it.duration.buckets.counts()[bucket] as f64);
            }
        }
    }

    /// CPU time of a service's applications per second.
    fn cores(&self, service: &str) -> f64 {
        let description = &self.resolved.description;
        let ids = PodIds::new(description.clusters.len(), description.application.services.len());
        let numbers = self.all.iter().flat_map(|it| &it.numbers);
        let rates = numbers.filter_map(|(of, samples)| match of {
            Series::Container(pod, Container::Application, ContainerMetric::CpuSeconds)
                if self.name(ids.service_of(pod.pod)) == service =>
            {
                Some(self.rate(samples, |it| *it))
            }
            _ => None,
        });
        rates.sum()
    }

    /// By how much a counter grows per second from the warm-up on.
    fn rate<T>(&self, samples: &[(SimTime, T)], value: impl Fn(&T) -> f64) -> f64 {
        let first = samples.partition_point(|(at, _)| *at < self.from);
        match (samples.get(first), samples.last()) {
            (Some((begin, first)), Some((end, last))) if end > begin => {
                (value(last) - value(first)) / (*end - *begin).as_secs_f64()
            }
            _ => 0.0,
        }
    }

    /// What a service is called within its namespace; versions by the service in front of them.
    fn name(&self, service: ServiceId) -> String {
        let description = &self.resolved.description;
        let front = description.front_of(service);
        plain_name(description.namespace_of(front), &description.application.services[front].name).to_owned()
    }
}
