//! The application as a graph: services > endpoints > groups > calls.
//!
//! # Models
//! An endpoint first does its own work, then its groups of calls, stage by stage: the groups of a stage in
//! parallel, the calls of a group one after the other, each with its probability. If a group's sequence
//! length is smaller than its number of calls, that many are drawn without replacement, in random
//! order. Its own work is an internal service's, or what laws say: CPU time, time that takes none, the answer's size.
//! A µBench work model has one endpoint per service, and one stage per endpoint. Several applications, each a tenant's, are one
//! graph, in which those of one may call those of another.
//!
//! # Source
//! µBench, `ServiceCell/ExternalServiceExecutor.py`. Expected calls: the visits of a transient
//! Markov chain with expected-call matrix M are the row sums of (I - M)^-1, which exists if and
//! only if the spectral radius of M is below 1 (Kemeny and Snell, Finite Markov chains, 1960).

use super::internal_service::{CellCosts, InternalService};
use super::service_time::ServiceTime;
use crate::draws::{Purpose, call_address, draw};
use crate::ids::{EndpointId, ServiceId};
use crate::units::Cores;
use meshsim_core::random::{Address, bernoulli, uniform_index};
use meshsim_core::{Id, SimDuration, Table};

/// Every service and endpoint of the simulated application.
#[derive(Clone, Debug, Default)]
pub struct Application {
    /// The services, in the order of the work model.
    pub services: Table<ServiceId, Service>,
    /// The endpoints of all services.
    pub endpoints: Table<EndpointId, Endpoint>,
    /// The names of the tenants whose services they are, where there are several applications; else empty.
    pub tenants: Vec<String>,
}

/// A microservice: what its pods run.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name, as in the call graph.
    pub name: String,
    /// Worker processes of a pod; each runs on at most one core at a time.
    pub workers: u16,
    /// Threads of a worker process: requests that it serves at a time.
    pub threads: u16,
    /// Pods where a cluster says nothing else.
    pub replicas: u32,
    /// The number of the tenant whose it is, where there are several.
    pub tenant: u16,
    /// CPU limit of a pod, none if absent.
    pub cpu_limit: Option<Cores>,
    /// CPU request of a pod's application, if there is one: its weight on a crowded host.
    pub cpu_request: Option<Cores>,
    /// Connections that a worker process of a caller keeps to it at most, each with a call at a time; absent: as many as
    /// it needs.
    pub pool_size: Option<u32>,
    /// The endpoint that a call to the service reaches unless it names another.
    pub endpoint: EndpointId,
    /// Its further endpoints.
    pub others: Vec<EndpointId>,
}

impl Service {
    /// A service whose pods run as many workers and threads as µBench's do unless it is told otherwise.
    #[must_use]
    pub fn new(name: &str, endpoint: EndpointId) -> Self {
        Self {
            name: name.to_owned(),
            workers: 4,
            threads: 16,
            replicas: 1,
            tenant: 0,
            cpu_limit: None,
            cpu_request: None,
            pool_size: None,
            endpoint,
            others: Vec::new(),
        }
    }

    /// All its endpoints.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointId> {
        std::iter::once(self.endpoint).chain(self.others.iter().copied())
    }
}

/// What a service speaks, as its Service's port says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1: one request at a time on a connection.
    #[default]
    Http1,
    /// HTTP/2: requests share a connection.
    Http2,
    /// gRPC, over HTTP/2.
    Grpc,
    /// Anything: a proxy balances connections and sees no requests.
    Tcp,
    /// Datagrams, which no proxy takes.
    Udp,
}

impl Protocol {
    /// Whether requests share a connection.
    #[must_use]
    pub const fn shares_connections(self) -> bool {
        matches!(self, Self::Http2 | Self::Grpc)
    }

    /// Its name, where no proxy sees requests.
    #[must_use]
    pub const fn without_requests(self) -> Option<&'static str> {
        match self {
            Self::Tcp => Some("tcp"),
            Self::Udp => Some("udp"),
            Self::Http1 | Self::Http2 | Self::Grpc => None,
        }
    }
}

/// The name of the endpoint of a service that has one without a name.
pub const DEFAULT_ENDPOINT: &str = "default";

/// An operation of a service: a kind of request.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The service that offers it.
    pub service: ServiceId,
    /// Its name, among those of its service.
    pub name: String,
    /// The path of its requests, with a query if they have one.
    pub path: String,
    /// Their method.
    pub method: String,
    /// What it does itself.
    pub internal: InternalService,
    /// Law of the CPU time of a request, instead of what the internal service costs.
    pub service_time: Option<ServiceTime>,
    /// Law of the time for which a request's thread waits without using the CPU (ms), instead of the internal
    /// service's.
    pub wait: Option<ServiceTime>,
    /// Body of a request (bytes).
    pub request_bytes: u32,
    /// Law of the size of an answer's body (bytes), instead of the internal service's.
    pub response_size: Option<ServiceTime>,
    /// Share of the requests that it answers with `error_status` and does nothing for: 0 to 1.
    pub errors: f64,
    /// That status.
    pub error_status: u16,
    /// With which probability it has the answer itself and calls nobody, as a cache does: 0 to 1.
    pub hit_ratio: f64,
    /// What it calls then, in ascending order of their stages.
    pub groups: Vec<Group>,
}

impl Endpoint {
    /// The only endpoint of a service, which does this and calls nobody.
    #[must_use]
    pub fn new(service: ServiceId, internal: InternalService) -> Self {
        Self {
            service,
            name: DEFAULT_ENDPOINT.to_owned(),
            path: "/".to_owned(),
            method: "GET".to_owned(),
            internal,
            service_time: None,
            wait: None,
            request_bytes: 0,
            response_size: None,
            errors: 0.0,
            error_status: 500,
            hit_ratio: 0.0,
            groups: Vec::new(),
        }
    }

    /// What it calls, and how often in the mean.
    pub fn expected_calls(&self) -> impl Iterator<Item = (EndpointId, f64)> {
        let misses = 1.0 - self.hit_ratio;
        let of_group = move |group: &Group| {
            let calls = group.calls.iter().map(|call| (call.endpoint, misses * group.expected(call)));
            calls.collect::<Vec<_>>()
        };
        self.groups.iter().flat_map(of_group)
    }

    /// The size of the body (bytes) of the answer to the request at `address`.
    #[must_use]
    pub fn body_bytes(&self, address: Address) -> u32 {
        match &self.response_size {
            None => self.internal.body_bytes(address),
            Some(law) => law.draw_for(address, Purpose::BodySize).clamp(1.0, f64::from(u32::MAX)) as u32,
        }
    }

    /// For how long the thread of the request at `address` waits without using the CPU.
    #[must_use]
    pub fn pause(&self, address: Address, costs: &CellCosts) -> SimDuration {
        match &self.wait {
            None => self.internal.pause(costs),
            Some(law) => SimDuration::from_nanos_f64(law.draw_for(address, Purpose::Wait) * 1e6),
        }
    }
}

/// A sampled group selects at most so many calls. `resolve` refuses more.
pub const MAX_SAMPLED: usize = 256;

/// Calls that are made one after the other.
#[derive(Clone, Debug)]
pub struct Group {
    /// When: after all groups of earlier stages, beside the others of its own.
    pub stage: u16,
    /// How many of the calls are selected; all of them, in the listed order, if not fewer.
    pub sequence_length: usize,
    /// The calls to select from.
    pub calls: Vec<Call>,
}

/// A call that an endpoint may make.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What is called.
    pub endpoint: EndpointId,
    /// The index in the group of the call whose coin decides whether it is made: its own, or that of the first of
    /// several that are made together or not at all.
    pub coin: u16,
    /// With which probability, 0 to 1.
    pub probability: f64,
}

impl Group {
    /// All of these calls, by endpoint and probability, each with a coin of its own, in the first stage.
    #[must_use]
    pub fn in_turn(calls: impl IntoIterator<Item = (EndpointId, f64)>) -> Self {
        let call = |(index, (endpoint, probability))| Call { endpoint, coin: index, probability };
        Self { stage: 0, sequence_length: usize::MAX, calls: (0..).zip(calls).map(call).collect() }
    }

    /// Whether the calls are drawn, or all are made in the listed order.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.sequence_length < self.calls.len()
    }

    /// Which of its calls comes in this step of the request at `address`, whose `number`-th group it is: in the listed order,
    /// or drawn without replacement.
    #[must_use]
    #[inline]
    pub fn slot_of_step(&self, address: Address, number: u16, step: u16) -> u16 {
        if self.is_sampled() { self.sampled_slot(address, number, step) } else { step }
    }

    /// The draw is repeated from the start, so that nothing has to be remembered.
    #[cold]
    fn sampled_slot(&self, address: Address, number: u16, step: u16) -> u16 {
        let mut rng = draw(address.child(u64::from(number)), Purpose::CallOrder);
        // Floyd-free: the r-th of the slots that are left, skipping those taken, which are few.
        let mut taken: [u16; MAX_SAMPLED] = [u16::MAX; MAX_SAMPLED];
        let mut slot = 0;
        for count in 0..=usize::from(step) {
            slot = uniform_index(&mut rng, self.calls.len() - count) as u16;
            let earlier = &mut taken[..count];
            earlier.sort_unstable();
            for &other in earlier.iter() {
                if slot >= other {
                    slot += 1;
                }
            }
            taken[count] = slot;
        }
        slot
    }

    /// Whether the coin of the call in a slot says that the request at `address`, whose `number`-th group it is, makes it.
    #[must_use]
    #[inline]
    pub fn is_made(&self, slot: u16, address: Address, number: u16) -> bool {
        let Call { coin, probability, .. } = self.calls[usize::from(slot)];
        let coin = || draw(call_address(address, number, coin, 0), Purpose::CallCoin);
        probability >= 1.0 || bernoulli(&mut coin(), probability)
    }

    /// How often `call` is made each time the group runs, in the mean.
    #[must_use]
    pub fn expected(&self, call: &Call) -> f64 {
        let selected = self.sequence_length.min(self.calls.len()) as f64;
        call.probability * selected / self.calls.len() as f64
    }
}

/// A cycle whose calls multiply by this or more per generation is taken for unbounded: at 0.999 a
/// user request would already make a thousand rounds.
const RADIUS_MAX: f64 = 0.999;

/// A cycle of calls that feeds itself: the expected number of calls has no bound.
#[derive(Clone, Debug, PartialEq)]
pub struct UnboundedCycle {
    /// The services of the heaviest cycle, the first one again at the end.
    pub services: Vec<ServiceId>,
    /// The spectral radius of the expected-call matrix of the services that call each other.
    pub spectral_radius: f64,
}

impl Application {
    /// Adds all services and endpoints of another application, which are this tenant's from then on.
    pub fn append(&mut self, other: &Self, tenant: u16) {
        let (services, endpoints) = (self.services.len(), self.endpoints.len());
        let moved = |it: EndpointId| EndpointId::from_index(endpoints + it.index());
        for it in &other.services {
            let others = it.others.iter().map(|&it| moved(it)).collect();
            self.services.push(Service { endpoint: moved(it.endpoint), others, tenant, ..it.clone() });
        }
        for it in &other.endpoints {
            let mut endpoint = it.clone();
            endpoint.service = ServiceId::from_index(services + it.service.index());
            let calls = endpoint.groups.iter_mut().flat_map(|group| &mut group.calls);
            calls.for_each(|call| call.endpoint = moved(call.endpoint));
            self.endpoints.push(endpoint);
        }
    }

    /// The service of this name.
    #[must_use]
    pub fn service_named(&self, name: &str) -> Option<ServiceId> {
        // Mostly they are in the order of their names.
        let all = self.services.iter().as_slice();
        let near = all.binary_search_by(|it| it.name.as_str().cmp(name)).ok();
        near.or_else(|| all.iter().position(|it| it.name == name)).map(ServiceId::from_index)
    }

    /// The endpoint of a service that takes the place of another one where a request is sent there instead: the one
    /// of the same name, or the one that is reached without a name.
    #[must_use]
    pub fn counterpart(&self, endpoint: EndpointId, service: ServiceId) -> EndpointId {
        let settings = &self.services[service];
        if settings.others.is_empty() {
            return settings.endpoint;
        }
        let name = &self.endpoints[endpoint].name;
        settings.endpoints().find(|&other| self.endpoints[other].name == *name).unwrap_or(settings.endpoint)
    }

    /// Adds a service that does what another one does, endpoint by endpoint, with one pod where nothing else is said.
    pub fn add_like(&mut self, other: ServiceId, name: &str) -> ServiceId {
        let service = ServiceId::from_index(self.services.len());
        let mut own: Vec<EndpointId> = self.services[other].endpoints().collect();
        for endpoint in &mut own {
            *endpoint = self.endpoints.push(Endpoint { service, ..self.endpoints[*endpoint].clone() });
        }
        let others = own.split_off(1);
        let like = self.services[other].clone();
        self.services.push(Service { name: name.to_owned(), endpoint: own[0], others, replicas: 1, ..like })
    }

    /// Whether a service may call another.
    #[must_use]
    pub fn calls(&self, from: ServiceId, to: ServiceId) -> bool {
        let own = self.endpoints.iter().filter(|endpoint| endpoint.service == from);
        let mut calls = own.flat_map(|endpoint| &endpoint.groups).flat_map(|group| &group.calls);
        calls.any(|call| self.endpoints[call.endpoint].service == to)
    }

    /// How often each endpoint is executed, in the mean, per request, of which these shares go to these endpoints.
    ///
    /// # Errors
    /// If a cycle's expected-call matrix has a spectral radius of 1 or more.
    pub fn expected_visits(
        &self,
        requests: impl IntoIterator<Item = (EndpointId, f64)>,
    ) -> Result<Table<EndpointId, f64>, UnboundedCycle> {
        if let Some(cycle) = self.unbounded_cycle() {
            return Err(cycle);
        }
        let mut visits: Table<EndpointId, f64> = self.endpoints.iter().map(|_| 0.0).collect();
        let mut wave = visits.clone();
        requests.into_iter().for_each(|(endpoint, share)| wave[endpoint] += share);
        // The Neumann series: wave n holds the visits at depth n. It converges geometrically.
        while wave.iter().sum::<f64>() > 1e-15 {
            for id in self.endpoints.ids() {
                visits[id] += wave[id];
            }
            wave = self.step(&wave);
        }
        Ok(visits)
    }

    /// The visits that follow in the next generation from those of this one.
    fn step(&self, wave: &Table<EndpointId, f64>) -> Table<EndpointId, f64> {
        let mut next: Table<EndpointId, f64> = self.endpoints.iter().map(|_| 0.0).collect();
        for (id, endpoint) in self.endpoints.enumerate().filter(|(id, _)| wave[*id] > 0.0) {
            for (callee, expected) in endpoint.expected_calls() {
                next[callee] += wave[id] * expected;
            }
        }
        next
    }

    /// A cycle whose expected calls do not die out, if there is one.
    #[must_use]
    pub fn unbounded_cycle(&self) -> Option<UnboundedCycle> {
        let between_cycles = self.between_cycles();
        let radius = self.spectral_radius(&between_cycles);
        if radius < RADIUS_MAX {
            return None;
        }
        Some(UnboundedCycle { services: self.heaviest_cycle(&between_cycles), spectral_radius: radius })
    }

    /// The endpoints that stand in cycles or between them: those that call nobody are taken away again and again, and so are those
    /// that nobody calls. None of a graph without cycles.
    #[must_use]
    pub fn between_cycles(&self) -> Vec<EndpointId> {
        let ids = || self.endpoints.ids();
        let arcs = || {
            let calls = |from: EndpointId| self.endpoints[from].groups.iter().flat_map(|it| &it.calls);
            ids().flat_map(move |from| calls(from).map(move |call| (from, call.endpoint)))
        };
        let mut is_left: Table<EndpointId, bool> = ids().map(|_| true).collect();
        for is_backward in [false, true] {
            // An arc counts for its first end, which goes when its last other end has gone.
            let turned = arcs().map(|(from, to)| if is_backward { (to, from) } else { (from, to) });
            let turned = turned.filter(|(from, to)| is_left[*from] && is_left[*to]);
            let mut waiting: Table<EndpointId, Vec<EndpointId>> = ids().map(|_| Vec::new()).collect();
            let mut open: Table<EndpointId, usize> = ids().map(|_| 0).collect();
            for (from, to) in turned {
                waiting[to].push(from);
                open[from] += 1;
            }
            let mut gone: Vec<EndpointId> = ids().filter(|id| is_left[*id] && open[*id] == 0).collect();
            while let Some(id) = gone.pop() {
                is_left[id] = false;
                for &before in &waiting[id] {
                    open[before] -= 1;
                    if open[before] == 0 {
                        gone.push(before);
                    }
                }
            }
        }
        ids().filter(|id| is_left[*id]).collect()
    }

    /// The growth of the number of calls per generation in the long run (Gelfand's formula over
    /// repeated squares, which converges even for a periodic matrix). Endpoints that are not between cycles have no say in it.
    fn spectral_radius(&self, between_cycles: &[EndpointId]) -> f64 {
        let n = between_cycles.len();
        let mut matrix = vec![0.0; n * n];
        for (row, id) in between_cycles.iter().enumerate() {
            for (callee, expected) in self.endpoints[*id].expected_calls() {
                if let Ok(column) = between_cycles.binary_search(&callee) {
                    matrix[row * n + column] += expected;
                }
            }
        }
        // After k squarings the norm of M^(2^k) to the power 2^-k; the logarithm keeps it finite.
        let mut log_norm = 0.0;
        const SQUARINGS: i32 = 40;
        for k in 0..SQUARINGS {
            let norm = row_norm(&matrix, n);
            if norm == 0.0 {
                return 0.0;
            }
            log_norm += meshsim_core::elementary::ln(norm)
                / f64::from(1 << k.min(30))
                / f64::from(1 << (k - 30).max(0));
            matrix.iter_mut().for_each(|entry| *entry /= norm);
            matrix = square(&matrix, n);
        }
        meshsim_core::elementary::exp(log_norm)
    }

    /// The cycle with the largest product of expected calls per round, found by walking from the
    /// endpoint with the largest growth along its heaviest calls until one repeats.
    fn heaviest_cycle(&self, between_cycles: &[EndpointId]) -> Vec<ServiceId> {
        let mut best: (f64, Vec<ServiceId>) = (0.0, Vec::new());
        for &start in between_cycles {
            if let Some((gain, path)) = self.best_return(start, between_cycles.len())
                && gain > best.0
            {
                let services = path.iter().map(|&id| self.endpoints[id].service).collect();
                best = (gain, services);
            }
        }
        best.1
    }

    /// The heaviest way from `start` back to itself in so many steps at most (longest path by product).
    fn best_return(&self, start: EndpointId, steps: usize) -> Option<(f64, Vec<EndpointId>)> {
        let mut reached: Vec<Option<(f64, Vec<EndpointId>)>> = vec![None; self.endpoints.len()];
        reached[start.0 as usize] = Some((1.0, vec![start]));
        let mut best: Option<(f64, Vec<EndpointId>)> = None;
        for _ in 0..steps {
            let mut next: Vec<Option<(f64, Vec<EndpointId>)>> = vec![None; self.endpoints.len()];
            for (gain, path) in reached.iter().flatten() {
                let last = *path.last().expect("a path has a start");
                for (callee, expected) in self.endpoints[last].expected_calls() {
                    let gain = gain * expected;
                    let longer = |path: &[EndpointId]| [path, &[callee]].concat();
                    if callee == start {
                        if best.as_ref().is_none_or(|(g, _)| gain > *g) {
                            best = Some((gain, longer(path)));
                        }
                    } else if !path.contains(&callee) {
                        let best = &mut next[callee.0 as usize];
                        if best.as_ref().is_none_or(|(g, _)| gain > *g) {
                            *best = Some((gain, longer(path)));
                        }
                    }
                }
            }
            reached = next;
        }
        best.filter(|(gain, _)| *gain > 0.0)
    }
}

/// The largest sum of a row.
fn row_norm(matrix: &[f64], n: usize) -> f64 {
    matrix.chunks(n.max(1)).map(|row| row.iter().sum()).fold(0.0, f64::max)
}

fn square(matrix: &[f64], n: usize) -> Vec<f64> {
    let mut result = vec![0.0; n * n];
    for (row, out) in matrix.chunks(n).zip(result.chunks_mut(n)) {
        for (&factor, other) in row.iter().zip(matrix.chunks(n)).filter(|(f, _)| **f > 0.0) {
            for (cell, entry) in out.iter_mut().zip(other) {
                *cell += factor * entry;
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An application of one endpoint per service with these calls (from, to, probability), each
    /// in a group of its own.
    fn application(count: u32, calls: &[(u32, u32, f64)]) -> Application {
        let mut app = Application::default();
        for i in 0..count {
            let endpoint = app.endpoints.push(Endpoint::new(ServiceId(i), InternalService::idle()));
            app.services.push(Service::new(&format!("s{i}"), endpoint));
        }
        for &(from, to, probability) in calls {
            let group = Group::in_turn([(EndpointId(to), probability)]);
            app.endpoints[EndpointId(from)].groups.push(group);
        }
        app
    }

    #[test]
    fn sampling_without_replacement_takes_each_set_and_order_alike() {
        let group = Group { sequence_length: 2, ..Group::in_turn((0..4).map(|i| (EndpointId(i), 1.0))) };
        let mut counts = [[0; 4]; 4];
        for k in 0..120_000 {
            let address = Address::root(1, 0).child(k);
            let [a, b] = [0, 1].map(|step| group.slot_of_step(address, 0, step));
            counts[usize::from(a)][usize::from(b)] += 1;
        }
        for (a, row) in counts.iter().enumerate() {
            for (b, &count) in row.iter().enumerate() {
                // Twelve ordered pairs: 10,000 each, with a standard deviation of 96.
                let expected = if a == b { 0..1 } else { 9_600..10_400 };
                assert!(expected.contains(&count), "{a}, {b}: {count}");
            }
        }
    }

    #[test]
    fn the_ten_services_of_the_testbed_are_visited_2_524_times() {
        let p = 0.3;
        let calls = [(0, 1), (0, 2), (0, 3), (0, 9), (1, 5), (3, 4), (3, 8), (5, 6), (5, 7)];
        let calls: Vec<_> = calls.iter().map(|&(from, to)| (from, to, p)).collect();
        let visits = application(10, &calls).expected_visits([(EndpointId(0), 1.0)]).unwrap();
        assert!((visits.iter().sum::<f64>() - 2.524).abs() < 1e-12);
        assert!((visits[EndpointId(6)] - 0.027).abs() < 1e-12);
    }

    #[test]
    fn a_cycle_that_dies_out_has_a_geometric_number_of_visits() {
        let visits = application(2, &[(0, 1, 0.5), (1, 0, 0.5)]).expected_visits([(EndpointId(0), 1.0)]);
        assert!((visits.unwrap()[EndpointId(0)] - 4.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_cycle_that_feeds_itself_is_named_with_its_growth() {
        let app = application(4, &[(0, 1, 1.0), (1, 2, 1.0), (2, 1, 1.0), (1, 3, 0.5)]);
        let cycle = app.expected_visits([(EndpointId(0), 1.0)]).unwrap_err();
        assert_eq!(cycle.services.first(), cycle.services.last());
        assert_eq!(cycle.services.len(), 3);
        assert!((cycle.spectral_radius - 1.0).abs() < 1e-6, "{}", cycle.spectral_radius);
        let twice = application(1, &[(0, 0, 0.8), (0, 0, 0.8)]).unbounded_cycle().unwrap();
        assert!((twice.spectral_radius - 1.6).abs() < 1e-6);
    }

    /// What leads to cycles and what follows from them changes nothing, and takes no matrix: here it would have 10^10 entries.
    #[test]
    fn what_stands_in_no_cycle_takes_no_part() {
        let chain: Vec<_> = (0..100_000).map(|it| (it, it + 1, 1.0)).collect();
        let straight = application(100_001, &chain);
        assert!(straight.between_cycles().is_empty() && straight.unbounded_cycle().is_none());
        let back = [&chain[..], &[(50_010, 50_000, 0.5), (60_000, 60_000, 0.25)]].concat();
        let winding = application(100_001, &back);
        // From the one cycle to the other.
        assert_eq!(winding.between_cycles().len(), 10_001);
        let growing = application(100_001, &[&chain[..], &[(9, 8, 0.8), (9, 8, 0.8)]].concat())
            .unbounded_cycle()
            .unwrap();
        assert!((growing.spectral_radius - 1.6_f64.sqrt()).abs() < 1e-6, "{}", growing.spectral_radius);
        let names: Vec<u32> = growing.services.iter().map(|it| it.0).collect();
        assert!(names == [8, 9, 8] || names == [9, 8, 9], "{names:?}");
    }

    #[test]
    fn a_sampled_group_shares_its_length_over_its_calls() {
        let calls = [0, 1].map(|i| (EndpointId(i), 0.5));
        let group = Group { sequence_length: 1, ..Group::in_turn(calls) };
        assert!(group.is_sampled());
        assert!((group.expected(&group.calls[0]) - 0.25).abs() < 1e-15);
    }
}
