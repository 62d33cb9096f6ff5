//! HTTP/2 and gRPC where a cell is the client itself: one connection per worker process and Service, a
//! channel, whose endpoint kube-proxy chooses once.
//!
//! Users call `s0` through the gateway, `s0` calls `s1`. Only delays and sleeps take time. What real ones
//! do: kubernetes.io, blog of 2018-11-07, "gRPC load balancing on Kubernetes without tears";
//! cilium/cilium#12551; knative/serving#6681.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::call_graph::Protocol;
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::settings::{Change, ChangeKind};
use meshsim_models::telemetry::metrics::Counter;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::Description;
use support::{CLOUD, EDGE, all_ended, counted_of, free_world, run, same_ms, served, without_mesh};

const S0: ServiceId = ServiceId(0);
const S1: ServiceId = ServiceId(1);

/// `s0` at the edge calls `s1`, which takes 50 ms and runs there, over channels and without a mesh.
fn chain(cluster: ClusterId, pods: u32, per_second: f64, seconds: u64) -> Description {
    let arrivals = Arrivals::Poisson { per_second };
    let deployments = [(0, EDGE, 1), (1, cluster, pods)];
    let mut description = without_mesh(free_world(&[0, 50], &[(0, 1)], &deployments, arrivals, seconds));
    description.services[S1].protocol = Protocol::Http2;
    description
}

fn all_ok(record: &Record) {
    assert!(all_ended(record).iter().all(|(_, end)| end.status.is_ok()));
}

/// Connections of cells: to `s1`.
fn channels(record: &Record) -> u64 {
    counted_of(record, EDGE, Counter::Connections)[S1.0 as usize]
}

/// Which of the pods of `s1` at the edge have served anything.
fn busy(record: &Record) -> Vec<usize> {
    let calls = &served(record, EDGE)[1..];
    (0..calls.len()).filter(|&pod| calls[pod] > 0).collect()
}

fn fault(kind: FaultKind, pod: u32, begins: u64, ends: Option<u64>) -> PodFault {
    let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
    PodFault {
        service: S1,
        cluster: EDGE,
        pod: Some(pod),
        begins: at(begins),
        ends: ends.map(at),
        kind,
        seen_after: Some(SimDuration::ZERO),
    }
}

#[test]
fn a_worker_has_one_channel_and_one_pod_gets_everything() {
    let mut chosen = Vec::new();
    for replication in 0..8 {
        let record = run(&chain(EDGE, 4, 100.0, 50), replication);
        all_ok(&record);
        assert_eq!((channels(&record), busy(&record).len()), (1, 1));
        chosen.extend(busy(&record));
    }
    chosen.sort_unstable();
    chosen.dedup();
    assert!(chosen.len() > 1, "kube-proxy draws: {chosen:?}");
    // As HTTP/1.1 a connection carries one request at a time: five at once in the mean.
    let mut description = chain(EDGE, 4, 100.0, 50);
    description.services[S1].protocol = Protocol::Http1;
    let record = run(&description, 0);
    assert!(channels(&record) >= 8, "{}", channels(&record));
    assert_eq!(busy(&record).len(), 4);
}

#[test]
fn each_worker_process_has_a_channel_of_its_own() {
    let mut description = chain(EDGE, 4, 100.0, 50);
    let workers = 6;
    let s0 = &mut description.application.services[S0];
    (s0.workers, s0.threads) = (workers, 100);
    let record = run(&description, 0);
    all_ok(&record);
    // Nothing but the gateway's connections chooses a worker: some may have none.
    let open = channels(&record);
    assert!((2..=u64::from(workers)).contains(&open), "{open}");
    assert!(busy(&record).len() as u64 <= open);
}

#[test]
fn requests_wait_for_the_channel_and_share_it() {
    // A handshake is one round trip of 160 ms, in which some 16 requests come.
    let record = run(&chain(CLOUD, 3, 100.0, 20), 0);
    all_ok(&record);
    assert_eq!(channels(&record), 1);
    let ready = record.requests[0].arrival + SimDuration::from_micros(200) + SimDuration::from_millis(160);
    let mut waited = 0;
    for (row, end) in all_ended(&record) {
        // The gateway's own connection takes a round trip now and then.
        let begins = row.arrival + SimDuration::from_micros(300);
        let wait = ready.saturating_since(begins).as_millis_f64();
        let over = end.latency.as_millis_f64() - (0.2 + 160.0 + 50.0 + wait);
        assert!((-0.3..0.5).contains(&over), "request {}: {}", row.number, end.latency);
        waited += u32::from(wait > 0.0);
    }
    assert!(waited > 5, "{waited}");
}

#[test]
fn an_idle_channel_stays() {
    // Every 10 s: gunicorn would have closed it after 2 s, a gRPC server has no such time.
    let arrivals = Arrivals::Constant { per_second: 0.1 };
    let mut description = chain(EDGE, 3, 1.0, 600);
    description.populations[0].arrivals = arrivals;
    description.cell.keep_alive = SimDuration::from_secs(2);
    let record = run(&description, 0);
    all_ok(&record);
    assert_eq!(channels(&record), 1);
    // One that closes idle connections after a second is asked for.
    description.cell.http2_keep_alive = SimDuration::from_secs(1);
    let record = run(&description, 0);
    assert_eq!(channels(&record), record.requests.len() as u64);
    assert_eq!(busy(&record).len(), 3);
    // Nothing is idle that carries a request: these take 50 ms and come every 10 ms in the mean.
    description.cell.http2_keep_alive = SimDuration::from_millis(1);
    description.populations[0].arrivals = Arrivals::Poisson { per_second: 100.0 };
    description.duration = SimDuration::from_secs(20);
    let record = run(&description, 0);
    all_ok(&record);
    assert_eq!(channels(&record), 1, "rounds of the loop take a second");
}

#[test]
fn a_pod_that_comes_later_gets_nothing() {
    let mut description = chain(EDGE, 1, 100.0, 120);
    description.kubernetes.changes = vec![Change {
        at: SimTime::ZERO + SimDuration::from_secs(10),
        service: S1,
        cluster: EDGE,
        kind: ChangeKind::Scale(4),
    }];
    let record = run(&description, 0);
    all_ok(&record);
    assert_eq!((channels(&record), busy(&record)), (1, vec![0]));
    // Over HTTP/1.1 new connections find it.
    description.services[S1].protocol = Protocol::Http1;
    description.cell.keep_alive = SimDuration::from_millis(1);
    assert!(busy(&run(&description, 0)).len() > 1);
}

#[test]
fn a_channel_that_is_lost_leads_to_a_new_choice() {
    // All pods but the last die in turn; kube-proxy knows at once.
    let mut description = chain(EDGE, 3, 100.0, 40);
    description.faults = vec![fault(FaultKind::Crash, 0, 10, None), fault(FaultKind::Crash, 1, 20, None)];
    let mut moved = 0;
    for replication in 0..6 {
        let record = run(&description, replication);
        let after = |seconds| {
            let from = SimTime::ZERO + SimDuration::from_secs(seconds);
            record.metrics_from(EDGE, from).served[1..].to_vec()
        };
        assert!(after(21)[2] > 1_000, "{:?}", after(21));
        assert_eq!(after(21)[..2], [0, 0]);
        let channels = channels(&record);
        // The requests that were on it are lost, some five, and perhaps one that met the close.
        let failed = all_ended(&record).iter().filter(|(_, end)| !end.status.is_ok()).count() as u64;
        assert!((1..=3).contains(&channels), "{channels}");
        assert!(failed <= 15 * (channels - 1), "{failed} over {channels}");
        moved += channels - 1;
    }
    assert!(moved > 2, "{moved}");
}

#[test]
fn a_pod_that_is_not_ready_keeps_its_channels() {
    let mut description = chain(EDGE, 2, 100.0, 40);
    // kube-proxy leaves established connections alone.
    description.faults = (0..2).map(|pod| fault(FaultKind::Unready, pod, 10, Some(30))).collect();
    let record = run(&description, 0);
    all_ok(&record);
    assert_eq!((channels(&record), busy(&record).len()), (1, 1));
}

#[test]
fn a_rollout_replaces_the_channel() {
    let mut description = chain(EDGE, 1, 100.0, 120);
    description.kubernetes.changes = vec![Change {
        at: SimTime::ZERO + SimDuration::from_secs(10),
        service: S1,
        cluster: EDGE,
        kind: ChangeKind::Rollout,
    }];
    let record = run(&description, 0);
    let failed = all_ended(&record).iter().filter(|(_, end)| !end.status.is_ok()).count();
    // Requests meet the closed port until the nodes know that the old pod is gone.
    assert!((1..=60).contains(&failed), "{failed}");
    let after = record.metrics_from(EDGE, SimTime::ZERO + SimDuration::from_secs(60)).counters;
    assert_eq!(after[Counter::Connections as usize][S1.0 as usize], 0);
    assert!(channels(&record) >= 2);
    let last = all_ended(&record).last().map(|(_, end)| *end).unwrap();
    assert!(last.status.is_ok() && same_ms(last.latency, 0.2 + 0.2 + 50.0), "{last:?}");
}
