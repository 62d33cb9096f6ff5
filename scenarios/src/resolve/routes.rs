//! The routes of a service: its VirtualService.

use super::check::Check;
use super::ranges::bounded;
use super::retries::retry;
use super::route_blocks::{self, Block};
use super::traffic_policy::time;
use super::versions::version_of;
use super::{rewrites, route_conditions};
use crate::schema::Scenario;
use crate::schema::services::{self as schema, Route};
use crate::schema::spanned::Spanned;
use meshsim_core::{Id, SimDuration};
use meshsim_models::application::call_graph::Application;
use meshsim_models::envoy::fault_injection::FaultInjection;
use meshsim_models::envoy::route::{Destination, Mirror, RouteSettings, WeightedDestination};
use meshsim_models::ids::{ClusterId, ServiceId, SubsetId};
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::istiod::retry_policy::RetryPolicy;
use meshsim_models::istiod::subset::Subset;

/// Most routes of a service.
const ROUTES_MAX: usize = 255;

/// Most destinations of a route, and the largest weight of one.
const DESTINATIONS_MAX: usize = 1_000;
const WEIGHT_MAX: u32 = 1_000_000;

/// What the settings of a service refer to.
pub(super) struct RouteContext<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) application: &'a Application,
    pub(super) services: &'a [&'a str],
    pub(super) clusters: &'a [&'a str],
    /// The names of subsets, in the order of their numbers.
    pub(super) subsets: &'a [String],
    pub(super) version: IstioVersion,
}

pub(super) fn resolve(
    check: &mut Check<'_>,
    around: &RouteContext<'_>,
    own: ServiceId,
    routes: &[Spanned<Route>],
    hashes: bool,
) -> Vec<RouteSettings> {
    let blocks: Vec<Block<'_>> = route_blocks::of(routes).collect();
    let name = around.services[own.index()];
    if let Some(too_many) = blocks.get(ROUTES_MAX) {
        let message = format!("service `{name}` has {} routes", blocks.len());
        check.problem(message, too_many.route.span(), format!("at most {ROUTES_MAX} are simulated"));
        return Vec::new();
    }
    let taking_all = blocks.iter().position(Block::takes_all);
    if let Some((first, next)) = taking_all.and_then(|index| Some((&blocks[index], blocks.get(index + 1)?))) {
        let message = format!("{} of `{name}` is never reached", next.number.named());
        let help = format!("move it before {}, which takes everything", first.number.named());
        check.problem(message, next.route.span(), help);
    }
    routes.iter().flat_map(|it| route(check, around, own, it, hashes)).collect()
}

/// A route for each of its blocks.
fn route(
    check: &mut Check<'_>,
    around: &RouteContext<'_>,
    own: ServiceId,
    written: &Spanned<Route>,
    hashes: bool,
) -> Vec<RouteSettings> {
    let route = written.get_ref();
    route_blocks::check(check, route);
    let destinations = destinations(check, around, own, route);
    let redirect = route.redirect.as_ref().map(|it| redirect(check, route, it));
    let retry = match &route.retries {
        Some(retries) => retry(check, around.version, retries, hashes),
        None => Some(RetryPolicy::default_of(around.version, hashes)),
    };
    let action = RouteSettings {
        destinations,
        redirect,
        timeout: route.timeout.as_ref().map(|it| check.duration(Some(it), "timeout", SimDuration::ZERO, 0)),
        retry,
        fault: fault(check, &route.fault),
        mirror: route.mirror.as_ref().map(|it| mirror(check, around, own, it.get_ref())),
        ..RouteSettings::default()
    };
    let before = check.problems.len();
    let of_block = |block: Block<'_>| {
        let conditions = route_conditions::resolve(check, (around.scenario, around.application), &block);
        let to = (&conditions, action.destinations.as_slice());
        let rewrites = rewrites::resolve(check, around.application, own, route, to);
        RouteSettings { conditions, rewrites, ..action.clone() }
    };
    let all: Vec<RouteSettings> = route_blocks::of_route(0, written).into_iter().map(of_block).collect();
    if let Some(rewrite) = &route.rewrite
        && all.iter().all(|it| it.rewrites.is_empty())
        && check.problems.len() == before
    {
        let help = "take it out, or give the endpoint that is meant this path";
        check.problem("the rewrite changes no path of a request that the route takes", rewrite.span(), help);
    }
    all
}

/// The status of a redirect, beside which a route does nothing.
fn redirect(check: &mut Check<'_>, route: &Route, written: &Spanned<schema::Redirect>) -> u16 {
    let beside = [
        ("destinations", route.destinations.as_ref().map(Spanned::span)),
        ("a mirror", route.mirror.as_ref().map(Spanned::span)),
        ("a rewrite", route.rewrite.as_ref().map(Spanned::span)),
        ("a timeout", route.timeout.as_ref().map(Spanned::span)),
        ("retries", route.retries.as_ref().map(|it| it.attempts.span())),
    ];
    let help = "take one out: a redirect is the answer";
    check.refuse(beside, help, |key| format!("a route has a redirect and {key}"));
    let Some(code) = &written.get_ref().redirect_code else { return 301 };
    if !matches!(code.get_ref(), 301 | 302 | 303 | 307 | 308) {
        let help = "it is 301, 302, 303, 307 or 308";
        check.problem(format!("redirect_code {} is none of Envoy's", code.get_ref()), code.span(), help);
    }
    *code.get_ref()
}

fn destinations(
    check: &mut Check<'_>,
    around: &RouteContext<'_>,
    own: ServiceId,
    route: &Route,
) -> Vec<WeightedDestination> {
    let Some(listed) = &route.destinations else { return Vec::new() };
    let (span, listed) = (listed.span(), listed.get_ref());
    if listed.is_empty() || listed.len() > DESTINATIONS_MAX {
        let help =
            format!("it has 1 to {DESTINATIONS_MAX}; without the key requests go to the service itself");
        check.problem(format!("a route has {} destinations", listed.len()), span, help);
        return Vec::new();
    }
    let found: Vec<WeightedDestination> = listed
        .iter()
        .map(|it| {
            let to = it.get_ref();
            let destination = destination(
                check,
                around,
                own,
                to.service.as_ref(),
                (to.subset.as_ref(), to.cluster.as_ref()),
            );
            WeightedDestination { destination, weight: weight(check, it, listed.len()) }
        })
        .collect();
    if found.iter().all(|it| it.weight == 0) {
        check.problem("the weights of a route's destinations make 0", span, "give one a weight");
    }
    found
}

/// The only destination takes everything, unless it says something else.
fn weight(check: &mut Check<'_>, destination: &Spanned<schema::Destination>, among: usize) -> u32 {
    let Some(weight) = &destination.get_ref().weight else {
        if among > 1 {
            check.problem(
                "a destination among several has no weight",
                destination.span(),
                "write weight = 90",
            );
        }
        return 100;
    };
    let number = *weight.get_ref();
    if number > WEIGHT_MAX {
        check.problem(
            format!("a weight of {number} is out of range"),
            weight.span(),
            format!("it is 0 to {WEIGHT_MAX}"),
        );
    }
    number.min(WEIGHT_MAX)
}

/// A service or a subset of its pods, which no rule need define.
fn destination(
    check: &mut Check<'_>,
    around: &RouteContext<'_>,
    own: ServiceId,
    service: Option<&Spanned<String>>,
    (subset, cluster): (Option<&Spanned<String>>, Option<&Spanned<String>>),
) -> Destination {
    let service = service.and_then(|it| {
        if let Some(front) = version_of(around.scenario, it.get_ref()) {
            let help = format!("write subset = \"...\" of `{front}`, and which labels it has in its subsets");
            check.problem(
                format!("`{}` is a version of `{front}` and no service", it.get_ref()),
                it.span(),
                help,
            );
        }
        let known = around.services.iter().copied();
        check.reference(it.get_ref(), it.span(), known, "service").map(ServiceId::from_index)
    });
    if let (Some(_), Some(cluster)) = (subset, cluster) {
        let help = "take one out: the labels of a subset may have topology.istio.io/cluster among them";
        check.problem("a destination has subset and cluster", cluster.span(), help);
    }
    let named = subset.and_then(|it| around.subsets.iter().position(|name| name == it.get_ref()));
    let named = named.map(|index| Subset::Named(SubsetId::from_index(index)));
    let of_cluster = cluster.and_then(|it| {
        let known = around.clusters.iter().copied();
        check.reference(it.get_ref(), it.span(), known, "cluster").map(ClusterId::from_index)
    });
    Destination { service: service.unwrap_or(own), subset: named.or(of_cluster.map(Subset::Cluster)) }
}

fn mirror(check: &mut Check<'_>, around: &RouteContext<'_>, own: ServiceId, it: &schema::Mirror) -> Mirror {
    Mirror {
        destination: destination(
            check,
            around,
            own,
            it.service.as_ref(),
            (it.subset.as_ref(), it.cluster.as_ref()),
        ),
        percent: percentage(check, it.percentage.as_ref()),
    }
}

fn fault(check: &mut Check<'_>, fault: &schema::Fault) -> FaultInjection {
    let delay = fault.delay.as_ref().map(|it| {
        let delay = time(check, Some(&it.fixed_delay), "fixed_delay").unwrap_or_default();
        (delay, percentage(check, it.percentage.as_ref()))
    });
    let abort = fault.abort.as_ref().map(|it| {
        let status = *it.http_status.get_ref();
        if !(200..=599).contains(&status) {
            let message = format!("http_status {status} is out of range");
            check.problem(message, it.http_status.span(), "it is 200 to 599");
        }
        (status, percentage(check, it.percentage.as_ref()))
    });
    FaultInjection { delay, abort }
}

/// A part of the requests; all of them if nothing is said.
fn percentage(check: &mut Check<'_>, value: Option<&Spanned<f64>>) -> f64 {
    bounded(check, value, "a percentage", 100.0, 0.0, 100.0)
}
