use super::*;
use crate::envoy::endpoint_view::Endpoint;
use crate::istiod::cluster_policy::{Surroundings, TrafficPolicy};
use crate::pod_id::PodIds;
use meshsim_core::SimDuration;
use meshsim_core::random::Address;

fn at(seconds: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs(seconds)
}

fn spec(balancer: Policy) -> UpstreamSpec {
    let around = Surroundings {
        traffic_distribution: None,
        mesh_connect_timeout: SimDuration::from_secs(10),
        knows_tcp_idle_timeout: true,
        sends_unready_endpoints: false,
    };
    UpstreamSpec {
        service: ServiceId(0),
        subset: None,
        locality: None,
        protocol: Protocol::Http1,
        policy: ClusterPolicy::new(&TrafficPolicy::default(), around),
        balancer,
        hash: None,
        outlier_detection: None,
        limits_servers: false,
        inbound_retries: 0,
        panic_threshold: 0,
    }
}

fn endpoint(pod: u32) -> Endpoint {
    Endpoint {
        pod: PodId(pod),
        priority: 0,
        locality: 0,
        locality_weight: None,
        weight: 1,
        healthy: true,
        added: None,
    }
}

/// A proxy with one worker that looks at a view.
struct Proxy {
    spec: UpstreamSpec,
    view: EndpointView,
    addresses: PodAddresses,
    upstream: Upstream,
    tables: HashTables,
    picks: u64,
}

impl Proxy {
    fn new(spec: UpstreamSpec, endpoints: Vec<Endpoint>) -> Self {
        let addresses = PodAddresses::new(PodIds::new(1, 1), std::iter::once([(ServiceId(0), 256)]));
        let view = EndpointView::new(endpoints, u32::MAX, spec.panic_threshold, 0);
        let upstream = Upstream::new(BreakerId(0));
        Self { spec, view, addresses, upstream, tables: HashTables::default(), picks: 0 }
    }

    fn pick(&mut self, now: SimTime, hash: Option<u64>) -> Option<PodId> {
        let picking = Picking { spec: &self.spec, view: &self.view, addresses: &self.addresses, now };
        let mut starts = 0;
        if !self.upstream.is_made_for(&self.view) {
            self.upstream.make(&picking, &mut self.tables, 1, || {
                starts += 1;
                Address::root(2, 0).child(starts).draw(0)
            });
        }
        self.picks += 1;
        let draw = &mut Address::root(1, 0).child(self.picks).draw(0);
        self.upstream.pick(&picking, 0, hash, 0, draw)
    }

    fn result(&mut self, now: SimTime, pod: u32, status: u16) -> Option<EjectionType> {
        let picking = Picking { spec: &self.spec, view: &self.view, addresses: &self.addresses, now };
        let ejection = self.upstream.result(&picking, PodId(pod), AttemptResult::Status(status));
        if ejection.is_some() {
            self.upstream.health_changes(now);
        }
        ejection
    }

    /// Picks per pod of `count` requests.
    fn shares(&mut self, now: SimTime, count: u32) -> Vec<u32> {
        let mut shares = vec![0; self.view.pods().max().map_or(0, |pod| pod.0 as usize + 1)];
        for _ in 0..count {
            let pod = self.pick(now, None).expect("a host may be chosen");
            shares[pod.0 as usize] += 1;
        }
        shares
    }
}

fn ejecting(consecutive_5xx: u32, max_ejection_percent: u32) -> UpstreamSpec {
    let config = OutlierDetection {
        consecutive_5xx,
        max_ejection_percent,
        enforcing_success_rate: false,
        ..OutlierDetection::default()
    };
    UpstreamSpec { outlier_detection: Some(config), ..spec(Policy::RoundRobin) }
}

#[test]
fn what_is_ejected_is_left_out_and_spills_to_the_next_level() {
    let near_and_far = vec![endpoint(0), endpoint(1), Endpoint { priority: 1, ..endpoint(2) }];
    let mut proxy = Proxy::new(ejecting(2, 100), near_and_far);
    assert_eq!(proxy.shares(at(0), 100), [50, 50, 0]);
    assert_eq!(proxy.result(at(1), 0, 503), None);
    assert_eq!(proxy.result(at(1), 0, 503), Some(EjectionType::Consecutive5xx));
    // One of two: 70 % stay.
    let shares = proxy.shares(at(1), 10_000);
    assert_eq!(shares[0], 0);
    assert!((6_800..7_200).contains(&shares[1]), "{shares:?}");
    proxy.result(at(3), 1, 500);
    proxy.result(at(3), 1, 500);
    assert_eq!(proxy.shares(at(3), 100), [0, 0, 100]);
    let config = proxy.spec.outlier_detection.unwrap();
    assert!(proxy.upstream.tick(&config, at(20), |_, _| panic!("too early")));
    let mut returned = 0;
    assert!(proxy.upstream.tick(&config, at(33), |_, _| returned += 1));
    assert_eq!(proxy.upstream.health_changes(at(33)), None);
    assert_eq!((returned, proxy.shares(at(33), 100)), (2, vec![50, 50, 0]));
    // Once the ejections are forgotten, nothing is left to do.
    assert!(!proxy.upstream.tick(&config, at(43), |_, _| panic!("nothing to give back")));
}

#[test]
fn changes_within_a_second_are_taken_over_together_a_second_later() {
    let mut proxy = Proxy::new(ejecting(1, 100), (0..4).map(endpoint).collect());
    proxy.result(at(5), 0, 500);
    assert_eq!(proxy.shares(at(5), 30)[0], 0);
    let millis = |ms| at(5) + SimDuration::from_millis(ms);
    let mut eject = |pod, ms| {
        let now = millis(ms);
        let picking = Picking { spec: &proxy.spec, view: &proxy.view, addresses: &proxy.addresses, now };
        proxy.upstream.result(&picking, PodId(pod), AttemptResult::Status(500)).unwrap();
        proxy.upstream.health_changes(now)
    };
    assert_eq!(eject(1, 300), Some(millis(1_300)));
    assert_eq!(eject(2, 900), None);
    assert!(proxy.shares(millis(1_000), 30)[1] > 0);
    proxy.upstream.take_over_health(millis(1_300));
    assert_eq!(proxy.shares(millis(1_300), 30), [0, 0, 0, 30]);
}

#[test]
fn a_success_ends_a_row_of_errors() {
    let mut proxy = Proxy::new(ejecting(2, 100), vec![endpoint(0), endpoint(1)]);
    for status in [503, 200, 503, 404, 503] {
        assert_eq!(proxy.result(at(0), 0, status), None);
    }
    assert_eq!(proxy.upstream.ejected(), 0);
}

#[test]
fn the_strict_percentage_protects_small_clusters() {
    let mut proxy = Proxy::new(ejecting(1, 10), (0..9).map(endpoint).collect());
    assert_eq!(proxy.result(at(0), 3, 500), None);
    assert_eq!((proxy.upstream.ejected(), proxy.upstream.overflow()), (0, 1));
    let mut proxy = Proxy::new(ejecting(1, 10), (0..10).map(endpoint).collect());
    assert!(proxy.result(at(0), 3, 500).is_some());
}

#[test]
fn without_a_healthy_host_there_is_none_unless_it_panics() {
    let sick = |pod| Endpoint { healthy: false, ..endpoint(pod) };
    let endpoints = vec![sick(0), sick(1), sick(2), sick(3)];
    assert_eq!(Proxy::new(spec(Policy::Random), endpoints.clone()).pick(at(0), None), None);
    assert_eq!(Proxy::new(spec(Policy::Random), Vec::new()).pick(at(0), None), None);
    let panics = UpstreamSpec { panic_threshold: 50, ..spec(Policy::RoundRobin) };
    assert_eq!(Proxy::new(panics.clone(), endpoints).shares(at(0), 100), [25, 25, 25, 25]);
    // One of four healthy: below the threshold, all are used.
    let mut one = Proxy::new(panics, vec![sick(0), sick(1), sick(2), endpoint(3)]);
    assert_eq!(one.shares(at(0), 100), [25, 25, 25, 25]);
    let mut never = Proxy::new(spec(Policy::RoundRobin), vec![sick(0), sick(1), sick(2), endpoint(3)]);
    assert_eq!(never.shares(at(0), 100), [0, 0, 0, 100]);
}

#[test]
fn localities_are_weighted_before_hosts() {
    let located =
        |pod, locality, weight| Endpoint { locality, locality_weight: Some(weight), ..endpoint(pod) };
    // The locality of weight 3 has one host, that of weight 1 has two.
    let endpoints = vec![located(0, 0, 3), located(1, 1, 1), located(2, 1, 1)];
    let mut proxy = Proxy::new(spec(Policy::RoundRobin), endpoints.clone());
    assert_eq!(proxy.shares(at(0), 80), [60, 10, 10]);
    // Hash tables weigh them in the same way.
    let hashing = Proxy::new(spec(Policy::Maglev { table_size: 65_537 }), endpoints).shares(at(0), 80_000);
    assert!((59_400..60_600).contains(&hashing[0]) && (9_600..10_400).contains(&hashing[1]), "{hashing:?}");
}

#[test]
fn weights_and_slow_start_make_a_schedule() {
    let weighted = (0..4).map(|pod| Endpoint { weight: pod + 1, ..endpoint(pod) }).collect();
    assert_eq!(Proxy::new(spec(Policy::RoundRobin), weighted).shares(at(0), 100), [10, 20, 30, 40]);
    let mut warming = spec(Policy::RoundRobin);
    warming.policy.slow_start = Some(SlowStart::new(SimDuration::from_secs(60)));
    let endpoints = vec![endpoint(0), Endpoint { added: Some(at(100)), ..endpoint(1) }];
    let mut proxy = Proxy::new(warming, endpoints);
    // Half of its window: a half of the weight of the other.
    assert_eq!(proxy.shares(at(130), 300), [200, 100]);
    // Alone it gets everything.
    let mut alone = Proxy::new(proxy.spec.clone(), vec![Endpoint { added: Some(at(100)), ..endpoint(0) }]);
    assert_eq!(alone.shares(at(101), 50), [50]);
}

#[test]
fn a_hash_sticks_and_an_ejected_host_loses_only_its_own() {
    let hashing =
        UpstreamSpec { balancer: Policy::Maglev { table_size: 65_537 }, hash: None, ..ejecting(1, 100) };
    let mut proxy = Proxy::new(hashing, (0..10).map(endpoint).collect());
    let keys: Vec<u64> = (0..5_000).map(|key| Address::root(7, 0).child(key).hash()).collect();
    let before: Vec<_> = keys.iter().map(|&key| proxy.pick(at(0), Some(key))).collect();
    assert!(keys.iter().zip(&before).all(|(&key, pod)| proxy.pick(at(1), Some(key)) == *pod));
    assert!(proxy.result(at(1), 4, 500).is_some());
    let after: Vec<_> = keys.iter().map(|&key| proxy.pick(at(1), Some(key))).collect();
    let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    let lost = before.iter().filter(|pod| **pod == Some(PodId(4))).count();
    assert!(after.iter().all(|pod| *pod != Some(PodId(4))));
    // MAGLEV moves a little more than it must.
    assert!(lost <= moved && moved < lost * 3 / 2, "{moved} moved, {lost} had to");
}

#[test]
fn active_requests_are_counted_per_endpoint() {
    let mut upstream = Upstream::new(BreakerId(0));
    upstream.host_or_insert(PodId(7), || PoolId(0));
    upstream.host_or_insert(PodId(3), || PoolId(2));
    upstream.begins(PodId(7));
    upstream.begins(PodId(7));
    upstream.begins(PodId(3));
    upstream.ended(PodId(7));
    assert_eq!([3, 5, 7].map(|pod| upstream.active(PodId(pod))), [1, 0, 1]);
    assert_eq!(upstream.total_active(), 2);
}
