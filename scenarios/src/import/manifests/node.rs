//! A value of a manifest with its location, and what became of it.
//!
//! Whoever reads a value says so in it: what nobody has read when the import is over is what the scenario does not have. So
//! nothing can be dropped in silence, and a value that is wrong is said where it stands.

use meshsim_core::SimDuration;
use meshsim_models::units::Cores;
use std::cell::RefCell;
use std::ops::Range;

/// A value of a manifest.
#[derive(Debug)]
pub(super) struct Node {
    /// What it is.
    pub(super) value: Value,
    /// Where it is, in bytes of its file.
    span: [u32; 2],
    fate: RefCell<Option<Fate>>,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Value {
    /// Nothing.
    Null,
    /// A scalar as it is written, without its quotes: what it means is said by whoever reads it.
    Scalar(Box<str>),
    /// Several.
    List(Vec<Node>),
    /// Several by their keys, in the order of the file.
    Map(Vec<(Box<str>, Node)>),
}

/// What became of a value, and of all in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The scenario has it.
    Used,
    /// The scenario does not have it, and no result hangs on it; why.
    Harmless(String),
    /// The scenario does not have it, and results hang on it; why.
    Matters(String),
    /// It cannot be what it is; what would be right.
    Wrong(String, String),
}

impl Node {
    /// A value that nobody has read.
    pub(super) fn new(value: Value, span: Range<usize>) -> Self {
        Self { value, span: [span.start as u32, span.end as u32], fate: RefCell::new(None) }
    }

    /// Where it is, in bytes of its file.
    pub(super) fn span(&self) -> Range<usize> {
        self.span[0] as usize..self.span[1].max(self.span[0] + 1) as usize
    }

    /// What became of it so far.
    pub(super) fn fate(&self) -> Option<Fate> {
        self.fate.borrow().clone()
    }

    /// The scenario has it and all in it.
    pub(super) fn used(&self) {
        self.meets(Fate::Used);
    }

    /// The scenario has nothing of it, and no result hangs on it.
    pub(super) fn harmless(&self, why: impl Into<String>) {
        self.meets(Fate::Harmless(why.into()));
    }

    /// The scenario has nothing of it, and results hang on it.
    pub(super) fn matters(&self, why: impl Into<String>) {
        self.meets(Fate::Matters(why.into()));
    }

    /// It cannot be what it is.
    pub(super) fn wrong(&self, message: impl Into<String>, help: impl Into<String>) {
        self.meets(Fate::Wrong(message.into(), help.into()));
    }

    /// What is wrong stays wrong.
    fn meets(&self, fate: Fate) {
        let mut own = self.fate.borrow_mut();
        if !matches!(*own, Some(Fate::Wrong(..))) {
            *own = Some(fate);
        }
    }

    /// What stands under a key, or under keys with dots between them; nothing where it is null.
    pub(super) fn get(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, Self::child)
    }

    /// What stands under a key, which may have dots.
    pub(super) fn child(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        let found = entries.iter().find(|(name, _)| **name == *key).map(|(_, node)| node)?;
        (!matches!(found.value, Value::Null)).then_some(found)
    }

    /// What stands in a list.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Map(_) | Value::Scalar(_) => {
                self.wrong("this is no list", "write a list, each of its values after a `-`");
                &[]
            }
            Value::Null => &[],
        }
    }

    /// What stands under the keys of a map.
    pub(super) fn entries(&self) -> &[(Box<str>, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::List(_) | Value::Scalar(_) => {
                self.wrong("this is no map", "write `key: value`, one a line");
                &[]
            }
            Value::Null => &[],
        }
    }

    /// A scalar as it is written.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => {
                self.used();
                Some(text)
            }
            Value::Null => None,
            Value::List(_) | Value::Map(_) => {
                self.wrong("this is no text", "write one value");
                None
            }
        }
    }

    /// Whether it is this text; nobody has read it yet.
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(&self.value, Value::Scalar(own) if **own == *text)
    }

    /// A scalar that a type understands.
    pub(super) fn parsed<T>(&self, what: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text()?;
        let parsed = parse(text.trim());
        if parsed.is_none() {
            self.wrong(format!("`{}` is no {what}", crate::problem::clip(text)), format!("write a {what}"));
        }
        parsed
    }

    /// A whole number, zero or more. Kubernetes' YAML is that of version 1.1, where `0644` is octal.
    pub(super) fn whole(&self) -> Option<u32> {
        self.parsed("whole number", |text| match text.strip_prefix('0').filter(|it| !it.is_empty()) {
            Some(octal) => u32::from_str_radix(octal.trim_start_matches(['o', 'O']), 8).ok(),
            None => text.parse().ok(),
        })
    }

    /// A number.
    pub(super) fn number(&self) -> Option<f64> {
        self.parsed("number", |text| text.parse().ok().filter(|it: &f64| it.is_finite()))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        self.parsed("true or false", |text| text.to_ascii_lowercase().parse().ok())
    }

    /// A length of time as Go writes it: numbers with units, as in `1m30s`.
    pub(super) fn time(&self) -> Option<SimDuration> {
        self.parsed("length of time, as in 1.5s or 1m30s", go_duration)
    }

    /// A number of seconds.
    pub(super) fn seconds(&self) -> Option<SimDuration> {
        self.whole().map(|it| SimDuration::from_secs(u64::from(it)))
    }

    /// An amount of CPU, as it is written.
    pub(super) fn cores(&self) -> Option<String> {
        let parse = |text: &str| text.parse::<Cores>().ok().map(|_| text.to_owned());
        self.parsed("amount of CPU, as in 500m", parse)
    }

    /// Texts by their keys.
    pub(super) fn labels(&self) -> Vec<(String, String)> {
        self.entries()
            .iter()
            .filter_map(|(key, value)| Some((key.to_string(), value.text()?.to_owned())))
            .collect()
    }

    /// Whether two values say the same.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Scalar(a), Value::Scalar(b)) => a == b,
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.says_the_same(b))
            }
            (Value::Map(a), Value::Map(b)) => {
                let other = |key: &str| b.iter().find(|(name, _)| **name == *key);
                a.len() == b.len()
                    && a.iter().all(|(key, it)| other(key).is_some_and(|(_, other)| it.says_the_same(other)))
            }
            _ => false,
        }
    }
}

/// `time.ParseDuration` without a sign.
fn go_duration(text: &str) -> Option<SimDuration> {
    let mut rest = text;
    let mut total = SimDuration::ZERO;
    if rest == "0" {
        return Some(total);
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| c.is_ascii_alphabetic() || c == 'µ')?;
        let unit =
            rest[number..].find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len() - number);
        let (piece, further) = rest.split_at(number + unit);
        total = total.saturating_add(piece.parse().ok()?);
        rest = further;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str) -> Node {
        Node::new(Value::Scalar(text.into()), 0..1)
    }

    #[test]
    fn times_are_those_of_go() {
        for (text, exact) in
            [("1m30s", "90s"), ("0.5s", "500ms"), ("1h", "1h"), ("0", "0s"), ("250ms", "250ms")]
        {
            assert_eq!(scalar(text).time().map(|it| it.to_string()).as_deref(), Some(exact), "{text}");
        }
        for text in ["", "s", "5", "1x", "-1s"] {
            let node = scalar(text);
            assert_eq!(node.time(), None, "{text}");
            assert!(matches!(node.fate(), Some(Fate::Wrong(..))), "{text}");
        }
    }

    #[test]
    fn numbers_are_those_of_yaml_1_1() {
        for (text, exact) in [("0644", 420), ("0o644", 420), ("10", 10), ("0", 0)] {
            assert_eq!(scalar(text).whole(), Some(exact), "{text}");
        }
        assert_eq!(scalar("1.5").whole(), None);
        assert_eq!(scalar("True").flag(), Some(true));
    }
}
