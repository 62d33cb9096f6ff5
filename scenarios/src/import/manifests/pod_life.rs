//! How the pods of a workload come and go: grace, hook, probe, sidecar.
//!
//! # Source
//! Kubernetes, PodSpec and Container v1 core; defaults: a grace period of 30 s, probes every 10 s.

use super::model::Says;
use super::node::Node;
use super::object::Object;
use super::sidecars;
use toml::Value;

/// How its pods come and go, with Kubernetes' defaults.
pub(super) fn pods<'a>(object: &'a Object, pod: &'a Node) -> Vec<Says<'a>> {
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
    let probe = application.and_then(|it| it.child("readinessProbe"));
    let Some(probe) = probe else {
        say("readiness_probe.enabled", Value::Boolean(false), None);
        return all;
    };
    say("readiness_probe.enabled", Value::Boolean(true), Some(probe));
    for (yaml, key, default) in
        [("initialDelaySeconds", "initial_delay", "0s"), ("periodSeconds", "period", "10s")]
    {
        let node = probe.child(yaml);
        let value = node.map_or(Some(Value::String(default.to_owned())), time);
        value.into_iter().for_each(|value| say(&format!("readiness_probe.{key}"), value, node));
    }
    all
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
