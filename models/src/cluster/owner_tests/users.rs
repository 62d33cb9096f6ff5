//! The users of a cluster by themselves.

use super::Bench;
use crate::cluster::event::Event;
use crate::cluster::outbound::hop::Origin;
use crate::ids::PopulationId;
use crate::request::answer::{Answer, Status};
use meshsim_core::SimTime;

#[test]
fn users_send_and_learn_what_their_requests_came_to() {
    let mut bench = Bench::new(|_| {});
    let new = bench.new_request();
    let Origin::User { request, population, .. } = new.origin else { panic!("a user's") };
    assert_eq!((population, bench.cluster.owners.users.open_requests().count()), (PopulationId(0), 1));
    // The next arrival, a second later.
    let scheduled = bench.scheduler.take_scheduled();
    assert!(matches!(scheduled[..], [(_, Event::UserSends(PopulationId(0)))]), "{scheduled:?}");
    bench.now = SimTime::from_nanos(5_000_000);
    let answer = Answer { status: Status::Ok, body: 10 };
    let ((), handed) = bench.act(|it| it.owners.users.answered(&mut it.at, request, &answer));
    assert!(handed.is_empty());
    assert_eq!(bench.cluster.owners.users.open_requests().count(), 0);
}
