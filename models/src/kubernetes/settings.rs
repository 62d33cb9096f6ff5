//! What Kubernetes is told, and how long it takes: the settings of pods, autoscalers and changes.

use super::deployment::Rollout;
use super::hpa::{ControllerFlags, HpaSpec};
use super::metrics_server::Reads;
use super::node_lifecycle::NodeLifecycleSettings;
use super::scheduler::node::Toleration;
use super::scheduler::node_affinity::NodeSelector;
use super::scheduler::resources::ResourceList;
use crate::ids::{ClusterId, ServiceId};
use meshsim_core::{Id, SimDuration, SimTime, Table};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct KubernetesSettings {
    /// How pods come and go.
    pub pods: PodTimes,
    /// How those of some services do.
    pub own_pods: BTreeMap<ServiceId, PodTimes>,
    /// What the pods of each service need; a service beyond the table's end needs nothing.
    pub workloads: Table<ServiceId, WorkloadSettings>,
    /// The autoscalers, at most one per service and cluster.
    pub autoscalers: BTreeMap<(ClusterId, ServiceId), AutoscalerSettings>,
    /// Flags of the kube-controller-manager.
    pub controller: ControllerFlags,
    /// How metrics are collected.
    pub metrics: MetricsSettings,
    /// What somebody changes during the run, in the order of time.
    pub changes: Vec<Change>,
    /// Deployments that an offloading controller steers, with the most pods that they may have.
    pub steered: BTreeMap<(ClusterId, ServiceId), u32>,
    /// Clusters in which not every pod may stand on every node: a node has a taint, or a service asks for
    /// labels.
    pub constrained: BTreeSet<ClusterId>,
}

/// What the pods of a service need, in every cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkloadSettings {
    /// What the application's container requests.
    pub application: ResourceList,
    /// What the sidecar requests, where there is one.
    pub sidecar: ResourceList,
    /// The image: services with the same number share it.
    pub image: u32,
    /// Its size, compressed (bytes).
    pub image_bytes: f64,
    /// Labels that a node must have (`requiredDuringScheduling`); absent: any.
    pub node_selector: Option<NodeSelector>,
    /// Taints that do not matter.
    pub tolerations: Vec<Toleration>,
    /// How new pods take the place of old ones.
    pub rollout: Rollout,
    /// CPU that the application burns when it starts.
    pub start: Option<StartWork>,
}

/// CPU that an application burns when it starts: loading, compiling, filling caches.
///
/// It is an amount of work, `cores` x `lasts`, done by threads of its own that want `cores` at any time.
/// Where a limit or other containers of the host leave less, it takes longer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StartWork {
    /// Cores that it wants (above 0).
    pub cores: f64,
    /// How long it takes if it has them.
    pub lasts: SimDuration,
    /// When it is done.
    pub when: StartWhen,
}

/// When an application burns CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartWhen {
    /// From the start of its container on; until it is done the application does not answer.
    UntilReady,
    /// From its readiness on, beside its requests.
    AfterReady,
}

impl StartWork {
    /// All of it (ns of CPU time).
    #[must_use]
    pub fn demand(&self) -> f64 {
        self.cores * self.lasts.as_nanos() as f64
    }
}

/// How long the steps of a pod's life take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PodTimes {
    /// From a pod's creation to its node.
    pub scheduling: SimDuration,
    /// What a node pulls images with (bit/s).
    pub pull_bits_per_second: f64,
    /// Size of the sidecar's image, compressed (bytes).
    pub sidecar_image_bytes: f64,
    /// Until a container runs, its image being there.
    pub container_start: SimDuration,
    /// Until a sidecar that runs is ready.
    pub sidecar_start: SimDuration,
    /// Until an application that runs answers.
    pub application_start: SimDuration,
    /// Coefficient of variation of the three.
    pub start_spread: f64,
    /// Whether the application's container waits for a classic sidecar (`holdApplicationUntilProxyStarts`);
    /// for one of Kubernetes' own kind it does so anyway.
    pub hold_application: bool,
    /// The readiness probe; absent: a pod is ready as soon as its containers run.
    pub readiness: Option<ReadinessProbe>,
    /// From a pod's readiness, or its deletion, until the proxies of its cluster are told.
    pub endpoint_delay: SimDuration,
    /// How long the preStop hook takes.
    pub pre_stop: SimDuration,
    /// How long a sidecar drains after SIGTERM (`terminationDrainDuration`).
    pub sidecar_drain: SimDuration,
    /// `terminationGracePeriodSeconds`: from deletion to SIGKILL.
    pub grace: SimDuration,
}

/// When a kubelet asks whether an application is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadinessProbe {
    /// `initialDelaySeconds`.
    pub initial_delay: SimDuration,
    /// `periodSeconds`.
    pub period: SimDuration,
}

/// An autoscaler.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoscalerSettings {
    /// What it is told.
    pub hpa: HpaSpec,
    /// What each of its metrics is read from, in their order.
    pub reads: Vec<Reads>,
}

/// How metrics are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Time between two scrapes (`--metric-resolution`); CPU is a rate between two of them.
    pub resolution: SimDuration,
    /// Over how long the pods metrics are taken, in whole scrapes.
    pub pods_window: SimDuration,
    /// Time between two syncs of the autoscalers.
    pub sync_period: SimDuration,
}

/// Something that somebody changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// When.
    pub at: SimTime,
    /// Whose Deployment.
    pub service: ServiceId,
    /// Where.
    pub cluster: ClusterId,
    /// What.
    pub kind: ChangeKind,
}

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A Deployment wants so many replicas.
    Scale(u32),
    /// A new version of its pods.
    Rollout,
    /// A Deployment with so many replicas is made, with its autoscaler; one that is there wants so many.
    Offload(u32),
    /// A Deployment is deleted, with its autoscaler and its pods.
    Remove,
}

impl Default for PodTimes {
    fn default() -> Self {
        Self {
            // Kubernetes' scalability tests: some 10 ms of scheduling and 100 ms until the kubelet has it.
            scheduling: SimDuration::from_millis(100),
            pull_bits_per_second: 500e6,
            // istio/proxyv2, compressed.
            sidecar_image_bytes: 95e6,
            // mesh-semantics, section 7.
            container_start: SimDuration::from_secs(1),
            sidecar_start: SimDuration::from_secs(1),
            application_start: SimDuration::from_secs(1),
            start_spread: 0.2,
            hold_application: false,
            readiness: Some(ReadinessProbe::default()),
            // EndpointSlice controller, istiod's debounce (100 ms) and the push.
            endpoint_delay: SimDuration::from_millis(250),
            pre_stop: SimDuration::ZERO,
            // Istio's terminationDrainDuration.
            sidecar_drain: SimDuration::from_secs(5),
            // Kubernetes' default.
            grace: SimDuration::from_secs(30),
        }
    }
}

impl Default for ReadinessProbe {
    /// Kubernetes' defaults.
    fn default() -> Self {
        Self { initial_delay: SimDuration::ZERO, period: SimDuration::from_secs(10) }
    }
}

impl ReadinessProbe {
    /// The first of the probes at fixed distances from `begin` on that does not come before `from`.
    #[must_use]
    pub fn first(&self, begin: SimTime, from: SimTime) -> SimTime {
        let missed = if from > begin { (from - begin).as_nanos() } else { 0 };
        let probes = missed.div_ceil(self.period.as_nanos().max(1));
        begin.saturating_add(SimDuration::from_nanos(probes.saturating_mul(self.period.as_nanos())))
    }
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            resolution: SimDuration::from_secs(15),
            // A rate over a minute is what adapters are usually configured with.
            pods_window: SimDuration::from_secs(60),
            sync_period: super::hpa::controller::SYNC_PERIOD,
        }
    }
}

impl MetricsSettings {
    /// Scrapes that are needed beside the last, if there is one so often.
    #[must_use]
    pub fn scrapes_kept(&self, every: SimDuration) -> usize {
        self.pods_window.as_nanos().div_ceil(every.as_nanos().max(1)) as usize
    }
}

impl KubernetesSettings {
    /// How nodes are watched.
    #[must_use]
    pub fn node_lifecycle(&self) -> NodeLifecycleSettings {
        NodeLifecycleSettings::new(self.controller.version)
    }

    /// How the pods of a service come and go.
    #[must_use]
    pub fn pods_of(&self, service: ServiceId) -> &PodTimes {
        self.own_pods.get(&service).unwrap_or(&self.pods)
    }

    /// What a service's pods need.
    #[must_use]
    pub fn workload(&self, service: ServiceId) -> Cow<'_, WorkloadSettings> {
        if service.index() < self.workloads.len() {
            Cow::Borrowed(&self.workloads[service])
        } else {
            Cow::Owned(WorkloadSettings::default())
        }
    }

    /// The autoscaler of a service in a cluster.
    #[must_use]
    pub fn autoscaler(&self, service: ServiceId, cluster: ClusterId) -> Option<&AutoscalerSettings> {
        self.autoscalers.get(&(cluster, service))
    }

    /// Whether a cluster has autoscalers.
    #[must_use]
    pub fn autoscales(&self, cluster: ClusterId) -> bool {
        let first = self.autoscalers.range((cluster, ServiceId(0))..).next();
        first.is_some_and(|((of, _), _)| *of == cluster)
    }

    /// Whether the scheduler has a say in where the pods of a cluster stand from the start: there are autoscalers,
    /// changes, an offloading controller, or nodes that do not take every pod.
    #[must_use]
    pub fn schedules(&self, cluster: ClusterId) -> bool {
        self.autoscales(cluster)
            || self.changes.iter().any(|it| it.cluster == cluster)
            || self.constrained.contains(&cluster)
            || self.steered.keys().any(|(of, _)| *of == cluster)
    }

    /// Whether the pods of a service come and go anywhere.
    #[must_use]
    pub fn may_change(&self, service: ServiceId) -> bool {
        self.autoscalers.keys().any(|(_, of)| *of == service)
            || self.changes.iter().any(|it| it.service == service)
            || self.steered.keys().any(|(_, of)| *of == service)
    }
}
