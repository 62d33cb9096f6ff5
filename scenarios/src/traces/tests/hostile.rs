//! Files that are damaged, endless or made up: a clear error, in bounded memory, and no panic.

use super::samples::ALL;
use super::{file, gzip, read_any, read_as, read_with};
use crate::traces::format::Format;
use crate::traces::{Options, Progress, read};
use proptest::prelude::*;
use std::cell::Cell;

#[test]
fn cut_gzip_is_refused_in_every_format() {
    for sample in ALL {
        let whole = gzip(sample.text);
        for length in [whole.len() / 2, whole.len() - 1] {
            let said = read_as(sample.format, false, &whole[..length]).unwrap_err();
            assert_eq!(said, "trace: cannot be read: its gzip data is cut short", "{}", sample.format.name());
        }
    }
}

/// Each 40 MB, of which gzip leaves little.
#[test]
fn endless_lines_are_refused_in_every_format() {
    for sample in ALL {
        let name = sample.format.name();
        let endless = match sample.format {
            Format::JtlXml => format!("<testResults><httpSample t=\"{}", "7".repeat(40 << 20)),
            Format::Jaeger => format!("{{\"data\":[{{\"spans\":[{{\"traceID\":\"{}", "7".repeat(40 << 20)),
            Format::Otlp => format!("{{\"resourceSpans\":[{{\"a\":\"{}", "7".repeat(40 << 20)),
            Format::Fortio => {
                format!("{{\"DurationHistogram\":{{\"Data\":[{{\"Start\":{}", "7".repeat(40 << 20))
            }
            Format::Prometheus => {
                format!("{{\"data\":{{\"result\":[{{\"values\":[[{}", "1,[".repeat(13 << 20))
            }
            _ => format!("{}{}", sample.text, "7".repeat(40 << 20)),
        };
        let said = read_as(sample.format, false, gzip(endless)).unwrap_err();
        let clear = said.contains(" is longer than ") || said.contains("number out of range");
        assert!(
            clear || (sample.format == Format::Prometheus && said.contains("recursion")),
            "{name}: {said}"
        );
        assert!(said.len() < 500, "{name}: {said}");
    }
}

#[test]
fn endless_names_are_cut_and_too_many_are_dropped() {
    let rows: String = (0..70_000).map(|k| format!("{k},1,{k}{},true\n", "é".repeat(150))).collect();
    let trace = read_any(format!("timeStamp,elapsed,label,success\n{rows}")).unwrap();
    assert_eq!(trace.requests.len(), 70_000);
    let named = trace.requests.iter().filter(|request| request.service.is_some()).count();
    assert_eq!(named, 65_535);
    assert!(trace.names.text(trace.requests[5].service.unwrap()).len() <= 256);
}

#[test]
fn deep_documents_are_refused() {
    for text in [
        format!("{{\"resourceSpans\":{}", "[".repeat(100_000)),
        format!("{{\"resourceSpans\":[{{\"resource\":{}", "{\"a\":".repeat(100_000)),
        format!("{{\"spans\":[],{}", "\"data\":{".repeat(100_000)),
        format!("{{\"resourceSpans\":[],{}", "\"result\":{".repeat(100_000)),
    ] {
        let said = read_any(&text).unwrap_err();
        // What is skipped needs no stack.
        assert!(said.contains("recursion limit") || said.contains("cut short"), "{said}");
    }
    let deep = format!("<testResults>{}", "<a>".repeat(300_000));
    let said = read_as(Format::JtlXml, false, deep).unwrap_err();
    assert!(said.contains("more than 1000 elements within each other"), "{said}");
}

#[test]
fn messages_of_parsers_are_short() {
    let long = "7\u{1b}".repeat(100_000);
    for (format, text) in [
        (Format::Otlp, format!("{{\"resourceSpans\":\"{}\"}}", "7".repeat(200_000))),
        (Format::EnvoyJson, format!("\"{}\"", "7".repeat(200_000))),
        (Format::JtlXml, format!("<testResults><{}></b>", "a".repeat(200_000))),
        (Format::JtlXml, format!("<testResults><{long}></b>")),
        (Format::MuBench, long),
    ] {
        let said = read_as(format, true, text).unwrap_err();
        assert!(said.len() < 400 && !said.contains('\u{1b}'), "{}: {} bytes", format.name(), said.len());
    }
}

/// Entities that blow up are not expanded.
#[test]
fn a_billion_laughs_are_none() {
    let text = r#"<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
<testResults><httpSample t="1" ts="1" s="true" lb="&b;"/></testResults>"#;
    let trace = read_any(text).unwrap();
    assert_eq!(trace.requests[0].service, None);
}

#[test]
fn bytes_that_are_no_text_are_refused_or_left_out() {
    for sample in ALL {
        let mut bytes = sample.text.as_bytes().to_vec();
        bytes.splice(0..0, *b"\xc3\x28\xa0\xa1\n");
        let said = read_any(&bytes).unwrap_err();
        assert!(said.starts_with("trace: "), "{}: {said}", sample.format.name());
        let position = sample.text.len() / 2;
        let mut bytes = sample.text.as_bytes().to_vec();
        bytes[position] = 0xff;
        if let Err(said) = read_any(&bytes) {
            assert!(said.starts_with("trace: "), "{}: {said}", sample.format.name());
        }
    }
}

#[test]
fn progress_is_told() {
    let (_directory, path) =
        file(format!("timeStamp,elapsed,success\n{}", "1,1,true\n".repeat(400_000)).as_bytes());
    let told = Cell::new((0, 0));
    let tell = |progress: Progress| {
        assert!(progress.read > told.get().1 && progress.read <= progress.total);
        told.set((told.get().0 + 1, progress.read));
    };
    read(&path, &Options { progress: &tell, ..Options::default() }).unwrap();
    assert_eq!(told.get().0, 3);
}

/// A sample with some bytes changed, taken out, repeated or cut off.
fn mutated() -> impl Strategy<Value = (Format, Vec<u8>)> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..5_u8);
    (0..ALL.len(), prop::collection::vec(change, 1..6)).prop_map(|(number, changes)| {
        let mut bytes = ALL[number].text.as_bytes().to_vec();
        for (position, byte, kind) in changes {
            let position = position.index(bytes.len().max(1));
            match kind {
                0 if position < bytes.len() => bytes[position] = byte,
                1 if position < bytes.len() => drop(bytes.remove(position)),
                2 => bytes.truncate(position),
                3 => bytes.insert(position, byte),
                _ => bytes.extend_from_within(position..),
            }
        }
        (ALL[number].format, bytes)
    })
}

/// Reads it in every way; what is read is in range.
fn check(format: Format, bytes: &[u8]) -> Result<(), TestCaseError> {
    for (format, strict) in [(None, false), (Some(format), false), (Some(format), true)] {
        let Ok(trace) = read_with(bytes, &Options { format, strict, ..Options::default() }) else { continue };
        prop_assert!(trace.requests.is_sorted_by_key(|request| request.start_us));
        prop_assert!(trace.requests.iter().all(|r| r.latency_ms.is_finite() && r.latency_ms >= 0.0));
        prop_assert!(trace.requests.is_empty() == trace.histogram.is_some());
        let spans = trace.spans.len() as u32;
        prop_assert!(trace.spans.iter().all(|s| s.parent.is_none_or(|parent| parent < spans)));
        prop_assert!(trace.reading.bad <= trace.reading.good && !(strict && trace.reading.bad > 0));
        if let Some(histogram) = &trace.histogram {
            prop_assert!(histogram.buckets.iter().all(|b| b.low_ms <= b.high_ms && b.count > 0.0));
            prop_assert!(histogram.quantile_ms(0.5).is_some_and(|median| median >= 0.0));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn mutated_files_are_read_or_refused((format, bytes) in mutated()) {
        check(format, &bytes)?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        format in 0..Format::ALL.len(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        text in "[0-9a-zA-Z{}\\[\\]<>/=,:.\"\\t\\r\\n -]{0,200}",
    ) {
        check(Format::ALL[format], &bytes)?;
        check(Format::ALL[format], text.as_bytes())?;
    }

    #[test]
    fn any_rest_of_a_file_is_read_or_refused(
        number in 0..ALL.len(),
        position in any::<prop::sample::Index>(),
        rest in prop::collection::vec(any::<u8>(), 0..100),
        packed: bool,
    ) {
        let text = ALL[number].text.as_bytes();
        let mut bytes = text[..position.index(text.len())].to_vec();
        if packed {
            bytes = gzip(&bytes);
        }
        bytes.extend(rest);
        check(ALL[number].format, &bytes)?;
    }
}
