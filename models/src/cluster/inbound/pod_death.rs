//! A pod dies, with its sidecar and all that they have under way.
//!
//! # Models
//! Its calls are lost and their clients learn that their connections were reset, as far away as they
//! are. When the pod comes back it is empty.
//!
//! # Source
//! Linux: the sockets of a process that dies are closed (RFC 9293, section 3.6).

use super::Inbound;
use super::call::Call;
use crate::cluster::around::{Around, cpu_events};
use crate::cluster::handed::Handed;
use crate::cluster::job::Job;
use crate::ids::{PodId, PoolId};
use crate::telemetry::exporters::instance::PodName;
use meshsim_core::{Handle, Id};

impl Inbound {
    /// A pod of this cluster dies.
    pub(crate) fn pod_dies(&mut self, at: &mut Around<'_>, pod: PodId) {
        let calls = &self.calls;
        let lost: Vec<Handle<Call>> = calls.handles().filter(|&call| calls[call].pod == pod).collect();
        self.work_is_lost(at, pod);
        for call in lost {
            let state = self.calls.remove(call);
            if at.topology.takes_datagrams(pod) {
                continue;
            }
            at.hand(Handed::Reset(state.reset()));
        }
        let slot = at.pods.slot_of(pod);
        let name = PodName { pod, generation: at.pods[slot].generation };
        if let Some(exporters) = at.recorder.exporters() {
            exporters.cell_restarts(name);
        }
        let service = &at.topology.application().services[at.topology.pod_ids.service_of(pod)];
        self.cells[slot].restart(at.now, service.workers);
        if at.topology.has_sidecars() {
            let workers = usize::from(at.topology.description.mesh.concurrency);
            self.pools.clear(PoolId::from_index(slot * workers), workers);
        }
    }

    /// What a dead pod's cell was given to do and has not done, it never does.
    fn work_is_lost(&self, at: &mut Around<'_>, pod: PodId) {
        let (now, recorder) = (at.now, &mut *at.recorder);
        let lost = |job, left: f64| match job {
            Job::Call { call, .. } => {
                recorder.work_done(now, self.calls[call].work, |it| it.cpu_nanos -= left);
            }
            Job::Start(_) => recorder.start_used_cpu(now, -left),
        };
        at.compute.clear(now, at.pods.container_of(at.pods.slot_of(pod)), lost, cpu_events(at.scheduler));
    }
}
