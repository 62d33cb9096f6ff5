//! Which user requests are reported together: those of a group of users, of a kind, and both.
//!
//! # Models
//! Users are told apart where there are several populations, kinds of requests where users request several, and the kinds
//! of each population where both are so. Where there are several applications, so are the requests of each: those that enter
//! by a service of it.

use meshsim_core::Id;
use meshsim_models::application::call_graph::Endpoint;
use meshsim_models::ids::{EndpointId, PopulationId};
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::world::description::Description;
use std::collections::BTreeSet;

/// More groups of one sort than this are reported together only: each takes some 100 kB a replication.
const GROUPS_MAX: usize = 64;

/// Whose requests, and for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Those of a population; of all if absent.
    pub users: Option<PopulationId>,
    /// Those of a kind; of all if absent.
    pub request: Option<EndpointId>,
    /// Those of an application, by its number among the tenants; of all if absent.
    pub tenant: Option<u16>,
}

/// The groups of a description, in an order that depends on nothing else, and the way to them.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    which: Vec<Which>,
    /// Whether there is a group per population; they come first.
    by_users: bool,
    /// Kinds, each with the index of its group.
    kinds: Vec<(EndpointId, usize)>,
    /// By population, the same of its own requests.
    of_users: Vec<Vec<(EndpointId, usize)>>,
    /// By endpoint the index of the group of its application; empty where there is one.
    of_tenants: Vec<usize>,
}

impl Groups {
    /// Those of a description.
    #[must_use]
    pub fn new(description: &Description) -> Self {
        let populations = &description.populations;
        let mut groups = Self { of_users: vec![Vec::new(); populations.len()], ..Self::default() };
        groups.by_users = (2..=GROUPS_MAX).contains(&populations.len());
        if groups.by_users {
            let ids = (0..populations.len()).map(PopulationId::from_index);
            groups.which.extend(ids.map(|it| Which { users: Some(it), ..Which::default() }));
        }
        let kinds: BTreeSet<EndpointId> = populations.iter().flat_map(|it| it.requests.endpoints()).collect();
        if (2..=GROUPS_MAX).contains(&kinds.len()) {
            groups.add_kinds(description, &kinds);
        }
        let application = &description.application;
        if (2..=GROUPS_MAX).contains(&application.tenants.len()) {
            let first = groups.which.len();
            let tenants = (0..application.tenants.len() as u16).map(Some);
            groups.which.extend(tenants.map(|tenant| Which { tenant, ..Which::default() }));
            let tenant = |it: &Endpoint| usize::from(application.services[it.service].tenant);
            groups.of_tenants = application.endpoints.iter().map(|it| first + tenant(it)).collect();
        }
        groups
    }

    /// Kinds are told apart, and those of each population where these are.
    fn add_kinds(&mut self, description: &Description, kinds: &BTreeSet<EndpointId>) {
        let (populations, groups) = (&description.populations, self);
        for &kind in kinds {
            groups.kinds.push((kind, groups.which.len()));
            groups.which.push(Which { request: Some(kind), ..Which::default() });
        }
        let pairs: usize = populations.iter().map(|it| it.requests.endpoints().count()).sum();
        if groups.by_users && pairs <= GROUPS_MAX {
            for (index, population) in populations.iter().enumerate() {
                let users = Some(PopulationId::from_index(index));
                for kind in population.requests.endpoints() {
                    groups.of_users[index].push((kind, groups.which.len()));
                    groups.which.push(Which { users, request: Some(kind), tenant: None });
                }
            }
        }
    }

    /// All of them.
    #[must_use]
    pub fn which(&self) -> &[Which] {
        &self.which
    }

    /// The index of a group, if there is one.
    #[must_use]
    pub fn index_of(&self, which: Which) -> Option<usize> {
        self.which.iter().position(|it| *it == which)
    }

    /// The kinds that are told apart; none if users request one thing only.
    pub fn kinds(&self) -> impl Iterator<Item = EndpointId> {
        self.kinds.iter().map(|(kind, _)| *kind)
    }

    /// The indices of the groups that a request belongs to.
    pub(super) fn of(&self, row: &RequestRow) -> impl Iterator<Item = usize> {
        let index = row.population.index();
        let users = self.by_users.then_some(index);
        let of_kind = |kinds: &[(EndpointId, usize)]| {
            kinds.iter().find(|(kind, _)| *kind == row.endpoint).map(|(_, index)| *index)
        };
        let pair = if self.kinds.is_empty() { None } else { of_kind(&self.of_users[index]) };
        let tenant = self.of_tenants.get(row.endpoint.index()).copied();
        users.into_iter().chain(of_kind(&self.kinds)).chain(pair).chain(tenant)
    }
}

/// What people call a kind of request: its endpoint, with its service where another one has the same name.
#[must_use]
pub fn kind_name(description: &Description, kind: EndpointId) -> String {
    let application = &description.application;
    let name = &application.endpoints[kind].name;
    let mut requested = description.populations.iter().flat_map(|it| it.requests.endpoints());
    if requested.any(|it| it != kind && application.endpoints[it].name == *name) {
        format!("{}.{name}", application.services[application.endpoints[kind].service].name)
    } else {
        name.clone()
    }
}
