//! Populations of users.

use super::arrivals::{self, PopulationContext, Times};
use super::check::{Check, MILLISECOND};
use super::clusters::{Network, mtu, rate};
use super::ranges::{at_least_one, patience};
use super::{moves, requests, user_retries};
use crate::schema::Scenario;
use crate::schema::users::{self as typed, Users};
use meshsim_core::{Id, SimDuration, Table};
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::{ClusterId, EndpointId, ServiceId};
use meshsim_models::network::path::Path;
use meshsim_models::network::ways::Ways;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::users::population::{OnIngressLoss, Population};
use meshsim_models::users::requests::Requests;
use meshsim_models::world::description::{DEFAULT_ACCESS_BANDWIDTH, DEFAULT_USERS, ServiceSettings};
use std::collections::BTreeSet;

pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
    settings: &Table<ServiceId, ServiceSettings>,
    times: &Times,
) -> Vec<Population> {
    if scenario.users.is_empty() {
        check.problem("the scenario has no users", 0..1, "write [users.edge1]");
    }
    let clusters: Vec<&str> = network.clusters.iter().map(|c| c.name.as_str()).collect();
    scenario
        .users
        .iter()
        .map(|(name, it)| {
            let users = it.get_ref();
            let mut arrivals =
                arrivals::resolve(check, &PopulationContext { name, users, span: it.span(), times });
            let cluster = users.cluster.get_ref();
            let cluster = check.reference_in(cluster, users.cluster.span(), &clusters, "cluster");
            let home = cluster.map(ClusterId::from_index);
            let requests = requests::resolve(check, it, application, settings);
            let is_open = arrivals.is_open();
            // Before their first request, users think for a part of what they think in the mean.
            if let (Arrivals::ClosedLoop { think_time, .. }, Some(requests)) = (&mut arrivals, &requests) {
                *think_time = requests.mean_think_time(*think_time);
            }
            Population {
                name: name.clone(),
                cluster: home.unwrap_or(ClusterId(0)),
                requests: requests.unwrap_or_else(|| Requests::only(EndpointId(0))),
                users: match &users.users {
                    Some(n) => at_least_one(check, n, "users", 1_000_000),
                    None => DEFAULT_USERS,
                },
                access: access(check, users),
                headers: headers(check, users, it.span()),
                personal: personal(check, users, settings),
                reconnects_after: users.reconnects_after.as_ref().map(|after| {
                    check.duration(Some(after), "reconnects_after", SimDuration::ZERO, MILLISECOND)
                }),
                counts_session_moves: users.sessions.unwrap_or(false),
                moves: moves::resolve(check, users, arrivals.is_open(), home, &clusters, times.end),
                timeout: patience(check, users.timeout.as_ref(), "timeout"),
                retries: user_retries::resolve(check, users),
                requests_each: requests_each(check, users, &arrivals),
                on_ingress_loss: on_ingress_loss(check, users, home, network, is_open).unwrap_or_default(),
                arrivals,
            }
        })
        .collect()
}

/// What users do whose gateway takes nobody in.
fn on_ingress_loss(
    check: &mut Check<'_>,
    users: &Users,
    home: Option<ClusterId>,
    network: &Network,
    is_open: bool,
) -> Option<OnIngressLoss> {
    let written = users.on_ingress_loss.as_ref()?;
    let typed::OnIngressLoss::To(led) = written.get_ref() else { return None };
    if !is_open {
        let help = "take on_ingress_loss out, or write arrivals = \"poisson\" and a rate";
        check.problem("users of a closed loop are not led to another gateway", written.span(), help);
    }
    if !users.moves.is_empty() {
        let help = "take on_ingress_loss out, or moves";
        check.problem("users who move are not led to another gateway", written.span(), help);
    }
    let known = network.clusters.iter().map(|it| it.name.as_str());
    let to = check.reference(led.to.get_ref(), led.to.span(), known, "cluster").map(ClusterId::from_index);
    let after = check.duration(led.after.as_ref(), "after", SimDuration::ZERO, 0);
    let (home, cluster) = (home?, to?);
    if home == cluster {
        let message = format!("users of `{}` are led to its own gateway", led.to.get_ref());
        check.problem(message, led.to.span(), "name another cluster");
        return None;
    }
    let ways = Ways::new(network.clusters.len(), &network.links);
    let between = ways.route(home, cluster).map_or(SimDuration::ZERO, |it| it.path.round_trip);
    let farther = check.duration(led.farther.as_ref(), "farther", between, 0);
    Some(OnIngressLoss::To { cluster, after, farther })
}

fn access(check: &mut Check<'_>, users: &Users) -> Path {
    let round_trip = check.duration(users.access.rtt.as_ref(), "rtt", SimDuration::ZERO, 0);
    Path {
        round_trip,
        one_way: round_trip / 2,
        bits_per_second: rate(check, users.access.bandwidth.as_ref(), DEFAULT_ACCESS_BANDWIDTH),
        mtu: mtu(check, users.access.mtu.as_ref()),
        tunnel_overhead: 0,
    }
}

/// How many requests each user sends before it stops: in a closed loop, where a user has a next request.
fn requests_each(check: &mut Check<'_>, users: &Users, arrivals: &Arrivals) -> Option<u32> {
    let each = users.requests_each.as_ref()?;
    if arrivals.is_open() {
        let help = "take it out, or write arrivals = \"closed-loop-constant\" and think_time = \"0s\"";
        check.problem("only the users of a closed loop send requests_each and stop", each.span(), help);
    }
    Some(at_least_one(check, each, "requests_each", 10_000_000))
}

/// Headers of every request, with names in lower case.
fn headers(check: &mut Check<'_>, users: &Users, span: std::ops::Range<usize>) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in &users.headers {
        let name = name.to_lowercase();
        if headers.iter().any(|(other, _)| *other == name) {
            let help = "upper and lower case are the same";
            check.problem(format!("the header `{name}` is given twice"), span.clone(), help);
        }
        headers.push((name, value.clone()));
    }
    headers
}

/// Names of headers whose values differ between users. Routes are chosen for a population as a whole.
fn personal(
    check: &mut Check<'_>,
    users: &Users,
    settings: &Table<ServiceId, ServiceSettings>,
) -> Vec<String> {
    let routes = settings.iter().flat_map(|it| &it.routes);
    let matched: BTreeSet<&str> =
        routes.flat_map(|route| &route.conditions.headers).map(|header| header.name.as_str()).collect();
    let fixed: BTreeSet<String> = users.headers.keys().map(|name| name.to_lowercase()).collect();
    let mut personal = Vec::new();
    for name in &users.personal {
        let lower = name.get_ref().to_lowercase();
        if matched.contains(lower.as_str()) {
            let message = format!("routes ask for the header `{lower}`, whose value is each user's own");
            let help = "take it out, or give populations of their own the header's values under headers";
            check.problem(message, name.span(), help);
        }
        if fixed.contains(&lower) || personal.contains(&lower) {
            let help = "name it once, under headers or under personal";
            check.problem(format!("the header `{lower}` is given twice"), name.span(), help);
        }
        personal.push(lower);
    }
    personal
}
