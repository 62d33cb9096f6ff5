//! Offloading controllers in runs: with exact telemetry and constant load the loop reaches the set that the strategy's own
//! analytic solution names; what Prometheus would tell of the same series is what the controller is told; a clone goes on
//! as the world that it was cloned from.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use meshsim_core::{RunControl, SimDuration, SimTime};
use meshsim_models::application::internal_service::{CpuStress, InternalService};
use meshsim_models::faults::link::{LinkFault, LinkFaultKind};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::istiod::cluster_policy::TrafficPolicy;
use meshsim_models::kubernetes::scheduler::resources::ResourceList;
use meshsim_models::kubernetes::settings::{Change, ChangeKind, WorkloadSettings};
use meshsim_models::liqo::gateway::GatewayCost;
use meshsim_models::liqo::settings::{LiqoSettings, Peering};
use meshsim_models::network::path::RESPONSE_HEADER;
use meshsim_models::offloading::analytic_model::Prices;
use meshsim_models::offloading::belief::ask;
use meshsim_models::offloading::controller::{Action, ControllerSettings};
use meshsim_models::offloading::policy::situation::Unanswered;
use meshsim_models::offloading::queries::{Measured, Quantity, Queries};
use meshsim_models::offloading::settings::{
    ManagedDeployment, ManagedService, OffloadingSettings, PlacerSettings, PolicySettings,
};
use meshsim_models::pod_id::PodIds;
use meshsim_models::telemetry::control_log::OffloadingDecision;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::description::{Description, Federation};
use meshsim_models::world::{Record, World};
use std::collections::BTreeSet;

const RATE: f64 = 40.0;
const EDGE: ClusterId = ClusterId(0);
const CLOUD: ClusterId = ClusterId(1);
/// Answers of each service in the mean (kB).
const BODIES: [f64; 4] = [8.0, 2.0, 4.0, 1.0];

/// Front calls left, always, and right, which calls deep, always: so each request has four calls.
fn world(policy: PolicySettings, compat: bool, seconds: u64) -> Description {
    let mut description = Description::new(SimDuration::from_secs(seconds));
    let [edge, cloud] = ["edge", "cloud"].map(|name| description.add_cluster(name, 16.0));
    description.add_link([edge, cloud], SimDuration::from_millis(50), 1e9);
    let stress = CpuStress { complexity: [20, 20], thread_pool_size: 1, trials: 1 };
    let services: Vec<ServiceId> = ["front", "left", "right", "deep"]
        .iter()
        .zip(BODIES)
        .map(|(name, kb)| {
            let internal =
                InternalService { cpu_stress: Some(stress), mean_body_kb: kb, ..InternalService::idle() };
            description.add_service(name, internal)
        })
        .collect();
    for (from, to) in [(0, 1), (0, 2), (2, 3)] {
        description.add_call(services[from], services[to], 1.0);
    }
    for &service in &services {
        description.add_pods(service, cloud, 2);
        description.add_pods(service, edge, 0);
        description.kubernetes.steered.insert((cloud, service), 2);
        description.kubernetes.steered.insert((edge, service), 2);
        description.services[service].traffic_policy = near_first();
    }
    description.kubernetes.pods.pre_stop = SimDuration::from_secs(2);
    description.add_users(edge, services[0], Arrivals::Constant { per_second: RATE });
    let side = |at_start| ManagedDeployment { bounds: (2, 2), at_start, cpu_target: 0.6 };
    let managed = |&service: &ServiceId| ManagedService {
        service,
        cpu_request: 1.0,
        memory_request: 0.25,
        sides: [side(2), side(0)],
    };
    let controller = ControllerSettings {
        // From nothing at the edge a call takes 50 ms, and its answer some round trips more.
        offload_mean_ms: 40.0,
        unoffload_mean_ms: 10.0,
        compat,
        ..ControllerSettings::default()
    };
    description.offloading = Some(OffloadingSettings {
        scrape_interval: SimDuration::from_secs(15),
        controllers: vec![PlacerSettings {
            edge,
            cluster: cloud,
            controller,
            query_period: SimDuration::from_secs(120),
            delay_quantile: 0.9,
            policy,
            asks_others: false,
            overshooting_avoidance: 1.0,
            locked: Vec::new(),
            round_trip: 0.05,
            bandwidth: 1e9,
            round_trip_multipliers: [1.0, 1.0],
            default_resource_scaling: 1.0,
            cloud_prices: Prices { cpu: 0.02, memory: 0.01 },
            edge_prices: Prices { cpu: 0.03, memory: 0.015 },
            network_price: 0.02,
            services: services.iter().map(managed).collect(),
        }],
    });
    description
}

fn near_first() -> TrafficPolicy {
    support::with_outlier_detection().traffic_policy
}

fn settings(description: &mut Description) -> &mut PlacerSettings {
    &mut description.offloading.as_mut().unwrap().controllers[0]
}

fn run(description: &Description) -> Record {
    let mut world = World::new(description, 0);
    world.run(&mut RunControl::until(description.end()));
    world.finish()
}

fn decisions(record: &Record) -> &[OffloadingDecision] {
    &record.control[CLOUD].offloading
}

fn sbmp() -> PolicySettings {
    PolicySettings::Sbmp { paths: false, expanding_depth: 2, max_sets: 256, max_traces: 64 }
}

fn all_policies() -> Vec<PolicySettings> {
    let paths = PolicySettings::Sbmp { paths: true, expanding_depth: 2, max_sets: 256, max_traces: 64 };
    let fixed = PolicySettings::Fixed(vec![ServiceId(0), ServiceId(2)]);
    let others = [PolicySettings::Mfu, PolicySettings::Ia, PolicySettings::Kahn, PolicySettings::Ta];
    [sbmp(), paths, fixed].into_iter().chain(others).collect()
}

/// What is true of the world: each service is called once a request, and answers what it says.
fn truth(cpu_per_call: f64) -> Measured {
    let calls = vec![
        vec![0.0, 1.0, 1.0, 0.0, 0.0],
        vec![0.0; 5],
        vec![0.0, 0.0, 0.0, 1.0, 0.0],
        vec![0.0; 5],
        vec![1.0, 0.0, 0.0, 0.0, 0.0],
    ];
    Measured {
        rate: RATE,
        scaling: 1.0,
        rates: vec![RATE; 4],
        calls,
        response_bytes: BODIES.iter().map(|kb| kb * 1e3 + f64::from(RESPONSE_HEADER)).chain([0.0]).collect(),
        cpu: [vec![RATE * cpu_per_call; 4], vec![0.0; 4]],
    }
}

/// The edge, which has nothing, takes services by what the delay needs; the analytic solution of every strategy is reached.
#[test]
fn the_loop_reaches_what_the_analytic_solution_names() {
    for compat in [true, false] {
        for policy in all_policies() {
            let name = policy.name();
            let description = world(policy, compat, 600);
            let record = run(&description);
            let first = decisions(&record).first().unwrap_or_else(|| panic!("{name}: no decision"));
            // What pods use decides nothing here: nothing else brings the delay down.
            let action = Action { offloads: true, measured: first.measured_ms, target: first.target_ms };
            let mut draws = support_draws();
            let solution = ask(
                &description.offloading.as_ref().unwrap().controllers[0],
                &truth(0.002),
                &[false; 4],
                action,
                &mut draws,
            );
            let named: Result<Vec<ServiceId>, Unanswered> = solution
                .edge
                .map(|set| (0..4).filter(|&it| set[it]).map(|it| ServiceId(it as u32)).collect());
            assert_eq!(first.after, named, "{name}, compat {compat}");
            let [rate, scaling] =
                [Quantity::UserRate, Quantity::ResourceScaling].map(|it| first.measured(it));
            assert!((rate - RATE).abs() < 0.05 * RATE && scaling == 1.0, "{first:?}");
            // What was decided is there when the controller looks again.
            if let (Ok(after), Some(next)) = (&first.after, decisions(&record).get(1)) {
                assert_eq!(&next.before, after, "{name}, compat {compat}");
            }
            record_is_whole(&record);
        }
    }
}

/// Nothing is drawn where each call is made always: a sample of requests is the same request.
fn support_draws() -> impl FnMut() -> f64 {
    || 0.5
}

/// Few requests have not ended: those that are in flight.
fn record_is_whole(record: &Record) {
    let open = record.requests.iter().filter(|it| it.end.is_none()).count();
    assert!(open < 50, "{open}");
}

#[test]
fn strategies_that_take_nothing_back_say_so() {
    let mut description = world(PolicySettings::Ia, true, 400);
    for it in &mut description.deployments {
        it.replicas = 2;
    }
    let placer = settings(&mut description);
    placer.services.iter_mut().for_each(|it| it.sides[1].at_start = 2);
    placer.controller.unoffload_mean_ms = 100.0;
    let record = run(&description);
    let first = &decisions(&record)[0];
    assert_eq!((first.offloads, &first.after), (false, &Err(Unanswered::TakesNothingBack)));
    assert_eq!(first.before.len(), 4);
}

/// Under Liqo what a controller orders counts in its cluster's quota at the edge: of eight pods of half a core each four come
/// in, and those that are refused wait until the others leave.
#[test]
fn what_a_controller_orders_is_held_to_the_quota() {
    let mut description = world(PolicySettings::Fixed((0..4).map(ServiceId).collect()), true, 330);
    let services = description.application.services.len();
    let workload = WorkloadSettings {
        application: ResourceList::new(500, 1 << 20),
        sidecar: ResourceList::new(0, 0),
        ..WorkloadSettings::default()
    };
    description.kubernetes.workloads = (0..services).map(|_| workload.clone()).collect();
    let granted = ResourceList::new(2_000, 1 << 40);
    let peering = Peering { granted, ..Peering::new("cloud-edge", CLOUD, EDGE) };
    let gateways = (0..2).map(|_| GatewayCost::default()).collect();
    description.federation =
        Some(Federation::Liqo(LiqoSettings { peerings: vec![peering], gateways, offloading: None }));
    let steps = |description: &Description| {
        let record = run(description);
        let of = |name| record.control[EDGE].pods.iter().filter(move |it| it.step.name() == name);
        let ready: BTreeSet<ServiceId> = of("ready").map(|it| it.service).collect();
        (["created", "refused", "scheduled", "ready"].map(|name| of(name).count()), ready)
    };
    let (counts, ready) = steps(&description);
    assert_eq!(counts, [8, 4, 4, 4]);
    assert_eq!(ready, [ServiceId(0), ServiceId(1)].into(), "first come, first served");
    // What is removed frees the quota, and who was refused comes in.
    let removal = Change {
        at: SimTime::ZERO + SimDuration::from_secs(200),
        service: ServiceId(0),
        cluster: EDGE,
        kind: ChangeKind::Remove,
    };
    description.kubernetes.changes.push(removal);
    let (counts, ready) = steps(&description);
    assert_eq!((counts[1], ready.contains(&ServiceId(2))), (4, true), "{counts:?} {ready:?}");
}

/// Whoever else changes a Deployment is seen in its status: what an operator takes away is no longer there for the controller,
/// and it brings it back.
#[test]
fn what_others_change_is_seen() {
    let mut description = world(PolicySettings::Kahn, true, 900);
    let removed = ServiceId(0);
    let at = SimTime::ZERO + SimDuration::from_secs(400);
    description.kubernetes.changes.push(Change {
        at,
        service: removed,
        cluster: EDGE,
        kind: ChangeKind::Remove,
    });
    let record = run(&description);
    let [first, second, ..] = decisions(&record) else { panic!("{:?}", decisions(&record)) };
    let has_it = |services: &[ServiceId]| services.contains(&removed);
    assert!(first.at < at && has_it(first.after.as_ref().unwrap()), "{first:?}");
    assert!(second.at > at && !has_it(&second.before), "{second:?}");
    assert!(has_it(second.after.as_ref().unwrap()), "{second:?}");
    let made = record.control[EDGE].pods.iter().filter(|it| it.service == removed);
    assert_eq!(made.filter(|it| it.step.name() == "ready").count(), 4, "two pods, twice");
    record_is_whole(&record);
}

/// The gateways of all edges are one for the original: with a second edge, whose users are as many, it believes that each
/// request of the first one enters twice. Else a gateway is itself.
#[test]
fn with_many_edges_the_original_counts_the_calls_of_all_gateways() {
    let entered = |compat| {
        let mut description = world(PolicySettings::Fixed(Vec::new()), compat, 400);
        let other = description.add_cluster("other", 16.0);
        description.add_link([other, CLOUD], SimDuration::from_millis(50), 1e9);
        for service in description.application.services.ids() {
            description.add_pods(service, other, 0);
        }
        description.add_users(other, ServiceId(0), Arrivals::Constant { per_second: RATE });
        let record = run(&description);
        let first = &decisions(&record)[0];
        let calls = first.inputs.iter().filter(|it| it.quantity == Quantity::Calls);
        let of = |caller| {
            let mut found = calls.clone().filter(move |it| it.caller == caller);
            found.next().unwrap().value
        };
        assert!((first.measured(Quantity::ResourceScaling) - 0.5).abs() < 0.01, "{first:?}");
        [of(None), of(Some(ServiceId(0)))]
    };
    let close = |found: [f64; 2], right: [f64; 2]| {
        assert!(found.iter().zip(right).all(|(a, b)| (a - b).abs() < 0.02 * b), "{found:?}, not {right:?}");
    };
    close(entered(true), [2.0, 1.0]);
    close(entered(false), [1.0, 1.0]);
}

/// While the link is cut nothing comes from the edge: after a window the original believes that all is calm and takes
/// everything back; else it waits.
#[test]
fn a_controller_that_is_blind_takes_what_it_does_not_see_for_calm() {
    let cut = |compat| {
        let mut description = world(PolicySettings::Kahn, compat, 900);
        for it in &mut description.deployments {
            it.replicas = 2;
        }
        let placer = settings(&mut description);
        placer.services.iter_mut().for_each(|it| it.sides[1].at_start = 2);
        placer.controller.unoffload_mean_ms = 1.0;
        let at = |s| SimTime::ZERO + SimDuration::from_secs(s);
        description.link_faults.push(LinkFault {
            link: 0,
            kind: LinkFaultKind::Blackhole,
            begins: at(200),
            ends: Some(at(700)),
            toward: None,
        });
        run(&description)
    };
    let [original, mended] = [true, false].map(cut);
    let taken_back = |record: &Record| decisions(record).iter().filter(|it| !it.offloads).count();
    assert!(taken_back(&original) >= 1, "{:?}", decisions(&original));
    let first = &decisions(&original)[0];
    assert_eq!((first.measured_ms, &first.after), (0.0, &Ok(Vec::new())));
    assert_eq!(taken_back(&mended), 0, "{:?}", decisions(&mended));
}

/// A clone goes on as its world: event by event, with the same decisions.
#[test]
fn a_clone_goes_on_as_the_world_it_was_cloned_from() {
    let description = world(sbmp(), true, 600);
    let mut whole = World::new(&description, 0);
    whole.run(&mut RunControl::until(SimTime::ZERO + SimDuration::from_millis(100_500)));
    let mut fork = whole.fork(&description);
    let mut clone = whole.clone();
    let ended = [&mut whole, &mut fork, &mut clone].map(|world| {
        world.run(&mut RunControl::until(description.end()));
        format!("{:?}", world.clone().finish())
    });
    assert!(ended[0] == ended[1] && ended[1] == ended[2]);
    assert!(ended[0] == format!("{:?}", run(&description)));
}

/// From a fork on another strategy is asked, over the same requests.
#[test]
fn a_fork_goes_on_as_it_is_told() {
    let description = world(sbmp(), true, 500);
    let mut other = description.clone();
    settings(&mut other).policy = PolicySettings::Fixed(vec![ServiceId(0)]);
    let mut world = World::new(&description, 0);
    world.run(&mut RunControl::until(SimTime::ZERO + SimDuration::from_secs(100)));
    let mut fork = world.fork(&other);
    for it in [&mut world, &mut fork] {
        it.run(&mut RunControl::until(description.end()));
    }
    let [one, two] = [world, fork].map(World::finish);
    let arrivals = |record: &Record| record.requests.iter().map(|it| it.arrival).collect::<Vec<_>>();
    assert_eq!(arrivals(&one), arrivals(&two));
    assert_eq!(decisions(&two)[0].after, Ok(vec![ServiceId(0)]));
    assert_eq!(decisions(&one)[0].at, decisions(&two)[0].at);
    assert_ne!(decisions(&one)[0].after, decisions(&two)[0].after);
}

/// What the controller is told, from the series that the world has at the end.
#[test]
fn queries_tell_what_is_true() {
    let description = world(PolicySettings::Fixed(vec![ServiceId(0)]), true, 400);
    let mut world = World::new(&description, 0);
    world.run(&mut RunControl::until(description.end()));
    let placer = &description.offloading.as_ref().unwrap().controllers[0];
    let queries = Queries {
        scrapes: world.scrapes(CLOUD).unwrap(),
        settings: placer,
        ids: PodIds::new(2, 4),
        now: description.end(),
    };
    let mut measured = Measured::default();
    queries.refresh(&mut measured);
    let truth = truth(0.0);
    let within = |a: f64, b: f64| (a - b).abs() <= 0.02 * b.abs().max(1e-9);
    assert!(within(measured.rate, RATE), "{measured:?}");
    for (told, is) in measured.calls.iter().flatten().zip(truth.calls.iter().flatten()) {
        assert!(within(*told, *is), "{:?}", measured.calls);
    }
    // Sizes are drawn: of 4,800 answers the mean is right to 1.4 %.
    for (told, is) in measured.response_bytes.iter().zip(&truth.response_bytes) {
        assert!((told - is).abs() <= 0.07 * is, "{:?}", measured.response_bytes);
    }
}

/// What the real Prometheus says of the very series of a world is what the controller is told.
///
/// Skipped where Prometheus 2.42 and its promtool (Debian's package `prometheus`) are not installed.
mod conformance {
    use super::*;
    use meshsim_models::telemetry::istio_buckets::BOUNDS_MS;
    use meshsim_models::telemetry::scrapes::{Metric, SeriesId, millis};
    use std::fmt::Write as _;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    /// Where a simulated run begins on Prometheus' clock (s).
    const EPOCH: f64 = 1_700_000_000.0;

    struct Server(Child);

    impl Drop for Server {
        fn drop(&mut self) {
            // It ends with the test, however that ends.
            self.0.kill().ok();
            self.0.wait().ok();
        }
    }

    fn is_there(program: &str) -> bool {
        Command::new(program).arg("--version").output().is_ok_and(|it| it.status.success())
    }

    /// Whose series it is, as Istio and cAdvisor would label it.
    fn labels(ids: PodIds, id: &SeriesId) -> String {
        let source = match id.client.pod {
            None => "gateway".to_owned(),
            Some(pod) => format!("s{}", ids.service_of(pod).0),
        };
        let pod = id.client.pod.map_or(0, |pod| pod.0);
        let common = format!(
            "cluster=\"{}\",source_app=\"{source}\",destination_app=\"s{}\",to=\"{}\",pod=\"{pod}-{}\"",
            id.cluster.0, id.client.called.0, id.client.server.0, id.client.instance
        );
        match id.metric {
            Metric::Requests { ok } => {
                let code = if ok { 200 } else { 503 };
                format!("istio_requests_total{{{common},response_code=\"{code}\"}}")
            }
            Metric::DurationSum => format!("istio_request_duration_milliseconds_sum{{{common}}}"),
            Metric::Bucket { le } => {
                let le = BOUNDS_MS.get(usize::from(le)).map_or("+Inf".to_owned(), f64::to_string);
                format!("istio_request_duration_milliseconds_bucket{{{common},le=\"{le}\"}}")
            }
            Metric::ResponseBytes => format!("istio_response_bytes_sum{{{common}}}"),
            Metric::Cpu => format!("container_cpu_usage_seconds_total{{{common}}}"),
        }
    }

    fn run_to_end(program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A server of these series.
    fn serve(folder: &Path, series: &str) -> (Server, String) {
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        std::fs::write(path("series.txt"), series).unwrap();
        std::fs::write(path("config.yml"), "global: {}\n").unwrap();
        run_to_end(
            "promtool",
            &["tsdb", "create-blocks-from", "openmetrics", &path("series.txt"), &path("data")],
        );
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path("config.yml")))
            .arg(format!("--storage.tsdb.path={}", path("data")))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        (Server(child), format!("http://127.0.0.1:{port}"))
    }

    /// The only value of an instant query.
    fn query(server: &str, now: f64, expression: &str) -> f64 {
        let time = format!("--time={:.3}", EPOCH + now);
        for _ in 0..100 {
            let output = Command::new("promtool")
                .args(["query", "instant", &time, server, expression])
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            if let Some((_, value)) = text.split_once("=> ") {
                return value.split_whitespace().next().unwrap().parse().unwrap();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no answer to {expression}");
    }

    #[test]
    fn prometheus_says_the_same() {
        if !is_there("promtool") || !is_there("prometheus") {
            eprintln!("skipped: prometheus_says_the_same (no prometheus and promtool here)");
            return;
        }
        // Pods come at the edge in the window that is asked for, others have been there.
        let description = world(PolicySettings::Fixed(vec![ServiceId(0), ServiceId(2)]), true, 230);
        let mut world = World::new(&description, 0);
        world.run(&mut RunControl::until(description.end()));
        let placer = &description.offloading.as_ref().unwrap().controllers[0];
        let (ids, now) = (PodIds::new(2, 4), description.end());
        let scrapes = world.scrapes(CLOUD).unwrap();
        let mut text = String::new();
        for (id, samples) in scrapes.series() {
            for (at, value) in samples.iter() {
                writeln!(text, "{} {value} {:.3}", labels(ids, id), EPOCH + at as f64 / 1e3).unwrap();
            }
        }
        text.push_str("# EOF\n");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus-says-the-same");
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).unwrap();
        let (_server, url) = serve(&folder, &text);
        let now_s = millis(now) as f64 / 1e3;
        let same = |told: f64, expression: &str| {
            let right = query(&url, now_s, expression);
            assert!(
                (told - right).abs() <= 1e-6 * right.abs(),
                "{told}, and Prometheus says {right}: {expression}"
            );
        };
        let queries = Queries { scrapes, settings: placer, ids, now };
        let delays = queries.delays().unwrap();
        let mut measured = Measured::default();
        queries.refresh(&mut measured);
        let users = "source_app=\"gateway\",cluster=\"0\"";
        let count = format!("sum(rate(istio_requests_total{{{users},response_code=\"200\"}}[2m]))");
        same(
            delays.mean,
            &format!("sum(rate(istio_request_duration_milliseconds_sum{{{users}}}[2m])) / {count}"),
        );
        same(
            delays.quantile,
            &format!(
                "histogram_quantile(0.9, sum by (le) (rate(istio_request_duration_milliseconds_bucket{{{users}}}[2m])))"
            ),
        );
        same(measured.rate, &count);
        let called = |service: usize| {
            format!(
                "sum(rate(istio_requests_total{{destination_app=\"s{service}\",response_code=\"200\"}}[2m]))"
            )
        };
        same(measured.rates[2], &called(2));
        let from_to = "source_app=\"s2\",destination_app=\"s3\",response_code=\"200\"";
        same(
            measured.calls[2][3],
            &format!("sum(rate(istio_requests_total{{{from_to}}}[2m])) / {}", called(2)),
        );
        same(
            measured.response_bytes[0],
            "sum(increase(istio_response_bytes_sum{destination_app=\"s0\"}[2m])) / \
             sum(increase(istio_requests_total{destination_app=\"s0\",response_code=\"200\"}[2m]))",
        );
        for (side, cluster) in [(0, 1), (1, 0)] {
            let cpu = format!(
                "sum(rate(container_cpu_usage_seconds_total{{cluster=\"{cluster}\",source_app=\"s2\"}}[2m]))"
            );
            same(measured.cpu[side][2], &cpu);
        }
    }
}
