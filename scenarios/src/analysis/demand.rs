//! How much CPU a user request needs, from the cost table and the call graph alone.

use meshsim_core::Table;
use meshsim_models::ids::EndpointId;
use meshsim_models::world::description::Description;

/// CPU time per request to `entry`, by endpoint (ms). Nothing if the calls feed themselves.
#[must_use]
pub fn demand_ms_per_request(description: &Description, entry: EndpointId) -> Option<Table<EndpointId, f64>> {
    let application = &description.application;
    let visits = application.expected_visits(entry).ok()?;
    let demand = application.endpoints.enumerate().map(|(id, endpoint)| {
        let calls: f64 =
            endpoint.groups.iter().flat_map(|g| g.calls.iter().map(|call| g.expected(call))).sum();
        let groups = endpoint.groups.len() as f64;
        let costs = &description.cell.costs;
        let own = match &application.services[endpoint.service].service_time {
            Some(law) => law.mean_ms() * costs.cpu_scale,
            None => endpoint.internal.mean_demand_ms(costs, groups, calls),
        };
        visits[id] * own
    });
    Some(demand.collect())
}
