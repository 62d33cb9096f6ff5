//! What a gateway can tell users apart by: addresses, headers, cookies.
//!
//! # Models
//! A user has an address of its own, and a connection to the gateway with a port of its own; if
//! users reconnect, each does so from a new port at its own time of the period. A header or query
//! parameter that is personal has each user's own value. A cookie that the gateway makes is kept for
//! its lifetime.
//!
//! # Assumptions
//! A cookie counts from the moment at which the gateway makes it, not from the answer's arrival: all
//! requests of one connection that race have the same anyway.
//!
//! # Source
//! Envoy `hash_policy.cc`; RFC 6265 (cookies).

use super::population::Population;
use crate::envoy::session_affinity::{Downstream, HashPolicy, max_age};
use crate::ids::PodId;
use meshsim_core::{SimDuration, SimTime};
use std::fmt::Write;

/// The sessions of a population's users, and a text for what they are hashed by.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// By user; made at the first cookie.
    cookies: Vec<Option<KeptCookie>>,
    text: String,
    /// By user, where each was last; empty if nobody asks.
    last: Vec<Option<PodId>>,
}

#[derive(Clone, Copy, Debug)]
struct KeptCookie {
    hash: u64,
    expires: SimTime,
}

impl Sessions {
    /// What a user's request is hashed by, if it has that. `number` is the population's.
    pub fn hash(
        &mut self,
        population: &Population,
        number: u32,
        user: u32,
        now: SimTime,
        policy: &HashPolicy,
    ) -> Option<u64> {
        match policy {
            HashPolicy::Header(name) | HashPolicy::QueryParameter(name) => {
                let value = self.value(population, user, name)?;
                policy.affinity(Some(value), UNKNOWN).hash
            }
            HashPolicy::SourceIp => {
                let (ip, _) = self.address(population, number, user, now);
                policy.affinity(None, Downstream { source_ip: ip, ..UNKNOWN }).hash
            }
            HashPolicy::Cookie { ttl, .. } => {
                let kept = self.cookies.get(user as usize).copied().flatten();
                if let Some(cookie) = kept.filter(|cookie| now < cookie.expires) {
                    return Some(cookie.hash);
                }
                let (_, remote) = self.address(population, number, user, now);
                let affinity = policy.affinity(None, Downstream { remote, ..UNKNOWN });
                let hash = affinity.set_cookie?.hash();
                let lives = ttl.and_then(max_age).unwrap_or(SimDuration::from_nanos(u64::MAX));
                self.cookies.resize(population.users as usize, None);
                self.cookies[user as usize] = Some(KeptCookie { hash, expires: now.saturating_add(lives) });
                Some(hash)
            }
        }
    }

    /// A user's request goes to a pod: whether the one before went to another.
    pub fn moves(&mut self, population: &Population, user: u32, pod: PodId) -> bool {
        self.last.resize(population.users as usize, None);
        self.last[user as usize].replace(pod).is_some_and(|before| before != pod)
    }

    /// The value of a user's header or query parameter.
    fn value<'a>(&'a mut self, population: &'a Population, user: u32, name: &str) -> Option<&'a str> {
        if population.personal.iter().any(|personal| personal == name) {
            self.text.clear();
            write!(self.text, "{}-{user}", population.name).expect("a String takes all");
            return Some(&self.text);
        }
        population.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// A user's address, without its port and with it.
    fn address(&mut self, population: &Population, number: u32, user: u32, now: SimTime) -> (&str, &str) {
        let [_, a, b, c] = user.to_be_bytes();
        self.text.clear();
        write!(self.text, "{}.{a}.{b}.{c}", 100 + number % 100).expect("a String takes all");
        let ip = self.text.len();
        let port = 32_768 + connection_number(population, user, now) % 28_000;
        write!(self.text, ":{port}").expect("a String takes all");
        (&self.text[..ip], &self.text)
    }
}

/// The gateway's end.
const UNKNOWN: Downstream<'static> = Downstream { source_ip: "", remote: "", local: "10.255.255.1:80" };

/// How often a user has reconnected.
#[must_use]
pub fn connection_number(population: &Population, user: u32, now: SimTime) -> u32 {
    let Some(period) = population.reconnects_after else { return 0 };
    let period = period.as_nanos().max(1);
    // Users reconnect one after the other.
    let offset = (u128::from(period) * u128::from(user) / u128::from(population.users.max(1))) as u64;
    ((now.as_nanos().saturating_add(offset)) / period) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::population::tests::population;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    #[test]
    fn personal_headers_differ_between_users_and_others_do_not() {
        let (mut sessions, population) = (Sessions::default(), population());
        let mut of =
            |name: &str, user| sessions.hash(&population, 0, user, at(0), &HashPolicy::Header(name.into()));
        assert_ne!(of("x-user", 1), of("x-user", 2));
        assert_eq!(of("x-user", 1), of("x-user", 1));
        assert_eq!(of("x-group", 1), of("x-group", 2));
        assert_eq!(of("x-other", 1), None);
    }

    #[test]
    fn a_session_moves_when_the_pod_is_another() {
        let (mut sessions, population) = (Sessions::default(), population());
        let mut moves = |user, pod| sessions.moves(&population, user, PodId(pod));
        assert_eq!([moves(1, 7), moves(2, 8), moves(1, 7), moves(1, 8)], [false, false, false, true]);
    }

    #[test]
    fn an_address_outlives_a_connection_and_a_cookie_its_lifetime() {
        let (mut sessions, population) = (Sessions::default(), population());
        let mut ip = |seconds| sessions.hash(&population, 0, 5, at(seconds), &HashPolicy::SourceIp);
        assert_eq!(ip(0), ip(1_000));
        let cookie = |ttl| HashPolicy::Cookie { name: "id".into(), ttl, path: String::new() };
        let mut of = |seconds, ttl| {
            sessions.hash(&population, 0, 5, at(seconds), &cookie(Some(SimDuration::from_secs(ttl))))
        };
        // The user reconnects at 50 s, but keeps the cookie until 60 s.
        let first = of(0, 60);
        assert_eq!(of(59, 60), first);
        assert_ne!(of(60, 60), first);
        let mut none = Sessions::default();
        assert_eq!(none.hash(&population, 0, 5, at(0), &cookie(None)), None);
    }
}
