//! DestinationRules: the policies of services.
//!
//! # Source
//! Istio, DestinationRule (`networking/v1`); older versions have the same fields. Of two rules for a host Istio merges the
//! subsets; here the first one holds, and the report names the second.

use super::model::{Model, Service};
use super::node::Node;
use super::object::Object;
use super::translate::Kind::{
    Flag, Labels, Number, Table as OfTable, Tables, Text, Texts, Time, Whole, Wholes,
};
use super::translate::{Field, field, find, older, table};
use toml::{Table, Value};

/// `trafficPolicy`, and the scenario's `traffic_policy`.
pub(crate) const TRAFFIC_POLICY: &[Field] = &[
    field("loadBalancer", "load_balancer", OfTable(LOAD_BALANCER)),
    field("connectionPool.tcp", "connection_pool.tcp", OfTable(TCP_POOL)),
    field("connectionPool.http", "connection_pool.http", OfTable(HTTP_POOL)),
    field("outlierDetection", "outlier_detection", OfTable(OUTLIER_DETECTION)),
    field("retryBudget", "retry_budget", OfTable(RETRY_BUDGET)),
    field("tls.mode", "tls.mode", Text),
];

const LOAD_BALANCER: &[Field] = &[
    field("simple", "simple", Text),
    field("consistentHash", "consistent_hash", OfTable(CONSISTENT_HASH)),
    field("localityLbSetting", "locality_lb_setting", OfTable(LOCALITY)),
    older("warmupDurationSecs", "warmup.duration", Time),
    field("warmup", "warmup", OfTable(WARMUP)),
];

const CONSISTENT_HASH: &[Field] = &[
    field("httpHeaderName", "http_header_name", Text),
    field("httpCookie.name", "http_cookie.name", Text),
    field("httpCookie.ttl", "http_cookie.ttl", Time),
    field("httpCookie.path", "http_cookie.path", Text),
    field("useSourceIp", "use_source_ip", Flag),
    field("httpQueryParameterName", "http_query_parameter_name", Text),
    field("ringHash.minimumRingSize", "ring_hash.minimum_ring_size", Whole),
    field("maglev.tableSize", "maglev.table_size", Whole),
    field("minimumRingSize", "minimum_ring_size", Whole),
];

const LOCALITY: &[Field] = &[
    field("enabled", "enabled", Flag),
    field("failover", "failover", Tables(FAILOVER)),
    field("failoverPriority", "failover_priority", Texts),
    field("distribute", "distribute", Tables(DISTRIBUTE)),
];

const FAILOVER: &[Field] = &[field("from", "from", Text), field("to", "to", Text)];
const DISTRIBUTE: &[Field] = &[field("from", "from", Text), field("to", "to", Wholes)];

const WARMUP: &[Field] = &[
    field("duration", "duration", Time),
    field("minimumPercent", "minimum_percent", Number),
    field("aggression", "aggression", Number),
];

const TCP_POOL: &[Field] = &[
    field("maxConnections", "max_connections", Whole),
    field("connectTimeout", "connect_timeout", Time),
    field("idleTimeout", "idle_timeout", Time),
    field("maxConnectionDuration", "max_connection_duration", Time),
];

const HTTP_POOL: &[Field] = &[
    field("http1MaxPendingRequests", "http1_max_pending_requests", Whole),
    field("http2MaxRequests", "http2_max_requests", Whole),
    field("maxRequestsPerConnection", "max_requests_per_connection", Whole),
    field("maxRetries", "max_retries", Whole),
    field("idleTimeout", "idle_timeout", Time),
];

const OUTLIER_DETECTION: &[Field] = &[
    field("consecutive5xxErrors", "consecutive_5xx_errors", Whole),
    field("consecutiveGatewayErrors", "consecutive_gateway_errors", Whole),
    field("consecutiveLocalOriginFailures", "consecutive_local_origin_failures", Whole),
    field("splitExternalLocalOriginErrors", "split_external_local_origin_errors", Flag),
    field("interval", "interval", Time),
    field("baseEjectionTime", "base_ejection_time", Time),
    field("maxEjectionPercent", "max_ejection_percent", Whole),
    field("minHealthPercent", "min_health_percent", Whole),
];

const RETRY_BUDGET: &[Field] =
    &[field("percent", "percent", Number), field("minRetryConcurrency", "min_retry_concurrency", Whole)];

const SUBSET: &[Field] =
    &[field("labels", "labels", Labels), field("trafficPolicy", "traffic_policy", OfTable(TRAFFIC_POLICY))];

/// Gives services their policies and subsets, and the mesh that of a rule for all hosts.
pub(super) fn apply(objects: &[Object], model: &mut Model<'_>) {
    for object in objects.iter().filter(|it| it.is("networking.istio.io", "DestinationRule")) {
        if object.root.fate().is_some() {
            continue;
        }
        let Some(spec) = object.root.child("spec") else {
            object.root.wrong("a DestinationRule without a spec", "write spec: with a host");
            continue;
        };
        let Some((host, node)) = spec.child("host").and_then(|it| Some((it.text()?, it))) else {
            object.root.wrong("a DestinationRule without a host", "write spec.host");
            continue;
        };
        let port = model.of_host(host, object.namespace()).and_then(|it| first_port(&model.services[it]));
        let mut rule = Table::new();
        if let Some(policy) = spec.child("trafficPolicy") {
            let mut written = table(policy, TRAFFIC_POLICY);
            judge(policy, &mut written);
            let written = port_level(policy, port).unwrap_or(written);
            rule.insert("traffic_policy".to_owned(), Value::Table(written));
        }
        let subsets = subsets(spec, port);
        if !subsets.is_empty() {
            rule.insert("subsets".to_owned(), Value::Table(subsets));
        }
        if matches!(host, "*" | "*.local" | "*.cluster.local" | "*.svc.cluster.local") {
            match rule.remove("traffic_policy") {
                Some(_) if find(&model.others, "mesh.traffic_policy").is_some() => {
                    object.root.matters("another DestinationRule is for all hosts, too");
                }
                Some(policy) if rule.is_empty() => {
                    super::translate::put(&mut model.others, "mesh.traffic_policy", policy);
                }
                _ => object.root.matters("a rule for all hosts has a trafficPolicy and no subsets"),
            }
            continue;
        }
        let Some(service) = model.of_host(host, object.namespace()) else {
            node.matters("no Service of these manifests has this host");
            continue;
        };
        let known = &mut model.services[service].table;
        if known.contains_key("traffic_policy") || known.contains_key("subsets") {
            object.root.matters(format!("another DestinationRule is for `{host}`, too"));
            continue;
        }
        known.extend(rule);
    }
}

fn subsets(spec: &Node, port: Option<u32>) -> Table {
    let listed = spec.child("subsets").map(Node::items).unwrap_or_default();
    let named = listed.iter().filter_map(|it| {
        let mut subset = table(it, SUBSET);
        if let Some(policy) = it.child("trafficPolicy") {
            let mut written = table(policy, TRAFFIC_POLICY);
            judge(policy, &mut written);
            let mut written = port_level(policy, port).unwrap_or(written);
            if written.remove("tls").is_some() {
                policy
                    .get("tls.mode")
                    .into_iter()
                    .for_each(|it| it.matters("a subset is sent what its service is"));
            }
            subset.insert("traffic_policy".to_owned(), Value::Table(written));
        }
        Some((it.child("name")?.text()?.to_owned(), Value::Table(subset)))
    });
    named.collect()
}

/// What of a policy is no key of a scenario, and why that does or does not matter; takes out what says the default.
fn judge(policy: &Node, written: &mut Table) {
    if let Some(mode) = policy.get("tls.mode") {
        match mode.text() {
            Some("DISABLE") => {}
            Some("ISTIO_MUTUAL") => {
                written.remove("tls");
                mode.harmless("it is what automatic mTLS does: mesh.mtls");
            }
            _ => {
                written.remove("tls");
                mode.matters("certificates that are none of the mesh are not simulated");
            }
        }
    }
    if let Some(upgrade) = policy.get("connectionPool.http.h2UpgradePolicy") {
        match upgrade.text() {
            Some("DEFAULT" | "DO_NOT_UPGRADE") => upgrade.harmless("it is the mesh's default"),
            _ => upgrade.matters("a service speaks what its port says: services.X.protocol"),
        }
    }
}

/// The number of the port that callers call.
fn first_port(service: &Service<'_>) -> Option<u32> {
    service.object?.root.get("spec.ports")?.items().first()?.child("port")?.whole()
}

/// What a policy says for the port that is called: it stands in place of all else.
fn port_level(policy: &Node, port: Option<u32>) -> Option<Table> {
    let mut found = None;
    for it in policy.child("portLevelSettings").map(Node::items).unwrap_or_default() {
        let number = it.get("port.number").and_then(Node::whole);
        if number.is_none() || number != port {
            it.harmless("callers call the first port of a Service");
            continue;
        }
        let mut written = table(it, TRAFFIC_POLICY);
        judge(it, &mut written);
        found = Some(written);
    }
    if found.is_some() {
        let others = policy.entries().iter().filter(|(key, _)| **key != *"portLevelSettings");
        others.for_each(|(_, it)| it.harmless("settings of the port that is called stand in its place"));
    }
    found
}
