//! What a service does for a request of each kind, where no work model says it.

use super::law::Law;
use super::quantity::{NumberOrText, Quantity};
use super::spanned::Spanned;
use meshsim_core::SimDuration;
use meshsim_models::units::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A kind of request that a service answers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The path of its requests, with a query if they have one.
    ///
    /// Default: / and its name.
    pub path: Option<Spanned<String>>,
    /// Their method.
    ///
    /// Default: GET.
    pub method: Option<Spanned<String>>,
    /// Law of its CPU time, instead of the service's.
    ///
    /// Default: the service's.
    pub service_time: Option<Spanned<Law<SimDuration>>>,
    /// Law of the time for which it waits without using the CPU, before it calls others.
    ///
    /// Default: the service's, or 0s.
    pub wait: Option<Spanned<Law<SimDuration>>>,
    /// Body of a request.
    ///
    /// Default: 0B.
    pub request_size: Option<Spanned<Quantity<Bytes>>>,
    /// Law of the size of an answer's body.
    ///
    /// Default: 1kB.
    pub response_size: Option<Spanned<Law<Bytes>>>,
    /// Share of the requests that it answers with an error.
    ///
    /// Default: 0. Range: 0 to 1.
    pub errors: Option<Spanned<NumberOrText>>,
    /// The status of such an error.
    ///
    /// Default: 500. Range: 400 to 599.
    pub error_status: Option<Spanned<u16>>,
    /// How likely it has the answer itself and calls nobody.
    ///
    /// Default: 0. Range: 0 to 1.
    pub hit_ratio: Option<Spanned<f64>>,
    /// What it calls, one after the other.
    ///
    /// Default: none.
    #[serde(default)]
    pub calls: Vec<Spanned<Step>>,
}

/// A step of what an endpoint calls.
#[derive(Debug)]
pub enum Step {
    /// `"SERVICE"` or `"SERVICE.ENDPOINT"`.
    Name(String),
    /// A call with its probability and count, or several that are made in parallel.
    Table(Box<StepTable>),
    /// Calls that are made one after the other, beside those of other lists.
    InTurn(Vec<Spanned<Step>>),
}

/// A call, or several in parallel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepTable {
    /// What is called.
    pub service: Option<Spanned<String>>,
    /// Which of its endpoints.
    ///
    /// Default: default, or the only one.
    pub endpoint: Option<Spanned<String>>,
    /// How likely it is.
    ///
    /// Default: 1. Range: 0 to 1.
    pub probability: Option<Spanned<f64>>,
    /// How many times, one after the other.
    ///
    /// Default: 1. Range: 1 to 1000.
    pub count: Option<Spanned<u32>>,
    /// Calls, or lists of them, that are made at the same time.
    pub in_parallel: Option<Spanned<Vec<Spanned<Step>>>>,
}

struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = Step;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a call, as in \"cart.add\" or { service = \"cart\", endpoint = \"add\", probability = 0.5, count = 2 }, or \
             { in_parallel = [...] }",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Step::Name(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        StepTable::deserialize(MapAccessDeserializer::new(map)).map(|it| Step::Table(Box::new(it)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut steps = Vec::new();
        while let Some(step) = seq.next_element()? {
            steps.push(step);
        }
        Ok(Step::InTurn(steps))
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StepVisitor)
    }
}

impl JsonSchema for Step {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (table, steps) = (generator.subschema_for::<StepTable>(), generator.subschema_for::<Vec<Self>>());
        json_schema!({ "anyOf": [{ "type": "string" }, table, steps] })
    }
}
