//! Deployments whose queues grow as long as a run lasts.
//!
//! # Models
//! What is in the cells of a Deployment's pods is compared between the second and the last quarter of the
//! whole run. A queue grows if there are at least 5 requests more, and 1.5 times as many, in every quarter
//! more than in the one before, and over the replications surely so (Student's t, 95 %), while no more
//! calls were served than before: where the load rises, so may what is under way. Where only users of closed loops
//! come, nothing grows without a bound: a user waits for an answer before the next request.
//!
//! # Assumptions
//! A cell holds its requests while it waits for others, so callers of a slow service fill up too. Only the
//! last of a chain of such services is named. Once all threads of a caller wait, the queue before the slow
//! service grows no more, and the caller's is the one that is named.
//! Requests that wait in a proxy for a connection are in no cell.

use super::estimates::over_replications;
use crate::experiment::replication::Figures;
use meshsim_core::Table;
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::{EndpointId, ServiceId};
use meshsim_models::world::description::Description;
use std::collections::BTreeSet;

/// A Deployment whose queue grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueGrowth {
    /// Its index in the description.
    pub deployment: usize,
    /// Requests in its cells, in the mean over the second quarter.
    pub from: f64,
    /// The same over the last.
    pub to: f64,
}

/// Growth by fewer requests than this is of no concern.
const FEW: f64 = 5.0;

/// A queue at the very edge of what its server can do grows as the square root of time, that is 1.5
/// times between the middles of the two quarters; one beyond it 2.3 times.
const TIMES: f64 = 1.5;

/// Calls served may vary by this much.
const SAME_LOAD: f64 = 1.05;

/// The Deployments whose queues grow, but those of callers of `overloaded` services and of each other.
#[must_use]
pub fn growing_queues(
    description: &Description,
    figures: &[&Figures],
    overloaded: &BTreeSet<ServiceId>,
) -> Vec<QueueGrowth> {
    let origins = origins(description);
    let may_grow = |index: &usize| match origins[description.deployments[*index].service] {
        Origins::Open | Origins::Both => true,
        Origins::Closed | Origins::Nobody => false,
    };
    let indices = (0..description.deployments.len()).filter(may_grow);
    let growing: Vec<QueueGrowth> = indices.filter_map(|index| growth(figures, index)).collect();
    let service = |it: &QueueGrowth| description.deployments[it.deployment].service;
    let suspects: BTreeSet<ServiceId> =
        growing.iter().map(service).chain(overloaded.iter().copied()).collect();
    let application = &description.application;
    let waits = |it: ServiceId| suspects.iter().any(|&other| other != it && application.calls(it, other));
    let waiting: Table<ServiceId, bool> = application.services.ids().map(waits).collect();
    // Where all wait for each other, nobody is the cause.
    let all_wait = suspects.iter().all(|&it| waiting[it]);
    growing.into_iter().filter(|it| all_wait || !waiting[service(it)]).collect()
}

/// Whose requests come to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Nobody's.
    Nobody,
    /// Those of open loops, which come whatever becomes of the others.
    Open,
    /// Those of closed loops, whose users wait for their answers.
    Closed,
    /// Both.
    Both,
}

/// Whose requests come to each service: straight, through calls of others, routes that lead elsewhere, or as copies.
#[must_use]
pub fn origins(description: &Description) -> Table<ServiceId, Origins> {
    let services = &description.application.services;
    let mut origins: Table<ServiceId, Origins> = services.iter().map(|_| Origins::Nobody).collect();
    for population in &description.populations {
        let kind = if population.arrivals.is_open() { Origins::Open } else { Origins::Closed };
        for service in reached(description, population.requests.endpoints()) {
            let known = &mut origins[service];
            *known = if *known == Origins::Nobody || *known == kind { kind } else { Origins::Both };
        }
    }
    origins
}

/// The services that requests to these endpoints may come to.
fn reached(description: &Description, entries: impl Iterator<Item = EndpointId>) -> BTreeSet<ServiceId> {
    let application = &description.application;
    let mut seen: BTreeSet<EndpointId> = entries.collect();
    let mut open: Vec<EndpointId> = seen.iter().copied().collect();
    while let Some(endpoint) = open.pop() {
        for next in next_of(description, application, endpoint) {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen.into_iter().map(|endpoint| application.endpoints[endpoint].service).collect()
}

/// What an endpoint calls, and what the routes of its service send its requests or copies to.
fn next_of(description: &Description, application: &Application, endpoint: EndpointId) -> Vec<EndpointId> {
    let settings = &application.endpoints[endpoint];
    let calls = settings.groups.iter().flat_map(|group| &group.calls).filter(|call| call.probability > 0.0);
    let changes =
        || description.configuration_changes.iter().filter(|change| change.service == settings.service);
    let later = || changes().flat_map(|change| &change.settings.routes);
    let routes = || description.services[settings.service].routes.iter().chain(later());
    let elsewhere = routes().flat_map(|route| &route.destinations).map(|to| to.destination.service);
    let copies = routes().filter_map(|route| route.mirror.as_ref()).map(|it| it.destination.service);
    let led_to = elsewhere.chain(copies).chain([settings.service]);
    let others = led_to.flat_map(|service| description.versions_of(service));
    let others = others.filter(|&service| service != settings.service);
    let others = others.map(|service| application.counterpart(endpoint, service));
    calls.map(|call| call.endpoint).chain(others).collect()
}

fn growth(figures: &[&Figures], deployment: usize) -> Option<QueueGrowth> {
    let mean = |of: &dyn Fn(&Figures) -> f64| over_replications(figures, of);
    let in_cells = |quarter: usize| mean(&|f| f.workloads[deployment].in_cells[quarter]).map(|it| it.value);
    let served =
        |quarter: usize| mean(&|f| f.workloads[deployment].served[quarter] as f64).map(|it| it.value);
    let more = mean(&|f| f.workloads[deployment].in_cells[3] - f.workloads[deployment].in_cells[1])?;
    let [second, third, last] = [in_cells(1)?, in_cells(2)?, in_cells(3)?];
    let grows = more.value >= FEW && last >= TIMES * second && second < third && third < last;
    let is_sure = more.interval.is_none_or(|interval| interval.low > 0.0);
    let load_rose = served(3)? > SAME_LOAD * served(1)?;
    (grows && is_sure && !load_rose).then_some(QueueGrowth { deployment, from: second, to: last })
}
