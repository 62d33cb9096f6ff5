//! What a scenario means: names become ids, texts become numbers, everything is checked.

mod application;
mod clusters;
mod ranges;
mod users;

use crate::document::Document;
use crate::problem::{Checked, Problem, Problems, Source, nearest};
use crate::schema::{self, Scenario};
use meshsim_core::SimDuration;
use meshsim_models::mesh::load_balancer::Policy;
use meshsim_models::mesh::proxy_cost::ProxyCost;
use meshsim_models::world::description::{
    DEFAULT_SEED, DataPlane, Description, GatewaySettings, MeshSettings,
};
use ranges::{at_least_one, spread};
use std::ops::Range;
use std::sync::Arc;

/// A scenario under one strategy, ready to run.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The strategy's name.
    pub strategy: String,
    /// Everything that a run needs.
    pub description: Description,
    /// Independent repetitions.
    pub replications: u32,
    /// The strategy that the others are compared with.
    pub baseline: Option<String>,
    /// Paths at which a setting replaces what the strategy says.
    pub overridden: Vec<String>,
}

/// Independent repetitions where the scenario names none: enough for an interval worth its name.
const DEFAULT_REPLICATIONS: u32 = 10;

/// Reported time where the scenario names none.
const DEFAULT_DURATION: SimDuration = SimDuration::from_secs(20 * 60);

/// Time before it where the scenario names none.
const DEFAULT_WARM_UP: SimDuration = SimDuration::from_secs(60);

/// Longest run: ten years.
const DURATION_MAX: SimDuration = SimDuration::from_secs(3_650 * 86_400);

/// Longest time that a piece of work takes.
const COST_MAX: SimDuration = SimDuration::from_secs(3_600);

/// Most user requests of an open loop in a run: their rows take 0.7 GB per strategy.
const REQUESTS_MAX: f64 = 1e7;

/// Checks a scenario as a whole.
///
/// # Errors
/// Everything that is wrong with it.
pub fn resolve(
    document: &Document,
    scenario: &Scenario,
    workmodel: &Arc<Source>,
    strategy: &str,
) -> Checked<Resolved> {
    let mut check = Check { document, problems: Vec::new() };
    let application = application::resolve(&mut check, scenario, workmodel)?;
    let network = clusters::resolve(&mut check, scenario, &application, strategy);
    let populations = users::resolve(&mut check, scenario, &application, &network);
    let run = &scenario.run;
    let description = Description {
        seed: run.seed.unwrap_or(DEFAULT_SEED),
        warm_up: check.duration(run.warm_up.as_ref(), "warm_up", DEFAULT_WARM_UP, 0),
        duration: check.duration(run.duration.as_ref(), "duration", DEFAULT_DURATION, 1_000_000),
        cell: application::cell(&mut check, &scenario.cell),
        mesh: mesh(&mut check, &scenario.mesh),
        gateway: gateway(&mut check, &scenario.gateway),
        application,
        hosts: network.hosts,
        clusters: network.clusters,
        links: network.links,
        deployments: network.deployments,
        populations,
    };
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
    if check.problems.is_empty() {
        check.places_every_service(&description);
        check.fits_into_memory(&description);
    }
    if check.problems.is_empty() {
        let overridden = Vec::new();
        Ok(Resolved { strategy: strategy.to_owned(), description, replications, baseline, overridden })
    } else {
        Err(Problems(check.problems))
    }
}

/// Collects what is wrong.
struct Check<'a> {
    document: &'a Document,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn problem(&mut self, message: impl Into<String>, span: Range<usize>, help: impl Into<String>) {
        let problem = self.document.problem(message, span).help(help);
        self.problems.push(problem);
    }

    /// The place of a name among those that are known.
    fn reference<'k>(
        &mut self,
        name: &str,
        span: Range<usize>,
        known: impl IntoIterator<Item = &'k str> + Clone,
        kind: &str,
    ) -> Option<usize> {
        let found = known.clone().into_iter().position(|candidate| candidate == name);
        if found.is_none() {
            let help = match nearest(name, known.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("declared: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
            };
            self.problem(format!("there is no {kind} `{name}`"), span, help);
        }
        found
    }

    /// A duration of at least `least` ns.
    fn duration(
        &mut self,
        value: Option<&schema::Duration>,
        key: &str,
        default: SimDuration,
        least: u64,
    ) -> SimDuration {
        let Some(value) = value else { return default };
        let duration = value.get_ref().0;
        if duration.as_nanos() < least || duration > DURATION_MAX {
            let least = SimDuration::from_nanos(least);
            let help = format!("it is {least} to {DURATION_MAX}");
            self.problem(format!("{key} {duration} is out of range"), value.span(), help);
        }
        duration
    }

    /// Time that some work takes: at most an hour.
    fn cost(&mut self, value: Option<&schema::Duration>, key: &str, default: SimDuration) -> SimDuration {
        let duration = self.duration(value, key, default, 0);
        if let Some(value) = value.filter(|_| duration > COST_MAX) {
            self.problem(
                format!("{key} {duration} is out of range"),
                value.span(),
                format!("it is at most {COST_MAX}"),
            );
        }
        duration.min(COST_MAX)
    }

    /// Every user request has a row.
    fn fits_into_memory(&mut self, description: &Description) {
        let seconds = (description.warm_up + description.duration).as_secs_f64();
        let open = description.populations.iter().filter(|p| p.arrivals.is_open());
        let requests: f64 = open.map(|p| p.arrivals.offered_per_second(p.users) * seconds).sum();
        if requests > REQUESTS_MAX {
            let message = format!("a run of {seconds:.0} s has about {requests:.0} user requests");
            let help = format!("at most {REQUESTS_MAX:.0}: shorten the run and take more replications");
            self.problems.push(Problem::new(message).help(help));
        }
    }

    /// Every service that can be called has a pod, and every cluster a way to every other.
    fn places_every_service(&mut self, description: &Description) {
        let application = &description.application;
        for (id, service) in application.services.enumerate() {
            if !description.deployments.iter().any(|d| d.service == id && d.replicas > 0) {
                let called = application.endpoints.iter().any(|endpoint| {
                    endpoint.groups.iter().flat_map(|g| &g.calls).any(|c| c.endpoint == service.endpoint)
                });
                let entered = description.populations.iter().any(|p| p.entry == service.endpoint);
                if called || entered {
                    let message = format!("service `{}` is called but runs in no cluster", service.name);
                    let help = "add it to the services of a cluster";
                    self.problems.push(Problem::new(message).help(help));
                }
            }
        }
    }
}

fn mesh(check: &mut Check<'_>, mesh: &schema::Mesh) -> MeshSettings {
    let default = MeshSettings::default();
    let sidecar = &mesh.sidecar;
    MeshSettings {
        data_plane: match mesh.data_plane {
            Some(schema::DataPlane::Sidecar) => DataPlane::Sidecar,
            Some(schema::DataPlane::None) => DataPlane::None,
            None => default.data_plane,
        },
        istio_version: mesh.istio_version.as_ref().map_or(default.istio_version, |v| v.get_ref().0),
        load_balancer: mesh.load_balancer.map_or(default.load_balancer, policy),
        locality_failover: mesh.locality_failover.unwrap_or(default.locality_failover),
        mtls: mesh.mtls.unwrap_or(default.mtls),
        concurrency: match &sidecar.concurrency {
            Some(n) => at_least_one(check, n, "concurrency", 256),
            None => default.concurrency,
        },
        loopback: check.cost(sidecar.loopback.as_ref(), "loopback", default.loopback),
        outbound: proxy_cost(check, &sidecar.outbound, default.outbound),
        inbound: proxy_cost(check, &sidecar.inbound, default.inbound),
    }
}

fn gateway(check: &mut Check<'_>, gateway: &schema::Gateway) -> GatewaySettings {
    let default = GatewaySettings::default();
    GatewaySettings {
        load_balancer: gateway.load_balancer.map_or(default.load_balancer, policy),
        replicas: match &gateway.replicas {
            Some(n) => at_least_one(check, n, "replicas", 1_024),
            None => default.replicas,
        },
        concurrency: match &gateway.concurrency {
            Some(n) => at_least_one(check, n, "concurrency", 256),
            None => default.concurrency,
        },
        cost: proxy_cost(check, &gateway.cost, default.cost),
    }
}

fn proxy_cost(check: &mut Check<'_>, cost: &schema::ProxyCost, default: ProxyCost) -> ProxyCost {
    ProxyCost {
        request: check.cost(cost.request.as_ref(), "request", default.request),
        response: check.cost(cost.response.as_ref(), "response", default.response),
        response_per_kb: check.cost(
            cost.response_per_kb.as_ref(),
            "response_per_kb",
            default.response_per_kb,
        ),
        spread: spread(check, cost.spread.as_ref(), default.spread),
        cpu: check.cost(cost.cpu.as_ref(), "cpu", default.cpu),
        cpu_per_kb: check.cost(cost.cpu_per_kb.as_ref(), "cpu_per_kb", default.cpu_per_kb),
    }
}

const fn policy(load_balancer: schema::LoadBalancer) -> Policy {
    match load_balancer {
        schema::LoadBalancer::RoundRobin => Policy::RoundRobin,
        schema::LoadBalancer::LeastRequest => Policy::LeastRequest { choices: 2 },
        schema::LoadBalancer::Random => Policy::Random,
    }
}
