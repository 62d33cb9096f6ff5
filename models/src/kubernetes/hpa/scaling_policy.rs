//! How fast the number of replicas may change.
//!
//! # Models
//! With a behavior, every policy of a direction allows a number of pods or a percentage per period,
//! counted from the replicas at the start of the period: the current ones less what was added within
//! it and more what was removed. Percentages upwards are rounded up, those downwards leave a number
//! that is cut. `selectPolicy` takes the policy that allows the largest change, the smallest, or none
//! at all. Without a behavior the limit upwards is 2 x current, but at least 4.
//! The minimum and the maximum come last.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/podautoscaler/horizontal.go`,
//! `calculateScaleUpLimitWithScalingRules`, `convertDesiredReplicasWithBehaviorRate`,
//! `convertDesiredReplicasWithRules`, `storeScaleEvent`; defaults in
//! `pkg/apis/autoscaling/v2/defaults.go`.

use super::decision::Reason;
use crate::kubernetes::version::KubernetesVersion;
use meshsim_core::{SimDuration, SimTime};

/// How much a policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// Pods.
    Pods(u32),
    /// Percent of the replicas at the start of the period.
    Percent(u32),
}

/// A limit of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingPolicy {
    /// How much.
    pub allowance: Allowance,
    /// In which time.
    pub period: SimDuration,
}

/// Which of several policies holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: this direction is forbidden.
    Disabled,
}

/// The rules of one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalingRules {
    /// How long recommendations hold a change back; absent: the controller's flag for scaling down,
    /// nothing for scaling up.
    pub stabilization_window: Option<SimDuration>,
    /// Which of the policies holds.
    pub select_policy: SelectPolicy,
    /// The policies.
    pub policies: Vec<ScalingPolicy>,
    /// How far a ratio may be from 1 (parts of 1); absent: the controller's flag.
    pub tolerance: Option<f64>,
}

/// The rules of both directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Behavior {
    /// For more replicas.
    pub scale_up: ScalingRules,
    /// For fewer.
    pub scale_down: ScalingRules,
}

/// A change of the number of replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleEvent {
    /// By how many replicas.
    pub change: u32,
    /// When.
    pub at: SimTime,
}

/// The changes of the number of replicas that policies still look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScaleEvents {
    /// Replicas added.
    pub up: Vec<ScaleEvent>,
    /// Replicas removed.
    pub down: Vec<ScaleEvent>,
}

/// Which changes count.
#[derive(Clone, Copy)]
struct Counted {
    up: bool,
    down: bool,
}

/// Between which numbers of replicas an autoscaler chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
}

impl Default for Behavior {
    /// What the API fills in for whatever is missing in a behavior: up by 4 pods or 100 % per 15 s,
    /// whichever is more, at once; down by 100 % per 15 s.
    fn default() -> Self {
        let policy = |allowance| ScalingPolicy { allowance, period: SimDuration::from_secs(15) };
        let rules = |policies| ScalingRules {
            stabilization_window: None,
            select_policy: SelectPolicy::Max,
            policies,
            tolerance: None,
        };
        Self {
            scale_up: rules(vec![policy(Allowance::Pods(4)), policy(Allowance::Percent(100))]),
            scale_down: rules(vec![policy(Allowance::Percent(100))]),
        }
    }
}

impl ScaleEvents {
    /// Remembers a change; events that no policy reaches give their place to it.
    pub fn store(&mut self, behavior: &Behavior, from: u32, to: u32, now: SimTime) {
        let (rules, events) = if to > from {
            (&behavior.scale_up, &mut self.up)
        } else {
            (&behavior.scale_down, &mut self.down)
        };
        let longest = rules.policies.iter().map(|policy| policy.period).max().unwrap_or_default();
        let newest = ScaleEvent { change: to.abs_diff(from), at: now };
        match events.iter().rposition(|event| now.saturating_since(event.at) > longest) {
            Some(old) => events[old] = newest,
            None => events.push(newest),
        }
    }

    /// Replicas at the start of a period that ends now, of the changes that count.
    fn replicas_before(&self, period: SimDuration, current: u32, counted: Counted, now: SimTime) -> i64 {
        let changed = |events: &[ScaleEvent]| -> i64 {
            let within = events.iter().filter(|event| now.saturating_since(event.at) < period);
            within.map(|event| i64::from(event.change)).sum()
        };
        let added = if counted.up { changed(&self.up) } else { 0 };
        let removed = if counted.down { changed(&self.down) } else { 0 };
        i64::from(current) - added + removed
    }
}

impl ScalingRules {
    /// The most replicas that scaling up may lead to.
    fn limit_up(&self, version: KubernetesVersion, events: &ScaleEvents, current: u32, now: SimTime) -> i64 {
        let counted = Counted { up: true, down: version.counts_both_directions() };
        let limits = self.policies.iter().map(|policy| {
            let start = events.replicas_before(policy.period, current, counted, now);
            match policy.allowance {
                Allowance::Pods(pods) => start + i64::from(pods),
                Allowance::Percent(percent) => {
                    (start as f64 * (1.0 + f64::from(percent) / 100.0)).ceil() as i64
                }
            }
        });
        match self.select_policy {
            SelectPolicy::Max => limits.fold(i64::MIN, i64::max),
            SelectPolicy::Min => limits.fold(i64::MAX, i64::min),
            SelectPolicy::Disabled => current.into(),
        }
    }

    /// The fewest replicas that scaling down may lead to.
    fn limit_down(
        &self,
        version: KubernetesVersion,
        events: &ScaleEvents,
        current: u32,
        now: SimTime,
    ) -> i64 {
        let counted = Counted { up: version.counts_both_directions(), down: true };
        let limits = self.policies.iter().map(|policy| {
            let start = events.replicas_before(policy.period, current, counted, now);
            match policy.allowance {
                Allowance::Pods(pods) => start - i64::from(pods),
                Allowance::Percent(percent) => (start as f64 * (1.0 - f64::from(percent) / 100.0)) as i64,
            }
        });
        match self.select_policy {
            SelectPolicy::Max => limits.fold(i64::MAX, i64::min),
            SelectPolicy::Min => limits.fold(i64::MIN, i64::max),
            SelectPolicy::Disabled => current.into(),
        }
    }
}

impl Behavior {
    /// What a stabilized recommendation comes to, and why.
    #[must_use]
    pub fn limited(
        &self,
        version: KubernetesVersion,
        events: &ScaleEvents,
        bounds: Bounds,
        current: u32,
        desired: u32,
        now: SimTime,
    ) -> (u32, Reason) {
        if desired > current {
            let limit = self.scale_up.limit_up(version, events, current, now).max(current.into());
            return at_most(desired, limit, bounds.max);
        }
        if desired < current {
            let limit = self.scale_down.limit_down(version, events, current, now).min(current.into());
            // A limit that stands above the minimum is not negative and at most `current`.
            return match u32::try_from(limit).ok().filter(|limit| *limit > bounds.min) {
                Some(limit) if desired < limit => (limit, Reason::ScaleDownLimit),
                None if desired < bounds.min => (bounds.min, Reason::TooFewReplicas),
                _ => (desired, Reason::DesiredWithinRange),
            };
        }
        (desired, Reason::DesiredWithinRange)
    }
}

/// What a stabilized recommendation comes to without a behavior, and why.
#[must_use]
pub fn limited_by_default(bounds: Bounds, current: u32, desired: u32) -> (u32, Reason) {
    if desired < bounds.min {
        return (bounds.min, Reason::TooFewReplicas);
    }
    at_most(desired, i64::from(current).saturating_mul(2).max(4), bounds.max)
}

fn at_most(desired: u32, limit: i64, max: u32) -> (u32, Reason) {
    match u32::try_from(limit).ok().filter(|limit| *limit < max) {
        Some(limit) if desired > limit => (limit, Reason::ScaleUpLimit),
        None if desired > max => (max, Reason::TooManyReplicas),
        _ => (desired, Reason::DesiredWithinRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::version::NEWEST;

    const NOW: SimTime = SimTime::from_nanos(1_000_000_000_000);
    const WIDE: Bounds = Bounds { min: 1, max: 1_000 };

    fn event(age: u64, change: u32) -> ScaleEvent {
        let age = SimDuration::from_secs(age);
        ScaleEvent { change, at: SimTime::ZERO + (NOW - SimTime::ZERO).saturating_sub(age) }
    }

    fn policy(allowance: Allowance, secs: u64) -> ScalingPolicy {
        ScalingPolicy { allowance, period: SimDuration::from_secs(secs) }
    }

    fn both(select_policy: SelectPolicy, policies: &[ScalingPolicy]) -> Behavior {
        let rules = |of: ScalingRules| ScalingRules { select_policy, policies: policies.to_vec(), ..of };
        let Behavior { scale_up, scale_down } = Behavior::default();
        Behavior { scale_up: rules(scale_up), scale_down: rules(scale_down) }
    }

    fn limited(behavior: &Behavior, events: &ScaleEvents, current: u32, desired: u32) -> (u32, Reason) {
        behavior.limited(NEWEST, events, WIDE, current, desired, NOW)
    }

    #[test]
    fn up_from_1_to_20_with_and_without_a_behavior() {
        let (mut with, mut without) = (vec![1], vec![1]);
        for _ in 0..4 {
            let last = *with.last().unwrap();
            with.push(limited(&Behavior::default(), &ScaleEvents::default(), last, 20).0);
            without.push(limited_by_default(WIDE, *without.last().unwrap(), 20).0);
        }
        assert_eq!((with, without), (vec![1, 5, 10, 20, 20], vec![1, 4, 8, 16, 20]));
    }

    #[test]
    fn percentages_are_rounded_up_upwards_and_cut_downwards() {
        let tenth = both(SelectPolicy::Max, &[policy(Allowance::Percent(10), 60)]);
        let events = ScaleEvents::default();
        assert_eq!(limited(&tenth, &events, 11, 50), (13, Reason::ScaleUpLimit));
        assert_eq!(limited(&tenth, &events, 15, 1), (13, Reason::ScaleDownLimit));
    }

    #[test]
    fn a_budget_counts_from_the_start_of_its_period() {
        let up = vec![event(100, 1), event(60, 5), event(20, 9)];
        let events = ScaleEvents { up, down: vec![event(119, 2), event(120, 50)] };
        let pods = |pods| both(SelectPolicy::Max, &[policy(Allowance::Pods(pods), 120)]);
        // 100 - 15 + 2 replicas 120 s ago; what is exactly as old as the period is outside.
        assert_eq!(limited(&pods(150), &events, 100, 500), (237, Reason::ScaleUpLimit));
        assert_eq!(limited(&pods(5), &events, 100, 500), (100, Reason::ScaleUpLimit));
        assert_eq!(limited(&pods(10), &events, 100, 5), (77, Reason::ScaleDownLimit));
    }

    /// Issue 108354: 4 pods are added, 2 removed; 300 % of 4 are 16, of what only looks up 8.
    #[test]
    fn up_to_1_25_a_period_sees_its_own_direction_alone() {
        let events = ScaleEvents { up: vec![event(60, 4)], down: vec![event(30, 2)] };
        let of = |minor, desired, allowance| {
            let behavior = both(SelectPolicy::Max, &[policy(allowance, 300)]);
            behavior.limited(KubernetesVersion::new(minor), &events, WIDE, 6, desired, NOW).0
        };
        assert_eq!([25, 26].map(|minor| of(minor, 24, Allowance::Percent(300))), [8, 16]);
        // 6 + 2 pods less 4, and 6 - 4 + 2 less 3.
        assert_eq!([25, 26].map(|minor| of(minor, 1, Allowance::Pods(3))), [5, 1]);
    }

    #[test]
    fn select_policy_takes_the_largest_change_the_smallest_or_none() {
        let policies = [policy(Allowance::Pods(2), 60), policy(Allowance::Percent(50), 60)];
        let events = ScaleEvents::default();
        let of = |select, desired| limited(&both(select, &policies), &events, 10, desired).0;
        assert_eq!([of(SelectPolicy::Max, 99), of(SelectPolicy::Min, 99)], [15, 12]);
        assert_eq!([of(SelectPolicy::Max, 1), of(SelectPolicy::Min, 1)], [5, 8]);
        assert_eq!([of(SelectPolicy::Disabled, 99), of(SelectPolicy::Disabled, 1)], [10, 10]);
    }

    #[test]
    fn the_bounds_come_last_and_say_so() {
        let (behavior, events) = (Behavior::default(), ScaleEvents::default());
        let bounds = Bounds { min: 4, max: 6 };
        assert_eq!(behavior.limited(NEWEST, &events, bounds, 5, 9, NOW), (6, Reason::TooManyReplicas));
        assert_eq!(behavior.limited(NEWEST, &events, bounds, 5, 1, NOW), (4, Reason::TooFewReplicas));
        assert_eq!(limited_by_default(bounds, 5, 9), (6, Reason::TooManyReplicas));
        assert_eq!(limited_by_default(bounds, 5, 1), (4, Reason::TooFewReplicas));
    }

    #[test]
    fn events_are_forgotten_when_no_policy_reaches_them() {
        let (behavior, mut events) = (Behavior::default(), ScaleEvents::default());
        for n in 0..1_000_u64 {
            let now = SimTime::ZERO + SimDuration::from_secs(15) * n;
            events.store(&behavior, 1, 2, now);
            events.store(&behavior, 2, 1, now);
        }
        assert!(events.up.len() <= 3 && events.down.len() <= 3, "{events:?}");
    }
}
