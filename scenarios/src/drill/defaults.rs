//! What holds in a drill where a scenario says nothing of what joins and steers its clusters.
//!
//! # Models
//! A drill asks who notices a failure, and how long that takes; so where a scenario has no `federation` its clusters are
//! joined by Liqo, and where it has no `[istiod]` that is one in the consumer, each with its defaults, as FLUIDOS-MESH has
//! them. The consumer is the cluster with the most links, of equals the one with the most cores, then the first.
//!
//! # Assumptions
//! - Each link has a peering over it; of its two ends the one nearer to the consumer consumes.
//! - Pods stay where their cluster has them: nothing is offloaded that the scenario does not offload.

use meshsim_core::Id;
use meshsim_models::ids::ClusterId;
use meshsim_models::istiod::settings::IstiodSettings;
use meshsim_models::liqo::gateway::GatewayCost;
use meshsim_models::liqo::settings::{LiqoSettings, Peering};
use meshsim_models::world::description::{DataPlane, Description, Federation};
use std::cmp::Reverse;

/// Adds what a description does not say, and says so.
pub(super) fn add(description: &mut Description) -> Vec<String> {
    let mut notes = Vec::new();
    let consumer = consumer(description);
    let name = description.clusters[consumer].name.clone();
    let is_one_of_several = description.clusters.len() > 1 && !description.links.is_empty();
    if description.federation.is_none() && is_one_of_several {
        description.federation = Some(Federation::Liqo(liqo(description, consumer)));
        notes.push(format!(
            "the scenario has no federation: its clusters are joined by Liqo here, with Liqo's defaults and `{name}` as \
             consumer"
        ));
    }
    if description.istiod.is_none() && description.mesh.data_plane != DataPlane::None {
        let cluster = Some(consumer).filter(|_| is_one_of_several);
        description.istiod = Some(IstiodSettings { cluster, ..IstiodSettings::default() });
        notes.push(format!(
            "the scenario has no [istiod]: its defaults hold here (debounce of 100 ms, 2 cores, the only one in `{name}`), \
             so pushes take time"
        ));
    }
    notes
}

/// The cluster whose pods the others would run.
fn consumer(description: &Description) -> ClusterId {
    let links = |cluster| description.links.iter().filter(|it| it.between.contains(&cluster)).count();
    let cores = |cluster: ClusterId| {
        let nodes = description.clusters[cluster].nodes.iter();
        nodes.map(|it| description.hosts[it.host].cores as u64).sum::<u64>()
    };
    let best = description.clusters.ids().max_by_key(|&it| (links(it), cores(it), Reverse(it)));
    best.unwrap_or(ClusterId(0))
}

/// A peering over each link.
fn liqo(description: &Description, consumer: ClusterId) -> LiqoSettings {
    // How far each cluster is from the consumer, in links.
    let mut far = vec![usize::MAX; description.clusters.len()];
    far[consumer.index()] = 0;
    for _ in 0..description.clusters.len() {
        for link in &description.links {
            let [a, b] = link.between.map(Id::index);
            let near = far[a].min(far[b]).saturating_add(1);
            (far[a], far[b]) = (far[a].min(near), far[b].min(near));
        }
    }
    let mut peerings: Vec<Peering> = Vec::new();
    for link in &description.links {
        let mut ends = link.between;
        ends.sort_by_key(|it| (far[it.index()], *it));
        let [consumer, provider] = ends;
        if !peerings.iter().any(|it| (it.consumer, it.provider) == (consumer, provider)) {
            peerings.push(Peering::new(&link.name, consumer, provider));
        }
    }
    let gateways = description.clusters.iter().map(|_| GatewayCost::default()).collect();
    LiqoSettings { peerings, gateways, offloading: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::SimDuration;

    #[test]
    fn the_hub_consumes_and_has_the_istiod() {
        let mut description = Description::new(SimDuration::from_secs(10));
        let [edge1, cloud, edge2, far] = [("edge1", 4.0), ("cloud", 8.0), ("edge2", 4.0), ("far", 4.0)]
            .map(|(name, cores)| description.add_cluster(name, cores));
        for between in [[edge1, cloud], [cloud, edge2], [far, edge2]] {
            description.add_link(between, SimDuration::from_millis(10), 1e9);
        }
        let notes = add(&mut description);
        assert!(notes.len() == 2 && notes[0].contains("`cloud` as consumer"), "{notes:?}");
        let liqo = description.liqo().unwrap();
        let ends: Vec<_> = liqo.peerings.iter().map(|it| [it.consumer, it.provider]).collect();
        assert_eq!(ends, [[cloud, edge1], [cloud, edge2], [edge2, far]]);
        assert_eq!(description.istiod.unwrap().cluster, Some(cloud));
        // What is said stays.
        assert!(add(&mut description).is_empty());
        let mut alone = Description::new(SimDuration::from_secs(10));
        alone.add_cluster("alone", 4.0);
        assert_eq!(add(&mut alone).len(), 1);
        assert!(alone.federation.is_none() && alone.istiod.unwrap().cluster.is_none());
    }
}
