//! Input that is no manifest, too large or made to do harm.

use super::{
    Options, Overlay, Users, app, container, imported, options, plain, refused, routes, rule, work_model,
};
use crate::export::export;
use crate::import::manifests::{Input, Link, Nodes, Text, import};
use crate::scenario::Scenario;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::sync::OnceLock;

#[test]
fn bad_files_are_refused_with_their_lines() {
    for (text, expected) in [
        ("kind: Deployment\n", "0.yaml:1:1: an object without `apiVersion`"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "an object without `kind`"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {generateName: a-}\n",
            "an object without `metadata.name`",
        ),
        ("a: 1\n---\nb: [\n", "no YAML"),
        (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n",
            "a Kustomization is no manifest",
        ),
        ("- a\n- b\n", "an object without `kind`"),
        ("text\n", "an object without `kind`"),
        ("", "no object to import"),
        ("# nothing\n---\n---\n", "no object to import"),
        ("a: &a [*a]\n", "0.yaml:1:"),
        ("a: {<<: 5, b: 1}\n", "`<<` merges what is no map"),
    ] {
        let error = refused(&[text], &[]);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let line = refused(&["a: 1\n---\nb: [\n"], &[]);
    assert!(line.contains("0.yaml:"), "{line}");
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let (directory, mut options) = options(&[&plain()]);
    options.inputs.push(Input { path: directory.path().join("none.yaml"), cluster: None });
    let error = import(&options).unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("none.yaml"), "{error}");
    options.inputs.pop();
    std::fs::write(directory.path().join("latin.yaml"), b"kind: caf\xe9\n").unwrap();
    let error = import(&options).unwrap_err().to_string();
    assert!(error.contains("latin.yaml` is not UTF-8: byte 10"), "{error}");
}

#[test]
fn what_is_too_large_is_not_read() {
    let (directory, options) = options(&[&plain()]);
    // 100 MB without a byte on the disk.
    let file = std::fs::File::create(directory.path().join("huge.yaml")).unwrap();
    file.set_len(100_000_000).unwrap();
    let error = import(&options).unwrap_err().to_string();
    assert!(error.contains("huge.yaml`: the manifests are too large (at most 64 MiB are read)"), "{error}");
}

#[test]
fn a_list_and_a_byte_order_mark_are_what_kubectl_and_editors_write() {
    let items: String =
        plain().split("---\n").map(|it| format!("- {}\n", it.trim_end().replace('\n', "\n  "))).collect();
    let list = format!("\u{feff}apiVersion: v1\nkind: List\nitems:\n{items}");
    assert_eq!(imported(&[&list], &[]).unwrap().scenario, imported(&[&plain()], &[]).unwrap().scenario);
    let error = refused(&["apiVersion: v1\nkind: List\nitems: 3\n"], &[]);
    assert!(error.contains("a List without objects"), "{error}");
}

/// As large as federations are: a thousand services in 24 clusters, each with an autoscaler; nothing is compared with everything.
#[test]
fn fifty_thousand_objects_are_read() {
    const CLUSTERS: usize = 24;
    let mut text = String::new();
    for it in 0..1_000 {
        let _ = write!(
            text,
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s{it}}}\nspec: {{selector: {{app: s{it}}}, ports: [{{port: 80}}]}}\n---\n\
             apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: s{it}}}\nspec: {{host: s{it}}}\n---\n",
        );
        for cluster in 0..CLUSTERS {
            let name = format!("s{it}-c{cluster}");
            let _ = write!(
                text,
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{template: {{metadata: {{labels: {{app: s{it}}}}}, \
                 spec: {{nodeSelector: {{topology.kubernetes.io/zone: c{cluster}}}, containers: [{{name: a}}]}}}}}}\n---\n\
                 apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: {name}}}\n\
                 spec: {{scaleTargetRef: {{kind: Deployment, name: {name}}}, maxReplicas: {}}}\n---\n",
                1 + cluster
            );
        }
    }
    let (_directory, own) = options(&[&text]);
    let nodes = (0..CLUSTERS).map(|it| Nodes::parse(&format!("c{it}=1x16")).unwrap()).collect();
    let links = (1..CLUSTERS).map(|it| Link::parse(&format!("c0:c{it}=9ms")).unwrap()).collect();
    let users = vec![Users::parse("c0:s7=5/s").unwrap()];
    let imported = import(&Options { users, nodes, links, ..own }).unwrap_or_else(|it| panic!("{it}"));
    assert!(imported.scenario.contains("s999"));
}

/// What mutations start from: manifests of all kinds, as they are exported and as they are written, and load.
fn corpus() -> &'static [String] {
    static CORPUS: OnceLock<Vec<String>> = OnceLock::new();
    CORPUS.get_or_init(|| {
        let mut all = vec![
            app("a", &container("resources: {requests: {cpu: 500m, memory: 1Gi}}\nlifecycle: {preStop: {exec: {command: [sleep, '5']}}}")),
            rule("host: a\ntrafficPolicy: {portLevelSettings: [{port: {number: 80}, outlierDetection: {}}], tls: {mode: DISABLE}}"),
            routes("hosts: [a]\ngateways: [g, mesh]\nhttp: [{match: [{uri: {prefix: /}}], mirror: {host: a}, route: [{destination: {host: a}, weight: 0644}]}]"),
            work_model("a", "b"),
            "a: &a [1, *a]\nb: {<<: *a}\n".to_owned(),
        ];
        for (name, strategy) in [("fluidos-mesh-hpa", 1), ("canary-shift", 0), ("access-control", 3), ("federation-compare", 3), ("shop", 1)] {
            let exported = export(&Scenario::open(name, &[]).unwrap(), Some(strategy)).unwrap();
            all.extend(exported.files().into_iter().map(|(_, text)| text));
        }
        all
    })
}

/// Files of load generators.
const LOADS: [(&str, &str); 4] = [
    (
        "k6.json",
        "{\"scenarios\": {\"a\": {\"executor\": \"ramping-arrival-rate\", \"startTime\": \"3s\", \"stages\": [{\"duration\": \"30s\", \"target\": 20}], \"timeUnit\": \"1m\"}}}",
    ),
    ("k6.json", "{\"vus\": 10, \"iterations\": 100, \"duration\": \"1m\"}"),
    (
        "r.json",
        "{\"RunnerParameters\": {\"workload_type\": \"greedy\", \"workload_events\": 100, \"thread_pool_size\": 4}}",
    ),
    (
        "p.jmx",
        "<jmeterTestPlan><hashTree><TestPlan/><hashTree><ThreadGroup><stringProp name=\"ThreadGroup.num_threads\">7</stringProp></ThreadGroup><hashTree><HTTPSamplerProxy><stringProp name=\"HTTPSampler.path\">a</stringProp></HTTPSamplerProxy><hashTree><PreciseThroughputTimer><stringProp name=\"throughput\">${__P(x,5)}</stringProp><intProp name=\"throughputPeriod\">1</intProp></PreciseThroughputTimer><hashTree/></hashTree></hashTree></hashTree></hashTree></jmeterTestPlan>",
    ),
];

/// What is put into texts: what YAML, XML, Kubernetes and numbers make much of.
const TOKENS: [&str; 40] = [
    "0644",
    "1e999",
    "-1",
    "99999999999999999999",
    "NaN",
    "~",
    "null",
    "yes",
    "\u{0}",
    "\u{feff}",
    "\n",
    "\n  ",
    "- ",
    ": ",
    "&a ",
    "*a",
    "<<: *a",
    "? ",
    "|",
    ">",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    "---\n",
    "...",
    "!!binary ",
    "%",
    "*",
    ".",
    "é",
    "${",
    "}",
    "<",
    "</a>",
    "&amp;",
    "\t",
    "#",
];

/// A change of a text: where (a share of its length), how many bytes go, and what comes.
fn changed(text: &str, changes: &[(f64, usize, usize)]) -> String {
    let mut text = text.to_owned();
    for (at, gone, token) in changes {
        let boundary = |at: usize, text: &str| {
            (0..=at.min(text.len())).rev().find(|it| text.is_char_boundary(*it)).unwrap_or(0)
        };
        let begin = boundary((text.len() as f64 * at) as usize, &text);
        let end = boundary(begin + gone, &text).max(begin);
        let come = match token {
            token if *token < TOKENS.len() => TOKENS[*token].to_owned(),
            // A piece of itself once more.
            _ => text[begin..boundary(begin + 40, &text).max(begin)].to_owned(),
        };
        text.replace_range(begin..end, &come);
    }
    text
}

fn changes() -> impl Strategy<Value = Vec<(f64, usize, usize)>> {
    proptest::collection::vec((0.0..1.0, 0..12usize, 0..TOKENS.len() + 8), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// Whatever manifests are, they are imported or refused. `PROPTEST_CASES` makes it longer.
    #[test]
    fn mutated_manifests_are_imported_or_refused(which in 0..10_000usize, overlay in changes(), changes in changes()) {
        let text = changed(&corpus()[which % corpus().len()], &changes);
        let beside = "[clusters.cloud]\nzone = \"z\"\nnodes = [{ cores = \"4\" }]\n[users.u]\ncluster = \"cloud\"\nservice = \"a\"\nrate = \"1/s\"\n";
        let overlay = Overlay::from_text("o.toml", &if which % 7 == 0 { changed(beside, &overlay) } else { beside.to_owned() });
        let manifest = Text { name: "m.yaml".to_owned(), cluster: (which % 3 > 0).then(|| "cloud".to_owned()), text };
        let own = Text { name: "a.yaml".to_owned(), cluster: Some("cloud".to_owned()), text: plain() };
        let texts = if which % 2 == 0 { vec![manifest, own] } else { vec![manifest] };
        let options = Options { name: "m".to_owned(), texts, overlay: overlay.ok(), ..Options::default() };
        if let Ok(imported) = import(&options) {
            prop_assert!(imported.scenario.parse::<toml::Table>().is_ok(), "{}", imported.scenario);
        }
    }

    /// The same of load.
    #[test]
    fn mutated_load_is_imported_or_refused(which in 0..LOADS.len(), changes in changes()) {
        let (name, text) = LOADS[which];
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, changed(text, &changes)).unwrap();
        let (_manifests, own) = options(&[&plain()]);
        let users = vec![Users::parse(&format!("cloud={}", path.display())).unwrap()];
        if let Ok(imported) = import(&Options { users, ..own }) {
            prop_assert!(imported.scenario.parse::<toml::Table>().is_ok(), "{}", imported.scenario);
        }
    }
}
