//! What Prometheus says of its targets, cAdvisor of containers, kube-state-metrics of objects, and Liqo of peers.
//!
//! # Source
//! google/cadvisor, `metrics/prometheus.go`; kubernetes/kube-state-metrics, `docs/metrics/workload`;
//! liqotech/liqo `pkg/gateway/tunnel/metrics.go`; the labels of targets
//! are those of the chart kube-prometheus-stack, which keeps those that an object's own series have (`honorLabels`).

use super::identity::{Identities, address_of};
use super::text::{Labels, Text};
use meshsim_core::Table;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::scheduler::resources::{Resource, ResourceList};
use meshsim_models::telemetry::exporters::instance::PodName;
use meshsim_models::telemetry::exporters::samples::{
    Container, ContainerMetric, InterfaceMetric, PodMetric, Samples, SamplesOf, Series, Target, TunnelMetric,
    WorkloadMetric,
};
use std::io::Result;

/// Families of numbers: name, type, what it is.
const FAMILIES: [(&str, &str, &str); 26] = [
    ("up", "gauge", "Whether a target could be scraped"),
    ("container_cpu_usage_seconds", "counter", "CPU time that a container has used"),
    ("container_cpu_cfs_periods", "counter", "Periods of its CPU limit"),
    ("container_cpu_cfs_throttled_periods", "counter", "Periods in which the limit stopped it"),
    ("container_memory_usage_bytes", "gauge", "Memory of a container"),
    ("container_memory_working_set_bytes", "gauge", "Memory of a container that cannot be freed"),
    ("container_network_receive_bytes", "counter", "Bytes that a pod has received"),
    ("container_network_transmit_bytes", "counter", "Bytes that a pod has sent"),
    ("liqo_peer_receive_bytes", "counter", "Number of bytes received from a given peer"),
    ("liqo_peer_transmit_bytes", "counter", "Number of bytes transmitted to a given peer"),
    ("liqo_peer_latency_us", "gauge", "Round-trip latency of a given peer in microseconds"),
    ("liqo_peer_is_connected", "gauge", "Whether the tunnel to a peer is up"),
    ("kube_deployment_spec_replicas", "gauge", "Pods that a Deployment wants"),
    ("kube_deployment_status_replicas", "gauge", "Pods of a Deployment"),
    ("kube_deployment_status_replicas_ready", "gauge", "Its ready pods"),
    ("kube_deployment_status_replicas_available", "gauge", "Its available pods"),
    ("kube_deployment_status_replicas_unavailable", "gauge", "Those that it lacks"),
    ("kube_horizontalpodautoscaler_status_current_replicas", "gauge", "Pods of an autoscaler"),
    ("kube_horizontalpodautoscaler_status_desired_replicas", "gauge", "Pods that an autoscaler wants"),
    ("kube_horizontalpodautoscaler_spec_min_replicas", "gauge", "Its lower limit"),
    ("kube_horizontalpodautoscaler_spec_max_replicas", "gauge", "Its upper limit"),
    ("kube_pod_info", "gauge", "Where a pod is"),
    ("kube_pod_status_phase", "gauge", "The phase of a pod"),
    ("kube_pod_status_ready", "gauge", "Whether a pod is ready"),
    ("kube_pod_container_resource_requests", "gauge", "What a container requests"),
    ("kube_pod_container_resource_limits", "gauge", "What a container may use"),
];

/// What the samples of a series come to in a family.
#[derive(Clone, Copy)]
enum Value {
    /// What was scraped.
    Same,
    /// The opposite of a truth.
    Opposite,
    /// The same each time.
    Always(f64),
}

impl Value {
    fn of(self, scraped: f64) -> f64 {
        match self {
            Self::Same => scraped,
            Self::Opposite => 1.0 - scraped,
            Self::Always(value) => value,
        }
    }
}

/// A series in a family.
type Written = (&'static str, Labels, Value);

/// Writes all numbers.
pub(super) fn write(
    text: &mut Text<'_>,
    all: &Table<ClusterId, Samples>,
    identities: &Identities<'_>,
) -> Result<()> {
    let mut rows: Vec<(Written, &SamplesOf<f64>)> = Vec::new();
    for (cluster, scraped) in all.enumerate() {
        let who = Who { identities, cluster };
        for (of, samples) in &scraped.numbers {
            let first = samples.first().map_or(0.0, |(_, value)| *value);
            rows.extend(who.rows(*of, first).into_iter().map(|written| (written, samples)));
        }
    }
    rows.sort_by(|((a, a_labels, _), _), ((b, b_labels, _), _)| (a, a_labels).cmp(&(b, b_labels)));
    for (name, kind, help) in FAMILIES {
        let begin = rows.partition_point(|((it, ..), _)| *it < name);
        let end = rows.partition_point(|((it, ..), _)| *it <= name);
        if begin < end {
            text.family(name, kind, help)?;
        }
        let sample = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        for ((_, labels, value), samples) in &rows[begin..end] {
            for (at, scraped) in *samples {
                text.sample(&sample, (labels, None), value.of(*scraped), *at)?;
            }
        }
    }
    Ok(())
}

/// Whose series are written.
struct Who<'a> {
    identities: &'a Identities<'a>,
    cluster: ClusterId,
}

impl Who<'_> {
    /// What a series comes to, whose first sample is this.
    fn rows(&self, of: Series, first: f64) -> Vec<Written> {
        match of {
            Series::Up(target) => {
                vec![("up", self.identities.target(target, self.cluster), Value::Same)]
            }
            Series::Container(pod, container, metric) => self.container(pod, container, metric),
            Series::Interface(pod, metric) => vec![self.interface(pod, metric)],
            Series::Tunnel(peer, metric) => vec![self.tunnel(peer, metric)],
            Series::Workload(service, metric) => self.workload(service, metric),
            Series::Pod(pod, metric) => self.pod(pod, metric, first),
        }
    }

    fn kube_state(&self, namespace: &str, container: &str) -> Labels {
        let target = self.identities.target(Target::KubeState, self.cluster);
        target.and([("namespace", namespace), ("container", container)])
    }

    fn workload(&self, service: ServiceId, metric: WorkloadMetric) -> Vec<Written> {
        let workload = self.identities.workload(service, self.cluster);
        let labels = self.kube_state(&workload.namespace, KUBE_STATE);
        let deployment = |name| (name, labels.clone().with("deployment", &workload.name), Value::Same);
        let hpa = |name, value| (name, labels.clone().with("horizontalpodautoscaler", &workload.name), value);
        match metric {
            WorkloadMetric::Wanted => vec![deployment("kube_deployment_spec_replicas")],
            WorkloadMetric::Replicas => vec![deployment("kube_deployment_status_replicas")],
            WorkloadMetric::Ready => vec![
                deployment("kube_deployment_status_replicas_ready"),
                deployment("kube_deployment_status_replicas_available"),
            ],
            WorkloadMetric::Unavailable => {
                vec![deployment("kube_deployment_status_replicas_unavailable")]
            }
            WorkloadMetric::HpaCurrent => {
                let settings = &self.identities.description.kubernetes;
                let mut rows = vec![hpa("kube_horizontalpodautoscaler_status_current_replicas", Value::Same)];
                if let Some(it) = settings.autoscaler(service, self.cluster) {
                    let [least, most] = [it.hpa.min_replicas, it.hpa.max_replicas].map(f64::from);
                    rows.push(hpa("kube_horizontalpodautoscaler_spec_min_replicas", Value::Always(least)));
                    rows.push(hpa("kube_horizontalpodautoscaler_spec_max_replicas", Value::Always(most)));
                }
                rows
            }
            WorkloadMetric::HpaDesired => {
                vec![hpa("kube_horizontalpodautoscaler_status_desired_replicas", Value::Same)]
            }
        }
    }

    fn pod(&self, pod: PodName, metric: PodMetric, first: f64) -> Vec<Written> {
        let (name, namespace) = self.identities.pod(pod);
        let labels = self.kube_state(&namespace, KUBE_STATE).with("pod", &name);
        let phase = |phase| ("kube_pod_status_phase", labels.clone().with("phase", phase), Value::Same);
        match metric {
            PodMetric::Pending => vec![phase("Pending")],
            PodMetric::Running => vec![phase("Running")],
            PodMetric::Ready => vec![
                ("kube_pod_status_ready", labels.clone().with("condition", "true"), Value::Same),
                ("kube_pod_status_ready", labels.with("condition", "false"), Value::Opposite),
            ],
            // A pod stays on its node.
            PodMetric::Node => {
                let node = self.identities.node(self.cluster, first as u32);
                let info = labels.and([
                    ("node", &*node),
                    ("pod_ip", &address_of(&name)),
                    ("host_ip", &address_of(&node)),
                    ("created_by_kind", "ReplicaSet"),
                    ("created_by_name", name.rsplit_once('-').map_or("", |(set, _)| set)),
                ]);
                let mut rows = vec![("kube_pod_info", info, Value::Always(1.0))];
                rows.extend(self.resources(pod, &node));
                rows
            }
        }
    }

    /// What the containers of a pod on a node request, and may use.
    fn resources(&self, pod: PodName, node: &str) -> Vec<Written> {
        let (name, namespace) = self.identities.pod(pod);
        let (description, service) = (self.identities.description, self.identities.service_of(pod));
        let written = |family, container, (resource, unit), value| {
            let labels = self.kube_state(&namespace, container).and([
                ("pod", &*name),
                ("node", node),
                ("resource", resource),
                ("unit", unit),
            ]);
            (family, labels, Value::Always(value))
        };
        let (cpu, memory) = (("cpu", "core"), ("memory", "byte"));
        let mut rows = Vec::new();
        let mut requests = |container, list: &ResourceList| {
            let family = "kube_pod_container_resource_requests";
            let cores = list.get(Resource::CPU).map(|it| written(family, container, cpu, it as f64 / 1e3));
            rows.extend(cores);
            rows.extend(list.get(Resource::MEMORY).map(|it| written(family, container, memory, it as f64)));
        };
        let workload = description.kubernetes.workload(service);
        let application = self.identities.service(service);
        requests(application, &workload.application);
        if description.is_injected(service) {
            requests("istio-proxy", &workload.sidecar);
        }
        let deployments = description.deployments.iter();
        let own = deployments.filter(|it| it.service == service && it.cluster == self.cluster);
        let limit = own.filter_map(|it| it.cpu_limit).next();
        let family = "kube_pod_container_resource_limits";
        rows.extend(limit.map(|it| written(family, application, cpu, it.0)));
        rows
    }

    /// What cAdvisor says of something of a pod.
    fn cadvisor(&self, namespace: &str, pod: &str) -> Labels {
        Labels::default().and([
            ("job", "kubelet"),
            ("metrics_path", "/metrics/cadvisor"),
            ("service", "kubelet"),
            ("endpoint", "https-metrics"),
            ("cluster", &self.identities.cluster(self.cluster).cluster),
            ("namespace", namespace),
            ("pod", pod),
        ])
    }

    /// All containers of a pod share its interface, which is its sandbox's.
    fn interface(&self, pod: PodName, metric: InterfaceMetric) -> Written {
        let (name, namespace) = self.identities.pod(pod);
        let labels = self.cadvisor(&namespace, &name).and([
            ("interface", "eth0"),
            ("id", &format!("/kubepods/{name}")),
            ("name", &format!("sandbox_{name}")),
            ("image", "pause"),
        ]);
        let family = match metric {
            InterfaceMetric::Received => "container_network_receive_bytes",
            InterfaceMetric::Transmitted => "container_network_transmit_bytes",
        };
        (family, labels, Value::Same)
    }

    fn tunnel(&self, peer: ClusterId, metric: TunnelMetric) -> Written {
        let target = self.identities.target(Target::TunnelGateway(peer), self.cluster);
        let cluster_id = &*self.identities.cluster(peer).cluster;
        let family = match metric {
            TunnelMetric::Received => "liqo_peer_receive_bytes",
            TunnelMetric::Transmitted => "liqo_peer_transmit_bytes",
            TunnelMetric::Latency => "liqo_peer_latency_us",
            TunnelMetric::IsConnected => "liqo_peer_is_connected",
        };
        (family, target.and([("driver", "wireguard"), ("cluster_id", cluster_id)]), Value::Same)
    }

    fn container(&self, pod: PodName, container: Container, metric: ContainerMetric) -> Vec<Written> {
        let (name, namespace) = self.identities.pod(pod);
        let container = match container {
            Container::Application => self.identities.service(self.identities.service_of(pod)),
            Container::Sidecar => "istio-proxy",
        };
        let labels = self.cadvisor(&namespace, &name).and([
            ("container", container),
            ("id", &format!("/kubepods/{name}/{container}")),
            ("name", &format!("{container}_{name}")),
            ("image", container),
        ]);
        let name = match metric {
            ContainerMetric::CpuSeconds => {
                return vec![("container_cpu_usage_seconds", labels.with("cpu", "total"), Value::Same)];
            }
            ContainerMetric::CfsPeriods => "container_cpu_cfs_periods",
            ContainerMetric::ThrottledPeriods => "container_cpu_cfs_throttled_periods",
            ContainerMetric::Memory => {
                let working_set = ("container_memory_working_set_bytes", labels.clone(), Value::Same);
                return vec![("container_memory_usage_bytes", labels, Value::Same), working_set];
            }
        };
        vec![(name, labels, Value::Same)]
    }
}

/// The container of kube-state-metrics itself.
const KUBE_STATE: &str = "kube-state-metrics";
