use super::*;
use meshsim_core::SimDuration;
use meshsim_models::application::internal_service::{BodyKind, CpuStress, DiskStress, MemoryStress};
use meshsim_models::units::Cores;

/// The application alone.
fn application(text: &str) -> Application {
    read(&source(text)).unwrap().application
}

fn source(text: &str) -> Arc<SourceText> {
    Arc::new(SourceText { name: "workmodel.json".into(), text: text.into() })
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
    let application = application(r#"{"s0": {"internal_service": {"loader": {}}}}"#);
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
    let application = application(text);
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
        "workmodel.json:1:63: request_method `grpc` is said by the scenario (write \"rest\", \"workers\": 1 (a cell of gRPC is one \
         process), and services.s0.protocol = \"grpc\" in the scenario)",
    );
    check(
        &service("\"external_services\": [{\"services\": [\"s1\"]}]"),
        "workmodel.json:1:81: the work model has no service `s1` (did you mean `s0`?)",
    );
    check(&service("\"workers\": 0"), "workmodel.json:1:56: workers 0 is out of range (it is 1 to 1000)");
}

#[test]
fn memory_and_disk_stress_have_the_loader_s_defaults() {
    let stress = |loader: &str| {
        let text = format!("{{\"s0\": {{\"internal_service\": {{\"loader\": {{{loader}}}}}}}}}");
        let internal = application(&text).endpoints[EndpointId(0)].internal;
        (internal.memory_stress, internal.disk_stress)
    };
    let on = r#""memory_stress": {"run": true}, "disk_stress": {"run": true, "tmp_file_name": "x"}"#;
    let memory = MemoryStress { size_kb: 10_000, operations: 1_000 };
    let disk = DiskStress { blocks: 1_000, block_bytes: 1_024 };
    assert_eq!(stress(on), (Some(memory), Some(disk)));
    assert_eq!(stress(&on.replace("true", "false")), (None, None));
    assert_eq!(stress(r#""memory_stress": {}, "disk_stress": {}"#), (None, None), "off by default");
    let set = r#""memory_stress": {"run": true, "memory_size": 5, "memory_io": 0},
        "disk_stress": {"run": true, "disk_write_block_count": 7, "disk_write_block_size": 512}"#;
    let memory = MemoryStress { size_kb: 5, operations: 0 };
    assert_eq!(stress(set), (Some(memory), Some(DiskStress { blocks: 7, block_bytes: 512 })));
    check(
        r#"{"s0": {"internal_service": {"loader": {"memory_stress": {"memory_size": 0}}}}}"#,
        "workmodel.json:1:74: memory_size 0 is out of range (it is 1 to 1000000000)",
    );
}

fn warnings(text: &str) -> Vec<String> {
    read(&source(text)).unwrap().warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn keys_that_mean_nothing_are_told_once() {
    assert_eq!(warnings(&service("\"threads\": 3")), [""; 0]);
    assert_eq!(
        warnings(&service("\"shop_ref\": \"web\"")),
        ["workmodel.json:1:45: the key `shop_ref` is none of µBench's, which ignores it"]
    );
    let body = "\"internal_service\": {\"loader\": {\"note\": 1, \"cpu_stress\": {\"shop_ref\": 2}}}, \"shop_ref\": 3";
    let text = format!("{{\"s0\": {{{body}, \"pod_antiaffinity\": false}}, \"s1\": {{{body}}}}}");
    let said = warnings(&text);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("the keys `note`, `shop_ref`, `pod_antiaffinity` are none of µBench's"),
        "{said:?}"
    );
    for near in ["worker", "Threads", "threasd", "cpu_limits"] {
        let said = read(&source(&service(&format!("\"{near}\": 1")))).unwrap_err().to_string();
        assert!(said.contains(&format!("unknown key `{near}` (did you mean `")), "{said}");
    }
}

#[test]
fn probabilities_of_services_that_a_group_does_not_list_are_told() {
    let group =
        r#""external_services": [{"services": ["s0"], "probabilities": {"s0": 0.5, "s9": 0.5, "s8": 7}}]"#;
    let found = read(&source(&service(group))).unwrap();
    let calls = &found.application.endpoints[EndpointId(0)].groups[0].calls;
    assert_eq!((calls.len(), calls[0].probability), (1, 0.5));
    let said = found.warnings[0].to_string();
    assert_eq!(found.warnings.len(), 1);
    assert!(
        said.ends_with(
            "the probabilities of `s9`, `s8` have no effect: the services of their groups do not have them"
        ),
        "{said}"
    );
}

#[test]
fn a_function_that_is_not_known_is_left_to_a_law() {
    let without = |text: &str| {
        let found = read(&source(text)).unwrap();
        let body_kb = found.application.endpoints[EndpointId(0)].internal.mean_body_kb;
        let [(service, problem)] = found.without_function.try_into().unwrap();
        assert_eq!(service, "s0");
        (problem.to_string(), body_kb)
    };
    let (said, body_kb) =
        without(r#"{"s0": {"internal_service": {"draw_map": {"zoom": 3, "mean_response_size": 20}}}}"#);
    assert!(
        said.starts_with("workmodel.json:1:42: unknown internal function `draw_map` (loader and compute_pi"),
        "{said}"
    );
    assert!(said.contains("services.s0.service_time = { law = \"exponential\", mean = \"5ms\" }"), "{said}");
    assert!((body_kb - 20.0).abs() < 1e-12);
    let (said, _) = without(r#"{"s0": {"internal_service": {"loadr": [1]}}}"#);
    assert!(said.contains("did you mean `loader`?"), "{said}");
    for (text, message) in [
        (r#"{"s0": {}}"#, "workmodel.json:1:8: service `s0` has no internal_service (write"),
        (
            r#"{"s0": {"internal_service": {}}}"#,
            "workmodel.json:1:29: service `s0` has no internal function (it",
        ),
    ] {
        assert!(without(text).0.starts_with(message), "{}", without(text).0);
    }
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
    assert!(read(&source(&group("{\"s0\": 0.5}"))).is_ok());
}
