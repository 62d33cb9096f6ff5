//! Suites whose traces were made by the simulator itself: there the truth is known.
#![allow(clippy::unwrap_used)] // A test may panic.

use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::experiment::store::CellStore;
use meshsim_scenarios::results::folder::Folder;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::validate::figures::FigureKey;
use meshsim_scenarios::validate::report::{MarkdownPage, write_suite};
use meshsim_scenarios::validate::suite::read::Suite;
use meshsim_scenarios::validate::suite::run::Report;
use meshsim_scenarios::validate::tolerance::Verdict;
use std::fmt::Write;
use std::path::Path;

/// Requests of one replication of `fluidos-testbed` under a strategy, as JMeter writes them.
fn trace(strategy: &str, settings: &[&str]) -> String {
    let settings: Vec<Setting> = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
    let scenario = Scenario::open("fluidos-testbed", &settings).unwrap();
    let choice = Choice {
        strategies: vec![strategy.to_owned()],
        replications: Some(1),
        seed: Some(77),
        ..Choice::default()
    };
    let plan = ComparisonPlan::new(&scenario, &choice).unwrap();
    let outcome = plan.run(Rows::Kept, &Watch::default());
    let mut text = "timeStamp,elapsed,label,responseCode,success,bytes,start_us,elapsed_us\n".to_owned();
    for (row, _) in &outcome.replications[0].1[0].rows {
        let Some(end) = row.end else { continue };
        let (start, took) =
            (1_700_000_000_000_000 + row.arrival.as_nanos() / 1000, end.latency.as_nanos() / 1000);
        let (code, ok) = (end.status.code(), end.status.is_ok());
        let _ = writeln!(text, "{},{},s0,{code},{ok},1000,{start},{took}", start / 1000, took / 1000);
    }
    text
}

const SUITE: &str = r#"
name = "own"
[defaults]
scenario = "fluidos-testbed"
trace = "{name}.csv"
set.run = { duration = "400s", replications = 4 }
tolerance = { mean = "8%", p50 = "8%", p90 = "10%", ks = "0.08", failed = "1%" }
[[configuration]]
name = "none"
mark = "train"
strategy = "none"
[[configuration]]
name = "s0-s3"
mark = "test"
strategy = "s0-s3"
CHANGE
"#;

fn run(folder: &Path, change: &str) -> Report {
    let file = folder.join("own.toml");
    std::fs::write(&file, SUITE.replace("CHANGE", change)).unwrap();
    let suite = Suite::open(file.to_str().unwrap()).unwrap();
    let prepared = suite.prepare(folder, &Choice::default()).unwrap();
    let store = CellStore::temporary().unwrap();
    let counts = prepared.cell_counts();
    assert!(prepared.run_cells(&store, |index| 0..counts[index], &Watch::default()));
    prepared.report(&store).unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for strategy in ["none", "s0-s3"] {
        let text = trace(strategy, &["run.duration=800s"]);
        std::fs::write(folder.path().join(format!("{strategy}.csv")), text).unwrap();
    }
    folder
}

#[test]
fn the_simulator_predicts_itself_but_not_another_link() {
    let folder = folder();
    let report = run(folder.path(), "");
    let checks: Vec<_> = report.configurations.iter().flat_map(|it| &it.validation.checks).collect();
    assert!(report.holds(), "{checks:?}");
    assert!(checks.iter().all(|check| check.verdict != Verdict::Fails) && checks.len() == 10, "{checks:?}");
    assert_eq!(report.ranking.len(), 1);
    assert!(report.ranking[0].faster == "s0-s3" && report.ranking[0].holds);
    // The rate is the trace's, which is nearly the scenario's.
    assert!((report.configurations[0].validation.rate_per_second - 8.0).abs() < 0.5);

    let report = run(folder.path(), "set.links.edge1-cloud.rtt = \"240ms\"");
    assert!(!report.holds());
    let other = &report.configurations[1].validation;
    let failed = |key| other.checks.iter().any(|it| it.figure == key && it.verdict == Verdict::Fails);
    assert!(failed(FigureKey::Mean) && failed(FigureKey::Ks), "{:?}", other.checks);
    assert_eq!(
        report.configurations[0].validation.checks.iter().filter(|it| it.verdict == Verdict::Fails).count(),
        0
    );
}

#[test]
fn a_replay_of_the_trace_s_moments_is_as_long_as_the_trace() {
    let folder = folder();
    let report = run(folder.path(), "arrivals = \"replay\"");
    let [rate, replay] = [0, 1].map(|index| report.configurations[index].validation.clone());
    assert!(report.holds(), "{:?}", replay.checks);
    // 800 s of four replications against 400 s of four.
    let ratio = replay.simulated_sorted_ms.len() as f64 / rate.simulated_sorted_ms.len() as f64;
    assert!((1.9..2.1).contains(&ratio), "{ratio}");
}

#[test]
fn results_do_not_hang_on_threads_and_name_no_place() {
    let folder = folder();
    let written = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let out = tempfile::tempdir().unwrap();
        let report = pool.install(|| run(folder.path(), ""));
        write_suite(&mut Folder::claim(out.path(), false).unwrap(), &report).unwrap();
        MarkdownPage::claim(&out.path().join("page.md"), false).unwrap().write(&report).unwrap();
        let mut files: Vec<_> =
            std::fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let text = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, if path.is_file() { std::fs::read_to_string(path).unwrap() } else { String::new() })
        };
        files.iter().map(text).collect::<Vec<_>>()
    };
    let one = written(1);
    assert_eq!(one, written(3));
    let names: Vec<&str> = one.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        ".meshsim",
        "cdf.csv",
        "figures.csv",
        "manifest.json",
        "page",
        "page.md",
        "qq.csv",
        "ranking.csv",
        "served_over_time.csv",
        "services.csv",
        "validation.json",
    ];
    assert_eq!(names, expected);
    let path = folder.path().to_str().unwrap();
    for (name, text) in &one {
        assert!(!text.contains(path), "{name} names {path}");
        assert!(!text.contains("src=\"http") && !text.contains("href="), "{name} loads from elsewhere");
    }
}

/// Scenario, work model and trace lie beside the suite, which is opened from elsewhere.
#[test]
fn paths_in_a_suite_begin_at_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    let library = |name: &str| meshsim_scenarios::library::file(name).unwrap().to_owned();
    file("suites/model.json", &library("two-services.workmodel.json"));
    let scenario = meshsim_scenarios::library::scenario("slow-endpoint").unwrap();
    file("scenarios/mine.toml", &scenario.replace("two-services.workmodel.json", "no-such-file.json"));
    let rows: String = (0..400).map(|k| format!("{},{},true\n", k * 1000, 40 + k * 37 % 101)).collect();
    file("suites/a.csv", &format!("timeStamp,elapsed,success\n{rows}"));
    let suite = "name = \"s\"\n[[configuration]]\nname = \"a\"\nmark = \"test\"\ntrace = \"a.csv\"\n\
                 scenario = \"../scenarios/mine.toml\"\nset.application.workmodel = \"model.json\"\n";
    let path = file("suites/s.toml", suite);
    let suite = Suite::open(path.to_str().unwrap()).unwrap();
    let traces = suite.folder.clone();
    suite.prepare(&traces, &Choice::default()).map(drop).unwrap();
    // A path that is written from the scenario on still holds where the suite has no such file.
    file("scenarios/other.json", &library("two-services.workmodel.json"));
    let other = std::fs::read_to_string(&path).unwrap().replace("model.json", "other.json");
    let path = file("suites/t.toml", &other);
    let suite = Suite::open(path.to_str().unwrap()).unwrap();
    suite.prepare(&traces, &Choice::default()).map(drop).unwrap();
}
