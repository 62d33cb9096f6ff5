//! The tunnels of ztunnels, one per calling and called pod, and per gateway or waypoint and pod.

use crate::envoy::connection_pool::Owner;
use crate::ids::PodId;
use meshsim_core::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// How long ztunnel keeps a tunnel that nobody uses.
const IDLE: SimDuration = SimDuration::from_secs(300);

/// When each tunnel was last used to open a stream, by its two ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Tunnels(BTreeMap<(Owner, PodId), SimTime>);

impl Tunnels {
    /// A stream to a pod is opened: whether there is a tunnel for it already.
    pub(super) fn open_stream(&mut self, client: Owner, pod: PodId, now: SimTime) -> bool {
        let used = self.0.insert((client, pod), now);
        used.is_some_and(|used| now - used < IDLE)
    }

    /// The tunnels of a client that has died are gone: whoever has its number next makes its own.
    pub(super) fn client_died(&mut self, dead: Owner) {
        self.0.retain(|&(client, _), _| client != dead);
    }

    /// A pod has ended, and with it the tunnels to it, likewise.
    pub(super) fn server_ended(&mut self, pod: PodId) {
        self.0.retain(|&(_, server), _| server != pod);
    }
}
