//! Kubernetes' nodes: their health, taints and evictions; restarts of containers.

use crate::read::{list, real, real_at, required, secs_at, set, small_at, text, text_at};
use crate::selectors::{taint, tolerations};
use meshsim_core::{Id, SimDuration, SimTime};
use meshsim_models::kubernetes::backoff::Backoff;
use meshsim_models::kubernetes::crash_loop::{CrashLoop, CrashLoopSettings};
use meshsim_models::kubernetes::node_lifecycle::{
    NodeDecision, NodeLifecycle, NodeLifecycleSettings, NodeTaint, Ready, WatchedNode, ZoneId,
};
use meshsim_models::kubernetes::scheduler::node::{Effect, Taint, Toleration};
use meshsim_models::kubernetes::taint_eviction::{Eviction, eviction, with_defaults};
use meshsim_models::kubernetes::version::KubernetesVersion;
use meshsim_models::kubernetes::zone_state::{ZoneSettings, ZoneState};
use serde_json::{Map, Value, json};

/// The release whose defaults the vectors have.
const VERSION: KubernetesVersion = KubernetesVersion::new(31);

pub(crate) fn second_at(object: &Value, key: &str) -> Option<SimTime> {
    secs_at(object, key).map(|it| SimTime::ZERO + it)
}

pub(crate) fn zone_state(input: &Value) -> Value {
    let settings = zone_settings(input);
    let count = |key| small_at(input, key).unwrap_or(0);
    let (ready, not_ready) = (count("ready"), count("not_ready"));
    let state = ZoneState::of(ready, not_ready, &settings);
    json!({"state": state.name(), "eviction_rate": state.rate(ready + not_ready, &settings)})
}

fn zone_settings(given: &Value) -> ZoneSettings {
    let usual = ZoneSettings::default();
    ZoneSettings {
        threshold: real_at(given, "unhealthy_zone_threshold").unwrap_or(usual.threshold),
        rate: real_at(given, "eviction_rate").unwrap_or(usual.rate),
        secondary_rate: real_at(given, "secondary_eviction_rate").unwrap_or(usual.secondary_rate),
        large: small_at(given, "large_cluster_threshold").unwrap_or(usual.large),
    }
}

/// A pod of a node.
struct Pod<'a> {
    name: &'a str,
    node: &'a str,
    tolerations: Vec<Toleration>,
    eviction: Option<Eviction>,
    deleted: Option<SimTime>,
}

impl<'a> Pod<'a> {
    fn read(given: &'a Value) -> Self {
        Self {
            name: text(required(given, "name")),
            node: text_at(given, "node").unwrap_or_default(),
            tolerations: match set(given, "tolerations") {
                Some(_) => tolerations(given),
                None => with_defaults(Vec::new()),
            },
            eviction: None,
            deleted: None,
        }
    }

    fn reconsiders(&mut self, taints: &[Taint], now: SimTime) {
        if self.deleted.is_none() {
            self.eviction = eviction(taints, &self.tolerations, self.eviction, now);
        }
    }

    fn is_deleted_by(&mut self, now: SimTime) {
        if let Some(eviction) = self.eviction.filter(|it| it.at <= now && self.deleted.is_none()) {
            self.deleted = Some(eviction.at);
        }
    }
}

pub(crate) fn taint_eviction(input: &Value) -> Value {
    // Here a pod has only what it is given.
    let read = |given| Pod { tolerations: tolerations(given), ..Pod::read(given) };
    let mut pods: Vec<Pod<'_>> = list(input, "pods").iter().map(read).collect();
    let mut steps: Vec<&Value> = list(input, "steps").iter().collect();
    steps.sort_by(|a, b| real(&a["t"]).total_cmp(&real(&b["t"])));
    let until = second_at(input, "until_s").expect("an end");
    let mut taints: Vec<Taint> = Vec::new();
    for step in steps {
        let now = second_at(step, "t").expect("a moment");
        if now > until {
            break;
        }
        pods.iter_mut().for_each(|pod| pod.is_deleted_by(now));
        if set(step, "taints").is_some() {
            taints = list(step, "taints").iter().map(taint).collect();
            pods.iter_mut().for_each(|pod| pod.reconsiders(&taints, now));
        }
        for (name, given) in set(step, "set_tolerations").and_then(Value::as_object).into_iter().flatten() {
            let given = json!({"tolerations": given});
            for pod in pods.iter_mut().filter(|pod| pod.name == name) {
                pod.tolerations = tolerations(&given);
                pod.reconsiders(&taints, now);
            }
        }
    }
    pods.iter_mut().for_each(|pod| pod.is_deleted_by(until));
    let deleted =
        pods.iter().filter_map(|pod| Some((pod.name.to_owned(), json!(pod.deleted?.as_secs_f64()))));
    json!({"deleted": deleted.collect::<Map<_, _>>()})
}

/// What a kubelet writes.
enum Written {
    Lease,
    Status(Ready),
}

pub(crate) fn node_lifecycle(input: &Value) -> Value {
    let config = set(input, "config").cloned().unwrap_or_else(|| json!({}));
    let nodes = list(input, "nodes");
    let zone = |node| text_at(node, "zone").unwrap_or_default();
    let mut zones: Vec<&str> = nodes.iter().map(zone).collect();
    zones.sort_unstable();
    zones.dedup();
    let settings = lifecycle_settings(&config);
    let mut controller = NodeLifecycle::new(settings, zones.len());
    let until = second_at(input, "until_s").expect("an end");
    let mut writes: Vec<(SimTime, WatchedNode, Written)> = Vec::new();
    for node in nodes {
        let zone = ZoneId::from_index(zones.binary_search(&zone(node)).expect("a zone of the list"));
        let ready = match node.get("ready") {
            Some(Value::Null) => None,
            given => Some(condition(given.map_or("True", text))),
        };
        let created = second_at(node, "created_s").unwrap_or(SimTime::ZERO);
        let id = controller.add(zone, created, ready);
        for renewals in list(node, "renewals") {
            let mut at = second_at(renewals, "from").expect("a beginning");
            let to = second_at(renewals, "to").expect("an end").min(until);
            let every = secs_at(renewals, "every").expect("a period");
            while at <= to {
                writes.push((at, id, Written::Lease));
                at += every;
            }
        }
        let posts = list(node, "posts").iter();
        writes.extend(posts.map(|post| {
            let ready = condition(text(required(post, "ready")));
            (second_at(post, "t").expect("a moment"), id, Written::Status(ready))
        }));
    }
    writes.sort_by_key(|(at, _, _)| *at);
    let pods = list(input, "pods").iter().map(Pod::read).collect();
    let names = nodes.iter().map(|node| text(required(node, "name"))).collect();
    let mut watch = Watch { names, pods, timeline: Vec::new(), zones: Vec::new() };
    let mut writes = writes.into_iter().peekable();
    let mut check = second_at(&config, "first_check_s").unwrap_or(SimTime::ZERO);
    loop {
        let write = writes.peek().map(|(at, _, _)| *at);
        let moments = [write, Some(check), controller.next_taint(), watch.next_eviction()];
        let now = moments.into_iter().flatten().min().expect("there is always another check");
        if now > until {
            break;
        }
        let mut decisions = Vec::new();
        if write == Some(now) {
            let (_, node, written) = writes.next().expect("a write is due");
            match written {
                Written::Lease => controller.renews(node, now),
                Written::Status(ready) if controller.posts(node, ready, now) => {
                    watch.tells(now, format!("ready_{}", name(ready)), node);
                }
                Written::Status(_) => {}
            }
        } else if watch.next_eviction() == Some(now) {
            watch.evicts(now);
        } else if check == now {
            controller.checks(now, &mut decisions);
            check += settings.monitor_period;
        } else {
            controller.taints(now, &mut decisions);
        }
        for decision in decisions {
            watch.decided(decision, now, &zones);
        }
    }
    let moments = |list: Vec<(SimTime, String, String)>| {
        let moment = |(at, what, name)| json!([SimTime::as_secs_f64(at), what, name]);
        list.into_iter().map(moment).collect::<Vec<_>>()
    };
    watch.timeline.sort();
    json!({"timeline": moments(watch.timeline), "zones": moments(watch.zones)})
}

pub(crate) fn lifecycle_settings(config: &Value) -> NodeLifecycleSettings {
    let usual = NodeLifecycleSettings::new(VERSION);
    NodeLifecycleSettings {
        monitor_period: secs_at(config, "monitor_period_s").unwrap_or(usual.monitor_period),
        grace: secs_at(config, "grace_s").unwrap_or(usual.grace),
        startup_grace: secs_at(config, "startup_grace_s").unwrap_or(usual.startup_grace),
        zones: zone_settings(config),
    }
}

fn condition(text: &str) -> Ready {
    match text {
        "True" => Ready::True,
        "False" => Ready::False,
        "Unknown" => Ready::Unknown,
        other => panic!("`{other}` is not a condition"),
    }
}

const fn name(ready: Ready) -> &'static str {
    match ready {
        Ready::True => "true",
        Ready::False => "false",
        Ready::Unknown => "unknown",
    }
}

/// Who writes down what the controllers do.
struct Watch<'a> {
    names: Vec<&'a str>,
    pods: Vec<Pod<'a>>,
    timeline: Vec<(SimTime, String, String)>,
    zones: Vec<(SimTime, String, String)>,
}

impl Watch<'_> {
    fn tells(&mut self, now: SimTime, what: String, node: WatchedNode) {
        self.timeline.push((now, what, self.names[node.index()].to_owned()));
    }

    fn decided(&mut self, decision: NodeDecision, now: SimTime, zones: &[&str]) {
        match decision {
            NodeDecision::Unknown(node) => self.tells(now, "ready_unknown".into(), node),
            NodeDecision::PodsNotReady(node) => self.tells(now, "pods_not_ready".into(), node),
            NodeDecision::Taint(node, taint) => {
                let what = if taint == NodeTaint::NotReady { "taint_not_ready" } else { "taint_unreachable" };
                self.tells(now, what.into(), node);
                self.taints(&[no_execute(taint)], node, now);
            }
            NodeDecision::TaintsRemoved(node) => {
                self.tells(now, "taints_removed".into(), node);
                self.taints(&[], node, now);
            }
            NodeDecision::Zone(zone, state) => {
                self.zones.push((now, zones[zone.index()].to_owned(), state.name().to_owned()));
            }
        }
    }

    fn taints(&mut self, taints: &[Taint], node: WatchedNode, now: SimTime) {
        let name = self.names[node.index()];
        self.pods.iter_mut().filter(|pod| pod.node == name).for_each(|pod| pod.reconsiders(taints, now));
    }

    fn next_eviction(&self) -> Option<SimTime> {
        let waiting = self.pods.iter().filter(|pod| pod.deleted.is_none());
        waiting.filter_map(|pod| pod.eviction).map(|it| it.at).min()
    }

    fn evicts(&mut self, now: SimTime) {
        for pod in self.pods.iter_mut().filter(|pod| pod.deleted.is_none()) {
            pod.is_deleted_by(now);
            if pod.deleted.is_some() {
                self.timeline.push((now, "evict".into(), pod.name.to_owned()));
            }
        }
    }
}

pub(crate) fn no_execute(taint: NodeTaint) -> Taint {
    Taint { key: taint.key().to_owned(), value: String::new(), effect: Effect::NoExecute }
}

pub(crate) fn crash_loop(input: &Value) -> Value {
    let usual = CrashLoopSettings::default();
    let mut container = CrashLoop::new(CrashLoopSettings {
        initial: secs_at(input, "initial_s").unwrap_or(usual.initial),
        max: secs_at(input, "max_s").unwrap_or(usual.max),
        reset_after: secs_at(input, "reset_after_s").unwrap_or(usual.reset_after),
    });
    let (mut starts, mut waits) = (vec![SimTime::ZERO], Vec::new());
    for run in list(input, "run_s") {
        let exit = *starts.last().expect("it has started") + SimDuration::from_secs_f64(real(run));
        let start = container.exits(exit);
        waits.push((start - exit).as_secs_f64());
        starts.push(start);
    }
    let starts: Vec<f64> = starts.into_iter().map(SimTime::as_secs_f64).collect();
    json!({"starts_s": starts, "waits_s": waits})
}

pub(crate) fn backoff(input: &Value) -> Value {
    let initial = secs_at(input, "initial_s").expect("a first wait");
    let max = secs_at(input, "max_s").expect("a longest wait");
    let mut backoff = Backoff::new(initial, max, max + max);
    let mut result = |op: &Value| {
        let now = second_at(op, "t").expect("a moment");
        let event = second_at(op, "event_t").unwrap_or(now);
        match text(required(op, "op")) {
            "next" => backoff.step(event, now),
            "reset" => backoff.reset(),
            "gc" => backoff.collect_garbage(now),
            "get" => return json!(backoff.wait().as_secs_f64()),
            "in_backoff_since" => return json!(backoff.is_in_backoff_since(event, now)),
            "in_backoff_since_update" => return json!(backoff.is_in_backoff_since_update(event)),
            "present" => return json!(backoff.is_present()),
            other => panic!("`{other}` is not an operation"),
        }
        Value::Null
    };
    json!({"results": list(input, "ops").iter().map(&mut result).collect::<Vec<_>>()})
}
