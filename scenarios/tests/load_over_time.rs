//! Arrivals over time, moves and templates, from the file to the description: what they come to, and
//! what is said of each mistake.
#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::users::arrivals::{Arrivals, Extreme};
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::library;
use meshsim_scenarios::problem::Problems;
use meshsim_scenarios::scenario::Scenario;
use meshsim_scenarios::warnings;
use support::of_texts;

const WORKMODEL: &str = r#"{"s0": {"internal_service": {"loader": {"sleep_stress": {"run": false}}}}}"#;

/// Without users.
const HEAD: &str = r#"[run]
duration = "540s"
warm_up = "60s"
replications = 2
[application]
workmodel = "app.json"
[clusters.edge]
nodes = [{ cores = "4" }]
services = "all"
[clusters.other]
nodes = [{ cores = "4" }]
services = []
[links.wan]
between = ["edge", "other"]
rtt = "20ms"
bandwidth = "1Gbit/s"
"#;

fn scenario(text: &str, settings: &[&str]) -> Result<Scenario, Problems> {
    of_texts(&files(text), settings)
}

/// A scenario and what it names.
fn files(text: &str) -> [(&str, &str); 4] {
    [
        ("it.toml", text),
        ("app.json", WORKMODEL),
        ("times.csv", "t,x\n1,a\n2.5,b\n700,c\n"),
        ("late.csv", "1700000000\n1700000001\n"),
    ]
}

fn plan(text: &str, settings: &[&str]) -> Result<ComparisonPlan, Problems> {
    ComparisonPlan::new(&scenario(text, settings)?, &Choice::default())
}

/// The scenario with these lines about its users.
fn with_users(lines: &str) -> String {
    format!("{HEAD}[users.edge]\ncluster = \"edge\"\nservice = \"s0\"\n{lines}\n")
}

fn arrivals(value: &str, settings: &[&str]) -> Arrivals {
    let plan = plan(&with_users(&format!("arrivals = {value}")), settings);
    let plan = plan.unwrap_or_else(|problems| panic!("{value}: {problems}"));
    plan.strategies[0].description.populations[0].arrivals.clone()
}

/// What is said of a scenario, without the lines that are always the same.
#[track_caller]
fn says(text: &str, expected: &str) {
    let said = match plan(text, &[]) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => problems.to_string(),
    };
    let said: Vec<&str> =
        said.lines().map(|line| line.split_once("it.toml:").map_or(line, |it| it.1)).collect();
    assert_eq!(said.join("\n"), expected, "\n{text}");
}

#[track_caller]
fn says_of(value: &str, expected: &str) {
    says(&with_users(&format!("arrivals = {value}")), expected);
}

#[test]
fn every_type_comes_to_its_rates() {
    let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
    let rates = |arrivals: &Arrivals, times: [u64; 3]| {
        times.map(|it| arrivals.rate_at(1, at(it), Extreme::Mean).round())
    };
    let steps =
        r#"{ type = "piecewise", points = [{ at = "0s", rate = "10/s" }, { at = "5min", rate = "50/s" }] }"#;
    assert_eq!(rates(&arrivals(steps, &[]), [0, 299, 300]), [10.0, 10.0, 50.0]);
    let ramps = ["users.edge.arrivals.between=ramps"];
    assert_eq!(rates(&arrivals(steps, &ramps), [0, 150, 400]), [10.0, 30.0, 50.0]);
    let day = r#"{ type = "diurnal", mean = "20/s", amplitude = 0.5, period = "10min" }"#;
    assert_eq!(rates(&arrivals(day, &[]), [0, 150, 300]), [10.0, 20.0, 30.0]);
    assert!((arrivals(day, &[]).offered_per_second(1, at(600)) - 20.0).abs() < 1e-9);
    let crowd = r#"{ type = "flash-crowd", base = "10/s", peak = "50/s", start = "60s", ramp_up = "20s", hold = "60s", decay = "1min" }"#;
    assert_eq!(rates(&arrivals(crowd, &[]), [0, 70, 100]), [10.0, 30.0, 50.0]);
    assert_eq!(
        rates(&arrivals(crowd, &["users.edge.arrivals.peak=100/s"]), [0, 70, 100]),
        [10.0, 55.0, 100.0]
    );
    let linear = ["users.edge.arrivals.decay_shape=linear"];
    assert_eq!(rates(&arrivals(crowd, &linear), [140, 170, 200]), [50.0, 30.0, 10.0]);
    let bursts = r#"{ type = "mmpp", states = [{ rate = "10/s", sojourn = "30s" }, { rate = "50/s", sojourn = "10s" }] }"#;
    assert_eq!(rates(&arrivals(bursts, &[]), [0, 1, 2]), [20.0; 3]);
    let poisson = r#"{ type = "poisson", rate = "7/s" }"#;
    assert_eq!(arrivals(poisson, &[]), Arrivals::Poisson { per_second: 7.0 });
    // A table of another type takes its place as a whole.
    let other = [r#"users.edge.arrivals={ type = "constant", rate = "3/s" }"#];
    assert_eq!(arrivals(crowd, &other), Arrivals::Constant { per_second: 3.0 });
}

#[test]
fn a_recording_is_read_beside_the_scenario() {
    let times = |value: &str| -> Vec<f64> {
        let Arrivals::Replay(replay) = arrivals(value, &[]) else { panic!("not a replay") };
        (0..4).map_while(|k| replay.time_of(k)).map(SimTime::as_secs_f64).collect()
    };
    assert_eq!(times(r#"{ type = "replay", file = "times.csv", column = "t" }"#), [1.0, 2.5, 700.0]);
    assert_eq!(
        times(r#"{ type = "replay", file = "times.csv", column = "1", speed = 2.0 }"#),
        [0.5, 1.25, 350.0]
    );
    assert_eq!(
        times(r#"{ type = "replay", file = "late.csv", begin = "first", repeat = true }"#),
        [0.0, 1.0, 2.0, 3.0]
    );
    let directory = tempfile::tempdir().unwrap();
    let text = with_users(r#"arrivals = { type = "replay", file = "times.csv", column = "t" }"#);
    let scenario = support::open(directory.path(), &files(&text), &[]).unwrap();
    let before = scenario.sha256().unwrap();
    std::fs::write(directory.path().join("times.csv"), "t,x\n1,a\n").unwrap();
    assert_ne!(before, scenario.sha256().unwrap(), "results depend on what was recorded");
}

#[test]
fn wrong_combinations_of_keys() {
    says_of("\"poison\"", "20:12: unknown value `poison` (did you mean `poisson`?)");
    says_of(
        "\"diurnal\"",
        "20:12: arrivals of type \"diurnal\" are a table (write arrivals = { type = \"diurnal\", mean = \"50/s\", \
         amplitude = 0.5 })",
    );
    says_of(
        "{ type = \"diurnal\", mean = \"5/s\", peak = \"9/s\" }",
        "20:53: arrivals of type \"diurnal\" have no peak (take it out; they have mean, amplitude, period, peak_at, \
         spacing)\n20:12: arrivals of type \"diurnal\" need amplitude (write amplitude = 0.5)",
    );
    says_of("{ type = \"diurnal\", men = \"5/s\" }", "20:32: unknown key `men` (did you mean `mean`?)");
    says(
        &with_users("rate = \"5/s\"\narrivals = { type = \"mmpp\", states = [] }"),
        "20:8: rate stands beside arrivals that are a table (what belongs to them stands in the table)\n21:38: a rate \
         does not jump between 0 states (write two or more, as in [{ rate = \"10/s\", sojourn = \"1min\" }, { rate = \
         \"100/s\", sojourn = \"10s\" }])",
    );
    says_of(
        "5",
        "20:12: a word, as in \"poisson\", or a table, as in { type = \"diurnal\", mean = \"50/s\" } is expected, not the \
         number `5`",
    );
}

#[test]
fn wrong_values_of_each_type() {
    let range =
        "a rate of 0 requests per second is out of range (it is more than zero and at most \"10000000/s\")";
    says_of(
        "{ type = \"diurnal\", mean = \"0/s\", amplitude = 1.5 }",
        &format!("20:39: {range}\n20:58: 1.5 is not an amplitude (it is 0 to 1)"),
    );
    says_of(
        "{ type = \"piecewise\", points = [{ at = \"5s\", rate = \"1/s\" }, { at = \"5s\", rate = \"2/s\" }] }",
        "20:51: the first point is at 5s (begin with { at = \"0s\", ... })\n20:80: the point at 5s does not come after the \
         one before it (write points in the order of time)",
    );
    says_of(
        "{ type = \"piecewise\", points = [] }",
        "20:43: there are no points (write points = [{ at = \"0s\", rate = \"10/s\" }])",
    );
    let crowd = |base, start| {
        format!(
            "{{ type = \"flash-crowd\", base = \"{base}/s\", peak = \"50/s\", start = \"{start}\", ramp_up = \"1s\", hold = \
             \"1s\", decay = \"1s\" }}"
        )
    };
    says_of(
        &crowd(60, "5s"),
        "20:58: the peak of 50 requests per second is below the base of 60 (a crowd is more than there was before)",
    );
    says_of(
        &crowd(1, "10min"),
        "20:73: the crowd comes at 10min, and the run ends at 10min (it comes before; the warm-up is part of the run)",
    );
    says_of(
        "{ type = \"mmpp\", states = [{ rate = \"0/s\", sojourn = \"1s\" }, { rate = \"0/s\", sojourn = \"1s\" }] }",
        "20:38: no state has a rate above zero (write two or more, as in [{ rate = \"10/s\", sojourn = \"1min\" }, { rate = \
         \"100/s\", sojourn = \"10s\" }])",
    );
    says_of(
        "{ type = \"piecewise\", points = [{ at = \"0s\", rate = \"0/s\" }] }",
        "17:1: the users `edge` send nothing during the run, which ends at 10min (raise a rate, or make the run longer)",
    );
}

#[test]
fn wrong_recordings() {
    says_of(
        "{ type = \"replay\", file = \"late.csv\" }",
        "20:38: no arrival of `late.csv` is within the run: they are from 1700000000s to 1700000001s, and the run ends at \
         10min (write begin = \"first\" if the first one is the start of the run)",
    );
    says_of(
        "{ type = \"replay\", file = \"times.csv\" }",
        "20:38: `times.csv` has 2 columns (name one with column = \"...\": t, x)",
    );
    says_of(
        "{ type = \"replay\", file = \"times.csv\", column = \"x\", speed = 0.0 }",
        "20:73: 0 is not a speed (it is 0.000001 to 1000000)\ntimes.csv:2:3: `a` is not a time (write a number, zero or \
         more)\ntimes.csv:3:5: `b` is not a time (write a number, zero or more)\ntimes.csv:4:5: `c` is not a time (write a \
         number, zero or more)",
    );
    let missing = plan(&with_users("arrivals = { type = \"replay\", file = \"no.csv\" }"), &[]).unwrap_err();
    assert!(
        missing.to_string().contains("it.toml:20:38: no text was given for the file `no.csv`"),
        "{missing}"
    );
}

#[test]
fn wrong_moves() {
    let moves = |entry: &str| with_users(&format!("rate = \"5/s\"\nmoves = [{entry}]"));
    says(
        &moves("{ at = \"1s\", to = \"othr\" }"),
        "21:28: there is no cluster `othr` (did you mean `other`?)",
    );
    says(
        &moves("{ at = \"1s\", to = \"edge\" }"),
        "21:28: users move from `edge` to itself (name another cluster)",
    );
    says(
        &moves("{ at = \"10min\", to = \"other\", share = 2.0 }"),
        "21:17: the move begins at 10min, and the run ends at 10min (it begins before; the warm-up is part of the run)\n\
         21:48: 2 is not a share (it is 0 to 1)",
    );
    says(
        &moves("{ at = \"1s\", from = \"other\", to = \"edge\" }"),
        "21:30: no user is at `other` when the move at 1s begins (users are at their own cluster, and where earlier moves \
         lead)",
    );
    says(&moves("{ at = \"1s\", too = \"other\" }"), "21:23: unknown key `too` (did you mean `to`?)");
    says(
        &with_users(
            "arrivals = \"closed-loop\"\nthink_time = \"1s\"\nmoves = [{ at = \"1s\", to = \"other\" }]",
        ),
        "22:10: users of a closed loop do not move (take moves out, or write arrivals = \"poisson\" and a rate)",
    );
}

const TEMPLATE: &str = r#"[application]
workmodel = "app.json"
[clusters.cloud]
nodes = [{ cores = "4" }]
services = "all"
[[cluster_template]]
name = "edge-{n}"
count = 3
zone = "zone{n}"
nodes = [{ cores = "2" }]
services = { in_turn = [[], ["s0"]] }
link = { to = "cloud", rtt = { from = "10ms", to = "30ms" }, bandwidth = "1Gbit/s" }
users = { service = "s0", rate = { from = "1/s", to = "2/s" } }
[clusters.edge-2]
local_delay = "5ms"
[[strategy]]
name = "base"
set = {}
[[strategy]]
name = "full"
description = "Everything everywhere"
set.cluster_template.edge.services = "all"
set.clusters.edge-3.services = []
"#;

#[test]
fn a_template_writes_clusters_links_and_users() {
    let plan =
        plan(TEMPLATE, &["cluster_template.edge.link.rtt.to=50ms"]).unwrap_or_else(|it| panic!("{it}"));
    let description = &plan.strategies[0].description;
    let names: Vec<&str> = description.clusters.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["cloud", "edge-1", "edge-2", "edge-3"]);
    let zones: Vec<&str> = description.clusters.iter().map(|it| it.nodes[0].locality.zone.as_str()).collect();
    assert_eq!(zones, ["cloud", "zone1", "zone2", "zone3"]);
    let delays: Vec<u64> = description.clusters.iter().map(|it| it.local_delay.as_nanos() / 1_000).collect();
    assert_eq!(delays, [100, 100, 5_000, 100]);
    let links: Vec<(&str, f64)> =
        description.links.iter().map(|it| (it.name.as_str(), it.round_trip.as_millis_f64())).collect();
    assert_eq!(links, [("edge-1-cloud", 10.0), ("edge-2-cloud", 30.0), ("edge-3-cloud", 50.0)]);
    let rates: Vec<f64> =
        description.populations.iter().map(|it| it.arrivals.offered_per_second(1, it_ends())).collect();
    assert_eq!(rates, [1.0, 1.5, 2.0]);
    let placed = |index: usize| -> Vec<u32> {
        plan.strategies[index].description.deployments.iter().map(|it| it.cluster.0).collect()
    };
    assert_eq!([placed(0), placed(1)], [vec![0, 2], vec![0, 1, 2]]);
}

fn it_ends() -> SimTime {
    SimTime::ZERO + SimDuration::from_secs(60)
}

/// What is printed comes to the same as what is read, under every strategy, with settings.
#[test]
fn an_expanded_scenario_is_the_same_scenario() {
    let settings = ["cluster_template.edge.count=5", "users.edge-4.rate=9/s", "run.duration=2min"];
    let written = scenario(TEMPLATE, &settings).unwrap();
    let printed = written.expanded().unwrap();
    let again = scenario(&printed, &[]).unwrap_or_else(|it| panic!("{it}\n{printed}"));
    assert!(!printed.contains("cluster_template"), "{printed}");
    assert_eq!(written.strategies(), again.strategies());
    for index in 0..2 {
        let [one, other] = [&written, &again].map(|it| it.resolve(Some(index)).unwrap().description);
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }
}

#[test]
fn every_scenario_of_the_library_can_be_expanded() {
    for name in library::names().filter(|name| !library::is_scale(name)) {
        let scenario = Scenario::open(name, &[]).unwrap();
        let expanded = scenario.expanded().unwrap();
        let mut files = vec![("it.toml", &*expanded)];
        files.extend(library::files().map(|(path, _)| (path, library::file(path).unwrap())));
        let again = of_texts(&files, &[]).unwrap();
        for index in 0..scenario.strategies().len() {
            let [one, other] = [&scenario, &again].map(|it| it.resolve(Some(index)).unwrap().description);
            assert_eq!(format!("{one:?}"), format!("{other:?}"), "{name}");
        }
    }
}

#[test]
fn wrong_templates_point_at_their_lines() {
    let check = |old: &str, new: &str, expected: &str| {
        assert!(TEMPLATE.contains(old), "{old}");
        says(&TEMPLATE.replacen(old, new, 1), expected);
    };
    check("name = \"edge-{n}\"\n", "", "6:1: the key `name` is missing: write name = \"edge{n}\"");
    check("edge-{n}", "edge", "7:8: `edge` does not name many clusters: write \"edge{n}\"");
    check("count = 3", "count = 0", "8:9: count is not a whole number from 1 to 10000");
    check("count = 3\n", "", "6:1: the template `edge-{n}` has no count: write count = 20");
    check("\"2\" }]", "\"2\", zon = \"a\" }]", "10:25: unknown key `zon` (did you mean `zone`?)");
    check(
        "[[], [\"s0\"]]",
        "[[\"s1\"]]",
        "11:26: there is no service for cluster `edge-1` under strategy `base`: `s1` (did you mean `s0`?)",
    );
    check("[[], [\"s0\"]]", "5", "11:24: in_turn is not a list of values: write { in_turn = [a, b] }");
    check(
        "\"30ms\"",
        "\"1s\"",
        "12:30: from and to are not two quantities: write both with the same unit, as in { from = \"1/s\", to = \"20/s\" }, or a list in_turn",
    );
    check("to = \"cloud\", ", "", "12:8: the key `to` is missing: write to = \"cloud\"");
    check(
        "link = { to",
        "link = { too = 1, to",
        "12:10: unknown key `too` (it is one of between, rtt, jitter, bandwidth, mtu, tunnel_overhead, loss, energy_per_gb, carbon_intensity)",
    );
    check(
        "users = { service",
        "users = { cluster = \"cloud\", service",
        "13:11: users of a template are those of its cluster: take `cluster` out",
    );
    check(
        "link = { to",
        "link = { between = [\"a\", \"b\"], to",
        "12:10: a link of a template is from its cluster to `to`: take `between` out",
    );
    check("users = {", "users = 5 #", "13:9: `users` is not a table: write [cluster_template.users]");
    check(
        "template.edge.",
        "template.edg.",
        "22:22: strategy `full`: there is no template `edg`; did you mean `edge`? (what the strategy's `set` does not \
         name is as the base has it)",
    );
    check(
        "template.edge.services = \"all\"",
        "template.edge.count = 5",
        "22:27: strategy `full` changes cluster_template.edge.count (clusters and their users are the same for all \
         strategies)",
    );
    check(
        "[[cluster_template]]",
        "[cluster_template]",
        "6:1: `cluster_template` is not a list of tables: write [[cluster_template]]",
    );
}

#[test]
fn a_peak_that_is_too_much_is_warned_of() {
    let heavy = r#"{"s0": {"internal_service": {"loader": {"cpu_stress": {"run": true, "range_complexity": [100, 100]}}}, "workers": 1}}"#;
    let crowd = |peak| {
        with_users(&format!(
            "arrivals = {{ type = \"flash-crowd\", base = \"1/s\", peak = \"{peak}/s\", start = \"60s\", ramp_up = \"1s\", hold = \
             \"5s\", decay = \"1s\" }}"
        ))
    };
    let warned = |peak: u32| -> Vec<String> {
        let scenario = of_texts(&[("it.toml", &crowd(peak)), ("app.json", heavy)], &[]).unwrap();
        let plan = ComparisonPlan::new(&scenario, &Choice::default()).unwrap();
        warnings::before_runs(&plan.strategies).iter().map(ToString::to_string).collect()
    };
    assert!(warned(2).is_empty(), "{:?}", warned(2));
    let said = warned(10_000).join("\n");
    assert!(said.contains("at the peak of the load"), "{said}");
}
