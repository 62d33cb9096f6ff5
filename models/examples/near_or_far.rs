//! What does a pod of `stock` at the edge save, at different round trips to the cloud?
//!
//! `cargo run --release -p meshsim-models --example near_or_far`
#![allow(clippy::print_stdout)] // It prints what it finds.

use meshsim_core::stats::{Histogram, Resolution};
use meshsim_core::{RunControl, SimDuration};
use meshsim_models::application::internal_service::{BodyKind, InternalService};
use meshsim_models::istiod::cluster_policy::OutlierDetectionSettings;
use meshsim_models::units::Cores;
use meshsim_models::users::arrivals::Arrivals;
use meshsim_models::world::World;
use meshsim_models::world::description::Description;

fn main() {
    println!("round trip  stock in the cloud       at the edge too");
    for milliseconds in [5, 20, 80] {
        let [far, near] = [false, true].map(|near| latencies(&describe(milliseconds, near)));
        println!("{milliseconds:>7} ms  {}  {}", text(&far), text(&near));
    }
}

/// Users at the edge ask the shop there, which asks its stock six times out of ten.
fn describe(round_trip_ms: u64, near: bool) -> Description {
    let mut description = Description::new(SimDuration::from_secs(300));
    description.warm_up = SimDuration::from_secs(10);
    let [edge, cloud] = ["edge", "cloud"].map(|name| description.add_cluster(name, 8.0));
    description.add_link([edge, cloud], SimDuration::from_millis(round_trip_ms), 1e9);

    let page = InternalService { mean_body_kb: 10.0, body: BodyKind::Random, ..InternalService::idle() };
    let shop = description.add_service("shop", page);
    let stock = description.add_service("stock", InternalService::idle());
    description.add_call(shop, stock, 0.6);
    // As in Istio, this is what makes near endpoints come first.
    description.services[stock].traffic_policy.outlier_detection = Some(OutlierDetectionSettings::default());

    description.add_pods(shop, edge, 2).cpu_limit = Some(Cores(1.0));
    description.add_pods(stock, cloud, 2);
    if near {
        description.add_pods(stock, edge, 1);
    }
    description.add_users(edge, shop, Arrivals::Poisson { per_second: 50.0 });
    description
}

/// Latencies (ns) of the requests that arrive after the warm-up and succeed.
fn latencies(description: &Description) -> Histogram {
    let mut world = World::new(description, 0);
    world.run(&mut RunControl::until(description.end()));
    let record = world.finish();
    let mut all = Histogram::new(Resolution::PerMille);
    for row in record.requests.iter().filter(|row| row.arrival.as_secs_f64() >= 10.0) {
        if let Some(end) = row.end.filter(|end| end.status.is_ok()) {
            all.record(end.latency.as_nanos());
        }
    }
    all
}

fn text(latencies: &Histogram) -> String {
    let ms = |nanos: f64| nanos / 1e6;
    let p99 = latencies.smooth_quantile(0.99).unwrap_or(f64::NAN);
    format!("mean {:5.1} ms, p99 {:5.1} ms", ms(latencies.mean().unwrap_or(f64::NAN)), ms(p99))
}
