//! Files of load generators: what users request, and when.
//!
//! # Models
//! `--users CLUSTER=FILE` names a file, whose content says what it is: options of k6 (as JSON, as `k6 inspect` prints them), a plan
//! of JMeter (`.jmx`), or µBench's RunnerParameters, TrafficParameters or workload. It becomes a tree of values like a manifest, so
//! that each of its fields is in a class of the report, and is read into populations of users.
//!
//! # Assumptions
//! A load generator has as many users as its open loop needs: requests that come while all are busy are sent all the same. Effect:
//! under overload k6 drops iterations and µBench's runner counts timing errors, where the scenario has a longer queue.
//!
//! # Source
//! Grafana k6 1.0, "Options" and "Scenarios"; Apache JMeter 5.6, "Component Reference"; µBench, `Benchmarks/Runner`,
//! `Benchmarks/TrafficGenerator`.

mod jmeter;
mod jmeter_values;
mod k6;
mod mubench;
mod xml;

use super::node::{Node, Value as NodeValue};
use super::object::Object;
use super::yaml;
use crate::problem::{Checked, Problem, SourceText};
use crate::scenario::read_text;
use meshsim_core::SimDuration;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use toml::{Table, Value};

/// What the objects of the report are of.
pub(super) const GROUP: &str = "load";

/// Values of a file at most.
const VALUES_MAX: usize = 1_000_000;

/// A step after which a rate that jumps is there.
const JUMP: SimDuration = SimDuration::from_millis(1);

/// What a file comes to.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// Populations of users.
    pub(super) groups: Vec<Group>,
    /// What was assumed.
    pub(super) assumed: Vec<String>,
    /// Files that the scenario needs beside it, by their names.
    pub(super) files: Vec<(String, String)>,
}

/// A population of users.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// What the file calls it, if it has several.
    pub(super) name: String,
    /// The services that it requests one after the other, as its file names them; nothing if it names none.
    pub(super) services: Vec<String>,
    /// How many users there are.
    pub(super) users: Option<u32>,
    /// Further keys.
    pub(super) table: Table,
    /// When they request.
    pub(super) shape: Shape,
    /// When it begins.
    pub(super) begin: SimDuration,
    /// When it ends, if it does.
    pub(super) end: Option<SimDuration>,
}

/// When users request.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Shape {
    /// At a rate (1/s), independently of each other.
    Poisson(f64),
    /// At rates (1/s) from moments on, as far apart as these say.
    Steps(Vec<(SimDuration, f64)>),
    /// The same, with straight lines between them.
    Ramps(Vec<(SimDuration, f64)>),
    /// After an answer and this pause; each so many requests, if they end.
    Closed(SimDuration, Option<u32>),
    /// As recorded in a file.
    Replay(String),
    /// Nothing was understood.
    #[default]
    Nothing,
}

/// Reads a file.
///
/// # Errors
/// If it cannot be read, or is of no load generator that is known.
pub(super) fn file(path: &Path) -> Checked<Object> {
    let name = path.display().to_string();
    let source = Arc::new(SourceText { name: name.clone(), text: read_text(path)? });
    let unknown = || {
        Problem::new(format!("`{name}` is of no load generator that is known")).help(
            "give a plan of JMeter, what `k6 inspect SCRIPT` prints, or µBench's RunnerParameters, TrafficParameters or workload",
        )
    };
    let root = match source.text.trim_start().starts_with('<') {
        true => xml::tree(&source)?,
        false if path.extension().is_some_and(|it| it == "js" || it == "ts") => return Err(unknown().into()),
        false => {
            let documents = yaml::documents(&source, &mut VALUES_MAX.clone())?;
            documents.into_iter().next().map(|(_, root)| root).ok_or_else(unknown)?
        }
    };
    let kind = kind(&root).ok_or_else(unknown)?;
    Ok(Object::of_file(GROUP, kind, root, source))
}

/// What a file is, by its content.
fn kind(root: &Node) -> Option<&'static str> {
    const OF_K6: [&str; 5] = ["scenarios", "stages", "vus", "iterations", "duration"];
    let has = |key: &str| root.child(key).is_some();
    match &root.value {
        NodeValue::List(_) => Some("Workload"),
        NodeValue::Map(_) if has(xml::ROOT) => Some("JMeter"),
        NodeValue::Map(_) if has("RunnerParameters") => Some("RunnerParameters"),
        NodeValue::Map(_) if has("TrafficParameters") => Some("TrafficParameters"),
        NodeValue::Map(_) if OF_K6.into_iter().any(has) => Some("k6"),
        _ => None,
    }
}

/// What a file comes to; `properties` are JMeter's.
pub(super) fn read(object: &Object, properties: &BTreeMap<String, String>) -> Load {
    let mut load = Load::default();
    let root = &object.root;
    match object.kind.as_str() {
        "JMeter" => jmeter::read(root, properties, &mut load),
        "k6" => k6::read(root, &mut load),
        "RunnerParameters" => mubench::runner(object, root, &mut load),
        "TrafficParameters" => mubench::traffic(root, &mut load),
        _ => mubench::workload(object, root, &mut load),
    }
    load
}

impl Load {
    /// When the last of its groups ends, if all of them do.
    pub(super) fn end(&self) -> Option<SimDuration> {
        self.groups.iter().map(|it| it.end).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    fn assume(&mut self, what: &str) {
        if !self.assumed.iter().any(|it| it == what) {
            self.assumed.push(what.to_owned());
        }
    }
}

impl Group {
    /// Its keys in `users.NAME`, but for where and what it requests; `end` is when the run ends.
    pub(super) fn keys(&self, end: Option<SimDuration>) -> Table {
        let mut table = self.table.clone();
        if let Some(users) = self.users {
            table.insert("users".to_owned(), Value::Integer(i64::from(users)));
        }
        let stops = self.end.filter(|own| end.is_some_and(|all| *own < all));
        let arrivals = match &self.shape {
            Shape::Poisson(rate) if self.begin == SimDuration::ZERO && stops.is_none() => {
                table.insert("rate".to_owned(), per_second(*rate));
                return table;
            }
            Shape::Steps(points)
                if points.len() == 1 && self.begin == SimDuration::ZERO && stops.is_none() =>
            {
                Table::from_iter([
                    ("type".to_owned(), text("constant")),
                    ("rate".to_owned(), per_second(points[0].1)),
                ])
            }
            Shape::Poisson(rate) => self.points(&[(SimDuration::ZERO, *rate)], "steps", "random", stops),
            Shape::Steps(points) => self.points(points, "steps", "even", stops),
            Shape::Ramps(points) => self.points(points, "ramps", "even", stops),
            Shape::Closed(pause, each) => {
                if let Some(each) = each {
                    table.insert("requests_each".to_owned(), Value::Integer(i64::from(*each)));
                }
                let pause = text(&pause.to_string());
                Table::from_iter([
                    ("type".to_owned(), text("closed-loop-constant")),
                    ("think_time".to_owned(), pause),
                ])
            }
            Shape::Replay(file) => {
                Table::from_iter([("type".to_owned(), text("replay")), ("file".to_owned(), text(file))])
            }
            Shape::Nothing => return table,
        };
        table.insert("arrivals".to_owned(), Value::Table(arrivals));
        table
    }

    /// Rates from moments on, with nothing before the beginning and after the end.
    fn points(
        &self,
        points: &[(SimDuration, f64)],
        between: &str,
        spacing: &str,
        stops: Option<SimDuration>,
    ) -> Table {
        let mut all: Vec<(SimDuration, f64)> = Vec::new();
        if self.begin > SimDuration::ZERO {
            all.push((SimDuration::ZERO, 0.0));
            if between == "ramps" && self.begin > JUMP {
                all.push((self.begin.saturating_sub(JUMP), 0.0));
            }
        }
        for (at, rate) in points {
            let at = self.begin.saturating_add(*at);
            // Of two at one moment the first is what a line leads to, the second what holds from then on.
            let at = if all.last().is_some_and(|(before, _)| *before >= at) {
                all[all.len() - 1].0.saturating_add(JUMP)
            } else {
                at
            };
            all.push((at, *rate));
        }
        if let Some(end) = stops {
            let (last, rate) = all.last().copied().unwrap_or_default();
            if between == "ramps" && last < end {
                all.push((end, rate));
            }
            let at = if between == "ramps" || last >= end {
                all[all.len() - 1].0.saturating_add(JUMP)
            } else {
                end
            };
            all.push((at, 0.0));
        }
        let points = all.into_iter().map(|(at, rate)| {
            Value::Table(Table::from_iter([
                ("at".to_owned(), text(&at.to_string())),
                ("rate".to_owned(), per_second(rate)),
            ]))
        });
        Table::from_iter([
            ("type".to_owned(), text("piecewise")),
            ("between".to_owned(), text(between)),
            ("spacing".to_owned(), text(spacing)),
            ("points".to_owned(), Value::Array(points.collect())),
        ])
    }
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn per_second(rate: f64) -> Value {
    Value::String(format!("{rate}/s"))
}
