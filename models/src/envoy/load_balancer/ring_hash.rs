//! RING_HASH: a request goes to the first point of a ring that is not before its hash.
//!
//! # Models
//! Every host has points on a ring of 64-bit numbers, `key_0`, `key_1`, and so on, each hashed by
//! xxHash64 with seed 0. The host of the least weight has a whole number of points, so that the ring
//! has at least the minimum size, unless it would then exceed the maximum size. Others have points in
//! proportion, counted by a running sum. A host of no weight has none. A host that is chosen again
//! because the one before was rejected is the next point of the ring, which may be of the same host.
//!
//! A host that leaves takes only its own requests with it *if the others keep their number of points*.
//! With a fixed minimum size they mostly do not: of 10 equal hosts with 103 points each, 9 are left with
//! 114 each, and the new points take requests from other hosts, too. On average about 2 / hosts of all
//! requests move then, not 1 / hosts. The same holds for a host that comes in.
//!
//! # Assumptions
//! Hosts are one list: under locality weights, a host's weight is its own times its locality's part.
//! Envoy normalises these in two steps, which may round differently. Effect: at most a point or two.
//! The order of the list matters where numbers of points are not whole (the running sum decides which
//! host gets a point more), and for equal hashes of two points (the first of the list goes first; in
//! Envoy either). Hosts whose keys are equal have equal points: the first one has all requests.
//! No bounded loads (`hash_balance_factor`), which Istio does not set.
//!
//! # Source
//! Envoy `ring_hash_lb.cc`, `Ring::Ring` and `Ring::chooseHost`; `thread_aware_lb_impl.cc`,
//! `normalizeHostWeights`. Points in tests are those of `ring_hash_lb_test.cc`.

use std::fmt::Write;
use xxhash_rust::xxh64::xxh64;

/// Envoy's default `minimum_ring_size`.
pub const DEFAULT_MINIMUM_RING_SIZE: u64 = 1024;

/// Envoy's default `maximum_ring_size`, which is also the greatest that it takes.
pub const DEFAULT_MAXIMUM_RING_SIZE: u64 = 8 << 20;

/// A host as a hashing load balancer sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HashedHost<'a> {
    /// What is hashed: its address with its port, as in `10.0.0.1:8080`.
    pub key: &'a str,
    /// Its load balancing weight; hosts of weight 0 get nothing.
    pub weight: f64,
}

/// The ring; it does not change, so all workers of all proxies that see the same hosts can share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingHash {
    /// In order, with `hosts` beside it: a search touches nothing but hashes.
    hashes: Vec<u64>,
    hosts: Vec<u32>,
}

impl RingHash {
    /// The ring of these hosts.
    ///
    /// # Panics
    /// If the minimum size exceeds the maximum size, which Envoy refuses.
    #[must_use]
    pub fn new(hosts: &[HashedHost<'_>], minimum_ring_size: u64, maximum_ring_size: u64) -> Self {
        assert!(
            minimum_ring_size <= maximum_ring_size,
            "a ring of at least {minimum_ring_size} and at most {maximum_ring_size}"
        );
        let weights = normalized(hosts);
        let Some(least) = weights.iter().map(|&(_, weight)| weight).min_by(f64::total_cmp) else {
            return Self::default();
        };
        let scale = ((least * minimum_ring_size as f64).ceil() / least).min(maximum_ring_size as f64);
        let mut points: Vec<(u64, u32)> = Vec::with_capacity(scale.ceil() as usize);
        let mut name = String::new();
        let mut target = 0.0;
        for (host, weight) in weights {
            target += scale * weight;
            let first = points.len();
            while (points.len() as f64) < target {
                name.clear();
                write!(name, "{}_{}", hosts[host].key, points.len() - first).expect("a String takes all");
                points.push((xxh64(name.as_bytes(), 0), host as u32));
            }
        }
        // Stable: of equal hashes the first host of the list goes first.
        points.sort_by_key(|&(hash, _)| hash);
        let (hashes, hosts) = points.into_iter().unzip();
        Self { hashes, hosts }
    }

    /// The host of a hash, as an index into the list that the ring was made of. `attempt` counts the
    /// hosts that were rejected before for this choice: 0 unless a retry must avoid hosts.
    ///
    /// # Panics
    /// If no host has a point.
    #[must_use]
    pub fn pick(&self, hash: u64, attempt: u32) -> usize {
        // Past the last point the ring begins anew. Envoy's search (ketama's) ends at the same point.
        let point = self.hashes.partition_point(|&at| at < hash) % self.len();
        self.hosts[(point + attempt as usize) % self.len()] as usize
    }

    /// Points on the ring.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is nothing to pick.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Points of one host.
    #[must_use]
    pub fn points_of(&self, host: usize) -> usize {
        self.hosts.iter().filter(|&&at| at as usize == host).count()
    }
}

/// The hosts that have a weight, each with its part of all weight.
pub(super) fn normalized(hosts: &[HashedHost<'_>]) -> Vec<(usize, f64)> {
    let weighted = hosts.iter().enumerate().filter(|(_, host)| host.weight > 0.0);
    let sum: f64 = weighted.clone().map(|(_, host)| host.weight).sum();
    weighted.map(|(index, host)| (index, host.weight / sum)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(ports: impl IntoIterator<Item = u32>) -> Vec<String> {
        ports.into_iter().map(|port| format!("127.0.0.1:{port}")).collect()
    }

    fn equal(keys: &[String]) -> Vec<HashedHost<'_>> {
        keys.iter().map(|key| HashedHost { key, weight: 1.0 }).collect()
    }

    fn ring(keys: &[String], minimum: u64) -> RingHash {
        RingHash::new(&equal(keys), minimum, DEFAULT_MAXIMUM_RING_SIZE)
    }

    fn points(ring: &RingHash) -> Vec<(u32, u64)> {
        ring.hosts.iter().copied().zip(ring.hashes.iter().copied()).collect()
    }

    /// Hashes of sessions.
    fn sessions(count: u64) -> impl Iterator<Item = u64> {
        (0..count).map(|session| xxh64(&session.to_le_bytes(), 0))
    }

    #[test]
    fn six_equal_hosts_have_the_points_of_envoys_own_test() {
        let ring = ring(&keys(90..96), 12);
        let published = [
            (4, 833_437_586_790_550_860),
            (2, 928_266_305_478_181_108),
            (0, 1_033_482_794_131_418_490),
            (5, 3_551_244_743_356_806_947),
            (3, 3_851_675_632_748_031_481),
            (1, 5_583_722_120_771_150_861),
            (1, 6_311_230_543_546_372_928),
            (3, 7_700_377_290_971_790_572),
            (5, 13_144_177_310_400_110_813),
            (2, 13_444_792_449_719_432_967),
            (4, 15_516_499_411_664_133_160),
            (0, 16_117_243_373_044_804_889),
        ];
        assert_eq!(points(&ring), published);
        // At a point, after it, before the first and after the last.
        assert_eq!(ring.pick(3_551_244_743_356_806_947, 0), 5);
        assert_eq!(ring.pick(3_551_244_743_356_806_948, 0), 3);
        assert_eq!(ring.pick(16_117_243_373_044_804_880, 0), 0);
        assert_eq!([0, u64::MAX].map(|hash| ring.pick(hash, 0)), [4, 4]);
    }

    #[test]
    fn a_rejected_host_gives_way_to_the_next_place() {
        let ring = ring(&keys(90..96), 12);
        assert_eq!([0, 1, 2, 12, 13].map(|attempt| ring.pick(0, attempt)), [4, 2, 0, 4, 2]);
        // Not before the point that comes after the last one, either.
        assert_eq!([0, 1].map(|attempt| ring.pick(u64::MAX, attempt)), [4, 2]);
    }

    #[test]
    fn names_of_hosts_can_be_hashed_in_place_of_addresses() {
        let names: Vec<_> = (90..96).map(|name| name.to_string()).collect();
        let first_and_last = [(5, 1_975_508_444_536_362_413), (4, 15_364_271_037_087_512_980)];
        let points = points(&ring(&names, 12));
        assert_eq!([points[0], points[11]], first_and_last);
    }

    #[test]
    fn every_host_has_a_whole_number_of_places() {
        let ring = ring(&keys([80, 81]), 3);
        let published = [
            (0, 5_454_692_015_285_649_509),
            (1, 7_859_399_908_942_313_493),
            (0, 13_838_424_394_637_650_569),
            (1, 16_064_866_803_292_627_174),
        ];
        assert_eq!(points(&ring), published);
    }

    #[test]
    fn places_are_in_proportion_to_weights() {
        let keys = keys(90..93);
        let hosts: Vec<_> =
            keys.iter().zip([1.0, 2.0, 3.0]).map(|(key, weight)| HashedHost { key, weight }).collect();
        let published = [
            (2, 928_266_305_478_181_108),
            (2, 4_443_673_547_860_492_590),
            (1, 5_583_722_120_771_150_861),
            (1, 6_311_230_543_546_372_928),
            (2, 13_444_792_449_719_432_967),
            (0, 16_117_243_373_044_804_889),
        ];
        assert_eq!(points(&RingHash::new(&hosts, 6, 6)), published);

        // 24 000 points, so a host's part has a standard deviation of at most about 0.5 %.
        let large = RingHash::new(&hosts, 24_000, DEFAULT_MAXIMUM_RING_SIZE);
        let mut counts = [0_u32; 3];
        sessions(60_000).for_each(|hash| counts[large.pick(hash, 0)] += 1);
        for (count, exact) in counts.into_iter().zip([10_000.0, 20_000.0, 30_000.0]) {
            assert!((f64::from(count) - exact).abs() < 1_000.0, "{counts:?}");
        }
    }

    #[test]
    fn a_maximum_size_cuts_and_the_running_sum_decides_who_has_more() {
        let keys = keys(90..94);
        let ring = RingHash::new(&equal(&keys), 6, 6);
        assert_eq!([0, 1, 2, 3].map(|host| ring.points_of(host)), [2, 1, 2, 1]);
        // So the order of the list matters.
        let turned: Vec<_> = equal(&keys).into_iter().rev().collect();
        let ring = RingHash::new(&turned, 6, 6);
        assert_eq!([3, 2, 1, 0].map(|host| ring.points_of(host)), [1, 2, 1, 2]);
    }

    #[test]
    fn a_host_of_no_weight_has_no_place() {
        let keys = keys([80, 81]);
        let mut hosts = equal(&keys);
        hosts[0].weight = 0.0;
        let ring = RingHash::new(&hosts, 8, 8);
        assert_eq!([ring.points_of(0), ring.points_of(1), ring.len()], [0, 8, 8]);
        hosts[1].weight = 0.0;
        assert!(RingHash::new(&hosts, 8, 8).is_empty());
    }

    #[test]
    #[should_panic(expected = "a ring of at least 20 and at most 10")]
    fn a_minimum_above_the_maximum_is_refused() {
        let _ = RingHash::new(&[], 20, 10);
    }

    #[test]
    fn with_a_fixed_minimum_size_a_leaving_host_moves_about_twice_its_part() {
        let all = keys(8_000..8_010);
        let before = ring(&all, DEFAULT_MINIMUM_RING_SIZE);
        let after = ring(&all[..9], DEFAULT_MINIMUM_RING_SIZE);
        assert_eq!([before.points_of(0), after.points_of(0)], [103, 114]);
        let count = 50_000;
        let moved = sessions(count).filter(|&hash| before.pick(hash, 0) != after.pick(hash, 0)).count();
        let stayed_up = |hash| before.pick(hash, 0) != 9 && before.pick(hash, 0) != after.pick(hash, 0);
        let needless = sessions(count).filter(|&hash| stayed_up(hash)).count();
        // 11 of 114 points of 9 hosts are new, and 8 of 9 times take from another host: 0.077.
        let part = |n: usize| n as f64 / count as f64;
        assert!((0.055..0.10).contains(&part(needless)), "{}", part(needless));
        assert!((0.14..0.21).contains(&part(moved)), "{}", part(moved));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Leaving and coming in are the same two rings, read either way.
        #[test]
        fn where_numbers_of_places_stay_only_the_requests_of_the_host_move(
            hosts in 2_u32..40, leaves in any::<prop::sample::Index>(), port in 1_000_u32..60_000
        ) {
            const POINTS: u64 = 64;
            let all = keys(port..port + hosts);
            let leaves = leaves.index(all.len());
            let mut left = all.clone();
            left.remove(leaves);
            // Sizes that are rounded up to 64 points per host.
            let size = |hosts: usize| POINTS * hosts as u64 - hosts as u64 / 2;
            let (before, after) = (ring(&all, size(all.len())), ring(&left, size(left.len())));
            let same = |ring: &RingHash, n: usize| (0..n).all(|host| ring.points_of(host) == POINTS as usize);
            prop_assert!(same(&before, all.len()) && same(&after, left.len()));

            let mut moved = 0;
            for hash in sessions(4_000) {
                let (old, new) = (&all[before.pick(hash, 0)], &left[after.pick(hash, 0)]);
                prop_assert_eq!(old != new, *old == all[leaves]);
                moved += u32::from(old != new);
            }
            // A part's standard deviation is about 1 / 8 of it, and as much again from 4 000 sessions.
            let expected = 4_000.0 / f64::from(hosts);
            let off = f64::from(moved) - expected;
            prop_assert!(off.abs() < 5.0 * (expected / 8.0).hypot(expected.sqrt()), "{moved} {expected}");
        }

        #[test]
        fn the_same_hash_has_the_same_host_whatever_the_order_of_equal_hosts(
            hosts in 1_u32..20, turn in 0_usize..20, hash in any::<u64>(), attempt in 0_u32..4
        ) {
            let all = keys(8_000..8_000 + hosts);
            let mut turned = all.clone();
            turned.rotate_left(turn % all.len());
            // Whole numbers of points: 16 per host.
            let size = u64::from(hosts) * 16 - u64::from(hosts) / 2;
            let (one, other) = (ring(&all, size), ring(&turned, size));
            prop_assert_eq!(&all[one.pick(hash, attempt)], &turned[other.pick(hash, attempt)]);
            prop_assert_eq!(one.pick(hash, attempt), one.pick(hash, attempt));
        }
    }
}
