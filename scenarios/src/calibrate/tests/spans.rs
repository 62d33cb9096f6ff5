use crate::calibrate::self_time::self_times;
use crate::traces::{Options, Trace, read};
use std::borrow::Cow;

fn trace(name: &str, text: &str) -> Trace {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    read(&path, &Options::default()).unwrap()
}

/// A span of Jaeger: trace, number, parent, kind, service, start and duration (us), error.
fn span(id: u32, parent: u32, kind: &str, service: &str, start: u64, duration: u64, error: bool) -> String {
    let parent = match parent {
        0 => String::new(),
        parent => format!(r#"{{"refType":"CHILD_OF","traceID":"ab1","spanID":"{parent:x}"}}"#),
    };
    format!(
        r#"{{"traceID":"ab1","spanID":"{id:x}","operationName":"o","references":[{parent}],"startTime":{},
        "duration":{duration},"processID":"{service}","tags":[{{"key":"span.kind","value":"{kind}"}},
        {{"key":"error","value":{error}}}]}}"#,
        1_795_561_705_000_000 + start
    )
}

fn jaeger(spans: &[String]) -> Trace {
    let processes = ["s0", "s1", "s2"].map(|name| format!(r#""{name}":{{"serviceName":"{name}"}}"#));
    let text = format!(
        r#"{{"data":[{{"traceID":"ab1","spans":[{}],"processes":{{{}}}}}]}}"#,
        spans.join(","),
        processes.join(",")
    );
    trace("jaeger.json", &text)
}

fn times(trace: &Trace) -> Vec<(String, Vec<f64>)> {
    let known = |from: &str, to: &str| [("s0", "s1"), ("s0", "s2"), ("s1", "s2")].contains(&(from, to));
    let all = self_times(trace, known).into_iter();
    all.map(|(service, observations)| (service, observations.iter().map(|it| it.1).collect())).collect()
}

#[test]
fn spans_without_a_kind_and_with_a_namespace_are_those_of_the_services() {
    let spans = [
        span(1, 0, "server", "s0", 0, 7_000, false),
        span(2, 1, "server", "s1", 1_500, 4_000, false),
        span(3, 2, "internal", "s1", 2_000, 1_000, false),
    ];
    let whole = jaeger(&spans);
    let expected = vec![("s0".to_owned(), vec![3.0]), ("s1".to_owned(), vec![4.0])];
    assert_eq!(times(&whole), expected);
    let without = spans.map(|span| span.replace("span.kind", "other"));
    assert_eq!(times(&jaeger(&without)), expected);
    let text = format!(
        r#"{{"spans":[{}],"processes":{{"s0":{{"serviceName":"s0.shop"}},"s1":{{"serviceName":"s1.shop"}}}}}}"#,
        without.join(",")
    );
    let is_known = |name: &str| ["s0", "s1"].contains(&name);
    let namespaced = trace("jaeger.json", &text);
    assert_eq!(times(&Trace::named_as(Cow::Borrowed(&namespaced), is_known)), expected);
    let named = Trace::named_as(Cow::Owned(namespaced.clone()), |_| true);
    assert_eq!(*named, namespaced, "the whole names are known");
}

#[test]
fn self_time_is_the_server_span_less_the_union_of_its_calls() {
    let trace = jaeger(&[
        span(1, 0, "server", "s0", 0, 100_000, false),
        // In parallel: 10 to 40 and 30 to 60, together 50 ms.
        span(2, 1, "client", "s0", 10_000, 30_000, false),
        span(3, 1, "client", "s0", 30_000, 30_000, false),
        span(4, 2, "server", "s1", 12_000, 20_000, false),
        span(5, 3, "server", "s2", 31_000, 25_000, false),
        // Work inside s0 that makes a call of its own, 70 to 75.
        span(6, 1, "internal", "s0", 65_000, 20_000, false),
        span(7, 6, "client", "s0", 70_000, 5_000, false),
    ]);
    let expected = [("s0", vec![45.0]), ("s1", vec![20.0]), ("s2", vec![25.0])];
    assert_eq!(times(&trace), expected.map(|(name, times)| (name.to_owned(), times)));
}

#[test]
fn without_client_spans_the_servers_called_count() {
    let trace = jaeger(&[
        span(1, 0, "server", "s0", 0, 100_000, false),
        span(2, 1, "server", "s1", 20_000, 30_000, false),
    ]);
    assert_eq!(times(&trace), [("s0".to_owned(), vec![70.0]), ("s1".to_owned(), vec![30.0])]);
}

#[test]
fn what_failed_is_left_out() {
    let trace = jaeger(&[
        span(1, 0, "server", "s0", 0, 100_000, false),
        span(2, 1, "client", "s0", 10_000, 30_000, true),
        span(3, 2, "server", "s1", 12_000, 20_000, true),
    ]);
    assert!(times(&trace).is_empty());
}

#[test]
fn in_access_logs_a_call_belongs_to_who_may_have_made_it() {
    let line = |side: &str, service: &str, start: u64, duration: u64| {
        let cluster =
            if side == "in" { "inbound|80||".to_owned() } else { format!("outbound|80||{service}") };
        format!(
            r#"{{"us":{},"du":{duration},"id":"9824ba96-13af-4747-850c-335b302f86c8","c":"{cluster}","o":"{side}","p":"edge1/{service}","rc":200,"bo":10}}"#,
            1_795_561_705_000_000 + start
        )
    };
    let lines = [
        line("in", "s0", 0, 100_000),
        line("out", "s1", 10_000, 50_000),
        line("in", "s1", 12_000, 46_000),
        // Made by s1, while s0 waits for s1.
        line("out", "s2", 20_000, 20_000),
        line("in", "s2", 22_000, 15_000),
    ];
    let found = times(&trace("access.jsonl", &(lines.join("\n") + "\n")));
    let expected = [("s0", vec![50.0]), ("s1", vec![26.0]), ("s2", vec![15.0])];
    assert_eq!(found, expected.map(|(name, times)| (name.to_owned(), times)));
}
