//! Names in a sentence.

use std::borrow::Borrow;

/// Names with commas and an `and`; of many the first and how many more there are.
pub(super) fn listed(names: &[&str]) -> String {
    if names.len() > NAMES_SHOWN + 1 {
        return format!("{} and {} more", names[..NAMES_SHOWN].join(", "), names.len() - NAMES_SHOWN);
    }
    joined(names)
}

/// All names, in backticks, with commas and an `and`.
pub(super) fn quoted(names: &[&str]) -> String {
    joined(&names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>())
}

fn joined<S: Borrow<str>>(names: &[S]) -> String {
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {}", others.join(", "), last.borrow()),
        _ => names.concat(),
    }
}

/// More groups of users than this are not named in a sentence.
const NAMES_SHOWN: usize = 6;

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn names_are_listed_as_people_say_them() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let texts = [&names[..1], &names[..2], &names[..3], &names[..7], &names].map(listed);
        assert_eq!(
            texts,
            ["a", "a and b", "a, b and c", "a, b, c, d, e, f and g", "a, b, c, d, e, f and 2 more"]
        );
    }
}
