//! Values written as quoted texts with units, and values that are one word or a list.

use super::spanned::Spanned;
use crate::problem::clip;
use meshsim_core::SimDuration;
use meshsim_models::istiod::istio_version::IstioVersion;
use meshsim_models::kubernetes::version::KubernetesVersion;
use meshsim_models::units::{BitsPerSecond, Bytes, Cores, PerSecond};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// A length of time with its unit.
pub type Duration = Spanned<Quantity<SimDuration>>;

/// What is written as a text with a unit.
pub trait Unit {
    /// In words, with an example.
    const UNIT: &'static str;
}

macro_rules! units {
    ($($of:ty: $unit:literal),* $(,)?) => {
        $(impl Unit for $of { const UNIT: &'static str = $unit; })*
    };
}

units! {
    SimDuration: "a time with its unit, as in \"160ms\"",
    Bytes: "a size with its unit, as in \"64kB\"",
    Cores: "cores or millicores, as in \"2\" or \"500m\"",
    BitsPerSecond: "a rate with its unit, as in \"1Gbit/s\"",
    PerSecond: "a rate with its unit, as in \"50/s\"",
    IstioVersion: "a release, as in \"1.26\"",
    KubernetesVersion: "a release, as in \"1.33\"",
}

/// A value that is written as a text and parsed by its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity<T>(pub T);

impl<T: FromStr<Err: fmt::Display>> Quantity<T> {
    /// Reads a text.
    ///
    /// # Errors
    /// If its type does not take it.
    pub(super) fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        // The type's message repeats the text, however long it is.
        text.parse().map(Quantity).map_err(|error: T::Err| match (text.trim(), clip(text.trim())) {
            (short, clipped) if short == clipped => E::custom(error),
            (long, clipped) => E::custom(error.to_string().replace(long, &clipped)),
        })
    }
}

impl<T: Unit> JsonSchema for Quantity<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-unit": T::UNIT })
    }
}

impl JsonSchema for NumberOrText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "NumberOrText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"] })
    }
}

impl JsonSchema for OneOrMore {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OneOrMore".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "all" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

struct QuantityVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for QuantityVisitor<T> {
    type Value = Quantity<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in quotes, with its unit, as in \"160ms\", \"50/s\", \"1Gbit/s\" or \"500m\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Quantity::from_text(text)
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Quantity<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(QuantityVisitor(PhantomData))
    }
}

/// A number, or a text that its reader understands.
#[derive(Clone, Debug, PartialEq)]
pub enum NumberOrText {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl NumberOrText {
    /// A share: a number, or a text in percent.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        match self {
            Self::Number(share) => Some(*share),
            Self::Text(text) => Some(text.trim().strip_suffix('%')?.trim().parse::<f64>().ok()? / 100.0),
        }
    }
}

struct NumberOrTextVisitor;

impl Visitor<'_> for NumberOrTextVisitor {
    type Value = NumberOrText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a text in quotes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(NumberOrText::Text(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(NumberOrText::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(NumberOrText::Number(number))
    }
}

impl<'de> Deserialize<'de> for NumberOrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrTextVisitor)
    }
}

impl fmt::Display for NumberOrText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "\"{}\"", clip(text)),
        }
    }
}

/// `"all"`, or a list of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OneOrMore {
    /// Everything there is.
    All,
    /// These.
    Named(Vec<Spanned<String>>),
}

struct OneOrMoreVisitor;

impl<'de> Visitor<'de> for OneOrMoreVisitor {
    type Value = OneOrMore;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"all\" or a list of services, as in [\"s0\", \"s1\"]")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "all" => Ok(OneOrMore::All),
            other => {
                let other = clip(other);
                Err(E::custom(format!(
                    "`{other}` is neither \"all\" nor a list: write [\"{other}\"] for this service alone"
                )))
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = seq.next_element()? {
            names.push(name);
        }
        Ok(OneOrMore::Named(names))
    }
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMoreVisitor)
    }
}
