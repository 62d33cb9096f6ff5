//! What goes wrong with clusters, nodes, gateways and control planes.

use super::check::Check;
use super::clusters::Network;
use crate::problem::nearest;
use crate::schema::faults::{Fault, Kind};
use crate::schema::spanned::Spanned;
use meshsim_core::{Id, SimTime};
use meshsim_models::faults::outage::{Component, Outage};
use meshsim_models::ids::ClusterId;
use meshsim_models::istiod::settings::IstiodSettings;
use std::ops::Range;

/// What a fault befalls, by the key that names it.
enum Subject<'a> {
    Cluster(&'a Spanned<String>),
    Node(&'a Spanned<String>),
    Gateway(&'a Spanned<String>),
    TunnelGateway(&'a Spanned<String>),
    Istiod(&'a Spanned<String>),
    ApiServer(&'a Spanned<String>),
}

impl<'a> Subject<'a> {
    /// What a fault befalls, unless that is a pod or a link.
    fn of(fault: &'a Fault) -> Option<Self> {
        let of_cluster = matches!(fault.kind.get_ref(), Kind::Lost | Kind::Isolated);
        let cluster = fault.cluster.as_ref().filter(|_| of_cluster && fault.service.is_none());
        (fault.node.as_ref().map(Self::Node))
            .or(fault.gateway.as_ref().map(Self::Gateway))
            .or(fault.tunnel_gateway.as_ref().map(Self::TunnelGateway))
            .or(fault.istiod.as_ref().map(Self::Istiod))
            .or(fault.api_server.as_ref().map(Self::ApiServer))
            .or(cluster.map(Self::Cluster))
    }

    const fn key(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "cluster",
            Self::Node(_) => "node",
            Self::Gateway(_) => "gateway",
            Self::TunnelGateway(_) => "tunnel_gateway",
            Self::Istiod(_) => "istiod",
            Self::ApiServer(_) => "api_server",
        }
    }

    const fn kinds(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "\"lost\" or \"isolated\"",
            Self::Node(_) => "\"lost\" or \"drained\"",
            Self::Gateway(_) | Self::TunnelGateway(_) | Self::Istiod(_) | Self::ApiServer(_) => "\"down\"",
        }
    }
}

/// Whether a fault befalls a component of the infrastructure.
pub(super) fn is_of_component(fault: &Fault) -> bool {
    Subject::of(fault).is_some()
}

/// The component that fails; `istiod` is what the scenario says of that.
pub(super) fn resolve(
    check: &mut Check<'_>,
    fault: &Fault,
    network: &Network,
    istiod: Option<IstiodSettings>,
    (begins, ends): (SimTime, Option<SimTime>),
) -> Option<Outage> {
    let subject = Subject::of(fault)?;
    let key = subject.key();
    for (other, location) in
        keys(fault).into_iter().filter(|(other, _)| *other != key && !(key == "istiod" && *other == "pod"))
    {
        let help = format!("take it out, or the {key}");
        check.problem(format!("the fault of a {key} has no {other}"), location, help);
    }
    let mut of = component(check, fault, &subject, network)?;
    if let (Component::Istiod(cluster), Some(only), Subject::Istiod(name)) =
        (of, istiod.and_then(|it| it.cluster), &subject)
        && cluster != only
    {
        let help = format!("it is in `{}`, as [istiod] says", network.clusters[only].name);
        check.problem(format!("there is no istiod in cluster `{}`", name.get_ref()), name.span(), help);
    }
    if let (Component::Istiod(cluster), Some(pod)) = (of, &fault.pod) {
        of = replica_of(check, cluster, pod, istiod.map_or(1, |it| it.replicas));
    }
    Some(Outage { of, begins, ends })
}

/// A replica of an istiod, of so many.
fn replica_of(check: &mut Check<'_>, cluster: ClusterId, pod: &Spanned<u32>, replicas: u32) -> Component {
    let replica = *pod.get_ref();
    if replica >= replicas {
        let message = format!("there is no replica {replica} of istiod");
        let help = match replicas {
            1 => "it has one, the pod 0: write [istiod] replicas = 2, or leave pod out".to_owned(),
            _ => format!("it has {replicas}, from 0 to {}", replicas - 1),
        };
        check.problem(message, pod.span(), help);
    }
    match replicas {
        1 => Component::Istiod(cluster),
        _ => Component::IstiodReplica { cluster, replica },
    }
}

fn component(
    check: &mut Check<'_>,
    fault: &Fault,
    subject: &Subject<'_>,
    network: &Network,
) -> Option<Component> {
    let mut cluster = |name: &Spanned<String>| {
        let known = network.clusters.iter().map(|it| it.name.as_str());
        let found = check.reference(name.get_ref(), name.span(), known, "cluster");
        found.map(ClusterId::from_index)
    };
    Some(match (subject, fault.kind.get_ref()) {
        (Subject::Cluster(name), Kind::Lost) => Component::Cluster(cluster(name)?),
        (Subject::Cluster(name), Kind::Isolated) => Component::Isolation(cluster(name)?),
        (Subject::Gateway(name), Kind::Down) => Component::Gateway(cluster(name)?),
        (Subject::TunnelGateway(name), Kind::Down) => Component::TunnelGateway(cluster(name)?),
        (Subject::Istiod(name), Kind::Down) => Component::Istiod(cluster(name)?),
        (Subject::ApiServer(name), Kind::Down) => Component::ApiServer(cluster(name)?),
        (Subject::Node(name), Kind::Lost) => {
            let (cluster, node) = node_of(check, name, network)?;
            Component::Node { cluster, node }
        }
        (Subject::Node(name), Kind::Drained) => {
            let (cluster, node) = node_of(check, name, network)?;
            Component::Drain { cluster, node }
        }
        (_, kind) => {
            let key = subject.key();
            let message = format!("a {key} has no fault of kind \"{}\"", kind.name());
            check.problem(message, fault.kind.span(), format!("write kind = {}", subject.kinds()));
            return None;
        }
    })
}

/// A node by its name: its cluster's, and its number there, from 1.
fn node_of(check: &mut Check<'_>, name: &Spanned<String>, network: &Network) -> Option<(ClusterId, u32)> {
    let names = network.clusters.enumerate().flat_map(|(cluster, spec)| {
        (0..spec.nodes.len() as u32).map(move |node| (format!("{}-{}", spec.name, node + 1), (cluster, node)))
    });
    let known: Vec<(String, (ClusterId, u32))> = names.collect();
    let found = known.iter().find(|(known, _)| known == name.get_ref()).map(|(_, node)| *node);
    if found.is_none() {
        let names = known.iter().map(|(name, _)| name.as_str());
        let help = match nearest(name.get_ref(), names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a node is named after its cluster and its number there, as in edge1-1".to_owned(),
        };
        check.problem(format!("there is no node `{}`", name.get_ref()), name.span(), help);
    }
    found
}

/// The keys of a fault that say what it befalls, and how.
pub(super) fn keys(fault: &Fault) -> Vec<(&'static str, Range<usize>)> {
    fn location<T>(written: &Option<Spanned<T>>) -> Option<Range<usize>> {
        written.as_ref().map(Spanned::span)
    }
    let all = [
        ("service", location(&fault.service)),
        ("cluster", location(&fault.cluster)),
        ("pod", location(&fault.pod)),
        ("link", location(&fault.link)),
        ("toward", location(&fault.toward)),
        ("node", location(&fault.node)),
        ("gateway", location(&fault.gateway)),
        ("tunnel_gateway", location(&fault.tunnel_gateway)),
        ("istiod", location(&fault.istiod)),
        ("api_server", location(&fault.api_server)),
        ("share", location(&fault.share)),
        ("status", location(&fault.status)),
        ("factor", location(&fault.factor)),
        ("delay", location(&fault.delay)),
        ("loss", location(&fault.loss)),
        ("bandwidth", location(&fault.bandwidth)),
        ("runs", location(&fault.runs)),
        ("seen_after", location(&fault.seen_after)),
    ];
    all.into_iter().filter_map(|(key, location)| Some((key, location?))).collect()
}
