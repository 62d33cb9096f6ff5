//! TCP's congestion window: how many round trips a message needs.
//!
//! # Models
//! One window per connection, kept by the sender of the responses and set up as the nodes of its
//! cluster are ([`TcpSettings`]). A message of n segments over a window of w takes the rounds w, 2w,
//! 4w ...; a round follows the one before it after a round trip. A message that used its window makes
//! it grow by n. After an idle time of more than a retransmission time-out (round trip + 200 ms) the
//! window is halved once per time-out that has passed, not below the initial one; not so where
//! `net.ipv4.tcp_slow_start_after_idle` is 0, nor under BBR, which keeps its estimate of the bandwidth.
//!
//! Loss, where a link has it: of n segments, each lost with probability p, the first that is lost
//! costs the message a round trip if three segments or more follow it (fast retransmit), else a
//! retransmission time-out. CUBIC goes on with 0.7 times the window that the segments before had made,
//! above which it grows by a segment per round; BBR's window stays.
//!
//! # Assumptions
//! - A message is sent again once at most, after its rounds, whatever else of it is lost. Effect: none
//!   to speak of while n p is small.
//! - Beyond its threshold the window grows by a segment per round, where CUBIC soon grows faster.
//!   Effect: after a loss large messages over long links take a little too many rounds.
//! - After a time-out the window is as after a fast retransmit, where Linux begins at one segment. No
//!   tail loss probe is sent. Requests of one connection do not wait for each other's lost segments
//!   (HTTP/2). Handshakes and acknowledgements are never lost.
//! - HyStart is left out. Effect: at 20 ms, bodies of 500 kB take 6 round trips where 7 to 9 were
//!   measured; at 160 ms up to 500 kB, and at 20 ms up to 200 kB, nothing is missing.
//! - BBR starts as CUBIC does: its start-up doubles per round too. Its pacing, its probes and its drain
//!   are left out.
//! - The receive window (64 kB at first, then tuned) never binds: the first round of a cold
//!   connection is 13 kB. Effect: initial windows of more than 45 segments are taken as they are.
//! - A request's rounds are those of a new connection, however warm it is, for only the sender of responses keeps a
//!   window. Effect: none while requests fit into the initial window (13 kB), as most do; large uploads over kept
//!   connections take a round or two too many. A window is 65,535 segments at
//!   most, 84 MB, many times what a receiver's buffer lets through.
//!
//! # Source
//! RFC 5681, 6298, 6928; Linux net/ipv4: `tcp_slow_start_after_idle_check` (which passes over
//! controls like BBR, `cong_control`), `tcp_cwnd_restart`, `tcp_is_cwnd_limited`, `tcp_cubic.c` (beta of
//! 717/1024). Measured over 160 ms; the table is the test below.

use super::path::Path;
use meshsim_core::elementary::ln_1p;
use meshsim_core::random::{Draw, uniform};
use meshsim_core::{SimDuration, SimTime};

/// Segments that a new connection may send at once, by Linux' default (RFC 6928).
pub const INITIAL_WINDOW: u16 = 10;

/// Linux never waits less than this beyond the round trip before it resends.
pub(super) const RTO_MARGIN: SimDuration = SimDuration::from_millis(200);

/// Segments after a lost one whose acknowledgements tell of the loss (RFC 5681, section 3.2).
const DUPLICATES: u32 = 3;

/// What CUBIC leaves of the window after a loss (RFC 9438, section 4.6).
const CUBIC_BETA: f64 = 0.7;

/// No window is made smaller than this (segments).
const LEAST_WINDOW: u16 = 2;

/// How the nodes of a cluster send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpSettings {
    /// `net.ipv4.tcp_slow_start_after_idle`.
    pub slow_start_after_idle: bool,
    /// `net.ipv4.tcp_congestion_control`.
    pub congestion_control: CongestionControl,
    /// Segments that a new connection may send at once (`initcwnd` of the route).
    pub initial_window: u16,
}

impl Default for TcpSettings {
    /// Linux' own.
    fn default() -> Self {
        Self {
            slow_start_after_idle: true,
            congestion_control: CongestionControl::Cubic,
            initial_window: INITIAL_WINDOW,
        }
    }
}

/// What a sender does after a loss and after idle times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CongestionControl {
    /// CUBIC, Linux' default.
    Cubic,
    /// BBR.
    Bbr,
}

/// The sender's congestion window of one connection. Packed, because every call carries one.
#[repr(Rust, packed(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    segments: u16,
    /// Above it the window grows slowly; `NO_THRESHOLD` until something is lost.
    threshold: u16,
    last_send: SimTime,
}

/// The window grows for ever (segments).
const NO_THRESHOLD: u16 = u16::MAX;

/// A message on its way, round by round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Segments still to be sent.
    pub remaining: u32,
    /// Segments that the next round may send.
    pub round: u32,
}

/// A message's segment that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The segments before it, which arrive.
    pub before: u32,
    /// The segments after it.
    pub after: u32,
}

impl Loss {
    /// The first of `segments` that is lost where each is with probability `p`, if one is.
    #[must_use]
    pub fn draw(p: f64, segments: u32, draw: &mut Draw) -> Option<Self> {
        if p <= 0.0 {
            return None;
        }
        // How many arrive before the first that does not: geometric.
        let before = ln_1p(-uniform(draw)) / ln_1p(-p);
        let lost = before < f64::from(segments);
        lost.then(|| Self { before: before as u32, after: segments - 1 - before as u32 })
    }

    /// How much later the message has arrived.
    #[must_use]
    pub fn costs(self, path: &Path) -> SimDuration {
        if self.after >= DUPLICATES { path.round_trip } else { path.round_trip + RTO_MARGIN }
    }
}

impl Window {
    /// The window of a connection that is made at `now`, of a sender with these settings.
    #[must_use]
    pub const fn new(now: SimTime, tcp: &TcpSettings) -> Self {
        Self { segments: tcp.initial_window, threshold: NO_THRESHOLD, last_send: now }
    }

    /// The window (segments).
    #[must_use]
    pub const fn segments(self) -> u32 {
        self.segments as u32
    }

    /// A message of `segments` segments, of which one may get lost, is to be sent at `now`.
    pub fn start(
        &mut self,
        now: SimTime,
        segments: u32,
        lost: Option<Loss>,
        path: &Path,
        tcp: &TcpSettings,
    ) -> Transfer {
        let is_cubic = tcp.congestion_control == CongestionControl::Cubic;
        if tcp.slow_start_after_idle && is_cubic {
            self.decay(now, path.round_trip + RTO_MARGIN, tcp.initial_window);
        }
        let transfer = Transfer { remaining: segments, round: self.segments() };
        let is_used = self.segments() < segments.saturating_mul(2);
        if is_used {
            // What comes after a loss is a recovery's.
            self.grow(lost.filter(|_| is_cubic).map_or(segments, |it| it.before));
        }
        transfer
    }

    /// The message that was sent last has lost a segment.
    pub fn lose(&mut self, tcp: &TcpSettings) {
        if tcp.congestion_control == CongestionControl::Cubic {
            self.segments = ((f64::from(self.segments) * CUBIC_BETA) as u16).max(LEAST_WINDOW);
            self.threshold = self.segments;
        }
    }

    /// A round of a message leaves at `now`.
    pub fn sent(&mut self, now: SimTime) {
        self.last_send = now;
    }

    /// So many segments are acknowledged.
    fn grow(&mut self, segments: u32) {
        let room = u32::from(self.threshold.saturating_sub(self.segments));
        let reached = self.segments() + segments.min(room);
        // Beyond the threshold, by one per window.
        let further = if segments > room { (segments - room).div_ceil(reached) } else { 0 };
        self.segments = reached.saturating_add(further).min(u32::from(u16::MAX)) as u16;
    }

    fn decay(&mut self, now: SimTime, time_out: SimDuration, initial: u16) {
        let mut idle = now.saturating_since(self.last_send);
        if idle > time_out && self.segments > initial {
            self.threshold = self.threshold.max(self.segments / 2 + self.segments / 4);
        }
        while idle > time_out && self.segments > initial {
            self.segments = (self.segments / 2).max(initial);
            idle = idle.saturating_sub(time_out);
        }
    }
}

impl Transfer {
    /// Sends a round over a connection with this window: how many segments it carries. The last one
    /// leaves nothing remaining.
    pub fn next_round(&mut self, window: &Window, path: &Path) -> u32 {
        // Most messages are one round, whatever the pipe takes.
        let is_last = self.remaining <= self.round || self.fills_pipe(path);
        let now = if is_last { self.remaining } else { self.round };
        self.remaining -= now;
        self.round = match u32::from(window.threshold) {
            _ if window.threshold == NO_THRESHOLD => self.round * 2,
            threshold if self.round < threshold => (self.round * 2).min(threshold),
            _ => self.round + 1,
        };
        now
    }

    /// Whether a round lasts for as long as a round trip: then sending does not stop any more.
    fn fills_pipe(&self, path: &Path) -> bool {
        let in_flight = f64::from(self.round) * f64::from(path.segment_bytes()) * 8.0;
        in_flight >= path.bits_per_second * path.round_trip.as_secs_f64()
    }

    /// Rounds beyond the first.
    #[must_use]
    pub fn further_rounds(mut self, window: &Window, path: &Path) -> u32 {
        let mut rounds = 0;
        self.next_round(window, path);
        while self.remaining > 0 {
            self.next_round(window, path);
            rounds += 1;
        }
        rounds
    }
}

/// How much later than its first round the last one of a request of so many segments leaves.
#[must_use]
pub fn further_rounds_of_request(segments: u32, path: &Path, tcp: &TcpSettings) -> SimDuration {
    if segments <= u32::from(tcp.initial_window) {
        return SimDuration::ZERO;
    }
    let window = Window::new(SimTime::ZERO, tcp);
    let transfer = Transfer { remaining: segments, round: window.segments() };
    path.round_trip * u64::from(transfer.further_rounds(&window, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{Purpose, draw};

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
        send_as(window, now, body, &TcpSettings::default())
    }

    fn send_as(window: &mut Window, now: SimTime, body: u32, tcp: &TcpSettings) -> (u32, SimTime) {
        let transfer = window.start(now, PATH.segments(body + HEADER), None, &PATH, tcp);
        let further = transfer.further_rounds(window, &PATH);
        let last = now + PATH.round_trip * u64::from(further);
        window.sent(last);
        (1 + further, last)
    }

    /// Round trips of a body on a new connection, of the 10th back to back, and after 3 s idle.
    fn round_trips(body: u32, tcp: &TcpSettings) -> [u32; 3] {
        let mut window = Window::new(SimTime::ZERO, tcp);
        let (new, mut last) = send_as(&mut window, SimTime::ZERO, body, tcp);
        let mut kept = 0;
        for _ in 0..9 {
            (kept, last) = send_as(&mut window, last + PATH.round_trip, body, tcp);
        }
        let (idle, _) = send_as(&mut window, last + SimDuration::from_secs(3), body, tcp);
        [new, kept, idle]
    }

    fn new_window() -> Window {
        Window::new(SimTime::ZERO, &TcpSettings::default())
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
            assert_eq!(round_trips(body, &TcpSettings::default()), expected, "{body} bytes");
        }
    }

    #[test]
    fn windows_after_one_message_are_those_measured() {
        for (body, expected) in
            [(13_000, 21), (20_000, 26), (50_000, 49), (100_000, 88), (200_000, 166), (500_000, 399)]
        {
            let mut window = new_window();
            send(&mut window, SimTime::ZERO, body);
            assert_eq!(window.segments(), expected, "{body} bytes");
        }
    }

    #[test]
    fn the_window_halves_once_per_time_out_that_has_passed() {
        let after = |idle_ms: u64| {
            let mut window = Window { segments: 88, ..new_window() };
            let now = SimTime::ZERO + SimDuration::from_millis(idle_ms);
            window.decay(now, SimDuration::from_millis(360), INITIAL_WINDOW);
            window.segments
        };
        assert_eq!([after(360), after(361), after(721), after(1_081), after(9_999)], [88, 44, 22, 11, 10]);
    }

    #[test]
    fn on_a_short_fat_path_a_full_pipe_ends_the_rounds() {
        let local = Path { round_trip: SimDuration::from_micros(200), ..PATH };
        // 25 kB fill the pipe: 13 kB, 26 kB, then all the rest at once.
        let mut window = new_window();
        let transfer = window.start(SimTime::ZERO, 400, None, &local, &TcpSettings::default());
        assert_eq!(transfer.further_rounds(&window, &local), 1);
    }

    /// A node that does not slow start after idle times, or whose control does not, is as fast after 3 s
    /// as back to back; a larger initial window saves the rounds that it holds (RFC 6928: 10, 30, 70, ...
    /// from 10; 30, 90, 210 from 30).
    #[test]
    fn nodes_may_keep_their_windows_and_begin_with_larger_ones() {
        let linux = TcpSettings::default();
        let kept = TcpSettings { slow_start_after_idle: false, ..linux };
        let bbr = TcpSettings { congestion_control: CongestionControl::Bbr, ..linux };
        for (body, [new, back_to_back, _]) in MEASURED {
            for tcp in [kept, bbr] {
                assert_eq!(
                    round_trips(body, &tcp),
                    [new, back_to_back, back_to_back],
                    "{body} bytes, {tcp:?}"
                );
            }
        }
        let wide = TcpSettings { initial_window: 30, ..linux };
        for (body, rounds) in [(20_000, 1), (50_000, 2), (100_000, 2), (200_000, 3)] {
            assert_eq!(round_trips(body, &wide)[0], rounds, "{body} bytes");
            // Idle windows fall back to the initial one, not below.
            assert_eq!(round_trips(body, &wide)[2], rounds, "{body} bytes after idle");
        }
    }

    /// Of n segments the first that is lost is the k-th with probability p (1 - p)^(k - 1): a message sees
    /// a loss with 1 - (1 - p)^n, and a time-out if it is one of the last three.
    #[test]
    fn losses_come_as_often_and_where_independent_segments_are_lost() {
        let (p, trials) = (0.01, 200_000);
        for n in [1, 3, 4, 80] {
            let [mut fast, mut slow] = [0_u32; 2];
            for k in 0..trials {
                let address = meshsim_core::random::Address::root(1, 0).child(k);
                let loss = Loss::draw(p, n, &mut draw(address, Purpose::LossResponse));
                if let Some(loss) = loss {
                    assert_eq!(loss.before + 1 + loss.after, n);
                    let is_fast = loss.costs(&PATH) == PATH.round_trip;
                    assert!(is_fast || loss.costs(&PATH) == PATH.round_trip + RTO_MARGIN);
                    *(if is_fast { &mut fast } else { &mut slow }) += 1;
                }
            }
            let arrives = |segments: u32| (1.0 - p).powi(segments as i32);
            let kept = arrives(n.saturating_sub(DUPLICATES));
            for (count, share) in [(fast, 1.0 - kept), (slow, kept - arrives(n))] {
                let expected = share * trials as f64;
                let distance = (f64::from(count) - expected).abs();
                assert!(
                    distance <= 5.0 * (expected * (1.0 - share)).sqrt(),
                    "n {n}: {count}, not {expected}"
                );
            }
        }
        let address = meshsim_core::random::Address::root(1, 0);
        assert_eq!(Loss::draw(0.0, 80, &mut draw(address, Purpose::LossResponse)), None);
    }

    /// A loss leaves 0.7 of what the segments before it made of the window, and beyond that it grows by
    /// one per round: 70 segments over 28 take 28, 29 and the rest, over an infinite threshold 28 and 42.
    #[test]
    fn after_a_loss_the_window_is_smaller_and_grows_slowly() {
        let linux = TcpSettings::default();
        let lost = Some(Loss { before: 30, after: 39 });
        let mut window = new_window();
        let transfer = window.start(SimTime::ZERO, 70, lost, &PATH, &linux);
        // The rounds of this message are those without the loss.
        assert_eq!(transfer.further_rounds(&window, &PATH), 2);
        window.lose(&linux);
        assert_eq!((window.segments(), window.threshold), (28, 28));
        assert_eq!(window.start(SimTime::ZERO, 70, None, &PATH, &linux).further_rounds(&window, &PATH), 2);
        assert_eq!(window.segments(), 28 + 3);
        let small = |window: &mut Window| window.start(SimTime::ZERO, 20, None, &PATH, &linux);
        assert_eq!(small(&mut window).further_rounds(&window, &PATH), 0);
        assert_eq!(window.segments(), 32);
        // BBR does not mind.
        let bbr = TcpSettings { congestion_control: CongestionControl::Bbr, ..linux };
        let mut window = new_window();
        window.start(SimTime::ZERO, 70, lost, &PATH, &bbr);
        window.lose(&bbr);
        assert_eq!((window.segments(), window.threshold), (80, NO_THRESHOLD));
        // Nothing is left of a small window but two segments.
        let mut window = Window { segments: 2, ..new_window() };
        window.lose(&linux);
        assert_eq!(window.segments(), 2);
    }
}
