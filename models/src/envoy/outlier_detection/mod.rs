//! Outlier detection: a host that fails too often is left out for a while.
//!
//! # Models
//! - Consecutive errors, counted per proxy and host as results come in: 5xx; gateway errors (502 to
//!   504), reset by any other 5xx; and, if split, local-origin failures. A success resets the
//!   counters. A counter starts again when its detection fires, enforced or not. Detections while a
//!   host is ejected do nothing, and all counters are 0 at its return.
//! - Statistics of the interval before, at every interval tick (`statistics`): success rate and
//!   failure percentage.
//! - A host is ejected only if 100 x (ejected + 1) / hosts <= `max_ejection_percent`, over all
//!   priorities: strict, as since Envoy 1.31; with `always_eject_one_host` one may always go.
//! - It returns at the first tick at or after min(base x k, max), where k counts its ejections in a
//!   row. k falls by one at each later tick in service that is a whole interval after its return.
//!
//! # Assumptions
//! Detections are enforced always or never, and there is no jitter (Envoy's default). A host that
//! the success rate ejects at a tick is not ejected again by the failure percentage at that tick,
//! where Envoy would count it twice.
//!
//! # Source
//! Envoy `source/common/upstream/outlier_detection_impl.cc`; arch_overview/upstream/outlier.

mod config;
mod ejection_type;
mod max_ejection_percent;
mod statistics;

pub use config::OutlierDetection;
pub use ejection_type::EjectionType;
pub use statistics::Statistics;

use meshsim_core::{SimDuration, SimTime};
use statistics::SuccessRate;

/// Results that are not an HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostResult {
    /// This side waited too long.
    LocalOriginTimeout,
    /// No connection.
    LocalOriginConnectFailed,
    /// Connected; an answer will follow.
    LocalOriginConnectSuccess,
    /// Connected, and that is all.
    LocalOriginConnectSuccessFinal,
    /// Connected, but the request failed.
    ExtOriginRequestFailed,
    /// The request succeeded.
    ExtOriginRequestSuccess,
}

/// What happens at an interval tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AtTick {
    /// A host returns.
    Returned(usize),
    /// A host is ejected.
    Ejected(usize, EjectionType),
    /// A success-rate threshold was computed.
    Threshold(EjectionType, Statistics),
}

/// What one proxy knows of the hosts of one upstream, numbered from 0. There may be thousands, of which it has called a
/// few: it keeps a bit of each and more only of those.
#[derive(Clone, Debug, Default)]
pub struct Detector {
    /// A bit for each host: whether it is there.
    members: Vec<u64>,
    /// Hosts from which a result has come since they are there, by their numbers.
    known: Vec<(u32, Host)>,
    present: u32,
    /// One more than the highest number that a host has had.
    numbers: u32,
    ejected: u32,
    overflow: u64,
    not_enforced: [u64; EjectionType::ALL.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct Host {
    consecutive_5xx: u32,
    consecutive_gateway_failure: u32,
    consecutive_local_origin_failure: u32,
    external_origin: SuccessRate,
    local_origin: SuccessRate,
    ejected_at: Option<SimTime>,
    returned_at: Option<SimTime>,
    ejections_in_a_row: u32,
    /// In service when the statistics of the tick were taken.
    judged: bool,
}

/// One of the two origins: where its counts are, and what its ejections are called.
#[derive(Clone, Copy)]
struct ErrorOrigin {
    of: fn(&Host) -> &SuccessRate,
    success_rate: EjectionType,
    failure_percentage: EjectionType,
}

/// What hosts answer.
const EXTERNAL: ErrorOrigin = ErrorOrigin {
    of: |host| &host.external_origin,
    success_rate: EjectionType::SuccessRate,
    failure_percentage: EjectionType::FailurePercentage,
};

/// What this side sees of the way to them.
const LOCAL: ErrorOrigin = ErrorOrigin {
    of: |host| &host.local_origin,
    success_rate: EjectionType::SuccessRateLocalOrigin,
    failure_percentage: EjectionType::FailurePercentageLocalOrigin,
};

impl HostResult {
    /// The status that it counts as where origins are not split.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::LocalOriginTimeout => Some(504),
            Self::LocalOriginConnectFailed => Some(503),
            Self::LocalOriginConnectSuccess => None,
            Self::ExtOriginRequestFailed => Some(500),
            Self::LocalOriginConnectSuccessFinal | Self::ExtOriginRequestSuccess => Some(200),
        }
    }
}

impl Detector {
    /// Nothing is known of so many hosts.
    #[must_use]
    pub fn new(hosts: usize) -> Self {
        let mut detector = Self::default();
        for host in 0..hosts {
            detector.add(host);
        }
        detector
    }

    /// A host comes in, with nothing known of it.
    pub fn add(&mut self, host: usize) {
        let (word, bit) = Self::bit(host);
        if self.members.len() <= word {
            self.members.resize(word + 1, 0);
        }
        self.present += u32::from(self.members[word] & bit == 0);
        self.members[word] |= bit;
        self.numbers = self.numbers.max(host as u32 + 1);
    }

    /// A host goes.
    pub fn remove(&mut self, host: usize) {
        if !self.is_member(host) {
            return;
        }
        let (word, bit) = Self::bit(host);
        self.members[word] &= !bit;
        self.present -= 1;
        if let Ok(index) = self.index_of(host) {
            let (_, gone) = self.known.remove(index);
            self.ejected -= u32::from(gone.ejected_at.is_some());
        }
    }

    /// The hosts become these: each one that there was, by its number, or a new one.
    pub fn renumber(&mut self, hosts: impl Iterator<Item = Option<usize>>) {
        let known = std::mem::take(&mut self.known);
        self.members.clear();
        (self.present, self.ejected) = (0, 0);
        for (host, before) in hosts.enumerate() {
            self.add(host);
            let find =
                |before: usize| known.binary_search_by_key(&(before as u32), |(number, _)| *number).ok();
            if let Some(index) = before.and_then(find) {
                let kept = known[index].1;
                self.ejected += u32::from(kept.ejected_at.is_some());
                self.known.push((host as u32, kept));
            }
        }
    }

    /// Whether a tick would change nothing: no host is left out, and none has been of late.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.ejected == 0 && self.known.iter().all(|(_, host)| host.ejections_in_a_row == 0)
    }

    /// Whether a host is left out.
    #[must_use]
    pub fn is_ejected(&self, host: usize) -> bool {
        self.ejected > 0 && self.index_of(host).is_ok_and(|index| self.known[index].1.ejected_at.is_some())
    }

    /// Until when a host that is left out is so at least: it returns at the next tick.
    #[must_use]
    pub fn ejected_until(&self, config: &OutlierDetection, host: usize) -> Option<SimTime> {
        let host = &self.known[self.index_of(host).ok()?].1;
        Some(host.ejected_at?.saturating_add(host.away(config)))
    }

    /// The most hosts that there have been at a time.
    #[must_use]
    pub const fn ever_present(&self) -> u32 {
        self.numbers
    }

    /// Hosts that are left out.
    #[must_use]
    pub const fn ejected(&self) -> u32 {
        self.ejected
    }

    /// Detections that `max_ejection_percent` stopped.
    #[must_use]
    pub const fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Detections that would have been allowed but are not enforced.
    #[must_use]
    pub const fn not_enforced(&self, kind: EjectionType) -> u64 {
        self.not_enforced[kind as usize]
    }

    /// A host answered with an HTTP status: why it is ejected now, if it is.
    pub fn put_status(
        &mut self,
        config: &OutlierDetection,
        host: usize,
        status: u16,
        now: SimTime,
    ) -> Option<EjectionType> {
        let index = self.enter(host)?;
        let state = &mut self.known[index].1;
        let failed = (500..600).contains(&status);
        state.external_origin.count(!failed);
        if !failed {
            state.consecutive_5xx = 0;
            state.consecutive_gateway_failure = 0;
            return None;
        }
        let gateway = (502..=504).contains(&status);
        state.consecutive_gateway_failure = if gateway { state.consecutive_gateway_failure + 1 } else { 0 };
        state.consecutive_5xx += 1;
        let by_gateway = gateway && state.consecutive_gateway_failure == config.consecutive_gateway_failure;
        let by_5xx = state.consecutive_5xx == config.consecutive_5xx;
        let mut ejection = None;
        if by_gateway {
            ejection = self.detect(config, index, EjectionType::ConsecutiveGatewayFailure, now);
        }
        if by_5xx {
            ejection = ejection.or(self.detect(config, index, EjectionType::Consecutive5xx, now));
        }
        ejection
    }

    /// A result that is not a status; `status` replaces the one that it counts as where origins are
    /// not split. Why the host is ejected now, if it is.
    pub fn put_result(
        &mut self,
        config: &OutlierDetection,
        host: usize,
        result: HostResult,
        status: Option<u16>,
        now: SimTime,
    ) -> Option<EjectionType> {
        if !config.split_external_local_origin_errors {
            let status = status.or(result.status())?;
            return self.put_status(config, host, status, now);
        }
        match result {
            HostResult::LocalOriginConnectSuccess | HostResult::LocalOriginConnectSuccessFinal => {
                self.put_local_origin(config, host, true, now)
            }
            HostResult::LocalOriginTimeout | HostResult::LocalOriginConnectFailed => {
                self.put_local_origin(config, host, false, now)
            }
            HostResult::ExtOriginRequestFailed => self.put_status(config, host, 503, now),
            HostResult::ExtOriginRequestSuccess => {
                let ejection = self.put_status(config, host, 200, now);
                ejection.or(self.put_local_origin(config, host, true, now))
            }
        }
    }

    /// The interval's timer fires: hosts return, then statistics eject. `report` learns of each.
    pub fn tick(&mut self, config: &OutlierDetection, now: SimTime, mut report: impl FnMut(AtTick)) {
        for (host, it) in &mut self.known {
            if it.may_return(config, now) {
                it.give_back(now);
                self.ejected -= 1;
                report(AtTick::Returned(*host as usize));
            }
            it.external_origin.next_interval();
            it.local_origin.next_interval();
        }
        self.judge(config, EXTERNAL, now, &mut report);
        self.judge(config, LOCAL, now, &mut report);
        for (_, host) in &mut self.known {
            let quiet = host.returned_at.is_some_and(|returned| now - returned >= config.interval);
            if quiet && host.ejected_at.is_none() {
                host.ejections_in_a_row = host.ejections_in_a_row.saturating_sub(1);
            }
        }
    }

    /// Ejects the outliers of one origin by the statistics of the interval before.
    fn judge(
        &mut self,
        config: &OutlierDetection,
        origin: ErrorOrigin,
        now: SimTime,
        report: &mut impl FnMut(AtTick),
    ) {
        let least = config.success_rate_minimum_hosts.min(config.failure_percentage_minimum_hosts);
        if self.present < least {
            return;
        }
        // Both judge the hosts that are in service now, before either ejects.
        for (_, host) in &mut self.known {
            host.judged = host.ejected_at.is_none();
        }
        let statistics = Statistics::of(config, || self.judged(origin, config.success_rate_request_volume));
        let judged_by_failures = self.judged(origin, config.failure_percentage_request_volume).count();
        if let Some(found) = statistics {
            report(AtTick::Threshold(origin.success_rate, found));
            let volume = config.success_rate_request_volume;
            let low = |rate| rate < found.threshold;
            self.eject_where(config, origin, (volume, origin.success_rate), low, now, report);
        }
        if judged_by_failures >= config.failure_percentage_minimum_hosts as usize {
            let volume = config.failure_percentage_request_volume;
            let threshold = f64::from(config.failure_percentage_threshold);
            let high = |rate| 100.0 - rate >= threshold;
            self.eject_where(config, origin, (volume, origin.failure_percentage), high, now, report);
        }
    }

    fn eject_where(
        &mut self,
        config: &OutlierDetection,
        origin: ErrorOrigin,
        (volume, kind): (u32, EjectionType),
        outlier: impl Fn(f64) -> bool,
        now: SimTime,
        report: &mut impl FnMut(AtTick),
    ) {
        for index in 0..self.known.len() {
            let (host, it) = &self.known[index];
            let (host, rate) = (*host, if it.judged { (origin.of)(it).rate(volume) } else { None });
            if rate.is_some_and(&outlier) && self.eject(config, index, kind, now) {
                report(AtTick::Ejected(host as usize, kind));
            }
        }
    }

    /// The success rates of the judged hosts with at least `volume` requests.
    fn judged(&self, origin: ErrorOrigin, volume: u32) -> impl Iterator<Item = f64> + '_ {
        let hosts = self.known.iter().map(|(_, host)| host).filter(|host| host.judged);
        hosts.filter_map(move |host| (origin.of)(host).rate(volume))
    }

    /// The word of a host among `members`, and its bit there.
    const fn bit(host: usize) -> (usize, u64) {
        (host / 64, 1 << (host % 64))
    }

    fn is_member(&self, host: usize) -> bool {
        let (word, bit) = Self::bit(host);
        self.members.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// The index of a host among those that are known, or where it would be.
    fn index_of(&self, host: usize) -> Result<usize, usize> {
        self.known.binary_search_by_key(&(host as u32), |(number, _)| *number)
    }

    /// The index of a host from which a result has come, unless it is not there.
    fn enter(&mut self, host: usize) -> Option<usize> {
        if !self.is_member(host) {
            return None;
        }
        Some(self.index_of(host).unwrap_or_else(|index| {
            self.known.insert(index, (host as u32, Host::default()));
            index
        }))
    }

    fn put_local_origin(
        &mut self,
        config: &OutlierDetection,
        host: usize,
        success: bool,
        now: SimTime,
    ) -> Option<EjectionType> {
        let index = self.enter(host)?;
        let state = &mut self.known[index].1;
        state.local_origin.count(success);
        state.consecutive_local_origin_failure =
            if success { 0 } else { state.consecutive_local_origin_failure + 1 };
        let reached = state.consecutive_local_origin_failure == config.consecutive_local_origin_failure;
        if success || !reached {
            return None;
        }
        self.detect(config, index, EjectionType::ConsecutiveLocalOriginFailure, now)
    }

    /// Errors in a row of the host at an index have reached a threshold.
    fn detect(
        &mut self,
        config: &OutlierDetection,
        index: usize,
        kind: EjectionType,
        now: SimTime,
    ) -> Option<EjectionType> {
        if self.known[index].1.ejected_at.is_some() {
            return None;
        }
        let ejected = self.eject(config, index, kind, now);
        let state = &mut self.known[index].1;
        match kind {
            EjectionType::Consecutive5xx => state.consecutive_5xx = 0,
            EjectionType::ConsecutiveGatewayFailure => state.consecutive_gateway_failure = 0,
            _ => state.consecutive_local_origin_failure = 0,
        }
        ejected.then_some(kind)
    }

    /// Ejects the host at an index if that is allowed and enforced: whether it was.
    fn eject(&mut self, config: &OutlierDetection, index: usize, kind: EjectionType, now: SimTime) -> bool {
        if !config.allows(self.ejected + 1, self.present) {
            self.overflow += 1;
            return false;
        }
        if !config.enforces(kind) {
            self.not_enforced[kind as usize] += 1;
            return false;
        }
        let state = &mut self.known[index].1;
        if state.ejected_at.is_some() {
            return false;
        }
        self.ejected += 1;
        state.ejected_at = Some(now);
        let (base, max) = (config.base_ejection_time, config.max_ejection_time());
        if base * u64::from(state.ejections_in_a_row) < max + base {
            state.ejections_in_a_row += 1;
        }
        true
    }
}

impl Host {
    fn may_return(&self, config: &OutlierDetection, now: SimTime) -> bool {
        self.ejected_at.is_some_and(|since| now - since >= self.away(config))
    }

    /// For how long it is left out at least.
    fn away(&self, config: &OutlierDetection) -> SimDuration {
        (config.base_ejection_time * u64::from(self.ejections_in_a_row)).min(config.max_ejection_time())
    }

    fn give_back(&mut self, now: SimTime) {
        self.ejected_at = None;
        self.returned_at = Some(now);
        self.consecutive_5xx = 0;
        self.consecutive_gateway_failure = 0;
        self.consecutive_local_origin_failure = 0;
    }
}

#[cfg(test)]
mod tests;
