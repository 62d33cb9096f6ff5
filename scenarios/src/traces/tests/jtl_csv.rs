use super::{gzip, read_any, read_as, read_with};
use crate::traces::format::Format;
use crate::traces::{self, Options, Trace, TraceRequest};
use proptest::prelude::*;
use std::path::PathBuf;
use tempfile::TempDir;

const HEADER: &str = "timeStamp,elapsed,label,responseCode,success,bytes\n";

/// Reads it strictly, and leaves labels out.
fn read(content: impl AsRef<[u8]>) -> Result<Trace, String> {
    let mut trace = read_as(Format::JtlCsv, true, content)?;
    trace.requests.iter_mut().for_each(|request| request.service = None);
    Ok(trace)
}

/// Asserts what is said of a file.
fn check(content: impl AsRef<[u8]>, expected: &str) {
    assert_eq!(read(content).unwrap_err(), expected);
}

/// Asserts what is said of one row under [`HEADER`], in line 2.
fn check_row(row: &str, expected: &str) {
    check(format!("{HEADER}{row}\n"), expected);
}

fn request(start_us: u64, latency_ms: f64, ok: bool, bytes: u64) -> TraceRequest {
    TraceRequest { start_us, latency_ms, ok, bytes, ..TraceRequest::default() }
}

#[test]
fn rows_are_read_and_sorted() {
    let text =
        format!("{HEADER}1700000000020,31,\"a, \"\"b\"\"\",500,FALSE,7\n1700000000010,30,s,200,true,9\n");
    let trace = read(&text).unwrap();
    let expected =
        [request(1_700_000_000_010_000, 30.0, true, 9), request(1_700_000_000_020_000, 31.0, false, 7)];
    assert_eq!(trace.requests, expected);
    assert_eq!(read(gzip(&text)).unwrap(), trace, "gzip, whatever its name");
    let halves = [gzip(&text[..70]), gzip(&text[70..])].concat();
    assert_eq!(read(halves).unwrap(), trace, "gzip of several members");
}

#[test]
fn what_follows_gzip_data_is_said() {
    let text = format!("{HEADER}1700000000010,30,s,200,true,9\n");
    let with = |more: &[u8]| read_any([gzip(&text), more.to_vec()].concat());
    let requests = read_any(&text).unwrap().requests;
    for (more, bytes) in [(&b"x"[..], 1), (b"garbage", 7), (&[0x1f], 1), (&[0, 0, 1], 3)] {
        let trace = with(more).unwrap();
        assert_eq!(trace.requests, requests);
        assert_eq!(
            trace.reading.notes,
            [format!("{bytes} bytes after its gzip data are none, and left out")]
        );
    }
    // Tapes are filled up with zeros.
    assert_eq!(with(&[0; 1000]).unwrap().reading.notes, [""; 0]);
    assert!(with(&gzip("x")[..9]).unwrap_err().contains("cut short"), "a part that has begun");
    let said = read([gzip(&text), b"x".to_vec()].concat()).unwrap_err();
    assert!(said.contains("1 bytes after its gzip data are none"), "{said}");
}

#[test]
fn columns_may_be_few_and_in_any_order() {
    let expected = [request(2000, 1.5, true, 0)];
    assert_eq!(read("success,elapsed,timeStamp\ntrue,1.5,2").unwrap().requests, expected);
    assert_eq!(read("\u{feff}timeStamp, elapsed ,success\r\n2,1.5, true\r\n").unwrap().requests, expected);
}

#[test]
fn columns_may_be_separated_by_other_characters() {
    for separator in [";", "\t", "|"] {
        let text = "timeStamp,elapsed,label,success\n2,1.5,a,true\n".replace(',', separator);
        assert_eq!(read(text).unwrap().requests, [request(2000, 1.5, true, 0)], "{separator:?}");
    }
}

#[test]
fn a_header_line_may_be_missing() {
    let old = "1700000000010,31,s0,200,OK,Thread Group 1-1,text,true,38007,30\n";
    let new = "1700000000010,31,s0,200,OK,Thread Group 1-1,text,true,,38007,120,1,1,http://gw/s0,30,0,1\n";
    for text in [old, new, "2023/11/14 22:13:20.010,31,s0,200,OK,Thread Group 1-1,text,true,,38007\n"] {
        let trace = read(text).unwrap();
        assert_eq!(trace.requests, [request(1_700_000_000_010_000, 31.0, true, 38007)], "{text}");
        assert!(trace.reading.notes[0].contains("no header line"), "{:?}", trace.reading.notes);
    }
    assert_eq!(read(format!("{new}{new}")).unwrap().requests.len(), 2);
}

#[test]
fn success_may_be_told_by_the_code() {
    let text = "timeStamp,elapsed,responseCode\n1,1,200\n2,1,503\n3,1,Non HTTP response code: java.net.SocketException\n";
    let ok: Vec<bool> = read(text).unwrap().requests.iter().map(|request| request.ok).collect();
    assert_eq!(ok, [true, false, false]);
}

#[test]
fn time_stamps_may_be_dates() {
    let start = |time: &str| {
        read(format!("timeStamp,elapsed,success\n{time},1,true\n")).unwrap().requests[0].start_us
    };
    assert_eq!(start("2023/11/14 22:13:20.010"), 1_700_000_000_010_000);
    assert_eq!(start("\"2023-11-14 22:13:20,010\""), 1_700_000_000_010_000);
    assert_eq!(start("11/14/23 22:13:20"), 1_700_000_000_000_000);
}

/// What Transaction Controllers write, of 2 samples each, by versions of `JMeter`.
const TRANSACTION: &str = "\"Number of samples in transaction : 2, number of failing samples : 0\"";

#[test]
fn transactions_are_no_requests() {
    let header = "timeStamp,elapsed,label,responseCode,responseMessage,success\n";
    let text = format!("{header}1,10,a,200,OK,true\n11,20,b,200,OK,true\n1,30,t,200,{TRANSACTION},true\n");
    let trace = read(&text).unwrap();
    assert_eq!(trace.sorted_latencies_ms(), [10.0, 20.0]);
    assert!(
        trace.reading.notes[0].starts_with("1 rows of JMeter's Transaction Controllers"),
        "{:?}",
        trace.reading
    );
    let trace = read(format!("{header}1,30,t,200,{TRANSACTION},true\n")).unwrap();
    assert_eq!(trace.sorted_latencies_ms(), [30.0], "there is nothing else");
    assert!(trace.reading.notes[0].contains("all 1 requests are transactions"), "{:?}", trace.reading);
    assert!(read_with(&text, &Options { most_records: 2, ..Options::default() }).is_err(), "they take room");
}

#[test]
fn microseconds_are_preferred() {
    let text =
        "timeStamp,elapsed,success,start_us,elapsed_us\n1700000000010,30,true,1700000000010341,30746\n";
    let only = read(text).unwrap().requests[0];
    assert_eq!(only.start_us, 1_700_000_000_010_341);
    assert!((only.latency_ms - 30.746).abs() < 1e-9);
    let only = read("elapsed_us,success,start_us\n30746,true,17\n").unwrap().requests[0];
    assert_eq!(only.start_us, 17);
}

#[test]
fn the_warm_up_is_counted_from_the_first_request() {
    let trace =
        read("timeStamp,elapsed,success\n5000,1,true\n6999,2,true\n7000,4,false\n8000,3,true\n7500,5,true")
            .unwrap();
    let left = |seconds| trace.clone().after(seconds).requests.len();
    assert_eq!((left(0.0), left(1.999), left(2.0), left(2.5), left(3.001)), (5, 4, 3, 2, 0));
    assert_eq!((left(-1.0), left(f64::NAN), left(f64::INFINITY)), (5, 5, 0));
    assert_eq!(trace.clone().after(2.0).sorted_latencies_ms(), [3.0, 5.0]);
    assert_eq!(Trace::default().after(1.0), Trace::default());
}

#[test]
fn bad_values_are_named_with_their_place() {
    let time = "milliseconds since 1970, or a date as 2026/11/24 09:08:07.006 or 11/24/26 09:08:07";
    check_row(
        "24/11/26 10:00:00,1,a,200,true,1",
        &format!("trace: line 2, column `timeStamp`: `24/11/26 10:00:00` is not a time ({time})"),
    );
    check_row(
        "1e99,1,a,200,true,1",
        "trace: line 2, column `timeStamp`: `1e99` is too large (it is 0 to 9000000000000 milliseconds since 1970)",
    );
    let elapsed = "it is 0 to 15000000000 milliseconds";
    for (value, what) in [
        ("abc", "is not a number"),
        ("", "is not there"),
        ("NaN", "is not a finite number"),
        ("inf", "is not a finite number"),
        ("1e999", "is not a finite number"),
        ("-3", "is negative"),
        ("1e300", "is too large"),
    ] {
        let expected = format!("trace: line 2, column `elapsed`: `{value}` {what} ({elapsed})");
        check_row(&format!("1,{value},a,200,true,1"), &expected);
    }
    check_row(
        "1,1,a,200,yes,1",
        "trace: line 2, column `success`: `yes` says neither yes nor no (it is true or false)",
    );
    check_row(
        "1,1,a,200,true,-1",
        "trace: line 2, column `bytes`: `-1` is negative (it is 0 to 9000000000000000 bytes)",
    );
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    let expected =
        "trace: line 4, column `elapsed`: `x` is not a number (it is 0 to 15000000000 milliseconds)";
    for end in ["\n", "\r\n"] {
        check(["timeStamp,elapsed,success", "1,2,true", "1,2,true", "1,x,true", ""].join(end), expected);
    }
    check("timeStamp,elapsed,success,label\n1,2,true,\"a\nb\"\n1,x,true,c\n", expected);
}

#[test]
fn long_and_strange_values_are_shown_short() {
    let expected = format!(
        "trace: line 2, column `success`: `\\u{{1b}}[31m{}...` says neither yes nor no (it is true or false)",
        "é".repeat(35)
    );
    check_row(&format!("1,1,a,200,\u{1b}[31m{},1", "é".repeat(1000)), &expected);
}

#[test]
fn missing_columns_are_named() {
    check(
        "timestamp,elapsed,success\n1,1,true\n",
        "trace: line 1 has no column `timeStamp`, only `timestamp`, `elapsed`, `success` (is it `timestamp`? rename that)",
    );
    let hint = "the first line names the columns, at least timeStamp,elapsed,success";
    check(
        "1700000000010,30\n",
        &["timeStamp", "elapsed", "success"]
            .map(|name| format!("trace: line 1 has no column `{name}`, only `1700000000010`, `30` ({hint})"))
            .join("\n"),
    );
    let xml = read("<?xml version=\"1.0\"?>\n<testResults/>\n").unwrap_err();
    assert!(xml.contains("it is XML"), "{xml}");
    let many = read(vec!["c"; 100].join(",")).unwrap_err();
    assert!(many.contains("`c`, 80 more"), "{many}");
    check("timeStamp,elapsed,success,elapsed\n1,1,true,1\n", "trace: line 1 has the column `elapsed` twice");
}

#[test]
fn files_without_requests_are_refused() {
    let empty = "trace: is empty (a JTL file has a header line and a line per request)";
    check("", empty);
    check("\n\n", empty);
    check(gzip(""), empty);
    check(HEADER, "trace: no request in it, read as jtl-csv (requests are a row each)");
}

#[test]
fn rows_of_another_length_are_refused() {
    check_row(
        "1,1,a",
        "trace: line 2 has 3 fields, the header line 6 (every line has the columns of the header line; is the file cut short?)",
    );
}

#[test]
fn other_encodings_are_refused() {
    let mut text = format!("{HEADER}1,1,a,200,true,1\n1,1,").into_bytes();
    text.extend(b"\xff\xfe,200,true,1\n");
    let help = "write the file as UTF-8; is it compressed by something other than gzip?";
    check(&text, &format!("trace: line 3, column `label`: not UTF-8 text ({help})"));
    check(b"\xff\xfet\0i\0m\0e\0", &format!("trace: line 1: not UTF-8 text ({help})"));
}

#[test]
fn unreadable_files_are_refused() {
    let directory = TempDir::new().unwrap();
    let said = |path: PathBuf| traces::read(&path, &Options::default()).unwrap_err().to_string();
    assert!(said(directory.path().into()).ends_with(": is a directory (name a file in it)"));
    let missing = said(directory.path().join("no.jtl"));
    assert!(missing.contains("no.jtl: cannot be read: "), "{missing}");
}

#[test]
fn damaged_gzip_is_refused() {
    let rows: String = (0..20_000).map(|k| format!("{k},{},a,200,true,1\n", k * 7919 % 1000)).collect();
    let whole = gzip(format!("{HEADER}{rows}"));
    for length in [2, 5, 12, whole.len() / 2, whole.len() - 1] {
        check(&whole[..length], "trace: cannot be read: its gzip data is cut short");
    }
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 50].fill(0xff);
    let said = read(damaged).unwrap_err();
    assert!(said.starts_with("trace: "), "{said}");
    let said = read([whole, b"this is no gzip member".into()].concat()).unwrap_err();
    assert!(said.contains("22 bytes after its gzip data are none"), "{said}");
}

#[test]
fn endless_lines_are_not_read() {
    let too_long = |line| {
        format!("trace: line {line} is longer than 1048576 bytes (is it a CSV file, and each quote closed?)")
    };
    // 64 MiB, that are not there once unpacked.
    let endless = [HEADER.as_bytes(), b"1,1,a,200,true,1\n1,", &vec![b'7'; 64 << 20]].concat();
    check(gzip(endless), &too_long(3));
    check(vec![b'a'; 3 << 20], &too_long(1));
    check(",".repeat(3 << 20), &too_long(1));
    let unclosed = format!("{HEADER}1,1,\"a,200,true,1\n{}", "1,1,a,200,true,1\n".repeat(100_000));
    check(unclosed, &too_long(2));
}

#[test]
fn many_lines_and_a_rather_long_one_are_read() {
    let row = format!("1,1,\"{}\",200,true,1\n", "x".repeat(1_000_000));
    let text = format!("{HEADER}{row}{row}{row}{}", "1,1,a,200,true,1\n".repeat(100_000));
    assert_eq!(read(text).unwrap().requests.len(), 100_003);
}

#[test]
fn bad_rows_are_left_out_and_counted() {
    let text = format!(
        "{HEADER}1,1,a,200,true,1\n2,NaN,a,200,true,1\n3,3,a,200,true,1\n4,4\n5,-5,a,200,true,1\n6,6,b,200,false,1\n7,7,b,200,true,1\n"
    );
    let trace = read_as(Format::JtlCsv, false, &text).unwrap();
    assert_eq!(trace.requests.len(), 4);
    assert_eq!((trace.reading.good, trace.reading.bad), (4, 3));
    let said: Vec<String> = trace.reading.first_bad.iter().map(ToString::to_string).collect();
    assert!(said[0].contains("line 3, column `elapsed`: `NaN` is not a finite number"), "{said:?}");
    assert!(said[1].contains("line 5 has 2 fields"), "{said:?}");
    assert!(said[2].contains("line 6, column `elapsed`: `-5` is negative"), "{said:?}");
    assert!(read(&text).unwrap_err().contains("line 3, "));
}

#[test]
fn a_file_of_mostly_bad_rows_is_refused() {
    let text = format!("{HEADER}1,1,a,200,true,1\n2,x,a,200,true,1\n3,x,a,200,true,1\n");
    let said = read_as(Format::JtlCsv, false, text).unwrap_err();
    assert!(said.starts_with("trace: 2 of its 3 records are bad (it was read as jtl-csv"), "{said}");
    assert!(said.contains("\ntrace: line 3, column `elapsed`: `x` is not a number"), "{said}");
}

#[test]
fn more_records_than_allowed_are_refused() {
    let text = format!("{HEADER}{}", "1,1,a,200,true,1\n".repeat(11));
    let options = |most_records| Options { most_records, ..Options::default() };
    assert!(read_with(&text, &options(11)).is_ok());
    assert!(read_with(&text, &options(10)).unwrap_err().contains("more than 10 requests"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "[0-9truefals,.\"\r\n-]{0,100}",
        compressed: bool,
    ) {
        let start = if compressed { &b"\x1f\x8b\x08\0"[..] } else { HEADER.as_bytes() };
        for rest in [&bytes[..], text.as_bytes()] {
            if let Ok(trace) = read([start, rest].concat()) {
                prop_assert!(!trace.requests.is_empty() && trace.requests.is_sorted_by_key(|r| r.start_us));
                prop_assert!(trace.requests.iter().all(|r| r.latency_ms.is_finite() && r.latency_ms >= 0.0));
            }
        }
    }
}
