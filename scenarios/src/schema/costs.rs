//! What clusters, nodes and links cost, as it is typed.

use super::spanned::Spanned;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What a cluster takes for what it gives, in any currency.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterPrices {
    /// Of a core for an hour.
    ///
    /// Default: 0. Range: 0 to 1000000.
    pub core_hour: Option<Spanned<f64>>,
    /// Of a GiB of memory for an hour, as pods request it.
    ///
    /// Default: 0. Range: 0 to 1000000.
    pub gib_hour: Option<Spanned<f64>>,
    /// Of a GB that leaves over a link.
    ///
    /// Default: 0. Range: 0 to 1000000.
    pub egress_gb: Option<Spanned<f64>>,
    /// Of a GB that comes in over a link.
    ///
    /// Default: 0. Range: 0 to 1000000.
    pub ingress_gb: Option<Spanned<f64>>,
    /// What CPU is paid for by.
    ///
    /// Default: requested.
    pub basis: Option<Basis>,
}

/// What CPU is paid for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// What pods request.
    Requested,
    /// What is used.
    Used,
}

/// What a node takes from the grid.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// When it does nothing (W).
    ///
    /// Range: 0 to 1000000.
    pub idle: Option<Spanned<f64>>,
    /// When all its cores are busy (W).
    ///
    /// Range: 0 to 1000000.
    pub full: Option<Spanned<f64>>,
    /// In place of both: at loads at equal steps from idle to full (W).
    ///
    /// Range: 2 to 101 values, 0 to 1000000. Source: SPECpower_ssj2008's tables have eleven.
    pub points: Option<Spanned<Vec<f64>>>,
}

/// A number, or one for each hour of the day.
#[derive(Clone, Debug, PartialEq)]
pub enum Hourly {
    /// Always the same.
    Constant(f64),
    /// From midnight on.
    ByHour(Vec<f64>),
}

struct HourlyVisitor;

impl<'de> Visitor<'de> for HourlyVisitor {
    type Value = Hourly;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a list of 24, one for each hour from midnight on")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Hourly::Constant(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Hourly::Constant(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut hours = Vec::new();
        while let Some(number) = seq.next_element()? {
            hours.push(number);
        }
        Ok(Hourly::ByHour(hours))
    }
}

impl<'de> Deserialize<'de> for Hourly {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HourlyVisitor)
    }
}

impl JsonSchema for Hourly {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Hourly".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "number" }, { "type": "array", "items": { "type": "number" } }] })
    }
}
