//! A service mesh written by hand for one application, as fast as it gets: what a request costs when nothing is
//! general. `floor REQUESTS` runs it.
//!
//! # Models
//! The application of meshsim's `call_graph` benchmark: users come in a Poisson stream of 50/s; s0 calls s1, s2, s3
//! and s9 one after the other, each with probability 0.3; s1 calls s5; s3 calls s4, s8; s5 calls s6, s7; all 0.3.
//! It takes 80 ms each way to s9, s5, s4 and s8, else 0.25 ms. Here every pod has a sidecar and users come through a
//! gateway, so that a call has eight events: its client's proxy has passed it on, it reaches the pod, the sidecar
//! has passed it on, a worker has begun it and makes its calls, the worker has written the answer, the sidecar has
//! passed the answer on, it reaches the client's proxy, that has passed it on. With the user's coming and the
//! answer's reaching the user a request has 2 + 8 * 2.524 = 22.2 events. Proxies have two workers, pods four; each
//! is a first come, first served queue. Every time is log-normal. The time of every visit is recorded in
//! a histogram of its service, and that of every request in one of its own.
//!
//! # Assumptions
//! No policies, no balancing, no CPU that is shared, no cancellation, no addressed random numbers, no order among
//! events of one time. Effect: this is no simulator that answers a question; it is the least that one could cost.

mod event_set;
mod histogram;
mod mesh;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(requests) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("usage: floor REQUESTS");
        return ExitCode::from(2);
    };
    let mut mesh = mesh::Mesh::new(1);
    mesh.run(requests);
    println!("units {}", mesh.latencies().count());
    println!("mean_ms {:.3}", mesh.latencies().mean_ns() / 1e6);
    println!("p99_ms {:.3}", mesh.latencies().quantile_ns(0.99) as f64 / 1e6);
    println!("events_per_request {:.3}", mesh.handled() as f64 / mesh.latencies().count() as f64);
    ExitCode::SUCCESS
}
