//! Random fault plans of clusters that Liqo joins: whatever fails, pods and quotas are conserved at every simulated second,
//! and when all is back every pod is one again, and waits only where all nodes are full.
//!
//! Each plan follows from its seed alone. A failure names the seed; `MESHSIM_SEED` repeats it.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::random::{Address, Draw, uniform, uniform_index};
use meshsim_core::{RunControl, SimDuration, SimTime};
use meshsim_models::faults::link::{Degradation, LinkFault, LinkFaultKind};
use meshsim_models::faults::outage::{Component, Outage};
use meshsim_models::faults::pod::{FaultKind, PodFault};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::deployment::Rollout;
use meshsim_models::kubernetes::scheduler::node::{Effect, Toleration};
use meshsim_models::kubernetes::scheduler::resources::{Resource, ResourceList};
use meshsim_models::kubernetes::settings::{Change, ChangeKind, WorkloadSettings};
use meshsim_models::kubernetes::taint_eviction::{NOT_READY, UNREACHABLE};
use meshsim_models::kubernetes::version::KubernetesVersion;
use meshsim_models::liqo::gateway::GatewayCost;
use meshsim_models::liqo::namespace_offloading::PodOffloadingStrategy;
use meshsim_models::liqo::settings::{LiqoSettings, Offloading, Peering};
use meshsim_models::telemetry::control_log::PodStep;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::description::{Description, Federation};
use meshsim_models::world::{Record, World};
use std::collections::BTreeMap;
use support::{CLOUD, EDGE, for_each_seed, free_world};

const PLANS: u64 = 1_000;

/// The last fault is over (s), and the run, when the longest gap after which a provider is asked again is, too.
const QUIET: f64 = 120.0;
const END: u64 = 320;

const SERVICES: u32 = 2;
const WANTED: u32 = 3;

struct Dice(Draw);

impl Dice {
    fn count(&mut self, low: u32, high: u32) -> u32 {
        low + uniform_index(&mut self.0, (high - low + 1) as usize) as u32
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[uniform_index(&mut self.0, of.len())]
    }

    fn at(&mut self, low: f64, high: f64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs_f64(low + (high - low) * uniform(&mut self.0))
    }
}

/// Two services of a cloud with two providers, whose slices may be too small for all pods; these tolerate a node that is not
/// ready for some seconds.
fn world(dice: &mut Dice) -> Description {
    let pods: Vec<_> = (0..SERVICES).map(|service| (service, CLOUD, WANTED)).collect();
    let mut description = free_world(&[1, 1], &[(0, 1)], &pods, Arrivals::Constant { per_second: 0.5 }, END);
    let far = description.add_cluster("far", 1e6);
    description.add_link([CLOUD, far], SimDuration::from_millis(20), 1e9);
    description.clusters[far].local_bits_per_second = 1e9;
    let node = description.clusters[EDGE].nodes[0].clone();
    description.clusters[EDGE].nodes = vec![node; 2];
    description.clusters[CLOUD].nodes[0].capacity.milli_cpu = Some(dice.pick(&[0, 1_000, 8_000]));
    let tolerates = |key: &str, seconds| Toleration {
        key: Some(key.to_owned()),
        value: None,
        effect: Some(Effect::NoExecute),
        lasts: Some(SimDuration::from_secs(seconds)),
    };
    let workload = |dice: &mut Dice| WorkloadSettings {
        application: ResourceList::new(1_000, 0),
        sidecar: ResourceList::new(0, 0),
        tolerations: [NOT_READY, UNREACHABLE].map(|key| tolerates(key, dice.pick(&[1, 10, 60]))).into(),
        ..WorkloadSettings::default()
    };
    description.kubernetes.workloads = (0..SERVICES).map(|_| workload(dice)).collect();
    description.kubernetes.controller.version = KubernetesVersion::new(dice.pick(&[26, 31, 35]));
    let providers = [EDGE, far];
    let peering = |dice: &mut Dice, provider| {
        let mut granted = ResourceList::new(u64::from(dice.count(1, 6)) * 1_000, 1 << 40);
        granted.set(Resource::PODS, 110);
        Peering { granted, ..Peering::new("peering", CLOUD, provider) }
    };
    for service in (0..SERVICES).map(ServiceId) {
        for provider in providers {
            description.add_pods(service, provider, 0);
        }
    }
    description.federation = Some(Federation::Liqo(LiqoSettings {
        peerings: providers.map(|it| peering(dice, it)).into(),
        gateways: [GatewayCost::default(); 3].into_iter().collect(),
        offloading: Some(Offloading {
            services: (0..SERVICES).map(ServiceId).collect(),
            strategy: dice.pick(&[PodOffloadingStrategy::Remote, PodOffloadingStrategy::LocalAndRemote]),
            cluster_selector: Vec::new(),
        }),
    }));
    description
}

/// The same with what goes wrong until [`QUIET`].
fn plan(seed: u64) -> Description {
    let mut dice = Dice(Address::root(seed, 0).draw(0));
    let dice = &mut dice;
    let mut description = world(dice);
    description.seed = seed;
    description.keeps_decisions = true;
    let clusters: Vec<ClusterId> = (0..3).map(ClusterId).collect();
    for _ in 0..dice.count(1, 4) {
        let begins = dice.at(5.0, QUIET - 20.0);
        let ends = Some(dice.at(begins.as_secs_f64(), QUIET));
        let worse = Degradation { delay: SimDuration::from_millis(300), loss: 0.5, bits_per_second: None };
        let kinds = [LinkFaultKind::Blackhole, LinkFaultKind::Down, LinkFaultKind::Degraded(worse)];
        let (link, kind) = (dice.count(0, 1), dice.pick(&kinds));
        let toward = dice.pick(&[None, None, Some(CLOUD)]);
        let cluster = dice.pick(&clusters);
        let node = dice.count(0, description.clusters[cluster].nodes.len() as u32 - 1);
        let of = match dice.count(0, 11) {
            0 => Component::Cluster(cluster),
            1 => Component::Isolation(cluster),
            2 => Component::ApiServer(cluster),
            3 => Component::Node { cluster, node },
            4 => Component::Drain { cluster, node },
            5 => Component::TunnelGateway(cluster),
            6 => Component::Gateway(cluster),
            7 => Component::Istiod(cluster),
            8 => {
                let service = ServiceId(dice.count(0, SERVICES - 1));
                let kind = dice.pick(&[FaultKind::Crash, FaultKind::Blackhole, FaultKind::Unready]);
                let seen_after = Some(SimDuration::from_secs(1));
                let fault = PodFault { service, cluster, pod: None, begins, ends, kind, seen_after };
                description.faults.push(fault);
                continue;
            }
            _ => {
                description.link_faults.push(LinkFault { link, toward, kind, begins, ends });
                continue;
            }
        };
        description.outages.push(Outage { of, begins, ends });
    }
    for _ in 0..dice.count(0, 3) {
        let kind =
            if dice.count(0, 3) == 0 { ChangeKind::Rollout } else { ChangeKind::Scale(dice.count(0, 5)) };
        let service = ServiceId(dice.count(0, SERVICES - 1));
        description.kubernetes.changes.push(Change {
            at: dice.at(5.0, QUIET),
            service,
            cluster: CLOUD,
            kind,
        });
    }
    description.kubernetes.changes.sort_by_key(|it| it.at);
    description
}

/// A pod that has come or gone, and how it was last.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    has_node: bool,
    /// By the number of the node that stands for its provider.
    offloaded: Option<u32>,
    is_ready: bool,
    is_deleted: bool,
    has_ended: bool,
}

/// The pods of a cluster, by service, ordinal and generation.
fn lives(record: &Record, cluster: ClusterId) -> BTreeMap<(ServiceId, u32, u32), Life> {
    let mut lives: BTreeMap<_, Life> = BTreeMap::new();
    for it in &record.control[cluster].pods {
        let life = lives.entry((it.service, it.ordinal, it.generation)).or_default();
        assert!(!life.has_ended, "{it:?} after its end");
        match it.step {
            PodStep::Offloaded(node) => (life.has_node, life.offloaded) = (true, Some(node)),
            PodStep::Scheduled(_) => life.has_node = true,
            PodStep::Ready => life.is_ready = true,
            PodStep::Deleted => life.is_deleted = true,
            PodStep::Ended(_) => life.has_ended = true,
            _ => {}
        }
    }
    lives
}

fn has_rollout(description: &Description, service: ServiceId) -> bool {
    let changes = &description.kubernetes.changes;
    changes.iter().any(|it| it.service == service && it.kind == ChangeKind::Rollout)
}

/// How many pods the nodes that the consumer's scheduler may choose take together: each pod asks for a core.
fn room(description: &Description) -> u64 {
    let liqo = description.liqo().unwrap();
    let granted: u64 = liqo.peerings.iter().map(|it| it.granted.amount(Resource::CPU)).sum();
    let is_local = liqo.offloading.as_ref().unwrap().strategy == PodOffloadingStrategy::LocalAndRemote;
    let own = description.clusters[CLOUD].nodes[0].capacity.milli_cpu.unwrap();
    (granted + if is_local { own } else { 0 }) / 1_000
}

/// Each pod of the consumer that is bound to a virtual node is a pod of a provider, unless those that have ended there by
/// themselves have filled its quota, and no pod of a provider is nobody's.
fn check_end(description: &Description, record: &Record) {
    let mut wanted = BTreeMap::from([(ServiceId(0), WANTED), (ServiceId(1), WANTED)]);
    for it in &description.kubernetes.changes {
        if let ChangeKind::Scale(replicas) = it.kind {
            wanted.insert(it.service, replicas);
        }
    }
    let at_home = lives(record, CLOUD);
    let providers = [EDGE, ClusterId(2)].map(|it| lives(record, it));
    let mut waiting: BTreeMap<ServiceId, usize> = BTreeMap::new();
    for ((node, peering), there) in (1..).zip(&description.liqo().unwrap().peerings).zip(&providers) {
        let of_node = || at_home.iter().filter(|(_, it)| it.offloaded == Some(node));
        let failed = of_node().filter(|(_, it)| it.has_ended && !it.is_deleted).count();
        let has_phase = description.kubernetes.controller.version.deleted_pods_end_in_a_phase();
        assert!(failed == 0 || has_phase, "{failed} have ended and were not made anew");
        let mut missing = 0;
        for service in wanted.keys() {
            let bound = of_node().filter(|(key, it)| key.0 == *service && !it.has_ended).count();
            let runs = there.iter().filter(|(key, it)| key.0 == *service && !it.has_ended).count();
            *waiting.entry(*service).or_default() += bound - runs;
            missing += bound - runs;
        }
        let runs = there.values().filter(|it| !it.has_ended).count();
        let granted = peering.granted.amount(Resource::CPU) / 1_000;
        assert!(
            missing == 0 || (failed + runs) as u64 == granted,
            "{missing} wait, {failed} failed, {runs} run"
        );
    }
    let elsewhere: Vec<_> = providers.into_iter().flatten().collect();
    for (service, wanted) in wanted {
        let of_home = at_home.iter().filter(|(key, it)| key.0 == service && !it.has_ended);
        let (count, waits) = (of_home.clone().count() as u32, of_home.clone().any(|(_, it)| !it.has_node));
        // A rolling update whose surge finds no room goes no further: old pods stay, and what was made beside them waits.
        let is_stuck = (waits || waiting[&service] > 0) && has_rollout(description, service);
        let surge = if is_stuck { Rollout::default().resolve(wanted).0 } else { 0 };
        assert!((wanted..=wanted + surge).contains(&count), "{service:?}: {count} pods, {wanted} wanted");
        let offloaded = of_home.filter(|(_, it)| it.offloaded.is_some()).count() - waiting[&service];
        let there = elsewhere.iter().filter(|(key, it)| key.0 == service && !it.has_ended);
        assert_eq!(there.clone().count(), offloaded, "{service:?}: objects and what runs of them");
        assert!(there.clone().all(|(_, it)| it.is_ready), "{service:?}");
    }
    let (with_node, without): (Vec<_>, Vec<_>) =
        at_home.iter().filter(|(_, it)| !it.has_ended).partition(|(_, it)| it.has_node);
    if !without.is_empty() {
        assert_eq!(with_node.len() as u64, room(description), "{without:?} wait only where all is full");
    }
}

#[test]
fn pods_and_quotas_are_conserved_every_second_of_1_000_plans() {
    for_each_seed("peer_fault_plans", PLANS, |seed| {
        let description = plan(seed);
        let mut world = World::new(&description, 0);
        for second in 1..=END {
            world.run(&mut RunControl::until(SimTime::ZERO + SimDuration::from_secs(second)));
            world.check_invariants();
        }
        let record = world.finish();
        assert!(record.decisions.is_sorted_by_key(|it| it.at));
        check_end(&description, &record);
    });
}

/// On one, two and three threads the same happens, to the last bit.
#[test]
fn threads_do_not_matter() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let report = |description: &Description, threads: usize| {
        let mut world = World::new(description, 0);
        let end = world.end();
        let control = || RunControl::until(end).on_threads(threads).from_events_per_round(0);
        pool.install(|| world.run(&mut control()));
        format!("{:?}", world.finish())
    };
    for_each_seed("peer_fault_plans", 100, |seed| {
        let description = plan(seed);
        let one = report(&description, 1);
        assert!([2, 3].into_iter().all(|threads| report(&description, threads) == one));
    });
}
