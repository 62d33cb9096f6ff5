//! The istiod of a cluster: what it learns of the API servers that it watches, and what it sends to the proxies.
//!
//! # Models
//! What changes in a cluster is known to its API server, which tells those who watch it: every istiod there is, over
//! the links. An istiod pushes what it has learned to the proxies that it serves (an EDS push, where it is
//! endpoints). This is the only way for faults, autoscalers and changes.
//!
//! Where the scenario says nothing of istiod, every cluster has one, which serves the proxies there and takes no time.
//! Otherwise there is one in each cluster or in one cluster for all. It merges changes until it is quiet
//! (`istiod/debounce`), prepares a push, and pushes to the proxies that it knows one after the other, so many at a time
//! (`istiod/push_queue`). A push crosses the link to its proxy; while that is cut, the proxy keeps what it has.
//! It may have several replicas, each of which serves the proxies that are connected to it (`connections`).
//!
//! The configuration of the mesh is written to every cluster that has an istiod.
//!
//! An istiod that is down learns nothing and sends nothing. When it is back it knows what its API servers know then,
//! and its proxies connect one after the other; each gets all there is.
//!
//! # Assumptions
//! - Where nothing is said of istiod, what it needs between a change and its push is part of the delay after which the
//!   API server tells (`pods.endpoint_delay`, or `seen_after` of a fault), the same in every cluster.
//! - A cluster to which there is no way learns nothing, and its proxies are not pushed to.
//! - All proxies watch all services: there are no Sidecar resources.
//! - How large a push is follows from the number of services, not from what it says. What is pushed reaches a cluster
//!   once, as soon as istiod knows it, and each proxy's push says up to where it counts: no bytes are counted twice.
//! - A new pod is told of when it is ready: whether endpoints that are not ready are sent decides nothing here.
//! - A push takes longer by as many others as are made at once when it begins, whatever begins or ends meanwhile.
//! - Replicas watch the same API servers, so they learn and debounce at the same moments.
//!
//! # Source
//! Istio `pilot/pkg/xds/discovery.go` (`ConfigUpdate`, `Push`, `doSendPushes`),
//! `pilot/pkg/serviceregistry/kube/controller`; a multi-primary mesh, in which each istiod reads the API servers of
//! all clusters by remote secrets, or a primary with remote clusters.

mod connections;
mod endpoints;
mod pacing;
mod state;

use self::state::Pacing;
use crate::cluster::around::Around;
use crate::cluster::handed::Handed;
use crate::cluster::news::{IstiodStep, News, Push};
use crate::ids::ClusterId;
use crate::istiod::push_kind::PushKind;
use crate::telemetry::recorder::Recorder;
use crate::world::topology::Topology;
use meshsim_core::SimTime;

/// The istiod of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Istiod {
    /// How much it has learned.
    number: u32,
    /// How it paces its pushes; absent: it takes no time.
    pacing: Option<Box<Pacing>>,
    /// What it was not told while it was down.
    missed: Vec<News>,
}

impl Istiod {
    /// The istiod of a cluster, which has learned nothing yet.
    pub(super) fn new(here: ClusterId, topology: &Topology) -> Self {
        let pacing = topology.istiod_in(here).map(|it| Box::new(Pacing::new(it, here, topology)));
        Self { number: 0, missed: Vec::new(), pacing }
    }

    /// It learns what an API server tells.
    pub(super) fn learns(&mut self, at: &mut Around<'_>, news: News) {
        if at.topology.outages.istiod_works_from(at.here, at.now) > at.now {
            return self.missed.push(news);
        }
        let Some(kind) = self.hears(at, news) else { return };
        let number = self.number;
        if let Some(pacing) = &mut self.pacing {
            pacing.has_changed(at, news, kind, number);
        }
    }

    /// It hears of something, and so do the clusters that it serves: tells what it has to send, if it paces its pushes.
    fn hears(&mut self, at: &mut Around<'_>, news: News) -> Option<PushKind> {
        self.number += 1;
        let push = Push::Content { number: self.number, news };
        let Some(pacing) = &mut self.pacing else {
            at.hand(Handed::Push { to: at.here, push, wire_bytes: 0 });
            return None;
        };
        for to in pacing.serves() {
            at.hand(Handed::Push { to, push, wire_bytes: 0 });
        }
        let kind = pacing.kind_of(at, news, self.number);
        pacing.each_counts(at, |it, _, _| {
            it.learns(matches!(news, News::Endpoint { .. }), kind.is_some());
        });
        kind
    }

    /// So many proxies are connected to a replica of it; nobody knows where it takes no time.
    pub(super) fn connected_to(&self, replica: u32) -> Option<u32> {
        self.pacing.as_ref().map(|it| it.connected_to(replica))
    }

    /// Some of its replicas die, or are back and read what there is.
    pub(super) fn dies_or_is_back(&mut self, at: &mut Around<'_>) {
        if let Some(pacing) = &mut self.pacing {
            pacing.replicas_die(at, self.number);
        }
        if at.topology.outages.istiod_works_from(at.here, at.now) > at.now {
            return;
        }
        for news in std::mem::take(&mut self.missed) {
            self.hears(at, news);
        }
        if let Some(pacing) = &mut self.pacing {
            pacing.replicas_are_back(at, self.number);
        }
    }

    /// It goes on with its pushes.
    pub(super) fn steps(&mut self, at: &mut Around<'_>, step: IstiodStep) {
        let number = self.number;
        let Some(pacing) = &mut self.pacing else { return };
        match step {
            IstiodStep::DebounceEnds => pacing.debounce_ends(at, number),
            IstiodStep::IsPrepared { up_to, kind, is_alone, life } => {
                pacing.is_prepared(at, (up_to, kind, is_alone), life, number);
            }
            IstiodStep::IsSent { replica, target, up_to, kind, life } => {
                pacing.is_sent(at, (replica, life), target, (up_to, kind));
            }
            IstiodStep::Connects { life } => pacing.next_connects(at, life, number),
            IstiodStep::ConnectionsAge => pacing.connections_age(at, number),
        }
    }

    /// The run is over: what serving proxies at rest has taken until then is counted.
    pub(super) fn ends(&mut self, recorder: &mut Recorder, now: SimTime) {
        if let Some(pacing) = &mut self.pacing {
            pacing.rests_until(recorder, now);
        }
    }
}
