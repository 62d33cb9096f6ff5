//! One run of a drill, and how it differs from the undisturbed run over the same requests.
//!
//! # Models
//! Request k is the same request in both runs. A request fails because of a failure if it has no good answer, where
//! it has one undisturbed. Time is looked at in windows of some seconds, by the requests' arrivals: a window is
//! disturbed if at least a hundredth of its requests more fail than undisturbed.
//!
//! # Assumptions
//! - Closed loops send other requests at other times once one is late: of these, only how many fail is compared.
//! - What noticed the failure first is the first decision that the undisturbed run does not have, which may, rarely,
//!   be another one that came of other chance.

use super::times::DrillTimes;
use crate::experiment::replication::Figures;
use crate::resolve::Resolved;
use meshsim_core::{Id, SimDuration, SimTime};
use meshsim_models::ids::{ClusterId, ServiceId};
use meshsim_models::pod_id::PodIds;
use meshsim_models::telemetry::decision::{Decision, What};
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::world::description::Description;
use std::collections::{BTreeMap, BTreeSet};

/// Length of the windows in which disturbances are looked for.
const WINDOW: SimDuration = SimDuration::from_secs(1);

/// A share of failures that is a disturbance.
const DISTURBED: f64 = 0.01;

/// How much longer the mean latency may be where all is as before.
const AS_BEFORE: f64 = 1.1;

/// What users got in a run, reduced.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// By population and window.
    windows: Vec<Vec<Window>>,
    /// Latencies of good answers to requests that arrived during the failure (ns).
    latencies: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    offered: u32,
    failed: u32,
    /// Of good answers (ns).
    latency: u64,
}

/// What a failure came to in a replication.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// By population: the shares of its requests that fail because of it, during and after.
    pub(super) failing: Vec<[f64; 2]>,
    /// The same of all users.
    pub(super) failing_all: [f64; 2],
    /// How long after the failure it was noticed (s).
    pub(super) noticed: Option<f64>,
    /// How long after the failure users were served again (s); absent: not before its end.
    pub(super) moved: Option<f64>,
    /// How long after its end all was as before (s); absent: not before that of the run.
    pub(super) restored: Option<f64>,
    /// p95 of good answers to requests of the meantime, disturbed and undisturbed (ms).
    pub(super) p95_ms: [f64; 2],
    pub(super) evictions: f64,
    /// Services without any ready endpoint at some time.
    pub(super) without_endpoints: BTreeSet<ServiceId>,
    /// What the whole run came to, where objectives ask for it.
    pub(super) figures: Option<Figures>,
}

impl Heard {
    pub(super) fn new(populations: usize) -> Self {
        Self { windows: vec![Vec::new(); populations], latencies: Vec::new() }
    }

    /// A request has ended, or was in flight at the end.
    pub(super) fn add(&mut self, row: &RequestRow, times: &DrillTimes) {
        let number = (row.arrival.as_nanos() / WINDOW.as_nanos()) as usize;
        let windows = &mut self.windows[row.population.index()];
        if windows.len() <= number {
            windows.resize(number + 1, Window::default());
        }
        let window = &mut windows[number];
        window.offered += 1;
        match row.end.filter(|end| end.status.is_ok()) {
            Some(end) => {
                window.latency += end.latency.as_nanos();
                if times.holds(row.arrival) {
                    self.latencies.push(end.latency.as_nanos());
                }
            }
            None => window.failed += 1,
        }
    }

    /// Requests and failures of a population, or of all, that arrived in a span.
    fn count(&self, population: Option<usize>, from: SimTime, to: SimTime) -> [f64; 2] {
        let [first, last] = [from, to].map(|at| (at.as_nanos() / WINDOW.as_nanos()) as usize);
        let of =
            self.windows.iter().enumerate().filter(|(number, _)| population.is_none_or(|it| it == *number));
        of.flat_map(|(_, windows)| windows.iter().take(last).skip(first))
            .fold([0.0; 2], |[all, failed], it| [all + f64::from(it.offered), failed + f64::from(it.failed)])
    }

    /// All populations' window of a number.
    fn window(&self, number: usize) -> Window {
        self.windows.iter().filter_map(|it| it.get(number)).fold(Window::default(), |sum, it| Window {
            offered: sum.offered + it.offered,
            failed: sum.failed + it.failed,
            latency: sum.latency + it.latency,
        })
    }

    fn p95_ms(&self) -> f64 {
        let mut all = self.latencies.clone();
        all.sort_unstable();
        let rank = (all.len() as f64 * 0.95).ceil() as usize;
        all.get(rank.saturating_sub(1)).map_or(f64::NAN, |&nanos| nanos as f64 / 1e6)
    }
}

impl Window {
    fn share(self) -> f64 {
        f64::from(self.failed) / f64::from(self.offered.max(1))
    }

    /// Whether more fail than undisturbed.
    fn fails(self, undisturbed: Self) -> bool {
        // Users who wait send nothing.
        if self.offered == 0 && undisturbed.offered > 0 {
            return true;
        }
        self.share() >= undisturbed.share() + DISTURBED
    }

    fn mean(self) -> f64 {
        self.latency as f64 / f64::from((self.offered - self.failed).max(1))
    }

    /// Whether users get what they get undisturbed.
    fn is_as_before(self, undisturbed: Self) -> bool {
        // The mean of a window of few requests is rough.
        !self.fails(undisturbed) && self.mean() <= undisturbed.mean() * AS_BEFORE + 5e6
    }
}

/// How a run differs from the undisturbed one.
pub(super) fn compare(
    resolved: &Resolved,
    times: &DrillTimes,
    taken: &BTreeSet<(ServiceId, ClusterId)>,
    (base, base_figures): (&Heard, &Figures),
    (heard, figures): (&Heard, Figures),
) -> Outcome {
    let description = &resolved.description;
    let shares = |population| {
        [(times.begins, times.ends), (times.ends, times.over)].map(|(from, to)| {
            let [offered, failed] = heard.count(population, from, to);
            let [offered_before, failed_before] = base.count(population, from, to);
            failed / offered.max(1.0) - failed_before / offered_before.max(1.0)
        })
    };
    let number = |at: SimTime| (at.as_nanos() / WINDOW.as_nanos()) as usize;
    let windows = |from: SimTime, to: SimTime| {
        (number(from)..number(to)).map(|it| (it, heard.window(it), base.window(it)))
    };
    let seconds = |after: usize, since: SimTime| {
        Some((after as f64 * WINDOW.as_secs_f64() - since.as_secs_f64()).max(0.0))
    };
    let last_bad = windows(times.begins, times.ends).rfind(|(_, it, before)| it.fails(*before));
    let moved = match last_bad {
        None => Some(0.0),
        Some((last, ..)) if last + 1 >= number(times.ends) => None,
        Some((last, ..)) => seconds(last + 1, times.begins),
    };
    let last_other = windows(times.ends, times.over).rfind(|(_, it, before)| !it.is_as_before(*before));
    let restored = match last_other {
        None => Some(0.0),
        Some((last, ..)) if last + 1 >= number(times.over) => None,
        Some((last, ..)) => seconds(last + 1, times.ends),
    };
    let others: Vec<&Decision> = differing(&figures.decisions, &base_figures.decisions, times.begins);
    let evictions =
        others.iter().filter(|it| matches!(it.what, What::PodEvicted(_) | What::PodDrained(_))).count();
    Outcome {
        failing: (0..description.populations.len()).map(|it| shares(Some(it))).collect(),
        failing_all: shares(None),
        noticed: others.first().map(|it| (it.at - times.begins).as_secs_f64()),
        moved,
        restored,
        p95_ms: [heard.p95_ms(), base.p95_ms()],
        evictions: evictions as f64,
        without_endpoints: without_endpoints(description, times, taken, &figures.decisions),
        // Histograms are large.
        figures: Some(figures).filter(|_| !resolved.objectives.is_empty()),
    }
}

/// The decisions from a moment on that others do not have, and that are no faults.
fn differing<'a>(all: &'a [Decision], others: &[Decision], from: SimTime) -> Vec<&'a Decision> {
    let is_reaction = |it: &&Decision| {
        let is_given = matches!(
            it.what,
            What::PodFault(..) | What::LinkFault(..) | What::Outage(..) | What::UsersMove(..)
        );
        it.at >= from && !is_given && {
            let begins = others.partition_point(|other| other.at < it.at);
            !others[begins..].iter().take_while(|other| other.at == it.at).any(|other| other == *it)
        }
    };
    all.iter().filter(is_reaction).collect()
}

/// The services of which no endpoint is ready at some time from the failure on: those that are taken, and those whose
/// EndpointSlices say so.
fn without_endpoints(
    description: &Description,
    times: &DrillTimes,
    taken: &BTreeSet<(ServiceId, ClusterId)>,
    decisions: &[Decision],
) -> BTreeSet<ServiceId> {
    let ids = PodIds::new(description.clusters.len(), description.application.services.len());
    let mut ready: BTreeMap<ServiceId, BTreeSet<(ClusterId, u32)>> = BTreeMap::new();
    let mut ordinals: BTreeMap<(ServiceId, ClusterId), u32> = BTreeMap::new();
    for it in &description.deployments {
        let next = ordinals.entry((it.service, it.cluster)).or_default();
        let of_service = ready.entry(it.service).or_default();
        of_service.extend((0..it.replicas).map(|number| (it.cluster, *next + number)));
        *next += it.replicas;
    }
    let mut without = BTreeSet::new();
    let mut look = |service: ServiceId, ready: &BTreeSet<(ClusterId, u32)>, now: SimTime| {
        let holds = times.holds(now);
        let is_left = |(cluster, _): &(ClusterId, u32)| !holds || !taken.contains(&(service, *cluster));
        if now >= times.begins && !ready.iter().any(is_left) {
            without.insert(service);
        }
    };
    let of_pods = decisions.iter().filter_map(|it| match it.what {
        What::Endpoint(pod, is_ready) => Some((it.at, pod, is_ready)),
        _ => None,
    });
    let mut began = false;
    for (at, pod, is_ready) in of_pods {
        if at >= times.begins && !std::mem::replace(&mut began, true) {
            ready.iter().for_each(|(service, it)| look(*service, it, times.begins));
        }
        let service = ids.service_of(pod);
        let endpoint = (ids.cluster_of(pod), ids.ordinal_of(pod));
        let of_service = ready.entry(service).or_default();
        let _ = if is_ready { of_service.insert(endpoint) } else { of_service.remove(&endpoint) };
        look(service, of_service, at);
    }
    if !began {
        ready.iter().for_each(|(service, it)| look(*service, it, times.begins));
    }
    without
}
