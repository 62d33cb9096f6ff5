//! What a VirtualService says of a service: which requests go where, how long and how often.
//!
//! # Models
//! Routes are tried in their order; the first whose conditions all hold takes the request: its path without the query,
//! its method, its headers, the parameters of its query. A request that none takes is answered 404 (flag NR). A service without routes has one that sends everything
//! to the service itself, without a time-out and with the release's default retries. The
//! destination is drawn by weight once per request; its retries go to the same one.
//! A mirror is a copy of the request to another destination, whose answer nobody waits for.
//! A redirect is the answer: the client's proxy gives it, 301 unless another status is said. A rewrite changes the path: what
//! is executed then is the endpoint of that path, and whoever looks at the request further on sees that one.
//!
//! # Assumptions
//! - Cells do not pass on the headers of the requests that they serve (µBench's do not): only
//!   gateways see those of the users. Effect: routes with headers are for users' requests.
//! - A mirrored request is not mirrored again, has no time-out and is not retried.
//! - Clients do not follow redirects: they have their answer. What a rewritten request costs is not foreseen by what is
//!   reckoned of a run before it (`check`).
//! - A regular expression stands for those of the values that occur in a scenario that it matches as a whole; whoever
//!   reads the scenario finds them, so that nothing is matched during a run.
//!
//! # Source
//! Istio, VirtualService (`HTTPRoute`, `HTTPMatchRequest`, `HTTPRouteDestination`, `HTTPRewrite`, `HTTPRedirect`,
//! `mirror`, `mirrorPercentage`); `route.go`, `TranslateRouteMatch` (a regular expression is RE2 and matches all of a value).
//! Envoy, `config.route.v3.RouteAction`, `RedirectAction`.

use super::fault_injection::FaultInjection;
use super::retry::Retry;
use crate::ids::{EndpointId, RouteId, ServiceId, UpstreamId};
use crate::istiod::istio_version::IstioVersion;
use crate::istiod::retry_policy::RetryPolicy;
use crate::istiod::subset::Subset;
use meshsim_core::SimDuration;

/// A route of a service, in plain values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteSettings {
    /// Which requests it takes.
    pub conditions: Conditions,
    /// Where it goes; empty: to the service itself.
    pub destinations: Vec<WeightedDestination>,
    /// How long the whole request may take; absent: as long as it takes.
    pub timeout: Option<SimDuration>,
    /// When it is tried again; absent: never.
    pub retry: Option<RetryPolicy>,
    /// Faults that the client's proxy injects.
    pub fault: FaultInjection,
    /// Where a copy goes.
    pub mirror: Option<Mirror>,
    /// What requests become whose path it rewrites: endpoints of the service in ascending order, each with another one.
    pub rewrites: Vec<(EndpointId, EndpointId)>,
    /// The status of the redirect that it answers with, and then it sends nothing anywhere.
    pub redirect: Option<u16>,
}

/// What a route asks of requests; nothing: it takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// What the path must be, without its query.
    pub path: Option<ValueMatch>,
    /// What the method must be.
    pub method: Option<ValueMatch>,
    /// What headers must be; all of them.
    pub headers: Vec<FieldMatch>,
    /// What parameters of the query must be; all of them.
    pub query: Vec<FieldMatch>,
}

/// What routes see of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path with its query.
    pub path: &'a str,
    /// Its headers, with names in lower case.
    pub headers: &'a [(String, String)],
}

/// A service or a subset of its endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// The service.
    pub service: ServiceId,
    /// The subset, if not all endpoints.
    pub subset: Option<Subset>,
}

/// A destination and its part of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightedDestination {
    /// Where to.
    pub destination: Destination,
    /// Its weight among the destinations of the route.
    pub weight: u32,
}

/// A copy of some requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mirror {
    /// Where to.
    pub destination: Destination,
    /// How many (percent).
    pub percent: f64,
}

/// What a header or a parameter of the query must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldMatch {
    /// Its name; a header's in lower case.
    pub name: String,
    /// What its value must be.
    pub value: ValueMatch,
    /// Whether it must not be so.
    pub invert: bool,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueMatch {
    /// Anything, if it is there.
    Present,
    /// This.
    Exact(String),
    /// Something that begins so.
    Prefix(String),
    /// One of these: the values that a regular expression matches.
    OneOf(Vec<String>),
}

/// A route as proxies use it.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The destination, if the route says nothing else that befalls a request before its first attempt.
    pub plain: Option<UpstreamId>,
    /// Where it goes, with cumulated weights; nowhere, where no rule defines the subset.
    destinations: Vec<(Option<UpstreamId>, u32)>,
    /// Which one it is.
    pub number: RouteId,
    /// How long the whole request may take.
    pub timeout: Option<SimDuration>,
    /// When it is tried again.
    pub retry: Option<Retry>,
    /// Faults that the client's proxy injects.
    pub fault: FaultInjection,
    /// Where a copy goes, and of how many requests (percent).
    pub mirror: Option<(UpstreamId, f64)>,
    /// The status of the redirect that it answers with.
    pub redirect: Option<u16>,
    rewrites: Vec<(EndpointId, EndpointId)>,
    conditions: Conditions,
}

impl RouteSettings {
    /// The route of a service for which none is written.
    #[must_use]
    pub fn default_of(version: IstioVersion, consistent_hash: bool) -> Self {
        Self { retry: Some(RetryPolicy::default_of(version, consistent_hash)), ..Self::default() }
    }

    /// Where its requests go, and copies of them.
    pub fn led_to(&self) -> impl Iterator<Item = Destination> + '_ {
        let copies = self.mirror.map(|it| it.destination);
        self.destinations.iter().map(|it| it.destination).chain(copies)
    }
}

impl Route {
    /// The route of a service by its settings; `upstream_of` numbers destinations, if there is such an upstream.
    #[must_use]
    pub fn new(
        service: ServiceId,
        settings: &RouteSettings,
        upstream_of: impl Fn(Destination) -> Option<UpstreamId>,
    ) -> Self {
        let own = [WeightedDestination { destination: Destination { service, subset: None }, weight: 1 }];
        let written = settings.destinations.as_slice();
        let mut sum = 0;
        let destinations: Vec<(Option<UpstreamId>, u32)> = if written.is_empty() { &own } else { written }
            .iter()
            .map(|it| {
                sum += it.weight;
                (upstream_of(it.destination), sum)
            })
            .collect();
        let only = if let [(only, _)] = destinations.as_slice() { *only } else { None };
        let acts = settings.timeout.is_some() || !settings.fault.is_none() || settings.mirror.is_some();
        let is_plain = !acts && settings.redirect.is_none() && settings.rewrites.is_empty();
        Self {
            plain: only.filter(|_| is_plain),
            destinations,
            number: RouteId(0),
            timeout: settings.timeout.filter(|timeout| *timeout > SimDuration::ZERO),
            retry: settings.retry.as_ref().map(Retry::new),
            fault: settings.fault,
            mirror: settings.mirror.and_then(|it| Some((upstream_of(it.destination)?, it.percent))),
            redirect: settings.redirect,
            rewrites: settings.rewrites.clone(),
            conditions: settings.conditions.clone(),
        }
    }

    /// Whether it takes a request.
    #[must_use]
    pub fn takes(&self, request: RequestHead<'_>) -> bool {
        self.conditions.hold(request)
    }

    /// What a request becomes whose path it rewrites; nothing if it leaves it.
    #[must_use]
    pub fn rewritten(&self, endpoint: EndpointId) -> Option<EndpointId> {
        let found = self.rewrites.binary_search_by_key(&endpoint, |(from, _)| *from).ok()?;
        Some(self.rewrites[found].1)
    }

    /// Whether an endpoint is what some request becomes.
    #[must_use]
    pub fn rewrites(&self, endpoint: EndpointId) -> bool {
        self.rewrites.iter().any(|(_, to)| *to == endpoint)
    }

    /// The destination of a request, by a number from 0 to 1 that is drawn if there are several; none if it is a subset
    /// that no rule defines.
    #[must_use]
    pub fn destination(&self, uniform: impl FnOnce() -> f64) -> Option<UpstreamId> {
        if let [(only, _)] = self.destinations.as_slice() {
            return *only;
        }
        let total = self.destinations.last().map_or(0, |(_, sum)| *sum);
        let point = (uniform() * f64::from(total)) as u32;
        let found = self.destinations.iter().find(|(_, sum)| point < *sum);
        found.or(self.destinations.last()).expect("a route has a destination").0
    }
}

/// A path, and its query without the `?`.
#[must_use]
pub fn split_path(path: &str) -> (&str, &str) {
    path.split_once('?').unwrap_or((path, ""))
}

impl Conditions {
    /// Whether a request meets all of them.
    #[must_use]
    pub fn hold(&self, request: RequestHead<'_>) -> bool {
        let (path, query) = split_path(request.path);
        let header = |name: &str| {
            let found = request.headers.iter().find(|(header, _)| header == name);
            found.map(|(_, value)| value.as_str())
        };
        // A parameter without a value has an empty one; of several of one name the first counts.
        let parameter = |name: &str| {
            let mut all = query.split('&').map(|it| it.split_once('=').unwrap_or((it, "")));
            all.find(|(parameter, _)| *parameter == name).map(|(_, value)| value)
        };
        self.path.as_ref().is_none_or(|it| it.matches(path))
            && self.method.as_ref().is_none_or(|it| it.matches(request.method))
            && self.headers.iter().all(|it| it.holds(header(&it.name)))
            && self.query.iter().all(|it| it.holds(parameter(&it.name)))
    }

    /// Whether it takes all requests.
    #[must_use]
    pub const fn are_none(&self) -> bool {
        self.path.is_none() && self.method.is_none() && self.headers.is_empty() && self.query.is_empty()
    }
}

impl FieldMatch {
    fn holds(&self, value: Option<&str>) -> bool {
        value.is_some_and(|value| self.value.matches(value)) != self.invert
    }
}

impl ValueMatch {
    /// Whether a value that is there is one of these.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Present => true,
            Self::Exact(exact) => value == exact,
            Self::Prefix(prefix) => value.starts_with(prefix.as_str()),
            Self::OneOf(all) => all.iter().any(|it| it == value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(service: u32, weight: u32) -> WeightedDestination {
        WeightedDestination { destination: Destination { service: ServiceId(service), subset: None }, weight }
    }

    fn route(settings: &RouteSettings) -> Route {
        Route::new(ServiceId(7), settings, |to| (to.service.0 != 9).then_some(UpstreamId(to.service.0)))
    }

    #[test]
    fn destinations_are_drawn_by_weight() {
        let split = route(&RouteSettings {
            destinations: vec![to(1, 90), to(2, 0), to(3, 10)],
            ..Default::default()
        });
        let of = [0.0, 0.899, 0.9, 0.999_999].map(|uniform| split.destination(|| uniform));
        assert_eq!(of, [1, 1, 3, 3].map(|it| Some(UpstreamId(it))));
        assert_eq!(split.plain, None);
        let only = route(&RouteSettings::default());
        assert_eq!(only.destination(|| unreachable!("nothing is drawn")), Some(UpstreamId(7)));
        assert_eq!(only.plain, Some(UpstreamId(7)));
    }

    #[test]
    fn what_no_rule_defines_is_no_destination() {
        let lost = route(&RouteSettings { destinations: vec![to(9, 1)], ..Default::default() });
        assert_eq!((lost.plain, lost.destination(|| 0.0)), (None, None));
        let half = route(&RouteSettings { destinations: vec![to(1, 1), to(9, 1)], ..Default::default() });
        assert_eq!([0.4, 0.6].map(|it| half.destination(|| it)), [Some(UpstreamId(1)), None]);
    }

    #[test]
    fn all_conditions_must_hold() {
        let field = |name: &str, value, invert| FieldMatch { name: name.into(), value, invert };
        let settings = |conditions| RouteSettings { conditions, ..Default::default() };
        let of_headers = settings(Conditions {
            headers: vec![
                field("x-user", ValueMatch::Prefix("beta-".into()), false),
                field("x-bot", ValueMatch::Present, true),
            ],
            ..Default::default()
        });
        let takes = |headers: &[(&str, &str)]| {
            let headers: Vec<_> = headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
            route(&of_headers).takes(RequestHead { method: "GET", path: "/", headers: &headers })
        };
        assert!(takes(&[("x-user", "beta-7")]));
        assert!(!takes(&[("x-user", "beta-7"), ("x-bot", "")]));
        assert!(!takes(&[("x-user", "alpha")]) && !takes(&[]));
        let of_line = settings(Conditions {
            path: Some(ValueMatch::Prefix("/cart".into())),
            method: Some(ValueMatch::OneOf(vec!["PUT".into(), "POST".into()])),
            query: vec![field("kind", ValueMatch::Exact("fast".into()), false)],
            ..Default::default()
        });
        let takes = |method, path| route(&of_line).takes(RequestHead { method, path, headers: &[] });
        assert!(takes("POST", "/cart?kind=fast") && takes("PUT", "/cart/add?id=7&kind=fast"));
        assert!(!takes("GET", "/cart?kind=fast") && !takes("POST", "/car?kind=fast"));
        assert!(
            !takes("POST", "/cart?kind=slow&kind=fast")
                && !takes("POST", "/cart")
                && !takes("POST", "/cart?kind")
        );
        assert!(Conditions::default().are_none() && route(&settings(Conditions::default())).plain.is_some());
    }

    #[test]
    fn a_path_that_is_rewritten_is_another_endpoint() {
        let [a, b, c] = [0, 1, 2].map(EndpointId);
        let rewriting = route(&RouteSettings { rewrites: vec![(a, c)], ..Default::default() });
        assert_eq!([a, b].map(|it| rewriting.rewritten(it)), [Some(c), None]);
        assert_eq!(rewriting.plain, None, "it acts before the first attempt");
    }
}
