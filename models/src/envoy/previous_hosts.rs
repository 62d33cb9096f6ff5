//! Endpoints that a request has tried: what its retries avoid.
//!
//! # Assumptions
//! Of a request with more than eight attempts the last eight endpoints are remembered. Effect: a
//! later retry may go to one that was tried before those.
//!
//! # Source
//! Envoy, retry host predicate `previous_hosts` (`previous_hosts.h`).

use crate::ids::PodId;

/// So many are remembered per request.
const REMEMBERED: usize = 8;

/// The endpoints that the requests in the slots of a slab have tried.
#[derive(Clone, Debug, Default)]
pub struct PreviousHosts {
    by_slot: Vec<[PodId; REMEMBERED]>,
}

impl PreviousHosts {
    /// The request in `slot` has tried `pod` in its attempt number `attempt`, counted from 1.
    pub fn remember(&mut self, slot: usize, attempt: u8, pod: PodId) {
        if self.by_slot.len() <= slot {
            self.by_slot.resize(slot + 1, [PodId(u32::MAX); REMEMBERED]);
        }
        self.by_slot[slot][usize::from(attempt - 1) % REMEMBERED] = pod;
    }

    /// Whether the request in `slot`, after `attempts` attempts, has tried `pod`.
    #[must_use]
    pub fn contains(&self, slot: usize, attempts: u8, pod: PodId) -> bool {
        let tried = self.by_slot.get(slot).map_or(&[][..], |tried| &tried[..]);
        tried.iter().take(usize::from(attempts)).any(|other| *other == pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_request_of_the_slot_tried_is_forgotten() {
        let mut hosts = PreviousHosts::default();
        hosts.remember(3, 1, PodId(7));
        hosts.remember(3, 2, PodId(8));
        assert!(hosts.contains(3, 2, PodId(7)) && hosts.contains(3, 2, PodId(8)));
        assert!(!hosts.contains(3, 2, PodId(9)) && !hosts.contains(0, 2, PodId(7)));
        hosts.remember(3, 1, PodId(9));
        assert!(hosts.contains(3, 1, PodId(9)) && !hosts.contains(3, 1, PodId(8)));
    }
}
