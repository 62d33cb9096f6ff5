//! An application as the scenario itself says it: services, their endpoints, and what these call.

use super::check::Check;
use super::law;
use super::ranges::{bounded, bounded_u32};
use super::versions::version_of;
use crate::schema::Scenario;
use crate::schema::endpoints::{Endpoint as Written, Step, StepTable};
use crate::schema::kubernetes::Resources;
use crate::schema::services::{Protocol, Service as WrittenService};
use crate::schema::spanned::Spanned;
use meshsim_core::Id;
use meshsim_models::application::call_graph::{
    Application, Call, DEFAULT_ENDPOINT, Endpoint, Group, Service,
};
use meshsim_models::application::internal_service::InternalService;
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::deterministic::Deterministic;
use meshsim_models::ids::{EndpointId, ServiceId};
use meshsim_models::world::description::{DEFAULT_RESPONSE_BYTES, DEFAULT_THREADS, DEFAULT_WORKERS};
use std::collections::BTreeMap;
use std::ops::Range;

/// Most endpoints, as of the largest directory of manifests that is imported.
const ENDPOINTS_MAX: usize = 50_000;

/// A call is made at most so often in a row.
const COUNT_MAX: u32 = 1_000;

/// Most calls of an endpoint: cells count them in 16 bits.
const CALLS_MAX: usize = u16::MAX as usize;

/// Adds the services that the scenario tells of itself: all, or where there are tenants those that are listed with the
/// number of theirs. Each has the endpoints that are written, or one without a name.
pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    mut application: Application,
    tenants: &BTreeMap<String, u16>,
) -> Application {
    let is_own = |name: &str| scenario.applications.is_empty() || tenants.contains_key(name);
    let own: Vec<_> = scenario.services.iter().filter(|(name, _)| is_own(name)).collect();
    if own.is_empty() && scenario.applications.is_empty() {
        let help = "write what its services do: [services.shop.endpoints.browse]; or name a \u{b5}Bench work model: \
                    [application] workmodel = \"FILE.json\"";
        check.problem("the scenario has no application", 0..1, help);
    }
    let first_own = application.endpoints.len();
    for (name, service) in &own {
        let first = EndpointId::from_index(application.endpoints.len());
        let id = ServiceId::from_index(application.services.len());
        let mut endpoints: Vec<EndpointId> = Vec::new();
        let front = front(scenario, name);
        for (endpoint, written) in names(scenario, name, service.get_ref()) {
            endpoints.push(application.endpoints.push(self::endpoint(
                check,
                id,
                (service, front),
                endpoint,
                written,
            )));
        }
        if application.endpoints.len() > ENDPOINTS_MAX {
            let message = format!("there are more than {ENDPOINTS_MAX} endpoints");
            check.problem(message, service.span(), "fewer are simulated");
            return application;
        }
        let others = endpoints.split_off(1);
        let tenant = tenants.get(*name).copied().unwrap_or(0);
        let service = self::service(check, name, (service, front), first);
        application.services.push(Service { others, tenant, ..service });
    }
    let found = Found { application: &application };
    let all: Vec<Vec<Group>> = own
        .iter()
        .flat_map(|(name, service)| names(scenario, name, service.get_ref()))
        .map(|(_, written)| {
            written.map_or_else(Vec::new, |it| groups(check, &found, &it.get_ref().calls, it.span()))
        })
        .collect();
    application
        .endpoints
        .iter_mut()
        .skip(first_own)
        .zip(all)
        .for_each(|(endpoint, groups)| endpoint.groups = groups);
    application
}

/// The service of which this one is a version, if it is.
fn front<'a>(scenario: &'a Scenario, name: &str) -> Option<&'a WrittenService> {
    scenario.services.get(version_of(scenario, name)?).map(Spanned::get_ref)
}

/// The endpoints of a service in the order of their names; one that is not written if there are none. A version has those
/// of its service, where it does not write them anew.
fn names<'a>(
    scenario: &'a Scenario,
    name: &str,
    service: &'a WrittenService,
) -> Vec<(&'a str, Option<&'a Spanned<Written>>)> {
    let listed = front(scenario, name).unwrap_or(service);
    let own = |name: &str, it: &'a Spanned<Written>| service.endpoints.get(name).unwrap_or(it);
    let written: Vec<_> =
        listed.endpoints.iter().map(|(name, it)| (name.as_str(), Some(own(name, it)))).collect();
    if written.is_empty() { vec![(DEFAULT_ENDPOINT, None)] } else { written }
}

fn service(
    check: &mut Check<'_>,
    name: &str,
    (written, front): (&Spanned<WrittenService>, Option<&WrittenService>),
    endpoint: EndpointId,
) -> Service {
    let fields = written.get_ref();
    let count = front.unwrap_or(fields).endpoints.len();
    let all = |has: fn(&Written) -> bool| {
        count > 0
            && fields.endpoints.len() == count
            && fields.endpoints.values().all(|endpoint| has(endpoint.get_ref()))
    };
    let followed_by_none = [
        (
            "service_time",
            fields.service_time.as_ref().map(Spanned::span),
            all(|own| own.service_time.is_some()),
        ),
        ("wait", fields.wait.as_ref().map(Spanned::span), all(|own| own.wait.is_some())),
    ];
    let followed_by_none = followed_by_none.map(|(key, span, has_own)| (key, span.filter(|_| has_own)));
    check.refuse(followed_by_none, "take it out", |key| {
        format!("no endpoint of `{name}` follows this: each has a {key} of its own")
    });
    if fields.is_external() {
        refuse_inside(check, name, fields);
        // Somebody else's machines, as many as it takes.
        return Service { workers: 1, threads: u16::MAX, ..Service::new(name, endpoint) };
    }
    let mut number = |value, key, default: u16, most| {
        bounded_u32(check, value, key, 1, most).map_or(default, |it| it as u16)
    };
    let workers = fields.workers.as_ref().or_else(|| front?.workers.as_ref());
    let threads = fields.threads.as_ref().or_else(|| front?.threads.as_ref());
    let workers = number(workers, "workers", DEFAULT_WORKERS, 1_000);
    let threads = number(threads, "threads", DEFAULT_THREADS, 10_000);
    Service { workers, threads, ..Service::new(name, endpoint) }
}

/// An endpoint, without its calls.
fn endpoint(
    check: &mut Check<'_>,
    id: ServiceId,
    (service, front): (&Spanned<WrittenService>, Option<&WrittenService>),
    name: &str,
    written: Option<&Spanned<Written>>,
) -> Endpoint {
    let own = written.map(Spanned::get_ref);
    let fields = service.get_ref();
    let protocol = front.unwrap_or(fields).protocol.as_ref().map(|it| *it.get_ref());
    // What a version says of all its endpoints stands before what it has from its service.
    let is_inherited = front.is_some() && !fields.endpoints.contains_key(name);
    let span = written.map_or(service.span(), Spanned::span);
    if name.is_empty() || name.contains('.') {
        let help = "a point stands between a service and its endpoint, as in \"cart.add\"";
        check.problem(format!("an endpoint is named `{name}`"), span.clone(), help);
    }
    let service_time = nearest(
        is_inherited,
        own.and_then(|it| it.service_time.as_ref()),
        fields.service_time.as_ref(),
        front.and_then(|it| it.service_time.as_ref()),
    );
    let cpu = match service_time {
        _ if service.get_ref().is_external() => None,
        Some(written) => law::resolve(check, written, "service_time"),
        None => {
            let mut help = "write service_time = \"3ms\", or a law, or \"0ms\" if it takes none".to_owned();
            if written.is_none() && front.is_none() {
                help +=
                    "; if another service is meant, write its name: a table [services.X] makes a service X";
            }
            check.problem(format!("nothing says what CPU time `{name}` takes"), span.clone(), help);
            None
        }
    };
    let wait = nearest(
        is_inherited,
        own.and_then(|it| it.wait.as_ref()),
        fields.wait.as_ref(),
        front.and_then(|it| it.wait.as_ref()),
    );
    if wait.is_none() && service.get_ref().is_external() {
        let help = "write wait = \"120ms\", or a law: the way there and back, and what it does";
        check.problem(format!("nothing says how long `{name}` takes"), span.clone(), help);
    }
    let wait = wait.and_then(|it| law::resolve(check, it, "wait"));
    let size = own.and_then(|it| it.response_size.as_ref());
    let size = size.and_then(|it| law::resolve(check, it, "response_size"));
    let request = own.and_then(|it| it.request_size.as_ref());
    let (errors, error_status) = errors(check, own);
    let hit_ratio = own.and_then(|it| it.hit_ratio.as_ref());
    if let Some(ratio) = hit_ratio
        && own.is_some_and(|it| it.calls.is_empty())
    {
        let help = "write what it calls where it has no answer, as in calls = [\"database\"]; or take it out";
        check.problem(format!("`{name}` calls nobody, whether it has the answer or not"), ratio.span(), help);
    }
    let default = if name == DEFAULT_ENDPOINT { "/".to_owned() } else { format!("/{name}") };
    Endpoint {
        name: name.to_owned(),
        path: own.and_then(|it| it.path.as_ref()).map_or(default, |it| path(check, it)),
        method: method(check, own.and_then(|it| it.method.as_ref()), protocol),
        service_time: Some(cpu.unwrap_or_else(|| always(0.0))),
        wait,
        request_bytes: request.map_or(0.0, |it| law::size(check, it, "request_size")) as u32,
        response_size: Some(size.unwrap_or_else(|| always(DEFAULT_RESPONSE_BYTES))),
        errors,
        error_status,
        hit_ratio: bounded(check, hit_ratio, "a hit ratio", 0.0, 0.0, 1.0),
        ..Endpoint::new(id, InternalService::idle())
    }
}

/// A path begins at the root.
fn path(check: &mut Check<'_>, written: &Spanned<String>) -> String {
    let path = written.get_ref();
    if !path.starts_with('/') || path.contains(char::is_whitespace) || path.contains('#') {
        let help = "write it as in \"/cart/add\" or \"/search?kind=fast\"";
        check.problem(format!("`{path}` is no path"), written.span(), help);
    }
    path.clone()
}

/// The methods of HTTP (RFC 9110 and 5789).
pub(crate) const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// The method of an endpoint's requests; gRPC posts all of them.
fn method(check: &mut Check<'_>, written: Option<&Spanned<String>>, protocol: Option<Protocol>) -> String {
    let is_grpc = protocol == Some(Protocol::Grpc);
    let Some(written) = written else { return if is_grpc { "POST" } else { "GET" }.to_owned() };
    let method = written.get_ref();
    if check.reference(method, written.span(), METHODS, "method of HTTP").is_some()
        && is_grpc
        && method != "POST"
    {
        check.problem(
            format!("a request of gRPC is none of {method}"),
            written.span(),
            "it is POST: take it out",
        );
    }
    method.clone()
}

/// What holds for an endpoint of what is said of it, of its service and of the service of which that is a version: an
/// endpoint that is inherited is the farther one.
fn nearest<T>(is_inherited: bool, own: Option<T>, all: Option<T>, of_front: Option<T>) -> Option<T> {
    let [first, then] = if is_inherited { [all, own] } else { [own, all] };
    first.or(then).or(of_front)
}

/// The share of requests that an endpoint answers with an error, and its status.
fn errors(check: &mut Check<'_>, own: Option<&Written>) -> (f64, u16) {
    let written = own.and_then(|it| it.errors.as_ref());
    let status = own.and_then(|it| it.error_status.as_ref());
    let Some(written) = written else {
        if let Some(status) = status {
            check.problem(
                "error_status has no effect without errors",
                status.span(),
                "write errors = \"1%\", or take it out",
            );
        }
        return (0.0, 500);
    };
    let share = written.get_ref().share().filter(|it| (0.0..=1.0).contains(it)).unwrap_or_else(|| {
        let message = format!("errors of {} are no share of the requests", written.get_ref());
        check.problem(message, written.span(), "write errors = 0.01, or \"1%\"");
        0.0
    });
    let code = status.map_or(500, |it| *it.get_ref());
    if let Some(status) = status.filter(|_| !(400..=599).contains(&code)) {
        check.problem(format!("error_status {code} is out of range"), status.span(), "it is 400 to 599");
    }
    (share, code)
}

/// What has no effect on a service outside the clusters.
fn refuse_inside(check: &mut Check<'_>, name: &str, service: &WrittenService) {
    let of_endpoints = |of: &dyn Fn(&Written) -> Option<Range<usize>>| {
        service.endpoints.values().find_map(|it| of(it.get_ref()))
    };
    let rolling_update =
        service.rolling_update.max_surge.as_ref().or(service.rolling_update.max_unavailable.as_ref());
    let Resources { requests, limits } = &service.resources;
    let cpu = requests.cpu.as_ref().or(limits.cpu.as_ref()).map(Spanned::span);
    let resources = cpu.or_else(|| requests.memory.as_ref().map(Spanned::span));
    let keys = [
        ("service_time", service.service_time.as_ref().map(Spanned::span)),
        ("service_time", of_endpoints(&|it| it.service_time.as_ref().map(Spanned::span))),
        ("calls", of_endpoints(&|it| it.calls.first().map(Spanned::span))),
        ("workers", service.workers.as_ref().map(Spanned::span)),
        ("threads", service.threads.as_ref().map(Spanned::span)),
        ("hpa", service.hpa.as_ref().map(Spanned::span)),
        ("start", service.start.as_ref().map(Spanned::span)),
        ("tolerations", service.tolerations.first().map(Spanned::span)),
        ("image", service.image.as_ref().map(|it| it.name.span())),
        ("pods", service.pods.as_ref().map(Spanned::span)),
        ("rolling_update", rolling_update.map(Spanned::span)),
        ("resources", resources),
        ("waypoint", service.waypoint.as_ref().map(Spanned::span)),
        ("sidecar", service.sidecar.as_ref().map(Spanned::span)),
    ];
    let help = "take it out: nobody knows what happens there, but how long it takes (wait)";
    check.refuse(keys, help, |key| format!("`{name}` is outside the clusters and has no {key} here"));
}

fn always(value: f64) -> ServiceTime {
    ServiceTime::Deterministic(Deterministic::new(value))
}

/// What names lead to.
struct Found<'a> {
    application: &'a Application,
}

/// What an endpoint calls: every call that is not in parallel to others goes on with the group before it.
fn groups(
    check: &mut Check<'_>,
    found: &Found<'_>,
    steps: &[Spanned<Step>],
    span: Range<usize>,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut stage = 0;
    let mut goes_on = false;
    for step in steps {
        if let Step::Table(table) = step.get_ref()
            && let Some(branches) = &table.in_parallel
        {
            refuse_beside_branches(check, table);
            stage = groups.last().map_or(0, |group| group.stage + 1);
            for branch in branches.get_ref() {
                let calls = match branch.get_ref() {
                    Step::InTurn(steps) => steps.iter().map(|it| calls(check, found, it)).collect(),
                    _ => vec![calls(check, found, branch)],
                };
                let group = Group { stage, ..Group::in_turn([]) };
                groups.push(calls.into_iter().fold(group, appended));
            }
            goes_on = false;
            continue;
        }
        if let Step::InTurn(_) = step.get_ref() {
            let help = "calls are made in turn anyway; lists stand in { in_parallel = [[...], [...]] }";
            check.problem("a list of calls in a list of calls", step.span(), help);
            continue;
        }
        if !goes_on {
            stage = groups.last().map_or(0, |group| group.stage + 1);
            groups.push(Group { stage, ..Group::in_turn([]) });
            goes_on = true;
        }
        let group = groups.pop().expect("one was begun");
        groups.push(appended(group, calls(check, found, step)));
    }
    let count: usize = groups.iter().map(|group| group.calls.len()).sum();
    if count > CALLS_MAX || usize::from(stage) == usize::from(u16::MAX) {
        check.problem(
            format!("{count} calls of an endpoint are too many"),
            span,
            format!("at most {CALLS_MAX}"),
        );
    }
    groups.retain(|group| !group.calls.is_empty());
    groups
}

fn refuse_beside_branches(check: &mut Check<'_>, table: &StepTable) {
    let beside = [
        ("service", table.service.as_ref().map(Spanned::span)),
        ("endpoint", table.endpoint.as_ref().map(Spanned::span)),
        ("probability", table.probability.as_ref().map(Spanned::span)),
        ("count", table.count.as_ref().map(Spanned::span)),
    ];
    let help = "write it in the calls that in_parallel lists";
    check.refuse(beside, help, |key| format!("{key} has no effect beside in_parallel"));
}

/// A group with further calls, which are made together or not at all.
fn appended(mut group: Group, calls: Vec<(EndpointId, f64)>) -> Group {
    let coin = group.calls.len().min(usize::from(u16::MAX)) as u16;
    group.calls.extend(calls.into_iter().map(|(endpoint, probability)| Call { endpoint, coin, probability }));
    group
}

/// A call as often as it is made.
fn calls(check: &mut Check<'_>, found: &Found<'_>, step: &Spanned<Step>) -> Vec<(EndpointId, f64)> {
    let table = match step.get_ref() {
        Step::Name(name) => {
            return found.named(check, name, step.span()).map(|it| (it, 1.0)).into_iter().collect();
        }
        Step::Table(table) if table.in_parallel.is_none() => table,
        _ => {
            let help = "write the calls that are made one after the other as a list of calls";
            check.problem("in_parallel lists calls and lists of calls", step.span(), help);
            return Vec::new();
        }
    };
    let probability = bounded(check, table.probability.as_ref(), "a probability", 1.0, 0.0, 1.0);
    let count = bounded_u32(check, table.count.as_ref(), "count", 1, COUNT_MAX).unwrap_or(1);
    let Some(service) = &table.service else {
        let help = "write { service = \"cart\", endpoint = \"add\" }";
        check.problem("the call names no service", step.span(), help);
        return Vec::new();
    };
    let Some(id) = found.service(check, service.get_ref(), service.span()) else { return Vec::new() };
    let endpoint = match &table.endpoint {
        Some(endpoint) => found.endpoint(check, id, endpoint.get_ref(), endpoint.span()),
        None => found.only_endpoint(check, id, service.span()),
    };
    endpoint.map_or_else(Vec::new, |endpoint| vec![(endpoint, probability); count as usize])
}

impl Found<'_> {
    /// `SERVICE` or `SERVICE.ENDPOINT`.
    fn named(&self, check: &mut Check<'_>, name: &str, span: Range<usize>) -> Option<EndpointId> {
        named(check, self.application, name, span)
    }

    fn service(&self, check: &mut Check<'_>, name: &str, span: Range<usize>) -> Option<ServiceId> {
        let known = self.application.services.iter().map(|it| it.name.as_str());
        let found = self.application.service_named(name);
        found.or_else(|| check.reference(name, span, known, "service").map(ServiceId::from_index))
    }

    fn endpoint(
        &self,
        check: &mut Check<'_>,
        of: ServiceId,
        name: &str,
        span: Range<usize>,
    ) -> Option<EndpointId> {
        endpoint_of(check, self.application, of, name, span)
    }

    fn only_endpoint(&self, check: &mut Check<'_>, of: ServiceId, span: Range<usize>) -> Option<EndpointId> {
        only_endpoint(check, self.application, of, span)
    }
}

/// An endpoint by `SERVICE` or `SERVICE.ENDPOINT`.
pub(super) fn named(
    check: &mut Check<'_>,
    application: &Application,
    name: &str,
    span: Range<usize>,
) -> Option<EndpointId> {
    if let Some(service) = application.service_named(name) {
        return only_endpoint(check, application, service, span);
    }
    // A service's name may have points.
    let split = name
        .rsplit_once('.')
        .and_then(|(service, endpoint)| Some((application.service_named(service)?, endpoint)));
    let Some((service, endpoint)) = split else {
        let of_service = name.rsplit_once('.').map_or(name, |(service, _)| service);
        let known: Vec<&str> = application.services.iter().map(|it| it.name.as_str()).collect();
        check.reference(of_service, span, known.iter().copied(), "service");
        return None;
    };
    endpoint_of(check, application, service, endpoint, span)
}

/// An endpoint of a service by its name.
pub(super) fn endpoint_of(
    check: &mut Check<'_>,
    application: &Application,
    of: ServiceId,
    name: &str,
    span: Range<usize>,
) -> Option<EndpointId> {
    let service = &application.services[of];
    let known: Vec<&str> = service.endpoints().map(|it| application.endpoints[it].name.as_str()).collect();
    let index =
        check.reference(name, span, known.iter().copied(), &format!("endpoint of `{}`:", service.name))?;
    service.endpoints().nth(index)
}

/// The endpoint of a service that has no other.
pub(super) fn only_endpoint(
    check: &mut Check<'_>,
    application: &Application,
    of: ServiceId,
    span: Range<usize>,
) -> Option<EndpointId> {
    let service = &application.services[of];
    if service.others.is_empty() {
        return Some(service.endpoint);
    }
    let known: Vec<&str> = service.endpoints().map(|it| application.endpoints[it].name.as_str()).collect();
    let message = format!("`{}` has {} endpoints", service.name, known.len());
    check.problem(message, span, format!("say which: {}", known.join(", ")));
    None
}
