//! Work models of µBench and the parameters of its generators, as files beside manifests.
//!
//! # Models
//! A file in JSON that is no object of Kubernetes and has services with `internal_service` is a work model; ServiceGraphParameters
//! and WorkModelParameters are drawn from together, and a graph that was drawn already may stand in for the first.
//!
//! # Source
//! µBench, `Docs/Manual.md`.

use super::content::{GRAPH, GROUP, MODEL};
use super::model::Model;
use super::node::Node;
use super::object::Object;
use crate::import::mubench::generator;
use crate::problem::Checked;
use serde_json::{Map, Value as Json};

/// Takes a work model from a file, or draws one.
///
/// # Errors
/// If it is wrong.
pub(super) fn apply(objects: &[Object], seed: u64, model: &mut Model<'_>) -> Checked<()> {
    let of = |kind: &str| objects.iter().find(|it| it.is(GROUP, kind) && it.root.fate().is_none());
    for object in objects.iter().filter(|it| it.is(GROUP, "WorkModel")) {
        object.root.used();
        super::config_maps::take(object, &object.root, object.text(), object.source_name(), model)?;
    }
    let Some(parameters) = of(MODEL) else {
        for (kind, help) in [
            (GRAPH, "import its WorkModelParameters, too"),
            ("ServiceGraph", "import WorkModelParameters, too"),
        ] {
            of(kind)
                .into_iter()
                .for_each(|it| it.root.wrong("a service graph says nothing of what services do", help));
        }
        return Ok(());
    };
    let json = |object: &Object, key: &str| -> Option<Json> {
        let all: Json = serde_json::from_str(object.text())
            .map_err(|error| {
                object.root.wrong(format!("this is no JSON: {error}"), "as µBench's generators read it");
            })
            .ok()?;
        if key.is_empty() { Some(all) } else { all.get(key).cloned() }
    };
    let graph = match (of("ServiceGraph"), of(GRAPH)) {
        (Some(drawn), _) => {
            drawn.root.used();
            json(drawn, "").and_then(|it| it.as_object().cloned())
        }
        (None, Some(recipe)) => {
            mark(
                recipe,
                GRAPH,
                &[
                    "vertices",
                    "external_service_groups",
                    "power",
                    "seq_len",
                    "zero_appeal",
                    "service_probability",
                    "dbs",
                ],
            );
            let drawn = json(recipe, GRAPH).map(|it| generator::service_graph(&it, seed));
            said(recipe, drawn)
        }
        (None, None) => {
            parameters.root.wrong(
                "these parameters are of a graph that is not there",
                "import its ServiceGraphParameters, too",
            );
            None
        }
    };
    let Some(graph) = graph else { return Ok(()) };
    let root = parameters.root.child(MODEL);
    root.into_iter().for_each(|it| it.entries().iter().for_each(|(key, it)| function(key, it)));
    parameters.root.child("OutputPath").into_iter().for_each(|it| it.harmless("it is about what is written"));
    let drawn = json(parameters, MODEL).map(|it| generator::work_model(&graph, &it, seed));
    let Some(drawn) = said(parameters, drawn) else { return Ok(()) };
    model.assumed.push(format!("what µBench's generators draw, with seed {seed}: --seed says another"));
    let text = serde_json::to_string_pretty(&Json::Object(drawn)).unwrap_or_default() + "\n";
    super::config_maps::take(parameters, &parameters.root, &text, "the work model that was drawn", model)
}

/// Says what is wrong where it is.
fn said(object: &Object, drawn: Option<Result<Map<String, Json>, String>>) -> Option<Map<String, Json>> {
    match drawn? {
        Ok(drawn) => Some(drawn),
        Err(message) => {
            object.root.wrong(message, "as µBench's generators take it");
            None
        }
    }
}

/// Marks what is drawn from.
fn mark(object: &Object, key: &str, known: &[&str]) {
    let Some(parameters) = object.root.child(key) else { return };
    known.iter().filter_map(|key| parameters.child(key)).for_each(Node::used);
    for key in ["OutputPath", "OutputFile"] {
        object.root.child(key).into_iter().for_each(|it| it.harmless("it is about what is written"));
    }
}

/// Marks a function or a setting of a work model's parameters.
fn function(key: &str, node: &Node) {
    match (key, node.child("type").and_then(Node::text)) {
        (_, Some("function")) | ("request_method" | "databases_prefix", _) => node.used(),
        ("override", _) => {
            let of_services = node.child("value").map(Node::entries).unwrap_or_default();
            for (_, own) in of_services {
                own.child("function_id").into_iter().for_each(Node::used);
                own.child("sidecar")
                    .into_iter()
                    .for_each(|it| it.matters("a pod has one container beside its sidecar"));
            }
        }
        ("ServiceGraphFilePath" | "OutputPath" | "OutputFile", _) => {
            node.harmless("it is about what is written");
        }
        _ => {}
    }
}
