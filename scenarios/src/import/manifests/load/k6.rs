//! Options of k6: executors and stages.
//!
//! # Assumptions
//! An iteration is one request without a pause: what a script does, its options do not say.
//! Requests of arrival rates are evenly spread, as k6 starts iterations.
//!
//! # Source
//! Grafana k6, "Scenarios": `constant-vus`, `ramping-vus`, `constant-arrival-rate`, `ramping-arrival-rate`, `shared-iterations`,
//! `per-vu-iterations`, with their defaults, and the options `vus`, `duration`, `iterations`, `stages` that stand for one of them.

use super::super::node::Node;
use super::{Group, Load, Shape};
use meshsim_core::SimDuration;

/// How long executors of iterations wait for them if they say nothing.
const MAX_DURATION: SimDuration = SimDuration::from_secs(600);

/// Options of which no result hangs on.
const HARMLESS: [(&str, &str); 19] = [
    ("paused", "it is about when k6 begins"),
    ("thresholds", "what users are to get is [[objective]] of a scenario"),
    ("setupTimeout", "it is about what is done before"),
    ("teardownTimeout", "it is about what is done afterwards"),
    ("noSetup", "it is about what is done before"),
    ("noTeardown", "it is about what is done afterwards"),
    ("systemTags", "it is about what k6 reports"),
    ("summaryTrendStats", "it is about what k6 reports"),
    ("summaryTimeUnit", "it is about what k6 reports"),
    ("tags", "it is about what k6 reports"),
    ("ext", "it is about where k6 runs"),
    ("cloud", "it is about where k6 runs"),
    ("userAgent", "no rule of a scenario goes by it unless users have it as a header"),
    ("discardResponseBodies", "it is about what k6 keeps"),
    ("insecureSkipTLSVerify", "certificates are right"),
    ("tlsVersion", "users speak plain HTTP to their gateway"),
    ("hosts", "addresses are not simulated"),
    ("dns", "names are looked up at once"),
    ("minIterationDuration", "an iteration is one request"),
];

/// Fields of any executor on which no result hangs.
const OF_EXECUTORS: [(&str, &str); 7] = [
    ("exec", "an iteration is one request"),
    ("env", "an iteration is one request"),
    ("tags", "it is about what k6 reports"),
    ("options", "it is about browsers"),
    ("gracefulStop", "what is open at the end is not reported"),
    ("gracefulRampDown", "what is open at the end is not reported"),
    ("preAllocatedVUs", "there are as many users as the rate needs"),
];

/// Reads the options.
pub(super) fn read(root: &Node, load: &mut Load) {
    load.assume("an iteration of k6 is one request, without a pause before the next: its options do not say what its script does");
    for (key, why) in HARMLESS {
        root.child(key).into_iter().for_each(|it| it.harmless(why));
    }
    match root.child("scenarios").map(Node::entries) {
        Some(listed) if !listed.is_empty() => {
            for (name, node) in listed {
                if let Some(group) = scenario(name, node, load) {
                    load.groups.push(group);
                }
            }
            refuse_early_ends(listed, load);
            for key in ["vus", "duration", "iterations", "stages"] {
                root.child(key).into_iter().for_each(|it| it.harmless("scenarios stand before it"));
            }
        }
        _ => {
            // As k6 derives an executor from the options.
            let executor = match () {
                () if root.child("stages").is_some() => "ramping-vus",
                () if root.child("iterations").is_some() => "shared-iterations",
                () => "constant-vus",
            };
            let group = group("", executor, root, load);
            load.groups.extend(group);
        }
    }
}

/// Users of a closed loop who would end before others do.
fn refuse_early_ends(listed: &[(Box<str>, Node)], load: &Load) {
    let Some(end) = load.end() else { return };
    for group in
        load.groups.iter().filter(|it| matches!(it.shape, Shape::Closed(_, None)) && it.end < Some(end))
    {
        let node = listed.iter().find(|(name, _)| **name == *group.name).map(|(_, node)| node);
        if let Some(node) = node.and_then(|it| it.child("duration")) {
            node.matters("users of a closed loop go on to the end of the run");
        }
    }
}

fn scenario(name: &str, node: &Node, load: &mut Load) -> Option<Group> {
    for (key, why) in OF_EXECUTORS {
        node.child(key).into_iter().for_each(|it| it.harmless(why));
    }
    let Some(executor) = node.child("executor").and_then(Node::text) else {
        node.wrong("a scenario of k6 without an executor", "write executor: constant-vus");
        return None;
    };
    group(name, executor, node, load)
}

fn group(name: &str, executor: &str, node: &Node, load: &mut Load) -> Option<Group> {
    let whole = |key: &str| node.child(key).and_then(Node::whole);
    let begin_node = node.child("startTime");
    let begin = begin_node.and_then(time).unwrap_or_default();
    let duration = node.child("duration").and_then(time);
    let mut group = Group { name: name.to_owned(), begin, ..Group::default() };
    let ends = |length: Option<SimDuration>| length.map(|it| begin.saturating_add(it));
    match executor {
        "constant-vus" | "constant-arrival-rate" if duration.is_none() => {
            // Options without it are one iteration, whatever their `vus`.
            node.wrong(
                format!("`{executor}` without a duration"),
                "write duration: 30s, or the iterations or stages",
            );
            return None;
        }
        "constant-vus" => {
            group.users = Some(whole("vus").unwrap_or(1));
            group.shape = Shape::Closed(SimDuration::ZERO, None);
            group.end = ends(duration);
        }
        "ramping-vus" => {
            let first = node.child("startVUs").or(node.child("vus")).and_then(Node::whole).unwrap_or(1);
            let (stages, length) = stages(node)?;
            let most = stages.iter().map(|(_, target)| *target as u32).chain([first]).max().unwrap_or(first);
            let listed = node.child("stages")?;
            listed.matters("users of a closed loop are as many from the start to the end: the most of them");
            group.users = Some(most.max(1));
            group.shape = Shape::Closed(SimDuration::ZERO, None);
            group.end = ends(Some(length));
        }
        "constant-arrival-rate" => {
            let rate = f64::from(whole("rate")?) / unit(node);
            group.shape = Shape::Steps(vec![(SimDuration::ZERO, rate)]);
            group.end = ends(duration);
            users_of_rate(node, load);
        }
        "ramping-arrival-rate" => {
            let unit = unit(node);
            let first = f64::from(whole("startRate").unwrap_or(0)) / unit;
            let (stages, length) = stages(node)?;
            let mut points = vec![(SimDuration::ZERO, first)];
            points.extend(stages.into_iter().map(|(at, target)| (at, target / unit)));
            group.shape = Shape::Ramps(points);
            group.end = ends(Some(length));
            users_of_rate(node, load);
        }
        "shared-iterations" | "per-vu-iterations" => {
            let users = whole("vus").unwrap_or(1).max(1);
            let iterations = whole("iterations").unwrap_or(1);
            let each = if executor == "shared-iterations" { iterations.div_ceil(users) } else { iterations };
            if executor == "shared-iterations" && users > 1 {
                load.assume("iterations that users share are as many for each of them");
            }
            group.users = Some(users);
            group.shape = Shape::Closed(SimDuration::ZERO, Some(each.max(1)));
            let longest = node.child("maxDuration").or(node.child("duration")).and_then(time);
            group.end = ends(Some(longest.unwrap_or(MAX_DURATION)));
        }
        _ => {
            node.child("executor")?
                .matters("of executors those with users, rates and iterations are taken over");
            return None;
        }
    }
    if matches!(group.shape, Shape::Closed(..))
        && begin > SimDuration::ZERO
        && let Some(node) = begin_node
    {
        node.matters("users of a closed loop begin with the run");
    }
    Some(group)
}

/// Users of an open loop are not counted.
fn users_of_rate(node: &Node, load: &mut Load) {
    if let Some(most) = node.child("maxVUs") {
        most.harmless("there are as many users as the rate needs");
    }
    load.assume("k6 has as many users as its rates need: it drops no iterations");
}

/// Seconds for which a rate is meant.
fn unit(node: &Node) -> f64 {
    let unit = node.child("timeUnit").and_then(time).filter(|it| *it > SimDuration::ZERO);
    unit.map_or(1.0, SimDuration::as_secs_f64)
}

/// When stages end, and what they lead to; and how long all take.
fn stages(node: &Node) -> Option<(Vec<(SimDuration, f64)>, SimDuration)> {
    let mut at = SimDuration::ZERO;
    let mut all = Vec::new();
    for it in node.child("stages")?.items() {
        at = at.saturating_add(it.child("duration").and_then(time)?);
        all.push((at, f64::from(it.child("target").and_then(Node::whole)?)));
    }
    Some((all, at))
}

/// A length of time; a number is of milliseconds.
fn time(node: &Node) -> Option<SimDuration> {
    let text = node.text()?;
    match text.parse::<f64>() {
        Ok(millis) if millis >= 0.0 => Some(SimDuration::from_nanos_f64(millis * 1e6)),
        _ => node.time(),
    }
}
