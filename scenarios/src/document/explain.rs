//! What serde says, in people's words.

use crate::problem::{clip, nearest};

/// What serde calls a kind of value, and what people do.
const KINDS: [(&str, &str); 23] = [
    ("integer ", "the number "),
    ("floating point ", "the number "),
    ("boolean ", ""),
    ("string ", "the text "),
    ("sequence", "a list"),
    ("map", "a table"),
    ("null", "nothing"),
    ("unit", "nothing"),
    ("a sequence", "a list"),
    ("an array", "a list"),
    ("a map", "a table"),
    ("a boolean", "true or false"),
    ("a string", "a text in quotes"),
    ("string or table", "a text in quotes or a table"),
    ("u8", "a whole number"),
    ("u16", "a whole number"),
    ("u32", "a whole number"),
    ("u64", "a whole number"),
    ("usize", "a whole number"),
    ("i64", "a whole number"),
    ("bool", "true or false"),
    ("f32", "a number"),
    ("f64", "a number"),
];

/// A kind of value in people's words.
fn in_words(kind: &str) -> String {
    // The name of a type of ours says nothing to its users.
    if kind.starts_with("struct ") {
        return "a table".to_owned();
    }
    let whole = KINDS.iter().find(|(theirs, _)| *theirs == kind).map(|(_, ours)| (*ours).to_owned());
    whole
        .or_else(|| {
            let (theirs, ours) =
                KINDS.iter().find(|(theirs, _)| theirs.ends_with(' ') && kind.starts_with(theirs))?;
            Some(format!("{ours}{}", echoed(&kind[theirs.len()..])))
        })
        .unwrap_or_else(|| kind.to_owned())
}

/// A value as serde repeats it, in quotes of its own, clipped.
fn echoed(value: &str) -> String {
    let clipped = clip(value);
    let closing = value.chars().next_back().filter(|c| *c == '"' || *c == '`');
    if clipped == value {
        clipped
    } else {
        clipped + closing.map_or("", |c| if c == '"' { "\"" } else { "`" })
    }
}

/// Message and help where a value is of the wrong kind.
fn explain_kind(text: &str) -> Option<(String, Option<String>)> {
    let rest = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "))?;
    // A text that is repeated may say "expected" itself.
    let (found, expected) = rest.rsplit_once(", expected ")?;
    if let Some((number, most)) = found.strip_prefix("integer `").zip(largest(expected))
        && let Some((number, _)) = number.split_once('`')
    {
        let why = if number.starts_with('-') { "negative" } else { "too large" };
        let message = format!("the number `{}` is {why}", clip(number));
        return Some((message, Some(format!("it is a whole number from 0 to {most}"))));
    }
    let help = (expected == "a string").then(|| "write it in quotes".to_owned());
    Some((format!("{} is expected, not {}", in_words(expected), in_words(found)), help))
}

/// The largest number of a type that has no negative ones.
fn largest(kind: &str) -> Option<u64> {
    match kind {
        "u8" => Some(u8::MAX.into()),
        "u16" => Some(u16::MAX.into()),
        "u32" => Some(u32::MAX.into()),
        "u64" => Some(u64::MAX),
        _ => None,
    }
}

/// Message and help for an error message of serde.
pub(crate) fn explain_serde(text: &str) -> (String, Option<String>) {
    if let Some(explained) = explain_kind(text) {
        return explained;
    }
    let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let suggest = |kind: &str| {
        let (typed, known) = quoted.split_first()?;
        let message = format!("unknown {kind} `{}`", clip(typed));
        let help = match nearest(typed, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "no key is expected here".to_owned(),
            None => format!("it is one of {}", known.join(", ")),
        };
        Some((message, Some(help)))
    };
    let explained = if text.starts_with("unknown field") {
        suggest("key")
    } else if text.starts_with("unknown variant") {
        suggest("value")
    } else {
        None
    };
    explained.unwrap_or_else(|| match text.strip_prefix("missing field ") {
        Some(field) => (format!("the key {field} is missing"), None),
        None => (text.to_owned(), None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_s_kinds_become_words() {
        let said = |text| explain_serde(text).0;
        assert_eq!(
            said("invalid type: string \"5\", expected u32"),
            "a whole number is expected, not the text \"5\""
        );
        assert_eq!(
            said("invalid type: boolean `true`, expected a sequence"),
            "a list is expected, not `true`"
        );
        assert_eq!(explain_serde("invalid type: map, expected a string").1.unwrap(), "write it in quotes");
        assert_eq!(
            explain_serde("invalid value: integer `1000000000000`, expected u32"),
            (
                "the number `1000000000000` is too large".to_owned(),
                Some("it is a whole number from 0 to 4294967295".to_owned())
            )
        );
        assert_eq!(
            said("invalid value: integer `99999999999999999999` as i128, expected u64"),
            "the number `99999999999999999999` is too large"
        );
        assert_eq!(said("invalid value: integer `-1`, expected u32"), "the number `-1` is negative");
        let long = format!("invalid type: string \"{}\", expected f64", "x".repeat(1_000));
        assert!(said(&long).len() < 120, "{}", said(&long));
    }

    #[test]
    fn serde_s_words_become_suggestions() {
        let (message, help) = explain_serde("unknown field `rt`, expected one of `rtt`, `jitter`");
        assert_eq!((message.as_str(), help.as_deref()), ("unknown key `rt`", Some("did you mean `rtt`?")));
    }
}
