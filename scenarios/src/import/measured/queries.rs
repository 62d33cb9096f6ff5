//! What is asked of Prometheus, in its own words.
//!
//! # Source
//! mSvcBench/muPlacer, `GMA.py` (which series its telemetry asks); Istio, "Standard metrics"; google/cadvisor;
//! kubernetes/kube-state-metrics. Which statuses of gRPC are errors of a server: OpenTelemetry, "Semantic conventions for gRPC"
//! (unknown, deadline exceeded, unimplemented, internal, unavailable, data loss); the answer that carries one has the HTTP
//! status 200.

/// Statuses of gRPC that say that a server has failed, with a bar between each two.
macro_rules! failed_by_grpc {
    () => {
        "2|4|12|13|14|15"
    };
}

/// Which answers are good ones.
macro_rules! good {
    () => {
        concat!("response_code=\"200\",grpc_response_status!~\"", failed_by_grpc!(), "\"")
    };
}

/// Whether a status of gRPC says that a server has failed.
pub(super) fn is_failed_by_grpc(status: &str) -> bool {
    failed_by_grpc!().split('|').any(|it| it == status)
}

/// A question: what it is called in the report, and the expression, in which `$window` stands for the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Query {
    pub(super) name: &'static str,
    pub(super) expression: &'static str,
}

/// Who called whom how often, as servers count it.
pub(super) const CALLS: Query = Query {
    name: "calls",
    expression: "sum by (source_app, source_cluster, destination_app, destination_workload, destination_workload_namespace, \
         destination_cluster, request_protocol, response_code, grpc_response_status) (increase(istio_requests_total{reporter=\"destination\"}[$window]))",
};

/// Who sent whom how many requests, as clients' proxies count it: what nobody serves is among them.
pub(super) const SENT: Query = Query {
    name: "requests of clients",
    expression: "sum by (source_app, source_cluster, destination_app, destination_service_name, response_code, grpc_response_status) \
         (increase(istio_requests_total{reporter=\"source\"}[$window]))",
};

/// Series of calls when the window begins.
pub(super) const BEGIN: Query = Query {
    name: "series when the window begins",
    expression: "count(istio_requests_total{reporter=\"destination\"} offset $window)",
};

/// Series of calls when the window ends.
pub(super) const END: Query = Query {
    name: "series when the window ends",
    expression: "count(istio_requests_total{reporter=\"destination\"})",
};

/// How long good calls took for their clients.
pub(super) const CLIENT_TIME: Query = Query {
    name: "time for clients (ms)",
    expression: concat!(
        "sum by (source_app, source_cluster, destination_app, destination_cluster) \
         (increase(istio_request_duration_milliseconds_sum{reporter=\"source\",",
        good!(),
        "}[$window]))"
    ),
};

/// How many these are.
pub(super) const CLIENT_COUNT: Query = Query {
    name: "good calls of clients",
    expression: concat!(
        "sum by (source_app, source_cluster, destination_app, destination_cluster) \
         (increase(istio_request_duration_milliseconds_count{reporter=\"source\",",
        good!(),
        "}[$window]))"
    ),
};

/// How long good calls took at their servers.
pub(super) const SERVER_TIME: Query = Query {
    name: "time at servers (ms)",
    expression: concat!(
        "sum by (destination_app) \
         (increase(istio_request_duration_milliseconds_sum{reporter=\"destination\",",
        good!(),
        "}[$window]))"
    ),
};

/// How many these are.
pub(super) const SERVER_COUNT: Query = Query {
    name: "good calls at servers",
    expression: concat!(
        "sum by (destination_app) \
         (increase(istio_request_duration_milliseconds_count{reporter=\"destination\",",
        good!(),
        "}[$window]))"
    ),
};

/// How large good answers were.
pub(super) const RESPONSE_BYTES: Query = Query {
    name: "answers (bytes)",
    expression: concat!(
        "sum by (destination_app) \
         (increase(istio_response_bytes_sum{reporter=\"destination\",",
        good!(),
        "}[$window]))"
    ),
};

/// How large requests were.
pub(super) const REQUEST_BYTES: Query = Query {
    name: "requests (bytes)",
    expression: concat!(
        "sum by (destination_app) \
         (increase(istio_request_bytes_sum{reporter=\"destination\",",
        good!(),
        "}[$window]))"
    ),
};

/// CPU of applications' containers (cores).
pub(super) const CPU: Query = Query {
    name: "CPU (cores)",
    expression: "sum by (namespace, pod) \
         (rate(container_cpu_usage_seconds_total{container!=\"\",container!=\"POD\",container!=\"istio-proxy\"}[$window]))",
};

/// CPU limits of applications' containers (cores).
pub(super) const CPU_LIMITS: Query = Query {
    name: "CPU limits (cores)",
    expression: "sum by (namespace, pod) \
         (max_over_time(kube_pod_container_resource_limits{resource=\"cpu\",container!=\"istio-proxy\"}[$window]))",
};

/// Pods of Deployments.
pub(super) const REPLICAS: Query = Query {
    name: "pods",
    expression: "max by (namespace, deployment) (avg_over_time(kube_deployment_status_replicas[$window]))",
};

/// How answers' sizes are spread.
pub(super) const RESPONSE_BUCKETS: Query = Query {
    name: "answers by size (bytes)",
    expression: concat!(
        "sum by (destination_app, le) \
         (increase(istio_response_bytes_bucket{reporter=\"destination\",",
        good!(),
        "}[$window]))"
    ),
};

/// How times at servers are spread.
pub(super) const SERVER_BUCKETS: Query = Query {
    name: "answers by time at servers (ms)",
    expression: concat!(
        "sum by (destination_app, le) \
         (increase(istio_request_duration_milliseconds_bucket{reporter=\"destination\",",
        good!(),
        "}[$window]))"
    ),
};

/// How times for clients are spread.
pub(super) const CLIENT_BUCKETS: Query = Query {
    name: "calls by time for clients (ms)",
    expression: concat!(
        "sum by (source_app, destination_app, le) \
         (increase(istio_request_duration_milliseconds_bucket{reporter=\"source\",",
        good!(),
        "}[$window]))"
    ),
};

/// What dashboards show of users' latency: by the source that nobody calls.
pub(super) const QUANTILE: Query = Query {
    name: "p90 for clients (ms)",
    expression: concat!(
        "histogram_quantile(0.9, sum by (source_app, source_cluster, destination_app, le) \
         (increase(istio_request_duration_milliseconds_bucket{reporter=\"source\",",
        good!(),
        "}[$window])))"
    ),
};

/// All of them.
pub(super) const ALL: [Query; 17] = [
    CALLS,
    SENT,
    BEGIN,
    END,
    CLIENT_TIME,
    CLIENT_COUNT,
    SERVER_TIME,
    SERVER_COUNT,
    RESPONSE_BYTES,
    REQUEST_BYTES,
    RESPONSE_BUCKETS,
    SERVER_BUCKETS,
    CLIENT_BUCKETS,
    CPU,
    CPU_LIMITS,
    REPLICAS,
    QUANTILE,
];

impl Query {
    /// The expression over a window.
    pub(super) fn over(self, window: &str) -> String {
        self.expression.replace("$window", window)
    }
}
