//! Branches of the state machine that its reference cases do not go through.

use super::*;

/// What holds from a second on: the delays (ms), and the autoscalers of service 0 at the edge and in the cloud (current and
/// desired; absent: there is none).
type Step = (u64, [f64; 2], [Option<(u32, u32)>; 2]);

/// Two services, of which the second never changes.
struct Script<'a> {
    steps: &'a [Step],
    /// Whether the second is at the edge, too.
    has_both: bool,
    now: u64,
    seen: Vec<(u64, &'static str)>,
    acts: Vec<(u64, Action)>,
}

impl Script<'_> {
    fn step(&self) -> &Step {
        self.steps.iter().rfind(|it| it.0 <= self.now).unwrap()
    }
}

impl Surroundings for Script<'_> {
    fn autoscalers(&mut self, area: Area) -> Option<Vec<Scaled>> {
        let first = self.step().2[area as usize];
        let first = first.map(|(current, desired)| Scaled { service: 0, current, desired });
        let second =
            (area == Area::Cloud || self.has_both).then_some(Scaled { service: 1, current: 1, desired: 1 });
        Some(first.into_iter().chain(second).collect())
    }

    fn delays(&mut self) -> Option<Delays> {
        let [mean, quantile] = self.step().1;
        Some(Delays { mean, quantile })
    }

    fn enters(&mut self, state: ControllerState) {
        self.seen.push((self.now, state.name()));
    }

    fn acts(&mut self, action: Action) {
        self.acts.push((self.now, action));
    }
}

fn run(settings: ControllerSettings, steps: &[Step], until: u64) -> Script<'_> {
    run_with(false, settings, steps, until)
}

fn run_with(has_both: bool, settings: ControllerSettings, steps: &[Step], until: u64) -> Script<'_> {
    let mut controller = Controller::new(settings, [vec![(1, 10); 2], vec![(1, 10); 2]]);
    let mut script = Script { steps, has_both, now: 0, seen: Vec::new(), acts: Vec::new() };
    while script.now < until {
        script.now += controller.wake(&mut script).as_nanos() / 1_000_000_000;
    }
    script
}

/// Thresholds of the quantile that hold: 800 and 300 ms.
fn by_quantile() -> ControllerSettings {
    ControllerSettings {
        offload_quantile_ms: 800.0,
        unoffload_quantile_ms: 300.0,
        ..ControllerSettings::default()
    }
}

const ONE: Option<(u32, u32)> = Some((1, 1));

/// 100 s are four looks, the last half a minute before the action.
#[test]
fn a_window_is_rounded_up_to_half_minutes() {
    let settings = ControllerSettings {
        stabilization_window: SimDuration::from_secs(100),
        ..ControllerSettings::default()
    };
    let script = run(settings, &[(0, [400.0, 0.0], [None, ONE])], 230);
    let action = Action { offloads: true, measured: 400.0, target: 200.0 };
    assert_eq!(script.acts, [(120, action)]);
    // It waits for 100 s then.
    let seen =
        [(0, "camping"), (0, "offload alarm"), (120, "offloading"), (220, "camping"), (220, "offload alarm")];
    assert_eq!(script.seen, seen);
}

/// The mean is to fall by as much as the quantile must, and not below zero.
#[test]
fn a_quantile_above_its_threshold_offloads() {
    let script = run(by_quantile(), &[(0, [200.0, 950.0], [None, ONE])], 130);
    // From 950 to the middle of 550: by 400, which is more than there is.
    assert_eq!(script.acts, [(120, Action { offloads: true, measured: 200.0, target: 0.0 })]);
    let narrow = ControllerSettings { unoffload_quantile_ms: 700.0, ..by_quantile() };
    let script = run(narrow, &[(0, [240.0, 810.0], [None, ONE])], 130);
    assert_eq!(script.acts, [(120, Action { offloads: true, measured: 240.0, target: 180.0 })]);
}

/// Where all are at the edge nothing can come, whichever delay is too long.
#[test]
fn a_full_edge_raises_no_alarm() {
    for delays in [[400.0, 0.0], [200.0, 900.0]] {
        let steps = [(0, delays, [ONE, ONE])];
        let script = run_with(true, by_quantile(), &steps, 200);
        assert!(script.seen.iter().all(|(_, state)| *state == "camping"), "{:?}", script.seen);
        let script = run(by_quantile(), &steps, 200);
        assert_eq!(script.acts.len(), 1, "there is one more that may come");
    }
}

/// The alarm was of the mean, and when it acts the mean is not short any more: the quantile decides how much may be given.
#[test]
fn taking_back_goes_by_the_quantile_where_the_mean_is_not_short() {
    let steps = [(0, [100.0, 200.0], [ONE, ONE]), (110, [180.0, 250.0], [ONE, ONE])];
    let script = run(by_quantile(), &steps, 130);
    assert_eq!(script.acts, [(120, Action { offloads: false, measured: 180.0, target: 180.0 + 300.0 })]);
    // Where the quantile is beyond the middle nothing may be given.
    let steps = [(0, [100.0, 200.0], [ONE, ONE]), (110, [180.0, 700.0], [ONE, ONE])];
    let script = run(by_quantile(), &steps, 130);
    assert_eq!(script.acts, [(120, Action { offloads: false, measured: 180.0, target: 180.0 })]);
}

/// An autoscaler that is gone is not running; when it is back with another size it is, for what it had is remembered.
#[test]
fn an_autoscaler_that_was_gone_is_compared_with_what_it_had() {
    let steps = [
        (0, [200.0, 0.0], [Some((2, 2)), ONE]),
        (25, [200.0, 0.0], [None, ONE]),
        (55, [200.0, 0.0], [Some((3, 3)), ONE]),
    ];
    let script = run(ControllerSettings::default(), &steps, 300);
    let seen = [(0, "camping"), (30, "camping"), (60, "camping"), (60, "HPA running"), (180, "camping")];
    assert_eq!(script.seen[..5], seen);
}

/// It wants fewer than it may have: that is no activity. Nor is one that has just come.
#[test]
fn what_an_autoscaler_may_not_have_is_no_activity() {
    let steps = [(0, [200.0, 0.0], [None, Some((1, 0))]), (40, [200.0, 0.0], [ONE, Some((1, 0))])];
    let script = run(ControllerSettings::default(), &steps, 100);
    assert!(script.seen.iter().all(|(_, state)| *state == "camping"), "{:?}", script.seen);
}
