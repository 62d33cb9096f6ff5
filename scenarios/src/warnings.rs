//! Things that make a result doubtful: a closed list, each with what to do.

use crate::analysis::demand::demand_ms_per_request;
use crate::resolve::Resolved;
use crate::results::summary::{Strategy, Summary};
use meshsim_core::{Id, SimTime, Table};
use meshsim_models::application::call_graph::Service;
use meshsim_models::faults::pod::PodFault;
use meshsim_models::ids::{ServiceId, UpstreamId};
use meshsim_models::mesh::istio_version::IstioVersion;
use meshsim_models::mesh::locality_setting::{LocalitySetting, in_force};
use meshsim_models::mesh::outlier_detection::OutlierDetection;
use meshsim_models::users::arrivals::Extreme;
use meshsim_models::users::population::Population;
use meshsim_models::world::description::{DataPlane, Deployment, Description, ServiceSettings};
use meshsim_models::world::upstreams::Upstreams;
use std::collections::{BTreeMap, BTreeSet};
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
    /// The pods of a service need more CPU at the peak of the load than their limits give them.
    PeakOverload {
        /// Under which strategy.
        strategy: String,
        /// Of which service.
        service: String,
        /// Needed at the peak, over all clusters (cores).
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
    /// Outlier detection that cannot eject any of so few endpoints.
    NeverEjects {
        /// Under which strategies.
        strategies: Vec<String>,
        /// Of which services, with the largest number of their endpoints.
        services: BTreeMap<String, u32>,
        /// The largest part that may be ejected (percent).
        percent: u32,
    },
    /// A setting of localities that needs outlier detection and has none.
    FailoverWithoutDetection {
        /// Under which strategy.
        strategy: String,
        /// Of which services.
        services: Vec<String>,
    },
    /// A `traffic_distribution` that the release does not know.
    UnknownTrafficDistribution {
        /// Under which strategy.
        strategy: String,
        /// Of which services.
        services: Vec<String>,
        /// The release.
        version: IstioVersion,
    },
    /// A fault of pods of which there is none.
    FaultWithoutPods {
        /// Under which strategy.
        strategy: String,
        /// Of which service.
        service: String,
        /// Where.
        cluster: String,
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
    /// Pods found no node.
    Unschedulable {
        /// Under which strategy.
        strategy: String,
        /// Of which service.
        service: String,
        /// Where.
        cluster: String,
        /// How many, over all replications.
        pods: u32,
        /// What nodes lacked.
        because: &'static str,
    },
    /// Pods were made and never became ready.
    NeverReady {
        /// Under which strategy.
        strategy: String,
        /// Of which service.
        service: String,
        /// Where.
        cluster: String,
        /// How many, over all replications.
        pods: u32,
    },
    /// The pods of a service in a cluster used all the CPU that they may.
    Saturated {
        /// Under which strategy.
        strategy: String,
        /// Of which service.
        service: String,
        /// Where.
        cluster: String,
        /// CPU used over CPU limit.
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
            Self::PeakOverload { strategy, service, needed, allowed } => write!(
                f,
                "strategy `{strategy}`: service `{service}` needs {needed:.2} cores at the peak of the load and has \
                 {allowed:.2}; queues will grow as long as it lasts: if they are not to, add replicas or raise cpu_limit"
            ),
            Self::Overridden { strategy, path } => write!(
                f,
                "--set {path} wins over what strategy `{strategy}` says there; choose the strategies that it leaves \
                 alone with --strategy"
            ),
            Self::NeverEjects { strategies, services, percent } => {
                let plural = if strategies.len() == 1 { "strategy" } else { "strategies" };
                let names: Vec<&str> = services.keys().map(String::as_str).collect();
                let most = services.values().max().copied().unwrap_or(0);
                write!(
                    f,
                    "{plural} `{}`: outlier detection never ejects an endpoint of {}: {percent} % of {most} or \
                     fewer is none; if it is to, write max_ejection_percent = 100, or \
                     mesh.outlier_detection.always_eject_one_host = true",
                    strategies.join("`, `"),
                    names.join(", ")
                )
            }
            Self::FailoverWithoutDetection { strategy, services } => write!(
                f,
                "strategy `{strategy}`: the locality_lb_setting of {} has no effect without outlier detection; write \
                 outlier_detection = {{ consecutive_5xx_errors = 5 }} into the traffic_policy",
                services.join(", ")
            ),
            Self::UnknownTrafficDistribution { strategy, services, version } => write!(
                f,
                "strategy `{strategy}`: Istio {version} ignores the traffic_distribution of {}; it knows PreferClose \
                 from 1.25 on, PreferSameZone and PreferSameNode from 1.27 on: take it out, or raise istio_version",
                services.join(", ")
            ),
            Self::FaultWithoutPods { strategy, service, cluster } => write!(
                f,
                "strategy `{strategy}`: the fault of `{service}` in cluster `{cluster}` befalls no pod, because none \
                 runs there; place one there if it is to"
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
            Self::Unschedulable { strategy, service, cluster, pods, because } => write!(
                f,
                "strategy `{strategy}`: {pods} pods of `{service}` were Pending in cluster `{cluster}`: {because}; add \
                 nodes or cores there, or lower requests or max_replicas"
            ),
            Self::NeverReady { strategy, service, cluster, pods } => write!(
                f,
                "strategy `{strategy}`: {pods} pods of `{service}` in cluster `{cluster}` never became ready; see \
                 pod_events.csv (--out) for what they waited for"
            ),
            Self::Saturated { strategy, service, cluster, share } => write!(
                f,
                "strategy `{strategy}`: the pods of `{service}` in cluster `{cluster}` use {:.0} % of their CPU limit: \
                 their queues grow; add replicas or an hpa, or raise cpu_limit",
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

/// What can be told before a run of these strategies; what is the same under several is told once.
#[must_use]
pub fn before_runs(strategies: &[Resolved]) -> Vec<Warning> {
    let mut all: Vec<Warning> = Vec::new();
    for warning in strategies.iter().flat_map(before_run) {
        let Warning::NeverEjects { strategies, services, percent } = &warning else {
            all.push(warning);
            continue;
        };
        let same = |other: &&mut Warning| matches!(other, Warning::NeverEjects { percent: theirs, .. } if theirs == percent);
        if let Some(Warning::NeverEjects { strategies: theirs, services: known, .. }) =
            all.iter_mut().find(same)
        {
            theirs.extend(strategies.iter().filter(|it| !theirs.contains(it)).cloned().collect::<Vec<_>>());
            for (service, &count) in services {
                let most = known.entry(service.clone()).or_default();
                *most = count.max(*most);
            }
        } else {
            all.push(warning);
        }
    }
    all
}

/// What can be told before a run of one.
#[must_use]
pub fn before_run(resolved: &Resolved) -> Vec<Warning> {
    let overridden = resolved
        .overridden
        .iter()
        .map(|path| Warning::Overridden { strategy: resolved.strategy.clone(), path: path.clone() });
    let mut warnings: Vec<Warning> = overridden.collect();
    warnings.extend(overloads(resolved));
    if resolved.description.mesh.data_plane != DataPlane::None {
        warnings.extend(never_ejects(resolved));
        warnings.extend(failover_without_detection(resolved));
        warnings.extend(unknown_traffic_distribution(resolved));
    }
    warnings.extend(faults_without_pods(resolved));
    warnings
}

/// Services that need more CPU than they have: on average, or at the peak of the load.
fn overloads(resolved: &Resolved) -> Vec<Warning> {
    let description = &resolved.description;
    let application = &description.application;
    let end = description.end();
    let demands = demands(description);
    let mean = needed(&demands, |it| it.arrivals.offered_per_second(it.users, end));
    if mean.is_empty() {
        return Vec::new();
    }
    let mut peaks = vec![0.0_f64; mean.len()];
    for at in moments(description) {
        let needed = needed(&demands, |it| it.arrivals.rate_at(it.users, at, Extreme::Most));
        peaks.iter_mut().zip(needed).for_each(|(peak, needed)| *peak = peak.max(needed));
    }
    let allowed = |service| -> f64 {
        let workers = f64::from(application.services[service].workers);
        // An autoscaler may ask for as many as it is allowed to.
        let most = |d: &Deployment| {
            let settings = &description.kubernetes;
            let autoscaler = settings.autoscaler(d.service, d.cluster);
            autoscaler.map_or(d.replicas, |it| it.hpa.max_replicas.max(d.replicas))
        };
        let of =
            |d: &Deployment| f64::from(most(d)) * d.cpu_limit.map_or(workers, |cores| cores.0.min(workers));
        description.deployments.iter().filter(|d| d.service == service).map(of).sum()
    };
    let warning = |(id, it): (ServiceId, &Service)| {
        let (strategy, service, allowed) = (resolved.strategy.clone(), it.name.clone(), allowed(id));
        let (at_peak, needed) = (peaks[id.index()], mean[id.index()]);
        if needed >= allowed && needed > 0.0 {
            return Some(Warning::Overload { strategy, service, needed, allowed });
        }
        let peak = Warning::PeakOverload { strategy, service, needed: at_peak, allowed };
        (at_peak >= allowed && at_peak > 0.0).then_some(peak)
    };
    application.services.enumerate().filter_map(warning).collect()
}

/// What a request of each population needs of each service (core seconds).
fn demands(description: &Description) -> Vec<(&Population, Vec<f64>)> {
    let application = &description.application;
    // The users of a closed loop wait: they cannot ask for more than there is.
    let open = description.populations.iter().filter(|p| p.arrivals.is_open());
    let of = |population| -> Vec<f64> {
        let mut needed = vec![0.0; application.services.len()];
        let demand = demand_ms_per_request(description, population);
        for (id, ms) in demand.iter().flat_map(Table::enumerate) {
            needed[application.endpoints[id].service.index()] += ms / 1000.0;
        }
        needed
    };
    open.map(|population| (population, of(population.entry))).collect()
}

/// CPU that each service needs at a rate of each population (cores).
fn needed(demands: &[(&Population, Vec<f64>)], rate: impl Fn(&Population) -> f64) -> Vec<f64> {
    let mut needed = vec![0.0; demands.first().map_or(0, |(_, of)| of.len())];
    for (population, demand) in demands {
        let rate = rate(population);
        needed.iter_mut().zip(demand).for_each(|(needed, demand)| *needed += rate * demand);
    }
    needed
}

/// Moments of the run among which the load of all users together is highest, or nearly so.
fn moments(description: &Description) -> BTreeSet<SimTime> {
    let end = description.end();
    let turning = description.populations.iter().flat_map(|it| it.arrivals.turning_points(end));
    let grid = (0..GRID).map(|place| SimTime::from_nanos(end.as_nanos() / GRID * place));
    turning.chain(grid.take(if description.load_varies() { GRID as usize } else { 1 })).collect()
}

/// Moments at which a load that varies is looked at, beside those at which it turns.
const GRID: u64 = 200;

/// Services whose outlier detection is switched on and can do nothing, by percentage.
fn never_ejects(resolved: &Resolved) -> Vec<Warning> {
    let description = &resolved.description;
    let upstreams = Upstreams::new(description);
    let mut by_percent: BTreeMap<u32, BTreeMap<String, u32>> = BTreeMap::new();
    for (place, (id, service)) in description.application.services.enumerate().enumerate() {
        // The upstreams of services come first.
        let Some(config) = upstreams.spec(false, UpstreamId::from_index(place)).outlier_detection else {
            continue;
        };
        let of_service = description.deployments.iter().filter(|it| it.service == id);
        let endpoints: u32 = of_service.map(|it| it.replicas).sum();
        if endpoints > 0 && detects(&config) && !config.can_eject(endpoints) {
            let services = by_percent.entry(config.max_ejection_percent).or_default();
            services.insert(service.name.clone(), endpoints);
        }
    }
    let strategies = || vec![resolved.strategy.clone()];
    let warning = |(percent, services)| Warning::NeverEjects { strategies: strategies(), services, percent };
    by_percent.into_iter().map(warning).collect()
}

/// Whether anything at all is to eject.
const fn detects(config: &OutlierDetection) -> bool {
    config.enforcing_consecutive_5xx
        || config.enforcing_consecutive_gateway_failure
        || (config.split_external_local_origin_errors && config.enforcing_consecutive_local_origin_failure)
        || config.judges_statistics()
}

fn failover_without_detection(resolved: &Resolved) -> Option<Warning> {
    let (mesh, services) = (&resolved.description.mesh, &resolved.description.services);
    let has_no_effect = |it: &ServiceSettings| {
        let (rule, service) = (it.locality.as_ref(), it.traffic_distribution);
        in_force(mesh.istio_version, Some(&mesh.locality), rule, service).is_some_and(|it_holds| {
            let setting = &it_holds.setting;
            // The mesh's default says nothing, and is silently without effect.
            let says_something = *setting != LocalitySetting::default() && setting.distribute.is_empty();
            let detects = it.traffic_policy.outlier_detection.is_some();
            says_something && !it_holds.priorities_applied(detects)
        })
    };
    let services =
        names(resolved, services.enumerate().filter(|(_, it)| has_no_effect(it)).map(|(id, _)| id));
    let strategy = resolved.strategy.clone();
    (!services.is_empty()).then_some(Warning::FailoverWithoutDetection { strategy, services })
}

fn unknown_traffic_distribution(resolved: &Resolved) -> Option<Warning> {
    let version = resolved.description.mesh.istio_version;
    let is_unknown =
        |it: &ServiceSettings| it.traffic_distribution.is_some_and(|value| value.labels(version).is_none());
    let settings = resolved.description.services.enumerate();
    let services = names(resolved, settings.filter(|(_, it)| is_unknown(it)).map(|(id, _)| id));
    let strategy = resolved.strategy.clone();
    (!services.is_empty()).then_some(Warning::UnknownTrafficDistribution { strategy, services, version })
}

fn faults_without_pods(resolved: &Resolved) -> Vec<Warning> {
    let description = &resolved.description;
    let befalls = |fault: &PodFault| {
        let here = |it: &&Deployment| (it.service, it.cluster) == (fault.service, fault.cluster);
        description.deployments.iter().find(here).is_some_and(|it| it.replicas > 0)
    };
    let warning = |fault: &PodFault| Warning::FaultWithoutPods {
        strategy: resolved.strategy.clone(),
        service: description.application.services[fault.service].name.clone(),
        cluster: description.clusters[fault.cluster].name.clone(),
    };
    description.faults.iter().filter(|fault| !befalls(fault)).map(warning).collect()
}

fn names(resolved: &Resolved, services: impl Iterator<Item = ServiceId>) -> Vec<String> {
    services.map(|id| resolved.description.application.services[id].name.clone()).collect()
}

/// A relative half width above this is worth a warning.
const WIDE: f64 = 0.1;

/// A share of failures above this is worth a warning.
const MANY_FAILURES: f64 = 0.001;

/// A share of requests in flight above this is worth a warning.
const MANY_IN_FLIGHT: f64 = 0.01;

/// Pods that use more than this of their limit over a whole run never catch up.
const SATURATED: f64 = 0.98;

/// What went wrong with pods.
fn of_workloads(it: &Strategy) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (service, clusters) in &it.workloads {
        for (cluster, workload) in clusters {
            let (strategy, service, cluster) = (it.name.clone(), service.clone(), cluster.clone());
            if let Some(because) = workload.unschedulable_because {
                let pods = workload.unschedulable;
                let warning = Warning::Unschedulable { strategy, service, cluster, pods, because };
                warnings.push(warning);
            } else if workload.never_ready > 0 {
                let pods = workload.never_ready;
                warnings.push(Warning::NeverReady { strategy, service, cluster, pods });
            }
        }
    }
    for ((service, cluster), &share) in it.cpu_of_limit.iter().filter(|(_, share)| **share > SATURATED) {
        let (strategy, service, cluster) = (it.name.clone(), service.clone(), cluster.clone());
        warnings.push(Warning::Saturated { strategy, service, cluster, share });
    }
    warnings
}

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
        warnings.extend(of_workloads(it));
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
