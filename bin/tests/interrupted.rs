//! Runs that are stopped, and outputs that nobody reads.

#![allow(clippy::unwrap_used)] // A test may panic.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn start(arguments: &[&str], out: &Path) -> Child {
    // Whoever runs the tests may ignore a hang-up.
    Command::new("env")
        .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_meshsim")])
        .args(arguments)
        .args(["--threads", "1", "--quiet", "--out", out.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn summary(out: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap()
}

/// Waits until something that a child does is there.
fn wait_for(mut is_there: impl FnMut() -> bool) {
    for _ in 0..1_500 {
        if is_there() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it does not come");
}

#[test]
fn each_signal_to_end_keeps_what_is_finished() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let directory = tempfile::tempdir().unwrap();
        let endless = ["compare", "slow-endpoint", "--replications", "10000", "--set", "run.duration=20s"];
        let mut child = start(&endless, directory.path());
        std::thread::sleep(Duration::from_secs(2));
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(code), "SIG{name}");
        let summary = summary(directory.path());
        let finished = summary["run"]["replications"].as_u64().unwrap();
        assert!((1..10_000).contains(&finished), "SIG{name}: {finished}");
        assert_eq!(summary["run"]["interrupted"], true);
        let manifest = std::fs::read_to_string(directory.path().join("manifest.json")).unwrap();
        assert!(manifest.contains("\"interrupted\": true"), "{manifest}");
    }
}

const ENDLESS_SWEEP: [&str; 8] = [
    "sweep",
    "slow-endpoint",
    "--set",
    "users.edge1.rate=10/s,11/s,12/s,13/s,14/s,15/s,16/s,17/s,18/s,19/s,20/s,21/s,22/s,23/s,24/s",
    "--set",
    "run.seed=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32",
    "--set",
    "run.duration=20s",
];

/// Points of a table that may still grow: whole ones alone.
fn points(out: &Path) -> usize {
    let table = std::fs::read_to_string(out.join("sweep.csv")).unwrap_or_default();
    assert!(table.is_empty() || table.ends_with('\n'), "a row is cut: {table}");
    let means = table.lines().filter(|line| line.contains(",latency_ms.mean,")).count();
    let last = table.lines().filter(|line| line.contains(",requests.in_flight,")).count();
    assert_eq!(means, last, "a point is cut");
    means
}

#[test]
fn a_killed_sweep_keeps_the_points_that_were_finished() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start(&ENDLESS_SWEEP, directory.path());
    wait_for(|| points(directory.path()) >= 4);
    signal(&child, "KILL");
    child.wait().unwrap();
    assert!(points(directory.path()) >= 4);
    assert!(!directory.path().join("manifest.json").exists(), "it is not whole");
    assert!(directory.path().join(".meshsim").exists(), "it is meshsim's: the next run takes it");
    let again = ["sweep", "slow-endpoint", "--set", "users.edge1.rate=10/s", "--set", "run.duration=20s"];
    assert_eq!(start(&again, directory.path()).wait().unwrap().code(), Some(2), "its cells are not lost");
    let fresh = [&again[..], &["--fresh"]].concat();
    assert_eq!(start(&fresh, directory.path()).wait().unwrap().code(), Some(0));
    assert!(directory.path().join("manifest.json").exists());
}

#[test]
fn a_terminated_sweep_keeps_its_points_in_the_order_of_the_grid() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start(&ENDLESS_SWEEP, directory.path());
    wait_for(|| points(directory.path()) >= 4);
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let manifest = std::fs::read(directory.path().join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let finished = manifest["finished_points"].as_u64().unwrap();
    assert!((1..480).contains(&finished) && manifest["points"] == 480, "{manifest}");
}

/// All files of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|it| (it.file_name().into_string().unwrap(), std::fs::read(it.path()).unwrap())).collect()
}

/// Numbers from 0 to 1 of a seed that is printed.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = std::env::var("MESHSIM_KILL_SEED").map_or(now.as_nanos() as u64, |it| it.parse().unwrap());
        eprintln!("MESHSIM_KILL_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Kills a command again and again at random moments, each time goes on with what was finished, and has the bytes of
/// one that nobody killed.
fn is_killed_and_goes_on(command: &[&str], kills: u32, moments: &mut Moments) {
    let whole = tempfile::tempdir().unwrap();
    let begin = std::time::Instant::now();
    assert_eq!(start(command, whole.path()).wait().unwrap().code(), Some(0));
    let took = begin.elapsed();
    let resumed = [command, &["--resume"]].concat();
    let mut killed = 0;
    while killed < kills {
        let out = tempfile::tempdir().unwrap();
        loop {
            let mut child = start(&resumed, out.path());
            // Often near the end of what is left, where results are written.
            std::thread::sleep(took.mul_f64(moments.next() * 1.05));
            if child.try_wait().unwrap().is_none() {
                signal(&child, "KILL");
            }
            let code = child.wait().unwrap().code();
            if code == Some(0) {
                break;
            }
            assert_eq!(code, None, "a kill is the only reason to end");
            killed += 1;
        }
        assert!(files(out.path()) == files(whole.path()), "{command:?}: other bytes");
    }
}

#[test]
fn what_is_killed_at_any_moment_goes_on_and_has_the_bytes_of_what_was_not() {
    let mut moments = Moments::new();
    // With pilots, which are cells too.
    let short = ["slow-endpoint", "--set", "run.duration=20s", "--replications", "6"];
    let compare = [&["compare"], &short[..], &["--set", "run.warm_up=auto"]].concat();
    is_killed_and_goes_on(&compare, 10, &mut moments);
    let axes = ["--set", "users.edge1.rate=10/s,20/s", "--set", "run.seed=1,2,3"];
    let sweep = [&["sweep"], &short[..], &axes, &["--set", "run.warm_up=auto"]].concat();
    is_killed_and_goes_on(&sweep, 10, &mut moments);
    is_killed_and_goes_on(&SHORT_DRILL, 5, &mut moments);
    let measured = measured();
    for validation in validations(measured.path()) {
        let command: Vec<&str> = validation.iter().map(String::as_str).collect();
        is_killed_and_goes_on(&command, 5, &mut moments);
    }
}

/// A folder with a trace that is made up, and a suite of two configurations against it.
fn measured() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |k: u64| format!("{} \t {} \t 200\n", 1_700_000_000_000 + 100 * k, 100 + k * 7919 % 900);
    std::fs::write(folder.path().join("my trace.csv"), (0..4000).map(row).collect::<String>()).unwrap();
    let suite = "name = \"s\"\n[defaults]\nscenario = \"fluidos-testbed\"\ntrace = \"my trace.csv\"\n\
                 set.run.duration = \"20s\"\nset.run.warm_up = \"2s\"\nset.run.replications = 3\n\
                 [[configuration]]\nname = \"a\"\nmark = \"test\"\nstrategy = \"none\"\n\
                 [[configuration]]\nname = \"b\"\nmark = \"train\"\nstrategy = \"s0\"\n";
    std::fs::write(folder.path().join("s.toml"), suite).unwrap();
    folder
}

/// A validation of six replications, and the suite.
fn validations(measured: &Path) -> [Vec<String>; 2] {
    let path = |name: &str| measured.join(name).to_str().unwrap().to_owned();
    let one = "validate fluidos-testbed --set run.duration=20s --set run.warm_up=2s --replications 6 --trace";
    let words = |text: &str, last: String| text.split(' ').map(str::to_owned).chain([last]).collect();
    [words(one, path("my trace.csv")), words("validate --suite", path("s.toml"))]
}

/// Two strategies, with an objective that some failures break.
const SHORT_DRILL: [&str; 18] = [
    "drill",
    "shop",
    "--strategy",
    "cloud-only",
    "--strategy",
    "edges",
    "--only",
    "link:edge1*",
    "--only",
    "gateway:edge*",
    "--for",
    "10s",
    "--after",
    "5s",
    "--set",
    "run.warm_up=5s",
    "--replications",
    "2",
];

/// What a drill has finished is not lost by another one in its folder.
#[test]
fn a_drill_refuses_to_discard_cells_unless_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start(&SHORT_DRILL, directory.path());
    let cells = directory.path().join("cells");
    wait_for(|| std::fs::metadata(&cells).is_ok_and(|it| it.len() > 2_000));
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let kept = std::fs::read(&cells).unwrap();
    assert_eq!(start(&SHORT_DRILL, directory.path()).wait().unwrap().code(), Some(2));
    assert!(std::fs::read(&cells).unwrap() == kept, "its cells are not lost");
    let resumed = [&SHORT_DRILL[..], &["--resume"]].concat();
    assert_eq!(start(&resumed, directory.path()).wait().unwrap().code(), Some(0));
    assert!(!cells.exists());
    let csv = std::fs::read_to_string(directory.path().join("drill.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 2 * 5, "{csv}");
}

/// Runs a command in parts, each of which is killed once and goes on, and merges them in some order.
fn is_put_together(command: &[&str], parts: usize, moments: &mut Moments) {
    let whole = tempfile::tempdir().unwrap();
    let begin = std::time::Instant::now();
    assert_eq!(start(command, whole.path()).wait().unwrap().code(), Some(0));
    let took = begin.elapsed().div_f64(parts as f64);
    let mut folders: Vec<tempfile::TempDir> = Vec::new();
    for number in 1..=parts {
        let folder = tempfile::tempdir().unwrap();
        let part = format!("{number}/{parts}");
        let command = [command, &["--partition", &part, "--resume"]].concat();
        let mut child = start(&command, folder.path());
        std::thread::sleep(took.mul_f64(moments.next() * 1.2));
        if child.try_wait().unwrap().is_none() {
            signal(&child, "KILL");
        }
        child.wait().unwrap();
        assert_eq!(start(&command, folder.path()).wait().unwrap().code(), Some(0), "{part}");
        folders.insert((moments.next() * number as f64) as usize, folder);
    }
    let out = tempfile::tempdir().unwrap();
    let paths: Vec<&str> = folders.iter().map(|it| it.path().to_str().unwrap()).collect();
    let merge = |paths: &[&str], out: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshsim"));
        command.arg("merge").args(paths).args(["--quiet", "--out", out.to_str().unwrap()]).output().unwrap()
    };
    let without_one = merge(&paths[1..], out.path());
    let said = String::from_utf8(without_one.stderr).unwrap();
    assert!(without_one.status.code() == Some(2) && said.contains("is missing"), "{said}");
    let merged = merge(&paths, out.path());
    assert!(merged.status.success(), "{}", String::from_utf8(merged.stderr).unwrap());
    let names = |of: &Path| files(of).into_keys().collect::<Vec<_>>();
    assert_eq!(names(out.path()), names(whole.path()));
    assert!(files(out.path()) == files(whole.path()), "{command:?}: other bytes");
    // What was merged is like what was run at once: it can be made again.
    let rerun = Command::new(env!("CARGO_BIN_EXE_meshsim")).arg("rerun").arg(out.path()).output().unwrap();
    assert!(rerun.status.success(), "{}", String::from_utf8(rerun.stderr).unwrap());
}

#[test]
fn parts_that_are_killed_go_on_and_make_the_bytes_of_one_machine_in_any_order() {
    let mut moments = Moments::new();
    let short = ["slow-endpoint", "--set", "run.duration=20s", "--replications", "5"];
    let compare = [&["compare"], &short[..], &["--set", "run.warm_up=auto"]].concat();
    is_put_together(&compare, 3, &mut moments);
    is_put_together(&SHORT_DRILL, 3, &mut moments);
    let measured = measured();
    for validation in validations(measured.path()) {
        let command: Vec<&str> = validation.iter().map(String::as_str).collect();
        is_put_together(&command, 2, &mut moments);
    }
    let axes = ["--set", "users.edge1.rate=10/s,20/s,30/s", "--set", "run.duration=20s"];
    let sweep = |parts, moments: &mut Moments| {
        let short = ["sweep", "slow-endpoint", "--replications", "3", "--baseline", "round-robin"];
        is_put_together(&[&short[..], &axes[..]].concat(), parts, moments);
    };
    // Fewer parts than points, and more.
    sweep(2, &mut moments);
    sweep(5, &mut moments);
}

#[test]
fn cells_of_another_scenario_are_refused_and_more_replications_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path();
    let compare = |duration: &str, more: &[&str]| {
        let duration = format!("run.duration={duration}");
        let command = ["compare", "slow-endpoint", "--set", &duration, "--set", "run.warm_up=2s"];
        start(&[&command[..], more].concat(), out)
    };
    let mut child = compare("20s", &["--replications", "10000"]);
    wait_for(|| std::fs::metadata(out.join("cells")).is_ok_and(|it| it.len() > 300_000));
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let finished = summary(out)["run"]["replications"].as_u64().unwrap() as u32;
    let code = |mut child: Child| child.wait().unwrap().code();
    let count = finished.to_string();
    assert_eq!(code(compare("20s", &["--replications", &count])), Some(2), "neither resumed nor fresh");
    assert_eq!(code(compare("21s", &["--replications", &count, "--resume"])), Some(2), "another scenario");
    assert_eq!(code(compare("20s", &["--replications", &count, "--resume"])), Some(0));
    let alone = tempfile::tempdir().unwrap();
    let mut usual = start(
        &[
            "compare",
            "slow-endpoint",
            "--set",
            "run.duration=20s",
            "--set",
            "run.warm_up=2s",
            "--replications",
            &count,
        ],
        alone.path(),
    );
    assert_eq!(usual.wait().unwrap().code(), Some(0));
    assert!(files(out) == files(alone.path()));
    assert_eq!(
        code(compare("21s", &["--replications", "2", "--resume"])),
        Some(0),
        "there is nothing to go on with"
    );
}

#[test]
fn a_run_that_was_told_to_ignore_a_hang_up_does_so() {
    let directory = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_meshsim");
    let out = directory.path().join("out");
    let mut child = Command::new("nohup")
        .args([program, "compare", "slow-endpoint", "--replications", "10000", "--set", "run.duration=20s"])
        .args(["--threads", "1", "--quiet", "--out", out.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    signal(&child, "HUP");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(child.try_wait().unwrap(), None, "it goes on");
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_result_that_nobody_has_got_is_no_success() {
    let program = env!("CARGO_BIN_EXE_meshsim");
    for arguments in ["library fluidos-mesh", "check slow-endpoint", "--help", "--version"] {
        // The reader is gone before anything is written.
        let line = format!("sleep 0.2; {program} {arguments}; echo $? >&2");
        let mut child = Command::new("sh")
            .args(["-c", &line])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        assert!(said.ends_with("\n1\n") || said == "1\n", "{arguments}: {said}");
        assert!(!said.contains("panicked"), "{arguments}: {said}");
    }
}
