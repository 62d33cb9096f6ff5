//! Every decision of a run in order, in words: who, by which rule, from which inputs, when it was noticed and when
//! acted.
//!
//! # Models
//! Decisions that are kept as such (`models/src/telemetry/decision`), the steps of pods' lives and the syncs of
//! autoscalers that change something, in the order of time.

mod autoscaling;

use super::Compared;
use super::csv::Csv;
use super::offloading;
use super::over_time::{self, seconds};
use crate::experiment::replication::Figures;
use meshsim_core::Id;
use meshsim_models::cluster::news::{EndpointNews, News};
use meshsim_models::envoy::proxies::ProxyKind;
use meshsim_models::faults::link::{LinkFault, LinkFaultKind};
use meshsim_models::faults::outage::Component;
use meshsim_models::faults::pod::FaultKind;
use meshsim_models::ids::{ClusterId, PodId, ServiceId};
use meshsim_models::istiod::locality_setting::REGION_LABEL;
use meshsim_models::istiod::push_kind::PushKind;
use meshsim_models::kubernetes::scheduler::node::Node;
use meshsim_models::kubernetes::scheduler::topology_spread::ZONE;
use meshsim_models::pod_id::PodIds;
use meshsim_models::telemetry::control_log::{PodRecord, PodStep, PushCause};
use meshsim_models::telemetry::decision::{self, Edge, What};
use meshsim_models::world::description::Description;
use meshsim_models::world::placement::empty_nodes;
use std::collections::BTreeSet;

/// A line of a time line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// When it was acted, from the start of the run (s).
    pub at: f64,
    /// When what led to it was first noticed (s).
    pub noticed: f64,
    /// In which cluster.
    pub cluster: String,
    /// Who decided.
    pub who: String,
    /// By which rule, as the real system calls it.
    pub rule: &'static str,
    /// What was decided, and from what.
    pub what: String,
}

/// The time line of a run.
#[must_use]
pub fn lines(description: &Description, figures: &Figures) -> Vec<Line> {
    let names = Names::of(description);
    let mut lines: Vec<Line> = figures.decisions.iter().map(|it| names.line(it)).collect();
    // Of the same moment what leads to something comes before that.
    for (cluster, log) in figures.control.enumerate() {
        lines.extend(autoscaling::scalings(log).map(|it| names.of_scaling(cluster, it)));
        lines.extend(log.pods.iter().map(|it| names.of_pod(cluster, it)));
    }
    for (cluster, log) in figures.control.enumerate() {
        lines.extend(log.offloading.iter().map(|it| Line {
            at: it.at.as_secs_f64(),
            noticed: it.at.as_secs_f64(),
            cluster: names.cluster(cluster),
            who: format!("offloading controller of {}", names.cluster(it.edge)),
            rule: "offload-delay-threshold, unoffload-delay-threshold",
            what: offloading::words(description, it),
        }));
    }
    // Stable: what is of the same moment stays in this order.
    lines.sort_by(|a, b| a.at.total_cmp(&b.at));
    lines
}

/// Rows of `timeline.csv`.
pub(super) fn rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record(["strategy", "replication", "acted_s", "noticed_s", "cluster", "who", "rule", "what"])?;
    for (head, description, figures) in over_time::cells(of) {
        for it in lines(description, figures) {
            let row =
                [it.at.to_string(), it.noticed.to_string(), it.cluster, it.who, it.rule.to_owned(), it.what];
            csv.write_record(head.iter().cloned().chain(row))?;
        }
    }
    Ok(())
}

/// Rows of `pushes.csv`.
pub(super) fn push_rows(csv: &mut Csv<'_>, of: Compared<'_>) -> csv::Result<()> {
    csv.write_record([
        "strategy",
        "replication",
        "istiod",
        "changed_s",
        "cause",
        "changes",
        "kind",
        "proxies",
        "prepared_s",
        "last_proxy_s",
        "took_s",
    ])?;
    for (head, description, cluster, figures) in over_time::clusters(of) {
        let names = Names::of(description);
        for it in &figures.control[cluster].pushes {
            let row = [
                names.cluster(cluster),
                seconds(it.changed),
                names.cause(it.cause),
                it.changes.to_string(),
                kind(it.kind).to_owned(),
                it.proxies.to_string(),
                seconds(it.prepared),
                it.reached.map_or_else(String::new, seconds),
                it.reached.map_or_else(String::new, |at| (at - it.changed).as_secs_f64().to_string()),
            ];
            csv.write_record(head.iter().cloned().chain(row))?;
        }
    }
    Ok(())
}

const fn kind(kind: PushKind) -> &'static str {
    match kind {
        PushKind::Incremental => "incremental",
        PushKind::Full => "full",
    }
}

/// What is wrong with pods, as a scenario writes it.
const fn kind_of_fault(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Crash => "crash",
        FaultKind::Blackhole => "black hole",
        FaultKind::Unready => "unreadiness",
        FaultKind::Errors { .. } => "errors",
        FaultKind::Slow { .. } => "slowness",
    }
}

/// What a time line calls things.
pub(crate) struct Names<'a> {
    description: &'a Description,
    ids: PodIds,
}

impl<'a> Names<'a> {
    pub(crate) fn of(description: &'a Description) -> Self {
        Self { description, ids: PodIds::new(description.clusters.len(), description.services.len()) }
    }

    pub(crate) fn cluster(&self, cluster: ClusterId) -> String {
        self.description.clusters[cluster].name.clone()
    }

    pub(crate) fn service(&self, service: ServiceId) -> &str {
        &self.description.application.services[service].name
    }

    fn node(&self, cluster: ClusterId, node: u32) -> String {
        let spec = &self.description.clusters[cluster];
        let providers = self.description.liqo().map(|it| it.providers_of(cluster));
        let provider = (node as usize).checked_sub(spec.nodes.len()).and_then(|it| providers?.nth(it));
        match provider {
            Some(peering) => format!("virtual node {}", self.cluster(peering.provider)),
            None => format!("node {}-{}", spec.name, node + 1),
        }
    }

    /// A pod, as `s1-0 in edge1`, or those that a gateway hides, as others see them.
    pub(crate) fn pod(&self, pod: PodId) -> String {
        let cluster = &self.description.clusters[self.ids.cluster_of(pod)].name;
        let service = self.service(self.ids.service_of(pod));
        if self.ids.is_behind_gateway(pod) {
            return format!("{service} behind the east-west gateway of {cluster}");
        }
        format!("{service}-{} in {cluster}", self.ids.ordinal_of(pod))
    }

    /// A proxy of a cluster.
    pub(crate) fn proxy(&self, cluster: ClusterId, proxy: ProxyKind) -> String {
        match proxy {
            ProxyKind::Gateway => format!("a gateway of {}", self.cluster(cluster)),
            ProxyKind::EastWest => format!("an east-west gateway of {}", self.cluster(cluster)),
            ProxyKind::Sidecar(pod) => format!("sidecar of {}", self.pod(pod)),
            ProxyKind::Ztunnel(node) => format!("ztunnel of {}", self.node(cluster, node)),
            ProxyKind::Waypoint(service) => {
                format!("waypoint of {} in {}", self.service(service), self.cluster(cluster))
            }
        }
    }

    fn cause(&self, cause: PushCause) -> String {
        match cause {
            PushCause::IstiodIsBack => "istiod is back".to_owned(),
            PushCause::ReplicaIsGone(replica) => format!("replica {replica} of istiod is gone"),
            PushCause::ConnectionIsOld => "a connection is as old as it may be".to_owned(),
            PushCause::News(news) => self.news(news),
        }
    }

    fn news(&self, news: News) -> String {
        match news {
            News::Configuration(_) => "configuration".to_owned(),
            News::Endpoint { pod, what } => {
                let what = match what {
                    EndpointNews::Appears(_) => "appears",
                    EndpointNews::Leaves => "leaves",
                    EndpointNews::Ready => "is ready",
                    EndpointNews::Unready => "is not ready",
                };
                format!("endpoint {} {what}", self.pod(pod))
            }
        }
    }

    /// The zone of this number among those of a cluster's nodes, as the node lifecycle controller counts them.
    fn zone(&self, cluster: ClusterId, number: u32) -> String {
        let nodes = empty_nodes(self.description, cluster);
        let of_node = |node: &Node| [REGION_LABEL, ZONE].map(|key| node.labels.get(key).cloned());
        let zones: BTreeSet<[Option<String>; 2]> = nodes.iter().map(of_node).collect();
        let labels = zones.into_iter().nth(number as usize).into_iter().flatten().flatten();
        match labels.filter(|it| !it.is_empty()).collect::<Vec<_>>().join("/") {
            none if none.is_empty() => {
                format!("the zone of {}'s nodes without labels", self.cluster(cluster))
            }
            zone => format!("zone {zone}"),
        }
    }

    fn line(&self, decision: &decision::Decision) -> Line {
        let decision::Decision { at, cluster, noticed, what } = *decision;
        let who = match what {
            What::Ejected(proxy, ..) | What::Returned(proxy, _) => self.proxy(cluster, proxy),
            _ => what.who().to_owned(),
        };
        Line {
            at: at.as_secs_f64(),
            noticed: noticed.unwrap_or(at).as_secs_f64(),
            cluster: self.cluster(cluster),
            who,
            rule: what.rule(),
            what: self.words(cluster, &what),
        }
    }

    fn words(&self, cluster: ClusterId, what: &What) -> String {
        let edge = |edge: Edge| match edge {
            Edge::Begins => "begins",
            Edge::Ends => "ends",
        };
        match *what {
            What::PodFault(it, side) => {
                let service = self.service(it.service);
                let which =
                    it.pod.map_or_else(|| format!("pods of {service}"), |pod| format!("pod {service}-{pod}"));
                format!(
                    "{} of {which} in {} {}",
                    kind_of_fault(it.kind),
                    self.cluster(it.cluster),
                    edge(side)
                )
            }
            What::LinkFault(it, side) => format!("{} {}", self.link_fault(&it), edge(side)),
            What::Outage(it, side) => format!("{} {}", self.outage(it.of), edge(side)),
            What::UsersMove(population, it) => format!(
                "{} % of the users `{}` at {} go to {}",
                it.share * 100.0,
                self.description.populations[population.index()].name,
                self.cluster(it.from),
                self.cluster(it.to)
            ),
            What::NodeUnknown(node) => {
                format!("{} is Unknown: no lease is renewed", self.node(cluster, node))
            }
            What::NodeReady(node) => format!("{} is Ready", self.node(cluster, node)),
            What::NodeNotReady(node) => format!("{} is not Ready", self.node(cluster, node)),
            What::NodeTainted(node, taint) => {
                let key = taint.key().rsplit('/').next().unwrap_or_default();
                format!("{} gets {key}:NoExecute", self.node(cluster, node))
            }
            What::NodeUntainted(node) => format!("{} loses its taint", self.node(cluster, node)),
            What::ZoneChanged(zone, state) => format!("{} is in {}", self.zone(cluster, zone), state.name()),
            What::OffloadedPodMarked(pod, ready) => {
                format!("{} is marked as {}", self.pod(pod), if ready { "ready" } else { "not ready" })
            }
            What::TunnelChecked(peer, is_up) => {
                format!("the tunnel to {} is {}", self.cluster(peer), if is_up { "up" } else { "lost" })
            }
            What::ApiServerChecked(peer, answers) => {
                let does = if answers { "answers" } else { "does not answer" };
                format!("the API server of {} {does}", self.cluster(peer))
            }
            What::ReflectionCounts(consumer, counts) => {
                let ready = if counts { "count again" } else { "are not ready" };
                format!("endpoints that {} reflects {ready}", self.cluster(consumer))
            }
            What::PodMarked(pod, true) => format!("{} is ready", self.pod(pod)),
            What::PodMarked(pod, false) => format!("{} is marked as not ready, with its node", self.pod(pod)),
            What::PodEvicted(pod) => format!("{} is evicted, having tolerated the taint", self.pod(pod)),
            What::NodeCordoned(node) => format!("{} is cordoned and drained", self.node(cluster, node)),
            What::PodDrained(pod) => format!("{} is evicted, its node being drained", self.pod(pod)),
            What::NodeUncordoned(node) => format!("{} takes pods again", self.node(cluster, node)),
            What::Endpoint(pod, true) => format!("endpoint {} is ready", self.pod(pod)),
            What::Endpoint(pod, false) => format!("endpoint {} is not ready or gone", self.pod(pod)),
            What::Configuration(it) => format!("the mesh has configuration {}", it.index()),
            What::PushBegins(of, changes, first) => {
                let more = if changes > 1 { format!(", and {} more", changes - 1) } else { String::new() };
                format!("a push begins ({}): {}{more}", kind(of), self.news(first))
            }
            What::PushEnds(of, proxies) => format!("the last of {proxies} proxies has a push ({})", kind(of)),
            What::ProxiesConnect(proxies) => format!("{proxies} proxies begin to connect to istiod"),
            What::OffloadingState(edge, state) => {
                format!("the controller of {}: {}", self.cluster(edge), state.name())
            }
            What::CertificateEnds(whose) => {
                format!("the certificate of {} ends: no new connection with mTLS", self.proxy(cluster, whose))
            }
            What::CertificateIsNew(whose) => {
                format!("{} has a new certificate", self.proxy(cluster, whose))
            }
            What::Ejected(_, pod, _) => format!("{} is ejected by outlier detection", self.pod(pod)),
            What::Scraped(true) => format!("the pods of {} are scraped again", self.cluster(cluster)),
            What::Scraped(false) => {
                format!(
                    "nothing is scraped of {}: autoscalers by its metrics are blind",
                    self.cluster(cluster)
                )
            }
            What::Returned(_, pod) => format!("{} is no longer ejected", self.pod(pod)),
        }
    }

    fn link_fault(&self, fault: &LinkFault) -> String {
        let kind = match fault.kind {
            LinkFaultKind::Blackhole => "black hole".to_owned(),
            LinkFaultKind::Down => "outage".to_owned(),
            LinkFaultKind::Degraded(by) => {
                let bandwidth = by.bits_per_second.map_or(String::new(), |it| format!(", {it} bit/s"));
                format!("degradation (delay {}, loss {}{bandwidth})", by.delay, by.loss)
            }
        };
        let toward = fault.toward.map_or(String::new(), |it| format!(" toward {}", self.cluster(it)));
        format!("{kind} of link {}{toward}", self.description.links[fault.link as usize].name)
    }

    fn outage(&self, of: Component) -> String {
        match of {
            Component::Cluster(cluster) => format!("loss of cluster {}", self.cluster(cluster)),
            Component::Isolation(cluster) => format!("isolation of cluster {}", self.cluster(cluster)),
            Component::Node { cluster, node } => format!("loss of {}", self.node(cluster, node)),
            Component::Drain { cluster, node } => format!("drain of {}", self.node(cluster, node)),
            Component::Gateway(cluster) => format!("outage of the gateway of {}", self.cluster(cluster)),
            Component::TunnelGateway(cluster) => {
                format!("outage of the gateway of the tunnels of {}", self.cluster(cluster))
            }
            Component::Istiod(cluster) => format!("outage of the istiod of {}", self.cluster(cluster)),
            Component::IstiodReplica { cluster, replica } => {
                format!("outage of replica {replica} of the istiod of {}", self.cluster(cluster))
            }
            Component::ApiServer(cluster) => format!("outage of the API server of {}", self.cluster(cluster)),
        }
    }

    fn of_pod(&self, cluster: ClusterId, record: &PodRecord) -> Line {
        let pod = format!("{}-{}", self.service(record.service), record.ordinal);
        let (who, rule, what) = match record.step {
            PodStep::Created => ("Deployment controller", "replicas", format!("{pod} is made")),
            PodStep::Unschedulable(unfit) => {
                ("scheduler", "filters", format!("{pod} finds no node: {}", unfit.name()))
            }
            PodStep::Scheduled(node) => {
                ("scheduler", "scores", format!("{pod} goes to {}", self.node(cluster, node)))
            }
            PodStep::Offloaded(_) => (
                "scheduler",
                "scores",
                format!("{pod} goes to a virtual node, and its order to the provider"),
            ),
            PodStep::Refused => ("Liqo", "quota", format!("the provider does not let {pod} in")),
            PodStep::Ready => ("kubelet", "readiness probe", format!("{pod} is ready")),
            PodStep::Deleted => {
                ("API server", "deletion, terminationGracePeriodSeconds", format!("{pod} is deleted"))
            }
            PodStep::Ended(open) => {
                ("kubelet", "PLEG", format!("{pod} has ended with {open} calls under way"))
            }
        };
        let cluster = self.cluster(cluster);
        let at = record.at.as_secs_f64();
        Line { at, noticed: at, cluster, who: who.to_owned(), rule, what }
    }
}
