//! What a life calls things: who acts, and what was decided from what.

use crate::results::timeline::Names;
use meshsim_core::SimDuration;
use meshsim_models::application::call_graph::DEFAULT_ENDPOINT;
use meshsim_models::envoy::circuit_breaker::Resource;
use meshsim_models::envoy::load_balancer::Policy;
use meshsim_models::envoy::retry::AttemptOutcome;
use meshsim_models::ids::{ClusterId, EndpointId, UpstreamId};
use meshsim_models::telemetry::trace::life::{Call, Life};
use meshsim_models::telemetry::trace::{LEVELS, Refused, Rule};
use meshsim_models::world::topology::Topology;

/// The world of some lives, by its names.
pub(super) struct Words<'a> {
    pub(super) topology: &'a Topology,
    pub(super) names: Names<'a>,
}

impl<'a> Words<'a> {
    pub(super) fn of(topology: &'a Topology) -> Self {
        Self { topology, names: Names::of(&topology.description) }
    }

    /// The name of the users whose request it is.
    pub(super) fn users(&self, life: &Life) -> &str {
        use meshsim_core::Id;
        &self.topology.description.populations[life.request.population.index()].name
    }

    /// Who sends a call.
    pub(super) fn client(&self, call: &Call) -> String {
        match (call.head.proxy, call.head.caller) {
            (Some(proxy), _) => self.names.proxy(call.cluster, proxy),
            (None, Some(pod)) => self.names.pod(pod),
            (None, None) => self.names.cluster(call.cluster),
        }
    }

    /// What is called, with the endpoint where it has a name.
    pub(super) fn called(&self, endpoint: EndpointId) -> String {
        let application = self.topology.application();
        let called = &application.endpoints[endpoint];
        let service = &application.services[called.service].name;
        if called.name == DEFAULT_ENDPOINT { service.clone() } else { format!("{service}.{}", called.name) }
    }

    /// What a proxy calls an upstream: a service, or a subset of one.
    pub(super) fn upstream(&self, upstream: UpstreamId) -> String {
        let spec = self.topology.upstreams.spec(false, upstream);
        let service = self.names.service(spec.service);
        if spec.subset.is_some() { format!("a subset of {service}") } else { service.to_owned() }
    }

    /// From what a rule decided what, where a cluster's proxy or pod applied it.
    pub(super) fn rule(&self, cluster: ClusterId, rule: &Rule) -> String {
        let ms = |it: SimDuration| format!("{:.3} ms", it.as_millis_f64());
        match *rule {
            Rule::Route(_) => "a route of the VirtualService takes the request".to_owned(),
            Rule::Destination(upstream) => format!("goes to {}", self.upstream(upstream)),
            Rule::FaultDelay(delay) => format!("delays the request by {}", ms(delay)),
            Rule::Rewrite(endpoint) => format!("becomes {}", self.called(endpoint)),
            Rule::Timeout(timeout) => format!("the request must end within {}", ms(timeout)),
            Rule::PerTryTimeout(timeout) => format!("this attempt must end within {}", ms(timeout)),
            Rule::Mirror(upstream) => format!("some requests are copied to {}", self.upstream(upstream)),
            Rule::PriorityLoad { loads, levels, level } => priority_load(loads, levels, level),
            Rule::Panic { healthy, hosts, threshold } => {
                format!("{healthy} of {hosts} hosts are healthy, below {threshold} %: all take part")
            }
            Rule::Balancer { policy, hosts, active } => balancer(policy, hosts, active),
            Rule::Ejected(pod, until) => {
                format!("{} is left out until {:.3} s at least", self.names.pod(pod), until.as_secs_f64())
            }
            Rule::ConnectionTo(pod) => {
                format!("connections of {} end at {}", self.names.cluster(cluster), self.names.pod(pod))
            }
            Rule::KeptConnection => "takes a kept connection".to_owned(),
            Rule::NewConnection(took) => format!("waited {} for a connection that was made", ms(took)),
            Rule::NoConnection(took) => {
                format!("waited {} for a connection that could not be made", ms(took))
            }
            Rule::MetClose => "the server has just closed the connection".to_owned(),
            Rule::CircuitBreaker(resource, limit) => {
                let what = match resource {
                    Resource::Connections => "connections",
                    Resource::PendingRequests => "pending requests",
                    Resource::Requests => "requests",
                    Resource::Retries => "retries",
                };
                format!("{limit} {what} are as many as there may be")
            }
            Rule::Retry { number, most, outcome, bound_ms, wait } => format!(
                "{}: retry {number} of {most}, after {} (below {bound_ms} ms)",
                outcome_words(outcome),
                ms(wait)
            ),
            Rule::NoRetry(refused, outcome) => {
                let why = match refused {
                    Refused::NotCovered => "no condition covers it",
                    Refused::Exhausted => "no retry is left",
                    Refused::Limit => "the limit of retries is reached",
                };
                format!("{}: not tried again, {why}", outcome_words(outcome))
            }
            Rule::LocalReply(status) => format!("the proxy itself answers {status}"),
            Rule::CallerGivesUp => "who waits gives up".to_owned(),
            Rule::InboundRetry(number) => format!("the application's port is closed: attempt {number} again"),
            Rule::Window { window, segments, .. } => {
                format!("a window of {window} segments for an answer of {segments}")
            }
            Rule::Round { segments, remaining } => {
                format!("the window lets {segments} segments go, {remaining} wait for a round trip")
            }
            Rule::Late(by) => format!("rounds and lost segments take {}", ms(by)),
            Rule::Swallowed(until) => format!("nothing gets through until {:.3} s", until.as_secs_f64()),
            Rule::CacheHit => "the cache has the answer".to_owned(),
            Rule::Fails(status) => format!("answers {status}"),
            Rule::UserRetry(attempts, wait) => {
                format!("the user tries again after attempt {attempts}, in {}", ms(wait))
            }
            Rule::NoIngress => "no gateway takes the user in".to_owned(),
        }
    }
}

fn priority_load(loads: [u8; LEVELS], levels: u8, level: u8) -> String {
    let shown = loads.iter().take(usize::from(levels)).map(u8::to_string).collect::<Vec<_>>().join("/");
    let more = if usize::from(levels) > LEVELS { "/..." } else { "" };
    format!("{shown}{more} over {levels} levels: level {}", u32::from(level) + 1)
}

fn balancer(policy: Policy, hosts: u32, active: u32) -> String {
    let among = match policy {
        _ if hosts == 1 => "the only host".to_owned(),
        Policy::LeastRequest { choice_count } => {
            format!("the less busy of {choice_count} drawn from {hosts}")
        }
        Policy::RoundRobin => format!("the next of {hosts}"),
        Policy::Random => format!("any of {hosts}"),
        Policy::RingHash { .. } | Policy::Maglev { .. } => format!("by the hash, of {hosts}"),
    };
    format!("{among}, with {active} requests of this proxy")
}

fn outcome_words(outcome: AttemptOutcome) -> String {
    match outcome {
        AttemptOutcome::Answered(status) => format!("answered {status}"),
        AttemptOutcome::ConnectFailure => "no connection".to_owned(),
        AttemptOutcome::Reset => "reset".to_owned(),
        AttemptOutcome::PerTryTimeout => "the try took too long".to_owned(),
        AttemptOutcome::Refused => "refused by a limit".to_owned(),
    }
}
