//! On which hosts the containers of a process stand at the start.
//!
//! # Models
//! A node is a host's, whichever cluster it belongs to; a process numbers those hosts anew that its clusters
//! share. Every place for a pod has a container, also one that is taken later or never.

use super::topology::Topology;
use crate::cluster::job::Job;
use crate::compute::{Compute, ContainerSpec};
use crate::draws::{Purpose, draw};
use crate::ids::{ClusterId, HostId, PodId};
use meshsim_core::Id;
use meshsim_core::random::uniform;
use std::collections::BTreeMap;

/// Places the containers of a group of clusters on the hosts that they share, and tells each pod its container.
pub fn place_containers(topology: &mut Topology, group: &[ClusterId]) -> Compute<Job> {
    let mut hosts: BTreeMap<HostId, HostId> = BTreeMap::new();
    for &cluster in group {
        for host in topology.description.clusters[cluster].nodes.iter().map(|node| node.host) {
            let next = HostId::from_index(hosts.len());
            hosts.entry(host).or_insert(next);
        }
    }
    // In the order in which they were numbered.
    let mut cores = vec![0.0; hosts.len()];
    for (&host, &local) in &hosts {
        topology.local_hosts[host] = local;
        cores[local.index()] = topology.description.hosts[host].cores;
    }
    let mut compute = Compute::new(cores);
    for &cluster in group {
        for pod in topology.pods_of(cluster).map(PodId) {
            let it = topology.pods[pod];
            let node = it.starts_on.unwrap_or(0) as usize;
            let host = topology.description.clusters[cluster].nodes[node].host;
            let service = &topology.description.application.services[it.service];
            let phase = uniform(&mut draw(topology.draws.of_pod(pod, 0), Purpose::CfsPhase));
            let start = topology.description.kubernetes.workload(it.service).start;
            topology.pods[pod].container = compute.add_container(&ContainerSpec {
                host: hosts[&host],
                entity: cluster.entity(),
                workers: usize::from(service.workers),
                // A place that may never be taken gets no room in advance.
                jobs_per_worker: if it.starts_on.is_some() {
                    usize::from(service.threads).min(64)
                } else {
                    0
                },
                beside: start.map_or(0.0, |start| start.cores),
                limit: it.cpu_limit,
                weight: service.cpu_request.or(service.cpu_limit).map_or(1.0, |cores| cores.0.max(0.01)),
                phase,
            });
            if it.starts_on.is_none() {
                compute.place(topology.pods[pod].container, None);
            }
        }
    }
    compute
}
