//! Prometheus scrapes the clients and containers of a cluster for offloading controllers, and what these come to is sampled.
//!
//! # Source
//! `telemetry/scrapes`, which says what there is, and `control/offloading`, which says what is assumed.

use super::offloading_desk::Offloading;
use super::state::Control;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::news::OffloadingNews;
use crate::ids::{ClusterId, ServiceId};
use crate::offloading::settings::{ManagedService, OffloadingSettings};
use crate::telemetry::control_log::OffloadingSample;
use crate::telemetry::scrapes::{Client, Metric, SeriesId};

impl Control {
    /// All clients of this cluster and all its containers are scraped, for whoever asks for them.
    pub(in crate::cluster) fn scrape_for_offloading(&mut self, at: &mut Around<'_>) {
        let topology = at.topology;
        let Some(settings) = &topology.description.offloading else { return };
        at.schedule(at.now.saturating_add(settings.scrape_interval), Event::OffloadingScrapes);
        let Some(mut offloading) = self.offloading.take() else { return };
        let pods = &*at.pods;
        let is_there = |client: &Client| {
            client.pod.is_none_or(|pod| pods[pods.slot_of(pod)].generation == client.instance)
        };
        at.recorder.keep_clients(is_there);
        let mut found: Vec<(SeriesId, f64)> = at.recorder.client_series(at.here).collect();
        found.retain(|(id, _)| id.client.pod.is_none_or(|pod| !at.is_down(pod, at.pods.slot_of(pod))));
        let here = at.here;
        for slot in 0..at.pods.len() {
            let pod = at.pods.pod_in(slot);
            if at.pods[slot].offloaded || at.is_down(pod, slot) || at.is_node_lost(slot, at.now) {
                continue;
            }
            let called = at.pods.service_of(slot);
            let client = Client { pod: Some(pod), instance: at.pods[slot].generation, called, server: here };
            let seconds = at.compute.used_at(at.pods.container_of(slot), at.now) / 1e9;
            found.push((SeriesId { cluster: here, client, metric: Metric::Cpu }, seconds));
        }
        sample(at, settings, &mut offloading);
        let mut clusters: Vec<ClusterId> = settings.controllers.iter().map(|it| it.cluster).collect();
        clusters.sort_unstable();
        clusters.dedup();
        for to in clusters {
            if at.is_reached(to) {
                for &(series, value) in &found {
                    offloading.hand(at, to, OffloadingNews::Sample { series, at: at.now, value });
                }
            }
        }
        self.offloading = Some(offloading);
    }
}

/// What users here have seen, and what there is to be paid, since the last scrape: the truth, for reports.
fn sample(at: &mut Around<'_>, settings: &OffloadingSettings, offloading: &mut Offloading) {
    let [ok, failed, delays_ms] = at.recorder.of_users();
    let now = [ok, failed, delays_ms, at.recorder.bytes_from_elsewhere(at.here) as f64];
    let before = std::mem::replace(&mut offloading.counted, now);
    let since = |index: usize| (now[index] - before[index]).max(0.0);
    let seconds = settings.scrape_interval.as_secs_f64();
    let in_cloud = settings.controllers.iter().filter(|it| it.cluster == at.here).count();
    for it in &settings.controllers {
        let (prices, share) = match (it.edge == at.here, it.cluster == at.here) {
            (true, _) => (it.edge_prices, 1.0),
            (_, true) => (it.cloud_prices, 1.0 / in_cloud as f64),
            _ => continue,
        };
        let pods = |service: ServiceId| {
            let stands = |&&slot: &&u32| at.pods[slot as usize].stage.has_node();
            at.pods.slots_of(service).iter().filter(stands).count() as f64
        };
        let of_pod = |it: &ManagedService| prices.cpu * it.cpu_request + prices.memory * it.memory_request;
        let hourly: f64 = it.services.iter().map(|it| pods(it.service) * of_pod(it)).sum();
        let is_edge = it.edge == at.here;
        let network = if is_edge { it.network_price * since(3) / 1e9 } else { 0.0 };
        at.recorder.offloading_sampled(OffloadingSample {
            at: at.now,
            edge: it.edge,
            seconds: if is_edge { seconds } else { 0.0 },
            ok: if is_edge { since(0) } else { 0.0 },
            failed: if is_edge { since(1) } else { 0.0 },
            delays_ms: if is_edge { since(2) } else { 0.0 },
            cost: hourly * share * seconds / 3600.0 + network,
        });
    }
}
