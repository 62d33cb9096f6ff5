//! Its links by themselves.

use super::{Bench, CLOUD, RTT, pod_of, request};
use crate::cluster::event::Event;
use crate::cluster::message::{Body, GivenUp, Message, Request};
use meshsim_core::SimTime;

#[test]
fn network_carries_within_the_cluster_and_over_the_link() {
    let mut bench = Bench::new(|_| {});
    let [here, there] = [0, 1].map(|service| request(&bench, pod_of(&bench, service)));
    bench.act(|it| it.owners.network.carry_request(&mut it.at, &here));
    let scheduled = bench.scheduler.take_scheduled();
    assert!(matches!(scheduled[..], [(_, Event::Arrives(_))]), "{scheduled:?}");
    assert!(scheduled[0].0 < SimTime::ZERO + RTT / 2);
    bench.act(|it| it.owners.network.carry_request(&mut it.at, &there));
    let [(target, arrives, message)] = bench.scheduler.take_messages()[..] else { panic!("one message") };
    assert_eq!((target, message.to), (CLOUD.entity(), CLOUD));
    assert!(arrives > SimTime::ZERO + RTT / 2 && matches!(message.body, Body::Request(_)));
    assert_eq!(bench.cluster.owners.network.links()[0].bytes(), u64::from(message.wire_bytes));
}

#[test]
fn network_tells_a_server_of_this_cluster_at_once_that_its_client_is_gone() {
    let mut bench = Bench::new(|_| {});
    let [here, there] = [0, 1].map(|service| {
        let Request { client, hop, flow, address, pod, work, .. } = request(&bench, pod_of(&bench, service));
        GivenUp { client, hop, flow, address, pod, work }
    });
    assert!(bench.act(|it| it.owners.network.carry_given_up(&mut it.at, &here)).0.is_some());
    assert!(bench.act(|it| it.owners.network.carry_given_up(&mut it.at, &there)).0.is_none());
    assert!(matches!(bench.scheduler.take_messages()[..], [(_, _, Message { body: Body::GivenUp(_), .. })]));
}
