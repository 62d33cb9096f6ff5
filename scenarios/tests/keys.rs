//! What the list of keys says of defaults is so: writing a default changes nothing.
#![allow(clippy::unwrap_used)] // A test may panic.

use meshsim_scenarios::document::Setting;
use meshsim_scenarios::keys;
use meshsim_scenarios::library;
use meshsim_scenarios::scenario::Scenario;
use std::collections::BTreeSet;

const WORKMODEL: &str = r#"{
  "front": {"external_services": [{"services": ["back"]}],
            "internal_service": {"loader": {"sleep_stress": {"run": false}, "mean_response_size": 2}}},
  "back": {"internal_service": {"loader": {"sleep_stress": {"sleep_time": 0.02}, "mean_response_size": 30}}}
}
"#;

const SCENARIO: &str = r#"[application]
workmodel = "app.json"
[clusters.cloud]
nodes = [{ cores = "8" }]
services = "all"
[clusters.edge]
nodes = [{ cores = "8" }]
services = ["front"]
[links.wan]
between = ["edge", "cloud"]
rtt = "60ms"
bandwidth = "1Gbit/s"
[users.edge]
cluster = "edge"
service = "front"
rate = "20/s"
"#;

/// What comes of it with these settings; nothing if they are refused.
fn description(settings: &[String]) -> Option<String> {
    let settings: Vec<Setting> = settings.iter().map(|it| Setting::parse(it).unwrap()).collect();
    let scenario = Scenario::from_text("x.toml", SCENARIO, &[("app.json", WORKMODEL)], &settings).ok()?;
    Some(format!("{:?}", scenario.resolve(None).ok()?.description))
}

/// A path in which names are those of the scenario.
fn named(path: &str) -> String {
    let known =
        [("clusters.NAME", "clusters.cloud"), ("links.NAME", "links.wan"), ("users.NAME", "users.edge")];
    let known = known.into_iter().chain([("services.NAME", "services.back")]);
    known.fold(path.to_owned(), |path, (of, name)| path.replacen(of, name, 1))
}

/// What a description keeps as said or unsaid: policies until istiod merges them, and a federation because a drill asks.
const KEPT_UNSAID: [&str; 3] = ["traffic_policy.", "locality_lb_setting.", "federation"];

#[test]
fn a_default_that_is_written_changes_nothing() {
    let (mut held, mut wrong) = (0, Vec::new());
    for key in keys::all() {
        let Some(default) = &key.default else { continue };
        let path = named(&key.path);
        // Sentences are no values, and what stands in lists has no path.
        if default.contains([' ', ';', ',']) || default == "none" || path.contains("NAME") {
            continue;
        }
        if KEPT_UNSAID.iter().any(|kept| path.contains(kept)) {
            continue;
        }
        let above = path.rsplit_once('.').map(|(above, _)| format!("{above}={{}}"));
        let mut settings: Vec<String> = above.into_iter().collect();
        let without = match description(&settings) {
            Some(without) => without,
            None => {
                settings.clear();
                description(&[]).unwrap()
            }
        };
        // A table of which somebody writes a key is the same table.
        let Some(with) = description(&[format!("{path}={default}")]) else { continue };
        if with == without { held += 1 } else { wrong.push(format!("{path}={default}")) }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(held > 80, "{held}");
}

#[test]
fn every_value_has_its_origin() {
    let text = SCENARIO.replace(
        "[users.edge]\n",
        "[[cluster_template]]\nname = \"far{n}\"\ncount = 2\nnodes = [{ cores = \"4\" }]\nservices = []\n\
         link = { to = \"cloud\", rtt = \"9ms\", bandwidth = \"1Gbit/s\" }\n[[strategy]]\nname = \"b\"\n\
         set.links.wan.rtt = \"20ms\"\n[users.edge]\n",
    );
    let settings = [Setting::parse("run.seed=7").unwrap()];
    let scenario = Scenario::from_text("x.toml", &text, &[("app.json", WORKMODEL)], &settings).unwrap();
    let origin = |strategy, path: &str| {
        let values = scenario.values(strategy).unwrap();
        let found = values.into_iter().find(|it| it.path == path).unwrap_or_else(|| panic!("no {path}"));
        (found.value, found.origin)
    };
    let of = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(origin(None, "links.wan.rtt"), of("\"60ms\"", "x.toml:11"));
    assert_eq!(origin(Some(0), "links.wan.rtt"), of("\"20ms\"", "x.toml:21 (strategy `b`)"));
    assert_eq!(origin(None, "run.seed"), of("7", "--set"));
    assert_eq!(origin(None, "run.duration"), of("20min", "default"));
    assert_eq!(origin(None, "mesh.sidecar.concurrency"), of("2", "default"));
    let (value, template) = origin(None, "links.far1-cloud.rtt");
    assert!(value == "\"9ms\"" && template.ends_with(" (template)"), "{value} {template}");
    assert!(scenario.values(None).unwrap().iter().all(|it| !it.origin.is_empty()));
}

#[test]
fn every_key_of_the_library_is_listed() {
    let mut known = BTreeSet::new();
    for name in library::names().filter(|it| !it.starts_with("metro")) {
        let scenario = Scenario::open(name, &[]).unwrap();
        for it in scenario.values(None).unwrap() {
            if known.insert(it.path.clone()) {
                let key = keys::explain(&it.path).unwrap_or_else(|problem| panic!("{name}: {problem}"));
                assert!(!key.sentence.is_empty(), "{name}: {}", it.path);
            }
        }
    }
    assert!(known.len() > 300, "{}", known.len());
}
