//! What happened when: faults and changes of the scenario, pushes, scalings and pods of the first replication.

use super::source::{Results, Row, distinct};
use crate::origin::EXPANDED;
use crate::problem::Checked;
use meshsim_core::SimDuration;
use toml::{Table, Value};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    /// Under which strategy; under all where empty.
    pub(super) strategy: String,
    /// When (s).
    pub(super) at: f64,
    /// Until when (s), if it lasted.
    pub(super) until: Option<f64>,
    /// What kind of thing.
    pub(super) kind: &'static str,
    pub(super) what: String,
}

/// More marks of one kind than this hide what they mark.
const MARKS_MAX: usize = 150;

/// All that is known, in the order of their kinds.
pub(super) fn marks(results: &Results) -> Checked<Vec<Mark>> {
    let mut all = Vec::new();
    if let Some(text) = results.text(EXPANDED)? {
        all.extend(of_scenario(&text));
    }
    let mut from = |file: &'static str, mark: &dyn Fn(Row<'_>) -> Option<Mark>| -> Checked<()> {
        if let Some(table) = results.first_replication(file)? {
            all.extend(table.rows().filter_map(mark).take(MARKS_MAX));
        }
        Ok(())
    };
    let at = |row: Row<'_>, column: &str, kind: &'static str, what: String| {
        let strategy = row.text("strategy").to_owned();
        Some(Mark { strategy, at: row.value(column)?, until: None, kind, what })
    };
    from("decisions.csv", &|row| {
        let [before, after] = ["current", "replicas"].map(|it| row.text(it));
        let whose = format!("{} in {}", row.text("service"), row.text("cluster"));
        (before != after)
            .then(|| at(row, "time_s", "scaling", format!("{whose}: {before} to {after} pods")))?
    })?;
    from("pushes.csv", &|row| {
        at(row, "changed_s", "push", format!("istiod of {}: {}", row.text("istiod"), row.text("cause")))
    })?;
    from("offloading.csv", &|row| {
        let [before, after] = ["edge_before", "edge_after"].map(|it| row.text(it));
        let what = format!("{} at {}: {before} to {after}", row.text("policy"), row.text("edge"));
        (before != after).then(|| at(row, "time_s", "offloading", what))?
    })?;
    Ok(all)
}

/// The faults and changes that a scenario says, of all strategies and of each.
fn of_scenario(text: &str) -> Vec<Mark> {
    let Ok(root) = text.parse::<Table>() else { return Vec::new() };
    let mut all = of_table("", &root);
    let strategies = root.get("strategy").and_then(Value::as_array).into_iter().flatten();
    for strategy in strategies {
        let name = strategy.get("name").and_then(Value::as_str).unwrap_or_default();
        if let Some(set) = strategy.get("set").and_then(Value::as_table) {
            all.extend(of_table(name, set));
        }
    }
    all
}

fn of_table(strategy: &str, table: &Table) -> Vec<Mark> {
    let list = |key: &str| table.get(key).and_then(Value::as_array).into_iter().flatten();
    let each = [("faults", "fault"), ("changes", "change")];
    let marks =
        each.into_iter().flat_map(|(key, kind)| list(key).filter_map(move |it| mark(strategy, kind, it)));
    marks.take(MARKS_MAX).collect()
}

fn mark(strategy: &str, kind: &'static str, of: &Value) -> Option<Mark> {
    let seconds = |key: &str| {
        let text = of.get(key)?.as_str()?;
        text.parse::<SimDuration>().ok().map(SimDuration::as_secs_f64)
    };
    let at = seconds("at")?;
    let whose = ["service", "cluster", "link", "node", "gateway", "tunnel_gateway", "istiod", "api_server"];
    let names = whose.into_iter().filter_map(|key| Some(format!("{key} {}", of.get(key)?.as_str()?)));
    let what =
        std::iter::once(of.get("kind")?.as_str()?.to_owned()).chain(names).collect::<Vec<_>>().join(", ");
    Some(Mark { strategy: strategy.to_owned(), at, until: seconds("for").map(|it| at + it), kind, what })
}

impl Mark {
    /// Whether it happened under a strategy.
    pub(super) fn is_of(&self, strategy: &str) -> bool {
        self.strategy.is_empty() || self.strategy == strategy
    }
}

/// What happened under several strategies alike once, with the names of all.
pub(super) fn joined<'a>(marks: impl Iterator<Item = &'a Mark>) -> Vec<Mark> {
    let mut all: Vec<Mark> = Vec::new();
    for mark in marks {
        let is_same = |it: &&mut Mark| {
            (it.at, it.until, it.kind, &it.what) == (mark.at, mark.until, mark.kind, &mark.what)
        };
        match all.iter_mut().find(is_same) {
            Some(same) => same.strategy = format!("{}, {}", same.strategy, mark.strategy),
            None => all.push(mark.clone()),
        }
    }
    all
}

/// The kinds that there are.
pub(super) fn kinds(marks: &[Mark]) -> Vec<String> {
    distinct(marks.iter().map(|it| it.kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_all_and_of_a_strategy_are_marks() {
        let text = "faults = [{ at = \"10s\", for = \"5s\", kind = \"down\", link = \"wan\" }]\n\
                    [[strategy]]\nname = \"a\"\n[[strategy.set.changes]]\nat = \"1min\"\nkind = \"scale\"\nservice = \"s\"\n";
        let marks = of_scenario(text);
        let told: Vec<_> =
            marks.iter().map(|it| (it.strategy.as_str(), it.at, it.until, it.what.as_str())).collect();
        assert_eq!(told, [("", 10.0, Some(15.0), "down, link wan"), ("a", 60.0, None, "scale, service s")]);
    }
}
