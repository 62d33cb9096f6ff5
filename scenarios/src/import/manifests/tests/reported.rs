//! The three classes of the report, and what is refused.

use super::{app, at, container, has, imported, plain, refused, tables};
use crate::import::manifests::{Input, Link, Nodes, import};

#[test]
fn every_field_is_in_one_class_with_its_reason() {
    let text = app(
        "a",
        &container(
            "env: [{name: X, value: y}]\nlifecycle: {stopSignal: SIGUSR1}\nresources:\n  limits: {cpu: 500m, memory: 1Gi}",
        ),
    );
    let error = refused(&[&text], &[]);
    let field = "Deployment.spec.template.spec.containers.lifecycle.stopSignal";
    assert!(
        error.contains(&format!("0.yaml:24:33: {field} is ignored although results hang on it")),
        "{error}"
    );
    assert!(error.contains(&format!("--allow {field} imports without it")), "{error}");
    // By its whole name, or by the end of it.
    for allow in [field, "lifecycle.stopSignal", "stopSignal"] {
        let report = imported(&[&text], &[allow]).unwrap().report;
        let classes = [
            ("as was allowed", "- `Deployment.spec.template.spec.containers.lifecycle.stopSignal`, "),
            ("## Used", "- `Deployment.spec.template.spec.containers.resources.limits.cpu`, "),
            ("no result hangs on it", "- `Deployment.spec.template.spec.containers.env`, "),
            (
                "no result hangs on it",
                "- `Deployment.spec.template.spec.containers.resources.limits.memory`, ",
            ),
            ("## Objects", "- Deployment a in `default`: "),
        ];
        for (class, line) in classes {
            let section = report.split_once(class).unwrap().1;
            let section = section.split("\n## ").next().unwrap();
            assert!(section.contains(line), "{class}: {line}\n{report}");
        }
        assert!(report.contains("the cell of `a`: `service_time = \"1ms\"`"), "{report}");
    }
    // An end is whole keys.
    let error = refused(&[&text], &["ignal"]);
    assert!(error.contains("--allow ignal allows nothing"), "{error}");
}

#[test]
fn what_is_allowed_and_not_there_is_an_error() {
    let error = refused(&[&plain()], &["livenessProbe"]);
    assert!(error.contains("--allow livenessProbe allows nothing"), "{error}");
}

#[test]
fn kinds_that_nobody_knows_are_refused_and_those_that_do_nothing_are_not() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {}\n";
    let error = refused(&[&plain(), job], &[]);
    assert!(error.contains("Job is ignored although results hang on it: nothing of this kind"), "{error}");
    imported(&[&plain(), job], &["Job"]).unwrap();
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: s}\n";
    let report = imported(&[&plain(), account], &[]).unwrap().report;
    assert!(report.contains("- `ServiceAccount`, "), "{report}");
    // A kind of the same name and another group is another kind.
    let other = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: k}\nspec: {}\n";
    assert!(refused(&[&plain(), other], &[]).contains("Service is ignored although results hang on it"));
}

#[test]
fn pods_of_a_service_come_and_go_as_its_workloads_say() {
    let slow = app(
        "b",
        &container("lifecycle: {preStop: {sleep: {seconds: 5}}}\nreadinessProbe: {initialDelaySeconds: 20}"),
    )
    .replace("Seconds: 30", "Seconds: 60");
    let third = app("c", &container(""));
    let table = tables(&[&plain(), &slow, &third]);
    has(
        &table,
        &[
            (&["pods", "termination_grace_period"], "\"30s\""),
            (&["pods", "readiness_probe", "enabled"], "false"),
            (&["pods", "readiness_probe", "initial_delay"], "\"20s\""),
            (&["services", "b", "pods", "readiness_probe", "enabled"], "true"),
            (&["services", "b", "pods", "termination_grace_period"], "\"1min\""),
            (&["services", "b", "pods", "pre_stop"], "\"5s\""),
        ],
    );
    assert_eq!(at(&table, &["pods", "pre_stop"]), None);
    // Who has no probe is not said to have that of others.
    assert_eq!(at(&table, &["services", "c", "pods"]), None);
    // A service has one value in all clusters.
    let elsewhere = slow.split_once("---\n").unwrap().1.replace("Seconds: 60", "Seconds: 90");
    let (directory, mut options) = super::options(&[&plain(), &slow, &elsewhere]);
    options.nodes.push(Nodes::parse("edge1=1x4").unwrap());
    options.links.push(Link::parse("cloud:edge1=160ms").unwrap());
    let of = |(number, cluster): (usize, &str)| Input {
        path: directory.path().join(format!("{number}.yaml")),
        cluster: Some(cluster.to_owned()),
    };
    options.inputs = ["cloud", "cloud", "edge1"].into_iter().enumerate().map(of).collect();
    let error = import(&options).unwrap_err().to_string();
    assert!(
        error.contains("one `pods.termination_grace_period`, and another of its workloads says"),
        "{error}"
    );
}

#[test]
fn workloads_that_run_nowhere_are_named_once() {
    let names = ["b", "c", "d", "e", "f", "g"];
    let texts: Vec<String> = names.iter().map(|it| app(it, &container(""))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (_directory, mut options) = super::options(&texts);
    options.nodes.push(Nodes::parse("edge1=1x4").unwrap());
    let error = import(&options).unwrap_err().to_string();
    assert!(
        error.contains("6 workloads do not say in which cluster they run: b, c, d, e, f, ..."),
        "{error}"
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_said_where_it_stands() {
    for (from, to, expected) in [
        ("replicas: 2", "replicas: two", "0.yaml:12:13: `two` is no whole number"),
        ("replicas: 2", "replicas: [2]", "this is no text"),
        ("selector: {app: a}", "selector: [a]", "this is no map"),
        ("Seconds: 30", "Seconds: 1s", "`1s` is no whole number"),
        ("labels: {app: a, version: v1}", "labels: {app: b}", "Service.spec"),
    ] {
        let error = refused(&[&plain().replace(from, to)], &["Service.spec.none"]);
        if expected != "Service.spec" {
            assert!(error.contains(expected), "{to}: {error}");
        } else {
            assert!(
                error.contains("no Deployment and no StatefulSet of these manifests stands behind it"),
                "{error}"
            );
        }
    }
}
