//! What a virtual node's kubelet tells the consumer's API server, and when.
//!
//! # Models
//! - Every `ping` it reads whether the provider's API server is believed to answer. As long as it last read that it does,
//!   it renews the node's lease every `lease`, and posts the node's status.
//! - It posts at every event of the node (its condition, the provider's API server), and when none has come for
//!   `status`. So what it could not post is posted only that long after the last event.
//!
//! # Assumptions
//! - A ping takes no time.
//! - Liqo builds on a fork of virtual-kubelet that was not read; this is the upstream of it.
//!
//! # Source
//! virtual-kubelet/virtual-kubelet `node/node.go` (`controlLoop`, `updateStatus`), `node/lease_controller_v1.go`;
//! liqotech/liqo v1.2.0 `pkg/virtualKubelet/liqoNodeProvider/nodeProvider.go` (`Ping`),
//! `cmd/virtual-kubelet/root/opts.go`.

use meshsim_core::{SimDuration, SimTime};

/// How often it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualKubeletSettings {
    /// Time between two pings.
    pub ping: SimDuration,
    /// Time between two renewals of the lease.
    pub lease: SimDuration,
    /// How long it posts nothing if nothing happens.
    pub status: SimDuration,
}

/// The kubelet of one virtual node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualKubelet {
    settings: VirtualKubeletSettings,
    /// What the last ping has read.
    pings: bool,
    /// The condition Ready of its node, as it would post it.
    ready: bool,
    timer: SimTime,
}

impl Default for VirtualKubeletSettings {
    fn default() -> Self {
        let [ping, lease, status] = [10, 10, 60].map(SimDuration::from_secs);
        Self { ping, lease, status }
    }
}

impl VirtualKubelet {
    /// Of a node that is ready, and which last posted at `now`.
    #[must_use]
    pub const fn new(settings: VirtualKubeletSettings, now: SimTime) -> Self {
        Self { settings, pings: true, ready: true, timer: now.saturating_add(settings.status) }
    }

    /// A ping has read whether the provider's API server is believed to answer.
    pub const fn pings(&mut self, answers: bool) {
        self.pings = answers;
    }

    /// Whether it renews the lease now.
    #[must_use]
    pub const fn renews(&self) -> bool {
        self.pings
    }

    /// The node is ready now, or is not, or something else has happened to it: the condition that is posted, if any.
    pub const fn happens(&mut self, ready: bool, now: SimTime) -> Option<bool> {
        self.ready = ready;
        self.posts(now)
    }

    /// When [`Self::timer_fires`] is due.
    #[must_use]
    pub const fn timer(&self) -> SimTime {
        self.timer
    }

    /// Nothing has happened for a while: the condition that is posted, if any.
    pub const fn timer_fires(&mut self, now: SimTime) -> Option<bool> {
        self.posts(now)
    }

    const fn posts(&mut self, now: SimTime) -> Option<bool> {
        self.timer = now.saturating_add(self.settings.status);
        if self.pings { Some(self.ready) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    #[test]
    fn what_could_not_be_posted_is_posted_a_minute_after_the_last_event() {
        let mut kubelet = VirtualKubelet::new(VirtualKubeletSettings::default(), at(0));
        assert_eq!(kubelet.happens(false, at(10)), Some(false));
        kubelet.pings(false);
        assert!(!kubelet.renews());
        assert_eq!(kubelet.happens(true, at(50)), None);
        assert_eq!(kubelet.happens(true, at(63)), None);
        kubelet.pings(true);
        assert_eq!(kubelet.timer(), at(123));
        assert_eq!(kubelet.timer_fires(at(123)), Some(true));
    }
}
