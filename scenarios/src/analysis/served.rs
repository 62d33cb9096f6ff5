//! Who served which calls, and what proxies counted about them, by name.

use crate::experiment::replication::Figures;
use meshsim_core::Id;
use meshsim_models::ids::ClusterId;
use meshsim_models::sparse_table::SparseTable;
use meshsim_models::telemetry::metrics::Counter;
use meshsim_models::world::description::Description;
use std::collections::BTreeMap;

/// A figure of each service's calls in each cluster, from their count and that of all clusters.
pub(super) fn served(
    description: &Description,
    figures: &[&Figures],
    of: &dyn Fn(f64, f64) -> f64,
) -> BTreeMap<String, BTreeMap<String, f64>> {
    let mut table = BTreeMap::new();
    for (s, service) in description.application.services.iter().enumerate() {
        let count = |c: usize| figures.iter().flat_map(|f| &f.served[c][s]).sum::<u64>() as f64;
        let total: f64 = (0..description.clusters.len()).map(count).sum();
        if total > 0.0 {
            let row = description.clusters.iter().enumerate();
            let row = row.map(|(c, spec)| (spec.name.clone(), of(count(c), total))).collect();
            table.insert(service.name.clone(), row);
        }
    }
    table
}

/// Attempts per user request, by the cluster of the client and that of the chosen pod; what is zero is left out.
pub(super) fn sent(
    description: &Description,
    figures: &[&Figures],
) -> BTreeMap<String, BTreeMap<String, f64>> {
    let offered = figures.iter().map(|f| f.counts.offered).sum::<u64>().max(1) as f64;
    let mut table: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for (from, client) in description.clusters.iter().enumerate() {
        let mut counts: SparseTable<ClusterId, u64> = SparseTable::new();
        for (to, &count) in figures.iter().flat_map(|f| f.sent[from].iter()) {
            *counts.or_default(to) += count;
        }
        for (to, &count) in counts.iter() {
            let row = table.entry(client.name.clone()).or_default();
            row.insert(description.clusters[to].name.clone(), count as f64 / offered);
        }
    }
    table
}

/// Calls per second of each pod.
pub(super) fn served_by_pod(
    description: &Description,
    figures: &[&Figures],
    seconds: f64,
) -> BTreeMap<String, BTreeMap<String, Vec<f64>>> {
    let mut table: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    let at_start: BTreeMap<(usize, usize), usize> = description
        .deployments
        .iter()
        .map(|it| ((it.service.index(), it.cluster.index()), it.replicas as usize))
        .collect();
    for (s, service) in description.application.services.iter().enumerate() {
        for (c, cluster) in description.clusters.iter().enumerate() {
            // How many pods are made may differ between replications; those that never served say nothing.
            let pods = figures.iter().map(|f| f.served[c][s].len()).max().unwrap_or(0);
            let served = |f: &Figures, pod: usize| f.served[c][s].get(pod).copied().unwrap_or(0);
            let used = |pod: &usize| figures.iter().any(|f| served(f, *pod) > 0);
            let replicas = at_start.get(&(s, c)).copied().unwrap_or(0);
            let pods = (0..pods).rfind(used).map_or(replicas, |last| replicas.max(last + 1));
            let rate = |pod| figures.iter().map(|f| served(f, pod)).sum::<u64>() as f64 / seconds;
            if pods > 0 {
                let row = table.entry(service.name.clone()).or_default();
                row.insert(cluster.name.clone(), (0..pods).map(rate).collect());
            }
        }
    }
    table
}

/// What proxies counted, where it is not zero.
pub(super) fn proxy_counters(
    description: &Description,
    figures: &[&Figures],
) -> BTreeMap<String, BTreeMap<String, BTreeMap<&'static str, u64>>> {
    let mut table: BTreeMap<String, BTreeMap<String, BTreeMap<&'static str, u64>>> = BTreeMap::new();
    for (c, cluster) in description.clusters.iter().enumerate() {
        for (s, service) in description.application.services.iter().enumerate() {
            for (index, counter) in Counter::ALL.into_iter().enumerate() {
                let count: u64 = figures.iter().map(|f| f.counters[c][s][index]).sum();
                if count > 0 {
                    let of_cluster = table.entry(cluster.name.clone()).or_default();
                    of_cluster.entry(service.name.clone()).or_default().insert(counter.name(), count);
                }
            }
        }
    }
    table
}
