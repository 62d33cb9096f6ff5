//! What its pods and gateway send, by itself.

use super::{Bench, EDGE, pod_of};
use crate::cluster::event::Event;
use crate::cluster::handed::{Answered, Handed};
use crate::cluster::message::Response;
use crate::request::answer::{Answer, Status};
use meshsim_core::{SimDuration, SimTime};

#[test]
fn outbound_takes_a_request_through_its_proxy_to_a_pod() {
    let mut bench = Bench::new(|_| {});
    let new = bench.new_request();
    bench.scheduler.take_scheduled();
    bench.now = new.reaches_proxy;
    let ((), handed) = bench.act(|it| it.owners.outbound.begins(&mut it.at, &new));
    assert!(handed.is_empty());
    let [(at, Event::Routes(hop))] = bench.scheduler.take_scheduled()[..] else { panic!("it is routed") };
    bench.now = at;
    bench.act(|it| it.owners.outbound.route(&mut it.at, hop));
    let [(at, Event::ConnectionReady(connection))] = bench.scheduler.take_scheduled()[..] else {
        panic!("it connects first")
    };
    bench.now = at;
    let ((), handed) = bench.act(|it| it.owners.outbound.connection_ready(&mut it.at, connection));
    let [Handed::Request(hop)] = handed[..] else { panic!("{handed:?}") };
    let (request, _) = bench.act(|it| it.owners.outbound.request_of(&it.at, hop));
    let attempts: Vec<u8> = bench.cluster.owners.outbound.hops().map(|hop| hop.attempts).collect();
    assert_eq!((request.pod, attempts), (pod_of(&bench, 0), vec![1]));
    // Its answer passes the proxy and ends it.
    let response = Response {
        client: EDGE,
        hop,
        flow: request.flow,
        work: request.work,
        address: request.address,
        pod: request.pod,
        gateway_worker: 0,
        answer: Answer { status: Status::Ok, body: 10 },
        took: SimDuration::ZERO,
        window: request.window,
        closes_at: SimTime::MAX,
    };
    bench.act(|it| it.owners.outbound.response_arrives(&mut it.at, &response));
    let [(at, Event::HopCompletes(hop))] = bench.scheduler.take_scheduled()[..] else { panic!("it ends") };
    bench.now = at;
    let (answered, handed) = bench.act(|it| it.owners.outbound.hop_completes(&mut it.at, hop));
    let Answered { answer, .. } = answered.expect("somebody waits for it");
    assert!(handed.is_empty(), "{handed:?}");
    assert_eq!((answer.status, bench.cluster.owners.outbound.hops().count()), (Status::Ok, 0));
}
