//! A scenario and, where there are some, its results: what questions about them are answered from.

use crate::document::Present;
use crate::experiment::compare::ComparisonPlan;
use crate::keys::values::Resolved as Value;
use crate::origin;
use crate::problem::{Checked, Problem};
use crate::scenario::Scenario;
use meshsim_models::world::description::Description;
use serde_json::Value as Json;
use std::path::Path;

/// What is asked.
pub(super) struct Study<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) plan: &'a ComparisonPlan,
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// Strategies, each with what it is and its values.
    pub(super) strategies: Vec<(String, Option<String>, Vec<Value>)>,
    pub(super) values: Vec<Value>,
    pub(super) manifest: Option<Json>,
    pub(super) summary: Option<Json>,
}

impl<'a> Study<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        plan: &'a ComparisonPlan,
        results: Option<&Path>,
    ) -> Checked<Self> {
        let text = |path: &str| match scenario.document().value_at(None, path) {
            Ok(Present::Text(text, _)) => Some(text),
            _ => None,
        };
        let read = |folder: &Path| -> Checked<Json> {
            let path = folder.join("summary.json");
            let Ok(bytes) = std::fs::read(&path) else { return Ok(Json::Null) };
            serde_json::from_slice(&bytes)
                .map_err(|error| Problem::new(format!("`{}` is no summary: {error}", path.display())).into())
        };
        let mut strategies = Vec::new();
        for (index, head) in scenario.document().strategies()?.into_iter().enumerate() {
            let is_own = |it: &Value| it.origin.contains("(strategy ");
            let own = scenario.values(Some(index))?.into_iter().filter(is_own).collect();
            strategies.push((head.name.into_inner(), head.description, own));
        }
        Ok(Self {
            scenario,
            plan,
            name: text("name").unwrap_or_else(|| scenario.document().source().name.clone()),
            description: text("description"),
            strategies,
            values: scenario.values(None)?,
            manifest: results.map(origin::manifest).transpose()?,
            summary: results.map(read).transpose()?.filter(|it| !it.is_null()),
        })
    }

    pub(super) fn base(&self) -> &Description {
        &self.plan.strategies[0].description
    }

    /// The strategies that are compared.
    pub(super) fn compared(&self) -> Vec<String> {
        let of_results = self.summary.as_ref().and_then(|it| it["strategies"].as_array());
        match of_results {
            Some(all) => all.iter().filter_map(|it| it["name"].as_str().map(str::to_owned)).collect(),
            None => self.plan.strategies.iter().map(|it| it.strategy.clone()).collect(),
        }
    }

    pub(super) fn replications(&self) -> u64 {
        let of_results = self.summary.as_ref().and_then(|it| it["run"]["replications"].as_u64());
        of_results.unwrap_or_else(|| u64::from(self.plan.replications))
    }

    pub(super) fn seed(&self) -> u64 {
        let of_results = self.summary.as_ref().and_then(|it| it["run"]["seed"].as_u64());
        of_results.unwrap_or(self.base().seed)
    }

    pub(super) fn value(&self, path: &str) -> Option<&str> {
        self.values.iter().find(|it| it.path == path).map(|it| it.value.trim_matches('"'))
    }
}
