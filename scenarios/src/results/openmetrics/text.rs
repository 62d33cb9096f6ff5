//! The text format: families, labels, samples.
//!
//! # Source
//! OpenMetrics 1.0, "Text format"; its samples may have time stamps, and end with `# EOF`.

use meshsim_core::SimTime;
use std::fmt::{Display, Write as _};
use std::io::{Result, Write};

/// Where samples are written, and when the run began (ms since 1970).
pub(super) struct Text<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) start_ms: u64,
}

impl Text<'_> {
    /// A family begins: all samples of it follow, series by series.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) -> Result<()> {
        writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}")
    }

    /// A sample of a series, with a label more if there is one.
    pub(super) fn sample(
        &mut self,
        name: &str,
        (labels, more): (&Labels, Option<(&str, &str)>),
        value: impl Display,
        at: SimTime,
    ) -> Result<()> {
        let ms = self.start_ms + at.as_nanos() / 1_000_000;
        write!(self.out, "{name}{{{}", labels.0)?;
        if let Some((key, value)) = more {
            write!(self.out, ",{key}=\"{value}\"")?;
        }
        writeln!(self.out, "}} {value} {}.{:03}", ms / 1000, ms % 1000)
    }

    /// Nothing follows.
    pub(super) fn end(&mut self) -> Result<()> {
        writeln!(self.out, "# EOF")
    }
}

/// Labels of a series, written out.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Labels(String);

impl Labels {
    /// With one more, if it has a value: an empty one is none to Prometheus.
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            let comma = if self.0.is_empty() { "" } else { "," };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            // Writing to a text does not fail.
            write!(self.0, "{comma}{key}=\"{value}\"").ok();
        }
        self
    }

    /// With all of these.
    pub(super) fn and<const N: usize>(self, all: [(&str, &str); N]) -> Self {
        all.into_iter().fold(self, |labels, (key, value)| labels.with(key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshsim_core::SimDuration;

    #[test]
    fn a_sample_is_a_line() {
        let mut bytes = Vec::new();
        let mut text = Text { out: &mut bytes, start_ms: 1_700_000_000_000 };
        let labels = Labels::default().and([("a", "x\"y\\"), ("empty", ""), ("b", "2")]);
        text.family("f", "histogram", "What it is.").unwrap();
        let at = SimTime::ZERO + SimDuration::from_micros(1_500_900);
        text.sample("f_bucket", (&labels, Some(("le", "0.5"))), 3, at).unwrap();
        text.sample("f_sum", (&labels, None), 0.25, at).unwrap();
        text.end().unwrap();
        let expected = "# HELP f What it is.\n# TYPE f histogram\n\
            f_bucket{a=\"x\\\"y\\\\\",b=\"2\",le=\"0.5\"} 3 1700000001.500\n\
            f_sum{a=\"x\\\"y\\\\\",b=\"2\"} 0.25 1700000001.500\n# EOF\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
