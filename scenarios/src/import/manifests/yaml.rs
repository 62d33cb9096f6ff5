//! YAML files to trees of values, in memory that is bounded whatever they hold.
//!
//! # Models
//! Documents of a file one after the other, aliases written out, merge keys (`<<`) merged. Scalars stay texts: what
//! `0644`, `1.10` or `on` is depends on the field. A key that stands twice in a map is an error, as the API server has it.
//! Values are counted, those that aliases repeat too: a bomb of aliases ends at the same bound as a file that is too long.

use super::node::{Node, Value};
use crate::problem::{Checked, Problem, SourceText, clip};
use granit_parser::{Event, Options, Parser, ScalarStyle, Span};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Most values of all files together: 50,000 Deployments have six million.
pub(super) const VALUES_MAX: usize = 8_000_000;

/// How deep values may be in each other.
const DEPTH_MAX: usize = 100;

/// The documents of a file that are not empty, each with its number in it (from 1). `budget` is how many values may still
/// come.
///
/// # Errors
/// If it is no YAML, too deep, or more than the budget.
pub(super) fn documents(source: &Arc<SourceText>, budget: &mut usize) -> Checked<Vec<(usize, Node)>> {
    let mut options = Options::default();
    options.emit_comments = false;
    options.block_nesting_limit = DEPTH_MAX;
    options.flow_nesting_limit = DEPTH_MAX;
    let mut builder = Builder { source, budget, open: Vec::new(), anchors: BTreeMap::new(), root: None };
    let (mut all, mut number) = (Vec::new(), 0);
    for event in Parser::new_from_str_with_options(&source.text, options) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker().byte_offset().unwrap_or(0).min(source.text.len());
            let problem = Problem::new(format!("this is no YAML: {}", error.info())).at(source, at..at + 1);
            if is_template(source) { problem.help(NO_TEMPLATE) } else { problem }
        })?;
        match event {
            Event::DocumentStart(..) => {
                number += 1;
                builder.anchors.clear();
            }
            Event::DocumentEnd => {
                all.extend(builder.root.take().map(|(node, _)| (number, node)));
            }
            event => builder.take(event, &span)?,
        }
    }
    all.retain(|(_, node)| !matches!(node.value, Value::Null));
    Ok(all)
}

const NO_TEMPLATE: &str = "a template is no manifest: give what `helm template` prints";

fn is_template(source: &SourceText) -> bool {
    source.text.contains("{{")
}

/// What stands under an anchor: the value, how many values it is and how deep.
type Anchored = (Node, Size);

#[derive(Clone, Copy, Default)]
struct Size {
    values: usize,
    depth: usize,
}

/// A list or a map that has not ended.
struct Open {
    anchor: usize,
    begin: usize,
    is_map: bool,
    key: Option<Box<str>>,
    items: Vec<Node>,
    entries: Vec<(Box<str>, Node)>,
    size: Size,
}

struct Builder<'a> {
    source: &'a Arc<SourceText>,
    budget: &'a mut usize,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    root: Option<(Node, Size)>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Checked<()> {
        let range = span.byte_range().unwrap_or(0..0);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let is_key = self.open.last().is_some_and(|it| it.is_map && it.key.is_none());
                if is_key {
                    if let Some(map) = self.open.last_mut() {
                        map.key = Some(text.as_ref().into());
                    }
                    return Ok(());
                }
                let is_null = style == ScalarStyle::Plain
                    && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null { Value::Null } else { Value::Scalar(text.as_ref().into()) };
                self.put(Node::new(value, range), Size { values: 1, depth: 1 }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(false, anchor, &range),
            Event::MappingStart(_, anchor, _) => self.begin(true, anchor, &range),
            Event::SequenceEnd | Event::MappingEnd => self.end(&range),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    let help = "an alias repeats what stands before it";
                    return Err(Problem::new("an alias of what has not ended")
                        .at(self.source, range)
                        .help(help)
                        .into());
                };
                if size.values > *self.budget {
                    return Err(self.too_many(range));
                }
                let (copy, size) = (repeated(node), *size);
                *self.budget -= size.values;
                self.put_counted(copy, size, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, is_map: bool, anchor: usize, at: &Range<usize>) -> Checked<()> {
        if self.open.last().is_some_and(|it| it.is_map && it.key.is_none()) {
            return Err(self.no_key(at.clone()));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(self.too_deep(at.clone()));
        }
        let (items, entries) = (Vec::new(), Vec::new());
        self.open.push(Open {
            anchor,
            begin: at.start,
            is_map,
            key: None,
            items,
            entries,
            size: Size::default(),
        });
        Ok(())
    }

    fn end(&mut self, at: &Range<usize>) -> Checked<()> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.is_map {
            true => Value::Map(self.merged(open.entries)?),
            false => Value::List(open.items),
        };
        let size = Size { values: open.size.values + 1, depth: open.size.depth + 1 };
        self.put(Node::new(value, open.begin..at.end.max(open.begin)), size, open.anchor)
    }

    /// A new value, which counts.
    fn put(&mut self, node: Node, size: Size, anchor: usize) -> Checked<()> {
        if *self.budget == 0 {
            return Err(self.too_many(node.span()));
        }
        *self.budget -= 1;
        self.put_counted(node, size, anchor)
    }

    fn put_counted(&mut self, node: Node, size: Size, anchor: usize) -> Checked<()> {
        if self.open.len() + size.depth > DEPTH_MAX {
            return Err(self.too_deep(node.span()));
        }
        if anchor > 0 {
            if size.values > *self.budget {
                return Err(self.too_many(node.span()));
            }
            *self.budget -= size.values;
            self.anchors.insert(anchor, (repeated(&node), size));
        }
        match self.open.last_mut() {
            None => self.root = Some((node, size)),
            Some(open) => {
                open.size.values += size.values;
                open.size.depth = open.size.depth.max(size.depth);
                match open.key.take() {
                    Some(key) => open.entries.push((key, node)),
                    None if open.is_map => {
                        return Err(self.no_key(node.span()));
                    }
                    None => open.items.push(node),
                }
            }
        }
        Ok(())
    }

    /// A map whose keys stand once, with what its merge key brings.
    fn merged(&self, mut entries: Vec<(Box<str>, Node)>) -> Checked<Vec<(Box<str>, Node)>> {
        let mut by_key: Vec<&(Box<str>, Node)> = entries.iter().collect();
        by_key.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some(twice) = by_key.windows(2).find(|it| it[0].0 == it[1].0) {
            let key = clip(&twice[1].0);
            let (line, _) = self.location(twice[0].1.span()).line_and_column();
            let problem =
                Problem::new(format!("`{key}` stands twice in a map")).at(self.source, twice[1].1.span());
            return Err(problem.help(format!("take one out: the first is at line {line}")).into());
        }
        if let Some(at) = entries.iter().position(|(key, _)| &**key == "<<") {
            let (_, merge) = entries.remove(at);
            let maps = match merge.value {
                Value::List(maps) => maps,
                _ => vec![merge],
            };
            for map in maps {
                let at = map.span();
                let Value::Map(more) = map.value else {
                    let problem = Problem::new("`<<` merges what is no map").at(self.source, at);
                    return Err(problem.help("write `<<: *NAME`, the alias of a map").into());
                };
                for (key, node) in more {
                    if entries.iter().all(|(known, _)| *known != key) {
                        entries.push((key, node));
                    }
                }
            }
        }
        Ok(entries)
    }

    fn location(&self, span: Range<usize>) -> crate::problem::Location {
        crate::problem::Location { source: Arc::clone(self.source), span }
    }

    fn no_key(&self, at: Range<usize>) -> crate::problem::Problems {
        let help = if is_template(self.source) { NO_TEMPLATE } else { "keys of manifests are texts" };
        Problem::new("a key that is no text").at(self.source, at).help(help).into()
    }

    fn too_many(&self, at: Range<usize>) -> crate::problem::Problems {
        let problem =
            Problem::new(format!("the manifests have more than {VALUES_MAX} values")).at(self.source, at);
        problem.help("values that aliases repeat count, too: import fewer files at a time").into()
    }

    fn too_deep(&self, at: Range<usize>) -> crate::problem::Problems {
        let problem = Problem::new(format!("values are more than {DEPTH_MAX} deep in each other"));
        problem.at(self.source, at).help("no manifest is so deep").into()
    }
}

/// The same value once more, which nobody has read.
fn repeated(node: &Node) -> Node {
    let value = match &node.value {
        Value::Null => Value::Null,
        Value::Scalar(text) => Value::Scalar(text.clone()),
        Value::List(items) => Value::List(items.iter().map(repeated).collect()),
        Value::Map(entries) => {
            Value::Map(entries.iter().map(|(key, node)| (key.clone(), repeated(node))).collect())
        }
    };
    Node::new(value, node.span())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Checked<Vec<(usize, Node)>> {
        let source = Arc::new(SourceText { name: "a.yaml".into(), text: text.into() });
        documents(&source, &mut 100_000)
    }

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn documents_have_numbers_and_values_have_lines() {
        let all = read("---\n# nothing\n---\na: 1\n---\nb:\n  - 0644\n  - \"no\"\n  - ~\n").unwrap();
        let numbers: Vec<usize> = all.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [2, 3]);
        let items = all[1].1.get("b").unwrap().items();
        assert_eq!(items[0].text(), Some("0644"));
        assert_eq!(items[0].span(), 34..38);
        assert_eq!(items[1].text(), Some("no"));
        assert!(matches!(items[2].value, Value::Null));
    }

    #[test]
    fn aliases_and_merge_keys_are_written_out() {
        let all = read("base: &base {a: 1, b: 2}\nown:\n  <<: *base\n  b: 3\nlist: [*base]\n").unwrap();
        let own = all[0].1.get("own").unwrap();
        assert_eq!(own.get("a").and_then(Node::whole), Some(1));
        assert_eq!(own.get("b").and_then(Node::whole), Some(3));
        assert_eq!(all[0].1.get("list").unwrap().items()[0].get("b").and_then(Node::whole), Some(2));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        assert!(
            refused("a: 1\nb: 2\na: 3\n").contains("a.yaml:3:4: `a` stands twice"),
            "{}",
            refused("a: 1\nb: 2\na: 3\n")
        );
        assert!(
            refused("a: {{ .Values.x }}\n").contains("helm template"),
            "{}",
            refused("a: {{ .Values.x }}\n")
        );
        assert!(refused("a: [1, 2\nb: 3\n").contains("no YAML"));
        let deep = "[".repeat(200);
        assert!(read(&deep).is_err());
        let deep: String = (0..200).map(|it| " ".repeat(it) + "a:\n").collect();
        assert!(read(&deep).is_err());
    }

    #[test]
    fn a_bomb_ends_at_the_budget() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let before = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
        }
        assert!(refused(&bomb).contains("values"), "{}", refused(&bomb));
        let mut tower = "a0: &a0 [x]\n".to_owned();
        for level in 1..150 {
            tower += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
        }
        assert!(refused(&tower).contains("deep"), "{}", refused(&tower));
    }
}
