//! Populations of users, as they are typed.

use super::Duration;
use super::arrivals::{Arrivals, Rate};
use super::quantity::{NumberOrText, Quantity};
use super::spanned::Spanned;
use meshsim_models::units::{BitsPerSecond, Bytes};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

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

impl JsonSchema for OnIngressLoss {
    fn schema_name() -> Cow<'static, str> {
        "OnIngressLoss".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<LedTo>();
        json_schema!({ "anyOf": [{ "const": "fail" }, table] })
    }
}
