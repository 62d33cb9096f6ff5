//! Who sends how much to whom, and what the links carry: by hand, and against what pods and links count.

mod support;

use meshsim_core::{SimDuration, SimTime, Table};
use meshsim_models::application::internal_service::InternalService;
use meshsim_models::envoy::route::{Destination, Mirror, RouteSettings};
use meshsim_models::ids::{ClusterId, EndpointId, ServiceId};
use meshsim_models::telemetry::link_traffic::LinkBytes;
use meshsim_models::telemetry::time_series::CallSample;
use meshsim_models::telemetry::traffic_matrix::{Traffic, TrafficRow};
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{DataPlane, Description};
use support::{CLOUD, EDGE, run, without_costs};

const FRONT: ServiceId = ServiceId(0);
const BACK: ServiceId = ServiceId(1);

/// A user at the edge asks `front` there once a second, which calls `back` in the cloud. Answers have one byte.
fn front_and_back(data_plane: DataPlane, seconds: u64) -> Description {
    let mut description = without_costs(seconds);
    description.mesh.data_plane = data_plane;
    let internal = InternalService { mean_body_kb: 0.0, ..InternalService::idle() };
    let front = description.add_service("front", internal);
    let back = description.add_service("back", internal);
    description.add_call(front, back, 1.0);
    description.add_pods(front, EDGE, 1);
    description.add_pods(back, CLOUD, 1);
    let users = description.add_users(EDGE, front, Arrivals::Constant { per_second: 1.0 });
    users.users = 1;
    description
}

fn row(record: &Record, caller: Option<ServiceId>) -> TrafficRow {
    let mut rows = record.traffic.iter().filter(|it| it.flow.caller == caller);
    let row = *rows.next().expect("somebody calls");
    assert!(rows.next().is_none(), "{:?}", record.traffic);
    row
}

fn bytes(record: &Record, from: ClusterId) -> LinkBytes {
    *record.links.iter().find(|it| it.from == from).expect("each has an end")
}

fn traffic(messages: u64, payload: u64, wire: u64) -> Traffic {
    Traffic { messages, payload, wire }
}

#[test]
fn a_call_over_a_link_is_so_many_bytes() {
    let mut description = front_and_back(DataPlane::Sidecar, 100);
    description.warm_up = SimDuration::from_secs(10);
    let record = run(&description, 0);
    // Within the edge: 400 bytes of header in a TLS record of 22 more and a segment of 52 more, at 1448 a segment.
    let users = row(&record, None);
    let n = users.requests.messages;
    assert!((99..=101).contains(&n), "{n} requests in 100 s");
    assert_eq!((users.from, users.to, users.flow.called), (EDGE, EDGE, FRONT));
    assert_eq!(users.requests, traffic(n, 0, n * (400 + 22 + 52)));
    assert_eq!(users.answers, traffic(n, n, n * (250 + 1 + 22 + 52)));
    // Over the link the tunnel adds 60.
    let calls = row(&record, Some(FRONT));
    let n = calls.requests.messages;
    assert_eq!((calls.from, calls.to, calls.flow.called), (EDGE, CLOUD, BACK));
    assert_eq!(calls.requests, traffic(n, 0, n * (400 + 22 + 112)));
    assert_eq!(calls.answers, traffic(n, n, n * (250 + 1 + 22 + 112)));
    assert_eq!(record.traffic.len(), 2);
    // Its only connection was made in the warm-up.
    let [there, back] = [EDGE, CLOUD].map(|from| bytes(&record, from));
    let none =
        LinkBytes { link: 0, from: EDGE, calls: 0, passing: 0, control: 0, handshakes: 0, connections: 0 };
    assert_eq!(there, LinkBytes { calls: calls.requests.wire, ..none });
    assert_eq!(back, LinkBytes { from: CLOUD, calls: calls.answers.wire, ..none });
}

#[test]
fn an_answer_of_many_segments_is_as_many_headers() {
    let mut description = front_and_back(DataPlane::Sidecar, 100);
    description.application.endpoints[EndpointId(1)].internal.mean_body_kb = 50.0;
    let record = run(&description, 0);
    let bodies: Vec<u64> = record.work.iter().map(|work| work.body - 1).collect();
    // 16 kB to a TLS record, which has 22 bytes more; 1288 to a segment, which has 112 more.
    let wire = bodies.iter().map(|body| {
        let stream = 250 + body + 22 * (250 + body).div_ceil(16_384);
        stream + 112 * stream.div_ceil(1_288)
    });
    let expected = traffic(bodies.len() as u64, bodies.iter().sum(), wire.sum());
    assert!(expected.payload > 1_000_000);
    assert_eq!(row(&record, Some(FRONT)).answers, expected);
    assert_eq!(bytes(&record, CLOUD).calls, expected.wire);
}

#[test]
fn a_request_with_a_body_is_its_bytes() {
    let mut description = front_and_back(DataPlane::Sidecar, 100);
    let endpoints = &mut description.application.endpoints;
    (endpoints[EndpointId(0)].request_bytes, endpoints[EndpointId(1)].request_bytes) = (500, 700);
    let record = run(&description, 0);
    let [users, calls] = [None, Some(FRONT)].map(|caller| row(&record, caller).requests);
    let (n, m) = (users.messages, calls.messages);
    assert_eq!(users, traffic(n, n * 500, n * (400 + 500 + 22 + 52)));
    assert_eq!(calls, traffic(m, m * 700, m * (400 + 700 + 22 + 112)));
    assert_eq!(bytes(&record, EDGE).calls, calls.wire);
}

#[test]
fn a_connection_is_bytes_of_both_sides() {
    // One connection: a SYN of 60 bytes and an ACK of 52; hello, certificates and proofs; a tunnel's 60 per segment.
    let tcp = [60 + 60 + 52 + 60, 60 + 60];
    let tls = [300 + 2_066 + 3 * 112, 2_343 + 2 * 112];
    for (data_plane, tls) in [(DataPlane::Sidecar, tls), (DataPlane::None, [0, 0])] {
        let mut description = front_and_back(data_plane, 20);
        // Without a mesh a server closes connections that are idle for too long.
        description.cell.keep_alive = SimDuration::from_secs(1_000);
        if data_plane == DataPlane::None {
            // Each worker process that is chosen has a connection of its own.
            description.application.services[FRONT].workers = 1;
        }
        let record = run(&description, 0);
        let [there, back] = [EDGE, CLOUD].map(|from| bytes(&record, from));
        assert_eq!((there.connections, back.connections), (1, 0), "{data_plane:?}");
        assert_eq!([there.handshakes, back.handshakes], [tcp[0] + tls[0], tcp[1] + tls[1]], "{data_plane:?}");
    }
}

/// Sums what the matrix says of each end and of the links.
fn check_sums(record: &Record, clusters: &[ClusterId]) {
    let mut requests_to: Table<ClusterId, Vec<u64>> = clusters.iter().map(|_| vec![0; 2]).collect();
    let mut between = Traffic::default();
    for row in &record.traffic {
        requests_to[row.to][row.flow.called.0 as usize] += row.requests.messages;
        if row.from != row.to {
            between += row.requests;
            between += row.answers;
        }
        assert_eq!(row.requests.messages, row.answers.messages, "{row:?}");
    }
    for &cluster in clusters {
        let sum = record.metrics_from(cluster, SimTime::ZERO);
        assert_eq!(requests_to[cluster].iter().sum::<u64>(), sum.served.iter().sum(), "{cluster:?}");
    }
    let work = clusters.iter().map(|&it| record.metrics_from(it, SimTime::ZERO).work);
    let (payload, wire) = work.fold((0, 0), |(a, b), it| (a + it.cross_payload, b + it.cross_wire));
    assert_eq!((between.payload, between.wire), (payload, wire));
    assert_eq!(record.links.iter().map(|it| it.calls).sum::<u64>(), wire);
}

/// All scrapes of the clients' counters together have what was sent; each has what came since the last one.
fn check_samples(record: &Record) {
    let mut samples = 0;
    for row in &record.traffic {
        let of = |it: &&CallSample| (it.flow, it.server) == (row.flow, row.to);
        let calls: Vec<_> = record.series[row.from].calls.iter().filter(of).collect();
        let ok: u64 = calls.iter().map(|it| it.counts.ok).sum();
        let body: u64 = calls.iter().map(|it| it.counts.body).sum();
        assert_eq!((ok, body), (row.answers.messages, row.answers.payload), "{row:?}");
        assert!(calls.iter().all(|it| it.counts.failed == 0 && it.seconds <= 7.0));
        // A round trip of 160 ms, and what a call calls itself; mirrored copies are told of as all others.
        let far = row.from != row.to;
        assert!(calls.iter().all(|it| !far || it.counts.nanos >= it.counts.ok * 160_000_000), "{row:?}");
        samples += calls.len();
    }
    assert_eq!(record.series.iter().map(|it| it.calls.len()).sum::<usize>(), samples);
    assert!(samples > 28, "{samples} samples in 200.9 s");
}

#[test]
fn what_was_asked_was_served_and_what_was_sent_was_on_the_links() {
    for data_plane in [DataPlane::Sidecar, DataPlane::Ambient, DataPlane::None] {
        let mut description = front_and_back(data_plane, 200);
        description.add_pods(FRONT, CLOUD, 2);
        description.add_pods(BACK, EDGE, 1);
        let to = Destination { service: BACK, subset: None };
        let mirror = Some(Mirror { destination: to, percent: 50.0 });
        description.services[FRONT].routes = vec![RouteSettings { mirror, ..RouteSettings::default() }];
        description.populations[0].users = 10;
        // Nothing is under way at the end of a second that is a half.
        description.duration = SimDuration::from_millis(200_900);
        description.time_series = Some(SimDuration::from_secs(7));
        let record = run(&description, 0);
        check_sums(&record, &[CLOUD, EDGE]);
        check_samples(&record);
        let mirrored = record.traffic.iter().filter(|it| it.flow.caller.is_none() && it.flow.called == BACK);
        let copies: u64 = mirrored.map(|it| it.requests.messages).sum();
        assert_eq!(copies > 50, data_plane == DataPlane::Sidecar, "{copies} copies, {data_plane:?}");
    }
}

#[test]
fn what_passes_through_a_cluster_is_on_both_links() {
    let mut description = front_and_back(DataPlane::Sidecar, 20);
    let far = description.add_cluster("far", 4.0);
    let link = description.add_link([CLOUD, far], SimDuration::from_millis(20), 1e9);
    (link.mtu, link.tunnel_overhead) = (1_340, 60);
    description.deployments.retain(|it| it.service == FRONT);
    description.add_pods(BACK, far, 1);
    let record = run(&description, 0);
    let calls = row(&record, Some(FRONT));
    let of =
        |link, from| *record.links.iter().find(|it| (it.link, it.from) == (link, from)).expect("it is there");
    let [first, second] = [of(0, EDGE), of(1, CLOUD)];
    assert_eq!((first.calls, first.passing, first.connections), (calls.requests.wire, 0, 1));
    assert_eq!((second.calls, second.passing, second.connections), (0, calls.requests.wire, 1));
    let [first, second] = [of(1, far), of(0, CLOUD)];
    assert_eq!((first.calls, second.passing), (calls.answers.wire, calls.answers.wire));
    assert!(first.handshakes > 0 && first.handshakes == second.handshakes);
}
