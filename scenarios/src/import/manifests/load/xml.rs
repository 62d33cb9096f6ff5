//! A plan of JMeter as a tree of values: elements by their names, their properties by theirs, what is below them as children.
//!
//! # Source
//! Apache JMeter's save format (`.jmx`): an element is followed by a `hashTree` with what is below it.

use super::super::node::{Node, Value};
use crate::problem::{Checked, Problem, SourceText};
use roxmltree::{Document, Node as Element, ParsingOptions};
use std::sync::Arc;

/// The element that a plan is.
pub(super) const ROOT: &str = "jmeterTestPlan";

/// The key of what is below an element.
pub(super) const CHILDREN: &str = "children";

/// How deep elements may be in each other.
const DEPTH_MAX: usize = 100;

/// Elements and texts of a plan at most.
const NODES_MAX: u32 = 1_000_000;

/// Reads a plan.
///
/// # Errors
/// If it is no XML, declares entities, is too deep or too large, or is no plan.
pub(super) fn tree(source: &Arc<SourceText>) -> Checked<Node> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&source.text, options).map_err(|error| {
        let position = error.pos();
        let line = source
            .text
            .split_inclusive('\n')
            .take(position.row.saturating_sub(1) as usize)
            .map(str::len)
            .sum::<usize>();
        let at = (line + position.col.saturating_sub(1) as usize).min(source.text.len());
        let at = (0..=at).rev().find(|it| source.text.is_char_boundary(*it)).unwrap_or(0);
        let problem = Problem::new(format!("this is no XML: {error}")).at(source, at..at + 1);
        problem.help("give a plan as JMeter saves it, without a DOCTYPE")
    })?;
    let root = document.root_element();
    if !root.has_tag_name(ROOT) {
        let name = crate::problem::clip(root.tag_name().name());
        let problem = Problem::new(format!("`{name}` is no plan of JMeter")).at(source, root.range());
        return Err(problem.help(format!("a plan is an element `{ROOT}`")).into());
    }
    let below = root.children().find(|it| it.has_tag_name("hashTree"));
    let children = below.map(|it| children(it, 0)).transpose().map_err(|at| {
        Problem::new(format!("elements are more than {DEPTH_MAX} deep in each other")).at(source, at)
    })?;
    let plan = Node::new(Value::List(children.unwrap_or_default()), root.range());
    Ok(Node::new(Value::Map(vec![(ROOT.into(), plan)]), root.range()))
}

type Deep<T> = Result<T, std::ops::Range<usize>>;

/// The elements of a `hashTree`, each with those of the next one below it.
fn children(tree: Element<'_, '_>, depth: usize) -> Deep<Vec<Node>> {
    if depth > DEPTH_MAX {
        return Err(tree.range());
    }
    let mut all: Vec<Node> = Vec::new();
    let elements: Vec<Element<'_, '_>> = tree.children().filter(Element::is_element).collect();
    for (index, element) in elements.iter().enumerate() {
        if element.has_tag_name("hashTree") {
            continue;
        }
        let mut entries = properties(*element, depth)?;
        if let Some(below) = elements.get(index + 1).filter(|it| it.has_tag_name("hashTree")) {
            let below_it = children(*below, depth + 1)?;
            if !below_it.is_empty() {
                entries.push((CHILDREN.into(), Node::new(Value::List(below_it), below.range())));
            }
        }
        let inner = Node::new(Value::Map(entries), element.range());
        all.push(Node::new(Value::Map(vec![(element.tag_name().name().into(), inner)]), element.range()));
    }
    Ok(all)
}

/// The properties of an element by their names, and whether it is switched off.
fn properties(element: Element<'_, '_>, depth: usize) -> Deep<Vec<(Box<str>, Node)>> {
    if depth > DEPTH_MAX {
        return Err(element.range());
    }
    let mut all: Vec<(Box<str>, Node)> = Vec::new();
    if element.attribute("enabled") == Some("false") {
        all.push(("enabled".into(), Node::new(Value::Scalar("false".into()), element.range())));
    }
    for it in element.children().filter(Element::is_element) {
        let inner = |name: &str| it.children().find(|it| it.has_tag_name(name));
        // Beans have the name inside.
        let named = it.attribute("name").or_else(|| inner("name").and_then(|it| it.text()));
        let name = named.unwrap_or_else(|| it.tag_name().name());
        let value = match (it.tag_name().name(), inner("value")) {
            ("collectionProp", _) => {
                let items = it.children().filter(Element::is_element);
                let items = items.map(|it| value(it, depth + 1)).collect::<Deep<Vec<_>>>()?;
                Node::new(Value::List(items), it.range())
            }
            (_, Some(value_of_bean)) if it.attribute("name").is_none() => value(value_of_bean, depth + 1)?,
            _ => value(it, depth + 1)?,
        };
        all.push((name.into(), value));
    }
    Ok(all)
}

/// A property's value: its text, or properties of its own.
fn value(element: Element<'_, '_>, depth: usize) -> Deep<Node> {
    let value = match element.children().any(|it| it.is_element()) {
        true => Value::Map(properties(element, depth)?),
        false => Value::Scalar(element.text().unwrap_or_default().trim().into()),
    };
    Ok(Node::new(value, element.range()))
}
