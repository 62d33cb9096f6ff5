//! The requests of a run's users, reduced to figures as they end.
//!
//! # Models
//! A request counts if it arrives from the cut on, to the nanosecond. Everything is a sum of integers or a histogram, so
//! the order in which requests come is of no importance.
//!
//! # Assumptions
//! Latencies over time, of intervals that are sampled, come from histograms of 0.1 % resolution.

use super::Stretch;
use super::controls::{Centred, ControlSum, Controls};
use super::groups::{Groups, Which};
use super::settling::OverTime;
use super::user_series::UserSeries;
use crate::results::request_log::CellLog;
use meshsim_core::SimDuration;
use meshsim_core::stats::{Histogram, Resolution};
use meshsim_models::request::answer::Status;
use meshsim_models::telemetry::istio_buckets::IstioHistogram;
use meshsim_models::telemetry::request_log::RequestRow;
use meshsim_models::telemetry::work::Work;
use meshsim_models::world::foreseen::{FIGURES, Foresight};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use xxhash_rust::xxh64::xxh64;

/// What requests that are reported together came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// Where their requests went.
    pub counts: Counts,
    /// Latencies of the successful ones (ns).
    pub histogram: Histogram,
    /// The same in ten batches of equal time, by arrival.
    pub batches: Vec<Histogram>,
    /// What was drawn for those of each batch, whatever became of them; empty if that is not kept.
    pub controls: Vec<ControlSum>,
}

/// What two strategies are compared by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compared {
    /// From the cut to the end.
    pub reported: Stretch,
    /// What arrives in what is reported of this strategy and of another one, for every such stretch.
    pub means: Vec<InCommon>,
    /// The same of each group of requests that are reported together.
    pub of_groups: Vec<Vec<InCommon>>,
    /// Equal where every request of the run arrived at the same time, took as long and ended in the same way.
    pub requests: u64,
}

/// Requests that arrive in a stretch which two strategies have in common.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct InCommon {
    /// From when to when.
    pub stretch: Stretch,
    /// Mean latency of the successful ones (ms).
    pub mean_ms: f64,
    /// What was drawn for all of them, in the mean; 0 if that is not kept.
    pub controls: Controls,
}

impl Compared {
    /// Mean latency of the requests that count under this strategy and another one (ms).
    #[must_use]
    pub fn mean_ms(&self, other: &Self) -> Option<f64> {
        self.mean_in_common(&self.means, other)
    }

    /// The same of those of a group, by its index.
    #[must_use]
    pub fn group_mean_ms(&self, group: usize, other: &Self) -> Option<f64> {
        self.mean_in_common(self.of_groups.get(group)?, other)
    }

    fn mean_in_common(&self, means: &[InCommon], other: &Self) -> Option<f64> {
        let common = Self::common(self.reported, other.reported);
        means.iter().find(|it| it.stretch == common).map(|it| it.mean_ms)
    }

    /// The same with mean latencies that are less by what `luck_ms` says of a group, by its index, or of all, and of what was
    /// drawn for their requests.
    #[must_use]
    pub fn less(&self, luck_ms: impl Fn(Option<usize>, &Controls) -> f64) -> Self {
        let less = |group: Option<usize>, means: &[InCommon]| -> Vec<InCommon> {
            let one = |it: &InCommon| InCommon { mean_ms: it.mean_ms - luck_ms(group, &it.controls), ..*it };
            means.iter().map(one).collect()
        };
        let of_groups = self.of_groups.iter().enumerate().map(|(index, means)| less(Some(index), means));
        Self { means: less(None, &self.means), of_groups: of_groups.collect(), ..self.clone() }
    }

    /// What is in both stretches.
    pub(super) fn common(one: Stretch, other: Stretch) -> Stretch {
        (one.0.max(other.0), one.1.min(other.1))
    }
}

/// Batches of a replication: enough to see how long neighbours are alike, long enough to be of use each.
pub const BATCHES: usize = 10;

/// Requests after the cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Arrived.
    pub offered: u64,
    /// How often users have sent these, further attempts included.
    pub attempts: u64,
    /// Answered with a success.
    pub completed: u64,
    /// Of these, those that a route has redirected, by status.
    pub redirected: BTreeMap<String, u64>,
    /// Answered otherwise, by status and flag, as in `503 UF`.
    pub failed: BTreeMap<String, u64>,
    /// Not ended.
    pub in_flight: u64,
}

/// Who hears of every user request of a run.
pub(super) trait RequestSink {
    /// A request has ended, or was in flight at the end of the run; all that was done for it, if that is kept. They come
    /// in no order that means anything.
    fn add(&mut self, row: &RequestRow, work: Option<&Work>);

    /// Memory that grows with the requests (bytes).
    fn bytes(&self) -> usize;
}

/// What requests are reduced to.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Which are reported together.
    pub(super) groups: Groups,
    /// There are so many populations.
    pub(super) populations: usize,
    /// Length of the intervals in which they are sampled.
    pub(super) sampled: Option<SimDuration>,
    /// How fine batches are.
    pub(super) batches: Resolution,
    /// Whether latencies are kept.
    pub(super) latencies: bool,
}

/// What is known so far of the requests of a run.
pub(super) struct UserRequests<'a> {
    reported: Stretch,
    /// Length of a batch.
    batch: SimDuration,
    pub(super) all: Tally,
    which: Groups,
    /// Those that are reported together.
    pub(super) groups: Vec<Tally>,
    pub(super) buckets: IstioHistogram,
    pub(super) over_time: OverTime,
    /// What the users waited, interval by interval, if that is sampled.
    pub(super) series: Option<UserSeries>,
    fingerprint: u64,
    /// Tells what was drawn for a request, if that is kept.
    foresight: Option<Foresight<'a>>,
    /// Latencies of the successful requests (ms), if they are kept.
    pub(super) latencies_ms: Option<Vec<f64>>,
    pub(super) rows: KeptRows<'a>,
}

/// What becomes of the rows themselves.
pub(super) enum KeptRows<'a> {
    /// They are forgotten.
    Dropped,
    /// They are kept.
    InMemory(Vec<(RequestRow, Work)>),
    /// They are written to the disk.
    Written(CellLog<'a>),
}

impl KeptRows<'_> {
    fn add(&mut self, row: &RequestRow, work: &Work) {
        match self {
            Self::Dropped => {}
            Self::InMemory(rows) => rows.push((*row, *work)),
            Self::Written(log) => log.add(row, work),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Dropped => 0,
            Self::InMemory(rows) => rows.capacity() * size_of::<(RequestRow, Work)>(),
            Self::Written(log) => log.bytes(),
        }
    }
}

/// What is known so far of the requests of some users.
pub(super) struct Tally {
    counts: Counts,
    /// So many have failed in each way.
    failed: Vec<(Status, u64)>,
    /// So many were redirected with each status.
    redirected: Vec<(Status, u64)>,
    histogram: Histogram,
    batches: Vec<Histogram>,
    /// What was drawn for those of each batch; empty if that is not kept.
    controls: Vec<ControlSum>,
    /// For each stretch that another strategy has in common.
    common: Vec<CommonSum>,
}

/// What is known so far of the requests that arrive in a stretch.
struct CommonSum {
    stretch: Stretch,
    /// Successful ones, and their latencies (ns).
    completed: u64,
    nanos: u128,
    controls: ControlSum,
}

impl<'a> UserRequests<'a> {
    /// Of a run that is reported over this stretch, and compared with others that are over `all_reported`.
    pub(super) fn new(
        wanted: Wanted,
        reported: Stretch,
        all_reported: &[Stretch],
        rows: KeptRows<'a>,
        foresight: Option<Foresight<'a>>,
    ) -> Self {
        let (cut, end) = reported;
        let Wanted { groups: which, populations, sampled, batches, latencies } = wanted;
        let mut common: Vec<Stretch> =
            all_reported.iter().map(|&other| Compared::common(reported, other)).collect();
        common.sort_unstable();
        common.dedup();
        let tally = || Tally::new(batches, &common, foresight.is_some());
        Self {
            reported,
            batch: SimDuration::from_nanos((end - cut).as_nanos().div_ceil(BATCHES as u64).max(1)),
            all: tally(),
            groups: which.which().iter().map(|_| tally()).collect(),
            which,
            buckets: IstioHistogram::default(),
            over_time: OverTime::new(reported),
            series: sampled.map(|interval| UserSeries::new(populations, interval, end)),
            fingerprint: 0,
            foresight,
            latencies_ms: latencies.then(Vec::new),
            rows,
        }
    }

    /// Requests that arrived from the cut on.
    pub(super) const fn offered(&self) -> u64 {
        self.all.counts.offered
    }

    /// What comparisons with other strategies take.
    pub(super) fn compared(&self) -> Compared {
        Compared {
            reported: self.reported,
            means: self.all.means(),
            of_groups: self.groups.iter().map(Tally::means).collect(),
            requests: self.fingerprint,
        }
    }
}

impl RequestSink for UserRequests<'_> {
    fn add(&mut self, row: &RequestRow, work: Option<&Work>) {
        if let Some(work) = work {
            self.rows.add(row, work);
        }
        self.fingerprint = self.fingerprint.wrapping_add(fingerprint(row));
        self.over_time.add(row);
        if let Some(series) = &mut self.series {
            series.add(row);
        }
        let (cut, _) = self.reported;
        if row.arrival < cut {
            return;
        }
        let batch = ((row.arrival - cut).as_nanos() / self.batch.as_nanos()) as usize;
        let drawn = self.foresight.as_mut().map(|foresight| Centred::of(foresight, row));
        let of = |which: Which| drawn.as_ref().map(|it| it.among(which));
        self.all.add(row, batch, of(Which::default()));
        let Self { which, groups, .. } = self;
        which.of(row).for_each(|index| groups[index].add(row, batch, of(which.which()[index])));
        let Some(end) = row.end.filter(|end| end.status.is_ok()) else { return };
        self.buckets.record(end.latency.as_millis_f64());
        if let Some(latencies) = &mut self.latencies_ms {
            latencies.push(end.latency.as_millis_f64());
        }
    }

    fn bytes(&self) -> usize {
        self.rows.bytes() + self.latencies_ms.as_ref().map_or(0, |it| it.capacity() * size_of::<f64>())
    }
}

impl Tally {
    fn new(batches: Resolution, common: &[Stretch], keeps_controls: bool) -> Self {
        let nothing =
            |&stretch| CommonSum { stretch, completed: 0, nanos: 0, controls: ControlSum::default() };
        Self {
            controls: vec![ControlSum::default(); if keeps_controls { BATCHES } else { 0 }],
            common: common.iter().map(nothing).collect(),
            counts: Counts::default(),
            failed: Vec::new(),
            redirected: Vec::new(),
            histogram: Histogram::new(Resolution::PerMille),
            batches: vec![Histogram::new(batches); BATCHES],
        }
    }

    fn add(&mut self, row: &RequestRow, batch: usize, drawn: Option<&[i64; FIGURES.len()]>) {
        self.counts.offered += 1;
        self.counts.attempts += u64::from(row.attempts);
        let is_in = |(from, until): Stretch| from <= row.arrival && row.arrival < until;
        if let Some(drawn) = drawn {
            self.controls[batch.min(BATCHES - 1)].add(drawn);
            self.common.iter_mut().filter(|it| is_in(it.stretch)).for_each(|it| it.controls.add(drawn));
        }
        let Some(end) = row.end else {
            self.counts.in_flight += 1;
            return;
        };
        if end.status.is_ok() {
            self.counts.completed += 1;
            self.histogram.record(end.latency.as_nanos());
            self.batches[batch.min(BATCHES - 1)].record(end.latency.as_nanos());
            for it in self.common.iter_mut().filter(|it| is_in(it.stretch)) {
                it.completed += 1;
                it.nanos += u128::from(end.latency.as_nanos());
            }
            if matches!(end.status, Status::Redirected(_)) {
                count(&mut self.redirected, end.status);
            }
            return;
        }
        count(&mut self.failed, end.status);
    }

    /// What is in each stretch.
    fn means(&self) -> Vec<InCommon> {
        let one = |it: &CommonSum| InCommon {
            stretch: it.stretch,
            mean_ms: it.nanos as f64 / it.completed as f64 / 1e6,
            controls: if self.controls.is_empty() { Controls::default() } else { it.controls.means() },
        };
        self.common.iter().map(one).collect()
    }

    /// What the users got.
    pub(super) fn into_group(self) -> Group {
        let Self { mut counts, failed, redirected, histogram, batches, controls, .. } = self;
        for (by_status, into) in [(failed, &mut counts.failed), (redirected, &mut counts.redirected)] {
            for (status, count) in by_status {
                *into.entry(status.to_string()).or_default() += count;
            }
        }
        Group { counts, histogram, batches, controls }
    }
}

/// One more of a status.
fn count(by_status: &mut Vec<(Status, u64)>, status: Status) {
    match by_status.iter_mut().find(|(known, _)| *known == status) {
        Some((_, count)) => *count += 1,
        None => by_status.push((status, 1)),
    }
}

/// Of when a request arrived and how it ended; sums of it are equal for equal requests, in whichever order.
fn fingerprint(row: &RequestRow) -> u64 {
    let mut bytes = [0; 64];
    bytes[..4].copy_from_slice(&row.population.0.to_le_bytes());
    bytes[4..8].copy_from_slice(&row.number.to_le_bytes());
    bytes[8..16].copy_from_slice(&row.arrival.as_nanos().to_le_bytes());
    let Some(end) = row.end else { return xxh64(&bytes[..16], 0) };
    bytes[16..24].copy_from_slice(&end.latency.as_nanos().to_le_bytes());
    bytes[24..26].copy_from_slice(&end.status.code().to_le_bytes());
    let flag = end.status.flag().as_bytes();
    bytes[26..26 + flag.len()].copy_from_slice(flag);
    xxh64(&bytes[..26 + flag.len()], 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::{Id, SimTime};
    use meshsim_models::application::internal_service::InternalService;
    use meshsim_models::ids::{EndpointId, PopulationId};
    use meshsim_models::telemetry::request_log::RequestEnd;
    use meshsim_models::users::arrivals::Arrivals;
    use meshsim_models::users::requests::Requests;
    use meshsim_models::world::description::Description;
    use proptest::prelude::*;

    /// Requests of two populations in a run of 1 ms that is cut at a third; some fail, some do not end.
    fn rows() -> impl Strategy<Value = Vec<RequestRow>> {
        let row = (0..4_u32, 0..1_000_000_u64, 0..500_000_u64, 0..5_u8);
        prop::collection::vec(row, 0..200).prop_map(|rows| {
            (0_u32..)
                .zip(rows)
                .map(|(number, (population, arrival, latency, kind))| RequestRow {
                    population: PopulationId(population % 2),
                    number,
                    endpoint: EndpointId(population / 2),
                    arrival: SimTime::from_nanos(arrival),
                    attempts: 1 + number as u8 % 3,
                    end: (arrival + latency < 1_000_000).then(|| RequestEnd {
                        latency: SimDuration::from_nanos(latency),
                        status: [Status::Timeout, Status::CallerGone, Status::Ok, Status::Ok, Status::Ok]
                            [usize::from(kind)],
                    }),
                })
                .collect()
        })
    }

    const CUT: SimTime = SimTime::from_nanos(333_333);
    const END: SimTime = SimTime::from_nanos(1_000_000);
    const LATER: SimTime = SimTime::from_nanos(500_000);

    fn reduce<'a>(rows: impl Iterator<Item = &'a RequestRow>) -> UserRequests<'static> {
        let wanted = Wanted {
            groups: groups(),
            populations: 2,
            sampled: Some(SimDuration::from_micros(100)),
            batches: Resolution::PerMille,
            latencies: true,
        };
        let mut requests =
            UserRequests::new(wanted, (CUT, END), &[(CUT, END), (LATER, END)], KeptRows::Dropped, None);
        rows.for_each(|row| requests.add(row, None));
        requests
    }

    /// Two populations with two kinds of requests each.
    fn groups() -> Groups {
        let mut description = Description::new(SimDuration::from_millis(1));
        let edge = description.add_cluster("edge", 1.0);
        let shop = ["browse", "buy"].map(|name| description.add_service(name, InternalService::idle()));
        for _ in 0..2 {
            let users = description.add_users(edge, shop[0], Arrivals::Constant { per_second: 1.0 });
            users.requests = Requests::weighted(&[(EndpointId(0), 3.0), (EndpointId(1), 1.0)]);
        }
        Groups::new(&description)
    }

    fn latency(row: &RequestRow) -> Option<u64> {
        row.end.filter(|end| end.status.is_ok()).map(|end| end.latency.as_nanos())
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_rows(rows in rows()) {
            let requests = reduce(rows.iter());
            let after = |from: SimTime| rows.iter().filter(move |row| row.arrival >= from);
            let sum = |from: SimTime| after(from).filter_map(latency).map(u128::from).sum::<u128>();
            let failed = |status: Status| after(CUT).filter(|row| row.end.is_some_and(|end| end.status == status)).count() as u64;
            prop_assert_eq!(requests.offered(), after(CUT).count() as u64);
            let counts = requests.all.counts.clone();
            prop_assert_eq!(counts.in_flight, after(CUT).filter(|row| row.end.is_none()).count() as u64);
            prop_assert_eq!(counts.completed, after(CUT).filter_map(latency).count() as u64);
            let compared = requests.compared();
            for from in [CUT, LATER] {
                let other = Compared { reported: (from, END), ..compared.clone() };
                let exact = sum(from) as f64 / after(from).filter_map(latency).count() as f64 / 1e6;
                let found = compared.mean_ms(&other).unwrap();
                prop_assert!(found == exact || (found.is_nan() && exact.is_nan()), "{} for {}", found, exact);
                for users in 0..2 {
                    let own = || after(from).filter(|row| row.population.index() == users).filter_map(latency);
                    let exact = own().map(u128::from).sum::<u128>() as f64 / own().count() as f64 / 1e6;
                    let found = compared.group_mean_ms(users, &other).unwrap();
                    prop_assert!(found == exact || (found.is_nan() && exact.is_nan()), "{} for {}", found, exact);
                }
            }
            let mut latencies = requests.latencies_ms.clone().unwrap();
            latencies.sort_unstable_by(f64::total_cmp);
            let mut all: Vec<u64> = after(CUT).filter_map(latency).collect();
            all.sort_unstable();
            prop_assert_eq!(latencies, all.iter().map(|&nanos| nanos as f64 / 1e6).collect::<Vec<_>>());
            let groups: Vec<Group> = requests.groups.into_iter().map(Tally::into_group).collect();
            let all = requests.all.into_group();
            prop_assert_eq!(all.histogram.sum(), sum(CUT));
            prop_assert_eq!(all.counts.failed.get("504 UT").copied().unwrap_or(0), failed(Status::Timeout));
            prop_assert_eq!(all.counts.failed.get("0 DC").copied().unwrap_or(0), failed(Status::CallerGone));
            for part in [&all].into_iter().chain(&groups) {
                prop_assert_eq!(part.batches.iter().map(Histogram::sum).sum::<u128>(), part.histogram.sum());
                let ended = part.counts.completed + part.counts.failed.values().sum::<u64>();
                prop_assert_eq!(part.counts.offered, ended + part.counts.in_flight);
            }
            // By users, by kind, and by both.
            prop_assert_eq!(groups.len(), 2 + 2 + 4);
            for sort in [&groups[..2], &groups[2..4], &groups[4..]] {
                prop_assert_eq!(sort.iter().map(|it| it.histogram.sum()).sum::<u128>(), all.histogram.sum());
                prop_assert_eq!(sort.iter().map(|it| it.counts.offered).sum::<u64>(), all.counts.offered);
            }
            for (kind, users, pair) in [(2, 0, 4), (3, 0, 5), (2, 1, 6), (3, 1, 7)] {
                let own = after(CUT).filter(|row| row.population.index() == users && row.endpoint.index() == kind - 2);
                prop_assert_eq!(groups[pair].counts.offered, own.count() as u64);
            }
        }

        #[test]
        fn the_order_is_of_no_importance_and_every_request_is(rows in rows(), which: prop::sample::Index) {
            let (one, other) = (reduce(rows.iter()), reduce(rows.iter().rev()));
            let requests = one.compared().requests;
            prop_assert_eq!(requests, other.compared().requests);
            prop_assert_eq!(one.all.counts, other.all.counts);
            prop_assert_eq!(one.series.unwrap().samples(), other.series.unwrap().samples());
            prop_assert_eq!(one.over_time.series(), other.over_time.series());
            if !rows.is_empty() {
                let mut changed = rows.clone();
                let row = which.get(&rows);
                let index = row.number as usize;
                changed[index].end = match row.end {
                    Some(end) => Some(RequestEnd { latency: end.latency + SimDuration::from_nanos(1), ..end }),
                    None => Some(RequestEnd { latency: SimDuration::ZERO, status: Status::Ok }),
                };
                prop_assert_ne!(reduce(changed.iter()).compared().requests, requests);
            }
        }
    }
}
