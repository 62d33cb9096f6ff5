//! What goes wrong with pods.

use super::Check;
use super::clusters::Network;
use super::ranges::bounded;
use crate::schema::faults::{Fault, Kind, SeenAfter};
use meshsim_core::{Id, SimDuration, SimTime};
use meshsim_models::application::call_graph::Application;
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use std::ops::Range;
use toml::Spanned;

/// A readiness probe, a kubelet, istiod and its push: about a second.
const DEFAULT_SEEN_AFTER: SimDuration = SimDuration::from_secs(1);

pub(super) fn resolve(
    check: &mut Check<'_>,
    faults: &[Spanned<Fault>],
    application: &Application,
    network: &Network,
    end: SimDuration,
) -> Vec<PodFault> {
    faults.iter().filter_map(|it| fault(check, it, application, network, end)).collect()
}

fn fault(
    check: &mut Check<'_>,
    fault: &Spanned<Fault>,
    application: &Application,
    network: &Network,
    end: SimDuration,
) -> Option<PodFault> {
    let (span, fault) = (fault.span(), fault.get_ref());
    let services = application.services.iter().map(|it| it.name.as_str());
    let service = check.reference(fault.service.get_ref(), fault.service.span(), services, "service");
    let clusters = network.clusters.iter().map(|it| it.name.as_str());
    let cluster = check.reference(fault.cluster.get_ref(), fault.cluster.span(), clusters, "cluster");
    let at = check.duration(Some(&fault.at), "at", SimDuration::ZERO, 0);
    if at >= end {
        let message = format!("the fault begins at {at}, and the run ends at {end}");
        check.problem(message, fault.at.span(), "it begins before; the warm-up is part of the run");
    }
    let lasts = fault.lasts.as_ref().map(|it| check.duration(Some(it), "for", SimDuration::ZERO, 1));
    let kind = kind(check, fault, span);
    let seen_after = seen_after(check, fault);
    let (service, cluster) = (ServiceId::from_index(service?), ClusterId::from_index(cluster?));
    check_pod(check, fault, network, service, cluster);
    let begins = SimTime::ZERO + at;
    Some(PodFault {
        service,
        cluster,
        pod: fault.pod.as_ref().map(|pod| *pod.get_ref()),
        begins,
        ends: lasts.map(|lasts| begins + lasts),
        kind: kind?,
        seen_after,
    })
}

/// A pod that is named exists wherever its service has pods at all: a strategy may place none.
fn check_pod(
    check: &mut Check<'_>,
    fault: &Fault,
    network: &Network,
    service: ServiceId,
    cluster: ClusterId,
) {
    let Some(pod) = &fault.pod else { return };
    let here = network.deployments.iter().find(|it| (it.service, it.cluster) == (service, cluster));
    let replicas = here.map_or(0, |it| it.replicas);
    if replicas > 0 && *pod.get_ref() >= replicas {
        let (service, cluster) = (fault.service.get_ref(), fault.cluster.get_ref());
        let message = format!("service `{service}` has no pod {} in cluster `{cluster}`", pod.get_ref());
        check.problem(message, pod.span(), format!("they are counted from 0 to {}", replicas - 1));
    }
}

fn kind(check: &mut Check<'_>, fault: &Fault, span: Range<usize>) -> Option<FaultKind> {
    let kind = *fault.kind.get_ref();
    let keys = [
        ("share", fault.share.as_ref().map(Spanned::span), kind == Kind::Errors, "share = 0.5"),
        ("status", fault.status.as_ref().map(Spanned::span), kind == Kind::Errors, "status = 503"),
        ("factor", fault.factor.as_ref().map(Spanned::span), kind == Kind::Slow, "factor = 10"),
    ];
    let name = format!("{kind:?}").to_lowercase();
    for (key, place, belongs, example) in keys {
        match place {
            Some(place) if !belongs => {
                check.problem(format!("a fault of kind \"{name}\" has no {key}"), place, "take it out");
            }
            None if belongs => check.problem(
                format!("a fault of kind \"{name}\" needs a {key}"),
                span.clone(),
                format!("write {example}"),
            ),
            _ => {}
        }
    }
    Some(match kind {
        Kind::Crash => FaultKind::Crash,
        Kind::Unready => FaultKind::Unready,
        Kind::Errors => FaultKind::Errors { share: share(check, fault), status: status(check, fault)? },
        Kind::Slow => {
            FaultKind::Slow { factor: bounded(check, fault.factor.as_ref(), "a factor", 1.0, 1e-3, 1e6) }
        }
    })
}

fn share(check: &mut Check<'_>, fault: &Fault) -> f64 {
    bounded(check, fault.share.as_ref(), "a share", 1.0, 0.0, 1.0)
}

fn status(check: &mut Check<'_>, fault: &Fault) -> Option<u16> {
    let status = fault.status.as_ref()?;
    if !(500..=599).contains(status.get_ref()) {
        let message = format!("status {} is out of range", status.get_ref());
        check.problem(message, status.span(), "it is 500 to 599");
    }
    Some(*status.get_ref())
}

fn seen_after(check: &mut Check<'_>, fault: &Fault) -> Option<SimDuration> {
    let Some(value) = &fault.seen_after else { return Some(DEFAULT_SEEN_AFTER) };
    if matches!(fault.kind.get_ref(), Kind::Errors | Kind::Slow) {
        let message = "proxies are not told of errors and slowness: seen_after has no effect";
        check.problem(message, value.span(), "take it out");
    }
    let SeenAfter(after) = value.get_ref().0;
    if after.is_some_and(|after| after > super::DURATION_MAX) {
        let message = "seen_after is out of range";
        check.problem(message, value.span(), format!("it is at most {}, or \"never\"", super::DURATION_MAX));
    }
    after
}
