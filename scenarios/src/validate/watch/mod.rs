//! A scenario held against a running Prometheus, block by block: what is predicted, what is measured, and why they differ.
//!
//! # Models
//! What is predicted (`predicted`) and what Prometheus has of a block of time are the same figures. A residual leaves its band where it is
//! larger than a share of the prediction and, beside that, three standard errors of the block: counts are Poisson, times vary as much as
//! their mean. What leaves is asked in the order of causes: load, errors, call graph, clusters, CPU time per call. Errors come before the graph, for a
//! service that answers nothing is called no longer, as its servers count, and one that fails is called again. A latency that leaves
//! with any of them follows from it, and alone it is the network's, the machines' or of who else uses them.
//!
//! # Assumptions
//! - Requests of a block are independent. Effect: under high load, where queues last as long as a block, latencies leave their band too often.
//!
//! # Source
//! Shewhart, Economic control of quality of manufactured product, 1931 (three standard errors).

mod predicted;
#[cfg(test)]
mod tests;

use crate::experiment::Watch;
use crate::import::measured::{Application, Entry, Measured};
use crate::resolve::Resolved;
use std::fmt;

/// Standard errors of a block that are chance.
const CHANCE: f64 = 3.0;

/// A difference of shares of failed requests of which nobody is told.
const LEAST_ERRORS: f64 = 0.005;

/// A difference of calls per request of which nobody is told.
const LEAST_CALLS: f64 = 0.005;

/// What is predicted.
#[derive(Clone, Debug)]
pub struct Predicted(Application);

/// What may leave its band, in the order of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Users request more or less.
    Load,
    /// More or fewer requests fail.
    Errors,
    /// Services call others more or less often.
    Graph,
    /// Services answer elsewhere.
    Clusters,
    /// A call takes more or less of a CPU.
    Cpu,
    /// Requests take longer or shorter.
    Latency,
}

/// A figure, predicted and measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Residual {
    /// What it would be the cause of.
    pub cause: Cause,
    /// Of whom or what, in words.
    pub what: String,
    /// As predicted.
    pub predicted: f64,
    /// As measured.
    pub measured: f64,
    /// So far they may be apart.
    pub allowed: f64,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    PerSecond,
    PerRequest,
    Share,
    Ms,
}

impl Predicted {
    /// By the first replication of a scenario; nothing if it was told to stop.
    #[must_use]
    pub fn new(resolved: &Resolved, watch: &Watch<'_>) -> Option<Self> {
        predicted::application(resolved, watch).map(Self)
    }

    /// All figures of a block of so many seconds; `band` is the share of a prediction by which it may be wrong.
    #[must_use]
    pub fn against(&self, measured: Option<&Measured>, seconds: f64, band: f64) -> Vec<Residual> {
        let nothing = Application::default();
        let measured = measured.map_or(&nothing, Measured::application);
        let mut all = Vec::new();
        self.users(measured, (seconds, band), &mut all);
        self.services(measured, (seconds, band), &mut all);
        all.sort_by_key(|it| it.cause);
        all
    }

    fn users(&self, measured: &Application, (seconds, band): (f64, f64), all: &mut Vec<Residual>) {
        // What is outside the mesh has no users, but callers.
        let is_new = |it: &&(String, String)| {
            !self.0.users.contains_key(*it)
                && (self.0.services.contains_key(&it.1) || measured.services.contains_key(&it.1))
        };
        let keys = self.0.users.keys().chain(measured.users.keys().filter(is_new));
        for key in keys {
            let [was, is] = [&self.0, measured].map(|it| it.users.get(key).copied().unwrap_or(Entry::NOBODY));
            let of = format!("users of {} in {}", key.1, key.0);
            // Nothing is known of a rate that is not there but that of the other side.
            let count = (f64::max(was.rate, is.rate) * seconds).max(1.0);
            let relative = |value: f64| value * (band + CHANCE / count.sqrt());
            let mut put = |cause, what: &str, [predicted, measured]: [f64; 2], allowed, unit| {
                if predicted.is_finite() && measured.is_finite() {
                    let what = format!("{what} of {of}");
                    all.push(Residual { cause, what, predicted, measured, allowed, unit });
                }
            };
            put(Cause::Load, "requests", [was.rate, is.rate], relative(was.rate), Unit::PerSecond);
            let share = f64::max(was.errors, is.errors);
            let chance = CHANCE * (share * (1.0 - share) / count).sqrt();
            put(
                Cause::Errors,
                "failed requests",
                [was.errors, is.errors],
                LEAST_ERRORS + band * was.errors + chance,
                Unit::Share,
            );
            put(Cause::Latency, "mean latency", [was.mean_ms, is.mean_ms], relative(was.mean_ms), Unit::Ms);
            // A dashboard's quantile is a line drawn in a wide bucket.
            put(Cause::Latency, "p90", [was.p90_ms, is.p90_ms], 2.0 * relative(was.p90_ms), Unit::Ms);
        }
    }

    fn services(&self, measured: &Application, (seconds, band): (f64, f64), all: &mut Vec<Residual>) {
        // Without cAdvisor nothing is known of CPU time.
        let has_cpu = measured.services.values().any(|it| it.work.cpu_ms > 0.0);
        for (name, was) in &self.0.services {
            let Some(is) = measured.services.get(name) else { continue };
            let count = (is.rate * seconds).max(1.0);
            if has_cpu && was.rate * seconds >= 1.0 {
                all.push(Residual {
                    cause: Cause::Cpu,
                    what: format!("CPU time of a call of {name}"),
                    predicted: was.work.cpu_ms,
                    measured: is.work.cpu_ms,
                    allowed: was.work.cpu_ms * (band + CHANCE / count.sqrt()),
                    unit: Unit::Ms,
                });
            }
            let chance = |share: f64| CHANCE * (share * (1.0 - share).max(0.0) / count).sqrt();
            all.push(Residual {
                cause: Cause::Errors,
                what: format!("failures of {name} itself"),
                predicted: was.work.errors,
                measured: is.work.errors,
                allowed: LEAST_ERRORS
                    + band * was.work.errors
                    + chance(f64::max(was.work.errors, is.work.errors)),
                unit: Unit::Share,
            });
            let elsewhere = is.answers_in.keys().filter(|it| !was.answers_in.contains_key(*it));
            for cluster in was.answers_in.keys().chain(elsewhere) {
                let [was, is] = [was, is].map(|it| it.answers_in.get(cluster).copied().unwrap_or(0.0));
                all.push(Residual {
                    cause: Cause::Clusters,
                    what: format!("answers of {name} from {cluster}"),
                    predicted: was,
                    measured: is,
                    allowed: band + chance(f64::max(was, is)),
                    unit: Unit::Share,
                });
            }
            let known = |to: &String| was.calls.iter().any(|(it, _)| it == to);
            let others = is.calls.iter().filter(|(to, _)| !known(to)).map(|(to, _)| (to, 0.0));
            for (to, predicted) in was.calls.iter().map(|(to, it)| (to, *it)).chain(others) {
                let measured = is.calls.iter().find(|(it, _)| it == to).map_or(0.0, |(_, it)| *it);
                let chance = CHANCE * (f64::max(predicted, measured) / count).sqrt();
                all.push(Residual {
                    cause: Cause::Graph,
                    what: format!("calls of {to} by {name}"),
                    predicted,
                    measured,
                    allowed: LEAST_CALLS + band * predicted + chance,
                    unit: Unit::PerRequest,
                });
            }
        }
        for name in measured.services.keys().filter(|it| !self.0.services.contains_key(*it)) {
            all.push(Residual {
                cause: Cause::Graph,
                what: format!("{name}, which the scenario does not know or call, per second:"),
                predicted: 0.0,
                measured: measured.services[name].rate,
                allowed: 0.0,
                unit: Unit::PerSecond,
            });
        }
    }
}

impl Residual {
    /// Whether it leaves its band.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        (self.measured - self.predicted).abs() > self.allowed
    }
}

/// The cause why a block leaves its band, and the residuals that do; nothing if none does.
#[must_use]
pub fn cause(residuals: &[Residual]) -> Option<(Cause, Vec<&Residual>)> {
    let outside: Vec<&Residual> = residuals.iter().filter(|it| it.is_outside()).collect();
    outside.iter().map(|it| it.cause).min().map(|cause| (cause, outside))
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Load => "the load is another one",
            Self::Errors => "another share of the requests fails",
            Self::Graph => "services call others as often as they did no longer",
            Self::Clusters => "services answer from other clusters",
            Self::Cpu => "calls take another CPU time",
            Self::Latency => {
                "latency alone, under the same load, calls, errors and CPU times: the network, the machines or who else uses them"
            }
        })
    }
}

impl fmt::Display for Residual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |it: f64| match self.unit {
            Unit::PerSecond => format!("{it:.2}/s"),
            Unit::PerRequest => format!("{it:.3} a request"),
            Unit::Share => format!("{:.2} %", it * 100.0),
            Unit::Ms => format!("{it:.2} ms"),
        };
        let [measured, predicted, allowed] = [self.measured, self.predicted, self.allowed].map(number);
        write!(f, "{} {measured}, predicted {predicted} ± {allowed}", self.what)
    }
}
