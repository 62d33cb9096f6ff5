//! What is cut as warm-up, and what is not.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_scenarios::analysis::summary::{Strategy, Summary};
use meshsim_scenarios::analysis::verdict::verdict;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonOutcome, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::experiment::warm_up::Rule;

const WORKMODEL: &str = r#"{"back": {"internal_service": {"loader": {"cpu_stress": {"run": false}}}, "workers": 1, "threads": 1000}}"#;

/// One service behind nothing that takes time: what a request waits is what the service needs.
const SCENARIO: &str = r#"[run]
replications = 2
[application]
workmodel = "app.json"
[cell]
request = "0ms"
response = "0ms"
body_per_kb = "0ms"
speed_spread = 0.0
[clusters.edge]
nodes = [{ cores = "16" }]
services = "all"
local_delay = "0us"
local_bandwidth = "10000Gbit/s"
[mesh]
data_plane = "none"
[gateway]
cost = { request = "0us", response = "0us", response_per_kb = "0us", spread = 0.0, cpu = "0us", cpu_per_kb = "0us" }
[users.edge]
cluster = "edge"
service = "back"
access = { rtt = "0ms", bandwidth = "10000Gbit/s" }
"#;

fn compare(
    rest: &str,
    settings: &[&str],
    strategies: &[&str],
) -> (ComparisonPlan, ComparisonOutcome, Summary) {
    let text = format!("{SCENARIO}{rest}\n");
    let scenario = support::of_texts(&[("it.toml", &text), ("app.json", WORKMODEL)], settings).unwrap();
    let choice =
        Choice { strategies: strategies.iter().map(|&name| name.to_owned()).collect(), ..Choice::default() };
    let plan = ComparisonPlan::new(&scenario, &choice).unwrap();
    let outcome = plan.run(Rows::Kept, &Watch::default());
    let summary = Summary::new(&plan, &outcome);
    (plan, outcome, summary)
}

fn find<'a>(summary: &'a Summary, name: &str) -> &'a Strategy {
    summary.strategies.iter().find(|it| it.name == name).unwrap()
}

fn failed_share(it: &Strategy) -> f64 {
    it.requests.failed.values().sum::<u64>() as f64 / it.requests.offered as f64
}

/// A request every 50 ms that takes 1 ms: those from the written moment on count, and so do their calls and their
/// CPU time, whatever part of the run the moment is at.
#[test]
fn what_is_written_is_cut_to_the_nanosecond() {
    let steady = "rate = \"20/s\"\narrivals = \"constant\"\n\
                  [services.back]\nservice_time = { law = \"deterministic\", mean = \"1ms\" }";
    for warm_up in ["0s", "9.951s", "10.000000001s", "13.3s"] {
        let settings = [format!("run.warm_up={warm_up}"), "run.duration=21.7s".to_owned()];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let (plan, outcome, summary) = compare(steady, &settings, &[]);
        let cut = SimTime::ZERO + warm_up.parse::<SimDuration>().unwrap();
        let strategy = &summary.strategies[0];
        let rows = || outcome.replications.iter().flat_map(|(_, figures)| &figures[0].rows);
        let after = rows().filter(|(row, _)| row.arrival >= cut).count() as u64;
        assert_eq!(strategy.requests.offered, after, "{warm_up}");
        assert_eq!((strategy.warm_up.rule, strategy.warm_up.seconds), (Rule::Written, cut.as_secs_f64()));
        assert!((strategy.simulated_seconds - 2.0 * 21.7).abs() < 1e-9);
        // A call counts when it has been served, 1 ms later: as many are under way at the cut as at the end.
        let served = strategy.served_per_second["back"]["edge"] * strategy.simulated_seconds;
        assert!((served - after as f64).abs() < 1e-6, "{warm_up}: {served} of {after}");
        let cpu = strategy.by_cluster("cpu_seconds_per_second")["edge"].value * strategy.simulated_seconds;
        assert!((cpu - 0.001 * after as f64).abs() < 1e-4, "{warm_up}: {cpu} s for {after}");
        assert_eq!(plan.strategies[0].description.end(), cut + "21.7s".parse().unwrap());
    }
}

/// A minute of 390 s: 15.4 % of the requests fail; at 10 times the time a thread is asked for twice what it can do,
/// so that half of the minute's work is left at its end, and takes more than another minute to go.
fn faults(at: u32) -> String {
    format!(
        "rate = \"20/s\"\n[services.back]\nservice_time = {{ law = \"deterministic\", mean = \"10ms\" }}\n\
         [[strategy]]\nname = \"healthy\"\nset = {{}}\n\
         [[strategy]]\nname = \"slow\"\nset.faults = [{{ at = \"{at}s\", for = \"60s\", service = \"back\", \
         cluster = \"edge\", kind = \"slow\", factor = 10 }}]\n\
         [[strategy]]\nname = \"down\"\nset.faults = [{{ at = \"{at}s\", for = \"60s\", service = \"back\", \
         cluster = \"edge\", kind = \"errors\", share = 1.0, status = 503 }}]"
    )
}

#[test]
fn a_fault_counts_whenever_it_comes() {
    let (_, _, early) = compare(&faults(60), &["run.warm_up=10s", "run.duration=390s"], &[]);
    let (_, _, late) = compare(&faults(200), &["run.warm_up=10s", "run.duration=390s"], &[]);
    for summary in [&early, &late] {
        let share = failed_share(find(summary, "down"));
        assert!((share - 60.0 / 390.0).abs() < 0.01, "{share}");
        let slow = summary.difference("slow", "healthy").unwrap().value;
        assert!(slow > 5_000.0, "{slow}");
        assert!(summary.strategies.iter().all(|it| it.warm_up.seconds == 10.0));
    }
    // A minute has 1,200 requests, give or take 35, and what is left is what they need beyond a minute.
    let [one, other] = [&early, &late].map(|it| it.difference("slow", "healthy").unwrap().value);
    assert!((one / other - 1.0).abs() < 0.35, "{one} {other}");
}

#[test]
fn auto_cuts_nothing_under_any_strategy_where_one_has_a_fault() {
    let (_, _, summary) = compare(&faults(60), &["run.warm_up=auto", "run.duration=390s"], &[]);
    for it in &summary.strategies {
        assert_eq!((it.warm_up.rule, it.warm_up.seconds), (Rule::Varies, 0.0));
        assert_eq!(it.warm_up.because, ["faults"]);
        assert!((it.simulated_seconds - 780.0).abs() < 1e-9 && it.warm_up_not_found == 0);
    }
    assert!((failed_share(find(&summary, "down")) - 60.0 / 390.0).abs() < 0.01);
}

/// A strategy under which nearly everything fails: the other's figures are those that it has alone, to the byte.
#[test]
fn no_strategy_changes_the_figures_of_another() {
    let strategies = "rate = \"20/s\"\n[services.back]\nservice_time = { law = \"exponential\", mean = \"10ms\" }\n\
                      [[strategy]]\nname = \"ok\"\nset = {}\n\
                      [[strategy]]\nname = \"failing\"\nset.mesh.data_plane = \"sidecar\"\n\
                      set.services.back.routes = [{ retries = { attempts = 0 }, fault = { abort = { http_status = 503, \
                      percentage = 99.9 } } }]";
    for warm_up in ["run.warm_up=10s", "run.warm_up=auto"] {
        let settings = [warm_up, "run.duration=100s"];
        let (_, _, both) = compare(strategies, &settings, &[]);
        let (_, _, alone) = compare(strategies, &settings, &["ok"]);
        let json = |summary: &Summary| serde_json::to_string(find(summary, "ok")).unwrap();
        assert_eq!(json(&both), json(&alone), "{warm_up}");
        assert!(failed_share(find(&both, "failing")) > 0.99);
    }
}

/// Nothing is written: each strategy is cut where its pilots settle, at most at half of the run, and the
/// difference is that of the requests that count under both.
#[test]
fn a_difference_takes_the_requests_that_count_under_both() {
    let strategies = "rate = \"95/s\"\n[services.back]\nservice_time = { law = \"exponential\", mean = \"10ms\" }\n\
                      [[strategy]]\nname = \"busy\"\nset = {}\n\
                      [[strategy]]\nname = \"idle\"\nset.services.back.service_time.mean = \"1ms\"";
    let (_, outcome, summary) = compare(strategies, &["run.duration=120s"], &[]);
    let cuts: Vec<SimTime> = summary
        .strategies
        .iter()
        .map(|it| {
            assert_eq!(it.warm_up.rule, Rule::Settled);
            SimTime::ZERO + SimDuration::from_secs_f64(it.warm_up.seconds)
        })
        .collect();
    assert!(cuts[0] != cuts[1], "{cuts:?}: otherwise there is nothing to see");
    let later = cuts[0].max(cuts[1]);
    let half = SimTime::ZERO + SimDuration::from_secs(60);
    assert!(later <= half, "{cuts:?}");
    let mean = |replication: usize, strategy: usize| {
        let rows = outcome.replications[replication].1[strategy].rows.iter();
        let ended = rows.filter(|(row, _)| row.arrival >= later).filter_map(|(row, _)| row.end);
        let ok: Vec<f64> =
            ended.filter(|end| end.status.is_ok()).map(|end| end.latency.as_millis_f64()).collect();
        ok.iter().sum::<f64>() / ok.len() as f64
    };
    let differences = [0, 1].map(|replication| mean(replication, 0) - mean(replication, 1));
    let difference = summary.difference("busy", "idle").unwrap().value;
    assert!(
        (difference - (differences[0] + differences[1]) / 2.0).abs() < 1e-9,
        "{difference} {differences:?}"
    );
    for (it, cut) in summary.strategies.iter().zip(&cuts) {
        let end = SimTime::ZERO + SimDuration::from_secs(120);
        assert!((it.simulated_seconds - 2.0 * (end - *cut).as_secs_f64()).abs() < 1e-6);
    }
}

/// M/M/1 at 0.9 of its capacity: the pilots decide, not the data, so that the mean is not biased. A rule that cuts
/// runs by their own data is low by 3 to 4 %, in nearly all seeds.
#[test]
fn more_replications_change_no_cut() {
    let busy = "rate = \"90/s\"\n[services.back]\nservice_time = { law = \"exponential\", mean = \"10ms\" }";
    let cut = |settings: &[&str]| {
        let (_, _, summary) = compare(busy, settings, &[]);
        summary.strategies[0].warm_up.clone()
    };
    let few = cut(&["run.duration=60s", "run.replications=1"]);
    assert_eq!(few, cut(&["run.duration=60s", "run.replications=3", "run.warm_up=auto"]));
    assert_eq!(few.rule, Rule::Settled);
}

#[test]
fn strategies_that_are_the_same_are_told_so() {
    let text = |rest: &str| {
        let strategies = format!(
            "rate = \"20/s\"\n[services.back]\nservice_time = {{ law = \"deterministic\", mean = \"1ms\" }}\n\
             [[strategy]]\nname = \"one\"\nset = {{}}\n[[strategy]]\nname = \"other\"\n{rest}"
        );
        let (_, _, summary) = compare(&strategies, &["run.warm_up=1s", "run.duration=20s"], &[]);
        verdict(&summary)
    };
    let same = "`one` and `other` are the same, request by request: what differs between them has no effect here; is \
                it what was meant?";
    assert_eq!(text("set.clusters.edge.nodes = [{ cores = \"32\" }]"), same);
    // A microsecond more.
    let tiny = text("set.services.back.service_time.mean = \"1.001ms\"");
    assert!(
        tiny.starts_with("`one` is fastest by less than 0.1 ms: 0.0010 ms below `other` in the mean"),
        "{tiny}"
    );
    assert!(tiny.ends_with("; choose by cost."), "{tiny}");
    // A third one is told from both.
    let three =
        text("set = {}\n[[strategy]]\nname = \"slow\"\nset.services.back.service_time.mean = \"3ms\"");
    assert!(three.starts_with("`one` is fastest: 2.") && three.contains(" ms below `slow`"), "{three}");
    assert!(three.ends_with(same), "{three}");
}

/// Two laws of the same mean differ by chance, and by microseconds; who crashes for half of the run answers too few.
#[test]
fn who_is_equal_and_who_is_left_out_is_said() {
    let text = |rest: &str| {
        let law = |name: &str| format!("{{ law = \"{name}\", mean = \"20us\" }}");
        let (one, other) = (law("exponential"), law("deterministic"));
        let strategies = format!(
            "rate = \"20/s\"\n[services.back]\nservice_time = {one}\n{rest}\n\
             [[strategy]]\nname = \"one\"\nset = {{}}\n[[strategy]]\nname = \"other\"\nset.services.back.service_time = {other}\n"
        );
        let settings = ["run.warm_up=1s", "run.duration=20s", "run.replications=5"];
        verdict(&compare(&strategies, &settings, &[]).2)
    };
    let end = ", within 0.1 ms of the first in the mean (95 % intervals): choose by cost.";
    let equal = text("");
    assert!(equal.starts_with("The fastest are `o") && equal.ends_with(end), "{equal}");
    let fault = "{ at = \"6s\", for = \"10s\", service = \"back\", cluster = \"edge\", kind = \"crash\" }";
    let one_is_down = text(&format!("[[strategy]]\nname = \"down\"\nset.faults = [{fault}]"));
    let lines: Vec<&str> = one_is_down.lines().collect();
    assert!(lines[0].ends_with(end), "{one_is_down}");
    assert!(
        lines[1].starts_with("Left out, for too many requests failed or had not ended: `down` (")
            && lines[1].ends_with(" %)."),
        "{one_is_down}"
    );
    let all_are_down =
        text(&format!("[[faults]]\n{}", fault.trim_matches(['{', ' ', '}']).replace(", ", "\n")));
    let start =
        "Cannot be told: under every strategy too many requests failed or had not ended, the fewest under `o";
    assert!(all_are_down.starts_with(start), "{all_are_down}");
}
