//! Keys that only some data planes have a use for, and whether this one has.
//!
//! What is simulated under each data plane is `meshsim_models::istiod::upstreams`' business and its
//! neighbours'; a key that nothing follows is told by `warnings`. `tests/data_planes.rs` walks over all
//! keys of the mesh and of services under all data planes.

use super::route_blocks;
use crate::schema::changes::Change;
use crate::schema::federation::LiqoGateway;
use crate::schema::services::{Protocol, Service};
use crate::schema::spanned::Spanned;
use crate::schema::{self, CongestionControl, Scenario};
use meshsim_core::Id;
use meshsim_models::application::call_graph::Endpoint;
use meshsim_models::envoy::route::{Destination, RequestHead, RouteSettings};
use meshsim_models::ids::{ServiceId, SubsetId};
use meshsim_models::istiod::authorization_policy::AuthorizationPolicy;
use meshsim_models::istiod::subset::Subset;
use meshsim_models::world::description::{DataPlane, Description, ServiceSettings};
use std::collections::BTreeMap;

/// A key that is written, and that only some data planes have a use for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaneKey {
    /// Its path.
    pub path: String,
    /// Whether anything follows it.
    pub has_effect: bool,
    /// What follows it.
    pub needs: &'static str,
}

/// What follows a key.
const A_MESH: &str = "a mesh";
const SIDECARS: &str = "sidecars";
const AMBIENT: &str = "ambient mode";
const BALANCES: &str = "sidecars or a waypoint";
const A_ROUTE: &str = "a route to it";
const A_SUBSET: &str = "a subset by them";
const A_POLICY: &str = "a namespace or a policy that goes by it";
const A_REQUEST: &str = "a request that it matches";
const A_LOOK: &str = "a route or policy that looks at it";
const MTLS: &str = "mtls";
const TELEMETRY: &str = "telemetry";
const LIQO: &str = "federation = \"liqo\"";
const MULTI_NETWORK: &str = "federation = \"multi-network\"";
const NOT_BBR: &str = "another congestion_control than bbr";

/// Collects keys as they are written.
struct Keys<'a> {
    description: &'a Description,
    /// Those of which something is said.
    namespaces: Vec<String>,
    found: Vec<PlaneKey>,
}

/// The keys of a scenario that are written and that some data plane has no use for.
pub(super) fn keys(scenario: &Scenario, description: &Description) -> Vec<PlaneKey> {
    let namespaces = scenario.namespaces.keys().cloned().collect();
    let mut keys = Keys { description, namespaces, found: Vec::new() };
    keys.of_mesh(&scenario.mesh);
    for (name, service) in &scenario.services {
        keys.of_service(name, service);
    }
    for (number, change) in scenario.changes.iter().enumerate() {
        keys.of_change(number, change.get_ref());
    }
    keys.of_access(scenario);
    keys.add("istiod", scenario.istiod.is_some(), A_MESH);
    for (number, fault) in scenario.faults.iter().enumerate() {
        keys.add(&format!("faults.{number}.istiod"), fault.get_ref().istiod.is_some(), A_MESH);
    }
    let has_liqo = description.liqo().is_some();
    keys.push("liqo", scenario.liqo.is_some(), has_liqo, LIQO);
    keys.push("peerings", !scenario.peerings.is_empty(), has_liqo, LIQO);
    let is_split = description.east_west().is_some();
    keys.push("east_west_gateway", scenario.east_west_gateway.is_some(), is_split, MULTI_NETWORK);
    for (name, cluster) in &scenario.clusters {
        let written = liqo_gateway(&cluster.get_ref().liqo_gateway);
        keys.push(format!("clusters.{name}.liqo_gateway"), written, has_liqo, LIQO);
    }
    let pods = &scenario.pods;
    keys.add("pods.sidecar_image_size", pods.sidecar_image_size.is_some(), SIDECARS);
    keys.add("pods.sidecar_start", pods.sidecar_start.is_some(), SIDECARS);
    keys.add("pods.sidecar_drain", pods.sidecar_drain.is_some(), SIDECARS);
    let holds = pods.hold_application_until_proxy_starts.is_some();
    keys.add("pods.hold_application_until_proxy_starts", holds, SIDECARS);
    for (name, cluster) in &scenario.clusters {
        let tcp = &cluster.get_ref().tcp;
        let path = format!("clusters.{name}.tcp.slow_start_after_idle");
        // Only as the default may it stand beside a control that never does.
        let asks = tcp.slow_start_after_idle.as_ref().is_some_and(|it| *it.get_ref());
        let follows = tcp.congestion_control != Some(CongestionControl::Bbr);
        keys.push(path, asks, follows, NOT_BBR);
    }
    keys.found
}

impl Keys<'_> {
    fn of_mesh(&mut self, mesh: &schema::Mesh) {
        let (sidecar, outliers) = (&mesh.sidecar, &mesh.outlier_detection);
        self.add("mesh.locality_lb_setting", mesh.locality_lb_setting.is_some(), BALANCES);
        self.add("mesh.traffic_policy", mesh.traffic_policy.is_some(), BALANCES);
        let tls = mesh.traffic_policy.as_ref().is_some_and(|it| it.tls.is_some());
        self.add("mesh.traffic_policy.tls", tls, SIDECARS);
        let detects = outliers.always_eject_one_host.is_some()
            || outliers.enforcing_success_rate.is_some()
            || outliers.enforcing_failure_percentage.is_some();
        self.add("mesh.outlier_detection", detects, BALANCES);
        self.add("mesh.mtls", mesh.mtls.is_some(), A_MESH);
        self.add("mesh.handshake", mesh.handshake.is_some(), MTLS);
        self.add("mesh.mtls_cost", extra_cost(&mesh.mtls_cost), MTLS);
        self.add("mesh.telemetry", mesh.telemetry.is_some(), A_MESH);
        self.add("mesh.telemetry_cost", extra_cost(&mesh.telemetry_cost), TELEMETRY);
        // Ztunnels and waypoints have as many workers.
        self.add("mesh.sidecar.concurrency", sidecar.concurrency.is_some(), A_MESH);
        self.add("mesh.sidecar.loopback", sidecar.loopback.is_some(), SIDECARS);
        self.add("mesh.sidecar.requests", sidecar.requests.is_some(), SIDECARS);
        self.add("mesh.sidecar.outbound", proxy_cost(&sidecar.outbound), SIDECARS);
        self.add("mesh.sidecar.inbound", proxy_cost(&sidecar.inbound), SIDECARS);
        self.add("mesh.ztunnel", proxy_cost(&mesh.ztunnel), AMBIENT);
        let waypoints = self.description.waypoints().next().is_some();
        self.push("mesh.waypoint", proxy_cost(&mesh.waypoint), waypoints, "ambient mode and a waypoint");
    }

    fn of_service(&mut self, name: &str, service: &Spanned<Service>) {
        let service = service.get_ref();
        let Some(id) = self.description.application.service_named(name) else { return };
        let plane = self.description.mesh.data_plane;
        let balances =
            plane == DataPlane::Sidecar || self.description.has_waypoint(self.description.front_of(id));
        let path = |key: &str| format!("services.{name}.{key}");
        self.push(path("traffic_policy"), service.traffic_policy.is_some(), balances, BALANCES);
        let tls = service.traffic_policy.as_ref().is_some_and(|it| it.tls.is_some());
        self.add(&path("traffic_policy.tls"), tls, SIDECARS);
        self.push(path("routes"), !service.routes.is_empty(), balances, BALANCES);
        let description = self.description;
        let blocks = description.services[id].routes.iter().zip(route_blocks::of(&service.routes));
        for (route, block) in blocks {
            let asks = balances && !route.conditions.are_none();
            let takes_any = self.takes_any(id, route);
            self.push(path(&format!("routes.{}", block.number)), asks, takes_any, A_REQUEST);
        }
        for (name, endpoint) in &service.endpoints {
            let endpoint = endpoint.get_ref();
            let key = |key: &str| path(&format!("endpoints.{name}.{key}"));
            self.push(key("path"), endpoint.path.is_some(), self.looks_at_paths(), A_LOOK);
            self.push(key("method"), endpoint.method.is_some(), self.looks_at_methods(), A_LOOK);
        }
        for (name, subset) in self.subsets_of(&service.subsets) {
            let led_to = self.is_led_to(id, subset);
            let needs = if balances { A_ROUTE } else { BALANCES };
            self.push(path(&format!("subsets.{name}")), true, balances && led_to, needs);
        }
        let selects = balances && self.selects_by(service.labels.keys(), id);
        let needs = if balances { A_SUBSET } else { BALANCES };
        self.push(path("labels"), !service.labels.is_empty(), selects, needs);
        let follows = plane != DataPlane::None;
        let written = service.traffic_distribution.is_some();
        self.push(path("traffic_distribution"), written, follows, A_MESH);
        self.push(path("sidecar"), service.sidecar.is_some(), plane == DataPlane::Sidecar, SIDECARS);
        let namespace = service.namespace.as_ref().map(Spanned::get_ref);
        let is_named = namespace.is_some_and(|it| self.names_namespaces(it));
        self.push(path("namespace"), namespace.is_some(), is_named, A_POLICY);
        let asks = service.waypoint.as_ref().is_some_and(|it| *it.get_ref());
        self.push(path("waypoint"), asks, plane == DataPlane::Ambient, AMBIENT);
        // That its requests are not seen matters to those who would see them.
        let tcp = service.protocol.as_ref().is_some_and(|it| *it.get_ref() == Protocol::Tcp);
        let endpoints = &self.description.application.endpoints;
        let requested = self.description.populations.iter().flat_map(|it| it.requests.endpoints());
        let entered = requested.into_iter().any(|it| endpoints[it].service == id);
        self.push(path("protocol"), tcp, plane == DataPlane::Sidecar || entered, SIDECARS);
    }

    fn of_change(&mut self, number: usize, change: &Change) {
        let Some(id) = self.description.application.service_named(change.service.get_ref()) else { return };
        let balances =
            self.description.mesh.data_plane == DataPlane::Sidecar || self.description.has_waypoint(id);
        self.push(format!("changes.{number}.routes"), change.routes.is_some(), balances, BALANCES);
        let policy = change.traffic_policy.is_some();
        self.push(format!("changes.{number}.traffic_policy"), policy, balances, BALANCES);
        let written = change.subsets.as_ref().map(Spanned::get_ref);
        for (name, subset) in written.map_or_else(Vec::new, |it| self.subsets_of(it)) {
            let led_to = self.is_led_to(id, subset);
            let needs = if balances { A_ROUTE } else { BALANCES };
            self.push(format!("changes.{number}.subsets.{name}"), true, balances && led_to, needs);
        }
    }

    /// Subsets that are written, with their numbers.
    fn subsets_of<'b, T>(&self, written: &'b BTreeMap<String, T>) -> Vec<(&'b str, SubsetId)> {
        let number = |name: &str| self.description.subsets.iter().position(|it| it == name);
        let subsets = written.keys().filter_map(|name| Some((name.as_str(), number(name)?)));
        subsets.map(|(name, number)| (name, SubsetId::from_index(number))).collect()
    }

    /// What the mesh is told of services, now and later.
    fn settings(&self) -> impl Iterator<Item = (ServiceId, &ServiceSettings)> {
        let changes = self.description.configuration_changes.iter().map(|it| (it.service, &it.settings));
        self.description.services.enumerate().chain(changes)
    }

    /// Namespaces and policies.
    fn of_access(&mut self, scenario: &Scenario) {
        let plane = self.description.mesh.data_plane;
        for name in scenario.namespaces.keys() {
            self.push(format!("namespaces.{name}"), true, plane == DataPlane::Sidecar, SIDECARS);
        }
        for name in scenario.peer_authentications.keys() {
            self.push(format!("peer_authentications.{name}"), true, plane == DataPlane::Sidecar, SIDECARS);
        }
        for name in scenario.authorization_policies.keys() {
            self.push(format!("authorization_policies.{name}"), true, plane != DataPlane::None, A_MESH);
        }
    }

    /// Whether anything goes by the namespace of a service.
    fn names_namespaces(&self, namespace: &str) -> bool {
        let description = self.description;
        let has_mesh = description.mesh.data_plane != DataPlane::None;
        let authentications = description.peer_authentications.iter();
        let by_peers = authentications.filter_map(|it| it.namespace.as_deref()).any(|it| it == namespace);
        let by_policies = description.authorization_policies.iter().any(|it| {
            let mut sources = it.rules.iter().flat_map(|rule| &rule.from);
            it.namespace.as_deref() == Some(namespace)
                || sources.any(|it| !it.namespaces.is_empty() || !it.principals.is_empty())
        });
        let has_sidecars = description.mesh.data_plane == DataPlane::Sidecar;
        (has_mesh && by_policies)
            || (has_sidecars && (by_peers || self.namespaces.iter().any(|it| it == namespace)))
    }

    /// Whether any request may be one that a route asks for.
    fn takes_any(&self, service: ServiceId, route: &RouteSettings) -> bool {
        let application = &self.description.application;
        let headers =
            self.description.populations.iter().map(|it| it.headers.as_slice()).chain([[].as_slice()]);
        let mut all = headers
            .flat_map(|headers| application.services[service].endpoints().map(move |it| (it, headers)));
        all.any(|(endpoint, headers)| {
            let Endpoint { method, path, .. } = &application.endpoints[endpoint];
            route.conditions.hold(RequestHead { method, path, headers })
        })
    }

    /// Whether any policy looks at requests.
    fn asks_of_requests(&self) -> bool {
        self.description.authorization_policies.iter().any(AuthorizationPolicy::sees_requests)
    }

    /// Whether any route looks at paths or their queries, or a policy at requests.
    fn looks_at_paths(&self) -> bool {
        let mut routes = self.settings().flat_map(|(_, it)| &it.routes);
        let looks = |it: &RouteSettings| {
            it.conditions.path.is_some() || !it.conditions.query.is_empty() || !it.rewrites.is_empty()
        };
        routes.any(looks) || self.asks_of_requests()
    }

    /// Whether any route looks at methods, or a policy at requests.
    fn looks_at_methods(&self) -> bool {
        let mut routes = self.settings().flat_map(|(_, it)| &it.routes);
        routes.any(|it| it.conditions.method.is_some() || !it.rewrites.is_empty()) || self.asks_of_requests()
    }

    /// Whether any route leads to a subset of a service.
    fn is_led_to(&self, service: ServiceId, subset: SubsetId) -> bool {
        let to = Destination { service, subset: Some(Subset::Named(subset)) };
        let mut routes = self.settings().flat_map(|(_, it)| &it.routes);
        routes.any(|route| route.led_to().any(|it| it == to))
    }

    /// Whether any subset of the service that these pods are behind asks for one of their labels.
    fn selects_by<'b>(&self, mut labels: impl Iterator<Item = &'b String>, version: ServiceId) -> bool {
        let front = self.description.front_of(version);
        let subsets = || self.settings().filter(|(id, _)| *id == front).flat_map(|(_, it)| &it.subsets);
        labels.any(|label| subsets().any(|subset| subset.labels.contains_key(label)))
    }

    /// A key that is followed wherever there is what it needs.
    fn add(&mut self, path: &str, written: bool, needs: &'static str) {
        let mesh = &self.description.mesh;
        let has_mesh = mesh.data_plane != DataPlane::None;
        let has_sidecars = mesh.data_plane == DataPlane::Sidecar;
        let (has_effect, needs) = match needs {
            SIDECARS => (has_sidecars, needs),
            BALANCES => (has_sidecars || self.description.waypoints().next().is_some(), needs),
            AMBIENT => (mesh.data_plane == DataPlane::Ambient, needs),
            MTLS if has_mesh => (mesh.mtls, needs),
            TELEMETRY if has_mesh => (mesh.telemetry, needs),
            _ => (has_mesh, A_MESH),
        };
        self.push(path, written, has_effect, needs);
    }

    fn push(&mut self, path: impl Into<String>, written: bool, has_effect: bool, needs: &'static str) {
        if written {
            self.found.push(PlaneKey { path: path.into(), has_effect, needs });
        }
    }
}

fn extra_cost(it: &schema::ExtraCost) -> bool {
    it.time.is_some() || it.cpu.is_some() || it.cpu_per_kb.is_some()
}

fn liqo_gateway(it: &LiqoGateway) -> bool {
    it.cores.is_some() || it.per_packet.is_some() || it.per_request.is_some()
}

fn proxy_cost(it: &schema::ProxyCost) -> bool {
    let times = [&it.request, &it.response, &it.response_per_kb, &it.cpu, &it.cpu_per_kb];
    it.spread.is_some() || times.into_iter().any(Option::is_some)
}
