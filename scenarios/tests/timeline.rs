//! What a time line says: who decided, by which rule, from what.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::results::timeline::{Line, lines};
use meshsim_scenarios::scenario::Scenario;

/// The time line of a strategy's first replication.
fn of(scenario: &Scenario, strategy: &str) -> Vec<Line> {
    let strategies = if strategy.is_empty() { Vec::new() } else { vec![strategy.to_owned()] };
    let choice = Choice { strategies, replications: Some(1), ..Choice::default() };
    let mut plan = ComparisonPlan::new(scenario, &choice).unwrap_or_else(|it| panic!("{it}"));
    plan.strategies[0].description.keeps_decisions = true;
    let outcome = plan.run(Rows::Dropped, &Watch::default());
    let lines = lines(&plan.strategies[0].description, &outcome.replications[0].1[0]);
    assert!(lines.windows(2).all(|it| it[0].at <= it[1].at), "they are in order");
    assert!(lines.iter().all(|it| it.noticed <= it.at), "nothing is noticed after it was acted");
    lines
}

#[track_caller]
fn find(lines: &[Line], is: impl Fn(&&Line) -> bool) -> &Line {
    lines.iter().find(is).unwrap_or_else(|| panic!("{lines:#?}"))
}

#[test]
fn an_autoscaler_says_its_inputs_and_the_rule_that_had_the_last_word() {
    let scenario = Scenario::open("quota-exhausted", &[]).unwrap();
    let lines = of(&scenario, "one-edge");
    let scales = find(&lines, |it| it.who == "horizontal pod autoscaler");
    assert!(
        scales.what.starts_with("back: 2 replicas become ") && scales.what.contains("cpu is "),
        "{scales:?}"
    );
    assert!(scales.what.contains(" % of 60 % (2 pods ready, 0 not, 0 without metrics), so "), "{scales:?}");
    assert!(["HPA tolerance", "ScaleUpLimit"].contains(&scales.rule), "{scales:?}");
    let waits = find(&lines, |it| it.who == "scheduler" && it.rule == "filters");
    assert!(waits.what.contains("finds no node: Insufficient cpu") && waits.at >= scales.at, "{waits:?}");
}

#[test]
fn a_proxy_says_why_it_ejects() {
    let scenario = Scenario::open("locality-failover", &[]).unwrap();
    let lines = of(&scenario, "ejection-100");
    let fault = find(&lines, |it| it.who == "fault");
    assert!(fault.what.starts_with("crash of pods of front in edge1 begins"), "{fault:?}");
    let ejected = find(&lines, |it| it.what.ends_with("is ejected by outlier detection"));
    assert_eq!(ejected.who, "a gateway of edge1");
    assert!(ejected.rule.starts_with("CONSECUTIVE_") && ejected.at > fault.at, "{ejected:?}");
}

/// Prometheus stands in the cloud. While the link is cut an autoscaler of the edge that goes by requests cannot read them.
const CENTRAL: &str = r#"
name = "central"
[run]
duration = "5min"
warm_up = "0s"
[clusters.cloud]
nodes = [{ cores = "8" }]
services = []
[clusters.edge1]
nodes = [{ cores = "8" }]
services = ["back"]
hpa.back = { max_replicas = 4, metrics = [{ pods = "requests_per_second", average_value = "20/s" }] }
[links.edge1-cloud]
between = ["edge1", "cloud"]
rtt = "20ms"
bandwidth = "1Gbit/s"
[observability]
cluster = "cloud"
[services.back]
service_time = "1ms"
[users.edge1]
cluster = "edge1"
service = "back"
rate = "15/s"
[[faults]]
at = "60s"
for = "120s"
link = "edge1-cloud"
kind = "blackhole"
"#;

#[test]
fn who_is_blind_says_so_once() {
    let lines = of(&support::of_texts(&[("central.toml", CENTRAL)], &[]).unwrap(), "");
    let scraped: Vec<&Line> = lines.iter().filter(|it| it.who == "Prometheus").collect();
    let [gone, again] = scraped[..] else { panic!("{scraped:#?}") };
    assert!(
        (60.0..=75.0).contains(&gone.at) && gone.what.starts_with("nothing is scraped of edge1"),
        "{gone:?}"
    );
    assert!((180.0..=195.0).contains(&again.at) && again.what.ends_with("are scraped again"), "{again:?}");
    let blind: Vec<&Line> = lines.iter().filter(|it| it.who == "horizontal pod autoscaler").collect();
    let in_the_cut: Vec<&&Line> = blind.iter().filter(|it| (60.0..260.0).contains(&it.at)).collect();
    let [begins, ends] = in_the_cut[..] else { panic!("{blind:#?}") };
    assert_eq!(
        (begins.rule, ends.rule == "InvalidMetrics"),
        ("InvalidMetrics", false),
        "{begins:?} {ends:?}"
    );
    assert!(begins.what.ends_with("requests_per_second: NoMetrics"), "{begins:?}");
}
