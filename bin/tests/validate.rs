//! `meshsim validate` as its users meet it, with small traces of several formats.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::process::{Command, Output};

/// Validates a short run against a trace with this content.
fn validate(trace: &str, more: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace");
    std::fs::write(&path, trace).unwrap();
    let path = path.to_str().unwrap();
    let short = ["validate", "fluidos-testbed", "--set", "run.duration=20s", "--set", "run.warm_up=2s"];
    let arguments = [&short[..], &["--replications", "2", "--quiet", "--trace", path], more].concat();
    Command::new(env!("CARGO_BIN_EXE_meshsim")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Results of µBench's runner for 400 s, with a bad line.
fn mubench() -> String {
    let row = |k: u64| format!("{} \t {} \t 200\n", 1_700_000_000_000 + 100 * k, 100 + k * 7919 % 900);
    let rows: String = (0..4000).map(row).collect();
    rows.replacen("\t 200\n", "\t oops\n", 1)
}

#[test]
fn bad_records_are_left_out_and_reported() {
    let output = validate(&mubench(), &[]);
    let (said, shown) = (text(&output.stderr), text(&output.stdout));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("line 1, field `status`: `oops` is not a number"), "{said}");
    assert!(said.contains("1 of 4000 records are bad and left out (--strict refuses them)"), "{said}");
    assert!(shown.contains("measured requests") && shown.contains("Kolmogorov-Smirnov"), "{shown}");
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
    let fortio = r#"{"RunType": "HTTP", "DurationHistogram": {"Count": 100, "Min": 0.004, "Max": 1.7,
        "Avg": 0.48, "Data": [{"Start": 0.004, "End": 0.4, "Count": 50}, {"Start": 0.4, "End": 1.7, "Count": 50}]},
        "RetCodes": {"200": 99, "503": 1}}"#;
    let output = validate(fortio, &[]);
    let (said, shown) = (text(&output.stderr), text(&output.stdout));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the file has buckets only"), "{said}");
    assert!(shown.contains("interval: none, the file has only buckets"), "{shown}");
    assert!(shown.contains("480.0") && shown.contains("Wasserstein distance"), "{shown}");
    let json = text(&validate(fortio, &["--json"]).stdout);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["measured_from"], "buckets");
    assert!(json["kolmogorov_smirnov"].as_f64().is_some_and(|distance| (0.0..=1.0).contains(&distance)));
}

#[test]
fn a_format_can_be_given() {
    let output = validate("1700000000000 31 200\n", &[]);
    assert!(text(&output.stderr).contains("is of no known format"), "{}", text(&output.stderr));
    let output = validate("1700000000000 31 200\n", &["--trace-format", "jtl-csv"]);
    assert!(text(&output.stderr).contains("has no column `timeStamp`"), "{}", text(&output.stderr));
}
