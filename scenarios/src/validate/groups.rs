//! Groups of users and kinds of requests, where the trace tells them apart as the scenario does.
//!
//! # Models
//! A request of a trace has the label that its load generator gave it, or the name of the service that was asked, and
//! perhaps the cluster in which it was recorded. It counts for a kind of request whose name is its label, for the users whose
//! name is its cluster or its label, and for both where its label is `USERS/KIND`. Figures of each are those of
//! the whole, over its own requests.
//!
//! # Assumptions
//! A label that the scenario does not know is in no group, but in the whole. Effect: none on the others.

use super::figures::{FigureKey, Row};
use super::measured::Measured;
use super::simulated::Simulated;
use crate::experiment::groups::{Groups, kind_name};
use crate::traces::{Trace, TraceRequest};
use meshsim_core::Id;
use meshsim_models::ids::{EndpointId, PopulationId};
use meshsim_models::world::description::Description;
use serde::Serialize;

/// What requests that are reported together came to, measured and simulated.
#[derive(Clone, Debug, Serialize)]
pub struct GroupRow {
    /// Whose; those of all users if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<String>,
    /// Which of them; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Requests of it in the trace.
    pub requests: u64,
    /// The figures side by side.
    pub figures: Vec<Row>,
}

impl GroupRow {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> String {
        let names: Vec<&str> =
            [&self.users, &self.request].into_iter().flatten().map(String::as_str).collect();
        names.join(", ")
    }
}

/// The figures of a group.
const FIGURES: [FigureKey; 6] =
    [FigureKey::Mean, FigureKey::P50, FigureKey::P90, FigureKey::P95, FigureKey::P99, FigureKey::Failed];

/// Holds every group that the trace, without its warm-up, tells apart against the simulation, by what `measure` says of a
/// part of the trace. One of whose requests none succeeded has no row.
pub(super) fn rows(
    trace: &Trace,
    simulated: &Simulated<'_>,
    measure: impl Fn(&Trace) -> Option<Measured>,
) -> Vec<GroupRow> {
    let description = simulated.description();
    let groups = Groups::new(description);
    let names = Names::new(description, &groups);
    let whose: Vec<Whose> = trace.requests.iter().map(|it| names.of(trace, it)).collect();
    let mut rows = Vec::new();
    for (index, which) in groups.which().iter().enumerate() {
        if which.tenant.is_some() {
            continue;
        }
        let is_in = |it: &Whose| {
            (which.users.is_none() || which.users == it.users)
                && (which.request.is_none() || which.request == it.request)
        };
        let own = trace.requests.iter().zip(&whose).filter(|(_, whose)| is_in(whose));
        let part = Trace::of_requests(own.map(|(request, _)| *request).collect());
        let Some(measured) = measure(&part) else { continue };
        let of = |key: &FigureKey| {
            let measured = match key {
                FigureKey::Mean => measured.mean,
                FigureKey::P50 => measured.p50,
                FigureKey::P90 => measured.p90,
                FigureKey::P95 => measured.p95,
                FigureKey::P99 => measured.p99,
                _ => measured.failure_share,
            };
            Row::new(*key, &measured, simulated.figure_of_group(index, *key))
        };
        rows.push(GroupRow {
            users: which.users.map(|it| description.populations[it.index()].name.clone()),
            request: which.request.map(|it| kind_name(description, it)),
            requests: part.count(),
            figures: FIGURES.iter().map(of).collect(),
        });
    }
    rows
}

/// Whose request one of the trace is, and for what, as far as it says so.
#[derive(Clone, Copy, Default)]
struct Whose {
    users: Option<PopulationId>,
    request: Option<EndpointId>,
}

/// What the scenario calls them.
struct Names {
    users: Vec<(String, PopulationId)>,
    kinds: Vec<(String, EndpointId)>,
}

impl Names {
    fn new(description: &Description, groups: &Groups) -> Self {
        let application = &description.application;
        let has_users = groups.which().iter().any(|it| it.users.is_some());
        let populations = description.populations.iter().enumerate().filter(|_| has_users);
        let mut kinds = Vec::new();
        for kind in groups.kinds() {
            let endpoint = &application.endpoints[kind];
            let service = &application.services[endpoint.service].name;
            kinds.extend(
                [kind_name(description, kind), format!("{service}.{}", endpoint.name)].map(|it| (it, kind)),
            );
        }
        Self {
            users: populations.map(|(id, it)| (it.name.clone(), PopulationId::from_index(id))).collect(),
            kinds,
        }
    }

    fn of(&self, trace: &Trace, request: &TraceRequest) -> Whose {
        let label = request.service.map_or("", |it| trace.names.text(it));
        let (first, last) = label.split_once('/').unwrap_or((label, label));
        let cluster = request.cluster.map_or("", |it| trace.names.text(it));
        Whose {
            users: known(&self.users, first).or_else(|| known(&self.users, cluster)),
            request: known(&self.kinds, last).or_else(|| known(&self.kinds, label)),
        }
    }
}

fn known<T: Copy>(names: &[(String, T)], name: &str) -> Option<T> {
    names.iter().find(|(known, _)| known == name).map(|(_, it)| *it)
}
