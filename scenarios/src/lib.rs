//! Scenarios of meshsim: files in, experiments, result files out. Knows nothing of arguments or
//! terminals.
//!
//! # Where to begin
//! A [`Scenario`](scenario::Scenario) is opened by the name of one of the [`library`], from a file or from a text; a
//! [`ComparisonPlan`](experiment::compare::ComparisonPlan) of some of its strategies runs on all threads; a
//! [`Summary`](analysis::summary::Summary) is what comes out, and [`results::files`] writes it.
//!
//! ```
//! use meshsim_scenarios::experiment::Watch;
//! use meshsim_scenarios::experiment::compare::{Choice, ComparisonPlan};
//! use meshsim_scenarios::experiment::replication::Rows;
//! use meshsim_scenarios::analysis::summary::Summary;
//! use meshsim_scenarios::scenario::Scenario;
//!
//! let work_model = r#"{
//!     "shop": { "internal_service": { "loader": {} }, "external_services": [{ "services": ["stock"] }] },
//!     "stock": { "internal_service": { "loader": {} } }
//! }"#;
//! let text = r#"
//!     run = { duration = "60s", warm_up = "5s", replications = 3 }
//!     application.workmodel = "shop.json"
//!     clusters.cloud = { nodes = [{ cores = "8" }], services = "all" }
//!     clusters.edge = { nodes = [{ cores = "4" }], services = ["shop"] }
//!     links.wan = { between = ["edge", "cloud"], rtt = "40ms", bandwidth = "1Gbit/s" }
//!     users.edge = { cluster = "edge", service = "shop", rate = "20/s" }
//!     mesh.traffic_policy.outlier_detection = { consecutive_5xx_errors = 7 }
//!     [[strategy]]
//!     name = "stock in the cloud"
//!     set = {}
//!     [[strategy]]
//!     name = "all at the edge"
//!     set.clusters.edge.services = "all"
//! "#;
//! let scenario = Scenario::from_text("shop.toml", text, &[("shop.json", work_model)], &[])?;
//! let plan = ComparisonPlan::new(&scenario, &Choice::default())?;
//! let summary = Summary::new(&plan, &plan.run(Rows::Dropped, &Watch::default()));
//! let [far, near] = [0, 1].map(|strategy| summary.strategies[strategy].latency_ms.mean.value);
//! assert!(near + 40.0 < far && far < near + 50.0, "{near} and {far} ms");
//! # Ok::<(), meshsim_scenarios::problem::Problems>(())
//! ```
//!
//! Longer: `examples/compare.rs`. Of the other commands, `meshsim sweep` is [`experiment::sweep`], `validate` is
//! [`validate`], `calibrate` is [`calibrate`], and `check` is `ComparisonPlan::new` with [`warnings`]. What a scenario comes to is a
//! `meshsim_models::world::description::Description`, which `meshsim-models` runs.
//!
//! # Rooms
//! A file goes through [`document`], [`schema`] (what was typed) and [`resolve`] (what it means); work models through
//! [`import`], measured traces through [`traces`]. [`analysis`] has the statistics of results, [`results`] their files, [`report`] the
//! page that is made of these, [`lives`] what befell single requests. What is wrong is a [`problem`], with its location.

pub mod analysis;
pub mod calibrate;
pub mod document;
pub mod drill;
pub mod expanded;
pub mod experiment;
pub mod export;
pub mod import;
pub mod keys;
pub mod library;
pub mod lives;
mod merge;
pub mod origin;
pub mod problem;
pub mod report;
pub mod resolve;
mod resolved;
pub mod results;
pub mod scenario;
pub mod schema;
pub mod start_time;
pub mod starter;
pub mod stress;
mod templates;
pub mod traces;
pub mod validate;
pub mod warnings;
