//! Envoy's outlier detection: a time line of one proxy and one upstream.

use crate::read::{flag_at, list, millis_at, moment_at, required, set, small_at, text, whole, whole_at};
use meshsim_core::SimTime;
use meshsim_models::envoy::outlier_detection::{
    AtTick, Detector, EjectionType, HostResult, OutlierDetection,
};
use serde_json::{Map, Value, json};

/// The run of a time line, and what came of it.
struct TimeLine {
    config: OutlierDetection,
    detector: Detector,
    hosts: usize,
    events: Vec<Value>,
    thresholds: Vec<Value>,
}

pub(crate) fn outlier_detection(input: &Value) -> Value {
    let hosts = whole(required(input, "hosts")) as usize;
    let mut line = TimeLine {
        config: config(input.get("config").unwrap_or(&Value::Null)),
        detector: Detector::new(hosts),
        hosts,
        events: Vec::new(),
        thresholds: Vec::new(),
    };
    for step in list(input, "steps") {
        line.step(step);
    }
    let detector = &line.detector;
    let ejected: Vec<_> = (0..line.hosts).filter(|&host| detector.is_ejected(host)).map(name).collect();
    let not_enforced: Map<_, _> = EjectionType::ALL
        .into_iter()
        .filter(|&kind| detector.not_enforced(kind) > 0)
        .map(|kind| (kind.name().to_owned(), detector.not_enforced(kind).into()))
        .collect();
    json!({
        "events": line.events,
        "ejected": ejected,
        "overflow": detector.overflow(),
        "not_enforced": not_enforced,
        "success_rate": line.thresholds,
    })
}

impl TimeLine {
    fn step(&mut self, step: &Value) {
        let now = moment_at(step, "t");
        if flag_at(step, "tick") == Some(true) {
            let every = millis_at(step, "every").unwrap_or_default();
            for n in 0..whole_at(step, "repeat").unwrap_or(1) {
                self.tick(now + every * n);
            }
        } else if let Some(named) = set(step, "remove") {
            hosts(named).into_iter().for_each(|host| self.detector.remove(host));
        } else if let Some(named) = set(step, "add") {
            for host in hosts(named) {
                self.detector.add(host);
                self.hosts = self.hosts.max(host + 1);
            }
        } else {
            self.results(step, now);
        }
    }

    fn tick(&mut self, now: SimTime) {
        let (events, thresholds) = (&mut self.events, &mut self.thresholds);
        self.detector.tick(&self.config, now, |change| match change {
            AtTick::Returned(host) => {
                events.push(json!({"t": millis(now), "host": name(host), "action": "uneject"}));
            }
            AtTick::Ejected(host, kind) => events.push(ejection(now, host, kind)),
            AtTick::Threshold(kind, found) => thresholds.push(json!({
                "t": millis(now), "kind": kind.name(),
                "average": found.average, "threshold": found.threshold,
            })),
        });
    }

    fn results(&mut self, step: &Value, now: SimTime) {
        let status = whole_at(step, "code").map(|code| code as u16);
        let result = set(step, "result").map(|result| result_named(text(result)));
        for host in hosts(required(step, "host")) {
            for _ in 0..whole_at(step, "count").unwrap_or(1) {
                let (config, detector) = (&self.config, &mut self.detector);
                let ejected = match (result, status) {
                    (Some(result), status) => detector.put_result(config, host, result, status, now),
                    (None, Some(status)) => detector.put_status(config, host, status, now),
                    (None, None) => panic!("{step} is not a step"),
                };
                self.events.extend(ejected.map(|kind| ejection(now, host, kind)));
            }
        }
    }
}

fn ejection(now: SimTime, host: usize, kind: EjectionType) -> Value {
    json!({"t": millis(now), "host": name(host), "action": "eject", "type": kind.name()})
}

/// Whole milliseconds where they are whole.
fn millis(now: SimTime) -> Value {
    let nanos = (now - SimTime::ZERO).as_nanos();
    if nanos.is_multiple_of(1_000_000) { (nanos / 1_000_000).into() } else { (nanos as f64 / 1e6).into() }
}

fn name(host: usize) -> String {
    format!("h{host}")
}

/// A host, or a list of them.
fn hosts(named: &Value) -> Vec<usize> {
    match named.as_array() {
        Some(list) => list.iter().map(|host| number(text(host))).collect(),
        None => vec![number(text(named))],
    }
}

fn number(host: &str) -> usize {
    let digits = host.strip_prefix('h').and_then(|digits| digits.parse().ok());
    digits.unwrap_or_else(|| panic!("`{host}` is not a host"))
}

fn result_named(name: &str) -> HostResult {
    match name {
        "local_origin_timeout" => HostResult::LocalOriginTimeout,
        "local_origin_connect_failed" => HostResult::LocalOriginConnectFailed,
        "local_origin_connect_success" => HostResult::LocalOriginConnectSuccess,
        "local_origin_connect_success_final" => HostResult::LocalOriginConnectSuccessFinal,
        "ext_origin_request_failed" => HostResult::ExtOriginRequestFailed,
        "ext_origin_request_success" => HostResult::ExtOriginRequestSuccess,
        other => panic!("`{other}` is not a result"),
    }
}

fn config(given: &Value) -> OutlierDetection {
    let default = OutlierDetection::default();
    let count = |key, default| small_at(given, key).unwrap_or(default);
    let enforced = |key, default| match whole_at(given, key) {
        None => default,
        Some(0) => false,
        Some(100) => true,
        Some(other) => panic!("{other} % is neither always nor never"),
    };
    let flag = |key, default| flag_at(given, key).unwrap_or(default);
    OutlierDetection {
        interval: millis_at(given, "interval_ms").unwrap_or(default.interval),
        base_ejection_time: millis_at(given, "base_ejection_time_ms").unwrap_or(default.base_ejection_time),
        max_ejection_time: millis_at(given, "max_ejection_time_ms"),
        consecutive_5xx: count("consecutive_5xx", default.consecutive_5xx),
        consecutive_gateway_failure: count(
            "consecutive_gateway_failure",
            default.consecutive_gateway_failure,
        ),
        consecutive_local_origin_failure: count(
            "consecutive_local_origin_failure",
            default.consecutive_local_origin_failure,
        ),
        max_ejection_percent: count("max_ejection_percent", default.max_ejection_percent),
        always_eject_one_host: flag("always_eject_one_host", default.always_eject_one_host),
        split_external_local_origin_errors: flag(
            "split_external_local_origin_errors",
            default.split_external_local_origin_errors,
        ),
        success_rate_minimum_hosts: count("success_rate_minimum_hosts", default.success_rate_minimum_hosts),
        success_rate_request_volume: count(
            "success_rate_request_volume",
            default.success_rate_request_volume,
        ),
        success_rate_stdev_factor: count("success_rate_stdev_factor", default.success_rate_stdev_factor),
        failure_percentage_threshold: count(
            "failure_percentage_threshold",
            default.failure_percentage_threshold,
        ),
        failure_percentage_minimum_hosts: count(
            "failure_percentage_minimum_hosts",
            default.failure_percentage_minimum_hosts,
        ),
        failure_percentage_request_volume: count(
            "failure_percentage_request_volume",
            default.failure_percentage_request_volume,
        ),
        enforcing_consecutive_5xx: enforced("enforcing_consecutive_5xx", default.enforcing_consecutive_5xx),
        enforcing_consecutive_gateway_failure: enforced(
            "enforcing_consecutive_gateway_failure",
            default.enforcing_consecutive_gateway_failure,
        ),
        enforcing_consecutive_local_origin_failure: enforced(
            "enforcing_consecutive_local_origin_failure",
            default.enforcing_consecutive_local_origin_failure,
        ),
        enforcing_success_rate: enforced("enforcing_success_rate", default.enforcing_success_rate),
        enforcing_local_origin_success_rate: enforced(
            "enforcing_local_origin_success_rate",
            default.enforcing_local_origin_success_rate,
        ),
        enforcing_failure_percentage: enforced(
            "enforcing_failure_percentage",
            default.enforcing_failure_percentage,
        ),
        enforcing_failure_percentage_local_origin: enforced(
            "enforcing_failure_percentage_local_origin",
            default.enforcing_failure_percentage_local_origin,
        ),
    }
}
