use super::*;
use meshsim_models::units::Cores;

fn source(text: &str) -> Arc<Source> {
    Arc::new(Source { name: "workmodel.json".into(), text: text.into() })
}

/// Asserts that reading `text` ends in exactly this first problem.
fn check(text: &str, expected: &str) {
    let problems = read(&source(text)).map(|_| ()).unwrap_err();
    assert_eq!(problems.0[0].to_string(), expected);
}

fn service(body: &str) -> String {
    format!("{{\"s0\": {{\"internal_service\": {{\"loader\": {{}}}}, {body}}}}}")
}

#[test]
fn defaults_are_those_of_mubench() {
    let application = read(&source(r#"{"s0": {"internal_service": {"loader": {}}}}"#)).unwrap();
    let service = &application.services[ServiceId(0)];
    assert_eq!((service.workers, service.threads, service.replicas), (4, 16, 1));
    let internal = application.endpoints[EndpointId(0)].internal;
    assert_eq!(internal.sleep, SimDuration::from_millis(10), "sleep is on by default");
    assert_eq!(internal.cpu_stress, None, "CPU stress is off by default");
    assert!((internal.mean_body_kb - 11.0).abs() < 1e-12);
}

#[test]
fn a_whole_service_is_read() {
    let text = r#"{
      "s0": {
        "external_services": [{"seq_len": 100, "services": ["s1", "s1"], "probabilities": {"s1": 0.3}}, {"seq_len": 1, "services": []}],
        "internal_service": {"loader": {
          "cpu_stress": {"run": true, "range_complexity": [10, 20], "thread_pool_size": 2, "trials": 3},
          "memory_stress": {"run": false}, "sleep_stress": {"run": false, "sleep_time": 0.01},
          "mean_response_size": 100}},
        "request_method": "rest", "workers": 2, "threads": 8, "replicas": 3,
        "cpu-limits": "1500m", "cpu-requests": "500m", "url": "s0.default.svc", "path": "/api/v1"
      },
      "s1": {"internal_service": {"compute_pi": {"mean_response_size": 5}}}
    }"#;
    let application = read(&source(text)).unwrap();
    let service = &application.services[ServiceId(0)];
    assert_eq!((service.workers, service.threads, service.replicas), (2, 8, 3));
    assert_eq!((service.cpu_limit, service.cpu_request), (Some(Cores(1.5)), Some(Cores(0.5))));
    let endpoint = &application.endpoints[EndpointId(0)];
    assert_eq!(endpoint.groups.len(), 1, "an empty group is no group");
    assert_eq!(endpoint.groups[0].calls.len(), 2);
    assert!((endpoint.groups[0].calls[1].probability - 0.3).abs() < 1e-12);
    let stress = CpuStress { complexity: [10, 20], thread_pool_size: 2, trials: 3 };
    assert_eq!(endpoint.internal.cpu_stress, Some(stress));
    assert_eq!(endpoint.internal.sleep, SimDuration::ZERO);
    assert_eq!(application.endpoints[EndpointId(1)].internal.body, BodyKind::Constant);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    check("{\n  \"s0\": {,}\n}", "workmodel.json:2:10: key must be a string");
    check("[]", "workmodel.json:1:1: an object is expected, not a list");
    check(&service("\"worker\": 3"), "workmodel.json:1:45: unknown key `worker` (did you mean `workers`?)");
    check(
        &service("\"request_method\": \"grpc\""),
        "workmodel.json:1:63: request_method `grpc` is not simulated yet (use \"rest\")",
    );
    check(
        &service("\"external_services\": [{\"services\": [\"s1\"]}]"),
        "workmodel.json:1:81: the work model has no service `s1` (did you mean `s0`?)",
    );
    check(&service("\"workers\": 0"), "workmodel.json:1:56: workers 0 is out of range (it is 1 to 1000)");
    check(
        r#"{"s0": {"internal_service": {"loader": {"disk_stress": {"run": true}}}}}"#,
        "workmodel.json:1:56: disk_stress is not simulated yet (set its \"run\" to false)",
    );
    check(
        r#"{"s0": {}}"#,
        "workmodel.json:1:8: service `s0` has no internal_service (write \"internal_service\": {\"loader\": {}})",
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let services = |count: usize| {
        let service = |n| format!("\"s{n}\": {{\"internal_service\": {{\"loader\": {{}}}}}}");
        format!("{{{}}}", (0..count).map(service).collect::<Vec<_>>().join(", "))
    };
    assert!(read(&source(&services(2_000))).is_ok());
    let problems = read(&source(&services(2_001))).unwrap_err();
    assert!(problems.to_string().ends_with("the work model has 2001 services (at most 2000 are simulated)"));
    let group = "{\"services\": [\"s0\"], \"probabilities\": {\"s0\": 0}}";
    let groups =
        |count: usize| service(&format!("\"external_services\": [{}]", vec![group; count].join(",")));
    assert!(read(&source(&groups(100))).is_ok());
    check(
        &groups(65_536),
        "workmodel.json:1:66: 65536 groups of a service are too many (at most 65535 are simulated)",
    );
    let calls = vec!["\"s0\""; 65_536].join(",");
    check(
        &service(&format!("\"external_services\": [{{\"services\": [{calls}]}}]")),
        "workmodel.json:1:80: 65536 calls of a group are too many (at most 65535 are simulated)",
    );
    check(
        &service("\"cpu-limits\": \"0.5m\""),
        "workmodel.json:1:59: 0.0005 cores are out of range (it is 0.001 to 1000000 cores)",
    );
    check(
        &service("\"cpu-requests\": 2000000"),
        "workmodel.json:1:61: 2000000 cores are out of range (it is 0 to 1000000 cores)",
    );
    check(
        r#"{"s0": {"internal_service": {"loader": {"mean_response_size": 100001}}}}"#,
        "workmodel.json:1:63: mean_response_size 100001 is out of range (it is zero or more, at most 100000)",
    );
}

#[test]
fn there_are_not_more_problems_than_anyone_reads() {
    let call = "\"s1\"";
    let text =
        service(&format!("\"external_services\": [{{\"services\": [{}]}}]", vec![call; 1_000].join(",")));
    assert_eq!(read(&source(&text)).unwrap_err().0.len(), 200);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert!(read(&source("\u{feff}{\"s0\": {\"internal_service\": {\"loader\": {}}}}")).is_ok());
    check("\u{feff}{\n  \"s0\": {,}\n}", "workmodel.json:2:10: key must be a string");
}

#[test]
fn a_probability_is_between_0_and_1_and_belongs_to_a_service() {
    let group = |probabilities: &str| {
        service(&format!(
            "\"external_services\": [{{\"services\": [\"s0\"], \"probabilities\": {probabilities}}}]"
        ))
    };
    assert!(read(&source(&group("{\"s0\": 1.5}"))).is_err());
    assert!(read(&source(&group("{\"s9\": 0.5}"))).is_err());
    assert!(read(&source(&group("{\"s0\": 0.5}"))).is_ok());
}
