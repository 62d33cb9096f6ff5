//! A service of the application: what the mesh is told of it (its Service, DestinationRule and
//! VirtualService), and what its work is and costs.

use super::endpoints::Endpoint;
use super::kubernetes::{Hpa, Image, NodeSelector, Resources, RollingUpdate, Start};
use super::law::Law;
use super::traffic::TrafficPolicy;
use super::{BTreeMap, Duration};
use meshsim_core::SimDuration;
use serde::Deserialize;
use toml::Spanned;

/// A service of the application, as the mesh knows it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// What it speaks.
    pub protocol: Option<Spanned<Protocol>>,
    /// `trafficDistribution` of its Service.
    pub traffic_distribution: Option<TrafficDistribution>,
    /// Its DestinationRule, instead of the mesh's.
    pub traffic_policy: Option<TrafficPolicy>,
    /// Whether it has a waypoint, in ambient mode.
    pub waypoint: Option<Spanned<bool>>,
    /// `subsets` of its DestinationRule, by name.
    #[serde(default)]
    pub subsets: BTreeMap<String, Spanned<Subset>>,
    /// Its namespace.
    pub namespace: Option<Spanned<String>>,
    /// Whether its pods have a sidecar where those of others have one.
    pub sidecar: Option<Spanned<bool>>,
    /// The service of which it is a version: its pods stand behind that one's Service.
    pub version_of: Option<Spanned<String>>,
    /// Labels of its pods, by which subsets select them.
    #[serde(default)]
    pub labels: BTreeMap<String, Spanned<String>>,
    /// The routes of its VirtualService.
    #[serde(default)]
    pub routes: Vec<Spanned<Route>>,
    /// What its pods' application requests and may use.
    #[serde(default)]
    pub resources: Resources,
    /// Its image, if it has one of its own.
    pub image: Option<Image>,
    /// Labels that a node must have.
    #[serde(default)]
    pub node_selector: NodeSelector,
    /// Taints that its pods do not mind, as `key=value:NoSchedule`.
    #[serde(default)]
    pub tolerations: Vec<Spanned<String>>,
    /// How new pods take the place of old ones.
    #[serde(default)]
    pub rolling_update: RollingUpdate,
    /// CPU that its application burns when it starts.
    pub start: Option<Spanned<Start>>,
    /// Its autoscaler in every cluster, where it differs.
    pub hpa: Option<Spanned<Hpa>>,
    /// Law of the CPU time of a request, instead of what its cell's work costs.
    pub service_time: Option<Spanned<Law<SimDuration>>>,
    /// Law of the time for which its endpoints wait without using the CPU, where they say no other.
    pub wait: Option<Spanned<Law<SimDuration>>>,
    /// Whether it is outside the clusters (a ServiceEntry).
    pub external: Option<Spanned<bool>>,
    /// What it does for a request of each kind, where no work model says it.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Spanned<Endpoint>>,
    /// Connections that each worker process of a caller keeps to it at most.
    pub pool_size: Option<Spanned<u32>>,
    /// Worker processes of a pod, where no work model says it.
    pub workers: Option<Spanned<u32>>,
    /// Requests that a worker process serves at a time, likewise.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum TrafficDistribution {
    /// Those of the zone, by the older name.
    PreferClose,
    /// Those of the zone.
    PreferSameZone,
    /// Those of the node.
    PreferSameNode,
}

/// A subset of the endpoints of a service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subset {
    /// Labels that its pods have.
    pub labels: BTreeMap<String, String>,
    /// What stands in place of the rule's own, by whole parts.
    pub traffic_policy: Option<TrafficPolicy>,
}

/// A route.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Alternatives, in place of conditions of its own: it takes what any of them takes.
    pub r#match: Option<Spanned<Vec<Spanned<RouteMatch>>>>,
    /// What the path must be, without its query.
    pub uri: Option<Spanned<StringMatch>>,
    /// What the method must be.
    pub method: Option<Spanned<StringMatch>>,
    /// What headers must be.
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<StringMatch>>,
    /// What headers must not be.
    #[serde(default)]
    pub without_headers: BTreeMap<String, Spanned<StringMatch>>,
    /// What parameters of the query must be.
    #[serde(default)]
    pub query_params: BTreeMap<String, Spanned<StringMatch>>,
    /// What the path becomes.
    pub rewrite: Option<Spanned<Rewrite>>,
    /// What it answers instead of sending the request anywhere.
    pub redirect: Option<Spanned<Redirect>>,
    /// Where it goes.
    pub destinations: Option<Spanned<Vec<Spanned<Destination>>>>,
    /// How long the whole request may take.
    pub timeout: Option<Duration>,
    /// When it is tried again.
    pub retries: Option<Retries>,
    /// What the client's proxy injects.
    #[serde(default)]
    pub fault: Fault,
    /// Where a copy goes.
    pub mirror: Option<Spanned<Mirror>>,
}

/// Conditions that must all hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteMatch {
    /// What the path must be, without its query.
    pub uri: Option<Spanned<StringMatch>>,
    /// What the method must be.
    pub method: Option<Spanned<StringMatch>>,
    /// What headers must be.
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<StringMatch>>,
    /// What headers must not be.
    #[serde(default)]
    pub without_headers: BTreeMap<String, Spanned<StringMatch>>,
    /// What parameters of the query must be.
    #[serde(default)]
    pub query_params: BTreeMap<String, Spanned<StringMatch>>,
}

/// What the path of a request becomes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// This, or, where the route matches a prefix, this in its place.
    pub uri: Spanned<String>,
}

/// An answer that tells the client to go elsewhere.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// Its status.
    pub redirect_code: Option<Spanned<u16>>,
}

/// What a text is compared with.
#[derive(Debug, Deserialize)]
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
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The service; its own if absent.
    pub service: Option<Spanned<String>>,
    /// The subset, if only its pods.
    pub subset: Option<Spanned<String>>,
    /// The cluster, if only the pods there.
    pub cluster: Option<Spanned<String>>,
    /// Its part.
    pub weight: Option<Spanned<u32>>,
}

/// When a request is tried again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// Further attempts.
    pub attempts: Spanned<u32>,
    /// Conditions and statuses, with commas.
    pub retry_on: Option<Spanned<String>>,
    /// How long an attempt may take.
    pub per_try_timeout: Option<Duration>,
    /// Bound of the first back-off.
    pub backoff: Option<Duration>,
    /// Whether hosts that were tried are avoided.
    pub retry_ignore_previous_hosts: Option<bool>,
}

/// What the client's proxy injects.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// A delay.
    pub delay: Option<Delay>,
    /// A status in place of an answer.
    pub abort: Option<Abort>,
}

/// A delay.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// How long.
    pub fixed_delay: Duration,
    /// Of how many requests (percent).
    pub percentage: Option<Spanned<f64>>,
}

/// A status in place of an answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abort {
    /// Which.
    pub http_status: Spanned<u16>,
    /// Of how many requests (percent).
    pub percentage: Option<Spanned<f64>>,
}

/// Where a copy goes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The service; its own if absent.
    pub service: Option<Spanned<String>>,
    /// The subset, if only its pods.
    pub subset: Option<Spanned<String>>,
    /// The cluster, if only the pods there.
    pub cluster: Option<Spanned<String>>,
    /// Of how many requests (percent).
    pub percentage: Option<Spanned<f64>>,
}
