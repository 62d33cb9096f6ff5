//! What the offloading controller believes of an edge: calls per request, delay, resources and cost.
//!
//! # Models
//! Every service runs in the cloud; some run at the edge too. The users enter at the edge's gateway, which stands behind
//! the last service. A call stays at the edge where the called service is there; the cloud never calls the edge. The
//! delay of a request is the sum of its calls from the edge to the cloud, each a round trip and the transfer of its
//! answer over a link that all of them share, and of what the visits take in themselves.
//!
//! # Assumptions
//! - All calls of a request come one after the other.
//! - Pods do not queue, and there are as many as their use asks for.
//!
//! # Source
//! mSvcBench/muPlacer `strategies/utils.py` (`buildFi`, `computeN`, `computeDTot`, `computeResourceShift`, `computeCost`).

/// No delay is longer (s).
const LONGEST_DELAY: f64 = 1e5;
/// What divides the transfer of an answer on a full link.
const SPREAD_OF_FULL_LINK: f64 = 1e6;

/// Which services run at the edge, by their numbers; the gateway, behind the last of them, always does.
pub type EdgeSet = Vec<bool>;

/// Prices (per core and hour, per GB and hour) of the cloud and of the edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// Of a core for an hour.
    pub cpu: f64,
    /// Of a GB of memory for an hour.
    pub memory: f64,
}

/// An application, its users at one edge and the link to the cloud. Lists of instance sets have the cloud's first, by
/// service with the gateway at their end, and then those of the edge.
#[derive(Clone, Debug)]
pub struct AnalyticModel {
    /// By caller, the gateway last: mean calls of each service per request that it serves.
    pub calls: Vec<Vec<f64>>,
    /// By service and gateway: mean size of an answer (bytes).
    pub response_bytes: Vec<f64>,
    /// By instance set: what a visit takes in itself (s).
    pub internal_delay: Vec<f64>,
    /// Of a call from the edge to the cloud (s).
    pub round_trip: f64,
    /// From the cloud to the edge (bit/s).
    pub bandwidth: f64,
    /// Requests of the users (1/s).
    pub rate: f64,
    /// By instance set: what one pod requests (cores).
    pub cpu_request: Vec<f64>,
    /// By instance set: what one pod requests (GB).
    pub memory_request: Vec<f64>,
    /// By instance set: the share of the request at which its autoscaler aims.
    pub cpu_target: Vec<f64>,
    /// Of the cloud.
    pub cloud_prices: Prices,
    /// Of the edge.
    pub edge_prices: Prices,
    /// Of a GB (1e9 bytes) from the cloud to the edge.
    pub network_price: f64,
    /// Whether a service that stands somewhere has a pod there, whatever it uses; the original's model has none at an
    /// edge that nobody calls.
    pub floors_pods: bool,
}

/// What is in use, by instance set.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// Cores.
    pub cpu: Vec<f64>,
    /// GB.
    pub memory: Vec<f64>,
}

/// What a request costs in time with some services at the edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Delay {
    /// The services at the edge, with the gateway.
    pub edge: EdgeSet,
    /// By instance set: visits per request of a user.
    pub visits: Vec<f64>,
    /// All of it (s).
    pub total: f64,
    /// What visits take in themselves (s).
    pub internal: f64,
    /// What calls over the link take (s).
    pub network: f64,
    /// What answers offer to the link (bit/s).
    pub offered: f64,
    /// What the link carries of its capacity.
    pub utilisation: f64,
}

/// What an hour costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Of pods at the edge.
    pub edge: f64,
    /// Of pods in the cloud.
    pub cloud: f64,
    /// Of the link.
    pub network: f64,
    /// Pods by instance set.
    pub replicas: Vec<f64>,
}

impl Cost {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.edge + self.cloud + self.network
    }
}

impl AnalyticModel {
    /// Services and the gateway.
    #[must_use]
    pub fn indices(&self) -> usize {
        self.calls.len()
    }

    /// The number of the gateway.
    #[must_use]
    pub fn gateway(&self) -> usize {
        self.indices() - 1
    }

    /// Nothing but the gateway at the edge.
    #[must_use]
    pub fn void_edge(&self) -> EdgeSet {
        (0..self.indices()).map(|index| index == self.gateway()).collect()
    }

    /// Whether there is a call from a service to another.
    #[must_use]
    pub fn is_called(&self, from: usize, to: usize) -> bool {
        self.calls[from][to] > 0.0
    }

    /// Whether calls go in circles, or a service calls itself.
    #[must_use]
    pub fn is_cyclic(&self) -> bool {
        let calls_itself = (0..self.indices()).any(|index| self.is_called(index, index));
        calls_itself || callers_first(&self.calls).is_none()
    }

    /// Calls between instance sets, by caller: rows of the cloud, then of the edge.
    #[must_use]
    pub fn instance_calls(&self, edge: &[bool]) -> Vec<Vec<f64>> {
        let (indices, gateway) = (self.indices(), self.gateway());
        let mut calls = vec![vec![0.0; 2 * indices]; 2 * indices];
        for (row, given) in calls.iter_mut().zip(&self.calls[..gateway]) {
            row[..gateway].copy_from_slice(&given[..gateway]);
        }
        for from in (0..indices).filter(|&from| edge[from]) {
            for (to, &given) in self.calls[from][..gateway].iter().enumerate() {
                let called = if edge[to] { indices + to } else { to };
                calls[indices + from][called] = given;
            }
        }
        calls
    }

    /// Visits per request where all services are in one cluster, by service and gateway.
    #[must_use]
    pub fn visits_in_one_cluster(&self) -> Vec<f64> {
        visits(&self.calls, self.gateway())
    }

    /// What a request takes with these services at the edge.
    #[must_use]
    pub fn delay(&self, edge: &[bool]) -> Delay {
        let indices = self.indices();
        let visits = visits(&self.instance_calls(edge), indices + self.gateway());
        // Over the link go the calls of the edge to what is not there.
        let crossing = || {
            let callers = (0..indices).filter(|&from| edge[from]);
            let called = move |from: usize| (0..indices).filter(|&to| !edge[to]).map(move |to| (from, to));
            callers.flat_map(called).filter(|&(from, to)| self.is_called(from, to))
        };
        let calls = |(from, to): (usize, usize)| visits[indices + from] * self.calls[from][to];
        let answers: f64 = crossing().map(|call| calls(call) * self.response_bytes[call.1]).sum();
        let offered = 8.0 * self.rate * answers;
        let utilisation = (offered / self.bandwidth).min(1.0);
        let spread = if utilisation < 1.0 {
            1.0 / (1.0 - utilisation)
        } else {
            SPREAD_OF_FULL_LINK * offered / self.bandwidth
        };
        let takes = |to: usize| {
            let transfer = 8.0 * self.response_bytes[to] * spread / self.bandwidth;
            self.round_trip + transfer.min(LONGEST_DELAY)
        };
        let network =
            if self.rate == 0.0 { 0.0 } else { crossing().map(|call| calls(call) * takes(call.1)).sum() };
        let internal: f64 =
            visits.iter().zip(&self.internal_delay).map(|(visits, takes)| visits * takes).sum();
        let total = (network + internal).min(LONGEST_DELAY);
        let edge = edge.to_vec();
        Delay { edge, visits, total, internal, network, offered, utilisation }
    }

    /// What is in use when visits change from `before` to `after`. Of what was never visited nobody knows.
    #[must_use]
    pub fn shift(&self, usage: &Usage, before: &[f64], after: &[f64]) -> Usage {
        let indices = self.indices();
        let shifted = |used: &[f64]| {
            let mut new = vec![0.0; 2 * indices];
            for index in 0..indices {
                let visits = before[index] + before[indices + index];
                let both = used[index] + used[indices + index];
                new[index] = both * after[index] / visits;
                new[indices + index] = both * after[indices + index] / visits;
            }
            new
        };
        Usage { cpu: shifted(&usage.cpu), memory: shifted(&usage.memory) }
    }

    /// What an hour of this use costs, with the services at the edge of a delay.
    #[must_use]
    pub fn cost(&self, usage: &Usage, delay: &Delay) -> Cost {
        let indices = self.indices();
        let replicas: Vec<f64> = (0..2 * indices)
            .map(|set| {
                let stands = set < indices || (delay.edge[set - indices] && set - indices < self.gateway());
                self.replicas(usage, set, stands && self.floors_pods)
            })
            .collect();
        let of = |sets: std::ops::Range<usize>, prices: Prices| {
            let price =
                |set: usize| prices.cpu * self.cpu_request[set] + prices.memory * self.memory_request[set];
            sets.map(|set| replicas[set] * price(set)).sum()
        };
        let cloud = of(0..indices, self.cloud_prices);
        let edge = of(indices..2 * indices, self.edge_prices);
        let network = self.network_price * (delay.utilisation * self.bandwidth) * 3600.0 / (8.0 * 1e9);
        Cost { edge, cloud, network, replicas }
    }

    /// Pods of an instance set: in the cloud at least one, unless nobody knows what it uses; one at least where that holds.
    fn replicas(&self, usage: &Usage, set: usize, at_least_one: bool) -> f64 {
        let wanted = ((usage.cpu[set] / self.cpu_target[set]) / self.cpu_request[set]).ceil();
        match (wanted.is_nan(), set < self.indices() || at_least_one) {
            (true, _) => f64::from(u8::from(at_least_one)),
            (false, true) => wanted.clamp(1.0, f64::MAX),
            (false, false) => wanted.min(f64::MAX),
        }
    }
}

/// Visits of each node per visit of `root`, without calls of a node to itself. Where calls go in circles their sum is
/// that of all rounds.
fn visits(calls: &[Vec<f64>], root: usize) -> Vec<f64> {
    let nodes = calls.len();
    let mut visits = vec![0.0; nodes];
    visits[root] = 1.0;
    match callers_first(calls) {
        Some(order) => {
            for from in order {
                for to in (0..nodes).filter(|&to| to != from && calls[from][to] != 0.0) {
                    visits[to] += visits[from] * calls[from][to];
                }
            }
            visits
        }
        None => solve(calls, &visits),
    }
}

/// All nodes, each behind those that call it; none if calls go in circles.
fn callers_first(calls: &[Vec<f64>]) -> Option<Vec<usize>> {
    let nodes = calls.len();
    let calls = |from: usize, to: usize| from != to && calls[from][to] != 0.0;
    let mut callers: Vec<usize> =
        (0..nodes).map(|to| (0..nodes).filter(|&from| calls(from, to)).count()).collect();
    let mut order: Vec<usize> = (0..nodes).filter(|&node| callers[node] == 0).collect();
    let mut next = 0;
    while let Some(&from) = order.get(next) {
        next += 1;
        for to in (0..nodes).filter(|&to| calls(from, to)) {
            callers[to] -= 1;
            if callers[to] == 0 {
                order.push(to);
            }
        }
    }
    (order.len() == nodes).then_some(order)
}

/// Solves `visits = entered + visits * calls` by elimination with partial pivoting.
fn solve(calls: &[Vec<f64>], entered: &[f64]) -> Vec<f64> {
    let nodes = calls.len();
    let element = |to: usize, from: usize| if to == from { 1.0 } else { -calls[from][to] };
    let mut rows: Vec<Vec<f64>> = (0..nodes)
        .map(|to| (0..nodes).map(|from| element(to, from)).chain([entered[to]]).collect())
        .collect();
    for column in 0..nodes {
        let largest = |&a: &usize, &b: &usize| rows[a][column].abs().total_cmp(&rows[b][column].abs());
        let pivot = (column..nodes).max_by(largest).unwrap_or(column);
        rows.swap(column, pivot);
        for row in column + 1..nodes {
            let factor = rows[row][column] / rows[column][column];
            if factor != 0.0 {
                let (above, below) = rows.split_at_mut(row);
                let pair = below[0][column..].iter_mut().zip(&above[column][column..]);
                pair.for_each(|(below, above)| *below -= factor * above);
            }
        }
    }
    let mut visits = vec![0.0; nodes];
    for row in (0..nodes).rev() {
        let known: f64 = (row + 1..nodes).map(|column| rows[row][column] * visits[column]).sum();
        visits[row] = (rows[row][nodes] - known) / rows[row][row];
    }
    visits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(rate: f64) -> AnalyticModel {
        let calls = vec![vec![0.0, 0.5, 0.0], vec![0.0; 3], vec![1.0, 0.0, 0.0]];
        AnalyticModel {
            calls,
            response_bytes: vec![50_000.0, 20_000.0, 0.0],
            internal_delay: vec![0.0; 6],
            round_trip: 0.05,
            bandwidth: 1e9,
            rate,
            cpu_request: vec![1.0; 6],
            memory_request: vec![0.0; 6],
            cpu_target: vec![0.6; 6],
            cloud_prices: Prices { cpu: 0.02, memory: 0.0 },
            edge_prices: Prices { cpu: 0.03, memory: 0.0 },
            network_price: 0.02,
            floors_pods: false,
        }
    }

    #[test]
    fn what_is_at_the_edge_needs_no_round_trip() {
        let model = chain(20.0);
        let [void, first, both] =
            [[false, false, true], [true, false, true], [true, true, true]].map(|edge| model.delay(&edge));
        // 400 kbit at 992 Mbit/s left.
        assert!((void.total - (0.05 + 4e5 / (1e9 * (1.0 - 0.008)))).abs() < 1e-12, "{void:?}");
        assert_eq!(first.visits, [0.0, 0.5, 0.0, 1.0, 0.0, 1.0]);
        assert!(first.total < void.total / 1.9 && both.total == 0.0);
        assert_eq!(chain(0.0).delay(&[false, false, true]).total, 0.0);
    }

    #[test]
    fn circles_are_summed_over_all_rounds() {
        let mut model = chain(1.0);
        model.calls[1][0] = 0.2;
        let visits = model.visits_in_one_cluster();
        assert!((visits[0] - 1.0 / (1.0 - 0.1)).abs() < 1e-12, "{visits:?}");
        assert!((visits[1] - 0.5 * visits[0]).abs() < 1e-12, "{visits:?}");
    }

    #[test]
    fn use_follows_visits_and_pods_follow_use() {
        let model = chain(20.0);
        let [before, after] = [[false, false, true], [true, false, true]].map(|edge| model.delay(&edge));
        let usage = Usage { cpu: vec![3.0, 1.5, 0.0, 0.0, 0.0, 0.0], memory: vec![0.0; 6] };
        let shifted = model.shift(&usage, &before.visits, &after.visits);
        assert_eq!(shifted.cpu[..5], [0.0, 1.5, 0.0, 3.0, 0.0]);
        let cost = model.cost(&shifted, &after);
        // One pod is left in the cloud where none is needed; at the edge there is none.
        assert_eq!(cost.replicas, [1.0, 3.0, 1.0, 5.0, 0.0, 0.0]);
        assert!((cost.edge - 5.0 * 0.03).abs() < 1e-12 && (cost.cloud - 5.0 * 0.02).abs() < 1e-12);
        // What stands at the edge has a pod, though nobody calls it.
        let idle = model.delay(&[false, true, true]);
        let nothing = Usage { cpu: vec![3.0, 1.5, 0.0, 0.0, 0.0, 0.0], memory: vec![0.0; 6] };
        assert_eq!(model.cost(&nothing, &idle).replicas[4], 0.0);
        let floored = AnalyticModel { floors_pods: true, ..chain(20.0) };
        assert_eq!(floored.cost(&nothing, &idle).replicas, [5.0, 3.0, 1.0, 0.0, 1.0, 0.0]);
    }
}
