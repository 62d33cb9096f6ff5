use crate::traces::{Trace, TraceRequest};
use crate::validate::measured::{MIN_RESAMPLES, measure};
use meshsim_core::elementary::sqrt;
use meshsim_core::random::{Address, exponential, normal, uniform};
use meshsim_core::stats::quantile_of_sorted;

/// One successful request per second.
fn each_second(latencies_ms: impl IntoIterator<Item = f64>) -> Trace {
    let request = |(second, latency_ms)| TraceRequest {
        start_us: 1_795_558_703_000_000 + second * 1_000_000,
        latency_ms,
        ok: true,
        ..TraceRequest::default()
    };
    Trace::of_requests((0_u64..).zip(latencies_ms).map(request).collect())
}

fn iid(series: u64, count: u64) -> Trace {
    let root = Address::root(5, 0).child(series);
    each_second((0..count).map(|k| exponential(&mut root.child(k).draw(0), 100.0)))
}

/// An AR(1) series around 100 with standard deviation 1.
fn autocorrelated(series: u64, count: u64, phi: f64) -> Trace {
    let root = Address::root(6, 0).child(series);
    let mut value = normal(&mut root.child(count).draw(0));
    each_second((0..count).map(|k| {
        value = phi * value + sqrt(1.0 - phi * phi) * normal(&mut root.child(k).draw(0));
        100.0 + value
    }))
}

/// In which share of traces the interval of the mean, and that of the median, has the true value.
fn coverage(make: impl Fn(u64) -> Trace, block_seconds: f64, truth: [f64; 2]) -> [f64; 2] {
    let traces = 200;
    let mut covered = [0; 2];
    for series in 0..traces {
        let measured = measure(&make(series), block_seconds, 200, series).unwrap();
        for (index, figure) in [measured.mean, measured.p50].iter().enumerate() {
            covered[index] += u32::from(figure.interval.unwrap().contains(truth[index]));
        }
    }
    covered.map(|count| f64::from(count) / traces as f64)
}

/// Of 200 traces, 95 % has a standard error of 1.5 %.
#[test]
fn independent_latencies_are_covered_whatever_the_blocks() {
    let truth = [100.0, 100.0 * std::f64::consts::LN_2];
    for block_seconds in [0.001, 10.0] {
        let covered = coverage(|series| iid(series, 400), block_seconds, truth);
        assert!(covered.iter().all(|share| (0.90..0.985).contains(share)), "{covered:?}, {block_seconds} s");
    }
}

/// Correlation of 0.9 from one to the next: blocks of 80 s are 8 correlation times.
#[test]
fn correlated_latencies_need_blocks() {
    let trace = |series| autocorrelated(series, 2000, 0.9);
    let single = coverage(trace, 1.0, [100.0; 2]);
    assert!(single.iter().all(|&share| share < 0.55), "{single:?} with single requests");
    let blocks = coverage(trace, 80.0, [100.0; 2]);
    assert!(blocks.iter().all(|share| (0.86..0.98).contains(share)), "{blocks:?} with blocks");
}

#[test]
fn few_blocks_cover_less_than_they_promise() {
    let [mean, _] = coverage(|series| autocorrelated(series, 13 * 60, 0.9), 60.0, [100.0; 2]);
    assert!((0.82..0.94).contains(&mean), "{mean} with 13 blocks");
}

#[test]
fn figures_are_those_of_the_successful_requests() {
    let mut trace = each_second((0..=100).map(f64::from));
    trace.requests.extend(each_second([1e6; 4]).requests.iter().map(|r| TraceRequest { ok: false, ..*r }));
    trace.requests.sort_by_key(|request| request.start_us);
    let measured = measure(&trace, 5.0, 100, 1).unwrap();
    assert_eq!((measured.count, measured.failed), (101, 4));
    let figures = [measured.mean, measured.p50, measured.p90, measured.p95, measured.p99];
    for (figure, value) in figures.iter().zip([50.0, 50.0, 90.0, 95.0, 99.0]) {
        assert!((figure.value - value).abs() < 1e-9, "{figure:?}");
        assert_eq!(figure.samples, 101);
        assert!(figure.interval.unwrap().contains(value));
    }
    assert_eq!((measured.failure_share.value, measured.failure_share.samples), (4.0 / 105.0, 105));
}

/// From the formula with z = 1.959964; 1 of 10 is also in Brown, Cai and DasGupta.
#[test]
fn shares_have_wilson_intervals() {
    for (failed, all, low, high) in [
        (0, 10, 0.0, 0.277_533),
        (1, 10, 0.017_876, 0.404_15),
        (50, 100, 0.403_832, 0.596_168),
        (9, 10, 0.595_850, 0.982_124),
    ] {
        let mut trace = each_second(vec![1.0; all]);
        for request in &mut trace.requests[..failed] {
            request.ok = false;
        }
        let interval = measure(&trace, 1.0, 0, 1).unwrap().failure_share.interval.unwrap();
        assert!((interval.low - low).abs() < 1e-5 && (interval.high - high).abs() < 1e-5, "{interval:?}");
    }
}

#[test]
fn the_seed_decides() {
    let trace = iid(1, 300);
    let measured = |seed| measure(&trace, 10.0, 100, seed);
    assert_eq!(measured(1), measured(1));
    assert_ne!(measured(1), measured(2));
    assert_eq!(measured(1).unwrap().mean.value, measured(2).unwrap().mean.value);
}

#[test]
fn a_constant_latency_has_an_interval_of_no_width() {
    let interval = measure(&each_second(vec![7.0; 50]), 5.0, 50, 1).unwrap().p90.interval.unwrap();
    assert_eq!((interval.low, interval.high), (7.0, 7.0));
}

#[test]
fn too_little_gives_no_interval() {
    let trace = iid(1, 100);
    let interval = |seconds, resamples| measure(&trace, seconds, resamples, 1).unwrap().mean.interval;
    assert!(interval(25.0, 50).is_some());
    assert!(interval(26.0, 50).is_none(), "less than four blocks");
    assert!(interval(1e300, 50).is_none());
    assert!(interval(25.0, MIN_RESAMPLES - 1).is_none());
    assert!(measure(&each_second([3.0]), 1.0, 50, 1).unwrap().mean.interval.is_none());
    assert!(measure(&each_second(vec![3.0; 2]), 1.0, 50, 1).unwrap().mean.interval.is_none());
}

#[test]
fn without_success_or_blocks_nothing_is_measured() {
    assert_eq!(measure(&Trace::default(), 1.0, 50, 1), None);
    let mut failed = each_second([3.0]);
    failed.requests[0].ok = false;
    assert_eq!(measure(&failed, 1.0, 50, 1), None);
    for block_seconds in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(measure(&iid(1, 10), block_seconds, 50, 1), None);
    }
}

/// All at the same moment: the circle has almost no length.
#[test]
fn simultaneous_requests_do_no_harm() {
    let mut trace = iid(1, 50);
    for request in &mut trace.requests {
        request.start_us = 5;
    }
    assert_eq!(measure(&trace, 1.0, 50, 1).unwrap().mean.interval, None);
    assert_eq!(measure(&trace, 1e-9, 50, 1).unwrap().mean.interval, None);
}

/// Of a uniform law on 0..100 ms, the true distance of a sample to it is at most the noise 95 times in
/// 100: bootstrap noise is that of the sample's own law, with its ties.
#[test]
fn the_noise_covers_the_distance_to_the_true_law() {
    let (mut covered, traces) = ([0; 2], 200);
    for series in 0..traces {
        let root = Address::root(7, 0).child(series);
        let uniform = |k| 100.0 * uniform(&mut root.child(k).draw(0));
        let trace = each_second((0..400).map(uniform));
        let noise = measure(&trace, 10.0, 200, series).unwrap().noise.unwrap();
        let truth: Vec<f64> = (0..20_000).map(|k| (f64::from(k) + 0.5) / 200.0).collect();
        let sorted = trace.sorted_latencies_ms();
        let distance = crate::validate::distance::kolmogorov_smirnov(&sorted, &truth);
        covered[0] += u32::from(distance <= noise.kolmogorov_smirnov);
        covered[1] +=
            u32::from(crate::validate::distance::wasserstein(&sorted, &truth) <= noise.wasserstein_ms);
    }
    let covered = covered.map(|count| f64::from(count) / traces as f64);
    assert!(covered.iter().all(|share| (0.88..=1.0).contains(share)), "{covered:?}");
}

/// The slow twin: each drawn series written out and sorted. Latencies with and without ties, failures among them.
#[test]
fn intervals_are_those_of_series_that_are_written_out() {
    let root = Address::root(8, 0);
    for ties in [1.0, 20.0] {
        let mut trace = each_second((0..300).map(|k| {
            let latency = exponential(&mut root.child(k).draw(0), 100.0);
            (latency / ties).ceil() * ties
        }));
        trace.requests.iter_mut().step_by(7).for_each(|request| request.ok = false);
        let measured = measure(&trace, 20.0, 60, 3).unwrap();
        let (circle, block) = (300_000_000_u64, 20_000_000);
        let first = trace.requests[0].start_us;
        let mut figures: [Vec<f64>; 5] = Default::default();
        for resample in 0..60 {
            let mut drawn = Vec::new();
            for index in 0..circle / block {
                let address = Address::root(3, 0).child(resample).child(index);
                let from = (uniform(&mut address.draw(0)) * circle as f64) as u64;
                let inside = |start: u64| (start + circle - from) % circle < block;
                let good = trace.requests.iter().filter(|it| it.ok && inside(it.start_us - first));
                drawn.extend(good.map(|it| it.latency_ms));
            }
            drawn.sort_unstable_by(f64::total_cmp);
            figures[0].push(drawn.iter().sum::<f64>() / drawn.len() as f64);
            for (values, q) in figures[1..].iter_mut().zip([0.5, 0.9, 0.95, 0.99]) {
                values.push(quantile_of_sorted(&drawn, q).unwrap());
            }
        }
        let found = [measured.mean, measured.p50, measured.p90, measured.p95, measured.p99];
        for (values, found) in figures.iter_mut().zip(found) {
            values.sort_unstable_by(f64::total_cmp);
            let interval = found.interval.unwrap();
            for (end, q) in [(interval.low, 0.025), (interval.high, 0.975)] {
                let expected = quantile_of_sorted(values, q).unwrap();
                assert!((end - expected).abs() < 1e-9, "{end} {expected} at {q}, ties of {ties} ms");
            }
        }
    }
}
