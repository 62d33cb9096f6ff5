//! Changes of values by their path, as they are typed and as TOML.

use crate::problem::{Checked, Problem, clip};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A change of one value, as in `links.edge1-cloud.rtt=20ms`; a part with dots is written in
/// quotes, as in `links."a.b".rtt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The path, with dots.
    pub path: String,
    /// The new value: TOML if it reads as such, a text otherwise.
    pub value: String,
}

impl Setting {
    /// Splits `path=value`.
    ///
    /// # Errors
    /// If there is no `=`, or one side is empty.
    pub fn parse(text: &str) -> Checked<Self> {
        match split_outside_quotes(text, '=') {
            Some((path, value)) if !path.trim().is_empty() && !value.trim().is_empty() => {
                Ok(Self { path: path.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err(Problem::new(format!("`{}` does not set a value", clip(text)))
                .help("write PATH=VALUE, as in links.edge1-cloud.rtt=20ms")
                .into()),
        }
    }

    /// The change of a value as a file has it.
    pub(crate) fn of_value(path: &[String], value: &DeValue<'_>) -> Self {
        let parts: Vec<String> = path.iter().map(|part| quote_key(part)).collect();
        Self { path: parts.join("."), value: inline(value) }
    }

    /// As a line of TOML.
    pub(super) fn as_toml(&self) -> String {
        format!("{} = {}", key_of(&self.path), self.literal())
    }

    /// The value as TOML writes it: as it is if it reads as TOML, else as a text. No key takes TOML's moments: a time of
    /// day is a text.
    #[must_use]
    pub fn literal(&self) -> String {
        let text = format!("value = {}", self.value);
        let is_moment = |it: &DeValue<'_>| matches!(it, DeValue::Datetime(_));
        let reads = DeTable::parse(&text)
            .is_ok_and(|it| !it.get_ref().get("value").is_some_and(|value| is_moment(value.get_ref())));
        if reads { self.value.clone() } else { quote(&self.value) }
    }
}

/// The parts of a path, without quotes.
#[must_use]
pub fn path_parts(path: &str) -> Vec<String> {
    let (mut parts, mut rest) = (Vec::new(), path);
    let unquoted = |part: &str| part.trim().trim_matches('"').to_owned();
    while let Some((part, tail)) = split_outside_quotes(rest, '.') {
        parts.push(unquoted(part));
        rest = tail;
    }
    parts.push(unquoted(rest));
    parts
}

/// A path as TOML writes it: parts that need quotes get them, parts that have them keep them.
fn key_of(path: &str) -> String {
    let (mut parts, mut rest) = (Vec::new(), path);
    while let Some((part, tail)) = split_outside_quotes(rest, '.') {
        parts.push(quote_key(part.trim()));
        rest = tail;
    }
    parts.push(quote_key(rest.trim()));
    parts.join(".")
}

/// Splits at the first `separator` that is not between quotes.
pub(super) fn split_outside_quotes(text: &str, separator: char) -> Option<(&str, &str)> {
    let mut quoted = false;
    let at = text.find(|c: char| {
        quoted ^= c == '"';
        c == separator && !quoted
    })?;
    Some((&text[..at], &text[at + separator.len_utf8()..]))
}

fn quote_key(part: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_quoted = part.len() >= 2 && part.starts_with('"') && part.ends_with('"');
    if is_quoted || (!part.is_empty() && part.chars().all(bare)) { part.to_owned() } else { quote(part) }
}

/// A value of TOML on one line.
pub(crate) fn inline(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quote(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        DeValue::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| inline(value.get_ref())).collect();
            format!("[{}]", values.join(", "))
        }
        DeValue::Table(table) => {
            let pair = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                format!("{} = {}", quote_key(key), inline(value.get_ref()))
            };
            format!("{{ {} }}", table.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A basic string of TOML: on one line, so that a location in it is a location in what was typed.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_toml_or_a_text() {
        let toml = |text: &str| Setting::parse(text).unwrap().as_toml();
        assert_eq!(toml("links.edge1-cloud.rtt=20ms"), "links.edge1-cloud.rtt = \"20ms\"");
        assert_eq!(toml("run.begin_at=18:00:00"), "run.begin_at = \"18:00:00\"");
        assert_eq!(toml("run.replications=5"), "run.replications = 5");
        assert_eq!(toml("clusters.edge1.services=[\"s0\"]"), "clusters.edge1.services = [\"s0\"]");
        assert_eq!(toml("links.\"a.b\".rtt=20ms"), "links.\"a.b\".rtt = \"20ms\"");
        assert_eq!(toml("links.\"a=b\".rtt=20ms"), "links.\"a=b\".rtt = \"20ms\"");
        assert_eq!(toml("name=a\u{7f}\"b\\"), "name = \"a\\u007F\\\"b\\\\\"");
        assert!(Setting::parse("nothing").is_err());
    }
}
