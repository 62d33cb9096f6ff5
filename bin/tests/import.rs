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
        (&of_metrics, ["--allow", "livenessProbe"]),
        (&["m.yaml", "--traces", "spans.json"], ["--users", "cloud=5/s"]),
        (&of_metrics, ["--at", "2026-01-01T00:00:00Z"]),
        (&of_metrics, ["--header", "A: b"]),
        (&["m.yaml"], ["--window", "5m"]),
    ] {
        let ended = meshsim(&[&["import", "--out", &out], source, &option].concat());
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains("cannot be used with") && said.contains(option[0]), "{said}");
    }
    assert!(!Path::new(&out).exists());
}

/// What is printed is what is asked for: each line has an answer in a file of answers.
#[test]
fn queries_are_printed_to_be_asked_by_other_means() {
    let ended = meshsim(&["import", "--queries", "--window", "5m"]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let nothing =
        serde_json::json!({ "status": "success", "data": { "resultType": "vector", "result": [] } });
    let printed = text(&ended.stdout);
    let answers: serde_json::Map<_, _> = printed.lines().map(|it| (it.to_owned(), nothing.clone())).collect();
    assert!(answers.len() > 10 && answers.len() == printed.lines().count(), "{printed}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("answers.json");
    std::fs::write(&file, serde_json::Value::Object(answers).to_string()).unwrap();
    let saved = ["import", "--metrics", file.to_str().unwrap(), "--window"];
    for (window, expected) in [("5m", "there are no calls in the window"), ("6m", "is --window the same?")] {
        let ended = meshsim(&[&saved[..], &[window, "--out", "never"]].concat());
        let said = text(&ended.stderr);
        assert!(ended.status.code() == Some(2) && said.contains(expected), "{said}");
    }
    for (more, expected) in [
        (&["--queries", "--out", "x"][..], "cannot be used with"),
        (&["--queries", "--window", "soon"], "--window `soon` is no window"),
        (&["--metrics", "x", "--header", "a: b", "--out", "x"], "cannot be used with"),
        (&["--metrics", "x"], "--out <DIR>"),
    ] {
        let ended = meshsim(&[&["import"], more].concat());
        let said = text(&ended.stderr);
        assert!(ended.status.code() == Some(2) && said.contains(expected), "{said}");
    }
}

/// Recorded arrivals go with the overlay that names them, out of a scenario and back.
#[test]
fn a_recording_stays_beside_the_scenario_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let scenario = "name = \"recorded\"\n[run]\nduration = \"10s\"\nwarm_up = \"0s\"\n[clusters.cloud]\nnodes = [{ cores = \"4\" }]\n\
                    services = \"all\"\n[services.a]\nservice_time = \"1ms\"\n[users.u]\ncluster = \"cloud\"\nservice = \"a\"\n\
                    arrivals = { type = \"replay\", file = \"load/times.csv\" }\n";
    let times: String = (0..40).map(|it| format!("{}\n", f64::from(it) * 0.2)).collect();
    std::fs::create_dir(path("load")).unwrap();
    std::fs::write(path("load/times.csv"), &times).unwrap();
    std::fs::write(path("s.toml"), scenario).unwrap();
    let ended = meshsim(&["export", "kubernetes", &path("s.toml"), "--out", &path("out")]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let [shared, cloud] = [path("out/shared"), format!("cloud={}", path("out/cloud"))];
    let back = ["import", &shared, "--cluster", &cloud, "--overlay", &path("out/overlay.toml")]
        .map(ToString::to_string);
    let import = |more: &[&str]| {
        let back: Vec<&str> = back.iter().map(String::as_str).collect();
        meshsim(&[&back[..], more].concat())
    };
    let ended = import(&["--out", &path("back")]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    assert_eq!(std::fs::read_to_string(path("back/load/times.csv")).unwrap(), times);
    let ended = meshsim(&["run", &path("back/scenario.toml"), "--replications", "1", "-q"]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    // One that is not there, or elsewhere, is said by its name, and nothing is written.
    std::fs::remove_file(path("out/load/times.csv")).unwrap();
    let ended = import(&["--out", &path("without")]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(text(&ended.stderr).contains("times.csv"), "{}", text(&ended.stderr));
    let overlay = std::fs::read_to_string(path("out/overlay.toml")).unwrap();
    std::fs::write(path("out/overlay.toml"), overlay.replace("load/times.csv", "../times.csv")).unwrap();
    let ended = import(&["--out", &path("without")]);
    assert!(text(&ended.stderr).contains("the recording `../times.csv` is in another folder"));
    assert_eq!((ended.status.code(), Path::new(&path("without")).exists()), (Some(2), false));
}
