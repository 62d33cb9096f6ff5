//! Limits on what a proxy has under way to an upstream cluster.
//!
//! # Models
//! Connections, pending requests, requests and retries are counted per proxy (over its workers) and
//! upstream, its own application included; each may be acquired while its count is below its limit. The
//! limit of retries is `max_retries` or grows with the load under a retry budget.
//!
//! # Source
//! Envoy `source/common/upstream/resource_manager_impl.h`; arch_overview/upstream/circuit_breaking.

use super::retry_budget::{RetryBudget, retry_limit};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Connections, open or being made.
    Connections,
    /// Requests that wait for a connection.
    PendingRequests,
    /// Requests under way.
    Requests,
    /// Retries under way or in back-off.
    Retries,
}

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Connections.
    pub max_connections: u32,
    /// Requests that wait for a connection.
    pub max_pending_requests: u32,
    /// Requests.
    pub max_requests: u32,
    /// Retries, where there is no budget.
    pub max_retries: u32,
    /// Retries, by the load.
    pub retry_budget: Option<RetryBudget>,
}

impl Thresholds {
    /// Envoy's defaults.
    pub const ENVOY: Self = Self {
        max_connections: 1024,
        max_pending_requests: 1024,
        max_requests: 1024,
        max_retries: 3,
        retry_budget: None,
    };

    /// Istio's defaults: none.
    pub const ISTIO: Self = Self {
        max_connections: u32::MAX,
        max_pending_requests: u32::MAX,
        max_requests: u32::MAX,
        max_retries: u32::MAX,
        retry_budget: None,
    };
}

impl Thresholds {
    /// Whether anything but retries is limited.
    #[must_use]
    pub const fn limits_requests(&self) -> bool {
        let none = Self::ISTIO;
        self.max_connections < none.max_connections
            || self.max_pending_requests < none.max_pending_requests
            || self.max_requests < none.max_requests
    }
}

/// What one proxy has under way to one upstream, with its limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CircuitBreaker {
    limits: Thresholds,
    counts: [u32; 4],
}

impl CircuitBreaker {
    /// Nothing is under way.
    #[must_use]
    pub const fn new(limits: Thresholds) -> Self {
        Self { limits, counts: [0; 4] }
    }

    /// Other limits hold from now on, for what is under way too.
    pub const fn set_limits(&mut self, limits: Thresholds) {
        self.limits = limits;
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.counts == [0; 4]
    }

    /// Nothing is under way any more: its proxy has died.
    pub const fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    /// Takes one of a resource, if its limit allows: whether it was taken.
    #[inline]
    pub fn acquire(&mut self, resource: Resource) -> bool {
        let allowed = u64::from(self.count(resource)) < self.limit(resource);
        self.counts[resource as usize] += u32::from(allowed);
        allowed
    }

    /// Takes one of a resource whatever its limit: a connection of a pool that has none, without
    /// which its requests would wait for ever.
    pub fn force(&mut self, resource: Resource) {
        self.counts[resource as usize] += 1;
    }

    /// Gives one back.
    ///
    /// # Panics
    /// If none was taken.
    pub fn release(&mut self, resource: Resource) {
        let count = &mut self.counts[resource as usize];
        *count = count.checked_sub(1).expect("what is released was acquired");
    }

    /// How many are taken.
    #[must_use]
    pub const fn count(&self, resource: Resource) -> u32 {
        self.counts[resource as usize]
    }

    /// How many may be taken now.
    #[must_use]
    pub fn limit(&self, resource: Resource) -> u64 {
        let thresholds = &self.limits;
        let fixed = match resource {
            Resource::Connections => thresholds.max_connections,
            Resource::PendingRequests => thresholds.max_pending_requests,
            Resource::Requests => thresholds.max_requests,
            Resource::Retries => {
                let load = [Resource::Requests, Resource::PendingRequests].map(|r| u64::from(self.count(r)));
                return retry_limit(thresholds.retry_budget, thresholds.max_retries, load.iter().sum());
            }
        };
        u64::from(fixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_limit_is_refused_and_not_counted() {
        let limits = Thresholds { max_requests: 2, ..Thresholds::ISTIO };
        let mut breaker = CircuitBreaker::new(limits);
        let acquire = |breaker: &mut CircuitBreaker| breaker.acquire(Resource::Requests);
        assert!(acquire(&mut breaker) && acquire(&mut breaker) && !acquire(&mut breaker));
        breaker.release(Resource::Requests);
        assert_eq!(breaker.count(Resource::Requests), 1);
        assert!(acquire(&mut breaker));
    }

    #[test]
    fn a_budget_replaces_the_limit_of_retries() {
        let budget = RetryBudget { budget_percent: 50.0, min_retry_concurrency: 1 };
        let limits = Thresholds { retry_budget: Some(budget), ..Thresholds::ENVOY };
        let mut breaker = CircuitBreaker::new(limits);
        assert_eq!(breaker.limit(Resource::Retries), 1);
        for _ in 0..6 {
            breaker.acquire(Resource::Requests);
        }
        assert_eq!(breaker.limit(Resource::Retries), 3);
    }
}
