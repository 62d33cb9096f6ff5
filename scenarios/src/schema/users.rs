//! Populations of users, as they are typed.

use super::Duration;
use super::quantity::{NumberOrText, Quantity};
use super::spanned::Spanned;
use meshsim_models::units::{BitsPerSecond, Bytes, PerSecond};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Requests per second.
pub type Rate = Spanned<Quantity<PerSecond>>;

/// A population of users.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// The cluster whose gateway they use.
    pub cluster: Spanned<String>,
    /// The service that they request.
    pub service: Option<Spanned<String>>,
    /// What they request: endpoints of that service, or `SERVICE.ENDPOINT`, by their weights.
    ///
    /// Default: its only endpoint. Range: weights of 0 to 1000000000.
    #[serde(default)]
    pub requests: BTreeMap<String, Spanned<f64>>,
    /// What each of them requests one after the other.
    ///
    /// Default: none. Range: at most 1000 steps.
    #[serde(default)]
    pub journey: Vec<Spanned<JourneyStep>>,
    /// How they move to other clusters.
    ///
    /// Default: none.
    #[serde(default)]
    pub moves: Vec<Spanned<Move>>,
    /// How many there are.
    ///
    /// Default: 100. Range: 1 to 1000000.
    pub users: Option<Spanned<u32>>,
    /// When they send.
    ///
    /// Default: poisson with a rate, closed-loop with a think_time.
    pub arrivals: Option<Spanned<Arrivals>>,
    /// Requests per second of all of them (open loop).
    ///
    /// Range: above 0.
    pub rate: Option<Rate>,
    /// Mean time between an answer and the next request (closed loop).
    ///
    /// Default: 1s of a closed loop. Range: 0s to 10 years.
    pub think_time: Option<Duration>,
    /// Between a user and the gateway.
    #[serde(default)]
    pub access: Access,
    /// Headers of every request.
    ///
    /// Default: none.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Headers and query parameters whose value is each user's own.
    ///
    /// Default: none.
    #[serde(default)]
    pub personal: Vec<Spanned<String>>,
    /// After how long a user opens a new connection.
    ///
    /// Default: never. Range: 1ms to 10 years.
    pub reconnects_after: Option<Duration>,
    /// Whether moves of sessions are counted.
    ///
    /// Default: false.
    pub sessions: Option<bool>,
    /// How long a user waits for its answer.
    ///
    /// Default: none. Range: 1ms to 10 years.
    pub timeout: Option<Duration>,
    /// What a user does when a request fails.
    ///
    /// Default: none.
    pub retries: Option<Spanned<UserRetries>>,
    /// Closed loop: how many requests each user sends before it stops.
    ///
    /// Default: no end. Range: 1 to 10000000.
    pub requests_each: Option<Spanned<u32>>,
    /// What they do when their gateway takes nobody in.
    ///
    /// Default: fail.
    pub on_ingress_loss: Option<Spanned<OnIngressLoss>>,
}

/// What users do when their gateway takes nobody in.
#[derive(Debug)]
pub enum OnIngressLoss {
    /// They fail.
    Fail,
    /// They are led to another gateway.
    To(LedTo),
}

/// To which other gateway users are led.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedTo {
    /// Whose.
    pub to: Spanned<String>,
    /// After how long; at once if absent.
    ///
    /// Default: 0s. Range: 0s to 10 years.
    pub after: Option<Duration>,
    /// How much longer their round trip is; as between the clusters if absent.
    ///
    /// Default: the round trip between the clusters. Range: 0s to 10 years.
    pub farther: Option<Duration>,
}

impl Users {
    /// The path of their recorded arrivals or rates, if these are in a file.
    #[must_use]
    pub fn recording(&self) -> Option<&str> {
        match self.arrivals.as_ref()?.get_ref() {
            Arrivals::Table(table) => {
                let file = table.file.as_ref().or(table.points_from.as_ref());
                file.map(|file| file.get_ref().as_str())
            }
            Arrivals::Word(_) => None,
        }
    }
}

/// When and how often a user sends a request again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserRetries {
    /// Further attempts.
    ///
    /// Range: 1 to 100.
    pub attempts: Spanned<u32>,
    /// Pause before the first of them; twice as long before each further one.
    ///
    /// Default: 100ms. Range: 0s to 10 years.
    pub backoff: Option<Duration>,
    /// The longest pause.
    ///
    /// Default: 10s. Range: backoff to 10 years.
    pub backoff_max: Option<Duration>,
    /// Which part of a pause is drawn.
    ///
    /// Default: 1. Range: 0 to 1.
    pub jitter: Option<Spanned<f64>>,
    /// After which failures: `"timeout"`, `"no-ingress"`, `"5xx"`, `"4xx"` or a status.
    ///
    /// Default: 5xx, no-ingress, and timeout where there is one.
    pub on: Option<Spanned<Vec<Spanned<NumberOrText>>>>,
}

/// A step of a journey.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JourneyStep {
    /// What other steps call it, if not by what it requests.
    ///
    /// Default: what it requests.
    pub name: Option<Spanned<String>>,
    /// What is requested.
    pub request: Spanned<String>,
    /// Closed loop: mean time between its answer and the next step, if not that of all.
    ///
    /// Default: that of all steps. Range: 0s to 10 years.
    pub think_time: Option<Duration>,
    /// Which steps may follow, by their weights; the one below it if absent, and the first after the last.
    ///
    /// Default: the step below; after the last the first. Range: weights of 0 to 1000000000.
    #[serde(default)]
    pub next: BTreeMap<String, Spanned<f64>>,
}

/// The way from a user to the gateway.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Round trip.
    ///
    /// Default: 0s. Range: 0s to 10 years.
    pub rtt: Option<Duration>,
    /// Rate.
    ///
    /// Default: 1Gbit/s. Range: 1bit/s to 1000Tbit/s.
    pub bandwidth: Option<Spanned<Quantity<BitsPerSecond>>>,
    /// The largest IP packet.
    ///
    /// Default: 1500B. Range: 576B to 65535B. Source: Ethernet.
    pub mtu: Option<Spanned<Quantity<Bytes>>>,
}

/// Some users move to another cluster's gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// When it begins, from the start of the run.
    ///
    /// Range: 0s to the end of the run.
    pub at: Duration,
    /// From where; the users' cluster if absent.
    ///
    /// Default: the users' own cluster.
    pub from: Option<Spanned<String>>,
    /// To where.
    pub to: Spanned<String>,
    /// Which part of those who are there; all if absent.
    ///
    /// Default: 1. Range: 0 to 1.
    pub share: Option<Spanned<f64>>,
    /// How long it takes; no time if absent.
    ///
    /// Default: 0s. Range: 0s to 10 years.
    pub over: Option<Duration>,
}

/// When users send.
#[derive(Debug)]
pub enum Arrivals {
    /// A word: what it needs stands beside it.
    Word(Kind),
    /// A table.
    Table(Box<ArrivalsTable>),
}

impl Arrivals {
    /// Whether the load depends on the time of day at which the run begins.
    #[must_use]
    pub fn follows_the_day(&self) -> bool {
        matches!(self, Self::Table(table) if matches!(table.kind.get_ref(), Kind::Piecewise | Kind::Diurnal))
    }
}

/// When users send: the keys of all types.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArrivalsTable {
    /// How requests come.
    #[serde(rename = "type")]
    pub kind: Spanned<Kind>,
    /// Poisson, constant: requests per second.
    pub rate: Option<Rate>,
    /// Closed loop: mean time between an answer and the next request.
    ///
    /// Default: 1s. Range: 0s to 10 years.
    pub think_time: Option<Duration>,
    /// Piecewise: rates from moments on.
    pub points: Option<Spanned<Vec<Point>>>,
    /// Piecewise: path of a table of moments and rates, seen from the scenario.
    pub points_from: Option<Spanned<String>>,
    /// Piecewise: what happens between them.
    ///
    /// Default: steps.
    pub between: Option<Spanned<Between>>,
    /// Rates that vary: how requests lie around them.
    ///
    /// Default: random.
    pub spacing: Option<Spanned<Spacing>>,
    /// Diurnal: mean rate.
    pub mean: Option<Rate>,
    /// Diurnal: highest rate over the mean, less 1.
    ///
    /// Default: 0. Range: 0 to 1.
    pub amplitude: Option<Spanned<f64>>,
    /// Diurnal: from peak to peak.
    ///
    /// Default: 24h. Range: 1s to 10 years.
    pub period: Option<Duration>,
    /// Diurnal: the first peak.
    ///
    /// Default: half a period. Range: 0s to 10 years.
    pub peak_at: Option<Duration>,
    /// Flash crowd: rate before it.
    pub base: Option<Rate>,
    /// Flash crowd: rate while it is there.
    pub peak: Option<Rate>,
    /// Flash crowd: when it begins to come.
    pub start: Option<Duration>,
    /// Flash crowd: how long it takes to come.
    pub ramp_up: Option<Duration>,
    /// Flash crowd: how long it stays.
    pub hold: Option<Duration>,
    /// Flash crowd: how long it takes to go.
    pub decay: Option<Duration>,
    /// Flash crowd: how it goes.
    ///
    /// Default: exponential.
    pub decay_shape: Option<Spanned<DecayShape>>,
    /// Bursts: the states of the rate.
    pub states: Option<Spanned<Vec<State>>>,
    /// Replay: path of a recording, seen from the scenario.
    pub file: Option<Spanned<String>>,
    /// Replay: the column of the times, by name or number.
    ///
    /// Default: the first.
    pub column: Option<Spanned<String>>,
    /// Replay: the unit of the times.
    ///
    /// Default: s, or what the file says.
    pub unit: Option<Spanned<Unit>>,
    /// Replay: what is the start of the run.
    ///
    /// Default: zero.
    pub begin: Option<Spanned<Begin>>,
    /// Replay: how many times as fast.
    ///
    /// Default: 1. Range: 0.000001 to 1000000.
    pub speed: Option<Spanned<f64>>,
    /// Replay: whether it begins anew.
    ///
    /// Default: false.
    pub repeat: Option<Spanned<bool>>,
}

/// A rate from a moment on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The moment, from the start of the run.
    ///
    /// Range: the first 0s, the others ascending.
    pub at: Duration,
    /// Requests per second.
    pub rate: Rate,
}

/// A state of a rate that jumps.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Requests per second in it.
    pub rate: Rate,
    /// Mean time in it.
    ///
    /// Range: 1ms to 10 years.
    pub sojourn: Duration,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $member:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$each])* $member),* }
    };
}

words!(
    /// How requests come.
    Kind {
        /// Independently of each other.
        Poisson,
        /// At equal distances.
        Constant,
        /// After an answer and an exponential think time.
        ClosedLoop,
        /// After an answer and a constant think time.
        ClosedLoopConstant,
        /// At rates that are given at some moments.
        Piecewise,
        /// At a rate that follows the day.
        Diurnal,
        /// At a rate that rises and falls once.
        FlashCrowd,
        /// At a rate that jumps at random.
        Mmpp,
        /// As recorded.
        Replay,
    }
);
words!(
    /// What happens between two points.
    Between {
        /// The rate stays.
        Steps,
        /// It goes straight to the next one.
        Ramps,
    }
);
words!(
    /// How requests lie around a rate.
    Spacing {
        /// Independently of each other.
        Random,
        /// As far apart as it says.
        Even,
    }
);
words!(
    /// How a crowd goes.
    DecayShape {
        /// A part of 1/e is left after the decay time.
        Exponential,
        /// In a straight line.
        Linear,
    }
);
words!(
    /// What is the start of the run in a recording.
    Begin {
        /// Its zero.
        Zero,
        /// Its first arrival.
        First,
    }
);

/// The unit of times in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl Kind {
    /// All, with the words that they are written as.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Poisson, "poisson"),
        (Self::Constant, "constant"),
        (Self::ClosedLoop, "closed-loop"),
        (Self::ClosedLoopConstant, "closed-loop-constant"),
        (Self::Piecewise, "piecewise"),
        (Self::Diurnal, "diurnal"),
        (Self::FlashCrowd, "flash-crowd"),
        (Self::Mmpp, "mmpp"),
        (Self::Replay, "replay"),
    ];

    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }
}

impl ArrivalsTable {
    /// The keys that are written beside the type, with their locations.
    #[must_use]
    pub fn keys(&self) -> Vec<(&'static str, Range<usize>)> {
        fn location<T>(value: &Option<Spanned<T>>) -> Option<Range<usize>> {
            value.as_ref().map(Spanned::span)
        }
        let all = [
            ("rate", location(&self.rate)),
            ("think_time", location(&self.think_time)),
            ("points", location(&self.points)),
            ("points_from", location(&self.points_from)),
            ("between", location(&self.between)),
            ("spacing", location(&self.spacing)),
            ("mean", location(&self.mean)),
            ("amplitude", location(&self.amplitude)),
            ("period", location(&self.period)),
            ("peak_at", location(&self.peak_at)),
            ("base", location(&self.base)),
            ("peak", location(&self.peak)),
            ("start", location(&self.start)),
            ("ramp_up", location(&self.ramp_up)),
            ("hold", location(&self.hold)),
            ("decay", location(&self.decay)),
            ("decay_shape", location(&self.decay_shape)),
            ("states", location(&self.states)),
            ("file", location(&self.file)),
            ("column", location(&self.column)),
            ("unit", location(&self.unit)),
            ("begin", location(&self.begin)),
            ("speed", location(&self.speed)),
            ("repeat", location(&self.repeat)),
        ];
        all.into_iter().filter_map(|(key, location)| Some((key, location?))).collect()
    }
}

/// How types are written.
const WORDS: [&str; Kind::ALL.len()] = {
    let mut words = [""; Kind::ALL.len()];
    let mut index = 0;
    while index < words.len() {
        words[index] = Kind::ALL[index].1;
        index += 1;
    }
    words
};

struct ArrivalsVisitor;

impl<'de> Visitor<'de> for ArrivalsVisitor {
    type Value = Arrivals;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word, as in \"poisson\", or a table, as in { type = \"diurnal\", mean = \"50/s\" }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let known = Kind::ALL.iter().find(|(_, word)| *word == text);
        known.map(|(kind, _)| Arrivals::Word(*kind)).ok_or_else(|| E::unknown_variant(text, &WORDS))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        ArrivalsTable::deserialize(MapAccessDeserializer::new(map)).map(|it| Arrivals::Table(Box::new(it)))
    }
}

struct OnIngressLossVisitor;

impl<'de> Visitor<'de> for OnIngressLossVisitor {
    type Value = OnIngressLoss;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"fail\", or a table, as in { to = \"cloud\", after = \"30s\" }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "fail" => Ok(OnIngressLoss::Fail),
            other => Err(E::unknown_variant(other, &["fail"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        LedTo::deserialize(MapAccessDeserializer::new(map)).map(OnIngressLoss::To)
    }
}

impl<'de> Deserialize<'de> for OnIngressLoss {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnIngressLossVisitor)
    }
}

impl<'de> Deserialize<'de> for Arrivals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ArrivalsVisitor)
    }
}

impl JsonSchema for Arrivals {
    fn schema_name() -> Cow<'static, str> {
        "Arrivals".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (words, table) = (generator.subschema_for::<Kind>(), generator.subschema_for::<ArrivalsTable>());
        json_schema!({ "anyOf": [words, table] })
    }
}

impl JsonSchema for OnIngressLoss {
    fn schema_name() -> Cow<'static, str> {
        "OnIngressLoss".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<LedTo>();
        json_schema!({ "anyOf": [{ "const": "fail" }, table] })
    }
}
