//! How nodes send and what links lose, seen from the users: each answer takes whole round trips.
//!
//! Users at the edge call `s0`; nothing but the network takes time. How long an answer is stands in the
//! log, so every single latency has a right value: that of the window of `network/tcp.rs`, whose own
//! tests hold it against the measured table, and that of independent losses.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::service_time::ServiceTime;
use meshsim_models::application::service_time::exponential::Exponential;
use meshsim_models::ids::{ClusterId, EndpointId};
use meshsim_models::liqo::gateway::GatewayCost;
use meshsim_models::liqo::settings::{LiqoSettings, Peering};
use meshsim_models::network::path::{Path, RESPONSE_HEADER};
use meshsim_models::network::tcp::{CongestionControl, TcpSettings, Window};
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{Description, Federation, LinkSpec};
use support::{CLOUD, EDGE, Ended, all_ended, free_world, is_binomial, run, without_mesh};

const LINUX: TcpSettings = TcpSettings {
    slow_start_after_idle: true,
    congestion_control: CongestionControl::Cubic,
    initial_window: 10,
};

const MS_160: SimDuration = SimDuration::from_millis(160);

/// Round trips of a time-out: 360 ms.
const TIME_OUT: f64 = 2.25;

/// `s0` in a cluster answers with so many kB in the mean to one request of one user every so many
/// seconds.
fn answers(cluster: ClusterId, kb: f64, every: f64, seconds: u64) -> Description {
    let arrivals = Arrivals::Constant { per_second: 1.0 / every };
    let mut description = without_mesh(free_world(&[0], &[], &[(0, cluster, 1)], arrivals, seconds));
    description.application.endpoints[EndpointId(0)].internal.mean_body_kb = kb;
    description.populations[0].users = 1;
    description
}

/// The requests after the first, each with its latency in round trips of 160 ms.
fn later(record: &Record) -> Vec<(&RequestRow, Ended, f64)> {
    let ended = all_ended(record);
    assert!(ended.iter().all(|(_, end)| end.status.is_ok()));
    let trips = |end: &Ended| end.latency.as_millis_f64() / 160.0;
    ended[1..].iter().map(|(row, end)| (*row, *end, trips(end))).collect()
}

fn segments(end: &Ended, mtu: u32) -> u32 {
    (end.totals.body as u32 + RESPONSE_HEADER).div_ceil(mtu - 52)
}

/// Each answer takes the rounds of one window over the whole sequence; tells the mean of these.
fn assert_rounds(description: &Description, tcp: &TcpSettings, mtu: u32) -> f64 {
    let path =
        Path { round_trip: MS_160, one_way: MS_160 / 2, bits_per_second: 1e18, mtu, tunnel_overhead: 0 };
    let record = run(description, 0);
    let first = all_ended(&record)[0];
    let mut window = Window::new(first.0.arrival, tcp);
    let mut send = |row: &RequestRow, end: &Ended| {
        let n = segments(end, mtu);
        let rounds = window.start(row.arrival, n, None, &path, tcp).further_rounds(&window, &path);
        window.sent(row.arrival + MS_160 * u64::from(rounds));
        f64::from(1 + rounds)
    };
    send(first.0, &first.1);
    let mut sum = 0.0;
    for (row, end, trips) in later(&record) {
        let exact = send(row, &end);
        assert!((trips - exact).abs() < 0.01, "{tcp:?}, {} bytes: {trips}, not {exact}", end.totals.body);
        sum += exact;
    }
    sum / (record.requests.len() - 1) as f64
}

#[test]
fn a_kept_connection_is_cold_warm_or_wide_as_the_server_s_nodes_are() {
    let kept = TcpSettings { slow_start_after_idle: false, ..LINUX };
    let bbr = TcpSettings { congestion_control: CongestionControl::Bbr, ..LINUX };
    let wide = TcpSettings { initial_window: 30, ..LINUX };
    // Bodies of 100 kB in the mean, every 3 s: cold they take 3.4 round trips, warm ones little more than 1.
    for (tcp, range) in [(LINUX, 3.0..3.8), (kept, 1.0..1.2), (bbr, 1.0..1.2), (wide, 2.0..2.6)] {
        let mut description = answers(CLOUD, 100.0, 3.0, 600);
        description.clusters[CLOUD].tcp = tcp;
        let mean = assert_rounds(&description, &tcp, 1_340);
        assert!(range.contains(&mean), "{tcp:?}: {mean}");
        // Only the sender's side counts.
        let mut description = answers(CLOUD, 100.0, 3.0, 60);
        description.clusters[EDGE].tcp = tcp;
        assert_rounds(&description, &LINUX, 1_340);
    }
}

#[test]
fn the_gateway_s_nodes_send_to_the_users() {
    let kept = TcpSettings { slow_start_after_idle: false, ..LINUX };
    for tcp in [LINUX, kept] {
        let mut description = answers(EDGE, 100.0, 3.0, 300);
        let access = &mut description.populations[0].access;
        (access.round_trip, access.one_way) = (MS_160, MS_160 / 2);
        description.clusters[EDGE].tcp = tcp;
        assert_rounds(&description, &tcp, 1_500);
    }
}

#[test]
fn a_lost_segment_costs_a_round_trip_or_a_time_out() {
    let p = 0.02_f64;
    let mut description = answers(CLOUD, 20.0, 1.0, 6_000);
    description.links[0].loss = p;
    // All of an answer in one round, whatever was lost before.
    description.clusters[CLOUD].tcp =
        TcpSettings { initial_window: 1_000, congestion_control: CongestionControl::Bbr, ..LINUX };
    // What the request costs, and what the answer does.
    let outcomes = [0.0, 1.0, TIME_OUT, 1.0 + TIME_OUT, 2.0 * TIME_OUT];
    let (mut counts, mut expected, mut variance) = ([0.0_f64; 5], [0.0_f64; 5], [0.0_f64; 5]);
    for (_, end, trips) in later(&run(&description, 0)) {
        let index = outcomes.iter().position(|more| (trips - 1.0 - more).abs() < 1e-4);
        counts[index.unwrap_or_else(|| panic!("{trips} round trips"))] += 1.0;
        let n = segments(&end, 1_340) as i32;
        let arrives = |segments: i32| (1.0 - p).powi(segments);
        let (fast, slow) = (1.0 - arrives((n - 3).max(0)), arrives((n - 3).max(0)) - arrives(n));
        let (none, request) = (1.0 - fast - slow, p);
        let shares = [
            (1.0 - request) * none,
            (1.0 - request) * fast,
            (1.0 - request) * slow + request * none,
            request * fast,
            request * slow,
        ];
        for (index, share) in shares.into_iter().enumerate() {
            expected[index] += share;
            variance[index] += share * (1.0 - share);
        }
    }
    for ((count, expected), variance) in counts.iter().zip(expected).zip(variance) {
        assert!((count - expected).abs() <= 5.0 * f64::sqrt(variance), "{counts:?}, {expected:?}");
    }
    assert!(counts[1] > 700.0 && counts[2] > 200.0, "{counts:?}");
    // CUBIC makes its window smaller each time: further rounds come, which nothing lost would need.
    let mean = |description: &Description| {
        let record = run(description, 0);
        let all = later(&record);
        all.iter().map(|(_, _, trips)| trips).sum::<f64>() / all.len() as f64
    };
    let bbr = mean(&description);
    description.clusters[CLOUD].tcp.congestion_control = CongestionControl::Cubic;
    description.clusters[CLOUD].tcp.slow_start_after_idle = false;
    let cubic = mean(&description);
    assert!(cubic > bbr + 0.1, "{cubic}, {bbr}");
    description.links[0].loss = 0.0;
    assert!((mean(&description) - 1.0).abs() < 1e-4);
}

#[test]
fn two_links_lose_more_than_one() {
    let mut description = answers(ClusterId(2), 0.0, 1.0, 4_000);
    let far = description.add_cluster("far", 1e6);
    description.clusters[far].local_bits_per_second = 1e18;
    let near = LinkSpec { round_trip: MS_160 / 2, loss: 0.1, ..description.links[0].clone() };
    let further = LinkSpec { name: "far".into(), between: [CLOUD, far], ..near.clone() };
    description.links = vec![near, further];
    // One segment there and one back, over two links each.
    let p = 1.0 - 0.9_f64 * 0.9;
    let mut counts = [0; 3];
    for (_, _, trips) in later(&run(&description, 0)) {
        let index = [0.0, TIME_OUT, 2.0 * TIME_OUT].iter().position(|more| (trips - 1.0 - more).abs() < 1e-4);
        counts[index.unwrap_or_else(|| panic!("{trips} round trips"))] += 1;
    }
    let n = counts.iter().sum();
    for (count, share) in counts.iter().zip([(1.0 - p) * (1.0 - p), 2.0 * p * (1.0 - p), p * p]) {
        assert!(is_binomial(*count, n, share), "{counts:?}");
    }
}

/// Liqo joins the cloud, a consumer, to the edge; gateways take what is said of each.
fn over_liqo(mut description: Description, gateways: [GatewayCost; 2]) -> Description {
    (description.links[0].mtu, description.links[0].tunnel_overhead) = (1_500, 0);
    let peering = Peering::new("cloud-edge", CLOUD, EDGE);
    let gateways = gateways.into_iter().collect();
    description.federation =
        Some(Federation::Liqo(LiqoSettings { peerings: vec![peering], gateways, offloading: None }));
    description
}

const NO_GATEWAY: GatewayCost =
    GatewayCost { replicas: 1, cores: 4, per_packet: SimDuration::ZERO, per_request: SimDuration::ZERO };

fn mean_ms(record: &Record) -> f64 {
    let ended = all_ended(record);
    ended.iter().map(|(_, end)| end.latency.as_millis_f64()).sum::<f64>() / ended.len() as f64
}

/// Where nothing queues a crossing costs the ways to the gateways and what these take of a packet and of half a request,
/// twice each way; and 110 bytes more of each packet, of which there are more.
#[test]
fn a_tunnel_adds_its_gateways_and_its_bytes_to_a_crossing() {
    let kb = 100.0;
    let mut flat = answers(CLOUD, kb, 1.0, 60);
    // All of an answer in one round.
    flat.clusters[CLOUD].tcp = TcpSettings { initial_window: 1_000, slow_start_after_idle: false, ..LINUX };
    (flat.links[0].mtu, flat.links[0].tunnel_overhead) = (1_500, 0);
    flat.federation = Some(Federation::Flat);
    let liqo = over_liqo(flat.clone(), [GatewayCost::default(); 2]);
    let [flat, liqo] = [flat, liqo].map(|it| run(&it, 0));
    let (mut wire, mut cpu) = (0, 0.0);
    for ((_, near, _), (_, far, _)) in later(&flat).into_iter().zip(later(&liqo)) {
        let segments = segments(&far, 1_340);
        let gateways = 2.0 * (2.0 * 35.5 + 5.5 * f64::from(1 + segments));
        let more_us = ((far.latency.as_millis_f64() - near.latency.as_millis_f64()) * 1e3).round();
        assert_eq!(more_us, (400.0 + gateways).round(), "{segments} segments");
        wire += u64::from(segments + 1) * 162;
        cpu += gateways / 1e6;
    }
    let payload = |record: &Record| record.metrics_from(CLOUD, SimTime::ZERO).gateway_cpu_seconds;
    assert_eq!(payload(&flat).to_bits(), 0.0_f64.to_bits());
    // Half of it at each end; the first request is not among the later ones.
    let all = payload(&liqo);
    assert!(all > cpu / 2.0 && all < cpu / 2.0 + 0.001, "{all}, {cpu}");
    let bytes = liqo.links.iter().map(|it| it.calls).sum::<u64>();
    let bodies: u64 = all_ended(&liqo).iter().map(|(_, end)| end.totals.body + 650).sum();
    assert!(bytes > bodies + wire && bytes < bodies + wire + 20_000, "{bytes}");
}

/// Closed form: requests come at random and so do the answers, which leave a service of exponential times; the core of
/// the client's gateway, of constant time, makes both wait for rho x service / (2 (1 - rho)). That bends where it fills.
#[test]
fn a_gateway_that_fills_makes_requests_wait_as_one_server_of_constant_time_does() {
    let service_ms = 1.0;
    let of = |per_second: f64, per_packet: SimDuration| {
        let mut description =
            without_mesh(free_world(&[0], &[], &[(0, CLOUD, 1)], Arrivals::Poisson { per_second }, 400));
        let wait = ServiceTime::Exponential(Exponential::new(500.0));
        description.application.endpoints[EndpointId(0)].wait = Some(wait);
        mean_ms(&run(&over_liqo(description, [NO_GATEWAY, GatewayCost { per_packet, ..NO_GATEWAY }]), 0))
    };
    for (rho, tolerance) in [(0.3, 0.1), (0.6, 0.07), (0.85, 0.12)] {
        let per_second = rho / 2.0 * 1_000.0 / service_ms;
        let more = of(per_second, SimDuration::from_millis(1)) - of(per_second, SimDuration::ZERO);
        let waits = more / 2.0 - service_ms;
        let expected = rho * service_ms / (2.0 * (1.0 - rho));
        assert!((waits / expected - 1.0).abs() < tolerance, "rho {rho}: {waits} ms, not {expected} ms");
    }
}

/// Providers of one consumer have no tunnel between them: what they call of each other goes through it, whatever links
/// there are.
#[test]
fn two_providers_reach_each_other_through_their_consumer() {
    let mut description = answers(ClusterId(2), 0.0, 1.0, 30);
    let far = description.add_cluster("far", 1e6);
    description.clusters[far].local_bits_per_second = 1e18;
    let to_far = LinkSpec { name: "far".into(), between: [CLOUD, far], ..description.links[0].clone() };
    let direct = LinkSpec { name: "direct".into(), between: [EDGE, far], ..to_far.clone() };
    description.links.extend([to_far, direct]);
    let liqo = over_liqo(description.clone(), [NO_GATEWAY; 2]);
    let Some(Federation::Liqo(mut settings)) = liqo.federation.clone() else { unreachable!() };
    settings.peerings.push(Peering::new("cloud-far", CLOUD, far));
    settings.gateways.push(NO_GATEWAY);
    let liqo = Description { federation: Some(Federation::Liqo(settings)), ..liqo };
    // Two links of 160 ms, each between two clusters with 0.2 ms to the gateway and back.
    for (description, ms) in [(description, 160.0), (liqo, 2.0 * (160.0 + 0.4))] {
        let record = run(&description, 0);
        for (_, _, trips) in later(&record) {
            assert!((trips * 160.0 - ms).abs() < 0.01, "{}, not {ms}", trips * 160.0);
        }
        let passing: u64 = record.links.iter().map(|it| it.passing).sum();
        assert_eq!(passing > 0, ms > 200.0);
    }
}
