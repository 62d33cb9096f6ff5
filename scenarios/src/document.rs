//! A scenario's text as a tree of values with locations, and changes to it.
//!
//! A strategy, a sweep and `--set` all change values by their path before anything is read: so
//! whatever can be written in a file can be varied, and an error in a change points at the change.
//! Templates are changed first and written out then, so that what they write can be changed too.

mod explain;
mod gone;
mod present;
mod setting;
mod texts;

use crate::merge::{Wrong, collect_common, merge};
use crate::problem::{Checked, Location, Problem, Problems, SourceText, clip};
use crate::schema::{Scenario, StrategyHead};
use crate::templates::{Templates, changes_clusters};
use serde::Deserialize;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

pub(crate) use explain::explain_serde;
pub use present::Present;
pub(crate) use present::value_in;
pub(crate) use setting::inline;
pub use setting::{Setting, path_parts};

/// A scenario's text and the changes to it.
#[derive(Clone, Debug)]
pub struct Document {
    /// The scenario first, then the settings; each with the offset at which its spans begin.
    sources: Vec<(usize, Arc<SourceText>)>,
}

impl Document {
    /// Takes a scenario's text, which is read later.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        let source = Arc::new(SourceText { name: name.to_owned(), text: text.to_owned() });
        Self { sources: vec![(0, source)] }
    }

    /// Changes one value, whatever the strategy says about it. Tables on its path that do not exist
    /// are made.
    pub fn set(&mut self, setting: &Setting) {
        self.set_for("--set", setting);
    }

    /// The same, for an option or a location that messages name instead of `--set`.
    pub fn set_for(&mut self, origin: &str, setting: &Setting) {
        let source =
            Arc::new(SourceText { name: format!("{origin} {}", setting.path), text: setting.as_toml() });
        let (last, known) = self.sources.last().expect("a document has a source");
        self.sources.push((last + known.text.len() + 1, source));
    }

    /// The names of the strategies, in the order of the file.
    ///
    /// # Errors
    /// If the text is not TOML, or a strategy has no name.
    pub fn strategies(&self) -> Checked<Vec<StrategyHead>> {
        let mut tree = parse_at(&self.sources[0].1, 0)?;
        self.take_strategies(tree.get_mut())?.into_iter().map(|(head, _)| Ok(head)).collect()
    }

    /// Reads the scenario as the strategy number `strategy` changes it, or as it stands.
    ///
    /// # Errors
    /// At the first key that is unknown or missing, or value that is of the wrong kind.
    pub fn read(&self, strategy: Option<usize>) -> Checked<Scenario> {
        let tree = self.tree(strategy)?;
        if let Some((message, help, span)) = gone::first_gone(tree.get_ref()) {
            return Err(self.problem(message, span).help(help).into());
        }
        Scenario::deserialize(Deserializer::from(tree)).map_err(|error| self.explain(&error).into())
    }

    /// The scenario as a strategy and the settings change it, without strategies and templates.
    pub(crate) fn tree(&self, strategy: Option<usize>) -> Checked<Spanned<DeTable<'_>>> {
        let mut tree = parse_at(&self.sources[0].1, 0)?;
        let strategies = self.take_strategies(tree.get_mut())?;
        let chosen = strategy.and_then(|number| strategies.into_iter().nth(number));
        let mut changes: Vec<DeTable<'_>> = chosen.map(|(_, changes)| changes).into_iter().collect();
        for (offset, source) in &self.sources[1..] {
            changes.push(parse_at(source, *offset)?.into_inner());
        }
        let wrong = |(message, span): Wrong| Problems::from(self.problem(message, span));
        let mut templates = Templates::take(tree.get_mut()).map_err(wrong)?;
        for change in &mut changes {
            templates.change(change).map_err(wrong)?;
        }
        templates.write_out(tree.get_mut()).map_err(wrong)?;
        for change in changes {
            merge(tree.get_mut(), change).map_err(wrong)?;
        }
        Ok(tree)
    }

    /// The value at a path under a strategy, settings included.
    ///
    /// # Errors
    /// If the text is not TOML, or a table would become a value.
    pub fn value_at(&self, strategy: Option<usize>, path: &str) -> Checked<Present> {
        Ok(Present::at(self.tree(strategy)?.get_ref(), path))
    }

    /// The paths that the strategy number `strategy` changes and a setting changes again: the
    /// strategy's own value is lost there.
    ///
    /// # Errors
    /// As [`Document::strategies`].
    pub fn overridden(&self, strategy: Option<usize>) -> Checked<Vec<String>> {
        let mut tree = parse_at(&self.sources[0].1, 0)?;
        let strategies = self.take_strategies(tree.get_mut())?;
        let chosen = strategy.and_then(|number| strategies.into_iter().nth(number));
        let Some((_, changes)) = chosen else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for (offset, source) in &self.sources[1..] {
            collect_common(parse_at(source, *offset)?.get_ref(), &changes, "", &mut found);
        }
        Ok(found)
    }

    /// Takes the strategies out of the top level: what each is called, and what it changes.
    fn take_strategies<'i>(&self, tree: &mut DeTable<'i>) -> Checked<Vec<(StrategyHead, DeTable<'i>)>> {
        let Some(value) = tree.remove("strategy") else { return Ok(Vec::new()) };
        let wrong = |span| {
            Problems::from(
                self.problem("`strategy` is not a list of tables", span).help("write [[strategy]]"),
            )
        };
        let span = value.span();
        let DeValue::Array(array) = value.into_inner() else { return Err(wrong(span)) };
        array.into_iter().map(|entry| self.take_strategy(entry, wrong)).collect()
    }

    fn take_strategy<'i>(
        &self,
        entry: Spanned<DeValue<'i>>,
        wrong: impl Fn(Range<usize>) -> Problems,
    ) -> Checked<(StrategyHead, DeTable<'i>)> {
        let span = entry.span();
        let DeValue::Table(mut table) = entry.into_inner() else { return Err(wrong(span)) };
        let changes = match table.remove("set") {
            None => None,
            Some(set) => {
                let span = set.span();
                match set.into_inner() {
                    DeValue::Table(changes) => Some(changes),
                    _ => return Err(self.problem("`set` is not a table of changes", span).into()),
                }
            }
        };
        let head = StrategyHead::deserialize(Deserializer::from(Spanned::new(span.clone(), table)))
            .map_err(|error| Problems::from(self.explain(&error)))?;
        let changes = changes.ok_or_else(|| {
            let message = format!("strategy `{}` changes nothing", head.name.get_ref());
            Problems::from(self.problem(message, span).help("write set = {} if it is the base as it stands"))
        })?;
        self.keeps_the_run(head.name.get_ref(), &changes)?;
        Ok((head, changes))
    }

    /// Refuses a strategy that changes `run`, which clusters there are, or the draws of a calibration:
    /// strategies are compared request by request.
    fn keeps_the_run(&self, strategy: &str, changes: &DeTable<'_>) -> Checked<()> {
        if let Some((key, _)) = changes.iter().find(|(key, _)| key.get_ref().as_ref() == "calibration") {
            let message = format!("strategy `{}` changes calibration", clip(strategy));
            let help = "the draws of a calibration are the same for all strategies";
            return Err(self.problem(message, key.span()).help(help).into());
        }
        if let Some((path, span)) = changes_clusters(changes) {
            let problem = self.problem(format!("strategy `{}` changes {path}", clip(strategy)), span);
            return Err(problem.help("clusters and their users are the same for all strategies").into());
        }
        let Some((key, value)) = changes.iter().find(|(key, _)| key.get_ref().as_ref() == "run") else {
            return Ok(());
        };
        let first = match value.get_ref() {
            DeValue::Table(table) => table.keys().next(),
            _ => None,
        };
        let (path, span) = match first {
            Some(inner) => (format!("run.{}", inner.get_ref()), inner.span()),
            None => ("run".to_owned(), key.span()),
        };
        let problem = self.problem(format!("strategy `{}` changes {path}", clip(strategy)), span);
        Err(problem.help("replications, seed and durations are the same for all strategies").into())
    }

    /// A problem at a location of the tree.
    #[must_use]
    pub fn problem(&self, message: impl Into<String>, span: Range<usize>) -> Problem {
        Problem { message: message.into(), location: self.location(span), help: None }
    }

    /// The source of the scenario itself.
    #[must_use]
    pub fn source(&self) -> &Arc<SourceText> {
        &self.sources[0].1
    }

    /// The scenario's text with all settings: what a run's result depends on beside the work model.
    #[must_use]
    pub fn whole_text(&self) -> String {
        self.sources.iter().map(|(_, source)| source.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// A location of the tree.
    #[must_use]
    pub(crate) fn location(&self, span: Range<usize>) -> Option<Location> {
        let (offset, source) = self.sources.iter().rev().find(|(offset, _)| *offset <= span.start)?;
        let end = (span.end - offset).min(source.text.len());
        Some(Location { source: Arc::clone(source), span: span.start - offset..end })
    }

    /// Its own text as a tree, without any settings.
    ///
    /// # Errors
    /// If it is not TOML.
    pub(crate) fn parse(&self) -> Checked<Spanned<DeTable<'_>>> {
        parse_at(&self.sources[0].1, 0)
    }

    /// Turns serde's words into ours.
    pub(crate) fn explain(&self, error: &toml::de::Error) -> Problem {
        let location = error.span().and_then(|span| self.location(span));
        let text = error.message();
        let (message, help) = explain_serde(text);
        let help = location.as_ref().and_then(|location| self.help_with_value(location, text)).or(help);
        Problem { message, location, help }
    }

    /// What to type in place of a value: one name where a list of them was given, and in quotes what reads as a
    /// number in a setting where a text is expected. A setting that begins a table may mean another one.
    fn help_with_value(&self, location: &Location, text: &str) -> Option<String> {
        let is_setting = !Arc::ptr_eq(&location.source, self.source());
        if is_setting && text.starts_with("missing field") {
            return Some(
                "the scenario has no such table, and a new one needs this key: is the name right?".to_owned(),
            );
        }
        let (found, expected) = text.split_once(", expected ")?;
        if found.ends_with("sequence") && expected.starts_with("a string") {
            let text = format!("list = {}", location.source.text.get(location.span.clone())?);
            let list = DeTable::parse(&text).ok()?;
            let DeValue::Array(values) = list.get_ref().get("list")?.get_ref() else { return None };
            let first = values.iter().find_map(|value| value.get_ref().as_str())?;
            return Some(format!("one is meant here: write \"{}\"", clip(first)));
        }
        let is_number = found.contains(": integer ") || found.contains(": floating point ");
        let wants_text = expected.starts_with("a text") || expected.starts_with("a string");
        if !is_setting || !wants_text || !is_number {
            return None;
        }
        let (path, value) = location.source.text.split_once(" = ")?;
        let unit = if expected.contains("unit") { "write its unit or, if it has none, " } else { "" };
        Some(format!("{unit}write it in quotes, as in --set '{path}=\"{}\"'", clip(value)))
    }
}

/// Parses a source whose spans begin at `offset`.
fn parse_at(source: &Arc<SourceText>, offset: usize) -> Checked<Spanned<DeTable<'_>>> {
    let table = DeTable::parse(&source.text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let problem = Problem::new(error.message().trim().to_owned()).at(source, span);
        Problems::from(Problem { help: other_format(&source.text).map(str::to_owned), ..problem })
    })?;
    let problems = texts::not_plain_in(table.get_ref(), source);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let span = shift(table.span(), offset);
    Ok(Spanned::new(span, shift_table(table.into_inner(), offset)))
}

/// What to do with a text that is no TOML because it is something else.
fn other_format(text: &str) -> Option<&'static str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.next()?;
    let is_json = first.starts_with('{') || first.starts_with("[{") || (first == "[" && text.contains('{'));
    if is_json {
        return Some(
            "this looks like JSON, and a scenario is TOML; a \u{b5}Bench work model is named in one: \
             [application] workmodel = \"FILE.json\". `meshsim library fluidos-mesh` prints a scenario to start from",
        );
    }
    let key = first.split_once(':').filter(|(_, value)| value.is_empty() || value.starts_with(' '));
    let is_name =
        |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    (first == "---" || key.is_some_and(|(key, _)| is_name(key))).then_some(
        "this looks like YAML, and a scenario is TOML; `meshsim library fluidos-mesh` prints one to start from",
    )
}

fn shift(span: Range<usize>, offset: usize) -> Range<usize> {
    span.start + offset..span.end + offset
}

fn shift_table(table: DeTable<'_>, offset: usize) -> DeTable<'_> {
    if offset == 0 {
        return table;
    }
    table
        .into_iter()
        .map(|(key, value)| {
            let span = shift(key.span(), offset);
            (Spanned::new(span, key.into_inner()), shift_value(value, offset))
        })
        .collect()
}

fn shift_value(value: Spanned<DeValue<'_>>, offset: usize) -> Spanned<DeValue<'_>> {
    let span = shift(value.span(), offset);
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table(table, offset)),
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|entry| shift_value(entry, offset)).collect())
        }
        plain => plain,
    };
    Spanned::new(span, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_cannot_become_a_value() {
        let mut document = Document::new("x.toml", "[links.a]\nrtt = 1\n");
        document.set(&Setting::parse("links.a=5").unwrap());
        let problem = document.read(None).unwrap_err().to_string();
        assert!(problem.contains("--set links.a:1:11: `a` is a table"), "{problem}");
    }

    #[test]
    fn another_format_is_recognised() {
        let help =
            |text| Document::new("x", text).read(None).unwrap_err().0[0].help.clone().unwrap_or_default();
        assert!(help("apiVersion: v1\nkind: Service\n").contains("YAML"));
        assert!(help("# c\n---\na: 1\n").contains("YAML"));
        assert!(help("{\n  \"s0\": {}\n}").contains("JSON"));
        assert!(help("[{\"a\": 1}]").contains("JSON"));
        assert_eq!(help("[run\n"), "");
    }

    #[test]
    fn one_name_is_proposed_where_a_list_was_given() {
        let mut document = Document::new("x.toml", "[run]\n");
        document.set(&Setting::parse("name=[\"a\",\"b\"]").unwrap());
        let problem = document.read(None).unwrap_err().to_string();
        assert!(problem.contains("write \"a\""), "{problem}");
    }
}
