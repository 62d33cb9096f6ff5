//! Each kind of Istio and each of its fields: where it is in the scenario.

use super::{app, at, container, has, plain, refused, routes, rule, tables, work_model};
use toml::Table;

#[test]
fn every_field_of_a_policy_has_its_key() {
    let policy = "loadBalancer:\n  localityLbSetting:\n    enabled: true\n    failover: [{from: a, to: b}]\n  warmup: {duration: 30s, minimumPercent: 20, aggression: 1.5}\n  simple: ROUND_ROBIN\n\
                  connectionPool:\n  tcp: {maxConnections: 10, connectTimeout: 1s, idleTimeout: 1h, maxConnectionDuration: 2h}\n  \
                  http: {http1MaxPendingRequests: 1, http2MaxRequests: 2, maxRequestsPerConnection: 3, maxRetries: 4, idleTimeout: 1m30s}\n\
                  outlierDetection:\n  consecutive5xxErrors: 7\n  consecutiveGatewayErrors: 6\n  consecutiveLocalOriginFailures: 5\n  splitExternalLocalOriginErrors: true\n  \
                  interval: 30s\n  baseEjectionTime: 40s\n  maxEjectionPercent: 50\n  minHealthPercent: 20\n\
                  retryBudget: {percent: 20, minRetryConcurrency: 3}\ntls: {mode: ISTIO_MUTUAL}";
    let policy: String = policy.lines().map(|line| format!("  {line}\n")).collect();
    let regions = "apiVersion: v1\nkind: Node\nmetadata:\n  name: n\n  labels: {topology.kubernetes.io/zone: cloud, topology.kubernetes.io/region: a}\nstatus: {capacity: {cpu: '8'}}\n";
    let (_directory, mut options) =
        super::options(&[&plain(), &rule(&format!("host: a\ntrafficPolicy:\n{policy}")), regions]);
    options.nodes.clear();
    let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
    let own = at(&table, &["services", "a", "traffic_policy"]).unwrap().as_table().unwrap();
    has(
        own,
        &[
            (&["load_balancer", "simple"], "\"ROUND_ROBIN\""),
            (
                &["load_balancer", "locality_lb_setting"],
                "{ enabled = true, failover = [{ from = \"a\", to = \"b\" }] }",
            ),
            (
                &["load_balancer", "warmup"],
                "{ duration = \"30s\", minimum_percent = 20.0, aggression = 1.5 }",
            ),
            (
                &["connection_pool", "tcp"],
                "{ max_connections = 10, connect_timeout = \"1s\", idle_timeout = \"1h\", max_connection_duration = \"2h\" }",
            ),
            (
                &["connection_pool", "http"],
                "{ http1_max_pending_requests = 1, http2_max_requests = 2, max_requests_per_connection = 3, max_retries = 4, idle_timeout = \"90s\" }",
            ),
            (&["outlier_detection", "consecutive_5xx_errors"], "7"),
            (&["outlier_detection", "consecutive_gateway_errors"], "6"),
            (&["outlier_detection", "consecutive_local_origin_failures"], "5"),
            (&["outlier_detection", "split_external_local_origin_errors"], "true"),
            (&["outlier_detection", "interval"], "\"30s\""),
            (&["outlier_detection", "base_ejection_time"], "\"40s\""),
            (&["outlier_detection", "max_ejection_percent"], "50"),
            (&["outlier_detection", "min_health_percent"], "20"),
            (&["retry_budget"], "{ percent = 20.0, min_retry_concurrency = 3 }"),
        ],
    );
    for (hash, toml) in [
        ("httpHeaderName: x-user", "{ http_header_name = \"x-user\" }"),
        (
            "httpCookie: {name: c, ttl: 0s, path: /}",
            "{ http_cookie = { name = \"c\", ttl = \"0s\", path = \"/\" } }",
        ),
        (
            "useSourceIp: true\n      ringHash: {minimumRingSize: 64}",
            "{ use_source_ip = true, ring_hash = { minimum_ring_size = 64 } }",
        ),
        (
            "httpQueryParameterName: q\n      maglev: {tableSize: 101}",
            "{ http_query_parameter_name = \"q\", maglev = { table_size = 101 } }",
        ),
        ("useSourceIp: true\n      minimumRingSize: 10", "{ use_source_ip = true, minimum_ring_size = 10 }"),
    ] {
        let text =
            rule(&format!("host: a\ntrafficPolicy:\n  loadBalancer:\n    consistentHash:\n      {hash}"));
        let (_directory, options) = super::options(&[&plain(), &text]);
        let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
        has(&table, &[(&["services", "a", "traffic_policy", "load_balancer", "consistent_hash"], toml)]);
    }
    for (field, why) in [
        ("tls: {mode: SIMPLE}", "certificates that are none of the mesh"),
        ("proxyProtocol: {version: V2}", "no such thing"),
    ] {
        assert!(
            refused(&[&plain(), &rule(&format!("host: a\ntrafficPolicy:\n  {field}"))], &[]).contains(why),
            "{field}"
        );
    }
}

#[test]
fn a_rule_is_for_a_host_however_it_is_written() {
    let policy = "trafficPolicy: {outlierDetection: {consecutive5xxErrors: 7}}";
    for host in ["a", "a.default", "a.default.svc", "a.default.svc.cluster.local"] {
        let table = tables(&[&plain(), &rule(&format!("host: {host}\n{policy}"))]);
        has(
            &table,
            &[(&["services", "a", "traffic_policy", "outlier_detection", "consecutive_5xx_errors"], "7")],
        );
    }
    for version in ["v1alpha3", "v1beta1", "v1"] {
        let of_version =
            rule(&format!("host: a\n{policy}")).replace("istio.io/v1", &format!("istio.io/{version}"));
        assert_eq!(
            tables(&[&plain(), &of_version]),
            tables(&[&plain(), &rule(&format!("host: a\n{policy}"))]),
            "{version}"
        );
    }
    let all = rule(&format!("host: '*.local'\n{policy}"));
    let again = refused(&[&plain(), &all, &all.replace("name: r", "name: r2")], &[]);
    assert!(again.contains("another DestinationRule is for all hosts, too"), "{again}");
    let table = tables(&[&plain(), &all]);
    has(&table, &[(&["mesh", "traffic_policy", "outlier_detection", "consecutive_5xx_errors"], "7")]);
    assert!(
        refused(&[&plain(), &rule(&format!("host: b\n{policy}"))], &[])
            .contains("no Service of these manifests")
    );
    let twice = rule(&format!("host: a\n{policy}"));
    assert!(
        refused(&[&plain(), &twice, &twice.replace("name: r", "name: r2")], &[])
            .contains("another DestinationRule")
    );
}

#[test]
fn what_all_services_say_alike_is_said_once() {
    let policy = |host: &str| {
        rule(&format!("host: {host}\ntrafficPolicy: {{outlierDetection: {{consecutive5xxErrors: 7}}}}"))
            .replace("name: r", &format!("name: {host}"))
    };
    let limits = container("resources: {limits: {cpu: 500m}}");
    let table = tables(&[&app("a", &limits), &app("b", &limits), &policy("a"), &policy("b")]);
    has(
        &table,
        &[
            (&["mesh", "traffic_policy", "outlier_detection", "consecutive_5xx_errors"], "7"),
            (&["application", "cpu_limit"], "\"500m\""),
        ],
    );
    assert_eq!(at(&table, &["services", "a", "traffic_policy"]), None);
    let table = tables(&[&app("a", &limits), &app("b", &container("")), &policy("a")]);
    has(&table, &[(&["services", "a", "resources", "limits", "cpu"], "\"500m\"")]);
    assert_eq!(at(&table, &["mesh", "traffic_policy"]), None);
}

#[test]
fn versions_are_told_apart_by_the_labels_of_subsets() {
    let second = plain()
        .split_once("---\n")
        .unwrap()
        .1
        .replace("metadata: {name: a}", "metadata: {name: a-v2}")
        .replace("v1}", "v2}")
        .replace("replicas: 2", "replicas: 1");
    let subsets = rule(
        "host: a\nsubsets:\n- {name: old, labels: {version: v1}}\n- name: new\n  labels: {version: v2}\n  trafficPolicy: {connectionPool: {http: {http2MaxRequests: 10}}}",
    );
    let split = routes(
        "hosts: [a]\nhttp:\n- route:\n  - {destination: {host: a, subset: old}, weight: 90}\n  - {destination: {host: a, subset: new}, weight: 10}",
    );
    let table = tables(&[&plain(), &second, &subsets, &split]);
    has(
        &table,
        &[
            (&["services", "a", "labels"], "{ version = \"v1\" }"),
            (&["services", "a-v2"], "{ version_of = \"a\", labels = { version = \"v2\" } }"),
            (
                &[
                    "services",
                    "a",
                    "subsets",
                    "new",
                    "traffic_policy",
                    "connection_pool",
                    "http",
                    "http2_max_requests",
                ],
                "10",
            ),
            (
                &["services", "a", "routes"],
                "[{ destinations = [{ subset = \"old\", weight = 90 }, { subset = \"new\", weight = 10 }] }]",
            ),
            (&["clusters", "cloud", "replicas"], "{ a = 2, a-v2 = 1 }"),
        ],
    );
}

#[test]
fn every_field_of_a_route_has_its_key() {
    let text = routes(
        "hosts: [a]\nhttp:\n- name: n\n  match:\n  - uri: {prefix: /x}\n    method: {exact: GET}\n  - queryParams: {q: {regex: \"1|2\"}}\n  \
         timeout: 2s\n  retries: {attempts: 3, perTryTimeout: 500ms, retryOn: \"5xx,reset\", retryIgnorePreviousHosts: false, backoff: 50ms}\n  \
         fault:\n    delay: {fixedDelay: 5s, percentage: {value: 0.5}}\n    abort: {httpStatus: 503, percentage: {value: 1}}\n  \
         mirror: {host: b}\n  mirrorPercentage: {value: 50}\n  route: [{destination: {host: b, port: {number: 80}}}]",
    );
    let (_directory, options) = super::options(&[&plain(), &app("b", &container("")), &text]);
    let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
    let rest = "timeout = \"2s\", retries = { attempts = 3, per_try_timeout = \"500ms\", retry_on = \"5xx,reset\", retry_ignore_previous_hosts = false, backoff = \"50ms\" }, \
                fault = { delay = { fixed_delay = \"5s\", percentage = 0.5 }, abort = { http_status = 503, percentage = 1.0 } }, \
                mirror = { service = \"b\", percentage = 50.0 }, destinations = [{ service = \"b\" }]";
    let expected = format!(
        "[{{ uri = {{ prefix = \"/x\" }}, method = {{ exact = \"GET\" }}, {rest} }}, {{ query_params = {{ q = {{ regex = \"1|2\" }} }}, {rest} }}]"
    );
    has(&table, &[(&["services", "a", "routes"], &expected)]);
    let text = routes(
        "hosts: [a]\nhttp:\n- match:\n  - headers: {x: {}, y: {exact: z}}\n    withoutHeaders: {w: {prefix: v}}\n  rewrite: {uri: /}\n  route: [{destination: {host: a}}]\n- redirect: {redirectCode: 302, uri: /login}",
    );
    let (_directory, options) = super::options(&[&plain(), &text]);
    let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
    let expected = "[{ headers = { x = { present = true }, y = { exact = \"z\" } }, without_headers = { w = { prefix = \"v\" } }, rewrite = { uri = \"/\" } }, \
                    { redirect = { redirect_code = 302 } }]";
    has(&table, &[(&["services", "a", "routes"], expected)]);
    for (field, why) in [
        ("delegate: {name: d}", "elsewhere"),
        ("headers: {request: {set: {x: y}}}", "headers that proxies change"),
    ] {
        assert!(
            refused(&[&plain(), &routes(&format!("hosts: [a]\nhttp:\n- {field}"))], &[]).contains(why),
            "{field}"
        );
    }
    assert!(
        refused(&[&plain(), &routes("hosts: [a]\ntcp: [{route: [{destination: {host: a}}]}]")], &[])
            .contains("routes of connections")
    );
}

#[test]
fn a_gateway_leads_users_to_a_service() {
    let gateway = "apiVersion: networking.istio.io/v1alpha3\nkind: Gateway\nmetadata: {name: g}\nspec:\n  selector: {istio: ingressgateway}\n  servers:\n  \
                   - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}\n";
    let led = |more: &str| {
        routes(&format!(
            "hosts: ['*']\ngateways: [g]\nhttp:\n- match: [{{uri: {{prefix: /b}}}}]\n  rewrite: {{uri: /}}\n{more}  route: [{{destination: {{host: b, port: {{number: 80}}}}}}]"
        ))
    };
    let read = |texts: &[&str]| {
        let (_directory, mut options) = super::options(texts);
        options.users = vec![super::Users::parse("cloud=5/s").unwrap()];
        let imported = super::import(&options).map_err(|it| it.to_string())?;
        super::runs(&imported);
        Ok::<Table, String>(imported.scenario.parse().unwrap())
    };
    let b = app("b", &container(""));
    let table = read(&[&plain(), &b, gateway, &led("")]).unwrap();
    has(&table, &[(&["users", "cloud", "service"], "\"b\""), (&["mesh", "data_plane"], "\"sidecar\"")]);
    assert_eq!(at(&table, &["services", "b", "routes"]), None);
    let table = read(&[&plain(), &b, gateway, &led("  timeout: 3s\n")]).unwrap();
    has(&table, &[(&["services", "b", "routes"], "[{ timeout = \"3s\" }]")]);
    let tls = gateway.replace("hosts: ['*']}", "hosts: ['*'], tls: {mode: SIMPLE}}");
    assert!(read(&[&plain(), &b, &tls, &led("")]).unwrap_err().contains("Gateway.spec.servers.tls.mode"));
    let model = work_model("a", "b");
    let called = read(&[&plain(), &b, gateway, &led("  timeout: 3s\n"), &model]).unwrap_err();
    assert!(called.contains("others than the gateway call `b`"), "{called}");
}

#[test]
fn policies_say_who_may_call_whom() {
    let namespaced = |text: &str| text.replace("metadata: {name: a}", "metadata: {name: a, namespace: shop}");
    let allow = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\nspec:\n  selector: {matchLabels: {app: a}}\n  action: ALLOW\n  rules:\n  \
                 - from: [{source: {namespaces: [shop, istio-system]}}]\n    to: [{operation: {methods: [GET]}}]\n";
    let peer = "apiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\nmetadata: {name: strict, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n";
    let space = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels: {istio-injection: enabled, kubernetes.io/metadata.name: shop}\n";
    let (_directory, options) = super::options(&[&namespaced(&plain()), allow, peer, space]);
    let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
    has(
        &table,
        &[
            (&["services", "a", "namespace"], "\"shop\""),
            (
                &["authorization_policies", "p"],
                "{ namespace = \"shop\", services = [\"a\"], action = \"ALLOW\", rules = [{ from = [{ namespaces = [\"shop\", \"istio-system\"] }], to = [{ methods = [\"GET\"] }] }] }",
            ),
            (&["peer_authentications", "strict"], "{ mtls = { mode = \"STRICT\" } }"),
            (&["namespaces", "shop", "injection"], "true"),
        ],
    );
    let ports = peer
        .replace(
            "spec: {mtls: {mode: STRICT}}",
            "spec: {selector: {matchLabels: {app: a}}, portLevelMtls: {80: {mode: DISABLE}}}",
        )
        .replace("istio-system", "shop");
    let (_directory, options) = super::options(&[&namespaced(&plain()), &ports]);
    let table: Table = super::import(&options).unwrap().scenario.parse().unwrap();
    has(
        &table,
        &[(&["peer_authentications", "strict", "port_level_mtls"], "{ 80 = { mode = \"DISABLE\" } }")],
    );
    let unknown = allow.replace("matchLabels: {app: a}", "matchLabels: {app: z}");
    assert!(refused(&[&namespaced(&plain()), &unknown], &[]).contains("selects no pods"));
    let when =
        allow.replace("  rules:\n", "  rules:\n  - when: [{key: 'request.auth.claims[iss]', values: [x]}]\n");
    let said = refused(&[&namespaced(&plain()), &when], &[]);
    assert!(said.contains("AuthorizationPolicy.spec.rules.when"), "{said}");
    let ambient = space.replace("istio-injection: enabled", "istio.io/dataplane-mode: ambient");
    has(&tables(&[&namespaced(&plain()), &ambient]), &[(&["mesh", "data_plane"], "\"ambient\"")]);
    let mixed = refused(&[&namespaced(&plain()), &ambient, &app("b", &container(""))], &[]);
    assert!(mixed.contains("some namespaces are ambient and others are not"), "{mixed}");
}

#[test]
fn a_second_service_of_the_same_pods_is_another_name_of_the_first() {
    let further = "apiVersion: v1\nkind: Service\nmetadata: {name: a-too}\nspec:\n  selector: {app: a}\n  ports: [{port: 80}]\n";
    let to = routes("hosts: [a-too]\nhttp:\n- timeout: 5s\n  route: [{destination: {host: a-too}}]");
    let table = tables(&[&plain(), further, &to]);
    has(&table, &[(&["services", "a", "routes"], "[{ timeout = \"5s\" }]")]);
    assert_eq!(at(&table, &["services", "a-too"]), None);
}
