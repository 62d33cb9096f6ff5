//! What goes wrong.

use super::check::{Check, DURATION_MAX};
use super::clusters::{Network, loss, rate};
use super::outages::{self, is_of_component};
use super::ranges::bounded;
use crate::schema::Duration;
use crate::schema::faults::{Fault, Kind, SeenAfter};
use crate::schema::spanned::Spanned;
use meshsim_core::{Id, SimDuration, SimTime};
use meshsim_models::application::call_graph::Application;
use meshsim_models::faults::link::{Degradation, LinkFault, LinkFaultKind};
use meshsim_models::faults::outage::Outage;
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::faults::repeated::{Renewal, RepeatedFault, Repeats};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::settings::IstiodSettings;
use meshsim_models::world::description::DEFAULT_LOCAL_BANDWIDTH;
use std::ops::Range;

/// A readiness probe, a kubelet, istiod and its push: about a second.
const DEFAULT_SEEN_AFTER: SimDuration = SimDuration::from_secs(1);

/// A probe that is swallowed fails by time-out, and the pod is unready after three of them, ten seconds apart
/// (Kubernetes' `periodSeconds` and `failureThreshold`).
const DEFAULT_BLACKHOLE_SEEN_AFTER: SimDuration = SimDuration::from_secs(30);

/// The keys of the faults of links alone.
const OF_LINKS: [&str; 5] = ["link", "toward", "delay", "loss", "bandwidth"];

/// What goes wrong.
#[derive(Default)]
pub(super) struct Faults {
    /// With pods, once.
    pub pods: Vec<PodFault>,
    /// With links, once.
    pub links: Vec<LinkFault>,
    /// With clusters, nodes, gateways and control planes, once.
    pub outages: Vec<Outage>,
    /// With any of these, again and again.
    pub repeated: Vec<RepeatedFault>,
}

/// Shorter ones would come more often than anybody looks.
const SHORTEST_MEAN: SimDuration = SimDuration::from_secs(1);

/// Pods, links and components that fail.
pub(super) fn resolve(
    check: &mut Check<'_>,
    faults: &[Spanned<Fault>],
    application: &Application,
    network: &Network,
    istiod: Option<IstiodSettings>,
    end: SimDuration,
) -> Faults {
    let mut found = Faults::default();
    for it in faults {
        let span = span_of_time(check, it.get_ref(), end);
        let renewal = renewal(check, it.get_ref());
        if is_of_component(it.get_ref()) {
            let Some(outage) = outages::resolve(check, it.get_ref(), network, istiod, span) else {
                continue;
            };
            match renewal {
                Some(renewal) => found.repeated.push(RepeatedFault::Outage { outage, renewal }),
                None => found.outages.push(outage),
            }
        } else if it.get_ref().link.is_some() {
            let Some(fault) = of_link(check, it.get_ref(), network, span) else { continue };
            match renewal {
                Some(renewal) => found.repeated.push(RepeatedFault::Link { fault, renewal }),
                None => found.links.push(fault),
            }
        } else {
            let repeats = renewal.map(Repeats::Renewal).or(crash_loop(check, it.get_ref()));
            let Some(fault) = of_pod(check, it, application, network, span) else { continue };
            match repeats {
                Some(repeats) => found.repeated.push(RepeatedFault::Pod { fault, repeats }),
                None => found.pods.push(fault),
            }
        }
    }
    found
}

/// How a fault comes again by chance.
fn renewal(check: &mut Check<'_>, fault: &Fault) -> Option<Renewal> {
    let mut mean = |time: Option<&Duration>, key| {
        Some(check.duration(Some(time?), key, SimDuration::ZERO, SHORTEST_MEAN.as_nanos()))
    };
    let means = (mean(fault.mtbf.as_ref(), "mtbf"), mean(fault.mttr.as_ref(), "mttr"));
    let one = match (&fault.mtbf, &fault.mttr) {
        (Some(mtbf), None) => Some((mtbf, "mttr", "mttr = \"1min\": how long it takes until it is repaired")),
        (None, Some(mttr)) => {
            Some((mttr, "mtbf", "mtbf = \"10min\": how long it takes until it fails again"))
        }
        _ => None,
    };
    if let Some((location, key, example)) = one {
        check.problem(
            format!("a fault that comes again by chance needs an {key}"),
            location.span(),
            format!("write {example}"),
        );
    }
    let (between_failures, to_repair) = (means.0?, means.1?);
    Some(Renewal { between_failures, to_repair })
}

/// A pod that crashes whenever it has run for a while.
fn crash_loop(check: &mut Check<'_>, fault: &Fault) -> Option<Repeats> {
    let written = fault.runs.as_ref()?;
    if *fault.kind.get_ref() != Kind::Crash {
        let kind = fault.kind.get_ref().name();
        check.problem(
            format!("a fault of kind \"{kind}\" has no runs"),
            written.span(),
            "take it out, or write kind = \"crash\"",
        );
    }
    if let Some(mtbf) = &fault.mtbf {
        check.problem(
            "a crash comes again by chance or by its runs",
            mtbf.span(),
            "take mtbf and mttr out, or runs",
        );
    }
    Some(Repeats::CrashLoop(check.duration(Some(written), "runs", SimDuration::ZERO, 1_000_000)))
}

/// When a fault begins and when it ends.
fn span_of_time(check: &mut Check<'_>, fault: &Fault, end: SimDuration) -> (SimTime, Option<SimTime>) {
    let at = check.duration(Some(&fault.at), "at", SimDuration::ZERO, 0);
    if at >= end {
        let message = format!("the fault begins at {at}, and the run ends at {end}");
        check.problem(message, fault.at.span(), "it begins before; the warm-up is part of the run");
    }
    let lasts = fault.lasts.as_ref().map(|it| check.duration(Some(it), "for", SimDuration::ZERO, 1));
    let begins = SimTime::ZERO + at;
    (begins, lasts.map(|lasts| begins + lasts))
}

/// What goes wrong with a link.
fn of_link(
    check: &mut Check<'_>,
    fault: &Fault,
    network: &Network,
    (begins, ends): (SimTime, Option<SimTime>),
) -> Option<LinkFault> {
    let name = fault.link.as_ref()?;
    let kind = match fault.kind.get_ref() {
        Kind::Blackhole => LinkFaultKind::Blackhole,
        Kind::Down => LinkFaultKind::Down,
        Kind::Degraded => LinkFaultKind::Degraded(degradation(check, fault)),
        other => {
            let message = format!("a link has no fault of kind \"{}\"", other.name());
            let help = "write kind = \"blackhole\", \"down\" or \"degraded\", or service and cluster";
            check.problem(message, fault.kind.span(), help);
            return None;
        }
    };
    for (key, location) in outages::keys(fault).into_iter().filter(|(key, _)| !OF_LINKS.contains(key)) {
        check.problem(format!("the fault of a link has no {key}"), location, "take it out, or the link");
    }
    if !matches!(kind, LinkFaultKind::Degraded(_)) {
        for (key, location) in of_degraded(fault) {
            let kind = fault.kind.get_ref().name();
            let help = "take it out, or write kind = \"degraded\"";
            check.problem(format!("a fault of kind \"{kind}\" has no {key}"), location, help);
        }
    }
    let links = network.links.iter().map(|it| it.name.as_str());
    let link = check.reference(name.get_ref(), name.span(), links, "link")?;
    let toward = match &fault.toward {
        Some(end) => Some(end_of(check, end, network, link)?),
        None => None,
    };
    Some(LinkFault { link: link as u32, toward, kind, begins, ends })
}

/// The end of a link that is named.
fn end_of(
    check: &mut Check<'_>,
    written: &Spanned<String>,
    network: &Network,
    link: usize,
) -> Option<ClusterId> {
    let between = network.links[link].between;
    let names = between.map(|end| network.clusters[end].name.as_str());
    let found = check.reference(written.get_ref(), written.span(), names, "end of the link");
    found.map(|end| between[end])
}

/// How much worse a link is.
fn degradation(check: &mut Check<'_>, fault: &Fault) -> Degradation {
    let worse = Degradation {
        delay: check.duration(fault.delay.as_ref(), "delay", SimDuration::ZERO, 1),
        loss: fault.loss.as_ref().map_or(0.0, |it| loss(check, it)),
        bits_per_second: fault.bandwidth.as_ref().map(|it| rate(check, Some(it), DEFAULT_LOCAL_BANDWIDTH)),
    };
    if of_degraded(fault).next().is_none() {
        let help = "write delay = \"100ms\", loss = \"5%\" or bandwidth = \"10Mbit/s\"";
        check.problem("nothing of the link is degraded", fault.kind.span(), help);
    }
    worse
}

/// The keys of a link that is degraded.
fn of_degraded(fault: &Fault) -> impl Iterator<Item = (&'static str, Range<usize>)> {
    let keys = [
        ("delay", fault.delay.as_ref().map(Spanned::span)),
        ("loss", fault.loss.as_ref().map(Spanned::span)),
        ("bandwidth", fault.bandwidth.as_ref().map(Spanned::span)),
    ];
    keys.into_iter().filter_map(|(key, location)| Some((key, location?)))
}

fn of_pod(
    check: &mut Check<'_>,
    fault: &Spanned<Fault>,
    application: &Application,
    network: &Network,
    (begins, ends): (SimTime, Option<SimTime>),
) -> Option<PodFault> {
    let (span, fault) = (fault.span(), fault.get_ref());
    let kind = kind(check, fault, span.clone());
    for (key, location) in outages::keys(fault).into_iter().filter(|(key, _)| OF_LINKS.contains(key)) {
        check.problem(format!("the fault of a pod has no {key}"), location, "take it out, or name a link");
    }
    let seen_after = seen_after(check, fault);
    for (key, is_missing) in [("service", fault.service.is_none()), ("cluster", fault.cluster.is_none())] {
        if is_missing {
            let help = "name the pods' service and cluster, or a link, or what else fails";
            check.problem(format!("the fault has no {key}"), span.clone(), help);
        }
    }
    let (of, on) = (fault.service.as_ref()?, fault.cluster.as_ref()?);
    let services = application.services.iter().map(|it| it.name.as_str());
    let service = check.reference(of.get_ref(), of.span(), services, "service");
    let clusters = network.clusters.iter().map(|it| it.name.as_str());
    let cluster = check.reference(on.get_ref(), on.span(), clusters, "cluster");
    let (service, cluster) = (ServiceId::from_index(service?), ClusterId::from_index(cluster?));
    check_pod(check, fault, network, (service, of.get_ref()), (cluster, on.get_ref()));
    let pod = fault.pod.as_ref().map(|pod| *pod.get_ref());
    Some(PodFault { service, cluster, pod, begins, ends, kind: kind?, seen_after })
}

/// A pod that is named exists wherever its service has pods at all: a strategy may place none.
fn check_pod(
    check: &mut Check<'_>,
    fault: &Fault,
    network: &Network,
    (service, of): (ServiceId, &str),
    (cluster, on): (ClusterId, &str),
) {
    let Some(pod) = &fault.pod else { return };
    let here = network.deployments.iter().find(|it| (it.service, it.cluster) == (service, cluster));
    let replicas = here.map_or(0, |it| it.replicas);
    if replicas > 0 && *pod.get_ref() >= replicas {
        let message = format!("service `{of}` has no pod {} in cluster `{on}`", pod.get_ref());
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
    let name = kind.name();
    for (key, location, belongs, example) in keys {
        match location {
            Some(location) if !belongs => {
                check.problem(format!("a fault of kind \"{name}\" has no {key}"), location, "take it out");
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
        Kind::Down | Kind::Degraded | Kind::Lost | Kind::Isolated | Kind::Drained => {
            let help = "write \"crash\", \"blackhole\", \"unready\", \"errors\" or \"slow\", or name what else fails";
            check.problem(format!("a pod has no fault of kind \"{name}\""), fault.kind.span(), help);
            return None;
        }
        Kind::Crash => FaultKind::Crash,
        Kind::Blackhole => FaultKind::Blackhole,
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
    let default = match fault.kind.get_ref() {
        Kind::Blackhole => DEFAULT_BLACKHOLE_SEEN_AFTER,
        _ => DEFAULT_SEEN_AFTER,
    };
    let Some(value) = &fault.seen_after else { return Some(default) };
    if matches!(fault.kind.get_ref(), Kind::Errors | Kind::Slow) {
        let message = "proxies are not told of errors and slowness: seen_after has no effect";
        check.problem(message, value.span(), "take it out");
    }
    let SeenAfter(after) = value.get_ref().0;
    if after.is_some_and(|after| after > DURATION_MAX) {
        let message = "seen_after is out of range";
        check.problem(message, value.span(), format!("it is at most {DURATION_MAX}, or \"never\""));
    }
    after
}
