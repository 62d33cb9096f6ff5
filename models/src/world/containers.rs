//! On which hosts the containers of a process stand at the start, and what a pod's container is given.
//!
//! # Models
//! A node is a host's, whichever cluster it belongs to; a process numbers those hosts anew that its clusters
//! share.

use super::topology::Topology;
use crate::cluster::job::Job;
use crate::compute::{Compute, ContainerSpec};
use crate::draws::{Purpose, draw};
use crate::ids::{ClusterId, ContainerId, HostId, PodId};
use meshsim_core::Id;
use meshsim_core::random::uniform;
use std::collections::BTreeMap;

/// Places the containers of a group of clusters on the hosts that they share: for each cluster, those of its pods.
pub fn place_containers(
    topology: &mut Topology,
    group: &[ClusterId],
) -> (Compute<Job>, Vec<Vec<ContainerId>>) {
    let mut hosts: BTreeMap<HostId, HostId> = BTreeMap::new();
    for &cluster in group {
        for host in topology.description.clusters[cluster].nodes.iter().map(|node| node.host) {
            let next = HostId::from_index(hosts.len());
            hosts.entry(host).or_insert(next);
        }
    }
    let mut cores = vec![0.0; hosts.len()];
    for (&host, &local) in &hosts {
        topology.local_hosts[host] = local;
        cores[local.index()] = topology.description.hosts[host].cores;
    }
    let mut compute = Compute::new(cores);
    let mut containers_of = |&cluster: &ClusterId| -> Vec<ContainerId> {
        let pods = topology.pods_at_start(cluster).iter();
        pods.map(|it| {
            let threads = topology.application().services[topology.pod_ids.service_of(it.pod)].threads;
            let room = usize::from(threads).min(64);
            compute.add_container(&container_of(topology, it.pod, it.node, room))
        })
        .collect()
    };
    let containers = group.iter().map(&mut containers_of).collect();
    (compute, containers)
}

/// What the container of a pod is given, with room for so many jobs per worker.
#[must_use]
pub fn container_of(topology: &Topology, pod: PodId, node: u32, room: usize) -> ContainerSpec {
    let (cluster, service) = (topology.pod_ids.cluster_of(pod), topology.pod_ids.service_of(pod));
    let host = topology.description.clusters[cluster].nodes[node as usize].host;
    let start = topology.description.kubernetes.workload(service).start;
    let service = &topology.application().services[service];
    ContainerSpec {
        host: topology.local_hosts[host],
        entity: cluster.entity(),
        workers: usize::from(service.workers),
        jobs_per_worker: room,
        beside: start.map_or(0.0, |start| start.cores),
        limit: topology.deployment_of(pod).and_then(|it| it.cpu_limit).map(|cores| cores.0),
        weight: service.cpu_request.or(service.cpu_limit).map_or(1.0, |cores| cores.0.max(0.01)),
        phase: uniform(&mut draw(topology.draws_of_pod(pod, 0), Purpose::CfsPhase)),
    }
}
