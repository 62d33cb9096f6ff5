//! A retry prefers a host that was not tried.
//!
//! # Models
//! The balancer is asked again while it gives a host that the request's predicate rejects
//! (`previous_hosts`: one that was tried), at most `host_selection_retry_max_attempts` times more;
//! then the last host given is taken, rejected or not. If it gives none, there is none.
//!
//! # Source
//! Envoy `load_balancer_impl.cc`, `ZoneAwareLoadBalancerBase::chooseHost`; http/http_connection_management,
//! retry plugin configuration.

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection<H> {
    /// The host, if the balancer gave one.
    pub host: Option<H>,
    /// How often the balancer was asked.
    pub draws: u32,
}

/// Asks `draw` until it gives a host that is not `rejected`, at most `max_attempts` times more.
#[inline(always)]
pub fn select<H: Copy>(
    mut draw: impl FnMut() -> Option<H>,
    rejected: impl Fn(H) -> bool,
    max_attempts: u32,
) -> Selection<H> {
    let mut draws = 1;
    let mut host = draw();
    while draws <= max_attempts && host.is_some_and(&rejected) {
        host = draw();
        draws += 1;
    }
    Selection { host, draws }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(draws: &[Option<u32>], max_attempts: u32) -> Selection<u32> {
        let mut draws = draws.iter().copied();
        select(|| draws.next().flatten(), |host| host == 1, max_attempts)
    }

    #[test]
    fn a_rejected_host_is_drawn_again_while_attempts_last() {
        let chosen = |host, draws| Selection { host, draws };
        assert_eq!(from(&[Some(1), Some(0)], 2), chosen(Some(0), 2));
        assert_eq!(from(&[Some(1), Some(0)], 0), chosen(Some(1), 1));
        assert_eq!(from(&[Some(1), Some(1), Some(1), Some(0)], 2), chosen(Some(1), 3));
        assert_eq!(from(&[Some(1), None, Some(0)], 5), chosen(None, 2));
    }
}
