//! A value of a JSON document, whatever its type.

use super::field::{self, Fault, Quantity};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A single value, whatever its type.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar {
    /// None, null, or the key is not there.
    #[default]
    Missing,
    /// True or false.
    Truth(bool),
    /// A whole number; not through f64, which has not enough digits for nanoseconds.
    Whole(u64),
    /// Another number.
    Number(f64),
    /// A text.
    Text(String),
    /// A list or an object.
    Other,
}

impl Scalar {
    /// As text: numbers as they are written; empty if it is missing.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Missing => String::new(),
            Self::Truth(truth) => truth.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Other => "[...]".to_owned(),
        }
    }

    /// As a text, if it is one.
    pub(super) fn as_str(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// As a number; of a text, what it says.
    pub(super) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Whole(number) => Some(*number as f64),
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A number in the unit in which it is kept.
    pub(super) fn number(&self, quantity: &Quantity) -> Result<f64, Fault> {
        field::number(&self.text(), quantity).map_err(|fault| fault.of("key"))
    }

    /// A whole number, or a text of one.
    pub(super) fn whole(&self, name: &'static str, right: &str) -> Result<u64, Fault> {
        let found = match self {
            Self::Whole(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        };
        found.ok_or_else(|| Fault::new(name, &self.text(), "is no whole number", right).of("key"))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Missing)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Truth(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar::Whole(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value as f64))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }
        from.deserialize_any(Any)
    }
}
