//! Templates that write many clusters, each with a link and users.
//!
//! # Models
//! A `[[cluster_template]]` is written out in the tree of values, before anything is read: as if its
//! clusters, links and users stood in the file, where the template stands. What the file says of one of
//! them itself wins, key by key; so do the changes of strategies and settings.
//!
//! In the values of a template `{n}` stands for the number of the cluster, `{ in_turn = [...] }` for
//! the next element of a list, and `{ from = "1/s", to = "20/s" }` for equal steps from the first to
//! the last cluster.
//!
//! A template is addressed by its name without the number: `cluster_template.edge.count` for the one
//! named `edge{n}`.

use crate::merge::{Wrong, is_rule, merge};
use crate::problem::{clip, nearest};
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The key of templates.
pub(crate) const KEY: &str = "cluster_template";

/// What stands for the number of a cluster.
const NUMBER: &str = "{n}";

/// Most clusters of a template.
const COUNT_MAX: u64 = 10_000;

/// The parts of a scenario that templates write.
const SECTIONS: [&str; 3] = ["clusters", "links", "users"];

/// The templates of a scenario, in the order of the file.
pub(crate) struct Templates<'i>(Vec<Template<'i>>);

struct Template<'i> {
    /// By which it is addressed.
    address: String,
    span: Range<usize>,
    values: DeTable<'i>,
}

/// One cluster of a template.
struct Instance<'a> {
    /// Its number.
    number: &'a str,
    /// Its index among all.
    index: u64,
    /// How many there are.
    count: u64,
}

impl<'i> Templates<'i> {
    /// Takes the templates out of a scenario.
    pub(crate) fn take(tree: &mut DeTable<'i>) -> Result<Self, Wrong> {
        let Some(value) = tree.remove(KEY) else { return Ok(Self(Vec::new())) };
        let wrong = |span| (format!("`{KEY}` is not a list of tables: write [[{KEY}]]"), span);
        let span = value.span();
        let DeValue::Array(array) = value.into_inner() else { return Err(wrong(span)) };
        let mut all: Vec<Template<'i>> = Vec::new();
        for entry in array {
            let span = entry.span();
            let DeValue::Table(values) = entry.into_inner() else { return Err(wrong(span)) };
            let name = text(&values, "name", &span, "name = \"edge{n}\"")?;
            let address = name.0.replace(NUMBER, "");
            let address = address.trim_end_matches(['-', '_', '.']).to_owned();
            if !name.0.contains(NUMBER) || address.is_empty() {
                let message =
                    format!("`{}` does not name many clusters: write \"edge{NUMBER}\"", clip(name.0));
                return Err((message, name.1));
            }
            if all.iter().any(|other| other.address == address) {
                return Err((format!("two templates are addressed by `{address}`"), name.1));
            }
            all.push(Template { address, span, values });
        }
        Ok(Self(all))
    }

    /// Changes templates by what a strategy or a setting says of them, and takes that out of it.
    pub(crate) fn change(&mut self, changes: &mut DeTable<'i>) -> Result<(), Wrong> {
        let Some(value) = changes.remove(KEY) else { return Ok(()) };
        let span = value.span();
        let DeValue::Table(by_address) = value.into_inner() else {
            return Err((format!("`{KEY}` is not addressed by a name: write {KEY}.edge.KEY"), span));
        };
        for (key, value) in by_address {
            let (address, span) = (key.get_ref().as_ref(), value.span());
            let Some(template) = self.0.iter_mut().find(|it| it.address == address) else {
                let known = || self.0.iter().map(|it| it.address.as_str());
                let help = match nearest(address, known()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
                };
                return Err((format!("there is no template `{}`; {help}", clip(address)), key.span()));
            };
            match value.into_inner() {
                DeValue::Table(values) => merge(&mut template.values, values)?,
                _ => return Err((format!("the template `{address}` is not a value"), span)),
            }
        }
        Ok(())
    }

    /// Writes the templates out into a scenario.
    pub(crate) fn write_out(self, tree: &mut DeTable<'i>) -> Result<(), Wrong> {
        let Some(first) = self.0.first() else { return Ok(()) };
        let span = first.span.clone();
        let mut sections = [(); 3].map(|()| DeTable::new());
        for template in self.0 {
            template.write_out(&mut sections)?;
        }
        for (name, mut section) in SECTIONS.into_iter().zip(sections) {
            let written = tree.remove_entry(name).map(|(key, value)| (key, value.span(), value.into_inner()));
            let (key, span) = match written {
                None if section.is_empty() => continue,
                None => (key(name, &span), span.clone()),
                Some((key, span, DeValue::Table(written))) => {
                    merge(&mut section, written)?;
                    (key, span)
                }
                // Whoever reads it says what is wrong.
                Some((key, span, other)) => {
                    tree.insert(key, Spanned::new(span, other));
                    continue;
                }
            };
            tree.insert(key, Spanned::new(span, DeValue::Table(section)));
        }
        Ok(())
    }
}

/// The first template's key among a strategy's changes whose change would make other clusters.
pub(crate) fn changes_clusters(changes: &DeTable<'_>) -> Option<(String, Range<usize>)> {
    let by_address = changes.get(KEY)?.get_ref().as_table()?;
    by_address.iter().find_map(|(address, values)| {
        let values = values.get_ref().as_table()?;
        let (key, _) =
            values.iter().find(|(key, _)| ["name", "count", "first"].contains(&key.get_ref().as_ref()))?;
        Some((format!("{KEY}.{}.{}", address.get_ref(), key.get_ref()), key.span()))
    })
}

impl<'i> Template<'i> {
    fn write_out(mut self, [clusters, links, users]: &mut [DeTable<'i>; 3]) -> Result<(), Wrong> {
        let span = self.span.clone();
        let (name, name_span) = text(&self.values, "name", &span, "name = \"edge{n}\"")?;
        let name = name.to_owned();
        let count = whole(&self.values, "count")?
            .ok_or_else(|| (format!("the template `{name}` has no count: write count = 20"), span.clone()))?;
        let first = whole(&self.values, "first")?.unwrap_or(1);
        for key in ["name", "count", "first"] {
            self.values.remove(key);
        }
        let own_links = tables(self.values.remove("link"), "link")?;
        let own_users = tables(self.values.remove("users"), "users")?;
        if let Some((_, second)) = own_users.get(1) {
            return Err((
                format!("the template `{name}` has more than one population of users"),
                second.clone(),
            ));
        }
        for index in 0..count {
            let number = (first + index).to_string();
            let (cluster, instance) =
                (name.replace(NUMBER, &number), Instance { number: &number, index, count });
            if clusters.contains_key(cluster.as_str()) {
                return Err((format!("two templates write the cluster `{cluster}`"), name_span));
            }
            for (link, span) in &own_links {
                let (name, link) = instance.link(&cluster, link, span)?;
                links.insert(key(&name, span), Spanned::new(span.clone(), DeValue::Table(link)));
            }
            for (of, span) in &own_users {
                let mut of = instance.table(of)?;
                without(&of, "cluster", "users of a template are those of its cluster")?;
                of.insert(key("cluster", span), string(&cluster, span));
                users.insert(key(&cluster, span), Spanned::new(span.clone(), DeValue::Table(of)));
            }
            let values = instance.table(&self.values)?;
            clusters.insert(key(&cluster, &span), Spanned::new(span.clone(), DeValue::Table(values)));
        }
        Ok(())
    }
}

/// Refuses a key that a template writes itself.
fn without(table: &DeTable<'_>, key: &str, why: &str) -> Result<(), Wrong> {
    match table.get_key_value(key) {
        Some((written, _)) => Err((format!("{why}: take `{key}` out"), written.span())),
        None => Ok(()),
    }
}

impl Instance<'_> {
    /// The link of a cluster, and its name.
    fn link<'i>(
        &self,
        cluster: &str,
        link: &DeTable<'i>,
        span: &Range<usize>,
    ) -> Result<(String, DeTable<'i>), Wrong> {
        let mut link = self.table(link)?;
        without(&link, "between", "a link of a template is from its cluster to `to`")?;
        let (to, to_span) = text(&link, "to", span, "to = \"cloud\"")?;
        let name = format!("{cluster}-{to}");
        let between = [string(cluster, &to_span), string(to, &to_span)];
        let between = DeValue::Array(between.into_iter().collect());
        link.remove("to");
        link.insert(key("between", &to_span), Spanned::new(to_span.clone(), between));
        Ok((name, link))
    }

    fn table<'i>(&self, table: &DeTable<'i>) -> Result<DeTable<'i>, Wrong> {
        let values = table.iter().map(|(key, value)| Ok((key.clone(), self.value(value)?)));
        values.collect()
    }

    fn value<'i>(&self, value: &Spanned<DeValue<'i>>) -> Result<Spanned<DeValue<'i>>, Wrong> {
        let span = value.span();
        Ok(match value.get_ref() {
            DeValue::String(text) if text.contains(NUMBER) => {
                string(&text.replace(NUMBER, self.number), &span)
            }
            DeValue::Array(array) => {
                let array: Result<_, Wrong> = array.iter().map(|it| self.value(it)).collect();
                Spanned::new(span, DeValue::Array(array?))
            }
            DeValue::Table(table) if is_rule(table) => self.rule(table, &span)?,
            DeValue::Table(table) => Spanned::new(span, DeValue::Table(self.table(table)?)),
            other => Spanned::new(span, other.clone()),
        })
    }

    /// What a rule comes to.
    fn rule<'i>(&self, rule: &DeTable<'i>, span: &Range<usize>) -> Result<Spanned<DeValue<'i>>, Wrong> {
        let Some(list) = rule.get("in_turn") else { return self.step(rule, span) };
        match list.get_ref() {
            DeValue::Array(array) if !array.is_empty() => {
                let values: Vec<_> = array.iter().collect();
                self.value(values[(self.index % values.len() as u64) as usize])
            }
            _ => Err(("in_turn is not a list of values: write { in_turn = [a, b] }".to_owned(), list.span())),
        }
    }

    /// One of equal steps between two quantities.
    fn step<'i>(&self, rule: &DeTable<'i>, span: &Range<usize>) -> Result<Spanned<DeValue<'i>>, Wrong> {
        let quantity = |key: &str| {
            let text = rule.get(key)?.get_ref().as_str()?.trim();
            let end = text.find(|c: char| c.is_ascii_alphabetic() || c == '/')?;
            Some((text[..end].trim().parse::<f64>().ok()?, text[end..].to_owned()))
        };
        match (quantity("from"), quantity("to")) {
            (Some((from, unit)), Some((to, other))) if unit == other => {
                let part = self.index as f64 / (self.count - 1).max(1) as f64;
                let value = from + (to - from) * part;
                // What a step adds in the tenth place is noise.
                Ok(string(&format!("{}{unit}", (value * 1e9).round() / 1e9), span))
            }
            _ => {
                let help = "write both with the same unit, as in { from = \"1/s\", to = \"20/s\" }, or a list in_turn";
                Err((format!("from and to are not two quantities: {help}"), span.clone()))
            }
        }
    }
}

fn key<'i>(name: &str, span: &Range<usize>) -> Spanned<Cow<'i, str>> {
    Spanned::new(span.clone(), Cow::Owned(name.to_owned()))
}

fn string<'i>(text: &str, span: &Range<usize>) -> Spanned<DeValue<'i>> {
    Spanned::new(span.clone(), DeValue::String(Cow::Owned(text.to_owned())))
}

/// A text that a table needs, and its location.
fn text<'a>(
    table: &'a DeTable<'_>,
    key: &str,
    span: &Range<usize>,
    example: &str,
) -> Result<(&'a str, Range<usize>), Wrong> {
    let Some(value) = table.get(key) else {
        return Err((format!("the key `{key}` is missing: write {example}"), span.clone()));
    };
    let text = value.get_ref().as_str();
    text.map(|text| (text, value.span()))
        .ok_or_else(|| (format!("`{key}` is not a text: write {example}"), value.span()))
}

/// A whole number from 1 to the most clusters.
fn whole(table: &DeTable<'_>, key: &str) -> Result<Option<u64>, Wrong> {
    let Some(value) = table.get(key) else { return Ok(None) };
    let number = match value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
        _ => None,
    };
    let least = u64::from(key == "count");
    match number {
        Some(number) if (least..=COUNT_MAX).contains(&number) => Ok(Some(number)),
        _ => Err((format!("{key} is not a whole number from {least} to {COUNT_MAX}"), value.span())),
    }
}

/// A table, or a list of tables; none if there is none.
fn tables<'i>(
    value: Option<Spanned<DeValue<'i>>>,
    key: &str,
) -> Result<Vec<(DeTable<'i>, Range<usize>)>, Wrong> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let span = value.span();
    let wrong = |span| (format!("`{key}` is not a table: write [{KEY}.{key}]"), span);
    match value.into_inner() {
        DeValue::Table(table) => Ok(vec![(table, span)]),
        DeValue::Array(array) => array
            .into_iter()
            .map(|entry| {
                let span = entry.span();
                match entry.into_inner() {
                    DeValue::Table(table) => Ok((table, span)),
                    _ => Err(wrong(span)),
                }
            })
            .collect(),
        _ => Err(wrong(span)),
    }
}
