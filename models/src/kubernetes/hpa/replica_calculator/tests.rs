use super::super::metrics::{MetricResource, PodMetric};
use super::super::pod_groups::{PodPhase, ReadyCondition};
use super::*;
use meshsim_core::SimDuration;

const NOW: SimTime = SimTime::from_nanos(10_000_000_000_000);

/// A pod that has been ready, or never was, for long.
fn pod(ready: bool) -> PodState {
    let long_ago = SimTime::from_nanos(1);
    let condition = Some(ReadyCondition { ready, last_transition: long_ago });
    PodState { phase: PodPhase::Running, deleted: false, condition, started: Some(long_ago), is_old: false }
}

fn reading(value: Option<i64>, request: Option<i64>) -> PodReading {
    let measured = |value| PodMetric { value, timestamp: NOW, window: SimDuration::from_secs(15) };
    PodReading { metric: value.map(measured), request }
}

fn propose(
    metric: MetricSpec,
    pods: &[(bool, PodReading)],
    unlisted: &[i64],
) -> Result<Proposal, MetricError> {
    let (states, listed): (Vec<_>, Vec<_>) = pods.iter().map(|(ready, it)| (pod(*ready), *it)).unzip();
    let current = pods.len() as u32;
    let readings = Readings::Pods { listed: &listed, unlisted };
    let seen = Observations { status_replicas: current, pods: &states, readings: &[readings] };
    ReplicaCalculator::default().propose(metric, readings, &seen, current, NOW)
}

/// Replicas and usage for a CPU utilization, every pod requesting 1000m and using these percents.
fn by_utilization(target: i64, pods: &[(bool, Option<i64>)]) -> (i32, i64) {
    let metric = MetricSpec { source: MetricSource::Utilization(MetricResource::Cpu), target };
    let read = |&(ready, percent): &(bool, Option<i64>)| {
        (ready, reading(percent.map(|percent| percent * 10), Some(1_000)))
    };
    let proposal = propose(metric, &pods.iter().map(read).collect::<Vec<_>>(), &[]).unwrap();
    (proposal.replicas, proposal.usage)
}

#[test]
fn twice_the_target_makes_twice_the_pods() {
    let metric = MetricSpec { source: MetricSource::AverageUsage(MetricResource::Cpu), target: 100 };
    let pods = [(true, reading(Some(200), None)); 3];
    assert_eq!(propose(metric, &pods, &[]).unwrap().replicas, 6);
}

#[test]
fn two_at_90_percent_of_60_make_three() {
    assert_eq!(by_utilization(60, &[(true, Some(90)); 2]), (3, 90));
}

#[test]
fn four_at_62_percent_of_60_are_within_tolerance() {
    assert_eq!(by_utilization(60, &[(true, Some(62)); 4]), (4, 62));
}

/// 66 % of 60 % are 1.1, which is 0.10000000000000009 away from 1; 54 % are 0.9, which is a bit less than 0.1.
#[test]
fn the_border_of_the_tolerance_is_within_it_from_1_33_on() {
    let within = |minor, ratio| Tolerances::default().are_met(ratio, KubernetesVersion::new(minor));
    assert_eq!([22, 32, 33, 35].map(|minor| within(minor, 66.0 / 60.0)), [false, false, true, true]);
    for minor in [22, 32, 33, 35] {
        let others = [54.0 / 60.0, 1.05, 1.0, 1.11, 0.89].map(|ratio| within(minor, ratio));
        assert_eq!(others, [true, true, true, false, false], "1.{minor}");
    }
    let metric = MetricSpec { source: MetricSource::AverageUsage(MetricResource::Cpu), target: 60 };
    let (state, listed) = ([pod(true); 4], [reading(Some(66), None); 4]);
    let readings = Readings::Pods { listed: &listed, unlisted: &[] };
    let seen = Observations { status_replicas: 4, pods: &state, readings: &[readings] };
    let asked = |minor| {
        let version = KubernetesVersion::new(minor);
        let calculator = ReplicaCalculator { version, ..ReplicaCalculator::default() };
        calculator.propose(metric, readings, &seen, 4, NOW).unwrap().replicas
    };
    assert_eq!([asked(32), asked(33)], [5, 4]);
}

#[test]
fn ten_at_20_percent_of_60_make_four() {
    assert_eq!(by_utilization(60, &[(true, Some(20)); 10]), (4, 20));
}

#[test]
fn the_borders_of_the_tolerance_are_within_it() {
    assert_eq!(by_utilization(60, &[(true, Some(66)); 10]).0, 10);
    assert_eq!(by_utilization(60, &[(true, Some(54)); 10]).0, 10);
    assert_eq!(by_utilization(60, &[(true, Some(67)); 10]).0, 12);
    assert_eq!(by_utilization(60, &[(true, Some(53)); 10]).0, 9);
}

#[test]
fn unready_pods_that_turn_a_scale_up_stop_it() {
    let (on, off) = ((true, Some(300)), (false, Some(300)));
    // The condition changed at the start: it has never been ready.
    assert_eq!(by_utilization(100, &[on, off, off, off]), (4, 300));
}

#[test]
fn a_missing_pod_that_brings_a_scale_up_into_tolerance_stops_it() {
    assert_eq!(by_utilization(100, &[(true, Some(150)), (true, Some(150)), (true, None)]), (3, 150));
}

#[test]
fn a_missing_pod_counts_as_busy_when_scaling_down() {
    let on = (true, Some(40));
    assert_eq!(by_utilization(100, &[on, on, on, (true, None)]), (3, 40));
}

#[test]
fn at_exactly_the_target_missing_pods_do_not_come_in() {
    assert_eq!(by_utilization(50, &[(true, Some(50)), (true, None)]), (2, 50));
}

#[test]
fn utilization_is_a_ratio_of_sums_cut_to_a_whole_percent() {
    let metric = MetricSpec { source: MetricSource::Utilization(MetricResource::Memory), target: 60 };
    let pods = [(true, reading(Some(669), Some(1_000))), (true, reading(Some(2_007), Some(3_000)))];
    let proposal = propose(metric, &pods, &[]).unwrap();
    assert_eq!((proposal.replicas, proposal.usage), (2, 66));
}

#[test]
fn metrics_of_pods_that_are_not_listed_count_as_pods() {
    let pods = [(true, reading(Some(200), Some(1_000))); 2];
    let average = MetricSpec { source: MetricSource::Pods, target: 100 };
    // (200 + 200 + 500) / 3, over the two that are listed.
    let proposal = propose(average, &pods, &[500]).unwrap();
    assert_eq!((proposal.replicas, proposal.usage), (6, 300));
    let percent = MetricSpec { source: MetricSource::Utilization(MetricResource::Cpu), target: 100 };
    assert_eq!(propose(percent, &pods, &[500]).unwrap().usage, 20);
}

#[test]
fn without_pods_metrics_or_requests_it_cannot_tell() {
    let percent = MetricSpec { source: MetricSource::Utilization(MetricResource::Cpu), target: 50 };
    let with = (true, reading(Some(10), Some(100)));
    let failed = |pods: &[(bool, PodReading)]| propose(percent, pods, &[]).unwrap_err();
    assert_eq!(failed(&[]), MetricError::NoPods);
    assert_eq!(failed(&[(true, reading(None, Some(100)))]), MetricError::NoMetrics);
    assert_eq!(failed(&[(false, reading(Some(10), Some(100)))]), MetricError::NoMetrics);
    assert_eq!(failed(&[with, (true, reading(Some(10), None))]), MetricError::NoRequest);
    assert_eq!(failed(&[(true, reading(Some(10), Some(0)))]), MetricError::NothingRequested);
}

fn by_values(source: MetricSource, target: i64, current: u32, ready: &[bool], values: &[i64]) -> (i32, i64) {
    let pods: Vec<_> = ready.iter().map(|ready| pod(*ready)).collect();
    let readings = Readings::Values(values);
    let seen = Observations { status_replicas: current, pods: &pods, readings: &[readings] };
    let metric = MetricSpec { source, target };
    let proposal = ReplicaCalculator::default().propose(metric, readings, &seen, current, NOW).unwrap();
    (proposal.replicas, proposal.usage)
}

#[test]
fn a_value_is_for_the_ready_pods_and_can_scale_from_zero() {
    let of = |current, ready: &[bool]| by_values(MetricSource::Value, 1_000, current, ready, &[800, 1_600]);
    assert_eq!(of(2, &[true, true]), (5, 2_400));
    assert_eq!(of(2, &[true, false]), (3, 2_400));
    assert_eq!(of(0, &[]), (3, 2_400));
    assert_eq!(by_values(MetricSource::Value, 1_000, 7, &[], &[1_100]), (7, 1_100));
}

#[test]
fn an_average_value_is_for_the_replicas_whatever_the_pods() {
    assert_eq!(by_values(MetricSource::AverageValue, 1_000, 10, &[], &[2_500]), (3, 250));
    assert_eq!(by_values(MetricSource::AverageValue, 5_000, 3, &[], &[20_000]), (4, 6_667));
    assert_eq!(by_values(MetricSource::AverageValue, 5_000, 4, &[], &[20_000]), (4, 5_000));
}
