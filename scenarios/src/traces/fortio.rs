//! Reads the results of Fortio, Istio's own load tool: buckets only.
//!
//! # Models
//! `DurationHistogram` has the number of calls per range of durations (s), their mean, and quantiles;
//! without ranges (`Data`) the quantiles are taken as borders. `RetCodes` counts results: a number
//! from 200 to 399, 418, or `SERVING` (gRPC) is a success, as is `1`, which old versions write for
//! it.
//!
//! # Assumptions
//! Failed calls are among the durations. Effect: if many fail, and faster or slower than others, the
//! distribution is not that of the successful ones.
//!
//! # Source
//! Fortio, `stats/stats.go` (`HistogramData`: a range is open at its start, closed at its end) and
//! `fhttp/http_client.go` (`codeIsOK`).

use super::collect::Collector;
use super::field::{Fault, Quantity, count, duration_s};
use super::histogram::{Bucket, Histogram};
use super::input::{Content, problem_of};
use super::json::{Each, Object, Parts, Sink, documents};
use super::scalar::Scalar;
use crate::problem::{Checked, Problem};
use serde::Deserialize;
use serde::de::MapAccess;
use std::collections::BTreeMap;

pub(super) fn read<'a>(content: Content<'a>, to: &mut Collector<'a>) -> Checked<()> {
    let mut result = FortioResult::default();
    documents(content, to, &mut result)?;
    let histogram = result.histogram(to)?;
    to.note("the file has buckets only, with the failed calls and all of the run in them");
    to.set_histogram(histogram, result.durations.buckets.len().max(1) as u64);
    Ok(())
}

#[derive(Default)]
struct FortioResult {
    durations: Durations,
    found: u32,
    failed: u64,
}

impl Parts for FortioResult {
    fn part<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        sink: &mut Sink<'_, '_>,
    ) -> Result<bool, A::Error> {
        match key {
            "DurationHistogram" => {
                self.found += 1;
                map.next_value_seed(Object { parts: &mut self.durations, sink })?;
            }
            "RetCodes" => {
                let codes: Option<BTreeMap<String, Scalar>> = map.next_value()?;
                let failed = codes.unwrap_or_default().into_iter().filter(|(code, _)| !is_ok(code));
                self.failed += failed.filter_map(|(_, count)| count.as_f64()).sum::<f64>() as u64;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn is_ok(code: &str) -> bool {
    matches!(code, "SERVING" | "1" | "OK" | "418")
        || code.parse::<u32>().is_ok_and(|code| (200..400).contains(&code))
}

#[derive(Default)]
struct Durations {
    count: Scalar,
    average: Scalar,
    least: Scalar,
    largest: Scalar,
    buckets: Vec<Bucket>,
    /// Value (ms) and share.
    quantiles: Vec<(f64, f64)>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Range {
    start: Scalar,
    end: Scalar,
    count: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Quantile {
    percentile: Scalar,
    value: Scalar,
}

const PERCENT: Quantity = Quantity { name: "Percentile", factor: 0.01, most: 100.0, right: "percent" };

/// More than Fortio has of either.
const MOST: usize = 100_000;

impl Parts for Durations {
    fn part<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        sink: &mut Sink<'_, '_>,
    ) -> Result<bool, A::Error> {
        match key {
            "Count" => self.count = map.next_value()?,
            "Avg" => self.average = map.next_value()?,
            "Min" => self.least = map.next_value()?,
            "Max" => self.largest = map.next_value()?,
            "Data" => {
                let buckets = &mut self.buckets;
                map.next_value_seed(Each::new(sink, |to: &mut Collector<'_>, range: Range, line| {
                    keep(buckets, range.bucket(), to, line)
                }))?;
            }
            "Percentiles" => {
                let quantiles = &mut self.quantiles;
                map.next_value_seed(Each::new(sink, |to: &mut Collector<'_>, quantile: Quantile, line| {
                    let read = |q: &Quantile| {
                        Ok((q.value.number(&duration_s("Value"))?, q.percentile.number(&PERCENT)?))
                    };
                    keep(quantiles, read(&quantile), to, line)
                }))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Keeps a good element; one of too many is an error.
fn keep<T>(
    all: &mut Vec<T>,
    read: Result<T, Fault>,
    to: &mut Collector<'_>,
    line: u64,
) -> Result<(), Problem> {
    match read {
        Ok(_) if all.len() >= MOST => Err(problem_of(to.path, format!("has more than {MOST} buckets"))),
        Ok(element) => {
            all.push(element);
            Ok(())
        }
        Err(fault) => to.bad(fault.at(to.path, line)),
    }
}

impl Range {
    fn bucket(&self) -> Result<Bucket, Fault> {
        let low_ms = self.start.number(&duration_s("Start"))?;
        let high_ms = self.end.number(&duration_s("End"))?;
        if high_ms < low_ms {
            return Err(
                Fault::new("End", &self.end.text(), "is before its start", "a range ends later").of("key")
            );
        }
        Ok(Bucket { low_ms, high_ms, count: self.count.number(&count("Count", "calls"))? })
    }
}

impl FortioResult {
    fn histogram(&self, to: &Collector<'_>) -> Result<Histogram, Problem> {
        let durations = &self.durations;
        if self.found != 1 {
            let message = format!("has {} DurationHistogram, not one", self.found);
            return Err(problem_of(to.path, message).help("it is one result of fortio load -json"));
        }
        let key = |scalar: &Scalar, quantity: &Quantity| {
            scalar.number(quantity).map_err(|fault| fault.in_file(to.path))
        };
        let calls = key(&durations.count, &count("Count", "calls"))?;
        let mut buckets: Vec<Bucket> =
            durations.buckets.iter().filter(|bucket| bucket.count > 0.0).copied().collect();
        buckets.sort_by(|a, b| a.low_ms.total_cmp(&b.low_ms));
        if buckets.windows(2).any(|pair| pair[1].low_ms < pair[0].high_ms) {
            return Err(problem_of(to.path, "has ranges of durations that overlap"));
        }
        if buckets.is_empty() {
            let low = key(&durations.least, &duration_s("Min"))?;
            let mut points: Vec<(f64, f64)> =
                durations.quantiles.iter().map(|(value, share)| (*value, share * calls)).collect();
            points.push((key(&durations.largest, &duration_s("Max"))?, calls));
            points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
            buckets = Histogram::of_cumulative(low, &points).buckets;
        }
        let exact_mean_ms = durations.average.number(&duration_s("Avg")).ok();
        let (requests, failed) = (calls as u64, self.failed);
        Ok(Histogram { buckets, exact_mean_ms, requests, failed, ..Histogram::default() })
    }
}
