//! A warm run allocates nothing, and a call in flight takes little memory.
//!
//! Every table has grown to the greatest number of things that live at a time after a while; from
//! then on nothing is allocated per request, per call or per event. This is the only test of its
//! file, because the allocator counts what every thread does.

mod support;

use meshsim_core::{Key, RunControl, SimDuration, SimTime};
use meshsim_models::cluster::event::Event;
use meshsim_models::cluster::inbound::call::Call;
use meshsim_models::cluster::outbound::hop::Hop;
use meshsim_models::world::World;
use meshsim_models::world::description::{CellSettings, DEFAULT_CELL_COSTS, DEFAULT_PROXY_COST, Description};
use support::cloud_and_edge;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const WARM: u64 = 600;
const END: u64 = 2_700;

/// The testbed's headline: 100 kB from s0 and 10 kB from the others, s0 to s3 at the edge.
fn headline() -> Description {
    let bodies = |service| if service == 0 { 100.0 } else { 10.0 };
    let mut description = cloud_and_edge(bodies, &[0, 1, 2, 3], 50.0);
    let mut costs = DEFAULT_CELL_COSTS;
    // s0 then uses some 1.4 of its 4 workers.
    costs.cpu_scale = 0.5;
    // No cell closes a connection under a request: a proxy's first failure makes its detector.
    let keep_alive = SimDuration::from_secs(100_000);
    description.cell = CellSettings { costs, keep_alive, ..CellSettings::default() };
    description.mesh.outbound = DEFAULT_PROXY_COST;
    description.mesh.inbound = DEFAULT_PROXY_COST;
    description.gateway.cost = DEFAULT_PROXY_COST;
    description.warm_up = SimDuration::from_secs(WARM);
    description.duration = SimDuration::from_secs(END - WARM);
    description
}

/// Runs from one second to another, a minute at a time, and takes what has ended: how many of these arrived from the
/// end of the warm-up on.
fn run(world: &mut World, from: u64, to: u64) -> usize {
    let warm = SimTime::ZERO + SimDuration::from_secs(WARM);
    let mut served = 0;
    for seconds in (from + 60..=to).step_by(60) {
        world.run(&mut RunControl::until(SimTime::ZERO + SimDuration::from_secs(seconds)));
        world.take_requests(|row| served += usize::from(row.arrival >= warm));
    }
    served
}

#[test]
fn a_hundred_thousand_requests_allocate_nothing() {
    let profiler = dhat::Profiler::builder().testing().build();
    let mut world = World::new(&headline(), 0);
    run(&mut world, 0, WARM);
    let before = dhat::HeapStats::get();
    let served = run(&mut world, WARM, END);
    let after = dhat::HeapStats::get();
    drop(profiler);
    let blocks = after.total_blocks - before.total_blocks;
    assert_eq!(blocks, 0, "{blocks} blocks of {} bytes", after.total_bytes - before.total_bytes);
    assert!(served >= 100_000, "{served}");
}

/// A slot of a slab beside its value: the generation, and room in the list of free slots.
const SLOT: usize = 4 + 4;

/// A call in flight: its records at both ends, with their slots.
const RECORDS: usize = size_of::<Hop>() + size_of::<Call>() + 2 * SLOT;

/// An entry of the event set: a key and what happens, aligned as the key is.
const ENTRY: usize = (size_of::<Key>() + size_of::<Event>()).next_multiple_of(align_of::<Key>());

const _: () = assert!(RECORDS <= 256 && ENTRY <= 32);
