//! A service of the application: what the mesh is told of it (its Service, DestinationRule and
//! VirtualService), and what its work is and costs.

use super::Duration;
use super::endpoints::Endpoint;
use super::kubernetes::{Hpa, Image, NodeSelector, OwnPods, Resources, RollingUpdate, Start};
use super::law::Law;
use super::spanned::Spanned;
use super::traffic::TrafficPolicy;
use meshsim_core::SimDuration;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A service of the application, as the mesh knows it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// What it speaks.
    ///
    /// Default: http1.
    pub protocol: Option<Spanned<Protocol>>,
    /// `trafficDistribution` of its Service.
    ///
    /// Default: none. Source: Kubernetes' Service.
    pub traffic_distribution: Option<TrafficDistribution>,
    /// Its DestinationRule, instead of the mesh's.
    ///
    /// Default: the mesh's. Source: Istio's DestinationRule.
    pub traffic_policy: Option<TrafficPolicy>,
    /// Whether it has a waypoint, in ambient mode.
    ///
    /// Default: false. Source: Istio's ambient mode.
    pub waypoint: Option<Spanned<bool>>,
    /// `subsets` of its DestinationRule, by name.
    ///
    /// Default: none. Source: Istio's DestinationRule.
    #[serde(default)]
    pub subsets: BTreeMap<String, Spanned<Subset>>,
    /// Its namespace.
    ///
    /// Default: its application's name where there are several, else default. Source: Kubernetes.
    pub namespace: Option<Spanned<String>>,
    /// Whether its pods have a sidecar where those of others have one.
    ///
    /// Default: as its namespace says. Source: Istio's label sidecar.istio.io/inject.
    pub sidecar: Option<Spanned<bool>>,
    /// The service of which it is a version: its pods stand behind that one's Service.
    pub version_of: Option<Spanned<String>>,
    /// Labels of its pods, by which subsets select them.
    #[serde(default)]
    pub labels: BTreeMap<String, Spanned<String>>,
    /// The routes of its VirtualService.
    ///
    /// Default: all requests to the service. Source: Istio's VirtualService.
    #[serde(default)]
    pub routes: Vec<Spanned<Route>>,
    /// What its pods' application requests and may use.
    #[serde(default)]
    pub resources: Resources,
    /// Its image, if it has one of its own.
    ///
    /// Default: pods.image_size.
    pub image: Option<Image>,
    /// Labels that a node must have.
    ///
    /// Default: any node. Source: Kubernetes.
    #[serde(default)]
    pub node_selector: NodeSelector,
    /// Taints that its pods do not mind, as `key=value:NoSchedule`.
    ///
    /// Default: none. Source: Kubernetes.
    #[serde(default)]
    pub tolerations: Vec<Spanned<String>>,
    /// How new pods take the place of old ones.
    #[serde(default)]
    pub rolling_update: RollingUpdate,
    /// How its pods come and go, where they differ from those of others.
    ///
    /// Default: as pods says.
    pub pods: Option<Spanned<OwnPods>>,
    /// CPU that its application burns when it starts.
    ///
    /// Default: nothing.
    pub start: Option<Spanned<Start>>,
    /// Its autoscaler in every cluster, where it differs.
    ///
    /// Default: as hpa says. Source: Kubernetes' HorizontalPodAutoscaler.
    pub hpa: Option<Spanned<Hpa>>,
    /// Law of the CPU time of a request, instead of what its cell's work costs.
    ///
    /// Default: what the cell's work costs.
    pub service_time: Option<Spanned<Law<SimDuration>>>,
    /// Law of the time for which its endpoints wait without using the CPU, where they say no other.
    ///
    /// Default: 0s.
    pub wait: Option<Spanned<Law<SimDuration>>>,
    /// Whether it is outside the clusters (a ServiceEntry).
    ///
    /// Default: false. Source: Istio's ServiceEntry.
    pub external: Option<Spanned<bool>>,
    /// What it does for a request of each kind, where no work model says it.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Spanned<Endpoint>>,
    /// Connections that each worker process of a caller keeps to it at most.
    ///
    /// Default: as many as it takes. Range: 1 to 100000.
    pub pool_size: Option<Spanned<u32>>,
    /// Worker processes of a pod, where no work model says it.
    ///
    /// Default: 4, or the work model's. Range: 1 to 65535. Source: µBench.
    pub workers: Option<Spanned<u32>>,
    /// Requests that a worker process serves at a time, likewise.
    ///
    /// Default: 1000, or the work model's. Range: 1 to 65535. Source: µBench.
    pub threads: Option<Spanned<u32>>,
}

impl Service {
    /// Whether it is outside the clusters.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.external.as_ref().is_some_and(|it| *it.get_ref())
    }
}

/// What a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// gRPC, over HTTP/2.
    Grpc,
    /// Anything.
    Tcp,
    /// Datagrams.
    Udp,
}

/// Which endpoints come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TrafficDistribution {
    /// Those of the zone, by the older name.
    PreferClose,
    /// Those of the zone.
    PreferSameZone,
    /// Those of the node.
    PreferSameNode,
}

/// A subset of the endpoints of a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subset {
    /// Labels that its pods have.
    pub labels: BTreeMap<String, String>,
    /// What stands in place of the rule's own, by whole parts.
    ///
    /// Default: the service's. Source: Istio's DestinationRule.
    pub traffic_policy: Option<TrafficPolicy>,
}

/// A route.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Alternatives, in place of conditions of its own: it takes what any of them takes.
    ///
    /// Default: none. Source: Istio's HTTPRoute.
    pub r#match: Option<Spanned<Vec<Spanned<RouteMatch>>>>,
    /// What the path must be, without its query.
    ///
    /// Default: any. Source: Istio's HTTPMatchRequest.
    pub uri: Option<Spanned<StringMatch>>,
    /// What the method must be.
    ///
    /// Default: any. Source: Istio's HTTPMatchRequest.
    pub method: Option<Spanned<StringMatch>>,
    /// What headers must be.
    ///
    /// Default: any. Source: Istio's HTTPMatchRequest.
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<StringMatch>>,
    /// What headers must not be.
    ///
    /// Default: any. Source: Istio's HTTPMatchRequest.
    #[serde(default)]
    pub without_headers: BTreeMap<String, Spanned<StringMatch>>,
    /// What parameters of the query must be.
    ///
    /// Default: any. Source: Istio's HTTPMatchRequest.
    #[serde(default)]
    pub query_params: BTreeMap<String, Spanned<StringMatch>>,
    /// What the path becomes.
    pub rewrite: Option<Spanned<Rewrite>>,
    /// What it answers instead of sending the request anywhere.
    pub redirect: Option<Spanned<Redirect>>,
    /// Where it goes.
    ///
    /// Default: the service itself. Source: Istio's HTTPRoute.
    pub destinations: Option<Spanned<Vec<Spanned<Destination>>>>,
    /// How long the whole request may take.
    ///
    /// Default: none. Range: 0s (none) to 10 years. Source: Istio's HTTPRoute.
    pub timeout: Option<Duration>,
    /// When it is tried again.
    ///
    /// Default: 2 attempts, as Istio's. Source: Istio's HTTPRetry.
    pub retries: Option<Retries>,
    /// What the client's proxy injects.
    #[serde(default)]
    pub fault: Fault,
    /// Where a copy goes.
    ///
    /// Default: none. Source: Istio's HTTPRoute.
    pub mirror: Option<Spanned<Mirror>>,
}

/// Conditions that must all hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteMatch {
    /// What the path must be, without its query.
    ///
    /// Default: any. Source: Istio's HTTPMatchRequest.
    pub uri: Option<Spanned<StringMatch>>,
    /// What the method must be.
    ///
    /// Default: any. Source: Istio's HTTPMatchRequest.
    pub method: Option<Spanned<StringMatch>>,
    /// What headers must be.
    ///
    /// Default: any. Source: Istio's HTTPMatchRequest.
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<StringMatch>>,
    /// What headers must not be.
    ///
    /// Default: any. Source: Istio's HTTPMatchRequest.
    #[serde(default)]
    pub without_headers: BTreeMap<String, Spanned<StringMatch>>,
    /// What parameters of the query must be.
    ///
    /// Default: any. Source: Istio's HTTPMatchRequest.
    #[serde(default)]
    pub query_params: BTreeMap<String, Spanned<StringMatch>>,
}

/// What the path of a request becomes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// This, or, where the route matches a prefix, this in its place.
    pub uri: Spanned<String>,
}

/// An answer that tells the client to go elsewhere.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// Its status.
    ///
    /// Default: 301. Range: 301, 302, 303, 307 or 308. Source: Istio's HTTPRedirect.
    pub redirect_code: Option<Spanned<u16>>,
}

/// What a text is compared with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StringMatch {
    /// Its whole value.
    pub exact: Option<String>,
    /// The beginning of its value.
    pub prefix: Option<String>,
    /// A regular expression for its whole value.
    pub regex: Option<Spanned<String>>,
    /// Nothing: it is there.
    pub present: Option<bool>,
}

/// Where a part of the requests goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The service; its own if absent.
    ///
    /// Default: the service itself.
    pub service: Option<Spanned<String>>,
    /// The subset, if only its pods.
    ///
    /// Default: all its pods.
    pub subset: Option<Spanned<String>>,
    /// The cluster, if only the pods there.
    ///
    /// Default: all its pods.
    pub cluster: Option<Spanned<String>>,
    /// Its part.
    ///
    /// Default: 100 of the only one. Range: 0 to 1000000. Source: Istio's HTTPRouteDestination.
    pub weight: Option<Spanned<u32>>,
}

/// When a request is tried again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// Further attempts.
    ///
    /// Range: 0 or more. Source: Istio's HTTPRetry.
    pub attempts: Spanned<u32>,
    /// Conditions and statuses, with commas.
    ///
    /// Default: connect-failure,refused-stream,unavailable,cancelled, and 503 up to Istio 1.23. Source: Istio's HTTPRetry and Envoy's
    /// x-envoy-retry-on.
    pub retry_on: Option<Spanned<String>>,
    /// How long an attempt may take.
    ///
    /// Default: the route's timeout. Range: 1ms to 10 years. Source: Istio's HTTPRetry.
    pub per_try_timeout: Option<Duration>,
    /// Bound of the first back-off.
    ///
    /// Default: 25ms. Range: 1ms to 10 years. Source: Envoy.
    pub backoff: Option<Duration>,
    /// Whether hosts that were tried are avoided.
    ///
    /// Default: true. Source: Istio.
    pub retry_ignore_previous_hosts: Option<bool>,
}

/// What the client's proxy injects.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// A delay.
    pub delay: Option<Delay>,
    /// A status in place of an answer.
    pub abort: Option<Abort>,
}

/// A delay.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// How long.
    ///
    /// Range: 1ms to 10 years. Source: Istio's HTTPFaultInjection.
    pub fixed_delay: Duration,
    /// Of how many requests (percent).
    ///
    /// Default: 100. Range: 0 to 100. Source: Istio's HTTPFaultInjection and HTTPRoute.
    pub percentage: Option<Spanned<f64>>,
}

/// A status in place of an answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Abort {
    /// Which.
    ///
    /// Range: 200 to 599. Source: Istio's HTTPFaultInjection.
    pub http_status: Spanned<u16>,
    /// Of how many requests (percent).
    ///
    /// Default: 100. Range: 0 to 100. Source: Istio's HTTPFaultInjection and HTTPRoute.
    pub percentage: Option<Spanned<f64>>,
}

/// Where a copy goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The service; its own if absent.
    ///
    /// Default: the service itself.
    pub service: Option<Spanned<String>>,
    /// The subset, if only its pods.
    ///
    /// Default: all its pods.
    pub subset: Option<Spanned<String>>,
    /// The cluster, if only the pods there.
    ///
    /// Default: all its pods.
    pub cluster: Option<Spanned<String>>,
    /// Of how many requests (percent).
    ///
    /// Default: 100. Range: 0 to 100. Source: Istio's HTTPFaultInjection and HTTPRoute.
    pub percentage: Option<Spanned<f64>>,
}
