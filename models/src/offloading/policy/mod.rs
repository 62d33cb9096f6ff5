//! Which services to take to the edge or back. One file per strategy; this list alone names them all.
//!
//! # Models
//! A strategy is asked for a delay that is shorter or longer by so much, and answers with the services that the edge is
//! to have.
//!
//! # Assumptions
//! - Where the original crashes or never ends, the answer is [`Unanswered`].
//!
//! # Source
//! mSvcBench/muPlacer `strategies/{SBMP_offload, SBMP_unoffload, MFU, IA, TA, Kahn}.py`.

mod fixed;
mod ia;
mod kahn;
mod mfu;
pub mod sbmp;
pub mod situation;
mod ta;
#[cfg(test)]
mod tests;

use super::analytic_model::EdgeSet;
use sbmp::Sbmp;
use situation::{Request, Situation, Unanswered};

/// A strategy.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// Sets of services by their cost per millisecond gained.
    Sbmp(Sbmp),
    /// The services that are visited most first.
    Mfu,
    /// The pair that calls each other most first.
    Ia,
    /// Callers before those that they call.
    Kahn,
    /// The service with most traffic to the edge first.
    Ta,
    /// These services, whatever is asked.
    Fixed(Vec<usize>),
}

impl Policy {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sbmp(_) => "sbmp",
            Self::Mfu => "mfu",
            Self::Ia => "ia",
            Self::Kahn => "kahn",
            Self::Ta => "ta",
            Self::Fixed(_) => "fixed",
        }
    }

    /// The services that the edge is to have.
    ///
    /// # Errors
    /// If the strategy has no answer.
    pub fn decide(&self, situation: &Situation<'_>, request: Request) -> Result<EdgeSet, Unanswered> {
        match self {
            Self::Sbmp(sbmp) => sbmp.decide(situation, request),
            Self::Mfu => mfu::decide(situation, request),
            Self::Ia => ia::decide(situation, request),
            Self::Kahn => kahn::decide(situation, request),
            Self::Ta => ta::decide(situation, request),
            Self::Fixed(services) => Ok(fixed::decide(situation, services)),
        }
    }
}
