//! What a sweep of the scenario varies: used by `meshsim sweep` alone.

use super::spanned::Spanned;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The table `[sweep]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The parameters, the last of which runs fastest.
    #[serde(default, rename = "axis")]
    pub axes: Vec<Axis>,
    /// Which values are taken together.
    ///
    /// Default: cross. Range: cross, zip or latin_hypercube.
    pub combine: Option<Spanned<String>>,
    /// Points of a Latin hypercube.
    ///
    /// Range: 2 or more, of a Latin hypercube.
    pub points: Option<u32>,
}

/// A parameter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// The path of the value, as `--set` writes it.
    pub path: String,
    /// What it takes.
    pub values: Spanned<Values>,
}

/// Values of an axis.
#[derive(Debug)]
pub enum Values {
    /// As they are typed after `--set PATH=`.
    Text(String),
    /// One after the other, each as it would be typed.
    List(Vec<String>),
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, as in \"5ms..300ms:10\", or a list of values")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Values, E> {
        Ok(Values::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(match value {
                toml::Value::String(text) => text,
                other => other.to_string(),
            });
        }
        Ok(Values::List(values))
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValuesVisitor)
    }
}

impl JsonSchema for Values {
    fn schema_name() -> Cow<'static, str> {
        "Values".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array" }] })
    }
}
