//! Things that make a result doubtful: a closed list, each with what to do.

use crate::analysis::demand::demand_ms_per_request;
use crate::resolve::Resolved;
use crate::results::summary::Summary;
use meshsim_core::Id;
use std::fmt;

/// Something to know before trusting a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Warning {
    /// The pods of a service need more CPU than their limits give them.
    Overload {
        /// Under which strategy.
        strategy: String,
        /// Of which service.
        service: String,
        /// Needed, over all clusters (cores).
        needed: f64,
        /// Allowed, over all clusters (cores).
        allowed: f64,
    },
    /// A setting replaces what makes a strategy what it is.
    Overridden {
        /// The strategy.
        strategy: String,
        /// The path of the value.
        path: String,
    },
    /// Nothing was measured.
    NoRequestCompleted {
        /// Under which strategy.
        strategy: String,
    },
    /// The mean of latency still moved in the second half of the run.
    WarmUpNotFound {
        /// Under which strategy.
        strategy: String,
        /// In how many replications.
        replications: u32,
    },
    /// More requests ended in errors than people would live with.
    Failures {
        /// Under which strategy.
        strategy: String,
        /// Share of the requests that ended.
        share: f64,
    },
    /// So many requests had not ended when the run did that the others' latencies mislead.
    InFlight {
        /// Under which strategy.
        strategy: String,
        /// Share of the requests that arrived.
        share: f64,
    },
    /// A trace was taken under other conditions than the scenario's.
    TraceDiffers {
        /// What differs.
        what: String,
        /// What the trace's description says.
        trace: String,
        /// What the scenario says.
        scenario: String,
    },
    /// A strategy's mean is known no better than this.
    WideInterval {
        /// Under which strategy.
        strategy: String,
        /// Half width over value.
        relative: f64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overload { strategy, service, needed, allowed } => write!(
                f,
                "strategy `{strategy}`: service `{service}` needs {needed:.2} cores and has {allowed:.2}; queues \
                 will grow: add replicas, raise cpu_limit or lower the rate"
            ),
            Self::Overridden { strategy, path } => write!(
                f,
                "--set {path} wins over what strategy `{strategy}` says there; choose the strategies that it leaves \
                 alone with --strategy"
            ),
            Self::NoRequestCompleted { strategy } => {
                write!(f, "strategy `{strategy}`: no request completed; make the run longer")
            }
            Self::WarmUpNotFound { strategy, replications } => write!(
                f,
                "strategy `{strategy}`: in {replications} replications latency had not settled (MSER-5); the \
                 load may be too high, or the run needs a longer warm_up"
            ),
            Self::Failures { strategy, share } => write!(
                f,
                "strategy `{strategy}`: {:.2} % of the requests failed; latencies are those of the others",
                share * 100.0
            ),
            Self::InFlight { strategy, share } => write!(
                f,
                "strategy `{strategy}`: {:.1} % of the requests had not ended; latencies are those of the others: \
                 something is overloaded, or the run is too short",
                share * 100.0
            ),
            Self::TraceDiffers { what, trace, scenario } => write!(
                f,
                "{what}: the trace was taken with {trace}, the scenario has {scenario}; change the scenario with --set \
                 or --strategy"
            ),
            Self::WideInterval { strategy, relative } => write!(
                f,
                "strategy `{strategy}`: the mean is known to {:.0} % only; ask for more replications",
                relative * 100.0
            ),
        }
    }
}

/// What can be told before a run.
#[must_use]
pub fn before_run(resolved: &Resolved) -> Vec<Warning> {
    let description = &resolved.description;
    let application = &description.application;
    let mut needed = vec![0.0; application.services.len()];
    // The users of a closed loop wait: they cannot ask for more than there is.
    for population in description.populations.iter().filter(|p| p.arrivals.is_open()) {
        let rate = population.arrivals.offered_per_second(population.users);
        let Some(demand) = demand_ms_per_request(description, population.entry) else { continue };
        for (id, ms) in demand.enumerate() {
            needed[application.endpoints[id].service.index()] += rate * ms / 1000.0;
        }
    }
    let allowed = |service| -> f64 {
        let workers = f64::from(application.services[service].workers);
        let of = |d: &meshsim_models::world::description::Deployment| {
            f64::from(d.replicas) * d.cpu_limit.map_or(workers, |cores| cores.0.min(workers))
        };
        description.deployments.iter().filter(|d| d.service == service).map(of).sum()
    };
    let overloads = application
        .services
        .enumerate()
        .map(|(id, service)| (service, needed[id.index()], allowed(id)))
        .filter(|(_, needed, allowed)| needed >= allowed)
        .filter(|(_, needed, _)| *needed > 0.0)
        .map(|(service, needed, allowed)| Warning::Overload {
            strategy: resolved.strategy.clone(),
            service: service.name.clone(),
            needed,
            allowed,
        });
    let overridden = resolved
        .overridden
        .iter()
        .map(|path| Warning::Overridden { strategy: resolved.strategy.clone(), path: path.clone() });
    overridden.chain(overloads).collect()
}

/// A relative half width above this is worth a warning.
const WIDE: f64 = 0.1;

/// A share of failures above this is worth a warning.
const MANY_FAILURES: f64 = 0.001;

/// A share of requests in flight above this is worth a warning.
const MANY_IN_FLIGHT: f64 = 0.01;

/// What can be told after it.
#[must_use]
pub fn after_run(summary: &Summary) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for it in &summary.strategies {
        let strategy = it.name.clone();
        if it.requests.completed == 0 {
            warnings.push(Warning::NoRequestCompleted { strategy });
            continue;
        }
        let failed: u64 = it.requests.failed.values().sum();
        let share = failed as f64 / (failed + it.requests.completed) as f64;
        if share > MANY_FAILURES {
            warnings.push(Warning::Failures { strategy: strategy.clone(), share });
        }
        let share = it.requests.in_flight as f64 / it.requests.offered as f64;
        if share > MANY_IN_FLIGHT {
            warnings.push(Warning::InFlight { strategy: strategy.clone(), share });
        }
        if it.warm_up_not_found > 0 {
            let replications = it.warm_up_not_found;
            warnings.push(Warning::WarmUpNotFound { strategy: strategy.clone(), replications });
        }
        let mean = it.latency_ms.mean;
        if let Some([low, high]) = mean.ci95 {
            let relative = (high - low) / 2.0 / mean.value;
            if relative > WIDE {
                warnings.push(Warning::WideInterval { strategy, relative });
            }
        }
    }
    warnings
}
