//! Liqo's kinds and fields one by one.

use super::fields::object;
use super::{Input, Link, Nodes, app, at, container, has, import, options, plain, refused, runs, tables};
use toml::Table;

/// Manifests of a consumer, `cloud`, with a provider, `edge1`, whose own are given, too.
fn liqo(consumer: &[&str], provider: &[&str]) -> Result<Table, String> {
    let (mine, mut all) = options(consumer);
    let (theirs, _) = options(provider);
    all.inputs = [(&mine, "cloud"), (&theirs, "edge1")]
        .into_iter()
        .map(|(it, cluster)| Input { path: it.path().to_owned(), cluster: Some(cluster.to_owned()) })
        .collect();
    all.inputs.truncate(if provider.is_empty() { 1 } else { 2 });
    all.nodes.push(Nodes::parse("edge1=1x4").unwrap());
    all.links.push(Link::parse("cloud:edge1=20ms").unwrap());
    let imported = import(&all).map_err(|it| it.to_string())?;
    runs(&imported);
    Ok(imported.scenario.parse().unwrap())
}

const SLICE: &str = "apiVersion: authentication.liqo.io/v1beta1\nkind: ResourceSlice\nmetadata: {name: s}\nspec: {class: default, csr: x, providerClusterID: edge1, resources: {cpu: '2'}}\n";

#[test]
fn an_offloading_says_whose_pods_may_run_with_whom() {
    let offloading = |spec: &str| object("offloading.liqo.io/v1beta1", "NamespaceOffloading", spec);
    let whole = "{remoteNamespaceName: x, clusterSelector: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/region, operator: In, values: [edge]}]}]}}";
    let table = liqo(&[&plain(), SLICE, &offloading(whole)], &[]).unwrap();
    let expected = "{ services = [\"a\"], pod_offloading_strategy = \"LocalAndRemote\", cluster_selector = { \"topology.kubernetes.io/region\" = [\"edge\"] } }";
    has(&table, &[(&["liqo", "offloading"], expected), (&["peerings", "s", "consumer"], "\"cloud\"")]);
    let other = whole.replace("operator: In", "operator: NotIn");
    let error = liqo(&[&plain(), SLICE, &offloading(&other)], &[]).unwrap_err();
    assert!(error.contains("`In` alone is simulated"), "{error}");
    // Another namespace's is not this one's.
    let elsewhere = offloading("{}").replace("name: it", "name: it, namespace: x");
    let error = liqo(&[&plain(), SLICE, &elsewhere], &[]).unwrap_err();
    assert!(error.contains("nothing of its namespace runs at `cloud`"), "{error}");
}

/// Liqo's own examples keep pods at home so.
#[test]
fn pods_that_avoid_virtual_nodes_stay_at_home() {
    let offloading = |spec: &str| object("offloading.liqo.io/v1beta1", "NamespaceOffloading", spec);
    let home = |expression: &str| {
        app(
            "b",
            &format!(
                "{}affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{{matchExpressions: [{{key: liqo.io/type, {expression}}}]}}]}}}}}}\n",
                container("")
            ),
        )
    };
    for expression in ["operator: NotIn, values: [virtual-node]", "operator: DoesNotExist"] {
        let table = liqo(&[&plain(), &home(expression), SLICE, &offloading("{}")], &[]).unwrap();
        has(&table, &[(&["liqo", "offloading", "services"], "[\"a\"]")]);
        assert_eq!(at(&table, &["services", "b", "node_selector"]), None);
        let remote = offloading("{podOffloadingStrategy: Remote}");
        let error = liqo(&[&plain(), &home(expression), SLICE, &remote], &[]).unwrap_err();
        assert!(error.contains("leaves it no node"), "{error}");
        tables(&[&plain(), &home(expression)]);
    }
    for expression in ["operator: NotIn, values: [x]", "operator: Exists"] {
        let error = refused(&[&plain(), &home(expression)], &[]);
        assert!(error.contains("`In` alone is simulated"), "{error}");
    }
}

#[test]
fn a_quota_alone_says_what_is_granted() {
    let quota = |spec: &str| {
        object("offloading.liqo.io/v1beta1", "Quota", spec)
            .replace("name: it", "name: it, labels: {liqo.io/remote-cluster-id: cloud}")
    };
    let whole = quota("{user: x, cordoned: false, resources: {cpu: '4', memory: 8Gi, pods: '20'}}");
    let table = liqo(&[&plain()], &[&whole]).unwrap();
    has(
        &table,
        &[(
            &["peerings", "it"],
            "{ consumer = \"cloud\", provider = \"edge1\", slice = { cpu = \"4\", memory = \"8Gi\", pods = 20 } }",
        )],
    );
    let cordoned = whole.replace("cordoned: false", "cordoned: true");
    assert!(liqo(&[&plain()], &[&cordoned]).unwrap_err().contains("a consumer that is shut out"));
    // Without its label the user of the tenant says whose it is.
    let named =
        whole.replace(", labels: {liqo.io/remote-cluster-id: cloud}", "").replace("user: x", "user: cloud");
    has(&liqo(&[&plain()], &[&named]).unwrap(), &[(&["peerings", "it", "consumer"], "\"cloud\"")]);
}
