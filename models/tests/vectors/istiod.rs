//! What istiod pushes, and when.

use crate::read::{flag_at, list, millis_at, moment_at, required, set, signed, small_at, text, text_at};
use meshsim_core::{Id, SimDuration, SimTime};
use meshsim_models::ids::ProxyId;
use meshsim_models::istiod::debounce::{Debounce, DebounceSettings, Push};
use meshsim_models::istiod::endpoint_health::{Health, health};
use meshsim_models::istiod::istio_version::NEWEST;
use meshsim_models::istiod::push_kind::{EndpointShards, PushKind, ShardEndpoint};
use meshsim_models::istiod::push_queue::{PushQueue, Request, concurrent_pushes};
use meshsim_models::kubernetes::endpoint_slice::Conditions;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn endpoint_health(input: &Value) -> Value {
    let conditions = Conditions {
        ready: flag_at(input, "ready"),
        serving: flag_at(input, "serving"),
        terminating: flag_at(input, "terminating"),
    };
    let persistent_sessions = flag_at(input, "persistent_sessions").unwrap_or(false);
    let health = health(conditions, persistent_sessions);
    let sent = health.is_sent(flag_at(input, "send_unhealthy").unwrap_or(false), persistent_sessions);
    let name = match health {
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
        Health::Draining => "draining",
        Health::Terminating => "terminating",
    };
    json!({"health": name, "sent": sent})
}

type Shards = EndpointShards<String, String, String, Details>;

/// All that is said of an endpoint beside what the room asks for.
#[derive(PartialEq)]
struct Details(BTreeMap<String, Value>);

pub(crate) fn push_kind(input: &Value) -> Value {
    let initial = set(input, "initial").and_then(Value::as_object).into_iter().flatten();
    let initial = initial.map(|(shard, endpoints)| {
        let endpoints = endpoints.as_array().expect("endpoints of a shard");
        (shard.clone(), endpoints.iter().map(endpoint).collect())
    });
    let mut service = Shards::new(initial.collect());
    let kind = |step: &Value| {
        let endpoints = list(step, "endpoints").iter().map(endpoint).collect();
        match service.update(text(required(step, "shard")).to_owned(), endpoints) {
            None => "none",
            Some(PushKind::Incremental) => "incremental",
            Some(PushKind::Full) => "full",
        }
    };
    json!({"pushes": list(input, "steps").iter().map(kind).collect::<Vec<_>>()})
}

fn endpoint(given: &Value) -> ShardEndpoint<String, String, Details> {
    let asked_for = ["address", "health", "send_unhealthy", "service_account"];
    let said = given.as_object().expect("an endpoint is an object").iter();
    let said = said.filter(|(key, value)| !asked_for.contains(&key.as_str()) && !value.is_null());
    ShardEndpoint {
        address: text(required(given, "address")).to_owned(),
        health: match text_at(given, "health").unwrap_or("healthy") {
            "healthy" => Health::Healthy,
            "unhealthy" => Health::Unhealthy,
            "draining" => Health::Draining,
            "terminating" => Health::Terminating,
            other => panic!("`{other}` is not how an endpoint is"),
        },
        send_unhealthy: flag_at(given, "send_unhealthy").unwrap_or(false),
        service_account: text_at(given, "service_account").filter(|it| !it.is_empty()).map(str::to_owned),
        details: Details(said.map(|(key, value)| (key.clone(), value.clone())).collect()),
    }
}

pub(crate) fn debounce(input: &Value) -> Value {
    let defaults = DebounceSettings::default();
    let mut debounce = Debounce::new(DebounceSettings {
        after: millis_at(input, "debounce_after_ms").unwrap_or(defaults.after),
        max: millis_at(input, "debounce_max_ms").unwrap_or(defaults.max),
        endpoints: flag_at(input, "eds_debounce").unwrap_or(defaults.endpoints),
    });
    let preparing = millis_at(input, "push_duration_ms").unwrap_or(SimDuration::ZERO);
    let mut changes: Vec<(SimTime, PushKind)> = list(input, "events")
        .iter()
        .map(|event| {
            let kind = match text(required(event, "kind")) {
                "endpoints" => PushKind::Incremental,
                "config" => PushKind::Full,
                other => panic!("`{other}` is not a kind of change"),
            };
            (moment_at(event, "t"), kind)
        })
        .collect();
    changes.sort_by_key(|(at, _)| *at);
    let mut changes = changes.into_iter().peekable();
    let (mut prepared, mut pushes): (Option<SimTime>, Vec<(SimTime, Push)>) = (None, Vec::new());
    loop {
        let change = changes.peek().map(|(at, _)| *at);
        // A push that is prepared in no time is prepared before anything else happens.
        let Some(now) = [prepared, debounce.timer(), change].into_iter().flatten().min() else { break };
        if prepared == Some(now) {
            prepared = None;
            let push = debounce.is_prepared(now);
            begin(push, now, preparing, &mut prepared, &mut pushes);
        } else if change == Some(now) {
            let (_, kind) = changes.next().expect("a change is due");
            pushes.extend(debounce.changes(kind, now).map(|push| (now, push)));
        } else {
            let push = debounce.timer_fires(now);
            begin(push, now, preparing, &mut prepared, &mut pushes);
        }
    }
    let of_kind = |kind| pushes.iter().filter(|(_, push)| push.kind == kind).count();
    let named = |(at, push): &(SimTime, Push)| {
        let kind = if push.kind == PushKind::Full { "full" } else { "incremental" };
        json!({"t": at.as_secs_f64() * 1e3, "kind": kind, "events": push.changes})
    };
    json!({
        "pushes": pushes.iter().map(named).collect::<Vec<_>>(),
        "incremental": of_kind(PushKind::Incremental),
        "full": of_kind(PushKind::Full),
    })
}

fn begin(
    push: Option<Push>,
    now: SimTime,
    preparing: SimDuration,
    prepared: &mut Option<SimTime>,
    pushes: &mut Vec<(SimTime, Push)>,
) {
    if let Some(push) = push {
        pushes.push((now, push));
        *prepared = Some(now + preparing);
    }
}

pub(crate) fn push_throttle(input: &Value) -> Value {
    let cores = small_at(input, "cores").expect("a number of cores");
    let throttle = set(input, "push_throttle").map_or(0, signed);
    json!({"concurrent_pushes": concurrent_pushes(NEWEST, cores, throttle)})
}

/// Changes by name.
struct Changes(BTreeSet<String>);

impl Request for Changes {
    fn merge(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

pub(crate) fn push_queue(input: &Value) -> Value {
    let ops = list(input, "ops");
    let proxies: BTreeSet<&str> = ops.iter().filter_map(|op| op.get(1)).map(text).collect();
    let proxies: Vec<&str> = proxies.into_iter().collect();
    let id = |op: &Value| {
        let index = proxies.binary_search(&text(&op[1])).expect("a proxy of the list");
        ProxyId::from_index(index)
    };
    let mut queue: PushQueue<ProxyId, Changes> = PushQueue::new(proxies.len());
    let mut result = |op: &Value| match text(&op[0]) {
        "enqueue" => {
            let changes = op[2].as_array().expect("a list of changes").iter().map(|it| text(it).to_owned());
            queue.enqueue(id(op), Changes(changes.collect()));
            Value::Null
        }
        "dequeue" => match queue.dequeue() {
            Some((proxy, changes)) => json!([proxies[proxy.index()], changes.0]),
            None => json!([null, []]),
        },
        "done" => {
            queue.is_done(id(op));
            Value::Null
        }
        other => panic!("`{other}` is not an operation"),
    };
    let results: Vec<Value> = ops.iter().map(&mut result).collect();
    let queued: Vec<&str> = queue.waiting().map(|proxy| proxies[proxy.index()]).collect();
    json!({"results": results, "queued": queued})
}
