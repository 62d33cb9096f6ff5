//! The Deployment and ReplicaSet controllers: which pods are made and which are deleted.
//!
//! # Models
//! - A ReplicaSet with too many pods deletes first those without a node, then those that do not run,
//!   those that are not ready, those that share their node with more pods of the Deployment, those that
//!   have been ready for a shorter time, and younger ones; times count by powers of two.
//! - A rolling update makes pods of the new revision up to the wanted number and `maxSurge` more in
//!   all, and deletes old ones, those that are not ready first, as long as all but `maxUnavailable`
//!   of the wanted number are available. `maxSurge` is rounded up, `maxUnavailable` down; if both are
//!   0 the latter is 1.
//!
//! # Assumptions
//! - `minReadySeconds` is 0: a pod is available once it is ready.
//! - The wanted number may change during a rolling update; the revisions are not scaled in
//!   proportion then, the update goes on with the new number. Effect: for the time of the update.
//! - Ties go to the later slot, where the controller compares by UID, that is by chance.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/deployment/rolling.go`, `util/deployment_util.go`
//! (`NewRSNewReplicas`, `ResolveFenceposts`); `pkg/controller/controller_utils.go`
//! (`ActivePodsWithRanks`, `LogarithmicScaleDown`); `pkg/controller/replicaset/replica_set.go`
//! (`getPodsRankedByRelatedPodsOnSameNode`).

use meshsim_core::{SimDuration, SimTime};
use std::cmp::Reverse;

/// How new pods take the place of old ones (`rollingUpdate`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// Pods beyond the wanted number.
    pub max_surge: PodCount,
    /// Pods that may be missing of it.
    pub max_unavailable: PodCount,
}

/// A number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodCount {
    /// So many.
    Pods(u32),
    /// Percent of the wanted number.
    Percent(u32),
}

/// A pod that is not being deleted, as the controllers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedPod {
    /// The caller's name for it.
    pub slot: usize,
    /// Of which version it is.
    pub revision: u32,
    /// Its node, if it has one.
    pub node: Option<u32>,
    /// Whether its containers run.
    pub runs: bool,
    /// Since when it is ready, if it is.
    pub ready_since: Option<SimTime>,
    /// When it was made.
    pub created: SimTime,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// Pods of the newest revision to make.
    pub create: u32,
    /// Pods to delete, by slot.
    pub delete: Vec<usize>,
}

impl Default for Rollout {
    /// Kubernetes' defaults.
    fn default() -> Self {
        Self { max_surge: PodCount::Percent(25), max_unavailable: PodCount::Percent(25) }
    }
}

impl Rollout {
    /// Pods beyond `wanted`, and how many of them may be missing.
    #[must_use]
    pub fn resolve(&self, wanted: u32) -> (u32, u32) {
        let scaled = |percent: u32| u64::from(percent) * u64::from(wanted);
        let surge = match self.max_surge {
            PodCount::Pods(pods) => pods,
            PodCount::Percent(percent) => scaled(percent).div_ceil(100) as u32,
        };
        let unavailable = match self.max_unavailable {
            PodCount::Pods(pods) => pods,
            PodCount::Percent(percent) => (scaled(percent) / 100) as u32,
        };
        (surge, if surge == 0 && unavailable == 0 { 1 } else { unavailable })
    }
}

/// What a Deployment that wants `wanted` pods of revision `newest` does about its pods.
#[must_use]
pub fn reconcile(wanted: u32, newest: u32, rollout: Rollout, pods: &[OwnedPod], now: SimTime) -> Actions {
    let (new, old): (Vec<OwnedPod>, Vec<OwnedPod>) = pods.iter().partition(|pod| pod.revision == newest);
    let count = new.len() as u32;
    let mut actions = Actions::default();
    if count > wanted {
        actions.delete = victims(&new, pods, (count - wanted) as usize, now);
    } else if old.is_empty() {
        actions.create = wanted - count;
    } else {
        let (surge, _) = rollout.resolve(wanted);
        let room = (wanted + surge).saturating_sub(pods.len() as u32);
        actions.create = room.min(wanted - count);
    }
    if !old.is_empty() {
        let new_count = count - actions.delete.len() as u32 + actions.create;
        actions.delete.extend(old_victims(wanted, rollout, pods, newest, new_count, now));
    }
    actions
}

/// Old pods that a rolling update can do without.
fn old_victims(
    wanted: u32,
    rollout: Rollout,
    pods: &[OwnedPod],
    newest: u32,
    new_count: u32,
    now: SimTime,
) -> Vec<usize> {
    let (new, old): (Vec<OwnedPod>, Vec<OwnedPod>) = pods.iter().partition(|pod| pod.revision == newest);
    let (_, unavailable) = rollout.resolve(wanted);
    let least = wanted.saturating_sub(unavailable);
    let available = |pods: &[OwnedPod]| pods.iter().filter(|pod| pod.ready_since.is_some()).count() as u32;
    let (new_available, old_available) = (available(&new), available(&old));
    // New pods that do not serve yet count as missing.
    let new_missing = new_count.saturating_sub(new_available);
    let may_go = (new_count + old.len() as u32).saturating_sub(least + new_missing);
    let (idle, serving): (Vec<OwnedPod>, Vec<OwnedPod>) =
        old.iter().partition(|pod| pod.ready_since.is_none());
    let mut gone = victims(&idle, pods, may_go as usize, now);
    let spare = (new_available + old_available).saturating_sub(least);
    let rest = (may_go as usize - gone.len()).min(spare as usize);
    gone.extend(victims(&serving, pods, rest, now));
    gone
}

/// The first `count` pods to be deleted of a ReplicaSet, beside all pods of the Deployment.
fn victims(pods: &[OwnedPod], all: &[OwnedPod], count: usize, now: SimTime) -> Vec<usize> {
    let on_node = |node| all.iter().filter(|pod| pod.node.is_some() && pod.node == node).count();
    let mut ranked: Vec<_> = pods
        .iter()
        .map(|pod| {
            let ready = pod.ready_since.map_or(0, |since| magnitude(now - since));
            let rank = (
                pod.node.is_some(),
                pod.runs,
                pod.ready_since.is_some(),
                Reverse(on_node(pod.node)),
                ready,
                magnitude(now - pod.created),
                Reverse(pod.slot),
            );
            (rank, pod.slot)
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(count).map(|(_, slot)| slot).collect()
}

/// The power of two of a time in nanoseconds.
fn magnitude(time: SimDuration) -> u32 {
    time.as_nanos().checked_ilog2().map_or(0, |power| power + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    fn pod(slot: usize, revision: u32, ready_since: Option<u64>) -> OwnedPod {
        OwnedPod {
            slot,
            revision,
            node: Some(slot as u32),
            runs: true,
            ready_since: ready_since.map(at),
            created: at(0),
        }
    }

    #[test]
    fn a_share_is_rounded_up_for_the_surge_and_down_for_what_may_be_missing() {
        let default = Rollout::default();
        assert_eq!([1, 3, 4, 10].map(|wanted| default.resolve(wanted)), [(1, 0), (1, 0), (1, 1), (3, 2)]);
        let none = Rollout { max_surge: PodCount::Pods(0), max_unavailable: PodCount::Percent(10) };
        assert_eq!(none.resolve(5), (0, 1));
    }

    #[test]
    fn without_an_update_the_difference_is_made_or_deleted() {
        let pods = [pod(0, 0, Some(1)), pod(1, 0, Some(1))];
        let scaled = |wanted| reconcile(wanted, 0, Rollout::default(), &pods, at(100));
        assert_eq!(scaled(2), Actions::default());
        assert_eq!(scaled(5), Actions { create: 3, delete: Vec::new() });
        assert_eq!(scaled(1), Actions { create: 0, delete: vec![1] });
        assert_eq!(scaled(0).delete.len(), 2);
    }

    #[test]
    fn those_that_serve_least_are_deleted_first() {
        let waiting = OwnedPod { node: None, runs: false, ..pod(0, 0, None) };
        let starting = OwnedPod { runs: false, ..pod(1, 0, None) };
        let unready = pod(2, 0, None);
        let young = pod(3, 0, Some(99));
        let (old, shares_node) = (pod(4, 0, Some(1)), OwnedPod { node: Some(4), ..pod(5, 0, Some(1)) });
        let pods = [old, shares_node, young, unready, starting, waiting];
        let order = |count: u32| reconcile(6 - count, 0, Rollout::default(), &pods, at(100)).delete;
        assert_eq!(order(3), [0, 1, 2]);
        // Two of a kind on a node come before one that is younger.
        assert_eq!(order(5), [0, 1, 2, 5, 4]);
    }

    /// Pods of both revisions on a node count: 3 is alone, 1 and 2 are not.
    #[test]
    fn pods_of_other_revisions_crowd_a_node_too() {
        let on = |slot, revision, node| OwnedPod { node: Some(node), ..pod(slot, revision, Some(1)) };
        let pods = [on(1, 0, 7), on(2, 1, 7), on(3, 0, 8), on(4, 1, 9)];
        let rollout = Rollout { max_surge: PodCount::Pods(2), max_unavailable: PodCount::Pods(0) };
        assert_eq!(reconcile(3, 1, rollout, &pods, at(100)), Actions { create: 1, delete: vec![1] });
    }

    /// Kubernetes' own walk: 10 replicas, surge 3, unavailable 2.
    #[test]
    fn an_update_never_has_too_few_or_too_many_pods() {
        let rollout = Rollout::default();
        let mut pods: Vec<OwnedPod> = (0..10).map(|slot| pod(slot, 0, Some(0))).collect();
        let mut next = 10;
        let mut now = 100;
        while pods.iter().any(|pod| pod.revision == 0 || pod.ready_since.is_none()) {
            now += 10;
            let actions = reconcile(10, 1, rollout, &pods, at(now));
            pods.retain(|pod| !actions.delete.contains(&pod.slot));
            let available = pods.iter().filter(|pod| pod.ready_since.is_some()).count();
            assert!(available >= 8, "{available} of 10 are available");
            for _ in 0..actions.create {
                pods.push(pod(next, 1, None));
                next += 1;
            }
            assert!(pods.len() <= 13, "{} pods", pods.len());
            // One more is ready.
            if let Some(pod) = pods.iter_mut().find(|pod| pod.ready_since.is_none()) {
                pod.ready_since = Some(at(now));
            }
            assert!(now < 1_000, "it ends");
        }
        assert_eq!(pods.len(), 10);
    }

    #[test]
    fn the_first_step_of_an_update_makes_the_surge_and_deletes_what_may_be_missing() {
        let pods: Vec<OwnedPod> = (0..10).map(|slot| pod(slot, 0, Some(0))).collect();
        let actions = reconcile(10, 1, Rollout::default(), &pods, at(100));
        assert_eq!((actions.create, actions.delete.len()), (3, 2));
    }
}
