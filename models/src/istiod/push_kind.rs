//! What an update of a Service's endpoints makes istiod send: nothing, endpoints, or everything.
//!
//! # Models
//! Endpoints are kept per *shard*, which is a cluster. An update replaces those of a shard.
//! - No endpoints any more: endpoints are sent (an incremental push), whatever was there before.
//! - The first endpoints of a Service that istiod does not know: everything (a full push).
//! - The set of service accounts over all shards has changed: everything, because clients check them.
//!   Accounts are looked at only when a shard gets endpoints, so those of an emptied shard are missed at the next
//!   update of another one.
//! - An endpoint of the shard was removed or has changed in anything, or a new one is not unhealthy, or is sent although
//!   it is, or the shard had none: endpoints are sent.
//! - Else nothing is sent: a new pod that is not ready is known and not told of.
//!
//! # Assumptions
//! One port per Service.
//!
//! # Source
//! istio/istio (August 2026; the same since 1.24) `pilot/pkg/model/endpointshards.go`, `UpdateServiceEndpoints`,
//! `endpointUpdateRequiresPush`, `updateShardServiceAccount`.

use super::endpoint_health::Health;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is sent to proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PushKind {
    /// Endpoints alone (EDS).
    Incremental,
    /// Everything that the proxy sees.
    Full,
}

/// An endpoint of a shard. `A` is its address, `U` a service account, `D` all else that proxies are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardEndpoint<A, U, D> {
    /// Where it is.
    pub address: A,
    /// How it is.
    pub health: Health,
    /// Whether its Service sends endpoints that are unhealthy.
    pub send_unhealthy: bool,
    /// As whom it runs; absent: nobody says.
    pub service_account: Option<U>,
    /// Weight, locality, labels and so on.
    pub details: D,
}

/// The endpoints of one Service, by shard.
#[derive(Clone, Debug)]
pub struct EndpointShards<S, A, U, D> {
    is_known: bool,
    shards: BTreeMap<S, Vec<ShardEndpoint<A, U, D>>>,
    service_accounts: BTreeSet<U>,
}

impl<S: Ord, A: Ord, U: Ord + Clone, D: PartialEq> EndpointShards<S, A, U, D> {
    /// Of a Service with these endpoints; without any shard istiod does not know it.
    #[must_use]
    pub fn new(shards: BTreeMap<S, Vec<ShardEndpoint<A, U, D>>>) -> Self {
        let service_accounts = accounts(&shards);
        Self { is_known: !shards.is_empty(), shards, service_accounts }
    }

    /// The endpoints of a shard.
    #[must_use]
    pub fn shard(&self, shard: &S) -> &[ShardEndpoint<A, U, D>] {
        self.shards.get(shard).map_or(&[], Vec::as_slice)
    }

    /// A shard has these endpoints now: what is sent, if anything.
    pub fn update(&mut self, shard: S, endpoints: Vec<ShardEndpoint<A, U, D>>) -> Option<PushKind> {
        if endpoints.is_empty() {
            self.shards.remove(&shard);
            return Some(PushKind::Incremental);
        }
        let is_new = !std::mem::replace(&mut self.is_known, true);
        let is_news = self.shards.get(&shard).is_none_or(|old| is_news(old, &endpoints));
        self.shards.insert(shard, endpoints);
        let accounts = accounts(&self.shards);
        let accounts_change = accounts != self.service_accounts;
        self.service_accounts = accounts;
        if is_new || accounts_change {
            return Some(PushKind::Full);
        }
        is_news.then_some(PushKind::Incremental)
    }
}

fn accounts<S, A, U: Ord + Clone, D>(shards: &BTreeMap<S, Vec<ShardEndpoint<A, U, D>>>) -> BTreeSet<U> {
    shards.values().flatten().filter_map(|it| it.service_account.clone()).collect()
}

/// Whether proxies are to be told of the difference.
fn is_news<A: Ord, U: PartialEq, D: PartialEq>(
    old: &[ShardEndpoint<A, U, D>],
    new: &[ShardEndpoint<A, U, D>],
) -> bool {
    let known: BTreeMap<&A, &ShardEndpoint<A, U, D>> = old.iter().map(|it| (&it.address, it)).collect();
    let addresses: BTreeSet<&A> = new.iter().map(|it| &it.address).collect();
    let tells = |it: &ShardEndpoint<A, U, D>| match known.get(&it.address) {
        Some(before) => *before != it,
        None => it.health != Health::Unhealthy || it.send_unhealthy,
    };
    new.iter().any(tells) || known.keys().any(|address| !addresses.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Shards = EndpointShards<u8, u8, u8, u8>;

    fn pod(address: u8, health: Health) -> ShardEndpoint<u8, u8, u8> {
        ShardEndpoint { address, health, send_unhealthy: false, service_account: Some(0), details: 0 }
    }

    fn ready(addresses: &[u8]) -> Vec<ShardEndpoint<u8, u8, u8>> {
        addresses.iter().map(|&address| pod(address, Health::Healthy)).collect()
    }

    #[test]
    fn the_first_endpoints_are_a_new_service_but_not_those_after_none() {
        let mut service = Shards::new(BTreeMap::new());
        assert_eq!(service.update(0, Vec::new()), Some(PushKind::Incremental));
        assert_eq!(service.update(0, ready(&[1])), Some(PushKind::Full));
        assert_eq!(service.update(0, Vec::new()), Some(PushKind::Incremental));
        assert_eq!(service.update(0, ready(&[1])), Some(PushKind::Incremental));
    }

    #[test]
    fn a_pod_that_is_not_ready_is_told_of_when_it_is() {
        let mut service = Shards::new([(0, ready(&[1]))].into());
        let with = |health| vec![pod(1, Health::Healthy), pod(2, health)];
        assert_eq!(service.update(0, with(Health::Unhealthy)), None);
        assert_eq!(service.update(0, with(Health::Healthy)), Some(PushKind::Incremental));
        assert_eq!(service.update(0, with(Health::Terminating)), Some(PushKind::Incremental));
    }

    #[test]
    fn accounts_of_an_emptied_cluster_are_missed_at_the_next_update_of_another_one() {
        let other = ShardEndpoint { service_account: Some(1), ..pod(9, Health::Healthy) };
        let mut service = Shards::new([(0, ready(&[1])), (1, vec![other])].into());
        assert_eq!(service.update(1, Vec::new()), Some(PushKind::Incremental));
        // Nothing else has changed in this shard.
        assert_eq!(service.update(0, ready(&[1])), Some(PushKind::Full));
        assert_eq!(service.update(0, ready(&[1])), None);
    }

    proptest! {
        /// The same endpoints again are no news, in whatever order they are listed.
        #[test]
        fn nothing_new_is_never_sent(mut addresses in prop::collection::btree_set(0_u8..20, 1..6)) {
            let listed: Vec<u8> = addresses.iter().copied().collect();
            let mut service = Shards::new([(0, ready(&listed))].into());
            let reversed: Vec<u8> = listed.iter().rev().copied().collect();
            prop_assert_eq!(service.update(0, ready(&reversed)), None);
            // One less is.
            addresses.pop_first();
            let fewer: Vec<u8> = addresses.into_iter().collect();
            prop_assert_eq!(service.update(0, ready(&fewer)), Some(PushKind::Incremental));
        }
    }
}
