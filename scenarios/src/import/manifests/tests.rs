//! A test per kind and field: what the scenario has of it, and what the report says.

mod circumstances;
mod fields;
mod further;
mod harmless;
mod hostile;
mod istio;
mod kubernetes;
mod liqo;
mod load;
mod reported;

use super::{Imported, Input, Link, Nodes, Options, Overlay, Users, import};
use crate::experiment::compare::{Choice, ComparisonPlan};
use crate::problem::Checked;
use crate::scenario::Scenario;
use toml::{Table, Value};

/// A Service with a Deployment of one container, with further fields of the pod's spec.
fn app(name: &str, more: &str) -> String {
    let more: String = more.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec:\n  selector: {{app: {name}}}\n  ports: [{{port: 80, name: http}}]\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 2\n  selector:\n    matchLabels: {{app: {name}}}\n  \
         template:\n    metadata:\n      labels: {{app: {name}, version: v1}}\n    spec:\n      terminationGracePeriodSeconds: 30\n{more}"
    )
}

/// A container with a name and an image, and further fields.
fn container(more: &str) -> String {
    let more: String = more.lines().map(|line| format!("  {line}\n")).collect();
    format!("containers:\n- name: app\n  image: nginx:1.27\n{more}")
}

/// A plain application `a`.
fn plain() -> String {
    app("a", &container(""))
}

fn options(texts: &[&str]) -> (tempfile::TempDir, Options) {
    let directory = tempfile::tempdir().unwrap();
    for (index, text) in texts.iter().enumerate() {
        std::fs::write(directory.path().join(format!("{index}.yaml")), text).unwrap();
    }
    let options = Options {
        name: "test".to_owned(),
        inputs: vec![Input { path: directory.path().to_owned(), cluster: None }],
        nodes: vec![Nodes::parse("cloud=2x16").unwrap()],
        links: Vec::new(),
        users: vec![Users::parse("cloud:a=5/s").unwrap()],
        ..Options::default()
    };
    (directory, options)
}

/// What manifests come to, of a scenario that can be run.
fn imported(texts: &[&str], allow: &[&str]) -> Checked<Imported> {
    let (_directory, mut options) = options(texts);
    options.allow = allow.iter().map(|&it| it.to_owned()).collect();
    let imported = import(&options)?;
    runs(&imported);
    Ok(imported)
}

/// The scenario passes all checks.
fn runs(imported: &Imported) {
    let workmodel = imported.workmodel.as_deref().map(|text| ("workmodel.json", text));
    let beside = imported.files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let files: Vec<(&str, &str)> = workmodel.into_iter().chain(beside).collect();
    let scenario = Scenario::from_text("scenario.toml", &imported.scenario, &files, &[]).unwrap();
    if let Err(problems) = ComparisonPlan::new(&scenario, &Choice::default()) {
        panic!("{problems}\n{}", imported.scenario);
    }
}

/// The scenario's tables.
fn tables(texts: &[&str]) -> Table {
    tables_without(texts, &[])
}

fn tables_without(texts: &[&str], allow: &[&str]) -> Table {
    match imported(texts, allow) {
        Ok(imported) => imported.scenario.parse().unwrap(),
        Err(problems) => panic!("{problems}"),
    }
}

/// What stands at a path of keys.
fn at<'t>(table: &'t Table, path: &[&str]) -> Option<&'t Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    if rest.is_empty() { Some(value) } else { at(value.as_table()?, rest) }
}

fn refused(texts: &[&str], allow: &[&str]) -> String {
    imported(texts, allow).unwrap_err().to_string()
}

/// As it is written in a scenario.
fn value(text: &str) -> Value {
    let table: Table = format!("it = {text}").parse().unwrap();
    table["it"].clone()
}

/// A scenario has these values at these paths.
fn has(table: &Table, expected: &[(&[&str], &str)]) {
    for (path, text) in expected {
        assert_eq!(at(table, path), Some(&value(text)), "{path:?} in\n{table}");
    }
}

fn rule(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: r}}\nspec:\n{spec}")
}

fn routes(spec: &str) -> String {
    rule(spec).replace("DestinationRule", "VirtualService")
}

/// A ConfigMap with a work model of two services, of which the first calls the second.
fn work_model(first: &str, second: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: workmodel}}\ndata:\n  README.md: text\n  workmodel.json: |\n    {{\"{first}\": {{\"internal_service\": {{\"loader\": {{}}}}, \
         \"external_services\": [{{\"services\": [\"{second}\"]}}]}},\n     \"{second}\": {{\"internal_service\": {{\"loader\": {{}}}}}}}}\n"
    )
}

#[test]
fn what_no_manifest_holds_is_asked_for_by_its_option() {
    let zone = |name: &str| {
        format!(
            "{}{}",
            app(name, &container("")),
            "      nodeSelector: {topology.kubernetes.io/zone: ZONE}\n"
                .replace("ZONE", if name == "a" { "cloud" } else { "edge1" })
        )
    };
    let (_directory, options) = options(&[&zone("a"), &zone("b")]);
    let without = |change: &dyn Fn(&mut Options)| {
        let mut options = options.clone();
        change(&mut options);
        import(&options).map(|it| it.scenario).map_err(|it| it.to_string())
    };
    let whole = without(&|it| {
        it.nodes.push(Nodes::parse("edge1=1x4").unwrap());
        it.links.push(Link::parse("cloud:edge1=160ms").unwrap());
    });
    let whole: Table = whole.unwrap().parse().unwrap();
    assert_eq!(at(&whole, &["links", "cloud-edge1", "rtt"]), Some(&value("\"160ms\"")));
    assert_eq!(at(&whole, &["clusters", "edge1", "nodes"]), Some(&value("[{ cores = \"4\" }]")));
    assert_eq!(at(&whole, &["users", "cloud", "rate"]), Some(&value("\"5/s\"")));
    let missing = without(&|it| it.users.clear()).unwrap_err();
    for option in ["--nodes edge1=2x16", "--link cloud:edge1=160ms", "--users edge1=50/s"] {
        assert!(missing.contains(option), "{missing}");
    }
    let unknown = without(&|it| it.links.push(Link::parse("cloud:edge9=1ms").unwrap())).unwrap_err();
    assert!(unknown.contains("`edge9`, which is no cluster (there are cloud, edge1)"), "{unknown}");
    let joined = |it: &mut Options| {
        it.nodes.push(Nodes::parse("edge1=1x4").unwrap());
        it.links.push(Link::parse("cloud:edge1=160ms").unwrap());
    };
    let twice = without(&|it| {
        joined(it);
        it.links.push(Link::parse("edge1:cloud=20ms").unwrap());
    });
    assert!(twice.as_ref().unwrap_err().contains("says twice how clusters `edge1` and `cloud`"), "{twice:?}");
    for option in ["cloud:edge1=0ms", "cloud:edge1=1ms,0bit/s"] {
        assert!(Link::parse(option).is_err(), "{option}");
    }
    assert!(Users::parse("edge1=0/s").is_err());
    let unnamed = without(&|it| {
        joined(it);
        it.users = vec![Users::parse("edge1=5/s").unwrap()];
    });
    assert!(unnamed.as_ref().unwrap_err().contains("--users edge1:a=50/s; there are a, b"), "{unnamed:?}");
    let unknown = without(&|it| {
        joined(it);
        it.users = vec![Users::parse("edge1:c=5/s").unwrap()];
    });
    assert!(unknown.as_ref().unwrap_err().contains("`c`, which is no service"), "{unknown:?}");
}

#[test]
fn a_deployment_that_names_no_cluster_is_of_the_only_one_or_of_that_of_its_files() {
    assert_eq!(at(&tables(&[&plain()]), &["clusters", "cloud", "services"]), Some(&value("[\"a\"]")));
    let (directory, mut options) = options(&[&plain()]);
    options.nodes.push(Nodes::parse("edge1=1x4").unwrap());
    options.links.push(Link::parse("cloud:edge1=160ms").unwrap());
    let unnamed = import(&options).unwrap_err().to_string();
    assert!(unnamed.contains("0.yaml:8:1: Deployment a does not say in which cluster"), "{unnamed}");
    assert!(unnamed.contains("--cluster cloud=PATH"), "{unnamed}");
    options.inputs = vec![Input { path: directory.path().join("0.yaml"), cluster: Some("edge1".to_owned()) }];
    let table: Table = import(&options).unwrap().scenario.parse().unwrap();
    assert_eq!(at(&table, &["clusters", "edge1", "services"]), Some(&value("[\"a\"]")));
    // The same objects in two clusters: a service in both.
    options.inputs.push(Input { cluster: Some("cloud".to_owned()), ..options.inputs[0].clone() });
    let imported = import(&options).unwrap();
    runs(&imported);
    let table: Table = imported.scenario.parse().unwrap();
    assert_eq!(at(&table, &["clusters", "cloud", "replicas"]), Some(&value("{ a = 2 }")));
    assert_eq!(at(&table, &["clusters", "edge1", "replicas"]), Some(&value("{ a = 2 }")));
    assert!(
        imported.report.contains("`Service`, ") && imported.report.contains("other clusters have the same"),
        "{}",
        imported.report
    );
    // Twice in one cluster.
    options.inputs.push(options.inputs[0].clone());
    let twice = import(&options).unwrap_err().to_string();
    assert!(twice.contains("Deployment a is there twice"), "{twice}");
}
