//! Services, Deployments and their autoscalers, namespaces, and the work model.

use super::mesh::{policies_of_several, selected_by};
use super::objects::{APP, Exporter, Manifest, SHARED, asked, node_term, object, push, zone_label};
use crate::import::manifests::autoscalers::{HPA, OF_PODS};
use crate::import::manifests::services::WAYPOINT;
use crate::import::manifests::sidecars::{PROXY_CONFIG, PROXY_CPU, PROXY_MEMORY};
use crate::import::manifests::translate::{as_go_duration, find, put_json, whole_seconds, written};
use meshsim_core::SimDuration;
use meshsim_models::units::{Cores, PerSecond};
use meshsim_models::world::description::{DEFAULT_NAMESPACE, Federation};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// The label of the pods of one Deployment.
const OWN: &str = "app-t";

/// The port of a Service, and that at which pods listen.
const PORTS: (u16, u16) = (80, 8080);

/// µBench's cell.
const CELL_IMAGE: &str = "msvcbench/microservice_v5-screen:latest";

/// Adds what Kubernetes is told.
pub(super) fn add(exporter: &Exporter<'_>, work_model: Option<&str>, all: &mut Vec<Manifest>) {
    namespaces(exporter, all);
    let mut with_model = BTreeSet::new();
    for name in exporter.fronts().filter(|it| !exporter.is_external(it)) {
        push(all, SHARED, name, service(exporter, name));
        with_model.insert(exporter.namespace(name));
    }
    if let Some(text) = work_model {
        for namespace in with_model {
            let mut map = object("v1", "ConfigMap", Some(namespace), "workmodel", None);
            map["data"] = json!({ "workmodel.json": text });
            push(all, SHARED, "workmodel", map);
        }
    }
    for cluster in exporter.clusters.keys() {
        for name in exporter.running(cluster) {
            push(all, cluster, name, deployment(exporter, cluster, name, work_model.is_some()));
            if let Some(hpa) = exporter.of_cluster(cluster, "hpa", name).and_then(Value::as_table) {
                push(all, cluster, name, autoscaler(exporter, cluster, name, hpa));
            }
        }
    }
}

/// The namespaces, with whether their pods get sidecars.
fn namespaces(exporter: &Exporter<'_>, all: &mut Vec<Manifest>) {
    let plane = find(exporter.whole, "mesh.data_plane").and_then(Value::as_str);
    let names: BTreeSet<&str> = exporter.fronts().map(|it| exporter.namespace(it)).collect();
    for name in names {
        let injection =
            exporter.whole.get("namespaces").and_then(|it| it.get(name)?.get("injection")?.as_bool());
        let label = match plane {
            Some("ambient") => Some(("istio.io/dataplane-mode", "ambient")),
            Some("sidecar") if injection == Some(false) => Some(("istio-injection", "disabled")),
            Some("sidecar") => Some(("istio-injection", "enabled")),
            _ => None,
        };
        if name == DEFAULT_NAMESPACE && label.is_none() {
            continue;
        }
        let mut namespace = object("v1", "Namespace", None, name, None);
        if let Some((key, value)) = label {
            namespace["metadata"]["labels"] = json!({ key: value });
        }
        push(all, SHARED, "namespaces", namespace);
    }
}

fn service(exporter: &Exporter<'_>, name: &str) -> Json {
    let spoken = exporter.word(name, "protocol").unwrap_or("http1");
    let port_name = if spoken == "http1" { "http" } else { spoken };
    let transport = if spoken == "udp" { "UDP" } else { "TCP" };
    let port = json!({ "name": port_name, "port": PORTS.0, "targetPort": PORTS.1, "protocol": transport });
    let mut spec = json!({ "selector": { APP: name }, "ports": [port] });
    if let Some(it) = exporter.word(name, "traffic_distribution") {
        spec["trafficDistribution"] = json!(it);
    }
    let mut service = object("v1", "Service", Some(exporter.namespace(name)), name, Some(spec));
    let mut labels = Map::from_iter([(APP.to_owned(), json!(name))]);
    if exporter.service(name).is_some_and(|it| it.get("waypoint") == Some(&Value::Boolean(true))) {
        labels.insert(WAYPOINT.to_owned(), json!("waypoint"));
    }
    service["metadata"]["labels"] = Json::Object(labels);
    service
}

fn title(cluster: &str, name: &str) -> String {
    format!("{name}-{cluster}")
}

fn deployment(exporter: &Exporter<'_>, cluster: &str, name: &str, has_work_model: bool) -> Json {
    let title = title(cluster, name);
    let front = exporter.front(name);
    let own = exporter.service(name);
    let replicas = exporter.of_cluster(cluster, "replicas", name).and_then(Value::as_integer).unwrap_or(1);
    let mut spec = json!({
        "replicas": replicas,
        "selector": { "matchLabels": { APP: front, OWN: title } },
    });
    let update = own.and_then(|it| it.get("rolling_update")?.as_table());
    for (toml, yaml) in [("max_surge", "maxSurge"), ("max_unavailable", "maxUnavailable")] {
        if let Some(count) = update.and_then(|it| it.get(toml)) {
            spec["strategy"]["type"] = json!("RollingUpdate");
            spec["strategy"]["rollingUpdate"][yaml] = scalar(count);
        }
    }
    let mut metadata = json!({ "labels": labels(exporter, name, front, &title) });
    let annotations = annotations(exporter);
    if !annotations.is_empty() {
        metadata["annotations"] = Json::Object(annotations);
    }
    spec["template"] = json!({
        "metadata": metadata,
        "spec": pod(exporter, cluster, name, has_work_model),
    });
    let mut deployment = object("apps/v1", "Deployment", Some(exporter.namespace(name)), &title, Some(spec));
    deployment["metadata"]["labels"] = json!({ APP: front });
    deployment
}

fn labels(exporter: &Exporter<'_>, name: &str, front: &str, title: &str) -> Map<String, Json> {
    let own = exporter.service(name);
    let written = own.and_then(|it| it.get("labels")?.as_table()).into_iter().flatten();
    let mut labels: Map<String, Json> =
        written.filter_map(|(key, value)| Some((key.clone(), json!(value.as_str()?)))).collect();
    labels.extend([(APP.to_owned(), json!(front)), (OWN.to_owned(), json!(title))]);
    if let Some(sidecar) = own.and_then(|it| it.get("sidecar")?.as_bool()) {
        labels.insert("sidecar.istio.io/inject".to_owned(), json!(sidecar.to_string()));
    }
    // A policy selects by labels that all must have: of several services it has one of its own.
    for policy in policies_of_several(exporter, front) {
        labels.insert(selected_by(policy), json!("true"));
    }
    labels
}

/// What the sidecars of all pods are told.
fn annotations(exporter: &Exporter<'_>) -> Map<String, Json> {
    let mut all = Map::new();
    let word = |path: &str| find(exporter.whole, path).and_then(Value::as_str);
    for (path, key) in
        [("mesh.sidecar.requests.cpu", PROXY_CPU), ("mesh.sidecar.requests.memory", PROXY_MEMORY)]
    {
        all.extend(word(path).map(|text| (key.to_owned(), json!(text))));
    }
    let mut config: BTreeMap<&str, String> = BTreeMap::new();
    if let Some(workers) = find(exporter.whole, "mesh.sidecar.concurrency").and_then(Value::as_integer) {
        config.insert("concurrency", workers.to_string());
    }
    if let Some(drain) = word("pods.sidecar_drain").and_then(|it| it.parse::<SimDuration>().ok()) {
        config.insert("terminationDrainDuration", as_go_duration(drain));
    }
    if find(exporter.whole, "pods.hold_application_until_proxy_starts") == Some(&Value::Boolean(true)) {
        config.insert("holdApplicationUntilProxyStarts", "true".to_owned());
    }
    if !config.is_empty() {
        let text: String = config.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
        all.insert(PROXY_CONFIG.to_owned(), json!(text));
    }
    all
}

fn pod(exporter: &Exporter<'_>, cluster: &str, name: &str, has_work_model: bool) -> Json {
    let own = exporter.service(name);
    let image = own.and_then(|it| find(it, "image.name")?.as_str());
    let image = match (image, has_work_model) {
        (Some(image), _) => image.to_owned(),
        (None, true) => CELL_IMAGE.to_owned(),
        (None, false) => format!("{name}:latest"),
    };
    let mut container = Map::from_iter([
        ("name".to_owned(), json!(name)),
        ("image".to_owned(), json!(image)),
        ("ports".to_owned(), json!([{ "containerPort": PORTS.1 }])),
    ]);
    for path in ["requests.cpu", "requests.memory", "limits.cpu"] {
        let amount = own.and_then(|it| find(it, &format!("resources.{path}"))?.as_str());
        if let Some(amount) = amount.and_then(quantity) {
            put_json(&mut container, &format!("resources.{path}"), json!(amount));
        }
    }
    lifecycle(exporter, own, &mut container);
    let mut term = vec![zone_label(zones(exporter, cluster, name).into_iter())];
    term.extend(asked(own.and_then(|it| it.get("node_selector")?.as_table())));
    let mut pod = Map::new();
    put_json(
        &mut pod,
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
        json!([node_term(term.into_iter())]),
    );
    let grace =
        of_pods(exporter, own, "pods.termination_grace_period").and_then(Value::as_str).unwrap_or("30s");
    if let Some(seconds) = whole_seconds(grace) {
        pod.insert("terminationGracePeriodSeconds".to_owned(), json!(seconds));
    }
    let taints = own.and_then(|it| it.get("tolerations")?.as_array());
    if let Some(taints) = taints {
        let taints: Vec<Json> = taints.iter().filter_map(Value::as_str).filter_map(toleration).collect();
        pod.insert("tolerations".to_owned(), Json::Array(taints));
    }
    if has_work_model {
        let volume = json!({ "name": "workmodel", "configMap": { "name": "workmodel" } });
        pod.insert("volumes".to_owned(), json!([volume]));
        container.insert("env".to_owned(), json!([{ "name": "APP", "value": name }]));
        let mount = json!({ "name": "workmodel", "mountPath": "/app/MSConfig" });
        container.insert("volumeMounts".to_owned(), json!([mount]));
    }
    pod.insert("containers".to_owned(), json!([container]));
    Json::Object(pod)
}

/// The zones in which its pods may run: their cluster's, and those of providers if they are offloaded.
fn zones(exporter: &Exporter<'_>, cluster: &str, name: &str) -> BTreeSet<String> {
    let description = exporter.description;
    let mut all: BTreeSet<String> = exporter.clusters[cluster].iter().cloned().collect();
    if let Some(Federation::Liqo(settings)) = &description.federation
        && let (Some(offloading), Some(number)) = (&settings.offloading, exporter.number(name))
        && offloading.services.contains(&number)
    {
        for it in settings.peerings.iter().filter(|it| description.clusters[it.consumer].name == cluster) {
            all.extend(exporter.clusters[&description.clusters[it.provider].name].iter().cloned());
        }
    }
    all
}

/// How the pods of a service come and go, or those of all.
fn of_pods<'t>(exporter: &'t Exporter<'_>, own: Option<&'t Table>, path: &str) -> Option<&'t Value> {
    own.and_then(|it| find(it, path)).or_else(|| find(exporter.whole, path))
}

/// The probe and the hook of pods.
fn lifecycle(exporter: &Exporter<'_>, own: Option<&Table>, container: &mut Map<String, Json>) {
    let value = |path: &str| of_pods(exporter, own, path);
    let seconds = |path: &str| value(path).and_then(Value::as_str).and_then(whole_seconds);
    if let Some(hook) = seconds("pods.pre_stop").filter(|it| *it > 0) {
        put_json(container, "lifecycle.preStop.sleep.seconds", json!(hook));
    }
    if value("pods.readiness_probe.enabled") == Some(&Value::Boolean(false)) {
        return;
    }
    put_json(container, "readinessProbe.tcpSocket.port", json!(PORTS.1));
    for (key, field) in [("initial_delay", "initialDelaySeconds"), ("period", "periodSeconds")] {
        if let Some(seconds) = seconds(&format!("pods.readiness_probe.{key}")) {
            put_json(container, &format!("readinessProbe.{field}"), json!(seconds));
        }
    }
}

/// `key=value:Effect`, as a scenario writes a taint that is not minded.
fn toleration(text: &str) -> Option<Json> {
    let (label, effect) = text.rsplit_once(':')?;
    Some(match label.split_once('=') {
        Some((key, value)) => json!({ "key": key, "operator": "Equal", "value": value, "effect": effect }),
        None => json!({ "key": label, "operator": "Exists", "effect": effect }),
    })
}

/// A quantity as Kubernetes writes it: there are no bytes and cores in words.
fn quantity(text: &str) -> Option<String> {
    let short = text.trim().trim_end_matches("cores").trim_end_matches("core").trim_end_matches('B').trim();
    let short = short.replace("kB", "k").replace(' ', "");
    let digits = short.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    (digits.parse::<f64>().is_ok() && !digits.contains(['e', 'E'])).then_some(short)
}

fn scalar(value: &Value) -> Json {
    match value {
        Value::Integer(number) => json!(number),
        Value::Float(number) => json!(*number as i64),
        other => json!(other.as_str()),
    }
}

fn autoscaler(exporter: &Exporter<'_>, cluster: &str, name: &str, hpa: &Table) -> Json {
    let mut spec = written(hpa, HPA);
    let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": title(cluster, name) });
    spec.insert("scaleTargetRef".to_owned(), target);
    for (key, yaml) in [("scale_up", "scaleUp"), ("scale_down", "scaleDown")] {
        if let Some(policies) = find(hpa, &format!("behavior.{key}.policies")).and_then(Value::as_array) {
            let listed: Vec<Json> = policies.iter().filter_map(policy).collect();
            put_json(&mut spec, &format!("behavior.{yaml}.policies"), Json::Array(listed));
        }
    }
    if let Some(metrics) = hpa.get("metrics").and_then(Value::as_array) {
        let listed: Vec<Json> = metrics.iter().filter_map(|it| metric(it, name)).collect();
        spec.insert("metrics".to_owned(), Json::Array(listed));
    }
    let (api, kind) = ("autoscaling/v2", "HorizontalPodAutoscaler");
    object(api, kind, Some(exporter.namespace(name)), &title(cluster, name), Some(Json::Object(spec)))
}

fn policy(policy: &Value) -> Option<Json> {
    let period = whole_seconds(policy.get("period")?.as_str()?)?;
    let number = |key: &str| policy.get(key).and_then(Value::as_integer);
    let (kind, value) = match (number("pods"), number("percent")) {
        (Some(pods), _) => ("Pods", pods),
        (None, percent) => ("Percent", percent?),
    };
    Some(json!({ "type": kind, "value": value, "periodSeconds": period }))
}

fn metric(metric: &Value, name: &str) -> Option<Json> {
    if let Some(of_pods) = metric.get("pods").and_then(Value::as_str) {
        let amount = amount(of_pods, metric.get("average_value")?)?;
        let target = json!({ "type": "AverageValue", "averageValue": amount });
        return Some(json!({ "type": "Pods", "pods": { "metric": { "name": of_pods }, "target": target } }));
    }
    let resource = metric.get("resource")?.as_str()?;
    let percent = metric.get("utilization").and_then(Value::as_integer);
    let target = match percent {
        Some(percent) => json!({ "type": "Utilization", "averageUtilization": percent }),
        None => {
            let amount = metric.get("average_value")?;
            let amount = amount.as_str().map(str::to_owned).unwrap_or_else(|| amount.to_string());
            json!({ "type": "AverageValue", "averageValue": quantity(&amount)? })
        }
    };
    Some(match metric.get("container").and_then(Value::as_str) {
        None => json!({ "type": "Resource", "resource": { "name": resource, "target": target } }),
        Some(container) => {
            let container = if container == "sidecar" { "istio-proxy" } else { name };
            let source = json!({ "name": resource, "container": container, "target": target });
            json!({ "type": "ContainerResource", "containerResource": source })
        }
    })
}

/// An amount of a metric of pods as a quantity; latencies are in seconds.
fn amount(name: &str, value: &Value) -> Option<String> {
    if !OF_PODS.contains(&name) {
        return None;
    }
    let number = match value {
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        Value::String(text) if name == "requests_per_second" => text.parse::<PerSecond>().ok()?.0,
        Value::String(text) if name == "mean_latency" => {
            text.parse::<SimDuration>().ok()?.as_secs_f64() * 1e3
        }
        other => other.as_str()?.parse::<Cores>().ok()?.0,
    };
    let milli = if name == "mean_latency" { number } else { number * 1e3 };
    let is_whole = (milli - milli.round()).abs() < 1e-9;
    is_whole.then(|| match (milli / 1e3).fract() == 0.0 {
        true => format!("{}", milli / 1e3),
        false => format!("{}m", milli.round()),
    })
}
