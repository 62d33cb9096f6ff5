//! What the draws of a user request say of it before it is simulated.
//!
//! # Models
//! A request's call tree, the sizes of its answers and its CPU time follow from its address alone (`draws`). The tree is
//! walked here without a clock, from cluster to cluster by a fixed rule: a call stays in its caller's cluster where the
//! service has pods there, else it goes to the nearest cluster that has some. So every request has four figures:
//! *calls*; *crossings*, the calls that go to another cluster; *rounds*, the round trips beyond the first that the answers of
//! crossings take on new connections; and *CPU time*. Their means follow from the call graph, exactly: so how far those of
//! some requests are from them tells the luck of a run, of which estimates are freed (control variates).
//!
//! # Assumptions
//! - Proxies may choose other endpoints, attempts may fail, pods and users may move. Effect: the figures tell less of what
//!   happens; their means are exact all the same.
//! - In a closed loop the number of requests hangs on how long they take. Effect: the mean of the figures of n requests
//!   is off by about an n-th of their deviation.
//!
//! # Source
//! Lavenberg and Welch, A perspective on the use of control variables to increase the efficiency of Monte Carlo simulations,
//! Management Science 27, 1981. Means: Kemeny and Snell, Finite Markov chains, 1960.

mod sites;

use super::description::Description;
use crate::application::call_graph::{Application, Endpoint};
use crate::application::internal_service::CellCosts;
use crate::draws::{Draws, Purpose, call_address, draw};
use crate::ids::{EndpointId, PopulationId};
use crate::users::population::Population;
use meshsim_core::Id;
use meshsim_core::elementary::exp;
use meshsim_core::random::{Address, bernoulli, exponential};
use sites::{Sites, Target};

/// The names of the figures.
pub const FIGURES: [&str; 4] = ["calls", "crossings", "rounds", "cpu_ms"];

/// The figures of a request, in the order of [`FIGURES`]; CPU time in ms at the reference speed.
pub type Foreseen = [f64; FIGURES.len()];

const CALLS: usize = 0;
const CROSSINGS: usize = 1;
const ROUNDS: usize = 2;
const CPU: usize = 3;

/// No answer takes more rounds than this: each doubles what is sent.
const ROUNDS_MAX: i32 = 16;

/// What the requests of a replication will be.
#[derive(Debug)]
pub struct Foresight<'a> {
    application: &'a Application,
    costs: &'a CellCosts,
    draws: Draws,
    nodes: Vec<Node>,
    /// Of each node, call by call of its groups.
    targets: Vec<Target>,
    /// By population, what it requests.
    roots: Vec<Vec<Root>>,
    /// Calls that are still to be walked.
    open: Vec<(Target, Address)>,
}

/// An endpoint where it is executed.
#[derive(Debug)]
struct Node {
    endpoint: EndpointId,
    /// What a new connection carries at once (bytes).
    window: f64,
    /// Its first target.
    first: usize,
    /// Of all that it leads to.
    mean: Foreseen,
}

/// What a population requests.
#[derive(Debug)]
struct Root {
    endpoint: EndpointId,
    target: Target,
    /// Of a request for it.
    mean: Foreseen,
    /// Of any request of the population; the same if what it requests is not drawn independently.
    mean_of_all: Foreseen,
}

impl<'a> Foresight<'a> {
    /// Of a replication of what is described, whose cycles of calls die out.
    #[must_use]
    pub fn new(description: &'a Description, replication: u32) -> Self {
        let mut sites = Sites::new(description);
        let mut foresight = Self {
            application: &description.application,
            costs: &description.cell.costs,
            draws: Draws::new(description.seed, replication),
            nodes: Vec::new(),
            targets: Vec::new(),
            roots: Vec::new(),
            open: Vec::new(),
        };
        let mut roots: Vec<Vec<(EndpointId, f64, Target)>> = Vec::new();
        for population in &description.populations {
            let shares = population.requests.shares();
            let root = |(endpoint, share)| (endpoint, share, sites.target(population.cluster, endpoint));
            roots.push(shares.map(root).collect());
        }
        while let Some(&(endpoint, cluster)) = sites.found.get(foresight.nodes.len()) {
            let first = foresight.targets.len();
            for group in &foresight.application.endpoints[endpoint].groups {
                let targets = group.calls.iter().map(|call| sites.target(cluster, call.endpoint));
                foresight.targets.extend(targets);
            }
            let window = sites.window(cluster);
            foresight.nodes.push(Node { endpoint, window, first, mean: Foreseen::default() });
        }
        foresight.find_means();
        let of_population = |(of, population): (&Vec<(EndpointId, f64, Target)>, &Population)| {
            let mut all = Foreseen::default();
            of.iter().for_each(|(_, share, target)| add(&mut all, *share, &foresight.mean_of_call(*target)));
            let root = |&(endpoint, _, target): &(EndpointId, f64, Target)| {
                let mean = foresight.mean_of_call(target);
                let mean_of_all = if population.requests.is_journey() { mean } else { all };
                Root { endpoint, target, mean, mean_of_all }
            };
            of.iter().map(root).collect()
        };
        let roots: Vec<Vec<Root>> = roots.iter().zip(&description.populations).map(of_population).collect();
        Self { roots, ..foresight }
    }

    /// What the `number`-th request of a population, which is for `endpoint`, will be, and the means of it: of those that
    /// are for the same, and of all of the population. Nothing if the population does not request this.
    #[must_use]
    pub fn of(
        &mut self,
        population: PopulationId,
        number: u32,
        endpoint: EndpointId,
    ) -> Option<(Foreseen, [Foreseen; 2])> {
        let root = self.roots[population.index()].iter().find(|it| it.endpoint == endpoint)?;
        let (target, means) = (root.target, [root.mean, root.mean_of_all]);
        let address = self.draws.request(population, u64::from(number));
        Some((self.walk(target, address), means))
    }

    /// The figures of the call at an address with all that follow.
    fn walk(&mut self, target: Target, address: Address) -> Foreseen {
        let mut sum = Foreseen::default();
        self.open.push((target, address));
        while let Some((target, address)) = self.open.pop() {
            let node = &self.nodes[target.node];
            let endpoint = &self.application.endpoints[node.endpoint];
            sum[CALLS] += 1.0;
            sum[CROSSINGS] += f64::from(u8::from(target.crosses));
            if endpoint.errors > 0.0 && bernoulli(&mut draw(address, Purpose::EndpointError), endpoint.errors)
            {
                sum[CPU] += self.costs_of_failure();
                continue;
            }
            let size = size(endpoint, address);
            if target.crosses {
                sum[ROUNDS] += f64::from(rounds(size, node.window));
            }
            sum[CPU] += demand(endpoint, address, size, self.costs);
            let hit_ratio = endpoint.hit_ratio;
            if hit_ratio > 0.0 && bernoulli(&mut draw(address, Purpose::CacheHit), hit_ratio) {
                continue;
            }
            let call_ms = self.call_ms(endpoint);
            let mut first = node.first;
            for (number, group) in (0..).zip(&endpoint.groups) {
                let length = group.sequence_length.min(group.calls.len()) as u16;
                for step in 0..length {
                    let slot = group.slot_of_step(address, number, step);
                    if group.is_made(slot, address, number) {
                        sum[CPU] += call_ms;
                        let target = self.targets[first + usize::from(slot)];
                        self.open.push((target, call_address(address, number, slot, 0)));
                    }
                }
                first += group.calls.len();
            }
        }
        sum
    }

    /// CPU time (ms) of a request that is answered with an error.
    fn costs_of_failure(&self) -> f64 {
        (self.costs.request() + self.costs.response()) / 1e6
    }

    /// CPU time (ms) of the client side of a call of an endpoint.
    fn call_ms(&self, endpoint: &Endpoint) -> f64 {
        if endpoint.service_time.is_some() { 0.0 } else { self.costs.call() / 1e6 }
    }

    /// The means of all nodes, from those of their calls, again and again: changes die out geometrically.
    fn find_means(&mut self) {
        const TIMES_MAX: usize = 100_000;
        for _ in 0..TIMES_MAX {
            let mut moved = 0.0_f64;
            // Callees were mostly found after their callers.
            for index in (0..self.nodes.len()).rev() {
                let mean = self.mean_of(&self.nodes[index]);
                let before = std::mem::replace(&mut self.nodes[index].mean, mean);
                let change = |(a, b): (f64, f64)| (a - b).abs() / a.abs().max(1.0);
                moved = mean.into_iter().zip(before).map(change).fold(moved, f64::max);
            }
            if moved < 1e-13 {
                break;
            }
        }
    }

    /// The mean of what an endpoint leads to, by those of its calls.
    fn mean_of(&self, node: &Node) -> Foreseen {
        let endpoint = &self.application.endpoints[node.endpoint];
        let good = 1.0 - endpoint.errors;
        let mut mean = Foreseen::default();
        mean[CALLS] = 1.0;
        mean[CPU] = endpoint.errors * self.costs_of_failure() + good * mean_demand(endpoint, self.costs);
        let mut further = Foreseen::default();
        further[CPU] = self.call_ms(endpoint);
        let groups = endpoint.groups.iter();
        let calls = groups.flat_map(|group| group.calls.iter().map(|call| group.expected(call)));
        for (expected, target) in calls.zip(&self.targets[node.first..]) {
            let often = good * (1.0 - endpoint.hit_ratio) * expected;
            add(&mut mean, often, &further);
            add(&mut mean, often, &self.mean_of_call(*target));
        }
        mean
    }

    /// The mean of a call, by that of its node.
    fn mean_of_call(&self, target: Target) -> Foreseen {
        let node = &self.nodes[target.node];
        let mut mean = node.mean;
        if target.crosses {
            let endpoint = &self.application.endpoints[node.endpoint];
            let beyond = |round| share_beyond(endpoint, sent_before(round, node.window));
            mean[CROSSINGS] += 1.0;
            mean[ROUNDS] += (1.0 - endpoint.errors) * (1..=ROUNDS_MAX).map(beyond).sum::<f64>();
        }
        mean
    }
}

fn add(sum: &mut Foreseen, often: f64, what: &Foreseen) {
    sum.iter_mut().zip(what).for_each(|(sum, it)| *sum += often * it);
}

/// What the rounds before this one, counted from 0, have sent (bytes).
fn sent_before(round: i32, window: f64) -> f64 {
    window * (f64::from(1 << round) - 1.0)
}

/// The rounds beyond the first that so many bytes take.
fn rounds(size: f64, window: f64) -> i32 {
    (1..=ROUNDS_MAX).take_while(|&round| size > sent_before(round, window)).count() as i32
}

/// The size (bytes, not whole ones) of the answer to the request at `address`.
fn size(endpoint: &Endpoint, address: Address) -> f64 {
    match &endpoint.response_size {
        Some(law) => law.draw_for(address, Purpose::BodySize),
        None => exponential(&mut draw(address, Purpose::BodySize), mean_bytes(endpoint)),
    }
}

fn mean_bytes(endpoint: &Endpoint) -> f64 {
    endpoint.internal.mean_body_kb * 1000.0
}

/// The share of answers that are larger than this (bytes).
fn share_beyond(endpoint: &Endpoint, bytes: f64) -> f64 {
    match &endpoint.response_size {
        Some(law) => 1.0 - law.share_below(bytes),
        None if mean_bytes(endpoint) > 0.0 => exp(-bytes / mean_bytes(endpoint)),
        None => 0.0,
    }
}

/// CPU time (ms) of the request at `address` without its calls, whose answer has this size.
fn demand(endpoint: &Endpoint, address: Address, size: f64, costs: &CellCosts) -> f64 {
    let internal = &endpoint.internal;
    let nanos = match &endpoint.service_time {
        Some(law) => costs.of_law(law.draw_ms(address)),
        None => {
            let groups = endpoint.groups.len() as f64 * costs.group();
            let work = internal.pi_demand(address, costs) + internal.storage_demand(costs);
            costs.request() + work + internal.body_demand(size, costs) + groups + costs.response()
        }
    };
    nanos / 1e6
}

/// Its mean (ms).
fn mean_demand(endpoint: &Endpoint, costs: &CellCosts) -> f64 {
    match &endpoint.service_time {
        Some(law) => costs.of_law(law.mean_ms()) / 1e6,
        None => {
            let mut internal = endpoint.internal;
            if let Some(law) = &endpoint.response_size {
                internal.mean_body_kb = law.mean_ms() / 1000.0;
            }
            internal.mean_demand_ms(costs, endpoint.groups.len() as f64, 0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::call_graph::Group;
    use crate::application::internal_service::{BodyKind, InternalService};
    use crate::ids::ServiceId;
    use crate::users::arrivals::Arrivals;
    use meshsim_core::SimDuration;

    /// Users at an edge of s0, which calls s1 and s2 in the cloud, with s0 here and there; s2 calls s0 again.
    fn description() -> Description {
        let mut description = Description::new(SimDuration::from_secs(1));
        let edge = description.add_cluster("edge", 4.0);
        let cloud = description.add_cluster("cloud", 4.0);
        description.add_link([edge, cloud], SimDuration::from_millis(40), 1e9);
        let body = |mean_body_kb| InternalService {
            mean_body_kb,
            body: BodyKind::Random,
            ..InternalService::idle()
        };
        let [s0, s1, s2] = [("s0", 100.0), ("s1", 30.0), ("s2", 0.0)]
            .map(|(name, kb)| description.add_service(name, body(kb)));
        let endpoint =
            |description: &Description, it: ServiceId| description.application.services[it].endpoint;
        let [e0, e1, e2] = [s0, s1, s2].map(|it| endpoint(&description, it));
        let endpoints = &mut description.application.endpoints;
        endpoints[e0].groups = vec![Group::in_turn([(e1, 0.5), (e2, 0.3)])];
        endpoints[e2].groups = vec![Group::in_turn([(e0, 0.25)])];
        endpoints[e1].errors = 0.2;
        endpoints[e2].hit_ratio = 0.4;
        for (service, cluster) in [(s0, edge), (s1, cloud), (s2, cloud), (s0, cloud)] {
            description.add_pods(service, cluster, 1);
        }
        description.add_users(edge, s0, Arrivals::Constant { per_second: 1.0 });
        description
    }

    #[test]
    fn means_are_those_of_many_requests() {
        let description = description();
        let mut foresight = Foresight::new(&description, 0);
        let endpoint = description.populations[0].requests.endpoints().next().unwrap();
        let count = 200_000;
        let mut sums = [meshsim_core::stats::Tally::default(); FIGURES.len()];
        let mut mean = Foreseen::default();
        for number in 0..count {
            let (figures, [of_kind, of_all]) = foresight.of(PopulationId(0), number, endpoint).unwrap();
            assert_eq!(of_kind, of_all);
            mean = of_kind;
            sums.iter_mut().zip(figures).for_each(|(sum, figure)| sum.record(figure));
        }
        // s0 is visited 1/(1 - 0.3 x 0.6 x 0.25) times: 1.0471; s1 half as often, s2 0.3 times as often.
        let visits = 1.0 / (1.0 - 0.3 * 0.6 * 0.25);
        assert!((mean[CALLS] - visits * 1.8).abs() < 1e-12, "{mean:?}");
        // Calls of s1 and s2 cross from the edge only: from the first s0, which never comes back.
        assert!((mean[CROSSINGS] - 0.8).abs() < 1e-12, "{mean:?}");
        for (index, sum) in sums.iter().enumerate() {
            let error = (sum.variance().unwrap() / f64::from(count)).sqrt();
            let found = sum.mean().unwrap();
            assert!((found - mean[index]).abs() < 4.5 * error, "{index}: {found}, expected {}", mean[index]);
            assert!(error < 0.01 * mean[index], "{index}");
        }
    }

    #[test]
    fn rounds_double_what_is_sent() {
        // 10 kB, 20 kB, 40 kB ...
        let found = [0.0, 1e4, 1.1e4, 3e4, 3.1e4, 7e4, 7.1e4].map(|size| rounds(size, 1e4));
        assert_eq!(found, [0, 0, 1, 1, 2, 2, 3]);
    }
}
