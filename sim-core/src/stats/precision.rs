//! How many replications a relative precision takes.
//!
//! - **Rule.** Replications are looked at from [`FIRST_LOOK`] on. Where the interval reaches further from its value than
//!   the share of it that is asked for, there are to be as many as would reach it by the spread that was seen, which falls
//!   with the root of their number, but at most half as many again; then they are looked at anew.
//! - **What it costs.** Whoever stops when an interval is narrow stops too often where the spread happens to be small: it covers
//!   less often than it says (Law, Simulation Modeling and Analysis, 5th ed., 9.4.1; Glynn and Whitt, The asymptotic
//!   validity of sequential stopping rules for stochastic simulations, Annals of Applied Probability 2, 1992). A first look
//!   at ten replications, and few further ones, leave it above 93 % of 95 %: `docs/statistics.md` has the table.
//!
//! # Assumptions
//! Values of replications are independent and about normal.

use super::interval::Estimate;

/// Replications are looked at from this number on.
pub const FIRST_LOOK: u32 = 10;

/// Times as many at the next look, at most.
const GROWTH_MAX: f64 = 1.5;

/// How many replications there are to be so that an estimate is known to this share of its value (above zero): as many as
/// there are where it is. Nothing where no number of them gives an interval.
#[must_use]
pub fn replications_for(estimate: &Estimate, share: f64) -> Option<u32> {
    let now = estimate.samples as f64;
    let interval = estimate.interval?;
    let reach = (interval.high - estimate.value).max(estimate.value - interval.low);
    let reach = reach / estimate.value.abs();
    if reach <= share && now >= f64::from(FIRST_LOOK) {
        return Some(now as u32);
    }
    let needed = (now * (reach / share) * (reach / share)).ceil();
    let next = needed.clamp(now + 1.0, (now * GROWTH_MAX).ceil()).max(f64::from(FIRST_LOOK));
    // A value of zero is never known to a share of it.
    reach.is_finite().then_some(next as u32)
}

#[cfg(test)]
mod tests {
    use super::super::interval::mean_estimate;
    use super::super::normal::normal_quantile;
    use super::super::test_random::Lcg;
    use super::*;

    /// 2,000 experiments of normal values that take about so many replications to be known to 2 %.
    #[test]
    fn intervals_cover_after_the_stop() {
        for (seed, count) in [(1, 6.0_f64), (2, 12.0), (3, 20.0), (4, 40.0), (5, 100.0)] {
            let mut lcg = Lcg::new(seed);
            let spread = 0.02 * count.sqrt() / 1.96;
            let mut next = || 1.0 + spread * normal_quantile(lcg.uniform().clamp(1e-12, 1.0 - 1e-12));
            let (mut hits, mut taken) = (0, 0);
            for _ in 0..2_000 {
                let mut values: Vec<f64> = (0..FIRST_LOOK).map(|_| next()).collect();
                let estimate = loop {
                    let estimate = mean_estimate(&values, 0.95).unwrap();
                    let wanted = replications_for(&estimate, 0.02).unwrap() as usize;
                    if wanted == values.len() {
                        break estimate;
                    }
                    values.extend((values.len()..wanted).map(|_| next()));
                };
                hits += u32::from(estimate.interval.unwrap().contains(1.0));
                taken += values.len();
            }
            let (share, taken) = (f64::from(hits) / 2e3, taken as f64 / 2e3);
            eprintln!("about {count}: {share:.4} covered after {taken:.1} replications");
            assert!(share >= 0.93, "{count}: {share}");
            assert!(taken < 1.3 * count.max(10.0), "{count}: {taken}");
        }
    }

    #[test]
    fn what_has_no_interval_or_no_value_has_no_number() {
        assert_eq!(replications_for(&mean_estimate(&[1.0], 0.95).unwrap(), 0.02), None);
        assert_eq!(replications_for(&mean_estimate(&[-1.0, 1.0], 0.95).unwrap(), 0.02), None);
        // Two equal ones tell nothing yet.
        assert_eq!(replications_for(&mean_estimate(&[1.0, 1.0], 0.95).unwrap(), 0.02), Some(FIRST_LOOK));
    }
}
