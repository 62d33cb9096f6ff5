//! The tables of hashing load balancers, which the proxies of a cluster share.
//!
//! # Models
//! Proxies that see the same hosts have the same ring or table. It is made once per priority level
//! of a view; a proxy that leaves hosts out has one of its own.
//!
//! # Source
//! Envoy `thread_aware_lb_impl.cc`.

use super::maglev::Maglev;
use super::ring_hash::{DEFAULT_MAXIMUM_RING_SIZE, HashedHost, RingHash};
use super::{LoadBalancer, Policy};
use std::sync::Arc;

/// The tables of an upstream over whole levels of a view.
#[derive(Clone, Debug, Default)]
pub struct HashTables {
    made: Vec<((u32, usize), LoadBalancer)>,
}

impl HashTables {
    /// A balancer over `hosts` hosts of which `host` tells address and weight. `level` names the
    /// generation of a view and the level that they are the whole of, if they are.
    pub fn balancer(
        &mut self,
        policy: Policy,
        level: Option<(u32, usize)>,
        hosts: usize,
        host: impl Fn(usize) -> (String, f64),
    ) -> LoadBalancer {
        if let Some((_, made)) = self.made.iter().find(|(of, _)| Some(*of) == level) {
            return made.clone();
        }
        let made = make(policy, hosts, host);
        if let Some(level) = level {
            // Tables of older generations are of no more use.
            self.made.retain(|((generation, _), _)| *generation == level.0);
            self.made.push((level, made.clone()));
        }
        made
    }
}

fn make(policy: Policy, hosts: usize, host: impl Fn(usize) -> (String, f64)) -> LoadBalancer {
    let named: Vec<(String, f64)> = (0..hosts).map(host).collect();
    let hashed: Vec<_> = named.iter().map(|(key, weight)| HashedHost { key, weight: *weight }).collect();
    match policy {
        Policy::Maglev { table_size } => LoadBalancer::Maglev(Arc::new(Maglev::new(&hashed, table_size))),
        Policy::RingHash { minimum_size } => {
            LoadBalancer::RingHash(Arc::new(RingHash::new(&hashed, minimum_size, DEFAULT_MAXIMUM_RING_SIZE)))
        }
        Policy::RoundRobin | Policy::LeastRequest { .. } | Policy::Random => {
            unreachable!("only hashing balancers have tables")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_over_the_same_hosts_is_made_once() {
        let mut tables = HashTables::default();
        let policy = Policy::Maglev { table_size: 101 };
        let mut of =
            |level| match tables.balancer(policy, level, 3, |index| (format!("10.0.0.{index}:8080"), 1.0)) {
                LoadBalancer::Maglev(table) => table,
                other => panic!("{other:?}"),
            };
        let first = of(Some((0, 0)));
        assert!(Arc::ptr_eq(&first, &of(Some((0, 0)))));
        assert!(!Arc::ptr_eq(&first, &of(Some((1, 0)))));
        assert!(!Arc::ptr_eq(&of(None), &of(None)));
    }
}
