//! Populations of users.

use super::clusters::{Network, mtu, rate};
use super::ranges::at_least_one;
use super::{Check, MILLISECOND};
use crate::schema::{Arrivals as Kind, Scenario, Users};
use meshsim_core::{Id, SimDuration, Table};
use meshsim_models::application::call_graph::{Application, Protocol};
use meshsim_models::ids::{ClusterId, EndpointId, ServiceId};
use meshsim_models::network::path::Path;
use meshsim_models::units::BitsPerSecond;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::users::population::Population;
use meshsim_models::world::description::ServiceSettings;
use std::collections::BTreeSet;

/// The threads of a load generator.
const DEFAULT_USERS: u32 = 100;

const DEFAULT_ACCESS_BANDWIDTH: BitsPerSecond = BitsPerSecond(1e9);

pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
    settings: &Table<ServiceId, ServiceSettings>,
) -> Vec<Population> {
    if scenario.users.is_empty() {
        check.problem("the scenario has no users", 0..1, "write [users.edge1]");
    }
    let services: Vec<&str> = application.services.iter().map(|s| s.name.as_str()).collect();
    let clusters: Vec<&str> = network.clusters.iter().map(|c| c.name.as_str()).collect();
    scenario
        .users
        .iter()
        .map(|(name, it)| {
            let users = it.get_ref();
            let cluster = users.cluster.get_ref();
            let cluster = check.reference(cluster, users.cluster.span(), clusters.iter().copied(), "cluster");
            let service = users.service.get_ref();
            let service = check.reference(service, users.service.span(), services.iter().copied(), "service");
            let service = service.map(ServiceId::from_index);
            let entry = service.map_or(EndpointId(0), |service| application.services[service].endpoint);
            if service.is_some_and(|service| settings[service].protocol == Protocol::Tcp) {
                let message = format!("users request `{}`, which speaks tcp", users.service.get_ref());
                check.problem(message, users.service.span(), "a gateway's users send requests of HTTP");
            }
            Population {
                name: name.clone(),
                cluster: ClusterId::from_index(cluster.unwrap_or(0)),
                entry,
                users: match &users.users {
                    Some(n) => at_least_one(check, n, "users", 1_000_000),
                    None => DEFAULT_USERS,
                },
                arrivals: arrivals(check, name, users, it.span()),
                access: access(check, users),
                headers: headers(check, users, it.span()),
                personal: personal(check, users, settings),
                reconnects_after: users.reconnects_after.as_ref().map(|after| {
                    check.duration(Some(after), "reconnects_after", SimDuration::ZERO, MILLISECOND)
                }),
                counts_session_moves: users.sessions.unwrap_or(false),
                moves: Vec::new(),
            }
        })
        .collect()
}

fn arrivals(check: &mut Check<'_>, name: &str, users: &Users, span: std::ops::Range<usize>) -> Arrivals {
    let kind = users.arrivals.as_ref().map_or(Kind::Poisson, |kind| *kind.get_ref());
    match kind {
        Kind::Poisson | Kind::Constant => {
            if let Some(think_time) = &users.think_time {
                let help = "take it out, or write arrivals = \"closed-loop\"";
                check.problem("an open loop has no think_time", think_time.span(), help);
            }
            let per_second = open_rate(check, name, users, span);
            if kind == Kind::Poisson {
                Arrivals::Poisson { per_second }
            } else {
                Arrivals::Constant { per_second }
            }
        }
        Kind::ClosedLoop | Kind::ClosedLoopConstant => {
            if let Some(rate) = &users.rate {
                let help = "take it out: the think_time and the answers make the rate";
                check.problem("a closed loop has no rate", rate.span(), help);
            }
            if users.think_time.is_none() {
                let message = format!("the users `{name}` are a closed loop without a think_time");
                check.problem(message, span, "write think_time = \"1s\"");
            }
            let think_time =
                check.duration(users.think_time.as_ref(), "think_time", SimDuration::from_secs(1), 0);
            Arrivals::ClosedLoop { think_time, exponential: kind == Kind::ClosedLoop }
        }
    }
}

fn open_rate(check: &mut Check<'_>, name: &str, users: &Users, span: std::ops::Range<usize>) -> f64 {
    let Some(rate) = &users.rate else {
        check.problem(format!("the users `{name}` have no rate"), span, "write rate = \"50/s\"");
        return 1.0;
    };
    let per_second = rate.get_ref().0.0;
    if !(1e-6..=1e7).contains(&per_second) {
        let message = format!("a rate of {per_second} requests per second is out of range");
        check.problem(message, rate.span(), "it is more than zero and at most \"10000000/s\"");
        return 1.0;
    }
    per_second
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
        routes.flat_map(|route| &route.headers).map(|header| header.name.as_str()).collect();
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
