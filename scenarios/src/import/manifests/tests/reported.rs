//! The three classes of the report, and what is refused.

use super::{app, at, container, imported, plain, refused, tables_without, value};

#[test]
fn every_field_is_in_one_class_with_its_reason() {
    let text = app(
        "a",
        &container(
            "env: [{name: X, value: y}]\nlivenessProbe: {httpGet: {port: 80}}\nresources:\n  limits: {cpu: 500m, memory: 1Gi}",
        ),
    );
    let error = refused(&[&text], &[]);
    let field = "Deployment.spec.template.spec.containers.livenessProbe.httpGet.port";
    assert!(
        error.contains(&format!("0.yaml:24:41: {field} is ignored although results hang on it")),
        "{error}"
    );
    assert!(error.contains(&format!("--allow {field} imports without it")), "{error}");
    // By its whole name, or by the end of it.
    for allow in [field, "livenessProbe.httpGet.port", "httpGet.port"] {
        let report = imported(&[&text], &[allow]).unwrap().report;
        let classes = [
            ("as was allowed", "- `Deployment.spec.template.spec.containers.livenessProbe.httpGet.port`, "),
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
    let error = refused(&[&text], &["ort"]);
    assert!(error.contains("--allow ort allows nothing"), "{error}");
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
fn what_a_scenario_has_once_is_not_said_differently() {
    let slow = app("b", &container("lifecycle: {preStop: {sleep: {seconds: 5}}}"))
        .replace("Seconds: 30", "Seconds: 60");
    let third = app("c", &container(""));
    let error = refused(&[&plain(), &slow, &third], &[]);
    assert!(
        error.contains(
            "terminationGracePeriodSeconds is ignored although results hang on it: a scenario has one"
        ),
        "{error}"
    );
    assert!(error.contains("`pods.pre_stop`, and most workloads say \"0s\""), "{error}");
    let table = tables_without(&[&plain(), &slow, &third], &["terminationGracePeriodSeconds", "preStop"]);
    assert_eq!(at(&table, &["pods", "termination_grace_period"]), Some(&value("\"30s\"")));
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
