//! Exported manifests: that they come to the scenario again, that those who take them do, and what changes are said.

use super::difference::difference;
use super::{Exported, export, reason};
use crate::library;
use crate::resolved::Resolved;
use crate::scenario::Scenario;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, ResourceQuota, Service};
use meshsim_models::application::call_graph::Protocol;
use meshsim_models::world::description::Federation;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

/// The values of a table by their paths.
fn leaves(table: &Table) -> BTreeMap<String, String> {
    fn add(path: &str, value: &Value, all: &mut BTreeMap<String, String>) {
        match value {
            Value::Table(table) => {
                table.iter().for_each(|(key, value)| add(&format!("{path}.{key}"), value, all));
            }
            other => {
                all.insert(path.trim_start_matches('.').to_owned(), other.to_string());
            }
        }
    }
    let mut all = BTreeMap::new();
    add("", &Value::Table(table.clone()), &mut all);
    all
}

/// A library scenario under each of its strategies.
fn exported(name: &str) -> impl Iterator<Item = (Scenario, Option<usize>, Exported)> {
    let scenario = Scenario::open(name, &[]).unwrap();
    let strategies: Vec<Option<usize>> = match scenario.strategies().len() {
        0 => vec![None],
        count => (0..count).map(Some).collect(),
    };
    strategies.into_iter().map(move |strategy| {
        let exported = export(&scenario, strategy).unwrap_or_else(|it| panic!("{it}"));
        (scenario.clone(), strategy, exported)
    })
}

/// What a scenario comes to, whatever the order in which peerings were written. Left out are its strategy's name and that of the
/// baseline, where its keys stand and what they warn of, and what has no effect (each said below).
fn said(resolved: &Resolved) -> Vec<String> {
    let mut description = resolved.description.clone();
    if let Some(Federation::Liqo(settings)) = &mut description.federation {
        settings.peerings.sort_by(|a, b| a.name.cmp(&b.name));
    }
    // What a rule for all services says of those that no proxy stands before, and limits of what is outside, change nothing.
    let ids: Vec<_> = description.services.ids().collect();
    for id in ids {
        let settings = &mut description.services[id];
        if settings.protocol == Protocol::Udp {
            settings.traffic_policy = Default::default();
            (settings.locality, settings.hash) = (None, None);
        }
        if settings.external {
            let service = &mut description.application.services[id];
            (service.cpu_limit, service.cpu_request) = (None, None);
            description.kubernetes.workloads[id].application = Default::default();
        }
    }
    let beside = (
        (resolved.auto_warm_up, resolved.begin_at, resolved.replications, resolved.control_variates),
        (resolved.regret_horizon, &resolved.objectives, &resolved.calibration_draws, &resolved.names),
    );
    format!("{description:#?}\n{beside:#?}").lines().map(str::to_owned).collect()
}

/// `metro` is `metro-ci` with twenty times as many edges.
fn all_but_the_largest() -> impl Iterator<Item = &'static str> {
    library::names().filter(|it| *it != "metro")
}

#[test]
fn manifests_with_their_overlay_come_to_the_scenario_again() {
    let mut wrong = Vec::new();
    for name in all_but_the_largest() {
        for (scenario, strategy, exported) in exported(name) {
            let what = format!("{name}, {}", strategy.map_or("base", |it| &scenario.strategies()[it]));
            let overlay: Table = exported.overlay.parse().unwrap();
            let is_there = |cluster: &str, service: &str| {
                let title = format!("{service}-{cluster}");
                exported.manifests.iter().any(|it| it.object["metadata"]["name"] == title)
            };
            let has_object = |service: &str| exported.manifests.iter().any(|it| it.file == service);
            let misses = |path: &str, value: &str| match path.split('.').collect::<Vec<_>>().as_slice() {
                // A service that runs nowhere has no objects.
                ["services", service, ..] if !has_object(service) => false,
                ["services", _, "routes"] => !value.contains("cluster"),
                ["peerings", ..] => overlay.get("federation").is_none() && reason(path).is_none(),
                ["clusters", cluster, "hpa", service, key, ..] => {
                    *key != "metrics" && is_there(cluster, service)
                }
                _ => reason(path).is_none(),
            };
            for (path, _) in leaves(&overlay).iter().filter(|(path, value)| misses(path, value)) {
                wrong.push(format!("{what}: {path} stands in the overlay, and a manifest should say it"));
            }
            let imported = match exported.imported() {
                Ok(imported) => imported,
                Err(problems) => {
                    wrong.push(format!("{what}: {problems}"));
                    continue;
                }
            };
            let workmodel = imported.workmodel.as_deref().map(|text| ("workmodel.json", text));
            let files: Vec<(&str, &str)> = workmodel.into_iter().collect();
            let again = Scenario::from_text("scenario.toml", &imported.scenario, &files, &[]).unwrap();
            let again = match again.resolve(Some(0)) {
                Ok(again) => said(&again),
                Err(problems) => {
                    wrong.push(format!("{what}: {problems}\n{}", imported.scenario));
                    continue;
                }
            };
            let own = said(&scenario.resolve(strategy).unwrap());
            if let Some(at) = (0..own.len().max(again.len())).find(|&it| own.get(it) != again.get(it)) {
                let around = |lines: &[String]| {
                    lines[at.saturating_sub(6).min(lines.len())..(at + 3).min(lines.len())].join("\n")
                };
                wrong.push(format!("{what}:\n{}\nis\n{}", around(&own), around(&again)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn a_change_of_strategy_is_said_object_by_object() {
    let scenario = Scenario::open("fluidos-mesh-hpa", &[]).unwrap();
    let [from, to] = ["cloud-only", "s0-s3"];
    let all = difference(&scenario, from, to).unwrap();
    let titles = |listed: &[String], kind: &str| listed.iter().filter(|it| it.starts_with(kind)).count();
    assert_eq!((titles(&all.added, "Deployment"), titles(&all.removed, "Deployment")), (4, 0), "{all}");
    assert_eq!(titles(&all.added, "HorizontalPodAutoscaler"), 4, "{all}");
    assert!(all.changed.is_empty() && all.beside.is_empty(), "{all}");
    assert!(all.to_string().contains("+ Deployment fluidosmesh/s0-edge1 (edge1/s0.yaml)\n"), "{all}");
    assert_eq!(difference(&scenario, from, from).unwrap().to_string(), "nothing changes\n");
    let canary = Scenario::open("access-control", &[]).unwrap();
    let all = difference(&canary, "permissive", "no-mtls").unwrap();
    assert_eq!(all.to_string(), "~ what no manifest says\n    mesh.mtls: nothing -> false\n");
}

/// kubernetes-validate and Istio's and Liqo's own definitions take every object, with no field that they do not know.
#[test]
#[allow(clippy::print_stdout)] // It says what it skips.
fn kubernetes_istio_and_liqo_take_every_object() {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let definitions =
        std::env::var_os("MESHSIM_SHARED").map_or(default, PathBuf::from).join("reference/crds");
    if !definitions.is_dir() {
        println!(
            "skipped: kubernetes_istio_and_liqo_take_every_object, for want of {}",
            definitions.display()
        );
        return;
    }
    let Some(python) = std::env::var_os("MESHSIM_JUDGE") else {
        println!("skipped: kubernetes_istio_and_liqo_take_every_object, for want of MESHSIM_JUDGE");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut count = 0;
    for name in all_but_the_largest().filter(|it| *it != "metro-ci") {
        for (_, strategy, exported) in exported(name) {
            for (path, text) in exported.files().into_iter().filter(|(path, _)| path.ends_with(".yaml")) {
                let path = directory.path().join(format!("{name}-{}", strategy.unwrap_or(0))).join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
                count += 1;
            }
        }
    }
    // One that is misspelt, so that a judge who takes anything is seen.
    let wrong = directory.path().join("wrong.yaml");
    std::fs::write(
        &wrong,
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {app: a}, port: []}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: a, trafficPolicy: {outlierDetections: {}}}\n",
    )
    .unwrap();
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge.py");
    let judged = Command::new(python).arg(judge).arg(&definitions).arg(directory.path()).output().unwrap();
    let said =
        String::from_utf8_lossy(&judged.stdout).into_owned() + &String::from_utf8_lossy(&judged.stderr);
    let (refused, rest): (Vec<&str>, Vec<&str>) = said.lines().partition(|it| it.contains("wrong.yaml"));
    assert_eq!(refused.len(), 2, "{said}");
    // Every name was misspelt once, in lists too: only where people choose the names is that taken.
    let free = [
        "AuthorizationPolicy.spec.selector.matchLabels",
        "ConfigMap.data",
        "Deployment.metadata.labels",
        "Deployment.spec.selector.matchLabels",
        "Deployment.spec.template.metadata.annotations",
        "Deployment.spec.template.metadata.labels",
        "Deployment.spec.template.spec.containers.resources.limits",
        "Deployment.spec.template.spec.containers.resources.requests",
        "DestinationRule.spec.subsets.labels",
        "Gateway.spec.selector",
        "Namespace.metadata.labels",
        "ResourceSlice.spec.resources",
        "Service.metadata.labels",
        "Service.spec.selector",
    ];
    let (taken, sum): (Vec<&str>, Vec<&str>) =
        rest.iter().partition(|it| it.starts_with("any name is taken in "));
    let taken: Vec<&str> = taken.iter().filter_map(|it| it.strip_prefix("any name is taken in ")).collect();
    assert_eq!(taken, free, "{said}");
    assert!(sum.len() == 1 && sum[0].ends_with("2 refused"), "{count} files: {said}");
}

/// An object as its type has it.
fn again<T: serde::Serialize + serde::de::DeserializeOwned>(
    object: &Json,
) -> Result<Json, serde_json::Error> {
    serde_json::to_value(serde_json::from_value::<T>(object.clone())?)
}
/// What one has and the other has not, by its path.
fn lost(before: &Json, after: &Json, path: &str) -> Option<String> {
    match (before, after) {
        (Json::Object(before), Json::Object(after)) => before
            .iter()
            .find_map(|(key, it)| lost(it, after.get(key).unwrap_or(&Json::Null), &format!("{path}.{key}"))),
        (Json::Array(before), Json::Array(after)) if before.len() == after.len() => {
            before.iter().zip(after).find_map(|(before, after)| lost(before, after, &format!("{path}[]")))
        }
        _ => (before != after).then(|| format!("{path}: {before} became {after}")),
    }
}

/// Kubernetes' API as Rust types, a second judge that needs nothing installed: they hold every field of every object of Kubernetes, as
/// it is written.
#[test]
fn the_types_of_kubernetes_hold_every_field() {
    let judged = |object: &Json| {
        let again = match (object["apiVersion"].as_str()?, object["kind"].as_str()?) {
            ("apps/v1", "Deployment") => again::<Deployment>(object),
            ("apps/v1", "StatefulSet") => again::<StatefulSet>(object),
            ("autoscaling/v2", "HorizontalPodAutoscaler") => again::<HorizontalPodAutoscaler>(object),
            ("v1", "ConfigMap") => again::<ConfigMap>(object),
            ("v1", "Namespace") => again::<Namespace>(object),
            ("v1", "Node") => again::<Node>(object),
            ("v1", "ResourceQuota") => again::<ResourceQuota>(object),
            ("v1", "Service") => again::<Service>(object),
            (version, kind) => {
                let others = [".istio.io/", "liqo.io/", "gateway.networking.k8s.io/"];
                let is_of_others = others.iter().any(|it| version.contains(it));
                assert!(is_of_others, "who judges {version} {kind}?");
                return None;
            }
        };
        Some(
            again
                .map_err(|error| error.to_string())
                .and_then(|again| lost(object, &again, "").map_or(Ok(()), Err)),
        )
    };
    let mut count = 0;
    for name in all_but_the_largest() {
        for (_, _, exported) in exported(name) {
            for it in &exported.manifests {
                if let Some(found) = judged(&it.object) {
                    assert_eq!(found, Ok(()), "{name}: {} {}", it.path(), it.object);
                    count += 1;
                }
            }
        }
    }
    assert!(count > 1_000, "{count}");
    // What is misspelt, or of another type, is seen.
    let wrong = |text: &str| judged(&serde_json::from_str(text).unwrap()).unwrap().unwrap_err();
    let port =
        wrong(r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"port": []}}"#);
    assert_eq!(port, ".spec.port: [] became null");
    wrong(r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {"replicas": "two"}}"#);
}
