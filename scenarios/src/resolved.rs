//! What a scenario comes to.

use crate::document::Setting;
use crate::experiment::objective::Objective;
use crate::problem::Problem;
use crate::resolve::PlaneKey;
use crate::resolve::names::ClusterNames;
use meshsim_core::{SimDuration, Table};
use meshsim_models::ids::ClusterId;
use meshsim_models::world::description::Description;

/// A scenario under one strategy, ready to run.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The strategy's name.
    pub strategy: String,
    /// Everything that a run needs.
    pub description: Description,
    /// Whether as much of the run is to be cut as it needs to settle: the description's warm-up is zero then.
    pub auto_warm_up: bool,
    /// The time of day at which the run begins (s since midnight), if it has one.
    pub begin_at: Option<f64>,
    /// Independent repetitions.
    pub replications: u32,
    /// The strategy that the others are compared with.
    pub baseline: Option<String>,
    /// Whether mean latencies are freed of the luck that the draws of their requests tell.
    pub control_variates: bool,
    /// For how long alternatives to the decisions of offloading controllers run, if they do.
    pub regret_horizon: Option<SimDuration>,
    /// Paths at which a setting replaces what the strategy says.
    pub overridden: Vec<String>,
    /// What the work model has that has no effect.
    pub workmodel_warnings: Vec<Problem>,
    /// Keys that are written and that some data plane has no use for.
    pub plane_keys: Vec<PlaneKey>,
    /// What users are to get.
    pub objectives: Vec<Objective>,
    /// Draws of the values that a calibration fitted.
    pub calibration_draws: Vec<Vec<Setting>>,
    /// What objects of its clusters are called where metrics are exported.
    pub names: Table<ClusterId, ClusterNames>,
}
