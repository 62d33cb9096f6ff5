//! What a cluster keeps for offloading controllers: those that stand here, what Prometheus has, and what is for others.

use crate::cluster::around::Around;
use crate::cluster::handed::Handed;
use crate::cluster::news::OffloadingNews;
use crate::ids::{ClusterId, ServiceId};
use crate::offloading::controller::{Area, Controller, ControllerState};
use crate::offloading::queries::Measured;
use crate::offloading::settings::{ManagedDeployment, ManagedService, PlacerSettings};
use crate::telemetry::scrapes::Scrapes;
use crate::world::topology::Topology;
use std::collections::BTreeMap;

/// Current and desired pods, as an autoscaler's status says them.
pub(super) type Status = BTreeMap<(ClusterId, ServiceId), (u32, u32)>;

/// What a cluster has to do with offloading controllers.
#[derive(Clone, Debug)]
pub(super) struct Offloading {
    /// What Prometheus has, and the status of autoscalers, for those that stand here.
    pub(super) scrapes: Scrapes,
    pub(super) status: Status,
    /// Those that stand here, by their numbers, with what each knows.
    pub(super) controllers: Vec<(u32, Controller, Desk)>,
    /// For other clusters, until it is passed on.
    pub(super) outbox: Vec<OffloadingNews>,
    /// What the gateways here had counted when they were scraped last: answered well, failed, their durations (ms); and the
    /// bytes that all clients here had got from elsewhere.
    pub(super) counted: [f64; 4],
}

/// What a controller knows beside its own state.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) measured: Measured,
    /// Pods by area and service, as autoscalers said last.
    pub(super) replicas: [Vec<u32>; 2],
    pub(super) decisions: u64,
    pub(super) state: ControllerState,
}

impl Offloading {
    /// As a cluster begins, if there is any controller.
    pub(super) fn new(here: ClusterId, topology: &Topology) -> Option<Box<Self>> {
        let settings = topology.description.offloading.as_ref()?;
        let stand_here = || (0_u32..).zip(&settings.controllers).filter(|(_, it)| it.cluster == here);
        let bounds = |it: &PlacerSettings| {
            [Area::Edge, Area::Cloud]
                .map(|area| it.services.iter().map(|service| service.sides[side(area)].bounds).collect())
        };
        let desk = |it: &PlacerSettings| Desk {
            measured: Measured { scaling: it.default_resource_scaling, ..Measured::default() },
            replicas: [vec![0; it.services.len()], vec![0; it.services.len()]],
            decisions: 0,
            state: ControllerState::Camping,
        };
        let at_start = stand_here().flat_map(|(_, it)| {
            let of = move |service: ManagedService| {
                let told = move |(cluster, side): (ClusterId, ManagedDeployment)| {
                    ((cluster, service.service), (side.at_start, side.at_start))
                };
                [it.cluster, it.edge].into_iter().zip(service.sides).filter(|it| it.1.at_start > 0).map(told)
            };
            it.services.iter().copied().flat_map(of).collect::<Vec<_>>()
        });
        Some(Box::new(Self {
            scrapes: Scrapes::default(),
            status: at_start.collect(),
            controllers: stand_here()
                .map(|(number, it)| (number, Controller::new(it.controller, bounds(it)), desk(it)))
                .collect(),
            outbox: Vec::new(),
            counted: [0.0; 4],
        }))
    }

    /// Something is for the cluster.
    pub(super) fn hand(&mut self, at: &mut Around<'_>, to: ClusterId, news: OffloadingNews) {
        if to == at.here {
            return self.learns(news);
        }
        at.hand(Handed::Offloading { to, number: self.outbox.len() as u32 });
        self.outbox.push(news);
    }

    pub(super) fn learns(&mut self, news: OffloadingNews) {
        match news {
            OffloadingNews::Sample { series, at, value } => self.scrapes.take(series, at, value),
            OffloadingNews::Status { edge, service, scaled } => {
                match scaled {
                    Some(scaled) => self.status.insert((edge, service), scaled),
                    None => self.status.remove(&(edge, service)),
                };
            }
            OffloadingNews::Order { .. } => {}
        }
    }
}

/// Where a service's manifests of an area are.
pub(super) const fn side(area: Area) -> usize {
    match area {
        Area::Cloud => 0,
        Area::Edge => 1,
    }
}
