//! `meshsim validate` as its users meet it, with small traces of several formats.

#![allow(clippy::unwrap_used)] // A test may panic.

mod common;
#[path = "../../scenarios/tests/prometheus/server.rs"]
mod server;

use common::{meshsim, text};
use std::io::{BufRead, Read, Write};
use std::process::{Command, Output, Stdio};

/// Validates a short run against a trace with this content.
fn validate(trace: &str, more: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace");
    std::fs::write(&path, trace).unwrap();
    let path = path.to_str().unwrap();
    let short = ["validate", "fluidos-testbed", "--set", "run.duration=20s", "--set", "run.warm_up=2s"];
    let arguments = [&short[..], &["--replications", "2", "--quiet", "--trace", path], more].concat();
    meshsim(&arguments)
}

/// Results of µBench's runner for 400 s, with a bad line.
fn mubench() -> String {
    let row = |k: u64| format!("{} \t {} \t 200\n", 1_700_000_000_000 + 100 * k, 100 + k * 7919 % 900);
    let rows: String = (0..4000).map(row).collect();
    rows.replacen("\t 200\n", "\t oops\n", 1)
}

/// Buckets without moments, of 99 good requests and a failed one.
const FORTIO: &str = r#"{"RunType": "HTTP", "DurationHistogram": {"Count": 100, "Min": 0.004, "Max": 1.7,
        "Avg": 0.48, "Data": [{"Start": 0.004, "End": 0.4, "Count": 50}, {"Start": 0.4, "End": 1.7, "Count": 50}]},
        "RetCodes": {"200": 99, "503": 1}}"#;

#[test]
fn finished_cells_of_others_are_not_discarded() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    let part =
        ["compare", "slow-endpoint", "--quiet", "--replications", "2", "--partition", "1/2", "--out", out];
    let part = meshsim(&[&part[..], &["--set", "run.duration=5s", "--set", "run.warm_up=1s"]].concat());
    assert!(part.status.success(), "{}", text(&part.stderr));
    let output = validate(&mubench(), &["--out", out]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("finished cells of an earlier run"), "{said}");
    assert!(directory.path().join("cells").exists() && directory.path().join("manifest.json").exists());
}

#[test]
fn bad_records_are_left_out_and_reported() {
    let output = validate(&mubench(), &[]);
    let (said, shown) = (text(&output.stderr), text(&output.stdout));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("line 1, field `status`: `oops` is not a number"), "{said}");
    assert!(said.contains("1 of 4000 records are bad and left out (--strict refuses them)"), "{said}");
    assert!(shown.contains("measured requests") && shown.contains("\nks "), "{shown}");
}

#[test]
fn strictly_the_first_bad_record_is_an_error() {
    let output = validate(&mubench(), &["--strict"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("line 1, field `status`: `oops` is not a number"), "{said}");
}

#[test]
fn buckets_have_distances_but_no_intervals() {
    let output = validate(FORTIO, &[]);
    let (said, shown) = (text(&output.stderr), text(&output.stdout));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the file has buckets only"), "{said}");
    assert!(shown.contains("interval: none, the file has only buckets"), "{shown}");
    assert!(shown.contains("480.0 ms") && shown.contains("\nwasserstein "), "{shown}");
    let json = text(&validate(FORTIO, &["--json"]).stdout);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["measured_from"], "buckets");
    let ks = json["figures"].as_array().unwrap().iter().find(|row| row["figure"] == "ks").unwrap();
    assert!(ks["measured"]["value"].as_f64().is_some_and(|distance| (0.0..=1.0).contains(&distance)));
}

/// Of an old file of Locust, which has the median only.
#[test]
fn quantiles_that_a_file_does_not_have_are_not_shown() {
    let locust = "\"Method\",\"Name\",\"# requests\",\"# failures\",\"Median response time\",\"Average response time\",\
                  \"Min response time\",\"Max response time\"\n\"None\",\"Total\",600,2,7,8,3,120\n";
    let output = validate(locust, &[]);
    let (said, shown) = (text(&output.stderr), text(&output.stdout));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("_distribution.csv"), "{said}");
    assert!(
        shown.contains("\np50 ") && !shown.contains("\np90 ") && !shown.contains("\nwasserstein "),
        "{shown}"
    );
    let output = validate(locust, &["--tolerance", "p99=10%"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("the trace has mean, p50, "), "{}", text(&output.stderr));
}

#[test]
fn that_nothing_succeeded_is_said_with_the_count() {
    let rows = |status: u32| {
        (0..30).map(move |k| format!("{} \t 31 \t {status}\n", 1_700_000_000_000_u64 + 100 * k))
    };
    let said = |trace: String, more: &[&str]| {
        let output = validate(&trace, more);
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr)
    };
    let said_of_failures = said(rows(503).collect(), &["--trace-warm-up", "0"]);
    assert!(said_of_failures.contains("all 30 requests of the trace failed"), "{said_of_failures}");
    let said_of_warm_up = said(rows(200).collect(), &["--trace-warm-up", "60"]);
    assert!(
        said_of_warm_up.contains("none of the trace's 30 requests was sent after its warm-up of 60 s"),
        "{said_of_warm_up}"
    );
}

#[test]
fn a_format_can_be_given() {
    let output = validate("1700000000000 31 200\n", &[]);
    assert!(text(&output.stderr).contains("is of no known format"), "{}", text(&output.stderr));
    let output = validate("1700000000000 31 200\n", &["--trace-format", "jtl-csv"]);
    assert!(text(&output.stderr).contains("has no column `timeStamp`"), "{}", text(&output.stderr));
}

#[test]
fn a_tolerance_makes_it_a_check_with_an_exit_code() {
    let good = mubench().replace("\t oops\n", "\t 200\n");
    // Latencies around 550 ms, against some 500 simulated.
    let output = validate(&good, &["--tolerance", "mean=1000%", "--tolerance", "failed=50%"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert_eq!(shown.matches("holds").count(), 2, "{shown}");
    let output = validate(&good, &["--tolerance", "ks=0.01"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("FAILS"), "{}", text(&output.stdout));
    // 40 s are less than four blocks.
    let short: String = good.lines().take(400).map(|line| format!("{line}\n")).collect();
    let output = validate(&short, &["--tolerance", "p99=1000%"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "nothing could be told: {shown}");
    assert!(shown.contains("too short to tell") && shown.contains("fewer than four blocks"), "{shown}");
    let output = validate(&short, &["--tolerance", "p99=1000%", "--tolerance", "failed=50%"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn tolerances_that_nothing_can_be_held_against_are_bad_input() {
    for (tolerances, said) in [
        (&["p9=1%"][..], "did you mean `p90`?"),
        (&["mean=3%", "mean=4%"], "--tolerance mean is given twice"),
        (&["cpu_split=10%"], "give the CPU accounting of the traced run with --cpu-from"),
        (&["rounds=5%"], "with --spans"),
    ] {
        let more: Vec<&str> = tolerances.iter().flat_map(|it| ["--tolerance", it]).collect();
        let output = validate(&mubench(), &more);
        assert_eq!(output.status.code(), Some(2), "{tolerances:?}");
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
}

#[test]
fn results_are_a_page_and_tables() {
    let out = tempfile::tempdir().unwrap();
    let output = validate(&mubench(), &["--arrivals", "replay", "--out", out.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for name in
        ["validation.json", "figures.csv", "cdf.csv", "qq.csv", "services.csv", "served_over_time.csv"]
    {
        assert!(out.path().join(name).is_file(), "{name}");
    }
    let page = meshsim(&["report", out.path().to_str().unwrap()]);
    assert!(page.status.success(), "{}", text(&page.stderr));
    let page = std::fs::read_to_string(out.path().join("report.html")).unwrap();
    for chart in ["distribution", "quantiles"] {
        assert!(page.contains(&format!("data-chart=\"{chart}\"")), "{chart}");
    }
}

/// Runs `validate --suite` in a folder with this suite and its trace.
fn suite(text: &str, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.toml"), text).unwrap();
    std::fs::write(folder.path().join("a.csv"), mubench()).unwrap();
    let arguments = [&["validate", "--quiet", "--suite", "s.toml"], more].concat();
    Command::new(env!("CARGO_BIN_EXE_meshsim")).current_dir(folder.path()).args(arguments).output().unwrap()
}

const SUITE: &str = "name = \"s\"\n[[configuration]]\nname = \"a\"\nmark = \"test\"\nscenario = \"fluidos-testbed\"\n\
    trace = \"a.csv\"\nset.run = { duration = \"20s\", warm_up = \"2s\", replications = 2 }\ntolerance.ks = \"0.9\"\n";

#[test]
fn a_suite_has_a_line_per_configuration_and_an_exit_code() {
    let output = suite(SUITE, &[]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("\na ") && shown.contains("Checks: 1 hold, 0 fail"), "{shown}");
    let output = suite(&SUITE.replace("0.9", "0.001"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("Fails: ks of a"), "{}", text(&output.stdout));
}

#[test]
fn what_is_wrong_with_a_suite_is_bad_input() {
    for (more, said) in [
        (&["--only", "b"][..], "the suite has no configuration `b`"),
        (&["--traces", "nowhere"], "there is no folder `nowhere`"),
        (&["--trace", "a.csv"], "cannot be used with"),
    ] {
        let output = suite(SUITE, more);
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
    let output = suite(&SUITE.replace("20s", "20"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("s.toml:7:"), "{}", text(&output.stderr));
}

#[test]
fn what_belongs_to_a_suite_is_refused_without_one() {
    for option in [&["--only", "x"][..], &["--traces", "."], &["--markdown", "x.md"]] {
        let output = validate(&mubench(), option);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("belongs to a suite, and there is none"), "{said}");
    }
}

#[test]
fn buckets_have_no_moments_to_replay() {
    let output = validate(FORTIO, &["--arrivals", "replay"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot be a replay of the trace"), "{said}");
}

#[test]
fn traces_of_a_suite_lie_beside_its_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("suites")).unwrap();
    std::fs::write(folder.path().join("suites/s.toml"), SUITE).unwrap();
    std::fs::write(folder.path().join("suites/a.csv"), mubench()).unwrap();
    let run = |more: &[&str]| {
        let arguments = [&["validate", "--quiet", "--suite", "suites/s.toml"], more].concat();
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshsim"));
        command.current_dir(folder.path()).args(arguments).output().unwrap()
    };
    let output = run(&["--markdown", "page.md"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(folder.path().join("page/a.svg").is_file() && folder.path().join("page/manifest.json").is_file());
    assert_eq!(run(&["--markdown", "page.md"]).status.code(), Some(0), "its own page is replaced");
    std::fs::write(folder.path().join("mine.md"), "# Mine\n").unwrap();
    let output = run(&["--markdown", "mine.md"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("meshsim has not written it"), "{}", text(&output.stderr));
    assert_eq!(run(&["--markdown", "mine.md", "--force"]).status.code(), Some(0));
    assert_eq!(run(&["--markdown", "page"]).status.code(), Some(2), "its folder would have its name");
    assert_eq!(run(&["--force"]).status.code(), Some(2), "nothing is written");
    assert_eq!(run(&["--traces", "."]).status.code(), Some(2), "that folder has no a.csv");
}

/// Users of two edges browse, which takes 1 ms, and buy, which takes 101.
const KINDS: &str = r#"[run]
duration = "100s"
warm_up = "0s"
replications = 2
[clusters.edge]
nodes = [{ cores = "8" }]
services = "all"
[services.shop]
service_time = "1ms"
[services.shop.endpoints.browse]
[services.shop.endpoints.buy]
wait = "100ms"
[users.near]
cluster = "edge"
service = "shop"
requests = { browse = 3, buy = 1 }
rate = "20/s"
[users.far]
cluster = "edge"
service = "shop"
requests = { browse = 3, buy = 1 }
rate = "20/s"
access = { rtt = "20ms" }
"#;

/// Four minutes of JMeter, whose labels say who buys and browses.
fn labelled() -> String {
    let row = |k: u64| {
        let (users, way) = if k.is_multiple_of(2) { ("near", 0) } else { ("far", 20) };
        let (kind, takes) = if k % 8 < 2 { ("buy", 102) } else { ("browse", 2) };
        let failed = k.is_multiple_of(80);
        let code = if failed { 503 } else { 200 };
        format!("{},{},{users}/{kind},{code},{}\n", 1_700_000_000_000 + 25 * k, takes + way + k % 3, !failed)
    };
    "timeStamp,elapsed,label,responseCode,success\n".to_owned() + &(0..9_600).map(row).collect::<String>()
}

#[test]
fn groups_of_users_and_kinds_of_requests_have_figures_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let [scenario, trace] = ["shop.toml", "trace.csv"].map(|name| directory.path().join(name));
    std::fs::write(&scenario, KINDS).unwrap();
    std::fs::write(&trace, labelled()).unwrap();
    let validate = |more: &[&str]| {
        let paths = ["validate", scenario.to_str().unwrap(), "--trace", trace.to_str().unwrap(), "--quiet"];
        Command::new(env!("CARGO_BIN_EXE_meshsim")).args(paths).args(more).output().unwrap()
    };
    let said = text(&validate(&[]).stderr);
    assert!(said.contains("more than one population") && said.contains("--arrivals scenario"), "{said}");
    let output = validate(&["--arrivals", "scenario", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let groups = json["groups"].as_array().unwrap();
    // Two groups of users, two kinds, and both of both.
    let names: Vec<[&str; 2]> =
        groups.iter().map(|it| ["users", "request"].map(|key| it[key].as_str().unwrap_or("-"))).collect();
    let expected = [
        ["far", "-"],
        ["near", "-"],
        ["-", "browse"],
        ["-", "buy"],
        ["far", "browse"],
        ["far", "buy"],
        ["near", "browse"],
        ["near", "buy"],
    ];
    assert_eq!(names, expected);
    let requests: Vec<u64> = groups.iter().map(|it| it["requests"].as_u64().unwrap()).collect();
    assert_eq!(requests, [4_800, 4_800, 7_200, 2_400, 3_600, 1_200, 3_600, 1_200]);
    let figure = |group: usize, name: &str, side: &str| {
        let figures = groups[group]["figures"].as_array().unwrap();
        figures.iter().find(|it| it["figure"] == name).unwrap()[side]["value"].as_f64().unwrap()
    };
    for (group, ms) in [(4, 23.0), (5, 123.0), (6, 3.0), (7, 103.0)] {
        assert!(
            (figure(group, "mean", "measured") - ms).abs() < 0.1,
            "{}",
            figure(group, "mean", "measured")
        );
        assert!(
            (figure(group, "p50", "simulated") - ms).abs() < 2.0,
            "{}",
            figure(group, "p50", "simulated")
        );
    }
    // One of 80 requests failed, all of them who bought near.
    assert!((figure(7, "failed", "measured") - 0.1).abs() < 1e-9 && figure(4, "failed", "measured") == 0.0);
    let out = directory.path().join("out");
    let shown = text(&validate(&["--arrivals", "scenario", "--out", out.to_str().unwrap()]).stdout);
    assert!(shown.contains("by users and kinds of requests") && shown.contains("near, buy"), "{shown}");
    assert!(meshsim(&["report", out.to_str().unwrap()]).status.success());
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for (index, group) in groups.iter().enumerate() {
        let name = ["users", "request"].map(|key| group[key].as_str().unwrap_or_default());
        let name = name.join(if name.contains(&"") { "" } else { ", " });
        let figures = format!("data-from=\"validation.json#/groups/{index}/figures/");
        let measured = page.split(&figures).skip(1).filter(|it| it[1..].starts_with("/measured/value\""));
        assert!(page.contains(&format!("<h4>{name}, <data")) && measured.count() == 6, "{name}");
    }
}

/// A Prometheus that has nothing: its address.
fn empty_prometheus() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 8192];
            let _ = stream.read(&mut bytes);
            let body = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
        }
    });
    url
}

/// Blocks of a run that is what was predicted are within their bands; where calls cost more, that is the cause.
#[test]
fn prometheus_is_watched_block_by_block() {
    if !server::is_installed("prometheus_is_watched_block_by_block") {
        return;
    }
    let folder = server::folder("watched");
    let metrics = folder.join("metrics.txt");
    let long = ["--set", "run.duration=12min", "--set", "run.warm_up=0s", "--set", "users.edge1.rate=25/s"];
    let run = [&long[..], &["--strategy", "s0-s3", "-q"]].concat();
    let export = ["run", "fluidos-mesh", "--replications", "1", "--openmetrics", metrics.to_str().unwrap()];
    let ended = meshsim(&[&export[..], &run].concat());
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    let prometheus = server::serve(&folder, &metrics);
    let watch = ["validate", "fluidos-mesh", "--prometheus", &prometheus.url, "--at", "2026-01-01T00:06:00Z"];
    let blocks = ["--watch", "--every", "5m", "--blocks", "2"];
    let watched = |more: &[&str]| {
        let ended = meshsim(&[&watch[..], &blocks, &run, more].concat());
        (ended.status.code(), text(&ended.stdout), text(&ended.stderr))
    };
    let (code, said, warned) = watched(&[]);
    assert_eq!((code, said.lines().count()), (Some(0), 2), "{said}{warned}");
    assert!(said.starts_with("2026-01-01T00:06:00") && said.contains("\n2026-01-01T00:11:00"), "{said}");
    assert!(said.contains("figures within 10 % and chance; nearest to its end: "), "{said}");
    // A core that is slower than it was thought to be.
    let (code, said, warned) = watched(&["--set", "cell.cpu_scale=0.3"]);
    assert_eq!((code, said.lines().count()), (Some(1), 2), "{said}{warned}");
    let expected = "calls take another CPU time: CPU time of a call of s0";
    assert_eq!(warned.matches(expected).count(), 2, "{warned}");
    // Less load.
    let (code, _, warned) = watched(&["--set", "users.edge1.rate=15/s"]);
    assert_eq!(code, Some(1), "{warned}");
    assert!(warned.contains("the load is another one: requests of users of s0 in provider1"), "{warned}");
    drop(prometheus);
    // A service dies between two blocks: its servers count no calls any more, yet users ask as before, and fail.
    let folder = server::folder("watched-dead");
    let crash = |cluster: &str| {
        format!("{{at=\"6min\",for=\"6min\",service=\"s1\",cluster=\"{cluster}\",kind=\"crash\"}}")
    };
    let dead = format!("faults=[{},{}]", crash("cloud"), crash("edge1"));
    let metrics = folder.join("metrics.txt");
    let export = ["run", "fluidos-mesh", "--replications", "1", "--openmetrics", metrics.to_str().unwrap()];
    assert!(meshsim(&[&export[..], &run, &["--set", &dead]].concat()).status.success());
    let prometheus = server::serve(&folder, &metrics);
    let at = ["validate", "fluidos-mesh", "--prometheus", &prometheus.url, "--at", "2026-01-01T00:06:00Z"];
    let ended = meshsim(&[&at[..], &blocks, &run].concat());
    let (said, warned) = (text(&ended.stdout), text(&ended.stderr));
    assert!(
        said.starts_with("2026-01-01T00:06:00.000Z: ") && said.lines().next().unwrap().contains("within"),
        "{said}"
    );
    let expected = "2026-01-01T00:11:00.000Z: another share of the requests fails: failed requests of users of s0 in provider1 ";
    let line = warned.lines().find(|it| it.contains(expected)).unwrap_or_else(|| panic!("{warned}"));
    assert!(
        line.contains(". With it: calls of s1 by s0 0.000 a request") && !line.contains("itself"),
        "{line}"
    );
}

#[test]
fn watching_ends_cleanly() {
    let url = empty_prometheus();
    let arguments = [
        "validate",
        "fluidos-mesh",
        "--strategy",
        "s0",
        "--set",
        "run.duration=5s",
        "--set",
        "run.warm_up=1s",
        "-q",
    ];
    let of = ["--prometheus", &url];
    // One block without calls: another load.
    let ended = meshsim(&[&arguments[..], &of].concat());
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("the load is another one"), "{}", text(&ended.stderr));
    for (more, expected) in [
        (&["--every", "often"][..], "--every `often` is no window"),
        (&["--blocks", "2"], "--watch"),
        (&["--tolerance", "mean=3%"], "cannot be used with"),
    ] {
        let ended = meshsim(&[&arguments[..], &of, more].concat());
        assert_eq!(ended.status.code(), Some(2), "{}", text(&ended.stderr));
        assert!(text(&ended.stderr).contains(expected), "{}", text(&ended.stderr));
    }
    let nobody = meshsim(&[&arguments[..], &["--prometheus", "http://127.0.0.1:1"]].concat());
    assert_eq!(nobody.status.code(), Some(2), "{}", text(&nobody.stderr));
    // Ctrl-C between two blocks.
    let mut child = Command::new(env!("CARGO_BIN_EXE_meshsim"))
        .args([&arguments[..], &of, &["--watch"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert!(line.contains("figures left their band"), "{line}");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
