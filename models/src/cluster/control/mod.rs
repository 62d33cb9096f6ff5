//! What controls a cluster: its Deployments, nodes and autoscalers, and what was done about them.

mod autoscaling;
mod pods_come_and_go;
mod start_work;
mod state;

pub(super) use autoscaling::counters_of;
pub use state::Control;

use super::event::Event;
use crate::world::topology::Topology;
use meshsim_core::{EntityId, SimTime};

/// What the control planes of all clusters do at known times.
pub(super) fn first_events(topology: &Topology) -> Vec<(EntityId, SimTime, Event)> {
    let mut events = pods_come_and_go::first_events(topology);
    events.extend(autoscaling::first_events(topology));
    events
}
