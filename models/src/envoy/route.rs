//! What a VirtualService says of a service: which requests go where, how long and how often.
//!
//! # Models
//! Routes are tried in their order; the first whose headers all match holds, and a request that
//! none matches is answered 404 (flag NR). A service without routes has one that sends everything
//! to the service itself, without a time-out and with the release's default retries. The
//! destination is drawn by weight once per request; its retries go to the same one.
//! A mirror is a copy of the request to another destination, whose answer nobody waits for.
//!
//! # Assumptions
//! - Cells do not pass on the headers of the requests that they serve (µBench's do not): only
//!   gateways see those of the users. Effect: routes with headers are for users' requests.
//! - A mirrored request is not mirrored again, has no time-out and is not retried.
//!
//! # Source
//! Istio, VirtualService (`HTTPRoute`, `HTTPMatchRequest`, `HTTPRouteDestination`, `mirror`,
//! `mirrorPercentage`); Envoy, `config.route.v3.RouteAction`.

use super::fault_injection::FaultInjection;
use super::retry::Retry;
use crate::ids::{RouteId, ServiceId, UpstreamId};
use crate::istiod::istio_version::IstioVersion;
use crate::istiod::retry_policy::RetryPolicy;
use crate::istiod::subset::Subset;
use meshsim_core::SimDuration;

/// A route of a service, in plain values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteSettings {
    /// What its headers must be; all of them.
    pub headers: Vec<HeaderMatch>,
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

/// What a header must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Its name, in lower case.
    pub name: String,
    /// What its value must be.
    pub value: ValueMatch,
    /// Whether it must not be so.
    pub invert: bool,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueMatch {
    /// Anything, if the header is there.
    Present,
    /// This.
    Exact(String),
    /// Something that begins so.
    Prefix(String),
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
    headers: Vec<HeaderMatch>,
}

impl RouteSettings {
    /// The route of a service for which none is written.
    #[must_use]
    pub fn default_of(version: IstioVersion, consistent_hash: bool) -> Self {
        Self { retry: Some(RetryPolicy::default_of(version, consistent_hash)), ..Self::default() }
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
        let is_plain = settings.timeout.is_none() && settings.fault.is_none() && settings.mirror.is_none();
        Self {
            plain: only.filter(|_| is_plain),
            destinations,
            number: RouteId(0),
            timeout: settings.timeout.filter(|timeout| *timeout > SimDuration::ZERO),
            retry: settings.retry.as_ref().map(Retry::new),
            fault: settings.fault,
            mirror: settings.mirror.and_then(|it| Some((upstream_of(it.destination)?, it.percent))),
            headers: settings.headers.clone(),
        }
    }

    /// Whether a request with these headers takes it.
    #[must_use]
    pub fn takes(&self, headers: &[(String, String)]) -> bool {
        self.headers.iter().all(|header| header.matches(headers))
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

impl HeaderMatch {
    fn matches(&self, headers: &[(String, String)]) -> bool {
        let value = headers.iter().find(|(name, _)| *name == self.name).map(|(_, value)| value);
        let matches = value.is_some_and(|value| match &self.value {
            ValueMatch::Present => true,
            ValueMatch::Exact(exact) => value == exact,
            ValueMatch::Prefix(prefix) => value.starts_with(prefix.as_str()),
        });
        matches != self.invert
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
    fn all_headers_must_match() {
        let header = |name: &str, value, invert| HeaderMatch { name: name.into(), value, invert };
        let settings = RouteSettings {
            headers: vec![
                header("x-user", ValueMatch::Prefix("beta-".into()), false),
                header("x-bot", ValueMatch::Present, true),
            ],
            ..Default::default()
        };
        let takes = |headers: &[(&str, &str)]| {
            let headers: Vec<_> = headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
            route(&settings).takes(&headers)
        };
        assert!(takes(&[("x-user", "beta-7")]));
        assert!(!takes(&[("x-user", "beta-7"), ("x-bot", "")]));
        assert!(!takes(&[("x-user", "alpha")]) && !takes(&[]));
    }
}
