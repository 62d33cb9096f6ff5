//! Laws of random numbers with a unit: times that work takes, sizes of answers.

use super::quantity::{Quantity, Unit};
use super::spanned::Spanned;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// A law: a text for what is always the same, or a table.
#[derive(Debug)]
pub enum Law<T> {
    /// Always this.
    Always(Quantity<T>),
    /// A family with its parameters.
    Table(Box<LawTable<T>>),
}

/// A family of laws with its parameters.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "T: FromStr, T::Err: fmt::Display")]
#[schemars(bound = "T: Unit", inline, rename = "LawTable")]
pub struct LawTable<T> {
    /// Which.
    pub law: Spanned<Family>,
    /// Its mean; of every law but the empirical.
    ///
    /// Range: above 0.
    pub mean: Option<Spanned<Quantity<T>>>,
    /// Its coefficient of variation; of the gamma and the log-normal law.
    ///
    /// Range: above 0.
    pub cv: Option<Spanned<f64>>,
    /// Its quantiles at equal steps from 0 to 1; of the empirical law.
    ///
    /// Range: 2 to 10001 values, ascending.
    pub quantiles: Option<Spanned<Vec<Spanned<Quantity<T>>>>>,
}

/// A family of laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Always the same.
    Deterministic,
    /// Without memory.
    Exponential,
    /// A sum of exponential stages.
    Gamma,
    /// A product of many small factors.
    LogNormal,
    /// As it was measured.
    Empirical,
}

struct LawVisitor<T>(PhantomData<T>);

impl<'de, T: FromStr<Err: fmt::Display>> Visitor<'de> for LawVisitor<T> {
    type Value = Law<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes for what is always the same, or a table, as in { law = \"exponential\", mean = \"...\" }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Quantity::from_text(text).map(Law::Always)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        LawTable::deserialize(MapAccessDeserializer::new(map)).map(|it| Law::Table(Box::new(it)))
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Law<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LawVisitor(PhantomData))
    }
}

impl<T: Unit> JsonSchema for Law<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Law".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let always = generator.subschema_for::<Quantity<T>>();
        let table = generator.subschema_for::<LawTable<T>>();
        json_schema!({ "anyOf": [always, table] })
    }
}
