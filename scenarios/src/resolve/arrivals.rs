//! When users send.

use super::check::Check;
use super::ranges::bounded;
use super::{rate_table, recording};
use crate::schema::arrivals::{
    Arrivals as Typed, ArrivalsTable, Between, DecayShape, Kind, Point, Rate, Spacing, State,
};
use crate::schema::spanned::Spanned;
use crate::schema::users::Users;
use meshsim_core::{SimDuration, SimTime};
use meshsim_models::users::arrivals::diurnal::Diurnal;
use meshsim_models::users::arrivals::flash_crowd::{self, FlashCrowd};
use meshsim_models::users::arrivals::mmpp::{self, Mmpp};
use meshsim_models::users::arrivals::piecewise;
use meshsim_models::users::arrivals::rate_curve::RateCurve;
use meshsim_models::users::arrivals::{self, Arrivals};
use std::ops::Range;
use std::sync::Arc;

/// Where something is said of the arrivals of a population.
pub(super) struct PopulationContext<'a> {
    /// The population's name.
    pub(super) name: &'a str,
    /// What is typed of it.
    pub(super) users: &'a Users,
    /// Its location.
    pub(super) span: Range<usize>,
    /// When the run begins and ends.
    pub(super) times: &'a Times,
}

/// When a run begins and ends.
pub(super) struct Times {
    /// The time of day at which it begins.
    pub(super) begin_at: SimDuration,
    /// Its end, from its beginning on.
    pub(super) end: SimDuration,
}

/// What stands in for arrivals that are wrong.
const UNKNOWN: Arrivals = Arrivals::Poisson { per_second: 1.0 };

/// A day.
const DEFAULT_PERIOD: SimDuration = SimDuration::from_secs(86_400);

pub(super) fn resolve(check: &mut Check<'_>, of: &PopulationContext<'_>) -> Arrivals {
    let arrivals = match of.users.arrivals.as_ref().map(|it| (it.span(), it.get_ref())) {
        None => word(check, of, Kind::Poisson, of.span.clone()),
        Some((span, Typed::Word(kind))) => word(check, of, *kind, span),
        Some((span, Typed::Table(it))) => table(check, of, it, span),
    };
    if arrivals.is_open() {
        for time in of.users.journey.iter().filter_map(|it| it.get_ref().think_time.as_ref()) {
            let help = "take it out, or write arrivals = \"closed-loop\": in an open loop steps come when requests do";
            check.problem("an open loop has no think_time", time.span(), help);
        }
    }
    if arrivals.is_open() && arrivals.expected(1, SimTime::ZERO + of.times.end) <= 0.0 {
        let message =
            format!("the users `{}` send nothing during the run, which ends at {}", of.name, of.times.end);
        check.problem(message, of.span.clone(), "raise a rate, or make the run longer");
    }
    arrivals
}

/// A word with what it needs beside it.
fn word(check: &mut Check<'_>, of: &PopulationContext<'_>, kind: Kind, span: Range<usize>) -> Arrivals {
    match kind {
        Kind::Poisson | Kind::Constant => {
            if let Some(think_time) = &of.users.think_time {
                let help = "take it out, or write arrivals = \"closed-loop\"";
                check.problem("an open loop has no think_time", think_time.span(), help);
            }
            steady(check, of, kind, of.users.rate.as_ref())
        }
        Kind::ClosedLoop | Kind::ClosedLoopConstant => {
            if let Some(rate) = &of.users.rate {
                let help = "take it out: the think_time and the answers make the rate";
                check.problem("a closed loop has no rate", rate.span(), help);
            }
            closed_loop(check, of, kind, of.users.think_time.as_ref())
        }
        _ => {
            let message = format!("arrivals of type \"{}\" are a table", kind.word());
            let examples: Vec<&str> = keys_of(kind).iter().filter_map(|it| it.needed).collect();
            let help = format!("write arrivals = {{ type = \"{}\", {} }}", kind.word(), examples.join(", "));
            check.problem(message, span, help);
            UNKNOWN
        }
    }
}

/// A key of a type.
struct ArrivalKey {
    name: &'static str,
    /// How it may read, if it cannot be left out.
    needed: Option<&'static str>,
}

const fn needed(name: &'static str, example: &'static str) -> ArrivalKey {
    ArrivalKey { name, needed: Some(example) }
}

const fn optional(name: &'static str) -> ArrivalKey {
    ArrivalKey { name, needed: None }
}

/// The keys of each type.
const fn keys_of(kind: Kind) -> &'static [ArrivalKey] {
    match kind {
        Kind::Poisson | Kind::Constant => const { &[needed("rate", "rate = \"50/s\"")] },
        Kind::ClosedLoop | Kind::ClosedLoopConstant => {
            const { &[needed("think_time", "think_time = \"1s\"")] }
        }
        Kind::Piecewise => {
            const { &[optional("points"), optional("points_from"), optional("between"), optional("spacing")] }
        }
        Kind::Diurnal => {
            const {
                &[
                    needed("mean", "mean = \"50/s\""),
                    needed("amplitude", "amplitude = 0.5"),
                    optional("period"),
                    optional("peak_at"),
                    optional("spacing"),
                ]
            }
        }
        Kind::FlashCrowd => {
            const {
                &[
                    needed("base", "base = \"10/s\""),
                    needed("peak", "peak = \"100/s\""),
                    needed("start", "start = \"5min\""),
                    needed("ramp_up", "ramp_up = \"30s\""),
                    needed("hold", "hold = \"2min\""),
                    needed("decay", "decay = \"1min\""),
                    optional("decay_shape"),
                    optional("spacing"),
                ]
            }
        }
        Kind::Mmpp => {
            const {
                &[needed(
                    "states",
                    "states = [{ rate = \"10/s\", sojourn = \"1min\" }, { rate = \"100/s\", sojourn = \"10s\" }]",
                )]
            }
        }
        Kind::Replay => {
            const {
                &[
                    needed("file", "file = \"arrivals.csv\""),
                    optional("column"),
                    optional("unit"),
                    optional("begin"),
                    optional("speed"),
                    optional("repeat"),
                ]
            }
        }
    }
}

/// A table, with all that it needs in it.
fn table(
    check: &mut Check<'_>,
    of: &PopulationContext<'_>,
    it: &ArrivalsTable,
    span: Range<usize>,
) -> Arrivals {
    let kind = *it.kind.get_ref();
    let beside = [
        ("rate", of.users.rate.as_ref().map(Spanned::span)),
        ("think_time", of.users.think_time.as_ref().map(Spanned::span)),
    ];
    let help = "what belongs to them stands in the table";
    check.refuse(beside, help, |key| format!("{key} stands beside arrivals that are a table"));
    let keys = keys_of(kind);
    let given = it.keys();
    for (key, location) in &given {
        if !keys.iter().any(|known| known.name == *key) {
            let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
            let message = format!("arrivals of type \"{}\" have no {key}", kind.word());
            check.problem(message, location.clone(), format!("take it out; they have {}", names.join(", ")));
        }
    }
    let missing = keys.iter().filter(|key| !given.iter().any(|(name, _)| *name == key.name));
    let missing: Vec<(&str, &str)> = missing.filter_map(|key| Some((key.name, key.needed?))).collect();
    for (name, example) in &missing {
        let message = format!("arrivals of type \"{}\" need {name}", kind.word());
        check.problem(message, span.clone(), format!("write {example}"));
    }
    if missing.is_empty() { of_kind(check, of, it, kind).unwrap_or(UNKNOWN) } else { UNKNOWN }
}

/// Arrivals of a table that has what its type needs.
fn of_kind(
    check: &mut Check<'_>,
    of: &PopulationContext<'_>,
    it: &ArrivalsTable,
    kind: Kind,
) -> Option<Arrivals> {
    match kind {
        Kind::Poisson | Kind::Constant => Some(steady(check, of, kind, it.rate.as_ref())),
        Kind::ClosedLoop | Kind::ClosedLoopConstant => {
            Some(closed_loop(check, of, kind, it.think_time.as_ref()))
        }
        Kind::Piecewise => {
            let between = match it.between.as_ref().map(|it| *it.get_ref()) {
                Some(Between::Ramps) => piecewise::Between::Ramps,
                Some(Between::Steps) | None => piecewise::Between::Steps,
            };
            let points = match (&it.points, &it.points_from) {
                (Some(_), Some(file)) => {
                    let help = "take one of them out";
                    check.problem("the rates have points and points_from", file.span(), help);
                    return None;
                }
                (Some(points), None) => self::points(check, points)?,
                (None, Some(file)) => rate_table::read(check, file)?,
                (None, None) => {
                    let location = it.kind.span();
                    let help = "write points = [{ at = \"0s\", rate = \"10/s\" }, { at = \"5min\", rate = \"50/s\" }], or \
                                points_from = \"rates.csv\"";
                    check.problem("arrivals of type \"piecewise\" need points", location, help);
                    return None;
                }
            };
            let points = piecewise::beginning_at(&points, SimTime::ZERO + of.times.begin_at, between);
            Some(varying(it, piecewise::curve(&points, between)))
        }
        Kind::Diurnal => Some(varying(it, diurnal(check, of, it)?)),
        Kind::FlashCrowd => Some(varying(it, flash_crowd(check, of, it)?)),
        Kind::Mmpp => bursts(check, it.states.as_ref()?),
        Kind::Replay => recording::resolve(check, it, of.users, of.times.end),
    }
}

fn steady(check: &mut Check<'_>, of: &PopulationContext<'_>, kind: Kind, rate: Option<&Rate>) -> Arrivals {
    let Some(rate) = rate else {
        let message = format!("the users `{}` have no rate", of.name);
        check.problem(message, of.span.clone(), "write rate = \"50/s\"");
        return UNKNOWN;
    };
    let per_second = positive(check, rate);
    if kind == Kind::Poisson { Arrivals::Poisson { per_second } } else { Arrivals::Constant { per_second } }
}

fn closed_loop(
    check: &mut Check<'_>,
    of: &PopulationContext<'_>,
    kind: Kind,
    think_time: Option<&crate::schema::Duration>,
) -> Arrivals {
    let steps = &of.users.journey;
    let is_said = !steps.is_empty() && steps.iter().all(|it| it.get_ref().think_time.is_some());
    match think_time {
        None if !is_said => {
            let message = format!("the users `{}` are a closed loop without a think_time", of.name);
            check.problem(message, of.span.clone(), "write think_time = \"1s\"");
        }
        Some(time) if is_said => {
            check.problem("each step of the journey has a think_time of its own", time.span(), "take it out");
        }
        _ => {}
    }
    let think_time = check.duration(think_time, "think_time", SimDuration::from_secs(1), 0);
    Arrivals::ClosedLoop { think_time, exponential: kind == Kind::ClosedLoop }
}

fn varying(it: &ArrivalsTable, curve: RateCurve) -> Arrivals {
    let spacing = match it.spacing.as_ref().map(|it| *it.get_ref()) {
        Some(Spacing::Even) => arrivals::Spacing::Even,
        Some(Spacing::Random) | None => arrivals::Spacing::Random,
    };
    Arrivals::Varying { curve: Arc::new(curve), spacing }
}

fn points(check: &mut Check<'_>, typed: &Spanned<Vec<Point>>) -> Option<Vec<piecewise::Point>> {
    let mut points: Vec<piecewise::Point> = Vec::new();
    for point in typed.get_ref() {
        let at = SimTime::ZERO + check.duration(Some(&point.at), "at", SimDuration::ZERO, 0);
        let before = points.last().map(|it: &piecewise::Point| it.at);
        if before.is_none() && at > SimTime::ZERO {
            let message = format!("the first point is at {}", point.at.get_ref().0);
            check.problem(message, point.at.span(), "begin with { at = \"0s\", ... }");
        }
        if before.is_some_and(|before| before >= at) {
            let message =
                format!("the point at {} does not come after the one before it", point.at.get_ref().0);
            check.problem(message, point.at.span(), "write points in the order of time");
            return None;
        }
        points.push(piecewise::Point { at, per_second: level(check, &point.rate) });
    }
    if points.is_empty() {
        check.problem(
            "there are no points",
            typed.span(),
            "write points = [{ at = \"0s\", rate = \"10/s\" }]",
        );
        return None;
    }
    Some(points)
}

fn diurnal(check: &mut Check<'_>, of: &PopulationContext<'_>, it: &ArrivalsTable) -> Option<RateCurve> {
    let period = check.duration(it.period.as_ref(), "period", DEFAULT_PERIOD, 1_000_000_000);
    let peak_at = check.duration(it.peak_at.as_ref(), "peak_at", period / 2, 0);
    let begins = SimDuration::from_nanos(of.times.begin_at.as_nanos() % period.as_nanos().max(1));
    let day = Diurnal {
        mean: positive(check, it.mean.as_ref()?),
        amplitude: bounded(check, it.amplitude.as_ref(), "an amplitude", 0.0, 0.0, 1.0),
        period,
        peak_at: if peak_at >= begins {
            peak_at.saturating_sub(begins)
        } else {
            (peak_at + period).saturating_sub(begins)
        },
    };
    Some(day.curve())
}

fn flash_crowd(check: &mut Check<'_>, of: &PopulationContext<'_>, it: &ArrivalsTable) -> Option<RateCurve> {
    let start = it.start.as_ref()?;
    let mut length = |value: &Option<crate::schema::Duration>, key| {
        check.duration(value.as_ref(), key, SimDuration::ZERO, 0)
    };
    let (starts, ramp_up) = (length(&it.start, "start"), length(&it.ramp_up, "ramp_up"));
    let (hold, decay) = (length(&it.hold, "hold"), length(&it.decay, "decay"));
    let [base, peak] = [it.base.as_ref()?, it.peak.as_ref()?].map(|rate| level(check, rate));
    if peak < base {
        let message = format!("the peak of {peak} requests per second is below the base of {base}");
        check.problem(message, it.peak.as_ref()?.span(), "a crowd is more than there was before");
        return None;
    }
    if starts >= of.times.end {
        let message = format!("the crowd comes at {starts}, and the run ends at {}", of.times.end);
        check.problem(message, start.span(), "it comes before; the warm-up is part of the run");
    }
    let decays = match it.decay_shape.as_ref().map(|it| *it.get_ref()) {
        Some(DecayShape::Linear) => flash_crowd::DecayShape::Linear,
        Some(DecayShape::Exponential) | None => flash_crowd::DecayShape::Exponential,
    };
    Some(FlashCrowd { base, peak, starts, ramp_up, hold, decay, decays }.curve())
}

fn bursts(check: &mut Check<'_>, typed: &Spanned<Vec<State>>) -> Option<Arrivals> {
    let states: Vec<mmpp::State> = typed
        .get_ref()
        .iter()
        .map(|state| mmpp::State {
            per_second: level(check, &state.rate),
            sojourn: check.duration(Some(&state.sojourn), "sojourn", SimDuration::ZERO, 1_000_000),
        })
        .collect();
    let help = "write two or more, as in [{ rate = \"10/s\", sojourn = \"1min\" }, { rate = \"100/s\", sojourn = \"10s\" }]";
    if states.len() < 2 {
        let message = format!("a rate does not jump between {} states", states.len());
        check.problem(message, typed.span(), help);
        return None;
    }
    if states.iter().all(|state| state.per_second <= 0.0) {
        check.problem("no state has a rate above zero", typed.span(), help);
        return None;
    }
    Some(Arrivals::Mmpp(Mmpp::new(&states)))
}

/// A rate above zero.
fn positive(check: &mut Check<'_>, rate: &Rate) -> f64 {
    ranged(check, rate, 1e-6, "it is more than zero and at most \"10000000/s\"")
}

/// A rate that may be zero for some time.
fn level(check: &mut Check<'_>, rate: &Rate) -> f64 {
    ranged(check, rate, 0.0, "it is at most \"10000000/s\"")
}

fn ranged(check: &mut Check<'_>, rate: &Rate, least: f64, help: &str) -> f64 {
    let per_second = rate.get_ref().0.0;
    if !(least..=1e7).contains(&per_second) {
        let message = format!("a rate of {per_second} requests per second is out of range");
        check.problem(message, rate.span(), help);
        return 1.0;
    }
    per_second
}
