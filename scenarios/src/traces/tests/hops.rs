use super::samples::{ENVOY_ISTIO, ENVOY_JSON, ENVOY_PLAIN, ENVOY_TESTBED, JAEGER, OTLP};
use super::{read_any, read_as, services};
use crate::traces::Trace;
use crate::traces::detect::Format;
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
        (1_795_561_702_000_000, 0.1, "s3", "", Side::Other, false),
        (1_795_561_702_000_010, 0.05, "", "", Side::Other, true),
        (1_795_561_702_528_798, 35.179, "istio-ingressgateway", "edge1", Side::Client, true),
        (1_795_561_702_529_150, 34.398, "s0", "", Side::Server, true),
    ];
    assert_eq!(spans(&trace), expected);
    assert_eq!(parents(&trace), [(0, None), (0, Some(0)), (1, None), (1, Some(2))]);
    assert_eq!(services(&trace), ["s3", "istio-ingressgateway"]);
    assert_eq!(trace.requests[1].bytes, 45971);
    assert!((trace.requests[1].latency_ms - 35.179).abs() < 1e-9 && trace.requests[1].ok);
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
