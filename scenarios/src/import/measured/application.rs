//! An application as it was measured: who calls whom how often, and what each service costs.

use super::shape::Shape;
use super::sharing::{Load, capacity};
use std::collections::{BTreeMap, BTreeSet};

/// An application as it was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Application {
    pub(crate) services: BTreeMap<String, Service>,
    /// What users request: by their cluster and service.
    pub(crate) users: BTreeMap<(String, String), Entry>,
    /// How often they request which kind of it, if kinds are told apart.
    pub(crate) requests: BTreeMap<(String, String), BTreeMap<String, f64>>,
    /// Deployments that had no calls.
    pub(crate) idle: BTreeSet<String>,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Service {
    pub(crate) namespace: String,
    /// Answers per second.
    pub(crate) rate: f64,
    /// By cluster: pods, of which there are so many in the mean, and the CPU limit of each (cores), if there is one.
    pub(crate) clusters: BTreeMap<String, (f64, Option<f64>)>,
    /// Share of its answers by cluster, of metrics.
    pub(crate) answers_in: BTreeMap<String, f64>,
    /// Whether it speaks gRPC.
    pub(crate) is_grpc: bool,
    /// What an answer takes in the mean of all kinds.
    pub(crate) work: Work,
    /// Calls per request, in the order in which they are made as far as it is known.
    pub(crate) calls: Vec<(String, f64)>,
    /// Kinds of requests; none if they are not told apart.
    pub(crate) kinds: Vec<Kind>,
    /// Whether callers are served by their own cluster where it has the service; absent: it is in one cluster.
    pub(crate) near_first: Option<bool>,
}

/// What answers take.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Work {
    /// CPU time of an answer (ms), and its law.
    pub(crate) cpu_ms: f64,
    pub(crate) cpu_law: Law,
    /// For how long it waits beside that (ms), and the law of that, if it is known.
    pub(crate) wait_ms: f64,
    pub(crate) wait_law: Option<Law>,
    /// Bodies (bytes); of answers none if nothing says it.
    pub(crate) request_bytes: f64,
    pub(crate) response_bytes: Option<f64>,
    pub(crate) response_law: Law,
    /// Share of the requests that fail by themselves.
    pub(crate) errors: f64,
    /// Whether calls are made at the same time.
    pub(crate) in_parallel: bool,
    /// What says so.
    pub(crate) why_parallel: &'static str,
}

impl Work {
    /// The law of its wait; where none is known that of its CPU time.
    pub(crate) fn law_of_wait(&self) -> Law {
        let assumed = || Law { shape: self.cpu_law.shape.clone(), why: "assumed: as its CPU time is spread" };
        self.wait_law.clone().unwrap_or_else(assumed)
    }
}

/// A kind of request that a service answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Kind {
    /// The name of its endpoint.
    pub(crate) name: String,
    /// What was asked for; none of kinds that are too rare to be told apart.
    pub(crate) operation: Option<String>,
    /// Of the service's answers.
    pub(crate) share: f64,
    pub(crate) work: Work,
    /// Calls per request, of a service and one of its kinds if it has some, in their order.
    pub(crate) calls: Vec<((String, Option<String>), f64)>,
}

/// So large a share of the calls that stay near does so by a rule.
const BY_A_RULE: f64 = 0.9;

/// Whether callers are served by their own cluster, of calls from clusters that have a service, so many of them within one; absent if it is in one
/// cluster alone.
pub(super) fn near_first(clusters: usize, (near, all): (f64, f64)) -> Option<bool> {
    (clusters > 1 && all > 0.0).then_some(near > BY_A_RULE * all)
}

/// A law, and what speaks for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Law {
    pub(crate) shape: Shape,
    pub(crate) why: &'static str,
}

/// What users of a cluster request of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Entry {
    /// Per second.
    pub(crate) rate: f64,
    pub(crate) mean_ms: f64,
    pub(crate) p90_ms: f64,
    /// Share of those that failed: a status of HTTP of 500 or above, or one of gRPC that says so.
    pub(crate) errors: f64,
}

impl Entry {
    /// What users request who request nothing.
    pub(crate) const NOBODY: Self = Self { rate: 0.0, mean_ms: f64::NAN, p90_ms: f64::NAN, errors: 0.0 };
}

impl Service {
    /// How much of what its pods can use it uses.
    pub(crate) fn load(&self) -> Load {
        Load::new(self.rate * self.work.cpu_ms / 1e3, self.capacity())
    }

    /// Whether a limit may stop its pods in the middle of an answer: below one core, a single worker uses up the quota of a period early.
    pub(crate) fn has_quota(&self) -> bool {
        self.clusters.values().any(|(_, limit)| limit.is_some_and(|it| it < 1.0))
    }

    /// What its pods can use (cores).
    pub(crate) fn capacity(&self) -> f64 {
        self.clusters.values().map(|(pods, limit)| capacity(*pods, *limit)).sum()
    }
}

impl Application {
    /// Clusters by the names of a scenario.
    pub(crate) fn renamed(mut self, names: &BTreeMap<String, String>) -> Self {
        let name = |it: String| names.get(&it).cloned().unwrap_or(it);
        self.users = self.users.into_iter().map(|((at, to), it)| ((name(at), to), it)).collect();
        self.requests = self.requests.into_iter().map(|((at, to), it)| ((name(at), to), it)).collect();
        for service in self.services.values_mut() {
            service.clusters =
                std::mem::take(&mut service.clusters).into_iter().map(|(at, it)| (name(at), it)).collect();
        }
        self
    }

    /// The clusters that anything is said of.
    pub(crate) fn clusters(&self) -> BTreeSet<&String> {
        let of_services = self.services.values().flat_map(|it| it.clusters.keys());
        of_services.chain(self.users.keys().map(|(cluster, _)| cluster)).collect()
    }
}
