//! What Kubernetes is told, as it is typed: pods, autoscalers, controllers.

use super::quantity::{NumberOrText, Quantity};
use super::{BTreeMap, Duration};
use meshsim_models::kubernetes::version::KubernetesVersion;
use meshsim_models::units::{BitsPerSecond, Bytes, Cores};
use serde::Deserialize;
use toml::Spanned;

/// Kubernetes itself.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubernetes {
    /// The release whose rules hold.
    pub version: Option<Spanned<Quantity<KubernetesVersion>>>,
}

/// How pods come and go.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pods {
    /// From a pod's creation to its node.
    pub scheduling: Option<Duration>,
    /// What a node pulls images with.
    pub image_pull: Option<Spanned<Quantity<BitsPerSecond>>>,
    /// Size of the application's image, which all services share unless they say otherwise.
    pub image_size: Option<Spanned<Quantity<Bytes>>>,
    /// Size of the sidecar's image.
    pub sidecar_image_size: Option<Spanned<Quantity<Bytes>>>,
    /// Until a container runs, its image being there.
    pub container_start: Option<Duration>,
    /// Until a sidecar that runs is ready.
    pub sidecar_start: Option<Duration>,
    /// Until an application that runs answers.
    pub application_start: Option<Duration>,
    /// Coefficient of variation of the three.
    pub start_spread: Option<Spanned<f64>>,
    /// Whether the application's container waits for the sidecar; from Istio 1.27 on it always does.
    pub hold_application_until_proxy_starts: Option<Spanned<bool>>,
    /// The readiness probe.
    #[serde(default)]
    pub readiness_probe: ReadinessProbe,
    /// Until the proxies are told of a pod.
    pub endpoint_delay: Option<Duration>,
    /// How long the preStop hook takes.
    pub pre_stop: Option<Duration>,
    /// How long a sidecar drains after SIGTERM.
    pub sidecar_drain: Option<Duration>,
    /// From deletion to SIGKILL.
    pub termination_grace_period: Option<Duration>,
}

/// When a kubelet asks whether an application is ready.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadinessProbe {
    /// Whether there is one.
    pub enabled: Option<bool>,
    /// Until the first one.
    pub initial_delay: Option<Duration>,
    /// Between two.
    pub period: Option<Duration>,
}

/// What the containers of a pod request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// CPU.
    pub cpu: Option<Spanned<Quantity<Cores>>>,
    /// Memory.
    pub memory: Option<Spanned<Quantity<Bytes>>>,
}

/// What a container may use.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// CPU.
    pub cpu: Option<Spanned<Quantity<Cores>>>,
}

/// Requests and limits of the application's container.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// What it is sure to have.
    #[serde(default)]
    pub requests: Requests,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
}

/// An image of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Its name: services of the same name share it.
    pub name: Spanned<String>,
    /// Its size.
    pub size: Spanned<Quantity<Bytes>>,
}

/// How new pods take the place of old ones.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollingUpdate {
    /// Pods beyond the wanted number, or percent of it.
    pub max_surge: Option<Spanned<NumberOrText>>,
    /// Pods that may be missing of it, or percent of it.
    pub max_unavailable: Option<Spanned<NumberOrText>>,
}

/// CPU that an application burns when it starts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// What it wants.
    pub cpu: Spanned<Quantity<Cores>>,
    /// How long it takes if it has that.
    #[serde(rename = "for")]
    pub lasts: Duration,
    /// When it is done.
    pub until: StartUntil,
}

/// When an application burns CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartUntil {
    /// From the start of its container on; it is ready when it is done.
    Ready,
    /// From its readiness on.
    AfterReady,
}

/// A HorizontalPodAutoscaler, or what differs from the one that it stands beside.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hpa {
    /// Whether there is one.
    pub enabled: Option<bool>,
    /// Never fewer replicas than this.
    pub min_replicas: Option<Spanned<u32>>,
    /// Never more.
    pub max_replicas: Option<Spanned<u32>>,
    /// What is measured.
    pub metrics: Option<Spanned<Vec<Spanned<Metric>>>>,
    /// How fast the number may change.
    pub behavior: Option<Behavior>,
}

/// What an autoscaler measures, and what it should be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// A resource of the pods.
    pub resource: Option<Spanned<String>>,
    /// Of this container alone.
    pub container: Option<Spanned<String>>,
    /// Something else that every pod has.
    pub pods: Option<Spanned<String>>,
    /// Percent of what the pods request.
    pub utilization: Option<Spanned<u32>>,
    /// An amount per pod.
    pub average_value: Option<Spanned<NumberOrText>>,
}

/// How fast the number of replicas may change.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behavior {
    /// For more replicas.
    #[serde(default)]
    pub scale_up: ScalingRules,
    /// For fewer.
    #[serde(default)]
    pub scale_down: ScalingRules,
}

/// The rules of one direction.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScalingRules {
    /// How long recommendations hold a change back.
    pub stabilization_window: Option<Duration>,
    /// Which of the policies holds.
    pub select_policy: Option<SelectPolicy>,
    /// The policies.
    pub policies: Option<Spanned<Vec<Spanned<ScalingPolicy>>>>,
    /// How far a ratio may be from 1.
    pub tolerance: Option<Spanned<f64>>,
}

/// Which of several policies holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum SelectPolicy {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest.
    Min,
    /// None.
    Disabled,
}

/// A limit of one direction.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScalingPolicy {
    /// Pods in the period.
    pub pods: Option<Spanned<u32>>,
    /// Percent of the replicas in the period.
    pub percent: Option<Spanned<u32>>,
    /// The period.
    pub period: Duration,
}

/// Flags of the kube-controller-manager.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControllerManager {
    /// Time between two syncs of the autoscalers.
    pub hpa_sync_period: Option<Duration>,
    /// How far usage / target may be from 1.
    pub hpa_tolerance: Option<Spanned<f64>>,
    /// How long recommendations hold scaling down back.
    pub hpa_downscale_stabilization: Option<Duration>,
    /// For how long after its start the CPU of a pod is not believed.
    pub hpa_cpu_initialization_period: Option<Duration>,
    /// For how long after its start a pod that is not ready has never been.
    pub hpa_initial_readiness_delay: Option<Duration>,
}

/// How metrics are collected.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsServer {
    /// Time between two scrapes.
    pub resolution: Option<Duration>,
    /// Over how long pods metrics are taken.
    pub pods_window: Option<Duration>,
}

/// What a node's pods may request together, and who may go there.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocatable {
    /// CPU.
    pub cpu: Option<Spanned<Quantity<Cores>>>,
    /// Memory.
    pub memory: Option<Spanned<Quantity<Bytes>>>,
    /// Pods.
    pub pods: Option<Spanned<u32>>,
}

/// Labels of a node that will do.
pub type NodeSelector = BTreeMap<String, Vec<String>>;
