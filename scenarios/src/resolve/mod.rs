//! What a scenario means: names become ids, texts become numbers, everything is checked.

mod access;
mod application;
mod arrivals;
mod calibration;
mod changes;
mod check;
mod clusters;
mod consistent_hash;
mod costs;
mod data_plane;
mod destinations;
mod endpoints;
mod faults;
mod federation;
mod hpa;
mod istiod;
mod kubernetes;
mod law;
mod locality;
mod mesh;
mod moves;
pub mod names;
mod objectives;
mod observability;
mod offloading;
mod outages;
mod ranges;
mod rate_table;
mod recording;
mod requests;
mod resources;
mod retries;
mod rewrites;
mod route_blocks;
mod route_conditions;
mod routes;
mod services;
mod taints;
mod tenants;
#[cfg(test)]
mod tests;
mod traffic_policy;
mod user_retries;
mod users;
mod versions;
mod workloads;

use crate::document::Document;
use crate::problem::{Checked, Problem, Problems, SourceText};
pub use crate::resolved::Resolved;
use crate::schema::costs::Hourly;
use crate::schema::spanned::Spanned;
use crate::schema::users::Users;
use crate::schema::{self, Scenario};
use arrivals::Times;
pub use check::Files;
use check::{Check, MILLISECOND};
pub use data_plane::PlaneKey;
pub(crate) use endpoints::METHODS;
use meshsim_core::SimDuration;
use meshsim_models::ids::EndpointId;
use meshsim_models::istiod::upstreams::Upstreams;
use meshsim_models::kubernetes::settings::ChangeKind;
use meshsim_models::pod_id::PodIds;
use meshsim_models::world::description::{DEFAULT_SEED, Description};
use ranges::at_least_one;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The texts of a scenario's work models by the names of their applications; that of the only one is empty.
pub type WorkModels = BTreeMap<String, Arc<SourceText>>;

/// Independent repetitions where the scenario names none: enough for an interval worth its name.
const DEFAULT_REPLICATIONS: u32 = 10;

/// Reported time where the scenario names none.
const DEFAULT_DURATION: SimDuration = SimDuration::from_secs(20 * 60);

/// Most user requests of an open loop in a run: the number of a request has 32 bits.
const REQUESTS_MAX: f64 = 4e9;

/// Each cluster of a world takes some 0.2 MB.
const CLUSTERS_MAX: usize = 20_000;

/// A pod's number rests for a while when it has ended: so many more are kept.
const NUMBERS_PER_POD: u32 = 4;

/// Checks a scenario as a whole.
///
/// # Errors
/// Everything that is wrong with it.
pub fn resolve(
    document: &Document,
    scenario: &Scenario,
    workmodels: &WorkModels,
    files: Files<'_>,
    strategy: &str,
) -> Checked<Resolved> {
    let mut check = Check { document, files, problems: Vec::new() };
    let (application, workmodel_warnings) = application::resolve(&mut check, scenario, workmodels)?;
    let mut network = clusters::resolve(&mut check, scenario, &application, strategy);
    offloading::make_room(scenario, &application, &mut network);
    let federation = federation::resolve(&mut check, scenario, &application, &network);
    let mesh = mesh::resolve(&mut check, &scenario.mesh);
    let subsets = versions::subset_names(scenario);
    let version = mesh.istio_version;
    let services = services::resolve(&mut check, scenario, &application, &network, &subsets, version);
    federation::check_tunnel_gateways(&mut check, scenario);
    federation::check_protocols(&mut check, scenario, &application, &services);
    let (authorization_policies, peer_authentications) =
        access::resolve(&mut check, scenario, &application, &services, &mesh);
    let run = &scenario.run;
    // Users who send so many and stop begin at once: all that they send is meant.
    let counted = scenario.users.values().any(|it| it.get_ref().requests_each.is_some());
    let written = check.warm_up(run.warm_up.as_ref());
    let warm_up = written.unwrap_or(SimDuration::ZERO);
    let duration = check.duration(run.duration.as_ref(), "duration", DEFAULT_DURATION, 1_000_000);
    let end = warm_up.saturating_add(duration);
    let begin_at = begin_at(&mut check, scenario);
    let times = Times { begin_at, end };
    let populations = users::resolve(&mut check, scenario, &application, &network, &services, &times);
    let istiod = istiod::resolve(&mut check, scenario.istiod.as_ref().map(Spanned::get_ref), &network);
    let faults = faults::resolve(&mut check, &scenario.faults, &application, &network, istiod, end);
    let kubernetes =
        kubernetes::resolve(&mut check, scenario, &application, &network, mesh.istio_version, end);
    let configuration_changes =
        changes::of_configuration(&mut check, scenario, &application, &network, (&subsets, version), end);
    let observability =
        observability::resolve(&mut check, scenario.observability.as_ref().map(Spanned::get_ref), &network);
    federation::place_offloaded(federation.as_ref(), &application, &mut network.deployments);
    let time_series = time_series(&mut check, run.time_series.as_ref(), end);
    let costs = costs::resolve(&mut check, scenario, &network.links, begin_at);
    let mut description = Description {
        seed: run.seed.unwrap_or(DEFAULT_SEED),
        warm_up,
        duration,
        cell: application::cell(&mut check, scenario),
        mesh,
        services,
        subsets: subsets.into_iter().collect(),
        authorization_policies,
        peer_authentications,
        configuration_changes,
        gateway: mesh::gateway(&mut check, &scenario.gateway),
        application,
        hosts: network.hosts,
        clusters: network.clusters,
        links: network.links,
        federation,
        deployments: network.deployments,
        populations,
        faults: faults.pods,
        link_faults: faults.links,
        outages: faults.outages,
        repeated_faults: faults.repeated,
        kubernetes,
        istiod,
        observability,
        time_series,
        scraped_every: None,
        offloading: None,
        keeps_decisions: false,
        costs,
    };
    offloading::resolve(&mut check, scenario, &mut description);
    let regret_horizon = offloading::regret_horizon(&mut check, scenario, &description);
    let replications = match &run.replications {
        Some(n) => at_least_one(&mut check, n, "replications", 100_000),
        None => DEFAULT_REPLICATIONS,
    };
    let baseline = run.baseline.as_ref().map(|name| name.get_ref().clone());
    if let Some(name) = &run.baseline {
        let known = document.strategies()?;
        let known: Vec<&str> = known.iter().map(|head| head.name.get_ref().as_str()).collect();
        check.reference(name.get_ref(), name.span(), known.iter().copied(), "strategy");
    }
    let calibration_draws = calibration::resolve(&mut check, scenario);
    let names = names::resolve(&mut check, scenario);
    if check.problems.is_empty() {
        check.places_every_service(&description);
        destinations::check(&mut check, scenario, &description, strategy);
        versions::check(&mut check, scenario, &description);
        check.fits_into_memory(&description);
        check.numbers_upstreams(&description);
        check.numbers_pods(&description);
    }
    let objectives = match check.problems.is_empty() {
        true => objectives::resolve(&mut check, &scenario.objectives, &description),
        false => Vec::new(),
    };
    if check.problems.is_empty() {
        let overridden = Vec::new();
        let plane_keys = data_plane::keys(scenario, &description);
        Ok(Resolved {
            strategy: strategy.to_owned(),
            description,
            auto_warm_up: written.is_none() && !counted,
            begin_at: run.begin_at.as_ref().map(|_| begin_at.as_secs_f64()),
            replications,
            baseline,
            control_variates: run.control_variates.unwrap_or(true),
            regret_horizon,
            overridden,
            workmodel_warnings,
            plane_keys,
            objectives,
            calibration_draws,
            names,
        })
    } else {
        Err(Problems(told_once(check.problems)))
    }
}

/// The time of day at which the run begins, which loads that follow the day go by.
fn begin_at(check: &mut Check<'_>, scenario: &Scenario) -> SimDuration {
    let Some(written) = &scenario.run.begin_at else { return SimDuration::ZERO };
    let follows = |users: &Users| users.arrivals.as_ref().is_some_and(|it| it.get_ref().follows_the_day());
    let hourly =
        |it: Option<&Spanned<Hourly>>| it.is_some_and(|it| matches!(it.get_ref(), Hourly::ByHour(_)));
    let of_clusters = scenario.clusters.values().any(|it| hourly(it.get_ref().carbon_intensity.as_ref()));
    let of_links = scenario.links.values().any(|it| hourly(it.get_ref().carbon_intensity.as_ref()));
    if !of_clusters && !of_links && !scenario.users.values().any(|it| follows(it.get_ref())) {
        let help = "take it out, or give users arrivals of type \"diurnal\" or \"piecewise\"";
        check.problem("no load follows the time of day", written.span(), help);
    }
    written.get_ref().0.0
}

/// Time between samples: at most so many in a run.
fn time_series(
    check: &mut Check<'_>,
    written: Option<&schema::Duration>,
    end: SimDuration,
) -> Option<SimDuration> {
    let written = written?;
    let interval = check.duration(Some(written), "time_series", SimDuration::ZERO, MILLISECOND);
    let location = check.document.location(written.span());
    check.problems.extend(too_many_samples(interval, end).map(|problem| Problem { location, ..problem }));
    if interval > end {
        let message = format!("time_series {interval} is longer than the run of {end}");
        check.problem(message, written.span(), "make it shorter: 15s is usual");
    }
    Some(interval)
}

/// Refuses more samples than anybody looks at.
pub(crate) fn too_many_samples(interval: SimDuration, end: SimDuration) -> Option<Problem> {
    const MOST: u64 = 100_000;
    let too_many = interval > SimDuration::ZERO && end.as_nanos() / interval.as_nanos() > MOST;
    let problem = || Problem::new(format!("time_series {interval} makes more than {MOST} samples"));
    too_many.then(|| problem().help("make it longer: 15s is usual"))
}

/// User requests of the open loops in a run, on average.
pub(crate) fn expected_requests(description: &Description) -> f64 {
    let open = description.populations.iter().filter(|p| p.arrivals.is_open());
    open.map(|p| p.arrivals.expected(p.users, description.end())).sum()
}

/// Refuses more requests than anybody needs of one run.
pub(crate) fn too_many_requests(description: &Description) -> Option<Problem> {
    let seconds = description.end().as_secs_f64();
    let requests = expected_requests(description);
    let problem = || Problem::new(format!("a run of {seconds:.0} s has about {requests:.0} user requests"));
    let help = || {
        format!("at most {REQUESTS_MAX:.0}: shorten run.duration and take more replications, or lower rates")
    };
    (requests > REQUESTS_MAX).then(|| problem().help(help()))
}

/// What a template writes into many clusters is wrong once: problems that differ in the cluster's
/// number only are the first of them.
fn told_once(problems: Vec<Problem>) -> Vec<Problem> {
    let but_numbers = |problem: &Problem| {
        let text: String = problem.message.chars().filter(|c| !c.is_ascii_digit()).collect();
        problem.location.as_ref().map(|location| (location.span.start, text))
    };
    let mut known = BTreeSet::new();
    problems.into_iter().filter(|it| but_numbers(it).is_none_or(|it| known.insert(it))).collect()
}

impl Check<'_> {
    /// Every user request has a row.
    fn fits_into_memory(&mut self, description: &Description) {
        self.problems.extend(too_many_requests(description));
        let clusters = description.clusters.len();
        if clusters > CLUSTERS_MAX {
            let problem = Problem::new(format!("there are {clusters} clusters"));
            self.problems.push(problem.help(format!("at most {CLUSTERS_MAX} are simulated")));
        }
    }

    /// Services and subsets have numbers of 16 bits.
    fn numbers_upstreams(&mut self, description: &Description) {
        let upstreams = Upstreams::new(description).len();
        if upstreams >= usize::from(u16::MAX) {
            let message = format!("there are {upstreams} services, subsets and changes of them");
            self.problems.push(Problem::new(message).help(format!("at most {} are simulated", u16::MAX - 1)));
        }
    }

    /// The pods of a service in a cluster have numbers that clusters and services leave bits for; those that are
    /// replaced, and end, have theirs beside the new ones.
    fn numbers_pods(&mut self, description: &Description) {
        let (clusters, services) = (description.clusters.len(), description.services.len());
        let most = PodIds::new(clusters, services).most_pods() / NUMBERS_PER_POD;
        let kubernetes = &description.kubernetes;
        for it in &description.deployments {
            let hpa = kubernetes.autoscaler(it.service, it.cluster).map(|it| it.hpa.max_replicas);
            let changes =
                kubernetes.changes.iter().filter(|to| (to.service, to.cluster) == (it.service, it.cluster));
            let changed = changes.filter_map(|to| match to.kind {
                ChangeKind::Scale(replicas) | ChangeKind::Offload(replicas) => Some(replicas),
                ChangeKind::Remove | ChangeKind::Rollout => None,
            });
            let pods = hpa.into_iter().chain(changed).chain([it.replicas]).max().unwrap_or(0);
            if pods > most {
                let (service, cluster) = (
                    &description.application.services[it.service].name,
                    &description.clusters[it.cluster].name,
                );
                let message = format!("there may be {pods} pods of `{service}` in cluster `{cluster}`");
                let help =
                    format!("with {clusters} clusters and {services} services, at most {most} are simulated");
                self.problems.push(Problem::new(message).help(help));
            }
        }
    }

    /// Every service that can be called has a pod, and every cluster a way to every other.
    fn places_every_service(&mut self, description: &Description) {
        let application = &description.application;
        for (id, service) in application.services.enumerate() {
            if !description
                .deployments
                .iter()
                .any(|d| description.front_of(d.service) == id && d.replicas > 0)
            {
                let of_service = |endpoint: EndpointId| application.endpoints[endpoint].service == id;
                let called = application.endpoints.iter().any(|endpoint| {
                    endpoint.groups.iter().flat_map(|g| &g.calls).any(|call| of_service(call.endpoint))
                });
                let entered =
                    description.populations.iter().flat_map(|it| it.requests.endpoints()).any(of_service);
                if called || entered {
                    let message = format!("service `{}` is called but runs in no cluster", service.name);
                    let help = "add it to the services of a cluster";
                    self.problems.push(Problem::new(message).help(help));
                }
            }
        }
    }
}
