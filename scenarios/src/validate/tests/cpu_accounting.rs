use crate::problem::{Checked, SourceText};
use crate::validate::cpu_accounting::CpuAccounting;
use proptest::prelude::*;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

fn parse(text: &str) -> Checked<CpuAccounting> {
    CpuAccounting::parse(&Arc::new(SourceText { name: "config.json".into(), text: text.into() }))
}

fn with_snapshots(snapshots: &str) -> Checked<CpuAccounting> {
    parse(&format!("{{\"warmup_s\": 20, \"cpu_snapshots\": [{snapshots}]}}"))
}

/// Asserts what is said of a file with these snapshots.
fn check(snapshots: &str, expected: &str) {
    assert_eq!(with_snapshots(snapshots).unwrap_err().to_string(), format!("config.json: {expected}"));
}

const WHOLE: &str = r#"{
  "name": "x", "warmup_s": 20, "rate_per_s": 8.0, "link": {"rtt_ms": 160, "mtu": 1340}, "offload": ["s1", "s0"],
  "t_warmup_end_us": 1020000000,
  "cpu_snapshots": [
    {"t": 999.8, "link": 0.01, "edge1-s0-app": 0.5, "eu-west-1-s1-app": 1.0, "edge1-s0-envoy": 9.0},
    {"t": 1020.2, "link": 0.5, "loadgen": 0.1, "edge1-s0-app": 10.5, "eu-west-1-s1-app": 1.5, "edge1-s0-envoy": 9.5},
    {"t": 1220.7, "link": 7.0, "loadgen": 0.0, "edge1-s0-app": 130.5, "eu-west-1-s1-app": 1.75, "edge1-s0-envoy": 11}
  ]
}"#;

fn names(cluster: &str, service: &str) -> (String, String) {
    (cluster.into(), service.into())
}

#[test]
fn a_whole_file_is_read() {
    let read = parse(WHOLE).unwrap();
    assert!((read.seconds - 200.5).abs() < 1e-9);
    assert!((read.warm_up_seconds - 20.0).abs() < 1e-12);
    assert_eq!((read.rate_per_s, read.rtt_ms), (Some(8.0), Some(160.0)));
    assert_eq!(read.offload, ["s1", "s0"]);
    let used: Vec<_> = read.app_cpu_seconds.into_iter().collect();
    assert_eq!(used, [(names("edge1", "s0"), 120.0), (names("eu-west-1", "s1"), 0.25)]);
}

#[test]
fn the_least_that_is_needed() {
    let read = with_snapshots(r#"{"t": 1, "a-b-app": 2}, {"t": 5, "a-b-app": 3}"#).unwrap();
    assert_eq!((read.seconds, read.rate_per_s, read.rtt_ms), (4.0, None, None));
    assert_eq!(read.app_cpu_seconds[&names("a", "b")], 1.0);
    assert!(read.offload.is_empty());
}

/// Among more snapshots the one at the warm-up's end is found by its time.
#[test]
fn the_warm_up_ends_when_the_file_says_so() {
    let further = r#"{"t": 1100, "edge1-s0-app": 50, "eu-west-1-s1-app": 1.6}, {"t": 1220.7"#;
    let read = parse(&WHOLE.replace(r#"{"t": 1220.7"#, further)).unwrap();
    assert_eq!(read.app_cpu_seconds, parse(WHOLE).unwrap().app_cpu_seconds);
}

#[test]
fn what_is_not_json_is_placed() {
    let said = |text: &str| parse(text).unwrap_err().to_string();
    let help = "(it is the config.json of a testbed configuration)";
    assert_eq!(said("{\n  \"warmup_s\": 20,,\n}"), format!("config.json:2:18: key must be a string {help}"));
    assert_eq!(said(""), format!("config.json:1:1: EOF while parsing a value {help}"));
    assert_eq!(said("{}"), format!("config.json:1:2: missing field `warmup_s` {help}"));
    assert_eq!(said("{\"warmup_s\": 1}"), format!("config.json:1:15: missing field `cpu_snapshots` {help}"));
    assert!(
        said("{\"warmup_s\": \"20\"}")
            .contains("config.json:1:17: invalid type: string \"20\", expected f64")
    );
    assert!(said("{\"warmup_s\": 1e999}").contains("number out of range"));
    assert!(said(&"[".repeat(100_000)).starts_with("config.json:1:"));
    assert!(said("\"é").starts_with("config.json:1:"));
}

#[test]
fn snapshots_are_checked() {
    let first = r#"{"t": 1, "a-b-app": 2}"#;
    let least = "(there is one at the warm-up's end and one at the end, at least)";
    check("", &format!("cpu_snapshots has 0 of them {least}"));
    check(first, &format!("cpu_snapshots has 1 of them {least}"));
    let order = "(snapshots are in the order of time, and counters only grow)";
    check(
        &format!(r#"{first}, {{"t": 3, "a-b-app": 1.5}}"#),
        &format!("cpu_snapshots[1]: `a-b-app` decreases from 2 to 1.5 {order}"),
    );
    check(
        &format!("{first}, {first}"),
        &format!("cpu_snapshots[1] is of t = 1, not after the one before it, t = 1 {order}"),
    );
    let every = "(every pod is in all snapshots from the warm-up's end on)";
    check(
        &format!(r#"{first}, {{"t": 3, "a-b-app": 2, "a-c-app": 1}}"#),
        &format!("cpu_snapshots[1] has `a-c-app`, which the one before it has not {every}"),
    );
    check(
        r#"{"t": 1, "a-b-app": 2, "a-c-app": 1}, {"t": 3, "a-b-app": 2}"#,
        &format!("cpu_snapshots[1] has no `a-c-app`, which the one before it has {every}"),
    );
    check(
        &format!(r#"{first}, {{"a-b-app": 2}}"#),
        "cpu_snapshots[1] has no `t` (it is when it was taken, in seconds since 1970)\n\
         config.json: cpu_snapshots[1] is of t = 0, not after the one before it, t = 1 \
         (snapshots are in the order of time, and counters only grow)",
    );
    check(
        r#"{"t": 1, "b-app": 2}, {"t": 2, "b-app": 2}, {"t": 3, "b-app": 2}"#,
        "the counter `b-app` in cpu_snapshots names no cluster and service (it is CLUSTER-SERVICE-app, as in edge1-s0-app)\n\
         config.json: the last of cpu_snapshots has no counter of an application (there is one per pod, as edge1-s0-app)",
    );
}

/// A pod that came during the warm-up is none of ours.
#[test]
fn pods_may_come_before_the_warm_up_ends() {
    let read = with_snapshots(r#"{"t": 1}, {"t": 2, "a-b-app": 2}, {"t": 4, "a-b-app": 3}"#).unwrap();
    assert_eq!(read.app_cpu_seconds[&names("a", "b")], 1.0);
}

#[test]
fn numbers_out_of_range_are_refused() {
    let text =
        WHOLE.replace("\"rtt_ms\": 160", "\"rtt_ms\": -1").replace("\"warmup_s\": 20", "\"warmup_s\": -20");
    let help = "(it is zero or more, at most 1e9)";
    let expected = format!("config.json: warmup_s is -20 {help}\nconfig.json: link.rtt_ms is -1 {help}");
    assert_eq!(parse(&text).unwrap_err().to_string(), expected);
}

#[test]
fn unreadable_files_are_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("config.json");
    let said = |path| CpuAccounting::read(path).unwrap_err().to_string();
    assert!(said(&path).contains("config.json: cannot be read: "));
    assert!(said(directory.path()).ends_with(": is a directory (name a file in it)"));
    fs::write(&path, b"{\"a\": \"\xff\"}").unwrap();
    assert!(said(&path).ends_with("config.json: is not UTF-8 text, from byte 7 on"));
    fs::write(&path, vec![b' '; (16 << 20) + 1]).unwrap();
    assert!(said(&path).ends_with("config.json: is longer than 16777216 bytes"));
    fs::write(&path, WHOLE).unwrap();
    assert_eq!(CpuAccounting::read(&path).unwrap(), parse(WHOLE).unwrap());
}

proptest! {
    /// A text that is cut or has one character changed is read or refused with a location that is in it.
    #[test]
    fn a_damaged_text_does_no_harm(at in 0..WHOLE.len(), put in any::<char>(), cut: bool) {
        let rest = if cut { "" } else { &WHOLE[at + 1..] };
        if let Err(problems) = parse(&format!("{}{put}{rest}", &WHOLE[..at])) {
            prop_assert!(problems.to_string().starts_with("config.json:"));
        }
    }
}
