//! Self times of the services of a scenario: what was measured, and what a run takes.

use super::match_laws::Moving;
use super::resample::Observation;
use super::self_time::self_times;
use super::split::split_at;
use super::written_law::setting;
use crate::analysis::demand::demand_ms_per_request;
use crate::document::Setting;
use crate::experiment::{Watch, lives};
use crate::lives::Told;
use crate::lives::choice::Several;
use crate::lives::read_back::Tracer;
use crate::problem::{Checked, Problem};
use crate::resolve::Resolved;
use crate::scenario::Scenario;
use crate::traces::Trace;
use crate::traces::model::Side;
use meshsim_core::{SimTime, Table};
use meshsim_models::application::call_graph::Application;
use meshsim_models::ids::EndpointId;
use meshsim_models::telemetry::work::RequestId;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Requests whose self times are simulated: more say nothing that measured ones could tell.
const MOST_REQUESTS: usize = 4_000;

/// So many are simulated, however few were measured.
const LEAST_REQUESTS: usize = 1_000;

/// What of a service was measured, and what the scenario says of it.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) service: String,
    /// For so long the service sleeps by its work model (ms), which is taken off self times.
    pub(super) sleep_ms: f64,
    /// CPU time of a request's calls to it by the scenario (ms at CPU scale 1).
    pub(super) demand_ms: f64,
    /// How often a request calls it.
    pub(super) visits: f64,
    pub(super) fitted: Vec<Observation>,
    /// The same, ascending (ms).
    pub(super) sorted: Vec<f64>,
    /// Those that were held out, ascending (ms).
    pub(super) held_out: Vec<f64>,
}

/// What is to be explained.
pub(super) struct Spans<'a> {
    pub(super) trace: &'a Trace,
    pub(super) name: &'a str,
    /// Those that begin before are left out (us since 1970).
    pub(super) from_us: u64,
    pub(super) holdout: f64,
}

/// The scenario that is to take the same self times.
pub(super) struct Simulator<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) strategy: Option<usize>,
    pub(super) seed: Option<u64>,
    pub(super) watch: &'a Watch<'a>,
}

/// Self times of a run by service; nothing if it was told to stop.
pub(super) type Ran = Checked<Option<Vec<Vec<Observation>>>>;

impl Simulator<'_> {
    /// Requests at equal distances in time, so many at most. Nothing if it was told to stop.
    pub(super) fn chosen(&self, base: &Resolved, count: usize) -> Option<Vec<RequestId>> {
        let count = count.clamp(LEAST_REQUESTS, MOST_REQUESTS);
        let mut base = base.clone();
        base.description.seed = self.seed.unwrap_or(base.description.seed);
        let rows = lives::requests(&base, 0, self.watch)?;
        Some(Several::Sampled.of(&rows, SimTime::ZERO + base.description.warm_up, count))
    }

    /// Self times of these requests in a run under these laws, by service, as spans that such a tracer makes tell them. Nothing if it was
    /// told to stop.
    pub(super) fn self_times(
        &self,
        measured: &[Measured],
        laws: &[Moving],
        tracer: Tracer,
        chosen: &[RequestId],
    ) -> Ran {
        let settings: Vec<Setting> =
            measured.iter().zip(laws).map(|(it, law)| setting(&it.service, &law.law)).collect();
        let mut resolved = self.scenario.with_for("the law fitted to", &settings)?.resolve(self.strategy)?;
        resolved.description.seed = self.seed.unwrap_or(resolved.description.seed);
        let Some(told) = Told::new(&resolved, chosen.to_vec(), self.watch) else { return Ok(None) };
        let mut times = own_times(&resolved.description.application, &told.trace(tracer));
        let of_service = |it: &Measured| {
            let times = times.remove(&it.service).unwrap_or_default();
            awake(&times, it.sleep_ms)
        };
        Ok(Some(measured.iter().map(of_service).collect()))
    }
}

/// What was measured of each service of the scenario.
pub(super) fn measured(
    base: &Resolved,
    spans: &Spans<'_>,
    notes: &mut Vec<String>,
) -> Checked<Vec<Measured>> {
    let description = &base.description;
    let application = &description.application;
    let requests = description.populations.first().map(|it| &it.requests);
    let demand = requests.and_then(|it| demand_ms_per_request(description, it));
    let visits = requests.and_then(|it| application.expected_visits(it.shares()).ok());
    let scale = description.cell.costs.cpu_scale;
    let scale = if scale > 0.0 { scale } else { 1.0 };
    let mut all = Vec::new();
    for (service, mut observations) in own_times(application, spans.trace) {
        observations.retain(|(at, _)| *at >= spans.from_us);
        let Some(id) = application.service_named(&service) else {
            notes.push(format!("spans of `{service}` in {} are of no service of the scenario", spans.name));
            continue;
        };
        let endpoint = application.services[id].endpoint;
        let pause = application.endpoints[endpoint].internal.pause(&description.cell.costs);
        let sleep_ms = pause.as_millis_f64();
        notes.extend(note_sleep(&service, &observations, sleep_ms));
        let awake = awake(&observations, sleep_ms);
        let (fitted, held_out) = awake.split_at(split_at(&awake, |(at, _)| *at, spans.holdout));
        if fitted.is_empty() {
            continue;
        }
        let own = |of: &Option<Table<EndpointId, f64>>| {
            let all = application.services[id].endpoints();
            of.as_ref().map_or(0.0, |of| all.map(|it| of[it]).sum())
        };
        all.push(Measured {
            demand_ms: own(&demand) / scale,
            visits: own(&visits),
            sorted: sorted(fitted),
            held_out: sorted(held_out),
            fitted: fitted.to_vec(),
            service,
            sleep_ms,
        });
    }
    if all.is_empty() {
        let known: Vec<&str> = application.services.iter().map(|it| it.name.as_str()).collect();
        let problem =
            Problem::new(format!("{}: has no server span of a service of the scenario", spans.name));
        return Err(problem.help(format!("the services are {}", known.join(", "))).into());
    }
    Ok(all)
}

/// Self times by the names of the application.
fn own_times(application: &Application, trace: &Trace) -> BTreeMap<String, Vec<Observation>> {
    let calls = |from: &str, to: &str| {
        let [from, to] = [from, to].map(|name| application.service_named(name));
        from.zip(to).is_some_and(|(from, to)| application.calls(from, to))
    };
    let named = Trace::named_as(Cow::Borrowed(trace), |name| application.service_named(name).is_some());
    self_times(&named, calls)
}

/// Who made the spans.
pub(super) fn tracer(trace: &Trace) -> Tracer {
    Tracer {
        by_proxies: trace.reading.by_proxies,
        of_clients: trace.spans.iter().any(|it| it.side == Side::Client),
    }
}

fn awake(observations: &[Observation], sleep_ms: f64) -> Vec<Observation> {
    observations.iter().map(|&(at, ms)| (at, (ms - sleep_ms).max(0.0))).collect()
}

/// Who sleeps takes at least that long: else the work model is of another application than the trace.
fn note_sleep(service: &str, observations: &[Observation], sleep_ms: f64) -> Option<String> {
    let below = observations.iter().filter(|(_, ms)| *ms < sleep_ms).count();
    (below > 0).then(|| {
        format!(
            "{below} of {} self times of `{service}` are below the {sleep_ms} ms for which its work model sleeps or waits \
             for its disk, and count as 0: set sleep_stress there to what the traced service does, \"run\": false if it \
             does not sleep",
            observations.len()
        )
    })
}

pub(super) fn sorted(observations: &[Observation]) -> Vec<f64> {
    let mut values: Vec<f64> = observations.iter().map(|(_, ms)| *ms).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}
