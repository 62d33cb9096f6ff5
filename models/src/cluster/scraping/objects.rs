//! What kube-state-metrics says of Deployments, autoscalers and pods.
//!
//! # Source
//! kubernetes/kube-state-metrics, `docs/metrics/workload`.

use super::Scrape;
use crate::cluster::state::Cluster;
use crate::kubernetes::pod::PodStage;
use crate::telemetry::exporters::Exporters;
use crate::telemetry::exporters::samples::{PodMetric, Series, Target, WorkloadMetric};

impl Scrape<'_> {
    /// What kube-state-metrics says.
    pub(super) fn objects(&self, exporters: &mut Exporters) {
        let Cluster { id, owners, pods, .. } = self.cluster;
        if !self.up(exporters, Target::KubeState, true) {
            return;
        }
        let control = &owners.control;
        let services = self.topology.application().services.ids();
        for (service, deployment) in services.filter_map(|it| Some((it, control.deployment(it)?))) {
            let state = control.state(deployment);
            if !state.exists {
                continue;
            }
            let count = |stages: &[PodStage]| {
                let is_in = |slot: &&u32| stages.contains(&pods[**slot as usize].stage);
                f64::from(pods.slots_of(service).iter().filter(is_in).count() as u32)
            };
            let replicas = count(&[PodStage::Pending, PodStage::Starting, PodStage::Ready]);
            let ready = count(&[PodStage::Ready]);
            let mut say = |metric, value| {
                exporters.samples.push(Series::Workload(service, metric), self.now, value);
            };
            say(WorkloadMetric::Wanted, f64::from(state.wanted));
            say(WorkloadMetric::Replicas, replicas);
            say(WorkloadMetric::Ready, ready);
            say(WorkloadMetric::Unavailable, (f64::from(state.wanted) - ready).max(0.0));
            if self.topology.description.kubernetes.autoscaler(service, *id).is_some() {
                say(WorkloadMetric::HpaCurrent, replicas);
                say(WorkloadMetric::HpaDesired, f64::from(state.wanted));
            }
        }
        for slot in (0..pods.len()).filter(|&slot| pods[slot].stage != PodStage::Absent) {
            let (life, name) = (&pods[slot], self.name(slot));
            let is_running = life.stage.has_node() && life.runs_from <= self.now;
            let mut say = |metric, value| {
                exporters.samples.push(Series::Pod(name, metric), self.now, value);
            };
            let truth = |it: bool| f64::from(u8::from(it));
            say(PodMetric::Pending, truth(!is_running));
            say(PodMetric::Running, truth(is_running));
            say(PodMetric::Ready, truth(life.stage == PodStage::Ready));
            if life.stage.has_node() && !life.offloaded {
                say(PodMetric::Node, f64::from(life.node));
            }
        }
    }
}
