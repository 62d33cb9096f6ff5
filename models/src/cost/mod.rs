//! What a run costs: prices of CPU, memory and traffic, power of nodes and links, and the carbon of their electricity.
//!
//! # Models
//! - *Prices* are a cluster's: of a core and of a GiB of memory per hour, and of a GB that leaves its links or comes in. CPU and memory
//!   are paid for as pods request them, from the moment at which a node takes a pod to its end; or CPU as it is used. What has
//!   no request (gateways, waypoints, ztunnels, istiod) is paid for as it is used.
//! - *Power* is a node's: what it takes idle and at full load, and between ([`power`]). A link takes so much energy per GB that it
//!   carries, either way.
//! - *Carbon* is that of electricity, per kWh, constant or by the hour of the day ([`carbon`]).
//!
//! # Assumptions
//! - A cluster's CPU is spread over its nodes as their cores are. Effect: none where nodes are alike and power is linear.
//! - A node's power is that at its mean load over the reported time, or over an hour of the day where carbon changes with it.
//!   Effect: none where power is linear; where it bends, a load that varies takes less or more by that.
//! - Memory is paid for as it is requested, also where CPU is as it is used.
//! - What users are sent is not priced: it leaves the cluster that they come to, the same under every strategy.
//! - A link's electricity is taken at both its ends, half and half, where it has no carbon of its own.
//! - Cooling and losses of power supplies count only where a node's figures have them.
//!
//! # Source
//! Barroso, Hölzle, "The case for energy-proportional computing" (IEEE Computer 40, 2007: power between idle and full); SPEC,
//! SPECpower_ssj2008 (power at eleven loads); Aslan, Mayers, Koomey, France, "Electricity intensity of internet data
//! transmission" (J. Ind. Ecol. 22, 2018: energy per GB).

pub mod carbon;
pub mod power;

use crate::ids::ClusterId;
use carbon::CarbonIntensity;
use meshsim_core::{SimDuration, Table};
use power::PowerCurve;

/// What is said of costs.
#[derive(Clone, Debug, Default)]
pub struct CostSettings {
    /// Of clusters.
    pub clusters: Table<ClusterId, ClusterCost>,
    /// Of links.
    pub links: Vec<LinkCost>,
    /// The time of day at which the run begins.
    pub begins: SimDuration,
}

/// What is said of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterCost {
    /// What it takes for what it gives.
    pub prices: Option<Prices>,
    /// The power of each of its nodes.
    pub power: Option<Vec<PowerCurve>>,
    /// Of its electricity.
    pub carbon: Option<CarbonIntensity>,
}

/// What is said of a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkCost {
    /// Energy per GB that it carries (Wh).
    pub energy_per_gb: Option<f64>,
    /// Of its electricity, if not that of its ends.
    pub carbon: Option<CarbonIntensity>,
}

/// Prices in a currency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prices {
    /// Of a core for an hour.
    pub core_hour: f64,
    /// Of a GiB of memory for an hour.
    pub gib_hour: f64,
    /// Of a GB (10^9 bytes) that leaves over a link.
    pub egress_gb: f64,
    /// Of a GB that comes in over a link.
    pub ingress_gb: f64,
    /// What CPU is paid for by.
    pub basis: Basis,
}

/// What CPU is paid for by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// What pods request.
    #[default]
    Requested,
    /// What is used.
    Used,
}

impl CostSettings {
    /// Whether something changes with the hour of the day.
    #[must_use]
    pub fn varies(&self) -> bool {
        let of_clusters = self.clusters.iter().filter_map(|it| it.carbon.as_ref());
        let of_links = self.links.iter().filter_map(|it| it.carbon.as_ref());
        of_clusters.chain(of_links).any(|it| matches!(it, CarbonIntensity::ByHour(_)))
    }
}
