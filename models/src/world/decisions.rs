//! All that was decided in a run, and the faults that led to it, in one order.
//!
//! # Models
//! Faults are known from the start (`faults/*`), and so are users who move and certificates that end; what clusters have decided they say
//! themselves (`telemetry/decision`). All are put in the order of time; of the same moment faults come first, then
//! clusters in their order.

use super::topology::Topology;
use crate::envoy::proxies::ProxyKind;
use crate::ids::{ClusterId, PopulationId};
use crate::telemetry::decision::{Decision, Edge, What};
use meshsim_core::{Id, SimTime};

/// What happened until the end of a run, with what the clusters have decided, in their order.
pub(crate) fn in_order(topology: &Topology, decided: impl Iterator<Item = Decision>) -> Vec<Decision> {
    let end = topology.description.end();
    let mut all = known(topology);
    if topology.certificates_may_end {
        all.extend(topology.description.clusters.ids().flat_map(|cluster| certificates(topology, cluster)));
    }
    all.extend(decided);
    all.retain(|it| it.at <= end);
    all.sort_by_key(|it| it.at);
    all
}

/// When the proxies that a cluster has from the start are without a certificate.
fn certificates(topology: &Topology, cluster: ClusterId) -> Vec<Decision> {
    let proxies = topology.proxies_of(cluster);
    let mut all = Vec::new();
    for proxy in proxies.ids() {
        let kind = proxies[proxy].kind;
        if matches!(kind, ProxyKind::Sidecar(pod) if !topology.has_sidecar(pod)) {
            continue;
        }
        let certificate = topology.certificate_of_proxy(cluster, (&proxies, proxy), |_| None);
        for it in topology.lapses(certificate, topology.description.end()) {
            let ends = (it.begins, Some(it.asked), What::CertificateEnds(kind));
            let is_new = (it.ends, None, What::CertificateIsNew(kind));
            all.extend([ends, is_new].map(|(at, noticed, what)| Decision { at, cluster, noticed, what }));
        }
    }
    all
}

/// The faults, and the users who move.
fn known(topology: &Topology) -> Vec<Decision> {
    let mut known = Vec::new();
    let mut fault = |cluster, begins: SimTime, ends: Option<SimTime>, what: &dyn Fn(Edge) -> What| {
        for (at, edge) in [(Some(begins), Edge::Begins), (ends, Edge::Ends)] {
            let decision = at.map(|at| Decision { at, cluster, noticed: None, what: what(edge) });
            known.extend(decision);
        }
    };
    for it in &topology.named_faults.pods {
        fault(it.cluster, it.begins, it.ends, &|edge| What::PodFault(*it, edge));
    }
    for it in &topology.named_faults.links {
        let [cluster, _] = topology.description.links[it.link as usize].between;
        fault(cluster, it.begins, it.ends, &|edge| What::LinkFault(*it, edge));
    }
    for it in topology.outages.all() {
        fault(it.of.cluster(), it.begins, it.ends, &|edge| What::Outage(*it, edge));
    }
    for (number, population) in topology.description.populations.iter().enumerate() {
        let id = PopulationId::from_index(number);
        known.extend(population.moves.iter().map(|it| Decision {
            at: it.begins,
            cluster: it.from,
            noticed: None,
            what: What::UsersMove(id, *it),
        }));
    }
    known
}
