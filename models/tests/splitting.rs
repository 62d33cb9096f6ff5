//! Clusters that share a host are one process of the kernel, others are one each: which of them
//! it is must not show.
//!
//! Hosts are so large here that sharing one changes nothing, so the same world on one host (one
//! process) and on three (three processes) is the same to the last nanosecond.

mod support;

use meshsim_core::{Id, SimDuration, SimTime, Table};
use meshsim_models::ids::{ClusterId, HostId, ServiceId};
use meshsim_models::istiod::cluster_policy::{SimpleBalancer, TrafficPolicy};
use meshsim_models::units::Cores;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{
    ClusterSpec, DEFAULT_CELL_COSTS, DEFAULT_PROXY_COST, Description, HostSpec, NodeSpec, ServiceSettings,
};
use support::{CLOUD, EDGE, cloud_and_edge, run, without_mesh};

const EDGE_2: ClusterId = ClusterId(2);

/// A cloud and two edges in a triangle of links, users in all three.
fn three_clusters() -> Description {
    let mut description = cloud_and_edge(|_| 20.0, &[0, 1, 2, 3], 10.0);
    assert_eq!(description.add_cluster("edge2", 1e6), EDGE_2);
    for (between, milliseconds) in [([EDGE, EDGE_2], 20), ([EDGE_2, CLOUD], 100)] {
        let link = description.add_link(between, SimDuration::from_millis(milliseconds), 20e6);
        link.jitter = SimDuration::from_millis(1);
        (link.mtu, link.tunnel_overhead) = (1340, 60);
    }
    for service in [0, 4, 5] {
        description.add_pods(ServiceId(service), EDGE_2, 2).cpu_limit = Some(Cores(0.5));
    }
    add_costs(&mut description);
    add_users(&mut description);
    description.duration = SimDuration::from_secs(200);
    description
}

fn add_costs(description: &mut Description) {
    description.cell.costs = DEFAULT_CELL_COSTS;
    description.cell.speed_spread = 0.25;
    description.mesh.outbound = DEFAULT_PROXY_COST;
    description.mesh.inbound = DEFAULT_PROXY_COST;
    description.gateway.cost = DEFAULT_PROXY_COST;
}

/// Beside the users of the edge those of the two others.
fn add_users(description: &mut Description) {
    let think_time = SimDuration::from_secs(1);
    let closed = Arrivals::ClosedLoop { think_time, exponential: false };
    let constant = Arrivals::Constant { per_second: 5.0 };
    for (cluster, arrivals, entry) in [(CLOUD, closed, 3), (EDGE_2, constant, 0)] {
        let users = description.add_users(cluster, ServiceId(entry), arrivals);
        users.users = 7;
        users.access.bits_per_second = 1e12;
    }
}

/// The same world with the clusters on these hosts, each of a million cores.
fn on_hosts(mut description: Description, hosts: [u32; 3]) -> Description {
    let count = hosts.iter().max().map_or(0, |last| last + 1);
    let host = |number| HostSpec { name: format!("host{number}"), cores: 1e6 };
    description.hosts = (0..count).map(host).collect();
    let placed: Table<ClusterId, ClusterSpec> = description
        .clusters
        .enumerate()
        .map(|(id, spec)| {
            let node = NodeSpec { host: HostId(hosts[id.index()]), ..spec.nodes[0].clone() };
            ClusterSpec { nodes: vec![node], ..spec.clone() }
        })
        .collect();
    Description { clusters: placed, ..description }
}

fn assert_same(name: &str, one: &Record, other: &Record) {
    assert!(one.requests.len() > 3_000, "{name}: only {} requests", one.requests.len());
    let crossings: u64 = one.work.iter().map(|it| it.crossings).sum();
    assert!(crossings > 500, "{name}: the clusters hardly talk to each other: {crossings} crossings");
    for (mine, theirs) in one.requests.iter().zip(&other.requests) {
        assert_eq!(mine, theirs, "{name}");
    }
    assert_eq!(one.requests.len(), other.requests.len(), "{name}");
    for cluster in one.metrics.ids() {
        let [mine, theirs] = [one, other].map(|record| record.metrics_from(cluster, SimTime::ZERO));
        assert_eq!(mine, theirs, "{name}: cluster {}", cluster.0);
    }
    assert_eq!(one.events, other.events, "{name}");
}

fn assert_splitting_does_not_show(name: &str, description: &Description) {
    let apart = run(&on_hosts(description.clone(), [0, 1, 2]), 0);
    for (how, hosts) in [("all together", [0, 0, 0]), ("the edges together", [0, 1, 1])] {
        let together = run(&on_hosts(description.clone(), hosts), 0);
        assert_same(&format!("{name}, {how}"), &apart, &together);
    }
}

#[test]
fn one_process_or_three_with_the_mesh() {
    assert_splitting_does_not_show("mesh", &three_clusters());
}

#[test]
fn one_process_or_three_with_the_mesh_and_no_locality() {
    let mut description = three_clusters();
    let simple = SimpleBalancer::RoundRobin;
    let traffic_policy = TrafficPolicy { simple, ..TrafficPolicy::default() };
    let settings = ServiceSettings { traffic_policy, ..ServiceSettings::default() };
    description.services = description.services.iter().map(|_| settings.clone()).collect();
    assert_splitting_does_not_show("no locality", &description);
}

#[test]
fn one_process_or_three_without_the_mesh() {
    assert_splitting_does_not_show("no mesh", &without_mesh(three_clusters()));
}
