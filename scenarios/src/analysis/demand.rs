//! How much CPU a user request needs, from the cost table and the call graph alone.

use meshsim_core::Table;
use meshsim_models::ids::EndpointId;
use meshsim_models::users::requests::Requests;
use meshsim_models::world::description::Description;

/// CPU time per request of users who request this, by endpoint (ms). Nothing if the calls feed themselves.
#[must_use]
pub fn demand_ms_per_request(
    description: &Description,
    requests: &Requests,
) -> Option<Table<EndpointId, f64>> {
    let application = &description.application;
    let visits = application.expected_visits(requests.shares()).ok()?;
    let demand = application.endpoints.enumerate().map(|(id, endpoint)| {
        let calls: f64 = endpoint.expected_calls().map(|(_, expected)| expected).sum();
        let groups = endpoint.groups.len() as f64;
        let costs = &description.cell.costs;
        let own = match &endpoint.service_time {
            Some(law) => law.mean_ms() * costs.cpu_scale,
            None => endpoint.internal.mean_demand_ms(costs, groups, calls),
        };
        visits[id] * own
    });
    Some(demand.collect())
}
