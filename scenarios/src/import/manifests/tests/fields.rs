//! Fields one by one, as rarely as they are written: each is in the scenario, or refused, or harmless with its reason.

use super::{
    app, at, container, has, import, imported, options, plain, refused, routes, rule, tables, value,
};
use toml::Table;

/// The tables of two applications with a further manifest; the scenario is read, and no more than that.
fn with(manifest: &str) -> Table {
    let (_directory, options) = options(&[&plain(), &app("b", &container("")), manifest]);
    import(&options).unwrap_or_else(|it| panic!("{it}")).scenario.parse().unwrap()
}

fn report(manifest: &str) -> String {
    imported(&[&plain(), manifest], &[]).unwrap_or_else(|it| panic!("{it}")).report
}

pub(super) fn object(api: &str, kind: &str, spec: &str) -> String {
    format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: it}}\nspec: {spec}\n")
}

#[test]
fn what_a_route_compares_it_compares_in_each_way() {
    for how in ["exact", "prefix", "regex"] {
        for (field, key) in [("uri", "uri"), ("method", "method")] {
            let text =
                routes(&format!("hosts: [a]\nhttp:\n- match: [{{{field}: {{{how}: X}}}}]\n  timeout: 1s"));
            let expected = format!("[{{ {key} = {{ {how} = \"X\" }}, timeout = \"1s\" }}]");
            has(&with(&text), &[(&["services", "a", "routes"], &expected)]);
        }
        for (field, key) in
            [("headers", "headers"), ("withoutHeaders", "without_headers"), ("queryParams", "query_params")]
        {
            let text = routes(&format!(
                "hosts: [a]\nhttp:\n- match: [{{name: m, {field}: {{n: {{{how}: X}}}}}}]\n  timeout: 1s"
            ));
            let expected = format!("[{{ {key} = {{ n = {{ {how} = \"X\" }} }}, timeout = \"1s\" }}]");
            has(&with(&text), &[(&["services", "a", "routes"], &expected)]);
        }
    }
}

#[test]
fn what_a_route_does_beside_is_taken_or_said() {
    let subsets = "\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: b}\nspec: {host: b, subsets: [{name: s, labels: {version: v1}}]}\n";
    for (field, expected) in [
        (
            "mirror: {host: b, subset: s, port: {number: 80}}\n  mirrorPercent: 5",
            "[{ mirror = { service = \"b\", subset = \"s\", percentage = 5.0 } }]",
        ),
        ("timeout: 1s\n  corsPolicy: {allowOrigins: [{exact: x}]}", "[{ timeout = \"1s\" }]"),
        ("redirect: {redirectCode: 302, uri: /x, authority: y}", "[{ redirect = { redirect_code = 302 } }]"),
    ] {
        let text = routes(&format!("hosts: [a]\nhttp:\n- {field}")) + subsets;
        has(&with(&text), &[(&["services", "a", "routes"], expected)]);
    }
    for (spec, why) in [
        ("hosts: [a]\ntls: [{route: [{destination: {host: a}}]}]", "routes of connections"),
        (
            "hosts: [a]\nhttp: [{route: [{destination: {host: a}, headers: {request: {remove: [x]}}}]}]",
            "headers that proxies change",
        ),
    ] {
        let error = refused(&[&plain(), &routes(spec)], &[]);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn what_a_policy_says_of_localities_and_older_fields_has_its_key() {
    for (field, path, expected) in [
        (
            "loadBalancer: {localityLbSetting: {failoverPriority: [topology.kubernetes.io/region]}}\n  outlierDetection: {}",
            &["load_balancer", "locality_lb_setting"][..],
            "{ failover_priority = [\"topology.kubernetes.io/region\"] }",
        ),
        (
            "loadBalancer: {localityLbSetting: {distribute: [{from: '*', to: {'*': 100}}]}}",
            &["load_balancer", "locality_lb_setting"],
            "{ distribute = [{ from = \"*\", to = { \"*\" = 100 } }] }",
        ),
        (
            "loadBalancer: {simple: ROUND_ROBIN, warmupDurationSecs: 20s}",
            &["load_balancer", "warmup"],
            "{ duration = \"20s\" }",
        ),
    ] {
        let table = with(&rule(&format!("host: a\ntrafficPolicy:\n  {field}")));
        let path: Vec<&str> = ["services", "a", "traffic_policy"].iter().chain(path).copied().collect();
        assert_eq!(at(&table, &path), Some(&value(expected)), "{table}");
    }
    let upgrade = |how: &str| {
        rule(&format!("host: a\ntrafficPolicy: {{connectionPool: {{http: {{h2UpgradePolicy: {how}}}}}}}"))
    };
    assert!(report(&upgrade("DO_NOT_UPGRADE")).contains("h2UpgradePolicy`, "));
    assert!(refused(&[&plain(), &upgrade("UPGRADE")], &[]).contains("services.X.protocol"));
}

#[test]
fn an_autoscaler_has_a_tolerance_and_older_targets() {
    let requests = app("a", &container("resources: {requests: {cpu: 100m}}"));
    let hpa = |more: &str| {
        let spec = format!("{{scaleTargetRef: {{kind: Deployment, name: a}}, maxReplicas: 4, {more}}}");
        let text = object("autoscaling/v2", "HorizontalPodAutoscaler", &spec);
        at(&tables(&[&requests, &text]), &["clusters", "cloud", "hpa", "a"]).unwrap().clone()
    };
    let behavior =
        "behavior: {scaleUp: {tolerance: 0.05}, scaleDown: {tolerance: 0.2, selectPolicy: Disabled}}";
    assert_eq!(
        hpa(behavior),
        value(
            "{ max_replicas = 4, behavior = { scale_up = { tolerance = 0.05 }, scale_down = { select_policy = \"Disabled\", tolerance = 0.2 } } }"
        )
    );
    assert_eq!(
        hpa("metrics: [{type: Resource, resource: {name: cpu, targetAverageValue: 300m}}]"),
        value("{ max_replicas = 4, metrics = [{ resource = \"cpu\", average_value = \"300m\" }] }")
    );
}

#[test]
fn a_policy_names_who_calls_and_what_in_each_way() {
    let policy = |rules: &str| {
        let spec = format!("{{action: DENY, rules: [{rules}]}}");
        let text = object("security.istio.io/v1", "AuthorizationPolicy", &spec);
        at(&with(&text), &["authorization_policies", "it", "rules"]).unwrap().to_string()
    };
    for (field, key) in [
        ("principals", "principals"),
        ("notPrincipals", "not_principals"),
        ("namespaces", "namespaces"),
        ("notNamespaces", "not_namespaces"),
    ] {
        let expected = format!("[{{ from = [{{ {key} = [\"x\"] }}] }}]");
        assert_eq!(policy(&format!("{{from: [{{source: {{{field}: [x]}}}}]}}")), expected);
    }
    for (field, key) in
        [("methods", "methods"), ("notMethods", "not_methods"), ("paths", "paths"), ("notPaths", "not_paths")]
    {
        let expected = format!("[{{ to = [{{ {key} = [\"/x\"] }}] }}]");
        assert_eq!(policy(&format!("{{to: [{{operation: {{{field}: [/x]}}}}]}}")), expected);
    }
    let peer = "{selector: {matchLabels: {app: b}}, mtls: {mode: STRICT}}";
    let expected = "{ mtls = { mode = \"STRICT\" }, namespace = \"default\", services = [\"b\"] }";
    let table = with(&object("security.istio.io/v1", "PeerAuthentication", peer));
    has(&table, &[(&["peer_authentications", "it"], expected)]);
}

#[test]
fn a_pod_says_in_a_label_whether_it_has_a_sidecar() {
    let without = plain().replace("version: v1}", "version: v1, sidecar.istio.io/inject: 'false'}");
    has(&tables(&[&without, &rule("host: a")]), &[(&["services", "a", "sidecar"], "false")]);
}

#[test]
fn a_service_is_carried_by_tcp_or_udp_and_may_have_a_waypoint() {
    let port = |port: &str| plain().replace("{port: 80, name: http}", port);
    let a = app("b", &container(""));
    let udp = tables(&[
        &a.replace("name: b", "name: a").replace("app: b", "app: a"),
        &port("{port: 53, protocol: UDP}").replace("name: a}", "name: dns}").replace("app: a", "app: dns"),
    ]);
    has(&udp, &[(&["services", "dns", "protocol"], "\"udp\"")]);
    assert!(refused(&[&port("{port: 80, protocol: SCTP}")], &[]).contains("SCTP is not simulated"));
    let mesh = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {istio.io/dataplane-mode: ambient}}\n";
    for (waypoint, expected) in [("waypoint", Some("true")), ("none", None)] {
        let text = plain().replacen(
            "{name: a}",
            &format!("{{name: a, labels: {{istio.io/use-waypoint: {waypoint}}}}}"),
            1,
        );
        let table = tables(&[&text, mesh]);
        assert_eq!(at(&table, &["services", "a", "waypoint"]).map(ToString::to_string).as_deref(), expected);
    }
    // What a ServiceEntry's port is called says what is spoken, where its protocol does not.
    let entry = object(
        "networking.istio.io/v1",
        "ServiceEntry",
        "{hosts: [x.y], ports: [{number: 80, name: grpc-x, protocol: TCP}]}",
    );
    has(&with(&entry), &[(&["services", "it", "protocol"], "\"grpc\"")]);
}

#[test]
fn users_send_requests_to_whom_takes_them() {
    let database = app("db", &container("")).replace("{port: 80, name: http}", "{port: 3306, name: mysql}");
    let users = |texts: &[&str], who: &str| {
        let (_directory, mut options) = options(texts);
        options.users = vec![super::Users::parse(who).unwrap()];
        import(&options).map(|it| it.scenario).map_err(|it| it.to_string())
    };
    let error = users(&[&plain(), &database], "cloud:db=5/s").unwrap_err();
    let said = "--users names `db`, which speaks tcp: users send requests of HTTP (there are a)";
    assert!(error.contains(said), "{error}");
    let alone = users(&[&database], "cloud:db=5/s").unwrap_err();
    assert!(alone.contains("import the services that call it, too"), "{alone}");
    let alone = users(&[&database], "cloud=5/s").unwrap_err();
    assert!(
        alone.contains("no service here takes requests of HTTP") && alone.contains("--users CLUSTER:SERVICE"),
        "{alone}"
    );
    let table: Table = users(&[&plain(), &database], "cloud=5/s").unwrap().parse().unwrap();
    has(&table, &[(&["users", "cloud", "service"], "\"a\"")]);
}

#[test]
fn routes_of_the_gateway_api_rewrite_redirect_and_compare() {
    let http = |rule: &str| {
        object(
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            &format!(
                "{{parentRefs: [{{kind: Service, group: '', name: a, namespace: default}}], rules: [{rule}]}}"
            ),
        )
    };
    let to_b = "backendRefs: [{kind: Service, group: '', name: b, namespace: default, port: 80}]";
    for (rule, expected) in [
        (
            "{name: n, matches: [{path: {type: RegularExpression, value: '/x.*'}, queryParams: [{name: q, value: z}, {name: r, type: RegularExpression, value: 'z+'}]}], TO}",
            "uri = { regex = \"/x.*\" }, query_params = { q = { exact = \"z\" }, r = { regex = \"z+\" } }",
        ),
        (
            "{matches: [{path: {value: /x}, headers: [{name: h, type: RegularExpression, value: 'z+'}]}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /y}}}], TO}",
            "rewrite = { uri = \"/y\" }, uri = { prefix = \"/x\" }, headers = { h = { regex = \"z+\" } }",
        ),
        (
            "{matches: [{path: {type: Exact, value: /x}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /y}}}], TO}",
            "rewrite = { uri = \"/y\" }, uri = { exact = \"/x\" }",
        ),
        (
            "{filters: [{type: RequestRedirect, requestRedirect: {statusCode: 301}}]}",
            "redirect = { redirect_code = 301 }",
        ),
        ("{filters: [{type: RequestRedirect, requestRedirect: {}}]}", "redirect = { redirect_code = 302 }"),
    ] {
        let table = with(&http(&rule.replace("TO", to_b)));
        let own = at(&table, &["services", "a", "routes"]).unwrap().as_array().unwrap()[0].clone();
        let to = if rule.contains("TO") { "destinations = [{ service = \"b\" }], " } else { "" };
        assert_eq!(own, value(&format!("{{ {to}{expected} }}")), "{rule}");
    }
    // Of a whole path that was compared by its prefix another one is left.
    let whole = "{matches: [{path: {value: /x}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /y}}}]}";
    assert!(refused(&[&plain(), &http(whole)], &[]).contains("replaceFullPath is ignored although"));
    for (from, to) in [
        ("name: a, namespace: default", "name: a, namespace: x"),
        ("kind: Service, group: '', name: b", "kind: ServiceImport, name: b"),
        ("kind: Service, group: '', name: b", "group: multicluster.x-k8s.io, name: b"),
        ("name: b, namespace: default", "name: b, namespace: x"),
    ] {
        let text = http(&format!("{{{to_b}}}")).replace(from, to);
        let error = refused(&[&plain(), &app("b", &container("")), &text], &[]);
        assert!(error.contains("no Service of these manifests has this name"), "{error}");
    }
    let of_gateway = http(&format!("{{name: n, filters: [{{type: URLRewrite, urlRewrite: {{}}}}], {to_b}}}"))
        .replace("kind: Service, group: '', name: a", "name: g");
    let (_directory, mut led) = options(&[&plain(), &app("b", &container("")), &of_gateway]);
    led.users = vec![super::Users::parse("cloud=5/s").unwrap()];
    has(&import(&led).unwrap().scenario.parse().unwrap(), &[(&["users", "cloud", "service"], "\"b\"")]);
}

/// µBench's cells call cells.
#[test]
fn what_is_outside_is_called_by_no_cell_of_a_work_model() {
    let entry = |name: &str| {
        object(
            "networking.istio.io/v1",
            "ServiceEntry",
            "{hosts: [x.y], ports: [{number: 80, name: http, protocol: HTTP}]}",
        )
        .replace("name: it", &format!("name: {name}"))
    };
    let [b, model] = [app("b", &container("")), super::work_model("a", "b")];
    let imported = imported(&[&plain(), &b, &model, &entry("pay")], &[]).unwrap();
    assert!(imported.report.contains("no cell of the work model calls it"), "{}", imported.report);
    let both = [plain(), model, entry("b")];
    let both = both.each_ref().map(String::as_str);
    assert!(refused(&both, &[]).contains("the work model has a cell of this name"));
}

#[test]
fn what_proxies_count_and_are_told_is_judged_part_by_part() {
    let telemetry = |spec: &str| object("telemetry.istio.io/v1", "Telemetry", spec);
    for (spec, expected) in [
        ("{metrics: [{reportingInterval: 5s, providers: [{name: p}]}]}", "proxies count at once"),
        (
            "{metrics: [{overrides: [{match: {metric: REQUEST_COUNT, mode: SERVER}, disabled: true}]}]}",
            "all metrics cost as much as some",
        ),
        (
            "{accessLogging: [{providers: [{name: p}], filter: {expression: x}, match: {mode: SERVER}}]}",
            "what is logged where",
        ),
        ("{tracing: [{providers: [{name: p}]}]}", "who collects spans"),
        ("{tracing: [{customTags: {a: {literal: {value: b}}}}]}", "labels of spans"),
        ("{tracing: [{disableSpanReporting: true, randomSamplingPercentage: 5}]}", "no spans are reported"),
        ("{selector: {matchLabels: {app: a}}}", "whose proxies these are"),
    ] {
        assert!(report(&telemetry(spec)).contains(expected), "{spec}");
    }
    let report =
        report(&telemetry("{accessLogging: [{providers: [], filter: {x: y}, match: {mode: SERVER}}]}"));
    for field in ["filter", "match"] {
        assert!(report.contains(&format!("- `Telemetry.spec.accessLogging.{field}`, ")), "{report}");
    }
    // Of some pods it is not of all.
    let off = "{selector: {matchLabels: {app: a}}, metrics: [{overrides: [{disabled: true}]}], accessLogging: [{disabled: true}]}";
    let of_root = telemetry(off).replace("name: it", "name: it, namespace: istio-system");
    assert!(refused(&[&plain(), &of_root], &[]).contains("switch off both, in the root namespace"));
    let sidecar = "{workloadSelector: {labels: {app: a}}, egress: [{hosts: ['*/*']}]}";
    let sidecar = object("networking.istio.io/v1", "Sidecar", sidecar);
    assert!(imported(&[&plain(), &sidecar], &[]).unwrap().report.contains("whose proxies these are"));
}

#[test]
fn nodes_have_subzones_and_virtual_ones_are_none() {
    let node = |name: &str, more: &str| {
        format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{topology.kubernetes.io/zone: cloud, {more}}}}}\nstatus: {{capacity: {{cpu: '8'}}}}\n"
        )
    };
    let of_provider = node("far", "liqo.io/type: virtual-node");
    let (_directory, mut options) =
        options(&[&plain(), &node("n", "topology.istio.io/subzone: s"), &of_provider]);
    options.nodes.clear();
    let table: Table = import(&options).unwrap().scenario.parse().unwrap();
    has(&table, &[(&["clusters", "cloud", "nodes"], "[{ cores = \"8\", subzone = \"s\" }]")]);
}

#[test]
fn a_quota_of_kubernetes_is_of_its_namespace_and_of_all_its_pods() {
    let pods = app("a", &container("resources: {requests: {cpu: 500m, memory: 1Gi}}"));
    let quota = |spec: &str| object("v1", "ResourceQuota", spec);
    for (spec, why) in [
        ("{hard: {requests.memory: 1Gi}}", "may ask for 2147483648"),
        ("{hard: {pods: 9}, scopes: [BestEffort]}", "of which pods a quota holds"),
        ("{hard: {pods: 9}, scopeSelector: {matchExpressions: []}}", "of which pods a quota holds"),
    ] {
        let error = refused(&[&pods, &quota(spec)], &[]);
        assert!(error.contains(why), "{error}");
    }
    let report = report(&quota("{hard: {limits.memory: 1Mi, services: 1}}"));
    for why in ["no pod of a scenario takes more memory than it requests", "it counts what is no pod"] {
        assert!(report.contains(why), "{report}");
    }
    let elsewhere = quota("{hard: {pods: 1}}").replace("name: it", "name: it, namespace: x");
    assert!(imported(&[&pods, &elsewhere], &[]).is_ok());
    assert!(refused(&[&pods, &quota("{hard: {pods: 1}}")], &[]).contains("may ask for 2"));
}

#[test]
fn files_beside_a_work_model_are_those_of_containers() {
    let model = super::work_model("a", "b");
    let imported = imported(&[&plain(), &app("b", &container("")), &model], &[]).unwrap();
    assert!(imported.report.contains("- `ConfigMap.data.README.md`, "), "{}", imported.report);
}
