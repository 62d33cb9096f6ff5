//! The lines of a text file, one at a time.

use super::collect::Collector;
use super::input::{Content, problem_of, unreadable_at};
use crate::problem::{Checked, Problem};

/// Hands each line that is not blank, without blanks at its ends, to `take`, with its number from 1. A line
/// that is not UTF-8 is bad.
pub(super) fn each_line<'a>(
    content: Content<'a>,
    to: &mut Collector<'a>,
    mut take: impl FnMut(&mut Collector<'a>, &str, u64) -> Result<(), Problem>,
) -> Checked<()> {
    each_whole_line(content, to, |to, text, number| take(to, text.trim(), number))
}

/// The same with the blanks at the ends of lines.
pub(super) fn each_whole_line<'a>(
    mut content: Content<'a>,
    to: &mut Collector<'a>,
    mut take: impl FnMut(&mut Collector<'a>, &str, u64) -> Result<(), Problem>,
) -> Checked<()> {
    let meter = content.meter();
    let mut line = Vec::new();
    loop {
        let number = meter.line();
        let more = content.read_line(&mut line).map_err(|error| unreadable_at(to.path, number, &error))?;
        if !more {
            return Ok(());
        }
        match std::str::from_utf8(&line) {
            Ok(text) => {
                let text = text.trim_start_matches('\u{feff}');
                if !text.trim().is_empty() {
                    take(to, text, number)?;
                }
            }
            Err(_) => to.bad(
                problem_of(to.path, format!("line {number}: not UTF-8 text")).help("write the file as UTF-8"),
            )?,
        }
    }
}
