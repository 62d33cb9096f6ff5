//! Whether a gateway believes its tunnel to be up.
//!
//! # Models
//! A gateway sends a ping each `interval` and remembers when the last one that was answered had been sent and how long it
//! took. The first answer makes a tunnel connected. An observer looks each tenth of `interval` x `threshold`: the
//! tunnel is lost if more than `interval` x `threshold` has passed since that ping was sent, and its round trip. With the
//! defaults that is 8 to 11 s after a cut; four lost pings in a row go unseen.
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/gateway/connection/conncheck/receiver.go` (`ReceivePong`, `RunDisconnectObserver`),
//! `conncheck.go`; `deployments/liqo/values.yaml`, `networking.gatewayTemplates.ping`.

use meshsim_core::{SimDuration, SimTime};

/// How a tunnel is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingSettings {
    /// Time between two pings.
    pub interval: SimDuration,
    /// How many may be lost.
    pub threshold: u32,
}

/// What a gateway knows of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCheck {
    settings: PingSettings,
    is_connected: bool,
    /// When the last ping that was answered had been sent.
    answered: SimTime,
    round_trip: SimDuration,
}

impl Default for PingSettings {
    fn default() -> Self {
        Self { interval: SimDuration::from_secs(2), threshold: 5 }
    }
}

impl PingSettings {
    /// How long a tunnel may be silent.
    #[must_use]
    pub fn patience(&self) -> SimDuration {
        SimDuration::from_nanos(self.interval.as_nanos().saturating_mul(self.threshold.into()))
    }

    /// Time between two looks of the observer.
    #[must_use]
    pub fn observed_every(&self) -> SimDuration {
        SimDuration::from_nanos(self.patience().as_nanos() / 10)
    }
}

impl ConnectionCheck {
    /// Whose last answered ping was sent at `answered`, and took this.
    #[must_use]
    pub const fn new(
        settings: PingSettings,
        is_connected: bool,
        answered: SimTime,
        round_trip: SimDuration,
    ) -> Self {
        Self { settings, is_connected, answered, round_trip }
    }

    /// Whether the tunnel is believed to be up.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// The answer to a ping that was sent at `sent` arrives: tells whether the tunnel is up only now.
    pub fn is_answered(&mut self, sent: SimTime, now: SimTime) -> bool {
        if sent < self.answered {
            return false;
        }
        (self.answered, self.round_trip) = (sent, now.saturating_since(sent));
        !std::mem::replace(&mut self.is_connected, true)
    }

    /// The observer looks: tells whether the tunnel is lost only now.
    pub fn is_observed(&mut self, now: SimTime) -> bool {
        let since = self.answered.saturating_add(self.round_trip);
        if now.saturating_since(since) <= self.settings.patience() {
            return false;
        }
        self.round_trip = SimDuration::ZERO;
        std::mem::replace(&mut self.is_connected, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_millis(millis)
    }

    #[test]
    fn an_answer_that_was_overtaken_is_dropped() {
        let mut check = ConnectionCheck::new(PingSettings::default(), false, at(0), SimDuration::ZERO);
        assert!(check.is_answered(at(4_000), at(4_100)));
        assert!(!check.is_answered(at(2_000), at(5_000)));
        assert!(
            !check.is_observed(at(14_100)) && check.is_observed(at(14_101)) && !check.is_observed(at(15_000))
        );
        assert!(check.is_answered(at(16_000), at(16_100)));
    }

    proptest! {
        /// Closed form: a cut is noticed 8 to 11 s after it, whatever the phases of pings and looks are.
        #[test]
        fn a_cut_is_noticed_in_8_to_11_s(
            ping in 0_u64..2_000,
            look in 0_u64..1_000,
            cut in 20_000_u64..30_000,
            round_trip in 1_u64..500,
        ) {
            let settings = PingSettings::default();
            let mut check = ConnectionCheck::new(settings, true, at(0), SimDuration::ZERO);
            let mut lost = None;
            for now in 0..60_000 {
                // Sent and answered before the cut.
                let sent = now >= round_trip && (now - round_trip) % 2_000 == ping;
                if sent && now < cut {
                    prop_assert!(!check.is_answered(at(now - round_trip), at(now)));
                }
                if now % 1_000 == look && check.is_observed(at(now)) {
                    prop_assert!(lost.replace(now).is_none());
                }
            }
            let after = lost.expect("the cut is noticed") - cut;
            prop_assert!((8_000..=11_000 + round_trip).contains(&after), "{after}");
        }
    }
}
