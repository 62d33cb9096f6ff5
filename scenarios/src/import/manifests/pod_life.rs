//! How the pods of a workload come and go: grace, hook, probe, sidecar.
//!
//! # Models
//! A startup probe asks first; once it is answered the readiness probe is asked at once. So a pod is ready at the first startup
//! probe that comes after its start, and not before the delay of its readiness probe is over.
//!
//! # Source
//! kubernetes/kubernetes `pkg/kubelet/prober/prober_manager.go` (`UpdatePodStatus` triggers readiness probes of a container that
//! has started). Kubernetes, PodSpec and Container v1 core; defaults: a grace period of 30 s, probes every 10 s.

use super::model::Says;
use super::node::Node;
use super::object::Object;
use super::overlay::Overlay;
use super::sidecars;
use meshsim_core::SimDuration;
use meshsim_models::kubernetes::settings::PodTimes;
use toml::Value;

/// How its pods come and go, with Kubernetes' defaults.
pub(super) fn pods<'a>(object: &'a Object, pod: &'a Node, overlay: &Overlay) -> Vec<Says<'a>> {
    let mut all = sidecars::says(object);
    let mut say = |key: &str, value: Value, node| all.push(Says { key: format!("pods.{key}"), value, node });
    let time = |node: &Node| node.seconds().map(|it| Value::String(it.to_string()));
    let grace = pod.child("terminationGracePeriodSeconds");
    let value = grace.map_or(Some(Value::String("30s".to_owned())), time);
    value.into_iter().for_each(|value| say("termination_grace_period", value, grace));
    let application = pod.child("containers").and_then(|it| it.items().first());
    let hook = application.and_then(|it| it.get("lifecycle.preStop"));
    match hook.map(pre_stop) {
        None => say("pre_stop", Value::String("0s".to_owned()), None),
        Some(Some(value)) => say("pre_stop", value, hook),
        Some(None) => {
            if let Some(hook) = hook {
                hook.matters("how long this hook takes is not known: `sleep` is");
            }
        }
    }
    let [readiness, startup] = ["readinessProbe", "startupProbe"].map(|it| application?.child(it));
    let startup = startup.filter(|it| outlasts_start(it, overlay));
    if let Some(probe) = application.and_then(|it| it.child("startupProbe")).filter(|_| startup.is_none()) {
        probe.matters("it may end a start of which the overlay or its own numbers say that it takes longer");
    }
    if readiness.is_none() && startup.is_none() {
        say("readiness_probe.enabled", Value::Boolean(false), None);
        return all;
    }
    say("readiness_probe.enabled", Value::Boolean(true), readiness.or(startup));
    // Once the startup probe has its answer readiness is asked for at once: until then its own times hold.
    if let Some(node) = readiness.filter(|_| startup.is_some()).and_then(|it| it.child("periodSeconds")) {
        node.harmless("it is asked as soon as the startup probe is answered, which is known then");
    }
    let first = startup.or(readiness);
    let period = first.and_then(|it| it.child("periodSeconds"));
    let delays = [readiness, startup].into_iter().flatten().filter_map(|it| it.child("initialDelaySeconds"));
    let delay = delays.max_by_key(|it| it.seconds());
    for (key, node, default) in [("initial_delay", delay, "0s"), ("period", period, "10s")] {
        let value = node.map_or(Some(Value::String(default.to_owned())), time);
        value.into_iter().for_each(|value| say(&format!("readiness_probe.{key}"), value, node));
    }
    all
}

/// Whether a probe that ends a start is still patient when an application answers: it tries so often, with so much between.
pub(super) fn outlasts_start(probe: &Node, overlay: &Overlay) -> bool {
    let number = |key: &str, default: u32| {
        let written = probe.child(key).map(|it| match &it.value {
            super::node::Value::Scalar(text) => text.parse().unwrap_or(0),
            _ => 0,
        });
        u64::from(written.unwrap_or(default))
    };
    let tries = number("periodSeconds", 10) * number("failureThreshold", 3);
    let patience = SimDuration::from_secs(number("initialDelaySeconds", 0) + tries);
    !overlay.says_start() && patience > PodTimes::default().application_start
}

/// How long a hook sleeps: `sleep: {seconds: 5}`, or `exec` of `sleep 5`, in a shell or not.
fn pre_stop(hook: &Node) -> Option<Value> {
    if let Some(seconds) = hook.get("sleep.seconds") {
        return seconds.seconds().map(|it| Value::String(it.to_string()));
    }
    let words: Vec<&str> = hook
        .get("exec.command")?
        .items()
        .iter()
        .filter_map(Node::text)
        .flat_map(str::split_whitespace)
        .collect();
    let rest = match words.as_slice() {
        ["sh" | "/bin/sh" | "bash" | "/bin/bash", "-c", rest @ ..] => rest,
        all => all,
    };
    match rest {
        ["sleep" | "/bin/sleep", seconds] => {
            let seconds = seconds.strip_suffix('s').unwrap_or(seconds);
            seconds.parse::<u32>().ok().map(|it| Value::String(format!("{it}s")))
        }
        _ => None,
    }
}
