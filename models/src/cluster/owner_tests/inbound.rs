//! What its pods serve, by itself.

use super::{Bench, EDGE, pod_of, request};
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::message::Reset;
use crate::faults::pod::{FaultKind, PodFault};
use crate::ids::ServiceId;
use crate::request::answer::{Answer, Status};
use meshsim_core::SimTime;

#[test]
fn inbound_serves_and_makes_further_calls_and_answers() {
    let mut bench = Bench::new(|_| {});
    let request = request(&bench, pod_of(&bench, 0));
    bench.act(|it| it.owners.inbound.request_arrives(&mut it.at, &request));
    let [(at, Event::CellReceives(call))] = bench.scheduler.take_scheduled()[..] else { panic!("sidecar") };
    bench.now = at;
    let ((), handed) = bench.act(|it| it.owners.inbound.cell_receives(&mut it.at, call));
    assert!(handed.is_empty() && bench.cluster.owners.inbound.calls().count() == 1);
    let scheduled = bench.scheduler.take_scheduled();
    assert!(matches!(scheduled[..], [(_, Event::Compute(_))]), "{scheduled:?}");
    // Its CPU work is done: it calls the stock, whose failure makes its own answer one.
    let stage = crate::cluster::job::Stage::Calling { group: 0, step: 0 };
    let ((), handed) = bench.act(|it| it.owners.inbound.job_done(&mut it.at, call, stage));
    let [Handed::Call { call, group, step }] = handed[..] else { panic!("{handed:?}") };
    let (new, _) = bench.act(|it| it.owners.inbound.new_request(&it.at, call, group, step));
    assert_eq!(new.caller.map(|caller| caller.pod), Some(request.pod));
    bench.act(|it| it.owners.inbound.fan_out(&mut it.at, call));
    let failed = Answer { status: Status::NoHealthyUpstream, body: 95 };
    bench.act(|it| it.owners.inbound.call_answered(&mut it.at, call, 0, 0, &failed));
    let ((), handed) =
        bench.act(|it| it.owners.inbound.job_done(&mut it.at, call, crate::cluster::job::Stage::Response));
    assert!(handed.is_empty());
    let mut scheduled = bench.scheduler.take_scheduled();
    scheduled.retain(|(_, event)| !matches!(event, Event::Compute(_)));
    let [(at, Event::ResponseLeaves(call))] = scheduled[..] else { panic!("it answers: {scheduled:?}") };
    bench.now = at;
    let (response, handed) = bench.act(|it| it.owners.inbound.response_leaves(&mut it.at, call));
    assert!(handed.is_empty(), "{handed:?}");
    assert_eq!(response.map(|it| it.answer.status), Some(Status::ServiceError));
    assert_eq!(bench.cluster.owners.inbound.calls().count(), 0);
}

#[test]
fn inbound_resets_whoever_calls_a_dead_pod() {
    let mut bench = Bench::new(|description| {
        description.faults.push(PodFault {
            service: ServiceId(0),
            cluster: EDGE,
            pod: None,
            begins: SimTime::ZERO,
            ends: None,
            seen_after: None,
            kind: FaultKind::Crash,
        });
    });
    let request = request(&bench, pod_of(&bench, 0));
    let ((), handed) = bench.act(|it| it.owners.inbound.request_arrives(&mut it.at, &request));
    assert!(matches!(handed[..], [Handed::Reset(Reset { client: EDGE, .. })]), "{handed:?}");
}
