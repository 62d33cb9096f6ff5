use super::super::metrics::{MetricResource, MetricSource, MetricSpec, PodMetric};
use super::super::observations::{PodReading, Readings};
use super::super::pod_groups::{PodPhase, PodState, ReadyCondition};
use super::super::scaling_policy::{Allowance, Behavior, ScalingPolicy};
use super::*;
use proptest::prelude::*;

fn spec(min_replicas: u32, max_replicas: u32, behavior: Option<Behavior>) -> HpaSpec {
    HpaSpec { min_replicas, max_replicas, metrics: Vec::new(), behavior }
}

fn at(secs: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs(secs)
}

/// Replicas after each of so many syncs in which one metric proposes `desired`.
fn run(spec: &HpaSpec, mut replicas: u32, desired: i32, syncs: u64) -> Vec<u32> {
    let (flags, mut autoscaler) = (ControllerFlags::default(), Autoscaler::default());
    let mut sync = |n| {
        replicas = autoscaler.sync_proposals(&flags, spec, replicas, [Some(desired)], at(15 * n)).replicas;
        replicas
    };
    (0..syncs).map(&mut sync).collect()
}

#[test]
fn ten_go_down_to_four_after_the_window_of_300_s() {
    let without = run(&spec(1, 100, None), 10, 4, 23);
    assert_eq!((&without[..21], &without[21..]), (&[10; 21][..], &[4; 2][..]));
    let with = run(&spec(1, 100, Some(Behavior::default())), 10, 4, 22);
    assert_eq!((&with[..20], &with[20..]), (&[10; 20][..], &[4; 2][..]));
}

#[test]
fn from_1_to_20() {
    assert_eq!(run(&spec(1, 100, Some(Behavior::default())), 1, 20, 4), [5, 10, 20, 20]);
    assert_eq!(run(&spec(1, 100, None), 1, 20, 5), [4, 8, 16, 20, 20]);
}

#[test]
fn one_pod_per_minute_downwards() {
    let mut behavior = Behavior::default();
    behavior.scale_down.stabilization_window = Some(SimDuration::ZERO);
    behavior.scale_down.policies =
        vec![ScalingPolicy { allowance: Allowance::Pods(1), period: SimDuration::from_secs(60) }];
    let replicas = run(&spec(1, 100, Some(behavior)), 6, 2, 14);
    assert_eq!(replicas, [5, 5, 5, 5, 4, 4, 4, 4, 3, 3, 3, 3, 2, 2]);
}

#[test]
fn outside_the_bounds_it_jumps_and_says_why() {
    let flags = ControllerFlags::default();
    let decide = |current, min, max| {
        let decision =
            Autoscaler::default().sync_proposals(&flags, &spec(min, max, None), current, [Some(5)], at(0));
        (decision.replicas, decision.reason, decision.stabilized)
    };
    assert_eq!(decide(50, 1, 6), (6, Reason::AboveMax, None));
    assert_eq!(decide(1, 2, 6), (2, Reason::BelowMin, None));
    assert_eq!(decide(0, 1, 6), (0, Reason::ScalingDisabled, None));
    assert_eq!(decide(0, 0, 6), (4, Reason::ScaleUpLimit, Some(5)));
}

#[test]
fn failed_metrics_change_and_remember_nothing() {
    let (flags, spec, mut autoscaler) =
        (ControllerFlags::default(), spec(1, 100, None), Autoscaler::with_history_of_nothing());
    let failed = autoscaler.sync_proposals(&flags, &spec, 5, [Some(3), None], at(0));
    assert_eq!((failed.replicas, failed.reason, failed.largest), (5, Reason::InvalidMetrics, None));
    assert_eq!(autoscaler.sync_proposals(&flags, &spec, 5, [Some(1)], at(15)).replicas, 1);
}

impl Autoscaler {
    fn with_history_of_nothing() -> Self {
        Self::with_history(Recommendations::of(Vec::new()), ScaleEvents::default())
    }
}

/// A workload whose replicas are ready at once and share `load` evenly.
struct Workload {
    spec: HpaSpec,
    flags: ControllerFlags,
    autoscaler: Autoscaler,
    replicas: u32,
    syncs: u64,
}

impl Workload {
    fn new(metric: MetricSpec, tolerance: f64, behavior: Option<Behavior>, replicas: u32) -> Self {
        let tolerances = Tolerances { up: tolerance, down: tolerance };
        Self {
            spec: HpaSpec { metrics: vec![metric], ..spec(1, 1_000, behavior) },
            flags: ControllerFlags { tolerances, ..ControllerFlags::default() },
            autoscaler: Autoscaler::default(),
            replicas,
            syncs: 0,
        }
    }

    /// A sync under this load (in the unit of the metric, summed over all pods).
    fn sync(&mut self, load: i64, request: i64) -> Decision {
        let now = at(1_000 + 15 * self.syncs);
        self.syncs += 1;
        let condition = Some(ReadyCondition { ready: true, last_transition: at(1) });
        let pod = PodState {
            phase: PodPhase::Running,
            deleted: false,
            condition,
            started: Some(at(1)),
            is_old: false,
        };
        let pods = vec![pod; self.replicas as usize];
        let (each, rest) = (load / i64::from(self.replicas), load % i64::from(self.replicas));
        let listed: Vec<_> = (0..i64::from(self.replicas))
            .map(|n| {
                let value = each + i64::from(n < rest);
                let metric = PodMetric { value, timestamp: now, window: SimDuration::from_secs(15) };
                PodReading { metric: Some(metric), request: Some(request) }
            })
            .collect();
        let readings = [Readings::Pods { listed: &listed, unlisted: &[] }];
        let seen = Observations { status_replicas: self.replicas, pods: &pods, readings: &readings };
        let decision = self.autoscaler.sync(&self.flags, &self.spec, self.replicas, &seen, now);
        self.replicas = decision.replicas;
        decision
    }
}

/// Microcores per pod: so fine that cutting averages does not matter.
const TARGET: i64 = 1_000_000;

fn behavior() -> impl Strategy<Value = Option<Behavior>> {
    prop_oneof![Just(None), Just(Some(Behavior::default()))]
}

proptest! {
    /// The load is `rate` requests per second, each of `demand` microcore-seconds.
    #[test]
    fn constant_load_converges_to_load_times_demand_over_target(
        rate in 1_i64..2_000, demand in 1_000_i64..50_000, start in 1_u32..100, behavior in behavior()
    ) {
        let load = rate * demand;
        // Where the quotient is nearly whole, cut averages and doubles decide.
        prop_assume!((1_000..TARGET - 1_000).contains(&(load % TARGET)));
        let exact = u32::try_from(load / TARGET + 1).unwrap();
        let metric = MetricSpec { source: MetricSource::AverageUsage(MetricResource::Cpu), target: TARGET };
        let mut workload = Workload::new(metric, 0.0, behavior.clone(), start);
        let replicas: Vec<_> = (0..60).map(|_| workload.sync(load, 0).replicas).collect();
        prop_assert_eq!(&replicas[40..], &[exact; 20][..], "{:?}", replicas);

        // With a tolerance it may stop on the way, and then stays.
        let mut workload = Workload::new(metric, 0.1, behavior, start);
        let replicas: Vec<_> = (0..60).map(|_| workload.sync(load, 0).replicas).collect();
        let last = replicas[59];
        prop_assert_eq!(&replicas[40..], &[last; 20][..], "{:?}", replicas);
        let ratio = load as f64 / TARGET as f64 / f64::from(last);
        prop_assert!(last == exact || (0.9..=1.1).contains(&ratio), "{} is not {}", last, exact);
    }

    #[test]
    fn a_load_that_stays_within_the_tolerance_changes_nothing(
        start in 1_u32..50, behavior in behavior(), loads in prop::collection::vec(92_i64..=108, 1..60)
    ) {
        let metric = MetricSpec { source: MetricSource::Utilization(MetricResource::Cpu), target: 50 };
        let mut workload = Workload::new(metric, 0.1, behavior, start);
        for percent in loads {
            let decision = workload.sync(percent * 5 * i64::from(start), 1_000);
            prop_assert!(!decision.rescales(), "{decision:?}");
            prop_assert_eq!(decision.reason, Reason::DesiredWithinRange);
        }
    }
}

#[test]
fn a_decision_says_what_led_to_it() {
    let metric = MetricSpec { source: MetricSource::Utilization(MetricResource::Cpu), target: 60 };
    let mut workload = Workload::new(metric, 0.1, None, 2);
    let decision = workload.sync(1_800, 1_000);
    assert_eq!(decision.largest, Some(Largest { replicas: 3, metric: 0 }));
    assert_eq!((decision.current, decision.stabilized, decision.replicas), (2, Some(3), 3));
    let proposal = workload.autoscaler.proposals()[0].unwrap();
    assert_eq!((proposal.usage, proposal.ratio, proposal.ready), (90, 1.5, 2));
}
