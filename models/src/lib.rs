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
//! 1. `users/arrivals` says when a user sends it, `users/population` how it reaches the gateway;
//!    `call/user` begins a [`Hop`](call::record::Hop).
//! 2. `call/hop`: the client's proxy (`mesh/proxy`, `mesh/proxy_cost`) takes it in and finds its
//!    route (`mesh/route`, `mesh/fault_injection`). `call/choice`: it sees the endpoints
//!    (`mesh/endpoint_view`) and picks one (`mesh/upstream`, `mesh/load_balancer`).
//!    `call/connection`: it gets a connection within the limits (`mesh/connection_pool`,
//!    `mesh/circuit_breaker`). Without a mesh the cell itself does, through `kube_proxy`.
//! 3. `network/path`, `network/link`: the request crosses the cluster or a link, in the latter
//!    case as a [`Message`](cluster::message::Message).
//! 4. `call/serve`: the server's sidecar takes it in; a worker of the cell (`application/cell`)
//!    gives it a thread; the internal service (`application/internal_service`) costs CPU
//!    (`compute/container`).
//! 5. `call/fan_out`: further calls, each a hop of its own (step 2).
//! 6. `call/serve`: the response leaves, round by round as TCP allows (`network/tcp`).
//! 7. `call/hop`: the client's proxy takes it in (`mesh/outlier_detection`); a retry (`mesh/retry`)
//!    or the end.
//! 8. `call/user`: the gateway answers the user; `telemetry/request_log` has a row.
//!
//! Rooms decide and schedule nothing; `call` and `cluster/handle` act. `world` builds it all.

pub mod application;
pub mod cluster;
pub mod compute;
pub mod draws;
pub mod faults;
pub mod ids;
pub mod kubernetes;
pub mod mesh;
pub mod network;
pub mod request;
pub mod sparse_table;
pub mod telemetry;
pub mod units;
pub mod users;
pub mod world;
