//! How a consumer and a provider under Liqo notice that the other one is gone, and what follows: section 1.6 of the
//! semantics, in runs.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{SimDuration, SimTime};
use meshsim_models::application::call_graph::Protocol;
use meshsim_models::faults::link::{LinkFault, LinkFaultKind};
use meshsim_models::faults::outage::{Component, Outage};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::settings::IstiodSettings;
use meshsim_models::kubernetes::node_lifecycle::NodeTaint;
use meshsim_models::kubernetes::scheduler::resources::{Resource, ResourceList};
use meshsim_models::kubernetes::settings::{Change, ChangeKind, PodTimes, ReadinessProbe, WorkloadSettings};
use meshsim_models::kubernetes::version::KubernetesVersion;
use meshsim_models::liqo::gateway::GatewayCost;
use meshsim_models::liqo::namespace_offloading::PodOffloadingStrategy;
use meshsim_models::liqo::settings::{LiqoSettings, Offloading, Peering};
use meshsim_models::multi_network::gateway::EastWestSettings;
use meshsim_models::telemetry::control_log::PodStep;
use meshsim_models::telemetry::decision::What;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::Record;
use meshsim_models::world::description::{DataPlane, Description, Federation};
use support::{CLOUD, EDGE, all_ended, at_ms, free_world, run, with_outlier_detection};

/// The number of the node that stands for the edge at the cloud.
const VIRTUAL: u32 = 1;

/// The moment at which things go wrong (s).
const CUT: f64 = 100.0;

/// The cloud runs two pods of `s0` at the edge, in a slice of two cores. Users of the edge ask for `s0`, now and then.
fn world(strategy: PodOffloadingStrategy, seconds: u64) -> Description {
    let every_second = Arrivals::Constant { per_second: 1.0 };
    let mut description = free_world(&[1], &[], &[(0, CLOUD, 2), (0, EDGE, 0)], every_second, seconds);
    description.keeps_decisions = true;
    let probe = ReadinessProbe { initial_delay: SimDuration::ZERO, period: SimDuration::from_secs(1) };
    description.kubernetes.pods = PodTimes {
        start_spread: 0.0,
        readiness: Some(probe),
        sidecar_image_bytes: 0.0,
        ..PodTimes::default()
    };
    let application = ResourceList::new(1_000, 0);
    description.kubernetes.workloads =
        [WorkloadSettings { application, sidecar: ResourceList::new(0, 0), ..WorkloadSettings::default() }]
            .into_iter()
            .collect();
    description.services[ServiceId(0)] = with_outlier_detection();
    let mut granted = ResourceList::new(2_000, 1 << 40);
    granted.set(Resource::PODS, 110);
    let gateway = GatewayCost {
        per_packet: SimDuration::ZERO,
        per_request: SimDuration::ZERO,
        ..GatewayCost::default()
    };
    let services = [ServiceId(0)].into();
    description.federation = Some(Federation::Liqo(LiqoSettings {
        peerings: vec![Peering { granted, ..Peering::new("cloud-edge", CLOUD, EDGE) }],
        gateways: [gateway; 2].into_iter().collect(),
        offloading: Some(Offloading { services, strategy, cluster_selector: Vec::new() }),
    }));
    description
}

fn liqo(description: &mut Description) -> &mut LiqoSettings {
    match &mut description.federation {
        Some(Federation::Liqo(liqo)) => liqo,
        _ => panic!("another federation"),
    }
}

fn cut(kind: LinkFaultKind, from_ms: u64, to_ms: Option<u64>) -> LinkFault {
    LinkFault { link: 0, toward: None, kind, begins: at_ms(from_ms), ends: to_ms.map(at_ms) }
}

fn outage(of: Component, from_ms: u64, to_ms: Option<u64>) -> Outage {
    Outage { of, begins: at_ms(from_ms), ends: to_ms.map(at_ms) }
}

/// When something was decided (s).
fn decided(record: &Record, cluster: ClusterId, is_it: impl Fn(&What) -> bool) -> Vec<f64> {
    let of = record.decisions.iter().filter(|it| it.cluster == cluster && is_it(&it.what));
    of.map(|it| it.at.as_secs_f64()).collect()
}

fn only(times: &[f64]) -> f64 {
    let [at] = times[..] else { panic!("{times:?}") };
    at
}

fn is_lost(what: &What) -> bool {
    matches!(what, What::TunnelChecked(_, false))
}

fn is_unknown(what: &What) -> bool {
    matches!(what, What::NodeUnknown(VIRTUAL))
}

fn is_not_ready(what: &What) -> bool {
    matches!(what, What::NodeNotReady(VIRTUAL))
}

fn is_ready(what: &What) -> bool {
    matches!(what, What::NodeReady(VIRTUAL))
}

/// When the steps of this name were made (ms).
fn times(record: &Record, cluster: ClusterId, name: &str) -> Vec<u64> {
    let of_name = record.control[cluster].pods.iter().filter(|it| it.step.name() == name);
    of_name.map(|it| it.at.as_nanos() / 1_000_000).collect()
}

/// A seed whose phases let the tunnel speak first.
fn with_tunnel_first(mut description: Description) -> Description {
    let speaks_first = |seed: &u64| {
        let mut short = description.clone();
        short.seed = *seed;
        short.duration = SimDuration::from_secs(130);
        !decided(&run(&short, 0), CLOUD, is_not_ready).is_empty()
    };
    description.seed = (0..50).find(speaks_first).unwrap();
    description
}

/// 8 to 11 s after a cut the tunnel is lost on both sides, the virtual node is not ready, and the endpoints behind it leave; 300 s
/// after its taint the pods are evicted and replaced at home. What runs at the provider goes on, is what users there are
/// served by, and holds its quota until the link is back.
#[test]
fn a_cut_is_noticed_and_what_was_replaced_goes_on_until_the_link_is_back() {
    let mut description = world(PodOffloadingStrategy::LocalAndRemote, 700);
    // The emptier node is the virtual one.
    description.clusters[CLOUD].nodes[0].capacity.milli_cpu = Some(2_000);
    liqo(&mut description).peerings[0].granted.set(Resource::CPU, 4_000);
    description.link_faults = vec![cut(LinkFaultKind::Blackhole, 100_000, Some(500_000))];
    let description = with_tunnel_first(description);
    let record = run(&description, 0);
    assert_eq!(times(&record, EDGE, "ready").len(), 2);
    for cluster in [CLOUD, EDGE] {
        let lost = only(&decided(&record, cluster, is_lost));
        assert!((CUT + 8.0..CUT + 11.2).contains(&lost), "{lost}");
    }
    let lost = only(&decided(&record, CLOUD, is_not_ready));
    assert_eq!(decided(&record, CLOUD, is_lost), [lost]);
    assert_eq!(decided(&record, CLOUD, |it| matches!(it, What::OffloadedPodMarked(_, false))), [lost; 2]);
    let delay = description.kubernetes.pods.endpoint_delay.as_secs_f64();
    let left = decided(&record, CLOUD, |it| matches!(it, What::Endpoint(_, false)));
    assert!(left.iter().filter(|at| (**at - lost - delay).abs() < 1e-9).count() == 2, "{left:?} {lost}");
    let tainted = decided(&record, CLOUD, |it| matches!(it, What::NodeTainted(VIRTUAL, NodeTaint::NotReady)));
    let tainted = only(&tainted);
    assert!((0.0..=5.01).contains(&(tainted - lost)), "{tainted} {lost}");
    let evicted = decided(&record, CLOUD, |it| matches!(it, What::PodEvicted(_)));
    assert!(
        evicted.len() == 2 && evicted.iter().all(|at| (at - tainted - 300.0).abs() < 1e-9),
        "{evicted:?}"
    );
    // Replaced at once, at home.
    let evicted_ms = (evicted[0] * 1e3) as u64;
    assert_eq!(times(&record, CLOUD, "created")[2..], [evicted_ms; 2]);
    assert!(times(&record, CLOUD, "ready").iter().all(|&at| at > evicted_ms));
    assert_eq!(times(&record, CLOUD, "ready").len(), 2);
    // The provider's go on until they hear of it.
    let deleted = times(&record, EDGE, "deleted");
    assert!(deleted.len() == 2 && deleted.iter().all(|at| (500_000..560_000).contains(at)), "{deleted:?}");
    let served = record.served_between(EDGE, at_ms(420_000), at_ms(500_000));
    assert!(served.iter().sum::<u64>() >= 78, "{served:?}");
    // The tunnel is up with the first answer, and so is the node.
    let up = only(&decided(&record, CLOUD, |it| matches!(it, What::TunnelChecked(_, true))));
    assert!((500.0..502.3).contains(&up), "{up}");
    assert!(decided(&record, CLOUD, is_ready).iter().all(|at| *at >= up));
    assert!(decided(&record, CLOUD, is_ready).len() == 1);
    // Nothing is left of the old pods, and of the quota that they held.
    assert_eq!(times(&record, EDGE, "ended").len(), 2);
    assert_eq!(times(&record, CLOUD, "ended").len(), 2);
    let ended = all_ended(&record);
    let mut during = ended.iter().filter(|(row, _)| (at_ms(100_000)..at_ms(500_000)).contains(&row.arrival));
    assert!(during.all(|(_, end)| end.status.is_ok()));
}

/// After a cut that is over in time nothing is evicted. The API server was out of reach, too: so the node is Ready, and the
/// endpoints are back, 60 s after the check has found it again.
#[test]
fn nothing_is_evicted_in_a_short_cut() {
    let mut description = world(PodOffloadingStrategy::Remote, 400);
    description.link_faults = vec![cut(LinkFaultKind::Blackhole, 100_000, Some(200_000))];
    // Users of the cloud have nobody near.
    description.populations[0].cluster = CLOUD;
    let record = run(&with_tunnel_first(description), 0);
    assert_eq!(decided(&record, CLOUD, |it| matches!(it, What::PodEvicted(_))), [0.0; 0]);
    assert_eq!(times(&record, CLOUD, "created").len(), 2);
    let marked = |ready| {
        decided(&record, CLOUD, |it| matches!(it, What::OffloadedPodMarked(_, of) if *of == ready)).len()
    };
    assert_eq!((marked(false), marked(true)), (2, 2));
    let statuses = |from: u64, to: u64| {
        let ended = all_ended(&record).into_iter();
        let of = ended.filter(|(row, _)| (at_ms(from)..at_ms(to)).contains(&row.arrival));
        of.map(|(_, end)| (end.status.code(), end.latency)).collect::<Vec<_>>()
    };
    // Without an endpoint the gateway answers at once.
    let noticed = statuses(115_000, 200_000);
    assert!(
        noticed.len() == 85 && noticed.iter().all(|(code, took)| *code == 503 && took.as_secs_f64() < 0.5)
    );
    let answers = only(&decided(&record, CLOUD, |it| matches!(it, What::ApiServerChecked(_, true))));
    let ready = only(&decided(&record, CLOUD, is_ready));
    assert!((200.0..215.2).contains(&answers) && (ready - answers - 60.0).abs() < 1e-9, "{answers} {ready}");
    let after = statuses((ready * 1e3) as u64 + 1_000, 400_000);
    assert!(after.len() > 120 && after.iter().all(|(code, _)| *code == 200));
}

/// Only the API server is gone: no event of the tunnel; the node is Unknown when its lease has run out. When it is back the
/// node is Ready 60 s after the check has found that.
#[test]
fn a_lost_api_server_takes_its_pods_out_of_the_mesh_and_a_minute_longer() {
    for seed in 0..40 {
        let mut description = world(PodOffloadingStrategy::Remote, 420);
        description.seed = seed;
        description.kubernetes.controller.version = KubernetesVersion::new(31);
        description.outages = vec![outage(Component::ApiServer(EDGE), 100_000, Some(220_000))];
        let record = run(&description, 0);
        assert_eq!(decided(&record, CLOUD, is_lost), [0.0; 0]);
        let answers = |of: bool| {
            only(&decided(&record, CLOUD, |it| matches!(it, What::ApiServerChecked(_, it) if *it == of)))
        };
        assert!((CUT..CUT + 15.2).contains(&answers(false)), "refused at once: {}", answers(false));
        let unknown = only(&decided(&record, CLOUD, is_unknown)) - CUT;
        assert!((35.0..70.2).contains(&unknown), "{unknown}");
        let ready = only(&decided(&record, CLOUD, is_ready));
        assert!((ready - answers(true) - 60.0).abs() < 1e-9, "{ready} {}", answers(true));
        assert!((220.0..295.2).contains(&ready), "{ready}");
        // Its pods run on.
        assert!(times(&record, EDGE, "deleted").is_empty());
    }
}

/// How often of 1,000 a probability shows, within four standard errors.
fn within(count: usize, probability: f64) -> bool {
    let error = (1_000.0 * probability * (1.0 - probability)).sqrt();
    (count as f64 - 1_000.0 * probability).abs() < 4.0 * error
}

/// Of 1,000 draws of all phases, how often the API check silences the virtual kubelet before the tunnel is lost, and when
/// the node is noticed then and else (s after the cut).
fn noticed(kind: LinkFaultKind, version: u16) -> (Vec<f64>, Vec<f64>) {
    let (mut by_tunnel, mut by_lease) = (Vec::new(), Vec::new());
    for seed in 0..1_000 {
        let mut description = world(PodOffloadingStrategy::Remote, 170);
        description.seed = seed;
        description.populations.clear();
        description.kubernetes.controller.version = KubernetesVersion::new(version);
        description.link_faults = vec![cut(kind, 100_000, None)];
        let record = run(&description, 0);
        let lost = only(&decided(&record, CLOUD, is_lost)) - CUT;
        assert!((8.0..11.2).contains(&lost), "seed {seed}: {lost}");
        match decided(&record, CLOUD, is_not_ready)[..] {
            [at] => by_tunnel.push(at - CUT),
            _ => by_lease.push(only(&decided(&record, CLOUD, is_unknown)) - CUT),
        }
    }
    (by_tunnel, by_lease)
}

/// Closed form: the API check fails uniformly 5 to 20 s after packets vanish, or 0 to 15 s after connections are refused, and the
/// kubelet reads that up to 10 s later; the tunnel is lost uniformly after (8 to 10) + (0 to 1) s. So the API check is first
/// with E[(T - 5)^2] / 300 = 0.069, or E[T^2] / 300 = 0.302.
#[test]
fn who_notices_a_cut_first_is_a_matter_of_phases() {
    let (silent, refused) = (LinkFaultKind::Blackhole, LinkFaultKind::Down);
    for (kind, version, probability, noticed_within) in [
        (silent, 31, 0.069, 44.8..56.3),
        (silent, 35, 0.069, 54.8..66.3),
        // The last post of the virtual kubelet, at the failed check, may be as early as the cut.
        (refused, 31, 0.302, 39.8..56.3),
    ] {
        let (by_tunnel, by_lease) = noticed(kind, version);
        assert!(within(by_lease.len(), probability), "{kind:?}: {} of 1,000", by_lease.len());
        assert!(by_tunnel.iter().all(|at| (8.0..11.2).contains(at)));
        let all_within = by_lease.iter().all(|at| noticed_within.contains(at));
        assert!(all_within, "{kind:?}, 1.{version}: {by_lease:?}");
    }
}

/// From a cut to the replacement: 8 to 11 s, up to 5 s to the taint, and 300 s.
#[test]
fn what_is_cut_off_is_replaced_after_308_to_316_s() {
    let mut after = Vec::new();
    for seed in 0..100 {
        let mut description = world(PodOffloadingStrategy::Remote, 430);
        description.seed = seed;
        description.populations.clear();
        description.link_faults = vec![cut(LinkFaultKind::Blackhole, 100_000, None)];
        let record = run(&description, 0);
        if !decided(&record, CLOUD, is_not_ready).is_empty() {
            let evicted = decided(&record, CLOUD, |it| matches!(it, What::PodEvicted(_)));
            let created = times(&record, CLOUD, "created");
            assert_eq!((evicted.len(), created.len()), (2, 4));
            // There is no other node for them.
            assert_eq!(times(&record, CLOUD, "unschedulable").len(), 2);
            after.push(created[2] as f64 / 1e3 - CUT);
        }
    }
    let (first, last) = after.iter().fold((f64::MAX, 0.0_f64), |(a, b), at| (a.min(*at), b.max(*at)));
    assert!(after.len() > 80 && first >= 308.0 && last < 316.3, "{first} to {last}");
    assert!(first < 309.5 && last > 314.5, "{first} to {last}");
}

/// The provider's own istiod takes the consumer's endpoints out when the tunnel is lost, and users there no longer wait for
/// them; one istiod at the consumer leaves their sidecars what they knew.
#[test]
fn a_provider_takes_what_is_reflected_out() {
    let mut description = free_world(
        &[1, 1],
        &[(0, 1)],
        &[(0, EDGE, 1), (1, CLOUD, 1)],
        Arrivals::Constant { per_second: 2.0 },
        200,
    );
    description.keeps_decisions = true;
    let peerings = vec![Peering::new("cloud-edge", CLOUD, EDGE)];
    let gateways = [GatewayCost::default(); 2].into_iter().collect();
    description.federation = Some(Federation::Liqo(LiqoSettings { peerings, gateways, offloading: None }));
    description.link_faults = vec![cut(LinkFaultKind::Blackhole, 100_000, Some(150_000))];
    let slow = |record: &Record| {
        let ended = all_ended(record).into_iter();
        let late = ended.filter(|(row, _)| (at_ms(113_000)..at_ms(149_000)).contains(&row.arrival));
        late.filter(|(_, end)| end.latency > SimDuration::from_secs(1)).count()
    };
    let record = run(&description, 0);
    let counts = |of| decided(&record, EDGE, |it| matches!(it, What::ReflectionCounts(_, it) if *it == of));
    assert!((108.0..111.2).contains(&only(&counts(false))) && only(&counts(true)) < 153.0);
    assert_eq!(slow(&record), 0);
    let last = all_ended(&record).into_iter().filter(|(row, _)| row.arrival > at_ms(160_000));
    assert!(last.into_iter().all(|(_, end)| end.status.is_ok()));
    description.istiod = Some(IstiodSettings { cluster: Some(CLOUD), ..IstiodSettings::default() });
    assert!(slow(&run(&description, 0)) > 60);
}

/// A third cluster reaches a provider through the consumer, and hears from that what it has noticed.
#[test]
fn a_third_cluster_hears_of_a_lost_provider_from_the_consumer() {
    let mut description = free_world(&[1], &[], &[(0, EDGE, 1)], Arrivals::Constant { per_second: 2.0 }, 260);
    let third = description.add_cluster("third", 1e6);
    description.add_link([CLOUD, third], SimDuration::from_millis(20), 1e18);
    description.clusters[third].local_bits_per_second = 1e18;
    description.populations[0].cluster = third;
    description.keeps_decisions = true;
    let peer = |name, provider| Peering::new(name, CLOUD, provider);
    description.federation = Some(Federation::Liqo(LiqoSettings {
        peerings: vec![peer("a", EDGE), peer("b", third)],
        gateways: [GatewayCost::default(); 3].into_iter().collect(),
        offloading: None,
    }));
    description.link_faults = vec![cut(LinkFaultKind::Blackhole, 100_000, Some(150_000))];
    let record = run(&description, 0);
    // Nothing has happened to its own tunnel.
    assert!(decided(&record, third, is_lost).is_empty());
    let ended = all_ended(&record);
    let of = |from, to| ended.iter().filter(move |(row, _)| (at_ms(from)..at_ms(to)).contains(&row.arrival));
    let noticed = only(&decided(&record, CLOUD, |it| is_not_ready(it) || is_unknown(it)));
    let from = (noticed * 1e3) as u64 + 1_000;
    assert!(of(from, 150_000).all(|(_, end)| end.latency.as_secs_f64() < 1.0 && !end.status.is_ok()));
    assert!(of(227_000, 260_000).all(|(_, end)| end.status.is_ok()));
}

/// A pod that has waited for a node is asked for once, and a provider without an API server is asked again and again: nobody calls
/// that a refusal of the quota.
#[test]
fn a_provider_is_asked_once_or_until_its_api_server_answers() {
    // The second pod waits for the first to go, and is tried again each time that something changes.
    let mut waits = world(PodOffloadingStrategy::Remote, 60);
    liqo(&mut waits).peerings[0].granted.set(Resource::CPU, 1_000);
    let change = |ms, kind| Change { at: at_ms(ms), service: ServiceId(0), cluster: CLOUD, kind };
    waits.kubernetes.changes = vec![
        change(20_000, ChangeKind::Scale(1)),
        change(20_010, ChangeKind::Scale(3)),
        change(20_020, ChangeKind::Rollout),
    ];
    let record = run(&waits, 0);
    assert!(times(&record, CLOUD, "refused").is_empty());
    // Gaps double from 5 ms on: deletions are first asked for at 10 s, creations at 20 s, and both are taken when it is back.
    let mut stopped = world(PodOffloadingStrategy::Remote, 60);
    stopped.kubernetes.changes =
        vec![change(10_000, ChangeKind::Scale(0)), change(20_000, ChangeKind::Scale(2))];
    stopped.outages = vec![outage(Component::ApiServer(EDGE), 9_000, Some(30_000))];
    let record = run(&stopped, 0);
    assert!(times(&record, CLOUD, "refused").is_empty());
    let deleted = times(&record, EDGE, "deleted");
    assert!(deleted.len() == 2 && deleted.iter().all(|at| (30_000..52_000).contains(at)), "{deleted:?}");
    let created = times(&record, EDGE, "created");
    assert!(created.len() == 4 && created[2..].iter().all(|at| (30_000..52_000).contains(at)), "{created:?}");
}

/// The consumer learns what the provider knows of a pod's faults.
#[test]
fn a_fault_of_an_offloaded_pod_is_known_at_home() {
    let mut description = world(PodOffloadingStrategy::Remote, 60);
    let fault = PodFault {
        service: ServiceId(0),
        cluster: EDGE,
        pod: Some(0),
        begins: at_ms(20_000),
        ends: None,
        kind: FaultKind::Unready,
        seen_after: Some(SimDuration::from_secs(1)),
    };
    description.faults = vec![fault];
    // Of two pods, the one that is not ready goes first.
    let scale = ChangeKind::Scale(1);
    description.kubernetes.changes =
        vec![Change { at: at_ms(30_000), service: ServiceId(0), cluster: CLOUD, kind: scale }];
    let record = run(&description, 0);
    let gone: Vec<u32> = record.control[EDGE]
        .pods
        .iter()
        .filter(|it| it.step == PodStep::Deleted)
        .map(|it| it.ordinal)
        .collect();
    assert_eq!(gone, [0]);
}

/// The first of two nodes of the provider is drained. Before 1.27 its pod is made anew there, and the consumer makes none; from then
/// on the consumer's Deployment makes another one, beside which the old one keeps its core of the slice until the
/// Deployment goes.
#[test]
fn a_pod_whose_node_is_drained_is_made_anew_by_its_provider_or_by_its_consumer() {
    let drained = |version, cores: u64| {
        let mut description = world(PodOffloadingStrategy::Remote, 150);
        let node = description.clusters[EDGE].nodes[0].clone();
        description.clusters[EDGE].nodes = vec![node; 2];
        description.kubernetes.controller.version = KubernetesVersion::new(version);
        liqo(&mut description).peerings[0].granted.set(Resource::CPU, cores * 1_000);
        description.outages = vec![outage(Component::Drain { cluster: EDGE, node: 0 }, 30_000, None)];
        description
    };
    let counts = |record: &Record, cluster| {
        ["created", "deleted", "ended", "refused", "ready"].map(|name| times(record, cluster, name).len())
    };
    let before = run(&drained(26, 2), 0);
    assert_eq!(counts(&before, EDGE), [3, 1, 1, 0, 3]);
    assert_eq!(counts(&before, CLOUD)[..4], [2, 0, 0, 0]);
    let roomy = run(&drained(27, 3), 0);
    assert_eq!(counts(&roomy, EDGE), [3, 1, 1, 0, 3]);
    assert_eq!(counts(&roomy, CLOUD)[..4], [3, 0, 1, 0]);
    // What is told of the end crosses the link, and so does what is asked for then; the pod ends when its kubelet has looked.
    let at = |record, cluster, name, number: usize| times(record, cluster, name)[number];
    let ended = at(&roomy, EDGE, "ended", 0);
    let told = at(&roomy, CLOUD, "ended", 0);
    assert!((ended + 80..ended + 82).contains(&told), "{ended} {told}");
    assert_eq!(at(&roomy, CLOUD, "created", 2), told);
    assert_eq!(at(&before, EDGE, "created", 2), at(&before, EDGE, "ended", 0));
    // No core is left for it, until its Deployment goes and comes again.
    let mut full = drained(35, 2);
    let record = run(&full, 0);
    assert_eq!((counts(&record, EDGE)[0], counts(&record, CLOUD)[3]), (2, 1));
    let change = |ms, kind| Change { at: at_ms(ms), service: ServiceId(0), cluster: CLOUD, kind };
    full.kubernetes.changes =
        vec![change(60_000, ChangeKind::Remove), change(100_000, ChangeKind::Offload(2))];
    let record = run(&full, 0);
    assert_eq!(times(&record, EDGE, "created").iter().filter(|at| **at >= 100_000).count(), 2);
}

/// A drain is asked of the API server.
#[test]
fn nobody_drains_without_an_api_server() {
    let mut description = free_world(&[1], &[], &[(0, EDGE, 2)], Arrivals::Constant { per_second: 1.0 }, 60);
    let node = description.clusters[EDGE].nodes[0].clone();
    description.clusters[EDGE].nodes = vec![node; 2];
    let drain = Component::Drain { cluster: EDGE, node: 1 };
    description.outages =
        vec![outage(drain, 20_000, None), outage(Component::ApiServer(EDGE), 10_000, Some(40_000))];
    assert_eq!(times(&run(&description, 0), EDGE, "deleted"), [40_000]);
}

/// A datagram to a node of another cluster that is lost is lost as well, and so is one from there.
#[test]
fn datagrams_do_not_reach_a_lost_node_of_another_cluster() {
    for lost in [CLOUD, EDGE] {
        let mut description = free_world(
            &[1, 1],
            &[(0, 1)],
            &[(0, EDGE, 1), (1, CLOUD, 1)],
            Arrivals::Constant { per_second: 2.0 },
            60,
        );
        description.services[ServiceId(1)].protocol = Protocol::Udp;
        description.cell.client_timeout = Some(SimDuration::from_secs(1));
        description.mesh.data_plane = DataPlane::None;
        description.outages = vec![outage(Component::Node { cluster: lost, node: 0 }, 20_000, Some(40_000))];
        let record = run(&description, 0);
        let served = record.served_between(CLOUD, at_ms(24_000), at_ms(36_000));
        assert_eq!(served.iter().sum::<u64>(), 0, "{lost:?}");
        let after = record.served_between(CLOUD, at_ms(48_000), at_ms(60_000));
        assert!(after.iter().sum::<u64>() >= 20, "{lost:?}: {after:?}");
    }
}

/// Whose caller has no sidecar knows the Service of its own cluster, whose endpoints are of its own network.
#[test]
fn without_a_sidecar_no_other_network_is_reached() {
    let mut description = free_world(
        &[1, 1],
        &[(0, 1)],
        &[(0, EDGE, 1), (1, EDGE, 1), (1, CLOUD, 1)],
        Arrivals::Constant { per_second: 5.0 },
        60,
    );
    description.federation = Some(Federation::MultiNetwork(EastWestSettings::default()));
    let near = |description: &Description| {
        let record = run(description, 0);
        let to_cloud: u64 = record.served_between(CLOUD, SimTime::ZERO, at_ms(60_000)).iter().sum();
        (to_cloud == 0, all_ended(&record).iter().all(|(_, end)| end.status.is_ok()))
    };
    assert_eq!(near(&description), (false, true));
    description.services[ServiceId(0)].without_sidecar = true;
    // Callers with their connections anew each time.
    description.cell.keep_alive = SimDuration::from_millis(1);
    assert_eq!(near(&description), (true, true));
    description.deployments.retain(|it| (it.service, it.cluster) != (ServiceId(1), EDGE));
    assert_eq!(near(&description), (true, false));
}

/// A gateway whose container is back within 8 s is missed by nobody; of several another one takes over after 13 to 17 s; one
/// on a node that is lost is there again when its pod has been evicted and started elsewhere.
#[test]
fn a_gateway_of_tunnels_is_taken_over() {
    let up_again = |of: Component, replicas: u16, to_ms: Option<u64>| {
        let mut description = world(PodOffloadingStrategy::Remote, 600);
        description.populations.clear();
        let node = description.clusters[EDGE].nodes[0].clone();
        description.clusters[EDGE].nodes = vec![node; 2];
        liqo(&mut description).gateways[EDGE].replicas = replicas;
        description.outages = vec![outage(of, 100_000, to_ms)];
        let record = run(&description, 0);
        let lost = decided(&record, CLOUD, is_lost);
        let up = decided(&record, CLOUD, |it| matches!(it, What::TunnelChecked(_, true)));
        assert_eq!(lost.len(), up.len());
        up.first().copied()
    };
    let gateway = Component::TunnelGateway(EDGE);
    assert_eq!(up_again(gateway, 1, Some(105_000)), None);
    let back = up_again(gateway, 1, Some(150_000)).unwrap();
    assert!((150.0..152.3).contains(&back), "{back}");
    let taken_over = up_again(gateway, 2, Some(400_000)).unwrap();
    assert!((113.0..119.3).contains(&taken_over), "{taken_over}");
    let node = Component::Node { cluster: EDGE, node: 0 };
    let evicted = up_again(node, 1, None).unwrap();
    assert!((445.0..465.0).contains(&evicted), "{evicted}");
    let taken_over = up_again(node, 2, None).unwrap();
    assert!((113.0..119.3).contains(&taken_over), "{taken_over}");
}
