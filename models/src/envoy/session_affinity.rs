//! Session affinity: what of a request is hashed, and over what the hash chooses (`consistentHash` of a
//! DestinationRule).
//!
//! # Models
//! One of a request's header, cookie, query parameter or source address is hashed by xxHash64 with seed
//! 0. A request that does not have it has no hash: Envoy then draws a random number at every choice,
//! which makes the balancer a random one. A request without the cookie is given one if a lifetime is
//! set, 0 included: its value is the hash, as 16 hexadecimal digits, of the downstream connection's two
//! ends with their ports, and the request is hashed by that value already. So requests of one connection
//! that race have one cookie, and those of several connections have several. Without a lifetime nobody
//! but the application makes the cookie. The hash also chooses the priority level
//! ([`choose_priority`](super::priority_load::choose_priority)), as a random number would.
//!
//! `ringHash` is Envoy's RING_HASH and `maglev` its MAGLEV; with neither it is RING_HASH, too. A size of
//! 0 is not set and has Envoy's default. Istio never sets the maximum size of a ring.
//!
//! # Assumptions
//! A header or parameter occurs once (Envoy hashes all values of a header, sorted, and a parameter's
//! first value, undecoded). There is one policy (a route of Istio's has no more), and it is known that
//! the source address counts (`useSourceIp: false` is no policy at all). The caller says what the source
//! address is: at a sidecar that of the pod it serves, so that all requests of a pod have one hash.
//!
//! # Source
//! Envoy `hash_policy.cc`; `router.h`, `addDownstreamSetCookie`; `thread_aware_lb_impl.cc`,
//! `LoadBalancerImpl::chooseHost`; `hex.cc`. Istio `cluster_traffic_policy.go`,
//! `ApplyRingHashLoadBalancer`; `route.go`, `consistentHashToHashPolicy`; `validation.go`,
//! `validateLoadBalancer`; istio/istio#46973 (a cookie needs no lifetime, since 2023).

use super::load_balancer::maglev::{DEFAULT_TABLE_SIZE, MAXIMUM_TABLE_SIZE, is_prime};
use super::load_balancer::ring_hash::{DEFAULT_MAXIMUM_RING_SIZE, DEFAULT_MINIMUM_RING_SIZE};
use meshsim_core::SimDuration;
use std::fmt;
use xxhash_rust::xxh64::{Xxh64, xxh64};

/// What of a request is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashPolicy {
    /// `httpHeaderName`: the value of this header.
    Header(String),
    /// `httpCookie`.
    Cookie {
        /// Its name.
        name: String,
        /// How long a client keeps the cookie that Envoy makes; absent: Envoy makes none.
        ttl: Option<SimDuration>,
        /// For which paths a client sends it; empty: for those beside the one it came from.
        path: String,
    },
    /// `useSourceIp`: the address that the request came from, without its port.
    SourceIp,
    /// `httpQueryParameterName`: the value of this parameter of the query.
    QueryParameter(String),
}

/// Where a request came from, as the proxy that chooses sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downstream<'a> {
    /// The client's address without a port; empty if it has none.
    pub source_ip: &'a str,
    /// The other end of the connection, as in `10.0.0.1:40000`.
    pub remote: &'a str,
    /// The proxy's own end, as in `10.0.0.2:8080`.
    pub local: &'a str,
}

/// What a policy makes of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Affinity {
    /// What chooses the host; absent: a random number does.
    pub hash: Option<u64>,
    /// A cookie that the response sets.
    pub set_cookie: Option<GeneratedCookie>,
}

/// The value of a cookie that Envoy made; it is shown as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratedCookie(u64);

/// `consistentHash` of a DestinationRule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistentHash {
    /// What is hashed.
    pub policy: HashPolicy,
    /// `ringHash` or `maglev`; absent: a ring.
    pub algorithm: Option<HashAlgorithm>,
    /// `minimumRingSize`, deprecated: holds without an algorithm only; 0: not set.
    pub minimum_ring_size: u64,
}

/// How hashes are mapped to hosts, as a DestinationRule says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// `ringHash`.
    RingHash {
        /// `minimumRingSize`; 0: not set.
        minimum_ring_size: u64,
    },
    /// `maglev`.
    Maglev {
        /// `tableSize`; 0: not set, which Istio's validation refuses.
        table_size: u64,
    },
}

/// How hashes are mapped to hosts, as Envoy has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashBalancer {
    /// [`RingHash`](super::load_balancer::RingHash).
    RingHash {
        /// Points that the ring has at least.
        minimum_ring_size: u64,
        /// Points that the ring has at most.
        maximum_ring_size: u64,
    },
    /// [`Maglev`](super::load_balancer::Maglev).
    Maglev {
        /// Entries of the table.
        table_size: u32,
    },
}

/// The hash of a value: xxHash64 with seed 0.
#[must_use]
pub fn hash_value(value: &str) -> u64 {
    xxh64(value.as_bytes(), 0)
}

/// The hash of a request whose header or query parameter has this value, if it has one.
#[must_use]
pub fn hash_optional(value: Option<&str>) -> Option<u64> {
    value.map(hash_value)
}

/// The hash of a request from this address (without a port), if it is known.
#[must_use]
pub fn hash_source_ip(source_ip: &str) -> Option<u64> {
    (!source_ip.is_empty()).then(|| hash_value(source_ip))
}

/// What a request has whose cookie has this value (an empty one is none) where Envoy makes cookies of
/// this lifetime.
#[must_use]
pub fn cookie_affinity(
    value: Option<&str>,
    ttl: Option<SimDuration>,
    downstream: Downstream<'_>,
) -> Affinity {
    let hash = hash_optional(value.filter(|value| !value.is_empty()));
    if hash.is_some() || ttl.is_none() {
        return Affinity { hash, set_cookie: None };
    }
    let cookie = GeneratedCookie::of(downstream.remote, downstream.local);
    Affinity { hash: Some(cookie.hash()), set_cookie: Some(cookie) }
}

/// How long a client keeps a cookie of this lifetime: whole seconds; none if it is 0, a cookie that
/// ends with the client's session.
#[must_use]
pub fn max_age(ttl: SimDuration) -> Option<SimDuration> {
    const SECOND: u64 = 1_000_000_000;
    let seconds = ttl.as_nanos() / SECOND;
    (seconds > 0).then(|| SimDuration::from_secs(seconds))
}

impl HashPolicy {
    /// What a request has whose header, cookie or query parameter (whichever this policy names) has
    /// this value, if any. Allocates nothing.
    #[must_use]
    pub fn affinity(&self, value: Option<&str>, downstream: Downstream<'_>) -> Affinity {
        let hash = match self {
            Self::Header(_) | Self::QueryParameter(_) => hash_optional(value),
            Self::SourceIp => hash_source_ip(downstream.source_ip),
            Self::Cookie { ttl, .. } => return cookie_affinity(value, *ttl, downstream),
        };
        Affinity { hash, set_cookie: None }
    }
}

impl GeneratedCookie {
    /// The cookie of a connection between these two ends (with their ports).
    #[must_use]
    pub fn of(remote: &str, local: &str) -> Self {
        let mut state = Xxh64::new(0);
        state.update(remote.as_bytes());
        state.update(local.as_bytes());
        Self(state.digest())
    }

    /// The hash of a request that has it.
    #[must_use]
    pub fn hash(self) -> u64 {
        let digit = |n: usize| b"0123456789abcdef"[(self.0 >> (60 - 4 * n) & 0xf) as usize];
        xxh64(&std::array::from_fn::<u8, 16, _>(digit), 0)
    }
}

impl fmt::Display for GeneratedCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl ConsistentHash {
    /// What Envoy is told.
    #[must_use]
    pub fn balancer(&self) -> HashBalancer {
        let ring = |size: u64| HashBalancer::RingHash {
            minimum_ring_size: if size == 0 { DEFAULT_MINIMUM_RING_SIZE } else { size },
            maximum_ring_size: DEFAULT_MAXIMUM_RING_SIZE,
        };
        match self.algorithm {
            None => ring(self.minimum_ring_size),
            Some(HashAlgorithm::RingHash { minimum_ring_size }) => ring(minimum_ring_size),
            Some(HashAlgorithm::Maglev { table_size }) => {
                let set = u32::try_from(table_size).ok().filter(|&size| size > 0);
                HashBalancer::Maglev { table_size: set.unwrap_or(DEFAULT_TABLE_SIZE) }
            }
        }
    }

    /// Why Istio's validation refuses it, or else Envoy would; empty: neither does.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if matches!(&self.policy, HashPolicy::Cookie { name, .. } if name.is_empty()) {
            problems.push("a cookie has a name".to_owned());
        }
        if self.minimum_ring_size != 0 && self.algorithm.is_some() {
            problems.push("minimumRingSize is set beside an algorithm".to_owned());
        }
        let minimum = match self.algorithm {
            Some(HashAlgorithm::RingHash { minimum_ring_size }) => minimum_ring_size,
            _ => self.minimum_ring_size,
        };
        if minimum > DEFAULT_MAXIMUM_RING_SIZE {
            problems.push(format!("minimumRingSize is at most {DEFAULT_MAXIMUM_RING_SIZE}"));
        }
        if let Some(HashAlgorithm::Maglev { table_size }) = self.algorithm {
            if table_size == 0 {
                problems.push("maglev has a tableSize".to_owned());
            } else if table_size >= u64::from(MAXIMUM_TABLE_SIZE) {
                problems.push(format!("tableSize is less than {MAXIMUM_TABLE_SIZE}"));
            } else if !is_prime(table_size) {
                problems.push("tableSize is a prime number".to_owned());
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: Downstream<'_> =
        Downstream { source_ip: "10.0.0.1", remote: "10.0.0.1:40000", local: "10.0.0.2:8080" };
    const NONE: Affinity = Affinity { hash: None, set_cookie: None };

    fn hashed(hash: u64) -> Affinity {
        Affinity { hash: Some(hash), set_cookie: None }
    }

    fn cookie(ttl: Option<SimDuration>) -> HashPolicy {
        HashPolicy::Cookie { name: "session".to_owned(), ttl, path: String::new() }
    }

    fn setting(algorithm: Option<HashAlgorithm>, minimum_ring_size: u64) -> ConsistentHash {
        ConsistentHash { policy: HashPolicy::SourceIp, algorithm, minimum_ring_size }
    }

    #[test]
    fn the_hash_is_xxhash64() {
        // Values that are published for it.
        assert_eq!(hash_value(""), 0xef46_db37_51d8_e999);
        assert_eq!(hash_value("a"), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(hash_value("abc"), 0x44bc_2cf5_ad77_0999);
    }

    #[test]
    fn a_header_or_parameter_is_hashed_if_it_is_there_even_empty() {
        for policy in [HashPolicy::Header("user".to_owned()), HashPolicy::QueryParameter("user".to_owned())] {
            assert_eq!(policy.affinity(Some("ann"), FROM), hashed(hash_value("ann")));
            assert_eq!(policy.affinity(Some(""), FROM), hashed(hash_value("")));
            assert_eq!(policy.affinity(None, FROM), NONE);
        }
    }

    #[test]
    fn the_port_of_the_source_does_not_count() {
        let other = Downstream { remote: "10.0.0.1:40001", ..FROM };
        let affinity = HashPolicy::SourceIp.affinity(None, FROM);
        assert_eq!(affinity, hashed(hash_value("10.0.0.1")));
        assert_eq!(HashPolicy::SourceIp.affinity(None, other), affinity);
        assert_eq!(HashPolicy::SourceIp.affinity(None, Downstream { source_ip: "", ..FROM }), NONE);
    }

    #[test]
    fn a_cookie_that_is_there_is_hashed() {
        for ttl in [None, Some(SimDuration::ZERO), Some(SimDuration::from_secs(60))] {
            assert_eq!(cookie(ttl).affinity(Some("ann"), FROM), hashed(hash_value("ann")));
        }
    }

    #[test]
    fn without_a_lifetime_no_cookie_is_made() {
        assert_eq!(cookie(None).affinity(None, FROM), NONE);
        assert_eq!(cookie(None).affinity(Some(""), FROM), NONE);
    }

    #[test]
    fn a_cookie_is_made_of_the_connection_and_holds_from_the_first_request_on() {
        for ttl in [SimDuration::ZERO, SimDuration::from_secs(60)] {
            let policy = cookie(Some(ttl));
            let first = policy.affinity(None, FROM);
            let made = first.set_cookie.expect("a cookie");
            let value = made.to_string();
            assert_eq!(value, format!("{:016x}", hash_value("10.0.0.1:4000010.0.0.2:8080")));
            assert_eq!(first.hash, Some(hash_value(&value)));
            assert_eq!(policy.affinity(Some(""), FROM), first);
            // The next request has it, over whichever connection.
            let other = Downstream { remote: "10.0.0.1:40001", ..FROM };
            assert_eq!(policy.affinity(Some(&value), other), hashed(made.hash()));
            // One that races over another connection has another.
            assert_ne!(policy.affinity(None, other).set_cookie, Some(made));
        }
    }

    #[test]
    fn a_made_cookie_has_all_its_zeros() {
        let made = GeneratedCookie(0xab);
        assert_eq!(made.to_string(), "00000000000000ab");
        assert_eq!(made.hash(), hash_value("00000000000000ab"));
    }

    #[test]
    fn a_lifetime_is_whole_seconds_or_the_session() {
        assert_eq!(max_age(SimDuration::from_millis(2_900)), Some(SimDuration::from_secs(2)));
        assert_eq!([0, 900].map(|millis| max_age(SimDuration::from_millis(millis))), [None, None]);
    }

    #[test]
    fn sizes_are_those_set_or_envoys() {
        let ring = |minimum_ring_size| HashBalancer::RingHash {
            minimum_ring_size,
            maximum_ring_size: DEFAULT_MAXIMUM_RING_SIZE,
        };
        let ring_hash = |minimum_ring_size| Some(HashAlgorithm::RingHash { minimum_ring_size });
        let maglev = |table_size| Some(HashAlgorithm::Maglev { table_size });
        for (algorithm, deprecated, balancer) in [
            (None, 0, ring(1024)),
            (None, 10, ring(10)),
            (ring_hash(0), 0, ring(1024)),
            (ring_hash(10), 0, ring(10)),
            (maglev(0), 0, HashBalancer::Maglev { table_size: 65_537 }),
            (maglev(251), 0, HashBalancer::Maglev { table_size: 251 }),
        ] {
            assert_eq!(setting(algorithm, deprecated).balancer(), balancer);
        }
    }

    #[test]
    fn what_istio_refuses_is_a_problem() {
        let maglev = |table_size| Some(HashAlgorithm::Maglev { table_size });
        let ring_hash = |minimum_ring_size| Some(HashAlgorithm::RingHash { minimum_ring_size });
        for (algorithm, deprecated, problem) in [
            (maglev(0), 0, "maglev has a tableSize"),
            (maglev(8), 0, "tableSize is a prime number"),
            (maglev(5_000_011), 0, "tableSize is less than 5000011"),
            (maglev(251), 1, "minimumRingSize is set beside an algorithm"),
            (ring_hash(8_388_609), 0, "minimumRingSize is at most 8388608"),
            (None, 8_388_609, "minimumRingSize is at most 8388608"),
        ] {
            assert_eq!(setting(algorithm, deprecated).problems(), [problem]);
        }
        for (algorithm, deprecated) in [(None, 0), (None, 1), (ring_hash(1), 0), (maglev(4_999_999), 0)] {
            assert_eq!(setting(algorithm, deprecated).problems(), [""; 0]);
        }
        let policy = HashPolicy::Cookie { name: String::new(), ttl: None, path: String::new() };
        assert_eq!(ConsistentHash { policy, ..setting(None, 0) }.problems(), ["a cookie has a name"]);
    }
}
