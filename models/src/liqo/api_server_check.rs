//! Whether a peer's API server is believed to answer.
//!
//! # Models
//! Each `interval` somebody asks it whether it lives, and waits for the answer no longer than `timeout`. One answer, or
//! its absence, decides.
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/liqo-controller-manager/core/foreigncluster-controller/apiserverchecker.go`;
//! `pkg/liqo-controller-manager/flags.go` (`foreign-cluster-ping-interval`, `foreign-cluster-ping-timeout`).

use meshsim_core::SimDuration;

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiServerCheckSettings {
    /// Time between two questions.
    pub interval: SimDuration,
    /// How long each waits for its answer.
    pub timeout: SimDuration,
}

/// What is believed of a peer's API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiServerCheck {
    answers: bool,
}

impl Default for ApiServerCheckSettings {
    fn default() -> Self {
        Self { interval: SimDuration::from_secs(15), timeout: SimDuration::from_secs(5) }
    }
}

impl ApiServerCheck {
    /// Of one that answers.
    #[must_use]
    pub const fn new() -> Self {
        Self { answers: true }
    }

    /// A question ends, with an answer or without: tells whether that is news.
    pub const fn ends(&mut self, answered: bool) -> bool {
        let is_news = self.answers != answered;
        self.answers = answered;
        is_news
    }

    /// Whether it is believed to answer.
    #[must_use]
    pub const fn answers(&self) -> bool {
        self.answers
    }
}

impl Default for ApiServerCheck {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_decides_and_only_a_change_is_news() {
        let mut check = ApiServerCheck::default();
        assert_eq!(
            [true, false, false, true].map(|answered| check.ends(answered)),
            [false, true, false, true]
        );
        assert!(check.answers());
    }
}
