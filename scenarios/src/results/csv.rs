//! Rows of a CSV file, in which no text is a formula.
//!
//! # Models
//! Spreadsheets take a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, quoted or
//! not. A text that does so gets an apostrophe before it, which they read as "text" and do not show; numbers stay.
//!
//! # Source
//! OWASP, CSV Injection.

use csv::Writer;
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes rows.
pub(crate) struct Csv<'a>(Writer<&'a mut dyn Write>);

impl<'a> Csv<'a> {
    pub(crate) fn new(file: &'a mut dyn Write) -> Self {
        Self(Writer::from_writer(file))
    }

    /// Writes a row of so many cells as the first one has.
    pub(crate) fn write_record<T: AsRef<str>>(
        &mut self,
        cells: impl IntoIterator<Item = T>,
    ) -> csv::Result<()> {
        for cell in cells {
            self.0.write_field(plain(cell.as_ref()).as_bytes())?;
        }
        self.0.write_record(None::<&[u8]>)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A number, or nothing where there is none.
pub(crate) fn finite(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { String::new() }
}

/// A cell that no spreadsheet takes for a formula.
fn plain(cell: &str) -> Cow<'_, str> {
    let begins_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if begins_formula && cell.parse::<f64>().is_err() {
        return Cow::Owned(format!("'{cell}"));
    }
    Cow::Borrowed(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula_and_numbers_stay() {
        let mut bytes = Vec::new();
        let mut csv = Csv::new(&mut bytes);
        csv.write_record(["=1+1", "+5ms", "-a", "@x", "\tx", "a=b", "-1.5", "+3", "-2e-3", ""]).unwrap();
        csv.flush().unwrap();
        drop(csv);
        assert_eq!(String::from_utf8(bytes).unwrap(), "'=1+1,'+5ms,'-a,'@x,'\tx,a=b,-1.5,+3,-2e-3,\n");
    }
}
