//! When users send, as it is typed.

use super::Duration;
use super::quantity::Quantity;
use super::spanned::Spanned;
use meshsim_models::units::PerSecond;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Requests per second.
pub type Rate = Spanned<Quantity<PerSecond>>;

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
