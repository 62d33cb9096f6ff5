//! What a scenario says of callers that give up, of users who stop and of what swallows packets, and what
//! comes of it.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::faults::link::{Degradation, LinkFault, LinkFaultKind};
use meshsim_models::faults::pod::FaultKind;
use meshsim_models::faults::repeated::{Renewal, RepeatedFault, Repeats};
use meshsim_models::ids::ClusterId;
use meshsim_scenarios::analysis::summary::Summary;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::warnings::before_runs;
use support::{of_texts, summary};

/// `front` calls `back`, which sleeps for 100 ms.
const WORKMODEL: &str = r#"{
  "front": {
    "internal_service": {"loader": {"sleep_stress": {"run": false}}},
    "external_services": [{"services": ["back"]}]
  },
  "back": {"internal_service": {"loader": {"sleep_stress": {"run": true, "sleep_time": 0.1}}}}
}"#;

const SCENARIO: &str = r#"[run]
duration = "60s"
replications = 2
[application]
workmodel = "app.json"
[clusters.edge]
nodes = [{ cores = "16" }]
services = "all"
[users.edge]
cluster = "edge"
service = "front"
arrivals = "closed-loop-constant"
think_time = "0s"
users = 3
"#;

/// The scenario with these lines for its users.
fn plan(users: &str, settings: &[&str]) -> Result<ComparisonPlan, String> {
    let text = format!("{SCENARIO}{users}\n");
    let scenario = of_texts(&[("it.toml", &text), ("app.json", WORKMODEL)], settings);
    scenario.and_then(|it| ComparisonPlan::new(&it, &Choice::default())).map_err(|it| it.to_string())
}

fn run(users: &str, settings: &[&str]) -> Summary {
    summary(&plan(users, settings).unwrap())
}

#[track_caller]
fn refused(users: &str, settings: &[&str], expected: &str) {
    assert_eq!(plan(users, settings).map(|_| "no problem".to_owned()).unwrap_err(), expected, "{users}");
}

#[test]
fn bad_values_have_a_place() {
    refused("requests_each = 0", &[], "it.toml:15:17: requests_each 0 is out of range (it is 1 to 10000000)");
    refused("timeout = \"0s\"", &[], "it.toml:15:11: timeout 0s is out of range (it is 1ms to 3650d)");
    refused(
        "timeout = \"5\"",
        &[],
        "it.toml:15:11: `5` is not a duration: write a unit, as in `250us`, `160ms`, `1.5s` or `10min`",
    );
    let open = ["users.edge.arrivals=poisson", "users.edge.rate=5/s"];
    let said = plan("requests_each = 10", &open).map(|_| ()).unwrap_err();
    assert!(
        said.contains(
            "it.toml:15:17: only the users of a closed loop send requests_each and stop (take it out, or write \
             arrivals = \"closed-loop-constant\" and think_time = \"0s\")"
        ),
        "{said}"
    );
    let said = plan("", &["cell.client_timeout=0s"]).map(|_| ()).unwrap_err();
    assert!(said.contains("client_timeout 0s is out of range (it is 1ms to 3650d)"), "{said}");
}

/// Without a warm-up of their own, for all that they send is meant.
#[test]
fn users_who_stop_have_no_warm_up() {
    let summary = run("requests_each = 10", &[]);
    let [strategy] = &summary.strategies[..] else { panic!() };
    assert_eq!((strategy.requests.offered, strategy.requests.completed), (60, 60));
    assert_eq!(before_runs(&plan("requests_each = 10", &[]).unwrap().strategies), []);
    let warm = plan("requests_each = 10", &["run.warm_up=10s"]).unwrap();
    let said: Vec<String> = before_runs(&warm.strategies).iter().map(ToString::to_string).collect();
    let [said] = &said[..] else { panic!("{said:?}") };
    assert!(
        said.contains("what edge send of their requests_each in the warm-up of 10 s is not reported"),
        "{said}"
    );
}

#[test]
fn who_gives_up_has_a_failure_of_its_own() {
    let summary = run("timeout = \"50ms\"", &["run.warm_up=1s"]);
    let [strategy] = &summary.strategies[..] else { panic!() };
    let gave_up = strategy.requests.failed["0 DC"];
    assert_eq!(strategy.requests.completed, 0);
    // The others meet cells that close idle connections.
    assert!(gave_up * 10 > strategy.requests.offered * 9, "{:?}", strategy.requests);
    let counted: u64 = strategy.proxy_counters["edge"]["front"]["downstream_rq_rx_reset"];
    assert!(counted.abs_diff(gave_up) <= 6, "{counted}");
    for plane in ["sidecar", "ambient", "none"] {
        let plane = format!("mesh.data_plane={plane}");
        let summary = run("", &["cell.client_timeout=50ms", "run.warm_up=1s", &plane]);
        assert_eq!(summary.strategies[0].requests.failed.keys().collect::<Vec<_>>(), ["500"], "{plane}");
        // Their work is done all the same.
        let served = &summary.strategies[0].served_per_second;
        assert!(served["back"]["edge"] > 0.9 * served["front"]["edge"], "{served:?}");
    }
}

const LINK: &str = "[clusters.cloud]\nnodes = [{ cores = \"4\" }]\nservices = [\"back\"]\n[links.wan]\n\
                    between = [\"edge\", \"cloud\"]\nrtt = \"20ms\"\nbandwidth = \"1Gbit/s\"\n";

/// A fault of these lines, in a world with a link.
fn fault(lines: &str) -> String {
    format!("{LINK}[[faults]]\nat = \"35s\"\n{lines}")
}

#[test]
fn pods_and_links_swallow_packets() {
    let of_pods = "kind = \"blackhole\"\nfor = \"20s\"\nservice = \"back\"\ncluster = \"edge\"";
    let description = plan(&fault(of_pods), &[]).unwrap().strategies.remove(0).description;
    let [it] = &description.faults[..] else { panic!() };
    let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
    assert_eq!((it.kind, it.begins, it.ends), (FaultKind::Blackhole, at(35), Some(at(55))));
    // Three readiness probes, ten seconds apart.
    assert_eq!(it.seen_after, Some(SimDuration::from_secs(30)));
    let description =
        plan(&fault("kind = \"blackhole\"\nlink = \"wan\""), &[]).unwrap().strategies.remove(0).description;
    assert_eq!(description.faults, []);
    let kind = LinkFaultKind::Blackhole;
    let link = LinkFault { link: 0, toward: None, kind, begins: at(35), ends: None };
    assert_eq!(description.link_faults, [link]);
    let again = "kind = \"blackhole\"\nlink = \"wan\"\nmtbf = \"10min\"\nmttr = \"30s\"";
    let description = plan(&fault(again), &[]).unwrap().strategies.remove(0).description;
    let [between_failures, to_repair] = [600, 30].map(SimDuration::from_secs);
    let renewal = Renewal { between_failures, to_repair };
    assert_eq!(description.link_faults, []);
    assert_eq!(description.repeated_faults, [RepeatedFault::Link { fault: link, renewal }]);
}

#[test]
fn a_link_is_worse_or_down_and_perhaps_one_way_only() {
    let link = |lines: &str| {
        let text = fault(&format!("link = \"wan\"\n{lines}"));
        plan(&text, &[]).unwrap().strategies.remove(0).description.link_faults.remove(0)
    };
    let it = link("kind = \"degraded\"\ndelay = \"50ms\"\nloss = \"5%\"\nbandwidth = \"10Mbit/s\"");
    let delay = SimDuration::from_millis(50);
    let worse = Degradation { delay, loss: 0.05, bits_per_second: Some(1e7) };
    assert_eq!((it.kind, it.toward), (LinkFaultKind::Degraded(worse), None));
    let it = link("kind = \"down\"\ntoward = \"cloud\"");
    assert_eq!((it.kind, it.toward), (LinkFaultKind::Down, Some(ClusterId(0))));
}

#[test]
fn a_pod_crashes_again_whenever_it_has_run() {
    let of_pods = "kind = \"crash\"\nfor = \"10min\"\nservice = \"back\"\ncluster = \"edge\"\nruns = \"5s\"";
    let description = plan(&fault(of_pods), &[]).unwrap().strategies.remove(0).description;
    let [RepeatedFault::Pod { fault, repeats }] = &description.repeated_faults[..] else { panic!() };
    assert_eq!((fault.kind, fault.ends.is_some()), (FaultKind::Crash, true));
    assert_eq!(*repeats, Repeats::CrashLoop(SimDuration::from_secs(5)));
    assert_eq!(description.faults, []);
}

#[test]
fn faults_that_befall_nothing_have_a_place() {
    refused(
        &fault("kind = \"crash\"\nlink = \"wan\""),
        &[],
        "it.toml:24:8: a link has no fault of kind \"crash\" (write kind = \"blackhole\", \"down\" or \
         \"degraded\", or service and cluster)",
    );
    refused(
        &fault("kind = \"degraded\"\nlink = \"wan\"\ntoward = \"clout\""),
        &[],
        "it.toml:24:8: nothing of the link is degraded (write delay = \"100ms\", loss = \"5%\" or bandwidth = \
         \"10Mbit/s\")\n\
         it.toml:26:10: there is no end of the link `clout` (did you mean `cloud`?)",
    );
    refused(
        &fault("kind = \"down\"\nlink = \"wan\"\nloss = 0.5"),
        &[],
        "it.toml:26:8: a fault of kind \"down\" has no loss (take it out, or write kind = \"degraded\")",
    );
    refused(
        &fault("kind = \"blackhole\"\nlink = \"wam\""),
        &[],
        "it.toml:25:8: there is no link `wam` (did you mean `wan`?)",
    );
    refused(
        &fault("kind = \"blackhole\"\nlink = \"wan\"\ncluster = \"edge\"\nseen_after = \"1s\""),
        &[],
        "it.toml:26:11: the fault of a link has no cluster (take it out, or the link)\n\
         it.toml:27:14: the fault of a link has no seen_after (take it out, or the link)",
    );
    refused(
        &fault("kind = \"blackhole\"\ncluster = \"edge\""),
        &[],
        "it.toml:22:1: the fault has no service (name the pods' service and cluster, or a link, or what else fails)",
    );
}

/// While the link to the only other pod is cut, nobody is ejected and nothing is refused: callers wait.
#[test]
fn a_link_that_is_cut_keeps_callers_waiting() {
    let users =
        "timeout = \"3s\"\n".to_owned() + &fault("kind = \"blackhole\"\nfor = \"20s\"\nlink = \"wan\"");
    let summary = run(&users, &["clusters.edge.services=[\"front\"]", "run.warm_up=0s"]);
    let [strategy] = &summary.strategies[..] else { panic!() };
    // Three users, each with one request at a time for 20 s of 3 s each, and the tail of TCP's tries.
    let gave_up = strategy.requests.failed["0 DC"] / u64::from(summary.run.replications);
    assert!((18..=36).contains(&gave_up), "{gave_up}");
    assert!(strategy.requests.completed > 300, "{}", strategy.requests.completed);
}
