//! What became of every object and every field: used, ignored and harmless, or ignored although results hang on it.

use super::content;
use super::harmless;
use super::load;
use super::matters;
use super::node::{Fate, Node, Value};
use super::object::{Found, Object};
use crate::problem::{Checked, Location, Problem, Problems};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Fields of the same kind, path and fate.
struct Entry {
    count: usize,
    first: Location,
    at: String,
}

/// What became of fields: by kind and path (of an object that is not looked into: its kind), and by fate.
pub(super) struct Report<'a> {
    found: &'a Found,
    fields: BTreeMap<(String, Rank, String), Entry>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Used,
    Harmless,
    Matters,
}

/// Whether it is a file of another kind than a manifest.
fn is_file(object: &Object) -> bool {
    [load::GROUP, content::GROUP].contains(&object.group.as_str())
}

impl<'a> Report<'a> {
    /// Looks at everything once the import is over.
    ///
    /// # Errors
    /// If something is wrong.
    pub(super) fn new(found: &'a Found) -> Checked<Self> {
        let mut report = Self { found, fields: BTreeMap::new() };
        let mut problems = Vec::new();
        for object in found.objects.iter().chain(found.loads.values()) {
            let known = is_file(object) || harmless::is_known(object) || object.root.fate().is_some();
            match (known, harmless::of_object(object)) {
                (true, _) => report.look(object, &object.root, "", &mut problems),
                (false, Some(why)) => report.add(object, &object.root, "", Rank::Harmless, why),
                (false, None) => {
                    report.add(object, &object.root, "", Rank::Matters, "nothing of this kind is taken over");
                }
            }
        }
        if problems.is_empty() { Ok(report) } else { Err(Problems(problems)) }
    }

    fn look(&mut self, object: &Object, node: &Node, path: &str, problems: &mut Vec<Problem>) {
        match node.fate() {
            Some(Fate::Used) => self.add(object, node, path, Rank::Used, ""),
            Some(Fate::Harmless(why)) => self.add(object, node, path, Rank::Harmless, &why),
            Some(Fate::Matters(why)) => self.add(object, node, path, Rank::Matters, &why),
            Some(Fate::Wrong(message, help)) => {
                let Location { source, span } = object.location(node);
                problems.push(Problem::new(message).at(&source, span).help(help));
            }
            None => self.look_into(object, node, path, problems),
        }
    }

    /// A value that nobody has read as a whole.
    fn look_into(&mut self, object: &Object, node: &Node, path: &str, problems: &mut Vec<Problem>) {
        let text = match &node.value {
            Value::Scalar(text) => Some(&**text),
            _ => None,
        };
        if let Some(why) = harmless::of_field(object, path, text) {
            return self.add(object, node, path, Rank::Harmless, why);
        }
        if let Some(why) = matters::of_field(object, path) {
            return self.add(object, node, path, Rank::Matters, why);
        }
        match &node.value {
            Value::Map(entries) if !entries.is_empty() => {
                for (key, inner) in entries {
                    let separator = if path.is_empty() { "" } else { "." };
                    self.look(object, inner, &format!("{path}{separator}{key}"), problems);
                }
            }
            Value::List(items) if !items.is_empty() => {
                items.iter().for_each(|it| self.look(object, it, &format!("{path}[]"), problems));
            }
            Value::Null => {}
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => {
                let why = "a scenario has no such thing";
                let is_empty = text.is_none() || text == Some("");
                let rank = if is_empty { Rank::Harmless } else { Rank::Matters };
                self.add(object, node, path, rank, if is_empty { "it says nothing" } else { why });
            }
        }
    }

    fn add(&mut self, object: &Object, node: &Node, path: &str, rank: Rank, why: &str) {
        let separator = if path.is_empty() { "" } else { "." };
        let field = format!("{}{separator}{}", object.kind, path.replace("[]", ""));
        let new = || Entry { count: 0, first: object.location(node), at: object.at(node) };
        self.fields.entry((field, rank, why.to_owned())).or_insert_with(new).count += 1;
    }

    /// Refuses what results hang on, unless it is allowed.
    ///
    /// # Errors
    /// If something is ignored that is not allowed, or something is allowed that is not there.
    pub(super) fn judge(&self, allow: &[String]) -> Checked<()> {
        let mut problems = Vec::new();
        let mut used = vec![false; allow.len()];
        for ((field, rank, why), entry) in &self.fields {
            if *rank != Rank::Matters {
                continue;
            }
            let mut is_allowed = false;
            for (index, it) in allow.iter().enumerate() {
                if field == it || field.ends_with(&format!(".{it}")) {
                    (is_allowed, used[index]) = (true, true);
                }
            }
            if !is_allowed {
                let Location { source, span } = &entry.first;
                let message = format!("{field} is ignored although results hang on it: {why}");
                let times = if entry.count > 1 { format!("{} times; ", entry.count) } else { String::new() };
                let help = format!("{times}--allow {field} imports without it");
                problems.push(Problem::new(message).at(source, span.clone()).help(help));
            }
        }
        for (it, _) in allow.iter().zip(used).filter(|(_, used)| !used) {
            let help = "take it out: nothing of that name is ignored although results hang on it";
            problems.push(Problem::new(format!("--allow {it} allows nothing")).help(help));
        }
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    /// The report as Markdown.
    pub(super) fn text(&self, assumed: &[String]) -> String {
        let mut text = String::from("# What became of the manifests\n");
        text += "\n## Assumed, for no manifest says it\n\n";
        assumed.iter().for_each(|it| {
            let _ = writeln!(text, "- {it}");
        });
        let parts = [
            (Rank::Matters, "Ignored although results hang on it, as was allowed"),
            (Rank::Used, "Used"),
            (Rank::Harmless, "Ignored, and no result hangs on it"),
        ];
        for (rank, title) in parts {
            let _ = writeln!(text, "\n## {title}\n");
            let mut count = 0;
            for ((field, _, why), entry) in self.fields.iter().filter(|((_, own, _), _)| *own == rank) {
                let times =
                    if entry.count > 1 { format!(", {} times, first", entry.count) } else { ",".to_owned() };
                let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                let _ = writeln!(text, "- `{field}`{times} {}{why}", entry.at);
                count += 1;
            }
            if count == 0 {
                text += "- nothing\n";
            }
        }
        text += "\n## Objects\n\n";
        for it in self.found.objects.iter().chain(self.found.loads.values()) {
            let cluster = it.cluster.as_ref().map_or_else(String::new, |it| format!(", cluster {it}"));
            let _ = writeln!(
                text,
                "- {} in `{}`{cluster}: {}, document {}",
                it.title(),
                it.namespace(),
                it.first_line(),
                it.document()
            );
        }
        if !self.found.other_files.is_empty() {
            text += "\n## Files that are no YAML\n\n";
            self.found.other_files.iter().for_each(|it| {
                let _ = writeln!(text, "- {it}");
            });
        }
        text
    }
}
