//! A folder of results as the page reads it: documents and tables whose numbers say where they stand.

use super::number::Number;
use crate::origin;
use crate::problem::{Checked, Problem, Problems};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Results, as they lie in a folder.
pub(super) struct Results {
    folder: PathBuf,
    pub(super) manifest: Document,
}

/// A file of JSON.
pub(super) struct Document {
    name: &'static str,
    root: Value,
}

/// A value in a document, which knows its way there.
#[derive(Clone)]
pub(super) struct Part<'a> {
    name: &'static str,
    pointer: String,
    pub(super) value: &'a Value,
}

/// A file of rows.
pub(super) struct Table {
    name: &'static str,
    head: Vec<String>,
    /// Each with its number in the file, from 0.
    rows: Vec<(usize, Vec<String>)>,
}

/// A row of a table.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    table: &'a Table,
    index: usize,
}

impl Results {
    /// # Errors
    /// If the folder has no manifest: it holds no whole results.
    pub(super) fn open(folder: &Path) -> Checked<Self> {
        let root = origin::manifest(folder)?;
        Ok(Self { folder: folder.to_owned(), manifest: Document { name: origin::MANIFEST, root } })
    }

    /// A text, if the folder has it.
    pub(super) fn text(&self, name: &str) -> Checked<Option<String>> {
        let path = self.folder.join(name);
        if !path.is_file() {
            return Ok(None);
        }
        std::fs::read_to_string(&path).map(Some).map_err(|error| unreadable(&path, &error))
    }

    /// A document, if the folder has it.
    pub(super) fn document(&self, name: &'static str) -> Checked<Option<Document>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let read = serde_json::from_str(&text).and_then(exact);
        let root = read.map_err(|error| unreadable(&self.folder.join(name), &error))?;
        Ok(Some(Document { name, root }))
    }

    /// A table, if the folder has it.
    pub(super) fn table(&self, name: &'static str) -> Checked<Option<Table>> {
        self.table_where(name, |_, _| true)
    }

    /// The rows of a table over time that are of the first replication: so many numbers tell enough.
    pub(super) fn first_replication(&self, name: &'static str) -> Checked<Option<Table>> {
        let mut first: Option<String> = None;
        self.table_where(name, |head, row| {
            let column = head.iter().position(|it| it == "replication").and_then(|column| row.get(column));
            let Some(replication) = column else { return true };
            first.get_or_insert_with(|| replication.clone()) == replication
        })
    }

    fn table_where(
        &self,
        name: &'static str,
        mut keep: impl FnMut(&[String], &[String]) -> bool,
    ) -> Checked<Option<Table>> {
        let path = self.folder.join(name);
        if !path.is_file() {
            return Ok(None);
        }
        let mut reader = csv::Reader::from_path(&path).map_err(|error| unreadable(&path, &error))?;
        let head = reader.headers().map_err(|error| unreadable(&path, &error))?;
        let head: Vec<String> = head.iter().map(str::to_owned).collect();
        let mut rows = Vec::new();
        for (number, record) in reader.records().enumerate() {
            let record = record.map_err(|error| unreadable(&path, &error))?;
            let row: Vec<String> = record.iter().map(written).collect();
            if keep(&head, &row) {
                rows.push((number, row));
            }
        }
        Ok(Some(Table { name, head, rows }))
    }
}

/// A value whose numbers are those that are written, to the last bit: `serde_json` reads them a little faster than that.
fn exact(raw: &RawValue) -> serde_json::Result<Value> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            let exact = |(key, value)| Ok((key, exact(value)?));
            Value::Object(members.into_iter().map(exact).collect::<serde_json::Result<_>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Value::Array(items.into_iter().map(exact).collect::<serde_json::Result<_>>()?)
        }
        Some(b'-' | b'0'..=b'9') => text.parse::<f64>().map_or(Value::Null, Value::from),
        _ => serde_json::from_str(text)?,
    })
}

/// A cell without the apostrophe that keeps spreadsheets from taking a text for a formula.
fn written(cell: &str) -> String {
    let rest = cell.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t', '\r']));
    rest.unwrap_or(cell).to_owned()
}

fn unreadable(path: &Path, error: &impl ToString) -> Problems {
    let help = "the file was changed, or is of another version";
    Problem::new(format!("cannot read `{}`: {}", path.display(), error.to_string())).help(help).into()
}

impl Document {
    /// All of it.
    pub(super) fn root(&self) -> Part<'_> {
        Part { name: self.name, pointer: String::new(), value: &self.root }
    }
}

impl<'a> Part<'a> {
    fn below(&self, key: &str, value: &'a Value) -> Self {
        let key = key.replace('~', "~0").replace('/', "~1");
        Self { name: self.name, pointer: format!("{}/{key}", self.pointer), value }
    }

    /// A member.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        self.value.get(key).map(|value| self.below(key, value))
    }

    /// The elements of a list; nothing of anything else.
    pub(super) fn items(&self) -> Vec<Self> {
        let all = self.value.as_array().into_iter().flatten().enumerate();
        all.map(|(index, value)| self.below(&index.to_string(), value)).collect()
    }

    /// The elements of the list that is a member of this name.
    pub(super) fn list(&self, key: &str) -> Vec<Self> {
        self.get(key).map(|it| it.items()).unwrap_or_default()
    }

    /// A member that is a text, or nothing.
    pub(super) fn text(&self, key: &str) -> &'a str {
        self.value.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number that this is.
    pub(super) fn as_number(&self) -> Option<Number> {
        self.value.as_f64().map(|value| Number::new(value, format!("{}#{}", self.name, self.pointer)))
    }

    /// A member that is a number.
    pub(super) fn number(&self, key: &str) -> Option<Number> {
        self.get(key)?.as_number()
    }

    /// Where it stands, for who wants to look it up.
    pub(super) fn source(&self) -> String {
        format!("{}#{}", self.name, self.pointer)
    }
}

impl Table {
    /// The names of its columns.
    pub(super) fn head(&self) -> &[String] {
        &self.head
    }

    /// All rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.rows.len()).map(|index| Row { table: self, index })
    }

    /// The different texts of a column, in their order.
    pub(super) fn distinct(&self, column: &str) -> Vec<String> {
        distinct(self.rows().map(|row| row.text(column)))
    }
}

impl<'a> Row<'a> {
    /// A cell; empty if there is no such column.
    pub(super) fn text(&self, column: &str) -> &'a str {
        let number = self.table.head.iter().position(|it| it == column);
        number.and_then(|column| self.table.rows[self.index].1.get(column)).map_or("", String::as_str)
    }

    /// A cell as a number, if it is one.
    pub(super) fn value(&self, column: &str) -> Option<f64> {
        self.text(column).parse().ok().filter(|it: &f64| it.is_finite())
    }

    /// A cell as a number that says where it stands.
    pub(super) fn number(&self, column: &str) -> Option<Number> {
        let (row, _) = self.table.rows[self.index];
        Some(Number::new(self.value(column)?, format!("{}#{row}/{column}", self.table.name)))
    }
}

/// The different texts, in their order.
pub(super) fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    texts.filter(|it| seen.insert(*it)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_say_where_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("manifest.json", "{\"files\": []}");
        write("summary.json", "{\"a/b\": [{\"value\": -11.678942634660721}]}");
        write("metrics.csv", "strategy,replication,value\n'=x,3,1\n-1,4,\n");
        let results = Results::open(folder.path()).unwrap();
        let summary = results.document("summary.json").unwrap().unwrap();
        let number = summary.root().list("a/b")[0].number("value").unwrap();
        let (value, shown) = (number.value.to_string(), "-11.678942634660721".to_owned());
        assert_eq!((value, number.source()), (shown, "summary.json#/a~1b/0/value"));
        let table = results.table("metrics.csv").unwrap().unwrap();
        assert_eq!(table.distinct("strategy"), ["=x", "-1"]);
        assert_eq!(table.rows().next().unwrap().number("value").unwrap().source(), "metrics.csv#0/value");
        assert!(table.rows().nth(1).unwrap().number("value").is_none());
        assert_eq!(results.first_replication("metrics.csv").unwrap().unwrap().rows().count(), 1);
        assert!(results.table("links.csv").unwrap().is_none());
    }
}
