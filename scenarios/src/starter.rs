//! A first scenario of one's own, to be changed: written by `meshsim init`.
//!
//! # Models
//! A cloud that runs every service, an edge, a link, users at the edge and three strategies: nothing at the edge, the
//! services that users call, and all. The application is one of three services written out, or a work model that
//! lies beside the file. What was made up stands there as a number with a comment.

use crate::import::mubench;
use crate::problem::{Checked, SourceText};
use crate::scenario::{read_text, relative};
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::ServiceId;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// Between these lines stands the application of three services.
const BEGIN: &str = "# application: begin\n";
const END: &str = "# application: end\n";
const TEXT: &str = include_str!("../library/starter.toml");

/// The scenario with an application of its own.
///
/// # Panics
/// Never: what it is made of is part of the program.
#[must_use]
pub fn own_application() -> String {
    let (head, application, rest) = parts();
    format!("{head}{application}{rest}")
}

/// The scenario of a work model.
#[derive(Debug)]
pub struct OfWorkModel {
    /// Its text.
    pub text: String,
    /// The services that no other one calls: users call the first.
    pub entries: Vec<String>,
}

/// The scenario of the work model in the file `model`, to stand in the file `scenario`.
///
/// # Errors
/// If the work model cannot be read, or is none.
pub fn of_work_model(model: &Path, scenario: &Path) -> Checked<OfWorkModel> {
    let source = SourceText { name: model.display().to_string(), text: read_text(model)? };
    let application = mubench::read(&Arc::new(source))?.application;
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let path = relative(&whole(model), whole(scenario).parent().unwrap_or(Path::new("/")));
    let entries = entries(&application).into_iter().map(|id| application.services[id].name.clone());
    let entries: Vec<String> = entries.collect();
    Ok(OfWorkModel { text: with_work_model(&path, &application, &entries), entries })
}

fn with_work_model(path: &str, application: &Application, entries: &[String]) -> String {
    let (head, _, rest) = parts();
    let names: Vec<&str> = application.services.iter().map(|service| service.name.as_str()).collect();
    let names = names.join(", ").replace(char::is_control, " ");
    let mut text = format!("{head}# What the services do and call is in the work model: {names}.\n");
    let _ = write!(text, "[application]\nworkmodel = {}\n", quoted(path));
    if application.services.iter().all(|service| service.cpu_limit.is_none()) {
        text.push_str("cpu_limit = \"4000m\"              # of a pod, for the work model says none\n");
    }
    text.push('\n');
    text + &rest.replace("\"front\"", &quoted(&entries[0]))
}

/// The services that no other one calls, or the first where each is called: what users call.
fn entries(application: &Application) -> Vec<ServiceId> {
    let mut called = BTreeSet::new();
    for endpoint in &application.endpoints {
        let callees = endpoint.groups.iter().flat_map(|group| &group.calls);
        let callees = callees.map(|call| application.endpoints[call.endpoint].service);
        called.extend(callees.filter(|callee| *callee != endpoint.service));
    }
    let entries: Vec<ServiceId> = application.services.ids().filter(|id| !called.contains(id)).collect();
    if entries.is_empty() { application.services.ids().take(1).collect() } else { entries }
}

/// What is before the application, the application, and what comes after it.
fn parts() -> (&'static str, &'static str, &'static str) {
    let (head, rest) = TEXT.split_once(BEGIN).expect("a line before the application");
    let (application, rest) = rest.split_once(END).expect("a line after the application");
    (head, application, rest)
}

/// As TOML writes a text.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    const MODEL: &str = r#"{
        "s1": { "internal_service": { "loader": {} } },
        "en\"try": { "internal_service": { "loader": {} }, "external_services": [{ "services": ["s1"] }] }
    }"#;

    #[test]
    fn a_starter_is_a_scenario() {
        let scenario = Scenario::from_text("own.toml", &own_application(), &[], &[]).unwrap();
        for strategy in 0..scenario.strategies().len() {
            scenario.resolve(Some(strategy)).unwrap();
        }
    }

    #[test]
    fn users_call_what_nobody_else_calls() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("a \"b\".json");
        std::fs::write(&model, MODEL).unwrap();
        let OfWorkModel { text, entries } =
            of_work_model(&model, &folder.path().join("below/own.toml")).unwrap();
        assert_eq!(entries, ["en\"try"]);
        let file = "../a \"b\".json";
        let scenario = Scenario::from_text("own.toml", &text, &[(file, MODEL)], &[]).unwrap();
        for strategy in 0..scenario.strategies().len() {
            scenario.resolve(Some(strategy)).unwrap();
        }
    }
}
