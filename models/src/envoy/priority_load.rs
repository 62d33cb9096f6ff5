//! Which priority level takes which part of the load, and which of them panics.
//!
//! # Models
//! - A level's health is min(100, 140 x healthy / (hosts - excluded)) percent, its degraded health
//!   likewise; all divisions are cut. Optionally both count the hosts' weights.
//! - Load goes first to healthy hosts, level by level, each taking min(what is left, its health x
//!   100 / total health), then to degraded ones in the same way. What rounding leaves goes to the
//!   first level with health, or else with degraded health.
//! - While the total health is 100 nobody panics. Below, a level whose healthy and degraded hosts
//!   are under the threshold panics: its load goes to all its hosts.
//! - If every level panics, load follows the numbers of hosts, whatever their health.
//! - Threshold 0 and no health at all: level 0 has all the load and no host for it.
//!
//! # Source
//! Envoy `load_balancer_impl.cc`: `recalculatePerPriorityState`, `recalculatePerPriorityPanic`,
//! `recalculateLoadInTotalPanic`, `choosePriority`; arch_overview/upstream/load_balancing/priority
//! and panic_threshold (of which some rows differ from the code; this is the code).

/// Envoy's default overprovisioning factor (percent).
pub const DEFAULT_OVERPROVISIONING_FACTOR: u32 = 140;

/// Envoy's default panic threshold (percent).
pub const DEFAULT_PANIC_THRESHOLD: u32 = 50;

/// Hosts of a level by health, or sums of their weights. The last three are disjoint parts of the
/// first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCounts {
    /// All hosts.
    pub total: u64,
    /// Healthy ones.
    pub healthy: u64,
    /// Degraded ones.
    pub degraded: u64,
    /// Ones that do not count (warming).
    pub excluded: u64,
}

/// A priority level as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Its hosts, which decide on panic.
    pub hosts: HostCounts,
    /// What its health is computed from: the hosts, or the sums of their weights.
    pub measured: HostCounts,
    /// Overprovisioning factor (percent).
    pub overprovisioning_factor: u32,
}

/// What a priority level takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelLoad {
    /// Health (percent).
    pub health: u32,
    /// Health by degraded hosts (percent).
    pub degraded_health: u32,
    /// Part of the load for its healthy hosts (percent).
    pub load: u32,
    /// Part of the load for its degraded hosts (percent).
    pub degraded_load: u32,
    /// Whether its load goes to all its hosts.
    pub panic: bool,
}

/// The load of all levels; the loads sum to 100.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriorityLoad {
    levels: Vec<LevelLoad>,
    normalized_total: u32,
}

/// To which hosts of a level a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// To healthy ones.
    Healthy,
    /// To degraded ones.
    Degraded,
}

impl HostCounts {
    /// A level of healthy hosts.
    #[must_use]
    pub const fn healthy(hosts: u64) -> Self {
        Self { total: hosts, healthy: hosts, degraded: 0, excluded: 0 }
    }

    fn counted(&self) -> u64 {
        self.total.saturating_sub(self.excluded)
    }
}

impl Level {
    /// A level whose health is counted in hosts, with Envoy's overprovisioning factor.
    #[must_use]
    pub const fn new(hosts: HostCounts) -> Self {
        Self { hosts, measured: hosts, overprovisioning_factor: DEFAULT_OVERPROVISIONING_FACTOR }
    }

    fn percent(&self, part: u64) -> u32 {
        let counted = self.measured.counted();
        if self.hosts.counted() == 0 || counted == 0 {
            return 0;
        }
        (u64::from(self.overprovisioning_factor) * part / counted).min(100) as u32
    }

    fn panics(&self, threshold: u32) -> bool {
        let counted = self.hosts.counted();
        let percent = |part| if counted == 0 { 0.0 } else { 100.0 * part as f64 / counted as f64 };
        percent(self.hosts.healthy) + percent(self.hosts.degraded) < f64::from(threshold)
    }
}

impl PriorityLoad {
    /// The load of these levels under a panic threshold (percent, 0 = never).
    #[must_use]
    pub fn new(levels: &[Level], panic_threshold: u32) -> Self {
        let mut load = Self::default();
        load.update(levels, panic_threshold);
        load
    }

    /// Computes it anew, without allocating for as many levels as before.
    pub fn update(&mut self, levels: &[Level], panic_threshold: u32) {
        self.levels.clear();
        self.levels.extend(levels.iter().map(|level| LevelLoad {
            health: level.percent(level.measured.healthy),
            degraded_health: level.percent(level.measured.degraded),
            ..LevelLoad::default()
        }));
        self.normalized_total =
            self.levels.iter().map(|level| level.health + level.degraded_health).sum::<u32>().min(100);
        if self.normalized_total > 0 {
            self.distribute();
        }
        self.panic(levels, panic_threshold.min(100));
    }

    /// All levels, the first one first.
    #[must_use]
    pub fn levels(&self) -> &[LevelLoad] {
        &self.levels
    }

    /// min(100, sum of all health) (percent).
    #[must_use]
    pub const fn normalized_total(&self) -> u32 {
        self.normalized_total
    }

    /// The level of a request with this hash or random number.
    #[must_use]
    pub fn choose(&self, hash: u64) -> (usize, Availability) {
        choose_priority(&self.levels, hash)
    }

    fn distribute(&mut self) {
        let total = self.normalized_total;
        let mut left = 100;
        for level in &mut self.levels {
            level.load = left.min(level.health * 100 / total);
            left -= level.load;
        }
        for level in &mut self.levels {
            level.degraded_load = left.min(level.degraded_health * 100 / total);
            left -= level.degraded_load;
        }
        if let Some(first) = self.levels.iter_mut().find(|level| level.health > 0) {
            first.load += left;
        } else if let Some(first) = self.levels.iter_mut().find(|level| level.degraded_health > 0) {
            first.degraded_load += left;
        }
    }

    fn panic(&mut self, levels: &[Level], threshold: u32) {
        if threshold == 0 && self.normalized_total == 0 {
            if let Some(first) = self.levels.first_mut() {
                first.load = 100;
            }
            return;
        }
        for (load, level) in self.levels.iter_mut().zip(levels) {
            load.panic = self.normalized_total < 100 && level.panics(threshold);
        }
        if self.levels.iter().all(|level| level.panic) {
            self.follow_hosts(levels);
        }
    }

    /// All panic: by the numbers of hosts.
    fn follow_hosts(&mut self, levels: &[Level]) {
        let hosts: u64 = levels.iter().map(|level| level.hosts.total).sum();
        let first = levels.iter().position(|level| level.hosts.total > 0).unwrap_or(0);
        let mut left = 100;
        for (load, level) in self.levels.iter_mut().zip(levels) {
            load.load = (100 * level.hosts.total).checked_div(hosts).unwrap_or(0) as u32;
            load.degraded_load = 0;
            left -= load.load;
        }
        if let Some(load) = self.levels.get_mut(first) {
            load.load += left;
        }
    }
}

/// The level of a request with this hash or random number, by the loads of the levels: healthy
/// hosts of all levels come before degraded ones.
#[must_use]
pub fn choose_priority(levels: &[LevelLoad], hash: u64) -> (usize, Availability) {
    let point = (hash % 100 + 1) as u32;
    let mut sum = 0;
    for (priority, level) in levels.iter().enumerate() {
        sum += level.load;
        if point <= sum {
            return (priority, Availability::Healthy);
        }
    }
    for (priority, level) in levels.iter().enumerate() {
        sum += level.degraded_load;
        if point <= sum {
            return (priority, Availability::Degraded);
        }
    }
    (0, Availability::Healthy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(healthy_percents: &[u64], threshold: u32) -> (Vec<u32>, Vec<bool>) {
        let levels: Vec<_> = healthy_percents
            .iter()
            .map(|&healthy| Level::new(HostCounts { total: 100, healthy, ..HostCounts::default() }))
            .collect();
        let load = PriorityLoad::new(&levels, threshold);
        assert_eq!(load.levels().iter().map(|level| level.load + level.degraded_load).sum::<u32>(), 100);
        load.levels().iter().map(|level| (level.load, level.panic)).unzip()
    }

    #[test]
    fn what_a_level_lacks_spills_to_the_next() {
        for (healthy, expected) in [(100, 100), (72, 100), (71, 99), (50, 70), (25, 35), (0, 0)] {
            assert_eq!(load(&[healthy, 100], 0).0, [expected, 100 - expected], "{healthy}");
        }
        assert_eq!(load(&[71, 71], 0).0, [99, 1]);
        assert_eq!(load(&[50, 50], 0).0, [70, 30]);
        assert_eq!(load(&[25, 100], 0).0, [35, 65]);
        assert_eq!(load(&[25, 25], 0).0, [50, 50]);
        assert_eq!(load(&[71, 71, 100], 0).0, [99, 1, 0]);
        assert_eq!(load(&[50, 50, 100], 0).0, [70, 30, 0]);
        assert_eq!(load(&[25, 100, 100], 0).0, [35, 65, 0]);
        assert_eq!(load(&[25, 25, 100], 0).0, [35, 35, 30]);
        assert_eq!(load(&[25, 25, 20], 0).0, [37, 35, 28]);
    }

    #[test]
    fn panic_begins_below_full_total_health() {
        assert_eq!(load(&[72, 72], 50), (vec![100, 0], vec![false, false]));
        assert_eq!(load(&[71, 71], 50), (vec![99, 1], vec![false, false]));
        assert_eq!(load(&[25, 25], 50), (vec![50, 50], vec![true, true]));
        assert_eq!(load(&[5, 65], 50), (vec![8, 92], vec![true, false]));
    }

    #[test]
    fn without_a_threshold_and_without_health_the_first_level_has_all() {
        assert_eq!(load(&[0, 0], 0), (vec![100, 0], vec![false, false]));
    }

    #[test]
    fn if_all_panic_the_numbers_of_hosts_count() {
        let dead = |total| Level::new(HostCounts { total, ..HostCounts::default() });
        let load = PriorityLoad::new(&[dead(0), dead(1), dead(2)], 50);
        assert_eq!(load.levels().iter().map(|level| level.load).collect::<Vec<_>>(), [0, 34, 66]);
    }

    #[test]
    fn degraded_hosts_take_what_healthy_ones_leave() {
        let level = |healthy, degraded| {
            Level::new(HostCounts { total: 10, healthy, degraded, ..HostCounts::default() })
        };
        // Health 14/28/14 and degraded 28/14/0: the rounding's 2 go to the first healthy level.
        let load = PriorityLoad::new(&[level(1, 2), level(2, 1), level(1, 0)], 0);
        let loads: Vec<_> = load.levels().iter().map(|l| (l.load, l.degraded_load)).collect();
        assert_eq!(loads, [(16, 28), (28, 14), (14, 0)]);
        assert_eq!(load.choose(58), (0, Availability::Degraded));
        assert_eq!(load.choose(115), (0, Availability::Healthy));
    }
}
