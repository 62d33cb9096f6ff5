//! A pod dies, with its sidecar and all that they have under way.
//!
//! # Models
//! Its calls are lost and their clients learn that their connections were reset, as far away as they
//! are. What its sidecar sent for them goes on in other pods, but nobody waits for it. When the pod
//! comes back it is empty.
//!
//! # Source
//! Linux: the sockets of a process that dies are closed (RFC 9293, section 3.6).

use super::record::{Call, Client, Hop, Phase};
use crate::cluster::event::Event;
use crate::cluster::handle::{Context, Job};
use crate::cluster::message::{Body, Message};
use crate::draws::Purpose;
use crate::ids::{ClusterId, PodId, PoolId};
use crate::telemetry::work::WorkId;
use meshsim_core::random::Address;
use meshsim_core::{Handle, Id};

/// A TCP segment without data, with its headers (bytes).
pub(super) const RESET_WIRE_BYTES: u32 = 52;

impl Context<'_> {
    /// A pod dies.
    pub(crate) fn pod_dies(&mut self, pod: PodId) {
        let calls = &self.cluster.calls;
        let lost: Vec<Handle<Call>> = calls.handles().filter(|&call| calls[call].pod == pod).collect();
        self.work_is_lost(pod);
        for call in lost {
            self.call_is_lost(call);
        }
        let slot = self.topology.slot_of(pod);
        let service = &self.topology.application().services[self.topology.pods[pod].service];
        let concurrency = self.topology.description.mesh.concurrency;
        let sidecars = self.topology.has_sidecars();
        self.cluster.cells[slot].restart(self.now, service.workers);
        if sidecars {
            let first = PoolId::from_index(slot * usize::from(concurrency));
            self.cluster.inbound.clear(first, usize::from(concurrency));
        }
        self.cluster.cell_pools[slot].fill(None);
        // The metrics server knows nothing of what was before.
        if let Some(history) = self.cluster.workloads.histories.get_mut(slot) {
            history.clear();
        }
        if sidecars {
            self.sidecar_dies(pod);
        }
    }

    /// What a dead pod's cell was given to do and has not done, it never does.
    fn work_is_lost(&mut self, pod: PodId) {
        let (now, cluster) = (self.now, &mut *self.cluster);
        self.compute.clear(now, self.topology.pods[pod].container, |job, left| match job {
            Job::Call { call, .. } => {
                let work = cluster.calls[call].work;
                cluster.recorder.work_done(now, work, |it| it.cpu_nanos -= left);
            }
            Job::Start(_) => cluster.recorder.start_used_cpu(now, -left),
        });
    }

    /// A call's pod has died.
    fn call_is_lost(&mut self, call: Handle<Call>) {
        let it = self.cluster.calls.remove(call);
        self.reset_client(it.client, it.hop, it.address, it.work);
    }

    /// The requests that a dead pod's sidecar had under way are nobody's any more.
    fn sidecar_dies(&mut self, pod: PodId) {
        let sidecar = self.topology.sidecar_of(pod);
        let hops: Vec<Handle<Hop>> = self.cluster.hops.handles().collect();
        for hop in hops {
            let it = self.cluster.hops[hop];
            let Client::Proxy { proxy, .. } = it.client else { continue };
            if proxy != sidecar {
                continue;
            }
            match it.phase {
                Phase::Waiting => self.stop_waiting(hop),
                Phase::Sent => {
                    self.tell_server(hop);
                    if let Some(connection) = self.cluster.hops[hop].connection.take() {
                        self.cluster.pools.detach(connection);
                        self.cluster.pools.drain(connection);
                    }
                    self.release_request(hop);
                }
                Phase::Idle | Phase::Answered => {}
            }
            self.return_retry(hop);
            self.cluster.hops.remove(hop);
        }
        let (concurrency, upstreams) =
            (self.topology.description.mesh.concurrency, self.topology.upstreams.len());
        self.cluster.proxies[sidecar].restart(concurrency, upstreams);
    }

    /// Whether a pod of this cluster cannot be reached.
    pub(super) fn is_down(&self, pod: PodId) -> bool {
        let faults = &self.topology.faults;
        if !faults.is_empty() && faults.is_dead(pod, self.now) {
            return true;
        }
        let workloads = &self.cluster.workloads;
        workloads.is_elastic && !workloads.pods[self.topology.slot_of(pod)].is_reachable()
    }

    /// The client of an attempt is told that its connection is lost.
    pub(super) fn reset_client(
        &mut self,
        client: ClusterId,
        hop: Handle<Hop>,
        address: Address,
        work: WorkId,
    ) {
        if client != self.cluster.id {
            self.cluster
                .recorder
                .work_done(self.now, work, |it| it.cross_wire += u64::from(RESET_WIRE_BYTES));
            let body = Body::Reset { hop, address };
            let message = Message { to: client, wire_bytes: RESET_WIRE_BYTES, body };
            self.send(message, address, Purpose::LinkResponse);
            return;
        }
        if self.cluster.hops.contains(hop) && self.cluster.hops[hop].attempt_address() == address {
            let attempt = self.cluster.hops[hop].attempts;
            let at = self.now + self.topology.path(client, client).one_way;
            self.scheduler.schedule(at, Event::ResetArrives { hop, attempt });
        }
    }

    /// Whether an attempt that was sent is still waited for.
    pub(super) fn is_under_way(&self, hop: Handle<Hop>, attempt: u8) -> bool {
        self.cluster.hops.contains(hop) && {
            let it = &self.cluster.hops[hop];
            it.attempts == attempt && it.phase == Phase::Sent
        }
    }

    /// An attempt of a request of this cluster is reset.
    pub(crate) fn attempt_is_reset(&mut self, hop: Handle<Hop>, attempt: u8) {
        if self.is_under_way(hop, attempt) {
            let address = self.cluster.hops[hop].attempt_address();
            self.reset_arrives(hop, address);
        }
    }
}
