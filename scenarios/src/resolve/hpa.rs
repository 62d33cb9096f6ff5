//! Autoscalers: what the general one, a service's and a cluster's say together.

use super::check::Check;
use super::clusters::Network;
use super::ranges::{REPLICAS_MAX, at_least_one, bounded, bounded_u32};
use crate::schema::Scenario;
use crate::schema::kubernetes::{
    Behavior as Typed, Hpa, Metric, ScalingRules as Rules, SelectPolicy as Select,
};
use crate::schema::quantity::NumberOrText;
use crate::schema::spanned::Spanned;
use meshsim_core::SimDuration;
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::hpa::scaling_policy::{
    Allowance, Behavior, ScalingPolicy, ScalingRules, SelectPolicy,
};
use meshsim_models::kubernetes::hpa::{HpaSpec, MetricResource, MetricSource, MetricSpec};
use meshsim_models::kubernetes::metrics_server::Reads;
use meshsim_models::kubernetes::settings::AutoscalerSettings;
use meshsim_models::kubernetes::version::KubernetesVersion;
use meshsim_models::units::{Cores, PerSecond};
use std::collections::BTreeMap;
use std::ops::Range;

/// Kubernetes takes at most half an hour as a policy's period.
const PERIOD_MAX: SimDuration = SimDuration::from_secs(1_800);

/// One per Deployment that has one.
pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
    version: KubernetesVersion,
) -> BTreeMap<(ClusterId, ServiceId), AutoscalerSettings> {
    let services = || application.services.iter().map(|it| it.name.as_str());
    for (name, cluster) in &scenario.clusters {
        for (service, it) in &cluster.get_ref().hpa {
            let kind = format!("service with an hpa in cluster `{name}`:");
            check.reference(service, it.span(), services(), &kind);
        }
    }
    // What is written once is looked at once.
    let general = scenario.hpa.as_ref();
    let of_services = scenario.services.values().filter_map(|it| it.get_ref().hpa.as_ref());
    let of_clusters = scenario.clusters.values().flat_map(|it| it.get_ref().hpa.values());
    general
        .into_iter()
        .chain(of_services)
        .chain(of_clusters)
        .for_each(|it| check_written(check, it.get_ref(), version));
    if !check.problems.is_empty() {
        return BTreeMap::new();
    }
    let mut autoscalers = BTreeMap::new();
    for deployment in &network.deployments {
        let service = application.services[deployment.service].name.as_str();
        let cluster = network.clusters[deployment.cluster].name.as_str();
        if scenario.services.get(service).is_some_and(|it| it.get_ref().is_external()) {
            continue;
        }
        let written = [
            scenario.clusters[cluster].get_ref().hpa.get(service),
            scenario.services.get(service).and_then(|it| it.get_ref().hpa.as_ref()),
            general,
        ];
        let Some(first) = written.iter().flatten().next() else { continue };
        let merged = merge(written.iter().flatten().map(|it| it.get_ref()));
        if merged.enabled == Some(false) {
            continue;
        }
        let whose = format!("the autoscaler of `{service}` in cluster `{cluster}`");
        if let Some((hpa, reads)) = autoscaler(check, &merged, first.span(), &whose) {
            let key = (deployment.cluster, deployment.service);
            autoscalers.insert(key, AutoscalerSettings { hpa, reads });
        }
    }
    autoscalers
}

/// The first that says something wins, key by key.
fn merge<'a>(written: impl Iterator<Item = &'a Hpa>) -> Hpa {
    written.fold(Hpa::default(), |so_far, next| Hpa {
        enabled: so_far.enabled.or(next.enabled),
        min_replicas: so_far.min_replicas.or_else(|| next.min_replicas.clone()),
        max_replicas: so_far.max_replicas.or_else(|| next.max_replicas.clone()),
        metrics: so_far.metrics.or_else(|| next.metrics.clone()),
        behavior: so_far.behavior.or_else(|| next.behavior.clone()),
    })
}

/// Everything that can be wrong with one table alone.
fn check_written(check: &mut Check<'_>, written: &Hpa, version: KubernetesVersion) {
    for (key, replicas) in [("min_replicas", &written.min_replicas), ("max_replicas", &written.max_replicas)]
    {
        if let Some(replicas) = replicas {
            at_least_one(check, replicas, key, REPLICAS_MAX);
        }
    }
    if let Some(metrics) = &written.metrics {
        if metrics.get_ref().is_empty() {
            let help = "write metrics = [{ resource = \"cpu\", utilization = 80 }]";
            check.problem("an autoscaler without a metric", metrics.span(), help);
        }
        for it in metrics.get_ref() {
            metric(check, it);
        }
    }
    if let Some(typed) = &written.behavior {
        behavior(check, typed);
        let tolerances = [&typed.scale_up, &typed.scale_down].map(|it| it.tolerance.as_ref());
        if let Some(tolerance) = tolerances.into_iter().flatten().next()
            && !version.knows_tolerance_of_behavior()
        {
            let message = format!("Kubernetes {version} does not know the tolerance of a behavior");
            let help = "take it out, write controller_manager.hpa_tolerance for all autoscalers, or raise \
                        kubernetes.version to 1.33";
            check.problem(message, tolerance.span(), help);
        }
    }
}

fn autoscaler(
    check: &mut Check<'_>,
    written: &Hpa,
    span: Range<usize>,
    whose: &str,
) -> Option<(HpaSpec, Vec<Reads>)> {
    let Some(most) = &written.max_replicas else {
        check.problem(format!("{whose} has no max_replicas"), span, "write max_replicas = 10");
        return None;
    };
    let max_replicas = *most.get_ref();
    // Kubernetes' defaults: 1, and 80 % of the requested CPU.
    let min_replicas = written.min_replicas.as_ref().map_or(1, |it| *it.get_ref());
    if min_replicas > max_replicas {
        let message = format!("{whose} has min_replicas {min_replicas} above max_replicas {max_replicas}");
        check.problem(message, most.span(), "min_replicas is at most max_replicas");
    }
    let default =
        (Reads::PodCpu, MetricSpec { source: MetricSource::Utilization(MetricResource::Cpu), target: 80 });
    let metrics: Vec<(Reads, MetricSpec)> = match &written.metrics {
        Some(listed) => listed.get_ref().iter().filter_map(|it| metric(check, it)).collect(),
        None => vec![default],
    };
    let (reads, metrics) = metrics.into_iter().unzip();
    let behavior = written.behavior.as_ref().map(|it| behavior(check, it));
    Some((HpaSpec { min_replicas, max_replicas, metrics, behavior }, reads))
}

const METRIC_HELP: &str = "write { resource = \"cpu\", utilization = 60 }, { resource = \"cpu\", average_value = \
    \"600m\" }, or { pods = \"requests_per_second\", average_value = 20 }";

fn metric(check: &mut Check<'_>, written: &Spanned<Metric>) -> Option<(Reads, MetricSpec)> {
    let (span, it) = (written.span(), written.get_ref());
    match (&it.resource, &it.pods) {
        (Some(resource), None) => of_resource(check, it, resource, span),
        (None, Some(pods)) => of_pods(check, it, pods, span),
        _ => {
            check.problem("a metric is of a resource or of pods, and of one of them", span, METRIC_HELP);
            None
        }
    }
}

fn of_resource(
    check: &mut Check<'_>,
    it: &Metric,
    resource: &Spanned<String>,
    span: Range<usize>,
) -> Option<(Reads, MetricSpec)> {
    if resource.get_ref() != "cpu" {
        let message = format!("a metric of the resource `{}` is not simulated", resource.get_ref());
        let help = "write resource = \"cpu\": what pods use of memory is not simulated";
        check.problem(message, resource.span(), help);
        return None;
    }
    let reads = match it.container.as_ref().map(|name| (name.get_ref().as_str(), name.span())) {
        None => Reads::PodCpu,
        Some(("application", _)) => Reads::ApplicationCpu,
        Some(("sidecar", _)) => Reads::SidecarCpu,
        Some((other, location)) => {
            let message = format!("there is no container `{other}`");
            check.problem(message, location, "it is \"application\" or \"sidecar\"");
            return None;
        }
    };
    match (&it.utilization, &it.average_value) {
        (Some(percent), None) => {
            let target = i64::from(bounded_u32(check, Some(percent), "utilization", 1, 1_000)?);
            Some((reads, MetricSpec { source: MetricSource::Utilization(MetricResource::Cpu), target }))
        }
        (None, Some(value)) => {
            let parse = |text: &str| text.parse::<Cores>().ok().map(|it| it.0);
            let target = amount(check, value, 1e3, parse, "\"600m\"")?;
            Some((reads, MetricSpec { source: MetricSource::AverageUsage(MetricResource::Cpu), target }))
        }
        _ => {
            check.problem("a metric has utilization or average_value, and one of them", span, METRIC_HELP);
            None
        }
    }
}

fn of_pods(
    check: &mut Check<'_>,
    it: &Metric,
    pods: &Spanned<String>,
    span: Range<usize>,
) -> Option<(Reads, MetricSpec)> {
    let (Some(value), None, None) = (&it.average_value, &it.utilization, &it.container) else {
        let message = "a metric of pods has an average_value, and neither utilization nor container";
        check.problem(message, span, METRIC_HELP);
        return None;
    };
    let (reads, target) = match pods.get_ref().as_str() {
        "requests_per_second" => {
            let parse = |text: &str| text.parse::<PerSecond>().ok().map(|it| it.0);
            (Reads::RequestsPerSecond, amount(check, value, 1e3, parse, "\"20/s\"")?)
        }
        "mean_latency" => {
            let parse = |text: &str| text.parse::<SimDuration>().ok().map(SimDuration::as_millis_f64);
            (Reads::MeanLatency, amount(check, value, 1e3, parse, "\"100ms\"")?)
        }
        "requests_in_flight" => {
            (Reads::RequestsInFlight, amount(check, value, 1e3, |text| text.parse().ok(), "8")?)
        }
        other => {
            let message = format!("there is no metric `{other}` of pods");
            let help = "it is \"requests_per_second\", \"mean_latency\" or \"requests_in_flight\"";
            check.problem(message, pods.span(), help);
            return None;
        }
    };
    Some((reads, MetricSpec { source: MetricSource::Pods, target }))
}

/// A positive amount in thousandths.
fn amount(
    check: &mut Check<'_>,
    value: &Spanned<NumberOrText>,
    scale: f64,
    parse: impl Fn(&str) -> Option<f64>,
    example: &str,
) -> Option<i64> {
    let number = match value.get_ref() {
        NumberOrText::Number(number) => Some(*number),
        NumberOrText::Text(text) => parse(text),
    };
    match number.map(|it| it * scale) {
        Some(thousandths) if (1.0..=1e15).contains(&thousandths) => Some(thousandths.round() as i64),
        _ => {
            let message = format!("{} is no average_value of this metric", value.get_ref());
            check.problem(message, value.span(), format!("write average_value = {example}"));
            None
        }
    }
}

fn behavior(check: &mut Check<'_>, typed: &Typed) -> Behavior {
    let default = Behavior::default();
    Behavior {
        scale_up: rules(check, &typed.scale_up, default.scale_up),
        scale_down: rules(check, &typed.scale_down, default.scale_down),
    }
}

fn rules(check: &mut Check<'_>, typed: &Rules, default: ScalingRules) -> ScalingRules {
    let window = typed.stabilization_window.as_ref();
    let window = window.map(|it| check.cost(Some(it), "stabilization_window", SimDuration::ZERO));
    let select_policy = match typed.select_policy {
        None | Some(Select::Max) => SelectPolicy::Max,
        Some(Select::Min) => SelectPolicy::Min,
        Some(Select::Disabled) => SelectPolicy::Disabled,
    };
    let policies = match &typed.policies {
        None => default.policies,
        Some(listed) => {
            if listed.get_ref().is_empty() {
                let help = "take the key out for Kubernetes' own, or write select_policy = \"Disabled\"";
                check.problem("a list of policies without any", listed.span(), help);
            }
            listed.get_ref().iter().filter_map(|it| policy(check, it)).collect()
        }
    };
    let tolerance = typed.tolerance.as_ref().map(|it| bounded(check, Some(it), "a tolerance", 0.1, 0.0, 1.0));
    ScalingRules { stabilization_window: window, select_policy, policies, tolerance }
}

fn policy(
    check: &mut Check<'_>,
    written: &Spanned<crate::schema::kubernetes::ScalingPolicy>,
) -> Option<ScalingPolicy> {
    let fields = written.get_ref();
    let allowance = match (&fields.pods, &fields.percent) {
        (Some(pods), None) => Allowance::Pods(at_least_one(check, pods, "pods", REPLICAS_MAX)),
        (None, Some(percent)) => Allowance::Percent(at_least_one(check, percent, "percent", 100_000)),
        _ => {
            let help = "write { pods = 4, period = \"15s\" } or { percent = 100, period = \"15s\" }";
            check.problem("a policy has pods or percent, and one of them", written.span(), help);
            return None;
        }
    };
    let period = check.duration(Some(&fields.period), "period", SimDuration::ZERO, 1_000_000_000);
    if period > PERIOD_MAX {
        let help = format!("it is 1s to {PERIOD_MAX}");
        check.problem(format!("period {period} is out of range"), fields.period.span(), help);
    }
    Some(ScalingPolicy { allowance, period })
}
