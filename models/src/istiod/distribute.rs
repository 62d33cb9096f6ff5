//! Istio's `distribute`: explicit weights for localities.
//!
//! # Models
//! The first entry whose `from` matches the proxy holds; if none does, weights stay. Each target's
//! weight is shared over the localities that it matches by their own weights (1 if unset), rounded
//! up, so that the sum may exceed 100. Localities that no target matches lose their endpoints. A
//! part of a pattern that is `*`, empty or missing matches anything, except that the region must
//! be `*` for that. A locality matched by two targets belongs to the first one (in Istio to either).
//! A share of 0 leaves the locality's old weight: a quirk of Istio's.
//!
//! # Source
//! Istio `loadbalancer.go`, `applyLocalityWeights`; `pilot/pkg/networking/util/util.go`,
//! `LocalityMatch`.

use super::locality_priority::Locality;

/// An entry of `distribute`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribute {
    /// Which proxies it is for.
    pub from: String,
    /// Where their traffic goes: a pattern and its weight.
    pub to: Vec<(String, u32)>,
}

/// What becomes of a locality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// It keeps the weight that it has, if any.
    Unchanged,
    /// It has this weight.
    Weight(u32),
    /// Its endpoints are removed.
    Removed,
}

/// Whether a locality matches a pattern such as `region1/*`.
#[must_use]
pub fn matches(locality: &Locality, pattern: &str) -> bool {
    let pattern = Locality::from(pattern);
    let part = |pattern: &str, part: &str| pattern == "*" || pattern.is_empty() || pattern == part;
    (pattern.region == "*" || pattern.region == locality.region)
        && part(&pattern.zone, &locality.zone)
        && part(&pattern.subzone, &locality.subzone)
}

/// What `entries` make of localities (each with its weight) for a proxy at `proxy`; none if no
/// entry is for it.
#[must_use]
pub fn distribute(
    proxy: &Locality,
    entries: &[Distribute],
    localities: &[(Locality, Option<u32>)],
) -> Option<Vec<Share>> {
    let entry = entries.iter().find(|entry| matches(proxy, &entry.from))?;
    let target_of = |locality: &Locality| entry.to.iter().position(|(to, _)| matches(locality, to));
    let targets: Vec<_> = localities.iter().map(|(locality, _)| target_of(locality)).collect();
    let mut sums = vec![0_u64; entry.to.len()];
    for (target, (_, weight)) in targets.iter().zip(localities) {
        if let Some(target) = target {
            sums[*target] += own(*weight);
        }
    }
    let share = |target: Option<usize>, weight| match target {
        None => Share::Removed,
        Some(target) => share_of(own(weight), entry.to[target].1, sums[target]),
    };
    Some(targets.iter().zip(localities).map(|(&target, &(_, weight))| share(target, weight)).collect())
}

fn own(weight: Option<u32>) -> u64 {
    u64::from(weight.unwrap_or(1))
}

fn share_of(own: u64, weight: u32, sum: u64) -> Share {
    let share = (own * u64::from(weight)) as f64 / sum as f64;
    if share > 0.0 { Share::Weight(share.ceil() as u32) } else { Share::Unchanged }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: [(&str, u32); 3] = [("r1/z1/s1", 40), ("r1/z1/s2", 20), ("r2/z1/s1", 40)];

    fn shares(entries: &[(&str, &[(&str, u32)])]) -> Option<Vec<Share>> {
        let entry = |&(from, to): &(&str, &[(&str, u32)])| Distribute {
            from: from.to_owned(),
            to: to.iter().map(|&(to, weight)| (to.to_owned(), weight)).collect(),
        };
        let entries: Vec<_> = entries.iter().map(entry).collect();
        distribute(&"r1/z1/s1".into(), &entries, &THREE.map(|(at, weight)| (at.into(), Some(weight))))
    }

    #[test]
    fn a_wildcard_is_shared_by_weight_and_rounded_up() {
        let weights = |weights: [u32; 3]| Some(weights.map(Share::Weight).to_vec());
        assert_eq!(shares(&[("r1/z1/s1", &[("r1/z1/*", 50), ("r2/z1/s1", 50)])]), weights([34, 17, 50]));
        assert_eq!(shares(&[("*", &[("r1", 70), ("r2", 30)])]), weights([47, 24, 30]));
    }

    #[test]
    fn the_first_entry_that_fits_holds_and_what_it_does_not_name_is_removed() {
        let entries: [(&str, &[_]); 3] =
            [("r3/*", &[("r3/*", 100)]), ("r1/*", &[("r1/z1/s1", 100)]), ("r1", &[("r2", 100)])];
        assert_eq!(shares(&entries), Some(vec![Share::Weight(100), Share::Removed, Share::Removed]));
        assert_eq!(shares(&entries[..1]), None);
    }

    #[test]
    fn a_target_of_weight_0_keeps_its_old_weight() {
        let shares = shares(&[("r1", &[("r1", 0), ("r2", 100)])]);
        assert_eq!(shares, Some(vec![Share::Unchanged, Share::Unchanged, Share::Weight(100)]));
    }
}
