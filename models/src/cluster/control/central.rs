//! Prometheus, from where it stands, scrapes the pods of this cluster, and takes their spans.
//!
//! # Source
//! `telemetry/central`, which says how large that is and what it misses.

use super::autoscaling::counters_of;
use super::state::Control;
use crate::application::cell::Cell;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::kubernetes::metrics_server::PodHistory;
use crate::telemetry::decision::What;

impl Control {
    /// All pods, of which these are the cells, are scraped; the spans since the last time go along.
    pub(in crate::cluster) fn scrape_centrally(&mut self, at: &mut Around<'_>, cells: &[Cell]) {
        let Some(central) = at.topology.description.observability else { return };
        at.schedule(at.now.saturating_add(central.scrape_interval), Event::CentrallyScraped);
        let calls = cells.iter().map(|cell| cell.occupancy.served).sum();
        let since = std::mem::replace(&mut self.calls_traced, calls);
        let is_reached = at.observability_is_reached();
        if std::mem::replace(&mut self.is_scraped, is_reached) != is_reached {
            at.recorder.decided(at.now, What::Scraped(is_reached));
        }
        if !is_reached {
            return;
        }
        let kept = at.topology.description.kubernetes.metrics.scrapes_kept(central.scrape_interval);
        self.central.resize_with(at.pods.len(), PodHistory::default);
        let mut pods = 0;
        for (slot, cell) in cells.iter().enumerate() {
            if at.pods[slot].is_reachable() && !at.is_down(at.pods.pod_in(slot), slot) {
                // CPU is the metrics server's.
                let counters = counters_of(0.0, None, cell, at.now);
                self.central[slot].scrape(at.now, counters, kept);
                pods += 1;
            }
        }
        let wire_bytes = central.bytes(pods, calls - since);
        at.hand(Handed::Telemetry { to: central.cluster, wire_bytes });
    }
}
