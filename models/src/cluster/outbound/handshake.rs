//! Making a connection: TCP's and TLS's round trips, and what becomes of those who wait if it cannot be made.
//!
//! # Models
//! A handshake is a round trip for TCP and one more for TLS 1.3, and CPU on both sides where certificates are
//! checked. If a connection cannot be made, all that wait for one in its pool fail: because it is refused, or because
//! it is not made within the proxy's `connectTimeout`, handshake included.
//!
//! # Assumptions
//! - Handshakes are no bytes of any request; the links count them (`telemetry/link_traffic`).
//! - Handshakes have no random part of the link's delay. Their CPU is counted for the client's cluster and blocks no
//!   worker.
//!
//! # Source
//! Envoy `conn_pool_base.cc`, `onConnectionEvent`.

use super::Outbound;
use super::connect::policy_of;
use super::exported::connection_opens;
use super::hop::{Client, ClientConnection, Hop};
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::draws::{Purpose, draw};
use crate::envoy::mtls::Handshake;
use crate::envoy::outlier_detection::HostResult;
use crate::envoy::retry::AttemptOutcome;
use crate::envoy::upstream::AttemptResult;
use crate::ids::{PodId, PoolId};
use crate::multi_network::gateway::choose;
use crate::network::tcp::Window;
use crate::request::answer::Status;
use crate::telemetry::exporters::envoy::Happens;
use crate::telemetry::metrics::Counter;
use crate::telemetry::trace::Rule;
use crate::world::description::DataPlane;
use meshsim_core::random::{Address, uniform_index};
use meshsim_core::{Handle, SimDuration, SimTime};

const FOR_EVER: SimDuration = SimDuration::from_nanos(u64::MAX);

impl Outbound {
    /// A handshake has failed.
    pub(crate) fn connection_failed(&mut self, at: &mut Around<'_>, connection: Handle<ClientConnection>) {
        let bound = self.pools[connection].bound;
        let pool = self.pools.connect_failed(connection);
        let mut failed = std::mem::take(&mut self.failed);
        failed.extend(bound.filter(|hop| self.hops.contains(*hop)));
        failed.extend(std::iter::from_fn(|| self.pools.take_waiting(pool)));
        for hop in failed.drain(..) {
            self.waiting_ends(at, hop);
            let state = self.hops[hop];
            if at.recorder.traces() {
                self.trace_connecting(at, hop, state.routed, Rule::NoConnection);
            }
            self.count(at, hop, Counter::ConnectFailures);
            if let Client::Proxy { proxy, .. } = state.client {
                let result = AttemptResult::Local(HostResult::LocalOriginConnectFailed);
                self.detect_outlier(at, proxy, state.upstream(), state.pod, result);
            }
            self.attempt_fails(at, hop, Status::ConnectFailure, AttemptOutcome::ConnectFailure);
        }
        self.failed = failed;
    }

    /// Begins to make a connection.
    pub(super) fn open(
        &mut self,
        at: &mut Around<'_>,
        hop: &Hop,
        pool: PoolId,
        pod: PodId,
    ) -> Handle<ClientConnection> {
        let service = at.topology.pod_ids.service_of(pod);
        let server = &at.topology.application().services[service];
        let workers = if at.topology.is_behind_sidecar(pod) {
            at.topology.description.mesh.concurrency
        } else {
            server.workers
        };
        let address = at.next_draw();
        let pod = self.behind_gateway(at, pod, address);
        let worker = uniform_index(&mut draw(address, Purpose::AcceptingWorker), usize::from(workers));
        let window = Window::new(at.now, at.topology.tcp_of(pod));
        let connection = self.pools.open(at.now, pool, pod, worker as u16, window);
        if let Some(gateways) = at.topology.description.east_west() {
            let mut rng = draw(address, Purpose::GatewayWorker);
            let worker = uniform_index(&mut rng, usize::from(gateways.workers()));
            self.pools[connection].gateway_worker = worker as u16;
        }
        at.recorder.counted(at.now, service, Counter::Connections);
        if at.recorder.exporters().is_some() {
            connection_opens(at, hop);
        }
        if let Client::Proxy { proxy, .. } = hop.client {
            at.proxy_counts(proxy, Some(service), Happens::Counted(Counter::Connections));
        }
        let gives_up = at.now.saturating_add(self.patience(at, hop, pool));
        match self.handshake(at, hop, connection) {
            Ok(ready) if ready <= gives_up => {
                at.schedule(ready, Event::ConnectionReady(connection));
            }
            Ok(ends) | Err(ends) => at.schedule(ends.min(gives_up), Event::ConnectionFails(connection)),
        }
        connection
    }

    /// The pod to which the gateway before some pods passes a new connection on, if there is one before them; themselves
    /// if there is none to be passed on to.
    fn behind_gateway(&self, at: &Around<'_>, pod: PodId, address: Address) -> PodId {
        let ids = at.topology.pod_ids;
        if at.topology.description.east_west().is_none() || !ids.is_behind_gateway(pod) {
            return pod;
        }
        let all = self.ready_pods(at.topology, at.topology.front_of(pod));
        let alike = |it: PodId| (ids.cluster_of(it), ids.service_of(it));
        let ready: Vec<PodId> =
            (0..all.len()).map(|rank| all.pod(rank)).filter(|&it| alike(it) == alike(pod)).collect();
        let connections = |pod| self.pools.count_to(pod);
        choose(&ready, connections, &mut draw(address, Purpose::GatewayBalance)).unwrap_or(pod)
    }

    /// When a connection that is asked for now is ready, if its client waits for so long.
    ///
    /// # Errors
    /// When its client learns that it is refused, or TCP gives it up.
    fn handshake(
        &mut self,
        at: &mut Around<'_>,
        hop: &Hop,
        connection: Handle<ClientConnection>,
    ) -> Result<SimTime, SimTime> {
        let ClientConnection { pool, pod, .. } = self.pools[connection];
        let (path, faults) = (at.path_to(pod), &at.topology.faults);
        let ids = at.topology.pod_ids;
        let server = ids.cluster_of(pod);
        if at.topology.is_unreachable(at.here, server, at.now) {
            return Err(at.now + at.topology.path_within(at.here).round_trip);
        }
        let syn = self.fate_of_syn(at, hop, pod, &path).passes()?;
        let dies = (!faults.is_empty() && faults.is_dead(pod, syn + path.one_way))
            // A gateway closes what it cannot pass on.
            || (at.topology.description.east_west().is_some() && ids.is_behind_gateway(pod));
        if dies || (server == at.here && at.is_down(pod, at.pods.slot_of(pod))) {
            return Err(syn + path.round_trip);
        }
        if !faults.is_empty() {
            self.pools[connection].closes_at = faults.next_crash(pod, at.now);
        }
        let handshake = if at.topology.has_ztunnel(pod) {
            let tunnel_is_there = self.tunnels.open_stream(self.pools.owner(pool), pod, at.now);
            Handshake::of_stream(tunnel_is_there, at.topology.encrypts())
        } else {
            let has_mtls = at.topology.access.has_mtls(ids.service_of(pod));
            Handshake::of_connection(has_mtls && !matches!(hop.client, Client::Cell))
        };
        let last = syn + path.round_trip * (handshake.round_trips - 1);
        let mut ready = self.fate_of_handshake(at, hop, pod, &path, last).passes()? + path.round_trip;
        if handshake.checks && at.topology.certificates_may_end && !self.certificates_hold(at, hop, pod) {
            return Err(ready);
        }
        if handshake.checks {
            let work = handshake.work(at.topology.description.mesh.handshake);
            ready += work;
            at.recorder.proxy_used_cpu(at.now, work.as_nanos() as f64);
        }
        if server != at.here {
            if at.topology.description.east_west().is_some() {
                // The gateway connects to the pod, and TLS's round trip goes on to there.
                ready += at.topology.description.clusters[server].local_delay * 4;
            }
            at.recorder.connects(at.now, server, handshake.wire_bytes(&path));
        }
        Ok(ready)
    }

    /// Whether a client and a server can prove to each other who they are.
    #[cold]
    fn certificates_hold(&self, at: &Around<'_>, hop: &Hop, pod: PodId) -> bool {
        let Client::Proxy { proxy, .. } = hop.client else { return true };
        let here = |pod| {
            let since = at.pods[at.pods.slot_of(pod)].sidecar_from;
            Some(since).filter(|it| *it > SimTime::ZERO)
        };
        let client = at.topology.certificate_of_proxy(at.here, (at.proxies, proxy), here);
        let server = at.topology.certificate_of_pod(pod, self.endpoints.added(at.topology, pod));
        [client, server].into_iter().all(|it| at.topology.holds(it, at.now))
    }

    /// How long a hop, the client of a pool, waits for a connection.
    fn patience(&self, at: &Around<'_>, hop: &Hop, pool: PoolId) -> SimDuration {
        let description = &at.topology.description;
        match description.mesh.data_plane {
            DataPlane::None | DataPlane::Sidecar if matches!(hop.client, Client::Cell) => {
                description.cell.client_timeout.unwrap_or(FOR_EVER)
            }
            // A ztunnel waits for as long as it takes.
            DataPlane::Ambient if self.pools.is_of_cell(pool) => FOR_EVER,
            _ => policy_of(at, hop).map_or(FOR_EVER, |policy| policy.connect_timeout),
        }
    }
}
