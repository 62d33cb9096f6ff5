use super::*;
use meshsim_core::SimDuration;

fn at(seconds: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs(seconds)
}

fn all_may_go() -> OutlierDetection {
    OutlierDetection { max_ejection_percent: 100, ..OutlierDetection::default() }
}

fn fail(detector: &mut Detector, config: &OutlierDetection, host: usize, n: u32, now: SimTime) -> bool {
    (0..n).fold(false, |_, _| detector.put_status(config, host, 500, now).is_some())
}

fn tick(detector: &mut Detector, config: &OutlierDetection, now: SimTime) -> Vec<AtTick> {
    let mut seen = Vec::new();
    detector.tick(config, now, |change| seen.push(change));
    seen
}

#[test]
fn five_errors_in_a_row_eject() {
    let config = all_may_go();
    let mut detector = Detector::new(2);
    assert!(!fail(&mut detector, &config, 0, 4, at(0)));
    detector.put_status(&config, 0, 404, at(0));
    assert!(!fail(&mut detector, &config, 0, 4, at(0)));
    assert!(fail(&mut detector, &config, 0, 1, at(0)));
    assert!(detector.is_ejected(0) && !detector.is_ejected(1));
}

#[test]
fn at_the_default_percentage_none_of_nine_and_one_of_ten_may_go() {
    let config = OutlierDetection::default();
    for (hosts, goes) in [(1, false), (9, false), (10, true), (20, true)] {
        let mut detector = Detector::new(hosts);
        assert_eq!(fail(&mut detector, &config, 0, 5, at(0)), goes, "{hosts}");
        assert_eq!(config.can_eject(hosts as u32), goes);
        assert_eq!(detector.overflow(), u64::from(!goes));
    }
    let config = OutlierDetection { always_eject_one_host: true, ..config };
    let mut detector = Detector::new(3);
    assert!(fail(&mut detector, &config, 0, 5, at(0)));
    assert!(!fail(&mut detector, &config, 1, 5, at(0)));
}

#[test]
fn a_host_returns_at_the_first_tick_after_its_time_and_stays_longer_each_time() {
    let config = all_may_go();
    let mut detector = Detector::new(2);
    fail(&mut detector, &config, 0, 5, at(5));
    assert_eq!(tick(&mut detector, &config, at(30)), []);
    assert_eq!(tick(&mut detector, &config, at(40)), [AtTick::Returned(0)]);
    assert!(fail(&mut detector, &config, 0, 5, at(45)));
    for second in (50..=100).step_by(10) {
        assert_eq!(tick(&mut detector, &config, at(second)), []);
    }
    assert_eq!(tick(&mut detector, &config, at(110)), [AtTick::Returned(0)]);
    // Two quiet ticks take both steps off.
    tick(&mut detector, &config, at(120));
    tick(&mut detector, &config, at(130));
    assert!(fail(&mut detector, &config, 0, 5, at(130)));
    assert_eq!(tick(&mut detector, &config, at(160)), [AtTick::Returned(0)]);
}

#[test]
fn a_counter_starts_again_even_if_the_ejection_is_refused() {
    let config = OutlierDetection { max_ejection_percent: 0, ..all_may_go() };
    let mut detector = Detector::new(1);
    fail(&mut detector, &config, 0, 5, at(0));
    assert!(!fail(&mut detector, &all_may_go(), 0, 4, at(1)));
    assert!(fail(&mut detector, &all_may_go(), 0, 1, at(1)));
}

#[test]
fn errors_of_this_side_count_apart_if_split() {
    let config = OutlierDetection { split_external_local_origin_errors: true, ..all_may_go() };
    let mut detector = Detector::new(1);
    let mut put = |result| detector.put_result(&config, 0, result, None, at(0));
    for _ in 0..4 {
        assert_eq!(put(HostResult::LocalOriginTimeout), None);
        assert_eq!(put(HostResult::ExtOriginRequestFailed), None);
    }
    let kind = EjectionType::ConsecutiveLocalOriginFailure;
    assert_eq!(put(HostResult::LocalOriginConnectFailed), Some(kind));
}

#[test]
fn a_gateway_error_is_a_5xx_but_not_the_other_way_round() {
    let config = OutlierDetection { enforcing_consecutive_gateway_failure: true, ..all_may_go() };
    let mut detector = Detector::new(1);
    for _ in 0..4 {
        detector.put_status(&config, 0, 503, at(0));
    }
    assert_eq!(detector.put_status(&config, 0, 500, at(0)), Some(EjectionType::Consecutive5xx));
}

#[test]
fn a_low_success_rate_ejects_at_the_tick() {
    let config = OutlierDetection { enforcing_consecutive_5xx: false, ..all_may_go() };
    let mut detector = Detector::new(5);
    for host in 0..5 {
        for k in 0..400 {
            let status = if host == 4 && k % 2 == 0 { 503 } else { 200 };
            detector.put_status(&config, host, status, at(0));
        }
    }
    let found = Statistics { average: 90.0, threshold: 52.0 };
    assert_eq!(
        tick(&mut detector, &config, at(10)),
        [AtTick::Threshold(EjectionType::SuccessRate, found), AtTick::Ejected(4, EjectionType::SuccessRate)]
    );
}

#[test]
fn too_many_failures_eject_a_host_once() {
    let config = OutlierDetection {
        enforcing_consecutive_5xx: false,
        enforcing_failure_percentage: true,
        ..all_may_go()
    };
    let mut detector = Detector::new(5);
    for host in 0..5 {
        for _ in 0..100 {
            detector.put_status(&config, host, if host == 4 { 500 } else { 200 }, at(0));
        }
    }
    let failed = EjectionType::FailurePercentage;
    let by_failures = OutlierDetection { enforcing_success_rate: false, ..config };
    let mut other = detector.clone();
    assert!(tick(&mut other, &by_failures, at(10)).contains(&AtTick::Ejected(4, failed)));
    assert_eq!(other.not_enforced(EjectionType::SuccessRate), 1);
    let seen = tick(&mut detector, &config, at(10));
    assert!(seen.contains(&AtTick::Ejected(4, EjectionType::SuccessRate)));
    assert!(!seen.contains(&AtTick::Ejected(4, failed)));
    assert_eq!(detector.ejected(), 1);
}

#[test]
fn a_host_that_goes_and_comes_back_is_new() {
    let config = all_may_go();
    let mut detector = Detector::new(2);
    fail(&mut detector, &config, 1, 5, at(0));
    detector.remove(1);
    assert_eq!((detector.ejected(), detector.is_ejected(1)), (0, false));
    assert!(!fail(&mut detector, &config, 1, 9, at(0)));
    detector.add(1);
    assert!(fail(&mut detector, &config, 1, 5, at(0)));
}

#[test]
fn of_hosts_that_nobody_called_there_is_a_bit() {
    let config = all_may_go();
    let mut detector = Detector::new(3_000);
    assert!(fail(&mut detector, &config, 2_999, 5, at(0)) && fail(&mut detector, &config, 64, 5, at(0)));
    assert_eq!((detector.present, detector.ejected(), detector.known.len()), (3_000, 2, 2));
    assert_eq!(tick(&mut detector, &config, at(30)), [AtTick::Returned(64), AtTick::Returned(2_999)]);
    // Of new lists of hosts only those that were there are remembered.
    assert!(fail(&mut detector, &config, 7, 5, at(40)));
    detector.renumber([None, Some(7), None].into_iter());
    assert_eq!((detector.present, detector.known.len(), detector.ejected()), (3, 1, 1));
    assert!(detector.is_ejected(1) && !detector.is_ejected(0));
}
