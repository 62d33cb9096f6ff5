//! Calls that wait in their own process until its pool of connections to a service has a free one
//! (`application/client_pool`).

use super::Outbound;
use super::hop::{Caller, Hop, Origin};
use crate::application::client_pool::ClientPool;
use crate::cluster::around::Around;
use crate::ids::PodId;
use meshsim_core::Handle;

impl Outbound {
    /// A call takes a connection of its process's pool, if that is limited and has a free one: whether it goes on.
    pub(super) fn takes_pooled(&mut self, at: &Around<'_>, hop: Handle<Hop>, caller: Caller) -> bool {
        let Some((pool, size)) = self.client_pool(at, &self.hops[hop], caller) else { return true };
        let goes_on = self.client_pools.get_mut(pool).get_or_insert_with(|| ClientPool::new(size)).take(hop);
        self.hops[hop].pooled = goes_on;
        goes_on
    }

    /// A call of this hop is over for its process: the next one that waits goes out.
    #[cold]
    pub(super) fn gives_back_pooled(&mut self, at: &mut Around<'_>, hop: &Hop) {
        let caller = hop.caller.expect("a process has taken it");
        let (pool, _) = self.client_pool(at, hop, caller).expect("it was taken of one");
        let Self { hops, client_pools, .. } = self;
        let still_waits = |it: Handle<Hop>| hops.contains(it) && !matches!(hops[it].origin, Origin::Gone);
        let pool = client_pools.get_mut(pool).as_mut().expect("it was taken of one");
        let Some(next) = pool.give_back(still_waits) else { return };
        let state = &mut self.hops[next];
        state.pooled = true;
        let (work, waited, caller) = (state.work, at.now - state.routed, state.caller);
        at.recorder.work_done(at.now, work, |work| work.connect_nanos += waited.as_nanos());
        self.leaves_cell(at, next, caller.expect("a process has made it"), at.now);
    }

    /// A pod dies, and with it what its processes had taken and what waited there.
    pub(super) fn client_pools_die(&mut self, pod: PodId, slot: usize) {
        let pools = self.of_processes[slot]..self.of_processes[slot + 1];
        let Self { hops, client_pools, .. } = self;
        for hop in client_pools.take(pools).flatten().flat_map(ClientPool::into_waiting) {
            if hops.contains(hop) {
                hops.remove(hop);
            }
        }
        for hop in hops.handles().collect::<Vec<_>>() {
            let state = &mut hops[hop];
            state.pooled &= state.caller.is_none_or(|caller| caller.pod != pod);
        }
    }

    /// The pool of a call, by its number, and its size. Nothing if nobody limits it.
    fn client_pool(&self, at: &Around<'_>, hop: &Hop, caller: Caller) -> Option<(usize, u32)> {
        let service = at.topology.service_of(hop.endpoint);
        let size = at.topology.application().services[service].pool_size?;
        Some((self.pool_of_process(at, caller, service), size))
    }
}
