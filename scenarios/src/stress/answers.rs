//! An answer per item, as Markdown.

use super::study::Study;
use crate::analysis::figures::CATALOGUE;
use crate::origin::MANIFEST;
use crate::warnings::before_runs;
use meshsim_core::Id;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::Write;

pub(super) const LOGIC: &str = "A user's request enters at the gateway of its users' cluster. Proxies, or kube-proxy where there is no \
mesh, choose an endpoint of the service by the rules of Istio, Envoy and Kubernetes; the request gets a connection, crosses \
the network, takes CPU time in a worker of a pod, calls further services as the call graph says, and is answered the same way \
back, in rounds of TCP. ARCHITECTURE.md has the path step by step with the file of each step.";

pub(super) const ACTIVITIES: &str = "Passing a proxy or a gateway (time and CPU), making a connection (round trips, handshakes), crossing \
a link (delay, bandwidth, TCP's rounds, losses), computing in a cell (CPU time by a law or by the work model), waiting without \
CPU; pods that are scheduled, pulled, started, probed, drained; pushes of configuration.";

pub(super) const QUEUES: &str = "Workers of a cell share its CPU (processor sharing under a quota and the node's cores); requests wait in \
order for a free worker, for a connection of a pool up to its limits, and for a link's interface; proxies' workers take \
requests in order; autoscalers and istiod act in periods.";

pub(super) const EXECUTION: &str = "Discrete events in the order of (time, source, the source's own number). Clusters are logical \
processes that are run conservatively: each handles its events up to a horizon before which no message can reach it. \
Results are the same bytes on any number of threads.";

pub(super) const MACHINE: &str = "Results do not depend on the machine: elementary functions come from libm, and no wall time enters. \
`meshsim check --estimate` says what a comparison takes on the machine at hand.";

pub(super) fn purpose(study: &Study<'_>) -> String {
    let what =
        study.description.as_deref().unwrap_or("TODO: write `description = \"...\"` into the scenario");
    format!("{what}.\n\nTODO: what is to be decided by it, and for whom.")
}

pub(super) fn outputs(_: &Study<'_>) -> String {
    let mut text = "| figure | unit | what it says |\n| --- | --- | --- |\n".to_owned();
    for it in CATALOGUE {
        let _ = writeln!(text, "| `{}` | {} | {} |", it.name, it.unit, it.sentence);
    }
    text + "\nAll count from the end of the warm-up on. Means have Student's t over replications, quantiles the jackknife's and \
            Woodruff's intervals; `docs/statistics.md` has both, and how often they contain the truth."
}

pub(super) fn aims(study: &Study<'_>) -> String {
    let names = study.compared();
    let mut text = String::new();
    for (name, description, _) in study.strategies.iter().filter(|it| names.contains(&it.0)) {
        let _ = writeln!(
            text,
            "- `{name}`: {}",
            description.as_deref().unwrap_or("what it changes stands in 2.3")
        );
    }
    if text.is_empty() {
        text += "- the base alone: no strategy is compared with it\n";
    }
    let axes = study.manifest.as_ref().and_then(|it| it["axes"].as_array());
    for axis in axes.into_iter().flatten() {
        let values = axis["values"].as_array().map_or(0, Vec::len);
        let _ =
            writeln!(text, "- design: `{}` at {values} values", axis["path"].as_str().unwrap_or_default());
    }
    for it in &study.plan.strategies[0].objectives {
        let whose: Vec<&str> = it.written.values().map(String::as_str).collect();
        let whose = if whose.is_empty() { "all requests".to_owned() } else { whose.join(", ") };
        let name = it.figure.strip_prefix("latency_ms.").unwrap_or(it.figure);
        let _ = writeln!(text, "- objective: {name} of {whose}, bound {}", it.bound);
    }
    text + "\nTODO: why these."
}

pub(super) fn diagram(study: &Study<'_>) -> String {
    let base = study.base();
    let mut text = "```mermaid\ngraph LR\n".to_owned();
    for (index, cluster) in base.clusters.iter().enumerate().take(DRAWN) {
        let _ = writeln!(text, "  c{index}[{:?}]", cluster.name);
    }
    for (index, users) in base.populations.iter().enumerate() {
        let cluster = users.cluster.index();
        if cluster < DRAWN {
            let _ = writeln!(text, "  u{index}(({:?})) --> c{cluster}", users.name);
        }
    }
    for link in &base.links {
        let [one, other] = link.between.map(Id::index);
        if one < DRAWN && other < DRAWN {
            let _ = writeln!(text, "  c{one} ---|{}| c{other}", link.round_trip);
        }
    }
    text += "```\n";
    if base.clusters.len() > DRAWN {
        let _ = write!(text, "\nThe first {DRAWN} of {} clusters are drawn.", base.clusters.len());
    }
    text
}

/// More clusters make no picture.
const DRAWN: usize = 20;

pub(super) fn scenario_logic(study: &Study<'_>) -> String {
    let names = study.compared();
    let mut text = String::new();
    for (name, _, values) in study.strategies.iter().filter(|it| names.contains(&it.0)) {
        let _ = writeln!(text, "`{name}` changes the base by:\n");
        for it in values {
            let _ = writeln!(text, "- `{} = {}`", it.path, it.value);
        }
        if values.is_empty() {
            text += "- nothing: it is the base\n";
        }
        text += "\n";
    }
    if text.is_empty() { "There is one strategy, the base.".to_owned() } else { text }
}

pub(super) fn algorithms(study: &Study<'_>) -> String {
    let base = study.base();
    let versions =
        format!("Istio {}, Kubernetes {}", base.mesh.istio_version, base.kubernetes.controller.version);
    let policies = study.values.iter().filter(|it| {
        it.origin != "default"
            && ["traffic_policy", "hpa.", "routes", "federation"].iter().any(|part| it.path.contains(part))
    });
    let policies: String = policies.map(|it| format!("- `{} = {}`\n", it.path, it.value)).collect();
    let policies = if policies.is_empty() {
        "- none is set: the defaults of these releases hold\n".to_owned()
    } else {
        policies
    };
    format!(
        "The rules of {versions}, each by its own name in ARCHITECTURE.md (Rules by name). Set are:\n\n{policies}"
    )
}

pub(super) fn entities(study: &Study<'_>) -> String {
    let mut text = "User requests, the calls that they make, connections, and pods. Users:\n\n".to_owned();
    for it in &study.base().populations {
        let cluster = &study.base().clusters[it.cluster].name;
        let rate = study.value(&format!("users.{}.rate", it.name));
        let rate = rate.map_or_else(|| "load as 3.3 says".to_owned(), |rate| format!("{rate} requests"));
        let _ = writeln!(text, "- `{}` at `{cluster}`: {} users, {rate}", it.name, it.users);
    }
    text
}

pub(super) fn resources(study: &Study<'_>) -> String {
    let base = study.base();
    let mut pods: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for it in &base.deployments {
        let service = &base.application.services[it.service].name;
        pods.entry(base.clusters[it.cluster].name.clone())
            .or_default()
            .push(format!("{service} x {}", it.replicas));
    }
    let mut text = String::new();
    for it in base.clusters.iter().take(DRAWN) {
        let cores: f64 = it.nodes.iter().map(|node| base.hosts[node.host].cores).sum();
        let pods = pods.get(&it.name).map_or_else(|| "no pods".to_owned(), |it| it.join(", "));
        let _ = writeln!(text, "- cluster `{}`: {} nodes, {cores} cores; {pods}", it.name, it.nodes.len());
    }
    for it in base.links.iter().take(DRAWN) {
        let rate = it.bits_per_second / 1e6;
        let _ = writeln!(text, "- link `{}`: {} round trip, {rate} Mbit/s each way", it.name, it.round_trip);
    }
    text + "\nUnder the first strategy; what others change stands in 2.3."
}

pub(super) fn entry(study: &Study<'_>) -> String {
    let open = study.base().populations.iter().filter(|it| it.arrivals.is_open()).count();
    let closed = study.base().populations.len() - open;
    format!(
        "Requests enter at the gateways of their users' clusters ({open} groups of users in an open loop, {closed} in a closed \
         one) and leave with their answer, or failed: by a status, a time-out or a reset."
    )
}

pub(super) fn sources(study: &Study<'_>) -> String {
    let inputs = study.manifest.as_ref().and_then(|it| it["inputs"].as_array());
    let mut text = String::new();
    for it in inputs.into_iter().flatten() {
        let part = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
        let _ = writeln!(text, "- `{}` (SHA-256 {})", part("path"), part("sha256"));
    }
    if text.is_empty() {
        let named =
            study.values.iter().filter(|it| it.path.ends_with("workmodel") || it.path.ends_with(".file"));
        named.for_each(|it| {
            let _ = writeln!(text, "- `{}`", it.value.trim_matches('"'));
        });
    }
    let sources = "Defaults: `meshsim explain KEY` has the source of each, the models' heads what was measured.\n\nTODO: where the \
                   values of 3.3 were measured.";
    if text.is_empty() { sources.to_owned() } else { format!("{text}\n{sources}") }
}

pub(super) fn preprocessing(study: &Study<'_>) -> String {
    match study.plan.strategies[0].calibration_draws.len() {
        0 => "None by meshsim.".to_owned(),
        draws => format!(
            "`meshsim calibrate` fitted values of 3.3 to a trace; the scenario has {draws} bootstrap draws of them."
        ),
    }
}

pub(super) fn parameters(study: &Study<'_>) -> String {
    let mut text = "| key | value | from |\n| --- | --- | --- |\n".to_owned();
    let written =
        study.values.iter().filter(|it| it.origin != "default" && !it.path.ends_with("description"));
    for it in written {
        let _ = writeln!(text, "| `{}` | `{}` | {} |", it.path, it.value.replace('|', "\\|"), it.origin);
    }
    text + "\nOf the base; `meshsim check --resolved` has the defaults of all other keys."
}

pub(super) fn assumptions(study: &Study<'_>) -> String {
    let mut text = "Each model's file has its simplifications under Assumptions, with their effect on results. Doubts about this \
                    scenario:\n\n"
        .to_owned();
    let doubts = before_runs(&study.plan.strategies);
    for it in &doubts {
        let _ = writeln!(text, "- {it}");
    }
    if doubts.is_empty() { text + "- none is found\n" } else { text }
}

pub(super) fn initialisation(study: &Study<'_>) -> String {
    let mut text =
        "Runs begin empty, with the pods of the scenario ready and no connection made. ".to_owned();
    let first = &study.plan.strategies[0];
    match first.auto_warm_up {
        true => {
            text += "The warm-up is found: five pilot replications, MSER-5 over mean latency, failures and requests in flight.";
        }
        false => {
            let _ = write!(text, "The first {} are not reported.", first.description.warm_up);
        }
    }
    let strategies = study.summary.as_ref().and_then(|it| it["strategies"].as_array());
    for it in strategies.into_iter().flatten() {
        let seconds = &it["warm_up"]["seconds"];
        let _ = write!(text, "\n- `{}`: {seconds} s were cut", it["name"].as_str().unwrap_or_default());
    }
    text
}

pub(super) fn run_length(study: &Study<'_>) -> String {
    format!(
        "{} per replication{}; times are nanoseconds in whole numbers.",
        study.base().duration,
        if study.plan.strategies[0].auto_warm_up { ", warm-up included" } else { " after the warm-up" }
    )
}

pub(super) fn estimation(study: &Study<'_>) -> String {
    let freed = match study.plan.strategies[0].control_variates {
        true => " Mean latencies are freed of what is known of their luck (control variates).",
        false => "",
    };
    format!(
        "{} independent replications of every strategy, over the same requests (common random numbers); differences are paired by \
         replication, all intervals are of 95 %.{freed}",
        study.replications()
    )
}

pub(super) fn software(_: &Study<'_>) -> String {
    format!("meshsim {}, written in Rust.", env!("CARGO_PKG_VERSION"))
}

pub(super) fn sampling(study: &Study<'_>) -> String {
    format!(
        "Counter-based random numbers (Squares, Widynski 2022), each at an address that says what it is for: seed, replication, group \
         of users, request, path in the call tree. So request k is the same under every strategy. Seed {}, replications 0 to {}.",
        study.seed(),
        study.replications().saturating_sub(1)
    )
}

pub(super) fn sharing(study: &Study<'_>) -> String {
    let command = study.manifest.as_ref().and_then(|it| it["command"].as_array());
    let command = command.map(|all| all.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" "));
    let results = match command {
        Some(command) => format!(
            "The results come from `meshsim {command}`; scenario, its expansion and its inputs lie beside {MANIFEST}, and `meshsim \
             rerun DIR` makes the same bytes again."
        ),
        None => "`meshsim compare ... --out DIR` writes scenario, inputs and the command beside its results."
            .to_owned(),
    };
    let hash = study.scenario.sha256().unwrap_or_default();
    format!(
        "meshsim is open source (MIT or Apache-2.0; CITATION.cff). {results} SHA-256 of scenario, settings and inputs: {hash}.\n\nTODO: \
         where the folder of results is published."
    )
}
