//! What an offloading controller is told.
//!
//! # Source
//! mSvcBench/muPlacer `GMAConfig.yaml` as it is shipped, and its environment files.

use super::analytic_model::Prices;
use super::controller::ControllerSettings;
use crate::ids::{ClusterId, ServiceId};
use meshsim_core::SimDuration;

/// The controllers of a world.
#[derive(Clone, Debug, PartialEq)]
pub struct OffloadingSettings {
    /// Time between two scrapes.
    pub scrape_interval: SimDuration,
    /// One per edge.
    pub controllers: Vec<PlacerSettings>,
}

/// The controller of an edge.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacerSettings {
    /// The edge.
    pub edge: ClusterId,
    /// Where it stands, and takes services from: every service that it may offload runs there.
    pub cluster: ClusterId,
    /// When it acts.
    pub controller: ControllerSettings,
    /// The window of its queries.
    pub query_period: SimDuration,
    /// Which quantile of the delay it looks at.
    pub delay_quantile: f64,
    /// Whom it asks.
    pub policy: PolicySettings,
    /// Whether it is kept with each decision what the other strategies would have answered.
    pub asks_others: bool,
    /// The search stops at so much of what is asked of it (sbmp).
    pub overshooting_avoidance: f64,
    /// Services that never come to the edge.
    pub locked: Vec<ServiceId>,
    /// Of a call from the edge to the cloud, as it is configured (s).
    pub round_trip: f64,
    /// From the cloud to the edge, likewise (bit/s).
    pub bandwidth: f64,
    /// What the round trip is multiplied with: for the network, and for the strategy, which the original applies once more.
    pub round_trip_multipliers: [f64; 2],
    /// Share of the cloud's load that this edge causes, until it is measured.
    pub default_resource_scaling: f64,
    /// Of the cloud.
    pub cloud_prices: Prices,
    /// Of the edge.
    pub edge_prices: Prices,
    /// Of a GB between them.
    pub network_price: f64,
    /// What it may move, in the order of the strategies' numbers.
    pub services: Vec<ManagedService>,
}

/// A service that may be moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ManagedService {
    /// Which.
    pub service: ServiceId,
    /// What its pods' application requests (cores).
    pub cpu_request: f64,
    /// Likewise (GB).
    pub memory_request: f64,
    /// In the cloud and at the edge.
    pub sides: [ManagedDeployment; 2],
}

/// The manifests of a service in one of the two clusters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ManagedDeployment {
    /// Least and most pods: those of its autoscaler, or its own number where it has none.
    pub bounds: (u32, u32),
    /// Pods at the start of the run.
    pub at_start: u32,
    /// The share of its CPU request at which its autoscaler aims.
    pub cpu_target: f64,
}

/// Which strategy.
#[derive(Clone, Debug, PartialEq)]
pub enum PolicySettings {
    /// Sets of services by their cost per millisecond gained.
    Sbmp {
        /// Whether candidates are ways from the gateway (CO-PAMP), not sampled requests.
        paths: bool,
        /// How many calls from the edge a candidate may reach.
        expanding_depth: usize,
        /// Candidates of a round, at most.
        max_sets: usize,
        /// Requests that are sampled.
        max_traces: usize,
    },
    /// Most frequently used first.
    Mfu,
    /// Interaction-aware.
    Ia,
    /// Callers first.
    Kahn,
    /// Traffic-aware.
    Ta,
    /// These services.
    Fixed(Vec<ServiceId>),
}

impl PolicySettings {
    /// Sets of services, as the configuration file that is shipped has it.
    #[must_use]
    pub const fn sbmp(paths: bool) -> Self {
        Self::Sbmp { paths, expanding_depth: 2, max_sets: 256, max_traces: 2_048 }
    }

    /// All strategies that decide something by themselves but this one.
    #[must_use]
    pub fn others(&self) -> Vec<Self> {
        let all = [Self::sbmp(false), Self::sbmp(true), Self::Mfu, Self::Ia, Self::Kahn, Self::Ta];
        all.into_iter().filter(|it| it.name() != self.name()).collect()
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sbmp { paths: false, .. } => "sbmp",
            Self::Sbmp { paths: true, .. } => "co-pamp",
            Self::Mfu => "mfu",
            Self::Ia => "ia",
            Self::Kahn => "kahn",
            Self::Ta => "ta",
            Self::Fixed(_) => "fixed",
        }
    }
}

/// How the CPU target of an autoscaler is told to the original's cost model: not at all.
pub const COMPAT_CPU_TARGET: f64 = 0.6;

impl PlacerSettings {
    /// Whether it is the original with its quirks.
    #[must_use]
    pub const fn compat(&self) -> bool {
        self.controller.compat
    }

    /// The number of a service among those that it may move.
    #[must_use]
    pub fn number_of(&self, service: ServiceId) -> Option<usize> {
        self.services.iter().position(|it| it.service == service)
    }
}
