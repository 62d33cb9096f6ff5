//! How the containers of a crowded host share its cores.
//!
//! # Models
//! Weighted max-min fairness: capacity is shared in proportion to the weights, nobody gets more
//! than it can use, and what it cannot use is shared among the others.
//!
//! # Assumptions
//! Linux approaches these shares within a few scheduling periods (some ms); here they hold at once.
//!
//! # Source
//! Bertsekas and Gallager, Data networks, 1992, section 6.5.2; weights as `cpu.shares`.

/// Shares `capacity` among `(demand, weight)` pairs; writes each one's share to `shares`, which it
/// clears first. All weights are positive.
pub fn max_min_share(capacity: f64, claims: &[(f64, f64)], shares: &mut Vec<f64>) {
    shares.clear();
    shares.extend(claims.iter().map(|_| -1.0));
    let mut left = capacity;
    loop {
        let open = || (0..claims.len()).filter(|&i| claims[i].0 > 0.0);
        let weight: f64 = open().filter(|&i| shares[i] < 0.0).map(|i| claims[i].1).sum();
        if weight <= 0.0 {
            break;
        }
        // Whoever wants less than its share is served in full; then share what is left again.
        let level = left / weight;
        let mut satisfied = false;
        for i in open() {
            if shares[i] < 0.0 && claims[i].0 <= level * claims[i].1 {
                shares[i] = claims[i].0;
                left -= claims[i].0;
                satisfied = true;
            }
        }
        if !satisfied {
            for i in open() {
                if shares[i] < 0.0 {
                    shares[i] = level * claims[i].1;
                }
            }
            break;
        }
    }
    shares.iter_mut().for_each(|share| *share = share.max(0.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share(capacity: f64, claims: &[(f64, f64)]) -> Vec<f64> {
        let mut shares = Vec::new();
        max_min_share(capacity, claims, &mut shares);
        shares
    }

    #[test]
    fn the_small_are_served_in_full_and_the_rest_share() {
        assert_eq!(share(2.0, &[(0.5, 1.0), (2.0, 1.0), (4.0, 1.0)]), [0.5, 0.75, 0.75]);
        assert_eq!(share(3.0, &[(4.0, 1.0), (4.0, 2.0)]), [1.0, 2.0]);
        assert_eq!(share(9.0, &[(4.0, 1.0), (0.0, 1.0)]), [4.0, 0.0]);
    }

    proptest! {
        #[test]
        fn nothing_is_wasted_and_nobody_gets_more_than_it_wants(
            capacity in 0.1_f64..20.0, claims in prop::collection::vec((0.0_f64..5.0, 0.1_f64..4.0), 1..12)
        ) {
            let shares = share(capacity, &claims);
            let wanted: f64 = claims.iter().map(|claim| claim.0).sum();
            prop_assert!((shares.iter().sum::<f64>() - wanted.min(capacity)).abs() < 1e-9);
            let level = |i: usize| shares[i] / claims[i].1;
            for i in 0..claims.len() {
                prop_assert!(shares[i] <= claims[i].0 + 1e-12);
                // Whoever is not satisfied has the highest level of all.
                if shares[i] < claims[i].0 - 1e-9 {
                    prop_assert!((0..claims.len()).all(|j| level(j) <= level(i) + 1e-9));
                }
            }
        }
    }
}
