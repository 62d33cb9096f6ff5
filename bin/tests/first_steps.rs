//! What a new user types first, and what is said to that.

#![allow(clippy::unwrap_used)] // A test may panic.

mod common;

use common::{meshsim, text};
use std::process::Command;

/// What is said on standard error to something that is wrong, with exit code 2.
fn refusal(arguments: &[&str]) -> String {
    let output = meshsim(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    said
}

#[test]
fn a_scenario_of_the_library_can_be_saved_anywhere_and_checked() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["fluidos-mesh", "multi-edge", "sidecar-ambient"] {
        let printed = meshsim(&["library", name]).stdout;
        let path = directory.path().join(format!("{name}.toml"));
        std::fs::write(&path, printed).unwrap();
        let output = meshsim(&["check", path.to_str().unwrap()]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_first_scenario_is_written_and_runs() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let model = meshsim(&["library", "ten-services.workmodel.json"]).stdout;
    std::fs::write(path("model.json"), model).unwrap();
    let (own, from) = (path("own.toml"), path("from.toml"));
    let model = path("model.json");
    for (file, arguments) in [(&own, vec!["init", &own]), (&from, vec!["init", &from, "--from", &model])] {
        let output = meshsim(&arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(text(&meshsim(&["check", file]).stderr), "", "{file}");
        let shorter = ["--set", "run.duration=20s", "--replications", "2", "--quiet"];
        let compared = meshsim(&[&["compare", file.as_str()][..], &shorter].concat());
        assert!(compared.status.success(), "{}", text(&compared.stderr));
        let table = text(&compared.stdout);
        assert!(["cloud-only", "entry", "all"].iter().all(|name| table.contains(name)), "{table}");
    }
    // What is there is not written over.
    let said = refusal(&["init", &own]);
    assert!(said.contains("is there already"), "{said}");
    assert!(refusal(&["init", &path("x.toml"), "--from", &own]).contains("own.toml"), "{said}");
    assert!(!directory.path().join("x.toml").exists());
}

#[test]
fn shells_and_manuals_know_every_command() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&meshsim(&["completions", shell]).stdout);
        assert!(script.contains("replications") && script.contains("calibrate"), "{shell}");
    }
    assert!(meshsim(&["man", directory.path().to_str().unwrap()]).status.success());
    for page in ["meshsim.1", "meshsim-compare.1", "meshsim-drill.1"] {
        assert!(std::fs::read_to_string(directory.path().join(page)).unwrap().contains(".SH"), "{page}");
    }
    assert!(refusal(&["man", "no/such/directory"]).contains("make it first"));
}

#[test]
fn the_list_says_what_each_scenario_is_about() {
    let list = text(&meshsim(&["library"]).stdout);
    let line = list.lines().find(|line| line.starts_with("retry-storm ")).unwrap();
    assert!(
        line.ends_with("Retries without a budget turn a lost pod into an outage that does not end"),
        "{line}"
    );
    assert!(list.lines().all(|line| !line.trim_end().is_empty() || line.is_empty()), "{list}");
}

#[test]
fn hints_lead_to_what_was_meant() {
    let check = |setting| refusal(&["check", "fluidos-mesh", "--set", setting]);
    for (setting, hint) in [
        ("users.edge1.service=[\"s0\",\"s1\"]", "one is meant here: write \"s0\""),
        ("services.s3.replicas=2", "clusters.CLUSTER.replicas.s3 = 2"),
        ("clusters.edge1.replicas.s33=2", "did you mean `s3`?"),
        ("users.edge1.rate=10/s,20/s", "to run at several values, use `meshsim sweep`"),
        ("mesh.load_balancer=RANDOM", "load_balancer.simple"),
    ] {
        let said = check(setting);
        assert!(said.contains(hint), "{setting}: {said}");
    }
    // Keys that are gone are not proposed.
    let said = check("mesh.foo=1");
    assert!(said.contains("data_plane") && !said.contains("locality_failover"), "{said}");
}

#[test]
fn another_format_is_said_to_be_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("a.yaml"), "apiVersion: v1\nkind: Service\n").unwrap();
    std::fs::write(path("a.json"), "{\n  \"s0\": {}\n}\n").unwrap();
    assert!(refusal(&["check", &path("a.yaml")]).contains("this looks like YAML"));
    assert!(refusal(&["compare", &path("a.json")]).contains("this looks like JSON"));
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let output = Command::new(env!("CARGO_BIN_EXE_meshsim"))
        .args(["check", "fluidos-mesh", "--set", "run.seed=x"])
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(!output.stderr.contains(&0x1b));
}

#[test]
fn callers_that_are_sent_farther_than_need_be_are_told_of() {
    let said = text(&meshsim(&["check", "multi-edge"]).stderr);
    let line = said.lines().find(|line| line.contains("strategy `in-turn`") && line.contains("farther"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("though `cloud` is") && line.contains("`region`"), "{line}");
    // Where every edge has what it calls, or nobody but the cloud has, there is no detour.
    assert_eq!(said.matches("farther than need be").count(), 1, "{said}");
    let near = meshsim(&["check", "multi-edge", "--set", "clusters.cloud.region=edges"]);
    assert!(
        !String::from_utf8_lossy(&near.stderr).contains("`cloud` is"),
        "one region, no zone of the cloud's own"
    );
}

#[test]
fn a_sweep_has_its_settings_in_json_and_numbers_in_base_units() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let output = meshsim(&[
        "sweep",
        "slow-endpoint",
        "--set",
        "users.edge1.rate=10/s,20/s",
        "--set",
        "run.duration=5s",
        "--replications",
        "2",
        "--quiet",
        "--json",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let points: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let setting = &points[1]["settings"][0];
    assert_eq!(
        (setting["path"].as_str(), setting["value"].as_str()),
        (Some("users.edge1.rate"), Some("20/s"))
    );
    assert_eq!((setting["number"].as_f64(), setting["unit"].as_str()), (Some(20.0), Some("1/s")));
    assert!(points[1]["strategies"].is_array());
    let csv = std::fs::read_to_string(out.join("sweep.csv")).unwrap();
    assert!(
        csv.starts_with("users.edge1.rate,users.edge1.rate [1/s],run.duration,run.duration [s],"),
        "{csv}"
    );
    assert!(csv.lines().nth(1).unwrap().starts_with("10/s,10,5s,5,"), "{csv}");
}

#[test]
fn each_group_of_users_has_rows_of_its_own_and_clusters_say_who_serves_whom() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let output = meshsim(&[
        "compare",
        "multi-edge",
        "--strategy",
        "cloud-only",
        "--strategy",
        "s0-s3",
        "--set",
        "cluster_template.edge.count=3",
        "--set",
        "run.duration=20s",
        "--replications",
        "2",
        "--quiet",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown = text(&output.stdout);
    let groups = shown.lines().filter(|line| line.starts_with("edge"));
    assert_eq!(groups.count(), 6, "three groups under two strategies: {shown}");
    assert!(shown.contains("calls per user request, from cluster > to cluster"), "{shown}");
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap();
    for strategy in summary["strategies"].as_array().unwrap() {
        let users = strategy["users"].as_object().unwrap();
        let offered: u64 = users.values().map(|it| it["requests"]["offered"].as_u64().unwrap()).sum();
        assert_eq!(strategy["requests"]["offered"].as_u64(), Some(offered));
        let sent = strategy["sent_per_request"].as_object().unwrap();
        let crossings: f64 = sent
            .iter()
            .flat_map(|(from, row)| row.as_object().unwrap().iter().filter(move |(to, _)| *to != from))
            .map(|(_, attempts)| attempts.as_f64().unwrap())
            .sum();
        let counted = strategy["crossings_per_request"].as_f64().unwrap();
        // One is of all requests, the other a mean over replications of unequal size.
        assert!((crossings / counted - 1.0).abs() < 0.02, "{crossings} and {counted}");
    }
    let metrics = std::fs::read_to_string(out.join("metrics.csv")).unwrap();
    assert!(metrics.contains("s0-s3,users.edge2.latency_ms.p95,"), "{metrics}");
    let histogram = std::fs::read_to_string(out.join("user_histogram.csv")).unwrap();
    assert!(
        histogram.starts_with("strategy,users,lower_ms,upper_ms,count\ncloud-only,edge1,"),
        "{histogram}"
    );
}

#[test]
fn a_sweep_of_lists_ends_with_its_best_point() {
    let output = meshsim(&[
        "sweep",
        "fluidos-mesh",
        "--strategy",
        "cloud-only",
        "--set",
        "clusters.edge1.services=[],[\"s0\"],\"all\"",
        "--set",
        "run.duration=60s",
        "--replications",
        "3",
        "--quiet",
    ]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let last = shown.lines().last().unwrap();
    assert!(last.starts_with("`cloud-only` at clusters.edge1.services=\"all\""), "{shown}");
    assert!(last.contains(" is fastest of 3: ") && last.contains("95 % interval"), "{last}");
}

/// A piece of the tutorial in its scenario: a table takes the place of the one of its name, a list goes on.
fn with_piece(scenario: &str, piece: &str) -> String {
    let sections = |text: &str| -> Vec<(String, String)> {
        let mut sections = vec![(String::new(), String::new())];
        for line in text.lines() {
            if line.starts_with('[') {
                sections.push((line.to_owned(), String::new()));
            } else {
                let body = &mut sections.last_mut().unwrap().1;
                *body += line;
                *body += "\n";
            }
        }
        sections
    };
    let mut all = sections(scenario);
    for (head, body) in sections(piece) {
        match all.iter_mut().find(|(known, _)| *known == head && !head.starts_with("[[")) {
            // What stands before the first table of a piece is of the first piece.
            Some((_, known)) if !head.is_empty() || known.is_empty() => *known = body,
            Some(_) => assert!(body.trim().is_empty(), "{body}"),
            None => all.push((head, body)),
        }
    }
    let section =
        |(head, body): (String, String)| if head.is_empty() { body } else { format!("{head}\n{body}") };
    all.into_iter().map(section).collect()
}

/// What a command of the tutorial says in a directory with its scenario: where it only checks, warnings and errors too.
fn said_by(command: &str, directory: &std::path::Path) -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_meshsim")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("sh").args(["-c", command]).current_dir(directory).env("PATH", path).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|it| text(&it));
    assert!(!err.contains("panicked"), "{command}: {err}");
    if command.starts_with("meshsim check") {
        return err + &out;
    }
    assert!(output.status.success(), "{command}: {err}");
    out
}

/// Its pieces, put together as it says, are right one after the other and come to the library's `shop`; its commands say
/// what its tables show. `MESHSIM_TUTORIAL=write` writes down all that they say now.
#[test]
fn the_tutorial_is_true() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tutorial.md");
    let tutorial = std::fs::read_to_string(file).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.toml");
    let (mut scenario, mut said, mut now) = (String::new(), None, String::new());
    let mut parts = tutorial.split("```");
    now += parts.next().unwrap();
    // A block and the text behind it, in turn.
    while let Some(block) = parts.next() {
        let (kind, body) = block.split_once('\n').unwrap();
        let body = match kind {
            "toml" => {
                scenario = with_piece(&scenario, body);
                std::fs::write(&path, &scenario).unwrap();
                let checked = meshsim(&["check", path.to_str().unwrap()]);
                assert!(checked.status.success(), "{body}: {}", String::from_utf8_lossy(&checked.stderr));
                body.to_owned()
            }
            "sh" => {
                said = Some(said_by(body.trim_end(), directory.path()));
                body.to_owned()
            }
            "text" => said.take().unwrap_or_else(|| panic!("no command says {body}")),
            _ => panic!("a block of `{kind}`"),
        };
        now += &format!("```{kind}\n{}\n```{}", body.trim_end(), parts.next().unwrap());
    }
    if std::env::var("MESHSIM_TUTORIAL").is_ok_and(|it| it == "write") {
        std::fs::write(file, &now).unwrap();
    }
    // Sentences may be said otherwise; rows of tables are what was simulated.
    let rows = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains("  ")).map(|it| it.trim_end().to_owned()).collect()
    };
    let (shown, now) = (rows(&tutorial), rows(&now));
    for (shown, now) in shown.iter().zip(&now) {
        assert_eq!(shown, now, "docs/tutorial.md: MESHSIM_TUTORIAL=write brings it up to date");
    }
    assert_eq!(shown.len(), now.len());
    let compared = |scenario: &str| {
        let short = ["--replications", "1", "--set", "run.duration=20s", "--set", "run.warm_up=0s"];
        let output = meshsim(&[&["compare", scenario, "--json", "-q"], &short[..]].concat());
        let mut json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["run"]["scenario_sha256"].take();
        json
    };
    assert_eq!(compared(path.to_str().unwrap()), compared("shop"));
}
