//! What proxies are told of the upstreams that they call: Envoy's clusters and routes.
//!
//! # Models
//! Every service is an upstream; so is every subset of one that a route names. What a DestinationRule
//! and the rest of the mesh say becomes an [`UpstreamSpec`], what a VirtualService says a [`Route`].
//! Gateways follow the same rules as sidecars, but may balance in a way of their own. Without a mesh
//! there are no rules: the gateway is an Envoy with Istio's defaults and no outlier detection. In
//! ambient mode the rules are those of waypoints; a service without one has its `trafficDistribution`
//! only. A waypoint's own default is to retry what was not sent.
//!
//! # Source
//! Istio, DestinationRule and VirtualService; `cluster_builder.go`, `route.go`.

use crate::application::call_graph::Protocol;
use crate::envoy::load_balancer::Policy;
use crate::envoy::outlier_detection::OutlierDetection;
use crate::envoy::priority_load::DEFAULT_PANIC_THRESHOLD;
use crate::envoy::route::{Destination, Route, RouteSettings};
use crate::envoy::session_affinity::{ConsistentHash, HashBalancer};
use crate::envoy::upstream::UpstreamSpec;
use crate::ids::{PopulationId, ServiceId, UpstreamId};
use crate::istiod::cluster_policy::{ClusterPolicy, LbPolicy, Surroundings, TrafficPolicy};
use crate::world::description::{DataPlane, Description, ServiceSettings};
use meshsim_core::{Id, Table};

/// All upstreams and routes of a world.
#[derive(Clone, Debug)]
pub struct Upstreams {
    specs: Table<UpstreamId, UpstreamSpec>,
    /// As gateways have them, if they balance in a way of their own.
    of_gateways: Option<Table<UpstreamId, UpstreamSpec>>,
    routes: Table<ServiceId, Vec<Route>>,
    /// By service: the route of a request without headers.
    plain: Table<ServiceId, Option<u8>>,
    /// By population and service.
    of_users: Vec<Option<u8>>,
    /// Whether any route limits the time of an attempt.
    has_per_try_timeouts: bool,
}

impl Upstreams {
    /// The upstreams of a description.
    #[must_use]
    pub fn new(description: &Description) -> Self {
        let services = &description.services;
        let settings: Table<ServiceId, ServiceSettings> =
            services.enumerate().map(|(id, it)| in_force(description, id, it)).collect();
        let destinations = destinations(&settings);
        let specs: Table<UpstreamId, UpstreamSpec> =
            destinations.iter().map(|it| spec(description, &settings[it.service], *it)).collect();
        let of_gateways = description.gateway.load_balancer.map(|balancer| {
            specs.iter().map(|it| UpstreamSpec { balancer, hash: None, ..it.clone() }).collect()
        });
        let upstream_of = |destination| {
            let place = destinations.iter().position(|it| *it == destination);
            UpstreamId::from_index(place.expect("every destination is listed"))
        };
        let route = |service, settings: &RouteSettings| Route::new(service, settings, upstream_of);
        let routes: Table<ServiceId, Vec<Route>> = settings
            .enumerate()
            .map(|(service, it)| {
                let default = || {
                    let mut route =
                        RouteSettings::default_of(description.mesh.istio_version, it.hash.is_some());
                    if description.mesh.data_plane == DataPlane::Ambient
                        && let Some(retry) = &mut route.retry
                    {
                        retry.retry_on = vec!["reset-before-request".to_owned()];
                        retry.retriable_status_codes = Vec::new();
                    }
                    route
                };
                if it.routes.is_empty() {
                    vec![route(service, &default())]
                } else {
                    it.routes.iter().map(|settings| route(service, settings)).collect()
                }
            })
            .collect();
        let taken = |routes: &[Route], headers: &[(String, String)]| {
            routes.iter().position(|route| route.takes(headers)).map(|place| place as u8)
        };
        let of_users = description
            .populations
            .iter()
            .flat_map(|population| routes.iter().map(|routes| taken(routes, &population.headers)))
            .collect();
        let plain = routes.iter().map(|routes| taken(routes, &[])).collect();
        let mut routes = routes;
        for (number, route) in routes.iter_mut().flatten().enumerate() {
            route.number = number as u32;
        }
        let limits_tries =
            |route: &Route| route.retry.as_ref().is_some_and(|retry| retry.per_try_timeout.is_some());
        let has_per_try_timeouts = routes.iter().flatten().any(limits_tries);
        Self { specs, of_gateways, routes, plain, of_users, has_per_try_timeouts }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.specs.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// Their ids: services first.
    pub fn ids(&self) -> impl Iterator<Item = UpstreamId> + use<> {
        self.specs.ids()
    }

    /// Routes of all services.
    #[must_use]
    pub fn routes(&self) -> usize {
        self.routes.iter().map(Vec::len).sum()
    }

    /// Whether any route limits the time of an attempt.
    #[must_use]
    pub const fn has_per_try_timeouts(&self) -> bool {
        self.has_per_try_timeouts
    }

    /// What a proxy is told of an upstream.
    #[must_use]
    pub fn spec(&self, is_gateway: bool, upstream: UpstreamId) -> &UpstreamSpec {
        match &self.of_gateways {
            Some(specs) if is_gateway => &specs[upstream],
            _ => &self.specs[upstream],
        }
    }

    /// A route of a service.
    #[must_use]
    pub fn route(&self, service: ServiceId, route: u8) -> &Route {
        &self.routes[service][usize::from(route)]
    }

    /// Which route a request without headers takes; none if no route does.
    #[must_use]
    pub fn plain_route(&self, service: ServiceId) -> Option<u8> {
        self.plain[service]
    }

    /// Which route a user's request takes, by the headers of its population; none if no route does.
    #[must_use]
    pub fn route_of_users(&self, population: PopulationId, service: ServiceId) -> Option<u8> {
        self.of_users[population.index() * self.routes.len() + service.index()]
    }
}

/// What is told of a service under the data plane that there is.
fn in_force(description: &Description, service: ServiceId, it: &ServiceSettings) -> ServiceSettings {
    let bare = ServiceSettings { protocol: it.protocol, ..ServiceSettings::default() };
    match description.mesh.data_plane {
        DataPlane::Sidecar => it.clone(),
        DataPlane::None => bare,
        DataPlane::Ambient if description.waypoints().any(|other| other == service) => it.clone(),
        DataPlane::Ambient => ServiceSettings { traffic_distribution: it.traffic_distribution, ..bare },
    }
}

/// All services, then all subsets that routes name.
fn destinations(settings: &Table<ServiceId, ServiceSettings>) -> Vec<Destination> {
    let mut all: Vec<_> = settings.ids().map(|service| Destination { service, subset: None }).collect();
    let routes = settings.iter().flat_map(|it| &it.routes);
    let named = routes.flat_map(|route| {
        let weighted = route.destinations.iter().map(|it| it.destination);
        weighted.chain(route.mirror.map(|it| it.destination))
    });
    for destination in named {
        if !all.contains(&destination) {
            all.push(destination);
        }
    }
    all
}

fn spec(description: &Description, settings: &ServiceSettings, of: Destination) -> UpstreamSpec {
    let mesh = &description.mesh;
    let traffic: &TrafficPolicy = &settings.traffic_policy;
    let known = settings.traffic_distribution.filter(|it| it.labels(mesh.istio_version).is_some());
    let around = Surroundings {
        traffic_distribution: known,
        mesh_connect_timeout: mesh.connect_timeout,
        sends_unready_endpoints: mesh.istio_version.sends_unready_endpoints(),
        knows_tcp_idle_timeout: mesh.istio_version.knows_tcp_idle_timeout(),
    };
    let policy = ClusterPolicy::new(traffic, around);
    let always = mesh.always_eject_one_host.unwrap_or(mesh.istio_version.always_ejects_one_host());
    let outlier_detection = policy.outlier_detection.map(|fields| OutlierDetection {
        enforcing_success_rate: mesh.enforcing_success_rate,
        enforcing_failure_percentage: mesh.enforcing_failure_percentage,
        ..fields.over_defaults(always)
    });
    let balancer = match settings.hash.as_ref().map(ConsistentHash::balancer) {
        Some(HashBalancer::RingHash { minimum_ring_size, .. }) => {
            Policy::RingHash { minimum_size: minimum_ring_size }
        }
        Some(HashBalancer::Maglev { table_size }) => Policy::Maglev { table_size },
        None => balancer(policy.lb_policy),
    };
    UpstreamSpec {
        service: of.service,
        subset: of.subset,
        protocol: settings.protocol,
        panic_threshold: policy.panic_threshold.unwrap_or(DEFAULT_PANIC_THRESHOLD),
        policy,
        balancer,
        hash: settings.hash.as_ref().map(|hash| hash.policy.clone()),
        outlier_detection,
        limits_servers: policy.thresholds.limits_requests(),
        inbound_retries: match settings.protocol {
            Protocol::Http1 | Protocol::Http2 => mesh.istio_version.inbound_retries(),
            Protocol::Grpc | Protocol::Tcp => 0,
        },
    }
}

/// Envoy's defaults of each policy; what hashes or passes through is not among them.
const fn balancer(policy: LbPolicy) -> Policy {
    match policy {
        LbPolicy::RoundRobin => Policy::RoundRobin,
        LbPolicy::Random => Policy::Random,
        LbPolicy::LeastRequest | LbPolicy::RingHash | LbPolicy::Maglev | LbPolicy::ClusterProvided => {
            Policy::LeastRequest { choice_count: 2 }
        }
    }
}
