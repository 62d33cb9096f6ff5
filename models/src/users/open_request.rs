//! A user's request that has not ended.

use crate::ids::{EndpointId, PopulationId};
use meshsim_core::SimTime;

/// A request between its sending and its end: the answer's last byte, or the moment at which its user gives up.
#[derive(Clone, Copy, Debug)]
pub struct OpenRequest {
    /// Whose request it is.
    pub population: PopulationId,
    /// The k-th of its population.
    pub number: u32,
    /// The user, counted within the population.
    pub user: u32,
    /// What it is a request for.
    pub endpoint: EndpointId,
    /// When the user sent it first.
    pub sent: SimTime,
    /// Attempts so far.
    pub attempts: u8,
    /// When the user sent the last one.
    pub sent_last: SimTime,
}
