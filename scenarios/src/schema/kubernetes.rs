//! What Kubernetes is told, as it is typed: pods, autoscalers, controllers.

use super::Duration;
use super::quantity::{NumberOrText, Quantity};
use super::spanned::Spanned;
use meshsim_models::kubernetes::version::KubernetesVersion;
use meshsim_models::units::{BitsPerSecond, Bytes, Cores};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Kubernetes itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kubernetes {
    /// The release whose rules hold.
    ///
    /// Default: 1.35. Range: 1.22 to 1.35.
    pub version: Option<Spanned<Quantity<KubernetesVersion>>>,
}

/// How pods come and go.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pods {
    /// From a pod's creation to its node.
    ///
    /// Default: 100ms. Range: 0s to 1h. Source: Kubernetes' scalability tests.
    pub scheduling: Option<Duration>,
    /// What a node pulls images with.
    ///
    /// Default: 500Mbit/s. Range: 1bit/s to 1000Tbit/s.
    pub image_pull: Option<Spanned<Quantity<BitsPerSecond>>>,
    /// Size of the application's image, which all services share unless they say otherwise.
    ///
    /// Default: none.
    pub image_size: Option<Spanned<Quantity<Bytes>>>,
    /// Size of the sidecar's image.
    ///
    /// Default: 95MB. Source: istio/proxyv2, compressed.
    pub sidecar_image_size: Option<Spanned<Quantity<Bytes>>>,
    /// Until a container runs, its image being there.
    ///
    /// Default: 1s. Range: 0s to 1h.
    pub container_start: Option<Duration>,
    /// Until a sidecar that runs is ready.
    ///
    /// Default: 1s. Range: 0s to 1h.
    pub sidecar_start: Option<Duration>,
    /// Until an application that runs answers.
    ///
    /// Default: 1s. Range: 0s to 1h.
    pub application_start: Option<Duration>,
    /// Coefficient of variation of the three.
    ///
    /// Default: 0.2. Range: 0 to 10.
    pub start_spread: Option<Spanned<f64>>,
    /// Whether the application's container waits for the sidecar; from Istio 1.27 on it always does.
    ///
    /// Default: false. Source: Istio's meshConfig.
    pub hold_application_until_proxy_starts: Option<Spanned<bool>>,
    /// The readiness probe.
    #[serde(default)]
    pub readiness_probe: ReadinessProbe,
    /// Until the proxies are told of a pod.
    ///
    /// Default: 250ms; 50ms with `[istiod]`. Range: 0s to 1h. Source: EndpointSlice controller, istiod's debounce
    /// and the push.
    pub endpoint_delay: Option<Duration>,
    /// How long the preStop hook takes.
    ///
    /// Default: 0s. Range: 0s to 1h. Source: Kubernetes.
    pub pre_stop: Option<Duration>,
    /// How long a sidecar drains after SIGTERM.
    ///
    /// Default: 5s. Range: 0s to 1h. Source: Istio's terminationDrainDuration.
    pub sidecar_drain: Option<Duration>,
    /// From deletion to SIGKILL.
    ///
    /// Default: 30s. Range: 0s to 1h. Source: Kubernetes.
    pub termination_grace_period: Option<Duration>,
}

/// How the pods of a service come and go, where they differ from those of others.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPods {
    /// Until its application, which runs, answers.
    ///
    /// Default: pods.application_start. Range: 0s to 1h.
    pub application_start: Option<Duration>,
    /// Its readiness probe.
    #[serde(default)]
    pub readiness_probe: ReadinessProbe,
    /// How long its preStop hook takes.
    ///
    /// Default: pods.pre_stop. Range: 0s to 1h. Source: Kubernetes.
    pub pre_stop: Option<Duration>,
    /// From deletion to SIGKILL.
    ///
    /// Default: pods.termination_grace_period. Range: 0s to 1h. Source: Kubernetes.
    pub termination_grace_period: Option<Duration>,
}

/// When a kubelet asks whether an application is ready.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadinessProbe {
    /// Whether there is one.
    ///
    /// Default: true; of a service, as pods.readiness_probe says.
    pub enabled: Option<bool>,
    /// Until the first one.
    ///
    /// Default: 0s; of a service, as pods.readiness_probe says. Range: 0s to 1h. Source: Kubernetes.
    pub initial_delay: Option<Duration>,
    /// Between two.
    ///
    /// Default: 10s; of a service, as pods.readiness_probe says. Range: 1ms to 10 years. Source: Kubernetes.
    pub period: Option<Duration>,
}

/// What the containers of a pod request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// CPU.
    ///
    /// Default: application.cpu_request of an application, nothing of a sidecar. Range: 0 or more. Source:
    /// Kubernetes.
    pub cpu: Option<Spanned<Quantity<Cores>>>,
    /// Memory.
    ///
    /// Default: nothing. Range: 0 or more. Source: Kubernetes.
    pub memory: Option<Spanned<Quantity<Bytes>>>,
}

/// What a container may use.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// CPU.
    ///
    /// Default: application.cpu_limit. Range: above 0. Source: Kubernetes.
    pub cpu: Option<Spanned<Quantity<Cores>>>,
}

/// Requests and limits of the application's container.
#[derive(Debug, Default, Deserialize, JsonSchema)]
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
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Its name: services of the same name share it.
    pub name: Spanned<String>,
    /// Its size.
    pub size: Spanned<Quantity<Bytes>>,
}

/// How new pods take the place of old ones.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollingUpdate {
    /// Pods beyond the wanted number, or percent of it.
    ///
    /// Default: 25%. Range: 0 or more pods, or percent. Source: Kubernetes' Deployment.
    pub max_surge: Option<Spanned<NumberOrText>>,
    /// Pods that may be missing of it, or percent of it.
    ///
    /// Default: 25%. Range: 0 or more pods, or percent. Source: Kubernetes' Deployment.
    pub max_unavailable: Option<Spanned<NumberOrText>>,
}

/// CPU that an application burns when it starts.
#[derive(Debug, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StartUntil {
    /// From the start of its container on; it is ready when it is done.
    Ready,
    /// From its readiness on.
    AfterReady,
}

/// A HorizontalPodAutoscaler, or what differs from the one that it stands beside.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hpa {
    /// Whether there is one.
    ///
    /// Default: true.
    pub enabled: Option<bool>,
    /// Never fewer replicas than this.
    ///
    /// Default: 1. Range: 1 to 10000. Source: Kubernetes' HorizontalPodAutoscaler.
    pub min_replicas: Option<Spanned<u32>>,
    /// Never more.
    ///
    /// Range: 1 to 10000. Source: Kubernetes' HorizontalPodAutoscaler.
    pub max_replicas: Option<Spanned<u32>>,
    /// What is measured.
    ///
    /// Default: CPU at 80 % of what is requested. Source: Kubernetes' HorizontalPodAutoscaler.
    pub metrics: Option<Spanned<Vec<Spanned<Metric>>>>,
    /// How fast the number may change.
    ///
    /// Default: up by 4 pods or 100 % per 15 s, down by 100 % per 15 s. Source: Kubernetes'
    /// HorizontalPodAutoscaler.
    pub behavior: Option<Behavior>,
}

/// What an autoscaler measures, and what it should be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// A resource of the pods.
    pub resource: Option<Spanned<String>>,
    /// Of this container alone.
    ///
    /// Default: all of the pod. Source: Kubernetes' HorizontalPodAutoscaler.
    pub container: Option<Spanned<String>>,
    /// Something else that every pod has.
    pub pods: Option<Spanned<String>>,
    /// Percent of what the pods request.
    ///
    /// Range: 1 to 1000. Source: Kubernetes' HorizontalPodAutoscaler.
    pub utilization: Option<Spanned<u32>>,
    /// An amount per pod.
    pub average_value: Option<Spanned<NumberOrText>>,
}

/// How fast the number of replicas may change.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScalingRules {
    /// How long recommendations hold a change back.
    ///
    /// Default: 0s up, controller_manager.hpa_downscale_stabilization down. Range: 0s to 1h. Source:
    /// Kubernetes' HorizontalPodAutoscaler.
    pub stabilization_window: Option<Duration>,
    /// Which of the policies holds.
    ///
    /// Default: Max. Source: Kubernetes' HorizontalPodAutoscaler.
    pub select_policy: Option<SelectPolicy>,
    /// The policies.
    ///
    /// Default: as behavior says. Source: Kubernetes' HorizontalPodAutoscaler.
    pub policies: Option<Spanned<Vec<Spanned<ScalingPolicy>>>>,
    /// How far a ratio may be from 1.
    ///
    /// Default: controller_manager.hpa_tolerance. Range: 0 to 1. Source: Kubernetes' HorizontalPodAutoscaler.
    pub tolerance: Option<Spanned<f64>>,
}

/// Which of several policies holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SelectPolicy {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest.
    Min,
    /// None.
    Disabled,
}

/// A limit of one direction.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScalingPolicy {
    /// Pods in the period.
    ///
    /// Range: 1 to 10000. Source: Kubernetes' HorizontalPodAutoscaler.
    pub pods: Option<Spanned<u32>>,
    /// Percent of the replicas in the period.
    ///
    /// Range: 1 to 100000. Source: Kubernetes' HorizontalPodAutoscaler.
    pub percent: Option<Spanned<u32>>,
    /// The period.
    ///
    /// Range: 1s to 30min. Source: Kubernetes' HorizontalPodAutoscaler.
    pub period: Duration,
}

/// Flags of the kube-controller-manager.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ControllerManager {
    /// Time between two syncs of the autoscalers.
    ///
    /// Default: 15s. Range: 1s to 10 years. Source: flags of the kube-controller-manager.
    pub hpa_sync_period: Option<Duration>,
    /// How far usage / target may be from 1.
    ///
    /// Default: 0.1. Range: 0 to 1. Source: flags of the kube-controller-manager.
    pub hpa_tolerance: Option<Spanned<f64>>,
    /// How long recommendations hold scaling down back.
    ///
    /// Default: 5min. Range: 0s to 1h. Source: flags of the kube-controller-manager.
    pub hpa_downscale_stabilization: Option<Duration>,
    /// For how long after its start the CPU of a pod is not believed.
    ///
    /// Default: 5min. Range: 0s to 1h. Source: flags of the kube-controller-manager.
    pub hpa_cpu_initialization_period: Option<Duration>,
    /// For how long after its start a pod that is not ready has never been.
    ///
    /// Default: 30s. Range: 0s to 1h. Source: flags of the kube-controller-manager.
    pub hpa_initial_readiness_delay: Option<Duration>,
}

/// How metrics are collected.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsServer {
    /// Time between two scrapes.
    ///
    /// Default: 15s. Range: 10s to 10 years. Source: metrics-server.
    pub resolution: Option<Duration>,
    /// Over how long pods metrics are taken.
    ///
    /// Default: 1min. Range: 10s to 10 years. Source: a rate as adapters usually have it.
    pub pods_window: Option<Duration>,
}

/// What a node's pods may request together, and who may go there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allocatable {
    /// CPU.
    ///
    /// Default: the node's cores, or Liqo's 4 of a slice.
    pub cpu: Option<Spanned<Quantity<Cores>>>,
    /// Memory.
    ///
    /// Default: no limit, or Liqo's 8Gi of a slice.
    pub memory: Option<Spanned<Quantity<Bytes>>>,
    /// Pods.
    ///
    /// Default: 110. Range: 1 to 100000. Source: Kubernetes.
    pub pods: Option<Spanned<u32>>,
}

/// Labels of a node that will do.
pub type NodeSelector = BTreeMap<String, Vec<String>>;
