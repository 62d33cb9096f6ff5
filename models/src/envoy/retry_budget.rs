//! How many retries may run at once.
//!
//! # Models
//! With a budget: a part of the active and pending requests, cut to an integer, and at least a
//! minimum. Without: `max_retries`, whatever the load.
//!
//! # Source
//! Envoy `source/common/upstream/resource_manager_impl.h`, `RetryBudgetImpl`; Istio, DestinationRule
//! `retryBudget`.

/// A retry budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// Part of the active and pending requests (percent).
    pub budget_percent: f64,
    /// The least number of retries that may always run.
    pub min_retry_concurrency: u32,
}

impl Default for RetryBudget {
    /// Envoy's defaults where a budget is asked for.
    fn default() -> Self {
        Self { budget_percent: 20.0, min_retry_concurrency: 3 }
    }
}

impl RetryBudget {
    /// The budget of two settings of which either may be missing; none if both are.
    #[must_use]
    pub fn of(budget_percent: Option<f64>, min_retry_concurrency: Option<u32>) -> Option<Self> {
        let default = Self::default();
        (budget_percent.is_some() || min_retry_concurrency.is_some()).then(|| Self {
            budget_percent: budget_percent.unwrap_or(default.budget_percent),
            min_retry_concurrency: min_retry_concurrency.unwrap_or(default.min_retry_concurrency),
        })
    }

    /// Retries that may run beside so many active and pending requests.
    #[must_use]
    pub fn limit(&self, active_and_pending: u64) -> u64 {
        let part = self.budget_percent / 100.0 * active_and_pending as f64;
        (part as u64).max(u64::from(self.min_retry_concurrency))
    }
}

/// Retries that may run: by the budget if there is one, else `max_retries`.
#[must_use]
pub fn retry_limit(budget: Option<RetryBudget>, max_retries: u32, active_and_pending: u64) -> u64 {
    budget.map_or(u64::from(max_retries), |budget| budget.limit(active_and_pending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_load_but_at_least_three() {
        let budget = Some(RetryBudget::default());
        assert_eq!([0, 19, 20, 100].map(|load| retry_limit(budget, 0, load)), [3, 3, 4, 20]);
        assert_eq!(retry_limit(None, 7, 1_000), 7);
    }

    #[test]
    fn one_setting_makes_a_budget() {
        assert_eq!(RetryBudget::of(None, None), None);
        assert_eq!(RetryBudget::of(None, Some(5)).unwrap().limit(50), 10);
        assert_eq!(RetryBudget::of(Some(50.0), None).unwrap().limit(5), 3);
    }
}
