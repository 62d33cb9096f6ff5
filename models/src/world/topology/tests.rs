use super::*;
use crate::application::call_graph::Service;
use crate::istiod::subset::Selector;
use crate::kubernetes::settings::{Change as WorkloadChange, ChangeKind, KubernetesSettings};
use crate::world::description::{
    CellSettings, ClusterSpec, Deployment, GatewaySettings, HostSpec, MeshSettings, NodeSpec, ServiceSettings,
};
use meshsim_core::SimDuration;
use meshsim_core::random::{Draw, bernoulli, uniform_index};

/// A service with pods in some of several clusters, whose nodes may stand in different localities.
fn random_description(rng: &mut Draw) -> Description {
    let name = |rng: &mut Draw| ["", "a", "b", "c"][uniform_index(rng, 4)];
    let mut application = Application::default();
    application.services.push(Service { workers: 1, threads: 1, ..Service::new("s0", EndpointId(0)) });
    let mut hosts: Table<HostId, HostSpec> = Table::new();
    let mut clusters = Table::new();
    let (mut deployments, mut kubernetes) = (Vec::new(), KubernetesSettings::default());
    for number in 0..1 + uniform_index(rng, 6) {
        let nodes = (0..1 + uniform_index(rng, 3)).map(|_| {
            let locality = format!("{}/{}/{}", name(rng), name(rng), name(rng)).as_str().into();
            NodeSpec::new(hosts.push(HostSpec { name: String::new(), cores: 64.0 }), locality)
        });
        let cluster = clusters.push(ClusterSpec {
            name: format!("c{number}"),
            nodes: nodes.collect(),
            labels: [].into(),
            local_delay: SimDuration::ZERO,
            local_bits_per_second: 1e9,
            mtu: 1500,
            tcp: TcpSettings::default(),
        });
        if bernoulli(rng, 0.8) {
            let (replicas, weight) = (uniform_index(rng, 6) as u32, 1 + uniform_index(rng, 2) as u32);
            deployments.push(Deployment {
                service: ServiceId(0),
                cluster,
                replicas,
                cpu_limit: None,
                weight,
            });
            if bernoulli(rng, 0.5) {
                let kind = ChangeKind::Scale(replicas + 3);
                let at = SimTime::ZERO;
                kubernetes.changes.push(WorkloadChange { at, service: ServiceId(0), cluster, kind });
            }
        }
    }
    let mut description = Description {
        federation: None,
        observability: None,
        seed: 1,
        warm_up: SimDuration::ZERO,
        duration: SimDuration::from_secs(1),
        application,
        cell: CellSettings::default(),
        hosts,
        clusters,
        links: Vec::new(),
        deployments,
        mesh: MeshSettings::default(),
        services: [ServiceSettings::default()].into_iter().collect(),
        subsets: Table::new(),
        authorization_policies: Vec::new(),
        peer_authentications: Vec::new(),
        configuration_changes: Vec::new(),
        gateway: GatewaySettings::default(),
        populations: Vec::new(),
        faults: Vec::new(),
        link_faults: Vec::new(),
        outages: Vec::new(),
        repeated_faults: Vec::new(),
        kubernetes,
        istiod: None,
        time_series: None,
        scraped_every: None,
        offloading: None,
        keeps_decisions: false,
        costs: None,
    };
    if bernoulli(rng, 0.7) {
        description.services[ServiceId(0)].traffic_policy.outlier_detection = Some(Default::default());
    }
    description
}

/// What may have become of some pods.
fn random_changes(topology: &Topology, rng: &mut Draw) -> Vec<Change> {
    let made = |cluster| (20..22).map(move |ordinal| topology.pod_ids.pod(cluster, ServiceId(0), ordinal));
    let mut pods = topology.at_start(ServiceId(0)).to_vec();
    pods.extend(topology.description.clusters.ids().flat_map(made));
    pods.sort_unstable();
    let mut changes = Vec::new();
    for pod in pods {
        if bernoulli(rng, 0.6) {
            continue;
        }
        let cluster = topology.pod_ids.cluster_of(pod);
        let sites: Vec<usize> = topology.sites_in(cluster).collect();
        let before = topology.known_at_start(pod);
        // A later pod may stand on another node.
        let moved = before.is_none() || bernoulli(rng, 0.3);
        let site = before.filter(|_| !moved).map(|it| it.site);
        let site = site.unwrap_or_else(|| SiteId::from_index(sites[uniform_index(rng, sites.len())]));
        let now = Known {
            node: 0,
            pod,
            site,
            weight: topology.weight_of(pod),
            ready: bernoulli(rng, 0.5),
            was_ready: true,
            added: bernoulli(rng, 0.5).then(|| SimTime::from_nanos(7)),
        };
        let now = bernoulli(rng, 0.7).then_some(now);
        changes.push(Change { pod, before: before.map(|it| it.site), now });
    }
    changes
}

fn rows(view: &EndpointView) -> Vec<Vec<(PodId, crate::envoy::endpoint_view::Detail)>> {
    let level =
        |level| view.positions(level).map(|position| (view.pod(position), view.detail(position))).collect();
    (0..view.levels()).map(level).collect()
}

#[test]
fn views_that_share_a_list_are_those_that_were_written_out() {
    let mut orders = BTreeSet::new();
    for seed in 0..600 {
        let mut rng = Address::root(seed, 0).draw(0);
        let topology = Topology::new(random_description(&mut rng), 0);
        let mut spec = topology.upstreams.spec(false, UpstreamId(0)).clone();
        spec.policy.unready_endpoints_sent = bernoulli(&mut rng, 0.5);
        if bernoulli(&mut rng, 0.3) {
            let clusters = topology.description.clusters.len();
            spec.subset = Some(Selector::Cluster(ClusterId::from_index(uniform_index(&mut rng, clusters))));
        }
        let order = Order::of(&spec);
        orders.insert(format!("{order:?}"));
        let list =
            Arc::new(list_of(&topology.description, &topology.sites, &spec, topology.known(ServiceId(0))));
        let most = [1, u32::MAX][uniform_index(&mut rng, 2)];
        for changes in [Vec::new(), random_changes(&topology, &mut rng)] {
            let known = changed(topology.known(ServiceId(0)), &changes);
            for site in topology.sites.ids() {
                let written = sent_to(&topology.description, &topology.sites, site, &spec, &known);
                let written = EndpointView::new(written, most, 50, 3);
                let levels = levels_for(
                    (&topology.description, &topology.sites),
                    site,
                    (&spec, order),
                    &list,
                    &changes,
                );
                let shared = EndpointView::shared(&list, levels, most, 50, 3);
                assert_eq!(rows(&shared), rows(&written), "seed {seed}, {site:?}, {changes:?}");
                assert_eq!(shared.load(), written.load(), "seed {seed}");
                assert_eq!(shared.len(), written.len(), "seed {seed}");
                assert_eq!(shared.is_healthy(), written.is_healthy(), "seed {seed}");
                assert!(!shared.are_alike() || written.are_alike(), "seed {seed}");
            }
        }
    }
    assert_eq!(orders.len(), 2, "both orders that share: {orders:?}");
}
