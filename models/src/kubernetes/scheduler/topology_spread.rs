//! Prefers topology domains with few pods of the same kind (`PodTopologySpread`, `ScheduleAnyway`).
//!
//! # Models
//! The raw score of a node is the rounded sum over the constraints of
//! pods in its domain x ln(domains + 2) + maxSkew - 1, and the score 100 x (max + min - raw) / max,
//! cut. Domains are the label values of the candidates, but pods on other nodes of such a domain
//! count too. Hosts are counted node by node, and their number is that of the candidates.
//! With constraints of the pod's own, a node without all keys is left out of counts and scores 0.
//! With the system defaults a missing label is one more domain, which adds nothing to the score.
//!
//! # Assumptions
//! Node affinity and taints are not looked at: pods of every node that has the keys count.
//!
//! # Source
//! kubernetes/kubernetes `pkg/scheduler/framework/plugins/podtopologyspread/scoring.go`; system
//! defaults in `plugin.go`.

use super::MAX_NODE_SCORE;
use meshsim_core::elementary::ln;
use std::collections::BTreeMap;

/// The label that names a node.
pub const HOSTNAME: &str = "kubernetes.io/hostname";
/// The label that names a node's zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// Labels of a node.
pub type Labels = BTreeMap<String, String>;

/// A constraint of the kind `ScheduleAnyway`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// The label whose values are domains.
    pub topology_key: String,
    /// How many pods a domain may have more than another before it matters; at least 1.
    pub max_skew: u32,
}

/// Where constraints come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintOrigin {
    /// The pod, or a configured list: every node must have all keys.
    Own,
    /// The system defaults: none must.
    SystemDefaults,
}

/// What the plugin sees of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpreadNode<'a> {
    /// Its labels.
    pub labels: &'a Labels,
    /// Whether it passed the filters.
    pub candidate: bool,
    /// Per constraint, the running pods on it that the constraint's selector matches.
    pub matching: &'a [u32],
}

/// The score of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpreadScore {
    /// Before it is normalized: smaller is better; 0 for a node that is left out.
    pub raw: u64,
    /// 0 to 100.
    pub score: u64,
}

/// What is known of a constraint over all nodes.
struct Domains<'a> {
    /// Pods per label value of the candidates; empty for hosts.
    pods: BTreeMap<&'a str, u64>,
    weight: f64,
}

impl Constraint {
    fn of_hosts(&self) -> bool {
        self.topology_key == HOSTNAME
    }
}

impl SpreadNode<'_> {
    fn counts(&self, constraints: &[Constraint], origin: ConstraintOrigin) -> bool {
        let has = |constraint: &Constraint| self.labels.contains_key(&constraint.topology_key);
        origin == ConstraintOrigin::SystemDefaults || constraints.iter().all(has)
    }
}

/// Hosts with a skew of 3 and zones with 5: for pods of a Service or a workload that have no
/// constraints of their own.
#[must_use]
pub fn system_defaults() -> [Constraint; 2] {
    [(HOSTNAME, 3), (ZONE, 5)].map(|(key, max_skew)| Constraint { topology_key: key.to_owned(), max_skew })
}

/// The scores of the candidates, in their order; nothing where the plugin is skipped because there
/// is no constraint.
#[must_use]
pub fn score(
    constraints: &[Constraint],
    origin: ConstraintOrigin,
    nodes: &[SpreadNode<'_>],
) -> Option<Vec<SpreadScore>> {
    if constraints.is_empty() {
        return None;
    }
    let counted: Vec<_> = nodes.iter().filter(|node| node.counts(constraints, origin)).collect();
    let domains: Vec<_> = constraints
        .iter()
        .enumerate()
        .map(|(index, constraint)| domains(constraint, index, &counted))
        .collect();
    let raw = |node: &SpreadNode<'_>| {
        node.counts(constraints, origin).then(|| raw_score(constraints, &domains, node))
    };
    let raw: Vec<_> = nodes.iter().filter(|node| node.candidate).map(raw).collect();
    Some(normalized(&raw))
}

fn domains<'a>(constraint: &Constraint, index: usize, nodes: &[&SpreadNode<'a>]) -> Domains<'a> {
    let candidates = || nodes.iter().filter(|node| node.candidate);
    if constraint.of_hosts() {
        return Domains { pods: BTreeMap::new(), weight: weight(candidates().count()) };
    }
    let value = |node: &SpreadNode<'a>| node.labels.get(&constraint.topology_key).map_or("", String::as_str);
    let mut pods: BTreeMap<_, _> = candidates().map(|node| (value(node), 0)).collect();
    for node in nodes {
        if let Some(pods) = pods.get_mut(value(node)) {
            *pods += u64::from(node.matching[index]);
        }
    }
    let weight = weight(pods.len());
    Domains { pods, weight }
}

/// So that constraints with few domains are not drowned by those with many.
fn weight(domains: usize) -> f64 {
    ln((domains + 2) as f64)
}

fn raw_score(constraints: &[Constraint], domains: &[Domains<'_>], node: &SpreadNode<'_>) -> u64 {
    let mut sum = 0.0;
    for (index, (constraint, domains)) in constraints.iter().zip(domains).enumerate() {
        let Some(value) = node.labels.get(&constraint.topology_key) else { continue };
        let pods = if constraint.of_hosts() {
            u64::from(node.matching[index])
        } else {
            domains.pods.get(value.as_str()).copied().unwrap_or(0)
        };
        sum += pods as f64 * domains.weight + (f64::from(constraint.max_skew) - 1.0);
    }
    sum.round() as u64
}

/// Absent: a node that is left out.
fn normalized(raw: &[Option<u64>]) -> Vec<SpreadScore> {
    let known = || raw.iter().copied().flatten();
    let (min, max) = (known().min().unwrap_or(0), known().max().unwrap_or(0));
    let score = |raw: u64| {
        let score = (MAX_NODE_SCORE * (max + min - raw)).checked_div(max);
        SpreadScore { raw, score: score.unwrap_or(MAX_NODE_SCORE) }
    };
    raw.iter().map(|raw| raw.map_or(SpreadScore { raw: 0, score: 0 }, score)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraint(key: &str, max_skew: u32) -> Constraint {
        Constraint { topology_key: key.to_owned(), max_skew }
    }

    fn labels(of: &[(&str, &str)]) -> Labels {
        of.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn host(name: &str, zone: &str) -> Labels {
        labels(&[(HOSTNAME, name), (ZONE, zone)])
    }

    fn node<'a>(labels: &'a Labels, matching: &'a [u32]) -> SpreadNode<'a> {
        SpreadNode { labels, candidate: true, matching }
    }

    fn scores(constraints: &[Constraint], origin: ConstraintOrigin, nodes: &[SpreadNode<'_>]) -> Vec<u64> {
        score(constraints, origin, nodes).unwrap().iter().map(|it| it.score).collect()
    }

    #[test]
    fn the_host_with_the_fewest_pods_is_the_best() {
        let hosts = ["a", "b", "c", "d"].map(|name| host(name, "z"));
        let pods = [[2], [1], [0], [3]];
        let nodes: Vec<_> = hosts.iter().zip(&pods).map(|(host, pods)| node(host, pods)).collect();
        assert_eq!(scores(&[constraint(HOSTNAME, 1)], ConstraintOrigin::Own, &nodes), [20, 60, 100, 0]);
    }

    #[test]
    fn pods_of_nodes_that_were_filtered_out_count_in_their_domain() {
        let hosts = [host("a", "1"), host("b", "1"), host("x", "2"), host("y", "2")];
        let pods = [[4], [2], [1], [3]];
        let mut nodes: Vec<_> = hosts.iter().zip(&pods).map(|(host, pods)| node(host, pods)).collect();
        nodes[3].candidate = false;
        assert_eq!(scores(&[constraint(ZONE, 1)], ConstraintOrigin::Own, &nodes), [75, 75, 100]);
    }

    #[test]
    fn own_constraints_leave_out_nodes_without_their_keys() {
        let (a, b, x) = (host("a", "1"), labels(&[(ZONE, "1")]), host("x", "2"));
        let nodes = [node(&a, &[4]), node(&b, &[2]), node(&x, &[1])];
        assert_eq!(scores(&[constraint(HOSTNAME, 1)], ConstraintOrigin::Own, &nodes), [16, 0, 100]);
    }

    #[test]
    fn the_system_defaults_take_a_missing_label_for_a_domain_that_adds_nothing() {
        let (a, b) = (host("a", "1"), labels(&[(HOSTNAME, "b")]));
        let nodes = [node(&a, &[1, 1]), node(&b, &[1, 1])];
        let found = score(&system_defaults(), ConstraintOrigin::SystemDefaults, &nodes).unwrap();
        // ln 4 + 2 and, for the zone, ln 4 + 4.
        assert_eq!([found[0].raw, found[1].raw], [9, 3]);
        assert_eq!([found[0].score, found[1].score], [33, 100]);
    }

    #[test]
    fn nothing_anywhere_is_as_good_as_it_gets() {
        let (a, b) = (host("a", "1"), host("b", "2"));
        let nodes = [node(&a, &[0]), node(&b, &[0])];
        assert_eq!(scores(&[constraint(HOSTNAME, 1)], ConstraintOrigin::Own, &nodes), [100, 100]);
        assert_eq!(score(&[], ConstraintOrigin::Own, &nodes), None);
    }
}
