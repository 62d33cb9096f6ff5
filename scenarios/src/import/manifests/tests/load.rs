//! Files of load generators: each executor, timer and runner as users of the scenario.

use super::{Imported, Options, Users, at, has, import, options, plain, runs, value};
use crate::import::manifests::{Input, Nodes};
use crate::problem::Checked;
use toml::Table;

/// What a file of `name` with this text comes to, of users who request `a`.
fn read(name: &str, text: &str, change: &dyn Fn(&mut Options)) -> Checked<Imported> {
    let (directory, mut options) = options(&[&plain()]);
    let load = tempfile::tempdir().unwrap();
    let path = load.path().join(name);
    std::fs::write(&path, text).unwrap();
    options.users = vec![Users::parse(&format!("cloud={}", path.display())).unwrap()];
    change(&mut options);
    let imported = import(&options)?;
    drop(directory);
    Ok(imported)
}

fn users(name: &str, text: &str, allow: &[&str]) -> Table {
    let imported = read(name, text, &|it| it.allow = allow.iter().map(|it| (*it).to_owned()).collect());
    let imported = imported.unwrap_or_else(|it| panic!("{it}"));
    runs(&imported);
    imported.scenario.parse().unwrap()
}

#[test]
fn every_executor_of_k6_is_users_or_refused() {
    let one = |executor: &str| {
        format!(
            "{{\"scenarios\": {{\"one\": {{{executor}, \"gracefulStop\": \"30s\", \"tags\": {{}}}}}}, \"thresholds\": {{\"a\": [\"b\"]}}}}"
        )
    };
    for (executor, keys) in [
        (
            "\"executor\": \"constant-vus\", \"vus\": 10, \"duration\": \"1m30s\"",
            "{ users = 10, arrivals = { type = \"closed-loop-constant\", think_time = \"0s\" } }",
        ),
        (
            "\"executor\": \"constant-arrival-rate\", \"rate\": 300, \"timeUnit\": \"1m\", \"duration\": \"90s\", \"preAllocatedVUs\": 5, \"maxVUs\": 9",
            "{ arrivals = { type = \"constant\", rate = \"5/s\" } }",
        ),
        (
            "\"executor\": \"ramping-arrival-rate\", \"startRate\": 1, \"stages\": [{\"duration\": \"30s\", \"target\": 20}, {\"duration\": \"1m\", \"target\": 20}], \"preAllocatedVUs\": 5",
            "{ arrivals = { type = \"piecewise\", between = \"ramps\", spacing = \"even\", points = [{ at = \"0s\", rate = \"1/s\" }, { at = \"30s\", rate = \"20/s\" }, { at = \"90s\", rate = \"20/s\" }] } }",
        ),
        (
            "\"executor\": \"per-vu-iterations\", \"vus\": 3, \"iterations\": 7, \"maxDuration\": \"90s\"",
            "{ users = 3, requests_each = 7, arrivals = { type = \"closed-loop-constant\", think_time = \"0s\" } }",
        ),
        (
            "\"executor\": \"shared-iterations\", \"vus\": 3, \"iterations\": 7, \"maxDuration\": \"90s\"",
            "{ users = 3, requests_each = 3, arrivals = { type = \"closed-loop-constant\", think_time = \"0s\" } }",
        ),
    ] {
        let table = users("k6.json", &one(executor), &[]);
        let own = at(&table, &["users", "cloud-one"]).unwrap().as_table().unwrap();
        let keys = value(keys);
        for (key, expected) in keys.as_table().unwrap() {
            assert_eq!(own.get(key), Some(expected), "{executor}: {own}");
        }
        has(&table, &[(&["run", "duration"], "\"90s\""), (&["users", "cloud-one", "service"], "\"a\"")]);
    }
    let ramping = one(
        "\"executor\": \"ramping-vus\", \"startVUs\": 1, \"stages\": [{\"duration\": \"90s\", \"target\": 20}]",
    );
    let refused = read("k6.json", &ramping, &|_| {}).unwrap_err().to_string();
    assert!(refused.contains("--allow k6.scenarios.one.stages"), "{refused}");
    let table = users("k6.json", &ramping, &["stages"]);
    has(&table, &[(&["users", "cloud-one", "users"], "20")]);
    let external = one("\"executor\": \"externally-controlled\", \"vus\": 1");
    let refused = read("k6.json", &external, &|_| {}).unwrap_err().to_string();
    assert!(refused.contains("k6.scenarios.one.executor is ignored"), "{refused}");
    let unknown =
        read("k6.json", "{\"vus\": 1, \"duration\": \"10s\", \"rps\": 5}", &|_| {}).unwrap_err().to_string();
    assert!(unknown.contains("k6.rps is ignored although results hang on it"), "{unknown}");
}

#[test]
fn options_of_k6_stand_for_executors_and_several_begin_and_end_by_themselves() {
    let table =
        users("k6.json", "{\"vus\": 4, \"duration\": \"1m\", \"paused\": null, \"userAgent\": \"k6\"}", &[]);
    has(&table, &[(&["users", "cloud", "users"], "4"), (&["run", "duration"], "\"1min\"")]);
    let two = "{\"scenarios\": {\
        \"first\": {\"executor\": \"constant-arrival-rate\", \"rate\": 5, \"duration\": \"30s\", \"preAllocatedVUs\": 1},\
        \"late\": {\"executor\": \"ramping-arrival-rate\", \"startTime\": \"30s\", \"stages\": [{\"duration\": \"60s\", \"target\": 9}], \"preAllocatedVUs\": 1}}}";
    let table = users("k6.json", two, &[]);
    has(
        &table,
        &[
            (&["run", "duration"], "\"90s\""),
            (
                &["users", "cloud-first", "arrivals", "points"],
                "[{ at = \"0s\", rate = \"5/s\" }, { at = \"30s\", rate = \"0/s\" }]",
            ),
            (&["users", "cloud-first", "arrivals", "between"], "\"steps\""),
            (
                &["users", "cloud-late", "arrivals", "points"],
                "[{ at = \"0s\", rate = \"0/s\" }, { at = \"29.999s\", rate = \"0/s\" }, { at = \"30s\", rate = \"0/s\" }, { at = \"90s\", rate = \"9/s\" }]",
            ),
        ],
    );
    let short = two.replace("constant-arrival-rate", "constant-vus").replace("\"rate\": 5", "\"vus\": 5");
    let refused = read("k6.json", &short, &|_| {}).unwrap_err().to_string();
    assert!(refused.contains("users of a closed loop go on to the end of the run"), "{refused}");
    let script = read("plan.js", "import http from 'k6/http'\n", &|_| {}).unwrap_err().to_string();
    assert!(script.contains("k6 inspect SCRIPT"), "{script}");
    for endless in
        ["{\"vus\": 5}", "{\"scenarios\": {\"a\": {\"executor\": \"constant-arrival-rate\", \"rate\": 5}}}"]
    {
        let said = read("k6.json", endless, &|_| {}).unwrap_err().to_string();
        assert!(said.contains("without a duration"), "{said}");
    }
}

/// A plan with one thread group of 7 threads, whose tree has these elements.
fn plan(group: &str, inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<jmeterTestPlan version=\"1.2\"><hashTree><TestPlan testname=\"t\"/><hashTree>\
         <ThreadGroup testname=\"g\"><stringProp name=\"ThreadGroup.num_threads\">7</stringProp>{group}</ThreadGroup><hashTree>{inner}</hashTree>\
         </hashTree></hashTree></jmeterTestPlan>"
    )
}

fn sampler(path: &str, inner: &str) -> String {
    format!(
        "<HTTPSamplerProxy><stringProp name=\"HTTPSampler.path\">{path}</stringProp><stringProp name=\"HTTPSampler.response_timeout\">2000</stringProp></HTTPSamplerProxy><hashTree>{inner}</hashTree>"
    )
}

/// A timer of the plan, and those of several thread groups: what each says of how many threads.
#[test]
fn rates_of_jmeter_are_of_a_thread_a_group_or_all_threads() {
    let timer = |name: &str, field: &str, value: &str| {
        format!(
            "<{name}><stringProp name=\"{field}\">{value}</stringProp><stringProp name=\"throughput\">600</stringProp></{name}><hashTree/>"
        )
    };
    let constant = |mode: &str| timer("ConstantThroughputTimer", "calcMode", mode);
    let group = |threads: u32, inner: &str, fields: &str| {
        format!(
            "<ThreadGroup testname=\"g\"><stringProp name=\"ThreadGroup.num_threads\">{threads}</stringProp>{fields}</ThreadGroup><hashTree>{inner}{}</hashTree>",
            sampler("a", "")
        )
    };
    let plan = |of_plan: &str, of_groups: &str| {
        let groups = group(5, of_groups, "") + &group(15, of_groups, "");
        format!(
            "<jmeterTestPlan><hashTree><TestPlan/><hashTree>{of_plan}{groups}</hashTree></hashTree></jmeterTestPlan>"
        )
    };
    let rates = |of_plan: &str, of_groups: &str| {
        let table = users("plan.jmx", &plan(of_plan, of_groups), &[]);
        let all = table["users"].as_table().unwrap().values();
        let rate = |it: &toml::Value| {
            let rate = it.get("rate").or_else(|| it.get("arrivals")?.get("rate"));
            rate.and_then(toml::Value::as_str).map(str::to_owned)
        };
        all.map(|it| rate(it).unwrap_or_default()).collect::<Vec<_>>()
    };
    // Of this thread only: as many times as there are threads. Of all active threads: shared by all of the plan.
    for (mode, expected) in [
        ("0", ["50/s", "150/s"]),
        ("1", ["2.5/s", "7.5/s"]),
        ("2", ["10/s", "10/s"]),
        ("3", ["2.5/s", "7.5/s"]),
        ("4", ["10/s", "10/s"]),
        ("all active threads", ["2.5/s", "7.5/s"]),
        ("all active threads in current thread group (shared)", ["10/s", "10/s"]),
    ] {
        assert_eq!(rates(&constant(mode), ""), expected, "{mode}");
        assert_eq!(rates("", &constant(mode)), expected, "{mode}");
    }
    // Every thread group draws moments of its own.
    assert_eq!(rates(&timer("PreciseThroughputTimer", "throughputPeriod", "60"), ""), ["10/s", "10/s"]);
    let refused = |text: &str| read("plan.jmx", text, &|_| {}).unwrap_err().to_string();
    assert!(refused(&plan("", &constant("often"))).contains("calcMode is none of JMeter's"));
    let whole = |groups: &str| {
        format!(
            "<jmeterTestPlan><hashTree><TestPlan/><hashTree>{groups}</hashTree></hashTree></jmeterTestPlan>"
        )
    };
    let lasting = |seconds: u32| {
        format!(
            "<boolProp name=\"ThreadGroup.scheduler\">true</boolProp><stringProp name=\"ThreadGroup.duration\">{seconds}</stringProp>"
        )
    };
    let short = refused(&whole(&(group(5, "", &lasting(30)) + &group(5, "", &lasting(60)))));
    assert!(
        short.contains("go on to the end of the run") && short.matches("ThreadGroup.duration").count() >= 1,
        "{short}"
    );
    let ramp = |seconds: u32| format!("<stringProp name=\"ThreadGroup.ramp_time\">{seconds}</stringProp>");
    let slow = refused(&whole(&group(5, "", &ramp(60))));
    assert!(slow.contains("ramp_time") && slow.contains("there from the start"), "{slow}");
    users("plan.jmx", &whole(&group(5, "", &ramp(1))), &[]);
    users("plan.jmx", &whole(&group(5, &constant("2"), &ramp(60))), &[]);
}

#[test]
fn thread_groups_and_timers_of_jmeter_are_users() {
    let precise = "<PreciseThroughputTimer><doubleProp><name>allowedThroughputSurplus</name><value>1.0</value></doubleProp>\
                   <intProp name=\"batchSize\">1</intProp><stringProp name=\"throughput\">${__P(throughput,)}</stringProp>\
                   <intProp name=\"throughputPeriod\">2</intProp></PreciseThroughputTimer><hashTree/>";
    let constant = |mode: u32| {
        format!(
            "<ConstantThroughputTimer><intProp name=\"calcMode\">{mode}</intProp><doubleProp><name>throughput</name><value>60.0</value></doubleProp></ConstantThroughputTimer><hashTree/>"
        )
    };
    let pause =
        "<ConstantTimer><stringProp name=\"ConstantTimer.delay\">300</stringProp></ConstantTimer><hashTree/>";
    let loops = "<elementProp name=\"ThreadGroup.main_controller\"><intProp name=\"LoopController.loops\">5</intProp></elementProp>";
    for (group, inner, expected) in [
        ("", sampler("/a/x?y=1", precise), "{ users = 7, rate = \"20/s\", service = \"a\", timeout = \"2s\" }"),
        ("", sampler("a", &constant(0)), "{ users = 7, arrivals = { type = \"constant\", rate = \"7/s\" } }"),
        ("", sampler("a", &constant(2)), "{ users = 7, arrivals = { type = \"constant\", rate = \"1/s\" } }"),
        (
            loops,
            sampler("a", pause),
            "{ users = 7, requests_each = 5, arrivals = { type = \"closed-loop-constant\", think_time = \"300ms\" } }",
        ),
        (
            "",
            "<LoopController><stringProp name=\"LoopController.loops\">2</stringProp></LoopController><hashTree>".to_owned()
                + &sampler("a", "")
                + "</hashTree>"
                + "<HeaderManager><collectionProp name=\"HeaderManager.headers\"><elementProp name=\"\"><stringProp name=\"Header.name\">X-A</stringProp><stringProp name=\"Header.value\">b</stringProp></elementProp></collectionProp></HeaderManager><hashTree/>",
            "{ users = 7, headers = { x-a = \"b\" } }",
        ),
    ] {
        let imported = read("plan.jmx", &plan(group, &inner), &|it| {
            it.properties.insert("throughput".to_owned(), "40".to_owned());
        });
        let imported = imported.unwrap_or_else(|it| panic!("{it}"));
        runs(&imported);
        let table: Table = imported.scenario.parse().unwrap();
        let own = at(&table, &["users", "cloud"]).unwrap().as_table().unwrap();
        let keys = value(expected);
        for (key, expected) in keys.as_table().unwrap() {
            assert_eq!(own.get(key), Some(expected), "{inner}: {own}");
        }
    }
    let refused = |text: &str| read("plan.jmx", text, &|_| {}).unwrap_err().to_string();
    let unset = refused(&plan("", &sampler("a", precise)));
    assert!(
        unset.contains("`${__P(throughput,)}` has no value") && unset.contains("--property throughput=VALUE"),
        "{unset}"
    );
    let chooses = refused(&plan(
        "",
        &("<IfController><stringProp name=\"IfController.condition\">x</stringProp></IfController><hashTree/>"
            .to_owned() + &sampler("a", "")),
    ));
    assert!(chooses.contains("IfController"), "{chooses}");
    for (text, expected) in [
        ("<a>", "this is no XML"),
        ("<a/>", "`a` is no plan of JMeter"),
        ("<!DOCTYPE a [<!ENTITY b \"c\">]><jmeterTestPlan/>", "no XML"),
        ("<jmeterTestPlan/>", "a plan without a thread group"),
    ] {
        let error = refused(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let deep = format!(
        "<jmeterTestPlan>{}{}</jmeterTestPlan>",
        "<hashTree><A/>".repeat(300),
        "</hashTree>".repeat(300)
    );
    assert!(refused(&deep).contains("deep"), "{}", refused(&deep));
}

#[test]
fn parameters_and_workloads_of_mubench_are_users() {
    let runner = |kind: &str, more: &str| {
        format!(
            "{{\"RunnerParameters\": {{\"ms_access_gateway\": \"http://x\", \"workload_type\": \"{kind}\", \"workload_events\": 100, \"thread_pool_size\": 4, \
             \"workload_rounds\": 1, \"ingress_service\": \"a\", \"result_file\": \"r\"{more}}}, \"OutputPath\": \"x\"}}"
        )
    };
    let greedy = users("r.json", &runner("greedy", ""), &[]);
    has(
        &greedy,
        &[
            (&["users", "cloud", "users"], "4"),
            (&["users", "cloud", "requests_each"], "25"),
            (&["users", "cloud", "reconnects_after"], "\"1ms\""),
        ],
    );
    let periodic = users("r.json", &runner("periodic", ", \"rate\": 10"), &[]);
    has(
        &periodic,
        &[
            (&["users", "cloud", "arrivals"], "{ type = \"constant\", rate = \"10/s\" }"),
            (&["run", "duration"], "\"10s\""),
        ],
    );
    let missing = read("r.json", &runner("file", ", \"workload_files_path_list\": [\"none.json\"]"), &|_| {});
    assert!(missing.unwrap_err().to_string().contains("`none.json` is not beside the parameters"));
    let traffic = "{\"TrafficParameters\": {\"ingress_service\": \"a\", \"request_parameters\": {\"mean_interarrival_time\": 300, \"stop_event\": 500}}, \"OutputFile\": \"w\"}";
    let table = users("t.json", traffic, &[]);
    has(&table, &[(&["run", "duration"], "\"150s\"")]);
    let rate = at(&table, &["users", "cloud", "rate"]).unwrap().as_str().unwrap();
    assert!(rate.starts_with("3.333"), "{rate}");
    let workload = "[{\"time\": 0, \"service\": \"a\"}, {\"time\": 1500.5, \"service\": \"a\"}]";
    let imported = read("w.json", workload, &|_| {}).unwrap();
    assert_eq!(imported.files, [("workload.json".to_owned(), workload.to_owned())]);
    let table: Table = imported.scenario.parse().unwrap();
    has(&table, &[(&["users", "cloud", "arrivals"], "{ type = \"replay\", file = \"workload.json\" }")]);
    let error = read("x.json", "{\"a\": 1}", &|_| {}).unwrap_err().to_string();
    assert!(error.contains("of no load generator that is known"), "{error}");
}

#[test]
fn a_work_model_alone_and_what_draws_one_are_applications() {
    let directory = tempfile::tempdir().unwrap();
    let graph = "{\"ServiceGraphParameters\": {\"vertices\": 5, \"external_service_groups\": 1, \"power\": 0.05, \"seq_len\": 100, \"zero_appeal\": 3.25}, \"OutputPath\": \"x\", \"OutputFile\": \"y\"}";
    let model = "{\"WorkModelParameters\": {\"f3\": {\"type\": \"function\", \"value\": {\"name\": \"loader\", \"recipient\": \"service\", \"probability\": 1, \"parameters\": {}}}, \
                 \"request_method\": {\"type\": \"metadata\", \"value\": \"rest\"}, \"OutputPath\": {\"type\": \"metadata\", \"value\": \"x\"}}}";
    std::fs::write(directory.path().join("graph.json"), graph).unwrap();
    std::fs::write(directory.path().join("model.json"), model).unwrap();
    let options = Options {
        name: "drawn".to_owned(),
        inputs: vec![Input { path: directory.path().to_owned(), cluster: None }],
        nodes: vec![Nodes::parse("cloud=1x8").unwrap()],
        users: vec![Users::parse("cloud=5/s").unwrap()],
        seed: 3,
        ..Options::default()
    };
    let imported = import(&options).unwrap();
    runs(&imported);
    let table: Table = imported.scenario.parse().unwrap();
    has(
        &table,
        &[(&["clusters", "cloud", "services"], "\"all\""), (&["users", "cloud", "service"], "\"s0\"")],
    );
    // The same seed draws the same, and what was drawn imports by itself.
    assert_eq!(import(&options).unwrap(), imported);
    assert_ne!(import(&Options { seed: 4, ..options.clone() }).unwrap().workmodel, imported.workmodel);
    std::fs::remove_file(directory.path().join("graph.json")).unwrap();
    let alone = import(&options).unwrap_err().to_string();
    assert!(alone.contains("import its ServiceGraphParameters, too"), "{alone}");
    std::fs::write(directory.path().join("model.json"), imported.workmodel.as_ref().unwrap()).unwrap();
    let again = import(&options).unwrap();
    assert_eq!(again.workmodel, imported.workmodel);
    runs(&again);
}
