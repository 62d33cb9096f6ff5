//! Localities: which settings keep requests near, which spread them, and what crosses and returns.
//!
//! Clusters stand in regions `r0` (cloud), `r1` (edge, where the users are) and, in some tests, `r2`.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::SimDuration;
use meshsim_models::envoy::load_balancer::slow_start::SlowStart;
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::cluster_policy::{SimpleBalancer, TrafficPolicy};
use meshsim_models::istiod::distribute::Distribute;
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::istiod::locality_priority::Failover;
use meshsim_models::istiod::locality_setting::{LocalitySetting, TrafficDistribution};
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{Description, ServiceSettings};
use support::{CLOUD, EDGE, all_ended, at_ms, free_world, is_binomial, run, served, with_outlier_detection};

const THIRD: ClusterId = ClusterId(2);
const HUNDRED: Arrivals = Arrivals::Constant { per_second: 100.0 };

/// A world whose clusters are regions, with one more of them, 20 ms from both others.
fn three_regions(pods: &[(u32, ClusterId, u32)]) -> Description {
    let mut description = free_world(&[1], &[], pods, HUNDRED, 100);
    assert_eq!(description.add_cluster("third", 1e6), THIRD);
    description.clusters[THIRD].local_bits_per_second = 1e18;
    for (number, cluster) in [CLOUD, EDGE, THIRD].into_iter().enumerate() {
        description.clusters[cluster].nodes[0].locality = format!("r{number}").as_str().into();
    }
    for other in [CLOUD, EDGE] {
        let link = description.add_link([THIRD, other], SimDuration::from_millis(20), 1e18);
        (link.mtu, link.tunnel_overhead) = (1340, 60);
    }
    description
}

fn with_setting(mut description: Description, locality: LocalitySetting) -> Description {
    description.services[ServiceId(0)] = ServiceSettings { locality: Some(locality), ..ejecting() };
    description
}

/// LEAST_REQUEST would prefer what is near, because its requests are shorter.
fn random() -> ServiceSettings {
    let traffic_policy = TrafficPolicy { simple: SimpleBalancer::Random, ..TrafficPolicy::default() };
    ServiceSettings { traffic_policy, ..ServiceSettings::default() }
}

fn ejecting() -> ServiceSettings {
    let mut settings = with_outlier_detection();
    settings.traffic_policy.simple = SimpleBalancer::Random;
    settings
}

/// The endpoint of the edge leaves for the second half of the run.
fn without_edge_later(mut description: Description) -> Description {
    description.faults = vec![PodFault {
        service: ServiceId(0),
        cluster: EDGE,
        pod: None,
        begins: at_ms(49_998),
        ends: None,
        kind: FaultKind::Unready,
        seen_after: Some(SimDuration::ZERO),
    }];
    description
}

/// Calls served by each of three clusters, before and after the middle of the run.
fn halves(record: &Record) -> [[u64; 2]; 3] {
    [CLOUD, EDGE, THIRD].map(|cluster| {
        let sum = |ms| record.metrics_from(cluster, at_ms(ms)).served.iter().sum::<u64>();
        [sum(0) - sum(50_000), sum(50_000)]
    })
}

fn all_ok(record: &Record) {
    assert!(all_ended(record).iter().all(|(_, end)| end.status.is_ok()));
}

fn crossings(record: &Record) -> u64 {
    all_ended(record).iter().map(|(_, end)| end.totals.crossings).sum()
}

#[test]
fn prefer_close_needs_no_destination_rule() {
    let close = |minor: u16, distribution| {
        let mut description = free_world(&[1], &[], &[(0, EDGE, 1), (0, CLOUD, 3)], HUNDRED, 100);
        description.mesh.istio_version = IstioVersion::new(1, minor);
        description.services[ServiceId(0)] =
            ServiceSettings { traffic_distribution: distribution, ..random() };
        run(&description, 0)
    };
    for minor in [25, 26, 27, 31] {
        assert_eq!(crossings(&close(minor, Some(TrafficDistribution::PreferClose))), 0, "1.{minor}");
    }
    assert_eq!(crossings(&close(31, Some(TrafficDistribution::PreferSameZone))), 0);
    assert_eq!(crossings(&close(31, Some(TrafficDistribution::PreferSameNode))), 0);
    // A release that does not know it, and none: everywhere, by the number of pods.
    let spread = [
        close(24, Some(TrafficDistribution::PreferClose)),
        close(26, Some(TrafficDistribution::PreferSameZone)),
        close(31, None),
    ];
    for record in spread {
        let n = all_ended(&record).len() as u64;
        assert!(is_binomial(crossings(&record), n, 0.75), "{} of {n}", crossings(&record));
        let pods = [served(&record, EDGE), served(&record, CLOUD)].concat();
        assert!(pods.iter().all(|&count| is_binomial(count, n, 0.25)), "{pods:?}");
    }
}

#[test]
fn prefer_close_goes_elsewhere_when_nothing_is_near() {
    let mut description = three_regions(&[(0, EDGE, 1), (0, CLOUD, 1), (0, THIRD, 3)]);
    description.services[ServiceId(0)].traffic_distribution = Some(TrafficDistribution::PreferClose);
    let record = run(&without_edge_later(description), 0);
    all_ok(&record);
    let [cloud, edge, third] = halves(&record);
    assert_eq!((cloud[0], edge[1], third[0]), (0, 0, 0));
    assert!(edge[0].abs_diff(4_999) <= 1);
    // Weighted by the endpoints of each: a schedule, not draws.
    let n = cloud[1] + third[1];
    assert!(n.abs_diff(5_000) <= 40 && third[1].abs_diff(n * 3 / 4) <= 20, "{third:?} of {n}");
}

#[test]
fn outlier_detection_is_what_makes_the_near_ones_come_first() {
    let pods = [(0, EDGE, 1), (0, CLOUD, 1)];
    let mut description = free_world(&[1], &[], &pods, HUNDRED, 100);
    description.services[ServiceId(0)] = random();
    let n = 9_980;
    assert!(is_binomial(crossings(&run(&description, 0)), n, 0.5));
    description.services[ServiceId(0)] = ejecting();
    assert_eq!(crossings(&run(&description, 0)), 0);
    // Off for the service, or for the mesh; the service's word counts more.
    let setting = |enabled| LocalitySetting { enabled: Some(enabled), ..LocalitySetting::default() };
    for (mesh, service, spreads) in
        [(true, Some(false), true), (false, None, true), (false, Some(true), false)]
    {
        description.mesh.locality = setting(mesh);
        description.services[ServiceId(0)].locality = service.map(setting);
        let crossed = crossings(&run(&description, 0));
        if spreads {
            assert!(is_binomial(crossed, n, 0.5), "{mesh}, {service:?}: {crossed}");
        } else {
            assert_eq!(crossed, 0);
        }
    }
}

/// Two pods near, two 160 ms away, and LEAST_REQUEST, which prefers the near ones: up to 1.23 localities
/// come first and share by their pods, whatever it sees (istio/istio#47804: 50 % and 50 %; tags 1.14.0 to
/// 1.23.6, `cluster_traffic_policy.go`; changed by istio/istio#52898).
#[test]
fn up_to_1_23_localities_share_by_their_pods_whatever_the_balancer_sees() {
    let crossed = |minor, enabled, outlier_detection| {
        let mut description = free_world(&[1], &[], &[(0, EDGE, 2), (0, CLOUD, 2)], HUNDRED, 100);
        description.mesh.istio_version = IstioVersion::new(1, minor);
        let locality = LocalitySetting { enabled, ..LocalitySetting::default() };
        description.services[ServiceId(0)] =
            if outlier_detection { with_outlier_detection() } else { ServiceSettings::default() };
        description.services[ServiceId(0)].locality = Some(locality);
        let record = run(&description, 0);
        all_ok(&record);
        crossings(&record)
    };
    for minor in [14, 23] {
        // A schedule, not draws.
        assert!(crossed(minor, None, false).abs_diff(5_000) <= 20, "1.{minor}");
        // With outlier detection they are levels, and the near one takes all.
        assert_eq!(crossed(minor, None, true), 0, "1.{minor}");
    }
    let unweighted = crossed(24, None, false);
    assert!(unweighted < 4_000, "{unweighted}");
    assert_eq!(crossed(23, Some(false), false), unweighted);
}

/// Locality is chosen before the host, so a pod alone in its locality is not warmed up: it has its part
/// at once up to 1.23 (istio/istio#46569), and a tenth of it, growing, from 1.24 on.
#[test]
fn up_to_1_23_a_pod_alone_in_its_locality_has_its_part_at_once() {
    let first_second_half = |minor| {
        let mut description = three_regions(&[(0, EDGE, 1), (0, CLOUD, 1), (0, THIRD, 1)]);
        description.mesh.istio_version = IstioVersion::new(1, minor);
        let warmup = Some(SlowStart::new(SimDuration::from_secs(180)));
        let simple = SimpleBalancer::RoundRobin;
        let traffic_policy = TrafficPolicy { simple, warmup, ..TrafficPolicy::default() };
        description.services[ServiceId(0)] = ServiceSettings { traffic_policy, ..ServiceSettings::default() };
        description.faults = vec![PodFault {
            service: ServiceId(0),
            cluster: THIRD,
            pod: None,
            begins: at_ms(0),
            ends: Some(at_ms(50_000)),
            kind: FaultKind::Unready,
            seen_after: Some(SimDuration::ZERO),
        }];
        let record = run(&description, 0);
        all_ok(&record);
        halves(&record)
    };
    let [cloud, edge, third] = first_second_half(23);
    assert!(third[0] <= 1, "{third:?}");
    assert!([cloud, edge, third].iter().all(|half| half[1].abs_diff(1_667) <= 15), "{third:?}");
    // Its weight grows from 0.1, from the 18th second on as t / 180: 16.2 % of a warm one's in 50 s.
    let [cloud, edge, third] = first_second_half(26);
    let expected = (cloud[1] + edge[1]) as f64 / 2.0 * 0.162;
    assert!((third[1] as f64 - expected).abs() < 30.0, "{third:?}, {expected}");
}

#[test]
fn distribute_has_its_shares() {
    let to = |targets: &[(&str, u32)]| {
        let to = targets.iter().map(|&(pattern, weight)| (pattern.to_owned(), weight)).collect();
        LocalitySetting { distribute: vec![Distribute { from: "r1/*".into(), to }], ..Default::default() }
    };
    let pods = [(0, EDGE, 1), (0, CLOUD, 3), (0, THIRD, 1)];
    // Nothing goes to a locality that is not named.
    let record = run(&with_setting(three_regions(&pods), to(&[("r1/*", 80), ("r0/*", 20)])), 0);
    let [cloud, edge, third] = halves(&record).map(|[a, b]| a + b);
    assert_eq!(third, 0);
    // A schedule, not draws.
    assert!(edge.abs_diff(8_000) <= 5 && cloud.abs_diff(2_000) <= 20, "{edge}, {cloud}");
    let record = run(&with_setting(three_regions(&pods), to(&[("r1/*", 50), ("*", 50)])), 0);
    let [cloud, edge, third] = halves(&record).map(|[a, b]| a + b);
    // The rest by its pods, rounded up: 38 and 13 beside 50.
    let total = 101.0;
    for (count, weight) in [(edge, 50.0), (cloud, 38.0), (third, 13.0)] {
        let expected = 9_999.0 * weight / total;
        assert!((count as f64 - expected).abs() < 20.0, "{count}, {expected}");
    }
    // Who is elsewhere is not meant.
    let mut elsewhere = with_setting(three_regions(&pods), to(&[("r1/*", 80), ("r0/*", 20)]));
    elsewhere.populations[0].cluster = THIRD;
    let record = run(&elsewhere, 0);
    for (count, share) in halves(&record).map(|[a, b]| a + b).into_iter().zip([0.6, 0.2, 0.2]) {
        assert!(count.abs_diff((9_999.0 * share) as u64) < 20, "{count}, {share}");
    }
}

#[test]
fn distribute_needs_no_outlier_detection_and_follows_health() {
    let to = vec![("r1/*".to_owned(), 80), ("r0/*".to_owned(), 20)];
    let setting = LocalitySetting {
        distribute: vec![Distribute { from: "*".into(), to }],
        ..LocalitySetting::default()
    };
    let pods = [(0, EDGE, 1), (0, CLOUD, 3), (0, THIRD, 1)];
    let mut description = with_setting(three_regions(&pods), setting);
    description.services[ServiceId(0)].traffic_policy.outlier_detection = None;
    let record = run(&without_edge_later(description), 0);
    all_ok(&record);
    let [cloud, edge, third] = halves(&record);
    assert!(edge[0].abs_diff(4_000) <= 5 && edge[1] == 0, "{edge:?}");
    assert!(cloud[0].abs_diff(1_000) <= 20 && cloud[1].abs_diff(5_000) <= 20, "{cloud:?}");
    assert_eq!(third, [0, 0]);
}

#[test]
fn a_region_fails_over_to_the_one_that_is_named() {
    let pods = [(0, EDGE, 1), (0, CLOUD, 2), (0, THIRD, 1)];
    for (to, expected) in [("r0", CLOUD), ("r2", THIRD)] {
        let failover = vec![Failover { from: "r1".into(), to: to.into() }];
        let setting = LocalitySetting { failover, ..LocalitySetting::default() };
        let record = run(&without_edge_later(with_setting(three_regions(&pods), setting)), 0);
        all_ok(&record);
        let [cloud, edge, third] = halves(&record);
        assert!(edge[0] >= 4_998 && edge[1] == 0 && cloud[0] == 0 && third[0] == 0);
        let other = if expected == CLOUD { third } else { cloud };
        assert_eq!(other[1], 0, "to {to}");
    }
    // Without the rule all foreign regions are alike.
    let record = run(&without_edge_later(with_setting(three_regions(&pods), LocalitySetting::default())), 0);
    let [cloud, _, third] = halves(&record);
    assert!(is_binomial(third[1], cloud[1] + third[1], 1.0 / 3.0), "{cloud:?}, {third:?}");
}

#[test]
fn labels_decide_who_is_near() {
    let pods = [(0, EDGE, 1), (0, CLOUD, 1), (0, THIRD, 3)];
    let mut description = three_regions(&pods);
    for (cluster, tier) in [(EDGE, "a"), (THIRD, "a"), (CLOUD, "b")] {
        description.clusters[cluster].labels.insert("tier".into(), tier.into());
    }
    let by = |labels: &[&str]| LocalitySetting {
        failover_priority: labels.iter().map(|&it| it.to_owned()).collect(),
        ..LocalitySetting::default()
    };
    // The edge and the third have the label of the caller: weighted by their pods.
    let record = run(&with_setting(description.clone(), by(&["tier"])), 0);
    let [cloud, edge, third] = halves(&record).map(|[a, b]| a + b);
    assert_eq!(cloud, 0);
    assert!(third.abs_diff((edge + third) * 3 / 4) <= 20, "{edge}, {third}");
    // A value takes the place of the caller's own.
    let record = run(&with_setting(description.clone(), by(&["tier=b"])), 0);
    let [cloud, edge, third] = halves(&record).map(|[a, b]| a + b);
    assert!(cloud > 9_900 && edge == 0 && third == 0);
    // Two labels: the edge, then the third, which shares the first.
    let two = by(&["tier", "topology.kubernetes.io/region"]);
    let record = run(&without_edge_later(with_setting(description, two)), 0);
    let [cloud, edge, third] = halves(&record);
    assert!(edge[0] >= 4_998 && third[0] == 0 && third[1] > 4_900);
    assert_eq!(cloud, [0, 0]);
}

#[test]
fn zones_and_subzones_come_before_regions() {
    let pods = [(0, EDGE, 1), (0, CLOUD, 1), (0, THIRD, 1)];
    let mut description = three_regions(&pods);
    for (cluster, locality) in [(EDGE, "r/z1/a"), (CLOUD, "r/z2/a"), (THIRD, "r/z1/b")] {
        description.clusters[cluster].nodes[0].locality = locality.into();
    }
    let record = run(&without_edge_later(with_setting(description, LocalitySetting::default())), 0);
    let [cloud, edge, third] = halves(&record);
    assert!(edge[0] >= 4_998 && third[0] == 0 && third[1] > 4_900);
    assert_eq!(cloud, [0, 0]);
}

/// A chain of three services with a pod each in both clusters.
fn chain(settings: &ServiceSettings) -> Description {
    let pods: Vec<_> = (0..3).flat_map(|service| [(service, EDGE, 1), (service, CLOUD, 1)]).collect();
    let mut description = free_world(&[0, 0, 0], &[(0, 1), (1, 2)], &pods, HUNDRED, 100);
    description.services = (0..3).map(|_| settings.clone()).collect();
    description
}

/// Each of three hops crosses with probability 1/2; a crossing returns unless it is the first one,
/// because there are only two clusters: k crossings have k - 1 returns, but only if k is not 0.
#[test]
fn a_random_balancer_goes_back_and_forth() {
    let record = run(&chain(&random()), 0);
    let ended = all_ended(&record);
    let n = ended.len() as u64;
    let mut counts = [0_u64; 4];
    for (_, end) in &ended {
        let totals = end.totals;
        counts[totals.crossings as usize] += 1;
        assert_eq!(totals.returns, totals.crossings.saturating_sub(1));
    }
    for (count, share) in counts.into_iter().zip([0.125, 0.375, 0.375, 0.125]) {
        assert!(is_binomial(count, n, share), "{counts:?}");
    }
    // A return: (0 + 0 + 3 + 2) / 8 per request. A crossing costs its round trip there, 159.8 ms more.
    let warm = ended.iter().filter(|(row, _)| row.arrival > at_ms(20_000));
    for (_, end) in warm {
        let exact = 3.0 * 0.2 + end.totals.crossings as f64 * (160.0 - 0.2);
        let connects = end.latency.as_millis_f64() - exact;
        // Some connections are still made, within two round trips each.
        assert!((-1e-4..3.0 * 320.0 + 1e-4).contains(&connects), "{end:?}");
    }
}

#[test]
fn failover_and_prefer_close_neither_cross_nor_return() {
    let close = ServiceSettings {
        traffic_distribution: Some(TrafficDistribution::PreferClose),
        ..ServiceSettings::default()
    };
    for settings in [with_outlier_detection(), close] {
        let mut description = chain(&settings);
        let record = run(&description, 0);
        assert!(all_ended(&record).iter().all(|(_, end)| end.totals.crossings == 0));
        // One service less at the edge: it crosses once, and what follows stays in the cloud.
        description.deployments.retain(|it| (it.service, it.cluster) != (ServiceId(1), EDGE));
        let record = run(&description, 0);
        let totals = all_ended(&record).into_iter().map(|(_, end)| end.totals);
        assert!(totals.clone().all(|it| (it.crossings, it.returns) == (1, 0)));
        assert_eq!(served(&record, EDGE)[1], 0);
    }
}
