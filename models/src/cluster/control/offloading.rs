//! Offloading controllers look and act: lets `offloading` ask Prometheus and the API servers, and passes on what it orders.
//!
//! # Models
//! A controller stands in the cluster that services are taken from. What it knows of its edge crosses the link: scrapes of
//! the counters there, with the times at which they were made, and the status of the autoscalers, which these write when
//! they are synced. Nothing is scraped of a cluster while the way there or back is cut. What it orders crosses the link too
//! and is applied at the edge as `kubectl` does it: a Deployment with its autoscaler is made, with so many pods, or deleted.
//! From there on scheduling, images, readiness and pushes go their own way.
//!
//! # Assumptions
//! - The status of a Deployment without an autoscaler is told as if it had one that never changes it.
//! - A scrape takes no bytes of the link beside those of `telemetry/central`, and all targets of a cluster are scraped at the
//!   same moment.
//! - An order that reaches an API server which is down is lost, as `kubectl` fails.
//!
//! # Source
//! mSvcBench/muPlacer `GMA.py`, `apply_configuration`, `get_app_names_and_current_replicas`; Prometheus, `scrape_interval`.

use super::offloading_desk::{Desk, Offloading, Status, side};
use super::state::Control;
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::news::OffloadingNews;
use crate::draws::{Purpose, draw};
use crate::ids::{ClusterId, ServiceId};
use crate::kubernetes::settings::ChangeKind;
use crate::offloading::belief::ask;
use crate::offloading::controller::{Action, Area, ControllerState, Delays, Scaled, Surroundings};
use crate::offloading::queries::Queries;
use crate::offloading::settings::{ManagedService, PlacerSettings};
use crate::telemetry::control_log::OffloadingDecision;
use crate::telemetry::decision::What;
use crate::telemetry::scrapes::Scrapes;
use crate::world::topology::Topology;
use meshsim_core::random::uniform;

impl Control {
    /// What Prometheus has here for offloading controllers.
    #[must_use]
    pub fn scrapes(&self) -> Option<&Scrapes> {
        self.offloading.as_ref().map(|it| &it.scrapes)
    }

    /// Controllers here are told something else from now on.
    pub(in crate::cluster) fn adopt_offloading(&mut self, topology: &Topology) {
        let told = topology.description.offloading.as_ref().zip(self.offloading.as_mut());
        if let Some((settings, offloading)) = told {
            for (number, controller, _) in &mut offloading.controllers {
                controller.adopt(settings.controllers[*number as usize].controller);
            }
        }
    }

    /// What was handed for another cluster under a number.
    pub(in crate::cluster) fn offloading_news(&mut self, number: u32) -> Option<OffloadingNews> {
        let outbox = &mut self.offloading.as_mut()?.outbox;
        let news = outbox.get(number as usize).copied();
        if number as usize + 1 == outbox.len() {
            outbox.clear();
        }
        news
    }

    /// Another cluster tells, or orders, something.
    pub(in crate::cluster) fn takes_offloading(&mut self, at: &mut Around<'_>, news: OffloadingNews) {
        let OffloadingNews::Order { service, replicas } = news else {
            if let Some(offloading) = &mut self.offloading {
                offloading.learns(news);
            }
            return;
        };
        if at.has_api_server() {
            let kind = if replicas == 0 { ChangeKind::Remove } else { ChangeKind::Offload(replicas) };
            self.apply_change(at, service, kind);
        }
    }

    /// The status of a Deployment, or of its autoscaler, is written: whoever steers it learns of that.
    pub(super) fn tell_offloading(&mut self, at: &mut Around<'_>, deployment: usize, current: u32) {
        let topology = at.topology;
        let Some(settings) = &topology.description.offloading else { return };
        let Some(mut offloading) = self.offloading.take() else { return };
        let state = &self.deployments[deployment];
        let scaled = state.exists.then_some((current, state.wanted));
        for it in &settings.controllers {
            let is_of_it = [it.edge, it.cluster].contains(&at.here) && it.number_of(state.service).is_some();
            if is_of_it {
                let news = OffloadingNews::Status { edge: at.here, service: state.service, scaled };
                offloading.hand(at, it.cluster, news);
            }
        }
        self.offloading = Some(offloading);
    }

    /// A controller wakes up.
    pub(in crate::cluster) fn offloading_wakes(&mut self, at: &mut Around<'_>, number: u32) {
        let topology = at.topology;
        let Some(settings) = &topology.description.offloading else { return };
        let Some(mut offloading) = self.offloading.take() else { return };
        let longest = settings.controllers.iter().map(|it| it.query_period).max().unwrap_or_default();
        let Offloading { scrapes, status, controllers, .. } = &mut *offloading;
        scrapes.forget(at.now, longest);
        let mut orders = Vec::new();
        if let Some((_, controller, desk)) = controllers.iter_mut().find(|(it, ..)| *it == number) {
            let settings = &settings.controllers[number as usize];
            let mut looks = Looks {
                control: &mut *self,
                at: &mut *at,
                scrapes,
                status,
                desk,
                settings,
                orders: &mut orders,
            };
            let sleeps = controller.wake(&mut looks);
            at.schedule(at.now.saturating_add(sleeps), Event::OffloadingWakes(number));
        }
        for (to, order) in orders {
            offloading.hand(at, to, order);
        }
        self.offloading = Some(offloading);
    }
}

/// A controller that looks around.
struct Looks<'a, 'b> {
    control: &'a mut Control,
    at: &'a mut Around<'b>,
    scrapes: &'a Scrapes,
    status: &'a Status,
    desk: &'a mut Desk,
    settings: &'a PlacerSettings,
    orders: &'a mut Vec<(ClusterId, OffloadingNews)>,
}

impl Looks<'_, '_> {
    fn queries(&self) -> Queries<'_> {
        let ids = self.at.topology.pod_ids;
        Queries { scrapes: self.scrapes, settings: self.settings, ids, now: self.at.now }
    }

    /// What a strategy has answered is done: services go first, then others come.
    fn apply(&mut self, before: &[bool], after: &[bool]) {
        let settings = self.settings;
        for (number, it) in settings.services.iter().enumerate().filter(|(number, _)| before[*number]) {
            if !after[number] {
                let scaling = self.desk.measured.scaling;
                let [at_edge, in_cloud] = [Area::Edge, Area::Cloud].map(|area| self.replicas(area, number));
                // Where only other edges have users the original divides by zero, and scales to the most.
                let more = (f64::from(at_edge) / scaling).ceil();
                let pods = clamp(f64::from(in_cloud) + more, it.sides[side(Area::Cloud)].bounds);
                self.control.apply_change(self.at, it.service, ChangeKind::Scale(pods));
                self.orders.push((settings.edge, OffloadingNews::Order { service: it.service, replicas: 0 }));
            }
        }
        for (number, it) in settings.services.iter().enumerate().filter(|(number, _)| after[*number]) {
            if !before[number] {
                let wanted =
                    (self.desk.measured.scaling * f64::from(self.replicas(Area::Cloud, number))).ceil();
                let replicas = clamp(wanted, it.sides[side(Area::Edge)].bounds).max(1);
                self.orders.push((settings.edge, OffloadingNews::Order { service: it.service, replicas }));
            }
        }
    }

    fn replicas(&self, area: Area, number: usize) -> u32 {
        self.desk.replicas[side(area)][number]
    }
}

/// A number of pods within bounds.
fn clamp(wanted: f64, (least, most): (u32, u32)) -> u32 {
    wanted.clamp(f64::from(least), f64::from(most)) as u32
}

impl Surroundings for Looks<'_, '_> {
    fn autoscalers(&mut self, area: Area) -> Option<Vec<Scaled>> {
        if !self.at.has_api_server() {
            return None;
        }
        let cluster = if area == Area::Edge { self.settings.edge } else { self.settings.cluster };
        let scaled = |(number, it): (usize, &ManagedService)| {
            let &(current, desired) = self.status.get(&(cluster, it.service))?;
            Some(Scaled { service: number, current, desired })
        };
        let listed: Vec<Scaled> = self.settings.services.iter().enumerate().filter_map(scaled).collect();
        let replicas = &mut self.desk.replicas[side(area)];
        replicas.fill(0);
        listed.iter().for_each(|it| replicas[it.service] = it.current);
        Some(listed)
    }

    fn delays(&mut self) -> Option<Delays> {
        self.queries().delays()
    }

    fn enters(&mut self, state: ControllerState) {
        if std::mem::replace(&mut self.desk.state, state) != state {
            self.at.recorder.decided(self.at.now, What::OffloadingState(self.settings.edge, state));
        }
    }

    fn acts(&mut self, action: Action) {
        let settings = self.settings;
        let mut measured = std::mem::take(&mut self.desk.measured);
        self.queries().refresh(&mut measured);
        let before: Vec<bool> = self.desk.replicas[side(Area::Edge)].iter().map(|&pods| pods > 0).collect();
        let here = self.at.topology.draws.of_cluster(self.at.here, 0);
        let address = here.child(u64::from(settings.edge.0)).child(self.desk.decisions);
        let answer_of = |settings: &PlacerSettings| {
            let mut numbers = draw(address, Purpose::OffloadingTraces);
            ask(settings, &measured, &before, action, &mut || uniform(&mut numbers))
        };
        let names = |set: &[bool]| -> Vec<ServiceId> {
            settings.services.iter().zip(set).filter(|(_, there)| **there).map(|(it, _)| it.service).collect()
        };
        let answer = answer_of(settings);
        let others = settings.policy.others().into_iter().filter(|_| settings.asks_others).map(|policy| {
            let name = policy.name().to_owned();
            (name, answer_of(&PlacerSettings { policy, ..settings.clone() }).edge.map(|set| names(&set)))
        });
        let others = others.collect();
        let delays = self.queries().delays().unwrap_or(Delays { mean: action.measured, quantile: 0.0 });
        let inputs = measured.inputs(settings, delays);
        self.desk.decisions += 1;
        self.desk.measured = measured;
        self.at.recorder.offloading_decided(OffloadingDecision {
            at: self.at.now,
            edge: settings.edge,
            policy: settings.policy.name().to_owned(),
            offloads: action.offloads,
            measured_ms: action.measured,
            target_ms: action.target,
            inputs,
            before: names(&before),
            after: answer.edge.as_ref().map(|set| names(set)).map_err(|why| *why),
            believed: answer.believed,
            others,
        });
        if let Ok(after) = &answer.edge {
            self.apply(&before, &after[..before.len()]);
        }
    }
}
