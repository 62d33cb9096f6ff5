//! What each mechanism of the mesh costs: the headline scenario, strategy `s0-s3`, four simulated
//! minutes, with one mechanism on at a time, with all of them and with none.
//!
//! Instructions repeat better than times: `valgrind --tool=callgrind target/release/meshsim run
//! fluidos-mesh --strategy s0-s3 --replications 1 --threads 1 --quiet --set run.duration=4min`
//! with the settings below.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use meshsim_core::RunControl;
use meshsim_models::world::World;
use meshsim_models::world::description::Description;
use meshsim_scenarios::document::Setting;
use meshsim_scenarios::scenario::Scenario;
use std::hint::black_box;

/// A mechanism and what switches it on; `{}` stands for every service in turn.
const MECHANISMS: [(&str, &[&str]); 12] = [
    ("nothing added", &[]),
    ("ejection possible", &["mesh.traffic_policy.outlier_detection.max_ejection_percent=100"]),
    (
        "limits",
        &[
            "mesh.traffic_policy.connection_pool.tcp.max_connections=10000",
            "mesh.traffic_policy.connection_pool.http.http2_max_requests=10000",
        ],
    ),
    ("retry budget", &["mesh.traffic_policy.retry_budget={percent=20}"]),
    (
        "time-outs",
        &[
            "services.{}.routes=[{timeout=\"10s\",retries={attempts=2,retry_on=\"5xx\",per_try_timeout=\"5s\"}}]",
        ],
    ),
    ("fault injection", &["services.{}.routes=[{fault={delay={fixed_delay=\"1ms\",percentage=1}}}]"]),
    ("HTTP/2", &["services.{}.protocol=grpc"]),
    (
        "consistent hash",
        &[
            "services.s0.traffic_policy={load_balancer={consistent_hash={http_header_name=\"x-user\"}}}",
            "users.edge1.personal=[\"x-user\"]",
        ],
    ),
    ("pod faults", &["faults=[{at=\"1s\",service=\"s1\",cluster=\"edge1\",kind=\"slow\",factor=1.0001}]"]),
    ("no telemetry, no mTLS", &["mesh.telemetry=false", "mesh.mtls=false"]),
    ("ambient", &["mesh.data_plane=ambient", "services.{}.traffic_distribution=PreferClose"]),
    (
        "ambient with waypoints",
        &[
            "mesh.data_plane=ambient",
            "services.{}.traffic_distribution=PreferClose",
            "services.{}.waypoint=true",
        ],
    ),
];

/// Those that can be on together, beside each other.
const TOGETHER: [&str; 6] =
    ["ejection possible", "limits", "retry budget", "time-outs", "HTTP/2", "pod faults"];

fn describe(texts: &[&str]) -> Description {
    let of_services = |text: &&str| -> Vec<String> {
        if text.contains("{}") {
            (0..10).map(|service| text.replace("{}", &format!("s{service}"))).collect()
        } else {
            vec![(*text).to_owned()]
        }
    };
    let all = texts.iter().flat_map(of_services).chain(["run.duration=4min".to_owned()]);
    let settings: Vec<Setting> =
        all.map(|text| Setting::parse(&text).unwrap_or_else(|problem| panic!("{problem:?}"))).collect();
    let scenario = Scenario::open("fluidos-mesh", &settings).expect("the library is good");
    let index = scenario.strategy(Some("s0-s3")).expect("the library has it");
    scenario.resolve(index).unwrap_or_else(|problems| panic!("{problems}")).description
}

fn mechanisms(criterion: &mut Criterion) {
    let together: Vec<&str> = MECHANISMS
        .iter()
        .filter(|(name, _)| TOGETHER.contains(name))
        .flat_map(|(_, settings)| settings.iter().copied())
        .collect();
    let cases = MECHANISMS.iter().copied().chain([("all together", together.as_slice())]);
    let mut group = criterion.benchmark_group("mechanisms");
    group.sample_size(10);
    for (name, settings) in cases {
        let description = describe(settings);
        let run = || {
            let mut world = World::new(&description, 0);
            let end = world.end();
            world.run(&mut RunControl::until(end));
            world.finish().requests.len()
        };
        group.throughput(Throughput::Elements(run() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(run())));
    }
    group.finish();
}

criterion_group!(benches, mechanisms);
criterion_main!(benches);
