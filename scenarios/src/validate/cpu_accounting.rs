//! Reads what CPU time the applications of a measured configuration used: the testbed's
//! `config.json`.
//!
//! # Models
//! `cpu_snapshots` has the CPU time of every pod's application since the pod's start, as a counter,
//! at several moments: before the load, at the warm-up's end and at the end. What was used after the
//! warm-up is the difference of the last two. A pod's share that has nothing to do with requests
//! (idle workers) is still in it.
//!
//! # Source
//! The testbed's README, section "Files of a mesh or no-mesh configuration"; the counters are
//! cpuacct.usage of the pods' cgroups (Linux, Documentation/admin-guide/cgroup-v1/cpuacct.rst).

use crate::problem::{Checked, Problem, Problems, SourceText};
use crate::traces::input::open;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// The CPU time that the applications used after the warm-up, and under what load.
#[derive(Clone, Debug, PartialEq)]
pub struct CpuAccounting {
    /// The time over which it was used (s): from the snapshot at the warm-up's end to the last one.
    pub seconds: f64,
    /// Length of the warm-up before it (s).
    pub warm_up_seconds: f64,
    /// CPU time used by a service's application in a cluster, all its pods together, without its
    /// proxies (CPU seconds); by cluster and service.
    pub app_cpu_seconds: BTreeMap<(String, String), f64>,
    /// CPU time used by proxies, by cluster and service (`gw`: the gateway), as above (CPU seconds).
    pub proxy_cpu_seconds: BTreeMap<(String, String), f64>,
    /// Arrival rate of the users' requests (1/s), if the file says it.
    pub rate_per_s: Option<f64>,
    /// Round-trip time of the link between the clusters (ms), if the file says it.
    pub rtt_ms: Option<f64>,
    /// The services that were offloaded, in the file's order.
    pub offload: Vec<String>,
    /// Whether proxies authenticate each other, if the file says it.
    pub mtls: Option<bool>,
    /// Whether there were sidecars, if the file says it.
    pub sidecars: Option<bool>,
}

/// So much of a file is read at most (bytes).
const MAX_FILE: u64 = 16 << 20;

/// How a counter of an application's CPU time ends.
const APPLICATION: &str = "-app";

/// How a counter of a proxy's CPU time ends.
const PROXY: &str = "-envoy";

impl CpuAccounting {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// As [`CpuAccounting::parse`], and if the file cannot be read, is a directory, is longer than
    /// 16 MiB or not UTF-8.
    pub fn read(path: &Path) -> Checked<Self> {
        let name = path.display().to_string();
        let mut bytes = Vec::new();
        open(path)?
            .take(MAX_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Problem::new(format!("{name}: cannot be read: {error}")))?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(Problem::new(format!("{name}: is longer than {MAX_FILE} bytes")).into());
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Problem::new(format!("{name}: is not UTF-8 text, from byte {at} on"))
        })?;
        Self::parse(&Arc::new(SourceText { name, text }))
    }

    /// Reads the text of a `config.json`. Needed are `warmup_s` and `cpu_snapshots`.
    ///
    /// # Errors
    /// If it is not JSON, lacks a key or has a value of another type (with line and column); if it
    /// has fewer than two snapshots, a counter that is not in all of them from the warm-up's end on
    /// or that decreases, or a number out of range.
    pub fn parse(source: &Arc<SourceText>) -> Checked<Self> {
        let config: Config = serde_json::from_str(&source.text).map_err(|error| explain(source, &error))?;
        let mut faults = Vec::new();
        check_range(&mut faults, "warmup_s", Some(config.warmup_s));
        check_range(&mut faults, "rate_per_s", config.rate_per_s);
        check_range(&mut faults, "link.rtt_ms", config.link.rtt_ms);
        let (seconds, app_cpu_seconds) = config.used(&mut faults);
        let proxy_cpu_seconds = config.used_by_proxies();
        if faults.is_empty() {
            return Ok(Self {
                seconds,
                warm_up_seconds: config.warmup_s,
                app_cpu_seconds,
                proxy_cpu_seconds,
                rate_per_s: config.rate_per_s,
                rtt_ms: config.link.rtt_ms,
                offload: config.offload,
                mtls: config.mtls,
                sidecars: config.mode.map(|mode| mode == "mesh"),
            });
        }
        Err(Problems(faults.into_iter().map(|fault| fault.of(&source.name)).collect()))
    }
}

/// The keys that are read.
#[derive(Deserialize)]
struct Config {
    warmup_s: f64,
    /// When the warm-up ended (us since 1970).
    t_warmup_end_us: Option<f64>,
    rate_per_s: Option<f64>,
    #[serde(default)]
    link: Link,
    #[serde(default)]
    offload: Vec<String>,
    mtls: Option<bool>,
    /// `mesh` or `nomesh`.
    mode: Option<String>,
    cpu_snapshots: Vec<Counters>,
}

#[derive(Default, Deserialize)]
struct Link {
    rtt_ms: Option<f64>,
}

/// CPU time since the start of each process group (s), and the moment `t` (s since 1970).
type Counters = BTreeMap<String, f64>;

struct Snapshot<'a> {
    /// When it was taken (s since 1970).
    t: f64,
    counters: &'a Counters,
}

impl Snapshot<'_> {
    fn applications(&self) -> impl Iterator<Item = (&str, f64)> {
        let all = self.counters.iter().map(|(key, value)| (key.as_str(), *value));
        all.filter(|(key, _)| key.ends_with(APPLICATION))
    }
}

/// What is wrong, and what would be right.
struct Fault {
    what: String,
    right: &'static str,
}

impl Fault {
    fn of(self, file: &str) -> Problem {
        Problem::new(format!("{file}: {}", self.what)).help(self.right)
    }
}

impl Config {
    /// The time between the warm-up's end and the last snapshot, and the CPU time used in it.
    fn used(&self, faults: &mut Vec<Fault>) -> (f64, BTreeMap<(String, String), f64>) {
        let snapshots = self.snapshots(faults);
        let mut used = BTreeMap::new();
        let [.., _, last] = &*snapshots else {
            faults.push(Fault {
                what: format!("cpu_snapshots has {} of them", snapshots.len()),
                right: "there is one at the warm-up's end and one at the end, at least",
            });
            return (0.0, used);
        };
        let begin = self.warm_up_end(&snapshots);
        for (index, pair) in snapshots.windows(2).enumerate() {
            check_order(faults, index + 1, &pair[0], &pair[1], index >= begin);
        }
        for (key, end) in last.applications() {
            // One that is not there has been reported.
            let start = snapshots[begin].counters.get(key).copied().unwrap_or_default();
            match cluster_and_service(key, APPLICATION) {
                Some(name) => *used.entry(name).or_insert(0.0) += end - start,
                None => faults.push(Fault {
                    what: format!("the counter `{key}` in cpu_snapshots names no cluster and service"),
                    right: "it is CLUSTER-SERVICE-app, as in edge1-s0-app",
                }),
            }
        }
        if used.is_empty() {
            let what = "the last of cpu_snapshots has no counter of an application".to_owned();
            faults.push(Fault { what, right: "there is one per pod, as edge1-s0-app" });
        }
        (last.t - snapshots[begin].t, used)
    }

    /// The same of proxies, which may come and go: one that died began anew at zero.
    fn used_by_proxies(&self) -> BTreeMap<(String, String), f64> {
        let snapshots = self.snapshots(&mut Vec::new());
        let mut used = BTreeMap::new();
        if snapshots.len() < 2 {
            return used;
        }
        for pair in snapshots[self.warm_up_end(&snapshots)..].windows(2) {
            for (key, &end) in pair[1].counters {
                let start = pair[0].counters.get(key).copied().filter(|&start| start <= end).unwrap_or(0.0);
                if let Some(name) = cluster_and_service(key, PROXY) {
                    *used.entry(name).or_insert(0.0) += end - start;
                }
            }
        }
        used
    }

    fn snapshots(&self, faults: &mut Vec<Fault>) -> Vec<Snapshot<'_>> {
        let mut snapshots = Vec::new();
        for (index, counters) in self.cpu_snapshots.iter().enumerate() {
            let t = counters.get("t").copied().unwrap_or_else(|| {
                let what = format!("cpu_snapshots[{index}] has no `t`");
                faults.push(Fault { what, right: "it is when it was taken, in seconds since 1970" });
                0.0
            });
            snapshots.push(Snapshot { t, counters });
        }
        snapshots
    }

    /// Which of at least two snapshots was taken at the warm-up's end: the first one after it, but
    /// not the last of all; the last but one if the file does not say when it ended.
    fn warm_up_end(&self, snapshots: &[Snapshot<'_>]) -> usize {
        /// The clock is read for the one, then for the other.
        const TOLERANCE_S: f64 = 0.5;
        let latest = snapshots.len() - 2;
        let Some(end_us) = self.t_warmup_end_us else { return latest };
        let after = |snapshot: &Snapshot<'_>| snapshot.t >= end_us / 1e6 - TOLERANCE_S;
        snapshots[..latest].iter().position(after).unwrap_or(latest)
    }
}

/// Checks that neither time nor a counter goes back between neighbours; that no counter comes or
/// goes if these are used.
fn check_order(
    faults: &mut Vec<Fault>,
    index: usize,
    before: &Snapshot<'_>,
    after: &Snapshot<'_>,
    used: bool,
) {
    let at = format!("cpu_snapshots[{index}]");
    let right = "snapshots are in the order of time, and counters only grow";
    if after.t <= before.t {
        let what = format!("{at} is of t = {}, not after the one before it, t = {}", after.t, before.t);
        faults.push(Fault { what, right });
    }
    for (key, value) in after.applications() {
        match before.counters.get(key) {
            Some(&earlier) if value < earlier => {
                faults.push(Fault {
                    what: format!("{at}: `{key}` decreases from {earlier} to {value}"),
                    right,
                });
            }
            None if used => faults.push(Fault {
                what: format!("{at} has `{key}`, which the one before it has not"),
                right: "every pod is in all snapshots from the warm-up's end on",
            }),
            _ => {}
        }
    }
    let gone = before.applications().filter(|(key, _)| !after.counters.contains_key(*key));
    faults.extend(gone.filter(|_| used).map(|(key, _)| Fault {
        what: format!("{at} has no `{key}`, which the one before it has"),
        right: "every pod is in all snapshots from the warm-up's end on",
    }));
}

/// Splits `edge1-s0-app`: a cluster's name may have dashes, a service's has none.
fn cluster_and_service(key: &str, ending: &str) -> Option<(String, String)> {
    let (cluster, service) = key.strip_suffix(ending)?.rsplit_once('-')?;
    (!cluster.is_empty() && !service.is_empty()).then(|| (cluster.to_owned(), service.to_owned()))
}

fn check_range(faults: &mut Vec<Fault>, key: &str, value: Option<f64>) {
    if let Some(value) = value.filter(|value| !(0.0..=1e9).contains(value)) {
        faults.push(Fault { what: format!("{key} is {value}"), right: "it is zero or more, at most 1e9" });
    }
}

/// An error of the parser at its location. A missing key is reported at the end of its object.
fn explain(source: &Arc<SourceText>, error: &serde_json::Error) -> Problem {
    // serde_json appends the location, which a problem carries itself.
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
    let lines = source.text.split_inclusive('\n').take(error.line().saturating_sub(1));
    // Columns count bytes, from 1.
    let at = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
    let at = at.min(source.text.len().saturating_sub(1));
    Problem::new(message).at(source, at..at + 1).help("it is the config.json of a testbed configuration")
}
