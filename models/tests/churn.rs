//! Pods that come and go for hours: tables stay as long as there were pods at a time.
//!
//! This file has one test with an allocator that counts, so the others stand beside it in `elastic`.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{RunControl, SimDuration, SimTime};
use meshsim_models::application::internal_service::InternalService;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::settings::{Change, ChangeKind};
use meshsim_models::telemetry::control_log::PodRecord;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::World;
use meshsim_models::world::description::{DataPlane, Description};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const RESTARTS: u64 = 240;
const PODS: u32 = 4;

/// A service of four pods, behind a gateway and sidecars, that is restarted every 30 s.
fn restarted() -> Description {
    let period = SimDuration::from_secs(30);
    let mut description = Description::new(period * RESTARTS);
    description.mesh.data_plane = DataPlane::Sidecar;
    let edge = description.add_cluster("edge", 16.0);
    let shop = description.add_service("shop", InternalService::idle());
    description.add_pods(shop, edge, PODS);
    description.add_users(edge, shop, Arrivals::Constant { per_second: 5.0 });
    description.kubernetes.pods.grace = SimDuration::from_secs(10);
    description.kubernetes.changes = (0..RESTARTS)
        .map(|number| Change {
            at: SimTime::ZERO + SimDuration::from_secs(5) + period * number,
            service: ServiceId(0),
            cluster: ClusterId(0),
            kind: ChangeKind::Rollout,
        })
        .collect();
    description
}

#[test]
fn restarts_for_two_hours_need_no_more_than_restarts_for_one() {
    let description = restarted();
    let profiler = dhat::Profiler::builder().testing().build();
    let mut world = World::new(&description, 0);
    let mut bytes_after = |part: u64| {
        let until = SimTime::from_nanos(description.end().as_nanos() / 8 * part);
        world.run(&mut RunControl::until(until));
        world.take_requests(|_| {});
        dhat::HeapStats::get().curr_bytes
    };
    let bytes: Vec<usize> = (1..=8).map(&mut bytes_after).collect();
    let (quarter, whole) = (bytes[1], bytes[7]);
    let record = world.finish();
    drop(profiler);
    let made = record.control[ClusterId(0)].pods.iter().filter(|it| it.step.name() == "created").count();
    assert!(made as u64 >= (RESTARTS - 2) * u64::from(PODS), "{made}");
    // Those of the last minute and a half, with those that serve.
    let (_, slots) = &record.deployments[ClusterId(0)][0];
    assert!(slots.len() <= 6 * PODS as usize, "{} slots for {made} pods", slots.len());
    let generations = record.control[ClusterId(0)].pods.iter().map(|it| it.generation).max().unwrap();
    assert!(generations as usize >= made / slots.len(), "{generations}");
    // What was done is kept: five steps a pod, in a list that may be half empty.
    let records = 2 * 5 * made * size_of::<PodRecord>();
    assert!(whole <= quarter + records + 20_000, "{quarter} and then {whole} bytes");
}
