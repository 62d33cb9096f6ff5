//! Kubernetes' HorizontalPodAutoscaler.

use crate::read::{
    flag_at, list, real_at, required, secs_at, set, signed, small, small_at, text, text_at, whole,
};
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::kubernetes::endpoint_slice::PodConditions;
use meshsim_models::kubernetes::hpa::HpaSpec;
use meshsim_models::kubernetes::hpa::controller::{Autoscaler, ControllerFlags};
use meshsim_models::kubernetes::hpa::metrics::{
    MetricResource, MetricSource, MetricSpec, PodMetric, largest,
};
use meshsim_models::kubernetes::hpa::observations::{Observations, PodReading, Readings};
use meshsim_models::kubernetes::hpa::pod_groups::{PodGroup, PodPhase, PodState, ReadyCondition, StartUp};
use meshsim_models::kubernetes::hpa::replica_calculator::{ReplicaCalculator, Tolerances};
use meshsim_models::kubernetes::hpa::scaling_policy::{
    Allowance, Behavior, ScaleEvent, ScaleEvents, ScalingPolicy, ScalingRules, SelectPolicy,
};
use meshsim_models::kubernetes::hpa::stabilization::{Recommendation, Recommendations};
use meshsim_models::kubernetes::version::NEWEST;
use serde_json::{Value, json};

/// The time 0 of the cases, so late that all they speak of lies after the start of a run.
const NOW: SimTime = SimTime::from_nanos(1_000_000_000_000_000_000);

/// Pods by name, with what is read of them, and the metrics of pods that are not there.
struct Pods<'a> {
    names: Vec<&'a str>,
    states: Vec<PodState>,
    readings: Vec<PodReading>,
    unlisted: Vec<i64>,
}

pub(crate) fn hpa_replicas(input: &Value) -> Value {
    let pods = pods(input);
    let values: Vec<_> = list(input, "values").iter().map(signed).collect();
    let metric = MetricSpec { source: source(input), target: signed(required(input, "target")) };
    let of_values = matches!(metric.source, MetricSource::Value | MetricSource::AverageValue);
    let readings = if of_values {
        Readings::Values(&values)
    } else {
        Readings::Pods { listed: &pods.readings, unlisted: &pods.unlisted }
    };
    let current = small(whole(required(input, "current_replicas")));
    let seen = Observations { status_replicas: current, pods: &pods.states, readings: &[readings] };
    let default = Tolerances::default();
    let tolerances = Tolerances {
        up: real_at(input, "tolerance_up").unwrap_or(default.up),
        down: real_at(input, "tolerance_down").unwrap_or(default.down),
    };
    let calculator = ReplicaCalculator { version: NEWEST, tolerances, start_up: start_up(input) };
    match calculator.propose(metric, readings, &seen, current, NOW) {
        Ok(proposal) => json!({"replicas": proposal.replicas, "usage": proposal.usage, "error": false}),
        Err(_) => json!({"error": true}),
    }
}

fn source(input: &Value) -> MetricSource {
    match text(required(input, "metric")) {
        "resource_utilization" => MetricSource::Utilization(resource(input)),
        "resource_value" => MetricSource::AverageUsage(resource(input)),
        "pods" => MetricSource::Pods,
        "object_value" | "external_value" => MetricSource::Value,
        "object_average" | "external_average" => MetricSource::AverageValue,
        other => panic!("`{other}` is not a metric"),
    }
}

fn resource(input: &Value) -> MetricResource {
    match text(required(input, "resource")) {
        "cpu" => MetricResource::Cpu,
        "memory" => MetricResource::Memory,
        other => panic!("`{other}` is not a resource"),
    }
}

fn start_up(input: &Value) -> StartUp {
    let default = StartUp::default();
    StartUp {
        cpu_initialization_period: secs_at(input, "cpu_initialization_period_s")
            .unwrap_or(default.cpu_initialization_period),
        initial_readiness_delay: secs_at(input, "initial_readiness_delay_s")
            .unwrap_or(default.initial_readiness_delay),
    }
}

fn pods(input: &Value) -> Pods<'_> {
    let listed = list(input, "pods");
    let names: Vec<_> = listed.iter().map(|pod| text(required(pod, "name"))).collect();
    let metrics = set(input, "metrics").and_then(Value::as_object);
    let reading = |(pod, name): (&Value, &&str)| PodReading {
        metric: metrics.and_then(|metrics| metrics.get(*name)).map(pod_metric),
        request: set(pod, "request").map(signed),
    };
    let readings = listed.iter().zip(&names).map(reading).collect();
    let others = metrics.into_iter().flatten().filter(|(name, _)| !names.contains(&name.as_str()));
    let unlisted = others.map(|(_, metric)| pod_metric(metric).value).collect();
    Pods { states: listed.iter().map(pod_state).collect(), readings, unlisted, names }
}

fn pod_metric(metric: &Value) -> PodMetric {
    PodMetric {
        value: signed(required(metric, "value")),
        timestamp: relative_at(metric, "timestamp_s").unwrap_or(NOW),
        window: secs_at(metric, "window_s").unwrap_or_default(),
    }
}

fn pod_state(pod: &Value) -> PodState {
    let phase = match text_at(pod, "phase").unwrap_or("Running") {
        "Pending" => PodPhase::Pending,
        "Running" => PodPhase::Running,
        "Succeeded" => PodPhase::Succeeded,
        "Failed" => PodPhase::Failed,
        "Unknown" => PodPhase::Unknown,
        other => panic!("`{other}` is not a phase"),
    };
    let last_transition = relative_at(pod, "last_transition_s").unwrap_or(SimTime::ZERO);
    PodState {
        phase,
        deleted: flag_at(pod, "deleted").unwrap_or(false),
        condition: flag_at(pod, "ready").map(|ready| ReadyCondition { ready, last_transition }),
        started: relative_at(pod, "start_s"),
        is_old: false,
    }
}

/// A moment in seconds after `NOW`.
fn relative_at(object: &Value, key: &str) -> Option<SimTime> {
    let nanos = |secs: f64| NOW.as_nanos().checked_add_signed((secs * 1e9).round() as i64);
    real_at(object, key).map(|secs| SimTime::from_nanos(nanos(secs).expect("a time within a run")))
}

/// The moment that was so long ago.
fn aged(object: &Value) -> SimTime {
    let age = secs_at(object, "age_s").unwrap_or_default();
    SimTime::from_nanos(NOW.as_nanos() - age.as_nanos())
}

pub(crate) fn hpa_group_pods(input: &Value) -> Value {
    let (pods, of_cpu) = (pods(input), text_at(input, "resource") == Some("cpu"));
    let group = |index: usize| {
        let metric = pods.readings[index].metric.as_ref();
        pods.states[index].group(metric, of_cpu, start_up(input), NOW)
    };
    let groups: Vec<_> = (0..pods.names.len()).map(group).collect();
    let named = |wanted: PodGroup| {
        let with_names = groups.iter().zip(&pods.names);
        with_names.filter(|(group, _)| **group == wanted).map(|(_, name)| *name).collect::<Vec<_>>()
    };
    json!({
        "ready": named(PodGroup::Ready).len(),
        "unready": named(PodGroup::Unready),
        "missing": named(PodGroup::Missing),
        "ignored": named(PodGroup::Ignored),
    })
}

pub(crate) fn hpa_metrics(input: &Value) -> Value {
    let current = small(whole(required(input, "current_replicas")));
    json!({"desired": largest(current, proposals(input)).map(|largest| largest.replicas)})
}

fn proposals(object: &Value) -> Vec<Option<i32>> {
    let replicas =
        |value: &Value| (!value.is_null()).then(|| i32::try_from(signed(value)).expect("replicas"));
    list(object, "proposals").iter().map(replicas).collect()
}

pub(crate) fn hpa_behavior(input: &Value) -> Value {
    let recommendation =
        |it: &Value| Recommendation { replicas: small(whole(required(it, "replicas"))), at: aged(it) };
    let event = |it: &Value| ScaleEvent { change: small(whole(required(it, "change"))), at: aged(it) };
    let events = |key| list(input, key).iter().map(event).collect();
    let mut autoscaler = Autoscaler::with_history(
        Recommendations::of(list(input, "recommendations").iter().map(recommendation).collect()),
        ScaleEvents { up: events("scale_up_events"), down: events("scale_down_events") },
    );
    let current = small(whole(required(input, "current_replicas")));
    let desired = i32::try_from(signed(required(input, "desired_replicas"))).expect("replicas");
    let decision = autoscaler.sync_proposals(&flags(input), &spec(input), current, [Some(desired)], NOW);
    json!({
        "stabilized": decision.stabilized,
        "replicas": decision.replicas,
        "reason": decision.reason.name(),
    })
}

pub(crate) fn hpa_timeline(input: &Value) -> Value {
    let (flags, spec, mut autoscaler) = (flags(input), spec(input), Autoscaler::default());
    let mut replicas = small(whole(required(input, "initial_replicas")));
    let mut sync = |sync: &Value| {
        let current = small_at(sync, "set_replicas").unwrap_or(replicas);
        let now = relative_at(sync, "t").expect("a time");
        replicas = autoscaler.sync_proposals(&flags, &spec, current, proposals(sync), now).replicas;
        replicas
    };
    json!({"replicas": list(input, "syncs").iter().map(&mut sync).collect::<Vec<_>>()})
}

fn flags(input: &Value) -> ControllerFlags {
    let default = ControllerFlags::default();
    ControllerFlags {
        downscale_stabilization: secs_at(input, "downscale_stabilization_s")
            .unwrap_or(default.downscale_stabilization),
        ..default
    }
}

fn spec(input: &Value) -> HpaSpec {
    let Behavior { scale_up, scale_down } = Behavior::default();
    HpaSpec {
        min_replicas: small_at(input, "min_replicas").unwrap_or(1),
        max_replicas: small(whole(required(input, "max_replicas"))),
        metrics: Vec::new(),
        behavior: set(input, "behavior").map(|behavior| Behavior {
            scale_up: rules(set(behavior, "scaleUp"), scale_up),
            scale_down: rules(set(behavior, "scaleDown"), scale_down),
        }),
    }
}

fn rules(given: Option<&Value>, default: ScalingRules) -> ScalingRules {
    let Some(given) = given else { return default };
    ScalingRules {
        stabilization_window: secs_at(given, "stabilizationWindowSeconds").or(default.stabilization_window),
        select_policy: match text_at(given, "selectPolicy") {
            None => default.select_policy,
            Some("Max") => SelectPolicy::Max,
            Some("Min") => SelectPolicy::Min,
            Some("Disabled") => SelectPolicy::Disabled,
            Some(other) => panic!("`{other}` selects no policy"),
        },
        policies: match set(given, "policies") {
            Some(_) => list(given, "policies").iter().map(policy).collect(),
            None => default.policies,
        },
        tolerance: real_at(given, "tolerance").or(default.tolerance),
    }
}

fn policy(given: &Value) -> ScalingPolicy {
    let value = small(whole(required(given, "value")));
    ScalingPolicy {
        allowance: match text(required(given, "type")) {
            "Pods" => Allowance::Pods(value),
            "Percent" => Allowance::Percent(value),
            other => panic!("`{other}` is not a type of policy"),
        },
        period: SimDuration::from_secs(whole(required(given, "periodSeconds"))),
    }
}

pub(crate) fn endpoint_conditions(input: &Value) -> Value {
    let flag = |key| flag_at(input, key).unwrap_or(false);
    let pod = PodConditions { ready: flag("pod_ready"), terminating: flag("terminating") };
    let said = pod.endpoint(flag("publish_not_ready"));
    json!({"ready": said.ready, "serving": said.serving, "terminating": said.terminating})
}
