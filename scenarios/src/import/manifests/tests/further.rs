//! What stands outside or beside a service: ServiceEntries, Sidecars, Telemetries, quotas, sidecars' annotations, overlays.

use super::{
    Options, Overlay, app, at, container, has, import, imported, options, plain, refused, rule, runs, tables,
    tables_without,
};
use crate::import::manifests::{Input, Nodes};
use toml::Table;

fn object(api: &str, kind: &str, spec: &str) -> String {
    format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: it}}\nspec: {spec}\n")
}

#[test]
fn a_service_entry_is_a_service_outside() {
    let entry = |spec: &str| object("networking.istio.io/v1", "ServiceEntry", spec);
    let table = tables(&[
        &plain(),
        &entry(
            "{hosts: [pay.example.com], location: MESH_EXTERNAL, resolution: DNS, ports: [{number: 443, name: tls, protocol: TLS}]}",
        ),
        &rule("host: pay.example.com\ntrafficPolicy: {connectionPool: {tcp: {maxConnections: 3}}}"),
    ]);
    has(
        &table,
        &[
            (&["services", "it", "external"], "true"),
            (&["services", "it", "protocol"], "\"tcp\""),
            (&["services", "it", "wait"], "\"1ms\""),
            (&["services", "it", "traffic_policy", "connection_pool", "tcp", "max_connections"], "3"),
        ],
    );
    for (protocol, expected) in
        [("HTTP", None), ("GRPC", Some("\"grpc\"")), ("HTTP2", Some("\"http2\"")), ("HTTPS", Some("\"tcp\""))]
    {
        let table = tables(&[
            &plain(),
            &entry(&format!("{{hosts: [b.c], ports: [{{number: 1, name: p, protocol: {protocol}}}]}}")),
        ]);
        assert_eq!(at(&table, &["services", "it", "protocol"]).map(ToString::to_string).as_deref(), expected);
    }
    for (spec, why) in [
        ("{hosts: [b.c], location: MESH_INTERNAL}", "machines of the mesh"),
        ("{hosts: [b.c], endpoints: [{address: a}, {address: b}]}", "which answers hangs on"),
        ("{hosts: [b.c], workloadSelector: {labels: {a: b}}}", "are not looked up"),
        ("{hosts: []}", "without hosts"),
        ("{}", "without hosts"),
    ] {
        let error = refused(&[&plain(), &entry(spec)], &[]);
        assert!(error.contains(why), "{spec}: {error}");
    }
}

#[test]
fn sidecars_and_telemetries_that_change_nothing_pass() {
    let sidecar = |spec: &str| object("networking.istio.io/v1", "Sidecar", spec);
    imported(
        &[&plain(), &sidecar("{egress: [{hosts: ['*/*']}], outboundTrafficPolicy: {mode: REGISTRY_ONLY}}")],
        &[],
    )
    .unwrap();
    let error = refused(&[&plain(), &sidecar("{egress: [{hosts: ['./*']}]}")], &[]);
    assert!(error.contains("proxies are told of all services"), "{error}");
    let telemetry = |namespace: &str, spec: &str| {
        object("telemetry.istio.io/v1", "Telemetry", spec)
            .replace("name: it", &format!("name: it, namespace: {namespace}"))
    };
    let off = "{metrics: [{overrides: [{disabled: true}], providers: [{name: prometheus}]}], accessLogging: [{disabled: true}]}";
    has(
        &tables(&[&plain(), &rule("host: a"), &telemetry("istio-system", off)]),
        &[(&["mesh", "telemetry"], "false")],
    );
    for (namespace, spec, why) in [
        ("default", off, "switch off both, in the root namespace"),
        ("istio-system", "{metrics: [{overrides: [{disabled: true}]}]}", "switch off both"),
        ("istio-system", "{tracing: [{randomSamplingPercentage: 5}]}", "report spans is not simulated"),
    ] {
        let error = refused(&[&plain(), &telemetry(namespace, spec)], &[]);
        assert!(error.contains(why), "{spec}: {error}");
    }
    let harmless = "{metrics: [{overrides: [{tagOverrides: {a: {operation: REMOVE}}}]}], tracing: [{randomSamplingPercentage: 0}]}";
    imported(&[&plain(), &telemetry("default", harmless)], &[]).unwrap();
}

#[test]
fn a_quota_is_judged_by_the_pods_that_there_may_be() {
    let pods = app("a", &container("resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {cpu: '1'}}"));
    let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {scaleTargetRef: {kind: Deployment, name: a}, maxReplicas: 4}\n";
    for (hard, fits) in [
        ("requests.cpu: '2'", true),
        ("requests.cpu: 1900m", false),
        ("cpu: '1'", false),
        ("limits.cpu: '4'", true),
        ("limits.cpu: 3900m", false),
        ("requests.memory: 4Gi", true),
        ("memory: 3Gi", false),
        ("pods: '4'", true),
        ("pods: 3", false),
        ("limits.memory: 1Mi", true),
        ("services: 1", true),
    ] {
        let quota = object("v1", "ResourceQuota", &format!("{{hard: {{{hard}}}}}"));
        let outcome = imported(&[&pods, hpa, &quota], &[]);
        assert_eq!(outcome.is_ok(), fits, "{hard}: {outcome:?}");
    }
}

#[test]
fn annotations_say_what_sidecars_take() {
    let text = app("a", &container("")).replace(
        "      labels: {app: a, version: v1}\n",
        "      labels: {app: a, version: v1}\n      annotations:\n        sidecar.istio.io/proxyCPU: 200m\n        sidecar.istio.io/proxyMemory: 256Mi\n        \
         proxy.istio.io/config: |\n          concurrency: 4\n          terminationDrainDuration: 20s\n          holdApplicationUntilProxyStarts: true\n",
    );
    let table = tables(&[&text, &rule("host: a")]);
    has(
        &table,
        &[
            (&["mesh", "sidecar", "requests", "cpu"], "\"200m\""),
            (&["mesh", "sidecar", "requests", "memory"], "\"256Mi\""),
            (&["mesh", "sidecar", "concurrency"], "4"),
            (&["pods", "sidecar_drain"], "\"20s\""),
            (&["pods", "hold_application_until_proxy_starts"], "true"),
        ],
    );
    // Of all workloads or of none.
    let error = refused(&[&text, &app("b", &container("")), &rule("host: a")], &[]);
    assert!(error.contains("some workloads say nothing of it"), "{error}");
    let unknown = text.replace("concurrency: 4", "proxyMetadata: {a: b}");
    let error = refused(&[&unknown, &rule("host: a")], &[]);
    assert!(error.contains("`proxyMetadata` of a proxy's configuration is not taken over"), "{error}");
    let broken = text.replace("concurrency: 4", "{{");
    assert!(refused(&[&broken, &rule("host: a")], &[]).contains("this is no configuration of a proxy"));
}

#[test]
fn settings_of_the_port_that_is_called_stand_in_place_of_the_others() {
    let policy = |port: u32| {
        rule(&format!(
            "host: a\ntrafficPolicy:\n  connectionPool: {{tcp: {{maxConnections: 1}}}}\n  portLevelSettings:\n  - port: {{number: {port}}}\n    outlierDetection: {{consecutive5xxErrors: 3}}"
        ))
    };
    let own = |port: u32| {
        at(&tables(&[&plain(), &policy(port)]), &["services", "a", "traffic_policy"]).unwrap().to_string()
    };
    assert_eq!(own(80), "{ outlier_detection = { consecutive_5xx_errors = 3 } }");
    assert_eq!(own(9090), "{ connection_pool = { tcp = { max_connections = 1 } } }");
}

#[test]
fn a_quota_of_liqo_says_what_the_provider_asks() {
    let slice = "apiVersion: authentication.liqo.io/v1beta1\nkind: ResourceSlice\nmetadata: {name: s}\nspec: {class: default, providerClusterID: edge1, consumerClusterID: cloud, resources: {cpu: '4', memory: 8Gi, pods: '110'}}\n";
    let quota = "apiVersion: offloading.liqo.io/v1beta1\nkind: Quota\nmetadata: {name: q, labels: {liqo.io/remote-cluster-id: cloud}}\nspec: {user: x, limitsEnforcement: Hard, resources: {cpu: '4'}}\n";
    let (directory, mut options) = options(&[&plain()]);
    let edge = tempfile::tempdir().unwrap();
    std::fs::write(edge.path().join("q.yaml"), quota).unwrap();
    std::fs::write(directory.path().join("s.yaml"), slice).unwrap();
    options.inputs[0].cluster = Some("cloud".to_owned());
    options.inputs.push(Input { path: edge.path().to_owned(), cluster: Some("edge1".to_owned()) });
    options.nodes.push(Nodes::parse("edge1=1x4").unwrap());
    options.links.push(super::Link::parse("cloud:edge1=20ms").unwrap());
    let imported = import(&options).unwrap_or_else(|it| panic!("{it}"));
    runs(&imported);
    let table: Table = imported.scenario.parse().unwrap();
    has(
        &table,
        &[
            (&["peerings", "s", "enforcement"], "\"hard\""),
            (&["peerings", "s", "slice", "cpu"], "\"4\""),
            (&["peerings", "s", "provider"], "\"edge1\""),
        ],
    );
}

#[test]
fn a_namespace_says_the_data_plane() {
    for (labels, plane) in [
        ("istio-injection: enabled", "\"sidecar\""),
        ("istio.io/dataplane-mode: ambient", "\"ambient\""),
        ("a: b", "\"none\""),
    ] {
        let namespace =
            format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: default, labels: {{{labels}}}}}\n");
        has(&tables(&[&plain(), &namespace]), &[(&["mesh", "data_plane"], plane)]);
    }
}

#[test]
fn an_overlay_says_what_manifests_cannot() {
    let overlay = "[clusters.cloud]\nzone = \"z1\"\nnodes = [{ cores = \"8\" }]\n[services.a]\nservice_time = \"3ms\"\n[users.cloud]\ncluster = \"cloud\"\nservice = \"a\"\nrate = \"9/s\"\n";
    let zoned = app("a", &(container("") + "nodeSelector: {topology.kubernetes.io/zone: z1}\n"));
    let (_directory, own) = options(&[&zoned]);
    let with = |text: &str| {
        let overlay = Some(Overlay::from_text("overlay.toml", text)?);
        import(&Options { nodes: Vec::new(), users: Vec::new(), overlay, ..own.clone() })
    };
    let imported = with(overlay).unwrap_or_else(|it| panic!("{it}"));
    runs(&imported);
    let table: Table = imported.scenario.parse().unwrap();
    has(
        &table,
        &[
            (&["clusters", "cloud", "zone"], "\"z1\""),
            (&["clusters", "cloud", "services"], "[\"a\"]"),
            (&["clusters", "cloud", "nodes"], "[{ cores = \"8\" }]"),
            (&["services", "a", "service_time"], "\"3ms\""),
            (&["users", "cloud", "rate"], "\"9/s\""),
        ],
    );
    let error = with("a = [").unwrap_err().to_string();
    assert!(error.contains("overlay.toml:1:"), "{error}");
    let error = with(&format!("{overlay}[[strategy]]\nname = \"x\"\nset = {{}}\n")).unwrap_err().to_string();
    assert!(error.contains("an overlay has no strategies"), "{error}");
    let error = with(&format!("mesh = 3\n{overlay}")).unwrap_err().to_string();
    assert!(error.contains("overlay.toml:1:8: `mesh` is a table and cannot become a value"), "{error}");
}

#[test]
fn metrics_of_pods_are_those_that_a_scenario_knows() {
    let hpa = |name: &str, amount: &str| {
        format!(
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: a}}\nspec:\n  scaleTargetRef: {{kind: Deployment, name: a}}\n  maxReplicas: 4\n  metrics:\n  - type: Pods\n    pods: {{metric: {{name: {name}}}, target: {{type: AverageValue, averageValue: {amount}}}}}\n"
        )
    };
    for (name, amount, expected) in [
        ("requests_per_second", "'20'", "[{ pods = \"requests_per_second\", average_value = \"20/s\" }]"),
        ("mean_latency", "100m", "[{ pods = \"mean_latency\", average_value = \"100ms\" }]"),
        ("requests_in_flight", "'8'", "[{ pods = \"requests_in_flight\", average_value = 8.0 }]"),
    ] {
        has(
            &tables(&[&plain(), &hpa(name, amount)]),
            &[(&["clusters", "cloud", "hpa", "a", "metrics"], expected)],
        );
    }
    let table = tables_without(&[&plain(), &hpa("queue_length", "'1'")], &["metrics"]);
    assert!(at(&table, &["clusters", "cloud", "hpa", "a", "metrics"]).is_none());
}

#[test]
fn a_rule_says_how_a_host_is_encrypted() {
    let tls = |mode: &str| {
        at(
            &tables(&[&plain(), &rule(&format!("host: a\ntrafficPolicy: {{tls: {{mode: {mode}}}}}"))]),
            &["services", "a", "traffic_policy", "tls"],
        )
        .map(ToString::to_string)
    };
    assert_eq!(tls("DISABLE").as_deref(), Some("{ mode = \"DISABLE\" }"));
    assert_eq!(tls("ISTIO_MUTUAL"), None);
    let subset =
        rule("host: a\nsubsets: [{name: s, labels: {version: v1}, trafficPolicy: {tls: {mode: DISABLE}}}]");
    assert!(refused(&[&plain(), &subset], &[]).contains("a subset is sent what its service is"));
}
