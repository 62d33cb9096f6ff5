//! When a simulated run begins on everybody else's clock: the same for metrics, spans, traces and access logs.

use crate::traces::time::{rfc3339_ms, rfc3339_us};
use std::fmt;
use std::str::FromStr;

/// When a run begins, its warm-up included (ms since 1970).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartTime(u64);

impl StartTime {
    /// The same for all runs that say nothing: 2026-01-01T00:00:00Z.
    pub const DEFAULT: Self = Self(1_767_225_600_000);

    /// So many milliseconds since 1970.
    #[must_use]
    pub const fn of_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.0
    }
}

impl FromStr for StartTime {
    type Err = String;

    /// As RFC 3339 writes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "a moment is written as in 2026-01-01T00:00:00Z".to_owned();
        rfc3339_us(text).map(|us| Self(us / 1_000)).ok_or_else(wrong)
    }
}

impl fmt::Display for StartTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc3339_ms(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_moment() {
        assert_eq!("2026-01-01T00:00:00Z".parse(), Ok(StartTime::DEFAULT));
        let start: StartTime = "2026-01-01T01:00:00.250+01:00".parse().unwrap();
        assert_eq!(start, StartTime(StartTime::DEFAULT.0 + 250));
        assert_eq!(start.to_string().parse(), Ok(start));
        for wrong in ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00"] {
            assert!(wrong.parse::<StartTime>().is_err(), "{wrong}");
        }
    }
}
