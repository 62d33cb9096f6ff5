//! ConfigMaps: µBench's work model, which says what services do and whom they call.

use super::model::Model;
use super::node::Node;
use super::object::Object;
use crate::import::mubench;
use crate::problem::{Checked, SourceText};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What µBench's deployer calls the file.
const WORK_MODEL: &str = "workmodel.json";

/// Takes the work model, if there is one, and checks it.
///
/// # Errors
/// If it is wrong: lines count from its own beginning.
pub(super) fn apply(objects: &[Object], model: &mut Model<'_>) -> Checked<()> {
    for object in objects.iter().filter(|it| it.is("", "ConfigMap") && it.root.fate().is_none()) {
        let data = object.root.child("data");
        if let Some(mesh) = data.and_then(|it| it.child("mesh")).filter(|_| object.name.starts_with("istio"))
        {
            mesh.matters("the mesh's own configuration is not looked into: [mesh] of a scenario");
            continue;
        }
        let Some((text, node)) =
            data.and_then(|it| it.child(WORK_MODEL)).and_then(|it| Some((it.text()?, it)))
        else {
            object
                .root
                .harmless("files of containers: what they do is said by a work model or by the scenario");
            continue;
        };
        let name = format!("{WORK_MODEL} of ConfigMap {} ({})", object.name, object.at(node));
        take(object, node, text, &name, model)?;
        for (_, file) in
            data.map(Node::entries).unwrap_or_default().iter().filter(|(key, _)| **key != *WORK_MODEL)
        {
            file.harmless("files of containers");
        }
    }
    Ok(())
}

/// Takes a work model, which stands in a node and which messages call `name`.
///
/// # Errors
/// If it is wrong: lines count from its own beginning.
pub(super) fn take(
    object: &Object,
    node: &Node,
    text: &str,
    name: &str,
    model: &mut Model<'_>,
) -> Checked<()> {
    if model.workmodel.as_deref().is_some_and(|known| known != text) {
        node.wrong(
            "a second work model",
            format!("import the applications one by one, without {}", object.title()),
        );
        return Ok(());
    }
    let source = SourceText { name: name.to_owned(), text: text.to_owned() };
    model.application = mubench::read(&Arc::new(source))?.application;
    model.workmodel = Some(text.to_owned());
    Ok(())
}

/// The services that others call, by the work model.
pub(super) fn called(model: &Model<'_>) -> BTreeSet<String> {
    let application = &model.application;
    let calls = application.endpoints.iter().flat_map(|it| &it.groups).flat_map(|it| &it.calls);
    calls.map(|it| application.services[application.endpoints[it.endpoint].service].name.clone()).collect()
}
