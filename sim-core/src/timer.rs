//! Cancellation without searching the event set: a [`Timer`] marks its events with an [`Epoch`],
//! and an event whose epoch is no longer current is dropped by its handler when it comes up.

/// Which arming of a [`Timer`] an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(u32);

/// Something that happens at most once per arming and can be called off or moved.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer {
    epoch: u32,
    armed: bool,
}

impl Timer {
    /// A timer that is not armed.
    #[must_use]
    pub const fn new() -> Self {
        Self { epoch: 0, armed: false }
    }

    /// Arms it anew, which calls off what it was armed for before. The event to be scheduled
    /// carries the epoch.
    pub fn arm(&mut self) -> Epoch {
        self.epoch = self.epoch.wrapping_add(1);
        self.armed = true;
        Epoch(self.epoch)
    }

    /// Calls it off.
    pub fn disarm(&mut self) {
        self.armed = false;
    }

    /// Whether it is armed.
    #[must_use]
    pub const fn is_armed(&self) -> bool {
        self.armed
    }

    /// Whether the event that came up is the one it was last armed for; it is disarmed then.
    pub fn fires(&mut self, epoch: Epoch) -> bool {
        let current = self.armed && self.epoch == epoch.0;
        if current {
            self.armed = false;
        }
        current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_arming_fires_and_only_once() {
        let mut timer = Timer::new();
        let first = timer.arm();
        let second = timer.arm();
        assert!(!timer.fires(first));
        assert!(timer.fires(second));
        assert!(!timer.fires(second));
        let third = timer.arm();
        timer.disarm();
        assert!(!timer.fires(third));
    }
}
