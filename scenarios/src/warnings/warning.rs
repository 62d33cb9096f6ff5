//! What can be doubtful about a result, and how it is said.

use crate::analysis::workloads::CpuBound;
use meshsim_models::istiod::istio_version::IstioVersion;
use std::collections::BTreeMap;
use std::fmt;

/// Something to know before trusting a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// The strategies under which it is so; none where it does not hang on them.
    pub strategies: Vec<String>,
    /// What.
    pub finding: Finding,
}

/// What is doubtful.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// The work model has something that has no effect.
    WorkModel {
        /// What, where, and why.
        what: String,
    },
    /// Nobody ends a call whose datagram is lost.
    LostForEver {
        /// To which services.
        services: Vec<String>,
    },
    /// The pods of a service need more CPU than their limits give them.
    Overload {
        /// Of which service.
        service: String,
        /// Needed, over all clusters (cores).
        needed: f64,
        /// Allowed, over all clusters (cores).
        allowed: f64,
        /// What bounds it.
        bound: CpuBound,
    },
    /// The pods of a service need more CPU at the peak of the load than their limits give them.
    PeakOverload {
        /// Of which service.
        service: String,
        /// Needed at the peak, over all clusters (cores).
        needed: f64,
        /// Allowed, over all clusters (cores).
        allowed: f64,
        /// What bounds it.
        bound: CpuBound,
    },
    /// A setting replaces what makes a strategy what it is.
    Overridden {
        /// The path of the value.
        path: String,
    },
    /// Keys that nothing follows under a data plane.
    WithoutEffect {
        /// Which, each with what would follow it.
        keys: Vec<(String, &'static str)>,
    },
    /// Outlier detection that cannot eject any of so few endpoints.
    NeverEjects {
        /// Of which services, with the largest number of their endpoints.
        services: BTreeMap<String, u32>,
        /// The largest part that may be ejected (percent).
        percent: u32,
    },
    /// A setting of localities that needs outlier detection and has none.
    FailoverWithoutDetection {
        /// Of which services.
        services: Vec<String>,
    },
    /// A `traffic_distribution` that the release does not know.
    UnknownTrafficDistribution {
        /// Of which services.
        services: Vec<String>,
        /// The release.
        version: IstioVersion,
    },
    /// Callers whose calls go to a farther cluster than the nearest that has the service.
    FartherFirst {
        /// Clusters in which this is so for some service.
        callers: usize,
        /// The service of the worst example.
        service: String,
        /// Where its callers are.
        from: String,
        /// The nearest cluster that they are sent to.
        to: String,
        /// Round trip to it (ms).
        to_ms: f64,
        /// The nearest cluster that has the service.
        nearest: String,
        /// Round trip to it (ms).
        nearest_ms: f64,
    },
    /// Callers that ask all clusters for what their own has, too.
    SpreadOverClusters {
        /// For which services.
        services: Vec<String>,
        /// Where such callers are.
        from: String,
    },
    /// A route to a subset that no rule defines, or that selects no pod.
    SubsetWithoutPods {
        /// Of which service.
        service: String,
        /// Its name.
        subset: String,
        /// Whether a rule defines it.
        is_defined: bool,
        /// From when on (s).
        at: f64,
    },
    /// A fault of pods of which there is none.
    FaultWithoutPods {
        /// Of which service.
        service: String,
        /// Where.
        cluster: String,
    },
    /// Users who send so many requests and stop, and a warm-up whose requests are not reported.
    SentInWarmUp {
        /// Who.
        users: Vec<String>,
        /// The warm-up (s).
        warm_up: f64,
    },
    /// A change that asks for what is there already, or changes what is not there.
    ChangeWithoutEffect {
        /// Of which service.
        service: String,
        /// Where.
        cluster: String,
        /// When (s).
        at: f64,
    },
    /// A change of what the mesh is told of a service, which is told that already.
    ConfigurationWithoutEffect {
        /// Of which service.
        service: String,
        /// When (s).
        at: f64,
    },
    /// CPU at the start of pods of which none starts.
    StartWithoutEffect {
        /// Of which services.
        services: Vec<String>,
    },
    /// An autoscaler that needs requests of containers that have none.
    NoRequest {
        /// Of which services.
        services: Vec<String>,
    },
    /// A cluster that is paid for by what pods request, and pods that request nothing.
    PricedWithoutRequests {
        /// Which.
        cluster: String,
        /// Of which services.
        services: Vec<String>,
    },
    /// Nothing was measured.
    NoRequestCompleted,
    /// Latency, failures or requests in flight still moved in the second half of what is reported.
    WarmUpNotFound,
    /// More requests ended in errors than people would live with.
    Failures {
        /// Share of the requests that ended.
        share: f64,
    },
    /// So many requests had not ended when the run did that the others' latencies mislead.
    InFlight {
        /// Share of the requests that arrived.
        share: f64,
    },
    /// Pods found no node.
    Unschedulable {
        /// Of which service.
        service: String,
        /// Where.
        cluster: String,
        /// How many, over all replications.
        pods: u32,
        /// What nodes lacked.
        because: &'static str,
    },
    /// Pods were made and never became ready.
    NeverReady {
        /// Of which service.
        service: String,
        /// Where.
        cluster: String,
        /// How many, over all replications.
        pods: u32,
    },
    /// The pods of a service in a cluster used all the CPU that they may.
    Saturated {
        /// Of which service.
        service: String,
        /// Where.
        cluster: String,
        /// CPU used over what they may use.
        share: f64,
        /// What bounds it.
        bound: CpuBound,
    },
    /// The requests of a service in a cluster became ever more, whatever keeps them.
    QueueGrows {
        /// Of which service.
        service: String,
        /// Where.
        cluster: String,
        /// Requests in its cells in the second quarter of the run.
        from: f64,
        /// Requests in its cells in the last quarter.
        to: f64,
    },
    /// A provider has less than it grants.
    SliceLargerThanProvider {
        /// Whose slice.
        consumer: String,
        /// Of whom.
        provider: String,
        /// What: CPU (cores) or memory (GiB).
        what: &'static str,
        /// Granted.
        granted: f64,
        /// There.
        has: f64,
    },
    /// A provider asks for limits that Istio's sidecars do not have.
    HardWithSidecar {
        /// Who.
        provider: String,
    },
    /// Nodes that stand for providers share a zone with a few of the consumer's own.
    ZoneEvictsNothing {
        /// Whose nodes.
        consumer: String,
        /// How many of the zone's nodes stand for providers.
        virtual_nodes: usize,
        /// How many are its own.
        own_nodes: usize,
    },
    /// A cluster selector that chooses no provider.
    SelectorChoosesNobody {
        /// Whose providers.
        consumer: String,
    },
    /// One gateway stands between clusters, and no other.
    OneGateway {
        /// The key that would make it more.
        key: &'static str,
    },
    /// East-west gateways, and nobody who ejects one that cannot be reached.
    GatewaysWithoutDetection {
        /// Of which services.
        services: Vec<String>,
    },
    /// East-west gateways, and no mTLS by which they tell services apart.
    GatewaysWithoutMtls,
    /// What users of a cluster call runs elsewhere alone.
    FailsWhenCut {
        /// Whose users.
        cluster: String,
        /// What.
        services: Vec<String>,
    },
    /// A trace was taken under other conditions than the scenario's.
    TraceDiffers {
        /// What differs.
        what: String,
        /// What the trace's description says.
        trace: String,
        /// What the scenario says.
        scenario: String,
    },
    /// A strategy's mean is known no better than this.
    WideInterval {
        /// Half width over value.
        relative: f64,
    },
}

impl Finding {
    /// As it is under a strategy.
    #[must_use]
    pub fn under(self, strategy: &str) -> Warning {
        Warning { strategies: vec![strategy.to_owned()], finding: self }
    }
}

impl From<Finding> for Warning {
    /// Of what does not hang on strategies.
    fn from(finding: Finding) -> Self {
        Self { strategies: Vec::new(), finding }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.strategies.is_empty() {
            let plural = if self.strategies.len() == 1 { "strategy" } else { "strategies" };
            write!(f, "{plural} `{}`: ", self.strategies.join("`, `"))?;
        }
        self.finding.fmt(f)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkModel { what } => f.write_str(what),
            Self::LostForEver { services } => write!(
                f,
                "calls over udp (to {}) whose datagrams are lost never end: write a cell.client_timeout",
                services.join(", ")
            ),
            Self::Overload { service, needed, allowed, bound } => write!(
                f,
                "service `{service}` needs {needed:.2} cores and has {allowed:.2}; queues \
                 will grow: add replicas, {} or lower the rate",
                bound.raised()
            ),
            Self::PeakOverload { service, needed, allowed, bound } => write!(
                f,
                "service `{service}` needs {needed:.2} cores at the peak of the load and has \
                 {allowed:.2}; queues will grow as long as it lasts: if they are not to, add replicas or {}",
                bound.raised()
            ),
            Self::Overridden { path } => write!(
                f,
                "--set {path} wins over what is said there; choose the strategies that it leaves alone with \
                 --strategy"
            ),
            Self::WithoutEffect { keys } => {
                let say = |(path, needs): &(String, &str)| format!("{path} (needs {needs})");
                let keys: Vec<String> = keys.iter().map(say).collect();
                write!(
                    f,
                    "nothing follows {}; take out what is not meant, or give it what it needs",
                    keys.join(", ")
                )
            }
            Self::NeverEjects { services, percent } => {
                let names: Vec<&str> = services.keys().map(String::as_str).collect();
                let most = services.values().max().copied().unwrap_or(0);
                write!(
                    f,
                    "outlier detection never ejects an endpoint of {}: {percent} % of {most} or \
                     fewer is none; if it is to, write max_ejection_percent = 100, or \
                     mesh.outlier_detection.always_eject_one_host = true",
                    names.join(", ")
                )
            }
            Self::FailoverWithoutDetection { services } => write!(
                f,
                "the locality_lb_setting of {} has no effect without outlier detection; write \
                 outlier_detection = {{ consecutive_5xx_errors = 5 }} into the traffic_policy",
                services.join(", ")
            ),
            Self::SliceLargerThanProvider { consumer, provider, what, granted, has } => write!(
                f,
                "the slice of `{consumer}` at `{provider}` is {granted} {what}, and `{provider}` \
                 has {has}: Liqo does not compare them, and what does not fit is Pending at the provider for ever; ask \
                 for less"
            ),
            Self::HardWithSidecar { provider } => write!(
                f,
                "provider `{provider}` lets in only pods whose limits equal their requests; those \
                 of Istio's sidecar do not, so nothing with a sidecar gets in; write mesh.sidecar.requests = {{ cpu = \
                 \"2\", memory = \"1Gi\" }}, or another enforcement"
            ),
            Self::ZoneEvictsNothing { consumer, virtual_nodes, own_nodes } => write!(
                f,
                "{virtual_nodes} nodes of `{consumer}` that stand for providers are in one zone with \
                 {own_nodes} of its own: if all of them are lost, Kubernetes takes that for a partial disruption and evicts \
                 nothing, so nothing is replaced; give providers regions of their own"
            ),
            Self::SelectorChoosesNobody { consumer } => write!(
                f,
                "liqo.offloading.cluster_selector chooses no provider of `{consumer}`: no other cluster gets the namespace, and \
                 nothing is offloaded; give providers the labels, or take it out"
            ),
            Self::OneGateway { key } => write!(
                f,
                "one gateway stands before each cluster: while it is down nothing comes in from \
                 others; write {key} = 2"
            ),
            Self::GatewaysWithoutDetection { services } => write!(
                f,
                "{} are reached through gateways, and nothing ejects one behind a link that is \
                 cut: no control plane tells of it; write outlier_detection into the traffic_policy",
                services.join(", ")
            ),
            Self::GatewaysWithoutMtls => write!(
                f,
                "without mesh.mtls no gateway can tell services apart, and endpoints of other \
                 clusters are left out; write mesh.mtls = true"
            ),
            Self::FailsWhenCut { cluster, services } => write!(
                f,
                "what users of `{cluster}` call needs {}, which run in other clusters alone: it \
                 fails while `{cluster}` is cut off",
                services.join(", ")
            ),
            Self::UnknownTrafficDistribution { services, version } => write!(
                f,
                "Istio {version} ignores the traffic_distribution of {}; it knows PreferClose \
                 from 1.25 on, PreferSameZone and PreferSameNode from 1.27 on: take it out, or raise istio_version",
                services.join(", ")
            ),
            Self::FartherFirst { callers, service, from, to, to_ms, nearest, nearest_ms } => {
                write!(
                    f,
                    "callers of {callers} clusters are sent farther than need be: those of \
                 `{service}` in `{from}` to `{to}` and the like (a round trip of {to_ms:.0} ms or more) though \
                 `{nearest}` is {nearest_ms:.0} ms away; Istio prefers the caller's own region, not the shorter way: \
                 if it is not to, change the `region` of the clusters, or write \
                 load_balancer.locality_lb_setting.failover_priority or .distribute into the traffic_policy"
                )
            }
            Self::SpreadOverClusters { services, from } => write!(
                f,
                "callers ask the pods of all clusters in turn for {}, though some are in their own, as in `{from}`: \
                 Istio prefers near ones only where it looks for failures; write outlier_detection = {{ \
                 consecutive_5xx_errors = 5 }} into the traffic_policy, or, if it is meant, mesh.locality_lb_setting.enabled \
                 = false",
                services.join(", ")
            ),
            Self::SubsetWithoutPods { service, subset, is_defined: false, at } => write!(
                f,
                "from {at} s on a route leads to subset `{subset}` of `{service}`, which has none of \
                 that name: its requests are answered 503 (NC); if that is not meant, write services.{service}.subsets.{subset}"
            ),
            Self::SubsetWithoutPods { service, subset, is_defined: true, at } => write!(
                f,
                "from {at} s on a route leads to subset `{subset}` of `{service}`, whose labels no \
                 pod has: its requests are answered 503 (UH); if that is not meant, write services.X.labels of a version"
            ),
            Self::FaultWithoutPods { service, cluster } => write!(
                f,
                "the fault of `{service}` in cluster `{cluster}` befalls no pod, because none \
                 runs there; place one there if it is to"
            ),
            Self::SentInWarmUp { users, warm_up } => write!(
                f,
                "what {} send of their requests_each in the warm-up of {warm_up} s is not \
                 reported; if all is to be, write run.warm_up = \"0s\"",
                users.join(", ")
            ),
            Self::ChangeWithoutEffect { service, cluster, at } => write!(
                f,
                "the change of `{service}` in cluster `{cluster}` at {at} s changes nothing: it \
                 asks for the pods that are there, or there are none to replace; take it out if it is not to"
            ),
            Self::ConfigurationWithoutEffect { service, at } => write!(
                f,
                "the change of what the mesh is told of `{service}` at {at} s changes nothing: it is \
                 told that already; take it out if it is not to"
            ),
            Self::StartWithoutEffect { services } => write!(
                f,
                "the start of {} burns no CPU, for no pod of it starts during the run (those that \
                 are there at its beginning started long ago); give it an hpa or a change, or take the start out",
                services.join(", ")
            ),
            Self::NoRequest { services } => write!(
                f,
                "the hpa of {} cannot scale by utilization, for a container that it looks at \
                 requests no CPU, or is not there; write application.cpu_request, resources.requests or \
                 mesh.sidecar.requests, or take an average_value",
                services.join(", ")
            ),
            Self::PricedWithoutRequests { cluster, services } => write!(
                f,
                "`{cluster}` is paid for by what pods request, and those of {} request no CPU: they cost nothing; write \
                 resources.requests, or prices.basis = \"used\"",
                services.join(", ")
            ),
            Self::NoRequestCompleted => {
                write!(f, "no request completed; see failures and pods, or make the run longer")
            }
            Self::WarmUpNotFound => write!(
                f,
                "latency, failures or requests in flight had not settled in the mean over the \
                 replications (MSER-5); the load may be too high, or the run needs a longer warm_up"
            ),
            Self::Failures { share } => {
                write!(f, "{:.2} % of the requests failed; latencies are those of the others", share * 100.0)
            }
            Self::InFlight { share } => write!(
                f,
                "{:.1} % of the requests had not ended; latencies are those of the others: \
                 something is overloaded, or the run is too short",
                share * 100.0
            ),
            Self::Unschedulable { service, cluster, pods, because } => write!(
                f,
                "{pods} pods of `{service}`, over all replications, were Pending in cluster \
                 `{cluster}`: {because}; change its nodes or what the pods ask for, or want fewer of them"
            ),
            Self::NeverReady { service, cluster, pods } => write!(
                f,
                "{pods} pods of `{service}` in cluster `{cluster}`, over all replications, never became \
                 ready; see \
                 pod_events.csv (--out) for what they waited for"
            ),
            Self::Saturated { service, cluster, share, bound } => {
                let of = match bound {
                    CpuBound::Limit => "their CPU limit",
                    CpuBound::Workers => "what their worker processes can use",
                };
                write!(
                    f,
                    "the pods of `{service}` in cluster `{cluster}` use {:.0} % of {of}: their \
                     queues grow; add replicas or an hpa, or {}",
                    share * 100.0,
                    bound.raised()
                )
            }
            Self::QueueGrows { service, cluster, from, to } => write!(
                f,
                "the requests in the pods of `{service}` in cluster `{cluster}` grew from {from:.1} \
                 in the second quarter of the run to {to:.1} in the last, and no more were served: they, or what \
                 they wait for, do not keep up, and latencies depend on how long the run is; add replicas, threads or \
                 cpu_limit, or lower the rate"
            ),
            Self::TraceDiffers { what, trace, scenario } => write!(
                f,
                "{what}: the trace was taken with {trace}, the scenario has {scenario}; change the scenario with --set \
                 or --strategy"
            ),
            Self::WideInterval { relative } => {
                write!(f, "the mean is known to {:.0} % only; ask for more replications", relative * 100.0)
            }
        }
    }
}
