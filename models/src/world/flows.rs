//! Who calls whom: every pair of a calling and a called service that may come up.
//!
//! # Models
//! A *flow* is all requests of one service, or of the users behind their gateways, to another service, in whichever
//! clusters the two are. Flows are numbered once for a world, so that what is counted per flow is a row of a short
//! list, and a message carries its number. A flow is there for each call that an endpoint may make, for each
//! service that users ask for, and for whatever else routes of the called service lead to, also those that it has later.
//! A version of a service is called for itself there, as the workload that it is.
//!
//! # Source
//! Istio, standard metrics: `source_workload` and `destination_workload`.

use super::description::Description;
use crate::envoy::route::RouteSettings;
use crate::few_of_many::FewOfMany;
use crate::ids::{FlowId, ServiceId};
use meshsim_core::{Id, Table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A calling and a called service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flow {
    /// Who calls; nobody: the users, through a gateway.
    pub caller: Option<ServiceId>,
    /// Who is called.
    pub called: ServiceId,
}

/// All flows of a world.
#[derive(Debug)]
pub struct Flows {
    /// In ascending order, those of the users first.
    flows: Table<FlowId, Flow>,
    /// By caller, the users last, and called service; [`Self::NONE`] where there is no such flow.
    numbers: FewOfMany<u32>,
    services: usize,
}

impl Flows {
    const NONE: u32 = u32::MAX;

    /// Those of a description.
    #[must_use]
    pub fn new(description: &Description) -> Self {
        let flows = Self::of(description);
        let services = description.application.services.len();
        let mut numbers = FewOfMany::new((services + 1) * services, Self::NONE);
        for (number, flow) in (0_u32..).zip(&flows) {
            *numbers.get_mut(cell_of(services, flow.caller, flow.called)) = number;
        }
        Self { flows: flows.into_iter().collect(), numbers, services }
    }

    /// The flows of a description, in ascending order.
    #[must_use]
    fn of(description: &Description) -> BTreeSet<Flow> {
        let application = &description.application;
        let asked = description
            .populations
            .iter()
            .flat_map(|it| it.requests.ever_requested().map(|it| (None, application.endpoints[it].service)));
        let called = application.endpoints.iter().flat_map(|endpoint| {
            let calls = endpoint.groups.iter().flat_map(|group| &group.calls);
            calls.map(|call| (Some(endpoint.service), application.endpoints[call.endpoint].service))
        });
        let mut flows = BTreeSet::new();
        for (caller, called) in asked.chain(called).collect::<BTreeSet<_>>() {
            let changes = description.configuration_changes.iter().filter(|it| it.service == called);
            let settings = changes.map(|it| &it.settings).chain([&description.services[called]]);
            let led_to = settings.flat_map(|it| &it.routes).flat_map(RouteSettings::led_to);
            let pods_of =
                led_to.map(|it| it.service).chain([called]).flat_map(|it| description.versions_of(it));
            flows.extend(pods_of.map(|called| Flow { caller, called }));
        }
        flows
    }

    /// The number of a flow.
    #[must_use]
    #[inline]
    pub fn id(&self, caller: Option<ServiceId>, called: ServiceId) -> FlowId {
        let number = *self.numbers.get(cell_of(self.services, caller, called));
        debug_assert!(number != Self::NONE, "{caller:?} does not call {called:?}");
        FlowId(number)
    }

    /// All of them by number.
    #[must_use]
    pub const fn table(&self) -> &Table<FlowId, Flow> {
        &self.flows
    }
}

#[inline]
fn cell_of(services: usize, caller: Option<ServiceId>, called: ServiceId) -> usize {
    caller.map_or(services, Id::index) * services + called.index()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::internal_service::InternalService;
    use crate::envoy::route::{Destination, Mirror, RouteSettings, WeightedDestination};
    use crate::users::arrivals::Arrivals;
    use crate::world::description::{ConfigurationChange, ServiceSettings};
    use meshsim_core::SimDuration;

    #[test]
    fn a_flow_is_there_for_each_call_and_for_whatever_its_routes_lead_to() {
        let mut description = Description::new(SimDuration::from_secs(1));
        let edge = description.add_cluster("edge", 4.0);
        let [a, b, c, d] =
            ["a", "b", "c", "d"].map(|it| description.add_service(it, InternalService::idle()));
        description.add_users(edge, a, Arrivals::Constant { per_second: 1.0 });
        description.add_call(a, b, 0.5);
        let to = |service| Destination { service, subset: None };
        description.services[b].routes = vec![RouteSettings {
            destinations: vec![WeightedDestination { destination: to(c), weight: 1 }],
            mirror: Some(Mirror { destination: to(d), percent: 10.0 }),
            ..RouteSettings::default()
        }];
        let settings = ServiceSettings {
            routes: vec![RouteSettings {
                destinations: vec![WeightedDestination { destination: to(d), weight: 1 }],
                ..RouteSettings::default()
            }],
            ..description.services[a].clone()
        };
        let at = description.end();
        description.configuration_changes.push(ConfigurationChange { at, service: a, settings });
        let flows = Flows::new(&description);
        let all: Vec<_> = flows.table().iter().map(|it| (it.caller, it.called)).collect();
        assert_eq!(all, [(None, a), (None, d), (Some(a), b), (Some(a), c), (Some(a), d)]);
        for (id, flow) in flows.table().enumerate() {
            assert_eq!(flows.id(flow.caller, flow.called), id);
        }
    }
}
