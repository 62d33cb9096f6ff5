//! When a pod is evicted because of the NoExecute taints of its node.
//!
//! # Models
//! A pod that does not tolerate all of them is deleted at once. One that does is deleted when the shortest of its
//! tolerations is over, where each taint is met by the first toleration that matches it; if none of those ends, it
//! stays. The clock starts when that is first seen. While it runs, neither other taints nor longer or shorter
//! tolerations change it; it is stopped when all taints are gone or tolerated for ever, and then starts anew.
//!
//! # Assumptions
//! The controller acts at once. PodDisruptionBudgets do not hold it back, as in Kubernetes.
//!
//! # Source
//! kubernetes/kubernetes (1.36) `pkg/controller/tainteviction/taint_eviction.go`, `processPodOnNode`,
//! `getMinTolerationTime`; `pkg/apis/core/v1/helper`, `GetMatchingTolerations`;
//! `plugin/pkg/admission/defaulttolerationseconds` (300 s).

use super::scheduler::node::{Effect, Taint, Toleration};
use meshsim_core::{SimDuration, SimTime};

/// Taint of a node that says that it is not ready.
pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// Taint of a node of which nothing is heard.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// How long a pod tolerates either of them if it does not say.
pub const DEFAULT_TOLERATION: SimDuration = SimDuration::from_secs(300);

/// A pod is to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// Since when.
    pub since: SimTime,
    /// When.
    pub at: SimTime,
}

/// What a pod tolerates beside its own tolerations, unless these meet the same taints.
#[must_use]
pub fn with_defaults(mut tolerations: Vec<Toleration>) -> Vec<Toleration> {
    for key in [NOT_READY, UNREACHABLE] {
        let meets = |it: &Toleration| {
            it.key.as_ref().is_none_or(|own| own == key) && it.effect.is_none_or(|it| it == Effect::NoExecute)
        };
        if !tolerations.iter().any(meets) {
            tolerations.push(Toleration {
                key: Some(key.to_owned()),
                value: None,
                effect: Some(Effect::NoExecute),
                lasts: Some(DEFAULT_TOLERATION),
            });
        }
    }
    tolerations
}

/// When a pod is deleted, if it is; `running` is what this said last.
///
/// It is to be asked whenever the taints of the pod's node or its tolerations change.
#[must_use]
pub fn eviction(
    taints: &[Taint],
    tolerations: &[Toleration],
    running: Option<Eviction>,
    now: SimTime,
) -> Option<Eviction> {
    let mut shortest: Option<SimDuration> = None;
    for taint in taints.iter().filter(|taint| taint.effect == Effect::NoExecute) {
        let Some(met) = tolerations.iter().find(|it| it.tolerates(taint)) else {
            return Some(Eviction { since: now, at: now });
        };
        shortest = shortest.into_iter().chain(met.lasts).min();
    }
    let shortest = shortest?;
    let runs = running.filter(|running| running.since < now);
    Some(runs.unwrap_or(Eviction { since: now, at: now.saturating_add(shortest) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    fn taint(key: &str) -> Taint {
        Taint { key: key.to_owned(), value: String::new(), effect: Effect::NoExecute }
    }

    fn tolerates(key: &str, seconds: Option<u64>) -> Toleration {
        let lasts = seconds.map(SimDuration::from_secs);
        Toleration { key: Some(key.to_owned()), value: None, effect: None, lasts }
    }

    #[test]
    fn the_first_toleration_that_matches_counts_not_the_shortest() {
        let tolerations = [tolerates("a", Some(100)), tolerates("a", Some(1))];
        let found = eviction(&[taint("a")], &tolerations, None, at(5));
        assert_eq!(found, Some(Eviction { since: at(5), at: at(105) }));
    }

    #[test]
    fn a_clock_that_runs_is_only_stopped_or_overtaken_by_a_taint_that_is_not_tolerated() {
        let tolerations = [tolerates("a", Some(100)), tolerates("b", Some(1)), tolerates("c", None)];
        let running = eviction(&[taint("a")], &tolerations, None, at(0));
        assert_eq!(eviction(&[taint("b")], &tolerations, running, at(10)), running);
        assert_eq!(eviction(&[taint("c")], &tolerations, running, at(10)), None);
        assert_eq!(eviction(&[], &tolerations, running, at(10)), None);
        let now = Some(Eviction { since: at(10), at: at(10) });
        assert_eq!(eviction(&[taint("d")], &tolerations, running, at(10)), now);
    }

    #[test]
    fn defaults_are_added_where_nothing_is_said_of_their_taints() {
        let all = with_defaults(vec![tolerates(UNREACHABLE, None)]);
        let lasts: Vec<_> = all.iter().map(|it| (it.key.as_deref(), it.lasts)).collect();
        assert_eq!(lasts, [(Some(UNREACHABLE), None), (Some(NOT_READY), Some(DEFAULT_TOLERATION))]);
        let anything = Toleration { key: None, value: None, effect: None, lasts: None };
        assert_eq!(with_defaults(vec![anything]).len(), 1);
    }

    proptest! {
        /// Nobody is deleted before the shortest toleration that there is is over, nor because of other effects.
        #[test]
        fn a_pod_stays_as_long_as_it_may(
            taints in prop::collection::vec(0_usize..3, 0..4),
            seconds in prop::collection::vec(prop::option::of(0_u64..50), 3),
            now in 0_u64..100,
        ) {
            let keys = ["a", "b", "c"];
            let tolerations: Vec<_> = keys.iter().zip(&seconds).map(|(key, it)| tolerates(key, *it)).collect();
            let mut taints: Vec<_> = taints.into_iter().map(|n| taint(keys[n])).collect();
            taints.push(Taint { effect: Effect::NoSchedule, ..taint("d") });
            let shortest = taints.iter().filter_map(|it| {
                seconds[keys.iter().position(|key| *key == it.key)?]
            });
            let expected = shortest.min().map(|lasts| Eviction { since: at(now), at: at(now + lasts) });
            prop_assert_eq!(eviction(&taints, &tolerations, None, at(now)), expected);
        }
    }
}
