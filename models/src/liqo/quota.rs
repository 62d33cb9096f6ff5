//! Which offloaded pods a provider lets in (ShadowPods).
//!
//! # Models
//! - A pod counts the sum of what its containers request, or what one of its init containers requests if that is
//!   more. Limits count nothing. CPU of init containers is compared in whole cores, so that 900m does not give way to
//!   1000m: a quirk that is kept.
//! - It is let in if the quota names everything that it requests and has that much left; what has been taken away of a
//!   quota since is missing from what is left, and evicts nobody. The quota's number of pods is not looked at, unless a
//!   container requests pods.
//! - *Soft* asks every container for a request of CPU and memory, *Hard* for limits that equal all requests, too.
//! - Who is cordoned gets nothing in. A deletion frees at once, while the pod still ends.
//!
//! # Assumptions
//! - A pod whose deletion is asked for twice is freed twice, as in Liqo until it looks through its pods again.
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/webhooks/shadowpod/spdescription.go` (`getQuotaFromShadowPod`), `peeringinfo.go`
//! (`checkResources`, `testAndUpdateCreation`, `updateDeletion`), `webhook.go`.

use crate::kubernetes::scheduler::resources::{Resource, ResourceList};
use std::collections::BTreeMap;

/// What a provider asks of offloaded pods (`defaultLimitsEnforcement`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitsEnforcement {
    /// Nothing.
    #[default]
    None,
    /// Requests.
    Soft,
    /// Requests, and limits that equal them.
    Hard,
}

/// What a container asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// What it gets.
    pub requests: ResourceList,
    /// What it never gets more of.
    pub limits: ResourceList,
}

/// What a pod counts; absent: it is denied.
#[must_use]
pub fn counts(
    enforcement: LimitsEnforcement,
    containers: &[Container],
    init_containers: &[Container],
) -> Option<ResourceList> {
    let passes = |container: &Container| {
        let Container { requests, limits } = container;
        let says = |resource| requests.get(resource).is_some();
        let is_limited = || requests.iter().all(|(resource, amount)| limits.amount(resource) == amount);
        (enforcement == LimitsEnforcement::None || (says(Resource::CPU) && says(Resource::MEMORY)))
            && (enforcement != LimitsEnforcement::Hard || is_limited())
    };
    if !containers.iter().chain(init_containers).all(passes) {
        return None;
    }
    let (mut running, mut starting) = (ResourceList::default(), ResourceList::default());
    for (resource, amount) in containers.iter().flat_map(|it| it.requests.iter()) {
        running.set(resource, running.amount(resource) + amount);
    }
    for (resource, amount) in init_containers.iter().flat_map(|it| it.requests.iter()) {
        let whole = |amount: u64| if resource == Resource::CPU { amount.div_ceil(1_000) } else { amount };
        if starting.get(resource).is_none_or(|before| whole(before) < whole(amount)) {
            starting.set(resource, amount);
        }
    }
    for (resource, amount) in starting.iter() {
        running.set(resource, running.amount(resource).max(amount));
    }
    Some(running)
}

/// What one consumer may have of one provider, and has. `P` names a pod.
#[derive(Clone, Debug)]
pub struct Quota<P> {
    enforcement: LimitsEnforcement,
    /// Absent: there is none, and nothing gets in.
    granted: Option<ResourceList>,
    is_cordoned: bool,
    used: BTreeMap<Resource, i64>,
    pods: BTreeMap<P, ShadowPod>,
}

#[derive(Clone, Debug)]
struct ShadowPod {
    counts: ResourceList,
    runs: bool,
}

impl<P: Ord> Quota<P> {
    /// Of which nothing is used.
    #[must_use]
    pub fn new(enforcement: LimitsEnforcement, granted: Option<ResourceList>) -> Self {
        Self { enforcement, granted, is_cordoned: false, used: BTreeMap::new(), pods: BTreeMap::new() }
    }

    /// A pod asks to come in: whether it may.
    pub fn creates(&mut self, pod: P, containers: &[Container], init_containers: &[Container]) -> bool {
        let Some(granted) = self.granted.as_ref().filter(|_| !self.is_cordoned) else { return false };
        if self.pods.get(&pod).is_some_and(|pod| pod.runs) {
            return false;
        }
        let Some(counts) = counts(self.enforcement, containers, init_containers) else { return false };
        let fits = |(resource, amount): (Resource, u64)| {
            let left = granted.get(resource).map(|all| all as i64 - self.used(resource));
            left.is_some_and(|left| amount as i64 <= left)
        };
        if !counts.iter().all(fits) {
            return false;
        }
        for (resource, amount) in counts.iter() {
            *self.used.entry(resource).or_default() += amount as i64;
        }
        self.pods.insert(pod, ShadowPod { counts, runs: true });
        true
    }

    /// The deletion of a pod is asked for. It always may.
    pub fn deletes(&mut self, pod: &P) {
        if let Some(pod) = self.pods.get_mut(pod) {
            pod.runs = false;
            for (resource, amount) in pod.counts.iter() {
                *self.used.entry(resource).or_default() -= amount as i64;
            }
        }
    }

    /// From now on so much may be used.
    pub fn changes(&mut self, granted: ResourceList) {
        self.granted = Some(granted);
    }

    /// From now on nothing new gets in, or it may again.
    pub const fn cordons(&mut self, is_cordoned: bool) {
        self.is_cordoned = is_cordoned;
    }

    /// How much of a resource is used.
    #[must_use]
    pub fn used(&self, resource: Resource) -> i64 {
        self.used.get(&resource).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn container(milli_cpu: u64, memory: u64) -> Container {
        let requests = ResourceList::new(milli_cpu, memory);
        Container { limits: requests.clone(), requests }
    }

    fn only_cpu(milli_cpu: u64) -> Container {
        let mut requests = ResourceList::default();
        requests.set(Resource::CPU, milli_cpu);
        Container { requests, limits: ResourceList::default() }
    }

    #[test]
    fn an_init_container_counts_if_it_is_more_and_in_whole_cores_among_its_kind() {
        let counted = |init: &[u64]| {
            let init: Vec<_> = init.iter().map(|&milli_cpu| only_cpu(milli_cpu)).collect();
            counts(LimitsEnforcement::None, &[container(100, 50)], &init).map(|it| it.amount(Resource::CPU))
        };
        assert_eq!([counted(&[]), counted(&[50]), counted(&[2_500])], [Some(100), Some(100), Some(2_500)]);
        assert_eq!([counted(&[200, 900]), counted(&[900, 1_100])], [Some(200), Some(1_100)]);
    }

    #[test]
    fn hard_asks_for_limits_and_soft_for_requests() {
        let counted = |enforcement, it: Container| counts(enforcement, &[it], &[]).is_some();
        let unlimited = || Container { limits: ResourceList::default(), ..container(1, 1) };
        let all = [LimitsEnforcement::None, LimitsEnforcement::Soft, LimitsEnforcement::Hard];
        assert_eq!(all.map(|it| counted(it, container(1, 1))), [true; 3]);
        assert_eq!(all.map(|it| counted(it, unlimited())), [true, true, false]);
        assert_eq!(all.map(|it| counted(it, only_cpu(1))), [true, false, false]);
    }

    #[test]
    fn what_is_taken_away_evicts_nobody_and_lets_nobody_in() {
        let mut quota = Quota::new(LimitsEnforcement::None, Some(ResourceList::new(1_000, 1_000)));
        assert!(quota.creates("a", &[container(800, 100)], &[]));
        quota.changes(ResourceList::new(500, 1_000));
        assert!(!quota.creates("b", &[container(0, 100)], &[]));
        assert!(quota.creates("c", &[], &[]));
        quota.deletes(&"a");
        assert!(quota.creates("b", &[container(500, 100)], &[]));
        assert_eq!(quota.used(Resource::CPU), 500);
    }

    #[test]
    fn a_pod_that_runs_is_not_made_twice_and_one_without_a_quota_never() {
        let mut quota = Quota::new(LimitsEnforcement::None, Some(ResourceList::new(1_000, 1_000)));
        assert!(quota.creates(1, &[container(1, 1)], &[]) && !quota.creates(1, &[container(1, 1)], &[]));
        quota.cordons(true);
        assert!(!quota.creates(2, &[container(1, 1)], &[]));
        assert!(!Quota::new(LimitsEnforcement::None, None).creates(1, &[], &[]));
    }

    proptest! {
        /// Conservation: what is used is what the pods that run count, and never more than is granted.
        #[test]
        fn what_is_used_is_what_runs(steps in prop::collection::vec((0_u8..6, 0_u64..500, any::<bool>()), 1..60)) {
            let mut quota = Quota::new(LimitsEnforcement::None, Some(ResourceList::new(1_000, 1_000)));
            let mut running: BTreeMap<u8, u64> = BTreeMap::new();
            for (pod, amount, creates) in steps {
                if creates {
                    if quota.creates(pod, &[container(amount, amount)], &[]) {
                        prop_assert!(running.insert(pod, amount).is_none());
                    }
                } else if running.remove(&pod).is_some() {
                    quota.deletes(&pod);
                }
                let sum: u64 = running.values().sum();
                prop_assert!(sum <= 1_000);
                prop_assert_eq!(quota.used(Resource::CPU), sum as i64);
            }
        }
    }
}
