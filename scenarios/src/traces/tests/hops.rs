use super::samples::{
    CALLS, ENVOY_CRI, ENVOY_DOCKER, ENVOY_ISTIO, ENVOY_JSON, ENVOY_PLAIN, ENVOY_TESTBED, JAEGER, OTLP, SPANS,
    TEMPO,
};
use super::{read_any, read_as, services};
use crate::traces::Trace;
use crate::traces::format::Format;
use crate::traces::model::Side;

/// Start (us), duration (ms), service, cluster, side and success of each span.
fn spans(trace: &Trace) -> Vec<(u64, f64, &str, &str, Side, bool)> {
    let text = |id: Option<_>| id.map_or("", |id| trace.names.text(id));
    let row = |s: &crate::traces::Span| {
        (s.start_us, (s.duration_ms * 1e6).round() / 1e6, text(s.service), text(s.cluster), s.side, s.ok)
    };
    trace.spans.iter().map(row).collect()
}

fn parents(trace: &Trace) -> Vec<(u32, Option<u32>)> {
    trace.spans.iter().map(|span| (span.request, span.parent)).collect()
}

#[test]
fn jaeger_has_trees_of_spans() {
    let trace = read_any(JAEGER).unwrap();
    let expected = [
        (1_795_561_702_000_000, 0.1, "s3", "", Side::Server, false),
        (1_795_561_702_000_010, 0.05, "", "", Side::Other, true),
        (1_795_561_702_528_798, 35.179, "istio-ingressgateway", "edge1", Side::Client, true),
        (1_795_561_702_529_150, 34.398, "s0", "", Side::Server, true),
    ];
    assert_eq!(spans(&trace), expected);
    assert_eq!(parents(&trace), [(0, None), (0, Some(0)), (1, None), (1, Some(2))]);
    assert_eq!(services(&trace), ["s3", "istio-ingressgateway"]);
    assert_eq!(trace.requests[1].bytes, 45971);
    assert!((trace.requests[1].latency_ms - 35.179).abs() < 1e-9 && trace.requests[1].ok);
    let note = "1 spans of traces without a span.kind are taken as those of servers";
    assert!(trace.reading.notes.iter().any(|it| it.starts_with(note)), "{:?}", trace.reading.notes);
}

#[test]
fn jaeger_s_traces_may_stand_alone_or_in_a_list() {
    let whole = read_any(JAEGER).unwrap();
    let list = JAEGER.strip_prefix("{\"data\":").unwrap().split(",\"total\"").next().unwrap();
    assert_eq!(read_any(list).unwrap().spans, whole.spans);
    let (first, second) = list.trim_start_matches("[\n").split_once("},\n{\"traceID\":\"1\"").unwrap();
    assert_eq!(read_any(format!("{first}}}")).unwrap().spans.len(), 2);
    // One a line.
    let second = format!("{{\"traceID\":\"1\"{}", second.trim_end().trim_end_matches(']')).replace('\n', " ");
    let lines = format!("{}}}\n{second}\n", first.replace('\n', " "));
    assert_eq!(read_any(lines).unwrap().spans, whole.spans);
    for nothing in
        ["{\"traceID\":\"1\",\"process\":{}}", "{\"data\":[],\"total\":0,\"limit\":0,\"errors\":null}"]
    {
        let said = read_any(nothing).unwrap_err();
        assert!(said.contains("requests are the spans of each trace: spans, in data"), "{said}");
    }
}

/// Without kinds, a span whose parent is of another service is its server's, and one without a parent.
#[test]
fn sides_are_told_by_parents_where_a_trace_does_not_say_them() {
    let span = |id: &str, parent: &str, process: &str, kind: &str| {
        format!(
            r#"{{"traceID":"1","spanID":"{id}","references":[{{"refType":"CHILD_OF","spanID":"{parent}"}}],"startTime":{id},"duration":9,"processID":"{process}","tags":[{kind}]}}"#
        )
    };
    let sides = |kind: &str| {
        let spans = [
            span("1", "", "p1", kind),
            span("2", "1", "p1", ""),
            span("3", "2", "p2", ""),
            span("4", "3", "p2", ""),
            span("5", "4", "p9", ""),
        ];
        let spans = spans.join(",");
        let text = format!(
            r#"{{"spans":[{spans}],"traceID":"1","processes":{{"p1":{{"serviceName":"a"}},"p2":{{"serviceName":"b"}}}}}}"#
        );
        read_any(text).unwrap().spans.iter().map(|span| span.side).collect::<Vec<_>>()
    };
    let (other, server) = (Side::Other, Side::Server);
    assert_eq!(sides(""), [server, other, server, other, other]);
    assert_eq!(sides(r#"{"key":"span.kind","value":"client"}"#), [Side::Client, other, other, other, other]);
    assert_eq!(sides(r#"{"key":"span.kind","value":"internal"}"#), [other; 5]);
}

#[test]
fn otlp_may_be_in_an_answer() {
    let plain = read_any(OTLP).unwrap();
    let (first, second) = OTLP.trim_end().split_once('\n').unwrap();
    let rows = |wrap: &str| [first, second].map(|document| wrap.replace('@', document) + "\n").concat();
    for wrap in ["{\"result\":@}", "{\"trace\":@}", "[@]", "{\"result\":[@]}"] {
        assert_eq!(read_any(rows(wrap)).unwrap().spans, plain.spans, "{wrap}");
    }
    let trace = read_any(TEMPO).unwrap();
    assert_eq!(parents(&trace), [(0, None), (0, Some(0))], "identifiers in base 64");
    for nothing in ["{\"resourceSpans\":[]}", "{\"batches\":[]}"] {
        let said = read_any(nothing).unwrap_err();
        assert!(
            said.contains("resourceSpans[].scopeSpans[].spans, which may be in result or trace"),
            "{said}"
        );
    }
}

#[test]
fn tables_of_spans_are_read_by_their_names() {
    let trace = read_any(SPANS).unwrap();
    let expected = [
        (1_700_000_000_000_000, 7.0, "front", "", Side::Server, true),
        (1_700_000_000_001_500, 4.0, "back", "", Side::Server, true),
        (1_700_000_000_002_000, 1.0, "back", "", Side::Other, true),
    ];
    assert_eq!(spans(&trace), expected);
    assert_eq!(parents(&trace), [(0, None), (0, Some(0)), (0, Some(1))]);
    assert!(trace.reading.notes[0].contains("taken as us, by their size"), "{:?}", trace.reading.notes);
    let other = "Trace ID;Span ID;Parent Span ID;Service Name;Start Time (ms);Duration (ns);Span Kind;Status;Error\n\
                 t;1;0;front;1700000000000;7000000;SPAN_KIND_SERVER;200;false\n\
                 t;2;1;back;1700000000001.5;4000000;client;500;\n\
                 t;3;1;back;1700000000002;1000000;5;STATUS_CODE_OK;True\n";
    let expected = [
        (1_700_000_000_000_000, 7.0, "front", "", Side::Server, true),
        (1_700_000_000_001_500, 4.0, "back", "", Side::Client, false),
        (1_700_000_000_002_000, 1.0, "back", "", Side::Other, false),
    ];
    let trace = read_any(other).unwrap();
    assert_eq!(spans(&trace), expected);
    assert_eq!(parents(&trace), [(0, None), (0, Some(0)), (0, Some(0))]);
    let ends = "trace,service,start,end_s\nt,front,2023-11-14T22:13:20Z,1700000000.5\n";
    assert_eq!(spans(&read_any(ends).unwrap())[0].1, 500.0);
}

#[test]
fn calls_that_are_there_twice_have_two_sides() {
    let trace = read_any(CALLS).unwrap();
    let expected = [
        (16_397_576_000, 30.0, "front", "", Side::Client, true),
        (16_397_577_000, 28.0, "front", "", Side::Server, true),
        (16_397_580_000, 13.0, "back", "", Side::Client, true),
        (16_397_581_000, 10.0, "back", "", Side::Server, true),
        (16_397_583_000, 2.0, "cache", "", Side::Client, true),
    ];
    assert_eq!(spans(&trace), expected);
    assert_eq!(parents(&trace), [(0, None), (0, Some(0)), (0, Some(1)), (0, Some(2)), (0, Some(3))]);
    // As LatenSeer leaves them, a row stands for what the server did.
    let cleaned: String =
        CALLS.lines().filter(|line| !line.contains(",-")).map(|line| format!("{line}\n")).collect();
    let trace = read_any(cleaned).unwrap();
    assert_eq!(spans(&trace).iter().map(|span| span.4).collect::<Vec<_>>(), [Side::Server; 3]);
    assert_eq!(parents(&trace), [(0, None), (0, Some(0)), (0, Some(1))]);
}

#[test]
fn bad_tables_of_spans_are_refused() {
    let said = read_as(Format::Spans, true, "trace,service,start\n").unwrap_err();
    assert!(said.starts_with("trace: line 1 has no column `duration`"), "{said}");
    let said = read_any("trace,service,start,duration\nt,a,17,3\n").unwrap_err();
    assert!(
        said.contains("the first start, `17`, does not tell the unit") && said.contains("start_us"),
        "{said}"
    );
    let row = |row: &str| {
        read_as(Format::Spans, true, format!("trace,service,start_us,rt_us\n{row}\n")).unwrap_err()
    };
    assert!(row(",a,1,1").contains("column `trace`: `` names no trace"));
    assert!(row("t,a,1,-1").contains("column `duration`: `-1` is negative"));
    assert!(row("t,a,x,1").contains("column `start`: `x` is not a number"));
}

#[test]
fn logs_are_read_with_what_a_runtime_puts_before_their_lines() {
    let trace = read_any(ENVOY_CRI).unwrap();
    let expected = [
        (1_606_339_578_409_000, 4.0, "s0", "", Side::Client, true),
        (1_606_339_579_409_000, 3.0, "s0", "", Side::Server, true),
    ];
    assert_eq!(spans(&trace), expected, "a line in two parts, and another one");
    assert_eq!(spans(&read_any(ENVOY_DOCKER).unwrap())[0].2, "s0");
    for prefix in [
        "2020-11-25T21:26:18.5Z ",
        "[pod/s0-7d4-abcde/istio-proxy] ",
        "2020-11-25T21:26:18.5+01:00 stdout F ",
    ] {
        for plain in [ENVOY_ISTIO, ENVOY_JSON] {
            let lines: String = plain.lines().map(|line| format!("{prefix}{line}\n")).collect();
            assert_eq!(read_any(lines).unwrap().spans, read_any(plain).unwrap().spans, "{prefix}");
        }
    }
    let of_pod = |lines: &str| {
        lines.lines().map(|line| format!("[pod/s0-7d4/istio-proxy] {line}\n")).collect::<String>()
    };
    let both = format!("[pod/s0-7d4/app] a text\n{}[pod/s0-7d4/app] another\n", of_pod(ENVOY_ISTIO));
    let trace = read_any(both).unwrap();
    assert_eq!((trace.spans.len(), trace.reading.bad), (3, 0));
    assert!(
        trace.reading.notes.iter().any(|note| note.starts_with("2 lines of containers")),
        "{:?}",
        trace.reading
    );
    let cut = ENVOY_CRI.split_inclusive('\n').take(2).collect::<String>() + ENVOY_CRI.lines().last().unwrap();
    let trace = read_any(cut.replace("19.5", "18.6")).unwrap();
    assert_eq!(trace.spans.len(), 1);
    let unfinished = ENVOY_ISTIO.replace("[2019", "2020-11-25T21:26:18.5Z stdout P [2019");
    let trace = read_any(unfinished).unwrap();
    assert_eq!((trace.spans.len(), trace.reading.bad), (2, 1));
    assert!(trace.reading.first_bad[0].to_string().contains("ends within a line"));
}

#[test]
fn bad_spans_of_jaeger_are_left_out() {
    let bad = JAEGER.replace("\"duration\":34398", "\"duration\":\"long\"");
    let trace = read_any(&bad).unwrap();
    assert_eq!((trace.spans.len(), trace.reading.bad), (3, 1));
    assert_eq!(spans(&trace)[2].2, "istio-ingressgateway", "names stay with their spans");
    let said = read_as(Format::Jaeger, true, &bad).unwrap_err();
    assert!(said.starts_with("trace: line 4, key `duration`: `long` is not a number"), "{said}");
    let cut = &JAEGER[..JAEGER.len() / 2];
    let said = read_any(cut).unwrap_err();
    assert!(said.contains("is the file cut short?"), "{said}");
}

#[test]
fn otlp_may_be_spread_over_lines() {
    let trace = read_any(OTLP).unwrap();
    let expected = [
        (1_544_712_660_000_000, 1000.5, "s0", "edge1", Side::Server, true),
        (1_544_712_660_100_000, 100.0, "s1", "", Side::Client, true),
        (1_544_712_650_000_000, 20.0, "s1", "", Side::Server, false),
    ];
    assert_eq!(spans(&trace), expected);
    assert_eq!(parents(&trace), [(0, None), (0, Some(0)), (1, None)]);
    assert_eq!(services(&trace), ["s1", "s0"]);
}

#[test]
fn a_bad_line_of_otlp_is_skipped() {
    let (first, second) = OTLP.split_once('\n').unwrap();
    let text = format!("{first}\n{{\"resourceSpans\": oops}}\n{second}");
    let trace = read_any(&text).unwrap();
    assert_eq!((trace.spans.len(), trace.reading.bad), (3, 1));
    let said = trace.reading.first_bad[0].to_string();
    assert!(said.contains("line 2: expected value"), "{said}");
    assert!(read_as(Format::Otlp, true, &text).unwrap_err().contains("line 2: "));
    let said = read_any(format!("{{\"resourceSpans\": oops}}\n{OTLP}")).unwrap_err();
    assert!(said.contains("line 1: "), "{said}");
}

#[test]
fn a_line_of_otlp_that_is_cut_short_takes_no_other_with_it() {
    let (first, second) = OTLP.split_once('\n').unwrap();
    for bad in ["{\"a\":tru", "{\"a\":1", "{\"resourceSpans\":[{", "{\"a\":\"b", "]"] {
        let trace = read_any(format!("{first}\n{bad}\n{second}")).unwrap();
        assert_eq!(trace.spans.len(), 3, "{bad}: {:?}", trace.reading);
        assert_eq!(trace.reading.bad, 1, "{bad}");
        let trace = read_any(format!("{OTLP}{bad}")).unwrap();
        assert_eq!((trace.spans.len(), trace.reading.bad), (3, 1), "{bad} at the end");
    }
}

#[test]
fn spans_that_end_before_they_start_are_bad() {
    let bad = OTLP.replace("1544712660200000000", "1544712660000000001");
    let said = read_as(Format::Otlp, true, bad).unwrap_err();
    assert!(
        said.contains("line 2, key `endTimeUnixNano`: `1544712660000000001` is not soon after"),
        "{said}"
    );
}

#[test]
fn istio_s_text_log_is_read_in_both_forms() {
    let trace = read_any(ENVOY_ISTIO).unwrap();
    let expected = [
        (1_606_339_578_409_000, 4.0, "httpbin", "", Side::Client, false),
        (1_606_339_578_409_000, 3.0, "httpbin", "", Side::Server, false),
        (1_551_864_687_360_000, 5.0, "s0", "", Side::Server, true),
    ];
    assert_eq!(spans(&trace), expected);
    let latencies: Vec<f64> = trace.requests.iter().map(|r| r.latency_ms).collect();
    assert_eq!(latencies, [5.0, 4.0], "the outermost hop");
    assert_eq!(trace.requests[0].bytes, 512);
}

#[test]
fn envoy_s_own_text_log_is_read() {
    let trace = read_any(ENVOY_PLAIN).unwrap();
    let expected = [
        (1_460_751_421_310_000, 31.0, "locations", "", Side::Other, false),
        (1_460_751_420_310_000, 226.0, "locations", "", Side::Other, true),
    ];
    assert_eq!(spans(&trace), expected);
}

#[test]
fn bad_lines_of_a_text_log_are_left_out() {
    let text = format!("{ENVOY_ISTIO}[2020-11-25T21:26:18.409Z] \"GET /\n");
    let trace = read_any(&text).unwrap();
    assert_eq!((trace.spans.len(), trace.reading.bad), (3, 1));
    let said = read_as(Format::EnvoyText, true, &text).unwrap_err();
    assert!(
        said.starts_with("trace: line 5, field `line`: `[2020-11-25T21:26:18.409Z] \\\"GET /` is no"),
        "{said}"
    );
}

#[test]
fn json_logs_have_istio_s_keys_or_the_testbed_s() {
    let trace = read_any(ENVOY_JSON).unwrap();
    let expected = [
        (1_606_339_578_409_000, 4.0, "s0", "", Side::Client, true),
        (1_606_339_578_410_000, 3.0, "s0", "", Side::Server, true),
    ];
    assert_eq!(spans(&trace), expected);
    let trace = read_any(ENVOY_TESTBED).unwrap();
    let expected = [
        (1_795_560_959_396_282, 15.393, "rr-equal", "", Side::Other, false),
        (1_795_561_682_595_982, 471.691, "s0", "edge1", Side::Gateway, true),
        (1_795_561_682_596_932, 468.607, "s0", "edge1", Side::Server, true),
    ];
    assert_eq!(spans(&trace), expected);
    assert_eq!(trace.requests.len(), 2);
}

#[test]
fn bad_lines_of_a_json_log_are_left_out() {
    let bad = format!("{ENVOY_TESTBED}{{\"us\": 1, \"du\": 1, \"rc\": 200\nnull\n");
    let trace = read_any(&bad).unwrap();
    assert_eq!((trace.spans.len(), trace.reading.bad), (3, 2));
    let said = read_as(Format::EnvoyJson, true, &bad).unwrap_err();
    assert!(said.starts_with("trace: line 4: EOF while parsing an object, in `{\\\"us\\\": 1"), "{said}");
}
