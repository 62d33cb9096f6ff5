//! What somebody changes during a run.

use super::check::Check;
use super::clusters::Network;
use super::ranges::bounded_u32;
use crate::schema::Scenario;
use crate::schema::changes::{self as typed, ChangeKind as Kind};
use meshsim_core::{Id, SimDuration, SimTime};
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::settings::{Change, ChangeKind};
use toml::Spanned;

/// Most pods that a change asks for.
const REPLICAS_MAX: u32 = 1_000;

/// The changes of Deployments, in the order of time.
pub(super) fn resolve(
    check: &mut Check<'_>,
    scenario: &Scenario,
    application: &Application,
    network: &Network,
    end: SimDuration,
) -> Vec<Change> {
    let mut changes: Vec<Change> =
        scenario.changes.iter().filter_map(|it| change(check, it, application, network, end)).collect();
    changes.sort_by_key(|it| it.at);
    changes
}

fn change(
    check: &mut Check<'_>,
    written: &Spanned<typed::Change>,
    application: &Application,
    network: &Network,
    end: SimDuration,
) -> Option<Change> {
    let (span, it) = (written.span(), written.get_ref());
    let services = application.services.iter().map(|it| it.name.as_str());
    let service = check.reference(it.service.get_ref(), it.service.span(), services, "service");
    let clusters = network.clusters.iter().map(|it| it.name.as_str());
    let cluster = check.reference(it.cluster.get_ref(), it.cluster.span(), clusters, "cluster");
    let at = check.duration(Some(&it.at), "at", SimDuration::ZERO, 0);
    if at >= end {
        let message = format!("the change comes at {at}, and the run ends at {end}");
        check.problem(message, it.at.span(), "it comes before; the warm-up is part of the run");
    }
    let replicas = bounded_u32(check, it.replicas.as_ref(), "replicas", 0, REPLICAS_MAX);
    let (service, cluster) = (ServiceId::from_index(service?), ClusterId::from_index(cluster?));
    let kind = match (it.kind.get_ref(), replicas) {
        (Kind::Scale, None) => {
            check.problem("a change of kind \"scale\" needs replicas", span, "write replicas = 3");
            return None;
        }
        (Kind::Rollout | Kind::Remove, Some(_)) => {
            let place = it.replicas.as_ref().map_or(span, Spanned::span);
            check.problem("only scale and offload have replicas", place, "take it out");
            return None;
        }
        (Kind::Scale, Some(replicas)) => ChangeKind::Scale(replicas),
        (Kind::Offload, replicas) => {
            ChangeKind::Scale(replicas.unwrap_or(application.services[service].replicas).max(1))
        }
        (Kind::Remove, None) => ChangeKind::Scale(0),
        (Kind::Rollout, None) => ChangeKind::Rollout,
    };
    Some(Change { at: SimTime::ZERO + at, service, cluster, kind })
}
