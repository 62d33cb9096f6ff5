//! What Kubernetes is told: its release, pods, controllers.

use super::check::{Check, MILLISECOND};
use super::clusters::{Network, rate};
use super::ranges::{bounded, spread};
use super::resources::bytes;
use super::{changes, hpa, workloads};
use crate::schema::kubernetes as typed;
use crate::schema::{DataPlane, Scenario};
use meshsim_core::{SimDuration, Table};
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::kubernetes::hpa::ControllerFlags;
use meshsim_models::kubernetes::hpa::pod_groups::StartUp;
use meshsim_models::kubernetes::hpa::replica_calculator::Tolerances;
use meshsim_models::kubernetes::settings::{
    KubernetesSettings, MetricsSettings, PodTimes, ReadinessProbe, WorkloadSettings,
};
use meshsim_models::kubernetes::version::KubernetesVersion;
use meshsim_models::units::BitsPerSecond;
use std::collections::{BTreeMap, BTreeSet};

/// From a pod's readiness until its EndpointSlice is known, where istiod's own part is simulated: two API writes of 5 to
/// 20 ms each, and the EndpointSlice controller's queue.
const ENDPOINT_SLICE_DELAY: SimDuration = SimDuration::from_millis(50);

pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
    istio_version: IstioVersion,
    end: SimDuration,
) -> KubernetesSettings {
    let version = scenario.kubernetes.version.as_ref().map_or_else(Default::default, |it| it.get_ref().0);
    let native_sidecars = istio_version.has_native_sidecars() && version.has_stable_sidecars();
    holds_application_anyway(check, &scenario.pods, native_sidecars);
    let workloads = workloads::resolve(check, scenario, application);
    let probe = probe(check, &scenario.pods.readiness_probe, ReadinessProbe::default());
    let pods = pod_times(check, &scenario.pods, has_istiod(scenario), probe);
    let constrained = constrained(network, &workloads);
    KubernetesSettings {
        own_pods: own_pods(check, scenario, application, &pods, probe),
        pods,
        workloads,
        autoscalers: hpa::resolve(check, scenario, application, network, version),
        controller: controller(check, &scenario.controller_manager, version),
        metrics: metrics(check, scenario),
        changes: changes::of_deployments(check, scenario, application, network, end),
        constrained,
        steered: BTreeMap::new(),
    }
}

/// Refuses an application that does not wait for its sidecar where all do.
fn holds_application_anyway(check: &mut Check<'_>, pods: &typed::Pods, native_sidecars: bool) {
    let Some(hold) = &pods.hold_application_until_proxy_starts else { return };
    if !*hold.get_ref() && native_sidecars {
        let message = "hold_application_until_proxy_starts = false has no effect";
        let help = "from Istio 1.27 on Kubernetes 1.33 on sidecars are ready before the application starts: take \
                    it out, or lower mesh.istio_version or kubernetes.version";
        check.problem(message, hold.span(), help);
    }
}

/// Clusters with a taint, or with a service that asks for labels of nodes.
fn constrained(network: &Network, workloads: &Table<ServiceId, WorkloadSettings>) -> BTreeSet<ClusterId> {
    let tainted =
        network.clusters.enumerate().filter(|(_, it)| it.nodes.iter().any(|node| !node.taints.is_empty()));
    let choosy = network.deployments.iter().filter(|it| workloads[it.service].node_selector.is_some());
    tainted.map(|(id, _)| id).chain(choosy.map(|it| it.cluster)).collect()
}

/// Whether istiod's own part of the way to the proxies is simulated.
fn has_istiod(scenario: &Scenario) -> bool {
    scenario.istiod.is_some() && !matches!(scenario.mesh.data_plane, Some(DataPlane::None))
}

fn pod_times(
    check: &mut Check<'_>,
    typed: &typed::Pods,
    has_istiod: bool,
    probe: ReadinessProbe,
) -> PodTimes {
    let mut default = PodTimes::default();
    if has_istiod {
        default.endpoint_delay = ENDPOINT_SLICE_DELAY;
    }
    let mut cost =
        |value: &Option<crate::schema::Duration>, key, default| check.cost(value.as_ref(), key, default);
    PodTimes {
        scheduling: cost(&typed.scheduling, "scheduling", default.scheduling),
        container_start: cost(&typed.container_start, "container_start", default.container_start),
        sidecar_start: cost(&typed.sidecar_start, "sidecar_start", default.sidecar_start),
        application_start: cost(&typed.application_start, "application_start", default.application_start),
        endpoint_delay: cost(&typed.endpoint_delay, "endpoint_delay", default.endpoint_delay),
        pre_stop: cost(&typed.pre_stop, "pre_stop", default.pre_stop),
        sidecar_drain: cost(&typed.sidecar_drain, "sidecar_drain", default.sidecar_drain),
        grace: cost(&typed.termination_grace_period, "termination_grace_period", default.grace),
        hold_application: typed
            .hold_application_until_proxy_starts
            .as_ref()
            .map_or(default.hold_application, |it| *it.get_ref()),
        readiness: typed.readiness_probe.enabled.unwrap_or(true).then_some(probe),
        start_spread: spread(check, typed.start_spread.as_ref(), default.start_spread),
        pull_bits_per_second: rate(
            check,
            typed.image_pull.as_ref(),
            BitsPerSecond(default.pull_bits_per_second),
        ),
        sidecar_image_bytes: bytes(
            check,
            typed.sidecar_image_size.as_ref(),
            "sidecar_image_size",
            default.sidecar_image_bytes,
        ),
    }
}

/// When a probe asks, if there is one; what is not written is as `usual`.
fn probe(check: &mut Check<'_>, typed: &typed::ReadinessProbe, usual: ReadinessProbe) -> ReadinessProbe {
    ReadinessProbe {
        initial_delay: check.cost(typed.initial_delay.as_ref(), "initial_delay", usual.initial_delay),
        period: check.duration(typed.period.as_ref(), "period", usual.period, MILLISECOND),
    }
}

/// How the pods of services come and go that say so themselves; `usual` is the probe of all, whether there is one or not.
fn own_pods(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    of_all: &PodTimes,
    usual: ReadinessProbe,
) -> BTreeMap<ServiceId, PodTimes> {
    let written = application.services.enumerate().filter_map(|(id, service)| {
        Some((id, scenario.services.get(&service.name)?.get_ref().pods.as_ref()?.get_ref()))
    });
    let mut times = |typed: &typed::OwnPods| PodTimes {
        readiness: {
            let probe = probe(check, &typed.readiness_probe, usual);
            typed.readiness_probe.enabled.unwrap_or(of_all.readiness.is_some()).then_some(probe)
        },
        application_start: check.cost(
            typed.application_start.as_ref(),
            "application_start",
            of_all.application_start,
        ),
        pre_stop: check.cost(typed.pre_stop.as_ref(), "pre_stop", of_all.pre_stop),
        grace: check.cost(typed.termination_grace_period.as_ref(), "termination_grace_period", of_all.grace),
        ..*of_all
    };
    written.map(|(id, typed)| (id, times(typed))).collect()
}

fn controller(
    check: &mut Check<'_>,
    typed: &typed::ControllerManager,
    version: KubernetesVersion,
) -> ControllerFlags {
    let default = ControllerFlags::default();
    let tolerance = typed.hpa_tolerance.as_ref();
    let tolerance = tolerance.map(|it| bounded(check, Some(it), "a tolerance", 0.1, 0.0, 1.0));
    let mut cost =
        |value: &Option<crate::schema::Duration>, key, default| check.cost(value.as_ref(), key, default);
    ControllerFlags {
        version,
        downscale_stabilization: cost(
            &typed.hpa_downscale_stabilization,
            "hpa_downscale_stabilization",
            default.downscale_stabilization,
        ),
        tolerances: tolerance.map_or(default.tolerances, |it| Tolerances { up: it, down: it }),
        start_up: StartUp {
            cpu_initialization_period: cost(
                &typed.hpa_cpu_initialization_period,
                "hpa_cpu_initialization_period",
                default.start_up.cpu_initialization_period,
            ),
            initial_readiness_delay: cost(
                &typed.hpa_initial_readiness_delay,
                "hpa_initial_readiness_delay",
                default.start_up.initial_readiness_delay,
            ),
        },
    }
}

fn metrics(check: &mut Check<'_>, scenario: &Scenario) -> MetricsSettings {
    let default = MetricsSettings::default();
    let (typed, controller) = (&scenario.metrics_server, &scenario.controller_manager);
    // metrics-server refuses less than 10 s.
    const LEAST: u64 = 10_000_000_000;
    let resolution = check.duration(typed.resolution.as_ref(), "resolution", default.resolution, LEAST);
    let pods_window = check.duration(typed.pods_window.as_ref(), "pods_window", default.pods_window, LEAST);
    let sync = controller.hpa_sync_period.as_ref();
    let sync_period = check.duration(sync, "hpa_sync_period", default.sync_period, 1_000_000_000);
    MetricsSettings { resolution, pods_window, sync_period }
}
