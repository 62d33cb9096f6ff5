//! The single failures that a drill tries.

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::faults::link::{Degradation, LinkFault, LinkFaultKind};
use meshsim_models::faults::outage::{Component, Outage};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::users::population::Population;
use meshsim_models::world::description::{DataPlane, Deployment, Description};
use std::collections::BTreeSet;

/// What fails, for a while and alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What it is called, as in `link:edge1-cloud:cut`.
    pub name: String,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Link(u32, LinkFaultKind),
    Component(Component),
    Pods(ServiceId, ClusterId),
    /// A service outside the clusters, for all of them.
    External(ServiceId),
}

/// How much worse a degraded link is: its round trip is three times as long, every fiftieth segment is lost, and a
/// tenth of the rate is left.
const LONGER: u64 = 3;
const LOSS: f64 = 0.02;
const RATE: f64 = 0.1;

/// After a readiness probe, a kubelet, istiod and its push proxies know of pods that have crashed.
const CRASH_SEEN_AFTER: SimDuration = SimDuration::from_secs(1);

impl Failure {
    /// All single failures of a description: every link cut and degraded, every cluster lost, and isolated if it has
    /// more links than one, every node, the gateways that users come to, those of tunnels, the control planes, the pods of each
    /// service in each cluster, and each service outside.
    #[must_use]
    pub fn all(description: &Description) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |name: String, what| all.push(Self { name, what });
        for (number, link) in (0..).zip(&description.links) {
            add(format!("link:{}:cut", link.name), What::Link(number, LinkFaultKind::Blackhole));
            let worse = LinkFaultKind::Degraded(Degradation {
                delay: link.round_trip / 2 * (LONGER - 1),
                loss: LOSS,
                bits_per_second: Some(link.bits_per_second * RATE),
            });
            add(format!("link:{}:degraded", link.name), What::Link(number, worse));
        }
        let clusters = || description.clusters.enumerate();
        for (cluster, spec) in clusters() {
            add(format!("cluster:{}:lost", spec.name), What::Component(Component::Cluster(cluster)));
            if description.links.iter().filter(|it| it.between.contains(&cluster)).count() > 1 {
                let isolation = What::Component(Component::Isolation(cluster));
                add(format!("cluster:{}:isolated", spec.name), isolation);
            }
        }
        for (cluster, spec) in clusters() {
            for node in 0..spec.nodes.len() as u32 {
                let what = What::Component(Component::Node { cluster, node });
                add(format!("node:{}-{}", spec.name, node + 1), what);
            }
        }
        let visited: BTreeSet<ClusterId> =
            description.populations.iter().flat_map(Population::visited).collect();
        for (cluster, spec) in clusters().filter(|(cluster, _)| visited.contains(cluster)) {
            add(format!("gateway:{}", spec.name), What::Component(Component::Gateway(cluster)));
        }
        let has_tunnels = |cluster: ClusterId| {
            let mut peerings = description.liqo().into_iter().flat_map(|it| &it.peerings);
            peerings.any(|it| [it.consumer, it.provider].contains(&cluster))
        };
        for (cluster, spec) in clusters().filter(|(cluster, _)| has_tunnels(*cluster)) {
            let what = What::Component(Component::TunnelGateway(cluster));
            add(format!("tunnel-gateway:{}", spec.name), what);
        }
        let only = description.istiod_pace().and_then(|it| it.cluster);
        let has_istiod = |cluster| {
            description.mesh.data_plane != DataPlane::None && only.is_none_or(|only| only == cluster)
        };
        for (cluster, spec) in clusters().filter(|(cluster, _)| has_istiod(*cluster)) {
            // Of several one fails: N-1.
            match description.istiod_pace().map_or(1, |it| it.replicas) {
                1 => add(format!("istiod:{}", spec.name), What::Component(Component::Istiod(cluster))),
                replicas => (0..replicas).for_each(|replica| {
                    let of = Component::IstiodReplica { cluster, replica };
                    add(format!("istiod:{}-{replica}", spec.name), What::Component(of));
                }),
            }
        }
        for (cluster, spec) in clusters() {
            add(format!("api-server:{}", spec.name), What::Component(Component::ApiServer(cluster)));
        }
        let mut seen = BTreeSet::new();
        let is_inside = |it: &&Deployment| it.replicas > 0 && !description.services[it.service].external;
        let placed = description.deployments.iter().filter(is_inside);
        for it in placed.filter(|it| seen.insert((it.service, it.cluster))) {
            let service = &description.application.services[it.service].name;
            let cluster = &description.clusters[it.cluster].name;
            add(format!("pods:{service}:{cluster}"), What::Pods(it.service, it.cluster));
        }
        for (id, service) in description.application.services.enumerate() {
            if description.services[id].external {
                add(format!("external:{}", service.name), What::External(id));
            }
        }
        all
    }

    /// The description in which it fails from a moment to another.
    pub fn befall(&self, description: &mut Description, begins: SimTime, ends: SimTime) {
        let ends = Some(ends);
        let crash = |(service, cluster)| PodFault {
            service,
            cluster,
            pod: None,
            begins,
            ends,
            kind: FaultKind::Crash,
            seen_after: Some(CRASH_SEEN_AFTER),
        };
        match self.what {
            What::Link(link, kind) => {
                description.link_faults.push(LinkFault { link, toward: None, kind, begins, ends });
            }
            What::Component(of) => description.outages.push(Outage { of, begins, ends }),
            What::Pods(..) | What::External(_) => {
                let faults: Vec<PodFault> = self.takes(description).into_iter().map(crash).collect();
                description.faults.extend(faults);
            }
        }
    }

    /// Services that lose all pods that a cluster has, by what fails: none of a link or a control plane.
    pub(super) fn takes(&self, description: &Description) -> BTreeSet<(ServiceId, ClusterId)> {
        let of_cluster = |cluster: ClusterId| {
            description.application.services.ids().map(|service| (service, cluster)).collect()
        };
        match self.what {
            What::Pods(service, cluster) => BTreeSet::from([(service, cluster)]),
            What::External(service) => {
                let all = description.deployments.iter().filter(|it| it.service == service);
                all.map(|it| (service, it.cluster)).collect()
            }
            What::Component(Component::Cluster(cluster)) => of_cluster(cluster),
            What::Component(Component::Node { cluster, .. })
                if description.clusters[cluster].nodes.len() == 1 =>
            {
                of_cluster(cluster)
            }
            What::Component(_) | What::Link(..) => BTreeSet::new(),
        }
    }
}

/// Whether a name is as a pattern says, in which `*` is any text.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').collect::<Vec<_>>();
    let last = parts.pop().expect("a split has a part");
    for part in parts {
        let Some(found) = left.find(part) else { return false };
        left = &left[found + part.len()..];
    }
    left.len() >= last.len() && left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        let name = "link:edge1-cloud:cut";
        for pattern in ["*", "link:*", "*:cut", "link:*:cut", "link:edge1-cloud:cut", "*edge1*cut*"] {
            assert!(matches(pattern, name), "{pattern}");
        }
        for pattern in ["", "link", "link:*:cutter", "node:*", "link:edge1-cloud:cut*x", "*cut:link*"] {
            assert!(!matches(pattern, name), "{pattern}");
        }
    }

    #[test]
    fn every_part_fails_once() {
        let mut description = Description::new(SimDuration::from_secs(10));
        let [a, b] = ["a", "b"].map(|name| description.add_cluster(name, 4.0));
        description.add_link([a, b], SimDuration::from_millis(10), 1e9);
        let service = description
            .add_service("shop", meshsim_models::application::internal_service::InternalService::idle());
        description.add_pods(service, a, 2);
        let arrivals = meshsim_models::users::arrivals::Arrivals::Constant { per_second: 1.0 };
        description.add_users(b, service, arrivals);
        let bank = description
            .add_service("bank", meshsim_models::application::internal_service::InternalService::idle());
        description.services[bank].external = true;
        for cluster in [a, b] {
            description.add_pods(bank, cluster, 1);
        }
        let names: Vec<String> = Failure::all(&description).into_iter().map(|it| it.name).collect();
        let expected = [
            "link:a-b:cut",
            "link:a-b:degraded",
            "cluster:a:lost",
            "cluster:b:lost",
            "node:a-1",
            "node:b-1",
            "gateway:b",
            "istiod:a",
            "istiod:b",
            "api-server:a",
            "api-server:b",
            "pods:shop:a",
            "external:bank",
        ];
        assert_eq!(names, expected);
        let bank = Failure::all(&description).pop().unwrap();
        let [begins, ends] = [1, 2].map(|it| SimTime::ZERO + SimDuration::from_secs(it));
        bank.befall(&mut description, begins, ends);
        let befallen: Vec<_> = description.faults.iter().map(|it| (it.service, it.cluster)).collect();
        assert_eq!(befallen, [(ServiceId(1), a), (ServiceId(1), b)]);
    }
}
