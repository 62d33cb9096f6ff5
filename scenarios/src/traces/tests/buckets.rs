use super::samples::{FORTIO, LOCUST_DISTRIBUTION, LOCUST_OLD, LOCUST_STATS, PROMETHEUS, PROMETHEUS_RATES};
use super::{read_any, read_as};
use crate::traces::format::Format;
use crate::traces::histogram::{Bucket, Histogram};
use crate::validate::distance::{kolmogorov_smirnov, wasserstein};
use crate::validate::measured::measure;

fn bucket(low_ms: f64, high_ms: f64, count: f64) -> Bucket {
    Bucket { low_ms, high_ms, count }
}

fn histogram(text: &str) -> Histogram {
    read_any(text).unwrap().histogram.unwrap()
}

fn near(value: Option<f64>, expected: f64) -> bool {
    value.is_some_and(|value| (value - expected).abs() < 1e-6)
}

#[test]
fn fortio_has_ranges_in_seconds() {
    let found = histogram(FORTIO);
    let expected = [bucket(28.0, 30.0, 20.0), bucket(30.0, 35.0, 40.0), bucket(50.0, 73.0, 20.0)];
    assert_eq!(found.buckets, expected);
    assert_eq!((found.requests, found.failed), (80, 4));
    assert!(near(found.mean_ms(), 37.3363));
    assert!(near(found.quantile_ms(0.5), 32.5));
    assert!(near(found.quantile_ms(0.0), 28.0) && near(found.quantile_ms(1.0), 73.0));
}

#[test]
fn fortio_without_ranges_has_quantiles() {
    let (before, rest) = FORTIO.split_once("\"Data\": [").unwrap();
    let (_, after) = rest.split_once("],").unwrap();
    let found = histogram(&format!("{before}{after}"));
    let [first, second, third] = found.buckets.try_into().unwrap();
    assert_eq!((first, second.high_ms), (bucket(28.0, 32.5, 40.0), 72.8));
    assert!((third.count - 0.8).abs() < 1e-9 && (third.high_ms - 73.0).abs() < 1e-9);
}

#[test]
fn bad_results_of_fortio_are_refused() {
    let strict = |text: &str| read_as(Format::Fortio, true, text).unwrap_err();
    let said = strict(&FORTIO.replace("\"Start\": 0.03,", "\"Start\": -1,"));
    assert!(said.contains("line 20, key `Start`: `-1` is negative"), "{said}");
    let said = strict(&FORTIO.replace("\"Start\": 0.03,", "\"Start\": 0.01,"));
    assert!(said.contains("ranges of durations that overlap"), "{said}");
    assert!(strict("{\"RunType\": \"HTTP\"}").contains("has 0 DurationHistogram, not one"));
    assert!(strict(&FORTIO.repeat(2)).contains("has 2 DurationHistogram, not one"));
}

#[test]
fn locust_has_quantiles_of_all_requests() {
    let found = histogram(LOCUST_STATS);
    assert_eq!(found.buckets[0], bucket(4.5, 100.0, 500.0));
    assert_eq!((found.requests, found.failed), (1000, 10));
    assert!(near(found.mean_ms(), 123.5));
    assert!(near(found.quantile_ms(0.5), 100.0) && near(found.quantile_ms(0.9), 500.0));
    assert!(near(found.quantile_ms(1.0), 1700.25));
    let rest = LOCUST_STATS.replace("Aggregated", "other");
    assert!(read_any(rest).unwrap_err().contains("no row named Aggregated"));
}

#[test]
fn old_files_of_locust_have_the_median_only() {
    let found = histogram(LOCUST_OLD);
    assert_eq!((found.requests, found.failed), (600, 2));
    assert_eq!(found.buckets, [bucket(3.0, 7.0, 300.0), bucket(7.0, 120.0, 300.0)]);
    assert!(near(found.mean_ms(), 8.0) && near(found.quantile_ms(0.5), 7.0));
    assert_eq!([0.5, 0.51, 0.99, 1.0].map(|q| found.knows(q)), [true, false, false, true]);
    assert!(found.wasserstein_ms(&[1.0]).is_nan());
    let notes = read_any(LOCUST_OLD).unwrap().reading.notes;
    assert!(notes.iter().any(|note| note.contains("_distribution.csv")), "{notes:?}");
}

#[test]
fn old_distributions_of_locust_have_no_mean() {
    let found = histogram(LOCUST_DISTRIBUTION);
    assert_eq!((found.requests, found.failed, found.exact_mean_ms), (600, 0, None));
    assert!(near(found.quantile_ms(0.5), 7.0) && near(found.quantile_ms(0.9), 10.0));
    assert!(near(found.quantile_ms(0.99), 50.0) && near(found.quantile_ms(1.0), 120.0));
}

#[test]
fn answers_about_failed_requests_alone_are_refused() {
    let failed = PROMETHEUS.replace("\"response_code\":\"200\"", "\"response_code\":\"503\"");
    let said = read_any(failed).unwrap_err();
    assert!(said.contains("all 104 requests failed"), "{said}");
    let failed = LOCUST_STATS.replace(",Aggregated,1000,10,", ",Aggregated,1000,1000,");
    assert_eq!(measure(&read_any(failed).unwrap(), 15.0, 100, 1), None);
}

#[test]
fn prometheus_counters_grow_and_restart() {
    let found = histogram(PROMETHEUS);
    let expected = [bucket(0.0, 100.0, 55.0), bucket(100.0, 250.0, 43.0), bucket(250.0, f64::INFINITY, 2.0)];
    assert_eq!(found.buckets, expected);
    assert_eq!((found.requests, found.failed), (104, 4));
    assert!(near(found.quantile_ms(1.0), 250.0), "what is known of a bucket without an end");
    assert!(near(found.mean_ms(), (55.0 * 50.0 + 43.0 * 175.0 + 2.0 * 250.0) / 100.0));
}

#[test]
fn prometheus_rates_are_shares() {
    let trace = read_any(PROMETHEUS_RATES).unwrap();
    let expected = [bucket(0.0, 100.0, 0.5), bucket(100.0, 500.0, 0.5)];
    assert_eq!(trace.histogram.unwrap().buckets, expected);
    assert!(trace.reading.notes[0].contains("borders are taken as seconds"), "{:?}", trace.reading.notes);
}

#[test]
fn prometheus_instant_vectors_are_counts() {
    let text = r#"{"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"__name__":"http_request_duration_seconds_bucket","le":"0.1"},"value":[1435781451.781,"3"]},
        {"metric":{"__name__":"http_request_duration_seconds_bucket","le":"+Inf"},"value":[1435781451.781,"4"]}]}}"#;
    let expected = [bucket(0.0, 100.0, 3.0), bucket(100.0, f64::INFINITY, 1.0)];
    assert_eq!(histogram(text).buckets, expected);
}

#[test]
fn other_answers_of_prometheus_are_refused() {
    let said = read_any(r#"{"status":"error","errorType":"bad_data","error":"parse error","data":null}"#)
        .unwrap_err();
    assert!(said.contains("Prometheus refused the query: `parse error`"), "{said}");
    let said = read_any(PROMETHEUS_RATES.replace("\"le\"", "\"pod\"")).unwrap_err();
    assert!(said.contains("no series with the label `le` (3 without)"), "{said}");
    let bad = PROMETHEUS.replace("\"60\"", "\"NaN\"");
    let said = read_as(Format::Prometheus, true, bad).unwrap_err();
    assert!(said.contains("line 2, key `values`: `NaN` is not a finite number"), "{said}");
}

#[test]
fn distances_are_those_of_samples_where_buckets_are_narrow() {
    // Two samples, and buckets around each value of the first.
    let first: Vec<f64> = (0..1000).map(|k| f64::from(k * k % 997)).collect();
    let second: Vec<f64> = (0..700).map(|k| f64::from(k * 31 % 1100)).collect();
    let sorted = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values
    };
    let (first, second) = (sorted(first), sorted(second));
    let mut buckets: Vec<Bucket> = Vec::new();
    for &value in &first {
        match buckets.last_mut() {
            Some(last) if last.high_ms >= value => last.count += 1.0,
            _ => buckets.push(bucket(value - 1e-3, value, 1.0)),
        }
    }
    let found = Histogram { buckets, requests: 1000, ..Histogram::default() };
    let exact = kolmogorov_smirnov(&first, &second);
    assert!((found.kolmogorov_smirnov(&second) - exact).abs() < 1e-9);
    let exact = wasserstein(&first, &second);
    assert!((found.wasserstein_ms(&second) / exact - 1.0).abs() < 0.02, "{exact}");
    assert!(
        found.kolmogorov_smirnov(&[]).is_nan() && Histogram::default().kolmogorov_smirnov(&first).is_nan()
    );
    assert!(found.wasserstein_ms(&[]).is_nan() && Histogram::default().wasserstein_ms(&first).is_nan());
}

#[test]
fn buckets_give_figures_without_intervals() {
    let trace = read_any(FORTIO).unwrap().after(20.0);
    let measured = measure(&trace, 15.0, 100, 1).unwrap();
    assert_eq!((measured.count, measured.failed, trace.count()), (76, 4, 80));
    assert!((measured.mean.value - 37.3363).abs() < 1e-9 && measured.mean.interval.is_none());
    assert!(measured.p99.interval.is_none() && measured.failure_share.interval.is_some());
}
