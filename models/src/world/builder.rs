//! Makes a description step by step: clusters, links, services, their calls, pods and users, each with the
//! defaults of `description`.
//!
//! What is said of few is changed in what a step returns or in the description, whose members are all public:
//! limits, data plane, costs, faults.

use super::description::{
    CellSettings, ClusterSpec, DEFAULT_ACCESS_BANDWIDTH, DEFAULT_LOCAL_BANDWIDTH, DEFAULT_LOCAL_DELAY,
    DEFAULT_MTU, DEFAULT_SEED, DEFAULT_USERS, Deployment, Description, GatewaySettings, HostSpec, LinkSpec,
    MeshSettings, NodeSpec, ServiceSettings,
};
use crate::application::call_graph::{Application, Call, Endpoint, Group, Service};
use crate::application::internal_service::InternalService;
use crate::ids::{ClusterId, ServiceId};
use crate::istiod::failover_priority::Labels;
use crate::istiod::locality_priority::Locality;
use crate::kubernetes::settings::KubernetesSettings;
use crate::network::path::Path;
use crate::network::tcp::TcpSettings;
use crate::users::arrivals::Arrivals;
use crate::users::population::{OnIngressLoss, Population};
use crate::users::requests::Requests;
use meshsim_core::{Id, SimDuration, Table};

impl Description {
    /// Nothing, for so long, without a warm-up.
    #[must_use]
    pub fn new(duration: SimDuration) -> Self {
        Self {
            seed: DEFAULT_SEED,
            warm_up: SimDuration::ZERO,
            duration,
            application: Application::default(),
            cell: CellSettings::default(),
            hosts: Table::new(),
            clusters: Table::new(),
            links: Vec::new(),
            federation: None,
            deployments: Vec::new(),
            mesh: MeshSettings::default(),
            services: Table::new(),
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
            kubernetes: KubernetesSettings::default(),
            istiod: None,
            observability: None,
            time_series: None,
            scraped_every: None,
            offloading: None,
            keeps_decisions: false,
            costs: None,
        }
    }

    /// Adds a cluster of one node, on a machine of its own with so many `cores`. Its zone has its name.
    pub fn add_cluster(&mut self, name: &str, cores: f64) -> ClusterId {
        let host = self.hosts.push(HostSpec { name: name.to_owned(), cores });
        let locality = Locality { zone: name.to_owned(), ..Locality::default() };
        self.clusters.push(ClusterSpec {
            name: name.to_owned(),
            nodes: vec![NodeSpec::new(host, locality)],
            labels: Labels::new(),
            local_delay: DEFAULT_LOCAL_DELAY,
            local_bits_per_second: DEFAULT_LOCAL_BANDWIDTH.0,
            mtu: DEFAULT_MTU,
            tcp: TcpSettings::default(),
        })
    }

    /// Adds a link between two clusters, of `bits_per_second` in each direction, which is named after both.
    /// The round trip is at least two nanoseconds.
    pub fn add_link(
        &mut self,
        between: [ClusterId; 2],
        round_trip: SimDuration,
        bits_per_second: f64,
    ) -> &mut LinkSpec {
        let [a, b] = between.map(|it| &self.clusters[it].name);
        let link = LinkSpec {
            name: format!("{a}-{b}"),
            between,
            round_trip,
            jitter: SimDuration::ZERO,
            bits_per_second,
            mtu: DEFAULT_MTU,
            tunnel_overhead: 0,
            loss: 0.0,
        };
        pushed(&mut self.links, link)
    }

    /// Adds a version of a service: a Deployment of its own, which does the same behind the same Service, with these labels.
    pub fn add_version(&mut self, of: ServiceId, name: &str, labels: Labels) -> ServiceId {
        self.application.add_like(of, name);
        let protocol = self.services[of].protocol;
        let version_of = Some(of);
        self.services.push(ServiceSettings { protocol, labels, version_of, ..ServiceSettings::default() })
    }

    /// Adds a service with one endpoint, which runs `internal` and then makes the service's calls.
    pub fn add_service(&mut self, name: &str, internal: InternalService) -> ServiceId {
        let service = ServiceId::from_index(self.application.services.len());
        let endpoint = self.application.endpoints.push(Endpoint::new(service, internal));
        self.application.services.push(Service::new(name, endpoint));
        self.services.push(ServiceSettings::default())
    }

    /// Lets a service call another with a `probability` of 0 to 1, after the calls that it has already.
    pub fn add_call(&mut self, from: ServiceId, to: ServiceId, probability: f64) {
        let [from, endpoint] = [from, to].map(|it| self.application.services[it].endpoint);
        let groups = &mut self.application.endpoints[from].groups;
        if groups.is_empty() {
            groups.push(Group::in_turn([]));
        }
        let coin = groups[0].calls.len() as u16;
        groups[0].calls.push(Call { endpoint, coin, probability });
    }

    /// Adds pods of a service to a cluster, without a CPU limit.
    pub fn add_pods(&mut self, service: ServiceId, cluster: ClusterId, replicas: u32) -> &mut Deployment {
        let pods = Deployment { service, cluster, replicas, cpu_limit: None, weight: 1 };
        pushed(&mut self.deployments, pods)
    }

    /// Adds users beside a cluster's gateway, who request a service. They are named after the cluster.
    pub fn add_users(
        &mut self,
        cluster: ClusterId,
        service: ServiceId,
        arrivals: Arrivals,
    ) -> &mut Population {
        let access = Path {
            round_trip: SimDuration::ZERO,
            one_way: SimDuration::ZERO,
            bits_per_second: DEFAULT_ACCESS_BANDWIDTH.0,
            mtu: DEFAULT_MTU,
            tunnel_overhead: 0,
        };
        let users = Population {
            name: self.clusters[cluster].name.clone(),
            cluster,
            requests: Requests::only(self.application.services[service].endpoint),
            users: DEFAULT_USERS,
            arrivals,
            access,
            headers: Vec::new(),
            personal: Vec::new(),
            reconnects_after: None,
            counts_session_moves: false,
            moves: Vec::new(),
            timeout: None,
            retries: None,
            requests_each: None,
            on_ingress_loss: OnIngressLoss::Fail,
        };
        pushed(&mut self.populations, users)
    }
}

fn pushed<T>(list: &mut Vec<T>, item: T) -> &mut T {
    let at = list.len();
    list.push(item);
    &mut list[at]
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::*;
    use crate::units::Cores;
    use meshsim_core::RunControl;

    /// Half of the requests find what they ask for 40 ms away, and nothing else takes time.
    #[test]
    fn what_is_built_runs() {
        let mut description = Description::new(SimDuration::from_secs(1_000));
        let [edge, cloud] = ["edge", "cloud"].map(|name| description.add_cluster(name, 4.0));
        description.add_link([edge, cloud], SimDuration::from_millis(40), 1e9);
        let front = description.add_service("front", InternalService::idle());
        let back = description.add_service("back", InternalService::idle());
        description.add_call(front, back, 0.5);
        description.add_pods(front, edge, 1);
        description.add_pods(back, cloud, 1).cpu_limit = Some(Cores(1.0));
        description.add_users(edge, front, Arrivals::Constant { per_second: 1.0 }).users = 1;
        assert_eq!((&*description.links[0].name, &*description.populations[0].name), ("edge-cloud", "edge"));
        let mut world = World::new(&description, 0);
        world.run(&mut RunControl::until(description.end()));
        let record = world.finish();
        let ended: Vec<f64> =
            record.requests.iter().filter_map(|it| Some(it.end?.latency.as_millis_f64())).collect();
        assert!((998..=1_000).contains(&ended.len()));
        let far = ended.iter().filter(|it| **it > 40.0).count() as f64;
        assert!((far - 500.0).abs() < 5.0 * 250.0_f64.sqrt(), "{far} calls");
        // The first pays for connections: three more round trips, and the handshake's CPU time.
        assert!(ended.iter().all(|it| (2.0..40.0).contains(it) || (42.0..140.0).contains(it)), "{ended:?}");
    }
}
