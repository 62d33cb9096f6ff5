//! Models of cloud-edge service meshes.
//!
//! # Where to begin
//! A [`Description`](world::description::Description) says in plain values what there is; a [`World`](world::World) is
//! made of it for each replication, runs, and leaves a [`Record`](world::Record).
//!
//! ```
//! use meshsim_core::{RunControl, SimDuration};
//! use meshsim_models::application::internal_service::InternalService;
//! use meshsim_models::users::arrivals::Arrivals;
//! use meshsim_models::world::World;
//! use meshsim_models::world::description::Description;
//!
//! let mut description = Description::new(SimDuration::from_secs(60));
//! let [edge, cloud] = ["edge", "cloud"].map(|name| description.add_cluster(name, 4.0));
//! description.add_link([edge, cloud], SimDuration::from_millis(40), 1e9);
//! let [shop, stock] = ["shop", "stock"].map(|name| description.add_service(name, InternalService::idle()));
//! description.add_call(shop, stock, 1.0);
//! description.add_pods(shop, edge, 1);
//! description.add_pods(stock, cloud, 1);
//! description.add_users(edge, shop, Arrivals::Poisson { per_second: 20.0 });
//!
//! let mut world = World::new(&description, 0);
//! world.run(&mut RunControl::until(description.end()));
//! let record = world.finish();
//! let latencies = record.requests.iter().filter_map(|it| Some(it.end?.latency.as_millis_f64()));
//! assert!(latencies.clone().count() > 1_000 && latencies.clone().all(|it| it > 40.0));
//! ```
//!
//! Longer: `examples/near_or_far.rs`. Scenario files, replications and statistics are in `meshsim-scenarios`.
//!
//! # The walk of a request
//! 1. `cluster/users`: `users/arrivals` says when a user sends it, `users/population` how it reaches the gateway.
//! 2. `cluster/outbound` begins a [`Hop`](cluster::outbound::hop::Hop): the client's proxy (`envoy/proxies`,
//!    `envoy/proxy_cost`) takes it in and finds its route (`router`; `envoy/route`, `envoy/fault_injection`), sees the
//!    endpoints (`envoy/endpoint_view`) and picks one (`choose_host`; `envoy/upstream`, `envoy/load_balancer`), and gets a
//!    connection within the limits (`connect`; `envoy/connection_pool`, `envoy/circuit_breaker`). Without a mesh the cell
//!    itself does, through `kube_proxy`.
//! 3. `cluster/network`: the request crosses the cluster or a link (`network/path`, `network/link`), in the latter
//!    case as a [`Message`](cluster::message::Message).
//! 4. `cluster/inbound` makes a [`Call`](cluster::inbound::call::Call) of it: the server's sidecar takes it in
//!    (`sidecar`); a worker of the cell (`application/cell`) gives it a thread; the internal service
//!    (`application/internal_service`) costs CPU (`compute/container`); further calls (`fan_out`) are hops of their own.
//! 5. `cluster/network`: the response leaves, round by round as TCP allows (`network/tcp`).
//! 6. `cluster/outbound`: the client's proxy takes it in (`envoy/outlier_detection`); a retry (`envoy/retry`) or the end.
//! 7. `cluster/users`: the gateway answers the user; `telemetry/recorder` is told.
//!
//! Rooms decide and schedule nothing; `cluster` acts, and `cluster/handle` passes on what its owners hand to each other.
//! `world` builds it all.

pub mod application;
pub mod cluster;
pub mod compute;
pub mod cost;
pub mod draws;
pub mod envoy;
pub mod faults;
pub mod few_of_many;
pub mod ids;
pub mod istiod;
pub mod kubernetes;
pub mod liqo;
pub mod multi_network;
pub mod network;
pub mod offloading;
pub mod pod_id;
pub mod request;
pub mod sparse_table;
pub mod telemetry;
pub mod units;
pub mod users;
pub mod world;
