use super::samples::{ALL, JTL_XML, K6, K6_JSON, LOCUST, MUBENCH};
use super::{gzip, read_any, read_as, services};
use crate::traces::TraceRequest;
use crate::traces::format::Format;

/// Start (us), latency (ms), success, bytes.
fn plain(requests: &[TraceRequest]) -> Vec<(u64, f64, bool, u64)> {
    requests.iter().map(|r| (r.start_us, r.latency_ms, r.ok, r.bytes)).collect()
}

#[test]
fn every_format_is_found_out_and_read_packed_or_not() {
    for sample in ALL {
        let name = sample.format.name();
        let trace = read_any(sample.text).unwrap_or_else(|said| panic!("{name}: {said}"));
        assert_eq!(trace.reading.format, Some(sample.format));
        assert_eq!((trace.requests.len(), trace.spans.len()), (sample.requests, sample.spans), "{name}");
        assert_eq!(trace.histogram.is_some(), sample.requests == 0, "{name}");
        assert_eq!(trace.reading.bad, 0, "{name}: {:?}", trace.reading.first_bad);
        assert!(trace.count() > 0, "{name}");
        assert_eq!(read_any(gzip(sample.text)).unwrap(), trace, "{name}.gz");
        assert_eq!(read_as(sample.format, true, sample.text).unwrap(), trace, "{name}, strictly");
        assert_eq!(Format::of_name(name), Some(sample.format));
        let marked = format!("\u{feff}{}", sample.text);
        assert_eq!(read_any(marked).unwrap(), trace, "{name} with a byte order mark");
    }
}

#[test]
fn samples_of_jmeter_in_xml() {
    let trace = read_any(JTL_XML).unwrap();
    let expected = [
        (1_211_383_064_370_000, 30.0, false, 19),
        (1_211_383_064_375_000, 4031.0, true, 38007),
        (1_211_383_070_000_000, 7.0, true, 0),
    ];
    assert_eq!(plain(&trace.requests), expected);
    assert_eq!(services(&trace), ["s0", "Load & Page", "Java Request"]);
}

#[test]
fn bad_samples_of_jmeter_in_xml_have_their_line() {
    let bad = JTL_XML.replace("t=\"30\"", "t=\"NaN\"");
    let trace = read_any(&bad).unwrap();
    assert_eq!((trace.requests.len(), trace.reading.bad), (2, 1));
    let said = read_as(Format::JtlXml, true, &bad).unwrap_err();
    assert!(said.starts_with("trace: line 7, attribute `t`: `NaN` is not a finite number"), "{said}");
    let cut = JTL_XML.replace("</testResults>\n", "");
    let trace = read_any(&cut).unwrap();
    assert_eq!((trace.requests.len(), trace.reading.bad), (3, 1));
    assert!(read_as(Format::JtlXml, true, &cut).unwrap_err().contains("was JMeter stopped?"));
    let said = read_any("<html><body/></html>").unwrap_err();
    assert!(said.contains("line 1: the outermost element is not testResults"), "{said}");
    let said = read_any(JTL_XML.replace("</httpSample>", "</sample>")).unwrap_err();
    assert!(said.starts_with("trace: line 6: "), "{said}");
}

#[test]
fn samples_in_a_transaction_of_jmeter_are_requests() {
    let message = "Number of samples in transaction : 1, number of failing samples : 0";
    let transaction =
        format!("<sample t=\"90\" ts=\"5\" s=\"true\" lb=\"visit\" rc=\"200\" rm=\"{message}\"");
    let sample = "<httpSample t=\"30\" ts=\"6\" s=\"true\" lb=\"s0\"><httpSample t=\"7\" ts=\"6\" s=\"true\"/></httpSample>";
    let file =
        |inside: &str| read_any(format!("<testResults version=\"1.2\">{inside}</testResults>")).unwrap();
    let beside = file(&format!("{sample}{transaction}/>"));
    let inside = file(&format!("{transaction}>{sample}</sample>"));
    let nested = file(&format!(
        "{transaction}><responseData>x</responseData>{transaction}>{sample}</sample></sample>"
    ));
    for (trace, left_out) in [(&beside, 1), (&inside, 1), (&nested, 2)] {
        assert_eq!(plain(&trace.requests), [(6000, 30.0, true, 0)]);
        let note = format!("{left_out} rows of JMeter's Transaction Controllers are left out");
        assert!(trace.reading.notes[0].starts_with(&note), "{:?}", trace.reading.notes);
    }
    let alone = file(&format!("{transaction}/>"));
    assert_eq!(plain(&alone.requests), [(5000, 90.0, true, 0)], "there is nothing else");
}

#[test]
fn k6_writes_json_too() {
    let trace = read_any(K6_JSON).unwrap();
    let expected = [
        (1_595_325_559_778_101, 221.899, true, 0),
        (1_595_325_560_899_500, 100.5, false, 0),
        (1_595_325_561_950_000, 50.0, true, 0),
    ];
    assert_eq!(plain(&trace.requests), expected);
    assert_eq!(services(&trace)[2], "http://gw/s1");
    let bad = K6_JSON.replace("\"value\":100.5", "\"value\":\"long\"");
    let said = read_as(Format::K6Json, true, bad).unwrap_err();
    assert!(said.starts_with("trace: line 5, key `value`: `long` is not a number"), "{said}");
    let said = read_any(K6_JSON.replace("http_req_duration", "http_req_waiting")).unwrap_err();
    assert!(
        said.contains("no request in it, read as k6-json (requests are the lines \"type\": \"Point\""),
        "{said}"
    );
}

#[test]
fn files_without_a_distribution_name_the_one_that_has_it() {
    for summary in [
        "{\n \"metrics\": {\n  \"http_req_duration\": {\"avg\": 51.2, \"p(95)\": 68}}}",
        "{\"root_group\":{},\"metrics\":{\"http_req_duration\":{\"type\":\"trend\",\"values\":{\"avg\":5}}}}",
    ] {
        let said = read_any(summary).unwrap_err();
        assert!(said.contains("is a summary of k6") && said.contains("--out csv=FILE"), "{said}");
    }
    for history in [
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,Total Request Count\n1,5,,Aggregated,2,0,20,2\n",
        "\"Name\",\"Timestamp\",\"# requests\",\"# failures\",\"50%\"\n\"Aggregated\",\"1\",2,0,20\n",
        "Method,Name,Error,Occurrences\nGET,/s0,503,7\n",
        "Count,Message,Traceback,Nodes\n",
    ] {
        let said = read_any(history).unwrap_err();
        assert!(said.contains("Locust") && said.contains("_stats.csv"), "{said}");
    }
}

#[test]
fn k6_writes_when_a_request_ended() {
    let trace = read_any(K6).unwrap();
    let expected = [
        (1_595_325_559_778_101, 221.899, true, 0),
        (1_595_325_560_899_500, 100.5, false, 0),
        (1_595_325_561_950_000, 50.0, true, 0),
    ];
    assert_eq!(plain(&trace.requests), expected);
    assert_eq!(services(&trace)[2], "http://gw/s1");
}

#[test]
fn k6_may_write_times_in_any_unit() {
    let of = |time: &str| {
        let text = format!("metric_name,timestamp,metric_value,status\nhttp_req_duration,{time},1,200\n");
        read_any(text).unwrap().requests[0].start_us
    };
    for time in
        ["1595325560", "1595325560000", "1595325560000000", "1595325560000000000", "2020-07-21T09:59:20Z"]
    {
        assert_eq!(of(time), 1_595_325_559_999_000, "{time}");
    }
    assert_eq!(of("0"), 0, "before 1970");
}

#[test]
fn locust_has_failures_with_and_without_a_response() {
    let trace = read_any(LOCUST).unwrap();
    let expected = [
        (1_700_000_000_012_345, 31.25, true, 1000),
        (1_700_000_000_500_000, 2.0, false, 0),
        (1_700_000_001_500_000, 40.0, false, 12),
    ];
    assert_eq!(plain(&trace.requests), expected);
}

#[test]
fn mubench_has_lines_of_several_versions() {
    let trace = read_any(MUBENCH).unwrap();
    let expected = [
        (1_700_000_000_010_000, 40.0, false, 0),
        (1_700_000_000_020_000, 31.5, true, 0),
        (1_700_000_000_030_000, 7.0, true, 0),
    ];
    assert_eq!(plain(&trace.requests), expected);
    let trace = read_any(format!("{MUBENCH}1700000000040 \t -1 \t 200\n")).unwrap();
    let said = trace.reading.first_bad[0].to_string();
    assert!(said.contains("line 4, field `latency`: `-1` is negative"), "{said}");
}

#[test]
fn unknown_formats_are_named_as_such() {
    for text in ["hello", "{}", "{\"a\": 1}", "a,b\n1,2\n", "%PDF-1.7", "\u{0}\u{1}"] {
        let said = read_any(text).unwrap_err();
        assert!(said.starts_with("trace: is of no known format; it begins with `"), "{said}");
        assert!(said.contains("jtl-csv, jtl-xml, k6") && said.contains("--trace-format"), "{said}");
    }
    let said = read_any("{\"a\": 1}").unwrap_err();
    assert!(said.contains("resourceSpans or batches (OTLP)"), "{said}");
    let said = read_any("1700000000010,31,s0,200,OK,Thread Group 1-1\n").unwrap_err();
    assert!(said.contains("the first line names the columns"), "{said}");
    assert!(read_any(b"\x28\xb5\x2f\xfd....").unwrap_err().contains("is compressed by zstd"));
    assert!(read_any(b"\xff\xfet\0i\0").unwrap_err().contains("UTF-16"));
}
