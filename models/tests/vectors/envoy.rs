//! Envoy's mechanisms, outlier detection apart.

use crate::read::{
    flag_at, list, millis_at, real, real_at, required, set, small, small_at, text, whole, whole_at,
};
use meshsim_core::SimDuration;
use meshsim_models::envoy::circuit_breaker::{CircuitBreaker, Resource, Thresholds};
use meshsim_models::envoy::host_selection::select;
use meshsim_models::envoy::load_balancer::earliest_deadline::EarliestDeadline;
use meshsim_models::envoy::load_balancer::slow_start::SlowStart;
use meshsim_models::envoy::load_balancer::{LeastRequest, WeightedLeastRequest, weight_under_load};
use meshsim_models::envoy::locality_weights::{LocalityHosts, LocalityWeights};
use meshsim_models::envoy::priority_load::{
    Availability, DEFAULT_OVERPROVISIONING_FACTOR, DEFAULT_PANIC_THRESHOLD, HostCounts, Level, LevelLoad,
    PriorityLoad, choose_priority,
};
use meshsim_models::envoy::retry::BackOff;
use meshsim_models::envoy::retry_budget::{RetryBudget, retry_limit};
use serde_json::{Value, json};

pub(crate) fn priority_load(input: &Value) -> Value {
    let factor = small_at(input, "overprovisioning_factor").unwrap_or(DEFAULT_OVERPROVISIONING_FACTOR);
    let weighted = flag_at(input, "weighted_priority_health").unwrap_or(false);
    let level = |priority: &Value| {
        let hosts = host_counts(priority);
        let weights = set(priority, "weights").filter(|_| weighted);
        Level {
            hosts,
            measured: weights.map_or(hosts, host_counts),
            overprovisioning_factor: small_at(priority, "overprovisioning_factor").unwrap_or(factor),
        }
    };
    let levels: Vec<_> = list(input, "priorities").iter().map(level).collect();
    let threshold = small_at(input, "panic_threshold").unwrap_or(DEFAULT_PANIC_THRESHOLD);
    let load = PriorityLoad::new(&levels, threshold);
    let each = |of: fn(&LevelLoad) -> u32| load.levels().iter().map(of).collect::<Vec<_>>();
    json!({
        "health": each(|level| level.health),
        "degraded_health": each(|level| level.degraded_health),
        "normalized_total": load.normalized_total(),
        "load": each(|level| level.load),
        "degraded_load": each(|level| level.degraded_load),
        "panic": load.levels().iter().map(|level| level.panic).collect::<Vec<_>>(),
    })
}

fn host_counts(object: &Value) -> HostCounts {
    let count = |key| whole_at(object, key).unwrap_or(0);
    HostCounts {
        total: whole(required(object, "total")),
        healthy: count("healthy"),
        degraded: count("degraded"),
        excluded: count("excluded"),
    }
}

pub(crate) fn priority_choice(input: &Value) -> Value {
    let loads = list(input, "load").iter().map(|load| small(whole(load)));
    let degraded: Vec<_> = list(input, "degraded_load").iter().map(|load| small(whole(load))).collect();
    let levels: Vec<_> = loads
        .enumerate()
        .map(|(priority, load)| LevelLoad {
            load,
            degraded_load: degraded.get(priority).copied().unwrap_or(0),
            ..LevelLoad::default()
        })
        .collect();
    let (priority, availability) = choose_priority(&levels, whole(required(input, "hash")));
    let availability = match availability {
        Availability::Healthy => "healthy",
        Availability::Degraded => "degraded",
    };
    json!({"priority": priority, "availability": availability})
}

pub(crate) fn locality_weights(input: &Value) -> Value {
    let locality = |locality: &Value| LocalityHosts {
        weight: small(whole(required(locality, "weight"))),
        total: small(whole(required(locality, "total"))),
        healthy: small(whole(required(locality, "healthy"))),
        excluded: small_at(locality, "excluded").unwrap_or(0),
    };
    let localities: Vec<_> = list(input, "localities").iter().map(locality).collect();
    let factor = small_at(input, "overprovisioning_factor").unwrap_or(DEFAULT_OVERPROVISIONING_FACTOR);
    let mut weights = LocalityWeights::new(&localities, factor);
    let effective = weights.effective().to_vec();
    let shares: Option<Vec<_>> = (0..effective.len()).map(|locality| weights.share(locality)).collect();
    weights.throw_away(whole_at(input, "initial_picks").unwrap_or(0) as usize);
    let mut counts = vec![0; effective.len()];
    for _ in 0..whole_at(input, "picks").unwrap_or(0) {
        let Some(locality) = weights.pick() else { break };
        counts[locality] += 1;
    }
    let counts = weights.pick().map(|_| counts);
    json!({"effective_weights": effective, "shares": shares, "counts": counts})
}

pub(crate) fn edf_sequence(input: &Value) -> Value {
    let reals = |of: &Value| list(of, "weights").iter().map(real).collect::<Vec<_>>();
    let mut weights = reals(input);
    let mut schedule = EarliestDeadline::new(weights.len(), |host| weights[host]);
    schedule.throw_away(whole_at(input, "initial_picks").unwrap_or(0) as usize, |host| weights[host]);
    let mut sequence = Vec::new();
    for pick in 0..whole(required(input, "picks")) {
        for change in list(input, "changes") {
            if whole(required(change, "after_pick")) == pick {
                weights = reals(change);
            }
        }
        sequence.extend(schedule.pick(|host| weights[host]));
    }
    json!({"sequence": sequence})
}

pub(crate) fn least_request_weight(input: &Value) -> Value {
    let weight = weight_under_load(
        real(required(input, "weight")),
        small(whole(required(input, "active_requests"))),
        real(required(input, "active_request_bias")),
    );
    json!({"weight": weight})
}

pub(crate) fn least_request_choice(input: &Value) -> Value {
    let active = counts(input, "active_requests");
    let drawn = list(input, "random").iter().map(|random| (whole(random) % active.len() as u64) as usize);
    json!({"host": LeastRequest::least(drawn, |host| active[host])})
}

pub(crate) fn least_request_sequence(input: &Value) -> Value {
    let weights: Vec<_> = list(input, "weights").iter().map(real).collect();
    let bias = real_at(input, "active_request_bias").unwrap_or(1.0);
    let initial = counts(input, "initial_active");
    let initially = |host: usize| initial.get(host).copied().unwrap_or(0);
    let mut policy = WeightedLeastRequest::new(bias, weights.len(), |host| weights[host], initially);
    let mut step = |step: &Value| {
        let active = counts(step, "active_requests");
        let pick = |_| policy.pick(|host| weights[host], |host| active[host]);
        (0..whole(required(step, "picks"))).filter_map(pick).collect::<Vec<_>>()
    };
    json!({"sequences": list(input, "steps").iter().map(&mut step).collect::<Vec<_>>()})
}

fn counts(object: &Value, key: &str) -> Vec<u32> {
    list(object, key).iter().map(|count| small(whole(count))).collect()
}

pub(crate) fn slow_start(input: &Value) -> Value {
    let default = SlowStart::new(millis_at(input, "window_ms").expect("a window"));
    let policy = SlowStart {
        min_weight_percent: real_at(input, "min_weight_percent").unwrap_or(default.min_weight_percent),
        aggression: real_at(input, "aggression").unwrap_or(default.aggression),
        ..default
    };
    let bias = real_at(input, "active_request_bias").unwrap_or(0.0);
    let weight = |host: &Value| {
        let since_start = millis_at(host, "time_since_start_ms");
        let factor = since_start.map_or(1.0, |since: SimDuration| policy.factor(since));
        let active = small_at(host, "active_requests").unwrap_or(0);
        weight_under_load(real_at(host, "weight").unwrap_or(1.0), active, bias) * factor
    };
    let weights: Vec<_> = list(input, "hosts").iter().map(weight).collect();
    let mut schedule = EarliestDeadline::new(weights.len(), |host| weights[host]);
    let picks = 0..whole_at(input, "picks").unwrap_or(0);
    let sequence: Vec<_> = picks.filter_map(|_| schedule.pick(|host| weights[host])).collect();
    json!({"weights": weights, "sequence": sequence})
}

pub(crate) fn retry_backoff(input: &Value) -> Value {
    let default = BackOff::new(whole(required(input, "base_interval_ms")));
    let max_interval_ms = whole_at(input, "max_interval_ms").unwrap_or(default.max_interval_ms);
    let policy = BackOff { max_interval_ms, ..default };
    let retries = || list(input, "random").iter().zip(1..);
    let bounds: Vec<_> = retries().map(|(_, n)| policy.upper_bound_ms(n)).collect();
    let backoffs: Vec<_> = retries().map(|(random, n)| policy.jittered_ms(n, whole(random))).collect();
    json!({"upper_bounds_ms": bounds, "backoff_ms": backoffs})
}

pub(crate) fn retry_budget(input: &Value) -> Value {
    let count = |key| whole_at(input, key).unwrap_or(0);
    let budget = RetryBudget::of(real_at(input, "budget_percent"), small_at(input, "min_retry_concurrency"));
    let max_retries = small_at(input, "max_retries").unwrap_or(Thresholds::ENVOY.max_retries);
    let limit = retry_limit(budget, max_retries, count("active_requests") + count("pending_requests"));
    json!({"limit": limit, "retry_allowed": count("active_retries") < limit})
}

pub(crate) fn circuit_breaker(input: &Value) -> Value {
    let given = required(input, "thresholds");
    let default = Thresholds::ENVOY;
    let limit = |key, default| small_at(given, key).unwrap_or(default);
    // A budget that says nothing is a budget with the defaults.
    let budget = |budget: &Value| {
        let (percent, least) = (real_at(budget, "budget_percent"), small_at(budget, "min_retry_concurrency"));
        RetryBudget::of(percent, least).unwrap_or_default()
    };
    let thresholds = Thresholds {
        max_connections: limit("max_connections", default.max_connections),
        max_pending_requests: limit("max_pending_requests", default.max_pending_requests),
        max_requests: limit("max_requests", default.max_requests),
        max_retries: limit("max_retries", default.max_retries),
        retry_budget: set(given, "retry_budget").map(budget),
    };
    let mut breaker = CircuitBreaker::new(thresholds);
    let mut operate = |operation: &Value| {
        let resource = resource(text(&operation[1]));
        match text(&operation[0]) {
            "acquire" => Some(breaker.acquire(resource)),
            "release" => {
                breaker.release(resource);
                None
            }
            other => panic!("`{other}` is not an operation"),
        }
    };
    let allowed: Vec<_> = list(input, "ops").iter().map(&mut operate).collect();
    let names = ["connections", "pending_requests", "requests", "retries"];
    let counts: serde_json::Map<_, _> =
        names.map(|name| (name.to_owned(), breaker.count(resource(name)).into())).into_iter().collect();
    json!({"allowed": allowed, "counts": counts})
}

fn resource(name: &str) -> Resource {
    match name {
        "connections" => Resource::Connections,
        "pending_requests" => Resource::PendingRequests,
        "requests" => Resource::Requests,
        "retries" => Resource::Retries,
        other => panic!("`{other}` is not a resource"),
    }
}

pub(crate) fn host_selection(input: &Value) -> Value {
    let mut draws = list(input, "draws").iter().map(|host| (!host.is_null()).then(|| whole(host)));
    let rejected: Vec<_> = list(input, "rejected").iter().map(whole).collect();
    let attempts = small(whole(required(input, "host_selection_retry_max_attempts")));
    let selection = select(|| draws.next().flatten(), |host| rejected.contains(&host), attempts);
    json!({"host": selection.host, "draws_used": selection.draws})
}
