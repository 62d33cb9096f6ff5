//! JSON values with their locations: serde_json's raw values are slices of the text.

use crate::document::explain_serde;
use crate::problem::{Problem, SourceText, clip, nearest};
use meshsim_models::units::Cores;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The entries of an object, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Entries<'a>(pub(super) Vec<(String, &'a RawValue)>);

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries: Vec<(String, &RawValue)> = Vec::new();
        let mut known = BTreeSet::new();
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            if !known.insert(key.clone()) {
                return Err(serde::de::Error::custom(format!("the key `{}` is there twice", clip(&key))));
            }
            entries.push((key, value));
        }
        Ok(Entries(entries))
    }
}

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// At most so many problems are collected: a generated file has one mistake a thousand times.
const PROBLEMS_MAX: usize = 200;

/// Most cores that a service asks for.
const CORES_MAX: f64 = 1e6;

/// Reads parts of a JSON text and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Arc<SourceText>,
    pub(super) problems: Vec<Problem>,
    /// Services whose function is not known or not there.
    pub(super) without_function: Vec<(String, Problem)>,
    /// Keys that have no effect, each where it is first.
    ignored_keys: Unused,
    /// Services for which a group that does not list them has a probability.
    idle_probabilities: Unused,
}

/// Names in the order of the file, each where it is first.
type Unused = Vec<(String, Range<usize>)>;

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Arc<SourceText>) -> Self {
        Self {
            source,
            problems: Vec::new(),
            without_function: Vec::new(),
            ignored_keys: Unused::new(),
            idle_probabilities: Unused::new(),
        }
    }

    /// Keeps a problem, unless there are more than anyone reads.
    pub(super) fn push(&mut self, problem: Problem) {
        if !self.is_full() {
            self.problems.push(problem);
        }
    }

    fn is_full(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX
    }

    /// The whole text as an object. Editors on Windows put a byte order mark before it.
    pub(super) fn root(&mut self) -> Option<Entries<'a>> {
        let text: &'a str = &self.source.text;
        let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
        self.parse_text(bare, text.len() - bare.len())
    }

    /// A list of at most `most` values; an empty one if it is none.
    pub(super) fn list<'v>(&mut self, raw: &'v RawValue, most: usize, what: &str) -> Vec<&'v RawValue> {
        let list: Vec<&RawValue> = self.parse(raw).unwrap_or_default();
        if list.len() > most {
            let message = format!("{} {what} are too many", list.len());
            self.problem(raw, message, &format!("at most {most} are simulated"));
            return Vec::new();
        }
        list
    }

    /// An object; one without entries if it is none.
    pub(super) fn entries<'v>(&mut self, raw: &'v RawValue) -> Entries<'v> {
        self.parse(raw).unwrap_or_default()
    }

    /// A value of a certain kind.
    pub(super) fn parse<'v, T: Deserialize<'v>>(&mut self, raw: &'v RawValue) -> Option<T> {
        let start = self.span(raw).start;
        self.parse_text(raw.get(), start)
    }

    fn parse_text<'v, T: Deserialize<'v>>(&mut self, text: &'v str, start: usize) -> Option<T> {
        match serde_json::from_str(text) {
            Ok(value) => Some(value),
            Err(error) => {
                let at = start + offset_of(text, error.line(), error.column());
                // serde_json appends the location, which a problem carries itself.
                let message = error.to_string();
                let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(said, _)| said);
                let (message, help) = explain_serde(message);
                self.push(Problem { help, ..Problem::new(message).at(self.source, at..at + 1) });
                None
            }
        }
    }

    /// A whole number from 1 to `most`.
    pub(super) fn positive(&mut self, raw: &RawValue, key: &str, most: u64) -> u64 {
        match self.parse::<u64>(raw) {
            Some(value) if (1..=most).contains(&value) => value,
            Some(value) => {
                self.problem(raw, format!("{key} {value} is out of range"), &format!("it is 1 to {most}"));
                1
            }
            None => 1,
        }
    }

    /// A whole number from 0 to `most`.
    pub(super) fn whole(&mut self, raw: &RawValue, key: &str, most: u64) -> u64 {
        match self.parse::<u64>(raw) {
            Some(value) if value <= most => value,
            Some(value) => {
                self.problem(raw, format!("{key} {value} is out of range"), &format!("it is 0 to {most}"));
                0
            }
            None => 0,
        }
    }

    /// A number from 0 to `most`.
    pub(super) fn not_negative(&mut self, raw: &RawValue, key: &str, most: f64) -> f64 {
        match self.parse::<f64>(raw) {
            Some(value) if (0.0..=most).contains(&value) => value,
            Some(value) => {
                self.problem(
                    raw,
                    format!("{key} {value} is out of range"),
                    &format!("it is zero or more, at most {most}"),
                );
                0.0
            }
            None => 0.0,
        }
    }

    /// A Kubernetes quantity of CPU, from `least` cores.
    pub(super) fn cores(&mut self, raw: &RawValue, least: f64) -> Option<Cores> {
        let cores = self.quantity(raw)?;
        if (least..=CORES_MAX).contains(&cores.0) {
            return Some(cores);
        }
        let help = format!("it is {least} to {CORES_MAX} cores");
        self.problem(raw, format!("{} cores are out of range", cores.0), &help);
        None
    }

    fn quantity(&mut self, raw: &RawValue) -> Option<Cores> {
        // Helm values are often bare numbers.
        let text = match raw.get().trim().parse::<f64>() {
            Ok(_) => raw.get().trim().to_owned(),
            Err(_) => self.parse::<String>(raw)?,
        };
        match text.parse::<Cores>() {
            Ok(value) => Some(value),
            Err(error) => {
                let message = error.to_string().replace(text.trim(), &clip(text.trim()));
                self.problem(raw, message, "write \"500m\" or \"2\"");
                None
            }
        }
    }

    /// The index of a service in `names`.
    pub(super) fn reference(&mut self, raw: &RawValue, name: &str, names: &[&str]) -> Option<u32> {
        let found = names.iter().position(|known| *known == name);
        if found.is_none() && !self.is_full() {
            let help = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its services are {}", some_of(names)),
            };
            self.problem(raw, format!("the work model has no service `{}`", clip(name)), &help);
        }
        found.map(|index| index as u32)
    }

    /// A key that µBench does not know: an error if it is nearly one that it knows.
    pub(super) fn unknown_key<'k>(
        &mut self,
        key: &str,
        value: &RawValue,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let span = self.span_of_key(key, value);
        match known.into_iter().find(|known| is_one_edit(key, known)) {
            Some(near) => {
                let message = format!("unknown key `{}`", clip(key));
                let help = format!("did you mean `{near}`?");
                self.push(Problem::new(message).at(self.source, span).help(help));
            }
            None => keep(&mut self.ignored_keys, key, span),
        }
    }

    /// A probability for a service that its group does not list.
    pub(super) fn probability_without_effect(&mut self, service: &str, value: &RawValue) {
        let span = self.span_of_key(service, value);
        keep(&mut self.idle_probabilities, service, span);
    }

    /// A service without a function that is known: an error unless a law says what it does.
    pub(super) fn without_function(&mut self, service: &str, raw: &RawValue, message: String, help: &str) {
        let problem = Problem::new(message).at(self.source, self.span(raw)).help(help);
        self.without_function.push((service.to_owned(), problem));
    }

    /// What of the text has no effect, told once, where it is first.
    pub(super) fn warnings(&self) -> Vec<Problem> {
        // Before and after the names, of one and of several.
        let told = |(unused, one, many): (&Unused, [&str; 2], [&str; 2])| {
            let (_, first) = unused.first()?;
            let names: Vec<String> = unused.iter().map(|(name, _)| format!("`{}`", clip(name))).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let [before, after] = if names.len() == 1 { one } else { many };
            let message = format!("{before} {} {after}", some_of(&names));
            Some(Problem::new(message).at(self.source, first.clone()))
        };
        let keys = (
            &self.ignored_keys,
            ["the key", "is none of µBench's, which ignores it"],
            ["the keys", "are none of µBench's, which ignores them"],
        );
        let probabilities = (
            &self.idle_probabilities,
            ["the probability of", "has no effect: the services of its group do not have it"],
            ["the probabilities of", "have no effect: the services of their groups do not have them"],
        );
        [keys, probabilities].into_iter().filter_map(told).collect()
    }

    /// Where a key stands: right before its value.
    fn span_of_key(&self, key: &str, value: &RawValue) -> Range<usize> {
        let start = self.span(value).start;
        let quoted = format!("\"{key}\"");
        self.source.text[..start].rfind(&quoted).map_or(start..start + 1, |at| at..at + quoted.len())
    }

    pub(super) fn problem(&mut self, raw: &RawValue, message: impl Into<String>, help: &str) {
        let span = self.span(raw);
        self.push(Problem::new(message).at(self.source, span).help(help));
    }

    /// Where a raw value stands: it is a slice of the text.
    fn span(&self, raw: &RawValue) -> Range<usize> {
        let start = raw.get().as_ptr() as usize - self.source.text.as_ptr() as usize;
        // Of a value over several lines the first one is enough.
        let end = raw.get().find('\n').unwrap_or(raw.get().len());
        start..start + end
    }
}

/// Keeps a name, unless it is known already.
fn keep(unused: &mut Unused, name: &str, span: Range<usize>) {
    // Nobody reads more; looking through them takes time.
    const MOST: usize = 100;
    if unused.len() < MOST && !unused.iter().any(|(known, _)| known == name) {
        unused.push((name.to_owned(), span));
    }
}

/// Whether a key is a slip of the finger away from a known one: a letter more, less or other, two in the
/// wrong order, or other cases.
fn is_one_edit(key: &str, known: &str) -> bool {
    let near = key.len().abs_diff(known.len()) <= 4;
    near && (strsim::damerau_levenshtein(key, known) <= 1 || key.eq_ignore_ascii_case(known))
}

/// Names for a help: the first few, if there are many.
fn some_of(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let more = if names.len() > SHOWN { " ..." } else { "" };
    names[..names.len().min(SHOWN)].join(", ") + more
}

/// The byte at a line and column, which count from 1; serde_json's columns are bytes.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let line_start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (line_start + column.saturating_sub(1)).min(text.len().saturating_sub(1))
}
