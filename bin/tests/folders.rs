//! Folders of results: whose they are, what is touched in them, and when they are whole.

#![allow(clippy::unwrap_used)] // A test may panic.

mod common;

use common::{meshsim, text};
use std::path::Path;
use std::process::{Command, Output};

/// What every command simulates here: half a second's work.
const SHORT: [&str; 7] =
    ["slow-endpoint", "--set", "run.duration=20s", "--set", "run.warm_up=2s", "--replications", "2"];

fn compare(out: &Path, more: &[&str]) -> Output {
    meshsim(&[&["compare", "--quiet", "--out", out.to_str().unwrap()], &SHORT[..], more].concat())
}

fn sweep(out: &Path, more: &[&str]) -> Output {
    let rates = ["--set", "users.edge1.rate=10/s,20/s"];
    meshsim(&[&["sweep", "--quiet", "--out", out.to_str().unwrap()], &SHORT[..], &rates, more].concat())
}

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

fn listed(folder: &Path) -> Vec<String> {
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    manifest["files"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_folder_with_files_of_others_is_refused_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("requests.csv"), "measured").unwrap();
    for output in [compare(folder.path(), &[]), sweep(folder.path(), &[])] {
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(said.contains("holds what meshsim has not written: `requests.csv`"), "{said}");
        assert!(said.contains("--force"), "{said}");
    }
    assert_eq!(names(folder.path()), ["requests.csv"], "nothing is left behind");
}

#[test]
fn the_folder_that_one_stands_in_is_no_other() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("time_series.csv"), "measured").unwrap();
    let run = |out: &str| {
        let arguments = [&["run", "--quiet", "--out", out], &SHORT[..]].concat();
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshsim"));
        command.current_dir(folder.path()).args(arguments).output().unwrap()
    };
    assert_eq!(run(".").status.code(), Some(2));
    assert!(run("new").status.success());
    assert_eq!(std::fs::read_to_string(folder.path().join("time_series.csv")).unwrap(), "measured");
}

#[test]
fn force_replaces_files_of_the_same_names_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["requests.csv", "decisions.csv", "summary.json", "notes.txt", "manifest.json"] {
        std::fs::write(path(name), "mine").unwrap();
    }
    let said = text(&compare(folder.path(), &[]).stderr);
    assert!(said.contains("an older meshsim marked no folder"), "{said}");
    let output = compare(folder.path(), &["--force"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for name in ["requests.csv", "decisions.csv", "notes.txt"] {
        assert_eq!(std::fs::read_to_string(path(name)).unwrap(), "mine", "{name}");
    }
    assert!(std::fs::read_to_string(path("summary.json")).unwrap().contains("latency_ms"));
    assert_eq!(compare(folder.path(), &[]).status.code(), Some(2), "notes.txt is still there");
}

#[test]
fn the_manifest_lists_all_files_and_the_next_run_replaces_them() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("made");
    assert!(compare(&out, &["--request-log"]).status.success());
    let mut all = listed(&out);
    all.extend([".meshsim".to_owned(), "manifest.json".to_owned()]);
    all.sort();
    assert_eq!(names(&out), all);
    assert!(all.contains(&"requests.csv".to_owned()));
    assert!(sweep(&out, &[]).status.success());
    let scenario =
        ["input-1.two-services.workmodel.json", "manifest.json", "scenario.expanded.toml", "scenario.toml"];
    assert_eq!(names(&out), [&[".meshsim"], &scenario[..], &["sweep.csv"]].concat());
    assert_eq!(listed(&out).len(), 4);
    // What somebody has put there since is none of these.
    std::fs::write(out.join("requests.csv"), "measured").unwrap();
    let said = text(&compare(&out, &[]).stderr);
    assert!(said.contains("holds what meshsim has not written: `requests.csv`\n"), "{said}");
}

#[test]
fn a_marker_and_a_manifest_name_files_of_their_folder_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (out, outside) = (folder.path().join("out"), folder.path().join("outside.csv"));
    std::fs::write(&outside, "mine").unwrap();
    assert!(sweep(&out, &[]).status.success());
    let marker = std::fs::read_to_string(out.join(".meshsim")).unwrap();
    std::fs::write(out.join(".meshsim"), marker + "../outside.csv\n").unwrap();
    std::fs::write(out.join("manifest.json"), "{\"files\": [\"../outside.csv\", \"sweep.csv\"]}").unwrap();
    assert!(sweep(&out, &[]).status.success());
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "mine");
}

#[test]
fn a_file_of_the_marker_s_name_makes_no_folder_meshsim_s() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".meshsim"), "summary.json\n").unwrap();
    std::fs::write(folder.path().join("summary.json"), "mine").unwrap();
    let output = compare(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`.meshsim`, `summary.json`"), "{}", text(&output.stderr));
}

#[test]
fn a_sweep_finds_out_before_its_runs_where_it_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("afile");
    std::fs::write(&file, "").unwrap();
    let output = sweep(&file, &[]);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    assert!(said.contains("cannot make the directory"), "{said}");
}

#[test]
fn what_cannot_be_written_is_still_shown_and_makes_no_whole_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("metrics.csv/in-the-way")).unwrap();
    assert_eq!(compare(folder.path(), &[]).status.code(), Some(2));
    let output = compare(folder.path(), &["--force"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("round-robin"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("cannot write"), "{}", text(&output.stderr));
    assert!(!folder.path().join("manifest.json").exists() && folder.path().join(".meshsim").exists());
}

#[test]
fn bad_input_leaves_no_folder_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let validate = ["validate", "slow-endpoint", "--trace", "nowhere.csv", "--out", out.to_str().unwrap()];
    assert_eq!(meshsim(&validate).status.code(), Some(2));
    assert_eq!(names(folder.path()), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn two_runs_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    assert!(sweep(folder.path(), &[]).status.success());
    let marker = folder.path().join(".meshsim");
    // The util of the same name holds the lock as another run would.
    let mut other =
        Command::new("flock").args(["-o", marker.to_str().unwrap(), "sleep", "20"]).spawn().unwrap();
    let locked =
        || !Command::new("flock").args(["-n", marker.to_str().unwrap(), "true"]).status().unwrap().success();
    while !locked() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = compare(folder.path(), &[]);
    other.kill().unwrap();
    other.wait().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("another run is writing into"), "{said}");
    assert!(listed(folder.path()).contains(&"sweep.csv".to_owned()), "the earlier results stay");
}

#[test]
fn a_calibrated_scenario_replaces_a_calibrated_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("mine.toml");
    let trace = folder.path().join("trace.csv");
    let rows: String = (0..400).map(|k| format!("{},{},true\n", k * 1000, 40 + k * 37 % 101)).collect();
    std::fs::write(&trace, "timeStamp,elapsed,success\n".to_owned() + &rows).unwrap();
    std::fs::write(&out, "name = \"mine\"\n").unwrap();
    let calibrate = |more: &[&str]| {
        let paths =
            ["--trace", trace.to_str().unwrap(), "--out", out.to_str().unwrap(), "--trace-warm-up", "0"];
        let fit = ["--fit", "cell.cpu_scale=0.5..2", "--draws", "0"];
        meshsim(&[&["calibrate", "--quiet"], &SHORT[..], &paths, &fit, more].concat())
    };
    let output = calibrate(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("meshsim has not written it"), "{}", text(&output.stderr));
    assert!(calibrate(&["--force"]).status.success());
    let output = calibrate(&[]);
    assert!(output.status.success(), "its own is replaced: {}", text(&output.stderr));
}

/// A file that formulas, escape sequences and Markdown are put into.
#[test]
fn names_do_nothing_to_a_terminal_or_a_spreadsheet() {
    let folder = tempfile::tempdir().unwrap();
    let workmodel = text(&meshsim(&["library", "two-services.workmodel.json"]).stdout);
    std::fs::write(folder.path().join("w.json"), &workmodel).unwrap();
    let scenario = |name: &str, description: &str| {
        let services: serde_json::Value = serde_json::from_str(&workmodel).unwrap();
        let entry = services.as_object().unwrap().keys().next().unwrap().clone();
        format!(
            "description = \"{description}\"\n[run]\nduration = \"5s\"\nwarm_up = \"1s\"\nreplications = 2\n\
             [application]\nworkmodel = \"w.json\"\n[clusters.a]\nnodes = [{{ cores = \"8\" }}]\nservices = \"all\"\n\
             [users.u]\ncluster = \"a\"\nservice = \"{entry}\"\nrate = \"20/s\"\n[[strategy]]\nname = \"{name}\"\nset = {{}}\n"
        )
    };
    let path = folder.path().join("s.toml");
    for (name, description, line) in [
        ("a\\u001b[31m", "", "s.toml:16:8"),
        ("a\\nb", "", "s.toml:16:8"),
        ("a\\u009b", "", "s.toml:16:8"),
        ("a\\u202eb", "", "s.toml:16:8"),
        ("a", "\\u001b]0;title\\u0007", "s.toml:1:15"),
    ] {
        std::fs::write(&path, scenario(name, description)).unwrap();
        let output = meshsim(&["check", path.to_str().unwrap()]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(line) && said.contains("has the control character U+"), "{said}");
        assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
    }
    std::fs::write(&path, scenario("=1+1", "Two\\nlines")).unwrap();
    let out = folder.path().join("out");
    let output = meshsim(&["compare", path.to_str().unwrap(), "--quiet", "--out", out.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = std::fs::read_to_string(out.join("metrics.csv")).unwrap();
    assert!(table.contains("\n'=1+1,latency_ms.mean,"), "{table}");
    // A name on the command line and one of a file are shown, not obeyed.
    let output = meshsim(&["check", "a\u{1b}[31m.toml"]);
    assert!(text(&output.stderr).contains("a\\u001b[31m.toml"), "{}", text(&output.stderr));
}

/// Every scenario of the library, its first strategy, the long ones for a minute, the largest for a second.
#[test]
fn results_are_made_again_to_the_byte_from_what_lies_beside_them() {
    let list = text(&meshsim(&["library"]).stdout);
    let scenarios: Vec<String> = list
        .lines()
        .take_while(|line| !line.contains("a suite: validate"))
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect();
    assert!(scenarios.len() > 20, "{scenarios:?}");
    let again = |name: &String| {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join(name);
        let path = out.to_str().unwrap();
        let minute = ["--set", "run.duration=60s"];
        let is_long = ["fluidos-mesh", "fluidos-testbed", "multi-edge", "metro-ci"].contains(&name.as_str());
        let second = ["--set", "run.duration=1s", "--set", "run.warm_up=0s"];
        let more = if name == "metro" {
            &second[..]
        } else if is_long {
            &minute[..]
        } else {
            &[]
        };
        let run = meshsim(&[&["run", name, "--replications", "1", "--quiet", "--out", path], more].concat());
        assert!(run.status.success(), "{name}: {}", text(&run.stderr));
        let rerun = meshsim(&["rerun", path, "--threads", "2", "--quiet"]);
        assert!(rerun.status.success(), "{name}: {}", text(&rerun.stderr));
        assert!(text(&rerun.stdout).contains("the same bytes in all"), "{name}: {}", text(&rerun.stdout));
    };
    std::thread::scope(|scope| {
        for half in scenarios.chunks(scenarios.len().div_ceil(2)) {
            scope.spawn(move || half.iter().for_each(again));
        }
    });
}

#[test]
fn results_that_were_changed_are_not_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    assert!(compare(&out, &["--request-log", "--strategy", "round-robin"]).status.success());
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
    let command: Vec<&str> =
        manifest["command"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let normal = "compare scenario.toml --set run.duration=20s --set run.warm_up=2s --replications 2 --strategy \
                  round-robin --request-log";
    assert_eq!(command.join(" "), normal);
    let rerun = || meshsim(&["rerun", out.to_str().unwrap(), "--quiet"]);
    assert!(rerun().status.success());
    // The scenario of results is one that any command takes.
    assert!(meshsim(&["check", out.to_str().unwrap()]).status.success());
    let metrics = std::fs::read_to_string(out.join("metrics.csv")).unwrap();
    std::fs::write(out.join("metrics.csv"), metrics.clone() + "\n").unwrap();
    let said = text(&rerun().stderr);
    assert!(said.contains("1 of ") && said.contains("files are not the same: metrics.csv"), "{said}");
    std::fs::write(out.join("metrics.csv"), metrics).unwrap();
    std::fs::write(out.join("scenario.toml"), "").unwrap();
    let said = text(&rerun().stderr);
    assert!(said.contains("scenario.toml` is not the file that the results come from"), "{said}");
}

/// The files of all values of an axis lie beside the results, wherever the scenario was.
#[test]
fn a_sweep_over_files_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let body = |kb: u32| {
        format!(
            "{{\"s0\": {{\"internal_service\": {{\"loader\": {{\"sleep_stress\": {{\"run\": false}}, \
             \"mean_response_size\": {kb}}}}}}}}}"
        )
    };
    file("small.json", &body(1));
    file("large.json", &body(40));
    let scenario = "[application]\nworkmodel = \"small.json\"\n[clusters.a]\nnodes = [{ cores = \"4\" }]\n\
                    services = \"all\"\n[users.u]\ncluster = \"a\"\nservice = \"s0\"\nrate = \"20/s\"\n";
    file("own.toml", scenario);
    let (own, out) = (folder.path().join("own.toml"), folder.path().join("out"));
    let (own, path) = (own.to_str().unwrap(), out.to_str().unwrap());
    let files = ["--set", "application.workmodel=small.json,large.json", "--set", "users.u.rate=10/s,20/s"];
    let more = ["--set", "run.duration=5s", "--replications", "2", "--quiet", "--out", path];
    let run = meshsim(&[&["sweep", own], &files[..], &more[..]].concat());
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert!(names(&out).contains(&"input-2.large.json".to_owned()), "{:?}", names(&out));
    for name in ["small.json", "large.json", "own.toml"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    let rerun = meshsim(&["rerun", path, "--quiet"]);
    assert!(rerun.status.success(), "{}", text(&rerun.stderr));
    assert!(text(&rerun.stdout).contains("the same bytes in all"), "{}", text(&rerun.stdout));
}

#[test]
fn a_page_lies_among_results_and_goes_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let [out, beside] = ["out", "beside.html"].map(|name| folder.path().join(name));
    let report = |file: &str| ["--report", file].map(str::to_owned);
    let with = |file: &Path| compare(&out, &report(file.to_str().unwrap()).each_ref().map(String::as_str));
    // Under another name the next run would not know it.
    let refused = with(&out.join("other.html"));
    assert_eq!((refused.status.code(), out.exists()), (Some(2), false), "{}", text(&refused.stderr));
    assert!(with(&beside).status.success());
    let made = meshsim(&["report", out.to_str().unwrap()]);
    assert_eq!(text(&made.stdout), format!("{}\n", out.join("report.html").display()));
    let page = |path: &Path| std::fs::read(path).unwrap();
    assert!(page(&out.join("report.html")) == page(&beside), "one page in two ways");
    assert!(!listed(&out).contains(&"report.html".to_owned()));
    let charts = meshsim(&["report", out.to_str().unwrap(), "--charts"]);
    let charts: serde_json::Value = serde_json::from_slice(&charts.stdout).unwrap();
    let spec = &charts["distribution"][0]["spec"];
    assert!(
        spec["$schema"].as_str().unwrap().contains("vega-lite")
            && spec["data"]["values"][0]["ms"].is_number()
    );
    // A file of somebody else is not replaced; one of the program's is.
    let mine = folder.path().join("mine.html");
    std::fs::write(&mine, "mine").unwrap();
    assert_eq!(with(&mine).status.code(), Some(2));
    assert!(compare(&out, &[]).status.success());
    assert!(!out.join("report.html").exists(), "it was of the results before");
    assert!(with(&beside).status.success());
    // Without results that are kept it is the same page.
    let before = page(&beside);
    let command = [&["compare", "--quiet", "--report", beside.to_str().unwrap()], &SHORT[..]].concat();
    assert!(meshsim(&command).status.success());
    assert!(before == page(&beside));
    let none = meshsim(&["report", folder.path().to_str().unwrap()]);
    assert_eq!(none.status.code(), Some(2), "{}", text(&none.stderr));
}

#[test]
fn names_are_text_on_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/names.toml");
    let short = ["--quiet", "--set", "run.duration=20s", "--set", "run.warm_up=2s"];
    let paths = ["compare", scenario.to_str().unwrap(), "--report", page.to_str().unwrap()];
    let made = meshsim(&[&paths[..], &short].concat());
    assert!(made.status.success(), "{}", text(&made.stderr));
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("\\u003cscript>alert(1)")
    );
    assert!(!page.contains("<script>alert") && !page.contains("<script>throw") && !page.contains("<b>names"));
    assert_eq!(page.matches("</script").count(), 4, "the page's own scripts");
}
