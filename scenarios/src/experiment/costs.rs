//! What a replication costs, where prices, power or carbon are described.
//!
//! # Models
//! What `models::cost` says of rates per hour and per million requests, over the reported time: pods pay for what they request from the moment at
//! which a node takes them to their end; CPU, traffic and load are the run's. Of carbon by the hour of the day each hour has its own
//! energy.
//! What proxies cost of it: their requests, and what those use that have none; of power, their share of what load adds to idle.
//!
//! # Assumptions
//! - CPU is known by slices of a two-hundredth of the run: where carbon changes by the hour, a slice that an hour ends in
//!   counts for the hour before.
//! - Bytes on links spread evenly over the reported time.
//! - Pods of several Deployments of a service in a cluster are counted with the first.

use meshsim_core::{SimTime, Table};
use meshsim_models::cost::carbon::{CarbonIntensity, hours};
use meshsim_models::cost::{Basis, CostSettings, Prices};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::kubernetes::scheduler::resources::{Resource, ResourceList};
use meshsim_models::telemetry::control_log::{PodRecord, PodStep};
use meshsim_models::telemetry::link_traffic::LinkBytes;
use meshsim_models::telemetry::pod_cpu::PodCpu;
use meshsim_models::world::Record;
use meshsim_models::world::description::{Deployment, Description};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a replication came to cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Of each cluster with prices, in order.
    pub priced: Vec<Priced>,
    /// Of each cluster whose nodes have a power, in order.
    pub powered: Vec<Powered>,
    /// Of each of these whose electricity has carbon, in order (g of CO2 equivalents per hour).
    pub carbon: Vec<f64>,
    /// Of all links whose energy is known (W).
    pub network_watts: f64,
    /// Of these, as far as carbon is known (g per hour).
    pub network_carbon: f64,
    /// All of it, per million requests that arrived.
    pub per_million: PerMillion,
}

/// What is paid for a cluster per hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Priced {
    /// All of it.
    pub all: f64,
    /// What leaves and comes in over links.
    pub traffic: f64,
    /// Proxies.
    pub proxies: f64,
}

/// What the nodes of a cluster take (W).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Powered {
    /// All of it.
    pub all: f64,
    /// What proxies add.
    pub proxies: f64,
}

/// All of it, per million requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PerMillion {
    /// What is paid.
    pub price: f64,
    /// Energy (Wh).
    pub energy: f64,
    /// Carbon (g).
    pub carbon: f64,
}

/// A replication that is over.
#[derive(Clone, Copy)]
pub(super) struct Measured<'a> {
    pub(super) description: &'a Description,
    pub(super) record: &'a Record,
    /// What pods had used when the reported time began.
    pub(super) used_before: &'a Table<ClusterId, Vec<PodCpu>>,
    /// Requests that arrived in it.
    pub(super) offered: u64,
}

const GB: f64 = 1e9;
const GIB: f64 = (1_u64 << 30) as f64;

/// Nothing where nothing is described.
pub(super) fn costs(measured: &Measured<'_>) -> Option<Costs> {
    let settings = measured.description.costs.as_ref()?;
    let (cut, end) = (SimTime::ZERO + measured.description.warm_up, measured.record.end);
    let hours_reported = (end - cut).as_secs_f64() / 3_600.0;
    let pieces: Vec<[SimTime; 2]> =
        if settings.varies() { hours(settings.begins, cut, end).collect() } else { vec![[cut, end]] };
    let mut costs = Costs::default();
    for (cluster, of) in settings.clusters.enumerate() {
        if let Some(prices) = &of.prices {
            costs.priced.push(measured.priced(cluster, prices, hours_reported));
        }
        let Some(curves) = &of.power else { continue };
        let (mut watts, mut proxies, mut carbon) = (0.0, 0.0, 0.0);
        let cores: f64 = measured.cores(cluster).sum();
        for &[from, to] in &pieces {
            let share = (to - from).as_secs_f64() / (end - cut).as_secs_f64();
            let used = measured.used_between(cluster, from, to);
            let load = used.all / (to - from).as_secs_f64() / cores;
            let power: f64 = curves.iter().map(|it| it.at(load)).sum();
            let idle: f64 = curves.iter().map(|it| it.at(0.0)).sum();
            watts += share * power;
            proxies += share * (power - idle) * if used.all > 0.0 { used.proxies / used.all } else { 0.0 };
            let grams = of.carbon.as_ref().map_or(0.0, |it| it.at(settings.begins, from));
            carbon += share * power / 1e3 * grams;
        }
        costs.powered.push(Powered { all: watts, proxies });
        costs.carbon.extend(of.carbon.as_ref().map(|_| carbon));
    }
    for (number, link) in (0..).zip(&settings.links) {
        let Some(energy) = link.energy_per_gb else { continue };
        let carried = measured.record.links.iter().filter(|it| it.link == number).map(LinkBytes::all);
        let watts = carried.sum::<u64>() as f64 / GB * energy / hours_reported;
        costs.network_watts += watts;
        let ends = measured.description.links[number as usize].between;
        let grams = mean_intensity(settings, link.carbon.as_ref(), ends, &pieces);
        costs.network_carbon += watts / 1e3 * grams;
    }
    let millions_per_hour = measured.offered as f64 / 1e6 / hours_reported;
    costs.per_million = PerMillion {
        price: costs.priced.iter().map(|it| it.all).sum::<f64>() / millions_per_hour,
        energy: (costs.powered.iter().map(|it| it.all).sum::<f64>() + costs.network_watts)
            / millions_per_hour,
        carbon: (costs.carbon.iter().sum::<f64>() + costs.network_carbon) / millions_per_hour,
    };
    Some(costs)
}

/// Of a link's electricity, in the mean over the reported time: its own, or that of the ends of which it is known.
fn mean_intensity(
    settings: &CostSettings,
    own: Option<&CarbonIntensity>,
    ends: [ClusterId; 2],
    pieces: &[[SimTime; 2]],
) -> f64 {
    let mean = |of: &CarbonIntensity| {
        let weighted = |[from, to]: &[SimTime; 2]| {
            let seconds = (*to - *from).as_secs_f64();
            [seconds, seconds * of.at(settings.begins, *from)]
        };
        let sums =
            pieces.iter().map(weighted).fold([0.0, 0.0], |sums, it| [sums[0] + it[0], sums[1] + it[1]]);
        sums[1] / sums[0]
    };
    if let Some(own) = own {
        return mean(own);
    }
    let known: Vec<f64> =
        ends.iter().filter_map(|&end| settings.clusters[end].carbon.as_ref()).map(mean).collect();
    if known.is_empty() { 0.0 } else { known.iter().sum::<f64>() / known.len() as f64 }
}

/// CPU time (s).
#[derive(Clone, Copy, Default)]
struct Used {
    all: f64,
    /// Of sidecars, ingress gateways, waypoints and ztunnels.
    proxies: f64,
}

impl Measured<'_> {
    /// What a cluster used, whoever asked for it.
    fn used_between(&self, cluster: ClusterId, from: SimTime, to: SimTime) -> Used {
        let [from, to] = [from, to].map(|at| {
            let sum = self.record.metrics_from(cluster, at);
            let proxies = sum.proxy_cpu_seconds;
            let all = sum.cell_cpu_seconds() + proxies + sum.gateway_cpu_seconds + sum.istiod_cpu_seconds;
            Used { all, proxies }
        });
        Used { all: from.all - to.all, proxies: from.proxies - to.proxies }
    }

    /// The cores of a cluster's nodes.
    fn cores(&self, cluster: ClusterId) -> impl Iterator<Item = f64> {
        let description = self.description;
        description.clusters[cluster].nodes.iter().map(|node| description.hosts[node.host].cores)
    }

    fn priced(&self, cluster: ClusterId, prices: &Prices, hours: f64) -> Priced {
        let cut = SimTime::ZERO + self.description.warm_up;
        let price = |requests: &ResourceList| {
            let memory = requests.amount(Resource::MEMORY) as f64 / GIB * prices.gib_hour;
            match prices.basis {
                Basis::Requested => memory + requests.amount(Resource::CPU) as f64 / 1e3 * prices.core_hour,
                Basis::Used => memory,
            }
        };
        let (mut applications, mut sidecars) = (0.0, 0.0);
        let mut counted: BTreeSet<ServiceId> = BTreeSet::new();
        for it in self.description.deployments.iter().filter(|it| it.cluster == cluster) {
            let is_outside = self.description.services[it.service].external;
            if is_outside || !counted.insert(it.service) {
                continue;
            }
            let pods = held(it, &self.record.control[cluster].pods, cut, self.record.end);
            let workload = self.description.kubernetes.workload(it.service);
            applications += pods * price(&workload.application);
            if self.description.is_injected(it.service) {
                sidecars += pods * price(&workload.sidecar);
            }
        }
        let used = self.used_between(cluster, cut, self.record.end);
        // What has no request is paid for as it is used.
        let used_proxies = match prices.basis {
            Basis::Requested => used.proxies - self.used_by_sidecars(cluster),
            Basis::Used => used.proxies,
        };
        let cells = match prices.basis {
            Basis::Requested => 0.0,
            Basis::Used => self.record.metrics_from(cluster, cut).cell_cpu_seconds(),
        };
        let cells_and_control = cells + self.used_by_control(cluster, cut);
        let cpu = |seconds: f64| seconds / 3_600.0 / hours * prices.core_hour;
        let proxies = sidecars + cpu(used_proxies.max(0.0));
        let traffic = self.traffic(cluster, prices) / hours;
        Priced { all: applications + proxies + cpu(cells_and_control) + traffic, traffic, proxies }
    }

    /// CPU time of gateways between clusters and of istiod (s).
    fn used_by_control(&self, cluster: ClusterId, cut: SimTime) -> f64 {
        let sum = self.record.metrics_from(cluster, cut);
        sum.gateway_cpu_seconds + sum.istiod_cpu_seconds
    }

    /// CPU time that a cluster's sidecars used in the reported time (s).
    fn used_by_sidecars(&self, cluster: ClusterId) -> f64 {
        let before = |slot: usize| self.used_before[cluster].get(slot).map_or(0.0, |it| it.sidecar);
        let used = self.record.pod_cpu[cluster].iter().enumerate();
        used.map(|(slot, it)| it.sidecar - before(slot)).sum()
    }

    /// What is paid for all that leaves a cluster and comes in over links.
    fn traffic(&self, cluster: ClusterId, prices: &Prices) -> f64 {
        let price = |gb: f64, leaves: bool| gb * if leaves { prices.egress_gb } else { prices.ingress_gb };
        let of_cluster = self
            .record
            .links
            .iter()
            .filter(|it| self.description.links[it.link as usize].between.contains(&cluster));
        of_cluster.map(|it| price(it.all() as f64 / GB, it.from == cluster)).sum()
    }
}

/// Pods of a Deployment that have a node of their own cluster, in the mean from a moment to another.
fn held(deployment: &Deployment, log: &[PodRecord], from: SimTime, to: SimTime) -> f64 {
    let records = || log.iter().filter(|it| it.service == deployment.service);
    // Those that found no node at the start were made then.
    let waits = |it: &&PodRecord| {
        it.at == SimTime::ZERO && it.step == PodStep::Created && it.ordinal < deployment.replicas
    };
    let at_start = f64::from(deployment.replicas - records().filter(waits).count() as u32);
    let after = |at: SimTime| (to - at.max(from).min(to)).as_secs_f64();
    let mut bound: BTreeSet<(u32, u32)> = BTreeSet::new();
    let mut seconds = at_start * after(SimTime::ZERO);
    for it in records() {
        let pod = (it.ordinal, it.generation);
        match it.step {
            PodStep::Scheduled(_) if bound.insert(pod) => seconds += after(it.at),
            // The first generation had a node from the start.
            PodStep::Ended(_) if bound.remove(&pod) || it.generation == 0 => seconds -= after(it.at),
            _ => {}
        }
    }
    seconds / (to - from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::{Id, SimDuration};

    fn step(seconds: u64, ordinal: u32, generation: u32, step: PodStep) -> PodRecord {
        let at = SimTime::ZERO + SimDuration::from_secs(seconds);
        PodRecord { at, service: ServiceId::from_index(0), ordinal, generation, step }
    }

    #[test]
    fn pods_are_paid_for_from_their_node_to_their_end() {
        let cluster = ClusterId::from_index(0);
        let deployment = Deployment {
            service: ServiceId::from_index(0),
            cluster,
            replicas: 2,
            cpu_limit: None,
            weight: 1,
        };
        let log = [
            step(20, 2, 1, PodStep::Created),
            step(60, 2, 1, PodStep::Scheduled(0)),
            step(70, 0, 0, PodStep::Deleted),
            step(80, 0, 0, PodStep::Ended(0)),
            step(90, 3, 1, PodStep::Offloaded(1)),
        ];
        let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
        // 2 for ten seconds, 3 for twenty, 2 for twenty.
        assert!((held(&deployment, &log, at(50), at(100)) - 120.0 / 50.0).abs() < 1e-12);
        assert!((held(&deployment, &[], at(50), at(100)) - 2.0).abs() < 1e-12);
        let waits = [step(0, 1, 1, PodStep::Created), step(75, 1, 1, PodStep::Scheduled(0))];
        assert!((held(&deployment, &waits, at(50), at(100)) - 1.5).abs() < 1e-12);
    }
}
