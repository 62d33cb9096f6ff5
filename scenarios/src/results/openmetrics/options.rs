//! When a simulated run begins on everybody else's clock, and how often it is scraped.

use crate::lives::START_MS;
use crate::traces::time::{rfc3339_ms, rfc3339_us};
use meshsim_core::SimDuration;
use std::fmt;
use std::str::FromStr;

/// When a run begins (ms since 1970).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartTime(u64);

impl StartTime {
    /// The same for all runs that say nothing: 2026-01-01T00:00:00Z.
    pub const DEFAULT: Self = Self(START_MS);

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

impl fmt::Display for StartTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc3339_ms(self.0))
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

/// Time between two scrapes of a target: 100 ms at least, or there would be as many scrapes as requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrapeInterval(SimDuration);

impl ScrapeInterval {
    /// 15 s, as in Istio's sample Prometheus.
    pub const DEFAULT: Self = Self(SimDuration::from_secs(15));
    /// The shortest.
    const LEAST: SimDuration = SimDuration::from_millis(100);

    /// As a duration.
    #[must_use]
    pub const fn get(self) -> SimDuration {
        self.0
    }
}

impl FromStr for ScrapeInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<SimDuration>() {
            Ok(interval) if interval >= Self::LEAST => Ok(Self(interval)),
            Ok(_) => Err(format!("it is {} at least", Self::LEAST)),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_moment() {
        assert_eq!("2026-01-01T00:00:00Z".parse(), Ok(StartTime::DEFAULT));
        assert_eq!("2026-01-01T01:00:00.250+01:00".parse(), Ok(StartTime(StartTime::DEFAULT.0 + 250)));
        assert_eq!("15s".parse(), Ok(ScrapeInterval::DEFAULT));
        assert!("99ms".parse::<ScrapeInterval>().is_err() && "often".parse::<ScrapeInterval>().is_err());
        for wrong in ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00"] {
            assert!(wrong.parse::<StartTime>().is_err(), "{wrong}");
        }
    }
}
