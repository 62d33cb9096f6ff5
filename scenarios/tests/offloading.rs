//! Offloading controllers as scenarios write them: what is decided, what it comes to, and forks.

#![allow(clippy::unwrap_used)] // A test may panic.

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::offloading::policy::situation::Unanswered;
use meshsim_models::offloading::queries::Quantity;
use meshsim_models::offloading::settings::PlacerSettings;
use meshsim_models::telemetry::control_log::OffloadingDecision;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonOutcome, ComparisonPlan};
use meshsim_scenarios::experiment::fork::fork_at;
use meshsim_scenarios::experiment::offloaded::{EdgeFigures, decisions, edge_figures};
use meshsim_scenarios::experiment::replication::{Figures, Rows};
use meshsim_scenarios::library;
use meshsim_scenarios::scenario::Scenario;

fn scenario(name: &str, settings: &[&str]) -> Scenario {
    let settings: Vec<Setting> = settings.iter().map(|it| Setting::parse(it).unwrap()).collect();
    Scenario::open(name, &settings).unwrap()
}

fn plan(settings: &[&str], strategies: &[&str]) -> ComparisonPlan {
    let scenario = scenario("offloading-loop", settings);
    let strategies = strategies.iter().map(|&it| it.to_owned()).collect();
    let choice = Choice { strategies, replications: Some(1), ..Choice::default() };
    ComparisonPlan::new(&scenario, &choice).unwrap()
}

fn outcome(plan: &ComparisonPlan) -> ComparisonOutcome {
    plan.run(Rows::Dropped, &Watch::default())
}

/// The decisions of the only edge, or the first one.
fn decided(figures: &Figures) -> Vec<OffloadingDecision> {
    let edge = figures.control.iter().flat_map(|it| &it.offloading).map(|it| it.edge).min();
    edge.map_or_else(Vec::new, |edge| decisions(figures.control.iter(), edge).cloned().collect())
}

/// Without an action the edge is above its threshold all the time; with one it is for as long as the alarm lasts and the
/// pods take to come.
#[test]
fn the_loop_holds_its_target_where_the_strategy_can() {
    let plan = plan(&["run.duration=8min"], &["nothing", "mfu", "kahn"]);
    let outcome = outcome(&plan);
    let (_, all) = &outcome.replications[0];
    let of: Vec<&EdgeFigures> = all.iter().map(|it| &it.offloading[0]).collect();
    assert!(of[0].above > 0.7, "{:?}", of[0]);
    assert!(decided(&all[0]).iter().all(|it| it.after.as_ref() == Ok(&it.before)), "nothing is done");
    for index in [1, 2] {
        let first = &decided(&all[index])[0];
        assert!(first.offloads && first.after.is_ok(), "{first:?}");
        // Two minutes of alarm, on looks of half a minute.
        assert!((119.0..200.0).contains(&first.at.as_secs_f64()), "{first:?}");
        assert!(of[index].above < of[0].above - 0.2, "{:?}", of[index]);
        assert!(of[index].failed < 0.001);
    }
}

/// A fork in which nobody says anything else is the run without one, to the byte; strategies part after the fork.
#[test]
fn a_fork_without_a_change_is_the_run_without_one() {
    let settings = ["run.duration=4min"];
    let mut forked = plan(&settings, &["sbmp", "mfu"]);
    let whole = outcome(&forked);
    forked.fork_at = Some(fork_at("100s", &scenario("offloading-loop", &settings), &forked).unwrap());
    let from_fork = outcome(&forked);
    let text = |outcome: &ComparisonOutcome, index: usize| {
        serde_json::to_string(&outcome.replications[0].1[index]).unwrap()
    };
    assert!(text(&whole, 0) == text(&from_fork, 0), "the baseline is the same");
    // Before the first decision nothing tells the strategies apart.
    assert!(text(&whole, 1) == text(&from_fork, 1), "mfu, which decides later than the fork");
    assert!(text(&whole, 0) != text(&whole, 1));
    // From after the first decision on, what has been decided is the baseline's.
    forked.fork_at = Some(fork_at("230s", &scenario("offloading-loop", &settings), &forked).unwrap());
    let late = outcome(&forked);
    let first =
        |outcome: &ComparisonOutcome, index: usize| decided(&outcome.replications[0].1[index])[0].clone();
    assert!(first(&late, 1) == first(&whole, 0) && first(&late, 1) != first(&whole, 1));
}

/// What is changed for all strategies alike happens after a fork as in whole runs.
#[test]
fn changes_after_a_fork_are_those_of_all() {
    let change =
        "[[changes]]\nat = \"130s\"\nkind = \"scale\"\nservice = \"s1\"\ncluster = \"cloud\"\nreplicas = 3\n";
    let text = library::scenario("offloading-loop").unwrap().replace("\"ten-s", "\"library:ten-s");
    let text = text
        .replace("\"8min\"", "\"4min\"")
        .replace("[[strategy]]\nname = \"nothing\"", &format!("{change}\n[[strategy]]\nname = \"nothing\""));
    let scenario = Scenario::from_text("loop.toml", &text, &[], &[]).unwrap();
    let strategies = vec!["sbmp".to_owned(), "kahn".to_owned()];
    let choice = Choice { strategies, replications: Some(1), ..Choice::default() };
    let mut plan = ComparisonPlan::new(&scenario, &choice).unwrap();
    let whole = outcome(&plan);
    plan.fork_at = Some(fork_at("100s", &scenario, &plan).unwrap());
    let forked = outcome(&plan);
    for (a, b) in whole.replications[0].1.iter().zip(&forked.replications[0].1) {
        assert!(serde_json::to_string(a).unwrap() == serde_json::to_string(b).unwrap());
        let pods = a.control.iter().flat_map(|it| &it.pods);
        assert!(pods.filter(|it| it.at.as_secs_f64() >= 130.0 && it.step.name() == "created").count() >= 2);
    }
}

/// What a decision is compared with: the choice itself comes to what the run comes to, and nothing is decided differently
/// because somebody asks.
#[test]
fn alternatives_to_a_decision_run_from_its_state() {
    let settings = ["run.duration=5min", "offloading.regret_horizon=2min"];
    let asked = plan(&settings, &["kahn"]);
    let [with, without] = [outcome(&asked), outcome(&plan(&settings[..1], &["kahn"]))]
        .map(|it| it.replications[0].1[0].clone());
    let controller = &asked.strategies[0].description.offloading.as_ref().unwrap().controllers[0];
    let full = decided(&with);
    let mut plain = full.clone();
    assert!(full[0].others.len() == 5 && decided(&without)[0].others.is_empty());
    plain.iter_mut().for_each(|it| it.others.clear());
    assert!(plain == decided(&without) && without.regret.is_empty());
    let regret = &with.regret[0];
    assert_eq!((regret.at, regret.decision), (plain[0].at, 0));
    let logs: Vec<_> = with.control.iter().collect();
    let until = SimTime::from_nanos((regret.at + SimDuration::from_secs(120)).as_nanos() - 1);
    let ran = edge_figures(&logs, controller, regret.at, until);
    assert_eq!(regret.chosen().came_to, ran);
    // Nothing, each of ten services alone, and what strategies would have answered.
    let named =
        |name: &str| regret.alternatives.iter().filter(|it| it.names.iter().any(|it| it == name)).count();
    let services = controller
        .services
        .iter()
        .map(|it| format!("+{}", asked.strategies[0].description.application.services[it.service].name));
    assert!(services.into_iter().all(|name| named(&name) == 1) && named("none") == 1 && named("kahn") == 1);
    assert!(full[0].others.iter().all(|(name, answer)| named(name) == usize::from(answer.is_ok())));
    let mut sets: Vec<_> = regret.alternatives.iter().map(|it| &it.services).collect();
    sets.sort();
    sets.dedup();
    assert_eq!(sets.len(), regret.alternatives.len());
    // Whoever does nothing waits for the cloud.
    let nothing = regret.alternatives.iter().find(|it| it.names.contains(&"none".to_owned())).unwrap();
    assert!(
        nothing.services == plain[0].before
            && nothing.came_to.mean_ms > controller.controller.offload_mean_ms
    );
    assert!(regret.delay_ms() >= 0.0 && regret.fastest().came_to.mean_ms < nothing.came_to.mean_ms);
}

/// Each edge may have a strategy and thresholds of its own.
#[test]
fn edges_may_have_strategies_of_their_own() {
    let text = r#"
[run]
duration = "4min"
warm_up = "30s"
[application]
cpu_request = "500m"
[services.front]
service_time = "2ms"
endpoints.page = { calls = ["back"] }
[services.back]
service_time = "2ms"
[clusters.cloud]
nodes = [{ cores = "8" }]
services = "all"
[clusters.edge1]
nodes = [{ cores = "8" }]
services = []
[clusters.edge2]
nodes = [{ cores = "8" }]
services = []
[links.one]
between = ["edge1", "cloud"]
rtt = "60ms"
bandwidth = "1Gbit/s"
[links.two]
between = ["edge2", "cloud"]
rtt = "60ms"
bandwidth = "1Gbit/s"
[users.edge1]
cluster = "edge1"
service = "front"
rate = "10/s"
[users.edge2]
cluster = "edge2"
service = "front"
rate = "10/s"
[offloading]
cluster = "cloud"
edges = ["edge1", "edge2"]
policy = "kahn"
offload_delay = "50ms"
unoffload_delay = "1ms"
[offloading.clusters.edge2]
policy = "fixed"
services = ["back"]
offload_delay = "40ms"
"#;
    let scenario = Scenario::from_text("edges.toml", text, &[], &[]).unwrap();
    let plan =
        ComparisonPlan::new(&scenario, &Choice { replications: Some(1), ..Choice::default() }).unwrap();
    let controllers = &plan.strategies[0].description.offloading.as_ref().unwrap().controllers;
    let told =
        |index: usize| (controllers[index].policy.name(), controllers[index].controller.offload_mean_ms);
    assert_eq!([told(0), told(1)], [("kahn", 50.0), ("fixed", 40.0)]);
    let outcome = outcome(&plan);
    let figures = &outcome.replications[0].1[0];
    let first = |index: usize| {
        let edge: &PlacerSettings = &controllers[index];
        let first = decisions(figures.control.iter(), edge.edge).next().cloned();
        first.map(|it| (it.policy, it.after))
    };
    let named = |name: &str| {
        let services = &plan.strategies[0].description.application.services;
        services.ids().find(|&it| services[it].name == name).unwrap()
    };
    assert_eq!(first(1), Some(("fixed".to_owned(), Ok(vec![named("back")]))));
    let (policy, after) = first(0).unwrap();
    assert!(policy == "kahn" && after.unwrap().contains(&named("front")));
}

#[test]
fn what_cannot_be_forked_is_refused() {
    let of = |settings: &[&str], strategies: &[&str], text: &str| {
        let problems = fork_at(text, &scenario("offloading-loop", settings), &plan(settings, strategies));
        problems.unwrap_err().to_string()
    };
    let refused = |text: &str| of(&[], &["sbmp", "mfu"], text);
    let time_of_day = refused("20:03");
    assert!(time_of_day.contains("is a time of day, and the run begins at none"), "{time_of_day}");
    assert!(refused("2h").contains("is not within the run"));
    assert!(refused("soon").contains("is no moment"));
    let evening = scenario("offloading-night", &["run.begin_at=20:00"]);
    let at_eight = ComparisonPlan::new(&evening, &Choice::default()).unwrap();
    let at = fork_at("20:03", &evening, &at_eight).unwrap();
    assert!((at.as_secs_f64() - 180.0).abs() < 1e-9, "{at:?}");
    let key = |line: &str| {
        let text = library::scenario("offloading-loop").unwrap().replace("\"ten-s", "\"library:ten-s");
        let text = text.replace("set.offloading.policy = \"mfu\"", line);
        let scenario = Scenario::from_text("loop.toml", &text, &[], &[]).unwrap();
        let strategies = vec!["sbmp".to_owned(), "mfu".to_owned()];
        let plan = ComparisonPlan::new(&scenario, &Choice { strategies, ..Choice::default() }).unwrap();
        fork_at("100s", &scenario, &plan).map(|_| ()).map_err(|it| it.to_string())
    };
    assert_eq!(key("set.offloading.unoffload_delay = \"90ms\""), Ok(()));
    assert_eq!(key("set.offloading.clusters.edge1.policy = \"kahn\""), Ok(()));
    // What is changed of Deployments is in force from the start of a run, whenever it is done.
    for at in ["50s", "200s"] {
        let change = format!(
            "{{ at = \"{at}\", kind = \"scale\", service = \"s1\", cluster = \"cloud\", replicas = 2 }}"
        );
        let text = key(&format!("set.changes = [{change}]")).unwrap_err();
        assert!(text.contains("`mfu` cannot go on from `sbmp`: it differs in changes"), "{text}");
        assert!(text.contains("compare whole runs"), "{text}");
    }
    let text = key("set.links.edge1-cloud.rtt = \"90ms\"").unwrap_err();
    assert!(text.contains("`mfu` cannot go on from `sbmp`: it differs in links.edge1-cloud.rtt ("), "{text}");
    let text = key("set.offloading.scrape_interval = \"10s\"").unwrap_err();
    assert!(text.contains("it differs in offloading.scrape_interval ("), "{text}");
    let nobody = scenario("adaptive-offload", &[]);
    let plan = ComparisonPlan::new(&nobody, &Choice::default()).unwrap();
    let text = fork_at("100s", &nobody, &plan).unwrap_err().to_string();
    assert!(text.contains("there is none"), "{text}");
}

/// What the original and the mended one of a scenario of the gallery decide, and what it comes to; more strategies likewise.
fn gallery(name: &str) -> Vec<(Vec<OffloadingDecision>, Figures)> {
    let choice = Choice { replications: Some(1), ..Choice::default() };
    let plan = ComparisonPlan::new(&scenario(name, &[]), &choice).unwrap();
    let figures = outcome(&plan).replications.remove(0).1;
    figures.into_iter().map(|figures| (decided(&figures), figures)).collect()
}

/// The controller sees nobody, takes that for calm and takes everything back; who comes later pays for it.
fn takes_silence_for_calm(name: &str) {
    let [(original, paid), (mended, unharmed)] = &gallery(name)[..] else { panic!("two strategies") };
    let first = &original[0];
    assert!(
        !first.offloads && first.measured_ms == 0.0 && first.after == Ok(Vec::new()),
        "{name}: {first:?}"
    );
    assert!(original.iter().any(|it| it.offloads && it.at > first.at), "{name}: {original:?}");
    let (paid, unharmed) = (&paid.offloading[0], &unharmed.offloading[0]);
    assert!(paid.above > 0.05, "{name}: {paid:?}");
    assert!(mended.is_empty(), "{name}: {mended:?}");
    assert!(unharmed.above < 0.05 && unharmed.mean_ms < paid.mean_ms, "{name}: {unharmed:?}");
}

#[test]
fn no_traffic_reads_as_calm() {
    takes_silence_for_calm("offloading-night");
}

#[test]
fn a_cut_reads_as_calm() {
    takes_silence_for_calm("offloading-cut");
}

#[test]
fn nothing_but_errors_reads_as_calm() {
    takes_silence_for_calm("offloading-errors");
}

#[test]
fn round_trips_that_count_four_times_take_an_action_more() {
    let [(original, waited), (mended, less)] = &gallery("offloading-round-trip")[..] else { panic!() };
    let offloads = |all: &[OffloadingDecision]| all.iter().filter(|it| it.offloads).count();
    assert_eq!((offloads(original), offloads(mended)), (2, 1), "{original:?} {mended:?}");
    assert_eq!(original[0].after.as_ref().unwrap().len(), 1);
    assert_eq!(original[1].after, mended[0].after);
    let [waited, less] = [waited, less].map(|it| it.offloading[0].above);
    assert!(waited > less + 0.1, "{waited} {less}");
}

#[test]
fn an_alarm_that_has_cleared_prunes_the_edge() {
    let [(original, pruned), (mended, kept)] = &gallery("offloading-cleared")[..] else { panic!() };
    let first = &original[0];
    assert!(first.offloads && first.target_ms > first.measured_ms, "{first:?}");
    assert!(first.before.len() == 2 && first.after == Ok(Vec::new()), "{first:?}");
    assert!(mended.is_empty(), "{mended:?}");
    let [pruned, kept] = [pruned, kept].map(|it| it.offloading[0].above);
    assert!(pruned > kept + 0.1, "{pruned} {kept}");
}

#[test]
fn a_void_edge_is_accepted_whatever_it_costs() {
    let [(original, slow), (mended, fast)] = &gallery("offloading-price")[..] else { panic!() };
    let believed = |it: &OffloadingDecision| it.believed.map(|it| it.unwrap().cost);
    let [before, after] = believed(&original[0]);
    assert!(original[0].after == Ok(Vec::new()) && after > 1.1 * before, "{:?}", original[0]);
    for it in mended {
        let [before, after] = believed(it);
        assert!(it.after.as_ref() == Ok(&it.before) && after <= before, "{it:?}");
    }
    let [slow, fast] = [slow, fast].map(|it| it.offloading[0]);
    assert!(slow.mean_ms > fast.mean_ms + 20.0, "{slow:?} {fast:?}");
    assert!(slow.cost_per_hour > 1.1 * fast.cost_per_hour, "{slow:?} {fast:?}");
}

#[test]
fn a_strategy_that_never_ends_takes_nothing_back() {
    let [(original, _), (mended, _)] = &gallery("offloading-hang")[..] else { panic!() };
    assert!(original.len() >= 2, "{original:?}");
    assert!(original.iter().all(|it| it.after == Err(Unanswered::NotReachable)), "{original:?}");
    assert_eq!(mended[0].after, Ok(Vec::new()));
}

#[test]
fn a_share_of_nothing_scales_the_cloud_to_its_maximum() {
    let [(original, dear), (mended, cheap)] = &gallery("offloading-many-edges")[..] else { panic!() };
    assert!(!original[0].offloads && original[0].measured(Quantity::ResourceScaling) == 0.0, "{original:?}");
    assert!(mended.is_empty(), "{mended:?}");
    let made = |figures: &Figures| {
        let steps = figures.control.iter().flat_map(|it| &it.pods);
        steps.filter(|it| it.step.name() == "created").count()
    };
    assert_eq!([made(dear), made(cheap)], [18, 0], "ten pods of either service where there was one");
    let [dear, cheap] = [dear, cheap].map(|it| it.offloading[0].cost_per_hour);
    assert!(dear > 1.3 * cheap, "{dear} {cheap}");
}

#[test]
fn a_removal_fails_requests_whatever_decides() {
    let all = gallery("offloading-removal");
    let failed: Vec<f64> = all.iter().map(|(_, figures)| figures.offloading[0].failed).collect();
    assert!(failed[0] > 0.0 && failed[1] > 0.0 && failed[2] == 0.0, "{failed:?}");
    for (decisions, _) in &all {
        assert!(decisions[0].after == Ok(Vec::new()), "{decisions:?}");
    }
}
