//! The committed table.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What was counted, by which compiler.
#[derive(Deserialize, Serialize)]
pub(crate) struct Table {
    pub(crate) rustc: String,
    #[serde(rename = "case")]
    pub(crate) rows: Vec<Row>,
}

/// One figure.
#[derive(Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) value: f64,
    pub(crate) allowed_percent: f64,
    /// Why it is what it is: of the commit that last changed it.
    pub(crate) reason: String,
}

const HEAD: &str =
    "# Instructions and memory per unit of work, counted by `guard`; see its head. Profile `release`.\n\n";

/// Below this a figure of memory is nothing (bytes per request).
const NOTHING: f64 = 0.05;

impl Table {
    /// Prints a measured figure beside the table's; tells whether it is good.
    pub(crate) fn show(&self, now: &Row) -> bool {
        let Some(before) = self.rows.iter().find(|row| row.name == now.name) else {
            println!("{:<18} {:>12.1} {:<34} not in the table", now.name, now.value, now.unit);
            return false;
        };
        let percent = if before.value > NOTHING { 100.0 * (now.value / before.value - 1.0) } else { 0.0 };
        let is_good = percent <= now.allowed_percent && (before.value > NOTHING || now.value <= NOTHING);
        let verdict = match percent {
            _ if !is_good => "WORSE",
            percent if percent < -1.0 => "better: write the table anew",
            _ => "",
        };
        println!("{:<18} {:>12.1} {:<34} {percent:>+6.1} % {verdict}", now.name, now.value, now.unit);
        is_good
    }
}

/// Reads the table.
pub(crate) fn read() -> Table {
    let text = std::fs::read_to_string(path()).expect("the table is there");
    toml::from_str(&text).expect("the table is TOML")
}

/// Writes what was measured. A figure that moved by less than 0.1 % keeps its row.
pub(crate) fn write(rustc: &str, measured: Vec<Row>, before: &Table, reason: &str) {
    let kept = |now: Row| match before.rows.iter().find(|row| row.name == now.name) {
        Some(row) if (now.value - row.value).abs() <= 1e-3 * row.value => {
            Row { reason: row.reason.clone(), value: row.value, ..now }
        }
        _ => Row { reason: reason.into(), value: (now.value * 10.0).round() / 10.0, ..now },
    };
    let table = Table { rustc: rustc.into(), rows: measured.into_iter().map(kept).collect() };
    let text = toml::to_string(&table).expect("a table of plain values");
    std::fs::write(path(), format!("{HEAD}{text}")).expect("the table can be written");
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("guard/table.toml")
}
