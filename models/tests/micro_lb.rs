//! Against a real Envoy: shares of endpoints, spill-over, ejections and overflow of one proxy whose
//! backends answer after a fixed time.
//!
//! The measurement is not part of the repository: `MESHSIM_SHARED` names the directory above
//! `testbed/micro-lb` (default `../shared`, seen from the workspace root; a relative path is taken
//! from there), and without it the tests say that they are skipped. Each experiment is described
//! here by itself and run; what is compared are the shares of the answers.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test may panic, and says what it compares.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::internal_service::{BodyKind, InternalService};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::ServiceId;
use meshsim_models::istiod::cluster_policy::{
    ConnectionPoolSettings, OutlierDetectionSettings, SimpleBalancer, TrafficPolicy,
};
use meshsim_models::telemetry::metrics::Counter;

use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::Description;
use std::collections::BTreeMap;
use std::path::PathBuf;
use support::{CLOUD, EDGE, run, without_costs};

/// Requests per second of every experiment.
const RATE: f64 = 100.0;

/// A row of the measurement: what an endpoint got.
#[derive(Debug)]
struct Measured {
    requests: f64,
    failed: f64,
}

fn testbed() -> Option<PathBuf> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = std::env::var_os("MESHSIM_SHARED").map_or_else(|| "../shared".into(), PathBuf::from);
    let directory = workspace.join(shared).join("testbed/micro-lb");
    if !directory.is_dir() {
        println!("micro_lb: skipped, there is no directory {}", directory.display());
        return None;
    }
    Some(directory)
}

/// What each endpoint of an experiment got, by its number; `none` is what Envoy answered itself.
fn measured(experiment: &str) -> Option<BTreeMap<String, Measured>> {
    let text = std::fs::read_to_string(testbed()?.join("shares.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let column = |name: &str| head.iter().position(|it| *it == name).unwrap();
    let (requests, failed) = (column("requests"), column("code_503"));
    let rows = lines.filter(|row| row[column("experiment")] == experiment).map(|row| {
        let number = |at: usize| row[at].parse::<f64>().unwrap();
        (row[column("endpoint")].to_owned(), Measured { requests: number(requests), failed: number(failed) })
    });
    let rows: BTreeMap<_, _> = rows.collect();
    assert!(!rows.is_empty(), "no experiment {experiment}");
    Some(rows)
}

/// An experiment: backends near the proxy and far from it, each with a weight.
struct Experiment {
    near: Vec<u32>,
    far: Vec<u32>,
    policy: TrafficPolicy,
    faults: Vec<PodFault>,
    always_eject_one_host: bool,
    seconds: u64,
}

impl Experiment {
    fn new(near: &[u32], policy: TrafficPolicy) -> Self {
        let (near, far, faults) = (near.to_vec(), Vec::new(), Vec::new());
        Self { near, far, policy, faults, always_eject_one_host: false, seconds: 2_000 }
    }

    fn fault(mut self, pod: u32, kind: FaultKind) -> Self {
        self.faults.push(PodFault {
            service: ServiceId(0),
            cluster: EDGE,
            pod: Some(pod),
            begins: SimTime::ZERO,
            ends: None,
            kind,
            seen_after: Some(SimDuration::ZERO),
        });
        self
    }

    fn far(mut self, weights: &[u32]) -> Self {
        self.far = weights.to_vec();
        self
    }

    fn describe(&self) -> Description {
        let mut description = without_costs(self.seconds);
        let backend = description.add_service("backend", answers_after_10_ms());
        let service = &mut description.application.services[backend];
        (service.workers, service.threads) = (1, 10_000);
        for (cluster, weights) in [(EDGE, &self.near), (CLOUD, &self.far)] {
            for &weight in weights {
                description.add_pods(backend, cluster, 1).weight = weight;
            }
        }
        description.services[backend].traffic_policy = self.policy;
        description.links[0].round_trip = SimDuration::from_micros(10);
        description.links[0].bits_per_second = 1e12;
        description.mesh.mtls = false;
        description.mesh.always_eject_one_host = Some(self.always_eject_one_host);
        let users = description.add_users(EDGE, backend, Arrivals::Poisson { per_second: RATE });
        users.access.bits_per_second = 1e12;
        description.faults = self.faults.clone();
        description
    }

    fn run(&self) -> Record {
        run(&self.describe(), 0)
    }
}

fn answers_after_10_ms() -> InternalService {
    InternalService {
        sleep: SimDuration::from_millis(10),
        mean_body_kb: 0.1,
        body: BodyKind::Constant,
        ..InternalService::idle()
    }
}

/// Answers of each backend, near ones first.
fn served(record: &Record) -> Vec<f64> {
    let of = |cluster| record.metrics_from(cluster, SimTime::ZERO).served;
    [EDGE, CLOUD].into_iter().flat_map(of).map(|count| count as f64).collect()
}

/// Compares the shares of the endpoints with the measured ones: each within `sigmas` standard errors
/// of a share, of the trace and of the simulation together.
fn assert_shares(name: &str, experiment: &Experiment) {
    let Some(measured) = measured(name) else { return };
    let simulated = served(&experiment.run());
    let rows: Vec<_> = (1..=simulated.len()).map(|number| &measured[&number.to_string()]).collect();
    let total: f64 = rows.iter().map(|row| row.requests).sum();
    let all: f64 = simulated.iter().sum();
    for (endpoint, (row, count)) in rows.iter().zip(&simulated).enumerate() {
        let (theirs, mine) = (row.requests / total, count / all);
        let error = (mine * (1.0 - mine) * (1.0 / total + 1.0 / all)).sqrt();
        // 3.5: some fifty comparisons, of which one in 2,000 fails by chance.
        assert!(
            (theirs - mine).abs() <= 3.5 * error + 1e-9,
            "{name}: endpoint {}: measured {theirs:.4}, simulated {mine:.4}, standard error {error:.4}",
            endpoint + 1
        );
    }
    println!("micro_lb: {name}: {} endpoints within the error of the trace", rows.len());
}

fn simple(simple: SimpleBalancer) -> TrafficPolicy {
    TrafficPolicy { simple, ..TrafficPolicy::default() }
}

fn ejecting(max_ejection_percent: Option<u32>, min_health_percent: u32) -> TrafficPolicy {
    let outlier_detection = Some(OutlierDetectionSettings {
        consecutive_5xx_errors: Some(7),
        interval: Some(SimDuration::from_secs(5)),
        base_ejection_time: Some(SimDuration::from_secs(10)),
        max_ejection_percent,
        min_health_percent,
        ..OutlierDetectionSettings::default()
    });
    TrafficPolicy { outlier_detection, ..simple(SimpleBalancer::LeastRequest) }
}

const FAILS: FaultKind = FaultKind::Errors { share: 1.0, status: 503 };
const SLOW: FaultKind = FaultKind::Slow { factor: 10.0 };
const EQUAL: [u32; 5] = [1; 5];

#[test]
fn balancers_share_as_envoy_does() {
    let balancers = [
        ("rr-equal", SimpleBalancer::RoundRobin),
        ("random-equal", SimpleBalancer::Random),
        ("lr-equal", SimpleBalancer::LeastRequest),
    ];
    for (name, balancer) in balancers {
        assert_shares(name, &Experiment::new(&EQUAL, simple(balancer)));
    }
}

#[test]
fn a_slow_endpoint_gets_less_under_least_request_only() {
    let slow = |balancer| Experiment::new(&EQUAL, simple(balancer)).fault(0, SLOW);
    assert_shares("lr-slow1", &slow(SimpleBalancer::LeastRequest));
    assert_shares("rr-slow1", &slow(SimpleBalancer::RoundRobin));
}

#[test]
fn weights_count_under_both() {
    let weighted = |balancer| Experiment::new(&[1, 2, 3, 4, 5], simple(balancer));
    assert_shares("rr-weights", &weighted(SimpleBalancer::RoundRobin));
    assert_shares("lr-weights", &weighted(SimpleBalancer::LeastRequest));
}

#[test]
fn what_the_near_level_lacks_spills_to_the_far_one() {
    let near_and_far = |sick: u32| {
        let all = Experiment::new(&[1; 4], ejecting(None, 0)).far(&[1; 4]);
        (0..sick).fold(all, |experiment, pod| experiment.fault(pod, FaultKind::Unready))
    };
    assert_shares("prio-1of4", &near_and_far(1));
    assert_shares("prio-2of4", &near_and_far(2));
    assert_shares("prio-3of4", &near_and_far(3));
}

#[test]
fn below_the_panic_threshold_all_are_used() {
    // Three of four fail and are ejected at once and for good: as unhealthy as the measured ones.
    let mut policy = ejecting(Some(100), 50);
    // What fails answers at once here: LEAST_REQUEST would prefer it.
    policy.simple = SimpleBalancer::RoundRobin;
    let detection = policy.outlier_detection.as_mut().unwrap();
    detection.consecutive_5xx_errors = Some(1);
    detection.base_ejection_time = Some(SimDuration::from_secs(1_000_000));
    let sick = |policy| (0..3).fold(Experiment::new(&[1; 4], policy), |it, pod| it.fault(pod, FAILS));
    assert_shares("single-3of4-panic50", &sick(policy));
    policy.outlier_detection.as_mut().unwrap().min_health_percent = 0;
    let Some(measured) = measured("single-3of4-panic0") else { return };
    assert!(measured["4"].requests > 5_000.0 && measured["1"].requests == 0.0);
    let simulated = served(&sick(policy).run());
    // A request until each is found out, and what comes in the second until the last two are left out.
    assert!(simulated[..3].iter().all(|&count| count <= 60.0) && simulated[3] > 100_000.0, "{simulated:?}");
}

#[test]
fn without_any_healthy_host_the_answer_is_503_uh() {
    let Some(measured) = measured("single-4of4-panic0") else { return };
    assert!(measured["none"].failed == measured["none"].requests);
    let none =
        (0..4).fold(Experiment::new(&[1; 4], ejecting(None, 0)), |it, pod| it.fault(pod, FaultKind::Unready));
    let record = Experiment { seconds: 60, ..none }.run();
    let told = SimTime::ZERO + SimDuration::from_secs(1);
    let later: Vec<_> =
        record.requests.iter().filter(|row| row.arrival > told).filter_map(|row| row.end).collect();
    assert!(later.len() > 5_000 && later.iter().all(|end| end.status.to_string() == "503 UH"));
}

/// Seconds of the run in which something was ejected.
fn ejections(record: &Record, seconds: u64) -> Vec<u64> {
    let until = |second| {
        let cut = SimTime::ZERO + SimDuration::from_secs(second);
        record.metrics_from(EDGE, cut).counters[Counter::Ejections as usize].iter().sum::<u64>()
    };
    (0..seconds).filter(|&second| until(second) > until(second + 1)).collect()
}

#[test]
fn ejections_last_and_are_limited_as_measured() {
    let experiment = |near: usize, max: Option<u32>, always| Experiment {
        always_eject_one_host: always,
        seconds: 200,
        ..Experiment::new(&vec![1; near], ejecting(max, 0)).fault(0, FAILS)
    };
    let cases = [
        ("outlier-12", experiment(12, None, false)),
        ("outlier-5-default", experiment(5, None, false)),
        ("outlier-5-always1", experiment(5, None, true)),
        ("outlier-prio2-default", experiment(1, None, false).far(&[1])),
        ("outlier-prio2-always1", experiment(1, None, true).far(&[1])),
        ("outlier-prio2-max100", experiment(1, Some(100), false).far(&[1])),
    ];
    for (name, experiment) in cases {
        let Some(measured) = measured(name) else { return };
        let total: f64 = measured.values().map(|row| row.requests).sum();
        let theirs = measured["1"].requests / total;
        // One run has six ejections only: the mean of ten.
        let records: Vec<Record> =
            (0..10).map(|replication| run(&experiment.describe(), replication)).collect();
        let share = |record: &Record| served(record)[0] / served(record).iter().sum::<f64>();
        let mine = records.iter().map(share).sum::<f64>() / 10.0;
        for record in &records {
            let times = ejections(record, 200);
            if theirs > 0.1 {
                assert_eq!(times, Vec::<u64>::new(), "{name}");
                continue;
            }
            // The first follows the first seven errors, the others the return, at a tick of 5 s; each
            // lasts 10 s longer than the one before.
            let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(times[0] <= 3 && (9..=17).contains(&gaps[0]), "{name}: {times:?}");
            for (gap, expected) in gaps[1..].iter().zip([25, 35, 45, 55]) {
                assert!(gap.abs_diff(expected) <= 2, "{name}: {times:?}");
            }
        }
        // What the failing host got: seven errors per ejection, and after each return all that came
        // within a second, because its next ejection is taken over late.
        assert!((mine / theirs - 1.0).abs() < 0.2, "{name}: measured {theirs}, simulated {mine}");
        println!("micro_lb: {name}: share of the failing host: measured {theirs:.4}, simulated {mine:.4}");
    }
}

fn limited(connection_pool: ConnectionPoolSettings) -> Experiment {
    let policy = TrafficPolicy { connection_pool, ..TrafficPolicy::default() };
    let experiment = Experiment::new(&[1], policy).fault(0, FaultKind::Slow { factor: 20.0 });
    Experiment { seconds: 2_000, ..experiment }
}

/// The share of requests that a limit refuses.
fn refused(experiment: &Experiment) -> f64 {
    let record = experiment.run();
    let ended: Vec<_> = record.requests.iter().filter_map(|row| row.end).collect();
    let refused = ended.iter().filter(|end| end.status.to_string() == "503 UO").count();
    assert!(ended.iter().all(|end| end.status.is_ok() || end.status.to_string() == "503 UO"));
    refused as f64 / ended.len() as f64
}

#[test]
fn limits_refuse_what_is_too_much() {
    let pool = ConnectionPoolSettings::default();
    let requests = limited(ConnectionPoolSettings { http2_max_requests: Some(10), ..pool });
    let pending = limited(ConnectionPoolSettings {
        max_connections: Some(10),
        http1_max_pending_requests: Some(5),
        ..pool
    });
    for (name, experiment) in [("cb-maxreq10", requests), ("cb-maxconn10-pend5", pending)] {
        let Some(measured) = measured(name) else { return };
        let total: f64 = measured.values().map(|row| row.requests).sum();
        let theirs = measured.values().map(|row| row.failed).sum::<f64>() / total;
        let mine = refused(&experiment);
        // Neighbours are correlated: some three times as wide as if they were not.
        let error = 3.0 * (theirs * (1.0 - theirs) / total).sqrt();
        assert!(
            (theirs - mine).abs() < 2.0 * error,
            "{name}: measured {theirs:.4}, simulated {mine:.4} ± {error:.4}"
        );
        println!("micro_lb: {name}: refused: measured {theirs:.4}, simulated {mine:.4}");
    }
}
