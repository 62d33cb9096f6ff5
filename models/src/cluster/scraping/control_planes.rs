//! What replicas of istiod and Liqo's gateways say.
//!
//! # Models
//! An istiod is scraped where its pace is described. The gateway to each peer has what passed its tunnel, whether it believes that
//! to be up (`liqo/connection_check`), and, as long as it does, the round trip.
//!
//! # Assumptions
//! The round trip is that of the link now, where Liqo has that of its last ping, with a jitter and up to two seconds old.
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/gateway/tunnel/{metrics.go, wireguard/metrics.go}`; `telemetry/exporters/istiod`.

use super::Scrape;
use crate::telemetry::exporters::Exporters;
use crate::telemetry::exporters::samples::{Series, Target, TunnelMetric};

impl Scrape<'_> {
    pub(super) fn istiods(&self, exporters: &mut Exporters) {
        let here = self.cluster.id;
        let replicas = self.topology.istiod_in(here).map_or(0, |it| it.replicas.max(1));
        for replica in 0..replicas {
            let target = Target::Istiod(replica);
            let is_up = !self.topology.outages.is_istiod_down(here, replica, self.now);
            if self.is_due(target)
                && self.up(exporters, target, is_up)
                && let Some(connected) = self.cluster.owners.control.connected_to_istiod(replica)
            {
                exporters.scrape_istiod(self.now, replica, connected);
            }
        }
    }

    pub(super) fn tunnels(&self, exporters: &mut Exporters) {
        let (here, description) = (self.cluster.id, &self.topology.description);
        if description.liqo().is_none() {
            return;
        }
        for (port, &link) in (0..).zip(self.topology.ways.ports(here)) {
            let between = description.links[link as usize].between;
            let peer = if between[0] == here { between[1] } else { between[0] };
            let target = Target::TunnelGateway(peer);
            if !self.is_due(target) || !self.up(exporters, target, true) {
                continue;
            }
            let carried = exporters.tunnel(port);
            let is_up = self.cluster.owners.control.is_tunnel_up(peer);
            let mut say = |metric, value| {
                exporters.samples.push(Series::Tunnel(peer, metric), self.now, value);
            };
            say(TunnelMetric::Received, carried.received as f64);
            say(TunnelMetric::Transmitted, carried.transmitted as f64);
            say(TunnelMetric::IsConnected, f64::from(u8::from(is_up)));
            if is_up {
                let round_trip = self.topology.path(here, peer, self.now).round_trip;
                say(TunnelMetric::Latency, (round_trip.as_nanos() / 1_000) as f64);
            }
        }
    }
}
