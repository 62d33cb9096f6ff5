//! The headline scenario shows what its README says, in a short run.
#![allow(clippy::unwrap_used)] // A test may panic.

mod prometheus;

use meshsim_scenarios::analysis::summary::{Strategy, Summary};
use meshsim_scenarios::analysis::verdict::verdict;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::experiment::Watch;
use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
use meshsim_scenarios::experiment::replication::Rows;
use meshsim_scenarios::scenario::Scenario;

fn short_run(minutes: u32, choice: &Choice) -> Summary {
    short_run_with(minutes, choice, &[])
}

fn short_run_with(minutes: u32, choice: &Choice, settings: &[&str]) -> Summary {
    let duration = format!("run.duration={minutes}min");
    let settings = settings.iter().copied().chain([duration.as_str()]);
    let settings: Vec<Setting> = settings.map(|it| Setting::parse(it).unwrap()).collect();
    let scenario = Scenario::open("fluidos-mesh", &settings).unwrap();
    let plan = ComparisonPlan::new(&scenario, choice).unwrap();
    let outcome = plan.run(Rows::Dropped, &Watch::default());
    assert!(!outcome.interrupted);
    Summary::new(&plan, &outcome)
}

fn find<'a>(summary: &'a Summary, name: &str) -> &'a Strategy {
    summary.strategies.iter().find(|strategy| strategy.name == name).unwrap()
}

#[test]
fn the_headline_comparison_says_what_the_readme_says() {
    let summary = short_run(4, &Choice { replications: Some(5), ..Choice::default() });
    // Crossings follow from the tree; 60,000 requests know them to about 0.01.
    for (name, exact) in
        [("cloud-only", 1.0), ("s0", 1.2), ("s0-s1", 0.99), ("s0-s2", 0.69), ("s0-s3", 0.57), ("all", 0.0)]
    {
        let crossings = find(&summary, name).figure("crossings_per_request").unwrap().value;
        assert!((crossings - exact).abs() < 0.02, "{name}: {crossings}");
    }
    // The fitted row, and the shares that were measured with the mesh.
    let demonstration = find(&summary, "s0-s3");
    let mean = demonstration.latency_ms.mean.value;
    assert!((150.0..158.0).contains(&mean), "{mean}");
    assert!((demonstration.figure("dashboard_p90_ms").unwrap().value - 400.0).abs() < 20.0);
    let served = &demonstration.served_per_second;
    for (service, cluster, per_second) in
        [("s0", "edge1", 50.0), ("s2", "edge1", 15.0), ("s9", "cloud", 15.0), ("s5", "cloud", 4.5)]
    {
        let got = served[service][cluster];
        assert!((got - per_second).abs() < 0.05 * per_second, "{service} in {cluster}: {got}");
    }
    // Without the mesh, two of three requests to s0 go to the cloud.
    let share = find(&summary, "s0-s3-no-mesh").served["s0"]["cloud"];
    assert!((share - 2.0 / 3.0).abs() < 0.01, "{share}");
    // Offloading s0 alone helps nobody; offloading everything helps most.
    let trap = summary.against_baseline("s0").unwrap().mean_difference_ms;
    assert!(trap.value > 0.0, "{trap:?}");
    assert!(verdict(&summary).starts_with("`all` is fastest"), "{}", verdict(&summary));
}

/// Without the mesh 240 ms were measured. Linux' defaults say far more; nodes whose windows outlive idle
/// times, with the one constant fitted again to the mean with the mesh, most of the way to it.
#[test]
fn warm_connections_explain_most_of_what_the_row_without_a_mesh_misses() {
    let strategies = ["s0-s3", "s0-s3-no-mesh"].map(str::to_owned).to_vec();
    let choice = Choice { strategies, replications: Some(5), ..Choice::default() };
    let warm = [
        "cell.cpu_scale=0.565",
        "clusters.cloud.tcp.slow_start_after_idle=false",
        "clusters.edge1.tcp.slow_start_after_idle=false",
    ];
    for (settings, without) in [(&[][..], 320.0..360.0), (&warm, 260.0..295.0)] {
        let summary = short_run_with(4, &choice, settings);
        let [mesh, no_mesh] =
            ["s0-s3", "s0-s3-no-mesh"].map(|name| find(&summary, name).latency_ms.mean.value);
        assert!((150.0..160.0).contains(&mesh) && without.contains(&no_mesh), "{mesh}, {no_mesh}");
    }
}

/// Common random numbers are worth having: between strategies that send most requests the same way
/// the difference varies about a third as much as over independent requests.
#[test]
fn pairing_narrows_the_difference_of_neighbours() {
    let choice = Choice {
        strategies: vec!["s0-s2".to_owned(), "s0-s3".to_owned()],
        replications: Some(40),
        ..Choice::default()
    };
    let ratio = short_run(2, &choice).paired[0].variance_ratio.unwrap();
    assert!(ratio > 1.5, "{ratio}");
}
