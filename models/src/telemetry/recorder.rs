//! Everything that is measured in a cluster goes through here: the code that acts says what happened, and the
//! recorder tells whichever of its sinks want to know.
//!
//! # Models
//! Each method is something that happens. Its sinks are the request log, what the cluster counts over time
//! (`metrics`), what was done for each request (`work`), what a scraper finds of the calls (`call_counters`), who sent how much to whom (`traffic_matrix`, `link_traffic`),
//! samples (`time_series`), how full the cells were (`quarters`), what controllers did (`control_log`) and what befell chosen requests (`trace`). A sink that nobody asked for costs a branch.

use super::call_counters::{CallCounters, CallCounts};
use super::control_log::{
    ControlLog, OffloadingDecision, OffloadingSample, PodRecord, PushRecord, ScalingDecision,
};
use super::decision::{Decision, What};
use super::exporters::Exporters;
use super::exporters::samples::Samples;
use super::link_traffic::{LinkTraffic, LinkUse};
use super::metrics::{Counter, Metrics};
use super::quarters::Quarters;
use super::request_log::{RequestLog, RequestRow};
use super::scrapes::{Client, ClientCounters, SeriesId};
use super::slices::Slices;
use super::time_series::{CallSample, ClientView, LinkSample, ServiceSample, TimeSeries};
use super::trace::{Entry, Lane, TraceLog, Tracer};
use super::traffic_matrix::{Direction, Traffic, TrafficMatrix};
use super::work::{RequestId, Work, WorkId, WorkLog};
use crate::application::cell::Cell;
use crate::ids::{ClusterId, FlowId, ServiceId};
use crate::kubernetes::metrics_server::Counters;
use crate::request::answer::Status;
use crate::users::open_request::OpenRequest;
use crate::world::topology::Topology;
use meshsim_core::random::Address;
use meshsim_core::{SimDuration, SimTime};
use std::sync::Arc;

/// What is measured in a cluster.
#[derive(Clone, Debug)]
pub struct Recorder {
    log: RequestLog,
    metrics: Metrics,
    work: WorkLog,
    traffic: TrafficMatrix,
    links: LinkTraffic,
    calls: CallCounters,
    /// By each client, if an offloading controller asks for them.
    clients: Option<ClientCounters>,
    /// What Prometheus finds, if somebody wants to have it.
    exporters: Option<Box<Exporters>>,
    /// When each request under way reached its client's proxy, by the slot of its hop, if any of both is kept.
    hop_starts: Option<Vec<SimTime>>,
    series: TimeSeries,
    quarters: Quarters,
    control: ControlLog,
    /// What was decided, if that is kept.
    decisions: Option<Vec<Decision>>,
    /// What befell chosen requests, if there are some.
    trace: Option<Box<TraceLog>>,
    here: ClusterId,
}

impl Recorder {
    /// Of a cluster in which nothing has happened.
    #[must_use]
    pub fn new(cluster: ClusterId, topology: &Topology, slices: Slices) -> Self {
        let description = &topology.description;
        let (services, pods) =
            (description.application.services.len(), topology.pods_at_start(cluster).len());
        let ports = topology.ways.ports(cluster).len();
        let reported_from = SimTime::ZERO + description.warm_up;
        Self {
            log: RequestLog::default(),
            metrics: Metrics::new(slices, reported_from, pods, services),
            work: WorkLog::default(),
            traffic: TrafficMatrix::new(reported_from, topology.flows.table().len()),
            links: LinkTraffic::new(reported_from, ports),
            calls: match description.time_series {
                Some(_) => CallCounters::scraped(topology.flows.table().len()),
                None => CallCounters::default(),
            },
            exporters: description.scraped_every.map(|_| Box::default()),
            hop_starts: (description.scraped_every.is_some() || description.offloading.is_some())
                .then(Vec::new),
            clients: description.offloading.as_ref().map(|_| ClientCounters::default()),
            series: match description.time_series {
                Some(_) => TimeSeries::new(services, pods, ports),
                None => TimeSeries::default(),
            },
            quarters: Quarters::new(pods),
            control: ControlLog::default(),
            decisions: description.keeps_decisions.then(Vec::new),
            trace: None,
            here: cluster,
        }
    }

    /// From now on, what is done for each request is kept.
    pub(crate) fn keep_work(&mut self) {
        self.work = WorkLog::kept();
    }

    /// From now on, all that befalls these requests is kept.
    pub(crate) fn trace(&mut self, chosen: Arc<[RequestId]>) {
        self.work = WorkLog::kept_of(chosen);
        self.trace = Some(Box::default());
    }
}

/// The lives of chosen requests (`trace`).
impl Recorder {
    /// Whether there are chosen requests.
    #[inline(always)]
    pub(crate) const fn traces(&self) -> bool {
        self.trace.is_some()
    }

    /// What befalls an attempt, or a user, is said here, if it is put down to a chosen request.
    #[cold]
    pub(crate) fn tracer(&mut self, of: WorkId, address: Address, lane: Lane) -> Option<Tracer<'_>> {
        let request = self.work.kept_request(of)?;
        Some(Tracer::new(self.trace.as_deref_mut()?, request, address, lane))
    }

    /// The same of a user's request, which is put down to nobody yet.
    #[cold]
    pub(crate) fn tracer_of(&mut self, request: RequestId, address: Address) -> Option<Tracer<'_>> {
        let log = self.trace.as_deref_mut().filter(|_| self.work.keeps(request))?;
        Some(Tracer::new(log, request, address, Lane::User))
    }

    /// Takes all that befell them.
    pub(crate) fn take_trace(&mut self) -> Vec<Entry> {
        self.work.take(|_, _| true);
        self.trace.as_deref_mut().map(TraceLog::take).unwrap_or_default()
    }
}

/// Users.
impl Recorder {
    /// A user sends a request.
    pub(crate) fn user_sent(&mut self) {
        self.log.send();
    }

    /// The last byte of an answer reaches its user, or the user gives up, at `at`.
    pub(crate) fn user_answered(&mut self, request: &OpenRequest, at: SimTime, status: Status) {
        self.log.end(request, at, status);
    }
}

/// The data plane.
impl Recorder {
    /// Work for a user's request begins in this cluster.
    pub(crate) fn work_begins(&mut self, request: RequestId) -> WorkId {
        self.work.begin(request)
    }

    /// Whose work it is, if that is kept.
    pub(crate) fn request_of(&self, work: WorkId) -> RequestId {
        self.work.request(work)
    }

    /// Something is done now, in sum and for the request that it is done for.
    #[inline(always)]
    pub(crate) fn work_done(&mut self, now: SimTime, of: WorkId, count: impl Fn(&mut Work)) {
        count(self.metrics.work_mut(now));
        if let Some(work) = self.work.get_mut(of) {
            count(work);
        }
    }

    /// A proxy has something to count about a service that it calls.
    pub(crate) fn counted(&mut self, now: SimTime, service: ServiceId, counter: Counter) {
        self.metrics.count(now, service, counter);
    }

    /// An attempt of a client, which is no copy for a mirror, goes to a pod of a cluster.
    #[inline]
    pub(crate) fn attempt_sent(&mut self, now: SimTime, to: ClusterId) {
        self.metrics.count_sent(now, to);
    }

    /// A client has an answer, or its caller has given up, so long after it chose the last attempt's endpoint.
    #[inline]
    pub(crate) fn client_answered(&mut self, service: ServiceId, ok: bool, latency: SimDuration) {
        if self.series.is_on() {
            self.series.answered(service, ok, latency);
        }
    }

    /// Whether anybody scrapes what calls came to, in sum, of each client, or of each proxy.
    #[inline]
    pub(crate) const fn counts_calls(&self) -> bool {
        self.calls.is_on() || self.clients.is_some() || self.exporters.is_some()
    }

    /// A call to a cluster is over for its client: its body if it was answered well.
    pub(crate) fn call_ended(
        &mut self,
        server: ClusterId,
        flow: FlowId,
        body: Option<u32>,
        took: SimDuration,
    ) {
        if self.calls.is_on() {
            self.calls.count(server, flow, body, took);
        }
    }

    /// What Prometheus finds here, if somebody wants to have it.
    #[inline]
    pub(crate) fn exporters(&mut self) -> Option<&mut Exporters> {
        self.exporters.as_deref_mut()
    }

    /// The same, to be read beside the rest of the cluster, and given back.
    pub(crate) fn take_exporters(&mut self) -> Option<Box<Exporters>> {
        self.exporters.take()
    }

    /// They are given back.
    pub(crate) fn set_exporters(&mut self, exporters: Box<Exporters>) {
        self.exporters = Some(exporters);
    }

    /// The request of the hop in a slot reaches its client's proxy at `at`.
    #[inline]
    pub(crate) fn hop_begins(&mut self, slot: usize, at: SimTime) {
        if let Some(starts) = &mut self.hop_starts {
            if slot >= starts.len() {
                starts.resize(slot + 1, SimTime::ZERO);
            }
            starts[slot] = at;
        }
    }

    /// When it did, where proxies' requests are counted one by one.
    pub(crate) fn hop_began(&self, slot: usize) -> Option<SimTime> {
        self.hop_starts.as_ref().map(|starts| starts[slot])
    }

    /// Whether anybody scrapes what calls of each client came to.
    pub(crate) const fn counts_clients(&self) -> bool {
        self.clients.is_some()
    }

    /// A call is over for a client: its body if it was answered well.
    pub(crate) fn client_call_ended(&mut self, client: Client, body: Option<u32>, took: SimDuration) {
        if let Some(clients) = &mut self.clients {
            clients.count(client, body, took);
        }
    }

    /// Counters of clients that are no more are forgotten.
    pub(crate) fn keep_clients(&mut self, is_there: impl FnMut(&Client) -> bool) {
        if let Some(clients) = &mut self.clients {
            clients.keep(is_there);
        }
    }

    /// What a scraper finds of the clients of this cluster.
    pub(crate) fn client_series(&self, here: ClusterId) -> impl Iterator<Item = (SeriesId, f64)> {
        self.clients.iter().flat_map(move |clients| clients.series(here))
    }

    /// Of the users here: how many were answered well, how many not, and the durations of the former (ms).
    pub(crate) fn of_users(&self) -> [f64; 3] {
        self.clients.as_ref().map_or([0.0; 3], ClientCounters::of_users)
    }

    /// Bytes of good answers that clients of this cluster have had from others.
    pub(crate) fn bytes_from_elsewhere(&self, here: ClusterId) -> u64 {
        self.clients.as_ref().map_or(0, |clients| clients.bytes_from_elsewhere(here))
    }

    /// The pod in this slot of the cluster has served a call.
    pub(crate) fn call_served(&mut self, now: SimTime, slot: usize) {
        self.metrics.count_served(now, slot);
    }

    /// The answer to a call of `service` leaves its pod, `time` after the call arrived there.
    pub(crate) fn answer_left(&mut self, now: SimTime, service: ServiceId, time: SimDuration) {
        self.metrics.add_answer(now, service, time);
    }

    /// An answer of another cluster is there, after so much time on the way there and back.
    pub(crate) fn crossing_answered(&mut self, now: SimTime, time: SimDuration) {
        self.metrics.add_crossing(now, time);
    }

    /// A proxy used CPU time (ns).
    pub(crate) fn proxy_used_cpu(&mut self, now: SimTime, nanos: f64) {
        self.metrics.add_proxy_cpu(now, nanos);
    }

    /// A gateway between clusters used CPU time (ns).
    pub(crate) fn gateway_used_cpu(&mut self, now: SimTime, nanos: f64) {
        self.metrics.add_gateway_cpu(now, nanos);
    }

    /// An istiod used CPU time (ns).
    pub(crate) fn istiod_used_cpu(&mut self, now: SimTime, nanos: f64) {
        self.metrics.add_istiod_cpu(now, nanos);
    }

    /// An istiod used so many cores all the time from a moment to another.
    pub(crate) fn istiod_rested(&mut self, from: SimTime, to: SimTime, cores: f64) {
        self.metrics.add_istiod_rest(from, to, cores);
    }

    /// Something of a call within the cluster is on its way.
    #[inline]
    pub(crate) fn sent_here(&mut self, now: SimTime, flow: FlowId, direction: Direction, sent: Traffic) {
        self.traffic.sent_here(now, flow, direction, sent);
    }

    /// Something of a call whose other end is in another cluster is on its way there, for the request of an entry.
    #[inline]
    pub(crate) fn crossed(
        &mut self,
        now: SimTime,
        of: WorkId,
        (other, flow): (ClusterId, FlowId),
        direction: Direction,
        sent: Traffic,
    ) {
        self.work_done(now, of, |work| {
            work.cross_payload += sent.payload;
            work.cross_wire += sent.wire;
        });
        self.traffic.sent_to(now, other, flow, direction, sent);
    }

    /// A message enters the link of a port.
    #[inline]
    pub(crate) fn link_entered(&mut self, now: SimTime, port: u32, what: LinkUse, wire_bytes: u32) {
        self.links.enters(now, port, what, wire_bytes);
    }

    /// A handshake with a server in another cluster begins, of so many bytes to it and back.
    pub(crate) fn connects(&mut self, now: SimTime, server: ClusterId, bytes: [u32; 2]) {
        self.links.connects(now, server, bytes);
    }
}

/// Control.
impl Recorder {
    /// An application was given CPU time to start with (ns).
    pub(crate) fn start_used_cpu(&mut self, now: SimTime, nanos: f64) {
        self.metrics.add_start_cpu(now, nanos);
    }

    /// A pod was made, which has the next slot.
    pub(crate) fn pod_is_made(&mut self) {
        self.metrics.add_pod();
        self.series.add_pod();
        self.quarters.add_pod();
    }

    /// A pod came, went, or got further.
    pub(crate) fn pod_stepped(&mut self, record: PodRecord) {
        self.control.pods.push(record);
    }

    /// An autoscaler was synced.
    pub(crate) fn autoscaler_decided(&mut self, decision: ScalingDecision) {
        self.control.decisions.push(decision);
    }

    /// An offloading controller has asked its strategy.
    pub(crate) fn offloading_decided(&mut self, decision: OffloadingDecision) {
        self.control.offloading.push(decision);
    }

    /// What offloading came to was sampled.
    pub(crate) fn offloading_sampled(&mut self, sample: OffloadingSample) {
        self.control.offloading_samples.push(sample);
    }

    /// An istiod prepares a push: its number.
    pub(crate) fn push_is_prepared(&mut self, push: PushRecord) -> usize {
        self.control.pushes.push(push);
        self.control.pushes.len() - 1
    }

    /// The push of a number reaches its last proxy at `at`.
    pub(crate) fn push_has_reached(&mut self, number: usize, at: SimTime) {
        let push = &mut self.control.pushes[number];
        push.reached = Some(at);
        let (kind, proxies, changed) = (push.kind, push.proxies, push.changed);
        self.decided_since(at, changed, What::PushEnds(kind, proxies));
    }

    /// Somebody has decided something.
    #[inline]
    pub(crate) fn decided(&mut self, now: SimTime, what: What) {
        if let Some(decisions) = &mut self.decisions {
            decisions.push(Decision { at: now, cluster: self.here, noticed: None, what });
        }
    }

    /// The same of something that had been noticed before.
    pub(crate) fn decided_since(&mut self, now: SimTime, noticed: SimTime, what: What) {
        if let Some(decisions) = &mut self.decisions {
            decisions.push(Decision { at: now, cluster: self.here, noticed: Some(noticed), what });
        }
    }

    /// A quarter of the run ends, but not the last: tells how many have.
    pub(crate) fn quarter_ended(&mut self, cells: &[Cell], now: SimTime) -> u64 {
        self.quarters.read(cells, now)
    }
}

/// Samples.
impl Recorder {
    /// A sample is taken now: the time since the last one, unless nothing is sampled or no time has passed.
    pub(crate) fn begin_sample(&mut self, now: SimTime) -> Option<SimDuration> {
        self.series.begin(now)
    }

    /// What the clients saw of a service over the `seconds` since the last sample.
    pub(crate) fn clients_since_last(&mut self, service: ServiceId, seconds: f64) -> ClientView {
        self.series.take_clients(service, seconds)
    }

    /// What the pod in a slot has used and done since the last sample, and in how many CFS periods it was stopped,
    /// as its counters are `now`.
    pub(crate) fn pod_since_last(&mut self, slot: usize, now: (Counters, u64)) -> (Counters, u64) {
        self.series.pod_since_last(slot, now)
    }

    /// For how long a link sent since the last sample, as it has sent for `busy` so far.
    pub(crate) fn link_since_last(&mut self, port: usize, busy: SimDuration) -> SimDuration {
        self.series.link_since_last(port, busy)
    }

    /// What came of the calls since the last sample, by the cluster of the server and the flow.
    pub(crate) fn calls_since_last(&mut self) -> Vec<((ClusterId, FlowId), CallCounts)> {
        self.series.calls_since_last(self.calls.scrape())
    }

    /// A sample of calls was taken.
    pub(crate) fn calls_sampled(&mut self, sample: CallSample) {
        self.series.calls.push(sample);
    }

    /// A sample of a service was taken.
    pub(crate) fn service_sampled(&mut self, sample: ServiceSample) {
        self.series.services.push(sample);
    }

    /// A sample of a link was taken.
    pub(crate) fn link_sampled(&mut self, sample: LinkSample) {
        self.series.links.push(sample);
    }
}

/// What was measured.
impl Recorder {
    /// Memory that grows with the requests (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        // Rows that nobody takes are copied at the end.
        let trace = self.trace.as_deref().map_or(0, TraceLog::bytes);
        let scraped = self.exporters.as_ref().map_or(0, |it| it.samples.bytes());
        self.log.bytes() + size_of_val(self.log.rows()) + self.work.bytes() + trace + scraped
    }

    /// The requests of the cluster's users.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        &self.log
    }

    /// Takes the requests that have ended since they were last taken.
    pub(crate) fn take_requests(&mut self) -> impl Iterator<Item = RequestRow> {
        self.log.take()
    }

    /// Takes the work of requests that `each` accepts; nothing may be done for them any more.
    pub(crate) fn take_work(&mut self, each: impl FnMut(RequestId, &Work) -> bool) {
        self.work.take(each);
    }

    /// What it counted over time.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Takes what makes up a report, with no copy of it: what it counted, what its controllers did, and its samples.
    pub(crate) fn take_report(&mut self) -> (Metrics, ControlLog, TimeSeries) {
        (self.metrics.take(), std::mem::take(&mut self.control), std::mem::take(&mut self.series))
    }

    /// What its controllers have done.
    #[must_use]
    pub const fn control(&self) -> &ControlLog {
        &self.control
    }

    /// Takes what was scraped; nothing where nobody wants it.
    pub(crate) fn take_samples(&mut self) -> Samples {
        self.exporters.as_mut().map(|it| std::mem::take(&mut it.samples)).unwrap_or_default()
    }

    /// What was decided; nothing where that is not kept.
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        self.decisions.as_deref().unwrap_or_default()
    }

    /// What it did for each request, if that is kept.
    #[must_use]
    pub fn work(&self) -> &WorkLog {
        &self.work
    }

    /// How full its cells were in each quarter of the run.
    #[must_use]
    pub fn quarters(&self) -> &Quarters {
        &self.quarters
    }

    /// Who sent how much to whom.
    #[must_use]
    pub fn traffic(&self) -> &TrafficMatrix {
        &self.traffic
    }

    /// What its links carried.
    #[must_use]
    pub fn links(&self) -> &LinkTraffic {
        &self.links
    }
}
