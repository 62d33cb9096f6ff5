//! Pods that come and go for hours: tables stay as long as there were pods at a time.
//!
//! This file has one test with an allocator that counts, so the others stand beside it in `elastic`.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{RunControl, SimDuration, SimTime};
use meshsim_models::application::internal_service::InternalService;
use meshsim_models::ids::ClusterId;
use meshsim_models::kubernetes::settings::{Change, ChangeKind};
use meshsim_models::telemetry::control_log::PodRecord;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::World;
use meshsim_models::world::description::{DataPlane, Description};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const RESTARTS: u64 = 240;
const PODS: u32 = 4;

/// Two services of four pods, one calling the other, that are restarted every 30 s.
fn restarted(data_plane: DataPlane) -> Description {
    let period = SimDuration::from_secs(30);
    let mut description = Description::new(period * RESTARTS);
    description.mesh.data_plane = data_plane;
    let edge = description.add_cluster("edge", 16.0);
    let [shop, stock] = ["shop", "stock"].map(|name| description.add_service(name, InternalService::idle()));
    description.add_call(shop, stock, 1.0);
    description.add_pods(shop, edge, PODS);
    description.add_pods(stock, edge, PODS);
    description.add_users(edge, shop, Arrivals::Constant { per_second: 5.0 });
    description.kubernetes.pods.grace = SimDuration::from_secs(10);
    let restart = |number| {
        let at = SimTime::ZERO + SimDuration::from_secs(5) + period * number;
        [shop, stock].map(|service| Change { at, service, cluster: edge, kind: ChangeKind::Rollout })
    };
    description.kubernetes.changes = (0..RESTARTS).flat_map(restart).collect();
    description
}

#[test]
fn restarts_for_two_hours_need_no_more_than_restarts_for_half_an_hour() {
    for data_plane in [DataPlane::Sidecar, DataPlane::None, DataPlane::Ambient] {
        let description = restarted(data_plane);
        let profiler = dhat::Profiler::builder().testing().build();
        let mut world = World::new(&description, 0);
        let mut bytes_after = |part: u64| {
            let until = SimTime::from_nanos(description.end().as_nanos() / 8 * part);
            world.run(&mut RunControl::until(until));
            world.take_requests(|_| {});
            dhat::HeapStats::get().curr_bytes
        };
        let bytes: Vec<usize> = (1..=8).map(&mut bytes_after).collect();
        let record = world.finish();
        drop(profiler);
        let log = &record.control[ClusterId(0)].pods;
        let made = log.iter().filter(|it| it.step.name() == "created").count();
        assert!(made as u64 >= (RESTARTS - 2) * u64::from(2 * PODS), "{data_plane:?}: {made}");
        for (_, slots) in &record.deployments[ClusterId(0)] {
            // Those of the last minute and a half, with those that serve.
            assert!(
                slots.len() <= 6 * PODS as usize,
                "{data_plane:?}: {} slots for {made} pods",
                slots.len()
            );
        }
        let generations = log.iter().map(|it| it.generation).max().unwrap();
        assert!(generations as usize >= made / (12 * PODS as usize), "{generations}");
        // What was done is kept: five steps a pod, in a list that may be half empty.
        let records = 2 * 5 * made * size_of::<PodRecord>();
        assert!(bytes[7] <= bytes[1] + records + 20_000, "{data_plane:?}: {bytes:?}, {records} of records");
    }
}
