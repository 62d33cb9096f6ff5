//! Each kind of Kubernetes and each of its fields: where it is in the scenario.

use super::{
    app, at, container, has, imported, plain, refused, rule, tables, tables_without, value, work_model,
};
use toml::Table;

#[test]
fn a_deployment_has_replicas_resources_and_times() {
    let more = container(
        "resources:\n  requests: {cpu: 250m, memory: 134217728}\n  limits: {cpu: '1'}\nreadinessProbe: {httpGet: {port: 80}, initialDelaySeconds: 2, periodSeconds: 5}\n\
         lifecycle: {preStop: {exec: {command: [sh, -c, sleep 5]}}}",
    );
    let table = tables(&[&app("a", &more)]);
    has(
        &table,
        &[
            (&["clusters", "cloud", "replicas", "a"], "2"),
            (&["services", "a", "resources", "requests", "cpu"], "\"250m\""),
            (&["services", "a", "resources", "requests", "memory"], "\"134217728B\""),
            (&["services", "a", "resources", "limits", "cpu"], "\"1\""),
            (&["pods", "termination_grace_period"], "\"30s\""),
            (&["pods", "pre_stop"], "\"5s\""),
            (&["pods", "readiness_probe", "initial_delay"], "\"2s\""),
            (&["pods", "readiness_probe", "period"], "\"5s\""),
        ],
    );
    has(&tables(&[&plain()]), &[(&["pods", "readiness_probe", "enabled"], "false")]);
    let unknown = app("a", &container("lifecycle: {preStop: {exec: {command: [nginx, -s, quit]}}}"));
    assert!(refused(&[&unknown], &[]).contains("how long this hook takes is not known"));
}

#[test]
fn an_older_deployment_and_a_stateful_set_are_workloads_too() {
    let old = plain().replace("apps/v1", "extensions/v1beta1");
    assert_eq!(tables(&[&old]), tables(&[&plain()]));
    let set = plain()
        .replace("kind: Deployment", "kind: StatefulSet")
        .replace("  replicas: 2\n", "  serviceName: a\n");
    has(&tables(&[&set]), &[(&["clusters", "cloud", "replicas", "a"], "1")]);
}

#[test]
fn a_deployment_says_where_its_pods_may_run() {
    let more = format!(
        "{}nodeSelector: {{disk: ssd}}\ntolerations:\n- {{key: gpu, operator: Exists, effect: NoSchedule}}\n- {{key: team, value: x, effect: NoExecute}}\n\
         affinity:\n  nodeAffinity:\n    requiredDuringSchedulingIgnoredDuringExecution:\n      nodeSelectorTerms:\n      - matchExpressions:\n        \
         - {{key: topology.kubernetes.io/zone, operator: In, values: [cloud]}}\n        - {{key: arch, operator: In, values: [arm64, amd64]}}\n",
        container("")
    );
    let node = "apiVersion: v1\nkind: Node\nmetadata:\n  name: n\n  labels: {topology.kubernetes.io/zone: cloud, disk: ssd, arch: arm64}\n\
                status: {capacity: {cpu: '8'}}\n";
    let (_directory, mut options) = super::options(&[&app("a", &more), node]);
    options.nodes.clear();
    let imported = super::import(&options).unwrap();
    super::runs(&imported);
    let table: Table = imported.scenario.parse().unwrap();
    has(
        &table,
        &[
            (&["services", "a", "node_selector"], "{ disk = [\"ssd\"], arch = [\"arm64\", \"amd64\"] }"),
            (&["services", "a", "tolerations"], "[\"gpu:NoSchedule\", \"team=x:NoExecute\"]"),
            (
                &["clusters", "cloud", "nodes"],
                "[{ cores = \"8\", labels = { disk = \"ssd\", arch = \"arm64\" } }]",
            ),
        ],
    );
    for (from, to) in [
        ("operator: In, values: [arm64", "operator: NotIn, values: [arm64"),
        ("NoSchedule", "NoSchedule, tolerationSeconds: 5"),
    ] {
        let error = refused(&[&app("a", &more.replace(from, to))], &[]);
        assert!(error.contains("results hang on it"), "{to}: {error}");
    }
}

#[test]
fn a_deployment_says_how_pods_are_replaced_and_whether_they_have_a_sidecar() {
    let text = plain().replace("  replicas: 2\n", "  replicas: 2\n  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 25%}}\n");
    has(
        &tables(&[&text]),
        &[(&["services", "a", "rolling_update"], "{ max_surge = 1, max_unavailable = \"25%\" }")],
    );
    let without = plain().replace(
        "labels: {app: a, version: v1}",
        "labels: {app: a}\n      annotations: {sidecar.istio.io/inject: 'false'}",
    );
    has(&tables(&[&without, &rule("host: a")]), &[(&["services", "a", "sidecar"], "false")]);
    let other = plain().replace("labels: {app: a, version: v1}", "labels: {app: a}\n      annotations: {sidecar.istio.io/proxyCPULimit: 200m, prometheus.io/scrape: 'true'}");
    let error = refused(&[&other], &[]);
    assert!(error.contains("proxyCPULimit is ignored although") && !error.contains("prometheus"), "{error}");
}

#[test]
fn further_containers_and_spread_pods_are_not_passed_over() {
    let two = format!("{}- name: log\n  image: fluentd\n", container(""));
    assert!(refused(&[&app("a", &two)], &[]).contains("one container beside its sidecar"));
    for field in ["topologySpreadConstraints: [{maxSkew: 1}]", "hostNetwork: true", "priorityClassName: high"]
    {
        let error = refused(&[&app("a", &format!("{}{field}\n", container("")))], &[]);
        assert!(error.contains(field.split(':').next().unwrap()), "{error}");
    }
}

#[test]
fn a_service_says_what_it_speaks() {
    let port = |port: &str| tables(&[&plain().replace("{port: 80, name: http}", port)]);
    for (written, protocol) in [
        ("{port: 80, name: grpc-api}", Some("\"grpc\"")),
        ("{port: 80, name: http2}", Some("\"http2\"")),
        ("{port: 80, appProtocol: kubernetes.io/h2c}", Some("\"http2\"")),
        ("{port: 80, name: web}", None),
        ("{port: 80, name: http, nodePort: ~}, {port: 90, name: grpc}", None),
    ] {
        let table = port(written);
        assert_eq!(at(&table, &["services", "a", "protocol"]), protocol.map(value).as_ref(), "{written}");
    }
    let near = plain().replace("  ports:", "  trafficDistribution: PreferClose\n  type: ClusterIP\n  ports:");
    has(&tables(&[&near]), &[(&["services", "a", "traffic_distribution"], "\"PreferClose\"")]);
    for (field, why) in [
        ("clusterIP: None", "headless"),
        ("sessionAffinity: ClientIP", "keeps clients at a pod"),
        ("internalTrafficPolicy: Local", "stays on the node"),
        ("type: ExternalName", "ServiceEntry"),
    ] {
        let error = refused(&[&plain().replace("  ports:", &format!("  {field}\n  ports:"))], &[]);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_config_map_may_hold_the_work_model() {
    let b = app("b", &container(""));
    let imported = imported(&[&plain(), &b, &work_model("a", "b")], &[]).unwrap();
    assert!(imported.workmodel.unwrap().contains("external_services"));
    let table: Table = imported.scenario.parse().unwrap();
    has(&table, &[(&["application", "workmodel"], "\"workmodel.json\"")]);
    assert_eq!(at(&table, &["services", "a", "service_time"]), None);
    assert!(
        refused(&[&plain(), &b, &work_model("a", "c")], &[])
            .contains("the work model does not say what it does")
    );
    let broken = work_model("a", "b").replace("\"loader\": {}", "\"loader\": {");
    let error = refused(&[&plain(), &b, &broken], &[]);
    assert!(error.contains("workmodel.json of ConfigMap workmodel ("), "{error}");
    let other = work_model("b", "a").replace("name: workmodel", "name: other");
    assert!(refused(&[&plain(), &b, &work_model("a", "b"), &other], &[]).contains("a second work model"));
    let files = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: files}\ndata: {a.txt: x}\n";
    tables(&[&plain(), files]);
    let mesh =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio}\ndata: {mesh: \"enableTracing: true\"}\n";
    assert!(refused(&[&plain(), mesh], &[]).contains("the mesh's own configuration"));
}

#[test]
fn every_field_of_an_autoscaler_has_its_key() {
    let hpa = |spec: &str| {
        let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
        format!(
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: h}}\nspec:\n  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: a}}\n{spec}"
        )
    };
    let requests = app("a", &container("resources: {requests: {cpu: 100m}}"));
    let text = hpa(
        "minReplicas: 2\nmaxReplicas: 9\nmetrics:\n- type: Resource\n  resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}\n\
         - type: ContainerResource\n  containerResource: {name: cpu, container: istio-proxy, target: {type: AverageValue, averageValue: 500m}}\nbehavior:\n  \
         scaleUp: {stabilizationWindowSeconds: 0, selectPolicy: Min, policies: [{type: Pods, value: 4, periodSeconds: 15}]}\n  \
         scaleDown: {stabilizationWindowSeconds: 60, policies: [{type: Percent, value: 50, periodSeconds: 30}]}",
    );
    let expected = "{ min_replicas = 2, max_replicas = 9, metrics = [{ resource = \"cpu\", utilization = 60 }, { resource = \"cpu\", container = \"sidecar\", average_value = \"500m\" }], \
                    behavior = { scale_up = { stabilization_window = \"0s\", select_policy = \"Min\", policies = [{ pods = 4, period = \"15s\" }] }, \
                    scale_down = { stabilization_window = \"60s\", policies = [{ percent = 50, period = \"30s\" }] } } }";
    let minute = expected.replace("\"60s\"", "\"1min\"");
    let table = tables(&[&requests, &text]);
    let own = at(&table, &["clusters", "cloud", "hpa", "a"]);
    assert!(own == Some(&value(expected)) || own == Some(&value(&minute)), "{own:?}");
    for old in [
        hpa("maxReplicas: 9\ntargetCPUUtilizationPercentage: 60").replace("autoscaling/v2", "autoscaling/v1"),
        hpa("maxReplicas: 9\nmetrics: [{type: Resource, resource: {name: cpu, targetAverageUtilization: 60}}]").replace("autoscaling/v2", "autoscaling/v2beta1"),
        hpa("maxReplicas: 9\nmetrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]").replace("autoscaling/v2", "autoscaling/v2beta2"),
    ] {
        has(&tables(&[&requests, &old]), &[(&["clusters", "cloud", "hpa", "a"], "{ max_replicas = 9, metrics = [{ resource = \"cpu\", utilization = 60 }] }")]);
    }
    let memory = hpa(
        "maxReplicas: 9\nmetrics: [{type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 60}}}]",
    );
    assert!(refused(&[&requests, &memory], &[]).contains("memory is not simulated"));
    let table = tables_without(&[&requests, &memory], &["HorizontalPodAutoscaler.spec.metrics"]);
    has(&table, &[(&["clusters", "cloud", "hpa", "a", "enabled"], "false")]);
    assert!(
        refused(&[&requests, &text.replace("name: a}", "name: z}")], &[])
            .contains("no Deployment z for it to scale")
    );
    assert!(
        refused(&[&requests, &text, &text.replace("name: h}", "name: h2}")], &[]).contains("two autoscalers")
    );
}

#[test]
fn nodes_are_machines_with_labels_and_taints() {
    let node = "apiVersion: v1\nkind: Node\nmetadata:\n  name: n\n  labels: {topology.kubernetes.io/zone: cloud, topology.kubernetes.io/region: r, disk: ssd}\nspec:\n  \
                podCIDR: 10.0.0.0/24\n  taints: [{key: gpu, value: 'yes', effect: NoSchedule}, {key: node.kubernetes.io/unreachable, effect: NoExecute}]\n\
                status:\n  capacity: {cpu: '16', memory: 64Gi}\n  allocatable: {cpu: 15500m, memory: 62Gi, pods: '110'}\n";
    let (_directory, mut options) = super::options(&[&plain(), node]);
    let both = super::import(&options).unwrap_err().to_string();
    assert!(both.contains("--nodes cloud=... and objects of kind Node"), "{both}");
    options.nodes.clear();
    let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
    has(
        &table,
        &[(
            &["clusters", "cloud", "nodes"],
            "[{ cores = \"16\", allocatable = { cpu = \"15500m\", memory = \"62Gi\", pods = 110 }, region = \"r\", labels = { disk = \"ssd\" }, taints = [\"gpu=yes:NoSchedule\"] }]",
        )],
    );
    let without = node.replace("capacity: {cpu: '16', memory: 64Gi}", "phase: Running");
    let (_directory, mut options) = super::options(&[&plain(), &without]);
    options.nodes.clear();
    assert!(super::import(&options).unwrap_err().to_string().contains("how many cores"));
}

#[test]
fn routes_of_the_gateway_api_are_routes() {
    let b = app("b", &container(""));
    let route = |spec: &str| {
        let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: h}}\nspec:\n{spec}"
        )
    };
    let of_a = route(
        "parentRefs: [{kind: Service, group: '', name: a, port: 80}]\nrules:\n- timeouts: {request: 2s}\n  matches:\n  - path: {type: PathPrefix, value: /x}\n    method: GET\n    \
         headers: [{name: y, value: z}]\n  backendRefs: [{name: a, port: 80, weight: 90}, {name: b, port: 80, weight: 10}]\n- backendRefs: [{name: a, port: 80}]",
    );
    let (_directory, options) = super::options(&[&plain(), &b, &of_a]);
    let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
    let expected = "[{ timeout = \"2s\", destinations = [{ weight = 90 }, { service = \"b\", weight = 10 }], uri = { prefix = \"/x\" }, method = { exact = \"GET\" }, \
                    headers = { y = { exact = \"z\" } } }, {}]";
    has(&table, &[(&["services", "a", "routes"], expected)]);
    // A weight that is not written is one.
    let (_directory, options) = super::options(&[&plain(), &b, &of_a.replace(", weight: 10", "")]);
    let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
    let expected = expected.replace("weight = 10", "weight = 1");
    has(&table, &[(&["services", "a", "routes"], expected.as_str())]);
    let gateway = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  gatewayClassName: istio\n  \
                   listeners: [{name: http, port: 80, protocol: HTTP}]\n";
    let led = route(
        "hostnames: [shop]\nparentRefs: [{name: g}]\nrules:\n- matches: [{path: {value: /}}]\n  backendRefs: [{name: b, port: 80}]",
    );
    let (_directory, mut options) = super::options(&[&plain(), &b, gateway, &led]);
    options.users = vec![super::Users::parse("cloud=5/s").unwrap()];
    let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
    has(&table, &[(&["users", "cloud", "service"], "\"b\"")]);
    // The path of gRPC is /SERVICE/METHOD.
    for (method, uri) in [
        ("{service: shop.Cart, method: Add}", "{ exact = \"/shop.Cart/Add\" }"),
        ("{service: shop.Cart, type: Exact}", "{ prefix = \"/shop.Cart/\" }"),
        ("{method: Add}", "{ regex = \"/[^/]+/Add\" }"),
        ("{type: RegularExpression, service: 'shop[.].*', method: A.*}", "{ regex = \"/shop[.].*/A.*\" }"),
        ("{type: RegularExpression, service: 'shop[.].*'}", "{ regex = \"/shop[.].*/[^/]+\" }"),
    ] {
        let grpc = route(&format!(
            "parentRefs: [{{kind: Service, group: '', name: a}}]\nrules:\n- matches: [{{method: {method}}}]\n  backendRefs: [{{name: b, port: 80}}]"
        ));
        let (_directory, options) = super::options(&[&plain(), &b, &grpc.replace("HTTPRoute", "GRPCRoute")]);
        let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
        let expected = format!("[{{ uri = {uri}, destinations = [{{ service = \"b\" }}] }}]");
        has(&table, &[(&["services", "a", "routes"], &expected)]);
    }
    let mirror = of_a.replace("timeouts: {request: 2s}", "filters: [{type: RequestMirror}]");
    assert!(refused(&[&plain(), &b, &mirror], &[]).contains("rewrites and redirects alone"));
}

#[test]
fn liqo_says_whose_pods_run_where() {
    let offloading = "apiVersion: offloading.liqo.io/v1beta1\nkind: NamespaceOffloading\nmetadata: {name: offloading, namespace: default}\nspec:\n  \
                      podOffloadingStrategy: Remote\n  namespaceMappingStrategy: EnforceSameName\n";
    let slice = "apiVersion: authentication.liqo.io/v1beta1\nkind: ResourceSlice\nmetadata: {name: to-edge, namespace: liqo-tenant-edge}\nspec:\n  class: default\n  \
                 consumerClusterID: cloud\n  providerClusterID: edge\n  resources: {cpu: '2', memory: 4Gi, pods: 10}\n";
    let (directory, mut options) = super::options(&[&plain(), offloading, slice]);
    let unnamed = super::import(&options).unwrap_err().to_string();
    assert!(unnamed.contains("NamespaceOffloading offloading does not say of which consumer"), "{unnamed}");
    options.inputs =
        vec![super::Input { path: directory.path().to_owned(), cluster: Some("cloud".to_owned()) }];
    options.nodes.push(super::Nodes::parse("edge=1x4").unwrap());
    options.links.push(super::Link::parse("cloud:edge=10ms").unwrap());
    let imported = super::import(&options).unwrap();
    super::runs(&imported);
    let table: Table = imported.scenario.parse().unwrap();
    has(
        &table,
        &[
            (&["federation"], "\"liqo\""),
            (&["liqo", "consumer"], "\"cloud\""),
            (&["liqo", "offloading"], "{ services = [\"a\"], pod_offloading_strategy = \"Remote\" }"),
            (
                &["peerings", "to-edge"],
                "{ consumer = \"cloud\", provider = \"edge\", slice = { cpu = \"2\", memory = \"4Gi\", pods = 10 } }",
            ),
        ],
    );
    // Tenants' namespaces may have slices of one name.
    let other = slice.replace("tenant-edge", "tenant-far").replace("ClusterID: edge", "ClusterID: far");
    std::fs::write(directory.path().join("other.yaml"), other).unwrap();
    options.nodes.push(super::Nodes::parse("far=1x4").unwrap());
    options.links.push(super::Link::parse("cloud:far=10ms").unwrap());
    let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
    let providers =
        ["to-edge", "to-edge-liqo-tenant-far"].map(|it| at(&table, &["peerings", it, "provider"]));
    assert_eq!(providers, [Some(&value("\"edge\"")), Some(&value("\"far\""))]);
}
