//! Applications that burn CPU when they start: when it is done, who pays, what an autoscaler makes of it.
//!
//! Nothing has a spread here and there are no sidecars: every moment follows from the times alone.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::random::uniform;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::draws::{Draws, Purpose, draw};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::ServiceId;
use meshsim_models::kubernetes::hpa::replica_calculator::MetricError;
use meshsim_models::kubernetes::hpa::{HpaSpec, MetricResource, MetricSource, MetricSpec};
use meshsim_models::kubernetes::metrics_server::Reads;
use meshsim_models::kubernetes::scheduler::resources::ResourceList;
use meshsim_models::kubernetes::settings::{
    AutoscalerSettings, Change, ChangeKind, PodTimes, ReadinessProbe, StartWhen, StartWork, WorkloadSettings,
};
use meshsim_models::units::Cores;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{DataPlane, Description};
use support::{EDGE, all_ended, at_ms, free_world, run};

const S0: ServiceId = ServiceId(0);

/// `pods` of `s0` at the edge, one core each by request, that burn `cores` x `secs` when they start; one
/// request in 100 ms, which costs no CPU. A change comes at `change_ms`.
fn world(pods: u32, cores: f64, secs: u64, when: StartWhen, change_ms: u64, kind: ChangeKind) -> Description {
    let arrivals = Arrivals::Constant { per_second: 10.0 };
    let mut description = free_world(&[0], &[], &[(0, EDGE, pods)], arrivals, 60);
    description.mesh.data_plane = DataPlane::None;
    let probe = ReadinessProbe { initial_delay: SimDuration::ZERO, period: SimDuration::from_secs(1) };
    description.kubernetes.pods =
        PodTimes { start_spread: 0.0, readiness: Some(probe), ..PodTimes::default() };
    let start = StartWork { cores, lasts: SimDuration::from_secs(secs), when };
    let workload = WorkloadSettings {
        application: ResourceList::new(1_000, 0),
        start: Some(start),
        ..WorkloadSettings::default()
    };
    description.kubernetes.workloads = [workload].into_iter().collect();
    description.kubernetes.changes = vec![Change { at: at_ms(change_ms), service: S0, cluster: EDGE, kind }];
    description.time_series = Some(SimDuration::from_millis(100));
    description
}

fn ready_at(record: &Record) -> Vec<u64> {
    let pods = record.control[EDGE].pods.iter().filter(|it| it.step.name() == "ready");
    pods.map(|it| it.at.as_nanos() / 1_000_000).collect()
}

/// CPU that the pods used, and the first and the last moment of it (s).
fn burnt(record: &Record) -> (f64, f64, f64) {
    let samples = || record.series[EDGE].services.iter().filter(|it| it.application_cpu > 1e-6);
    let sum: f64 = samples().map(|it| it.application_cpu * 0.1).sum();
    let at = |it: SimTime| it.as_nanos() as f64 / 1e9;
    (sum, at(samples().next().unwrap().at) - 0.1, at(samples().next_back().unwrap().at))
}

fn near(got: (f64, f64, f64), expected: (f64, f64, f64)) -> bool {
    let close = |a: f64, b: f64, within: f64| (a - b).abs() < within;
    close(got.0, expected.0, 0.01) && close(got.1, expected.1, 0.11) && close(got.2, expected.2, 0.11)
}

/// Created at 10 s, its container runs at 11.1 s, two cores are busy for 4 s: the probe comes then.
#[test]
fn a_pod_that_works_until_it_is_ready_is_ready_after_its_work() {
    let mut description = world(1, 2.0, 4, StartWhen::UntilReady, 10_000, ChangeKind::Scale(2));
    let record = run(&description, 0);
    assert_eq!(ready_at(&record), [15_100]);
    assert!(near(burnt(&record), (8.0, 11.1, 15.1)), "{:?}", burnt(&record));
    // Nobody is sent there before.
    assert!(all_ended(&record).iter().all(|(_, end)| end.status.code() == 200));
    // It is an amount of work: under a limit of one core it takes twice as long.
    description.deployments[0].cpu_limit = Some(Cores(1.0));
    let record = run(&description, 0);
    assert!([19_100, 20_100].contains(&ready_at(&record)[0]), "{:?}", ready_at(&record));
    assert!(near(burnt(&record), (8.0, 11.1, 19.1)), "{:?}", burnt(&record));
}

#[test]
fn a_pod_that_works_after_its_readiness_is_ready_at_once() {
    let record = run(&world(1, 2.0, 4, StartWhen::AfterReady, 10_000, ChangeKind::Scale(2)), 0);
    assert_eq!(ready_at(&record), [12_100]);
    assert!(near(burnt(&record), (8.0, 12.1, 16.1)), "{:?}", burnt(&record));
}

/// Both pods of a roll-out burn; those that were there at the beginning did so long ago.
#[test]
fn each_new_pod_of_an_update_burns_its_cpu() {
    let record = run(&world(2, 0.5, 4, StartWhen::UntilReady, 10_000, ChangeKind::Rollout), 0);
    assert_eq!(ready_at(&record), [15_100, 20_200]);
    assert!(near(burnt(&record), (4.0, 11.1, 20.2)), "{:?}", burnt(&record));
}

/// Requests of 10 ms of CPU, a pod that may use one core: two busy threads use up its quota in half of
/// every period.
#[test]
fn work_after_readiness_slows_requests_under_a_limit() {
    let mut description = world(1, 2.0, 20, StartWhen::AfterReady, 5_000, ChangeKind::Rollout);
    description.cell.costs.request_ms = 10.0;
    description.populations[0].arrivals = Arrivals::Constant { per_second: 7.0 };
    description.deployments[0].cpu_limit = Some(Cores(1.0));
    let record = run(&description, 0);
    let mean = |from_s: u64, to_s: u64| {
        let within = |at: SimTime| (at_ms(from_s * 1_000)..at_ms(to_s * 1_000)).contains(&at);
        let latencies: Vec<f64> = all_ended(&record)
            .iter()
            .filter(|(row, _)| within(row.arrival))
            .map(|(_, end)| end.latency.as_millis_f64())
            .collect();
        latencies.iter().sum::<f64>() / latencies.len() as f64
    };
    let (calm, busy) = (mean(0, 5), mean(10, 40));
    assert!(busy > 2.0 * calm, "{calm} ms before, {busy} ms while it burns CPU");
}

/// A crash from 20 to 30 s in a cluster where nothing else changes: what comes after readiness comes again.
#[test]
fn an_application_that_is_back_after_a_crash_burns_its_cpu_again() {
    let of = |when| {
        let mut description = world(1, 2.0, 4, when, 0, ChangeKind::Rollout);
        description.kubernetes.changes.clear();
        description.faults = vec![PodFault {
            service: S0,
            cluster: EDGE,
            pod: None,
            begins: at_ms(20_000),
            ends: Some(at_ms(30_000)),
            kind: FaultKind::Crash,
            seen_after: None,
        }];
        run(&description, 0)
    };
    let after = burnt(&of(StartWhen::AfterReady));
    assert!(near(after, (8.0, 30.0, 34.0)), "{after:?}");
    let until = of(StartWhen::UntilReady);
    assert!(until.series[EDGE].services.iter().all(|it| it.application_cpu == 0.0));
}

/// It begins at 11.1 s, its pod is dead from 12 to 14 s, and a probe comes each second.
#[test]
fn a_crash_before_readiness_begins_the_work_anew() {
    let mut description = world(1, 2.0, 4, StartWhen::UntilReady, 10_000, ChangeKind::Scale(2));
    description.faults = vec![PodFault {
        service: S0,
        cluster: EDGE,
        pod: Some(1),
        begins: at_ms(12_000),
        ends: Some(at_ms(14_000)),
        kind: FaultKind::Crash,
        seen_after: None,
    }];
    let record = run(&description, 0);
    assert_eq!(ready_at(&record), [18_100]);
    assert!(near(burnt(&record), (1.8 + 8.0, 11.1, 18.0)), "{:?}", burnt(&record));
}

/// Three pods come up at `change_ms` beside an autoscaler of 60 % and at most ten; nobody asks them much.
fn scaled(start: (f64, u64, StartWhen), application_start: SimDuration, change_ms: u64) -> Record {
    let (cores, secs, when) = start;
    let mut description = world(0, cores, secs, when, change_ms, ChangeKind::Scale(3));
    description.kubernetes.pods.application_start = application_start;
    description.duration = SimDuration::from_secs(480);
    let source = MetricSource::Utilization(MetricResource::Cpu);
    let metrics = vec![MetricSpec { source, target: 60 }];
    let hpa = HpaSpec { min_replicas: 1, max_replicas: 10, metrics, behavior: None };
    let autoscaler = AutoscalerSettings { hpa, reads: vec![Reads::PodCpu] };
    description.kubernetes.autoscalers.insert((EDGE, S0), autoscaler);
    run(&description, 0)
}

fn most_replicas(record: &Record) -> u32 {
    record.control[EDGE].decisions.iter().map(|it| it.decision.replicas).max().unwrap()
}

/// 90 s of two cores: before readiness they are set aside and no metric is left, after it they count.
#[test]
fn cpu_before_readiness_scales_nothing_and_after_it_to_the_maximum() {
    let before = scaled((2.0, 90, StartWhen::UntilReady), SimDuration::ZERO, 20_000);
    assert_eq!(most_replicas(&before), 3);
    let while_it_burns =
        before.control[EDGE].decisions.iter().filter(|it| (at_ms(60_000)..at_ms(110_000)).contains(&it.at));
    let proposals: Vec<_> = while_it_burns.map(|it| it.proposals[0]).collect();
    assert!(proposals.len() >= 3 && proposals.iter().all(|it| *it == Err(MetricError::NoMetrics)));
    let after = scaled((2.0, 90, StartWhen::AfterReady), SimDuration::ZERO, 20_000);
    assert_eq!(most_replicas(&after), 10);
}

/// Four cores for 4 s right after readiness, 7.1 s after the change: a window that began before it does not
/// count, the same work in a window that began after it does.
#[test]
fn a_window_that_began_before_readiness_does_not_count() {
    let address = Draws::new(world(0, 1.0, 1, StartWhen::AfterReady, 0, ChangeKind::Rollout).seed, 0);
    let part = uniform(&mut draw(address.of_cluster(EDGE, 0), Purpose::MetricsScrape));
    let scrape_ms = (part * 15_000.0) as u64 + 60_000;
    let most = |ready_ms: u64| {
        let start = (4.0, 4, StartWhen::AfterReady);
        most_replicas(&scaled(start, SimDuration::from_secs(6), ready_ms - 7_100))
    };
    // Scraped 2 s before readiness, and 0.2 s after it.
    assert_eq!(most(scrape_ms + 2_000), 3);
    assert!(most(scrape_ms - 200) > 3);
}
