//! Pods that come and go, autoscalers, samples: what follows from their times and rates alone.
//!
//! Starts have no spread here, so every step of a pod's life is known to the nanosecond.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::faults::link::{LinkFault, LinkFaultKind};
use meshsim_models::faults::outage::{Component, Outage};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::istiod::settings::IstiodSettings;
use meshsim_models::kubernetes::deployment::{PodCount, Rollout};
use meshsim_models::kubernetes::hpa::{HpaSpec, MetricResource, MetricSource, MetricSpec};
use meshsim_models::kubernetes::metrics_server::Reads;
use meshsim_models::kubernetes::scheduler::choice::Unfit;
use meshsim_models::kubernetes::scheduler::resources::ResourceList;
use meshsim_models::kubernetes::settings::{
    AutoscalerSettings, Change, ChangeKind, PodTimes, ReadinessProbe, WorkloadSettings,
};
use meshsim_models::kubernetes::version::KubernetesVersion;
use meshsim_models::liqo::gateway::GatewayCost;
use meshsim_models::liqo::namespace_offloading::PodOffloadingStrategy;
use meshsim_models::liqo::quota::LimitsEnforcement;
use meshsim_models::liqo::settings::{LiqoSettings, Offloading, Peering};
use meshsim_models::telemetry::central::CentralObservability;
use meshsim_models::telemetry::control_log::{PodRecord, PodStep};
use meshsim_models::telemetry::decision::What;
use meshsim_models::telemetry::time_series::ServiceSample;
use meshsim_models::units::Cores;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{DataPlane, Deployment, Description, Federation};
use support::{CLOUD, EDGE, all_ended, at_ms, free_world, run, served, with_outlier_detection};

/// The last release whose sidecars start beside the application.
const CLASSIC: IstioVersion = IstioVersion::new(1, 26);

const EVERY_10_MS: Arrivals = Arrivals::Constant { per_second: 100.0 };

/// Steps without spread, a probe every second, and no image to pull.
fn exact() -> PodTimes {
    let probe = ReadinessProbe { initial_delay: SimDuration::ZERO, period: SimDuration::from_secs(1) };
    PodTimes { start_spread: 0.0, readiness: Some(probe), sidecar_image_bytes: 0.0, ..PodTimes::default() }
}

/// Pods of one core each, whose image is everywhere.
fn one_core(description: &Description) -> meshsim_core::Table<ServiceId, WorkloadSettings> {
    let workload = WorkloadSettings {
        application: ResourceList::new(1_000, 0),
        sidecar: ResourceList::new(0, 0),
        ..WorkloadSettings::default()
    };
    description.application.services.iter().map(|_| workload.clone()).collect()
}

/// A world of `s0`, which sleeps, with `pods` of it per cluster, and these changes. Sidecars are classic.
fn world(
    sleep_ms: u64,
    pods: &[(u32, ClusterId, u32)],
    changes: &[(u64, ClusterId, ChangeKind)],
) -> Description {
    let mut description = free_world(&[sleep_ms], &[], pods, EVERY_10_MS, 60);
    description.mesh.istio_version = CLASSIC;
    description.kubernetes.pods = exact();
    description.kubernetes.workloads = one_core(&description);
    let change = |&(ms, cluster, kind): &(u64, ClusterId, ChangeKind)| Change {
        at: at_ms(ms),
        service: ServiceId(0),
        cluster,
        kind,
    };
    description.kubernetes.changes = changes.iter().map(change).collect();
    description.services[ServiceId(0)] = with_outlier_detection();
    description
}

/// A service of the edge wants so many pods.
fn scale(ms: u64, service: u32, replicas: u32) -> Change {
    let (service, kind) = (ServiceId(service), ChangeKind::Scale(replicas));
    Change { at: at_ms(ms), service, cluster: EDGE, kind }
}

fn steps(record: &Record, cluster: ClusterId) -> Vec<PodRecord> {
    record.control[cluster].pods.clone()
}

/// When the steps of this name were made (ms).
fn times(record: &Record, cluster: ClusterId, name: &str) -> Vec<u64> {
    let of_name = steps(record, cluster).into_iter().filter(|it| it.step.name() == name);
    of_name.map(|it| it.at.as_nanos() / 1_000_000).collect()
}

fn statuses(record: &Record, code: u16) -> usize {
    all_ended(record).iter().filter(|(_, end)| end.status.code() == code).count()
}

/// Created at 10 s, a node 100 ms later, its containers a second after that, its application and its
/// sidecar another second: the probe that finds it comes then, and proxies are told 250 ms later.
#[test]
fn a_new_pod_is_seen_by_each_cluster_when_its_steps_and_the_link_say() {
    let mut description = world(1, &[(0, EDGE, 1), (0, CLOUD, 1)], &[(10_000, CLOUD, ChangeKind::Scale(2))]);
    description.time_series = Some(SimDuration::from_millis(10));
    let record = run(&description, 0);
    let of = |name| times(&record, CLOUD, name);
    assert_eq!([of("created"), of("scheduled"), of("ready")], [[10_000], [10_100], [12_100]]);
    let first_with_three = |cluster: ClusterId| {
        let samples: &[ServiceSample] = &record.series[cluster].services;
        samples.iter().find(|sample| sample.endpoints == 3).unwrap().at
    };
    // From 1.27 on the sidecar is ready first, then the application's container starts.
    let mut native = description.clone();
    native.mesh.istio_version = IstioVersion::new(1, 27);
    assert_eq!(times(&run(&native, 0), CLOUD, "ready"), [14_100]);
    // Where Kubernetes has such sidecars, says Istio, which is from 1.33 on.
    native.kubernetes.controller.version = KubernetesVersion::new(32);
    assert_eq!(times(&run(&native, 0), CLOUD, "ready"), [12_100]);
    // The sample at the very moment comes before or after the news.
    let seen = |cluster| first_with_three(cluster).as_nanos() / 10_000_000 * 10;
    assert!((12_350..=12_360).contains(&seen(CLOUD)), "{}", seen(CLOUD));
    assert!((12_430..=12_440).contains(&seen(EDGE)), "{}", seen(EDGE));
}

/// 100 MB at 80 Mbit/s are ten seconds; the second pod of a node finds the image there.
#[test]
fn the_first_pod_of_a_node_waits_for_its_image() {
    let changes = [(5_000, EDGE, ChangeKind::Scale(1)), (30_000, EDGE, ChangeKind::Scale(2))];
    let mut description = world(1, &[(0, EDGE, 0), (0, CLOUD, 1)], &changes);
    description.kubernetes.pods.pull_bits_per_second = 80e6;
    description.kubernetes.workloads[ServiceId(0)].image_bytes = 100e6;
    let record = run(&description, 0);
    assert_eq!(times(&record, EDGE, "ready"), [17_100, 32_100]);
}

/// From the moment at which the edge's proxies know it, and until they know that it leaves.
#[test]
fn a_service_that_is_offloaded_for_a_time_keeps_its_requests_near_for_that_time() {
    let changes = [(10_000, EDGE, ChangeKind::Scale(1)), (40_000, EDGE, ChangeKind::Scale(0))];
    let mut description = world(1, &[(0, EDGE, 0), (0, CLOUD, 1)], &changes);
    description.kubernetes.pods.pre_stop = SimDuration::from_secs(1);
    let record = run(&description, 0);
    assert_eq!(statuses(&record, 200), all_ended(&record).len());
    for (row, end) in all_ended(&record) {
        let near = (12_350..40_250).contains(&(row.arrival.as_nanos() / 1_000_000));
        assert_eq!(end.totals.crossings, u64::from(!near), "at {}", row.arrival);
    }
    assert_eq!(served(&record, EDGE).iter().sum::<u64>(), 2_790);
}

/// SIGTERM comes at once, the proxies of the cluster learn it 250 ms later, those of the other one way
/// (80 ms) after that: so many requests find a closed port.
#[test]
fn without_a_hook_requests_fail_until_the_proxies_know() {
    let mut description = world(1, &[(0, CLOUD, 1)], &[(20_005, CLOUD, ChangeKind::Scale(0))]);
    description.services[ServiceId(0)].routes = Vec::new();
    let record = run(&description, 0);
    let closed = all_ended(&record).into_iter().filter(|(_, end)| end.status.to_string() == "503 UF");
    // Sent from 80 ms before SIGTERM until 330 ms after it.
    let sent: Vec<u64> = closed.map(|(row, _)| row.arrival.as_nanos() / 1_000_000).collect();
    assert_eq!((sent.first(), sent.last()), (Some(&19_930), Some(&20_330)), "{sent:?}");
    assert_eq!(sent.len(), 41);
    // After that there is no host.
    let last = all_ended(&record).last().unwrap().1.status.to_string();
    assert_eq!(last, "503 UH");
}

/// Requests take 5 s: those of the last 2 s before SIGTERM are not done at the end of 3 s of grace.
#[test]
fn what_is_not_done_at_the_end_of_the_grace_period_is_killed() {
    let mut description =
        world(5_000, &[(0, EDGE, 1), (0, CLOUD, 1)], &[(20_005, EDGE, ChangeKind::Scale(0))]);
    description.kubernetes.pods.grace = SimDuration::from_secs(3);
    description.kubernetes.pods.endpoint_delay = SimDuration::ZERO;
    let record = run(&description, 0);
    let killed = steps(&record, EDGE).into_iter().find_map(|it| match it.step {
        PodStep::Ended(requests) => Some((it.at, requests)),
        _ => None,
    });
    let (at, requests) = killed.unwrap();
    assert_eq!(at, at_ms(23_005));
    // Sent from 18.01 to 20 s, each 10 ms.
    assert!((199..=201).contains(&requests), "{requests}");
    let reset = all_ended(&record).iter().filter(|(_, end)| end.status.to_string() == "503 UC").count();
    assert_eq!(reset, requests as usize);
}

/// 2 cores on the node, pods of one core each.
#[test]
fn a_pod_that_fits_nowhere_waits_until_another_leaves() {
    let changes = [(5_000, EDGE, ChangeKind::Scale(3)), (30_000, EDGE, ChangeKind::Scale(2))];
    let mut description = world(1, &[(0, EDGE, 1), (0, CLOUD, 1)], &changes);
    description.clusters[EDGE].nodes[0].capacity.milli_cpu = Some(2_000);
    let record = run(&description, 0);
    let unfit: Vec<PodStep> = steps(&record, EDGE)
        .into_iter()
        .map(|it| it.step)
        .filter(|step| matches!(step, PodStep::Unschedulable(_)))
        .collect();
    assert_eq!(unfit, [PodStep::Unschedulable(Unfit::InsufficientCpu)]);
    assert_eq!(times(&record, EDGE, "ready").len(), 1);
    // The one without a node is deleted first, at once.
    assert_eq!(times(&record, EDGE, "ended"), [30_000]);
    // With a third core it is scheduled.
    description.clusters[EDGE].nodes[0].capacity.milli_cpu = Some(3_000);
    assert_eq!(times(&run(&description, 0), EDGE, "ready").len(), 2);
}

#[test]
fn a_place_on_a_node_that_becomes_free_is_taken() {
    let mut description = free_world(&[1, 1], &[(0, 1)], &[(0, EDGE, 1), (1, EDGE, 1)], EVERY_10_MS, 60);
    description.mesh.istio_version = CLASSIC;
    description.kubernetes.pods = exact();
    description.kubernetes.pods.grace = SimDuration::from_secs(3);
    description.kubernetes.workloads = one_core(&description);
    description.clusters[EDGE].nodes[0].capacity.milli_cpu = Some(2_000);
    description.kubernetes.changes = vec![scale(5_000, 0, 2), scale(20_000, 1, 0)];
    let record = run(&description, 0);
    // 20 s, 3 s of grace (less than its sidecar drains), 100 ms of the scheduler.
    assert_eq!(times(&record, EDGE, "scheduled"), [23_100]);
    assert_eq!(times(&record, EDGE, "ready"), [25_100]);
}

/// The application of the second service takes 4 s to start in place of 1, and has 3 s of grace, less than its sidecar drains.
#[test]
fn pods_of_a_service_come_and_go_in_its_own_way() {
    let mut description = free_world(&[1, 1], &[(0, 1)], &[(0, EDGE, 1), (1, EDGE, 1)], EVERY_10_MS, 60);
    description.mesh.istio_version = CLASSIC;
    description.kubernetes.pods = exact();
    let own = PodTimes {
        application_start: SimDuration::from_secs(4),
        grace: SimDuration::from_secs(3),
        ..description.kubernetes.pods
    };
    description.kubernetes.own_pods.insert(ServiceId(1), own);
    description.kubernetes.changes =
        vec![scale(5_000, 0, 2), scale(5_000, 1, 2), scale(30_000, 0, 1), scale(30_000, 1, 1)];
    let record = run(&description, 0);
    assert_eq!(times(&record, EDGE, "ready"), [7_100, 10_100]);
    assert_eq!(times(&record, EDGE, "ended"), [33_000, 35_000]);
}

#[test]
fn a_rolling_update_keeps_all_pods_and_loses_no_request() {
    let mut description = world(1, &[(0, EDGE, 4)], &[(5_000, EDGE, ChangeKind::Rollout)]);
    description.kubernetes.pods.pre_stop = SimDuration::from_secs(1);
    let rollout = Rollout { max_surge: PodCount::Pods(1), max_unavailable: PodCount::Pods(0) };
    description.kubernetes.workloads[ServiceId(0)].rollout = rollout;
    description.time_series = Some(SimDuration::from_millis(100));
    let record = run(&description, 0);
    // Each new pod takes 2.1 s, and the next is made when an old one is deleted.
    assert_eq!(times(&record, EDGE, "created"), [5_000, 7_100, 9_200, 11_300]);
    assert_eq!(times(&record, EDGE, "deleted"), [7_100, 9_200, 11_300, 13_400]);
    assert_eq!(statuses(&record, 200), all_ended(&record).len());
    let samples = &record.series[EDGE].services;
    assert!(samples.iter().all(|sample| sample.pods.ready >= 4), "never fewer than 4 are ready");
    assert!(samples.iter().all(|sample| sample.pods.ready + sample.pods.starting <= 5), "never more than 5");
}

#[test]
fn without_a_mesh_too_no_request_is_lost_behind_a_hook() {
    let mut description = world(1, &[(0, EDGE, 2)], &[(5_000, EDGE, ChangeKind::Rollout)]);
    description.mesh.data_plane = DataPlane::None;
    description.kubernetes.pods.pre_stop = SimDuration::from_secs(1);
    let record = run(&description, 0);
    assert_eq!(times(&record, EDGE, "ready").len(), 2);
    assert_eq!(statuses(&record, 200), all_ended(&record).len());
}

/// `per_second` requests of `demand_ms` of CPU each, to pods of a core, with an autoscaler.
fn loaded(per_second: f64, demand_ms: f64, replicas: u32, target: i64) -> Description {
    let arrivals = Arrivals::Constant { per_second };
    let mut description = free_world(&[0], &[], &[(0, EDGE, replicas)], arrivals, 1_200);
    description.cell.costs.request_ms = demand_ms;
    description.deployments[0].cpu_limit = Some(Cores(1.0));
    description.application.services[ServiceId(0)].workers = 4;
    description.kubernetes.pods = exact();
    description.kubernetes.workloads = one_core(&description);
    let source = MetricSource::Utilization(MetricResource::Cpu);
    let metrics = vec![MetricSpec { source, target }];
    let hpa = HpaSpec { min_replicas: 1, max_replicas: 20, metrics, behavior: None };
    let autoscaler = AutoscalerSettings { hpa, reads: vec![Reads::PodCpu] };
    description.kubernetes.autoscalers.insert((EDGE, ServiceId(0)), autoscaler);
    description
}

fn replicas_over_time(record: &Record) -> Vec<(SimTime, u32)> {
    record.control[EDGE].decisions.iter().map(|it| (it.at, it.decision.replicas)).collect()
}

/// ceil(load x demand / target), from below and from above, unless the tolerance keeps more or fewer.
#[test]
fn constant_load_ends_at_load_times_demand_over_target() {
    for (per_second, demand_ms, target) in [(100.0, 20.0, 60), (50.0, 30.0, 50), (200.0, 21.0, 75)] {
        let needed = (per_second * demand_ms / 1e3 / (target as f64 / 100.0)).ceil() as u32;
        for replicas in [1, 15] {
            let record = run(&loaded(per_second, demand_ms, replicas, target), 0);
            let over_time = replicas_over_time(&record);
            let (_, last) = *over_time.last().unwrap();
            assert_eq!(last, needed, "{per_second}/s of {demand_ms} ms at {target} %, from {replicas}");
            // For ten minutes before the end nothing changes.
            let settled = over_time.iter().filter(|(at, _)| *at >= at_ms(600_000));
            assert!(settled.into_iter().all(|(_, replicas)| *replicas == needed), "it flaps");
        }
    }
}

/// 2 pods at 63 % of 60 %: a ratio of 1.05.
#[test]
fn inside_the_tolerance_nothing_is_scaled() {
    let record = run(&loaded(63.0, 20.0, 2, 60), 0);
    let decisions = &record.control[EDGE].decisions;
    assert!(decisions.iter().all(|it| it.decision.replicas == 2));
    let measured: Vec<i64> =
        decisions.iter().filter_map(|it| Some(it.proposals.first()?.ok()?.usage)).collect();
    assert!(measured.len() > 70 && measured.iter().all(|usage| (62..=63).contains(usage)), "{measured:?}");
}

/// 15 pods are too many from the start; the first sync remembers them for 300 s.
#[test]
fn scaling_down_waits_for_its_window_and_scaling_up_for_nothing() {
    let record = run(&loaded(100.0, 20.0, 15, 60), 0);
    let first = |record: &Record| {
        let changes = record.control[EDGE].decisions.iter().find(|it| it.decision.rescales());
        (changes.unwrap().at, record.control[EDGE].decisions[0].at)
    };
    let (down, sync) = first(&record);
    assert!(down - sync > SimDuration::from_secs(300) && down - sync <= SimDuration::from_secs(315));
    // A pod's first value comes with its second scrape.
    let (up, _) = first(&run(&loaded(100.0, 20.0, 1, 60), 0));
    assert!(up >= at_ms(15_000) && up <= at_ms(45_000), "{up}");
}

#[test]
fn a_sample_shows_what_the_load_uses() {
    let mut description = loaded(100.0, 20.0, 4, 60);
    description.time_series = Some(SimDuration::from_secs(15));
    description.duration = SimDuration::from_secs(120);
    let record = run(&description, 0);
    for sample in &record.series[EDGE].services[2..] {
        assert!((sample.application_cpu - 2.0).abs() < 0.01, "{sample:?}");
        assert!((sample.served_per_second - 100.0).abs() < 0.5, "{sample:?}");
        assert!((sample.utilization.unwrap() - 0.5).abs() < 0.01, "{sample:?}");
        assert!((sample.clients.requests_per_second - 100.0).abs() < 0.5, "{sample:?}");
        assert_eq!((sample.pods.ready, sample.pods.wanted, sample.endpoints), (4, 4, 4));
        let [p50, ..] = sample.clients.latency_ms.unwrap();
        // 20 ms of CPU and 0.2 ms of network, in buckets of 1 %.
        assert!((20.0..21.0).contains(&p50), "{sample:?}");
        // Little's law: 100/s x 20 ms.
        assert!((sample.in_cells - 2.0).abs() < 0.05, "{sample:?}");
    }
}

/// 10 requests/s per pod wanted, 45 come.
#[test]
fn requests_per_second_are_a_metric_too() {
    let mut description = loaded(45.0, 1.0, 1, 60);
    let autoscaler = description.kubernetes.autoscalers.get_mut(&(EDGE, ServiceId(0))).unwrap();
    autoscaler.hpa.metrics = vec![MetricSpec { source: MetricSource::Pods, target: 10_000 }];
    autoscaler.reads = vec![Reads::RequestsPerSecond];
    let record = run(&description, 0);
    assert_eq!(replicas_over_time(&record).last().unwrap().1, 5);
}

/// A fault of the first pod of `s0` at the edge.
fn fault(kind: FaultKind, begins_ms: u64, ends_ms: Option<u64>) -> PodFault {
    PodFault {
        service: ServiceId(0),
        cluster: EDGE,
        pod: Some(0),
        begins: at_ms(begins_ms),
        ends: ends_ms.map(at_ms),
        kind,
        seen_after: Some(SimDuration::from_secs(1)),
    }
}

fn ordinals(record: &Record, cluster: ClusterId, name: &str) -> Vec<u32> {
    steps(record, cluster).iter().filter(|it| it.step.name() == name).map(|it| it.ordinal).collect()
}

#[test]
fn a_pod_that_a_fault_made_unready_is_deleted_first() {
    let mut description = world(1, &[(0, EDGE, 3)], &[(20_000, EDGE, ChangeKind::Scale(2))]);
    let deleted = |description: &Description| ordinals(&run(description, 0), EDGE, "deleted");
    assert_eq!(deleted(&description), [2]);
    description.faults = vec![fault(FaultKind::Crash, 10_000, None)];
    assert_eq!(deleted(&description), [0]);
    // The control plane does not know yet.
    description.faults = vec![fault(FaultKind::Unready, 19_500, None)];
    assert_eq!(deleted(&description), [2]);
    // It is back, and for a shorter time than the others.
    description.faults = vec![fault(FaultKind::Unready, 10_000, Some(15_000))];
    assert_eq!(deleted(&description), [0]);
}

/// No surge, one may be missing: the broken one is, and goes first. No other does until a new one serves.
#[test]
fn a_rolling_update_takes_a_broken_pod_for_missing() {
    let mut description = world(1, &[(0, EDGE, 4)], &[(20_000, EDGE, ChangeKind::Rollout)]);
    let rollout = Rollout { max_surge: PodCount::Pods(0), max_unavailable: PodCount::Pods(1) };
    description.kubernetes.workloads[ServiceId(0)].rollout = rollout;
    description.faults = vec![fault(FaultKind::Unready, 10_000, Some(20_000))];
    description.time_series = Some(SimDuration::from_millis(100));
    let record = run(&description, 0);
    assert_eq!(ordinals(&record, EDGE, "deleted")[0], 0);
    let after = record.series[EDGE].services.iter().filter(|sample| sample.at > at_ms(12_000));
    assert!(after.into_iter().all(|sample| sample.endpoints >= 3), "no more than one is missing");
}

/// Two pods that share 0.8 cores, and a dead one: 40, 40 and 100 % of a target of 50 % ask for more than
/// there are, and so for nothing.
#[test]
fn a_dead_pod_has_no_metric_and_keeps_an_autoscaler_from_scaling_down() {
    let mut description = loaded(80.0, 10.0, 3, 50);
    let proposals = |description: &Description| -> Vec<u32> {
        let record = run(description, 0);
        let late = record.control[EDGE].decisions.iter().filter(|it| it.at > at_ms(700_000));
        late.map(|it| it.decision.replicas).collect()
    };
    assert!(proposals(&description).iter().all(|replicas| *replicas == 2));
    description.services[ServiceId(0)] = with_outlier_detection();
    description.faults = vec![fault(FaultKind::Crash, 100_000, None)];
    assert!(proposals(&description).iter().all(|replicas| *replicas == 3));
}

/// Their start was long before the run's: a CPU that is measured is believed.
#[test]
fn a_pod_that_ran_before_the_run_is_no_young_one_when_it_fails() {
    let mut description = loaded(80.0, 10.0, 3, 50);
    description.faults = vec![fault(FaultKind::Unready, 100_000, None)];
    let record = run(&description, 0);
    let decisions = record.control[EDGE].decisions.iter();
    let within = decisions.filter(|it| it.at > at_ms(110_000) && it.at < at_ms(290_000));
    let counted: Vec<u32> = within.map(|it| it.proposals[0].unwrap().ready).collect();
    assert!(counted.len() > 10 && counted.iter().all(|it| *it == 3), "{counted:?}");
}

/// Two nodes of two cores; three old pods of one core on the first, one on the other.
#[test]
fn new_pods_spread_by_their_own_kind() {
    let mut description = world(1, &[(0, EDGE, 0)], &[(10_000, EDGE, ChangeKind::Rollout)]);
    description.deployments[0].replicas = 4;
    let node = description.clusters[EDGE].nodes[0].clone();
    description.clusters[EDGE].nodes.push(node);
    for node in &mut description.clusters[EDGE].nodes {
        node.capacity.milli_cpu = Some(8_000);
    }
    let rollout = Rollout { max_surge: PodCount::Pods(4), max_unavailable: PodCount::Pods(0) };
    description.kubernetes.workloads[ServiceId(0)].rollout = rollout;
    let record = run(&description, 0);
    let on = |step| if let PodStep::Scheduled(node) = step { Some(node) } else { None };
    let nodes: Vec<u32> = steps(&record, EDGE).into_iter().filter_map(|it| on(it.step)).collect();
    assert_eq!((nodes.len(), nodes.iter().sum::<u32>()), (4, 2), "{nodes:?}");
}

/// `s1` has waited since 10.1 s, `s0` since 20.1 s; a core is free at 33 s.
#[test]
fn who_has_waited_longest_for_a_node_gets_it() {
    let mut description = free_world(
        &[1, 1, 1],
        &[(0, 1), (0, 2)],
        &[(0, EDGE, 1), (1, EDGE, 1), (2, EDGE, 1)],
        EVERY_10_MS,
        60,
    );
    description.kubernetes.pods = exact();
    description.kubernetes.pods.grace = SimDuration::from_secs(3);
    description.kubernetes.workloads = one_core(&description);
    description.clusters[EDGE].nodes[0].capacity.milli_cpu = Some(3_000);
    description.kubernetes.changes = vec![scale(10_000, 1, 2), scale(20_000, 0, 2), scale(30_000, 2, 0)];
    let record = run(&description, 0);
    let scheduled = |it: &&PodRecord| matches!(it.step, PodStep::Scheduled(_));
    let got: Vec<ServiceId> = steps(&record, EDGE).iter().filter(scheduled).map(|it| it.service).collect();
    assert_eq!(got, [ServiceId(1)]);
}

/// Requests of 8 s: before Istio 1.27 a sidecar ends 5 s after its pod was deleted, whoever waits.
#[test]
fn a_classic_sidecar_does_not_wait_for_requests() {
    let mut description =
        world(8_000, &[(0, EDGE, 1), (0, CLOUD, 1)], &[(20_005, EDGE, ChangeKind::Scale(0))]);
    description.kubernetes.pods.endpoint_delay = SimDuration::ZERO;
    description.application.services[ServiceId(0)].threads = 2_000;
    let ended = |minor| {
        let mut description = description.clone();
        description.mesh.istio_version = IstioVersion::new(1, minor);
        let record = run(&description, 0);
        let end = |it: PodRecord| match it.step {
            PodStep::Ended(requests) => Some((it.at, requests)),
            _ => None,
        };
        steps(&record, EDGE).into_iter().find_map(end).unwrap()
    };
    let (at, killed) = ended(26);
    // Sent from 17.01 to 20 s.
    assert!(at == at_ms(25_005) && (299..=301).contains(&killed), "{at}: {killed}");
    assert_eq!(ended(27).1, 0);
}

/// The hook takes longer than it is until the next update: pods that end are in nobody's way.
#[test]
fn pods_that_end_slowly_do_not_hold_up_the_next_update() {
    let changes = [(5_000, EDGE, ChangeKind::Rollout), (15_000, EDGE, ChangeKind::Rollout)];
    let mut description = world(1, &[(0, EDGE, 2)], &changes);
    description.kubernetes.pods.pre_stop = SimDuration::from_secs(30);
    description.kubernetes.pods.grace = SimDuration::from_secs(35);
    let rollout = Rollout { max_surge: PodCount::Pods(1), max_unavailable: PodCount::Pods(0) };
    description.kubernetes.workloads[ServiceId(0)].rollout = rollout;
    description.mesh.data_plane = DataPlane::None;
    let record = run(&description, 0);
    assert_eq!(times(&record, EDGE, "created"), [5_000, 7_100, 15_000, 17_100]);
}

/// Its containers run since 6.1 s and its application is not ready at 7 s: it ends as any other pod.
#[test]
fn a_pod_that_starts_ends_in_peace_too() {
    let changes = [(5_000, EDGE, ChangeKind::Scale(2)), (7_000, EDGE, ChangeKind::Scale(1))];
    let mut description = world(1, &[(0, EDGE, 1)], &changes);
    description.kubernetes.pods.application_start = SimDuration::from_secs(5);
    assert_eq!(times(&run(&description, 0), EDGE, "ended"), [12_000]);
    // While its image is pulled there is nothing to end.
    description.kubernetes.pods.container_start = SimDuration::from_secs(5);
    assert_eq!(times(&run(&description, 0), EDGE, "ended"), [7_000]);
}

/// Every call of `s0` makes three attempts at a pod that is dead: 100/s x 3 x 10 ms of its sidecar.
#[test]
fn a_sidecar_that_gets_no_answer_shows_its_cpu_all_the_same() {
    let mut description = free_world(&[0, 0], &[(0, 1)], &[(0, EDGE, 1), (1, EDGE, 1)], EVERY_10_MS, 60);
    description.mesh.outbound.cpu = SimDuration::from_millis(10);
    let crash = fault(FaultKind::Crash, 0, None);
    description.faults = vec![PodFault { service: ServiceId(1), seen_after: None, ..crash }];
    description.time_series = Some(SimDuration::from_secs(15));
    let record = run(&description, 0);
    let of_caller = record.series[EDGE].services.iter().filter(|sample| sample.service == ServiceId(0));
    let measured: Vec<f64> = of_caller.skip(1).map(|sample| sample.sidecar_cpu).collect();
    assert!(!measured.is_empty() && measured.iter().all(|cores| (cores - 3.0).abs() < 0.02), "{measured:?}");
}

/// Three pods, of which two are made at 10 s, die at 30 s; proxies are told a second later, both times.
#[test]
fn a_fault_of_all_pods_befalls_those_that_are_made_too() {
    let mut description = world(1, &[(0, EDGE, 1)], &[(10_000, EDGE, ChangeKind::Scale(3))]);
    description.services[ServiceId(0)].routes = Vec::new();
    description.faults = vec![PodFault { pod: None, ..fault(FaultKind::Crash, 30_000, Some(40_000)) }];
    let record = run(&description, 0);
    let arrived =
        |row: &meshsim_models::telemetry::request_log::RequestRow| row.arrival.as_nanos() / 1_000_000;
    for (row, end) in all_ended(&record) {
        let status = end.status.to_string();
        match arrived(row) {
            // Refused, and then there is nobody to ask.
            30_010..=30_990 => assert!(status.starts_with("503 U"), "{status} at {}", row.arrival),
            31_010..=40_990 => assert_eq!(status, "503 UH", "at {}", row.arrival),
            20_000..=29_980 | 41_010.. => assert_eq!(status, "200", "at {}", row.arrival),
            _ => {}
        }
    }
    assert!(served(&record, EDGE).iter().all(|&calls| calls > 1_000), "{:?}", served(&record, EDGE));
}

/// The second pod of the service does not run at the start: the fault befalls it when it does.
#[test]
fn a_fault_of_a_pod_that_is_made_befalls_no_other() {
    let mut description = world(1, &[(0, EDGE, 0)], &[(5_000, EDGE, ChangeKind::Scale(2))]);
    let broken = FaultKind::Errors { share: 1.0, status: 500 };
    description.services[ServiceId(0)] = Default::default();
    description.faults = vec![PodFault { pod: Some(1), ..fault(broken, 20_000, None) }];
    let record = run(&description, 0);
    let after = all_ended(&record).into_iter().filter(|(row, _)| row.arrival >= at_ms(20_000));
    let errors: Vec<bool> = after.map(|(_, end)| end.status.code() == 500).collect();
    let share = errors.iter().filter(|it| **it).count() as f64 / errors.len() as f64;
    assert!((0.4..0.6).contains(&share), "{share}");
}

/// More pods than anybody could have expected, one service after the other.
#[test]
fn a_deployment_may_come_to_have_any_number_of_pods() {
    let scale = |replicas| ChangeKind::Scale(replicas);
    let mut description = world(1, &[(0, EDGE, 1)], &[(5_000, EDGE, scale(40)), (30_000, EDGE, scale(2))]);
    description.clusters[EDGE].nodes[0].capacity.milli_cpu = Some(64_000);
    description.clusters[EDGE].nodes[0].capacity.pods = 100;
    description.kubernetes.pods.pre_stop = SimDuration::from_secs(1);
    let record = run(&description, 0);
    assert_eq!(times(&record, EDGE, "ready").len(), 39);
    assert_eq!(record.deployments[EDGE][0].1.len(), 40);
    assert_eq!(statuses(&record, 200), all_ended(&record).len());
}

/// Made at 10 s, deleted at 40 s: from the moment at which the edge's proxies know it, and until they know that it
/// leaves, requests stay near; its autoscaler is there from the first sync after that on, and no longer.
#[test]
fn a_deployment_that_is_offloaded_comes_with_its_autoscaler_and_leaves_with_it() {
    let mut description = loaded(100.0, 8.0, 0, 60);
    description.add_pods(ServiceId(0), CLOUD, 4);
    description.duration = SimDuration::from_secs(900);
    description.mesh.istio_version = CLASSIC;
    let change = |seconds: u64, kind| Change {
        at: at_ms(seconds * 1_000),
        service: ServiceId(0),
        cluster: EDGE,
        kind,
    };
    description.services[ServiceId(0)] = with_outlier_detection();
    description.kubernetes.pods.pre_stop = SimDuration::from_secs(1);
    let (made, gone, made_again) = (60, 420, 600);
    description.kubernetes.changes = vec![
        change(made, ChangeKind::Offload(1)),
        change(gone, ChangeKind::Remove),
        change(made_again, ChangeKind::Offload(1)),
    ];
    let record = run(&description, 0);
    // 100 ms of the scheduler, a second each of containers and application, and at the edge 250 ms until proxies know.
    assert_eq!(times(&record, EDGE, "ready")[0], made * 1_000 + 2_100);
    let mut first_near = all_ended(&record).into_iter().filter(|(_, end)| end.totals.crossings == 0);
    assert_eq!(first_near.next().unwrap().0.arrival, at_ms(made * 1_000 + 2_350));
    // 100/s of 8 ms at 60 %: two pods, each time found anew, and both end with the Deployment.
    let at = |seconds: u64| {
        let mut so_far =
            replicas_over_time(&record).into_iter().filter(|(at, _)| *at < at_ms(seconds * 1_000));
        so_far.next_back().map(|(at, replicas)| (at.as_nanos() / 1_000_000_000, replicas))
    };
    assert_eq!(at(made), None);
    assert_eq!(at(gone).unwrap().1, 2);
    assert!(at(made_again).unwrap().0 < gone);
    assert_eq!(at(900).unwrap().1, 2);
    let of_step = |name| times(&record, EDGE, name);
    assert_eq!(of_step("deleted"), [gone * 1_000; 2]);
    // A new one begins with what it was told, whatever the one before had come to.
    let begins: Vec<u64> = of_step("created").into_iter().filter(|at| *at >= made_again * 1_000).collect();
    assert!(begins[0] == made_again * 1_000 && begins[1] > begins[0] + 10_000, "{begins:?}");
    assert_eq!(statuses(&record, 200), all_ended(&record).len());
}

/// Nobody can scale a Deployment that is not there.
#[test]
fn a_deployment_that_was_removed_is_not_scaled() {
    let changes = [
        (5_000, EDGE, ChangeKind::Offload(1)),
        (10_000, EDGE, ChangeKind::Remove),
        (15_000, EDGE, ChangeKind::Scale(3)),
        (20_000, EDGE, ChangeKind::Rollout),
    ];
    let record = run(&world(1, &[(0, EDGE, 0), (0, CLOUD, 1)], &changes), 0);
    assert_eq!(times(&record, EDGE, "created"), [5_000]);
    assert_eq!(times(&record, EDGE, "deleted"), [10_000]);
}

fn outage(of: Component, from_ms: u64, to_ms: Option<u64>) -> Outage {
    Outage { of, begins: at_ms(from_ms), ends: to_ms.map(at_ms) }
}

/// When something was decided (s).
fn decided(record: &Record, is_it: impl Fn(&What) -> bool) -> Vec<f64> {
    let of = record.decisions.iter().filter(|it| is_it(&it.what));
    of.map(|it| it.at.as_secs_f64()).collect()
}

/// Three pods over three nodes of the edge, and one in the cloud; the second node of the edge is lost from 100 s on.
fn with_a_lost_node(seconds: u64, to_ms: Option<u64>) -> Description {
    let mut description = world(1, &[(0, EDGE, 3), (0, CLOUD, 1)], &[]);
    description.duration = SimDuration::from_secs(seconds);
    description.keeps_decisions = true;
    let node = description.clusters[EDGE].nodes[0].clone();
    description.clusters[EDGE].nodes = vec![node; 3];
    description.outages = vec![outage(Component::Node { cluster: EDGE, node: 1 }, 100_000, to_ms)];
    description
}

/// federation.md, 4.1 to 4.3: Unknown 40 to 55 s after the loss (grace 50 s), NoExecute a check later, eviction 300 s
/// after that.
#[test]
fn a_node_that_is_lost_is_noticed_and_its_pods_are_replaced() {
    let record = run(&with_a_lost_node(500, None), 0);
    let [unknown] = decided(&record, |it| matches!(it, What::NodeUnknown(1)))[..] else { panic!() };
    assert!((140.0..155.0).contains(&unknown), "{unknown}");
    let [tainted] = decided(&record, |it| matches!(it, What::NodeTainted(1, _)))[..] else { panic!() };
    assert!((tainted - unknown - 5.0).abs() < 0.01);
    let [evicted] = decided(&record, |it| matches!(it, What::PodEvicted(_)))[..] else { panic!() };
    assert!((evicted - tainted - 300.0).abs() < 1e-9);
    // The new pod is made at once, and goes to a node that is there; what is left of the old one stays.
    assert_eq!(times(&record, EDGE, "created"), [(evicted * 1e3) as u64]);
    assert!(!steps(&record, EDGE).iter().any(|it| it.step == PodStep::Scheduled(1)));
    assert_eq!(times(&record, EDGE, "ready").len(), 1);
    assert_eq!(times(&record, EDGE, "ended"), [0_u64; 0]);
    // Proxies leave it when it is marked.
    let late = |from: f64, to: f64| {
        let slow = all_ended(&record).into_iter().filter(|(row, end)| {
            (from..to).contains(&row.arrival.as_secs_f64()) && end.latency > SimDuration::from_millis(500)
        });
        slow.count()
    };
    assert!(late(100.0, unknown) > 100 && late(unknown + 1.0, 500.0) == 0, "{}", late(unknown + 1.0, 500.0));
}

/// The kubelet of a node that is back posts its status within 10 s; nothing is evicted, and what waited is served.
#[test]
fn a_node_that_is_back_keeps_its_pods() {
    let record = run(&with_a_lost_node(600, Some(300_000)), 0);
    let [ready] = decided(&record, |it| matches!(it, What::NodeReady(1)))[..] else { panic!() };
    assert!((300.0..310.0).contains(&ready), "{ready}");
    let [untainted] = decided(&record, |it| matches!(it, What::NodeUntainted(1)))[..] else { panic!() };
    assert!((ready..ready + 5.1).contains(&untainted), "{untainted} {ready}");
    assert_eq!(decided(&record, |it| matches!(it, What::PodEvicted(_))), [0.0; 0]);
    assert_eq!(steps(&record, EDGE), []);
    let marked = |ready| decided(&record, |it| matches!(it, What::PodMarked(_, of) if *of == ready)).len();
    assert_eq!((marked(false), marked(true)), (1, 1));
    // All three are used again.
    let last = record.served_between(EDGE, at_ms(400_000), at_ms(600_000));
    assert!(last.iter().all(|&served| served > 3_000), "{last:?}");
}

/// The pod that was evicted ends when its node is back.
#[test]
fn what_was_evicted_ends_when_its_node_is_back() {
    let record = run(&with_a_lost_node(700, Some(600_000)), 0);
    let [ended] = times(&record, EDGE, "ended")[..] else { panic!("{:?}", steps(&record, EDGE)) };
    assert!((600_000..640_000).contains(&ended), "{ended}");
}

/// federation.md, 4.2: three nodes of four are a partial disruption of a small zone. By the phases of the leases one
/// may be found silent, and tainted, before the others are.
#[test]
fn a_zone_that_loses_most_of_its_nodes_evicts_nothing() {
    let losing = |zones: bool, seed: u64| {
        let mut description = with_a_lost_node(500, None);
        description.seed = seed;
        let node = description.clusters[EDGE].nodes[0].clone();
        description.clusters[EDGE].nodes = vec![node; 4];
        for (number, node) in description.clusters[EDGE].nodes.iter_mut().enumerate().filter(|_| zones) {
            node.locality.zone = format!("zone-{number}");
        }
        let lost = |node| outage(Component::Node { cluster: EDGE, node }, 100_000, None);
        description.outages = [1, 2, 3].map(lost).to_vec();
        let record = run(&description, 0);
        let count = |is_it: fn(&What) -> bool| decided(&record, is_it).len();
        (
            count(|it| matches!(it, What::NodeUnknown(_))),
            count(|it| matches!(it, What::NodeTainted(..))),
            count(|it| matches!(it, What::PodEvicted(_))),
        )
    };
    let in_one: Vec<_> = (0..12).map(|seed| losing(false, seed)).collect();
    assert!(in_one.iter().all(|it| it.0 == 3 && it.1 <= 2), "{in_one:?}");
    assert!(in_one.iter().filter(|it| (it.1, it.2) == (0, 0)).count() >= 4, "{in_one:?}");
    assert_eq!(losing(true, 1), (3, 3, 2));
}

#[test]
fn a_node_that_is_drained_loses_its_pods_and_no_request() {
    let mut description = with_a_lost_node(200, None);
    let drain = Component::Drain { cluster: EDGE, node: 1 };
    description.outages = vec![outage(drain, 100_000, Some(150_000))];
    description.kubernetes.pods.pre_stop = SimDuration::from_secs(2);
    let record = run(&description, 0);
    assert_eq!(times(&record, EDGE, "deleted"), [100_000]);
    assert_eq!(times(&record, EDGE, "created"), [100_000]);
    assert!(!steps(&record, EDGE).iter().any(|it| it.step == PodStep::Scheduled(1)));
    assert!(all_ended(&record).iter().all(|(_, end)| end.status.is_ok()));
}

/// Its sidecar gets its first configuration when istiod is back at 40 s; a probe finds that within a second.
#[test]
fn a_pod_is_not_ready_without_istiod() {
    let scaled = |of: &[Outage], cut: bool| {
        let changes = [(10_000, EDGE, ChangeKind::Scale(2))];
        let mut description = world(1, &[(0, EDGE, 1), (0, CLOUD, 1)], &changes);
        description.istiod =
            cut.then(|| IstiodSettings { cluster: Some(CLOUD), ..IstiodSettings::default() });
        description.outages = of.to_vec();
        times(&run(&description, 0), EDGE, "ready")
    };
    assert_eq!(scaled(&[], false), [12_100]);
    assert_eq!(scaled(&[outage(Component::Istiod(EDGE), 11_000, Some(40_000))], false), [41_000]);
    assert_eq!(scaled(&[outage(Component::Istiod(EDGE), 11_000, None)], false), [0_u64; 0]);
    assert_eq!(scaled(&[outage(Component::Istiod(EDGE), 20_000, None)], false), [12_100]);
    // One in the cloud is out of reach while the edge is cut off.
    assert_eq!(scaled(&[outage(Component::Isolation(EDGE), 11_000, Some(30_000))], true), [31_000]);
    assert_eq!(scaled(&[outage(Component::Isolation(EDGE), 11_000, Some(30_000))], false), [12_100]);
}

/// Whoever changes something waits, nobody is told of anything, and pods go on.
#[test]
fn without_its_api_server_nothing_changes_in_a_cluster() {
    let changes = [(10_000, EDGE, ChangeKind::Scale(2)), (40_000, EDGE, ChangeKind::Scale(3))];
    let mut description = world(1, &[(0, EDGE, 1), (0, CLOUD, 1)], &changes);
    description.keeps_decisions = true;
    description.outages = vec![outage(Component::ApiServer(EDGE), 12_150, Some(45_000))];
    let record = run(&description, 0);
    // The first pod is ready at 12.1 s, and its endpoint is announced when the API server is back.
    assert_eq!(times(&record, EDGE, "ready")[0], 12_100);
    assert_eq!(times(&record, EDGE, "created"), [10_000, 45_000]);
    let told = decided(&record, |it| matches!(it, What::Endpoint(..)));
    assert_eq!(told[0], 45.0);
    assert!(all_ended(&record).iter().all(|(_, end)| end.status.is_ok()));
}

/// The chain of periodic checks: leases every 10 s, looked at every 5 s, with phases drawn from the seed. From the
/// loss to Unknown it takes the grace, less what the last lease was old, and what is left until a check: 40 to 55 s
/// with a grace of 50 s, 30 to 45 s with one of 40 s.
#[test]
fn a_loss_is_noticed_by_the_phases_of_the_checks() {
    for (version, grace) in [(35, 50.0), (31, 40.0)] {
        let after = |seed: u64| {
            let mut description = with_a_lost_node(180, None);
            description.seed = seed;
            description.populations[0].arrivals = Arrivals::Constant { per_second: 1.0 };
            description.kubernetes.controller.version = KubernetesVersion::new(version);
            decided(&run(&description, 0), |it| matches!(it, What::NodeUnknown(1)))[0] - 100.0
        };
        let mut all: Vec<f64> = (0..200).map(after).collect();
        all.sort_by(f64::total_cmp);
        assert!(all[0] > grace - 10.0 && all[199] < grace + 5.1, "{} to {}", all[0], all[199]);
        assert!(all[0] < grace - 8.0 && all[199] > grace + 3.0, "{} to {}", all[0], all[199]);
        // Both phases are uniform: in the mean 2.5 s less than the grace.
        let mean = all.iter().sum::<f64>() / 200.0;
        assert!((mean - (grace - 2.5)).abs() < 1.2, "{mean}");
    }
}
/// The cloud may run three pods of `s0` at the edge, within a slice of two cores there; gateways take no time.
fn offloaded(
    strategy: PodOffloadingStrategy,
    enforcement: LimitsEnforcement,
    changes: &[(u64, ClusterId, ChangeKind)],
) -> Description {
    let mut description = world(1, &[(0, CLOUD, 3), (0, EDGE, 0)], changes);
    let granted = ResourceList::new(2_000, 1 << 40);
    let peering = Peering { granted, enforcement, ..Peering::new("cloud-edge", CLOUD, EDGE) };
    let gateway = GatewayCost {
        per_packet: SimDuration::ZERO,
        per_request: SimDuration::ZERO,
        ..GatewayCost::default()
    };
    let services = [ServiceId(0)].into();
    let mut peering = peering;
    peering.granted.set(meshsim_models::kubernetes::scheduler::resources::Resource::PODS, 110);
    description.federation = Some(Federation::Liqo(LiqoSettings {
        peerings: vec![peering],
        gateways: [gateway; 2].into_iter().collect(),
        offloading: Some(Offloading { services, strategy, cluster_selector: Vec::new() }),
    }));
    description
}

/// The consumer's scheduler binds two pods to the node that stands for the edge, and the third fits none: half a round trip
/// later the edge makes them, by its own scheduler and kubelet; a deletion crosses the link, and so does its end.
#[test]
fn pods_of_a_consumer_run_at_its_provider_within_the_slice() {
    let changes = [(30_000, CLOUD, ChangeKind::Scale(1))];
    let mut remote = offloaded(PodOffloadingStrategy::Remote, LimitsEnforcement::None, &changes);
    remote.kubernetes.pods.pre_stop = SimDuration::from_secs(1);
    let record = run(&remote, 0);
    let of = |cluster, name| times(&record, cluster, name);
    assert_eq!([of(CLOUD, "created"), of(CLOUD, "offloaded")], [vec![0, 0, 0], vec![100, 100]]);
    let unfit = steps(&record, CLOUD).into_iter().find(|it| it.step.name() == "unschedulable").unwrap();
    assert_eq!((unfit.step, unfit.at), (PodStep::Unschedulable(Unfit::InsufficientCpu), at_ms(100)));
    assert_eq!([of(EDGE, "created"), of(EDGE, "scheduled")], [[180, 180], [280, 280]]);
    assert_eq!([of(EDGE, "ready"), of(CLOUD, "ready")], [vec![2_280, 2_280], vec![]]);
    // The one without a node goes first; a classic sidecar drains for 5 s.
    assert_eq!([of(CLOUD, "deleted"), of(EDGE, "deleted")], [vec![30_000, 30_000], vec![30_080]]);
    assert_eq!([of(CLOUD, "ended"), of(EDGE, "ended")], [vec![30_000, 35_160], vec![35_080]]);
    let near = all_ended(&record).into_iter().filter(|(row, _)| row.arrival > at_ms(3_000));
    assert!(near.into_iter().all(|(_, end)| end.status.code() == 200 && end.totals.crossings == 0));
    // Local pods stay, and of both kinds of nodes the larger one is the emptier.
    for strategy in [PodOffloadingStrategy::Local, PodOffloadingStrategy::LocalAndRemote] {
        let record = run(&offloaded(strategy, LimitsEnforcement::None, &[]), 0);
        assert_eq!(times(&record, CLOUD, "ready").len() + times(&record, EDGE, "ready").len(), 3);
        let is_local = strategy == PodOffloadingStrategy::Local;
        assert_eq!(times(&record, EDGE, "created").is_empty(), is_local, "{strategy:?}");
    }
}

/// Istio's sidecar has limits above its requests: a provider that asks for equal ones lets no pod in, however often it is
/// asked. Without sidecars it does.
#[test]
fn a_provider_that_asks_for_limits_lets_no_sidecar_in() {
    let mut hard = offloaded(PodOffloadingStrategy::Remote, LimitsEnforcement::Hard, &[]);
    hard.deployments =
        hard.deployments.iter().map(|it| Deployment { cpu_limit: Some(Cores(1.0)), ..*it }).collect();
    let record = run(&hard, 0);
    // There and back, and that it was refused is told once.
    assert_eq!(times(&record, CLOUD, "refused"), [260, 260]);
    assert!(steps(&record, EDGE).is_empty());
    assert_eq!(statuses(&record, 200), 0);
    hard.mesh.data_plane = DataPlane::None;
    assert_eq!(times(&run(&hard, 0), EDGE, "created").len(), 2);
}

/// Prometheus stands in the cloud: a scrape of 10 kB of each ready pod of the edge crosses the link each 15 s, with the spans of
/// one call of a hundred, and none while the link is cut. An autoscaler of the edge that goes by requests per second is
/// blind then: it acts when it has been told again.
#[test]
fn what_is_scraped_from_another_cluster_crosses_the_link_and_is_missing_in_a_cut() {
    let mut description = free_world(&[1], &[], &[(0, EDGE, 2)], EVERY_10_MS, 600);
    description.kubernetes.pods = exact();
    description.kubernetes.workloads = one_core(&description);
    description.observability = Some(CentralObservability::new(CLOUD));
    let control = |record: &Record| {
        let from_edge = record.links.iter().filter(|it| it.from == EDGE);
        from_edge.map(|it| it.control).sum::<u64>()
    };
    // Forty scrapes of two pods, and 60,000 calls.
    let whole = control(&run(&description, 0));
    assert!((1_360_000..=1_420_000).contains(&whole), "{whole}");
    let (begins, ends) = (at_ms(120_000), at_ms(420_000));
    let cut = LinkFault { link: 0, toward: None, kind: LinkFaultKind::Blackhole, begins, ends: Some(ends) };
    description.link_faults.push(cut);
    let half = control(&run(&description, 0));
    assert!(half > whole * 2 / 5 && half < whole * 3 / 5, "{half} of {whole}");
    // 100 requests/s, of which a pod is to have 20.
    let metrics = vec![MetricSpec { source: MetricSource::Pods, target: 20_000 }];
    let hpa = HpaSpec { min_replicas: 2, max_replicas: 10, metrics, behavior: None };
    let autoscaler = AutoscalerSettings { hpa, reads: vec![Reads::RequestsPerSecond] };
    description.kubernetes.autoscalers.insert((EDGE, ServiceId(0)), autoscaler);
    let first_made = |description: &Description| {
        times(&run(description, 0), EDGE, "created").first().copied().unwrap_or(u64::MAX)
    };
    description.link_faults[0].begins = at_ms(0);
    let blind = first_made(&description);
    assert!((420_000..=470_000).contains(&blind), "{blind}");
    description.observability = None;
    assert!(first_made(&description) < 60_000);
}
