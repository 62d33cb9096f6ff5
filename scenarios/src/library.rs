//! Ready scenarios, embedded in the binary so that their names work anywhere.

/// A file of the library: its name and its text.
type Entry = (&'static str, &'static str);

const SCENARIOS: [Entry; 45] = [
    ("access-control", include_str!("../library/access-control.toml")),
    ("adaptive-offload", include_str!("../library/adaptive-offload.toml")),
    ("canary-shift", include_str!("../library/canary-shift.toml")),
    ("circuit-breaking", include_str!("../library/circuit-breaking.toml")),
    ("cost-and-carbon", include_str!("../library/cost-and-carbon.toml")),
    ("edge-outage", include_str!("../library/edge-outage.toml")),
    ("federation-compare", include_str!("../library/federation-compare.toml")),
    ("flash-crowd", include_str!("../library/flash-crowd.toml")),
    ("fluidos-mesh", include_str!("../library/fluidos-mesh.toml")),
    ("fluidos-mesh-hpa", include_str!("../library/fluidos-mesh-hpa.toml")),
    ("fluidos-testbed", include_str!("../library/fluidos-testbed.toml")),
    ("gateway-saturation", include_str!("../library/gateway-saturation.toml")),
    ("istio-circuit-breaking", include_str!("../library/istio-circuit-breaking.toml")),
    ("istiod-storm", include_str!("../library/istiod-storm.toml")),
    ("liqo-1194", include_str!("../library/liqo-1194.toml")),
    ("liqo-1353", include_str!("../library/liqo-1353.toml")),
    ("liqo-3090", include_str!("../library/liqo-3090.toml")),
    ("locality-failover", include_str!("../library/locality-failover.toml")),
    ("metro", include_str!("../library/metro.toml")),
    ("metro-ci", include_str!("../library/metro-ci.toml")),
    ("moving-users", include_str!("../library/moving-users.toml")),
    ("multi-edge", include_str!("../library/multi-edge.toml")),
    ("offloading-cleared", include_str!("../library/offloading-cleared.toml")),
    ("offloading-cut", include_str!("../library/offloading-cut.toml")),
    ("offloading-errors", include_str!("../library/offloading-errors.toml")),
    ("offloading-hang", include_str!("../library/offloading-hang.toml")),
    ("offloading-loop", include_str!("../library/offloading-loop.toml")),
    ("offloading-many-edges", include_str!("../library/offloading-many-edges.toml")),
    ("offloading-night", include_str!("../library/offloading-night.toml")),
    ("offloading-price", include_str!("../library/offloading-price.toml")),
    ("offloading-removal", include_str!("../library/offloading-removal.toml")),
    ("offloading-round-trip", include_str!("../library/offloading-round-trip.toml")),
    ("online-boutique", include_str!("../library/online-boutique.toml")),
    ("quota-exhausted", include_str!("../library/quota-exhausted.toml")),
    ("retry-storm", include_str!("../library/retry-storm.toml")),
    ("rolling-update", include_str!("../library/rolling-update.toml")),
    ("shop", include_str!("../library/shop.toml")),
    ("sidecar-ambient", include_str!("../library/sidecar-ambient.toml")),
    ("slow-endpoint", include_str!("../library/slow-endpoint.toml")),
    ("startup-cpu", include_str!("../library/startup-cpu.toml")),
    ("sticky-sessions", include_str!("../library/sticky-sessions.toml")),
    ("wan-degraded", include_str!("../library/wan-degraded.toml")),
    ("warm-up", include_str!("../library/warm-up.toml")),
    ("zone-blind-hpa", include_str!("../library/zone-blind-hpa.toml")),
    ("zones-evict-nothing", include_str!("../library/zones-evict-nothing.toml")),
];

/// Files that the scenarios name, by the path as they write it.
const FILES: [Entry; 6] = [
    ("canary.workmodel.json", include_str!("../library/canary.workmodel.json")),
    ("chain.workmodel.json", include_str!("../library/chain.workmodel.json")),
    ("httpbin.workmodel.json", include_str!("../library/httpbin.workmodel.json")),
    ("two-services.workmodel.json", include_str!("../library/two-services.workmodel.json")),
    ("ten-services.workmodel.json", include_str!("../library/ten-services.workmodel.json")),
    ("twenty-services.workmodel.json", include_str!("../library/twenty-services.workmodel.json")),
];

/// Suites of configurations to validate.
const SUITES: [Entry; 1] = [("testbed", include_str!("../library/testbed.suite.toml"))];

/// The names of all suites.
pub fn suite_names() -> impl Iterator<Item = &'static str> {
    SUITES.iter().map(|(name, _)| *name)
}

/// The text of a suite.
#[must_use]
pub fn suite(name: &str) -> Option<&'static str> {
    find(&SUITES, name)
}

/// The names of all scenarios.
pub fn names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|(name, _)| *name)
}

/// Whether a scenario is there for its size, as a line `# scale: ...` at its head says: whoever runs all of them leaves
/// it out, and a smaller one stands for it.
#[must_use]
pub fn is_scale(name: &str) -> bool {
    scenario(name).is_some_and(|text| text.lines().any(|line| line.starts_with("# scale: ")))
}

/// The text of a scenario.
#[must_use]
pub fn scenario(name: &str) -> Option<&'static str> {
    find(&SCENARIOS, name)
}

/// The text of a scenario as it can stand in a file anywhere: what it names of the library is named so.
#[must_use]
pub fn portable(name: &str) -> Option<String> {
    let text = scenario(name)?.to_owned();
    let named = |text: String, (path, _): &Entry| {
        text.replace(&format!("\"{path}\""), &format!("\"{FILE_OF_LIBRARY}{path}\""))
    };
    Some(FILES.iter().fold(text, named))
}

/// Before the name of a file of the library, in a scenario that is not of it.
pub const FILE_OF_LIBRARY: &str = "library:";

/// What a scenario says of itself, in a sentence.
#[must_use]
pub fn description(name: &str) -> Option<&'static str> {
    let line = scenario(name)?.lines().find_map(|line| line.strip_prefix("description = \""))?;
    Some(line.trim_end_matches('"'))
}

/// The text of a file that a scenario names.
#[must_use]
pub fn file(path: &str) -> Option<&'static str> {
    find(&FILES, path)
}

/// The files that scenarios name, each with the names of those scenarios.
pub fn files() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    FILES.iter().map(|(path, _)| {
        let quoted = format!("\"{path}\"");
        let naming = SCENARIOS.iter().filter(|(_, text)| text.contains(&quoted));
        (*path, naming.map(|(name, _)| *name).collect())
    })
}

fn find(entries: &[Entry], name: &str) -> Option<&'static str> {
    entries.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
