//! What proxies are told of the upstreams that they call: Envoy's clusters and routes.
//!
//! # Models
//! Every service is an upstream; so is every subset of one that a route names and a rule defines (`subset`). What a DestinationRule
//! and the rest of the mesh say becomes an [`UpstreamSpec`], what a VirtualService says a [`Route`].
//! Gateways follow the same rules as sidecars, but may balance in a way of their own. Without a mesh
//! there are no rules: the gateway is an Envoy with Istio's defaults and no outlier detection. In
//! ambient mode the rules are those of waypoints; a service without one has its `trafficDistribution`
//! only. A waypoint's own default is to retry what was not sent.
//!
//! Routes and policies change from one *configuration* to the next. An upstream whose policy changes is another one from
//! then on, with connections, counts and ejections of its own, and leaves those that have the old one to it: Envoy
//! replaces a cluster whose configuration changes, and lets the requests of the old one end. So a request keeps the
//! route and the upstream that its proxy has given it.
//!
//! # Assumptions
//! - A request that is tried again stays with the upstream as it was, where Envoy asks for its cluster by name.
//! - A setting of localities that changes makes another upstream, too, where Envoy keeps the cluster and gets its
//!   endpoints in another order. Effect: connections are made anew, and ejections are forgotten.
//! - Idle connections of an upstream that is replaced are not closed. Nobody uses them again.
//!
//! # Source
//! Istio, DestinationRule and VirtualService; `cluster_builder.go`, `route.go`.

use crate::application::call_graph::{Endpoint, Protocol};
use crate::envoy::load_balancer::Policy;
use crate::envoy::outlier_detection::OutlierDetection;
use crate::envoy::priority_load::DEFAULT_PANIC_THRESHOLD;
use crate::envoy::route::{Destination, RequestHead, Route, RouteSettings};
use crate::envoy::session_affinity::{ConsistentHash, HashBalancer};
use crate::envoy::upstream::UpstreamSpec;
use crate::ids::{ConfigurationId, EndpointId, PopulationId, RouteId, ServiceId, UpstreamId};
use crate::istiod::cluster_policy::{ClusterPolicy, LbPolicy, Surroundings, TrafficPolicy};
use crate::istiod::locality_setting::{self, InForce, LocalitySetting};
use crate::istiod::subset::{Selector, Subset};
use crate::world::description::{DataPlane, Description, ServiceSettings};
use meshsim_core::{Id, Table};
use std::collections::BTreeMap;
use std::ops::Range;

/// All upstreams and routes of a world, of all configurations that it will have.
#[derive(Clone, Debug)]
pub struct Upstreams {
    specs: Table<UpstreamId, UpstreamSpec>,
    /// As gateways have them, if they balance in a way of their own.
    of_gateways: Option<Table<UpstreamId, UpstreamSpec>>,
    routes: Table<RouteId, Route>,
    configurations: Table<ConfigurationId, Configuration>,
    /// Whether any route limits the time of an attempt.
    has_per_try_timeouts: bool,
    /// Whether any upstream judges connecting by itself.
    splits_origins: bool,
    /// By population: which of the headers that requests have are its.
    headers: Vec<u32>,
    /// How many endpoints there are.
    endpoints: usize,
    /// By service: whether its servers ever limit what they have under way.
    limits_servers: Table<ServiceId, bool>,
}

/// Which upstreams and routes are in force.
#[derive(Clone, Debug)]
struct Configuration {
    /// By service: the upstream of all its endpoints; of a version, that of the service of which it is one.
    of_services: Table<ServiceId, UpstreamId>,
    /// By service: its routes, in their order.
    routes: Table<ServiceId, Range<u32>>,
    /// By the headers that requests have, none first, and by endpoint: the route that takes them.
    taken: Vec<Option<RouteId>>,
}

impl Upstreams {
    /// The upstreams of a description.
    #[must_use]
    pub fn new(description: &Description) -> Self {
        let services = &description.services;
        let mut settings: Table<ServiceId, ServiceSettings> =
            services.enumerate().map(|(id, it)| in_force(description, id, it)).collect();
        let (headers, of_population) = headers(description);
        let mut making = Making { description, headers, specs: Table::new(), routes: Table::new() };
        let mut current = BTreeMap::new();
        let mut configurations = Table::new();
        configurations.push(making.configuration(&settings, &mut current, None));
        for change in &description.configuration_changes {
            settings[change.service] = in_force(description, change.service, &change.settings);
            let last = configurations.iter().last();
            configurations.push(making.configuration(&settings, &mut current, last));
        }
        let Making { specs, routes, .. } = making;
        let of_gateways = description.gateway.load_balancer.map(|balancer| {
            specs.iter().map(|it| UpstreamSpec { balancer, hash: None, ..it.clone() }).collect()
        });
        let limits_tries =
            |route: &Route| route.retry.as_ref().is_some_and(|retry| retry.per_try_timeout.is_some());
        let has_per_try_timeouts = routes.iter().any(limits_tries);
        let mut judged = specs.iter().filter_map(|it| it.outlier_detection.as_ref());
        let splits_origins = judged.any(|it| it.split_external_local_origin_errors);
        let mut limits_servers: Table<ServiceId, bool> = services.iter().map(|_| false).collect();
        // What a subset says does not hold at servers.
        for it in specs.iter().filter(|it| it.limits_servers && it.subset.is_none()) {
            for version in description.versions_of(it.service) {
                limits_servers[version] = true;
            }
        }
        Self {
            specs,
            of_gateways,
            routes,
            configurations,
            has_per_try_timeouts,
            splits_origins,
            headers: of_population,
            endpoints: description.application.endpoints.len(),
            limits_servers,
        }
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

    /// Their ids: services first, without versions.
    pub fn ids(&self) -> impl Iterator<Item = UpstreamId> + use<> {
        self.specs.ids()
    }

    /// Routes of all services and configurations.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// Whether any route limits the time of an attempt.
    #[must_use]
    pub const fn has_per_try_timeouts(&self) -> bool {
        self.has_per_try_timeouts
    }

    /// Whether outlier detection of any upstream judges connecting by itself (`split_external_local_origin_errors`).
    #[must_use]
    pub const fn splits_origins(&self) -> bool {
        self.splits_origins
    }

    /// Whether the servers of a service ever limit what they have under way to their applications.
    #[must_use]
    pub fn limits_servers(&self, service: ServiceId) -> bool {
        self.limits_servers[service]
    }

    /// What a proxy is told of an upstream.
    #[must_use]
    #[inline]
    pub fn spec(&self, is_gateway: bool, upstream: UpstreamId) -> &UpstreamSpec {
        match &self.of_gateways {
            Some(specs) if is_gateway => &specs[upstream],
            _ => &self.specs[upstream],
        }
    }

    /// The upstream of all endpoints of a service.
    #[must_use]
    #[inline]
    pub fn of_service(&self, configuration: ConfigurationId, service: ServiceId) -> UpstreamId {
        self.configurations[configuration].of_services[service]
    }

    /// A route.
    #[must_use]
    #[inline]
    pub fn route(&self, route: RouteId) -> &Route {
        &self.routes[route]
    }

    /// The first route of a service.
    #[must_use]
    pub fn first_route(&self, configuration: ConfigurationId, service: ServiceId) -> RouteId {
        RouteId(self.configurations[configuration].routes[service].start)
    }

    /// Which route a request without headers takes; none if no route does.
    #[must_use]
    #[inline]
    pub fn plain_route(&self, configuration: ConfigurationId, endpoint: EndpointId) -> Option<RouteId> {
        self.configurations[configuration].taken[endpoint.index()]
    }

    /// Which route a user's request takes, by the headers of its population; none if no route does.
    #[must_use]
    #[inline]
    pub fn route_of_users(
        &self,
        configuration: ConfigurationId,
        population: PopulationId,
        endpoint: EndpointId,
    ) -> Option<RouteId> {
        let row = self.headers[population.index()] as usize * self.endpoints;
        self.configurations[configuration].taken[row + endpoint.index()]
    }
}

/// Names and values.
type Headers<'a> = &'a [(String, String)];

/// Makes configurations, one after the other.
struct Making<'a> {
    description: &'a Description,
    /// All that requests have, none first.
    headers: Vec<Headers<'a>>,
    specs: Table<UpstreamId, UpstreamSpec>,
    routes: Table<RouteId, Route>,
}

impl Making<'_> {
    /// The configuration under these settings. `current` has the upstream of each destination as it was before, and
    /// then as it is; `last` is the configuration before.
    fn configuration(
        &mut self,
        settings: &Table<ServiceId, ServiceSettings>,
        current: &mut BTreeMap<Destination, UpstreamId>,
        last: Option<&Configuration>,
    ) -> Configuration {
        let before = std::mem::take(current);
        for destination in destinations(settings) {
            let Some(spec) = spec(self.description, &settings[destination.service], destination) else {
                continue;
            };
            let known = before.get(&destination).copied().filter(|&known| self.specs[known] == spec);
            current.insert(destination, known.unwrap_or_else(|| self.specs.push(spec)));
        }
        let of_service = |(service, it): (ServiceId, &ServiceSettings)| {
            current[&Destination { service: it.version_of.unwrap_or(service), subset: None }]
        };
        let routes: Table<ServiceId, Range<u32>> = settings
            .enumerate()
            .map(|(service, settings)| {
                // Nobody asks for a version: it is a service's that has routes.
                if settings.version_of.is_some() {
                    return 0..0;
                }
                let made =
                    self.routes_of(service, settings, |destination| current.get(&destination).copied());
                let before = last.map(|last| last.routes[service].clone());
                before.filter(|before| self.are(before, &made)).unwrap_or_else(|| self.add(made))
            })
            .collect();
        let endpoints = &self.description.application.endpoints;
        let taken = |headers: Headers<'_>| -> Vec<Option<RouteId>> {
            let route_of = |it: &Endpoint| {
                let request = RequestHead { method: &it.method, path: &it.path, headers };
                routes[it.service].clone().map(RouteId).find(|&route| self.routes[route].takes(request))
            };
            endpoints.iter().map(route_of).collect()
        };
        Configuration {
            taken: self.headers.iter().flat_map(|headers| taken(headers)).collect(),
            of_services: settings.enumerate().map(of_service).collect(),
            routes,
        }
    }

    /// The routes of a service; `upstream_of` numbers destinations.
    fn routes_of(
        &self,
        service: ServiceId,
        settings: &ServiceSettings,
        upstream_of: impl Fn(Destination) -> Option<UpstreamId>,
    ) -> Vec<Route> {
        let route = |settings: &RouteSettings| Route::new(service, settings, &upstream_of);
        if !settings.routes.is_empty() {
            return settings.routes.iter().map(route).collect();
        }
        let mesh = &self.description.mesh;
        let mut default = RouteSettings::default_of(mesh.istio_version, settings.hash.is_some());
        if mesh.data_plane == DataPlane::Ambient
            && let Some(retry) = &mut default.retry
        {
            retry.retry_on = vec!["reset-before-request".to_owned()];
            retry.retriable_status_codes = Vec::new();
        }
        vec![route(&default)]
    }

    /// Whether these are the routes, but for their numbers.
    fn are(&self, before: &Range<u32>, made: &[Route]) -> bool {
        let same = |(number, made): (u32, &Route)| {
            let mut made = made.clone();
            made.number = RouteId(number);
            self.routes[made.number] == made
        };
        before.len() == made.len() && before.clone().zip(made).all(same)
    }

    fn add(&mut self, made: Vec<Route>) -> Range<u32> {
        let first = self.routes.len() as u32;
        for mut route in made {
            route.number = RouteId::from_index(self.routes.len());
            self.routes.push(route);
        }
        first..self.routes.len() as u32
    }
}

/// The headers that requests have, none first, and which of them those of each population are.
fn headers(description: &Description) -> (Vec<Headers<'_>>, Vec<u32>) {
    let mut all: Vec<Headers<'_>> = vec![&[]];
    let mut known: BTreeMap<Headers<'_>, u32> = [(all[0], 0)].into();
    let mut of_population = Vec::with_capacity(description.populations.len());
    for population in &description.populations {
        let next = all.len() as u32;
        let number = *known.entry(&population.headers).or_insert(next);
        if number == next {
            all.push(&population.headers);
        }
        of_population.push(number);
    }
    (all, of_population)
}

/// What is told of a service under the data plane that there is.
fn in_force(description: &Description, service: ServiceId, it: &ServiceSettings) -> ServiceSettings {
    let version_of = description.services[service].version_of;
    let bare = ServiceSettings { protocol: it.protocol, version_of, ..ServiceSettings::default() };
    match description.mesh.data_plane {
        DataPlane::None => bare,
        DataPlane::Ambient if !description.has_waypoint(service) => {
            ServiceSettings { traffic_distribution: it.traffic_distribution, ..bare }
        }
        DataPlane::Sidecar | DataPlane::Ambient => ServiceSettings { version_of, ..it.clone() },
    }
}

/// All services, then all subsets that routes name.
fn destinations(settings: &Table<ServiceId, ServiceSettings>) -> Vec<Destination> {
    let services = settings.enumerate().filter(|(_, it)| it.version_of.is_none());
    let mut all: Vec<_> = services.map(|(service, _)| Destination { service, subset: None }).collect();
    let routes = settings.iter().flat_map(|it| &it.routes);
    let named = routes.flat_map(RouteSettings::led_to);
    for destination in named {
        if !all.contains(&destination) {
            all.push(destination);
        }
    }
    all
}

/// What proxies are told of a destination; nothing of a subset that no rule defines.
fn spec(description: &Description, settings: &ServiceSettings, of: Destination) -> Option<UpstreamSpec> {
    let mesh = &description.mesh;
    let defined = match of.subset {
        Some(Subset::Named(name)) => Some(settings.subsets.iter().find(|it| it.name == name)?),
        Some(Subset::Cluster(_)) | None => None,
    };
    let (traffic, of_rule, hash): (&TrafficPolicy, _, _) = match defined {
        Some(it) => (&it.traffic_policy, it.locality.as_ref(), it.hash.as_ref()),
        None => (&settings.traffic_policy, settings.locality.as_ref(), settings.hash.as_ref()),
    };
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
    let balancer = match hash.map(ConsistentHash::balancer) {
        Some(HashBalancer::RingHash { minimum_ring_size, .. }) => {
            Policy::RingHash { minimum_size: minimum_ring_size }
        }
        Some(HashBalancer::Maglev { table_size }) => Policy::Maglev { table_size },
        None => balancer(policy.lb_policy),
    };
    Some(UpstreamSpec {
        service: of.service,
        subset: match of.subset {
            Some(Subset::Cluster(cluster)) => Some(Selector::Cluster(cluster)),
            Some(Subset::Named(_)) | None => defined.map(|it| Selector::Labels(it.labels.clone())),
        },
        locality: locality(description, settings, of_rule, of.service),
        protocol: settings.protocol,
        panic_threshold: policy.panic_threshold.unwrap_or(DEFAULT_PANIC_THRESHOLD),
        policy,
        balancer,
        hash: hash.map(|hash| hash.policy.clone()),
        outlier_detection,
        limits_servers: policy.thresholds.limits_requests(),
        inbound_retries: match settings.protocol {
            Protocol::Http1 | Protocol::Http2 => mesh.istio_version.inbound_retries(),
            Protocol::Grpc | Protocol::Tcp | Protocol::Udp => 0,
        },
    })
}

/// The locality setting that is in force for a service; nothing orders endpoints without a mesh.
fn locality(
    description: &Description,
    settings: &ServiceSettings,
    of_rule: Option<&LocalitySetting>,
    service: ServiceId,
) -> Option<InForce> {
    let mesh = &description.mesh;
    // A ztunnel knows the Service alone.
    let balances = match mesh.data_plane {
        DataPlane::None => return None,
        DataPlane::Sidecar => true,
        DataPlane::Ambient => description.has_waypoint(service),
    };
    let of_mesh = balances.then_some(&mesh.locality);
    locality_setting::in_force(mesh.istio_version, of_mesh, of_rule, settings.traffic_distribution)
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
