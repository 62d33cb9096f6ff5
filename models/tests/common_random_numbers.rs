//! Common random numbers: request k is the same request under every strategy.
//!
//! Whatever a strategy changes (endpoints, crossings, queues, latencies), a user's k-th request
//! arrives at the same time, makes the same calls, and each of them makes the same body and costs
//! the same CPU. What fails is left out: a request that was reset never reached its callees.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{DEFAULT_PROXY_COST, Description};
use std::collections::BTreeMap;
use support::{Ended, all_ended, cloud_and_edge, run, without_mesh};

const ALL: [u32; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/// What makes a request the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    arrival: SimTime,
    tree: u32,
    calls: u64,
    body: u64,
    demand_us: u64,
}

/// The requests of a run that were answered, by population and number; what failed is counted.
#[derive(Default)]
struct Answered {
    identities: BTreeMap<(u32, u32), Identity>,
    failed: usize,
}

impl Answered {
    fn new(record: &Record) -> Self {
        let mut answered = Self::default();
        for (row, end) in all_ended(record) {
            answered.add(row, &end);
        }
        answered
    }

    fn add(&mut self, row: &RequestRow, end: &Ended) {
        if !end.status.is_ok() {
            self.failed += 1;
            return;
        }
        let totals = end.totals;
        let identity = Identity {
            arrival: row.arrival,
            tree: totals.tree,
            calls: totals.calls,
            body: totals.body,
            demand_us: (totals.cpu_nanos / 1e3).round() as u64,
        };
        let before = self.identities.insert((row.population.0, row.number), identity);
        assert!(before.is_none(), "request {} comes twice", row.number);
    }

    /// Pairs of identities of the requests that both runs answered.
    fn common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (u32, Identity, Identity)> + 'a {
        self.identities.iter().filter_map(|(key, mine)| Some((key.1, *mine, *other.identities.get(key)?)))
    }
}

fn headline(offloaded: &[u32], speed_spread: f64) -> Description {
    let body_kb = |service| if service == 0 { 100.0 } else { 10.0 };
    let mut description = cloud_and_edge(body_kb, offloaded, 20.0);
    description.cell.costs.request_ms = 1.0;
    description.cell.costs.response_ms = 0.5;
    description.cell.costs.body_ms_per_kb = 0.05;
    description.cell.costs.call_ms = 0.7;
    description.cell.speed_spread = speed_spread;
    description.links[0].jitter = SimDuration::from_millis(2);
    description.mesh.outbound = DEFAULT_PROXY_COST;
    description.mesh.inbound = DEFAULT_PROXY_COST;
    description.gateway.cost = DEFAULT_PROXY_COST;
    description.duration = SimDuration::from_secs(300);
    description
}

fn strategies(speed_spread: f64) -> [(&'static str, Description); 5] {
    let mesh = |offloaded: &[u32]| headline(offloaded, speed_spread);
    [
        ("cloud only", mesh(&[])),
        ("s0", mesh(&[0])),
        ("s0 to s3", mesh(&[0, 1, 2, 3])),
        ("all", mesh(&ALL)),
        ("s0 to s3 without the mesh", without_mesh(mesh(&[0, 1, 2, 3]))),
    ]
}

/// Asserts that two runs answered the same requests, of which most are answered in both.
fn assert_same_requests(name: &str, one: &Answered, other: &Answered) {
    for (number, mine, theirs) in one.common(other) {
        assert_eq!(mine, theirs, "{name}: request {number}");
    }
    let (common, fewer) = (one.common(other).count(), one.identities.len().min(other.identities.len()));
    // Some are in flight at the end of the one run and not of the other.
    assert!(common + 100 > fewer && common > 4_000, "{name}: only {common} of {fewer} are in both");
}

fn assert_same_under_every_strategy(speed_spread: f64) {
    let runs =
        strategies(speed_spread).map(|(name, description)| (name, Answered::new(&run(&description, 3))));
    for (name, answered) in &runs {
        let (failed, count) = (answered.failed, answered.identities.len());
        assert!(failed * 5 < count, "{name}: {failed} failed and {count} did not");
        let with_mesh = !name.contains("without");
        assert!(!with_mesh || failed == 0, "{name}: {failed} failed with the mesh");
        assert_same_requests(name, &runs[0].1, answered);
    }
}

#[test]
fn request_k_is_the_same_under_every_strategy() {
    assert_same_under_every_strategy(0.0);
}

#[test]
fn request_k_is_the_same_under_every_strategy_if_the_cores_speed_varies() {
    assert_same_under_every_strategy(0.25);
}

#[test]
fn the_requests_of_a_run_differ_from_each_other() {
    let answered = Answered::new(&run(&headline(&[0, 1, 2, 3], 0.25), 0));
    let mut bodies: Vec<u64> = answered.identities.values().map(|identity| identity.body).collect();
    bodies.sort_unstable();
    bodies.dedup();
    assert!(bodies.len() * 10 > answered.identities.len() * 9, "{} different bodies", bodies.len());
}

#[test]
fn a_seed_and_a_replication_make_one_log() {
    let description = headline(&[0, 1, 2, 3], 0.25);
    let first = run(&description, 0);
    let again = run(&description, 0);
    assert_eq!(first.requests, again.requests);
    assert_eq!(first.events, again.events);
}

#[test]
fn another_seed_or_replication_makes_another_log() {
    let description = headline(&[0, 1, 2, 3], 0.25);
    let other_seed = Description { seed: 2, ..description.clone() };
    let first = Answered::new(&run(&description, 0));
    for (name, other) in [("seed", run(&other_seed, 0)), ("replication", run(&description, 1))] {
        let other = Answered::new(&other);
        let alike = first.common(&other).filter(|(_, mine, theirs)| mine.arrival == theirs.arrival).count();
        assert_eq!(alike, 0, "another {name} gives the same arrivals");
        let alike = first.common(&other).filter(|(_, mine, theirs)| mine.body == theirs.body).count();
        assert!(alike < 10, "another {name} gives {alike} times the same bodies");
    }
}

fn closed(mut description: Description) -> Description {
    let think_time = SimDuration::from_secs(5);
    description.populations[0].arrivals = Arrivals::ClosedLoop { think_time, exponential: true };
    description
}

/// In a closed loop a user's next request waits for the last answer, so arrivals depend on the
/// strategy; what a request is does not.
#[test]
fn a_closed_loop_has_the_same_trees_at_other_times() {
    let (far, near) = (headline(&[], 0.25), headline(&[0, 1, 2, 3], 0.25));
    let open = Answered::new(&run(&near, 0));
    let [far, near] = [far, near].map(|description| Answered::new(&run(&closed(description), 0)));
    for other in [&far, &open] {
        let mut moved = 0;
        for (number, mine, theirs) in near.common(other) {
            assert_eq!(Identity { arrival: mine.arrival, ..theirs }, mine, "request {number}");
            moved += usize::from(mine.arrival != theirs.arrival);
        }
        let common = near.common(other).count();
        // The first request of each of the hundred users waits for nothing.
        assert!(common > 4_000 && moved + 100 >= common, "{moved} of {common} come at another time");
    }
}
