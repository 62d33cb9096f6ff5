//! TCP's congestion window: how many round trips a message needs.
//!
//! # Models
//! One window per connection, kept by the sender of the responses. A message of n segments over a
//! window of w takes the rounds w, 2w, 4w ...; a round follows the one before it after a round
//! trip. A message that used its window makes it grow by n. After an idle time of more than a
//! retransmission time-out (round trip + 200 ms) the window is halved once per time-out that has
//! passed, not below the initial one.
//!
//! # Assumptions
//! - Nothing is lost, so slow start is never left: its threshold stays infinite, and so does the
//!   slower growth beyond it. HyStart is left out too. Effect: at 20 ms, bodies of 500 kB take 6
//!   round trips where 7 to 9 were measured; at 160 ms up to 500 kB, and at 20 ms up to 200 kB,
//!   nothing is missing.
//! - The receive window (64 kB at first, then tuned) never binds: the first round of a cold
//!   connection is 13 kB.
//! - Requests fit into the initial window, so only responses have one.
//!
//! # Source
//! RFC 5681, 6298, 6928; Linux net/ipv4: `tcp_slow_start_after_idle_check`, `tcp_cwnd_restart`,
//! `tcp_is_cwnd_limited`. Measured over 160 ms; the table is the test below.

use super::path::Path;
use meshsim_core::{SimDuration, SimTime};

/// Segments that a new connection may send at once (RFC 6928).
pub const INITIAL_WINDOW: u32 = 10;

/// Linux never waits less than this beyond the round trip before it resends.
const RTO_MARGIN: SimDuration = SimDuration::from_millis(200);

/// The sender's congestion window of one connection. Packed, because every call carries one.
#[repr(Rust, packed(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    segments: u32,
    last_send: SimTime,
}

/// A message on its way, round by round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Segments still to be sent.
    pub remaining: u32,
    /// Segments that the next round may send.
    pub round: u32,
}

impl Window {
    /// The window of a connection that is made at `now`.
    #[must_use]
    pub const fn new(now: SimTime) -> Self {
        Self { segments: INITIAL_WINDOW, last_send: now }
    }

    /// The window (segments).
    #[must_use]
    pub const fn segments(self) -> u32 {
        self.segments
    }

    /// A message of `segments` segments is to be sent at `now`.
    pub fn start(&mut self, now: SimTime, segments: u32, path: &Path) -> Transfer {
        self.decay(now, path.round_trip + RTO_MARGIN);
        let transfer = Transfer { remaining: segments, round: self.segments };
        let several_rounds = segments > self.segments;
        if several_rounds || self.segments < 2 * segments {
            self.segments += segments;
        }
        transfer
    }

    /// A round of a message leaves at `now`.
    pub fn sent(&mut self, now: SimTime) {
        self.last_send = now;
    }

    fn decay(&mut self, now: SimTime, time_out: SimDuration) {
        let mut idle = now.saturating_since(self.last_send);
        while idle > time_out && self.segments > INITIAL_WINDOW {
            self.segments = (self.segments / 2).max(INITIAL_WINDOW);
            idle = idle.saturating_sub(time_out);
        }
    }
}

impl Transfer {
    /// Sends a round: how many segments it carries. The last one leaves nothing remaining.
    pub fn next_round(&mut self, path: &Path) -> u32 {
        let in_flight = f64::from(self.round) * f64::from(path.segment_bytes()) * 8.0;
        let pipe_is_full = in_flight >= path.bits_per_second * path.round_trip.as_secs_f64();
        let now = if pipe_is_full { self.remaining } else { self.remaining.min(self.round) };
        self.remaining -= now;
        self.round *= 2;
        now
    }

    /// Rounds beyond the first.
    #[must_use]
    pub fn further_rounds(mut self, path: &Path) -> u32 {
        let mut rounds = 0;
        self.next_round(path);
        while self.remaining > 0 {
            self.next_round(path);
            rounds += 1;
        }
        rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: Path = Path {
        round_trip: SimDuration::from_millis(160),
        one_way: SimDuration::from_millis(80),
        bits_per_second: 1e9,
        mtu: 1340,
        tunnel_overhead: 0,
    };

    /// Header of the measuring server (bytes).
    const HEADER: u32 = 80;

    /// Sends one body at `now`; tells its round trips and when its last round left.
    fn send(window: &mut Window, now: SimTime, body: u32) -> (u32, SimTime) {
        let transfer = window.start(now, PATH.segments(body + HEADER), &PATH);
        let further = transfer.further_rounds(&PATH);
        let last = now + PATH.round_trip * u64::from(further);
        window.sent(last);
        (1 + further, last)
    }

    /// Round trips of a body on a new connection, of the 10th back to back, and after 3 s idle.
    fn round_trips(body: u32) -> [u32; 3] {
        let mut window = Window::new(SimTime::ZERO);
        let (new, mut last) = send(&mut window, SimTime::ZERO, body);
        let mut kept = 0;
        for _ in 0..9 {
            (kept, last) = send(&mut window, last + PATH.round_trip, body);
        }
        let (idle, _) = send(&mut window, last + SimDuration::from_secs(3), body);
        [new, kept, idle]
    }

    /// Medians over a real link of 160 ms, in round trips: new, kept, idle for 3 s.
    const MEASURED: [(u32, [u32; 3]); 10] = [
        (1_000, [1, 1, 1]),
        (5_000, [1, 1, 1]),
        (10_000, [1, 1, 1]),
        (13_000, [2, 1, 2]),
        (14_000, [2, 1, 2]),
        (20_000, [2, 1, 2]),
        (50_000, [3, 1, 3]),
        (100_000, [4, 1, 4]),
        (200_000, [5, 1, 5]),
        (500_000, [6, 1, 6]),
    ];

    #[test]
    fn round_trips_are_those_measured() {
        for (body, expected) in MEASURED {
            assert_eq!(round_trips(body), expected, "{body} bytes");
        }
    }

    #[test]
    fn windows_after_one_message_are_those_measured() {
        for (body, expected) in
            [(13_000, 21), (20_000, 26), (50_000, 49), (100_000, 88), (200_000, 166), (500_000, 399)]
        {
            let mut window = Window::new(SimTime::ZERO);
            send(&mut window, SimTime::ZERO, body);
            assert_eq!(window.segments(), expected, "{body} bytes");
        }
    }

    #[test]
    fn the_window_halves_once_per_time_out_that_has_passed() {
        let after = |idle_ms: u64| {
            let mut window = Window { segments: 88, last_send: SimTime::ZERO };
            window.decay(SimTime::ZERO + SimDuration::from_millis(idle_ms), SimDuration::from_millis(360));
            window.segments
        };
        assert_eq!([after(360), after(361), after(721), after(1_081), after(9_999)], [88, 44, 22, 11, 10]);
    }

    #[test]
    fn on_a_short_fat_path_a_full_pipe_ends_the_rounds() {
        let local = Path { round_trip: SimDuration::from_micros(200), ..PATH };
        // 25 kB fill the pipe: 13 kB, 26 kB, then all the rest at once.
        let mut window = Window::new(SimTime::ZERO);
        assert_eq!(window.start(SimTime::ZERO, 400, &local).further_rounds(&local), 1);
    }
}
