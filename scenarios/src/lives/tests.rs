//! What tools are told of lives, over the library and read back.

use super::choice::Several;
use super::spans::{Span, SpanKind};
use super::words::Words;
use super::{Following, Forms, Told, access_log, chrome, otlp};
use crate::document::Setting;
use crate::experiment::{Watch, lives};
use crate::library;
use crate::resolve::Resolved;
use crate::scenario::Scenario;
use crate::start_time::StartTime;
use crate::traces::format::Format;
use crate::traces::model::Side;
use crate::traces::{Options, Trace, read};
use meshsim_core::SimTime;
use meshsim_models::telemetry::trace::Part;
use meshsim_models::telemetry::trace::life::Life;
use meshsim_models::world::topology::Topology;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// A scenario under a strategy, or its last one, with settings.
fn resolved(name: &str, strategy: Option<&str>, settings: &[&str]) -> Resolved {
    let settings: Vec<Setting> = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
    let scenario = Scenario::open(name, &settings).unwrap();
    let last = scenario.strategies().len().checked_sub(1);
    let index = strategy.map_or(last, |name| scenario.strategy(Some(name)).unwrap());
    scenario.resolve(index).unwrap()
}

/// So many requests of it.
fn followed(resolved: &Resolved, which: Several, count: usize) -> Told {
    let following = Following { which, count, forms: Forms::default(), start: StartTime::DEFAULT };
    following.follow(resolved, resolved.description.warm_up.as_secs_f64(), &Watch::default()).unwrap()
}

/// In a mesh over two clusters, in which nothing fails.
fn in_a_mesh(count: usize) -> Told {
    followed(&resolved("fluidos-mesh", Some("s0-s3"), &["run.duration=30s"]), Several::First, count)
}

fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    bytes
}

fn read_back(bytes: &[u8], format: Format) -> Trace {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    read(file.path(), &Options { format: Some(format), strict: true, ..Options::default() }).unwrap()
}

/// Attempts that their client has given up go on at their servers, so their spans end when they do; and so do copies.
fn is_left_alone(life: &Life) -> bool {
    let attempts = || life.calls.iter().flat_map(|call| call.attempts.iter().map(move |it| (call, it)));
    let is_over = |at: Option<SimTime>, of: Option<SimTime>| at.zip(of).is_some_and(|(at, of)| at <= of);
    attempts().any(|(call, it)| {
        let ends = it.served.as_ref().map(|served| served.left);
        call.head.is_copy || ends.is_some_and(|left| !is_over(left, call.ends))
    })
}

fn check_spans(name: &str, life: &Life, spans: &[Span]) {
    let latency = life.request.end.unwrap().latency.as_nanos();
    let own: u64 = spans.iter().map(|it| it.own_nanos).sum();
    assert_eq!(own, latency, "{name}: {:?}", life.request);
    let by_id: BTreeMap<u64, &Span> = spans.iter().map(|it| (it.id, it)).collect();
    assert_eq!(by_id.len(), spans.len(), "{name}: numbers are unique");
    assert_eq!(spans.iter().filter(|it| it.parent.is_none()).count(), 1);
    for span in spans {
        assert!(span.begins <= span.ends, "{name}: {span:?}");
        let Some(parent) = span.parent.map(|parent| by_id[&parent]) else { continue };
        assert!(span.begins >= parent.begins, "{name}: {span:?} in {parent:?}");
        assert!(span.ends <= parent.ends || is_left_alone(life), "{name}: {span:?} in {parent:?}");
    }
}

/// Over the library, whatever it shows: each nanosecond of a latency is spent on one thing and in one span, and parents
/// enclose children.
#[test]
fn every_latency_of_the_library_is_accounted_for() {
    for name in library::names().filter(|name| !library::is_scale(name)) {
        let (resolved, watch) = (resolved(name, None, &[]), Watch::default());
        let rows = lives::requests(&resolved, 0, &watch).unwrap();
        let from = SimTime::ZERO + resolved.description.warm_up;
        let asked = [(Several::Sampled, 25), (Several::Slowest, 10), (Several::Failed, 10)];
        let chosen = asked.iter().flat_map(|(which, count)| which.of(&rows, from, *count)).collect();
        let lives = lives::follow(&resolved, 0, chosen, &watch).unwrap();
        assert!(lives.len() >= 25, "{name}");
        let topology = Topology::new(resolved.description.clone(), 0);
        let told = Told { topology, start: StartTime::DEFAULT, lives, forms: Forms::default() };
        let words = Words::of(&told.topology);
        for life in &told.lives {
            let end = life.request.end.unwrap();
            let mut reached = life.request.arrival;
            for it in life.critical_path() {
                assert_eq!(it.piece.from, reached, "{name}: {:?}", life.request);
                reached = it.piece.until;
                let is_known = it.is_retried || it.piece.part != Part::Calls || !end.status.is_ok();
                assert!(is_known, "{name}: {it:?} of {:?}", life.request);
            }
            assert_eq!(reached, life.request.arrival + end.latency, "{name}: {:?}", life.request);
            check_spans(name, life, &super::spans::spans(&words, life, told.root(life)));
        }
    }
}

#[test]
fn spans_are_read_back_as_they_were() {
    let told = in_a_mesh(200);
    let trace = read_back(&written(|out| otlp::write(&told, out)), Format::Otlp);
    assert_eq!((trace.requests.len(), told.lives.len()), (200, 200));
    let mut latencies: Vec<f64> =
        told.lives.iter().map(|life| life.request.end.unwrap().latency.as_millis_f64()).collect();
    latencies.sort_by(f64::total_cmp);
    for (read, made) in trace.sorted_latencies_ms().iter().zip(&latencies) {
        assert!((read - made).abs() <= 1e-3, "{read} of {made} ms");
    }
    let count = |side| trace.spans.iter().filter(|span| span.side == side).count();
    let words = Words::of(&told.topology);
    let spans = told.spans(&words);
    let made = |kind| spans.iter().filter(|span| span.kind == kind).count();
    assert_eq!(count(Side::Server), made(SpanKind::Server));
    assert_eq!(count(Side::Client), made(SpanKind::Client));
    assert_eq!(count(Side::Other), made(SpanKind::Internal));
    assert_eq!(made(SpanKind::Internal), made(SpanKind::Server), "each sidecar has a service beside it");
    assert!(
        trace.spans.iter().filter(|span| span.parent.is_none()).count() == 200,
        "all others have a parent"
    );
    let scopes: BTreeSet<&str> = spans.iter().map(|span| span.resource.scope).collect();
    assert_eq!(scopes, BTreeSet::from(["envoy", "service", "user"]));
}

/// Both forms say the same; latencies are the gateways' own, in whole milliseconds.
#[test]
fn access_logs_are_read_back_as_they_were() {
    let told = in_a_mesh(200);
    let text = read_back(&written(|out| access_log::write_text(&told, out)), Format::EnvoyText);
    let json = read_back(&written(|out| access_log::write_json(&told, out)), Format::EnvoyJson);
    assert_eq!((text.requests.clone(), text.spans.clone()), (json.requests, json.spans));
    assert_eq!(text.requests.len(), 200);
    let mut gateways: Vec<f64> = told
        .lives
        .iter()
        .map(|life| {
            let (begins, ends) = super::spans::client_span(&life.calls[life.attempts[0]]);
            ((ends - begins).as_millis_f64()).floor()
        })
        .collect();
    gateways.sort_by(f64::total_cmp);
    assert_eq!(text.sorted_latencies_ms(), gateways);
    let served = text.spans.iter().filter(|span| span.side == Side::Server).count();
    let attempts = told.lives.iter().flat_map(|life| &life.calls).flat_map(|call| &call.attempts);
    assert_eq!(served, attempts.filter(|it| it.served.is_some()).count());
}

/// Each thread's events lie in each other or beside each other, as the format demands.
#[test]
fn the_chrome_trace_nests() {
    let told = followed(&resolved("shop", None, &["run.duration=20s"]), Several::Slowest, 30);
    let text: serde_json::Value = serde_json::from_slice(&written(|out| chrome::write(&told, out))).unwrap();
    let events = text["traceEvents"].as_array().unwrap();
    let mut by_thread: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
    for it in events.iter().filter(|it| it["ph"] == "X") {
        // To the nanosecond as Perfetto reads them.
        let number = |key: &str| (it[key].as_f64().unwrap() * 1e3) as u64;
        let key = (it["pid"].as_u64().unwrap(), it["tid"].as_u64().unwrap());
        by_thread.entry(key).or_default().push((number("ts"), number("ts") + number("dur")));
    }
    assert!(by_thread.keys().map(|(process, _)| process).collect::<BTreeSet<_>>().len() == 30);
    for (thread, spans) in by_thread {
        for (index, &(from, until)) in spans.iter().enumerate() {
            for &(other, its_end) in &spans[index + 1..] {
                let apart = other >= until || its_end <= from;
                let inside = other >= from && its_end <= until;
                assert!(apart || inside, "{thread:?}: {from}..{until} and {other}..{its_end}");
            }
        }
    }
    assert!(events.iter().any(|it| it["ph"] == "i"), "rules are marked");
}
