//! Clusters, their machines, the links between them and the pods on them.

use super::check::Check;
use super::ranges::{at_least_one, bounded_u32};
use super::{resources, taints};
use crate::schema::changes::Change;
use crate::schema::quantity::{NumberOrText, OneOrMore, Quantity};
use crate::schema::spanned::Spanned;
use crate::schema::{Cluster, CongestionControl as Congestion, Link, Node, Scenario, Tcp};
use meshsim_core::{Id, SimDuration, Table};
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::{ClusterId, HostId, ServiceId};
use meshsim_models::istiod::locality_priority::Locality;
use meshsim_models::network::tcp::{CongestionControl, TcpSettings};
use meshsim_models::network::ways::Ways;
use meshsim_models::units::{BitsPerSecond, Bytes};
use meshsim_models::world::description::{
    ClusterSpec, DEFAULT_LOCAL_BANDWIDTH, DEFAULT_LOCAL_DELAY, DEFAULT_MTU, Deployment, HostSpec, LinkSpec,
    NodeCapacity, NodeSpec,
};
use std::collections::{BTreeMap, BTreeSet};

/// Everything but services and users.
pub(super) struct Network {
    pub(super) hosts: Table<HostId, HostSpec>,
    pub(super) clusters: Table<ClusterId, ClusterSpec>,
    pub(super) links: Vec<LinkSpec>,
    pub(super) deployments: Vec<Deployment>,
}

pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    strategy: &str,
) -> Network {
    let mut hosts: Table<HostId, HostSpec> = Table::new();
    for (name, host) in &scenario.hosts {
        let cores = host.cores.get_ref().0.0;
        if cores < 0.001 {
            check.problem(format!("host `{name}` has {cores} cores"), host.cores.span(), "write 1 or more");
        }
        hosts.push(HostSpec { name: name.clone(), cores });
    }
    let shared: Vec<&str> = scenario.hosts.keys().map(String::as_str).collect();
    let names: Vec<&str> = scenario.clusters.keys().map(String::as_str).collect();
    let (mut clusters, mut deployments) = (Table::new(), Vec::new());
    for (index, (name, cluster)) in scenario.clusters.iter().enumerate() {
        let id = ClusterId::from_index(index);
        clusters.push(self::cluster(check, name, cluster.get_ref(), &mut hosts, &shared));
        place_pods(check, id, name, cluster.get_ref(), application, strategy, &mut deployments);
        place_later(id, name, scenario, application, &mut deployments);
        reach_outside(check, id, cluster.get_ref(), scenario, application, &mut deployments);
    }
    let links: Vec<LinkSpec> =
        scenario.links.iter().filter_map(|(name, it)| link(check, name, it.get_ref(), &names)).collect();
    if links.len() == scenario.links.len() {
        check_parallel(check, scenario, &links);
        check_connected(check, scenario, &names, &links);
    }
    Network { hosts, clusters, links, deployments }
}

fn cluster(
    check: &mut Check<'_>,
    name: &str,
    cluster: &Cluster,
    hosts: &mut Table<HostId, HostSpec>,
    shared: &[&str],
) -> ClusterSpec {
    let mut nodes = Vec::new();
    for (index, node) in cluster.nodes.get_ref().iter().enumerate() {
        if let Some(host) = host_of(check, name, cluster, index, hosts, shared) {
            nodes.push(self::node(check, host, locality(name, cluster, node), node));
        }
    }
    if cluster.nodes.get_ref().is_empty() {
        let help = "write nodes = [{ cores = \"4\" }]";
        check.problem(format!("cluster `{name}` has no node"), cluster.nodes.span(), help);
    }
    let local_delay = check.duration(cluster.local_delay.as_ref(), "local_delay", DEFAULT_LOCAL_DELAY, 0);
    ClusterSpec {
        name: name.to_owned(),
        nodes,
        labels: cluster.labels.clone(),
        local_delay,
        local_bits_per_second: rate(check, cluster.local_bandwidth.as_ref(), DEFAULT_LOCAL_BANDWIDTH),
        mtu: mtu(check, cluster.mtu.as_ref()),
        tcp: tcp(check, &cluster.tcp),
    }
}

fn tcp(check: &mut Check<'_>, written: &Tcp) -> TcpSettings {
    let default = TcpSettings::default();
    TcpSettings {
        slow_start_after_idle: written
            .slow_start_after_idle
            .as_ref()
            .map_or(default.slow_start_after_idle, |it| *it.get_ref()),
        congestion_control: match written.congestion_control {
            Some(Congestion::Cubic) => CongestionControl::Cubic,
            Some(Congestion::Bbr) => CongestionControl::Bbr,
            None => default.congestion_control,
        },
        initial_window: bounded_u32(check, written.initial_window.as_ref(), "initial_window", 1, 1_000)
            .map_or(default.initial_window, |segments| segments as u16),
    }
}

fn node(check: &mut Check<'_>, host: HostId, locality: Locality, written: &Node) -> NodeSpec {
    let given = &written.allocatable;
    let default = NodeCapacity::default();
    NodeSpec {
        labels: written.labels.clone(),
        taints: written.taints.iter().filter_map(|it| taints::taint(check, it)).collect(),
        capacity: NodeCapacity {
            milli_cpu: given.cpu.as_ref().map(|it| resources::cores(check, it, "an allocatable CPU")),
            memory: given
                .memory
                .as_ref()
                .map(|it| resources::bytes(check, Some(it), "an allocatable memory", 0.0) as u64),
            pods: given
                .pods
                .as_ref()
                .map_or(default.pods, |it| u64::from(at_least_one(check, it, "pods", 100_000))),
        },
        ..NodeSpec::new(host, locality)
    }
}

/// The machine of a node: its own, or one that it shares.
fn host_of(
    check: &mut Check<'_>,
    name: &str,
    cluster: &Cluster,
    index: usize,
    hosts: &mut Table<HostId, HostSpec>,
    shared: &[&str],
) -> Option<HostId> {
    let node = &cluster.nodes.get_ref()[index];
    match (&node.cores, &node.host) {
        (Some(cores), None) => {
            let count = cores.get_ref().0.0;
            if count < 0.001 {
                let message = format!("a node of cluster `{name}` has {count} cores");
                check.problem(message, cores.span(), "write 1 or more");
            }
            Some(hosts.push(HostSpec { name: format!("{name}-{}", index + 1), cores: count }))
        }
        (None, Some(host)) => {
            let known = shared.iter().copied();
            check.reference(host.get_ref(), host.span(), known, "host").map(HostId::from_index)
        }
        _ => {
            check.problem(
                format!("a node of cluster `{name}` has neither cores nor a host, or both"),
                cluster.nodes.span(),
                "write { cores = \"4\" } for a machine of its own, or { host = \"NAME\" }",
            );
            None
        }
    }
}

/// Where a node is: where its cluster is, unless it says otherwise.
fn locality(name: &str, cluster: &Cluster, node: &Node) -> Locality {
    let part = |own: &Option<String>, of_cluster: &Option<String>| own.clone().or(of_cluster.clone());
    Locality {
        region: part(&node.region, &cluster.region).unwrap_or_default(),
        zone: part(&node.zone, &cluster.zone).unwrap_or_else(|| name.to_owned()),
        subzone: part(&node.subzone, &cluster.subzone).unwrap_or_default(),
    }
}

fn place_pods(
    check: &mut Check<'_>,
    id: ClusterId,
    name: &str,
    cluster: &Cluster,
    application: &Application,
    strategy: &str,
    deployments: &mut Vec<Deployment>,
) {
    let known: Vec<&str> = application.services.iter().map(|service| service.name.as_str()).collect();
    let placed: BTreeSet<ServiceId> = match cluster.services.get_ref() {
        OneOrMore::All => application.services.ids().collect(),
        OneOrMore::Named(services) => {
            let mut find = |service: &Spanned<String>| {
                if let Some(id) = application.service_named(service.get_ref()) {
                    return Some(id);
                }
                let kind = format!("service for cluster `{name}` under strategy `{strategy}`:");
                let found = check.reference(service.get_ref(), service.span(), known.iter().copied(), &kind);
                found.map(ServiceId::from_index)
            };
            let found: Vec<ServiceId> = services.iter().filter_map(&mut find).collect();
            let placed: BTreeSet<ServiceId> = found.iter().copied().collect();
            if placed.len() < found.len() {
                let message = format!("cluster `{name}` lists a service twice");
                check.problem(message, cluster.services.span(), "for more pods write replicas = { s0 = 2 }");
            }
            placed
        }
    };
    check_numbers(check, name, cluster, application);
    for service in placed {
        let settings = &application.services[service];
        let written = cluster.replicas.get(&settings.name).map(|replicas| *replicas.get_ref());
        deployments.push(Deployment {
            service,
            cluster: id,
            replicas: written.unwrap_or(settings.replicas).min(100_000),
            cpu_limit: settings.cpu_limit,
            weight: cluster.weights.get(&settings.name).map_or(1, |weight| *weight.get_ref()),
        });
    }
}

/// A service outside the clusters has an endpoint for each of them, wherever nothing else of it is said.
fn reach_outside(
    check: &mut Check<'_>,
    id: ClusterId,
    cluster: &Cluster,
    scenario: &Scenario,
    application: &Application,
    deployments: &mut Vec<Deployment>,
) {
    let external = |name: &str| scenario.services.get(name).is_some_and(|it| it.get_ref().is_external());
    let is_outside = |it: &Deployment| external(&application.services[it.service].name);
    deployments.retain(|it| it.cluster != id || !is_outside(it));
    let listed = match cluster.services.get_ref() {
        OneOrMore::All => &[][..],
        OneOrMore::Named(names) => names,
    };
    let listed = listed.iter().map(|it| (it.get_ref().as_str(), it.span()));
    let numbers =
        cluster.replicas.iter().chain(&cluster.weights).map(|(name, it)| (name.as_str(), it.span()));
    let scaled = cluster.hpa.iter().map(|(name, it)| (name.as_str(), it.span()));
    for (name, span) in listed.chain(numbers).chain(scaled).filter(|(name, _)| external(name)) {
        let help = "take it out, or its external = true: every cluster reaches it by itself";
        check.problem(format!("`{name}` is outside the clusters"), span, help);
    }
    for (service, it) in application.services.enumerate().filter(|(_, it)| external(&it.name)) {
        let replicas = it.replicas;
        deployments.push(Deployment { service, cluster: id, replicas, cpu_limit: None, weight: 1 });
    }
}

/// Services that are offloaded during the run have a Deployment without pods before.
fn place_later(
    id: ClusterId,
    name: &str,
    scenario: &Scenario,
    application: &Application,
    deployments: &mut Vec<Deployment>,
) {
    let cluster = scenario.clusters[name].get_ref();
    let here = |it: &&Change| it.cluster.as_ref().is_some_and(|cluster| cluster.get_ref() == name);
    for change in scenario.changes.iter().map(Spanned::get_ref).filter(here) {
        let Some(service) = application.service_named(change.service.get_ref()) else { continue };
        // Those of this cluster are the last.
        let here = deployments.iter().rev().take_while(|it| it.cluster == id);
        if here.into_iter().any(|it| it.service == service) {
            continue;
        }
        deployments.push(Deployment {
            service,
            cluster: id,
            replicas: 0,
            cpu_limit: application.services[service].cpu_limit,
            weight: cluster.weights.get(change.service.get_ref()).map_or(1, |weight| *weight.get_ref()),
        });
    }
}

/// Replicas and weights are of services that there are; they need not run here under each strategy.
fn check_numbers(check: &mut Check<'_>, name: &str, cluster: &Cluster, application: &Application) {
    let known = application.services.iter().map(|it| it.name.as_str());
    let is_known = |service: &str| application.service_named(service).is_some();
    for (service, replicas) in &cluster.replicas {
        if !is_known(service) {
            let kind = format!("service with replicas in cluster `{name}`:");
            check.reference(service, replicas.span(), known.clone(), &kind);
        }
        if *replicas.get_ref() > 100_000 {
            let message = format!("{} replicas of `{service}`", replicas.get_ref());
            check.problem(message, replicas.span(), "at most 100000 are simulated");
        }
    }
    for (service, weight) in &cluster.weights {
        if !is_known(service) {
            let kind = format!("service with a weight in cluster `{name}`:");
            check.reference(service, weight.span(), known.clone(), &kind);
        }
        bounded_u32(check, Some(weight), "a weight", 1, 128);
    }
}

fn link(check: &mut Check<'_>, name: &str, link: &Link, clusters: &[&str]) -> Option<LinkSpec> {
    let ends: Vec<Option<usize>> = link
        .between
        .get_ref()
        .iter()
        .map(|end| check.reference_in(end.get_ref(), end.span(), clusters, "cluster"))
        .collect();
    // Half of it is the lookahead of the engine, in whole nanoseconds.
    let round_trip = check.duration(Some(&link.rtt), "rtt", SimDuration::ZERO, 2);
    let jitter = check.duration(link.jitter.as_ref(), "jitter", SimDuration::ZERO, 0);
    let bits_per_second = rate(check, Some(&link.bandwidth), DEFAULT_LOCAL_BANDWIDTH);
    let mtu = mtu(check, link.mtu.as_ref());
    let tunnel_overhead = tunnel_overhead(check, link);
    let loss = link.loss.as_ref().map_or(0.0, |it| loss(check, it));
    let help = "write between = [\"edge1\", \"cloud\"]";
    let &[a, b] = ends.as_slice() else {
        let message = format!("link `{name}` has {} ends", ends.len());
        check.problem(message, link.between.span(), help);
        return None;
    };
    let (a, b) = (a?, b?);
    if a == b {
        check.problem(format!("link `{name}` joins a cluster to itself"), link.between.span(), help);
        return None;
    }
    Some(LinkSpec {
        name: name.to_owned(),
        between: [ClusterId::from_index(a), ClusterId::from_index(b)],
        round_trip,
        jitter,
        bits_per_second,
        mtu,
        tunnel_overhead,
        loss,
    })
}

/// The share of the segments that a link loses: a number, or a text in percent.
pub(super) fn loss(check: &mut Check<'_>, written: &Spanned<NumberOrText>) -> f64 {
    match written.get_ref().share() {
        Some(share) if (0.0..1.0).contains(&share) => share,
        _ => {
            let message = format!("a loss of {} is not a share of the segments", written.get_ref());
            check.problem(message, written.span(), "write loss = 0.001, or \"0.1%\": it is less than 1");
            0.0
        }
    }
}

/// A second link between two clusters would never be used.
fn check_parallel(check: &mut Check<'_>, scenario: &Scenario, links: &[LinkSpec]) {
    let ends = |link: &LinkSpec| {
        let [a, b] = link.between;
        (a.min(b), a.max(b))
    };
    let mut first: BTreeMap<(ClusterId, ClusterId), &LinkSpec> = BTreeMap::new();
    for link in links {
        let other = *first.entry(ends(link)).or_insert(link);
        if other.name != link.name {
            let message = format!("links `{}` and `{}` join the same clusters", other.name, link.name);
            check.problem(message, scenario.links[&link.name].span(), "take one out, or add up their rates");
        }
    }
}

/// Every cluster has a way to every other: an endpoint anywhere may be chosen.
fn check_connected(check: &mut Check<'_>, scenario: &Scenario, names: &[&str], links: &[LinkSpec]) {
    let ways = Ways::new(names.len(), links);
    let nearest = ways.nearest(links, names.first().map(|_| ClusterId(0)));
    for (index, (name, cluster)) in scenario.clusters.iter().enumerate() {
        if nearest[ClusterId::from_index(index)].is_none() {
            let message = format!("cluster `{name}` has no path to cluster `{}`", names[0]);
            check.problem(message, cluster.span(), "add a link");
        }
    }
    if scenario.clusters.is_empty() {
        check.problem("the scenario has no cluster", 0..1, "write [clusters.cloud]");
    }
}

pub(super) fn rate(
    check: &mut Check<'_>,
    value: Option<&Spanned<Quantity<BitsPerSecond>>>,
    default: BitsPerSecond,
) -> f64 {
    let Some(value) = value else { return default.0 };
    let rate = value.get_ref().0.0;
    if !(1.0..=1e15).contains(&rate) {
        let message = format!("a rate of {rate} bit/s is out of range");
        check.problem(message, value.span(), "it is 1bit/s to 1000Tbit/s");
        return default.0;
    }
    rate
}

pub(super) fn mtu(check: &mut Check<'_>, value: Option<&Spanned<Quantity<Bytes>>>) -> u32 {
    let Some(spanned) = value else { return DEFAULT_MTU };
    match bytes(value) {
        // IPv4 guarantees 576; jumbo frames end at 9 kB, loopback at 64.
        Some(size) if (576..=65_535).contains(&size) => size,
        _ => {
            let message = format!("an MTU of {} bytes is out of range", spanned.get_ref().0.0);
            check.problem(message, spanned.span(), "it is \"576B\" to \"65535B\"");
            DEFAULT_MTU
        }
    }
}

fn tunnel_overhead(check: &mut Check<'_>, link: &Link) -> u32 {
    let Some(value) = &link.tunnel_overhead else { return 0 };
    let size = value.get_ref().0.0;
    if size > 1000.0 {
        check.problem(
            format!("a tunnel overhead of {size} bytes is out of range"),
            value.span(),
            "it is at most \"1kB\"",
        );
    }
    size.min(1000.0) as u32
}

fn bytes(value: Option<&Spanned<Quantity<Bytes>>>) -> Option<u32> {
    value.map(|value| value.get_ref().0.0.min(f64::from(u32::MAX)) as u32)
}
