//! What pods, workloads and targets are called.
//!
//! # Assumptions
//! - Addresses, and the endings of pods' names, are made of their numbers: they are the same in every run, and no real ones.
//! - A service account has the name of its service, that of the ingress gateways theirs.

use super::text::Labels;
use crate::resolve::Resolved;
use crate::resolve::names::ClusterNames;
use meshsim_core::Id;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::authorization_policy::{
    GATEWAY_NAMESPACE, GATEWAY_PRINCIPAL, plain_name, principal_of,
};
use meshsim_models::pod_id::PodIds;
use meshsim_models::telemetry::exporters::instance::{Instance, PodName};
use meshsim_models::telemetry::exporters::samples::Target;
use meshsim_models::world::description::Description;

/// Letters that Kubernetes makes names of.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Who everybody is.
pub(super) struct Identities<'a> {
    pub(super) description: &'a Description,
    names: &'a meshsim_core::Table<ClusterId, ClusterNames>,
    ids: PodIds,
}

/// A workload as Istio's labels name it.
pub(super) struct Workload {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) app: String,
    /// Label `version`, empty if there is none.
    pub(super) version: String,
    pub(super) cluster: String,
    /// What its certificates say.
    pub(super) principal: String,
}

impl<'a> Identities<'a> {
    pub(super) fn new(resolved: &'a Resolved) -> Self {
        let description = &resolved.description;
        let ids = PodIds::new(description.clusters.len(), description.application.services.len());
        Self { description, names: &resolved.names, ids }
    }

    /// What objects of a cluster are called.
    pub(super) fn cluster(&self, cluster: ClusterId) -> &'a ClusterNames {
        &self.names[cluster]
    }

    /// The service that a pod runs.
    pub(super) fn service_of(&self, pod: PodName) -> ServiceId {
        self.ids.service_of(pod.pod)
    }

    /// The name of a service within its namespace.
    pub(super) fn service(&self, service: ServiceId) -> &'a str {
        let name = &self.description.application.services[service].name;
        plain_name(self.description.namespace_of(service), name)
    }

    /// The host that clients of a service name.
    pub(super) fn host(&self, service: ServiceId) -> String {
        format!("{}.{}.svc.cluster.local", self.service(service), self.description.namespace_of(service))
    }

    /// How many services there are in all clusters, as their clients name them.
    pub(super) fn services_in_all(&self) -> usize {
        self.description.services.ids().filter(|&it| self.description.front_of(it) == it).count()
    }

    /// The workload of a service in a cluster.
    pub(super) fn workload(&self, service: ServiceId, cluster: ClusterId) -> Workload {
        let settings = &self.description.services[service];
        let (front, names) = (self.description.front_of(service), self.cluster(cluster));
        let namespace = self.description.namespace_of(service);
        let version = match settings.labels.get("version") {
            Some(version) => version.clone(),
            None if front != service => self.service(service).to_owned(),
            None => String::new(),
        };
        Workload {
            name: names.workload_of(self.service(service)),
            namespace: namespace.to_owned(),
            app: self.service(front).to_owned(),
            version,
            cluster: names.cluster.clone(),
            principal: principal_of(
                self.description.namespace_of(front),
                &self.description.application.services[front].name,
            ),
        }
    }

    /// The ingress gateways of a cluster.
    pub(super) fn ingress(&self, cluster: ClusterId) -> Workload {
        let names = self.cluster(cluster);
        let principal = match names.ingress_namespace == GATEWAY_NAMESPACE {
            true => GATEWAY_PRINCIPAL.to_owned(),
            false => format!("cluster.local/ns/{}/sa/{}", names.ingress_namespace, names.ingress),
        };
        Workload {
            name: names.ingress.clone(),
            namespace: names.ingress_namespace.clone(),
            app: names.ingress.clone(),
            version: String::new(),
            cluster: names.cluster.clone(),
            principal,
        }
    }

    /// A pod: its name, and its namespace.
    pub(super) fn pod(&self, pod: PodName) -> (String, String) {
        let (service, cluster) = (self.ids.service_of(pod.pod), self.ids.cluster_of(pod.pod));
        let workload = self.workload(service, cluster);
        let number = u64::from(self.ids.ordinal_of(pod.pod)) << 32 | u64::from(pod.generation);
        (pod_name(&workload, cluster, number), workload.namespace)
    }

    /// A process that has counters: the name of its pod, and its namespace.
    pub(super) fn instance(&self, instance: Instance, cluster: ClusterId) -> (String, String) {
        match instance {
            Instance::Pod(pod) => self.pod(pod),
            Instance::Gateway(number) => {
                let workload = self.ingress(cluster);
                (pod_name(&workload, cluster, number.into()), workload.namespace)
            }
            Instance::Waypoint(service) => {
                let mut workload = self.workload(service, cluster);
                workload.name = format!("{}-waypoint", self.service(service));
                (pod_name(&workload, cluster, 0), workload.namespace)
            }
            Instance::Ztunnel(node) => {
                let name = hash(&format!("ztunnel/{}/{node}", cluster.index()));
                (format!("ztunnel-{}", letters(name, 5)), GATEWAY_NAMESPACE.to_owned())
            }
        }
    }

    /// The labels of whatever a target exposes.
    pub(super) fn target(&self, target: Target, cluster: ClusterId) -> Labels {
        let of_pod = |(pod, namespace): (String, String), port: u32, container: &str| {
            let instance = format!("{}:{port}", address_of(&pod));
            Labels::default().and([
                ("job", "kubernetes-pods"),
                ("instance", &instance),
                ("namespace", &namespace),
                ("pod", &pod),
                ("container", container),
            ])
        };
        let labels = match target {
            Target::Proxy(instance) => of_pod(self.instance(instance, cluster), 15020, "istio-proxy"),
            Target::Cell(pod) => of_pod(self.pod(pod), 8080, self.service(self.service_of(pod))),
            Target::Kubelet(node) => {
                let node = self.node(cluster, node);
                let instance = format!("{}:10250", address_of(&node));
                Labels::default().and([
                    ("job", "kubelet"),
                    ("metrics_path", "/metrics/cadvisor"),
                    ("instance", &instance),
                    ("node", &node),
                    ("service", "kubelet"),
                    ("endpoint", "https-metrics"),
                ])
            }
            Target::Istiod(replica) => {
                let pod = of_control_plane("istiod", cluster, replica.into());
                of_pod((pod, GATEWAY_NAMESPACE.to_owned()), 15014, "discovery").with("app", "istiod")
            }
            Target::TunnelGateway(peer) => {
                let peer = &self.cluster(peer).cluster;
                let pod = of_control_plane(&format!("gw-{peer}"), cluster, 0);
                of_pod((pod, format!("liqo-tenant-{peer}")), 8084, "wireguard")
            }
            // Its own labels stand before the target's, of which these are left.
            Target::KubeState => Labels::default().and([
                ("job", "kube-state-metrics"),
                ("service", "kube-state-metrics"),
                ("endpoint", "http"),
                ("instance", &format!("{}:8080", address_of("kube-state-metrics"))),
            ]),
        };
        labels.with("cluster", &self.cluster(cluster).cluster)
    }

    /// The name of a node.
    pub(super) fn node(&self, cluster: ClusterId, node: u32) -> String {
        let spec = self.description.clusters[cluster].nodes.get(node as usize);
        spec.map_or_else(|| "liqo".to_owned(), |it| self.description.hosts[it.host].name.clone())
    }
}

/// A pod of a Deployment in a cluster, by its number.
fn pod_name(workload: &Workload, cluster: ClusterId, number: u64) -> String {
    named(&workload.namespace, &workload.name, cluster, number)
}

/// A pod of a control plane's Deployment in a cluster, by its number.
fn of_control_plane(name: &str, cluster: ClusterId, number: u64) -> String {
    named("", name, cluster, number)
}

fn named(namespace: &str, workload: &str, cluster: ClusterId, number: u64) -> String {
    let set = hash(&format!("{}/{namespace}/{workload}", cluster.index()));
    let own = hash(&format!("{set}/{number}"));
    format!("{workload}-{}-{}", letters(set, 10), letters(own, 5))
}

/// The address of whatever has this name.
pub(super) fn address_of(name: &str) -> String {
    let [.., a, b, c] = hash(name).to_be_bytes();
    format!("10.{a}.{b}.{c}")
}

fn letters(mut number: u64, count: usize) -> String {
    let mut letter = || {
        let letter = ALPHABET[(number % 27) as usize];
        number /= 27;
        char::from(letter)
    };
    (0..count).map(|_| letter()).collect()
}

/// FNV-1a, of 64 bits.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
