//! What saved answers come to.

#![allow(clippy::unwrap_used)] // A test may panic.

mod server;

use super::queries::{self, Query};
use super::spans::Traced;
use super::{Answers, Measured, Options};
use crate::import::manifests::Nodes;
use crate::scenario::Scenario;
use crate::traces::model::Side;
use crate::traces::{Span, Trace};
use meshsim_models::application::call_graph::Protocol;
use serde_json::{Value, json};

const WINDOW: &str = "100s";

/// Labels and a value.
type Series = (Vec<(&'static str, &'static str)>, f64);

fn vector(series: &[Series]) -> Value {
    let sample = |(labels, value): &Series| {
        let metric: serde_json::Map<String, Value> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        json!({ "metric": metric, "value": [1.0, value.to_string()] })
    };
    let result: Vec<Value> = series.iter().map(sample).collect();
    json!({ "status": "success", "data": { "resultType": "vector", "result": result } })
}

/// A gateway calls front, which calls back twice in three requests and fails with it.
fn answers() -> serde_json::Map<String, Value> {
    let call =
        |from: &'static str, to: &'static str, code: &'static str| -> Vec<(&'static str, &'static str)> {
            vec![
                ("source_app", from),
                ("source_cluster", "edge"),
                ("destination_app", to),
                ("destination_workload", to),
                ("destination_workload_namespace", "shop"),
                ("destination_cluster", "edge"),
                ("response_code", code),
            ]
        };
    let pair = |from: &'static str, to: &'static str| {
        vec![("source_app", from), ("source_cluster", "edge"), ("destination_app", to)]
    };
    let all: Vec<(Query, Vec<Series>)> = vec![
        (
            queries::CALLS,
            vec![
                (call("gateway", "front", "200"), 2_880.0),
                (call("gateway", "front", "500"), 120.0),
                (call("front", "back", "200"), 1_900.0),
                (call("front", "back", "503"), 100.0),
            ],
        ),
        (
            queries::SENT,
            vec![
                ([pair("gateway", "front"), vec![("response_code", "200")]].concat(), 2_880.0),
                ([pair("gateway", "front"), vec![("response_code", "500")]].concat(), 120.0),
                ([pair("front", "back"), vec![("response_code", "200")]].concat(), 1_900.0),
                ([pair("front", "back"), vec![("response_code", "503")]].concat(), 100.0),
            ],
        ),
        (queries::BEGIN, vec![(Vec::new(), 4.0)]),
        (queries::END, vec![(Vec::new(), 4.0)]),
        (queries::CLIENT_TIME, vec![(pair("gateway", "front"), 28_800.0), (pair("front", "back"), 9_500.0)]),
        (queries::CLIENT_COUNT, vec![(pair("gateway", "front"), 2_880.0), (pair("front", "back"), 1_900.0)]),
        (
            queries::SERVER_TIME,
            vec![
                (vec![("destination_app", "front")], 25_920.0),
                (vec![("destination_app", "back")], 7_600.0),
            ],
        ),
        (
            queries::SERVER_COUNT,
            vec![(vec![("destination_app", "front")], 2_880.0), (vec![("destination_app", "back")], 1_900.0)],
        ),
        (
            queries::RESPONSE_BYTES,
            vec![
                (vec![("destination_app", "front")], 2_880.0 * 10_250.0),
                (vec![("destination_app", "back")], 1_900.0 * 1_250.0),
            ],
        ),
        (
            queries::REQUEST_BYTES,
            vec![
                (vec![("destination_app", "front")], 2_880.0 * 400.0),
                (vec![("destination_app", "back")], 1_900.0 * 900.0),
            ],
        ),
        (
            queries::CPU,
            vec![
                (vec![("namespace", "shop"), ("pod", "front-abc-1")], 0.06),
                (vec![("namespace", "shop"), ("pod", "front-abc-2")], 0.03),
                (vec![("namespace", "shop"), ("pod", "back-def-1")], 0.04),
            ],
        ),
        (queries::CPU_LIMITS, vec![(vec![("namespace", "shop"), ("pod", "back-def-1")], 2.0)]),
        (
            queries::REPLICAS,
            vec![
                (vec![("namespace", "shop"), ("deployment", "front")], 2.0),
                (vec![("namespace", "shop"), ("deployment", "back")], 1.0),
                (vec![("namespace", "shop"), ("deployment", "unused")], 1.0),
            ],
        ),
        (queries::RESPONSE_BUCKETS, Vec::new()),
        (queries::SERVER_BUCKETS, Vec::new()),
        (queries::CLIENT_BUCKETS, Vec::new()),
        (queries::QUANTILE, vec![(pair("gateway", "front"), 23.5)]),
    ];
    all.iter().map(|(query, series)| (query.over(WINDOW), vector(series))).collect()
}

fn options() -> Options {
    Options { name: "shop".to_owned(), nodes: vec![Nodes::parse("edge=1x8").unwrap()], ..Options::default() }
}

fn imported(answers: &serde_json::Map<String, Value>, options: &Options) -> Result<super::Imported, String> {
    measured(answers, WINDOW)?.import(options).map_err(|problems| problems.to_string())
}

fn measured(answers: &serde_json::Map<String, Value>, window: &str) -> Result<Measured, String> {
    let answers: Answers = serde_json::from_value(Value::Object(answers.clone())).unwrap();
    Measured::new(Some((&answers, window)), None).map_err(|problems| problems.to_string())
}

#[test]
fn answers_come_to_a_scenario() {
    let imported = imported(&answers(), &options()).unwrap();
    let scenario = &imported.scenario;
    for line in [
        "services = [\"back\", \"front\"]",
        "replicas = { back = 1, front = 2 }",
        "service_time = { law = \"exponential\", mean = \"3ms\" }",
        "service_time = { law = \"exponential\", mean = \"2ms\" }",
        "response_size = { law = \"exponential\", mean = \"10000B\" }",
        "request_size = \"500B\"",
        "calls = [{ service = \"back\", probability = 0.66667 }]",
        "resources.limits.cpu = \"2\"",
        "errors = 0.05",
        "errors = 0.0066667",
        "namespace = \"shop\"",
        "rate = \"30/s\"",
    ] {
        assert!(scenario.lines().any(|it| it == line), "no {line} in\n{scenario}");
    }
    Scenario::from_text("imported.toml", scenario, &[], &[]).unwrap().resolve(Some(0)).unwrap();
    assert!(imported.report.contains("| edge | front | 30 | 10.5 | 23.5 | 0.04 |"), "{}", imported.report);
    assert!(imported.report.contains("`unused` had no calls"));
    queries::ALL.iter().for_each(|it| assert!(imported.report.contains(&it.over(WINDOW)), "{}", it.name));
}

/// Answers of gRPC have the HTTP status 200, whatever became of them.
#[test]
fn grpc_is_known_by_its_protocol_and_its_statuses() {
    let mut answers = answers();
    let calls = answers.get_mut(&queries::CALLS.over(WINDOW)).unwrap();
    for it in &mut calls["data"]["result"].as_array_mut().unwrap()[2..] {
        let status = if it["metric"]["response_code"] == "200" { "0" } else { "14" };
        it["metric"]["response_code"] = json!("200");
        it["metric"]["grpc_response_status"] = json!(status);
        it["metric"]["request_protocol"] = json!("grpc");
    }
    let imported = imported(&answers, &options()).unwrap();
    let scenario = &imported.scenario;
    let of_back = scenario.split("[services.back]").nth(1).unwrap().split("\n\n").next().unwrap();
    assert!(
        of_back.contains("protocol = \"grpc\"") && scenario.matches("protocol").count() == 1,
        "{scenario}"
    );
    assert!(scenario.contains("errors = 0.05") && scenario.contains("errors = 0.0066667"), "{scenario}");
    let resolved =
        Scenario::from_text("imported.toml", scenario, &[], &[]).unwrap().resolve(Some(0)).unwrap();
    let protocols = resolved.description.services.iter().map(|it| it.protocol).collect::<Vec<_>>();
    assert_eq!(protocols, [Protocol::Grpc, Protocol::Http1]);
    for line in ["`back` speaks gRPC", "no standard metric tells paths"] {
        assert!(imported.report.contains(line), "no {line} in\n{}", imported.report);
    }
    // What a client did wrong is none of its errors.
    let calls = answers.get_mut(&queries::CALLS.over(WINDOW)).unwrap();
    calls["data"]["result"][3]["metric"]["grpc_response_status"] = json!("5");
    let imported = self::imported(&answers, &options()).unwrap();
    assert!(!imported.scenario.contains("errors = 0.05"), "{}", imported.scenario);
}

#[test]
fn calls_that_take_longer_together_than_their_caller_are_made_at_a_time() {
    let mut answers = answers();
    let calls = answers.get_mut(&queries::CALLS.over(WINDOW)).unwrap();
    let more = calls["data"]["result"].as_array().unwrap()[2..].to_vec();
    for mut it in more {
        it["metric"]["destination_app"] = json!("other");
        it["metric"]["destination_workload"] = json!("other");
        calls["data"]["result"].as_array_mut().unwrap().push(it);
    }
    for (query, value) in [(queries::CLIENT_TIME, "19000"), (queries::CLIENT_COUNT, "1900")] {
        let all = answers.get_mut(&query.over(WINDOW)).unwrap()["data"]["result"].as_array_mut().unwrap();
        let mut it = all[1].clone();
        it["metric"]["destination_app"] = json!("other");
        it["value"][1] = json!(value);
        all.push(it);
    }
    // 2/3 of 5 ms and 2/3 of 10 ms are more than the 9 ms of front.
    let imported = imported(&answers, &options()).unwrap();
    assert!(imported.scenario.contains("calls = [{ in_parallel = ["), "{}", imported.scenario);
}

#[test]
fn what_is_missing_is_said() {
    let without = |query: Query| {
        let mut answers = answers();
        answers.remove(&query.over(WINDOW));
        imported(&answers, &options()).unwrap_err()
    };
    assert!(without(queries::CPU).contains("is --window the same?"));
    let none = Options { nodes: Vec::new(), ..options() };
    assert!(imported(&answers(), &none).unwrap_err().contains("--nodes edge=2x16"));
    assert!(measured(&answers(), "soon").unwrap_err().contains("--window `soon`"));
    let mut empty = answers();
    empty.insert(queries::CALLS.over(WINDOW), vector(&[]));
    assert!(imported(&empty, &options()).unwrap_err().contains("no calls in the window"));
    let mut failed = answers();
    failed.insert(queries::CALLS.over(WINDOW), json!({ "status": "error", "error": "out of memory" }));
    assert!(imported(&failed, &options()).unwrap_err().contains("out of memory"));
    let mut wrong = answers();
    wrong.get_mut(&queries::CPU.over(WINDOW)).unwrap()["data"]["result"][0]["value"][1] = json!("NaN");
    let said = imported(&wrong, &options()).unwrap_err();
    assert!(said.contains("`NaN` is the value of") && said.contains("front-abc-1"), "{said}");
}

/// What nothing says is assumed, and said; a quantile of nothing is none.
#[test]
fn parts_that_prometheus_does_not_have_are_said() {
    assert_eq!(measured(&answers(), WINDOW).unwrap().missing(), [] as [String; 0]);
    let without = |query: Query| {
        let mut answers = answers();
        answers.insert(query.over(WINDOW), vector(&[]));
        let [missing, report] = [
            measured(&answers, WINDOW).unwrap().missing().join("\n"),
            imported(&answers, &options()).unwrap().report,
        ];
        assert!(report.contains(&missing[1..]), "{missing}: {report}");
        (missing, report)
    };
    for (query, expected) in [
        (
            queries::CPU,
            "no container_cpu_usage_seconds_total of pods of `back`, `front`: what they take is a wait",
        ),
        (queries::REPLICAS, "no kube_deployment_status_replicas of `back`, `front`: one pod each"),
        (queries::CPU_LIMITS, "no pod has a CPU limit"),
        (queries::BEGIN, "no calls had been counted at the beginning of the window"),
        (queries::END, "no calls had been counted at the end of the window"),
        (queries::CLIENT_COUNT, "for calls from `front to back`, `gateway to front`"),
    ] {
        let (missing, _) = without(query);
        assert!(missing.contains(expected) && !missing.contains('\n'), "{expected}: {missing}");
    }
    assert!(without(queries::CLIENT_COUNT).1.contains("| edge | front | 30 | not known | 23.5 | 0.04 |"));
    let mut warned = answers();
    warned.get_mut(&queries::CALLS.over(WINDOW)).unwrap()["warnings"] = json!(["a store is away"]);
    assert_eq!(measured(&warned, WINDOW).unwrap().missing(), ["Prometheus warns: a store is away"]);
    let mut idle = answers();
    idle.get_mut(&queries::QUANTILE.over(WINDOW)).unwrap()["data"]["result"][0]["value"][1] = json!("NaN");
    assert!(
        imported(&idle, &options())
            .unwrap()
            .report
            .contains("| edge | front | 30 | 10.5 | not known | 0.04 |")
    );
}

/// A counter that stands still is of a service that nobody calls, and calls to the outside have no users.
#[test]
fn who_is_not_called_and_what_is_outside_are_left_out() {
    let mut answers = answers();
    let calls =
        answers.get_mut(&queries::CALLS.over(WINDOW)).unwrap()["data"]["result"].as_array_mut().unwrap();
    let mut still = calls[2].clone();
    still["metric"]["destination_app"] = json!("unused");
    still["metric"]["destination_workload"] = json!("unused");
    still["value"][1] = json!("0");
    calls.push(still);
    let sent =
        answers.get_mut(&queries::SENT.over(WINDOW)).unwrap()["data"]["result"].as_array_mut().unwrap();
    let mut outside = sent[0].clone();
    outside["metric"]["destination_app"] = json!("unknown");
    outside["metric"]["destination_service_name"] = json!("PassthroughCluster");
    sent.push(outside);
    let again = imported(&answers, &options()).unwrap();
    assert_eq!(again.scenario, imported(&self::answers(), &options()).unwrap().scenario);
    assert!(again.report.contains("`unused` had no calls"));
}

/// Counts in buckets say how answers are spread, and, less those of calls, what their service takes itself.
#[test]
fn buckets_say_what_laws_are() {
    let mut answers = answers();
    let mut put = |query: Query, labels: &[(&'static str, &'static str)], counts: &[(&'static str, f64)]| {
        let series = counts.iter().map(|(le, count)| ([labels, &[("le", *le)]].concat(), *count));
        answers.insert(query.over(WINDOW), vector(&series.collect::<Vec<_>>()));
    };
    // All of back's answers take 12.5 ms in the mean, of which 2 ms are CPU time (and 2 % of that are waited for it): what it
    // waits is always the same, too.
    let of_back = [("destination_app", "back")];
    put(queries::SERVER_BUCKETS, &of_back, &[("10", 0.0), ("25", 1_900.0), ("+Inf", 1_900.0)]);
    // An exponential law of 1,250 bytes: 1 - exp(-1000/1250), and so on; without its 250 bytes of header it varies more.
    let sizes = [("500", 626.0), ("1000", 1_046.0), ("2500", 1_643.0), ("5000", 1_865.0), ("+Inf", 1_900.0)];
    put(queries::RESPONSE_BUCKETS, &of_back, &sizes);
    answers.insert(queries::SERVER_TIME.over(WINDOW), vector(&[(of_back.to_vec(), 12.0 * 1_900.0)]));
    let imported = imported(&answers, &options()).unwrap();
    for line in ["service_time = \"2ms\"", "wait = \"10.459ms\""] {
        assert!(imported.scenario.lines().any(|it| it == line), "no {line} in\n{}", imported.scenario);
    }
    for line in [
        "| back | CPU time | deterministic | 0 | all its answers are in one bucket |",
        "| front | CPU time | exponential | 1 | assumed: nothing says how it is spread |",
    ] {
        assert!(imported.report.contains(line), "no {line} in\n{}", imported.report);
    }
    assert!(imported.report.contains("| back | body of an answer | gamma | 1.25"), "{}", imported.report);
}

/// Lists and purchases: a purchase is posted, calls back and a bank outside of the mesh.
fn traced() -> Trace {
    let mut trace = Trace::default();
    let [front, back, list, buy, get, edge] =
        ["front.shop", "back.shop", "GET /items/list", "POST /buy", "GET /", "edge"]
            .map(|it| trace.names.id(it));
    for request in 0..400_u32 {
        let start_us = u64::from(request) * 50_000;
        let is_buy = request % 4 == 0;
        let first = trace.spans.len() as u32;
        let span = |after: u64, duration_ms: f64, parent: Option<u32>| Span {
            start_us: start_us + after,
            duration_ms,
            request,
            parent: parent.map(|it| first + it),
            cluster: edge,
            ok: true,
            ..Span::default()
        };
        let (operation, took, bodies) =
            if is_buy { (buy, 133.0, [2_000, 500]) } else { (list, 2.0, [0, 30_000]) };
        trace.spans.push(Span {
            side: Side::Server,
            service: front,
            operation,
            bodies,
            ..span(0, took, None)
        });
        if is_buy {
            trace.spans.push(Span { side: Side::Client, service: back, ..span(2_000, 9.0, Some(0)) });
            let inner =
                Span { side: Side::Server, service: back, operation: get, ..span(3_000, 5.0, Some(1)) };
            trace.spans.push(Span { bodies: [0, 1_000], ..inner });
            trace.spans.push(Span { side: Side::Client, ..span(12_000, 120.0, Some(0)) });
        }
    }
    trace
}

#[test]
fn spans_tell_kinds_of_requests_apart_and_what_is_waited_for_outside() {
    let scenario = |measured: &Measured| measured.import(&options()).unwrap();
    let alone = scenario(&Measured::new(None, Some(&traced())).unwrap());
    let table = |text: &str, name: &str| {
        text.split(&format!("[{name}]\n")).nth(1).map(|it| it.split("\n\n").next().unwrap().to_owned())
    };
    let has = |text: &str, name: &str, lines: &[&str]| {
        let table = table(text, name).unwrap_or_default();
        lines
            .iter()
            .for_each(|line| assert!(table.lines().any(|it| it == *line), "no {line} in\n{name}\n{table}"));
    };
    let buy = ["request_size = \"2000B\"", "response_size = \"500B\"", "calls = [\"back\"]"];
    has(&alone.scenario, "services.front.endpoints.buy", &buy);
    has(&alone.scenario, "services.front.endpoints.buy", &["wait = \"120ms\""]);
    let list = "services.front.endpoints.items-list";
    has(&alone.scenario, list, &["response_size = \"30000B\""]);
    assert!(!table(&alone.scenario, list).unwrap().contains("wait"), "{}", alone.scenario);
    assert!(
        !alone.scenario.contains("method") && !alone.scenario.contains("path"),
        "no rule looks at them: {}",
        alone.scenario
    );
    has(&alone.scenario, "services.back.endpoints.default", &["response_size = \"1000B\""]);
    has(&alone.scenario, "users.edge-front", &["requests = { buy = 100, items-list = 300 }"]);
    assert!(alone.report.contains("| front | buy | POST /buy | 0.25 |"), "{}", alone.report);
    Scenario::from_text("alone.toml", &alone.scenario, &[], &[]).unwrap().resolve(Some(0)).unwrap();
    let unknown = Traced::new(&traced(), |_| false).unwrap_err().to_string();
    assert!(unknown.contains("spans are of `back`, `front`"), "{unknown}");
    // Beside metrics: means, rates, errors and calls of a service are theirs, kinds share them.
    let answers: Answers = serde_json::from_value(Value::Object(answers())).unwrap();
    let both = Measured::new(Some((&answers, WINDOW)), Some(&traced())).unwrap();
    let front = &both.application.services["front"];
    let mean =
        |of: fn(&super::Work) -> f64| front.kinds.iter().map(|it| it.share * of(&it.work)).sum::<f64>();
    assert!(
        (mean(|it| it.cpu_ms) - 3.0).abs() < 1e-9 && (mean(|it| it.errors) - front.work.errors).abs() < 1e-9
    );
    // 2/3 of a call per request are counted, a quarter is in spans, of which there were none of some then.
    assert!((front.kinds[1].calls[0].1 - 8.0 / 3.0).abs() < 1e-9, "{front:?}");
    let both = scenario(&both);
    has(
        &both.scenario,
        "users.edge-front",
        &["rate = \"30/s\"", "requests = { buy = 100, items-list = 300 }"],
    );
    assert!(!both.report.contains("one kind of request"), "{}", both.report);
    Scenario::from_text("both.toml", &both.scenario, &[], &[]).unwrap().resolve(Some(0)).unwrap();
}

/// Puts a span of a request into a trace.
type Put = dyn Fn(&mut Trace, u32);

/// One kind of answer after another: each its spans, of which the first is the gateway's request of `front`.
fn answered(spans: &[&Put]) -> Traced {
    let mut trace = Trace::default();
    for request in 0..100_u32 {
        spans.iter().for_each(|it| it(&mut trace, request));
    }
    for span in &mut trace.spans {
        span.start_us += u64::from(span.request) * 1_000_000;
    }
    Traced::new(&trace, |_| true).unwrap()
}

/// A span of a side and a service, from one moment on (us) for so long (ms), below the span that many before it.
fn put(
    side: Side,
    service: &'static str,
    (from, ms): (u64, f64),
    up: Option<u32>,
) -> impl Fn(&mut Trace, u32) {
    move |trace, request| {
        let [service, cluster] = [service, "edge"].map(|it| trace.names.id(it));
        let at = trace.spans.len() as u32;
        let parent = up.map(|up| at - up);
        let span = Span {
            start_us: from,
            duration_ms: ms,
            request,
            parent,
            service,
            cluster,
            side,
            ok: true,
            ..Span::default()
        };
        trace.spans.push(span);
    }
}

#[test]
fn a_sidecar_and_its_application_answer_once() {
    let sidecar = put(Side::Server, "front", (0, 20.0), None);
    let application = put(Side::Server, "front", (1_000, 18.0), Some(1));
    let client = put(Side::Client, "front", (5_000, 10.0), Some(1));
    let of_sidecar = put(Side::Client, "front", (5_500, 9.0), Some(1));
    let back = put(Side::Server, "back", (6_000, 8.0), Some(1));
    let all = answered(&[&sidecar, &application, &client, &of_sidecar, &back]).application();
    let front = &all.services["front"];
    assert_eq!(front.calls, [("back".to_owned(), 1.0)], "{front:?}");
    assert!((front.rate - 1.0).abs() < 1e-9 && front.work.wait_ms == 0.0, "{front:?}");
    // 20 ms less the 10 ms of its call, and what is waited for the CPU.
    assert!((9.5..=10.0).contains(&front.work.cpu_ms), "{front:?}");
    assert!((all.users[&("edge".to_owned(), "front".to_owned())].mean_ms - 20.0).abs() < 1e-9);
}

#[test]
fn what_is_waited_for_outside_ends_with_the_answer_and_is_no_call() {
    let front = put(Side::Server, "front", (0, 25.0), None);
    let call = put(Side::Client, "front", (2_000, 10.0), Some(1));
    let back = put(Side::Server, "back", (3_000, 8.0), Some(1));
    // At the same time as the call, and after the answer.
    let outside = put(Side::Client, "front", (5_000, 15.0), Some(3));
    let forgotten = put(Side::Client, "front", (22_000, 5_000.0), Some(4));
    let all = answered(&[&front, &call, &back, &outside, &forgotten]).application();
    assert!((all.services["front"].work.wait_ms - 11.0).abs() < 1e-9, "{:?}", all.services["front"]);
}

#[test]
fn what_spans_do_not_show_stays_as_metrics_say_it() {
    let answers: Answers = serde_json::from_value(Value::Object(answers())).unwrap();
    // A gateway with a span as a server's, whom metrics do not know; nothing of back.
    let mut trace = traced();
    trace.spans.retain(|it| it.parent.is_none());
    let gateway = trace.names.id("ingress");
    let all = std::mem::take(&mut trace.spans);
    for (at, it) in (0..).zip(all) {
        trace.spans.push(Span { service: gateway, operation: None, ..it });
        trace.spans.push(Span { parent: Some(2 * at), ..it });
    }
    let measured = Measured::new(Some((&answers, WINDOW)), Some(&trace)).unwrap();
    let front = &measured.application.services["front"];
    assert_eq!(front.kinds.len(), 2);
    for kind in &front.kinds {
        let [((to, None), per_request)] = kind.calls.as_slice() else { panic!("{kind:?}") };
        assert!(to == "back" && (per_request - 2.0 / 3.0).abs() < 1e-9, "{kind:?}");
    }
    let mean: f64 = front.kinds.iter().map(|it| it.share * it.work.response_bytes.unwrap()).sum();
    assert!((mean - front.work.response_bytes.unwrap()).abs() < 1e-6, "{front:?}");
    assert!(measured.application.requests.values().all(|it| it.len() == 2));
}

#[test]
fn what_says_no_cluster_is_in_the_only_one() {
    let mut trace = traced();
    trace.spans.iter_mut().for_each(|it| it.cluster = None);
    let measured = Measured::new(None, Some(&trace)).unwrap();
    let imported = measured.import(&options()).unwrap();
    assert!(imported.scenario.contains("[users.edge-front]"), "{}", imported.scenario);
    let two = vec![Nodes::parse("edge=1x8").unwrap(), Nodes::parse("cloud=1x8").unwrap()];
    let error = measured.import(&Options { nodes: two, ..options() }).unwrap_err().to_string();
    assert!(error.contains("k8s.cluster.name"), "{error}");
    // One request tells no rate.
    trace.spans.retain(|it| it.request == 0);
    assert!(Traced::new(&trace, |_| true).unwrap_err().to_string().contains("of more than one request"));
}
