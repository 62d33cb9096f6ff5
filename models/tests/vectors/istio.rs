//! Istio's mechanisms.

use crate::read::{flag_at, list, millis_at, real_at, required, set, small_at, text, text_at};
use meshsim_core::SimDuration;
use meshsim_models::envoy::load_balancer::slow_start::SlowStart;
use meshsim_models::envoy::retry_budget::RetryBudget;
use meshsim_models::istiod::cluster_policy::{
    ClusterPolicy, ConnectionPoolSettings, ConsistentHash, LbPolicy, OutlierDetectionSettings, OutlierFields,
    SimpleBalancer, Surroundings, TrafficPolicy,
};
use meshsim_models::istiod::distribute as room;
use meshsim_models::istiod::distribute::{Distribute, Share};
use meshsim_models::istiod::failover_priority::{
    Caller, FailoverPriority, Labels, LocalityEndpoints, Placed, prioritize,
};
use meshsim_models::istiod::istio_version::NEWEST;
use meshsim_models::istiod::locality_priority::{Failover, Locality, priorities};
use meshsim_models::istiod::locality_setting::{
    LocalitySetting, SettingSource, TrafficDistribution, in_force,
};
use meshsim_models::istiod::retry_policy::{RetryPolicy, RetrySettings};
use serde_json::{Map, Value, json};

fn locality(value: &Value) -> Locality {
    if value.is_null() { Locality::default() } else { text(value).into() }
}

fn failover(object: &Value) -> Vec<Failover> {
    let rule = |rule: &Value| Failover {
        from: text(required(rule, "from")).to_owned(),
        to: text(required(rule, "to")).to_owned(),
    };
    list(object, "failover").iter().map(rule).collect()
}

fn texts(object: &Value, key: &str) -> Vec<String> {
    list(object, key).iter().map(|value| text(value).to_owned()).collect()
}

fn entries(object: &Value) -> Vec<Distribute> {
    let entry = |entry: &Value| Distribute {
        from: text(required(entry, "from")).to_owned(),
        to: required(entry, "to")
            .as_object()
            .expect("`to` is an object")
            .keys()
            .map(|key| (key.clone(), small_at(&entry["to"], key).unwrap_or(0)))
            .collect(),
    };
    list(object, "distribute").iter().map(entry).collect()
}

pub(crate) fn locality_priority(input: &Value) -> Value {
    let groups: Vec<_> = list(input, "localities").iter().map(locality).collect();
    let proxy = locality(&input["proxy_locality"]);
    let on = flag_at(input, "failover_enabled").unwrap_or(false);
    let priorities = if on { priorities(&proxy, &groups, &failover(input)) } else { vec![0; groups.len()] };
    json!({"priorities": priorities})
}

pub(crate) fn failover_priority(input: &Value) -> Value {
    let group = |group: &Value| LocalityEndpoints {
        locality: locality(&group["locality"]),
        endpoints: list(group, "endpoints")
            .iter()
            .map(|endpoint| (labels(endpoint, "labels"), small_at(endpoint, "weight").unwrap_or(1)))
            .collect(),
    };
    let groups: Vec<_> = list(input, "localities").iter().map(group).collect();
    let (proxy, proxy_labels) = (locality(&input["proxy_locality"]), labels(input, "proxy_labels"));
    let caller = Caller { locality: &proxy, labels: &proxy_labels };
    let preferred = flag_at(input, "network_preferred").unwrap_or(NEWEST.prefers_network());
    let order = FailoverPriority::new(&texts(input, "failover_priority"), preferred);
    let placed = prioritize(caller, &order, &failover(input), &groups);
    let each = |of: fn(&Placed) -> u32| {
        placed.iter().map(|group| group.iter().map(of).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    json!({"priorities": each(|it| it.priority), "group_weights": each(|it| it.group_weight)})
}

fn labels(object: &Value, key: &str) -> Labels {
    let Some(labels) = set(object, key) else { return Labels::new() };
    let labels = labels.as_object().expect("labels are an object");
    labels.iter().map(|(key, value)| (key.clone(), text(value).to_owned())).collect()
}

pub(crate) fn distribute(input: &Value) -> Value {
    let group = |group: &Value| (locality(&group["locality"]), small_at(group, "weight"));
    let groups: Vec<_> = list(input, "localities").iter().map(group).collect();
    let shares = room::distribute(&locality(&input["proxy_locality"]), &entries(input), &groups);
    let matched = shares.is_some();
    let shares = shares.unwrap_or_else(|| vec![Share::Unchanged; groups.len()]);
    let weight = |(share, (_, weight)): (&Share, &(Locality, Option<u32>))| match share {
        Share::Unchanged => *weight,
        Share::Weight(weight) => Some(*weight),
        Share::Removed => None,
    };
    json!({"matched": matched, "weights": shares.iter().zip(&groups).map(weight).collect::<Vec<_>>()})
}

pub(crate) fn locality_setting(input: &Value) -> Value {
    let setting = |key| {
        set(input, key).map(|setting| LocalitySetting {
            enabled: flag_at(setting, "enabled"),
            failover: failover(setting),
            failover_priority: texts(setting, "failoverPriority"),
            distribute: entries(setting),
        })
    };
    let (mesh, rule) = (setting("mesh"), setting("destination_rule"));
    let policy = in_force(NEWEST, mesh.as_ref(), rule.as_ref(), traffic_distribution(input));
    let outliers = flag_at(input, "outlier_detection").unwrap_or(false);
    let source = policy.as_ref().map(|it| match it.source {
        SettingSource::DestinationRule => "destination_rule",
        SettingSource::Service => "service",
        SettingSource::Mesh => "mesh",
    });
    let listed = policy.as_ref().map(|it| &it.setting.failover_priority).filter(|labels| !labels.is_empty());
    json!({
        "source": source,
        "force_failover": policy.as_ref().is_some_and(|it| it.force_failover),
        "failover_priority": listed,
        "priorities_applied": policy.as_ref().is_some_and(|it| it.priorities_applied(outliers)),
        "locality_weighted_lb": policy.as_ref().is_some_and(|it| it.locality_weighted(outliers)),
    })
}

fn traffic_distribution(input: &Value) -> Option<TrafficDistribution> {
    text_at(input, "traffic_distribution").map(|name| match name {
        "PreferClose" => TrafficDistribution::PreferClose,
        "PreferSameZone" => TrafficDistribution::PreferSameZone,
        "PreferSameNode" => TrafficDistribution::PreferSameNode,
        other => panic!("`{other}` is not a traffic distribution"),
    })
}

pub(crate) fn cluster_policy(input: &Value) -> Value {
    let around = Surroundings {
        traffic_distribution: traffic_distribution(input),
        mesh_connect_timeout: millis_at(input, "mesh_connect_timeout_ms")
            .unwrap_or(SimDuration::from_secs(10)),
        sends_unready_endpoints: flag_at(input, "send_unhealthy_endpoints_default")
            .unwrap_or(NEWEST.sends_unready_endpoints()),
        knows_tcp_idle_timeout: NEWEST.knows_tcp_idle_timeout(),
    };
    let policy = ClusterPolicy::new(&traffic_policy(input), around);
    let limits = policy.thresholds;
    json!({
        "max_connections": limits.max_connections,
        "max_pending_requests": limits.max_pending_requests,
        "max_requests": limits.max_requests,
        "max_retries": limits.max_retries,
        "retry_budget": limits.retry_budget.map(|budget| json!({
            "budget_percent": budget.budget_percent,
            "min_retry_concurrency": budget.min_retry_concurrency,
        })),
        "connect_timeout_ms": millis(policy.connect_timeout),
        "idle_timeout_ms": policy.idle_timeout.map(millis),
        "max_requests_per_connection": policy.max_requests_per_connection,
        "max_connection_duration_ms": policy.max_connection_duration.map(millis),
        "outlier_detection": policy.outlier_detection.as_ref().map(outlier_fields),
        "panic_threshold": policy.panic_threshold,
        "unready_endpoints_sent": policy.unready_endpoints_sent,
        "lb_policy": lb_policy(policy.lb_policy),
        "slow_start": policy.slow_start.map(|it| json!({
            "window_ms": millis(it.window),
            "min_weight_percent": it.min_weight_percent,
            "aggression": it.aggression,
        })),
    })
}

fn traffic_policy(input: &Value) -> TrafficPolicy {
    let null = &Value::Null;
    let pool = input.get("connectionPool").unwrap_or(null);
    let (tcp, http) = (pool.get("tcp").unwrap_or(null), pool.get("http").unwrap_or(null));
    let balancer = input.get("loadBalancer").unwrap_or(null);
    TrafficPolicy {
        connection_pool: ConnectionPoolSettings {
            max_connections: small_at(tcp, "maxConnections"),
            connect_timeout: millis_at(tcp, "connectTimeout_ms"),
            tcp_idle_timeout: millis_at(tcp, "idleTimeout_ms"),
            max_connection_duration: millis_at(tcp, "maxConnectionDuration_ms"),
            http1_max_pending_requests: small_at(http, "http1MaxPendingRequests"),
            http2_max_requests: small_at(http, "http2MaxRequests"),
            max_retries: small_at(http, "maxRetries"),
            max_requests_per_connection: small_at(http, "maxRequestsPerConnection"),
            http_idle_timeout: millis_at(http, "idleTimeout_ms"),
        },
        outlier_detection: set(input, "outlierDetection").map(outlier_settings),
        simple: simple_balancer(text_at(balancer, "simple")),
        consistent_hash: set(balancer, "consistentHash").map(consistent_hash),
        warmup: set(balancer, "warmup").map(warmup),
        retry_budget: set(input, "retryBudget").map(|budget| {
            RetryBudget::of(real_at(budget, "percent"), small_at(budget, "minRetryConcurrency"))
                .unwrap_or_default()
        }),
    }
}

fn outlier_settings(given: &Value) -> OutlierDetectionSettings {
    OutlierDetectionSettings {
        consecutive_5xx_errors: small_at(given, "consecutive5xxErrors"),
        consecutive_gateway_errors: small_at(given, "consecutiveGatewayErrors"),
        consecutive_local_origin_failures: small_at(given, "consecutiveLocalOriginFailures"),
        split_external_local_origin_errors: flag_at(given, "splitExternalLocalOriginErrors").unwrap_or(false),
        interval: millis_at(given, "interval_ms"),
        base_ejection_time: millis_at(given, "baseEjectionTime_ms"),
        max_ejection_percent: small_at(given, "maxEjectionPercent"),
        min_health_percent: small_at(given, "minHealthPercent").unwrap_or(0),
    }
}

fn simple_balancer(name: Option<&str>) -> SimpleBalancer {
    match name {
        None | Some("UNSPECIFIED") => SimpleBalancer::Unspecified,
        Some("LEAST_REQUEST" | "LEAST_CONN") => SimpleBalancer::LeastRequest,
        Some("ROUND_ROBIN") => SimpleBalancer::RoundRobin,
        Some("RANDOM") => SimpleBalancer::Random,
        Some("PASSTHROUGH") => SimpleBalancer::Passthrough,
        Some(other) => panic!("`{other}` is not a balancer"),
    }
}

fn consistent_hash(given: &Value) -> ConsistentHash {
    if set(given, "maglev").is_some() { ConsistentHash::Maglev } else { ConsistentHash::RingHash }
}

fn warmup(given: &Value) -> SlowStart {
    let default = SlowStart::new(millis_at(given, "duration_ms").expect("a duration"));
    SlowStart {
        min_weight_percent: real_at(given, "minimumPercent").unwrap_or(default.min_weight_percent),
        aggression: real_at(given, "aggression").unwrap_or(default.aggression),
        ..default
    }
}

fn outlier_fields(fields: &OutlierFields) -> Value {
    let mut found = Map::new();
    let mut put = |key: &str, value: Value| found.insert(key.to_owned(), value);
    let percent = |enforced| if enforced { 100 } else { 0 };
    put("enforcing_success_rate", 0.into());
    if let Some((errors, enforced)) = fields.consecutive_5xx {
        put("consecutive_5xx", errors.into());
        put("enforcing_consecutive_5xx", percent(enforced).into());
    }
    if let Some((errors, enforced)) = fields.consecutive_gateway_failure {
        put("consecutive_gateway_failure", errors.into());
        put("enforcing_consecutive_gateway_failure", percent(enforced).into());
    }
    if fields.split_external_local_origin_errors {
        put("split_external_local_origin_errors", true.into());
        put("enforcing_local_origin_success_rate", 0.into());
    }
    if let Some(failures) = fields.consecutive_local_origin_failure {
        put("consecutive_local_origin_failure", failures.into());
        put("enforcing_consecutive_local_origin_failure", 100.into());
    }
    if let Some(interval) = fields.interval {
        put("interval_ms", millis(interval));
    }
    if let Some(time) = fields.base_ejection_time {
        put("base_ejection_time_ms", millis(time));
    }
    if let Some(percent) = fields.max_ejection_percent {
        put("max_ejection_percent", percent.into());
    }
    Value::Object(found)
}

fn lb_policy(policy: LbPolicy) -> &'static str {
    match policy {
        LbPolicy::LeastRequest => "LEAST_REQUEST",
        LbPolicy::RoundRobin => "ROUND_ROBIN",
        LbPolicy::Random => "RANDOM",
        LbPolicy::RingHash => "RING_HASH",
        LbPolicy::Maglev => "MAGLEV",
        LbPolicy::ClusterProvided => "CLUSTER_PROVIDED",
    }
}

/// Whole milliseconds where they are whole.
fn millis(duration: SimDuration) -> Value {
    let nanos = duration.as_nanos();
    if nanos.is_multiple_of(1_000_000) { (nanos / 1_000_000).into() } else { duration.as_millis_f64().into() }
}

pub(crate) fn retry_policy(input: &Value) -> Value {
    let settings = set(input, "retries").map(|given| RetrySettings {
        attempts: set(given, "attempts").map_or(0, |n| n.as_i64().expect("a whole number") as i32),
        retry_on: text_at(given, "retryOn").unwrap_or_default().to_owned(),
        per_try_timeout: millis_at(given, "perTryTimeout_ms"),
        backoff: millis_at(given, "backoff_ms"),
        retry_ignore_previous_hosts: flag_at(given, "retryIgnorePreviousHosts"),
        retry_remote_localities: flag_at(given, "retryRemoteLocalities").unwrap_or(false),
    });
    let consistent_hash = flag_at(input, "consistent_hash").unwrap_or(false);
    let policy = RetryPolicy::new(NEWEST, settings.as_ref(), consistent_hash);
    let written = policy.map(|policy| {
        json!({
            "num_retries": policy.num_retries,
            "retry_on": policy.retry_on.join(","),
            "retriable_status_codes": policy.retriable_status_codes,
            "per_try_timeout_ms": policy.per_try_timeout.map(millis),
            "previous_hosts": policy.previous_hosts,
            "host_selection_retry_max_attempts": policy.host_selection_retry_max_attempts,
            "retry_priority": policy.previous_priorities.then_some("previous_priorities"),
            "base_interval_ms": policy.base_interval.map(millis),
        })
    });
    json!({"policy": written})
}
