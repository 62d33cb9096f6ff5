//! What users request: one endpoint, several by their weights, or the steps of a journey.

use super::check::Check;
use super::endpoints;
use super::ranges::bounded;
use crate::schema::spanned::Spanned;
use crate::schema::users::{JourneyStep, Users};
use meshsim_core::{Id, SimDuration, Table};
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::{EndpointId, ServiceId};
use meshsim_models::users::requests::{Requests, Step};
use meshsim_models::world::description::ServiceSettings;
use std::collections::BTreeSet;
use std::ops::Range;

/// A journey has at most so many steps.
const STEPS_MAX: usize = 1_000;

/// What users request; nothing if something is wrong with it.
pub(super) fn resolve(
    check: &mut Check<'_>,
    written: &Spanned<Users>,
    application: &Application,
    settings: &Table<ServiceId, ServiceSettings>,
) -> Option<Requests> {
    let users = written.get_ref();
    let service = match &users.service {
        None => None,
        Some(name) => {
            let known: Vec<&str> = application.services.iter().map(|it| it.name.as_str()).collect();
            let index = check.reference(name.get_ref(), name.span(), known.iter().copied(), "service")?;
            Some((ServiceId::from_index(index), name.span()))
        }
    };
    let asked = Asked { application, service: service.as_ref().map(|(service, _)| *service) };
    let requests = match (users.requests.is_empty(), users.journey.is_empty()) {
        (false, false) => {
            let span = users.journey[0].span();
            check.problem("the users have requests and a journey", span, "take one of them out");
            return None;
        }
        (true, false) => journey(check, users, &asked)?,
        (false, true) => weighted(check, users, &asked)?,
        (true, true) => match service.clone() {
            Some((service, span)) => {
                Requests::only(endpoints::only_endpoint(check, application, service, span)?)
            }
            None => {
                let help = "write service = \"NAME\", or requests = { browse = 80, buy = 20 }";
                check.problem("nothing says what the users request", written.span(), help);
                return None;
            }
        },
    };
    if let Some((service, span)) = service
        && requests.endpoints().all(|it| application.endpoints[it].service != service)
    {
        let help = "take it out: what they request is said beside it";
        check.problem("the users request nothing of this service", span, help);
    }
    refuse_tcp(check, users, &requests, application, settings);
    let service_of = |it| application.endpoints[it].service;
    let outside = requests.endpoints().map(service_of).find(|&it| settings[it].external);
    if let Some(outside) = outside {
        let message =
            format!("users request `{}`, which is outside the clusters", application.services[outside].name);
        check.problem(
            message,
            written.span(),
            "users come in by the gateway of a cluster, to services in it",
        );
    }
    Some(requests)
}

/// What names of requests are names in.
struct Asked<'a> {
    application: &'a Application,
    service: Option<ServiceId>,
}

impl Asked<'_> {
    /// An endpoint by its name among those of the users' service, or by `SERVICE.ENDPOINT`.
    fn endpoint(&self, check: &mut Check<'_>, name: &str, span: Range<usize>) -> Option<EndpointId> {
        match self.service.filter(|_| !name.contains('.')) {
            Some(service) => endpoints::endpoint_of(check, self.application, service, name, span),
            None => endpoints::named(check, self.application, name, span),
        }
    }
}

fn weighted(check: &mut Check<'_>, users: &Users, asked: &Asked<'_>) -> Option<Requests> {
    let before = check.problems.len();
    let mut kinds = Vec::new();
    for (name, weight) in &users.requests {
        let endpoint = asked.endpoint(check, name, weight.span());
        let weight = bounded(check, Some(weight), "a weight", 0.0, 0.0, 1e9);
        kinds.extend(endpoint.map(|endpoint| (endpoint, weight)));
    }
    if check.problems.len() > before {
        return None;
    }
    if !kinds.iter().any(|(_, weight)| *weight > 0.0) {
        let span = users.requests.values().next().map_or(0..1, Spanned::span);
        check.problem("all requests have the weight 0", span, "give one of them a weight above 0");
        return None;
    }
    Some(Requests::weighted(&kinds))
}

fn journey(check: &mut Check<'_>, users: &Users, asked: &Asked<'_>) -> Option<Requests> {
    let before = check.problems.len();
    let written = &users.journey;
    if written.len() > STEPS_MAX {
        let message = format!("the journey has {} steps", written.len());
        check.problem(message, written[STEPS_MAX].span(), format!("at most {STEPS_MAX} are simulated"));
        return None;
    }
    if let Some(moves) = users.moves.first() {
        let help =
            "take the moves out, or write requests: where users of a journey move, nobody knows their steps";
        check.problem("users who make a journey do not move", moves.span(), help);
    }
    let names: Vec<&str> = written.iter().map(|it| name_of(it.get_ref())).collect();
    let mut steps = Vec::new();
    for (index, it) in written.iter().enumerate() {
        let step = it.get_ref();
        let endpoint = asked.endpoint(check, step.request.get_ref(), step.request.span());
        let think_time = step.think_time.as_ref();
        let think_time =
            think_time.map(|time| check.duration(Some(time), "think_time", SimDuration::ZERO, 0));
        let next = if step.next.is_empty() {
            vec![(((index + 1) % written.len()) as u16, 1.0)]
        } else {
            next(check, it, &names)
        };
        steps.extend(endpoint.map(|endpoint| Step { endpoint, think_time, next }));
    }
    if check.problems.len() > before {
        return None;
    }
    refuse_unreached(check, written, &steps);
    Some(Requests::journey(steps))
}

fn name_of(step: &JourneyStep) -> &str {
    step.name.as_ref().unwrap_or(&step.request).get_ref()
}

/// The steps that may follow one.
fn next(check: &mut Check<'_>, step: &Spanned<JourneyStep>, names: &[&str]) -> Vec<(u16, f64)> {
    let mut next = Vec::new();
    for (name, weight) in &step.get_ref().next {
        if names.iter().filter(|it| **it == name).count() > 1 {
            let message = format!("several steps are named `{name}`");
            check.problem(message, weight.span(), "give each a name of its own: name = \"...\"");
            continue;
        }
        let index = check.reference(name, weight.span(), names.iter().copied(), "step");
        let weight = bounded(check, Some(weight), "a weight", 0.0, 0.0, 1e9);
        next.extend(index.map(|index| (index as u16, weight)));
    }
    if !next.is_empty() && !next.iter().any(|(_, weight)| *weight > 0.0) {
        let help = "give a step that may follow a weight above 0";
        check.problem("no step follows this one", step.span(), help);
    }
    next
}

/// Every step is taken at some time.
fn refuse_unreached(check: &mut Check<'_>, written: &[Spanned<JourneyStep>], steps: &[Step]) {
    let (mut reached, mut open) = (BTreeSet::from([0_u16]), vec![0_u16]);
    while let Some(step) = open.pop() {
        let next = steps[usize::from(step)].next.iter().filter(|(_, weight)| *weight > 0.0);
        open.extend(next.map(|(to, _)| *to).filter(|to| reached.insert(*to)));
    }
    for (index, it) in written.iter().enumerate() {
        if !reached.contains(&(index as u16)) {
            let message = format!("no user ever comes to the step `{}`", name_of(it.get_ref()));
            check.problem(message, it.span(), "let another step lead to it, or take it out");
        }
    }
}

/// Users send requests, which nobody sees of a service that speaks TCP.
fn refuse_tcp(
    check: &mut Check<'_>,
    users: &Users,
    requests: &Requests,
    application: &Application,
    settings: &Table<ServiceId, ServiceSettings>,
) {
    let mut requested = requests.endpoints().map(|it| application.endpoints[it].service);
    let unseen = |service: ServiceId| Some((service, settings[service].protocol.without_requests()?));
    let Some((service, speaks)) = requested.find_map(unseen) else { return };
    let span = users.service.as_ref().map(Spanned::span);
    let span = span.or_else(|| users.requests.values().next().map(Spanned::span));
    let span = span.or_else(|| users.journey.first().map(Spanned::span));
    let message = format!("users request `{}`, which speaks {speaks}", application.services[service].name);
    check.problem(message, span.unwrap_or(0..1), "a gateway's users send requests of HTTP");
}
