//! What Prometheus finds in a cluster: counters of proxies and cells, and the samples that its scrapes have left.
//!
//! # Models
//! Proxies count what Istio's telemetry counts (`http`), cells what µBench's does (`cells`), by instance: a pod that comes
//! begins at zero, one that goes takes its counters along. They are kept where somebody scrapes; otherwise each costs a
//! branch. Replicas of istiod count what they do (`istiod`), interfaces of pods and tunnels their bytes (`carried`). A scrape
//! copies all with its time (`samples`); `cluster/scraping` makes it, target by target, and reads what kubelets and API servers
//! know besides.
//!
//! # Source
//! istio/proxy, `source/extensions/filters/http/istio_stats/istio_stats.cc`; mSvcBench/muBench,
//! `ServiceCell/CellController-mp.py`.

pub mod carried;
pub mod cells;
pub mod envoy;
pub mod http;
pub mod instance;
pub mod istiod;
pub mod observed;
pub mod samples;
pub mod streams;

use self::carried::{Carried, Way};
use self::cells::{CellCounts, Moments};
use self::envoy::{EnvoyCounts, Happens};
use self::http::{HttpCounts, HttpSeries};
use self::instance::{Instance, PodName};
use self::istiod::IstiodCounts;
use self::samples::Samples;
use self::streams::StreamCounts;
use crate::ids::{EndpointId, ServiceId};
use meshsim_core::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// What somebody scrapes of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Exporters {
    http: BTreeMap<HttpSeries, HttpCounts>,
    streams: BTreeMap<HttpSeries, StreamCounts>,
    /// By proxy, and the service that it calls; absent: the application beside.
    envoy: BTreeMap<(Instance, Option<ServiceId>), EnvoyCounts>,
    cells: BTreeMap<(PodName, EndpointId), CellCounts>,
    /// By replica.
    istiod: Vec<IstiodCounts>,
    interfaces: BTreeMap<PodName, Carried>,
    /// By port.
    tunnels: Vec<Carried>,
    /// How far each call in a cell is, by its slot.
    calls: Vec<Moments>,
    /// What earlier pods of each slot have used of the CPU (ns): their applications, their sidecars.
    used_before: Vec<[f64; 2]>,
    /// What was scraped.
    pub samples: Samples,
}

impl Exporters {
    /// A proxy has a request behind it, which took so long, with so many bytes of it and of its answer.
    pub(crate) fn count_request(&mut self, series: HttpSeries, took: SimDuration, bytes: [u32; 2]) {
        self.http.entry(series).or_default().count(took, bytes);
    }

    /// A proxy has more of streams behind it.
    pub(crate) fn count_stream(&mut self, series: HttpSeries, more: StreamCounts) {
        self.streams.entry(series).or_default().add(&more);
    }

    /// Something happens between a proxy and an upstream cluster: a service, or the application beside.
    pub(crate) fn count_upstream(&mut self, of: (Instance, Option<ServiceId>), what: Happens) {
        self.envoy.entry(of).or_default().count(what);
    }

    /// How far the call in a slot is.
    pub(crate) fn moments_mut(&mut self, slot: usize) -> &mut Moments {
        at_slot(&mut self.calls, slot)
    }

    /// A cell has answered the call in a slot with such a body, well or not.
    pub(crate) fn cell_answers(
        &mut self,
        slot: usize,
        (pod, endpoint): (PodName, EndpointId),
        now: SimTime,
        body: Option<u32>,
    ) {
        let moments = *at_slot(&mut self.calls, slot);
        self.cells.entry((pod, endpoint)).or_default().count(&moments, now, body);
    }

    /// What a replica of istiod counts.
    pub(crate) fn istiod_mut(&mut self, replica: usize) -> &mut IstiodCounts {
        at_slot(&mut self.istiod, replica)
    }

    /// Bytes pass the interface of a pod.
    pub(crate) fn interface_carries(&mut self, pod: PodName, way: Way, bytes: u32) {
        self.interfaces.entry(pod).or_default().count(way, bytes);
    }

    /// What has passed the interface of a pod.
    pub(crate) fn interface(&self, pod: PodName) -> Carried {
        self.interfaces.get(&pod).copied().unwrap_or_default()
    }

    /// Bytes pass the tunnel of a port.
    pub(crate) fn tunnel_carries(&mut self, port: u32, way: Way, bytes: u32) {
        at_slot(&mut self.tunnels, port as usize).count(way, bytes);
    }

    /// What has passed the tunnel of a port.
    pub(crate) fn tunnel(&self, port: u32) -> Carried {
        self.tunnels.get(port as usize).copied().unwrap_or_default()
    }

    /// What earlier pods of a slot have used of the CPU (ns): their applications, their sidecars.
    pub(crate) fn used_before(&mut self, slot: usize) -> &mut [f64; 2] {
        at_slot(&mut self.used_before, slot)
    }

    /// A proxy starts anew, and its counters with it.
    pub(crate) fn proxy_restarts(&mut self, restarted: Instance) {
        self.http.retain(|series, _| series.instance != restarted);
        self.streams.retain(|series, _| series.instance != restarted);
        self.envoy.retain(|(instance, _), _| *instance != restarted);
    }

    /// A cell starts anew, and its counters with it.
    pub(crate) fn cell_restarts(&mut self, restarted: PodName) {
        self.cells.retain(|(pod, _), _| *pod != restarted);
    }

    /// Counters of pods that are no more go with them.
    pub(crate) fn keep(&mut self, is_there: impl Fn(PodName) -> bool) {
        self.http.retain(|series, _| series.instance.pod().is_none_or(&is_there));
        self.streams.retain(|series, _| series.instance.pod().is_none_or(&is_there));
        self.envoy.retain(|(instance, _), _| instance.pod().is_none_or(&is_there));
        self.cells.retain(|(pod, _), _| is_there(*pod));
        self.interfaces.retain(|pod, _| is_there(*pod));
    }

    /// The proxies that `is_due` names are scraped.
    pub(crate) fn scrape_proxies(&mut self, now: SimTime, is_due: impl Fn(Instance) -> bool) {
        for (series, counts) in self.http.iter().filter(|(series, _)| is_due(series.instance)) {
            self.samples.http.entry(*series).or_default().push((now, counts.clone()));
        }
        for (series, counts) in self.streams.iter().filter(|(series, _)| is_due(series.instance)) {
            self.samples.streams.entry(*series).or_default().push((now, *counts));
        }
        for (of, counts) in self.envoy.iter().filter(|((instance, _), _)| is_due(*instance)) {
            self.samples.envoy.entry(*of).or_default().push((now, *counts));
        }
    }

    /// A replica of istiod is scraped, to which so many proxies are connected.
    pub(crate) fn scrape_istiod(&mut self, now: SimTime, replica: u32, connected: u32) {
        let counts = IstiodCounts { connected, ..*self.istiod_mut(replica as usize) };
        self.samples.istiod.entry(replica).or_default().push((now, counts));
    }

    /// The cells of pods that `is_due` names are scraped.
    pub(crate) fn scrape_cells(&mut self, now: SimTime, is_due: impl Fn(PodName) -> bool) {
        for (of, counts) in self.cells.iter().filter(|((pod, _), _)| is_due(*pod)) {
            self.samples.cells.entry(*of).or_default().push((now, *counts));
        }
    }
}

fn at_slot<T: Clone + Default>(all: &mut Vec<T>, slot: usize) -> &mut T {
    if slot >= all.len() {
        all.resize(slot + 1, T::default());
    }
    &mut all[slot]
}
