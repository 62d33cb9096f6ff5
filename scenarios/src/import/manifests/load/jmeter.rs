//! Plans of JMeter: thread groups, their timers, loops and requests.
//!
//! # Models
//! A thread group is a population of users. With a Precise Throughput Timer they request independently of each other at its
//! rate, with a Constant Throughput Timer evenly; with neither they are a closed loop with the pauses of constant timers. Its
//! requests come one after the other, by the first element of their paths, which names a service.
//!
//! # Assumptions
//! All threads are there from the start: a ramp of more than a second is refused where threads pace themselves. Random timers are their means.
//!
//! # Source
//! Apache JMeter 5.6, "Component Reference", and its save format.

use super::super::node::{Node, Value as NodeValue};
use super::jmeter_values::{Around, is_empty};
use super::xml::{CHILDREN, ROOT};
use super::{Group, Load, Shape};
use meshsim_core::SimDuration;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Elements on which no result hangs.
const HARMLESS: [(&str, &str); 14] = [
    ("ResultCollector", "it is about what is written"),
    ("Summariser", "it is about what is written"),
    ("BackendListener", "it is about what is written"),
    ("ResponseAssertion", "it is about what counts as an error"),
    ("DurationAssertion", "it is about what counts as an error"),
    ("JSONPathAssertion", "it is about what counts as an error"),
    ("CookieManager", "cookies that rules hash are users' own anyway"),
    ("CacheManager", "it is about browsers"),
    ("AuthManager", "it is about who users are"),
    ("DNSCacheManager", "names are looked up at once"),
    ("DebugSampler", "it requests nothing"),
    ("RegexExtractor", "it is about texts of answers"),
    ("JSONPostProcessor", "it is about texts of answers"),
    ("SetupThreadGroup", "it is about what is done before"),
];

/// Fields of elements on which no result hangs.
const FIELDS: [(&str, &str); 30] = [
    ("TestPlan.comments", "a text for people"),
    ("TestPlan.functional_mode", "it is about what is written"),
    ("TestPlan.tearDown_on_shutdown", "it is about what is done afterwards"),
    ("TestPlan.user_define_classpath", "it is about JMeter itself"),
    ("ThreadGroup.same_user_on_next_iteration", "users keep their connections"),
    ("ThreadGroup.delayedStart", "all users are there from the start"),
    ("HTTPSampler.domain", "users come in by the gateway of their cluster"),
    ("HTTPSampler.port", "users come in by the gateway of their cluster"),
    ("HTTPSampler.protocol", "users come in by the gateway of their cluster"),
    ("HTTPSampler.contentEncoding", "texts are not simulated"),
    ("HTTPSampler.method", "users request what their service has"),
    ("HTTPSampler.follow_redirects", "where a redirect leads is what users request next"),
    ("HTTPSampler.auto_redirects", "where a redirect leads is what users request next"),
    ("HTTPSampler.DO_MULTIPART_POST", "texts are not simulated"),
    ("HTTPSampler.BROWSER_COMPATIBLE_MULTIPART", "texts are not simulated"),
    ("HTTPSampler.image_parser", "it is about browsers"),
    ("HTTPSampler.concurrentDwn", "it is about browsers"),
    ("HTTPSampler.postBodyRaw", "how large requests are, an endpoint says: request_size"),
    ("HTTPSampler.implementation", "it is about JMeter itself"),
    ("HTTPSampler.connect_timeout", "a gateway takes connections at once"),
    ("HTTPsampler.Arguments", "how large requests are, an endpoint says: request_size"),
    ("allowedThroughputSurplus", "it is about how JMeter draws"),
    ("batchThreadDelay", "a batch is one request"),
    ("duration", "it is for how long JMeter draws"),
    ("exactLimit", "it is about how JMeter draws"),
    ("randomSeed", "a run has a seed of its own"),
    ("RandomTimer.range", "a random timer is its mean"),
    ("LoopController.continue_forever", "the number of loops says it"),
    ("comments", "a text for people"),
    ("TestElement.comments", "a text for people"),
];

/// Steps of a journey at most.
const STEPS_MAX: usize = 1_000;

/// What the rate of a throughput timer is meant for (`calcMode`).
#[derive(Clone, Copy)]
enum Of {
    /// A thread group, whose requests are independent of each other.
    Independent,
    Thread,
    Group,
    /// All threads of the plan, each of which has an equal part.
    Plan,
}

/// What a thread group does.
#[derive(Default)]
struct Doing {
    services: Vec<String>,
    pause: SimDuration,
    /// Rates of timers (1/s), and what each is meant for.
    rates: Vec<(f64, Of)>,
    headers: Table,
    timeout: Option<SimDuration>,
}

/// Reads a plan.
pub(super) fn read(root: &Node, properties: &BTreeMap<String, String>, load: &mut Load) {
    let mut around = Around { properties, variables: BTreeMap::new() };
    let (mut count, mut ends) = (0, Vec::new());
    for (name, plan) in elements(root.child(ROOT)) {
        if name != "TestPlan" {
            plan.matters("beside the plan itself nothing is taken over");
            continue;
        }
        fields(plan);
        if plan.child("TestPlan.serialize_threadgroups").and_then(Node::flag) == Some(true) {
            plan.child("TestPlan.serialize_threadgroups")
                .into_iter()
                .for_each(|it| it.matters("all users are there at the same time"));
        }
        around.define(plan.child("TestPlan.user_defined_variables"));
        let children = elements(plan.child(CHILDREN));
        children.iter().filter(|(name, _)| *name == "Arguments").for_each(|(_, it)| around.define(Some(it)));
        let mut common = Doing::default();
        for (name, it) in &children {
            if !matches!(*name, "ThreadGroup" | "Arguments") {
                element(name, it, &around, &mut common, load);
            }
        }
        let groups: Vec<(&Node, u32)> = children
            .iter()
            .filter(|(name, _)| *name == "ThreadGroup")
            .map(|(_, it)| (*it, around.given(it, "ThreadGroup.num_threads").unwrap_or(1.0).max(1.0) as u32))
            .collect();
        count += groups.len();
        let all = groups.iter().map(|(_, threads)| f64::from(*threads)).sum();
        for (node, users) in groups {
            if let Some(group) = thread_group(node, &around, (users, all), &common, load) {
                ends.push((node, group.end, matches!(group.shape, Shape::Closed(_, None))));
                load.groups.push(group);
            }
        }
    }
    // The run lasts as long as the longest of them.
    let end = load.end();
    for (node, own, is_closed) in ends {
        if is_closed
            && own.is_some()
            && own != end
            && let Some(node) = node.child("ThreadGroup.duration")
        {
            node.matters("users of a closed loop go on to the end of the run");
        }
    }
    if count == 0 {
        root.wrong("a plan without a thread group", "add one, with what it requests");
    }
}

/// The elements of a list that are switched on, each with its name.
fn elements(list: Option<&Node>) -> Vec<(&str, &Node)> {
    let all = list.map(Node::items).unwrap_or_default().iter().filter_map(|it| match &it.value {
        NodeValue::Map(entries) => entries.first().map(|(name, node)| (&**name, node)),
        _ => None,
    });
    let is_on = |node: &Node| match node.child("enabled") {
        Some(_) => {
            node.harmless("it is switched off");
            false
        }
        None => true,
    };
    all.filter(|(_, node)| is_on(node)).collect()
}

/// Marks what no result hangs on.
fn fields(node: &Node) {
    for (key, why) in FIELDS {
        node.child(key).into_iter().for_each(|it| it.harmless(why));
    }
}

/// A thread group of so many of all threads.
fn thread_group(
    node: &Node,
    around: &Around<'_>,
    (users, all): (u32, f64),
    common: &Doing,
    load: &mut Load,
) -> Option<Group> {
    fields(node);
    let number = |key: &str| around.given(node, key);
    if let Some(on_error) = node.child("ThreadGroup.on_sample_error")
        && !matches!(on_error.text(), Some("continue" | "startnextloop"))
    {
        on_error.matters("users who fail go on");
    }
    let scheduled = node.child("ThreadGroup.scheduler").and_then(Node::flag) == Some(true);
    let [length, delay] = ["ThreadGroup.duration", "ThreadGroup.delay"].map(|key| match scheduled {
        true => number(key),
        false => {
            node.child(key).into_iter().for_each(|it| it.harmless("the schedule is switched off"));
            None
        }
    });
    let begin = SimDuration::from_secs_f64(delay.unwrap_or(0.0).max(0.0));
    let main = node.child("ThreadGroup.main_controller");
    if let Some(main) = main {
        fields(main);
    }
    let loops = main.and_then(|it| it.child("LoopController.loops")).and_then(|it| around.number(it));
    let loops = loops.filter(|it| *it >= 0.0).map(|it| it as u32);
    let mut doing = Doing {
        pause: common.pause,
        headers: common.headers.clone(),
        rates: common.rates.clone(),
        ..Doing::default()
    };
    for (name, it) in elements(node.child(CHILDREN)) {
        element(name, it, around, &mut doing, load);
    }
    if doing.services.is_empty() {
        node.matters("it requests nothing over HTTP");
        return None;
    }
    let steps = doing.services.len() as u32;
    doing.services.dedup();
    let mut table = Table::new();
    if !doing.headers.is_empty() {
        table.insert("headers".to_owned(), Value::Table(doing.headers));
    }
    if let Some(timeout) = doing.timeout {
        table.insert("timeout".to_owned(), Value::String(timeout.to_string()));
    }
    let shape = match doing.rates.as_slice() {
        [] => Shape::Closed(doing.pause, loops.map(|it| it.saturating_mul(steps).max(1))),
        [(rate, Of::Independent)] => Shape::Poisson(*rate),
        [(rate, of)] => {
            let share = match of {
                Of::Independent | Of::Group => 1.0,
                Of::Thread => f64::from(users),
                Of::Plan => f64::from(users) / all,
            };
            Shape::Steps(vec![(SimDuration::ZERO, rate * share)])
        }
        _ => {
            node.matters("of several throughput timers in a thread group it is not said which holds");
            return None;
        }
    };
    let is_open = !matches!(shape, Shape::Closed(..));
    if let Some(ramp) = node.child("ThreadGroup.ramp_time") {
        match number("ThreadGroup.ramp_time") {
            Some(seconds) if seconds > 1.0 && !is_open => {
                ramp.matters("users of a closed loop are there from the start");
            }
            _ => ramp.harmless("all users are there from the start, or as soon as their rate needs them"),
        }
    }
    if is_open {
        load.assume("a thread group of JMeter has threads enough for the rate of its timer");
        if let (Some(_), Some(node)) = (loops, main.and_then(|it| it.child("LoopController.loops"))) {
            node.matters("users at a rate go on to the end of the run");
        }
    } else if begin > SimDuration::ZERO
        && let Some(node) = node.child("ThreadGroup.delay")
    {
        node.matters("users of a closed loop begin with the run");
    }
    Some(Group {
        services: doing.services,
        users: Some(users),
        table,
        shape,
        begin,
        end: length.map(|it| begin.saturating_add(SimDuration::from_secs_f64(it.max(0.0)))),
        ..Group::default()
    })
}

/// What an element of a thread group adds, with what is below it.
fn element(name: &str, node: &Node, around: &Around<'_>, doing: &mut Doing, load: &mut Load) {
    if let Some((_, why)) = HARMLESS.iter().find(|(known, _)| *known == name) {
        node.harmless(*why);
        return;
    }
    fields(node);
    let millis = |key: &str| {
        let amount = node.child(key).and_then(|it| around.number(it)).unwrap_or(0.0);
        SimDuration::from_nanos_f64(amount.max(0.0) * 1e6)
    };
    match name {
        "HTTPSamplerProxy" => sampler(node, around, doing),
        "PreciseThroughputTimer" => {
            let rate = node.child("throughput").and_then(|it| around.number(it));
            let period = node.child("throughputPeriod").and_then(|it| around.number(it)).unwrap_or(3600.0);
            doing
                .rates
                .extend(rate.filter(|it| *it > 0.0 && period > 0.0).map(|it| (it / period, Of::Independent)));
            if let Some(batch) = node.child("batchSize").filter(|it| it.whole() != Some(1)) {
                batch.matters("requests come one by one");
            }
        }
        "ConstantThroughputTimer" => {
            let rate = node.child("throughput").and_then(|it| around.number(it));
            // Plans of before 5.0 have the words of their user.
            let of = match node.child("calcMode").and_then(Node::text) {
                None | Some("0" | "this thread only") => Of::Thread,
                Some("1" | "3" | "all active threads" | "all active threads (shared)") => Of::Plan,
                Some(
                    "2"
                    | "4"
                    | "all active threads in current thread group"
                    | "all active threads in current thread group (shared)",
                ) => Of::Group,
                Some(_) => {
                    node.child("calcMode")
                        .into_iter()
                        .for_each(|it| it.wrong("calcMode is none of JMeter's", "write 0 to 4"));
                    return;
                }
            };
            doing.rates.extend(rate.filter(|it| *it > 0.0).map(|it| (it / 60.0, of)));
        }
        "ConstantTimer" => doing.pause = doing.pause.saturating_add(millis("ConstantTimer.delay")),
        "UniformRandomTimer" | "GaussianRandomTimer" => {
            let mean = millis("ConstantTimer.delay");
            let half = node.child("RandomTimer.range").and_then(|it| around.number(it)).unwrap_or(0.0) / 2.0;
            let more = if name == "UniformRandomTimer" { half.max(0.0) } else { 0.0 };
            doing.pause =
                doing.pause.saturating_add(mean).saturating_add(SimDuration::from_nanos_f64(more * 1e6));
            load.assume("random timers of JMeter are constant, with their means");
        }
        "HeaderManager" => {
            for it in node.child("HeaderManager.headers").map(Node::items).unwrap_or_default() {
                let word = |key: &str| it.child(key).and_then(|it| around.text(it, true));
                if let (Some(name), Some(value)) = (word("Header.name"), word("Header.value")) {
                    doing.headers.insert(name.to_lowercase(), Value::String(value));
                }
            }
        }
        "ConfigTestElement" | "Arguments" => {
            node.harmless("what requests have in common: users come in by the gateway of their cluster");
            return;
        }
        "GenericController" | "TransactionController" => {
            ["TransactionController.includeTimers", "TransactionController.parent"]
                .iter()
                .filter_map(|key| node.child(key))
                .for_each(|it| it.harmless("it is about what is written"));
        }
        "LoopController" => {
            let loops = node.child("LoopController.loops").and_then(|it| around.number(it)).unwrap_or(1.0);
            let before = doing.services.len();
            for (name, it) in elements(node.child(CHILDREN)) {
                element(name, it, around, doing, load);
            }
            let once: Vec<String> = doing.services[before..].to_vec();
            let times = if loops < 0.0 { 1 } else { loops as usize };
            if once.len().saturating_mul(times) > STEPS_MAX {
                node.matters("a journey has at most 1000 steps");
                return;
            }
            doing.services.truncate(before);
            (0..times).for_each(|_| doing.services.extend(once.iter().cloned()));
            return;
        }
        _ => {
            node.matters("of elements of a plan, thread groups, requests, timers and loops are taken over");
            return;
        }
    }
    for (name, it) in elements(node.child(CHILDREN)) {
        element(name, it, around, doing, load);
    }
}

fn sampler(node: &Node, around: &Around<'_>, doing: &mut Doing) {
    let path = node.child("HTTPSampler.path").and_then(|it| around.text(it, false)).unwrap_or_default();
    let first = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
    doing.services.push(first.to_owned());
    if let Some(keep) = node.child("HTTPSampler.use_keepalive")
        && keep.flag() == Some(false)
    {
        keep.matters("users keep their connections: users.X.reconnects_after");
    }
    if let Some(millis) = node.child("HTTPSampler.response_timeout").filter(|it| !is_empty(it))
        && let Some(millis) = around.number(millis).filter(|it| *it > 0.0)
    {
        doing.timeout = Some(SimDuration::from_nanos_f64(millis * 1e6));
    }
}
