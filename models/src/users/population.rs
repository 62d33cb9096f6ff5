//! The users of one cluster's ingress gateway.
//!
//! # Models
//! A population has N identities. Under Poisson arrivals a request is any user's, as if the users
//! were independent; otherwise they take turns. Each user keeps its connection to the gateway,
//! whose congestion window lives on between its requests; who gives up closes it (`cluster/outbound/give_up`).
//! The users of a closed loop may stop after so many requests each, as those of a load generator
//! that is told how many to send (`fortio -n`, `hey -n`, `ab -n`, k6's iterations).
//!
//! # Assumptions
//! A user whose last answer is still under way sends the next request beside it on a connection
//! that is as warm. Effect: none unless a user has more than one request in flight.

use super::arrivals::Arrivals;
use super::requests::Requests;
use super::retries::Retries;
use crate::ids::ClusterId;
use crate::network::link::serialization;
use crate::network::path::{Path, REQUEST_HEADER, stream_bytes};
use crate::network::tcp::{TcpSettings, Window, further_rounds_of_request};
use meshsim_core::{SimDuration, SimTime};
use serde::{Deserialize, Serialize};

/// A population as it is described.
#[derive(Clone, Debug)]
pub struct Population {
    /// Its name.
    pub name: String,
    /// The cluster whose gateway it uses, until it moves.
    pub cluster: ClusterId,
    /// What it requests.
    pub requests: Requests,
    /// Identities.
    pub users: u32,
    /// When they send.
    pub arrivals: Arrivals,
    /// Between a user and the gateway.
    pub access: Path,
    /// Headers of every request, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Headers and query parameters whose value is each user's own, with names in lower case.
    pub personal: Vec<String>,
    /// After how long a user opens a new connection, from a new port; absent: never.
    pub reconnects_after: Option<SimDuration>,
    /// Whether it is counted how often a user's request goes to another endpoint than the one before.
    pub counts_session_moves: bool,
    /// How its users move to other clusters.
    pub moves: Vec<Move>,
    /// How long a user waits for the last byte of an answer to an attempt; absent: for ever.
    pub timeout: Option<SimDuration>,
    /// What a user does when a request fails; absent: it goes on.
    pub retries: Option<Retries>,
    /// How many requests each user of a closed loop sends before it stops; absent: it never does.
    pub requests_each: Option<u32>,
    /// What its users do when their gateway takes nobody in.
    pub on_ingress_loss: OnIngressLoss,
}

/// What users do whose gateway takes nobody in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnIngressLoss {
    /// They try it there, and fail.
    #[default]
    Fail,
    /// They are led to another cluster's gateway, as by a name server that looks after both, and come back
    /// as long after their own is there again. Those of an open loop who stay at home do.
    To {
        /// Whose.
        cluster: ClusterId,
        /// How long after the loss.
        after: SimDuration,
        /// How much longer their round trip to that gateway is than to their own.
        farther: SimDuration,
    },
}

/// A part of a population moves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// When the first one moves.
    pub begins: SimTime,
    /// How long it takes until the last one has.
    pub over: SimDuration,
    /// From where.
    pub from: ClusterId,
    /// To where.
    pub to: ClusterId,
    /// Which part of those that are there.
    pub share: f64,
}

impl Population {
    /// Whether any of its users is ever at a cluster.
    #[must_use]
    pub fn visits(&self, cluster: ClusterId) -> bool {
        self.visited().any(|it| it == cluster)
    }

    /// The clusters at which its users are at some time; one may come several times.
    pub fn visited(&self) -> impl Iterator<Item = ClusterId> {
        std::iter::once(self.cluster).chain(self.moves.iter().map(|it| it.to))
    }

    /// What lies between its users and the gateway of a cluster.
    #[must_use]
    #[inline]
    pub fn access_to(&self, gateway: ClusterId) -> Path {
        match self.on_ingress_loss {
            OnIngressLoss::To { cluster, farther, .. } if cluster == gateway && cluster != self.cluster => {
                Path {
                    round_trip: self.access.round_trip + farther,
                    one_way: self.access.one_way + farther / 2,
                    ..self.access
                }
            }
            OnIngressLoss::Fail | OnIngressLoss::To { .. } => self.access,
        }
    }

    /// Users are led to another gateway while their own takes nobody in, from when to when.
    pub fn lose_ingress(&mut self, losses: &[(SimTime, SimTime)]) {
        let OnIngressLoss::To { cluster, after, .. } = self.on_ingress_loss else { return };
        let goes = |begins: SimTime, from, to| Move {
            begins: begins.saturating_add(after),
            over: SimDuration::ZERO,
            from,
            to,
            share: 1.0,
        };
        // What is shorter is over before anybody is led away.
        for &(begins, ends) in losses.iter().filter(|(begins, ends)| begins.saturating_add(after) < *ends) {
            self.moves.push(goes(begins, self.cluster, cluster));
            if ends < SimTime::MAX {
                self.moves.push(goes(ends, cluster, self.cluster));
            }
        }
    }

    /// Whether the user of a closed loop who would send this request still does: users take turns.
    #[must_use]
    pub fn sends(&self, number: u64) -> bool {
        self.requests_each.is_none_or(|each| number / u64::from(self.users.max(1)) < u64::from(each))
    }

    /// Expected requests before `end`, if nothing slows the users down.
    #[must_use]
    pub fn expected(&self, end: SimTime) -> f64 {
        let all = self.requests_each.map_or(f64::INFINITY, |each| f64::from(self.users) * f64::from(each));
        self.arrivals.expected(self.users, end).min(all)
    }
}

/// The connections of a population's users to their gateway.
#[derive(Clone, Debug)]
pub struct AccessConnections {
    windows: Vec<Option<Window>>,
    /// How often each user has reconnected; empty if none ever does.
    numbers: Vec<u32>,
}

impl AccessConnections {
    /// No user has connected yet.
    #[must_use]
    pub fn new(users: u32) -> Self {
        Self { windows: vec![None; users as usize], numbers: Vec::new() }
    }

    /// A user is on its connection of this number, counted from 0: another one than before is new.
    pub fn reconnect(&mut self, user: u32, number: u32) {
        self.numbers.resize(self.windows.len(), 0);
        let before = &mut self.numbers[user as usize];
        if *before != number {
            *before = number;
            self.windows[user as usize] = None;
        }
    }

    /// A user has closed its connection.
    pub fn close(&mut self, user: u32) {
        self.windows[user as usize] = None;
    }

    /// How long a user's request with a body of so many bytes needs to the gateway, whose node sends as `tcp` says; the
    /// first one also connects.
    pub fn send(
        &mut self,
        user: u32,
        now: SimTime,
        body: u32,
        access: &Path,
        tcp: &TcpSettings,
    ) -> SimDuration {
        let window = &mut self.windows[user as usize];
        let way = access.one_way + upload(body, access, tcp);
        if window.is_some() {
            return way;
        }
        *window = Some(Window::new(now, tcp));
        access.round_trip + way
    }

    /// When the last byte of an answer of `stream_bytes` that leaves the gateway now reaches the
    /// user.
    pub fn answer(
        &mut self,
        user: u32,
        now: SimTime,
        stream_bytes: u32,
        access: &Path,
        tcp: &TcpSettings,
    ) -> SimTime {
        let segments = access.segments(stream_bytes);
        let window = self.windows[user as usize].get_or_insert(Window::new(now, tcp));
        let transfer = window.start(now, segments, None, access, tcp);
        let last = now + access.round_trip * u64::from(transfer.further_rounds(window, access));
        window.sent(last);
        let wire = f64::from(access.wire_bytes(stream_bytes, segments));
        last + access.one_way + serialization(wire, access.bits_per_second)
    }
}

/// How long the body of a request takes beyond the way of its first byte. What has none fits into a segment, whose
/// time is left out.
fn upload(body: u32, access: &Path, tcp: &TcpSettings) -> SimDuration {
    if body == 0 {
        return SimDuration::ZERO;
    }
    let stream = stream_bytes(REQUEST_HEADER, body, false);
    let segments = access.segments(stream);
    let wire = f64::from(access.wire_bytes(stream, segments));
    further_rounds_of_request(segments, access, tcp) + serialization(wire, access.bits_per_second)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ids::EndpointId;

    /// Ten users of cluster 0, who all have what users can have.
    pub(in crate::users) fn population() -> Population {
        Population {
            name: "edge1".into(),
            cluster: ClusterId(0),
            requests: Requests::only(EndpointId(0)),
            users: 10,
            arrivals: Arrivals::Constant { per_second: 1.0 },
            access: Path {
                round_trip: SimDuration::ZERO,
                one_way: SimDuration::ZERO,
                bits_per_second: 1e9,
                mtu: 1500,
                tunnel_overhead: 0,
            },
            headers: vec![("x-group".into(), "beta".into())],
            personal: vec!["x-user".into()],
            reconnects_after: Some(SimDuration::from_secs(100)),
            counts_session_moves: true,
            moves: Vec::new(),
            timeout: None,
            retries: None,
            requests_each: None,
            on_ingress_loss: OnIngressLoss::Fail,
        }
    }

    #[test]
    fn users_are_led_away_and_come_back_unless_the_loss_is_short() {
        let second = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
        let (after, farther) = (SimDuration::from_secs(30), SimDuration::from_millis(160));
        let on_ingress_loss = OnIngressLoss::To { cluster: ClusterId(1), after, farther };
        let mut population = Population { on_ingress_loss, ..population() };
        population.lose_ingress(&[
            (second(100), second(130)),
            (second(200), second(300)),
            (second(400), SimTime::MAX),
        ]);
        let moves: Vec<_> = population.moves.iter().map(|it| (it.begins, it.from.0, it.to.0)).collect();
        assert_eq!(moves, [(second(230), 0, 1), (second(330), 1, 0), (second(430), 0, 1)]);
        assert_eq!(
            [0, 1].map(|it| population.access_to(ClusterId(it)).round_trip),
            [SimDuration::ZERO, farther]
        );
    }

    #[test]
    fn each_user_sends_so_many_and_stops() {
        let population = Population { requests_each: Some(3), ..population() };
        let sent = |user: u64| (0..9).filter(|round| population.sends(user + 10 * round)).count();
        assert_eq!((0..10).map(sent).collect::<Vec<_>>(), [3; 10]);
        let end = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
        assert_eq!([20, 1_000].map(|seconds| population.expected(end(seconds))), [20.0, 30.0]);
    }

    #[test]
    fn the_first_request_of_a_user_connects_and_its_first_answer_is_slow() {
        let access = Path {
            round_trip: SimDuration::from_millis(20),
            one_way: SimDuration::from_millis(10),
            bits_per_second: 1e12,
            mtu: 1500,
            tunnel_overhead: 0,
        };
        let (mut users, tcp) = (AccessConnections::new(2), TcpSettings::default());
        let ms = SimDuration::from_millis;
        assert_eq!(users.send(1, SimTime::ZERO, 0, &access, &tcp), ms(30));
        let now = SimTime::ZERO + ms(100);
        let took = users.answer(1, now, 100_000, &access, &tcp) - now;
        assert!(took >= ms(50) && took < ms(51), "{took}: 70 segments take 10, 20 and 40");
        let later = now + ms(120);
        assert_eq!(users.send(1, later, 0, &access, &tcp), ms(10));
        assert!(users.answer(1, later, 100_000, &access, &tcp) - later < ms(11), "the window has grown");
    }
}
