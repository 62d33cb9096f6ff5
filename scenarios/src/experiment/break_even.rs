//! The value of a parameter at which two strategies are equal.
//!
//! # Models
//! The difference of their mean latencies, paired by replication over the same requests, is a function of the parameter.
//! Where it changes its sign between the ends of a range the root is found by bisection, to a thousandth of the range. The
//! interval is that of the values at which the difference's own 95 % interval contains zero: its ends are where an end of
//! that interval is zero, found in the same way. So it covers the true value as often as the interval of the
//! difference covers the true difference.
//!
//! # Assumptions
//! The difference crosses zero once in the range. Effect: of several roots one is found, and values beyond another one are
//! on the wrong side; a sweep over the range shows it.
//!
//! # Source
//! Fieller, Some problems in interval estimation, Journal of the Royal Statistical Society B 16, 1954 (intervals by
//! inverting a test).

use super::Watch;
use super::axes::Axis;
use super::compare::{Choice, ComparisonPlan};
use super::store::CellStore;
use crate::analysis::summary::Summary;
use crate::document::Setting;
use crate::problem::{Checked, Problem};
use crate::scenario::Scenario;
use serde::Serialize;

/// So fine is a range divided, at most.
const STEPS: u32 = 10;

/// A difference between two strategies at a value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The value as it is written.
    pub value: String,
    /// Where it is in the range, from 0 to 1.
    #[serde(skip)]
    pub share: f64,
    /// Mean of the first strategy less that of the second (ms).
    pub difference_ms: f64,
    /// Its 95 % interval.
    pub ci95: [f64; 2],
}

/// What became of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The differences that were looked at, by value.
    pub differences: Vec<Difference>,
    /// Where in the range they are equal, from 0 to 1; nothing if the sign is the same at both ends.
    pub root: Option<f64>,
    /// The ends of the interval; nothing where it reaches beyond an end of the range.
    pub interval: [Option<f64>; 2],
}

/// Where two strategies of a scenario are equal.
#[derive(Clone, Debug)]
pub struct BreakEven {
    /// The parameter.
    pub axis: Axis,
    /// The strategies.
    pub strategies: [String; 2],
    scenario: Scenario,
    choice: Choice,
    /// At the first value.
    plan: ComparisonPlan,
}

impl BreakEven {
    /// Between the ends of an axis that is a range; the strategies are those of the choice, two of them.
    ///
    /// # Errors
    /// If something is wrong with an end of the range, the strategies are not two, or there is one replication only.
    pub fn new(scenario: &Scenario, axis: Axis, choice: Choice) -> Checked<Self> {
        let [one, other] = &choice.strategies[..] else {
            return Err(Problem::new("two strategies can be equal").help("--break-even NAME,NAME").into());
        };
        let strategies = [one.clone(), other.clone()];
        if !axis.is_range() {
            let problem = Problem::new(format!("`{axis}` is no range"));
            return Err(problem.help("write its ends, as in --set links.edge1-cloud.rtt=5ms..300ms").into());
        }
        plan_at(scenario, &axis, &choice, 1.0)?;
        let plan = plan_at(scenario, &axis, &choice, 0.0)?;
        if plan.replications < 2 {
            return Err(Problem::new("one replication has no interval").help("--replications 10").into());
        }
        Ok(Self { axis, strategies, scenario: scenario.clone(), choice, plan })
    }

    /// Simulated time that it takes at most (s).
    #[must_use]
    pub fn simulated_seconds(&self) -> f64 {
        self.plan.simulated_seconds() * f64::from(3 * STEPS + 2)
    }

    /// The strategies at the first value, as they are warned of.
    #[must_use]
    pub const fn plan(&self) -> &ComparisonPlan {
        &self.plan
    }

    /// Looks for it; nothing if it was told to stop, or under one of them nothing is answered.
    #[must_use]
    pub fn find(&self, store: &CellStore, watch: &Watch<'_>) -> Option<Found> {
        search(|share| {
            let plan = plan_at(&self.scenario, &self.axis, &self.choice, share).ok()?;
            let outcome = plan.run_in(store, watch);
            if outcome.interrupted {
                return None;
            }
            let [one, other] = &self.strategies;
            let difference = Summary::new(&plan, &outcome).difference(one, other)?;
            let ci95 = difference.interval()?;
            Some(Difference { value: self.axis.at(share), share, difference_ms: difference.value, ci95 })
        })
    }
}

/// The comparison at a share of the range.
fn plan_at(scenario: &Scenario, axis: &Axis, choice: &Choice, share: f64) -> Checked<ComparisonPlan> {
    let setting = Setting { path: axis.path.clone(), value: axis.at(share) };
    let plan = ComparisonPlan::new(&scenario.with(&[setting])?, choice)?;
    Ok(ComparisonPlan { of: format!("at {}", axis.at(share)), ..plan })
}

/// Looks for it by what `difference` says of a share of the range, from 0 to 1; nothing if it was told to stop.
fn search(mut difference: impl FnMut(f64) -> Option<Difference>) -> Option<Found> {
    let mut known: Vec<Difference> = Vec::new();
    let mut at = |share: f64| -> Option<Difference> {
        if let Some(known) = known.iter().find(|it| it.share == share) {
            return Some(known.clone());
        }
        let new = difference(share)?;
        known.push(new.clone());
        Some(new)
    };
    let root = bisect(&mut at, |it| it.difference_ms)?;
    let lower = bisect(&mut at, |it| it.ci95[0])?;
    let upper = bisect(&mut at, |it| it.ci95[1])?;
    // Where the difference grows with the value, its upper end is zero first.
    let grows = at(1.0)?.difference_ms > at(0.0)?.difference_ms;
    let interval = if grows { [upper, lower] } else { [lower, upper] };
    known.sort_by(|a, b| a.share.total_cmp(&b.share));
    Some(Found { differences: known, root, interval })
}

/// The share at which a function of it is zero, if its signs at the ends differ.
fn bisect(
    at: &mut impl FnMut(f64) -> Option<Difference>,
    of: impl Fn(&Difference) -> f64,
) -> Option<Option<f64>> {
    let (mut low, mut high) = (0.0, 1.0);
    let (first, last) = (of(&at(low)?), of(&at(high)?));
    if (first > 0.0) == (last > 0.0) {
        return Some(None);
    }
    let [mut below, mut above] = [first, last];
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        let value = of(&at(middle)?);
        if (value > 0.0) == (first > 0.0) {
            (low, below) = (middle, value);
        } else {
            (high, above) = (middle, value);
        }
    }
    // Within the last step it is taken as a straight line.
    Some(Some(low + (high - low) * below / (below - above)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line through zero at a share, with an interval of so much to both sides.
    fn line(root: f64, slope: f64, half: f64) -> (Option<Found>, usize) {
        let mut count = 0;
        let found = search(|share| {
            count += 1;
            let difference_ms = slope * (share - root);
            let ci95 = [difference_ms - half, difference_ms + half];
            Some(Difference { value: share.to_string(), share, difference_ms, ci95 })
        });
        (found, count)
    }

    #[test]
    fn the_root_of_a_line_and_its_interval_are_found() {
        for slope in [10.0, -10.0] {
            let (found, count) = line(0.3137, slope, 1.0);
            let found = found.unwrap();
            assert!((found.root.unwrap() - 0.3137).abs() < 1e-9, "{found:?}");
            let [low, high] = found.interval.map(Option::unwrap);
            assert!((low - 0.2137).abs() < 1e-9 && (high - 0.4137).abs() < 1e-9, "{low} {high}");
            assert!(count <= 3 * STEPS as usize + 2 && found.differences.len() == count, "{count}");
        }
    }

    #[test]
    fn what_is_beyond_an_end_is_open() {
        let (found, _) = line(0.05, 10.0, 1.0);
        let found = found.unwrap();
        assert!(found.root.is_some() && found.interval[0].is_none() && found.interval[1].is_some());
        let (found, count) = line(2.0, 10.0, 1.0);
        assert_eq!((found.unwrap().root, count), (None, 2));
        assert_eq!(search(|_| None), None);
    }

    /// Differences of paired normal observations of which the root is known: the interval covers it in 95 %.
    #[test]
    fn the_interval_covers_the_root() {
        use meshsim_core::random::{Address, normal};
        use meshsim_core::stats::mean_estimate;
        let (root, runs, replications) = (0.4, 2_000, 10);
        let mut hits = 0;
        for run in 0..runs {
            // Common random numbers: a replication deviates by as much at every value, and a little by itself.
            let mut draw = Address::root(7, run).draw(0);
            let common: Vec<[f64; 2]> =
                (0..replications).map(|_| [normal(&mut draw), normal(&mut draw)]).collect();
            let found = search(|share| {
                let values: Vec<f64> =
                    common.iter().map(|[a, b]| 20.0 * (share - root) + a + share * b).collect();
                let estimate = mean_estimate(&values, 0.95)?;
                let interval = estimate.interval?;
                let ci95 = [interval.low, interval.high];
                Some(Difference { value: String::new(), share, difference_ms: estimate.value, ci95 })
            });
            let [low, high] = found.unwrap().interval;
            hits += u32::from(low.is_none_or(|it| it <= root) && high.is_none_or(|it| root <= it));
        }
        let share = f64::from(hits) / f64::from(runs);
        assert!((0.935..=0.965).contains(&share), "{share}");
    }
}
