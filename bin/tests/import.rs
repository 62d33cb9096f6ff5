//! `meshsim import` as a program: its files and its exit codes.
#![allow(clippy::unwrap_used)] // A test may panic.

mod common;

use common::{meshsim, text};
use std::path::Path;

const MANIFESTS: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  selector: {app: a}\n  ports: [{port: 80}]\n---\n\
                         apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  selector:\n    matchLabels: {app: a}\n  template:\n    metadata:\n      \
                         labels: {app: a}\n    spec:\n      containers: [{name: a, image: nginx}]\n";

fn import(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let [manifests, out] = ["m.yaml", "out"].map(|it| directory.join(it).to_str().unwrap().to_owned());
    let all = [&["import", &manifests, "--out", &out][..], arguments].concat();
    let ended = meshsim(&all);
    (ended.status.code(), text(&ended.stdout) + &text(&ended.stderr))
}

#[test]
fn manifests_become_a_scenario_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("m.yaml"), MANIFESTS).unwrap();
    let whole = ["--nodes", "cloud=1x4", "--users", "cloud=5/s"];
    let (code, said) = import(directory.path(), &whole);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("services 1, clusters 1, links 0"), "{said}");
    let out = directory.path().join("out");
    assert!(std::fs::read_to_string(out.join("report.md")).unwrap().contains("## Used"));
    let scenario = out.join("scenario.toml");
    let first = std::fs::read(&scenario).unwrap();
    let ended = meshsim(&[
        "run",
        scenario.to_str().unwrap(),
        "--replications",
        "1",
        "--set",
        "run.duration=5s",
        "--set",
        "run.warm_up=1s",
        "--quiet",
    ]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    // Once more into its own directory, to the same bytes.
    assert_eq!(import(directory.path(), &whole).0, Some(0));
    assert_eq!(std::fs::read(&scenario).unwrap(), first);
}

#[test]
fn what_is_wrong_ends_with_2_and_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("m.yaml"), MANIFESTS).unwrap();
    let whole = ["--nodes", "cloud=1x4", "--users", "cloud=5/s"];
    for (arguments, expected) in [
        (&["--nodes", "cloud=1x4"][..], "--users cloud=50/s"),
        (&["--nodes", "cloud=4", "--users", "cloud=5/s"][..], "as in cloud=2x16"),
        (&["--nodes", "cloud=1x4", "--users", "cloud=5/s", "--link", "cloud"][..], "as in cloud:edge1=160ms"),
        (
            &["--nodes", "cloud=1x4", "--users", "cloud=5/s", "--cluster", "edge1"],
            "as in cloud=manifests/cloud",
        ),
        (&["--nodes", "cloud=1x4", "--users", "cloud=5/s", "--allow", "x"][..], "--allow x allows nothing"),
    ] {
        let (code, said) = import(directory.path(), arguments);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!directory.path().join("out").exists());
    }
    // A directory of something else is left alone.
    let out = directory.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("scenario.toml"), "mine").unwrap();
    let (code, said) = import(directory.path(), &whole);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no directory of an earlier import"), "{said}");
    assert_eq!(std::fs::read_to_string(out.join("scenario.toml")).unwrap(), "mine");
    assert_eq!(import(directory.path(), &[&whole[..], &["--force"]].concat()).0, Some(0));
}

#[test]
fn an_option_that_the_source_has_no_use_for_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out").to_str().unwrap().to_owned();
    let of_metrics = ["--metrics", "answers.json"];
    for (source, option) in [
        (&of_metrics[..], ["--seed", "3"]),
        (&of_metrics, ["--property", "throughput=50"]),
        (&of_metrics, ["--overlay", "overlay.toml"]),
        (&of_metrics, ["--at", "2026-01-01T00:00:00Z"]),
        (&["m.yaml"], ["--window", "5m"]),
    ] {
        let ended = meshsim(&[&["import", "--out", &out], source, &option].concat());
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains("cannot be used with") && said.contains(option[0]), "{said}");
    }
    assert!(!Path::new(&out).exists());
}
