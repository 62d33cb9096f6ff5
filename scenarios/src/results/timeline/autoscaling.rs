//! What autoscalers decide, in words.

use super::{Line, Names};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::hpa::{Decision, MetricSource, Reason};
use meshsim_models::kubernetes::metrics_server::Reads;
use meshsim_models::telemetry::control_log::{ControlLog, ScalingDecision};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The syncs of autoscalers that change something, and those at which one that could read its metrics no longer can, or can
/// again.
pub(super) fn scalings(log: &ControlLog) -> impl Iterator<Item = &ScalingDecision> {
    let mut sees: BTreeMap<ServiceId, bool> = BTreeMap::new();
    log.decisions.iter().filter(move |it| {
        let now = it.decision.reason != Reason::InvalidMetrics;
        let before = sees.get(&it.service).copied();
        // Before the first scrapes there is nothing to read.
        if now || before.is_some() {
            sees.insert(it.service, now);
        }
        before.is_some_and(|before| before != now) || it.decision.rescales()
    })
}

impl Names<'_> {
    /// A sync of an autoscaler that comes to something: its inputs, and which of its rules had the last word.
    pub(super) fn of_scaling(&self, cluster: ClusterId, it: &ScalingDecision) -> Line {
        let Decision { current, replicas, largest, stabilized, reason } = it.decision;
        let mut what = format!("{}: {current} replicas", self.service(it.service));
        if it.decision.rescales() {
            let _ = write!(what, " become {replicas}");
        }
        let settings = self.description.kubernetes.autoscaler(it.service, cluster);
        let metrics = settings.into_iter().flat_map(|it| it.reads.iter().zip(&it.hpa.metrics));
        for (proposal, (reads, spec)) in it.proposals.iter().zip(metrics) {
            // What stands behind the name is the unit of the table.
            let name = reads.name().split(" (").next().unwrap_or_default();
            let amount = |value: i64| match spec.source {
                MetricSource::Utilization(_) => format!("{value} %"),
                _ if *reads == Reads::MeanLatency => format!("{value} us"),
                _ => (value as f64 / 1e3).to_string(),
            };
            let _ = match proposal {
                Ok(of) => write!(
                    what,
                    "; {name} is {} of {} ({} pods ready, {} not, {} without metrics), so {}",
                    amount(of.usage),
                    amount(spec.target),
                    of.ready,
                    of.unready,
                    of.missing,
                    of.replicas
                ),
                Err(error) => write!(what, "; {name}: {error:?}"),
            };
        }
        let rule = match (reason, largest, stabilized) {
            (Reason::DesiredWithinRange, Some(asked), Some(after))
                if i64::from(asked.replicas) != i64::from(after) =>
            {
                "stabilizationWindow"
            }
            (Reason::DesiredWithinRange, ..) => "HPA tolerance",
            _ => reason.name(),
        };
        let (at, cluster) = (it.at.as_secs_f64(), self.cluster(cluster));
        Line { at, noticed: at, cluster, who: "horizontal pod autoscaler".to_owned(), rule, what }
    }
}
