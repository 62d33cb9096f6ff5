//! What holds in every world, whatever happens in it.

use crate::cluster::handle::Shard;
use crate::cluster::outbound::hop::{AttemptPhase, Client, Hop};
use crate::cluster::state::Cluster;
use crate::envoy::circuit_breaker::Resource;
use crate::network::link::Link;
use crate::telemetry::link_traffic::LinkUse;
use crate::telemetry::metrics::Counter;
use meshsim_core::SimTime;

impl Shard {
    /// Checks the state of every cluster at the end of a run.
    ///
    /// # Panics
    /// If something is counted that does not exist, or exists and is not counted.
    pub fn check_invariants(&self) {
        for cluster in self.clusters() {
            check_active_requests(cluster);
            check_breakers(cluster);
            check_servers(cluster);
            self.check_ejections(cluster);
            check_requests(cluster);
            cluster.owners.control.check_nodes(&cluster.pods);
            check_work(cluster, SimTime::ZERO + self.topology().description.warm_up);
        }
    }

    /// No proxy ejects more than it may, and the loads of its levels sum to 100.
    fn check_ejections(&self, cluster: &Cluster) {
        for (proxy, id, upstream) in cluster.owners.outbound.upstreams().iter() {
            let spec = self.topology().upstreams.spec(cluster.proxies[proxy].is_gateway(), id);
            let load: u32 = upstream.loads().iter().map(|level| level.load + level.degraded_load).sum();
            assert!(load == 100 || upstream.loads().is_empty(), "cluster {}: {load} % of load", cluster.id.0);
            let Some(config) = &spec.outlier_detection else { continue };
            assert!(upstream.keeps_to(config), "cluster {}: {} ejected", cluster.id.0, upstream.ejected());
        }
    }
}

/// What the circuit breakers count is there.
fn check_breakers(cluster: &Cluster) {
    let sum = |resource| {
        cluster.owners.outbound.pools().breakers().map(|it| it.count(resource)).sum::<u32>() as usize
    };
    let hops = || cluster.owners.outbound.hops();
    let by_proxy = |hop: &&Hop| matches!(hop.client, Client::Proxy { .. });
    let sent = hops().filter(by_proxy).filter(|hop| hop.phase == AttemptPhase::Sent).count();
    let retries = hops().filter(|hop| hop.holds_retry).count();
    assert_eq!(sum(Resource::Requests), sent, "cluster {}: requests", cluster.id.0);
    assert_eq!(sum(Resource::Retries), retries, "cluster {}: retries", cluster.id.0);
    assert!(sum(Resource::PendingRequests) <= hops().count(), "cluster {}: waiting requests", cluster.id.0);
    assert!(
        sum(Resource::Connections) <= cluster.owners.outbound.pools().len(),
        "cluster {}: connections",
        cluster.id.0
    );
}

/// What the sidecars count of their own applications is there.
fn check_servers(cluster: &Cluster) {
    let sum = |resource| {
        cluster.owners.inbound.pools().breakers().map(|it| it.count(resource)).sum::<u32>() as usize
    };
    let calls = || cluster.owners.inbound.calls();
    let at_application = calls().filter(|call| call.connection.is_some()).count();
    let retries = calls().filter(|call| call.holds_retry).count();
    assert_eq!(sum(Resource::Requests), at_application, "cluster {}: requests at servers", cluster.id.0);
    assert_eq!(sum(Resource::Retries), retries, "cluster {}: retries at servers", cluster.id.0);
    assert!(sum(Resource::PendingRequests) <= calls().count(), "cluster {}: waiting calls", cluster.id.0);
    let connections = cluster.owners.inbound.pools().len();
    assert_eq!(sum(Resource::Connections), connections, "cluster {}: connections at servers", cluster.id.0);
}

/// Active requests, summed over all proxies, are at most the hops that live.
fn check_active_requests(cluster: &Cluster) {
    let active: u32 = cluster.owners.outbound.upstreams().iter().map(|(.., it)| it.total_active()).sum();
    let hops = cluster.owners.outbound.hops().count();
    assert!(
        active as usize <= hops,
        "cluster {}: {active} requests are active, but only {hops} exist",
        cluster.id.0
    );
}

/// Offered = completed + failed + in flight: a request that has not ended has a hop.
fn check_requests(cluster: &Cluster) {
    let log = cluster.recorder.log();
    let in_flight = cluster.owners.users.open_requests().count() as u64;
    assert_eq!(
        log.sent(),
        log.ended() + in_flight,
        "cluster {}: {in_flight} requests in flight",
        cluster.id.0
    );
}

/// What is counted as done for users' requests is what pods, proxies and links have done.
fn check_work(cluster: &Cluster, reported_from: SimTime) {
    let sum = cluster.recorder.metrics().sum_from(SimTime::ZERO);
    let served: u64 = cluster.owners.inbound.cells().iter().map(|cell| cell.occupancy.served).sum();
    let retries: u64 = sum.counters[Counter::Retries as usize].iter().sum();
    let sent: u64 = cluster.owners.network.links().iter().map(Link::bytes).sum();
    let (crossed, links) = (cluster.recorder.traffic().crossed(), cluster.recorder.links());
    let reported = cluster.recorder.metrics().sum_from(reported_from).work;
    let [calls, passing, control] =
        [LinkUse::Call, LinkUse::Passing, LinkUse::Control].map(|what| links.entered(what));
    let pairs = [
        ("calls", sum.work.calls, served),
        ("calls by pod", sum.served.iter().sum(), served),
        ("bodies between clusters", crossed.payload, reported.cross_payload),
        ("bytes between clusters", crossed.wire, reported.cross_wire),
        ("bytes of calls on links", calls, reported.cross_wire),
    ];
    // A server's sidecar tries again too.
    assert!(sum.work.retries <= retries, "cluster {}: {} retries", cluster.id.0, sum.work.retries);
    for (what, counted, done) in pairs {
        assert_eq!(counted, done, "cluster {}: {what}", cluster.id.0);
    }
    // Links themselves count from the start of the run.
    let all = calls + passing + control;
    let is_right = if reported_from == SimTime::ZERO { all == sent } else { all <= sent };
    assert!(is_right, "cluster {}: {all} bytes on links, not {sent}", cluster.id.0);
}
