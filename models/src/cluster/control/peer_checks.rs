//! How a cluster notices what becomes of its peers: acts on what `liqo/{connection_check, api_server_check,
//! virtual_kubelet, virtual_node, endpoint_reflection}` say.
//!
//! # Models
//! Each check is periodic and begins at a random moment of its period. Pings go through the tunnel, and so do their
//! answers: a link that is cut when one leaves, or that loses it, swallows it. A consumer also asks each provider's API
//! server: where the link is cut nobody answers until the time-out, where routers say that there is no way, or the API
//! server is down, it is refused at once.
//!
//! - What the tunnel says, and a change of what the API server says, is an event of the virtual node; what its kubelet
//!   posts goes to the node lifecycle controller (`nodes`), which taints it and evicts its pods like those of any node.
//!   Where the kubelet says that the node is not ready, Liqo marks its pods, and their endpoints leave.
//! - A provider takes the endpoints that a consumer reflects to it, its own and those of third clusters behind it, as not
//!   ready while its own checks fail (`reflection`).
//!
//! All of this is only there where a link may be cut or be worse, or an API server be down, and checks whose result is known, long
//! after a change and long before the next one, are left out.
//!
//! # Assumptions
//! - A ping is no load for the link nor the gateways, and waits in no queue of theirs. Effect: below 1 kbit/s; a tunnel that is
//!   merely overloaded is never lost.
//! - A question to an API server is one message each way; what TCP sends again within its time-out comes too late.
//! - Pods that run at a provider without being offloaded are its consumer's, pinned there: their endpoints leave and come
//!   back with the virtual node, and nothing takes their part.
//! - While the own API server is down nothing is written: the observer of a tunnel tries again, and the virtual kubelet
//!   posts when it is back.
//!
//! # Source
//! As in the rooms; liqotech/liqo v1.2.0 `pkg/liqo-controller-manager/offloading` (the controller that labels offloaded pods of
//! a node that is not ready), liqotech/liqo#1853.

use super::peers::WatchedPeer;
use super::pods_come_and_go::announce;
use super::state::Control;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::news::{EndpointNews, PeerCheck, PeerStep};
use crate::draws::Purpose;
use crate::ids::ClusterId;
use crate::kubernetes::node_lifecycle::Ready;
use crate::kubernetes::scheduler::node::Effect;
use crate::kubernetes::taint_eviction::{NOT_READY, UNREACHABLE};
use crate::liqo::api_server_check::ApiServerCheckSettings;
use crate::liqo::endpoint_reflection::{EndpointHost, is_reflected};
use crate::telemetry::decision::What;
use crate::world::timeline::period_of;
use meshsim_core::{Id, SimDuration, SimTime};

impl Control {
    /// How a peer is watched goes on.
    pub(in crate::cluster) fn watches_peer(&mut self, at: &mut Around<'_>, step: PeerStep) {
        let PeerStep { peer, check } = step;
        let Some(peers) = &mut self.peers else { return };
        let watched = &mut peers.all[usize::from(peer)];
        let mut left_out = 0;
        if let Some(period) = period_of(check) {
            left_out = quiet_periods(at, watched.cluster, check, period);
            let due = at.now.saturating_add(period * (left_out + 1));
            if due <= at.topology.description.end() {
                at.schedule(due, Event::PeerIsWatched(step));
            }
        }
        match check {
            PeerCheck::Ping => {
                let ping = watched.pings;
                watched.pings = ping.saturating_add(1).saturating_add(left_out as u32);
                if let Some(answered) = round_trip(at, watched.cluster, (peer, ping)) {
                    watch_at(at, answered, peer, PeerCheck::Pong(ping));
                }
            }
            PeerCheck::Pong(ping) => {
                if watched.tunnel.is_answered(watched.sent(ping), at.now) {
                    self.tunnel_changes(at, peer);
                }
            }
            PeerCheck::Look => {
                if at.has_api_server() && watched.tunnel.is_observed(at.now) {
                    self.tunnel_changes(at, peer);
                }
            }
            PeerCheck::Ask => {
                let (ends, answers) = asks_api_server(at, watched.cluster);
                watch_at(at, ends, peer, PeerCheck::Answer(answers));
            }
            PeerCheck::Answer(answers) => {
                if watched.provider.as_mut().is_some_and(|it| it.api_server.ends(answers)) {
                    at.recorder.decided(at.now, What::ApiServerChecked(watched.cluster, answers));
                    self.virtual_node_changes(at, peer);
                    self.reflection_changes(at, peer);
                }
            }
            PeerCheck::KubeletPing => {
                if let Some(it) = &mut watched.provider {
                    it.kubelet.pings(it.api_server.answers());
                }
            }
            PeerCheck::Lease => {
                let node = watched.provider.as_ref().filter(|it| it.kubelet.renews()).map(|it| it.node);
                if let (Some(watch), Some(node)) = (&mut self.watch, node) {
                    watch.lifecycle.renews(node, at.now);
                }
            }
            PeerCheck::Status => {
                // Something may have happened since then.
                let kubelet = watched.provider.as_mut().map(|it| &mut it.kubelet);
                if let Some(kubelet) = kubelet.filter(|it| it.timer() == at.now) {
                    let posted = kubelet.timer_fires(at.now);
                    self.virtual_kubelet_posts(at, peer, posted);
                }
            }
        }
    }

    /// The API server of this cluster is back: virtual kubelets post what they could not.
    pub(super) fn virtual_kubelets_post(&mut self, at: &mut Around<'_>) {
        let peers = self.peers.as_ref().map_or(0, |it| it.all.len() as u16);
        for peer in 0..peers {
            self.virtual_node_changes(at, peer);
        }
    }

    fn tunnel_changes(&mut self, at: &mut Around<'_>, peer: u16) {
        let Some(peers) = &self.peers else { return };
        let watched = &peers.all[usize::from(peer)];
        at.recorder.decided(at.now, What::TunnelChecked(watched.cluster, watched.tunnel.is_connected()));
        self.virtual_node_changes(at, peer);
        self.reflection_changes(at, peer);
    }

    /// Something happens to the node that stands for a peer, if it is a provider.
    fn virtual_node_changes(&mut self, at: &mut Around<'_>, peer: u16) {
        let Some(peers) = &mut self.peers else { return };
        let watched = &mut peers.all[usize::from(peer)];
        let ready = watched.is_node_ready();
        let Some(provider) = &mut watched.provider else { return };
        let posted = provider.kubelet.happens(ready, at.now);
        self.virtual_kubelet_posts(at, peer, posted);
    }

    /// A virtual kubelet posts this condition, if any, and waits anew.
    fn virtual_kubelet_posts(&mut self, at: &mut Around<'_>, peer: u16, posted: Option<bool>) {
        let (Some(peers), Some(watch)) = (&self.peers, &mut self.watch) else { return };
        let WatchedPeer { provider: Some(provider), .. } = &peers.all[usize::from(peer)] else { return };
        watch_at(at, provider.kubelet.timer(), peer, PeerCheck::Status);
        let node = provider.node;
        let Some(ready) = posted.filter(|_| at.has_api_server()) else { return };
        let condition = if ready { Ready::True } else { Ready::False };
        if !watch.lifecycle.posts(node, condition, at.now) {
            return;
        }
        self.begin_to_change(at.here, at.topology, at.pods);
        if ready {
            at.recorder.decided(at.now, What::NodeReady(node.0));
            self.allow(node.index(), NOT_READY);
            self.allow(node.index(), UNREACHABLE);
        } else {
            at.recorder.decided(at.now, What::NodeNotReady(node.0));
            self.forbid(node.index(), NOT_READY, Effect::NoSchedule);
        }
        self.node_is(at, node, ready, What::OffloadedPodMarked);
    }

    /// Whether what a peer reflects to this cluster counts may have changed, if it is a consumer.
    fn reflection_changes(&mut self, at: &mut Around<'_>, peer: u16) {
        let Some(peers) = &self.peers else { return };
        let watched = &peers.all[usize::from(peer)];
        if !watched.is_consumer {
            return;
        }
        let (consumer, counts) =
            (watched.cluster, watched.as_consumer().conditions(None).ready == Some(true));
        if peers.reflection.counts(consumer) == counts {
            return;
        }
        let providers: Vec<ClusterId> =
            peers.all.iter().filter(|it| it.provider.is_some()).map(|it| it.cluster).collect();
        let is_behind = |&cluster: &ClusterId| {
            let host = if cluster == consumer { EndpointHost::Local } else { EndpointHost::Behind(cluster) };
            let first = at.topology.route(at.here, cluster).map(|it| it.next);
            is_reflected(&host, &at.here) && first == Some(consumer) && !providers.contains(&cluster)
        };
        let behind: Vec<ClusterId> = at.topology.description.clusters.ids().filter(is_behind).collect();
        at.recorder.decided(at.now, What::ReflectionCounts(consumer, counts));
        for cluster in behind {
            self.endpoints_count(at, cluster, counts);
        }
    }

    /// The endpoints of a cluster count from now on, or no longer.
    pub(super) fn endpoints_count(&mut self, at: &mut Around<'_>, cluster: ClusterId, counts: bool) {
        let Some(peers) = &mut self.peers else { return };
        if !peers.reflection.count(cluster, counts) {
            return;
        }
        let what = if counts { EndpointNews::Ready } else { EndpointNews::Unready };
        for pod in peers.reflection.ready_in(at.topology, cluster) {
            // What is being deleted here is not ready again.
            if !(counts && self.is_deleted_here(at, pod)) {
                announce(at, pod, what);
            }
        }
    }
}

/// How many periods of a check may be left out after now, because nothing has changed for long, nothing will before they are over, and
/// chance has no say: what they would find is known. Pings begin again before the observer looks for their answers.
fn quiet_periods(at: &Around<'_>, peer: ClusterId, check: PeerCheck, period: SimDuration) -> u64 {
    let before = match check {
        PeerCheck::Ping => SETTLES,
        PeerCheck::Look | PeerCheck::Ask | PeerCheck::KubeletPing => SETTLES / 2,
        _ => return 0,
    };
    let (last, next) = at.topology.changes_around(at.now);
    if at.now.saturating_since(last) < SETTLES || at.topology.loses_between(at.here, peer, at.now) {
        return 0;
    }
    let quiet = next.saturating_since(at.now.saturating_add(before));
    (quiet.as_nanos() / period.as_nanos()).saturating_sub(1)
}

/// After so long without a change all checks have found what there is to be found, and posted it.
const SETTLES: SimDuration = SimDuration::from_secs(120);

fn watch_at(at: &mut Around<'_>, due: SimTime, peer: u16, check: PeerCheck) {
    at.schedule(due, Event::PeerIsWatched(PeerStep { peer, check }));
}

/// When the answer to a ping that is sent now is there, if it comes.
fn round_trip(at: &Around<'_>, to: ClusterId, (peer, ping): (u16, u32)) -> Option<SimTime> {
    let topology = at.topology;
    let address = topology.draws.of_cluster(at.here, 0).child(peer.into()).child(ping.into());
    let passes = |from, to, sent, way| {
        let loses = || topology.loss((from, to), sent, 1, address.child(way), Purpose::PingLoss).is_some();
        let arrives = sent.saturating_add(topology.path(from, to, sent).one_way);
        (!topology.is_cut(from, to, sent) && !loses()).then_some(arrives)
    };
    let there = passes(at.here, to, at.now, 0)?;
    passes(to, at.here, there, 1)
}

/// When a question to the API server of a provider ends, and whether with an answer.
fn asks_api_server(at: &Around<'_>, to: ClusterId) -> (SimTime, bool) {
    let topology = at.topology;
    if topology.is_unreachable(at.here, to, at.now) {
        return (at.now.saturating_add(topology.path_within(at.here).round_trip), false);
    }
    let path = topology.path(at.here, to, at.now);
    let arrives = at.now.saturating_add(path.one_way);
    if topology.is_cut(at.here, to, at.now) || topology.is_cut(to, at.here, arrives) {
        return (at.now.saturating_add(ApiServerCheckSettings::default().timeout), false);
    }
    let answers = topology.outages.api_server_answers_from(to, arrives) == arrives;
    (at.now.saturating_add(path.round_trip), answers)
}
